//! A source held against a target, for every vendor of the table.
//!
//! Oracle: the outcome is the worst of the reasons, and the same when asked again. The order of what the target lists
//! means nothing. An assertion takes away `.needs-assertion` and no other reason; what can be set makes nothing worse,
//! and a setting that is made is not asked for again. Every reason can be said in words, and a report whose id begins
//! with an attribute names one of the vendor's.
//!
//! Source and target are made of the input's bytes, see `../oracles/judge.rs`. The source states values of any type; a
//! target's profile admits none of the wrong type, so these stand in what it accepts, can set and was assured of.
#![no_main]

#[path = "../oracles/judge.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|input: &[u8]| oracle::judge_any(input));
