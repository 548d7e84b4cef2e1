//! Targets: what is read, what is refused, and the templates.

use transire_core::attribute::{AttributeId, Attributes as _, DRIVER_VERSION, Value, Version};
use transire_core::rule::Compare;
use transire_core::target::{Allowed, Operand, Requires};
use transire_core::vendors::VENDORS;
use transire_core::vendors::nvidia::{MIGRATION_CAPS, VGPU_VERSION_RANGE};
use transire_text::{ErrorKind, load_profile, load_target, node_from_toml, node_to_json, profile_to_line, template};

use crate::toy::REGISTRY;

const WHOLE: &str = r#"
vendor = "toy"
[attributes]
lanes = 4
pci_id = "8086:4941"
[accepts.pci_id]
rule = "one-of"
values = ["8086:4941", "8086:4943"]
source = "driver 1.4 release note, 2026-03"
driver_version = "1.4"
[accepts.lanes]
rule = "in-range"
range = [1, 8]
source = "measured"
driver_version = ["1.4.0", "1.9.9"]
[accepts.firmware]
rule = "branch"
newer = 1
source = "said"
[accepts.features]
rule = "subset"
value = "0xff"
source = "said"
[accepts.label]
rule = "ignore"
source = "said"
[settable.aggregation]
range = [1, 8]
path = "mdev/aggregation"
[settable.lanes]
values = [1, 2]
path = "lanes"
[settable.flag]
any = true
path = "flag"
[requires]
sealed = true
digest = "blake3"
[[assertions]]
attribute = "label"
source = "a"
target = "b"
by = "Ada"
reason = "tested"
until = "2027-01-31"
[[assertions]]
attribute = "blob"
source = "00"
by = "Ada"
reason = "tested"
until = 17
"#;

#[test]
fn a_target_with_everything() {
    let json = node_to_json(&node_from_toml(WHOLE).unwrap());
    for text in [WHOLE, &json] {
        let target = load_target(text.as_bytes(), REGISTRY).unwrap();
        assert_eq!(target.vendor(), "toy");
        let [ids, lanes, firmware, features, label] = target.accepts() else { panic!("{:?}", target.accepts()) };
        assert!(matches!(ids.compare, Compare::OneOf) && matches!(&ids.operand, Operand::AnyOf(all) if all.len() == 2));
        assert_eq!(ids.source, "driver 1.4 release note, 2026-03");
        let version = |major, minor, patch| Version { major, minor, patch };
        assert_eq!(ids.driver_versions, Some((version(1, 4, 0), None)));
        assert!(matches!(lanes.compare, Compare::InRange));
        assert_eq!(lanes.operand, Operand::Value(Value::Range(1, 8).to_owned()));
        assert_eq!(lanes.driver_versions, Some((version(1, 4, 0), Some(version(1, 9, 9)))));
        assert!(matches!(firmware.compare, Compare::Branch { newer: 1 }) && firmware.operand == Operand::OfTarget);
        assert!(matches!(features.compare, Compare::Subset) && features.driver_versions.is_none());
        assert!(matches!(label.compare, Compare::Ignore));
        let allowed: Vec<_> = target.settable.iter().map(|row| (row.path.as_str(), row.allowed.clone())).collect();
        let two = vec![Value::Uint(1).to_owned(), Value::Uint(2).to_owned()];
        let expected =
            [("mdev/aggregation", Allowed::Range(1, 8)), ("lanes", Allowed::OneOf(two)), ("flag", Allowed::Any)];
        assert_eq!(allowed, expected);
        assert_eq!(target.settable[2].attribute, AttributeId(0x8100));
        assert_eq!(target.requires, Requires { sealed: true, digest: Some(2) });
        let [first, second] = target.assertions.as_slice() else { panic!("{:?}", target.assertions) };
        assert_eq!(first.until, Some(1_801_439_999));
        assert_eq!((first.by.as_str(), first.reason.as_str()), ("Ada", "tested"));
        assert_eq!((second.target.clone(), second.until), (None, Some(17)));
    }
}

#[test]
fn a_profile_is_a_target_that_says_no_more() {
    let profile = load_profile(b"vendor = \"mtty\"\n[attributes]\nnr_ports = 2", VENDORS).unwrap();
    for bytes in [profile.to_bytes(), profile_to_line(&profile).into_bytes()] {
        let target = load_target(&bytes, VENDORS).unwrap();
        assert_eq!(target.profile(), &profile);
        assert!(target.accepts().is_empty() && target.requires == Requires::default());
    }
}

#[test]
fn days_end_in_utc() {
    for (date, expected) in [
        ("1970-01-01", Some(86_399)),
        ("2000-02-29", Some(951_868_799)),
        ("2024-12-31", Some(1_735_689_599)),
        ("2100-03-01", Some(4_107_628_799)),
        ("9999-12-31", Some(253_402_300_799)),
        ("2100-02-29", None),
        ("2027-02-29", None),
        ("2027-13-01", None),
        ("2027-00-01", None),
        ("2027-01-00", None),
        ("1969-12-31", None),
        ("2027-1-31", None),
        ("2027-01-31T00:00", None),
        ("+027-01-31", None),
    ] {
        let text = format!(
            "vendor = \"toy\"\n[[assertions]]\nattribute = \"label\"\nby = \"a\"\nreason = \"b\"\nuntil = \"{date}\""
        );
        let until = load_target(text.as_bytes(), REGISTRY).map(|target| target.assertions[0].until);
        match expected {
            Some(_) => assert_eq!(until.unwrap(), expected, "{date}"),
            None => assert_eq!(until.unwrap_err().key, "assertions[0].until", "{date}"),
        }
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_wrong_and_where() {
    let accept = |rest: &str| format!("vendor = \"toy\"\n[accepts.lanes]\n{rest}\n");
    let settable = |rest: &str| format!("vendor = \"toy\"\n[settable.lanes]\n{rest}\n");
    let assertion = |rest: &str| format!("vendor = \"toy\"\n[[assertions]]\n{rest}\n");
    let said = "source = \"s\"";
    let cases = [
        ("vendor = \"toy\"\n[accept.lanes]".into(), "line 2, column 2: unknown key accept; nearest is accepts"),
        ("vendor = \"toy\"\n[accepts.lane]".into(), "line 2, column 10: unknown key accepts.lane; nearest is lanes"),
        (
            "vendor = \"toy\"\n[accepts.vendor]".into(),
            "line 2, column 10: unknown key accepts.vendor; vendor stands at the top",
        ),
        (accept(said), "line 2, column 10: missing key accepts.lanes.rule"),
        (
            accept("rule = \"one-off\""),
            "line 3, column 8: bad value accepts.lanes.rule: found the text \"one-off\", expected the name of a rule; \
             nearest is one-of",
        ),
        (
            accept("rule = \"subset\""),
            "line 3, column 8: bad value accepts.lanes.rule: found the text \"subset\", expected a rule for the type \
             uint: equal, one-of, in-range, at-least, ignore",
        ),
        (
            accept("rule = \"one-of\"\nvalue = 1"),
            "line 4, column 1: bad value accepts.lanes.value: it does not go with the rule one-of, which takes values",
        ),
        (
            accept("rule = \"ignore\"\nvalue = 1"),
            "line 4, column 1: bad value accepts.lanes.value: it does not go with the rule ignore, which takes no \
             operand",
        ),
        (accept("rule = \"equal\"\nvale = 1"), "line 4, column 1: unknown key accepts.lanes.vale; nearest is value"),
        (accept("rule = \"equal\""), "line 2, column 10: missing key accepts.lanes.source"),
        (
            accept("rule = \"equal\"\nsource = \"\""),
            "line 4, column 10: bad value accepts.lanes.source: the text is empty",
        ),
        (
            accept("rule = \"equal\"\nvalue = 99"),
            "line 4, column 9: bad value accepts.lanes.value: found the integer 99, expected 1 to 16",
        ),
        (
            accept("rule = \"equal\"\nvalue = { unknown = true }"),
            "line 4, column 9: bad value accepts.lanes.value: a value that is not reported is no value: leave the key \
             out",
        ),
        (
            accept("rule = \"one-of\"\nvalues = []"),
            "line 4, column 10: bad value accepts.lanes.values: found an array of 0, expected 1 to 256 values",
        ),
        (
            accept("rule = \"one-of\"\nvalues = [1, 'x']"),
            "line 4, column 14: bad value accepts.lanes.values[1]: found the text \"x\", expected a number: an \
             integer, or \"0x\" and at most 16 hex digits",
        ),
        (
            accept("rule = \"equal\"\nsource = \"s\"\ndriver_version = [\"2\", \"1\"]"),
            "line 5, column 18: bad value accepts.lanes.driver_version: 2.0.0 is above 1.0.0, expected the older \
             version first",
        ),
        (
            accept("rule = \"equal\"\nsource = \"s\"\ndriver_version = [\"2\"]"),
            "line 5, column 18: bad value accepts.lanes.driver_version: found an array of 1, expected a version, or an \
             array of two",
        ),
        (
            "vendor = \"toy\"\n[accepts.firmware]\nrule = \"branch\"".into(),
            "line 2, column 10: missing key accepts.firmware.newer",
        ),
        (
            settable("path = \"x\""),
            "line 2, column 11: missing key settable.lanes.values; one of range, values and any = true says what can \
             be set",
        ),
        (settable("any = true"), "line 2, column 11: missing key settable.lanes.path"),
        (
            settable("any = false\npath = \"x\""),
            "line 3, column 7: bad value settable.lanes.any: found the boolean false, expected true: leave the key out \
             otherwise",
        ),
        (
            settable("any = true\nrange = [1, 2]"),
            "line 4, column 1: bad value settable.lanes.range: it does not go with any",
        ),
        (
            settable("range = [1, 17]"),
            "line 3, column 9: bad value settable.lanes.range: found the integer 17, expected 1 to 16",
        ),
        (
            "vendor = \"toy\"\n[settable.label]\nrange = [1, 2]".into(),
            "line 3, column 1: bad value settable.label.range: a range is for numbers, and label is of type text",
        ),
        (
            "vendor = \"toy\"\n[requires]\nsealed = 1".into(),
            "line 3, column 10: wrong type requires.sealed: found the integer 1, expected true or false",
        ),
        (
            "vendor = \"toy\"\n[requires]\ndigest = \"blake2\"".into(),
            "line 3, column 10: bad value requires.digest: found the text \"blake2\", expected the name of a digest; \
             nearest is blake3",
        ),
        (
            "vendor = \"toy\"\n[requires]\nseal = true".into(),
            "line 3, column 1: unknown key requires.seal; nearest is sealed",
        ),
        (
            "vendor = \"toy\"\nassertions = {}".into(),
            "line 2, column 14: wrong type assertions: found a table, expected an array of tables",
        ),
        (assertion("by = \"x\""), "line 2, column 1: missing key assertions[0].attribute"),
        (
            assertion("attribute = \"labl\""),
            "line 3, column 13: bad value assertions[0].attribute: found the text \"labl\", expected the name of an \
             attribute; nearest is label",
        ),
        (assertion("attribute = \"label\"\nreason = \"x\""), "line 2, column 1: missing key assertions[0].by"),
        (assertion("attribute = \"label\"\nby = \"x\""), "line 2, column 1: missing key assertions[0].reason"),
        (
            assertion("attribute = \"label\"\nby = \"x\"\nreason = \"y\"\nuntil = true"),
            "line 6, column 9: wrong type assertions[0].until: found the boolean true, expected a date as in \
             \"2027-01-31\", or seconds since 1970-01-01T00:00:00Z",
        ),
        (
            "vendor = \"toy\"\n[attributes]\nlanes = 9\nflag = true".into(),
            "line 3, column 9: contradiction attributes.lanes: flag and lanes cannot both be true",
        ),
        (
            "vendor = \"toy\"\n[attributes]\nlanes = 3".into(),
            "line 3, column 9: bad value attributes.lanes: found the integer 3, expected 1, 2 or 4",
        ),
    ];
    let mut failed = 0;
    for (text, expected) in &cases {
        let text: &String = text;
        let found = load_target(text.as_bytes(), REGISTRY).expect_err(text).to_string();
        if found != *expected {
            failed += 1;
            eprintln!("{text}\n  found    {found}\n  expected {expected}");
        }
    }
    assert_eq!(failed, 0);
}

/// Takes away the `#` of every line that can be used.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(used) if !used.is_empty() && !used.starts_with(' ') => format!("{used}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn templates_are_read_before_and_after_uncommenting() {
    for registry in [VENDORS, REGISTRY] {
        for vendor in registry.0 {
            let text = template(vendor);
            assert!(load_target(text.as_bytes(), registry).is_ok(), "{}", vendor.name());
            let whole = uncommented(&text);
            let attributes = whole.split("[accepts").next().unwrap_or_default();
            let profile = load_profile(attributes.as_bytes(), registry);
            let profile = profile.unwrap_or_else(|error| panic!("{}: {error}", vendor.name()));
            let count = vendor.rules.dictionary.definitions().count();
            assert_eq!(profile.header().attributes().count(), count, "{}", vendor.name());
            // The examples of the common attributes need not go together for every vendor.
            match load_target(whole.as_bytes(), registry) {
                Ok(target) => assert_eq!(target.accepts().len() + target.settable.len() + target.assertions.len(), 3),
                Err(error) => {
                    let together = matches!(error.kind, ErrorKind::Contradiction | ErrorKind::BadValue);
                    assert!(together && error.key.starts_with("attributes."), "{}: {error}", vendor.name());
                }
            }
        }
    }
}

/// The record in which a vendor's own software says what a target is.
#[test]
fn a_record_of_a_target_is_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/nvidia/pgpu.bin");
    let record = std::fs::read(path).unwrap();
    let target = load_target(&record, VENDORS).unwrap();
    assert_eq!(target.vendor(), "nvidia");
    assert_eq!(target.value(VGPU_VERSION_RANGE), Some(Value::Range(10, 14)));
    assert_eq!(target.value(MIGRATION_CAPS), Some(Value::Bool(true)));
    let version = Version { major: 550, minor: 54, patch: 10 };
    assert_eq!(target.value(DRIVER_VERSION), Some(Value::Version(version)), "as it follows from the build");

    // The lowest version above the highest; one byte less; one more.
    let mut turned = record.clone();
    turned[112] = 15;
    let cases = [
        (turned, "nvidia.version-range", 112),
        (record[..127].to_vec(), "stream.truncated", 127),
        ([&record[..], &[0]].concat(), "stream.trailing", 128),
    ];
    for (bytes, id, offset) in cases {
        let error = load_target(&bytes, VENDORS).expect_err(id);
        assert_eq!((error.reason.as_ref().map(|reason| reason.id.text()), error.offset), (Some(id), Some(offset)));
        assert_eq!(error.kind, ErrorKind::Profile);
    }
}
