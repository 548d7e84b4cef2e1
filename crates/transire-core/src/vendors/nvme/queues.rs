//! The NVMe Controller State: the part that the readable layouts share.
//!
//! Facts: NVMe Base Specification 2.1, figures of the NVMe Controller State, of the I/O submission queue and of the I/O
//! completion queue; the RFC "vfio-nvme" of August 2025 has the same with one entry in another size. Little-endian.

use core::ops::Range;

use alloc::vec::Vec;

use super::{CONTIGUOUS_QUEUES, HMLMS, IO_QUEUES, NONE, QUEUE_ENTRIES, STATE_LAYOUT, STATE_VERSION, VENDOR_FORMAT};
use crate::attribute::{AttributeId, Attributes, DRIVER_VERSION, PCI_ID, Statable, Text, VENDOR, Value};
use crate::bytes::{index, little_endian, widen};
use crate::format::{Choices, Field, FieldKind, Layout, OptionSpec};
use crate::verdict::{Datum, Reason, ReasonId};

/// Bytes of the state's own header: version and numbers of queues.
pub const STATE_HEADER_LEN: usize = 8;
/// Bytes of a queue.
pub const QUEUE_LEN: usize = 24;
/// Most I/O queues each way: the counts have 16 bits.
pub const QUEUES_MAX: u32 = 0xffff;
/// Smallest memory page (CAP.MPSMIN counts from 4 KiB): the address of a queue is a multiple of every page size.
pub const PAGE_MIN: u64 = 4096;
/// The only version that is defined, of a layout's header and of the state in it.
pub const VERSION: u16 = 0;

/// The state's own header.
pub static STATE: Layout = Layout {
    name: "state",
    fields: &[
        Field::new("ver", 0, FieldKind::Number(2), "version of the NVMe part, 0"),
        Field::new("niosq", 2, FieldKind::Number(2), "I/O submission queues"),
        Field::new("niocq", 4, FieldKind::Number(2), "I/O completion queues"),
        Field::new("reserved", 6, FieldKind::Hex(2), "0"),
    ],
};

/// An I/O submission queue.
pub static SUBMISSION: Layout = Layout {
    name: "submission_queue",
    fields: &[
        Field::new("prp1", 0, FieldKind::Hex(8), "address of the queue, or of its list of pages"),
        Field::new("qsize", 8, FieldKind::Number(2), "entries less one"),
        Field::new("qid", 10, FieldKind::Number(2), "id, ascending from 1"),
        Field::new("cqid", 12, FieldKind::Number(2), "id of the completion queue"),
        Field::new("attr", 14, FieldKind::Hex(2), "bit 0 contiguous, bits 2:1 priority"),
        Field::new("head", 16, FieldKind::Number(2), "index, up to qsize"),
        Field::new("tail", 18, FieldKind::Number(2), "index, up to qsize"),
        Field::new("reserved", 20, FieldKind::Hex(4), "0"),
    ],
};

/// An I/O completion queue.
pub static COMPLETION: Layout = Layout {
    name: "completion_queue",
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
        Field::new("vector", 18, FieldKind::Number(2), "interrupt vector: the upper half of the attributes"),
        Field::new("reserved", 20, FieldKind::Hex(4), "0"),
    ],
};

/// The vendor's part, or a piece of it: of [`PIECE_LEN`] bytes, the last one of what is left.
pub static VENDOR_PART: Layout = Layout {
    name: "vendor_part",
    fields: &[Field::new("data", 0, FieldKind::Rest, "in the vendor's own format, named by a UUID outside the state")],
};

/// Bytes of a piece of the vendor's part, as a describing reader tells it.
pub const PIECE_LEN: usize = 1 << 16;

/// Whether anything names the format of the vendor's part.
pub static VENDOR_PART_OPTION: OptionSpec = OptionSpec {
    name: "vendor-part",
    values: &["none", "given"],
    meaning: "whether a UUID names the format of the vendor's part: none unless the header or the target has vendor_format",
};

/// What `vendor_format` settles: [`VENDOR_PART_OPTION`].
pub fn settled_by(side: &dyn Attributes) -> Choices {
    match side.value(VENDOR_FORMAT) {
        Some(Value::Text(uuid)) => Choices::NONE.with(0, u8::from(uuid.as_str() != NONE)),
        _ => Choices::NONE,
    }
}

/// Whether a vendor's part may be there.
pub fn vendor_part_is_named(choices: Choices) -> bool {
    choices.get(0) == Some(1)
}

/// The reasons that only the native formats give.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        VERSION: "nvme.version", Unrecognized,
            "the header or the state has a version other than 0, the only one that is defined",
            "update transire, once another version is public";
        NOT_SUSPENDED: "nvme.not-suspended", Corrupt,
            "the controller was not suspended all the time while its state was fetched: the parts need not go together",
            "suspend the controller at the source, and fetch the state again";
        SIZES: "nvme.sizes", Corrupt,
            "the size of a part is beyond its limit, or one that no number of queues comes to",
            "the state was damaged or forged, or is in another layout: fetch it again, or name the layout with --format";
        VENDOR_PART: "nvme.vendor-part", Unrecognized,
            "the state has a vendor's part, and nothing names its format",
            "seal it with the source's vendor_format, or say that it is settled: --format NAME:vendor-part=given";
        QUEUE_COUNTS: "nvme.queue-counts", Corrupt,
            "the numbers of queues do not come to the size of the state",
            "the state was damaged or forged, or is in another layout: fetch it again, or name the layout with --format";
        QUEUE_BASE: "nvme.queue-base", Corrupt,
            "the address of a queue is 0, or not that of a page",
            "the state was damaged or forged: do not load it";
        QUEUE_SIZE: "nvme.queue-size", Corrupt,
            "a queue has a single entry; two are the fewest",
            "the state was damaged or forged: do not load it";
        QUEUE_ID: "nvme.queue-id", Corrupt,
            "the id of a queue is not above that of the queue before it, or is 0, which is the admin queue's",
            "the state was damaged or forged: do not load it";
        QUEUE_INDEX: "nvme.queue-index", Corrupt,
            "head or tail lies outside its queue",
            "the state was damaged or forged: do not load it";
        COMPLETION_QUEUE: "nvme.completion-queue", Corrupt,
            "a submission queue completes to a queue that is not there",
            "the state was damaged or forged: do not load it";
        RESERVED: "nvme.reserved", Compatible,
            "a reserved field is not zero",
            "look at the source: a later standard may give it a meaning";
        EMPTY: "nvme.empty", Compatible,
            "neither part of the state has anything: loading it restores nothing",
            "look at the source: it was asked for neither part";
        ENTRY_SIZE: "nvme.entry-size", Compatible,
            "a single completion queue in the RFC's layout: whether its entry has 22 bytes or 24 cannot be told; it is read as 24",
            "nothing, unless the interrupt vector matters: with 22 bytes there is none";
        SPDK: "nvme.spdk-image", Unrecognized,
            "the image of SPDK's vfio-user target, which was removed in September 2025: for a migration protocol that is gone, and with offsets that it used unchecked",
            "migrate with a target that uses another layout; nothing loads this one any more";
        BLOB: "nvme.ipu-blob", Unrecognized,
            "none of the layouts that can be read; what is left is the state of the RFC of 2022, a blob that only its device can read",
            "name the layout, if it is another one, with --format, to see what is wrong; seal a blob as opaque, and load it with the driver that saved it";
    }
}

/// Which queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// I/O submission queues.
    Submission,
    /// I/O completion queues.
    Completion,
}

/// What a state says of its source, and how long its parts are.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The value of `state_layout`.
    pub layout: &'static str,
    /// Bytes before the NVMe part.
    pub header_len: u32,
    /// Bytes of the NVMe part.
    pub state_len: u32,
    /// Bytes of the vendor's part.
    pub vendor_len: u32,
    /// I/O submission queues.
    pub submissions: u16,
    /// I/O completion queues.
    pub completions: u16,
    /// Entries of the longest queue, and where that is said; known behind the last queue.
    pub longest: Option<(u32, u64)>,
    /// Where a queue says that it is not contiguous; known behind the last queue.
    pub scattered: Option<u64>,
}

impl Source {
    /// Bytes of the whole.
    pub fn stream_len(&self) -> usize {
        index(self.header_len) + index(self.state_len) + index(self.vendor_len)
    }

    /// Bytes from the start that say this, but for what only the queues say.
    pub fn said_within(&self) -> usize {
        index(self.header_len) + if self.state_len == 0 { 0 } else { STATE_HEADER_LEN }
    }

    /// The kind of the queue with this number, and its number among its kind; `None` behind the last one.
    pub fn queue(&self, number: u32) -> Option<(Kind, u32)> {
        match number.checked_sub(u32::from(self.submissions)) {
            None => Some((Kind::Submission, number)),
            Some(number) => (number < u32::from(self.completions)).then_some((Kind::Completion, number)),
        }
    }
}

/// What a state says of its source, in either layout.
pub static STATABLE: Statable = Statable {
    attributes: &[VENDOR, STATE_LAYOUT, HMLMS, STATE_VERSION, IO_QUEUES, QUEUE_ENTRIES, CONTIGUOUS_QUEUES],
    unsaid: &[PCI_ID, DRIVER_VERSION],
};

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        let has_state = self.state_len > 0;
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("nvme"))),
            number if number == STATE_LAYOUT.number() => Some(Value::Text(Text::constant(self.layout))),
            // Only the standard's commands give the standard's layout.
            number if number == HMLMS.number() => (self.layout == super::LAYOUTS[0]).then_some(Value::Bool(true)),
            number if number == STATE_VERSION.number() => has_state.then_some(Value::Uint(u64::from(VERSION))),
            number if number == IO_QUEUES.number() => {
                has_state.then(|| Value::Uint(u64::from(self.submissions.max(self.completions))))
            }
            number if number == QUEUE_ENTRIES.number() => {
                self.longest.map(|(entries, _)| Value::Uint(u64::from(entries)))
            }
            number if number == CONTIGUOUS_QUEUES.number() => self.scattered.map(|_| Value::Bool(false)),
            _ => None,
        }
    }

    fn statable(&self) -> Option<&'static Statable> {
        Some(&STATABLE)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        let state = u64::from(self.header_len);
        match id.number() {
            number if number == STATE_VERSION.number() => Some((state, 2)),
            number if number == IO_QUEUES.number() => Some((state + 2, 4)),
            number if number == QUEUE_ENTRIES.number() => self.longest.map(|(_, offset)| (offset, 2)),
            number if number == CONTIGUOUS_QUEUES.number() => self.scattered.map(|offset| (offset, 2)),
            _ => None,
        }
    }
}

/// The bits of a header that are zero in every one: those of the bytes in `ranges`, and all but bit 0 of the attributes.
pub const fn zero_bits<const LENGTH: usize>(ranges: &[Range<usize>]) -> [u8; LENGTH] {
    let mut bits = [0; LENGTH];
    bits[2] = 0xfe;
    let mut range = 0;
    while range < ranges.len() {
        let mut at = ranges[range].start;
        while at < ranges[range].end {
            bits[at] = 0xff;
            at += 1;
        }
        range += 1;
    }
    bits
}

/// Whether a stream begins as a header does: the bits are zero, as far as it goes.
pub fn begins_with_zero(prefix: &[u8], bits: &[u8]) -> bool {
    // Most streams of others are told by their first byte; of the rest no byte is looked at alone.
    prefix.first().is_none_or(|first| *first == 0)
        && prefix.iter().zip(bits).fold(0, |seen, (byte, bits)| seen | byte & bits) == 0
}

/// A little-endian number in `bytes`, which are long enough.
pub fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    little_endian(bytes.get(at..).unwrap_or(&[]).get(..size).unwrap_or(&[]))
}

/// The same for a field of 16 bits.
pub fn word(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// What stands in a field, where it is not what it has to be.
pub fn wrong(id: ReasonId, offset: u64, size: u32, found: Datum, required: &'static str) -> Reason {
    Reason::at(id, offset).spanning(offset, size).because(found, Datum::Word(required))
}

/// The version at this offset, if it is another one than is known.
///
/// # Errors
/// That it is.
pub fn check_version(bytes: &[u8], at: usize) -> Result<(), Reason> {
    let version = word(bytes, at);
    if version == VERSION {
        return Ok(());
    }
    Err(wrong(reasons::VERSION, widen(at), 2, Datum::Count(u64::from(version)), "0"))
}

/// The byte of a header's attributes, at offset 2.
///
/// # Errors
/// The controller ran while its state was fetched.
pub fn check_suspended(header: &[u8]) -> Result<(), Reason> {
    let attributes = number(header, 2, 1);
    if attributes & 1 == 1 {
        return Ok(());
    }
    Err(wrong(reasons::NOT_SUSPENDED, 2, 1, Datum::Wire(attributes), "bit 0"))
}

/// That a vendor's part of so many bytes is named, where there is one. Checked behind all else that the headers say, as it
/// hangs on more than their bytes.
///
/// # Errors
/// It is not.
pub fn check_vendor_part(bytes: u32, choices: Choices, (at, size): (u64, u32)) -> Result<(), Reason> {
    if bytes == 0 || vendor_part_is_named(choices) {
        return Ok(());
    }
    Err(wrong(reasons::VENDOR_PART, at, size, Datum::Count(u64::from(bytes) / 4), "0, or a UUID of its format"))
}

/// That the numbers of queues come to the size of the state, whose own header begins at `at`.
///
/// # Errors
/// They do not.
pub fn check_counts(holds: bool, state: &[u8], at: usize) -> Result<(), Reason> {
    if holds {
        return Ok(());
    }
    let queues = number(state, 2, 2) + number(state, 4, 2);
    let required = "as many queues as the size of the state has room for";
    Err(wrong(reasons::QUEUE_COUNTS, widen(at) + 2, 4, Datum::Count(queues), required))
}

/// What there is to note of the headers: one of `header_len` bytes, and the state's own where there is one.
pub fn header_notes(source: &Source, headers: &[u8]) -> impl Iterator<Item = Reason> + use<> {
    let state = index(source.header_len);
    let attributes = number(headers, 2, 1) & 0xfe;
    let reserved = headers.get(3..16).unwrap_or(&[]).iter().any(|&byte| byte != 0);
    let of_state = number(headers, state + 6, 2);
    let note = |is: bool, at: u64, size: u32, found: Datum| is.then(|| wrong(reasons::RESERVED, at, size, found, "0"));
    let empty = source.state_len == 0 && source.vendor_len == 0;
    [
        note(attributes != 0, 2, 1, Datum::Wire(attributes)),
        note(reserved, 3, 13, Datum::None),
        empty.then(|| wrong(reasons::EMPTY, 16, 0, Datum::Count(0), "an NVMe part or a vendor's part")),
        note(source.state_len > 0 && of_state != 0, widen(state) + 6, 2, Datum::Wire(of_state)),
    ]
    .into_iter()
    .flatten()
}

/// What is wrong with a queue at `offset`, by ascending offset; `before` is the id of the one before it, or 0.
pub fn queue_findings(kind: Kind, queue: &[u8], offset: u64, before: u16) -> impl Iterator<Item = Reason> + use<> {
    let base = number(queue, 0, 8);
    let (size, id) = (word(queue, 8), word(queue, 10));
    let (attr, head, tail) = places(kind);
    let (reserved_bits, head_index, tail_index) = (word(queue, attr) & 0xfff8, word(queue, head), word(queue, tail));
    // The RFC's shorter entry has its reserved field where the vector is.
    let reserved_at = if queue.len() < QUEUE_LEN { 18 } else { 20 };
    let reserved = number(queue, reserved_at, 4);
    let found = move |holds: bool, id: ReasonId, at: usize, bytes: u32, found: Datum, required: &'static str| {
        (!holds).then(|| wrong(id, offset + widen(at), bytes, found, required))
    };
    let count = |number: u16| Datum::Count(u64::from(number));
    let (above, inside) = ("above the id before it", "0 to qsize");
    let page = base != 0 && base.is_multiple_of(PAGE_MIN);
    let reserved_bits_of = Datum::Wire(u64::from(reserved_bits));
    let mut all = [
        (0, found(page, reasons::QUEUE_BASE, 0, 8, Datum::Wire(base), "a page's address")),
        (8, found(size > 0, reasons::QUEUE_SIZE, 8, 2, count(size), "1 to 65535")),
        (10, found(id > before, reasons::QUEUE_ID, 10, 2, count(id), above)),
        (attr, found(reserved_bits == 0, reasons::RESERVED, attr, 2, reserved_bits_of, "no bit above bit 2")),
        (head, found(head_index <= size, reasons::QUEUE_INDEX, head, 2, count(head_index), inside)),
        (tail, found(tail_index <= size, reasons::QUEUE_INDEX, tail, 2, count(tail_index), inside)),
        (reserved_at, found(reserved == 0, reasons::RESERVED, reserved_at, 4, Datum::Wire(reserved), "0")),
    ];
    all.sort_unstable_by_key(|&(at, _)| at);
    all.into_iter().filter_map(|(_, finding)| finding)
}

/// Where attributes, head and tail stand in a queue.
const fn places(kind: Kind) -> (usize, usize, usize) {
    match kind {
        Kind::Submission => (14, 16, 18),
        Kind::Completion => (16, 12, 14),
    }
}

/// What queues that passed say of their source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// See [`Source::longest`].
    pub longest: Option<(u32, u64)>,
    /// See [`Source::scattered`].
    pub scattered: Option<u64>,
}

impl Summary {
    /// Takes a queue at `offset`.
    pub fn take(&mut self, kind: Kind, queue: &[u8], offset: u64) {
        let entries = u32::from(word(queue, 8)) + 1;
        if self.longest.is_none_or(|(longest, _)| entries > longest) {
            self.longest = Some((entries, offset + 8));
        }
        let (attr, ..) = places(kind);
        if word(queue, attr) & 1 == 0 {
            self.scattered.get_or_insert(offset + widen(attr));
        }
    }
}

/// The first submission queue that completes to a queue that is not there; the submission queues begin at `offset`.
pub fn missing_completion(
    mut wanted: impl Iterator<Item = u16>,
    is_there: impl Fn(u16) -> bool,
    offset: u64,
) -> Option<Reason> {
    let (number, id) = wanted.by_ref().enumerate().find(|&(_, id)| !is_there(id))?;
    let at = offset + widen(number) * widen(QUEUE_LEN) + 12;
    Some(wrong(reasons::COMPLETION_QUEUE, at, 2, Datum::Count(u64::from(id)), "the id of a completion queue"))
}

/// What must be remembered of queues that have passed: 2 bytes of each, so at most 256 KiB in all, as 65,535 each way are
/// the most ([`QUEUES_MAX`]).
#[derive(Debug)]
pub struct Queues {
    /// The id of the queue before, of its kind.
    pub before: u16,
    /// What they say of the source.
    pub summary: Summary,
    wanted: Vec<u16>,
    there: Vec<u16>,
}

/// Queues each way for which there is room from the beginning.
const QUEUES_USUAL: usize = 256;

impl Queues {
    /// Before the first queue.
    pub fn before_the_first() -> Self {
        let room = || Vec::with_capacity(QUEUES_USUAL);
        Self { before: 0, summary: Summary::default(), wanted: room(), there: room() }
    }

    /// Takes a queue that has passed.
    pub fn take(&mut self, kind: Kind, queue: &[u8], offset: u64) {
        self.summary.take(kind, queue, offset);
        self.before = word(queue, 10);
        match kind {
            Kind::Submission => self.wanted.push(word(queue, 12)),
            Kind::Completion => self.there.push(self.before),
        }
    }

    /// See [`missing_completion`].
    pub fn missing_completion(&self, offset: u64) -> Option<Reason> {
        missing_completion(self.wanted.iter().copied(), |id| self.there.binary_search(&id).is_ok(), offset)
    }
}
