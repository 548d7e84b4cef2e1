//! Text from and to the caller.

use std::ffi::c_char;

use crate::call::{bytes, copy};
use crate::status::{Status, TRANSIRE_INVALID_ARGUMENT};

/// UTF-8 text of a length: nothing ends it. `{NULL, 0}` is no text.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The first byte.
    pub bytes: *const c_char,
    /// How many bytes there are.
    pub length: usize,
}

impl Text {
    /// No text.
    pub const NONE: Self = Self { bytes: std::ptr::null(), length: 0 };

    /// Text that lives as long as what it was taken from.
    pub(crate) const fn of(text: &str) -> Self {
        Self { bytes: text.as_ptr().cast(), length: text.len() }
    }

    /// The caller's text; `None` for none.
    ///
    /// # Safety
    /// The bytes can be read, and nobody changes them meanwhile.
    pub(crate) unsafe fn read<'a>(self) -> Result<Option<&'a str>, Status> {
        // SAFETY: the caller's promise, which is this function's own.
        let bytes = unsafe { bytes(self.bytes, self.length) }?;
        let text = std::str::from_utf8(bytes).map_err(|_| TRANSIRE_INVALID_ARGUMENT)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// Writes a message to the caller's buffer, with a NUL behind it: as much as fits, and no half characters.
///
/// # Safety
/// So many bytes can be written at the pointer.
pub(crate) unsafe fn write_message(text: &str, buffer: *mut c_char, capacity: usize) -> Result<(), Status> {
    let Some(room) = capacity.checked_sub(1) else { return Ok(()) };
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let fitting = text.get(..end).unwrap_or_default();
    // SAFETY: the text and its NUL are at most `capacity` bytes.
    unsafe {
        copy(fitting.as_bytes(), buffer, capacity)?;
        copy(b"\0", buffer.add(fitting.len()), 1)
    }
}

/// Texts that are put into the caller's buffer one behind the other, each with a NUL behind it.
pub(crate) struct Shelf {
    buffer: *mut c_char,
    capacity: usize,
    used: usize,
}

impl Shelf {
    /// An empty one.
    ///
    /// # Safety
    /// So many bytes can be written at the pointer, for as long as the shelf lives.
    pub(crate) unsafe fn new(buffer: *mut c_char, capacity: usize) -> Result<Self, Status> {
        if buffer.is_null() && capacity > 0 || isize::try_from(capacity).is_err() {
            return Err(TRANSIRE_INVALID_ARGUMENT);
        }
        Ok(Self { buffer, capacity, used: 0 })
    }

    /// Puts a text behind the last; where it does not fit, it is only counted.
    pub(crate) fn put(&mut self, text: Option<&str>) -> Text {
        let Some(text) = text else { return Text::NONE };
        let start = self.used;
        self.used = self.used.saturating_add(text.len()).saturating_add(1);
        if self.used > self.capacity {
            return Text::NONE;
        }
        // SAFETY: text and NUL end at `used`, which is at most the capacity that was promised; the text is none of the
        // caller's memory.
        unsafe {
            let place = self.buffer.add(start);
            place.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
            place.add(text.len()).write(0);
            Text { bytes: place, length: text.len() }
        }
    }

    /// Bytes that all texts take.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// Whether all of them fit.
    pub(crate) const fn fits(&self) -> bool {
        self.used <= self.capacity
    }
}
