//! The worked example of the proposed stream, and every check beside its boundary.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::format::Record;
use crate::verdict::ReasonId;

/// Card 5, domains 4 and 0xab, CCA, type 14; the same control domains.
fn example() -> Vec<u8> {
    let mut stream = vec![0; 48];
    stream[..4].copy_from_slice(b"vfap");
    (stream[7], stream[11], stream[16], stream[37]) = (1, 2, 8, 0x10);
    for domain in [4, 0xab] {
        stream.extend([0xb2, 0x80, 0, 0, 0x0e, 0, 0, 0, 5, domain, 0, 0, 0, 0, 0, 0]);
    }
    stream
}

/// So many queues, each its own.
fn many(count: u32) -> Vec<u8> {
    let mut stream = example()[..48].to_vec();
    stream[8..12].copy_from_slice(&count.to_be_bytes());
    for queue in 0..count {
        let [_, _, card, domain] = queue.to_be_bytes();
        stream.extend([0x08, 0, 0, 0, 0x0e, 0, 0, 0, card, domain, 0, 0, 0, 0, 0, 0]);
    }
    stream
}

type Read = (Vec<(ReasonId, Option<u64>)>, usize, bool, Option<Source>);

fn read(input: &[u8]) -> Read {
    let mut reader = Box::new(QueueReader::new(false));
    let (mut reasons, mut delivered) = (Vec::new(), 0);
    loop {
        let step = reader.step(&input[delivered..], true);
        delivered += step.used;
        match step.event {
            Event::Finding(reason) => {
                reasons.push((reason.id, reason.offset()));
                if !reason.is_note() {
                    return (reasons, delivered, false, reader.known.then_some(reader.source));
                }
            }
            Event::End => return (reasons, delivered, true, Some(reader.source)),
            Event::Need(_) => panic!("nothing is needed at the end"),
            _ => {}
        }
    }
}

fn said(source: &Source, id: AttributeId) -> Option<String> {
    source.value(id).map(|value| value.to_string())
}

#[test]
fn layouts_have_no_gaps() {
    for (layout, size) in [(&HEADER, HEADER_LEN), (&QUEUE, QUEUE_LEN)] {
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
    type Case = (&'static str, usize, &'static [u8], Option<(ReasonId, u64)>, bool);
    let cases: &[Case] = &[
        ("as it is", 0, b"v", None, true),
        ("magic", 0, b"V", Some((shared::MAGIC_UNRECOGNIZED, 0)), false),
        ("turned round", 0, b"pafv", Some((reasons::BYTE_ORDER, 0)), false),
        ("version 2", 7, &[2], Some((reasons::VERSION, 4)), false),
        ("version 2^24", 4, &[1, 0, 0, 0], Some((reasons::VERSION, 4)), false),
        ("three queues", 11, &[3], Some((shared::STREAM_TRUNCATED, 80)), false),
        ("65,536 queues", 8, &[0, 1, 0, 0], Some((reasons::UNLISTED, 8)), false),
        ("65,537 queues", 8, &[0, 1, 0, 1], Some((reasons::QUEUES, 8)), false),
        ("reserved", 15, &[1], Some((reasons::RESERVED, 12)), true),
        ("bit 16", 0x32, &[0x80], Some((reasons::BOUND, 48)), false),
        ("bit 17 of the second", 0x42, &[0x40], Some((reasons::BOUND, 64)), false),
        ("bit 15", 0x31, &[0x81], None, true),
        ("bit 18", 0x32, &[0x20], None, true),
        ("twice", 0x49, &[4], Some((reasons::TWICE, 72)), false),
        ("reserved in a queue", 0x4f, &[1], Some((reasons::RESERVED, 74)), true),
    ];
    for (what, at, new, expected, passes) in cases {
        let mut stream = example();
        stream[*at..at + new.len()].copy_from_slice(new);
        let (reasons, _, ended, _) = read(&stream);
        let expected = expected.map(|(id, offset)| (id, Some(offset)));
        assert_eq!((reasons.first().copied(), ended), (expected, *passes), "{what}");
    }
}

#[test]
fn every_cut_is_truncated() {
    let example = example();
    for length in 0..example.len() {
        let id = if length < 4 { shared::MAGIC_TRUNCATED } else { shared::STREAM_TRUNCATED };
        assert_eq!(read(&example[..length]).0, [(id, Some(widen(length)))]);
    }
    // Bytes behind the end are the gate's matter: the reader does not use them.
    assert_eq!(read(&[&example[..], &[0]].concat()).1, 80);
}

#[test]
fn the_source_lists_its_queues() {
    let source = read(&example()).3.unwrap();
    let expected = [
        (APQNS, "{05.0004, 05.00ab}"),
        (CONTROL_DOMAINS, "{0004, 00ab}"),
        (AP_TYPE, "{05.0004=14, 05.00ab=14}"),
        (MODE, "{05.0004=cca, 05.00ab=cca}"),
        (QUEUE_FACILITIES, "{05.0004=0xb2800000, 05.00ab=0xb2800000}"),
    ];
    for (id, text) in expected {
        assert_eq!(said(&source, id).as_deref(), Some(text));
    }
    // Whatever the order in which they come.
    let (first, second) = (example()[48..64].to_vec(), example()[64..].to_vec());
    let turned = [&example()[..48], &second, &first].concat();
    assert_eq!(said(&read(&turned).3.unwrap(), APQNS).as_deref(), Some("{05.0004, 05.00ab}"));
    // Neither CCA nor another mode, or both: nothing is said of it.
    for facilities in [0xa2, 0xba] {
        let mut stream = example();
        stream[48] = facilities;
        assert_eq!(said(&read(&stream).3.unwrap(), MODE).as_deref(), Some("{05.00ab=cca}"));
    }
    let empty = read(&many(0)).3.unwrap();
    assert_eq!((said(&empty, APQNS), said(&empty, AP_TYPE)), (None, None));
}

#[test]
fn values_are_well_formed_up_to_as_many_queues_as_an_attribute_holds() {
    for count in [1, 255, 256] {
        let (reasons, _, ended, source) = read(&many(count));
        assert!(reasons.is_empty() && ended);
        let source = source.unwrap();
        for id in [APQNS, CONTROL_DOMAINS, AP_TYPE, MODE, QUEUE_FACILITIES] {
            let value = source.value(id).unwrap().to_owned();
            assert_eq!(Value::read(value.kind(), value.bytes()).map(Value::to_owned), Ok(value.clone()));
        }
    }
    let (reasons, _, ended, source) = read(&many(257));
    assert_eq!((reasons, ended), (vec![(reasons::UNLISTED, Some(8))], true));
    assert_eq!(said(&source.unwrap(), APQNS), None);
    assert_eq!(read(&many(QUEUES_MAX)).1, 1_048_624, "all that there can be");
}

#[test]
fn queues_are_told_apart_however_many_there_are() {
    let mut stream = many(1000);
    let at = 48 + 16 * 999 + 8;
    stream[at..at + 2].copy_from_slice(&[0, 7]);
    let (reasons, delivered, ..) = read(&stream);
    assert_eq!(reasons.last(), Some(&(reasons::TWICE, Some(widen(at)))));
    assert_eq!(delivered, 48 + 16 * 999);
}

#[test]
fn structures_are_written_as_they_were_read() {
    let mut reader = Box::new(QueueReader::new(true));
    let (input, mut out, mut at) = (example(), Vec::new(), 0);
    loop {
        let step = reader.step(&input[at..], true);
        at += step.used;
        match step.event {
            Event::Record { layout, number, offset, bytes } => {
                assert_eq!(offset, widen(out.len()));
                Record::decode(layout, number, offset, bytes).unwrap().encode(&mut out).unwrap();
            }
            Event::End => break,
            _ => {}
        }
    }
    assert_eq!(out, input);
}

#[test]
fn the_source_is_known_from_its_queues_and_not_from_fewer() {
    let example = example();
    let ask = |length: usize| identify(&example[..length], false, Choices::NONE, &mut |_| {});
    assert_eq!((ask(0), ask(47), ask(48), ask(79)), {
        let (header, all) = (Identified::Need(48), Identified::Need(80));
        (header, header, all, all)
    });
    assert_eq!(ask(80), Identified::Shown(80));
}
