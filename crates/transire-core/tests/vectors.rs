//! `fixtures/vectors`: what other implementations are held against, this one is, too. `docs/vectors.md` describes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use transire_core::format::{Choices, Format, Prediction, predict};
use transire_core::gate::{Gate, Input, Options, Output, PushGate};
use transire_core::report::reports;
use transire_core::target::Target;
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Verdict, reasons};

/// Inputs up to this are also pushed byte by byte.
const SMALL: usize = 8192;

/// where this implementation differs from the documentation. An entry that no longer differs fails: take it out.
const DIFFERENCES: [(&str, &str); 0] = [];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors")
}

fn table() -> Value {
    serde_json::from_slice(&fs::read(folder().join("vectors.json")).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

fn input(vector: &Value) -> Vec<u8> {
    let source = &vector["input"];
    match source["hex"].as_str() {
        Some(digits) => {
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            (0..digits.len()).step_by(2).map(byte).collect()
        }
        None => fs::read(folder().join(text(&source["file"]))).unwrap(),
    }
}

fn target(vector: &Value) -> Option<Arc<Target>> {
    let target = &vector["target"];
    (!target.is_null()).then(|| {
        let read = transire_text::load_target(target.to_string().as_bytes(), VENDORS);
        Arc::new(read.unwrap_or_else(|error| panic!("{}: {error}", vector["id"])))
    })
}

/// The format that a vector names, where it does.
fn format(vector: &Value) -> Option<(&'static Format, Choices)> {
    vector["format"].as_str().map(|name| VENDORS.chosen(name).unwrap_or_else(|_| panic!("{}", vector["id"])))
}

/// What was found, in the form of a vector.
fn found(verdict: &Verdict, complete: bool, gate: &Gate) -> Value {
    let source = gate.source();
    let told = reports(verdict, Some(&source), gate.target());
    let reasons: Vec<Value> = told
        .iter()
        .map(|report| {
            json!({
                "id": report.id,
                "offset": report.offset,
                "in_payload": report.in_payload,
                "attribute": report.attribute,
            })
        })
        .collect();
    json!({
        "outcome": verdict.outcome().name(),
        "complete": complete,
        "reasons": reasons,
        "dropped": verdict.dropped(),
    })
}

fn expected(vector: &Value) -> Value {
    json!({
        "outcome": vector["outcome"],
        "complete": vector["complete"],
        "reasons": vector["reasons"],
        "dropped": vector.get("dropped").cloned().unwrap_or_else(|| json!(0)),
    })
}

/// Pushes the pieces of a vector's input through a gate; what it found, and what came out.
fn pushed<'a>(
    vector: &Value,
    target: Option<&Arc<Target>>,
    read_on: bool,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Value, Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let input = format(vector).map_or(Input::Auto, |(format, choices)| Input::Format(format, choices));
    let options = Options { input, read_on, now: Some(now), ..Options::default() };
    let mut gate = PushGate::new(Gate::new(VENDORS, target.cloned(), options));
    let mut delivered = Vec::new();
    let mut take = |output: Output<'_>| {
        if let Output::Deliver(bytes) = output {
            delivered.extend_from_slice(bytes);
        }
        true
    };
    for piece in pieces {
        gate.push(piece, false, &mut take);
    }
    gate.push(&[], true, &mut take);
    let gate = gate.gate();
    (found(gate.verdict(), gate.is_complete(), gate), delivered)
}

#[test]
fn every_vector_of_the_standard_strict() {
    let table = table();
    let listed = |name: &str| rows(&table["vectors"]).iter().any(|vector| vector["id"] == name);
    assert!(DIFFERENCES.iter().all(|(name, _)| listed(name)));
    let mut wrong = Vec::new();
    for vector in rows(&table["vectors"]).iter().filter(|vector| vector["standard"] == "strict") {
        let (bytes, target) = (input(vector), target(vector));
        let expected = expected(vector);
        let (whole, payload) = pushed(vector, target.as_ref(), true, [&bytes[..]]);
        if let Some((name, why)) = DIFFERENCES.iter().find(|(name, _)| vector["id"] == *name) {
            assert_ne!(whole, expected, "{name} no longer differs: {why}");
            continue;
        }
        if whole != expected {
            wrong.push(format!("{}\n  found    {whole}\n  expected {expected}", vector["id"]));
            continue;
        }
        if bytes.len() <= SMALL {
            let (cut, same) = pushed(vector, target.as_ref(), true, bytes.chunks(1));
            assert_eq!((&cut, &same), (&whole, &payload), "{}, byte by byte", vector["id"]);
        }
        // A gate that does not read on stops earlier: it finds no more, and delivers nothing that is not complete.
        let (gated, delivered) = pushed(vector, target.as_ref(), false, [&bytes[..]]);
        for reason in rows(&gated["reasons"]) {
            assert!(rows(&expected["reasons"]).contains(reason), "{}: {reason}", vector["id"]);
        }
        assert_eq!(gated["complete"], vector["complete"], "{}", vector["id"]);
        assert_eq!(gated["outcome"] == "compatible", vector["outcome"] == "compatible", "{}", vector["id"]);
        if let Some(length) = vector["payload"]["length"].as_u64() {
            assert_eq!((delivered.len() as u64, delivered == payload), (length, true), "{}", vector["id"]);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table["count"], wrong.join("\n"));
}

/// The `write()` calls that a vector names.
fn writes<'a>(bytes: &'a [u8], named: &str) -> Vec<&'a [u8]> {
    match named.split_once(':') {
        Some(("each", size)) => bytes.chunks(size.parse().unwrap()).collect(),
        Some((_, places)) => {
            let mut start = 0;
            let mut cut: Vec<&[u8]> = Vec::new();
            for place in places.split(',').map(|place| place.parse::<usize>().unwrap()) {
                cut.push(&bytes[start..place]);
                start = place;
            }
            cut.push(&bytes[start..]);
            cut
        }
        None => vec![bytes],
    }
}

#[test]
fn every_vector_of_the_standard_driver() {
    let table = table();
    let mut seen = 0;
    for vector in rows(&table["vectors"]).iter().filter(|vector| vector["standard"] == "driver") {
        let (bytes, target) = (input(vector), target(vector).unwrap());
        let (format, choices) =
            format(vector).unwrap_or_else(|| (VENDORS.vendor(target.vendor()).unwrap().formats[0], Choices::NONE));
        let mut driver = format.driver.unwrap()(&target, choices).unwrap();
        if vector["earlier"] == "unknown" {
            driver.forget();
        }
        let writes = writes(&bytes, text(&vector["writes"]));
        let prediction = predict(&mut *driver, writes.iter().copied());
        let before = |write: u32| {
            let writes = &writes[..usize::try_from(write).unwrap()];
            Some(writes.iter().map(|write| write.len()).sum::<usize>() as u64)
        };
        let (answer, reason) = match prediction {
            Prediction::Accepted => (json!({ "step": null, "errno": null, "if_ignored": null }), None),
            Prediction::Refused { step, errno, write, if_ignored } => {
                let answer = json!({ "step": step.name(), "errno": errno.name(), "if_ignored": if_ignored.name() });
                (answer, Some((reasons::DRIVER_REFUSED, before(write))))
            }
            Prediction::Breaks { step, how, write } => {
                let answer = json!({ "step": step.name(), "breaks": how.name() });
                (answer, Some((reasons::DRIVER_BREAKS, before(write))))
            }
            Prediction::Depends(_) => (json!({ "depends": true }), Some((reasons::DRIVER_DEPENDS, None))),
        };
        assert_eq!(answer, vector["driver"], "{}", vector["id"]);
        let outcome = reason.map_or(Outcome::Compatible, |(id, _)| id.outcome());
        assert_eq!(vector["outcome"], outcome.name(), "{}", vector["id"]);
        assert_eq!(vector["complete"], reason.is_none(), "{}", vector["id"]);
        let told = rows(&vector["reasons"]).iter().map(|reason| (text(&reason["id"]), reason["offset"].as_u64()));
        let expected = reason.map(|(id, offset)| (id.text(), offset));
        assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(expected), "{}", vector["id"]);
        seen += 1;
    }
    assert!(seen >= 12, "{seen}");
}

#[test]
fn every_reason_is_hit_three_times() {
    let table = table();
    let known: Vec<_> = VENDORS.reasons().map(|kind| (kind.text(), kind.outcome().name())).collect();
    let listed: BTreeMap<&str, &str> =
        table["reasons"].as_object().unwrap().iter().map(|(id, outcome)| (id.as_str(), text(outcome))).collect();
    assert_eq!(known.iter().copied().collect::<BTreeMap<_, _>>(), listed);
    let hits = |kind: &str| {
        let is = |reason: &Value| {
            let id = text(&reason["id"]);
            id == kind || kind.starts_with('.') && !listed.contains_key(id) && id.ends_with(kind)
        };
        rows(&table["vectors"]).iter().filter(|vector| rows(&vector["reasons"]).iter().any(is)).count()
    };
    for (kind, _) in known {
        if table["not_covered"][kind].is_string() {
            assert_eq!(hits(kind), 0, "{kind} is covered");
        } else {
            assert!(hits(kind) >= 3, "{kind}: {}", hits(kind));
        }
    }
}
