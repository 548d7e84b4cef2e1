//! The commented target of a vendor, made from its dictionary.

use std::fmt::Write;

use transire_core::attribute::{Constraint, Definition, VENDOR};
use transire_core::format::Vendor;

/// A target in TOML in which everything but `vendor` is commented out. A line that can be used begins with `#` and no
/// space.
pub fn template(vendor: &Vendor) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write!(out, "# A target: {}.\n{HEAD}\nvendor = \"{}\"\n", vendor.title, vendor.name());
    out.push_str(ATTRIBUTES);
    for definition in vendor.rules.dictionary.definitions().filter(|definition| definition.id != VENDOR) {
        attribute(&mut out, definition);
    }
    out.push_str(TERMS);
    out
}

fn attribute(out: &mut String, definition: &Definition) {
    let Definition { name, meaning, place, .. } = definition;
    let _ = write!(out, "\n# {meaning}\n");
    if !place.is_empty() {
        let _ = writeln!(out, "#   where: {place}");
    }
    let kind = definition.kind.name();
    let limits = match definition.constraint {
        Constraint::Any => String::new(),
        Constraint::AtLeast(least) => format!(", at least {least}"),
        Constraint::Between(least, most) => format!(", {least} to {most}"),
        Constraint::Length(length) => format!(" of {length}"),
        Constraint::Members(member) => format!(" of {}", member.name()),
        Constraint::OneOf(texts) => format!(", one of {}", texts.join(", ")),
    };
    let example = if definition.example.is_empty() { "{ unknown = true }" } else { definition.example };
    let _ = write!(out, "#   type: {kind}{limits}\n#{name} = {example}\n");
}

const HEAD: &str = "\
# Take away the # before each line that holds for your device, and put in its value.
# A line that begins with # and a space is an explanation.
";

const ATTRIBUTES: &str = "
# What this device is. An attribute that exists but has not been reported is written { unknown = true };
# a number above 2^53 is written as text, \"0x...\".
[attributes]
";

const TERMS: &str = "
# What it accepts in place of the vendor's rule for an attribute, and the ground for it.
# rule: equal, one-of, in-range, subset, at-least, version, branch (with newer = N) or ignore
# values for one-of, range for in-range, value for the others; without one the value above is compared with
# driver_version: the rule holds for this version or newer, or for [\"1.4.0\", \"1.9.9\"], both inclusive;
#   without it a rule that the driver itself checks is not replaced
#[accepts.pci_id]
#rule = \"one-of\"
#values = [\"8086:4941\", \"8086:4943\"]
#source = \"driver 1.4 release note, 2026-03\"
#driver_version = \"1.4.0\"

# What can be set on it before loading, and where: range = [1, 8], values = [1, 2, 4] or any = true.
#[settable.aggregation]
#range = [1, 8]
#path = \"mdev/aggregation\"

# What a stream must come with. digest: none or blake3
#[requires]
#sealed = true
#digest = \"blake3\"

# What an administrator vouches for: one pair of values, where a rule leaves it to you. Leave out the source's or the
# target's value for a side that does not say it. until: the last day (UTC), or seconds since 1970
#[[assertions]]
#attribute = \"driver_build\"
#source = \"550.054.10\"
#target = \"550.054.14\"
#by = \"name of whoever vouches\"
#reason = \"why the two go together\"
#until = \"2027-01-31\"
";
