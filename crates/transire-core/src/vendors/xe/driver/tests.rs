extern crate std;

use std::vec::Vec;

use super::*;
use crate::format::{Prediction, predict};

const HOST: Host = Host { device_id: 0xe211, revision: 0, gts: 1, ggtt_pages: 1, vram_bytes: 1 << 40 };

fn packet(version: u8, kind: u8, offset: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::from([version, kind, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&offset.to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes
}

fn predicted(stream: &[u8]) -> Prediction {
    predict(&mut AnySchedule::resuming(HOST), core::iter::once(stream))
}

#[test]
fn the_events_of_a_long_stream_are_counted() {
    let mut device = Device::resuming(HOST, Schedule::Eager);
    for number in 0..1000 {
        let mut piece = packet(1, kind::VRAM, number, 1);
        piece.push(0);
        assert_eq!(device.write(&piece), Ok(()));
    }
    assert_eq!((device.events().len(), device.events_count()), (EVENTS_KEPT, 1000));
}

/// Half a GiB is announced and written byte for byte, and nothing of it is kept.
#[test]
fn memory_is_not_kept() {
    let mut device = Device::resuming(HOST, Schedule::Late);
    device.write(&packet(1, kind::VRAM, 0, VRAM_PIECE_MAX)).unwrap();
    let piece = std::vec![0; 1 << 20];
    for _ in 0..512 {
        device.write(&piece).unwrap();
    }
    device.write(&packet(1, kind::TRAILER, 0, 0)).unwrap();
    assert_eq!((device.resume(), device.holds(), device.depends()), (Ok(()), Holds::Input, None));
    assert_eq!(device.buffer_object_peak(), VRAM_PIECE_MAX);
}

#[test]
fn what_nobody_can_know_is_named() {
    let trailer = packet(1, kind::TRAILER, 0, 0);
    assert_eq!(predicted(&trailer), Prediction::Accepted);
    assert_eq!(predicted(&packet(1, kind::VRAM, 0, VRAM_PIECE_MAX + 1)), Prediction::Depends(ON_FREE_MEMORY));
    let long = [packet(1, kind::GUC, 0, 8196), std::vec![0; 8196], trailer.clone()].concat();
    assert_eq!(predicted(&long), Prediction::Depends(ON_GUC_BUFFER));
    // A trailer before the data: loaded or thrown away.
    let early = [trailer.clone(), packet(1, kind::MMIO, 0, 16), std::vec![0; 16]].concat();
    assert_eq!(predicted(&early), Prediction::Depends(ON_TIMING));
    let behind = [packet(1, kind::DESCRIPTOR, 0, 4), Vec::from([0, 0, 1, 0xf0]), trailer].concat();
    assert_eq!(predicted(&behind), Prediction::Depends(ON_MEMORY_BEHIND));
}

#[test]
fn a_wrong_version_with_a_payload_breaks_the_driver() {
    let broken = Prediction::Breaks { step: DriverStep::Write, how: Break::Crashes, write: 0 };
    assert_eq!(predicted(&packet(2, kind::DESCRIPTOR, 0, 16)), broken);
    // The trailer is refused, and ends the loading all the same.
    let mut device = AnySchedule::resuming(HOST);
    assert_eq!(device.write(&packet(2, kind::TRAILER, 0, 0)), Err(Errno::Einval.into()));
    assert_eq!(device.resume(), Ok(()));
    // A payload that is refused before it is used does no harm.
    assert_ne!(predicted(&packet(2, kind::MMIO, 0, 15)), broken);
}
