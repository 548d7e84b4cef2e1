//! A source held against a target, both made of the input's bytes: what must hold of every verdict.

use std::collections::BTreeMap;

use transire_core::attribute::{
    Absence, AttributeId, Attributes, Constraint, Definition, OwnedValue, PciId, Ratio, Statable, Text, Type, VENDOR,
    Value, Version,
};
use transire_core::judge::{judge, judge_seal};
use transire_core::profile::{Profile, ProfileBuilder};
use transire_core::report::reports;
use transire_core::rule::{Absent, Compare, RuleTable, When};
use transire_core::target::{Accept, Allowed, Assertion, Operand, Requires, Settable, Target, TargetError};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Datum, Outcome, Reason, Verdict, reasons};

/// The input, taken byte by byte; zeros behind its end.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    fn is(&mut self, one_of: u8) -> bool {
        self.byte() % one_of == 1
    }

    fn one<T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        match self.byte() {
            small @ 0..=191 => u32::from(small % 16),
            192..=223 => u32::from(self.byte()) << 2 | 1,
            224..=239 => u32::MAX,
            _ => self.take(4).iter().fold(0, |number, &byte| number << 8 | u32::from(byte)),
        }
    }

    fn u64(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=159 => u64::from(small % 20),
            shift @ 160..=223 => 1 << (shift - 160),
            224..=231 => u64::MAX,
            _ => self.take(8).iter().fold(0, |number, &byte| number << 8 | u64::from(byte)),
        }
    }
}

/// The values that the rules of a vendor name, and the words of its definitions' examples.
struct Pool {
    values: Vec<Value<'static>>,
    words: Vec<&'static str>,
}

impl Pool {
    fn of(rules: &'static RuleTable) -> Self {
        let mut values = Vec::new();
        let mut words = vec!["a", "none", "vfio-pci"];
        for rule in rules.rules {
            match rule.compare {
                Compare::Is(value) => values.push(value),
                Compare::NotPair(pairs) => values.extend(pairs.iter().flat_map(|(source, target)| [*source, *target])),
                Compare::SameCapacity(types) => words.extend(types.iter().map(|row| row.mdev_type)),
                _ => {}
            }
            for absent in [rule.source_absent, rule.target_absent] {
                if let Absent::Default(value) = absent {
                    values.push(value);
                }
            }
            if let Some(when) = &rule.when {
                named(when, &mut values);
            }
        }
        for definition in rules.dictionary.definitions() {
            words.extend(definition.example.split('"').skip(1).step_by(2).filter(|word| Text::new(word).is_some()));
            words.extend(
                definition
                    .example
                    .split(|letter: char| !letter.is_ascii_alphanumeric())
                    .filter(|word| !word.is_empty()),
            );
        }
        Self { values, words }
    }

    fn word(&self, choices: &mut Choices<'_>) -> String {
        match choices.byte() {
            0..=3 => {
                let text = String::from_utf8_lossy(choices.take(9)).into_owned();
                if Text::new(&text).is_some() { text } else { "other".to_owned() }
            }
            byte => self.words[usize::from(byte) % self.words.len()].to_owned(),
        }
    }

    /// A value of the type.
    fn value(&self, kind: Type, choices: &mut Choices<'_>) -> OwnedValue {
        let named: Vec<_> = self.values.iter().filter(|value| value.kind() == kind).collect();
        if !named.is_empty() && choices.is(3) {
            return Value::to_owned(*named[choices.below(named.len())]);
        }
        match kind {
            Type::Bool => Value::Bool(choices.is(2)).to_owned(),
            Type::Uint => Value::Uint(choices.u64()).to_owned(),
            Type::Text => Value::Text(Text::new(&self.word(choices)).expect("a word")).to_owned(),
            Type::Bytes => {
                let length = 1 + choices.below(17);
                let mut bytes = choices.take(length).to_vec();
                bytes.resize(length, 0);
                Value::Bytes(&bytes).to_owned()
            }
            Type::Version => {
                let read = |word: &str| {
                    let mut parts = word.split('.').map(|part| part.parse::<u32>().ok());
                    Some(Version {
                        major: parts.next()??,
                        minor: parts.next()??,
                        patch: parts.next().unwrap_or(Some(0))?,
                    })
                };
                let example = read(&self.word(choices));
                let any = Version { major: choices.u32(), minor: choices.u32(), patch: choices.u32() };
                Value::Version(example.unwrap_or(any)).to_owned()
            }
            Type::Range => {
                let (one, other) = (choices.u64(), choices.u64());
                Value::Range(one.min(other), one.max(other)).to_owned()
            }
            Type::Mask => {
                let length = choices.below(5);
                OwnedValue::mask(choices.take(length)).expect("a short mask")
            }
            Type::Set => {
                let member = *choices.one(&[Type::Text, Type::Text, Type::Uint, Type::PciId]);
                self.set(member, choices)
            }
            Type::Ratio => {
                let ratio = Ratio::new(choices.u32(), choices.u32());
                Value::Ratio(ratio.or(Ratio::new(1, 2)).expect("a fraction")).to_owned()
            }
            Type::PciId => {
                let read = |word: &str| {
                    let (vendor, device) = word.split_at_checked(9)?.0.split_once(':')?;
                    let part = |digits| u16::from_str_radix(digits, 16).ok();
                    Some(PciId { vendor: part(vendor)?, device: part(device)? })
                };
                let example = read(&self.word(choices));
                let any = PciId { vendor: 0x8086, device: u16::from(choices.byte()) };
                Value::PciId(example.unwrap_or(any)).to_owned()
            }
            Type::Map => {
                let pairs: BTreeMap<String, String> =
                    (0..=choices.below(3)).map(|_| (self.word(choices), self.word(choices))).collect();
                let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                OwnedValue::map(&pairs).expect("a small map")
            }
            Type::Unknown => Value::Unknown.to_owned(),
        }
    }

    fn set(&self, member: Type, choices: &mut Choices<'_>) -> OwnedValue {
        let mut members: Vec<OwnedValue> = Vec::new();
        for _ in 0..=choices.below(4) {
            let value = self.value(member, choices);
            if !members.contains(&value) {
                members.push(value);
            }
        }
        let members: Vec<_> = members.iter().map(OwnedValue::value).collect();
        OwnedValue::set(member, &members).expect("a small set")
    }

    /// A value that the definition admits, mostly.
    fn fitting(&self, definition: &Definition, choices: &mut Choices<'_>) -> OwnedValue {
        match definition.constraint {
            Constraint::Members(member) => self.set(member, choices),
            Constraint::Length(length) => {
                let mut bytes = choices.take(usize::try_from(length).expect("a short one")).to_vec();
                bytes.resize(usize::try_from(length).expect("a short one"), 0);
                Value::Bytes(&bytes).to_owned()
            }
            Constraint::Between(least, most) => Value::Uint(least + choices.u64() % (most - least + 1)).to_owned(),
            _ => self.value(definition.kind, choices),
        }
    }

    /// A value of any type, often not the attribute's.
    fn any(&self, choices: &mut Choices<'_>) -> OwnedValue {
        let kind = *choices.one(&Type::ALL);
        self.value(kind, choices)
    }

    /// One that could stand in a list of a target: mostly of the attribute's type, at times what the source has.
    fn listed(&self, definition: &Definition, source: &Stated, choices: &mut Choices<'_>) -> OwnedValue {
        match (choices.byte() % 8, source.values.get(&definition.id.number())) {
            (0..=3, Some(value)) => value.clone(),
            (7, _) => self.any(choices),
            _ => self.fitting(definition, choices),
        }
    }
}

/// The values that a condition names.
fn named(when: &When, values: &mut Vec<Value<'static>>) {
    match when {
        When::SourceIs(_, value) | When::TargetIs(_, value) => values.push(*value),
        When::All(all) | When::Any(all) => all.iter().for_each(|when| named(when, values)),
        When::Not(when) => named(when, values),
        When::BothHave(_) | When::EitherHas(_) => {}
    }
}

/// A source that states what it likes: values of any type under any attribute.
#[derive(Clone, Default)]
struct Stated {
    values: BTreeMap<u16, OwnedValue>,
    /// What it can state, where that is known: what it does not state of the rest is absent as such a stream has it.
    limits: Option<&'static Statable>,
    /// Whether it says so.
    says_limits: bool,
}

impl Attributes for Stated {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        self.values.get(&id.number()).map(OwnedValue::value)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        self.values.contains_key(&id.number()).then(|| (u64::from(id.number()), 1))
    }

    fn absence(&self, id: AttributeId) -> Absence {
        self.limits.map_or(Absence::Unstated, |limits| limits.absence(id))
    }

    fn statable(&self) -> Option<&'static Statable> {
        self.limits.filter(|_| self.says_limits)
    }
}

/// A source that states no more than a native stream can is judged the same whether it says so or not: what a target
/// settles beforehand is what it would have found out.
fn ask_as_a_stream(source: &Stated, target: &Target, now: Option<u64>) {
    for limits in target.rules().statable {
        let mut source = Stated { limits: Some(limits), ..source.clone() };
        source.values.retain(|number, _| limits.includes(AttributeId(*number)));
        let open = judged(&source, target, now);
        assert_eq!(judged(&Stated { says_limits: true, ..source }, target, now), open);
    }
}

/// A profile, through its canonical bytes.
fn profile(values: &BTreeMap<u16, (AttributeId, OwnedValue)>) -> Result<Profile, Reason> {
    let mut builder = ProfileBuilder::new();
    for (id, value) in values.values() {
        builder.set(*id, value);
    }
    builder.build(&|vendor| VENDORS.dictionary(vendor))
}

fn judged(source: &dyn Attributes, target: &Target, now: Option<u64>) -> Verdict {
    let mut verdict = Verdict::new();
    judge(source, target, now, &mut verdict);
    verdict
}

/// The input as a source, a target and a time.
///
/// The first byte chooses the vendor, the second the time, then each attribute of the vendor's dictionary has a byte
/// that says what source and target have of it. What the target accepts, can set, requires and was assured of follows.
pub(crate) fn judge_any(input: &[u8]) {
    let mut choices = Choices(input);
    let choices = &mut choices;
    let first = choices.byte();
    let vendor = VENDORS.0[usize::from(first) % VENDORS.0.len()];
    let rules = vendor.rules;
    let pool = Pool::of(rules);
    let now = choices.byte();
    let now = (now != 0).then_some(u64::from(now));
    let name = Value::Text(Text::new(vendor.name()).expect("a name")).to_owned();

    let mut source = Stated::default();
    let mut values = BTreeMap::from([(VENDOR.number(), (VENDOR, name.clone()))]);
    if first < 250 {
        source.values.insert(VENDOR.number(), name);
    } else if first < 254 {
        source.values.insert(VENDOR.number(), pool.any(choices));
    }
    for definition in rules.dictionary.definitions().filter(|definition| definition.id != VENDOR) {
        let number = definition.id.number();
        let how = choices.byte();
        let of_source = match how & 7 {
            0 | 1 => None,
            6 => Some(Value::Unknown.to_owned()),
            7 => Some(pool.any(choices)),
            _ => Some(pool.fitting(definition, choices)),
        };
        let of_target = match how >> 3 & 7 {
            0 => None,
            1 => Some(Value::Unknown.to_owned()),
            2..=4 => of_source.clone(),
            7 => Some(pool.any(choices)),
            _ => Some(pool.fitting(definition, choices)),
        };
        source.values.extend(of_source.map(|value| (number, value)));
        let Some(value) = of_target else { continue };
        let fits = value.kind() == Type::Unknown
            || value.kind() == definition.kind && definition.constraint.admits(value.value());
        let before = values.insert(number, (definition.id, value.clone()));
        assert_eq!(before, None);
        // What fits is seen to be taken when the target is made of all of it.
        if !fits {
            let refused = profile(&values).expect_err(definition.name);
            assert_eq!(refused.attribute.number(), number, "{value:?}: {refused:?}");
            values.remove(&number);
        }
    }
    let mut target = target(&mut values, rules);
    list_terms(&mut target, &source, &pool, choices);
    ask(&source, &target, &values, now);
    ask_as_a_stream(&source, &target, now);
    seal(&target, choices);
}

/// What the target accepts, can set, requires and was assured of.
fn list_terms(target: &mut Target, source: &Stated, pool: &Pool, choices: &mut Choices<'_>) {
    let dictionary = target.rules().dictionary;
    let definitions: Vec<_> = dictionary.definitions().filter(|definition| definition.id != VENDOR).collect();
    // A comparison is chosen among attributes that stand there.
    let there: Vec<_> = definitions
        .iter()
        .copied()
        .filter(|definition| source.value(definition.id).is_some() || target.value(definition.id).is_some())
        .collect();
    let pick = |choices: &mut Choices<'_>| {
        let from = if there.is_empty() || choices.is(4) { &definitions } else { &there };
        from[choices.below(from.len())]
    };
    for _ in 0..choices.below(5) {
        let definition = pick(choices);
        let compare = match choices.below(8) {
            0 => Compare::Equal,
            1 => Compare::OneOf,
            2 => Compare::InRange,
            3 => Compare::Subset,
            4 => Compare::AtLeast,
            5 => Compare::Version,
            6 => Compare::Branch { newer: choices.u32() },
            _ => Compare::Ignore,
        };
        let operand = match choices.below(4) {
            0 => Operand::OfTarget,
            1 => Operand::Value(pool.listed(definition, source, choices)),
            2 => Operand::Value(pool.value(Type::Range, choices)),
            _ => Operand::AnyOf((0..choices.below(4)).map(|_| pool.listed(definition, source, choices)).collect()),
        };
        let version = |choices: &mut Choices<'_>| Version { major: choices.u32(), minor: choices.u32(), patch: 0 };
        let driver_versions = match choices.below(4) {
            0 | 1 => Some((Version { major: 0, minor: 0, patch: 0 }, None)),
            2 => Some((version(choices), Some(version(choices)))),
            _ => None,
        };
        if target.accepts().iter().all(|accept| accept.attribute != definition.id) {
            let source = format!("ground {}", definition.name);
            let own = Accept { attribute: definition.id, compare, operand, source, driver_versions };
            target.set_accepts([target.accepts(), &[own]].concat());
        }
    }
    for _ in 0..choices.below(5) {
        let definition = pick(choices);
        let allowed = match choices.below(4) {
            0 | 1 => Allowed::Any,
            2 => Allowed::Range(choices.u64(), choices.u64()),
            _ => Allowed::OneOf((0..choices.below(4)).map(|_| pool.listed(definition, source, choices)).collect()),
        };
        target.settable.push(Settable { attribute: definition.id, allowed, path: definition.name.to_owned() });
    }
    for _ in 0..choices.below(5) {
        let definition = pick(choices);
        let mut side = |stated: Option<Value<'_>>| match choices.byte() % 8 {
            0..=4 => stated.map(Value::to_owned),
            5 => None,
            6 => Some(pool.any(choices)),
            _ => Some(pool.fitting(definition, choices)),
        };
        let (of_source, of_target) = (side(source.value(definition.id)), side(target.value(definition.id)));
        let until = choices.byte();
        target.assertions.push(Assertion {
            attribute: definition.id,
            source: of_source,
            target: of_target,
            by: "by".to_owned(),
            reason: "reason".to_owned(),
            until: (until != 0).then_some(u64::from(until)),
        });
    }
    target.requires = Requires { sealed: choices.is(2), digest: choices.is(2).then(|| choices.u64()) };
}

/// The target of these values; what cannot be is left out, as often as there is some.
fn target(values: &mut BTreeMap<u16, (AttributeId, OwnedValue)>, rules: &'static RuleTable) -> Target {
    loop {
        let profile = profile(values).expect("each value was taken");
        let of = match Target::new(profile, rules) {
            Ok(target) => return target,
            Err(TargetError::Impossible(of, _)) => [of, of],
            Err(TargetError::Contradiction(first, second)) => [second, first],
            Err(fault) => panic!("{fault}"),
        };
        let ([Some(_), _] | [None, Some(_)]) = of.map(|id| values.remove(&id.number())) else {
            panic!("a target is refused for attributes that it has not: {of:?}");
        };
    }
}

fn ask(source: &Stated, target: &Target, values: &BTreeMap<u16, (AttributeId, OwnedValue)>, now: Option<u64>) {
    let verdict = judged(source, target, now);

    // The outcome is the worst of the reasons; notes alone are ever left out.
    let worst = verdict.reasons().iter().map(|reason| reason.id.outcome()).max().unwrap_or_default();
    assert_eq!(verdict.outcome(), worst);
    assert_eq!(judged(source, target, now), verdict, "judging twice");
    let mut damaged = Verdict::new();
    damaged.push(Reason::new(reasons::FRAME_CRC));
    judge(source, target, now, &mut damaged);
    assert_eq!(damaged.outcome(), Outcome::Corrupt.max(verdict.outcome()), "an outcome never gets better");

    say(source, target, &verdict);

    // In which order a target lists its terms means nothing.
    for by in 1..target.accepts().len().max(1) {
        let mut other = target.clone();
        let mut accepts = target.accepts().to_vec();
        accepts.rotate_left(by);
        other.set_accepts(accepts);
        assert_eq!(judged(source, &other, now).outcome(), verdict.outcome(), "accepts rotated by {by}");
    }
    let mut other = target.clone();
    other.set_accepts(target.accepts().iter().rev().cloned().collect());
    other.settable.reverse();
    other.assertions.reverse();
    let reversed = judged(source, &other, now);
    assert_eq!(reversed.outcome(), verdict.outcome(), "all terms reversed");

    // An assertion settles what only an administrator can say, and nothing else.
    let mut other = target.clone();
    other.assertions.clear();
    let alone = judged(source, &other, now);
    assert!(verdict.outcome() <= alone.outcome(), "an assertion makes nothing worse");
    if alone.outcome() >= Outcome::Truncated {
        assert_eq!(verdict.outcome(), alone.outcome(), "no assertion lifts it");
    }
    let others = |verdict: &Verdict| -> Vec<Reason> {
        let asked = |reason: &&Reason| !reason.is_note() && reason.id != reasons::NEEDS_ASSERTION;
        verdict.reasons().iter().filter(asked).copied().collect()
    };
    assert_eq!(others(&verdict), others(&alone));

    // A setting only ever helps, and what it names helps.
    let mut other = target.clone();
    other.settable.clear();
    assert!(verdict.outcome() <= judged(source, &other, now).outcome(), "what can be set makes nothing worse");
    for reason in verdict.reasons().iter().filter(|reason| reason.id == reasons::SET) {
        set(source, target, values, now, reason);
    }
}

/// The target after the setting that the reason names does not ask for it again.
fn set(
    source: &Stated,
    target: &Target,
    values: &BTreeMap<u16, (AttributeId, OwnedValue)>,
    now: Option<u64>,
    reason: &Reason,
) {
    let rules = target.rules();
    let of_source = reason.rule.map_or(reason.attribute, |rule| rule.source);
    let stated = || source.value(of_source).or_else(|| (rules.derive)(source, of_source));
    let value = match (reason.required, reason.rule.map(|rule| rule.source_absent)) {
        (Datum::Count(number), _) => Value::Uint(number),
        (_, Some(Absent::Default(default))) => stated().unwrap_or(default),
        _ => stated().expect("the source's value"),
    };
    let definition = rules.dictionary.by_number(reason.attribute.number()).expect("an attribute of the vendor's");
    let mut values = values.clone();
    values.insert(definition.id.number(), (definition.id, value.to_owned()));
    let profile = profile(&values).expect("a value that the attribute can have");
    let mut after = Target::new(profile, rules).expect("a device that can be");
    after.set_accepts(target.accepts().to_vec());
    after.settable.clone_from(&target.settable);
    after.requires = target.requires;
    after.assertions.clone_from(&target.assertions);
    let again = judged(source, &after, now);
    let same = |other: &&Reason| {
        other.id == reasons::SET && other.rule == reason.rule && other.attribute.number() == reason.attribute.number()
    };
    assert_eq!(again.reasons().iter().find(same), None, "{} was set to {value}", definition.name);
}

/// Every reason in words, with both sides, with either and with none.
fn say(source: &Stated, target: &Target, verdict: &Verdict) {
    let dictionary = target.rules().dictionary;
    for (source, target) in [(None, None), (Some(source), None), (None, Some(target)), (Some(source), Some(target))] {
        let told = reports(verdict, source.map(|source| source as &dyn Attributes), target);
        assert_eq!(told.len(), verdict.reasons().len());
        assert!(told.windows(2).all(|pair| pair[0].outcome >= pair[1].outcome), "the worst first");
        for report in &told {
            assert!(!report.text.is_empty() && !report.text.contains('\n') && !report.remedy.is_empty());
            if target.is_none() {
                continue;
            }
            if let Some(name) = &report.attribute {
                assert!(dictionary.by_name(name).is_some(), "{}: no attribute of {}", report.id, dictionary.vendor);
            }
            let kind = reasons::CATALOGUE.iter().any(|kind| kind.text() == report.id);
            let own = target.is_some_and(|target| {
                let all = VENDORS.vendor(target.vendor()).map_or(&[][..], |vendor| vendor.reasons);
                all.iter().copied().flatten().any(|kind| kind.text() == report.id)
            });
            if !kind && !own {
                let (name, _) = report.id.split_once('.').expect("attribute and kind");
                assert!(dictionary.by_name(name).is_some(), "{}: no attribute of {}", report.id, dictionary.vendor);
                assert_eq!(report.attribute.as_deref(), Some(name));
            }
        }
    }
    let told = reports(verdict, Some(source), Some(target));
    let fixable = told.iter().filter(|report| report.outcome == Outcome::Fixable);
    for report in fixable {
        let (path, _) = report.set.as_ref().expect("what to set, and where");
        let attribute = report.attribute.as_ref().expect("an attribute");
        assert_eq!(path, attribute, "the path of another attribute");
    }
}

/// A stream with a better seal is never judged worse.
fn seal(target: &Target, choices: &mut Choices<'_>) {
    let sealed = |digest| {
        let mut verdict = Verdict::new();
        judge_seal(digest, target, &mut verdict);
        reports(&verdict, None, Some(target));
        verdict.outcome()
    };
    let digest = choices.u64();
    assert!(sealed(Some(digest)) <= sealed(None));
    assert!(sealed(Some(digest.saturating_add(1))) <= sealed(Some(digest)));
}
