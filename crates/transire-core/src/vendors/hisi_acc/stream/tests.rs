//! The worked example of the format, and every check beside its boundary.

use alloc::vec::Vec;

use super::*;
use crate::bytes::index;
use crate::format::{Event, Identified, Reader, Record};
use crate::whole::WholeReader;

/// A ZIP function of one queue pair, V2.
fn example() -> [u8; 176] {
    let mut stream = [0; 176];
    let parts: &[(usize, &[u8])] = &[
        (0, &[0xde, 0xde, 0xca, 0xde, 0xed, 0xfe, 0xcc, 0xaa, 1, 0, 0, 0, 0x51, 0xa2]),
        (20, &[16, 0, 0, 0, 0, 0, 0, 0, 1]),
        (68, &[0, 0, 0, 0x20, 1]),
        (96, &[0, 0, 1, 0x20, 1]),
        (144, &[0, 0, 0, 0x20, 1, 0, 0, 0, 0, 0, 1, 0x20, 1, 0, 0, 0]),
        (160, &[0, 0, 2, 0x20, 1, 0, 0, 0, 0, 0, 3, 0x20, 1, 0, 0, 0]),
    ];
    for (at, bytes) in parts {
        stream[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    stream
}

/// The same as V1: its magic, no version, and the addresses of the event queues as its writers got them wrong.
fn example_v1() -> [u8; 176] {
    let mut stream = example();
    stream[..8].copy_from_slice(&MAGIC_V1.to_le_bytes());
    stream[28] = 0;
    stream[144..152].copy_from_slice(&0x2000_0000_0000_0000_u64.to_le_bytes());
    stream[152..160].copy_from_slice(&0x2001_0000_0000_0000_u64.to_le_bytes());
    stream
}

/// Reads a whole input: the reasons, the bytes delivered, whether the end was reached.
fn read(input: &[u8]) -> (Vec<(ReasonId, Option<u64>)>, usize, bool) {
    let mut reader = WholeReader::<Stream>::new(false);
    let (mut reasons, mut delivered) = (Vec::new(), 0);
    loop {
        match reader.step(&input[delivered..], true).event {
            Event::Finding(reason) => {
                reasons.push((reason.id, reason.offset()));
                if !reason.is_note() {
                    return (reasons, delivered, false);
                }
            }
            Event::Data { bytes, .. } => delivered += bytes.len(),
            Event::End => return (reasons, delivered, true),
            Event::Need(_) => panic!("nothing is needed at the end"),
            _ => {}
        }
    }
}

#[test]
fn layouts_have_no_gaps() {
    for (layout, size) in [(&MATCH_V2, MATCH_LEN), (&MATCH_V1, MATCH_LEN), (&STATE, STREAM_MAX as usize - MATCH_LEN)] {
        let mut at = 0;
        for field in layout.fields {
            assert_eq!(index(field.offset), at, "{}.{}", layout.name, field.name);
            at += field.kind.size().unwrap();
        }
        assert_eq!((at, layout.size()), (size, size));
    }
}

#[test]
fn checks_and_their_offsets() {
    type Case = (&'static str, bool, usize, &'static [u8], &'static [(ReasonId, u64)], bool);
    assert_eq!(read(&example()), (Vec::new(), 176, true));
    let old = [(reasons::OLD_ADDRESS, Some(144)), (reasons::OLD_ADDRESS, Some(152))];
    assert_eq!(read(&example_v1()), (old.to_vec(), 176, true));
    // (what, whether V1, offset, new bytes, reasons and their offsets, whether the stream still passes)
    let cases: &[Case] = &[
        ("magic", false, 7, &[0], &[(shared::MAGIC_UNRECOGNIZED, 0)], false),
        ("no queue pair", false, 8, &[0], &[(reasons::QP_NUM, 8)], false),
        ("a device id of 17 bits", false, 14, &[1], &[(reasons::DEV_ID, 12)], false),
        ("state 2", false, 24, &[2], &[(reasons::QM_STATE, 24)], false),
        ("state 1 with a state part", false, 24, &[1], &[(reasons::QM_STATE, 24)], false),
        ("major 2", false, 28, &[2], &[(reasons::VERSION, 28)], false),
        ("major 0", false, 28, &[0], &[(reasons::VERSION, 28)], false),
        ("minor 1", false, 30, &[1], &[(reasons::RESERVED, 30)], true),
        ("first reserved word", false, 35, &[1], &[(reasons::RESERVED, 32)], true),
        ("second reserved word", false, 36, &[1], &[(reasons::RESERVED, 36)], true),
        ("mask 2", false, 40, &[2], &[(reasons::REGISTER, 40)], true),
        ("mask 1", false, 44, &[1], &[], true),
        ("set 1", false, 56, &[1], &[(reasons::REGISTER, 56)], true),
        ("page size 2", false, 60, &[2], &[(reasons::REGISTER, 60)], true),
        ("reserved registers", false, 136, &[1], &[(reasons::RESERVED, 136)], true),
        ("padding", false, 143, &[1], &[(reasons::RESERVED, 140)], true),
        ("low half", false, 68, &[32], &[(reasons::ADDRESS, 144)], false),
        ("high half", false, 100, &[2], &[(reasons::ADDRESS, 152)], false),
        ("the address", false, 151, &[1], &[(reasons::ADDRESS, 144)], false),
        ("31", false, 160, &[31], &[(reasons::ALIGNMENT, 160)], true),
        ("32", false, 160, &[32], &[], true),
        ("no table", false, 168, &[0; 8], &[(reasons::NOT_LOADED, 168)], true),
        ("V1 with a version", true, 30, &[1], &[(reasons::RESERVED, 28)], true),
        ("V1 in neither form", true, 144, &[1], &[(reasons::ADDRESS, 144)], false),
        ("V1 in the right form", true, 144, &[0, 0, 0, 0x20, 1, 0, 0, 0], &[(reasons::OLD_ADDRESS, 152)], true),
    ];
    for (what, is_v1, at, new, expected, passes) in cases {
        let mut stream = if *is_v1 { example_v1() } else { example() };
        stream[*at..at + new.len()].copy_from_slice(new);
        let (found, _, end) = read(&stream);
        let expected: Vec<_> = expected.iter().map(|&(id, at)| (id, Some(at))).collect();
        let found: Vec<_> =
            found.into_iter().filter(|one| expected.contains(one) || !(*is_v1 && old.contains(one))).collect();
        assert_eq!((found, end), (expected, *passes), "{what}");
    }
}

#[test]
fn a_stream_has_40_bytes_or_176() {
    let mut long = [&example()[..], &[0]].concat();
    for length in 0..176 {
        let (found, delivered, end) = read(&long[..length]);
        let expected = match length {
            0..8 => (shared::MAGIC_TRUNCATED, length),
            40 => (reasons::MATCH_ONLY, 40),
            _ => (shared::STREAM_TRUNCATED, length),
        };
        assert_eq!(found, [(expected.0, Some(widen(expected.1)))]);
        assert_eq!((delivered, end), if length == 40 { (40, true) } else { (0, false) });
    }
    assert_eq!(read(&long), ([(shared::STREAM_TRAILING, Some(176))].to_vec(), 0, false));
    long[24] = 1;
    assert_eq!(read(&long[..40]), (Vec::new(), 40, true));
}

#[test]
fn records_are_written_as_they_were_read() {
    for stream in [&example()[..], &example_v1(), &example()[..40]] {
        let mut reader = WholeReader::<Stream>::new(true);
        let (mut out, mut at) = (Vec::new(), 0);
        loop {
            let step = reader.step(&stream[at..], true);
            at += step.used;
            match step.event {
                Event::Record { layout, number, offset, bytes } => {
                    Record::decode(layout, number, offset, bytes).unwrap().encode(&mut out).unwrap();
                }
                Event::End => break,
                _ => {}
            }
        }
        assert_eq!(out, stream);
    }
}

#[test]
fn the_source_is_known_from_40_bytes_and_not_from_fewer() {
    for length in 0..40 {
        let identified = (FORMAT.identify)(&example()[..length], false, Choices::NONE, &mut |_| panic!("{length}"));
        assert_eq!(identified, Identified::Need(40));
    }
    let mut shown = Vec::new();
    let identified = (FORMAT.identify)(&example()[..40], false, Choices::NONE, &mut |source| {
        for id in [PCI_ID, QP_NUM, QUE_ISO_CFG, STREAM_VERSION] {
            shown.extend(source.value(id).map(Value::to_owned));
        }
    });
    let expected =
        [Value::PciId(PciId { vendor: 0x19e5, device: 0xa251 }), Value::Uint(1), Value::Uint(0), Value::Uint(2)];
    assert_eq!((identified, shown), (Identified::Shown(40), expected.map(Value::to_owned).to_vec()));
}
