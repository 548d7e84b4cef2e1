//! Reads a sealed stream, a profile or an answer: the header is checked before anything in it is believed, a frame
//! before any of its payload is handed on.

use alloc::collections::TryReserveError;
use alloc::string::String;

use crate::attribute::{AttributeId, Attributes, DIGEST, DictionaryOf, PAYLOAD_FORMAT, PAYLOAD_LEN, Text, Value};
use crate::bytes::{index, widen};
use crate::format::{DeviceKey, Event, Field, FieldKind, Identified, Layout, Likeness, Reader, Registry, Step};
use crate::magic::{First, Magic};
use crate::profile::{ATTRIBUTE_HEAD, Attribute, Header, OwnedHeader, check_header_crc, vendor_unrecognized};
use crate::prologue::{Content, MAGIC, PROLOGUE_LEN, Prologue};
use crate::verdict::{Datum, Outcome, Reason, Verdict, reasons};

use super::answer::{Identity, Named, Said};
use super::frame::check_end;
use super::{ABORT_MAX, Count, Digest, FRAME_HEAD, FrameHead, FrameKind, OPAQUE, Order, Running};

/// Bytes of header for which room is made beforehand: those of every vendor's full profile. A longer header is held
/// too, up to [`crate::prologue::HEADER_MAX`].
const HEADER_USUAL: usize = 4096;

/// The prologue, for readers that describe.
pub static PROLOGUE: Layout = Layout {
    name: "prologue",
    fields: &[
        Field::new("magic", 0, FieldKind::Bytes(8), "TRANSIRE"),
        Field::new("header_len", 8, FieldKind::Number(4), "bytes of header, 1 to 65,536"),
        Field::new("header_crc", 12, FieldKind::Hex(4), "CRC-32C of the header"),
        Field::new("major", 16, FieldKind::Number(2), "major version, 1"),
        Field::new("minor", 18, FieldKind::Number(2), "minor version"),
        Field::new("content", 20, FieldKind::Number(1), "1 profile, 2 sealed stream, 3 answer"),
        Field::new("zero", 21, FieldKind::Hex(3), "0"),
        Field::new("features", 24, FieldKind::Hex(4), "must-understand bits, 0"),
        Field::new("prologue_crc", 28, FieldKind::Hex(4), "CRC-32C of the 28 bytes before it"),
    ],
};

/// An attribute of the header.
pub static ATTRIBUTE: Layout = Layout {
    name: "attribute",
    fields: &[
        Field::new("id", 0, FieldKind::Hex(2), "number, and bit 15: critical"),
        Field::new("type", 2, FieldKind::Number(1), "type of the value"),
        Field::new("zero", 3, FieldKind::Hex(1), "0"),
        Field::new("len", 4, FieldKind::Number(4), "bytes of the value"),
        Field::new("value", 8, FieldKind::Rest, "the value"),
    ],
};

/// A frame.
pub static FRAME: Layout = Layout {
    name: "frame",
    fields: &[
        Field::new("kind", 0, FieldKind::Number(1), "1 data, 2 end, 3 abort, from 128 ancillary"),
        Field::new("phase", 1, FieldKind::Number(1), "1 initial, 2 iterative, 3 stop-copy, 4 unspecified"),
        Field::new("head_check", 2, FieldKind::Hex(2), "low 16 bits of the CRC-32C of the head"),
        Field::new("len", 4, FieldKind::Number(4), "bytes of payload"),
        Field::new("seq", 8, FieldKind::Number(4), "number of the frame"),
        Field::new("crc", 12, FieldKind::Hex(4), "CRC-32C of head and payload"),
        Field::new("payload", 16, FieldKind::Rest, "what the frame carries"),
    ],
};

/// Whether the first bytes are those of a prologue.
pub fn likeness(prefix: &[u8]) -> Likeness {
    Magic::likeness_of(&[Magic::new(&MAGIC)], First::of(prefix))
}

/// Reads prologue and header from the first bytes and shows the header and what follows it, without allocating.
pub fn identify(
    prefix: &[u8],
    eof: bool,
    registry: Registry,
    verdict: &mut Verdict,
    show: &mut dyn FnMut(&Header<'_>, Content),
) -> Identified {
    match read_header(prefix, eof, registry, verdict) {
        Ok(Ok((prologue, header))) => {
            show(&header, prologue.content);
            Identified::Shown(u32::try_from(PROLOGUE_LEN + header.bytes().len()).unwrap_or(u32::MAX))
        }
        Ok(Err(need)) => Identified::Need(u32::try_from(need).unwrap_or(u32::MAX)),
        Err(reason) => Identified::Refused(reason),
    }
}

/// Prologue and header, or how many bytes they need.
type Opened<'a> = Result<(Prologue, Header<'a>), usize>;

/// The checks 1, 2.1 and 2.2 of `docs/format.md`, in order: prologue and header, neither of which is damaged, or how many
/// bytes they need. With `only`, another content is refused before its header is asked for.
pub(super) fn open(
    prefix: &[u8],
    eof: bool,
    only: Option<Content>,
) -> Result<Result<(Prologue, &[u8]), usize>, Reason> {
    let cut = |id, need: usize| {
        let end = widen(prefix.len());
        if eof { Err(Reason::at(id, end).because(Datum::Count(end), Datum::Count(widen(need)))) } else { Ok(Err(need)) }
    };
    match likeness(prefix) {
        Likeness::Certain => {}
        Likeness::Short => return cut(reasons::MAGIC_TRUNCATED, MAGIC.len()),
        _ => return Err(Reason::at(reasons::MAGIC_UNRECOGNIZED, 0)),
    }
    let Some((bytes, rest)) = prefix.split_first_chunk::<PROLOGUE_LEN>() else {
        return cut(reasons::PROLOGUE_TRUNCATED, PROLOGUE_LEN);
    };
    let prologue = Prologue::read(bytes)?;
    if let Some(only) = only.filter(|only| *only != prologue.content) {
        let (found, required) = (u64::from(prologue.content.code()), u64::from(only.code()));
        let reason = Reason::at(reasons::PROLOGUE_CONTENT, 20).spanning(20, 1);
        return Err(reason.because(Datum::Wire(found), Datum::Wire(required)));
    }
    let Some(header) = rest.get(..index(prologue.header_len)) else {
        return cut(reasons::HEADER_TRUNCATED, PROLOGUE_LEN + index(prologue.header_len));
    };
    check_header_crc(&prologue, header)?;
    Ok(Ok((prologue, header)))
}

/// The checks 1 and 2 of `docs/format.md`, in order, but for those that ask a target.
fn read_header<'a>(
    prefix: &'a [u8],
    eof: bool,
    registry: Registry,
    verdict: &mut Verdict,
) -> Result<Opened<'a>, Reason> {
    let (prologue, header) = match open(prefix, eof, None)? {
        Ok(opened) => opened,
        Err(need) => return Ok(Err(need)),
    };
    let dictionary_of: DictionaryOf<'_> = &|vendor| registry.dictionary(vendor);
    let offset = widen(PROLOGUE_LEN);
    let header = Header::read(header, offset, prologue.content, dictionary_of, verdict)?;
    if prologue.content == Content::Answer {
        // It has no attributes of a vendor's, so nobody need know the vendor to read it.
        Said::read(&header, offset)?;
        return Ok(Ok((prologue, header)));
    }
    // A payload in a native format; of an opaque one, and of a profile, nothing is asked.
    let native = header.get(PAYLOAD_FORMAT).filter(|name| *name != Value::Text(Text::constant(OPAQUE)));
    let format = if let Some(Value::Text(name)) = native { registry.stream(name.as_str()) } else { None };
    if native.is_some() && format.is_none() {
        return Err(at_value(&header, PAYLOAD_FORMAT, offset, Reason::new(reasons::PAYLOAD_FORMAT_UNRECOGNIZED)));
    }
    if prologue.content == Content::Sealed && digest_of(&header).is_none() {
        let code = match header.get(DIGEST) {
            Some(Value::Uint(code)) => Datum::Count(code),
            _ => Datum::None,
        };
        let reason = Reason::new(reasons::DIGEST_UNRECOGNIZED).because(code, Datum::Word("1 or 2"));
        return Err(at_value(&header, DIGEST, offset, reason));
    }
    let Some(dictionary) = header.dictionary() else { return Err(vendor_unrecognized(&header, offset)) };
    // A native payload is one of the header's own vendor.
    if format.is_some_and(|format| format.vendor != dictionary.vendor) {
        return Err(at_value(&header, PAYLOAD_FORMAT, offset, Reason::new(reasons::CONTRADICTS_PAYLOAD)));
    }
    Ok(Ok((prologue, header)))
}

fn at_value(header: &Header<'_>, id: AttributeId, offset: u64, reason: Reason) -> Reason {
    let at = offset + widen(header.position(id).unwrap_or(0) + ATTRIBUTE_HEAD);
    reason.about(id).spanning(at, 0)
}

fn payload_format<'a>(header: &Header<'a>) -> &'a str {
    match header.get(PAYLOAD_FORMAT) {
        Some(Value::Text(name)) => Text::as_str(name),
        _ => "",
    }
}

/// The digest that the header of a sealed stream announces, where it is known.
pub(crate) fn digest_of(header: &Header<'_>) -> Option<Digest> {
    match header.get(DIGEST)? {
        Value::Uint(code) => Digest::from_code(code),
        _ => None,
    }
}

/// Reads a sealed stream by [`Reader::step`]. A profile and an answer are read by the same machine and end behind their
/// header.
///
/// The reader stops behind the end frame; whether anything may follow there is the caller's matter.
#[derive(Debug)]
pub struct SealedReader {
    registry: Registry,
    describe: bool,
    /// Bytes of the input that have been described and are not used yet.
    described: usize,
    /// Attributes that have been described.
    attributes: u32,
    state: State,
    offset: u64,
    header: OwnedHeader,
    content: Content,
    prologue_crc: u32,
    digest: Digest,
    running: Running,
    order: Order,
    count: Count,
    notes: Verdict,
    told: usize,
    /// What the source said when it gave up; empty for nothing.
    abort_text: String,
    /// Whether the header that is held was refused although it is well formed: it only names its stream.
    refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Header,
    Notes,
    Frames,
    Finished,
    /// A reader that has failed has nothing else to say.
    Failed(Reason),
}

impl SealedReader {
    /// A reader at the start of a stream. One that describes also emits a record for each structure.
    pub fn new(registry: Registry, describe: bool) -> Self {
        Self {
            registry,
            describe,
            described: 0,
            attributes: 0,
            state: State::Header,
            offset: 0,
            header: OwnedHeader::with_capacity(HEADER_USUAL),
            content: Content::Sealed,
            prologue_crc: 0,
            digest: Digest::None,
            running: Running::new(Digest::None),
            order: Order::default(),
            count: Count::START,
            notes: Verdict::new(),
            told: 0,
            abort_text: String::new(),
            refused: false,
        }
    }

    /// Makes room for the notes on a header and the longest text of a source that gives up, so that reading a stream
    /// allocates nothing but for a header above 4 KiB.
    ///
    /// # Errors
    /// The memory is not there.
    pub fn reserve(&mut self) -> Result<(), TryReserveError> {
        // Of a header one kind is noted: attributes that nobody knows.
        self.notes.reserve_notes()?;
        self.abort_text.try_reserve_exact(index(ABORT_MAX))
    }

    /// Makes room for the header that the input begins with, where it is longer than usual.
    ///
    /// # Errors
    /// The memory is not there. Nothing was changed.
    pub fn reserve_for(&mut self, input: &[u8]) -> Result<(), TryReserveError> {
        if self.state != State::Header || input.len() <= PROLOGUE_LEN + HEADER_USUAL {
            return Ok(());
        }
        self.header.reserve(header_end(input).min(input.len()))
    }

    /// The header, from [`Event::Profile`] on.
    pub fn header(&self) -> Option<Header<'_>> {
        self.header.header().filter(|_| !self.refused)
    }

    /// What follows the header.
    pub const fn content(&self) -> Content {
        self.content
    }

    /// The digest that the header announces.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The name of the payload's format.
    pub fn payload_format(&self) -> Option<&str> {
        self.header().map(|header| payload_format(&header)).filter(|name| !name.is_empty())
    }

    /// Notes on the header that were counted and not kept.
    pub fn notes_dropped(&self) -> u64 {
        self.notes.dropped()
    }

    /// What the source said when it gave up.
    pub fn abort_text(&self) -> Option<&str> {
        Some(self.abort_text.as_str()).filter(|text| !text.is_empty())
    }

    /// Which stream it is, once its header was found well formed: also where it was refused for something in it that
    /// nobody here knows.
    pub fn identity(&self) -> Option<Identity> {
        self.named().map(Identity::from)
    }

    /// The same, without an allocation.
    pub(crate) fn named(&self) -> Option<Named<'_>> {
        let header = self.header.header().filter(|_| self.content == Content::Sealed)?;
        Named::in_header(header.bytes(), self.prologue_crc)
    }

    /// Bytes of the stream used so far.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    fn fail<'a>(&mut self, reason: Reason) -> Step<'a> {
        self.state = State::Failed(reason);
        Step::stay(Event::Finding(reason))
    }

    fn use_up<'a>(&mut self, used: usize, event: Event<'a>) -> Step<'a> {
        self.offset = self.offset.saturating_add(widen(used));
        self.described = 0;
        Step { used, event }
    }

    fn step_header<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        if self.describe {
            let need = header_end(input);
            if input.len() < need && !eof {
                return Step::stay(Event::Need(need));
            }
            if let Some(record) = self.describe_header(input.get(..need).unwrap_or(input)) {
                return Step::stay(record);
            }
        }
        self.notes.clear();
        let (prologue, header) = match read_header(input, eof, self.registry, &mut self.notes) {
            Ok(Ok(opened)) => opened,
            Ok(Err(need)) => return Step::stay(Event::Need(need)),
            Err(reason) => {
                self.notes.clear();
                // Of what refuses a header, these come behind the checks of its form. (An unrecognized prologue names no
                // stream.)
                if (reason.id.outcome() == Outcome::Unrecognized || reason.id == reasons::CONTRADICTS_PAYLOAD)
                    && let Ok(Ok((prologue, header))) = open(input, true, Some(Content::Sealed))
                {
                    self.refused = true;
                    self.prologue_crc = prologue.crc;
                    self.header.hold_unread(header);
                }
                return self.fail(reason);
            }
        };
        self.content = prologue.content;
        self.prologue_crc = prologue.crc;
        self.digest = digest_of(&header).unwrap_or_default();
        self.header.hold(&header);
        self.running.begin(self.digest);
        let used = PROLOGUE_LEN + header.bytes().len();
        self.running.update(input.get(..used).unwrap_or(input));
        self.state = State::Notes;
        self.use_up(used, Event::Profile)
    }

    /// The next structure of prologue and header that has not been described, as far as its bytes are there. How much
    /// of an attribute that reaches beyond the header is its own cannot be told: it takes the rest.
    fn describe_header<'a>(&mut self, bytes: &'a [u8]) -> Option<Event<'a>> {
        let start = self.described;
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let (layout, number, length) = if start == 0 {
            (&PROLOGUE, None, PROLOGUE_LEN)
        } else {
            let number = self.attributes;
            self.attributes = number.saturating_add(1);
            let length = Attribute::read(&mut crate::bytes::Reader::new(rest)).map(|value| value.bytes.len());
            (&ATTRIBUTE, Some(number), length.map_or(rest.len(), |length| ATTRIBUTE_HEAD + length))
        };
        let record = rest.get(..length).unwrap_or(rest);
        self.described += record.len();
        Some(Event::Record { layout, number, offset: widen(start), bytes: record })
    }

    /// The record of the frame that `bytes` begins with, once, for a reader that describes.
    fn describe_frame<'a>(&mut self, bytes: &'a [u8]) -> Option<Step<'a>> {
        if !self.describe || self.described > 0 || bytes.is_empty() {
            return None;
        }
        self.described = bytes.len();
        let (number, offset) = (self.count.sequence, self.offset);
        Some(Step::stay(Event::Record { layout: &FRAME, number, offset, bytes }))
    }

    fn step_frame<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        let end = self.offset.saturating_add(widen(input.len()));
        let cut = |id, found: usize, required: usize| {
            Reason::at(id, end).because(Datum::Count(widen(found)), Datum::Count(widen(required)))
        };
        let Some((bytes, rest)) = input.split_first_chunk::<FRAME_HEAD>() else {
            if !eof {
                return Step::stay(Event::Need(FRAME_HEAD));
            }
            let reason = cut(reasons::FRAME_TRUNCATED, input.len(), FRAME_HEAD);
            return self.describe_frame(input).unwrap_or_else(|| self.fail(reason));
        };
        let head = FrameHead::split(bytes);
        let mut order = self.order;
        let frame = match head.check(self.offset, self.prologue_crc, self.count.sequence, &mut order, self.digest) {
            Ok(frame) => frame,
            Err(reason) => return self.describe_frame(bytes).unwrap_or_else(|| self.fail(reason)),
        };
        let Some(payload) = rest.get(..frame.len) else {
            if !eof {
                return Step::stay(Event::Need(FRAME_HEAD + frame.len));
            }
            let reason = cut(reasons::FRAME_PAYLOAD_TRUNCATED, rest.len(), frame.len);
            return self.describe_frame(input).unwrap_or_else(|| self.fail(reason));
        };
        if let Some(step) = self.describe_frame(input.get(..FRAME_HEAD + frame.len).unwrap_or(input)) {
            return step;
        }
        if let Err(reason) = head.check_payload(self.offset, self.prologue_crc, payload) {
            return self.fail(reason);
        }
        self.order = order;
        let used = FRAME_HEAD + frame.len;
        let at = self.offset;
        match frame.kind {
            FrameKind::Data(phase) => {
                self.running.update(input.get(..used).unwrap_or(input));
                self.count.frame(payload.len());
                self.use_up(used, Event::Data { device: DeviceKey::default(), phase, bytes: payload })
            }
            FrameKind::Ancillary => {
                self.running.update(input.get(..used).unwrap_or(input));
                self.count.frame(0);
                let note = Reason::at(reasons::FRAME_ANCILLARY, at).spanning(at, 1);
                let kind = Datum::Wire(u64::from(head.kind));
                self.use_up(used, Event::Finding(note.because(kind, Datum::None)))
            }
            FrameKind::Abort => {
                let text = Text::read(payload);
                if !payload.is_empty() && text.is_none() {
                    let at = at + widen(FRAME_HEAD);
                    return self.fail(Reason::at(reasons::ABORT_TEXT, at).spanning(at, head.len));
                }
                self.abort_text.push_str(text.map_or("", Text::as_str));
                let reason = Reason::at(reasons::STREAM_ABORTED, at);
                self.state = State::Failed(reason);
                self.use_up(used, Event::Finding(reason))
            }
            FrameKind::End => {
                let announced = match self.header.header().and_then(|header| header.get(PAYLOAD_LEN)) {
                    Some(Value::Uint(length)) => Some(length),
                    _ => None,
                };
                if let Err(reason) = check_end(payload, at, self.count.total, announced, self.running.finish()) {
                    return self.fail(reason);
                }
                self.state = State::Finished;
                self.use_up(used, Event::End)
            }
        }
    }
}

/// Bytes of prologue and header, as far as they can be believed: a prologue that is damaged has nothing behind it.
fn header_end(input: &[u8]) -> usize {
    let prologue = input.first_chunk::<PROLOGUE_LEN>().filter(|_| likeness(input) == Likeness::Certain);
    let header = prologue.and_then(|prologue| Prologue::read(prologue).ok());
    PROLOGUE_LEN + header.map_or(0, |prologue| index(prologue.header_len))
}

impl Reader for SealedReader {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        match self.state {
            State::Header => self.step_header(input, eof),
            State::Notes => {
                if let Some(note) = self.notes.reasons().get(self.told) {
                    self.told += 1;
                    return Step::stay(Event::Finding(*note));
                }
                self.state = State::Frames;
                self.step(input, eof)
            }
            State::Frames if self.content != Content::Sealed => {
                self.state = State::Finished;
                Step::stay(Event::End)
            }
            State::Frames => self.step_frame(input, eof),
            State::Finished => Step::stay(Event::End),
            State::Failed(reason) => Step::stay(Event::Finding(reason)),
        }
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.header().is_some().then_some(&self.header as &dyn Attributes)
    }
}
