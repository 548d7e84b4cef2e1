//! What was recorded of the xe driver's own code, against the model of it; and what `strict` makes of the same streams.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use transire_core::attribute::{OwnedValue, PCI_ID, PciId, REVISION, Value};
use transire_core::format::{Between, Choices, Driver, Errno, Failure};
use transire_core::gate::Options;
use transire_core::target::Target;
use transire_core::vendors::xe::driver::{AnySchedule, Device, Host, Loading, Packet, Schedule};
use transire_core::vendors::xe::stream::{FORMAT, kind};
use transire_core::vendors::xe::{GGTT_PAGES, GTS, VRAM_BYTES};
use transire_core::verdict::Outcome;

use crate::harness::{
    Act, Agreement, Case, Row, Table, acts, bytes, golden, name_of, number_of, path, predicted, say, strict_table,
    target_of,
};
use crate::support::whole;

/// The largest buffer for memory that the recording's kernel gave where a row does not say otherwise.
const BUFFER_OBJECT_MAX: u64 = 1 << 30;
/// The recording's transfer buffer for firmware state.
const GUC_BUFFER: u64 = 8192;

fn number(row: &Row<'_>, key: &str) -> u64 {
    number_of(row.target(key).unwrap_or_else(|| panic!("{key}: {}", row.line)))
}

fn host(row: &Row<'_>) -> Host {
    let gts = match (number(row, "tiles"), number(row, "media")) {
        (1, 0) => 0b1,
        (1, 1) => 0b11,
        (2, 1) => 0b1111,
        other => panic!("{other:?}"),
    };
    Host {
        device_id: u32::try_from(number(row, "devid")).unwrap(),
        revision: u32::try_from(number(row, "revid")).unwrap(),
        gts,
        ggtt_pages: number(row, "ggtt_pages"),
        vram_bytes: number(row, "vram"),
    }
}

fn target(host: &Host) -> Arc<Target> {
    let device = u16::try_from(host.device_id).unwrap();
    let attributes = [
        (PCI_ID, Value::PciId(PciId { vendor: 0x8086, device }).to_owned()),
        (REVISION, Value::Uint(u64::from(host.revision)).to_owned()),
        (GTS, OwnedValue::mask(&[host.gts]).unwrap()),
        (GGTT_PAGES, Value::Uint(host.ggtt_pages).to_owned()),
        (VRAM_BYTES, Value::Uint(host.vram_bytes).to_owned()),
    ];
    target_of("xe", &attributes)
}

/// The device of a row, told of all that the row's environment says.
fn device(row: &Row<'_>) -> Device {
    let schedule = match row.target("worker") {
        Some("eager") => Schedule::Eager,
        Some("late") => Schedule::Late,
        other => panic!("{other:?}: {}", row.line),
    };
    let most = row.target("bolimit").map_or(BUFFER_OBJECT_MAX, number_of);
    let device = Device::resuming(host(row), schedule).buffer_object_max(most).guc_buffer(GUC_BUFFER);
    match row.target("guc_refuse") {
        None => device,
        Some("5") => device.guc_refuses(Errno::Eio),
        Some("22") => device.guc_refuses(Errno::Einval),
        Some(other) => panic!("{other}: {}", row.line),
    }
}

/// A list as the recording shows it: six at the most, else the first five.
fn listed(entries: &[String], all: usize) -> String {
    match all {
        0 => "-".into(),
        1..=6 => entries.join(";"),
        _ => format!("{};(+{} more)", entries[..5].join(";"), all - 5),
    }
}

/// What the device got, from one event to another, as the recording shows it. `taken` is every byte that was taken.
fn got(device: &Device, events: Range<usize>, taken: &[u8]) -> String {
    let kinds = |of: &Packet| match of.kind {
        kind::GUC => "guc",
        kind::GGTT => "ggtt",
        kind::MMIO => "mmio",
        kind::VRAM => "vram",
        other => panic!("{other}"),
    };
    let content = |of: &Packet, bytes: &Range<u64>| {
        let range = usize::try_from(bytes.start).unwrap()..usize::try_from(bytes.end).unwrap();
        let mut content = taken[range].to_vec();
        if of.kind == kind::GGTT {
            for entry in content.as_chunks_mut::<8>().0 {
                *entry = (u64::from_le_bytes(*entry) & !0xffc).to_le_bytes();
            }
        }
        let hash = Sha256::digest(&content).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let place = if of.kind == kind::VRAM { format!("+{}", of.offset) } else { format!("@gt{}", of.gt) };
        format!("{}{place}:{}:{hash}", kinds(of), content.len())
    };
    let entry = |event: &Loading| match event {
        Loading::Loaded { of, bytes } => content(of, bytes),
        Loading::Refused { of, bytes } => format!("{}:refused", content(of, bytes)),
        Loading::Failed { of, errno } => format!("failed-{}@gt{}:{}", kinds(of), of.gt, errno.name()),
        Loading::Skipped(of) => format!("skipped@gt{}:type={}", of.gt, of.kind),
        Loading::Dropped { gt } => format!("dropped-unprocessed@gt{gt}"),
        Loading::TimedOut { gt } => format!("timeout@gt{gt}"),
    };
    let kept: Vec<String> = device.events().iter().skip(events.start).take(events.len().min(6)).map(entry).collect();
    listed(&kept, events.len())
}

/// A row's calls as the recording made them, and everything that was seen of them.
struct Played {
    device: Device,
    /// Every byte that was taken.
    taken: Vec<u8>,
    returned: usize,
    refused: usize,
    first: Option<First>,
    /// The calls behind the first refusal.
    rest: Vec<String>,
    crashed: bool,
}

/// The first call that was refused.
struct First {
    place: String,
    result: &'static str,
    position: u64,
    /// Events before its end.
    events: usize,
}

impl Played {
    fn write(&mut self, place: &str, bytes: &[u8]) -> Result<(), Failure> {
        let before = self.device.position();
        let result = self.device.write(bytes);
        let count = usize::try_from(self.device.position() - before).unwrap();
        self.taken.extend_from_slice(&bytes[..count]);
        let name = name_of(result);
        self.crashed = name == "CRASH";
        self.returned += usize::from(!self.crashed);
        self.refused += usize::from(result.is_err() && !self.crashed);
        if self.first.is_some() {
            self.rest.push(format!("{place}:{name}"));
        } else if result.is_err() {
            let events = self.device.events_count();
            self.first = Some(First { place: place.into(), result: name, position: self.device.position(), events });
        }
        result
    }

    fn rest_as_recorded(&self) -> String {
        match &self.rest[..] {
            [] => "-".into(),
            [_] | [_, _] => self.rest.join(";"),
            [first, second, .., last] => format!("{first};{second};(+{} more, last {last})", self.rest.len() - 2),
        }
    }
}

/// Makes the calls of a row. The recording goes on behind a refusal: with the rest of the file as one write, or an empty
/// write and one of a byte where nothing is left; and where a call would block, as after a signal.
fn play(row: &Row<'_>, acts: &[Act<'_>], keep_going: bool, input: &[u8]) -> Played {
    let mode = row.get("write_mode");
    let device = device(row);
    let mut played =
        Played { device, taken: Vec::new(), returned: 0, refused: 0, first: None, rest: Vec::new(), crashed: false };
    for act in acts {
        match act {
            Act::Write { offset, bytes, filler } => {
                let filler = if *filler { "fill+" } else { "" };
                let place = if filler.is_empty() { format!("{offset}+{}", bytes.len()) } else { "fill+1".into() };
                let result = played.write(&place, bytes);
                if played.crashed {
                    return played;
                }
                if result.is_ok() || keep_going {
                    continue;
                }
                let end = if filler.is_empty() { offset + bytes.len() } else { input.len() };
                if mode == "afterstop" {
                } else if end < input.len() {
                    let _ = played.write(&format!("{end}+{}", input.len() - end), &input[end..]);
                } else {
                    let _ = played.write(&format!("{end}+0"), &[]);
                    let _ = played.write(&format!("{end}+1"), &[0]);
                }
                return played;
            }
            Act::Resume => {
                let _ = played.device.resume();
            }
            // The mode `reset` does not begin another session, which `cutfirst` does.
            Act::Between(_) if mode.contains("reset") => played.device.reset(),
            Act::Between(between) => played.device.again(*between),
        }
    }
    played
}

fn check(row: &Row<'_>) {
    let what = row.line;
    let input = bytes("xe", row.get("file"));
    assert_eq!(input.len(), row.number("file_bytes"), "{what}");
    let (acts, keep_going) = calls(row, &input);
    let mut played = play(row, &acts, keep_going, &input);
    assert_eq!(played.returned, row.number("write_calls"), "{what}");
    assert_eq!(played.refused, row.number("refused_writes"), "{what}");
    assert_eq!(played.rest_as_recorded(), row.get("rest_if_ignored"), "{what}");
    let first = played.first.take();
    assert_eq!(first.as_ref().map_or("-", |first| &first.place), row.get("refused_write_offset+length"), "{what}");

    // The change of state is tried in every case, but behind a crash; and once more on the way to RUNNING.
    let mut afterwards = "-";
    if !played.crashed {
        let result = played.device.resume();
        afterwards = name_of(result);
        played.crashed = afterwards == "CRASH";
        if played.crashed {
            afterwards = "-";
        } else if result.is_err() {
            assert_eq!(played.device.resume(), result, "{what}");
        }
    }
    assert_eq!(afterwards, row.get("set_state_STOP_afterwards"), "{what}");
    assert_eq!(if afterwards == "ok" { "RUNNING" } else { "RESUMING" }, row.get("state_afterwards"), "{what}");
    let (step, result) = match &first {
        Some(first) => ("write", first.result),
        None if played.crashed => ("set_state", "CRASH"),
        None if afterwards == "ok" => ("none", "ok"),
        None => ("set_state", afterwards),
    };
    assert_eq!((step, result), (row.get("step"), row.get("result")), "{what}");
    let position = first.as_ref().filter(|first| first.result != "CRASH").map(|first| first.position.to_string());
    assert_eq!(position.as_deref().unwrap_or("-"), row.get("driver_position"), "{what}");

    let end = played.device.events_count();
    let until = first.as_ref().map_or(end, |first| first.events);
    assert_eq!(got(&played.device, 0..until, &played.taken), row.get("device_got"), "{what}");
    assert_eq!(got(&played.device, until..end, &played.taken), row.get("device_got_if_ignored"), "{what}");
    if row.get("peak_pages") == "?" {
        assert!(played.crashed, "{what}");
    } else {
        assert_eq!(played.device.buffer_object_peak(), 4096 * row.number("peak_pages") as u64, "{what}");
    }
}

/// The calls of a row's mode; here the pieces of `split` that are empty were written too.
fn calls<'a>(row: &Row<'_>, input: &'a [u8]) -> (Vec<Act<'a>>, bool) {
    let mode = row.get("write_mode");
    let Some(cuts) = mode.strip_prefix("split:") else { return acts(mode, input) };
    let mut from = 0;
    let ends = cuts.split(',').map(|at| at.parse().unwrap()).chain([input.len()]);
    let piece = |to: usize| {
        let offset = std::mem::replace(&mut from, to);
        Act::Write { offset, bytes: Cow::Borrowed(&input[offset..to]), filler: false }
    };
    (ends.map(piece).collect(), false)
}

/// What the driver as a target opens it says of a row that consists of writes, and what of a row that does not.
fn counted(row: &Row<'_>) -> &'static str {
    let input = bytes("xe", row.get("file"));
    let (acts, keep_going) = calls(row, &input);
    if acts.iter().any(|act| matches!(act, Act::Resume | Act::Between(_))) {
        return "of more than one session";
    }
    if row.target("guc_refuse").is_some() || row.target("bolimit").is_some() {
        return "of a host that is told of: firmware that refuses, little memory";
    }
    let mut any = FORMAT.driver.unwrap()(&target(&host(row)), Choices::NONE).unwrap();
    let every = predicted(row, any.as_mut(), &acts);
    // What comes behind the first refusal does not change what is said of it, where nobody goes on.
    if !keep_going && row.get("step") == "write" {
        let last = acts.iter().position(|act| {
            let Act::Write { offset, bytes, .. } = act else { return false };
            format!("{offset}+{}", bytes.len()) == row.get("refused_write_offset+length")
        });
        let mut any = FORMAT.driver.unwrap()(&target(&host(row)), Choices::NONE).unwrap();
        let _ = predicted(row, any.as_mut(), &acts[..=last.unwrap()]);
    }
    match every {
        Agreement::Agrees => "predicted from stream and target",
        Agreement::Depends(on) => on,
    }
}

#[test]
fn the_model_agrees_with_the_driver_row_by_row() {
    let table = Table::read("xe", "acceptance.tsv");
    table.rows().for_each(|row| check(&row));
    let rows = table.rows().count();
    say(&format!("xe: {rows} rows agree"));
    assert_eq!(rows, 624);
}

#[test]
fn predictions_agree_or_say_what_they_depend_on() {
    let mut counts = BTreeMap::new();
    for row in Table::read("xe", "acceptance.tsv").rows() {
        *counts.entry(counted(&row)).or_insert(0) += 1;
    }
    for (what, count) in &counts {
        say(&format!("xe: {count} rows: {what}"));
    }
    assert_eq!(counts.values().sum::<i32>(), 624);
}

/// Every stream of the fixtures: as it was captured, or what was done to it.
fn streams() -> BTreeMap<String, Option<String>> {
    let table = String::from_utf8(bytes("xe", "mutations.tsv")).unwrap();
    let mutated = table.lines().skip(1).map(|line| line.split_once('\t').unwrap());
    let mut streams: BTreeMap<_, _> =
        mutated.map(|(file, change)| (file.to_owned(), Some(change.to_owned()))).collect();
    for entry in std::fs::read_dir(path("xe", "")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.to_ascii_lowercase().ends_with(".bin") {
            streams.insert(name, None);
        }
    }
    streams
}

/// The devices of the captures, by the number of their PCI device.
const HOSTS: [(&str, Host); 4] = [
    ("b080", Host { device_id: 0xb080, revision: 4, gts: 0b11, ggtt_pages: 4, vram_bytes: 0 }),
    ("e20b", Host { device_id: 0xe20b, revision: 1, gts: 0b1111, ggtt_pages: 2, vram_bytes: 128 }),
    ("e210", Host { device_id: 0xe210, revision: 2, gts: 0b1, ggtt_pages: 16, vram_bytes: 512 }),
    ("e211", Host { device_id: 0xe211, revision: 0, gts: 0b11, ggtt_pages: 4, vram_bytes: 256 }),
];

fn own(file: &str) -> &'static str {
    match file.split(['.', '-']).next().unwrap() {
        "integrated" => "b080",
        "two" => "e20b",
        "no" => "e210",
        _ => "e211",
    }
}

#[test]
fn strict_says_what_it_said() {
    let cases = streams().into_keys().flat_map(|file| {
        HOSTS.iter().map(move |(name, host)| Case { file: file.clone(), target: (*name).into(), of: target(host) })
    });
    golden("xe", "strict.tsv", &strict_table("xe", cases));
}

#[test]
fn captured_streams_are_complete_on_their_own_device() {
    let mut captured = 0;
    for (file, _) in streams().iter().filter(|(_, change)| change.is_none()) {
        let input = bytes("xe", file);
        for (name, host) in &HOSTS {
            let seen = whole(&target(host), &Options::default(), &input);
            if *name == own(file) {
                assert!(seen.complete && seen.verdict.reasons().is_empty(), "{file}: {:?}", seen.verdict);
                assert_eq!((seen.payload.as_slice(), seen.used), (&input[..], input.len() as u64), "{file}");
            } else {
                assert_eq!((seen.verdict.outcome(), seen.payload.len()), (Outcome::Incompatible, 0), "{file}");
            }
        }
        captured += 1;
    }
    say(&format!("xe: {captured} captured streams are complete"));
    assert_eq!(captured, 7);
}

/// Whatever the driver refuses, strict refuses before the same target; and what the driver loads in silence is refused or
/// noted, but for streams that another device could have saved.
#[test]
fn strict_sees_what_the_driver_refuses_and_more() {
    let captured: BTreeSet<Vec<u8>> =
        streams().iter().filter(|(_, change)| change.is_none()).map(|(file, _)| bytes("xe", file)).collect();
    let (mut both, mut alone, mut noted) = (0, 0, 0);
    let mut silent = BTreeSet::new();
    for row in Table::read("xe", "acceptance.tsv").rows() {
        let plain = row.get("write_mode") == "whole" && row.target("guc_refuse").is_none();
        if !plain || row.target("bolimit").is_some() {
            continue;
        }
        let input = bytes("xe", row.get("file"));
        let seen = whole(&target(&host(&row)), &Options::default(), &input);
        if row.get("step") != "none" && !seen.complete {
            both += 1;
        } else if !seen.complete {
            alone += 1;
        } else if !seen.verdict.reasons().is_empty() {
            noted += 1;
        } else if !captured.contains(&input) {
            silent.insert(row.get("file").to_owned());
        }
    }
    say(&format!("xe: {both} refused by both, {alone} by strict alone, {noted} noted"));
    let known: BTreeSet<String> = POSSIBLE.iter().map(|file| (*file).to_owned()).collect();
    assert_eq!(silent, known);
}

/// Changes that make another stream that a device could have saved: the keys in the other order, firmware state of another
/// length (one of them longer than the recording's transfer buffer), memory in other pieces.
const POSSIBLE: &[&str] = &[
    "mutated/desc-swapped.bin",
    "mutated/guc-20-bytes.bin",
    "mutated/guc-4-bytes.bin",
    "mutated/guc-8-bytes.bin",
    "mutated/guc-8192.bin",
    "mutated/guc-8196.bin",
    "mutated/vram-two-halves.bin",
];

/// A session that nobody knows the predecessor of.
#[test]
fn an_unknown_predecessor_may_have_left_half_a_packet() {
    let input = bytes("xe", "discrete.bin");
    let host = HOSTS[3].1;
    let mut device = AnySchedule::resuming(host);
    assert_eq!((device.write(&input), device.resume(), device.depends()), (Ok(()), Ok(()), None));
    device.again(Between::Reset);
    assert_eq!((device.write(&input), device.resume(), device.depends()), (Ok(()), Ok(()), None));
    device.again(Between::Ran);
    assert_eq!(device.write(&input[..30]), Ok(()));
    device.again(Between::Reset);
    assert_ne!(device.write(&input), Ok(()));
    let mut device = AnySchedule::resuming(host);
    device.forget();
    assert_eq!((device.write(&[]), device.depends()), (Ok(()), None));
    assert_eq!(device.write(&input), Ok(()));
    assert!(device.depends().is_some());
}
