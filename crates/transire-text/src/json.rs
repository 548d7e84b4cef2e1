//! JSON to nodes and back.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{ErrorKind, TextError};
use crate::node::{Key, Node, NodeValue, Trail};
use crate::place::Lines;
use crate::{DEPTH_MAX, load};

/// Reads a JSON text. A key that stands twice in one object is an error.
pub fn node_from_json(text: &str) -> Result<Node, TextError> {
    load::check_length(text.len())?;
    let parser = Parser { text, lines: Lines::new(text) };
    let root = serde_json::from_str::<&RawValue>(text).map_err(|error| parser.syntax_error(&error, 0))?;
    parser.node(root, &Trail::Root)
}

/// Writes a node as JSON, indented.
pub fn node_to_json(node: &Node) -> String {
    // Neither a key that is no string nor a failing value occurs in a node.
    let mut text = serde_json::to_string_pretty(node).unwrap_or_default();
    text.push('\n');
    text
}

/// The text as a whole, to which every part of it is a slice.
struct Parser<'t> {
    text: &'t str,
    lines: Lines<'t>,
}

impl<'t> Parser<'t> {
    /// Where a part of the text begins.
    fn offset(&self, part: &'t RawValue) -> usize {
        part.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr())
    }

    /// An error in the part of the text that begins at the offset. The parser counts lines from the part's start, and
    /// bytes of a line from 1; no string or number, which is all that fails in a part, has a line break in it.
    fn syntax_error(&self, error: &serde_json::Error, offset: usize) -> TextError {
        let in_part = error.column().saturating_sub(1);
        let within = if offset == 0 { self.lines.offset(error.line(), error.column()) } else { in_part };
        let words = error.to_string();
        let message = words.rsplit_once(" at line ").map_or(words.as_str(), |(message, _)| message);
        let at = self.lines.place(offset + within);
        TextError::new(ErrorKind::Syntax, "", Some(at), &format!("json: {message}"))
    }

    fn node(&self, raw: &'t RawValue, trail: &Trail<'_>) -> Result<Node, TextError> {
        let offset = self.offset(raw);
        let at = self.lines.place(offset);
        let error = |kind, detail: &str| Err(TextError::new(kind, trail.path(), Some(at), detail));
        if trail.depth() > DEPTH_MAX {
            return error(ErrorKind::Limit, &format!("nested deeper than {DEPTH_MAX}"));
        }
        let text = raw.get();
        let value = match text.as_bytes().first() {
            Some(b'{') => self.table(raw, trail)?,
            Some(b'[') => {
                let items: Vec<&RawValue> = self.part(raw)?;
                let item = |(at, item)| self.node(item, &Trail::Index(trail, at));
                NodeValue::Array(items.into_iter().enumerate().map(item).collect::<Result<_, _>>()?)
            }
            Some(b'"') => NodeValue::Text(self.part(raw)?),
            Some(b't' | b'f') => NodeValue::Bool(text == "true"),
            Some(b'n') => return error(ErrorKind::WrongType, "found null, expected a value: leave the key out"),
            _ if text.contains(['.', 'e', 'E']) => NodeValue::Float(self.part(raw)?),
            _ => match text.parse() {
                Ok(number) => NodeValue::Integer(number),
                Err(_) => return error(ErrorKind::BadValue, "the number has more than 127 bits"),
            },
        };
        Ok(Node::at(value, at))
    }

    fn table(&self, raw: &'t RawValue, trail: &Trail<'_>) -> Result<NodeValue, TextError> {
        let Entries(entries) = self.part(raw)?;
        let mut seen = BTreeSet::new();
        let mut table = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let at = Some(self.lines.place(self.offset(key)));
            let text: String = self.part(key)?;
            let trail = Trail::Key(trail, &text);
            if !seen.insert(text.clone()) {
                return Err(TextError::new(ErrorKind::DuplicateKey, trail.path(), at, ""));
            }
            let node = self.node(value, &trail)?;
            table.push((Key { text, at }, node));
        }
        Ok(NodeValue::Table(table))
    }

    fn part<T: Deserialize<'t>>(&self, raw: &'t RawValue) -> Result<T, TextError> {
        serde_json::from_str(raw.get()).map_err(|error| self.syntax_error(&error, self.offset(raw)))
    }
}

/// The pairs of an object, repeated ones too.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
