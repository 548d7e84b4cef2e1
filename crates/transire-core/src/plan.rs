//! What the rules come to on one target: found out once, when the target is made, so that nothing of it is looked up again
//! for each stream. A plan holds nothing of a source.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::attribute::{Absence, AttributeId, Attributes, OwnedValue, Statable, Value};
use crate::judge::say_lacking;
use crate::rule::{Absent, Compare, Comparison, Mismatch, Pair, Rule, When};
use crate::target::{Accept, Operand, Target};
use crate::verdict::{Reason, ReasonId, Verdict, reasons};

/// What the rules come to on a target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// What any source is asked.
    any: Questions,
    /// What is left to ask of a source that states no more than this.
    of_streams: Vec<(&'static Statable, Questions)>,
    /// The attributes of the source about which a rule of the target's own is in force in place of the vendor's.
    pub replaced: Vec<AttributeId>,
}

/// The rules that a source is asked, in their order, and what need not be asked to be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Questions {
    /// What is told whatever the source states: each in its place, see [`Terms::told_before`].
    pub told: Vec<Reason>,
    /// The rules, without those that are never asked.
    pub terms: Vec<Terms>,
}

/// A rule as it is in force: the vendor's row, with the target's own comparison where that took its place.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The attribute of the source.
    pub source: AttributeId,
    /// The attribute of the target.
    pub target: AttributeId,
    /// How the two are compared.
    pub compare: Compare,
    /// With what.
    pub required: Required,
    /// When the rule is asked at all, where that does not depend on the target alone.
    pub when: Option<When>,
    /// What it means that the comparison fails.
    pub mismatch: Mismatch,
    /// What it means that the source does not have its attribute.
    pub source_absent: Absent,
    /// Whether the rule before this one is about the same attribute of the source.
    pub again: bool,
    /// How many of [`Questions::told`] come before it.
    pub told_before: usize,
    /// The vendor's row.
    pub rule: Option<&'static Rule>,
    /// What else a source must have that has what is required for the rule to hold: these values, or none of these
    /// attributes. `None` where that does not make it hold.
    holds_with: Option<Vec<(AttributeId, Option<Known>)>>,
    /// Whether it holds for a source without the attribute.
    holds_without: bool,
}

/// What else a comparison of the vendor's own looks at in a source that has what the target has, and finds there, where it
/// holds for the target's own like; `None` where it does not. What a comparison finds depends on nothing but what it looks
/// at: so it holds for every source with the same.
fn looks_at(
    own: fn(&Pair<'_>) -> Comparison,
    value: Value<'_>,
    target: &Target,
    replaced: &[AttributeId],
) -> Option<Vec<(AttributeId, Option<Known>)>> {
    let like = Watched { target, values: RefCell::default(), beyond: Cell::new(false) };
    let replaced = &|attribute: AttributeId| attribute.is_one_of(replaced);
    let pair = Pair { source: value, target: value, of_source: &like, of_target: target, replaced };
    let holds = own(&pair) == Comparison::Match && !like.beyond.get();
    holds.then(|| like.values.into_inner())
}

/// A source that has what the target has, and remembers what it was asked.
struct Watched<'a> {
    target: &'a Target,
    values: RefCell<Vec<(AttributeId, Option<Known>)>>,
    /// It was asked something else than values.
    beyond: Cell<bool>,
}

impl Attributes for Watched<'_> {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        let value = self.target.value(id);
        let mut values = self.values.borrow_mut();
        if !values.iter().any(|(known, _)| known.is(id)) {
            values.push((id, value.map(Known::of)));
        }
        value
    }

    fn place(&self, _: AttributeId) -> Option<(u64, u32)> {
        self.beyond.set(true);
        None
    }

    fn absence(&self, _: AttributeId) -> Absence {
        self.beyond.set(true);
        Absence::Unstated
    }

    fn statable(&self) -> Option<&'static Statable> {
        self.beyond.set(true);
        None
    }
}

/// The last attribute of one source that was looked at beside another, and whether it has there what the target has: several
/// rules look at the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Like {
    attribute: AttributeId,
    same: bool,
}

impl Like {
    /// Nothing was looked at.
    pub(crate) const NONE: Self = Self { attribute: AttributeId::NONE, same: false };
}

/// What a source is held against.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Required {
    /// What the target has, which a setting can change.
    OfTarget(Known),
    /// What a rule of the target's own names.
    Named(Known),
    /// Any of these values, which such a rule names.
    AnyOf(Vec<OwnedValue>),
    /// The target does not say; what that means.
    Nothing(Lack),
}

/// A value that is read from its bytes once, where that takes time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Known {
    /// One that is a number or a few.
    Read(Value<'static>),
    /// One that is its bytes.
    Bytes(OwnedValue),
}

impl Known {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Bool(value) => Self::Read(Value::Bool(value)),
            Value::Uint(value) => Self::Read(Value::Uint(value)),
            Value::Version(value) => Self::Read(Value::Version(value)),
            Value::Range(low, high) => Self::Read(Value::Range(low, high)),
            Value::Ratio(value) => Self::Read(Value::Ratio(value)),
            Value::PciId(value) => Self::Read(Value::PciId(value)),
            Value::Text(_) | Value::Bytes(_) | Value::Mask(_) | Value::Set(_) | Value::Map(_) | Value::Unknown => {
                Self::Bytes(value.to_owned())
            }
        }
    }

    #[inline]
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Read(value) => *value,
            Self::Bytes(value) => value.value(),
        }
    }
}

/// What follows from a side that lacks its attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lack {
    /// The rule is passed over, with a note or without.
    PassOver(Option<ReasonId>),
    /// An administrator has to say.
    Ask,
    /// The verdict has this reason.
    Say(ReasonId),
}

impl Plan {
    /// What the vendor's rules and the target's own come to on the target.
    pub(crate) fn of(target: &Target) -> Self {
        let mut replaced = Vec::new();
        let mut terms = in_force(target, &mut replaced);
        for terms in &mut terms {
            terms.find_its_like(target, &replaced);
        }
        let listed: Vec<Reason> = target.accepts().iter().flat_map(|accept| listed(accept, target)).collect();
        let questions = |statable| Questions::of(target, listed.clone(), terms.clone(), statable);
        let streams = target.rules().statable.iter();
        Self {
            any: questions(None),
            of_streams: streams.map(|statable| (*statable, questions(Some(statable)))).collect(),
            replaced,
        }
    }

    /// What the source is asked.
    pub(crate) fn questions(&self, source: &dyn Attributes) -> &Questions {
        let statable = source.statable();
        let of_stream =
            |(stream, _): &&(&Statable, _)| statable.is_some_and(|statable| core::ptr::eq(statable, *stream));
        self.of_streams.iter().find(of_stream).map_or(&self.any, |(_, questions)| questions)
    }
}

impl Questions {
    /// What is left of the rules where the source states no more than `statable`, if that is known.
    fn of(target: &Target, told: Vec<Reason>, terms: Vec<Terms>, statable: Option<&'static Statable>) -> Self {
        let mut questions = Self { told, terms: Vec::new() };
        let mut before = None;
        for mut terms in terms {
            match terms.when.map(|when| when.decided_by(target, statable)) {
                Some(Some(false)) => continue,
                None | Some(Some(true)) => terms.when = None,
                Some(None) => {}
            }
            if let Some(silent) = statable.filter(|statable| !statable.includes(terms.source)).map(Silent) {
                if terms.is_met_by(None, &silent, &mut { Like::NONE }) {
                    continue;
                }
                if terms.says_the_same_of_the_silent() {
                    let mut verdict = Verdict::new();
                    say_lacking(&terms, &silent, target, &mut verdict);
                    questions.told.extend(verdict.reasons());
                    continue;
                }
            }
            terms.told_before = questions.told.len();
            terms.again = before.replace(terms.source) == Some(terms.source);
            questions.terms.push(terms);
        }
        questions
    }
}

/// A source that states nothing of what it is asked.
struct Silent(&'static Statable);

impl Attributes for Silent {
    fn value(&self, _: AttributeId) -> Option<Value<'_>> {
        None
    }

    fn statable(&self) -> Option<&'static Statable> {
        Some(self.0)
    }
}

/// That the target has a rule of its own, and whether it is in force.
fn listed(accept: &Accept, target: &Target) -> impl Iterator<Item = Reason> {
    let rows = || target.rules().rules.iter().filter(|rule| accept.is_of(rule));
    [(true, reasons::ACCEPTED_BY_TARGET), (false, reasons::ACCEPT_OUT_OF_SCOPE)].into_iter().filter_map(
        move |(in_force, id)| {
            let rule = rows().find(|rule| accept.replaces(Some(rule), target) == in_force);
            let alone = rows().next().is_none() && accept.replaces(None, target) == in_force;
            (rule.is_some() || alone).then(|| Reason { rule, ..Reason::new(id).about(accept.attribute) })
        },
    )
}

/// The vendor's rules with the target's own in their place, and those of the target's own behind them that have none to
/// replace; and the attributes of which rules are replaced.
fn in_force(target: &Target, replaced: &mut Vec<AttributeId>) -> Vec<Terms> {
    let rules = target.rules().rules;
    let mut in_force = Vec::new();
    let mut asked: Vec<&Accept> = Vec::new();
    for rule in rules {
        match target.accept_of(Some(rule), rule.target).filter(|accept| accept.replaces(Some(rule), target)) {
            None => in_force.extend(Terms::of_vendor(rule, target)),
            Some(accept) => {
                replaced.push(rule.source);
                // It is asked once, whatever number of rows it stands for.
                if !asked.iter().any(|before| core::ptr::eq(*before, accept)) {
                    asked.push(accept);
                    in_force.extend(Terms::in_place_of(rule, accept, target));
                }
            }
        }
    }
    for accept in target.accepts() {
        let has_rule = rules.iter().any(|rule| accept.is_of(rule));
        if !has_rule && accept.replaces(None, target) {
            in_force.extend(Terms::of_target(accept, target));
        }
    }
    in_force
}

impl Terms {
    /// `None` for a row that is never asked on the target.
    fn of_vendor(rule: &'static Rule, target: &Target) -> Option<Self> {
        let terms = Self {
            source: rule.source,
            target: rule.target,
            compare: rule.compare,
            required: Required::Nothing(Lack::PassOver(None)),
            when: rule.when,
            mismatch: rule.mismatch,
            source_absent: rule.source_absent,
            again: false,
            told_before: 0,
            rule: Some(rule),
            holds_with: None,
            holds_without: false,
        };
        terms.on(target, rule.target_absent)
    }

    /// In place of the vendor's row, of which only remains what a side means that lacks its attribute.
    fn in_place_of(rule: &'static Rule, accept: &Accept, target: &Target) -> Option<Self> {
        Self {
            source: rule.source,
            target: rule.target,
            source_absent: rule.source_absent,
            rule: Some(rule),
            ..Self::of_accept(accept)
        }
        .on(target, rule.target_absent)
    }

    /// For an attribute that the vendor has no rule for.
    fn of_target(accept: &Accept, target: &Target) -> Option<Self> {
        Self::of_accept(accept).on(target, Absent::Unknown)
    }

    fn of_accept(accept: &Accept) -> Self {
        Self {
            source: accept.attribute,
            target: accept.attribute,
            compare: accept.compare,
            required: match &accept.operand {
                Operand::OfTarget => Required::Nothing(Lack::PassOver(None)),
                Operand::Value(value) => Required::Named(Known::of(value.value())),
                Operand::AnyOf(values) => Required::AnyOf(values.clone()),
            },
            when: None,
            mismatch: Mismatch::Refuse,
            source_absent: Absent::Unknown,
            again: false,
            told_before: 0,
            rule: None,
            holds_with: None,
            holds_without: false,
        }
    }

    /// The same with what the target has.
    fn on(mut self, target: &Target, absent: Absent) -> Option<Self> {
        if matches!(self.compare, Compare::Ignore) {
            return None;
        }
        // What a rule names is there already.
        if matches!(self.required, Required::Nothing(_)) {
            self.required = match present(target.value(self.target), absent) {
                Ok(value) => Required::OfTarget(Known::of(value)),
                Err(lack) => Required::Nothing(lack),
            };
        }
        Some(self)
    }

    /// Finds out for which sources there is nothing to say.
    fn find_its_like(&mut self, target: &Target, replaced: &[AttributeId]) {
        let required = self.required();
        let holds_with = match (required, &self.compare) {
            (Some(value), Compare::Own(own)) => looks_at(*own, value, target, replaced),
            (Some(value), compare) => compare.takes_its_like(value).then(Vec::new),
            (None, _) => None,
        };
        let holds_without = match self.source_absent {
            Absent::Ignore => true,
            // It is taken in the place of the source's value.
            Absent::Default(taken) => holds_with.as_ref().is_some_and(Vec::is_empty) && required == Some(taken),
            _ => false,
        };
        (self.holds_with, self.holds_without) = (holds_with, holds_without);
    }

    /// Whether there is nothing to say of the rule for a source that has this. It never says that a rule fails.
    #[inline]
    pub(crate) fn is_met_by(&self, stated: Option<Value<'_>>, source: &impl Attributes, like: &mut Like) -> bool {
        match stated {
            Some(value) => self.holds_with.as_ref().is_some_and(|others| {
                let same = |(id, other): &(AttributeId, Option<Known>)| {
                    if !like.attribute.is(*id) {
                        let same = source.value(*id) == other.as_ref().map(Known::value);
                        *like = Like { attribute: *id, same };
                    }
                    like.same
                };
                self.required() == Some(value) && others.iter().all(same)
            }),
            None => self.holds_without || source.absence(self.source) == Absence::Awaited,
        }
    }

    /// The one value that the source is held against, where it is one.
    #[inline]
    fn required(&self) -> Option<Value<'_>> {
        match &self.required {
            Required::OfTarget(value) | Required::Named(value) => Some(value.value()),
            Required::AnyOf(_) | Required::Nothing(_) => None,
        }
    }

    /// Whether it says the same of every source that does not state its attribute: no administrator is asked, whose
    /// assertions end, no default is compared, and no other attribute decides whether the rule is asked.
    fn says_the_same_of_the_silent(&self) -> bool {
        let asks = self.source_absent == Absent::Administrator || self.required == Required::Nothing(Lack::Ask);
        let compares = matches!(self.source_absent, Absent::Default(_));
        self.when.is_none() && !asks && !compares
    }

    /// A reason that the rule gives.
    pub(crate) fn reason(&self, id: ReasonId, attribute: AttributeId) -> Reason {
        Reason { rule: self.rule, ..Reason::new(id).about(attribute) }
    }
}

/// The value of one side, or its default, or what it means that there is none.
pub(crate) fn present(value: Option<Value<'_>>, absent: Absent) -> Result<Value<'_>, Lack> {
    let reported = match value {
        Some(Value::Unknown) => false,
        Some(value) => return Ok(value),
        None => true,
    };
    Err(match absent {
        Absent::Ignore => Lack::PassOver(None),
        Absent::Note => Lack::PassOver(Some(reasons::ABSENT)),
        Absent::Administrator => Lack::Ask,
        // A value that exists but has not been reported is neither the default nor missing.
        _ if !reported => Lack::Say(reasons::NOT_REPORTED_YET),
        Absent::Default(value) => return Ok(value),
        Absent::Unknown => Lack::Say(reasons::NOT_IN_PROFILE),
        Absent::Refuse => Lack::Say(reasons::MISSING),
    })
}
