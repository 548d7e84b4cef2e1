//! Pairs of controllers and what comes of them. Sides are written as attributes in one line: `hmlms=true mdts=5`.

extern crate std;

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::attribute::{OwnedValue, PciId, Version};
use crate::judge::judge;
use crate::profile::{Profile, ProfileBuilder};
use crate::report::{Report, reports};
use crate::target::{Accept, Allowed, Assertion, Operand, Settable, Target, TargetError};
use crate::verdict::{Outcome, Verdict};

/// What every controller of the tables is, unless it says otherwise: `-name` takes an attribute away.
const BASE: &str = "pci_id=8086:1457 software_version=1.2.0 hmlms=true state_layout=nvme-2.1 \
                    remote_url=nvme+tcp://stor1/nqn.2014-08.org.example:vol7";

const U1: &str = "0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11";

fn numbers<const N: usize>(text: &str, separator: char, radix: u32) -> [u32; N] {
    let numbers: Vec<u32> = text.split(separator).map(|part| u32::from_str_radix(part, radix).unwrap()).collect();
    numbers.try_into().unwrap()
}

fn value(definition: &Definition, text: &str) -> OwnedValue {
    let uint = |text: &str| text.parse().unwrap();
    if text == "?" {
        return Value::Unknown.to_owned();
    }
    match definition.kind {
        Type::Bool => Value::Bool(text == "true").to_owned(),
        Type::Uint => Value::Uint(uint(text)).to_owned(),
        Type::Text => Value::Text(Text::new(text).unwrap()).to_owned(),
        Type::Version => {
            let [major, minor, patch] = numbers(text, '.', 10);
            Value::Version(Version { major, minor, patch }).to_owned()
        }
        Type::PciId => {
            let [vendor, device] = numbers(text, ':', 16).map(|part| u16::try_from(part).unwrap());
            Value::PciId(PciId { vendor, device }).to_owned()
        }
        Type::Range => {
            let (low, high) = text.split_once("..").unwrap();
            Value::Range(uint(low), uint(high)).to_owned()
        }
        Type::Mask => OwnedValue::mask(&uint(text).to_le_bytes()).unwrap(),
        Type::Map => {
            let pairs: Vec<(&str, &str)> = text.split(',').map(|pair| pair.split_once(':').unwrap()).collect();
            OwnedValue::map(&pairs).unwrap()
        }
        kind => panic!("no {} here", kind.name()),
    }
}

fn definition(name: &str) -> &'static Definition {
    DICTIONARY.by_name(name).unwrap_or_else(|| panic!("no attribute {name}"))
}

fn profile(side: &str) -> Profile {
    let mut stated: Vec<(&str, &str)> = vec![("vendor", "nvme")];
    for word in BASE.split_whitespace().chain(side.split_whitespace()) {
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
    builder.build(&|name| (name == "nvme").then_some(&DICTIONARY)).unwrap()
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

#[test]
fn tables_ascend_and_stay_in_their_range() {
    assert!(DICTIONARY.attributes.windows(2).all(|pair| pair[0].id.number() < pair[1].id.number()));
    assert!(DICTIONARY.attributes.iter().all(|row| (0x0100..0x0130).contains(&row.id.number())));
    assert!(RULES.rules.iter().all(|rule| !rule.origin.citation.is_empty()));
    assert!(reasons::CATALOGUE.iter().all(|kind| kind.outcome() == Compatible));
}

#[test]
fn identity_and_versions() {
    check(&[
        ("the same controller", "", "", Compatible, ""),
        ("a newer minor version", "", "software_version=1.3.0", Compatible, ""),
        ("an older minor version", "", "software_version=1.1.0", Incompatible, "software_version.version"),
        ("a newer major version", "", "software_version=2.0.0", Incompatible, "software_version.version"),
        (
            "driver versions alone",
            "-software_version driver_version=1.2.0",
            "-software_version driver_version=1.3.0",
            Compatible,
            "",
        ),
        (
            "an older driver",
            "-software_version driver_version=1.2.0",
            "-software_version driver_version=1.1.0",
            Incompatible,
            "driver_version.version",
        ),
        (
            "a newer major driver",
            "-software_version driver_version=1.2.0",
            "-software_version driver_version=2.0.0",
            Incompatible,
            "driver_version.version",
        ),
        (
            "the interface's version counts where both have it",
            "driver_version=2.0.0",
            "driver_version=1.0.0",
            Compatible,
            "",
        ),
        ("no version at all", "-software_version", "", Unknown, "driver_version.not-in-profile"),
        ("another PCI id", "", "pci_id=8086:1458", Incompatible, "pci_id.not-equal"),
        ("no PCI id", "", "-pci_id", Unknown, "pci_id.not-in-profile"),
        (
            "another subsystem",
            "subsystem_id=8086:0001",
            "subsystem_id=8086:0002",
            Incompatible,
            "subsystem_id.not-equal",
        ),
        ("another driver", "driver=nvme_vfio_pci", "driver=mlx5_vfio_pci", Incompatible, "driver.not-equal"),
        ("another interface", "device_api=vfio-platform", "", Incompatible, "device_api.not-is"),
        ("another firmware", "firmware_revision=1.0", "firmware_revision=2.0", Compatible, ""),
        ("another controller id", "controller_id=1", "controller_id=2", Compatible, "controller_id.rewritten"),
        ("another serial number", "serial_number=A", "serial_number=B", Compatible, "serial_number.rewritten"),
        ("the same serial number", "serial_number=A", "serial_number=A", Compatible, ""),
        ("another subsystem name", "subnqn=nqn.a:Vol", "subnqn=nqn.a:vol", Incompatible, "subnqn.not-equal"),
        ("no migration on the target", "", "hmlms=false", Incompatible, "hmlms.not-is"),
        ("no migration on either", "hmlms=false", "hmlms=false", Incompatible, "hmlms.not-is"),
        ("nobody says", "", "-hmlms", Compatible, "hmlms.absent"),
    ]);
}

#[test]
fn remote_urls() {
    let url = "nvme+tcp://stor1/nqn.2014-08.org.example:vol7";
    let settable = || Settable { attribute: REMOTE_URL, allowed: Allowed::Any, path: "remote_url".to_string() };
    check(&[
        (
            "another spelling",
            "remote_url=NVME+TCP://STOR1:4420/nqn.2014-08.org.example:vol7",
            "",
            Compatible,
            "remote_url.respelled",
        ),
        (
            "another volume",
            "",
            "remote_url=nvme+tcp://stor1/nqn.2014-08.org.example:vol8",
            Incompatible,
            "remote_url.not-equal",
        ),
        ("not configured", "", "-remote_url", Incompatible, "remote_url.not-equal"),
        ("not configured, and said so", "", "remote_url=unset", Incompatible, "remote_url.not-equal"),
        ("neither has one", "-remote_url", "-remote_url", Compatible, ""),
        ("neither has one, and both say so", "remote_url=unset", "remote_url=unset", Compatible, ""),
        ("the source does not say", "-remote_url", "", Unknown, "remote_url.not-in-profile"),
        ("the source has not reported it", "remote_url=?", "", Unknown, "remote_url.not-reported-yet"),
        (
            "credentials",
            "remote_url=nvme+tcp://me:word@stor1/a",
            "remote_url=nvme+tcp://stor1/a",
            Incompatible,
            "remote_url.refused",
        ),
    ]);
    for (name, source, device, outcome, expected) in [
        ("another volume", "", "remote_url=nvme+tcp://stor1/vol8", Fixable, Some(url)),
        ("not configured", "", "-remote_url", Fixable, Some(url)),
        ("not configured, and said so", "", "remote_url=unset", Fixable, Some(url)),
        ("to be taken away", "remote_url=unset", "", Fixable, Some(UNSET)),
        ("the source does not say", "-remote_url", "", Unknown, None),
        ("credentials", "remote_url=nvme+tcp://me@stor1/a", "", Incompatible, None),
    ] {
        let mut target = target(device);
        target.settable = vec![settable()];
        let (found, reports) = told(source, &target);
        assert_eq!(found, outcome, "{name}");
        let expected = expected.map(|value| ("remote_url".to_string(), value.to_string()));
        assert_eq!(reports[0].set, expected, "{name}");
    }
}

#[test]
fn formats_of_the_state() {
    let others = "vendor_formats=1:11111111-2222-3333-4444-555555555555";
    let upper = std::format!("vendor_formats=1:{}", U1.to_uppercase());
    let used = std::format!("state_version=0 vendor_format={U1}");
    let both = std::format!("state_formats=1:0 {others}");
    check(&[
        ("listed", "state_version=0", "state_formats=1:0", Compatible, ""),
        ("not listed", "state_version=1", "state_formats=1:0", Incompatible, "state_version.not-one-of"),
        ("no list", "state_version=0", "", Unknown, "state_formats.not-in-profile"),
        ("an empty list", "state_version=0", "state_formats=0:none", Incompatible, "state_version.not-one-of"),
        ("the NVMe part fits, the vendor's does not", &used, &both, Incompatible, "vendor_format.not-one-of"),
        ("UUIDs in capitals", &used, &std::format!("state_formats=1:0 {upper}"), Compatible, ""),
        ("no vendor's part", "vendor_format=none", others, Compatible, ""),
        ("no vendor's part, no list", "vendor_format=none", "vendor_formats=0:none", Compatible, ""),
        (
            "another index",
            "state_version=0 state_index=1",
            "state_formats=1:1,2:0",
            Compatible,
            "state_version.other-index",
        ),
        ("the same index", "state_version=0 state_index=2", "state_formats=1:1,2:0", Compatible, ""),
        ("listed twice", "state_version=0 state_index=2", "state_formats=1:0,2:0", Compatible, ""),
        (
            "the same index, another version",
            "state_version=0 state_index=1",
            "state_formats=1:1",
            Incompatible,
            "state_version.not-one-of",
        ),
        (
            "another vendor's index",
            &std::format!("vendor_format={U1} vendor_index=1"),
            &std::format!("{others},2:{U1}"),
            Compatible,
            "vendor_format.other-index",
        ),
        ("another layout", "", "state_layout=rfc-2025", Incompatible, "state_layout.not-equal"),
        ("nobody knows the layout", "-state_layout", "", Compatible, "state_layout.absent"),
    ]);
    let (_, reports) = told("state_version=0 state_index=1", &target("state_formats=1:1,2:0"));
    assert_eq!(reports[0].required.as_deref(), Some("{1=1, 2=0}"), "the index to be used is in the list");
}

#[test]
fn limits_and_what_is_in_use() {
    let asked = "max_io_queues.needs-assertion max_io_queues.reduced";
    check(&[
        ("as many queues", "max_io_queues=64", "max_io_queues=64", Compatible, ""),
        ("more queues", "max_io_queues=32", "max_io_queues=64", Compatible, ""),
        ("fewer queues", "max_io_queues=64", "max_io_queues=32", Incompatible, "max_io_queues.not-at-least"),
        (
            "fewer queues, more in use",
            "max_io_queues=64 io_queues=33",
            "max_io_queues=32",
            Incompatible,
            "max_io_queues.not-at-least io_queues.not-at-least",
        ),
        // What a state says: nothing of what its source offers.
        ("queues in use", "io_queues=16", "max_io_queues=16", Compatible, ""),
        ("fewer than in use", "io_queues=16", "max_io_queues=15", Incompatible, "io_queues.not-at-least"),
        ("entries in use", "queue_entries=16", "max_queue_entries=16", Compatible, ""),
        ("shorter than in use", "queue_entries=16", "max_queue_entries=15", Incompatible, "queue_entries.not-at-least"),
        ("fewer queues, fewer in use", "max_io_queues=64 io_queues=16", "max_io_queues=32", Unknown, asked),
        ("fewer queues, as many in use", "max_io_queues=64 io_queues=32", "max_io_queues=32", Unknown, asked),
        (
            "fewer entries",
            "max_queue_entries=1024",
            "max_queue_entries=512",
            Incompatible,
            "max_queue_entries.not-at-least",
        ),
        (
            "fewer entries, fewer in use",
            "max_queue_entries=1024 queue_entries=256",
            "max_queue_entries=512",
            Unknown,
            "max_queue_entries.needs-assertion max_queue_entries.reduced",
        ),
        ("smaller transfers", "mdts=6", "mdts=5", Incompatible, "mdts.not-at-least"),
        ("larger transfers", "mdts=5", "mdts=6", Compatible, ""),
        ("no limit on the target", "mdts=5", "mdts=0", Compatible, ""),
        ("no limit on the source", "mdts=0", "mdts=5", Incompatible, "mdts.not-at-least"),
        ("no limit on either", "mdts=0", "mdts=0", Compatible, ""),
        ("a page size that is supported", "page_size=4096", "page_sizes=4096..65536", Compatible, ""),
        ("one that is not", "page_size=4096", "page_sizes=8192..65536", Incompatible, "page_size.not-in-range"),
        ("another stride", "doorbell_stride=0", "doorbell_stride=1", Incompatible, "doorbell_stride.not-equal"),
        (
            "contiguous queues newly required",
            "contiguous_queues=false",
            "contiguous_queues=true",
            Incompatible,
            "contiguous_queues.excluded-pair",
        ),
        ("contiguous queues no longer required", "contiguous_queues=true", "contiguous_queues=false", Compatible, ""),
        ("more arbitration", "arbitration=1", "arbitration=3", Compatible, ""),
        ("less arbitration", "arbitration=3", "arbitration=1", Incompatible, "arbitration.not-subset"),
        ("the same namespaces", "namespaces=1:a,2:b", "namespaces=1:a,2:b", Compatible, ""),
        ("one namespace more", "namespaces=1:a", "namespaces=1:a,2:b", Compatible, "namespaces.more-capacity"),
        ("one namespace less", "namespaces=1:a,2:b", "namespaces=1:a", Incompatible, "namespaces.not-subset"),
        ("another LBA format", "namespaces=1:a-512", "namespaces=1:a-4096", Incompatible, "namespaces.not-subset"),
    ]);
    let mut target = target("max_io_queues=32");
    target.assertions = vec![Assertion {
        attribute: MAX_IO_QUEUES,
        source: Some(Value::Uint(64).to_owned()),
        target: Some(Value::Uint(32).to_owned()),
        by: "operator".to_string(),
        reason: "the guest never adds processors".to_string(),
        until: None,
    }];
    let (outcome, reports) = told("max_io_queues=64 io_queues=16", &target);
    assert_eq!((outcome, ids(&reports).as_str()), (Compatible, "max_io_queues.reduced max_io_queues.asserted"));
    let (outcome, reports) = told("max_io_queues=64", &target);
    assert_eq!((outcome, ids(&reports).as_str()), (Incompatible, "max_io_queues.not-at-least"), "none is lifted");
}

#[test]
fn what_the_target_accepts() {
    let mut target = target("driver_version=1.4.0");
    let ids_of = |texts: &[&str]| texts.iter().map(|text| value(definition("pci_id"), text)).collect();
    target.set_accepts(vec![Accept {
        attribute: PCI_ID,
        compare: Compare::OneOf,
        operand: Operand::AnyOf(ids_of(&["8086:1457", "8086:1458"])),
        source: "release note".to_string(),
        driver_versions: Some((Version { major: 1, minor: 4, patch: 0 }, None)),
    }]);
    let (outcome, reports) = told("pci_id=8086:1458", &target);
    assert_eq!((outcome, ids(&reports).as_str()), (Compatible, "pci_id.accepted-by-target"));
    let (outcome, reports) = told("pci_id=8086:1459", &target);
    assert_eq!((outcome, ids(&reports).as_str()), (Incompatible, "pci_id.not-one-of pci_id.accepted-by-target"));
}

#[test]
fn a_rule_of_the_targets_own_stands_for_every_row() {
    let own = |name: &str, compare| Accept {
        attribute: definition(name).id,
        compare,
        operand: Operand::OfTarget,
        source: "site rule".to_string(),
        driver_versions: None,
    };
    let rows = [
        (
            "max_io_queues",
            Compare::Equal,
            "max_io_queues=64 io_queues=16",
            "max_io_queues=32",
            Incompatible,
            "max_io_queues.not-equal max_io_queues.accepted-by-target",
        ),
        (
            "driver_version",
            Compare::AtLeast,
            "driver_version=2.0.0",
            "driver_version=1.0.0",
            Incompatible,
            "driver_version.not-at-least driver_version.accepted-by-target",
        ),
        (
            "remote_url",
            Compare::Equal,
            "-remote_url",
            "-remote_url",
            Unknown,
            "remote_url.not-in-profile remote_url.accepted-by-target",
        ),
    ];
    for (name, compare, source, device, outcome, expected) in rows {
        let mut target = target(device);
        target.set_accepts(vec![own(name, compare)]);
        let (found, reports) = told(source, &target);
        assert_eq!((found, ids(&reports).as_str()), (outcome, expected), "{name}");
    }
}

#[test]
fn controllers_that_cannot_be() {
    let versions = "versions from 0 to 65535 by index from 1 to 255, or { \"0\" = \"none\" }";
    let uuids = "UUIDs by index from 1 to 255, or { \"0\" = \"none\" }";
    let rows = [
        (
            "remote_url=nvme+tcp://me@stor1/a",
            TargetError::Impossible(REMOTE_URL, "an address without user and password"),
        ),
        ("state_layout=nvme", TargetError::Impossible(STATE_LAYOUT, "nvme-2.1, rfc-2025, ipu-2022 or spdk")),
        ("state_formats=0:0", TargetError::Impossible(STATE_FORMATS, versions)),
        ("state_formats=256:0", TargetError::Impossible(STATE_FORMATS, versions)),
        ("state_formats=1:65536", TargetError::Impossible(STATE_FORMATS, versions)),
        ("state_formats=1:00", TargetError::Impossible(STATE_FORMATS, versions)),
        ("state_formats=0:none,1:0", TargetError::Impossible(STATE_FORMATS, versions)),
        ("vendor_formats=1:none", TargetError::Impossible(VENDOR_FORMATS, uuids)),
        ("vendor_formats=1:0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f1", TargetError::Impossible(VENDOR_FORMATS, uuids)),
        ("io_queues=3 max_io_queues=2", TargetError::Contradiction(MAX_IO_QUEUES, IO_QUEUES)),
        ("queue_entries=3 max_queue_entries=2", TargetError::Contradiction(MAX_QUEUE_ENTRIES, QUEUE_ENTRIES)),
        ("page_size=4096 page_sizes=8192..8192", TargetError::Contradiction(PAGE_SIZE, PAGE_SIZES)),
    ];
    for (side, expected) in rows {
        assert_eq!(Target::new(profile(side), &RULES).err(), Some(expected), "{side}");
    }
    check(&[("of a source", "io_queues=3 max_io_queues=2", "", Corrupt, "profile.contradicts-itself")]);
}
