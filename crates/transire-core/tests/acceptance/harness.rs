//! Reads the recorded tables, makes a row's calls on a model, and says what came of them.
#![allow(dead_code, unreachable_pub)] // Each vendor takes its part.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use transire_core::attribute::{AttributeId, OwnedValue, Text, VENDOR, Value};
use transire_core::format::{Between, Break, Driver, DriverStep, Failure, Prediction, predict};
use transire_core::gate::Options;
use transire_core::profile::ProfileBuilder;
use transire_core::report::report;
use transire_core::target::Target;
use transire_core::vendors::VENDORS;
use transire_core::verdict::Reason;

use crate::support::{push, whole};

/// A target of this vendor that has these attributes.
pub fn target_of(vendor: &'static str, attributes: &[(AttributeId, OwnedValue)]) -> Arc<Target> {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(Text::constant(vendor)).to_owned());
    for (id, value) in attributes {
        builder.set(*id, value);
    }
    let profile = builder.build(&|vendor| VENDORS.dictionary(vendor)).unwrap();
    Arc::new(Target::new(profile, VENDORS.vendor(vendor).unwrap().rules).unwrap())
}

/// A file below `fixtures/VENDOR`.
pub fn path(vendor: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(vendor).join(name)
}

/// The bytes of a file below `fixtures/VENDOR`.
pub fn bytes(vendor: &str, name: &str) -> Vec<u8> {
    std::fs::read(path(vendor, name)).unwrap_or_else(|error| panic!("{vendor}/{name}: {error}"))
}

/// A table of tab-separated values with a head.
pub struct Table {
    columns: Vec<String>,
    lines: Vec<String>,
}

impl Table {
    pub fn read(vendor: &str, name: &str) -> Self {
        Self::of(&String::from_utf8(bytes(vendor, name)).unwrap())
    }

    /// The table with this text.
    pub fn of(text: &str) -> Self {
        let mut lines = text.lines().map(ToOwned::to_owned);
        let columns = lines.next().unwrap().split('\t').map(ToOwned::to_owned).collect();
        Self { columns, lines: lines.collect() }
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.lines.iter().map(|line| {
            let values: Vec<&str> = line.split('\t').collect();
            assert_eq!(values.len(), self.columns.len(), "{line}");
            Row { line, values: self.columns.iter().map(String::as_str).zip(values).collect() }
        })
    }
}

/// A row, its values by the names of the columns.
pub struct Row<'a> {
    pub line: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Row<'a> {
    pub fn get(&self, column: &str) -> &'a str {
        self.values.get(column).unwrap_or_else(|| panic!("no column {column}: {}", self.line))
    }

    pub fn number(&self, column: &str) -> usize {
        self.get(column).parse().unwrap_or_else(|_| panic!("{column}: {}", self.line))
    }

    /// A value of the column `target`, which has the form `key=value;key=value`.
    pub fn target(&self, key: &str) -> Option<&'a str> {
        self.get("target")
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .find(|pair| pair.0 == key)
            .map(|pair| pair.1)
    }
}

/// A decimal number, or one in hex behind `0x`.
pub fn number_of(text: &str) -> u64 {
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16));
    number.unwrap_or_else(|_| panic!("{text} is no number"))
}

/// One call of a row.
#[derive(Clone, Debug)]
pub enum Act<'a> {
    /// A `write()` of bytes that stand at this offset of the stream; filler stands behind it.
    Write { offset: usize, bytes: Cow<'a, [u8]>, filler: bool },
    /// The change out of RESUMING, before the last one that every row makes.
    Resume,
    /// Another session begins.
    Between(Between),
}

/// Bytes of a filler write.
const FILLER: usize = 65_536;

/// The calls of a row's mode before the last change of state, and whether they go on behind a refusal.
pub fn acts<'a>(mode: &str, input: &'a [u8]) -> (Vec<Act<'a>>, bool) {
    let part = |from: usize, to: usize| Act::Write {
        offset: from,
        bytes: Cow::Borrowed(&input[from.min(input.len())..to.min(input.len())]),
        filler: false,
    };
    let empty = || Act::Write { offset: 0, bytes: Cow::Borrowed(&[]), filler: false };
    let all = || part(0, input.len());
    let mut acts = Vec::new();
    let mut keep_going = false;
    for piece in mode.split('+') {
        let (name, argument) = piece.split_once(':').unwrap_or((piece, ""));
        let number = || argument.parse::<usize>().unwrap_or_else(|_| panic!("{mode}"));
        match name {
            "whole" | "closefirst" => acts.push(all()),
            "nowrite" | "closelast" => {}
            "zerofirst" if mode == "zerofirst" => acts.extend([empty(), all()]),
            "zerolast" if mode == "zerolast" => acts.extend([all(), empty()]),
            "zerofirst" | "zerolast" => acts.push(empty()),
            "each" | "keepgoing" => {
                keep_going = name == "keepgoing";
                acts.extend((0..input.len()).step_by(number()).map(|at| part(at, at + number())));
            }
            "split" => {
                let mut from = 0;
                // A cut behind the end of the stream is none; two at one place have an empty write between them.
                for at in argument.split(',').map(|at| at.parse().unwrap()).filter(|at| *at < input.len()) {
                    acts.push(part(from, at));
                    from = at;
                }
                acts.push(part(from, input.len()));
            }
            "fill" => {
                for at in (0..number()).step_by(FILLER) {
                    let bytes = Cow::Owned(vec![0; FILLER.min(number() - at)]);
                    acts.push(Act::Write { offset: at, bytes, filler: true });
                }
            }
            "reset" => {
                let byte = Act::Write { offset: 0, bytes: Cow::Owned(vec![0]), filler: true };
                acts.extend([Act::Between(Between::Reset), byte]);
            }
            "afterstop" => acts.extend([Act::Resume, all()]),
            "statebetween" => acts.extend([part(0, number()), Act::Resume, part(number(), input.len())]),
            "cutfirst" => acts.extend([part(0, number()), Act::Between(Between::Reset), all()]),
            other => panic!("{other} of {mode}"),
        }
    }
    (acts, keep_going)
}

/// The name of what a call gave, as the tables have it.
pub fn name_of(result: Result<(), Failure>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(Failure::Refused(errno)) => errno.name(),
        Err(Failure::Breaks(Break::Crashes)) => "CRASH",
        Err(Failure::Breaks(Break::Blocks)) => "BLOCKS",
    }
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The step it belongs to.
    pub step: DriverStep,
    /// Where its bytes stand, and how many there are.
    pub offset: usize,
    pub length: usize,
    pub filler: bool,
    pub result: Result<(), Failure>,
}

impl Made {
    /// `offset+length`, or `fill+length` for filler, as the tables have it.
    pub fn place(&self) -> String {
        place(self.offset, self.length, self.filler)
    }

    pub const fn breaks(&self) -> bool {
        matches!(self.result, Err(Failure::Breaks(_)))
    }
}

fn place(offset: usize, length: usize, filler: bool) -> String {
    if filler { format!("fill+{length}") } else { format!("{offset}+{length}") }
}

/// Makes the calls, up to the first refusal or, where the row goes on, all; never behind a break.
pub fn play(driver: &mut dyn Driver, acts: &[Act<'_>], keep_going: bool) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    for act in acts {
        let call = match act {
            Act::Write { offset, bytes, filler } => Made {
                step: DriverStep::Write,
                offset: *offset,
                length: bytes.len(),
                filler: *filler,
                result: driver.write(bytes),
            },
            Act::Resume => {
                let result = driver.resume();
                Made { step: DriverStep::SetState, offset: 0, length: 0, filler: false, result }
            }
            Act::Between(between) => {
                driver.again(*between);
                continue;
            }
        };
        let stops = call.breaks() || (call.result.is_err() && !keep_going && call.step == DriverStep::Write);
        made.push(call);
        if stops {
            break;
        }
    }
    made
}

/// The first call that was not taken.
pub fn first_refusal(made: &[Made]) -> Option<&Made> {
    made.iter().find(|call| call.result.is_err())
}

/// The `write()` calls of a row that has no others, for `predict`.
pub fn writes<'a>(acts: &'a [Act<'a>]) -> Option<Vec<&'a [u8]>> {
    acts.iter().map(|act| if let Act::Write { bytes, .. } = act { Some(&bytes[..]) } else { None }).collect()
}

/// How a prediction stands to its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// Step, error and refused write are the row's.
    Agrees,
    /// It names what the outcome depends on.
    Depends(&'static str),
}

/// Holds what `predict` says of a row's writes on this driver against the row's columns `step`, `result` and
/// `refused_write_offset+length`. Panics where it is wrong.
pub fn predicted(row: &Row<'_>, driver: &mut dyn Driver, acts: &[Act<'_>]) -> Agreement {
    let all = writes(acts).unwrap_or_else(|| panic!("not only writes: {}", row.line));
    let (step, result, write) = match predict(driver, all.iter().copied()) {
        Prediction::Depends(on) => return Agreement::Depends(on),
        Prediction::Accepted => ("none", "ok", None),
        Prediction::Refused { step, errno, write, .. } => (step.name(), errno.name(), Some(write)),
        Prediction::Breaks { step, how: Break::Crashes, write } => (step.name(), "CRASH", Some(write)),
        Prediction::Breaks { step, how: Break::Blocks, write } => (step.name(), "BLOCKS", Some(write)),
    };
    assert_eq!((step, result), (row.get("step"), row.get("result")), "{}", row.line);
    if step == "write" {
        let Some(Act::Write { offset, bytes, filler }) = write.and_then(|write| acts.get(write as usize)) else {
            panic!("{}", row.line)
        };
        assert_eq!(place(*offset, bytes.len(), *filler), row.get("refused_write_offset+length"), "{}", row.line);
    }
    Agreement::Agrees
}

/// A stream that a gate is asked of, before a target with a name.
pub struct Case {
    pub file: String,
    pub target: String,
    pub of: Arc<Target>,
}

/// The golden table of a vendor: what `strict` says of each stream before each target, in any cut. Cases that come again
/// are asked once.
pub fn strict_table(vendor: &str, cases: impl Iterator<Item = Case>) -> String {
    let mut lines = BTreeMap::new();
    for case in cases {
        let key = (case.file.clone(), case.target.clone());
        if lines.contains_key(&key) {
            continue;
        }
        let input = bytes(vendor, &case.file);
        let options = Options::default();
        let seen = whole(&case.of, &options, &input);
        assert_eq!(push(&case.of, &options, input.chunks(7)), seen, "{}", case.file);
        let all = seen.verdict.reasons();
        // A note on the stream says more of it than one on what a profile lacks.
        let of_stream = all.iter().find(|reason| reason.rule.is_none()).or(all.first());
        let first = all.iter().find(|reason| !reason.is_note()).or(of_stream);
        let id = first.map_or("-".into(), |reason| report(reason, None, Some(&case.of)).id);
        let offset = first.and_then(Reason::offset).map_or("-".into(), |offset| offset.to_string());
        let complete = if seen.complete { "complete" } else { "-" };
        lines.insert(key, format!("{}\t{complete}\t{id}\t{offset}", seen.verdict.outcome()));
    }
    let mut table = String::from("file\ttarget\toutcome\tcomplete\treason\toffset\n");
    for ((file, target), line) in lines {
        writeln!(table, "{file}\t{target}\t{line}").unwrap();
    }
    table
}

/// Holds a golden table against the file `strict.tsv`, which `TRANSIRE_WRITE_GOLDEN=1` writes anew: read the difference
/// before it is kept.
pub fn golden(vendor: &str, name: &str, table: &str) {
    if std::env::var_os("TRANSIRE_WRITE_GOLDEN").is_some() {
        std::fs::write(path(vendor, name), table).unwrap();
    }
    let kept = String::from_utf8(bytes(vendor, name)).unwrap();
    let differs = table.lines().zip(kept.lines()).find(|(new, old)| new != old);
    let same = differs.is_none() && table.lines().count() == kept.lines().count();
    assert!(same, "{vendor}/{name}: {differs:?}; TRANSIRE_WRITE_GOLDEN=1 writes it anew");
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
pub fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
