//! What is known here.

use transire_core::format::{Hold, Role};
use transire_core::vendors::VENDORS;

use crate::call::{Versioned, guarded, write_sized};
use crate::status::{Status, TRANSIRE_NOT_FOUND};
use crate::text::Text;

/// The stream that a device was saved as.
pub const TRANSIRE_ROLE_SOURCE: u32 = 1;
/// What a target says of itself.
pub const TRANSIRE_ROLE_TARGET: u32 = 2;
/// An envelope around another format.
pub const TRANSIRE_ROLE_ENVELOPE: u32 = 3;
/// A file or connection that holds device streams among other things.
pub const TRANSIRE_ROLE_CONTAINER: u32 = 4;

/// One native format. `size` is set to `sizeof(transire_format)` before the call; all texts are static.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// `sizeof(transire_format)`.
    pub size: usize,
    /// Whose bytes these are: `TRANSIRE_ROLE_SOURCE`, `_TARGET`, `_ENVELOPE` or `_CONTAINER`.
    pub role: u32,
    /// Bytes from the start within which the early verdict is known; 0 where only the end tells.
    pub judged_within: u32,
    /// Bytes that a gate must see at once before it releases any of them: of a stream, a record or a beginning.
    pub hold: u32,
    /// Not used, 0.
    pub reserved: u32,
    /// The name, as it is chosen by.
    pub name: Text,
    /// The vendor that it belongs to.
    pub vendor: Text,
    /// What it is, for people.
    pub title: Text,
}

// SAFETY: `repr(C)`, beginning with `size`.
unsafe impl Versioned for Format {
    const FIRST: usize = size_of::<Self>();
}

/// How many native formats are known.
#[unsafe(no_mangle)]
pub extern "C" fn transire_format_count() -> usize {
    VENDORS.formats().count()
}

/// A native format, by its number from 0 to below `transire_format_count`.
///
/// Codes: `TRANSIRE_NOT_FOUND`, `TRANSIRE_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_format_at(index: usize, format: *mut Format) -> Status {
    guarded(|| {
        let known = VENDORS.formats().nth(index).ok_or(TRANSIRE_NOT_FOUND)?;
        let told = Format {
            size: size_of::<Format>(),
            role: match known.role {
                Role::Source => TRANSIRE_ROLE_SOURCE,
                Role::Target => TRANSIRE_ROLE_TARGET,
                Role::Envelope => TRANSIRE_ROLE_ENVELOPE,
                Role::Container => TRANSIRE_ROLE_CONTAINER,
            },
            judged_within: known.judged_within.unwrap_or(0),
            hold: match known.hold {
                Hold::Whole(bytes) | Hold::Record(bytes) | Hold::Prefix(bytes) => bytes,
            },
            reserved: 0,
            name: Text::of(known.name),
            vendor: Text::of(known.vendor),
            title: Text::of(known.title),
        };
        // SAFETY: the pointer is as the caller promises.
        unsafe { write_sized(format, &told) }
    })
}
