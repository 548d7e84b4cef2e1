//! Profiles and targets as text: TOML, JSON and one line, with line and key in every error.
//!
//! ```text
//! bytes ──▶ sniff ──▶ TOML ─┐
//!                     JSON ─┼──▶ Node ──▶ profile, target
//!          Python's objects ┘
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`place`] | lines and columns |
//! | [`node`] | the tree that every syntax is read into |
//! | [`toml`], [`json`] | the two syntaxes |
//! | [`value`] | one attribute's value as a node |
//! | [`profile`] | profiles from and to nodes |
//! | [`line`](mod@line) | the one-line form of a profile |
//! | [`target`] | targets from nodes |
//! | [`load`] | profiles and targets from bytes of any form |
//! | [`template`](mod@template) | the commented target of a vendor |
//! | [`history`] | the forms of 2019 and 2020: `migration_version`, `self` and `compatible` |
//! | [`error`] | what can be wrong with a text |
//!
//! One loader reads the tree, so a text in TOML, the same in JSON and the same from a language binding mean the same and
//! fail with the same words.
#![forbid(unsafe_code)]

pub mod error;
pub mod history;
pub mod json;
pub mod line;
pub mod load;
pub mod node;
pub mod place;
pub mod profile;
mod section;
pub mod target;
pub mod template;
pub mod toml;
pub mod value;

pub use crate::error::{ErrorKind, TextError};
pub use crate::history::{
    expand_compatible, profile_from_migration_version, profile_from_self, targets_from_compatible,
};
pub use crate::json::{node_from_json, node_to_json};
pub use crate::line::{profile_from_line, profile_to_line};
pub use crate::load::{Syntax, load_profile, load_target, sniff};
pub use crate::node::{Key, Node, NodeValue};
pub use crate::place::Place;
pub use crate::profile::{profile_to_json, profile_to_node, profile_to_toml, read_profile};
pub use crate::target::read_target;
pub use crate::template::template;
pub use crate::toml::{node_from_toml, node_to_toml};
pub use crate::value::{value_from_node, value_to_node};

/// Longest text that is read, in bytes. The longest header a profile may have, 64 KiB, comes to less than this in every
/// form, and a tree of this size still fits a small machine.
pub const TEXT_FILE_MAX: usize = 1 << 20;

/// Deepest nesting of tables and arrays. The deepest a target needs is 5; a hostile text must not reach the end of the
/// stack.
pub const DEPTH_MAX: usize = 16;

/// The schema of profiles and targets that is written and read.
pub const SCHEMA: u64 = 1;
