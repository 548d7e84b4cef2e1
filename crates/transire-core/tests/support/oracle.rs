//! What must hold for any input: the oracles of the fuzz targets, which the tests ask of the corpora too.

use transire_core::attribute::{Absence, Attributes};
use transire_core::bytes::{index, widen};
use transire_core::format::{Choices, Event, Format, Identified, KnownBy, Likeness, Phase, Reader, Record};
use transire_core::gate::{Gate, Options, Output};
use transire_core::prologue::Content;
use transire_core::recognise::PREFIX_MAX;
use transire_core::sealed::{Answer, AnswerStage, Digest, Identity, SealedReader};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Reason, Verdict, reasons};

use crate::mend::mend;
use crate::support::{self, impatient, profile, push, target, whole};

/// What a reader said: everything but what it needs.
#[derive(Debug, Default, PartialEq)]
struct Told {
    profiles: usize,
    findings: Vec<Reason>,
    data: Vec<u8>,
    /// Where the data of each phase end: payload that is handed on as it comes is cut where the input was.
    phases: Vec<(usize, Phase)>,
    records: Vec<u8>,
    /// Names of the structures, and where they begin.
    structures: Vec<(&'static str, u64)>,
    used: usize,
    ended: bool,
}

/// Reads from a buffer that grows by `grow` bytes.
fn read(reader: &mut dyn Reader, input: &[u8], grow: usize) -> Told {
    let mut told = Told::default();
    let mut end = grow.min(input.len());
    loop {
        let eof = end == input.len();
        let there = &input[told.used..end];
        let step = reader.step(there, eof);
        assert!(step.used <= there.len());
        match step.event {
            Event::Need(need) => {
                assert!(!eof && need > there.len() && step.used == 0, "needs {need} of {}", there.len());
                end = (end + grow).min(input.len());
            }
            Event::Record { layout, number, offset, bytes } => {
                assert_eq!(offset, widen(told.records.len()), "records are told in their order and without gaps");
                if let Some(record) = Record::decode(layout, number, offset, bytes) {
                    let mut out = Vec::new();
                    record.encode(&mut out).expect("what was decoded");
                    assert_eq!(out, bytes);
                }
                told.records.extend_from_slice(bytes);
                told.structures.push((layout.name, offset));
            }
            Event::Profile => {
                assert!(reader.source().is_some());
                told.profiles += 1;
            }
            Event::Data { phase, bytes, .. } => {
                assert!(there[..step.used].ends_with(bytes), "data are the end of what is used");
                told.data.extend_from_slice(bytes);
                match told.phases.last_mut() {
                    Some((end, last)) if *last == phase => *end = told.data.len(),
                    _ => told.phases.push((told.data.len(), phase)),
                }
            }
            Event::Finding(reason) => {
                assert!(reason.offset().is_none_or(|offset| offset <= widen(input.len())), "{reason:?}");
                told.findings.push(reason);
                if !reason.is_note() {
                    assert_eq!(reader.step(&[], true).event, Event::Finding(reason), "a failure stays");
                    told.used += step.used;
                    return told;
                }
            }
            Event::End => {
                told.ended = true;
                told.used += step.used;
                return told;
            }
            other => panic!("{other:?}"),
        }
        told.used += step.used;
    }
}

/// The input as a sealed stream, as it is and with its checksums mended.
pub(crate) fn sealed(input: &[u8]) {
    let Some((&grow, input)) = input.split_first() else { return };
    let grow = 1 + usize::from(grow);
    for input in [input, &mend(input, false), &mend(input, true)] {
        let mut tellings = [false, true].map(|describe| {
            let read = |grow| read(&mut SealedReader::new(VENDORS, describe), input, grow);
            let told = read(input.len().max(1));
            assert_eq!(read(grow), told);
            assert_eq!(read(1), told);
            told
        });
        let [plain, described] = &mut tellings;
        described.structures.clear();
        let used = described.used;
        if described.ended {
            assert_eq!(std::mem::take(&mut described.records), input[..used], "every byte is in a record");
        } else {
            assert!(input.starts_with(&std::mem::take(&mut described.records)));
        }
        assert_eq!(plain, described, "a reader that describes says the same");
        if input.get(20) == Some(&Content::Answer.code()) {
            answer(input, plain);
        }
    }
}

/// The input as an answer, which its own reader must take where the envelope's does, and give back byte by byte but for the
/// minor version.
fn answer(input: &[u8], told: &Told) {
    let mut notes = Verdict::new();
    match Answer::read(input, &mut notes) {
        Ok(answer) => {
            assert!(told.ended && told.used == input.len());
            assert_eq!(notes.reasons(), told.findings);
            let again = answer.to_bytes();
            assert_eq!(again[32..], input[32..]);
            assert_eq!(Answer::read(&again, &mut Verdict::new()), Ok(answer));
        }
        Err(reason) if told.ended => {
            assert_eq!((reason.id, reason.offset()), (reasons::STREAM_TRAILING, Some(widen(told.used))));
        }
        Err(reason) => assert_eq!(Some(&reason), told.findings.last()),
    }
}

/// Whether a gate with these options lets payload out under this outcome.
fn admits(verdict: &Verdict, options: &Options) -> bool {
    match verdict.outcome() {
        Outcome::Compatible => true,
        Outcome::Fixable => options.admit_fixable,
        Outcome::Unknown => options.admit_unknown,
        _ => false,
    }
}

/// A gate before one of two targets. The first byte chooses target, options and what is done to the rest: nothing, mended,
/// or sealed as a payload. The second is the length of a piece.
pub(crate) fn gate(input: &[u8]) {
    let [choice, chunk, input @ ..] = input else { return };
    let bit = |at: u8| choice & 1 << at != 0;
    let chunk = 1 + usize::from(*chunk);
    let ports = 1 + u64::from(bit(0));
    let options = Options {
        read_on: bit(3),
        exact: !bit(4),
        admit_fixable: bit(5),
        admit_unknown: bit(5),
        describe: bit(7),
        ..Options::default()
    };
    let stream = match (bit(1), bit(2)) {
        (false, false) => input.to_vec(),
        (true, false) => mend(input, false),
        (false, true) => mend(input, true),
        (true, true) => {
            let format = if bit(6) { "opaque" } else { "mtty" };
            let pieces: Vec<_> = input.chunks(chunk).map(|piece| (Phase::Unspecified, piece)).collect();
            support::seal(&profile(ports), format, Digest::Blake3, &pieces)
        }
    };
    let target = target(ports);
    let seen = whole(&target, &options, &stream);
    assert_eq!(push(&target, &options, stream.chunks(chunk)), seen);
    assert_eq!(impatient(&target, &options, &stream, chunk), seen);
    assert!(seen.used <= widen(stream.len()) && seen.examined <= widen(stream.len()), "{seen:?}");

    // Nothing leaves under a verdict that does not admit it, or before there is one.
    let mut gate = Gate::new(VENDORS, Some(target.clone()), options.clone());
    let mut at = 0;
    loop {
        let step = gate.step(&stream[at..], true);
        let used = step.used;
        let delivers = matches!(step.event, Output::Deliver(_));
        if matches!(step.event, Output::Finished) {
            break;
        }
        assert!(!delivers || (gate.is_judged() && admits(gate.verdict(), &options)));
        let early = gate.answer(AnswerStage::Early);
        assert!(early.is_none_or(|answer| gate.is_judged() && !answer.is_complete()));
        at += used;
    }

    // What the gate answers is its verdict, and to this stream.
    let answer = gate.answer(AnswerStage::Final);
    assert!(answer.is_some() || gate.format() != Some("sealed"));
    if let Some(answer) = answer {
        assert_eq!(Some(answer.identity()), Identity::of_stream(&stream).as_ref());
        assert_eq!((answer.outcome(), answer.is_complete()), (seen.verdict.outcome(), seen.complete));
        assert_eq!(Answer::read(&answer.to_bytes(), &mut Verdict::new()), Ok(answer));
    }

    if seen.complete {
        assert!(admits(&seen.verdict, &options));
        if seen.format == Some("sealed") {
            let told = read(&mut SealedReader::new(VENDORS, false), &stream, stream.len());
            assert!(told.ended);
            assert_eq!(told.data, seen.payload, "all that the frames carry, and nothing else");
        } else {
            assert_eq!(seen.payload, stream);
        }
        if gate.payload_format() == Some("mtty") {
            let native = whole(&target, &options, &seen.payload);
            assert!(native.complete, "what leaves the envelope passes without it: {:?}", native.verdict);
            assert_eq!(native.payload, seen.payload);
        }
    }
}

/// The input as every format of every vendor.
pub(crate) fn vendors(input: &[u8]) {
    let Some((&grow, input)) = input.split_first() else { return };
    for format in VENDORS.formats() {
        is_known_as_it_says(format, input);
        of_format(format, input, 1 + usize::from(grow));
    }
}

/// A source that says what it can state at all states nothing else, nor does anything else follow from it.
pub(crate) fn states_what_it_can(format: &Format, source: &dyn Attributes) {
    let Some(statable) = source.statable() else { return };
    let rules = VENDORS.vendor(format.vendor).expect("a vendor").rules;
    assert!(rules.statable.iter().any(|known| std::ptr::eq(*known, statable)), "{}: not in its rules", format.name);
    for definition in rules.dictionary.definitions() {
        let id = definition.id;
        let known = source.value(id).is_some() || (rules.derive)(source, id).is_some();
        assert!(!known || statable.includes(id), "{}: {} is stated", format.name, definition.name);
        let is_awaited = source.absence(id) == Absence::Awaited && statable.includes(id);
        assert!(is_awaited || source.absence(id) == statable.absence(id), "{}: {}", format.name, definition.name);
    }
}

/// What the first bytes say of a format keeps to how it says that it is known.
fn is_known_as_it_says(format: &Format, input: &[u8]) {
    if !matches!(format.known_by, KnownBy::Fit(_)) {
        return;
    }
    for (end, eof) in (0..=index(PREFIX_MAX).min(input.len())).flat_map(|end| [(end, false), (end, true)]) {
        let likeness = format.likeness(&input[..end], eof);
        assert_ne!(likeness, Likeness::Certain, "{} in {end} bytes", format.name);
        assert!(likeness != Likeness::Short || end < index(PREFIX_MAX), "{} in {end} bytes", format.name);
    }
}

fn of_format(format: &'static Format, input: &[u8], grow: usize) {
    let mut tellings = [false, true].map(|describe| {
        let read = |grow| read((format.reader)(describe).as_mut(), input, grow);
        let told = read(input.len().max(1));
        assert_eq!(read(grow), told);
        assert_eq!(read(1), told);
        told
    });
    let [plain, described] = &mut tellings;
    let records = std::mem::take(&mut described.records);
    described.structures.clear();
    assert_eq!(plain, described, "a reader that describes says the same");
    assert!(input.starts_with(&records));
    if plain.ended {
        assert_eq!(plain.data, input[..plain.used]);
        assert_eq!(records, plain.data, "every byte is in a record");
    }

    // The early profile is the reader's.
    let mut shown = 0;
    let identified = (format.identify)(input, true, Choices::NONE, &mut |source: &dyn Attributes| {
        assert!(source.value(transire_core::attribute::VENDOR).is_some());
        states_what_it_can(format, source);
        shown += 1;
    });
    match identified {
        Identified::Shown(within) => {
            assert!(shown == 1 && plain.profiles > 0 && widen(input.len()) >= u64::from(within));
            assert!(format.judged_within.is_none_or(|usual| within <= usual.max(format.hold.bytes())));
        }
        Identified::Refused(reason) => assert_eq!((shown, plain.findings.last()), (0, Some(&reason))),
        Identified::Need(need) => panic!("needs {need} at the end"),
    }
}
