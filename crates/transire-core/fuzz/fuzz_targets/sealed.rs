//! A sealed stream, a profile or an answer, by its own reader: any input gets a verdict, and any cut of it the same.
//!
//! Oracle: reading it whole, byte by byte and in pieces tells the same events. No bytes are used twice or never: the records
//! of a reader that describes give a stream that was read to its end back byte by byte. Offsets lie in the input, nothing
//! is needed at its end, and a reader that has failed says so again. An answer is taken by its own reader where the
//! envelope's takes it, and is written as it was read.
//!
//! The first byte is the length of a piece. Checksums are not turned off for the fuzzer, which cannot guess them: the rest
//! runs as it is, with its checksums mended, and with frames numbered and counted besides.
#![no_main]

#[path = "../../tests/support/mend.rs"]
mod mend;
#[path = "../../tests/support/oracle.rs"]
#[allow(dead_code)] // Each target asks one of the oracles.
mod oracle;
#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| oracle::sealed(input));
