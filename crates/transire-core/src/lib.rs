//! Codec and validator for the migration streams of assigned devices.
//!
//! ```text
//! bytes ──▶ recognise ──▶ read ──▶ judge ──▶ check ──▶ deliver
//!           which format   profile   rules     structure   payload out
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`bytes`] | reader and writer over slices: the only place where bytes become numbers |
//! | [`checksum`] | CRC-32C |
//! | [`attribute`] | the types of attributes, and the table of the common ones |
//! | [`prologue`] | the first 32 bytes of everything that this project writes |
//! | [`profile`] | the attributes of one device and their canonical bytes |
//! | [`rule`] | how attributes of a source are held against a target's |
//! | [`target`] | a profile with what it accepts, requires, can set and has been assured of |
//! | [`verdict`] | outcomes, reasons, and the catalogue of reason ids |
//! | [`judge`] | source profile and target give a verdict |
//! | [`report`] | reasons in words |
//! | [`format`](mod@format) | what every format is to the rest |
//! | [`whole`] | the reader of formats whose streams are held whole |
//! | [`records`] | the reader of formats that are records behind headers of 16 bytes |
//! | [`vendors`] | one room a vendor, and the table of them |
//! | [`sealed`] | our envelope, and the answer to it |
//! | [`containers`] | what virtual machine monitors write: streams of QEMU |
//! | [`recognise`] | which format is this? |
//! | [`early`] | the verdict from the first bytes |
//! | [`gate`] | bytes in, verdict first, payload out |
//! | [`seal`] | native bytes in, a sealed stream out |
//!
//! Arrows go down only: gate → (sealed | containers | vendors) → format → judge → target → (profile | rule | verdict) → attribute →
//! bytes. The crate does no I/O, has no global state and forbids unsafe code; `std` adds run-time detection of SIMD.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod attribute;
pub mod bytes;
pub mod checksum;
pub mod containers;
pub mod early;
pub mod format;
pub mod gate;
pub mod judge;
pub mod profile;
pub mod prologue;
pub mod recognise;
pub mod records;
pub mod report;
pub mod rule;
pub mod seal;
pub mod sealed;
pub mod target;
pub mod vendors;
pub mod verdict;
pub mod whole;

/// The guide to adding a vendor, whose code is built and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/adding-a-vendor.md")]
mod adding_a_vendor {}
