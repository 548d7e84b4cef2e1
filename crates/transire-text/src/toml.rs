//! TOML to nodes and back.

use std::fmt::Write;
use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeString, DeTable, DeValue};

use crate::error::{ErrorKind, TextError, is_bare, quote};
use crate::node::{Key, Node, NodeValue, Trail};
use crate::place::{Lines, Place};
use crate::{DEPTH_MAX, load};

/// Reads a TOML text.
pub fn node_from_toml(text: &str) -> Result<Node, TextError> {
    load::check_length(text.len())?;
    let lines = Lines::new(text);
    let root = DeTable::parse(text).map_err(|error| syntax_error(&error, text, &lines))?;
    Ok(Node::at(table(root.get_ref(), &lines, &Trail::Root)?, Place::START))
}

fn syntax_error(error: &::toml::de::Error, text: &str, lines: &Lines<'_>) -> TextError {
    let span: Range<usize> = error.span().unwrap_or(0..0);
    let at = Some(lines.place(span.start));
    let message = error.message();
    if message.contains("duplicate key") {
        let key = text.get(span).unwrap_or_default().trim_matches(['"', '\'', '[', ']']);
        return TextError::new(ErrorKind::DuplicateKey, crate::error::join("", key), at, "");
    }
    if message.contains("recurs") {
        return TextError::new(ErrorKind::Limit, "", at, &format!("nested deeper than {DEPTH_MAX}"));
    }
    // The same text by which the parser shows it, on one line.
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    TextError::new(ErrorKind::Syntax, "", at, &format!("toml: {message}"))
}

fn table(entries: &DeTable<'_>, lines: &Lines<'_>, trail: &Trail<'_>) -> Result<NodeValue, TextError> {
    // The parser sorts by key; the first error of a text is the one that stands first.
    let mut ordered: Vec<_> = entries.iter().collect();
    ordered.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let at = lines.place(key.span().start);
        let mut node = node(value, lines, &Trail::Key(trail, key.get_ref()))?;
        // A table under a header has no brace behind its key: it stands where its name does.
        if matches!(node.value, NodeValue::Table(_)) && value.span().start <= key.span().end {
            node.at = Some(at);
        }
        Ok((Key { text: key.get_ref().to_string(), at: Some(at) }, node))
    };
    ordered.into_iter().map(entry).collect::<Result<_, _>>().map(NodeValue::Table)
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>, trail: &Trail<'_>) -> Result<Node, TextError> {
    let at = lines.place(value.span().start);
    let error = |kind, detail: &str| Err(TextError::new(kind, trail.path(), Some(at), detail));
    if trail.depth() > DEPTH_MAX {
        return error(ErrorKind::Limit, &format!("nested deeper than {DEPTH_MAX}"));
    }
    let value = match value.get_ref() {
        DeValue::String(text) => NodeValue::Text(text.to_string()),
        DeValue::Integer(digits) => match i128::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => NodeValue::Integer(number),
            Err(_) => return error(ErrorKind::BadValue, "the number has more than 127 bits"),
        },
        DeValue::Float(digits) => match digits.as_str().parse() {
            Ok(number) => NodeValue::Float(number),
            Err(_) => return error(ErrorKind::BadValue, &format!("{} is no number", quote(digits.as_str()))),
        },
        DeValue::Boolean(value) => NodeValue::Bool(*value),
        DeValue::Datetime(_) => {
            return error(ErrorKind::WrongType, "found a date without quotes, expected a text: write \"2027-01-31\"");
        }
        DeValue::Array(items) => {
            let item = |(at, item)| node(item, lines, &Trail::Index(trail, at));
            NodeValue::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => table(entries, lines, trail)?,
    };
    Ok(Node::at(value, at))
}

/// Writes a table as TOML: plain values first, then each table under its header. A node that is no table is written as
/// the value alone.
pub fn node_to_toml(node: &Node) -> String {
    let mut out = String::new();
    let NodeValue::Table(entries) = &node.value else {
        write_value(&mut out, node);
        return out;
    };
    let is_table = |node: &Node| matches!(node.value, NodeValue::Table(_));
    for (key, node) in entries.iter().filter(|(_, node)| !is_table(node)) {
        write_entry(&mut out, key, node);
        out.push('\n');
    }
    for (key, node) in entries {
        let NodeValue::Table(entries) = &node.value else { continue };
        out.push_str("\n[");
        write_key(&mut out, &key.text);
        out.push_str("]\n");
        for (key, node) in entries {
            write_entry(&mut out, key, node);
            out.push('\n');
        }
    }
    out
}

fn write_entry(out: &mut String, key: &Key, node: &Node) {
    write_key(out, &key.text);
    out.push_str(" = ");
    write_value(out, node);
}

fn write_key(out: &mut String, key: &str) {
    if is_bare(key) {
        out.push_str(key);
    } else {
        write_text(out, key);
    }
}

fn write_value(out: &mut String, node: &Node) {
    // Writing to a string does not fail.
    match &node.value {
        NodeValue::Bool(value) => {
            let _ = write!(out, "{value}");
        }
        NodeValue::Integer(value) => {
            let _ = write!(out, "{value}");
        }
        NodeValue::Float(value) if value.is_nan() => out.push_str("nan"),
        NodeValue::Float(value) => {
            let _ = write!(out, "{value:?}");
        }
        NodeValue::Text(text) => write_text(out, text),
        NodeValue::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_value(out, item);
            }
            out.push(']');
        }
        NodeValue::Table(entries) => {
            out.push_str("{ ");
            for (at, (key, node)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_entry(out, key, node);
            }
            out.push_str(if entries.is_empty() { "}" } else { " }" });
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if transire_core::attribute::is_shown(character) => out.push(character),
            // Eight digits: every character fits.
            _ => {
                let _ = write!(out, "\\U{:08x}", u32::from(character));
            }
        }
    }
    out.push('"');
}
