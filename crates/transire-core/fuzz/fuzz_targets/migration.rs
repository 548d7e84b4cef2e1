//! A migration of QEMU before targets, as it goes through the gate of a pipe.
//!
//! Oracle: whole, byte by byte and in pieces the gate gives the same verdicts, and passes the same bytes but for those of a
//! device's record that is refused. What is kept of the input stays within the limit. What lets a destination run goes on
//! under a verdict that admits every device; and a destination in small, which knows how long the state of its own devices
//! is, runs by nothing else. Memory is bounded by the length of the input.
//!
//! The first byte is the length of a piece; the second chooses the targets, and how long one device's state is.
#![no_main]

#[path = "../../tests/support/counting.rs"]
mod counting;
#[path = "../../tests/qemu/gated.rs"]
#[allow(dead_code)] // The tests ask for more.
mod gated;
#[path = "../../tests/qemu/loads.rs"]
#[allow(dead_code)]
mod loads;
#[path = "../../tests/qemu/made.rs"]
mod made;
#[path = "../../tests/support/mod.rs"]
mod support;

/// What a migration may hold beside what is kept of the input, and for each of its bytes: a device and its gate can stand in
/// a few dozen of them.
const ROOM: usize = 1 << 20;
const ROOM_FOR_A_BYTE: usize = 1024;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let ((), _, most) = counting::measured(|| gated::migration(input));
    assert!(most <= ROOM + ROOM_FOR_A_BYTE * input.len(), "{most} bytes for a migration of {}", input.len());
});
