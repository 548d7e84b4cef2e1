//! The only place where bytes become numbers.
//!
//! A [`Reader`] is a slice that shrinks as it is read and knows the offset at which it stands, so that every error can
//! name the byte it is about. A nested structure is read through a sub-reader of exactly its length.

use alloc::vec::Vec;

/// A cursor over borrowed bytes. Reading never copies, never allocates and never panics.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: u64,
}

/// Fewer bytes are there than a structure needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Offset at which the missing structure would begin.
    pub offset: u64,
    /// Bytes that it needs and that are not there.
    pub missing: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, whose first byte stands at offset 0.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 0)
    }

    /// Reads `bytes`, whose first byte stands at `offset` of the stream.
    pub const fn at(bytes: &'a [u8], offset: u64) -> Self {
        Self { rest: bytes, offset }
    }

    /// Offset of the next byte, in the stream that the outermost reader was made for.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes that have not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        match self.rest.split_at_checked(count) {
            Some((head, tail)) => {
                self.rest = tail;
                self.offset = self.offset.saturating_add(widen(count));
                Ok(head)
            }
            None => Err(Short { offset: self.offset, missing: count.saturating_sub(self.rest.len()) }),
        }
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.rest = tail;
                self.offset = self.offset.saturating_add(widen(N));
                Ok(*head)
            }
            None => Err(Short { offset: self.offset, missing: N.saturating_sub(self.rest.len()) }),
        }
    }

    /// A reader of exactly the next `count` bytes.
    pub fn sub(&mut self, count: usize) -> Result<Reader<'a>, Short> {
        let offset = self.offset;
        Ok(Reader::at(self.take(count)?, offset))
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Short> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// A little-endian 16-bit number.
    pub fn u16(&mut self) -> Result<u16, Short> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// A little-endian 32-bit number.
    pub fn u32(&mut self) -> Result<u32, Short> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A little-endian 64-bit number.
    pub fn u64(&mut self) -> Result<u64, Short> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

/// Appends numbers to a vector: the mirror of [`Reader`].
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Raw bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    /// A little-endian 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// A little-endian 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// A little-endian 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }
}

/// A length as a stream offset. No platform that Rust supports has a `usize` beyond 64 bits, so the fallback is never
/// taken; it saturates because an offset is only ever reported or compared.
pub fn widen(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A length from the wire as an index; saturates on a 32-bit machine, where no slice is that long.
pub fn index(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Up to eight bytes as a little-endian number; what stands beyond the eighth is ignored.
pub fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The two hex digits of a byte, in lower case.
pub const fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 0xf) as usize]]
}

/// The big-endian number in the first eight bytes, or in all of fewer.
pub fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian_and_offsets_follow() {
        let mut reader = Reader::at(&[1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0x80, 9], 100);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u32(), Ok(3));
        assert_eq!(reader.u64(), Ok(0x8000_0000_0000_0004));
        assert_eq!(reader.offset(), 115);
        assert_eq!(reader.u16(), Err(Short { offset: 115, missing: 1 }));
        assert_eq!(reader.rest(), [9]);
    }

    #[test]
    fn a_sub_reader_ends_where_its_parent_goes_on() {
        let mut reader = Reader::new(&[1, 2, 3]);
        let mut inner = reader.sub(2).unwrap();
        assert_eq!(inner.take(3), Err(Short { offset: 0, missing: 1 }));
        assert_eq!(inner.take(2), Ok(&[1, 2][..]));
        assert!(inner.is_empty());
        assert_eq!(reader.u8(), Ok(3));
        assert_eq!(reader.sub(1).unwrap_err(), Short { offset: 3, missing: 1 });
    }

    #[test]
    fn a_length_of_all_ones_is_short_and_nothing_else() {
        let mut reader = Reader::at(&[0; 4], u64::MAX - 1);
        assert_eq!(reader.take(usize::MAX).unwrap_err().missing, usize::MAX - 4);
        assert_eq!(reader.take(4).map(<[u8]>::len), Ok(4));
        assert_eq!(reader.offset(), u64::MAX);
    }

    #[test]
    fn short_numbers_are_zero_extended() {
        assert_eq!(little_endian(&[]), 0);
        assert_eq!(little_endian(&[0x34, 0x12]), 0x1234);
        assert_eq!(little_endian(&[0xff; 12]), u64::MAX);
        assert_eq!(big_endian(&[]), 0);
        assert_eq!(big_endian(&[0x12, 0x34]), 0x1234);
    }
}
