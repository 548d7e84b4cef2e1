//! The first 32 bytes of everything that this project writes: the same layout in every version, checkable by itself, so
//! that damage is never mistaken for a newer version and no length is trusted before it is checked.
//!
//! Source of the layout: `docs/format.md`, section "Prologue".

use crate::bytes::Reader;
use crate::checksum::crc32c;
use crate::verdict::{Datum, Reason, reasons};

/// The first eight bytes.
pub const MAGIC: [u8; 8] = *b"TRANSIRE";
/// Bytes of the prologue.
pub const PROLOGUE_LEN: usize = 32;
/// Longest header, in bytes. The largest profile that any vendor's table can fill is far below it; a reader can hold
/// it whole before it trusts anything in it.
pub const HEADER_MAX: u32 = 65_536;
/// The major version that is written and read.
pub const MAJOR: u16 = 1;
/// The minor version that is written; a higher one is read.
pub const MINOR: u16 = 0;

/// What follows the prologue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Content {
    /// A header, and nothing behind it.
    Profile = 1,
    /// A header, and frames.
    Sealed = 2,
    /// A header, and nothing behind it: what the target of a sealed stream says back to its source.
    Answer = 3,
}

impl Content {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// A prologue whose every field is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prologue {
    /// Bytes of header that follow, 1 to 65,536.
    pub header_len: u32,
    /// CRC-32C of the header.
    pub header_crc: u32,
    /// The writer's minor version.
    pub minor: u16,
    /// What follows.
    pub content: Content,
    /// CRC-32C of the 28 bytes before it: also what ties frames to this header.
    pub crc: u32,
}

impl Prologue {
    /// The prologue of a header.
    pub fn of(content: Content, header: &[u8]) -> Option<Self> {
        Self::before(content, header.len(), crc32c(header))
    }

    /// The prologue of a header that has so many bytes and this checksum.
    pub(crate) fn before(content: Content, length: usize, header_crc: u32) -> Option<Self> {
        let header_len = u32::try_from(length).ok().filter(|len| (1..=HEADER_MAX).contains(len))?;
        let mut prologue = Self { header_len, header_crc, minor: MINOR, content, crc: 0 };
        prologue.crc = prologue.checksum();
        Some(prologue)
    }

    /// Reads the prologue, whose magic has been recognised. The order of the checks is normative.
    pub fn read(bytes: &[u8; PROLOGUE_LEN]) -> Result<Self, Reason> {
        let damaged = |_| Reason::at(reasons::PROLOGUE_TRUNCATED, 0);
        let mut reader = Reader::new(bytes);
        reader.take(MAGIC.len()).map_err(damaged)?;
        let header_len = reader.u32().map_err(damaged)?;
        let header_crc = reader.u32().map_err(damaged)?;
        let major = reader.u16().map_err(damaged)?;
        let minor = reader.u16().map_err(damaged)?;
        let content = reader.u8().map_err(damaged)?;
        let zero: [u8; 3] = reader.array().map_err(damaged)?;
        let features = reader.u32().map_err(damaged)?;
        let crc = reader.u32().map_err(damaged)?;

        let computed = crc32c(&bytes[..PROLOGUE_LEN - 4]);
        if crc != computed {
            return Err(wire(reasons::PROLOGUE_CRC, 28, 4, crc, computed));
        }
        if major != MAJOR {
            return Err(wire(reasons::PROLOGUE_MAJOR, 16, 2, major, MAJOR));
        }
        let content = match content {
            1 => Content::Profile,
            2 => Content::Sealed,
            3 => Content::Answer,
            other => {
                return Err(Reason::at(reasons::PROLOGUE_CONTENT, 20)
                    .spanning(20, 1)
                    .because(Datum::Wire(u64::from(other)), Datum::Word("1, 2 or 3")));
            }
        };
        if zero != [0; 3] {
            let found = crate::bytes::little_endian(&zero);
            return Err(Reason::at(reasons::PROLOGUE_ZERO, 21)
                .spanning(21, 3)
                .because(Datum::Wire(found), Datum::Wire(0)));
        }
        if features != 0 {
            return Err(wire(reasons::PROLOGUE_FEATURES, 24, 4, features, 0_u32));
        }
        if !(1..=HEADER_MAX).contains(&header_len) {
            return Err(Reason::at(reasons::PROLOGUE_HEADER_LEN, 8)
                .spanning(8, 4)
                .because(Datum::Count(u64::from(header_len)), Datum::Word("1 to 65536")));
        }
        Ok(Self { header_len, header_crc, minor, content, crc })
    }

    /// The bytes of the prologue: the mirror of [`Prologue::read`].
    pub fn write(&self) -> [u8; PROLOGUE_LEN] {
        let mut bytes = [0; PROLOGUE_LEN];
        bytes[..28].copy_from_slice(&self.unchecked());
        bytes[28..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    fn checksum(&self) -> u32 {
        crc32c(&self.unchecked())
    }

    fn unchecked(&self) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.header_len.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.header_crc.to_le_bytes());
        bytes[16..18].copy_from_slice(&MAJOR.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.minor.to_le_bytes());
        bytes[20] = self.content.code();
        bytes
    }
}

fn wire<T: Into<u64>>(id: crate::verdict::ReasonId, offset: u64, length: u32, found: T, required: T) -> Reason {
    Reason::at(id, offset).spanning(offset, length).because(Datum::Wire(found.into()), Datum::Wire(required.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn written_and_read() {
        let prologue = Prologue::of(Content::Sealed, b"header").unwrap();
        let bytes = prologue.write();
        assert_eq!(Prologue::read(&bytes), Ok(prologue));
        assert!(Prologue::of(Content::Profile, b"").is_none());
        assert!(Prologue::of(Content::Profile, &vec![0; 65_536]).is_some());
        assert!(Prologue::of(Content::Profile, &vec![0; 65_537]).is_none());
    }

    #[test]
    fn every_check_has_its_reason_and_comes_in_order() {
        let good = Prologue::of(Content::Profile, b"header").unwrap().write();
        // (offset, new bytes, whether the checksum is made right again, the reason, its offset)
        let cases: &[(usize, &[u8], bool, _, u64)] = &[
            (16, &[2], false, reasons::PROLOGUE_CRC, 28),
            (28, &[0, 0, 0, 0], false, reasons::PROLOGUE_CRC, 28),
            (16, &[2], true, reasons::PROLOGUE_MAJOR, 16),
            (16, &[0], true, reasons::PROLOGUE_MAJOR, 16),
            (16, &[2, 0, 0, 0, 9], true, reasons::PROLOGUE_MAJOR, 16),
            (20, &[4], true, reasons::PROLOGUE_CONTENT, 20),
            (20, &[0], true, reasons::PROLOGUE_CONTENT, 20),
            (20, &[4, 1], true, reasons::PROLOGUE_CONTENT, 20),
            (23, &[1], true, reasons::PROLOGUE_ZERO, 21),
            (23, &[1, 1], true, reasons::PROLOGUE_ZERO, 21),
            (24, &[1], true, reasons::PROLOGUE_FEATURES, 24),
            (8, &[0, 0, 0, 0], true, reasons::PROLOGUE_HEADER_LEN, 8),
            (8, &[1, 0, 1, 0], true, reasons::PROLOGUE_HEADER_LEN, 8),
        ];
        for (at, new, mended, id, offset) in cases {
            let mut bytes = good;
            bytes[*at..at + new.len()].copy_from_slice(new);
            if *mended {
                let crc = crc32c(&bytes[..28]);
                bytes[28..].copy_from_slice(&crc.to_le_bytes());
            }
            let reason = Prologue::read(&bytes).unwrap_err();
            assert_eq!((reason.id, reason.offset()), (*id, Some(*offset)), "{at} {new:?}");
        }
        let mut newer = good;
        newer[18] = 7;
        let crc = crc32c(&newer[..28]);
        newer[28..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Prologue::read(&newer).map(|prologue| prologue.minor), Ok(7), "a higher minor is read");
        assert_eq!(Prologue::read(&newer).unwrap().write(), newer);
    }
}
