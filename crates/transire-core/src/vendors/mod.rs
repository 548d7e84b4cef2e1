//! One room a vendor, and the table of them. Vendors never import each other.

pub mod mtty;

use crate::format::Registry;

/// Every vendor, in the order in which they are listed.
pub static VENDORS: Registry = Registry(&[&mtty::VENDOR]);
