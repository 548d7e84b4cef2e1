extern crate std;

use std::vec::Vec;

use super::*;
use crate::bytes::index;
use crate::format::Record;

fn packet(kind: u8, gt: u8, offset: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from([VERSION, kind, tile_of(gt), gt, 0, 0, 0, 0]);
    bytes.extend_from_slice(&offset.to_le_bytes());
    bytes.extend_from_slice(&widen(payload.len()).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn descriptor() -> Vec<u8> {
    packet(kind::DESCRIPTOR, 0, 0, &[1, 0, 1, 0xf0, 0x11, 0xe2, 0, 0, 1, 0, 2, 0xf0, 0, 0, 0, 0])
}

/// A stream of one GT whose memory is these pieces.
fn stream(memory: &[&[u8]]) -> Vec<u8> {
    let mut all = descriptor();
    all.extend(packet(kind::GUC, 0, 0, b"guc!"));
    all.extend(packet(kind::GGTT, 0, 0, &[1, 0, 0, 0, 0, 0, 0, 0]));
    all.extend(packet(kind::MMIO, 0, 0, &[7; 16]));
    let mut end = 0;
    for piece in memory {
        all.extend(packet(kind::VRAM, 0, end, piece));
        end += widen(piece.len());
    }
    all.extend(packet(kind::TRAILER, 0, 0, &[]));
    all
}

/// What a reader that gets its input in pieces of so many bytes told: records, the payload that passed, findings.
type Told = (Vec<(&'static str, u64, Vec<u8>)>, Vec<u8>, Vec<Reason>, usize);

fn read(input: &[u8], describe: bool, piece: usize) -> Told {
    let mut reader = PacketReader::new(describe);
    let (mut records, mut passed, mut found, mut most) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let (mut start, mut end) = (0, piece.min(input.len()));
    loop {
        let step = reader.step(&input[start..end], end == input.len());
        match step.event {
            Event::Need(bytes) => {
                assert!(bytes > end - start && end < input.len());
                most = most.max(bytes);
                end = (start + bytes).max(end + piece).min(input.len());
            }
            Event::Record { layout, offset, bytes, .. } => records.push((layout.name, offset, bytes.to_vec())),
            Event::Data { bytes, .. } => passed.extend_from_slice(bytes),
            Event::Finding(reason) => {
                found.push(reason);
                if !reason.is_note() {
                    break;
                }
            }
            Event::Profile => {}
            Event::End => break,
        }
        start += step.used;
        end = end.max(start);
    }
    (records, passed, found, most)
}

#[test]
fn a_long_payload_is_told_in_pieces_and_never_held_otherwise() {
    let long: Vec<u8> = (0..150_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let input = stream(&[&long, b"more"]);
    let (records, passed, found, _) = read(&input, true, 1000);
    assert_eq!((passed.as_slice(), found.len()), (input.as_slice(), 0));
    let pieces: Vec<usize> =
        records.iter().filter(|(name, ..)| *name == "vram").map(|(.., bytes)| bytes.len()).collect();
    assert_eq!(pieces, [65_536, 65_536, 18_928, 4]);
    let mut encoded = Vec::new();
    for (name, offset, bytes) in &records {
        assert_eq!(*offset, widen(encoded.len()));
        let layout = FORMAT.layouts.iter().find(|layout| layout.name == *name).unwrap();
        Record::decode(layout, None, *offset, bytes).unwrap().encode(&mut encoded).unwrap();
    }
    assert_eq!(encoded, input);
    for piece in [1, 7, 40_000, input.len()] {
        assert_eq!(read(&input, true, piece).0, records, "{piece}");
        let (_, passed, found, most) = read(&input, false, piece);
        assert_eq!((passed.as_slice(), found.len()), (input.as_slice(), 0), "{piece}");
        assert!(most <= index(DESCRIPTOR_PACKET_MAX), "{piece}: {most}");
    }
}

#[test]
fn lengths_are_refused_beside_each_boundary() {
    let holds = |of: u8, size: u64| size_of(of, size).0;
    for (of, good, bad) in [
        (
            kind::DESCRIPTOR,
            &[0, 4, 16, DESCRIPTOR_MAX][..],
            &[1, 17, DESCRIPTOR_MAX + 1, DESCRIPTOR_MAX + 4, u64::MAX][..],
        ),
        (kind::TRAILER, &[0], &[1, u64::MAX]),
        (kind::GGTT, &[8, 8 << 20], &[0, 4, 9, (8 << 20) + 8, u64::MAX - 7]),
        (kind::MMIO, &[16], &[0, 15, 17, u64::MAX]),
        (kind::GUC, &[4, 8196, 0x7fff_fffc], &[0, 3, 6, 0x8000_0000, u64::MAX]),
        (kind::VRAM, &[1, 512 << 20], &[0, (512 << 20) + 1, u64::MAX]),
    ] {
        assert!(good.iter().all(|size| holds(of, *size)), "{of}");
        assert!(bad.iter().all(|size| !holds(of, *size)), "{of}");
    }
}

#[test]
fn the_first_bytes_say_what_it_is() {
    let input = stream(&[]);
    for end in 0..28 {
        assert_eq!(likeness(&input[..end], false), Likeness::Short, "{end}");
    }
    assert_eq!(likeness(&input[..28], false), Likeness::Certain);
    assert!(matches!(likeness(&input[..24], true), Likeness::Possible(_)));
    assert!(matches!(likeness(&input[40..], false), Likeness::Possible(_)));
    let changed = |at: usize, to: u8| {
        let mut changed = input.clone();
        changed[at] = to;
        likeness(&changed, false)
    };
    for (at, to) in [(0, 2), (1, 0), (1, 7), (2, 1), (3, 1), (16, 17), (18, 1), (23, 1)] {
        assert_eq!(changed(at, to), Likeness::No, "{at}");
    }
    for (at, to) in [(4, 1), (15, 1), (24, 2), (26, 3), (27, 0)] {
        assert!(matches!(changed(at, to), Likeness::Possible(_)), "{at}");
    }
    assert_eq!(changed(26, 2), Likeness::Certain);
}

#[test]
fn the_source_is_known_from_the_descriptor() {
    let input = stream(&[]);
    let mut shown = None;
    let mut ask = |prefix: &[u8]| {
        identify(prefix, false, Choices::NONE, &mut |source| {
            shown = Some(source.value(PCI_ID) == Some(Value::PciId(PciId { vendor: 0x8086, device: 0xe211 })));
        })
    };
    assert_eq!(ask(&input[..5]), Identified::Need(24));
    assert_eq!(ask(&input[..39]), Identified::Need(40));
    assert_eq!(ask(&input[..40]), Identified::Shown(40));
    assert_eq!(shown, Some(true));
}

/// A descriptor may be long; what it says is known when it is there, and no sooner.
#[test]
fn unknown_keys_are_noted_once() {
    let mut list = Vec::new();
    for _ in 0..1000 {
        list.extend_from_slice(&[0, 0, 9, 0]);
    }
    list.extend_from_slice(&descriptor()[24..]);
    let mut input = packet(kind::DESCRIPTOR, 0, 0, &list);
    input.extend_from_slice(&stream(&[])[40..]);
    let (records, passed, found, most) = read(&input, false, 1);
    assert_eq!((records.len(), passed.len(), most), (0, input.len(), 24 + list.len()));
    assert_eq!(
        found.iter().map(|reason| (reason.id, reason.offset())).collect::<Vec<_>>(),
        [(reasons::UNKNOWN_KEY, Some(26))]
    );
    assert_eq!(read(&input, true, 1).0.iter().filter(|(name, ..)| name.starts_with("klv")).count(), 1002);
}
