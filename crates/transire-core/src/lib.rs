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
//! # The whole use
//!
//! The source's VMM seals what its device gives; the target's VMM puts what arrives through a gate before its own device.
//!
//! ```
//! use std::sync::Arc;
//! use transire_core::gate::{Gate, Options, Output, PushGate};
//! use transire_core::seal::{Flow, SealEvent, SealStep, Sealing};
//! use transire_core::sealed::{Digest, SealOptions};
//! use transire_core::target::Target;
//! use transire_core::vendors::{VENDORS, mtty};
//!
//! # use transire_core::attribute::{Text, VENDOR, Value};
//! # use transire_core::profile::ProfileBuilder;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let payload = include_bytes!("../../../fixtures/mtty/mtty2-both-ports.bin");
//! # let mut described = ProfileBuilder::new();
//! # described.set(VENDOR, &Value::Text(Text::constant("mtty")).to_owned());
//! # described.set(mtty::NR_PORTS, &Value::Uint(2).to_owned());
//! # let profile = described.build(&|vendor| VENDORS.dictionary(vendor)).map_err(|reason| reason.id.text())?;
//! # let (mut wire, mut device, stream_id) = (Vec::new(), Vec::new(), [7; 16]);
//! // Source. `profile` says what the device is (`transire_text::load_profile` reads one); `stream_id` is fresh and random.
//! let (payload_format, digest) = ("mtty".to_owned(), Digest::Blake3);
//! let options = SealOptions { payload_format, digest, payload_len: None, stream_id, device_label: None };
//! let mut sealing = Sealing::begin(VENDORS, profile.clone(), &options)?;
//! let mut rest = &payload[..];
//! loop {
//!     let SealStep { used, event } = sealing.step(rest, Flow::End)?;
//!     match event {
//!         SealEvent::Bytes(bytes) => wire.extend_from_slice(bytes),
//!         SealEvent::Frame(head, bytes) => wire.extend([&head, bytes].concat()),
//!         _ => break,
//!     }
//!     rest = &rest[used..];
//! }
//! // Target. Nothing reaches the device before the verdict admits it; only a complete stream may be resumed from.
//! let target = Arc::new(Target::new(profile, &mtty::RULES)?);
//! let mut gate = PushGate::new(Gate::new(VENDORS, Some(target), Options::default()));
//! gate.push(&wire, true, &mut |output| {
//!     if let Output::Deliver(bytes) = output { device.extend_from_slice(bytes) }
//!     true
//! });
//! assert!(gate.gate().is_complete() && device == payload);
//! # Ok(())
//! # }
//! ```
//!
//! [`gate::PushGate`] keeps what must be seen again; [`gate::Gate::step`] looks at the caller's own window.
//! `examples/migrate.rs` is a program of two processes that does this over a socket, with everything that can go wrong;
//! `docs/guides/embedding.md` says in which state each end is then.
//!
//! # Versions
//!
//! Semantic versioning, from 1.0 on; before it, a minor version may break. Of an enumeration or structure that is
//! `non_exhaustive` new members are no break, and neither are new vendors, formats, attributes and reason ids, or other
//! words in a report. What the wire means never changes: that is `docs/format.md`, with a version of its own. A verdict
//! that becomes stricter because a driver turned out to be is a change that the changelog names.
//!
//! The least Rust is 1.89; a later one is asked for in a minor version only, never in a patch.
//!
//! The feature `std`, on by default, only adds: SIMD that is found out at run time. Without it the crate asks for `alloc`
//! alone and does the same, slower.
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
pub mod magic;
mod plan;
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
