//! The version of the product, and that of the binary interface.

use std::ffi::{CStr, c_char};

/// Number of the binary interface, in the name of the shared library: a program that was built against another number
/// cannot use this one.
pub const TRANSIRE_ABI_MAJOR: u32 = 0;

/// Raised by one in a release that adds to the binary interface without a break. A program runs with this library where
/// its header has the same major number and a minor number that is not above the library's.
pub const TRANSIRE_ABI_MINOR: u32 = 0;

/// The version of the binary interface of the library that is running: major number in the upper 16 bits, minor in the
/// lower. Held against `TRANSIRE_ABI_MAJOR` and `TRANSIRE_ABI_MINOR` it says whether header and library fit.
#[unsafe(no_mangle)]
pub extern "C" fn transire_abi_version() -> u32 {
    TRANSIRE_ABI_MAJOR << 16 | TRANSIRE_ABI_MINOR
}

/// The version of the product that is running, such as `0.1.0`: NUL-terminated, static.
#[unsafe(no_mangle)]
pub extern "C" fn transire_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no NUL"),
    };
    VERSION.as_ptr()
}
