//! The standard `qemu`: what QEMU itself would do with a stream on a certain machine.
//!
//! Facts: QEMU `migration/savevm.c`, `migration/ram.c`, `hw/vfio/migration.c`, `hw/pci/pci.c`; run at 10.0.2, whose answers
//! are `fixtures/qemu-vfio/acceptance.tsv`. QEMU checks no order and no completeness: a stream whose device data were left
//! out completes, and the driver's refusal to leave RESUMING only makes QEMU reset the device.
//!
//! Not modelled, and left out of the answer: the state of devices that are no VFIO devices, disks and with them whether
//! dirty bitmaps fit (where they do not, QEMU gives them up and completes), memory that runs out, and what other threads of
//! multifd do at the same time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::bitmap;
use super::event::{Block, Event, Head, Item, Kind};
use super::pci::ConfigSpace;
use super::reasons;
use super::stream::QemuReader;
use super::vfio;
use crate::bytes::{index, widen};
use crate::format::{Break, DeviceKey, Driver, Errno, Failure as Answer};
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};

/// Bytes of the longest `write()` that QEMU makes on a driver: those of the buffer it reads the stream through
/// (`migration/qemu-file.c`). Where it cuts shorter depends on how the bytes arrive; a driver whose answer depends on that
/// is asked with the longest.
pub const WRITE_MAX: usize = 32 << 10;

/// The machine that the stream is loaded into.
#[derive(Default)]
pub struct Machine {
    /// Its type, such as `pc-q35-10.0`; `None` where it is taken to be that of the stream.
    pub machine: Option<Vec<u8>>,
    /// Whether it loads with mapped-ram; `None` where that is taken to be as in the stream.
    pub mapped_ram: Option<bool>,
    /// Its VFIO devices that can be migrated.
    pub devices: Vec<Slot>,
    /// Identity strings and instance ids of everything else that has state; `None` where the machine is taken to have
    /// whatever the stream has.
    pub handlers: Option<Vec<(Vec<u8>, u32)>>,
    /// Names and lengths of its blocks of RAM, those that are known.
    pub blocks: Vec<(Vec<u8>, u64)>,
    /// Whether vendor-specific capabilities are left out where configuration is compared; see
    /// [`super::pci::skips_vendor_specific`].
    pub skip_vendor_specific: bool,
}

/// A VFIO device of the machine.
pub struct Slot {
    /// Its identity string, such as `0000:00:05.0/vfio`.
    pub name: Vec<u8>,
    /// Its instance id.
    pub instance: u32,
    /// Its driver, opened in the state RESUMING.
    pub driver: Box<dyn Driver>,
    /// Its PCI configuration space; `None` where it is not known, and taken to be that of the stream.
    pub config: Option<Vec<u8>>,
}

/// What QEMU would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The migration completes, and every device holds what the stream has.
    Completed,
    /// The migration completes, and these devices of the machine keep what they held before: QEMU resets them and goes on.
    Stale(Vec<usize>),
    /// The migration fails.
    Failed(Failure),
    /// It depends on more than stream and machine.
    Depends(&'static str),
}

/// Why a migration fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// Offset in the main channel of what QEMU stumbles over; none for what comes in packets.
    pub offset: Option<u64>,
}

/// What QEMU stumbles over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Magic or version are not those of a migration stream.
    NotAStream,
    /// The stream ends early.
    Truncated,
    /// The configuration section is malformed, or is of another machine type or other capabilities than the machine.
    Configuration,
    /// The machine has nothing of this identity.
    UnknownHandler {
        /// The identity string.
        name: Vec<u8>,
        /// The instance id.
        instance: u32,
    },
    /// A section's version is newer than the machine's.
    HandlerVersion {
        /// The identity string.
        name: Vec<u8>,
        /// The stream's version.
        found: u32,
        /// The machine's.
        own: u32,
    },
    /// A section goes on that was not started.
    UnboundSection(u64),
    /// No type of section or command.
    SectionType,
    /// A command is unknown, or has a wrong length.
    Command,
    /// A footer is missing or names another section.
    Footer {
        /// What is there: the byte, or the id.
        found: u64,
        /// What should be there.
        required: u64,
    },
    /// A block of RAM has another length.
    RamSize {
        /// The block.
        name: Vec<u8>,
        /// The stream's length.
        found: u64,
        /// The machine's.
        own: u64,
    },
    /// The machine has no such block of RAM.
    RamBlock,
    /// A record of RAM is malformed.
    RamRecord,
    /// A chunk of dirty bitmaps is malformed.
    BitmapChunk,
    /// A piece of a dirty bitmap is too long to be read.
    BitmapLength,
    /// A record of a VFIO device has this tag.
    Tag(u64),
    /// The PCI configuration differs in a byte that is compared.
    ConfigSpace {
        /// Offset of the byte in the space.
        offset: u16,
        /// What the stream has.
        found: u8,
        /// What the device has.
        own: u8,
    },
    /// The configuration record is malformed.
    ConfigRecord,
    /// The driver refused a write.
    Driver {
        /// The device: an index into [`Machine::devices`].
        device: usize,
        /// With which error.
        errno: Errno,
    },
    /// A device's driver does not come back from a write.
    Breaks {
        /// The device: an index into [`Machine::devices`].
        device: usize,
        /// How.
        how: Break,
    },
}

impl Cause {
    /// The error that QEMU names: "load of migration failed: ...".
    pub const fn error(&self) -> &'static str {
        match self {
            Self::Truncated | Self::BitmapLength => Errno::Eio.message(),
            // QEMU hands on what a write to the driver fails with.
            Self::Driver { errno, .. } => errno.message(),
            _ => Errno::Einval.message(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn text(name: &[u8]) -> impl fmt::Display + '_ {
            name.escape_ascii()
        }
        match self {
            Self::NotAStream => f.write_str("not a migration stream of version 3"),
            Self::Truncated => f.write_str("the stream ends early"),
            Self::Configuration => f.write_str("the configuration section is not the machine's"),
            Self::UnknownHandler { name, instance } => {
                write!(f, "the machine has no '{}' of instance {instance}", text(name))
            }
            Self::HandlerVersion { name, found, own } => {
                write!(f, "version {found} of '{}' is newer than {own}", text(name))
            }
            Self::UnboundSection(id) => write!(f, "section {id} was not started"),
            Self::SectionType => f.write_str("a byte that begins no section"),
            Self::Command => f.write_str("an unknown command, or one of a wrong length"),
            Self::Footer { found, required } => write!(f, "footer {found:#x} where {required:#x} should be"),
            Self::RamSize { name, found, own } => {
                write!(f, "block {} of {found:#x} bytes, {own:#x} on the machine", text(name))
            }
            Self::RamBlock => f.write_str("a block of RAM that the machine does not have"),
            Self::RamRecord => f.write_str("a malformed record of RAM"),
            Self::BitmapChunk => f.write_str("a malformed chunk of dirty bitmaps"),
            Self::BitmapLength => f.write_str("a piece of a dirty bitmap that is too long"),
            Self::Tag(tag) => write!(f, "tag {tag:#x} of a VFIO device"),
            Self::ConfigSpace { offset, found, own } => {
                write!(f, "configuration byte {offset:#x} is {found:02x}, {own:02x} on the machine")
            }
            Self::ConfigRecord => f.write_str("a malformed configuration record"),
            Self::Driver { errno, .. } => write!(f, "the driver refuses with {}", errno.name()),
            Self::Breaks { how, .. } => write!(f, "the driver {} in a write", how.name()),
        }
    }
}

impl Outlook {
    /// The answer as a reason; `None` for one that completes with every device loaded.
    pub fn reason(&self) -> Option<Reason> {
        let of = |id: ReasonId, offset: Option<u64>| offset.map_or(Reason::new(id), |offset| Reason::at(id, offset));
        match self {
            Self::Completed => None,
            Self::Stale(devices) => {
                let count = Datum::Count(widen(devices.len()));
                Some(Reason::new(reasons::STALE).because(count, Datum::None))
            }
            Self::Failed(failure) => {
                let reason = of(reasons::REFUSED, failure.offset);
                Some(reason.because(Datum::Word(failure.cause.error()), Datum::None))
            }
            Self::Depends(what) => Some(Reason::new(reasons::DEPENDS).because(Datum::Word(what), Datum::None)),
        }
    }
}

/// What QEMU makes of that at which a walk ends, given what is there and what should be.
type Stumble = (ReasonId, fn(found: u64, required: u64) -> Cause);

const STUMBLES: &[Stumble] = &[
    (reasons::TRUNCATED, |_, _| Cause::Truncated),
    (shared::MAGIC_TRUNCATED, |_, _| Cause::Truncated),
    (shared::MAGIC_UNRECOGNIZED, |_, _| Cause::NotAStream),
    (reasons::VERSION, |_, _| Cause::NotAStream),
    (reasons::CONFIGURATION, |_, _| Cause::Configuration),
    (reasons::CONFIGURATION_UNKNOWN, |_, _| Cause::Configuration),
    (reasons::SECTION_TYPE, |_, _| Cause::SectionType),
    (reasons::SECTION_UNBOUND, |id, _| Cause::UnboundSection(id)),
    (reasons::COMMAND, |_, _| Cause::Command),
    (reasons::COMMAND_LENGTH, |_, _| Cause::Command),
    (reasons::FOOTER, |found, required| Cause::Footer { found, required }),
    (reasons::RAM_BLOCK, |_, _| Cause::RamBlock),
    (reasons::RAM_FLAGS, |_, _| Cause::RamRecord),
    (reasons::RAM_OFFSET, |_, _| Cause::RamRecord),
    (reasons::RAM_LENGTH, |_, _| Cause::RamRecord),
    (reasons::BITMAP_NAME, |_, _| Cause::BitmapChunk),
    (reasons::BITMAP_START, |_, _| Cause::BitmapChunk),
    (reasons::BITMAP_BITS, |_, _| Cause::BitmapChunk),
    (reasons::BITMAP_LENGTH, |_, _| Cause::BitmapLength),
    (reasons::VFIO_TAG, |tag, _| Cause::Tag(tag)),
    (reasons::VFIO_TAG_UNKNOWN, |tag, _| Cause::Tag(tag)),
    (reasons::VFIO_CONFIG, |_, _| Cause::ConfigRecord),
];

/// A destination that loads a stream: takes the events of the main channel's walk, then the packets of other channels.
pub struct Destination {
    machine: Machine,
    /// Bytes of a write that is being put together, and whose.
    write: Vec<u8>,
    writing: Option<(usize, u64)>,
    failed: Option<Failure>,
    depends: Option<&'static str>,
    completed: bool,
}

impl Destination {
    /// A destination that waits for a stream.
    pub const fn new(machine: Machine) -> Self {
        Self { machine, write: Vec::new(), writing: None, failed: None, depends: None, completed: false }
    }

    /// The machine. What only the stream tells of it, such as its type, is set before the event that needs it is taken.
    pub const fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Takes an event of the walk through the main channel.
    pub fn take(&mut self, reader: &QemuReader, event: &Event<'_>) {
        if self.is_over() || matches!(event, Event::Need(_) | Event::Passed | Event::Skip(_)) {
            return;
        }
        if let Event::Data { device, offset, bytes, .. } = *event {
            if let Some(slot) = self.slot(reader, device) {
                self.data(slot, offset, bytes);
            }
            return;
        }
        self.flush();
        if self.is_over() {
            return;
        }
        match *event {
            Event::Item(Item::Configuration { offset, .. }) => self.configuration(reader, offset),
            Event::Item(Item::Section(head)) => self.section(reader, head),
            Event::Item(Item::Block(block)) => self.block(reader, block),
            Event::Item(Item::EndOfSections { .. }) => self.completed = true,
            Event::Config { device, layout, bytes, .. } => {
                let space = bytes.get(vfio::CONFIG_HEAD..).unwrap_or(&[]);
                let space = space.get(..usize::from(layout.space)).unwrap_or(space);
                self.config(self.slot(reader, device), layout.offset, space);
            }
            Event::Failed(reason) => self.stumble(&reason),
            _ => {}
        }
    }

    /// Device state that came in packets, in the order of their indexes.
    pub fn packet(&mut self, name: &[u8], instance: u32, bytes: &[u8]) {
        let same = |slot: &Slot| slot.name == name && slot.instance == instance;
        if self.failed.is_some() {
            return;
        }
        match self.machine.devices.iter().position(same) {
            Some(slot) => {
                for write in bytes.chunks(WRITE_MAX) {
                    self.make(slot, None, write);
                }
            }
            None => self.fail(None, Cause::UnknownHandler { name: name.to_vec(), instance }),
        }
    }

    /// The PCI configuration of a device that came in a packet.
    pub fn packet_config(&mut self, name: &[u8], instance: u32, space: &[u8]) {
        let same = |slot: &Slot| slot.name == name && slot.instance == instance;
        let slot = self.machine.devices.iter().position(same);
        if self.failed.is_none() {
            self.config(slot, 0, space);
        }
    }

    /// Everything has come: what became of it.
    pub fn finish(mut self) -> Outlook {
        self.flush();
        if let Some(failure) = self.failed {
            return Outlook::Failed(failure);
        }
        if let Some(what) = self.depends {
            return Outlook::Depends(what);
        }
        if !self.completed {
            return Outlook::Failed(Failure { cause: Cause::Truncated, offset: None });
        }
        // The guest is started: every device leaves RESUMING, whether the stream spoke of it or not.
        let mut stale = Vec::new();
        for (slot, device) in self.machine.devices.iter_mut().enumerate() {
            if device.driver.resume().is_err() {
                stale.push(slot);
            }
            if let Some(what) = device.driver.depends() {
                return Outlook::Depends(what);
            }
        }
        if stale.is_empty() { Outlook::Completed } else { Outlook::Stale(stale) }
    }

    const fn is_over(&self) -> bool {
        self.failed.is_some() || self.depends.is_some() || self.completed
    }

    fn fail(&mut self, offset: Option<u64>, cause: Cause) {
        self.failed.get_or_insert(Failure { cause, offset });
    }

    fn slot(&self, reader: &QemuReader, device: DeviceKey) -> Option<usize> {
        let handler = reader.device(device)?;
        self.machine.devices.iter().position(|slot| slot.name == handler.name && slot.instance == handler.instance)
    }

    fn data(&mut self, slot: usize, offset: u64, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.failed.is_none() {
            let begun = widen(bytes.len().saturating_sub(rest.len()));
            self.writing.get_or_insert((slot, offset.saturating_add(begun)));
            let room = WRITE_MAX.saturating_sub(self.write.len());
            let (part, left) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            self.write.extend_from_slice(part);
            rest = left;
            if self.write.len() >= WRITE_MAX {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if let Some((slot, offset)) = self.writing.take() {
            let write = core::mem::take(&mut self.write);
            self.make(slot, Some(offset), &write);
            self.write = write;
            self.write.clear();
        }
    }

    fn make(&mut self, slot: usize, offset: Option<u64>, write: &[u8]) {
        let refused = self.machine.devices.get_mut(slot).and_then(|device| device.driver.write(write).err());
        match refused {
            Some(Answer::Refused(errno)) => self.fail(offset, Cause::Driver { device: slot, errno }),
            Some(Answer::Breaks(how)) => self.fail(offset, Cause::Breaks { device: slot, how }),
            None => {}
        }
    }

    /// QEMU compares the machine type over the length that the stream gives: a shorter one that its own begins with passes.
    fn configuration(&mut self, reader: &QemuReader, offset: u64) {
        let found = reader.configuration();
        let machine = &self.machine;
        let of_type = machine.machine.as_ref().is_none_or(|own| own.starts_with(&found.machine));
        let of_capabilities = machine.mapped_ram.is_none_or(|own| own == found.mapped_ram);
        if !of_type || !of_capabilities {
            self.fail(Some(offset), Cause::Configuration);
        }
    }

    fn section(&mut self, reader: &QemuReader, head: Head) {
        let Some(handler) = reader.handlers().get(index(head.handler)) else { return };
        if head.kind == Kind::Part || head.kind == Kind::End {
            return;
        }
        let (name, instance) = (handler.name.as_slice(), handler.instance);
        let known = match &self.machine.handlers {
            _ if handler.device.is_some() => {
                self.machine.devices.iter().any(|slot| slot.name == name && slot.instance == instance)
            }
            Some(handlers) => handlers.iter().any(|(known, of)| known == name && *of == instance),
            None => true,
        };
        let own = match name {
            bitmap::NAME => Some(bitmap::VERSION),
            _ => handler.device.map(|_| vfio::VERSION),
        };
        // Of bitmaps, an older version is not taken either.
        let is_old_bitmap = name == bitmap::NAME && head.version < bitmap::VERSION;
        let name = name.to_vec();
        if !known {
            self.fail(Some(head.offset), Cause::UnknownHandler { name, instance });
        } else if let Some(own) = own.filter(|own| head.version > *own) {
            self.fail(Some(head.offset), Cause::HandlerVersion { name, found: head.version, own });
        } else if is_old_bitmap {
            self.fail(Some(head.offset), Cause::BitmapChunk);
        }
    }

    fn block(&mut self, reader: &QemuReader, block: Block) {
        let name = reader.block_name(block.block).unwrap_or(&[]);
        let own = self.machine.blocks.iter().find(|(known, _)| known == name).map(|(_, length)| *length);
        if let Some(own) = own.filter(|own| *own != block.length) {
            let cause = Cause::RamSize { name: name.to_vec(), found: block.length, own };
            self.fail(Some(block.offset), cause);
        }
    }

    fn config(&mut self, slot: Option<usize>, offset: u64, space: &[u8]) {
        let own = slot.and_then(|slot| self.machine.devices.get(slot)).and_then(|device| device.config.as_deref());
        let skip = self.machine.skip_vendor_specific;
        let differs = own.and_then(|own| {
            let mut differences = ConfigSpace(space).differences(ConfigSpace(own), skip);
            differences.find(|difference| difference.compared)
        });
        if let Some(found) = differs {
            let cause = Cause::ConfigSpace { offset: found.offset, found: found.found, own: found.required };
            let first = widen(vfio::CONFIG_HEAD).saturating_add(u64::from(found.offset));
            self.fail(Some(offset.saturating_add(first)), cause);
        }
    }

    /// The walk came to something that cannot be understood: what QEMU makes of it.
    fn stumble(&mut self, reason: &Reason) {
        let wire = |datum| match datum {
            Datum::Wire(number) | Datum::Count(number) => number,
            Datum::None | Datum::Word(_) => 0,
        };
        let (found, required) = (wire(reason.found), wire(reason.required));
        match STUMBLES.iter().find(|(id, _)| *id == reason.id) {
            Some((_, cause)) => self.fail(reason.offset(), cause(found, required)),
            None => self.depends = Some("parts of the stream that could not be followed"),
        }
    }
}
