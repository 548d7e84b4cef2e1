//! Profiles and targets: read from every form that the command line reads, and written.

use std::ffi::c_char;
use std::sync::Arc;

use transire_core::profile;
use transire_core::target;
use transire_core::vendors::VENDORS;
use transire_text::{TEXT_FILE_MAX, TextError, load_profile, load_target, profile_to_json, profile_to_line};

use crate::call::{Place, bytes, copy, give, guarded, room, shared, take};
use crate::status::{Status, TRANSIRE_BUFFER_TOO_SMALL, TRANSIRE_INVALID_ARGUMENT, TRANSIRE_MALFORMED};
use crate::text::write_message;

/// The canonical bytes of a profile: a prologue and a header.
pub const TRANSIRE_FORM_CANONICAL: u32 = 1;
/// One line of text: `transire1.` and base64url, without a line end.
pub const TRANSIRE_FORM_LINE: u32 = 2;
/// JSON, indented.
pub const TRANSIRE_FORM_JSON: u32 = 3;
/// TOML.
pub const TRANSIRE_FORM_TOML: u32 = 4;

/// Memory that reading may take: what the tree of a text costs for each byte of it, and as much again for small ones.
const READ_ROOM: (usize, usize) = (64, 1 << 18);
/// Memory that writing may take: the longest header, 64 KiB, in its longest form, while a string of it grows.
const WRITE_ROOM: usize = 1 << 20;

/// The attributes of a device. Never changes, so any number of threads can use it at once.
pub struct Profile(pub(crate) Arc<profile::Profile>);

/// A device that streams are to be loaded into, and the terms on which it takes them. Never changes, so any number of
/// threads can use it at once.
pub struct Target(pub(crate) Arc<target::Target>);

/// Reads a profile: canonical bytes, JSON, TOML or the one-line text, whichever the bytes are, of at most 1 MiB.
///
/// `profile` receives a handle to be freed with `transire_profile_free`, or NULL. On `TRANSIRE_MALFORMED` what is wrong is
/// written to `message` (NUL-terminated UTF-8, as much as fits into `capacity` bytes; NULL with 0 for none).
///
/// Codes: `TRANSIRE_MALFORMED`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_profile_read(
    input: *const u8,
    length: usize,
    profile: *mut *mut Profile,
    message: *mut c_char,
    capacity: usize,
) -> Status {
    let load = |bytes: &[u8]| load_profile(bytes, VENDORS).map(|profile| Profile(Arc::new(profile)));
    // SAFETY: the pointers are as the caller promises.
    guarded(|| unsafe { read((input, length), profile, (message, capacity), load) })
}

/// Reads a target: JSON or TOML, with what it accepts, requires, can set and has been assured of. A profile in any form
/// is a target that is its profile and nothing more.
///
/// Everything else is as in `transire_profile_read`; the handle is freed with `transire_target_free`, also while gates
/// before it are at work.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_target_read(
    input: *const u8,
    length: usize,
    target: *mut *mut Target,
    message: *mut c_char,
    capacity: usize,
) -> Status {
    let load = |bytes: &[u8]| load_target(bytes, VENDORS).map(|target| Target(Arc::new(target)));
    // SAFETY: the pointers are as the caller promises.
    guarded(|| unsafe { read((input, length), target, (message, capacity), load) })
}

/// Reads a handle's content, and gives the handle or says what is wrong.
///
/// # Safety
/// As [`transire_profile_read`].
unsafe fn read<T>(
    (input, length): (*const u8, usize),
    handle: *mut *mut T,
    (message, capacity): (*mut c_char, usize),
    load: impl FnOnce(&[u8]) -> Result<T, TextError>,
) -> Result<(), Status> {
    // SAFETY: the caller's promises, which are this function's own.
    let (place, input) = unsafe { (Place::at(handle)?, bytes(input, length)) };
    place.write(std::ptr::null_mut());
    let input = input?;
    // SAFETY: the caller promises a buffer of this capacity.
    unsafe { write_message("", message, capacity) }?;
    let (each, least) = READ_ROOM;
    room(input.len().min(TEXT_FILE_MAX) * each + least)?;
    match load(input) {
        Ok(content) => give(&place, Box::new(content)),
        Err(error) => {
            // SAFETY: as above.
            unsafe { write_message(&error.to_string(), message, capacity) }?;
            return Err(TRANSIRE_MALFORMED);
        }
    }
    Ok(())
}

/// Writes a profile in one of the forms `TRANSIRE_FORM_CANONICAL`, `_LINE`, `_JSON` and `_TOML`, without a NUL.
///
/// `length` receives the bytes that the form has, whether they fit or not, and 0 where the call fails otherwise. With a
/// `capacity` of 0, `buffer` may be NULL.
///
/// Codes: `TRANSIRE_BUFFER_TOO_SMALL`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_profile_write(
    profile: *const Profile,
    form: u32,
    buffer: *mut u8,
    capacity: usize,
    length: *mut usize,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (profile, length) = unsafe { (shared(profile)?, Place::at(length)?) };
        length.write(0);
        room(WRITE_ROOM)?;
        let written = match form {
            TRANSIRE_FORM_CANONICAL => profile.0.to_bytes(),
            TRANSIRE_FORM_LINE => profile_to_line(&profile.0).into_bytes(),
            TRANSIRE_FORM_JSON => profile_to_json(&profile.0).into_bytes(),
            TRANSIRE_FORM_TOML => transire_text::profile_to_toml(&profile.0).into_bytes(),
            _ => return Err(TRANSIRE_INVALID_ARGUMENT),
        };
        length.write(written.len());
        if written.len() > capacity {
            return Err(TRANSIRE_BUFFER_TOO_SMALL);
        }
        // SAFETY: the caller promises a buffer of this capacity.
        unsafe { copy(&written, buffer, capacity) }
    })
}

/// The profile of a target's device, as what the other side checks its own against. Freed with `transire_profile_free`.
///
/// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_target_profile(target: *const Target, profile: *mut *mut Profile) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let place = unsafe { Place::at(profile) }?;
        place.write(std::ptr::null_mut());
        // SAFETY: as above.
        let target = unsafe { shared(target) }?;
        room(WRITE_ROOM)?;
        give(&place, Box::new(Profile(Arc::new(target.0.profile().clone()))));
        Ok(())
    })
}

/// Frees a profile. NULL is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_profile_free(profile: *mut Profile) {
    // SAFETY: the caller gives the handle back.
    unsafe { take(profile) }
}

/// Frees a target. NULL is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_target_free(target: *mut Target) {
    // SAFETY: the caller gives the handle back.
    unsafe { take(target) }
}
