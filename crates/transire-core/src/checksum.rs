//! CRC-32C (Castagnoli), the checksum of the sealed stream: check value of `123456789` 0xE3069283.
//!
//! With `std` the arithmetic is `crc_fast`'s, which picks SIMD at run time; without, and in the tests beside it, that of
//! a table. (`crc_fast` 1.10 does not build for x86-64 without `std`.)

/// The checksum of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_of_two(bytes, &[])
}

/// The checksum of `first` and then `second`, as if they stood in one slice.
pub fn crc32c_of_two(first: &[u8], second: &[u8]) -> u32 {
    #[cfg(feature = "std")]
    if second.is_empty() {
        return crc_fast::crc32_iscsi(first);
    }
    let mut running = Crc32c::new();
    running.update(first);
    running.update(second);
    running.value()
}

/// The checksum of bytes that come in pieces, as if they stood in one slice. Allocates nothing.
pub struct Crc32c {
    #[cfg(feature = "std")]
    digest: crc_fast::Digest,
    #[cfg(not(feature = "std"))]
    register: u32,
}

#[cfg(feature = "std")]
impl Crc32c {
    /// Of no bytes.
    pub fn new() -> Self {
        Self { digest: crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi) }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The checksum of everything so far.
    pub fn value(&self) -> u32 {
        // A 32-bit checksum in a 64-bit register: the high half is zero.
        u32::try_from(self.digest.finalize() & 0xffff_ffff).unwrap_or_default()
    }
}

#[cfg(not(feature = "std"))]
impl Crc32c {
    /// Of no bytes.
    pub fn new() -> Self {
        Self { register: table::START }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.register = table::update(self.register, bytes);
    }

    /// The checksum of everything so far.
    pub fn value(&self) -> u32 {
        !self.register
    }
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

/// Byte by byte, from a table: the fallback, and what the fast one is held against.
#[cfg(any(test, not(feature = "std")))]
mod table {
    /// The polynomial, reflected (RFC 3720, appendix B.4).
    const POLYNOMIAL: u32 = 0x82f6_3b78;

    static TABLE: [u32; 256] = table();

    const fn table() -> [u32; 256] {
        let mut table = [0; 256];
        let mut byte = 0_u32;
        let mut at = 0;
        while at < table.len() {
            let mut crc = byte;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
                bit += 1;
            }
            table[at] = crc;
            at += 1;
            byte += 1;
        }
        table
    }

    /// The register before the first byte; its complement at the end is the checksum.
    pub(super) const START: u32 = u32::MAX;

    pub(super) fn update(register: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(register, |crc, &byte| {
            let [low, ..] = crc.to_le_bytes();
            TABLE[usize::from(low ^ byte)] ^ crc >> 8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Bit by bit, from the polynomial alone (RFC 3720, appendix B.4, reflected).
    fn reference(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
        })
    }

    fn of_table(first: &[u8], second: &[u8]) -> u32 {
        !table::update(table::update(table::START, first), second)
    }

    #[test]
    fn check_values() {
        // RFC 3720, appendix B.4, and the catalogue's check value.
        let ascending: Vec<u8> = (0..32).collect();
        let cases: &[(&[u8], u32)] = &[
            (b"", 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
        ];
        for (bytes, expected) in cases {
            assert_eq!(crc32c(bytes), *expected, "{bytes:?}");
            assert_eq!(reference(bytes), *expected, "{bytes:?}");
            assert_eq!(of_table(bytes, &[]), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_fast_one_agrees_with_the_polynomial_at_every_length_and_split() {
        let bytes: Vec<u8> = (0..2048_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for length in (0..300).chain([511, 512, 513, 1023, 1024, 1025, 2047, 2048]) {
            let bytes = &bytes[..length];
            let expected = reference(bytes);
            assert_eq!(crc32c(bytes), expected, "{length} bytes");
            for split in [0, length / 3, length / 2, length] {
                let (first, second) = bytes.split_at(split);
                assert_eq!(crc32c_of_two(first, second), expected, "{length} bytes, split at {split}");
                assert_eq!(of_table(first, second), expected, "{length} bytes, split at {split}");
            }
        }
    }

    #[test]
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    fn simd_is_chosen_at_run_time() {
        extern crate std;
        let target = crc_fast::get_calculator_target(crc_fast::CrcAlgorithm::Crc32Iscsi);
        let simd = std::is_x86_feature_detected!("sse4.1") && std::is_x86_feature_detected!("pclmulqdq");
        assert_eq!(target.starts_with("x86_64-"), simd, "{target}");
    }
}
