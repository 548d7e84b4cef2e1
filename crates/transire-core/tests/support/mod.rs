//! What the integration tests share: targets, sealed streams, and three ways to read a stream.
#![allow(dead_code, unreachable_pub)] // Each test takes its part.

use std::path::PathBuf;
use std::sync::Arc;

use transire_core::attribute::{Text, VENDOR, Value};
use transire_core::format::Phase;
use transire_core::gate::{Gate, Options, Output, PushGate};
use transire_core::profile::{Profile, ProfileBuilder};
use transire_core::sealed::{Digest, SealOptions, SealedWriter};
use transire_core::target::Target;
use transire_core::vendors::VENDORS;
use transire_core::vendors::mtty::{NR_PORTS, RULES};
use transire_core::verdict::Verdict;

/// A file below `fixtures/mtty`.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/mtty").join(name)
}

/// The bytes of a file below `fixtures/mtty`.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The profile of an mtty device with so many ports.
pub fn profile(ports: u64) -> Profile {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(Text::constant("mtty")).to_owned());
    builder.set(NR_PORTS, &Value::Uint(ports).to_owned());
    builder.build(&|vendor| VENDORS.dictionary(vendor)).unwrap()
}

/// A target that is an mtty device with so many ports.
pub fn target(ports: u64) -> Arc<Target> {
    Arc::new(Target::new(profile(ports), &RULES).unwrap())
}

/// Seals payload as one data frame for each piece. Nothing is asked of the payload.
pub fn seal(profile: &Profile, format: &str, digest: Digest, pieces: &[(Phase, &[u8])]) -> Vec<u8> {
    let options = SealOptions {
        payload_format: format.into(),
        digest,
        payload_len: None,
        stream_id: *b"sixteen bytes id",
        device_label: None,
    };
    let (mut writer, mut out) = SealedWriter::begin(profile, &options).unwrap();
    for (phase, payload) in pieces {
        out.extend_from_slice(&writer.data(*phase, payload).unwrap());
        out.extend_from_slice(payload);
    }
    out.extend_from_slice(&writer.end().unwrap());
    out
}

/// Everything that a gate said of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub verdict: Verdict,
    pub complete: bool,
    pub judged: bool,
    pub used: u64,
    pub examined: u64,
    pub format: Option<&'static str>,
    pub payload: Vec<u8>,
    /// Structures outside payload, one behind the other, as far as they were described.
    pub records: Vec<u8>,
    /// Structures inside payload.
    pub inside: Vec<u8>,
}

impl Seen {
    fn of(gate: &Gate, told: Told) -> Self {
        Self {
            verdict: gate.verdict().clone(),
            complete: gate.is_complete(),
            judged: gate.is_judged(),
            used: gate.used(),
            examined: gate.examined(),
            format: gate.format(),
            payload: told.payload,
            records: told.records,
            inside: told.inside,
        }
    }

    /// The id and offset of the first reason that is no note.
    pub fn refusal(&self) -> Option<(&'static str, Option<u64>)> {
        let reason = self.verdict.reasons().iter().find(|reason| !reason.is_note())?;
        Some((reason.id.text(), reason.offset()))
    }
}

#[derive(Default)]
struct Told {
    payload: Vec<u8>,
    records: Vec<u8>,
    inside: Vec<u8>,
}

impl Told {
    fn take(&mut self, output: Output<'_>) {
        match output {
            Output::Deliver(bytes) => self.payload.extend_from_slice(bytes),
            Output::Record { inside: false, bytes, .. } => self.records.extend_from_slice(bytes),
            Output::Record { inside: true, bytes, .. } => self.inside.extend_from_slice(bytes),
            _ => {}
        }
    }
}

/// Reads the input in one slice.
pub fn whole(target: &Arc<Target>, options: &Options, input: &[u8]) -> Seen {
    impatient(target, options, input, input.len().max(1))
}

/// Reads the input from a buffer that grows by so many bytes at a time, whatever the gate says it needs.
pub fn impatient(target: &Arc<Target>, options: &Options, input: &[u8], chunk: usize) -> Seen {
    let mut gate = Gate::new(VENDORS, Some(target.clone()), options.clone());
    let mut told = Told::default();
    let (mut start, mut end) = (0, chunk.min(input.len()));
    loop {
        let eof = end == input.len();
        let step = gate.step(&input[start..end], eof);
        let used = step.used;
        match step.event {
            Output::Need(need) => {
                assert!(!eof, "nothing can be needed at the end");
                assert!(need > end - start - used, "{need} bytes are there");
                end = (end + chunk).min(input.len());
            }
            Output::Finished => break,
            event => told.take(event),
        }
        start += used;
        assert!(start <= end);
    }
    Seen::of(&gate, told)
}

/// Pushes pieces of the input; the last one is the end.
pub fn push<'a>(target: &Arc<Target>, options: &Options, pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut gate = PushGate::new(Gate::new(VENDORS, Some(target.clone()), options.clone()));
    let mut told = Told::default();
    let mut pieces = pieces.into_iter().peekable();
    let mut feed = |piece: &[u8], eof| {
        gate.push(piece, eof, &mut |output| {
            told.take(output);
            true
        });
    };
    if pieces.peek().is_none() {
        feed(&[], true);
    }
    while let Some(piece) = pieces.next() {
        feed(piece, pieces.peek().is_none());
    }
    Seen::of(gate.gate(), told)
}

/// A generator of numbers that are the same in every run (`SplitMix64`).
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % bound as u64).unwrap()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}
