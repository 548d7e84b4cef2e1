//! A gate before a target of one port or of two: native and sealed streams, good and bad.
//!
//! Oracle: whole, in pieces and from a buffer that grows, the gate says the same and delivers the same. Payload leaves only
//! under a verdict that admits it. A complete native stream was delivered as it came; a complete sealed one delivered what
//! its frames carry, and that passes a gate of its own without the envelope.
//!
//! The first byte chooses the target, the options, and whether the rest runs as it is, mended, or sealed here as a payload;
//! the second is the length of a piece.
#![no_main]

#[path = "../../tests/support/mend.rs"]
mod mend;
#[path = "../../tests/support/oracle.rs"]
#[allow(dead_code)] // Each target asks one of the oracles.
mod oracle;
#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|input: &[u8]| oracle::gate(input));
