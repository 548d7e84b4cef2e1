//! qat: virtual functions of Intel `QuickAssist`, generations 4 and 6 (4xxx, 401xx, 402xx, 420xx, 6xxx).
//!
//! Facts: Linux `drivers/vfio/pci/qat/main.c`, read at c995498636c7 (v7.1-rc1), and the migration state manager
//! `drivers/crypto/intel/qat/qat_common/adf_mstate_mgr.c` with `adf_gen4_vf_mig.c`; their code was run in user space at
//! 6.12.95 and 7.3.4, never on hardware. Rules stand in the order in which the driver checks.
//!
//! Unconfirmed: where a running host shows the three values of the setup block and the VF/PF protocol version. The only
//! place known for certain is a stream that the device saved.

pub mod driver;
pub mod stream;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, Definition, Dictionary, Map, PCI_ID, PciId, Text, Type, Value,
};
use crate::format::Vendor;
use crate::rule::{
    Absent, Compare, Comparison, Mismatch, Origin, OriginKind, Pair, Rule, RuleTable, derives_nothing,
    never_contradicts,
};
use crate::verdict::reasons as shared;

#[cfg(test)]
mod tests;

/// `stream_version`: version of the driver's stream format.
pub const STREAM_VERSION: AttributeId = AttributeId(0x8100);
/// `capabilities`: what the function can do.
pub const CAPABILITIES: AttributeId = AttributeId(0x8101);
/// `service_map`: which service each ring pair has.
pub const SERVICE_MAP: AttributeId = AttributeId(0x8102);
/// `extended_compression`: the extended compression capabilities.
pub const EXTENDED_COMPRESSION: AttributeId = AttributeId(0x8103);
/// `pfvf_version`: version of the protocol between virtual and physical function.
pub const PFVF_VERSION: AttributeId = AttributeId(0x0104);
/// `rate_limits`: the service level agreements that bind the function.
pub const RATE_LIMITS: AttributeId = AttributeId(0x8105);
/// `ring_banks`: how many ring banks the function has.
pub const RING_BANKS: AttributeId = AttributeId(0x8106);

/// The only version of the stream that the driver writes, and the highest that it takes (`ADF_MSTATE_VERSION`).
pub const STREAM_VERSION_1: u64 = 1;
/// Ring banks of a virtual function of every known device.
pub const BANKS: u64 = 4;
/// The key and the value that say that a function has no rate limits: a map cannot be empty.
pub const NO_LIMITS: &str = "none";

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "Intel QuickAssist: virtual functions of 4xxx, 401xx, 402xx, 420xx and 6xxx",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[reasons::CATALOGUE, stream::reasons::CATALOGUE],
};

/// The kinds of reasons that only this vendor gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        NEWER_THAN_TARGET: ".newer-than-target", Compatible,
            "the source's version is above the target's, which the driver takes all the same",
            "nothing; after trouble with the device upgrade the driver of the target's physical function";
    }
}

static DICTIONARY: Dictionary = Dictionary {
    vendor: "qat",
    attributes: &[
        Definition {
            id: STREAM_VERSION,
            name: "stream_version",
            kind: Type::Uint,
            constraint: Constraint::Any,
            meaning: "version of the stream: of a source the one that it writes, of a target the highest that it \
                      takes",
            place: "nowhere on a running host; 1 for every driver known (Linux 6.10 to 7.3)",
            example: "1",
        },
        Definition {
            id: CAPABILITIES,
            name: "capabilities",
            kind: Type::Mask,
            constraint: Constraint::Any,
            meaning: "capability mask of the virtual function, 32 bits",
            place: "CONFIG/gencap in the first 90 bytes of a stream that the device saved",
            example: "0x67",
        },
        Definition {
            id: SERVICE_MAP,
            name: "service_map",
            kind: Type::Uint,
            constraint: Constraint::Between(0, 0xffff),
            meaning: "service of each ring pair of the virtual function, 16 bits",
            place: "CONFIG/svcmap in the first 90 bytes of a stream; it follows from qat/cfg_services of the \
                    physical function",
            example: "0x1249",
        },
        Definition {
            id: EXTENDED_COMPRESSION,
            name: "extended_compression",
            kind: Type::Mask,
            constraint: Constraint::Any,
            meaning: "extended compression capabilities of the virtual function, 32 bits",
            place: "CONFIG/extdc in the first 90 bytes of a stream that the device saved",
            example: "0x0",
        },
        Definition {
            id: PFVF_VERSION,
            name: "pfvf_version",
            kind: Type::Uint,
            constraint: Constraint::Between(0, 0xff),
            meaning: "version of the protocol between virtual and physical function; 0 is one that was never agreed \
                      on",
            place: "GENER/compver in a stream; a target has what its driver was built with: 4, or 5 in sources of \
                    2026",
            example: "5",
        },
        Definition {
            id: RATE_LIMITS,
            name: "rate_limits",
            kind: Type::Map,
            constraint: Constraint::Any,
            meaning: "limits that touch the function's own ring pairs: service (asym, sym, dc, decomp) and mask of \
                      the physical function's ring pairs, then committed and peak rate; { none = \"none\" } says \
                      that there are none",
            place: "qat_rl/ of the physical function: rp, srv, cir and pir of each agreement",
            example: "{ \"sym 0xf\" = \"100/200\" }",
        },
        Definition {
            id: RING_BANKS,
            name: "ring_banks",
            kind: Type::Uint,
            constraint: Constraint::Between(1, 16),
            meaning: "ring banks of the virtual function",
            place: "nowhere on a running host; 4 for every device known",
            example: "4",
        },
    ],
};

const fn driver(citation: &'static str) -> Origin {
    Origin { kind: OriginKind::Driver, citation, scope: "Linux 6.12.95 and 7.3.4, measured", date: "2026-11" }
}

/// A row of the driver's: both sides must state the attribute.
const fn row(id: AttributeId, compare: Compare, citation: &'static str) -> Rule {
    Rule {
        source: id,
        target: id,
        compare,
        when: None,
        mismatch: Mismatch::Refuse,
        source_absent: Absent::Unknown,
        target_absent: Absent::Unknown,
        origin: driver(citation),
    }
}

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        Rule {
            source_absent: Absent::Default(Value::Uint(STREAM_VERSION_1)),
            target_absent: Absent::Default(Value::Uint(STREAM_VERSION_1)),
            ..row(
                STREAM_VERSION,
                Compare::AtLeast,
                "adf_mstate_mgr.c: the version in a preamble is not above the driver's own",
            )
        },
        row(CAPABILITIES, Compare::Subset, "adf_gen4_vf_mig.c: CONFIG/gencap has no bit that the target's mask lacks"),
        row(SERVICE_MAP, Compare::Equal, "adf_gen4_vf_mig.c: CONFIG/svcmap equals the target's ring-to-service map"),
        row(
            EXTENDED_COMPRESSION,
            Compare::Subset,
            "adf_gen4_vf_mig.c: CONFIG/extdc has no bit that the target's mask lacks",
        ),
        Rule {
            source_absent: Absent::Ignore,
            target_absent: Absent::Ignore,
            ..row(
                PFVF_VERSION,
                Compare::Own(pfvf_version),
                "adf_gen4_vf_mig.c: GENER/compver of 0 is warned of, one above the target's is logged; all are taken",
            )
        },
        Rule {
            target_absent: Absent::Default(Value::Map(Map::constant(b"\x04\0none\x04\0none"))),
            ..row(
                RATE_LIMITS,
                Compare::Own(rate_limits),
                "adf_gen4_vf_mig.c: each record of GENER/sla has one of the target's with its srv and rp_mask, and \
                 neither cir nor pir is above that one's",
            )
        },
        Rule {
            source_absent: Absent::Default(Value::Uint(BANKS)),
            target_absent: Absent::Default(Value::Uint(BANKS)),
            ..row(
                RING_BANKS,
                Compare::Equal,
                "adf_gen4_vf_mig.c: ETRBAR has a section for each bank of the target; further ones are passed over, \
                 and their rings lost",
            )
        },
        // The driver does not look at the device: the stream has no device id. Two devices with equal masks are taken.
        Rule {
            origin: Origin {
                kind: OriginKind::Specification,
                citation: "device compatibility interface, intel-gvt-dev, 19 Aug 2020: pci_id is equal, or one that \
                           the target lists; the driver itself loads a stream of any device whose masks fit",
                scope: "",
                date: "2026-11",
            },
            ..row(PCI_ID, Compare::Equal, "")
        },
        Rule {
            source_absent: Absent::Default(VFIO_PCI),
            target_absent: Absent::Default(VFIO_PCI),
            ..row(DEVICE_API, Compare::Is(VFIO_PCI), "drivers/vfio/pci/qat/main.c: a variant driver of vfio-pci")
        },
    ],
    derive: derives_nothing,
    statable: &[&stream::STATABLE],
    contradiction: never_contradicts,
    impossible,
};

/// No value fails; one that was never agreed on, and one above the target's, are worth a note.
fn pfvf_version(pair: &Pair<'_>) -> Comparison {
    match (pair.source, pair.target) {
        (Value::Uint(0), _) => Comparison::MatchWithNote(shared::ABSENT),
        (Value::Uint(source), Value::Uint(target)) if source > target => {
            Comparison::MatchWithNote(reasons::NEWER_THAN_TARGET)
        }
        _ => Comparison::Match,
    }
}

/// Each limit of the source is met by one of the target's.
fn rate_limits(pair: &Pair<'_>) -> Comparison {
    let mut outcome = Comparison::Match;
    if limits(pair.source).any(|limit| limit.is_none()) {
        return Comparison::Mismatch(shared::REFUSED);
    }
    for limit in limits(pair.source).flatten() {
        let mut alike = limits(pair.target).flatten().filter(|target| target.is_for_the_rings_of(&limit)).peekable();
        if alike.peek().is_none() {
            return Comparison::Mismatch(shared::NOT_SUBSET);
        }
        if !alike.any(|target| limit.committed <= target.committed && limit.peak <= target.peak) {
            outcome = Comparison::Mismatch(shared::NOT_AT_LEAST);
        }
    }
    outcome
}

/// The services by the driver's number of each (`srv`).
const SERVICES: [&str; 4] = ["asym", "sym", "dc", "decomp"];

/// One rate limit.
struct Limit<'a> {
    service: &'a str,
    ring_pairs: u64,
    committed: u32,
    peak: u32,
}

impl<'a> Limit<'a> {
    /// `sym 0xf` and `100/200`.
    fn read(key: &'a str, value: &str) -> Option<Self> {
        let (service, ring_pairs) = key.split_once(' ')?;
        let (committed, peak) = value.split_once('/')?;
        let ring_pairs = ring_pairs.strip_prefix("0x")?;
        // Digits alone: reading a number would take a sign, too.
        let digits = [committed, peak].iter().all(|rate| rate.bytes().all(|byte| byte.is_ascii_digit()));
        if !digits || !ring_pairs.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        SERVICES.contains(&service).then_some(Self {
            service,
            ring_pairs: u64::from_str_radix(ring_pairs, 16).ok()?,
            committed: committed.parse().ok()?,
            peak: peak.parse().ok()?,
        })
    }

    fn is_for_the_rings_of(&self, other: &Limit<'_>) -> bool {
        self.service == other.service && self.ring_pairs == other.ring_pairs
    }
}

/// The limits of a side, `None` for a pair that says nothing of a limit; nothing at all where there are none.
fn limits(value: Value<'_>) -> impl Iterator<Item = Option<Limit<'_>>> {
    let map = if let Value::Map(map) = value { Some(map) } else { None };
    let pairs = map.into_iter().flat_map(Map::pairs);
    pairs
        .filter(|(key, value)| (key.as_str(), value.as_str()) != (NO_LIMITS, NO_LIMITS))
        .map(|(key, value)| Limit::read(key.as_str(), value.as_str()))
}

/// Limits that are written in another form, and the ids of physical functions, each of which is one below that of its
/// virtual functions.
fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    let physical = |id: PciId| id.vendor == 0x8086 && matches!(id.device, 0x4940 | 0x4942 | 0x4944 | 0x4946 | 0x4948);
    match target.value(PCI_ID) {
        Some(Value::PciId(id)) if physical(id) => {
            return Some((PCI_ID, "that of a virtual function: 8086:4941, 4943, 4945, 4947 or 4949"));
        }
        _ => {}
    }
    let malformed = target.value(RATE_LIMITS).is_some_and(|value| limits(value).any(|limit| limit.is_none()));
    malformed.then_some((RATE_LIMITS, "pairs such as \"sym 0xf\" = \"100/200\", or none = \"none\""))
}
