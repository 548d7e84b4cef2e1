//! The stream of virtio: records that each hold a complete set of device parts; a later one replaces the earlier ones.
//!
//! Facts: Linux `drivers/vfio/pci/virtio/migrate.c`, `struct virtiovf_migration_header`; the parts in [`super::parts`].
//! Little-endian by definition. Nothing marks the end, and nothing says how many records there are.

use alloc::boxed::Box;

use super::driver::Device;
use super::parts::{
    COMMON_8, COMMON_16, COMMON_32, FEATURES, FEATURES_MAX, FEATURES_WIDE, Kind, NOTIFY, NUM_QUEUES_OFFSET, PART,
    PART_LEN, PART_OPTIONAL, Part, QUEUE, STATUS,
};
use super::{DEVICE_FEATURES, DRIVER_FEATURES, NUM_QUEUES};
use crate::attribute::{AttributeId, Attributes, Mask, Text, VENDOR, Value};
use crate::bytes::{index, little_endian, widen};
use crate::format::{
    Choices, Driver, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, Proves, Role, Share,
    settles_nothing,
};
use crate::recognise::PREFIX_MAX;
use crate::records::{
    self, HEADER, HEADER_LEN, Header, Length, OPTIONAL, RECORD_MAX, Reasons, Record, Room, Tell, Unit,
};
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};

/// The record is a set of device parts (`VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA`).
pub const DEVICE_DATA: u32 = 0;
/// Most bytes of a set: the driver puts 8 of its own before it and counts both in 32 bits.
pub const DATA_MAX: u64 = RECORD_MAX - 8;
/// Bytes within which the features are known: the header of the record, and two parts with features.
pub const JUDGED_WITHIN: u32 = 16 + 2 * (16 + FEATURES_MAX);

/// The format.
pub static FORMAT: Format = Format {
    name: "virtio",
    vendor: "virtio",
    title: "stream of the Linux driver virtio_vfio_pci: records of device parts",
    role: Role::Source,
    known_by: KnownBy::Fit(likeness),
    judged_within: Some(JUDGED_WITHIN),
    hold: Hold::Prefix(JUDGED_WITHIN),
    proves: Proves {
        glance: Glance {
            identity: "features",
            driver_checks: Share::Nothing,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "the features that the device offers and those in use; not whether it is for network or block",
        driver_checks: "nothing; the device compares the features, by the specification",
        end: "not marked; a cut between two records cannot be seen",
        payload: "nothing; parts have types, lengths and an order",
        sealing_adds: "checksums, a marked end, the identity of host and device",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[
        &HEADER,
        &PART,
        &FEATURES,
        &FEATURES_WIDE,
        &COMMON_8,
        &COMMON_16,
        &COMMON_32,
        &STATUS,
        &QUEUE,
        &NOTIFY,
        &PASSED_OVER,
    ],
    identify: records::identify::<Stream>,
    reader: records::reader::<Stream>,
    driver: Some(open_driver),
};

/// What an optional record or part that is not known holds, or a piece of it.
pub static PASSED_OVER: Layout = Layout {
    name: "passed_over",
    fields: &[Field::new("data", 0, FieldKind::Rest, "of a tag or a type that is not known")],
};

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        RECORD_SIZE: "virtio.record-size", Corrupt,
            "a record has a size that it cannot have; behind some the driver hands the device memory that is not its own",
            "the stream was damaged or forged: do not load it";
        TAG: "virtio.tag", Unrecognized,
            "a record that must be understood has a tag that is not known",
            "update transire; the driver refuses every such tag that it does not know";
        TAG_OPTIONAL: "virtio.tag-optional", Compatible,
            "a record that need not be understood has a tag that is not known: passed on; the driver drops it",
            "nothing; a newer transire may make use of it";
        FLAGS: "virtio.flags", Corrupt,
            "a record or a part has flags that its kind does not have",
            "the stream was damaged or forged, or transire is too old for it";
        PART_TYPE: "virtio.part-type", Unrecognized,
            "a part that must be understood has a type that is not known",
            "update transire; the device refuses a part that it does not know";
        PART_OPTIONAL: "virtio.part-optional", Compatible,
            "a part says that the device may ignore it",
            "nothing, if the guest can live without what it says";
        RESERVED: "virtio.reserved", Compatible,
            "bytes that are reserved are not zero",
            "nothing: a device that follows the specification ignores them";
        SELECTOR: "virtio.selector", Corrupt,
            "the selector of a part names nothing that a device has, or is used where there is none",
            "the stream was damaged or forged: do not load it";
        ORDER: "virtio.order", Corrupt,
            "parts of a set are out of order, repeated, or missing",
            "the stream was damaged or put together wrongly: do not load it";
        QUEUE: "virtio.queue", Corrupt,
            "a part is about a queue that the device does not have, or enables it with neither 0 nor 1",
            "the stream was damaged or forged: do not load it";
        PART_LENGTH: "virtio.part-length", Corrupt,
            "a part has a length that its type does not have, or does not fill its record with the others",
            "the stream was damaged or forged: do not load it";
        FEATURES: "virtio.features", Corrupt,
            "the guest's driver has accepted features that its device does not offer",
            "the stream was damaged or forged: do not load it";
    }
}

/// A record of parts, behind optional records where those are short.
fn likeness(prefix: &[u8], eof: bool) -> Likeness {
    let mut rest = prefix;
    loop {
        let Some((header, behind)) = rest.split_first_chunk() else { return short(prefix, rest, eof) };
        let header = Header::read(header);
        if header.tag == DEVICE_DATA {
            let possible = header.flags == 0 && (widen(PART_LEN)..=DATA_MAX).contains(&header.size);
            return match behind.first_chunk().map(Part::read) {
                _ if !possible => Likeness::Opaque,
                None => short(prefix, &[], eof),
                Some(part) if is_first(part) => {
                    Likeness::Possible("a record of tag 0 begins with a device part of a known type and its length")
                }
                Some(_) => Likeness::Opaque,
            };
        }
        if header.flags != OPTIONAL {
            return Likeness::Opaque;
        }
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        let Some(next) = behind.get(size..) else {
            // The record behind it may yet begin within what is looked at.
            let ends = prefix.len().saturating_sub(behind.len()).saturating_add(size);
            return if ends < index(PREFIX_MAX) { short(prefix, &[], eof) } else { Likeness::Opaque };
        };
        rest = next;
    }
}

/// Whether a set of parts can begin with this one.
fn is_first(part: Part) -> bool {
    part.reserved == 0
        && part
            .kind()
            .is_some_and(|kind| kind.has_selector(part.selector) && kind.has_length(part.selector, part.length))
}

/// The prefix ends in a header, whose size has no high half and whose flags are 0 or 1, or behind one. At the end of the
/// input that says too little.
fn short(prefix: &[u8], rest: &[u8], eof: bool) -> Likeness {
    let agrees = rest.iter().enumerate().all(|(at, &byte)| match at {
        4..=7 | 9..=11 => byte == 0,
        8 => byte <= 1,
        _ => true,
    });
    let ended = eof && !prefix.is_empty();
    if agrees && !ended && prefix.len() < index(PREFIX_MAX) { Likeness::Short } else { Likeness::Opaque }
}

/// Feature bits, and where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Features {
    bits: [u8; FEATURES_MAX as usize],
    /// Bytes up to the last that is not zero; one where all are.
    length: usize,
    place: (u64, u32),
}

impl Features {
    fn read(bytes: &[u8], at: u64) -> Self {
        let mut bits = [0; FEATURES_MAX as usize];
        let there = bytes.get(..bits.len()).unwrap_or(bytes);
        for (bit, byte) in bits.iter_mut().zip(there) {
            *bit = *byte;
        }
        let length = there.iter().rposition(|&byte| byte != 0).map_or(1, |last| last + 1);
        Self { bits, length, place: (at, u32::try_from(bytes.len()).unwrap_or(u32::MAX)) }
    }

    fn value(&self) -> Option<Value<'_>> {
        self.bits.get(..self.length).and_then(Mask::new).map(Value::Mask)
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.bits.iter().zip(&other.bits).all(|(mine, theirs)| mine & !theirs == 0)
    }
}

/// What a stream says of its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    device_features: Option<Features>,
    driver_features: Option<Features>,
    /// The number, and where it stands.
    queues: Option<(u16, u64)>,
}

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("virtio"))),
            number if number == DEVICE_FEATURES.number() => self.device_features.as_ref()?.value(),
            number if number == DRIVER_FEATURES.number() => self.driver_features.as_ref()?.value(),
            number if number == NUM_QUEUES.number() => self.queues.map(|(queues, _)| Value::Uint(queues.into())),
            _ => None,
        }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == DEVICE_FEATURES.number() => self.device_features.map(|features| features.place),
            number if number == DRIVER_FEATURES.number() => self.driver_features.map(|features| features.place),
            number if number == NUM_QUEUES.number() => self.queues.map(|(_, at)| (at, 2)),
            _ => None,
        }
    }
}

/// Which queues have been seen, one bit each.
struct Queues {
    configured: [u64; 1024],
    notified: [u64; 1024],
    any: bool,
}

impl Queues {
    const NONE: Self = Self { configured: [0; 1024], notified: [0; 1024], any: false };

    fn bit(queue: u64) -> (usize, u64) {
        (usize::try_from(queue >> 6).unwrap_or(usize::MAX), 1 << (queue & 63))
    }

    fn is_configured(&self, queue: u64) -> bool {
        let (word, bit) = Self::bit(queue);
        self.configured.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether it is new.
    fn add(&mut self, kind: Kind, queue: u64) -> bool {
        self.any = true;
        let seen = if kind == Kind::Queue { &mut self.configured } else { &mut self.notified };
        let (word, bit) = Self::bit(queue);
        seen.get_mut(word).is_some_and(|word| {
            let new = *word & bit == 0;
            *word |= bit;
            new
        })
    }
}

/// A stream, as far as it has been read.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the set at hand")]
pub struct Stream {
    /// Which record is at hand.
    number: u32,
    /// Whether it holds parts.
    of_parts: bool,
    /// The part at hand, and how much of the record is left behind it.
    part: Option<(Part, u64)>,
    /// The kind of the last part that is known.
    last: Option<Kind>,
    /// Whether the status has been seen.
    status: bool,
    /// Fields of the common configuration that have been seen, by their offset.
    fields: u64,
    /// Queues that have been seen, where the stream is read to its end: the source is told with the first part that could
    /// be about one.
    queues: Option<Box<Queues>>,
    source: Source,
    /// How often the source was told, whether in this record, and whether it is another one since.
    told: u32,
    told_here: bool,
    changed: bool,
    /// Sets that have passed.
    sets: bool,
}

impl Stream {
    fn tell_source(&mut self) {
        self.told = self.told.saturating_add(1);
        self.told_here = true;
        self.changed = false;
    }

    /// The checks of a part's header, behind which so many bytes of the record are left.
    fn begin_part(&mut self, part: Part, at: u64, left: u64, tell: Tell<'_>) {
        let field = |id: ReasonId, field: usize, found: Datum, required: Datum| {
            let reason = Reason::at(id, at).because(found, required);
            PART.fields.get(field).map_or(reason, |field| Reason { span: Some(field.span(at)), ..reason })
        };
        let (flags, kind) = (Datum::Wire(u64::from(part.flags)), part.kind());
        let part_type = Datum::Wire(u64::from(part.part_type));
        let optional = part.flags & PART_OPTIONAL != 0;
        if kind.is_none() && !optional {
            return tell(field(reasons::PART_TYPE, 0, part_type, Datum::Word("0x100 to 0x105, or the flag optional")));
        }
        if part.flags & !PART_OPTIONAL != 0 || (kind == Some(Kind::DevFeatures) && !optional) {
            return tell(field(reasons::FLAGS, 1, flags, Datum::Word("bit 0 alone; DEV_FEATURES has it")));
        }
        if optional && kind != Some(Kind::DevFeatures) {
            tell(field(reasons::PART_OPTIONAL, 1, part_type, Datum::None));
        }
        if part.reserved != 0 {
            tell(field(reasons::RESERVED, 2, Datum::Wire(u64::from(part.reserved)), Datum::Wire(0)));
        }
        if let Some(kind) = kind
            && let Some((id, place, required)) = self.misplaced(kind, part.selector)
        {
            let found = if place == 0 { part_type } else { Datum::Wire(part.selector) };
            return tell(field(id, place, found, Datum::Word(required)));
        }
        let length = u64::from(part.length);
        let right = kind.is_none_or(|kind| kind.has_length(part.selector, part.length));
        let behind = left.checked_sub(length).filter(|_| right);
        let Some(behind) = behind else {
            let required = if right { "no more than the record has left" } else { kind.map_or("", Kind::length_words) };
            return tell(field(reasons::PART_LENGTH, 4, Datum::Count(length), Datum::Word(required)));
        };
        if (1..widen(PART_LEN)).contains(&behind) {
            let end = at.saturating_add(widen(PART_LEN)).saturating_add(length);
            return tell(no_part(end, behind));
        }
        self.part = (length > 0).then_some((part, behind));
        let features = matches!(kind, Some(Kind::DevFeatures | Kind::DrvFeatures));
        if !features && !self.told_here {
            self.tell_source();
        }
    }

    /// What is wrong with where a part stands or what it is about: the reason, the field and what is required.
    fn misplaced(&mut self, kind: Kind, selector: u64) -> Option<(ReasonId, usize, &'static str)> {
        if self.last.is_some_and(|last| kind < last) {
            return Some((reasons::ORDER, 0, "a type that is not below the one before"));
        }
        if !kind.has_selector(selector) {
            return Some((reasons::SELECTOR, 3, "a field's offset, or a queue's index; 0 where there is neither"));
        }
        let again = match kind {
            Kind::CommonCfg => {
                let bit = 1_u64.checked_shl(u32::try_from(selector).unwrap_or(u32::MAX)).unwrap_or(0);
                let seen = self.fields & bit != 0;
                self.fields |= bit;
                seen
            }
            Kind::Queue | Kind::Notify => {
                let known = self.source.queues.is_none_or(|(queues, _)| selector < u64::from(queues));
                let queues = self.queues.as_deref_mut();
                let configured =
                    kind == Kind::Queue || queues.as_ref().is_some_and(|seen| seen.is_configured(selector));
                if !known || !configured {
                    return Some((reasons::QUEUE, 3, "a queue below num_queues that has a VQ_CFG"));
                }
                !queues.is_none_or(|seen| seen.add(kind, selector))
            }
            Kind::DevFeatures | Kind::DrvFeatures | Kind::Status => self.last == Some(kind),
        };
        self.last = Some(kind);
        self.status |= kind == Kind::Status;
        again.then_some((reasons::ORDER, 0, "no part twice"))
    }

    /// The checks of a part's value.
    fn value(&mut self, part: Part, bytes: &[u8], at: u64, tell: Tell<'_>) {
        let number = |from: usize, to: usize| bytes.get(from..to).map_or(0, little_endian);
        let reserved = |tell: Tell<'_>, from: usize, to: usize| {
            let (at, found) = (at.saturating_add(widen(from)), number(from, to));
            let length = u32::try_from(to.saturating_sub(from)).unwrap_or(0);
            let reason = Reason::at(reasons::RESERVED, at).spanning(at, length);
            if found != 0 {
                tell(reason.because(Datum::Wire(found), Datum::Wire(0)));
            }
        };
        match part.kind() {
            Some(Kind::DevFeatures) => {
                self.source.device_features = Some(Features::read(bytes, at));
                self.changed = true;
            }
            Some(Kind::DrvFeatures) => {
                let features = Features::read(bytes, at);
                self.source.driver_features = Some(features);
                if self.source.device_features.is_some_and(|offered| !features.is_subset(&offered)) {
                    let required = Datum::Word("no bit that DEV_FEATURES lacks");
                    return tell(
                        Reason::at(reasons::FEATURES, at).spanning(at, part.length).because(Datum::None, required),
                    );
                }
                self.changed = true;
                if !self.told_here {
                    self.tell_source();
                }
            }
            Some(Kind::CommonCfg) if part.selector == u64::from(NUM_QUEUES_OFFSET) => {
                let queues = u16::try_from(number(0, 2)).unwrap_or(0);
                self.source.queues = (queues > 0).then_some((queues, at));
                self.changed = true;
            }
            Some(Kind::Queue) => {
                if number(4, 6) > 1 {
                    let (at, found) = (at.saturating_add(4), Datum::Count(number(4, 6)));
                    let required = Datum::Word("0 or 1");
                    return tell(Reason::at(reasons::QUEUE, at).spanning(at, 2).because(found, required));
                }
                reserved(tell, 6, 8);
            }
            Some(Kind::Notify) => reserved(tell, 4, 8),
            Some(Kind::CommonCfg | Kind::Status) | None => {}
        }
    }
}

/// So few bytes are left of a record that they are no part.
fn no_part(at: u64, left: u64) -> Reason {
    let required = Datum::Word("16 or more, or none");
    Reason::at(reasons::PART_LENGTH, at)
        .spanning(at, u32::try_from(left).unwrap_or(0))
        .because(Datum::Count(left), required)
}

impl Room for Stream {
    type Source = Source;

    const REASONS: Reasons = Reasons {
        record_size: reasons::RECORD_SIZE,
        tag: reasons::TAG,
        tag_optional: reasons::TAG_OPTIONAL,
        flags: reasons::FLAGS,
    };

    fn new(_choices: Choices, whole: bool) -> Self {
        Self {
            number: 0,
            of_parts: false,
            part: None,
            last: None,
            status: false,
            fields: 0,
            queues: whole.then(|| Box::new(Queues::NONE)),
            source: Source::default(),
            told: 0,
            told_here: false,
            changed: false,
            sets: false,
        }
    }

    fn flags_of(&self, tag: u32) -> Option<u32> {
        (tag == DEVICE_DATA).then_some(0)
    }

    fn begin(&mut self, record: &Record, known: bool, tell: Tell<'_>) {
        self.number = record.number;
        self.of_parts = known;
        if !known {
            // Nothing is known of the source before its first set; it is told then.
            if self.told == 0 {
                self.tell_source();
            }
            return;
        }
        let size = record.header.size;
        if size == 0 || size > DATA_MAX {
            let required = if size == 0 { Datum::Word("1 or more") } else { Datum::Wire(DATA_MAX) };
            let reason = Reason::at(reasons::RECORD_SIZE, record.at).spanning(record.at, 8);
            return tell(reason.because(Datum::Wire(size), required));
        }
        if size < widen(PART_LEN) {
            return tell(no_part(record.at.saturating_add(widen(HEADER_LEN)), size));
        }
        (self.last, self.status, self.fields) = (None, false, 0);
        (self.source, self.told_here, self.changed) = (Source::default(), false, true);
        if let Some(queues) = self.queues.as_deref_mut().filter(|queues| queues.any) {
            *queues = Queues::NONE;
        }
    }

    fn unit(&self, left: u64) -> Unit {
        let whole = |layout, length| Unit { layout, number: self.number, length: Length::Whole(length) };
        let passing = |length| Unit { layout: &PASSED_OVER, number: self.number, length: Length::Passing(length) };
        match self.part {
            _ if !self.of_parts => passing(left),
            Some((part, behind)) if left > behind => match part.kind() {
                Some(kind) => whole(kind.layout(part.length), part.length),
                None => passing(left.saturating_sub(behind)),
            },
            _ => whole(&PART, 16),
        }
    }

    fn take(&mut self, bytes: &[u8], at: u64, left: u64, tell: Tell<'_>) {
        let before = left.saturating_add(widen(bytes.len()));
        match (self.part, bytes.first_chunk()) {
            (Some((part, behind)), _) if before > behind => self.value(part, bytes, at, tell),
            (_, Some(part)) => {
                self.part = None;
                self.begin_part(Part::read(part), at, left, tell);
            }
            (_, None) => {}
        }
    }

    fn finish(&mut self, at: u64, tell: Tell<'_>) {
        if !self.of_parts {
            return;
        }
        self.part = None;
        if !self.status {
            let required = Datum::Word("a DEVICE_STATUS");
            return tell(Reason::at(reasons::ORDER, at).because(Datum::None, required));
        }
        self.sets = true;
        if self.changed {
            self.tell_source();
        }
    }

    fn lacks(&self, end: u64) -> Option<Reason> {
        let required = Datum::Word("a set of device parts");
        (!self.sets).then(|| Reason::at(shared::STREAM_TRUNCATED, end).because(Datum::Count(end), required))
    }

    fn told(&self) -> u32 {
        self.told
    }

    fn source(&self) -> Source {
        self.source
    }
}

#[expect(clippy::unnecessary_wraps, reason = "other vendors' drivers need to know more of their target")]
fn open_driver(_target: &Target, _choices: Choices) -> Result<Box<dyn Driver>, &'static str> {
    Ok(Box::<Device>::default())
}
