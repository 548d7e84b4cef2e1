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
use crate::attribute::{AttributeId, Attributes, MEMBERS_MAX, Statable, Text, Type, VENDOR, Value};
use crate::bytes::{big_endian, hex, index, widen};
use crate::format::{
    Choices, DeviceKey, Event, Field, FieldKind, Format, Glance, Hold, Identified, KnownBy, Layout, Likeness, Phase,
    Proves, Reader, Role, Share, Step, settles_nothing,
};
use crate::magic::Magic;
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

/// The format.
pub static FORMAT: Format = Format {
    name: "ap",
    vendor: "ap",
    title: "proposed stream of vfio-ap, version 1: of a series that is not merged, and may still change",
    role: Role::Source,
    // Turned round it is told apart from everything else as well, and refused with the reason.
    known_by: KnownBy::Magic(&[Magic::new(&MAGIC.to_be_bytes()), Magic::new(&MAGIC.to_le_bytes())]),
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

/// Bytes of a queue's name as a member of a set or a key of a map.
const NAME_LEN: usize = 2 + 7;

/// A queue as the stream has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Queue {
    status: u64,
    apqn: u16,
    reserved: u64,
}

/// Most bytes of a value that a queue has in a map.
const VALUE_MAX: usize = 11;
/// Most bytes of such a pair: the value has its length before it, too.
const PAIR_MAX: usize = NAME_LEN + 2 + VALUE_MAX;

/// Modes of an adapter, by their bits in the first half of the status word: D, A and X; and how long their names are.
const MODES: [(u32, [u8; VALUE_MAX], usize); 3] = [
    (0x1000_0000, *b"cca\0\0\0\0\0\0\0\0", 3),
    (0x0800_0000, *b"accelerator", 11),
    (0x0400_0000, *b"ep11\0\0\0\0\0\0\0", 4),
];

impl Queue {
    fn read(bytes: &[u8; QUEUE_LEN]) -> Self {
        let word = u128::from_be_bytes(*bytes);
        let [status, rest] = [word >> 64, word & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(0));
        let [card, domain, ..] = rest.to_be_bytes();
        Self { status, apqn: u16::from_be_bytes([card, domain]), reserved: rest & 0xffff_ffff_ffff }
    }

    /// `05.00ab`, as a member of a set or a key of a map: its length before it.
    fn name(self) -> [u8; NAME_LEN] {
        let [card, domain] = self.apqn.to_be_bytes().map(hex);
        [7, 0, card[0], card[1], b'.', b'0', b'0', domain[0], domain[1]]
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

/// The attributes that a stream states, in the order in which their values are put down.
const STATED: [(AttributeId, Type); 5] = [
    (CONTROL_DOMAINS, Type::Set),
    (APQNS, Type::Set),
    (AP_TYPE, Type::Map),
    (MODE, Type::Map),
    (QUEUE_FACILITIES, Type::Map),
];

/// Most bytes that the values take of a stream of so many queues and control domains: two types of members, and of each
/// queue its number alone, with its type, with its mode, and with its facilities; and what the last pair leaves over.
const fn room(queues: usize, domains: usize) -> usize {
    PAIR_MAX + 2 + domains * (2 + 4) + queues * (4 * NAME_LEN + (2 + 3) + (2 + 11) + (2 + 10))
}

/// Queues and control domains that most devices have at the most: to judge one takes that much less room.
const FEW: (usize, usize) = (8, 16);

/// What a stream says of its source that has few queues.
type FewQueues = Listed<{ room(FEW.0, FEW.1) }>;

/// What any stream says of its source.
pub type Source = Listed<{ room(MEMBERS_MAX, 256) }>;

/// What a stream says of its source: values of attributes, as they stand in a profile.
#[derive(Clone, Debug)]
pub struct Listed<const ROOM: usize> {
    queues: u32,
    /// One value behind the other.
    bytes: [u8; ROOM],
    /// Where each ends.
    ends: [usize; STATED.len()],
    length: usize,
}

impl<const ROOM: usize> Listed<ROOM> {
    /// One of which nothing is known.
    const fn new() -> Self {
        Self { queues: 0, bytes: [0; ROOM], ends: [0; STATED.len()], length: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
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
        for (stated, (id, kind)) in STATED.into_iter().enumerate() {
            let start = self.length;
            if kind == Type::Set {
                self.push(&[Type::Text.code()]);
            }
            let before = self.length;
            if id == CONTROL_DOMAINS {
                domains(header, |domain| {
                    let [high, low] = hex(domain);
                    self.push(&[4, 0, b'0', b'0', high, low]);
                });
            } else {
                listed.iter().map(queue_at).for_each(|queue| self.list(queue, id));
            }
            // There is no empty value.
            if self.length == before {
                self.length = start;
            }
            if let Some(end) = self.ends.get_mut(stated) {
                *end = self.length;
            }
        }
        Ok(())
    }

    /// What the value of this attribute has of the queue.
    fn list(&mut self, queue: Queue, id: AttributeId) {
        let facilities = queue.facilities();
        let mut value = [0; VALUE_MAX];
        if id == APQNS {
            self.push(&queue.name());
        } else if id == AP_TYPE {
            let kind = queue.kind();
            let digits = [kind / 100, kind / 10 % 10, kind % 10].map(|digit| b'0' + digit);
            let digits: &[u8] = match &digits {
                [b'0', b'0', ones @ ..] => ones,
                [b'0', tens @ ..] => tens,
                all => all,
            };
            let length = value.iter_mut().zip(digits).map(|(slot, digit)| *slot = *digit).count();
            self.pair(queue, value, length);
        } else if id == MODE {
            let mut modes = MODES.iter().filter(|(bit, ..)| facilities & bit != 0);
            // Of a queue with no mode, or with several, nothing is said.
            if let (Some((_, mode, length)), None) = (modes.next(), modes.next()) {
                self.pair(queue, *mode, *length);
            }
        } else {
            let [a, b, c, d] = facilities.to_be_bytes().map(hex);
            self.pair(queue, [b'0', b'x', a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1], 0], 10);
        }
    }

    /// A queue with its value, of which so many bytes count. All of them are put down, as that takes less time than to look
    /// how many; the next pair overwrites the rest.
    fn pair(&mut self, queue: Queue, value: [u8; VALUE_MAX], length: usize) {
        let mut pair = [0; PAIR_MAX];
        let (name, rest) = pair.split_at_mut(NAME_LEN);
        name.copy_from_slice(&queue.name());
        let (count, rest) = rest.split_at_mut(2);
        count.copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        rest.copy_from_slice(&value);
        if let Some(room) = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            *room = pair;
            self.length += NAME_LEN + 2 + length;
        }
    }
}

/// The control domains of a header, 64 in each word, the first leftmost.
fn domain_words(header: &[u8]) -> [u64; 4] {
    let words = header.get(16..).and_then(<[u8]>::first_chunk::<32>).unwrap_or(&[0; 32]);
    let (words, _) = words.as_chunks();
    core::array::from_fn(|at| words.get(at).map_or(0, |word| u64::from_be_bytes(*word)))
}

/// Tells every control domain of the header, ascending.
fn domains(header: &[u8], mut each: impl FnMut(u8)) {
    for (first, word) in [0, 64, 128, 192].into_iter().zip(domain_words(header)) {
        let mut left = word;
        while left != 0 {
            let bit = left.leading_zeros();
            each(first + u8::try_from(bit).unwrap_or(0));
            left &= !(1 << 63 >> bit);
        }
    }
}

/// What a stream says of its source.
pub static STATABLE: Statable =
    Statable { attributes: &[VENDOR, CONTROL_DOMAINS, APQNS, AP_TYPE, MODE, QUEUE_FACILITIES], unsaid: &[] };

impl<const ROOM: usize> Attributes for Listed<ROOM> {
    fn statable(&self) -> Option<&'static Statable> {
        Some(&STATABLE)
    }

    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        if id.is(VENDOR) {
            return Some(Value::Text(Text::constant("ap")));
        }
        let at = STATED.iter().position(|(stated, _)| stated.is(id))?;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let bytes = self.bytes.get(start..*self.ends.get(at)?).filter(|bytes| !bytes.is_empty())?;
        Value::read_again(STATED.get(at)?.1, bytes)
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

/// A field of the header.
fn number(header: &[u8], at: usize) -> Option<u32> {
    header.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// How many queues the header counts, by which the rest is read.
fn read_header(input: &[u8]) -> Result<u32, Reason> {
    let short = |id| {
        let end = widen(input.len());
        Reason::at(id, end).because(Datum::Count(end), Datum::Count(widen(HEADER_LEN)))
    };
    let Some(magic) = number(input, 0) else {
        let agrees = FORMAT.likeness(input, true) == Likeness::Short;
        return Err(if agrees { short(shared::MAGIC_TRUNCATED) } else { Reason::at(shared::MAGIC_UNRECOGNIZED, 0) });
    };
    let wrong = |id, found: Datum, required: Datum, offset| {
        Err(Reason::at(id, offset).spanning(offset, 4).because(found, required))
    };
    if magic != MAGIC {
        let id = if magic == MAGIC.swap_bytes() { reasons::BYTE_ORDER } else { shared::MAGIC_UNRECOGNIZED };
        return wrong(id, Datum::Wire(u64::from(magic)), Datum::Wire(u64::from(MAGIC)), 0);
    }
    let (Some(version), Some(queues), true) = (number(input, 4), number(input, 8), input.len() >= HEADER_LEN) else {
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
fn read_source<const ROOM: usize>(input: &[u8], eof: bool, source: &mut Listed<ROOM>) -> Result<usize, Undecided> {
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
    let domains = domain_words(prefix).iter().map(|word| index(word.count_ones())).sum::<usize>();
    if number(prefix, 8).is_some_and(|queues| index(queues) <= FEW.0) && domains <= FEW.1 {
        identify_in(&mut FewQueues::new(), prefix, eof, show)
    } else {
        identify_in(&mut Source::new(), prefix, eof, show)
    }
}

fn identify_in<const ROOM: usize>(
    source: &mut Listed<ROOM>,
    prefix: &[u8],
    eof: bool,
    show: &mut dyn FnMut(&dyn Attributes),
) -> Identified {
    let count = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    match read_source(prefix, eof, source) {
        Ok(within) => {
            show(source);
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
