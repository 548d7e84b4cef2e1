//! Malformed profiles: kind, key, line, column and words.

use std::collections::BTreeSet;

use transire_core::verdict::reasons;
use transire_text::{
    DEPTH_MAX, ErrorKind, Key, Node, NodeValue, Syntax, TEXT_FILE_MAX, TextError, load_profile, load_target,
    profile_from_line, profile_to_line, read_profile, sniff,
};

use crate::toy::REGISTRY;

fn error(text: &str) -> TextError {
    load_profile(text.as_bytes(), REGISTRY).expect_err(text)
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_wrong_and_where() {
    let attributes = |line: &str| format!("vendor = \"toy\"\n[attributes]\n{line}\n");
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "line 1, column 1: missing key vendor"),
        ("vendor = 1".into(), "line 1, column 10: wrong type vendor: found the integer 1, expected a text"),
        ("vendor = \"\"".into(), "line 1, column 10: bad value vendor: the text is empty"),
        ("\nvendor = \"tyo\"".into(), "line 2, column 10: unknown vendor \"tyo\"; nearest is toy, known are toy, mtty"),
        ("vendor = \"nobody\"".into(), "line 1, column 10: unknown vendor \"nobody\"; known are toy, mtty"),
        ("vendr = 1".into(), "line 1, column 1: unknown key vendr; nearest is vendor"),
        ("colour = 1".into(), "line 1, column 1: unknown key colour; known are schema, vendor, attributes"),
        (
            "vendor = \"toy\"\n[accepts.pci_id]".into(),
            "line 2, column 2: unknown key accepts; a target has it, a profile has not",
        ),
        (
            "schema = 2\nvendor = \"toy\"".into(),
            "line 1, column 10: bad value schema: found the integer 2, expected 1, the only one known here",
        ),
        ("vendor = \"toy\"\nvendor = \"toy\"".into(), "line 2, column 1: duplicate key vendor"),
        (
            "vendor = \"toy\"\nattributes = 3".into(),
            "line 2, column 14: wrong type attributes: found the integer 3, expected a table",
        ),
        (attributes("vendor = \"toy\""), "line 3, column 1: unknown key attributes.vendor; vendor stands at the top"),
        (attributes("lnaes = 1"), "line 3, column 1: unknown key attributes.lnaes; nearest is lanes"),
        (
            attributes("digest = 1"),
            "line 3, column 1: unknown key attributes.digest; it describes a stream, not a device",
        ),
        (
            attributes("flag = 1"),
            "line 3, column 8: wrong type attributes.flag: found the integer 1, expected true or false",
        ),
        (
            attributes("count = -1"),
            "line 3, column 9: bad value attributes.count: found the integer -1, expected a number: an integer, or \
             \"0x\" and at most 16 hex digits",
        ),
        (
            attributes("count = 1.5"),
            "line 3, column 9: wrong type attributes.count: found the float 1.5, expected a number: an integer, or \
             \"0x\" and at most 16 hex digits",
        ),
        (
            attributes("  lanes = 17"),
            "line 3, column 11: bad value attributes.lanes: found the integer 17, expected 1 to 16",
        ),
        (
            attributes("aggregation = 0"),
            "line 3, column 15: bad value attributes.aggregation: found the integer 0, expected at least 1",
        ),
        (
            attributes("label = \"a\\u200bb\""),
            "line 3, column 9: bad value attributes.label: the text holds the invisible character U+200B",
        ),
        (
            attributes(&format!("label = \"{}\"", "é".repeat(513))),
            "line 3, column 9: bad value attributes.label: the text has 1026 bytes, expected at most 1024",
        ),
        (
            attributes("blob = \"0g\""),
            "line 3, column 8: bad value attributes.blob: found the text \"0g\", expected two hex digits for each byte",
        ),
        (
            attributes("blob = \"\""),
            "line 3, column 8: bad value attributes.blob: found the text \"\", expected two hex digits for each byte",
        ),
        (
            attributes(&format!("blob = \"{}\"", "00".repeat(4097))),
            "line 3, column 8: bad value attributes.blob: 4097 bytes, expected at most 4096",
        ),
        (
            attributes("key = \"00\""),
            "line 3, column 7: bad value attributes.key: found the text \"00\", expected exactly 2 bytes",
        ),
        (
            attributes("window = [2, 1]"),
            "line 3, column 10: bad value attributes.window: 2 is above 1, expected the lower number first",
        ),
        (
            attributes("window = [2, 'x']"),
            "line 3, column 14: bad value attributes.window[1]: found the text \"x\", expected a number: an integer, \
             or \"0x\" and at most 16 hex digits",
        ),
        (
            attributes("window = [1, 2, 3]"),
            "line 3, column 10: bad value attributes.window: found an array of 3, expected a range: two numbers, the \
             lower one first",
        ),
        (
            attributes(&format!("features = \"0x{}\"", "f".repeat(65))),
            "line 3, column 12: bad value attributes.features: found the text \
             \"0xffffffffffffffffffffffffffffffffffffffffffffff…\", expected a mask: an integer, or \"0x\" and at \
             most 64 hex digits",
        ),
        (
            attributes("any_set = [\"8086:4941\"]"),
            "line 3, column 11: bad value attributes.any_set: the type of the members is not clear, expected \
             { members = \"text\", values = [...] }",
        ),
        (
            attributes("any_set = { members = \"mask\", values = [1] }"),
            "line 3, column 23: bad value attributes.any_set.members: found the text \"mask\", expected uint, text or \
             pci_id",
        ),
        (attributes("any_set = { members = \"uint\" }"), "line 3, column 11: missing key attributes.any_set.values"),
        (attributes("sizes = []"), "line 3, column 9: bad value attributes.sizes: 0 members, expected 1 to 256"),
        (
            attributes("sizes = [1,\n  1]"),
            "line 4, column 3: bad value attributes.sizes[1]: found the integer 1, expected every member once",
        ),
        (
            attributes("sizes = { members = \"text\", values = ['a'] }"),
            "line 3, column 9: bad value attributes.sizes: found a table, expected members of type uint",
        ),
        (
            attributes("share = \"2/4\""),
            "line 3, column 9: bad value attributes.share: found the text \"2/4\", expected a fraction of decimal \
             numbers below 2^32 in lowest terms, as in \"1/2\"",
        ),
        (
            attributes("parent = \"8086-4941\""),
            "line 3, column 10: bad value attributes.parent: found the text \"8086-4941\", expected PCI vendor and \
             device id, 4 hex digits each, as in \"8086:4941\"",
        ),
        (attributes("notes = {}"), "line 3, column 9: bad value attributes.notes: 0 pairs, expected 1 to 256"),
        (
            attributes("notes = { a = 1 }"),
            "line 3, column 15: wrong type attributes.notes.a: found the integer 1, expected a text",
        ),
        (
            attributes("notes = { \"\" = \"x\" }"),
            "line 3, column 11: bad value attributes.notes.\"\": \"\" is no text that can be shown, of 1 to 1024 bytes",
        ),
        (
            attributes("0x0004 = { type = \"uint\", value = 1 }"),
            "line 3, column 1: unknown key attributes.0x0004; the attribute has the name pci_id",
        ),
        (
            attributes("0x80e1 = { type = \"uint\", value = 1 }"),
            "line 3, column 1: unknown key attributes.0x80e1; it describes a stream, not a device",
        ),
        (
            attributes("0x00f0 = { type = \"uint\", value = 1 }"),
            "line 3, column 1: bad value attributes.0x00f0: numbers from 0x00e0 to 0x00ff describe a stream, not a \
             device",
        ),
        (
            attributes("0x8000 = { type = \"uint\", value = 1 }"),
            "line 3, column 1: bad value attributes.0x8000: the number 0 is no attribute's",
        ),
        (attributes("0x70 = 1"), "line 3, column 1: bad value attributes.0x70: the id has no four hex digits"),
        (
            attributes("0x7001 = 1"),
            "line 3, column 10: wrong type attributes.0x7001: found the integer 1, expected a table",
        ),
        (
            attributes("0x7001 = { type = \"uin\", value = 1 }"),
            "line 3, column 19: bad value attributes.0x7001.type: found the text \"uin\", expected the name of a type; \
             nearest is uint",
        ),
        (
            attributes("0x7001 = { type = 2, bytes = \"00\" }"),
            "line 3, column 19: bad value attributes.0x7001.type: found the integer 2, expected the code of a type \
             that has no name here: 0, or 13 to 255",
        ),
        (
            attributes("0x7001 = { type = 200, bytes = \"\", value = 1 }"),
            "line 3, column 36: bad value attributes.0x7001.value: it does not go with the code of a type",
        ),
        (attributes("0x7001 = { type = \"uint\" }"), "line 3, column 10: missing key attributes.0x7001.value"),
        (
            attributes("0x7001 = { type = \"unknown\" }\n0x7001 = { type = \"unknown\" }"),
            "line 4, column 1: duplicate key 0x7001",
        ),
        (
            attributes("0x7a01 = { type = \"unknown\" }\n0x7A01 = { type = \"unknown\" }"),
            "line 4, column 1: duplicate key attributes.0x7A01",
        ),
        (
            attributes("0xf001 = { type = \"unknown\" }"),
            "line 3, column 1: bad value attributes.0xf001: the attribute must be understood and is not known here",
        ),
        (
            attributes("label = 2026-01-01"),
            "line 3, column 9: wrong type attributes.label: found a date without quotes, expected a text: write \
             \"2027-01-31\"",
        ),
        (
            attributes("label = \"ä\" x"),
            "line 3, column 13: malformed syntax: toml: unexpected key or value, expected newline, `#`",
        ),
        ("{\n  \"vendor\": \"toy\",\n}".into(), "line 3, column 1: malformed syntax: json: key must be a string"),
        (
            "{\"vendor\": \"toy\", \"attributes\": {\n  \"sizes\": [1],\n  \"s\\u0069zes\": [1]}}".into(),
            "line 3, column 3: duplicate key attributes.sizes",
        ),
        (
            "{\"vendor\": \"toy\", \"attributes\": {\n  \"größe\": 1}}".into(),
            "line 2, column 3: unknown key attributes.\"größe\"; known are device_api, pci_id, subsystem_id, revision, \
             driver, driver_version, mdev_type, aggregation, capacity, software_version, driver_build, observed_at, \
             flag, count, lanes, label, blob, key, firmware, window, features, any_set, sizes, names, peers, share, \
             parent, notes",
        ),
        (
            "{\"vendor\": \"toy\", \"attributes\": {\n  \"label\": \"é\", \"flag\": null}}".into(),
            "line 2, column 25: wrong type attributes.flag: found null, expected a value: leave the key out",
        ),
        (
            "{\"vendor\": \"toy\", \"attributes\": {\n  \"label\": \"\\udc00\"}}".into(),
            "line 2, column 18: malformed syntax: json: lone leading surrogate in hex escape",
        ),
    ];
    let mut failed = 0;
    for (text, expected) in &cases {
        let found = error(text).to_string();
        if found != *expected {
            failed += 1;
            eprintln!("{text}\n  found    {found}\n  expected {expected}");
        }
    }
    assert_eq!(failed, 0);
}

#[test]
fn versions_that_are_none() {
    for version in ["", "1.2.3.4", "01", "1.", ".1", "1.-2", "1.+2", "4294967296", "1.2.3-rc1", " 1", "1. 2", "v1"] {
        let found = error(&format!("vendor = \"toy\"\n[attributes]\nfirmware = \"{version}\""));
        assert_eq!((found.kind, found.line, found.column), (ErrorKind::BadValue, Some(3), Some(12)), "{version}");
        assert_eq!(found.key, "attributes.firmware");
    }
}

#[test]
fn hostile_nesting_and_length_are_refused() {
    let deep = 100_000;
    for text in [
        "[".repeat(deep),
        format!("{{\"a\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        format!("{}1{}", "{\"a\":".repeat(deep), "}".repeat(deep)),
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        format!("a = {}", "{a=".repeat(deep)),
    ] {
        let kind = error(&text).kind;
        assert!(matches!(kind, ErrorKind::Limit | ErrorKind::Syntax), "{kind}");
    }
    let nested = |depth: usize| format!("{{\"a\": {}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(error(&nested(DEPTH_MAX)).kind, ErrorKind::UnknownKey);
    assert_eq!(error(&nested(DEPTH_MAX + 1)).kind, ErrorKind::Limit);
    assert_eq!(error(&nested(DEPTH_MAX + 1)[1..].replace("\"a\":", "a =").replace('}', "")).kind, ErrorKind::Limit);

    let long = error(&" ".repeat(TEXT_FILE_MAX + 1));
    assert_eq!((long.kind, long.offset), (ErrorKind::Limit, Some(1 << 20)));
    assert_eq!(long.to_string(), "offset 1048576: limit exceeded: 1048577 bytes, expected at most 1048576");
    assert_eq!(error(&" ".repeat(TEXT_FILE_MAX)).kind, ErrorKind::MissingKey);
}

#[test]
fn bytes_that_are_no_text() {
    let found = load_profile(b"vendor = \"\xc3\xa4\"\n \xff", REGISTRY).unwrap_err();
    assert_eq!((found.kind, found.offset), (ErrorKind::Encoding, Some(15)));
    assert_eq!(found.to_string(), "line 2, column 2: malformed text: the bytes at offset 15 are no UTF-8");
    assert_eq!(load_target(b"{\"\xff", REGISTRY).unwrap_err().offset, Some(2));
}

#[test]
fn attributes_that_are_too_long_together() {
    let blob = "00".repeat(4096);
    let row = |number| format!("0x70{number:02x} = {{ type = \"bytes\", value = \"{blob}\" }}\n");
    let rows = (0..16).map(row).collect::<Vec<_>>().concat();
    let found = error(&format!("vendor = \"toy\"\n[attributes]\n{rows}"));
    assert_eq!(found.kind, ErrorKind::Profile);
    assert_eq!(found.reason.as_ref().unwrap().id, reasons::PROLOGUE_HEADER_LEN);
    assert_eq!(
        found.to_string(),
        "line 2, column 2: malformed profile attributes: they come to more than 65,536 bytes (prologue.header-len)"
    );
}

#[test]
fn lines_that_are_malformed() {
    let profile = load_profile(b"vendor = \"toy\"\n[attributes]\nflag = true", REGISTRY).unwrap();
    let line = profile_to_line(&profile);
    let found = |line: &str| profile_from_line(line, REGISTRY).expect_err(line);
    let mut trailing = line.clone();
    assert_eq!(trailing.len() % 4, (10 + 52 * 4 / 3 + 1) % 4, "the last character has unused bits");
    trailing.pop();
    trailing.push('B');
    let inside = format!("{} {}", &line[..20], &line[20..]);
    let length = line.len();
    for (text, offset, detail) in [
        ("transire2.AAAA", 8, "a profile in one line begins with transire1."),
        ("", 0, "a profile in one line begins with transire1."),
        ("transire", 8, "a profile in one line begins with transire1."),
        (&format!(" {line}"), 0, "a profile in one line begins with transire1."),
        (&inside, 20, "whitespace inside"),
        (&format!("{line}\n\n"), length, "whitespace inside"),
        (&format!("{line} "), length, "whitespace inside"),
        (&format!("{line}="), length, "padding, which this form has not"),
        (&line.replace("VFJB", "VF+B"), 12, "a character that is not base64url: letters, digits, - and _"),
        (&line.replace("VFJB", "VFäB"), 12, "a character that is not base64url: letters, digits, - and _"),
        ("transire1.A", 11, "a length that no bytes have: a character is missing or too many"),
        (&trailing, length - 1, "bits that are not used are not zero"),
    ] {
        let error = found(text);
        assert_eq!(error.kind, ErrorKind::Line, "{text}");
        assert_eq!(error.to_string(), format!("offset {offset}: malformed line: {detail}"), "{text}");
    }
    let long = found(&format!("transire1.{}", "A".repeat(100_000)));
    assert_eq!(long.kind, ErrorKind::Limit);

    for (text, id, offset) in [
        ("transire1.", reasons::MAGIC_TRUNCATED, 0),
        ("transire1.AAAA", reasons::MAGIC_UNRECOGNIZED, 0),
        (&line[..line.len() - 4], reasons::HEADER_TRUNCATED, 49),
    ] {
        let error = found(text);
        assert_eq!((error.kind, error.offset), (ErrorKind::Profile, Some(offset)), "{text}");
        assert_eq!(error.reason.unwrap().id, id);
    }
    let mtty = transire_core::vendors::VENDORS;
    let error = profile_from_line(&line, mtty).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownVendor);
    assert_eq!(error.reason.as_ref().unwrap().id, reasons::VENDOR_UNRECOGNIZED);
    assert!(error.to_string().starts_with("offset 40: unknown vendor \"toy\"; known are mtty"), "{error}");
}

#[test]
fn forms_are_told_by_their_beginning() {
    for (bytes, expected) in [
        (&b"TRANSIRE\0"[..], Syntax::Canonical),
        (b"transire1.abc", Syntax::Line),
        (b"\n transire9.abc", Syntax::Line),
        (b"transire = 1", Syntax::Toml),
        (b" \r\n\t{", Syntax::Json),
        (b"\xef\xbb\xbf{", Syntax::Json),
        (b"", Syntax::Toml),
        (b"vendor = \"toy\"", Syntax::Toml),
        (b"\xff", Syntax::Toml),
    ] {
        assert_eq!(sniff(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn nodes_of_a_binding_have_no_place() {
    let twice = [("vendor", Node::from("toy")), ("vendor", Node::from("toy"))];
    assert_eq!(read_profile(&Node::table(twice), REGISTRY).unwrap_err().to_string(), "duplicate key vendor");
    let flags = Node::table([("flag", Node::from(true)), ("flag", Node::from(true))]);
    let node = Node::table([("vendor", Node::from("toy")), ("attributes", flags)]);
    assert_eq!(read_profile(&node, REGISTRY).unwrap_err().to_string(), "duplicate key attributes.flag");
    let node = Node::new(NodeValue::Table(vec![(Key::from("vendor"), Node::from(1_i128))]));
    let found = read_profile(&node, REGISTRY).unwrap_err();
    assert_eq!(found.to_string(), "wrong type vendor: found the integer 1, expected a text");
    assert_eq!(read_profile(&Node::array([]), REGISTRY).unwrap_err().kind, ErrorKind::WrongType);
}

#[test]
fn every_kind_can_happen() {
    let long = "x".repeat(TEXT_FILE_MAX + 1);
    let texts = [
        long.as_str(),
        "=",
        "transire1.*",
        "vendor = \"x\"",
        "x = 1",
        "x = 1\nx = 1",
        "",
        "vendor = 1",
        "vendor = \"\"",
        "transire1.AAAA",
    ];
    let mut kinds: BTreeSet<&str> = texts.iter().map(|text| error(text).kind.id()).collect();
    kinds.insert(load_profile(b"\xff", REGISTRY).unwrap_err().kind.id());
    let both = b"vendor = \"toy\"\nattributes = { flag = true, lanes = 9 }";
    kinds.insert(load_target(both, REGISTRY).unwrap_err().kind.id());
    assert_eq!(kinds.len(), ErrorKind::ALL.len());
}
