//! Migration streams in shapes that were not captured, good and bad: each fault is named with its place.

#[path = "qemu/made.rs"]
mod made;
#[path = "qemu/oracle.rs"]
mod oracle;
#[path = "qemu/walk.rs"]
mod walk;

use made::{CONFIG, END, LOAD_READY, Made, SENT, VFIO, channel, config, data, setup, space};
use transire_core::containers::qemu::assembly::{Assembly, EXTENTS_MAX};
use transire_core::containers::qemu::pci::{ConfigSpace, Place, skips_vendor_specific};
use transire_core::containers::qemu::{
    Description, Event, Item, QemuReader, Sizing, Tag, likeness, multifd_likeness, reasons,
};
use transire_core::format::Likeness;
use transire_core::verdict::{Outcome, Reason};
use walk::{Walk, walk_in};

/// Walks a stream whole and in small pieces, which must tell the same, and puts its devices together.
fn read(reader: &QemuReader, input: &[u8]) -> (Walk, Assembly) {
    let mut assembly = Assembly::new();
    let walk = walk_in(&mut reader.clone(), input, || usize::MAX, |reader, event| assembly.take(0, reader, &event));
    for cut in [1, 5, 333] {
        assert_eq!(walk_in(&mut reader.clone(), input, || cut, |_, _| {}), walk);
    }
    assembly.finish(walk.failed.is_none());
    (walk, assembly)
}

/// Ids and offsets of all that is said of a stream, notes included.
fn said(input: &[u8]) -> Vec<(&'static str, u64)> {
    let (walk, assembly) = read(&QemuReader::main(), input);
    let of_walk = walk.findings.into_iter().chain(walk.failed);
    let of_devices = assembly.findings().iter().map(|finding| finding.reason);
    let place = |reason: Reason| (reason.id.text(), reason.offset().unwrap_or(u64::MAX));
    of_walk.chain(of_devices).map(place).collect()
}

fn ids(input: &[u8]) -> Vec<&'static str> {
    said(input).into_iter().map(|(id, _)| id).collect()
}

/// What is said of a good stream without a description.
const GOOD: [&str; 1] = ["qemu.description-missing"];

#[test]
fn a_made_stream_is_good() {
    assert_eq!(ids(&Made::new(&[]).ram(4).device().end().0), GOOD);
    // A stream of a machine type before 2.4 has no configuration section.
    let old = Made::default().bytes(b"QEVM").u32(3).ram(4).device().end();
    assert_eq!(ids(&old.0), GOOD);
}

#[test]
fn a_full_section_of_ram_is_read_as_what_it_is_and_named() {
    // QEMU loads it by its name, like a PART. A search would take the footer and the end inside the page for its own.
    let inside = Made::default().footer(1).end().0;
    let page = [&inside[..], &[7; 4090]].concat();
    let before = Made::new(&[]).ram(4);
    let at = u64::try_from(before.0.len()).unwrap();
    let full = before.head(4, 1, "ram", 4).u64(0x08).text("pc.ram").bytes(&page).u64(0x10).footer(1);
    let input = full.device().end().0;
    assert_eq!(said(&input)[0], ("qemu.section-order", at));
    assert_eq!(ids(&input)[1..], GOOD);
}

#[test]
fn records_of_ram_are_read_in_all_their_kinds() {
    let compressed = Made::default().u64(0x1000 | 0x100 | 0x20).u32(5).bytes(b"zlib.").0;
    let part = Made::default()
        .u64(0x08)
        .text("pc.ram")
        .bytes(&[7; 4096])
        .u64(0x1000 | 0x22)
        .u8(0)
        .u64(0x2000 | 0x60)
        .u8(1)
        .u16(3)
        .bytes(&[1, 2, 3])
        .bytes(&compressed)
        .u64(0x200)
        .u64(0x80)
        .u64(0x10);
    let input = Made::new(&[]).ram(4).u8(2).u32(1).bytes(&part.0).footer(1).ram_end().end();
    let mut reader = QemuReader::main();
    let walk = walk::walk(&mut reader, &input.0);
    assert_eq!(walk.wrong(), []);
    let ram = reader.ram();
    assert_eq!((ram.pages, ram.zero_pages, ram.xbzrle_pages, ram.xbzrle_bytes), (1, 1, 1, 3));
    assert_eq!((ram.compressed_pages, ram.compressed_bytes, ram.flushes, ram.names, ram.runs), (1, 5, 1, 1, 3));
}

#[test]
fn faults_of_ram_are_named() {
    let part = |record: Made| {
        let input = Made::new(&[]).ram(4).u8(2).u32(1);
        let at = input.0.len() as u64;
        let all = said(&input.bytes(&record.0).u64(0x10).footer(1).ram_end().end().0);
        (all[0].0, all[0].1 - at)
    };
    let page = |flags: u64| Made::default().u64(flags);
    assert_eq!(part(page(0x01)), ("qemu.ram-flags", 0));
    assert_eq!(part(page(0x0a)), ("qemu.ram-flags", 0));
    assert_eq!(part(page(0x28).bytes(&[0; 4096])), ("qemu.ram-block", 0));
    assert_eq!(part(page(0x08).text("pc.rom").bytes(&[0; 4096])), ("qemu.ram-block", 8));
    assert_eq!(part(page(0x4008).text("pc.ram").bytes(&[0; 4096])), ("qemu.ram-offset", 0));
    assert_eq!(part(page(0x02).text("pc.ram").u8(1)), ("qemu.ram-length", 15));
    assert_eq!(part(page(0x40).text("pc.ram").u8(2).u16(0)), ("qemu.ram-length", 15));
    assert_eq!(part(page(0x40).text("pc.ram").u8(1).u16(4097)), ("qemu.ram-length", 16));
    assert_eq!(part(page(0x100).text("pc.ram").u32(9000)), ("qemu.ram-length", 15));
    // Behind records that go on in the same block, which are counted in a loop of their own.
    let behind = || page(0x02).text("pc.ram").u8(0).u64(0x1022).u8(0).u64(0x1028).bytes(&[0; 4096]);
    let plain = behind().0.len() as u64;
    assert_eq!(part(behind().u64(0x2022).u8(1)), ("qemu.ram-length", plain + 8));
    assert_eq!(part(behind().u64(0x4022).u8(0)), ("qemu.ram-offset", plain));
    assert_eq!(part(behind().u64(0x4028).bytes(&[0; 4096])), ("qemu.ram-offset", plain));
    assert_eq!(part(behind().u64(0x202a).u8(0)), ("qemu.ram-flags", plain));

    let blocks = |list: Made| {
        let input = Made::new(&[]).head(1, 1, "ram", 4);
        let at = input.0.len() as u64;
        let all = said(&input.bytes(&list.0).bytes(&[0; 64]).0);
        (all[0].0, all[0].1 - at)
    };
    assert_eq!(blocks(page(0x2004).text("a").u64(0x3000)), ("qemu.ram-blocks", 8));
    assert_eq!(blocks(page(0x2004).text("a").u64(0x1000).text("a").u64(0x1000)), ("qemu.ram-blocks", 18));
    assert_eq!(blocks(page(0x2004).text("").u64(0x2000)), ("qemu.ram-blocks", 8));
}

#[test]
fn huge_pages_and_addresses_of_blocks_are_told_by_rule() {
    let huge = 0x20_0000_u64;
    let advise = Made::default().u64(0x20_1000).u64(0x1000).0;
    let shared = ("configuration/capabilities", Made::default().u32(1).text("x-ignore-shared").0);
    for (parts, address) in [(vec![], None), (vec![shared], Some(0x4000_0000_u64))] {
        for huge_first in [false, true] {
            let block = |made: Made, name: &str, is_huge: bool| {
                let made = made.text(name).u64(huge);
                let made = if is_huge { made.u64(huge) } else { made };
                address.map_or(made.clone(), |address| made.u64(address))
            };
            let made = Made::new(&parts).command(3, &advise).head(1, 1, "ram", 4).u64((2 * huge) | 4);
            let made = block(block(made, "one", huge_first), "two", !huge_first);
            let input = made.u64(0x10).footer(1).ram_end().end();
            let mut reader = QemuReader::main();
            let walk = walk::walk(&mut reader, &input.0);
            assert_eq!(walk.wrong(), [], "{address:?} {huge_first}");
            let blocks: Vec<_> = walk
                .items
                .iter()
                .filter_map(|item| if let Item::Block(block) = item { Some(block) } else { None })
                .map(|block| (block.page_size, block.guest_address))
                .collect();
            let of = |is_huge: bool| (is_huge.then_some(huge), address);
            assert_eq!(blocks, [of(huge_first), of(!huge_first)]);
        }
    }
}

#[test]
fn pages_of_other_sizes_are_told_by_the_configuration() {
    let bits = ("configuration/target-page-bits", Made::default().u32(16).0);
    let ram = Made::new(&[bits]).head(1, 1, "ram", 4).u64(0x2_0000 | 4).text("mem").u64(0x2_0000).u64(0x10).footer(1);
    let input = ram.u8(2).u32(1).u64(0x1_0000 | 8).text("mem").bytes(&vec![0; 0x1_0000]).u64(0x10).footer(1).ram_end();
    let mut reader = QemuReader::main();
    let walk = walk::walk(&mut reader, &input.end().0);
    assert_eq!((walk.wrong(), reader.ram().pages), (vec![], 1));
    assert_eq!(reader.configuration().page_bits, Some(16));
}

#[test]
fn mapped_ram_that_points_elsewhere_is_refused() {
    let caps = ("configuration/capabilities", Made::default().u32(1).text("mapped-ram").0);
    let head = Made::new(&[caps]).head(1, 1, "ram", 4).u64(0x2000 | 4).text("pc.ram").u64(0x2000);
    let here = head.0.len() as u64 + 28;
    let region = |version, page: u64, bitmap: u64, pages: u64| {
        let made = head.clone().u32(version).u64(page).u64(bitmap).u64(pages);
        let fill = usize::try_from(pages.saturating_add(0x2000)).unwrap().min(1 << 20).saturating_sub(made.0.len());
        let made = made.bytes(&vec![0; fill]);
        let all = said(&made.u64(0x10).footer(1).ram_end().end().0);
        all.into_iter().find(|(id, _)| *id != GOOD[0]).map(|(id, at)| (id, at - head.0.len() as u64))
    };
    assert_eq!(region(1, 4096, here, 0x1000), None);
    assert_eq!(region(1, 4096, here + 100, 0x1000), None);
    assert_eq!(region(2, 4096, here, 0x1000), Some(("qemu.mapped-ram", 0)));
    assert_eq!(region(1, 0, here, 0x1000), Some(("qemu.mapped-ram", 4)));
    assert_eq!(region(1, 5000, here, 0x1000), Some(("qemu.mapped-ram", 4)));
    assert_eq!(region(1, 4096, here - 1, 0x1000), Some(("qemu.mapped-ram", 12)));
    assert_eq!(region(1, 4096, here, 0x1001), Some(("qemu.mapped-ram", 20)));
    assert_eq!(region(1, 4096, 0xffd, 0x1000), Some(("qemu.mapped-ram", 20)));
    assert_eq!(region(1, 4096, here, u64::MAX - 0xfff), Some(("qemu.mapped-ram", 20)));
}

#[test]
fn what_qemu_does_not_check_is_refused() {
    let begun = || Made::new(&[]).ram(4);
    let full = config(256, 0);
    // A second START.
    let twice = begun().vfio(1, &setup()).vfio(1, &setup()).vfio(2, &data(&[1; 24])).ram_end();
    let twice = twice.vfio(3, &data(&[2; 36])).vfio(4, &full).end();
    assert_eq!(ids(&twice.0), ["qemu.section-order", GOOD[0], "qemu.device-order"]);
    // A START behind a PART.
    let late = begun().u8(2).u32(1).u64(0x10).footer(1).device().end();
    assert_eq!(ids(&late.0), ["qemu.section-order", GOOD[0]]);
    // A section behind its end.
    let again = begun().device().vfio(2, &data(&[3; 4])).end();
    assert_eq!(ids(&again.0), ["qemu.section-order", GOOD[0], "qemu.device-order"]);
    // The configuration before the data.
    let swapped = begun().vfio(1, &setup()).vfio(2, &data(&[1; 24])).ram_end();
    let swapped = swapped.vfio(4, &full).vfio(3, &data(&[2; 36])).end();
    let expected = ["qemu.section-order", GOOD[0], "qemu.device-order", "qemu.device-order"];
    assert_eq!(ids(&swapped.0), expected);
    // A section that is not live before RAM has ended; before RAM goes on it can be one of early setup.
    let early = || begun().head(4, 9, "early", 1).bytes(&[5; 3]).footer(9);
    let between = early().u8(2).u32(1).u64(0x10).footer(1).head(4, 5, "cpu", 1).footer(5).ram_end().end();
    assert_eq!(ids(&between.0), ["qemu.section-order", GOOD[0], "qemu.searched"]);
    assert_eq!(ids(&early().ram_end().end().0), [GOOD[0], "qemu.searched"]);
    // Without a configuration section there are no footers to look for.
    let old = Made::default().bytes(b"QEVM").u32(3).head(4, 5, "cpu", 1).bytes(&[5; 3]).footer(5).end();
    assert_eq!(ids(&old.0), ["qemu.unsized"]);
    // The configuration twice.
    let twice = begun().device().vfio(4, &full).end();
    assert_eq!(ids(&twice.0), ["qemu.section-order", GOOD[0], "qemu.device-order"]);
    // No end of the device.
    let open = begun().vfio(1, &setup()).vfio(2, &data(&[1; 24])).ram_end().vfio(4, &full).end();
    let expected = [
        "qemu.section-order",
        "qemu.unfinished",
        GOOD[0],
        "qemu.device-order",
        "qemu.device-truncated",
        "qemu.device-no-stop-copy",
    ];
    assert_eq!(ids(&open.0), expected);
    // No data at all, and no configuration.
    let empty = begun().vfio(1, &setup()).ram_end().vfio(3, &[]).end();
    assert_eq!(ids(&empty.0), [GOOD[0], "qemu.device-no-data", "qemu.device-no-config"]);
    // A device under two ids.
    let other = begun().device().head(4, 9, VFIO, 1).u64(END).footer(9).end();
    assert_eq!(ids(&other.0), ["qemu.section-rebound", "qemu.section-order", GOOD[0]]);
    // Records where they do not belong.
    let misplaced = begun().vfio(1, &data(&[1; 24])).ram_end().vfio(3, &data(&[2; 36])).vfio(4, &full).end();
    assert_eq!(ids(&misplaced.0), ["qemu.vfio-record", GOOD[0], "qemu.device-truncated"]);
}

#[test]
fn what_follows_the_end_is_named() {
    let good = || Made::new(&[]).ram(4).ram_end().end();
    let end = good().0.len() as u64;
    assert_eq!(said(&good().bytes(&[0; 512]).0), [(GOOD[0], end), ("qemu.padding", end)]);
    let trailing = good().bytes(&[0; 512]).bytes(b"more");
    assert_eq!(said(&trailing.0), [(GOOD[0], end), ("qemu.padding", end), ("qemu.trailing", end + 512)]);
    assert_eq!(said(&good().u8(9).0), [(GOOD[0], end), ("qemu.trailing", end)]);

    let described = |json: &str| good().u8(6).u32(u32::try_from(json.len()).unwrap()).bytes(json.as_bytes());
    assert_eq!(said(&described(r#"{"page_size": 4096, "devices": []}"#).0), []);
    let extra = r#"{"devices": [{"name": "cpu", "instance_id": 0, "fields": []}]}"#;
    assert_eq!(ids(&described(extra).0), ["qemu.description"]);
    for malformed in ["", "{", "[]", "{}}", "{\"devices\" \"x\"}", "{\"a\": 01x}{", "\0\0"] {
        assert_eq!(ids(&described(malformed).0), ["qemu.description-malformed"], "{malformed}");
    }
    let deep = format!("{{\"devices\": {}", "[".repeat(200));
    assert_eq!(ids(&described(&deep).0), ["qemu.description-malformed"]);
    let long = good().u8(6).u32(u32::MAX).bytes(b"{");
    assert_eq!(ids(&long.0), ["qemu.description-malformed", "qemu.truncated"]);
    assert_eq!(ids(&described("{}").bytes(&[1]).0), ["qemu.trailing"]);
}

#[test]
fn the_description_is_held_against_the_sections() {
    let cpu = |length: usize, footer: u32| {
        let made = Made::new(&[]).ram(4).ram_end().head(4, 5, "cpu", 12).bytes(&vec![0x33; length]);
        made.footer(footer).end()
    };
    let described = |made: Made, json: &str| made.u8(6).u32(u32::try_from(json.len()).unwrap()).bytes(json.as_bytes());
    let json = r#"{"devices": [{"name": "cpu", "instance_id": 0, "vmsd_name": "cpu", "version": 12, "fields":
        [{"name": "a", "array_len": 3, "type": "uint64", "size": 8}, {"name": "l", "type": "qtailq",
          "vmsd_name": "l", "fields": [{"name": "x", "size": 99}], "fields": [{"name": "x", "size": 99}], "size": 4}],
        "subsections": [{"vmsd_name": "cpu/s", "version": 1, "fields": [{"name": "b", "type": "bool", "size": 1}]}]}]}"#;
    // 3 x 8, 4, and a subsection of 6 bytes, 5 of its name, and 1.
    let good = described(cpu(40, 5), json);
    assert_eq!(ids(&good.0), ["qemu.searched"]);
    let at = (Made::new(&[]).ram(4).ram_end().0.len()) as u64;
    let short = described(cpu(39, 5), json);
    assert_eq!(said(&short.0), [("qemu.description", at), ("qemu.searched", at)]);
    let name = json.replace(r#""name": "cpu""#, r#""name": "cpv""#);
    assert_eq!(said(&described(cpu(40, 5), &name).0)[0], ("qemu.description", at));
    let instance = json.replace(r#""instance_id": 0"#, r#""instance_id": 1"#);
    assert_eq!(said(&described(cpu(40, 5), &instance).0)[0], ("qemu.description", at));

    let description = Description::read(json.as_bytes()).unwrap();
    let reader = QemuReader::main().described_by(description);
    let (walk, _) = read(&reader, &good.0);
    assert_eq!((walk.findings.len(), walk.failed), (0, None));
    let sized = |item: &Item| matches!(item, Item::SectionEnd(section) if section.sized == Sizing::Description);
    assert_eq!(walk.items.iter().filter(|item| sized(item)).count(), 1);
    let (walk, _) = read(&reader, &short.0);
    assert_eq!(walk.failed.map(|reason| reason.id), Some(reasons::DESCRIPTION));
}

#[test]
fn a_footer_within_a_payload_is_no_end() {
    let payload = Made::default()
        .footer(5)
        .u8(9)
        .footer(5)
        .u8(0)
        .u8(0)
        .footer(5)
        .u8(4)
        .u32(6)
        .text("\u{1}")
        .footer(5)
        .u8(8)
        .u16(99);
    let payload = payload.u16(0).footer(5).u8(3).u32(77);
    let input = Made::new(&[]).ram(4).ram_end().head(4, 5, "cpu", 12).bytes(&payload.0).footer(5).end();
    let (walk, _) = read(&QemuReader::main(), &input.0);
    let length = walk.items.iter().rev().find_map(|item| match item {
        Item::SectionEnd(section) => Some(section.length),
        _ => None,
    });
    assert_eq!(length, Some(payload.0.len() as u64));
    assert_eq!(walk.wrong(), []);
}

#[test]
fn sections_without_footers_are_sized_by_rule_or_description_only() {
    let made = Made::new(&[]).head(1, 1, "ram", 4).u64(0x1000 | 4).text("r").u64(0x1000).u64(0x10);
    let made = made.head(1, 2, VFIO, 1).bytes(&setup()).u64(END).u8(3).u32(1).u64(0x10);
    let made = made.u8(3).u32(2).bytes(&data(&[1; 60])).u64(END).head(4, 2, VFIO, 1).bytes(&config(4096, 0)).u64(END);
    assert_eq!(ids(&made.clone().end().0), GOOD);
    let at = made.0.len() as u64;
    let unsized_ = made.head(4, 5, "cpu", 12).bytes(&[1; 9]).end();
    assert_eq!(said(&unsized_.0), [("qemu.unsized", at)]);
    let json = r#"{"devices": [{"name": "0000:00:04.0/vfio", "instance_id": 0, "fields": [{"size": 4132}]},
        {"name": "cpu", "instance_id": 0, "fields": [{"name": "a", "size": 9}]}]}"#;
    let described = unsized_.u8(6).u32(u32::try_from(json.len()).unwrap()).bytes(json.as_bytes());
    let description = Description::read(json.as_bytes()).unwrap();
    let (walk, _) = read(&QemuReader::main().described_by(description), &described.0);
    assert_eq!((walk.findings, walk.failed), (vec![], None));
}

#[test]
fn heads_and_commands_that_are_wrong_are_named() {
    let begun = || Made::new(&[]).ram(4);
    let at = begun().0.len() as u64;
    let one = |made: Made| {
        let all = said(&made.bytes(&[0x55; 32]).0);
        (all[0].0, all[0].1.wrapping_sub(at))
    };
    assert_eq!(one(begun().u8(5)), ("qemu.section-type", 0));
    assert_eq!(one(begun().u8(0x7e)), ("qemu.section-type", 0));
    assert_eq!(one(begun().u8(2).u32(9)), ("qemu.section-unbound", 1));
    assert_eq!(one(begun().head(4, 5, "", 1)), ("qemu.section-name", 5));
    assert_eq!(one(begun().head(4, 5, "a\tb", 1)), ("qemu.section-name", 5));
    assert_eq!(one(begun().command(12, &[])), ("qemu.command", 1));
    assert_eq!(one(begun().command(2, &[1])), ("qemu.command-length", 3));
    assert_eq!(one(begun().command(7, &[0; 4])), ("qemu.section-type", 9));
    let nested = Made::default().command(7, &[0, 0, 0, 4]).0;
    let length = u32::try_from(nested.len()).unwrap();
    assert_eq!(one(begun().command(7, &length.to_be_bytes()).bytes(&nested)), ("qemu.package", 9));
    assert_eq!(one(begun().command(7, &[0, 0, 0, 1]).end()), ("qemu.package", 9));
    // Live state in a package, and a section that reaches beyond its package.
    for kind in 1..=3 {
        assert_eq!(one(begun().command(7, &[0, 0, 0, 9]).u8(kind).u32(1)), ("qemu.package", 9));
    }
    assert_eq!(one(begun().command(7, &[0, 0, 0, 3]).command(4, &[])), ("qemu.package", 12));
    assert_eq!(one(begun().head(1, 2, VFIO, 2)), ("qemu.section-version", 0));
    assert_eq!(said(&Made::new(&[]).head(1, 1, "ram", 3).0)[0].0, "qemu.section-version");
    assert_eq!(ids(&Made::default().bytes(b"QEVM").u32(2).0), ["qemu.version"]);
    assert_eq!(ids(b"QEVN\0\0\0\x03"), ["magic.unrecognized"]);
    assert_eq!(ids(b"QEV"), ["magic.truncated"]);
    assert_eq!(ids(b""), ["magic.truncated"]);
    assert_eq!(ids(b"X"), ["magic.unrecognized"]);
    let part = |name: &str, body: Vec<u8>| ids(&Made::new(&[(name, body)]).ram(4).ram_end().end().0)[0];
    assert_eq!(part("configuration/new", vec![]), "qemu.configuration-unknown");
    assert_eq!(part("configuration/target-page-bits", vec![0, 0, 0, 60]), "qemu.configuration");
    assert_eq!(part("configuration/capabilities", vec![0xff; 4]), "qemu.configuration");
    assert_eq!(part("configuration/uuid", vec![1; 16]), GOOD[0]);
    assert_eq!(ids(&Made::default().bytes(b"QEVM").u32(3).u8(7).u32(70_000).0), ["qemu.configuration"]);
}

#[test]
fn configuration_records_of_all_sizes_are_found() {
    for (size, vectors) in [(256, 0), (256, 1), (4096, 0), (4096, 3), (4096, 2048), (256, 65)] {
        let input = Made::new(&[]).ram(4).vfio(1, &setup()).ram_end().vfio(3, &data(&[1; 60]));
        let input = input.vfio(4, &config(size, vectors)).end();
        let (walk, assembly) = read(&QemuReader::main(), &input.0);
        assert_eq!(walk.wrong(), [], "{size} {vectors}");
        let layout = assembly.devices()[0].config.as_ref().unwrap().layout;
        assert_eq!((usize::from(layout.space), layout.vectors, layout.rest), (size, vectors, 0));
        assert_eq!(assembly.devices()[0].config.as_ref().unwrap().space, space(size, vectors));
    }
    // A part that is not known, such as that of a display, makes a search of it; hidden vectors do not.
    let display = Made::default().u8(5).text("VFIOPCIDevice/VFIODisplay").u32(1).bytes(&[7; 30]).0;
    let with = [config(4096, 3), display].concat();
    let input = Made::new(&[]).ram(4).vfio(1, &setup()).ram_end().vfio(3, &data(&[1; 60])).vfio(4, &with).end();
    let (walk, assembly) = read(&QemuReader::main(), &input.0);
    assert_eq!(walk.wrong(), []);
    assert_eq!(assembly.devices()[0].config.as_ref().unwrap().layout.rest, 61);
    let searched = |item: &Item| matches!(item, Item::SectionEnd(section) if section.sized == Sizing::Search);
    assert!(walk.items.iter().any(searched));

    let bad = |record: Vec<u8>| {
        let input = Made::new(&[]).ram(4).vfio(1, &setup()).ram_end().vfio(3, &data(&[1; 60]));
        let at = input.0.len() as u64 + 31;
        let all = said(&input.vfio(4, &record).end().bytes(&vec![0; 50_000]).0);
        (all[0].0, all[0].1 - at)
    };
    let mut version = config(256, 0);
    version[11] = 3;
    assert_eq!(bad(version), ("qemu.vfio-config", 8));
    let mut pin = config(256, 0);
    pin[12 + 256 + 4] = 1;
    assert_eq!(bad(pin), ("qemu.vfio-config", 272));
    assert_eq!(bad(Made::default().u64(CONFIG).u32(2).bytes(&vec![0; 9000]).0), ("qemu.vfio-config", 0));
}

#[test]
fn terminators_end_their_sections() {
    let part = Made::default().u8(2).u32(2).bytes(&data(&[1; 24])).u64(SENT).footer(2).0;
    let full = Made::default().head(4, 2, VFIO, 1).u64(LOAD_READY).footer(2).0;
    let main = Made::new(&[]).ram(4).vfio(1, &setup()).bytes(&part).ram_end().vfio(3, &[]).bytes(&full).end();
    assert_eq!(ids(&main.0), [GOOD[0], "qemu.device-no-stop-copy", "qemu.device-no-config"]);

    let whole = [config(256, 0), END.to_be_bytes().to_vec()].concat();
    let other = channel().packet(1, 0, &[3; 40]).packet(0, 0, &[2; 36]).packet(2, 1, &whole);
    let mut assembly = Assembly::new();
    walk_in(&mut QemuReader::main(), &main.0, || 3, |reader, event| assembly.take(0, reader, &event));
    let walk = walk_in(&mut QemuReader::multifd(), &other.0, || 3, |reader, event| assembly.take(1, reader, &event));
    assert_eq!(walk.wrong(), []);
    assert_eq!(assembly.finish(true), []);
    let lengths: Vec<_> = assembly.devices()[0].extents().map(|extent| (extent.channel, extent.length)).collect();
    assert_eq!(lengths, [(0, 24), (1, 36), (1, 40)]);
    let tags: Vec<_> = walk
        .items
        .iter()
        .filter_map(|item| if let Item::Record(record) = item { Some(record.tag) } else { None })
        .collect();
    assert_eq!(tags, [Tag::Packet; 3]);
}

#[test]
fn gaps_and_repeats_of_indexes_are_named() {
    let whole = [config(256, 0), END.to_be_bytes().to_vec()].concat();
    let of = |packets: &[(u32, u32)]| {
        let mut assembly = Assembly::new();
        let main = Made::new(&[]).ram(4).vfio(1, &setup()).ram_end().vfio(3, &[]).vfio(4, &[]).end();
        walk_in(&mut QemuReader::main(), &main.0, || 99, |reader, event| assembly.take(0, reader, &event));
        let mut other = channel();
        let mut offsets = Vec::new();
        for &(index, flags) in packets {
            offsets.push(other.0.len() as u64 + 276 + 12);
            let data = if flags == 1 { whole.clone() } else { vec![5; 10] };
            other = other.packet(index, flags, &data);
        }
        let mut reader = QemuReader::multifd();
        let walk = walk_in(&mut reader, &other.0, || 50, |reader, event| assembly.take(1, reader, &event));
        assert_eq!(walk.wrong(), []);
        let place = |reason: Reason| offsets.iter().position(|offset| Some(*offset) == reason.offset());
        let all: Vec<_> =
            assembly.finish(true).iter().map(|finding| (finding.reason.id.text(), place(finding.reason))).collect();
        all
    };
    assert_eq!(of(&[(0, 0), (1, 1)]), []);
    assert_eq!(of(&[(2, 1), (0, 0), (1, 0)]), []);
    assert_eq!(of(&[(0, 0), (2, 1)]), [("qemu.index-gap", Some(1))]);
    assert_eq!(of(&[(1, 0), (2, 1)]), [("qemu.index-gap", Some(0))]);
    assert_eq!(of(&[(0, 0), (0, 0), (1, 1)]), [("qemu.index-repeated", Some(1))]);
    assert_eq!(of(&[(0, 0), (1, 1), (2, 0)]), [("qemu.index-beyond", Some(2))]);
    let lost = [("qemu.device-no-data", None), ("qemu.device-no-config", None)];
    assert_eq!(of(&[]), lost);
    assert_eq!(of(&[(0, 0)]), [("qemu.device-no-config", None)]);
}

#[test]
fn heads_of_packets_that_are_wrong_are_named() {
    let of = |made: Made| {
        let (walk, _) = read(&QemuReader::multifd(), &made.0);
        walk.failed.map(|reason| (reason.id.text(), reason.offset().unwrap()))
    };
    assert_eq!(of(channel()), None);
    assert_eq!(of(Made::default().u32(0x1122_3344).u32(2).bytes(&[0; 56])), Some(("qemu.multifd-version", 4)));
    assert_eq!(of(Made::default().u32(0x1122_3345).u32(1).bytes(&[0; 56])), Some(("magic.unrecognized", 0)));
    assert_eq!(of(channel().u32(7).u32(1).u32(0)), Some(("qemu.multifd", 64)));
    assert_eq!(of(channel().u32(0x1122_3344).u32(1).u32(0x80)), Some(("qemu.multifd-version", 72)));
    assert_eq!(of(channel().u32(0x1122_3344).u32(1).u32(0x41)), Some(("qemu.multifd-version", 72)));
    assert_eq!(of(channel().u32(0x1122_3344).u32(1).u32(0x06)), Some(("qemu.multifd-version", 72)));
    let pages = |allocated: u32, normal: u32, length: u32, zero: u32| {
        let head = channel().u32(0x1122_3344).u32(1).u32(0).u32(allocated).u32(normal).u32(length).u64(0).u32(zero);
        of(head.bytes(&[0; 28 + 256 + 1024]).bytes(&vec![0; length.min(10_000).try_into().unwrap()]))
    };
    assert_eq!(pages(128, 2, 8192, 126), None);
    assert_eq!(pages(129, 0, 0, 0), Some(("qemu.multifd", 76)));
    assert_eq!(pages(128, 100, 0, 29), Some(("qemu.multifd", 80)));
    assert_eq!(pages(128, 1, 4097, 0), Some(("qemu.multifd", 84)));
    assert_eq!(of(channel().packet(u32::MAX, 0, &[1])), Some(("qemu.multifd", 64 + 280)));
    assert_eq!(of(channel().packet(0, 2, &[1])), Some(("qemu.multifd-version", 64 + 284)));
    assert_eq!(of(channel().packet(0, 1, &[1; 8])), Some(("qemu.vfio-tag", 64 + 288)));
    assert_eq!(of(channel().packet(0, 1, &data(&[]))), Some(("qemu.vfio-config", 64 + 288)));
}

#[test]
fn differences_of_configuration_are_named_by_their_place() {
    let own = space(256, 3);
    let of = |at: usize, skip: bool| {
        let mut other = own.clone();
        other[at] ^= 0x81;
        let all: Vec<_> = ConfigSpace(&other).differences(ConfigSpace(&own), skip).collect();
        assert_eq!(all.len(), 1);
        let place = match all[0].place {
            Place::Header(name) => name.to_owned(),
            Place::Capability(capability, offset) => format!("{}+{offset}", capability.name()),
            Place::Extended => "extended".to_owned(),
            Place::Unnamed => "unnamed".to_owned(),
        };
        (place, all[0].compared)
    };
    assert_eq!(of(0, true), ("vendor id".into(), true));
    assert_eq!(of(3, true), ("device id".into(), true));
    assert_eq!(of(4, true), ("command".into(), false));
    assert_eq!(of(0x3c, true), ("interrupt line".into(), false));
    assert_eq!(of(0x44, false), ("vendor-specific+4".into(), true));
    assert_eq!(of(0x44, true), ("vendor-specific+4".into(), false));
    assert_eq!(of(0x42, true), ("vendor-specific+2".into(), true));
    assert_eq!(of(0x50, true), ("MSI-X+0".into(), true));
    let capabilities: Vec<_> = ConfigSpace(&own).capabilities().map(|known| (known.id, known.offset)).collect();
    assert_eq!(capabilities, [(9, 0x40), (0x11, 0x50)]);
    // A chain that runs in a circle ends.
    let mut circle = own.clone();
    circle[0x51] = 0x40;
    assert_eq!(ConfigSpace(&circle).capabilities().count(), 48);

    assert_eq!(skips_vendor_specific(b"pc-i440fx-9.0"), Some(false));
    assert_eq!(skips_vendor_specific(b"pc-q35-9.1"), Some(true));
    assert_eq!(skips_vendor_specific(b"pc-q35-10.0"), Some(true));
    assert_eq!(skips_vendor_specific(b"virt-2.12"), Some(false));
    assert_eq!(skips_vendor_specific(b"microvm"), None);
}

#[test]
fn likeness_is_told_by_the_first_four_bytes() {
    let of = |bytes: &[u8]| (likeness(bytes), multifd_likeness(bytes));
    assert_eq!(of(b"QEVM..."), (Likeness::Certain, Likeness::No));
    assert_eq!(of(b"QE"), (Likeness::Short, Likeness::No));
    assert_eq!(of(&[0x11, 0x22, 0x33, 0x44]), (Likeness::No, Likeness::Certain));
    assert_eq!(of(b""), (Likeness::Short, Likeness::Short));
}

#[test]
fn findings_come_before_their_bytes_are_used() {
    let input = Made::new(&[]).ram(4).vfio(1, &setup()).vfio(1, &setup());
    let second = input.0.len() as u64 - 52;
    let mut reader = QemuReader::main();
    let mut at = 0;
    loop {
        let step = reader.step(&input.0[at..], false);
        if let Event::Finding(reason) = step.event {
            assert_eq!((reason.id, step.used, reader.offset()), (reasons::SECTION_ORDER, 0, second));
            assert_eq!(reason.offset(), Some(second));
            break;
        }
        at += step.used;
        assert!(!matches!(step.event, Event::Need(_)));
    }
}

#[test]
fn the_catalogue_is_in_one_grammar_and_no_shared_id_comes_twice() {
    let shared = transire_core::verdict::reasons::CATALOGUE;
    let libvirt = transire_core::containers::libvirt::reasons::CATALOGUE;
    let all: Vec<_> = reasons::CATALOGUE.iter().chain(libvirt).collect();
    for (position, kind) in all.iter().enumerate() {
        assert!(
            all[..position].iter().all(|other| other != kind) && shared.iter().all(|other| other != *kind),
            "{kind:?}"
        );
        let text = kind.text();
        assert!(text.starts_with("qemu.") || text.starts_with("libvirt."), "{text}");
        assert!(text.chars().all(|letter| letter.is_ascii_lowercase() || matches!(letter, '.' | '-')), "{text}");
        assert!(!kind.0.meaning.ends_with('.') && !kind.0.remedy.is_empty());
    }
    assert!(all.iter().any(|kind| kind.outcome() == Outcome::Unknown));
    const { assert!(EXTENTS_MAX > 100_000) };
}

fn folder(kind: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join("qemu")
}

#[test]
fn seeds_of_the_fuzz_target_pass() {
    let mut asked = 0;
    for kind in ["corpus", "regressions"] {
        // A target without findings has no folder of them.
        for entry in std::fs::read_dir(folder(kind)).into_iter().flatten() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            oracle::qemu(&std::fs::read(path).unwrap());
            asked += 1;
        }
    }
    assert!(asked >= 8);
}

/// A capture up to its description, which is long and of one kind.
fn without_description(name: &str) -> Vec<u8> {
    let mut input = walk::capture(name);
    input.truncate(Description::find(&input).unwrap().start - 5);
    input
}

#[test]
#[ignore = "writes fuzz/corpus/qemu"]
fn write_seeds() {
    let whole = [config(256, 2), END.to_be_bytes().to_vec()].concat();
    let json = r#"{"devices": [{"name": "0000:00:04.0/vfio", "instance_id": 0, "fields": [{"name": "data", "size": 340}]}, {"name": "cpu", "instance_id": 0, "fields": [{"name": "a", "array_len": 2, "size": 4}]}]}"#;
    let caps = ("configuration/capabilities", Made::default().u32(1).text("mapped-ram").0);
    let mapped = Made::new(&[caps]).head(1, 1, "ram", 4).u64(0x1000 | 4).text("r").u64(0x1000);
    let here = mapped.0.len() as u64 + 28;
    let mapped = mapped.u32(1).u64(4096).u64(here).u64(0x1000).bytes(&[1; 8]);
    let fill = vec![0; 0x2000 - mapped.0.len()];
    let vmstate = Made::default().head(4, 5, "cpu", 12).footer(5).u8(0).u8(7).u16(0).footer(5).0;
    let package = Made::default().command(4, &[]).bytes(&vmstate).command(5, &[]).0;
    let length = u32::try_from(package.len()).unwrap();
    let described = Made::new(&[]).ram(1).device().bytes(&vmstate).end().u8(6).u32(json.len().try_into().unwrap());
    let ram = Made::default().u64(0x22).u8(0).u64(0x40).text("pc.ram").u8(1).u16(2).u16(0).u64(0x200).u64(0x10).0;
    let seeds = [
        ("device", Made::new(&[]).ram(1).device().end()),
        ("described", described.bytes(json.as_bytes())),
        ("mapped-ram", mapped.bytes(&fill).u64(0x10).footer(1).ram_end().end()),
        (
            "package",
            Made::new(&[])
                .command(3, &[0; 16])
                .ram(1)
                .command(7, &length.to_be_bytes())
                .bytes(&package)
                .ram_end()
                .end(),
        ),
        (
            "ram",
            Made::new(&[]).ram(1).u8(2).u32(1).u64(0x02).text("pc.ram").u8(0).bytes(&ram).footer(1).ram_end().end(),
        ),
        ("channel", channel().packet(1, 1, &whole).packet(0, 0, &[2; 36])),
        ("bitmaps", Made(without_description("qemu/q72-microvm-bitmaps.bin"))),
        ("bitmaps-of-postcopy", Made(walk::capture("qemu/q72-microvm-bitmaps-postcopy.bin"))),
        ("bitmaps-none", Made(without_description("qemu/q72-microvm-bitmaps-none.bin"))),
        ("return-path", Made(walk::capture("qemu/q100-postcopy.ch0.rev.bin"))),
        ("vectors", Made::new(&[]).ram(1).vfio(1, &setup()).ram_end().vfio(4, &config(256, 9)).end()),
    ];
    std::fs::create_dir_all(folder("corpus")).unwrap();
    for (name, made) in seeds {
        std::fs::write(folder("corpus").join(name), [&[7][..], &made.0].concat()).unwrap();
    }
}
