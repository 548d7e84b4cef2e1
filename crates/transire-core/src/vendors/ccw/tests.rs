//! Pairs of subchannels.

use super::VENDOR;
use crate::target::{Target, TargetError};
use crate::vendors::tests::Term::{Any, Asserted, Expired, OneOf, Settable};
use crate::vendors::tests::{Case, Pairs};
use crate::verdict::Outcome::{Compatible, Fixable, Incompatible, Unknown};

/// An ECKD disk as a host sees it before vfio-ccw is bound.
const DISK: &str = "subchannel_type: 0; chpid_type: 1a; cu_type: 3990; cu_model: e9; dev_type: 3390; dev_model: 0c; \
                    volume_uid: A; availability: good";

const PAIRS: Pairs<'_> = Pairs { vendor: &VENDOR, source: DISK, target: DISK };

/// The same while vfio-ccw is bound: what sysfs still has.
const BOUND: Pairs<'_> = Pairs {
    vendor: &VENDOR,
    source: "subchannel_type: 0; chpid_type: 1a",
    target: "subchannel_type: 0; chpid_type: 1a; availability: good",
};

#[test]
fn known_devices() {
    let cases: &[Case<'_>] = &[
        ("the same", "", "", &[], Compatible, &[]),
        (
            "other paths",
            "chpids: 10 11 00 00 00 00 00 00; chpid_mask: 0xc0; path_count: 2; subchannel: 0.0.0313",
            "chpids: 40 41 00 00 00 00 00 00; chpid_mask: 0xf0; path_count: 4; subchannel: 0.0.0072",
            &[],
            Compatible,
            &[],
        ),
        ("paths that only one side says", "chpids: 10 11 00 00 00 00 00 00", "", &[], Compatible, &[]),
        ("another type of path", "", "chpid_type: 1b", &[], Incompatible, &["chpid_type.not-equal"]),
        ("another type of subchannel", "", "subchannel_type: 1", &[], Incompatible, &["subchannel_type.not-equal"]),
        ("another model of device", "", "dev_model: 0a", &[], Incompatible, &["dev_model.not-equal"]),
        ("another type of device", "", "dev_type: 3380", &[], Incompatible, &["dev_type.not-equal"]),
        ("another control unit", "", "cu_type: 2105", &[], Incompatible, &["cu_type.not-equal"]),
        ("another model of control unit", "", "cu_model: ec", &[], Incompatible, &["cu_model.not-equal"]),
        ("another volume", "", "volume_uid: B", &[], Incompatible, &["volume_uid.not-equal"]),
        (
            "a copy of the volume, which the target accepts",
            "",
            "volume_uid: B",
            &[Any("volume_uid")],
            Compatible,
            &["volume_uid.accepted-by-target"],
        ),
        ("interface of another", "", "device_api: vfio-pci", &[], Incompatible, &["device_api.not-is"]),
        ("type of another", "mdev_type: vfio_ap-passthrough", "", &[], Incompatible, &["mdev_type.not-is"]),
        ("a later minor version", "software_version: 1.0.0", "software_version: 1.1.0", &[], Compatible, &[]),
        (
            "an older minor version",
            "software_version: 1.1.0",
            "software_version: 1.0.9",
            &[],
            Incompatible,
            &["software_version.version"],
        ),
        (
            "a later major version",
            "software_version: 1.1.0",
            "software_version: 2.1.0",
            &[],
            Incompatible,
            &["software_version.version"],
        ),
    ];
    PAIRS.check(cases);
}

#[test]
fn availability_is_the_targets_matter() {
    const NOT: &[&str] = &["availability.not-is"];
    let cases: &[Case<'_>] = &[
        ("boxed", "", "availability: boxed", &[], Incompatible, NOT),
        ("no path", "", "availability: no path", &[], Incompatible, NOT),
        ("no device", "", "availability: no device", &[], Incompatible, NOT),
        ("both boxed", "availability: boxed", "availability: boxed", &[], Incompatible, NOT),
        ("the source has lost its paths", "availability: no path", "", &[], Compatible, &[]),
        ("the source does not say", "availability: -", "", &[], Compatible, &[]),
        ("the source has not reported it", "availability: ?", "", &[], Compatible, &[]),
        ("the source does not say, boxed", "availability: -", "availability: boxed", &[], Incompatible, NOT),
        (
            "a rule of the target's own is asked of the source",
            "availability: no path",
            "",
            &[OneOf("availability", &["good", "boxed"], None)],
            Incompatible,
            &["availability.not-one-of", "availability.accepted-by-target"],
        ),
        (
            "a rule of the target's own, and a source that does not say",
            "availability: -",
            "availability: boxed",
            &[OneOf("availability", &["good", "boxed"], None)],
            Compatible,
            &["availability.accepted-by-target"],
        ),
        ("the target does not say", "", "availability: -", &[], Unknown, &["availability.not-in-profile"]),
        ("the target has not reported it", "", "availability: ?", &[], Unknown, &["availability.not-reported-yet"]),
        (
            "boxed, and can be freed",
            "",
            "availability: boxed",
            &[Settable("availability")],
            Fixable,
            &["availability.set"],
        ),
        (
            "asserted all the same",
            "",
            "availability: boxed",
            &[Asserted("availability", "good", "boxed")],
            Incompatible,
            NOT,
        ),
    ];
    PAIRS.check(cases);
    let (_, reports) = PAIRS.judged("availability: -", "availability: boxed", &[]);
    assert_eq!(reports[0].required.as_deref(), Some("good on both sides, where the target has boxed"));
}

#[test]
fn nothing_is_known_until_an_administrator_asserts_it() {
    const ASKED: &[&str] = &[
        "cu_type.needs-assertion",
        "cu_model.needs-assertion",
        "dev_type.needs-assertion",
        "dev_model.needs-assertion",
        "volume_uid.needs-assertion",
    ];
    const ASSERTED: &[&str] =
        &["cu_type.asserted", "cu_model.asserted", "dev_type.asserted", "dev_model.asserted", "volume_uid.asserted"];
    let all = [
        Asserted("cu_type", "", ""),
        Asserted("cu_model", "", ""),
        Asserted("dev_type", "", ""),
        Asserted("dev_model", "", ""),
        Asserted("volume_uid", "", ""),
    ];
    let cases: &[Case<'_>] = &[
        ("nothing is asserted", "", "", &[], Unknown, ASKED),
        ("all of it is", "", "", &all, Compatible, ASSERTED),
        (
            "all but the volume",
            "",
            "",
            &all[..4],
            Unknown,
            &[
                "volume_uid.needs-assertion",
                "cu_type.asserted",
                "cu_model.asserted",
                "dev_type.asserted",
                "dev_model.asserted",
            ],
        ),
        (
            "all of it, and a path of another type",
            "",
            "chpid_type: 1b",
            &all,
            Incompatible,
            &[
                "chpid_type.not-equal",
                "cu_type.asserted",
                "cu_model.asserted",
                "dev_type.asserted",
                "dev_model.asserted",
                "volume_uid.asserted",
            ],
        ),
        (
            "not even the paths are known",
            "chpid_type: -; subchannel_type: -",
            "",
            &all,
            Unknown,
            &[
                "subchannel_type.not-in-profile",
                "chpid_type.not-in-profile",
                "cu_type.asserted",
                "cu_model.asserted",
                "dev_type.asserted",
                "dev_model.asserted",
                "volume_uid.asserted",
            ],
        ),
    ];
    BOUND.check(cases);
}

#[test]
fn an_assertion_fits_only_the_values_that_it_names() {
    const ASKED: &[&str] = &["volume_uid.needs-assertion"];
    const OK: &[&str] = &["volume_uid.asserted"];
    let uid = |source, target| Asserted("volume_uid", source, target);
    let cases: &[Case<'_>] = &[
        ("the target does not say", "", "volume_uid: -", &[], Unknown, ASKED),
        ("asserted", "", "volume_uid: -", &[uid("A", "")], Compatible, OK),
        ("has not reported, asserted", "", "volume_uid: ?", &[uid("A", "")], Compatible, OK),
        ("asserted of another volume", "volume_uid: B", "volume_uid: -", &[uid("A", "")], Unknown, ASKED),
        ("asserted of a source that does not say", "", "volume_uid: -", &[uid("", "")], Unknown, ASKED),
        ("asserted the other way round", "", "volume_uid: -", &[uid("", "A")], Unknown, ASKED),
        ("the source does not say", "volume_uid: -", "", &[uid("", "A")], Compatible, OK),
        ("of another attribute", "", "volume_uid: -", &[Asserted("dev_type", "A", "")], Unknown, ASKED),
        (
            "out of date",
            "",
            "volume_uid: -",
            &[Expired("volume_uid", "A", "")],
            Unknown,
            &["volume_uid.needs-assertion", "volume_uid.assertion-expired"],
        ),
        (
            "out of date, and renewed",
            "",
            "volume_uid: -",
            &[Expired("volume_uid", "A", ""), uid("A", "")],
            Compatible,
            &["volume_uid.assertion-expired", "volume_uid.asserted"],
        ),
    ];
    PAIRS.check(cases);
}

#[test]
fn no_assertion_lifts_a_failure() {
    let cases: &[Case<'_>] = &[
        (
            "another volume",
            "",
            "volume_uid: B",
            &[Asserted("volume_uid", "A", "B")],
            Incompatible,
            &["volume_uid.not-equal"],
        ),
        (
            "another device",
            "",
            "dev_model: 0a",
            &[Asserted("dev_model", "0c", "0a")],
            Incompatible,
            &["dev_model.not-equal"],
        ),
        (
            "another path",
            "",
            "chpid_type: 1b",
            &[Asserted("chpid_type", "1a", "1b")],
            Incompatible,
            &["chpid_type.not-equal"],
        ),
    ];
    PAIRS.check(cases);
}

#[test]
fn targets_that_cannot_be() {
    let cases = [
        ("cu_type: 0x3990", "cu_type"),
        ("dev_type: 339O", "dev_type"),
        ("dev_model: 0C", "dev_model"),
        ("cu_model: e", "cu_model"),
        ("chpid_type: 0x1a", "chpid_type"),
        ("availability: fine", "availability"),
    ];
    for (target, attribute) in cases {
        let profile = PAIRS.profile(DISK, target);
        let Err(TargetError::Impossible(id, _)) = Target::new(profile, VENDOR.rules) else { panic!("{target}") };
        assert_eq!(VENDOR.rules.dictionary.by_name(attribute).map(|definition| definition.id), Some(id), "{target}");
    }
}
