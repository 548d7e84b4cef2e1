//! virtio: virtual functions of network and block devices that save themselves as "device parts".
//!
//! Facts: Linux `drivers/vfio/pci/virtio/migrate.c`, read at e72a6c89bd46, its code run in user space at 7.3.4, never on
//! hardware; and the source of the OASIS virtio specification, `device-parts.tex` and `admin-cmds-device-parts.tex`, at
//! 24e93e10fdd4. The driver hands the parts to the device as they are; the rules are the device's, by the specification.

pub mod driver;
pub mod parts;
pub mod stream;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, Definition, Dictionary, PCI_ID, PciId, Text, Type, Value,
};
use crate::format::Vendor;
use crate::rule::{Absent, Compare, Origin, OriginKind, Rule, RuleTable, derives_nothing, never_contradicts, rule};

/// `device_features`: the features that the device offers.
pub const DEVICE_FEATURES: AttributeId = AttributeId(0x8100);
/// `driver_features`: the features that the guest's driver has accepted.
pub const DRIVER_FEATURES: AttributeId = AttributeId(0x0101);
/// `num_queues`: how many virtqueues the device has.
pub const NUM_QUEUES: AttributeId = AttributeId(0x0102);

/// The devices that the driver binds to: network and block.
pub const DEVICES: [PciId; 2] = [PciId { vendor: 0x1af4, device: 0x1041 }, PciId { vendor: 0x1af4, device: 0x1042 }];

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "virtio: virtual functions of network and block devices with device parts",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

static DICTIONARY: Dictionary = Dictionary {
    vendor: "virtio",
    attributes: &[
        Definition {
            id: DEVICE_FEATURES,
            name: "device_features",
            kind: Type::Mask,
            constraint: Constraint::Any,
            meaning: "feature bits that the device offers",
            place: "features of the device with its own driver (sysfs: bus/virtio/devices/*/features, the lowest bit \
                    first), or DEV_FEATURES in the first 112 bytes of a stream that the device saved",
            example: "0x100000020",
        },
        Definition {
            id: DRIVER_FEATURES,
            name: "driver_features",
            kind: Type::Mask,
            constraint: Constraint::Any,
            meaning: "feature bits that the guest's driver has accepted",
            place: "a source's alone: DRV_FEATURES in the first 112 bytes of a stream that the device saved",
            example: "0x100000020",
        },
        Definition {
            id: NUM_QUEUES,
            name: "num_queues",
            kind: Type::Uint,
            constraint: Constraint::Between(1, 0xffff),
            meaning: "virtqueues of the device",
            place: "num_queues of its common configuration, offset 18; PCI_COMMON_CFG of that offset in a stream",
            example: "3",
        },
    ],
};

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));

const fn specification(citation: &'static str) -> Origin {
    Origin { kind: OriginKind::Specification, citation, scope: "", date: "2026-11" }
}

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        Rule {
            source_absent: Absent::Note,
            ..rule(
                DEVICE_FEATURES,
                Compare::Equal,
                Absent::Unknown,
                specification(
                    "virtio, device parts: DEV_FEATURES is compared and not set, and must match the device's",
                ),
            )
        },
        Rule {
            target: DEVICE_FEATURES,
            ..rule(
                DRIVER_FEATURES,
                Compare::Subset,
                Absent::Ignore,
                specification(
                    "virtio, feature negotiation: a driver accepts no feature that the device does not offer",
                ),
            )
        },
        rule(
            NUM_QUEUES,
            Compare::AtLeast,
            Absent::Ignore,
            specification("virtio, device parts: VQ_CFG and VQ_NOTIFY_CFG name a queue that the device has"),
        ),
        // Nothing in a stream says whether the device is for network or block.
        rule(
            PCI_ID,
            Compare::Equal,
            Absent::Ignore,
            specification(
                "device compatibility interface, intel-gvt-dev, 19 Aug 2020: pci_id is equal, or one that the target \
                 lists; the driver itself asks nothing, and its table of ids has 1af4:1041 and 1af4:1042",
            ),
        ),
        rule(
            DEVICE_API,
            Compare::Is(VFIO_PCI),
            Absent::Default(VFIO_PCI),
            Origin {
                kind: OriginKind::Driver,
                citation: "drivers/vfio/pci/virtio/main.c: a variant driver of vfio-pci",
                scope: "Linux 6.13 to 7.3",
                date: "2026-11",
            },
        ),
    ],
    derive: derives_nothing,
    statable: &[],
    contradiction: never_contradicts,
    impossible,
};

fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    match target.value(PCI_ID) {
        Some(Value::PciId(id)) if !DEVICES.contains(&id) => {
            Some((PCI_ID, "that of a network or block device: 1af4:1041 or 1af4:1042"))
        }
        _ => None,
    }
}
