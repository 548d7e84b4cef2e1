//! nvidia: NVIDIA virtual GPUs.
//!
//! The stream is not published, and its check is inside the closed manager: streams are sealed as opaque, and a verdict
//! here is necessary, not sufficient. Facts: the two metadata records and the version range of NVML (go-nvml `nvml.h`,
//! API 13), the vendor's release notes, and those of the platforms (`KubeVirt` VEP 109, Red Hat Enterprise Linux 9 and
//! 10). Rules differ between these sources and between releases: each row names its own.
//!
//! Unconfirmed: that unified memory, debuggers and profilers are off where a profile does not say; that a GPU with an
//! enabled system processor is refused by every release; the order of driver branches beyond R580; that RHEL 9.7 and
//! 9.8 are as 9.6.

use crate::attribute::{
    AttributeId, Attributes, DEVICE_API, DRIVER_BUILD, DRIVER_VERSION, Dictionary, MDEV_TYPE, PCI_ID, PciId, Text,
    Type, Value, Version, row,
};
use crate::format::Vendor;
use crate::rule::{Absent, Compare, Comparison, Mismatch, Origin, OriginKind, Pair, Rule, RuleTable, When, rule};
use crate::verdict::reasons as shared;

pub mod metadata;
#[cfg(test)]
mod tests;

/// `vgpu_type_name`: the type by its name.
pub const VGPU_TYPE_NAME: AttributeId = AttributeId(0x8100);
/// `gpu_board`: the board that the virtual GPU is a part of.
pub const GPU_BOARD: AttributeId = AttributeId(0x8101);
/// `framebuffer_mb`: the virtual GPU's memory.
pub const FRAMEBUFFER_MB: AttributeId = AttributeId(0x8102);
/// `num_heads`: displays.
pub const NUM_HEADS: AttributeId = AttributeId(0x8103);
/// `max_resolution`: the largest display.
pub const MAX_RESOLUTION: AttributeId = AttributeId(0x8104);
/// `hypervisor`: the host's system and release.
pub const HYPERVISOR: AttributeId = AttributeId(0x8105);
/// `vgpu_version`: what guest and host driver agreed on.
pub const VGPU_VERSION: AttributeId = AttributeId(0x8106);
/// `vgpu_version_range`: what a host driver can agree on.
pub const VGPU_VERSION_RANGE: AttributeId = AttributeId(0x8107);
/// `guest_driver`: the driver inside the guest.
pub const GUEST_DRIVER: AttributeId = AttributeId(0x8108);
/// `migration_caps`: whether it can be migrated at all.
pub const MIGRATION_CAPS: AttributeId = AttributeId(0x8109);
/// `ecc_mode`: error correction of the memory.
pub const ECC_MODE: AttributeId = AttributeId(0x810a);
/// `uvm`: unified memory.
pub const UVM: AttributeId = AttributeId(0x810b);
/// `debugger`: debuggers.
pub const DEBUGGER: AttributeId = AttributeId(0x810c);
/// `profiler`: profilers.
pub const PROFILER: AttributeId = AttributeId(0x810d);
/// `gsp_firmware`: the GPU's system processor.
pub const GSP_FIRMWARE: AttributeId = AttributeId(0x810e);
/// `frame_rate_limiter`: frames a second.
pub const FRAME_RATE_LIMITER: AttributeId = AttributeId(0x810f);
/// `plugin_params`: the other parameters of the device.
pub const PLUGIN_PARAMS: AttributeId = AttributeId(0x8110);
/// `placement_id`: where on the GPU.
pub const PLACEMENT_ID: AttributeId = AttributeId(0x0111);
/// `gpu_instance_id`: in which instance of the GPU.
pub const GPU_INSTANCE_ID: AttributeId = AttributeId(0x0112);
/// `scheduler`: how time is shared.
pub const SCHEDULER: AttributeId = AttributeId(0x0113);
/// `manager_version`: the host driver as the guest's is held against it.
pub const MANAGER_VERSION: AttributeId = AttributeId(0x0114);

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "NVIDIA virtual GPU: necessary conditions, for the vendor's own check is closed",
    rules: &RULES,
    formats: &[&metadata::VGPU, &metadata::PGPU],
    reasons: &[reasons::CATALOGUE],
};

/// The kinds of reasons that only this vendor gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        SOURCES_DISAGREE: ".sources-disagree", Compatible,
            "source and target differ; one document allows this pair, another says that it fails",
            "read both, which the rule's origin names, and try the pair before relying on it";
        OPAQUE_SIZE: "nvidia.opaque-size", Corrupt,
            "a metadata record counts more than 65,536 opaque bytes",
            "the record was damaged: read it again from NVML";
        TEXT: "nvidia.text", Corrupt,
            "a driver version in a metadata record is not printable ASCII with a NUL behind it",
            "the record was damaged: read it again from NVML";
        GUEST_STATE: "nvidia.guest-state", Corrupt,
            "guestInfoState is neither 0 nor 1",
            "the record was damaged, or is of a later layout: read it again from NVML";
        RANGE: "nvidia.version-range", Corrupt,
            "the lowest vGPU version that a physical GPU supports is above the highest",
            "the record was damaged: read it again from NVML";
        FILLER: "nvidia.filler", Compatible,
            "bytes of a metadata record that mean nothing are not zero, or fill it up to its declared length",
            "nothing";
    }
}

static DICTIONARY: Dictionary = Dictionary {
    vendor: "nvidia",
    attributes: &[
        row(
            VGPU_TYPE_NAME,
            "vgpu_type_name",
            Type::Text,
            "the virtual GPU's type by its name; the number in nvidia-N is no identity",
            "mdev_type/name below the mediated device, or nvidia/creatable_vgpu_types of the virtual function",
            "\"GRID RTX6000-1Q\"",
        ),
        row(
            GPU_BOARD,
            "gpu_board",
            Type::Text,
            "the physical GPU: its PCI id, a space, and its subsystem id, in lower-case hex digits",
            "vendor, device, subsystem_vendor and subsystem_device of the physical GPU",
            "\"10de:2331 10de:1626\"",
        ),
        row(
            FRAMEBUFFER_MB,
            "framebuffer_mb",
            Type::Uint,
            "memory of the virtual GPU in MiB",
            "framebuffer in mdev_type/description",
            "1024",
        ),
        row(
            NUM_HEADS,
            "num_heads",
            Type::Uint,
            "displays of the virtual GPU",
            "num_heads in mdev_type/description",
            "4",
        ),
        row(
            MAX_RESOLUTION,
            "max_resolution",
            Type::Text,
            "largest display, width x height",
            "max_resolution in mdev_type/description",
            "\"5120x2880\"",
        ),
        row(
            HYPERVISOR,
            "hypervisor",
            Type::Text,
            "the host's system and release, NAME MAJOR.MINOR: rules differ by it",
            "NAME and VERSION_ID in /etc/os-release; RHEL for Red Hat Enterprise Linux",
            "\"RHEL 9.6\"",
        ),
        row(
            VGPU_VERSION,
            "vgpu_version",
            Type::Uint,
            "vGPU version that guest and host driver agreed on when the guest's started; of a source",
            "guestVgpuVersion of nvmlVgpuInstanceGetMetadata; not reported before guestInfoState is 1",
            "13",
        ),
        row(
            VGPU_VERSION_RANGE,
            "vgpu_version_range",
            Type::Range,
            "vGPU versions that the host driver takes, also where an administrator narrowed them; of a target",
            "nvmlGetVgpuVersion, or the supported range in nvmlDeviceGetVgpuMetadata",
            "[10, 14]",
        ),
        row(
            GUEST_DRIVER,
            "guest_driver",
            Type::Version,
            "version of the driver inside the guest; of a source",
            "guestDriverVersion of nvmlVgpuInstanceGetMetadata; not reported before guestInfoState is 1",
            "\"550.54.14\"",
        ),
        row(
            MIGRATION_CAPS,
            "migration_caps",
            Type::Bool,
            "whether the virtual GPU (of a source) or the physical one (of a target) can be migrated",
            "bit 0 of vgpuVirtualizationCaps or pgpuVirtualizationCaps in the NVML metadata",
            "true",
        ),
        row(
            ECC_MODE,
            "ecc_mode",
            Type::Bool,
            "whether error correction of the physical GPU's memory is on",
            "nvidia-smi -q -d ECC; a change takes effect when the GPU is reset",
            "false",
        ),
        row(
            UVM,
            "uvm",
            Type::Bool,
            "whether unified memory is enabled for the virtual GPU",
            "enable_uvm in nvidia/vgpu_params",
            "false",
        ),
        row(
            DEBUGGER,
            "debugger",
            Type::Bool,
            "whether debuggers are enabled for the virtual GPU",
            "enable_debugging in nvidia/vgpu_params",
            "false",
        ),
        row(
            PROFILER,
            "profiler",
            Type::Bool,
            "whether profilers are enabled for the virtual GPU",
            "enable_profiling in nvidia/vgpu_params",
            "false",
        ),
        row(
            GSP_FIRMWARE,
            "gsp_firmware",
            Type::Bool,
            "whether the GPU runs the firmware of its system processor",
            "GSP Firmware Version in nvidia-smi -q; N/A is false",
            "false",
        ),
        row(
            FRAME_RATE_LIMITER,
            "frame_rate_limiter",
            Type::Uint,
            "frames a second at the most, 0 for no limit",
            "frl_config in mdev_type/description, off with frame_rate_limiter=0 in nvidia/vgpu_params",
            "60",
        ),
        row(
            PLUGIN_PARAMS,
            "plugin_params",
            Type::Map,
            "parameters of the device that have no attribute of their own, with the values in force",
            "nvidia/vgpu_params, which gives back what was written and takes it while the device is not in use",
            "{ disable_vnc = \"1\" }",
        ),
        row(
            PLACEMENT_ID,
            "placement_id",
            Type::Uint,
            "where on the physical GPU the virtual one lies",
            "nvidia/placement_id below the device; 65535 is none",
            "0",
        ),
        row(
            GPU_INSTANCE_ID,
            "gpu_instance_id",
            Type::Uint,
            "instance of the physical GPU that the virtual one uses",
            "nvidia/gpu_instance_id below the device",
            "0",
        ),
        row(
            SCHEDULER,
            "scheduler",
            Type::Text,
            "how the physical GPU shares its time between virtual ones",
            "nvidia-smi vgpu, section on the scheduler",
            "\"best effort\"",
        ),
        // An attribute of its own, so that an override of the rule for driver_version leaves the guest driver's alone.
        row(
            MANAGER_VERSION,
            "manager_version",
            Type::Version,
            "version of the host's manager, against which the guest driver is held; follows from driver_version",
            "need not be stated; nvidia-smi, or hostDriverVersion in the NVML metadata",
            "\"550.54.10\"",
        ),
    ],
};

const fn notes(citation: &'static str, scope: &'static str, date: &'static str) -> Origin {
    Origin { kind: OriginKind::ReleaseNote, citation, scope, date }
}

const fn interface(citation: &'static str) -> Origin {
    Origin { kind: OriginKind::Specification, citation, scope: "NVML API 13", date: "2026-11" }
}

const fn text(text: &'static str) -> Value<'static> {
    Value::Text(Text::constant(text))
}

const TYPE_IS_FIGURES: Origin = Origin {
    kind: OriginKind::Specification,
    citation: "name and description of a type in sysfs: the type's number is not stable, its name and figures are",
    scope: "vGPU software with mediated devices",
    date: "2026-11",
};

const ENTERPRISE_8: &str = "AI Enterprise 8";
/// The document says what can be set, and when; that the two sides are to be equal or not is concluded here.
const OWN_READING: &str = "what follows for migration is our reading";

const VEP_109_ECC: Origin = notes(
    "NVIDIA release notes for RHEL with KVM through KubeVirt VEP 109: ECC on or off on both GPUs alike",
    "RHEL with KVM",
    "2026-11",
);

/// What makes live migration fail while it is in use.
const fn off_when_live(id: AttributeId, citation: &'static str) -> Rule {
    rule(
        id,
        Compare::Is(Value::Bool(false)),
        Absent::Default(Value::Bool(false)),
        notes(citation, "live migration, RHEL with KVM", "2026-11"),
    )
}

/// Never compared: it says where there is room, not what the device is.
const fn capacity(id: AttributeId) -> Rule {
    rule(
        id,
        Compare::Ignore,
        Absent::Ignore,
        notes("NVIDIA vGPU documentation: a place on a GPU is a matter of its capacity", OWN_READING, "2026-11"),
    )
}

// Boards by their PCI ids, as the table of supported GPUs in the README of `NVIDIA/open-gpu-kernel-modules` names them.
const H100_NVL: u16 = 0x2321;
const H800_PCIE: u16 = 0x2322;
const H100_PCIE: u16 = 0x2331;
const H800_NVL: u16 = 0x233a;
// NVL, 80GB HBM3, PCIe, and one without a further name.
const H100: &[u16] = &[H100_NVL, 0x2330, H100_PCIE, 0x2339];
// Its NVL board is not in the table that was read.
const H200: &[u16] = &[0x2335];
// PCIe, one without a further name, NVL.
const H800: &[u16] = &[H800_PCIE, 0x2324, H800_NVL];

/// Every board of the one family with every board of the other, both ways.
const fn across<const PAIRS: usize>(ones: &[u16], others: &[u16]) -> [(Value<'static>, Value<'static>); PAIRS] {
    const fn board(device: u16) -> Value<'static> {
        Value::PciId(PciId { vendor: 0x10de, device })
    }
    assert!(ones.len() * others.len() * 2 == PAIRS, "as many pairs as there are");
    let mut pairs = [(Value::Unknown, Value::Unknown); PAIRS];
    let mut at = 0;
    while at < PAIRS / 2 {
        let (one, other) = (board(ones[at / others.len()]), board(others[at % others.len()]));
        pairs[2 * at] = (one, other);
        pairs[2 * at + 1] = (other, one);
        at += 1;
    }
    pairs
}

static PCIE_80_AND_NVL_94: [(Value<'static>, Value<'static>); 2] = across(&[H100_PCIE], &[H100_NVL]);
static H800_PCIE_80_AND_NVL_94: [(Value<'static>, Value<'static>); 2] = across(&[H800_PCIE], &[H800_NVL]);
static H200_AND_H100: [(Value<'static>, Value<'static>); 8] = across(H200, H100);
static H200_AND_H800: [(Value<'static>, Value<'static>); 6] = across(H200, H800);
static H800_AND_H100: [(Value<'static>, Value<'static>); 24] = across(H800, H100);

/// An exclusion stands on `pci_id`, not on `gpu_board`: a target that accepts other boards still meets it.
const fn excluded(pairs: &'static [(Value<'static>, Value<'static>)], citation: &'static str) -> Rule {
    rule(PCI_ID, Compare::NotPair(pairs), Absent::Ignore, notes(citation, ENTERPRISE_8, "2026-11"))
}

const RHEL_9_4: When =
    When::Any(&[When::SourceIs(HYPERVISOR, text("RHEL 9.4")), When::TargetIs(HYPERVISOR, text("RHEL 9.4"))]);

/// Both sides are of a release for which differing manager versions are documented.
const MAY_DIFFER: When = When::All(&[
    When::Any(&[
        When::SourceIs(HYPERVISOR, text("RHEL 9.6")),
        When::SourceIs(HYPERVISOR, text("RHEL 9.7")),
        When::SourceIs(HYPERVISOR, text("RHEL 9.8")),
    ]),
    When::Any(&[
        When::TargetIs(HYPERVISOR, text("RHEL 9.6")),
        When::TargetIs(HYPERVISOR, text("RHEL 9.7")),
        When::TargetIs(HYPERVISOR, text("RHEL 9.8")),
    ]),
]);

const IDENTICAL_ON_9_4: Origin = notes(
    "NVIDIA release notes for RHEL with KVM through KubeVirt VEP 109: on 9.4 the Virtual GPU Manager is identical on \
     source and destination",
    "RHEL 9.4 on either side",
    "2026-11",
);

const MAY_DIFFER_FROM_9_6: Origin = notes(
    "NVIDIA release notes for RHEL with KVM through KubeVirt VEP 109: from 9.6 on manager versions may differ, \
     unless release notes exclude the pair; Red Hat's documentation of RHEL 9 and 10 disagrees and wants the same \
     version",
    "RHEL 9.6 to 9.8 on both sides",
    "2026-11",
);

const SAME_VERSION: Origin = notes(
    "Red Hat, Live migrating a VM with an attached NVIDIA vGPU (RHEL 9 and 10): migration fails when driver versions \
     differ; of other hypervisors nothing is known here",
    "every host but RHEL 9.4 and RHEL 9.6 to 9.8",
    "2026-11",
);

/// Versions of two managers, of which `id` is one form.
const fn managers(id: AttributeId, when: When, mismatch: Mismatch, absent: Absent, origin: Origin) -> Rule {
    Rule { when: Some(when), mismatch, ..rule(id, Compare::Equal, absent, origin) }
}

const OTHERWISE: When = When::Not(&When::Any(&[RHEL_9_4, MAY_DIFFER]));

const BUILDS_ON_9_4: When = When::All(&[When::BothHave(DRIVER_BUILD), RHEL_9_4]);
const BUILDS_OTHERWISE: When = When::All(&[When::BothHave(DRIVER_BUILD), OTHERWISE]);

const GUEST_BRANCH: &str = "NVIDIA vGPU release notes: the guest driver is of the manager's branch, or the manager \
                            is one branch newer";

/// The attributes and rules. Exclusions come first.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        excluded(
            &PCIE_80_AND_NVL_94,
            "NVIDIA AI Enterprise 8, Live Migration: not between 80 GB PCIe and 94 GB NVL boards (H100)",
        ),
        excluded(
            &H800_PCIE_80_AND_NVL_94,
            "NVIDIA AI Enterprise 8, Live Migration: not between 80 GB PCIe and 94 GB NVL boards (H800)",
        ),
        excluded(&H200_AND_H100, "NVIDIA AI Enterprise 8, Live Migration: not among H200, H800 and H100"),
        excluded(&H200_AND_H800, "NVIDIA AI Enterprise 8, Live Migration: not among H200, H800 and H100"),
        excluded(&H800_AND_H100, "NVIDIA AI Enterprise 8, Live Migration: not among H200, H800 and H100"),
        rule(
            HYPERVISOR,
            Compare::Own(hypervisors),
            Absent::Unknown,
            notes("NVIDIA AI Enterprise 8, Live Migration: not between RHEL 10 and RHEL 9.4", ENTERPRISE_8, "2026-11"),
        ),
        rule(
            DEVICE_API,
            Compare::Equal,
            Absent::Default(text("vfio-pci")),
            Origin {
                kind: OriginKind::Specification,
                citation: "Documentation/ABI/testing/sysfs-bus-vfio-mdev: device_api names the interface of the \
                           device",
                scope: "",
                date: "2026-11",
            },
        ),
        rule(VGPU_TYPE_NAME, Compare::Equal, Absent::Unknown, TYPE_IS_FIGURES),
        rule(MDEV_TYPE, Compare::Ignore, Absent::Ignore, TYPE_IS_FIGURES),
        rule(
            GPU_BOARD,
            Compare::Equal,
            Absent::Unknown,
            notes(
                "KubeVirt VEP 109: between nodes with identical GPUs; NVML counts the GPU among the limits",
                "RHEL with KVM",
                "2026-11",
            ),
        ),
        rule(FRAMEBUFFER_MB, Compare::Equal, Absent::Note, TYPE_IS_FIGURES),
        rule(NUM_HEADS, Compare::Equal, Absent::Note, TYPE_IS_FIGURES),
        rule(MAX_RESOLUTION, Compare::Equal, Absent::Note, TYPE_IS_FIGURES),
        Rule {
            target: VGPU_VERSION_RANGE,
            ..rule(
                VGPU_VERSION,
                Compare::InRange,
                Absent::Unknown,
                interface(
                    "NVML, nvmlGetVgpuVersion: the version agreed on is kept for the guest driver's life, and the \
                     target's range must hold it",
                ),
            )
        },
        managers(DRIVER_VERSION, RHEL_9_4, Mismatch::Refuse, Absent::Unknown, IDENTICAL_ON_9_4),
        Rule {
            when: Some(MAY_DIFFER),
            ..rule(DRIVER_VERSION, Compare::Own(noted_difference), Absent::Ignore, MAY_DIFFER_FROM_9_6)
        },
        managers(DRIVER_VERSION, OTHERWISE, Mismatch::Administrator, Absent::Unknown, SAME_VERSION),
        // Where a version of three numbers loses leading zeros, the text does not.
        managers(DRIVER_BUILD, BUILDS_ON_9_4, Mismatch::Refuse, Absent::Ignore, IDENTICAL_ON_9_4),
        managers(DRIVER_BUILD, BUILDS_OTHERWISE, Mismatch::Administrator, Absent::Ignore, SAME_VERSION),
        // Of the source's guest and the target's manager.
        Rule {
            target: MANAGER_VERSION,
            ..rule(
                GUEST_DRIVER,
                Compare::Own(same_or_next_branch),
                Absent::Unknown,
                notes(GUEST_BRANCH, "vGPU software 9 to 19; of 8 the same branch only", "2026-11"),
            )
        },
        Rule {
            target: MANAGER_VERSION,
            mismatch: Mismatch::Administrator,
            ..rule(
                GUEST_DRIVER,
                Compare::Own(known_branches),
                Absent::Ignore,
                notes(GUEST_BRANCH, "branches that are not in the table of this room", "2026-11"),
            )
        },
        rule(
            MIGRATION_CAPS,
            Compare::Is(Value::Bool(true)),
            Absent::Unknown,
            interface("NVML, virtualization caps: bit 0 of virtual and physical GPU says that migration is supported"),
        ),
        rule(ECC_MODE, Compare::Equal, Absent::Unknown, VEP_109_ECC),
        off_when_live(
            UVM,
            "NVIDIA release notes for RHEL with KVM through KubeVirt VEP 109: migration fails with unified memory \
             enabled",
        ),
        off_when_live(
            DEBUGGER,
            "NVIDIA release notes for RHEL with KVM through KubeVirt VEP 109: migration fails with debuggers enabled",
        ),
        off_when_live(
            PROFILER,
            "NVIDIA release notes for RHEL with KVM through KubeVirt VEP 109: migration fails with profilers enabled",
        ),
        // Releases for GPUs that cannot do without it must differ; which do is not known here.
        Rule {
            mismatch: Mismatch::Administrator,
            ..rule(
                GSP_FIRMWARE,
                Compare::Is(Value::Bool(false)),
                Absent::Ignore,
                notes(
                    "NVIDIA release notes for RHEL with KVM through KubeVirt VEP 109: migration fails for GPUs with \
                     a GPU System Processor",
                    "RHEL with KVM; unconfirmed which releases",
                    "2026-11",
                ),
            )
        },
        rule(
            FRAME_RATE_LIMITER,
            Compare::Equal,
            Absent::Note,
            notes(
                "NVIDIA vGPU documentation: frame_rate_limiter is set in vgpu_params while the device is not in use",
                OWN_READING,
                "2026-11",
            ),
        ),
        rule(
            PLUGIN_PARAMS,
            Compare::Own(plugin_params),
            Absent::Note,
            notes(
                "NVIDIA vGPU documentation: vgpu_params is set while the device is not in use; loglevel is the \
                 host's matter",
                OWN_READING,
                "2026-11",
            ),
        ),
        capacity(PLACEMENT_ID),
        capacity(GPU_INSTANCE_ID),
        capacity(SCHEDULER),
    ],
    derive,
    statable: &[&metadata::STATABLE],
    contradiction,
    impossible,
};

/// A difference that is allowed by one document and refused by another.
fn noted_difference(pair: &Pair<'_>) -> Comparison {
    if pair.source == pair.target { Comparison::Match } else { Comparison::MatchWithNote(reasons::SOURCES_DISAGREE) }
}

/// RHEL 10 and RHEL 9.4 do not go together, either way.
fn hypervisors(pair: &Pair<'_>) -> Comparison {
    let (Value::Text(source), Value::Text(target)) = (pair.source, pair.target) else {
        return Comparison::Mismatch(shared::REFUSED);
    };
    let is_10 = |name: &str| name == "RHEL 10" || name.starts_with("RHEL 10.");
    let excluded = |one: &str, other: &str| one == "RHEL 9.4" && is_10(other);
    let (source, target) = (source.as_str(), target.as_str());
    if excluded(source, target) || excluded(target, source) {
        Comparison::Mismatch(shared::EXCLUDED_PAIR)
    } else {
        Comparison::Match
    }
}

/// Driver branches of vGPU software 9 to 19, oldest first: their numbers do not follow one another.
const BRANCHES: [u32; 11] = [430, 440, 450, 460, 470, 510, 525, 535, 550, 570, 580];
/// Branch of vGPU software 8, whose guests do not go to a newer manager.
const BRANCH_8: u32 = 418;

/// Guest and manager are of one branch, or the manager is one branch newer. What is not in the table is left to
/// [`known_branches`].
fn same_or_next_branch(pair: &Pair<'_>) -> Comparison {
    let (Value::Version(guest), Value::Version(manager)) = (pair.source, pair.target) else {
        return Comparison::Mismatch(shared::BRANCH);
    };
    let place = |version: Version| BRANCHES.iter().position(|branch| *branch == version.major);
    let fits = guest.major == manager.major
        || match (place(guest), place(manager)) {
            (Some(guest), Some(manager)) => guest + 1 == manager,
            (None, _) if guest.major == BRANCH_8 => false,
            _ => guest.major < manager.major,
        };
    if fits { Comparison::Match } else { Comparison::Mismatch(shared::BRANCH) }
}

/// A pair of branches whose distance the table does not tell is an administrator's matter, unless the manager is older or
/// the guest of a branch that it stays on: [`same_or_next_branch`] refuses these.
fn known_branches(pair: &Pair<'_>) -> Comparison {
    let (Value::Version(guest), Value::Version(manager)) = (pair.source, pair.target) else {
        return Comparison::Match;
    };
    let known = |version: Version| BRANCHES.contains(&version.major);
    if guest.major >= manager.major || guest.major == BRANCH_8 || (known(guest) && known(manager)) {
        Comparison::Match
    } else {
        Comparison::Mismatch(shared::BRANCH)
    }
}

/// Parameters that the guest cannot see.
const UNSEEN: [&str; 1] = ["loglevel"];

/// The same parameters on both sides, but for those that the guest cannot see.
fn plugin_params(pair: &Pair<'_>) -> Comparison {
    let (Value::Map(source), Value::Map(target)) = (pair.source, pair.target) else {
        return Comparison::Mismatch(shared::NOT_EQUAL);
    };
    let seen = |(key, _): &(Text<'_>, Text<'_>)| !UNSEEN.contains(&key.as_str());
    if source.pairs().filter(seen).eq(target.pairs().filter(seen)) {
        Comparison::Match
    } else {
        Comparison::Mismatch(shared::NOT_EQUAL)
    }
}

/// `pci_id` follows from `gpu_board`, `driver_version` from `driver_build`, `manager_version` from either.
fn derive(side: &dyn Attributes, id: AttributeId) -> Option<Value<'_>> {
    match id {
        _ if id.is(PCI_ID) => board_id(side).map(Value::PciId),
        _ if id.is(DRIVER_VERSION) => build_version(side).map(Value::Version),
        _ if id.is(MANAGER_VERSION) => side.value(DRIVER_VERSION).or_else(|| build_version(side).map(Value::Version)),
        _ => None,
    }
}

/// The first four and the next four digits of `10de:2331 10de:1626`. A source may write the rest otherwise: an exclusion
/// that stands on the id still finds it.
fn board_id(side: &dyn Attributes) -> Option<PciId> {
    let Value::Text(board) = side.value(GPU_BOARD)? else { return None };
    let (id, _subsystem) = board.as_str().split_once(' ')?;
    let (vendor, device) = id.split_once(':')?;
    let is_id = |digits: &str| digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = |digits: &str| u16::from_str_radix(digits, 16).ok().filter(|_| is_id(digits));
    Some(PciId { vendor: number(vendor)?, device: number(device)? })
}

fn build_version(side: &dyn Attributes) -> Option<Version> {
    let Value::Text(build) = side.value(DRIVER_BUILD)? else { return None };
    version_of(build.as_bytes())
}

/// Two or three numbers with dots between them, as in `550.054.10`. A build in another form is compared as the text that
/// it is, and no version follows from it.
fn version_of(text: &[u8]) -> Option<Version> {
    let mut parts = [0_u32; 3];
    let (mut part, mut is_empty) = (0, true);
    for byte in text {
        if *byte == b'.' {
            if is_empty {
                return None;
            }
            (part, is_empty) = (part + 1, true);
        } else {
            let number = parts.get_mut(part)?;
            let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
            *number = number.checked_mul(10)?.checked_add(digit)?;
            is_empty = false;
        }
    }
    let [major, minor, patch] = parts;
    (!is_empty && part > 0).then_some(Version { major, minor, patch })
}

fn contradiction(side: &dyn Attributes) -> Option<(AttributeId, AttributeId)> {
    match (board_id(side), side.value(PCI_ID)) {
        (Some(board), Some(Value::PciId(stated))) if board != stated => return Some((PCI_ID, GPU_BOARD)),
        _ => {}
    }
    let version = |id| if let Some(Value::Version(version)) = side.value(id) { Some(version) } else { None };
    let (stated, manager) = (version(DRIVER_VERSION), version(MANAGER_VERSION));
    if stated.is_none() && manager.is_none() {
        return None;
    }
    let build = build_version(side);
    let differ = |one: Option<Version>, other: Option<Version>| one.is_some() && other.is_some() && one != other;
    if differ(stated, build) {
        Some((DRIVER_VERSION, DRIVER_BUILD))
    } else if differ(manager, stated.or(build)) {
        Some((if stated.is_some() { DRIVER_VERSION } else { DRIVER_BUILD }, MANAGER_VERSION))
    } else {
        None
    }
}

/// Of a target whose board is written in another form its id might not follow, and no exclusion would find it.
fn impossible(target: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_id = |text: &str| {
        text.split_once(':').is_some_and(|(vendor, device)| {
            [vendor, device].iter().all(|part| part.len() == 4 && part.bytes().all(is_digit))
        })
    };
    let is_board = |text: &str| text.split_once(' ').is_some_and(|(id, subsystem)| is_id(id) && is_id(subsystem));
    let wrong = matches!(target.value(GPU_BOARD), Some(Value::Text(board)) if !is_board(board.as_str()));
    wrong.then_some((GPU_BOARD, "two PCI ids in lower-case hex digits, such as 10de:2331 10de:1626"))
}
