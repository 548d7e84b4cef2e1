//! ap: vfio-ap, queues of s390 crypto adapters given to a guest as a mediated device.
//!
//! No migration is merged; a kernel series of 2026 proposes a stream with the magic `vfap`, whose rules for queues are
//! the ones here and whose layout is read as the series has it. Facts: Linux
//! `Documentation/arch/s390/vfio-ap.rst` (123760841a2e), and the series for live guest migration with vfio-ap, as
//! posted on kvm and linux-s390 on 25 March and 30 June 2026, with its review.
//!
//! Unconfirmed: that the series is merged in this form; where master keys are seen; the form of `ap_functions` in
//! sysfs.

use core::iter::Peekable;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, Definition, Dictionary, MDEV_TYPE, Text, Type, Value, row,
};
use crate::format::Vendor;
use crate::rule::{
    Absent, Compare, Comparison, Origin, OriginKind, Pair, Rule, RuleTable, derives_nothing, never_contradicts, rule,
};
use crate::verdict::{ReasonId, reasons as shared};

pub mod stream;
#[cfg(test)]
mod tests;

/// `apqns`: the queues.
pub const APQNS: AttributeId = AttributeId(0x8100);
/// `control_domains`: the domains that the guest may control.
pub const CONTROL_DOMAINS: AttributeId = AttributeId(0x8101);
/// `ap_type`: the adapter's type, queue by queue.
pub const AP_TYPE: AttributeId = AttributeId(0x8102);
/// `mode`: the adapter's mode, queue by queue.
pub const MODE: AttributeId = AttributeId(0x8103);
/// `queue_facilities`: the first half of the status word, queue by queue.
pub const QUEUE_FACILITIES: AttributeId = AttributeId(0x8104);
/// `master_keys`: what tells the master keys apart, domain by domain.
pub const MASTER_KEYS: AttributeId = AttributeId(0x8105);

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "vfio-ap: s390 crypto adapter queues, by the rules of the series that proposes their migration",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

static DICTIONARY: Dictionary = Dictionary {
    vendor: "ap",
    attributes: &[
        Definition {
            constraint: Constraint::Members(Type::Text),
            ..row(
                APQNS,
                "apqns",
                Type::Set,
                "queues, CARD.DOMAIN in two and four lower-case hex digits: of a source those that the guest uses, \
                 of a target those that are bound and assigned",
                "the file matrix of the mediated device",
                "[\"05.0004\", \"05.00ab\"]",
            )
        },
        Definition {
            constraint: Constraint::Members(Type::Text),
            ..row(
                CONTROL_DOMAINS,
                "control_domains",
                Type::Set,
                "domains that the guest may control, four lower-case hex digits; left out where there are none",
                "the file control_domains of the mediated device",
                "[\"0004\", \"00ab\"]",
            )
        },
        row(
            AP_TYPE,
            "ap_type",
            Type::Map,
            "type of the adapter for each queue, in decimal: 10 for CEX4 to 14 for CEX8",
            "the file hwtype of the card, /sys/bus/ap/devices/card05",
            "{ \"05.0004\" = \"14\", \"05.00ab\" = \"14\" }",
        ),
        row(
            MODE,
            "mode",
            Type::Map,
            "mode of the adapter for each queue: accelerator, cca or ep11",
            "the last letter of the card's type: A, C or P",
            "{ \"05.0004\" = \"cca\", \"05.00ab\" = \"cca\" }",
        ),
        row(
            QUEUE_FACILITIES,
            "queue_facilities",
            Type::Map,
            "bits 0 to 31 of the status word for each queue, bit 0 leftmost, in eight hex digits",
            "the file ap_functions of the card",
            "{ \"05.0004\" = \"0xb2800000\", \"05.00ab\" = \"0xb2800000\" }",
        ),
        row(
            MASTER_KEYS,
            "master_keys",
            Type::Map,
            "hash or verification pattern of the master keys for each domain; { none = \"none\" } for accelerators \
                                                                                               only",
            "nowhere in the matrix of the mediated device: from the administrator of the keys",
            "{ \"0004\" = \"0x2ce0a1b1c3d4e5f6\" }",
        ),
    ],
};

const fn series(citation: &'static str) -> Origin {
    Origin {
        kind: OriginKind::Specification,
        citation,
        scope: "series proposed for Linux, not merged; postings of March and June 2026",
        date: "2026-11",
    }
}

const fn driver(citation: &'static str) -> Origin {
    Origin { kind: OriginKind::Driver, citation, scope: "", date: "2026-11" }
}

const VFIO_AP: Value<'static> = Value::Text(Text::constant("vfio-ap"));
const PASSTHROUGH: Value<'static> = Value::Text(Text::constant("vfio_ap-passthrough"));

/// The attributes and rules, those of the series in the order of its checks.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        rule(
            DEVICE_API,
            Compare::Is(VFIO_AP),
            Absent::Default(VFIO_AP),
            driver("drivers/s390/crypto/vfio_ap_ops.c: the only type has the device_api vfio-ap"),
        ),
        rule(
            MDEV_TYPE,
            Compare::Is(PASSTHROUGH),
            Absent::Default(PASSTHROUGH),
            driver("drivers/s390/crypto/vfio_ap_ops.c: vfio_ap-passthrough is the only type"),
        ),
        rule(
            APQNS,
            Compare::Subset,
            Absent::Unknown,
            series("vfio-ap live guest migration: every queue of the source is bound on the target, else ENODEV"),
        ),
        rule(
            APQNS,
            Compare::Own(unchanged_view),
            Absent::Ignore,
            series(
                "vfio-ap live guest migration: the guest sees the target's queues, also those that the source lacked",
            ),
        ),
        Rule {
            source_absent: Absent::Note,
            ..rule(
                CONTROL_DOMAINS,
                Compare::Subset,
                Absent::Refuse,
                series("vfio-ap live guest migration: every control domain of the source is the target's, else ENODEV"),
            )
        },
        rule(
            QUEUE_FACILITIES,
            Compare::Own(queue_facilities),
            Absent::Unknown,
            series(
                "vfio-ap live guest migration: facility and mode bits 0 to 7 are equal, bit 8 (native) is not lost, \
                 bits 16 and 17 are zero, else EINVAL",
            ),
        ),
        rule(
            AP_TYPE,
            Compare::Own(ap_type),
            Absent::Unknown,
            series("vfio-ap live guest migration: the target's adapter type is not below the source's, else EINVAL"),
        ),
        rule(
            MODE,
            Compare::Own(mode),
            Absent::Unknown,
            series(
                "vfio-ap live guest migration: the mode bits of a queue, accelerator, CCA or EP11, are equal, else \
                 EINVAL",
            ),
        ),
        rule(
            MASTER_KEYS,
            Compare::Subset,
            Absent::Administrator,
            Origin {
                kind: OriginKind::Specification,
                citation: "s390 crypto: keys of a guest are wrapped by the master key of its domain and are \
                           worthless under another; no interface of vfio-ap shows it",
                scope: "unconfirmed: from general knowledge",
                date: "2026-11",
            },
        ),
    ],
    derive: derives_nothing,
    statable: &[&stream::STATABLE],
    contradiction: never_contradicts,
    impossible,
};

/// More queues on the target are worth a note.
fn unchanged_view(pair: &Pair<'_>) -> Comparison {
    match (pair.source, pair.target) {
        (Value::Set(source), Value::Set(target)) if source.is_subset(target) && source != target => {
            Comparison::MatchWithNote(shared::MORE_CAPACITY)
        }
        _ => Comparison::Match,
    }
}

/// Whether `holds` for each queue of the source and the same one of the target. A queue that one side has and says
/// nothing of makes the verdict unknown; one that the target does not have is the matter of `apqns`.
fn by_queue(pair: &Pair<'_>, otherwise: ReasonId, holds: impl Fn(&[u8], &[u8]) -> Option<bool>) -> Comparison {
    let (Value::Map(source), Value::Map(target)) = (pair.source, pair.target) else {
        return Comparison::Mismatch(shared::REFUSED);
    };
    let mut open = false;
    let mut bound = queues(pair.of_target);
    for (queue, value, theirs) in source.beside(target) {
        match theirs.map(|theirs| holds(value.as_bytes(), theirs.as_bytes())) {
            Some(Some(true)) => {}
            Some(Some(false)) => return Comparison::Mismatch(otherwise),
            Some(None) => return Comparison::Mismatch(shared::REFUSED),
            None => open |= bound.as_mut().is_none_or(|bound| has(bound, queue)),
        }
    }
    if let Some(mut queues) = queues(pair.of_source) {
        let mut named = source.pairs().map(|(key, _)| key).peekable();
        open |= queues.any(|queue| !has(&mut named, queue));
    }
    if open { Comparison::Mismatch(shared::NOT_IN_PROFILE) } else { Comparison::Match }
}

/// The queues of a side, ascending; `None` where it does not say.
fn queues(side: &dyn Attributes) -> Option<Peekable<impl Iterator<Item = Text<'_>>>> {
    let Value::Set(queues) = side.value(APQNS)? else { return None };
    let name = |queue| if let Value::Text(name) = queue { Some(name) } else { None };
    Some(queues.members().filter_map(name).peekable())
}

/// Whether the queue is among those that are left of `ascending`, of which it takes all up to this one.
fn has<'a>(ascending: &mut Peekable<impl Iterator<Item = Text<'a>>>, queue: Text<'_>) -> bool {
    while ascending.next_if(|before| *before < queue).is_some() {}
    ascending.next_if(|same| *same == queue).is_some()
}

/// Facilities S, M, C and modes D, A, X, N, SL: bits 0 to 7.
const FACILITIES: u32 = 0xff00_0000;
/// Class native: bit 8.
const NATIVE: u32 = 0x0080_0000;
/// Bits 16 and 17: bound to a secure guest, or on the way there.
const BOUND: u32 = 0x0000_c000;

fn queue_facilities(pair: &Pair<'_>) -> Comparison {
    by_queue(pair, shared::NOT_EQUAL, |source, target| {
        let (source, target) = (status(source)?, status(target)?);
        let equal = (source ^ target) & FACILITIES == 0;
        let native = source & NATIVE == 0 || target & NATIVE != 0;
        Some(equal && native && (source | target) & BOUND == 0)
    })
}

fn ap_type(pair: &Pair<'_>) -> Comparison {
    by_queue(pair, shared::NOT_AT_LEAST, |source, target| Some(kind(source)? <= kind(target)?))
}

/// Modes of an adapter, as a map names them.
const MODES: [&[u8]; 3] = [b"cca", b"accelerator", b"ep11"];

fn mode(pair: &Pair<'_>) -> Comparison {
    by_queue(pair, shared::NOT_EQUAL, |source, target| Some(source == target))
}

/// `0xb2800000`.
fn status(text: &[u8]) -> Option<u32> {
    let digits: &[u8; 8] = text.strip_prefix(b"0x").unwrap_or(text).try_into().ok()?;
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(digit))
    })
}

/// One to three decimal digits.
fn kind(text: &[u8]) -> Option<u32> {
    let is_number = (1..=3).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| text.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// Whether a text is so many lower-case hex digits.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_queue(text: &str) -> bool {
    text.split_once('.').is_some_and(|(card, domain)| is_hex(card, 2) && is_hex(domain, 4))
}

/// What is written in another form than sysfs has it would never be found again.
fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    let members = |id, form: fn(&str) -> bool| match target.value(id) {
        Some(Value::Set(set)) => set.members().all(|member| matches!(member, Value::Text(name) if form(name.as_str()))),
        _ => true,
    };
    let pairs = |id, form: fn(&[u8]) -> bool| match target.value(id) {
        Some(Value::Map(map)) => map.pairs().all(|(queue, value)| is_queue(queue.as_str()) && form(value.as_bytes())),
        _ => true,
    };
    if !members(APQNS, is_queue) {
        Some((APQNS, "queues such as 05.00ab"))
    } else if !members(CONTROL_DOMAINS, |domain| is_hex(domain, 4)) {
        Some((CONTROL_DOMAINS, "domains such as 00ab"))
    } else if !pairs(AP_TYPE, |value| kind(value).is_some()) {
        Some((AP_TYPE, "pairs such as \"05.00ab\" = \"14\""))
    } else if !pairs(MODE, |value| MODES.contains(&value)) {
        Some((MODE, "pairs such as \"05.00ab\" = \"cca\", with accelerator, cca or ep11"))
    } else if !pairs(QUEUE_FACILITIES, |value| status(value).is_some()) {
        Some((QUEUE_FACILITIES, "pairs such as \"05.00ab\" = \"0xb2800000\""))
    } else {
        None
    }
}
