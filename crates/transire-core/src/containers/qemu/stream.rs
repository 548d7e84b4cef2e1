//! The walk through one channel of a migration: a push machine that eats any slice and tells what is in it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::bitmap::{self, BitmapWalk, Bitmaps};
use super::description::{DESCRIPTION_MAX, Description, SECTIONS_MAX, Scanner};
use super::event::{Command, ConfigLayout, Event, Head, Item, Kind, Record, Section, Sizing, Step, Tag};
use super::multifd::Packets;
use super::ram::{Mode, PAGE_BITS_MAX, Ram, RamWalk, Told};
use super::vfio::{self, ConfigEnd};
use super::wire::{Read, Stop, be16, be32, be64, counted, padded, printable, used, within};
use super::{COMMANDS, FOOTER, MAGIC, POSTCOPY_RUN, STREAM_VERSION, reasons};
use crate::bytes::{Reader as Bytes, index, widen};
use crate::format::{DeviceKey, Phase};
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};

/// Handlers that a stream may bind: devices and what else has state. Machines have tens or hundreds.
pub const HANDLERS_MAX: usize = 4096;
/// Bytes of the longest name of a machine type; real ones have about twenty.
pub const MACHINE_MAX: u32 = 255;
/// Capabilities that the configuration may list; QEMU has fewer, and lists two of them.
const CAPABILITIES_MAX: u32 = 64;
/// How far the description is searched for a section: it is in stream order, so only entries without a section lie between.
const LOOK_AHEAD: usize = 256;
/// The name of the section of RAM.
const RAM: &[u8] = b"ram";
/// Its version.
const RAM_VERSION: u32 = 4;

/// What the configuration section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Configuration {
    /// The machine type, such as `pc-q35-10.0`. QEMU compares it over the length that was sent only.
    pub machine: Vec<u8>,
    /// Bits of the size of the guest's pages, where it is not the usual one.
    pub page_bits: Option<u32>,
    /// Whether blocks of RAM that are shared were left out (`x-ignore-shared`).
    pub ignore_shared: bool,
    /// Whether pages of RAM have fixed places in the file (`mapped-ram`).
    pub mapped_ram: bool,
    /// Capabilities besides these two.
    pub other_capabilities: u32,
    /// The UUID of the machine, with `validate-uuid`.
    pub uuid: Option<[u8; 16]>,
}

/// What sends sections or packets: RAM, a device, or something else of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// The identity string, such as `0000:00:05.0/vfio`; at most 255 bytes.
    pub name: Vec<u8>,
    /// The instance id.
    pub instance: u32,
    /// The section id; 0 where it was named in multifd packets only.
    pub id: u32,
    /// The version that its first section has.
    pub version: u32,
    /// Its number among the VFIO devices of this channel, if it is one.
    pub device: Option<DeviceKey>,
    seen: Seen,
}

/// Which sections of a handler have come: a bit for each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    kinds: u8,
    /// Whether a PART section has carried device data.
    data: bool,
}

impl Seen {
    const fn has(self, kind: Kind) -> bool {
        self.kinds & (1 << kind as u8) != 0
    }

    fn add(&mut self, kind: Kind) {
        self.kinds |= 1 << kind as u8;
    }
}

/// How far postcopy has come.
#[derive(Clone, Copy, Debug)]
struct Postcopy {
    /// Whether there was a command of it, other than that bitmaps could come later.
    announced: bool,
    /// Whether the guest runs: by the command, or behind a package.
    runs: bool,
    /// Whether RAM may end a second time: behind the package of a postcopy of bitmaps alone, QEMU ends it again.
    ends_again: bool,
}

/// Walks one channel of a migration. The caller owns the buffer, and knows files and sockets.
///
/// What is kept: the names of handlers, of blocks of RAM and of dirty bitmaps, 16 bytes for each FULL section, and the levels
/// of the description that is being read. Nothing is kept of a page.
#[derive(Clone, Debug)]
pub struct QemuReader {
    pub(super) state: State,
    pub(super) offset: u64,
    pub(super) handlers: Vec<Handler>,
    pub(super) devices: Vec<u32>,
    pub(super) ram: RamWalk,
    bitmaps: BitmapWalk,
    pub(super) mode: Mode,
    pub(super) told: VecDeque<Reason>,
    held: Option<(usize, Option<Item>)>,
    ids: BTreeMap<u32, u32>,
    configuration: Configuration,
    description: Option<Description>,
    described: usize,
    footers: Option<bool>,
    section: Option<Open>,
    package: Option<u64>,
    postcopy: Postcopy,
    /// Whether a live handler has gone on after its setup: all are set up before that.
    iterating: bool,
    /// How many live handlers were set up and have not ended.
    live: u32,
    full: Vec<Full>,
    /// How many sections were searched for their end, and the offset of the first.
    searched: u64,
    searched_first: u64,
    check: Check,
}

/// The section that is being read.
#[derive(Clone, Copy, Debug)]
struct Open {
    head: Head,
    sized: Sizing,
    /// Whether its handler is live no longer behind it.
    is_last: bool,
}

/// A FULL section that is over.
#[derive(Clone, Copy, Debug)]
struct Full {
    handler: u32,
    offset: u64,
    length: u64,
}

/// The comparison of the description with the sections.
#[derive(Clone, Debug, Default)]
struct Check {
    scanner: Scanner,
    next: usize,
    /// Nothing more is said of a description that is malformed or disagrees.
    settled: bool,
    /// What is to be said of the next byte.
    said: Option<Reason>,
    present: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Header,
    Configuration,
    /// Behind the machine's name: parts, until a byte that begins none. From which offset on the section reaches.
    Parts(u64),
    Body,
    /// The data of a command.
    Arguments(u64),
    Ram,
    Bitmaps,
    Vfio(Records),
    /// A payload of which so many bytes are left.
    Left(u64),
    Search,
    Footer,
    AfterSections,
    Description(u64),
    Tail {
        /// Whether something other than padding, or padding, has been spoken of.
        padding: bool,
        trailing: bool,
    },
    Packets(Packets),
    Messages,
    Ended,
    Failed(Reason),
}

/// Where the records of a VFIO device stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Records {
    Tag,
    Data {
        left: u64,
        phase: Phase,
    },
    /// Only the end tag may follow.
    Last,
}

impl QemuReader {
    /// A walk through a main channel: a file, a pipe, or the first connection.
    pub const fn main() -> Self {
        Self::new(State::Header)
    }

    /// A walk through a multifd channel.
    pub const fn multifd() -> Self {
        Self::new(State::Packets(Packets::Init))
    }

    /// A walk through what the destination sends to the source.
    pub const fn return_path() -> Self {
        Self::new(State::Messages)
    }

    const fn new(state: State) -> Self {
        Self {
            state,
            offset: 0,
            handlers: Vec::new(),
            devices: Vec::new(),
            ram: RamWalk::new(),
            bitmaps: BitmapWalk::new(),
            mode: Mode::USUAL,
            told: VecDeque::new(),
            held: None,
            ids: BTreeMap::new(),
            configuration: Configuration {
                machine: Vec::new(),
                page_bits: None,
                ignore_shared: false,
                mapped_ram: false,
                other_capabilities: 0,
                uuid: None,
            },
            description: None,
            described: 0,
            footers: None,
            section: None,
            package: None,
            postcopy: Postcopy { announced: false, runs: false, ends_again: false },
            iterating: false,
            live: 0,
            full: Vec::new(),
            searched: 0,
            searched_first: 0,
            check: Check { scanner: Scanner::new(), next: 0, settled: false, said: None, present: false },
        }
    }

    /// The same walk, of a stream that begins at `offset` of its file. The offsets that mapped-ram has in the stream count
    /// from the beginning of the file.
    #[must_use]
    pub const fn beginning_at(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// The same walk, sized by the stream's own description, which a caller that can seek reads first (see
    /// [`Description::find`]).
    #[must_use]
    pub fn described_by(mut self, description: Description) -> Self {
        self.description = Some(description);
        self
    }

    /// The same walk, of a guest whose pages have so many bits where the stream does not say: 12 to 16. The streams of x86
    /// have 12, and so has a walk that is told nothing.
    #[must_use]
    pub const fn with_page_bits(mut self, bits: u32) -> Self {
        if bits >= 10 && bits <= PAGE_BITS_MAX {
            self.mode.page_bits = Some(bits);
        }
        self
    }

    /// Offset of the next byte.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// What the configuration section says, from [`Item::Configuration`] on.
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Everything that has sent a section or a packet, in order of appearance.
    pub fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// A VFIO device of this channel.
    pub fn device(&self, device: DeviceKey) -> Option<&Handler> {
        self.handlers.get(index(*self.devices.get(index(device.0))?))
    }

    /// RAM, summed up.
    pub const fn ram(&self) -> &Ram {
        &self.ram.sum
    }

    /// The name of a block of RAM.
    pub fn block_name(&self, block: u32) -> Option<&[u8]> {
        self.ram.block_name(block)
    }

    /// Dirty bitmaps, summed up.
    pub const fn bitmaps(&self) -> &Bitmaps {
        &self.bitmaps.sum
    }

    /// The names of a dirty bitmap: that of its node, which is a disk or a part of one, and its own. With a mapping of names
    /// (`block-bitmap-mapping`) they are those that the mapping gives.
    pub fn bitmap_names(&self, bitmap: u32) -> Option<(&[u8], &[u8])> {
        self.bitmaps.names(bitmap)
    }

    /// Whether the stream has commands of postcopy, or announces one of RAM. That bitmaps could come later is no such.
    pub const fn is_postcopy(&self) -> bool {
        self.postcopy.announced
    }

    /// How many sections were sized by searching for their footers.
    pub const fn searched(&self) -> u64 {
        self.searched
    }

    /// Whether the end of the section in hand is searched for.
    pub(crate) fn is_searching(&self) -> bool {
        self.state == State::Search
    }

    /// Whether neither pages of RAM nor data of a VFIO device can follow before the guest runs: QEMU writes every live
    /// handler's last section first. In a package of postcopy they cannot either.
    pub(crate) const fn is_behind_live(&self) -> bool {
        self.package.is_some() || self.iterating && self.live == 0
    }

    /// Whether the channel has been read to its end or to an error.
    pub const fn is_finished(&self) -> bool {
        matches!(self.state, State::Ended | State::Failed(_))
    }

    /// Says that the caller passed over so many bytes behind [`Event::Skip`]. Returns how many of them counted: no more
    /// than the event said.
    pub fn skip(&mut self, count: u64) -> u64 {
        if self.state != State::Ram {
            return 0;
        }
        let skipped = self.ram.skipped(count);
        self.offset = self.offset.saturating_add(skipped);
        skipped
    }

    /// Looks at the input, which begins where the bytes used so far end; `eof` when nothing follows it. The caller drops
    /// the bytes used and calls again until [`Event::End`] or [`Event::Failed`]. Any cut of the input tells the same, but
    /// for where [`Event::Data`] and [`Event::Passed`] are cut.
    pub fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        loop {
            if let Some(reason) = self.told.pop_front() {
                return Step { used: 0, event: Event::Finding(reason) };
            }
            if let Some((used, item)) = self.held.take() {
                return self.advance(used, item.map_or(Event::Passed, Event::Item));
            }
            match self.read(input, eof) {
                Ok((0, Event::Passed)) => {}
                Ok((used, event)) if self.told.is_empty() => return self.advance(used, event),
                // What is wrong with these bytes is said before they are used.
                Ok((used, Event::Item(item))) => self.held = Some((used, Some(item))),
                Ok((used, Event::Passed)) => self.held = Some((used, None)),
                Ok((used, event)) => return self.advance(used, event),
                Err(Stop::Short(missing)) if !eof => {
                    return Step { used: 0, event: Event::Need(input.len().saturating_add(missing.max(1))) };
                }
                Err(Stop::Short(missing)) => {
                    let reason = self.truncated(input, missing);
                    self.state = State::Failed(reason);
                }
                Err(Stop::Fail(reason)) => self.state = State::Failed(reason),
            }
        }
    }

    fn advance<'a>(&mut self, used: usize, event: Event<'a>) -> Step<'a> {
        self.offset = self.offset.saturating_add(widen(used));
        Step { used, event }
    }

    /// What a stream that ends here lacks.
    fn truncated(&self, input: &[u8], missing: usize) -> Reason {
        let end = self.offset.saturating_add(widen(input.len()));
        let awaited = match self.state {
            State::Header if MAGIC.starts_with(input.get(..MAGIC.len()).unwrap_or(input)) => {
                let id = if input.len() < MAGIC.len() { shared::MAGIC_TRUNCATED } else { reasons::TRUNCATED };
                return Reason::at(id, end).because(Datum::Count(end), Datum::Word("the magic and the version"));
            }
            State::Header => return Reason::at(shared::MAGIC_UNRECOGNIZED, self.offset),
            State::Configuration | State::Parts(_) => "the configuration section",
            State::Body if self.package.is_some() => "the package of postcopy",
            State::Body => "the next section, or the end",
            State::Arguments(_) => "the data of a command",
            State::Ram => self.ram.awaited(),
            State::Bitmaps => self.bitmaps.awaited(),
            State::Vfio(Records::Data { .. }) => "device data",
            State::Vfio(_) => "a record of a VFIO device",
            State::Left(_) | State::Search => "the state of a device that is no VFIO device",
            State::Footer => "the footer of a section",
            State::Description(_) => "the description",
            State::Packets(packets) => packets.awaited(),
            State::Messages => "a message of the return path",
            State::AfterSections | State::Tail { .. } | State::Ended | State::Failed(_) => "",
        };
        Reason::at(reasons::TRUNCATED, end).because(Datum::Count(widen(missing)), Datum::Word(awaited))
    }

    fn read<'a>(&mut self, input: &'a [u8], eof: bool) -> Read<(usize, Event<'a>)> {
        match self.state {
            State::Header => self.header(input),
            State::Configuration => self.machine(input, eof),
            State::Parts(start) => self.part(input, eof, start),
            State::Body => self.body(input),
            State::Arguments(left) => {
                let part = within(input, left);
                let left = left.saturating_sub(widen(part.len()));
                self.state = if left == 0 { State::Body } else { State::Arguments(left) };
                passed(part, left)
            }
            State::Ram => self.records(input),
            State::Bitmaps => self.chunks(input),
            State::Vfio(records) => self.vfio(input, eof, records),
            State::Left(left) => {
                let part = within(input, left);
                let left = left.saturating_sub(widen(part.len()));
                self.state = if left == 0 { State::Footer } else { State::Left(left) };
                passed(part, left)
            }
            State::Search => self.search(input, eof),
            State::Footer => self.footer(input),
            State::AfterSections => self.after_sections(input, eof),
            State::Description(left) => self.describe(input, left),
            State::Tail { padding, trailing } => Ok(self.tail(input, eof, padding, trailing)?),
            State::Packets(packets) => self.packets(input, eof, packets),
            State::Messages => self.message(input, eof),
            State::Ended => Ok((0, Event::End)),
            State::Failed(reason) => Ok((0, Event::Failed(reason))),
        }
    }

    fn header<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        let mut bytes = Bytes::at(input, self.offset);
        let magic = bytes.array::<4>();
        let version = be32(&mut bytes)?;
        if magic != Ok(MAGIC) {
            return Err(Reason::at(shared::MAGIC_UNRECOGNIZED, self.offset).into());
        }
        if version != STREAM_VERSION {
            let reason = Reason::at(reasons::VERSION, self.offset).spanning(self.offset.saturating_add(4), 4);
            let (found, required) = (Datum::Count(u64::from(version)), Datum::Count(u64::from(STREAM_VERSION)));
            return Err(reason.because(found, required).into());
        }
        self.state = State::Configuration;
        Ok((8, Event::Item(Item::Header)))
    }

    fn machine<'a>(&mut self, input: &'a [u8], eof: bool) -> Read<(usize, Event<'a>)> {
        let mut bytes = Bytes::at(input, self.offset);
        if input.is_empty() && eof || bytes.u8()? != super::CONFIGURATION {
            self.state = State::Body;
            return Ok((0, Event::Passed));
        }
        let length = be32(&mut bytes)?;
        if length == 0 || length > MACHINE_MAX {
            let reason = Reason::at(reasons::CONFIGURATION, self.offset).spanning(self.offset.saturating_add(1), 4);
            let required = Datum::Word("1 to 255");
            return Err(reason.because(Datum::Count(u64::from(length)), required).into());
        }
        let name = bytes.take(index(length))?;
        if !printable(name) {
            return Err(Reason::at(reasons::CONFIGURATION, self.offset.saturating_add(5)).into());
        }
        self.configuration.machine = name.to_vec();
        self.state = State::Parts(self.offset);
        Ok((used(&bytes, self.offset), Event::Passed))
    }

    /// Reads a part of the configuration section; a byte that begins none ends it, for it has no end of its own.
    fn part<'a>(&mut self, input: &'a [u8], eof: bool, start: u64) -> Read<(usize, Event<'a>)> {
        let mut bytes = Bytes::at(input, self.offset);
        if input.is_empty() && eof || bytes.u8()? != super::SUBSECTION {
            self.mode.ignore_shared = self.configuration.ignore_shared;
            self.mode.mapped = self.configuration.mapped_ram;
            self.mode.page_bits = self.configuration.page_bits.or(self.mode.page_bits);
            self.state = State::Body;
            let length = self.offset.saturating_sub(start);
            return Ok((0, Event::Item(Item::Configuration { offset: start, length })));
        }
        let name = counted(&mut bytes)?;
        let version = be32(&mut bytes)?;
        let at = bytes.offset();
        let wrong = |found: u32, required| {
            let reason = Reason::at(reasons::CONFIGURATION, at).spanning(at, 4);
            Stop::from(reason.because(Datum::Count(u64::from(found)), Datum::Word(required)))
        };
        let mut new = self.configuration.clone();
        match (name, version) {
            (b"configuration/target-page-bits", 1) => match be32(&mut bytes)? {
                bits @ 10..=PAGE_BITS_MAX => new.page_bits = Some(bits),
                bits => return Err(wrong(bits, "10 to 16")),
            },
            (b"configuration/capabilities", 1) => {
                let count = be32(&mut bytes)?;
                if count > CAPABILITIES_MAX {
                    return Err(wrong(count, "at most 64"));
                }
                for _ in 0..count {
                    match counted(&mut bytes)? {
                        b"x-ignore-shared" => new.ignore_shared = true,
                        b"mapped-ram" => new.mapped_ram = true,
                        _ => new.other_capabilities = new.other_capabilities.saturating_add(1),
                    }
                }
            }
            (b"configuration/uuid", 1) => new.uuid = Some(bytes.array()?),
            _ => return Err(Reason::at(reasons::CONFIGURATION_UNKNOWN, self.offset).into()),
        }
        self.configuration = new;
        Ok((used(&bytes, self.offset), Event::Passed))
    }

    fn body<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        if let Some(end) = self.package {
            if self.offset == end {
                self.package = None;
                self.postcopy.ends_again = !self.mode.postcopy;
                self.postcopy.runs = true;
                return Ok((0, Event::Item(Item::PackageEnd { offset: end })));
            }
            if self.offset > end {
                return Err(Reason::at(reasons::PACKAGE, end).into());
            }
        }
        let mut bytes = Bytes::at(input, self.offset);
        let kind = match bytes.u8()? {
            0 if self.package.is_some() => return Err(Reason::at(reasons::PACKAGE, self.offset).into()),
            0 => return Ok(self.sections_end()),
            super::COMMAND => return self.command(input),
            // What is still live is sent outside.
            1..=3 if self.package.is_some() => return Err(Reason::at(reasons::PACKAGE, self.offset).into()),
            1 => Kind::Start,
            2 => Kind::Part,
            3 => Kind::End,
            4 => Kind::Full,
            byte => {
                let reason = Reason::at(reasons::SECTION_TYPE, self.offset).spanning(self.offset, 1);
                return Err(reason.because(Datum::Wire(u64::from(byte)), Datum::None).into());
            }
        };
        let id = be32(&mut bytes)?;
        let (handler, version) = match kind {
            Kind::Start | Kind::Full => {
                let at = bytes.offset();
                let name = counted(&mut bytes)?;
                let instance = be32(&mut bytes)?;
                let version = be32(&mut bytes)?;
                if !printable(name) {
                    return Err(Reason::at(reasons::SECTION_NAME, at).into());
                }
                (self.bind(id, name, instance, version)?, version)
            }
            Kind::Part | Kind::End => {
                let Some(&handler) = self.ids.get(&id) else {
                    let reason = Reason::at(reasons::SECTION_UNBOUND, self.offset);
                    let reason = reason.spanning(self.offset.saturating_add(1), 4);
                    return Err(reason.because(Datum::Count(u64::from(id)), Datum::None).into());
                };
                let version = self.handlers.get(index(handler)).map_or(0, |known| known.version);
                (handler, version)
            }
        };
        let head = Head { offset: self.offset, kind, id, handler, version, payload: bytes.offset() };
        self.open(head)?;
        Ok((used(&bytes, self.offset), Event::Item(Item::Section(head))))
    }

    /// Finds or makes the handler that a section names.
    fn bind(&mut self, id: u32, name: &[u8], instance: u32, version: u32) -> Read<u32> {
        let bound = self.ids.get(&id).copied();
        let same = |known: &Handler| known.name == name && known.instance == instance;
        if let Some(handler) = bound.filter(|handler| self.handlers.get(index(*handler)).is_some_and(same)) {
            return Ok(handler);
        }
        let known = self.handlers.iter().position(same).and_then(|known| u32::try_from(known).ok());
        if bound.is_some() || known.is_some() {
            let at = self.offset.saturating_add(1);
            let reason = Reason::at(reasons::SECTION_REBOUND, at).spanning(at, 4);
            self.told.push_back(reason.because(Datum::Count(u64::from(id)), Datum::None));
        }
        let handler = match known {
            Some(handler) => handler,
            None => self.add_handler(name, instance, id, version)?,
        };
        if bound.is_none() && self.ids.len() >= HANDLERS_MAX {
            let reason = Reason::at(reasons::SECTIONS, self.offset);
            return Err(reason.because(Datum::None, Datum::Count(widen(HANDLERS_MAX))).into());
        }
        self.ids.insert(id, handler);
        let required = match name {
            RAM => Some(RAM_VERSION),
            bitmap::NAME => Some(bitmap::VERSION),
            _ => vfio::is_vfio(name).then_some(vfio::VERSION),
        };
        if let Some(required) = required.filter(|required| *required != version) {
            let reason = Reason::at(reasons::SECTION_VERSION, self.offset);
            let (found, required) = (Datum::Count(u64::from(version)), Datum::Count(u64::from(required)));
            self.told.push_back(reason.because(found, required));
        }
        Ok(handler)
    }

    pub(super) fn add_handler(&mut self, name: &[u8], instance: u32, id: u32, version: u32) -> Read<u32> {
        let Some(handler) = u32::try_from(self.handlers.len()).ok().filter(|_| self.handlers.len() < HANDLERS_MAX)
        else {
            let reason = Reason::at(reasons::SECTIONS, self.offset);
            return Err(reason.because(Datum::None, Datum::Count(widen(HANDLERS_MAX))).into());
        };
        let device = vfio::is_vfio(name).then(|| {
            self.devices.push(handler);
            DeviceKey(u32::try_from(self.devices.len()).unwrap_or(u32::MAX).saturating_sub(1))
        });
        let seen = Seen::default();
        self.handlers.push(Handler { name: name.to_vec(), instance, id, version, device, seen });
        Ok(handler)
    }

    /// Begins a section: whether it may come here, and how its end will be found.
    fn open(&mut self, head: Head) -> Read<()> {
        let Some(handler) = self.handlers.get_mut(index(head.handler)) else { return Err(Stop::Short(1)) };
        let seen = handler.seen;
        // QEMU reads them as what they are in a section of any type, and writes none that is FULL.
        let is_bitmaps = handler.name == bitmap::NAME;
        let is_ram = handler.name == RAM;
        let in_order = match head.kind {
            Kind::Start => !seen.has(Kind::Start) && !seen.has(Kind::Full) && !self.iterating,
            Kind::End if is_ram && seen.has(Kind::End) => core::mem::take(&mut self.postcopy.ends_again),
            Kind::Part | Kind::End => seen.has(Kind::Start) && !seen.has(Kind::End),
            Kind::Full if is_bitmaps || is_ram => false,
            // Before anything goes on (early setup), or behind everything that is live; with postcopy, in its package.
            Kind::Full => !seen.has(Kind::Full) && (!self.iterating || self.live == 0 || self.package.is_some()),
        };
        let is_vfio = handler.device.is_some();
        // What a gate says of the devices it says before the guest runs.
        if !in_order || is_vfio && self.postcopy.runs {
            let found = Datum::Word(head.kind.name());
            self.told.push_back(Reason::at(reasons::SECTION_ORDER, head.offset).because(found, Datum::None));
        }
        if head.kind == Kind::Start && !seen.has(Kind::Start) {
            self.live = self.live.saturating_add(1);
        }
        let is_last = head.kind == Kind::End && in_order && !seen.has(Kind::End);
        handler.seen.add(head.kind);
        self.iterating |= matches!(head.kind, Kind::Part | Kind::End);
        let size = if head.kind == Kind::Full { self.described_size(head.handler) } else { None };
        let (sized, state) = match size {
            _ if is_ram => (Sizing::Rule, State::Ram),
            _ if is_bitmaps => (Sizing::Rule, State::Bitmaps),
            _ if is_vfio => (Sizing::Rule, State::Vfio(Records::Tag)),
            Some(0) => (Sizing::Description, State::Footer),
            Some(size) => (Sizing::Description, State::Left(size)),
            // Before the first footer, the configuration section tells: machine types without the one are without the other.
            None if !self.footers.unwrap_or(!self.configuration.machine.is_empty()) => {
                return Err(Reason::at(reasons::UNSIZED, head.offset).into());
            }
            None => (Sizing::Search, State::Search),
        };
        self.section = Some(Open { head, sized, is_last });
        self.state = state;
        Ok(())
    }

    /// What the description says of the next FULL section, where there is one and it speaks of this handler.
    fn described_size(&mut self, handler: u32) -> Option<u64> {
        let handler = self.handlers.get(index(handler))?;
        let rest = self.description.as_ref()?.devices.get(self.described..)?;
        let same = |described: &super::Described| {
            described.name.as_bytes() == handler.name && described.instance == u64::from(handler.instance)
        };
        let ahead = rest.iter().take(LOOK_AHEAD).position(same)?;
        let size = rest.get(ahead).map(|described| described.size);
        self.described = self.described.saturating_add(ahead).saturating_add(1);
        size
    }

    fn command<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        let mut bytes = Bytes::at(input, self.offset);
        bytes.take(1)?;
        let number = be16(&mut bytes)?;
        let length = be16(&mut bytes)?;
        let at = self.offset.saturating_add(1);
        let found = Datum::Count(u64::from(number));
        let Some((_, name, lengths)) = COMMANDS.iter().find(|(known, ..)| *known == number) else {
            return Err(Reason::at(reasons::COMMAND, at).spanning(at, 2).because(found, Datum::None).into());
        };
        if !lengths.is_empty() && !lengths.contains(&length) {
            let at = at.saturating_add(2);
            let found = Datum::Count(u64::from(length));
            return Err(Reason::at(reasons::COMMAND_LENGTH, at).spanning(at, 2).because(found, Datum::None).into());
        }
        let mut package = None;
        match *name {
            "PACKAGED" => {
                let length = be32(&mut bytes)?;
                if self.package.is_some() {
                    return Err(Reason::at(reasons::PACKAGE, self.offset).into());
                }
                self.package = Some(bytes.offset().saturating_add(u64::from(length)));
                package = Some(length);
                self.state = State::Body;
            }
            _ => self.state = if length == 0 { State::Body } else { State::Arguments(u64::from(length)) },
        }
        if name.starts_with("POSTCOPY") {
            // Without its 16 bytes it is not RAM that the destination is told to expect later, but dirty bitmaps; they may
            // still come before the guest runs.
            let advises = *name == "POSTCOPY_ADVISE";
            self.postcopy.announced |= !advises || length > 0;
            self.mode.postcopy |= advises && length > 0;
            self.postcopy.runs |= *name == POSTCOPY_RUN;
        }
        let command = Command { offset: self.offset, number, name, length, package };
        Ok((used(&bytes, self.offset), Event::Item(Item::Command(command))))
    }

    fn records<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        let (used, told) = self.ram.step(input, self.offset, self.mode)?;
        let event = match told {
            Told::Passed => Event::Passed,
            Told::Block(block) => Event::Item(Item::Block(block)),
            Told::Pages(count) => Event::Skip(count),
            Told::End => {
                self.state = State::Footer;
                Event::Passed
            }
        };
        Ok((used, event))
    }

    fn chunks<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        let (used, told) = self.bitmaps.step(input, self.offset, &mut self.told)?;
        let event = match told {
            bitmap::Told::Passed => Event::Passed,
            bitmap::Told::Bitmap(bitmap) => Event::Item(Item::Bitmap(bitmap)),
            bitmap::Told::End => {
                self.chunks_end();
                self.state = State::Footer;
                Event::Passed
            }
        };
        Ok((used, event))
    }

    /// The payload of a section of dirty bitmaps is over.
    fn chunks_end(&mut self) {
        let Some(Open { head, is_last, .. }) = &mut self.section else { return };
        let Some(handler) = self.handlers.get_mut(index(head.handler)) else { return };
        match head.kind {
            Kind::End => self.bitmaps.finish(&mut self.told),
            // With the capability and without a bitmap, the first section is also the last.
            Kind::Start if !self.bitmaps.has_more() && !handler.seen.has(Kind::End) => {
                handler.seen.add(Kind::End);
                *is_last = true;
            }
            Kind::Start | Kind::Part | Kind::Full => {}
        }
    }

    fn vfio<'a>(&mut self, input: &'a [u8], eof: bool, records: Records) -> Read<(usize, Event<'a>)> {
        let Some(open) = self.section else { return Err(Stop::Short(1)) };
        let handler = index(open.head.handler);
        let device = self.handlers.get(handler).and_then(|known| known.device).unwrap_or_default();
        match records {
            Records::Data { left, phase } => {
                let bytes = within(input, left);
                if bytes.is_empty() {
                    return Err(Stop::Short(1));
                }
                let left = left.saturating_sub(widen(bytes.len()));
                let next = if left == 0 { Records::Tag } else { Records::Data { left, phase } };
                self.state = State::Vfio(next);
                Ok((bytes.len(), Event::Data { device, phase, index: None, offset: self.offset, bytes }))
            }
            Records::Tag | Records::Last => self.record(input, eof, open, device, records),
        }
    }

    fn record<'a>(
        &mut self,
        input: &'a [u8],
        eof: bool,
        open: Open,
        device: DeviceKey,
        records: Records,
    ) -> Read<(usize, Event<'a>)> {
        let start = self.offset;
        let mut bytes = Bytes::at(input, start);
        let tag = vfio::tag(&mut bytes)?;
        if records == Records::Last && tag != Tag::EndOfState {
            return Err(Reason::at(reasons::VFIO_RECORD, start).spanning(start, 8).into());
        }
        let kind = open.head.kind;
        let mut phase = Phase::Unspecified;
        let mut length = 0;
        let fits = match tag {
            Tag::Config => return self.config(input, eof, open, device),
            Tag::Setup => kind == Kind::Start,
            Tag::Data => {
                length = be64(&mut bytes)?;
                phase = self.phase(open.head);
                self.judge_size(bytes.offset().saturating_sub(8), length);
                kind == Kind::Part || kind == Kind::End
            }
            Tag::InitialDataSent => kind == Kind::Part,
            Tag::ConfigLoadReady => kind == Kind::Full,
            _ => true,
        };
        if !fits {
            let found = Datum::Word(kind.name());
            self.told.push_back(Reason::at(reasons::VFIO_RECORD, start).spanning(start, 8).because(found, Datum::None));
        }
        self.state = match tag {
            Tag::Data if length > 0 => State::Vfio(Records::Data { left: length, phase }),
            Tag::Data => State::Vfio(Records::Tag),
            Tag::Setup => State::Vfio(Records::Last),
            _ => State::Footer,
        };
        if self.state == State::Footer
            && let Some(handler) = self.handlers.get_mut(index(open.head.handler))
        {
            handler.seen.data |= handler.seen.has(Kind::Part) && phase == Phase::Initial;
        }
        let data = bytes.offset();
        let record = Record {
            device,
            tag,
            section: Some(kind),
            phase,
            offset: start,
            data,
            length,
            index: None,
            is_config: false,
        };
        Ok((used(&bytes, start), Event::Item(Item::Record(record))))
    }

    /// Data of the first PART sections that carry any identify the source; those of later ones say what changed.
    fn phase(&mut self, head: Head) -> Phase {
        let Some(handler) = self.handlers.get_mut(index(head.handler)) else { return Phase::Unspecified };
        match head.kind {
            Kind::Part if !handler.seen.data => Phase::Initial,
            Kind::Part => Phase::Iterative,
            Kind::End => Phase::StopCopy,
            Kind::Start | Kind::Full => Phase::Unspecified,
        }
    }

    fn judge_size(&mut self, at: u64, length: u64) {
        if length > vfio::DATA_MAX {
            let reason = Reason::at(reasons::VFIO_SIZE, at).spanning(at, 8);
            self.told.push_back(reason.because(Datum::Wire(length), Datum::Wire(vfio::DATA_MAX)));
        } else if length == 0 {
            self.told.push_back(Reason::at(reasons::VFIO_EMPTY, at).spanning(at, 8));
        }
    }

    fn config<'a>(&mut self, input: &'a [u8], eof: bool, open: Open, device: DeviceKey) -> Read<(usize, Event<'a>)> {
        let [a, b, c, d] = open.head.id.to_be_bytes();
        let has_footer = self.footers != Some(false);
        let end = ConfigEnd::Mark { footer: [FOOTER, a, b, c, d], has_footer };
        let (length, layout, searched) = vfio::config(input, self.offset, eof, end)?;
        if searched {
            self.section = Some(Open { sized: Sizing::Search, ..open });
        }
        if open.head.kind == Kind::Start || open.head.kind == Kind::Part {
            let found = Datum::Word(open.head.kind.name());
            self.told.push_back(Reason::at(reasons::VFIO_RECORD, self.offset).because(found, Datum::None));
        }
        self.state = State::Vfio(Records::Last);
        Ok((length, config_event(input, length, layout, device, None)))
    }

    /// Looks for the footer of the section, with something behind it that QEMU would go on with.
    ///
    /// A guest that can choose bytes of a device's state could put a footer and a section there. Where that matters, the
    /// description decides: it is read first, or held against the sections before the walk ends. A gate, which cannot wait
    /// for it, withholds what could lead a destination to its end: see [`crate::gate::migration`].
    fn search<'a>(&mut self, input: &'a [u8], eof: bool) -> Read<(usize, Event<'a>)> {
        let Some(open) = self.section else { return Err(Stop::Short(1)) };
        let [a, b, c, d] = open.head.id.to_be_bytes();
        let footer = [FOOTER, a, b, c, d];
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or(&[]);
            let Some(ahead) = rest.iter().position(|&byte| byte == FOOTER) else {
                return if input.is_empty() { Err(Stop::Short(1)) } else { Ok((input.len(), Event::Passed)) };
            };
            at = at.saturating_add(ahead);
            let candidate = input.get(at..).unwrap_or(&[]);
            let whole = candidate.get(..footer.len()).unwrap_or(candidate);
            let found = if !footer.starts_with(whole) {
                Ok(false)
            } else if whole.len() < footer.len() {
                Err(Stop::Short(footer.len().saturating_sub(whole.len())))
            } else {
                let behind = self.offset.saturating_add(widen(at)).saturating_add(widen(footer.len()));
                self.is_plausible(candidate.get(footer.len()..).unwrap_or(&[]), behind, eof)
            };
            match found {
                Ok(false) => at = at.saturating_add(1),
                // What came before the candidate has passed, whatever it turns out to be.
                Err(_) if at > 0 => return Ok((at, Event::Passed)),
                // Cut here, the section is over or it is not: the stream is truncated either way.
                Err(Stop::Short(_)) if eof => at = at.saturating_add(1),
                Err(stop) => return Err(stop),
                Ok(true) => {
                    self.state = State::Footer;
                    if self.searched == 0 {
                        self.searched_first = open.head.offset;
                    }
                    self.searched = self.searched.saturating_add(1);
                    return Ok((at, Event::Passed));
                }
            }
        }
    }

    /// Whether a section, a command or the end can begin with these bytes. Whatever section QEMU would go on with can, also
    /// where no QEMU writes it: passed over here, it would be loaded and not looked at. The walk names what is wrong with it.
    fn is_plausible(&self, rest: &[u8], offset: u64, eof: bool) -> Read<bool> {
        if let Some(end) = self.package
            && offset >= end
        {
            return Ok(offset == end);
        }
        let mut bytes = Bytes::at(rest, offset);
        match bytes.u8()? {
            0 if self.package.is_some() => Ok(false),
            0 if rest.len() == 1 && eof => Ok(true),
            0 => {
                let [kind, .., brace] = bytes.array::<6>()?;
                Ok(kind == super::DESCRIPTION && brace == b'{')
            }
            1 | 4 => {
                be32(&mut bytes)?;
                let name = counted(&mut bytes)?;
                be64(&mut bytes)?;
                // QEMU compares names as far as their first zero byte.
                Ok(printable(padded(name)))
            }
            2 | 3 => {
                let id = be32(&mut bytes)?;
                // To QEMU, 0 is also the id of every handler that has not come yet.
                Ok(id == 0 || self.ids.contains_key(&id))
            }
            super::COMMAND => {
                let number = be16(&mut bytes)?;
                let length = be16(&mut bytes)?;
                let fits = |lengths: &[u16]| lengths.is_empty() || lengths.contains(&length);
                Ok(COMMANDS.iter().any(|(known, _, lengths)| *known == number && fits(lengths)))
            }
            _ => Ok(false),
        }
    }

    fn footer<'a>(&mut self, input: &'a [u8]) -> Read<(usize, Event<'a>)> {
        let Some(Open { head, sized, is_last }) = self.section else { return Err(Stop::Short(1)) };
        let mut bytes = Bytes::at(input, self.offset);
        let wrong = |at: u64, length: u32, found: u64, required: u64| {
            let id = if sized == Sizing::Description { reasons::DESCRIPTION } else { reasons::FOOTER };
            Stop::from(Reason::at(id, at).spanning(at, length).because(Datum::Wire(found), Datum::Wire(required)))
        };
        let has_footer = match self.footers {
            Some(has_footer) => has_footer,
            None => input.first().copied().ok_or(Stop::Short(1))? == FOOTER,
        };
        if has_footer {
            let byte = bytes.u8()?;
            if byte != FOOTER {
                return Err(wrong(self.offset, 1, u64::from(byte), u64::from(FOOTER)));
            }
            let id = be32(&mut bytes)?;
            if id != head.id {
                return Err(wrong(self.offset.saturating_add(1), 4, u64::from(id), u64::from(head.id)));
            }
        }
        self.footers = Some(has_footer);
        let length = self.offset.saturating_sub(head.payload);
        if head.kind == Kind::Full {
            if self.full.len() >= SECTIONS_MAX {
                let reason = Reason::at(reasons::SECTIONS, head.offset);
                return Err(reason.because(Datum::None, Datum::Count(widen(SECTIONS_MAX))).into());
            }
            self.full.push(Full { handler: head.handler, offset: head.offset, length });
        }
        self.section = None;
        self.live = self.live.saturating_sub(u32::from(is_last));
        self.state = State::Body;
        let section = Section { head, length, sized, footer: has_footer };
        Ok((used(&bytes, self.offset), Event::Item(Item::SectionEnd(section))))
    }

    fn sections_end<'a>(&mut self) -> (usize, Event<'a>) {
        for handler in
            self.handlers.iter().filter(|handler| handler.seen.has(Kind::Start) && !handler.seen.has(Kind::End))
        {
            let found = Datum::Count(u64::from(handler.id));
            self.told.push_back(Reason::at(reasons::END_OF_FILE, self.offset).because(found, Datum::None));
        }
        self.state = State::AfterSections;
        (1, Event::Item(Item::EndOfSections { offset: self.offset }))
    }

    fn after_sections<'a>(&mut self, input: &'a [u8], eof: bool) -> Read<(usize, Event<'a>)> {
        let mut bytes = Bytes::at(input, self.offset);
        if input.is_empty() && eof || bytes.u8()? != super::DESCRIPTION {
            self.told.push_back(Reason::at(reasons::DESCRIPTION_MISSING, self.offset));
            self.state = State::Tail { padding: false, trailing: false };
            return Ok((0, Event::Passed));
        }
        let length = match be32(&mut bytes) {
            Ok(length) => length,
            // QEMU has completed by now: a description that is cut is no reason for it to fail, but it is for us.
            Err(short) => {
                self.state = if eof { State::Description(0) } else { self.state };
                return Err(short.into());
            }
        };
        if length > DESCRIPTION_MAX {
            let at = self.offset.saturating_add(1);
            let reason = Reason::at(reasons::DESCRIPTION_MALFORMED, at).spanning(at, 4);
            let (found, required) = (Datum::Count(u64::from(length)), Datum::Count(u64::from(DESCRIPTION_MAX)));
            self.told.push_back(reason.because(found, required));
            self.check.settled = true;
        }
        self.check.present = true;
        self.state = State::Description(u64::from(length));
        Ok((5, Event::Item(Item::Description { offset: self.offset, length })))
    }

    /// Reads the description and holds it against the sections.
    fn describe<'a>(&mut self, input: &'a [u8], left: u64) -> Read<(usize, Event<'a>)> {
        let part = within(input, left);
        if part.is_empty() && left > 0 {
            return Err(Stop::Short(1));
        }
        self.told.extend(self.check.said.take());
        let mut used = part.len();
        for (at, &byte) in part.iter().enumerate() {
            if self.check.settled {
                break;
            }
            self.describe_byte(byte, self.offset.saturating_add(widen(at)), left.saturating_sub(widen(at)) == 1);
            // What comes before the byte that something is said of has passed, however the input is cut.
            if self.check.settled && at > 0 {
                self.check.said = self.told.pop_back();
                used = at;
            }
        }
        if part.is_empty() {
            self.describe_end(self.offset);
        }
        let left = left.saturating_sub(widen(used));
        self.state = if left == 0 { State::Tail { padding: false, trailing: false } } else { State::Description(left) };
        Ok((used, Event::Passed))
    }

    fn describe_byte(&mut self, byte: u8, here: u64, is_last: bool) {
        match self.check.scanner.push(byte) {
            Ok(None) => {}
            Ok(Some(described)) => self.compare(&described, here),
            Err(_) => self.disagree(reasons::DESCRIPTION_MALFORMED, here, Datum::None, Datum::None),
        }
        if is_last {
            self.describe_end(here.saturating_add(1));
        }
    }

    fn describe_end(&mut self, end: u64) {
        if !self.check.scanner.is_complete() {
            self.disagree(reasons::DESCRIPTION_MALFORMED, end, Datum::None, Datum::None);
        }
        if let Some(full) = self.full.get(self.check.next).copied() {
            self.disagree(reasons::DESCRIPTION, full.offset, Datum::Count(full.length), Datum::Word("no section"));
        }
    }

    fn compare(&mut self, described: &super::Described, here: u64) {
        let Some(full) = self.full.get(self.check.next).copied() else {
            let required = Datum::Count(described.size);
            return self.disagree(reasons::DESCRIPTION, here, Datum::Word("no section"), required);
        };
        self.check.next = self.check.next.saturating_add(1);
        let same = self.handlers.get(index(full.handler)).is_some_and(|handler| {
            handler.name == described.name.as_bytes() && u64::from(handler.instance) == described.instance
        });
        if !same {
            self.disagree(reasons::DESCRIPTION, full.offset, Datum::Word("another device"), Datum::None);
        } else if full.length != described.size {
            let (found, required) = (Datum::Count(full.length), Datum::Count(described.size));
            self.disagree(reasons::DESCRIPTION, full.offset, found, required);
        }
    }

    /// Says once what is wrong with the description: what follows a first difference need not mean anything.
    fn disagree(&mut self, id: ReasonId, at: u64, found: Datum, required: Datum) {
        if !self.check.settled {
            self.check.settled = true;
            self.told.push_back(Reason::at(id, at).because(found, required));
        }
    }

    fn tail<'a>(&mut self, input: &'a [u8], eof: bool, padding: bool, trailing: bool) -> Read<(usize, Event<'a>)> {
        let Some(zeros) = input.iter().position(|&byte| byte != 0).or(Some(input.len())).filter(|_| !input.is_empty())
        else {
            if !eof {
                return Err(Stop::Short(1));
            }
            if self.searched > 0 {
                let confirmed = self.check.present && !self.check.settled;
                let word = if confirmed { "confirmed by the description" } else { "not confirmed by a description" };
                let reason = Reason::at(reasons::SEARCHED, self.searched_first)
                    .because(Datum::Count(self.searched), Datum::Word(word));
                self.told.push_back(reason);
            }
            self.state = State::Ended;
            return Ok((0, Event::Passed));
        };
        if zeros > 0 && !trailing {
            if !padding {
                self.told.push_back(Reason::at(reasons::PADDING, self.offset));
            }
            self.state = State::Tail { padding: true, trailing };
            return Ok((zeros, Event::Passed));
        }
        if !trailing {
            self.told.push_back(Reason::at(reasons::TRAILING, self.offset));
        }
        self.state = State::Tail { padding, trailing: true };
        Ok((input.len(), Event::Passed))
    }
}

/// Bytes that were used without anything to tell; an error where there were none to use and some were needed.
pub(super) fn passed<'a>(part: &[u8], left: u64) -> Read<(usize, Event<'a>)> {
    if part.is_empty() && left > 0 { Err(Stop::Short(1)) } else { Ok((part.len(), Event::Passed)) }
}

/// The event of a configuration record of so many bytes.
pub(super) fn config_event(
    input: &[u8],
    length: usize,
    layout: ConfigLayout,
    device: DeviceKey,
    index: Option<u32>,
) -> Event<'_> {
    Event::Config { device, index, layout, bytes: input.get(..length).unwrap_or(input) }
}
