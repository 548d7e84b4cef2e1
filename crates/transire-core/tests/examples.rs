//! Every format's examples: `fixtures/VENDOR/examples.tsv` names them, and what must come of each.
//!
//! Columns: `file` and `target` (a TOML file beside it, or `-`), `format` (as users name it, or `-` for recognition),
//! `outcome`, `reason` and `offset` of the first reason that is no note, else of the first note (one on the stream before
//! one of a rule), `notes` (how many), and
//! `golden`: `yes` for a small example whose every truncation and every flip of one bit is recorded in `golden/FILE.tsv`,
//! `yes:N` where only the first N bytes are structure.

#[path = "support/examples.rs"]
mod listed;
mod support;

use std::fmt::Write as _;
use std::path::Path;

use listed::{Example, examples, fixtures};
use support::{impatient, push, whole};
use transire_core::attribute::{Absence, AttributeId, Attributes, Value};
use transire_core::format::{Record, Role};
use transire_core::gate::{Gate, Options, Output};
use transire_core::judge::judge;
use transire_core::report::report;
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Reason, Verdict};

/// What the gate of an example says.
trait Asked {
    fn gate(&self, options: Options) -> Gate;
    fn said(&self, gate: &Gate) -> (String, String, String, usize);
    fn ask(&self, input: &[u8]) -> (String, String, String, usize);
    fn one_answer(&self, input: &[u8]);
}

impl Asked for Example {
    fn gate(&self, options: Options) -> Gate {
        Gate::new(VENDORS, self.target.clone(), options)
    }

    /// Outcome, and id and offset of the first reason that is no note, else of the first note; how many notes.
    fn said(&self, gate: &Gate) -> (String, String, String, usize) {
        let all = gate.verdict().reasons();
        // A note on the stream says more of it than one on what a profile lacks.
        let of_stream = all.iter().find(|reason| reason.rule.is_none()).or(all.first());
        let first = all.iter().find(|reason| !reason.is_note()).or(of_stream);
        let id = first.map_or("-".into(), |reason| report(reason, Some(&gate.source()), self.target.as_deref()).id);
        let offset = first.and_then(Reason::offset).map_or("-".into(), |offset| offset.to_string());
        let notes = all.iter().filter(|reason| reason.is_note()).count();
        (gate.verdict().outcome().name().to_owned(), id, offset, notes)
    }

    /// Reads bytes in one piece and says what came of it.
    fn ask(&self, input: &[u8]) -> (String, String, String, usize) {
        let mut gate = self.gate(self.options.clone());
        let mut at = 0;
        loop {
            let step = gate.step(&input[at..], true);
            at += step.used;
            if matches!(step.event, Output::Finished) {
                return self.said(&gate);
            }
        }
    }

    /// Any cut of the bytes says the same; `many` for all the ways to cut. Only without a target the two helpers need one.
    fn one_answer(&self, input: &[u8]) {
        let Some(target) = &self.target else { return };
        let seen = whole(target, &self.options, input);
        for chunk in [1, 7] {
            assert_eq!(push(target, &self.options, input.chunks(chunk)), seen, "{}/{}", self.vendor, self.file);
            assert_eq!(impatient(target, &self.options, input, chunk), seen, "{}/{}", self.vendor, self.file);
        }
    }
}

#[test]
fn every_format_has_a_good_example_and_a_golden_one() {
    let examples = examples();
    for format in VENDORS.formats().filter(|format| format.role == Role::Source) {
        let own = |example: &&Example| {
            let mut gate = example.gate(Options { read_on: true, ..example.options.clone() });
            let mut at = 0;
            loop {
                let step = gate.step(&example.input[at..], true);
                at += step.used;
                if matches!(step.event, Output::Finished) {
                    return gate.format() == Some(format.name);
                }
            }
        };
        let own: Vec<&Example> = examples.iter().filter(own).collect();
        assert!(own.iter().any(|example| example.golden.is_some()), "{} has no golden example", format.name);
        // What is recognised only to be refused has no good one.
        if !format.layouts.is_empty() {
            assert!(own.iter().any(|example| example.outcome == "compatible"), "{} has no good example", format.name);
        }
    }
}

#[test]
fn examples_have_their_verdict_in_any_cut() {
    let examples = examples();
    for example in &examples {
        let (outcome, reason, offset, notes) = example.ask(&example.input);
        let expected = (&example.outcome, &example.reason, &example.offset, example.notes);
        assert_eq!((&outcome, &reason, &offset, notes), expected, "{}/{}", example.vendor, example.file);
        example.one_answer(&example.input);
    }
    say(&format!("{} examples of {} formats", examples.len(), VENDORS.formats().count()));
}

/// A source without the word on what it can state.
struct Open<'a>(&'a dyn Attributes);

impl Attributes for Open<'_> {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        self.0.value(id)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        self.0.place(id)
    }

    fn absence(&self, id: AttributeId) -> Absence {
        self.0.absence(id)
    }
}

/// What a target settles beforehand of a format's streams is what it finds out of one that it asks everything.
#[test]
fn what_is_settled_beforehand_is_what_would_be_found_out() {
    let examples = examples();
    let mut judged = 0;
    for (example, target) in
        examples.iter().flat_map(|example| examples.iter().filter_map(move |of| Some((example, of.target.as_deref()?))))
    {
        let vendor = VENDORS.vendor(&example.vendor).unwrap();
        for format in vendor.formats.iter().filter(|_| target.vendor() == example.vendor) {
            let choices = (format.settled_by)(target.profile());
            (format.identify)(&example.input, true, choices, &mut |source| {
                let [said, found_out] = [source, &Open(source)].map(|source: &dyn Attributes| {
                    let mut verdict = Verdict::new();
                    judge(source, target, None, &mut verdict);
                    verdict
                });
                assert_eq!(said, found_out, "{}/{} as {}", example.vendor, example.file, format.name);
                judged += u32::from(source.statable().is_some());
            });
        }
    }
    assert!(judged > 100, "{judged} were judged");
    say(&format!("{judged} pairs of source and target, asked everything and asked what is left"));
}

/// What is accepted is delivered as it came, and its structures, decoded and encoded again, are the stream.
#[test]
fn accepted_examples_are_written_as_they_were_read() {
    let mut written = 0;
    for example in examples() {
        let name = format!("{}/{}", example.vendor, example.file);
        let mut gate = example.gate(Options { describe: true, ..example.options.clone() });
        let (mut at, mut encoded, mut delivered) = (0, Vec::new(), Vec::new());
        loop {
            let step = gate.step(&example.input[at..], true);
            let used = step.used;
            match step.event {
                Output::Record { layout, number, offset, bytes, .. } => {
                    assert_eq!(offset, encoded.len() as u64, "{name}: structures leave no gap");
                    let record = Record::decode(layout, number, offset, bytes);
                    match record {
                        Some(record) => record.encode(&mut encoded).unwrap(),
                        None => encoded.extend_from_slice(bytes),
                    }
                }
                Output::Deliver(bytes) => delivered.extend_from_slice(bytes),
                Output::Finished => break,
                _ => {}
            }
            at += used;
        }
        if gate.is_complete() {
            assert_eq!(encoded, example.input, "{name}");
            assert_eq!(delivered, example.input, "{name}");
            written += 1;
        }
    }
    say(&format!("{written} examples are written as they were read"));
    assert!(written > 0);
}

const FLIPS: [&str; 8] = ["bit 0", "bit 1", "bit 2", "bit 3", "bit 4", "bit 5", "bit 6", "bit 7"];

/// One line for each run of equal answers: what was done to which bytes, and what came of it.
fn golden(example: &Example, structural: usize) -> String {
    let mut table = String::from("change\tfrom\tto\toutcome\treason\toffset\n");
    let mut run: Option<(&str, usize, usize, String)> = None;
    let mut end = |run: &mut Option<(&str, usize, usize, String)>| {
        if let Some((change, from, to, answer)) = run.take() {
            writeln!(table, "{change}\t{from}\t{to}\t{answer}").unwrap();
        }
    };
    let mut add =
        |change: &'static str, at: usize, answer: String, run: &mut Option<(&str, usize, usize, String)>| match run {
            Some((last, _, to, said)) if *last == change && *said == answer && *to + 1 == at => *to = at,
            _ => {
                end(run);
                *run = Some((change, at, at, answer));
            }
        };
    // Where the place of the change itself is the offset, that is said in a word, so that equal answers are one line.
    let answer = |input: &[u8], at: usize, here: &str| {
        let (outcome, reason, offset, _) = example.ask(input);
        let offset = if offset == at.to_string() { here.to_owned() } else { offset };
        format!("{outcome}\t{reason}\t{offset}")
    };
    for length in 0..=structural.min(example.input.len().saturating_sub(1)) {
        let cut = &example.input[..length];
        example.one_answer(cut);
        add("cut", length, answer(cut, length, "end"), &mut run);
    }
    let mut all = Vec::new();
    for at in 0..structural {
        let flipped = |bit: usize| {
            let mut damaged = example.input.clone();
            damaged[at] ^= 1 << bit;
            if (at + bit).is_multiple_of(16) {
                example.one_answer(&damaged);
            }
            answer(&damaged, at, "here")
        };
        all.push((at, std::array::from_fn::<String, 8, _>(flipped)));
    }
    for (at, answers) in &all {
        if answers.iter().all(|answer| *answer == answers[0]) {
            add("any bit", *at, answers[0].clone(), &mut run);
        } else {
            for (bit, answer) in answers.iter().enumerate() {
                add(FLIPS[bit], *at, answer.clone(), &mut run);
            }
        }
    }
    end(&mut run);
    table
}

#[test]
fn every_truncation_and_every_flip_has_its_recorded_outcome() {
    let (mut cuts, mut flips) = (0, 0);
    for example in examples() {
        let Some(structural) = example.golden else { continue };
        let table = golden(&example, structural);
        let name = Path::new(&example.file).with_extension("tsv");
        let path = fixtures().join(&example.vendor).join("golden").join(name.file_name().unwrap());
        if std::env::var_os("TRANSIRE_WRITE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &table).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(table == kept, "{}: TRANSIRE_WRITE_GOLDEN=1 writes it anew; read the difference", path.display());
        cuts += structural;
        flips += 8 * structural;
    }
    say(&format!("{cuts} truncations and {flips} flips of examples have their recorded outcome"));
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
