//! Real migration streams of QEMU, walked to the last byte and held against what is known of each.

#[path = "qemu/walk.rs"]
mod walk;

use serde_json::Value;
use transire_core::containers::qemu::{Description, Item, Kind, QemuReader, Sizing, Tag};
use walk::{Walk, capture, walk};

fn index() -> Vec<Value> {
    let Value::Array(entries) = serde_json::from_slice(&capture("qemu/index.json")).unwrap() else { panic!() };
    entries
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}"))
}

/// What a walk told, in the terms of `index.json`.
fn records(reader: &QemuReader, walk: &Walk, input: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for item in &walk.items {
        match item {
            Item::SectionEnd(section) => {
                let handler = &reader.handlers()[section.head.handler as usize];
                let name = String::from_utf8_lossy(&handler.name);
                let head = section.head;
                lines.push(format!("{} {} {} {name} {}", head.offset, head.kind.name(), head.id, section.length));
            }
            Item::Command(command) => {
                let from = command.offset as usize + 5;
                let data = &input[from..from + usize::from(command.length)];
                let hex: String = data.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
                let name = if command.number == 6 { "RAM_DISCARD" } else { command.name };
                lines.push(format!("{} CMD {name} {hex}", command.offset));
            }
            Item::EndOfSections { offset } => lines.push(format!("{offset} EOF")),
            Item::Description { offset, length } => lines.push(format!("{offset} VMDESC {length}")),
            _ => {}
        }
    }
    lines
}

/// The same of `index.json`; the ranges of packages, in which it lists nothing, besides.
fn expected(entry: &Value) -> (Vec<String>, Vec<(u64, u64)>) {
    let mut lines = Vec::new();
    let mut packages = Vec::new();
    for record in entry["records"].as_array().unwrap() {
        let offset = record["offset"].as_u64().unwrap();
        match text(record, "type") {
            "CMD" => {
                let (name, hex) = (text(record, "command"), text(record, "payload_hex"));
                if name == "PACKAGED" {
                    let length = u64::from_str_radix(hex, 16).unwrap();
                    packages.push((offset + 9, offset + 9 + length));
                }
                lines.push(format!("{offset} CMD {name} {hex}"));
            }
            "EOF" => lines.push(format!("{offset} EOF")),
            "VMDESC" => lines.push(format!("{offset} VMDESC {}", record["len"].as_u64().or(record["body_len"].as_u64()).unwrap_or(0))),
            kind => {
                let (id, length) = (record["id"].as_u64().unwrap(), record["body_len"].as_u64().unwrap());
                lines.push(format!("{offset} {kind} {id} {} {length}", text(record, "idstr")));
            }
        }
    }
    (lines, packages)
}

#[test]
fn every_section_of_the_captures_is_where_the_index_says() {
    for entry in index() {
        let name = text(&entry, "name");
        let file = text(&entry["files"][0], "file");
        let input = capture(&format!("qemu/{file}"));
        let start = entry["start_offset"].as_u64().unwrap();
        let stream = &input[start as usize..];
        for described in [false, true] {
            let mut reader = QemuReader::main().beginning_at(start);
            if described {
                let Some(found) = Description::find(stream) else { continue };
                let description = Description::read(&stream[found]).unwrap();
                assert_eq!(description.page_size, Some(4096), "{name}");
                reader = reader.described_by(description);
            }
            let walk = walk(&mut reader, stream);
            assert_eq!(walk.wrong(), [], "{name}");
            assert_eq!(walk.used, stream.len() as u64, "{name}");
            assert_eq!(reader.configuration().machine, text(&entry, "machine").as_bytes(), "{name}");

            let (mut expected, packages) = expected(&entry);
            let in_package = |line: &String| {
                let offset: u64 = line.split(' ').next().unwrap().parse().unwrap();
                packages.iter().any(|(from, to)| (*from..*to).contains(&offset))
            };
            let mut told = records(&reader, &walk, &input);
            told.retain(|line| !in_package(line));
            expected.retain(|line| !in_package(line));
            for line in &mut expected {
                if line.contains("VMDESC") {
                    *line = told.iter().find(|told| told.contains("VMDESC")).unwrap().clone();
                }
            }
            assert_eq!(told, expected, "{name}");
        }
    }
}
