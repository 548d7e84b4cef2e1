//! The forms in which devices were described before: the `migration_version` strings of 2019 and 2020, and the two files
//! `migration/self` and `migration/compatible` of August 2020 with their template language.
//!
//! None of them was merged into Linux. They are read here so that what is left of them can be used: a string or a `self`
//! becomes a source profile, a `compatible` becomes targets. The modern form is [`crate::line`](mod@crate::line).
//!
//! # `migration_version`
//!
//! GVT-g had two. Both were compared as a whole, apart from one line break at the end:
//!
//! | form | from left to right |
//! |---|---|
//! | `8086-5912-GVTg_V5_8-00000001` | PCI vendor, PCI device, type (at most 15 characters), software version in hex |
//! | `i915-v1-8086-591d-i915-GVTg_V5_8-1` | driver, version, PCI vendor, PCI device, mdev type, aggregator |
//!
//! A type has `-` in it, so the second form is taken apart from both ends. The number of the first form and the version of
//! the second become the major number of `software_version`: the rule for it wants majors equal, which is what a
//! comparison of whole strings comes to. That the second one's version is that of the interface is our reading.
//!
//! # `self` and `compatible`
//!
//! Lines of `key=value`. In `compatible` a value may bind a variable to a list and refer to it further on:
//!
//! ```text
//! mdev_type=i915-GVTg_V5_{val1:int:2,4,8}
//! aggregator={val1}/2
//! ```
//!
//! - `{name:int:1,2}` and `{name:string:"a","b"}` bind, `{name}` refers; behind it may stand `/` or `*` and a whole number
//!   above 0. Names are `[a-z][a-z0-9_]*` and are bound once, before they are referred to: in the order of the file.
//! - Every choice of values is one *member*, the first variable turning slowest. A division that leaves a remainder drops
//!   its member, which is said and is no error. There are at most [`COMBINATIONS_MAX`] members.
//! - `self` has no templates. A file has at most [`PAGE_MAX`] bytes, as everything that sysfs shows.
//!
//! The vendor is that whose type `mdev_type` names, or nvme where there is a `remote_url`.
//!
//! A member describes *sources* that the device takes, and a device takes what agrees with any of its members. So each
//! member becomes one target: the device as its `self` has it, with an `[accepts]` for each value of the member in
//! place of the device's own. A source is compatible with the device if it is with one of the targets. What a member does
//! not name is held against the device itself by the vendor's rules, and so is what the driver checks whatever a list
//! says: the member `V5_8` times 4 of the example above is refused by a device of another graphics memory.

use transire_core::attribute::{
    AGGREGATION, AttributeId, DRIVER, Definition, Dictionary, MDEV_TYPE, OwnedValue, PCI_ID,
};
use transire_core::attribute::{PciId, SOFTWARE_VERSION, Text, VENDOR, Value, Version};
use transire_core::format::Registry;
use transire_core::profile::{Profile, ProfileBuilder};
use transire_core::rule::Compare;
use transire_core::target::{Accept, Operand, Target};
use transire_core::vendors::gvt_g;

use crate::error::{ErrorKind, TextError, quote};
use crate::node::{Node, NodeValue};
use crate::place::{Lines, Place};
use crate::target::target_of;
use crate::value::value_from_node;

/// Longest text of any of these forms, in bytes: the page that a file in sysfs is.
pub const PAGE_MAX: usize = 4096;

/// Most members that a `compatible` comes to: more types than any driver has, and soon expanded.
pub const COMBINATIONS_MAX: usize = 4096;

/// Longest type in the first form of `migration_version`: the driver read it into 16 bytes, the last of them zero.
pub const TYPE_MAX: usize = 15;

/// The software version that stands for none: a driver that has it refuses to be asked.
const NO_SOFTWARE_VERSION: u32 = 0xffff_ffff;

/// Reads a `migration_version` of GVT-g in either form. Errors have the offset in the text.
pub fn profile_from_migration_version(text: &str, registry: Registry) -> Result<Profile, TextError> {
    if text.len() > PAGE_MAX {
        let detail = format!("{} bytes, expected at most {PAGE_MAX}", text.len());
        return Err(TextError::new(ErrorKind::Limit, "", None, &detail).at_offset(PAGE_MAX));
    }
    let mut tokens = Tokens { text: text.strip_suffix('\n').unwrap_or(text), at: 0 };
    let values = if tokens.text.starts_with("i915") { with_aggregator(&mut tokens)? } else { without(&mut tokens)? };
    build("gvt-g", &values, registry)
}

type Values = Vec<(AttributeId, OwnedValue)>;

/// `8086-5912-GVTg_V5_8-00000001`
fn without(tokens: &mut Tokens<'_>) -> Result<Values, TextError> {
    let pci_id = tokens.pci_id()?;
    let (kind, version) = tokens.ends("the type", "the software version")?;
    if let Some((excess, _)) = kind.text.char_indices().nth(TYPE_MAX) {
        return Err(fault(kind.at + excess, &format!("the type has more than {TYPE_MAX} characters")));
    }
    let mdev_type = mdev_type(Token { text: &format!("i915-{}", kind.text), at: kind.at })?;
    let software = version.hex(8)?;
    if software == NO_SOFTWARE_VERSION {
        return Err(fault(
            version.at,
            "the software version 0xffffffff stands for none: the device cannot be migrated",
        ));
    }
    Ok(vec![(PCI_ID, pci_id), (MDEV_TYPE, mdev_type), (SOFTWARE_VERSION, major(software))])
}

/// `i915-v1-8086-591d-i915-GVTg_V5_8-1`
fn with_aggregator(tokens: &mut Tokens<'_>) -> Result<Values, TextError> {
    let driver = tokens.next("the driver")?;
    if driver.text != "i915" {
        return Err(fault(driver.at, &format!("the driver {} is not i915", quote(driver.text))));
    }
    let version = tokens.next("the version")?;
    let Some(digits) = version.text.strip_prefix('v') else {
        return Err(fault(version.at, "the version begins with v"));
    };
    let software = Token { text: digits, at: version.at + 1 }.decimal("the version")?;
    let software = u32::try_from(software).map_err(|_| fault(version.at + 1, "the version is not below 2^32"))?;
    let pci_id = tokens.pci_id()?;
    let (kind, aggregator) = tokens.ends("the mdev type", "the aggregator")?;
    let mdev_type = mdev_type(kind)?;
    let times = aggregator.decimal("the aggregator")?;
    if times == 0 {
        return Err(fault(aggregator.at, "the aggregator is at least 1"));
    }
    Ok(vec![
        (DRIVER, text_value(driver.text, driver.at)?),
        (PCI_ID, pci_id),
        (MDEV_TYPE, mdev_type),
        (SOFTWARE_VERSION, major(software)),
        (AGGREGATION, Value::Uint(times).to_owned()),
    ])
}

fn fault(offset: usize, detail: &str) -> TextError {
    TextError::new(ErrorKind::Line, "", None, detail).at_offset(offset)
}

fn major(major: u32) -> OwnedValue {
    Value::Version(Version { major, minor: 0, patch: 0 }).to_owned()
}

fn text_value(text: &str, at: usize) -> Result<OwnedValue, TextError> {
    let text = Text::new(text).ok_or_else(|| fault(at, "no text that can be shown"))?;
    Ok(Value::Text(text).to_owned())
}

fn mdev_type(kind: Token<'_>) -> Result<OwnedValue, TextError> {
    if gvt_g::is_type(kind.text) {
        return text_value(kind.text, kind.at);
    }
    Err(fault(kind.at, &format!("GVT-g has no type {}", quote(kind.text))))
}

/// The rest of a string whose parts have `-` between them.
struct Tokens<'t> {
    text: &'t str,
    /// Offset of what is left.
    at: usize,
}

#[derive(Clone, Copy)]
struct Token<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    fn rest(&self) -> Token<'t> {
        Token { text: self.text.get(self.at..).unwrap_or_default(), at: self.at }
    }

    /// What stands before the next `-`, and another part behind it.
    fn next(&mut self, what: &str) -> Result<Token<'t>, TextError> {
        let Token { text, at } = self.rest();
        let (token, _) = text.split_once('-').ok_or_else(|| self.cut(what))?;
        self.at += token.len() + 1;
        Ok(Token { text: token, at })
    }

    /// All that is left, split at its last `-`.
    fn ends(&mut self, first: &str, last: &str) -> Result<(Token<'t>, Token<'t>), TextError> {
        let Token { text, at } = self.rest();
        if text.is_empty() {
            return Err(self.cut(first));
        }
        let (before, behind) = text.rsplit_once('-').ok_or_else(|| self.cut(last))?;
        Ok((Token { text: before, at }, Token { text: behind, at: at + before.len() + 1 }))
    }

    fn pci_id(&mut self) -> Result<OwnedValue, TextError> {
        let narrow = |number: u32, at| u16::try_from(number).map_err(|_| fault(at, "more than four hex digits"));
        let vendor = self.next("the PCI device id")?;
        let vendor = narrow(vendor.hex(4)?, vendor.at)?;
        let device = self.next("the type")?;
        let device = narrow(device.hex(4)?, device.at)?;
        Ok(Value::PciId(PciId { vendor, device }).to_owned())
    }

    fn cut(&self, before: &str) -> TextError {
        fault(self.text.len(), &format!("the string ends before {before}"))
    }
}

impl Token<'_> {
    /// Exactly so many lower-case hex digits: capitals would not compare equal as a string.
    fn hex(self, digits: usize) -> Result<u32, TextError> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let good = self.text.bytes().take_while(|byte| is_digit(byte)).take(digits).count();
        if good == digits && self.text.len() == digits {
            return u32::from_str_radix(self.text, 16).map_err(|_| fault(self.at, "no number"));
        }
        Err(fault(self.at + good, &format!("expected exactly {digits} lower-case hex digits")))
    }

    /// A decimal number without sign or leading zeros.
    fn decimal(self, what: &str) -> Result<u64, TextError> {
        let good = self.text.bytes().take_while(u8::is_ascii_digit).count();
        let plain = good == self.text.len() && good > 0 && (self.text == "0" || !self.text.starts_with('0'));
        let at = self.at + if good == self.text.len() { 0 } else { good };
        let number = if plain { self.text.parse().ok() } else { None };
        number.ok_or_else(|| fault(at, &format!("{what} is no decimal number below 2^64 without leading zeros")))
    }
}

fn dictionary_of(vendor: &str, registry: Registry) -> Result<&'static Dictionary, TextError> {
    registry.dictionary(vendor).ok_or_else(|| TextError::unknown_vendor(vendor, None, registry))
}

fn build(vendor: &str, values: &[(AttributeId, OwnedValue)], registry: Registry) -> Result<Profile, TextError> {
    let dictionary = dictionary_of(vendor, registry)?;
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &text_value(dictionary.vendor, 0)?);
    for (id, value) in values {
        builder.set(*id, value);
    }
    let built = builder.build(&|name| registry.dictionary(name));
    built.map_err(|reason| TextError::of_reason(reason, "", None, ""))
}

/// A key of `self` and `compatible`.
struct Key {
    name: &'static str,
    attribute: &'static str,
    read: fn(&str) -> Option<NodeValue>,
    expected: &'static str,
}

const fn key(
    name: &'static str,
    attribute: &'static str,
    read: fn(&str) -> Option<NodeValue>,
    expected: &'static str,
) -> Key {
    Key { name, attribute, read, expected }
}

static KEYS: &[Key] = &[
    key("device_type", "device_api", |text| Some(NodeValue::Text(text.replace('_', "-"))), "a device API"),
    key("device_api", "device_api", |text| Some(NodeValue::Text(text.replace('_', "-"))), "a device API"),
    key("mdev_type", "mdev_type", plain, "a type"),
    key("device_id", "pci_id", pci_id, "PCI vendor and device id, 8 hex digits as in 8086591d"),
    key("pci_id", "pci_id", pci_id, "PCI vendor and device id, 8 hex digits as in 8086591d"),
    key("aggregator", "aggregation", number, "a decimal number of at least 1"),
    key("software_version", "software_version", plain, "a version"),
    key("pv_mode", "pv_mode", |text| Some(NodeValue::Array(text.split('+').map(Node::from).collect())), "modes"),
    key("remote_url", "remote_url", plain, "an address"),
];

#[expect(clippy::unnecessary_wraps, reason = "one of a table of readers, others of which fail")]
fn plain(text: &str) -> Option<NodeValue> {
    Some(NodeValue::Text(text.to_owned()))
}

/// `8086591d`, or `8086:591d`.
fn pci_id(text: &str) -> Option<NodeValue> {
    let all = |part: &str| part.len() == 4 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
    let (vendor, device) = text.split_once(':').or_else(|| text.split_at_checked(4))?;
    (all(vendor) && all(device)).then(|| NodeValue::Text(format!("{vendor}:{device}")))
}

fn number(text: &str) -> Option<NodeValue> {
    let number = Token { text, at: 0 }.decimal("").ok()?;
    (number > 0).then(|| NodeValue::Integer(i128::from(number)))
}

/// A text of `key=value` lines.
struct Page<'t> {
    text: &'t str,
    places: Lines<'t>,
    lines: Vec<Line<'t>>,
}

struct Line<'t> {
    key: &'static Key,
    value: &'t str,
    /// Offset of the value in the text.
    at: usize,
}

impl<'t> Page<'t> {
    fn read(text: &'t str) -> Result<Self, TextError> {
        let mut page = Self { text, places: Lines::new(text), lines: Vec::new() };
        if text.len() > PAGE_MAX {
            let detail = format!("{} bytes, expected at most {PAGE_MAX}", text.len());
            return Err(page.fault(ErrorKind::Limit, "", PAGE_MAX, &detail));
        }
        let mut at = 0;
        for line in text.split('\n') {
            if !line.is_empty() {
                let line = page.line(line, at)?;
                page.lines.push(line);
            }
            at += line.len() + 1;
        }
        Ok(page)
    }

    fn line(&self, line: &'t str, at: usize) -> Result<Line<'t>, TextError> {
        let Some((name, value)) = line.split_once('=') else {
            return Err(self.fault(ErrorKind::Syntax, "", at, "a line is key=value"));
        };
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            return Err(TextError::unknown_key(&quote(name), Some(self.places.place(at)), name, &known));
        };
        if let Some(before) = self.lines.iter().find(|line| line.key.attribute == key.attribute) {
            let detail =
                if before.key.name == name { String::new() } else { format!("{} says it already", before.key.name) };
            return Err(self.fault(ErrorKind::DuplicateKey, name, at, &detail));
        }
        let at = at + name.len() + 1;
        if value.is_empty() {
            return Err(self.fault(
                ErrorKind::BadValue,
                name,
                at,
                &format!("nothing there, expected {}", key.expected),
            ));
        }
        Ok(Line { key, value, at })
    }

    fn fault(&self, kind: ErrorKind, key: &str, offset: usize, detail: &str) -> TextError {
        TextError::new(kind, key, Some(self.places.place(offset)), detail)
    }
}

/// Whose device it is.
fn vendor_of<'v>(values: impl Iterator<Item = (&'static str, &'v str)>) -> Result<&'static str, TextError> {
    let mut vendor = None;
    for (key, value) in values {
        match key {
            "mdev_type" if value.starts_with("i915-GVTg_") => return Ok("gvt-g"),
            "remote_url" => vendor = Some("nvme"),
            _ => {}
        }
    }
    vendor.ok_or_else(|| {
        let detail = "neither a type of GVT-g nor a remote_url says whose device it is";
        TextError::new(ErrorKind::MissingKey, "mdev_type", Some(Place::START), detail)
    })
}

/// The value of a key as an attribute's.
fn value_of(
    key: &'static Key,
    text: &str,
    at: Place,
    dictionary: &'static Dictionary,
) -> Result<(&'static Definition, OwnedValue), TextError> {
    let Some(definition) = dictionary.by_name(key.attribute) else {
        let detail = format!("a device of the vendor {} has none", dictionary.vendor);
        return Err(TextError::new(ErrorKind::UnknownKey, key.name, Some(at), &detail));
    };
    let Some(value) = (key.read)(text) else {
        let detail = format!("found {}, expected {}", quote(text), key.expected);
        return Err(TextError::new(ErrorKind::BadValue, key.name, Some(at), &detail));
    };
    let mut node = Node::at(value, at);
    if let NodeValue::Array(items) = &mut node.value {
        for item in items {
            item.at = Some(at);
        }
    }
    Ok((definition, value_from_node(&node, definition, key.name)?))
}

/// Reads a `migration/self`: the profile of one device. Errors have line and column.
pub fn profile_from_self(text: &str, registry: Registry) -> Result<Profile, TextError> {
    let page = Page::read(text)?;
    for line in &page.lines {
        if let Some(brace) = line.value.find(['{', '}']) {
            let detail = "a template, which only a compatible may have";
            return Err(page.fault(ErrorKind::Syntax, line.key.name, line.at + brace, detail));
        }
    }
    let vendor = vendor_of(page.lines.iter().map(|line| (line.key.name, line.value)))?;
    let dictionary = dictionary_of(vendor, registry)?;
    let mut values = Vec::new();
    for line in &page.lines {
        let (definition, value) = value_of(line.key, line.value, page.places.place(line.at), dictionary)?;
        values.push((definition.id, value));
    }
    build(vendor, &values, registry)
}

/// What a `compatible` comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The devices that it describes, in the order of the lists, the first variable turning slowest.
    pub members: Vec<Member>,
    /// The choices of values that describe none.
    pub dropped: Vec<Dropped>,
}

/// One device that a `compatible` describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its fields, in the order of the file.
    pub fields: Vec<Field>,
}

/// One `key=value` of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// The value, every variable replaced.
    pub value: String,
    /// Where the value or its template stands.
    pub at: Place,
}

/// A choice of values from which no whole number comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The arithmetic that fails.
    pub at: Place,
    /// The choice and the arithmetic, as in `val1=1: aggregator: 1/2 is no whole number`.
    pub message: String,
}

#[derive(Clone, Copy)]
enum Choice<'t> {
    Number(u64),
    Text(&'t str),
}

struct Variable<'t> {
    name: &'t str,
    choices: Vec<Choice<'t>>,
}

#[derive(Clone, Copy)]
enum Operation {
    Divide,
    Multiply,
}

enum Part<'t> {
    Literal(&'t str),
    /// Index of the variable, what is done to it, and the offset.
    Variable(usize, Option<(Operation, u64)>, usize),
}

/// The templates of a page, read from left to right.
struct Templates<'p, 't> {
    page: &'p Page<'t>,
    key: &'static str,
    at: usize,
    end: usize,
    variables: Vec<Variable<'t>>,
    combinations: usize,
}

impl<'t> Templates<'_, 't> {
    fn fault(&self, kind: ErrorKind, offset: usize, detail: &str) -> TextError {
        self.page.fault(kind, self.key, offset, detail)
    }

    fn syntax(&self, detail: &str) -> TextError {
        self.fault(ErrorKind::Syntax, self.at, detail)
    }

    /// What is left of the value.
    fn rest(&self) -> &'t str {
        self.page.text.get(self.at..self.end).unwrap_or_default()
    }

    fn take(&mut self, character: char) -> bool {
        let taken = self.rest().starts_with(character);
        self.at += if taken { character.len_utf8() } else { 0 };
        taken
    }

    /// The longest stretch of such characters, perhaps none.
    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|character| !fits(character)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn value(&mut self, line: &Line<'t>) -> Result<Vec<Part<'t>>, TextError> {
        (self.key, self.at, self.end) = (line.key.name, line.at, line.at + line.value.len());
        let mut parts = Vec::new();
        while self.at < self.end {
            if self.rest().starts_with('{') {
                parts.push(self.braces()?);
                continue;
            }
            let literal = self.take_while(|character| !matches!(character, '{' | '}'));
            if literal.is_empty() {
                return Err(self.syntax("a } without its {"));
            }
            parts.push(Part::Literal(literal));
        }
        Ok(parts)
    }

    fn braces(&mut self) -> Result<Part<'t>, TextError> {
        let start = self.at;
        self.take('{');
        let name_at = self.at;
        let name = self.take_while(|character| matches!(character, 'a'..='z' | '0'..='9' | '_'));
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(self.fault(ErrorKind::Syntax, name_at, "a name is a-z, then a-z, 0-9 and _"));
        }
        let bound = self.variables.iter().position(|variable| variable.name == name);
        if self.take('}') {
            let unbound = || self.fault(ErrorKind::BadValue, name_at, &format!("{name} is not bound before"));
            let index = bound.ok_or_else(unbound)?;
            let operation = self.operation(index)?;
            return Ok(Part::Variable(index, operation, start));
        }
        if !self.take(':') {
            return Err(self.syntax("expected } or : behind the name"));
        }
        if bound.is_some() {
            return Err(self.fault(ErrorKind::DuplicateKey, name_at, &format!("{name} is bound twice")));
        }
        let choices = self.list()?;
        self.combinations = self.combinations.saturating_mul(choices.len());
        if self.combinations > COMBINATIONS_MAX {
            let detail = format!("{} combinations, expected at most {COMBINATIONS_MAX}", self.combinations);
            return Err(self.fault(ErrorKind::Limit, start, &detail));
        }
        self.variables.push(Variable { name, choices });
        Ok(Part::Variable(self.variables.len() - 1, None, start))
    }

    /// `/2` or `*2` behind a reference. A `/` without a number is the beginning of a literal: a path.
    fn operation(&mut self, index: usize) -> Result<Option<(Operation, u64)>, TextError> {
        let mut characters = self.rest().chars();
        let operation = match characters.next() {
            Some('/') => Operation::Divide,
            Some('*') => Operation::Multiply,
            _ => return Ok(None),
        };
        if !characters.next().is_some_and(|next| next.is_ascii_digit()) {
            return Ok(None);
        }
        let variable = self.variables.get(index);
        if variable.is_some_and(|variable| variable.choices.iter().any(|choice| matches!(choice, Choice::Text(_)))) {
            return Err(self.syntax("arithmetic with a text"));
        }
        self.at += 1;
        let at = self.at;
        let number = self.take_while(|character| character.is_ascii_digit()).parse().ok().filter(|number| *number > 0);
        match number {
            Some(number) => Ok(Some((operation, number))),
            None => Err(self.fault(ErrorKind::BadValue, at, "expected a whole number from 1 to 2^64 - 1")),
        }
    }

    /// `int:1,2}` or `string:"a","b"}`.
    fn list(&mut self) -> Result<Vec<Choice<'t>>, TextError> {
        let at = self.at;
        let is_number = match self.take_while(|character| !matches!(character, ':' | '{' | '}')) {
            "int" => true,
            "string" => false,
            other => {
                let error = self.fault(ErrorKind::BadValue, at, &format!("unknown type {}", quote(other)));
                return Err(error.suggesting(other, &["int", "string"]));
            }
        };
        if !self.take(':') {
            return Err(self.syntax("expected : behind the type"));
        }
        if self.rest().starts_with('}') {
            return Err(self.fault(ErrorKind::BadValue, self.at, "the list is empty"));
        }
        let mut choices = Vec::new();
        loop {
            choices.push(if is_number { self.number()? } else { self.quoted()? });
            if self.take('}') {
                return Ok(choices);
            }
            if !self.take(',') {
                return Err(self.syntax("expected , or } behind the value"));
            }
        }
    }

    fn number(&mut self) -> Result<Choice<'t>, TextError> {
        let at = self.at;
        let text = self.take_while(|character| character.is_ascii_digit());
        let number = Token { text, at }.decimal("").ok();
        number.map(Choice::Number).ok_or_else(|| {
            self.fault(ErrorKind::BadValue, at, "expected a decimal number below 2^64 without leading zeros")
        })
    }

    fn quoted(&mut self) -> Result<Choice<'t>, TextError> {
        if !self.take('"') {
            return Err(self.syntax("expected a text in quotation marks"));
        }
        let text = self.take_while(|character| character != '"');
        if self.take('"') { Ok(Choice::Text(text)) } else { Err(self.syntax("the quotation mark is not closed")) }
    }
}

/// Expands a `migration/compatible`. Errors have line and column.
pub fn expand_compatible(text: &str) -> Result<Expansion, TextError> {
    let page = Page::read(text)?;
    let mut templates = Templates { page: &page, key: "", at: 0, end: 0, variables: Vec::new(), combinations: 1 };
    let mut values = Vec::new();
    for line in &page.lines {
        values.push((line, templates.value(line)?));
    }
    let mut expansion = Expansion { members: Vec::new(), dropped: Vec::new() };
    for combination in 0..templates.combinations {
        let chosen = choose(&templates.variables, combination);
        match member(&page, &values, &templates.variables, &chosen)? {
            Ok(member) => expansion.members.push(member),
            Err(dropped) => expansion.dropped.push(dropped),
        }
    }
    Ok(expansion)
}

/// One value of each variable; the first turns slowest.
fn choose<'t>(variables: &[Variable<'t>], combination: usize) -> Vec<Choice<'t>> {
    let mut left = combination;
    let mut chosen: Vec<Choice<'t>> = Vec::with_capacity(variables.len());
    for variable in variables.iter().rev() {
        let count = variable.choices.len().max(1);
        chosen.extend(variable.choices.get(left % count));
        left /= count;
    }
    chosen.reverse();
    chosen
}

fn member(
    page: &Page<'_>,
    values: &[(&Line<'_>, Vec<Part<'_>>)],
    variables: &[Variable<'_>],
    chosen: &[Choice<'_>],
) -> Result<Result<Member, Dropped>, TextError> {
    let mut fields = Vec::with_capacity(values.len());
    let mut length = 0;
    for (line, parts) in values {
        let mut value = String::new();
        for part in parts {
            let owned;
            let text = match part {
                Part::Literal(text) => *text,
                Part::Variable(index, operation, at) => match (chosen.get(*index), operation) {
                    (Some(Choice::Text(text)), _) => *text,
                    (Some(Choice::Number(number)), None) => {
                        owned = number.to_string();
                        &owned
                    }
                    (Some(Choice::Number(number)), Some((operation, by))) => {
                        let Some(result) = calculate(*number, *operation, *by) else {
                            let message = dropped(variables, chosen, line.key.name, *number, *operation, *by);
                            return Ok(Err(Dropped { at: page.places.place(*at), message }));
                        };
                        owned = result.to_string();
                        &owned
                    }
                    (None, _) => "",
                },
            };
            // A few references to a long text could come to gigabytes.
            length += text.len();
            if length > PAGE_MAX {
                let detail = format!("a member of more than {PAGE_MAX} bytes");
                return Err(page.fault(ErrorKind::Limit, line.key.name, line.at, &detail));
            }
            value.push_str(text);
        }
        fields.push(Field { key: line.key.name, value, at: page.places.place(line.at) });
    }
    Ok(Ok(Member { fields }))
}

fn calculate(number: u64, operation: Operation, by: u64) -> Option<u64> {
    match operation {
        Operation::Divide => (number.checked_rem(by)? == 0).then(|| number.checked_div(by)).flatten(),
        Operation::Multiply => number.checked_mul(by),
    }
}

fn dropped(
    variables: &[Variable<'_>],
    chosen: &[Choice<'_>],
    key: &str,
    number: u64,
    operation: Operation,
    by: u64,
) -> String {
    let choice = |(variable, choice): (&Variable<'_>, &Choice<'_>)| match choice {
        Choice::Number(number) => format!("{}={number}", variable.name),
        Choice::Text(text) => format!("{}={}", variable.name, quote(text)),
    };
    let choices: Vec<String> = variables.iter().zip(chosen).map(choice).collect();
    let arithmetic = match operation {
        Operation::Divide => format!("{number}/{by} is no whole number"),
        Operation::Multiply => format!("{number}*{by} is not below 2^64"),
    };
    format!("{}: {key}: {arithmetic}", choices.join(", "))
}

/// The targets that a device's `compatible` comes to, and what was dropped on the way.
#[derive(Clone, Debug)]
pub struct Compatible {
    /// One for each member, in the order of [`Expansion::members`]. The device takes what one of them takes.
    pub targets: Vec<Target>,
    /// As in [`Expansion::dropped`].
    pub dropped: Vec<Dropped>,
}

/// Reads a `migration/compatible` of the device whose `migration/self` was read before. Errors have line and column; one
/// about the device itself, which no target can be, has the offset in its canonical bytes.
///
/// Each field of a member is compared as the vendor compares the attribute, with the member's value in place of the
/// device's; a type and its aggregator have to be those that are listed.
pub fn targets_from_compatible(device: &Profile, text: &str, registry: Registry) -> Result<Compatible, TextError> {
    let expansion = expand_compatible(text)?;
    let dictionary = dictionary_of(device.vendor(), registry)?;
    let mut targets = Vec::with_capacity(expansion.members.len());
    for (index, member) in expansion.members.iter().enumerate() {
        let mut target = target_of(device.clone(), registry, None)?;
        let mut accepts = Vec::with_capacity(member.fields.len());
        for field in &member.fields {
            let Some(key) = KEYS.iter().find(|key| key.name == field.key) else { continue };
            let (definition, value) = value_of(key, &field.value, field.at, dictionary)?;
            accepts.push(Accept {
                attribute: definition.id,
                compare: comparison(&target, definition.id),
                operand: Operand::Value(value),
                source: format!("migration/compatible, member {}: {}={}", index + 1, field.key, field.value),
                driver_versions: None,
            });
        }
        target.set_accepts(accepts);
        targets.push(target);
    }
    Ok(Compatible { targets, dropped: expansion.dropped })
}

/// How the vendor compares the attribute with one value.
fn comparison(target: &Target, id: AttributeId) -> Compare {
    let rule = target.rules().rules.iter().find(|rule| rule.target.is(id));
    match rule.map(|rule| rule.compare) {
        None | Some(Compare::SameCapacity(_) | Compare::Is(_) | Compare::Ignore) => Compare::Equal,
        Some(compare) => compare,
    }
}
