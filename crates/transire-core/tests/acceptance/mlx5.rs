//! What was recorded of the mlx5 driver's code, against the model of it; and what `strict` makes of the streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use transire_core::attribute::{PCI_ID, Value};
use transire_core::format::Driver;
use transire_core::gate::Options;
use transire_core::records::driver::{Load, Taken};
use transire_core::target::Target;
use transire_core::vendors::mlx5::VIRTUAL_FUNCTION;
use transire_core::vendors::mlx5::driver::Device;

use crate::harness::{Agreement, Case, Row, Table, acts, bytes, golden, predicted, say, strict_table, target_of};
use crate::records::{check, errno, is_only_of_writes, model};
use crate::support::whole;

model!(Device, written);

fn written(load: &Load, hash: &str) -> String {
    let refused = if load.taken == Taken::Refused { ":refused" } else { "" };
    format!("load:{}:{hash}:buffer={}{refused}", load.length, load.buffer)
}

/// The device of a row, with its surroundings.
fn device(row: &Row<'_>) -> Device {
    let mut device = Device::resuming();
    if let Some(pages) = row.target("free_pages") {
        device = device.with_free_pages(pages.parse().unwrap());
    }
    if let Some(load) = row.target("fw_refuses_load") {
        device = device.whose_firmware_refuses(load.parse().unwrap(), errno(row.target("fw_errno").unwrap()));
    }
    device
}

fn target() -> Arc<Target> {
    target_of("mlx5", &[(PCI_ID, Value::PciId(VIRTUAL_FUNCTION).to_owned())])
}

#[test]
fn every_recorded_row_is_predicted() {
    let table = Table::read("mlx5", "acceptance.tsv");
    let (mut rows, mut agreed) = (0, 0);
    let mut results: BTreeMap<String, usize> = BTreeMap::new();
    for row in table.rows() {
        check("mlx5", &row, &mut device(&row));
        rows += 1;
        *results.entry(row.get("result").to_owned()).or_default() += 1;
        if is_only_of_writes(&row) {
            let input = bytes("mlx5", row.get("file"));
            let (acts, _) = acts(row.get("write_mode"), &input);
            assert_eq!(predicted(&row, &mut device(&row), &acts), Agreement::Agrees);
            agreed += 1;
        }
    }
    say(&format!("mlx5: {rows} rows are as the model says, {agreed} of them predicted from their writes: {results:?}"));
    assert_eq!(rows, 255);
}

#[test]
fn another_session_begins_anew() {
    let input = bytes("mlx5", "mutated/fw-size-2p32.bin");
    let mut device = Device::resuming();
    assert!(device.write(&input).is_err());
    device.again(transire_core::format::Between::Reset);
    assert_eq!(device.write(&bytes("mlx5", "stop-copy-300.bin")), Ok(()));
    assert_eq!(device.loads().count(), 1);
}

#[test]
fn strict_says_of_every_stream_what_is_recorded() {
    let table = Table::read("mlx5", "acceptance.tsv");
    let cases = table.rows().map(|row| Case { file: row.get("file").into(), target: "mlx5".into(), of: target() });
    golden("mlx5", "strict.tsv", &strict_table("mlx5", cases));
}

/// Streams that differ from what a driver writes in what no verifier can see: they are whole, and in order.
const POSSIBLE: &[&str] =
    &["image-twice", "first-image-missing", "last-image-missing", "hint-value-2p20", "hint-value-2p28"];

#[test]
fn captured_streams_are_complete_and_nothing_forged_passes_unseen() {
    let target = target();
    let (mut captured, mut forged) = (0, 0);
    let table = Table::read("mlx5", "acceptance.tsv");
    let files: std::collections::BTreeSet<&str> = table.rows().map(|row| row.get("file")).collect();
    for file in files {
        let input = bytes("mlx5", file);
        let seen = whole(&target, &Options::default(), &input);
        let own = seen.verdict.reasons().len();
        if file.starts_with("mutated/") {
            let cut_between = ["cut-0440", "cut-0520", "cut-0664"].iter().any(|cut| file.contains(cut));
            let known = POSSIBLE.iter().any(|known| file.contains(known)) || cut_between;
            assert_eq!(own == 0, known, "{file}: {:?}", seen.verdict);
            forged += 1;
        } else {
            assert!(seen.complete && own == 0, "{file}: {:?}", seen.verdict);
            assert_eq!(seen.payload, input, "{file}");
            captured += 1;
        }
    }
    say(&format!("mlx5: {captured} captured streams are complete, {forged} forged ones looked at"));
    assert_eq!(captured, 14);
}
