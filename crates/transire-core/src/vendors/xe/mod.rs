//! xe: virtual functions of Intel Xe graphics (Panther Lake, Wildcat Lake, Battlemage).
//!
//! Facts: Linux `drivers/gpu/drm/xe` (`xe_sriov_packet.c`, `xe_sriov_pf_migration.c`, `xe_gt_sriov_pf_migration.c`,
//! `xe_gt_sriov_pf_control.c`) and `drivers/vfio/pci/xe/main.c`, first in v6.19; their code was run in user space at 7.3.4
//! with the hardware and its firmware stubbed, never on hardware.

pub mod driver;
pub mod stream;

#[cfg(test)]
mod tests;

use crate::attribute::{
    AttributeId, Attributes, Constraint, DEVICE_API, Definition, Dictionary, PCI_ID, REVISION, Text, Type, Value,
};
use crate::format::Vendor;
use crate::rule::{Absent, Compare, Origin, OriginKind, RuleTable, derives_nothing, never_contradicts, rule};

/// `gts`: which graphics tiles' engines ("GT") the device has, by their number.
pub const GTS: AttributeId = AttributeId(0x8100);
/// `ggtt_pages`: pages of the virtual function's range of the global graphics translation table, on each tile.
pub const GGTT_PAGES: AttributeId = AttributeId(0x8101);
/// `vram_bytes`: bytes of the virtual function's video memory, on each tile.
pub const VRAM_BYTES: AttributeId = AttributeId(0x8102);

/// GTs of a tile: the main one and the media one (`XE_MAX_GT_PER_TILE`). GT `n` is on tile `n / 2`, and the main one there
/// where `n` is even.
pub const GTS_PER_TILE: u8 = 2;
/// Tiles of a device (`XE_MAX_TILES_PER_DEVICE`).
pub const TILES_MAX: u8 = 2;
/// GTs of a device.
pub const GTS_MAX: u8 = GTS_PER_TILE * TILES_MAX;
/// Pages of the whole translation table: it maps 4 GiB by pages of 4 KiB.
pub const GGTT_PAGES_MAX: u64 = 1 << 20;

/// The tile of a GT.
pub const fn tile_of(gt: u8) -> u8 {
    gt / GTS_PER_TILE
}

/// Whether a GT is the main one of its tile; the other one is for media, and has no translation table or memory of its
/// own.
pub const fn is_main(gt: u8) -> bool {
    gt.is_multiple_of(GTS_PER_TILE)
}

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "Intel Xe graphics: virtual functions of Panther Lake, Wildcat Lake, Battlemage",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

static DICTIONARY: Dictionary = Dictionary {
    vendor: "xe",
    attributes: &[
        Definition {
            id: GTS,
            name: "gts",
            kind: Type::Mask,
            constraint: Constraint::Any,
            meaning: "GTs of the device, a bit for each: 0 main and 1 media of tile 0, 2 and 3 of tile 1",
            place: "the folders gtN below /sys/class/drm/cardN/device/tile*/ of the physical function",
            example: "0x3",
        },
        Definition {
            id: GGTT_PAGES,
            name: "ggtt_pages",
            kind: Type::Uint,
            constraint: Constraint::Between(0, GGTT_PAGES_MAX),
            meaning: "pages of 4 KiB of the virtual function's range of the GGTT, on each tile",
            place: "gt0/vfN/ggtt_quota (bytes; divide by 4096) in debugfs of the physical function",
            example: "16384",
        },
        Definition {
            id: VRAM_BYTES,
            name: "vram_bytes",
            kind: Type::Uint,
            constraint: Constraint::Any,
            meaning: "bytes of the virtual function's VRAM, on each tile; 0 on integrated graphics",
            place: "gt0/vfN/vram_quota, or lmem_quota, in debugfs of the physical function",
            example: "0",
        },
    ],
};

const fn driver(citation: &'static str) -> Origin {
    Origin { kind: OriginKind::Driver, citation, scope: "Linux 7.3.4, measured", date: "2026-11" }
}

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));

/// The attributes and rules, in the order in which a stream tells them.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        rule(
            PCI_ID,
            Compare::Equal,
            Absent::Unknown,
            driver("xe_sriov_pf_migration.c: the device id in a descriptor equals that of the physical function"),
        ),
        rule(
            REVISION,
            Compare::Equal,
            Absent::Unknown,
            driver("xe_sriov_pf_migration.c: the revision in a descriptor equals that of the physical function"),
        ),
        rule(
            GGTT_PAGES,
            Compare::Equal,
            Absent::Ignore,
            driver("xe_ggtt.c: a GGTT packet holds an entry for each page of the target's range, no more and no fewer"),
        ),
        // The driver refuses a GT that the target lacks, and does not miss one that the stream lacks.
        rule(
            GTS,
            Compare::Equal,
            Absent::Ignore,
            driver("xe_sriov_pf_migration.c: every packet's GT exists; each GT of the source is saved"),
        ),
        // The driver refuses what reaches beyond the target's memory, and does not miss what the stream lacks.
        rule(
            VRAM_BYTES,
            Compare::Equal,
            Absent::Ignore,
            driver(
                "xe_gt_sriov_pf_migration.c: a VRAM packet lies inside the target's VRAM; all of the source's is saved",
            ),
        ),
        rule(
            DEVICE_API,
            Compare::Is(VFIO_PCI),
            Absent::Default(VFIO_PCI),
            driver("drivers/vfio/pci/xe/main.c: a variant driver of vfio-pci"),
        ),
    ],
    derive: derives_nothing,
    statable: &[],
    contradiction: never_contradicts,
    impossible,
};

/// GTs beyond those that a device has, or without the first one.
fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    match target.value(GTS) {
        Some(Value::Mask(gts)) if !matches!(gts.bytes(), [1 | 3 | 5 | 7 | 13 | 15]) => {
            Some((GTS, "GT 0, and of 1, 2 and 3 those that the device has; 3 beside 2 only"))
        }
        _ => None,
    }
}

const _: () = assert!(GTS_MAX <= 8, "the mask of GTs is one byte");
