//! The header that libvirt puts before a migration stream of QEMU: that of `virsh save`, of managed saves, and of the
//! memory of snapshots.
//!
//! Facts: libvirt 11.3 `src/qemu/qemu_saveimage.h` and `.c`. 92 bytes, in the byte order of the host that saved; behind it
//! the domain as XML, a cookie, and padding; then the stream, compressed as a whole or not.

use crate::bytes::{Reader as Bytes, index, widen};
use crate::format::Likeness;
use crate::magic::{First, Magic};
use crate::verdict::{Datum, Reason};

/// The first 16 bytes of a finished image.
pub const MAGIC: [u8; 16] = *b"LibvirtQemudSave";
/// The first 16 bytes while it is being written, and of one that was never finished.
pub const MAGIC_PARTIAL: [u8; 16] = *b"LibvirtQemudPart";
/// Bytes of the header.
pub const HEADER_LEN: usize = 92;
/// Bytes of the longest XML, cookie and padding that are believed. libvirt has no limit; a domain has some 10 KB of XML and
/// 64 KB of padding.
pub const DATA_MAX: u32 = 64 << 20;

/// The version of the header.
const VERSION: u32 = 2;

/// The reasons that only this header gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        TRUNCATED: "libvirt.truncated", Truncated,
            "the input ends inside the header of a libvirt save image, or inside the domain's XML",
            "send the whole file";
        UNFINISHED: "libvirt.unfinished", Truncated,
            "the save image was never finished: libvirt marks it when all has been written",
            "save the domain again";
        VERSION: "libvirt.version", Unrecognized,
            "the save image has a version other than 1 or 2",
            "update transire";
        DATA_LENGTH: "libvirt.data-length", Corrupt,
            "the length of XML and cookie is 0 or beyond all measure, or the cookie lies outside of it",
            "the header was damaged: save the domain again";
        FORMAT: "libvirt.format", Unrecognized,
            "the save image is compressed in a way that is not known here",
            "update transire";
        COMPRESSED: "libvirt.compressed", Unrecognized,
            "the stream in the save image is compressed as a whole",
            "decompress what stands behind the header, and give that; or save with save_image_format = \"raw\"";
    }
}

/// How the stream behind the header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Format {
    /// As it is.
    Raw = 0,
    /// gzip.
    Gzip = 1,
    /// bzip2.
    Bzip2 = 2,
    /// xz.
    Xz = 3,
    /// lzop.
    Lzop = 4,
    /// zstd.
    Zstd = 5,
    /// As it is, with mapped-ram: offsets in it count from the beginning of the file.
    Sparse = 6,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] = [Self::Raw, Self::Gzip, Self::Bzip2, Self::Xz, Self::Lzop, Self::Zstd, Self::Sparse];

    /// The name, as libvirt's configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lzop => "lzop",
            Self::Zstd => "zstd",
            Self::Sparse => "sparse",
        }
    }

    /// Whether the stream can be walked where it stands.
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Raw | Self::Sparse)
    }
}

/// The header of a save image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveImage {
    /// Whether libvirt finished writing it.
    pub is_finished: bool,
    /// Whether numbers are big-endian.
    pub is_big_endian: bool,
    /// The version, 1 or 2.
    pub version: u32,
    /// Bytes of XML, cookie and padding behind the header.
    pub data_len: u32,
    /// Whether the domain ran when it was saved.
    pub was_running: bool,
    /// How the stream is written.
    pub format: Format,
    /// Where the cookie begins behind the header; 0 without one.
    pub cookie_offset: u32,
}

/// What the first bytes come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opened {
    /// The input must hold so many bytes.
    Need(usize),
    /// The header.
    Image(SaveImage),
    /// No image, or none that can be read.
    Refused(Reason),
}

/// Whether the first bytes are those of a save image.
pub fn likeness(prefix: &[u8]) -> Likeness {
    Magic::likeness_of(&[Magic::new(&MAGIC), Magic::new(&MAGIC_PARTIAL)], First::of(prefix))
}

impl SaveImage {
    /// Reads the header from the first bytes of a file, `eof` when there are no more.
    pub fn open(prefix: &[u8], eof: bool) -> Opened {
        let end = widen(prefix.len());
        match likeness(prefix) {
            Likeness::Certain | Likeness::Short => {}
            _ => return Opened::Refused(Reason::at(crate::verdict::reasons::MAGIC_UNRECOGNIZED, 0)),
        }
        match Self::read(prefix) {
            Ok(Ok(image)) => Opened::Image(image),
            Ok(Err(reason)) => Opened::Refused(reason),
            Err(_) if eof => {
                let (found, required) = (Datum::Count(end), Datum::Count(widen(HEADER_LEN)));
                Opened::Refused(Reason::at(reasons::TRUNCATED, end).because(found, required))
            }
            Err(_) => Opened::Need(HEADER_LEN),
        }
    }

    fn read(prefix: &[u8]) -> Result<Result<Self, Reason>, crate::bytes::Short> {
        let mut bytes = Bytes::new(prefix);
        let mut header = bytes.sub(HEADER_LEN)?;
        let magic: [u8; 16] = header.array()?;
        let mut numbers = [0_u32; 5];
        for number in &mut numbers {
            *number = header.u32()?;
        }
        // A version beyond the known ones that is a known one in the other byte order shows that the numbers are in it.
        let is_big_endian =
            numbers.first().is_some_and(|version| *version > VERSION && version.swap_bytes() <= VERSION);
        if is_big_endian {
            numbers = numbers.map(u32::swap_bytes);
        }
        let [version, data_len, was_running, format, cookie_offset] = numbers;
        let wrong = |id, at, found: u32, required| {
            let reason = Reason::at(id, at).spanning(at, 4);
            Ok(Err(reason.because(Datum::Wire(u64::from(found)), required)))
        };
        if version == 0 || version > VERSION {
            return wrong(reasons::VERSION, 16, version, Datum::Count(u64::from(VERSION)));
        }
        if data_len == 0 || data_len > DATA_MAX {
            return wrong(reasons::DATA_LENGTH, 20, data_len, Datum::Wire(u64::from(DATA_MAX)));
        }
        let Some(format) = Format::ALL.into_iter().find(|known| *known as u32 == format) else {
            return wrong(reasons::FORMAT, 28, format, Datum::Word("0 to 6"));
        };
        if cookie_offset >= data_len {
            return wrong(reasons::DATA_LENGTH, 32, cookie_offset, Datum::Wire(u64::from(data_len)));
        }
        let (is_finished, was_running) = (magic == MAGIC, was_running != 0);
        Ok(Ok(Self { is_finished, is_big_endian, version, data_len, was_running, format, cookie_offset }))
    }

    /// Offset at which the stream begins.
    pub fn stream_offset(&self) -> u64 {
        widen(HEADER_LEN).saturating_add(u64::from(self.data_len))
    }

    /// What keeps the stream from being walked, if anything does.
    pub fn finding(&self) -> Option<Reason> {
        if !self.is_finished {
            return Some(Reason::at(reasons::UNFINISHED, 0).spanning(0, 16));
        }
        let reason = Reason::at(reasons::COMPRESSED, 28).spanning(28, 4);
        (!self.format.is_plain()).then(|| reason.because(Datum::Word(self.format.name()), Datum::Word("raw or sparse")))
    }

    /// The domain's XML and the cookie, of the bytes behind the header.
    pub fn documents<'a>(&self, data: &'a [u8]) -> (&'a [u8], Option<&'a [u8]>) {
        fn text(bytes: &[u8]) -> &[u8] {
            bytes.split(|&byte| byte == 0).next().unwrap_or(bytes)
        }
        let data = data.get(..index(self.data_len)).unwrap_or(data);
        let cookie = data.get(index(self.cookie_offset)..).filter(|_| self.cookie_offset > 0);
        (text(data), cookie.map(text))
    }
}
