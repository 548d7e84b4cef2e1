//! The C ABI against the Rust interface: profiles, targets, gates and sealings.
//!
//! Oracle: every call of one says what the same call of the other says, event by event, and every verdict has the same
//! reasons in the same words.
//!
//! The first byte chooses target, options and phases; the second is the length of a piece.
#![no_main]

#[path = "../oracles/capi.rs"]
mod capi;

libfuzzer_sys::fuzz_target!(|input: &[u8]| capi::capi(input));
