//! Multifd channels: packets of pages, and of device state since 10.0; and the return path, which no source writes.
//!
//! Facts: QEMU `migration/multifd.h`, `migration/multifd.c`, `hw/vfio/migration-multifd.c`, `migration/migration.c`. Numbers
//! are big-endian. A channel has no end of its own: it ends with the connection, between two packets.

use super::event::{Channel, Event, Item, Message, Packet, Record, Tag};
use super::stream::{QemuReader, State, config_event, passed};
use super::vfio::{self, ConfigEnd};
use super::wire::{Read, Stop, be16, be32, be64, padded, printable, used, within};
use super::{MULTIFD_MAGIC, reasons};
use crate::bytes::{Reader as Bytes, index, widen};
use crate::format::{DeviceKey, Phase};
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason};

/// The version of everything on these channels.
const VERSION: u32 = 1;
/// Bytes of pages that a packet stands for at the most (`MULTIFD_PACKET_SIZE`).
const PACKET_PAGES: u64 = 512 << 10;
/// Bytes of a name in a packet.
const NAME_LEN: usize = 256;
/// Reserved bytes at the end of the first message.
const INIT_REST: usize = 7 + 32;
/// Reserved bytes of a packet of pages.
const PACKET_REST: usize = 28;
/// Version, index and flags before the state in a packet of device state.
const STATE_HEAD: u32 = 12;
/// Flag: channels are brought together.
const SYNC: u32 = 0x01;
/// Flags: the compression, of which QEMU knows 0, 1, 2, 4, 8 and 16.
const COMPRESSION: u32 = 0x3e;
/// Flag: device state.
const DEVICE_STATE: u32 = 0x40;
/// Flag of device state: the PCI configuration.
const CONFIG_STATE: u32 = 0x01;
/// An index that QEMU refuses.
const INDEX_INVALID: u32 = u32::MAX;
/// Bytes of the longest message of the return path; the loader refuses longer ones.
const MESSAGE_MAX: u16 = 512;

/// Messages of the return path: number and name.
const MESSAGES: &[(u16, &str)] = &[
    (1, "SHUT"),
    (2, "PONG"),
    (3, "REQ_PAGES_ID"),
    (4, "REQ_PAGES"),
    (5, "RECV_BITMAP"),
    (6, "RESUME_ACK"),
    (7, "SWITCHOVER_ACK"),
];

/// Where the walk through a channel stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Packets {
    Init,
    Head,
    /// So many bytes of pages are left.
    Pages(u64),
    /// So many bytes of device state are left.
    State {
        device: DeviceKey,
        index: u32,
        left: u64,
    },
    /// A configuration record of so many bytes.
    Config {
        device: DeviceKey,
        index: u32,
        length: u32,
    },
}

impl Packets {
    /// What was being read, for a channel that ends here.
    pub(super) const fn awaited(self) -> &'static str {
        match self {
            Self::Init => "the first message of a multifd channel",
            Self::Head => "the head of a multifd packet",
            Self::Pages(_) => "the pages of a multifd packet",
            Self::State { .. } | Self::Config { .. } => "the device state of a multifd packet",
        }
    }
}

fn wrong(at: u64, length: u32, found: u64, required: Datum) -> Stop {
    Reason::at(reasons::MULTIFD, at).spanning(at, length).because(Datum::Count(found), required).into()
}

fn unknown(at: u64, found: u32) -> Stop {
    let found = Datum::Wire(u64::from(found));
    Reason::at(reasons::MULTIFD_VERSION, at).spanning(at, 4).because(found, Datum::None).into()
}

impl QemuReader {
    pub(super) fn packets<'a>(&mut self, input: &'a [u8], eof: bool, packets: Packets) -> Read<(usize, Event<'a>)> {
        match packets {
            Packets::Init => self.init(input),
            Packets::Head if input.is_empty() && eof => {
                self.state = State::Ended;
                Ok((0, Event::Passed))
            }
            Packets::Head => self.packet(input),
            Packets::Pages(left) => {
                let part = within(input, left);
                let left = left.saturating_sub(widen(part.len()));
                self.state = State::Packets(if left == 0 { Packets::Head } else { Packets::Pages(left) });
                passed(part, left)
            }
            Packets::State { device, index, left } => {
                let bytes = within(input, left);
                if bytes.is_empty() {
                    return Err(Stop::Short(1));
                }
                let left = left.saturating_sub(widen(bytes.len()));
                let next = if left == 0 { Packets::Head } else { Packets::State { device, index, left } };
                self.state = State::Packets(next);
                let (offset, index) = (self.offset, Some(index));
                Ok((bytes.len(), Event::Data { device, phase: Phase::StopCopy, index, offset, bytes }))
            }
            Packets::Config { device, index: number, length } => self.config_packet(input, device, number, length),
        }
    }

    fn init<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        let mut bytes = Bytes::at(input, self.offset);
        let magic = be32(&mut bytes)?;
        let version = be32(&mut bytes)?;
        if magic != MULTIFD_MAGIC {
            return Err(Reason::at(shared::MAGIC_UNRECOGNIZED, self.offset).into());
        }
        if version != VERSION {
            return Err(unknown(self.offset.saturating_add(4), version));
        }
        let uuid = bytes.array()?;
        let id = bytes.u8()?;
        bytes.take(INIT_REST)?;
        self.state = State::Packets(Packets::Head);
        Ok((used(&bytes, self.offset), Event::Item(Item::Channel(Channel { uuid, id }))))
    }

    fn packet<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        let mut bytes = Bytes::at(input, self.offset);
        let magic = be32(&mut bytes)?;
        let version = be32(&mut bytes)?;
        let flags = be32(&mut bytes)?;
        if magic != MULTIFD_MAGIC {
            let found = Datum::Wire(u64::from(magic));
            let reason = Reason::at(reasons::MULTIFD, self.offset).spanning(self.offset, 4);
            return Err(reason.because(found, Datum::Wire(u64::from(MULTIFD_MAGIC))).into());
        }
        if version != VERSION {
            return Err(unknown(self.offset.saturating_add(4), version));
        }
        let compression = flags & COMPRESSION;
        let known = compression == 0 || compression.is_power_of_two();
        if flags & !(SYNC | COMPRESSION | DEVICE_STATE) != 0
            || !known
            || flags & DEVICE_STATE != 0 && flags != DEVICE_STATE
        {
            return Err(unknown(self.offset.saturating_add(8), flags));
        }
        if flags == DEVICE_STATE { self.state_packet(bytes) } else { self.page_packet(bytes, flags) }
    }

    fn page_packet<'a>(&mut self, mut bytes: Bytes<'a>, flags: u32) -> Read<(usize, Event<'a>)> {
        let page = self.mode.page_size();
        let most = PACKET_PAGES.div_euclid(page);
        let at = bytes.offset();
        let allocated = be32(&mut bytes)?;
        let pages = be32(&mut bytes)?;
        let length = be32(&mut bytes)?;
        let number = be64(&mut bytes)?;
        let zero_pages = be32(&mut bytes)?;
        bytes.take(PACKET_REST)?;
        bytes.take(NAME_LEN)?;
        bytes.take(usize::try_from(most.saturating_mul(8)).unwrap_or(usize::MAX))?;
        if u64::from(allocated) > most {
            return Err(wrong(at, 4, u64::from(allocated), Datum::Count(most)));
        }
        let all = u64::from(pages).saturating_add(u64::from(zero_pages));
        if all > u64::from(allocated) {
            return Err(wrong(at.saturating_add(4), 4, all, Datum::Count(u64::from(allocated))));
        }
        let plain = u64::from(pages).saturating_mul(page);
        // Compressed pages come to no more than twice as many bytes by any of the methods.
        let fits = if flags & COMPRESSION == 0 {
            u64::from(length) == plain
        } else {
            u64::from(length) <= plain.saturating_mul(2)
        };
        if !fits {
            return Err(wrong(at.saturating_add(8), 4, u64::from(length), Datum::Count(plain)));
        }
        let sum = &mut self.ram.sum;
        sum.packets = sum.packets.saturating_add(1);
        sum.packet_pages = sum.packet_pages.saturating_add(u64::from(pages));
        sum.packet_zero_pages = sum.packet_zero_pages.saturating_add(u64::from(zero_pages));
        sum.packet_bytes = sum.packet_bytes.saturating_add(u64::from(length));
        self.state = State::Packets(if length == 0 { Packets::Head } else { Packets::Pages(u64::from(length)) });
        let packet = Packet { offset: self.offset, flags, number, pages, zero_pages, length };
        Ok((used(&bytes, self.offset), Event::Item(Item::Packet(packet))))
    }

    fn state_packet<'a>(&mut self, mut bytes: Bytes<'a>) -> Read<(usize, Event<'a>)> {
        let at = bytes.offset();
        let field = bytes.take(NAME_LEN)?;
        let instance = be32(&mut bytes)?;
        let length = be32(&mut bytes)?;
        let body = bytes.offset();
        let version = be32(&mut bytes)?;
        let number = be32(&mut bytes)?;
        let flags = be32(&mut bytes)?;
        let name = padded(field);
        if !printable(name) || name.len() == field.len() {
            return Err(wrong(at, 256, widen(name.len()), Datum::Word("a name and a zero byte")));
        }
        let Some(length) = length.checked_sub(STATE_HEAD) else {
            return Err(wrong(body.saturating_sub(4), 4, u64::from(length), Datum::Word("12 or more")));
        };
        if version != 0 {
            return Err(unknown(body, version));
        }
        if number == INDEX_INVALID {
            return Err(wrong(body.saturating_add(4), 4, u64::from(number), Datum::Word("less")));
        }
        if flags & !CONFIG_STATE != 0 {
            return Err(unknown(body.saturating_add(8), flags));
        }
        let is_config = flags & CONFIG_STATE != 0;
        let device = self.device_named(name, instance)?;
        self.state = State::Packets(match length {
            length if is_config => Packets::Config { device, index: number, length },
            0 => Packets::Head,
            length => Packets::State { device, index: number, left: u64::from(length) },
        });
        let record = Record {
            device,
            tag: Tag::Packet,
            section: None,
            phase: Phase::StopCopy,
            offset: self.offset,
            data: bytes.offset(),
            length: u64::from(length),
            index: Some(number),
            is_config,
        };
        Ok((used(&bytes, self.offset), Event::Item(Item::Record(record))))
    }

    /// The device of this name; packets of one device come on any channel, so each numbers its own.
    fn device_named(&mut self, name: &[u8], instance: u32) -> Read<DeviceKey> {
        let same = |handler: &&super::Handler| handler.name == name && handler.instance == instance;
        if let Some(device) = self.handlers.iter().find(same).and_then(|handler| handler.device) {
            return Ok(device);
        }
        if !vfio::is_vfio(name) {
            let at = self.offset.saturating_add(12);
            return Err(wrong(at, 256, 0, Datum::Word("the name of a VFIO device")));
        }
        let handler = self.add_handler(name, instance, 0, 0)?;
        Ok(self.handlers.get(index(handler)).and_then(|handler| handler.device).unwrap_or_default())
    }

    fn config_packet<'a>(
        &mut self,
        input: &'a [u8],
        device: DeviceKey,
        number: u32,
        length: u32,
    ) -> Read<(usize, Event<'a>)> {
        let whole = index(length);
        // The end tag is the record's own last part.
        let Some(record) = whole.checked_sub(vfio::TAG_LEN).filter(|record| *record <= vfio::CONFIG_MAX) else {
            let reason = Reason::at(reasons::VFIO_CONFIG, self.offset);
            return Err(reason.because(Datum::Count(u64::from(length)), Datum::None).into());
        };
        if input.len() < whole {
            return Err(Stop::Short(whole.saturating_sub(input.len())));
        }
        let mut bytes = Bytes::at(input, self.offset);
        if vfio::tag(&mut bytes)? != Tag::Config {
            return Err(Reason::at(reasons::VFIO_CONFIG, self.offset).spanning(self.offset, 8).into());
        }
        let (used, layout, _) = vfio::config(input, self.offset, true, ConfigEnd::At(record))?;
        let end = self.offset.saturating_add(widen(used));
        let mut bytes = Bytes::at(input.get(used..).unwrap_or(&[]), end);
        if vfio::tag(&mut bytes)? != Tag::EndOfState {
            return Err(Reason::at(reasons::VFIO_CONFIG, end).spanning(end, 8).into());
        }
        self.state = State::Packets(Packets::Pages(widen(vfio::TAG_LEN)));
        Ok((used, config_event(input, used, layout, device, Some(number))))
    }

    pub(super) fn message<'a>(&mut self, input: &'a [u8], eof: bool) -> Read<(usize, Event<'a>)> {
        if input.is_empty() && eof {
            self.state = State::Ended;
            return Ok((0, Event::Passed));
        }
        let mut bytes = Bytes::at(input, self.offset);
        let number = be16(&mut bytes)?;
        let length = be16(&mut bytes)?;
        let Some((_, name)) = MESSAGES.iter().find(|(known, _)| *known == number).filter(|_| length <= MESSAGE_MAX)
        else {
            let reason = Reason::at(reasons::RETURN_PATH, self.offset).spanning(self.offset, 4);
            return Err(reason.because(Datum::Count(u64::from(number)), Datum::None).into());
        };
        let mut payload = bytes.sub(usize::from(length))?;
        let value = if number <= 2 { Some(be32(&mut payload)?) } else { None };
        let message = Message { offset: self.offset, number, name, length, value };
        Ok((used(&bytes, self.offset), Event::Item(Item::Message(message))))
    }
}
