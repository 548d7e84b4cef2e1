//! What was recorded of mtty on a real kernel, against the model of its driver; and what `strict` makes of the streams.

use std::collections::BTreeMap;
use std::fmt::Write;

use transire_core::format::{Choices, Driver, Prediction};
use transire_core::gate::Options;
use transire_core::vendors::mtty::driver::Device;
use transire_core::vendors::mtty::stream::{FORMAT, HEADER_LEN};
use transire_core::verdict::{Outcome, reasons};

use crate::harness::{
    Act, Agreement, Case, Made, Row, Table, acts, first_refusal, golden, name_of, play, predicted, say, strict_table,
    writes,
};
use crate::support::{fixture, path, push, target, whole};

fn ports(row: &Row<'_>) -> u32 {
    match row.get("target_type") {
        "mtty-1" => 1,
        "mtty-2" => 2,
        other => panic!("{other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn check(row: &Row<'_>) {
    let (what, ports) = (row.line, ports(row));
    let input = fixture(row.get("file"));
    assert_eq!(input.len(), row.number("file_bytes"), "{what}");
    let (mut acts, keep_going) = acts(row.get("write_mode"), &input);
    if input.is_empty() && row.get("write_mode").starts_with("split") {
        acts.clear();
    }

    let mut device = Device::resuming(ports);
    let made = play(&mut device, &acts, keep_going);
    // Empty writes beside the stream are no calls of the row.
    let counted = made.iter().filter(|call| call.length > 0 || input.is_empty()).count();
    assert_eq!(counted, row.number("write_calls"), "{what}");
    let refused = made.iter().filter(|call| call.result.is_err()).count();
    assert_eq!(refused, row.number("refused_writes"), "{what}");
    let first = first_refusal(&made);
    assert_eq!(first.map_or("-".into(), Made::place), row.get("refused_write_offset+length"), "{what}");

    let resumed = device.resume();
    assert_eq!(name_of(resumed), row.get("set_state_RUNNING_afterwards"), "{what}");
    assert_eq!(if resumed.is_ok() { "RUNNING" } else { "RESUMING" }, row.get("state_afterwards"), "{what}");
    let (step, result) = match (first, resumed) {
        (Some(call), _) => ("write", name_of(call.result)),
        (None, Err(_)) => ("set_state", name_of(resumed)),
        (None, Ok(())) => ("none", "ok"),
    };
    assert_eq!((step, result), (row.get("step"), row.get("result")), "{what}");

    let previous = fixture(&format!("mtty{ports}-marker-previous.bin"));
    let saved = if resumed.is_ok() {
        // A save writes a header of its own before the records that were loaded.
        [&previous[..HEADER_LEN], device.port_records()].concat()
    } else {
        previous
    };
    assert_eq!(hex(&saved), row.get("device_stream_afterwards_hex"), "{what}");
    assert_eq!(device.holds().name(), row.get("device_then_holds"), "{what}");

    // The prediction, from the calls that were made: what is ignored is ignored to the end.
    let open = FORMAT.driver.unwrap();
    let target = target(u64::from(ports));
    let predict = |acts: &[Act<'_>]| {
        assert_eq!(predicted(row, open(&target, Choices::NONE).unwrap().as_mut(), acts), Agreement::Agrees);
    };
    predict(&acts[..made.len()]);
    predict(&acts);
    let made = writes(&acts[..made.len()]).unwrap();
    if let Prediction::Refused { if_ignored, .. } =
        transire_core::format::predict(open(&target, Choices::NONE).unwrap().as_mut(), made.into_iter())
    {
        assert_eq!(if_ignored.name(), row.get("device_then_holds"), "{what}");
    }
}

#[test]
fn the_model_agrees_with_the_kernel_row_by_row() {
    let table = Table::read("mtty", "acceptance.tsv");
    table.rows().for_each(|row| check(&row));
    let rows = table.rows().count();
    say(&format!("mtty: {rows} rows agree"));
    assert_eq!(rows, 406);
}

#[test]
fn strict_refuses_all_that_the_kernel_refuses() {
    let table = Table::read("mtty", "acceptance.tsv");
    let (mut refused, mut caught) = (0, 0);
    for row in table.rows().filter(|row| row.get("write_mode") == "whole") {
        let seen = whole(&target(u64::from(ports(&row))), &Options::default(), &fixture(row.get("file")));
        if row.get("step") == "none" {
            caught += usize::from(!seen.complete);
        } else {
            assert!(!seen.complete, "{}", row.line);
            refused += 1;
        }
    }
    say(&format!("{refused} refused by both, {caught} by strict alone"));
    assert!(refused > 0 && caught > 0);
}

/// Every stream of the fixtures, with what was done to it; nothing for one that is as it was captured.
fn streams() -> BTreeMap<String, String> {
    let table = String::from_utf8(fixture("mutations.tsv")).unwrap();
    let mutated = table.lines().skip(1).map(|line| line.split_once('\t').unwrap());
    let mut streams: BTreeMap<String, String> =
        mutated.map(|(file, rest)| (file.to_owned(), rest.split_once('\t').unwrap().1.to_owned())).collect();
    for entry in std::fs::read_dir(path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.to_ascii_lowercase().ends_with(".bin") {
            streams.insert(name, String::new());
        }
    }
    streams
}

#[test]
fn strict_says_what_it_said() {
    let cases = streams().into_keys().flat_map(|file| {
        (1..=2).map(move |ports| Case { file: file.clone(), target: format!("mtty-{ports}"), of: target(ports) })
    });
    golden("mtty", "strict.tsv", &strict_table("mtty", cases));
}

#[test]
fn captured_streams_are_complete_on_their_own_type() {
    let mut captured = 0;
    for (file, _) in streams().iter().filter(|(_, change)| change.is_empty()) {
        let input = fixture(file);
        let own = if file.starts_with("mtty1") { 1 } else { 2 };
        for ports in 1..=2 {
            let seen = whole(&target(ports), &Options::default(), &input);
            if ports == own {
                assert!(seen.complete && seen.verdict.reasons().is_empty(), "{file}: {:?}", seen.verdict);
                assert_eq!((seen.payload.as_slice(), seen.used), (&input[..], input.len() as u64), "{file}");
            } else {
                assert_eq!(seen.verdict.reasons().len(), 1, "{file}");
                assert_eq!(seen.verdict.reasons()[0].id, reasons::NOT_EQUAL, "{file}");
                assert_eq!((seen.verdict.outcome(), seen.payload.len()), (Outcome::Incompatible, 0), "{file}");
            }
        }
        captured += 1;
    }
    say(&format!("{captured} captured streams are complete"));
    assert_eq!(captured, 15);
}

/// What the driver loads in silence and a device was never seen to save: each is refused, or noted, or is a value that a
/// device can have.
#[test]
fn nothing_that_was_forged_passes_unseen() {
    /// Changes that make another stream that a device could have saved.
    const POSSIBLE: &[&str] = &["trig = 0 (0x00)", "fcr = 56 (0x38)", "nr_ports rewritten to 1"];
    let mut seen_through = 0;
    for (file, change) in streams().iter().filter(|(_, change)| !change.is_empty()) {
        let input = fixture(file);
        for ports in 1..=2 {
            let seen = whole(&target(ports), &Options::default(), &input);
            let silent = seen.verdict.reasons().is_empty();
            let known = POSSIBLE.iter().any(|known| change.ends_with(known));
            assert!(!silent || known, "{file} ({change}) passes mtty-{ports} without a word");
            seen_through += usize::from(!silent);
        }
    }
    say(&format!("{seen_through} verdicts on forged streams have a reason"));
}

#[test]
fn the_two_parts_of_pre_copy_are_one_stream() {
    let mut states = 0;
    for entry in std::fs::read_dir(path("precopy")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(state) = name.strip_suffix(".precopy-part.bin") else { continue };
        let first = fixture(&format!("precopy/{name}"));
        let second = fixture(&format!("precopy/{state}.stopcopy-part.bin"));
        let ports = if state.starts_with("mtty1") { 1 } else { 2 };
        let seen = push(&target(ports), &Options::default(), [&first[..], &second]);
        assert!(seen.complete, "{state}");
        assert_eq!(seen.payload, [first, second].concat(), "{state}");
        states += 1;
    }
    say(&format!("{states} states in two parts"));
    assert!(states > 0);
}
