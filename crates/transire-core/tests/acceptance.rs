//! What was recorded on a real kernel, against the model of its driver; and what `strict` makes of the same streams.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;

use support::{fixture, path, push, target, whole};
use transire_core::format::{Driver, DriverStep, Errno, Holds, Prediction, predict};
use transire_core::gate::Options;
use transire_core::report::report;
use transire_core::vendors::mtty::driver::Device;
use transire_core::vendors::mtty::stream::{FORMAT, HEADER_LEN};
use transire_core::verdict::{Outcome, Reason, reasons};

/// A row of `acceptance.tsv`; the columns are described in the README beside it.
struct Row<'a> {
    file: &'a str,
    target_type: &'a str,
    step: &'a str,
    result: &'a str,
    write_mode: &'a str,
    file_bytes: usize,
    write_calls: usize,
    refused_write: &'a str,
    refused_writes: usize,
    set_state: &'a str,
    state: &'a str,
    holds: &'a str,
    stream: &'a str,
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Self {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, target_type, step, result, write_mode, file_bytes, write_calls, refused_write, ..] = columns[..]
        else {
            panic!("{line}");
        };
        let [.., refused_writes, set_state, state, holds, stream] = columns[..] else { panic!("{line}") };
        assert_eq!(columns.len(), 13, "{line}");
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{line}"));
        Self {
            file,
            target_type,
            step,
            result,
            write_mode,
            file_bytes: number(file_bytes),
            write_calls: number(write_calls),
            refused_write,
            refused_writes: number(refused_writes),
            set_state,
            state,
            holds,
            stream,
        }
    }

    fn ports(&self) -> u32 {
        match self.target_type {
            "mtty-1" => 1,
            "mtty-2" => 2,
            other => panic!("{other}"),
        }
    }

    /// The `write()` calls of the row's mode, and whether they go on behind a refusal.
    fn writes<'b>(&self, input: &'b [u8]) -> (Vec<&'b [u8]>, bool) {
        let (mode, argument) = self.write_mode.split_once(':').unwrap_or((self.write_mode, ""));
        let number = || argument.parse::<usize>().unwrap();
        match mode {
            // A stream of no bytes is still written once.
            "whole" | "closefirst" => (vec![input], false),
            "zerofirst" => (vec![&[], input], false),
            "zerolast" => (vec![input, &[]], false),
            "nowrite" => (vec![], false),
            "each" => (input.chunks(number()).collect(), false),
            "keepgoing" => (input.chunks(number()).collect(), true),
            "split" => {
                let (mut pieces, mut from) = (Vec::new(), 0);
                for at in argument.split(',').map(|at| at.parse::<usize>().unwrap().min(input.len())) {
                    pieces.push(&input[from..at]);
                    from = at;
                }
                pieces.push(&input[from..]);
                pieces.retain(|piece| !piece.is_empty());
                (pieces, false)
            }
            other => panic!("{other}"),
        }
    }
}

/// What came of making the writes: which were made, which were refused and with what, and where the first of those was.
struct Made<'a> {
    writes: Vec<&'a [u8]>,
    refused: usize,
    first: Option<(usize, usize, &'static str)>,
}

fn make<'a>(device: &mut Device, writes: &[&'a [u8]], keep_going: bool) -> Made<'a> {
    let mut made = Made { writes: Vec::new(), refused: 0, first: None };
    let mut offset = 0;
    for &write in writes {
        made.writes.push(write);
        if let Err(errno) = device.write(write) {
            made.refused += 1;
            made.first.get_or_insert((offset, write.len(), errno.name()));
            if !keep_going {
                break;
            }
        }
        offset += write.len();
    }
    made
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn check(row: &Row<'_>) {
    let what = format!("{} into {}, {}", row.file, row.target_type, row.write_mode);
    let input = fixture(row.file);
    assert_eq!(input.len(), row.file_bytes, "{what}");
    let (writes, keep_going) = row.writes(&input);

    let mut device = Device::resuming(row.ports());
    let made = make(&mut device, &writes, keep_going);
    // Empty writes beside the stream are no calls of the row.
    let counted = made.writes.iter().filter(|write| !write.is_empty() || input.is_empty()).count();
    assert_eq!(counted, row.write_calls, "{what}");
    assert_eq!(made.refused, row.refused_writes, "{what}");
    let first = made.first.map_or("-".into(), |(offset, length, _)| format!("{offset}+{length}"));
    assert_eq!(first, row.refused_write, "{what}");

    let resumed = device.resume();
    let set_state = resumed.map_or_else(Errno::name, |()| "ok");
    assert_eq!(set_state, row.set_state, "{what}");
    assert_eq!(if resumed.is_ok() { "RUNNING" } else { "RESUMING" }, row.state, "{what}");
    let (step, result) = match (made.first, resumed) {
        (Some((.., errno)), _) => ("write", errno),
        (None, Err(errno)) => ("set_state", errno.name()),
        (None, Ok(())) => ("none", "ok"),
    };
    assert_eq!((step, result), (row.step, row.result), "{what}");

    let previous = fixture(&format!("mtty{}-marker-previous.bin", row.ports()));
    let saved = if resumed.is_ok() {
        // A save writes a header of its own before the records that were loaded.
        [&previous[..HEADER_LEN], device.port_records()].concat()
    } else {
        previous
    };
    assert_eq!(hex(&saved), row.stream, "{what}");

    // The prediction from the writes that were made, and, of the first refusal, from all writes.
    let open = FORMAT.driver.unwrap();
    let target = target(u64::from(row.ports()));
    let of_made = predict(open(&target).unwrap().as_mut(), made.writes.iter().copied());
    let of_all = predict(open(&target).unwrap().as_mut(), writes.iter().copied());
    let holds = if resumed.is_ok() { Holds::Input } else { Holds::Previous };
    assert_eq!(holds.name(), row.holds, "{what}");
    match of_made {
        Prediction::Accepted => assert_eq!((row.step, row.holds), ("none", "input"), "{what}"),
        Prediction::Refused { step, errno, write, if_ignored } => {
            assert_eq!((step.name(), errno.name(), if_ignored.name()), (row.step, row.result, row.holds), "{what}");
            let at = made.writes[..usize::try_from(write).unwrap()].iter().map(|write| write.len()).sum::<usize>();
            match step {
                DriverStep::Write => assert_eq!(Some(at), made.first.map(|(offset, ..)| offset), "{what}"),
                DriverStep::SetState => assert_eq!(at, input.len() * usize::from(!made.writes.is_empty()), "{what}"),
            }
            let Prediction::Refused { step: all_step, errno: all_errno, write: all_write, .. } = of_all else {
                panic!("{what}: {of_all:?}");
            };
            assert_eq!((all_step, all_errno, all_write), (step, errno, write), "{what}");
        }
        Prediction::Depends(on) => panic!("{what}: {on}"),
    }
}

#[test]
fn the_model_agrees_with_the_kernel_row_by_row() {
    let table = String::from_utf8(fixture("acceptance.tsv")).unwrap();
    let rows: Vec<Row<'_>> = table.lines().skip(1).map(Row::read).collect();
    rows.iter().for_each(check);
    say(&format!("{} rows agree", rows.len()));
    assert_eq!(rows.len(), 406);
}

#[test]
fn strict_refuses_all_that_the_kernel_refuses() {
    let table = String::from_utf8(fixture("acceptance.tsv")).unwrap();
    let (mut refused, mut caught) = (0, 0);
    for row in table.lines().skip(1).map(Row::read).filter(|row| row.write_mode == "whole") {
        let seen = whole(&target(u64::from(row.ports())), &Options::default(), &fixture(row.file));
        if row.step == "none" {
            caught += usize::from(!seen.complete);
        } else {
            assert!(!seen.complete, "{} into {}", row.file, row.target_type);
            refused += 1;
        }
    }
    say(&format!("{refused} refused by both, {caught} by strict alone"));
    assert!(refused > 0 && caught > 0);
}

/// Every stream of the fixtures, with what was done to it; nothing for one that is as it was captured.
fn streams() -> BTreeMap<String, String> {
    let table = String::from_utf8(fixture("mutations.tsv")).unwrap();
    let mutated = table.lines().skip(1).map(|line| line.split_once('\t').unwrap());
    let mut streams: BTreeMap<String, String> =
        mutated.map(|(file, rest)| (file.to_owned(), rest.split_once('\t').unwrap().1.to_owned())).collect();
    for entry in std::fs::read_dir(path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.to_ascii_lowercase().ends_with(".bin") {
            streams.insert(name, String::new());
        }
    }
    streams
}

/// The table that `strict.tsv` holds: what a gate says of every stream before each target, in any cut.
fn strict() -> String {
    let mut table = String::from("file\ttarget_type\toutcome\treason\toffset\n");
    for file in streams().keys() {
        let input = fixture(file);
        for ports in 1..=2 {
            let (target, options) = (target(ports), Options::default());
            let seen = whole(&target, &options, &input);
            assert_eq!(push(&target, &options, input.chunks(1)), seen, "{file}");
            assert_eq!(seen.complete, seen.verdict.outcome() == Outcome::Compatible, "{file}");
            assert_eq!(seen.payload, if seen.complete { &input[..] } else { &[] }, "{file}");
            let all = seen.verdict.reasons();
            let first = all.iter().find(|reason| !reason.is_note()).or(all.first());
            let id = first.map_or("-".into(), |reason| report(reason, None, Some(&target)).id);
            let offset = first.and_then(Reason::offset).map_or("-".into(), |offset| offset.to_string());
            writeln!(table, "{file}\tmtty-{ports}\t{}\t{id}\t{offset}", seen.verdict.outcome()).unwrap();
        }
    }
    table
}

#[test]
fn strict_says_what_it_said() {
    assert_eq!(strict(), String::from_utf8(fixture("strict.tsv")).unwrap(), "`--ignored` writes the table anew");
}

#[test]
#[ignore = "writes fixtures/mtty/strict.tsv; read the difference before it is kept"]
fn write_strict() {
    std::fs::write(path("strict.tsv"), strict()).unwrap();
}

#[test]
fn captured_streams_are_complete_on_their_own_type() {
    let mut captured = 0;
    for (file, _) in streams().iter().filter(|(_, change)| change.is_empty()) {
        let input = fixture(file);
        let own = if file.starts_with("mtty1") { 1 } else { 2 };
        for ports in 1..=2 {
            let seen = whole(&target(ports), &Options::default(), &input);
            if ports == own {
                assert!(seen.complete && seen.verdict.reasons().is_empty(), "{file}: {:?}", seen.verdict);
                assert_eq!((seen.payload.as_slice(), seen.used), (&input[..], input.len() as u64), "{file}");
            } else {
                assert_eq!(seen.verdict.reasons().len(), 1, "{file}");
                assert_eq!(seen.verdict.reasons()[0].id, reasons::NOT_EQUAL, "{file}");
                assert_eq!((seen.verdict.outcome(), seen.payload.len()), (Outcome::Incompatible, 0), "{file}");
            }
        }
        captured += 1;
    }
    say(&format!("{captured} captured streams are complete"));
    assert_eq!(captured, 15);
}

/// What the driver loads in silence and a device was never seen to save: each is refused, or noted, or is a value that a
/// device can have.
#[test]
fn nothing_that_was_forged_passes_unseen() {
    /// Changes that make another stream that a device could have saved.
    const POSSIBLE: &[&str] = &["trig = 0 (0x00)", "fcr = 56 (0x38)", "nr_ports rewritten to 1"];
    let mut seen_through = 0;
    for (file, change) in streams().iter().filter(|(_, change)| !change.is_empty()) {
        let input = fixture(file);
        for ports in 1..=2 {
            let seen = whole(&target(ports), &Options::default(), &input);
            let silent = seen.verdict.reasons().is_empty();
            let known = POSSIBLE.iter().any(|known| change.ends_with(known));
            assert!(!silent || known, "{file} ({change}) passes mtty-{ports} without a word");
            seen_through += usize::from(!silent);
        }
    }
    say(&format!("{seen_through} verdicts on forged streams have a reason"));
}

#[test]
fn the_two_parts_of_pre_copy_are_one_stream() {
    let mut states = 0;
    for entry in std::fs::read_dir(path("precopy")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(state) = name.strip_suffix(".precopy-part.bin") else { continue };
        let first = fixture(&format!("precopy/{name}"));
        let second = fixture(&format!("precopy/{state}.stopcopy-part.bin"));
        let ports = if state.starts_with("mtty1") { 1 } else { 2 };
        let seen = push(&target(ports), &Options::default(), [&first[..], &second]);
        assert!(seen.complete, "{state}");
        assert_eq!(seen.payload, [first, second].concat(), "{state}");
        states += 1;
    }
    say(&format!("{states} states in two parts"));
    assert!(states > 0);
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
