//! Pairs of virtual GPUs.

extern crate std;

use std::string::ToString;

use super::{GPU_BOARD, VENDOR};
use crate::rule::Compare;
use crate::target::{Target, TargetError};
use crate::vendors::tests::Term::{Any, Asserted, Between, OneOf, Own, Settable};
use crate::vendors::tests::{Case, Pairs};
use crate::verdict::Outcome::{Compatible, Corrupt, Fixable, Incompatible, Unknown};

const BASE: &str = "vgpu_type_name: GRID RTX6000-1Q; gpu_board: 10de:1e30 10de:1329; framebuffer_mb: 1024; \
                    num_heads: 4; max_resolution: 5120x2880; hypervisor: RHEL 9.6; driver_version: 550.54.10; \
                    migration_caps: true; ecc_mode: false; uvm: false; debugger: false; profiler: false; \
                    frame_rate_limiter: 60; plugin_params: disable_vnc=1, loglevel=2";
const SOURCE: &str = "vgpu_version: 13; guest_driver: 550.54.14";
const TARGET: &str = "vgpu_version_range: 10..14";

fn check(cases: &[Case<'_>]) {
    let (source, target) = (std::format!("{BASE}; {SOURCE}"), std::format!("{BASE}; {TARGET}"));
    Pairs { vendor: &VENDOR, source: &source, target: &target }.check(cases);
}

#[test]
fn vgpu_version() {
    const OUT: &[&str] = &["vgpu_version.not-in-range"];
    let cases: &[Case<'_>] = &[
        ("13 into 10 to 14: live", "", "", &[], Compatible, &[]),
        ("13 into 14 to 16", "", "vgpu_version_range: 14..16", &[], Incompatible, OUT),
        ("13 into 13 only", "", "vgpu_version_range: 13..13", &[], Compatible, &[]),
        ("the lowest", "vgpu_version: 10", "", &[], Compatible, &[]),
        ("below the lowest", "vgpu_version: 9", "", &[], Incompatible, OUT),
        ("the highest", "vgpu_version: 14", "", &[], Compatible, &[]),
        ("above the highest", "vgpu_version: 15", "", &[], Incompatible, OUT),
        // Three hosts: A 10 to 14, B 12 to 16, C 15 to 18.
        ("agreed on at 14 on A, to B", "vgpu_version: 14", "vgpu_version_range: 12..16", &[], Compatible, &[]),
        ("agreed on at 14 on A, from B to C", "vgpu_version: 14", "vgpu_version_range: 15..18", &[], Incompatible, OUT),
        ("agreed on at 16 on B, to C", "vgpu_version: 16", "vgpu_version_range: 15..18", &[], Compatible, &[]),
        ("agreed on at 16 on B, to A", "vgpu_version: 16", "vgpu_version_range: 10..14", &[], Incompatible, OUT),
        ("no range said", "", "vgpu_version_range: -", &[], Unknown, &["vgpu_version_range.not-in-profile"]),
        ("no version said", "vgpu_version: -", "", &[], Unknown, &["vgpu_version.not-in-profile"]),
        (
            "guestInfoState 0: the guest's driver has not reported yet",
            "vgpu_version: ?; guest_driver: ?",
            "",
            &[],
            Unknown,
            &["vgpu_version.not-reported-yet", "guest_driver.not-reported-yet"],
        ),
        (
            "not reported, and a board that is refused",
            "vgpu_version: ?; guest_driver: ?",
            "gpu_board: 10de:1e30 10de:12ba",
            &[],
            Incompatible,
            &["gpu_board.not-equal", "vgpu_version.not-reported-yet", "guest_driver.not-reported-yet"],
        ),
    ];
    check(cases);
}

#[test]
fn guest_driver() {
    const BRANCH: &[&str] = &["guest_driver.branch"];
    let at = |version: &'static str| std::format!("driver_version: {version}");
    let manager = [at("535.54.3"), at("550.90"), at("570.86.16"), at("595.45.4"), at("418.66"), at("430.27")];
    let [r535, r550, r570, r595, r418, r430] = manager.each_ref().map(std::string::String::as_str);
    let cases: &[Case<'_>] = &[
        ("the same branch", "", r550, &[], Compatible, &[]),
        ("the manager is one branch newer", "", r570, &[], Compatible, &[]),
        ("the manager is two branches newer", "guest_driver: 535.54.3", r570, &[], Incompatible, BRANCH),
        ("the manager is older", "", r535, &[], Incompatible, BRANCH),
        ("R525 into R535", "guest_driver: 525.60.12", r535, &[], Compatible, &[]),
        ("8.x, the same branch", "guest_driver: 418.66.0", r418, &[], Compatible, &[]),
        ("8.x, one branch newer", "guest_driver: 418.66.0", r430, &[], Incompatible, BRANCH),
        ("a branch that is not known", "", r595, &[], Unknown, &["guest_driver.needs-assertion"]),
        (
            "a branch that is not known, asserted",
            "",
            r595,
            &[Asserted("guest_driver", "550.54.14", "595.45.4")],
            Compatible,
            &["guest_driver.asserted"],
        ),
        (
            "asserted of another guest",
            "guest_driver: 550.54.15",
            r595,
            &[Asserted("guest_driver", "550.54.14", "595.45.4")],
            Unknown,
            &["guest_driver.needs-assertion"],
        ),
        ("8.x, a branch that is not known", "guest_driver: 418.66.0", r595, &[], Incompatible, BRANCH),
        (
            "asked once by a rule of the target's own, and nobody else",
            "",
            r595,
            &[Own("guest_driver", Compare::Branch { newer: 20 }, None)],
            Incompatible,
            &["guest_driver.branch", "guest_driver.accepted-by-target"],
        ),
        ("one branch that is not known", "guest_driver: 595.45.4", r595, &[], Compatible, &[]),
        ("newer, of a branch that is not known", "guest_driver: 595.45.4", "", &[], Incompatible, BRANCH),
        (
            "no assertion lifts a refusal",
            "",
            r535,
            &[Asserted("guest_driver", "550.54.14", "535.54.3")],
            Incompatible,
            BRANCH,
        ),
        ("not said", "guest_driver: -", "", &[], Unknown, &["guest_driver.not-in-profile"]),
    ];
    // The source's own manager does not matter here.
    let (source, target) = (std::format!("{BASE}; {SOURCE}; driver_version: -"), std::format!("{BASE}; {TARGET}"));
    Pairs { vendor: &VENDOR, source: &source, target: &target }.check(cases);
}

#[test]
fn boards() {
    const PCIE: &str = "gpu_board: 10de:2331 10de:1626";
    const NVL: &str = "gpu_board: 10de:2321 10de:1839";
    const H800_PCIE: &str = "gpu_board: 10de:2322 10de:17a4";
    const H800_NVL: &str = "gpu_board: 10de:233a 10de:183a";
    const H200: &str = "gpu_board: 10de:2335 10de:18be";
    const EXCLUDED: &[&str] = &["pci_id.excluded-pair", "gpu_board.not-equal"];
    const EXCLUDED_STILL: &[&str] = &["pci_id.excluded-pair", "gpu_board.accepted-by-target"];
    const LISTED: &[&str] = &["10de:2331 10de:1626", "10de:2321 10de:1839", "10de:2330 10de:16c0"];
    let cases: &[Case<'_>] = &[
        ("equal", PCIE, PCIE, &[], Compatible, &[]),
        ("H100 PCIe into H100 NVL, type names equal", PCIE, NVL, &[], Incompatible, EXCLUDED),
        ("H100 NVL into H100 PCIe", NVL, PCIE, &[], Incompatible, EXCLUDED),
        ("H800 PCIe into H800 NVL", H800_PCIE, H800_NVL, &[], Incompatible, EXCLUDED),
        ("H200 into H100", H200, PCIE, &[], Incompatible, EXCLUDED),
        ("H100 into H200", NVL, H200, &[], Incompatible, EXCLUDED),
        ("H800 into H200", H800_PCIE, H200, &[], Incompatible, EXCLUDED),
        ("H100 into H800", PCIE, H800_PCIE, &[], Incompatible, EXCLUDED),
        (
            "the exclusion wins over a list",
            PCIE,
            NVL,
            &[OneOf("gpu_board", LISTED, None)],
            Incompatible,
            EXCLUDED_STILL,
        ),
        (
            "a board of a list, not excluded",
            "gpu_board: 10de:2330 10de:16c0",
            PCIE,
            &[OneOf("gpu_board", LISTED, None)],
            Compatible,
            &["gpu_board.accepted-by-target"],
        ),
        ("another subsystem", "", "gpu_board: 10de:1e30 10de:12ba", &[], Incompatible, &["gpu_board.not-equal"]),
        (
            "the board by its id alone, excluded",
            "gpu_board: -; pci_id: 10de:2331",
            NVL,
            &[],
            Incompatible,
            &["pci_id.excluded-pair", "gpu_board.not-in-profile"],
        ),
        (
            "a board of the source written otherwise, excluded all the same",
            "gpu_board: 10DE:2331 x",
            NVL,
            &[Any("gpu_board")],
            Incompatible,
            &["pci_id.excluded-pair", "gpu_board.accepted-by-target"],
        ),
        ("not said", "gpu_board: -", "", &[], Unknown, &["gpu_board.not-in-profile"]),
        (
            "id and board that contradict each other",
            "pci_id: 10de:2331",
            "",
            &[],
            Corrupt,
            &["profile.contradicts-itself"],
        ),
        ("another type", "", "vgpu_type_name: GRID RTX6000-2Q", &[], Incompatible, &["vgpu_type_name.not-equal"]),
        ("the number of a type", "mdev_type: nvidia-256", "mdev_type: nvidia-257", &[], Compatible, &[]),
        ("other memory", "", "framebuffer_mb: 2048", &[], Incompatible, &["framebuffer_mb.not-equal"]),
        ("fewer heads", "", "num_heads: 2", &[], Incompatible, &["num_heads.not-equal"]),
        ("a smaller display", "", "max_resolution: 4096x2160", &[], Incompatible, &["max_resolution.not-equal"]),
        (
            "figures that are not said",
            "framebuffer_mb: -; num_heads: -",
            "max_resolution: -",
            &[],
            Compatible,
            &["framebuffer_mb.absent", "num_heads.absent", "max_resolution.absent"],
        ),
        (
            "placement",
            "placement_id: 0; gpu_instance_id: 1; scheduler: best effort",
            "placement_id: 8; gpu_instance_id: 2; scheduler: fixed share",
            &[],
            Compatible,
            &[],
        ),
        ("interface of another", "device_api: vfio-ap", "", &[], Incompatible, &["device_api.not-equal"]),
    ];
    check(cases);
}

#[test]
fn hypervisors() {
    const NOT: &[&str] = &["driver_version.not-equal"];
    const NOT_ON_9_4: &[&str] = &["driver_version.not-equal", "hypervisor.not-reported-yet"];
    const ASKED: &[&str] = &["driver_version.needs-assertion"];
    const NOTED: &[&str] = &["driver_version.sources-disagree"];
    const OLD: &str = "hypervisor: RHEL 9.4; driver_version: 550.54.10";
    const OLD_90: &str = "hypervisor: RHEL 9.4; driver_version: 550.90";
    const NEW: &str = "hypervisor: RHEL 9.6; driver_version: 550.54.10";
    const NEW_90: &str = "hypervisor: RHEL 9.6; driver_version: 550.90";
    const TEN: &str = "hypervisor: RHEL 10.0; driver_version: 550.54.10";
    const TEN_90: &str = "hypervisor: RHEL 10.0; driver_version: 550.90";
    const OTHER: &str = "hypervisor: Ubuntu 24.04; driver_version: 550.54.10";
    const OTHER_90: &str = "hypervisor: Ubuntu 24.04; driver_version: 550.90";
    let cases: &[Case<'_>] = &[
        ("9.4, identical", OLD, OLD, &[], Compatible, &[]),
        ("9.4, 550.54.10 into 550.90", OLD, OLD_90, &[], Incompatible, NOT),
        ("9.6, 550.54.10 into 550.90", NEW, NEW_90, &[], Compatible, NOTED),
        ("9.6, and back", NEW_90, NEW, &[], Compatible, NOTED),
        ("9.6, identical", NEW, NEW, &[], Compatible, &[]),
        ("9.6 and a later one", NEW, "hypervisor: RHEL 9.8; driver_version: 550.90", &[], Compatible, NOTED),
        ("9.4 into 9.6, identical", OLD, NEW, &[], Compatible, &[]),
        ("9.4 into 9.6, different", OLD, NEW_90, &[], Incompatible, NOT),
        ("10 into 9.4", TEN, OLD, &[], Incompatible, &["hypervisor.excluded-pair"]),
        ("9.4 into 10", OLD, TEN_90, &[], Incompatible, &["hypervisor.excluded-pair", "driver_version.not-equal"]),
        ("10, different", TEN, TEN_90, &[], Unknown, ASKED),
        ("another system, identical", OTHER, OTHER, &[], Compatible, &[]),
        ("another system, different", OTHER, OTHER_90, &[], Unknown, ASKED),
        (
            "another system, different, asserted",
            OTHER,
            OTHER_90,
            &[Asserted("driver_version", "550.54.10", "550.90")],
            Compatible,
            &["driver_version.asserted"],
        ),
        (
            "no assertion lifts the refusal on 9.4",
            OLD,
            OLD_90,
            &[Asserted("driver_version", "550.54.10", "550.90")],
            Incompatible,
            NOT,
        ),
        (
            "9.4, a pair that the target accepts; the guest's driver is held against the manager all the same",
            "hypervisor: RHEL 9.4; driver_version: 535.54.3",
            "hypervisor: RHEL 9.4; driver_version: 535.54.4",
            &[Any("driver_version")],
            Incompatible,
            &["guest_driver.branch", "driver_version.accepted-by-target"],
        ),
        ("not said", "hypervisor: -", "", &[], Unknown, &["hypervisor.not-in-profile"]),
        (
            "not said, and drivers that differ",
            "hypervisor: -",
            "driver_version: 550.90",
            &[],
            Unknown,
            &["hypervisor.not-in-profile", "driver_version.needs-assertion"],
        ),
        (
            "not reported, and drivers that differ",
            "hypervisor: ?",
            "driver_version: 550.90",
            &[],
            Unknown,
            &["hypervisor.not-reported-yet", "driver_version.needs-assertion"],
        ),
        ("not reported, identical", "", "hypervisor: ?", &[], Unknown, &["hypervisor.not-reported-yet"]),
        ("not reported, 9.4 there", "hypervisor: ?", OLD_90, &[], Incompatible, NOT_ON_9_4),
        (
            "written otherwise, not 9.4",
            "hypervisor: RHEL 09.4; driver_version: 550.54.10",
            "hypervisor: RHEL 09.4; driver_version: 550.90",
            &[],
            Unknown,
            ASKED,
        ),
        (
            "a rule of the target's own is asked whatever the hypervisor",
            NEW,
            NEW_90,
            &[Own("driver_version", Compare::Equal, None)],
            Incompatible,
            &["driver_version.not-equal", "driver_version.accepted-by-target"],
        ),
        (
            "no driver said",
            "hypervisor: RHEL 9.4; driver_version: -",
            "",
            &[],
            Unknown,
            &["driver_version.not-in-profile"],
        ),
    ];
    check(cases);
}

#[test]
fn builds() {
    let cases: &[Case<'_>] = &[
        (
            "9.4, leading zeros that a version loses",
            "hypervisor: RHEL 9.4; driver_version: -; driver_build: 550.54.03",
            "hypervisor: RHEL 9.4; driver_version: -; driver_build: 550.54.3",
            &[],
            Incompatible,
            &["driver_build.not-equal"],
        ),
        (
            "the version follows from the build",
            "hypervisor: RHEL 9.4; driver_version: -; driver_build: 550.054.10",
            "hypervisor: RHEL 9.4; driver_version: 550.54.10",
            &[],
            Compatible,
            &[],
        ),
        (
            "builds that differ on 9.6",
            "driver_version: -; driver_build: 550.54.03",
            "driver_version: -; driver_build: 550.90.07",
            &[],
            Compatible,
            &["driver_version.sources-disagree"],
        ),
        (
            "builds that differ elsewhere",
            "hypervisor: Ubuntu 24.04; driver_version: -; driver_build: 550.54.03",
            "hypervisor: Ubuntu 24.04; driver_version: -; driver_build: 550.54.3",
            &[],
            Unknown,
            &["driver_build.needs-assertion"],
        ),
        (
            "build and version that contradict each other",
            "driver_build: 550.90.07",
            "",
            &[],
            Corrupt,
            &["profile.contradicts-itself"],
        ),
    ];
    check(cases);
}

#[test]
fn what_makes_live_migration_fail() {
    let cases: &[Case<'_>] = &[
        ("ECC on, off", "ecc_mode: true", "", &[], Incompatible, &["ecc_mode.not-equal"]),
        ("ECC off, on", "", "ecc_mode: true", &[], Incompatible, &["ecc_mode.not-equal"]),
        ("ECC on both", "ecc_mode: true", "ecc_mode: true", &[], Compatible, &[]),
        ("ECC that can be set", "ecc_mode: true", "", &[Settable("ecc_mode")], Fixable, &["ecc_mode.set"]),
        ("ECC not said", "", "ecc_mode: -", &[], Unknown, &["ecc_mode.not-in-profile"]),
        ("no migration of the source", "migration_caps: false", "", &[], Incompatible, &["migration_caps.not-is"]),
        ("no migration of the target", "", "migration_caps: false", &[], Incompatible, &["migration_caps.not-is"]),
        (
            "no migration of either",
            "migration_caps: false",
            "migration_caps: false",
            &[],
            Incompatible,
            &["migration_caps.not-is"],
        ),
        ("unified memory", "uvm: true", "", &[], Incompatible, &["uvm.not-is"]),
        ("unified memory of both", "uvm: true", "uvm: true", &[], Incompatible, &["uvm.not-is"]),
        ("unified memory of the target, which can be set", "", "uvm: true", &[Settable("uvm")], Fixable, &["uvm.set"]),
        ("a debugger", "debugger: true", "", &[], Incompatible, &["debugger.not-is"]),
        ("a profiler", "", "profiler: true", &[], Incompatible, &["profiler.not-is"]),
        ("none of them said", "uvm: -; debugger: -; profiler: -", "uvm: -; profiler: -", &[], Compatible, &[]),
        ("no system processor", "gsp_firmware: false", "gsp_firmware: false", &[], Compatible, &[]),
        (
            "a system processor",
            "gsp_firmware: true",
            "gsp_firmware: true",
            &[],
            Unknown,
            &["gsp_firmware.needs-assertion"],
        ),
        (
            "a system processor, refused by the target's own rule",
            "gsp_firmware: true",
            "gsp_firmware: false",
            &[Own("gsp_firmware", Compare::Equal, None)],
            Incompatible,
            &["gsp_firmware.not-equal", "gsp_firmware.accepted-by-target"],
        ),
        (
            "a system processor that can be set, by the target's own rule",
            "gsp_firmware: true",
            "gsp_firmware: false",
            &[Own("gsp_firmware", Compare::Equal, None), Settable("gsp_firmware")],
            Fixable,
            &["gsp_firmware.set", "gsp_firmware.accepted-by-target"],
        ),
        (
            "a system processor, asserted",
            "gsp_firmware: true",
            "gsp_firmware: true",
            &[Asserted("gsp_firmware", "true", "true")],
            Compatible,
            &["gsp_firmware.asserted"],
        ),
    ];
    check(cases);
}

#[test]
fn settings() {
    const LIMIT: &[&str] = &["frame_rate_limiter.not-equal"];
    let knob = Between("frame_rate_limiter", 0, 240);
    let cases: &[Case<'_>] = &[
        ("60 into off, can be set", "", "frame_rate_limiter: 0", &[knob], Fixable, &["frame_rate_limiter.set"]),
        ("off into 60, can be set", "frame_rate_limiter: 0", "", &[knob], Fixable, &["frame_rate_limiter.set"]),
        ("60 into off, cannot be set", "", "frame_rate_limiter: 0", &[], Incompatible, LIMIT),
        ("above what can be set", "frame_rate_limiter: 241", "", &[knob], Incompatible, LIMIT),
        (
            "60 into off, ignored",
            "",
            "frame_rate_limiter: 0",
            &[Any("frame_rate_limiter")],
            Compatible,
            &["frame_rate_limiter.accepted-by-target"],
        ),
        ("not said", "frame_rate_limiter: -", "", &[], Compatible, &["frame_rate_limiter.absent"]),
        ("parameters, another log level", "", "plugin_params: disable_vnc=1, loglevel=5", &[], Compatible, &[]),
        ("parameters, no log level", "", "plugin_params: disable_vnc=1", &[], Compatible, &[]),
        (
            "parameters, another value",
            "",
            "plugin_params: disable_vnc=0",
            &[],
            Incompatible,
            &["plugin_params.not-equal"],
        ),
        (
            "parameters, one more",
            "",
            "plugin_params: a=1, disable_vnc=1",
            &[],
            Incompatible,
            &["plugin_params.not-equal"],
        ),
        (
            "parameters that can be set",
            "",
            "plugin_params: disable_vnc=0",
            &[Settable("plugin_params")],
            Fixable,
            &["plugin_params.set"],
        ),
    ];
    check(cases);
    let (source, target) = (std::format!("{BASE}; {SOURCE}"), std::format!("{BASE}; {TARGET}"));
    let pairs = Pairs { vendor: &VENDOR, source: &source, target: &target };
    let (_, reports) = pairs.judged("", "frame_rate_limiter: 0", &[knob]);
    assert_eq!(reports[0].set, Some(("the/knob".to_string(), "60".to_string())));
}

#[test]
fn a_verdict_quotes_the_row() {
    let (source, target) = (std::format!("{BASE}; {SOURCE}"), std::format!("{BASE}; {TARGET}"));
    let pairs = Pairs { vendor: &VENDOR, source: &source, target: &target };
    let cases = [
        ("gpu_board: 10de:2331 10de:1626", "gpu_board: 10de:2321 10de:1839", "not between 80 GB PCIe and 94 GB NVL"),
        (
            "hypervisor: RHEL 9.4",
            "hypervisor: RHEL 9.4; driver_version: 550.90",
            "on 9.4 the Virtual GPU Manager is identical",
        ),
        ("hypervisor: SLES 15.6", "hypervisor: SLES 15.6; driver_version: 550.90", "Red Hat, Live migrating a VM"),
        ("ecc_mode: true", "", "ECC on or off on both GPUs alike"),
    ];
    for (source, target, words) in cases {
        let (_, reports) = pairs.judged(source, target, &[]);
        let citation = reports[0].origin.expect("a rule of the vendor's").citation;
        assert!(citation.contains(words), "{citation}");
    }
}

#[test]
fn targets_that_cannot_be() {
    let cases = [
        ("pci_id: 10de:2331", "pci_id", "gpu_board"),
        ("driver_build: 550.90.07", "driver_version", "driver_build"),
        ("manager_version: 570.1.2", "driver_version", "manager_version"),
    ];
    for (different, first, second) in cases {
        let pairs = Pairs { vendor: &VENDOR, source: BASE, target: BASE };
        let id = |name| VENDOR.rules.dictionary.by_name(name).expect("an attribute").id;
        let found = Target::new(pairs.profile(BASE, different), VENDOR.rules).err();
        assert_eq!(found, Some(TargetError::Contradiction(id(first), id(second))), "{different}");
    }
    for board in
        ["10DE:2331 10DE:1626", "10de:2331", "10de:2331  10de:1626", "10de:2331 10de:1626 x", "10de:231 10de:1626"]
    {
        let pairs = Pairs { vendor: &VENDOR, source: BASE, target: BASE };
        let found = Target::new(pairs.profile(BASE, &std::format!("gpu_board: {board}")), VENDOR.rules).err();
        assert!(matches!(found, Some(TargetError::Impossible(GPU_BOARD, _))), "{board}: {found:?}");
    }
}
