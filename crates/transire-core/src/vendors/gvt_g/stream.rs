//! The migration image of GVT-g: a chain of records, of which the first is the head.
//!
//! Facts: the five sources that `docs/vendors/gvt-g.md` names, native C structures of x86-64, little-endian. All five call
//! themselves version 0 and none has a magic; what tells them apart is which records there are and how long their
//! entries. Each is a row of the table of generations; the reader keeps those rows that still fit, and refuses to choose
//! between two that would read the same bytes differently.
//!
//! An image has up to 9 MiB and is never held: registers and page tables pass as they come.
//!
//! Unconfirmed: the size of the `OpRegion`, the number of engines, and the number of the EXECLIST record where OPREGION has 8.

use alloc::boxed::Box;

use super::{HIGH_GM_MB, IMAGE_GENERATION, LOW_GM_MB, driver};
use crate::attribute::{
    Absence, AttributeId, Attributes, CAPACITY, PCI_ID, PciId, SOFTWARE_VERSION, Statable, Text, VENDOR, Value,
};
use crate::bytes::{Reader as Bytes, index, little_endian};
use crate::format::{
    Choices, DeviceKey, Driver, Event, Field, FieldKind, Format, Glance, Hold, Identified, KnownBy, Layout, Likeness,
    OptionSpec, Phase, Proves, Reader, Role, Share, Step,
};
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};
use crate::whole::truncated;

/// Bytes before the payload of each record: its type and its size.
pub const RECORD_LEN: u32 = 8;
/// Bytes of the head's payload.
pub const HEAD_LEN: u32 = 528;
/// Bytes of the head with its record header: the least that an image has.
pub const FIRST_LEN: u32 = RECORD_LEN + HEAD_LEN;
/// An image has fewer bytes than this: the size of the region that it is loaded from (`migrate.c`).
pub const IMAGE_LIMIT: u32 = 9 << 20;
/// Bytes that tell the source: the head, the header of the record behind it, and the device's id, with which the
/// configuration space begins.
pub const DECIDED_BY: u32 = FIRST_LEN + RECORD_LEN + ID_LEN;
/// Bytes of the configuration space (`migrate.h`).
pub const CFG_SPACE_LEN: u32 = 4096;
/// Bytes of the virtual registers, and of the shadow registers (`migrate.h`).
pub const REGISTERS_LEN: u32 = 2 << 20;
/// Bytes of the `OpRegion` (`INTEL_GVT_OPREGION_SIZE`). Unconfirmed.
pub const OPREGION_LEN: u32 = 8192;
/// Engines of a GPU: a ring id is below this. Unconfirmed.
pub const ENGINES: u32 = 5;
/// Most root page tables, and most workloads, that are taken: more than a guest of any size has.
pub const ENTRIES_MAX: u32 = 1 << 16;
/// Most graphics memory that a GTT record is taken to describe, in MiB: all that a GPU of these generations addresses.
pub const GRAPHICS_MEMORY_MAX_MB: u32 = 4096;
/// Bytes of the pieces in which a long payload is described.
const PIECE_LEN: u32 = 1 << 16;
/// PCI vendor and device id.
const ID_LEN: u32 = 4;
/// Bytes of GTT for a MiB of graphics memory: one entry of 8 for each page of 4 KiB.
const GTT_LEN_OF_MB: u32 = 256 * 8;

/// Type of the head.
pub(super) const HEAD: u32 = 1;
const CFG_SPACE: u32 = 2;

/// What an image begins with: a head of 528 bytes.
const SIGNATURE: [u8; 8] = [1, 0, 0, 0, 0x10, 2, 0, 0];

/// The option that says which of [`GENERATIONS`] an image is.
const GENERATION: usize = 0;

/// The format.
pub static FORMAT: Format = Format {
    name: "gvt-g",
    vendor: "gvt-g",
    title: "migration image of GVT-g, version 0 in one of five generations; never part of Linux",
    role: Role::Source,
    known_by: KnownBy::Fit(likeness),
    judged_within: Some(DECIDED_BY),
    hold: Hold::Prefix(DECIDED_BY),
    proves: Proves {
        glance: Glance {
            identity: "PCI id, graphics memory",
            driver_checks: Share::Part,
            end_marked: true,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "PCI id in the configuration space, graphics memory by the length of the GTT record; the generation \
                   only by which records there are and how long their entries",
        driver_checks: "types and lengths of records, the GTT record against its own memory; not the PCI id, not the \
                        version",
        end: "by data_size in the head, which the driver only holds against 9 MiB",
        payload: "nothing; crc_check is always 0",
        sealing_adds: "checksums, the generation, type, aggregation, software version and platform of the source",
    },
    options: &[OptionSpec {
        name: "generation",
        values: &["1", "2", "3", "4", "5"],
        meaning: "which driver wrote the image: its image_generation",
    }],
    settled_by,
    layouts: &[
        &HEAD_RECORD,
        &RECORD,
        &CFG_SPACE_PAYLOAD,
        &VREG_PIECE,
        &SREG_PIECE,
        &GTT_PIECE,
        &PPGTT_36,
        &PPGTT_40,
        &WORKLOAD_24,
        &WORKLOAD_36,
        &OPREGION_PAYLOAD,
        &EXECLIST,
    ],
    identify,
    reader: |describe| Box::new(ImageReader::new(describe)),
    driver: Some(open_driver),
};

const fn number(name: &'static str, offset: u32, meaning: &'static str) -> Field {
    Field::new(name, offset, FieldKind::Number(4), meaning)
}

const fn word(name: &'static str, offset: u32, meaning: &'static str) -> Field {
    Field::new(name, offset, FieldKind::Hex(4), meaning)
}

const fn rest(meaning: &'static str) -> [Field; 1] {
    [Field::new("bytes", 0, FieldKind::Rest, meaning)]
}

/// The first record.
pub static HEAD_RECORD: Layout = Layout {
    name: "head",
    fields: &[
        number("type", 0, "1"),
        number("size", 4, "bytes that follow, 528"),
        number("version", 8, "0"),
        number("data_size", 12, "bytes of the image, all records with their headers"),
        Field::new("crc_check", 16, FieldKind::Hex(8), "always 0"),
        Field::new("global_data", 24, FieldKind::Bytes(512), "old stack, but for the first word under Xen"),
    ],
};

/// What each other record begins with.
pub static RECORD: Layout = Layout {
    name: "record",
    fields: &[number("type", 0, "what it is"), number("size", 4, "bytes that follow these 8")],
};

/// The payload of `CFG_SPACE`.
pub static CFG_SPACE_PAYLOAD: Layout = Layout {
    name: "cfg_space",
    fields: &[
        Field::new("vendor_id", 0, FieldKind::Hex(2), "PCI vendor"),
        Field::new("device_id", 2, FieldKind::Hex(2), "PCI device"),
        Field::new("bytes", 4, FieldKind::Rest, "the rest of the virtual configuration space"),
    ],
};

/// A piece of VREG.
pub static VREG_PIECE: Layout = Layout { name: "vreg", fields: &rest("virtual registers") };
/// A piece of SREG.
pub static SREG_PIECE: Layout = Layout { name: "sreg", fields: &rest("shadow registers") };
/// A piece of GTT.
pub static GTT_PIECE: Layout =
    Layout { name: "gtt", fields: &rest("page table entries of 8 bytes: low memory, then high memory") };
/// The payload of OPREGION.
pub static OPREGION_PAYLOAD: Layout = Layout { name: "opregion", fields: &rest("the virtual OpRegion") };

/// A root page table of generation 1.
pub static PPGTT_36: Layout = Layout {
    name: "ppgtt",
    fields: &[
        number("level", 0, "levels of the table"),
        word("pdp0", 4, "page directory pointer"),
        word("pdp1", 8, "page directory pointer"),
        word("pdp2", 12, "page directory pointer"),
        word("pdp3", 16, "page directory pointer"),
        word("pdp4", 20, "page directory pointer"),
        word("pdp5", 24, "page directory pointer"),
        word("pdp6", 28, "page directory pointer"),
        word("pdp7", 32, "page directory pointer"),
    ],
};

/// A root page table of the later generations.
pub static PPGTT_40: Layout = Layout {
    name: "ppgtt",
    fields: &[
        number("level", 0, "levels of the table"),
        word("padding", 4, "left by the compiler, 0"),
        Field::new("pdp0", 8, FieldKind::Hex(8), "page directory pointer: the shadow's in generation 2"),
        Field::new("pdp1", 16, FieldKind::Hex(8), "page directory pointer"),
        Field::new("pdp2", 24, FieldKind::Hex(8), "page directory pointer"),
        Field::new("pdp3", 32, FieldKind::Hex(8), "page directory pointer"),
    ],
};

/// A workload of generations 1 and 2.
pub static WORKLOAD_24: Layout = Layout {
    name: "workload",
    fields: &[
        number("ring_id", 0, "engine, 0 to 4"),
        word("elsp0", 4, "word for the submit port"),
        word("elsp1", 8, "word for the submit port"),
        word("elsp2", 12, "word for the submit port"),
        word("elsp3", 16, "word for the submit port"),
        number("index", 20, "next of these words"),
    ],
};

/// A workload of the later generations.
pub static WORKLOAD_36: Layout = Layout {
    name: "workload",
    fields: &[
        number("ring_id", 0, "engine, 0 to 4"),
        Field::new("emulate_schedule_in", 4, FieldKind::Number(1), "0 or 1"),
        Field::new("padding", 5, FieldKind::Hex(3), "left by the compiler, 0"),
        word("ctx_ldw", 8, "context descriptor, low word"),
        word("ctx_udw", 12, "context descriptor, high word"),
        word("elsp0", 16, "word for the submit port"),
        word("elsp1", 20, "word for the submit port"),
        word("elsp2", 24, "word for the submit port"),
        word("elsp3", 28, "word for the submit port"),
        number("index", 32, "next of these words"),
    ],
};

/// An engine's words of EXECLIST.
pub static EXECLIST: Layout = Layout {
    name: "execlist",
    fields: &[
        word("elsp0", 0, "word for the submit port"),
        word("elsp1", 4, "word for the submit port"),
        word("elsp2", 8, "word for the submit port"),
        word("elsp3", 12, "word for the submit port"),
        number("index", 16, "next of these words"),
    ],
};

/// A kind of record.
#[derive(Debug)]
struct Object {
    kind: u32,
    name: &'static str,
    size: Size,
    mandatory: bool,
    /// An entry, or a piece of what has none.
    layout: &'static Layout,
}

#[derive(Debug)]
enum Size {
    Exactly(u32),
    /// One GTT entry for each page of graphics memory.
    Memory,
    /// Entries of so many bytes, at most so many.
    Entries(u32, u32),
}

impl Size {
    fn holds(&self, size: u32) -> bool {
        match *self {
            Self::Exactly(bytes) => size == bytes,
            Self::Memory => memory_of(size).is_some(),
            Self::Entries(bytes, most) => size.checked_rem(bytes) == Some(0) && size / bytes.max(1) <= most,
        }
    }

    const fn words(&self) -> &'static str {
        match *self {
            Self::Exactly(CFG_SPACE_LEN) => "4096",
            Self::Exactly(REGISTERS_LEN) => "2097152",
            Self::Exactly(_) => "8192",
            Self::Memory => "8 for each page of the memory of a type",
            Self::Entries(36, _) => "a multiple of 36",
            Self::Entries(40, _) => "a multiple of 40",
            Self::Entries(24, _) => "a multiple of 24",
            Self::Entries(..) => "a multiple of 20, at most 100",
        }
    }
}

/// Low and high graphics memory, in MiB, of a GTT record of so many bytes. The types share their memory in two ways, 1 to 6
/// and 1 to 4, and up to 4 GiB no amount is a multiple in both.
fn memory_of(size: u32) -> Option<(u64, u64)> {
    let total = (size.checked_rem(GTT_LEN_OF_MB) == Some(0)).then_some(size / GTT_LEN_OF_MB)?;
    let part = match total {
        0 => return None,
        total if total > GRAPHICS_MEMORY_MAX_MB => return None,
        total if total.checked_rem(448) == Some(0) => total / 7,
        total if total.checked_rem(640) == Some(0) => total / 5,
        _ => return None,
    };
    Some((u64::from(part), u64::from(total - part)))
}

const fn object(kind: u32, name: &'static str, size: Size, layout: &'static Layout) -> Object {
    Object { kind, name, size, mandatory: true, layout }
}

const CFG: Object = object(CFG_SPACE, "CFG_SPACE", Size::Exactly(CFG_SPACE_LEN), &CFG_SPACE_PAYLOAD);
const VREG: Object = object(3, "VREG", Size::Exactly(REGISTERS_LEN), &VREG_PIECE);
const SREG: Object = object(4, "SREG", Size::Exactly(REGISTERS_LEN), &SREG_PIECE);
const GTT: Object = object(5, "GTT", Size::Memory, &GTT_PIECE);
const PPGTTS_OF_36: Object = object(6, "PPGTT", Size::Entries(36, ENTRIES_MAX), &PPGTT_36);
const PPGTTS_OF_40: Object = object(6, "PPGTT", Size::Entries(40, ENTRIES_MAX), &PPGTT_40);
const WORKLOADS_OF_24: Object = object(7, "WORKLOAD", Size::Entries(24, ENTRIES_MAX), &WORKLOAD_24);
const WORKLOADS_OF_36: Object = object(7, "WORKLOAD", Size::Entries(36, ENTRIES_MAX), &WORKLOAD_36);
/// Left out under KVM.
const OPREGION: Object =
    Object { mandatory: false, ..object(8, "OPREGION", Size::Exactly(OPREGION_LEN), &OPREGION_PAYLOAD) };

const fn execlists(kind: u32) -> Object {
    object(kind, "EXECLIST", Size::Entries(20, ENGINES), &EXECLIST)
}

/// A layout of the image: its records behind the head, in the order in which they are saved.
#[derive(Debug)]
struct Generation {
    objects: &'static [Object],
    /// As users name it.
    name: &'static str,
    /// What speaks for it.
    evidence: &'static str,
}

pub(super) const GENERATION_COUNT: usize = 5;

static GENERATIONS: [Generation; GENERATION_COUNT] = [
    Generation {
        objects: &[CFG, SREG, VREG, GTT, PPGTTS_OF_36, WORKLOADS_OF_24, OPREGION],
        name: "gvt-g:generation=1",
        evidence: "what was read has its records: shadow registers, PPGTT entries of 36, workloads of 24",
    },
    Generation {
        objects: &[CFG, SREG, VREG, GTT, PPGTTS_OF_40, WORKLOADS_OF_24, OPREGION],
        name: "gvt-g:generation=2",
        evidence: "what was read has its records: shadow registers, PPGTT entries of 40, workloads of 24",
    },
    Generation {
        objects: &[CFG, SREG, VREG, GTT, PPGTTS_OF_40, WORKLOADS_OF_36, OPREGION, execlists(9)],
        name: "gvt-g:generation=3",
        evidence: "what was read has its records: shadow registers, workloads of 36, execlists of type 9",
    },
    Generation {
        objects: &[CFG, VREG, GTT, PPGTTS_OF_40, WORKLOADS_OF_36, OPREGION, execlists(9)],
        name: "gvt-g:generation=4",
        evidence: "what was read has its records: no shadow registers, workloads of 36, execlists of type 9",
    },
    Generation {
        objects: &[CFG, VREG, GTT, PPGTTS_OF_40, WORKLOADS_OF_36, execlists(8)],
        name: "gvt-g:generation=5",
        evidence: "what was read has its records: no shadow registers, workloads of 36, execlists of type 8",
    },
];

/// What the driver of a generation, by its place, makes of the header of a record: nothing where it does not know the type,
/// an error where it refuses the size, and otherwise the size of its entries if they are workloads.
pub(super) fn drivers_record(generation: usize, kind: u32, size: u32, gtt_len: u32) -> Option<Result<Option<u32>, ()>> {
    let objects = GENERATIONS.get(generation)?.objects;
    let object = objects.iter().find(|object| object.kind == kind)?;
    let (holds, entry) = match object.size {
        Size::Exactly(bytes) => (size == bytes, None),
        Size::Memory => (size == gtt_len, None),
        // However many they are.
        Size::Entries(bytes, _) => (size.checked_rem(bytes) == Some(0), Some(bytes)),
    };
    let has_ring = object.layout.field("ring_id").is_some();
    Some(if holds { Ok(entry.filter(|_| has_ring)) } else { Err(()) })
}

/// The ring that a workload is for, where there is one of that number.
pub(super) fn ring_of(workload: &[u8]) -> Option<u32> {
    word_at(workload, 0).filter(|ring| *ring < ENGINES)
}

fn open_driver(target: &Target, choices: Choices) -> Result<Box<dyn Driver>, &'static str> {
    let Some(place) = choices.or(settled_by(target)).get(GENERATION) else {
        return Err("the target must say image_generation");
    };
    let memory = |id| match target.value(id) {
        Some(Value::Uint(megabytes)) => u32::try_from(megabytes).ok(),
        _ => None,
    };
    match memory(LOW_GM_MB).zip(memory(HIGH_GM_MB)) {
        Some((low, high)) => Ok(Box::new(driver::Device::restoring(place + 1, low.saturating_add(high)))),
        None => Err("the target must say mdev_type, or low_gm_mb and high_gm_mb"),
    }
}

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        RECORD_TYPE: "gvt-g.record-type", Corrupt,
            "a record has a type that this generation does not have; the driver would end there and report success",
            "name the generation that wrote the image, or save the device again: what follows would not be loaded";
        RECORD_SIZE: "gvt-g.record-size", Corrupt,
            "a record has a size that its type does not have in this generation",
            "name the generation that wrote the image, or save the device again";
        VERSION: "gvt-g.version", Unrecognized,
            "the image has a version other than 0, the only one that was ever written; no driver looks at it",
            "save the device again";
        DATA_SIZE: "gvt-g.data-size", Corrupt,
            "data_size is not the length of the records, or no image has it; the driver only holds it against 9 MiB",
            "the image was damaged or put together wrongly: save the device again";
        ORDER: "gvt-g.order", Corrupt,
            "a record comes again, or behind one that is saved after it; the driver would load it all the same",
            "the image was put together wrongly: do not load it";
        RING: "gvt-g.ring-id", Corrupt,
            "a workload is for an engine that there is not; the driver would index with it unchecked",
            "the image was damaged or forged: do not load it";
        MISSING: "gvt-g.missing", Corrupt,
            "the image ends without a record that its generation always saves; the device would run on what it held \
             before",
            "save the device again: the image is not whole";
        ENGINES: "gvt-g.engines", Compatible,
            "there are execlists of fewer engines than a GPU has; the driver copies those of all, whatever the record has",
            "look at the source: a known driver saves one for each engine";
        FILLER: "gvt-g.filler", Compatible,
            "crc_check, or bytes that the compiler left, are not zero; the driver does not look at them",
            "nothing: no state depends on it";
    }
}

fn settled_by(side: &dyn Attributes) -> Choices {
    match side.value(IMAGE_GENERATION) {
        Some(Value::Uint(generation @ 1..=5)) => {
            // The place of the value is one below its number, which the pattern bounds.
            Choices::NONE.with(GENERATION, u8::try_from(generation - 1).unwrap_or(0))
        }
        _ => Choices::NONE,
    }
}

fn likeness(prefix: &[u8], _eof: bool) -> Likeness {
    match prefix.first_chunk() {
        Some(first) if *first == SIGNATURE => {
            Likeness::Possible("the first record has type 1 and 528 bytes, as the head of an image")
        }
        None if SIGNATURE.starts_with(prefix) => Likeness::Short,
        _ => Likeness::No,
    }
}

/// What an image says of its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// From the configuration space.
    id: Option<PciId>,
    /// 1 to 5, once it is settled.
    generation: Option<u8>,
    /// Low and high memory in MiB, and where the size of the GTT record stands.
    memory: Option<(u64, u64, u64)>,
}

/// What an image says of its source.
pub static STATABLE: Statable = Statable {
    attributes: &[VENDOR, PCI_ID, IMAGE_GENERATION, LOW_GM_MB, HIGH_GM_MB],
    unsaid: &[SOFTWARE_VERSION, CAPACITY],
};

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("gvt-g"))),
            number if number == PCI_ID.number() => self.id.map(Value::PciId),
            number if number == IMAGE_GENERATION.number() => {
                self.generation.map(|generation| Value::Uint(u64::from(generation)))
            }
            number if number == LOW_GM_MB.number() => self.memory.map(|(low, ..)| Value::Uint(low)),
            number if number == HIGH_GM_MB.number() => self.memory.map(|(_, high, _)| Value::Uint(high)),
            _ => None,
        }
    }

    fn absence(&self, id: AttributeId) -> Absence {
        match id {
            id if id.is_one_of(&[LOW_GM_MB, HIGH_GM_MB, IMAGE_GENERATION]) => Absence::Awaited,
            id => STATABLE.absence(id),
        }
    }

    fn statable(&self) -> Option<&'static Statable> {
        Some(&STATABLE)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == PCI_ID.number() => self.id.map(|_| (u64::from(FIRST_LEN + RECORD_LEN), ID_LEN)),
            number if number == LOW_GM_MB.number() || number == HIGH_GM_MB.number() => {
                self.memory.map(|(_, _, at)| (at, 4))
            }
            _ => None,
        }
    }
}

/// A little-endian word of 4 bytes at an offset; `None` where the bytes end before it does.
fn word_at(bytes: &[u8], at: u32) -> Option<u32> {
    Bytes::new(bytes.get(index(at)..)?).u32().ok()
}

fn field(id: ReasonId, offset: u64, found: u32, required: Datum) -> Reason {
    Reason::at(id, offset).spanning(offset, 4).because(Datum::Count(u64::from(found)), required)
}

/// The size of the image, and what its beginning says of the source. At least [`DECIDED_BY`] bytes, or all that there are.
fn read_head(input: &[u8], choices: Choices) -> Result<(u32, Source), Reason> {
    let short = || truncated(input.len(), Datum::Count(u64::from(FIRST_LEN)));
    let kind = word_at(input, 0).ok_or_else(short)?;
    if kind != HEAD {
        return Err(field(reasons::RECORD_TYPE, 0, kind, Datum::Count(1)));
    }
    let size = word_at(input, 4).ok_or_else(short)?;
    if size != HEAD_LEN {
        return Err(field(reasons::RECORD_SIZE, 4, size, Datum::Count(u64::from(HEAD_LEN))));
    }
    if input.len() < index(FIRST_LEN) {
        return Err(short());
    }
    let version = word_at(input, 8).ok_or_else(short)?;
    if version != 0 {
        return Err(field(reasons::VERSION, 8, version, Datum::Count(0)));
    }
    let data_size = word_at(input, 12).ok_or_else(short)?;
    if !(FIRST_LEN..IMAGE_LIMIT).contains(&data_size) {
        return Err(field(reasons::DATA_SIZE, 12, data_size, Datum::Word("536 to 9437183")));
    }
    let is_space = word_at(input, FIRST_LEN) == Some(CFG_SPACE)
        && word_at(input, FIRST_LEN + 4) == Some(CFG_SPACE_LEN)
        && data_size >= DECIDED_BY;
    let id = word_at(input, FIRST_LEN + RECORD_LEN).filter(|_| is_space).map(|id| {
        let [vendor_low, vendor_high, device_low, device_high] = id.to_le_bytes();
        PciId {
            vendor: u16::from_le_bytes([vendor_low, vendor_high]),
            device: u16::from_le_bytes([device_low, device_high]),
        }
    });
    let generation = choices.get(GENERATION).map(|place| place.saturating_add(1));
    Ok((data_size, Source { id, generation, memory: None }))
}

fn identify(prefix: &[u8], eof: bool, choices: Choices, show: &mut dyn FnMut(&dyn Attributes)) -> Identified {
    if prefix.len() < index(DECIDED_BY) && !eof {
        return Identified::Need(DECIDED_BY);
    }
    match read_head(prefix, choices) {
        Ok((_, source)) => {
            show(&source);
            Identified::Shown(DECIDED_BY.min(u32::try_from(prefix.len()).unwrap_or(u32::MAX)))
        }
        Err(reason) => Identified::Refused(reason),
    }
}

/// How far an image has come by one generation.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Progress {
    /// The next of its objects.
    next: usize,
    /// The first that should have come and did not.
    missing: Option<usize>,
}

/// What a reader is about to tell.
#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    /// The header of a record, or the end.
    Header,
    Payload {
        object: &'static Object,
        left: u32,
        number: u32,
    },
    /// Of these generations each is told, from this one on, and then that they are several.
    Ambiguous(u8, usize),
    Ended,
    /// A reader that has failed has nothing else to say.
    Failed(Reason),
}

/// Reads an image.
#[derive(Debug)]
pub struct ImageReader {
    describe: bool,
    choices: Choices,
    source: Option<Source>,
    /// Of each generation, whether and how far the image is one.
    fits: [Option<Progress>; GENERATION_COUNT],
    /// Bytes that are done with, and bytes in all.
    offset: u32,
    size: u32,
    state: State,
    /// What is done with of the structure at hand: it is described, its record is entered, a note is told.
    told: Told,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    record: bool,
    entered: bool,
    note: bool,
}

impl ImageReader {
    /// A reader at the start of an image.
    pub const fn new(describe: bool) -> Self {
        Self {
            describe,
            choices: Choices::NONE,
            source: None,
            fits: [Some(Progress { next: 0, missing: None }); GENERATION_COUNT],
            offset: 0,
            size: 0,
            state: State::Head,
            told: Told { record: false, entered: false, note: false },
        }
    }

    fn at(&self) -> u64 {
        u64::from(self.offset)
    }

    fn fail<'a>(&mut self, reason: Reason) -> Step<'a> {
        self.state = State::Failed(reason);
        Step::stay(Event::Finding(reason))
    }

    /// The input ends in a structure: what is there of it is described, then that it is cut.
    fn cut<'a>(&mut self, layout: &'static Layout, number: Option<u32>, input: &'a [u8], required: u32) -> Step<'a> {
        let reason = truncated(index(self.offset).saturating_add(input.len()), Datum::Count(u64::from(required)));
        match self.record(layout, number, input) {
            Some(event) => Step::stay(event),
            None => self.fail(reason),
        }
    }

    /// The structure, for a reader that describes and has not.
    fn record<'a>(&mut self, layout: &'static Layout, number: Option<u32>, bytes: &'a [u8]) -> Option<Event<'a>> {
        if !self.describe || self.told.record || bytes.is_empty() {
            return None;
        }
        self.told.record = true;
        Some(Event::Record { layout, number, offset: self.at(), bytes })
    }

    fn note<'a>(&mut self, note: Option<Reason>) -> Option<Event<'a>> {
        let note = note.filter(|_| !self.told.note)?;
        self.told.note = true;
        Some(Event::Finding(note))
    }

    /// Hands on the bytes of a structure of which all has been told.
    fn deliver<'a>(&mut self, bytes: &'a [u8], next: State) -> Step<'a> {
        self.offset = self.offset.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.told = Told::default();
        self.state = next;
        let event = Event::Data { device: DeviceKey::default(), phase: Phase::Unspecified, bytes };
        Step { used: bytes.len(), event }
    }

    fn read_head<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        if input.len() < index(DECIDED_BY) && !eof {
            return Step::stay(Event::Need(index(DECIDED_BY)));
        }
        let head = input.get(..index(FIRST_LEN)).unwrap_or(input);
        if let Some(event) = self.record(&HEAD_RECORD, None, head) {
            return Step::stay(event);
        }
        if self.source.is_none() {
            match read_head(input, self.choices) {
                Ok((size, source)) => {
                    self.size = size;
                    self.source = Some(source);
                    self.settle(source.generation.map_or(u8::MAX, |generation| 1 << (generation - 1)));
                    return Step::stay(Event::Profile);
                }
                Err(reason) => return self.fail(reason),
            }
        }
        let crc = input.get(16..24).map_or(0, little_endian);
        let note = Reason::at(reasons::FILLER, 16).spanning(16, 8).because(Datum::Wire(crc), Datum::Wire(0));
        if let Some(event) = self.note((crc != 0).then_some(note)) {
            return Step::stay(event);
        }
        self.deliver(head, State::Header)
    }

    fn read_header<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        let size = self.size;
        let left = size.saturating_sub(self.offset);
        if left == 0 {
            return self.finish();
        }
        let wrong_size = |end: u64| field(reasons::DATA_SIZE, 12, size, Datum::Count(end));
        if left < RECORD_LEN {
            return self.fail(wrong_size(self.at()));
        }
        let Some(header) = input.get(..index(RECORD_LEN)) else {
            return if eof {
                self.cut(&RECORD, None, input, self.size)
            } else {
                Step::stay(Event::Need(index(RECORD_LEN)))
            };
        };
        if let Some(event) = self.record(&RECORD, None, header) {
            return Step::stay(event);
        }
        let (kind, size) = (word_at(header, 0).unwrap_or(0), word_at(header, 4).unwrap_or(0));
        if !self.told.entered {
            self.told.entered = true;
            if let Err(reason) = self.enter(kind, size) {
                return self.fail(reason);
            }
            if size > left - RECORD_LEN {
                return self.fail(wrong_size(self.at().saturating_add(u64::from(RECORD_LEN) + u64::from(size))));
            }
            let Ok(changed) = self.settled(size, false) else { return self.ambiguous(false) };
            if let Some((low, high)) = memory_of(size).filter(|_| kind == GTT.kind)
                && let Some(source) = &mut self.source
            {
                source.memory = Some((low, high, u64::from(self.offset) + 4));
                return Step::stay(Event::Profile);
            }
            if changed {
                return Step::stay(Event::Profile);
            }
        }
        let Some(object) = self.entered().next() else { return self.finish() };
        let lists = size / 20;
        let few = object.layout.name == EXECLIST.name && lists < ENGINES;
        let note = field(reasons::ENGINES, self.at() + 4, size, Datum::Count(u64::from(ENGINES * 20)));
        if let Some(event) = self.note(few.then_some(note)) {
            return Step::stay(event);
        }
        let next = if size == 0 { State::Header } else { State::Payload { object, left: size, number: 0 } };
        self.deliver(header, next)
    }

    /// Takes a record for each generation that has it here; the reason of the first where none has.
    fn enter(&mut self, kind: u32, size: u32) -> Result<(), Reason> {
        let at = self.at();
        let mut fits = [None; GENERATION_COUNT];
        let mut refusal = None;
        let all = GENERATIONS.iter().zip(self.fits).zip(&mut fits);
        for ((generation, progress), fit) in all {
            let Some(progress) = progress else { continue };
            match progress.advance(generation, kind, size, at) {
                Ok(progress) => *fit = Some(progress),
                Err(reason) => {
                    refusal.get_or_insert(reason);
                }
            }
        }
        match refusal {
            Some(reason) if fits.iter().all(Option::is_none) => Err(reason),
            _ => {
                self.fits = fits;
                Ok(())
            }
        }
    }

    /// The object that was entered last, by each generation that the image can be.
    fn entered(&self) -> impl Iterator<Item = &'static Object> + use<> {
        let all = GENERATIONS.iter().zip(self.fits);
        all.filter_map(|(generation, progress)| generation.objects.get(progress?.next.checked_sub(1)?))
    }

    /// Whether the generation is settled by what was read, and was not before. An error where several are left that would
    /// read what follows differently.
    fn settled(&mut self, size: u32, at_end: bool) -> Result<bool, ()> {
        let must = |reader: &Self| at_end || (size > 0 && !reader.reads_one_way());
        if must(self) {
            self.settle(self.candidates(at_end));
        }
        let open = must(self);
        let mut left = self.fits.iter().enumerate().filter(|(_, fit)| fit.is_some());
        match (left.next(), left.next(), &mut self.source) {
            (Some((place, _)), None, Some(source)) => {
                let generation = u8::try_from(place + 1).ok();
                let changed = source.generation != generation;
                source.generation = generation;
                Ok(changed)
            }
            _ if open => Err(()),
            _ => Ok(false),
        }
    }

    /// Whether the object that was entered last is laid out alike in each generation that the image can be.
    fn reads_one_way(&self) -> bool {
        let mut objects = self.entered();
        objects.next().is_none_or(|first| objects.all(|other| core::ptr::eq(first.layout, other.layout)))
    }

    /// Which generations the image can be, one bit each: those that lack nothing so far, or where all do, all.
    fn candidates(&self, at_end: bool) -> u8 {
        let (mut whole, mut all) = (0, 0);
        for (place, (generation, progress)) in GENERATIONS.iter().zip(self.fits).enumerate() {
            let Some(progress) = progress else { continue };
            all |= 1 << place;
            if progress.missing(generation, at_end).is_none() {
                whole |= 1 << place;
            }
        }
        if whole == 0 { all } else { whole }
    }

    /// Keeps these generations only.
    fn settle(&mut self, kept: u8) {
        for (place, fit) in self.fits.iter_mut().enumerate() {
            if kept >> place & 1 == 0 {
                *fit = None;
            }
        }
    }

    fn ambiguous<'a>(&mut self, at_end: bool) -> Step<'a> {
        self.tell_ambiguous(self.candidates(at_end), 0)
    }

    fn tell_ambiguous<'a>(&mut self, of: u8, from: usize) -> Step<'a> {
        let next = GENERATIONS.iter().enumerate().skip(from).find(|(place, _)| of >> place & 1 == 1);
        let Some((place, generation)) = next else {
            return self.fail(Reason::at(shared::FORMAT_AMBIGUOUS, 0));
        };
        self.state = State::Ambiguous(of, place + 1);
        let (found, required) = (Datum::Word(generation.name), Datum::Word(generation.evidence));
        Step::stay(Event::Finding(Reason::at(shared::FORMAT_CANDIDATE, 0).because(found, required)))
    }

    fn finish<'a>(&mut self) -> Step<'a> {
        let Ok(changed) = self.settled(0, true) else { return self.ambiguous(true) };
        let lacking = GENERATIONS
            .iter()
            .zip(self.fits)
            .find_map(|(generation, progress)| progress?.missing(generation, true).map(|object| object.name));
        if let Some(name) = lacking {
            return self.fail(Reason::at(reasons::MISSING, self.at()).because(Datum::None, Datum::Word(name)));
        }
        self.state = State::Ended;
        Step::stay(if changed { Event::Profile } else { Event::End })
    }

    fn read_payload<'a>(
        &mut self,
        input: &'a [u8],
        eof: bool,
        object: &'static Object,
        left: u32,
        number: u32,
    ) -> Step<'a> {
        let is_entry = matches!(object.size, Size::Entries(..));
        let unit = match object.size {
            Size::Entries(bytes, _) => bytes,
            _ => left.min(PIECE_LEN),
        };
        let whole = input.get(..index(unit));
        let several = (is_entry || number > 0 || left > unit).then_some(number);
        let bytes = match whole {
            Some(bytes) => bytes,
            None if eof && (is_entry || input.is_empty()) => {
                return self.cut(object.layout, several, input, self.size);
            }
            None if is_entry || (self.describe && !eof) => return Step::stay(Event::Need(index(unit))),
            None if input.is_empty() => return Step::stay(Event::Need(1)),
            None => input,
        };
        // Without describing, pieces are as long as the input: nothing is looked at in them.
        let bytes = if is_entry || self.describe { bytes } else { input.get(..index(left)).unwrap_or(input) };
        if let Some(event) = self.record(object.layout, several, bytes) {
            return Step::stay(event);
        }
        if is_entry {
            let (error, note) = look_at_entry(object.layout, bytes, self.at());
            if let Some(reason) = error {
                return self.fail(reason);
            }
            if let Some(event) = self.note(note) {
                return Step::stay(event);
            }
        }
        let left = left.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let number = number.saturating_add(1);
        let next = if left == 0 { State::Header } else { State::Payload { object, left, number } };
        self.deliver(bytes, next)
    }
}

impl Progress {
    fn advance(self, generation: &Generation, kind: u32, size: u32, at: u64) -> Result<Self, Reason> {
        let objects = generation.objects.iter().enumerate();
        let Some((place, object)) = objects.clone().find(|(_, object)| object.kind == kind) else {
            return Err(field(reasons::RECORD_TYPE, at, kind, Datum::Word("a type of the generation")));
        };
        if place < self.next {
            return Err(field(reasons::ORDER, at, kind, Datum::Word("a type that is saved later")));
        }
        if !object.size.holds(size) {
            return Err(field(reasons::RECORD_SIZE, at + 4, size, Datum::Word(object.size.words())));
        }
        let skipped = objects.take(place).skip(self.next);
        let skipped = skipped.filter(|(_, object)| object.mandatory).map(|(place, _)| place).next();
        Ok(Self { next: place + 1, missing: self.missing.or(skipped) })
    }

    /// The first object that should have come and did not; `at_end` when no more come.
    fn missing(self, generation: &'static Generation, at_end: bool) -> Option<&'static Object> {
        let later = generation.objects.iter().skip(self.next).find(|object| object.mandatory && at_end);
        self.missing.and_then(|place| generation.objects.get(place)).or(later)
    }
}

/// What is wrong with an entry, and what is to be noted of it.
fn look_at_entry(layout: &'static Layout, entry: &[u8], at: u64) -> (Option<Reason>, Option<Reason>) {
    let value = |name: &str| {
        let field = layout.field(name)?;
        Some((field, field.number(entry)?))
    };
    let error = value("ring_id").filter(|(_, ring)| *ring >= u64::from(ENGINES)).map(|(field, ring)| {
        Reason { span: Some(field.span(at)), ..Reason::new(reasons::RING) }
            .because(Datum::Wire(ring), Datum::Word("0 to 4"))
    });
    let note = value("padding").filter(|(_, padding)| *padding != 0).map(|(field, padding)| {
        Reason { span: Some(field.span(at)), ..Reason::new(reasons::FILLER) }
            .because(Datum::Wire(padding), Datum::Wire(0))
    });
    (error, note)
}

impl Reader for ImageReader {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        match self.state {
            State::Head => self.read_head(input, eof),
            State::Header => self.read_header(input, eof),
            State::Payload { object, left, number } => self.read_payload(input, eof, object, left, number),
            State::Ambiguous(of, from) => self.tell_ambiguous(of, from),
            State::Ended => Step::stay(Event::End),
            State::Failed(reason) => Step::stay(Event::Finding(reason)),
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
