//! The gate: bytes in, verdict first, payload out. The only place that composes envelope, vendor and judge.
//!
//! [`Gate::step`] looks at bytes that the caller owns; [`PushGate`] takes any slices and keeps what it must. Either way
//! no payload leaves before the early verdict admits it, no sealed byte before its frame's checksum is right, and only a
//! stream that was read to its end without a finding is complete.
//!
//! Memory: the gate itself holds the header of a sealed stream (at most 64 KiB), what the payload's format must see before
//! it may release a byte ([`crate::format::Hold`]), and 16 KiB for the digest, which is made of stretches of that length;
//! [`PushGate`] holds one frame or record besides.

pub mod migration;

use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use crate::attribute::{Absence, AttributeId, Attributes, Statable, Value};
use crate::bytes::{index, widen};
use crate::format::{Choices, Event, Format, Layout, Reader, Registry};
use crate::judge::{judge, judge_seal};
use crate::profile::Header;
use crate::prologue::Content;
use crate::recognise::{
    Recognised, answer_is_no_source, describes_target, of_another_vendor, recognise, settled_by, tell_candidates,
};
use crate::report::ReasonName;
use crate::rule::RuleTable;
use crate::sealed::{Answer, AnswerStage, OPAQUE, SealedReader, Words};
use crate::target::Target;
use crate::verdict::{Datum, Outcome, Reason, Verdict, reasons};

/// Most room that is made beforehand for payload that a native reader must see again; formats that are held whole are
/// not longer. One that holds more makes its room when it needs it.
const STORE_USUAL: u32 = 1 << 16;

/// Memory that a reader takes, with the room for what it must see again.
const READER_MOST: usize = 80 << 10;

/// Bytes of a format's payload for which room is made beforehand.
fn store_of(format: &Format) -> usize {
    index(format.hold.bytes().min(STORE_USUAL))
}

/// What may come in.
#[derive(Clone, Copy, Debug, Default)]
pub enum Input {
    /// Whatever is recognised.
    #[default]
    Auto,
    /// A sealed stream (or a profile, where only a verdict is wanted).
    Sealed,
    /// A native stream of whatever format is recognised.
    Native,
    /// A native stream of this format, with what is chosen of its options.
    Format(&'static Format, Choices),
}

/// How a gate goes about it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, and every pair makes sense")]
pub struct Options {
    /// What may come in.
    pub input: Input,
    /// Whether the input ends where the stream does: bytes behind it make it corrupt. Only a sealed stream, or a native
    /// one that marks its end, can do without; carrying several on one connection is the caller's matter.
    pub exact: bool,
    /// Whether a fixable stream is delivered: the caller has made the settings, or will before the device runs.
    pub admit_fixable: bool,
    /// Whether an unknown stream is delivered.
    pub admit_unknown: bool,
    /// Whether to read on after a verdict that does not admit the stream, to see whether it is damaged besides. Nothing
    /// is delivered then.
    pub read_on: bool,
    /// Whether to emit a record for each structure.
    pub describe: bool,
    /// The time, in seconds since 1970-01-01T00:00:00Z, for assertions that end.
    pub now: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            input: Input::Auto,
            exact: true,
            admit_fixable: false,
            admit_unknown: false,
            read_on: false,
            describe: false,
            now: None,
        }
    }
}

impl Options {
    /// Whether payload may leave under this verdict.
    fn admit(&self, verdict: &Verdict) -> bool {
        match verdict.outcome() {
            Outcome::Compatible => true,
            Outcome::Fixable => self.admit_fixable,
            // Unknown is worse than fixable: a verdict with both is admitted where both are.
            Outcome::Unknown => {
                let only = verdict.reasons().iter().all(|reason| reason.id.outcome() != Outcome::Fixable);
                self.admit_unknown && (only || self.admit_fixable)
            }
            _ => false,
        }
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Bytes of the input that are done with.
    pub used: usize,
    /// What happened.
    pub event: Output<'a>,
}

/// What a gate tells.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Output<'a> {
    /// Nothing can be said before the input holds so many bytes (or ends). Never given at the end of the input.
    Need(usize),
    /// A verdict from a source profile: the early one, or a later one where the stream states its source anew. See
    /// [`Gate::verdict`].
    Verdict,
    /// Payload for the device.
    Deliver(&'a [u8]),
    /// A structure, for a gate that describes.
    Record {
        /// Its fields.
        layout: &'static Layout,
        /// Which one, where there are several.
        number: Option<u32>,
        /// Offset of its first byte: in the input, or in the payload for one that is inside a sealed stream.
        offset: u64,
        /// Whether it is inside a sealed stream's payload.
        inside: bool,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// Over: [`Gate::is_complete`] says how.
    Finished,
}

/// A gate before one target.
pub struct Gate {
    registry: Registry,
    target: Option<Arc<Target>>,
    options: Options,
    verdict: Verdict,
    /// Room for a verdict on a source that was told of anew.
    again: Verdict,
    /// Readers of the target vendor's formats, made beforehand so that reading a stream allocates nothing.
    spare: Vec<(&'static Format, Box<dyn Reader>)>,
    /// Room for what such a reader must see again.
    store: Vec<u8>,
    sealed: SealedReader,
    outer: Outer,
    /// The format of a native stream, once it is known.
    native: Option<&'static Format>,
    inner: Option<Inner>,
    frame: Option<FrameInProgress>,
    stage: Stage,
    /// Bytes of the input that are done with.
    used: u64,
    examined: u64,
    judged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outer {
    Unrecognised,
    Sealed,
    Native,
}

/// The reader of a native format, and what it must see before it can go on.
struct Inner {
    format: &'static Format,
    reader: Box<dyn Reader>,
    /// Payload of a sealed stream that the reader must see again, from `start` on.
    held: Vec<u8>,
    start: usize,
    /// Bytes that the reader waits for.
    need: usize,
    /// Bytes of the native stream that are done with.
    offset: u64,
    /// Whether the reader has come to the end of the native stream.
    ended: bool,
}

impl Inner {
    /// Bytes that wait for the reader.
    fn waiting(&self) -> usize {
        self.held.len().saturating_sub(self.start)
    }

    /// Takes as many of the bytes as the reader waits for and not one more; says how many.
    fn hold(&mut self, bytes: &[u8]) -> usize {
        self.held.drain(..self.start.min(self.held.len()));
        self.start = 0;
        let take = self.need.saturating_sub(self.held.len()).min(bytes.len());
        keep(&mut self.held, bytes.get(..take).unwrap_or(bytes), self.need);
        take
    }
}

/// A data frame that has passed and whose payload is being handed on. Its bytes stay in the caller's buffer until then.
#[derive(Clone, Copy, Debug)]
struct FrameInProgress {
    at: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Reading,
    /// The envelope has ended; whether anything follows it is to be seen.
    Trailing,
    /// The native stream inside the envelope is being finished.
    Flushing,
    Complete,
    Stopped,
}

/// Which bytes the native reader looks at.
#[derive(Clone, Copy, Debug)]
enum Feed {
    /// The input itself.
    Input,
    /// The payload of a frame, in the input.
    Frame(FrameInProgress),
    /// What is held of the payload; whether no more follows.
    Held(bool),
}

/// Where the bytes of an event stand.
#[derive(Clone, Debug)]
enum Place {
    Input(Range<usize>),
    Held(Range<usize>),
}

/// An event whose bytes are named by their place, so that it can be made before they are borrowed.
enum Plan {
    Need(usize),
    Verdict,
    Deliver(Place),
    Record { layout: &'static Layout, number: Option<u32>, offset: u64, inside: bool, place: Place },
    Finished,
}

/// What a native reader told, its bytes named by their place.
enum Told {
    Need(usize),
    Profile,
    Finding(Reason),
    Plan(Plan),
    End,
}

/// Bytes of the input that a move is done with, and what it tells, if anything.
type Move = (usize, Option<Plan>);

impl Gate {
    /// A gate before this target, or before none: then nothing is judged, and the stream is only read and checked.
    pub fn new(registry: Registry, target: Option<Arc<Target>>, options: Options) -> Self {
        let vendor = target.as_ref().and_then(|target| registry.vendor(target.vendor()));
        let formats = vendor.map_or(&[][..], |vendor| vendor.formats);
        let spare = formats.iter().map(|format| (*format, (format.reader)(options.describe))).collect();
        let sealed = SealedReader::new(registry, options.describe);
        let room = formats.iter().map(|format| store_of(format)).max().unwrap_or(0);
        Self {
            registry,
            target,
            options,
            verdict: Verdict::with_room(),
            again: Verdict::with_room(),
            spare,
            store: Vec::with_capacity(room),
            sealed,
            outer: Outer::Unrecognised,
            native: None,
            inner: None,
            frame: None,
            stage: Stage::Reading,
            used: 0,
            examined: 0,
            judged: false,
        }
    }

    /// Makes room for every reason that may be found and for the words of a source that gives up: from the early verdict
    /// on nothing is allocated, however the stream goes on. Without it a stream that is good allocates nothing.
    ///
    /// # Errors
    /// The memory is not there.
    pub fn reserve(&mut self) -> Result<(), TryReserveError> {
        self.verdict.reserve()?;
        self.again.reserve()?;
        self.sealed.reserve()
    }

    /// Makes room for what the next step with this input may allocate: for a header above 4 KiB, and for the reader of a
    /// format of which none was made beforehand, as before no target. Behind the early verdict there is nothing.
    ///
    /// A reader is small but no vector, and its memory can only be looked for here, not kept.
    ///
    /// # Errors
    /// The memory is not there. Nothing was changed.
    pub fn reserve_for(&mut self, input: &[u8]) -> Result<(), TryReserveError> {
        if self.judged || self.is_finished() || self.inner.is_some() {
            return Ok(());
        }
        // A stream of another vendor is refused before it is read, unless it is read on.
        if self.target.is_none() || self.options.read_on {
            let mut trial = Vec::<u8>::new();
            let there = trial.try_reserve_exact(READER_MOST);
            // Without this the compiler may see that nothing is done with the memory, and leave the question out.
            core::hint::black_box(&mut trial);
            there?;
        }
        self.sealed.reserve_for(input)
    }

    /// Looks at the input, which begins where the bytes used so far end; `eof` when nothing follows it. The caller drops
    /// the bytes used and calls again until [`Output::Finished`]. Any cut of the input gives the same verdict and the
    /// same payload.
    pub fn step<'a>(&'a mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        let mut done = 0;
        loop {
            let rest = input.get(done..).unwrap_or(&[]);
            let (used, plan) = self.advance(rest, eof);
            done = done.saturating_add(used);
            self.used = self.used.saturating_add(widen(used));
            self.examined = self.examined.max(self.used);
            let Some(plan) = plan else { continue };
            let event = match plan {
                Plan::Need(bytes) if !eof => Output::Need(bytes),
                Plan::Need(_) => {
                    // A reader that waits at the end has not read to it.
                    let end = self.used.saturating_add(widen(rest.len().saturating_sub(used)));
                    self.found(Reason::at(reasons::STREAM_TRUNCATED, end), 0);
                    Output::Finished
                }
                Plan::Verdict => Output::Verdict,
                Plan::Deliver(place) => Output::Deliver(self.bytes_at(place, rest)),
                Plan::Record { layout, number, offset, inside, place } => {
                    Output::Record { layout, number, offset, inside, bytes: self.bytes_at(place, rest) }
                }
                Plan::Finished => Output::Finished,
            };
            return Step { used: done, event };
        }
    }

    fn bytes_at<'a>(&'a self, place: Place, input: &'a [u8]) -> &'a [u8] {
        match place {
            Place::Input(range) => input.get(range).unwrap_or(&[]),
            Place::Held(range) => self.inner.as_ref().and_then(|inner| inner.held.get(range)).unwrap_or(&[]),
        }
    }

    /// The verdict as far as it is known.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whether a stream was read to its end, and nothing speaks against loading it. A profile is none, nor is an
    /// answer: they never are.
    pub fn is_complete(&self) -> bool {
        let is_stream = self.outer != Outer::Sealed || self.sealed.content() == Content::Sealed;
        self.stage == Stage::Complete && is_stream && self.admits()
    }

    /// Whether the gate is done with the input.
    pub const fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Complete | Stage::Stopped)
    }

    /// Whether a source profile has been judged (or, without a target, read).
    pub const fn is_judged(&self) -> bool {
        self.judged
    }

    /// Bytes of the input that are done with; behind [`Output::Finished`], where the stream ends.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Bytes of the input, from its beginning, that the verdict rests on.
    pub const fn examined(&self) -> u64 {
        self.examined
    }

    /// The target.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_deref()
    }

    /// The name of the native format of the stream or of the payload, `opaque`, or `None` before it is known.
    pub fn payload_format(&self) -> Option<&str> {
        match self.outer {
            Outer::Sealed => self.sealed.payload_format(),
            Outer::Native => self.native.map(|format| format.name),
            Outer::Unrecognised => None,
        }
    }

    /// What the source said when it gave up: the text of an abort frame.
    pub fn abort_text(&self) -> Option<&str> {
        self.sealed.abort_text()
    }

    /// What came in, as far as it is known: `sealed`, `profile`, `answer`, or the name of a native format.
    pub fn format(&self) -> Option<&'static str> {
        match self.outer {
            Outer::Sealed => self.sealed.header().map(|_| match self.sealed.content() {
                Content::Profile => "profile",
                Content::Sealed => "sealed",
                Content::Answer => "answer",
            }),
            Outer::Native => self.native.map(|format| format.name),
            Outer::Unrecognised => None,
        }
    }

    /// What is known of the source: what its payload says, and what else the header of a sealed stream says.
    pub fn source(&self) -> Source<'_> {
        Source {
            header: self.sealed.source().filter(|_| self.outer == Outer::Sealed && self.is_of_source()),
            native: self.inner.as_ref().and_then(|inner| inner.reader.source()),
        }
    }

    /// Stops: the input will not come to its end, for this reason.
    pub fn stop(&mut self, reason: Reason) {
        if !self.is_finished() {
            self.find(reason);
            self.stage = Stage::Stopped;
        }
    }

    /// What the target says back to the source of a sealed stream. An early answer rests on what was judged so far, and can
    /// be given from the early verdict on; a final one at the end, complete or not.
    ///
    /// `None` before that, and where nobody can be answered: for a native stream, and for a sealed one whose header was
    /// not found well formed, so that its identity cannot be believed.
    pub fn answer(&self, stage: AnswerStage) -> Option<Answer> {
        let mut bytes = Vec::new();
        self.write_answer(stage, usize::MAX, &mut |piece| bytes.extend_from_slice(piece))?;
        Answer::read(&bytes, &mut Verdict::new()).ok()
    }

    /// The bytes of [`Gate::answer`], without an allocation: they go to `out`, one piece behind the other, where there are
    /// at most `most` of them. Returns how many there are.
    pub fn write_answer(&self, stage: AnswerStage, most: usize, out: &mut dyn FnMut(&[u8])) -> Option<usize> {
        let stands = self.is_finished() || (stage == AnswerStage::Early && self.judged);
        let named = self.sealed.named().filter(|_| stands)?;
        let dictionary = self.target.as_ref().map(|target| target.rules().dictionary);
        let reasons = self.verdict.reasons().iter().filter(|reason| !reason.is_note());
        let complete = stage == AnswerStage::Final && self.is_complete();
        let outcome = self.verdict.outcome();
        let ids = reasons.map(|reason| ReasonName::of(reason, dictionary));
        Words { named, stage, outcome, complete, ids }.write(most, out)
    }

    /// Whether the header is that of a source: of a stream or a profile, not of an answer.
    fn is_of_source(&self) -> bool {
        self.sealed.content() != Content::Answer
    }

    /// Whether payload may leave under the verdict as it is.
    fn admits(&self) -> bool {
        self.options.admit(&self.verdict)
    }

    fn find(&mut self, reason: Reason) {
        self.examined = self.examined.max(end_of(&reason));
        self.verdict.push(reason);
    }

    /// A finding. One that is no note ends the stream.
    fn found(&mut self, reason: Reason, used: usize) -> Move {
        self.find(reason);
        if reason.is_note() {
            return (used, None);
        }
        self.stage = Stage::Stopped;
        (used, Some(Plan::Finished))
    }

    /// Ends the reading where the verdict does not admit the stream, unless it is to be read on.
    fn settle(&mut self, plan: Option<Plan>) -> Option<Plan> {
        if !self.admits() && !self.options.read_on {
            self.stage = Stage::Stopped;
        }
        plan
    }

    fn advance(&mut self, input: &[u8], eof: bool) -> Move {
        match (self.stage, self.frame, self.outer) {
            (Stage::Complete | Stage::Stopped, ..) => (0, Some(Plan::Finished)),
            (Stage::Trailing, ..) if !input.is_empty() => {
                self.found(Reason::at(reasons::STREAM_TRAILING, self.used), 0)
            }
            (Stage::Trailing, ..) if !eof => (0, Some(Plan::Need(1))),
            (Stage::Trailing, ..) => {
                self.stage = Stage::Flushing;
                (0, None)
            }
            (Stage::Flushing, ..) if self.inner.as_ref().is_some_and(|inner| !inner.ended) => {
                self.read_native(Feed::Held(true), input, eof)
            }
            (Stage::Flushing, ..) if self.inner.as_ref().is_some_and(|inner| inner.waiting() > 0) => self.trail(),
            (Stage::Flushing, ..) => {
                self.stage = Stage::Complete;
                (0, Some(Plan::Finished))
            }
            (Stage::Reading, Some(frame), _) => self.read_frame(frame, input),
            (Stage::Reading, None, Outer::Unrecognised) => self.recognise(input, eof),
            (Stage::Reading, None, Outer::Sealed) => self.read_sealed(input, eof),
            (Stage::Reading, None, Outer::Native) => self.read_native(Feed::Input, input, eof),
        }
    }

    fn recognise(&mut self, input: &[u8], eof: bool) -> Move {
        let recognised = match self.options.input {
            Input::Sealed => Recognised::Sealed,
            Input::Format(format, _) => Recognised::Native(format),
            Input::Auto | Input::Native => {
                let vendor = self.target.as_ref().map(|target| target.vendor());
                recognise(self.registry, vendor, input, eof)
            }
        };
        match recognised {
            Recognised::Need(bytes) => (0, Some(Plan::Need(bytes))),
            Recognised::Refused(reason) => self.found(reason, 0),
            Recognised::Ambiguous => {
                let vendor = self.target.as_ref().map(|target| target.vendor());
                let verdict = &mut self.verdict;
                tell_candidates(self.registry, vendor, (input, eof), &mut |reason| verdict.push(reason));
                self.stage = Stage::Stopped;
                (0, Some(Plan::Finished))
            }
            Recognised::Sealed if matches!(self.options.input, Input::Native) => {
                let (found, required) = (Datum::Word("a sealed stream"), Datum::Word("a native stream"));
                self.found(Reason::at(reasons::MAGIC_UNRECOGNIZED, 0).because(found, required), 0)
            }
            Recognised::Sealed => {
                self.outer = Outer::Sealed;
                (0, None)
            }
            Recognised::Native(format) => {
                self.outer = Outer::Native;
                self.native = Some(format);
                if let Some(target) = self.target.clone() {
                    judge_seal(None, &target, &mut self.verdict);
                    if let Some(reason) = of_another_vendor(format, &target) {
                        self.find(reason);
                    }
                }
                let plan = self.settle(None);
                self.read_with(format, self.chosen());
                (0, plan)
            }
        }
    }

    /// What the caller chose of a format's options.
    const fn chosen(&self) -> Choices {
        if let Input::Format(_, choices) = self.options.input { choices } else { Choices::NONE }
    }

    /// Makes the reader of this format ready, with what was chosen of its options, unless nothing is read any more: the one
    /// that was made beforehand, or a new one for a format of another vendor than the target's.
    fn read_with(&mut self, format: &'static Format, chosen: Choices) {
        if self.is_finished() {
            return;
        }
        let spare = self.spare.iter().position(|(spare, _)| spare.name == format.name);
        let mut reader = match spare {
            Some(at) => self.spare.swap_remove(at).1,
            None => (format.reader)(self.options.describe),
        };
        let settled = self.target.as_ref().map_or(Choices::NONE, |target| settled_by(format, target));
        reader.choose(chosen.or(settled));
        let mut held = core::mem::take(&mut self.store);
        // Nothing is allocated behind the verdict, which is still to come.
        held.reserve_exact(store_of(format));
        self.inner = Some(Inner { format, reader, held, start: 0, need: 0, offset: 0, ended: false });
    }

    fn read_sealed(&mut self, input: &[u8], eof: bool) -> Move {
        let before = self.sealed.offset();
        let step = self.sealed.step(input, eof);
        let used = step.used;
        match step.event {
            Event::Need(bytes) => (used, Some(Plan::Need(bytes))),
            Event::Record { layout, number, offset, bytes } => {
                let start = usize::try_from(offset.saturating_sub(before)).unwrap_or(usize::MAX);
                let place = Place::Input(start..start.saturating_add(bytes.len()));
                (used, Some(Plan::Record { layout, number, offset, inside: false, place }))
            }
            Event::Profile if !self.is_of_source() && self.target.is_some() => self.found(answer_is_no_source(), used),
            Event::Profile => (used, self.open_sealed()),
            Event::Data { bytes, .. } => {
                // The payload is the end of what the frame used up, and is used when all of it has been handed on.
                self.frame = Some(FrameInProgress { at: used.saturating_sub(bytes.len()), end: used });
                (0, None)
            }
            Event::Finding(reason) => self.found(reason, used),
            Event::End => {
                let exact = self.options.exact || self.sealed.content() != Content::Sealed;
                self.stage = if exact { Stage::Trailing } else { Stage::Flushing };
                (used, None)
            }
        }
    }

    /// The header of a sealed stream has passed: judges it, and makes the payload's reader ready.
    fn open_sealed(&mut self) -> Option<Plan> {
        self.verdict.count_dropped(self.sealed.notes_dropped());
        if !self.is_of_source() {
            return None;
        }
        self.judged = true;
        let is_stream = self.sealed.content() == Content::Sealed;
        if let Some(target) = self.target.clone() {
            if is_stream {
                judge_seal(Some(self.sealed.digest().code()), &target, &mut self.verdict);
            }
            if let Some(header) = self.sealed.source() {
                judge(header, &target, self.options.now, &mut self.verdict);
            }
        }
        let plan = self.settle(Some(Plan::Verdict));
        let format = self.sealed.payload_format().filter(|name| *name != OPAQUE);
        if let Some(format) = format.and_then(|name| self.registry.stream(name)) {
            let stated = self.sealed.source().map_or(Choices::NONE, |header| (format.settled_by)(header));
            self.read_with(format, stated);
        }
        plan
    }

    /// Hands the payload of a frame to the reader of its format, or out of the gate.
    fn read_frame(&mut self, frame: FrameInProgress, input: &[u8]) -> Move {
        let Some(rest) = input.get(frame.at..frame.end) else {
            // The caller has taken back bytes that are not done with.
            return (0, Some(Plan::Need(frame.end)));
        };
        let Some(inner) = &mut self.inner else {
            self.frame = None;
            let place = Place::Input(frame.at..frame.end);
            return (frame.end, self.admits().then_some(Plan::Deliver(place)));
        };
        if inner.ended && (inner.waiting() > 0 || !rest.is_empty()) {
            return self.trail();
        }
        if inner.waiting() > 0 && inner.waiting() >= inner.need {
            return self.read_native(Feed::Held(false), input, false);
        }
        // What the reader has to say of the bytes that it has is said before the next frame is looked at.
        if rest.is_empty() && (inner.need > 0 || inner.ended) {
            self.frame = None;
            return (frame.end, None);
        }
        if inner.waiting() == 0 && rest.len() >= inner.need {
            return self.read_native(Feed::Frame(frame), input, false);
        }
        let taken = inner.hold(rest);
        self.frame = Some(FrameInProgress { at: frame.at + taken, ..frame });
        (0, None)
    }

    /// Payload follows the end of the native stream in the envelope.
    fn trail(&mut self) -> Move {
        let end = self.inner.as_ref().map_or(0, |inner| inner.offset);
        self.found(Reason::at(reasons::STREAM_TRAILING, end).in_payload(), 0)
    }

    /// One step of the native reader.
    fn read_native(&mut self, feed: Feed, input: &[u8], eof: bool) -> Move {
        let inside = self.outer == Outer::Sealed;
        let Some(inner) = &mut self.inner else { return (0, Some(Plan::Finished)) };
        let (bytes, base, eof) = match feed {
            Feed::Input => (input, 0, eof),
            Feed::Frame(frame) => (input.get(frame.at..frame.end).unwrap_or(&[]), frame.at, false),
            Feed::Held(last) => (inner.held.get(inner.start..).unwrap_or(&[]), inner.start, last),
        };
        let place = |start: usize, length: usize| {
            let start = base.saturating_add(start);
            let range = start..start.saturating_add(length);
            if matches!(feed, Feed::Held(_)) { Place::Held(range) } else { Place::Input(range) }
        };
        let step = inner.reader.step(bytes, eof);
        let used = step.used;
        let left = bytes.len().saturating_sub(used);
        let told = match step.event {
            // More than there is, whatever the reader says: the caller would go round in circles.
            Event::Need(need) => Told::Need(need.max(left.saturating_add(1))),
            Event::Profile => Told::Profile,
            Event::Finding(reason) => Told::Finding(if inside { reason.in_payload() } else { reason }),
            Event::Data { bytes, .. } => {
                Told::Plan(Plan::Deliver(place(used.saturating_sub(bytes.len()), bytes.len())))
            }
            Event::Record { layout, number, offset, bytes } => {
                let start = usize::try_from(offset.saturating_sub(inner.offset)).unwrap_or(usize::MAX);
                let place = place(start, bytes.len());
                Told::Plan(Plan::Record { layout, number, offset, inside, place })
            }
            Event::End => Told::End,
        };
        // What a target says of itself goes to no device, however well formed it is.
        let told = match (told, describes_target(inner.format)) {
            (Told::Plan(Plan::Deliver(_)), Some(reason)) => Told::Finding(reason),
            (told, _) => told,
        };
        inner.offset = inner.offset.saturating_add(widen(used));
        inner.need = if let Told::Need(need) = told { need } else { 0 };
        inner.ended = matches!(told, Told::End);
        let end = inner.offset.saturating_add(widen(left));
        let consumed = match feed {
            Feed::Input => used,
            Feed::Frame(frame) => {
                self.frame = Some(FrameInProgress { at: frame.at.saturating_add(used), ..frame });
                0
            }
            Feed::Held(_) => {
                inner.start = inner.start.saturating_add(used);
                0
            }
        };
        match (told, feed) {
            (Told::Need(need), Feed::Input) => (consumed, Some(Plan::Need(need))),
            // The envelope has ended; a reader that waits all the same has not read to its own end.
            (Told::Need(_), Feed::Held(true)) => {
                self.found(Reason::at(reasons::STREAM_TRUNCATED, end).in_payload(), consumed)
            }
            // What the reader cannot use yet is held until the next frame brings the rest.
            (Told::Need(_), _) => (consumed, None),
            (Told::Profile, _) => (consumed, self.judge_native()),
            (Told::Finding(reason), _) => self.found(reason, consumed),
            (Told::Plan(Plan::Deliver(_)), _) if !self.admits() => (consumed, None),
            (Told::Plan(plan), _) => (consumed, Some(plan)),
            (Told::End, _) => {
                if !inside {
                    self.stage = if self.options.exact { Stage::Trailing } else { Stage::Flushing };
                }
                (consumed, None)
            }
        }
    }

    /// The native stream has said what it comes from: judges that, and holds it against the envelope's header.
    fn judge_native(&mut self) -> Option<Plan> {
        self.judged = true;
        let inside = self.outer == Outer::Sealed;
        let mut contradiction = None;
        if let Some(inner) = &self.inner
            && let Some(native) = inner.reader.source()
        {
            if let Some(header) = self.sealed.header().filter(|_| inside) {
                contradiction = contradicts(&header, native, self.registry);
            } else {
                self.examined = self.examined.max(inner.format.judged_within.map_or(0, u64::from));
            }
            if let Some(target) = &self.target
                && target.vendor() == inner.format.vendor
                && describes_target(inner.format).is_none()
                && contradiction.is_none()
            {
                // Header and payload do not contradict each other, and either may say what the other does not.
                let header = self.sealed.source().filter(|_| inside);
                judge(&Source { header, native: Some(native) }, target, self.options.now, &mut self.again);
                for reason in self.again.reasons() {
                    // What the header was refused for need not be said again.
                    let same = |said: &Reason| {
                        said.id == reason.id && said.attribute == reason.attribute && said.rule == reason.rule
                    };
                    if self.verdict.reasons().iter().any(same) {
                        continue;
                    }
                    let of_source = reason.rule.map_or(reason.attribute, |rule| rule.source);
                    let in_payload = inside && native.value(of_source).is_some();
                    let reason = if in_payload { reason.in_payload() } else { *reason };
                    self.examined = self.examined.max(end_of(&reason));
                    self.verdict.push(reason);
                }
                self.again.clear();
            }
        }
        if let Some(reason) = contradiction {
            return self.found(reason, 0).1;
        }
        self.settle(Some(Plan::Verdict))
    }
}

/// Where in the input ends what a reason is about; 0 where that is in a payload, or nowhere.
fn end_of(reason: &Reason) -> u64 {
    let span = reason.span.filter(|span| !span.in_payload);
    span.map_or(0, |span| span.offset.saturating_add(u64::from(span.length)))
}

/// An attribute that the header of a sealed stream states otherwise than its payload does.
pub(crate) fn contradicts(header: &Header<'_>, native: &dyn Attributes, registry: Registry) -> Option<Reason> {
    fn stated<'a>(side: &'a dyn Attributes, rules: &RuleTable, id: AttributeId) -> Option<Value<'a>> {
        // That a value has not been reported contradicts nothing, but what follows from others may.
        side.value(id).filter(|value| *value != Value::Unknown).or_else(|| (rules.derive)(side, id))
    }
    let rules = registry.vendor(header.vendor())?.rules;
    let mut all = rules.dictionary.definitions();
    let (definition, ours, theirs) = all.find_map(|definition| {
        let (ours, theirs) = (stated(header, rules, definition.id)?, stated(native, rules, definition.id)?);
        (ours != theirs).then_some((definition, ours, theirs))
    })?;
    let number = |value| match value {
        Value::Uint(number) => Datum::Count(number),
        _ => Datum::None,
    };
    let mut reason = Reason::new(reasons::CONTRADICTS_PAYLOAD).about(definition.id);
    if let Some((offset, length)) = header.place(definition.id).filter(|_| header.value(definition.id) == Some(ours)) {
        reason = reason.spanning(offset, length);
    }
    Some(reason.because(number(theirs), number(ours)))
}

/// What is known of a source: what the native stream says, and what else the header says.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    header: Option<&'a dyn Attributes>,
    native: Option<&'a dyn Attributes>,
}

impl Attributes for Source<'_> {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        let of_native = self.native.and_then(|native| native.value(id));
        of_native.or_else(|| self.header.and_then(|header| header.value(id)))
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match self.native.filter(|native| native.value(id).is_some()) {
            Some(native) => native.place(id),
            None => self.header.and_then(|header| header.place(id)),
        }
    }

    fn absence(&self, id: AttributeId) -> Absence {
        match (self.native.map_or(Absence::Unstated, |native| native.absence(id)), self.header) {
            (absence, None) => absence,
            (Absence::Awaited, Some(header)) if header.value(id).is_none() => Absence::Awaited,
            // What the payload cannot say, the header could have said.
            _ => Absence::Unstated,
        }
    }

    fn statable(&self) -> Option<&'static Statable> {
        // A header can state anything.
        if self.header.is_some() { None } else { self.native?.statable() }
    }
}

/// Appends bytes of a structure that needs `need` in all. Room is made as bytes come, not as lengths say, and never for
/// more than the structure.
fn keep(buffer: &mut Vec<u8>, bytes: &[u8], need: usize) {
    let there = buffer.len().saturating_add(bytes.len());
    if there > buffer.capacity() {
        let room = there.max(buffer.capacity().saturating_mul(2).min(need));
        buffer.reserve_exact(room.saturating_sub(buffer.len()));
    }
    buffer.extend_from_slice(bytes);
}

/// Room made beforehand for input that must be seen again: that of a usual header.
const PENDING_USUAL: usize = 4096;

/// A gate that takes any slices and keeps what it must see again: at most one frame, header or record.
pub struct PushGate {
    gate: Gate,
    pending: Vec<u8>,
    need: usize,
}

impl PushGate {
    /// Wraps a gate that has not seen any input.
    pub fn new(gate: Gate) -> Self {
        Self { gate, pending: Vec::with_capacity(PENDING_USUAL), need: 0 }
    }

    /// The gate.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Stops: see [`Gate::stop`].
    pub fn stop(&mut self, reason: Reason) {
        self.gate.stop(reason);
    }

    /// Pushes bytes through; `eof` when nothing follows them. What comes out goes to `sink`, which returns whether to go
    /// on. Returns how many bytes of the input were taken: all of them, unless the gate finished or the sink said no. The
    /// caller pushes what was not taken again.
    pub fn push(&mut self, input: &[u8], eof: bool, sink: &mut dyn FnMut(Output<'_>) -> bool) -> usize {
        let mut rest = input;
        while !self.gate.is_finished() {
            let direct = self.pending.is_empty();
            if !direct {
                let take = self.need.saturating_sub(self.pending.len()).min(rest.len());
                let (taken, left) = rest.split_at_checked(take).unwrap_or((rest, &[]));
                keep(&mut self.pending, taken, self.need);
                rest = left;
                if self.pending.len() < self.need && !eof {
                    break;
                }
            }
            let end = eof && (direct || rest.is_empty());
            let bytes = if direct { rest } else { self.pending.as_slice() };
            let step = self.gate.step(bytes, end);
            let used = step.used;
            let mut starved = false;
            let go_on = match step.event {
                Output::Need(need) => {
                    self.need = need;
                    starved = need > bytes.len().saturating_sub(used);
                    true
                }
                event => {
                    self.need = 0;
                    sink(event)
                }
            };
            if direct {
                rest = rest.get(used..).unwrap_or(&[]);
                if starved && !self.gate.is_finished() {
                    keep(&mut self.pending, rest, self.need);
                    rest = &[];
                    break;
                }
            } else {
                self.pending.drain(..used.min(self.pending.len()));
                if starved && rest.is_empty() && !eof {
                    break;
                }
            }
            if !go_on {
                break;
            }
        }
        input.len() - rest.len()
    }
}

#[cfg(test)]
mod tests;
