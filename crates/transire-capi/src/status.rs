//! The codes that functions return, and their names.

use std::ffi::{CStr, c_char};

use transire_core::sealed::SealError;

/// What became of a call: `TRANSIRE_OK`, or why nothing was done. Later minor versions may add codes: what a program does
/// not know is a failure too.
pub type Status = i32;

/// Done. What came of it is in what the function writes.
pub const TRANSIRE_OK: Status = 0;
/// A pointer is NULL that must not be, a length is above `PTRDIFF_MAX`, a number is none of those listed, a text is no
/// UTF-8, or a structure's `size` is not that of a known version. Nothing was changed.
pub const TRANSIRE_INVALID_ARGUMENT: Status = 1;
/// The memory that the call may need is not there. Nothing was changed.
pub const TRANSIRE_NO_MEMORY: Status = 2;
/// The caller's buffer is too small; how much is needed was written. Nothing was changed.
pub const TRANSIRE_BUFFER_TOO_SMALL: Status = 3;
/// The bytes are no profile, no target or no answer; the message says what is wrong, and where.
pub const TRANSIRE_MALFORMED: Status = 4;
/// Nothing has this number.
pub const TRANSIRE_NOT_FOUND: Status = 5;
/// No format has this name or this option, or it is another vendor's than the profile's.
pub const TRANSIRE_UNKNOWN_FORMAT: Status = 6;
/// A label is longer than 1,024 bytes, or has characters that cannot be shown.
pub const TRANSIRE_BAD_LABEL: Status = 7;
/// The header of the sealed stream would be longer than 65,536 bytes.
pub const TRANSIRE_HEADER_TOO_LONG: Status = 8;
/// This phase may not follow the one before.
pub const TRANSIRE_BAD_PHASE: Status = 9;
/// Another number of payload bytes came than was announced.
pub const TRANSIRE_NOT_AS_ANNOUNCED: Status = 10;
/// No number is left for another frame: 2^32 have gone out.
pub const TRANSIRE_TOO_MANY_FRAMES: Status = 11;
/// The stream has ended already.
pub const TRANSIRE_ENDED: Status = 12;
/// A bug in the library, which was stopped at its edge. The handle takes no more calls but the one that frees it.
pub const TRANSIRE_INTERNAL: Status = 13;
/// A gate has no answer to give: not yet, or never, since no sealed stream came whose header is well formed.
pub const TRANSIRE_NO_ANSWER: Status = 14;

/// The name of a code, such as `invalid argument`; `unknown code` for any other number. NUL-terminated, static.
#[unsafe(no_mangle)]
pub extern "C" fn transire_status_name(status: Status) -> *const c_char {
    name(status).as_ptr()
}

/// The name of a code.
pub(crate) const fn name(status: Status) -> &'static CStr {
    match status {
        TRANSIRE_OK => c"ok",
        TRANSIRE_INVALID_ARGUMENT => c"invalid argument",
        TRANSIRE_NO_MEMORY => c"no memory",
        TRANSIRE_BUFFER_TOO_SMALL => c"buffer too small",
        TRANSIRE_MALFORMED => c"malformed",
        TRANSIRE_NOT_FOUND => c"not found",
        TRANSIRE_UNKNOWN_FORMAT => c"unknown format",
        TRANSIRE_BAD_LABEL => c"bad label",
        TRANSIRE_HEADER_TOO_LONG => c"header too long",
        TRANSIRE_BAD_PHASE => c"bad phase",
        TRANSIRE_NOT_AS_ANNOUNCED => c"not as announced",
        TRANSIRE_TOO_MANY_FRAMES => c"too many frames",
        TRANSIRE_ENDED => c"ended",
        TRANSIRE_INTERNAL => c"internal",
        TRANSIRE_NO_ANSWER => c"no answer",
        _ => c"unknown code",
    }
}

/// The code of an error of sealing.
pub(crate) const fn of_seal(error: SealError) -> Status {
    match error {
        SealError::HeaderTooLong => TRANSIRE_HEADER_TOO_LONG,
        SealError::Text => TRANSIRE_BAD_LABEL,
        SealError::Phase => TRANSIRE_BAD_PHASE,
        SealError::Sequence => TRANSIRE_TOO_MANY_FRAMES,
        SealError::Ended => TRANSIRE_ENDED,
        SealError::Announced => TRANSIRE_NOT_AS_ANNOUNCED,
        SealError::PayloadFormat => TRANSIRE_UNKNOWN_FORMAT,
        // Frames are cut to their length before they are written, and there are no other errors today.
        _ => TRANSIRE_INTERNAL,
    }
}
