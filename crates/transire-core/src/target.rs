//! A target: the profile of a device, what it accepts, requires and can set, and what it has been assured of.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::attribute::{AttributeId, Attributes, DRIVER_VERSION, OwnedValue, Value, Version};
use crate::plan::Plan;
use crate::profile::Profile;
use crate::rule::{Compare, OriginKind, Rule, RuleTable};

/// The device that a stream is to be loaded into, and the terms on which it is.
#[derive(Clone, Debug)]
pub struct Target {
    profile: Profile,
    rules: &'static RuleTable,
    /// What the rules come to on it: made anew with whatever it is made of.
    plan: Plan,
    accepts: Vec<Accept>,
    /// What can be set on the device before loading.
    pub settable: Vec<Settable>,
    /// What a stream must come with.
    pub requires: Requires,
    /// What an administrator has vouched for.
    pub assertions: Vec<Assertion>,
}

/// Why a target cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// The rules are those of another vendor than the profile's.
    OtherVendor,
    /// Two attributes cannot both be true.
    Contradiction(AttributeId, AttributeId),
    /// No device of the vendor has this value; the values that there are.
    Impossible(AttributeId, &'static str),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherVendor => f.write_str("the rules are another vendor's"),
            Self::Contradiction(first, second) => write!(f, "attributes {first} and {second} contradict each other"),
            Self::Impossible(attribute, values) => write!(f, "attribute {attribute} must be {values}"),
        }
    }
}

impl core::error::Error for TargetError {}

/// A rule of the target's own, in place of the vendor's.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The attribute whose rule it replaces.
    pub attribute: AttributeId,
    /// How the source's value is compared.
    pub compare: Compare,
    /// With what, where it is not the target's own value.
    pub operand: Operand,
    /// The ground for it, for people.
    pub source: String,
    /// The versions of the target's driver for which it holds, both inclusive; see [`Accept::replaces`].
    pub driver_versions: Option<(Version, Option<Version>)>,
}

/// What an override compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The target's own value of the attribute.
    OfTarget,
    /// This value.
    Value(OwnedValue),
    /// Any of these values: the comparison holds with one of them.
    AnyOf(Vec<OwnedValue>),
}

impl Accept {
    /// Whether the target's driver is one for which the override holds.
    pub fn covers(&self, target: &dyn Attributes) -> bool {
        let Some((least, most)) = self.driver_versions else { return false };
        let Some(Value::Version(version)) = target.value(DRIVER_VERSION) else { return false };
        version >= least && most.is_none_or(|most| version <= most)
    }

    /// Whether the override speaks of this rule: by the name of either attribute that the rule compares.
    pub fn is_of(&self, rule: &Rule) -> bool {
        self.attribute.is_one_of(&[rule.source, rule.target])
    }

    /// Whether the override is in force on the target: in place of this rule, or, without one, as a rule of its own. A
    /// scope that it names binds it always; a rule that the driver itself checks cannot be replaced without one.
    pub fn replaces(&self, rule: Option<&Rule>, target: &dyn Attributes) -> bool {
        let needs_scope = rule.is_some_and(|rule| rule.origin.kind == OriginKind::Driver);
        if needs_scope || self.driver_versions.is_some() { self.covers(target) } else { true }
    }
}

/// An attribute that can be set on the target before loading.
#[derive(Clone, Debug)]
pub struct Settable {
    /// The attribute.
    pub attribute: AttributeId,
    /// The values that it can be set to.
    pub allowed: Allowed,
    /// Where it is set, for people and tools: a path below the device.
    pub path: String,
}

/// Which values an attribute can be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every value of its type.
    Any,
    /// A number from the first to the second, both inclusive.
    Range(u64, u64),
    /// One of these.
    OneOf(Vec<OwnedValue>),
}

impl Allowed {
    /// Whether the attribute can be set to the value.
    pub fn admits(&self, value: Value<'_>) -> bool {
        match self {
            Self::Any => value != Value::Unknown,
            Self::Range(low, high) => matches!(value, Value::Uint(number) if (*low..=*high).contains(&number)),
            Self::OneOf(values) => values.iter().any(|allowed| allowed.value() == value),
        }
    }
}

/// What a stream must come with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requires {
    /// It must be sealed.
    pub sealed: bool,
    /// It must end with this digest, by its code (see [`crate::sealed::Digest`]); implies that it is sealed.
    pub digest: Option<u64>,
}

/// An administrator's word for one pair of values. It never lifts an incompatible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The attribute.
    pub attribute: AttributeId,
    /// The source's value that it holds for; `None` for a source that does not say.
    pub source: Option<OwnedValue>,
    /// The target's value that it holds for; `None` for a target that does not say.
    pub target: Option<OwnedValue>,
    /// Who vouches.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when it holds, in seconds since 1970-01-01T00:00:00Z.
    pub until: Option<u64>,
}

impl Assertion {
    /// Whether it speaks of this attribute with these values.
    pub fn fits(&self, attribute: AttributeId, source: Option<Value<'_>>, target: Option<Value<'_>>) -> bool {
        let same = |mine: &Option<OwnedValue>, value| mine.as_ref().map(OwnedValue::value) == value;
        self.attribute.is(attribute) && same(&self.source, source) && same(&self.target, target)
    }

    /// Whether it still holds at this time. Where the time is not known, only one without an end does.
    pub fn holds(&self, now: Option<u64>) -> bool {
        self.until.is_none_or(|until| now.is_some_and(|now| now <= until))
    }
}

impl Target {
    /// A target that is its profile and nothing more.
    pub fn new(profile: Profile, rules: &'static RuleTable) -> Result<Self, TargetError> {
        if profile.vendor() != rules.vendor() {
            return Err(TargetError::OtherVendor);
        }
        if let Some((attribute, values)) = (rules.impossible)(&profile) {
            return Err(TargetError::Impossible(attribute, values));
        }
        if let Some((first, second)) = (rules.contradiction)(&profile) {
            return Err(TargetError::Contradiction(first, second));
        }
        let mut target = Self {
            profile,
            rules,
            plan: Plan::default(),
            accepts: Vec::new(),
            settable: Vec::new(),
            requires: Requires::default(),
            assertions: Vec::new(),
        };
        target.plan = Plan::of(&target);
        Ok(target)
    }

    /// Overrides of the vendor's rules, one for an attribute.
    pub fn accepts(&self) -> &[Accept] {
        &self.accepts
    }

    /// Gives the target these overrides in place of those that it has.
    pub fn set_accepts(&mut self, accepts: Vec<Accept>) {
        self.accepts = accepts;
        self.plan = Plan::of(self);
    }

    /// The override of this rule, or, without one, of this attribute. Of two for the two attributes of one rule the one
    /// that is in force is meant, and then that of the target's attribute, whatever their order.
    pub fn accept_of(&self, rule: Option<&Rule>, attribute: AttributeId) -> Option<&Accept> {
        let of = |id: AttributeId| self.accepts.iter().find(move |accept| accept.attribute.is(id));
        let Some(rule) = rule else { return of(attribute) };
        let both = || [rule.target, rule.source].into_iter().filter_map(of);
        both().find(|accept| accept.replaces(Some(rule), self)).or_else(|| both().next())
    }

    /// How the attribute can be set to the value, where it can and the attribute can have that value at all.
    pub fn setting(&self, attribute: AttributeId, value: Value<'_>) -> Option<&Settable> {
        let settable = self.settable.iter().find(|row| row.attribute.is(attribute) && row.allowed.admits(value))?;
        let definition = self.rules.dictionary.by_number(attribute.number())?;
        (definition.kind == value.kind() && definition.constraint.admits(value)).then_some(settable)
    }

    /// What the device is.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The vendor's rules.
    pub const fn rules(&self) -> &'static RuleTable {
        self.rules
    }

    /// What the rules come to on this target.
    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The vendor's name.
    pub const fn vendor(&self) -> &'static str {
        self.rules.vendor()
    }
}

impl Attributes for Target {
    /// The attribute as the profile has it, or as it follows from the others.
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        let stated = self.profile.value(id);
        if stated.is_some() { stated } else { (self.rules.derive)(&self.profile, id) }
    }
}
