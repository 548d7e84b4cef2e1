//! Dirty bitmaps of disks: real streams with them, altered ones with what a real QEMU made of each, and hostile ones.

#[path = "qemu/made.rs"]
mod made;
#[path = "qemu/walk.rs"]
mod walk;

use std::collections::BTreeSet;

use made::Made;
use serde_json::Value;
use transire_core::containers::qemu::outlook::{Destination, Machine, Outlook};
use transire_core::containers::qemu::{
    BITS_MAX, Bitmap, Bitmaps, Description, Event, Item, Kind, QemuReader, Sizing, reasons,
};
use transire_core::verdict::Reason;
use walk::{Walk, at, capture, walk as walk_of, walk_in};

const EOS: u8 = 0x01;
const ZEROES: u8 = 0x02;
const NAMES: u8 = 0x0c;
const START: u8 = 0x10;
const COMPLETE: u8 = 0x20;
const BITS: u8 = 0x40;

fn bitmaps(walk: &Walk) -> Vec<Bitmap> {
    walk.items.iter().filter_map(|item| if let Item::Bitmap(bitmap) = item { Some(*bitmap) } else { None }).collect()
}

/// A bitmap as it begins: node, name, granularity, whether it is enabled, and whether persistent.
type Started = (String, String, u32, bool, bool);

/// What `index.json` has of the chunks of one capture: the bitmaps as they begin, with node and name, and their sum.
fn of_index(entry: &Value) -> (Vec<Started>, [u64; 7]) {
    let (mut started, mut nodes) = (Vec::new(), BTreeSet::new());
    let (mut completed, mut pieces, mut bytes, mut zero_pieces, mut runs) = (0, 0, 0, 0, 0);
    let mut node = String::new();
    for section in entry["records"].as_array().unwrap().iter().filter(|record| record["idstr"] == "dirty-bitmap") {
        runs += 1;
        for chunk in section["chunks"].as_array().unwrap() {
            let chunk = chunk.as_array().unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let number = |value: &Value| value.as_u64().unwrap();
            let flags = u8::try_from(number(&chunk[0])).unwrap();
            let behind = match flags & NAMES {
                0x0c => {
                    node = text(&chunk[1]);
                    3
                }
                0x04 => 2,
                _ => 1,
            };
            match flags & (START | COMPLETE | BITS) {
                START => {
                    let (granularity, of) = (number(&chunk[behind]), number(&chunk[behind + 1]));
                    let granularity = u32::try_from(granularity).unwrap();
                    nodes.insert(node.clone());
                    started.push((node.clone(), text(&chunk[behind - 1]), granularity, of & 1 != 0, of & 2 != 0));
                }
                COMPLETE => completed += 1,
                BITS if flags & ZEROES != 0 => zero_pieces += 1,
                BITS => {
                    pieces += 1;
                    bytes += number(&chunk[behind + 2]);
                }
                _ => assert_eq!(flags, EOS),
            }
        }
    }
    let sum = [started.len() as u64, nodes.len() as u64, completed, pieces, bytes, zero_pieces, runs];
    (started, sum)
}

fn sums(sum: &Bitmaps) -> [u64; 7] {
    [sum.bitmaps, sum.nodes, sum.completed, sum.pieces, sum.bytes, sum.zero_pieces, sum.runs]
}

#[test]
fn bitmaps_of_the_captures_are_what_the_index_says() {
    let Value::Array(entries) = serde_json::from_slice(&capture("qemu/index.json")).unwrap() else { panic!() };
    let mut with_bitmaps = 0;
    for entry in &entries {
        let (expected, sum) = of_index(entry);
        let input = capture(&format!("qemu/{}", entry["files"][0]["file"].as_str().unwrap()));
        let start = at(entry["start_offset"].as_u64().unwrap());
        let mut reader = QemuReader::main().beginning_at(start as u64);
        let walk = walk_of(&mut reader, &input[start..]);
        assert_eq!(sums(reader.bitmaps()), sum, "{}", entry["name"]);
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        let told = bitmaps(&walk).into_iter().map(|bitmap| {
            let (node, name) = reader.bitmap_names(bitmap.bitmap).unwrap();
            (text(node), text(name), bitmap.granularity, bitmap.is_enabled, bitmap.is_persistent)
        });
        assert_eq!(told.collect::<Vec<_>>(), expected, "{}", entry["name"]);
        for item in &walk.items {
            if let Item::SectionEnd(section) = item
                && reader.handlers()[at(section.head.handler)].name == b"dirty-bitmap"
            {
                assert_eq!(section.sized, Sizing::Rule);
            }
        }
        with_bitmaps += u32::from(sum[6] > 0);
    }
    assert_eq!(with_bitmaps, 3);
}

/// The capture with other chunks: those of its START section, those of its END section, and where these begin.
struct Parts {
    input: Vec<u8>,
    start: usize,
    start_end: usize,
    end: usize,
    end_end: usize,
}

impl Parts {
    fn new() -> Self {
        let input = capture("qemu/q72-microvm-bitmaps.bin");
        let mut reader = QemuReader::main();
        let walk = walk_of(&mut reader, &input);
        let section = |kind| {
            let payload = walk.items.iter().find_map(|item| match item {
                Item::SectionEnd(section) if section.head.kind == kind && section.head.id == 3 => {
                    Some((at(section.head.payload), at(section.head.payload + section.length)))
                }
                _ => None,
            });
            payload.unwrap()
        };
        let ((start, start_end), (end, end_end)) = (section(Kind::Start), section(Kind::End));
        Self { input, start, start_end, end, end_end }
    }

    fn with(&self, start: &Made, end: &Made) -> Vec<u8> {
        let input = &self.input;
        [&input[..self.start], &start.0, &input[self.start_end..self.end], &end.0, &input[self.end_end..]].concat()
    }
}

/// Chunks of bitmaps.
impl Made {
    fn named(self, flags: u8, node: &str, name: &str) -> Self {
        self.u8(flags | NAMES).text(node).text(name)
    }

    fn begins(self, node: &str, name: &str, granularity: u32, flags: u8) -> Self {
        self.named(START, node, name).u32(granularity).u8(flags)
    }

    fn bits(self, sector: u64, sectors: u32, bytes: usize) -> Self {
        self.u64(sector).u32(sectors).u64(bytes as u64).bytes(&vec![0x11; bytes])
    }
}

/// What a QEMU 7.2.22 did with an altered stream: the machine had both nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Did {
    /// It completed, and had the bitmaps.
    Completed,
    /// It completed, and a bitmap had bits missing, or was locked, or all bitmaps were gone.
    Lost,
    Failed(&'static str),
    /// It aborted.
    Aborted,
}

struct Altered {
    what: &'static str,
    input: Vec<u8>,
    /// What `strict` says, with the offset from the beginning of the chunks that were altered.
    strict: Option<(&'static str, u64)>,
    did: Did,
}

const FAILED: Did = Did::Failed("Invalid argument");

/// Each first chunk of the START section, `first/stopped` of granularity 64 KiB, in another form.
fn altered_starts(parts: &Parts) -> Vec<Altered> {
    let begin = || Made::default().begins("first", "stopped", 0x1_0000, 0);
    let rest = &parts.input[parts.start + begin().0.len()..parts.start_end];
    let end = Made::default().bytes(&parts.input[parts.end..parts.end_end]);
    let of =
        |what, first: Made, strict, did| Altered { what, input: parts.with(&first.bytes(rest), &end), strict, did };
    let flags = |bytes: &[u8]| Made::default().bytes(bytes).bytes(&begin().0[1..]);
    let name = Some(("qemu.bitmap-name", 0));
    let start = |from| Some(("qemu.bitmap-start", from));
    vec![
        of("nothing", begin(), None, Did::Completed),
        of("flags of two bytes", flags(&[0x80, 0x1c]), None, Did::Completed),
        of("flags of four bytes", flags(&[0x80, 0x80, 0, 0x1c]), None, Did::Completed),
        of("an unknown flag of two bytes", flags(&[0x81, 0x1c]), Some(("qemu.bitmap-flags", 0)), Did::Completed),
        of(
            "unknown flags of four bytes",
            flags(&[0xff, 0xff, 0xff, 0x1c]),
            Some(("qemu.bitmap-flags", 0)),
            Did::Completed,
        ),
        of(
            "an upper flag of the last byte",
            flags(&[0x80, 0x80, 0, 0x9c]),
            Some(("qemu.bitmap-flags", 0)),
            Did::Completed,
        ),
        of("two things in one", flags(&[0x5c]), Some(("qemu.bitmap-flags", 0)), Did::Completed),
        of("no node", Made::default().begins("", "stopped", 0x1_0000, 0), Some(("qemu.bitmap-name", 1)), FAILED),
        of("no bitmap", Made::default().begins("first", "", 0x1_0000, 0), Some(("qemu.bitmap-name", 7)), FAILED),
        of("no names", Made::default().u8(START).u32(0x1_0000).u8(0), name, Did::Lost),
        of("a name with a zero byte", Made::default().begins("first", "stopp\0d", 0x1_0000, 0), name, Did::Lost),
        of("twice", begin().bytes(&begin().0), Some(("qemu.bitmap-name", 20)), FAILED),
        of("a flag kept for later", Made::default().begins("first", "stopped", 0x1_0000, 8), start(19), FAILED),
        of("the flag of old", Made::default().begins("first", "stopped", 0x1_0000, 4), None, Did::Completed),
        of("granularity 0", Made::default().begins("first", "stopped", 0, 0), start(15), Did::Aborted),
        of("granularity 3", Made::default().begins("first", "stopped", 3, 0), start(15), Did::Aborted),
        of("granularity 256", Made::default().begins("first", "stopped", 256, 0), start(15), Did::Aborted),
    ]
}

/// Bytes of each chunk of the END section: bits of `first/stopped`, four of `first/fine`, two of `second/kept`, the
/// completion of each, and the end.
const CHUNKS: [usize; 11] = [67, 1050, 13, 1045, 13, 25, 1045, 15, 6, 13, 1];

/// The END section with other chunks.
fn altered_ends(parts: &Parts) -> Vec<Altered> {
    let start = Made::default().bytes(&parts.input[parts.start..parts.start_end]);
    let mut chunks: Vec<&[u8]> = Vec::new();
    let mut rest = &parts.input[parts.end..parts.end_end];
    for length in CHUNKS {
        let (chunk, behind) = rest.split_at(length);
        chunks.push(chunk);
        rest = behind;
    }
    assert!(rest.is_empty());
    // In place of the chunk of that number, these.
    let of = |what, number: usize, new: &[&[u8]], strict: Option<(&'static str, usize)>, did| {
        let mut chunks = chunks.clone();
        chunks.splice(number..=number, new.iter().copied());
        let before: usize = CHUNKS[..number].iter().sum();
        let input = parts.with(&start, &Made(chunks.concat()));
        Altered { what, input, strict: strict.map(|(id, from)| (id, (before + from) as u64)), did }
    };
    let first = |sector, sectors, bytes| Made::default().named(BITS, "first", "stopped").bits(sector, sectors, bytes).0;
    let zeroes = |sector, sectors| Made::default().named(BITS | ZEROES, "first", "stopped").u64(sector).u32(sectors).0;
    let complete = |flags: u8| Made::default().named(flags, "second", "kept").0;
    let bits = |from| Some(("qemu.bitmap-bits", from));
    let flags = Some(("qemu.bitmap-flags", 0));
    let none: [u8; 0] = [];
    vec![
        of("nothing", 0, &[chunks[0]], None, Did::Completed),
        of("bits as long as they may be", 0, &[&first(0, 32_768, 10_240)], bits(15), Did::Lost),
        of(
            "bits that are longer",
            0,
            &[&first(0, 32_768, 10_241)],
            Some(("qemu.bitmap-length", 27)),
            Did::Failed("Input/output error"),
        ),
        of("more bits than filled up", 0, &[&first(0, 32_768, 40)], bits(15), Did::Lost),
        of("fewer bits", 0, &[&first(0, 32_768, 24)], bits(15), Did::Lost),
        of("no bits", 0, &[&first(0, 32_768, 0)], bits(15), Did::Lost),
        of("bits of no sector", 0, &[&first(0, 0, 0)], None, Did::Lost),
        of("bits within a word", 0, &[&first(1, 32_767, 32)], bits(15), Did::Aborted),
        of("zero bits within a word", 0, &[&zeroes(1, 5)], bits(15), Did::Aborted),
        of("bits of one sector more", 0, &[&first(0, 32_769, 32)], bits(15), Did::Aborted),
        of("a sector that wraps", 0, &[&first(1 << 55, 32_768, 32)], bits(15), Did::Lost),
        of(
            "another bitmap",
            0,
            &[&Made::default().named(BITS, "first", "other").bits(0, 32_768, 32).0],
            Some(("qemu.bitmap-name", 0)),
            Did::Lost,
        ),
        // Goes on with the last one of the START section; the next chunk does not.
        of(
            "no names",
            0,
            &[&Made::default().u8(BITS).bits(0, 32_768, 32).0],
            Some(("qemu.bitmap-name", 53)),
            Did::Lost,
        ),
        of(
            "a node alone",
            1,
            &[&Made::default().u8(BITS | 0x08).text("second").bytes(&chunks[1][6..]).0],
            flags,
            Did::Lost,
        ),
        of("a piece left out", 3, &[], bits(1), Did::Lost),
        of("a piece twice", 3, &[chunks[3], chunks[3]], bits(1045 + 1), Did::Completed),
        of("nothing in a chunk", 2, &[chunks[2], &[0]], flags.map(|(id, _)| (id, 13)), Did::Completed),
        of("zeroes of nothing", 2, &[chunks[2], &[ZEROES]], flags.map(|(id, _)| (id, 13)), Did::Completed),
        of("no completion", 9, &[&none], Some(("qemu.bitmap-unfinished", 0)), Did::Lost),
        of("two completions", 9, &[chunks[9], &[COMPLETE]], bits(13), Did::Completed),
        of(
            "bits behind the completion",
            9,
            &[chunks[9], &Made::default().u8(BITS | ZEROES).u64(0).u32(1 << 20).0],
            bits(13 + 1),
            Did::Completed,
        ),
        of("completion and bits", 9, &[&complete(COMPLETE | BITS)], flags, Did::Completed),
        of("names at the end", 10, &[&complete(EOS)], flags, Did::Completed),
    ]
}

fn outlook(input: &[u8]) -> Outlook {
    let mut destination = Destination::new(Machine::default());
    walk_in(&mut QemuReader::main(), input, || usize::MAX, |reader, event| destination.take(reader, &event));
    destination.finish()
}

#[test]
fn altered_bitmaps_are_named_and_qemu_is_foretold() {
    let parts = Parts::new();
    let (starts, ends) = (altered_starts(&parts), altered_ends(&parts));
    let all =
        starts.iter().map(|altered| (parts.start, altered)).chain(ends.iter().map(|altered| (parts.end, altered)));
    for (begin, Altered { what, input, strict, did }) in all {
        let mut reader = QemuReader::main();
        let walk = walk_of(&mut reader, input);
        for cut in [1, 7] {
            assert_eq!(walk_in(&mut QemuReader::main(), input, || cut, |_, _| {}), walk, "{what}");
        }
        let said: Vec<_> = walk.wrong().iter().map(|reason| (reason.id.text(), reason.offset().unwrap())).collect();
        // Where no bitmap is completed, what is named is where it was started.
        let begin =
            if strict.is_some_and(|(id, _)| id == "qemu.bitmap-unfinished") { None } else { Some(begin as u64) };
        match (strict, begin) {
            (Some((id, _)), None) => assert_eq!(said, [(*id, parts.start as u64 + 20 + 11)], "{what}"),
            (Some((id, from)), Some(begin)) => assert_eq!(said, [(*id, begin + from)], "{what}"),
            (None, _) => assert_eq!(said, [], "{what}"),
        }
        match (did, outlook(input)) {
            (Did::Completed | Did::Lost, Outlook::Completed) | (Did::Aborted, Outlook::Failed(_)) => {}
            (Did::Failed(error), Outlook::Failed(failure)) => assert_eq!(failure.cause.error(), *error, "{what}"),
            // Whether a sector is on the disk, the stream does not tell.
            (Did::Aborted, Outlook::Completed) => assert_eq!(*what, "bits of one sector more"),
            other => panic!("{what}: {other:?}"),
        }
        // What is lost is said, but for bits that the size of the disk alone would tell to be too few.
        assert!(*did == Did::Completed || strict.is_some() || *what == "bits of no sector", "{what}");
    }
}

#[test]
fn versions_that_no_loader_takes_are_named() {
    let parts = Parts::new();
    for (version, error) in [(0_u32, "Invalid argument"), (2, "Invalid argument")] {
        let mut input = parts.input.clone();
        input[parts.start - 4..parts.start].copy_from_slice(&version.to_be_bytes());
        let wrong = walk_of(&mut QemuReader::main(), &input).wrong();
        assert_eq!(wrong.iter().map(|reason| reason.id).collect::<Vec<_>>(), [reasons::SECTION_VERSION]);
        let Outlook::Failed(failure) = outlook(&input) else { panic!("{version}") };
        assert_eq!(failure.cause.error(), error);
    }
}

#[test]
fn a_full_section_of_bitmaps_is_read_as_what_it_is_and_named() {
    // QEMU loads it like the START section that it is in place of.
    let parts = Parts::new();
    let mut input = parts.input.clone();
    let head = parts.start - 26;
    assert_eq!(input[head], 1);
    input[head] = 4;
    let walk = walk_of(&mut QemuReader::main(), &input);
    assert_eq!(bitmaps(&walk).len(), 3);
    assert_eq!(walk.wrong()[0].id, reasons::SECTION_ORDER);
    assert_eq!(outlook(&input), Outlook::Completed);
}

#[test]
fn a_stream_without_a_bitmap_has_one_section_of_them() {
    let input = capture("qemu/q72-microvm-bitmaps-none.bin");
    let description = Description::read(&input[Description::find(&input).unwrap()]).unwrap();
    let walk = walk_of(&mut QemuReader::main().described_by(description), &input);
    assert_eq!((walk.findings, walk.failed), (vec![], None));
    // A second one is none that QEMU writes.
    let made = Made::new(&[]).ram(1).head(1, 3, "dirty-bitmap", 1).u8(EOS).footer(3);
    let more = made.u8(2).u32(3).u8(EOS).footer(3).ram_end().end();
    let wrong: Vec<Reason> = walk_of(&mut QemuReader::main(), &more.0).wrong();
    assert_eq!(wrong.iter().map(|reason| reason.id).collect::<Vec<_>>(), [reasons::SECTION_ORDER]);
}

#[test]
fn bits_are_passed_on_as_they_come() {
    // No more than the head of a chunk is asked for, however long its bits and its names are.
    let longest = "n".repeat(255);
    let made = Made::new(&[]).ram(1).head(1, 3, "dirty-bitmap", 1).begins(&longest, &longest, 512, 0);
    let made = made.u8(EOS).footer(3).u8(2).u32(3);
    let before = made.0.len();
    let input = made.named(BITS | EOS, &longest, &longest).bits(0, 81_920, at(BITS_MAX)).footer(3).0;
    let mut reader = QemuReader::main();
    let (mut used, mut end, mut asked) = (0, 0, 0);
    loop {
        let step = reader.step(&input[used..end], false);
        used += step.used;
        match step.event {
            Event::Need(_) if end == input.len() => break,
            Event::Need(need) => {
                asked = asked.max(need);
                end += 1;
            }
            event => assert!(!matches!(event, Event::Failed(_) | Event::Finding(_)), "{event:?}"),
        }
    }
    assert_eq!(used, input.len());
    assert!(asked <= 4 + 2 * 256 + 20, "{asked} bytes asked for");
    assert_eq!(sums(reader.bitmaps())[3..5], [1, BITS_MAX]);
    assert!(before < used);
}

#[test]
fn a_bitmap_that_is_completed_without_a_piece_is_named() {
    // QEMU 7.2 completes, and the bitmap has no bit set.
    let made = Made::new(&[]).ram(1).head(1, 3, "dirty-bitmap", 1).begins("a", "b", 512, 0).u8(EOS).footer(3);
    let made = made.ram_end().u8(3).u32(3);
    let place = made.0.len() as u64;
    let input = made.u8(COMPLETE | EOS).footer(3).end();
    let wrong = walk_of(&mut QemuReader::main(), &input.0).wrong();
    let said: Vec<_> = wrong.iter().map(|reason| (reason.id, reason.offset())).collect();
    assert_eq!(said, [(reasons::BITMAP_BITS, Some(place))]);
    assert_eq!(outlook(&input.0), Outlook::Completed);
}
