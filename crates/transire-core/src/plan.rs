//! What the rules come to on one target: found out once, when the target is made, so that nothing of it is looked up again
//! for each stream. A plan holds nothing of a source.

use alloc::vec::Vec;

use crate::attribute::{Absence, AttributeId, Attributes, OwnedValue, Value};
use crate::rule::{Absent, Compare, Mismatch, Rule, When};
use crate::target::{Accept, Operand, Target};
use crate::verdict::{Reason, ReasonId, reasons};

/// The rules that a source is asked on a target, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// That the target has rules of its own, and whether they are in force.
    pub listed: Vec<Reason>,
    /// The rules, without those that are never asked.
    pub terms: Vec<Terms>,
    /// The attributes of the source about which a rule of the target's own is in force in place of the vendor's.
    pub replaced: Vec<AttributeId>,
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
    /// With what, besides `required`.
    pub operand: Operand,
    /// What the target has, or what it means that it has nothing. Of a rule with several operands, not looked at.
    pub required: Result<OwnedValue, Lack>,
    /// When the rule is asked at all, where that does not depend on the target alone.
    pub when: Option<When>,
    /// What it means that the comparison fails.
    pub mismatch: Mismatch,
    /// What it means that the source does not have its attribute.
    pub source_absent: Absent,
    /// Whether the rule before this one is about the same attribute of the source.
    pub again: bool,
    /// The vendor's row.
    pub rule: Option<&'static Rule>,
    /// Whether a source that has what is required needs nothing else for the rule to hold.
    holds_with_its_like: bool,
    /// Whether it holds for a source without the attribute.
    holds_without: bool,
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
        let rules = target.rules().rules;
        let mut plan = Self::default();
        for accept in target.accepts() {
            plan.list(accept, target);
        }
        let mut asked: Vec<&Accept> = Vec::new();
        for rule in rules {
            match target.accept_of(Some(rule), rule.target).filter(|accept| accept.replaces(Some(rule), target)) {
                None => plan.terms.extend(Terms::of_vendor(rule, target)),
                Some(accept) => {
                    plan.replaced.push(rule.source);
                    // It is asked once, whatever number of rows it stands for.
                    if !asked.iter().any(|before| core::ptr::eq(*before, accept)) {
                        asked.push(accept);
                        plan.terms.extend(Terms::in_place_of(rule, accept, target));
                    }
                }
            }
        }
        for accept in target.accepts() {
            let has_rule = rules.iter().any(|rule| accept.is_of(rule));
            if !has_rule && accept.replaces(None, target) {
                plan.terms.extend(Terms::of_target(accept, target));
            }
        }
        let mut before = None;
        for terms in &mut plan.terms {
            terms.again = before.replace(terms.source) == Some(terms.source);
        }
        plan
    }

    /// Says that the target has a rule of its own, and whether it is in force.
    fn list(&mut self, accept: &Accept, target: &Target) {
        let rows = || target.rules().rules.iter().filter(|rule| accept.is_of(rule));
        for (in_force, id) in [(true, reasons::ACCEPTED_BY_TARGET), (false, reasons::ACCEPT_OUT_OF_SCOPE)] {
            let rule = rows().find(|rule| accept.replaces(Some(rule), target) == in_force);
            let alone = rows().next().is_none() && accept.replaces(None, target) == in_force;
            if rule.is_some() || alone {
                self.listed.push(Reason { rule, ..Reason::new(id).about(accept.attribute) });
            }
        }
    }
}

impl Terms {
    /// `None` for a row that is never asked on the target.
    fn of_vendor(rule: &'static Rule, target: &Target) -> Option<Self> {
        let when = match rule.when.map(|when| (when, when.decided_by(target))) {
            Some((_, Some(false))) => return None,
            None | Some((_, Some(true))) => None,
            Some((when, None)) => Some(when),
        };
        let terms = Self {
            source: rule.source,
            target: rule.target,
            compare: rule.compare,
            operand: Operand::OfTarget,
            required: Err(Lack::PassOver(None)),
            when,
            mismatch: rule.mismatch,
            source_absent: rule.source_absent,
            again: false,
            rule: Some(rule),
            holds_with_its_like: false,
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
            operand: accept.operand.clone(),
            required: Err(Lack::PassOver(None)),
            when: None,
            mismatch: Mismatch::Refuse,
            source_absent: Absent::Unknown,
            again: false,
            rule: None,
            holds_with_its_like: false,
            holds_without: false,
        }
    }

    /// The same with what the target has.
    fn on(mut self, target: &Target, absent: Absent) -> Option<Self> {
        if matches!(self.compare, Compare::Ignore) {
            return None;
        }
        self.required = match &self.operand {
            Operand::OfTarget => present(target.value(self.target), absent).map(Value::to_owned),
            Operand::Value(value) => Ok(value.clone()),
            Operand::AnyOf(_) => Ok(Value::Unknown.to_owned()),
        };
        let required = self.required.as_ref().ok().map(OwnedValue::value);
        self.holds_with_its_like = required.is_some_and(|value| self.compare.takes_its_like(value));
        self.holds_without = match self.source_absent {
            Absent::Ignore => true,
            // It is taken in the place of the source's value.
            Absent::Default(taken) => self.holds_with_its_like && required == Some(taken),
            _ => false,
        };
        Some(self)
    }

    /// Whether there is nothing to say of the rule for a source that has this. It never says that a rule fails.
    #[inline]
    pub(crate) fn is_met_by(&self, stated: Option<Value<'_>>, source: &impl Attributes) -> bool {
        match stated {
            Some(value) => self.holds_with_its_like && self.required.as_ref().is_ok_and(|required| *required == value),
            None => self.holds_without || source.absence(self.source) == Absence::Awaited,
        }
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
