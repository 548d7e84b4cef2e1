//! Every format of the vendor table, by its own reader.
//!
//! Oracle: reading the input whole, byte by byte and in pieces tells the same events. The records of a stream that is
//! accepted, decoded and encoded again, are the stream. What the first bytes are identified as is what the reader reads.
//!
//! The first byte is the length of a piece.
#![no_main]

#[path = "../../tests/support/mend.rs"]
mod mend;
#[path = "../../tests/support/oracle.rs"]
#[allow(dead_code)] // Each target asks one of the oracles.
mod oracle;
#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| oracle::vendors(input));
