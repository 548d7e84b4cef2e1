//! The migration stream of QEMU: what `migrate` writes to a file, a pipe or a socket, on one channel or several.
//!
//! ```text
//! stream  = magic version [configuration] command* body EOF [description]
//! body    = (section | command)*
//! section = START | PART | END | FULL, each with a head, a payload without a length, and a footer
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`QemuReader`] | the walk through one channel |
//! | [`Event`], [`Item`] | what it tells |
//! | [`Description`] | the stream's description of itself |
//! | [`pci`] | the PCI configuration of a device, and what is compared of it |
//! | [`assembly`] | the streams of devices, put together from all channels |
//! | [`outlook`] | the standard `qemu`: what QEMU itself would do with the stream |
//! | [`reasons`] | what can be wrong |
//!
//! Facts: QEMU 7.2 to 10.2, `migration/savevm.c`, `migration/savevm.h`, `migration/vmstate.c`; the other modules name their
//! own files. Numbers are big-endian. A section has no length: that of RAM, of dirty bitmaps and of VFIO devices follows from
//! what they hold, that of every other device is in the description at the end. A walk that cannot see the description first looks for the
//! section's footer with something plausible behind it, and says so of each section ([`Sizing`]).
//!
//! Not walked by rules of their own, and so by their footers: storage attributes and hash tables of other architectures,
//! disks themselves (until 9.0). Not known: RDMA and COLO, and VFIO devices as QEMU before 6.0 wrote them, with the configuration before the data.

pub mod assembly;
mod bitmap;
mod description;
mod event;
mod multifd;
pub mod outlook;
pub mod pci;
mod ram;
pub mod reasons;
mod stream;
mod vfio;
mod wire;

pub use bitmap::{BITMAPS_MAX, BITS_MAX, Bitmaps};
pub use description::{DEPTH_MAX, DESCRIPTION_MAX, Described, Description, SECTIONS_MAX};
pub use event::{
    Bitmap, Block, Channel, Command, ConfigLayout, Event, Head, Item, Kind, Message, Packet, Record, Region, Section,
    Sizing, Step, Tag,
};
pub use ram::{BLOCKS_MAX, Ram};
pub use stream::{Configuration, HANDLERS_MAX, Handler, MACHINE_MAX, QemuReader};
pub use vfio::{CONFIG_MAX, DATA_MAX};

use crate::format::Likeness;
use crate::magic::{First, Magic};

/// The first four bytes of a main channel.
pub const MAGIC: [u8; 4] = *b"QEVM";
/// The one version of the stream.
pub const STREAM_VERSION: u32 = 3;
/// The first four bytes of a multifd channel and of its packets, big-endian.
pub const MULTIFD_MAGIC: u32 = 0x1122_3344;

const SUBSECTION: u8 = 0x05;
pub(crate) const DESCRIPTION: u8 = 0x06;
const CONFIGURATION: u8 = 0x07;
pub(crate) const COMMAND: u8 = 0x08;
pub(crate) const FOOTER: u8 = 0x7e;

/// The command by which a destination in postcopy begins to run.
pub(crate) const POSTCOPY_RUN: &str = "POSTCOPY_RUN";

/// Commands: number, name, and the lengths that their data may have; none listed for those of any length.
const COMMANDS: &[(u16, &str, &[u16])] = &[
    (1, "OPEN_RETURN_PATH", &[0]),
    (2, "PING", &[4]),
    (3, "POSTCOPY_ADVISE", &[0, 16]),
    (4, "POSTCOPY_LISTEN", &[0]),
    (5, POSTCOPY_RUN, &[0]),
    (6, "POSTCOPY_RAM_DISCARD", &[]),
    (7, "PACKAGED", &[4]),
    (8, "ENABLE_COLO", &[0]),
    (9, "POSTCOPY_RESUME", &[0]),
    (10, "RECV_BITMAP", &[]),
    (11, "SWITCHOVER_START", &[0]),
];

/// Whether the first bytes are those of a main channel.
pub fn likeness(prefix: &[u8]) -> Likeness {
    Magic::likeness_of(&[Magic::new(&MAGIC)], First::of(prefix))
}

/// Whether the first bytes are those of a multifd channel. A channel of preempted postcopy has neither magic.
pub fn multifd_likeness(prefix: &[u8]) -> Likeness {
    Magic::likeness_of(&[Magic::new(&MULTIFD_MAGIC.to_be_bytes())], First::of(prefix))
}
