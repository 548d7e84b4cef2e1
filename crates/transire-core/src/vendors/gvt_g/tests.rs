//! Pairs of devices and what comes of them. Sides are written as attributes in one line: `mdev_type=V5_4 aggregation=2`.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use super::*;
use crate::attribute::{DRIVER_VERSION, OwnedValue, PciId, Version};
use crate::judge::judge;
use crate::profile::{Profile, ProfileBuilder};
use crate::report::{Report, reports};
use crate::target::{Accept, Allowed, Operand, Settable, Target, TargetError};
use crate::verdict::{Outcome, Verdict};

/// What every device of the tables is, unless it says otherwise: `-name` takes an attribute away.
const BASE: &str = "device_api=vfio-pci pci_id=8086:591d software_version=1.0.0 mdev_type=V5_4 image_generation=3";

fn numbers<const N: usize>(text: &str, separator: char, radix: u32) -> [u32; N] {
    let numbers: Vec<u32> = text.split(separator).map(|part| u32::from_str_radix(part, radix).unwrap()).collect();
    numbers.try_into().unwrap()
}

fn value(definition: &Definition, text: &str) -> OwnedValue {
    if text == "?" {
        return Value::Unknown.to_owned();
    }
    match definition.kind {
        Type::Uint => Value::Uint(text.parse().unwrap()).to_owned(),
        Type::Text if definition.id == MDEV_TYPE => {
            Value::Text(Text::new(&format!("i915-GVTg_{text}")).unwrap()).to_owned()
        }
        Type::Text => Value::Text(Text::new(text).unwrap()).to_owned(),
        Type::Version => {
            let [major, minor, patch] = numbers(text, '.', 10);
            Value::Version(Version { major, minor, patch }).to_owned()
        }
        Type::PciId => {
            let [vendor, device] = numbers(text, ':', 16).map(|part| u16::try_from(part).unwrap());
            Value::PciId(PciId { vendor, device }).to_owned()
        }
        Type::Ratio => {
            let [numerator, denominator] = numbers(text, '/', 10);
            Value::Ratio(Ratio::new(numerator, denominator).unwrap()).to_owned()
        }
        Type::Set => {
            let members: Vec<Value<'_>> =
                text.split('+').map(|member| Value::Text(Text::new(member).unwrap())).collect();
            OwnedValue::set(Type::Text, &members).unwrap()
        }
        kind => panic!("no {} here", kind.name()),
    }
}

fn definition(name: &str) -> &'static Definition {
    DICTIONARY.by_name(name).unwrap_or_else(|| panic!("no attribute {name}"))
}

fn profile(side: &str) -> Profile {
    let mut stated: Vec<(&str, &str)> = vec![("vendor", "gvt-g")];
    for word in BASE.split(' ').chain(side.split_whitespace()) {
        let (name, text) = word.split_once('=').unwrap_or((word, ""));
        let (name, stays) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
        stated.retain(|(own, _)| *own != name);
        if stays {
            stated.push((name, text));
        }
    }
    let mut builder = ProfileBuilder::new();
    for (name, text) in stated {
        assert!(builder.set(definition(name).id, &value(definition(name), text)));
    }
    builder.build(&|name| (name == "gvt-g").then_some(&DICTIONARY)).unwrap()
}

fn target(side: &str) -> Target {
    Target::new(profile(side), &RULES).unwrap()
}

fn told(source: &str, target: &Target) -> (Outcome, Vec<Report>) {
    let source = profile(source);
    let mut verdict = Verdict::new();
    judge(&source, target, None, &mut verdict);
    (verdict.outcome(), reports(&verdict, Some(&source), Some(target)))
}

fn ids(reports: &[Report]) -> String {
    reports.iter().map(|report| report.id.as_str()).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(rows: &[(&str, &str, &str, Outcome, &str)]) {
    for (name, source, device, outcome, expected) in rows {
        let (found, reports) = told(source, &target(device));
        assert_eq!((found, ids(&reports).as_str()), (*outcome, *expected), "{name}");
    }
}

use Outcome::{Compatible, Corrupt, Fixable, Incompatible, Unknown};

const NO: &str = "mdev_type.not-same-capacity";

#[test]
fn tables_ascend_and_stay_in_their_range() {
    assert!(DICTIONARY.attributes.windows(2).all(|pair| pair[0].id.number() < pair[1].id.number()));
    assert!(DICTIONARY.attributes.iter().all(|row| (0x0100..0x0130).contains(&row.id.number())));
    assert!(RULES.rules.iter().all(|rule| !rule.origin.citation.is_empty()));
    assert_eq!(KINDS.len(), CAPACITIES.len());
    for kind in KINDS {
        assert_eq!(kind.weight, 16 / u64::from(kind.fraction), "{}", kind.name);
    }
}

#[test]
fn versions_ids_and_platforms() {
    check(&[
        ("the same device", "", "", Compatible, ""),
        ("1.0 into 1.2", "", "software_version=1.2.0", Compatible, ""),
        ("and not back", "software_version=1.2.0", "", Incompatible, "software_version.version"),
        ("1.0 into 1.3", "", "software_version=1.3.0", Compatible, ""),
        ("1.0 into 2.0", "", "software_version=2.0.0", Incompatible, "software_version.version"),
        ("bugfix releases do not count", "software_version=1.0.9", "", Compatible, ""),
        ("no version on the target", "", "-software_version", Unknown, "software_version.not-in-profile"),
        ("another PCI id", "", "pci_id=8086:5912", Incompatible, "pci_id.not-equal"),
        ("no PCI id in the source", "-pci_id", "", Unknown, "pci_id.not-in-profile"),
        ("the same platform", "platform=kbl", "platform=kbl", Compatible, ""),
        ("another platform", "platform=skl", "platform=kbl", Incompatible, "platform.not-equal"),
        ("one side without platform", "platform=skl", "", Compatible, ""),
        ("another interface", "device_api=vfio-ccw", "", Incompatible, "device_api.not-is"),
        ("no interface stated", "-device_api", "-device_api", Compatible, ""),
        ("another driver", "driver=i915", "driver=xe", Incompatible, "driver.not-equal"),
        ("another image layout", "", "image_generation=5", Incompatible, "image_generation.not-equal"),
        ("image layout of one side only", "", "-image_generation", Compatible, "image_generation.absent"),
    ]);
}

#[test]
fn aggregation() {
    let both = "mdev_type.not-same-capacity high_gm_mb.not-equal";
    check(&[
        ("one instance, said and not said", "aggregation=1", "", Compatible, ""),
        ("two quarters into a half", "aggregation=2", "mdev_type=V5_2", Compatible, "mdev_type.more-capacity"),
        ("a half into two quarters", "mdev_type=V5_2", "aggregation=2", Compatible, "mdev_type.more-capacity"),
        ("four quarters into a whole", "aggregation=4", "mdev_type=V5_1", Compatible, "mdev_type.more-capacity"),
        (
            "equal ratio, other memory",
            "mdev_type=V5_8 aggregation=4",
            "aggregation=2",
            Incompatible,
            "mdev_type.not-same-capacity high_gm_mb.not-equal resolution.not-equal",
        ),
        (
            "the mailing list's own example",
            "aggregation=2",
            "mdev_type=V5_8 aggregation=4",
            Incompatible,
            "mdev_type.not-same-capacity high_gm_mb.not-equal resolution.not-equal",
        ),
        ("one into two of the same type", "", "aggregation=2", Incompatible, NO),
        ("two into one of the same type", "aggregation=2", "", Incompatible, NO),
        (
            "a quarter into a half",
            "",
            "mdev_type=V5_2",
            Incompatible,
            "mdev_type.not-same-capacity low_gm_mb.not-equal high_gm_mb.not-equal",
        ),
        ("Broadwell into its successor", "mdev_type=V4_2", "mdev_type=V5_2", Incompatible, NO),
        ("and back", "mdev_type=V5_2", "mdev_type=V4_2", Incompatible, NO),
        (
            "fences that scale after all",
            "aggregation=2 fence=8",
            "mdev_type=V5_2",
            Incompatible,
            "fence.not-at-least mdev_type.more-capacity",
        ),
        ("fences to spare", "mdev_type=V5_2", "aggregation=2 fence=8", Compatible, "mdev_type.more-capacity"),
        (
            "memory that does not scale after all",
            "aggregation=2",
            "mdev_type=V5_4 aggregation=2 high_gm_mb=512",
            Incompatible,
            "high_gm_mb.not-equal",
        ),
        ("another display", "resolution=1024x768", "", Incompatible, "resolution.not-equal"),
        ("another weight", "weight=2", "weight=16", Compatible, ""),
        (
            "aggregation not reported",
            "aggregation=?",
            "",
            Unknown,
            "aggregation.not-reported-yet low_gm_mb.not-reported-yet high_gm_mb.not-reported-yet",
        ),
        ("a type that nobody has", "mdev_type=V9_4 low_gm_mb=128 high_gm_mb=512", "", Incompatible, NO),
        (
            "overflow",
            "aggregation=18446744073709551615",
            "",
            Incompatible,
            "mdev_type.not-same-capacity low_gm_mb.not-in-profile high_gm_mb.not-in-profile",
        ),
    ]);
    let (_, reports) = told("mdev_type=V5_8 aggregation=4", &target("aggregation=2"));
    assert_eq!(ids(&reports[..2]), both);
    assert_eq!((reports[1].found.as_deref(), reports[1].required.as_deref()), (Some("1536"), Some("1024")));
    assert_eq!(reports[0].found.as_deref(), Some("i915-GVTg_V5_8 x 4"));
}

#[test]
fn physical_devices() {
    const PHYSICAL: &str = "-mdev_type capacity=1/1 low_gm_mb=512 high_gm_mb=2048 resolution=1920x1200";
    check(&[
        ("into a full mediated device", PHYSICAL, "mdev_type=V5_1", Compatible, ""),
        ("into a full aggregate", PHYSICAL, "aggregation=4", Compatible, ""),
        ("and back", "aggregation=4", PHYSICAL, Compatible, ""),
        ("into a physical one", PHYSICAL, PHYSICAL, Compatible, ""),
        (
            "into eight eighths, which have more memory",
            PHYSICAL,
            "mdev_type=V5_8 aggregation=8",
            Incompatible,
            "high_gm_mb.not-equal resolution.not-equal",
        ),
        (
            "into three quarters",
            PHYSICAL,
            "aggregation=3",
            Incompatible,
            "capacity.not-equal low_gm_mb.not-equal high_gm_mb.not-equal",
        ),
        ("with another PCI id", PHYSICAL, "aggregation=4 pci_id=8086:5912", Incompatible, "pci_id.not-equal"),
        (
            "that does not say what it has",
            "-mdev_type",
            "aggregation=4",
            Unknown,
            "capacity.not-in-profile low_gm_mb.not-in-profile high_gm_mb.not-in-profile",
        ),
    ]);
}

#[test]
fn paravirtual_modes() {
    check(&[
        ("one more", "pv_mode=none+ppgtt", "pv_mode=none+ppgtt+context", Compatible, ""),
        ("another", "pv_mode=none+ppgtt", "pv_mode=none+context", Incompatible, "pv_mode.not-subset"),
        ("one less", "pv_mode=none+ppgtt+context", "pv_mode=none+ppgtt", Incompatible, "pv_mode.not-subset"),
        ("the target does not say", "pv_mode=none+ppgtt", "", Unknown, "pv_mode.not-in-profile"),
        ("the source does not say", "", "pv_mode=none", Compatible, ""),
    ]);
}

#[test]
fn aggregation_that_can_be_set() {
    let rows = [
        ("the source's own", "aggregation=2", "aggregation=1", (1, 4), Fixable, "aggregation.set", Some("2")),
        ("of another type", "mdev_type=V5_2", "aggregation=1", (1, 4), Fixable, "aggregation.set", Some("2")),
        ("of a whole", "mdev_type=V5_1", "", (1, 4), Fixable, "aggregation.set", Some("4")),
        ("back to one", "", "aggregation=4", (1, 4), Fixable, "aggregation.set", Some("1")),
        ("not so far", "aggregation=2", "aggregation=1", (3, 4), Incompatible, NO, None),
        (
            "a smaller type has none",
            "",
            "mdev_type=V5_2",
            (1, 2),
            Incompatible,
            "mdev_type.not-same-capacity low_gm_mb.not-equal high_gm_mb.not-equal",
            None,
        ),
    ];
    for (name, source, device, (least, most), outcome, expected, set) in rows {
        let mut target = target(device);
        let allowed = Allowed::Range(least, most);
        target.settable = vec![Settable { attribute: AGGREGATION, allowed, path: "mdev/aggregation".to_string() }];
        let (found, reports) = told(source, &target);
        assert_eq!((found, ids(&reports).as_str()), (outcome, expected), "{name}");
        let expected = set.map(|value| ("mdev/aggregation".to_string(), value.to_string()));
        assert_eq!(reports[0].set, expected, "{name}");
    }
}

fn one_of(name: &str, values: &[&str], from: Option<&str>) -> Accept {
    let values = values.iter().map(|text| value(definition(name), text)).collect();
    let version = |text: &str| match value(definition("driver_version"), text).value() {
        Value::Version(version) => version,
        _ => unreachable!(),
    };
    Accept {
        attribute: definition(name).id,
        compare: Compare::OneOf,
        operand: Operand::AnyOf(values),
        source: "release note".to_string(),
        driver_versions: from.map(|text| (version(text), None)),
    }
}

/// The name of the type is put aside; the memory that follows from it is not.
fn ignored_types() -> Vec<Case<'static>> {
    let ignore =
        |name: &str, from| Accept { compare: Compare::Ignore, operand: Operand::OfTarget, ..one_of(name, &[], from) };
    vec![
        (
            "a type that is ignored, other memory that another aggregation would mend",
            "aggregation=2",
            "",
            vec![ignore("mdev_type", None)],
            Incompatible,
            "low_gm_mb.not-equal high_gm_mb.not-equal mdev_type.accepted-by-target",
        ),
        (
            "out of its scope, the type is compared and the memory left to it",
            "aggregation=2",
            "driver_version=1.3.9",
            vec![ignore("mdev_type", Some("1.4.0"))],
            Incompatible,
            "mdev_type.not-same-capacity mdev_type.accept-out-of-scope",
        ),
        (
            "a type that is ignored, the same memory",
            "mdev_type=V5_2",
            "aggregation=2",
            vec![ignore("mdev_type", None)],
            Compatible,
            "mdev_type.accepted-by-target",
        ),
        (
            "type and memory are ignored, for a driver that no longer checks it",
            "aggregation=2",
            "driver_version=1.4.0",
            vec![ignore("mdev_type", None), ignore("low_gm_mb", Some("1.4.0")), ignore("high_gm_mb", Some("1.4.0"))],
            Compatible,
            "mdev_type.accepted-by-target low_gm_mb.accepted-by-target high_gm_mb.accepted-by-target",
        ),
        (
            "a rule for the share is asked of mediated devices, too",
            "mdev_type=V5_2",
            "aggregation=2 capacity=?",
            vec![one_of("capacity", &["1/4"], None)],
            Incompatible,
            "capacity.not-one-of capacity.accepted-by-target mdev_type.more-capacity",
        ),
    ]
}

/// Name, source, target, what it accepts, and what comes of it.
type Case<'a> = (&'a str, &'a str, &'a str, Vec<Accept>, Outcome, &'a str);

#[test]
fn what_the_target_accepts() {
    let listed = || one_of("pci_id", &["8086:591d", "8086:5912"], Some("1.4.0"));
    let broadwell = |ids: &[&str]| {
        vec![
            one_of("mdev_type", &["V4_2", "V5_2"], Some("1.4.0")),
            one_of("platform", &["bdw", "skl"], Some("1.4.0")),
            one_of("pci_id", ids, Some("1.4.0")),
        ]
    };
    let of_gen8 = "mdev_type=V4_2 platform=bdw pci_id=8086:1616";
    let of_gen9 = "mdev_type=V5_2 platform=skl driver_version=1.4.0";
    let in_force = "mdev_type.accepted-by-target platform.accepted-by-target pci_id.accepted-by-target";
    let rows: Vec<Case<'_>> = vec![
        ("listed", "pci_id=8086:5912", "driver_version=1.4.0", vec![listed()], Compatible, "pci_id.accepted-by-target"),
        (
            "listed, and the driver is newer",
            "pci_id=8086:5912",
            "driver_version=1.5.1",
            vec![listed()],
            Compatible,
            "pci_id.accepted-by-target",
        ),
        (
            "the driver is older",
            "pci_id=8086:5912",
            "driver_version=1.3.9",
            vec![listed()],
            Incompatible,
            "pci_id.not-equal pci_id.accept-out-of-scope",
        ),
        (
            "the driver is not stated",
            "pci_id=8086:5912",
            "",
            vec![listed()],
            Incompatible,
            "pci_id.not-equal pci_id.accept-out-of-scope",
        ),
        (
            "taken off the list again",
            "pci_id=8086:5912",
            "driver_version=1.5.0",
            vec![one_of("pci_id", &["8086:591d"], Some("1.4.0"))],
            Incompatible,
            "pci_id.not-one-of pci_id.accepted-by-target",
        ),
        (
            "a list without scope",
            "pci_id=8086:5912",
            "",
            vec![one_of("pci_id", &["8086:591d", "8086:5912"], None)],
            Compatible,
            "pci_id.accepted-by-target",
        ),
        ("Broadwell, published", of_gen8, of_gen9, broadwell(&["8086:1616"]), Compatible, in_force),
        (
            "Broadwell, other memory",
            "mdev_type=V4_2 platform=bdw pci_id=8086:1616 aggregation=2",
            of_gen9,
            broadwell(&["8086:1616"]),
            Incompatible,
            "low_gm_mb.not-equal high_gm_mb.not-equal mdev_type.accepted-by-target platform.accepted-by-target \
             pci_id.accepted-by-target",
        ),
        (
            "a published type that cannot fit",
            "mdev_type=V5_8 aggregation=4 resolution=1920x1200",
            "aggregation=2 driver_version=1.4.0",
            vec![one_of("mdev_type", &["V5_8"], Some("1.4.0"))],
            Incompatible,
            "high_gm_mb.not-equal mdev_type.accepted-by-target",
        ),
        (
            "what the driver checks is not lifted without a scope",
            "mdev_type=V5_8 aggregation=4 resolution=1920x1200",
            "aggregation=2",
            vec![one_of("mdev_type", &["V5_8"], None), one_of("high_gm_mb", &["1536"], None)],
            Incompatible,
            "high_gm_mb.not-equal mdev_type.accepted-by-target high_gm_mb.accept-out-of-scope",
        ),
    ];
    for (name, source, device, accepts, outcome, expected) in rows.into_iter().chain(ignored_types()) {
        let mut target = target(device);
        target.set_accepts(accepts);
        let (found, reports) = told(source, &target);
        assert_eq!((found, ids(&reports).as_str()), (outcome, expected), "{name}");
    }
    assert_eq!(definition("driver_version").id, DRIVER_VERSION);
}

#[test]
fn devices_that_cannot_be() {
    let no_type = "i915-GVTg_V4_N or i915-GVTg_V5_N with N one of 1, 2, 4 and 8";
    let rows = [
        ("mdev_type=V5_16", TargetError::Impossible(MDEV_TYPE, no_type)),
        ("mdev_type=V6_4", TargetError::Impossible(MDEV_TYPE, no_type)),
        ("pv_mode=none+all", TargetError::Impossible(PV_MODE, "a set of none, ppgtt and context")),
        ("low_gm_mb=64", TargetError::Contradiction(MDEV_TYPE, LOW_GM_MB)),
        ("high_gm_mb=513 aggregation=1", TargetError::Contradiction(MDEV_TYPE, HIGH_GM_MB)),
        ("capacity=1/1 aggregation=2", TargetError::Contradiction(MDEV_TYPE, CAPACITY)),
    ];
    for (side, expected) in rows {
        assert_eq!(Target::new(profile(side), &RULES).err(), Some(expected), "{side}");
    }
    for side in ["low_gm_mb=128", "high_gm_mb=1 aggregation=2", "capacity=1/2 aggregation=2", "aggregation=?"] {
        assert!(Target::new(profile(side), &RULES).is_ok(), "{side}");
    }
    check(&[("of a source", "low_gm_mb=64", "", Corrupt, "profile.contradicts-itself low_gm_mb.not-equal")]);
}
