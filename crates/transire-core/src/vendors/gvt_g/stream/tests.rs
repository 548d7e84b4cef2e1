//! The worked example of the format, every check beside its boundary, and what tells the generations apart.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::bytes::widen;
use crate::format::{DriverStep, Errno, Holds, Prediction, Record, predict};

fn record(kind: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap();
    [&kind.to_le_bytes(), &size.to_le_bytes(), payload].concat()
}

fn image(records: &[Vec<u8>]) -> Vec<u8> {
    let rest = records.concat();
    let size = FIRST_LEN + u32::try_from(rest.len()).unwrap();
    let mut head = record(1, &[0; HEAD_LEN as usize]);
    head[12..16].copy_from_slice(&size.to_le_bytes());
    [head, rest].concat()
}

/// The example of generation 3 without configuration space, registers and page tables: 628 bytes.
fn example() -> Vec<u8> {
    let mut table = vec![0; 40];
    table[0] = 1;
    table[9] = 0x10;
    let words = [9, 0x10, 1, 0, 7, 0, 0, 0];
    let workload = [&[0, 0, 0, 0, 1, 0, 0, 0][..], &words, &[0; 8], &words, &[0; 4]].concat();
    image(&[record(6, &table), record(7, &workload)])
}

fn space() -> Vec<u8> {
    let mut space = vec![0; CFG_SPACE_LEN as usize];
    space[..4].copy_from_slice(&[0x86, 0x80, 0x1d, 0x59]);
    record(2, &space)
}

fn registers(kind: u32) -> Vec<u8> {
    record(kind, &vec![0; REGISTERS_LEN as usize])
}

/// The GTT of a type of so many MiB.
fn gtt(megabytes: usize) -> Vec<u8> {
    record(5, &vec![0; megabytes * 2048])
}

type Read = (Vec<Reason>, usize, bool, Option<Source>);

/// Reads a whole input: the reasons, the bytes delivered, whether the end was reached, and the source.
fn read(input: &[u8], generation: Option<u8>) -> Read {
    let mut reader = ImageReader::new(false);
    reader.choose(generation.map_or(Choices::NONE, |number| Choices::NONE.with(GENERATION, number - 1)));
    let (mut reasons, mut delivered) = (Vec::new(), 0);
    loop {
        let step = reader.step(&input[delivered..], true);
        delivered += step.used;
        match step.event {
            Event::Finding(reason) => {
                let note = reason.is_note();
                reasons.push(reason);
                if !note {
                    return (reasons, delivered, false, reader.source);
                }
            }
            Event::End => return (reasons, delivered, true, reader.source),
            Event::Need(_) => panic!("nothing is needed at the end"),
            _ => {}
        }
    }
}

fn first(read: &Read) -> Option<(ReasonId, Option<u64>)> {
    read.0.first().map(|reason| (reason.id, reason.offset()))
}

#[test]
fn layouts_have_no_gaps() {
    for layout in FORMAT.layouts {
        let mut at = 0;
        for field in layout.fields {
            assert_eq!(index(field.offset), at, "{}.{}", layout.name, field.name);
            at += field.kind.size().unwrap_or(0);
        }
    }
    for (layout, size) in [(&PPGTT_36, 36), (&PPGTT_40, 40), (&WORKLOAD_24, 24), (&WORKLOAD_36, 36), (&EXECLIST, 20)] {
        assert_eq!(layout.size(), size);
    }
}

#[test]
fn checks_and_their_offsets() {
    type Case = (&'static str, usize, &'static [u8], ReasonId, u64);
    let cases: &[Case] = &[
        ("nothing but what is left out", 0, &[1], reasons::MISSING, 628),
        ("first type", 0, &[2], reasons::RECORD_TYPE, 0),
        ("head of 524", 4, &[0x0c], reasons::RECORD_SIZE, 4),
        ("version", 11, &[0x80], reasons::VERSION, 8),
        ("less than a head", 12, &[0x17, 2], reasons::DATA_SIZE, 12),
        ("9 MiB", 12, &[0, 0, 0x90, 0], reasons::DATA_SIZE, 12),
        ("-1", 12, &[0xff; 4], reasons::DATA_SIZE, 12),
        ("four bytes more", 12, &[0x78], reasons::DATA_SIZE, 12),
        ("a record more", 12, &[0x7c], shared::STREAM_TRUNCATED, 628),
        ("less than the records", 12, &[0x70], reasons::DATA_SIZE, 12),
        ("crc_check", 16, &[1], reasons::FILLER, 16),
        ("no type", 0x218, &[0], reasons::RECORD_TYPE, 0x218),
        ("type 10", 0x218, &[10], reasons::RECORD_TYPE, 0x218),
        ("41 bytes of PPGTT", 0x21c, &[41], reasons::RECORD_SIZE, 0x21c),
        ("padding of PPGTT", 0x227, &[1], reasons::FILLER, 0x224),
        ("35 bytes of WORKLOAD", 0x24c, &[35], reasons::RECORD_SIZE, 0x24c),
        ("PPGTT twice", 0x248, &[6], reasons::ORDER, 0x248),
        ("ring 5", 0x250, &[5], reasons::RING, 0x250),
        ("ring of 2^31 - 1", 0x250, &[0xff, 0xff, 0xff, 0x7f], reasons::RING, 0x250),
        ("padding of WORKLOAD", 0x257, &[1], reasons::FILLER, 0x255),
    ];
    for (what, at, new, id, offset) in cases {
        let mut stream = example();
        stream[*at..at + new.len()].copy_from_slice(new);
        assert_eq!(first(&read(&stream, Some(3))), Some((*id, Some(*offset))), "{what}");
    }
    // Read as the generations before, the lengths of the entries do not fit.
    assert_eq!(first(&read(&example(), Some(1))), Some((reasons::RECORD_SIZE, Some(0x21c))));
    assert_eq!(first(&read(&example(), Some(2))), Some((reasons::RECORD_SIZE, Some(0x24c))));
}

#[test]
fn every_cut_is_truncated() {
    let example = example();
    for length in 0..example.len() {
        let read = read(&example[..length], Some(3));
        assert_eq!(first(&read), Some((shared::STREAM_TRUNCATED, Some(widen(length)))));
    }
}

/// What it is, the records, and the generation that they tell.
type Case<'a> = (&'a str, &'a [&'a [u8]], Option<u8>);

#[test]
fn records_tell_the_generation() {
    let (tables, workloads) = (record(6, &[0; 40]), record(7, &[0; 36]));
    let (none, old, lists) = ([record(6, &[]), record(7, &[])].concat(), record(7, &[0; 24]), vec![0; 100]);
    let region = record(8, &vec![0; OPREGION_LEN as usize]);
    let first = [space(), registers(4), registers(3), gtt(448)].concat();
    let last = [space(), registers(3), gtt(448)].concat();
    let cases: &[Case<'_>] = &[
        ("1", &[&first, &record(6, &[0; 36]), &old], Some(1)),
        ("2", &[&first, &tables, &old, &region], Some(2)),
        ("3", &[&first, &tables, &workloads, &region, &record(9, &lists)], Some(3)),
        ("3 without entries", &[&first, &none, &record(9, &lists)], Some(3)),
        ("4", &[&last, &tables, &workloads, &record(9, &lists)], Some(4)),
        ("4 with its region", &[&last, &none, &region, &record(9, &lists)], Some(4)),
        ("5", &[&last, &tables, &workloads, &record(8, &lists)], Some(5)),
        ("5 with 72 bytes of workloads", &[&last, &tables, &record(7, &[0; 72]), &record(8, &lists)], Some(5)),
        ("1 or 2", &[&first, &none], None),
        ("1, 2 or 3 by 360 bytes", &[&first, &record(6, &[0; 360]), &old], None),
        ("2 or 3, 72 bytes", &[&first, &tables, &record(7, &[0; 72])], None),
    ];
    for (what, records, generation) in cases {
        let records: Vec<Vec<u8>> = records.iter().map(|record| record.to_vec()).collect();
        let (reasons, _, ended, source) = read(&image(&records), None);
        assert_eq!(ended, generation.is_some(), "{what}: {reasons:?}");
        assert_eq!(source.unwrap().generation, *generation, "{what}");
        if generation.is_none() {
            let (last, candidates) = reasons.split_last().unwrap();
            assert_eq!(last.id, shared::FORMAT_AMBIGUOUS, "{what}");
            assert!(candidates.iter().all(|reason| reason.id == shared::FORMAT_CANDIDATE), "{what}");
            assert_eq!(candidates.len(), if what.starts_with("1, 2 or 3") { 3 } else { 2 }, "{what}");
        }
    }
    let ambiguous = read(&example(), None).0;
    assert_eq!(ambiguous.last().map(|reason| reason.id), Some(shared::FORMAT_AMBIGUOUS));
    assert_eq!(ambiguous.len(), 4, "3, 4 and 5");
}

#[test]
fn the_source_is_known_from_the_beginning_and_its_memory_from_the_gtt() {
    let image = image(&[space(), registers(3), gtt(640), record(6, &[]), record(7, &[]), record(8, &[0; 100])]);
    for length in [0, 8, 547] {
        assert_eq!(
            identify(&image[..length], false, Choices::NONE, &mut |_| panic!("too early")),
            Identified::Need(DECIDED_BY)
        );
    }
    let mut shown = None;
    let identified = identify(&image[..548], false, Choices::NONE, &mut |source| {
        shown = source.place(PCI_ID).zip(match source.value(PCI_ID) {
            Some(Value::PciId(id)) => Some(id),
            _ => None,
        });
    });
    let id = PciId { vendor: 0x8086, device: 0x591d };
    assert_eq!((identified, shown), (Identified::Shown(548), Some(((544, 4), id))));
    let (reasons, delivered, ended, source) = read(&image, None);
    assert_eq!((reasons.len(), delivered, ended), (0, image.len(), true));
    let at = u64::from(FIRST_LEN + 8 + CFG_SPACE_LEN + 8 + REGISTERS_LEN + 4);
    assert_eq!(source.unwrap().memory, Some((128, 512, at)));
    assert_eq!(settled_by(&source.unwrap()).get(GENERATION), Some(4));
}

#[test]
fn the_memory_is_that_of_a_type_or_of_several() {
    let megabytes = |number: u32| memory_of(number * GTT_LEN_OF_MB);
    let types = [(448, 64, 384), (640, 128, 512), (1280, 256, 1024), (2560, 512, 2048), (896, 128, 768)];
    for (total, low, high) in types {
        assert_eq!(megabytes(total), Some((low, high)));
    }
    for total in [0, 1, 447, 4480, 4096] {
        assert_eq!(megabytes(total), None);
    }
    assert_eq!(memory_of(448 * GTT_LEN_OF_MB + 8), None);
}

#[test]
fn fewer_execlists_are_noted_and_more_are_refused() {
    let of = |size: usize| {
        let lists = record(8, &vec![0; size]);
        first(&read(&image(&[space(), registers(3), gtt(448), record(6, &[]), record(7, &[]), lists]), Some(5)))
    };
    let at = u64::from(FIRST_LEN + 8 + CFG_SPACE_LEN + 8 + REGISTERS_LEN + 8 + 448 * GTT_LEN_OF_MB + 16 + 4);
    assert_eq!(of(100), None);
    assert_eq!(of(80), Some((reasons::ENGINES, Some(at))));
    assert_eq!(of(0), Some((reasons::ENGINES, Some(at))));
    assert_eq!(of(120), Some((reasons::RECORD_SIZE, Some(at))));
}

#[test]
fn structures_are_written_as_they_were_read() {
    let image = image(&[space(), registers(3), gtt(448), record(6, &[7; 80]), record(7, &[]), record(8, &[0; 100])]);
    let mut reader = ImageReader::new(true);
    let (mut out, mut at) = (Vec::new(), 0);
    loop {
        let step = reader.step(&image[at..], true);
        at += step.used;
        match step.event {
            Event::Record { layout, number, offset, bytes } => {
                assert_eq!(offset, widen(out.len()));
                assert!(bytes.len() <= index(PIECE_LEN));
                Record::decode(layout, number, offset, bytes).unwrap().encode(&mut out).unwrap();
            }
            Event::Finding(reason) => assert!(reason.is_note()),
            Event::End => break,
            _ => {}
        }
    }
    assert!(out == image);
}

fn predicted(generation: u8, image: &[u8], earlier: bool) -> Prediction {
    let mut device = driver::Device::restoring(generation, 448);
    if earlier {
        device.forget();
    }
    predict(&mut device, image.chunks(999))
}

const fn refused(writes: u32, if_ignored: Holds) -> Prediction {
    Prediction::Refused { step: DriverStep::SetState, errno: Errno::Efault, write: writes, if_ignored }
}

#[test]
fn the_driver_takes_what_it_does_not_look_at() {
    type Change = (&'static str, usize, &'static [u8], Prediction);
    let depends = |prediction: &Prediction| matches!(prediction, Prediction::Depends(_));
    let (previous, part) = (refused(1, Holds::Previous), refused(1, Holds::Part));
    let cases: &[Change] = &[
        ("as it is, with everything left out", 0, &[1], Prediction::Accepted),
        ("first type", 0, &[2], previous),
        ("head of 524", 4, &[0x0c], previous),
        ("version 1", 8, &[1], Prediction::Accepted),
        ("crc_check", 16, &[1], Prediction::Accepted),
        ("9 MiB", 12, &[0, 0, 0x90, 0], previous),
        ("-1", 12, &[0xff; 4], previous),
        ("four bytes more", 12, &[0x78], Prediction::Accepted),
        ("no length at all", 12, &[0, 0], Prediction::Accepted),
        ("no type", 0x218, &[0], Prediction::Accepted),
        ("41 bytes of PPGTT", 0x21c, &[41], previous),
        ("35 bytes of WORKLOAD", 0x24c, &[35], part),
        ("720 bytes of WORKLOAD", 0x24c, &[0xd0, 2], Prediction::Accepted),
    ];
    for (what, at, new, expected) in cases {
        let mut stream = example();
        stream[*at..at + new.len()].copy_from_slice(new);
        assert_eq!(predicted(3, &stream, false), *expected, "{what}");
    }
    let mut stream = example();
    stream[0x250..0x254].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    assert!(depends(&predicted(3, &stream, false)), "a ring that there is not");
    stream = example();
    stream[0x248] = 1;
    assert!(depends(&predicted(3, &stream, false)), "a second head");
    // Any cut behind type and size of the head is completed by what the region holds.
    for length in 0..example().len() {
        let expected = if length < 6 { refused(u32::from(length > 0), Holds::Previous) } else { Prediction::Accepted };
        assert_eq!(predicted(3, &example()[..length], false), expected, "{length}");
        assert!(depends(&predicted(3, &example()[..length], true)), "{length}");
    }
    assert!(depends(&predicted(3, &example(), true)), "the loop does not end where the image does");
    assert_eq!(predicted(3, &[&example()[..], &[0; 8]].concat(), true), Prediction::Accepted);
    assert!(depends(&predicted(3, &vec![1; index(IMAGE_LIMIT) + 1], false)));
}

#[test]
fn the_driver_has_its_own_memory_and_generation() {
    let records = [space(), registers(3), gtt(448), record(6, &[]), record(7, &[]), record(8, &[0; 100])];
    let whole = image(&records);
    let writes = u32::try_from(whole.len().div_ceil(999)).unwrap();
    assert_eq!(predicted(5, &whole, false), Prediction::Accepted);
    assert_eq!(predicted(4, &whole, false), refused(writes, Holds::Part), "100 bytes are no OpRegion");
    let other = image(&[space(), registers(3), gtt(640)]);
    let writes = u32::try_from(other.len().div_ceil(999)).unwrap();
    assert_eq!(predicted(5, &other, false), refused(writes, Holds::Part), "the memory of another type");
}

/// What a reader that describes tells of an input that grows by so many bytes.
fn told(image: &[u8], grow: usize) -> Vec<(&'static str, Option<u32>, u64, usize)> {
    let mut reader = ImageReader::new(true);
    let (mut told, mut at, mut there) = (Vec::new(), 0, grow.min(image.len()));
    loop {
        let step = reader.step(&image[at..there], there == image.len());
        at += step.used;
        match step.event {
            Event::Need(need) => {
                assert!(there < image.len() && at + need > there);
                there = image.len().min(there + grow);
            }
            Event::Record { layout, number, offset, bytes } => told.push((layout.name, number, offset, bytes.len())),
            Event::Finding(reason) if reason.is_note() => {}
            Event::Finding(_) | Event::End => return told,
            _ => {}
        }
    }
}

#[test]
fn any_cut_tells_the_same_structures() {
    let image = image(&[space(), registers(3), gtt(448), record(6, &[7; 80]), record(7, &[]), record(8, &[0; 100])]);
    for length in [image.len(), 536 + 4104 + 100_000, 4000, 549] {
        let whole = told(&image[..length], length);
        for grow in [999, 65_536, 1 << 20] {
            assert_eq!(told(&image[..length], grow), whole, "{length} by {grow}");
        }
    }
    assert!(told(&image, image.len()).iter().all(|(.., bytes)| *bytes <= index(PIECE_LEN)));
}
