//! The end of a migration at the gate: no destination completes by what was passed on before every device has passed,
//! whatever was damaged, and whatever a hostile source made of it.

#[path = "qemu/gated.rs"]
mod gated;
#[path = "qemu/loads.rs"]
mod loads;
#[path = "qemu/made.rs"]
mod made;
mod support;
#[path = "qemu/walk.rs"]
mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use gated::{gated, hold, runs_at};
use loads::{Machine, State, machine};
use made::{END, Made, VFIO, config, data, setup};
use support::{fixture, target};
use transire_core::attribute::{Text, VENDOR, Value};
use transire_core::containers::qemu::{Item, QemuReader, Sizing};
use transire_core::gate::migration::{DeviceTarget, WITHHELD_MAX};
use transire_core::profile::ProfileBuilder;
use transire_core::target::Target;
use transire_core::vendors::{VENDORS, qat};
use transire_core::verdict::Outcome;
use walk::{at, capture, captures, say, walk as walk_of};

const CPU: &str = "cpu";
const GPU: &str = "0000:00:02.0/virtio-gpu";

fn one() -> Vec<DeviceTarget> {
    vec![DeviceTarget { device: None, target: target(1) }]
}

/// The device, and one that the stream does not mention.
fn two() -> Vec<DeviceTarget> {
    let of = |device: &str| DeviceTarget { device: Some(device.as_bytes().to_vec()), target: target(1) };
    vec![of("0000:00:04.0"), of("0000:00:05.0")]
}

/// The device as captured: setup, what identifies it, the rest behind RAM.
fn live() -> Made {
    let device = fixture("mtty1-text.bin");
    let made = Made::new(&[]).ram(4).vfio(1, &setup()).vfio(2, &data(&device[..24]));
    made.ram_end().vfio(3, &data(&device[24..]))
}

fn described(made: Made) -> Vec<u8> {
    made.end().u8(6).u32(2).bytes(b"{}").0
}

/// A FULL section with these bytes.
fn full(made: Made, id: u32, name: &str, state: &[u8]) -> Made {
    made.head(4, id, name, 1).bytes(state).footer(id)
}

#[test]
fn what_a_destination_in_small_loads_is_what_the_gate_passes() {
    let state = [0x7e, 1, 2, 3, 4, 0, 0x7e, 0, 0, 0, 5, 9, 0, 6, 0, 0, 0, 2, b'{', 0x7e, 8];
    let good = full(full(live(), 5, CPU, &state).vfio(4, &config(256, 0)), 6, GPU, &state);
    let good = described(good);
    let loaded = machine(&[(CPU, state.len()), (GPU, state.len())]).load(&good);
    assert!(loaded.runs && loaded.configured);
    assert_eq!(loaded.data, fixture("mtty1-text.bin"));
    let seen = hold(&good, Some(&one()), &[2, 7, 4096]);
    // The description does not say what the sections are: that is seen behind the end.
    assert_eq!((seen.ids(), seen.passed > good.len() - 8), (vec!["qemu.description"], true), "{seen:?}");
}

#[test]
fn a_damaged_footer_never_lets_the_end_pass() {
    let (mut streams, mut footers) = (0, 0);
    for name in captures() {
        let input = capture(&name);
        let mut reader = QemuReader::main();
        if input.starts_with(b"QEVM") && input.len() < 4 << 20 {
            let walk = walk_of(&mut reader, &input);
            let end = walk.items.iter().find_map(|item| match item {
                Item::EndOfSections { offset } => Some(at(*offset)),
                _ => None,
            });
            let Some(end) = end else { continue };
            streams += 1;
            for item in &walk.items {
                let Item::SectionEnd(section) = item else { continue };
                if section.sized != Sizing::Search {
                    continue;
                }
                footers += 1;
                let footer = at(section.head.payload + section.length);
                let damaged = |at: usize, bit: u8| {
                    let mut damaged = input.clone();
                    damaged[footer + at] ^= bit;
                    damaged
                };
                for place in 0..5 {
                    let seen = gated(&damaged(place, 1 << (footer % 8)), None, usize::MAX, &mut |_, _| {});
                    assert!(seen.stopped && seen.passed <= end, "{name} {section:?} {place}: {seen:?}");
                }
            }
        }
    }
    say(&format!("{footers} footers of {streams} streams, damaged in each of their bytes"));
    assert!(footers > 300);
    // In any pieces the same has passed.
    let input = capture("qemu-vfio/pc-mtty1.stream");
    let walk = walk_of(&mut QemuReader::main(), &input);
    for item in walk.items {
        if let Item::SectionEnd(section) = item
            && section.sized == Sizing::Search
        {
            let mut damaged = input.clone();
            damaged[at(section.head.payload + section.length) + 4] ^= 0x40;
            let seen = hold(&damaged, Some(&one()), &[]);
            assert_eq!((seen.outcome, seen.complete), (Outcome::Truncated, false));
        }
    }
}

#[test]
fn live_state_is_not_withheld() {
    // Every other byte of it is what a destination could take for the end; so is the state of what is set up early.
    let state = [[0x7e, 1, 2, 3, 4, 0].repeat(50), vec![0; 9]].concat();
    let device = fixture("mtty1-text.bin");
    let early = full(Made::new(&[]), 5, CPU, &state);
    let made = early.ram(4).vfio(1, &setup()).vfio(2, &data(&device[..24]));
    let made = made.u8(2).u32(1).u64(0x08).text("pc.ram");
    let pages = made.0.len();
    let page = [state.as_slice(), &[0; 4096]].concat();
    let made = made.bytes(&page[..4096]).u64(0x10).footer(1).ram_end();
    let made = made.vfio(3, &data(&device[24..]));
    let behind = made.0.len();
    let input = made.vfio(4, &config(256, 0)).end().0;
    let mut most = (0, 0);
    let seen = gated(&input, None, 1, &mut |migration, passed| {
        let kept = usize::try_from(migration.examined()).unwrap() - passed;
        if passed < pages {
            most.0 = most.0.max(kept);
        } else if passed < behind {
            most.1 = most.1.max(kept);
        }
    });
    assert_eq!((seen.outcome, seen.passed), (Outcome::Compatible, input.len()), "{seen:?}");
    assert_eq!(most, (state.len(), 0));
}

#[test]
fn streams_with_bitmaps_pass_whole() {
    for name in ["qemu/q72-microvm-bitmaps.bin", "qemu/q72-microvm-bitmaps-none.bin"] {
        let input = capture(name);
        let seen = hold(&input, Some(&[]), &[2, 1000]);
        assert_eq!((seen.complete, seen.passed), (true, input.len()), "{name}: {seen:?}");
    }
}

/// A stream that leads the destination to run without the device, or without all of it, past a gate that trusts its search.
struct Hostile {
    what: &'static str,
    stream: Vec<u8>,
    machine: Machine,
    /// One of the reasons of its refusal.
    reason: &'static str,
}

/// The bytes that a hostile source has the walk pass over, or take for other sections, end so: the destination is at its
/// end, and what follows leads the walk on.
fn hostile() -> Vec<Hostile> {
    let bare = || Made::new(&[]).ram(4).ram_end();
    let mut all = Vec::new();
    let mut add = |what, made: Made, machine: Machine, reason| {
        all.push(Hostile { what, stream: described(made), machine, reason });
    };
    let head = |made: Made| made.head(4, 5, CPU, 1).bytes(&[1; 8]);
    let cpu = || machine(&[(CPU, 8), (GPU, 64)]);
    // Behind the true footer: what the walk would not take for a beginning.
    let end = |made: Made| head(made).footer(5).u8(0).bytes(&[0xff; 9]).footer(5);
    add("an end without a description", end(bare()), cpu(), "qemu.device-missing");
    add("an end without a description, behind the device", end(live()), cpu(), "qemu.device-no-config");
    let command = head(bare()).footer(5).command(2, &[0; 4]).u8(0).bytes(&[0xff; 9]).footer(5);
    add("a command, and the end", command, cpu(), "qemu.device-missing");
    let big = head(bare()).footer(5).head(4, 0x7eff_0001, GPU, 1).bytes(&[2; 64]).footer(0x7eff_0001).u8(0);
    add("a section of a high id", big.bytes(&[0xff; 9]).footer(0x7eff_0001), cpu(), "qemu.device-missing");
    let name = head(bare()).footer(5).head(4, 9, "0000:00:02.0/virtio-gpu\0\u{1}", 1).bytes(&[2; 64]).footer(9).u8(0);
    add("a name that ends early", name.bytes(&[0xff; 9]).footer(9), cpu(), "qemu.section-name");
    let again = head(head(bare()).footer(5)).footer(5).u8(0).bytes(&[0xff; 9]).footer(5);
    add("the same section again", again, cpu(), "qemu.section-order");
    let part = head(bare()).footer(5).u8(2).u32(0).u64(END).footer(0).u8(0).bytes(&[0xff; 9]).footer(5);
    add("the id that every handler has at first", part, cpu(), "qemu.section-unbound");
    // Within the state: a footer and a section that are none, and the true end inside that.
    let fake = |made: Made| made.head(4, 5, CPU, 1).footer(5).head(4, 9, GPU, 1).bytes(&[3; 8]);
    let length = fake(Made::default()).0.len() - Made::default().head(4, 5, CPU, 1).0.len();
    let within = || machine(&[(CPU, length), (GPU, 64)]);
    let swallowed = fake(bare()).footer(5).u8(0).bytes(&[0xff; 9]).footer(9);
    add("an end inside a section that is none", swallowed, within(), "qemu.device-missing");
    let swallowed = fake(live()).footer(5).u8(0).bytes(&[0xff; 9]).footer(9);
    add("the same behind the device", swallowed, within(), "qemu.device-no-config");
    // A page that is none, in which everything happens. RAM has not ended, or goes on behind its end.
    let page = |made: Made| {
        let page = made.head(4, 5, CPU, 1).footer(5).u8(2).u32(1).u64(0x08).text("pc.ram");
        let start = page.0.len();
        let mut page = page.bytes(&[4; 8]).footer(5).u8(0);
        page.0.resize(start + 4096, 5);
        page.u64(0x10).footer(1)
    };
    let length = 5 + 5 + 8 + 7 + 8;
    let paged = || machine(&[(CPU, length)]);
    add(
        "an end inside a page",
        page(Made::new(&[]).ram(4).u8(2).u32(1).u64(0x10).footer(1)),
        paged(),
        "qemu.section-order",
    );
    add("an end inside a page behind RAM", page(bare()), paged(), "qemu.section-order");
    // The same in the bits of a bitmap, which have a length: to the walk and to the destination they are bits.
    let hidden = Made::default().footer(3).u8(2).u32(1).u64(0x08).text("pc.ram").bytes(&[4; 8]).footer(3).u8(0);
    let mut hidden = hidden.0;
    hidden.resize(64, 5);
    let bits = Made::new(&[]).ram(4).head(1, 3, "dirty-bitmap", 1).u8(0x1d).text("a").text("b").u32(512).u8(0);
    let bits = bits.footer(3).ram_end().u8(3).u32(3).u8(0x40).u64(0).u32(64 * 8).u64(64).bytes(&hidden);
    add("an end inside the bits of a bitmap", bits.u8(0x21).footer(3), cpu(), "qemu.device-missing");
    // A machine without footers. The walk takes the first section for one with them.
    let none = Made::default().bytes(b"QEVM").u32(3).head(4, 5, CPU, 1).bytes(&[1; 8]).u8(0).bytes(&[1; 8]).footer(5);
    add("no footers", none, Machine { footers: false, ..cpu() }, "qemu.unsized");
    // A configuration that ends early, where the device has 4 KiB of it.
    let mut space = config(256, 0);
    let fake = Made::default().u64(END).footer(2).head(4, 5, CPU, 1);
    space.extend_from_slice(&fake.0);
    space.resize(12 + 4096 + 16, 0x33);
    let record = live().head(4, 2, VFIO, 1).bytes(&space).u64(END).footer(2).u8(0).bytes(&[0xff; 9]).footer(5);
    let mut express = cpu();
    express.handlers[1].1 = State::Vfio(4096);
    add("an end inside a section inside the configuration", record, express, "qemu.device-missing");
    // Postcopy: the guest runs by a command.
    let listen = || bare().command(3, &[]).command(4, &[]);
    add("a command of postcopy", listen().command(5, &[]), cpu(), "qemu.device-missing");
    let packaged = |inside: Made| {
        let length = u32::try_from(inside.0.len()).unwrap();
        Made::new(&[]).ram(4).command(3, &[]).command(7, &length.to_be_bytes()).bytes(&inside.0)
    };
    let inside = Made::default().command(4, &[]).command(5, &[]);
    add("a package of postcopy", packaged(inside), cpu(), "qemu.device-missing");
    let hidden = head(Made::default().command(4, &[]));
    let hidden = hidden.footer(5).command(2, &[0; 4]).command(5, &[]).bytes(&[9; 40]).footer(5);
    add("a package in which the command comes early", packaged(hidden), cpu(), "qemu.device-missing");
    all
}

#[test]
fn no_hostile_stream_leads_a_destination_to_its_end() {
    let all = hostile();
    for Hostile { what, stream, machine, reason } in &all {
        assert!(machine.load(stream).runs, "{what}: the destination does not run by the whole stream");
        let targets = if machine.handlers[1].1 == State::Vfio(4096) { two() } else { one() };
        let seen = hold(stream, Some(&targets), &[2, 5, 64]);
        let loaded = machine.load(&stream[..seen.passed]);
        assert!(!loaded.runs, "{what}: {seen:?}");
        assert!(seen.stopped && !seen.complete, "{what}: {seen:?}");
        assert!(seen.ids().contains(reason), "{what}: {:?}", seen.ids());
        // Cut short anywhere, it is no better.
        for cut in 0..stream.len() {
            let cut = &stream[..cut];
            let seen = gated(cut, Some(targets.clone()), usize::MAX, &mut |_, _| {});
            assert!(!machine.load(&cut[..seen.passed]).runs, "{what}, cut at {}: {seen:?}", cut.len());
        }
    }
    say(&format!("{} hostile streams", all.len()));
}

#[test]
fn no_device_comes_when_the_guest_runs() {
    // A package before everything, at whose end is said what there is to say of the devices; the device comes later, and
    // nothing is sent of it.
    let package = Made::default().command(4, &[]).command(5, &[]);
    let length = u32::try_from(package.0.len()).unwrap();
    let made = Made::new(&[]).command(3, &[]).command(7, &length.to_be_bytes()).bytes(&package.0).ram(4);
    let behind = made.0.len();
    let stream = made.vfio(1, &setup()).ram_end().vfio(3, &[]).end().0;
    let mut other = ProfileBuilder::new();
    other.set(VENDOR, &Value::Text(Text::constant("qat")).to_owned());
    let other = other.build(&|vendor| VENDORS.dictionary(vendor)).unwrap();
    let other = DeviceTarget { device: None, target: Arc::new(Target::new(other, &qat::RULES).unwrap()) };
    for targets in [None, Some([one(), vec![other]].concat())] {
        let seen = hold(&stream, targets.as_deref(), &[2, 64]);
        assert_eq!((seen.ids(), seen.passed, seen.stopped), (vec!["qemu.section-order"], behind, true));
    }
}

#[test]
fn as_much_is_withheld_as_is_said() {
    let head = live().vfio(4, &config(256, 0)).head(4, 5, GPU, 1).0.len();
    // A place that could be the end, and as much behind it as makes so many bytes with it and what settles it.
    let of = |withheld: usize| {
        let made = live().vfio(4, &config(256, 0)).head(4, 5, GPU, 1).footer(77).u8(0);
        let state = withheld - 6 - 6;
        made.bytes(&vec![0x55; state]).footer(5).end().0
    };
    for (withheld, grow) in [
        (WITHHELD_MAX - 1, usize::MAX),
        (WITHHELD_MAX, usize::MAX),
        (WITHHELD_MAX, 1 << 20),
        (WITHHELD_MAX + 1, usize::MAX),
        (WITHHELD_MAX + 1, 1 << 20),
    ] {
        let input = of(withheld);
        let seen = gated(&input, Some(one()), grow, &mut |_, _| {});
        if withheld <= WITHHELD_MAX {
            assert_eq!((seen.outcome, seen.complete, seen.passed), (Outcome::Compatible, true, input.len()));
        } else {
            assert_eq!((seen.ids(), seen.passed), (vec!["qemu.withheld"], head));
            assert_eq!(seen.container.reasons()[0].offset(), Some(head as u64));
            assert!(seen.stopped && !seen.complete);
        }
    }
}

fn folder(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join("migration")
}

#[test]
fn the_inputs_of_the_fuzz_target_pass() {
    let mut replayed = 0;
    for kind in ["corpus", "regressions"] {
        for entry in std::fs::read_dir(folder(kind)).into_iter().flatten() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            gated::migration(&std::fs::read(path).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed >= 16);
}

#[test]
#[ignore = "writes fuzz/corpus/migration"]
fn write_seeds() {
    let folder = folder("corpus");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, stream: &[u8]| {
        std::fs::write(folder.join(name.replace(' ', "-")), [&[3, 32], stream].concat()).unwrap();
    };
    for Hostile { what, stream, .. } in hostile() {
        write(&what.replace(',', ""), &stream);
    }
    let cpu = full(live(), 5, CPU, &[1; 8]);
    write("good", &full(cpu, 6, "timer", &[0x7e, 1, 2, 3, 4, 0, 9, 9]).vfio(4, &config(256, 0)).end().0);
    let early = full(Made::new(&[]), 5, CPU, &[0x7e, 1, 2, 3, 4, 0, 9, 9]).ram(4).ram_end();
    write("early", &full(early, 6, "timer", &[1; 8]).end().0);
    let captured = capture("qemu-vfio/pc-mtty1.stream");
    let bitmaps = capture("qemu/q72-microvm-bitmaps.bin");
    write("bitmaps", &bitmaps[..=runs_at(&bitmaps).0.unwrap()]);
    // Without its description, for speed.
    write("captured", &captured[..=runs_at(&captured).0.unwrap()]);
}
