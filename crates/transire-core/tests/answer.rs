//! The answer, on what an mtty device gave in `PRE_COPY` and `STOP_COPY`: the source knows what the target says before it
//! sends the rest, and so before the guest is stopped.

mod support;

use support::{fixture, path, profile, seal, target};
use transire_core::attribute::{Attributes, Text, VENDOR, Value};
use transire_core::format::Phase;
use transire_core::gate::{Gate, Options, Output, PushGate};
use transire_core::profile::{Profile, ProfileBuilder};
use transire_core::seal::{Flow, SealEvent, Sealing};
use transire_core::sealed::{Answer, AnswerStage, Digest, Identity, SealOptions};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Verdict};

/// A source that seals, and what it has sent.
struct Source {
    sealing: Sealing,
    sent: Vec<u8>,
}

impl Source {
    fn begin(profile: Profile, stream_id: [u8; 16]) -> Self {
        let options = SealOptions {
            payload_format: "mtty".into(),
            digest: Digest::Blake3,
            payload_len: None,
            stream_id,
            device_label: None,
        };
        Self { sealing: Sealing::begin(VENDORS, profile, &options).unwrap(), sent: Vec::new() }
    }

    /// Sends what the device gave, all of it; returns the bytes that go out.
    fn send(&mut self, phase: Phase, mut bytes: &[u8], flow: Flow) -> Vec<u8> {
        let from = self.sent.len();
        self.sealing.set_phase(phase);
        loop {
            let step = self.sealing.step(bytes, flow).unwrap();
            let used = step.used;
            match step.event {
                SealEvent::Bytes(bytes) => self.sent.extend_from_slice(bytes),
                SealEvent::Frame(head, payload) => {
                    self.sent.extend_from_slice(&head);
                    self.sent.extend_from_slice(payload);
                }
                SealEvent::Flushed | SealEvent::Finished => return self.sent[from..].to_vec(),
                other => panic!("{other:?}"),
            }
            bytes = &bytes[used..];
        }
    }

    /// Reads what came back, which must be an answer to this stream.
    fn hear(&self, bytes: &[u8]) -> Answer {
        let answer = Answer::read(bytes, &mut Verdict::new()).unwrap();
        assert!(self.sealing.is_answered_by(&answer));
        let writer = self.sealing.writer();
        assert!(answer.is_for(writer.prologue_crc(), writer.stream_id()));
        assert_eq!(Identity::of_stream(&self.sent).as_ref(), Some(answer.identity()));
        answer
    }
}

/// A target that opens what comes, and what it delivered.
struct Destination {
    gate: PushGate,
    delivered: Vec<u8>,
}

impl Destination {
    fn of(ports: u64) -> Self {
        Self::with(ports, Options { exact: false, ..Options::default() })
    }

    fn with(ports: u64, options: Options) -> Self {
        Self { gate: PushGate::new(Gate::new(VENDORS, Some(target(ports)), options)), delivered: Vec::new() }
    }

    fn receive(&mut self, bytes: &[u8], eof: bool) {
        let delivered = &mut self.delivered;
        self.gate.push(bytes, eof, &mut |output| {
            if let Output::Deliver(bytes) = output {
                delivered.extend_from_slice(bytes);
            }
            true
        });
    }

    fn answer(&self, stage: AnswerStage) -> Option<Vec<u8>> {
        self.gate.gate().answer(stage).map(|answer| answer.to_bytes())
    }
}

/// Each captured state: its ports, what came in `PRE_COPY`, and what in `STOP_COPY`.
fn states() -> Vec<(u64, Vec<u8>, Vec<u8>)> {
    let mut states = Vec::new();
    for entry in std::fs::read_dir(path("precopy")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(state) = name.strip_suffix(".precopy-part.bin") else { continue };
        let rest = fixture(&format!("precopy/{state}.stopcopy-part.bin"));
        states.push((if state.starts_with("mtty1") { 1 } else { 2 }, fixture(&format!("precopy/{name}")), rest));
    }
    assert!(states.len() > 10);
    states
}

#[test]
fn the_source_knows_before_the_guest_is_stopped() {
    for (at, (ports, initial, rest)) in states().into_iter().enumerate() {
        let mut source = Source::begin(profile(ports), [u8::try_from(at).unwrap(); 16]);
        let mut destination = Destination::of(ports);
        assert_eq!(destination.answer(AnswerStage::Early), None, "nothing came");
        // The guest runs: only what `PRE_COPY` gave is sent.
        destination.receive(&source.send(Phase::Initial, &initial, Flow::Flush), false);
        let early = source.hear(&destination.answer(AnswerStage::Early).unwrap());
        assert_eq!((early.stage(), early.outcome()), (AnswerStage::Early, Outcome::Compatible));
        assert!(!early.is_complete());
        assert_eq!(early.reasons().len(), 0);
        assert_eq!(destination.answer(AnswerStage::Final), None, "the stream has not ended");
        // The guest is stopped.
        destination.receive(&source.send(Phase::StopCopy, &rest, Flow::End), false);
        let last = source.hear(&destination.answer(AnswerStage::Final).unwrap());
        assert_eq!((last.stage(), last.outcome()), (AnswerStage::Final, Outcome::Compatible));
        assert!(last.is_complete() && destination.gate.gate().is_complete());
        assert_eq!(destination.delivered, [initial, rest].concat());
    }
}

#[test]
fn the_wrong_target_says_so_at_once_and_the_source_gives_up() {
    for (at, (ports, initial, _)) in states().into_iter().enumerate() {
        let mut source = Source::begin(profile(ports), [u8::try_from(at).unwrap(); 16]);
        let mut destination = Destination::of(3 - ports);
        destination.receive(&source.send(Phase::Initial, &initial, Flow::Flush), false);
        let early = source.hear(&destination.answer(AnswerStage::Early).unwrap());
        assert_eq!((early.stage(), early.outcome()), (AnswerStage::Early, Outcome::Incompatible));
        assert_eq!(early.reasons().collect::<Vec<_>>(), ["nr_ports.not-equal"]);
        // The guest runs on: nothing of it was stopped, and nothing of the device was delivered.
        let abort = source.sealing.abort("the target does not take it").unwrap();
        assert!(matches!(abort.event, SealEvent::Bytes(bytes) if !bytes.is_empty()));
        assert!(destination.delivered.is_empty());
        let last = source.hear(&destination.answer(AnswerStage::Final).unwrap());
        assert_eq!((last.outcome(), last.is_complete()), (Outcome::Incompatible, false));
    }
}

#[test]
fn what_pre_copy_gave_alone_tells_the_wrong_target() {
    // The header says no more than the vendor: that the target has other ports is in the device's own bytes.
    let mut silent = ProfileBuilder::new();
    silent.set(VENDOR, &Value::Text(Text::constant("mtty")).to_owned());
    let silent = silent.build(&|vendor| VENDORS.dictionary(vendor)).unwrap();
    for (at, (ports, initial, _)) in states().into_iter().enumerate() {
        for (ours, outcome, reasons) in [
            (ports, Outcome::Unknown, &["nr_ports.not-in-profile"][..]),
            (3 - ports, Outcome::Incompatible, &["nr_ports.not-equal", "nr_ports.not-in-profile"]),
        ] {
            let mut source = Source::begin(silent.clone(), [u8::try_from(at).unwrap(); 16]);
            let options = Options { exact: false, admit_unknown: true, ..Options::default() };
            let mut destination = Destination::with(ours, options);
            let header = source.send(Phase::Initial, &[], Flow::Flush);
            destination.receive(&header, false);
            let early = source.hear(&destination.answer(AnswerStage::Early).unwrap());
            assert_eq!(early.outcome(), Outcome::Unknown, "the header leaves it open, and the target lives with that");
            destination.receive(&source.send(Phase::Initial, &initial, Flow::Flush), false);
            let early = source.hear(&destination.answer(AnswerStage::Early).unwrap());
            assert_eq!((early.stage(), early.outcome()), (AnswerStage::Early, outcome));
            assert_eq!(early.reasons().collect::<Vec<_>>(), reasons);
            assert!(destination.delivered.is_empty());
        }
    }
}

#[test]
fn the_first_bytes_can_worsen_what_the_header_promised() {
    // The header says one port, the payload two: a source of ours would not have sealed it.
    let (_, initial, _) = states().into_iter().find(|(ports, ..)| *ports == 2).unwrap();
    let stream = seal(&profile(1), "mtty", Digest::None, &[(Phase::Initial, &initial)]);
    let identity = Identity::of_stream(&stream).unwrap();
    let header = 32 + usize::try_from(u32::from_le_bytes(stream[8..12].try_into().unwrap())).unwrap();
    let mut destination = Destination::of(1);
    destination.receive(&stream[..header], false);
    let read = |stage| Answer::read(&destination.answer(stage).unwrap(), &mut Verdict::new()).unwrap();
    assert_eq!(read(AnswerStage::Early).outcome(), Outcome::Compatible);
    let mut destination = Destination::of(1);
    destination.receive(&stream[..header + 16 + initial.len()], false);
    let read = |stage| Answer::read(&destination.answer(stage).unwrap(), &mut Verdict::new()).unwrap();
    for stage in AnswerStage::ALL {
        let answer = read(stage);
        assert_eq!(answer.outcome(), Outcome::Corrupt, "the gate has stopped, so both are there");
        assert_eq!(answer.reasons().collect::<Vec<_>>(), ["profile.contradicts-payload"]);
        assert_eq!(*answer.identity(), identity);
    }
}

#[test]
fn a_cut_stream_is_answered_as_truncated() {
    let (ports, initial, _) = states().remove(0);
    let mut source = Source::begin(profile(ports), [1; 16]);
    let mut destination = Destination::of(ports);
    let sent = source.send(Phase::Initial, &initial, Flow::Flush);
    destination.receive(&sent, true);
    let last = source.hear(&destination.answer(AnswerStage::Final).unwrap());
    assert_eq!((last.outcome(), last.is_complete()), (Outcome::Truncated, false));
    assert_eq!(last.reasons().collect::<Vec<_>>(), ["frame.truncated"]);
}

#[test]
fn a_header_that_nobody_here_knows_is_answered_all_the_same() {
    let good = seal(&profile(1), "opaque", Digest::None, &[]);
    let header = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).unwrap();
        let mut stream = good.clone();
        stream[at..at + to.len()].copy_from_slice(to);
        mend(stream)
    };
    let cases = [
        (header(b"mtty", b"nobo"), "vendor.unrecognized"),
        (header(b"opaque", b"opaqua"), "payload_format.unrecognized"),
        (header(b"\x00\x81\x02", b"\x00\xf1\x02"), "attribute.unknown-critical"),
    ];
    for (stream, id) in cases {
        let mut destination = Destination::of(1);
        destination.receive(&stream, false);
        let answer = Answer::read(&destination.answer(AnswerStage::Final).unwrap(), &mut Verdict::new()).unwrap();
        assert_eq!((answer.outcome(), answer.is_complete()), (Outcome::Unrecognized, false));
        assert_eq!(answer.reasons().collect::<Vec<_>>(), [id]);
        assert_eq!(Some(answer.identity()), Identity::of_stream(&stream).as_ref());
    }
}

/// Makes the checksums of header and prologue right again.
fn mend(mut stream: Vec<u8>) -> Vec<u8> {
    let length = usize::try_from(u32::from_le_bytes(stream[8..12].try_into().unwrap())).unwrap();
    let crc = transire_core::checksum::crc32c(&stream[32..32 + length]);
    stream[12..16].copy_from_slice(&crc.to_le_bytes());
    let crc = transire_core::checksum::crc32c(&stream[..28]);
    stream[28..32].copy_from_slice(&crc.to_le_bytes());
    stream
}

#[test]
fn there_is_not_always_somebody_to_answer() {
    let sealed = seal(&profile(1), "opaque", Digest::None, &[]);
    let mut damaged = sealed.clone();
    damaged[40] ^= 1;
    let mut other_type = sealed.clone();
    // A `vendor` of another type: what the header says of its stream cannot be believed either.
    other_type[34] = 4;
    for stream in [fixture("mtty1-text.bin"), profile(1).to_bytes(), damaged, mend(other_type), sealed[..40].to_vec()] {
        let mut destination = Destination::of(1);
        destination.receive(&stream, true);
        assert!(destination.gate.gate().is_finished());
        assert_eq!(AnswerStage::ALL.map(|stage| destination.answer(stage)), [None, None]);
    }
}

#[test]
fn an_answer_is_no_stream() {
    let identity = Identity::of_stream(&seal(&profile(1), "opaque", Digest::None, &[])).unwrap();
    let answer = Answer::new(&identity, AnswerStage::Final, Outcome::Compatible, true, []).unwrap().to_bytes();
    for (target, expected) in [(None, Outcome::Compatible), (Some(target(1)), Outcome::Unrecognized)] {
        for chunk in [1, 7, answer.len()] {
            let mut gate = PushGate::new(Gate::new(VENDORS, target.clone(), Options::default()));
            let mut judged = false;
            for piece in answer.chunks(chunk) {
                gate.push(piece, false, &mut |output| {
                    judged |= matches!(output, Output::Verdict | Output::Deliver(_));
                    true
                });
            }
            gate.push(&[], true, &mut |_| true);
            let gate = gate.gate();
            assert_eq!((gate.format(), gate.verdict().outcome()), (Some("answer"), expected));
            assert!(gate.is_finished() && !gate.is_complete() && !gate.is_judged() && !judged);
            assert!(gate.source().value(VENDOR).is_none(), "it describes no device");
            if target.is_some() {
                let reason = gate.verdict().reasons()[0];
                assert_eq!((reason.id.text(), reason.offset()), ("format.describes-target", Some(20)));
            }
            assert_eq!(gate.answer(AnswerStage::Final), None, "nobody answers an answer");
        }
    }
}
