//! What every function does: no panic gets out, no pointer is believed, and memory is asked for before it is needed.
//!
//! A panic is a bug. It is caught here, where the caller gets a code and can go on without the handle; to abort instead
//! would take the virtual machine down with it. Should one pass all the same, `extern "C"` aborts: nothing unwinds into C.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::status::{Status, TRANSIRE_INTERNAL, TRANSIRE_INVALID_ARGUMENT, TRANSIRE_NO_MEMORY, TRANSIRE_OK};

/// Runs the body of a function; a panic becomes a code.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), Status>) -> Status {
    // What a body may leave half done is a handle, and each that a panic can break knows that it is broken.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => TRANSIRE_OK,
        Ok(Err(status)) => status,
        Err(payload) => {
            // A payload whose destructor panics would do so outside of the guard.
            std::mem::forget(payload);
            TRANSIRE_INTERNAL
        }
    }
}

/// Whether so many bytes can be had. Rust ends the process where memory that it needs is not there, so what a call may
/// need is asked for first, in one piece, and given back. Between the two another thread can take it: then the process
/// ends after all.
pub(crate) fn room(bytes: usize) -> Result<(), Status> {
    let mut trial = Vec::<u8>::new();
    let there = trial.try_reserve_exact(bytes);
    // Without this the compiler may see that nothing is done with the memory, and leave the question out.
    black_box(&mut trial);
    there.map_err(|_| TRANSIRE_NO_MEMORY)
}

/// The caller's handle or structure, to look at.
///
/// # Safety
/// The pointer is NULL, or from this library, alive, and of this type.
pub(crate) unsafe fn shared<'a, T>(pointer: *const T) -> Result<&'a T, Status> {
    // SAFETY: the caller's promise, which is this function's own.
    unsafe { pointer.as_ref() }.ok_or(TRANSIRE_INVALID_ARGUMENT)
}

/// The caller's handle, to change.
///
/// # Safety
/// The pointer is NULL, or from this library, alive, of this type, and nobody else uses the handle meanwhile.
pub(crate) unsafe fn exclusive<'a, T>(pointer: *mut T) -> Result<&'a mut T, Status> {
    // SAFETY: the caller's promise, which is this function's own.
    unsafe { pointer.as_mut() }.ok_or(TRANSIRE_INVALID_ARGUMENT)
}

/// The caller's bytes. NULL is no bytes, where the length is 0.
///
/// # Safety
/// So many bytes can be read at the pointer, and nobody changes them meanwhile.
pub(crate) unsafe fn bytes<'a, T: Bytes>(pointer: *const T, length: usize) -> Result<&'a [u8], Status> {
    match (pointer.is_null(), isize::try_from(length)) {
        (_, Err(_)) | (true, Ok(1..)) => Err(TRANSIRE_INVALID_ARGUMENT),
        (true, Ok(_)) => Ok(&[]),
        // SAFETY: the pointer is not NULL and the length at most `isize::MAX`; that the bytes can be read and stay as they
        // are is the caller's promise. `T` is one byte, and every byte is a `u8`.
        (false, Ok(_)) => Ok(unsafe { std::slice::from_raw_parts(pointer.cast(), length) }),
    }
}

/// The types that C has for a byte.
pub(crate) trait Bytes {}
impl Bytes for u8 {}
impl Bytes for std::ffi::c_char {}

/// Copies as many bytes as fit to the caller's buffer.
///
/// # Safety
/// So many bytes can be written at the pointer, and they are no part of `from`.
pub(crate) unsafe fn copy<T: Bytes>(from: &[u8], to: *mut T, capacity: usize) -> Result<(), Status> {
    if to.is_null() && capacity > 0 {
        return Err(TRANSIRE_INVALID_ARGUMENT);
    }
    // SAFETY: at most `capacity` bytes are written, which the caller promises to be there, and read from a slice.
    unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to.cast(), from.len().min(capacity)) };
    Ok(())
}

/// A buffer of the caller's that is filled piece by piece.
pub(crate) struct Pieces {
    buffer: *mut u8,
    capacity: usize,
}

impl Pieces {
    /// The buffer at a pointer that is not NULL, unless nothing fits into it.
    ///
    /// # Safety
    /// So many bytes can be written at the pointer, for as long as this lives.
    pub(crate) unsafe fn at(buffer: *mut u8, capacity: usize) -> Result<Self, Status> {
        if buffer.is_null() && capacity > 0 { Err(TRANSIRE_INVALID_ARGUMENT) } else { Ok(Self { buffer, capacity }) }
    }

    /// Puts bytes behind the last; what does not fit is left out.
    pub(crate) fn put(&mut self, piece: &[u8]) {
        let fitting = piece.len().min(self.capacity);
        // SAFETY: at most as many bytes are written as were promised to be left, and read from a slice, which is none of
        // the caller's memory. The pointer stays inside the buffer or goes to its end.
        unsafe {
            ptr::copy_nonoverlapping(piece.as_ptr(), self.buffer, fitting);
            self.buffer = self.buffer.add(fitting);
        }
        self.capacity -= fitting;
    }
}

/// A place of the caller's that a value is written to.
pub(crate) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// The place at a pointer that is not NULL.
    ///
    /// # Safety
    /// A `T` can be written there, until the place is dropped.
    pub(crate) unsafe fn at(pointer: *mut T) -> Result<Self, Status> {
        if pointer.is_null() { Err(TRANSIRE_INVALID_ARGUMENT) } else { Ok(Self(pointer)) }
    }

    pub(crate) fn write(&self, value: T) {
        // SAFETY: whoever made the place promised that a `T` can be written there. What stood there is not looked at:
        // it may never have been set.
        unsafe { self.0.write(value) }
    }
}

/// Gives a handle to the caller.
pub(crate) fn give<T>(place: &Place<*mut T>, handle: Box<T>) {
    place.write(Box::into_raw(handle));
}

/// Takes a handle back and frees it. NULL is none.
///
/// # Safety
/// The handle came from [`give`], nobody uses it meanwhile, and nobody will again.
pub(crate) unsafe fn take<T>(handle: *mut T) {
    if !handle.is_null() {
        // A handle is dropped whatever state it is in: nothing that it holds asks for anything but memory.
        _ = guarded(|| {
            // SAFETY: it was a box before it was given, and the caller gives it back.
            drop(unsafe { Box::from_raw(handle) });
            Ok(())
        });
    }
}

/// A structure of the caller's that begins with its size in bytes, so that it can grow at its end.
///
/// # Safety
/// The type is `repr(C)`, and its first field is `size: usize`.
pub(crate) unsafe trait Versioned: Copy {
    /// Bytes of the structure in the first version: fewer are not taken.
    const FIRST: usize;
}

/// Such a structure that the caller fills in.
///
/// # Safety
/// Every pattern of bits is a value of it.
pub(crate) unsafe trait Given: Versioned {
    /// The structure with nothing in it but zeros.
    const EMPTY: Self;
}

/// The caller's structure. What a shorter one lacks is zero; what a longer one has besides must be.
///
/// # Safety
/// As many bytes as the structure says can be read at the pointer.
pub(crate) unsafe fn read_sized<T: Given>(pointer: *const T) -> Result<T, Status> {
    // SAFETY: the caller's promise, which covers the first field.
    let size = unsafe { size_at(pointer) }?;
    // SAFETY: so many bytes can be read there.
    let given = unsafe { bytes(pointer.cast::<u8>(), size) }?;
    let (known, beyond) = given.split_at_checked(size_of::<T>()).unwrap_or((given, &[]));
    if beyond.iter().any(|byte| *byte != 0) {
        return Err(TRANSIRE_INVALID_ARGUMENT);
    }
    let mut value = T::EMPTY;
    // SAFETY: `known` is not longer than the structure, and every pattern of bits is a value of it.
    unsafe { ptr::copy_nonoverlapping(known.as_ptr(), (&raw mut value).cast(), known.len()) };
    Ok(value)
}

/// Fills in the caller's structure, as far as it goes; what it has beyond what is known here is zeroed. The size stays.
///
/// # Safety
/// As many bytes as the structure says can be read and written at the pointer.
pub(crate) unsafe fn write_sized<T: Versioned>(pointer: *mut T, value: &T) -> Result<(), Status> {
    // SAFETY: the caller's promise, which covers the first field.
    let size = unsafe { size_at(pointer) }?;
    let field = size_of::<usize>();
    let known = size.min(size_of::<T>());
    let (from, to) = (ptr::from_ref(value).cast::<u8>(), pointer.cast::<u8>());
    // SAFETY: `known` is at most the size of both structures and at least `field`; what is behind it up to `size` is the
    // caller's too. The value is none of the caller's memory.
    unsafe {
        ptr::copy_nonoverlapping(from.add(field), to.add(field), known - field);
        ptr::write_bytes(to.add(known), 0, size - known);
    }
    Ok(())
}

/// The size that the caller's structure says it has.
///
/// # Safety
/// The first field can be read at the pointer.
pub(crate) unsafe fn size_at<T: Versioned>(pointer: *const T) -> Result<usize, Status> {
    if pointer.is_null() {
        return Err(TRANSIRE_INVALID_ARGUMENT);
    }
    // SAFETY: the first field of every such structure is a `usize`.
    let size = unsafe { pointer.cast::<usize>().read() };
    if (T::FIRST..=SIZED_MAX).contains(&size) { Ok(size) } else { Err(TRANSIRE_INVALID_ARGUMENT) }
}

/// Longest structure that is taken: none will come near it, and a `size` that was never set is likely above.
const SIZED_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_code() {
        struct Grenade;
        impl Drop for Grenade {
            fn drop(&mut self) {
                panic!("and once more");
            }
        }
        assert_eq!(guarded(|| panic!("a bug")), TRANSIRE_INTERNAL);
        assert_eq!(guarded(|| std::panic::panic_any(Grenade)), TRANSIRE_INTERNAL);
    }

    #[test]
    fn room_that_is_not_there_becomes_a_code() {
        assert_eq!(room(1 << 16), Ok(()));
        assert_eq!(room(isize::MAX.unsigned_abs() - 4096), Err(TRANSIRE_NO_MEMORY));
        assert_eq!(room(usize::MAX), Err(TRANSIRE_NO_MEMORY));
    }
}
