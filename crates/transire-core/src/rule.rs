//! The rule vocabulary: how an attribute of the source is held against one of the target's.

use alloc::format;
use alloc::string::{String, ToString};

use crate::attribute::{AttributeId, Attributes, Dictionary, Statable, Value};
use crate::verdict::{ReasonId, reasons};

/// One row of a vendor's rule table.
#[derive(Debug)]
pub struct Rule {
    /// The attribute of the source.
    pub source: AttributeId,
    /// The attribute of the target, often the same.
    pub target: AttributeId,
    /// How the two are compared.
    pub compare: Compare,
    /// When the rule is asked at all.
    pub when: Option<When>,
    /// What it means that the comparison fails.
    pub mismatch: Mismatch,
    /// What it means that the source does not have its attribute.
    pub source_absent: Absent,
    /// What it means that the target does not have its attribute.
    pub target_absent: Absent,
    /// Where the rule comes from.
    pub origin: Origin,
}

/// A row that compares one attribute on both sides: a mismatch refuses, and absence means the same on either side.
pub const fn rule(id: AttributeId, compare: Compare, absent: Absent, origin: Origin) -> Rule {
    Rule {
        source: id,
        target: id,
        compare,
        when: None,
        mismatch: Mismatch::Refuse,
        source_absent: absent,
        target_absent: absent,
        origin,
    }
}

impl PartialEq for Rule {
    /// Rules are rows of static tables: one is equal to itself only.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Compare {
    /// The same value.
    Equal,
    /// The source's value is a member of the target's set (or its value, where the target has no set).
    OneOf,
    /// The source's number lies in the target's range.
    InRange,
    /// Every bit, member or pair of the source is one of the target's.
    Subset,
    /// The target's number, fraction or version is not below the source's.
    AtLeast,
    /// Major versions equal, the target's minor not below the source's, the patch ignored.
    Version,
    /// The target's major version is the source's, or at most so many newer.
    Branch {
        /// How many major versions the target may be ahead.
        newer: u32,
    },
    /// Both sides have this value.
    Is(Value<'static>),
    /// None of these pairs (source, target). Values of other types than the pairs' do not match.
    NotPair(&'static [(Value<'static>, Value<'static>)]),
    /// Type and aggregation come to the same resources.
    SameCapacity(&'static [Capacity]),
    /// The vendor's own comparison.
    Own(fn(&Pair<'_>) -> Comparison),
    /// Never compared: stands in the table to say so.
    Ignore,
}

/// The kinds of reasons that say how a comparison failed.
pub const MISMATCHES: [ReasonId; 10] = [
    reasons::NOT_EQUAL,
    reasons::NOT_ONE_OF,
    reasons::NOT_IN_RANGE,
    reasons::NOT_SUBSET,
    reasons::NOT_AT_LEAST,
    reasons::VERSION,
    reasons::BRANCH,
    reasons::NOT_IS,
    reasons::EXCLUDED_PAIR,
    reasons::NOT_SAME_CAPACITY,
];

impl Compare {
    /// The kind of reason that a failed comparison gives; `None` where it can give several, or never fails.
    pub const fn mismatch(&self) -> Option<ReasonId> {
        match self {
            Self::Equal => Some(reasons::NOT_EQUAL),
            Self::OneOf => Some(reasons::NOT_ONE_OF),
            Self::InRange => Some(reasons::NOT_IN_RANGE),
            Self::Subset => Some(reasons::NOT_SUBSET),
            Self::AtLeast => Some(reasons::NOT_AT_LEAST),
            Self::Version => Some(reasons::VERSION),
            Self::Branch { .. } => Some(reasons::BRANCH),
            Self::Is(_) => Some(reasons::NOT_IS),
            Self::NotPair(_) => Some(reasons::EXCLUDED_PAIR),
            Self::SameCapacity(_) => Some(reasons::NOT_SAME_CAPACITY),
            Self::Own(_) | Self::Ignore => None,
        }
    }

    /// Whether it holds where this is the value of both sides, whatever else is known of them.
    pub(crate) fn takes_its_like(&self, value: Value<'_>) -> bool {
        use Value::{Map, Mask, Range, Ratio, Set, Uint, Unknown, Version};
        match self {
            Self::Equal | Self::OneOf => value != Unknown,
            Self::Is(only) => value != Unknown && value == *only,
            Self::InRange => matches!(value, Uint(_) | Range(..)),
            Self::Subset => matches!(value, Mask(_) | Set(_) | Map(_)),
            Self::AtLeast => matches!(value, Uint(_) | Ratio(_) | Version(_)),
            Self::Version | Self::Branch { .. } => matches!(value, Version(_)),
            Self::NotPair(_) | Self::SameCapacity(_) | Self::Own(_) | Self::Ignore => false,
        }
    }

    /// The comparison in words, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Equal => "both have the same value".to_string(),
            Self::OneOf => "the source's value is one of the target's".to_string(),
            Self::InRange => "the source's value lies in the target's range".to_string(),
            Self::Subset => "the target has all that the source has".to_string(),
            Self::AtLeast => "the target has at least the source's value".to_string(),
            Self::Version => "major versions equal, the target's minor version not older".to_string(),
            Self::Branch { newer } => format!("the target's major version is the source's, or at most {newer} newer"),
            Self::Is(value) => format!("both have the value {value}"),
            Self::NotPair(pairs) => {
                let pairs: alloc::vec::Vec<String> =
                    pairs.iter().map(|(source, target)| format!("{source} into {target}")).collect();
                format!("excluded: {}", pairs.join(", "))
            }
            Self::SameCapacity(_) => "type and aggregation come to the same resources".to_string(),
            Self::Own(_) => "the vendor's own comparison".to_string(),
            Self::Ignore => "not compared".to_string(),
        }
    }
}

/// What a comparison looks at.
pub struct Pair<'a> {
    /// The source's value.
    pub source: Value<'a>,
    /// The target's value.
    pub target: Value<'a>,
    /// Everything that is known of the source.
    pub of_source: &'a dyn Attributes,
    /// Everything that is known of the target.
    pub of_target: &'a dyn Attributes,
    /// Whether a rule of the target's own is in force in place of the vendor's about this attribute of the source: a
    /// comparison that leaves something to that one cannot, then.
    pub replaced: &'a dyn Fn(AttributeId) -> bool,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They go together.
    Match,
    /// They go together, and there is something to say.
    MatchWithNote(ReasonId),
    /// They do not.
    Mismatch(ReasonId),
}

/// What a mediated device's type is worth, for [`Compare::SameCapacity`].
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// The `mdev_type`.
    pub mdev_type: &'static str,
    /// Its resources.
    pub resources: &'static [Resource],
}

/// One named resource of a type.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// What it is.
    pub name: &'static str,
    /// How much of it one instance has.
    pub amount: u64,
    /// Whether an aggregate of N instances has N times as much.
    pub scales: bool,
    /// Whether the stream's layout depends on it: a difference is a mismatch, not only a note.
    pub essential: bool,
}

/// When a rule is asked. A value that has not been reported is none of those that a condition names: the rows of its own
/// attribute say that it is lacking.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// The source has this value.
    SourceIs(AttributeId, Value<'static>),
    /// The target has this value.
    TargetIs(AttributeId, Value<'static>),
    /// Both sides have the attribute, be its value reported or not.
    BothHave(AttributeId),
    /// At least one side has the attribute, be its value reported or not.
    EitherHas(AttributeId),
    /// All of these hold.
    All(&'static [When]),
    /// Any of these holds.
    Any(&'static [When]),
    /// This does not hold.
    Not(&'static When),
}

impl When {
    /// Whether the condition holds for this source and target.
    pub fn holds(&self, source: &dyn Attributes, target: &dyn Attributes) -> bool {
        match self {
            Self::SourceIs(id, value) => source.value(*id) == Some(*value),
            Self::TargetIs(id, value) => target.value(*id) == Some(*value),
            Self::BothHave(id) => source.value(*id).is_some() && target.value(*id).is_some(),
            Self::EitherHas(id) => source.value(*id).is_some() || target.value(*id).is_some(),
            Self::All(all) => all.iter().all(|when| when.holds(source, target)),
            Self::Any(any) => any.iter().any(|when| when.holds(source, target)),
            Self::Not(when) => !when.holds(source, target),
        }
    }

    /// Whether the condition holds for every source that states no more than `statable`, or for none; `None` where it
    /// depends on the source.
    pub(crate) fn decided_by(&self, target: &dyn Attributes, statable: Option<&Statable>) -> Option<bool> {
        let silent = |id| statable.is_some_and(|statable| !statable.includes(id));
        let all_of = |all: &[Self], holds: bool| {
            let mut decided = all.iter().map(|when| when.decided_by(target, statable));
            if decided.clone().any(|one| one == Some(!holds)) {
                Some(!holds)
            } else {
                decided.all(|one| one == Some(holds)).then_some(holds)
            }
        };
        match self {
            Self::TargetIs(id, value) => Some(target.value(*id) == Some(*value)),
            Self::BothHave(id) => (target.value(*id).is_none() || silent(*id)).then_some(false),
            Self::EitherHas(id) if target.value(*id).is_some() => Some(true),
            Self::SourceIs(id, _) | Self::EitherHas(id) => silent(*id).then_some(false),
            Self::All(all) => all_of(all, true),
            Self::Any(any) => all_of(any, false),
            Self::Not(when) => when.decided_by(target, statable).map(|holds| !holds),
        }
    }
}

/// What it means that a comparison fails, where the target cannot be set to the source's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The stream is refused.
    Refuse,
    /// An administrator has to say.
    Administrator,
}

/// What it means that a side does not have its attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nothing: the rule is passed over.
    Ignore,
    /// A note; the rule is passed over.
    Note,
    /// The verdict is unknown.
    Unknown,
    /// An administrator has to say.
    Administrator,
    /// The stream is refused.
    Refuse,
    /// This value is taken in its place.
    Default(Value<'static>),
}

/// What kind of source a rule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// The driver's own code checks it.
    Driver,
    /// A specification demands it.
    Specification,
    /// A vendor's release note or documentation says so.
    ReleaseNote,
}

impl OriginKind {
    /// The name, as JSON says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Specification => "specification",
            Self::ReleaseNote => "release-note",
        }
    }
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The kind of source.
    pub kind: OriginKind,
    /// The source itself: a file, a section, a document.
    pub citation: &'static str,
    /// Which versions it is known to hold for; empty for all.
    pub scope: &'static str,
    /// When it was read, `YYYY-MM`.
    pub date: &'static str,
}

/// Everything by which a vendor's devices are judged.
#[derive(Debug)]
pub struct RuleTable {
    /// What the vendor's attribute numbers mean.
    pub dictionary: &'static Dictionary,
    /// The rules, in the order in which they are asked.
    pub rules: &'static [Rule],
    /// The value of an attribute that follows from others (mtty's `nr_ports` from `mdev_type`), for a side that does not
    /// have it.
    pub derive: for<'a> fn(&'a dyn Attributes, AttributeId) -> Option<Value<'a>>,
    /// What the native streams of its formats can state ([`Attributes::statable`]). For a source that states no more than
    /// one of these, a target knows beforehand which rules are left to ask; of any other it asks them all.
    pub statable: &'static [&'static Statable],
    /// Two attributes of one side that cannot both be true.
    pub contradiction: fn(&dyn Attributes) -> Option<(AttributeId, AttributeId)>,
    /// An attribute of a *target* whose value no device of this vendor has, and the values that there are.
    pub impossible: fn(&dyn Attributes) -> Option<(AttributeId, &'static str)>,
}

impl RuleTable {
    /// The vendor's name.
    pub const fn vendor(&self) -> &'static str {
        self.dictionary.vendor
    }
}

/// For a vendor without derived attributes.
pub fn derives_nothing(_: &dyn Attributes, _: AttributeId) -> Option<Value<'_>> {
    None
}

/// For a vendor whose attributes are independent.
pub fn never_contradicts(_: &dyn Attributes) -> Option<(AttributeId, AttributeId)> {
    None
}

/// For a vendor that knows no value to be impossible.
pub fn always_possible(_: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    None
}
