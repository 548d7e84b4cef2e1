//! What can be wrong with a text: kind, key, place and words.

use std::fmt;

use transire_core::attribute::is_shown;
use transire_core::format::Registry;
use transire_core::verdict::Reason;

use crate::node::{Node, NodeValue};
use crate::place::Place;

/// Why a text is no profile or target.
///
/// Displayed as `line 4, column 1: unknown key attributes.nr_prots; nearest is nr_ports`.
#[derive(Clone, Debug, PartialEq)]
pub struct TextError {
    /// The kind, for programs.
    pub kind: ErrorKind,
    /// The keys that lead to what is wrong: `attributes.nr_ports`, `assertions[0].until`. Empty for the text as a whole.
    pub key: String,
    /// The line, counted from 1; `None` where the value did not come from a text.
    pub line: Option<u32>,
    /// The character in the line, counted from 1.
    pub column: Option<u32>,
    /// Byte offset: in the text for its encoding and for the one-line form; for [`ErrorKind::Profile`] and
    /// [`ErrorKind::UnknownVendor`] in the canonical bytes, as the reason says it.
    pub offset: Option<u64>,
    /// What is wrong: kind, thing, value.
    pub message: String,
    /// What may have been meant: the nearest known word, or all of them.
    pub suggestion: Option<String>,
    /// What is wrong with the canonical bytes, where it is these.
    pub reason: Option<Box<Reason>>,
}

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are no UTF-8.
    Encoding,
    /// The text is longer or nested deeper than any profile needs.
    Limit,
    /// The text is no TOML or JSON.
    Syntax,
    /// The one-line form is malformed.
    Line,
    /// The vendor is not known here.
    UnknownVendor,
    /// A key is not known here.
    UnknownKey,
    /// A key stands twice.
    DuplicateKey,
    /// A mandatory key is not there.
    MissingKey,
    /// A value is of another type than its key's.
    WrongType,
    /// A value is of the right type, and none that its key may have.
    BadValue,
    /// The canonical bytes are no profile, or the attributes make none together.
    Profile,
    /// Two attributes of a target cannot both be true.
    Contradiction,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Encoding,
        Self::Limit,
        Self::Syntax,
        Self::Line,
        Self::UnknownVendor,
        Self::UnknownKey,
        Self::DuplicateKey,
        Self::MissingKey,
        Self::WrongType,
        Self::BadValue,
        Self::Profile,
        Self::Contradiction,
    ];

    /// The stable id, the same in every language.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Encoding => "text.encoding",
            Self::Limit => "text.limit",
            Self::Syntax => "text.syntax",
            Self::Line => "text.line",
            Self::UnknownVendor => "text.unknown-vendor",
            Self::UnknownKey => "text.unknown-key",
            Self::DuplicateKey => "text.duplicate-key",
            Self::MissingKey => "text.missing-key",
            Self::WrongType => "text.wrong-type",
            Self::BadValue => "text.bad-value",
            Self::Profile => "text.profile",
            Self::Contradiction => "text.contradiction",
        }
    }

    /// The words with which a message of this kind begins.
    const fn words(self) -> &'static str {
        match self {
            Self::Encoding => "malformed text",
            Self::Limit => "limit exceeded",
            Self::Syntax => "malformed syntax",
            Self::Line => "malformed line",
            Self::UnknownVendor => "unknown vendor",
            Self::UnknownKey => "unknown key",
            Self::DuplicateKey => "duplicate key",
            Self::MissingKey => "missing key",
            Self::WrongType => "wrong type",
            Self::BadValue => "bad value",
            Self::Profile => "malformed profile",
            Self::Contradiction => "contradiction",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{}: ", Place { line, column })?;
        } else if let Some(offset) = self.offset {
            write!(f, "offset {offset}: ")?;
        }
        f.write_str(&self.message)?;
        self.suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, "; {suggestion}"))
    }
}

impl std::error::Error for TextError {}

impl TextError {
    /// An error of the kind at a key; `detail` follows kind and key in the message unless it is empty.
    pub(crate) fn new(kind: ErrorKind, key: impl Into<String>, at: Option<Place>, detail: &str) -> Self {
        let key = key.into();
        let mut message = String::from(kind.words());
        for (separator, part) in [(" ", key.as_str()), (": ", detail)] {
            if !part.is_empty() {
                message.push_str(separator);
                message.push_str(part);
            }
        }
        Self {
            kind,
            key,
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
            offset: None,
            message,
            suggestion: None,
            reason: None,
        }
    }

    pub(crate) fn wrong_type(key: &str, node: &Node, expected: &str) -> Self {
        let detail = format!("found {}, expected {expected}", describe(node));
        Self::new(ErrorKind::WrongType, key, node.at, &detail)
    }

    pub(crate) fn bad_value(key: &str, node: &Node, expected: &str) -> Self {
        let detail = format!("found {}, expected {expected}", describe(node));
        Self::new(ErrorKind::BadValue, key, node.at, &detail)
    }

    pub(crate) fn unknown_key(key: &str, at: Option<Place>, word: &str, known: &[&str]) -> Self {
        Self::new(ErrorKind::UnknownKey, key, at, "").suggesting(word, known)
    }

    /// A vendor that is not in the registry, and those that are.
    pub(crate) fn unknown_vendor(name: &str, at: Option<Place>, registry: Registry) -> Self {
        let known: Vec<&str> = registry.0.iter().map(|vendor| vendor.name()).collect();
        let mut error = Self::new(ErrorKind::UnknownVendor, quote(name), at, "");
        "vendor".clone_into(&mut error.key);
        let all = format!("known are {}", known.join(", "));
        error.suggestion = Some(nearest(name, &known).map_or(all.clone(), |near| format!("nearest is {near}, {all}")));
        error
    }

    /// What is wrong with the canonical bytes that came from a key.
    pub(crate) fn of_reason(reason: Reason, key: &str, at: Option<Place>, detail: &str) -> Self {
        let kind = reason.id;
        let detail = if detail.is_empty() { kind.0.meaning } else { detail };
        let mut error = Self::new(ErrorKind::Profile, key, at, &format!("{detail} ({})", kind.text()));
        error.offset = reason.offset();
        error.reason = Some(Box::new(reason));
        error
    }

    pub(crate) fn at_offset(mut self, offset: usize) -> Self {
        self.offset = u64::try_from(offset).ok();
        self
    }

    /// Adds the nearest of the known words, or all of them where none is near.
    pub(crate) fn suggesting(mut self, word: &str, known: &[&str]) -> Self {
        self.suggestion = match nearest(word, known) {
            Some(near) => Some(format!("nearest is {near}")),
            None if known.is_empty() => None,
            None => Some(format!("known are {}", known.join(", "))),
        };
        self
    }
}

/// Longest part of a text that a message repeats, in characters: enough to find it again.
const QUOTED_MAX: usize = 48;

/// A text as messages show it: quoted, short, nothing invisible.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", shown(text))
}

fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == QUOTED_MAX {
            out.push('…');
            break;
        }
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if is_shown(character) => out.push(character),
            _ => out.extend(character.escape_unicode()),
        }
    }
    out
}

/// The path of a key below another.
pub(crate) fn join(path: &str, key: &str) -> String {
    let key = if is_bare(key) && key.len() <= QUOTED_MAX { key.to_owned() } else { quote(key) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Whether a key needs no quotes in TOML.
pub(crate) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// A value as messages show it.
pub(crate) fn describe(node: &Node) -> String {
    match &node.value {
        NodeValue::Bool(value) => format!("the boolean {value}"),
        NodeValue::Integer(value) => format!("the integer {value}"),
        NodeValue::Float(value) => format!("the float {value:?}"),
        NodeValue::Text(text) => format!("the text {}", quote(text)),
        NodeValue::Array(items) => format!("an array of {}", items.len()),
        NodeValue::Table(_) => "a table".to_owned(),
    }
}

/// The nearest known word, if it is at most a third of the letters away (one letter, for the shortest words).
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // Longer than every known word by more than a third: near to none, and not worth the time.
    let word: Vec<char> = Some(word).filter(|word| word.len() <= 64)?.to_lowercase().chars().collect();
    let distances = known.iter().map(|&known| (distance(&word, known), known));
    let (distance, near) = distances.min_by_key(|&(distance, _)| distance)?;
    (distance <= (near.chars().count().max(word.len()) / 3).max(1)).then_some(near)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words.
fn distance(word: &[char], known: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    let mut two_above = vec![0; known.len() + 1];
    let mut above: Vec<usize> = (0..=known.len()).collect();
    for (row, &letter) in word.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, &other) in known.iter().enumerate() {
            let mut least = (above[column] + usize::from(letter != other)).min(above[column + 1] + 1);
            least = least.min(next[column] + 1);
            if row > 0 && column > 0 && letter == known[column - 1] && word[row - 1] == other {
                least = least.min(two_above[column - 1] + 1);
            }
            next.push(least);
        }
        two_above = std::mem::replace(&mut above, next);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_near_or_not() {
        let known = ["vendor", "nr_ports", "pci_id", "any"];
        for (word, expected) in [
            ("nr_prots", Some("nr_ports")),
            ("NR_PORTS", Some("nr_ports")),
            ("vendr", Some("vendor")),
            ("pciid", Some("pci_id")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), &known), None);
        assert_eq!(nearest("x", &[]), None);
        let letters: Vec<char> = "ba".chars().collect();
        assert_eq!(distance(&letters, "ab"), 1, "a swap is one step");
        assert_eq!(distance(&[], "abc"), 3);
    }

    #[test]
    fn messages_show_nothing_invisible_and_stay_short() {
        assert_eq!(quote("a\"\\b\n\u{202e}"), "\"a\\\"\\\\b\\u{a}\\u{202e}\"");
        assert_eq!(quote(&"é".repeat(1000)).chars().count(), QUOTED_MAX + 3);
        assert_eq!(join("a", "b c"), "a.\"b c\"");
        assert_eq!(join("", "b-c"), "b-c");
    }

    #[test]
    fn an_error_is_small_enough_to_return_and_goes_between_threads() {
        fn goes<T: Send + Sync + 'static>() {}
        goes::<TextError>();
        assert!(size_of::<TextError>() < 128);
    }

    #[test]
    fn every_kind_has_an_id_of_its_own() {
        let mut ids: Vec<_> = ErrorKind::ALL.map(ErrorKind::id).to_vec();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ErrorKind::ALL.len());
    }
}
