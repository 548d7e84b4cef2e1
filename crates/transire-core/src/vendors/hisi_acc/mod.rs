//! hisi-acc: virtual functions of the `HiSilicon` accelerators ZIP, SEC and HPRE.
//!
//! Facts: Linux `drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c` at c995498636c7 (v7.1-rc1) and its header at
//! a22099ed7936 (v7.0-rc1); the driver's own code was run in user space at 7.3.4 and 6.12.95, never on hardware. Rules
//! stand in the order in which the driver checks.

pub mod driver;
pub mod stream;

#[cfg(test)]
mod tests;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, Definition, Dictionary, PCI_ID, PciId, Text, Type, Value,
};
use crate::format::Vendor;
use crate::rule::{Absent, Compare, Origin, OriginKind, RuleTable, derives_nothing, never_contradicts, rule};

/// `qp_num`: how many queue pairs the function has.
pub const QP_NUM: AttributeId = AttributeId(0x8100);
/// `que_iso_cfg`: the queue isolation register of the physical function.
pub const QUE_ISO_CFG: AttributeId = AttributeId(0x8101);
/// `stream_version`: which of the two layouts, told by the magic.
pub const STREAM_VERSION: AttributeId = AttributeId(0x8102);

/// PCI vendor id of these devices. It is not in the stream, which has the device id alone; it is the one under which the
/// PCI id list has the three functions.
pub const PCI_VENDOR: u16 = 0x19e5;
/// Device ids of the physical functions ZIP, SEC and HPRE, as the PCI id list has them: one below those of their virtual
/// functions.
const PHYSICAL: [u16; 3] = [0xa250, 0xa255, 0xa258];

/// The newest stream version, and the only one that a driver at hand writes (6.1.176, 6.12.95, 7.3.4).
pub const STREAM_VERSION_2: u64 = 2;

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "HiSilicon accelerators: virtual functions of ZIP, SEC and HPRE",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

static DICTIONARY: Dictionary = Dictionary {
    vendor: "hisi-acc",
    attributes: &[
        Definition {
            id: QP_NUM,
            name: "qp_num",
            kind: Type::Uint,
            constraint: Constraint::Between(1, u32::MAX as u64),
            meaning: "queue pairs of the virtual function",
            place: "bytes 8 to 11 of a stream that the device saved; the number that its physical function gave it",
            example: "64",
        },
        Definition {
            id: QUE_ISO_CFG,
            name: "que_iso_cfg",
            kind: Type::Uint,
            constraint: Constraint::Between(0, u32::MAX as u64),
            meaning: "queue isolation register of the physical function, 32 bits",
            place: "bytes 16 to 19 of a stream that the device saved",
            example: "0",
        },
        Definition {
            id: STREAM_VERSION,
            name: "stream_version",
            kind: Type::Uint,
            constraint: Constraint::Between(1, STREAM_VERSION_2),
            meaning: "version of the stream, told by its magic: of a source the one that it writes, of a target the \
                      highest that it takes",
            place: "nowhere on a running host; 2 from Linux 6.16 on and with its backports, 1 before",
            example: "2",
        },
    ],
};

const fn driver(citation: &'static str) -> Origin {
    Origin { kind: OriginKind::Driver, citation, scope: "Linux 6.12.95 and 7.3.4, measured", date: "2026-11" }
}

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        rule(
            STREAM_VERSION,
            Compare::AtLeast,
            Absent::Default(Value::Uint(STREAM_VERSION_2)),
            driver("hisi_acc_vfio_pci.c: the magic is one that the driver knows; one that knows V2 takes V1"),
        ),
        rule(
            PCI_ID,
            Compare::Equal,
            Absent::Unknown,
            driver("hisi_acc_vfio_pci.c: dev_id equals the PCI device id of the virtual function"),
        ),
        rule(
            QP_NUM,
            Compare::Equal,
            Absent::Unknown,
            driver("hisi_acc_vfio_pci.c: qp_num equals the queue count that the function's mailbox reports"),
        ),
        rule(
            QUE_ISO_CFG,
            Compare::Equal,
            Absent::Unknown,
            driver("hisi_acc_vfio_pci.c: que_iso_cfg equals the register of the physical function"),
        ),
        rule(
            DEVICE_API,
            Compare::Is(VFIO_PCI),
            Absent::Default(VFIO_PCI),
            driver("hisi_acc_vfio_pci.c: a variant driver of vfio-pci"),
        ),
    ],
    derive: derives_nothing,
    statable: &[],
    contradiction: never_contradicts,
    impossible,
};

/// A physical function does not migrate.
fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    match target.value(PCI_ID) {
        Some(Value::PciId(PciId { vendor: PCI_VENDOR, device })) if PHYSICAL.contains(&device) => {
            Some((PCI_ID, "that of a virtual function: 19e5:a251, a256 or a259"))
        }
        _ => None,
    }
}
