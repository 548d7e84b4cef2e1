//! The stream of qat: two blocks of named sections in 4,096 bytes.
//!
//! Facts: Linux `drivers/crypto/intel/qat/qat_common/adf_mstate_mgr.h`, `adf_gen4_vf_mig.c` and `adf_bank_state.h`, whose
//! code was run in user space at 6.12.95 and 7.3.4; little-endian, as the stream is the raw memory of x86-64. A setup block
//! and a state block stand one behind the other: each is a preamble and sections, and a section is a header and either
//! further sections or a value, without alignment. The rest of the 4,096 bytes means nothing. In pre-copy the driver gives
//! the setup block.
//!
//! A stream is read in the one form in which known drivers save it: these sections in this order, each of its own size.
//! So every field has a fixed place; only the number of rate limits moves what stands behind them.

use alloc::boxed::Box;
use core::fmt::{self, Write as _};

use super::{
    CAPABILITIES, EXTENDED_COMPRESSION, NO_LIMITS, PFVF_VERSION, RATE_LIMITS, RING_BANKS, SERVICE_MAP, SERVICES,
    STREAM_VERSION, STREAM_VERSION_1, driver,
};
use crate::attribute::{Absence, AttributeId, Attributes, Mask, PCI_ID, Statable, Text, Type, VENDOR, Value};
use crate::bytes::{Reader as Bytes, index, little_endian, widen};
use crate::format::{
    Choices, Driver, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, Proves, Role, Share,
    settles_nothing,
};
use crate::magic::Magic;
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};
use crate::whole::{self, Structure, Undecided, Whole, truncated};

/// First four bytes of each block, as a little-endian number (`ADF_MSTATE_MAGIC`).
pub const MAGIC: u32 = 0xadf5_caea;
/// Bytes of a whole stream: the driver's buffer, which it gives to its end.
pub const STREAM_LEN: u32 = 4096;
/// Bytes of a block's preamble, and what `preh_len` says.
pub const PREAMBLE_LEN: usize = 16;
/// Bytes of a section's header.
pub const SECTION_LEN: usize = 16;
/// Bytes of the setup block with the sections that known drivers save.
pub const SETUP_LEN: u32 = 90;
/// Bytes of a bank's registers (`struct bank_state`).
pub const BANK_LEN: usize = 472;
/// Bytes of a rate limit.
pub const RATE_LIMIT_LEN: usize = 24;
/// Most rate limits of a stream: a function has four ring pairs, and a ring pair is in one limit.
pub const RATE_LIMITS_MAX: usize = 4;
/// Bytes of a bank's registers that a load takes, reserved words among them: those of the bank and of the two rings that
/// it has. The rest of [`BANK_LEN`] belongs to rings that no known device has.
pub const BANK_TAKEN: usize = RING_AT + 2 * RING_LEN;

const MAGIC_BYTES: [u8; 4] = MAGIC.to_le_bytes();
/// Bytes of a bank's own registers; its rings follow.
const RING_AT: usize = 88;
const RING_LEN: usize = 24;

/// Where the values stand, in a stream that passed.
const GENCAP_AT: usize = 48;
const SVCMAP_AT: usize = 68;
const EXTDC_AT: usize = 86;
const COMPVER_AT: usize = 155;
const SLA_SIZE_AT: usize = 164;
const SLA_AT: usize = 172;
/// The number of banks stands so far behind the last rate limit: behind MISCBAR (152 bytes with its header), and at 12 in
/// the header of ETRBAR.
const BANKS_BEHIND_SLA: usize = SECTION_LEN + 120 + 12;

/// The format.
pub static FORMAT: Format = Format {
    name: "qat",
    vendor: "qat",
    title: "stream of the Linux driver qat_vfio_pci, version 1",
    role: Role::Source,
    known_by: KnownBy::Magic(&[Magic::new(&MAGIC_BYTES)]),
    judged_within: Some(SETUP_LEN),
    hold: Hold::Whole(STREAM_LEN),
    proves: Proves {
        glance: Glance {
            identity: "version, capabilities, service map, rate limits",
            driver_checks: Share::All,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "magic, version 1, capabilities, service map, extended compression; further on protocol version, rate \
                   limits and number of ring banks; no device id",
        driver_checks: "all of these, but it does not remember that it refused the setup block, and any protocol version \
                        passes",
        end: "not marked; a whole stream has 4,096 bytes, and the driver does not count them",
        payload: "nothing, but that the hardware must show the saved ring status",
        sealing_adds: "checksums, a marked end, the identity of host and device",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[
        &PREAMBLE,
        &SECTION,
        &GENCAP,
        &SVCMAP,
        &EXTDC,
        &IOVINIT,
        &COMPVER,
        &RATE_LIMIT,
        &REGISTER,
        &BANK,
        &RING,
        &FILLER,
        &UNREAD,
    ],
    identify: whole::identify::<Stream>,
    reader: whole::reader::<Stream>,
    driver: Some(open_driver),
};

/// What a block begins with: 0 is the setup block's, 1 the state block's.
pub static PREAMBLE: Layout = Layout {
    name: "preamble",
    fields: &[
        Field::new("magic", 0, FieldKind::Hex(4), "0xadf5caea"),
        Field::new("version", 4, FieldKind::Number(4), "version of the stream, 1"),
        Field::new("preh_len", 8, FieldKind::Number(2), "bytes of the preamble, 16"),
        Field::new("n_sects", 10, FieldKind::Number(2), "sections: 1 in the setup block, 3 in the state block"),
        Field::new("size", 12, FieldKind::Number(4), "bytes of the block behind the preamble"),
    ],
};

/// The header of a section.
pub static SECTION: Layout = Layout {
    name: "section",
    fields: &[
        Field::new("id", 0, FieldKind::Bytes(8), "name, ended by a zero byte; bytes behind that mean nothing"),
        Field::new("size", 8, FieldKind::Number(4), "bytes of the section behind its header"),
        Field::new("sub_sects", 12, FieldKind::Number(4), "sections directly in it; 0 where it has a value"),
    ],
};

/// The value of CONFIG/gencap.
pub static GENCAP: Layout =
    Layout { name: "gencap", fields: &[Field::new("gencap", 0, FieldKind::Hex(4), "capability mask")] };

/// The value of CONFIG/svcmap.
pub static SVCMAP: Layout =
    Layout { name: "svcmap", fields: &[Field::new("svcmap", 0, FieldKind::Hex(2), "service of each ring pair")] };

/// The value of CONFIG/extdc.
pub static EXTDC: Layout =
    Layout { name: "extdc", fields: &[Field::new("extdc", 0, FieldKind::Hex(4), "extended compression capabilities")] };

/// The value of GENER/iovinit.
pub static IOVINIT: Layout = Layout {
    name: "iovinit",
    fields: &[Field::new("iovinit", 0, FieldKind::Number(1), "the function was initialised by its driver, 0 or 1")],
};

/// The value of GENER/compver.
pub static COMPVER: Layout = Layout {
    name: "compver",
    fields: &[Field::new(
        "compver",
        0,
        FieldKind::Number(1),
        "version of the protocol between virtual and physical function; 0 was never agreed on",
    )],
};

/// A rate limit of GENER/sla.
pub static RATE_LIMIT: Layout = Layout {
    name: "rate_limit",
    fields: &[
        Field::new("srv", 0, FieldKind::Number(4), "service: 0 asym, 1 sym, 2 dc, 3 decompression"),
        Field::new("padding", 4, FieldKind::Hex(4), "left by the compiler"),
        Field::new("rp_mask", 8, FieldKind::Hex(8), "ring pairs of the physical function"),
        Field::new("cir", 16, FieldKind::Number(4), "committed rate"),
        Field::new("pir", 20, FieldKind::Number(4), "peak rate"),
    ],
};

/// A register of MISCBAR, in the order of its sections.
pub static REGISTER: Layout =
    Layout { name: "register", fields: &[Field::new("value", 0, FieldKind::Hex(4), "value of the register")] };

/// A bank's registers, without its rings.
pub static BANK: Layout = Layout {
    name: "bank",
    fields: &[
        Field::new("ringstat0", 0, FieldKind::Hex(4), "status; must read back equal"),
        Field::new("ringstat1", 4, FieldKind::Hex(4), "not saved"),
        Field::new("ringuostat", 8, FieldKind::Hex(4), "underflow and overflow; not loaded"),
        Field::new("ringestat", 12, FieldKind::Hex(4), "empty; must read back equal"),
        Field::new("ringnestat", 16, FieldKind::Hex(4), "nearly empty; must read back equal"),
        Field::new("ringnfstat", 20, FieldKind::Hex(4), "nearly full; must read back equal"),
        Field::new("ringfstat", 24, FieldKind::Hex(4), "full; must read back equal"),
        Field::new("ringcstat0", 28, FieldKind::Hex(4), "status; must read back equal"),
        Field::new("ringcstat1", 32, FieldKind::Hex(4), "not saved"),
        Field::new("ringcstat2", 36, FieldKind::Hex(4), "not saved"),
        Field::new("ringcstat3", 40, FieldKind::Hex(4), "not saved"),
        Field::new("iaintflagen", 44, FieldKind::Hex(4), "interrupt flags enabled"),
        Field::new("iaintflagreg", 48, FieldKind::Hex(4), "interrupt flags; not loaded"),
        Field::new("iaintflagsrcsel0", 52, FieldKind::Hex(4), "interrupt source"),
        Field::new("iaintflagsrcsel1", 56, FieldKind::Hex(4), "not saved"),
        Field::new("iaintcolen", 60, FieldKind::Hex(4), "interrupt coalescing enabled"),
        Field::new("iaintcolctl", 64, FieldKind::Hex(4), "interrupt coalescing; loaded with bit 31 set"),
        Field::new("iaintflagandcolen", 68, FieldKind::Hex(4), "interrupt flags and coalescing"),
        Field::new(
            "ringexpstat",
            72,
            FieldKind::Hex(4),
            "exception; anything but 0 ends the load of the bank untested",
        ),
        Field::new("ringexpintenable", 76, FieldKind::Hex(4), "exception interrupts enabled"),
        Field::new("ringsrvarben", 80, FieldKind::Hex(4), "ring service arbiter enabled"),
        Field::new("reserved0", 84, FieldKind::Hex(4), "not saved"),
    ],
};

/// The registers of a ring: number 17 is ring 1 of bank 1. Banks have rings 0 and 1.
pub static RING: Layout = Layout {
    name: "ring",
    fields: &[
        Field::new("base", 0, FieldKind::Hex(8), "address of the ring"),
        Field::new("config", 8, FieldKind::Hex(4), "configuration"),
        Field::new("head", 12, FieldKind::Hex(4), "where the next message is read"),
        Field::new("tail", 16, FieldKind::Hex(4), "where the next message is written"),
        Field::new("reserved0", 20, FieldKind::Hex(4), "not saved"),
    ],
};

/// What stands behind the state block.
pub static FILLER: Layout =
    Layout { name: "filler", fields: &[Field::new("bytes", 0, FieldKind::Rest, "no part of the state")] };

/// What stands behind the first error.
pub static UNREAD: Layout =
    Layout { name: "unread", fields: &[Field::new("bytes", 0, FieldKind::Rest, "not read, as the stream is refused")] };

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        VERSION: "qat.version", Unrecognized,
            "a block has a version other than 1, the only one that a driver has written",
            "update transire; the driver itself takes 0, too, which none writes";
        PREAMBLE: "qat.preamble", Corrupt,
            "a block does not begin with a preamble of 16 bytes",
            "the stream was damaged or put together wrongly: save the device again";
        BOUNDS: "qat.section-bounds", Corrupt,
            "a block or a section does not end inside what it stands in",
            "the stream was damaged or forged: do not load it, the driver reads beyond its buffer in some such cases";
        COUNT: "qat.section-count", Corrupt,
            "a block or a section has another number of sections than the driver saves",
            "the stream was damaged or forged: the driver passes over sections that it does not look for";
        UNKNOWN: "qat.section-unknown", Unrecognized,
            "a section has a name that no known driver gives",
            "update transire; the driver passes over sections that it does not know, and their state is lost";
        ORDER: "qat.section-order", Corrupt,
            "a known section stands where the driver saves another one: one is missing, repeated or out of order",
            "the stream was damaged or put together wrongly: save the device again";
        SIZE: "qat.section-size", Corrupt,
            "a block or a section has another size than its content",
            "the stream was damaged or forged: the driver takes registers from behind a section that is too short";
        FLAG_BYTE: "qat.flag-byte", Corrupt,
            "a byte that says yes or no is neither 0 nor 1",
            "the stream was damaged or forged: do not load it";
        RATE_LIMIT: "qat.rate-limit", Corrupt,
            "a rate limit is for no service, for no ring pair, or for the same as one before",
            "the stream was damaged or forged: save the device again";
        EXCEPTION: "qat.exception", Compatible,
            "a bank was saved with an exception; the driver then loads it without looking whether the hardware took it",
            "look at the device of the source: its driver reset it, or it was about to";
        PADDING: "qat.padding", Compatible,
            "bytes that mean nothing are not zero",
            "nothing for the load; up to Linux 6.12 these are old memory of the source's kernel, which leaves the host";
    }
}

/// A section as known drivers save it.
#[derive(Debug)]
struct Section {
    id: &'static str,
    content: Content,
}

/// What is in a section.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// These sections in this order; at least so many of them, where their number is the device's matter.
    Sections(&'static [Section], usize),
    /// One value, up to a greatest one.
    Value(&'static Layout, u64),
    /// Rate limits.
    RateLimits,
    /// The registers of a bank.
    Bank,
}

const fn section(id: &'static str, content: Content) -> Section {
    Section { id, content }
}

const fn all(sections: &'static [Section]) -> Content {
    Content::Sections(sections, sections.len())
}

const fn value(id: &'static str, layout: &'static Layout) -> Section {
    section(id, Content::Value(layout, u64::MAX))
}

static SETUP_BLOCK: [Section; 1] =
    [section("CONFIG", all(&[value("gencap", &GENCAP), value("svcmap", &SVCMAP), value("extdc", &EXTDC)]))];

static STATE_BLOCK: [Section; 3] = [
    section(
        "GENER",
        all(&[
            section("iovinit", Content::Value(&IOVINIT, 1)),
            value("compver", &COMPVER),
            section("sla", Content::RateLimits),
        ]),
    ),
    section(
        "MISCBAR",
        all(&[
            value("visrc", &REGISTER),
            value("vimsk", &REGISTER),
            value("vispv", &REGISTER),
            value("vimpv", &REGISTER),
            value("pf2vm", &REGISTER),
            value("vm2pf", &REGISTER),
        ]),
    ),
    section("ETRBAR", Content::Sections(&BANKS, 1)),
];

const BANK_CONTENT: Content = all(&[section("mregs", Content::Bank)]);

/// The banks by number: `%x` of it behind `bnk`.
static BANKS: [Section; 16] = [
    section("bnk0", BANK_CONTENT),
    section("bnk1", BANK_CONTENT),
    section("bnk2", BANK_CONTENT),
    section("bnk3", BANK_CONTENT),
    section("bnk4", BANK_CONTENT),
    section("bnk5", BANK_CONTENT),
    section("bnk6", BANK_CONTENT),
    section("bnk7", BANK_CONTENT),
    section("bnk8", BANK_CONTENT),
    section("bnk9", BANK_CONTENT),
    section("bnka", BANK_CONTENT),
    section("bnkb", BANK_CONTENT),
    section("bnkc", BANK_CONTENT),
    section("bnkd", BANK_CONTENT),
    section("bnke", BANK_CONTENT),
    section("bnkf", BANK_CONTENT),
];

/// The name of a bank's section.
pub(super) fn bank_name(bank: u8) -> Option<&'static str> {
    BANKS.get(usize::from(bank)).map(|section| section.id)
}

/// Words of a bank that no known driver saves, as ranges of its bytes: `ringstat1`, `ringcstat1` to 3,
/// `iaintflagsrcsel1`, `reserved0`, that of rings 0 and 1, and all rings behind these.
const UNSAVED: [(usize, usize); 7] = [(4, 8), (32, 44), (56, 60), (84, 88), (108, 112), (132, 136), (136, BANK_LEN)];
/// Where a bank says that it has an exception.
const RINGEXPSTAT: (usize, usize) = (72, 76);

/// What a walk over a stream tells.
enum Told {
    Structure(Structure),
    Finding(Reason),
}

/// Nothing more is told.
struct Stop;

/// A walk over a stream: tells its structures, without gaps, and what is wrong with them, up to the first error.
struct Walk<'a, 'b> {
    stream: &'a [u8],
    tell: &'b mut dyn FnMut(Told) -> bool,
    /// Whether padding of the block's headers has been told of.
    padded: bool,
    /// Banks so far.
    banks: u32,
}

/// A preamble that passed.
struct Preamble {
    sections: usize,
    /// Where the block ends.
    end: usize,
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(stream: &'a [u8], tell: &'b mut dyn FnMut(Told) -> bool) -> Self {
        Self { stream, tell, padded: false, banks: 0 }
    }

    /// The whole stream.
    fn all(&mut self) -> Result<(), Stop> {
        let state = self.block(0, &SETUP_BLOCK)?;
        let end = self.block(state, &STATE_BLOCK)?;
        self.structure(&FILLER, None, end, index(STREAM_LEN).saturating_sub(end))?;
        self.padding(end, index(STREAM_LEN)).map(|_| ())
    }

    /// A block that begins at `start`; returns where it ends.
    fn block(&mut self, start: usize, expected: &'static [Section]) -> Result<usize, Stop> {
        let preamble = self.preamble(start, expected)?;
        self.sections_of_block(start, &preamble, expected)?;
        Ok(preamble.end)
    }

    fn preamble(&mut self, start: usize, expected: &'static [Section]) -> Result<Preamble, Stop> {
        self.structure(&PREAMBLE, Some(u32::from(start > 0)), start, PREAMBLE_LEN)?;
        let mut fields = Bytes::new(self.bytes(start, PREAMBLE_LEN)?);
        let magic = fields.u32().map_err(|_| Stop)?;
        let version = fields.u32().map_err(|_| Stop)?;
        let length = fields.u16().map_err(|_| Stop)?;
        let sections = fields.u16().map_err(|_| Stop)?;
        let size = fields.u32().map_err(|_| Stop)?;
        self.field(magic == MAGIC, reasons::PREAMBLE, &PREAMBLE, "magic", start, Datum::Wire(u64::from(MAGIC)))?;
        let one = Datum::Count(STREAM_VERSION_1);
        self.field(u64::from(version) == STREAM_VERSION_1, reasons::VERSION, &PREAMBLE, "version", start, one)?;
        let sixteen = Datum::Count(widen(PREAMBLE_LEN));
        self.field(usize::from(length) == PREAMBLE_LEN, reasons::PREAMBLE, &PREAMBLE, "preh_len", start, sixteen)?;
        let room = index(STREAM_LEN).saturating_sub(start.saturating_add(PREAMBLE_LEN));
        let most = Datum::Count(widen(room));
        self.field(index(size) <= room, reasons::BOUNDS, &PREAMBLE, "size", start, most)?;
        let count = Datum::Count(widen(expected.len()));
        self.field(usize::from(sections) == expected.len(), reasons::COUNT, &PREAMBLE, "n_sects", start, count)?;
        self.padded = false;
        Ok(Preamble { sections: expected.len(), end: start.saturating_add(PREAMBLE_LEN).saturating_add(index(size)) })
    }

    fn sections_of_block(
        &mut self,
        start: usize,
        preamble: &Preamble,
        expected: &'static [Section],
    ) -> Result<(), Stop> {
        let begin = start.saturating_add(PREAMBLE_LEN);
        let used = self.sections(begin, preamble.end, preamble.sections, expected)?;
        let content = Datum::Count(widen(used.saturating_sub(begin)));
        self.field(used == preamble.end, reasons::SIZE, &PREAMBLE, "size", start, content)
    }

    /// So many sections between two places; returns where the last one ends.
    fn sections(&mut self, at: usize, end: usize, count: usize, expected: &'static [Section]) -> Result<usize, Stop> {
        (0..count).try_fold(at, |at, number| self.section(at, end, number, expected))
    }

    fn section(&mut self, at: usize, end: usize, number: usize, expected: &'static [Section]) -> Result<usize, Stop> {
        let room = end.saturating_sub(at);
        let needed = Datum::Count(widen(SECTION_LEN));
        self.holds(room >= SECTION_LEN, reasons::BOUNDS, (at, at), Datum::Count(widen(room)), needed)?;
        self.structure(&SECTION, None, at, SECTION_LEN)?;
        let mut fields = Bytes::new(self.bytes(at, SECTION_LEN)?);
        let id: [u8; 8] = fields.array().map_err(|_| Stop)?;
        let size = index(fields.u32().map_err(|_| Stop)?);
        let count = index(fields.u32().map_err(|_| Stop)?);
        let room = room.saturating_sub(SECTION_LEN);
        self.field(size <= room, reasons::BOUNDS, &SECTION, "size", at, Datum::Count(widen(room)))?;

        let name = id.split(|&byte| byte == 0).next().unwrap_or(&[]);
        let own = expected.get(number).ok_or(Stop)?;
        if own.id.as_bytes() != name {
            let is_known = expected.iter().any(|one| one.id.as_bytes() == name);
            let id_of = if is_known { reasons::ORDER } else { reasons::UNKNOWN };
            self.wrong(id_of, (at, at + 8), Datum::Wire(little_endian(&id)), Datum::Word(own.id))?;
        }
        // One note for the names of a block: where the first such byte stands.
        if !self.padded {
            self.padded = self.padding(at + name.len(), at + 8)?;
        }

        let (sections, least): (&'static [Section], usize) = match own.content {
            Content::Sections(sections, least) => (sections, least),
            _ => (&[], 0),
        };
        let in_range = (least..=sections.len()).contains(&count);
        self.field(in_range, reasons::COUNT, &SECTION, "sub_sects", at, Datum::Count(widen(sections.len())))?;
        let begin = at + SECTION_LEN;
        let size_is = |walk: &mut Self, right: usize| {
            walk.field(size == right, reasons::SIZE, &SECTION, "size", at, Datum::Count(widen(right)))
        };
        match own.content {
            Content::Sections(sections, _) => {
                let used = self.sections(begin, begin + size, count, sections)?;
                size_is(self, used.saturating_sub(begin))?;
            }
            Content::Value(layout, most) => {
                size_is(self, layout.size())?;
                self.structure(layout, None, begin, size)?;
                let value = little_endian(self.bytes(begin, size)?);
                let (found, required) = (Datum::Count(value), Datum::Word("0 or 1"));
                self.holds(value <= most, reasons::FLAG_BYTE, (begin, begin + size), found, required)?;
            }
            Content::RateLimits => {
                size_is(self, (size - size % RATE_LIMIT_LEN).min(RATE_LIMITS_MAX * RATE_LIMIT_LEN))?;
                self.rate_limits(begin, size / RATE_LIMIT_LEN)?;
            }
            Content::Bank => {
                size_is(self, BANK_LEN)?;
                self.bank(begin)?;
            }
        }
        Ok(begin + size)
    }

    fn rate_limits(&mut self, begin: usize, count: usize) -> Result<(), Stop> {
        let stream = self.stream;
        let limits = || {
            let bytes = stream.get(begin..).unwrap_or(&[]);
            bytes.as_chunks::<RATE_LIMIT_LEN>().0.iter().take(count).map(RateLimit::read)
        };
        for (number, limit) in limits().enumerate() {
            let at = begin + number * RATE_LIMIT_LEN;
            self.structure(&RATE_LIMIT, u32::try_from(number).ok(), at, RATE_LIMIT_LEN)?;
            let service = limit.service_name().is_some();
            self.field(service, reasons::RATE_LIMIT, &RATE_LIMIT, "srv", at, Datum::Word("0 to 3"))?;
            let some = limit.ring_pairs != 0;
            self.field(some, reasons::RATE_LIMIT, &RATE_LIMIT, "rp_mask", at, Datum::Word("a ring pair"))?;
            let again = limits().take(number).any(|other| other.is_for_the_rings_of(&limit));
            self.field(!again, reasons::RATE_LIMIT, &RATE_LIMIT, "rp_mask", at, Datum::Word("one limit for each"))?;
            self.padding(at + 4, at + 8)?;
        }
        Ok(())
    }

    fn bank(&mut self, begin: usize) -> Result<(), Stop> {
        let bank = self.banks;
        self.banks += 1;
        self.structure(&BANK, Some(bank), begin, RING_AT)?;
        for (ring, at) in (0..).zip((begin + RING_AT..begin + BANK_LEN).step_by(RING_LEN)) {
            self.structure(&RING, Some(bank * 16 + ring), at, RING_LEN)?;
        }
        let (from, to) = RINGEXPSTAT;
        let exception = little_endian(self.bytes(begin + from, to - from)?);
        let place = (begin + from, begin + to);
        self.holds(exception == 0, reasons::EXCEPTION, place, Datum::Wire(exception), Datum::Wire(0))?;
        // One note for the whole of a bank: where the first such byte stands.
        for (from, to) in UNSAVED {
            if self.padding(begin + from, begin + to)? {
                break;
            }
        }
        Ok(())
    }

    /// The bytes at a place; those of a stream that is cut are not walked over.
    fn bytes(&self, at: usize, length: usize) -> Result<&'a [u8], Stop> {
        self.stream.get(at..at.saturating_add(length)).ok_or(Stop)
    }

    fn structure(
        &mut self,
        layout: &'static Layout,
        number: Option<u32>,
        at: usize,
        length: usize,
    ) -> Result<(), Stop> {
        let structure = Structure { layout, number, range: at..at.saturating_add(length) };
        if (self.tell)(Told::Structure(structure)) { Ok(()) } else { Err(Stop) }
    }

    /// Tells a finding about the bytes of a place unless something holds. Behind a finding that is no note there is
    /// nothing.
    #[inline]
    fn holds(
        &mut self,
        holds: bool,
        id: ReasonId,
        (from, to): (usize, usize),
        found: Datum,
        required: Datum,
    ) -> Result<(), Stop> {
        if holds { Ok(()) } else { self.wrong(id, (from, to), found, required) }
    }

    #[cold]
    fn wrong(&mut self, id: ReasonId, (from, to): (usize, usize), found: Datum, required: Datum) -> Result<(), Stop> {
        let length = u32::try_from(to.saturating_sub(from)).unwrap_or(0);
        let reason = Reason::at(id, widen(from)).spanning(widen(from), length).because(found, required);
        let go_on = (self.tell)(Told::Finding(reason));
        if go_on && reason.is_note() { Ok(()) } else { Err(Stop) }
    }

    /// The same about a field of the structure at `at`.
    #[inline]
    fn field(
        &mut self,
        holds: bool,
        id: ReasonId,
        layout: &'static Layout,
        name: &str,
        at: usize,
        required: Datum,
    ) -> Result<(), Stop> {
        if holds { Ok(()) } else { self.wrong_field(id, layout, name, at, required) }
    }

    #[cold]
    fn wrong_field(
        &mut self,
        id: ReasonId,
        layout: &'static Layout,
        name: &str,
        at: usize,
        required: Datum,
    ) -> Result<(), Stop> {
        let field = layout.field(name).ok_or(Stop)?;
        let (from, size) = (at + index(field.offset), field.kind.size().unwrap_or(0));
        let found = little_endian(self.bytes(from, size)?);
        let found = if field.kind.is_hex() { Datum::Wire(found) } else { Datum::Count(found) };
        self.wrong(id, (from, from + size), found, required)
    }

    /// Notes the first byte between two places that is not zero; returns whether there is one.
    fn padding(&mut self, from: usize, to: usize) -> Result<bool, Stop> {
        let mut bytes = (from..).zip(self.stream.get(from..to).unwrap_or(&[]));
        let Some((at, &byte)) = bytes.find(|(_, byte)| **byte != 0) else { return Ok(false) };
        let found = Datum::Wire(u64::from(byte));
        self.wrong(reasons::PADDING, (at, to), found, Datum::Wire(0))?;
        Ok(true)
    }
}

/// A rate limit as it stands in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The service by the driver's number.
    pub service: u32,
    /// Ring pairs of the physical function.
    pub ring_pairs: u64,
    /// Committed rate.
    pub committed: u32,
    /// Peak rate.
    pub peak: u32,
}

impl RateLimit {
    /// Reads a record; its padding is passed over.
    pub fn read(record: &[u8; RATE_LIMIT_LEN]) -> Self {
        let word = |at: usize| {
            let bytes = record.get(at..at + 4).unwrap_or(&[]);
            u32::try_from(little_endian(bytes)).unwrap_or(u32::MAX)
        };
        Self {
            service: word(0),
            ring_pairs: little_endian(record.get(8..16).unwrap_or(&[])),
            committed: word(16),
            peak: word(20),
        }
    }

    /// The name of the service, where the number is one's.
    pub fn service_name(&self) -> Option<&'static str> {
        SERVICES.get(index(self.service)).copied()
    }

    /// Whether both limit the same service on the same ring pairs.
    pub fn is_for_the_rings_of(&self, other: &Self) -> bool {
        (self.service, self.ring_pairs) == (other.service, other.ring_pairs)
    }
}

/// Bytes of the longest key, `decomp 0x` and 16 digits, and of the longest value, two numbers of 32 bits.
const KEY_MAX: usize = 25;
const RATES_MAX: usize = 21;
/// Bytes of the longest map of rate limits: each text behind two bytes for its length.
const MAP_MAX: usize = RATE_LIMITS_MAX * (2 + KEY_MAX + 2 + RATES_MAX);

/// A few bytes that are put together without allocating.
#[derive(Clone, Copy, Debug)]
struct Few<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Few<N> {
    const EMPTY: Self = Self { bytes: [0; N], length: 0 };

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    fn push(&mut self, more: &[u8]) -> fmt::Result {
        let end = self.length.saturating_add(more.len());
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(more);
        self.length = end;
        Ok(())
    }

    /// Appends an item of a map.
    fn push_item(&mut self, item: &[u8]) -> fmt::Result {
        self.push(&u16::try_from(item.len()).map_err(|_| fmt::Error)?.to_le_bytes())?;
        self.push(item)
    }
}

impl<const N: usize> fmt::Write for Few<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes())
    }
}

/// The value of `rate_limits`: the bytes of a map, keys ascending.
fn map_of(limits: impl Iterator<Item = RateLimit>) -> Option<Few<MAP_MAX>> {
    let mut pairs = [(Few::<KEY_MAX>::EMPTY, Few::<RATES_MAX>::EMPTY); RATE_LIMITS_MAX];
    let mut count = 0;
    for limit in limits {
        let (key, rates) = pairs.get_mut(count)?;
        write!(key, "{} {:#x}", limit.service_name()?, limit.ring_pairs).ok()?;
        write!(rates, "{}/{}", limit.committed, limit.peak).ok()?;
        count += 1;
    }
    let pairs = pairs.get_mut(..count)?;
    pairs.sort_unstable_by(|(one, _), (other, _)| one.bytes().cmp(other.bytes()));
    let mut map = Few::EMPTY;
    for (key, rates) in &*pairs {
        map.push_item(key.bytes()).ok()?;
        map.push_item(rates.bytes()).ok()?;
    }
    if pairs.is_empty() {
        map.push_item(NO_LIMITS.as_bytes()).ok()?;
        map.push_item(NO_LIMITS.as_bytes()).ok()?;
    }
    Some(map)
}

/// What a stream says of its source: the setup block, and the state block once that was read.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    capabilities: [u8; 4],
    service_map: u16,
    extended_compression: [u8; 4],
    state: Option<State>,
}

/// What the state block says.
#[derive(Clone, Copy, Debug)]
struct State {
    pfvf_version: u8,
    /// Bytes of the rate limits in the stream.
    limits: usize,
    rate_limits: Few<MAP_MAX>,
    ring_banks: u32,
}

impl Source {
    /// Reads the values of a setup block that passed.
    fn read(stream: &[u8]) -> Option<Self> {
        Some(Self {
            capabilities: *stream.get(GENCAP_AT..)?.first_chunk()?,
            service_map: u16::from_le_bytes(*stream.get(SVCMAP_AT..)?.first_chunk()?),
            extended_compression: *stream.get(EXTDC_AT..)?.first_chunk()?,
            state: None,
        })
    }
}

impl State {
    /// Reads the values of a state block that passed.
    fn read(stream: &[u8]) -> Option<Self> {
        let limits = index(u32::from_le_bytes(*stream.get(SLA_SIZE_AT..)?.first_chunk()?));
        let records = stream.get(SLA_AT..SLA_AT.checked_add(limits)?)?;
        let banks = stream.get(SLA_AT.checked_add(limits)?.checked_add(BANKS_BEHIND_SLA)?..)?;
        Some(Self {
            pfvf_version: *stream.get(COMPVER_AT)?,
            limits,
            rate_limits: map_of(records.as_chunks().0.iter().map(RateLimit::read))?,
            ring_banks: u32::from_le_bytes(*banks.first_chunk()?),
        })
    }
}

/// A mask in its shortest form.
fn mask(bytes: &[u8; 4]) -> Option<Value<'_>> {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(1, |last| last + 1);
    Mask::new(bytes.get(..used)?).map(Value::Mask)
}

/// What a stream says of its source.
pub static STATABLE: Statable = Statable {
    attributes: &[
        VENDOR,
        STREAM_VERSION,
        CAPABILITIES,
        SERVICE_MAP,
        EXTENDED_COMPRESSION,
        PFVF_VERSION,
        RATE_LIMITS,
        RING_BANKS,
    ],
    unsaid: &[PCI_ID],
};

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("qat"))),
            number if number == STREAM_VERSION.number() => Some(Value::Uint(STREAM_VERSION_1)),
            number if number == CAPABILITIES.number() => mask(&self.capabilities),
            number if number == SERVICE_MAP.number() => Some(Value::Uint(u64::from(self.service_map))),
            number if number == EXTENDED_COMPRESSION.number() => mask(&self.extended_compression),
            number if number == PFVF_VERSION.number() => Some(Value::Uint(u64::from(self.state?.pfvf_version))),
            number if number == RATE_LIMITS.number() => {
                Value::read(Type::Map, self.state.as_ref()?.rate_limits.bytes()).ok()
            }
            number if number == RING_BANKS.number() => Some(Value::Uint(u64::from(self.state?.ring_banks))),
            _ => None,
        }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == STREAM_VERSION.number() => Some((4, 4)),
            number if number == CAPABILITIES.number() => Some((widen(GENCAP_AT), 4)),
            number if number == SERVICE_MAP.number() => Some((widen(SVCMAP_AT), 2)),
            number if number == EXTENDED_COMPRESSION.number() => Some((widen(EXTDC_AT), 4)),
            number if number == PFVF_VERSION.number() => Some((widen(COMPVER_AT), 1)),
            number if number == RATE_LIMITS.number() => {
                Some((widen(SLA_AT), u32::try_from(self.state?.limits).unwrap_or(0)))
            }
            number if number == RING_BANKS.number() => {
                Some((widen(SLA_AT + BANKS_BEHIND_SLA).saturating_add(widen(self.state?.limits)), 4))
            }
            _ => None,
        }
    }

    fn absence(&self, id: AttributeId) -> Absence {
        match id {
            id if self.state.is_none() && id.is_one_of(&[PFVF_VERSION, RATE_LIMITS, RING_BANKS]) => Absence::Awaited,
            id => STATABLE.absence(id),
        }
    }

    fn statable(&self) -> Option<&'static Statable> {
        Some(&STATABLE)
    }
}

/// What to say of fewer bytes than a preamble, and no more, or of other bytes than the magic.
fn no_preamble(prefix: &[u8]) -> Reason {
    let end = widen(prefix.len());
    let id = match FORMAT.likeness(prefix, true) {
        Likeness::No => {
            let found = Datum::Wire(little_endian(prefix.get(..4).unwrap_or(prefix)));
            let wanted = Datum::Wire(u64::from(MAGIC));
            return Reason::at(shared::MAGIC_UNRECOGNIZED, 0).spanning(0, 4).because(found, wanted);
        }
        Likeness::Short => shared::MAGIC_TRUNCATED,
        _ => shared::STREAM_TRUNCATED,
    };
    Reason::at(id, end).because(Datum::Count(end), Datum::Count(u64::from(STREAM_LEN)))
}

/// The stream, held whole.
#[derive(Debug)]
pub struct Stream;

impl Whole for Stream {
    type Source = Source;

    const DECIDED_BY: usize = PREAMBLE_LEN;

    fn source(prefix: &[u8], eof: bool, _choices: Choices) -> Result<Source, Undecided> {
        if prefix.len() < PREAMBLE_LEN || !prefix.starts_with(&MAGIC_BYTES) {
            return Err(no_preamble(prefix).into());
        }
        let mut error = None;
        let mut hear = |told| {
            if let Told::Finding(reason) = told
                && !reason.is_note()
            {
                error = Some(reason);
            }
            true
        };
        let mut walk = Walk::new(prefix, &mut hear);
        let preamble = walk.preamble(0, &SETUP_BLOCK);
        if let Ok(Preamble { end, .. }) = preamble
            && prefix.len() < end
            && !eof
        {
            return Err(Undecided::Need(end));
        }
        let passed = preamble.and_then(|preamble| {
            let there = prefix.len() >= preamble.end;
            if there { walk.sections_of_block(0, &preamble, &SETUP_BLOCK) } else { Err(Stop) }
        });
        // Where nothing is wrong with what is there, the block is cut.
        let cut = || truncated(prefix.len(), Datum::Count(u64::from(STREAM_LEN)));
        let source = passed.ok().and_then(|()| Source::read(prefix));
        source.ok_or_else(|| error.unwrap_or_else(cut).into())
    }

    fn decided_within(_source: &Source) -> usize {
        index(SETUP_LEN)
    }

    fn most(_source: &Source) -> usize {
        index(STREAM_LEN)
    }

    fn check(_source: &Source, stream: &[u8], tell: &mut dyn FnMut(Reason) -> bool) {
        if stream.len() < index(STREAM_LEN) {
            tell(truncated(stream.len(), Datum::Count(u64::from(STREAM_LEN))));
            return;
        }
        let mut hear = |told| if let Told::Finding(reason) = told { tell(reason) } else { true };
        let _done = Walk::new(stream, &mut hear).all();
    }

    fn refined(source: &Source, stream: &[u8]) -> Option<Source> {
        Some(Source { state: Some(State::read(stream)?), ..*source })
    }

    fn structure(source: Option<&Source>, input: &[u8], number: u32) -> Option<Structure> {
        if source.is_none() {
            return (number == 0).then_some(Structure { layout: &PREAMBLE, number: Some(0), range: 0..PREAMBLE_LEN });
        }
        let (mut count, mut end, mut found) = (0, 0, None);
        let mut hear = |told| {
            if let Told::Structure(structure) = told {
                end = structure.range.end;
                if count == number {
                    found = Some(structure);
                    return false;
                }
                count += 1;
            }
            true
        };
        let _done = Walk::new(input, &mut hear).all();
        let rest = Structure { layout: &UNREAD, number: None, range: end..index(STREAM_LEN) };
        found.or((count == number && !rest.range.is_empty()).then_some(rest))
    }
}

fn open_driver(target: &Target, _choices: Choices) -> Result<Box<dyn Driver>, &'static str> {
    Ok(Box::new(driver::Opened::on(target)?))
}

#[cfg(test)]
mod tests;
