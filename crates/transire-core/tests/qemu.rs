//! Real migration streams of QEMU, walked to the last byte and held against what is known of each.

#[path = "qemu/walk.rs"]
mod walk;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;
use transire_core::containers::qemu::assembly::Assembly;
use transire_core::containers::qemu::pci::ConfigSpace;
use transire_core::containers::qemu::{Description, Event, Item, Kind, QemuReader, Ram, Sizing, Tag, reasons};
use transire_core::format::Phase;
use walk::{Walk, at, capture, captures, part, reader_of, say, table, walk, walk_in};

fn index() -> Vec<Value> {
    let Value::Array(entries) = serde_json::from_slice(&capture("qemu/index.json")).unwrap() else { panic!() };
    entries
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What a walk told, in the terms of `index.json`.
fn told(reader: &QemuReader, walk: &Walk, input: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut records: Vec<String> = Vec::new();
    for item in &walk.items {
        match item {
            Item::Section(_) => records.clear(),
            Item::Record(record) => match record.tag {
                Tag::Data => {
                    let data = part(input, record.data, record.length);
                    records.push(format!("DATA {} {}", record.length, hex(&data[..data.len().min(32)])));
                }
                Tag::EndOfState => records.push("EOS".into()),
                Tag::Setup => records.push("SETUP".into()),
                Tag::InitialDataSent => records.push("INIT_DATA_SENT".into()),
                other => panic!("{other:?}"),
            },
            Item::SectionEnd(section) => {
                let handler = &reader.handlers()[at(section.head.handler)];
                let (head, name) = (section.head, String::from_utf8_lossy(&handler.name));
                let mut line = format!("{} {} {} {name} {}", head.offset, head.kind.name(), head.id, section.length);
                if matches!(head.kind, Kind::Start | Kind::Full) {
                    write!(line, " {} {}", handler.instance, head.version).unwrap();
                }
                if handler.device.is_some() && head.kind != Kind::Full {
                    write!(line, " {}", records.join(",")).unwrap();
                }
                lines.push(line);
            }
            Item::Command(command) => {
                let from = at(command.offset) + 5;
                // The index has no more than 24 bytes of a command.
                let data = &input[from..from + usize::from(command.length).min(24)];
                let name = if command.number == 6 { "RAM_DISCARD" } else { command.name };
                lines.push(format!("{} CMD {name} {}", command.offset, hex(data)));
            }
            Item::EndOfSections { offset } => lines.push(format!("{offset} EOF")),
            Item::Description { offset, length } => lines.push(format!("{offset} VMDESC {length}")),
            _ => {}
        }
    }
    lines
}

/// What `index.json` has of the records of a VFIO section.
fn vfio_records(record: &Value) -> Option<String> {
    let records = record.get("vfio_records")?.as_array().unwrap();
    let one = |record: &Value| {
        let parts = record.as_array().unwrap();
        let name = parts[0].as_str().unwrap();
        match (name, &parts[1..]) {
            ("DATA", [length, hex]) => {
                let hex = hex.as_str().unwrap();
                vec![format!("DATA {length} {}", &hex[..hex.len().min(64)])]
            }
            (_, rest) => {
                let rest = rest.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned));
                std::iter::once(name.to_owned()).chain(rest).collect()
            }
        }
    };
    Some(records.iter().flat_map(one).collect::<Vec<_>>().join(","))
}

/// The same of `index.json`, and where packages stand, in which it lists nothing.
fn expected(entry: &Value) -> (Vec<String>, Vec<(u64, u64)>) {
    let (mut lines, mut packages) = (Vec::new(), Vec::new());
    for record in entry["records"].as_array().unwrap() {
        let offset = record["offset"].as_u64().unwrap();
        let line = match text(record, "type") {
            "CMD" => {
                let (name, hex) = (text(record, "command"), text(record, "payload_hex"));
                if name == "PACKAGED" {
                    packages.push((offset + 9, offset + 9 + u64::from_str_radix(hex, 16).unwrap()));
                }
                format!("{offset} CMD {name} {hex}")
            }
            "EOF" => format!("{offset} EOF"),
            "VMDESC" => format!("{offset} VMDESC {}", record["json_len"]),
            kind => {
                let (id, length) = (&record["id"], &record["body_len"]);
                let mut line = format!("{offset} {kind} {id} {} {length}", text(record, "idstr"));
                if matches!(kind, "START" | "FULL") {
                    write!(line, " {} {}", record["instance"], record["version"]).unwrap();
                }
                if kind != "FULL"
                    && let Some(records) = vfio_records(record)
                {
                    write!(line, " {records}").unwrap();
                }
                line
            }
        };
        lines.push(line);
    }
    (lines, packages)
}

/// A sum of RAM in the terms of `index.json`.
fn counts(ram: &Ram) -> BTreeMap<&'static str, u64> {
    let all = [
        ("eos", ram.runs),
        ("idstr", ram.names),
        ("zero", ram.zero_pages),
        ("page", ram.pages),
        ("xbzrle", ram.xbzrle_pages),
        ("xbz_bytes", ram.xbzrle_bytes),
        ("flush", ram.flushes),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn every_section_of_the_captures_is_where_the_index_says() {
    let mut sections = 0;
    for entry in index() {
        let name = text(&entry, "name");
        let input = capture(&format!("qemu/{}", text(&entry["files"][0], "file")));
        let start = entry["start_offset"].as_u64().unwrap();
        let stream = &input[at(start)..];
        for described in [false, true] {
            let mut reader = QemuReader::main().beginning_at(start);
            if described {
                let Some(found) = Description::find(stream) else {
                    assert!(name.ends_with("-postcopy"), "{name}");
                    continue;
                };
                let description = Description::read(&stream[found]).unwrap();
                assert_eq!(description.page_size, Some(4096), "{name}");
                reader = reader.described_by(description);
            }
            let walk = walk(&mut reader, stream);
            assert_eq!(walk.wrong(), [], "{name}");
            assert_eq!(walk.used, stream.len() as u64, "{name}");
            assert_eq!(reader.searched() == 0, described, "{name}");
            let notes: Vec<_> = walk.findings.iter().map(|note| note.id).collect();
            let expected_notes = match name {
                _ if name.ends_with("-postcopy") => vec![reasons::DESCRIPTION_MISSING, reasons::SEARCHED],
                _ if described => vec![],
                _ => vec![reasons::SEARCHED],
            };
            assert_eq!(notes, expected_notes, "{name}");

            let configuration = reader.configuration();
            assert_eq!(configuration.machine, text(&entry, "machine").as_bytes(), "{name}");
            let caps = entry["caps"].as_array().unwrap();
            assert_eq!(configuration.mapped_ram, caps.contains(&Value::from("mapped-ram")), "{name}");
            assert_eq!(configuration.ignore_shared, caps.contains(&Value::from("x-ignore-shared")), "{name}");

            let (mut expected, packages) = expected(&entry);
            let in_package = |line: &String| {
                let offset: u64 = line.split(' ').next().unwrap().parse().unwrap();
                packages.iter().any(|(from, to)| (*from..*to).contains(&offset))
            };
            let mut told = told(&reader, &walk, &input);
            told.retain(|line| !in_package(line));
            expected.retain(|line| !in_package(line));
            assert_eq!(told, expected, "{name}");
            sections += told.len();

            let of_index: BTreeMap<&str, u64> = entry["ram_counts"]
                .as_object()
                .unwrap()
                .iter()
                .filter(|(key, _)| !key.starts_with("vfio") && !key.starts_with("scan"))
                .map(|(key, count)| (key.as_str(), count.as_u64().unwrap()))
                .collect();
            assert_eq!(counts(reader.ram()), of_index, "{name}");
        }
    }
    say(&format!("{sections} sections and commands of {} captures agree", index().len()));
}

#[test]
fn the_description_says_what_the_index_says_of_it() {
    for entry in index() {
        let listed = entry["vmdesc_devices"].as_array().unwrap();
        let stream = capture(&format!("qemu/{}", text(&entry["files"][0], "file")));
        let Some(found) = Description::find(&stream) else {
            assert!(listed.is_empty());
            continue;
        };
        let description = Description::read(&stream[found.clone()]).unwrap();
        let names: Vec<_> = description.devices.iter().map(|known| (known.name.as_str(), known.instance)).collect();
        let of_index: Vec<_> =
            listed.iter().map(|known| (known[0].as_str().unwrap(), known[1].as_u64().unwrap())).collect();
        assert_eq!(names, of_index, "{}", text(&entry, "name"));

        // A file that is padded is found the same way; one that is cut is not.
        let padded = [&stream[..], &[0; 512]].concat();
        assert_eq!(Description::find(&padded), Some(found.clone()));
        assert_eq!(Description::find(&stream[..stream.len() - 1]), None);
        assert_eq!(Description::read(&stream[found.start..found.end - 1]), None);
    }
}

#[test]
fn a_package_of_postcopy_holds_sections_like_any_other() {
    let input = capture("qemu/q100-postcopy.ch0.fwd.bin.xz");
    let mut reader = QemuReader::main();
    let walk = walk(&mut reader, &input);
    let from = walk.items.iter().position(|item| matches!(item, Item::Command(command) if command.package.is_some()));
    let to = walk.items.iter().position(|item| matches!(item, Item::PackageEnd { offset: 862_138 }));
    let package = &walk.items[from.unwrap() + 1..to.unwrap()];
    let full = |item: &&Item| matches!(item, Item::SectionEnd(section) if section.sized == Sizing::Search);
    assert_eq!(package.iter().filter(full).count(), 29);
    let commands: Vec<_> = package
        .iter()
        .filter_map(|item| if let Item::Command(command) = item { Some(command.name) } else { None })
        .collect();
    assert_eq!(commands, ["POSTCOPY_LISTEN", "PING", "POSTCOPY_RUN"]);
    assert!(reader.is_postcopy());
    assert_eq!(reader.searched(), 29);
}

/// The lines of `layout.tsv` for one file, made of its walk.
fn layout(file: &str) -> Vec<String> {
    let input = capture(&format!("qemu-vfio/{file}"));
    let (mut reader, start) = reader_of(file, &input);
    let mut lines: Vec<String> = Vec::new();
    // A record behind another one of its section has none of the section's columns.
    let mut section = String::new();
    let mut next = String::new();
    walk_in(
        &mut reader,
        &input[start..],
        || usize::MAX,
        |reader, event| {
            let mut line = |offset: u64, item: &str, length: &str, columns: &str, note: &str| {
                lines.push(format!("{file}\t{offset}\t{item}\t{length}\t{columns}\t{note}"));
            };
            match event {
                Event::Item(Item::Section(head)) => {
                    let handler = &reader.handlers()[at(head.handler)];
                    let named = matches!(head.kind, Kind::Start | Kind::Full);
                    let name = if named { String::from_utf8_lossy(&handler.name).into_owned() } else { "-".into() };
                    section = format!("{}\t{}\t{name}", head.kind.name(), head.id);
                    next.clone_from(&section);
                }
                Event::Item(Item::Record(record)) => {
                    let columns = std::mem::replace(&mut next, "-\t-\t-".into());
                    let data = part(&input, record.data, record.length);
                    match record.tag {
                        Tag::Data => {
                            line(record.offset, record.tag.name(), &record.length.to_string(), &columns, &hex(data));
                        }
                        Tag::Packet => {
                            let name =
                                String::from_utf8_lossy(&reader.device(record.device).unwrap().name).into_owned();
                            let (index, is_config) = (record.index.unwrap(), u32::from(record.is_config));
                            let note = format!(
                                "instance 0; VFIO packet at {}: version 0 index {index} flags {is_config}, {} bytes of state",
                                record.data - 12,
                                record.length
                            );
                            let item = format!("{} flags 0x40", record.tag.name());
                            let length = (record.length + 12).to_string();
                            line(record.offset, &item, &length, &format!("-\t-\t{name}"), &note);
                        }
                        tag => line(record.offset, tag.name(), "", &columns, ""),
                    }
                }
                Event::Config { index: None, layout, bytes, .. } => {
                    let columns = std::mem::replace(&mut next, "-\t-\t-".into());
                    let note = "PCI configuration and interrupt state of the device, up to END_OF_STATE";
                    line(layout.offset, Tag::Config.name(), &(bytes.len() - 8).to_string(), &columns, note);
                }
                _ => {}
            }
        },
    );
    lines
}

#[test]
fn every_record_of_a_device_is_where_the_layout_says() {
    let text = String::from_utf8(capture("qemu-vfio/layout.tsv")).unwrap();
    let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        expected.entry(line.split('\t').next().unwrap()).or_default().push(line);
    }
    let mut lines = 0;
    for (file, expected) in &expected {
        assert_eq!(&layout(file), expected, "{file}");
        lines += expected.len();
    }
    say(&format!("{lines} records of {} captures agree", expected.len()));
    assert_eq!(lines, text.lines().count() - 1);
}

#[test]
fn every_capture_is_walked_to_its_last_byte() {
    let captures = captures();
    for name in &captures {
        let input = capture(name);
        let (mut reader, start) = reader_of(name, &input);
        let walk = walk(&mut reader, &input[start..]);
        assert_eq!(walk.wrong(), [], "{name}");
        assert_eq!(walk.used, (input.len() - start) as u64, "{name}");
        assert_eq!(reader.offset(), input.len() as u64, "{name}");
    }
    say(&format!("{} captures walked to their last byte", captures.len()));
    assert_eq!(captures.len(), 40);
}

/// The channels of each capture with a VFIO device, and what its devices' streams are, as the kernel had them.
fn migrations() -> Vec<(Vec<String>, Vec<Vec<u8>>)> {
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let all = captures();
    let mut migrations = Vec::new();
    for row in table("qemu-vfio/sources.tsv") {
        let name = &row["capture"];
        let of_this = |file: &&String| {
            let file = file.trim_start_matches("qemu-vfio/");
            file.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.')) && !file.contains("to-source")
        };
        let files: Vec<String> = all.iter().filter(of_this).cloned().collect();
        assert!(!files.is_empty(), "{name}");
        let devices = row["device_state_hex"].split(' ').filter(|device| !device.contains("(destination)"));
        let states: Vec<Vec<u8>> = devices.map(|device| unhex(device.split(':').nth(1).unwrap())).collect();
        migrations.push((files, states));
    }
    migrations
}

#[test]
fn devices_are_put_together_as_the_kernel_had_them() {
    let mut devices = 0;
    for (files, states) in migrations() {
        let inputs: Vec<Vec<u8>> = files.iter().map(|file| capture(file)).collect();
        // Channels may be given in any order.
        for reversed in [false, true] {
            let mut assembly = Assembly::new();
            let mut order: Vec<usize> = (0..inputs.len()).collect();
            if reversed {
                order.reverse();
            }
            for channel in order {
                let (mut reader, start) = reader_of(&files[channel], &inputs[channel]);
                walk_in(
                    &mut reader,
                    &inputs[channel][start..],
                    || 100,
                    |reader, event| {
                        assembly.take(u32::try_from(channel).unwrap(), reader, &event);
                    },
                );
            }
            assert_eq!(assembly.finish(true), [], "{files:?}");
            let mut together: Vec<Vec<u8>> = Vec::new();
            for device in assembly.devices() {
                let piece = |extent: transire_core::containers::qemu::assembly::Extent| {
                    part(&inputs[at(extent.channel)], extent.offset, extent.length)
                };
                let stream: Vec<u8> = device.extents().flat_map(piece).copied().collect();
                assert_eq!(device.length(), stream.len() as u64);
                for (position, byte) in stream.iter().enumerate() {
                    let (channel, offset) = device.locate(position as u64).unwrap();
                    assert_eq!(inputs[at(channel)][at(offset)], *byte);
                }
                assert_eq!(device.locate(stream.len() as u64), None);
                let space = ConfigSpace(&device.config.as_ref().unwrap().space);
                assert_eq!((space.vendor(), space.device(), space.0.len()), (0x4348, 0x3253, 4096));
                together.push(stream);
            }
            assert_eq!(together, states, "{files:?}");
        }
        devices += states.len();
    }
    say(&format!("{devices} devices are put together as the kernel had them"));
    assert_eq!(devices, 9);
}

#[test]
fn phases_follow_the_sections() {
    let input = capture("qemu-vfio/pc-two-devices.stream");
    let mut reader = QemuReader::main();
    let walk = walk(&mut reader, &input);
    let phases: Vec<_> = walk.data.iter().map(|data| (data.device.0, data.phase, data.bytes.len())).collect();
    let expected =
        [(0, Phase::Initial, 24), (1, Phase::Initial, 24), (0, Phase::StopCopy, 36), (1, Phase::StopCopy, 72)];
    assert_eq!(phases, expected);
}

#[test]
fn multifd_channels_are_summed_up() {
    let mut pages = 0;
    for channel in 1..=2 {
        let input = capture(&format!("qemu/q100-multifd.ch{channel}.fwd.bin.xz"));
        let mut reader = QemuReader::multifd();
        let walk = walk(&mut reader, &input);
        let Item::Channel(first) = walk.items[0] else { panic!() };
        assert_eq!(first.uuid, [0; 16]);
        let ram = reader.ram();
        let of_items = walk.items.iter().filter(|item| matches!(item, Item::Packet(_))).count();
        assert_eq!(ram.packets, of_items as u64);
        assert_eq!(ram.packet_bytes, ram.packet_pages * 4096);
        pages += ram.packet_pages + ram.packet_zero_pages;
    }
    // 0x1052000 bytes of RAM, and what was sent again.
    assert!(pages >= 0x1052, "{pages}");
}

#[test]
fn messages_of_the_return_path_are_named() {
    let names = |name: &str| -> Vec<&'static str> {
        let input = capture(name);
        let walk = walk(&mut QemuReader::return_path(), &input);
        walk.items.iter().map(|item| if let Item::Message(message) = item { message.name } else { panic!() }).collect()
    };
    assert_eq!(names("qemu/q100-rp.ch0.rev.bin"), ["SWITCHOVER_ACK", "PONG", "SHUT"]);
    assert_eq!(names("qemu/q100-vfio-ack.ch0.rev.bin"), ["PONG", "SWITCHOVER_ACK", "SHUT"]);
    let postcopy = ["PONG", "PONG", "PONG", "PONG", "REQ_PAGES_ID", "REQ_PAGES", "REQ_PAGES", "SHUT"];
    assert_eq!(names("qemu/q100-postcopy.ch0.rev.bin"), postcopy);
}

#[test]
fn pages_of_mapped_ram_need_not_be_read() {
    let input = capture("qemu/q100-vfio-mapped.bin.xz");
    let mut reader = QemuReader::main();
    let all = walk(&mut reader, &input);
    let mapped = *reader.ram();
    assert_eq!((mapped.mapped_blocks, mapped.bytes, mapped.pages), (6, 0x105_2000, 0));

    let mut reader = QemuReader::main();
    let mut skipping = Walk::default();
    let (mut here, mut read) = (0, 0);
    loop {
        let end = (here + 65_536).min(input.len());
        let step = reader.step(&input[here..end], end == input.len());
        here += step.used;
        read += step.used;
        match step.event {
            Event::Skip(count) => {
                assert_eq!(reader.skip(count + 1), count);
                here += at(count);
                skipping.skips.push(count);
            }
            Event::Need(need) => assert!(need <= 65_536),
            Event::Item(item) => skipping.items.push(item),
            Event::End => break,
            Event::Failed(reason) => panic!("{reason:?}"),
            _ => {}
        }
    }
    assert_eq!(skipping.items, all.items);
    assert_eq!(skipping.skips, all.skips);
    assert_eq!(*reader.ram(), mapped);
    let pages: u64 = skipping.skips.iter().sum();
    assert_eq!((pages, read as u64), (0x105_2000, input.len() as u64 - pages));
}

#[test]
fn bits_of_the_bitmap_are_the_pages_that_are_not_zero() {
    let input = capture("qemu/q100-mapped-ram.bin.xz");
    let mut reader = QemuReader::main();
    let walk = walk(&mut reader, &input);
    let mut pages = 0;
    for item in &walk.items {
        if let Item::Block(block) = item {
            let region = block.region.unwrap();
            let contents = &input[at(region.pages_offset)..][..at(block.length)];
            pages += contents.chunks(4096).filter(|page| page.iter().any(|&byte| byte != 0)).count() as u64;
        }
    }
    assert_eq!(reader.ram().mapped_pages, pages);
}
