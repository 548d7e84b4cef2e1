//! The streams of devices, put together from all channels of one migration.
//!
//! A device's stream is what its driver gets, in order: the data records of the main channel as they come, then the multifd
//! packets by index (QEMU `hw/vfio/migration.c`, `hw/vfio/migration-multifd.c`). Kept is where each piece stands, not the
//! piece: a caller that can seek reads the pieces afterwards, in order; a gate hands them on as they pass, and asks this for
//! what is wrong with their order.

use alloc::vec::Vec;

use super::event::{ConfigLayout, Event, Item, Kind, Record, Tag};
use super::pci::ConfigSpace;
use super::reasons;
use super::stream::{Handler, QemuReader};
use crate::bytes::{index, widen};
use crate::format::{DeviceKey, Phase};
use crate::verdict::{Datum, REASONS_KEPT, Reason};

/// VFIO devices that a migration may have; machines have at most tens.
pub const DEVICES_MAX: usize = 256;
/// Pieces that are kept track of, of all devices together: 128 GiB of device state in records of 1 MiB, in 4 MiB of memory.
pub const EXTENTS_MAX: usize = 131_072;

/// A piece of a device's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The channel, as the caller numbers them.
    pub channel: u32,
    /// Offset of its first byte in that channel.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
    /// When it was saved.
    pub phase: Phase,
}

/// The PCI configuration of a device, as the stream has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The channel.
    pub channel: u32,
    /// What is where.
    pub layout: ConfigLayout,
    /// The configuration space, 256 or 4096 bytes; see [`super::pci::ConfigSpace`].
    pub space: Vec<u8>,
}

/// A VFIO device of the migration.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its identity string, such as `0000:00:05.0/vfio`.
    pub name: Vec<u8>,
    /// Its instance id.
    pub instance: u32,
    /// Its PCI configuration, where it has come.
    pub config: Option<Config>,
    main: Vec<Extent>,
    packets: Vec<Packet>,
    first: (u32, u64),
    setup: bool,
    ended: bool,
    /// Whether the main channel has carried the configuration; that of a packet has no place among its sections.
    configured: bool,
    /// Index of the packet with the configuration.
    last_index: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    index: u32,
    extent: Extent,
    is_config: bool,
}

/// What is wrong with a device's stream, or worth saying.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The channel that the offset counts in.
    pub channel: u32,
    /// The device: an index into [`Assembly::devices`].
    pub device: usize,
    /// What it is.
    pub reason: Reason,
}

/// Puts the streams of devices together.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    devices: Vec<Device>,
    findings: Vec<Finding>,
    extents: usize,
    full: bool,
}

impl Device {
    /// The pieces of the stream, in the order in which the driver gets them.
    pub fn extents(&self) -> impl Iterator<Item = Extent> + '_ {
        self.main.iter().copied().chain(self.packet_extents())
    }

    /// Of these, the pieces that came in packets.
    pub fn packet_extents(&self) -> impl Iterator<Item = Extent> + '_ {
        self.packets.iter().filter(|packet| !packet.is_config).map(|packet| packet.extent)
    }

    /// Where the stream first speaks of the device: channel and offset.
    pub const fn first(&self) -> (u32, u64) {
        self.first
    }

    /// Bytes of the stream.
    pub fn length(&self) -> u64 {
        self.extents().fold(0, |sum, extent| sum.saturating_add(extent.length))
    }

    /// Where the byte at `position` of the stream stands: channel and offset.
    pub fn locate(&self, position: u64) -> Option<(u32, u64)> {
        let mut before = 0_u64;
        self.extents().find_map(|extent| {
            let within = position.checked_sub(before)?;
            before = before.saturating_add(extent.length);
            (within < extent.length).then(|| (extent.channel, extent.offset.saturating_add(within)))
        })
    }

    /// Where the PCI configuration in the stream keeps QEMU from loading it on a target whose device has this one: a
    /// reason for each byte that is compared and differs. See [`super::pci::ConfigSpace::differences`].
    pub fn config_differences<'a>(
        &'a self,
        target: ConfigSpace<'a>,
        skip_vendor_specific: bool,
    ) -> impl Iterator<Item = Reason> + 'a {
        let config = self.config.iter();
        config.flat_map(move |config| {
            let space = config.layout.space_offset();
            let differences = ConfigSpace(&config.space).differences(target, skip_vendor_specific);
            differences.filter(|difference| difference.compared).map(move |difference| {
                let at = space.saturating_add(u64::from(difference.offset));
                let [found, required] =
                    [difference.found, difference.required].map(|byte| Datum::Wire(u64::from(byte)));
                Reason::at(reasons::DEVICE_CONFIG_DIFFERS, at).spanning(at, 1).because(found, required)
            })
        })
    }

    /// Whether multifd packets carry a part of the stream.
    pub const fn has_packets(&self) -> bool {
        !self.packets.is_empty()
    }
}

impl Assembly {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { devices: Vec::new(), findings: Vec::new(), extents: 0, full: false }
    }

    /// The devices, in order of appearance. The pieces of packets are in order after [`Assembly::finish`].
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// What is wrong so far, in order. [`Assembly::finish`] adds what can be said at the end only.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The index in [`Assembly::devices`] of a device of a channel.
    pub fn device_of(&self, reader: &QemuReader, device: DeviceKey) -> Option<usize> {
        let handler = reader.device(device)?;
        self.devices.iter().position(|known| known.name == handler.name && known.instance == handler.instance)
    }

    /// What to say of a device that the target has: nothing where the stream speaks of it.
    pub fn missing(&self, name: &[u8], instance: u32) -> Option<Reason> {
        let known = self.devices.iter().any(|known| known.name == name && known.instance == instance);
        (!known).then(|| Reason::new(reasons::DEVICE_MISSING))
    }

    /// Takes an event of the walk through a channel.
    pub fn take(&mut self, channel: u32, reader: &QemuReader, event: &Event<'_>) {
        match *event {
            Event::Item(Item::Section(head)) => {
                let device = reader.handlers().get(index(head.handler)).and_then(|handler| handler.device);
                self.device(channel, reader, device, head.offset);
            }
            Event::Item(Item::SectionEnd(section)) => {
                let device = reader.handlers().get(index(section.head.handler)).and_then(|handler| handler.device);
                let device = self.device(channel, reader, device, section.head.offset);
                if section.head.kind == Kind::End
                    && let Some(device) = device
                    && let Some(known) = self.devices.get_mut(device)
                {
                    known.ended = true;
                }
            }
            Event::Item(Item::Record(record)) => {
                if let Some(device) = self.device(channel, reader, Some(record.device), record.offset) {
                    self.record(channel, device, record);
                }
            }
            Event::Data { device, phase, index, offset, bytes } => {
                if let Some(device) = self.device(channel, reader, Some(device), offset) {
                    let extent = Extent { channel, offset, length: widen(bytes.len()), phase };
                    self.data(device, index, extent);
                }
            }
            Event::Config { device, index, layout, bytes } => {
                if let Some(device) = self.device(channel, reader, Some(device), layout.offset) {
                    self.config(channel, device, index.is_some(), layout, bytes);
                }
            }
            _ => {}
        }
    }

    /// Nothing more comes: puts the packets in order, and says what is missing. `whole` where every channel was walked to
    /// its end: what a walk that failed did not come to is not missed.
    pub fn finish(&mut self, whole: bool) -> &[Finding] {
        let mut found = Vec::new();
        for (device, known) in self.devices.iter_mut().enumerate() {
            known.packets.sort_by_key(|packet| packet.index);
            if !whole {
                continue;
            }
            let (channel, offset) = known.first;
            let mut say = |channel, reason| found.push(Finding { channel, device, reason });
            if !known.setup || !known.ended {
                let required = if known.setup { "an END section" } else { "a START section" };
                let reason = Reason::at(reasons::DEVICE_TRUNCATED, offset);
                say(channel, reason.because(Datum::None, Datum::Word(required)));
            }
            known.check_indexes(&mut say);
            if known.length() == 0 {
                say(channel, Reason::at(reasons::DEVICE_NO_DATA, offset));
            } else if known.extents().all(|extent| extent.phase != Phase::StopCopy) {
                say(channel, Reason::at(reasons::DEVICE_NO_STOP_COPY, offset));
            }
            if known.config.is_none() {
                say(channel, Reason::at(reasons::DEVICE_NO_CONFIG, offset));
            }
        }
        for finding in found {
            self.say(finding.channel, finding.device, finding.reason);
        }
        &self.findings
    }

    fn say(&mut self, channel: u32, device: usize, reason: Reason) {
        if self.findings.len() < REASONS_KEPT {
            self.findings.push(Finding { channel, device, reason });
        }
    }

    fn device(&mut self, channel: u32, reader: &QemuReader, device: Option<DeviceKey>, at: u64) -> Option<usize> {
        let handler: &Handler = reader.device(device?)?;
        if let Some(known) = self.device_of(reader, device?) {
            return Some(known);
        }
        if self.devices.len() >= DEVICES_MAX {
            self.overflow(channel, 0, at, DEVICES_MAX);
            return None;
        }
        self.devices.push(Device {
            name: handler.name.clone(),
            instance: handler.instance,
            config: None,
            main: Vec::new(),
            packets: Vec::new(),
            first: (channel, at),
            setup: false,
            ended: false,
            configured: false,
            last_index: None,
        });
        self.devices.len().checked_sub(1)
    }

    fn overflow(&mut self, channel: u32, device: usize, at: u64, most: usize) {
        if !self.full {
            self.full = true;
            let reason = Reason::at(reasons::EXTENTS, at).because(Datum::None, Datum::Count(widen(most)));
            self.say(channel, device, reason);
        }
    }

    fn record(&mut self, channel: u32, device: usize, record: Record) {
        let Some(known) = self.devices.get_mut(device) else { return };
        let mut wrong = None;
        match record.tag {
            Tag::Setup => {
                wrong = known.setup.then_some("set up once");
                known.setup = true;
            }
            Tag::Data if known.ended => wrong = Some("before the END section"),
            Tag::Data if known.configured => wrong = Some("before the configuration"),
            Tag::Packet => {
                let extent = Extent { channel, offset: record.data, length: 0, phase: record.phase };
                let number = record.index.unwrap_or_default();
                if self.extents >= EXTENTS_MAX {
                    return self.overflow(channel, device, record.offset, EXTENTS_MAX);
                }
                self.extents = self.extents.saturating_add(1);
                if record.is_config {
                    known.last_index = Some(number);
                }
                known.packets.push(Packet { index: number, extent, is_config: record.is_config });
            }
            _ => {}
        }
        if let Some(required) = wrong {
            let reason = Reason::at(reasons::DEVICE_ORDER, record.offset).because(Datum::None, Datum::Word(required));
            self.say(channel, device, reason);
        }
    }

    fn data(&mut self, device: usize, number: Option<u32>, piece: Extent) {
        let full = self.extents >= EXTENTS_MAX;
        let Some(known) = self.devices.get_mut(device) else { return };
        // Pieces of one record follow each other without a gap; the next record has a head before it.
        let last = if number.is_none() {
            known.main.last_mut()
        } else {
            // Packets of other channels may have come in between.
            let mut packets = known.packets.iter_mut().rev().map(|packet| &mut packet.extent);
            packets.find(|extent| extent.channel == piece.channel)
        };
        if let Some(last) = last
            && last.channel == piece.channel
            && last.offset.saturating_add(last.length) == piece.offset
        {
            last.length = last.length.saturating_add(piece.length);
        } else if full {
            self.overflow(piece.channel, device, piece.offset, EXTENTS_MAX);
        } else if number.is_none() {
            known.main.push(piece);
            self.extents = self.extents.saturating_add(1);
        }
    }

    fn config(&mut self, channel: u32, device: usize, in_packet: bool, layout: ConfigLayout, bytes: &[u8]) {
        let Some(known) = self.devices.get_mut(device) else { return };
        let wrong = if known.config.is_some() {
            Some("one configuration")
        } else if !known.ended && !in_packet {
            Some("behind the END section")
        } else {
            None
        };
        known.configured |= !in_packet;
        let space = bytes.get(super::vfio::CONFIG_HEAD..).unwrap_or(&[]);
        let space = space.get(..usize::from(layout.space)).unwrap_or(space);
        known.config.get_or_insert_with(|| Config { channel, layout, space: space.to_vec() });
        if let Some(required) = wrong {
            let reason = Reason::at(reasons::DEVICE_ORDER, layout.offset).because(Datum::None, Datum::Word(required));
            self.say(channel, device, reason);
        }
    }
}

impl Device {
    /// Whether the packets, in order, have every index from 0 to that of the configuration, once.
    fn check_indexes(&self, say: &mut dyn FnMut(u32, Reason)) {
        let mut next = 0_u32;
        for packet in &self.packets {
            let Extent { channel, offset, .. } = packet.extent;
            let because = |id| {
                let (found, required) = (Datum::Count(u64::from(packet.index)), Datum::Count(u64::from(next)));
                Reason::at(id, offset).because(found, required)
            };
            if packet.index > next {
                say(channel, because(reasons::INDEX_GAP));
            } else if packet.index < next {
                say(channel, because(reasons::INDEX_REPEATED));
            }
            if self.last_index.is_some_and(|last| packet.index > last) {
                say(channel, because(reasons::INDEX_BEYOND));
            }
            next = packet.index.saturating_add(1);
        }
    }
}
