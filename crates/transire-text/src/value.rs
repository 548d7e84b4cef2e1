//! One attribute's value as a node.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use transire_core::attribute::{
    BYTES_MAX, Constraint, Definition, MEMBERS_MAX, OwnedValue, PciId, Ratio, Text, Type, VENDOR, Value, Version,
};

use crate::error::{ErrorKind, TextError, join, quote};
use crate::node::{Node, NodeValue};
use crate::section::{Section, array, shown_text, table, text};

/// Largest number that is written as one. JSON readers that keep numbers as floats lose digits beyond.
pub const EXACT_MAX: u64 = 1 << 53;

/// Writes a value. Without a definition, or with one that leaves the members of a set open, a set says their type.
pub fn value_to_node(value: Value<'_>, definition: Option<&Definition>) -> Node {
    match value {
        Value::Bool(value) => Node::from(value),
        Value::Uint(number) => uint_node(number),
        Value::Text(text) => Node::from(text.as_str()),
        Value::Bytes(bytes) => Node::from(HEXLOWER.encode(bytes)),
        Value::Range(low, high) => Node::array([uint_node(low), uint_node(high)]),
        Value::Set(set) => {
            let members = Node::array(set.members().map(|member| value_to_node(member, None)));
            match definition.map(|definition| definition.constraint) {
                Some(Constraint::Members(_)) => members,
                _ => Node::table([("members", Node::from(set.member_type().name())), ("values", members)]),
            }
        }
        Value::Map(map) => Node::table(map.pairs().map(|(key, value)| (key.as_str(), Node::from(value.as_str())))),
        Value::Unknown => Node::table([("unknown", Node::from(true))]),
        // Version, mask, ratio and PCI id: text as people read it. What a later version adds has no other form either.
        _ => Node::from(value.to_string()),
    }
}

fn uint_node(number: u64) -> Node {
    if number <= EXACT_MAX { Node::from(number) } else { Node::from(format!("{number:#x}")) }
}

/// Reads the value of an attribute. `key` is the path that errors name: `attributes.nr_ports`.
pub fn value_from_node(node: &Node, definition: &Definition, key: &str) -> Result<OwnedValue, TextError> {
    if definition.id != VENDOR && is_not_reported(node) {
        return Ok(Value::Unknown.to_owned());
    }
    let value = typed(node, definition.kind, definition.constraint, key)?;
    check_constraint(node, value.value(), definition.constraint, key)?;
    Ok(value)
}

/// Whether this is `{ unknown = true }`.
fn is_not_reported(node: &Node) -> bool {
    matches!(&node.value, NodeValue::Table(entries) if entries.len() == 1)
        && node.entry("unknown").is_some_and(|word| word.value == NodeValue::Bool(true))
}

pub(crate) fn check_constraint(
    node: &Node,
    value: Value<'_>,
    constraint: Constraint,
    key: &str,
) -> Result<(), TextError> {
    if constraint.admits(value) {
        return Ok(());
    }
    let expected = match constraint {
        Constraint::AtLeast(least) => format!("at least {least}"),
        Constraint::Between(least, most) => format!("{least} to {most}"),
        Constraint::Length(length) => format!("exactly {length} bytes"),
        Constraint::Members(kind) => format!("members of type {}", kind.name()),
        Constraint::OneOf(texts) => format!("one of {}", texts.join(", ")),
        Constraint::Any => "another value".to_owned(),
    };
    Err(TextError::bad_value(key, node, &expected))
}

/// Reads a value of the type. The constraint only says what a set's members are.
pub(crate) fn typed(node: &Node, kind: Type, constraint: Constraint, key: &str) -> Result<OwnedValue, TextError> {
    let value = match kind {
        Type::Bool => match node.value {
            NodeValue::Bool(value) => Value::Bool(value),
            _ => return Err(TextError::wrong_type(key, node, "true or false")),
        },
        Type::Uint => Value::Uint(uint(node, key)?),
        Type::Text => {
            let text = shown_text(node, key)?;
            Value::Text(Text::new(text).ok_or_else(|| TextError::bad_value(key, node, "a text"))?)
        }
        Type::Bytes => return bytes_of(node, key),
        Type::Version => Value::Version(version(node, key)?),
        Type::Range => {
            let (low, high) = range(node, key)?;
            Value::Range(low, high)
        }
        Type::Mask => return mask(node, key),
        Type::Set => return set(node, constraint, key),
        Type::Ratio => Value::Ratio(ratio(node, key)?),
        Type::PciId => Value::PciId(pci_id(node, key)?),
        Type::Map => return map(node, key),
        Type::Unknown => {
            return Err(TextError::wrong_type(key, node, "no value: an attribute that is not reported has none"));
        }
    };
    Ok(value.to_owned())
}

/// A number: an integer, or hex digits after `0x` in a text.
pub(crate) fn uint(node: &Node, key: &str) -> Result<u64, TextError> {
    const EXPECTED: &str = "a number: an integer, or \"0x\" and at most 16 hex digits";
    match &node.value {
        NodeValue::Integer(number) => u64::try_from(*number).ok(),
        NodeValue::Text(text) => hex_digits(text, 16).and_then(|digits| u64::from_str_radix(digits, 16).ok()),
        _ => return Err(TextError::wrong_type(key, node, EXPECTED)),
    }
    .ok_or_else(|| TextError::bad_value(key, node, EXPECTED))
}

/// The digits behind `0x`, if there are 1 to `most` of them.
fn hex_digits(text: &str, most: usize) -> Option<&str> {
    let digits = text.strip_prefix("0x")?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (all && (1..=most).contains(&digits.len())).then_some(digits)
}

fn bytes_of(node: &Node, key: &str) -> Result<OwnedValue, TextError> {
    const EXPECTED: &str = "two hex digits for each byte";
    let bytes = hex(node, key)?;
    if bytes.len() > BYTES_MAX {
        let detail = format!("{} bytes, expected at most {BYTES_MAX}", bytes.len());
        return Err(TextError::new(ErrorKind::BadValue, key, node.at, &detail));
    }
    OwnedValue::new(Type::Bytes, bytes).map_err(|_| TextError::bad_value(key, node, EXPECTED))
}

/// Bytes in hex; may be empty.
pub(crate) fn hex(node: &Node, key: &str) -> Result<Vec<u8>, TextError> {
    const EXPECTED: &str = "two hex digits for each byte";
    let digits = text(node, key, EXPECTED)?;
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| TextError::bad_value(key, node, EXPECTED))
}

/// A decimal number without sign or leading zeros.
fn decimal<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

pub(crate) fn version(node: &Node, key: &str) -> Result<Version, TextError> {
    const EXPECTED: &str = "a version: 1 to 3 decimal numbers below 2^32 with dots between them, as in \"1.2.3\"";
    let parse = |text: &str| {
        let mut parts = text.split('.').map(decimal);
        let version = Version {
            major: parts.next()??,
            minor: parts.next().unwrap_or(Some(0))?,
            patch: parts.next().unwrap_or(Some(0))?,
        };
        parts.next().is_none().then_some(version)
    };
    parse(text(node, key, EXPECTED)?).ok_or_else(|| TextError::bad_value(key, node, EXPECTED))
}

/// `[low, high]`, both inclusive.
pub(crate) fn range(node: &Node, key: &str) -> Result<(u64, u64), TextError> {
    const EXPECTED: &str = "a range: two numbers, the lower one first";
    let [low, high] = array(node, key, EXPECTED)? else { return Err(TextError::bad_value(key, node, EXPECTED)) };
    let (low, high) = (uint(low, &format!("{key}[0]"))?, uint(high, &format!("{key}[1]"))?);
    if low > high {
        let detail = format!("{low} is above {high}, expected the lower number first");
        return Err(TextError::new(ErrorKind::BadValue, key, node.at, &detail));
    }
    Ok((low, high))
}

fn mask(node: &Node, key: &str) -> Result<OwnedValue, TextError> {
    const EXPECTED: &str = "a mask: an integer, or \"0x\" and at most 64 hex digits";
    let bytes = match &node.value {
        NodeValue::Integer(bits) => u128::try_from(*bits).ok().map(|bits| bits.to_le_bytes().to_vec()),
        NodeValue::Text(text) => hex_digits(text, 64).and_then(|digits| {
            let even = if digits.len() % 2 == 0 { digits.to_owned() } else { format!("0{digits}") };
            let mut bytes = HEXLOWER_PERMISSIVE.decode(even.as_bytes()).ok()?;
            bytes.reverse();
            Some(bytes)
        }),
        _ => return Err(TextError::wrong_type(key, node, EXPECTED)),
    };
    let mask = bytes.and_then(|bytes| OwnedValue::mask(&bytes).ok());
    mask.ok_or_else(|| TextError::bad_value(key, node, EXPECTED))
}

fn ratio(node: &Node, key: &str) -> Result<Ratio, TextError> {
    const EXPECTED: &str = "a fraction of decimal numbers below 2^32 in lowest terms, as in \"1/2\"";
    let parse = |text: &str| {
        let (numerator, denominator) = text.split_once('/')?;
        Ratio::new(decimal(numerator)?, decimal(denominator)?)
    };
    parse(text(node, key, EXPECTED)?).ok_or_else(|| TextError::bad_value(key, node, EXPECTED))
}

fn pci_id(node: &Node, key: &str) -> Result<PciId, TextError> {
    const EXPECTED: &str = "PCI vendor and device id, 4 hex digits each, as in \"8086:4941\"";
    let text = text(node, key, EXPECTED)?;
    parse_pci_id(text).ok_or_else(|| TextError::bad_value(key, node, EXPECTED))
}

fn parse_pci_id(text: &str) -> Option<PciId> {
    let part = |digits: &str| {
        let plain = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if plain { u16::from_str_radix(digits, 16).ok() } else { None }
    };
    let (vendor, device) = text.split_once(':')?;
    Some(PciId { vendor: part(vendor)?, device: part(device)? })
}

fn map(node: &Node, key: &str) -> Result<OwnedValue, TextError> {
    let entries = table(node, key)?;
    check_count(node, entries.len(), "pairs", key)?;
    let mut pairs = Vec::with_capacity(entries.len());
    for (own, value) in entries {
        let path = join(key, &own.text);
        if Text::new(&own.text).is_none() {
            let detail = format!("{} is no text that can be shown, of 1 to 1024 bytes", quote(&own.text));
            return Err(TextError::new(ErrorKind::BadValue, path, own.at, &detail));
        }
        if pairs.iter().any(|&(before, _)| before == own.text) {
            return Err(TextError::new(ErrorKind::DuplicateKey, path, own.at, ""));
        }
        pairs.push((own.text.as_str(), shown_text(value, &path)?));
    }
    OwnedValue::map(&pairs).map_err(|_| TextError::bad_value(key, node, "pairs of texts"))
}

fn set(node: &Node, constraint: Constraint, key: &str) -> Result<OwnedValue, TextError> {
    const EXPECTED: &str = "a set: an array, or { members = \"uint\", values = [...] }";
    let (member, values, key) = if let NodeValue::Table(_) = node.value {
        let section = Section::new(node, key, &["members", "values"])?;
        let (name, path) = (section.need("members")?, section.path("members"));
        let member = Type::from_name(text(name, &path, "a type")?).filter(|kind| kind.is_member());
        let member = member.ok_or_else(|| TextError::bad_value(&path, name, "uint, text or pci_id"))?;
        (member, section.need("values")?, section.path("values"))
    } else {
        let items = array(node, key, EXPECTED)?;
        let member = match constraint {
            Constraint::Members(kind) => kind,
            _ => infer_member(items).ok_or_else(|| {
                let detail = "the type of the members is not clear, expected { members = \"text\", values = [...] }";
                TextError::new(ErrorKind::BadValue, key, node.at, detail)
            })?,
        };
        (member, node, key.to_owned())
    };
    let items = array(values, &key, "an array")?;
    check_count(values, items.len(), "members", &key)?;
    let mut members: Vec<OwnedValue> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let path = format!("{key}[{at}]");
        let value = typed(item, member, Constraint::Any, &path)?;
        if members.contains(&value) {
            return Err(TextError::bad_value(&path, item, "every member once"));
        }
        members.push(value);
    }
    let members: Vec<Value<'_>> = members.iter().map(OwnedValue::value).collect();
    OwnedValue::set(member, &members).map_err(|_| TextError::bad_value(&key, values, EXPECTED))
}

/// The type of the members where no definition says it: numbers where one is an integer, texts where none could be read
/// as anything else.
fn infer_member(items: &[Node]) -> Option<Type> {
    let plain = |item: &Node| match &item.value {
        NodeValue::Text(text) => parse_pci_id(text).is_none() && hex_digits(text, 16).is_none(),
        _ => false,
    };
    if items.iter().any(|item| matches!(item.value, NodeValue::Integer(_))) {
        Some(Type::Uint)
    } else {
        items.iter().all(plain).then_some(Type::Text)
    }
}

fn check_count(node: &Node, count: usize, what: &str, key: &str) -> Result<(), TextError> {
    if (1..=MEMBERS_MAX).contains(&count) {
        return Ok(());
    }
    let detail = format!("{count} {what}, expected 1 to {MEMBERS_MAX}");
    Err(TextError::new(ErrorKind::BadValue, key, node.at, &detail))
}
