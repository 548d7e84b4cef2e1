//! Every form in which a value may be written, and the one in which it is.

use transire_core::attribute::{AttributeId, Attributes, Value};
use transire_text::{
    Node, load_profile, node_from_json, node_from_toml, node_to_json, node_to_toml, profile_from_line, profile_to_json,
    profile_to_line, profile_to_node, profile_to_toml, value_from_node, value_to_node,
};

use crate::toy::{REGISTRY, dictionary};

#[test]
fn values_are_read_and_written() {
    // What is written, and what it is written back as.
    let cases = [
        ("flag = true", "flag = true"),
        ("count = 0", "count = 0"),
        ("count = 9007199254740992", "count = 9007199254740992"),
        ("count = 9007199254740993", "count = \"0x20000000000001\""),
        ("count = \"0xFFFFffffFFFFffff\"", "count = \"0xffffffffffffffff\""),
        ("count = \"0x0010\"", "count = 16"),
        ("lanes = 16", "lanes = 16"),
        ("label = 'a\"b\\c größe 値'", "label = \"a\\\"b\\\\c größe 値\""),
        ("blob = \"0A0b\"", "blob = \"0a0b\""),
        ("key = \"ffff\"", "key = \"ffff\""),
        ("firmware = \"1\"", "firmware = \"1.0.0\""),
        ("firmware = \"1.2\"", "firmware = \"1.2.0\""),
        ("firmware = \"4294967295.0.10\"", "firmware = \"4294967295.0.10\""),
        ("window = [0, \"0xffffffffffffffff\"]", "window = [0, \"0xffffffffffffffff\"]"),
        ("features = 0x67", "features = \"0x67\""),
        ("features = 0", "features = \"0x0\""),
        ("features = \"0x0167\"", "features = \"0x167\""),
        ("any_set = [3, 1, \"0x2\"]", "any_set = { members = \"uint\", values = [1, 2, 3] }"),
        ("any_set = [\"b\", \"a\"]", "any_set = { members = \"text\", values = [\"a\", \"b\"] }"),
        (
            "any_set = { values = [\"8086:4941\"], members = \"pci_id\" }",
            "any_set = { members = \"pci_id\", values = [\"8086:4941\"] }",
        ),
        ("sizes = { members = \"uint\", values = [1] }", "sizes = [1]"),
        ("names = [\"8086:4941\", \"0x1\"]", "names = [\"0x1\", \"8086:4941\"]"),
        ("peers = [\"8086:ABCD\"]", "peers = [\"8086:abcd\"]"),
        ("share = \"0/1\"", "share = \"0/1\""),
        ("parent = \"8086:ABCD\"", "parent = \"8086:abcd\""),
        ("notes = { b = \"2\", \"a b\" = \"\\\"\" }", "notes = { \"a b\" = \"\\\"\", b = \"2\" }"),
        ("notes = { unknown = \"x\" }", "notes = { unknown = \"x\" }"),
        ("notes = { unknown = true }", "notes = { unknown = true }"),
        ("flag = { unknown = true }", "flag = { unknown = true }"),
        ("0x7001 = { type = \"uint\", value = 1 }", "0x7001 = { type = \"uint\", value = 1 }"),
        ("0x7aBc = { type = \"unknown\" }", "0x7abc = { type = \"unknown\" }"),
        ("0x0250 = { type = 200, bytes = \"\" }", "0x0250 = { type = 200, bytes = \"\" }"),
        ("0x0050 = { type = 0, bytes = \"0A\" }", "0x0050 = { type = 0, bytes = \"0a\" }"),
        (
            "0x7001 = { type = \"set\", value = [1] }",
            "0x7001 = { type = \"set\", value = { members = \"uint\", values = [1] } }",
        ),
    ];
    for (text, expected) in cases {
        let profile = load_profile(format!("vendor = \"toy\"\n[attributes]\n{text}\n").as_bytes(), REGISTRY);
        let profile = profile.unwrap_or_else(|error| panic!("{text}: {error}"));
        let expected = format!("schema = 1\nvendor = \"toy\"\n\n[attributes]\n{expected}\n");
        assert_eq!(profile_to_toml(&profile), expected);
    }
}

#[test]
fn the_same_profile_in_every_form() {
    let toml = "schema = 1\nvendor = \"mtty\"\n\n[attributes]\nmdev_type = \"mtty-2\"\nnr_ports = 2\n";
    let profile = load_profile(toml.as_bytes(), REGISTRY).unwrap();
    assert_eq!(profile.value(AttributeId(0x8100)), Some(Value::Uint(2)));
    assert_eq!(profile_to_toml(&profile), toml);
    let json = "{\n  \"schema\": 1,\n  \"vendor\": \"mtty\",\n  \"attributes\": {\n    \"mdev_type\": \"mtty-2\",\n    \
                \"nr_ports\": 2\n  }\n}\n";
    assert_eq!(profile_to_json(&profile), json);
    let line = profile_to_line(&profile);
    assert!(line.starts_with("transire1.VFJBTlNJUkU"), "{line}");
    for end in ["", "\n", "\r\n"] {
        assert_eq!(profile_from_line(&format!("{line}{end}"), REGISTRY).as_ref(), Ok(&profile));
    }
    let marked = format!("\u{feff}{json}");
    for bytes in [json.as_bytes(), line.as_bytes(), marked.as_bytes(), &profile.to_bytes()] {
        assert_eq!(load_profile(bytes, REGISTRY).as_ref(), Ok(&profile));
    }
    assert_eq!(node_to_toml(&profile_to_node(&profile)), toml);
}

#[test]
fn values_alone_for_language_bindings() {
    for definition in dictionary().definitions() {
        let text = format!("a = {}", definition.example);
        let node = node_from_toml(&text).unwrap();
        let node = node.entry("a").unwrap();
        let value = value_from_node(node, definition, "k").unwrap();
        let written = value_to_node(value.value(), Some(definition));
        assert_eq!(value_from_node(&written, definition, "k").as_ref(), Ok(&value), "{}", definition.name);
    }
    let lanes = dictionary().by_name("lanes").unwrap();
    let error = value_from_node(&Node::from(17_u64), lanes, "lanes").unwrap_err();
    assert_eq!(error.to_string(), "bad value lanes: found the integer 17, expected 1 to 16");
    assert_eq!((error.line, error.column), (None, None));
}

#[test]
fn any_node_is_written_and_read_back() {
    let text = "a = 1\nb = -170141183460469231731687303715884105728\nc = [1.5, true, [], {}]\n\
                d = \"\\U0000000a\\U0000202e\\\"\"\n\n[\"e f\"]\ng = { \"\" = [{ h = 1e300 }] }\n\n[z]\n";
    let node = node_from_toml(text).unwrap();
    let (toml, json) = (node_to_toml(&node), node_to_json(&node));
    assert_eq!(toml, text.replace("[], {}", "[], { }").replace("1e300", &format!("{:?}", 1e300)));
    assert_eq!(node_to_json(&node_from_toml(&toml).unwrap()), json);
    assert_eq!(node_to_json(&node_from_json(&json).unwrap()), json);
    assert_eq!(node_to_toml(&Node::array([Node::from("x")])), "[\"x\"]");
}
