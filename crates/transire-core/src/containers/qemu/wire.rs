//! Big-endian numbers and counted strings, as QEMU's file layer writes them (`migration/qemu-file.c`).

use crate::bytes::{Reader as Bytes, Short};
use crate::verdict::Reason;

/// Why a structure could not be read.
pub(super) enum Stop {
    /// So many more bytes are needed at the least.
    Short(usize),
    /// It is wrong.
    Fail(Reason),
}

impl From<Short> for Stop {
    fn from(short: Short) -> Self {
        Self::Short(short.missing)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Fail(reason)
    }
}

/// What reading a structure comes to.
pub(super) type Read<T> = Result<T, Stop>;

pub(super) fn be16(bytes: &mut Bytes<'_>) -> Result<u16, Short> {
    bytes.u16().map(u16::swap_bytes)
}

pub(super) fn be32(bytes: &mut Bytes<'_>) -> Result<u32, Short> {
    bytes.u32().map(u32::swap_bytes)
}

pub(super) fn be64(bytes: &mut Bytes<'_>) -> Result<u64, Short> {
    bytes.u64().map(u64::swap_bytes)
}

/// A string of at most 255 bytes behind its length.
pub(super) fn counted<'a>(bytes: &mut Bytes<'a>) -> Result<&'a [u8], Short> {
    let length = bytes.u8()?;
    bytes.take(usize::from(length))
}

/// A string of a fixed field, up to its first NUL.
pub(super) fn padded(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

/// As many of the bytes as `left` allows.
pub(super) fn within(bytes: &[u8], left: u64) -> &[u8] {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(..count).unwrap_or(bytes)
}

/// How many bytes `bytes` has read since it stood at `start`.
pub(super) fn used(bytes: &Bytes<'_>, start: u64) -> usize {
    usize::try_from(bytes.offset().saturating_sub(start)).unwrap_or(usize::MAX)
}

/// Whether a name can be an identity string: those of QEMU are printable ASCII.
pub(super) fn printable(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| (0x20..0x7f).contains(byte))
}
