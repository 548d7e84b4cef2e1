//! Profiles and targets from bytes of any form.

use transire_core::bytes::{index, widen};
use transire_core::format::{Event, Format, Likeness, Registry, Role};
use transire_core::profile::Profile;
use transire_core::prologue::MAGIC;
use transire_core::recognise::PREFIX_MAX;
use transire_core::target::Target;
use transire_core::verdict::{Reason, reasons};

use crate::TEXT_FILE_MAX;
use crate::error::{ErrorKind, TextError};
use crate::json::node_from_json;
use crate::line::{profile_from_bytes, profile_from_line};
use crate::node::Node;
use crate::place::Lines;
use crate::profile::read_profile;
use crate::target::{read_target, target_of};
use crate::toml::node_from_toml;

/// The forms of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// TOML.
    Toml,
    /// JSON.
    Json,
    /// One line: `transire1.` and base64url.
    Line,
    /// The canonical bytes.
    Canonical,
}

impl Syntax {
    /// The name, as users type it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Json => "json",
            Self::Line => "line",
            Self::Canonical => "canonical",
        }
    }
}

/// The form that the bytes are in, by how they begin. What is none of the others is taken for TOML, whose errors say
/// what is wrong.
pub fn sniff(bytes: &[u8]) -> Syntax {
    if bytes.starts_with(&MAGIC) {
        return Syntax::Canonical;
    }
    let text = bytes.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(bytes).trim_ascii_start();
    match text.strip_prefix(b"transire").unwrap_or_default() {
        // A line of another form is one too: that it is not known is said of a line.
        [digit, b'.', ..] if digit.is_ascii_digit() => Syntax::Line,
        _ if text.starts_with(b"{") => Syntax::Json,
        _ => Syntax::Toml,
    }
}

/// What some editors write before a text.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads a profile in any form.
pub fn load_profile(bytes: &[u8], registry: Registry) -> Result<Profile, TextError> {
    check_length(bytes.len())?;
    match sniff(bytes) {
        Syntax::Canonical => profile_from_bytes(bytes, registry),
        Syntax::Line => profile_from_line(text_of(bytes)?, registry),
        syntax => read_profile(&node_of(bytes, syntax)?, registry),
    }
}

/// Reads a target: TOML or JSON. A profile in one of the other forms is a target that is its profile and nothing more; so
/// is the record of a target that a vendor's own software writes.
pub fn load_target(bytes: &[u8], registry: Registry) -> Result<Target, TextError> {
    check_length(bytes.len())?;
    if let Some(format) = target_record(bytes, registry) {
        return target_of(profile_of_record(format, bytes, registry)?, registry, None);
    }
    let syntax = sniff(bytes);
    match syntax {
        Syntax::Canonical | Syntax::Line => target_of(load_profile(bytes, registry)?, registry, None),
        Syntax::Toml | Syntax::Json => read_target(&node_of(bytes, syntax)?, registry),
    }
}

/// The format of a record in which a target says what it is, where the bytes are one.
fn target_record(bytes: &[u8], registry: Registry) -> Option<&'static Format> {
    let prefix = bytes.get(..index(PREFIX_MAX)).unwrap_or(bytes);
    let mut records = registry.formats().filter(|format| format.role == Role::Target);
    records.find(|format| format.likeness(prefix, bytes.len() == prefix.len()) == Likeness::Certain)
}

/// What such a record says, once all of it has passed its checks.
fn profile_of_record(format: &Format, bytes: &[u8], registry: Registry) -> Result<Profile, TextError> {
    let refused = |reason| TextError::of_reason(reason, "", None, "");
    let Some(vendor) = registry.vendor(format.vendor) else {
        return Err(TextError::unknown_vendor(format.vendor, None, registry));
    };
    let mut reader = (format.reader)(false);
    let mut rest = bytes;
    loop {
        let step = reader.step(rest, true);
        rest = rest.get(step.used..).unwrap_or_default();
        match step.event {
            Event::End => break,
            Event::Finding(reason) if !reason.is_note() => return Err(refused(reason)),
            Event::Need(_) => {
                return Err(refused(Reason::at(reasons::STREAM_TRUNCATED, widen(bytes.len()))));
            }
            _ => {}
        }
    }
    let Some(source) = reader.source().filter(|_| rest.is_empty()) else {
        return Err(refused(Reason::at(reasons::STREAM_TRAILING, widen(bytes.len() - rest.len()))));
    };
    Profile::collect(source, vendor.rules.dictionary, &|name| registry.dictionary(name)).map_err(refused)
}

fn node_of(bytes: &[u8], syntax: Syntax) -> Result<Node, TextError> {
    let text = text_of(bytes)?;
    if syntax == Syntax::Json { node_from_json(text) } else { node_from_toml(text) }
}

fn text_of(bytes: &[u8]) -> Result<&str, TextError> {
    let text = std::str::from_utf8(bytes).map_err(|fault| {
        let offset = fault.valid_up_to();
        let before = bytes.get(..offset).and_then(|before| std::str::from_utf8(before).ok());
        let at = Lines::new(before.unwrap_or_default()).place(offset);
        let detail = format!("the bytes at offset {offset} are no UTF-8");
        TextError::new(ErrorKind::Encoding, "", Some(at), &detail).at_offset(offset)
    })?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

pub(crate) fn check_length(length: usize) -> Result<(), TextError> {
    if length <= TEXT_FILE_MAX {
        return Ok(());
    }
    let detail = format!("{length} bytes, expected at most {TEXT_FILE_MAX}");
    Err(TextError::new(ErrorKind::Limit, "", None, &detail).at_offset(TEXT_FILE_MAX))
}
