//! Formats whose streams are held whole: the reader that they share.
//!
//! Such a stream is short ([`crate::format::Hold::Whole`]), so `strict` is finished before its first byte leaves. A room
//! says what its bytes mean ([`Whole`]); when to wait, what to tell in which order, and that any cut of the input tells
//! the same, is said here, once.

use alloc::boxed::Box;
use core::fmt;
use core::ops::Range;

use crate::attribute::Attributes;
use crate::bytes::widen;
use crate::format::{Choices, DeviceKey, Event, Identified, Layout, Phase, Reader, Step};
use crate::verdict::{Datum, Reason, reasons};

/// A format whose streams are held whole.
pub trait Whole: Send + Sync + 'static {
    /// What a stream says of its source.
    type Source: Attributes + Copy + fmt::Debug + Send + Sync;

    /// Bytes from the start that decide what the source is, or that there is none; fewer are looked at only where the
    /// stream ends in them.
    const DECIDED_BY: usize;

    /// Reads the source from the first bytes: at least [`Whole::DECIDED_BY`], or all that there are (`eof`).
    ///
    /// # Errors
    /// How many bytes are needed, where those do not suffice, or the first check that fails.
    fn source(prefix: &[u8], eof: bool, choices: Choices) -> Result<Self::Source, Undecided>;

    /// Bytes from the start that the source rests on.
    fn decided_within(_source: &Self::Source) -> usize {
        Self::DECIDED_BY
    }

    /// Most bytes that the stream has, as its source says.
    fn most(source: &Self::Source) -> usize;

    /// Checks a stream that is there as far as it goes, no longer than [`Whole::most`], and tells what it finds in the
    /// order of the format's page. Telling returns whether to go on: it does not behind a finding that is no note.
    fn check(source: &Self::Source, stream: &[u8], tell: &mut dyn FnMut(Reason) -> bool);

    /// What the whole of a stream that passed says of its source besides; `None` where its beginning said it all.
    fn refined(_source: &Self::Source, _stream: &[u8]) -> Option<Self::Source> {
        None
    }

    /// The structure with this number, in the order of the stream and without gaps: its layout, which one it is where
    /// there are several, and its bytes. `source` is `None` as long as there is none.
    fn structure(source: Option<&Self::Source>, input: &[u8], number: u32) -> Option<Structure>;
}

/// A structure of a stream that is held whole.
#[derive(Clone, Debug)]
pub struct Structure {
    /// Its fields.
    pub layout: &'static Layout,
    /// Which one, where there are several.
    pub number: Option<u32>,
    /// Where it stands. The input may end inside it.
    pub range: Range<usize>,
}

/// Why there is no source yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Undecided {
    /// So many bytes are needed. Never said at the end of the input.
    Need(usize),
    /// There is none.
    Refused(Reason),
}

impl From<Reason> for Undecided {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

/// Says that the stream ends too early: after so many bytes, where so many were required.
pub fn truncated(end: usize, required: Datum) -> Reason {
    let end = widen(end);
    Reason::at(reasons::STREAM_TRUNCATED, end).because(Datum::Count(end), required)
}

/// Reads a stream that is held whole.
pub struct WholeReader<F: Whole> {
    choices: Choices,
    source: Option<F::Source>,
    /// Structures described so far; `None` for a reader that does not describe.
    described: Option<u32>,
    /// Findings told so far.
    told: usize,
    refined: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Reading,
    Delivered,
    Finished,
    /// A reader that has failed has nothing else to say.
    Failed(Reason),
}

/// A reader of a format: what its room gives as [`crate::format::Format::reader`].
pub fn reader<F: Whole>(describe: bool) -> Box<dyn Reader> {
    Box::new(WholeReader::<F>::new(describe))
}

/// What the first bytes say of the source: what a room gives as [`crate::format::Format::identify`].
pub fn identify<F: Whole>(
    prefix: &[u8],
    eof: bool,
    choices: Choices,
    show: &mut dyn FnMut(&dyn Attributes),
) -> Identified {
    let need = |bytes: usize| Identified::Need(u32::try_from(bytes).unwrap_or(u32::MAX));
    if prefix.len() < F::DECIDED_BY && !eof {
        return need(F::DECIDED_BY);
    }
    match F::source(prefix, eof, choices) {
        Ok(source) => {
            show(&source);
            // A stream that ends before then has told all it has.
            let within = F::decided_within(&source).min(prefix.len());
            Identified::Shown(u32::try_from(within).unwrap_or(u32::MAX))
        }
        Err(Undecided::Need(bytes)) => need(bytes),
        Err(Undecided::Refused(reason)) => Identified::Refused(reason),
    }
}

impl<F: Whole> WholeReader<F> {
    /// A reader at the start of a stream.
    pub const fn new(describe: bool) -> Self {
        let described = if describe { Some(0) } else { None };
        Self { choices: Choices::NONE, source: None, described, told: 0, refined: false, state: State::Reading }
    }

    /// The next structure that has not been described.
    fn describe<'a>(&mut self, input: &'a [u8]) -> Option<Event<'a>> {
        let next = self.described?;
        let Structure { layout, number, range } = F::structure(self.source.as_ref(), input, next)?;
        let rest = input.get(range.start..).filter(|rest| !rest.is_empty())?;
        self.described = Some(next.saturating_add(1));
        let bytes = rest.get(..range.len()).unwrap_or(rest);
        Some(Event::Record { layout, number, offset: widen(range.start), bytes })
    }

    fn fail<'a>(&mut self, reason: Reason) -> Step<'a> {
        self.state = State::Failed(reason);
        Step::stay(Event::Finding(reason))
    }

    fn find_source<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        // What is wrong from the first byte on waits for the rest too: what is said of it must not depend on cuts.
        if input.len() < F::DECIDED_BY && !eof {
            return Step::stay(Event::Need(F::DECIDED_BY));
        }
        let found = F::source(input, eof, self.choices);
        if let Err(Undecided::Need(bytes)) = found {
            return Step::stay(Event::Need(bytes));
        }
        if let Some(record) = self.describe(input) {
            return Step::stay(record);
        }
        match found {
            Ok(source) => {
                self.source = Some(source);
                Step::stay(Event::Profile)
            }
            Err(Undecided::Refused(reason)) => self.fail(reason),
            Err(Undecided::Need(bytes)) => Step::stay(Event::Need(bytes)),
        }
    }

    /// The finding behind those that have been told.
    fn next_finding(&self, source: &F::Source, stream: &[u8]) -> Option<Reason> {
        let (mut at, mut next) = (0, None);
        F::check(source, stream, &mut |reason| {
            if at == self.told {
                next = Some(reason);
            }
            at += 1;
            next.is_none() && reason.is_note()
        });
        next
    }
}

impl<F: Whole> Reader for WholeReader<F> {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        match self.state {
            State::Reading => {}
            State::Delivered => {
                self.state = State::Finished;
                return Step::stay(Event::End);
            }
            State::Finished => return Step::stay(Event::End),
            State::Failed(reason) => return Step::stay(Event::Finding(reason)),
        }
        let Some(source) = self.source else { return self.find_source(input, eof) };
        let most = F::most(&source);
        // One byte more than the stream tells whether anything follows it.
        if input.len() <= most && !eof {
            return Step::stay(Event::Need(most + 1));
        }
        if let Some(record) = self.describe(input) {
            return Step::stay(record);
        }
        let (stream, trailing) = input.split_at_checked(most).unwrap_or((input, &[]));
        if let Some(reason) = self.next_finding(&source, stream) {
            self.told += 1;
            return if reason.is_note() { Step::stay(Event::Finding(reason)) } else { self.fail(reason) };
        }
        if !trailing.is_empty() {
            return self.fail(Reason::at(reasons::STREAM_TRAILING, widen(most)));
        }
        if !self.refined {
            self.refined = true;
            if let Some(more) = F::refined(&source, stream) {
                self.source = Some(more);
                return Step::stay(Event::Profile);
            }
        }
        self.state = State::Delivered;
        let data = Event::Data { device: DeviceKey::default(), phase: Phase::Unspecified, bytes: stream };
        Step { used: stream.len(), event: data }
    }

    fn choose(&mut self, choices: Choices) {
        self.choices = choices;
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.source.as_ref().map(|source| source as &dyn Attributes)
    }
}
