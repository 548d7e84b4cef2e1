//! The stream of hisi-acc: a match part of 40 bytes, and a state part of 136 where the device was set up.
//!
//! Facts: Linux `drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.h`, `struct acc_vf_data`, as gcc lays it out; little-endian,
//! as the stream is the raw memory of it on arm64. Nothing marks the end: the length alone says whether the state part is
//! there, not `vf_qm_state`. In pre-copy the driver gives the match part, after that the state part. Layout V1 was read
//! in the header at 14e77332e746; no driver at hand writes it.

use alloc::boxed::Box;

use super::{PCI_VENDOR, QP_NUM, QUE_ISO_CFG, STREAM_VERSION, driver};
use crate::attribute::{AttributeId, Attributes, PCI_ID, PciId, Text, VENDOR, Value};
use crate::bytes::{Reader as Bytes, Short, little_endian, widen};
use crate::format::{
    Choices, Driver, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, Proves, Role, Share,
    settles_nothing,
};
use crate::magic::Magic;
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};
use crate::whole::{self, Structure, Undecided, Whole, truncated};

/// First eight bytes of V2, as a little-endian number (`ACC_DEV_MAGIC_V2`).
pub const MAGIC_V2: u64 = 0xaacc_feed_deca_dede;
/// First eight bytes of V1 (`ACC_DEV_MAGIC_V1`).
pub const MAGIC_V1: u64 = 0xcdcd_cdcd_feed_aacc;
/// The only `major_ver` that the driver writes and takes.
pub const MAJOR_VERSION: u16 = 1;
/// Bytes of the match part (`QM_MATCH_SIZE`): what says what the source is, and a whole stream of a device that was not
/// set up.
pub const MATCH_LEN: usize = 40;
/// Bytes of a stream with its state part (`sizeof(struct acc_vf_data)`).
pub const STREAM_MAX: u32 = 176;
/// Bytes on whose multiples the Linux driver of the accelerators lays the four queue tables (`QMC_ALIGN` of
/// `drivers/crypto/hisilicon/qm.c`).
pub const TABLE_ALIGNMENT: u64 = 32;

/// Offset of `eqe_dma`, the first of the four addresses.
pub(super) const EQE_DMA: usize = 144;
/// Offset of `aeqe_dma`.
pub(super) const AEQE_DMA: usize = 152;
/// Offset of `sqc_dma`.
pub(super) const SQC_DMA: usize = 160;
/// Offset of `cqc_dma`.
pub(super) const CQC_DMA: usize = 168;
/// Offset of the event queue's context, seven words.
const EQC: usize = 64;
/// Offset of the asynchronous event queue's context, seven words.
const AEQC: usize = 92;

/// The format.
pub static FORMAT: Format = Format {
    name: "hisi-acc",
    vendor: "hisi-acc",
    title: "stream of the HiSilicon accelerator driver, V1 and V2",
    role: Role::Source,
    known_by: KnownBy::Magic(&[Magic::new(&MAGIC_V2.to_le_bytes()), Magic::new(&MAGIC_V1.to_le_bytes())]),
    judged_within: Some(40),
    hold: Hold::Whole(STREAM_MAX),
    proves: Proves {
        glance: Glance {
            identity: "version, device id, queues",
            driver_checks: Share::Part,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "magic, major version, PCI device id, queue count, queue isolation",
        driver_checks: "all of these until they match once, then none as long as the device is open; not the minor \
                        version",
        end: "not marked; a stream has 40 bytes or 176, and a cut to 40 cannot be told from a device that was not ready",
        payload: "nothing, but two addresses stand in it twice, which the driver does not compare",
        sealing_adds: "checksums, a marked end, the identity of host and device",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[&MATCH_V2, &MATCH_V1, &STATE],
    identify: whole::identify::<Stream>,
    reader: whole::reader::<Stream>,
    driver: Some(open_driver),
};

/// A row of a layout that is a 32-bit register, or half of one.
const fn word(name: &'static str, offset: u32, meaning: &'static str) -> Field {
    Field::new(name, offset, FieldKind::Hex(4), meaning)
}

const ACC_MAGIC: Field = Field::new("acc_magic", 0, FieldKind::Hex(8), "V2 0xaaccfeeddecadede, V1 0xcdcdcdcdfeedaacc");
const QP_NUM_FIELD: Field = Field::new("qp_num", 8, FieldKind::Number(4), "queue pairs, 1 or more");
const DEV_ID: Field = word("dev_id", 12, "PCI device id: 0xa251 ZIP, 0xa256 SEC, 0xa259 HPRE");
const QUE_ISO_CFG_FIELD: Field = word("que_iso_cfg", 16, "queue isolation register of the physical function");
const QP_BASE: Field = Field::new("qp_base", 20, FieldKind::Number(4), "first queue, counted in the physical function");
const VF_QM_STATE: Field = Field::new("vf_qm_state", 24, FieldKind::Number(4), "0 ready, 1 not ready");
const QM_RSV_STATE_0: Field = word("qm_rsv_state0", 32, "reserved, 0");
const QM_RSV_STATE_1: Field = word("qm_rsv_state1", 36, "reserved, 0");

/// The match part of V2.
pub static MATCH_V2: Layout = Layout {
    name: "match",
    fields: &[
        ACC_MAGIC,
        QP_NUM_FIELD,
        DEV_ID,
        QUE_ISO_CFG_FIELD,
        QP_BASE,
        VF_QM_STATE,
        Field::new("major_ver", 28, FieldKind::Number(2), "major version, 1"),
        Field::new("minor_ver", 30, FieldKind::Number(2), "minor version, 0"),
        QM_RSV_STATE_0,
        QM_RSV_STATE_1,
    ],
};

/// The match part of V1, which has no version.
pub static MATCH_V1: Layout = Layout {
    name: "match-v1",
    fields: &[
        ACC_MAGIC,
        QP_NUM_FIELD,
        DEV_ID,
        QUE_ISO_CFG_FIELD,
        QP_BASE,
        VF_QM_STATE,
        word("qm_rsv_version", 28, "reserved, 0"),
        QM_RSV_STATE_0,
        QM_RSV_STATE_1,
    ],
};

/// The state part, the same in both versions but for what `eqe_dma` and `aeqe_dma` hold.
pub static STATE: Layout = Layout {
    name: "state",
    fields: &[
        word("aeq_int_mask", 0, "interrupt mask of the asynchronous event queue"),
        word("eq_int_mask", 4, "interrupt mask of the event queue"),
        word("ifc_int_source", 8, "interrupt source between the functions"),
        word("ifc_int_mask", 12, "interrupt mask between the functions"),
        word("ifc_int_set", 16, "interrupt set between the functions; with any but 0 the next save fails"),
        word("page_size", 20, "page size register"),
        word("qm_eqc_dw0", 24, "event queue context"),
        word("qm_eqc_dw1", 28, "the same: low half of its address"),
        word("qm_eqc_dw2", 32, "the same: high half of its address"),
        word("qm_eqc_dw3", 36, "the same"),
        word("qm_eqc_dw4", 40, "the same"),
        word("qm_eqc_dw5", 44, "the same"),
        word("qm_eqc_dw6", 48, "the same"),
        word("qm_aeqc_dw0", 52, "asynchronous event queue context"),
        word("qm_aeqc_dw1", 56, "the same: low half of its address"),
        word("qm_aeqc_dw2", 60, "the same: high half of its address"),
        word("qm_aeqc_dw3", 64, "the same"),
        word("qm_aeqc_dw4", 68, "the same"),
        word("qm_aeqc_dw5", 72, "the same"),
        word("qm_aeqc_dw6", 76, "the same"),
        word("qm_rsv_regs0", 80, "reserved, 0"),
        word("qm_rsv_regs1", 84, "reserved, 0"),
        word("qm_rsv_regs2", 88, "reserved, 0"),
        word("qm_rsv_regs3", 92, "reserved, 0"),
        word("qm_rsv_regs4", 96, "reserved, 0"),
        word("padding", 100, "left by the compiler, 0"),
        Field::new("eqe_dma", 104, FieldKind::Hex(8), "event queue; V2 qm_eqc_dw2:dw1, older V1 dw1:dw0"),
        Field::new(
            "aeqe_dma",
            112,
            FieldKind::Hex(8),
            "asynchronous event queue; V2 qm_aeqc_dw2:dw1, older V1 dw1:dw0",
        ),
        Field::new("sqc_dma", 120, FieldKind::Hex(8), "submission queue contexts"),
        Field::new("cqc_dma", 128, FieldKind::Hex(8), "completion queue contexts"),
    ],
};

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        VERSION: "hisi-acc.version", Unrecognized,
            "the stream has a major version other than 1, the only one that a driver has written",
            "update transire; the driver refuses every major version but its own";
        DEV_ID: "hisi-acc.dev-id", Corrupt,
            "the device id is above 0xffff, which no PCI device has",
            "the stream was damaged or forged: save the device again";
        QP_NUM: "hisi-acc.qp-num", Corrupt,
            "the source has no queue pair",
            "the stream was damaged or forged: save the device again";
        QM_STATE: "hisi-acc.vf-qm-state", Corrupt,
            "the state is neither 0 nor 1, or the state part follows one that says that the device was not ready",
            "the stream was damaged or forged: the driver would write the number into the device and leave it stopped";
        RESERVED: "hisi-acc.reserved", Compatible,
            "a field that every known driver leaves 0 is not",
            "nothing: the driver does not look at it";
        REGISTER: "hisi-acc.register", Compatible,
            "a register has a value that was never seen in a saved stream; the driver writes it into the device as it is",
            "look at the source; where ifc_int_set is not 0, the next save of the device fails with EBUSY";
        ADDRESS: "hisi-acc.address", Corrupt,
            "the address of an event queue is not the one in the queue's context; the driver does not compare them",
            "the stream was damaged or forged: do not load it";
        OLD_ADDRESS: "hisi-acc.old-address", Compatible,
            "a V1 stream has the address of an event queue in the wrong form that its writers gave it",
            "write the first 160 bytes in one write(): only then does the driver put it right, and it tells of nothing";
        ALIGNMENT: "hisi-acc.alignment", Compatible,
            "the address of a queue table is no multiple of 32, as the accelerators' Linux driver lays them",
            "look at the source: the driver loads any address";
        NOT_LOADED: "hisi-acc.not-loaded", Compatible,
            "the address of a queue table is 0: the driver reports success and loads nothing",
            "nothing, where the guest had not set up its queues; else save the device again";
        MATCH_ONLY: "hisi-acc.match-only", Compatible,
            "the stream ends behind its match part, which says that the device was ready: it was saved through pre-copy \
             while it was not ready, or the state part is lost",
            "seal the stream at its source, and a cut shows; the driver reports success and loads nothing";
    }
}

/// The magic of each version, and the version.
const MAGICS: [([u8; 8], u8); 2] = [(MAGIC_V2.to_le_bytes(), 2), (MAGIC_V1.to_le_bytes(), 1)];

/// What the match part says of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// 1 or 2.
    version: u8,
    device: u16,
    queue_pairs: u32,
    isolation: u32,
    ready: bool,
}

impl Source {
    /// Reads the match part, check by check.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn read(match_part: &[u8; MATCH_LEN]) -> Result<Self, Reason> {
        let cut = |_: Short| Reason::at(shared::STREAM_TRUNCATED, 0);
        let mut bytes = Bytes::new(match_part);
        let magic = bytes.array::<8>().map_err(cut)?;
        let queue_pairs = bytes.u32().map_err(cut)?;
        let device = bytes.u32().map_err(cut)?;
        let isolation = bytes.u32().map_err(cut)?;
        let _base = bytes.u32().map_err(cut)?;
        let state = bytes.u32().map_err(cut)?;
        let major = bytes.u16().map_err(cut)?;
        let Some((_, version)) = MAGICS.iter().find(|(known, _)| *known == magic) else {
            return Err(Reason::at(shared::MAGIC_UNRECOGNIZED, 0)
                .spanning(0, 8)
                .because(Datum::Wire(u64::from_le_bytes(magic)), Datum::Wire(MAGIC_V2)));
        };
        let wrong = |id: ReasonId, offset, size, found, required| {
            Err(Reason::at(id, offset).spanning(offset, size).because(found, Datum::Word(required)))
        };
        if *version == 2 && major != MAJOR_VERSION {
            return wrong(reasons::VERSION, 28, 2, Datum::Count(u64::from(major)), "1");
        }
        let Ok(device) = u16::try_from(device) else {
            return wrong(reasons::DEV_ID, 12, 4, Datum::Wire(u64::from(device)), "at most 0xffff");
        };
        if queue_pairs == 0 {
            return wrong(reasons::QP_NUM, 8, 4, Datum::Count(0), "1 or more");
        }
        if state > 1 {
            return wrong(reasons::QM_STATE, 24, 4, Datum::Count(u64::from(state)), "0 or 1");
        }
        Ok(Self { version: *version, device, queue_pairs, isolation, ready: state == 0 })
    }
}

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("hisi-acc"))),
            number if number == PCI_ID.number() => {
                Some(Value::PciId(PciId { vendor: PCI_VENDOR, device: self.device }))
            }
            number if number == QP_NUM.number() => Some(Value::Uint(u64::from(self.queue_pairs))),
            number if number == QUE_ISO_CFG.number() => Some(Value::Uint(u64::from(self.isolation))),
            number if number == STREAM_VERSION.number() => Some(Value::Uint(u64::from(self.version))),
            _ => None,
        }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == STREAM_VERSION.number() => Some((0, 8)),
            number if number == QP_NUM.number() => Some((8, 4)),
            number if number == PCI_ID.number() => Some((12, 4)),
            number if number == QUE_ISO_CFG.number() => Some((16, 4)),
            _ => None,
        }
    }
}

/// What to say of fewer bytes than a match part, and no more.
fn short(prefix: &[u8]) -> Reason {
    let end = widen(prefix.len());
    let id = match FORMAT.likeness(prefix, true) {
        Likeness::No => return Reason::at(shared::MAGIC_UNRECOGNIZED, 0),
        Likeness::Short => shared::MAGIC_TRUNCATED,
        _ => shared::STREAM_TRUNCATED,
    };
    Reason::at(id, end).because(Datum::Count(end), Datum::Word("40 or 176 bytes"))
}

/// The little-endian number of `size` bytes at `offset`; what the stream does not reach is 0.
fn number(stream: &[u8], offset: usize, size: usize) -> u64 {
    stream.get(offset..).and_then(|rest| rest.get(..size)).map_or(0, little_endian)
}

/// Fields that every known driver leaves 0: offset and bytes.
const RESERVED_OF_MATCH: [(usize, usize); 2] = [(32, 4), (36, 4)];
const RESERVED_OF_STATE: [(usize, usize); 6] = [(120, 4), (124, 4), (128, 4), (132, 4), (136, 4), (140, 4)];
/// What of them V1 has where V2 has its version, of which the driver does not look at the second half.
const VERSION_V1: (usize, usize) = (28, 4);
const MINOR_VERSION: (usize, usize) = (30, 2);

/// Registers: offset, and the highest value that a saved stream was seen to have.
const REGISTERS: [(usize, u64, &str); 6] =
    [(40, 1, "0 or 1"), (44, 1, "0 or 1"), (48, 1, "0 or 1"), (52, 1, "0 or 1"), (56, 0, "0"), (60, 1, "0 or 1")];

fn reserved(stream: &[u8], (offset, size): (usize, usize)) -> Option<Reason> {
    let found = number(stream, offset, size);
    let at = widen(offset);
    let length = if size == 2 { 2 } else { 4 };
    let reason = Reason::at(reasons::RESERVED, at).spanning(at, length);
    (found != 0).then(|| reason.because(Datum::Wire(found), Datum::Wire(0)))
}

/// Notes on the match part.
fn notes_of_match(version: u8, stream: &[u8]) -> impl Iterator<Item = Reason> {
    let of_version = if version == 1 { VERSION_V1 } else { MINOR_VERSION };
    [of_version].into_iter().chain(RESERVED_OF_MATCH).filter_map(|field| reserved(stream, field))
}

/// The address of an event queue that its context has: what V2 saves, and what the driver makes of V1.
pub(super) fn address_of_context(stream: &[u8], context: usize) -> u64 {
    number(stream, context + 4, 8)
}

/// Offset of an event queue's address, and of the queue's context.
pub(super) const EVENT_QUEUES: [(usize, usize); 2] = [(EQE_DMA, EQC), (AEQE_DMA, AEQC)];

/// What is wrong with the state part, by ascending offset.
fn findings_of_state(version: u8, stream: &[u8]) -> impl Iterator<Item = Reason> {
    let registers = REGISTERS.iter().filter_map(|&(offset, most, required)| {
        let (found, at) = (number(stream, offset, 4), widen(offset));
        let reason = Reason::at(reasons::REGISTER, at).spanning(at, 4);
        (found > most).then(|| reason.because(Datum::Wire(found), Datum::Word(required)))
    });
    let reserved = RESERVED_OF_STATE.into_iter().filter_map(|field| reserved(stream, field));
    let events = EVENT_QUEUES.into_iter().flat_map(move |(offset, context)| {
        let (found, right) = (number(stream, offset, 8), address_of_context(stream, context));
        // V1 took the words one too early, the first of them for the upper half.
        let old = number(stream, context + 4, 4) << 32 | number(stream, context, 4);
        let id = if version == 1 && found == old { reasons::OLD_ADDRESS } else { reasons::ADDRESS };
        let at = widen(offset);
        let reason = Reason::at(id, at).spanning(at, 8).because(Datum::Wire(found), Datum::Wire(right));
        [(found != right).then_some(reason), unaligned(right, at)].into_iter().flatten()
    });
    let tables = [SQC_DMA, CQC_DMA].into_iter();
    let tables = tables.filter_map(|offset| unaligned(number(stream, offset, 8), widen(offset)));
    registers.chain(reserved).chain(events).chain(tables).chain(not_loaded(stream))
}

fn unaligned(address: u64, at: u64) -> Option<Reason> {
    let reason = Reason::at(reasons::ALIGNMENT, at).spanning(at, 8);
    (!address.is_multiple_of(TABLE_ALIGNMENT))
        .then(|| reason.because(Datum::Wire(address), Datum::Word("a multiple of 32")))
}

/// Says that the driver would load nothing, at the first of the four addresses that is 0. Of an event queue that is the
/// context's: what is stated was found equal, or is put right.
fn not_loaded(stream: &[u8]) -> Option<Reason> {
    let events = EVENT_QUEUES.map(|(offset, context)| (offset, address_of_context(stream, context)));
    let tables = [SQC_DMA, CQC_DMA].map(|offset| (offset, number(stream, offset, 8)));
    let (offset, _) = events.into_iter().chain(tables).find(|&(_, address)| address == 0)?;
    let at = widen(offset);
    Some(Reason::at(reasons::NOT_LOADED, at).spanning(at, 8).because(Datum::Wire(0), Datum::Word("an address")))
}

/// The stream, held whole.
#[derive(Debug)]
pub struct Stream;

impl Whole for Stream {
    type Source = Source;

    const DECIDED_BY: usize = MATCH_LEN;

    fn source(prefix: &[u8], _eof: bool, _choices: Choices) -> Result<Source, Undecided> {
        Ok(prefix.first_chunk().map_or_else(|| Err(short(prefix)), Source::read)?)
    }

    fn most(_source: &Source) -> usize {
        STREAM_MAX as usize
    }

    fn check(source: &Source, stream: &[u8], tell: &mut dyn FnMut(Reason) -> bool) {
        let whole = stream.len() >= STREAM_MAX as usize;
        if !whole && stream.len() != MATCH_LEN {
            tell(truncated(stream.len(), Datum::Count(u64::from(STREAM_MAX))));
            return;
        }
        if whole && !source.ready {
            let required = Datum::Word("0 in a stream of 176 bytes");
            tell(Reason::at(reasons::QM_STATE, 24).spanning(24, 4).because(Datum::Count(1), required));
            return;
        }
        let match_only = (!whole && source.ready).then(|| {
            Reason::at(reasons::MATCH_ONLY, widen(MATCH_LEN)).because(Datum::Count(40), Datum::Word("176 bytes"))
        });
        let state = whole.then(|| findings_of_state(source.version, stream));
        notes_of_match(source.version, stream).chain(state.into_iter().flatten()).chain(match_only).all(tell);
    }

    fn structure(source: Option<&Source>, input: &[u8], number: u32) -> Option<Structure> {
        let (layout, range) = match number {
            0 if input.starts_with(&MAGIC_V1.to_le_bytes()) => (&MATCH_V1, 0..MATCH_LEN),
            0 => (&MATCH_V2, 0..MATCH_LEN),
            1 if source.is_some() => (&STATE, MATCH_LEN..STREAM_MAX as usize),
            _ => return None,
        };
        Some(Structure { layout, number: None, range })
    }
}

fn open_driver(target: &Target, _choices: Choices) -> Result<Box<dyn Driver>, &'static str> {
    let number = |id| match target.value(id) {
        Some(Value::Uint(number)) => u32::try_from(number).ok(),
        _ => None,
    };
    match (target.value(PCI_ID), number(QP_NUM), number(QUE_ISO_CFG)) {
        (Some(Value::PciId(id)), Some(queue_pairs), Some(isolation)) => {
            Ok(Box::new(driver::Device::resuming(id.device, queue_pairs, isolation)))
        }
        _ => Err("the target must say pci_id, qp_num and que_iso_cfg"),
    }
}

#[cfg(test)]
mod tests;
