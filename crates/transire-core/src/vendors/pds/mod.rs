//! pds: virtual functions of AMD/Pensando DSC cards.
//!
//! Facts: Linux `drivers/vfio/pci/pds/lm.c` at 2d12d18f14d9, `cmds.c` at 56ea38e436ea, `vfio_dev.c` at 0d21364c6e8d, and
//! `include/linux/pds/pds_adminq.h` of the same age (v6.6 to v6.8). Later changes of `lm.c` exist and were not read;
//! nothing was run. The driver checks nothing of a stream, so no rule is the driver's but the interface.

pub mod driver;
pub mod stream;

#[cfg(test)]
mod tests;

use crate::attribute::{DEVICE_API, Dictionary, PCI_ID, Text, Value};
use crate::format::Vendor;
use crate::rule::{
    Absent, Compare, Origin, OriginKind, RuleTable, always_possible, derives_nothing, never_contradicts, rule,
};

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "AMD/Pensando DSC: virtual functions",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

/// Nothing is public of what the firmware compares, so there are no attributes besides the common ones.
static DICTIONARY: Dictionary = Dictionary { vendor: "pds", attributes: &[] };

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        rule(
            PCI_ID,
            Compare::Equal,
            Absent::Unknown,
            Origin {
                kind: OriginKind::Specification,
                citation: "device compatibility interface, intel-gvt-dev, 19 Aug 2020: pci_id is equal, or one \
                           that the target lists; the driver itself checks nothing, and the firmware is not public",
                scope: "",
                date: "2026-11",
            },
        ),
        rule(
            DEVICE_API,
            Compare::Is(VFIO_PCI),
            Absent::Default(VFIO_PCI),
            Origin {
                kind: OriginKind::Driver,
                citation: "drivers/vfio/pci/pds/vfio_dev.c: a variant driver of vfio-pci",
                scope: "Linux 6.6 to 6.8, read",
                date: "2026-11",
            },
        ),
    ],
    derive: derives_nothing,
    statable: &[&stream::STATABLE],
    contradiction: never_contradicts,
    impossible: always_possible,
};
