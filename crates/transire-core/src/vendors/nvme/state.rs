//! The controller state of the standard: a header of 48 bytes, the NVMe part, the vendor's part.
//!
//! Facts: NVMe Base Specification 2.1 (August 2024), Controller State data structure and NVMe Controller State; read through
//! libnvme's `nvme_lm_controller_state_data` at 03297d8bf6f7. Little-endian. No magic; the length follows from two sizes
//! in the header, and nothing marks the end. Read as it comes: of a queue that has passed, two bytes are remembered.

use alloc::boxed::Box;

use super::LAYOUTS;
use super::queues::{
    self, COMPLETION, Kind, PIECE_LEN, QUEUE_LEN, QUEUES_MAX, Queues, STATE, STATE_HEADER_LEN, SUBMISSION, Source,
    VENDOR_PART, VENDOR_PART_OPTION, begins_with_zero, check_counts, check_suspended, check_vendor_part, check_version,
    number, reasons, settled_by, word, wrong, zero_bits,
};
use crate::attribute::Attributes;
use crate::bytes::{index, widen};
use crate::format::{
    Choices, DeviceKey, Event, Field, FieldKind, Format, Glance, Hold, Identified, KnownBy, Layout, Likeness, Phase,
    Proves, Reader, Role, Share, Step,
};
use crate::verdict::{Datum, Reason};
use crate::whole::{Undecided, truncated};

/// Bytes of the header.
pub const HEADER_LEN: usize = 48;
/// Bytes of the header and the state's own.
pub const HEADERS_LEN: usize = HEADER_LEN + STATE_HEADER_LEN;
/// Most dwords of the NVMe part: its header of 2 and 6 for each of 65,535 queues each way.
pub const STATE_DWORDS_MAX: u64 = 2 + 6 * 2 * QUEUES_MAX as u64;
/// Most dwords of the vendor's part: 16 MiB. The standard has no limit below 2^128 - 1; this one is the project's own.
pub const VENDOR_DWORDS_MAX: u64 = 4 << 20;

/// The format.
pub static FORMAT: Format = Format {
    name: "nvme-2.1",
    vendor: "nvme",
    title: "controller state of the NVMe Base Specification 2.1",
    role: Role::Source,
    known_by: KnownBy::Fit(likeness),
    judged_within: Some(56),
    hold: Hold::Record(56),
    proves: Proves {
        glance: Glance {
            identity: "version, number of queues",
            driver_checks: Share::Nothing,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "the layout, by the arithmetic of its sizes; version 0; that the controller was suspended; how many queues of how many entries",
        driver_checks: "no driver is public: that of the RFC uses another layout",
        end: "not marked; the length follows from two sizes in the header",
        payload: "nothing",
        sealing_adds: "checksums, a marked end, what the device is and what is behind it, the format of the vendor's part",
    },
    options: &[VENDOR_PART_OPTION],
    settled_by,
    layouts: &[&HEADER, &STATE, &SUBMISSION, &COMPLETION, &VENDOR_PART],
    identify,
    reader: |describe| Box::new(StateReader::new(describe)),
    driver: None,
};

/// The header.
pub static HEADER: Layout = Layout {
    name: "header",
    fields: &[
        Field::new("ver", 0, FieldKind::Number(2), "version of the header, 0"),
        Field::new("csattr", 2, FieldKind::Hex(1), "bit 0: suspended all the time while the state was fetched"),
        Field::new("reserved", 3, FieldKind::Bytes(13), "0"),
        Field::new("nvmecss", 16, FieldKind::Number(8), "dwords of the NVMe part, lower half"),
        Field::new("nvmecss_high", 24, FieldKind::Number(8), "the upper half"),
        Field::new("vss", 32, FieldKind::Number(8), "dwords of the vendor's part, lower half"),
        Field::new("vss_high", 40, FieldKind::Number(8), "the upper half"),
    ],
};

/// Zero in every header: the version, the reserved bytes, and what is above the largest sizes.
const ZERO: [u8; HEADER_LEN] = zero_bits(&[0..2, 3..16, 19..32, 35..48]);

fn likeness(prefix: &[u8], _eof: bool) -> Likeness {
    if !begins_with_zero(prefix, &ZERO) {
        return Likeness::No;
    }
    if prefix.len() < HEADER_LEN {
        return Likeness::Short;
    }
    if number(prefix, 16, 8) == 0 && number(prefix, 32, 8) == 0 {
        return Likeness::No;
    }
    Likeness::Possible("version 0, reserved bytes 0, and two sizes of 16 bytes within their limits")
}

/// Bytes of the NVMe part and of the vendor's part.
struct Sizes {
    state: u32,
    vendor: u32,
}

impl Sizes {
    /// Reads the header, check by check.
    fn read(header: &[u8; HEADER_LEN]) -> Result<Self, Reason> {
        check_version(header, 0)?;
        check_suspended(header)?;
        let size = |at: usize, holds: &dyn Fn(u64) -> bool, required| {
            let dwords = if number(header, at + 8, 8) == 0 { number(header, at, 8) } else { u64::MAX };
            let bytes =
                if holds(dwords) { dwords.checked_mul(4).and_then(|bytes| u32::try_from(bytes).ok()) } else { None };
            let at = widen(at);
            bytes.ok_or_else(|| wrong(reasons::SIZES, at, 16, Datum::Count(dwords), required))
        };
        let of_queues = |dwords: u64| dwords == 0 || (dwords <= STATE_DWORDS_MAX && dwords % 6 == 2);
        let state = size(16, &of_queues, "0, or 2 and 6 for each queue")?;
        let vendor = size(32, &|dwords| dwords <= VENDOR_DWORDS_MAX, "up to 4194304")?;
        Ok(Self { state, vendor })
    }
}

/// Reads the headers, check by check.
fn read_source(prefix: &[u8], eof: bool, choices: Choices) -> Result<Source, Undecided> {
    let short = |needed: usize, required| {
        if eof { Undecided::Refused(truncated(prefix.len(), required)) } else { Undecided::Need(needed) }
    };
    let header = prefix.first_chunk().ok_or_else(|| short(HEADER_LEN, Datum::Word("48 bytes and more")))?;
    let sizes = Sizes::read(header)?;
    let mut source = Source {
        layout: LAYOUTS[0],
        header_len: 48,
        state_len: sizes.state,
        vendor_len: sizes.vendor,
        submissions: 0,
        completions: 0,
        longest: None,
        scattered: None,
    };
    if sizes.state > 0 {
        let headers = prefix.get(..HEADERS_LEN);
        let headers = headers.ok_or_else(|| short(HEADERS_LEN, Datum::Count(widen(source.stream_len()))))?;
        check_version(headers, HEADER_LEN)?;
        (source.submissions, source.completions) = (word(headers, HEADER_LEN + 2), word(headers, HEADER_LEN + 4));
        let queues = usize::from(source.submissions) + usize::from(source.completions);
        let holds = STATE_HEADER_LEN + QUEUE_LEN * queues == index(sizes.state);
        check_counts(holds, headers.get(HEADER_LEN..).unwrap_or(&[]), HEADER_LEN)?;
    }
    check_vendor_part(sizes.vendor, choices, (32, 16))?;
    Ok(source)
}

fn identify(prefix: &[u8], eof: bool, choices: Choices, show: &mut dyn FnMut(&dyn Attributes)) -> Identified {
    let counted = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    match read_source(prefix, eof, choices) {
        Ok(source) => {
            show(&source);
            Identified::Shown(counted(source.said_within()))
        }
        Err(Undecided::Need(bytes)) => Identified::Need(counted(bytes)),
        Err(Undecided::Refused(reason)) => Identified::Refused(reason),
    }
}

/// The reader.
#[derive(Debug)]
pub struct StateReader {
    describe: bool,
    choices: Choices,
    source: Option<Source>,
    queues: Queues,
    /// Bytes used.
    offset: u64,
    stage: Stage,
    /// Structures, and findings, told of the bytes that are being looked at.
    records: u32,
    findings: usize,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Headers,
    /// The queue with this number, of both kinds.
    Queue(u32),
    /// All queues have passed.
    Queues,
    /// So many bytes of the vendor's part are left.
    VendorPart(u32),
    /// A reader that has failed has nothing else to say.
    Failed(Reason),
}

impl StateReader {
    /// A reader at the start of a state.
    pub fn new(describe: bool) -> Self {
        Self {
            describe,
            choices: Choices::NONE,
            source: None,
            queues: Queues::before_the_first(),
            offset: 0,
            stage: Stage::Headers,
            records: 0,
            findings: 0,
        }
    }

    fn fail<'a>(&mut self, reason: Reason) -> Step<'a> {
        self.stage = Stage::Failed(reason);
        Step::stay(Event::Finding(reason))
    }

    fn cut<'a>(&mut self, input: &[u8], source: &Source) -> Step<'a> {
        let end = index(u32::try_from(self.offset).unwrap_or(u32::MAX)).saturating_add(input.len());
        self.fail(truncated(end, Datum::Count(widen(source.stream_len()))))
    }

    /// Tells a structure, unless that was done or the input ends before it.
    fn record<'a>(
        &mut self,
        layout: &'static Layout,
        number: Option<u32>,
        at: usize,
        bytes: &'a [u8],
    ) -> Option<Step<'a>> {
        if !self.describe || bytes.is_empty() {
            return None;
        }
        self.records += 1;
        Some(Step::stay(Event::Record { layout, number, offset: self.offset + widen(at), bytes }))
    }

    /// Tells the finding behind those that were told.
    fn finding<'a>(&mut self, mut findings: impl Iterator<Item = Reason>) -> Option<Step<'a>> {
        let reason = findings.nth(self.findings)?;
        self.findings += 1;
        Some(if reason.is_note() { Step::stay(Event::Finding(reason)) } else { self.fail(reason) })
    }

    /// Hands on bytes that have passed.
    fn deliver<'a>(&mut self, bytes: &'a [u8], next: Stage) -> Step<'a> {
        self.offset = self.offset.saturating_add(widen(bytes.len()));
        (self.stage, self.records, self.findings) = (next, 0, 0);
        let data = Event::Data { device: DeviceKey::default(), phase: Phase::Unspecified, bytes };
        Step { used: bytes.len(), event: data }
    }

    fn read_headers<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        let found = read_source(input, eof, self.choices);
        if let Err(Undecided::Need(bytes)) = found {
            return Step::stay(Event::Need(bytes));
        }
        let (header, rest) = input.split_at_checked(HEADER_LEN).unwrap_or((input, &[]));
        let told = match self.records {
            0 => self.record(&HEADER, None, 0, header),
            1 if header.first_chunk().is_some_and(|header| Sizes::read(header).is_ok_and(|sizes| sizes.state > 0)) => {
                self.record(&STATE, None, HEADER_LEN, rest.get(..STATE_HEADER_LEN).unwrap_or(rest))
            }
            _ => None,
        };
        if let Some(record) = told {
            return record;
        }
        let source = match found {
            Ok(source) => source,
            Err(Undecided::Refused(reason)) => return self.fail(reason),
            Err(Undecided::Need(bytes)) => return Step::stay(Event::Need(bytes)),
        };
        if self.source.is_none() {
            self.source = Some(source);
            return Step::stay(Event::Profile);
        }
        let headers = input.get(..source.said_within()).unwrap_or(input);
        match self.finding(queues::header_notes(&source, headers)) {
            Some(finding) => finding,
            None => self.deliver(headers, Stage::Queue(0)),
        }
    }

    fn read_queue<'a>(&mut self, source: &Source, next: u32, input: &'a [u8], eof: bool) -> Step<'a> {
        let Some((kind, number)) = source.queue(next) else {
            self.stage = Stage::Queues;
            return self.end_queues(source);
        };
        let queue = input.get(..QUEUE_LEN).unwrap_or(input);
        if queue.len() < QUEUE_LEN && !eof {
            return Step::stay(Event::Need(QUEUE_LEN));
        }
        if self.records == 0 {
            let layout = if kind == Kind::Submission { &SUBMISSION } else { &COMPLETION };
            if let Some(record) = self.record(layout, Some(number), 0, queue) {
                return record;
            }
        }
        if queue.len() < QUEUE_LEN {
            return self.cut(input, source);
        }
        let before = if number == 0 { 0 } else { self.queues.before };
        if let Some(finding) = self.finding(queues::queue_findings(kind, queue, self.offset, before)) {
            return finding;
        }
        self.queues.take(kind, queue, self.offset);
        self.deliver(queue, Stage::Queue(next.saturating_add(1)))
    }

    /// What only all queues tell.
    fn end_queues<'a>(&mut self, source: &Source) -> Step<'a> {
        if let Some(reason) = self.queues.missing_completion(widen(HEADERS_LEN)) {
            return self.fail(reason);
        }
        self.stage = Stage::VendorPart(source.vendor_len);
        let queues::Summary { longest, scattered } = self.queues.summary;
        self.source = Some(Source { longest, scattered, ..*source });
        Step::stay(Event::Profile)
    }

    fn read_vendor_part<'a>(&mut self, source: &Source, left: u32, input: &'a [u8], eof: bool) -> Step<'a> {
        if left == 0 {
            return Step::stay(Event::End);
        }
        // Told in pieces that do not depend on how the input was cut; handed on as it comes where nothing is told.
        let piece = index(left).min(if self.describe { PIECE_LEN } else { input.len().max(1) });
        let bytes = input.get(..piece).unwrap_or(input);
        if bytes.len() < piece && !eof {
            return Step::stay(Event::Need(piece));
        }
        if bytes.is_empty() {
            return self.cut(input, source);
        }
        if self.records == 0 {
            let number = (index(source.vendor_len) - index(left)) / PIECE_LEN;
            let number = (index(source.vendor_len) > PIECE_LEN).then_some(number);
            let number = number.and_then(|number| u32::try_from(number).ok());
            if let Some(record) = self.record(&VENDOR_PART, number, 0, bytes) {
                return record;
            }
        }
        self.deliver(bytes, Stage::VendorPart(left.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX))))
    }
}

impl Reader for StateReader {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        let source = self.source;
        match (self.stage, source) {
            (Stage::Failed(reason), _) => Step::stay(Event::Finding(reason)),
            (Stage::Headers, _) | (_, None) => self.read_headers(input, eof),
            (Stage::Queue(next), Some(source)) => self.read_queue(&source, next, input, eof),
            (Stage::Queues, Some(source)) => self.end_queues(&source),
            (Stage::VendorPart(left), Some(source)) => self.read_vendor_part(&source, left, input, eof),
        }
    }

    fn choose(&mut self, choices: Choices) {
        self.choices = choices;
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.source.as_ref().map(|source| source as &dyn Attributes)
    }
}

#[cfg(test)]
mod tests;
