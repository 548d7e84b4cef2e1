//! `judge`: a source profile is held against a target. Pure: the same two and the same time give the same verdict.

use crate::attribute::{AGGREGATION, Absence, AttributeId, Attributes, DIGEST, Statable, VENDOR, Value};
use crate::plan::{Lack, Like, Required, Terms, present};
use crate::profile::Profile;
use crate::rule::{Absent, Capacity, Compare, Comparison, Mismatch, Pair, Resource, RuleTable};
use crate::target::Target;
use crate::verdict::{Datum, Reason, ReasonId, Verdict, reasons};

/// Holds the source against the target, by the rules of the target's vendor, and adds what it finds to the verdict.
///
/// `now` is the time in seconds since 1970-01-01T00:00:00Z, for assertions that end; without it none of those holds.
/// Allocates nothing unless there is a reason to keep.
pub fn judge(source: &dyn Attributes, target: &Target, now: Option<u64>, verdict: &mut Verdict) {
    let same_vendor =
        matches!(source.value(VENDOR), Some(Value::Text(name)) if name.as_bytes() == target.vendor().as_bytes());
    if !same_vendor {
        verdict.push(placed(Reason::new(reasons::VENDOR_NOT_EQUAL).about(VENDOR), source, VENDOR));
        return;
    }
    let rules = target.rules();
    if let Some((_, second)) = (rules.contradiction)(source) {
        verdict.push(placed(Reason::new(reasons::CONTRADICTS_ITSELF).about(second), source, second));
    }
    let source = &Complete::new(source, rules);
    let case = Case { source, target, now };
    let questions = target.plan().questions(source);
    let mut told = 0;
    let (mut stated, mut like) = (None, Like::NONE);
    for terms in &questions.terms {
        if terms.told_before > told {
            verdict.push_all(questions.told.get(told..terms.told_before).unwrap_or(&[]));
            told = terms.told_before;
        }
        if !terms.again {
            stated = source.value(terms.source);
        }
        if !terms.is_met_by(stated, source, &mut like) && terms.when.is_none_or(|when| when.holds(source, target)) {
            case.compare(terms, stated, verdict);
        }
    }
    verdict.push_all(questions.told.get(told..).unwrap_or(&[]));
}

/// What a rule says of a source that does not state its attribute, and neither asks an administrator nor takes a default
/// in its place.
pub(crate) fn say_lacking(terms: &Terms, source: &dyn Attributes, target: &Target, verdict: &mut Verdict) {
    let source = &Complete::new(source, target.rules());
    Case { source, target, now: None }.compare(terms, None, verdict);
}

/// The reason, with the place in the input where the source's value stands, if it was read from one.
fn placed(reason: Reason, source: &dyn Attributes, attribute: AttributeId) -> Reason {
    match source.place(attribute) {
        Some((offset, length)) => reason.spanning(offset, length),
        None => reason,
    }
}

/// Holds what a stream comes with against what the target requires. `digest` is the code of the digest of a sealed
/// stream, `None` for a stream that is not sealed.
pub fn judge_seal(digest: Option<u64>, target: &Target, verdict: &mut Verdict) {
    let requires = target.requires;
    let must_be_sealed = requires.sealed || requires.digest.is_some();
    if must_be_sealed && digest.is_none() {
        verdict.push(
            Reason::new(reasons::REQUIRES_SEALED)
                .because(Datum::Word("a native stream"), Datum::Word("a sealed stream")),
        );
    } else if let (Some(found), Some(required)) = (digest, requires.digest)
        // Codes ascend with what a digest is worth: a stream may come with more than is required.
        && found < required
    {
        verdict.push(
            Reason::new(reasons::REQUIRES_DIGEST).about(DIGEST).because(digest_name(found), digest_name(required)),
        );
    }
}

/// A digest as users name it; its code, where it has no name in this version.
const fn digest_name(code: u64) -> Datum {
    match code {
        1 => Datum::Word("none"),
        2 => Datum::Word("blake3"),
        _ => Datum::Count(code),
    }
}

/// A side with what follows from what it states.
struct Complete<'a> {
    stated: &'a dyn Attributes,
    derive: for<'b> fn(&'b dyn Attributes, AttributeId) -> Option<Value<'b>>,
}

impl<'a> Complete<'a> {
    const fn new(stated: &'a dyn Attributes, rules: &RuleTable) -> Self {
        Self { stated, derive: rules.derive }
    }
}

impl Attributes for Complete<'_> {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        let stated = self.stated.value(id);
        if stated.is_some() { stated } else { (self.derive)(self.stated, id) }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        self.stated.place(id)
    }

    fn absence(&self, id: AttributeId) -> Absence {
        self.stated.absence(id)
    }

    fn statable(&self) -> Option<&'static Statable> {
        self.stated.statable()
    }
}

/// A target's profile after a setting was made.
struct Changed<'a> {
    profile: &'a Profile,
    attribute: AttributeId,
    value: Value<'a>,
}

impl Attributes for Changed<'_> {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        if id.is(self.attribute) { Some(self.value) } else { self.profile.value(id) }
    }
}

/// One source, one target, one time.
struct Case<'a> {
    source: &'a Complete<'a>,
    target: &'a Target,
    now: Option<u64>,
}

impl Case<'_> {
    /// Whether a rule of the target's own is in force in place of one about this attribute of the source.
    fn is_replaced(&self, attribute: AttributeId) -> bool {
        attribute.is_one_of(&self.target.plan().replaced)
    }

    /// Compares what the source states with what the rule requires.
    fn compare(&self, terms: &Terms, stated: Option<Value<'_>>, verdict: &mut Verdict) {
        if stated.is_none()
            && terms.source_absent == Absent::Unknown
            && self.source.absence(terms.source) == Absence::Unsaid
        {
            return verdict_note(terms, Some(reasons::ABSENT), terms.source, verdict);
        }
        let source = present(stated, terms.source_absent);
        if let Err(Lack::PassOver(note)) = source {
            verdict_note(terms, note, terms.source, verdict);
            return;
        }
        let lack = if let Required::Nothing(lack) = &terms.required { Some(*lack) } else { None };
        match (source, lack) {
            (Ok(source), None) => self.compare_present(terms, source, verdict),
            (source, lack) => self.lacking(terms, source.err(), lack, verdict),
        }
    }

    fn compare_present(&self, terms: &Terms, source: Value<'_>, verdict: &mut Verdict) {
        let compare = |target| {
            let replaced = &|attribute| self.is_replaced(attribute);
            let pair = Pair { source, target, of_source: self.source, of_target: self.target, replaced };
            compare_values(&terms.compare, &pair)
        };
        let comparison = match &terms.required {
            Required::OfTarget(value) | Required::Named(value) => compare(value.value()),
            Required::AnyOf(values) => values
                .iter()
                .map(|value| compare(value.value()))
                .find(|comparison| !matches!(comparison, Comparison::Mismatch(_)))
                .unwrap_or(Comparison::Mismatch(reasons::NOT_ONE_OF)),
            // Of a target that does not say, nothing is compared.
            Required::Nothing(_) => Comparison::Match,
        };
        let here = |reason| placed(reason, self.source, terms.source);
        match comparison {
            Comparison::Match => {}
            Comparison::MatchWithNote(id) => verdict.push(here(terms.reason(id, terms.source))),
            Comparison::Mismatch(id) => {
                if let Some(setting) = self.setting(terms, source) {
                    verdict.push(here(setting));
                } else if id == reasons::NOT_REPORTED_YET && matches!(terms.compare, Compare::SameCapacity(_)) {
                    verdict.push(here(terms.reason(id, AGGREGATION)));
                } else if terms.mismatch == Mismatch::Administrator {
                    self.ask_administrator(terms, &here, verdict);
                } else {
                    verdict.push(here(terms.reason(id, terms.source)));
                }
            }
        }
    }

    /// Says what it means that a side, or each, lacks its attribute.
    fn lacking(&self, terms: &Terms, source: Option<Lack>, target: Option<Lack>, verdict: &mut Verdict) {
        if source == Some(Lack::Ask) || target == Some(Lack::Ask) {
            self.ask_administrator(terms, &|reason| reason, verdict);
        }
        let mut said = None;
        for (lack, attribute) in [(source, terms.source), (target, terms.target)] {
            match lack {
                Some(Lack::Say(id)) if said != Some((id, attribute)) => {
                    said = Some((id, attribute));
                    verdict.push(terms.reason(id, attribute));
                }
                Some(Lack::PassOver(note)) => verdict_note(terms, note, attribute, verdict),
                _ => {}
            }
        }
    }

    /// `place` says where in the input the value stands that was compared, if one was.
    fn ask_administrator(&self, terms: &Terms, place: &dyn Fn(Reason) -> Reason, verdict: &mut Verdict) {
        let reported = |value: &Value<'_>| *value != Value::Unknown;
        let source = self.source.value(terms.source).filter(reported);
        let target = self.target.value(terms.target).filter(reported);
        let mut settled = false;
        for (at, assertion) in self.target.assertions.iter().enumerate() {
            if !assertion.fits(terms.source, source, target) {
                continue;
            }
            settled |= assertion.holds(self.now);
            let id = if assertion.holds(self.now) { reasons::ASSERTED } else { reasons::ASSERTION_EXPIRED };
            // Which of the target's assertions it was: the report names who gave it and why.
            let which = Datum::Count(crate::bytes::widen(at));
            verdict.push(terms.reason(id, terms.source).because(Datum::None, which));
        }
        if !settled {
            verdict.push(place(terms.reason(reasons::NEEDS_ASSERTION, terms.source)));
        }
    }

    /// The setting that makes the comparison hold, where the target can be set so. What an override names is not the
    /// target's own value, so no setting changes it.
    fn setting(&self, terms: &Terms, source: Value<'_>) -> Option<Reason> {
        let Required::OfTarget(target) = &terms.required else { return None };
        let target = target.value();
        let holds_after = |attribute, value, target| {
            let rules = self.target.rules();
            let stated = Changed { profile: self.target.profile(), attribute, value };
            if (rules.impossible)(&stated).is_some() || (rules.contradiction)(&stated).is_some() {
                return false;
            }
            let of_target = &Complete::new(&stated, rules);
            let replaced = &|attribute| self.is_replaced(attribute);
            let pair = Pair { source, target, of_source: self.source, of_target, replaced };
            !matches!(compare_values(&terms.compare, &pair), Comparison::Mismatch(_))
        };
        let set = terms.reason(reasons::SET, terms.target);
        if self.target.setting(terms.target, source).is_some() && holds_after(terms.target, source, source) {
            return Some(set);
        }
        let Compare::SameCapacity(types) = terms.compare else { return None };
        let number = matching_aggregation(types, source, target, aggregation(self.source)?)?;
        let can_be_set = self.target.setting(AGGREGATION, Value::Uint(number)).is_some()
            && holds_after(AGGREGATION, Value::Uint(number), target);
        can_be_set.then_some(set.about(AGGREGATION).because(Datum::None, Datum::Count(number)))
    }
}

fn verdict_note(terms: &Terms, note: Option<ReasonId>, attribute: AttributeId, verdict: &mut Verdict) {
    if let Some(id) = note {
        verdict.push(terms.reason(id, attribute));
    }
}

fn when(holds: bool, otherwise: ReasonId) -> Comparison {
    if holds { Comparison::Match } else { Comparison::Mismatch(otherwise) }
}

/// Compares one pair of values. Values of types that the comparison does not know do not match.
pub fn compare_values(compare: &Compare, pair: &Pair<'_>) -> Comparison {
    use Value::{Map, Mask, PciId, Range, Ratio, Set, Text, Uint, Version};
    let (source, target) = (pair.source, pair.target);
    let equal = || source == target && source != Value::Unknown;
    match compare {
        Compare::Ignore => Comparison::Match,
        Compare::Equal => when(equal(), reasons::NOT_EQUAL),
        Compare::OneOf => {
            let holds = match (source, target) {
                (Text(_) | Uint(_) | PciId(_), Set(set)) => set.contains(source),
                _ => equal(),
            };
            when(holds, reasons::NOT_ONE_OF)
        }
        Compare::InRange => {
            let holds = match (source, target) {
                (Uint(number), Range(low, high)) => (low..=high).contains(&number),
                (Range(low, high), Range(least, most)) => least <= low && high <= most,
                (Uint(number), Uint(only)) => number == only,
                _ => false,
            };
            when(holds, reasons::NOT_IN_RANGE)
        }
        Compare::Subset => {
            let holds = match (source, target) {
                (Mask(source), Mask(target)) => source.is_subset(target),
                (Set(source), Set(target)) => source.is_subset(target),
                (Map(source), Map(target)) => source.is_subset(target),
                _ => false,
            };
            when(holds, reasons::NOT_SUBSET)
        }
        Compare::AtLeast => {
            let holds = match (source, target) {
                (Uint(source), Uint(target)) => target >= source,
                (Ratio(source), Ratio(target)) => target >= source,
                (Version(source), Version(target)) => target >= source,
                _ => false,
            };
            when(holds, reasons::NOT_AT_LEAST)
        }
        Compare::Version => {
            let holds = matches!((source, target), (Version(source), Version(target))
                if source.major == target.major && target.minor >= source.minor);
            when(holds, reasons::VERSION)
        }
        Compare::Branch { newer } => {
            let holds = matches!((source, target), (Version(source), Version(target))
                if target.major.checked_sub(source.major).is_some_and(|ahead| ahead <= *newer));
            when(holds, reasons::BRANCH)
        }
        Compare::Is(value) => when(equal() && source == *value, reasons::NOT_IS),
        Compare::NotPair(pairs) => {
            let passes = |(of_source, of_target): &(Value<'_>, Value<'_>)| {
                let known = of_source.kind() == source.kind() && of_target.kind() == target.kind();
                known && !(*of_source == source && *of_target == target)
            };
            when(pairs.iter().all(passes), reasons::EXCLUDED_PAIR)
        }
        Compare::SameCapacity(types) => same_capacity(types, pair),
        Compare::Own(own) => own(pair),
    }
}

/// How many instances of its type a side is worth: 1 where it does not say, `None` where it has not reported it.
fn aggregation(side: &dyn Attributes) -> Option<u64> {
    match side.value(AGGREGATION) {
        Some(Value::Uint(number)) => Some(number),
        Some(_) => None,
        None => Some(1),
    }
}

fn resources_of(types: &[Capacity], value: Value<'_>) -> Option<&'static [Resource]> {
    let Value::Text(name) = value else { return None };
    types.iter().find(|row| row.mdev_type == name.as_str()).map(|row| row.resources)
}

/// Reduces type and aggregation of both sides to named resources and compares these. A resource that the stream's
/// layout depends on must be equal; of the others a difference is worth a note. One that only one of the types names
/// is a difference.
fn same_capacity(types: &[Capacity], pair: &Pair<'_>) -> Comparison {
    let mismatch = Comparison::Mismatch(reasons::NOT_SAME_CAPACITY);
    let (Some(of_source), Some(of_target)) = (aggregation(pair.of_source), aggregation(pair.of_target)) else {
        return Comparison::Mismatch(reasons::NOT_REPORTED_YET);
    };
    if matches!(pair.source, Value::Text(_)) && pair.source == pair.target && of_source == of_target {
        return Comparison::Match;
    }
    let (Some(source), Some(target)) = (resources_of(types, pair.source), resources_of(types, pair.target)) else {
        return mismatch;
    };
    let named = |resources: &'static [Resource], name| resources.iter().find(|resource| resource.name == name);
    let amount = |resource: &Resource, times: u64| {
        if resource.scales { resource.amount.checked_mul(times) } else { Some(resource.amount) }
    };
    let mut note = false;
    for mine in source {
        let same = match named(target, mine.name) {
            Some(theirs) => match (amount(mine, of_source), amount(theirs, of_target)) {
                (Some(has), Some(needs)) => has == needs,
                _ => return mismatch,
            },
            None => false,
        };
        if !same && (mine.essential || named(target, mine.name).is_some_and(|theirs| theirs.essential)) {
            return mismatch;
        }
        note |= !same;
    }
    for theirs in target.iter().filter(|theirs| named(source, theirs.name).is_none()) {
        if theirs.essential {
            return mismatch;
        }
        note = true;
    }
    if note { Comparison::MatchWithNote(reasons::MORE_CAPACITY) } else { Comparison::Match }
}

/// The only aggregation of the target's type that can come to the source's resources: of the source's type, the
/// source's own; of another, the quotient of a resource that must be equal and scales.
fn matching_aggregation(types: &[Capacity], source: Value<'_>, target: Value<'_>, of_source: u64) -> Option<u64> {
    if source == target {
        return Some(of_source);
    }
    let (source, target) = (resources_of(types, source)?, resources_of(types, target)?);
    let counts = |resource: &&Resource| resource.essential && resource.scales && resource.amount > 0;
    let theirs = target.iter().find(counts)?;
    let mine = source.iter().filter(counts).find(|mine| mine.name == theirs.name)?;
    let total = mine.amount.checked_mul(of_source)?;
    (total % theirs.amount == 0).then_some(total / theirs.amount)
}

#[cfg(test)]
mod tests;
