//! What is allocated, and when: nothing between the construction of a gate and the end of a good stream, and never more
//! than the limits say, whatever comes in.
#![allow(unsafe_code)] // An allocator that counts is one.

#[path = "support/examples.rs"]
mod listed;
#[path = "qemu/made.rs"]
mod made;
mod support;

#[path = "support/counting.rs"]
mod counting;

use std::sync::Arc;

use counting::measured;
use support::{Numbers, fixture, profile, seal, target};
use transire_core::attribute::{
    AGGREGATION, Attributes, CAPACITY, DEVICE_API, DRIVER, DRIVER_BUILD, DRIVER_VERSION, MDEV_TYPE, OBSERVED_AT,
    PCI_ID, PciId, REVISION, Ratio, SOFTWARE_VERSION, SUBSYSTEM_ID, Text, Value, Version,
};
use transire_core::checksum::crc32c;
use transire_core::early::{Early, judge_first};
use transire_core::format::Phase::{Initial, StopCopy, Unspecified};
use transire_core::format::{Choices, Identified};
use transire_core::gate::{Gate, Input, Options, Output, PushGate};
use transire_core::judge::judge;
use transire_core::profile::{Profile, ProfileBuilder};
use transire_core::prologue::{HEADER_MAX, PROLOGUE_LEN};
use transire_core::sealed::{self, AnswerStage, Digest, FRAME_HEAD, FRAME_MAX, FrameHead, SealOptions, SealedWriter};
use transire_core::target::Target;
use transire_core::vendors::VENDORS;
use transire_core::vendors::mtty::stream::FORMAT;
use transire_core::verdict::{Outcome, Verdict};

/// A profile of twelve attributes besides the vendor and its ports.
fn talkative() -> Profile {
    let text = |text| Value::Text(Text::constant(text));
    let of_two_ports = profile(2);
    let mut builder = ProfileBuilder::new();
    for attribute in of_two_ports.header().attributes() {
        builder.set_raw(attribute.id, attribute.type_code, attribute.bytes);
    }
    let attributes = [
        (DEVICE_API, text("vfio-pci")),
        (PCI_ID, Value::PciId(PciId { vendor: 0x4348, device: 0x3253 })),
        (SUBSYSTEM_ID, Value::PciId(PciId { vendor: 0x4348, device: 0x3253 })),
        (REVISION, Value::Uint(16)),
        (DRIVER, text("mtty")),
        (DRIVER_VERSION, Value::Version(Version { major: 6, minor: 12, patch: 95 })),
        (MDEV_TYPE, text("mtty-2")),
        (AGGREGATION, Value::Uint(1)),
        (CAPACITY, Value::Ratio(Ratio::new(1, 12).unwrap())),
        (SOFTWARE_VERSION, Value::Version(Version { major: 1, minor: 0, patch: 0 })),
        (DRIVER_BUILD, text("6.12.95")),
        (OBSERVED_AT, Value::Unknown),
    ];
    for (id, value) in attributes {
        assert!(builder.set(id, &value.to_owned()));
    }
    builder.build(&|vendor| VENDORS.dictionary(vendor)).unwrap()
}

#[test]
fn the_early_verdict_allocates_nothing() {
    let target = target(2);
    let native = fixture("mtty2-both-ports.bin");
    let sealed = seal(&talkative(), "mtty", Digest::Blake3, &[(Unspecified, &native)]);
    let ((identified, verdict), calls, _) = measured(|| {
        let mut verdict = Verdict::new();
        let mut show = |source: &dyn Attributes| judge(source, &target, None, &mut verdict);
        ((FORMAT.identify)(&native[..24], false, Choices::NONE, &mut show), verdict)
    });
    assert_eq!((identified, verdict.outcome(), calls), (Identified::Shown(24), Outcome::Compatible, 0));

    let ((identified, verdict), calls, _) = measured(|| {
        let (mut verdict, mut notes) = (Verdict::new(), Verdict::new());
        let identified = sealed::identify(&sealed, false, VENDORS, &mut notes, &mut |header, _| {
            judge(header, &target, None, &mut verdict);
        });
        (identified, verdict)
    });
    assert!(matches!(identified, Identified::Shown(_)));
    assert_eq!((verdict, calls), (Verdict::new(), 0));
}

/// Every good example of every format, from the first bytes and through a gate.
#[test]
fn no_format_allocates() {
    let mut formats = std::collections::BTreeSet::new();
    for example in listed::examples() {
        let Some(target) = example.target.filter(|_| example.outcome == "compatible") else { continue };
        let name = format!("{}/{}", example.vendor, example.file);
        let forced = match example.options.input {
            Input::Format(format, choices) => Some((format, choices)),
            _ => None,
        };
        let mut verdict = Verdict::with_room();
        let (early, calls, _) = measured(|| {
            let prefix = (&example.input[..], true);
            judge_first(VENDORS, Some(&target), forced, prefix, None, &mut verdict, &mut |_| {})
        });
        assert!(matches!(early, Early::Judged { .. }), "{name}: {early:?}");
        assert_eq!(calls, 0, "{name}: the early verdict");

        let mut gate = Gate::new(VENDORS, Some(target.clone()), example.options.clone());
        let (delivered, calls, _) = measured(|| {
            let (mut at, mut delivered) = (0, 0);
            loop {
                let step = gate.step(&example.input[at..], true);
                at += step.used;
                match step.event {
                    Output::Deliver(bytes) => delivered += bytes.len(),
                    Output::Finished => return delivered,
                    _ => {}
                }
            }
        });
        assert_eq!((delivered, calls), (example.input.len(), 0), "{name}: the gate");
        formats.extend(gate.format());
    }
    println!("{formats:?}");
    assert!(formats.len() >= 8);
}

#[test]
fn a_gate_allocates_nothing_once_it_stands() {
    let target = target(2);
    let native = fixture("mtty2-both-ports.bin");
    let parts = [(Initial, &native[..24]), (StopCopy, &native[24..])];
    let streams = [
        ("native", native.clone()),
        ("sealed mtty", seal(&talkative(), "mtty", Digest::Blake3, &parts)),
        ("sealed mtty, no digest", seal(&profile(2), "mtty", Digest::None, &parts)),
        ("sealed opaque", seal(&talkative(), "opaque", Digest::Blake3, &parts)),
    ];
    let mut cuts = 0;
    for (name, stream) in &streams {
        let mut gate = Gate::new(VENDORS, Some(target.clone()), Options::default());
        let (delivered, calls, _) = measured(|| {
            let (mut at, mut delivered) = (0, 0);
            loop {
                let step = gate.step(&stream[at..], true);
                match step.event {
                    Output::Deliver(bytes) => {
                        assert!(native[delivered..].starts_with(bytes));
                        delivered += bytes.len();
                    }
                    Output::Finished => return delivered,
                    _ => {}
                }
                at += step.used;
            }
        });
        assert_eq!((delivered, calls, gate.is_complete()), (native.len(), 0, true), "{name}, whole");
        for chunk in 1..=stream.len() {
            let mut gate = PushGate::new(Gate::new(VENDORS, Some(target.clone()), Options::default()));
            let (delivered, calls, _) = measured(|| {
                let mut delivered = 0;
                for (at, piece) in stream.chunks(chunk).enumerate() {
                    gate.push(piece, (at + 1) * chunk >= stream.len(), &mut |output| {
                        if let Output::Deliver(bytes) = output {
                            assert!(native[delivered..].starts_with(bytes));
                            delivered += bytes.len();
                        }
                        true
                    });
                }
                delivered
            });
            assert_eq!((delivered, calls, gate.gate().is_complete()), (native.len(), 0, true), "{name} by {chunk}");
            cuts += 1;
        }
    }
    say(&format!("{cuts} cuts without an allocation"));
}

/// An example as it is, and sealed in its own format and as an opaque one: whole, cut before its end, and given up.
fn forms(example: &listed::Example) -> Vec<(Options, Vec<u8>)> {
    let mut gate = Gate::new(VENDORS, example.target.clone(), example.options.clone());
    gate.step(&example.input, true);
    let format = gate.payload_format().map(ToOwned::to_owned);
    let mut forms = vec![(example.options.clone(), example.input.clone())];
    for format in format.iter().map(String::as_str).chain(["opaque"]) {
        let Some(target) = &example.target else { continue };
        let all = &example.input[..];
        let options = SealOptions {
            payload_format: format.into(),
            digest: Digest::Blake3,
            payload_len: None,
            stream_id: [7; 16],
            device_label: None,
        };
        let Ok((mut writer, mut sealed)) = SealedWriter::begin(target.profile(), &options) else { continue };
        for piece in all.chunks(FRAME_MAX as usize / 7) {
            sealed.extend_from_slice(&writer.data(Unspecified, piece).unwrap());
            sealed.extend_from_slice(piece);
        }
        let cut = sealed.clone();
        sealed.extend_from_slice(&writer.end().unwrap());
        forms.push((Options::default(), sealed));
        forms.push((Options::default(), cut.clone()));
        let (mut writer, mut aborted) = SealedWriter::begin(target.profile(), &options).unwrap();
        let piece = all.get(..all.len().min(5000)).filter(|piece| !piece.is_empty());
        for piece in piece.into_iter().flat_map(|piece| piece.chunks(17)) {
            aborted.extend_from_slice(&writer.data(StopCopy, piece).unwrap());
            aborted.extend_from_slice(piece);
        }
        aborted.extend_from_slice(&writer.abort(&"gives up ".repeat(100)).unwrap());
        forms.push((Options::default(), aborted));
    }
    forms
}

/// The longest header, and headers that are refused: what is kept of them to be answered takes no more.
fn headers() -> [Vec<u8>; 3] {
    let of_stream = seal(&profile(2), "opaque", Digest::None, &[(Unspecified, b"x")]);
    let (length, _) =
        of_stream[8..].split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length), rest)).unwrap();
    let header = &of_stream[PROLOGUE_LEN..PROLOGUE_LEN + length as usize];
    let mut long = header.to_vec();
    let rest = u32::try_from(HEADER_MAX as usize - header.len() - 8).unwrap();
    long.extend(attribute(0x7fff, 0, rest, &vec![0; rest as usize]));
    let critical = [header, &attribute(0xffff, 0, 0, &[])].concat();
    let (mut unknown, at) = (header.to_vec(), header.windows(4).position(|window| window == b"mtty").unwrap());
    unknown[at..at + 4].copy_from_slice(b"nobo");
    [long, critical, unknown]
}

/// Every example of every format, good and bad, as it is and sealed, whole and in pieces: a gate before a target of its
/// vendor allocates nothing once it stands and has made room for the input, any other nothing from its early verdict on, and
/// what the target says back allocates nothing at all.
#[test]
fn a_gate_that_has_reserved_allocates_nothing() {
    let foreign = target(2);
    let (mut streams, mut judged, mut answers, mut most) = (0, 0, 0, 0);
    let mut see =
        |name: &str, stream: &[u8], target: Option<Arc<Target>>, options: &Options, own: bool, chunk: usize| {
            let mut gate = Gate::new(VENDORS, target, options.clone());
            gate.reserve().unwrap();
            let (mut start, mut end, mut before) = (0, chunk.min(stream.len()), 0);
            let mut at_verdict = None;
            loop {
                gate.reserve_for(&stream[start..end]).unwrap();
                let ((used, need, verdict, finished), calls, peak) = measured(|| {
                    let step = gate.step(&stream[start..end], end == stream.len());
                    let (need, verdict) =
                        (matches!(step.event, Output::Need(_)), matches!(step.event, Output::Verdict));
                    (step.used, need, verdict, matches!(step.event, Output::Finished))
                });
                let behind = at_verdict.is_some();
                assert!(calls == 0 || !(own || behind), "{name}: {calls} at {start}, behind the verdict: {behind}");
                most = most.max(peak);
                before += calls;
                start += used;
                if verdict {
                    at_verdict.get_or_insert(before);
                }
                if verdict || finished {
                    for stage in AnswerStage::ALL {
                        let (length, calls, _) = measured(|| gate.write_answer(stage, usize::MAX, &mut |_| {}));
                        assert_eq!(calls, 0, "{name}: {length:?}");
                        assert_eq!(length, gate.answer(stage).map(|answer| answer.to_bytes().len()), "{name}");
                        answers += usize::from(length.is_some());
                    }
                }
                if need {
                    end = (end + chunk).min(stream.len());
                }
                if finished {
                    break;
                }
            }
            streams += 1;
            judged += usize::from(at_verdict.is_some());
        };
    for example in listed::examples() {
        let name = format!("{}/{}", example.vendor, example.file);
        let own = example.target.as_ref().is_some_and(|target| target.vendor() == example.vendor);
        for (options, stream) in forms(&example) {
            let reading_on = Options { read_on: true, ..options.clone() };
            for chunk in [stream.len().max(1), 4096, 61] {
                if stream.len() / chunk > 400 {
                    continue;
                }
                see(&name, &stream, example.target.clone(), &options, own, chunk);
                see(&name, &stream, example.target.clone(), &reading_on, own, chunk);
                see(&name, &stream, None, &options, false, chunk);
                see(&name, &stream, Some(foreign.clone()), &reading_on, example.vendor == "mtty", chunk);
            }
        }
    }
    for header in headers() {
        let (stream, _) = envelope(&header, u32::try_from(header.len()).unwrap());
        for chunk in [stream.len(), 1000] {
            see("a header", &stream, Some(foreign.clone()), &Options::default(), true, chunk);
        }
    }
    say(&format!(
        "{streams} streams and {answers} answers, {judged} judged; {most} bytes at the most before a verdict"
    ));
    // What `Gate::reserve_for` looks for.
    assert!(most <= 80 << 10);
    assert!(streams > 5000 && judged > 3000 && answers > 5000);
}

/// The header, one frame, what the format holds, and what the gate is made of.
const MOST: usize = PROLOGUE_LEN + HEADER_MAX as usize + FRAME_HEAD + FRAME_MAX as usize + FORMAT.hold.bytes() as usize;
/// A gate and its readers, the room that they begin with, and the reasons and notes of a verdict.
const CONSTANT: usize = 48 << 10;

/// Pushes the input through and says how much was held at the most, the gate included.
fn peak(input: &[u8], chunk: usize) -> usize {
    let target = target(2);
    let ((), _, peak) = measured(|| {
        let options = Options { read_on: true, ..Options::default() };
        let mut gate = PushGate::new(Gate::new(VENDORS, Some(target), options));
        for (at, piece) in input.chunks(chunk).enumerate() {
            gate.push(piece, (at + 1) * chunk >= input.len(), &mut |_| true);
        }
    });
    peak
}

/// Prologue and header whose checksums are right, and the prologue's checksum.
fn envelope(header: &[u8], header_len: u32) -> (Vec<u8>, u32) {
    let mut bytes = b"TRANSIRE".to_vec();
    bytes.extend_from_slice(&header_len.to_le_bytes());
    bytes.extend_from_slice(&crc32c(header).to_le_bytes());
    bytes.extend_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    let crc = crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(header);
    (bytes, crc)
}

fn attribute(id: u16, type_code: u8, length: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[type_code, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(value);
    bytes
}

fn head(kind: u8, len: u32, seq: u32, payload: &[u8], prologue_crc: u32) -> Vec<u8> {
    let mut head = FrameHead { kind, phase: 4, head_check: 0, len, seq, crc: 0 };
    head.head_check = head.computed_check(prologue_crc);
    head.crc = head.computed_crc(prologue_crc, payload);
    [&head.write()[..], payload].concat()
}

#[test]
fn no_length_is_trusted() {
    let good: Vec<u8> = [
        attribute(0x8001, 3, 4, b"mtty"),
        attribute(0x80e0, 3, 6, b"opaque"),
        attribute(0x80e1, 2, 8, &2_u64.to_le_bytes()),
        attribute(0x80e3, 4, 16, &[7; 16]),
        attribute(0x8100, 2, 8, &2_u64.to_le_bytes()),
    ]
    .concat();
    let mut hostile: Vec<(String, Vec<u8>, usize)> = Vec::new();
    let tail = vec![0xa5; 4096];
    for length in [0, 65_537, 1 << 31, u32::MAX] {
        let (bytes, _) = envelope(&good, length);
        hostile.push((format!("a header of {length}"), [bytes, tail.clone()].concat(), 0));
    }
    for length in [5, 65_536, 1 << 31, u32::MAX] {
        let header = [&good[..], &attribute(0xf000, 3, length, b"abc")].concat();
        let (bytes, _) = envelope(&header, u32::try_from(header.len()).unwrap());
        hostile.push((format!("an attribute of {length}"), [bytes, tail.clone()].concat(), 0));
    }
    let (bytes, crc) = envelope(&good, u32::try_from(good.len()).unwrap());
    for kind in [1, 2, 3, 0x80, 0xff] {
        for length in [1025, FRAME_MAX + 1, 1 << 31, u32::MAX] {
            let frame = head(kind, length, 0, &[], crc);
            // A frame that is announced and allowed gets the room of what has come.
            hostile.push((format!("kind {kind} of {length}"), [&bytes[..], &frame, &tail].concat(), 2 * tail.len()));
        }
    }
    let frame = head(1, FRAME_MAX, 0, &[], crc);
    hostile.push(("a frame that does not come".into(), [&bytes[..], &frame, &tail].concat(), 2 * tail.len()));
    for (what, bytes, room) in &hostile {
        for chunk in [1, 100, bytes.len()] {
            let peak = peak(bytes, chunk);
            assert!(peak <= CONSTANT + room, "{what}, by {chunk}: {peak}");
        }
    }

    // The most that may be held: the longest header, unknown attributes all over, the longest frames, thousands of notes.
    let mut header = good.clone();
    let mut number = 0x7000;
    while number < 0x7fff && header.len() + 16 <= HEADER_MAX as usize {
        header.extend(attribute(number, 0, 0, &[]));
        number += 1;
    }
    let rest = HEADER_MAX as usize - header.len() - 8;
    header.extend(attribute(0x7fff, 0, u32::try_from(rest).unwrap(), &vec![0; rest]));
    let (mut bytes, crc) = envelope(&header, HEADER_MAX);
    let payload = vec![7; FRAME_MAX as usize];
    bytes.extend(head(1, FRAME_MAX, 0, &payload, crc));
    for seq in 1..5000 {
        bytes.extend(head(0x80, 0, seq, &[], crc));
    }
    bytes.extend(head(0x80, FRAME_MAX, 5000, &payload, crc));
    bytes.extend(head(1, FRAME_MAX, 5001, &payload, crc));
    for chunk in [4096, 65_537, 1 << 19, bytes.len()] {
        let peak = peak(&bytes, chunk);
        say(&format!("{peak} bytes held of {} by {chunk}", bytes.len()));
        assert!(peak <= MOST + HEADER_MAX as usize + CONSTANT, "by {chunk}: {peak}");
    }
}

#[test]
fn random_inputs_stay_within_the_limits() {
    let native = fixture("mtty2-both-ports.bin");
    let parts = [(Initial, &native[..24]), (StopCopy, &native[24..])];
    let seeds = [
        native.clone(),
        seal(&talkative(), "mtty", Digest::Blake3, &parts),
        seal(&profile(2), "opaque", Digest::None, &parts),
    ];
    let mut numbers = Numbers(7);
    for round in 0..3000 {
        let mut bytes = seeds[numbers.below(seeds.len())].clone();
        for _ in 0..numbers.below(6) {
            let at = numbers.below(bytes.len());
            bytes[at] = if numbers.below(2) == 0 { 0xff } else { numbers.byte() };
        }
        if round % 7 == 0 {
            bytes = (0..=numbers.below(600)).map(|_| numbers.byte()).collect();
        }
        // Headers whose prologue is right get further.
        if let Some((prologue, _)) = bytes.split_first_chunk_mut::<PROLOGUE_LEN>() {
            let crc = crc32c(&prologue[..28]);
            prologue[28..].copy_from_slice(&crc.to_le_bytes());
        }
        let chunk = 1 + numbers.below(bytes.len());
        let peak = peak(&bytes, chunk);
        assert!(peak <= CONSTANT + bytes.len(), "round {round}: {peak}");
    }
}

#[test]
fn a_migration_allocates_nothing_for_a_page() {
    use transire_core::gate::migration::{DeviceTarget, Machine, Migration, Next, Options as MigrationOptions};

    // Pages and zero pages in the PART section of RAM, between which nothing else changes.
    let stream = |pages: u64| {
        let device = fixture("mtty1-text.bin");
        let made = made::Made::new(&[]).ram(pages * 2).vfio(1, &made::setup());
        let mut made = made.u8(2).u32(1);
        for page in 0..pages {
            let block = if page == 0 { 0 } else { 0x20 };
            made = made.u64((page * 4096) | 0x08 | block);
            if page == 0 {
                made = made.text("pc.ram");
            }
            made = made.bytes(&[0xa5; 4096]).u64(((pages + page) * 4096) | 0x02 | 0x20).u8(0);
        }
        let made = made.u64(0x10).footer(1).vfio(2, &made::data(&device[..24]));
        made.ram_end().vfio(3, &made::data(&device[24..])).vfio(4, &made::config(256, 0)).end().0
    };
    let cost = |pages: u64| {
        let input = stream(pages);
        let targets = vec![DeviceTarget { device: None, target: target(1) }];
        let run = || {
            let mut migration =
                Migration::new(VENDORS, Some(targets), Machine::default(), MigrationOptions::default()).unwrap();
            let (mut start, mut end) = (0, 0);
            loop {
                let step = migration.step(&input[start..end], end == input.len(), &mut |_| {});
                start += step.used;
                match step.next {
                    Next::Need(need) => end = (start + need).next_multiple_of(65_536).min(input.len()),
                    Next::Skip(_) => {}
                    Next::Over => break,
                }
            }
            migration.finish(&mut |_| {});
            assert!(migration.is_complete(), "{:?}", migration.verdict());
            assert_eq!(start, input.len());
        };
        let ((), calls, most) = measured(run);
        (calls, most)
    };
    let (few, many) = (cost(16), cost(4096));
    say(&format!("16 pages: {few:?}, 4096 pages: {many:?} (calls, bytes)"));
    assert_eq!(few, many);
    assert!(many.1 < 64 << 10);
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
