//! What a walk through one channel tells.

use crate::format::{DeviceKey, Phase};
use crate::verdict::Reason;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with. They may be passed on once the event has been dealt with.
    pub used: usize,
    /// What happened.
    pub event: Event<'a>,
}

/// What a walk tells.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Nothing can be said before the input holds so many bytes, more than it does. Never given at its end.
    Need(usize),
    /// Bytes were used, and there is nothing to tell of them: contents of pages, or of devices that are no VFIO devices.
    Passed,
    /// The next so many bytes are pages of mapped-ram or the gaps between them. A caller that can seek passes over them
    /// and says so by [`super::QemuReader::skip`]; any other goes on as ever.
    Skip(u64),
    /// A part of the container.
    Item(Item),
    /// Bytes of a device, as its driver will get them: the last of the bytes used. A long record comes in pieces, as the
    /// input is cut; [`Item::Record`] said how long it is.
    Data {
        /// The device, by its number in this channel.
        device: DeviceKey,
        /// When they were saved.
        phase: Phase,
        /// The index of the multifd packet that carries them.
        index: Option<u32>,
        /// Offset of the first of them in the channel.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The PCI configuration of a device, whole: the last of the bytes used, from the tag to before the end tag.
    Config {
        /// The device, by its number in this channel.
        device: DeviceKey,
        /// The index of the multifd packet that carries it.
        index: Option<u32>,
        /// What is where in it.
        layout: ConfigLayout,
        /// The record.
        bytes: &'a [u8],
    },
    /// Something is wrong or worth saying, and the walk goes on. It stands before the bytes that it is about are used.
    Finding(Reason),
    /// Something is wrong, and nothing more can be told. Said again by every further step.
    Failed(Reason),
    /// The channel is at its end, and everything in it has been told. Said again by every further step.
    End,
}

/// A part of the container. Offsets count from the beginning of the file or channel, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// Magic and version: the first eight bytes of a main channel.
    Header,
    /// The configuration section with its parts; what it says is with the reader.
    Configuration {
        /// Offset of its type byte.
        offset: u64,
        /// Bytes, its parts included.
        length: u64,
    },
    /// A command.
    Command(Command),
    /// The head of a section; its payload comes next.
    Section(Head),
    /// A section is over, its footer checked.
    SectionEnd(Section),
    /// A block of RAM was announced.
    Block(Block),
    /// A dirty bitmap of a disk was started.
    Bitmap(Bitmap),
    /// The head of a record of a VFIO device.
    Record(Record),
    /// The first message of a multifd channel.
    Channel(Channel),
    /// The head of a multifd packet that carries pages, or none.
    Packet(Packet),
    /// The package of postcopy is over; the next item stands behind it.
    PackageEnd {
        /// Offset of the first byte behind it.
        offset: u64,
    },
    /// The byte that ends the sections. A gate withholds it until every device has passed: without it, the destination
    /// does not complete.
    EndOfSections {
        /// Its offset.
        offset: u64,
    },
    /// The head of the description; its bytes are passed over and compared with the sections.
    Description {
        /// Offset of its type byte.
        offset: u64,
        /// Bytes of JSON, from five bytes behind the offset on.
        length: u32,
    },
    /// A message of the return path.
    Message(Message),
}

/// The type of a section, as the wire has it (`migration/savevm.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// 0x01: a live handler is set up.
    Start = 1,
    /// 0x02: it sends while the guest runs.
    Part = 2,
    /// 0x03: it sends what is left.
    End = 3,
    /// 0x04: the state of a device, whole.
    Full = 4,
}

impl Kind {
    /// The name, as QEMU's sources have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Part => "PART",
            Self::End => "END",
            Self::Full => "FULL",
        }
    }
}

/// The head of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Offset of its type byte.
    pub offset: u64,
    /// Its type.
    pub kind: Kind,
    /// Its id, which means something in this stream only.
    pub id: u32,
    /// Which handler it belongs to: an index into [`super::QemuReader::handlers`].
    pub handler: u32,
    /// The version of its payload; of PART and END, that of START.
    pub version: u32,
    /// Offset of its payload.
    pub payload: u64,
}

/// A section that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its head.
    pub head: Head,
    /// Bytes of its payload.
    pub length: u64,
    /// What told where the payload ends.
    pub sized: Sizing,
    /// Whether it has a footer.
    pub footer: bool,
}

/// What told where a part ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizing {
    /// The grammar of what it holds.
    Rule,
    /// The stream's description of itself.
    Description,
    /// The search for its footer and something plausible behind it: a heuristic.
    Search,
}

impl Sizing {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Description => "description",
            Self::Search => "search",
        }
    }
}

/// A command of the source to the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Offset of its type byte.
    pub offset: u64,
    /// Its number.
    pub number: u16,
    /// Its name, as QEMU's sources have it.
    pub name: &'static str,
    /// Bytes of its data, which begin five bytes behind the offset.
    pub length: u16,
    /// Of PACKAGED: bytes of the package behind it.
    pub package: Option<u32>,
}

/// A block of RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number; the name is with the reader.
    pub block: u32,
    /// Offset of its entry.
    pub offset: u64,
    /// Bytes of it that are in use.
    pub length: u64,
    /// Bytes of its pages, where they are not the host's usual ones.
    pub page_size: Option<u64>,
    /// Its address in the guest, with x-ignore-shared.
    pub guest_address: Option<u64>,
    /// Where its pages are in the file, with mapped-ram.
    pub region: Option<Region>,
}

/// The place of a block's pages in the file (mapped-ram).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Bytes that a bit of the bitmap stands for.
    pub page_size: u64,
    /// Offset of the bitmap in the file.
    pub bitmap_offset: u64,
    /// Offset of the first page in the file.
    pub pages_offset: u64,
}

/// A dirty bitmap of a disk, as its backups use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Its number; the names are with the reader.
    pub bitmap: u32,
    /// Offset of the chunk that starts it.
    pub offset: u64,
    /// Bytes of this chunk.
    pub length: u64,
    /// Bytes of the disk that a bit stands for: a power of two from 512 on.
    pub granularity: u32,
    /// Whether writes to the disk go on to be marked in it.
    pub is_enabled: bool,
    /// Whether it is stored with the disk.
    pub is_persistent: bool,
}

/// What a record of a VFIO device is (`hw/vfio/migration.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tag {
    /// Ends the records of a section.
    EndOfState,
    /// PCI configuration follows.
    Config,
    /// Set up: the end follows.
    Setup,
    /// A length and so many bytes for the driver follow.
    Data,
    /// Ends the section in which the initial data are complete (since 8.1).
    InitialDataSent,
    /// Ends the section in place of the configuration (since 10.1).
    ConfigLoadReady,
    /// A multifd packet, which has no tag (since 10.0).
    Packet,
}

impl Tag {
    /// The name, as QEMU's sources have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndOfState => "END_OF_STATE",
            Self::Config => "DEV_CONFIG_STATE",
            Self::Setup => "DEV_SETUP_STATE",
            Self::Data => "DEV_DATA_STATE",
            Self::InitialDataSent => "DEV_INIT_DATA_SENT",
            Self::ConfigLoadReady => "DEV_CONFIG_LOAD_READY",
            Self::Packet => "multifd device-state packet",
        }
    }
}

/// The head of a record of a VFIO device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The device, by its number in this channel.
    pub device: DeviceKey,
    /// What it is.
    pub tag: Tag,
    /// The section that it stands in; `None` for a packet.
    pub section: Option<Kind>,
    /// When what it holds was saved.
    pub phase: Phase,
    /// Offset of its tag or packet.
    pub offset: u64,
    /// Offset of what it holds.
    pub data: u64,
    /// Bytes of what it holds. Of [`Tag::Config`]: from the tag to before the end tag.
    pub length: u64,
    /// The index of the packet.
    pub index: Option<u32>,
    /// Whether the packet holds the configuration.
    pub is_config: bool,
}

/// What is where in a configuration record (`hw/vfio/pci.c`, `hw/pci/msix.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigLayout {
    /// Offset of the record's tag in the channel.
    pub offset: u64,
    /// Bytes of the PCI configuration space, 256 or 4096; it begins 12 bytes behind the tag.
    pub space: u16,
    /// The states of the four interrupt pins, 0 or 1.
    pub pins: [u32; 4],
    /// Vectors of the MSI-X table that follows the pins.
    pub vectors: u16,
    /// Bytes that follow these, of parts that are not known here (a display, for one).
    pub rest: u32,
}

impl ConfigLayout {
    /// Offset of the PCI configuration space in the channel.
    pub fn space_offset(&self) -> u64 {
        self.offset.saturating_add(crate::bytes::widen(super::vfio::CONFIG_HEAD))
    }
}

/// The first message of a multifd channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The UUID of the machine, zero where it has none.
    pub uuid: [u8; 16],
    /// The number of the channel.
    pub id: u8,
}

/// The head of a multifd packet of RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Offset of its first byte.
    pub offset: u64,
    /// Flags: bit 0 brings channels together, bits 1 to 5 are the compression.
    pub flags: u32,
    /// Its number among those of all channels.
    pub number: u64,
    /// Pages in full.
    pub pages: u32,
    /// Pages that are zero.
    pub zero_pages: u32,
    /// Bytes that follow the head.
    pub length: u32,
}

/// A message of the return path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its number.
    pub number: u16,
    /// Its name, as QEMU's sources have it.
    pub name: &'static str,
    /// Bytes of its payload.
    pub length: u16,
    /// The number that PONG and SHUT carry.
    pub value: Option<u32>,
}
