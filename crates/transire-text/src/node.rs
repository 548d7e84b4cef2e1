//! The tree that every syntax is read into.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::place::Place;

/// A value of a text, and where it stands.
///
/// A language binding makes nodes without places: `Node::from("8086:4941")`, `Node::table([("pci_id", node)])`.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Its first character; `None` where there is no text.
    pub at: Option<Place>,
}

/// What a value is, before anybody asks what it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// True or false.
    Bool(bool),
    /// A whole number; wide enough for every number that an attribute can have.
    Integer(i128),
    /// A number with a fraction or an exponent. No attribute has one; it is kept so that the error can name it.
    Float(f64),
    /// A string.
    Text(String),
    /// Several values, in their order.
    Array(Vec<Node>),
    /// Keys and values, in the order of the text.
    Table(Vec<(Key, Node)>),
}

/// A key of a table, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key itself, unquoted.
    pub text: String,
    /// Its first character; `None` where there is no text.
    pub at: Option<Place>,
}

impl Node {
    /// A node without a place.
    pub const fn new(value: NodeValue) -> Self {
        Self { value, at: None }
    }

    /// A node at a place.
    pub const fn at(value: NodeValue, at: Place) -> Self {
        Self { value, at: Some(at) }
    }

    /// An array without a place.
    pub fn array(items: impl IntoIterator<Item = Self>) -> Self {
        Self::new(NodeValue::Array(items.into_iter().collect()))
    }

    /// A table without a place.
    pub fn table<K: Into<Key>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::new(NodeValue::Table(entries.into_iter().map(|(key, node)| (key.into(), node)).collect()))
    }

    /// The value of a key; `None` where this is no table or has no such key.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        match &self.value {
            NodeValue::Table(entries) => entries.iter().find(|(own, _)| own.text == key).map(|(_, node)| node),
            _ => None,
        }
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::new(NodeValue::Bool(value))
    }
}

impl From<u64> for Node {
    fn from(value: u64) -> Self {
        Self::new(NodeValue::Integer(i128::from(value)))
    }
}

impl From<i128> for Node {
    fn from(value: i128) -> Self {
        Self::new(NodeValue::Integer(value))
    }
}

impl From<&str> for Node {
    fn from(value: &str) -> Self {
        Self::new(NodeValue::Text(value.to_owned()))
    }
}

impl From<String> for Node {
    fn from(value: String) -> Self {
        Self::new(NodeValue::Text(value))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), at: None }
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self { text, at: None }
    }
}

/// The plain value: places are left out, tables keep their order.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            NodeValue::Bool(value) => serializer.serialize_bool(*value),
            NodeValue::Integer(value) => serializer.serialize_i128(*value),
            NodeValue::Float(value) => serializer.serialize_f64(*value),
            NodeValue::Text(value) => serializer.serialize_str(value),
            NodeValue::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| array.serialize_element(item))?;
                array.end()
            }
            NodeValue::Table(entries) => {
                let mut table = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, node)| table.serialize_entry(&key.text, node))?;
                table.end()
            }
        }
    }
}

/// The keys that lead to a node, kept on the stack until somebody asks for their words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trail<'a> {
    Root,
    Key(&'a Trail<'a>, &'a str),
    Index(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    /// How many tables and arrays the node stands in.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Key(parent, _) | Self::Index(parent, _) => parent.depth() + 1,
        }
    }

    pub(crate) fn path(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, key) => crate::error::join(&parent.path(), key),
            Self::Index(parent, index) => format!("{}[{index}]", parent.path()),
        }
    }
}
