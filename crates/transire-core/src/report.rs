//! Reasons in words: made when somebody asks, from a reason, the source and the target.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt::{self, Write as _};

use crate::attribute::{AGGREGATION, AttributeId, Attributes, COMMON, Dictionary, IdRange, STREAM, Value, find};
use crate::bytes::hex;
use crate::rule::{Absent, Compare, Origin};
use crate::target::{Accept, Assertion, Operand, Target};
use crate::verdict::{Datum, Outcome, Reason, ReasonId, Verdict, reasons};

/// A reason with everything that there is to say of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The stable id: `pci_id.not-equal`, `header.crc`.
    pub id: String,
    /// What it makes of the verdict.
    pub outcome: Outcome,
    /// The attribute, by name; by id where nobody knows its name.
    pub attribute: Option<String>,
    /// What the source has, or what the rule takes in its place.
    pub found: Option<String>,
    /// What the rule needs the source to have on this target: a value, or words around it.
    pub required: Option<String>,
    /// Byte offset in the input, or in the payload.
    pub offset: Option<u64>,
    /// Whether the offset counts from the beginning of a sealed stream's payload.
    pub in_payload: bool,
    /// The channel of a migration that the offset counts in; 0 outside of migrations.
    pub channel: u32,
    /// One line for people.
    pub text: String,
    /// What can be done about it.
    pub remedy: &'static str,
    /// Where the vendor's rule comes from; `None` where the target's own rule was asked in its place.
    pub origin: Option<&'static Origin>,
    /// The ground that the target gives: for its own rule, where one was asked, or for an assertion.
    pub ground: Option<String>,
    /// What to set on the target: path and value.
    pub set: Option<(String, String)>,
}

/// The reasons of a verdict in order of severity, the worst first, those of one severity as they were found.
pub fn reports(verdict: &Verdict, source: Option<&dyn Attributes>, target: Option<&Target>) -> Vec<Report> {
    in_order(verdict).into_iter().map(|reason| report(reason, source, target)).collect()
}

/// The reasons of a verdict in the order of [`reports`].
pub fn in_order(verdict: &Verdict) -> Vec<&Reason> {
    let mut ordered: Vec<&Reason> = verdict.reasons().iter().collect();
    ordered.sort_by_key(|reason| core::cmp::Reverse(reason.id.outcome()));
    ordered
}

/// The name of an attribute: `pci_id`; `0x7001` where nobody knows it.
pub fn attribute_name(id: AttributeId, dictionary: Option<&'static Dictionary>) -> String {
    known_name(id, dictionary).map_or_else(|| id.to_string(), ToString::to_string)
}

fn known_name(id: AttributeId, dictionary: Option<&'static Dictionary>) -> Option<&'static str> {
    let table = match id.range() {
        IdRange::Common => COMMON,
        IdRange::Stream => STREAM,
        IdRange::Vendor => dictionary.map_or(&[][..], |dictionary| dictionary.attributes),
        IdRange::Private | IdRange::Invalid => &[],
    };
    find(table, id.number()).map(|definition| definition.name)
}

/// The stable id of a reason, with the name of its attribute where it stands behind one: `pci_id.not-equal`.
pub fn reason_name(reason: &Reason, dictionary: Option<&'static Dictionary>) -> String {
    ReasonName::of(reason, dictionary).parts().concat()
}

/// The same in two parts, which allocates nothing: the name of the attribute, or nothing, and what stands behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReasonName<'a> {
    attribute: AttributeName,
    id: &'a str,
}

#[derive(Clone, Copy, Debug)]
enum AttributeName {
    Known(&'static str),
    /// As the attribute's id is shown.
    Number([u8; 6]),
}

impl<'a> ReasonName<'a> {
    /// An id that is whole already.
    pub(crate) const fn whole(id: &'a str) -> Self {
        Self { attribute: AttributeName::Known(""), id }
    }

    pub(crate) fn of(reason: &Reason, dictionary: Option<&'static Dictionary>) -> Self {
        if !reason.id.is_of_attribute() || reason.attribute == AttributeId::NONE {
            return Self::whole(reason.id.text());
        }
        let number = || {
            let [[a, b], [c, d]] = reason.attribute.0.to_be_bytes().map(hex);
            AttributeName::Number([b'0', b'x', a, b, c, d])
        };
        let attribute = known_name(reason.attribute, dictionary).map_or_else(number, AttributeName::Known);
        Self { attribute, id: reason.id.text() }
    }

    /// Both parts, one behind the other.
    pub(crate) fn parts(&self) -> [&str; 2] {
        let attribute = match &self.attribute {
            AttributeName::Known(name) => name,
            AttributeName::Number(shown) => core::str::from_utf8(shown).unwrap_or_default(),
        };
        [attribute, self.id]
    }

    /// The order of the whole ids, by their bytes.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let ([attribute, id], [of_other, id_of_other]) = (self.parts(), other.parts());
        attribute.bytes().chain(id.bytes()).cmp(of_other.bytes().chain(id_of_other.bytes()))
    }
}

/// Says one reason in words.
pub fn report(reason: &Reason, source: Option<&dyn Attributes>, target: Option<&Target>) -> Report {
    let dictionary = target.map(|target| target.rules().dictionary);
    let name = |attribute| attribute_name(attribute, dictionary);
    let attribute = (reason.attribute != AttributeId::NONE).then(|| name(reason.attribute));
    let id = reason_name(reason, dictionary);
    let terms = Terms::of(reason, source, target);
    let assertion = terms.as_ref().and_then(|terms| terms.assertion(reason));
    let found = datum(reason.found).or_else(|| match (&terms, source, target) {
        (Some(terms), ..) => terms.found(),
        (None, Some(source), Some(target)) if reason.id == reasons::CONTRADICTS_ITSELF => {
            contradiction(source, target, name)
        }
        _ => None,
    });
    let required = match (&terms, assertion) {
        // The datum says which assertion it was.
        (Some(terms), Some(_)) => terms.required(),
        (Some(terms), None) => datum(reason.required).or_else(|| terms.required()),
        (None, _) => datum(reason.required),
    };
    let set = terms.as_ref().and_then(|terms| terms.set(reason));
    let accept = terms.as_ref().and_then(|terms| terms.accept);
    let ground = match (assertion, accept) {
        (Some(assertion), _) => Some(format!("{}: {}", assertion.by, assertion.reason)),
        (None, Some(accept)) => Some(accept.source.clone()),
        // Named although it is not in force: which one has to be mended.
        (None, None) if reason.id == reasons::ACCEPT_OUT_OF_SCOPE => target
            .and_then(|target| target.accept_of(reason.rule, reason.attribute))
            .map(|accept| accept.source.clone()),
        (None, None) => None,
    };
    let replaced = accept.is_some() && reason.id != reasons::ACCEPTED_BY_TARGET;
    let origin = reason.rule.filter(|_| !replaced).map(|rule| &rule.origin);

    let mut report = Report {
        id,
        outcome: reason.id.outcome(),
        attribute,
        found,
        required,
        offset: reason.offset(),
        in_payload: reason.span.is_some_and(|span| span.in_payload),
        channel: reason.span.map_or(0, |span| span.channel),
        text: String::new(),
        remedy: reason.id.0.remedy,
        origin,
        ground,
        set,
    };
    // Writing to a string never fails.
    report.text = sentence(&report, reason.id.0.meaning, terms.as_ref()).unwrap_or_default();
    report
}

/// One line: the attribute, what the kind of reason means, and everything else that the report has.
fn sentence(report: &Report, meaning: &str, terms: Option<&Terms<'_>>) -> Result<String, fmt::Error> {
    let mut text = String::new();
    if let Some(name) = &report.attribute {
        write!(text, "{name}: ")?;
    }
    text.push_str(meaning);
    if let Some(found) = &report.found {
        let default = if terms.is_some_and(|terms| terms.takes_default) { " by default" } else { "" };
        write!(text, "; found {found}{default}")?;
    }
    if let Some(required) = &report.required {
        let lead = if report.found.is_some() { "," } else { ";" };
        write!(text, "{lead} required {required}")?;
    }
    if let Some(lacking) = terms.and_then(Terms::lacking) {
        write!(text, "; {lacking}")?;
    }
    if let Some((path, value)) = &report.set {
        write!(text, "; set {path} to {value}")?;
    }
    if let Some(ground) = &report.ground {
        write!(text, "; source: {ground}")?;
    }
    if let Some(offset) = report.offset {
        let of_payload = if report.in_payload { " of the payload" } else { "" };
        write!(text, "; at offset {offset}{of_payload}")?;
        if report.channel > 0 {
            write!(text, " of channel {}", report.channel)?;
        }
    }
    Ok(text)
}

/// What a reason about two values compared, looked up again.
struct Terms<'a> {
    target: Option<&'a Target>,
    compare: Compare,
    accept: Option<&'a Accept>,
    source_value: Option<Value<'a>>,
    target_value: Option<Value<'a>>,
    takes_default: bool,
    source_times: Option<Value<'a>>,
    target_times: Option<Value<'a>>,
    needs_both: bool,
}

impl<'a> Terms<'a> {
    fn of(reason: &Reason, source: Option<&'a dyn Attributes>, target: Option<&'a Target>) -> Option<Self> {
        if !reason.id.is_of_attribute() && reason.id != reasons::VENDOR_NOT_EQUAL {
            return None;
        }
        // A reason about neither of the rule's attributes is about one that the rule's condition or its comparison
        // looks at.
        let rule = reason.rule.filter(|rule| reason.attribute.is_one_of(&[rule.source, rule.target]));
        let of_source = rule.map_or(reason.attribute, |rule| rule.source);
        let of_target = rule.map_or(reason.attribute, |rule| rule.target);
        let accept = target.and_then(|target| {
            let accept = target.accept_of(rule, of_target).filter(|accept| accept.replaces(rule, target))?;
            (reason.id != reasons::ACCEPT_OUT_OF_SCOPE && reason.rule.is_some() == rule.is_some()).then_some(accept)
        });
        let stated = source.and_then(|side| derived(side, target, of_source));
        let reports = !is_of_absence(reason.id);
        let default = |absent| match absent {
            Absent::Default(value) if reports => Some(value),
            _ => None,
        };
        let source_default = rule.and_then(|rule| default(rule.source_absent)).filter(|_| source.is_some());
        let target_default = rule.and_then(|rule| default(rule.target_absent)).filter(|_| target.is_some());
        Some(Self {
            target,
            compare: accept.map(|accept| accept.compare).or(rule.map(|rule| rule.compare)).unwrap_or(Compare::Equal),
            accept,
            source_value: stated.or(source_default),
            target_value: target.and_then(|target| target.value(of_target)).or(target_default),
            takes_default: stated.is_none() && source_default.is_some(),
            source_times: source.and_then(|side| derived(side, target, AGGREGATION)),
            target_times: target.and_then(|target| target.value(AGGREGATION)),
            needs_both: is_of_absence(reason.id) && source.is_some() && target.is_some(),
        })
    }

    fn found(&self) -> Option<String> {
        Some(self.with_times(self.source_value?, self.source_times))
    }

    fn required(&self) -> Option<String> {
        match self.accept.map(|accept| &accept.operand) {
            Some(Operand::Value(value)) => Some(self.needs(value.value())),
            Some(Operand::AnyOf(values)) => {
                let values: Vec<String> = values.iter().map(|value| self.needs(value.value())).collect();
                Some(format!("one of {}", values.join(", ")))
            }
            Some(Operand::OfTarget) | None => match (&self.compare, self.target_value) {
                (Compare::Ignore, _) => Some("any value".to_string()),
                (_, Some(Value::Unknown)) => Some(Value::Unknown.to_string()),
                (_, Some(value)) => Some(self.needs(value)),
                (Compare::Is(value), None) if self.target.is_some() => Some(value.to_string()),
                (_, None) => None,
            },
        }
    }

    /// What the comparison with this value needs the source to have.
    fn needs(&self, value: Value<'_>) -> String {
        match (&self.compare, value) {
            (Compare::Ignore, _) => "any value".to_string(),
            (Compare::Subset, _) => format!("a subset of {value}"),
            (Compare::AtLeast, _) => format!("at most {value}"),
            (Compare::Version, Value::Version(version)) => {
                format!("major {}, minor at most {}", version.major, version.minor)
            }
            (Compare::Branch { newer }, Value::Version(version)) => match version.major.saturating_sub(*newer) {
                least if least == version.major => format!("major {least}"),
                least => format!("major {least} to {}", version.major),
            },
            (Compare::Is(constant), _) if *constant == value => constant.to_string(),
            (Compare::Is(constant), _) => format!("{constant} on both sides, where the target has {value}"),
            (Compare::NotPair(_), _) => match self.source_value {
                Some(source) => format!("any pair but {source} into {value}"),
                None => format!("a value that is not excluded with {value}"),
            },
            _ => self.with_times(value, self.target_times),
        }
    }

    fn with_times(&self, value: Value<'_>, times: Option<Value<'_>>) -> String {
        match (&self.compare, times) {
            (Compare::SameCapacity(_), Some(times)) => format!("{value} x {times}"),
            (Compare::SameCapacity(_), None) => format!("{value} x 1"),
            _ => value.to_string(),
        }
    }

    fn lacking(&self) -> Option<&'static str> {
        let lacks = |value: Option<Value<'_>>| matches!(value, None | Some(Value::Unknown));
        let by_operand = self.accept.is_some_and(|accept| accept.operand != Operand::OfTarget);
        match (lacks(self.source_value), lacks(self.target_value) && !by_operand) {
            _ if !self.needs_both => None,
            (true, true) => Some("neither source nor target states it"),
            (true, false) => Some("the source does not state it"),
            (false, true) => Some("the target does not state it"),
            (false, false) => None,
        }
    }

    fn set(&self, reason: &Reason) -> Option<(String, String)> {
        let value = match reason.required {
            _ if reason.id != reasons::SET => return None,
            Datum::Count(number) => Value::Uint(number),
            _ => self.source_value?,
        };
        Some((self.target?.setting(reason.attribute, value)?.path.clone(), value.to_string()))
    }

    fn assertion(&self, reason: &Reason) -> Option<&'a Assertion> {
        match reason.required {
            Datum::Count(at) if [reasons::ASSERTED, reasons::ASSERTION_EXPIRED].contains(&reason.id) => {
                self.target?.assertions.get(usize::try_from(at).ok()?)
            }
            _ => None,
        }
    }
}

/// The two attributes that cannot both be true, with their values.
fn contradiction(source: &dyn Attributes, target: &Target, name: impl Fn(AttributeId) -> String) -> Option<String> {
    let (first, second) = (target.rules().contradiction)(source)?;
    Some(format!("{} {}, {} {}", name(first), source.value(first)?, name(second), source.value(second)?))
}

fn derived<'a>(side: &'a dyn Attributes, target: Option<&Target>, id: AttributeId) -> Option<Value<'a>> {
    side.value(id).or_else(|| (target?.rules().derive)(side, id))
}

/// Whether the reason says that a side lacks a value.
fn is_of_absence(id: ReasonId) -> bool {
    [reasons::MISSING, reasons::NOT_IN_PROFILE, reasons::NOT_REPORTED_YET, reasons::ABSENT, reasons::NEEDS_ASSERTION]
        .contains(&id)
}

fn datum(datum: Datum) -> Option<String> {
    match datum {
        Datum::None => None,
        Datum::Count(number) => Some(number.to_string()),
        Datum::Wire(number) => Some(format!("{number:#x}")),
        Datum::Word(word) => Some(word.to_string()),
    }
}
