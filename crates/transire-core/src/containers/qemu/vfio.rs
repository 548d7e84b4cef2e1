//! The records of a VFIO device.
//!
//! Facts: QEMU `hw/vfio/migration.c` and `hw/vfio/vfio-migration-internal.h`; the configuration record is the vmstate
//! `VFIOPCIDevice` of `hw/vfio/pci.c`, with the MSI-X table of `hw/pci/msix.c`. Tags are big-endian; the bytes of
//! configuration space and MSI-X table are as hardware has them.

use super::event::{ConfigLayout, Tag};
use super::pci::{CONVENTIONAL_SIZE, ConfigSpace, EXPRESS_SIZE};
use super::reasons;
use super::wire::{Read, Stop, be32, be64};
use crate::bytes::{Reader as Bytes, widen};
use crate::verdict::{Datum, Reason};

/// The version of the section and of its records.
pub(super) const VERSION: u32 = 1;
/// Bytes of a tag.
pub(super) const TAG_LEN: usize = 8;
/// Bytes of the longest record of device data. QEMU since 8.0 writes at most 1 MiB, before that as much as the driver
/// had; no driver has a piece of 4 GiB.
pub const DATA_MAX: u64 = u32::MAX as u64;
/// Bytes of the longest configuration record: with 2,048 vectors, and 4 KiB for what may follow them.
pub const CONFIG_MAX: usize = CONFIG_HEAD + EXPRESS_SIZE + PINS_LEN + 2048 * VECTOR_LEN + 256 + CONFIG_REST_MAX;

/// An end tag and a footer.
const MARK_LEN: usize = TAG_LEN + 5;
/// What all tags begin with, in their upper 48 bits.
const TAG_PREFIX: u64 = 0xffff_ffff_ef10;
const END: u64 = 0xffff_ffff_ef10_0001;
/// Tag and version before the configuration space.
pub(super) const CONFIG_HEAD: usize = 12;
/// The newest version of a PCI device's part.
const PCI_VERSION: u32 = 2;
const PINS_LEN: usize = 16;
const VECTOR_LEN: usize = 16;
/// Bytes that may follow the known parts.
const CONFIG_REST_MAX: usize = 4096;

/// What a section's idstr says: whether its handler is that of a VFIO device.
pub(super) fn is_vfio(name: &[u8]) -> bool {
    name == b"vfio" || name.ends_with(b"/vfio")
}

/// Reads a tag.
pub(super) fn tag(bytes: &mut Bytes<'_>) -> Read<Tag> {
    let at = bytes.offset();
    let number = be64(bytes)?;
    let id = if number >> 16 == TAG_PREFIX { reasons::VFIO_TAG_UNKNOWN } else { reasons::VFIO_TAG };
    match number {
        END => Ok(Tag::EndOfState),
        0xffff_ffff_ef10_0002 => Ok(Tag::Config),
        0xffff_ffff_ef10_0003 => Ok(Tag::Setup),
        0xffff_ffff_ef10_0004 => Ok(Tag::Data),
        0xffff_ffff_ef10_0005 => Ok(Tag::InitialDataSent),
        0xffff_ffff_ef10_0006 => Ok(Tag::ConfigLoadReady),
        _ => Err(Reason::at(id, at).spanning(at, 8).because(Datum::Wire(number), Datum::None).into()),
    }
}

/// What shows where a configuration record ends.
#[derive(Clone, Copy)]
pub(super) enum ConfigEnd {
    /// It has so many bytes, the end tag not counted.
    At(usize),
    /// The end tag stands behind it, and then these bytes (a footer, or none).
    Mark { footer: [u8; 5], has_footer: bool },
}

/// Sizes and decodes the configuration record at the beginning of `input`, tag included. The second value tells whether
/// its end had to be searched for.
pub(super) fn config(input: &[u8], offset: u64, eof: bool, end: ConfigEnd) -> Read<(usize, ConfigLayout, bool)> {
    let mut bytes = Bytes::at(input, offset);
    bytes.take(TAG_LEN)?;
    let version = be32(&mut bytes)?;
    if version > PCI_VERSION {
        let at = offset.saturating_add(widen(TAG_LEN));
        let found = Datum::Count(u64::from(version));
        return Err(config_wrong(at, 4, found, Datum::Count(u64::from(PCI_VERSION))));
    }
    let space = bytes.take(CONVENTIONAL_SIZE).map(ConfigSpace)?;
    let vectors = space.msix_vectors().unwrap_or(0);
    let candidates = [(CONVENTIONAL_SIZE, 0), (CONVENTIONAL_SIZE, vectors), (EXPRESS_SIZE, 0), (EXPRESS_SIZE, vectors)];
    let length_of = |(space, vectors): (usize, u16)| {
        let vectors = usize::from(vectors);
        CONFIG_HEAD + space + PINS_LEN + vectors * VECTOR_LEN + vectors.div_ceil(8)
    };
    if let ConfigEnd::At(length) = end {
        let exact = candidates.into_iter().find(|candidate| length_of(*candidate) == length);
        // A part that is not known here follows the known ones.
        let fits = || candidates.into_iter().rev().find(|candidate| length_of(*candidate) <= length);
        let Some(candidate) = exact.or_else(fits).filter(|_| length <= CONFIG_MAX) else {
            return Err(config_wrong(offset, 8, Datum::Count(widen(length)), Datum::None));
        };
        let rest = length.saturating_sub(length_of(candidate));
        return decode(input, offset, candidate, rest).map(|layout| (length, layout, false));
    }
    for candidate in candidates {
        let length = length_of(candidate);
        if ends_at(input, length, eof, end)? {
            return decode(input, offset, candidate, 0).map(|layout| (length, layout, false));
        }
    }
    // With a part that is not known here: the end tag is looked for behind the known ones.
    let [shortest, .., longest] = candidates.map(length_of);
    let window = longest.saturating_add(CONFIG_REST_MAX).saturating_add(MARK_LEN);
    if input.len() < window && !eof {
        return Err(Stop::Short(window.saturating_sub(input.len())));
    }
    for length in shortest..=longest.saturating_add(CONFIG_REST_MAX) {
        if ends_at(input, length, eof, end)? {
            let fits = candidates.into_iter().rev().find(|candidate| length_of(*candidate) <= length);
            let candidate = fits.unwrap_or((CONVENTIONAL_SIZE, 0));
            let rest = length.saturating_sub(length_of(candidate));
            return decode(input, offset, candidate, rest).map(|layout| (length, layout, true));
        }
    }
    let needed = longest.saturating_add(MARK_LEN);
    if input.len() < needed {
        return Err(Stop::Short(needed.saturating_sub(input.len())));
    }
    Err(config_wrong(offset, 8, Datum::None, Datum::Word("the end tag behind it")))
}

fn config_wrong(at: u64, length: u32, found: Datum, required: Datum) -> Stop {
    Reason::at(reasons::VFIO_CONFIG, at).spanning(at, length).because(found, required).into()
}

/// Whether an end tag, and the footer where there is one, stand behind `length` bytes.
fn ends_at(input: &[u8], length: usize, eof: bool, end: ConfigEnd) -> Result<bool, Stop> {
    let ConfigEnd::Mark { footer, has_footer } = end else { return Ok(false) };
    let mut mark = [0; MARK_LEN];
    if let Some((tag, rest)) = mark.split_first_chunk_mut::<TAG_LEN>() {
        *tag = END.to_be_bytes();
        rest.copy_from_slice(&footer);
    }
    let mark = if has_footer { mark.as_slice() } else { mark.get(..TAG_LEN).unwrap_or(&mark) };
    let there = input.get(length..).unwrap_or(&[]);
    if there.len() < mark.len() && mark.starts_with(there) && !eof {
        return Err(Stop::Short(length.saturating_add(mark.len()).saturating_sub(input.len())));
    }
    Ok(there.starts_with(mark))
}

fn decode(input: &[u8], offset: u64, (space, vectors): (usize, u16), rest: usize) -> Read<ConfigLayout> {
    let mut bytes = Bytes::at(input, offset);
    bytes.take(CONFIG_HEAD + space)?;
    let mut pins = [0; 4];
    for pin in &mut pins {
        let at = bytes.offset();
        *pin = be32(&mut bytes)?;
        if *pin > 1 {
            return Err(config_wrong(at, 4, Datum::Wire(u64::from(*pin)), Datum::Word("0 or 1")));
        }
    }
    let vectors_len = usize::from(vectors) * VECTOR_LEN + usize::from(vectors).div_ceil(8);
    bytes.take(vectors_len)?;
    bytes.take(rest)?;
    let space = u16::try_from(space).unwrap_or(u16::MAX);
    Ok(ConfigLayout { offset, space, pins, vectors, rest: u32::try_from(rest).unwrap_or(u32::MAX) })
}
