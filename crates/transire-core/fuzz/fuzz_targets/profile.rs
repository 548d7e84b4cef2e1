//! Canonical bytes of a profile: any input gets an answer.
//!
//! Oracle: `Profile::read` returns. A refusal names a byte of the input, or its end, and stands for a bad outcome. A
//! profile that is accepted is written back byte by byte as it came; where its writer was of a higher minor version, all
//! but the prologue's minor version and checksum.
//!
//! Checksums are not turned off for the fuzzer, which cannot guess them: every input runs as it is, and again with its
//! checksums mended.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transire_core::checksum::crc32c;
use transire_core::profile::Profile;
use transire_core::prologue::PROLOGUE_LEN;
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Verdict};

const HEADER_LEN: usize = 8;
const HEADER_CRC: usize = 12;
const MINOR: usize = 18;
const PROLOGUE_CRC: usize = 28;

fuzz_target!(|input: &[u8]| {
    read(input);
    if let Some(mended) = mended(input) {
        read(&mended);
    }
});

fn read(input: &[u8]) {
    let mut verdict = Verdict::new();
    match Profile::read(input, &|vendor| VENDORS.dictionary(vendor), &mut verdict) {
        Err(reason) => {
            assert!(reason.offset().is_some_and(|offset| offset <= input.len() as u64), "{reason:?}");
            assert_ne!(reason.id.outcome(), Outcome::Compatible, "{reason:?}");
        }
        Ok(profile) => {
            let written = profile.to_bytes();
            assert_eq!(written.len(), input.len());
            assert_eq!(written[..MINOR], input[..MINOR]);
            assert_eq!(written[MINOR + 2..PROLOGUE_CRC], input[MINOR + 2..PROLOGUE_CRC]);
            assert_eq!(written[PROLOGUE_LEN..], input[PROLOGUE_LEN..]);
            if input[MINOR..MINOR + 2] == [0, 0] {
                assert_eq!(written, input);
            }
        }
    }
    assert!(verdict.reasons().iter().all(|note| note.is_note()), "reading a profile judges nothing");
}

/// The input with both checksums right, whatever else is wrong with it.
fn mended(input: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = input.to_vec();
    let (prologue, rest) = bytes.split_first_chunk_mut::<PROLOGUE_LEN>()?;
    let length = u32::from_le_bytes(*prologue[HEADER_LEN..].first_chunk()?);
    let header = rest.get(..usize::try_from(length).ok()?).unwrap_or(rest);
    prologue[HEADER_CRC..HEADER_CRC + 4].copy_from_slice(&crc32c(header).to_le_bytes());
    let crc = crc32c(&prologue[..PROLOGUE_CRC]);
    prologue[PROLOGUE_CRC..].copy_from_slice(&crc.to_le_bytes());
    Some(bytes)
}
