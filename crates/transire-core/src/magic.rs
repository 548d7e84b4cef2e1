//! Magics: the first bytes that one kind of input has and nothing else.

use crate::format::Likeness;

/// Most bytes of a magic: libvirt's has as many.
pub const MAGIC_MAX: usize = 16;

/// The bytes that an input begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Magic {
    bits: u128,
    /// The bits that count.
    mask: u128,
    length: usize,
}

impl Magic {
    /// This magic.
    ///
    /// # Panics
    /// It has not 1 to [`MAGIC_MAX`] bytes: such a constant does not compile.
    pub const fn new(bytes: &[u8]) -> Self {
        assert!(!bytes.is_empty() && bytes.len() <= MAGIC_MAX, "1 to 16 bytes");
        let mut magic = Self { bits: 0, mask: 0, length: bytes.len() };
        let mut rest = bytes;
        while let [before @ .., byte] = rest {
            magic.bits = magic.bits << 8 | *byte as u128;
            magic.mask = magic.mask << 8 | 0xff;
            rest = before;
        }
        magic
    }

    /// Whether the input begins with one of these.
    #[inline]
    pub fn likeness_of(magics: &[Self], first: First) -> Likeness {
        // Where bytes are lacking, those of the magic count for nothing.
        let alike = |magic: &&Self| (first.bits ^ magic.bits) & magic.mask & first.mask == 0;
        match magics.iter().find(alike) {
            None => Likeness::No,
            Some(magic) if first.length >= magic.length => Likeness::Certain,
            Some(_) if magics.iter().filter(alike).any(|magic| first.length >= magic.length) => Likeness::Certain,
            Some(_) => Likeness::Short,
        }
    }
}

/// As many bytes of an input as magics have: taken once, held against many.
#[derive(Clone, Copy, Debug)]
pub struct First {
    bits: u128,
    /// The bits that are there.
    mask: u128,
    length: usize,
}

impl First {
    /// The first bytes of the input.
    #[inline]
    pub fn of(input: &[u8]) -> Self {
        if let Some(bytes) = input.first_chunk::<MAGIC_MAX>() {
            return Self { bits: u128::from_le_bytes(*bytes), mask: u128::MAX, length: MAGIC_MAX };
        }
        input.iter().rev().fold(Self { bits: 0, mask: 0, length: input.len() }, |first, byte| Self {
            bits: first.bits << 8 | u128::from(*byte),
            mask: first.mask << 8 | 0xff,
            ..first
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_is_known_by_all_of_its_bytes() {
        let four = &[Magic::new(b"LAMP")];
        let two = &[Magic::new(b"LibvirtQemudSave"), Magic::new(b"LibvirtQemudPart")];
        let cases: [(&[Magic], &[u8], Likeness); 12] = [
            (four, b"LAMP", Likeness::Certain),
            (four, b"LAMP and more than 16 bytes", Likeness::Certain),
            (four, b"", Likeness::Short),
            (four, b"L", Likeness::Short),
            (four, b"LAM", Likeness::Short),
            (four, b"M", Likeness::No),
            (four, b"LAMB", Likeness::No),
            (four, b"\0LAMP", Likeness::No),
            (two, b"LibvirtQemudPart", Likeness::Certain),
            (two, b"LibvirtQemudS", Likeness::Short),
            (two, b"LibvirtQemudParS", Likeness::No),
            (&[], b"LAMP", Likeness::No),
        ];
        for (magics, input, expected) in cases {
            assert_eq!(Magic::likeness_of(magics, First::of(input)), expected, "{input:?}");
        }
    }

    #[test]
    fn as_comparing_slices_says() {
        let magics: [&[u8]; 5] =
            [b"\0", b"\0\0\0\0", b"vfap", b"pafv", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"];
        let inputs = magics.iter().flat_map(|magic| (0..=magic.len()).map(|end| [&magic[..end], b"\0v"].concat()));
        for input in inputs.chain(magics.map(<[u8]>::to_vec)) {
            for magic in magics {
                let expected = match () {
                    () if input.starts_with(magic) => Likeness::Certain,
                    () if magic.starts_with(&input) => Likeness::Short,
                    () => Likeness::No,
                };
                assert_eq!(
                    Magic::likeness_of(&[Magic::new(magic)], First::of(&input)),
                    expected,
                    "{magic:?} {input:?}"
                );
            }
        }
    }
}
