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
        machine_type: Some(reader.configuration().machine.clone()),
        mapped_ram: Some(reader.configuration().mapped_ram),
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

/// A gate in a pipe: what is refused does not go on.
fn gate(input: &[u8], targets: Vec<DeviceTarget>, machine: Machine, cuts: impl FnMut() -> usize) -> (Seen, bool) {
    let mut migration = Migration::new(VENDORS, Some(targets), machine, options(Standard::Strict, false)).unwrap();
    let seen = judge(&mut migration, &[input], cuts);
    (seen, migration.has_stopped())
}

fn one(ports: u64) -> Vec<DeviceTarget> {
    vec![DeviceTarget { device: None, target: target(ports) }]
}

/// Offset of the byte that ends the sections.
fn end_of_sections(input: &[u8]) -> usize {
    let mut reader = transire_core::containers::qemu::QemuReader::main();
    let mut found = None;
    walk_in(
        &mut reader,
        input,
        || usize::MAX,
        |_, event| {
            if let transire_core::containers::qemu::Event::Item(Item::EndOfSections { offset }) = event {
                found = Some(at(offset));
            }
        },
    );
    found.unwrap()
}

/// Captures of one channel with devices, and their ports.
const SINGLE: [(&str, &[u64]); 6] = [
    ("qemu-vfio/pc-mtty1.stream", &[1]),
    ("qemu-vfio/pc-mtty2.stream", &[2]),
    ("qemu-vfio/q35-mtty2.stream", &[2]),
    ("qemu-vfio/pc-two-devices.stream", &[1, 2]),
    ("qemu-vfio/pc-mtty1-switchover-ack.channel0.to-destination.bin", &[1]),
    ("qemu/q100-vfio-precopy.bin.xz", &[2]),
];

fn by_place(ports: &[u64]) -> Vec<DeviceTarget> {
    match ports {
        [only] => one(*only),
        several => several
            .iter()
            .zip(4..)
            .map(|(ports, place): (_, u32)| {
                let device = Some(format!("0000:00:{place:02x}.0/vfio").into_bytes());
                DeviceTarget { device, target: target(*ports) }
            })
            .collect(),
    }
}

#[test]
fn a_good_stream_goes_through_to_its_last_byte() {
    let mut numbers = walk::Numbers(11);
    for (name, ports) in SINGLE {
        let input = capture(name);
        let (seen, stopped) = gate(&input, by_place(ports), Machine::default(), || usize::MAX);
        assert_eq!((seen.outcome, stopped, seen.passed), (Outcome::Compatible, false, input.len()), "{name}: {seen:?}");
        assert!(seen.complete, "{name}");
        for (device, ports) in seen.data.iter().zip(ports) {
            assert_eq!(device.len() as u64, 24 + 36 * ports, "{name}");
        }
        let (again, _) = gate(&input, by_place(ports), Machine::default(), || at(numbers.below(5000)));
        assert_eq!(again, seen, "{name}");
    }
    let input = capture("qemu-vfio/pc-two-devices.stream");
    let (seen, _) = gate(&input, by_place(&[1, 2]), Machine::default(), || usize::MAX);
    assert_eq!(gate(&input, by_place(&[1, 2]), Machine::default(), || 1).0, seen);
}

#[test]
fn a_header_that_a_target_refuses_does_not_go_on() {
    for cut in [1, 7, 4096, usize::MAX] {
        let input = capture("qemu-vfio/pc-mtty1.stream");
        let (seen, stopped) = gate(&input, one(2), Machine::default(), || cut);
        assert!(stopped && !seen.complete);
        assert_eq!(seen.outcome, Outcome::Incompatible);
        // The header's record begins at 202, its bytes at 218.
        assert!((218..218 + 24).contains(&seen.passed), "{}", seen.passed);
        assert!(seen.reasons().contains(".not-equal@234"), "{seen:?}");
    }
}

#[test]
fn the_end_is_withheld_until_every_device_has_passed() {
    let good = capture("qemu-vfio/pc-mtty1.stream");
    let end = end_of_sections(&good);
    // A device of the target that the stream does not mention shows at the end only.
    let missing = by_place(&[1, 1]);
    // So does a configuration that is left out, where no description was read first.
    let removed = capture("qemu-vfio/mutated/pc-mtty1.config-removed.stream");
    let cases = [
        (good.clone(), missing, end, "qemu.device-missing@-"),
        (removed.clone(), one(1), end_of_sections(&removed), "qemu.device-no-config@111"),
    ];
    for (input, targets, end, reason) in cases {
        for cut in [1, 1000, usize::MAX] {
            let (seen, stopped) = gate(&input, targets.clone(), Machine::default(), || cut);
            assert!(stopped && !seen.complete);
            // With what comes before it, from the first place behind RAM that a destination could take for it.
            assert!(seen.passed <= end && seen.passed > 16_000, "{reason}: {} of {end}", seen.passed);
            assert!(seen.reasons().contains(reason), "{seen:?}");
        }
    }
    // The device's last footer, damaged: it goes no further.
    let footer = 24_109 + 31 + 4132;
    assert_eq!(good[footer], 0x7e);
    let mut damaged = good.clone();
    damaged[footer + 4] ^= 1;
    let (seen, stopped) = gate(&damaged, one(1), Machine::default(), || usize::MAX);
    assert!(stopped && seen.passed <= footer && seen.outcome == Outcome::Corrupt, "{seen:?}");
    // That of a section without a length: its end is never found.
    let mut damaged = good.clone();
    damaged[end - 1] ^= 1;
    let (seen, stopped) = gate(&damaged, one(1), Machine::default(), || usize::MAX);
    assert!(stopped && seen.outcome == Outcome::Truncated && seen.passed <= end, "{seen:?}");
    // Data that are missing show where the device's sections end.
    let input = capture("qemu-vfio/mutated/pc-mtty1.chunk2-removed.stream");
    let (seen, stopped) = gate(&input, one(1), Machine::default(), || usize::MAX);
    assert!(stopped && seen.passed < 14_081, "{seen:?}");
    assert!(seen.reasons().contains("stream.truncated@242"), "{seen:?}");
}

#[test]
fn a_configuration_of_another_device_does_not_go_on() {
    let input = capture("qemu-vfio/mutated/pc-mtty1.config-vendor-changed.stream");
    let row: Row = [("file", "pc-mtty1.stream"), ("target", "pc, mtty-1 at 4.0")]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut migration = Migration::new(VENDORS, Some(one(1)), machine(&row), options(Standard::Strict, false)).unwrap();
    let seen = judge(&mut migration, &[&input], || usize::MAX);
    assert!(migration.has_stopped() && seen.passed <= 24_140, "{seen:?}");
    let device = migration.device(0).unwrap().verdict();
    let reason = device.reasons().iter().find(|reason| reason.id.text() == "qemu.device-config-differs").unwrap();
    assert_eq!(migration.words(Some(0), reason).unwrap(), "byte 0x0, vendor id");
}

#[test]
fn a_verdict_does_not_depend_on_how_the_input_is_cut() {
    for row in table("qemu-vfio/acceptance.tsv")
        .iter()
        .filter(|row| row["file"].contains("chunk") || row["target"].contains("exchanged"))
    {
        for standard in [Standard::Strict, Standard::Qemu] {
            let whole = of_row(row, standard, || usize::MAX);
            assert_eq!(of_row(row, standard, || 1), whole, "{} {standard:?}", row["file"]);
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_truncated_wherever_it_is_cut() {
    let input = capture("qemu-vfio/pc-mtty1.stream");
    let end = end_of_sections(&input);
    let mut numbers = walk::Numbers(3);
    let near = (0..300).chain(14_000..14_140).chain(end - 3..end + 8);
    let cuts: Vec<usize> = near.chain((0..200).map(|_| at(numbers.below(input.len() as u64)))).collect();
    for cut in cuts {
        let mut migration =
            Migration::new(VENDORS, Some(one(1)), Machine::default(), options(Standard::Strict, true)).unwrap();
        let seen = judge(&mut migration, &[&input[..cut]], || usize::MAX);
        // Behind its last section a stream is whole but for the description, which need not be there.
        let expected = if cut == end + 1 { Outcome::Compatible } else { Outcome::Truncated };
        assert_eq!((seen.outcome, seen.complete), (expected, cut == end + 1), "{cut}: {seen:?}");
        let (passed, stopped) = gate(&input[..cut], one(1), Machine::default(), || usize::MAX);
        assert!(passed.passed <= cut && stopped == (cut != end + 1), "{cut}: {passed:?}");
    }
}

/// The channels of a capture.
fn channels(name: &str) -> Vec<Vec<u8>> {
    (0..3).map(|number| capture(&format!("qemu-vfio/{name}.channel{number}.to-destination.bin"))).collect()
}

fn judge_channels(channels: &[&[u8]], standard: Standard) -> (Seen, Vec<(u32, u64)>) {
    let mut migration = Migration::new(VENDORS, Some(one(2)), Machine::default(), options(standard, true)).unwrap();
    let seen = judge(&mut migration, channels, || 1000);
    let places = migration.devices().flat_map(|device| {
        let verdict = device.verdict();
        let spans: Vec<_> = verdict.reasons().iter().filter_map(|reason| reason.span).collect();
        spans.into_iter().map(|span| (span.channel, span.offset))
    });
    (seen, places.collect())
}

#[test]
fn state_in_packets_is_read_in_the_order_of_the_indexes() {
    for name in ["pc-mtty2-multifd-devstate", "pc-mtty2-multifd-plain"] {
        let channels = channels(name);
        let all: Vec<&[u8]> = channels.iter().map(Vec::as_slice).collect();
        for standard in [Standard::Strict, Standard::Qemu] {
            let (seen, _) = judge_channels(&all, standard);
            assert_eq!((seen.outcome, seen.complete), (Outcome::Compatible, true), "{name}: {seen:?}");
            assert_eq!(seen.data[0].len(), 96, "{name}");
            let (swapped, _) = judge_channels(&[all[0], all[2], all[1]], standard);
            assert_eq!((swapped.outcome, &swapped.data), (Outcome::Compatible, &seen.data), "{name}");
        }
        if name.ends_with("devstate") {
            // A channel that is not given takes its packets along.
            let (lost, _) = judge_channels(&all[..2], Standard::Strict);
            assert_eq!(lost.outcome, Outcome::Truncated);
            assert!(lost.reasons().iter().any(|reason| reason.starts_with("qemu.device-no-config@")), "{lost:?}");
            let (lost, _) = judge_channels(&[all[0]], Standard::Qemu);
            assert!(lost.reasons().contains("qemu.stale@-"), "{lost:?}");
            // What the vendor finds in a packet is placed in its channel: the first port's tail.
            let mut damaged = channels[1].clone();
            let tail = 11_104 + 25;
            damaged[tail] = 99;
            let (seen, places) = judge_channels(&[all[0], &damaged, all[2]], Standard::Strict);
            assert_eq!(seen.outcome, Outcome::Corrupt);
            assert!(places.contains(&(1, tail as u64)), "{places:?} {seen:?}");
        }
    }
}

#[test]
fn libvirts_header_is_passed_over() {
    let stream = capture("qemu-vfio/pc-mtty1.stream");
    let image = |magic: &[u8], format: u32| {
        let mut image = magic.to_vec();
        for number in [2_u32, 200, 1, format, 0] {
            image.extend_from_slice(&number.to_le_bytes());
        }
        image.resize(92, 0);
        image.extend_from_slice(b"<domain/>");
        image.resize(92 + 200, 0);
        image.extend_from_slice(&stream);
        image
    };
    let good = image(b"LibvirtQemudSave", 0);
    let of = |input: &[u8], cut: usize| gate(input, one(1), Machine::default(), || cut);
    let (seen, _) = of(&good, usize::MAX);
    assert_eq!((seen.outcome, seen.complete, seen.passed), (Outcome::Compatible, true, good.len()), "{seen:?}");
    assert_eq!(of(&good, 1).0, seen);
    let refused = |input: &[u8]| {
        let (seen, stopped) = of(input, 50);
        assert!(stopped);
        seen.reasons().into_iter().next().unwrap()
    };
    assert_eq!(refused(&image(b"LibvirtQemudPart", 0)), "libvirt.unfinished@0");
    assert_eq!(refused(&image(b"LibvirtQemudSave", 5)), "libvirt.compressed@28");
    assert_eq!(refused(&good[..50]), "libvirt.truncated@50");
    assert_eq!(refused(&good[..250]), "libvirt.truncated@250");
    // Offsets are those of the file.
    let (seen, _) = gate(&good, one(2), Machine::default(), || usize::MAX);
    assert!(seen.reasons().contains(&format!(".not-equal@{}", 234 + 292)), "{seen:?}");
}

#[test]
fn pages_of_mapped_ram_are_passed_over() {
    let input = capture("qemu-vfio/pc-mtty1-mapped-ram.file.xz");
    let mut migration =
        Migration::new(VENDORS, Some(one(1)), Machine::default(), options(Standard::Strict, true)).unwrap();
    let (mut start, mut end, mut read) = (0, 0, 0);
    loop {
        let step = migration.step(&input[start..end], end == input.len(), &mut |_| {});
        start += step.used;
        read += step.used;
        match step.next {
            Next::Need(need) => end = (start + need.max(4096)).min(input.len()),
            Next::Skip(count) => {
                migration.skip(count);
                start += at(count);
                end = end.max(start);
            }
            Next::Over => break,
        }
    }
    migration.finish(&mut |_| {});
    assert_eq!((migration.outcome(), migration.is_complete()), (Outcome::Compatible, true));
    assert_eq!(migration.examined(), input.len() as u64);
    assert!(read < input.len() / 2, "{read} of {}", input.len());
}

#[test]
fn targets_that_do_not_go_together_are_refused() {
    let of =
        |device: Option<&str>| DeviceTarget { device: device.map(|name| name.as_bytes().to_vec()), target: target(1) };
    let make = |targets: Option<Vec<DeviceTarget>>, standard| {
        Migration::new(VENDORS, targets, Machine::default(), options(standard, true)).err()
    };
    let twice = vec![of(Some("0000:00:04.0")), of(Some("0000:00:04.0/vfio"))];
    assert_eq!(make(Some(twice), Standard::Strict), Some(TargetError::Twice(b"0000:00:04.0/vfio".to_vec())));
    assert_eq!(make(Some(vec![of(None), of(None)]), Standard::Strict), Some(TargetError::Ambiguous("mtty")));
    assert_eq!(make(Some(vec![of(None), of(None)]), Standard::Qemu), Some(TargetError::Unnamed));
    assert_eq!(make(None, Standard::Qemu), Some(TargetError::NoTargets));
    assert_eq!(make(None, Standard::Strict), None);
    assert_eq!(make(Some(vec![of(None); 257]), Standard::Strict), Some(TargetError::TooMany));
    for error in [TargetError::TooMany, TargetError::Unnamed, TargetError::Driver("mtty".into(), "nr_ports")] {
        assert!(!error.to_string().is_empty());
    }
}

/// A target of another vendor than the captures' devices.
fn other_vendor() -> DeviceTarget {
    use transire_core::attribute::{PCI_ID, PciId, Text, VENDOR, Value};
    let mut builder = transire_core::profile::ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(Text::constant("qat")).to_owned());
    builder.set(PCI_ID, &Value::PciId(PciId { vendor: 0x8086, device: 0x4941 }).to_owned());
    let profile = builder.build(&|vendor| VENDORS.dictionary(vendor)).unwrap();
    let rules = VENDORS.vendor("qat").unwrap().rules;
    let target = transire_core::target::Target::new(profile, rules).unwrap();
    DeviceTarget { device: None, target: std::sync::Arc::new(target) }
}

#[test]
fn a_target_without_a_name_is_for_the_devices_of_its_vendor() {
    let input = capture("qemu-vfio/pc-two-devices.stream");
    let seen = |targets: Vec<DeviceTarget>, cut| {
        let mut migration =
            Migration::new(VENDORS, Some(targets), Machine::default(), options(Standard::Strict, true)).unwrap();
        judge(&mut migration, &[&input], || cut)
    };
    let outcomes = |seen: &Seen| seen.devices.iter().map(|(_, verdict, _)| verdict.outcome()).collect::<Vec<_>>();
    // One target without a name: for both devices.
    assert_eq!(outcomes(&seen(one(1), usize::MAX)), [Outcome::Compatible, Outcome::Incompatible]);
    // Two of different vendors: the bytes tell, however few come at a time.
    for cut in [1, usize::MAX] {
        let targets = vec![other_vendor(), one(1).remove(0)];
        assert_eq!(outcomes(&seen(targets, cut)), [Outcome::Compatible, Outcome::Incompatible]);
    }
    // A name goes before.
    let mut targets = by_place(&[1, 2]);
    targets.truncate(1);
    targets.push(one(2).remove(0));
    assert_eq!(outcomes(&seen(targets, usize::MAX)), [Outcome::Compatible, Outcome::Compatible]);
    // A device that no target is for is said; so is a target without a device.
    let mut targets = by_place(&[1, 2]);
    targets.truncate(1);
    let unexpected = seen(targets, usize::MAX);
    assert_eq!(outcomes(&unexpected), [Outcome::Compatible, Outcome::Incompatible]);
    assert!(unexpected.reasons().contains("qemu.device-unexpected@163"), "{unexpected:?}");
}

#[test]
fn every_capture_reads_without_a_target() {
    let mut count = 0;
    for name in captures() {
        if name.contains("to-source") || name.contains(".rev.") {
            continue;
        }
        let input = capture(&name);
        let start = input.iter().position(|&byte| byte != 0).unwrap();
        let (likeness, _) = transire_core::containers::Container::recognise(&input[start..]);
        assert_eq!(likeness, Likeness::Certain, "{name}");
        let options = Options { offset: start as u64, ..options(Standard::Strict, true) };
        let mut migration = Migration::new(VENDORS, None, Machine::default(), options).unwrap();
        let seen = judge(&mut migration, &[&input[start..]], || usize::MAX);
        // What a device has on other channels is not there.
        let multifd = name.contains("multifd") && !seen.devices.is_empty();
        assert!(seen.outcome == Outcome::Compatible || multifd, "{name}: {seen:?}");
        assert_eq!(seen.container.outcome(), Outcome::Compatible, "{name}");
        assert_eq!(start + seen.passed, input.len(), "{name}");
        count += 1;
    }
    say(&format!("{count} captures read"));
    assert_eq!(count, 36);
}
