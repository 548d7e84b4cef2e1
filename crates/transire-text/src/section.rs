//! Tables with known keys.

use transire_core::attribute::{TEXT_MAX, Text, is_shown};

use crate::error::{ErrorKind, TextError, join};
use crate::node::{Key, Node, NodeValue};
use crate::place::Place;

/// A table of which every key is known and stands once.
pub(crate) struct Section<'n> {
    path: String,
    at: Option<Place>,
    entries: &'n [(Key, Node)],
}

impl<'n> Section<'n> {
    pub(crate) fn new(node: &'n Node, path: &str, known: &[&str]) -> Result<Self, TextError> {
        let entries = table(node, path)?;
        for (index, (key, _)) in entries.iter().enumerate() {
            let here = || join(path, &key.text);
            if !known.contains(&key.text.as_str()) {
                return Err(TextError::unknown_key(&here(), key.at, &key.text, known));
            }
            // At most as many as there are known keys: every one before this one is another.
            if entries.iter().take(index).any(|(before, _)| before.text == key.text) {
                return Err(TextError::new(ErrorKind::DuplicateKey, here(), key.at, ""));
            }
        }
        Ok(Self { path: path.to_owned(), at: node.at, entries })
    }

    /// The path of one of its keys.
    pub(crate) fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    pub(crate) fn find(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(own, _)| own.text == key).map(|(_, node)| node)
    }

    pub(crate) fn need(&self, key: &str) -> Result<&'n Node, TextError> {
        self.find(key).ok_or_else(|| self.missing(key))
    }

    pub(crate) fn missing(&self, key: &str) -> TextError {
        TextError::new(ErrorKind::MissingKey, self.path(key), self.at, "")
    }

    /// A mandatory text that is shown to people.
    pub(crate) fn need_text(&self, key: &str) -> Result<&'n str, TextError> {
        shown_text(self.need(key)?, &self.path(key))
    }

    /// The first of its keys that is one of these.
    pub(crate) fn first_of(&self, keys: &[&str]) -> Option<&'n (Key, Node)> {
        self.entries.iter().find(|(key, _)| keys.contains(&key.text.as_str()))
    }
}

pub(crate) fn table<'n>(node: &'n Node, path: &str) -> Result<&'n [(Key, Node)], TextError> {
    match &node.value {
        NodeValue::Table(entries) => Ok(entries),
        _ => Err(TextError::wrong_type(path, node, "a table")),
    }
}

pub(crate) fn array<'n>(node: &'n Node, path: &str, expected: &str) -> Result<&'n [Node], TextError> {
    match &node.value {
        NodeValue::Array(items) => Ok(items),
        _ => Err(TextError::wrong_type(path, node, expected)),
    }
}

pub(crate) fn text<'n>(node: &'n Node, path: &str, expected: &str) -> Result<&'n str, TextError> {
    match &node.value {
        NodeValue::Text(text) => Ok(text),
        _ => Err(TextError::wrong_type(path, node, expected)),
    }
}

/// A text that can be shown to people, by the rules of [`Text`].
pub(crate) fn shown_text<'n>(node: &'n Node, path: &str) -> Result<&'n str, TextError> {
    let text = text(node, path, "a text")?;
    if Text::new(text).is_some() {
        return Ok(text);
    }
    let error = |detail: &str| Err(TextError::new(ErrorKind::BadValue, path, node.at, detail));
    match text.chars().find(|&character| !is_shown(character)) {
        _ if text.is_empty() => error("the text is empty"),
        Some(character) => error(&format!("the text holds the invisible character U+{:04X}", u32::from(character))),
        None => error(&format!("the text has {} bytes, expected at most {TEXT_MAX}", text.len())),
    }
}
