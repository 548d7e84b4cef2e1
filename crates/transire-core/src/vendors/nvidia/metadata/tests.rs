//! The worked examples of both records, and every check beside its boundary.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::format::{Event, Identified, Reader};
use crate::verdict::ReasonId;
use crate::whole::WholeReader;

fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    record[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Guest driver 550.54.14, host driver 550.54.10, vGPU version 13, 4 opaque bytes.
fn vgpu() -> Vec<u8> {
    let mut record = vec![0; 212];
    put(&mut record, 0, &[4, 0, 0, 0, 1, 0, 0, 0, 1]);
    put(&mut record, 12, b"550.54.14");
    put(&mut record, 92, b"550.54.10");
    put(&mut record, 196, &[1, 0, 0, 0, 13, 0, 0, 0, 4]);
    record
}

/// Host driver 550.54.10, vGPU versions 10 to 14, 4 opaque bytes.
fn pgpu() -> Vec<u8> {
    let mut record = vec![0; 128];
    put(&mut record, 0, &[4, 0, 0, 0, 1]);
    put(&mut record, 8, b"550.54.10");
    put(&mut record, 88, &[1]);
    put(&mut record, 112, &[10, 0, 0, 0, 14, 0, 0, 0, 4]);
    record
}

/// Reads a whole input: ids and offsets of the reasons, and whether the end was reached.
fn read<F: Whole>(input: &[u8]) -> (Vec<(ReasonId, Option<u64>)>, bool) {
    let mut reader = WholeReader::<F>::new(false);
    let (mut reasons, mut used) = (Vec::new(), 0);
    loop {
        let step = reader.step(&input[used..], true);
        used += step.used;
        match step.event {
            Event::Finding(reason) => {
                reasons.push((reason.id, reason.offset()));
                if !reason.is_note() {
                    return (reasons, false);
                }
            }
            Event::End => return (reasons, true),
            _ => {}
        }
    }
}

#[test]
fn layouts_have_no_gaps() {
    for (layout, size) in [(&VGPU_RECORD, VGPU_LEN), (&PGPU_RECORD, PGPU_LEN)] {
        let mut at = 0;
        for field in layout.fields {
            assert_eq!(index(field.offset), at, "{}.{}", layout.name, field.name);
            at += field.kind.size().unwrap();
        }
        assert_eq!((at, layout.size()), (size, size));
    }
}

type Case = (&'static str, usize, &'static [u8], Option<(ReasonId, u64)>, bool);

fn run<F: Whole>(record: &[u8], cases: &[Case]) {
    for (what, at, new, expected, passes) in cases {
        let mut record = record.to_vec();
        put(&mut record, *at, new);
        let expected: Vec<_> = expected.iter().map(|(id, offset)| (*id, Some(*offset))).collect();
        assert_eq!(read::<F>(&record), (expected, *passes), "{what}");
    }
}

#[test]
fn checks_of_a_virtual_gpu_and_their_offsets() {
    run::<VgpuRecord>(
        &vgpu(),
        &[
            ("as it is", 0, &[], None, true),
            ("any version", 0, &[0xff; 8], None, true),
            ("not reported", 8, &[0], None, true),
            ("state 2", 8, &[2], Some((reasons::GUEST_STATE, 8)), false),
            ("state 2^31", 11, &[0x80], Some((reasons::GUEST_STATE, 8)), false),
            ("no NUL", 12, &[b'1'; 80], Some((reasons::TEXT, 12)), false),
            ("a NUL in the last byte", 12, &[b'1'; 79], None, true),
            ("a control character", 93, &[7], Some((reasons::TEXT, 92)), false),
            ("no ASCII", 92, &[0xc3], Some((reasons::TEXT, 92)), false),
            ("behind the NUL", 171, &[1], Some((reasons::FILLER, 92)), true),
            ("reserved", 195, &[1], Some((reasons::FILLER, 172)), true),
            ("five opaque bytes", 204, &[5], Some((shared::STREAM_TRUNCATED, 212)), false),
            ("three opaque bytes", 204, &[3], Some((reasons::FILLER, 211)), true),
            ("no opaque bytes", 204, &[0], Some((reasons::FILLER, 208)), true),
            ("64 KiB", 204, &[0, 0, 1], Some((shared::STREAM_TRUNCATED, 212)), false),
            ("more than 64 KiB", 204, &[1, 0, 1], Some((reasons::OPAQUE_SIZE, 204)), false),
        ],
    );
}

#[test]
fn checks_of_a_physical_gpu_and_their_offsets() {
    run::<PgpuRecord>(
        &pgpu(),
        &[
            ("as it is", 0, &[], None, true),
            ("one version", 112, &[14], None, true),
            ("from 14 to 10", 112, &[14, 0, 0, 0, 10], Some((reasons::RANGE, 112)), false),
            ("no NUL", 8, &[b'1'; 80], Some((reasons::TEXT, 8)), false),
            ("reserved", 92, &[1], Some((reasons::FILLER, 92)), true),
            ("more than 64 KiB", 120, &[1, 0, 1], Some((reasons::OPAQUE_SIZE, 120)), false),
        ],
    );
}

#[test]
fn cuts_are_truncated_and_more_is_trailing() {
    let vgpu = vgpu();
    for length in 0..vgpu.len() {
        let expected = vec![(shared::STREAM_TRUNCATED, Some(widen(length)))];
        assert_eq!(read::<VgpuRecord>(&vgpu[..length]), (expected, false));
    }
    let more = [&vgpu[..], &[0]].concat();
    assert_eq!(read::<VgpuRecord>(&more), (vec![(shared::STREAM_TRAILING, Some(212))], false));
    // Neither the two bytes that it says, nor the four that it is declared with.
    let mut between = vgpu[..211].to_vec();
    between[204] = 2;
    assert_eq!(read::<VgpuRecord>(&between), (vec![(shared::STREAM_TRAILING, Some(210))], false));
    assert_eq!(read::<VgpuRecord>(&between[..210]), (vec![], true));
}

#[test]
fn a_guest_that_has_not_reported_is_unknown() {
    let version = Value::Version(Version { major: 550, minor: 54, patch: 14 });
    let said = |record: &[u8]| {
        let source = Vgpu::read(record).unwrap();
        [source.value(GUEST_DRIVER).map(Value::to_owned), source.value(VGPU_VERSION).map(Value::to_owned)]
    };
    assert_eq!(said(&vgpu()), [Some(version.to_owned()), Some(Value::Uint(13).to_owned())]);
    let mut record = vgpu();
    record[8] = 0;
    assert_eq!(said(&record), [Some(Value::Unknown.to_owned()), Some(Value::Unknown.to_owned())]);
}

#[test]
fn each_record_is_recognised_and_not_the_other() {
    let (vgpu, pgpu) = (vgpu(), pgpu());
    assert!(matches!(vgpu_likeness(&vgpu[..64], false), Likeness::Possible(_)));
    assert_eq!(pgpu_likeness(&vgpu[..64], false), Likeness::No);
    assert_eq!(pgpu_likeness(&pgpu[..64], false), Likeness::Certain);
    assert_eq!(vgpu_likeness(&pgpu[..64], false), Likeness::No);
    for length in 0..64 {
        let later = if length < 12 { Likeness::No } else { Likeness::Short };
        assert_eq!(vgpu_likeness(&vgpu[..length], false), Likeness::Short, "{length}");
        assert_eq!(vgpu_likeness(&vgpu[..length], true), later, "{length}");
        let later = if length < 9 { Likeness::No } else { Likeness::Short };
        assert_eq!(pgpu_likeness(&pgpu[..length], false), Likeness::Short, "{length}");
        assert_eq!(pgpu_likeness(&pgpu[..length], true), later, "{length}");
    }
    let mut fresh = vec![0; 64];
    fresh[0] = 4;
    assert_eq!(vgpu_likeness(&fresh, false), Likeness::Opaque, "nothing speaks for a guest that has not started");
    assert_eq!(pgpu_likeness(&fresh, false), Likeness::No);
}

#[test]
fn the_source_is_known_from_208_bytes_and_not_from_fewer() {
    let vgpu = vgpu();
    let mut shown = 0;
    for length in [0, 64, 207] {
        assert_eq!((VGPU.identify)(&vgpu[..length], false, Choices::NONE, &mut |_| shown += 1), Identified::Need(208));
    }
    assert_eq!((VGPU.identify)(&vgpu[..208], false, Choices::NONE, &mut |_| shown += 1), Identified::Shown(208));
    assert_eq!(shown, 1);
}
