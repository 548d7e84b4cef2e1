//! Bytes as a profile or a target in any form, and as the strings and files of 2019 and 2020.
//!
//! Oracle: any input gets an answer, in memory that its length bounds. An error says one short line, with a line and a
//! column or an offset that lie in the text. A profile that is accepted goes through TOML, JSON, the line and the canonical
//! bytes and comes back as it was; it is a target too, unless it describes no device. A `self` is a `compatible` with one
//! member; a `compatible` comes to at most as many members, and each to at most as many bytes, as it may.
//!
//! An input that begins with 0xFF is unfolded first: a beginning, and a part that is repeated up to 64 KiB.
//! Checksums are left to the target `profile`.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[path = "../oracles/text.rs"]
mod oracle;

/// What is there beside the input, and for each of its bytes: a tree of the smallest values, and 4,096 members of a page.
const ROOM: usize = 64 << 20;
const ROOM_FOR_A_BYTE: usize = 1024;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    oracle::text(input);
    let length = match input {
        [0xff, times, length, rest @ ..] => oracle::unfolded(*times, *length, rest).len(),
        _ => input.len(),
    };
    let most = MOST.load(Relaxed) - before;
    assert!(most <= ROOM + ROOM_FOR_A_BYTE * length, "{most} bytes for a text of {length}");
});
