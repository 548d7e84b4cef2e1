//! A migration of QEMU before targets, as it goes through the gate of a pipe.
//!
//! Oracle: whole, byte by byte and in pieces the gate gives the same verdicts, and passes the same bytes but for those of a
//! device's record that is refused. What is kept of the input stays within the limit. What lets a destination run goes on
//! under a verdict that admits every device; and a destination in small, which knows how long the state of its own devices
//! is, runs by nothing else.
//!
//! The first byte is the length of a piece; the second chooses the targets, and how long one device's state is.
#![no_main]

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

libfuzzer_sys::fuzz_target!(|input: &[u8]| gated::migration(input));
