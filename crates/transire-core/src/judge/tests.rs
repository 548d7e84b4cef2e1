//! One table of cases a comparison, a mismatch, an absence, an override, an assertion. A failure names its case.

#![allow(clippy::too_many_lines, clippy::type_complexity, reason = "tables of cases")]

extern crate std;

use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::*;
use crate::attribute::{
    Constraint, DEVICE_API, DRIVER_VERSION, Definition, Dictionary, MDEV_TYPE, Mask, OwnedValue, PCI_ID, PciId, Ratio,
    Text, Type, Version,
};
use crate::profile::ProfileBuilder;
use crate::report::{Report, reports};
use crate::rule::{Origin, OriginKind, Rule, RuleTable, When, always_possible, derives_nothing, never_contradicts};
use crate::target::{Accept, Allowed, Assertion, Operand, Requires, Settable, TargetError};
use crate::vendors::mtty;
use crate::verdict::Outcome;

// The toy vendor: one attribute of every type.

const FLAG: AttributeId = AttributeId(0x0100);
const COUNT: AttributeId = AttributeId(0x0101);
const NAME: AttributeId = AttributeId(0x0102);
const RELEASE: AttributeId = AttributeId(0x0104);
const SPAN: AttributeId = AttributeId(0x0105);
const BITS: AttributeId = AttributeId(0x0106);
const CHOICES: AttributeId = AttributeId(0x0107);
const MODE: AttributeId = AttributeId(0x010b);

const fn definition(id: AttributeId, name: &'static str, kind: Type) -> Definition {
    Definition { id, name, kind, constraint: Constraint::Any, meaning: "", place: "", example: "" }
}

static TOY: Dictionary = Dictionary {
    vendor: "toy",
    attributes: &[
        definition(FLAG, "flag", Type::Bool),
        Definition { constraint: Constraint::Between(0, 64), ..definition(COUNT, "count", Type::Uint) },
        definition(NAME, "name", Type::Text),
        definition(AttributeId(0x0103), "blob", Type::Bytes),
        definition(RELEASE, "release", Type::Version),
        definition(SPAN, "span", Type::Range),
        definition(BITS, "bits", Type::Mask),
        definition(CHOICES, "choices", Type::Set),
        definition(AttributeId(0x0108), "share", Type::Ratio),
        definition(AttributeId(0x0109), "part", Type::PciId),
        definition(AttributeId(0x010a), "labels", Type::Map),
        definition(MODE, "mode", Type::Text),
    ],
};

fn dictionary_of(name: &str) -> Option<&'static Dictionary> {
    [&TOY, mtty::RULES.dictionary].into_iter().find(|dictionary| dictionary.vendor == name)
}

const SPECIFICATION: Origin =
    Origin { kind: OriginKind::Specification, citation: "toy specification, section 1", scope: "", date: "2026-01" };
const DRIVERS: Origin = Origin { kind: OriginKind::Driver, citation: "toy.c", ..SPECIFICATION };

/// `count` must be equal, and both sides must say it.
const ROW: Rule = Rule {
    source: COUNT,
    target: COUNT,
    compare: Compare::Equal,
    when: None,
    mismatch: Mismatch::Refuse,
    source_absent: Absent::Unknown,
    target_absent: Absent::Unknown,
    origin: SPECIFICATION,
};

fn of(id: AttributeId, compare: Compare) -> Rule {
    Rule { source: id, target: id, compare, ..ROW }
}

fn table(rules: Vec<Rule>) -> &'static RuleTable {
    Box::leak(Box::new(RuleTable {
        dictionary: &TOY,
        rules: Box::leak(rules.into_boxed_slice()),
        derive: derives_nothing,
        statable: &[],
        contradiction: never_contradicts,
        impossible: always_possible,
    }))
}

/// What is known of a side.
#[derive(Clone, Debug)]
struct Facts(Vec<(AttributeId, Value<'static>)>);

impl Attributes for Facts {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        self.0.iter().find(|(known, _)| known.number() == id.number()).map(|(_, value)| *value)
    }
}

fn facts(vendor: &'static str, of: &[(AttributeId, Value<'static>)]) -> Facts {
    Facts([&[(VENDOR, text(vendor))], of].concat())
}

fn target_of(rules: &'static RuleTable, of: &[(AttributeId, Value<'static>)]) -> Result<Target, TargetError> {
    let mut builder = ProfileBuilder::new();
    for (id, value) in &facts(rules.vendor(), of).0 {
        builder.set(*id, &value.to_owned());
    }
    Target::new(builder.build(&dictionary_of).expect("a profile"), rules)
}

fn toy(rules: Vec<Rule>, of: &[(AttributeId, Value<'static>)]) -> Target {
    target_of(table(rules), of).expect("a target")
}

fn judged(source: &Facts, target: &Target, now: Option<u64>) -> Verdict {
    let mut verdict = Verdict::new();
    judge(source, target, now, &mut verdict);
    let mut again = Verdict::new();
    judge(source, target, now, &mut again);
    assert_eq!(verdict, again, "judged twice");
    let worst = verdict.reasons().iter().map(|reason| reason.id.outcome()).max().unwrap_or_default();
    assert_eq!(verdict.outcome(), worst, "the outcome is the worst of the reasons'");
    let source = &Complete::new(source, target.rules());
    for terms in &target.plan().questions(source).terms {
        let stated = source.value(terms.source);
        let awaited = stated.is_none() && source.absence(terms.source) == Absence::Awaited;
        if terms.is_met_by(stated, source, &mut { Like::NONE }) && !awaited {
            let mut asked = Verdict::new();
            Case { source, target, now }.compare(terms, stated, &mut asked);
            assert_eq!(asked, Verdict::new(), "a rule that is met has nothing to say: {terms:?}");
        }
    }
    verdict
}

fn told(source: &Facts, target: &Target, now: Option<u64>) -> (Outcome, Vec<Report>) {
    let verdict = judged(source, target, now);
    (verdict.outcome(), reports(&verdict, Some(source), Some(target)))
}

/// The ids of the reasons, the worst first.
fn ids(reports: &[Report]) -> Vec<&str> {
    reports.iter().map(|report| report.id.as_str()).collect()
}

#[track_caller]
fn expect(name: &str, source: &Facts, target: &Target, now: Option<u64>, outcome: Outcome, expected: &[&str]) {
    let (found, reports) = told(source, target, now);
    assert_eq!((found, ids(&reports)), (outcome, expected.to_vec()), "{name}");
}

// Values in few letters: the tables below are read across.

fn leak(value: Result<OwnedValue, crate::attribute::Malformed>) -> Value<'static> {
    Box::leak(Box::new(value.expect("a value"))).value()
}

const fn text(text: &'static str) -> Value<'static> {
    Value::Text(Text::constant(text))
}

const fn uint(number: u64) -> Value<'static> {
    Value::Uint(number)
}

const fn version(major: u32, minor: u32, patch: u32) -> Value<'static> {
    Value::Version(Version { major, minor, patch })
}

const fn part(vendor: u16, device: u16) -> Value<'static> {
    Value::PciId(PciId { vendor, device })
}

fn ratio(numerator: u32, denominator: u32) -> Value<'static> {
    Value::Ratio(Ratio::new(numerator, denominator).expect("lowest terms"))
}

fn mask(bytes: &'static [u8]) -> Value<'static> {
    Value::Mask(Mask::new(bytes).expect("shortest form"))
}

fn set(members: &[Value<'static>]) -> Value<'static> {
    leak(OwnedValue::set(members[0].kind(), members))
}

fn map(pairs: &[(&str, &str)]) -> Value<'static> {
    leak(OwnedValue::map(pairs))
}

const UNKNOWN: Value<'static> = Value::Unknown;
const MOST: u64 = u64::MAX;

/// A value of each type.
fn one_of_each() -> Vec<Value<'static>> {
    vec![
        Value::Bool(true),
        uint(1),
        text("a"),
        Value::Bytes(&[1]),
        version(1, 0, 0),
        Value::Range(1, 1),
        mask(&[1]),
        set(&[uint(1)]),
        ratio(1, 1),
        part(1, 1),
        map(&[("a", "b")]),
        UNKNOWN,
    ]
}

fn compared(compare: &Compare, source: Value<'static>, target: Value<'static>) -> Comparison {
    let nothing = Facts(Vec::new());
    compare_values(compare, &Pair { source, target, of_source: &nothing, of_target: &nothing, replaced: &|_| false })
}

fn refuse_odd(pair: &Pair<'_>) -> Comparison {
    match (pair.source, pair.of_target.value(NAME)) {
        (Value::Uint(number), _) if number % 2 == 1 => Comparison::Mismatch(reasons::REFUSED),
        (_, Some(_)) => Comparison::MatchWithNote(reasons::MORE_CAPACITY),
        _ => Comparison::Match,
    }
}

#[test]
fn a_demand_is_told_from_pairs_that_hold() {
    use Compare::{AtLeast, Branch, Equal, Ignore, InRange, Is, NotPair, OneOf, Own, SameCapacity, Subset, Version};
    let mut told = 0;
    for compare in [
        Equal,
        OneOf,
        InRange,
        Subset,
        AtLeast,
        Version,
        Branch { newer: 1 },
        Is(uint(1)),
        NotPair(ONE_TWO),
        SameCapacity(&[]),
        Own(refuse_odd),
        Ignore,
    ] {
        for value in one_of_each().into_iter().filter(|value| compare.takes_its_like(*value)) {
            assert_eq!(compared(&compare, value, value), Comparison::Match, "{compare:?} {value}");
            told += 1;
        }
    }
    assert_eq!(told, 11 + 11 + 2 + 3 + 3 + 1 + 1 + 1);
}

static PAIRS: &[(Value<'static>, Value<'static>)] =
    &[(version(16, 0, 0), version(17, 0, 0)), (version(17, 1, 0), version(16, 2, 0))];

static ONE_TWO: &[(Value<'static>, Value<'static>)] = &[(uint(1), uint(2))];

#[test]
fn comparisons() {
    use Compare::{AtLeast, Branch, Equal, Ignore, InRange, Is, NotPair, OneOf, Own, Subset};
    let (yes, no) = (true, false);
    let range = Value::Range;
    let three = set(&[uint(1), uint(3), uint(MOST)]);
    let names = set(&[text("a"), text("b")]);
    let parts = set(&[part(0x8086, 0x4941), part(0x8086, 0x4943)]);
    let cases: Vec<(&str, Compare, Value, Value, bool)> = vec![
        ("equal: bool", Equal, Value::Bool(true), Value::Bool(true), yes),
        ("equal: bool, other", Equal, Value::Bool(false), Value::Bool(true), no),
        ("equal: uint, below", Equal, uint(MOST - 1), uint(MOST), no),
        ("equal: text, a prefix", Equal, text("mtty-1"), text("mtty-11"), no),
        ("equal: text, case", Equal, text("A"), text("a"), no),
        ("equal: version, patch", Equal, version(1, 0, 0), version(1, 0, 1), no),
        ("equal: range and its number", Equal, uint(1), range(1, 1), no),
        ("equal: set and its member", Equal, uint(1), set(&[uint(1)]), no),
        ("equal: set, members of another type", Equal, set(&[uint(1)]), set(&[text("1")]), no),
        ("equal: map, value", Equal, map(&[("a", "1")]), map(&[("a", "2")]), no),
        ("one-of: uint, first", OneOf, uint(1), three, yes),
        ("one-of: uint, between", OneOf, uint(2), three, no),
        ("one-of: uint, last", OneOf, uint(MOST), three, yes),
        ("one-of: uint, before last", OneOf, uint(MOST - 1), three, no),
        ("one-of: text", OneOf, text("b"), names, yes),
        ("one-of: text, absent", OneOf, text("c"), names, no),
        ("one-of: text, a member's prefix", OneOf, text("a"), set(&[text("ab")]), no),
        ("one-of: pci", OneOf, part(0x8086, 0x4943), parts, yes),
        ("one-of: pci, beside", OneOf, part(0x8086, 0x4942), parts, no),
        ("one-of: another member type", OneOf, text("1"), three, no),
        ("one-of: the same set", OneOf, three, three, yes),
        ("one-of: a part of the set", OneOf, set(&[uint(1)]), three, no),
        ("one-of: a value for a set", OneOf, uint(1), uint(1), yes),
        ("one-of: another value for a set", OneOf, uint(1), uint(2), no),
        ("one-of: the set is the source's", OneOf, three, uint(1), no),
        ("in-range: below", InRange, uint(9), range(10, 14), no),
        ("in-range: low", InRange, uint(10), range(10, 14), yes),
        ("in-range: high", InRange, uint(14), range(10, 14), yes),
        ("in-range: above", InRange, uint(15), range(10, 14), no),
        ("in-range: 0 of all", InRange, uint(0), range(0, MOST), yes),
        ("in-range: most of all", InRange, uint(MOST), range(0, MOST), yes),
        ("in-range: range, same", InRange, range(10, 14), range(10, 14), yes),
        ("in-range: range, within", InRange, range(11, 13), range(10, 14), yes),
        ("in-range: range, one below", InRange, range(9, 14), range(10, 14), no),
        ("in-range: range, one above", InRange, range(10, 15), range(10, 14), no),
        ("in-range: the only number", InRange, uint(10), uint(10), yes),
        ("in-range: another number", InRange, uint(11), uint(10), no),
        ("in-range: the range is the source's", InRange, range(10, 10), uint(10), no),
        ("in-range: text", InRange, text("10"), range(10, 14), no),
        ("subset: mask, same", Subset, mask(&[0x67]), mask(&[0x67]), yes),
        ("subset: mask, fewer bits", Subset, mask(&[0x66]), mask(&[0x67]), yes),
        ("subset: mask, one bit more", Subset, mask(&[0x6f]), mask(&[0x67]), no),
        ("subset: mask, empty", Subset, mask(&[0]), mask(&[0x67]), yes),
        ("subset: mask, into empty", Subset, mask(&[1]), mask(&[0]), no),
        ("subset: mask, longer target", Subset, mask(&[1]), mask(&[1, 1]), yes),
        ("subset: mask, longer source", Subset, mask(&[1, 1]), mask(&[1]), no),
        ("subset: set", Subset, set(&[uint(1), uint(3)]), three, yes),
        ("subset: set, turned round", Subset, three, set(&[uint(1), uint(3)]), no),
        ("subset: set, one more", Subset, set(&[uint(1), uint(2)]), three, no),
        ("subset: set, another member type", Subset, set(&[text("a")]), three, no),
        ("subset: map", Subset, map(&[("a", "1")]), map(&[("a", "1"), ("b", "2")]), yes),
        ("subset: map, turned round", Subset, map(&[("a", "1"), ("b", "2")]), map(&[("a", "1")]), no),
        ("subset: map, another value", Subset, map(&[("a", "2")]), map(&[("a", "1"), ("b", "2")]), no),
        ("subset: a member alone", Subset, uint(1), three, no),
        ("at-least: uint, one below", AtLeast, uint(5), uint(4), no),
        ("at-least: uint, same", AtLeast, uint(5), uint(5), yes),
        ("at-least: uint, one above", AtLeast, uint(5), uint(6), yes),
        ("at-least: uint, ends", AtLeast, uint(0), uint(MOST), yes),
        ("at-least: ratio, same", AtLeast, ratio(1, 2), ratio(1, 2), yes),
        ("at-least: ratio, above", AtLeast, ratio(1, 3), ratio(1, 2), yes),
        ("at-least: ratio, below", AtLeast, ratio(1, 2), ratio(1, 3), no),
        ("at-least: ratio, wide", AtLeast, ratio(u32::MAX, u32::MAX - 1), ratio(u32::MAX - 1, u32::MAX - 2), yes),
        (
            "at-least: ratio, wide, turned",
            AtLeast,
            ratio(u32::MAX - 1, u32::MAX - 2),
            ratio(u32::MAX, u32::MAX - 1),
            no,
        ),
        ("at-least: version, patch below", AtLeast, version(1, 2, 3), version(1, 2, 2), no),
        ("at-least: version, same", AtLeast, version(1, 2, 3), version(1, 2, 3), yes),
        ("at-least: version, major above", AtLeast, version(1, 2, 3), version(2, 0, 0), yes),
        ("at-least: other types", AtLeast, uint(1), version(2, 0, 0), no),
        ("version: same", Compare::Version, version(1, 2, 3), version(1, 2, 3), yes),
        ("version: patch ignored", Compare::Version, version(1, 2, 9), version(1, 2, 0), yes),
        ("version: minor above", Compare::Version, version(1, 2, 9), version(1, 3, 0), yes),
        ("version: minor below", Compare::Version, version(1, 2, 0), version(1, 1, 9), no),
        ("version: major above", Compare::Version, version(1, 2, 0), version(2, 2, 0), no),
        ("version: major below", Compare::Version, version(2, 2, 0), version(1, 2, 0), no),
        ("version: ends", Compare::Version, version(u32::MAX, 0, 0), version(u32::MAX, u32::MAX, 0), yes),
        ("branch: same", Branch { newer: 1 }, version(16, 9, 0), version(16, 0, 0), yes),
        ("branch: one newer", Branch { newer: 1 }, version(16, 0, 0), version(17, 0, 0), yes),
        ("branch: two newer", Branch { newer: 1 }, version(16, 0, 0), version(18, 0, 0), no),
        ("branch: older", Branch { newer: 1 }, version(17, 0, 0), version(16, 0, 0), no),
        ("branch: none newer", Branch { newer: 0 }, version(16, 0, 0), version(17, 0, 0), no),
        ("branch: any newer", Branch { newer: u32::MAX }, version(0, 0, 0), version(u32::MAX, 0, 0), yes),
        ("is: both", Is(uint(1)), uint(1), uint(1), yes),
        ("is: source only", Is(uint(1)), uint(1), uint(2), no),
        ("is: target only", Is(uint(1)), uint(2), uint(1), no),
        ("is: equal, but another", Is(uint(1)), uint(2), uint(2), no),
        ("is: other types", Is(uint(1)), text("1"), text("1"), no),
        ("not-pair: excluded", NotPair(PAIRS), version(16, 0, 0), version(17, 0, 0), no),
        ("not-pair: the other one", NotPair(PAIRS), version(17, 1, 0), version(16, 2, 0), no),
        ("not-pair: turned round", NotPair(PAIRS), version(17, 0, 0), version(16, 0, 0), yes),
        ("not-pair: one of them", NotPair(PAIRS), version(16, 0, 0), version(16, 2, 0), yes),
        ("not-pair: patch counts", NotPair(PAIRS), version(16, 0, 1), version(17, 0, 0), yes),
        ("not-pair: of no pairs", NotPair(&[]), version(16, 0, 0), version(17, 0, 0), yes),
        ("not-pair: other source type", NotPair(PAIRS), text("16"), version(17, 0, 0), no),
        ("not-pair: other target type", NotPair(PAIRS), version(16, 0, 0), uint(17), no),
        ("own: even", Own(refuse_odd), uint(2), uint(2), yes),
        ("own: odd", Own(refuse_odd), uint(3), uint(3), no),
        ("ignore", Ignore, uint(1), text("b"), yes),
        ("ignore: not reported", Ignore, UNKNOWN, text("b"), yes),
    ];
    for (name, compare, source, target, expected) in &cases {
        assert_eq!(compared(compare, *source, *target) == Comparison::Match, *expected, "{name}");
    }
}

#[test]
fn types_that_a_comparison_does_not_know_do_not_match() {
    use Type::{Map, Mask, PciId, Range, Ratio, Set, Text, Uint, Unknown, Version};
    // Of values of equal types, one each: which of them match themselves.
    let cases: Vec<(&str, Compare, &[Type], ReasonId)> = vec![
        ("in-range", Compare::InRange, &[Uint, Range], reasons::NOT_IN_RANGE),
        ("subset", Compare::Subset, &[Mask, Set, Map], reasons::NOT_SUBSET),
        ("at-least", Compare::AtLeast, &[Uint, Ratio, Version], reasons::NOT_AT_LEAST),
        ("version", Compare::Version, &[Version], reasons::VERSION),
        ("branch", Compare::Branch { newer: 9 }, &[Version], reasons::BRANCH),
        ("is", Compare::Is(part(1, 1)), &[PciId], reasons::NOT_IS),
        ("is not reported", Compare::Is(UNKNOWN), &[], reasons::NOT_IS),
        ("not-pair", Compare::NotPair(PAIRS), &[Version], reasons::EXCLUDED_PAIR),
        ("same-capacity", Compare::SameCapacity(GRAPHICS), &[Text], reasons::NOT_SAME_CAPACITY),
    ];
    let known = |kinds: &[Type], value: Value<'_>| kinds.contains(&value.kind());
    for (name, compare, kinds, id) in cases {
        for value in one_of_each() {
            let expected = if known(kinds, value) { Comparison::Match } else { Comparison::Mismatch(id) };
            assert_eq!(compared(&compare, value, value), expected, "{name}: {}", value.kind().name());
        }
    }
    for value in one_of_each() {
        for other in one_of_each() {
            let same = value.kind() == other.kind() && value.kind() != Unknown;
            let expected = if same { Comparison::Match } else { Comparison::Mismatch(reasons::NOT_EQUAL) };
            assert_eq!(compared(&Compare::Equal, value, other), expected, "equal: {value:?} {other:?}");
            let member = value == uint(1) && other.kind() == Set;
            let expected = if same || member { Comparison::Match } else { Comparison::Mismatch(reasons::NOT_ONE_OF) };
            assert_eq!(compared(&Compare::OneOf, value, other), expected, "one-of: {value:?} {other:?}");
        }
    }
}

// Intel GVT-g: graphics memory scales with the aggregation; fence, weight and resolution belong to the type.

const fn memory(name: &'static str, amount: u64) -> Resource {
    Resource { name, amount, scales: true, essential: true }
}

const fn fixed(name: &'static str, amount: u64, essential: bool) -> Resource {
    Resource { name, amount, scales: false, essential }
}

macro_rules! graphics {
    ($low:literal, $high:literal, $weight:literal, $pixels:literal) => {
        &[
            memory("low_gm", $low),
            memory("high_gm", $high),
            fixed("fence", 4, true),
            fixed("resolution", $pixels, true),
            fixed("weight", $weight, false),
        ]
    };
}

static GRAPHICS: &[Capacity] = &[
    Capacity { mdev_type: "V5_8", resources: graphics!(64, 384, 2, 786_432) },
    Capacity { mdev_type: "V5_4", resources: graphics!(128, 512, 4, 2_304_000) },
    Capacity { mdev_type: "V5_2", resources: graphics!(256, 1024, 8, 2_304_000) },
    Capacity { mdev_type: "V5_1", resources: graphics!(512, 2048, 16, 2_304_000) },
    Capacity { mdev_type: "extra essential", resources: &[memory("memory", 8), fixed("engines", 1, true)] },
    Capacity { mdev_type: "extra other", resources: &[memory("memory", 8), fixed("weight", 1, false)] },
    Capacity { mdev_type: "plain", resources: &[memory("memory", 8)] },
    Capacity { mdev_type: "plain too", resources: &[memory("memory", 8)] },
    Capacity { mdev_type: "essential here", resources: &[fixed("memory", 7, true)] },
    Capacity { mdev_type: "not there", resources: &[fixed("memory", 8, false)] },
    Capacity { mdev_type: "nothing", resources: &[] },
    Capacity { mdev_type: "vast", resources: &[memory("memory", MOST)] },
];

#[test]
fn same_capacity() {
    const OK: &[&str] = &[];
    const NOTE: &[&str] = &["mdev_type.more-capacity"];
    const NO: &[&str] = &["mdev_type.not-same-capacity"];
    const OPEN: &[&str] = &["aggregation.not-reported-yet"];
    let one = Some(uint(1));
    let n = |number| Some(uint(number));
    let cases = [
        ("equal", "V5_4", n(2), "V5_4", n(2), OK),
        ("equal, 1 said and not said", "V5_4", one, "V5_4", None, OK),
        ("equal type, other aggregation", "V5_4", n(2), "V5_4", n(3), NO),
        ("equal type, 2 and not said", "V5_4", n(2), "V5_4", None, NO),
        ("two of a quarter into a half", "V5_4", n(2), "V5_2", one, NOTE),
        ("a half into two of a quarter", "V5_2", one, "V5_4", n(2), NOTE),
        ("four of a quarter into a whole", "V5_4", n(4), "V5_1", one, NOTE),
        ("equal ratio, other memory", "V5_8", n(4), "V5_4", n(2), NO),
        ("equal ratio, other memory, turned round", "V5_4", n(2), "V5_8", n(4), NO),
        ("a quarter into a half", "V5_4", one, "V5_2", one, NO),
        ("unknown type, equal", "V9_9", n(3), "V9_9", n(3), OK),
        ("unknown type, other aggregation", "V9_9", n(3), "V9_9", n(2), NO),
        ("unknown type of the source", "V9_9", one, "V5_4", one, NO),
        ("unknown type of the target", "V5_4", one, "V9_9", one, NO),
        ("product overflows on one side", "V5_4", n(MOST), "V5_2", one, NO),
        ("product overflows on both", "V5_4", n(MOST), "V5_2", n(MOST), NO),
        ("vast, not multiplied", "vast", one, "vast", None, OK),
        ("overflow, but the same", "vast", n(2), "vast", n(2), OK),
        ("essential only in the source's type", "extra essential", one, "plain", one, NO),
        ("essential only in the target's type", "plain", one, "extra essential", one, NO),
        ("other only in the source's type", "extra other", one, "plain", one, NOTE),
        ("other only in the target's type", "plain", one, "extra other", one, NOTE),
        ("overflow that would wrap round to the same", "plain", n((1 << 61) + 1), "plain too", one, NO),
        ("overflow of the target's that would wrap", "plain", one, "plain too", n((1 << 61) + 1), NO),
        ("another name of the same", "plain", n(3), "plain too", n(3), OK),
        ("essential to the source only, differs", "essential here", one, "not there", one, NO),
        ("essential to the target only, differs", "not there", one, "essential here", one, NO),
        ("essential to one, equal", "plain", one, "not there", one, OK),
        ("nothing into something", "nothing", one, "plain", one, NO),
        ("something into nothing", "plain", one, "nothing", one, NO),
        ("source's aggregation not reported", "V5_4", Some(UNKNOWN), "V5_4", one, OPEN),
        ("target's aggregation not reported", "V5_4", one, "V5_2", Some(UNKNOWN), OPEN),
    ];
    for (name, source, of_source, target, of_target, expected) in cases {
        let side = |kind, number: Option<Value<'static>>| {
            let mut of = vec![(MDEV_TYPE, text(kind))];
            of.extend(number.map(|number| (AGGREGATION, number)));
            of
        };
        let rules = vec![of(MDEV_TYPE, Compare::SameCapacity(GRAPHICS))];
        let target = toy(rules, &side(target, of_target));
        let (_, reports) = told(&facts("toy", &side(source, of_source)), &target, None);
        assert_eq!(ids(&reports), expected, "{name}");
    }
}

fn owned(values: &[Value<'static>]) -> Vec<OwnedValue> {
    values.iter().map(|value| value.to_owned()).collect()
}

#[test]
fn mismatches_and_settings() {
    use Mismatch::{Administrator, Refuse};
    use Outcome::{Fixable, Incompatible, Unknown};
    let range = Some(Allowed::Range(1, 8));
    let listed = |values: &[Value<'static>]| Some(Allowed::OneOf(owned(values)));
    let all = Some(Allowed::Any);
    let count = |compare| of(COUNT, compare);
    let cases: Vec<(&str, Rule, Mismatch, Value, Value, Option<Allowed>, Outcome, &str, Option<&str>)> = vec![
        ("refuse", count(Compare::Equal), Refuse, uint(2), uint(1), None, Incompatible, "count.not-equal", None),
        ("asked", count(Compare::Equal), Administrator, uint(2), uint(1), None, Unknown, "count.needs-assertion", None),
        ("range", count(Compare::Equal), Refuse, uint(2), uint(1), range.clone(), Fixable, "count.set", Some("2")),
        (
            "range, asked",
            count(Compare::Equal),
            Administrator,
            uint(2),
            uint(1),
            range.clone(),
            Fixable,
            "count.set",
            Some("2"),
        ),
        ("range, low", count(Compare::Equal), Refuse, uint(1), uint(2), range.clone(), Fixable, "count.set", Some("1")),
        (
            "range, high",
            count(Compare::Equal),
            Refuse,
            uint(8),
            uint(2),
            range.clone(),
            Fixable,
            "count.set",
            Some("8"),
        ),
        (
            "below",
            count(Compare::Equal),
            Refuse,
            uint(0),
            uint(2),
            range.clone(),
            Incompatible,
            "count.not-equal",
            None,
        ),
        (
            "above",
            count(Compare::Equal),
            Refuse,
            uint(9),
            uint(2),
            range.clone(),
            Incompatible,
            "count.not-equal",
            None,
        ),
        (
            "above, asked",
            count(Compare::Equal),
            Administrator,
            uint(9),
            uint(2),
            range.clone(),
            Unknown,
            "count.needs-assertion",
            None,
        ),
        (
            "listed",
            count(Compare::Equal),
            Refuse,
            uint(4),
            uint(2),
            listed(&[uint(2), uint(4)]),
            Fixable,
            "count.set",
            Some("4"),
        ),
        (
            "not listed",
            count(Compare::Equal),
            Refuse,
            uint(3),
            uint(2),
            listed(&[uint(2), uint(4)]),
            Incompatible,
            "count.not-equal",
            None,
        ),
        ("any", count(Compare::Equal), Refuse, uint(64), uint(2), all.clone(), Fixable, "count.set", Some("64")),
        (
            "any, but no device has it",
            count(Compare::Equal),
            Refuse,
            uint(65),
            uint(2),
            all.clone(),
            Incompatible,
            "count.not-equal",
            None,
        ),
        (
            "range, inverted",
            count(Compare::Equal),
            Refuse,
            uint(3),
            uint(2),
            Some(Allowed::Range(8, 1)),
            Incompatible,
            "count.not-equal",
            None,
        ),
        ("at-least", count(Compare::AtLeast), Refuse, uint(5), uint(2), range.clone(), Fixable, "count.set", Some("5")),
        (
            "is, the source has it",
            count(Compare::Is(uint(3))),
            Refuse,
            uint(3),
            uint(2),
            range.clone(),
            Fixable,
            "count.set",
            Some("3"),
        ),
        (
            "is, the source has not",
            count(Compare::Is(uint(3))),
            Refuse,
            uint(4),
            uint(3),
            range.clone(),
            Incompatible,
            "count.not-is",
            None,
        ),
        (
            "own, no setting helps",
            count(Compare::Own(refuse_odd)),
            Refuse,
            uint(5),
            uint(2),
            all.clone(),
            Incompatible,
            "count.refused",
            None,
        ),
        ("text", of(NAME, Compare::Equal), Refuse, text("b"), text("a"), all.clone(), Fixable, "name.set", Some("b")),
        (
            "a number of no range",
            of(NAME, Compare::Equal),
            Refuse,
            text("b"),
            text("a"),
            range,
            Incompatible,
            "name.not-equal",
            None,
        ),
        (
            "a set is not set to a member",
            Rule { source: COUNT, ..of(CHOICES, Compare::OneOf) },
            Refuse,
            uint(5),
            set(&[uint(1)]),
            all,
            Incompatible,
            "count.not-one-of",
            None,
        ),
    ];
    for (name, row, mismatch, source, target, allowed, outcome, id, value) in cases {
        let (of_source, of_target) = (row.source, row.target);
        let mut target = toy(vec![Rule { mismatch, ..row }], &[(of_target, target)]);
        target.settable.extend(allowed.map(|allowed| Settable {
            attribute: of_target,
            allowed,
            path: "mdev/knob".to_string(),
        }));
        let (found, reports) = told(&facts("toy", &[(of_source, source)]), &target, None);
        assert_eq!((found, ids(&reports)), (outcome, vec![id]), "{name}");
        let expected = value.map(|value| ("mdev/knob".to_string(), value.to_string()));
        assert_eq!(reports[0].set, expected, "{name}");
        if let Some(value) = value {
            assert!(reports[0].text.contains(&format!("; set mdev/knob to {value}")), "{name}: {}", reports[0].text);
        }
    }
}

#[test]
fn an_aggregation_is_set_where_it_makes_the_capacity_equal() {
    let n = |number| Some(uint(number));
    let cases: [(&str, &str, Option<Value>, &str, Option<Value>, Option<&str>); 10] = [
        ("same type", "V5_4", n(2), "V5_4", n(1), Some("2")),
        ("same type, target does not say", "V5_4", n(2), "V5_4", None, Some("2")),
        ("same type, target not reported", "V5_4", n(2), "V5_4", Some(UNKNOWN), Some("2")),
        ("same type, source does not say", "V5_4", None, "V5_4", n(2), Some("1")),
        ("same type, beyond what can be set", "V5_4", n(9), "V5_4", n(1), None),
        ("another type", "V5_4", n(4), "V5_2", n(1), Some("2")),
        ("another type, no whole number", "V5_4", n(3), "V5_2", n(1), None),
        ("another type, the rest differs", "V5_8", n(4), "V5_4", n(1), None),
        ("another type, overflow", "V5_4", n(MOST), "V5_2", n(1), None),
        ("unknown type", "V9_9", n(2), "V5_4", n(1), None),
    ];
    for (name, source, of_source, target, of_target, value) in cases {
        let side = |kind, number: Option<Value<'static>>| {
            let mut of = vec![(MDEV_TYPE, text(kind))];
            of.extend(number.map(|number| (AGGREGATION, number)));
            of
        };
        let mut target = toy(vec![of(MDEV_TYPE, Compare::SameCapacity(GRAPHICS))], &side(target, of_target));
        let path = "mdev/aggregation".to_string();
        target.settable = vec![Settable { attribute: AGGREGATION, allowed: Allowed::Range(1, 8), path: path.clone() }];
        let (outcome, reports) = told(&facts("toy", &side(source, of_source)), &target, None);
        let expected = value.map(|value| (path, value.to_string()));
        assert_eq!(reports[0].set, expected, "{name}");
        let id = if value.is_some() { "aggregation.set" } else { "mdev_type.not-same-capacity" };
        assert_eq!((outcome == Outcome::Fixable, ids(&reports)), (value.is_some(), vec![id]), "{name}");
    }
}

#[test]
fn settings_that_contradict_the_target_are_none() {
    let cases = [
        (
            "the type fixes the ports",
            mtty::NR_PORTS,
            (MDEV_TYPE, text("mtty-2")),
            (mtty::NR_PORTS, uint(1)),
            "nr_ports.not-equal",
        ),
        (
            "ports alone can be set",
            mtty::NR_PORTS,
            (mtty::NR_PORTS, uint(2)),
            (mtty::NR_PORTS, uint(1)),
            "nr_ports.set",
        ),
        ("no such type", MDEV_TYPE, (MDEV_TYPE, text("mtty-2")), (MDEV_TYPE, text("mtty-3")), "mdev_type.not-equal"),
    ];
    for (name, settable, target, source, id) in cases {
        let mut target = target_of(&mtty::RULES, &[target]).expect("a target");
        target.settable = vec![Settable { attribute: settable, allowed: Allowed::Any, path: "knob".to_string() }];
        let (_, reports) = told(&facts("mtty", &[source]), &target, None);
        assert_eq!(reports[0].id, id, "{name}");
    }
}

const NONE: &[&str] = &[];

/// What a side's absence and a value that is not reported come to, when the other side has one.
fn absences() -> Vec<(&'static str, Absent, &'static [&'static str], &'static [&'static str])> {
    vec![
        ("ignore", Absent::Ignore, NONE, NONE),
        ("note", Absent::Note, &["count.absent"], &["count.absent"]),
        ("unknown", Absent::Unknown, &["count.not-in-profile"], &["count.not-reported-yet"]),
        ("administrator", Absent::Administrator, &["count.needs-assertion"], &["count.needs-assertion"]),
        ("refuse", Absent::Refuse, &["count.missing"], &["count.not-reported-yet"]),
        ("default, equal", Absent::Default(uint(2)), NONE, &["count.not-reported-yet"]),
        ("default, other", Absent::Default(uint(3)), &["count.not-equal"], &["count.not-reported-yet"]),
    ]
}

#[test]
fn absence_on_one_side() {
    let has = [(COUNT, uint(2))];
    let lacks: [(AttributeId, Value<'static>); 0] = [];
    let open = [(COUNT, UNKNOWN)];
    for (name, absent, if_absent, if_open) in absences() {
        // The other side's column must not matter.
        for other in [Absent::Refuse, Absent::Ignore] {
            let source = || vec![Rule { source_absent: absent, target_absent: other, ..ROW }];
            let target = || vec![Rule { source_absent: other, target_absent: absent, ..ROW }];
            let check = |what: &str, of_source: &[_], target: &Target, expected: &[&str]| {
                let (_, reports) = told(&facts("toy", of_source), target, None);
                assert_eq!(ids(&reports), expected, "{name}: {what}");
            };
            check("source absent", &lacks, &toy(source(), &has), if_absent);
            check("source not reported", &open, &toy(source(), &has), if_open);
            check("target absent", &has, &toy(target(), &lacks), if_absent);
            check("target not reported", &has, &toy(target(), &open), if_open);
        }
    }
}

#[test]
fn absence_on_both_sides() {
    use Absent::{Administrator, Default, Ignore, Note, Refuse, Unknown};
    let cases: [(&str, Absent, Absent, &[&str]); 16] = [
        ("passed over by the source", Ignore, Refuse, NONE),
        ("noted by the source", Note, Refuse, &["count.absent"]),
        ("said once", Unknown, Unknown, &["count.not-in-profile"]),
        ("said once, refused", Refuse, Refuse, &["count.missing"]),
        ("the worse counts", Unknown, Refuse, &["count.missing", "count.not-in-profile"]),
        ("the worse counts, turned round", Refuse, Unknown, &["count.missing", "count.not-in-profile"]),
        ("the source's stands", Unknown, Ignore, &["count.not-in-profile"]),
        ("the source's stands beside a note", Unknown, Note, &["count.not-in-profile", "count.absent"]),
        ("asked once", Administrator, Administrator, &["count.needs-assertion"]),
        ("asked, and lacking", Administrator, Unknown, &["count.needs-assertion", "count.not-in-profile"]),
        ("lacking, and asked", Unknown, Administrator, &["count.needs-assertion", "count.not-in-profile"]),
        ("equal defaults", Default(uint(1)), Default(uint(1)), NONE),
        ("other defaults", Default(uint(1)), Default(uint(2)), &["count.not-equal"]),
        ("a default, and lacking", Default(uint(1)), Unknown, &["count.not-in-profile"]),
        ("a default, and refused", Default(uint(1)), Refuse, &["count.missing"]),
        ("a default, and passed over", Default(uint(1)), Ignore, NONE),
    ];
    for (name, source_absent, target_absent, expected) in cases {
        let target = toy(vec![Rule { source_absent, target_absent, ..ROW }], &[]);
        let (_, reports) = told(&facts("toy", &[]), &target, None);
        assert_eq!(ids(&reports), expected, "{name}");
    }
    for (name, absent, _, if_open) in absences() {
        let target = toy(vec![Rule { source_absent: absent, target_absent: absent, ..ROW }], &[(COUNT, UNKNOWN)]);
        let (_, reports) = told(&facts("toy", &[(COUNT, UNKNOWN)]), &target, None);
        assert_eq!(ids(&reports), if_open, "{name}: neither reported");
    }
}

#[test]
fn conditions() {
    use When::{All, Any, BothHave, EitherHas, Not, SourceIs, TargetIs};
    const LIVE: Value<'static> = text("live");
    const SOURCE_LIVE: When = SourceIs(MODE, LIVE);
    const TARGET_LIVE: When = TargetIs(MODE, LIVE);
    const ASKED: &[&str] = &["count.not-equal"];
    const PASSED: &[&str] = &[];
    let live = || Some(LIVE);
    let cold = || Some(text("cold"));
    let open = || Some(UNKNOWN);
    let cases = [
        ("source is", SOURCE_LIVE, live(), None, ASKED),
        ("source is another", SOURCE_LIVE, cold(), live(), PASSED),
        ("source has none", SOURCE_LIVE, None, live(), PASSED),
        ("source has not reported", SOURCE_LIVE, open(), live(), PASSED),
        ("source not reported, asked for", SourceIs(MODE, UNKNOWN), open(), None, ASKED),
        ("source reported, not asked for", SourceIs(MODE, UNKNOWN), live(), None, PASSED),
        ("target is", TARGET_LIVE, None, live(), ASKED),
        ("target is another", TARGET_LIVE, live(), cold(), PASSED),
        ("target has not reported", TARGET_LIVE, live(), open(), PASSED),
        ("both have", BothHave(MODE), live(), cold(), ASKED),
        ("both have, one not reported", BothHave(MODE), live(), open(), ASKED),
        ("source lacks", BothHave(MODE), None, live(), PASSED),
        ("target lacks", BothHave(MODE), live(), None, PASSED),
        ("only the source has", EitherHas(MODE), live(), None, ASKED),
        ("only the target has, not reported", EitherHas(MODE), None, open(), ASKED),
        ("neither has", EitherHas(MODE), None, None, PASSED),
        ("all", All(&[SOURCE_LIVE, TARGET_LIVE]), live(), live(), ASKED),
        ("all but one", All(&[SOURCE_LIVE, TARGET_LIVE]), live(), cold(), PASSED),
        ("all of none", All(&[]), None, None, ASKED),
        ("all, one open", All(&[SOURCE_LIVE, TARGET_LIVE]), open(), live(), PASSED),
        ("all, one open, one not", All(&[SOURCE_LIVE, TARGET_LIVE]), open(), cold(), PASSED),
        ("any", Any(&[SOURCE_LIVE, TARGET_LIVE]), cold(), live(), ASKED),
        ("none of any", Any(&[SOURCE_LIVE, TARGET_LIVE]), cold(), cold(), PASSED),
        ("any of none", Any(&[]), live(), live(), PASSED),
        ("any, one open", Any(&[SOURCE_LIVE, TARGET_LIVE]), open(), cold(), PASSED),
        ("any, one open, one holds", Any(&[SOURCE_LIVE, TARGET_LIVE]), open(), live(), ASKED),
        ("not", Not(&SOURCE_LIVE), live(), None, PASSED),
        ("not another", Not(&SOURCE_LIVE), cold(), None, ASKED),
        ("not, absent", Not(&SOURCE_LIVE), None, None, ASKED),
        ("not, open", Not(&SOURCE_LIVE), open(), None, ASKED),
    ];
    for (name, when, source, target, expected) in cases {
        let side = |number, mode: Option<Value<'static>>| {
            let mut of = vec![(COUNT, uint(number))];
            of.extend(mode.map(|mode| (MODE, mode)));
            of
        };
        let target = toy(vec![Rule { when: Some(when), ..ROW }], &side(2, target));
        let (_, reports) = told(&facts("toy", &side(1, source)), &target, None);
        assert_eq!(ids(&reports), expected, "{name}");
    }
}

fn accept(attribute: AttributeId, compare: Compare, operand: Operand) -> Accept {
    Accept { attribute, compare, operand, source: "release note 7".to_string(), driver_versions: None }
}

const fn triple(major: u32, minor: u32, patch: u32) -> Version {
    Version { major, minor, patch }
}

#[test]
fn overrides_and_their_scope() {
    const TAKEN: &[&str] = &["count.accepted-by-target"];
    const BESIDE: &[&str] = &["count.not-equal", "count.accept-out-of-scope"];
    let upward = Some((triple(1, 4, 0), None));
    let between = Some((triple(1, 4, 0), Some(triple(1, 6, 0))));
    let at = |major, minor, patch| Some(version(major, minor, patch));
    let (spec, driver) = (SPECIFICATION, DRIVERS);
    let note = Origin { kind: OriginKind::ReleaseNote, ..SPECIFICATION };
    let cases = [
        ("specification, at once", spec, None, None, TAKEN),
        ("release note, at once", note, None, None, TAKEN),
        ("specification, scope met", spec, upward, at(1, 4, 0), TAKEN),
        ("specification, scope not met", spec, upward, at(1, 3, 9), BESIDE),
        ("specification, scope and no driver_version", spec, upward, None, BESIDE),
        ("driver, no scope", driver, None, at(1, 5, 0), BESIDE),
        ("driver, below", driver, upward, at(1, 3, 9), BESIDE),
        ("driver, at", driver, upward, at(1, 4, 0), TAKEN),
        ("driver, above", driver, upward, at(9, 0, 0), TAKEN),
        ("driver, between: below", driver, between, at(1, 3, 99), BESIDE),
        ("driver, between: first", driver, between, at(1, 4, 0), TAKEN),
        ("driver, between: within", driver, between, at(1, 5, 7), TAKEN),
        ("driver, between: last", driver, between, at(1, 6, 0), TAKEN),
        ("driver, between: beyond", driver, between, at(1, 6, 1), BESIDE),
        ("driver, target has none", driver, upward, None, BESIDE),
        ("driver, target has not reported", driver, upward, Some(UNKNOWN), BESIDE),
    ];
    for (name, origin, scope, driver_version, expected) in cases {
        let mut of = vec![(COUNT, uint(2))];
        of.extend(driver_version.map(|version| (DRIVER_VERSION, version)));
        let mut target = toy(vec![Rule { origin, ..ROW }], &of);
        target.set_accepts(vec![Accept {
            driver_versions: scope,
            ..accept(COUNT, Compare::InRange, Operand::Value(Value::Range(1, 4).to_owned()))
        }]);
        let (_, reports) = told(&facts("toy", &[(COUNT, uint(3))]), &target, None);
        assert_eq!(ids(&reports), expected, "{name}");
        if expected == BESIDE {
            // The vendor's rule decided, and is what the reason speaks of.
            let refusal = &reports[0];
            assert_eq!((refusal.required.as_deref(), refusal.ground.as_deref()), (Some("2"), None), "{name}");
            assert!(refusal.origin.is_some(), "{name}");
        }
        let listed = reports.last().expect("a note");
        assert_eq!(listed.ground.as_deref(), Some("release note 7"), "{name}");
        assert!(listed.text.contains("; source: release note 7"), "{name}: {}", listed.text);
        assert_eq!(listed.origin.map(|origin| origin.citation), Some(origin.citation), "{name}");
    }
}

#[test]
fn operands_of_overrides() {
    const NOTE: &str = "count.accepted-by-target";
    let value = |value: Value<'static>| Operand::Value(value.to_owned());
    let any_of = |values: &[Value<'static>]| Operand::AnyOf(owned(values));
    let two = Some(uint(2));
    let cases: Vec<(&str, Compare, Operand, Option<Value>, Option<Value>, Option<&str>, Option<&str>)> = vec![
        ("of target", Compare::AtLeast, Operand::OfTarget, Some(uint(1)), two, None, Some("at most 2")),
        (
            "of target, not met",
            Compare::AtLeast,
            Operand::OfTarget,
            Some(uint(3)),
            two,
            Some("count.not-at-least"),
            Some("at most 2"),
        ),
        ("of target, absent", Compare::AtLeast, Operand::OfTarget, two, None, Some("count.not-in-profile"), None),
        ("value", Compare::Equal, value(uint(3)), Some(uint(3)), two, None, Some("3")),
        ("value, not the target's", Compare::Equal, value(uint(3)), two, two, Some("count.not-equal"), Some("3")),
        ("value, target absent", Compare::Equal, value(uint(3)), Some(uint(3)), None, None, Some("3")),
        ("value, source absent", Compare::Equal, value(uint(3)), None, two, Some("count.not-in-profile"), Some("3")),
        (
            "value, source not reported",
            Compare::Equal,
            value(uint(3)),
            Some(UNKNOWN),
            two,
            Some("count.not-reported-yet"),
            Some("3"),
        ),
        ("range, inside", Compare::InRange, value(Value::Range(1, 4)), Some(uint(4)), two, None, Some("1..4")),
        (
            "range, outside",
            Compare::InRange,
            value(Value::Range(1, 4)),
            Some(uint(5)),
            two,
            Some("count.not-in-range"),
            Some("1..4"),
        ),
        ("any of", Compare::OneOf, any_of(&[uint(2), uint(3)]), Some(uint(3)), two, None, Some("one of 2, 3")),
        (
            "any of, none",
            Compare::OneOf,
            any_of(&[uint(2), uint(3)]),
            Some(uint(4)),
            two,
            Some("count.not-one-of"),
            Some("one of 2, 3"),
        ),
        ("any of, target absent", Compare::OneOf, any_of(&[uint(2)]), Some(uint(2)), None, None, Some("one of 2")),
        ("any of nothing", Compare::OneOf, any_of(&[]), Some(uint(2)), two, Some("count.not-one-of"), None),
        ("any of, by its comparison", Compare::AtLeast, any_of(&[uint(2), uint(5)]), Some(uint(4)), two, None, None),
        (
            "is",
            Compare::Is(uint(7)),
            Operand::OfTarget,
            Some(uint(7)),
            two,
            Some("count.not-is"),
            Some("7 on both sides, where the target has 2"),
        ),
        ("ignore", Compare::Ignore, Operand::OfTarget, Some(uint(9)), two, None, Some("any value")),
        ("ignore, both absent", Compare::Ignore, Operand::OfTarget, None, None, None, Some("any value")),
        (
            "ignore, source not reported",
            Compare::Ignore,
            Operand::OfTarget,
            Some(UNKNOWN),
            two,
            None,
            Some("any value"),
        ),
    ];
    for (name, compare, operand, source, target, id, required) in cases {
        let side = |value: Option<Value<'static>>| value.map(|value| (COUNT, value)).into_iter().collect::<Vec<_>>();
        // In place of the vendor's row, and for an attribute without one, the same comes out.
        for rules in [vec![ROW], Vec::new()] {
            let without_rule = rules.is_empty();
            let mut target = toy(rules, &side(target));
            target.set_accepts(vec![accept(COUNT, compare, operand.clone())]);
            // No setting changes what an override names.
            if operand != Operand::OfTarget {
                target.settable = vec![Settable { attribute: COUNT, allowed: Allowed::Any, path: String::new() }];
            }
            let (_, reports) = told(&facts("toy", &side(source)), &target, None);
            let expected: Vec<&str> = id.into_iter().chain([NOTE]).collect();
            assert_eq!(ids(&reports), expected, "{name}, without a rule: {without_rule}");
            if required.is_some() {
                assert_eq!(reports[0].required.as_deref(), required, "{name}, without a rule: {without_rule}");
            }
            for report in &reports {
                assert_eq!(report.ground.as_deref(), Some("release note 7"), "{name}: {}", report.id);
                let named = report.origin.is_some();
                assert_eq!(named, report.id == NOTE && !without_rule, "{name}: {}", report.id);
            }
        }
    }
}

#[test]
fn an_override_replaces_the_row_but_for_what_absence_means_and_is_listed_once() {
    let never = Some(When::SourceIs(MODE, text("live")));
    let open = accept(COUNT, Compare::Equal, Operand::Value(uint(3).to_owned()));
    let note = "count.accepted-by-target";
    let default = Absent::Default(uint(3));
    let cases: [(&str, Vec<Rule>, &[(AttributeId, Value<'static>)], &[&str]); 9] = [
        (
            "the row's condition does not bind it",
            vec![Rule { when: never, ..ROW }],
            &[(COUNT, uint(4))],
            &["count.not-equal", note],
        ),
        (
            "two rows, of which it is asked once",
            vec![Rule { when: never, ..ROW }, Rule { mismatch: Mismatch::Administrator, ..ROW }],
            &[(COUNT, uint(4))],
            &["count.not-equal", note],
        ),
        (
            "two rows, of which the first says what absence means",
            vec![Rule { source_absent: Absent::Note, when: never, ..ROW }, ROW],
            &[],
            &[note, "count.absent"],
        ),
        ("two rows", vec![ROW, Rule { when: never, ..ROW }], &[(COUNT, uint(3))], &[note]),
        ("default", vec![Rule { source_absent: default, ..ROW }], &[], &[note]),
        (
            "nothing is left to an administrator",
            vec![Rule { mismatch: Mismatch::Administrator, ..ROW }],
            &[(COUNT, uint(4))],
            &["count.not-equal", note],
        ),
        (
            "but what absence means stays",
            vec![Rule { source_absent: Absent::Administrator, ..ROW }],
            &[],
            &["count.needs-assertion", note],
        ),
        (
            "a row of the driver's beside it stays",
            vec![ROW, Rule { origin: DRIVERS, ..ROW }],
            &[(COUNT, uint(3))],
            &["count.not-equal", note, "count.accept-out-of-scope"],
        ),
        (
            "another attribute's row stays",
            vec![ROW, of(NAME, Compare::Equal)],
            &[(COUNT, uint(3))],
            &["name.not-in-profile", note],
        ),
    ];
    for (name, rules, source, expected) in cases {
        let mut target = toy(rules, &[(COUNT, uint(2))]);
        target.set_accepts(vec![open.clone()]);
        let (_, reports) = told(&facts("toy", source), &target, None);
        assert_eq!(ids(&reports), expected, "{name}");
    }
    let mut target = toy(Vec::new(), &[(COUNT, uint(2))]);
    target.set_accepts(vec![Accept { driver_versions: Some((triple(1, 0, 0), None)), ..open }]);
    let source = facts("toy", &[(COUNT, uint(4))]);
    expect("without a rule, out of scope", &source, &target, None, Outcome::Compatible, &["count.accept-out-of-scope"]);
}

fn assertion(source: Option<u64>, target: Option<u64>, until: Option<u64>) -> Assertion {
    let value = |number: Option<u64>| number.map(|number| uint(number).to_owned());
    Assertion {
        attribute: COUNT,
        source: value(source),
        target: value(target),
        by: "ops".to_string(),
        reason: "tested".to_string(),
        until,
    }
}

#[test]
fn assertions() {
    const OK: &[&str] = &["count.asserted"];
    const EXPIRED: &[&str] = &["count.needs-assertion", "count.assertion-expired"];
    const ASKED: &[&str] = &["count.needs-assertion"];
    let asked = Rule { mismatch: Mismatch::Administrator, ..ROW };
    let row = |rule: &Rule| Rule { ..copy(rule) };
    let lacking = Rule { source_absent: Absent::Administrator, target_absent: Absent::Administrator, ..ROW };
    let is = assertion;
    let (one, two) = (Some(1), Some(2));
    let now = Some(100);
    let other = Assertion { attribute: NAME, ..is(one, two, None) };
    let cases: Vec<(&str, &Rule, Option<Value>, Option<Value>, Vec<Assertion>, Option<u64>, &[&str])> = vec![
        ("fits", &asked, Some(uint(1)), Some(uint(2)), vec![is(one, two, None)], now, OK),
        ("turned round", &asked, Some(uint(2)), Some(uint(1)), vec![is(one, two, None)], now, ASKED),
        ("other source value", &asked, Some(uint(3)), Some(uint(2)), vec![is(one, two, None)], now, ASKED),
        ("other target value", &asked, Some(uint(1)), Some(uint(3)), vec![is(one, two, None)], now, ASKED),
        ("no source value", &asked, Some(uint(1)), Some(uint(2)), vec![is(None, two, None)], now, ASKED),
        ("other attribute", &asked, Some(uint(1)), Some(uint(2)), vec![other], now, ASKED),
        ("before its end", &asked, Some(uint(1)), Some(uint(2)), vec![is(one, two, Some(101))], now, OK),
        ("at its end", &asked, Some(uint(1)), Some(uint(2)), vec![is(one, two, Some(100))], now, OK),
        ("after its end", &asked, Some(uint(1)), Some(uint(2)), vec![is(one, two, Some(99))], now, EXPIRED),
        ("an end and no clock", &asked, Some(uint(1)), Some(uint(2)), vec![is(one, two, Some(MOST))], None, EXPIRED),
        ("no end and no clock", &asked, Some(uint(1)), Some(uint(2)), vec![is(one, two, None)], None, OK),
        (
            "one of two expired",
            &asked,
            Some(uint(1)),
            Some(uint(2)),
            vec![is(one, two, Some(1)), is(one, two, Some(200))],
            now,
            &["count.assertion-expired", "count.asserted"],
        ),
        (
            "one of two expired, the later one",
            &asked,
            Some(uint(1)),
            Some(uint(2)),
            vec![is(one, two, Some(200)), is(one, two, Some(1))],
            now,
            &["count.asserted", "count.assertion-expired"],
        ),
        ("source absent", &lacking, None, Some(uint(2)), vec![is(None, two, None)], now, OK),
        ("source absent, names a value", &lacking, None, Some(uint(2)), vec![is(one, two, None)], now, ASKED),
        ("source not reported", &lacking, Some(UNKNOWN), Some(uint(2)), vec![is(None, two, None)], now, OK),
        ("target absent", &lacking, Some(uint(1)), None, vec![is(one, None, None)], now, OK),
        ("both absent", &lacking, None, None, vec![is(None, None, None)], now, OK),
        ("both absent, one named", &lacking, None, None, vec![is(None, two, None)], now, ASKED),
        ("never a refusal", &ROW, Some(uint(1)), Some(uint(2)), vec![is(one, two, None)], now, &["count.not-equal"]),
        ("never one by absence", &ROW, None, Some(uint(2)), vec![is(None, two, None)], now, &["count.not-in-profile"]),
        ("not where they match", &asked, Some(uint(2)), Some(uint(2)), vec![is(two, two, None)], now, &[]),
    ];
    for (name, rule, source, target, assertions, now, expected) in cases {
        let side = |value: Option<Value<'static>>| value.map(|value| (COUNT, value)).into_iter().collect::<Vec<_>>();
        let mut target = toy(vec![row(rule)], &side(target));
        target.assertions = assertions;
        let (_, reports) = told(&facts("toy", &side(source)), &target, now);
        assert_eq!(ids(&reports), expected, "{name}");
        for report in reports.iter().filter(|report| report.id.contains("assert") && !report.id.contains("needs")) {
            assert_eq!(report.ground.as_deref(), Some("ops: tested"), "{name}");
            assert!(report.text.contains("; source: ops: tested"), "{name}: {}", report.text);
        }
    }
}

/// A rule is no `Copy`, since a row of a table is equal to itself only.
fn copy(rule: &Rule) -> Rule {
    let Rule { source, target, compare, when, mismatch, source_absent, target_absent, origin } = rule;
    Rule {
        source: *source,
        target: *target,
        compare: *compare,
        when: *when,
        mismatch: *mismatch,
        source_absent: *source_absent,
        target_absent: *target_absent,
        origin: *origin,
    }
}

#[test]
fn each_assertion_is_reported_by_its_own_words() {
    let mut target = toy(vec![Rule { mismatch: Mismatch::Administrator, ..ROW }], &[(COUNT, uint(2))]);
    let by = |by: &str, until| Assertion { by: by.to_string(), ..assertion(Some(1), Some(2), until) };
    target.assertions = vec![by("first", Some(9)), assertion(Some(7), None, None), by("second", None)];
    let (outcome, reports) = told(&facts("toy", &[(COUNT, uint(1))]), &target, Some(10));
    assert_eq!(outcome, Outcome::Compatible);
    let grounds: Vec<_> = reports.iter().map(|report| (report.id.as_str(), report.ground.as_deref())).collect();
    assert_eq!(
        grounds,
        [("count.assertion-expired", Some("first: tested")), ("count.asserted", Some("second: tested"))]
    );
    assert_eq!((reports[1].found.as_deref(), reports[1].required.as_deref()), (Some("1"), Some("2")));
}

#[test]
fn what_a_stream_must_come_with() {
    const NONE: Option<u64> = Some(1);
    const BLAKE3: Option<u64> = Some(2);
    const NATIVE: Option<u64> = None;
    let sealed = |found: &'static str, required: &'static str| Some(("requires.sealed", found, required));
    let digest = |found: &'static str, required: &'static str| Some(("requires.digest", found, required));
    let cases = [
        ("neither, native", false, None, NATIVE, None),
        ("neither, sealed", false, None, NONE, None),
        ("sealed, native", true, None, NATIVE, sealed("a native stream", "a sealed stream")),
        ("sealed, sealed", true, None, NONE, None),
        ("digest, native", false, BLAKE3, NATIVE, sealed("a native stream", "a sealed stream")),
        ("digest, without", false, BLAKE3, NONE, digest("none", "blake3")),
        ("digest, with", false, BLAKE3, BLAKE3, None),
        ("digest, a later one", false, BLAKE3, Some(3), None),
        ("both, native", true, BLAKE3, NATIVE, sealed("a native stream", "a sealed stream")),
        ("both, without", true, BLAKE3, NONE, digest("none", "blake3")),
        ("both, with", true, BLAKE3, BLAKE3, None),
        ("none required, with more", true, NONE, BLAKE3, None),
    ];
    for (name, sealed, digest, stream, expected) in cases {
        let mut target = toy(Vec::new(), &[]);
        target.requires = Requires { sealed, digest };
        let mut verdict = Verdict::new();
        judge_seal(stream, &target, &mut verdict);
        let reports = reports(&verdict, None, Some(&target));
        let found = reports.first().map(|report| {
            (report.id.as_str(), report.found.as_deref().unwrap_or(""), report.required.as_deref().unwrap_or(""))
        });
        assert_eq!(found, expected, "{name}");
        assert_eq!(verdict.outcome() == Outcome::Incompatible, expected.is_some(), "{name}");
    }
}

#[test]
fn of_another_vendor_no_rule_is_asked() {
    let cases = [
        ("another", Facts(vec![(VENDOR, text("mtty")), (COUNT, uint(1))]), Some("mtty")),
        ("a prefix", Facts(vec![(VENDOR, text("to"))]), Some("to")),
        ("none", Facts(vec![(COUNT, uint(1))]), None),
        ("not reported", Facts(vec![(VENDOR, UNKNOWN)]), Some("not reported")),
        ("no text", Facts(vec![(VENDOR, uint(1))]), Some("1")),
    ];
    for (name, source, found) in cases {
        let mut target = toy(vec![ROW], &[(COUNT, uint(2))]);
        target.set_accepts(vec![accept(COUNT, Compare::Ignore, Operand::OfTarget)]);
        let (outcome, reports) = told(&source, &target, None);
        assert_eq!((outcome, ids(&reports)), (Outcome::Incompatible, vec!["vendor.not-equal"]), "{name}");
        assert_eq!((reports[0].found.as_deref(), reports[0].required.as_deref()), (found, Some("toy")), "{name}");
    }
}

#[test]
fn mtty_by_its_own_rules() {
    use Outcome::{Compatible, Corrupt, Incompatible, Unknown};
    use mtty::{NR_PORTS, STREAM_VERSION};
    let kind = |name| (MDEV_TYPE, text(name));
    let ports = |number| (NR_PORTS, uint(number));
    let stream = |minor| (STREAM_VERSION, version(1, minor, 0));
    let api = (DEVICE_API, text("vfio-ap"));
    let cases: Vec<(&str, Vec<_>, Vec<_>, Outcome, &[&str])> = vec![
        ("type and type", vec![kind("mtty-2")], vec![kind("mtty-2")], Compatible, &[]),
        ("type and ports", vec![kind("mtty-2")], vec![ports(2)], Compatible, &[]),
        ("ports and type", vec![ports(1)], vec![kind("mtty-1")], Compatible, &[]),
        ("ports and ports", vec![ports(1)], vec![ports(1)], Compatible, &[]),
        ("both and both", vec![kind("mtty-2"), ports(2)], vec![kind("mtty-2"), ports(2)], Compatible, &[]),
        ("type and other ports", vec![kind("mtty-2")], vec![ports(1)], Incompatible, &["nr_ports.not-equal"]),
        (
            "other types",
            vec![kind("mtty-2")],
            vec![kind("mtty-1")],
            Incompatible,
            &["nr_ports.not-equal", "mdev_type.not-equal"],
        ),
        (
            "mtty-3",
            vec![kind("mtty-3")],
            vec![kind("mtty-2")],
            Incompatible,
            &["mdev_type.not-equal", "nr_ports.not-in-profile"],
        ),
        ("mtty-3 and ports", vec![kind("mtty-3")], vec![ports(2)], Unknown, &["nr_ports.not-in-profile"]),
        ("nothing of the source", vec![], vec![ports(2)], Unknown, &["nr_ports.not-in-profile"]),
        ("nothing of the target", vec![ports(2)], vec![], Unknown, &["nr_ports.not-in-profile"]),
        ("nothing at all", vec![], vec![], Unknown, &["nr_ports.not-in-profile"]),
        ("ports not reported", vec![(NR_PORTS, UNKNOWN)], vec![ports(2)], Unknown, &["nr_ports.not-reported-yet"]),
        (
            "contradicts itself",
            vec![kind("mtty-2"), ports(1)],
            vec![ports(1)],
            Corrupt,
            &["profile.contradicts-itself"],
        ),
        (
            "contradicts itself and the target",
            vec![kind("mtty-2"), ports(1)],
            vec![ports(2)],
            Corrupt,
            &["profile.contradicts-itself", "nr_ports.not-equal"],
        ),
        ("version said", vec![ports(1), stream(0)], vec![ports(1)], Compatible, &[]),
        (
            "version of the source",
            vec![ports(1), stream(1)],
            vec![ports(1)],
            Incompatible,
            &["stream_version.not-equal"],
        ),
        (
            "version of the target",
            vec![ports(1)],
            vec![ports(1), stream(1)],
            Incompatible,
            &["stream_version.not-equal"],
        ),
        ("api of the source", vec![ports(1), api], vec![ports(1)], Incompatible, &["device_api.not-is"]),
        ("api of the target", vec![ports(1)], vec![ports(1), api], Incompatible, &["device_api.not-is"]),
        ("api of both", vec![ports(1), api], vec![ports(1), api], Incompatible, &["device_api.not-is"]),
    ];
    for (name, source, target, outcome, expected) in cases {
        let target = target_of(&mtty::RULES, &target).expect(name);
        let (found, reports) = told(&facts("mtty", &source), &target, None);
        assert_eq!((found, ids(&reports)), (outcome, expected.to_vec()), "{name}");
        if outcome == Compatible {
            assert_eq!(judged(&facts("mtty", &source), &target, None), Verdict::new(), "{name}: nothing to keep");
        }
        if outcome == Corrupt {
            assert_eq!(reports[0].found.as_deref(), Some("mdev_type mtty-2, nr_ports 1"), "{name}");
        }
    }
}

#[test]
fn targets_that_cannot_be() {
    use TargetError::{Contradiction, Impossible, OtherVendor};
    let cases: [(&str, &[(AttributeId, Value<'static>)], TargetError); 2] = [
        (
            "contradicts itself",
            &[(MDEV_TYPE, text("mtty-1")), (mtty::NR_PORTS, uint(2))],
            Contradiction(MDEV_TYPE, mtty::NR_PORTS),
        ),
        ("no such type", &[(MDEV_TYPE, text("mtty-3"))], Impossible(MDEV_TYPE, "mtty-1 or mtty-2")),
    ];
    for (name, of, error) in cases {
        assert_eq!(target_of(&mtty::RULES, of).err(), Some(error), "{name}");
    }
    let profile = toy(Vec::new(), &[]).profile().clone();
    assert_eq!(Target::new(profile, &mtty::RULES).err(), Some(OtherVendor));
}

#[test]
fn reports_come_worst_first_and_those_of_one_severity_as_found() {
    let rules = vec![
        Rule { source_absent: Absent::Note, ..of(FLAG, Compare::Equal) },
        of(NAME, Compare::Equal),
        Rule { ..of(MODE, Compare::Equal) },
        of(COUNT, Compare::Equal),
        of(RELEASE, Compare::Version),
        of(BITS, Compare::Subset),
    ];
    let both = |count, mode, release, bits| {
        vec![(COUNT, uint(count)), (MODE, text(mode)), (RELEASE, release), (BITS, mask(bits))]
    };
    let mut target = toy(rules, &both(2, "a", version(1, 0, 0), &[1]));
    target.settable = vec![Settable { attribute: MODE, allowed: Allowed::Any, path: "mode".to_string() }];
    let source = facts("toy", &both(1, "b", version(1, 1, 0), &[3]));
    let expected =
        ["count.not-equal", "release.version", "bits.not-subset", "name.not-in-profile", "mode.set", "flag.absent"];
    expect("worst first", &source, &target, None, Outcome::Incompatible, &expected);
}

#[test]
fn reports_say_what_is_found_and_what_is_required() {
    let none: Option<Value> = None;
    let one = || Some(uint(1));
    let asked = |compare| Rule { mismatch: Mismatch::Administrator, ..of(COUNT, compare) };
    let default = Absent::Default(uint(5));
    let row = |source, target, compare| Rule { source, target, ..of(COUNT, compare) };
    let range = Value::Range(2, 4);
    let cases: Vec<(&str, Rule, Option<Value>, Option<Value>, &str, [&str; 3])> = vec![
        ("equal", ROW, one(), Some(uint(2)), "count.not-equal", ["1", "2", "; found 1, required 2"]),
        (
            "pci_id",
            row(PCI_ID, PCI_ID, Compare::Equal),
            Some(part(0x8086, 0x4941)),
            Some(part(0x8086, 0x4943)),
            "pci_id.not-equal",
            ["8086:4941", "8086:4943", "pci_id: "],
        ),
        (
            "one-of",
            row(COUNT, CHOICES, Compare::OneOf),
            one(),
            Some(set(&[uint(2), uint(3)])),
            "count.not-one-of",
            ["1", "{2, 3}", "found 1"],
        ),
        (
            "in-range",
            row(COUNT, SPAN, Compare::InRange),
            one(),
            Some(range),
            "count.not-in-range",
            ["1", "2..4", "required 2..4"],
        ),
        (
            "subset",
            row(BITS, BITS, Compare::Subset),
            Some(mask(&[3])),
            Some(mask(&[5])),
            "bits.not-subset",
            ["0x3", "a subset of 0x5", ""],
        ),
        (
            "at-least",
            of(COUNT, Compare::AtLeast),
            Some(uint(3)),
            Some(uint(2)),
            "count.not-at-least",
            ["3", "at most 2", ""],
        ),
        (
            "version",
            row(RELEASE, RELEASE, Compare::Version),
            Some(version(1, 3, 0)),
            Some(version(1, 2, 7)),
            "release.version",
            ["1.3.0", "major 1, minor at most 2", ""],
        ),
        (
            "branch",
            row(RELEASE, RELEASE, Compare::Branch { newer: 1 }),
            Some(version(18, 0, 0)),
            Some(version(17, 0, 0)),
            "release.branch",
            ["18.0.0", "major 16 to 17", ""],
        ),
        (
            "branch, only its own",
            row(RELEASE, RELEASE, Compare::Branch { newer: 0 }),
            Some(version(18, 0, 0)),
            Some(version(17, 0, 0)),
            "release.branch",
            ["18.0.0", "major 17", ""],
        ),
        (
            "branch, from 0",
            row(RELEASE, RELEASE, Compare::Branch { newer: 9 }),
            Some(version(3, 0, 0)),
            Some(version(2, 0, 0)),
            "release.branch",
            ["3.0.0", "major 0 to 2", ""],
        ),
        ("is, by the source", of(COUNT, Compare::Is(uint(2))), one(), Some(uint(2)), "count.not-is", ["1", "2", ""]),
        (
            "is, by the target",
            of(COUNT, Compare::Is(uint(1))),
            one(),
            Some(uint(2)),
            "count.not-is",
            ["1", "1 on both sides, where the target has 2", ""],
        ),
        (
            "is, target absent",
            of(COUNT, Compare::Is(uint(1))),
            one(),
            none,
            "count.not-in-profile",
            ["1", "1", "the target does not state it"],
        ),
        (
            "not-pair",
            of(COUNT, Compare::NotPair(ONE_TWO)),
            one(),
            Some(uint(2)),
            "count.excluded-pair",
            ["1", "any pair but 1 into 2", ""],
        ),
        (
            "same-capacity",
            row(MDEV_TYPE, MDEV_TYPE, Compare::SameCapacity(GRAPHICS)),
            Some(text("V5_8")),
            Some(text("V5_4")),
            "mdev_type.not-same-capacity",
            ["V5_8 x 1", "V5_4 x 1", ""],
        ),
        ("own", of(COUNT, Compare::Own(refuse_odd)), one(), Some(uint(2)), "count.refused", ["1", "2", ""]),
        ("administrator", asked(Compare::Equal), one(), Some(uint(2)), "count.needs-assertion", ["1", "2", ""]),
        (
            "source's default",
            Rule { source_absent: default, ..ROW },
            none,
            Some(uint(2)),
            "count.not-equal",
            ["5", "2", "found 5 by default, required 2"],
        ),
        (
            "target's default",
            Rule { target_absent: default, ..ROW },
            one(),
            none,
            "count.not-equal",
            ["1", "5", "found 1, required 5"],
        ),
        (
            "source's default, not reported",
            Rule { source_absent: default, ..ROW },
            Some(UNKNOWN),
            Some(uint(2)),
            "count.not-reported-yet",
            ["not reported", "2", "the source does not state it"],
        ),
        (
            "source absent",
            ROW,
            none,
            Some(uint(2)),
            "count.not-in-profile",
            ["", "2", "; required 2; the source does not state it"],
        ),
        (
            "target absent",
            ROW,
            one(),
            none,
            "count.not-in-profile",
            ["1", "", "; found 1; the target does not state it"],
        ),
        ("both absent", ROW, none, none, "count.not-in-profile", ["", "", "neither source nor target states it"]),
        (
            "target's is another attribute",
            row(COUNT, NAME, Compare::Equal),
            one(),
            none,
            "name.not-in-profile",
            ["1", "", "the target does not state it"],
        ),
    ];
    for (name, rule, source, target, id, [found, required, text]) in cases {
        let side = |attribute, value: Option<Value<'static>>| {
            value.map(|value| (attribute, value)).into_iter().collect::<Vec<_>>()
        };
        let (of_source, of_target, origin) = (rule.source, rule.target, rule.origin);
        let target = toy(vec![rule], &side(of_target, target));
        let (_, reports) = told(&facts("toy", &side(of_source, source)), &target, None);
        assert_eq!(ids(&reports), [id], "{name}");
        let report = &reports[0];
        assert_eq!(report.found.as_deref().unwrap_or(""), found, "{name}");
        assert_eq!(report.required.as_deref().unwrap_or(""), required, "{name}");
        assert!(report.text.contains(text), "{name}: {}", report.text);
        assert_eq!(report.origin.map(|origin| origin.citation), Some(origin.citation), "{name}");
        assert!(!report.remedy.is_empty() && report.ground.is_none(), "{name}");
    }
}

#[test]
fn a_match_with_a_note_is_reported_and_looks_at_both_sides() {
    let cases: [(&str, u64, &[(AttributeId, Value<'static>)], Outcome, &[&str]); 3] = [
        ("match", 2, &[(COUNT, uint(2))], Outcome::Compatible, &[]),
        ("note", 2, &[(COUNT, uint(2)), (NAME, text("a"))], Outcome::Compatible, &["count.more-capacity"]),
        ("mismatch", 3, &[(COUNT, uint(2)), (NAME, text("a"))], Outcome::Incompatible, &["count.refused"]),
    ];
    for (name, source, of_target, outcome, expected) in cases {
        let target = toy(vec![of(COUNT, Compare::Own(refuse_odd))], of_target);
        expect(name, &facts("toy", &[(COUNT, uint(source))]), &target, None, outcome, expected);
    }
}

// Whatever the values: a verdict, the same twice, the worst of its reasons; and settings that are made fix it.

fn values() -> impl Strategy<Value = Value<'static>> {
    let small = || 0_u32..4;
    prop_oneof![
        proptest::sample::select(one_of_each()),
        (0_u64..6).prop_map(uint),
        any::<u64>().prop_map(uint),
        (small(), small(), small()).prop_map(|(major, minor, patch)| version(major, minor, patch)),
        (0_u64..4, 0_u64..4).prop_map(|(low, more)| Value::Range(low, low + more)),
        proptest::sample::select(vec!["V5_8", "V5_4", "V5_2", "a", "live"]).prop_map(text),
    ]
}

fn compares() -> impl Strategy<Value = Compare> {
    prop_oneof![
        Just(Compare::Equal),
        Just(Compare::OneOf),
        Just(Compare::InRange),
        Just(Compare::Subset),
        Just(Compare::AtLeast),
        Just(Compare::Version),
        (0_u32..3).prop_map(|newer| Compare::Branch { newer }),
        values().prop_map(Compare::Is),
        Just(Compare::NotPair(PAIRS)),
        Just(Compare::SameCapacity(GRAPHICS)),
        Just(Compare::Own(refuse_odd)),
        Just(Compare::Ignore),
    ]
}

fn absents() -> impl Strategy<Value = Absent> {
    prop_oneof![
        Just(Absent::Ignore),
        Just(Absent::Note),
        Just(Absent::Unknown),
        Just(Absent::Administrator),
        Just(Absent::Refuse),
        values().prop_map(Absent::Default),
    ]
}

fn attributes() -> impl Strategy<Value = AttributeId> {
    let all: Vec<AttributeId> = TOY.definitions().map(|definition| definition.id).filter(|id| *id != VENDOR).collect();
    proptest::sample::select(all)
}

fn sides() -> impl Strategy<Value = Vec<(AttributeId, Value<'static>)>> {
    proptest::collection::vec((attributes(), values()), 0..12)
}

const LIVE: When = When::SourceIs(MODE, text("live"));
const NOT_LIVE: When = When::Not(&LIVE);

proptest! {
    #[test]
    fn any_values_are_judged(
        source in sides(),
        stated in sides(),
        rows in proptest::collection::vec((attributes(), attributes(), compares(), absents(), absents(), any::<[bool; 3]>()), 0..6),
        own in proptest::option::of((attributes(), compares(), values(), any::<bool>())),
        settable in proptest::option::of(attributes()),
        now in any::<Option<u64>>(),
    ) {
        let rules = rows.into_iter().map(|(from, to, compare, source_absent, target_absent, [same, ask, driver])| Rule {
            source: from,
            target: if same { from } else { to },
            compare,
            when: ask.then_some(if driver { NOT_LIVE } else { When::BothHave(to) }),
            mismatch: if ask { Mismatch::Administrator } else { Mismatch::Refuse },
            source_absent,
            target_absent,
            origin: if driver { DRIVERS } else { SPECIFICATION },
        });
        // A source may hold anything; a target's profile was read, so what is not of its attribute's type is not in it.
        let fits = |(id, value): &(AttributeId, Value<'static>)| {
            let definition = TOY.by_number(id.number()).expect("defined");
            (definition.kind == value.kind() || *value == UNKNOWN) && definition.constraint.admits(*value)
        };
        let stated: Vec<_> = stated.into_iter().filter(fits).collect();
        let mut target = toy(rules.collect(), &stated);
        let own = own.map(|(attribute, compare, value, alone)| {
            let operand = if alone { Operand::Value(value.to_owned()) } else { Operand::AnyOf(vec![value.to_owned()]) };
            accept(attribute, compare, operand)
        });
        target.set_accepts(own.into_iter().collect());
        target.assertions = vec![assertion(Some(1), Some(2), Some(5)), assertion(None, None, None)];
        target.settable.extend(settable.map(|attribute| Settable {
            attribute,
            allowed: Allowed::Any,
            path: "knob".to_string(),
        }));
        let (_, reports) = told(&facts("toy", &source), &target, now);
        // A setting that is made is not asked for again.
        for made in reports.iter().filter(|report| report.set.is_some()) {
            let name = made.attribute.as_deref().expect("a name");
            let id = TOY.by_name(name).expect("defined").id;
            let value = match made.set.as_ref().and_then(|(_, value)| value.parse().ok()) {
                Some(number) => uint(number),
                None => continue,
            };
            if TOY.by_number(id.number()).is_none_or(|definition| definition.kind != Type::Uint) {
                continue;
            }
            let mut changed: Vec<_> = stated.iter().copied().filter(|(known, _)| *known != id).collect();
            changed.push((id, value));
            let mut after = target_of(target.rules(), &changed).expect("a target");
            after.set_accepts(target.accepts().to_vec());
            after.settable = target.settable.clone();
            let (_, left) = told(&facts("toy", &source), &after, now);
            assert!(left.iter().all(|report| report.set != made.set), "{}", made.text);
        }
        for report in &reports {
            assert_eq!(report.set.is_some(), report.outcome == Outcome::Fixable, "{}: {}", report.id, report.text);
            assert!(!report.text.is_empty());
        }
    }
}
