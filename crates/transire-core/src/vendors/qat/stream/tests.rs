//! The worked example of the format, and every check beside its boundary.

extern crate std;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::format::{Event, Identified, Reader, Record};
use crate::whole::WholeReader;

fn section_of(id: &str, children: u32, content: &[u8]) -> Vec<u8> {
    let mut name = [0; 8];
    name[..id.len()].copy_from_slice(id.as_bytes());
    let size = u32::try_from(content.len()).unwrap();
    [&name[..], &size.to_le_bytes(), &children.to_le_bytes(), content].concat()
}

fn block_of(sections: u16, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    let head = [&MAGIC.to_le_bytes()[..], &[1, 0, 0, 0, 16, 0], &sections.to_le_bytes(), &size.to_le_bytes()].concat();
    [&head[..], content].concat()
}

fn limit_of(service: u32, mask: u64, committed: u32, peak: u32) -> Vec<u8> {
    let words = [&service.to_le_bytes()[..], &[0; 4], &mask.to_le_bytes(), &committed.to_le_bytes()].concat();
    [&words[..], &peak.to_le_bytes()].concat()
}

/// A stream with these rate limits, and so many banks; all registers are 0.
fn stream_of(limits: &[u8], banks: u8) -> Vec<u8> {
    let values = [
        section_of("gencap", 0, &[0x67, 0, 0, 0]),
        section_of("svcmap", 0, &[0x49, 0x12]),
        section_of("extdc", 0, &[0; 4]),
    ];
    let general = [section_of("iovinit", 0, &[1]), section_of("compver", 0, &[4]), section_of("sla", 0, limits)];
    let registers = ["visrc", "vimsk", "vispv", "vimpv", "pf2vm", "vm2pf"].map(|id| section_of(id, 0, &[0; 4]));
    let bank = section_of("mregs", 0, &[0; BANK_LEN]);
    let all: Vec<_> = (0..banks).flat_map(|number| section_of(bank_name(number).unwrap(), 1, &bank)).collect();
    let state = [
        section_of("GENER", 3, &general.concat()),
        section_of("MISCBAR", 6, &registers.concat()),
        section_of("ETRBAR", u32::from(banks), &all),
    ];
    let mut stream = block_of(1, &section_of("CONFIG", 3, &values.concat()));
    stream.extend(block_of(3, &state.concat()));
    stream.resize(4096, 0);
    stream
}

fn example() -> Vec<u8> {
    stream_of(&[], 4)
}

/// Reads a whole input: the reasons, the bytes delivered, and the source at the end.
fn read(input: &[u8]) -> (Vec<Reason>, usize, Option<Source>) {
    let mut reader = WholeReader::<Stream>::new(false);
    let (mut reasons, mut delivered) = (Vec::new(), 0);
    loop {
        match reader.step(&input[delivered..], true).event {
            Event::Finding(reason) => {
                let note = reason.is_note();
                reasons.push(reason);
                if !note {
                    return (reasons, delivered, None);
                }
            }
            Event::Data { bytes, .. } => delivered += bytes.len(),
            Event::End => {
                let source = Source::read(input).unwrap();
                return (reasons, delivered, Stream::refined(&source, input));
            }
            Event::Need(_) => panic!("nothing is needed at the end"),
            _ => {}
        }
    }
}

#[test]
fn layouts_have_no_gaps() {
    let sizes = [16, 16, 4, 2, 4, 1, 1, 24, 4, 88, 24, 0, 0];
    for (layout, size) in FORMAT.layouts.iter().zip(sizes) {
        let mut at = 0;
        for field in layout.fields {
            assert_eq!(index(field.offset), at, "{}.{}", layout.name, field.name);
            at += field.kind.size().unwrap_or(0);
        }
        assert_eq!((at, layout.size()), (size, size), "{}", layout.name);
    }
    assert_eq!(RING_AT + 16 * RING_LEN, BANK_LEN);
}

#[test]
fn the_example_is_the_captured_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/qat/facts-example.bin");
    assert!(std::fs::read(path).unwrap() == example());
}

#[test]
fn checks_and_their_offsets() {
    type Case = (&'static str, usize, &'static [u8], ReasonId, u64, bool);
    let (reasons, delivered, source) = read(&example());
    assert_eq!((reasons.len(), delivered, source.is_some()), (0, 4096, true));
    // (what, offset, new bytes, reason and its offset, whether the stream still passes)
    let cases: &[Case] = &[
        ("magic", 3, &[0], shared::MAGIC_UNRECOGNIZED, 0, false),
        ("version 0", 4, &[0], reasons::VERSION, 4, false),
        ("version 2", 4, &[2], reasons::VERSION, 4, false),
        ("preamble of 15 bytes", 8, &[15], reasons::PREAMBLE, 8, false),
        ("no section", 10, &[0], reasons::COUNT, 10, false),
        ("size 73", 12, &[73], reasons::BOUNDS, 24, false),
        ("size 75", 12, &[75], reasons::SIZE, 12, false),
        ("a block that fills the stream", 12, &[0xf0, 0x0f], reasons::SIZE, 12, false),
        ("a block that does more", 12, &[0xf1, 0x0f], reasons::BOUNDS, 12, false),
        ("another name", 21, b"g", reasons::UNKNOWN, 16, false),
        ("a name without an end", 22, b"xx", reasons::UNKNOWN, 16, false),
        ("bytes behind a name", 23, &[1], reasons::PADDING, 23, true),
        ("CONFIG of 57 bytes", 24, &[57], reasons::BOUNDS, 78, false),
        ("CONFIG of 59 bytes", 24, &[59], reasons::BOUNDS, 24, false),
        ("two sections in CONFIG", 28, &[2], reasons::COUNT, 28, false),
        ("four sections in CONFIG", 28, &[4], reasons::COUNT, 28, false),
        ("gencap of 3 bytes", 40, &[3], reasons::SIZE, 40, false),
        ("gencap with sections", 44, &[1], reasons::COUNT, 44, false),
        ("svcmap is extdc", 52, b"extdc\0", reasons::ORDER, 52, false),
        ("no state block", 90, &[0], reasons::PREAMBLE, 90, false),
        ("version 0 of the state block", 94, &[0], reasons::VERSION, 94, false),
        ("state block of no size", 102, &[0, 0], reasons::BOUNDS, 106, false),
        ("state block of a byte more", 102, &[0xbb], reasons::SIZE, 102, false),
        ("initialised 2", 138, &[2], reasons::FLAG_BYTE, 138, false),
        ("not initialised", 138, &[0], shared::ABSENT, 0, true),
        ("a limit that is not there", 164, &[24], reasons::BOUNDS, 164, false),
        ("no bank", 320, &[0], reasons::COUNT, 320, false),
        ("17 banks", 320, &[17], reasons::COUNT, 320, false),
        ("3 banks", 320, &[3], reasons::SIZE, 316, false),
        ("5 banks", 320, &[5], reasons::BOUNDS, 2340, false),
        ("bank 0 is bank 1", 327, b"1", reasons::ORDER, 324, false),
        ("registers of 471 bytes", 348, &[215], reasons::SIZE, 348, false),
        ("ringstat1", 356 + 7, &[1], reasons::PADDING, 363, true),
        ("exception", 356 + 72, &[1], reasons::EXCEPTION, 428, true),
        ("the ring behind the last", 356 + 136, &[1], reasons::PADDING, 492, true),
        ("filler", 2340, &[1], reasons::PADDING, 2340, true),
        ("the last byte", 4095, &[1], reasons::PADDING, 4095, true),
    ];
    for (what, at, new, id, offset, passes) in cases {
        let mut stream = example();
        stream[*at..at + new.len()].copy_from_slice(new);
        let (reasons, _, source) = read(&stream);
        let seen: Vec<_> = reasons.iter().map(|reason| (reason.id, reason.offset())).collect();
        let expected = if *id == shared::ABSENT { Vec::new() } else { [(*id, Some(*offset))].to_vec() };
        assert_eq!((seen, source.is_some()), (expected, *passes), "{what}");
    }
}

#[test]
fn limits_are_checked_one_by_one() {
    type Case = (&'static str, Vec<u8>, Option<(ReasonId, u64)>);
    let good = limit_of(1, 0xf, 100, 200);
    let cases: &[Case] = &[
        ("service 4", limit_of(4, 0xf, 1, 2), Some((reasons::RATE_LIMIT, 196))),
        ("no ring pair", limit_of(0, 0, 1, 2), Some((reasons::RATE_LIMIT, 204))),
        ("the same again", limit_of(1, 0xf, 1, 2), Some((reasons::RATE_LIMIT, 204))),
        ("another service", limit_of(2, 0xf, 1, 2), None),
        ("no rate", limit_of(2, 0xf0, 0, 0), None),
    ];
    for (what, second, expected) in cases {
        let (reasons, ..) = read(&stream_of(&[&good[..], second].concat(), 4));
        let seen = reasons.first().map(|reason| (reason.id, reason.offset().unwrap()));
        assert_eq!(seen, *expected, "{what}");
    }
    let five: Vec<u8> = (0..5).flat_map(|at| limit_of(0, 1 << at, 1, 2)).collect();
    let (reasons, ..) = read(&stream_of(&five, 4));
    assert_eq!((reasons[0].id, reasons[0].offset()), (reasons::SIZE, Some(164)));
}

#[test]
fn the_whole_stream_says_limits_banks_and_protocol() {
    fn said(source: &Source, id: AttributeId) -> (Option<String>, Option<(u64, u32)>) {
        (source.value(id).map(|value| value.to_string()), source.place(id))
    }
    let longest = limit_of(3, u64::MAX, u32::MAX, u32::MAX);
    let limits = [longest, limit_of(0, 0x300, 50, 50), limit_of(2, 0xc00, 10, 1000), limit_of(0, 0x30, 1, 2)].concat();
    let stream = stream_of(&limits, 3);
    let (_, _, source) = read(&stream);
    let source = source.unwrap();
    let map = "{asym 0x30=1/2, asym 0x300=50/50, dc 0xc00=10/1000, \
               decomp 0xffffffffffffffff=4294967295/4294967295}";
    assert_eq!(said(&source, RATE_LIMITS), (Some(map.into()), Some((172, 96))));
    assert_eq!(said(&source, RING_BANKS), (Some("3".into()), Some((320 + 96, 4))));
    assert_eq!(said(&source, PFVF_VERSION), (Some("4".into()), Some((155, 1))));
    assert_eq!(source.absence(RATE_LIMITS), Absence::Unstated);

    let (_, _, source) = read(&example());
    assert_eq!(said(&source.unwrap(), RATE_LIMITS), (Some("{none=none}".into()), Some((172, 0))));
}

#[test]
fn the_source_is_known_from_the_setup_block_and_not_from_less() {
    let stream = example();
    let identify = |length: usize, show: &mut dyn FnMut(&dyn Attributes)| {
        (FORMAT.identify)(&stream[..length], false, Choices::NONE, show)
    };
    for length in 0..90 {
        let need = if length < 16 { 16 } else { 90 };
        assert_eq!(identify(length, &mut |_| panic!("there is none")), Identified::Need(need));
    }
    for length in [90, 91, 4096] {
        let mut shown = None;
        let identified = identify(length, &mut |source| {
            let ids = [CAPABILITIES, SERVICE_MAP, EXTENDED_COMPRESSION, STREAM_VERSION, RATE_LIMITS];
            shown =
                Some(ids.map(|id| {
                    (source.value(id).map(|value| value.to_string()), source.absence(id) == Absence::Awaited)
                }));
        });
        let now = |text: &str| (Some(text.to_string()), false);
        let expected = [now("0x67"), now("4681"), now("0x0"), now("1"), (None, true)];
        assert_eq!((identified, shown), (Identified::Shown(90), Some(expected)));
    }
}

#[test]
fn every_cut_is_truncated_and_a_byte_more_is_trailing() {
    let stream = example();
    for length in 0..stream.len() {
        let (reasons, delivered, _) = read(&stream[..length]);
        let id = if length < 4 { shared::MAGIC_TRUNCATED } else { shared::STREAM_TRUNCATED };
        assert_eq!((reasons[0].id, reasons[0].offset()), (id, Some(widen(length))));
        assert_eq!(delivered, 0);
    }
    let (reasons, delivered, _) = read(&[&stream[..], &[0]].concat());
    assert_eq!((reasons[0].id, reasons[0].offset(), delivered), (shared::STREAM_TRAILING, Some(4096), 0));
}

/// Structures of a stream leave no gap, be it whole, damaged or cut; those of a whole one are written as they were read.
#[test]
fn records_are_written_as_they_were_read() {
    let mut damaged = example();
    damaged[320] = 5;
    let limited = stream_of(&[limit_of(1, 0xf, 100, 200), limit_of(2, 0xf, 1, 2)].concat(), 2);
    for (stream, end, passes) in [(example(), 4096, true), (limited, 4096, true), (damaged, 4096, false)] {
        for cut in [stream.len(), 1000] {
            let mut reader = WholeReader::<Stream>::new(true);
            let (mut out, mut at) = (Vec::new(), 0);
            loop {
                let step = reader.step(&stream[at..cut], true);
                at += step.used;
                match step.event {
                    Event::Record { layout, number, offset, bytes } => {
                        assert_eq!(offset, widen(out.len()));
                        match Record::decode(layout, number, offset, bytes) {
                            Some(record) => record.encode(&mut out).unwrap(),
                            None => out.extend_from_slice(bytes),
                        }
                    }
                    Event::End | Event::Finding(_) => break,
                    _ => {}
                }
            }
            assert!(out == stream[..end.min(cut)]);
            assert_eq!(at == stream.len(), passes && cut == stream.len());
        }
    }
}
