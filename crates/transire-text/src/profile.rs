//! Profiles from and to nodes.

use transire_core::attribute::{AttributeId, Constraint, Definition, Dictionary, IdRange, STREAM, Type, VENDOR, find};
use transire_core::format::{Registry, Vendor};
use transire_core::profile::{Attribute, Profile, ProfileBuilder};
use transire_core::verdict::{Datum, Reason, reasons};

use crate::error::{ErrorKind, TextError, join};
use crate::json::node_to_json;
use crate::node::{Key, Node, NodeValue};
use crate::place::Place;
use crate::section::{Section, shown_text, table};
use crate::toml::node_to_toml;
use crate::value::{hex, typed, uint, value_from_node, value_to_node};
use crate::{SCHEMA, target};

/// The keys of a profile.
pub(crate) const KEYS: [&str; 3] = ["schema", "vendor", "attributes"];

/// Reads a profile: `vendor`, perhaps `schema`, and the table `attributes`.
pub fn read_profile(node: &Node, registry: Registry) -> Result<Profile, TextError> {
    for (key, _) in table(node, "")? {
        if target::KEYS.contains(&key.text.as_str()) && !KEYS.contains(&key.text.as_str()) {
            let mut error = TextError::unknown_key(&join("", &key.text), key.at, "", &[]);
            error.suggestion = Some("a target has it, a profile has not".to_owned());
            return Err(error);
        }
    }
    let section = Section::new(node, "", &KEYS)?;
    profile_of(&section, registry).map(|(_, profile)| profile)
}

/// Reads the keys that a profile and a target share.
pub(crate) fn profile_of(section: &Section<'_>, registry: Registry) -> Result<(&'static Vendor, Profile), TextError> {
    if let Some(node) = section.find("schema")
        && uint(node, "schema")? != SCHEMA
    {
        return Err(TextError::bad_value("schema", node, &format!("{SCHEMA}, the only one known here")));
    }
    let node = section.need("vendor")?;
    let name = shown_text(node, "vendor")?;
    let vendor = registry.vendor(name).ok_or_else(|| TextError::unknown_vendor(name, node.at, registry))?;
    let dictionary = vendor.rules.dictionary;
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &value_from_node(node, definition_of_vendor(dictionary)?, "vendor")?);
    if let Some(node) = section.find("attributes") {
        for (key, value) in table(node, "attributes")? {
            let path = join("attributes", &key.text);
            let free = if let Some(digits) = key.text.strip_prefix("0x") {
                unknown_attribute(&mut builder, digits, dictionary, key, value, &path)?
            } else {
                let definition = attribute_of(&key.text, key.at, dictionary, &path)?;
                builder.set(definition.id, &value_from_node(value, definition, &path)?)
            };
            if !free {
                return Err(TextError::new(ErrorKind::DuplicateKey, path, key.at, ""));
            }
        }
    }
    let built = builder.build(&|name| registry.dictionary(name));
    let profile = built.map_err(|reason| too_long_or_worse(reason, section.find("attributes")))?;
    Ok((vendor, profile))
}

/// Every value has been read: what is left to go wrong is the length of all together.
fn too_long_or_worse(reason: Reason, attributes: Option<&Node>) -> TextError {
    let detail = if reason.id == reasons::PROLOGUE_HEADER_LEN { "they come to more than 65,536 bytes" } else { "" };
    TextError::of_reason(reason, "attributes", attributes.and_then(|node| node.at), detail)
}

fn definition_of_vendor(dictionary: &'static Dictionary) -> Result<&'static Definition, TextError> {
    let missing = || TextError::new(ErrorKind::Profile, "vendor", None, "the attribute has no definition");
    dictionary.by_number(VENDOR.number()).ok_or_else(missing)
}

/// The attribute of a name, for tables of attributes: every one that a profile may have but `vendor`.
pub(crate) fn attribute_of(
    name: &str,
    at: Option<Place>,
    dictionary: &'static Dictionary,
    path: &str,
) -> Result<&'static Definition, TextError> {
    if let Some(definition) = dictionary.by_name(name).filter(|definition| definition.id != VENDOR) {
        return Ok(definition);
    }
    let mut error = TextError::new(ErrorKind::UnknownKey, path, at, "");
    if name == "vendor" {
        error.suggestion = Some("vendor stands at the top".to_owned());
        return Err(error);
    }
    if STREAM.iter().any(|definition| definition.name == name) {
        error.suggestion = Some("it describes a stream, not a device".to_owned());
        return Err(error);
    }
    let known = dictionary.definitions().filter(|definition| definition.id != VENDOR);
    Err(error.suggesting(name, &known.map(|definition| definition.name).collect::<Vec<_>>()))
}

/// Reads `0x7001 = { type = "uint", value = 1 }`, or `{ type = 200, bytes = "0a0b" }` for a type of a later version.
/// Returns whether the number was free.
fn unknown_attribute(
    builder: &mut ProfileBuilder,
    digits: &str,
    dictionary: &'static Dictionary,
    key: &Key,
    node: &Node,
    path: &str,
) -> Result<bool, TextError> {
    let bad = |detail: &str| TextError::new(ErrorKind::BadValue, path, key.at, detail);
    let all = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let id = u16::from_str_radix(digits, 16).ok().filter(|_| all).map(AttributeId);
    let id = id.ok_or_else(|| bad("the id has no four hex digits"))?;
    if let Some(definition) = dictionary.by_number(id.number()).or_else(|| find(STREAM, id.number())) {
        let mut error = TextError::new(ErrorKind::UnknownKey, path, key.at, "");
        error.suggestion = Some(if id.range() == IdRange::Stream {
            "it describes a stream, not a device".to_owned()
        } else {
            format!("the attribute has the name {}", definition.name)
        });
        return Err(error);
    }
    match id.range() {
        IdRange::Invalid => return Err(bad("the number 0 is no attribute's")),
        IdRange::Stream => return Err(bad("numbers from 0x00e0 to 0x00ff describe a stream, not a device")),
        _ if id.is_critical() => {
            let reason = Reason::new(reasons::ATTRIBUTE_UNKNOWN_CRITICAL).about(id);
            let mut error = bad("the attribute must be understood and is not known here");
            error.reason = Some(Box::new(reason.because(Datum::Wire(u64::from(id.0)), Datum::None)));
            return Err(error);
        }
        _ => {}
    }
    let section = Section::new(node, path, &["type", "value", "bytes"])?;
    let (word, here) = (section.need("type")?, section.path("type"));
    let without = |key: &str, of: &str| match section.first_of(&[key]) {
        Some((own, _)) => {
            let detail = format!("it does not go with {of}");
            Err(TextError::new(ErrorKind::BadValue, section.path(key), own.at, &detail))
        }
        None => Ok(()),
    };
    match &word.value {
        NodeValue::Text(name) => {
            let names: Vec<&str> = Type::ALL.iter().map(|kind| kind.name()).collect();
            let kind = Type::from_name(name)
                .ok_or_else(|| TextError::bad_value(&here, word, "the name of a type").suggesting(name, &names))?;
            without("bytes", "the name of a type")?;
            if kind == Type::Unknown {
                without("value", "the type unknown")?;
                return Ok(builder.set_raw(id, kind.code(), &[]));
            }
            let value = typed(section.need("value")?, kind, Constraint::Any, &section.path("value"))?;
            Ok(builder.set(id, &value))
        }
        NodeValue::Integer(code) => {
            const EXPECTED: &str = "the code of a type that has no name here: 0, or 13 to 255";
            let code = u8::try_from(*code).ok().filter(|&code| Type::from_code(code).is_none());
            let code = code.ok_or_else(|| TextError::bad_value(&here, word, EXPECTED))?;
            without("value", "the code of a type")?;
            Ok(builder.set_raw(id, code, &hex(section.need("bytes")?, &section.path("bytes"))?))
        }
        _ => Err(TextError::wrong_type(&here, word, "the name of a type, or the code of one that has no name here")),
    }
}

/// The profile as a node: `schema`, `vendor` and the table `attributes`.
pub fn profile_to_node(profile: &Profile) -> Node {
    let dictionary = profile.dictionary();
    let header = profile.header();
    let others = header.attributes().filter(|attribute| attribute.id != VENDOR);
    let attributes = others.map(|attribute| attribute_to_entry(&attribute, dictionary));
    Node::table([
        ("schema", Node::from(SCHEMA)),
        ("vendor", Node::from(profile.vendor())),
        ("attributes", Node::table(attributes)),
    ])
}

fn attribute_to_entry(attribute: &Attribute<'_>, dictionary: &'static Dictionary) -> (String, Node) {
    let kind = |name: &str| ("type", Node::from(name));
    match (dictionary.by_number(attribute.id.number()), attribute.value()) {
        (Some(definition), Some(value)) => (definition.name.to_owned(), value_to_node(value, Some(definition))),
        (_, Some(value)) if value.kind() == Type::Unknown => {
            (attribute.id.to_string(), Node::table([kind(value.kind().name())]))
        }
        (_, Some(value)) => {
            let node = Node::table([kind(value.kind().name()), ("value", value_to_node(value, None))]);
            (attribute.id.to_string(), node)
        }
        (_, None) => {
            let bytes = Node::from(data_encoding::HEXLOWER.encode(attribute.bytes));
            let code = Node::from(u64::from(attribute.type_code));
            (attribute.id.to_string(), Node::table([("type", code), ("bytes", bytes)]))
        }
    }
}

/// The profile as TOML.
pub fn profile_to_toml(profile: &Profile) -> String {
    node_to_toml(&profile_to_node(profile))
}

/// The profile as JSON, indented.
pub fn profile_to_json(profile: &Profile) -> String {
    node_to_json(&profile_to_node(profile))
}
