//! The answer: what the target of a sealed stream says back to its source, so that the source knows before the rest is
//! sent, and before the guest is stopped.
//!
//! An answer is a prologue and a header, as a profile is. It names the stream that it answers by what nobody else's has:
//! the identity in its header and the checksum of its prologue.
//!
//! Source of the layout: `docs/format.md`, section "Answer".

use alloc::string::String;
use alloc::vec::Vec;

use crate::attribute::{
    ANSWER_COMPLETE, ANSWER_OUTCOME, ANSWER_REASONS, ANSWER_STAGE, ANSWERS, AttributeId, MEMBERS_MAX, STREAM_ID, Text,
    Type, VENDOR, Value,
};
use crate::bytes::{Reader, index, widen};
use crate::checksum::Crc32c;
use crate::profile::{ATTRIBUTE_HEAD, Attribute, Header, join_head};
use crate::prologue::{Content, HEADER_MAX, PROLOGUE_LEN, Prologue};
use crate::report::ReasonName;
use crate::verdict::{Datum, Outcome, Reason, Verdict, reasons};

use super::reader::open;

/// What an answer rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerStage {
    /// What came so far: the header, and of the payload its beginning. The verdict can still worsen.
    Early,
    /// Everything that came. The verdict stays.
    Final,
}

impl AnswerStage {
    /// Both, in the order in which they come.
    pub const ALL: [Self; 2] = [Self::Early, Self::Final];

    /// The name, on the wire and in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Final => "final",
        }
    }

    /// The stage with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// Which sealed stream it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The vendor that its header names, known here or not.
    pub vendor: String,
    /// Its `stream_id`.
    pub stream_id: [u8; 16],
    /// Checksum of its prologue, and by it of its header.
    pub prologue_crc: u32,
}

impl Identity {
    /// The identity of the sealed stream that begins with these bytes. `None` where they do not hold the prologue and
    /// header of one, undamaged.
    pub fn of_stream(beginning: &[u8]) -> Option<Self> {
        let (prologue, header) = open(beginning, true, Some(Content::Sealed)).ok()?.ok()?;
        Self::in_header(header, prologue.crc)
    }

    pub(super) fn of_header(header: &Header<'_>, prologue_crc: u32) -> Option<Self> {
        Self::in_header(header.bytes(), prologue_crc)
    }

    fn in_header(header: &[u8], prologue_crc: u32) -> Option<Self> {
        Named::in_header(header, prologue_crc).map(Self::from)
    }

    fn named(&self) -> Named<'_> {
        Named { vendor: &self.vendor, stream_id: self.stream_id, prologue_crc: self.prologue_crc }
    }
}

impl From<Named<'_>> for Identity {
    fn from(Named { vendor, stream_id, prologue_crc }: Named<'_>) -> Self {
        Self { vendor: vendor.into(), stream_id, prologue_crc }
    }
}

/// An [`Identity`] that lies in a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    vendor: &'a str,
    stream_id: [u8; 16],
    prologue_crc: u32,
}

impl<'a> Named<'a> {
    /// What a header that is well formed names its stream by.
    pub(super) fn in_header(header: &'a [u8], prologue_crc: u32) -> Option<Self> {
        let (mut vendor, mut stream_id) = (None, None);
        let mut reader = Reader::new(header);
        while let Ok(attribute) = Attribute::read(&mut reader) {
            match (attribute.id, attribute.value()) {
                (VENDOR, Some(Value::Text(name))) => vendor = Some(name.as_str()),
                (STREAM_ID, Some(Value::Bytes(bytes))) => stream_id = bytes.try_into().ok(),
                _ => {}
            }
        }
        Some(Self { vendor: vendor?, stream_id: stream_id?, prologue_crc })
    }
}

/// What an answer says, and how it is written: the mirror of [`Answer::read`]. Nothing is kept and nothing allocated, so
/// that a gate has its answer where there is no memory: the ids are put in order by looking for the next one each time.
pub(crate) struct Words<'a, I> {
    pub(crate) named: Named<'a>,
    pub(crate) stage: AnswerStage,
    pub(crate) outcome: Outcome,
    pub(crate) complete: bool,
    /// In any order, and more than once.
    pub(crate) ids: I,
}

impl<'a, I: Iterator<Item = ReasonName<'a>> + Clone> Words<'a, I> {
    /// How many bytes the answer has; those go to `out`, one piece behind the other, where there are at most `most`.
    /// `None` for a header that is longer than one may be.
    pub(crate) fn write(&self, most: usize, out: &mut dyn FnMut(&[u8])) -> Option<usize> {
        let (mut length, mut checksum) = (0_usize, Crc32c::new());
        self.header(&mut |bytes| {
            length = length.saturating_add(bytes.len());
            checksum.update(bytes);
        });
        let prologue = Prologue::before(Content::Answer, length, checksum.value())?;
        let length = length.saturating_add(PROLOGUE_LEN);
        if length <= most {
            out(&prologue.write());
            self.header(out);
        }
        Some(length)
    }

    /// The bytes of the header.
    fn header(&self, out: &mut dyn FnMut(&[u8])) {
        let mut attribute = |id: AttributeId, kind: Type, value: &[u8]| {
            out(&head(id, kind, value.len()));
            out(value);
        };
        attribute(VENDOR, Type::Text, self.named.vendor.as_bytes());
        attribute(STREAM_ID, Type::Bytes, &self.named.stream_id);
        attribute(ANSWERS, Type::Uint, &u64::from(self.named.prologue_crc).to_le_bytes());
        attribute(ANSWER_STAGE, Type::Text, self.stage.name().as_bytes());
        attribute(ANSWER_OUTCOME, Type::Text, self.outcome.name().as_bytes());
        attribute(ANSWER_COMPLETE, Type::Bool, &[u8::from(self.complete)]);
        let length = |id: &ReasonName<'_>| id.parts().iter().map(|part| part.len()).sum::<usize>();
        let lengths = self.ascending().map(|id| length(&id).saturating_add(2));
        let whole = lengths.fold(0_usize, usize::saturating_add);
        if whole > 0 {
            out(&head(ANSWER_REASONS, Type::Set, whole.saturating_add(1)));
            out(&[Type::Text.code()]);
            for id in self.ascending() {
                // An id of 64 KiB makes the header longer than one may be.
                out(&u16::try_from(length(&id)).unwrap_or(u16::MAX).to_le_bytes());
                id.parts().iter().for_each(|part| out(part.as_bytes()));
            }
        }
    }

    /// The ids as they are written: in the order of their bytes, each once, and no more than a set has.
    fn ascending(&self) -> impl Iterator<Item = ReasonName<'a>> {
        let mut last: Option<ReasonName<'a>> = None;
        let next = core::iter::from_fn(move || {
            let behind = self.ids.clone().filter(|id| last.is_none_or(|last| last.order(id).is_lt()));
            last = behind.min_by(ReasonName::order);
            last
        });
        next.fuse().take(MEMBERS_MAX)
    }
}

/// The head of an attribute of so many bytes.
fn head(id: AttributeId, kind: Type, length: usize) -> [u8; ATTRIBUTE_HEAD] {
    join_head(id, kind.code(), u32::try_from(length).unwrap_or(u32::MAX))
}

/// What the target of a sealed stream says to its source. One that exists is well formed and does not contradict itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    header: Vec<u8>,
    identity: Identity,
    stage: AnswerStage,
    outcome: Outcome,
    complete: bool,
    reasons: Vec<String>,
}

impl Answer {
    /// An answer to this stream. `complete` says that it was read to its end and may be loaded, which only a final answer
    /// can say; of the reasons, ids as reports have them, each is named once, and the first 256 by their order.
    ///
    /// # Errors
    /// [`reasons::CONTRADICTS_ITSELF`] for a complete answer that is early or refuses, another reason for an id that is no
    /// text, or for more ids than a header holds.
    pub fn new<'a>(
        identity: &Identity,
        stage: AnswerStage,
        outcome: Outcome,
        complete: bool,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Reason> {
        let ids: Vec<ReasonName<'_>> = ids.into_iter().map(ReasonName::whole).collect();
        let texts = ids.iter().map(|id| (ANSWER_REASONS, id.parts().concat()));
        for (id, text) in texts.chain([(VENDOR, identity.vendor.clone())]) {
            Text::new(&text).ok_or(Reason::new(reasons::ATTRIBUTE_VALUE).about(id))?;
        }
        let words = Words { named: identity.named(), stage, outcome, complete, ids: ids.iter().copied() };
        let mut bytes = Vec::new();
        let longest = PROLOGUE_LEN.saturating_add(index(HEADER_MAX));
        let written = words.write(longest, &mut |piece| bytes.extend_from_slice(piece));
        written.ok_or(Reason::at(reasons::PROLOGUE_HEADER_LEN, 8))?;
        Self::read(&bytes, &mut Verdict::new())
    }

    /// Reads the bytes of an answer, which must end where the answer ends. Notes go to `notes`; the first error is
    /// returned.
    ///
    /// # Errors
    /// The first check of `docs/format.md` that fails.
    pub fn read(bytes: &[u8], notes: &mut Verdict) -> Result<Self, Reason> {
        match Self::read_first(bytes, true, notes)? {
            Ok((answer, used)) if used == bytes.len() => Ok(answer),
            Ok((_, used)) => {
                let trailing = Datum::Count(widen(bytes.len().saturating_sub(used)));
                Err(Reason::at(reasons::STREAM_TRAILING, widen(used)).because(trailing, Datum::Count(0)))
            }
            // Never said at the end of the input.
            Err(_) => Err(Reason::at(reasons::HEADER_TRUNCATED, widen(bytes.len()))),
        }
    }

    /// Reads the first of the answers that come one behind the other, and says how many bytes it has; or how many must be
    /// there. `eof` when nothing follows these bytes.
    ///
    /// # Errors
    /// The first check of `docs/format.md` that fails.
    pub fn read_first(bytes: &[u8], eof: bool, notes: &mut Verdict) -> Result<Result<(Self, usize), usize>, Reason> {
        match open(bytes, eof, Some(Content::Answer))? {
            Ok((_, header)) => Self::of_header(header, notes).map(|answer| Ok((answer, PROLOGUE_LEN + header.len()))),
            Err(need) => Ok(Err(need)),
        }
    }

    fn of_header(bytes: &[u8], notes: &mut Verdict) -> Result<Self, Reason> {
        let offset = widen(PROLOGUE_LEN);
        let header = Header::read(bytes, offset, Content::Answer, &|_| None, notes)?;
        let Said { answers, stage, outcome, complete } = Said::read(&header, offset)?;
        let identity = Identity::of_header(&header, answers).ok_or(missing(&header, offset))?;
        let reasons = match header.get(ANSWER_REASONS) {
            Some(Value::Set(set)) => {
                let texts = set.members().filter_map(|id| if let Value::Text(id) = id { Some(id) } else { None });
                texts.map(|id| id.as_str().into()).collect()
            }
            _ => Vec::new(),
        };
        Ok(Self { header: bytes.to_vec(), identity, stage, outcome, complete, reasons })
    }

    /// The bytes: prologue and header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PROLOGUE_LEN + self.header.len());
        // An answer that exists has a header of 1 to 65,536 bytes.
        if let Some(prologue) = Prologue::of(Content::Answer, &self.header) {
            bytes.extend_from_slice(&prologue.write());
        }
        bytes.extend_from_slice(&self.header);
        bytes
    }

    /// Whether this answers the stream with this identity, whose prologue has this checksum. What answers another stream
    /// says nothing of this one.
    pub fn is_for(&self, prologue_crc: u32, stream_id: [u8; 16]) -> bool {
        self.identity.prologue_crc == prologue_crc && self.identity.stream_id == stream_id
    }

    /// The stream that it answers.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it rests on.
    pub const fn stage(&self) -> AnswerStage {
        self.stage
    }

    /// The outcome of the target's verdict.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the stream was read to its end and may be loaded.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The ids of the reasons, without notes, ascending: `pci_id.not-equal`.
    pub fn reasons(&self) -> impl ExactSizeIterator<Item = &str> {
        self.reasons.iter().map(String::as_str)
    }
}

/// What an answer says beside its stream and its reasons.
pub(super) struct Said {
    answers: u32,
    stage: AnswerStage,
    outcome: Outcome,
    complete: bool,
}

impl Said {
    /// Reads it from the header of an answer, which must not contradict itself.
    pub(super) fn read(header: &Header<'_>, offset: u64) -> Result<Self, Reason> {
        let said = Self::in_header(header).ok_or(missing(header, offset))?;
        // Only at the end is a stream complete, and nothing that refuses it is. (Mildest first: a target can admit what is
        // fixable or unknown, nothing beyond.)
        if said.complete && (said.stage == AnswerStage::Early || said.outcome > Outcome::Unknown) {
            let at = offset + widen(header.position(ANSWER_COMPLETE).unwrap_or(0) + ATTRIBUTE_HEAD);
            let reason = Reason::at(reasons::CONTRADICTS_ITSELF, at).spanning(at, 1).about(ANSWER_COMPLETE);
            let found = if said.stage == AnswerStage::Early { said.stage.name() } else { said.outcome.name() };
            return Err(reason.because(Datum::Word(found), Datum::Word("final, and an outcome that can be admitted")));
        }
        Ok(said)
    }

    fn in_header(header: &Header<'_>) -> Option<Self> {
        let text = |id| if let Some(Value::Text(text)) = header.get(id) { Some(text.as_str()) } else { None };
        let (Some(Value::Uint(answers)), Some(Value::Bool(complete))) =
            (header.get(ANSWERS), header.get(ANSWER_COMPLETE))
        else {
            return None;
        };
        Some(Self {
            answers: u32::try_from(answers).ok()?,
            stage: AnswerStage::from_name(text(ANSWER_STAGE)?)?,
            outcome: Outcome::from_name(text(ANSWER_OUTCOME)?)?,
            complete,
        })
    }
}

/// A header of an answer that exists has everything that is mandatory, each with a value that it may have.
fn missing(header: &Header<'_>, offset: u64) -> Reason {
    Reason::at(reasons::ATTRIBUTE_MISSING, offset + widen(header.bytes().len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Constraint, DIGEST, OwnedValue, PCI_ID, STREAM, find};
    use crate::profile::ProfileBuilder;
    use alloc::vec;

    fn identity() -> Identity {
        Identity { vendor: "nobody-knows".into(), stream_id: [7; 16], prologue_crc: 0xfedc_ba98 }
    }

    fn answer(stage: AnswerStage, outcome: Outcome, complete: bool) -> Result<Answer, Reason> {
        Answer::new(&identity(), stage, outcome, complete, ["b.x", "a.y", "b.x"])
    }

    fn error(bytes: &[u8]) -> (&'static str, Option<u64>) {
        let reason = Answer::read(bytes, &mut Verdict::new()).unwrap_err();
        (reason.id.text(), reason.offset())
    }

    /// The bytes of an answer with this attribute set, or taken out.
    fn with(id: AttributeId, value: Option<&OwnedValue>) -> Vec<u8> {
        let good = answer(AnswerStage::Final, Outcome::Compatible, true).unwrap();
        let mut builder = ProfileBuilder::new();
        let mut reader = Reader::new(&good.header);
        while let Ok(attribute) = Attribute::read(&mut reader) {
            if attribute.id != id {
                builder.set_raw(attribute.id, attribute.type_code, attribute.bytes);
            }
        }
        if let Some(value) = value {
            builder.set(id, value);
        }
        let header = builder.header().unwrap();
        [&Prologue::of(Content::Answer, &header).unwrap().write()[..], &header].concat()
    }

    #[test]
    fn written_and_read() {
        for stage in AnswerStage::ALL {
            for outcome in Outcome::ALL {
                for complete in [false, true] {
                    let fits = !complete || (stage == AnswerStage::Final && outcome <= Outcome::Unknown);
                    let made = answer(stage, outcome, complete);
                    assert_eq!(
                        made.as_ref().map_err(|reason| reason.id).is_ok(),
                        fits,
                        "{stage:?} {outcome} {complete}"
                    );
                    let Ok(made) = made else { continue };
                    assert_eq!(Answer::read(&made.to_bytes(), &mut Verdict::new()).as_ref(), Ok(&made));
                    assert_eq!((made.stage(), made.outcome(), made.is_complete()), (stage, outcome, complete));
                    assert_eq!(made.reasons().collect::<Vec<_>>(), ["a.y", "b.x"]);
                    assert_eq!(made.identity(), &identity());
                }
            }
        }
    }

    #[test]
    fn it_is_for_one_stream() {
        let answer = answer(AnswerStage::Early, Outcome::Compatible, false).unwrap();
        assert!(answer.is_for(0xfedc_ba98, [7; 16]));
        assert!(!answer.is_for(0xfedc_ba99, [7; 16]));
        assert!(!answer.is_for(0xfedc_ba98, [8; 16]));
    }

    #[test]
    fn the_table_has_the_names_of_stages_and_outcomes() {
        let names = |id: AttributeId| find(STREAM, id.number()).unwrap().constraint;
        let stages = AnswerStage::ALL.map(AnswerStage::name);
        let outcomes = Outcome::ALL.map(Outcome::name);
        assert!(matches!(names(ANSWER_STAGE), Constraint::OneOf(texts) if texts == stages));
        assert!(matches!(names(ANSWER_OUTCOME), Constraint::OneOf(texts) if texts == outcomes));
    }

    #[test]
    fn several_are_read_one_behind_the_other() {
        let (early, last) = (
            answer(AnswerStage::Early, Outcome::Compatible, false).unwrap(),
            answer(AnswerStage::Final, Outcome::Compatible, true).unwrap(),
        );
        let bytes = [early.to_bytes(), last.to_bytes()].concat();
        let first = early.to_bytes().len();
        let read = |bytes, eof| Answer::read_first(bytes, eof, &mut Verdict::new());
        assert_eq!(read(&bytes[..3], false), Ok(Err(8)));
        assert_eq!(read(&bytes[..20], false), Ok(Err(32)));
        assert_eq!(read(&bytes[..40], false), Ok(Err(first)));
        assert_eq!(read(&bytes, false), Ok(Ok((early, first))));
        assert_eq!(read(&bytes[first..], true), Ok(Ok((last, bytes.len() - first))));
        assert_eq!(error(&bytes), ("stream.trailing", Some(widen(first))));
        assert_eq!(error(&bytes[..first - 1]), ("header.truncated", Some(widen(first - 1))));
    }

    #[test]
    fn what_is_wrong_has_its_reason() {
        for id in [VENDOR, STREAM_ID, ANSWERS, ANSWER_STAGE, ANSWER_OUTCOME, ANSWER_COMPLETE] {
            let bytes = with(id, None);
            assert_eq!(error(&bytes), ("attribute.missing", Some(widen(bytes.len()))), "{id}");
        }
        let uint = |id, number| with(id, Some(&Value::Uint(number).to_owned()));
        let text = |id, name| with(id, Some(&Value::Text(Text::new(name).unwrap()).to_owned()));
        // Behind the vendor, of 20 bytes.
        assert_eq!(error(&uint(PCI_ID, 1)), ("attribute.misplaced", Some(52)));
        assert_eq!(error(&uint(AttributeId(0x0050), 1)), ("attribute.misplaced", Some(52)));
        assert_eq!(error(&uint(AttributeId(0x0100), 1)).0, "attribute.misplaced");
        assert_eq!(error(&uint(DIGEST, 1)), ("attribute.misplaced", Some(52)));
        assert_eq!(error(&uint(ANSWERS, 1 << 32)).0, "attribute.value");
        assert_eq!(error(&text(ANSWER_STAGE, "late")).0, "attribute.value");
        assert_eq!(error(&text(ANSWER_OUTCOME, "fine")).0, "attribute.value");
        assert_eq!(error(&text(ANSWER_STAGE, "early")).0, "profile.contradicts-itself");
        assert_eq!(error(&text(ANSWER_OUTCOME, "corrupt")).0, "profile.contradicts-itself");
        let numbers = OwnedValue::set(Type::Uint, &[Value::Uint(1)]).unwrap();
        assert_eq!(error(&with(ANSWER_REASONS, Some(&numbers))).0, "attribute.value");
        let mut notes = Verdict::new();
        assert!(Answer::read(&uint(AttributeId(0x7000), 1), &mut notes).is_ok());
        assert_eq!(notes.reasons().len(), 1);
    }

    #[test]
    fn a_profile_is_none() {
        let header = vec![1];
        let bytes = Prologue::of(Content::Profile, &header).unwrap().write();
        assert_eq!(error(&bytes), ("prologue.content", Some(20)));
        assert!(Identity::of_stream(&bytes).is_none());
    }
}
