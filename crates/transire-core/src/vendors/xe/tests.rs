//! Pairs of virtual functions. Where the driver was run on the same pair, its answer is named.

use super::VENDOR;
use crate::target::{Target, TargetError};
use crate::vendors::tests::Term::{Between, OneOf};
use crate::vendors::tests::{Case, Pairs};
use crate::verdict::Outcome::{Compatible, Fixable, Incompatible, Unknown};

const BASE: &str = "pci_id: 8086:e211; revision: 0; gts: 0x3; ggtt_pages: 4; vram_bytes: 256";

const PAIRS: Pairs<'_> = Pairs { vendor: &VENDOR, source: BASE, target: BASE };

#[test]
fn devices_and_their_resources() {
    let cases: &[Case<'_>] = &[
        ("the same (driver: ok)", "", "", &[], Compatible, &[]),
        ("another device (driver: ENODEV)", "", "pci_id: 8086:e212", &[], Incompatible, &["pci_id.not-equal"]),
        ("another revision (driver: ENODEV)", "", "revision: 1", &[], Incompatible, &["revision.not-equal"]),
        ("a page more (driver: EIO)", "", "ggtt_pages: 5", &[], Incompatible, &["ggtt_pages.not-equal"]),
        ("a page less (driver: EIO)", "", "ggtt_pages: 3", &[], Incompatible, &["ggtt_pages.not-equal"]),
        ("no table (driver: EIO)", "", "ggtt_pages: 0", &[], Incompatible, &["ggtt_pages.not-equal"]),
        ("a byte less memory (driver: EIO)", "", "vram_bytes: 255", &[], Incompatible, &["vram_bytes.not-equal"]),
        ("no memory (driver: EIO)", "", "vram_bytes: 0", &[], Incompatible, &["vram_bytes.not-equal"]),
        ("more memory (driver: ok)", "", "vram_bytes: 512", &[], Incompatible, &["vram_bytes.not-equal"]),
        ("no media GT (driver: EINVAL)", "", "gts: 0x1", &[], Incompatible, &["gts.not-equal"]),
        ("a media GT more (driver: ok)", "gts: 0x1", "", &[], Incompatible, &["gts.not-equal"]),
        ("pages that can be set", "", "ggtt_pages: 8", &[Between("ggtt_pages", 1, 8)], Fixable, &["ggtt_pages.set"]),
        (
            "more memory, by the target's own rule for its driver",
            "",
            "vram_bytes: 512; driver_version: 7.3.4",
            &[OneOf("vram_bytes", &["256"], Some("7.3.4"))],
            Compatible,
            &["vram_bytes.accepted-by-target"],
        ),
        ("resources that nobody states", "gts: -; ggtt_pages: -; vram_bytes: -", "", &[], Compatible, &[]),
        ("resources that the target does not state", "", "gts: -; ggtt_pages: -; vram_bytes: -", &[], Compatible, &[]),
        ("a device that nobody states", "pci_id: -", "", &[], Unknown, &["pci_id.not-in-profile"]),
        ("a revision that the target does not state", "", "revision: -", &[], Unknown, &["revision.not-in-profile"]),
        ("a device of another kind", "device_api: vfio-ccw", "", &[], Incompatible, &["device_api.not-is"]),
    ];
    PAIRS.check(cases);
}

#[test]
fn impossible_targets_are_errors() {
    let refused = |different: &str| {
        let target = Target::new(PAIRS.profile(BASE, different), VENDOR.rules);
        matches!(target, Err(TargetError::Impossible { .. }))
    };
    for gts in ["0x0", "0x2", "0x9", "0xb", "0x4", "0x10", "0x11", "0x103"] {
        assert!(refused(&alloc::format!("gts: {gts}")), "{gts}");
    }
    for gts in ["0x1", "0x3", "0x5", "0x7", "0xd", "0xf", "?"] {
        assert!(!refused(&alloc::format!("gts: {gts}")), "{gts}");
    }
}
