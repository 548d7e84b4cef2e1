//! A vendor with an attribute of every type.

use transire_core::attribute::{AttributeId, Attributes, Constraint, Definition, Dictionary, Type, Value};
use transire_core::format::{Registry, Vendor};
use transire_core::rule::{RuleTable, derives_nothing};

const fn row(id: u16, name: &'static str, kind: Type, constraint: Constraint, example: &'static str) -> Definition {
    Definition { id: AttributeId(id), name, kind, constraint, meaning: "a toy's", place: "", example }
}

static DICTIONARY: Dictionary = Dictionary {
    vendor: "toy",
    attributes: &[
        row(0x8100, "flag", Type::Bool, Constraint::Any, "true"),
        row(0x0101, "count", Type::Uint, Constraint::Any, "\"0xffffffffffffffff\""),
        row(0x0102, "lanes", Type::Uint, Constraint::Between(1, 16), "4"),
        row(0x0103, "label", Type::Text, Constraint::Any, "\"a\""),
        row(0x0104, "blob", Type::Bytes, Constraint::Any, "\"0a0b\""),
        row(0x0105, "key", Type::Bytes, Constraint::Length(2), "\"0a0b\""),
        row(0x0106, "firmware", Type::Version, Constraint::Any, "\"1.2.3\""),
        row(0x0107, "window", Type::Range, Constraint::Any, "[1, 2]"),
        row(0x0108, "features", Type::Mask, Constraint::Any, "\"0x67\""),
        row(0x0109, "any_set", Type::Set, Constraint::Any, "{ members = \"uint\", values = [1] }"),
        row(0x010a, "sizes", Type::Set, Constraint::Members(Type::Uint), "[1, 2]"),
        row(0x010b, "names", Type::Set, Constraint::Members(Type::Text), "[\"a\"]"),
        row(0x010c, "peers", Type::Set, Constraint::Members(Type::PciId), "[\"8086:4941\"]"),
        row(0x010d, "share", Type::Ratio, Constraint::Any, "\"1/2\""),
        row(0x010e, "parent", Type::PciId, Constraint::Any, "\"8086:4941\""),
        row(0x010f, "notes", Type::Map, Constraint::Any, "{ a = \"b\" }"),
    ],
};

/// More lanes than 8 and the flag do not go together.
fn contradiction(side: &dyn Attributes) -> Option<(AttributeId, AttributeId)> {
    let many = matches!(side.value(AttributeId(0x0102)), Some(Value::Uint(lanes)) if lanes > 8);
    let flag = side.value(AttributeId(0x8100)) == Some(Value::Bool(true));
    (many && flag).then_some((AttributeId(0x8100), AttributeId(0x0102)))
}

fn impossible(side: &dyn Attributes) -> Option<(AttributeId, &'static str)> {
    let three = side.value(AttributeId(0x0102)) == Some(Value::Uint(3));
    three.then_some((AttributeId(0x0102), "1, 2 or 4"))
}

static RULES: RuleTable = RuleTable {
    dictionary: &DICTIONARY,
    rules: &[],
    derive: derives_nothing,
    statable: &[],
    contradiction,
    impossible,
};

static TOY: Vendor = Vendor { title: "toy", rules: &RULES, formats: &[], reasons: &[] };

pub(crate) static REGISTRY: Registry = Registry(&[&TOY, &transire_core::vendors::mtty::VENDOR]);

pub(crate) fn dictionary() -> &'static Dictionary {
    &DICTIONARY
}
