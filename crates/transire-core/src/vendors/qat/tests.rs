//! Pairs of virtual functions. Where the driver was run on the same pair, its answer is named.

extern crate std;

use std::string::ToString;

use super::VENDOR;
use crate::rule::Compare;
use crate::target::{Target, TargetError};
use crate::vendors::tests::Term::{Any, OneOf, Own, Settable};
use crate::vendors::tests::{Case, Pairs};
use crate::verdict::Outcome::{Compatible, Fixable, Incompatible, Unknown};

const BASE: &str = "pci_id: 8086:4941; capabilities: 0x67; service_map: 0x1249; extended_compression: 0x0; \
                    pfvf_version: 4; rate_limits: none=none";

const PAIRS: Pairs<'_> = Pairs { vendor: &VENDOR, source: BASE, target: BASE };

/// Two limits, as in the capture `two-limits`.
const TWO: &str = "rate_limits: asym 0x300=50/50, dc 0xc00=10/1000";

#[test]
fn setup_block() {
    let cases: &[Case<'_>] = &[
        ("the same (driver: ok)", "", "", &[], Compatible, &[]),
        ("more capabilities on the target (driver: ok)", "", "capabilities: 0x80000067", &[], Compatible, &[]),
        ("every capability on the target (driver: ok)", "", "capabilities: 0xffffffff", &[], Compatible, &[]),
        (
            "one capability less (driver: EINVAL)",
            "",
            "capabilities: 0x66",
            &[],
            Incompatible,
            &["capabilities.not-subset"],
        ),
        ("no capability (driver: EINVAL)", "", "capabilities: 0x0", &[], Incompatible, &["capabilities.not-subset"]),
        (
            "only others (driver: EINVAL)",
            "",
            "capabilities: 0xffffff98",
            &[],
            Incompatible,
            &["capabilities.not-subset"],
        ),
        ("none of either (driver: ok)", "capabilities: 0x0", "capabilities: 0x0", &[], Compatible, &[]),
        ("one capability more", "capabilities: 0x6067", "", &[], Incompatible, &["capabilities.not-subset"]),
        ("another map (driver: EINVAL)", "", "service_map: 0x1248", &[], Incompatible, &["service_map.not-equal"]),
        (
            "a bit more in the map (driver: EINVAL)",
            "",
            "service_map: 0x9249",
            &[],
            Incompatible,
            &["service_map.not-equal"],
        ),
        ("an empty map (driver: EINVAL)", "", "service_map: 0x0", &[], Incompatible, &["service_map.not-equal"]),
        ("a map that can be set", "", "service_map: 0x924", &[Settable("service_map")], Fixable, &["service_map.set"]),
        ("more compression (driver: ok)", "", "extended_compression: 0x1", &[], Compatible, &[]),
        (
            "less compression (driver: EINVAL)",
            "extended_compression: 0x1",
            "",
            &[],
            Incompatible,
            &["extended_compression.not-subset"],
        ),
        (
            "all three, in the driver's order",
            "capabilities: 0x37f; service_map: 0x2492; extended_compression: 0x1",
            "",
            &[],
            Incompatible,
            &["capabilities.not-subset", "service_map.not-equal", "extended_compression.not-subset"],
        ),
        ("not said", "capabilities: -", "", &[], Unknown, &["capabilities.not-in-profile"]),
        ("not reported", "", "service_map: ?", &[], Unknown, &["service_map.not-reported-yet"]),
        ("a later stream", "stream_version: 2", "", &[], Incompatible, &["stream_version.not-at-least"]),
        ("version 0 (driver: ok)", "stream_version: 0", "", &[], Compatible, &[]),
        ("a later driver", "", "stream_version: 2", &[], Compatible, &[]),
    ];
    PAIRS.check(cases);
}

#[test]
fn state_block() {
    let cases: &[Case<'_>] = &[
        ("protocol, older", "", "pfvf_version: 5", &[], Compatible, &[]),
        ("protocol, newer (driver: ok)", "pfvf_version: 5", "", &[], Compatible, &["pfvf_version.newer-than-target"]),
        ("protocol, never agreed on (driver: ok)", "pfvf_version: 0", "", &[], Compatible, &["pfvf_version.absent"]),
        ("protocol, not said", "pfvf_version: -", "pfvf_version: -", &[], Compatible, &[]),
        ("protocol, not said by the target", "pfvf_version: 5", "pfvf_version: -", &[], Compatible, &[]),
        ("as many banks", "ring_banks: 4", "", &[], Compatible, &[]),
        ("fewer banks", "ring_banks: 2", "", &[], Incompatible, &["ring_banks.not-equal"]),
        ("more banks", "ring_banks: 8", "", &[], Incompatible, &["ring_banks.not-equal"]),
    ];
    PAIRS.check(cases);
}

#[test]
fn rate_limits() {
    const LACKS: &[&str] = &["rate_limits.not-subset"];
    const BELOW: &[&str] = &["rate_limits.not-at-least"];
    const ONE: &str = "rate_limits: sym 0xf=100/200";
    let cases: &[Case<'_>] = &[
        ("none and none", "", "", &[], Compatible, &[]),
        ("none, and the target does not say", "", "rate_limits: -", &[], Compatible, &[]),
        ("none into one (driver: ok)", "", ONE, &[], Compatible, &[]),
        ("the same (driver: ok)", TWO, TWO, &[], Compatible, &[]),
        ("the other order (driver: ok)", TWO, "rate_limits: dc 0xc00=10/1000, asym 0x300=50/50", &[], Compatible, &[]),
        ("only the first (driver: ok)", "rate_limits: asym 0x300=50/50", TWO, &[], Compatible, &[]),
        ("all four services (driver: ok)", FOUR, FOUR, &[], Compatible, &[]),
        ("a wide mask (driver: ok)", WIDE, WIDE, &[], Compatible, &[]),
        ("higher rates (driver: ok)", TWO, "rate_limits: asym 0x300=51/51, dc 0xc00=11/1001", &[], Compatible, &[]),
        ("a lower rate of the source (driver: ok)", "rate_limits: asym 0x300=49/0", TWO, &[], Compatible, &[]),
        (
            "lower peaks (driver: EINVAL)",
            TWO,
            "rate_limits: asym 0x300=50/49, dc 0xc00=10/999",
            &[],
            Incompatible,
            BELOW,
        ),
        ("a higher committed rate (driver: EINVAL)", "rate_limits: asym 0x300=51/50", TWO, &[], Incompatible, BELOW),
        ("a higher peak (driver: EINVAL)", "rate_limits: dc 0xc00=10/1001", TWO, &[], Incompatible, BELOW),
        ("none there (driver: EINVAL)", TWO, "", &[], Incompatible, LACKS),
        ("none said there (driver: EINVAL)", TWO, "rate_limits: -", &[], Incompatible, LACKS),
        ("only one there (driver: EINVAL)", TWO, "rate_limits: asym 0x300=50/50", &[], Incompatible, LACKS),
        ("another service (driver: EINVAL)", "rate_limits: sym 0x300=50/50", TWO, &[], Incompatible, LACKS),
        ("another mask (driver: EINVAL)", "rate_limits: asym 0x3000=50/50", TWO, &[], Incompatible, LACKS),
        ("a part of the mask (driver: EINVAL)", "rate_limits: asym 0x100=50/50", TWO, &[], Incompatible, LACKS),
        ("one more (driver: EINVAL)", "rate_limits: asym 0x300=50/50, sym 0x300=1/1", TWO, &[], Incompatible, LACKS),
        ("a lack comes before a low rate", "rate_limits: asym 0x300=99/99, sym 0x1=1/1", TWO, &[], Incompatible, LACKS),
        ("a mask written at length", "rate_limits: asym 0x0300=50/50", TWO, &[], Compatible, &[]),
        ("no limit at all", "rate_limits: asym=50", TWO, &[], Incompatible, &["rate_limits.refused"]),
        ("a rate of 33 bits", "rate_limits: asym 0x300=4294967296/1", TWO, &[], Incompatible, &["rate_limits.refused"]),
        ("a rate with a sign", "rate_limits: asym 0x300=+50/1", TWO, &[], Incompatible, &["rate_limits.refused"]),
        ("a mask with a sign", "rate_limits: asym 0x+300=50/1", TWO, &[], Incompatible, &["rate_limits.refused"]),
        (
            "a target that does not say has none, also for a rule of its own",
            "",
            "rate_limits: -; driver_version: 6.12.95",
            &[Own("rate_limits", Compare::Subset, Some("6.12"))],
            Compatible,
            &["rate_limits.accepted-by-target"],
        ),
        ("not said", "rate_limits: -", "", &[], Unknown, &["rate_limits.not-in-profile"]),
        ("not reported", "", "rate_limits: ?", &[], Unknown, &["rate_limits.not-reported-yet"]),
        ("can be made there", TWO, "", &[Settable("rate_limits")], Fixable, &["rate_limits.set"]),
    ];
    PAIRS.check(cases);
    let (_, reports) = PAIRS.judged(TWO, "", &[Settable("rate_limits")]);
    let expected = ("the/knob".to_string(), "{asym 0x300=50/50, dc 0xc00=10/1000}".to_string());
    assert_eq!(reports[0].set, Some(expected));
}

const FOUR: &str = "rate_limits: asym 0x1000=1/2, sym 0x2000=3/4, dc 0x4000=5/6, decomp 0x8000=4294967295/4294967295";
const WIDE: &str = "rate_limits: dc 0xf000000000000000=7/9";

#[test]
fn devices() {
    const OTHER: &str = "pci_id: 8086:4943";
    const NOT: &[&str] = &["pci_id.not-equal"];
    const TAKEN: &[&str] = &["pci_id.accepted-by-target"];
    const LISTED: &[&str] = &["8086:4941", "8086:4943"];
    let cases: &[Case<'_>] = &[
        ("4xxx into 401xx", "", OTHER, &[], Incompatible, NOT),
        ("401xx into 4xxx", OTHER, "", &[], Incompatible, NOT),
        ("4xxx into 6xxx, which has the same stream", "", "pci_id: 8086:4949", &[], Incompatible, NOT),
        ("listed by the target", "", OTHER, &[OneOf("pci_id", LISTED, None)], Compatible, TAKEN),
        (
            "not listed by the target",
            "pci_id: 8086:4945",
            OTHER,
            &[OneOf("pci_id", LISTED, None)],
            Incompatible,
            &["pci_id.not-one-of", "pci_id.accepted-by-target"],
        ),
        (
            "listed from a version of the driver on",
            "",
            "pci_id: 8086:4943; driver_version: 7.1.0",
            &[OneOf("pci_id", LISTED, Some("7.1"))],
            Compatible,
            TAKEN,
        ),
        (
            "listed, and the target's driver is older",
            "",
            "pci_id: 8086:4943; driver_version: 7.0.9",
            &[OneOf("pci_id", LISTED, Some("7.1"))],
            Incompatible,
            &["pci_id.not-equal", "pci_id.accept-out-of-scope"],
        ),
        (
            "the driver's own check stays",
            "capabilities: 0x6f",
            "",
            &[Any("capabilities")],
            Incompatible,
            &["capabilities.not-subset", "capabilities.accept-out-of-scope"],
        ),
        ("not said", "pci_id: -", "", &[], Unknown, &["pci_id.not-in-profile"]),
        ("another interface", "device_api: vfio-ap", "", &[], Incompatible, &["device_api.not-is"]),
        ("the interface said", "device_api: vfio-pci", "device_api: vfio-pci", &[], Compatible, &[]),
    ];
    PAIRS.check(cases);
}

#[test]
fn targets_that_cannot_be() {
    let cases = [
        ("a physical function", "pci_id: 8086:4940", "pci_id"),
        ("a limit of no service", "rate_limits: aes 0xf=1/2", "rate_limits"),
        ("a limit without rates", "rate_limits: sym 0xf=1", "rate_limits"),
    ];
    for (name, target, attribute) in cases {
        let profile = PAIRS.profile(BASE, target);
        let Err(TargetError::Impossible(id, _)) = Target::new(profile, VENDOR.rules) else { panic!("{name}") };
        assert_eq!(VENDOR.rules.dictionary.by_name(attribute).map(|definition| definition.id), Some(id), "{name}");
    }
}
