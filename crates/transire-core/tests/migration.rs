//! Whole migrations at the gate: containers, vendors and targets together.

#[path = "qemu/walk.rs"]
mod walk;

mod support;

use std::collections::{BTreeSet, HashMap};

use support::target;
use transire_core::containers::qemu::Item;
use transire_core::containers::qemu::assembly::Assembly;
use transire_core::containers::qemu::outlook::Outlook;
use transire_core::format::Likeness;
use transire_core::gate::Options as DeviceOptions;
use transire_core::gate::migration::{DeviceTarget, Event, Machine, Migration, Next, Options, Standard, TargetError};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Verdict};
use walk::{at, capture, captures, part, reader_of, say, table, walk_in};

type Row = HashMap<String, String>;

/// The targets that a row of the tables names.
fn targets(text: &str) -> Vec<DeviceTarget> {
    let mut targets = Vec::new();
    let words: Vec<&str> = text.split([' ', ',', '(']).collect();
    for pair in words.windows(3) {
        if let [kind @ ("mtty-1" | "mtty-2"), "at", place] = pair {
            let ports = if *kind == "mtty-1" { 1 } else { 2 };
            let device = Some(format!("0000:00:0{place}").into_bytes());
            targets.push(DeviceTarget { device, target: target(ports) });
        }
    }
    if text.contains("enable-migration=off") {
        targets.clear();
    }
    targets
}

/// The machine that a row names: what the unaltered stream of the same one has.
fn machine(row: &Row) -> Machine {
    let file = &row["file"];
    let unaltered = file
        .strip_prefix("mutated/")
        .map_or(file.clone(), |name| format!("{}.stream", name.split('.').next().unwrap()));
    let input = capture(&format!("qemu-vfio/{unaltered}"));
    let (mut reader, start) = reader_of(&unaltered, &input);
    let mut assembly = Assembly::new();
    walk_in(&mut reader, &input[start..], || usize::MAX, |reader, event| assembly.take(0, reader, &event));
    let others = reader.handlers().iter().filter(|handler| handler.device.is_none());
    let space = assembly.devices()[0].config.clone().unwrap().space;
    let ram = if row["target"].contains("8M RAM") { 8 << 20 } else { 4 << 20 };
    let configs = targets(&row["target"]).into_iter().map(|of| (of.device.unwrap(), space.clone()));
    Machine {
        handlers: Some(others.map(|handler| (handler.name.clone(), handler.instance)).collect()),
        blocks: vec![(b"pc.ram".to_vec(), ram)],
        configs: configs.collect(),
        skip_vendor_specific: None,
    }
}

fn options(standard: Standard, read_on: bool) -> Options {
    Options { standard, devices: DeviceOptions { read_on, ..DeviceOptions::default() }, ..Options::default() }
}

/// What came of a migration.
#[derive(Debug, PartialEq)]
struct Seen {
    container: Verdict,
    devices: Vec<(String, Verdict, bool)>,
    outcome: Outcome,
    complete: bool,
    outlook: Option<Outlook>,
    /// Bytes that went on.
    passed: usize,
    /// The bytes of each device, as they were told.
    data: Vec<Vec<u8>>,
}

impl Seen {
    /// Every reason with its offset.
    fn reasons(&self) -> BTreeSet<String> {
        let all = std::iter::once(&self.container).chain(self.devices.iter().map(|(_, verdict, _)| verdict));
        let text = |reason: &transire_core::verdict::Reason| {
            let offset = reason.offset().map_or("-".into(), |offset| offset.to_string());
            format!("{}@{offset}", reason.id.text())
        };
        all.flat_map(|verdict| verdict.reasons().iter().map(text)).collect()
    }
}

fn tell(data: &mut Vec<Vec<u8>>, event: &Event<'_>) {
    if let Event::Data { device, bytes, .. } = event {
        data.resize(data.len().max(device + 1), Vec::new());
        data[*device].extend_from_slice(bytes);
    }
}

/// Gives channels, cut as `cuts` says, then what came in packets, in pieces.
fn judge(migration: &mut Migration, channels: &[&[u8]], mut cuts: impl FnMut() -> usize) -> Seen {
    let mut data = Vec::new();
    let mut passed = 0;
    for (number, input) in channels.iter().enumerate() {
        migration.next_channel(u32::try_from(number).unwrap());
        let (mut start, mut end) = (0, cuts().min(input.len()));
        loop {
            let eof = end == input.len();
            let step = migration.step(&input[start..end], eof, &mut |event| tell(&mut data, &event));
            start += step.used;
            assert!(start <= end);
            match step.next {
                Next::Need(need) => {
                    assert!(!eof && need > end - start, "{need} of {}", end - start);
                    end = (end + cuts().max(1)).min(input.len());
                }
                Next::Skip(_) => {}
                Next::Over => break,
            }
        }
        passed += start;
    }
    for (device, extent) in migration.packets() {
        let bytes = part(channels[at(extent.channel)], extent.offset, extent.length);
        data.resize(data.len().max(device + 1), Vec::new());
        data[device].extend_from_slice(bytes);
        for piece in bytes.chunks(7) {
            migration.packet(device, piece, &mut |_| {});
        }
    }
    migration.finish(&mut |_| {});
    let device = |device: transire_core::gate::migration::Judged<'_>| {
        (String::from_utf8_lossy(device.name).into_owned(), device.verdict(), device.is_complete())
    };
    Seen {
        container: migration.verdict().clone(),
        devices: migration.devices().map(device).collect(),
        outcome: migration.outcome(),
        complete: migration.is_complete(),
        outlook: migration.outlook().cloned(),
        passed,
        data,
    }
}

fn of_row(row: &Row, standard: Standard, cuts: impl FnMut() -> usize) -> Seen {
    let input = capture(&format!("qemu-vfio/{}", row["file"]));
    let targets = Some(targets(&row["target"]));
    let mut migration = Migration::new(VENDORS, targets, machine(row), options(standard, true)).unwrap();
    judge(&mut migration, &[&input], cuts)
}

#[test]
fn strict_finds_what_walk_assembly_and_vendor_find_by_themselves() {
    let kept = table("qemu-vfio/strict.tsv");
    let rows = table("qemu-vfio/acceptance.tsv");
    for (row, kept) in rows.iter().zip(&kept) {
        let what = format!("{} into {}", row["file"], row["target"]);
        let seen = of_row(row, Standard::Strict, || usize::MAX);
        assert_eq!(seen.outcome.name(), kept["outcome"], "{what}: {seen:?}");
        // That there is no target is said once a device and by an id of its own; that a device has no data is not said
        // by its vendor besides.
        let expected: BTreeSet<String> = kept["reasons"]
            .split(' ')
            .filter(|reason| !reason.starts_with("format.not-of-target@") && *reason != "magic.truncated@0")
            // What a walk that failed did not come to is not missed.
            .filter(|reason| *reason != "qemu.device-missing@-" || !row["file"].contains("setup-removed"))
            .map(str::to_owned)
            .collect();
        let found = seen.reasons();
        assert!(found.is_superset(&expected), "{what}: {found:?}, {expected:?}");
        // Read on behind the refusal of a header, the stream is found to be too short for it besides.
        let more = found.difference(&expected);
        let mut ids = more.map(|reason| reason.split('@').next().unwrap());
        assert!(ids.all(|id| id == "qemu.device-unexpected" || id == "stream.truncated"), "{what}: {found:?}");
        assert_eq!(seen.complete, seen.outcome == Outcome::Compatible, "{what}");
    }
    say(&format!("{} rows agree", rows.len()));
}

#[test]
fn the_standard_qemu_agrees_with_qemu_row_by_row() {
    let rows = table("qemu-vfio/acceptance.tsv");
    for row in &rows {
        let what = format!("{} into {}", row["file"], row["target"]);
        let seen = of_row(row, Standard::Qemu, || usize::MAX);
        let refused = row["incoming_status"] == "failed";
        let stale = row["messages"].contains("Failed setting device state");
        let expected = if refused {
            "qemu.refused"
        } else if stale {
            "qemu.stale"
        } else {
            ""
        };
        let reasons = seen.reasons();
        let found: Vec<&str> = reasons
            .iter()
            .map(|reason| reason.split('@').next().unwrap())
            .filter(|id| ["qemu.refused", "qemu.stale", "qemu.depends"].contains(id))
            .collect();
        assert_eq!(found.join(" "), expected, "{what}: {seen:?}");
        let outcome = if expected.is_empty() { Outcome::Compatible } else { Outcome::Incompatible };
        assert_eq!((seen.outcome, seen.complete), (outcome, outcome == Outcome::Compatible), "{what}");
    }
    say(&format!("{} rows agree", rows.len()));
}
