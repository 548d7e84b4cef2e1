//! The composition: native and sealed, good and bad, in any cut.

extern crate std;

use super::*;
use crate::attribute::{Dictionary, Text, VENDOR};
use crate::format::{
    Choices, DeviceKey, Glance, Hold, Identified, KnownBy, Phase, Proves, Role, Share, Step as ReaderStep, Vendor,
    settles_nothing,
};
use crate::magic::Magic;
use crate::profile::ProfileBuilder;
use crate::prologue::PROLOGUE_LEN;
use crate::seal::{Flow, SealEvent, Sealing};
use crate::sealed::{Digest, SealOptions};
use crate::vendors::VENDORS;
use crate::vendors::mtty::NR_PORTS;

fn mtty(ports: u64) -> crate::profile::Profile {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(Text::constant("mtty")).to_owned());
    builder.set(NR_PORTS, &Value::Uint(ports).to_owned());
    builder.build(&|vendor| VENDORS.dictionary(vendor)).unwrap()
}

fn target(ports: u64) -> Arc<Target> {
    Arc::new(Target::new(mtty(ports), VENDORS.vendor("mtty").unwrap().rules).unwrap())
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(std::format!("{}/../../fixtures/mtty/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn seal(payload: &[u8], format: &str, phases: &[(Phase, usize)]) -> (Vec<u8>, Verdict) {
    let options = SealOptions {
        payload_format: format.into(),
        digest: Digest::Blake3,
        payload_len: None,
        stream_id: [7; 16],
        device_label: None,
    };
    let mut sealing = Sealing::begin(VENDORS, mtty(2), &options).unwrap();
    let mut out = Vec::new();
    let mut at = 0;
    for &(phase, length) in phases {
        sealing.set_phase(phase);
        let mut piece = &payload[at..at + length];
        at += length;
        let flow = if at == payload.len() { Flow::End } else { Flow::Flush };
        loop {
            let step = sealing.step(piece, flow).unwrap();
            let used = step.used;
            match step.event {
                SealEvent::Bytes(bytes) => out.extend_from_slice(bytes),
                SealEvent::Frame(head, payload) => {
                    out.extend_from_slice(&head);
                    out.extend_from_slice(payload);
                }
                SealEvent::Flushed | SealEvent::Finished => break,
                SealEvent::Need(_) => panic!("everything is flushed"),
            }
            piece = &piece[used..];
        }
    }
    (out, sealing.verdict().clone())
}

struct Seen {
    payload: Vec<u8>,
    verdict: Verdict,
    complete: bool,
}

fn push(target: &Arc<Target>, pieces: &[&[u8]]) -> Seen {
    let mut gate = PushGate::new(Gate::new(VENDORS, Some(target.clone()), Options::default()));
    let mut payload = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        gate.push(piece, at + 1 == pieces.len(), &mut |output| {
            if let Output::Deliver(bytes) = output {
                payload.extend_from_slice(bytes);
            }
            true
        });
    }
    let gate = gate.gate();
    Seen { payload, verdict: gate.verdict().clone(), complete: gate.is_complete() }
}

#[test]
fn a_captured_stream_passes_native_and_sealed_in_every_cut() {
    let native = fixture("mtty2-both-ports.bin");
    let (sealed, verdict) = seal(&native, "mtty", &[(Phase::Initial, 24), (Phase::StopCopy, 72)]);
    assert_eq!(verdict, Verdict::new());
    let (opaque, _) = seal(&native, "opaque", &[(Phase::Unspecified, 96)]);
    for stream in [&native, &sealed, &opaque] {
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            let seen = push(&target(2), &[first, second]);
            assert_eq!((seen.verdict, seen.complete), (Verdict::new(), true), "cut at {cut}");
            assert_eq!(seen.payload, native, "cut at {cut}");
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(push(&target(2), &single).payload, native);
    }
}

#[test]
fn nothing_leaves_for_another_target() {
    let native = fixture("mtty2-both-ports.bin");
    let (sealed, _) = seal(&native, "mtty", &[(Phase::Unspecified, 96)]);
    for stream in [&native, &sealed] {
        let seen = push(&target(1), &[stream]);
        assert_eq!((seen.verdict.outcome(), seen.complete), (Outcome::Incompatible, false));
        assert_eq!(seen.verdict.reasons().len(), 1);
        assert!(seen.payload.is_empty());
    }
}

#[test]
fn sealing_refuses_what_contradicts_or_is_damaged() {
    let (stream, verdict) = seal(&fixture("mtty1-text.bin"), "mtty", &[(Phase::Unspecified, 60)]);
    assert_eq!(verdict.reasons()[0].id, reasons::CONTRADICTS_PAYLOAD);
    let seen = push(&target(2), &[&stream]);
    assert_eq!(seen.verdict.reasons()[0].id, reasons::STREAM_ABORTED);

    let native = fixture("mtty2-both-ports.bin");
    let (_, verdict) = seal(&native[..95], "mtty", &[(Phase::Unspecified, 95)]);
    assert_eq!(verdict.outcome(), Outcome::Truncated);
}

// A vendor whose stream marks its end and is released record by record: `TOYS`, then records `u8 length, bytes`, the last
// one of no bytes. Of its other formats one has a reader that waits for the end, one a reader that breaks the contract.

static TOY_RULES: RuleTable = RuleTable {
    dictionary: &Dictionary { vendor: "toy", attributes: &[] },
    rules: &[],
    derive: |_, _| None,
    statable: &[],
    contradiction: |_| None,
    impossible: |_| None,
};
static TOY: Vendor = Vendor { title: "", rules: &TOY_RULES, formats: &[&RECORDS, &LATE, &STUCK], reasons: &[] };
static REGISTRY: Registry = Registry(&[&crate::vendors::mtty::VENDOR, &TOY]);
static RECORDS: Format = toy("toy", |_| Box::new(Records { told: false, over: false }));
static LATE: Format = toy("late", |_| Box::new(Late(Records { told: false, over: false })));
static STUCK: Format = toy("stuck", |_| Box::new(Stuck));

const fn toy(name: &'static str, reader: fn(bool) -> Box<dyn Reader>) -> Format {
    const GLANCE: Glance = Glance {
        identity: "",
        driver_checks: Share::Nothing,
        end_marked: false,
        payload_protected: false,
        sealing_adds: true,
    };
    const NOTHING: Proves =
        Proves { glance: GLANCE, identity: "", driver_checks: "", end: "", payload: "", sealing_adds: "" };
    Format {
        name,
        vendor: "toy",
        title: "",
        role: Role::Source,
        known_by: KnownBy::Magic(const { &[Magic::new(b"TOYS")] }),
        judged_within: Some(4),
        hold: Hold::Record(256),
        proves: NOTHING,
        options: &[],
        settled_by: settles_nothing,
        layouts: &[],
        identify: |_, _, _, _| Identified::Need(4),
        reader,
        driver: None,
    }
}

struct Toy;

impl Attributes for Toy {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        (id == VENDOR).then_some(Value::Text(Text::constant("toy")))
    }
}

struct Records {
    told: bool,
    over: bool,
}

impl Reader for Records {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> ReaderStep<'a> {
        let need = |need| {
            if eof { Event::Finding(Reason::new(reasons::STREAM_TRUNCATED)) } else { Event::Need(need) }
        };
        let data = |used, bytes| ReaderStep {
            used,
            event: Event::Data { device: DeviceKey::default(), phase: Phase::Unspecified, bytes },
        };
        if self.over {
            return ReaderStep::stay(Event::End);
        }
        if !self.told {
            if input.len() < 4 {
                return ReaderStep::stay(need(4));
            }
            self.told = true;
            return ReaderStep { used: 0, event: Event::Profile };
        }
        if input.starts_with(b"TOYS") {
            return data(4, &input[..4]);
        }
        let Some(length) = input.first().map(|length| usize::from(*length) + 1) else {
            return ReaderStep::stay(need(1));
        };
        let Some(record) = input.get(..length) else { return ReaderStep::stay(need(length)) };
        self.over = length == 1;
        data(length, record)
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.told.then_some(&Toy)
    }
}

/// Says nothing before the end is there.
struct Late(Records);

impl Reader for Late {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> ReaderStep<'a> {
        if eof { self.0.step(input, true) } else { ReaderStep::stay(Event::Need(input.len() + 1)) }
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.0.source()
    }
}

/// Needs nothing, for ever.
struct Stuck;

impl Reader for Stuck {
    fn step<'a>(&mut self, _: &'a [u8], _: bool) -> ReaderStep<'a> {
        ReaderStep::stay(Event::Need(0))
    }

    fn source(&self) -> Option<&dyn Attributes> {
        None
    }
}

fn toy_profile() -> crate::profile::Profile {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(Text::constant("toy")).to_owned());
    builder.build(&|vendor| REGISTRY.dictionary(vendor)).unwrap()
}

/// A sealed stream whose payload nobody looked at.
fn envelope(profile: &crate::profile::Profile, format: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let options = SealOptions {
        payload_format: format.into(),
        digest: Digest::None,
        payload_len: None,
        stream_id: [7; 16],
        device_label: None,
    };
    let (mut writer, mut out) = crate::sealed::SealedWriter::begin(profile, &options).unwrap();
    for piece in pieces {
        out.extend_from_slice(&writer.data(Phase::Unspecified, piece).unwrap());
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(&writer.end().unwrap());
    out
}

/// Reads by [`Gate::step`] from a buffer that grows by so many bytes.
fn grow(target: Option<&Arc<Target>>, options: &Options, input: &[u8], by: usize) -> (Gate, Vec<u8>) {
    let mut gate = Gate::new(REGISTRY, target.cloned(), options.clone());
    let (mut start, mut end, mut payload) = (0, by.min(input.len()), Vec::new());
    for _ in 0..10_000 {
        let eof = end == input.len();
        let step = gate.step(&input[start..end], eof);
        let used = step.used;
        match step.event {
            Output::Need(need) => {
                assert!(!eof && need > end - start - used);
                end = (end + by).min(input.len());
            }
            Output::Deliver(bytes) => payload.extend_from_slice(bytes),
            Output::Finished => return (gate, payload),
            _ => {}
        }
        start += used;
    }
    panic!("the gate goes round in circles");
}

fn toy_target() -> Arc<Target> {
    Arc::new(Target::new(toy_profile(), &TOY_RULES).unwrap())
}

/// The outcome and the first reason, after every way to cut the input has said the same.
fn outcome(
    target: Option<&Arc<Target>>,
    options: &Options,
    input: &[u8],
) -> (Outcome, Option<(&'static str, Option<u64>)>) {
    let (gate, payload) = grow(target, options, input, input.len().max(1));
    for by in 1..=input.len() {
        let (other, same) = grow(target, options, input, by);
        assert_eq!((other.verdict(), other.is_complete()), (gate.verdict(), gate.is_complete()), "by {by}");
        assert_eq!((other.used(), other.examined(), &same), (gate.used(), gate.examined(), &payload), "by {by}");
        let mut push = PushGate::new(Gate::new(REGISTRY, target.cloned(), options.clone()));
        for (at, piece) in input.chunks(by).enumerate() {
            push.push(piece, (at + 1) * by >= input.len(), &mut |_| true);
        }
        assert_eq!(push.gate().verdict(), gate.verdict(), "pushed by {by}");
        assert_eq!((push.gate().used(), push.gate().examined()), (gate.used(), gate.examined()), "pushed by {by}");
    }
    let first = gate.verdict().reasons().first().map(|reason| (reason.id.text(), reason.offset()));
    assert_eq!(gate.is_complete(), gate.verdict().outcome() == Outcome::Compatible || first.is_none());
    (gate.verdict().outcome(), first)
}

#[test]
fn records_pass_one_by_one_whatever_frames_they_stand_in() {
    let native = b"TOYS\x03abc\x01d\x0aabcdefghij\x00";
    let target = toy_target();
    for options in [Options::default(), Options { exact: false, ..Options::default() }] {
        assert_eq!(outcome(Some(&target), &options, native), (Outcome::Compatible, None));
        for at in 1..native.len() {
            for then in at + 1..native.len() {
                let pieces = [&native[..at], &native[at..then], &native[then..]];
                let sealed = envelope(&toy_profile(), "toy", &pieces);
                for by in [1, 7, 50, sealed.len()] {
                    let (gate, payload) = grow(Some(&target), &options, &sealed, by);
                    assert!(gate.is_complete(), "{:?}", gate.verdict());
                    assert_eq!(payload, native);
                }
            }
        }
    }
}

#[test]
fn a_record_leaves_with_the_frame_that_completes_it() {
    let pieces: [&[u8]; 4] = [b"TOYS\x0aabcde", b"fghij\x01", b"d\x02", b"ef\x00"];
    let left: [&[u8]; 4] =
        [b"TOYS", b"TOYS\x0aabcdefghij", b"TOYS\x0aabcdefghij\x01d", b"TOYS\x0aabcdefghij\x01d\x02ef\x00"];
    let sealed = envelope(&toy_profile(), "toy", &pieces);
    let mut gate = PushGate::new(Gate::new(REGISTRY, Some(toy_target()), Options::default()));
    let mut at = PROLOGUE_LEN + toy_header_len(&sealed);
    gate.push(&sealed[..at], false, &mut |_| true);
    let mut payload = Vec::new();
    for (piece, left) in pieces.iter().zip(left) {
        let end = at + crate::sealed::FRAME_HEAD + piece.len();
        gate.push(&sealed[at..end], false, &mut |output| {
            if let Output::Deliver(bytes) = output {
                payload.extend_from_slice(bytes);
            }
            true
        });
        assert_eq!(payload, left);
        at = end;
    }
}

fn toy_header_len(sealed: &[u8]) -> usize {
    let prologue = crate::prologue::Prologue::read(sealed.first_chunk().unwrap()).unwrap();
    index(prologue.header_len)
}

#[test]
fn a_native_end_is_not_the_envelopes() {
    let target = toy_target();
    let options = Options::default();
    let native = b"TOYS\x01d\x00";
    let sealed = envelope(&toy_profile(), "toy", &[native]);
    assert_eq!(outcome(Some(&target), &options, &sealed), (Outcome::Compatible, None));
    for length in 0..sealed.len() {
        assert_eq!(outcome(Some(&target), &options, &sealed[..length]).0, Outcome::Truncated, "{length} bytes");
    }
    let mut damaged = sealed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(outcome(Some(&target), &options, &damaged).0, Outcome::Corrupt, "what follows the native end counts");

    // Bytes behind the native end: in its frame, in the next, and without an envelope.
    let trailing = (Outcome::Corrupt, Some(("stream.trailing", Some(7))));
    let same = envelope(&toy_profile(), "toy", &[b"TOYS\x01d\x00more"]);
    assert_eq!(outcome(Some(&target), &options, &same), trailing);
    let next = envelope(&toy_profile(), "toy", &[native, b"more"]);
    assert_eq!(outcome(Some(&target), &options, &next), trailing);
    let held = envelope(&toy_profile(), "toy", &[b"TOYS\x01", b"d\x00more"]);
    assert_eq!(outcome(Some(&target), &options, &held), trailing);
    assert_eq!(outcome(Some(&target), &options, b"TOYS\x01d\x00more"), trailing);
    let late = envelope(&toy_profile(), "late", &[b"TOYS\x01", b"d\x00more"]);
    assert_eq!(outcome(Some(&target), &options, &late), trailing);
    let late = envelope(&toy_profile(), "late", &[b"TOYS\x01", b"d\x00"]);
    assert_eq!(outcome(Some(&target), &options, &late), (Outcome::Compatible, None));
    let (gate, _) = grow(Some(&target), &Options { exact: false, ..options }, b"TOYS\x01d\x00more", 1);
    assert!(gate.is_complete());
    assert_eq!(gate.used(), 7);
}

#[test]
fn a_reader_that_breaks_the_contract_comes_to_an_end() {
    for input in [Input::Format(&STUCK, Choices::NONE), Input::Auto] {
        let options = Options { input, ..Options::default() };
        let native: &[u8] = b"TOYS and whatever";
        let sealed = envelope(&toy_profile(), "stuck", &[native, native]);
        let stream = if matches!(input, Input::Auto) { &sealed } else { native };
        assert_eq!(outcome(None, &options, stream).0, Outcome::Truncated);
    }
}

#[test]
fn reading_on_only_worsens() {
    let native = fixture("mtty2-both-ports.bin");
    let options = Options { read_on: true, ..Options::default() };
    let target = target(1);
    let streams = [
        native.clone(),
        envelope(&mtty(2), "mtty", &[&native[..24], &native[24..]]),
        envelope(&mtty(2), "opaque", &[&native[..24], &native[24..]]),
    ];
    for stream in &streams {
        let incompatible = outcome(Some(&target), &options, stream);
        assert_eq!((incompatible.0, incompatible.1.unwrap().0), (Outcome::Incompatible, ".not-equal"));
        let (gate, payload) = grow(Some(&target), &options, stream, stream.len());
        assert_eq!((gate.used(), payload.len()), (widen(stream.len()), 0), "read to the end, and nothing left");
        // A truncation is told and leaves the outcome; damage replaces it.
        let cut = &stream[..stream.len() - 1];
        assert_eq!(outcome(Some(&target), &options, cut), incompatible);
        let (gate, _) = grow(Some(&target), &options, cut, 1);
        assert_eq!(gate.verdict().reasons().len(), 2);
        assert_eq!(gate.verdict().reasons()[1].id.outcome(), Outcome::Truncated);
        let mut damaged = stream.clone();
        let at = damaged.len() - 12;
        damaged[at] ^= 0xff;
        assert_eq!(outcome(Some(&target), &options, &damaged).0, Outcome::Corrupt);
        // Who does not read on stops at the verdict.
        let (gate, _) = grow(Some(&target), &Options::default(), &damaged, damaged.len());
        assert_eq!((gate.verdict().outcome(), gate.verdict().reasons().len()), (Outcome::Incompatible, 1));
    }
    let followed = [&streams[1][..], b"more"].concat();
    assert_eq!(outcome(Some(&target), &options, &followed).0, Outcome::Corrupt);
    let (gate, _) = grow(Some(&target), &Options { exact: false, ..options }, &followed, 1);
    assert_eq!((gate.verdict().outcome(), gate.used()), (Outcome::Incompatible, widen(streams[1].len())));
}

#[test]
fn other_vendors() {
    let native = fixture("mtty2-both-ports.bin");
    let target = toy_target();
    let options = Options { read_on: true, ..Options::default() };
    let not_equal = (Outcome::Incompatible, Some(("vendor.not-equal", Some(40))));
    let sealed = envelope(&mtty(2), "mtty", &[&native]);
    assert_eq!(outcome(Some(&target), &options, &sealed), not_equal);
    assert_eq!(outcome(Some(&target), &options, &mtty(2).to_bytes()), not_equal);
    assert_eq!(outcome(Some(&target), &options, &native).1, Some(("format.not-of-target", Some(0))));
    for stream in [&sealed, &native] {
        let (gate, payload) = grow(Some(&target), &options, stream, 1);
        assert_eq!((gate.verdict().reasons().len(), payload.len(), gate.is_complete()), (1, 0, false));
        let mut damaged = stream.clone();
        let at = damaged.len() - 12;
        damaged[at] = 0xff;
        assert_eq!(
            outcome(Some(&target), &options, &damaged).0,
            Outcome::Corrupt,
            "its format is checked all the same"
        );
    }
    // No rule is asked of another vendor's stream, and its payload is still held against its own header.
    let lies = envelope(&mtty(1), "mtty", &[&native]);
    assert_eq!(outcome(Some(&target), &options, &lies).0, Outcome::Corrupt);
}

#[test]
fn what_is_forced_is_held_to_it() {
    let native = fixture("mtty2-both-ports.bin");
    let sealed = envelope(&mtty(2), "mtty", &[&native]);
    let target = target(2);
    let unrecognized = (Outcome::Unrecognized, Some(("magic.unrecognized", Some(0))));
    let mtty = Input::Format(&crate::vendors::mtty::stream::FORMAT, Choices::NONE);
    for (input, stream) in [
        (Input::Sealed, &native),
        (Input::Native, &sealed),
        (mtty, &sealed),
        (mtty, &b"?".to_vec()),
        (Input::Auto, &b"?".to_vec()),
    ] {
        let options = Options { input, ..Options::default() };
        assert_eq!(outcome(Some(&target), &options, stream), unrecognized, "{input:?}");
        assert_eq!(outcome(Some(&target), &Options { describe: true, ..options }, stream), unrecognized, "{input:?}");
    }
    for (input, stream) in [(Input::Sealed, &sealed), (Input::Native, &native), (mtty, &native), (Input::Auto, &sealed)]
    {
        let options = Options { input, ..Options::default() };
        assert_eq!(outcome(Some(&target), &options, stream), (Outcome::Compatible, None));
    }
}

#[test]
fn a_profile_is_judged_and_never_complete() {
    for (ports, expected) in [(2, Outcome::Compatible), (1, Outcome::Incompatible)] {
        let (gate, payload) = grow(Some(&target(2)), &Options::default(), &mtty(ports).to_bytes(), 1);
        assert_eq!((gate.verdict().outcome(), gate.format()), (expected, Some("profile")));
        assert!(gate.is_judged() && gate.is_finished() && !gate.is_complete());
        assert!(payload.is_empty());
    }
    let followed = [&mtty(2).to_bytes()[..], &[0]].concat();
    let (gate, _) = grow(Some(&target(2)), &Options { exact: false, ..Options::default() }, &followed, 1);
    assert_eq!(gate.verdict().reasons()[0].id, reasons::STREAM_TRAILING);
}

#[test]
fn what_is_admitted_is_delivered() {
    let native = fixture("mtty2-both-ports.bin");
    let mut fixable = Target::new(mtty(1), VENDORS.vendor("mtty").unwrap().rules).unwrap();
    fixable.settable.push(crate::target::Settable {
        attribute: NR_PORTS,
        allowed: crate::target::Allowed::Any,
        path: "nr_ports".into(),
    });
    let fixable = Arc::new(fixable);
    let mut silent = ProfileBuilder::new();
    silent.set(VENDOR, &Value::Text(Text::constant("mtty")).to_owned());
    let silent = silent.build(&|vendor| VENDORS.dictionary(vendor)).unwrap();
    let unknown = envelope(&silent, "opaque", &[&native]);
    let both = envelope(&silent, "mtty", &[&native]);
    // (stream, admit_fixable, admit_unknown, outcome, whether it is delivered)
    let cases: &[(&[u8], bool, bool, Outcome, bool)] = &[
        (&native, false, false, Outcome::Fixable, false),
        (&native, false, true, Outcome::Fixable, false),
        (&native, true, false, Outcome::Fixable, true),
        (&unknown, false, false, Outcome::Unknown, false),
        (&unknown, true, false, Outcome::Unknown, false),
        (&unknown, false, true, Outcome::Unknown, true),
        (&both, false, true, Outcome::Unknown, false),
        (&both, true, true, Outcome::Unknown, true),
    ];
    for (at, (stream, admit_fixable, admit_unknown, outcome, delivered)) in cases.iter().enumerate() {
        for read_on in [false, true] {
            let options =
                Options { admit_fixable: *admit_fixable, admit_unknown: *admit_unknown, read_on, ..Options::default() };
            let (gate, payload) = grow(Some(&fixable), &options, stream, 1);
            assert_eq!((gate.verdict().outcome(), gate.is_complete()), (*outcome, *delivered), "case {at}");
            assert_eq!(payload, if *delivered { &native[..] } else { &[] }, "case {at}");
        }
    }
}

#[test]
fn a_gate_that_was_stopped_says_so() {
    let native = fixture("mtty2-both-ports.bin");
    let mut gate = PushGate::new(Gate::new(VENDORS, Some(target(2)), Options::default()));
    assert_eq!(gate.push(&native[..50], false, &mut |_| true), 50);
    gate.stop(Reason::at(reasons::STREAM_STALLED, 50));
    assert_eq!(gate.push(&native[50..], true, &mut |_| panic!("nothing more")), 0);
    assert_eq!((gate.gate().verdict().outcome(), gate.gate().is_complete()), (Outcome::Truncated, false));
    gate.stop(Reason::new(reasons::FRAME_CRC));
    assert_eq!(gate.gate().verdict().reasons().len(), 1, "what is over stays as it is");
}

#[test]
fn a_sink_that_says_no_is_asked_again_where_it_stopped() {
    let native = fixture("mtty2-both-ports.bin");
    let sealed = envelope(&mtty(2), "opaque", &[&native[..10], &native[10..40], &native[40..]]);
    for by in 1..=sealed.len() {
        let mut gate = PushGate::new(Gate::new(VENDORS, Some(target(2)), Options::default()));
        let (mut payload, mut at, mut end) = (Vec::new(), 0, 0);
        while !gate.gate().is_finished() {
            end = (end + by).min(sealed.len()).max(at);
            at += gate.push(&sealed[at..end], end == sealed.len(), &mut |output| {
                if let Output::Deliver(bytes) = output {
                    payload.extend_from_slice(bytes);
                }
                false
            });
        }
        assert!(gate.gate().is_complete());
        assert_eq!((payload.as_slice(), at), (&native[..], sealed.len()), "by {by}");
    }
}

#[test]
fn bytes_that_a_caller_takes_back_are_asked_for_again() {
    let sealed = envelope(&toy_profile(), "toy", &[b"TOYS\x03abc\x00"]);
    for eof in [false, true] {
        let mut gate = Gate::new(REGISTRY, Some(toy_target()), Options::default());
        let header = gate.step(&sealed, false).used;
        let frame = &sealed[header..];
        assert!(matches!(gate.step(frame, false).event, Output::Verdict));
        let step = gate.step(frame, false);
        assert_eq!(step.used, 0, "a frame is used when all of it has been handed on");
        assert!(matches!(step.event, Output::Deliver(b"TOYS")));
        match gate.step(&frame[..20], eof).event {
            Output::Need(need) => assert!(!eof && need == 16 + 9),
            Output::Finished => assert!(eof && !gate.is_complete()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_the_payload_says_is_placed_in_the_payload() {
    let native = fixture("mtty2-both-ports.bin");
    let mut silent = ProfileBuilder::new();
    silent.set(VENDOR, &Value::Text(Text::constant("mtty")).to_owned());
    let silent = silent.build(&|vendor| VENDORS.dictionary(vendor)).unwrap();
    let options = Options { read_on: true, ..Options::default() };
    let (gate, _) = grow(Some(&target(1)), &options, &envelope(&silent, "mtty", &[&native]), 1);
    let reason = gate.verdict().reasons().iter().find(|reason| reason.id == reasons::NOT_EQUAL).unwrap();
    let span = reason.span.unwrap();
    assert_eq!((span.offset, span.in_payload), (16, true));
    // What the header was refused for is not said again of the payload.
    let (gate, _) = grow(Some(&target(1)), &options, &envelope(&mtty(2), "mtty", &[&native]), 1);
    assert_eq!(gate.verdict().reasons().len(), 1);
    assert!(!gate.verdict().reasons()[0].span.unwrap().in_payload);
}
