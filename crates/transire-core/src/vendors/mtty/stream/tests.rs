//! The worked example of the format, and every check beside its boundary.

use alloc::vec::Vec;

use super::*;
use crate::format::{Event, Identified, Reader, Record};
use crate::whole::WholeReader;

/// One port, "Hi" queued.
const EXAMPLE: [u8; 60] = [
    0x4e, 0x2c, 0x3e, 0x8c, 0x89, 0x09, 0x9d, 0x7e, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, //
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, //
    0x48, 0x69, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, //
    0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x0c, 0x00, 0x01, 0x10, 0x01, 0x00,
];

/// Reads a whole input: the reasons, the bytes delivered, whether the end was reached.
fn read(input: &[u8]) -> (Vec<Reason>, usize, bool) {
    let mut reader = WholeReader::<Stream>::new(false);
    let (mut reasons, mut delivered) = (Vec::new(), 0);
    loop {
        match reader.step(&input[delivered..], true).event {
            Event::Finding(reason) => {
                let note = reason.is_note();
                reasons.push(reason);
                if !note {
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
    for (layout, size) in [(&HEADER, HEADER_LEN), (&PORT, PORT_LEN)] {
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
    type Case = (&'static str, usize, &'static [u8], ReasonId, u64, bool);
    let (reasons, delivered, end) = read(&EXAMPLE);
    assert_eq!((reasons.len(), delivered, end), (0, 60, true));
    // (what, offset, new bytes, reason and its offset, whether the stream still passes)
    let cases: &[Case] = &[
        ("magic", 7, &[0], shared::MAGIC_UNRECOGNIZED, 0, false),
        ("major 2", 8, &[2], reasons::VERSION, 8, false),
        ("minor 1", 12, &[1], reasons::VERSION, 12, false),
        ("no port", 16, &[0], reasons::PORTS, 16, false),
        ("three ports", 16, &[3], reasons::PORTS, 16, false),
        ("a flag", 20, &[1], reasons::FLAGS, 20, false),
        ("two ports in 60 bytes", 16, &[2], shared::STREAM_TRUNCATED, 60, false),
        ("head 16", 48, &[16], reasons::HEAD, 48, false),
        ("tail 16", 49, &[16], reasons::TAIL, 49, false),
        ("count 17", 50, &[17], reasons::COUNT, 50, false),
        ("count 3", 50, &[3], reasons::RING, 50, false),
        ("dlab 2", 51, &[2], reasons::FLAG_BYTE, 51, false),
        ("overrun 255", 52, &[255], reasons::FLAG_BYTE, 52, false),
        ("padding", 53, &[9], reasons::PADDING, 53, true),
        ("size 0", 57, &[0], reasons::FIFO_SIZE, 57, false),
        ("size 255", 57, &[255], reasons::FIFO_SIZE, 57, false),
        ("trigger 2", 58, &[2], reasons::TRIGGER, 58, true),
        ("trailing padding", 59, &[1], reasons::PADDING, 59, true),
    ];
    for (what, at, new, id, offset, passes) in cases {
        let mut stream = EXAMPLE;
        stream[*at..at + new.len()].copy_from_slice(new);
        let (reasons, _, end) = read(&stream);
        let seen: Vec<_> = reasons.iter().map(|reason| (reason.id, reason.offset())).collect();
        assert_eq!((seen, end), ([(*id, Some(*offset))].to_vec(), *passes), "{what}");
    }
    let mut full = EXAMPLE;
    full[48..51].copy_from_slice(&[2, 2, 16]);
    assert!(read(&full).2, "a full ring has head equal to tail");
    full[50] = 0;
    assert!(read(&full).2, "so has an empty one");
}

#[test]
fn every_cut_is_truncated_and_a_byte_more_is_trailing() {
    for length in 0..EXAMPLE.len() {
        let (reasons, delivered, _) = read(&EXAMPLE[..length]);
        let id = if length < 8 { shared::MAGIC_TRUNCATED } else { shared::STREAM_TRUNCATED };
        assert_eq!((reasons[0].id, reasons[0].offset()), (id, Some(widen(length))));
        assert_eq!(delivered, 0);
    }
    let (reasons, delivered, end) = read(&[&EXAMPLE[..], &[0]].concat());
    assert_eq!((reasons[0].id, reasons[0].offset()), (shared::STREAM_TRAILING, Some(60)));
    assert_eq!((delivered, end), (0, false));
}

#[test]
fn records_are_written_as_they_were_read() {
    let mut reader = WholeReader::<Stream>::new(true);
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let step = reader.step(&EXAMPLE[at..], true);
        at += step.used;
        match step.event {
            Event::Record { layout, number, offset, bytes } => {
                let record = Record::decode(layout, number, offset, bytes).unwrap();
                record.encode(&mut out).unwrap();
            }
            Event::End => break,
            _ => {}
        }
    }
    assert_eq!(out, EXAMPLE);
}

#[test]
fn the_source_is_known_from_24_bytes_and_not_from_fewer() {
    let mut shown = None;
    for length in 0..24 {
        assert_eq!(
            (FORMAT.identify)(&EXAMPLE[..length], false, Choices::NONE, &mut |_| shown = Some(0)),
            Identified::Need(24)
        );
    }
    let identified = (FORMAT.identify)(&EXAMPLE[..24], false, Choices::NONE, &mut |source| {
        if let Some(Value::Uint(ports)) = source.value(NR_PORTS) {
            shown = Some(ports);
        }
    });
    assert_eq!((identified, shown), (Identified::Shown(24), Some(1)));
}
