//! A channel of a QEMU migration: main, multifd and return path, with and without its description.
//!
//! Oracle: any input gets an answer, and reading it whole, byte by byte and in pieces tells the same: the same items,
//! device bytes at the offsets that they are said to have, findings before the bytes that they are about, and the same
//! outlook of a destination. Nothing is needed at the end, and a walk that has ended says so again.
//!
//! The first byte is the length of a piece.
#![no_main]

#[path = "../../tests/qemu/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|input: &[u8]| oracle::qemu(input));
