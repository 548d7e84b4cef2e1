//! `seal`: native bytes in, a sealed stream out. Composes the envelope's writer with the payload's own reader, so that no
//! envelope is made whose payload is damaged or contradicts the profile in its header.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use crate::bytes::index;
use crate::format::{Phase, Registry};
use crate::gate::{Gate, Input, Options, Output, PushGate, contradicts};
use crate::profile::Profile;
use crate::sealed::{Answer, FRAME_HEAD, FRAME_MAX, OPAQUE, SealError, SealOptions, SealedWriter};
use crate::verdict::{Reason, Verdict, reasons};

/// Whether more input follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More follows: a frame goes out when it is full.
    More,
    /// More follows, but what is there goes out now: the guest waits, or the phase changes.
    Flush,
    /// Nothing follows.
    End,
}

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub struct SealStep<'a> {
    /// Bytes of the input that are done with.
    pub used: usize,
    /// What is to be written, or wanted.
    pub event: SealEvent<'a>,
}

/// What sealing tells.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum SealEvent<'a> {
    /// Nothing goes out before the input holds so many bytes, is flushed, or ends.
    Need(usize),
    /// Prologue and header, an end frame, or an abort frame.
    Bytes(&'a [u8]),
    /// A data frame: its head, then its payload.
    Frame([u8; FRAME_HEAD], &'a [u8]),
    /// The input is flushed.
    Flushed,
    /// Over: [`Sealing::verdict`] says whether the stream was sealed or aborted.
    Finished,
}

/// Seals one stream.
pub struct Sealing {
    registry: Registry,
    profile: Profile,
    writer: SealedWriter,
    /// The native reader over the payload; `None` for an opaque one.
    checker: Option<Box<PushGate>>,
    verdict: Verdict,
    phase: Phase,
    outgoing: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Frames,
    Finished,
}

impl Sealing {
    /// Begins a stream. The header goes out with the first step, before any byte of the device is needed.
    ///
    /// # Errors
    /// Options that make no header, or [`SealError::PayloadFormat`] for a payload format that is not known here or is
    /// another vendor's than the profile's.
    pub fn begin(registry: Registry, profile: Profile, options: &SealOptions) -> Result<Self, SealError> {
        let checker = if options.payload_format == OPAQUE {
            None
        } else {
            let format = registry.stream(&options.payload_format);
            let format = format.filter(|format| format.vendor == profile.vendor()).ok_or(SealError::PayloadFormat)?;
            let input = Options { input: Input::Format(format, (format.settled_by)(&profile)), ..Options::default() };
            Some(Box::new(PushGate::new(Gate::new(registry, None, input))))
        };
        let (writer, outgoing) = SealedWriter::begin(&profile, options)?;
        Ok(Self {
            registry,
            profile,
            writer,
            checker,
            verdict: Verdict::new(),
            phase: Phase::Unspecified,
            outgoing,
            stage: Stage::Header,
        })
    }

    /// The phase of the frames that follow. Bytes of the phase before that have not gone out are flushed first, by the
    /// caller: they would go out under the new one.
    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// What speaks against the payload. Anything but compatible has aborted the stream.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whether the stream was sealed to its end.
    pub fn is_complete(&self) -> bool {
        self.stage == Stage::Finished && !self.verdict.is_settled_against()
    }

    /// Payload bytes so far.
    pub const fn total(&self) -> u64 {
        self.writer.total()
    }

    /// Whether an answer is to this stream. One to another stream says nothing of this one.
    pub fn is_answered_by(&self, answer: &Answer) -> bool {
        answer.is_for(self.writer.prologue_crc(), self.writer.stream_id())
    }

    /// The envelope's writer: what an answer names the stream by.
    pub const fn writer(&self) -> &SealedWriter {
        &self.writer
    }

    /// Looks at the input, which begins where the bytes used so far end. Any cut of the input, but for flushes, gives
    /// the same stream.
    ///
    /// # Errors
    /// A phase that may not follow, or a length other than the announced one.
    pub fn step<'a>(&'a mut self, input: &'a [u8], flow: Flow) -> Result<SealStep<'a>, SealError> {
        let stay = |event| Ok(SealStep { used: 0, event });
        match self.stage {
            Stage::Header => {
                self.stage = Stage::Frames;
                return stay(SealEvent::Bytes(&self.outgoing));
            }
            Stage::Finished => return stay(SealEvent::Finished),
            Stage::Frames => {}
        }
        let full = input.len() >= index(FRAME_MAX);
        if !full && flow == Flow::More {
            return stay(SealEvent::Need(index(FRAME_MAX)));
        }
        if input.is_empty() && flow == Flow::Flush {
            return stay(SealEvent::Flushed);
        }
        let payload = input.get(..index(FRAME_MAX)).unwrap_or(input);
        let last = flow == Flow::End && payload.len() == input.len();
        self.check(payload, last);
        if self.verdict.is_settled_against() {
            let what = self.verdict.reasons().iter().find(|reason| !reason.is_note());
            let text = what.map_or_else(Default::default, |reason| format!("payload refused: {}", reason.id.text()));
            return self.abort(&text);
        }
        if payload.is_empty() {
            self.outgoing = self.writer.end()?;
            self.stage = Stage::Finished;
            return stay(SealEvent::Bytes(&self.outgoing));
        }
        let head = self.writer.data(self.phase, payload)?;
        Ok(SealStep { used: payload.len(), event: SealEvent::Frame(head, payload) })
    }

    /// Gives up: an abort frame with this text goes out, and nothing after it.
    ///
    /// # Errors
    /// [`SealError::Ended`] when the stream has ended already.
    pub fn abort(&mut self, text: &str) -> Result<SealStep<'_>, SealError> {
        self.outgoing = self.writer.abort(text)?;
        self.stage = Stage::Finished;
        if !self.verdict.is_settled_against() {
            self.verdict.push(Reason::new(reasons::STREAM_ABORTED));
        }
        Ok(SealStep { used: 0, event: SealEvent::Bytes(&self.outgoing) })
    }

    fn check(&mut self, payload: &[u8], last: bool) {
        let Some(checker) = &mut self.checker else { return };
        let mut stated = false;
        checker.push(payload, last, &mut |output| {
            stated |= matches!(output, Output::Verdict);
            true
        });
        let gate = checker.gate();
        if stated && let Some(reason) = contradicts(&self.profile.header(), &gate.source(), self.registry) {
            self.verdict.push(Reason { span: None, ..reason });
        }
        for reason in gate.verdict().reasons() {
            if !self.verdict.reasons().contains(reason) {
                self.verdict.push(*reason);
            }
        }
    }
}
