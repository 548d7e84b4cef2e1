//! Outcomes, reasons, verdicts, and the catalogue of reason ids.
//!
//! A [`Reason`] is small and `Copy`: it says what is wrong by reference to its [`Kind`], and where. Words are made when
//! somebody asks for them (see [`crate::report`]). Ids never change; wording may.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::fmt;

use crate::attribute::AttributeId;
use crate::rule::Rule;

/// What a verdict comes to. The order is that of severity: a verdict's outcome is the worst of its reasons'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Outcome {
    /// Load it.
    #[default]
    Compatible,
    /// Load it after the listed settings are made on the target.
    Fixable,
    /// Data are lacking.
    Unknown,
    /// Ended early.
    Truncated,
    /// Well-formed, for another kind of device.
    Incompatible,
    /// Damaged or hostile.
    Corrupt,
    /// No format here knows it.
    Unrecognized,
}

impl Outcome {
    /// Every outcome, mildest first.
    pub const ALL: [Self; 7] = [
        Self::Compatible,
        Self::Fixable,
        Self::Unknown,
        Self::Truncated,
        Self::Incompatible,
        Self::Corrupt,
        Self::Unrecognized,
    ];

    /// The name, as JSON and every language say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Fixable => "fixable",
            Self::Unknown => "unknown",
            Self::Truncated => "truncated",
            Self::Incompatible => "incompatible",
            Self::Corrupt => "corrupt",
            Self::Unrecognized => "unrecognized",
        }
    }

    /// The outcome with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The exit code of the command line. 2 is for usage and I/O errors, where nothing was judged.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Compatible => 0,
            Self::Incompatible => 1,
            Self::Unrecognized => 3,
            Self::Corrupt => 4,
            Self::Truncated => 5,
            Self::Unknown => 6,
            Self::Fixable => 7,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of reason: one row of the catalogue.
#[derive(Debug)]
pub struct Kind {
    /// The stable id. One that begins with a dot stands behind the name of an attribute: `pci_id.not-equal`.
    pub id: &'static str,
    /// What a reason of this kind makes of the verdict; a note leaves it compatible.
    pub outcome: Outcome,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// What can be done about it.
    pub remedy: &'static str,
}

/// A reference to a row of a catalogue; two are equal when their ids are.
#[derive(Clone, Copy)]
pub struct ReasonId(pub &'static Kind);

impl ReasonId {
    /// The id as it stands in the catalogue.
    pub const fn text(self) -> &'static str {
        self.0.id
    }

    /// Whether the id is written behind the name of the attribute.
    pub const fn is_of_attribute(self) -> bool {
        matches!(self.0.id.as_bytes(), [b'.', ..])
    }

    /// What a reason of this kind makes of the verdict.
    pub const fn outcome(self) -> Outcome {
        self.0.outcome
    }
}

impl PartialEq for ReasonId {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.0, other.0) || self.0.id == other.0.id
    }
}

impl Eq for ReasonId {}

impl fmt::Debug for ReasonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

/// Declares a catalogue of reason kinds: a constant for each, and one table of all.
#[macro_export]
macro_rules! catalogue {
    ($table:ident; $($name:ident: $id:literal, $outcome:ident, $meaning:literal, $remedy:literal;)+) => {
        $(
            #[doc = concat!("`", $id, "`: ", $meaning, ".")]
            pub const $name: $crate::verdict::ReasonId = $crate::verdict::ReasonId(&$crate::verdict::Kind {
                id: $id,
                outcome: $crate::verdict::Outcome::$outcome,
                meaning: $meaning,
                remedy: $remedy,
            });
        )+
        /// Every kind of this catalogue, in the order in which its checks are made.
        pub static $table: &[$crate::verdict::ReasonId] = &[$($name),+];
    };
}

/// The kinds that every format and every vendor shares.
pub mod reasons {
    catalogue! { CATALOGUE;
        MAGIC_TRUNCATED: "magic.truncated", Truncated,
            "the input ends before it can be told what it is",
            "send the whole stream; an empty one means that the source sent nothing";
        MAGIC_UNRECOGNIZED: "magic.unrecognized", Unrecognized,
            "no format known here begins with these bytes",
            "check that it is the stream of a device that `transire formats` lists; one of a format without a magic is \
             known by its target, or by --format";
        FORMAT_AMBIGUOUS: "format.ambiguous", Unrecognized,
            "the bytes fit several formats, and nothing says which",
            "name a target, or the format with --format";
        FORMAT_CANDIDATE: "format.candidate", Compatible,
            "one of the formats that the bytes fit",
            "name it with --format, or name a target of its vendor";
        FORMAT_DESCRIBES_TARGET: "format.describes-target", Unrecognized,
            "the bytes are what a target says, of itself or in answer to a stream, and not the stream of a device",
            "give a target's record as the target, and an answer to the source that it is for";
        FORMAT_NOT_TARGETS: "format.not-of-target", Incompatible,
            "the stream is in a format of another vendor than the target's",
            "give the target of the device that this stream is for";
        PROLOGUE_TRUNCATED: "prologue.truncated", Truncated,
            "the input ends inside the 32 bytes of the prologue",
            "send the whole stream";
        PROLOGUE_CRC: "prologue.crc", Corrupt,
            "the checksum of the prologue does not match its bytes",
            "the stream was damaged on its way: send it again";
        PROLOGUE_MAJOR: "prologue.major", Unrecognized,
            "the envelope has a major version that is not known here",
            "update transire on the target";
        PROLOGUE_CONTENT: "prologue.content", Unrecognized,
            "the envelope has a content that is not known here",
            "update transire on the target";
        PROLOGUE_ZERO: "prologue.zero", Corrupt,
            "bytes of the prologue that are zero in every minor version are not",
            "the writer is faulty: report it";
        PROLOGUE_FEATURES: "prologue.features", Unrecognized,
            "the envelope uses a feature that must be understood and is not known here",
            "update transire on the target";
        PROLOGUE_HEADER_LEN: "prologue.header-len", Corrupt,
            "the length of the header is not 1 to 65,536",
            "the writer is faulty: report it";
        HEADER_TRUNCATED: "header.truncated", Truncated,
            "the input ends inside the header",
            "send the whole stream";
        HEADER_CRC: "header.crc", Corrupt,
            "the checksum of the header does not match its bytes",
            "the stream was damaged on its way: send it again";
        ATTRIBUTE_OVERRUN: "attribute.overrun", Corrupt,
            "an attribute reaches beyond the end of the header",
            "the writer is faulty: report it";
        ATTRIBUTE_ID: "attribute.id", Corrupt,
            "an attribute has the number 0, which is never valid",
            "the writer is faulty: report it";
        ATTRIBUTE_ORDER: "attribute.order", Corrupt,
            "an attribute's number is not above that of the one before",
            "the writer is faulty: report it";
        ATTRIBUTE_ZERO: "attribute.zero", Corrupt,
            "the reserved byte of an attribute is not zero",
            "the writer is faulty: report it";
        ATTRIBUTE_MISPLACED: "attribute.misplaced", Corrupt,
            "an attribute stands where none of its kind does: one about a stream in a profile, one of a device in an answer",
            "the writer is faulty: report it";
        ATTRIBUTE_CRITICAL_BIT: "attribute.critical-bit", Corrupt,
            "a known attribute has the other critical bit than its own",
            "the writer is faulty: report it";
        ATTRIBUTE_TYPE: "attribute.type", Corrupt,
            "a known attribute has another type than its own",
            "the writer is faulty: report it";
        ATTRIBUTE_LENGTH: "attribute.length", Corrupt,
            "an attribute has a length that its type does not have",
            "the writer is faulty: report it";
        ATTRIBUTE_VALUE: "attribute.value", Corrupt,
            "an attribute's bytes are no value of its type, or none that this attribute may have",
            "the writer is faulty: report it";
        ATTRIBUTE_MISSING: "attribute.missing", Corrupt,
            "a mandatory attribute is not there",
            "the writer is faulty: report it";
        ATTRIBUTE_UNKNOWN_CRITICAL: "attribute.unknown-critical", Unrecognized,
            "an attribute that must be understood is not known here",
            "update transire on the target";
        ATTRIBUTE_UNKNOWN: "attribute.unknown", Compatible,
            "an attribute that need not be understood is not known here: kept and passed on",
            "nothing; a newer transire may make use of it";
        PAYLOAD_FORMAT_UNRECOGNIZED: "payload_format.unrecognized", Unrecognized,
            "the payload is in a format that is not known here",
            "update transire on the target";
        DIGEST_UNRECOGNIZED: "digest.unrecognized", Unrecognized,
            "the stream ends with a digest that is not known here",
            "update transire on the target";
        VENDOR_UNRECOGNIZED: "vendor.unrecognized", Unrecognized,
            "the vendor is not known here",
            "`transire formats` lists the vendors that are; update transire on the target";
        VENDOR_NOT_EQUAL: "vendor.not-equal", Incompatible,
            "the source is a device of another vendor than the target",
            "give the target of the device that this stream is for";
        CONTRADICTS_ITSELF: "profile.contradicts-itself", Corrupt,
            "two attributes cannot both be true",
            "the writer is faulty: report it";
        CONTRADICTS_PAYLOAD: "profile.contradicts-payload", Corrupt,
            "the header says one thing of the source, the native payload another",
            "the two were put together by mistake or on purpose: do not load it";
        FRAME_TRUNCATED: "frame.truncated", Truncated,
            "the input ends inside the head of a frame, or where one should begin",
            "send the whole stream; after a cut the target device is reset";
        FRAME_HEAD_CHECK: "frame.head-check", Corrupt,
            "the head of a frame does not match its checksum",
            "the stream was damaged on its way, or a frame belongs to another stream: send it again";
        FRAME_KIND: "frame.kind", Unrecognized,
            "a frame is of a kind that must be understood and is not known here",
            "update transire on the target";
        FRAME_PHASE: "frame.phase", Corrupt,
            "a frame has a phase that it cannot have, or not after the frames before it",
            "the writer is faulty: report it";
        FRAME_LEN: "frame.len", Corrupt,
            "a frame has a length that its kind does not have",
            "the writer is faulty: report it";
        FRAME_SEQ: "frame.seq", Corrupt,
            "a frame is not the next one: one is missing, repeated or out of order",
            "frames were lost or reordered on their way: send the stream again";
        FRAME_PAYLOAD_TRUNCATED: "frame.payload-truncated", Truncated,
            "the input ends inside the payload of a frame",
            "send the whole stream; after a cut the target device is reset";
        FRAME_CRC: "frame.crc", Corrupt,
            "the checksum of a frame does not match its bytes",
            "the stream was damaged on its way: send it again";
        FRAME_ANCILLARY: "frame.ancillary", Compatible,
            "a frame of a kind that need not be understood was checked and passed over",
            "nothing; a newer transire may make use of it";
        END_TOTAL: "end.total", Corrupt,
            "the end frame counts another number of payload bytes than came",
            "frames were lost on their way: send the stream again";
        END_PAYLOAD_LEN: "end.payload-len", Corrupt,
            "the header announced another number of payload bytes than came",
            "the writer is faulty: report it";
        END_DIGEST: "end.digest", Corrupt,
            "the digest of the stream does not match its bytes",
            "the stream was altered on its way: send it again";
        ABORT_TEXT: "abort.text", Corrupt,
            "the text of an abort frame is no text",
            "the writer is faulty: report it";
        STREAM_ABORTED: "stream.aborted", Truncated,
            "the source gave up",
            "reset the target device; the source's log says why";
        STREAM_TRUNCATED: "stream.truncated", Truncated,
            "the native stream ends early",
            "send the whole stream; the driver of the target may not notice the cut";
        STREAM_TRAILING: "stream.trailing", Corrupt,
            "bytes follow the end",
            "the stream was put together wrongly, or is longer than its header says";
        STREAM_STALLED: "stream.stalled", Truncated,
            "the source sent nothing for longer than the deadline",
            "reset the target device; look at the source";
        DRIVER_REFUSED: "driver.refused", Incompatible,
            "the kernel driver would refuse these bytes",
            "`transire verify --standard strict` says what is wrong with them";
        DRIVER_DEPENDS: "driver.depends", Unknown,
            "what the kernel driver would do depends on more than the stream and the target",
            "the reason names what it depends on";
        DRIVER_BREAKS: "driver.breaks", Incompatible,
            "the kernel driver would crash on these bytes, or wait for ever",
            "do not write them; `transire verify --standard strict` says what is wrong with them";
        REQUIRES_SEALED: "requires.sealed", Incompatible,
            "the target takes sealed streams only, and this one is not",
            "seal the stream at its source: `transire seal`";
        REQUIRES_DIGEST: "requires.digest", Incompatible,
            "the target takes streams with another digest only",
            "seal the stream with the digest that the target requires";
        NOT_EQUAL: ".not-equal", Incompatible,
            "source and target must have the same value",
            "choose a target that has the source's value";
        NOT_ONE_OF: ".not-one-of", Incompatible,
            "the source's value is not one of those that the target takes",
            "choose a target that lists the source's value";
        NOT_IN_RANGE: ".not-in-range", Incompatible,
            "the source's value is outside the target's range",
            "choose a target whose range holds the source's value";
        NOT_SUBSET: ".not-subset", Incompatible,
            "the source has members that the target lacks",
            "choose a target that has all of the source's members";
        NOT_AT_LEAST: ".not-at-least", Incompatible,
            "the target has less than the source",
            "choose a target that has at least the source's value";
        VERSION: ".version", Incompatible,
            "the major versions differ, or the target's minor version is older than the source's",
            "upgrade the target; a newer source cannot go back to an older target";
        BRANCH: ".branch", Incompatible,
            "the source's version is of a branch that the target does not support",
            "bring source and target to branches that support each other";
        NOT_IS: ".not-is", Incompatible,
            "both sides must have one certain value",
            "the device cannot be migrated in this state; see the rule's origin";
        EXCLUDED_PAIR: ".excluded-pair", Incompatible,
            "this pair of values is excluded",
            "choose a target that is not excluded; see the rule's origin";
        NOT_SAME_CAPACITY: ".not-same-capacity", Incompatible,
            "type and aggregation come to other resources on the target",
            "create the target device with the type and aggregation of the source";
        MORE_CAPACITY: ".more-capacity", Compatible,
            "the target has the resources that the stream needs, and others that differ",
            "nothing, if the guest can live with the difference";
        REFUSED: ".refused", Incompatible,
            "the vendor's own rule refuses this pair",
            "see the rule's origin";
        MISSING: ".missing", Incompatible,
            "the rule needs a value that one side does not have",
            "add the attribute to that side's profile";
        SET: ".set", Fixable,
            "source and target differ, and the target can be set to the source's value",
            "set it on the target before loading";
        NEEDS_ASSERTION: ".needs-assertion", Unknown,
            "only an administrator can say whether this pair goes together",
            "add an assertion for these values to the target";
        NOT_REPORTED_YET: ".not-reported-yet", Unknown,
            "the attribute exists, but its value has not been reported",
            "read the profile again once the device has reported it";
        NOT_IN_PROFILE: ".not-in-profile", Unknown,
            "a profile does not say what the rule needs",
            "add the attribute to that side's profile";
        ABSENT: ".absent", Compatible,
            "a side does not say what the rule compares, and the rule does not insist; or no native stream can say it",
            "add the attribute to that side's profile to have it compared; seal the stream to carry it";
        ACCEPTED_BY_TARGET: ".accepted-by-target", Compatible,
            "the target's own rule took the place of the vendor's rule",
            "nothing; the target's file says on what ground";
        ACCEPT_OUT_OF_SCOPE: ".accept-out-of-scope", Compatible,
            "the target's own rule does not apply: its driver_version is not in the scope, or names none where the driver itself checks",
            "give it the driver_version that it holds for, and upgrade the target's driver to it";
        ASSERTED: ".asserted", Compatible,
            "an administrator's assertion settled what the rules cannot know",
            "nothing; the target's file says who asserted it and why";
        ASSERTION_EXPIRED: ".assertion-expired", Compatible,
            "an assertion for these values is no longer valid",
            "have it renewed";
    }
}

/// A stretch of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its bytes; 0 for a place between two bytes.
    pub length: u32,
    /// Whether the offset counts from the beginning of a sealed stream's payload.
    pub in_payload: bool,
    /// The channel of a migration that the offset counts in, as its caller numbers them; 0 outside of migrations.
    pub channel: u32,
}

/// A number that a reason is about; text is made of it when somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Datum {
    /// Nothing to say, or what a rule compared: the value of the reason's attribute.
    #[default]
    None,
    /// A count or a length.
    Count(u64),
    /// A value from the wire.
    Wire(u64),
    /// A word of the project's own.
    Word(&'static str),
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reason {
    /// Which kind of reason.
    pub id: ReasonId,
    /// The attribute that it is about, or [`AttributeId::NONE`].
    pub attribute: AttributeId,
    /// Where in the input.
    pub span: Option<Span>,
    /// What the input has there.
    pub found: Datum,
    /// What it should have.
    pub required: Datum,
    /// The rule that was not met.
    pub rule: Option<&'static Rule>,
}

impl Reason {
    /// A reason without a place.
    pub const fn new(id: ReasonId) -> Self {
        Self { id, attribute: AttributeId::NONE, span: None, found: Datum::None, required: Datum::None, rule: None }
    }

    /// A reason about the input at `offset`.
    pub const fn at(id: ReasonId, offset: u64) -> Self {
        Self::new(id).spanning(offset, 0)
    }

    /// The same reason about `length` bytes at `offset`.
    #[must_use]
    pub const fn spanning(mut self, offset: u64, length: u32) -> Self {
        self.span = Some(Span { offset, length, in_payload: false, channel: 0 });
        self
    }

    /// The same reason about the payload of a sealed stream.
    #[must_use]
    pub const fn in_payload(mut self) -> Self {
        if let Some(span) = &mut self.span {
            span.in_payload = true;
        }
        self
    }

    /// The same reason about this channel of a migration.
    #[must_use]
    pub const fn in_channel(mut self, channel: u32) -> Self {
        if let Some(span) = &mut self.span {
            span.channel = channel;
        }
        self
    }

    /// The same reason about this attribute.
    #[must_use]
    pub const fn about(mut self, attribute: AttributeId) -> Self {
        self.attribute = attribute;
        self
    }

    /// The same reason with what is there and what should be.
    #[must_use]
    pub const fn because(mut self, found: Datum, required: Datum) -> Self {
        self.found = found;
        self.required = required;
        self
    }

    /// The same reason by this rule.
    #[must_use]
    pub const fn by(mut self, rule: &'static Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Whether the reason only informs.
    pub const fn is_note(&self) -> bool {
        matches!(self.id.outcome(), Outcome::Compatible)
    }

    /// The offset in the input, where there is one.
    pub const fn offset(&self) -> Option<u64> {
        match self.span {
            Some(span) => Some(span.offset),
            None => None,
        }
    }
}

/// Notes of one kind that are kept: a stream could carry thousands of unknown attributes or frames.
pub const NOTES_KEPT: usize = 16;
/// Reasons that are kept: more than all rules of any vendor come to; what goes beyond only counts.
pub const REASONS_KEPT: usize = 256;

/// Reasons for which room is made beforehand: the notes of the streams that were captured, and some more.
const REASONS_USUAL: usize = 32;

/// An outcome and its reasons, in the order in which they were found. Making one allocates nothing until there is a
/// reason to keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    outcome: Outcome,
    reasons: Vec<Reason>,
    dropped: u64,
}

impl Verdict {
    /// A verdict without reasons: compatible.
    pub const fn new() -> Self {
        Self { outcome: Outcome::Compatible, reasons: Vec::new(), dropped: 0 }
    }

    /// The same with room for what a usual stream gives rise to, so that keeping that allocates nothing.
    pub fn with_room() -> Self {
        Self { reasons: Vec::with_capacity(REASONS_USUAL), ..Self::new() }
    }

    /// Makes room for every reason that is ever kept, so that adding one allocates nothing.
    ///
    /// # Errors
    /// The memory is not there.
    pub fn reserve(&mut self) -> Result<(), TryReserveError> {
        if self.reasons.is_empty() {
            // What it had is given back first: there is nothing in it that would have to be moved.
            self.reasons = Vec::new();
        }
        self.reasons.try_reserve_exact(REASONS_KEPT.saturating_sub(self.reasons.len()))
    }

    /// Makes room for the notes of one kind that are ever kept.
    pub(crate) fn reserve_notes(&mut self) -> Result<(), TryReserveError> {
        self.reasons.try_reserve_exact(NOTES_KEPT.saturating_sub(self.reasons.len()))
    }

    /// Begins again without reasons, and keeps the room.
    pub fn clear(&mut self) {
        self.reasons.clear();
        (self.outcome, self.dropped) = (Outcome::Compatible, 0);
    }

    /// The worst outcome of the reasons.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The reasons, as they were found.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// How many reasons were counted but not kept.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds a reason. The outcome only ever worsens.
    #[inline]
    pub fn push(&mut self, reason: Reason) {
        self.outcome = self.outcome.max(reason.id.outcome());
        // With fewer reasons than notes of one kind are kept, there is room for any.
        if self.reasons.len() >= NOTES_KEPT && self.has_enough_like(&reason) {
            self.dropped = self.dropped.saturating_add(1);
        } else {
            self.reasons.push(reason);
        }
    }

    /// Adds these reasons.
    #[inline]
    pub fn push_all(&mut self, reasons: &[Reason]) {
        // With so few, there is room for any: see `push`.
        if self.reasons.len().saturating_add(reasons.len()) <= NOTES_KEPT {
            self.outcome = reasons.iter().map(|reason| reason.id.outcome()).fold(self.outcome, Outcome::max);
            self.reasons.extend_from_slice(reasons);
        } else {
            for reason in reasons {
                self.push(*reason);
            }
        }
    }

    /// Whether a reason like this would only be counted.
    #[cold]
    fn has_enough_like(&self, reason: &Reason) -> bool {
        let alike = |kept: &&Reason| kept.id == reason.id;
        self.reasons.len() >= REASONS_KEPT
            || (reason.is_note() && self.reasons.iter().filter(alike).count() >= NOTES_KEPT)
    }

    /// Counts reasons that somebody else did not keep.
    pub fn count_dropped(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
    }

    /// Whether a reason that is no note has been found.
    pub fn is_settled_against(&self) -> bool {
        self.outcome != Outcome::Compatible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_the_worst_and_never_improves() {
        let mut verdict = Verdict::new();
        let steps = [
            (reasons::ABSENT, Outcome::Compatible),
            (reasons::SET, Outcome::Fixable),
            (reasons::NOT_IN_PROFILE, Outcome::Unknown),
            (reasons::SET, Outcome::Unknown),
            (reasons::STREAM_TRUNCATED, Outcome::Truncated),
            (reasons::NOT_EQUAL, Outcome::Incompatible),
            (reasons::FRAME_CRC, Outcome::Corrupt),
            (reasons::STREAM_TRUNCATED, Outcome::Corrupt),
            (reasons::MAGIC_UNRECOGNIZED, Outcome::Unrecognized),
        ];
        for (id, outcome) in steps {
            verdict.push(Reason::new(id));
            assert_eq!(verdict.outcome(), outcome);
        }
        assert_eq!(verdict.reasons().len(), steps.len());
    }

    #[test]
    fn notes_are_counted_and_sixteen_kept() {
        let mut verdict = Verdict::new();
        for offset in 0..100 {
            verdict.push(Reason::at(reasons::ATTRIBUTE_UNKNOWN, offset));
        }
        assert_eq!((verdict.reasons().len(), verdict.dropped()), (NOTES_KEPT, 84));
        assert_eq!(verdict.outcome(), Outcome::Compatible);
    }

    #[test]
    fn exit_codes_and_names_are_distinct() {
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            for other in &Outcome::ALL[..at] {
                assert_ne!(outcome.exit_code(), other.exit_code());
                assert_ne!(outcome.name(), other.name());
            }
            assert_ne!(outcome.exit_code(), 2, "2 is for errors of usage and I/O");
        }
    }

    #[test]
    fn ids_are_unique_and_in_one_grammar() {
        for (at, kind) in reasons::CATALOGUE.iter().enumerate() {
            assert!(reasons::CATALOGUE[..at].iter().all(|other| other != kind), "{kind:?} stands twice");
            let grammar = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '-' | '_');
            assert!(kind.text().chars().all(grammar) && kind.text().contains('.'), "{kind:?}");
        }
    }
}
