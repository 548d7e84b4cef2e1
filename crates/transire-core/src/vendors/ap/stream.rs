//! The stream that is **proposed** for vfio-ap: a header of 48 bytes and 16 for each queue, big-endian.
//!
//! Facts: the series for live guest migration with vfio-ap as posted in June 2026, `struct vfio_ap_config` in the order in
//! which s390 stores it. It is not merged and its layout may still change; the posting of March had neither magic nor
//! version and is not read here. Bits count from the left: bit 0 is the highest.
//!
//! A stream of 65,536 queues has 1 MiB, so that queues pass one by one. An attribute holds 256 of them; a source of more is
//! known by its control domains alone.

use alloc::boxed::Box;

use super::{AP_TYPE, APQNS, BOUND, CONTROL_DOMAINS, MODE, QUEUE_FACILITIES};
use crate::attribute::{AttributeId, Attributes, MEMBERS_MAX, Text, Type, VENDOR, Value};
use crate::bytes::{big_endian, index, widen};
use crate::format::{
    Choices, DeviceKey, Event, Field, FieldKind, Format, Glance, Hold, Identified, Layout, Likeness, Phase, Proves,
    Reader, Role, Share, Step, settles_nothing,
};
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason};
use crate::whole::{Undecided, truncated};

/// First four bytes, as a big-endian number: `vfap`.
pub const MAGIC: u32 = 0x7666_6170;
/// The only version that was proposed.
pub const VERSION: u32 = 1;
/// Bytes of the header.
pub const HEADER_LEN: usize = 48;
/// Bytes of a queue.
pub const QUEUE_LEN: usize = 16;
/// Most queues: 256 cards of 256 domains (`AP_DEVICES`, `AP_DOMAINS`).
pub const QUEUES_MAX: u32 = 1 << 16;
/// Bytes that tell the source: the header and as many queues as an attribute holds.
pub const DECIDED_BY: u32 = 48 + 16 * 256;

const MAGIC_BYTES: [u8; 4] = MAGIC.to_be_bytes();
const SWAPPED_BYTES: [u8; 4] = MAGIC.to_le_bytes();

/// The format.
pub static FORMAT: Format = Format {
    name: "ap",
    vendor: "ap",
    title: "proposed stream of vfio-ap, version 1: of a series that is not merged, and may still change",
    role: Role::Source,
    likeness,
    judged_within: Some(DECIDED_BY),
    hold: Hold::Prefix(DECIDED_BY),
    proves: Proves {
        glance: Glance {
            identity: "proposed: version, queues, control domains",
            driver_checks: Share::All,
            end_marked: true,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "proposed: magic, version, control domains, and of each queue its number, type, mode and facilities",
        driver_checks: "proposed: all of these; no driver that is part of Linux reads it",
        end: "by the number of queues",
        payload: "nothing; all of it is identity, and the queues themselves hold no state",
        sealing_adds: "checksums, the identity of the host, the master keys",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[&HEADER, &QUEUE],
    identify,
    reader: |describe| Box::new(QueueReader::new(describe)),
    driver: None,
};

/// The header.
pub static HEADER: Layout = Layout {
    name: "header",
    fields: &[
        Field::new("magic", 0, FieldKind::BigHex(4), "0x76666170, the letters vfap"),
        Field::new("version", 4, FieldKind::BigNumber(4), "1"),
        Field::new("num_queues", 8, FieldKind::BigNumber(4), "queues that follow, at most 65,536"),
        Field::new("reserved", 12, FieldKind::BigHex(4), "0"),
        Field::new("adm", 16, FieldKind::Bytes(32), "control domains, one bit each, bit 0 leftmost"),
    ],
};

/// A queue.
pub static QUEUE: Layout = Layout {
    name: "queue",
    fields: &[
        Field::new("data", 0, FieldKind::BigHex(8), "status word: what TAPQ gave for the queue"),
        Field::new("apqn", 8, FieldKind::BigHex(2), "card, then domain"),
        Field::new("reserved", 10, FieldKind::BigHex(6), "0"),
    ],
};

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        BYTE_ORDER: "ap.byte-order", Unrecognized,
            "the magic is turned round: the stream was written by a little-endian writer",
            "write it as s390 stores it, big-endian";
        VERSION: "ap.version", Unrecognized,
            "the stream has a version other than 1, the only one that was proposed",
            "update transire; the driver that is proposed refuses every version but its own";
        QUEUES: "ap.num-queues", Corrupt,
            "the header counts more than the 65,536 queues that there can be",
            "the stream was damaged or forged: save the device again";
        BOUND: "ap.secure-binding", Corrupt,
            "the status word of a queue has bits 16 and 17 not zero: the queue is bound to a guest under secure \
             execution, which cannot be migrated",
            "take the queue from the guest before it is migrated";
        TWICE: "ap.queue-twice", Corrupt,
            "a queue is in the stream twice",
            "the stream was put together wrongly: save the device again";
        UNLISTED: "ap.queues-not-listed", Compatible,
            "there are more queues than an attribute holds: none of them is held against the target's",
            "compare the matrix of both devices by other means";
        RESERVED: "ap.reserved", Compatible,
            "reserved bytes are not zero; the driver that is proposed does not look at them",
            "nothing, unless a later version gives them a meaning";
    }
}

fn likeness(prefix: &[u8], _eof: bool) -> Likeness {
    match prefix.first_chunk() {
        // Turned round it is told apart from everything else as well, and refused with the reason.
        Some(first) if *first == MAGIC_BYTES || *first == SWAPPED_BYTES => Likeness::Certain,
        None if MAGIC_BYTES.starts_with(prefix) || SWAPPED_BYTES.starts_with(prefix) => Likeness::Short,
        _ => Likeness::No,
    }
}

/// Bytes of a value under construction, of which at most `N` are needed.
#[derive(Clone, Debug)]
struct Wire<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Wire<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// A member of a set, or a key or value of a map: its length, then its text.
    fn text(&mut self, text: &[u8]) {
        self.push(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.push(text);
    }

    /// A member of a set, whose type stands before the first.
    fn member(&mut self, text: &[u8]) {
        if self.length == 0 {
            self.push(&[Type::Text.code()]);
        }
        self.text(text);
    }

    fn pair(&mut self, key: &[u8], value: &[u8]) {
        self.text(key);
        self.text(value);
    }

    /// The value; there is no empty one.
    fn value(&self, kind: Type) -> Option<Value<'_>> {
        let bytes = self.bytes.get(..self.length).filter(|bytes| !bytes.is_empty())?;
        Value::read_again(kind, bytes)
    }
}

/// The last digits of a number in hex, in lower case.
fn hex<const DIGITS: usize>(number: u32) -> [u8; DIGITS] {
    let mut left = number;
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = match u8::try_from(left & 0xf).unwrap_or(0) {
            small @ 0..=9 => b'0' + small,
            large => b'a' + (large - 10),
        };
        left >>= 4;
    }
    digits
}

/// A queue as the stream has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Queue {
    status: u64,
    apqn: u16,
    reserved: u64,
}

/// Modes of an adapter, by their bits in the first half of the status word: D, A and X.
const MODES: [(u32, &[u8]); 3] = [(0x1000_0000, b"cca"), (0x0800_0000, b"accelerator"), (0x0400_0000, b"ep11")];

impl Queue {
    fn read(bytes: &[u8; QUEUE_LEN]) -> Self {
        let word = u128::from_be_bytes(*bytes);
        // Status word, number, reserved bytes: 64, 16 and 48 bits.
        let part = |shift: u32, bits: u32| u64::try_from(word >> shift & ((1 << bits) - 1)).unwrap_or(0);
        Self { status: part(64, 64), apqn: u16::try_from(part(48, 16)).unwrap_or(0), reserved: part(0, 48) }
    }

    /// `05.00ab`.
    fn name(self) -> [u8; 7] {
        let [card, domain] = self.apqn.to_be_bytes();
        let ([one, two], [three, four, five, six]) = (hex(u32::from(card)), hex(u32::from(domain)));
        [one, two, b'.', three, four, five, six]
    }

    /// Bits 0 to 31 of the status word.
    fn facilities(self) -> u32 {
        u32::try_from(self.status >> 32).unwrap_or(0)
    }

    /// Bits 32 to 39.
    const fn kind(self) -> u8 {
        self.status.to_be_bytes()[4]
    }

    /// What is wrong with the queue alone.
    fn fault(self, offset: u64) -> Option<Reason> {
        let bound = self.facilities() & BOUND;
        let reason = Reason::at(reasons::BOUND, offset).spanning(offset, 8);
        (bound != 0).then_some(reason.because(Datum::Wire(u64::from(self.facilities())), Datum::Word("bits 16, 17: 0")))
    }

    fn twice(self, offset: u64) -> Reason {
        let found = Datum::Wire(u64::from(self.apqn));
        Reason::at(reasons::TWICE, offset + 8).spanning(offset + 8, 2).because(found, Datum::Word("each queue once"))
    }

    fn note(self, offset: u64) -> Option<Reason> {
        let note = Reason::at(reasons::RESERVED, offset + 10).spanning(offset + 10, 6);
        (self.reserved != 0).then_some(note.because(Datum::Wire(self.reserved), Datum::Wire(0)))
    }
}

/// Where a queue stands.
fn offset_of(queue: usize) -> u64 {
    widen(HEADER_LEN.saturating_add(queue.saturating_mul(QUEUE_LEN)))
}

/// What a stream says of its source: values of attributes, as they stand in a profile.
#[derive(Clone, Debug)]
pub struct Source {
    queues: u32,
    control_domains: Wire<{ 1 + 256 * 6 }>,
    apqns: Wire<{ 1 + MEMBERS_MAX * 9 }>,
    ap_type: Wire<{ MEMBERS_MAX * (9 + 5) }>,
    mode: Wire<{ MEMBERS_MAX * (9 + 13) }>,
    queue_facilities: Wire<{ MEMBERS_MAX * (9 + 12) }>,
}

impl Source {
    /// One of which nothing is known.
    const fn new() -> Self {
        Self {
            queues: 0,
            control_domains: Wire::new(),
            apqns: Wire::new(),
            ap_type: Wire::new(),
            mode: Wire::new(),
            queue_facilities: Wire::new(),
        }
    }

    /// Fills it from the header and the queues, if they are few enough to be listed. On a fault it stays as it was.
    fn fill(&mut self, header: &[u8], queues: &[[u8; QUEUE_LEN]], count: u32) -> Result<(), Reason> {
        // Places of the queues; attributes hold them by their numbers.
        let mut order = [0_u8; MEMBERS_MAX];
        for (place, (bytes, slot)) in (0..=u8::MAX).zip(queues.iter().zip(&mut order)) {
            let (queue, at) = (Queue::read(bytes), usize::from(place));
            if let Some(reason) = queue.fault(offset_of(at)) {
                return Err(reason);
            }
            if queues.iter().take(at).any(|before| Queue::read(before).apqn == queue.apqn) {
                return Err(queue.twice(offset_of(at)));
            }
            *slot = place;
        }
        let queue_at = |place: &u8| queues.get(usize::from(*place)).map(Queue::read).unwrap_or_default();
        let listed = order.get_mut(..queues.len()).unwrap_or_default();
        listed.sort_unstable_by_key(|place| queue_at(place).apqn);
        self.queues = count;
        for place in listed {
            self.list(queue_at(place));
        }
        let domains = header.get(16..).unwrap_or(&[]).iter().zip((0..256_u32).step_by(8));
        for (byte, first) in domains.filter(|(byte, _)| **byte != 0) {
            for domain in (first..).take(8).filter(|domain| byte << (domain - first) & 0x80 != 0) {
                self.control_domains.member(&hex::<4>(domain));
            }
        }
        Ok(())
    }

    fn list(&mut self, queue: Queue) {
        let name = queue.name();
        let facilities = queue.facilities();
        self.apqns.member(&name);
        let kind = queue.kind();
        let digits = [b'0' + kind / 100, b'0' + kind / 10 % 10, b'0' + kind % 10];
        let leading = digits.iter().take(2).take_while(|digit| **digit == b'0').count();
        self.ap_type.pair(&name, digits.get(leading..).unwrap_or(&digits));
        let mut modes = MODES.iter().filter(|(bit, _)| facilities & bit != 0);
        // Of a queue with no mode, or with several, nothing is said.
        if let (Some((_, mode)), None) = (modes.next(), modes.next()) {
            self.mode.pair(&name, mode);
        }
        let mut word = *b"0x00000000";
        for (slot, digit) in word.iter_mut().skip(2).zip(hex::<8>(facilities)) {
            *slot = digit;
        }
        self.queue_facilities.pair(&name, &word);
    }
}

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("ap"))),
            number if number == APQNS.number() => self.apqns.value(Type::Set),
            number if number == CONTROL_DOMAINS.number() => self.control_domains.value(Type::Set),
            number if number == AP_TYPE.number() => self.ap_type.value(Type::Map),
            number if number == MODE.number() => self.mode.value(Type::Map),
            number if number == QUEUE_FACILITIES.number() => self.queue_facilities.value(Type::Map),
            _ => None,
        }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        let of_queues = [APQNS, AP_TYPE, MODE, QUEUE_FACILITIES];
        if id.is(CONTROL_DOMAINS) {
            return Some((16, 32));
        }
        let length = self.queues.saturating_mul(16);
        id.is_one_of(&of_queues).then_some((offset_of(0), length))
    }
}

/// How many queues the header counts, by which the rest is read.
fn read_header(input: &[u8]) -> Result<u32, Reason> {
    let short = |id| {
        let end = widen(input.len());
        Reason::at(id, end).because(Datum::Count(end), Datum::Count(widen(HEADER_LEN)))
    };
    let number = |name: &str| {
        let field = HEADER.field(name)?;
        let value = field.bytes(input).map(big_endian)?;
        Some((u32::try_from(value).unwrap_or(u32::MAX), field.span(0)))
    };
    let Some((magic, _)) = number("magic") else {
        let agrees = likeness(input, true) == Likeness::Short;
        return Err(if agrees { short(shared::MAGIC_TRUNCATED) } else { Reason::at(shared::MAGIC_UNRECOGNIZED, 0) });
    };
    let wrong = |id, found: Datum, required: Datum, offset| {
        Err(Reason::at(id, offset).spanning(offset, 4).because(found, required))
    };
    if magic != MAGIC {
        let id = if magic == MAGIC.swap_bytes() { reasons::BYTE_ORDER } else { shared::MAGIC_UNRECOGNIZED };
        return wrong(id, Datum::Wire(u64::from(magic)), Datum::Wire(u64::from(MAGIC)), 0);
    }
    let (Some((version, _)), Some((queues, _)), true) =
        (number("version"), number("num_queues"), input.len() >= HEADER_LEN)
    else {
        return Err(short(shared::STREAM_TRUNCATED));
    };
    if version != VERSION {
        return wrong(reasons::VERSION, Datum::Count(u64::from(version)), Datum::Count(u64::from(VERSION)), 4);
    }
    if queues > QUEUES_MAX {
        return wrong(reasons::QUEUES, Datum::Count(u64::from(queues)), Datum::Count(u64::from(QUEUES_MAX)), 8);
    }
    Ok(queues)
}

/// Fills the source from the first bytes: the header, and all queues where they are few enough to be listed. Says how many
/// bytes that took.
fn read_source(input: &[u8], eof: bool, source: &mut Source) -> Result<usize, Undecided> {
    if input.len() < HEADER_LEN && !eof {
        return Err(Undecided::Need(HEADER_LEN));
    }
    let count = read_header(input)?;
    let (header, rest) = input.split_at_checked(HEADER_LEN).unwrap_or((input, &[]));
    let listed = if index(count) <= MEMBERS_MAX { index(count) } else { 0 };
    let within = HEADER_LEN + listed * QUEUE_LEN;
    let (queues, _) = rest.as_chunks::<QUEUE_LEN>();
    match queues.get(..listed) {
        Some(queues) => {
            source.fill(header, queues, count)?;
            Ok(within)
        }
        None if eof => {
            let all = offset_of(index(count));
            Err(truncated(input.len(), Datum::Count(all)).into())
        }
        None => Err(Undecided::Need(within)),
    }
}

fn identify(prefix: &[u8], eof: bool, _choices: Choices, show: &mut dyn FnMut(&dyn Attributes)) -> Identified {
    let mut source = Source::new();
    let count = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    match read_source(prefix, eof, &mut source) {
        Ok(within) => {
            show(&source);
            Identified::Shown(count(within))
        }
        Err(Undecided::Need(bytes)) => Identified::Need(count(bytes)),
        Err(Undecided::Refused(reason)) => Identified::Refused(reason),
    }
}

/// One bit for each queue that there can be.
const SEEN_WORDS: usize = QUEUES_MAX as usize / 64;

/// Reads a stream.
pub struct QueueReader {
    describe: bool,
    source: Source,
    /// What came of reading it.
    found: Result<usize, Undecided>,
    /// Whether that is told.
    known: bool,
    /// The queues that have come.
    seen: [u64; SEEN_WORDS],
    state: State,
    /// What has been told of the structure at hand.
    record_told: bool,
    notes_told: u8,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    /// Of so many queues this many have passed.
    Queue(u32, u32),
    /// A reader that has failed has nothing else to say.
    Failed(Reason),
}

impl QueueReader {
    /// A reader at the start of a stream.
    pub const fn new(describe: bool) -> Self {
        Self {
            describe,
            source: Source::new(),
            found: Err(Undecided::Need(HEADER_LEN)),
            known: false,
            seen: [0; SEEN_WORDS],
            state: State::Header,
            record_told: false,
            notes_told: 0,
        }
    }

    fn fail<'a>(&mut self, reason: Reason) -> Step<'a> {
        self.state = State::Failed(reason);
        Step::stay(Event::Finding(reason))
    }

    /// The structure, for a reader that describes and has not.
    fn record<'a>(
        &mut self,
        layout: &'static Layout,
        number: Option<u32>,
        offset: u64,
        bytes: &'a [u8],
    ) -> Option<Event<'a>> {
        if !self.describe || self.record_told || bytes.is_empty() {
            return None;
        }
        self.record_told = true;
        Some(Event::Record { layout, number, offset, bytes })
    }

    /// The next of the notes on a structure.
    fn note<'a>(&mut self, notes: [Option<Reason>; 2]) -> Option<Event<'a>> {
        let note = notes.into_iter().flatten().nth(usize::from(self.notes_told))?;
        self.notes_told += 1;
        Some(Event::Finding(note))
    }

    /// Hands on the bytes of a structure of which all has been told.
    fn deliver<'a>(&mut self, bytes: &'a [u8], next: State) -> Step<'a> {
        (self.record_told, self.notes_told, self.state) = (false, 0, next);
        let event = Event::Data { device: DeviceKey::default(), phase: Phase::Unspecified, bytes };
        Step { used: bytes.len(), event }
    }

    fn read_beginning<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        let header = input.get(..HEADER_LEN).unwrap_or(input);
        if !self.known {
            // Filled once: what fails, or needs more, leaves the source as it is.
            if !self.record_told {
                self.found = read_source(input, eof, &mut self.source);
            }
            if let Err(Undecided::Need(bytes)) = self.found {
                return Step::stay(Event::Need(bytes));
            }
            if let Some(event) = self.record(&HEADER, None, 0, header) {
                return Step::stay(event);
            }
            if let Err(Undecided::Refused(reason)) = self.found {
                return self.fail(reason);
            }
            self.known = true;
            return Step::stay(Event::Profile);
        }
        let queues = self.source.queues;
        let reserved = header.get(12..16).map_or(0, big_endian);
        let most = Datum::Count(widen(MEMBERS_MAX));
        let unlisted = Reason::at(reasons::UNLISTED, 8).spanning(8, 4).because(Datum::Count(u64::from(queues)), most);
        let note = Reason::at(reasons::RESERVED, 12).spanning(12, 4);
        let notes = [
            (index(queues) > MEMBERS_MAX).then_some(unlisted),
            (reserved != 0).then_some(note.because(Datum::Wire(reserved), Datum::Wire(0))),
        ];
        if let Some(event) = self.note(notes) {
            return Step::stay(event);
        }
        self.deliver(header, State::Queue(0, queues))
    }

    fn read_queue<'a>(&mut self, input: &'a [u8], eof: bool, passed: u32, queues: u32) -> Step<'a> {
        if passed == queues {
            return Step::stay(Event::End);
        }
        let offset = offset_of(index(passed));
        let there = input.get(..QUEUE_LEN);
        if there.is_none() && !eof {
            return Step::stay(Event::Need(QUEUE_LEN));
        }
        if let Some(event) = self.record(&QUEUE, Some(passed), offset, there.unwrap_or(input)) {
            return Step::stay(event);
        }
        let Some(bytes) = there else {
            let end = index(u32::try_from(offset).unwrap_or(u32::MAX)).saturating_add(input.len());
            return self.fail(truncated(end, Datum::Count(offset_of(index(queues)))));
        };
        let queue = bytes.first_chunk().map(Queue::read).unwrap_or_default();
        if self.notes_told == 0 {
            if let Some(reason) = queue.fault(offset) {
                return self.fail(reason);
            }
            let bit = 1 << (queue.apqn % 64);
            if let Some(word) = self.seen.get_mut(usize::from(queue.apqn / 64)) {
                if *word & bit != 0 {
                    return self.fail(queue.twice(offset));
                }
                *word |= bit;
            }
        }
        if let Some(event) = self.note([queue.note(offset), None]) {
            return Step::stay(event);
        }
        self.deliver(bytes, State::Queue(passed + 1, queues))
    }
}

impl Reader for QueueReader {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        match self.state {
            State::Header => self.read_beginning(input, eof),
            State::Queue(passed, queues) => self.read_queue(input, eof, passed, queues),
            State::Failed(reason) => Step::stay(Event::Finding(reason)),
        }
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.known.then_some(&self.source as &dyn Attributes)
    }
}

#[cfg(test)]
mod tests;
