//! What holds of every room, and the tables of pairs that the rooms' tests are written in.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use super::VENDORS;
use crate::attribute::{
    AttributeId, Attributes, Constraint, Definition, IdRange, OwnedValue, PciId, Text, Type, Value, Version,
};
use crate::format::Vendor;
use crate::judge::judge;
use crate::profile::{Profile, ProfileBuilder};
use crate::report::{Report, reports};
use crate::rule::Compare;
use crate::target::{Accept, Allowed, Assertion, Operand, Settable, Target};
use crate::verdict::{Outcome, Verdict};

/// A side that says nothing at all.
struct Nothing;

impl Attributes for Nothing {
    fn value(&self, _: AttributeId) -> Option<Value<'_>> {
        None
    }
}

/// A side that says the same of everything.
struct Everything(Value<'static>);

impl Attributes for Everything {
    fn value(&self, _: AttributeId) -> Option<Value<'_>> {
        Some(self.0)
    }
}

#[test]
fn dictionaries_ascend_in_their_range_and_have_slots_and_names_of_their_own() {
    for vendor in VENDORS.0 {
        let dictionary = vendor.rules.dictionary;
        let own = dictionary.attributes;
        assert!(own.windows(2).all(|pair| pair[0].id.number() < pair[1].id.number()), "{}", vendor.name());
        for definition in own {
            assert_eq!(definition.id.range(), IdRange::Vendor, "{}", definition.name);
            assert!((0x0100..0x0130).contains(&definition.id.number()), "{} has no slot in a header", definition.name);
            assert!(!definition.meaning.is_empty(), "{}", definition.name);
            let members = matches!(definition.constraint, Constraint::Members(_));
            assert_eq!(definition.kind == Type::Set, members, "{}", definition.name);
        }
        let mut names: Vec<&str> = dictionary.definitions().map(|definition| definition.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: a name stands twice", vendor.name());
    }
}

#[test]
fn vendors_have_names_of_their_own() {
    let mut names: Vec<&str> = VENDORS.0.iter().map(|vendor| vendor.name()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(VENDORS.0.iter().all(|vendor| !vendor.title.is_empty()));
}

#[test]
fn rules_are_of_attributes_that_exist_and_say_where_they_come_from() {
    for vendor in VENDORS.0 {
        let dictionary = vendor.rules.dictionary;
        for rule in vendor.rules.rules {
            let place = format!("{}: {rule:?}", vendor.name());
            for id in [rule.source, rule.target] {
                assert_eq!(dictionary.by_number(id.number()).map(|definition| definition.id), Some(id), "{place}");
            }
            assert!(!rule.origin.citation.is_empty(), "{place}");
            assert!(
                !rule.origin.citation.contains("  "),
                "a citation that runs over a line has lost its shape: {place}"
            );
            let date: Vec<&str> = rule.origin.date.split('-').collect();
            assert!(matches!(date[..], [year, month] if year.len() == 4 && month.len() == 2), "{place}");
        }
    }
}

#[test]
fn hooks_take_any_side() {
    let any: [&dyn Attributes; 4] = [
        &Nothing,
        &Everything(Value::Unknown),
        &Everything(Value::Uint(u64::MAX)),
        &Everything(Value::Text(Text::constant("550.1.2.3:4 5"))),
    ];
    for vendor in VENDORS.0 {
        for side in any {
            let _ = (vendor.rules.contradiction)(side);
            let _ = (vendor.rules.impossible)(side);
            for definition in vendor.rules.dictionary.definitions() {
                let _ = (vendor.rules.derive)(side, definition.id);
            }
        }
        assert_eq!((vendor.rules.contradiction)(&Nothing), None, "{}", vendor.name());
        assert_eq!((vendor.rules.impossible)(&Nothing), None, "{}", vendor.name());
    }
}

#[test]
fn any_sides_are_judged() {
    for vendor in VENDORS.0 {
        let empty = Pairs { vendor, source: "", target: "" };
        for side in ["", &everything(vendor, "?")] {
            let source = empty.profile("", side);
            let Ok(target) = Target::new(source.clone(), vendor.rules) else { continue };
            let mut verdict = Verdict::new();
            judge(&source, &target, None, &mut verdict);
            assert_eq!(reports(&verdict, Some(&source), Some(&target)).len(), verdict.reasons().len());
        }
    }
}

fn everything(vendor: &Vendor, value: &str) -> String {
    let names = vendor.rules.dictionary.definitions().skip(1).map(|definition| format!("{}: {value}", definition.name));
    names.collect::<Vec<_>>().join("; ")
}

/// Two devices of a vendor that go together, from which the pairs of a table differ. A side is written in one line,
/// `name: value; name: value`, where `?` is a value that has not been reported and `-` takes the attribute away.
pub(super) struct Pairs<'a> {
    pub(super) vendor: &'static Vendor,
    pub(super) source: &'a str,
    pub(super) target: &'a str,
}

/// A pair: its name, what is different of source and target, the target's terms, and the verdict.
pub(super) type Case<'a> = (&'a str, &'a str, &'a str, &'a [Term<'a>], Outcome, &'a [&'a str]);

/// What else the target says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Term<'a> {
    /// One of these values is taken, under these versions of the target's driver.
    OneOf(&'a str, &'a [&'a str], Option<&'a str>),
    /// Every value is taken.
    Any(&'a str),
    /// It is compared so with the target's value, under these versions of the target's driver.
    Own(&'a str, Compare, Option<&'a str>),
    /// It can be set to any value.
    Settable(&'a str),
    /// It can be set to a number between these.
    Between(&'a str, u64, u64),
    /// An assertion for these values; empty for a side that does not say.
    Asserted(&'a str, &'a str, &'a str),
    /// The same, but out of date.
    Expired(&'a str, &'a str, &'a str),
}

/// The time at which the tables are judged.
const NOW: u64 = 1_800_000_000;

impl Pairs<'_> {
    /// Judges each pair of the table, and says which do not come to what they should.
    pub(super) fn check(&self, cases: &[Case<'_>]) {
        let wrong: Vec<String> = cases
            .iter()
            .filter_map(|(name, source, target, terms, outcome, ids)| {
                let (found, reports) = self.judged(source, target, terms);
                let found_ids: Vec<&str> = reports.iter().map(|report| report.id.as_str()).collect();
                let right = found == *outcome && found_ids == *ids;
                (!right).then(|| format!("{name}: {found} {found_ids:?} and not {outcome} {ids:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Judges one pair.
    pub(super) fn judged(&self, source: &str, target: &str, terms: &[Term<'_>]) -> (Outcome, Vec<Report>) {
        let source = self.profile(self.source, source);
        let mut target = Target::new(self.profile(self.target, target), self.vendor.rules).expect("a target");
        for term in terms {
            self.add(*term, &mut target);
        }
        let mut verdict = Verdict::new();
        judge(&source, &target, Some(NOW), &mut verdict);
        let reports = reports(&verdict, Some(&source), Some(&target));
        assert!(reports.iter().all(|report| !report.text.is_empty()));
        (verdict.outcome(), reports)
    }

    /// The profile of a side that is `base` but for `different`.
    pub(super) fn profile(&self, base: &str, different: &str) -> Profile {
        let mut stated: Vec<(&str, &str)> = vec![("vendor", self.vendor.name())];
        for part in base.split("; ").chain(different.split("; ")).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once(": ").unwrap_or_else(|| panic!("{part:?} is no attribute and value"));
            stated.retain(|(own, _)| *own != name);
            if value != "-" {
                stated.push((name, value));
            }
        }
        let mut builder = ProfileBuilder::new();
        for (name, value) in stated {
            let definition = self.definition(name);
            builder.set(definition.id, &read(definition.kind, value));
        }
        builder.build(&|name| VENDORS.dictionary(name)).expect("a profile")
    }

    fn definition(&self, name: &str) -> &'static Definition {
        self.vendor.rules.dictionary.by_name(name).unwrap_or_else(|| panic!("no attribute {name}"))
    }

    fn value(&self, name: &str, value: &str) -> OwnedValue {
        read(self.definition(name).kind, value)
    }

    fn add(&self, term: Term<'_>, target: &mut Target) {
        let accept = |name, compare, operand, scope: Option<&str>| Accept {
            attribute: self.definition(name).id,
            compare,
            operand,
            source: "release note".to_string(),
            driver_versions: scope.map(|least| (version(least), None)),
        };
        let settable =
            |name, allowed| Settable { attribute: self.definition(name).id, allowed, path: "the/knob".to_string() };
        let assertion = |name, source: &str, of_target: &str, until| {
            let value = |text: &str| (!text.is_empty()).then(|| self.value(name, text));
            Assertion {
                attribute: self.definition(name).id,
                source: value(source),
                target: value(of_target),
                by: "storage team".to_string(),
                reason: "looked at both".to_string(),
                until,
            }
        };
        let mut add = |own| target.set_accepts([target.accepts(), &[own]].concat());
        match term {
            Term::OneOf(name, values, scope) => {
                let values = values.iter().map(|value| self.value(name, value)).collect();
                add(accept(name, Compare::OneOf, Operand::AnyOf(values), scope));
            }
            Term::Any(name) => add(accept(name, Compare::Ignore, Operand::OfTarget, None)),
            Term::Own(name, compare, scope) => add(accept(name, compare, Operand::OfTarget, scope)),
            Term::Settable(name) => target.settable.push(settable(name, Allowed::Any)),
            Term::Between(name, low, high) => target.settable.push(settable(name, Allowed::Range(low, high))),
            Term::Asserted(name, source, of_target) => {
                target.assertions.push(assertion(name, source, of_target, Some(NOW)));
            }
            Term::Expired(name, source, of_target) => {
                target.assertions.push(assertion(name, source, of_target, Some(NOW - 1)));
            }
        }
    }
}

fn version(text: &str) -> Version {
    let mut parts = text.split('.').map(|part| part.parse().expect("a number"));
    let mut next = || parts.next().unwrap_or(0);
    Version { major: next(), minor: next(), patch: next() }
}

/// Reads a value of the type; members of sets and pairs of maps stand between commas, pairs are written `key=value`.
fn read(kind: Type, text: &str) -> OwnedValue {
    let number = |digits: &str| match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).expect("hex digits"),
        None => digits.parse().expect("a number"),
    };
    let value = match kind {
        _ if text == "?" => Value::Unknown,
        Type::Bool => Value::Bool(text == "true"),
        Type::Uint => Value::Uint(number(text)),
        Type::Text => Value::Text(Text::new(text).expect("a text")),
        Type::Version => Value::Version(version(text)),
        Type::Range => {
            let (low, high) = text.split_once("..").expect("a range");
            Value::Range(number(low), number(high))
        }
        Type::PciId => {
            let (vendor, device) = text.split_once(':').expect("a PCI id");
            let half = |digits| u16::from_str_radix(digits, 16).expect("hex digits");
            Value::PciId(PciId { vendor: half(vendor), device: half(device) })
        }
        Type::Mask => return OwnedValue::mask(&number(text).to_le_bytes()).expect("a mask"),
        Type::Set => {
            let members: Vec<Value<'_>> =
                text.split(", ").map(|member| Value::Text(Text::new(member).expect("a text"))).collect();
            return OwnedValue::set(Type::Text, &members).expect("a set");
        }
        Type::Map => {
            let pairs: Vec<(&str, &str)> = text.split(", ").map(|pair| pair.split_once('=').expect("a pair")).collect();
            return OwnedValue::map(&pairs).expect("a map");
        }
        Type::Bytes | Type::Ratio | Type::Unknown => panic!("no {} here", kind.name()),
    };
    value.to_owned()
}
