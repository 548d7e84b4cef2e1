//! Streams of records behind a header of 16 bytes: the header, and the walker that such formats share.
//!
//! Two drivers of the kernel write such records: mlx5 and virtio. A record may be 4 GiB long, so nothing of it is kept:
//! headers and other structures are looked at where they are, and what is opaque passes as it comes. A room says what
//! stands behind a header ([`Room`]); when to wait, what to tell in which order, and that any cut of the input tells the
//! same, is said here, once. [`driver`] has what the two drivers have in common.
//!
//! Facts: Linux `drivers/vfio/pci/mlx5/cmd.h` and `drivers/vfio/pci/virtio/migrate.c`, `struct *_migration_header`.

pub mod driver;

use alloc::boxed::Box;
use core::fmt;

use crate::attribute::Attributes;
use crate::bytes::{index, widen};
use crate::format::{Choices, DeviceKey, Event, Field, FieldKind, Identified, Layout, Phase, Reader, Step};
use crate::verdict::{Datum, Reason, ReasonId, reasons};

/// Bytes of a record's header.
pub const HEADER_LEN: usize = 16;
/// Most bytes that a record has behind its header: both drivers refuse more with `ENOMEM`, before they look at the tag.
pub const RECORD_MAX: u64 = 0xffff_ffff;
/// The only flag: a reader that does not know the tag passes over the record.
pub const OPTIONAL: u32 = 1;
/// Bytes of the pieces in which what is opaque is described; the last one of a record is shorter.
pub const PIECE: u64 = 1 << 16;

/// The header of a record.
pub static HEADER: Layout = Layout {
    name: "record",
    fields: &[
        Field::new("record_size", 0, FieldKind::Number(8), "bytes behind the header, at most 4294967295"),
        Field::new("flags", 8, FieldKind::Hex(4), "bit 0: whoever does not know the tag passes over the record"),
        Field::new("tag", 12, FieldKind::Hex(4), "what the record is"),
    ],
};

/// The header of a record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes behind the header.
    pub size: u64,
    /// [`OPTIONAL`], or nothing.
    pub flags: u32,
    /// What the record is.
    pub tag: u32,
}

impl Header {
    /// Takes a header apart.
    pub fn read(bytes: &[u8; HEADER_LEN]) -> Self {
        let [s0, s1, s2, s3, s4, s5, s6, s7, f0, f1, f2, f3, t0, t1, t2, t3] = *bytes;
        Self {
            size: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            flags: u32::from_le_bytes([f0, f1, f2, f3]),
            tag: u32::from_le_bytes([t0, t1, t2, t3]),
        }
    }

    /// Whether whoever does not know the tag passes over the record.
    pub const fn is_optional(self) -> bool {
        self.flags & OPTIONAL != 0
    }
}

/// The kinds of reasons that a format gives for what its records have in common.
#[derive(Clone, Copy, Debug)]
pub struct Reasons {
    /// A size that the record cannot have.
    pub record_size: ReasonId,
    /// A tag that is not known, of a record that must be understood.
    pub tag: ReasonId,
    /// A tag that is not known, of a record that need not be understood: a note.
    pub tag_optional: ReasonId,
    /// Flags that no driver writes.
    pub flags: ReasonId,
}

/// A record whose header has passed the checks that every record has.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Which one of the stream, from 0.
    pub number: u32,
    /// Offset of its header.
    pub at: u64,
    /// Its header.
    pub header: Header,
}

/// What stands next behind a header.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// How it is described.
    pub layout: &'static Layout,
    /// Which one, where there are several.
    pub number: u32,
    /// How much of it must be there at once.
    pub length: Length,
}

/// How much of a unit must be there at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// All of it: so many bytes, and no more than the record has left.
    Whole(u32),
    /// Nothing: so many bytes pass as they come.
    Passing(u64),
}

/// Takes what was found. What follows an error is dropped.
pub type Tell<'a> = &'a mut dyn FnMut(Reason);

/// A format of records: what its room knows of them, and what it must remember from one to the next.
pub trait Room: Send + Sync + 'static {
    /// What a stream says of its source.
    type Source: Attributes + Copy + fmt::Debug + Send + Sync;

    /// Its kinds of reasons.
    const REASONS: Reasons;

    /// At the start of a stream. `whole` for one that is read to its end, and not only until its source is known.
    fn new(choices: Choices, whole: bool) -> Self;

    /// The flags that a driver writes with this tag; `None` for a tag that is not known.
    fn flags_of(&self, tag: u32) -> Option<u32>;

    /// Whether the stream has records at all; one that has none is one [`Room::unit`] of at most [`RECORD_MAX`] bytes.
    fn has_records(&self) -> bool {
        true
    }

    /// A record begins. One that is not known is passed over.
    fn begin(&mut self, record: &Record, known: bool, tell: Tell<'_>);

    /// What stands next in the record, of which so many bytes are left, at least one.
    fn unit(&self, left: u64) -> Unit;

    /// A unit that is there whole, at this offset; behind it so many bytes of the record are left.
    fn take(&mut self, bytes: &[u8], at: u64, left: u64, tell: Tell<'_>);

    /// The record ends, before this offset.
    fn finish(&mut self, at: u64, tell: Tell<'_>);

    /// What is missing of a stream that ends here, between two records.
    fn lacks(&self, end: u64) -> Option<Reason>;

    /// How often the source has been told anew; 0 where nothing is known of it.
    fn told(&self) -> u32;

    /// What is known of the source.
    fn source(&self) -> Self::Source;
}

/// Findings of one unit that are kept: more than any has before its first error.
const FOUND_MAX: usize = 8;

/// What was found and not told.
#[derive(Clone, Copy, Default)]
struct Found {
    reasons: [Option<Reason>; FOUND_MAX],
    told: usize,
    count: usize,
}

impl Found {
    fn clear(&mut self) {
        (self.told, self.count) = (0, 0);
    }

    fn push(&mut self, reason: Reason) {
        let all = self.reasons.get(..self.count).unwrap_or(&[]);
        let after_error = all.iter().flatten().any(|reason| !reason.is_note());
        if let Some(place) = self.reasons.get_mut(self.count).filter(|_| !after_error) {
            *place = Some(reason);
            self.count += 1;
        }
    }

    fn next(&mut self) -> Option<Reason> {
        let next = self.reasons.get(..self.count)?.get(self.told).copied().flatten()?;
        self.told += 1;
        Some(next)
    }
}

/// Walks the units of a stream: what stands at an offset, and what is found there.
struct Walker<R> {
    room: R,
    /// Offset of the unit.
    at: u64,
    /// The record that the unit is in; `None` where a header stands.
    record: Option<Record>,
    /// Records begun so far.
    begun: u32,
    /// Bytes of the record from the unit on.
    left: u64,
}

impl<R: Room> Walker<R> {
    fn new(choices: Choices, whole: bool) -> Self {
        Self { room: R::new(choices, whole), at: 0, record: None, begun: 0, left: 0 }
    }

    /// What stands here.
    fn unit(&self) -> Unit {
        if self.record.is_none() && self.room.has_records() {
            #[expect(clippy::cast_possible_truncation, reason = "16")]
            return Unit { layout: &HEADER, number: self.begun, length: Length::Whole(HEADER_LEN as u32) };
        }
        let left = if self.room.has_records() { self.left } else { RECORD_MAX.saturating_sub(self.at) };
        self.room.unit(left)
    }

    /// The unit that must be there whole is: what is found in it. Then it is behind.
    fn take(&mut self, bytes: &[u8], tell: Tell<'_>) {
        match bytes.first_chunk::<HEADER_LEN>() {
            Some(header) if self.record.is_none() => self.begin(Header::read(header), tell),
            _ => {
                self.left = self.left.saturating_sub(widen(bytes.len()));
                self.room.take(bytes, self.at, self.left, tell);
            }
        }
        self.pass(bytes.len(), tell);
    }

    /// So many bytes are behind.
    fn pass(&mut self, bytes: usize, tell: Tell<'_>) {
        self.at = self.at.saturating_add(widen(bytes));
        if self.record.is_some() && self.left == 0 {
            self.record = None;
            self.room.finish(self.at, tell);
        }
    }

    /// The checks that every record has: the driver's two in its order, then the flags.
    fn begin(&mut self, header: Header, tell: Tell<'_>) {
        let kinds = R::REASONS;
        let field = |id: ReasonId, name: usize, found: Datum, required: Datum| {
            let reason = Reason::at(id, self.at).because(found, required);
            HEADER.fields.get(name).map_or(reason, |field| Reason { span: Some(field.span(self.at)), ..reason })
        };
        if header.size > RECORD_MAX {
            tell(field(kinds.record_size, 0, Datum::Wire(header.size), Datum::Wire(RECORD_MAX)));
            return;
        }
        let (flags, tag) = (u64::from(header.flags), Datum::Wire(u64::from(header.tag)));
        let known = self.room.flags_of(header.tag);
        match known {
            None if !header.is_optional() => {
                tell(field(kinds.tag, 2, tag, Datum::Word("a tag that is known, or the flag optional")));
                return;
            }
            _ if header.flags != known.unwrap_or(OPTIONAL) => {
                let required = u64::from(known.unwrap_or(OPTIONAL));
                tell(field(kinds.flags, 1, Datum::Wire(flags), Datum::Wire(required)));
                return;
            }
            None => tell(field(kinds.tag_optional, 2, tag, Datum::None)),
            Some(_) => {}
        }
        let record = Record { number: self.begun, at: self.at, header };
        self.begun = self.begun.saturating_add(1);
        self.left = header.size;
        self.record = Some(record);
        self.room.begin(&record, known.is_some(), tell);
    }
}

/// What the first bytes come to.
enum Sought<S> {
    /// The source, and the bytes that it took.
    Found(S, usize),
    /// So many bytes are needed.
    Need(usize),
    /// There is none.
    Refused(Reason),
}

/// The source, as soon as it is known.
fn seek<R: Room>(prefix: &[u8], eof: bool, choices: Choices) -> Sought<R::Source> {
    let mut walker = Walker::<R>::new(choices, false);
    let mut rest = prefix;
    loop {
        let unit = walker.unit();
        let mut error = None;
        let mut tell = |reason: Reason| {
            if !reason.is_note() {
                error.get_or_insert(reason);
            }
        };
        let used = match unit.length {
            Length::Whole(length) => match rest.split_at_checked(index(length)) {
                Some((bytes, behind)) => {
                    walker.take(bytes, &mut tell);
                    rest = behind;
                    true
                }
                None => false,
            },
            Length::Passing(_) => false,
        };
        if let Some(reason) = error {
            return Sought::Refused(reason);
        }
        let behind = prefix.len().saturating_sub(rest.len());
        if walker.room.told() > 0 {
            return Sought::Found(walker.room.source(), behind);
        }
        if used {
            continue;
        }
        return match unit.length {
            Length::Whole(length) if !eof => Sought::Need(behind.saturating_add(index(length))),
            _ => Sought::Refused(lacking(&walker, prefix.len(), rest.is_empty())),
        };
    }
}

/// Why a stream cannot end here.
fn lacking<R: Room>(walker: &Walker<R>, end: usize, between: bool) -> Reason {
    let end = walker.at.max(widen(end));
    let between = between && walker.record.is_none();
    between.then(|| walker.room.lacks(end)).flatten().unwrap_or_else(|| {
        let need = match (walker.record, walker.unit().length) {
            (Some(_), _) => walker.at.saturating_add(walker.left),
            (None, _) => walker.at.saturating_add(widen(HEADER_LEN)),
        };
        Reason::at(reasons::STREAM_TRUNCATED, end).because(Datum::Count(end), Datum::Count(need))
    })
}

/// What the first bytes say of the source: what a room gives as [`crate::format::Format::identify`].
pub fn identify<R: Room>(
    prefix: &[u8],
    eof: bool,
    choices: Choices,
    show: &mut dyn FnMut(&dyn Attributes),
) -> Identified {
    let count = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    match seek::<R>(prefix, eof, choices) {
        Sought::Found(source, used) => {
            show(&source);
            Identified::Shown(count(used))
        }
        Sought::Need(bytes) => Identified::Need(count(bytes)),
        Sought::Refused(reason) => Identified::Refused(reason),
    }
}

/// A reader of a format of records: what its room gives as [`crate::format::Format::reader`].
pub fn reader<R: Room>(describe: bool) -> Box<dyn Reader> {
    Box::new(RecordReader::<R> {
        choices: Choices::NONE,
        describe,
        state: State::Seeking,
        walker: Walker::new(Choices::NONE, true),
        source: None,
        sources: 0,
        found: Found::default(),
        progress: Progress::Fresh,
    })
}

/// Reads a stream of records.
struct RecordReader<R: Room> {
    choices: Choices,
    describe: bool,
    state: State,
    walker: Walker<R>,
    source: Option<R::Source>,
    /// How many times the source has been told.
    sources: u32,
    /// What was found in the unit at hand.
    found: Found,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The source is not known.
    Seeking,
    /// The stream is read; its bytes pass, unless its beginning is known to be wrong.
    Reading {
        passes: bool,
    },
    Finished,
    /// A reader that has failed has nothing else to say.
    Failed(Reason),
}

/// How far the unit at hand has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Progress {
    Fresh,
    /// It has been described.
    Described,
    /// It has been looked at, and is so many bytes long.
    Taken(usize),
}

impl<R: Room> RecordReader<R> {
    fn fail<'a>(&mut self, used: usize, reason: Reason) -> Step<'a> {
        self.state = State::Failed(reason);
        Step { used, event: Event::Finding(reason) }
    }

    /// Finds the source before a byte passes. Nothing is told of a beginning that is wrong until it is read again.
    fn seek<'a>(&mut self, input: &[u8], eof: bool) -> Option<Event<'a>> {
        match seek::<R>(input, eof, self.choices) {
            Sought::Need(bytes) => Some(Event::Need(bytes)),
            Sought::Found(source, _) => {
                self.state = State::Reading { passes: true };
                self.source = Some(source);
                self.sources = 1;
                Some(Event::Profile)
            }
            Sought::Refused(_) => {
                self.state = State::Reading { passes: false };
                None
            }
        }
    }

    fn passes(&self) -> bool {
        self.state == State::Reading { passes: true }
    }

    /// Looks at a unit that is there whole.
    fn take(&mut self, bytes: &[u8]) {
        self.found.clear();
        let found = &mut self.found;
        self.walker.take(bytes, &mut |reason| found.push(reason));
        self.progress = Progress::Taken(bytes.len());
    }

    /// What stands behind the bytes that were taken: findings, a source, then the bytes themselves.
    fn told<'a>(&mut self, used: usize, bytes: &'a [u8]) -> Option<Step<'a>> {
        if let Some(reason) = self.found.next() {
            let event = Event::Finding(reason);
            return Some(if reason.is_note() { Step { used, event } } else { self.fail(used, reason) });
        }
        let told = self.walker.room.told();
        if told > self.sources {
            self.sources = told;
            self.source = Some(self.walker.room.source());
            return Some(Step { used, event: Event::Profile });
        }
        self.progress = Progress::Fresh;
        let data = Event::Data { device: DeviceKey::default(), phase: Phase::Unspecified, bytes };
        let passes = self.passes() && !bytes.is_empty();
        passes.then(|| Step { used: used.saturating_add(bytes.len()), event: data })
    }

    /// The input ends in a unit, or where one could stand.
    fn end<'a>(&mut self, used: usize, rest: &[u8]) -> Step<'a> {
        let end = index_of(self.walker.at.saturating_add(widen(rest.len())));
        if rest.is_empty() && self.walker.record.is_none() && self.walker.room.lacks(widen(end)).is_none() {
            self.state = State::Finished;
            return Step { used, event: Event::End };
        }
        let reason = lacking(&self.walker, end, rest.is_empty());
        self.fail(used, reason)
    }
}

/// An offset as a length in memory, where it is only reported.
fn index_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl<R: Room> Reader for RecordReader<R> {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        match self.state {
            State::Seeking => {
                if let Some(event) = self.seek(input, eof) {
                    return Step::stay(event);
                }
            }
            State::Reading { .. } => {}
            State::Finished => return Step::stay(Event::End),
            State::Failed(reason) => return Step::stay(Event::Finding(reason)),
        }
        // Bytes of a beginning that is wrong are used up and do not pass.
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or(&[]);
            if let Progress::Taken(length) = self.progress {
                let (bytes, _) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                if let Some(step) = self.told(used, bytes) {
                    return step;
                }
                used = used.saturating_add(length);
                continue;
            }
            let unit = self.walker.unit();
            let (whole, most) = match unit.length {
                Length::Whole(length) => (true, index(length)),
                Length::Passing(length) => (false, index_of(length.min(PIECE))),
            };
            if most == 0 && !rest.is_empty() {
                return self.fail(used, Reason::at(reasons::STREAM_TRAILING, self.walker.at));
            }
            let there = rest.get(..most).unwrap_or(rest);
            let enough = (there.len() == most && most > 0) || (!whole && !self.describe && !there.is_empty());
            if !enough && !eof {
                let need = if whole || self.describe { most.max(1) } else { 1 };
                return Step { used, event: Event::Need(need) };
            }
            if self.describe && self.progress == Progress::Fresh && !there.is_empty() {
                self.progress = Progress::Described;
                let (layout, number, offset) = (unit.layout, Some(unit.number), self.walker.at);
                return Step { used, event: Event::Record { layout, number, offset, bytes: there } };
            }
            if there.is_empty() || (whole && !enough) {
                return self.end(used, rest);
            }
            if whole {
                self.take(there);
                continue;
            }
            // What passes does so before it is known how the record ends: so no cut makes a difference.
            let bytes = if self.describe { there } else { passing(rest, unit.length) };
            self.found.clear();
            let found = &mut self.found;
            self.walker.left = self.walker.left.saturating_sub(widen(bytes.len()));
            self.walker.pass(bytes.len(), &mut |reason| found.push(reason));
            self.progress = Progress::Taken(0);
            used = used.saturating_add(bytes.len());
            if self.passes() {
                let device = DeviceKey::default();
                return Step { used, event: Event::Data { device, phase: Phase::Unspecified, bytes } };
            }
        }
    }

    fn choose(&mut self, choices: Choices) {
        // Most often nothing is chosen, and the walker that was made beforehand is the right one.
        if self.choices != choices {
            self.choices = choices;
            self.walker = Walker::new(choices, true);
        }
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.source.as_ref().map(|source| source as &dyn Attributes)
    }
}

/// As much of what passes as there is.
fn passing(rest: &[u8], length: Length) -> &[u8] {
    let Length::Passing(length) = length else { return &[] };
    rest.get(..index_of(length)).unwrap_or(rest)
}

#[cfg(test)]
mod tests;
