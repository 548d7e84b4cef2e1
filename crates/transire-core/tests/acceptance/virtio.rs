//! What was recorded of the virtio driver's code, against the model of it; and what `strict` makes of the streams.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use transire_core::attribute::OwnedValue;
use transire_core::format::Driver;
use transire_core::gate::Options;
use transire_core::records::driver::{Load, Taken};
use transire_core::target::Target;
use transire_core::vendors::virtio::DEVICE_FEATURES;
use transire_core::vendors::virtio::driver::Device;

use crate::harness::{Agreement, Case, Row, Table, acts, bytes, golden, predicted, say, strict_table, target_of};
use crate::records::{check, errno, is_only_of_writes, model};
use crate::support::whole;

model!(Device, written);

fn written(load: &Load, hash: &str) -> String {
    match load.taken {
        Taken::Loaded => format!("set:{}:{hash}", load.length),
        Taken::Refused => format!("set:{}:{hash}:refused", load.length),
        Taken::Wild => format!("set:{}:WILD", load.length),
    }
}

/// The device of a row, with its surroundings: where the row does not say otherwise, every page is the next one's
/// neighbour.
fn device(row: &Row<'_>) -> Device {
    let run = row.target("contiguous_pages").map_or(256, |pages| pages.parse().unwrap());
    let mut device = Device::resuming().with_contiguous_pages(run);
    if let Some(pages) = row.target("free_pages") {
        device = device.with_free_pages(pages.parse().unwrap());
    }
    if let Some(set) = row.target("dev_refuses_set") {
        device = device.that_refuses(set.parse().unwrap(), errno(row.target("dev_errno").unwrap()));
    }
    device
}

/// A target with the features of the source of a capture, or of the capture that a forged one was made of.
fn target(features: u64) -> Arc<Target> {
    target_of("virtio", &[(DEVICE_FEATURES, OwnedValue::mask(&features.to_le_bytes()).unwrap())])
}

/// Features of the captured devices.
const NET: u64 = 0x3_0047_8020;
const BLOCK: u64 = 0x1_0000_1240;

#[test]
fn every_recorded_row_is_predicted() {
    let table = Table::read("virtio", "acceptance.tsv");
    let (mut rows, mut agreed, mut entered, mut depending) = (0, 0, 0, 0);
    let mut results: BTreeMap<String, usize> = BTreeMap::new();
    for row in table.rows() {
        rows += 1;
        *results.entry(row.get("result").to_owned()).or_default() += 1;
        if row.get("step") == "enter" {
            let device = device(&row);
            assert!(!device.is_entered() && row.get("result") == "ENOMEM", "{}", row.line);
            assert_eq!(device.peak_pages(), row.number("peak_pages") as u64, "{}", row.line);
            entered += 1;
            continue;
        }
        check("virtio", &row, &mut device(&row));
        if is_only_of_writes(&row) {
            let input = bytes("virtio", row.get("file"));
            let (acts, _) = acts(row.get("write_mode"), &input);
            // Told of its memory, the model is right; where it is not told, it says that it hangs on that.
            let told = predicted(&row, &mut device(&row), &acts);
            let wild = row.get("device_got").contains("WILD");
            assert_eq!(matches!(told, Agreement::Depends(_)), wild, "{}", row.line);
            let mut untold = device(&row);
            if row.target("contiguous_pages").is_none() && row.get("target") == "-" {
                untold = Device::resuming();
            }
            match predicted(&row, &mut untold, &acts) {
                Agreement::Agrees => agreed += 1,
                Agreement::Depends(_) => depending += 1,
            }
        }
    }
    say(&format!(
        "virtio: {rows} rows are as the model says, {agreed} of them predicted from their writes, {depending} hang on \
         memory, {entered} is refused before: {results:?}"
    ));
    assert_eq!((rows, entered), (269, 1));
}

#[test]
fn another_session_begins_anew() {
    let input = bytes("virtio", "mutated/size-2p32.bin");
    let mut device = Device::resuming();
    assert!(device.write(&input).is_err());
    device.again(transire_core::format::Between::Reset);
    assert_eq!(device.write(&bytes("virtio", "blk-1-queue.bin")), Ok(()));
    assert_eq!(device.loads().count(), 1);
}

#[test]
fn strict_says_of_every_stream_what_is_recorded() {
    let table = Table::read("virtio", "acceptance.tsv");
    let both = |row: &Row<'_>| {
        let file = row.get("file").to_owned();
        [("net", NET), ("blk", BLOCK)].map(|(name, features)| Case {
            file: file.clone(),
            target: name.into(),
            of: target(features),
        })
    };
    let cases: Vec<Case> = table.rows().flat_map(|row| both(&row)).collect();
    golden("virtio", "strict.tsv", &strict_table("virtio", cases.into_iter()));
}

/// Streams that differ from what a driver writes in what no verifier can see: they are whole, and in order.
const POSSIBLE: &[&str] = &["twice", "three-times"];

#[test]
fn captured_streams_are_complete_and_nothing_forged_passes_unseen() {
    let (mut captured, mut forged) = (0, 0);
    let table = Table::read("virtio", "acceptance.tsv");
    let files: BTreeSet<&str> = table.rows().map(|row| row.get("file")).collect();
    for file in files {
        let input = bytes("virtio", file);
        let features = if file.starts_with("net-") { NET } else { BLOCK };
        let options = Options { read_on: true, ..Options::default() };
        let seen = whole(&target(features), &options, &input);
        // What the rules say is not counted: a stream can be whole and another device's.
        let own = seen.verdict.reasons().iter().filter(|reason| reason.rule.is_none()).count();
        if file.starts_with("mutated/") {
            let known = POSSIBLE.iter().any(|known| file.contains(known)) || file.contains("cut-0206");
            assert_eq!(own == 0, known, "{file}: {:?}", seen.verdict);
            forged += 1;
        } else {
            // One has features beyond 64 bits, and one was made of several devices: no target here is theirs.
            let strange = ["net-128-bit-features.bin", "pre-copy-growing.bin"].contains(&file);
            assert!(own == 0 && seen.complete != strange, "{file}: {:?}", seen.verdict);
            assert!(strange || seen.payload == input, "{file}");
            captured += 1;
        }
    }
    say(&format!("virtio: {captured} captured streams are complete, {forged} forged ones looked at"));
    assert_eq!(captured, 14);
}
