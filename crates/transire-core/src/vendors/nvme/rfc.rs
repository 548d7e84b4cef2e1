//! The controller state of the RFC "vfio-nvme" of August 2025: the standard's, behind a header of 20 bytes.
//!
//! Facts: the postings of 2 and 3 August 2025 to the kvm and linux-nvme lists (TP4159), whose author says that the
//! definition will be replaced. Its structure of a completion queue comes to 22 bytes, its comment says 24, and nothing
//! public shows which a device writes: the size of the state tells, but for a single completion queue. So states of this
//! layout are read, and written again as they were read; none is made.

use super::LAYOUTS;
use super::queues::{
    COMPLETION, Kind, QUEUE_LEN, STATE, STATE_HEADER_LEN, SUBMISSION, Source, Summary, VENDOR_PART, VENDOR_PART_OPTION,
    begins_with_zero, check_counts, check_suspended, check_vendor_part, check_version, header_notes,
    missing_completion, number, queue_findings, reasons, settled_by, word, wrong, zero_bits,
};
use crate::attribute::{AttributeId, Attributes, Statable, Value};
use crate::bytes::{index, widen};
use crate::format::{Choices, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, Proves, Role, Share};
use crate::verdict::{Datum, Reason};
use crate::whole::{self, Structure, Undecided, Whole, truncated};

/// Bytes of the header.
pub const HEADER_LEN: usize = 20;
/// Bytes of the header and the state's own.
pub const HEADERS_LEN: usize = HEADER_LEN + STATE_HEADER_LEN;
/// Most dwords of either part: the limit of the RFC's driver.
pub const DWORDS_MAX: u16 = 1024;
/// Bytes of the longest state.
pub const STREAM_MAX: u32 = 20 + 2 * 4 * DWORDS_MAX as u32;
/// Bytes of a completion queue as the RFC's structure declares it.
pub const SHORT_LEN: usize = 22;

/// The format.
pub static FORMAT: Format = Format {
    name: "nvme-rfc-2025",
    vendor: "nvme",
    title: "controller state of the Linux RFC vfio-nvme, August 2025",
    role: Role::Source,
    known_by: KnownBy::Fit(likeness),
    judged_within: Some(28),
    hold: Hold::Whole(STREAM_MAX),
    proves: Proves {
        glance: Glance {
            identity: "version, number of queues",
            driver_checks: Share::Part,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "the layout, by the arithmetic of its sizes; version 0; that the controller was suspended; how many queues of how many entries",
        driver_checks: "the version, and the sizes against its limits; the driver was never merged",
        end: "not marked; the length follows from two sizes in the header",
        payload: "nothing",
        sealing_adds: "checksums, a marked end, what the device is and what is behind it, the format of the vendor's part",
    },
    options: &[VENDOR_PART_OPTION],
    settled_by,
    layouts: &[&HEADER, &STATE, &SUBMISSION, &COMPLETION, &SHORT_COMPLETION, &PADDING, &VENDOR_PART],
    identify: whole::identify::<Stream>,
    reader: whole::reader::<Stream>,
    driver: None,
};

/// The header.
pub static HEADER: Layout = Layout {
    name: "header",
    fields: &[
        Field::new("version", 0, FieldKind::Number(2), "version of the header, 0"),
        Field::new("attributes", 2, FieldKind::Hex(1), "bit 0: suspended all the time while the state was fetched"),
        Field::new("reserved", 3, FieldKind::Bytes(13), "0"),
        Field::new("nvmecss", 16, FieldKind::Number(2), "dwords of the NVMe part"),
        Field::new("vss", 18, FieldKind::Number(2), "dwords of the vendor's part"),
    ],
};

/// An I/O completion queue, as the RFC's structure declares it.
pub static SHORT_COMPLETION: Layout = Layout {
    name: "short_completion_queue",
    fields: &[
        Field::new("prp1", 0, FieldKind::Hex(8), "address of the queue, or of its list of pages"),
        Field::new("qsize", 8, FieldKind::Number(2), "entries less one"),
        Field::new("qid", 10, FieldKind::Number(2), "id, ascending from 1"),
        Field::new("head", 12, FieldKind::Number(2), "index, up to qsize"),
        Field::new("tail", 14, FieldKind::Number(2), "index, up to qsize"),
        Field::new(
            "attr",
            16,
            FieldKind::Hex(2),
            "bit 0 contiguous, bit 1 interrupts enabled, bit 2 phase tag of entry 0",
        ),
        Field::new("reserved", 18, FieldKind::Hex(4), "0"),
    ],
};

/// Two bytes behind an odd number of completion queues of 22 bytes: the size of the part counts dwords.
pub static PADDING: Layout =
    Layout { name: "padding", fields: &[Field::new("padding", 0, FieldKind::Hex(2), "to the end of a dword, 0")] };

/// Zero in every header: the version and the reserved bytes, and the version of the state.
const ZERO: [u8; 22] = zero_bits(&[0..2, 3..16, 20..22]);

fn likeness(prefix: &[u8], _eof: bool) -> Likeness {
    if !begins_with_zero(prefix, &ZERO) {
        return Likeness::No;
    }
    if prefix.len() < HEADERS_LEN {
        return Likeness::Short;
    }
    let (state, vendor) = (word(prefix, 16), word(prefix, 18));
    let fits = completion_len(usize::from(state) * 4, prefix).is_some() && state > 0;
    let total = HEADER_LEN + 4 * (usize::from(state) + usize::from(vendor));
    if !fits || state > DWORDS_MAX || vendor > DWORDS_MAX || prefix.len() > total {
        return Likeness::No;
    }
    Likeness::Possible("version 0, reserved bytes 0, and behind 20 bytes queues that come to the size of their part")
}

/// Bytes of a completion queue in a part of so many bytes: 24 or 22; `None` where its queues come to neither.
fn completion_len(state_len: usize, headers: &[u8]) -> Option<usize> {
    let (submissions, completions) = (usize::from(word(headers, 22)), usize::from(word(headers, 24)));
    let before = STATE_HEADER_LEN + QUEUE_LEN * submissions;
    let in_dwords = |length: usize| (before + completions * length).next_multiple_of(4);
    [QUEUE_LEN, SHORT_LEN].into_iter().find(|&length| in_dwords(length) == state_len)
}

/// What the headers say, and how long a completion queue is.
#[derive(Clone, Copy, Debug)]
pub struct RfcSource {
    said: Source,
    completion_len: usize,
}

impl Attributes for RfcSource {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        self.said.value(id)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        self.said.place(id)
    }

    fn statable(&self) -> Option<&'static Statable> {
        self.said.statable()
    }
}

impl RfcSource {
    /// The queue with this number, of both kinds: its kind, its number among its kind, and where it stands.
    fn queue(&self, number: u32) -> Option<(Kind, u32, core::ops::Range<usize>)> {
        let (kind, number) = self.said.queue(number)?;
        let submissions = HEADERS_LEN + QUEUE_LEN * usize::from(self.said.submissions);
        let (start, length) = match kind {
            Kind::Submission => (HEADERS_LEN + QUEUE_LEN * index(number), QUEUE_LEN),
            Kind::Completion => (submissions + self.completion_len * index(number), self.completion_len),
        };
        Some((kind, number, start..start + length))
    }

    fn queues<'a>(&self, stream: &'a [u8]) -> impl Iterator<Item = (Kind, u32, &'a [u8], u64)> {
        (0..).map_while(|number| self.queue(number)).map(|(kind, number, range)| {
            let offset = widen(range.start);
            (kind, number, stream.get(range).unwrap_or(&[]), offset)
        })
    }

    /// Where the queues end.
    fn queues_end(&self) -> usize {
        let queues =
            QUEUE_LEN * usize::from(self.said.submissions) + self.completion_len * usize::from(self.said.completions);
        self.said.said_within() + queues
    }

    /// Where the NVMe part is filled up to a dword: 2 bytes, or none.
    fn padding(&self) -> core::ops::Range<usize> {
        self.queues_end()..HEADER_LEN + index(self.said.state_len)
    }
}

/// Bytes of the NVMe part and of the vendor's part: reads the header, check by check.
fn read_sizes(header: &[u8; HEADER_LEN]) -> Result<(u32, u32), Reason> {
    check_version(header, 0)?;
    check_suspended(header)?;
    let size = |at: usize, holds: &dyn Fn(u16) -> bool, required| {
        let dwords = word(header, at);
        let found = Datum::Count(u64::from(dwords));
        if holds(dwords) {
            Ok(u32::from(dwords) * 4)
        } else {
            Err(wrong(reasons::SIZES, widen(at), 2, found, required))
        }
    };
    let state = size(16, &|dwords| dwords != 1 && dwords <= DWORDS_MAX, "0, or 2 to 1024")?;
    let vendor = size(18, &|dwords| dwords <= DWORDS_MAX, "up to 1024")?;
    Ok((state, vendor))
}

/// The state, held whole.
#[derive(Debug)]
pub struct Stream;

impl Whole for Stream {
    type Source = RfcSource;

    const DECIDED_BY: usize = HEADER_LEN;

    fn source(prefix: &[u8], eof: bool, choices: Choices) -> Result<RfcSource, Undecided> {
        let header = prefix.first_chunk();
        let header = header.ok_or_else(|| truncated(prefix.len(), Datum::Word("20 bytes and more")))?;
        let (state_len, vendor_len) = read_sizes(header)?;
        let said = Source {
            layout: LAYOUTS[1],
            header_len: 20,
            state_len,
            vendor_len,
            submissions: 0,
            completions: 0,
            longest: None,
            scattered: None,
        };
        let named = || check_vendor_part(vendor_len, choices, (18, 2));
        if state_len == 0 {
            named()?;
            return Ok(RfcSource { said, completion_len: QUEUE_LEN });
        }
        let Some(headers) = prefix.get(..HEADERS_LEN) else {
            let total = Datum::Count(widen(said.stream_len()));
            return Err(if eof { truncated(prefix.len(), total).into() } else { Undecided::Need(HEADERS_LEN) });
        };
        check_version(headers, HEADER_LEN)?;
        let completion_len = completion_len(index(state_len), headers);
        check_counts(completion_len.is_some(), headers.get(HEADER_LEN..).unwrap_or(&[]), HEADER_LEN)?;
        named()?;
        let (submissions, completions) = (word(headers, 22), word(headers, 24));
        Ok(RfcSource {
            said: Source { submissions, completions, ..said },
            completion_len: completion_len.unwrap_or(QUEUE_LEN),
        })
    }

    fn decided_within(source: &RfcSource) -> usize {
        source.said.said_within()
    }

    fn most(source: &RfcSource) -> usize {
        source.said.stream_len()
    }

    fn check(source: &RfcSource, stream: &[u8], tell: &mut dyn FnMut(Reason) -> bool) {
        if !header_notes(&source.said, stream).all(&mut *tell) {
            return;
        }
        let cut = || truncated(stream.len(), Datum::Count(widen(source.said.stream_len())));
        let mut before = 0;
        for (kind, at, queue, offset) in source.queues(stream) {
            let length = if kind == Kind::Submission { QUEUE_LEN } else { source.completion_len };
            if queue.len() < length {
                tell(cut());
                return;
            }
            before = if at == 0 { 0 } else { before };
            if !queue_findings(kind, queue, offset, before).all(&mut *tell) {
                return;
            }
            before = word(queue, 10);
            let is_single = kind == Kind::Completion && source.said.completions == 1;
            if is_single && !tell(wrong(reasons::ENTRY_SIZE, offset + 16, 4, Datum::None, "22 bytes or 24")) {
                return;
            }
        }
        let ids = |wanted: Kind, at: usize| {
            source.queues(stream).filter(move |(kind, ..)| *kind == wanted).map(move |(_, _, queue, _)| word(queue, at))
        };
        let is_there = |id: u16| ids(Kind::Completion, 10).any(|there| there == id);
        if let Some(reason) = missing_completion(ids(Kind::Submission, 12), is_there, widen(HEADERS_LEN)) {
            tell(reason);
            return;
        }
        let padding = stream.get(source.padding()).unwrap_or(&[]);
        let filled = number(padding, 0, 2);
        if filled != 0 && !tell(wrong(reasons::RESERVED, widen(source.queues_end()), 2, Datum::Wire(filled), "0")) {
            return;
        }
        if stream.len() < source.said.stream_len() {
            tell(cut());
        }
    }

    fn refined(source: &RfcSource, stream: &[u8]) -> Option<RfcSource> {
        let mut all = Summary::default();
        for (kind, _, queue, offset) in source.queues(stream) {
            all.take(kind, queue, offset);
        }
        let said = Source { longest: all.longest, scattered: all.scattered, ..source.said };
        all.longest.is_some().then_some(RfcSource { said, ..*source })
    }

    fn structure(source: Option<&RfcSource>, input: &[u8], number: u32) -> Option<Structure> {
        let Some(after) = number.checked_sub(1) else {
            return Some(Structure { layout: &HEADER, number: None, range: 0..HEADER_LEN });
        };
        let has_state = input.first_chunk().is_some_and(|header| read_sizes(header).is_ok_and(|(state, _)| state > 0));
        if after == 0 && has_state {
            return Some(Structure { layout: &STATE, number: None, range: HEADER_LEN..HEADERS_LEN });
        }
        let source = source?;
        let next = if source.said.state_len > 0 { after.checked_sub(1)? } else { after };
        if let Some((kind, number, range)) = source.queue(next) {
            let layout = match (kind, range.len()) {
                (Kind::Submission, _) => &SUBMISSION,
                (Kind::Completion, SHORT_LEN) => &SHORT_COMPLETION,
                (Kind::Completion, _) => &COMPLETION,
            };
            return Some(Structure { layout, number: Some(number), range });
        }
        let behind = next - u32::from(source.said.submissions) - u32::from(source.said.completions);
        let filled = source.padding();
        let part = filled.end..source.said.stream_len();
        let padding = (!filled.is_empty()).then_some((&PADDING, filled));
        let vendor = (!part.is_empty()).then_some((&VENDOR_PART, part));
        let (layout, range) = [padding, vendor].into_iter().flatten().nth(index(behind))?;
        Some(Structure { layout, number: None, range })
    }
}
