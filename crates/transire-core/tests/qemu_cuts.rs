//! Migration streams in any cut, cut short at any byte, and damaged: the same answer however the bytes come, and an answer
//! to everything.

#[path = "qemu/walk.rs"]
mod walk;

use transire_core::containers::qemu::assembly::Assembly;
use transire_core::containers::qemu::{Description, Event, QemuReader, reasons};
use transire_core::verdict::reasons as shared;
use walk::{Numbers, Walk, at, capture, captures, reader_of, say, walk, walk_in};

/// A capture that is walked byte by byte in a moment.
const SMALL: usize = 120_000;

#[test]
fn any_cut_of_a_capture_tells_the_same() {
    let mut numbers = Numbers(1);
    let (mut bytewise, mut random) = (0, 0);
    for name in captures() {
        let input = capture(&name);
        let (reader, start) = reader_of(&name, &input);
        let input = &input[start..];
        let whole = walk(&mut reader.clone(), input);
        if input.len() < SMALL {
            assert_eq!(walk_in(&mut reader.clone(), input, || 1, |_, _| {}), whole, "{name}");
            bytewise += 1;
        }
        for bound in [20, 1000, 50_000] {
            if input.len() as u64 / bound > 100_000 {
                continue;
            }
            let cut = walk_in(&mut reader.clone(), input, || at(numbers.below(bound)), |_, _| {});
            assert_eq!(cut, whole, "{name}");
            random += 1;
        }
    }
    say(&format!("{bytewise} captures byte by byte, {random} walks in random cuts"));
    assert!(bytewise >= 15 && random >= 80);
}

#[test]
fn a_description_that_is_known_tells_the_same_in_any_cut() {
    let mut numbers = Numbers(2);
    let input = capture("qemu-vfio/q35-mtty2.stream");
    let description = Description::read(&input[Description::find(&input).unwrap()]).unwrap();
    let reader = QemuReader::main().described_by(description);
    let whole = walk(&mut reader.clone(), &input);
    for bound in [1, 7, 300, 9000] {
        assert_eq!(walk_in(&mut reader.clone(), &input, || at(numbers.below(bound)), |_, _| {}), whole);
    }
}

/// What is said of a stream that ends after each of its bytes.
fn truncations(reader: QemuReader, input: &[u8]) -> Vec<(usize, Event<'static>)> {
    let mut reader = reader;
    let (mut start, mut end) = (0, 0);
    let mut told = Vec::new();
    while end < input.len() {
        // A copy of the walk is told that nothing follows.
        let mut cut = reader.clone();
        let mut from = start;
        let last = loop {
            let step = cut.step(&input[from..end], true);
            from += step.used;
            match step.event {
                Event::Failed(reason) => break Event::Failed(reason),
                Event::End => break Event::End,
                Event::Need(need) => panic!("{need} needed at the end"),
                _ => {}
            }
        };
        told.push((end, last));
        end += 1;
        loop {
            let step = reader.step(&input[start..end], false);
            start += step.used;
            match step.event {
                Event::Need(_) => break,
                Event::Failed(reason) => panic!("{reason:?}"),
                _ => {}
            }
        }
    }
    told
}

#[test]
fn a_stream_that_is_cut_at_any_byte_is_truncated() {
    let names = [
        "qemu-vfio/pc-mtty1.stream",
        "qemu-vfio/pc-mtty2-multifd-devstate.channel0.to-destination.bin",
        "qemu/q72-microvm-bitmaps.bin",
        "qemu/q72-microvm-bitmaps-none.bin",
    ];
    for name in names {
        let input = capture(name);
        let found = Description::find(&input).unwrap();
        let mut ends = Vec::new();
        for (length, event) in truncations(QemuReader::main(), &input) {
            match event {
                Event::Failed(reason) => {
                    assert_eq!(reason.id, if length < 4 { shared::MAGIC_TRUNCATED } else { reasons::TRUNCATED });
                    assert_eq!(reason.offset(), Some(length as u64), "{name}");
                    let transire_core::verdict::Datum::Word(awaited) = reason.required else { panic!("{reason:?}") };
                    assert!(!awaited.is_empty(), "{length} bytes of {name}");
                }
                _ => ends.push(length),
            }
        }
        // Complete for QEMU: all sections are there, and only the description is not.
        assert_eq!(ends, [found.start - 5], "{name}");
    }
    say(&format!("{} streams are truncated at every byte", names.len()));
}

#[test]
fn a_multifd_channel_that_is_cut_in_a_packet_is_truncated() {
    let input = capture("qemu-vfio/pc-mtty2-multifd-devstate.channel1.to-destination.bin");
    let mut ends = Vec::new();
    for (length, event) in truncations(QemuReader::multifd(), &input) {
        match event {
            Event::Failed(reason) => {
                assert_eq!((reason.id, reason.offset()), (reasons::TRUNCATED, Some(length as u64)));
            }
            _ => ends.push(length),
        }
    }
    // Only between packets: the first message of 64 bytes, then each packet.
    let whole = walk(&mut QemuReader::multifd(), &input);
    let starts: Vec<usize> = whole
        .items
        .iter()
        .filter_map(|item| match item {
            transire_core::containers::qemu::Item::Packet(packet) => Some(at(packet.offset)),
            transire_core::containers::qemu::Item::Record(record) => Some(at(record.offset)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, starts);
}

/// What every walk of any input keeps.
fn check(reader: &QemuReader, input: &[u8], walk: &Walk, what: &str) {
    let end = reader.offset();
    for reason in walk.findings.iter().chain(&walk.failed) {
        let Some(span) = reason.span else { continue };
        assert!(span.offset <= end.max(input.len() as u64) + 300, "{what}: {reason:?}");
    }
    match walk.failed {
        None => assert_eq!(walk.used, input.len() as u64, "{what}"),
        Some(reason) => assert!(!reason.is_note(), "{what}"),
    }
}

#[test]
fn damage_never_passes_for_something_else_by_how_it_is_cut() {
    let mut numbers = Numbers(3);
    let sources = ["qemu-vfio/pc-mtty1.stream", "qemu-vfio/pc-mtty2-multifd-devstate.channel1.to-destination.bin"];
    let mut tried = 0;
    for name in sources {
        let good = capture(name);
        let (reader, start) = reader_of(name, &good);
        assert_eq!(start, 0);
        // Sections of devices and heads of records are a small part of a stream: most changes are made there.
        let dense = |numbers: &mut Numbers| {
            let ranges: &[(u64, u64)] = if name.ends_with("stream") {
                &[(0, 260), (14_020, 14_200), (24_100, 24_200), (28_200, 28_500)]
            } else {
                &[(0, 100), (10_800, 11_180)]
            };
            let (from, to) = ranges[at(numbers.below(ranges.len() as u64))];
            at(from + numbers.below(to - from)).min(good.len() - 4)
        };
        for round in 0..400 {
            let mut input = good.clone();
            for _ in 0..=numbers.below(3) {
                let position = if round % 4 == 0 { at(numbers.below(good.len() as u64)) } else { dense(&mut numbers) };
                match numbers.below(4) {
                    0 => input[position] ^= 1 << numbers.below(8),
                    1 => input[position] = u8::try_from(numbers.below(256)).unwrap(),
                    2 => {
                        input.remove(position);
                        input.push(0);
                    }
                    _ => input.insert(position, 0xff),
                }
            }
            let mut whole_reader = reader.clone();
            let mut assembly = Assembly::new();
            let whole =
                walk_in(&mut whole_reader, &input, || usize::MAX, |reader, event| assembly.take(0, reader, &event));
            check(&whole_reader, &input, &whole, name);
            assembly.finish(whole.failed.is_none());
            let cut = walk_in(&mut reader.clone(), &input, || at(numbers.below(700)), |_, _| {});
            assert_eq!(cut, whole, "{name}, round {round}");
            tried += 1;
        }
    }
    say(&format!("{tried} damaged streams tell the same in any cut"));
}

#[test]
fn any_bytes_get_an_answer() {
    let mut numbers = Numbers(4);
    for round in 0..2000 {
        let length = at(numbers.below(400));
        let mut input: Vec<u8> = (0..length).map(|_| u8::try_from(numbers.below(256)).unwrap()).collect();
        if round % 2 == 0 {
            input.splice(0..0, *b"QEVM\0\0\0\x03");
        }
        for reader in [QemuReader::main(), QemuReader::multifd(), QemuReader::return_path()] {
            let whole = walk(&mut reader.clone(), &input);
            let cut = walk_in(&mut reader.clone(), &input, || 1, |_, _| {});
            assert_eq!(cut, whole);
        }
    }
}
