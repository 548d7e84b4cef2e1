//! Targets from nodes: a profile with what it accepts, requires, can set and has been assured of.

use transire_core::attribute::{Attributes as _, Definition, Dictionary, OwnedValue, Type, VENDOR, Value, Version};
use transire_core::format::Registry;
use transire_core::profile::Profile;
use transire_core::rule::Compare;
use transire_core::target::{Accept, Allowed, Assertion, Operand, Requires, Settable, Target, TargetError};

use crate::error::{ErrorKind, TextError, join};
use crate::node::{Node, NodeValue};
use crate::profile::{attribute_of, profile_of};
use crate::section::{Section, array, table, text};
use crate::value::{check_constraint, range, uint, value_from_node, version};

/// The keys of a target.
pub(crate) const KEYS: [&str; 7] = ["schema", "vendor", "attributes", "accepts", "settable", "requires", "assertions"];

/// The rules that a target may put in place of its vendor's, each with the operand that it takes and the types of
/// attributes that it can compare; no types means all.
const RULES: [(&str, &[&str], &[Type]); 8] = [
    ("equal", &["value"], &[]),
    ("one-of", &["values"], &[]),
    ("in-range", &["range"], &[Type::Uint, Type::Range]),
    ("subset", &["value"], &[Type::Mask, Type::Set, Type::Map]),
    ("at-least", &["value"], &[Type::Uint, Type::Ratio, Type::Version]),
    ("version", &["value"], &[Type::Version]),
    ("branch", &["value", "newer"], &[Type::Version]),
    ("ignore", &[], &[]),
];

/// Digests that a target may require, with their codes in a sealed stream.
const DIGESTS: [(&str, u64); 2] = [("none", 1), ("blake3", 2)];

/// Reads a target: what a profile has, and perhaps `accepts`, `settable`, `requires` and `assertions`.
pub fn read_target(node: &Node, registry: Registry) -> Result<Target, TextError> {
    let section = Section::new(node, "", &KEYS)?;
    let (vendor, profile) = profile_of(&section, registry)?;
    let dictionary = vendor.rules.dictionary;
    let mut target = target_of(profile, registry, section.find("attributes"))?;
    if let Some(node) = section.find("accepts") {
        target.set_accepts(of_attributes(node, "accepts", dictionary, accept)?);
    }
    if let Some(node) = section.find("settable") {
        target.settable = of_attributes(node, "settable", dictionary, settable)?;
    }
    if let Some(node) = section.find("requires") {
        target.requires = requires(node)?;
    }
    if let Some(node) = section.find("assertions") {
        let items = array(node, "assertions", "an array of tables")?.iter().enumerate();
        let read = |(at, node)| assertion(node, &format!("assertions[{at}]"), dictionary);
        target.assertions = items.map(read).collect::<Result<_, _>>()?;
    }
    Ok(target)
}

/// The target that is its profile and nothing more. `attributes` is where the profile was read from.
pub(crate) fn target_of(profile: Profile, registry: Registry, attributes: Option<&Node>) -> Result<Target, TextError> {
    let dictionary = profile.dictionary();
    let Some(vendor) = registry.vendor(profile.vendor()) else {
        return Err(TextError::unknown_vendor(profile.vendor(), None, registry));
    };
    let header = attributes.is_none().then(|| profile.clone());
    Target::new(profile, vendor.rules).map_err(|fault| {
        // Where there is no text, the place is the one in the canonical bytes.
        let in_bytes = |error: TextError, id| {
            let place = header.as_ref().and_then(|profile| profile.header().place(id));
            TextError { offset: place.map(|(offset, _)| offset).or(error.offset), ..error }
        };
        let name = |id: transire_core::attribute::AttributeId| {
            dictionary.by_number(id.number()).map_or_else(|| id.to_string(), |definition| definition.name.to_owned())
        };
        let at = |name: &str| attributes.and_then(|node| node.entry(name)).and_then(|node| node.at);
        match fault {
            TargetError::Contradiction(first, other) => {
                let (first, second) = (name(first), name(other));
                let detail = format!("{first} and {second} cannot both be true");
                let path = join("attributes", &second);
                in_bytes(TextError::new(ErrorKind::Contradiction, path, at(&second), &detail), other)
            }
            TargetError::Impossible(attribute, values) => {
                let name = name(attribute);
                let node = attributes.and_then(|node| node.entry(&name));
                let path = join("attributes", &name);
                let without_text =
                    || TextError::new(ErrorKind::BadValue, path.clone(), None, &format!("expected {values}"));
                node.map_or_else(
                    || in_bytes(without_text(), attribute),
                    |node| TextError::bad_value(&path, node, values),
                )
            }
            TargetError::OtherVendor => TextError::unknown_vendor(vendor.name(), None, registry),
        }
    })
}

/// Reads a table by name of attribute.
fn of_attributes<T>(
    node: &Node,
    path: &str,
    dictionary: &'static Dictionary,
    read: impl Fn(&Node, &'static Definition, &str) -> Result<T, TextError>,
) -> Result<Vec<T>, TextError> {
    let mut seen: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for (key, node) in table(node, path)? {
        let path = join(path, &key.text);
        let definition = attribute_of(&key.text, key.at, dictionary, &path)?;
        // At most as many as the dictionary has attributes.
        if seen.contains(&key.text.as_str()) {
            return Err(TextError::new(ErrorKind::DuplicateKey, path, key.at, ""));
        }
        seen.push(&key.text);
        rows.push(read(node, definition, &path)?);
    }
    Ok(rows)
}

fn accept(node: &Node, definition: &'static Definition, path: &str) -> Result<Accept, TextError> {
    let known = ["rule", "value", "values", "range", "newer", "source", "driver_version"];
    let section = Section::new(node, path, &known)?;
    let (word, here) = (section.need("rule")?, section.path("rule"));
    let name = text(word, &here, "the name of a rule")?;
    let names = RULES.map(|(name, ..)| name);
    let row = RULES.iter().find(|(own, ..)| *own == name);
    let &(_, operands, types) =
        row.ok_or_else(|| TextError::bad_value(&here, word, "the name of a rule").suggesting(name, &names))?;
    if !types.is_empty() && !types.contains(&definition.kind) {
        let able = RULES.iter().filter(|(.., types)| types.is_empty() || types.contains(&definition.kind));
        let able: Vec<&str> = able.map(|(name, ..)| *name).collect();
        let expected = format!("a rule for the type {}: {}", definition.kind.name(), able.join(", "));
        return Err(TextError::bad_value(&here, word, &expected));
    }
    let foreign = ["value", "values", "range", "newer"].into_iter().filter(|key| !operands.contains(key));
    if let Some((key, _)) = section.first_of(&foreign.collect::<Vec<_>>()) {
        let instead = match operands {
            [] => "which takes no operand".to_owned(),
            _ => format!("which takes {}", operands.join(" and ")),
        };
        let detail = format!("it does not go with the rule {name}, {instead}");
        return Err(TextError::new(ErrorKind::BadValue, section.path(&key.text), key.at, &detail));
    }
    let compare = match name {
        "one-of" => Compare::OneOf,
        "in-range" => Compare::InRange,
        "subset" => Compare::Subset,
        "at-least" => Compare::AtLeast,
        "version" => Compare::Version,
        "branch" => {
            let (node, path) = (section.need("newer")?, section.path("newer"));
            let newer = u32::try_from(uint(node, &path)?);
            Compare::Branch { newer: newer.map_err(|_| TextError::bad_value(&path, node, "less than 2^32"))? }
        }
        "ignore" => Compare::Ignore,
        _ => Compare::Equal,
    };
    let operand = match section.first_of(&["value", "values", "range"]) {
        Some((key, node)) => operand(node, &key.text, definition, &section.path(&key.text))?,
        None => Operand::OfTarget,
    };
    let driver_versions = match section.find("driver_version") {
        Some(node) => Some(driver_versions(node, &section.path("driver_version"))?),
        None => None,
    };
    let source = section.need_text("source")?.to_owned();
    Ok(Accept { attribute: definition.id, compare, operand, source, driver_versions })
}

fn operand(node: &Node, key: &str, definition: &Definition, path: &str) -> Result<Operand, TextError> {
    match key {
        "values" => values(node, definition, path).map(Operand::AnyOf),
        "range" => {
            let (low, high) = range(node, path)?;
            Ok(Operand::Value(Value::Range(low, high).to_owned()))
        }
        _ => reported(node, definition, path).map(Operand::Value),
    }
}

/// A value of the attribute that something can be compared with.
fn reported(node: &Node, definition: &Definition, path: &str) -> Result<OwnedValue, TextError> {
    let value = value_from_node(node, definition, path)?;
    if value.value() == Value::Unknown {
        let detail = "a value that is not reported is no value: leave the key out";
        return Err(TextError::new(ErrorKind::BadValue, path, node.at, detail));
    }
    Ok(value)
}

/// Most values in a list of a target: as many as a set may have, for the same reason.
const VALUES_MAX: usize = transire_core::attribute::MEMBERS_MAX;

fn values(node: &Node, definition: &Definition, path: &str) -> Result<Vec<OwnedValue>, TextError> {
    let items = array(node, path, "an array of values")?;
    if !(1..=VALUES_MAX).contains(&items.len()) {
        return Err(TextError::bad_value(path, node, &format!("1 to {VALUES_MAX} values")));
    }
    let read = |(at, item)| reported(item, definition, &format!("{path}[{at}]"));
    items.iter().enumerate().map(read).collect()
}

/// One version: this one or newer; two: from the first to the second.
fn driver_versions(node: &Node, path: &str) -> Result<(Version, Option<Version>), TextError> {
    let NodeValue::Array(items) = &node.value else { return Ok((version(node, path)?, None)) };
    let [least, most] = items.as_slice() else {
        return Err(TextError::bad_value(path, node, "a version, or an array of two"));
    };
    let (low, high) = (version(least, &format!("{path}[0]"))?, version(most, &format!("{path}[1]"))?);
    if low > high {
        let detail = format!("{low} is above {high}, expected the older version first");
        return Err(TextError::new(ErrorKind::BadValue, path, node.at, &detail));
    }
    Ok((low, Some(high)))
}

fn settable(node: &Node, definition: &'static Definition, path: &str) -> Result<Settable, TextError> {
    let ways = ["range", "values", "any"];
    let section = Section::new(node, path, &["range", "values", "any", "path"])?;
    let Some((key, way)) = section.first_of(&ways) else {
        let mut error = section.missing("values");
        error.suggestion = Some("one of range, values and any = true says what can be set".to_owned());
        return Err(error);
    };
    let others: Vec<&str> = ways.into_iter().filter(|way| *way != key.text).collect();
    if let Some((other, _)) = section.first_of(&others) {
        let detail = format!("it does not go with {}", key.text);
        return Err(TextError::new(ErrorKind::BadValue, section.path(&other.text), other.at, &detail));
    }
    let here = section.path(&key.text);
    let allowed = match key.text.as_str() {
        "range" if definition.kind != Type::Uint => {
            let detail =
                format!("a range is for numbers, and {} is of type {}", definition.name, definition.kind.name());
            return Err(TextError::new(ErrorKind::BadValue, here, key.at, &detail));
        }
        "range" => {
            let (low, high) = range(way, &here)?;
            for bound in [low, high] {
                check_constraint(
                    &Node { at: way.at, ..Node::from(bound) },
                    Value::Uint(bound),
                    definition.constraint,
                    &here,
                )?;
            }
            Allowed::Range(low, high)
        }
        "values" => Allowed::OneOf(values(way, definition, &here)?),
        _ if way.value == NodeValue::Bool(true) => Allowed::Any,
        _ => return Err(TextError::bad_value(&here, way, "true: leave the key out otherwise")),
    };
    Ok(Settable { attribute: definition.id, allowed, path: section.need_text("path")?.to_owned() })
}

fn requires(node: &Node) -> Result<Requires, TextError> {
    let section = Section::new(node, "requires", &["sealed", "digest"])?;
    let sealed = match section.find("sealed") {
        Some(Node { value: NodeValue::Bool(value), .. }) => *value,
        Some(node) => return Err(TextError::wrong_type(&section.path("sealed"), node, "true or false")),
        None => false,
    };
    let digest = match section.find("digest") {
        Some(node) => {
            let path = section.path("digest");
            let name = text(node, &path, "the name of a digest")?;
            let row = DIGESTS.iter().find(|(own, _)| *own == name);
            let names = DIGESTS.map(|(name, _)| name);
            let unknown = || TextError::bad_value(&path, node, "the name of a digest").suggesting(name, &names);
            Some(row.ok_or_else(unknown)?.1)
        }
        None => None,
    };
    Ok(Requires { sealed, digest })
}

fn assertion(node: &Node, path: &str, dictionary: &'static Dictionary) -> Result<Assertion, TextError> {
    let section = Section::new(node, path, &["attribute", "source", "target", "by", "reason", "until"])?;
    let (word, here) = (section.need("attribute")?, section.path("attribute"));
    let name = text(word, &here, "the name of an attribute")?;
    let definition = dictionary.by_name(name).filter(|definition| definition.id != VENDOR).ok_or_else(|| {
        let known = dictionary.definitions().filter(|definition| definition.id != VENDOR);
        let known: Vec<&str> = known.map(|definition| definition.name).collect();
        TextError::bad_value(&here, word, "the name of an attribute").suggesting(name, &known)
    })?;
    let side = |key: &str| section.find(key).map(|node| reported(node, definition, &section.path(key))).transpose();
    Ok(Assertion {
        attribute: definition.id,
        source: side("source")?,
        target: side("target")?,
        by: section.need_text("by")?.to_owned(),
        reason: section.need_text("reason")?.to_owned(),
        until: section.find("until").map(|node| until(node, &section.path("until"))).transpose()?,
    })
}

/// The end of a day as a text, or seconds since 1970-01-01T00:00:00Z.
fn until(node: &Node, path: &str) -> Result<u64, TextError> {
    const EXPECTED: &str = "a date as in \"2027-01-31\", or seconds since 1970-01-01T00:00:00Z";
    match &node.value {
        NodeValue::Text(date) => end_of_day(date),
        NodeValue::Integer(seconds) => u64::try_from(*seconds).ok(),
        _ => return Err(TextError::wrong_type(path, node, EXPECTED)),
    }
    .ok_or_else(|| TextError::bad_value(path, node, EXPECTED))
}

/// The last second of a day in UTC, for a day from 1970 on.
fn end_of_day(date: &str) -> Option<u64> {
    let mut parts = date.split('-');
    let mut number = |width| {
        let digits =
            parts.next().filter(|part| part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u64>().ok()
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    if parts.next().is_some() || year < 1970 || !(1..=*lengths.get(before)?).contains(&day) {
        return None;
    }
    // Leap days of the years before this one, counted from the year 0 and from 1970.
    let leaps = |year: u64| year.div_ceil(4) - year.div_ceil(100) + year.div_ceil(400);
    let days = (year - 1970) * 365 + leaps(year) - leaps(1970) + lengths.iter().take(before).sum::<u64>() + day - 1;
    Some(days * 86_400 + 86_399)
}
