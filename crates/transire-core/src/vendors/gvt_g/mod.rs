//! gvt-g: Intel's mediated graphics of the processor generations Broadwell and later (`drm/i915/gvt`).
//!
//! The migration of GVT-g was never part of Linux. What is known comes from Intel's own branches (`gvt-linux`, 2017 to 2019),
//! from patches that were posted and not merged, and from the proposals of 2019 and 2020 for an interface that tells
//! beforehand whether two devices go together. The project is abandoned, so the set of types and layouts is closed.
//!
//! What a driver checks when it loads an image is the layout only: above all the length of the GTT record, which follows
//! from the graphics memory. Everything else here is what the proposals wanted compared.
//!
//! **Unconfirmed**: no driver with aggregation was ever released. That the graphics memory of an aggregate of N instances
//! is N times that of one, and that fences and resolution stay those of one, is read from the proposals, not measured. A
//! profile that states these attributes itself is judged by what it states.

pub mod driver;
pub mod stream;

use crate::attribute::{
    AGGREGATION, AttributeId, Attributes, CAPACITY, Constraint, DEVICE_API, DRIVER, Definition, Dictionary, MDEV_TYPE,
    PCI_ID, Ratio, SOFTWARE_VERSION, Text, Type, Value, row,
};
use crate::format::Vendor;
use crate::rule::{
    Absent, Capacity, Compare, Comparison, Origin, OriginKind, Pair, Resource, Rule, RuleTable, When, rule,
};
use crate::verdict::reasons;

/// `low_gm_mb`: graphics memory that the processor can reach (the aperture), in MiB.
pub const LOW_GM_MB: AttributeId = AttributeId(0x8100);
/// `high_gm_mb`: graphics memory that only the device can reach, in MiB.
pub const HIGH_GM_MB: AttributeId = AttributeId(0x8101);
/// `fence`: fence registers.
pub const FENCE: AttributeId = AttributeId(0x0102);
/// `resolution`: the largest display that the guest is shown, `WIDTHxHEIGHT`.
pub const RESOLUTION: AttributeId = AttributeId(0x0103);
/// `weight`: share of the scheduler.
pub const WEIGHT: AttributeId = AttributeId(0x0104);
/// `platform`: the processor's platform: bdw, skl, kbl and so on.
pub const PLATFORM: AttributeId = AttributeId(0x8105);
/// `pv_mode`: which paravirtual interfaces the guest may use.
pub const PV_MODE: AttributeId = AttributeId(0x8106);
/// `image_generation`: which of the five known layouts the driver's migration image has.
pub const IMAGE_GENERATION: AttributeId = AttributeId(0x8107);

/// Layouts of the migration image that were published, all of which call themselves version 0.
pub const IMAGE_GENERATIONS: u64 = 5;

/// The row of the vendor table.
pub static VENDOR: Vendor = Vendor {
    title: "Intel GVT-g: mediated graphics of Broadwell and later",
    rules: &RULES,
    formats: &[&stream::FORMAT],
    reasons: &[stream::reasons::CATALOGUE],
};

/// What a type's name stands for (`vgpu.c`).
#[derive(Debug)]
struct Kind {
    name: &'static str,
    /// Version of the graphics hardware: `V4` in the name for 8 (Broadwell), `V5` for every later one.
    hardware: u64,
    /// The N of "one Nth of the GPU".
    fraction: u32,
    low_gm_mb: u64,
    high_gm_mb: u64,
    resolution: &'static str,
    weight: u64,
}

/// Fence registers of every type.
const FENCES: u64 = 4;

const fn resource(name: &'static str, amount: u64, scales: bool, essential: bool) -> Resource {
    Resource { name, amount, scales, essential }
}

/// Declares the types once, as facts and as the capacities that are compared.
macro_rules! types {
    ($($name:literal: $hardware:literal, $fraction:literal, $low:literal, $high:literal,
        $width:literal x $height:literal, $weight:literal;)+) => {
        static KINDS: &[Kind] = &[$(Kind {
            name: $name,
            hardware: $hardware,
            fraction: $fraction,
            low_gm_mb: $low,
            high_gm_mb: $high,
            resolution: concat!(stringify!($width), "x", stringify!($height)),
            weight: $weight,
        }),+];

        /// What the types are worth. Graphics memory scales with the aggregation, and the layout of the image depends on
        /// it; fences and pixels do not scale (unconfirmed), nor does the weight, of which the guest sees nothing.
        pub static CAPACITIES: &[Capacity] = &[$(Capacity {
            mdev_type: $name,
            resources: &[
                resource("hardware", $hardware, false, true),
                resource("low_gm_mb", $low, true, true),
                resource("high_gm_mb", $high, true, true),
                resource("fence", FENCES, false, true),
                resource("pixels", $width * $height, false, true),
                resource("weight", $weight, false, false),
            ],
        }),+];
    };
}

types! {
    "i915-GVTg_V4_1": 8, 1, 512, 2048, 1920 x 1200, 16;
    "i915-GVTg_V4_2": 8, 2, 256, 1024, 1920 x 1200, 8;
    "i915-GVTg_V4_4": 8, 4, 128, 512, 1920 x 1200, 4;
    "i915-GVTg_V4_8": 8, 8, 64, 384, 1024 x 768, 2;
    "i915-GVTg_V5_1": 9, 1, 512, 2048, 1920 x 1200, 16;
    "i915-GVTg_V5_2": 9, 2, 256, 1024, 1920 x 1200, 8;
    "i915-GVTg_V5_4": 9, 4, 128, 512, 1920 x 1200, 4;
    "i915-GVTg_V5_8": 9, 8, 64, 384, 1024 x 768, 2;
}

/// Whether there is a type of this name, as sysfs has it: `i915-GVTg_V5_4`.
pub fn is_type(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == name)
}

const DESCRIPTION: &str = "mdev_supported_types/TYPE/description below the parent device; follows from mdev_type";

static DICTIONARY: Dictionary = Dictionary {
    vendor: "gvt-g",
    attributes: &[
        row(
            LOW_GM_MB,
            "low_gm_mb",
            Type::Uint,
            "graphics memory that the processor can reach, in MiB",
            DESCRIPTION,
            "128",
        ),
        row(
            HIGH_GM_MB,
            "high_gm_mb",
            Type::Uint,
            "graphics memory that only the device can reach, in MiB",
            DESCRIPTION,
            "512",
        ),
        row(FENCE, "fence", Type::Uint, "fence registers", DESCRIPTION, "4"),
        row(
            RESOLUTION,
            "resolution",
            Type::Text,
            "the largest display that the guest is shown, width x height in pixels",
            DESCRIPTION,
            "\"1920x1200\"",
        ),
        row(WEIGHT, "weight", Type::Uint, "share of the scheduler; never compared", DESCRIPTION, "4"),
        row(
            PLATFORM,
            "platform",
            Type::Text,
            "platform of the processor, in the short form of the i915 driver",
            "i915_capabilities in debugfs below dri/0, in lower case",
            "\"kbl\"",
        ),
        Definition {
            constraint: Constraint::Members(Type::Text),
            ..row(
                PV_MODE,
                "pv_mode",
                Type::Set,
                "paravirtual interfaces that the guest may use: none, ppgtt, context",
                "pv_mode below the mediated device, where the driver has it",
                "[\"none\", \"ppgtt\"]",
            )
        },
        Definition {
            constraint: Constraint::Between(1, IMAGE_GENERATIONS),
            ..row(
                IMAGE_GENERATION,
                "image_generation",
                Type::Uint,
                "layout of the driver's migration image, 1 to 5 as the vendor page lists them",
                "nowhere on a running host: the source of the driver that is installed",
                "3",
            )
        },
    ],
};

/// When the sources below were read.
const READ: &str = "2026-04";

/// The driver's own code.
const fn driver(citation: &'static str) -> Origin {
    Origin {
        kind: OriginKind::Driver,
        citation,
        scope: "intel/gvt-linux 2017 to 2019, never part of Linux",
        date: READ,
    }
}

/// What was proposed as the interface of all mediated devices, and never merged.
const fn proposal(citation: &'static str) -> Origin {
    Origin {
        kind: OriginKind::Specification,
        citation,
        scope: "proposals of May 2019 to September 2020, never merged",
        date: READ,
    }
}

const VFIO_PCI: Value<'static> = Value::Text(Text::constant("vfio-pci"));

/// A device without a type of its own is a physical one.
const ONE_IS_PHYSICAL: When = When::Not(&When::BothHave(MDEV_TYPE));

/// The attributes and rules.
pub static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[
        rule(
            DEVICE_API,
            Compare::Is(VFIO_PCI),
            Absent::Default(VFIO_PCI),
            proposal("text of 19 August 2020: device_api equal; every type of GVT-g has vfio-pci"),
        ),
        rule(
            PCI_ID,
            Compare::Equal,
            Absent::Unknown,
            proposal("migration_version v3 to v5, drm/i915/gvt part: PCI vendor and device id of the string equal"),
        ),
        rule(
            PLATFORM,
            Compare::Equal,
            Absent::Ignore,
            proposal(
                "Zhenyu Wang, 20 February 2019, on the save/restore series: refuse to restore on another platform",
            ),
        ),
        rule(
            SOFTWARE_VERSION,
            Compare::Version,
            Absent::Unknown,
            proposal("text of 19 August 2020: major equal, target's minor not below the source's, bugfix ignored"),
        ),
        rule(
            DRIVER,
            Compare::Equal,
            Absent::Ignore,
            proposal("string of July 2020 with aggregator: begins with the driver's name, compared as a whole"),
        ),
        Rule {
            when: Some(When::BothHave(MDEV_TYPE)),
            ..rule(
                MDEV_TYPE,
                Compare::SameCapacity(CAPACITIES),
                Absent::Unknown,
                proposal("texts of July to September 2020: type equal, or types of one generation and equal capacity"),
            )
        },
        // Held against the target together with mdev_type; the row is there for a target that has a rule of its own.
        rule(
            AGGREGATION,
            Compare::Ignore,
            Absent::Default(Value::Uint(1)),
            proposal("texts of July to September 2020: type and aggregator are one capacity"),
        ),
        Rule {
            when: Some(ONE_IS_PHYSICAL),
            ..rule(
                CAPACITY,
                Compare::Equal,
                Absent::Unknown,
                proposal("text of 10 September 2020: a mediated device of capacity N/N equals the physical device"),
            )
        },
        rule(
            LOW_GM_MB,
            Compare::Own(graphics_memory),
            Absent::Unknown,
            driver("migrate.c: the GTT record has as many pages as the device's graphics memory"),
        ),
        rule(
            HIGH_GM_MB,
            Compare::Own(graphics_memory),
            Absent::Unknown,
            driver("migrate.c: the GTT record has as many pages as the device's graphics memory"),
        ),
        rule(
            FENCE,
            Compare::AtLeast,
            Absent::Ignore,
            proposal("texts of July to September 2020: a resource that the target may have more of"),
        ),
        rule(
            RESOLUTION,
            Compare::Equal,
            Absent::Ignore,
            proposal("vgpu.c: the guest sees the type's EDID; unconfirmed that it minds a change"),
        ),
        rule(WEIGHT, Compare::Ignore, Absent::Ignore, proposal("the guest sees nothing of it: a matter of policy")),
        Rule {
            target_absent: Absent::Unknown,
            ..rule(
                PV_MODE,
                Compare::Subset,
                Absent::Ignore,
                proposal("texts of August 2020: pv_mode of the source is a subset of the target's"),
            )
        },
        rule(
            IMAGE_GENERATION,
            Compare::Equal,
            Absent::Note,
            driver("migrate.h and migrate.c: records and sizes of entries differ under one version number"),
        ),
    ],
    derive,
    statable: &[&stream::STATABLE],
    contradiction,
    impossible,
};

fn kind_of(side: &dyn Attributes) -> Option<&'static Kind> {
    match side.value(MDEV_TYPE)? {
        Value::Text(name) => KINDS.iter().find(|kind| kind.name == name.as_str()),
        _ => None,
    }
}

/// How many instances of its type a side is worth; `None` where it has not reported that.
fn aggregation(side: &dyn Attributes) -> Option<u64> {
    match side.value(AGGREGATION) {
        None => Some(1),
        Some(Value::Uint(number)) => Some(number),
        Some(_) => None,
    }
}

/// How an attribute follows from the type and the aggregation, `None` where that has not been reported.
type Derivation = fn(&'static Kind, Option<u64>) -> Option<Value<'static>>;

static DERIVED: &[(AttributeId, Derivation)] = &[
    (LOW_GM_MB, |kind, times| scaled(kind.low_gm_mb, times)),
    (HIGH_GM_MB, |kind, times| scaled(kind.high_gm_mb, times)),
    (CAPACITY, |kind, times| times.map_or(Some(Value::Unknown), |times| share(times, kind.fraction).map(Value::Ratio))),
    (FENCE, |_, _| Some(Value::Uint(FENCES))),
    (RESOLUTION, |kind, _| Text::new(kind.resolution).map(Value::Text)),
    (WEIGHT, |kind, _| Some(Value::Uint(kind.weight))),
];

fn scaled(of_one: u64, times: Option<u64>) -> Option<Value<'static>> {
    times.map_or(Some(Value::Unknown), |times| of_one.checked_mul(times).map(Value::Uint))
}

/// What follows from type and aggregation; not reported where one of these is not.
fn derive(side: &dyn Attributes, id: AttributeId) -> Option<Value<'_>> {
    let (_, derivation) = DERIVED.iter().find(|(own, _)| own.is(id))?;
    if side.value(MDEV_TYPE)? == Value::Unknown {
        return Some(Value::Unknown);
    }
    derivation(kind_of(side)?, aggregation(side))
}

/// `times / fraction` in lowest terms, for a fraction that is a power of two.
fn share(times: u64, fraction: u32) -> Option<Ratio> {
    let common = times.trailing_zeros().min(fraction.trailing_zeros());
    Ratio::new(u32::try_from(times >> common).ok()?, fraction >> common)
}

/// What a device states of itself, against what its type says. Only for one instance: what an aggregate has is not known
/// for certain. The share follows from the name of the type whatever the aggregation.
fn contradiction(side: &dyn Attributes) -> Option<(AttributeId, AttributeId)> {
    // Of a side that does not say its type, nothing follows.
    kind_of(side)?;
    let times = aggregation(side)?;
    let of_one: &[AttributeId] = if times == 1 { &[LOW_GM_MB, HIGH_GM_MB, CAPACITY] } else { &[CAPACITY] };
    let differs = |id: AttributeId| match (side.value(id), derive(side, id)) {
        (Some(stated), Some(derived)) => stated != Value::Unknown && stated != derived && derived != Value::Unknown,
        // A share that no ratio can hold is not the one that is stated.
        (Some(stated), None) => stated != Value::Unknown && id == CAPACITY,
        _ => false,
    };
    of_one.iter().find(|id| differs(**id)).map(|id| (MDEV_TYPE, *id))
}

fn impossible(side: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    if matches!(side.value(MDEV_TYPE), Some(Value::Text(name)) if !is_type(name.as_str())) {
        return Some((MDEV_TYPE, "i915-GVTg_V4_N or i915-GVTg_V5_N with N one of 1, 2, 4 and 8"));
    }
    let is_mode =
        |mode: Value<'_>| matches!(mode, Value::Text(name) if ["none", "ppgtt", "context"].contains(&name.as_str()));
    match side.value(PV_MODE) {
        Some(Value::Set(modes)) if !modes.members().all(is_mode) => Some((PV_MODE, "a set of none, ppgtt and context")),
        _ => None,
    }
}

/// The same amount; or types of one generation of which another aggregation of the target's would come to the same: then
/// the rule of the type has the say, since it knows what can be set. Where a rule of the target's own has its place, nobody
/// else looks at the memory: that the type may differ does not make the image fit.
fn graphics_memory(pair: &Pair<'_>) -> Comparison {
    if pair.source == pair.target {
        return Comparison::Match;
    }
    if (pair.replaced)(MDEV_TYPE) {
        return Comparison::Mismatch(reasons::NOT_EQUAL);
    }
    let mended = match (kind_of(pair.of_source), kind_of(pair.of_target)) {
        (Some(source), Some(target)) if source.hardware == target.hardware => {
            let needed = aggregation(pair.of_source).and_then(|times| aggregation_for(source, times, target));
            needed.is_some() && needed != aggregation(pair.of_target)
        }
        _ => false,
    };
    if mended { Comparison::Match } else { Comparison::Mismatch(reasons::NOT_EQUAL) }
}

/// The aggregation of the target's type that has the graphics memory of so many of the source's.
fn aggregation_for(source: &Kind, times: u64, target: &Kind) -> Option<u64> {
    let (low, high) = (source.low_gm_mb.checked_mul(times)?, source.high_gm_mb.checked_mul(times)?);
    let needed = low / target.low_gm_mb;
    let same = target.low_gm_mb.checked_mul(needed)? == low && target.high_gm_mb.checked_mul(needed)? == high;
    (same && needed > 0).then_some(needed)
}

#[cfg(test)]
mod tests;
