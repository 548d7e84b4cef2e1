//! The forms of 2019 and 2020: what is read, what is refused and where, and what comes of old pairs.

use proptest::prelude::{ProptestConfig, proptest};
use transire_core::attribute::{Attributes, OwnedValue, Value};
use transire_core::format::Registry;
use transire_core::judge::judge;
use transire_core::profile::Profile;
use transire_core::report::reports;
use transire_core::target::Target;
use transire_core::vendors::{VENDORS, gvt_g, mtty};
use transire_core::verdict::{Outcome, Verdict};
use transire_text::history::{COMBINATIONS_MAX, PAGE_MAX};
use transire_text::{
    ErrorKind, expand_compatible, load_profile, profile_from_migration_version, profile_from_self, profile_to_line,
    targets_from_compatible,
};

const SELF: &str =
    "device_type=vfio_pci\nmdev_type=i915-GVTg_V5_2\ndevice_id=8086591d\naggregator=1\nsoftware_version=1.0.0\n";
const COMPATIBLE: &str = "device_type=vfio_pci\nmdev_type=i915-GVTg_V5_{val1:int:2,4,8}\ndevice_id=8086591d\n\
                          aggregator={val1}/2\nsoftware_version=1.0.0\n";

/// A registry that knows nothing of GVT-g.
static WITHOUT: Registry = Registry(&[&mtty::VENDOR]);

/// The attributes of a profile in one line, `vendor` left out.
fn shown(profile: &Profile) -> String {
    let dictionary = profile.dictionary();
    let stated = dictionary.definitions().skip(1).filter_map(|row| Some((row.name, profile.value(row.id)?)));
    stated.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn judged(source: &Profile, target: &Target) -> (Outcome, String) {
    let mut verdict = Verdict::new();
    judge(source, target, None, &mut verdict);
    let ids: Vec<String> = reports(&verdict, Some(source), Some(target)).into_iter().map(|report| report.id).collect();
    (verdict.outcome(), ids.join(" "))
}

#[test]
fn migration_versions() {
    let rows = [
        ("8086-5912-GVTg_V5_8-00000001", "pci_id=8086:5912 mdev_type=i915-GVTg_V5_8 software_version=1.0.0"),
        ("8086-5912-GVTg_V5_8-00000001\n", "pci_id=8086:5912 mdev_type=i915-GVTg_V5_8 software_version=1.0.0"),
        ("8086-1616-GVTg_V4_2-fffffffe", "pci_id=8086:1616 mdev_type=i915-GVTg_V4_2 software_version=4294967294.0.0"),
        (
            "i915-v1-8086-591d-i915-GVTg_V5_8-1",
            "pci_id=8086:591d driver=i915 mdev_type=i915-GVTg_V5_8 aggregation=1 software_version=1.0.0",
        ),
        (
            "i915-v0-8086-591d-i915-GVTg_V5_4-18446744073709551615\n",
            "pci_id=8086:591d driver=i915 mdev_type=i915-GVTg_V5_4 aggregation=18446744073709551615 \
             software_version=0.0.0",
        ),
    ];
    for (text, expected) in rows {
        let profile = profile_from_migration_version(text, VENDORS).unwrap();
        assert_eq!(profile.vendor(), "gvt-g");
        assert_eq!(shown(&profile), expected, "{text:?}");
        let line = profile_to_line(&profile);
        assert_eq!(load_profile(line.as_bytes(), VENDORS).unwrap(), profile, "the modern form holds the same");
    }
}

#[test]
fn what_is_no_migration_version() {
    use ErrorKind::{Limit, Line};
    let page = "x".repeat(PAGE_MAX + 1);
    let rows: Vec<(&str, ErrorKind, u64)> = vec![
        ("", Line, 0),
        ("\n", Line, 0),
        ("8086", Line, 4),
        ("8086-5912", Line, 9),
        ("8086-5912-", Line, 10),
        ("8086-5912-GVTg_V5_8", Line, 19),
        ("8086-5912-GVTg_V5_8-", Line, 20),
        ("8086-5912-GVTg_V5_8-0000001", Line, 27),
        ("8086-5912-GVTg_V5_8-000000001", Line, 28),
        ("8086-5912-GVTg_V5_8-0000000g", Line, 27),
        ("8086-5912-GVTg_V5_8-0000000A", Line, 27),
        ("8086-5912-GVTg_V5_8-00000001\n\n", Line, 28),
        ("8086-5912-GVTg_V5_8-00000001\r\n", Line, 28),
        ("8086-5912-GVTg_V5_8-00000001 ", Line, 28),
        ("8086-5912-GVTg_V5_8-0x000001", Line, 21),
        ("8086-5912-GVTg_V5_8-ffffffff", Line, 20),
        (" 8086-5912-GVTg_V5_8-00000001", Line, 0),
        ("808-5912-GVTg_V5_8-00000001", Line, 3),
        ("80866-5912-GVTg_V5_8-00000001", Line, 4),
        ("8o86-5912-GVTg_V5_8-00000001", Line, 1),
        ("8086-591D-GVTg_V5_8-00000001", Line, 8),
        ("8086-59é2-GVTg_V5_8-00000001", Line, 7),
        ("8086-5912--00000001", Line, 10),
        ("8086-5912-GVTg_V5_3-00000001", Line, 10),
        ("8086-5912-GVTg_V6_8-00000001", Line, 10),
        ("8086-5912-GVTg-V5_8-00000001", Line, 10),
        ("8086-5912-i915-GVTg_V5_8-00000001", Line, 10),
        // 15 characters fit and are no type; the 16th is one too many, whatever the type.
        ("8086-5912-GVTg_V5_8901234-00000001", Line, 10),
        ("8086-5912-GVTg_V5_89012345-00000001", Line, 25),
        ("8086-5912-GVTg_V5_890123456789-00000001", Line, 25),
        ("8086-5912-éééééééééééééééé-00000001", Line, 40),
        (&page, Limit, 4096),
        ("i915", Line, 4),
        ("i915-v1", Line, 7),
        ("i915x-v1-8086-591d-i915-GVTg_V5_8-1", Line, 0),
        ("i915-1-8086-591d-i915-GVTg_V5_8-1", Line, 5),
        ("i915-v-8086-591d-i915-GVTg_V5_8-1", Line, 6),
        ("i915-v01-8086-591d-i915-GVTg_V5_8-1", Line, 6),
        ("i915-v1x-8086-591d-i915-GVTg_V5_8-1", Line, 7),
        ("i915-v4294967296-8086-591d-i915-GVTg_V5_8-1", Line, 6),
        ("i915-v1-8086", Line, 12),
        ("i915-v1-8086-591d", Line, 17),
        ("i915-v1-8086-591d-", Line, 18),
        ("i915-v1-8086-59-i915-GVTg_V5_8-1", Line, 15),
        ("i915-v1-8086-591d-i915", Line, 22),
        ("i915-v1-8086-591d-GVTg_V5_8-1", Line, 18),
        ("i915-v1-8086-591d-i915-GVTg_V5_8", Line, 18),
        ("i915-v1-8086-591d-i915-GVTg_V5_8-", Line, 33),
        ("i915-v1-8086-591d-i915-GVTg_V5_8-0", Line, 33),
        ("i915-v1-8086-591d-i915-GVTg_V5_8-01", Line, 33),
        ("i915-v1-8086-591d-i915-GVTg_V5_8-+1", Line, 33),
        ("i915-v1-8086-591d-i915-GVTg_V5_8-1x", Line, 34),
        ("i915-v1-8086-591d-i915-GVTg_V5_8-18446744073709551616", Line, 33),
        ("i915-v1-8086-591d-i915-GVTg_V5_8-1\n\n", Line, 34),
    ];
    for (text, kind, offset) in rows {
        let error = profile_from_migration_version(text, VENDORS).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, Some(offset)), "{text:?}: {error}");
    }
    let error = profile_from_migration_version("8086-5912-GVTg_V5_8-00000001", WITHOUT).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownVendor);
}

#[test]
fn migration_versions_are_compared_as_they_were() {
    let source = "8086-5912-GVTg_V5_8-00000001";
    for (target, outcome, ids) in [
        (source, Outcome::Compatible, "image_generation.absent"),
        ("8086-591d-GVTg_V5_8-00000001", Outcome::Incompatible, "pci_id.not-equal image_generation.absent"),
        ("8086-5912-GVTg_V5_8-00000002", Outcome::Incompatible, "software_version.version image_generation.absent"),
        (
            "8086-5912-GVTg_V5_4-00000001",
            Outcome::Incompatible,
            "mdev_type.not-same-capacity low_gm_mb.not-equal high_gm_mb.not-equal resolution.not-equal \
             image_generation.absent",
        ),
        ("i915-v1-8086-5912-i915-GVTg_V5_8-1", Outcome::Compatible, "image_generation.absent"),
        (
            "i915-v1-8086-5912-i915-GVTg_V5_8-2",
            Outcome::Incompatible,
            "mdev_type.not-same-capacity image_generation.absent",
        ),
    ] {
        let profile = |text| profile_from_migration_version(text, VENDORS).unwrap();
        let device = Target::new(profile(target), &gvt_g::RULES).unwrap();
        assert_eq!(judged(&profile(source), &device), (outcome, ids.to_owned()), "{target}");
    }
}

#[test]
fn a_self_is_a_profile() {
    let rows = [
        (
            SELF,
            "gvt-g",
            "device_api=vfio-pci pci_id=8086:591d mdev_type=i915-GVTg_V5_2 aggregation=1 software_version=1.0.0",
        ),
        ("mdev_type=i915-GVTg_V5_2", "gvt-g", "mdev_type=i915-GVTg_V5_2"),
        (
            "\n\npv_mode=none+ppgtt\nmdev_type=i915-GVTg_V5_2\n\n",
            "gvt-g",
            "mdev_type=i915-GVTg_V5_2 pv_mode={none, ppgtt}",
        ),
        (
            "device_api=vfio-pci\npci_id=8086:1457\nsoftware_version=1.2\nremote_url=nvme+tcp://stor1/a=b",
            "nvme",
            "device_api=vfio-pci pci_id=8086:1457 software_version=1.2.0 remote_url=nvme+tcp://stor1/a=b",
        ),
    ];
    for (text, vendor, expected) in rows {
        let profile = profile_from_self(text, VENDORS).unwrap();
        assert_eq!((profile.vendor(), shown(&profile).as_str()), (vendor, expected), "{text}");
    }
}

#[test]
fn what_is_no_self() {
    use ErrorKind::{BadValue, DuplicateKey, Limit, MissingKey, Syntax, UnknownKey};
    let page = format!("mdev_type={}", "x".repeat(PAGE_MAX));
    let rows: Vec<(&str, ErrorKind, u32, u32)> = vec![
        ("", MissingKey, 1, 1),
        ("aggregator=1", MissingKey, 1, 1),
        ("mdev_type=mtty-2", MissingKey, 1, 1),
        ("mdev_type", Syntax, 1, 1),
        ("aggregator=1\n mdev_type", Syntax, 2, 1),
        ("mdev_type=", BadValue, 1, 11),
        ("=x", UnknownKey, 1, 1),
        ("aggregator=1\ncolour=red", UnknownKey, 2, 1),
        (" mdev_type=i915-GVTg_V5_2", UnknownKey, 1, 1),
        ("mdev_type=i915-GVTg_V5_2\nmdev_type=i915-GVTg_V5_2", DuplicateKey, 2, 1),
        ("pci_id=8086591d\ndevice_id=8086591d", DuplicateKey, 2, 1),
        ("mdev_type=i915-GVTg_V5_{val1:int:2}", Syntax, 1, 24),
        ("mdev_type=i915-GVTg_V5_2}", Syntax, 1, 25),
        ("mdev_type=i915-GVTg_V5_2\naggregator=0", BadValue, 2, 12),
        ("mdev_type=i915-GVTg_V5_2\naggregator=two", BadValue, 2, 12),
        ("mdev_type=i915-GVTg_V5_2\naggregator=1 ", BadValue, 2, 12),
        ("mdev_type=i915-GVTg_V5_2\ndevice_id=8086591", BadValue, 2, 11),
        ("mdev_type=i915-GVTg_V5_2\ndevice_id=8086é591d", BadValue, 2, 11),
        ("mdev_type=i915-GVTg_V5_2\ndevice_id=80é6591", BadValue, 2, 11),
        ("mdev_type=i915-GVTg_V5_2\nsoftware_version=1.0.0.0", BadValue, 2, 18),
        ("mdev_type=i915-GVTg_V5_2\npv_mode=none++ppgtt", BadValue, 2, 9),
        ("mdev_type=i915-GVTg_V5_2\npv_mode=none+none", BadValue, 2, 9),
        ("mdev_type=i915-GVTg_V5_2\nremote_url=nvme+tcp://stor1", UnknownKey, 2, 12),
        ("mdev_type=i915-GVTg_V5_2\r\naggregator=1", BadValue, 1, 11),
        (&page, Limit, 1, 4097),
    ];
    for (text, kind, line, column) in rows {
        let error = profile_from_self(text, VENDORS).unwrap_err();
        assert_eq!((error.kind, error.line, error.column), (kind, Some(line), Some(column)), "{text:?}: {error}");
    }
}

/// The members, fields in one line.
fn expanded(text: &str) -> Vec<String> {
    let fields = |member: &transire_text::history::Member| {
        member.fields.iter().map(|field| format!("{}={}", field.key, field.value)).collect::<Vec<_>>().join(" ")
    };
    expand_compatible(text).unwrap().members.iter().map(fields).collect()
}

#[test]
fn templates() {
    let rows: Vec<(&str, Vec<&str>)> = vec![
        ("", vec![""]),
        ("aggregator=1", vec!["aggregator=1"]),
        ("aggregator={a:int:0,18446744073709551615}", vec!["aggregator=0", "aggregator=18446744073709551615"]),
        ("aggregator={a:int:2}{a}", vec!["aggregator=22"]),
        ("aggregator={a:int:2}{a}/2{a}*3{a}", vec!["aggregator=2162"]),
        ("remote_url={a:string:\"x\",\"\",\"},{\"}/y", vec!["remote_url=x/y", "remote_url=/y", "remote_url=},{/y"]),
        ("remote_url={host:string:\"a\"}/b\npci_id={host}/b/{host}", vec!["remote_url=a/b pci_id=a/b/a"]),
        ("aggregator={a:int:4}\npci_id={a}/x{a}*", vec!["aggregator=4 pci_id=4/x4*"]),
        (
            "aggregator={a:int:1,2}\npv_mode={b_2:string:\"x\",\"y\"}{a}",
            vec![
                "aggregator=1 pv_mode=x1",
                "aggregator=1 pv_mode=y1",
                "aggregator=2 pv_mode=x2",
                "aggregator=2 pv_mode=y2",
            ],
        ),
        (
            "mdev_type=i915-GVTg_V5_{val1:int:2,4,8}\naggregator={val1}/2\n",
            vec![
                "mdev_type=i915-GVTg_V5_2 aggregator=1",
                "mdev_type=i915-GVTg_V5_4 aggregator=2",
                "mdev_type=i915-GVTg_V5_8 aggregator=4",
            ],
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(expanded(text), expected, "{text}");
    }
}

#[test]
fn a_remainder_drops_its_member() {
    let text = "mdev_type=i915-GVTg_V5_{val1:int:1,2,4,8}\naggregator={val1}/2\n";
    let expansion = expand_compatible(text).unwrap();
    assert_eq!((expansion.members.len(), expansion.dropped.len()), (3, 1));
    let dropped = &expansion.dropped[0];
    assert_eq!(dropped.message, "val1=1: aggregator: 1/2 is no whole number");
    assert_eq!((dropped.at.line, dropped.at.column), (2, 12));
    let large = "mdev_type={a:string:\"x\"}\naggregator={b:int:9223372036854775808}\npci_id=x{b}*2";
    let expansion = expand_compatible(large).unwrap();
    assert_eq!(expansion.members, []);
    assert_eq!(
        expansion.dropped[0].message,
        "a=\"x\", b=9223372036854775808: pci_id: 9223372036854775808*2 is not below 2^64"
    );
}

#[test]
fn what_is_no_template() {
    use ErrorKind::{BadValue, DuplicateKey, Limit, Syntax, UnknownKey};
    let list = |count: usize| vec!["1"; count].join(",");
    let most = format!("aggregator={{a:int:{}}}{{b:int:{}}}", list(64), list(64));
    assert_eq!(expand_compatible(&most).unwrap().members.len(), COMBINATIONS_MAX);
    let one_more = format!("aggregator={{a:int:{}}}{{b:int:{}}}", list(64), list(65));
    let overflow =
        format!("aggregator={}", (10..99).map(|at| ["{a", &at.to_string(), ":int:1,2}"].concat()).collect::<String>());
    let bomb = format!("remote_url={{a:string:\"{}\"}}{}", "x".repeat(1000), "{a}".repeat(900));
    let rows: Vec<(&str, ErrorKind, u32, u32)> = vec![
        ("aggregator={val1:int:}", BadValue, 1, 22),
        ("aggregator={val1:string:}", BadValue, 1, 25),
        ("aggregator={val1:int:2,x}", BadValue, 1, 24),
        ("aggregator={val1:int:2,}", BadValue, 1, 24),
        ("aggregator={val1:int:,2}", BadValue, 1, 22),
        ("aggregator={val1:int:02}", BadValue, 1, 22),
        ("aggregator={val1:int:-2}", BadValue, 1, 22),
        ("aggregator={val1:int: 2}", BadValue, 1, 22),
        ("aggregator={val1:int:18446744073709551616}", BadValue, 1, 22),
        ("aggregator={val1:int:2x}", Syntax, 1, 23),
        ("aggregator={val1:int:2;4}", Syntax, 1, 23),
        ("aggregator={val1:int:2", Syntax, 1, 23),
        ("aggregator={val1:int:2\n}", Syntax, 2, 1),
        ("aggregator={val1:int", Syntax, 1, 21),
        ("aggregator={val1:int}", Syntax, 1, 21),
        ("aggregator={val1:float:2}", BadValue, 1, 18),
        ("aggregator={val1::2}", BadValue, 1, 18),
        ("aggregator={val1:string:a}", Syntax, 1, 25),
        ("aggregator={val1:string:\"a}", Syntax, 1, 28),
        ("aggregator={val1:string:\"é\"x}", Syntax, 1, 28),
        ("aggregator={val9}/2", BadValue, 1, 13),
        ("aggregator={val1}/2\nmdev_type={val1:int:2}", BadValue, 1, 13),
        ("mdev_type={val1:int:2}\naggregator={val1}/0", BadValue, 2, 19),
        ("mdev_type={val1:int:2}\naggregator={val1}*0", BadValue, 2, 19),
        ("mdev_type={val1:int:2}\naggregator={val1}/18446744073709551616", BadValue, 2, 19),
        ("mdev_type={val1:string:\"2\"}\naggregator={val1}/2", Syntax, 2, 18),
        ("mdev_type={val1:int:2}\naggregator={val1:int:2}", DuplicateKey, 2, 13),
        ("aggregator={}", Syntax, 1, 13),
        ("aggregator={Val1:int:2}", Syntax, 1, 13),
        ("aggregator={1:int:2}", Syntax, 1, 13),
        ("aggregator={_a:int:2}", Syntax, 1, 13),
        ("aggregator={val-1:int:2}", Syntax, 1, 16),
        ("aggregator={val1", Syntax, 1, 17),
        ("aggregator={", Syntax, 1, 13),
        ("aggregator=2}", Syntax, 1, 13),
        ("aggregator={a:int:2}}", Syntax, 1, 21),
        ("aggregator={{a:int:2}}", Syntax, 1, 13),
        ("{a:int:2}=1", UnknownKey, 1, 1),
        ("aggregator=1\naggregator=2", DuplicateKey, 2, 1),
        ("aggregator", Syntax, 1, 1),
        (&one_more, Limit, 1, 147),
        (&overflow, Limit, 1, 168),
        (&bomb, Limit, 1, 12),
    ];
    for (text, kind, line, column) in rows {
        let error = expand_compatible(text).unwrap_err();
        assert_eq!((error.kind, error.line, error.column), (kind, Some(line), Some(column)), "{text:?}: {error}");
    }
}

#[test]
fn a_compatible_is_a_target_for_each_member() {
    let device = profile_from_self(SELF, VENDORS).unwrap();
    let compatible = targets_from_compatible(&device, COMPATIBLE, VENDORS).unwrap();
    assert_eq!((compatible.targets.len(), compatible.dropped.len()), (3, 0));
    let grounds: Vec<&str> = compatible.targets[1].accepts().iter().map(|accept| accept.source.as_str()).collect();
    assert_eq!(grounds[1], "migration/compatible, member 2: mdev_type=i915-GVTg_V5_4");

    // Of each source: whether the device takes it, and by which member.
    let source = |kind: &str, times: u64, version: &str| {
        let text = format!(
            "device_type=vfio_pci\nmdev_type=i915-GVTg_{kind}\ndevice_id=8086591d\naggregator={times}\n\
             software_version={version}"
        );
        profile_from_self(&text, VENDORS).unwrap()
    };
    for (kind, times, version, expected) in [
        ("V5_2", 1, "1.0.0", Some(0)),
        ("V5_4", 2, "1.0.0", Some(1)),
        // What the list says, and the driver would refuse: another graphics memory.
        ("V5_8", 4, "1.0.0", None),
        ("V5_4", 1, "1.0.0", None),
        ("V5_2", 2, "1.0.0", None),
        ("V5_4", 2, "1.0.7", Some(1)),
        ("V5_4", 2, "1.1.0", None),
        ("V5_4", 2, "2.0.0", None),
    ] {
        let source = source(kind, times, version);
        let takes = |target: &Target| judged(&source, target).0 == Outcome::Compatible;
        assert_eq!(compatible.targets.iter().position(takes), expected, "{kind} x {times}, {version}");
    }
    let (outcome, ids) = judged(&source("V5_8", 4, "1.0.0"), &compatible.targets[2]);
    assert_eq!(outcome, Outcome::Incompatible);
    assert!(ids.starts_with("high_gm_mb.not-equal resolution.not-equal device_api.accepted-by-target"), "{ids}");

    // Without an aggregator a source is one instance.
    let one =
        profile_from_self("mdev_type=i915-GVTg_V5_2\ndevice_id=8086591d\nsoftware_version=1.0.0", VENDORS).unwrap();
    assert_eq!(judged(&one, &compatible.targets[0]).0, Outcome::Compatible);
}

#[test]
fn a_list_of_ids_grows_and_shrinks() {
    let device = profile_from_self(SELF, VENDORS).unwrap();
    let older = SELF.replace("8086591d", "80865912");
    let source = profile_from_self(&older, VENDORS).unwrap();
    for (list, expected) in [("\"591d\",\"5912\"", true), ("\"591d\"", false)] {
        let text = format!("device_id=8086{{id:string:{list}}}\nmdev_type=i915-GVTg_V5_2");
        let targets = targets_from_compatible(&device, &text, VENDORS).unwrap().targets;
        let taken = targets.iter().any(|target| judged(&source, target).0 == Outcome::Compatible);
        assert_eq!(taken, expected, "{list}");
    }
}

#[test]
fn other_values_of_a_member_are_compared_as_the_vendor_does() {
    let text = "pci_id=80861457\nsoftware_version=1.2.0\nremote_url=nvme+tcp://stor1/vol7";
    let source = profile_from_self(text, VENDORS).unwrap();
    let device = profile_from_self(&text.replace("vol7", "vol8"), VENDORS).unwrap();
    let listed = "remote_url=NVME+TCP://{host:string:\"STOR1\",\"STOR2\"}:4420/vol7";
    let targets = targets_from_compatible(&device, listed, VENDORS).unwrap().targets;
    let outcomes: Vec<Outcome> = targets.iter().map(|target| judged(&source, target).0).collect();
    assert_eq!(outcomes, [Outcome::Compatible, Outcome::Incompatible]);

    let text = "mdev_type=i915-GVTg_V5_4\npci_id=8086591d\nsoftware_version=1.0.0\npv_mode=none+ppgtt";
    let source = profile_from_self(text, VENDORS).unwrap();
    for (modes, expected) in [("none+ppgtt+context", Outcome::Compatible), ("none+context", Outcome::Incompatible)] {
        let compatible = targets_from_compatible(&source, &format!("pv_mode={modes}"), VENDORS).unwrap();
        assert_eq!(judged(&source, &compatible.targets[0]).0, expected, "{modes}");
    }
}

#[test]
fn a_member_whose_value_is_none_of_its_key() {
    use ErrorKind::{BadValue, UnknownKey};
    let device = profile_from_self(SELF, VENDORS).unwrap();
    for (text, kind, line, column) in [
        ("mdev_type=i915-GVTg_V5_2\naggregator={a:int:0,1}", BadValue, 2, 12),
        ("device_id=8086{a:string:\"591d\",\"x\"}", BadValue, 1, 11),
        ("software_version={a:string:\"1.0\",\"\"}", BadValue, 1, 18),
        ("remote_url=nvme+tcp://stor1", UnknownKey, 1, 12),
    ] {
        let error = targets_from_compatible(&device, text, VENDORS).unwrap_err();
        assert_eq!((error.kind, error.line, error.column), (kind, Some(line), Some(column)), "{text:?}: {error}");
    }
    let nothing = targets_from_compatible(&device, "aggregator={a:int:1}\nsoftware_version={a}/2", VENDORS).unwrap();
    assert_eq!((nothing.targets.len(), nothing.dropped.len()), (0, 1));
}

#[test]
fn an_error_says_where_and_what() {
    let error = expand_compatible("mdev_type=i915-GVTg_V5_{val1:flt:2}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 30: bad value mdev_type: unknown type \"flt\"; known are int, string"
    );
    let error = profile_from_migration_version("8086-5912-GVTg_V5_8-ffffffff", VENDORS).unwrap_err();
    assert_eq!(
        error.to_string(),
        "offset 20: malformed line: the software version 0xffffffff stands for none: the device cannot be migrated"
    );
}

#[test]
fn accepted_values_are_the_members_own() {
    let device = profile_from_self(SELF, VENDORS).unwrap();
    let compatible = targets_from_compatible(&device, COMPATIBLE, VENDORS).unwrap();
    let aggregations: Vec<OwnedValue> = (0..3).map(|power| Value::Uint(1 << power).to_owned()).collect();
    for (target, expected) in compatible.targets.iter().zip(aggregations) {
        assert!(target.accepts().iter().any(|accept| {
            accept.attribute == transire_core::attribute::AGGREGATION
                && accept.operand == transire_core::target::Operand::Value(expected.clone())
        }));
        assert_eq!(target.profile(), &device);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_text_is_answered(
        string in "(i915-)?(v1-)?[0-9a-f]{0,5}(-|é)?[0-9a-f]{0,5}-(i915-)?(GVTg_V5_[1248])?.{0,4}-[0-9a-f]{0,9}\n?",
        page in "((aggregator|pci_id|mdev_type|x)?=?([{][ab]:(int|string):[0-9,]{0,4}(\"[}é]?\",?){0,2}[}]?|[{][ab][}]?([/*][0-9]{0,3})?|[}é/*-]){0,4}\n){0,4}",
    ) {
        for text in [&string, &page] {
            let _ = profile_from_migration_version(text, VENDORS);
            let _ = profile_from_self(text, VENDORS);
            if let Ok(expansion) = expand_compatible(text) {
                assert!(expansion.members.len() + expansion.dropped.len() <= COMBINATIONS_MAX);
            }
            let device = profile_from_self(SELF, VENDORS).unwrap();
            let _ = targets_from_compatible(&device, text, VENDORS);
        }
    }
}
