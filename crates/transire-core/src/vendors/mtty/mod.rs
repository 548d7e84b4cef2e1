//! mtty: the kernel's sample driver, a mediated 16550 serial card of one or two ports.
//!
//! Facts: Linux `samples/vfio-mdev/mtty.c` (migration since v6.7), read at c995498636c7 (v7.1-rc1) and run at 6.12.95.

pub mod driver;
pub mod stream;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, Definition, Dictionary, MDEV_TYPE, Text, Type, Value, Version,
};
use crate::format::Vendor;
use crate::rule::{Absent, Compare, Mismatch, Origin, OriginKind, Rule, RuleTable};

/// `nr_ports`: how many serial ports the card has, 1 or 2.
pub const NR_PORTS: AttributeId = AttributeId(0x8100);
/// `stream_version`: major and minor version of the driver's stream.
pub const STREAM_VERSION: AttributeId = AttributeId(0x8101);

/// Most ports that a card has (`MTTY_MAX_PORTS` of the two types in `mtty.c`).
pub const PORTS_MAX: u32 = 2;

/// The only stream version that the driver writes and takes: it demands major and minor to be equal to its own.
pub const VERSION_1_0: Version = Version { major: 1, minor: 0, patch: 0 };

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "Linux sample driver mtty: mediated serial card of one or two ports",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

static DICTIONARY: Dictionary = Dictionary {
    vendor: "mtty",
    attributes: &[
        Definition {
            id: NR_PORTS,
            name: "nr_ports",
            kind: Type::Uint,
            constraint: Constraint::Between(1, PORTS_MAX as u64),
            meaning: "serial ports of the card, 1 or 2",
            place: "the link mdev_type of the mediated device: mtty-1 has one port, mtty-2 has two",
            example: "2",
        },
        Definition {
            id: STREAM_VERSION,
            name: "stream_version",
            kind: Type::Version,
            constraint: Constraint::Any,
            meaning: "major and minor version of the driver's migration stream; the third number is always 0",
            place: "nowhere on a running host; 1.0.0 for every driver known (Linux 6.7 to 7.1)",
            example: "\"1.0.0\"",
        },
    ],
};

const fn origin(citation: &'static str) -> Origin {
    Origin { kind: OriginKind::Driver, citation, scope: "Linux 6.7 to 7.1", date: "2026-04" }
}

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        Rule {
            source: STREAM_VERSION,
            target: STREAM_VERSION,
            compare: Compare::Equal,
            when: None,
            mismatch: Mismatch::Refuse,
            source_absent: Absent::Default(Value::Version(VERSION_1_0)),
            target_absent: Absent::Default(Value::Version(VERSION_1_0)),
            origin: origin("samples/vfio-mdev/mtty.c: major_ver and minor_ver of the header equal the driver's own"),
        },
        Rule {
            source: NR_PORTS,
            target: NR_PORTS,
            compare: Compare::Equal,
            when: None,
            mismatch: Mismatch::Refuse,
            source_absent: Absent::Unknown,
            target_absent: Absent::Unknown,
            origin: origin("samples/vfio-mdev/mtty.c: nr_ports of the header equals the device's"),
        },
        Rule {
            source: MDEV_TYPE,
            target: MDEV_TYPE,
            compare: Compare::Equal,
            when: None,
            mismatch: Mismatch::Refuse,
            source_absent: Absent::Ignore,
            target_absent: Absent::Ignore,
            origin: origin("samples/vfio-mdev/mtty.c: mtty-1 and mtty-2 are the types of one and of two ports"),
        },
        Rule {
            source: DEVICE_API,
            target: DEVICE_API,
            compare: Compare::Is(Value::Text(Text::constant("vfio-pci"))),
            when: None,
            mismatch: Mismatch::Refuse,
            source_absent: Absent::Default(Value::Text(Text::constant("vfio-pci"))),
            target_absent: Absent::Default(Value::Text(Text::constant("vfio-pci"))),
            origin: origin("samples/vfio-mdev/mtty.c: both types have the device_api vfio-pci"),
        },
    ],
    derive,
    statable: &[],
    contradiction,
    impossible,
};

/// `nr_ports` follows from `mdev_type`.
fn derive(side: &dyn Attributes, id: AttributeId) -> Option<Value<'_>> {
    if id.is(NR_PORTS) { ports_of_type(side).map(Value::Uint) } else { None }
}

fn ports_of_type(side: &dyn Attributes) -> Option<u64> {
    match side.value(MDEV_TYPE)? {
        Value::Text(name) if name.as_bytes() == b"mtty-1" => Some(1),
        Value::Text(name) if name.as_bytes() == b"mtty-2" => Some(2),
        _ => None,
    }
}

fn contradiction(side: &dyn Attributes) -> Option<(AttributeId, AttributeId)> {
    match (ports_of_type(side), side.value(NR_PORTS)) {
        (Some(ports), Some(Value::Uint(stated))) if ports != stated => Some((MDEV_TYPE, NR_PORTS)),
        _ => None,
    }
}

fn impossible(side: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    let stated = matches!(side.value(MDEV_TYPE), Some(Value::Text(_)));
    (stated && ports_of_type(side).is_none()).then_some((MDEV_TYPE, "mtty-1 or mtty-2"))
}
