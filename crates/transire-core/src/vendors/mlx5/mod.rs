//! mlx5: virtual functions of NVIDIA `ConnectX` adapters.
//!
//! Facts: Linux `drivers/vfio/pci/mlx5/main.c`, `cmd.c` and `cmd.h`, read at 56f901775733 (v7.1-rc1); their code was run
//! in user space at 7.3.4, never on hardware. The state of the device is the firmware's: its images are opaque.

pub mod driver;
pub mod stream;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, Definition, Dictionary, PCI_ID, PciId, Text, Type, Value,
};
use crate::format::Vendor;
use crate::rule::{
    Absent, Compare, Mismatch, Origin, OriginKind, Rule, RuleTable, derives_nothing, never_contradicts, rule,
};

/// `firmware_version`: version of the adapter's firmware.
pub const FIRMWARE_VERSION: AttributeId = AttributeId(0x0100);

/// The only virtual function that the driver binds to: `ConnectX` Family mlx5Gen Virtual Function.
pub const VIRTUAL_FUNCTION: PciId = PciId { vendor: 0x15b3, device: 0x101e };

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "NVIDIA ConnectX: virtual functions",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

static DICTIONARY: Dictionary = Dictionary {
    vendor: "mlx5",
    attributes: &[Definition {
        id: FIRMWARE_VERSION,
        name: "firmware_version",
        kind: Type::Version,
        constraint: Constraint::Any,
        meaning: "version of the adapter's firmware",
        place: "ethtool -i of the physical function's network device, or devlink dev info: fw.version",
        example: "\"22.36.1010\"",
    }],
};

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));

const fn origin(kind: OriginKind, citation: &'static str) -> Origin {
    Origin { kind, citation, scope: "Linux 5.18 to 7.3", date: "2026-11" }
}

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        // The driver does not look at the device: the stream has no device id, and the firmware decides.
        rule(
            PCI_ID,
            Compare::Equal,
            Absent::Ignore,
            origin(
                OriginKind::Specification,
                "device compatibility interface, intel-gvt-dev, 19 Aug 2020: pci_id is equal, or one that the target \
                 lists; the driver itself asks nothing, and its table of ids has 15b3:101e only",
            ),
        ),
        Rule {
            mismatch: Mismatch::Administrator,
            ..rule(
                FIRMWARE_VERSION,
                Compare::Equal,
                Absent::Ignore,
                origin(
                    OriginKind::Specification,
                    "drivers/vfio/pci/mlx5/cmd.c: the firmware takes an image or refuses it when it is loaded; which \
                     versions take each other's is not published",
                ),
            )
        },
        rule(
            DEVICE_API,
            Compare::Is(VFIO_PCI),
            Absent::Default(VFIO_PCI),
            origin(OriginKind::Driver, "drivers/vfio/pci/mlx5/main.c: a variant driver of vfio-pci"),
        ),
    ],
    derive: derives_nothing,
    statable: &[],
    contradiction: never_contradicts,
    impossible,
};

fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    match target.value(PCI_ID) {
        Some(Value::PciId(id)) if id != VIRTUAL_FUNCTION => Some((PCI_ID, "that of a virtual function: 15b3:101e")),
        _ => None,
    }
}
