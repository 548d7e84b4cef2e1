//! What a real QEMU did with real and altered streams, against the standard `qemu`; and what `strict` makes of the same.

#[path = "qemu/walk.rs"]
mod walk;

mod support;

use std::collections::HashMap;
use std::fmt::Write;

use support::{target, whole};
use transire_core::containers::qemu::assembly::{Assembly, Device};
use transire_core::containers::qemu::outlook::{Cause, Destination, Machine, Outlook, Slot};
use transire_core::containers::qemu::pci::{ConfigSpace, skips_vendor_specific};
use transire_core::containers::qemu::{Event, Item, QemuReader};
use transire_core::format::{Between, Driver, Errno, Failure, Holds};
use transire_core::gate::Options;
use transire_core::vendors::mtty::driver;
use transire_core::verdict::{Outcome, Reason, Verdict};
use walk::{at, capture, part, path, reader_of, say, table, walk_in};

type Row = HashMap<String, String>;

/// A machine as the table names it: VFIO devices by type and place, and the size of its RAM.
struct Target {
    devices: Vec<(u32, String)>,
    ram: u64,
}

impl Target {
    fn read(text: &str) -> Self {
        let mut devices = Vec::new();
        let words: Vec<&str> = text.split([' ', ',', '(']).collect();
        for pair in words.windows(3) {
            if let [kind @ ("mtty-1" | "mtty-2"), "at", place] = pair {
                devices.push((if *kind == "mtty-1" { 1 } else { 2 }, format!("0000:00:0{place}/vfio")));
            }
        }
        if text.contains("enable-migration=off") {
            devices.clear();
        }
        let ram = if text.contains("8M RAM") { 8 << 20 } else { 4 << 20 };
        Self { devices, ram }
    }

    /// The machine, with everything else that the unaltered stream of the same one has.
    fn machine(&self, row: &Row) -> Machine {
        let unaltered = unaltered(&row["file"]);
        let input = capture(&format!("qemu-vfio/{unaltered}"));
        let (mut reader, start) = reader_of(&unaltered, &input);
        let mut assembly = Assembly::new();
        walk_in(&mut reader, &input[start..], || usize::MAX, |reader, event| assembly.take(0, reader, &event));
        let others = reader.handlers().iter().filter(|handler| handler.device.is_none());
        let space = assembly.devices()[0].config.clone().unwrap().space;
        let slot = |(ports, name): &(u32, String)| Slot {
            name: name.clone().into_bytes(),
            instance: 0,
            driver: Box::new(driver::Device::resuming(*ports)),
            config: Some(space.clone()),
        };
        Machine {
            machine: Some(reader.configuration().machine.clone()),
            mapped_ram: Some(row["target"].contains("mapped-ram")),
            devices: self.devices.iter().map(slot).collect(),
            handlers: Some(others.map(|handler| (handler.name.clone(), handler.instance)).collect()),
            blocks: vec![(b"pc.ram".to_vec(), self.ram)],
            skip_vendor_specific: skips_vendor_specific(&reader.configuration().machine).unwrap(),
        }
    }
}

/// The capture that a row's file is, or was made of.
fn unaltered(file: &str) -> String {
    file.strip_prefix("mutated/").map_or(file.to_owned(), |name| format!("{}.stream", name.split('.').next().unwrap()))
}

fn outlook(row: &Row, mut cuts: impl FnMut() -> usize) -> Outlook {
    let input = capture(&format!("qemu-vfio/{}", row["file"]));
    let (mut reader, start) = reader_of(&row["file"], &input);
    let mut destination = Destination::new(Target::read(&row["target"]).machine(row));
    walk_in(&mut reader, &input[start..], &mut cuts, |reader, event| destination.take(reader, &event));
    destination.finish()
}

/// The message that QEMU prints for a cause, as far as the table has it.
/// A driver that refuses every write.
struct Refusing(Errno);

impl Driver for Refusing {
    fn write(&mut self, _: &[u8]) -> Result<(), Failure> {
        Err(self.0.into())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn holds(&self) -> Holds {
        Holds::Previous
    }

    fn again(&mut self, _: Between) {}
}

#[test]
fn qemu_names_the_error_of_the_driver_as_the_c_library_does() {
    // Of Linux on x86 and Arm.
    let number = |errno: Errno| match errno.name() {
        "ENOENT" => 2,
        "EIO" => 5,
        "ENXIO" => 6,
        "ENOMEM" => 12,
        "EFAULT" => 14,
        "EBUSY" => 16,
        "ENODEV" => 19,
        "EINVAL" => 22,
        "ENODATA" => 61,
        "EOPNOTSUPP" => 95,
        "ENOBUFS" => 105,
        "ETIMEDOUT" => 110,
        "EREMOTEIO" => 121,
        unknown => panic!("{unknown}"),
    };
    let input = capture("qemu-vfio/pc-mtty1.stream");
    for &errno in Errno::ALL {
        let slot =
            Slot { name: b"0000:00:04.0/vfio".into(), instance: 0, driver: Box::new(Refusing(errno)), config: None };
        let mut destination = Destination::new(Machine { devices: vec![slot], ..Machine::default() });
        walk_in(&mut QemuReader::main(), &input, || usize::MAX, |reader, event| destination.take(reader, &event));
        let Outlook::Failed(failure) = destination.finish() else { panic!("{errno:?}") };
        assert_eq!(failure.cause, Cause::Driver { device: 0, errno });
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            let said = std::io::Error::from_raw_os_error(number(errno)).to_string();
            assert_eq!(said, format!("{} (os error {})", failure.cause.error(), number(errno)));
        }
    }
}

fn message(cause: &Cause) -> String {
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    match cause {
        Cause::UnknownHandler { name, instance } => {
            format!("Unknown savevm section or instance '{}' {instance}.", text(name))
        }
        Cause::HandlerVersion { name, found, own } => {
            format!("savevm: unsupported version {found} for '{}' v{own}", text(name))
        }
        Cause::UnboundSection(id) => format!("Unknown savevm section {id}"),
        Cause::Footer { found, required } => format!("read {found:#x} expected {required:#x}"),
        Cause::RamSize { name, found, own } => format!("Size mismatch: {}: {found:#x} != {own:#x}", text(name)),
        Cause::Tag(tag) => format!("Unknown tag {tag:#x}"),
        Cause::ConfigSpace { offset, found, own } => {
            format!("Bad config data: i={offset:#x} read: {found:x} device: {own:x}")
        }
        _ => String::new(),
    }
}

#[test]
fn the_outlook_agrees_with_qemu_row_by_row() {
    let rows = table("qemu-vfio/acceptance.tsv");
    for row in &rows {
        let what = format!("{} into {}", row["file"], row["target"]);
        let outlook = outlook(row, || usize::MAX);
        let target = Target::read(&row["target"]);
        let stale: Vec<usize> = match &outlook {
            Outlook::Failed(failure) => {
                assert_eq!(row["incoming_status"], "failed", "{what}: {outlook:?}");
                let error = format!("load of migration failed: {}", failure.cause.error());
                assert_eq!(row["incoming_error"], error, "{what}");
                assert!(row["messages"].contains(&message(&failure.cause)), "{what}: {failure:?}");
                assert!(failure.offset.is_some(), "{what}");
                assert!(!failure.cause.to_string().is_empty());
                (0..target.devices.len()).collect()
            }
            Outlook::Completed => vec![],
            Outlook::Stale(devices) => {
                assert!(row["messages"].contains("Failed setting device state to RUNNING_P2P"), "{what}");
                devices.clone()
            }
            Outlook::Depends(on) => panic!("{what}: {on}"),
        };
        if !matches!(outlook, Outlook::Failed(_)) {
            assert_eq!(row["incoming_status"], "completed", "{what}");
        }
        let holds = |(at, (ports, _)): (usize, &(u32, String))| {
            format!("mtty-{ports}={}", if stale.contains(&at) { "previous" } else { "stream" })
        };
        let holds: Vec<String> = target.devices.iter().enumerate().map(holds).collect();
        if !row["target"].contains("enable-migration=off") {
            assert_eq!(row["device_then_holds"], holds.join(","), "{what}");
        }
        let outcome = outlook.reason().map_or(Outcome::Compatible, |reason| reason.id.outcome());
        assert_eq!(outcome == Outcome::Compatible, outlook == Outlook::Completed);
    }
    say(&format!("{} rows agree", rows.len()));
    assert_eq!(rows.len(), 42);
}

#[test]
fn the_outlook_does_not_depend_on_how_the_input_is_cut() {
    let mut numbers = walk::Numbers(5);
    for row in table("qemu-vfio/acceptance.tsv").iter().filter(|row| row["file"].ends_with(".stream")) {
        let whole = outlook(row, || usize::MAX);
        assert_eq!(outlook(row, || 1), whole, "{}", row["file"]);
        assert_eq!(outlook(row, || at(numbers.below(5000))), whole, "{}", row["file"]);
    }
}

#[test]
fn destinations_of_several_channels_complete() {
    for name in ["pc-mtty2-multifd-devstate", "pc-mtty2-multifd-plain"] {
        let channels =
            [0, 1, 2].map(|channel| capture(&format!("qemu-vfio/{name}.channel{channel}.to-destination.bin")));
        for lost in [false, true] {
            let slot = Slot {
                name: b"0000:00:04.0/vfio".to_vec(),
                instance: 0,
                driver: Box::new(driver::Device::resuming(2)),
                config: None,
            };
            let mut destination = Destination::new(Machine { devices: vec![slot], ..Machine::default() });
            let mut assembly = Assembly::new();
            let mut reader = QemuReader::main();
            walk_in(
                &mut reader,
                &channels[0],
                || usize::MAX,
                |reader, event| {
                    destination.take(reader, &event);
                    assembly.take(0, reader, &event);
                },
            );
            for (channel, input) in channels.iter().enumerate().skip(1).filter(|_| !lost) {
                let mut reader = QemuReader::multifd();
                walk_in(
                    &mut reader,
                    input,
                    || 1000,
                    |reader, event| assembly.take(u32::try_from(channel).unwrap(), reader, &event),
                );
            }
            assembly.finish(true);
            let device = &assembly.devices()[0];
            for extent in device.extents().filter(|extent| extent.channel > 0) {
                let input = &channels[at(extent.channel)];
                destination.packet(&device.name, 0, part(input, extent.offset, extent.length));
            }
            if let Some(config) = device.config.as_ref().filter(|config| config.channel > 0) {
                destination.packet_config(&device.name, 0, &config.space);
            }
            let expected =
                if lost && name.ends_with("devstate") { Outlook::Stale(vec![0]) } else { Outlook::Completed };
            assert_eq!(destination.finish(), expected, "{name}, lost: {lost}");
            let missing: Vec<_> = assembly.findings().iter().map(|finding| finding.reason.id.text()).collect();
            if lost && name.ends_with("devstate") {
                assert_eq!(missing, ["qemu.device-no-stop-copy", "qemu.device-no-config"]);
            } else {
                assert_eq!(missing, [""; 0]);
            }
        }
    }
}

#[test]
fn machine_types_are_compared_over_the_length_that_was_sent() {
    let input = capture("qemu-vfio/pc-mtty1.stream");
    let of = |own: &[u8], mapped_ram| {
        let slot = Slot {
            name: b"0000:00:04.0/vfio".to_vec(),
            instance: 0,
            driver: Box::new(driver::Device::resuming(1)),
            config: None,
        };
        let machine = Machine { machine: Some(own.to_vec()), mapped_ram, devices: vec![slot], ..Machine::default() };
        let mut destination = Destination::new(machine);
        walk_in(&mut QemuReader::main(), &input, || 999, |reader, event| destination.take(reader, &event));
        destination.finish()
    };
    assert_eq!(of(b"pc-i440fx-10.0", None), Outlook::Completed);
    // What was sent is the beginning of this type's name.
    assert_eq!(of(b"pc-i440fx-10.0.1", Some(false)), Outlook::Completed);
    for (own, mapped_ram) in [(&b"pc-q35-10.0"[..], None), (b"pc-i440fx-10", None), (b"pc-i440fx-10.0", Some(true))] {
        let Outlook::Failed(failure) = of(own, mapped_ram) else { panic!() };
        assert_eq!((failure.cause, failure.offset), (Cause::Configuration, Some(8)));
    }
}

/// A reason of a vendor or a rule about a device's stream, at its place in the container.
fn in_container(device: &Device, mut reason: Reason) -> Reason {
    if let Some(span) = &mut reason.span {
        let end = || {
            let last = device.extents().last();
            last.map_or(0, |extent| extent.offset + extent.length)
        };
        span.offset = device.locate(span.offset).map_or_else(end, |(_, offset)| offset);
    }
    reason
}

/// The verdict of `strict` on a stream before a machine: what the walk, the assembly and the vendor say together.
fn strict(row: &Row, mut cuts: impl FnMut() -> usize) -> Verdict {
    let input = capture(&format!("qemu-vfio/{}", row["file"]));
    let machine = Target::read(&row["target"]);
    let of_machine = machine.machine(row);
    let (mut reader, start) = reader_of(&row["file"], &input);
    let mut assembly = Assembly::new();
    let mut verdict = Verdict::new();
    let whole_walk = walk_in(&mut reader, &input[start..], &mut cuts, |reader, event| {
        assembly.take(0, reader, &event);
        match event {
            Event::Finding(reason) | Event::Failed(reason) => verdict.push(reason),
            Event::Item(Item::Section(head)) => {
                // A device that the target does not have: the caller's matter, as it knows the targets.
                let handler = &reader.handlers()[at(head.handler)];
                let known = of_machine.devices.iter().any(|slot| slot.name == handler.name);
                if handler.device.is_some() && !known {
                    verdict.push(Reason::at(NO_TARGET, head.offset));
                }
            }
            _ => {}
        }
    });
    for finding in assembly.finish(whole_walk.failed.is_none()) {
        verdict.push(finding.reason);
    }
    for slot in &of_machine.devices {
        verdict = assembly.missing(&slot.name, slot.instance).map_or(verdict.clone(), |reason| {
            let mut verdict = verdict.clone();
            verdict.push(reason);
            verdict
        });
    }
    for device in assembly.devices() {
        let Some(at) = of_machine.devices.iter().position(|slot| slot.name == device.name) else { continue };
        let own = of_machine.devices[at].config.as_deref().unwrap();
        for reason in device.config_differences(ConfigSpace(own), of_machine.skip_vendor_specific) {
            verdict.push(reason);
        }
        let piece =
            |extent: transire_core::containers::qemu::assembly::Extent| part(&input, extent.offset, extent.length);
        let stream: Vec<u8> = device.extents().flat_map(piece).copied().collect();
        let seen = whole(&target(u64::from(machine.devices[at].0)), &Options::default(), &stream);
        for reason in seen.verdict.reasons() {
            verdict.push(in_container(device, *reason));
        }
    }
    verdict
}

/// What a caller says of a device that none of its targets is for.
const NO_TARGET: transire_core::verdict::ReasonId = transire_core::verdict::reasons::FORMAT_NOT_TARGETS;

/// The table that `strict.tsv` holds.
fn strict_table() -> String {
    let mut text = String::from("file\ttarget\toutcome\treasons\n");
    for row in table("qemu-vfio/acceptance.tsv") {
        let verdict = strict(&row, || usize::MAX);
        let reason = |reason: &Reason| {
            let offset = reason.offset().map_or("-".into(), |offset| offset.to_string());
            format!("{}@{offset}", reason.id.text())
        };
        let all: Vec<String> = verdict.reasons().iter().map(reason).collect();
        writeln!(text, "{}\t{}\t{}\t{}", row["file"], row["target"], verdict.outcome(), all.join(" ")).unwrap();
    }
    text
}

#[test]
fn strict_says_what_it_said() {
    let kept = String::from_utf8(capture("qemu-vfio/strict.tsv")).unwrap();
    assert_eq!(strict_table(), kept, "`--ignored` writes the table anew");
}

#[test]
#[ignore = "writes fixtures/qemu-vfio/strict.tsv; read the difference before it is kept"]
fn write_strict() {
    std::fs::write(path("qemu-vfio/strict.tsv"), strict_table()).unwrap();
}

/// Whatever QEMU refuses, and whatever it completes with a device left stale, is refused with a place; and so is what was
/// altered and completes, but for what leaves the same state.
#[test]
fn strict_refuses_wherever_state_would_be_lost_or_wrong() {
    /// Altered streams that carry the same state, or a state that a device can have: a record in two, a byte of padding.
    const SAME: &[&str] = &["chunk1-split-12-12", "dev-pad29"];
    let (mut refused, mut only_here) = (0, 0);
    for row in table("qemu-vfio/acceptance.tsv") {
        let what = format!("{} into {}", row["file"], row["target"]);
        let verdict = strict(&row, || usize::MAX);
        let first = verdict.reasons().iter().find(|reason| !reason.is_note());
        let same = SAME.iter().any(|name| row["file"].contains(name));
        let good = row["incoming_status"] == "completed"
            && row["messages"].is_empty()
            && (same || !row["file"].starts_with("mutated/"));
        // That the machine has less RAM than the guest is no matter of devices.
        if good || row["target"].contains("8M RAM") {
            assert_eq!(verdict.outcome(), Outcome::Compatible, "{what}: {first:?}");
            continue;
        }
        let first = first.unwrap_or_else(|| panic!("{what} passes"));
        let missing = first.id.text() == "qemu.device-missing";
        assert!(missing || first.offset().is_some(), "{what}: {first:?}");
        refused += 1;
        only_here += usize::from(row["incoming_status"] == "completed");
    }
    say(&format!("{refused} rows refused, {only_here} of which QEMU completes"));
    assert!(only_here >= 5);
}

#[test]
fn strict_does_not_depend_on_how_the_input_is_cut() {
    for row in table("qemu-vfio/acceptance.tsv").iter().filter(|row| row["file"].ends_with(".stream")) {
        assert_eq!(strict(row, || 1), strict(row, || usize::MAX), "{}", row["file"]);
    }
}
