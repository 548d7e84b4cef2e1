//! Pairs of crypto queues. The bytes behind `queue_facilities` are those of the proposed stream's worked example.

extern crate std;

use std::string::ToString;

use super::VENDOR;
use crate::target::{Target, TargetError};
use crate::vendors::tests::Term::{Any, Asserted, Settable};
use crate::vendors::tests::{Case, Pairs};
use crate::verdict::Outcome::{Compatible, Fixable, Incompatible, Unknown};

/// Card 5, domains 4 and 0xab: CCA, native, type 14.
const BASE: &str = "apqns: 05.0004, 05.00ab; control_domains: 0004, 00ab; ap_type: 05.0004=14, 05.00ab=14; \
                    mode: 05.0004=cca, 05.00ab=cca; queue_facilities: 05.0004=0xb2800000, 05.00ab=0xb2800000; \
                    master_keys: 0004=0x1111, 00ab=0x2222";

const PAIRS: Pairs<'_> = Pairs { vendor: &VENDOR, source: BASE, target: BASE };

#[test]
fn queues() {
    const MORE: &str = "apqns: 05.0004, 05.00ab, 06.0004";
    const FEWER: &str = "apqns: 05.0004; control_domains: 0004; ap_type: 05.0004=14; mode: 05.0004=cca; \
                         queue_facilities: 05.0004=0xb2800000; master_keys: 0004=0x1111";
    let cases: &[Case<'_>] = &[
        ("the same", "", "", &[], Compatible, &[]),
        ("one more on the target", "", MORE, &[], Compatible, &["apqns.more-capacity"]),
        ("fewer on the source", FEWER, "", &[], Compatible, &["apqns.more-capacity"]),
        (
            "one that the target lacks",
            "",
            FEWER,
            &[],
            Incompatible,
            &["apqns.not-subset", "control_domains.not-subset", "master_keys.not-subset"],
        ),
        ("another card", "", "apqns: 06.0004, 06.00ab", &[], Incompatible, &["apqns.not-subset"]),
        ("bound and assigned before loading", "", "apqns: 05.0004", &[Settable("apqns")], Fixable, &["apqns.set"]),
        ("not said", "apqns: -", "", &[], Unknown, &["apqns.not-in-profile"]),
        ("fewer domains to control", "", "control_domains: 0004", &[], Incompatible, &["control_domains.not-subset"]),
        ("more domains to control", "control_domains: 0004", "", &[], Compatible, &[]),
        ("no domain to control", "", "control_domains: -", &[], Incompatible, &["control_domains.missing"]),
        ("no domain of the source", "control_domains: -", "", &[], Compatible, &["control_domains.absent"]),
        ("interface of another", "device_api: vfio-ccw", "", &[], Incompatible, &["device_api.not-is"]),
        ("type of another", "", "mdev_type: vfio_ccw-io", &[], Incompatible, &["mdev_type.not-is"]),
    ];
    PAIRS.check(cases);
    let (_, reports) = PAIRS.judged("", "apqns: 05.0004", &[Settable("apqns")]);
    assert_eq!(reports[0].set, Some(("the/knob".to_string(), "{05.0004, 05.00ab}".to_string())));
}

#[test]
fn types_and_modes() {
    let cases: &[Case<'_>] = &[
        ("type 14 into 15", "", "ap_type: 05.0004=15, 05.00ab=15", &[], Compatible, &[]),
        ("type 14 into 13", "", "ap_type: 05.0004=13, 05.00ab=13", &[], Incompatible, &["ap_type.not-at-least"]),
        ("one queue of two", "", "ap_type: 05.0004=14, 05.00ab=13", &[], Incompatible, &["ap_type.not-at-least"]),
        ("as numbers, not as texts", "ap_type: 05.0004=9, 05.00ab=9", "", &[], Compatible, &[]),
        ("no number", "ap_type: 05.0004=CEX8, 05.00ab=14", "", &[], Incompatible, &["ap_type.refused"]),
        (
            "CCA into accelerator",
            "",
            "mode: 05.0004=accelerator, 05.00ab=accelerator; queue_facilities: 05.0004=0xaa800000, 05.00ab=0xaa800000",
            &[],
            Incompatible,
            &["queue_facilities.not-equal", "mode.not-equal"],
        ),
        ("CCA into EP11", "", "mode: 05.0004=cca, 05.00ab=ep11", &[], Incompatible, &["mode.not-equal"]),
        ("a queue that the source says nothing of", "mode: 05.0004=cca", "", &[], Unknown, &["mode.not-in-profile"]),
        (
            "a queue that the target says nothing of",
            "",
            "ap_type: 05.0004=14",
            &[],
            Unknown,
            &["ap_type.not-in-profile"],
        ),
        (
            "the target does not say its queues either",
            "",
            "apqns: -; ap_type: 05.0004=14",
            &[],
            Unknown,
            &["apqns.not-in-profile", "ap_type.not-in-profile"],
        ),
        (
            "what is wrong comes before what is not said",
            "",
            "ap_type: 05.00ab=13",
            &[],
            Incompatible,
            &["ap_type.not-at-least"],
        ),
        ("not said", "", "mode: -", &[], Unknown, &["mode.not-in-profile"]),
        ("not reported", "ap_type: ?", "", &[], Unknown, &["ap_type.not-reported-yet"]),
    ];
    PAIRS.check(cases);
}

#[test]
fn facilities() {
    const NOT: &[&str] = &["queue_facilities.not-equal"];
    let cases: &[Case<'_>] = &[
        (
            "native into not native",
            "",
            "queue_facilities: 05.0004=0xb2000000, 05.00ab=0xb2800000",
            &[],
            Incompatible,
            NOT,
        ),
        (
            "not native into native",
            "queue_facilities: 05.0004=0xb2000000, 05.00ab=0xb2800000",
            "",
            &[],
            Compatible,
            &[],
        ),
        ("a facility less", "", "queue_facilities: 05.0004=0x32800000, 05.00ab=0xb2800000", &[], Incompatible, NOT),
        ("a facility more", "", "queue_facilities: 05.0004=0xf2800000, 05.00ab=0xb2800000", &[], Incompatible, NOT),
        ("the last mode bit", "", "queue_facilities: 05.0004=0xb3800000, 05.00ab=0xb2800000", &[], Incompatible, NOT),
        ("other classes", "", "queue_facilities: 05.0004=0xb2ff0000, 05.00ab=0xb2800000", &[], Compatible, &[]),
        (
            "bit 16 of the target",
            "",
            "queue_facilities: 05.0004=0xb2808000, 05.00ab=0xb2800000",
            &[],
            Incompatible,
            NOT,
        ),
        (
            "bit 17 of the source",
            "queue_facilities: 05.0004=0xb2804000, 05.00ab=0xb2800000",
            "",
            &[],
            Incompatible,
            NOT,
        ),
        ("without 0x", "queue_facilities: 05.0004=b2800000, 05.00ab=B2800000", "", &[], Compatible, &[]),
        (
            "cut",
            "queue_facilities: 05.0004=0xb280, 05.00ab=0xb2800000",
            "",
            &[],
            Incompatible,
            &["queue_facilities.refused"],
        ),
    ];
    PAIRS.check(cases);
}

#[test]
fn master_keys_are_an_administrators_matter() {
    const ASKED: &[&str] = &["master_keys.needs-assertion"];
    let cases: &[Case<'_>] = &[
        ("other keys", "", "master_keys: 0004=0x1111, 00ab=0x3333", &[], Incompatible, &["master_keys.not-subset"]),
        ("keys of more domains", "", "master_keys: 0004=0x1111, 00ab=0x2222, 00ac=0x3", &[], Compatible, &[]),
        ("nobody says", "master_keys: -", "master_keys: -", &[], Unknown, ASKED),
        (
            "nobody says, asserted",
            "master_keys: -",
            "master_keys: -",
            &[Asserted("master_keys", "", "")],
            Compatible,
            &["master_keys.asserted"],
        ),
        (
            "the target does not say, asserted",
            "",
            "master_keys: -",
            &[Asserted("master_keys", "0004=0x1111, 00ab=0x2222", "")],
            Compatible,
            &["master_keys.asserted"],
        ),
        (
            "the target does not say, other keys asserted",
            "",
            "master_keys: -",
            &[Asserted("master_keys", "0004=0x1111", "")],
            Unknown,
            ASKED,
        ),
        (
            "other keys, asserted",
            "",
            "master_keys: 0004=0x9",
            &[Asserted("master_keys", "0004=0x1111, 00ab=0x2222", "0004=0x9")],
            Incompatible,
            &["master_keys.not-subset"],
        ),
        ("accelerators only", "master_keys: none=none", "master_keys: none=none", &[], Compatible, &[]),
        (
            "keys that the target accepts",
            "",
            "master_keys: 0004=0x9",
            &[Any("master_keys")],
            Compatible,
            &["master_keys.accepted-by-target"],
        ),
    ];
    PAIRS.check(cases);
}

#[test]
fn targets_that_cannot_be() {
    let cases = [
        ("apqns: 5.4", "apqns"),
        ("apqns: 05.00AB", "apqns"),
        ("control_domains: 4", "control_domains"),
        ("ap_type: 05.0004=CEX8", "ap_type"),
        ("ap_type: 05=14", "ap_type"),
        ("mode: 05.0004=CCA", "mode"),
        ("queue_facilities: 05.0004=0xb280", "queue_facilities"),
    ];
    for (target, attribute) in cases {
        let profile = PAIRS.profile(BASE, target);
        let Err(TargetError::Impossible(id, _)) = Target::new(profile, VENDOR.rules) else { panic!("{target}") };
        assert_eq!(VENDOR.rules.dictionary.by_name(attribute).map(|definition| definition.id), Some(id), "{target}");
    }
}
