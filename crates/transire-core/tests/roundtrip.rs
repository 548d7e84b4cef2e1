//! What is written is read as it was, however it is cut; and whatever comes in gets one answer.

mod support;

#[path = "support/mend.rs"]
mod mend;

use mend::mend;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use support::{fixture, impatient, profile, push, seal, target, whole};
use transire_core::attribute::{AttributeId, Attributes, OwnedValue, PciId, Ratio, Text, Type, VENDOR, Value, Version};
use transire_core::bytes::widen;
use transire_core::format::{Choices, EncodeError, Event, Layout, Phase, Reader, Record};
use transire_core::gate::{Gate, Input, Options, Output};
use transire_core::profile::{Profile, ProfileBuilder};
use transire_core::seal::{Flow, SealEvent, Sealing};
use transire_core::sealed::{Answer, AnswerStage, Digest, FRAME_MAX, Identity, SealOptions, SealedReader};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Verdict};

/// A value of every type.
fn values() -> impl Strategy<Value = Vec<OwnedValue>> {
    let scalars = (
        any::<bool>().prop_map(|value| Value::Bool(value).to_owned()),
        any::<u64>().prop_map(|value| Value::Uint(value).to_owned()),
        "[ -~äß€😀]{1,60}".prop_map(|text| Value::Text(Text::new(&text).unwrap()).to_owned()),
        vec(any::<u8>(), 1..200).prop_map(|bytes| Value::Bytes(&bytes).to_owned()),
        any::<[u32; 3]>().prop_map(|[major, minor, patch]| Value::Version(Version { major, minor, patch }).to_owned()),
        any::<[u64; 2]>().prop_map(|[one, other]| Value::Range(one.min(other), one.max(other)).to_owned()),
    );
    let others = (
        vec(any::<u8>(), 0..=32).prop_map(|bytes| OwnedValue::mask(&bytes).unwrap()),
        btree_set(any::<u64>(), 1..40).prop_map(|members| {
            let members: Vec<Value<'_>> = members.into_iter().map(Value::Uint).collect();
            OwnedValue::set(Type::Uint, &members).unwrap()
        }),
        (any::<u32>(), 1..=u32::MAX).prop_map(|(num, den)| {
            let divisor = gcd(num, den);
            Value::Ratio(Ratio::new(num / divisor, den / divisor).unwrap()).to_owned()
        }),
        any::<[u16; 2]>().prop_map(|[vendor, device]| Value::PciId(PciId { vendor, device }).to_owned()),
        btree_set("[a-zé]{1,9}", 1..20).prop_map(|keys| {
            let pairs: Vec<_> = keys.iter().map(|key| (key.as_str(), "value")).collect();
            OwnedValue::map(&pairs).unwrap()
        }),
        Just(Value::Unknown.to_owned()),
    );
    (scalars, others).prop_map(|((a, b, c, d, e, f), (g, h, i, j, k, l))| vec![a, b, c, d, e, f, g, h, i, j, k, l])
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Payload in pieces with phases that may follow each other.
fn pieces() -> impl Strategy<Value = Vec<(Phase, Vec<u8>)>> {
    let piece = || vec(any::<u8>(), 1..120);
    let live = vec((prop_oneof![Just(Phase::Initial), Just(Phase::Iterative)], piece()), 0..5);
    let stopped = vec((Just(Phase::StopCopy), piece()), 0..4);
    let plain = vec((Just(Phase::Unspecified), piece()), 0..6);
    prop_oneof![(live, stopped).prop_map(|(live, stopped)| [live, stopped].concat()), plain]
}

fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof![Just(Digest::None), Just(Digest::Blake3)]
}

/// Seals through [`Sealing`], one flush for each piece.
fn seal_pieces(format: &str, digest: Digest, announce: bool, pieces: &[(Phase, Vec<u8>)]) -> (Vec<u8>, Verdict) {
    let total = pieces.iter().map(|(_, bytes)| widen(bytes.len())).sum();
    let options = SealOptions {
        payload_format: format.into(),
        digest,
        payload_len: announce.then_some(total),
        stream_id: [0x5a; 16],
        device_label: announce.then(|| "net0".into()),
    };
    let mut sealing = Sealing::begin(VENDORS, profile(2), &options).unwrap();
    let mut out = Vec::new();
    for (at, (phase, piece)) in pieces.iter().enumerate() {
        sealing.set_phase(*phase);
        let mut rest = &piece[..];
        // The end may come with the last bytes or behind them.
        let flow = if at + 1 == pieces.len() && announce { Flow::End } else { Flow::Flush };
        while !sealing_step(&mut sealing, &mut rest, flow, &mut out) {}
    }
    while !sealing_step(&mut sealing, &mut &[][..], Flow::End, &mut out) {}
    (out, sealing.verdict().clone())
}

fn sealing_step(sealing: &mut Sealing, rest: &mut &[u8], flow: Flow, out: &mut Vec<u8>) -> bool {
    let step = sealing.step(rest, flow).unwrap();
    let used = step.used;
    match step.event {
        SealEvent::Bytes(bytes) => out.extend_from_slice(bytes),
        SealEvent::Frame(head, payload) => {
            out.extend_from_slice(&head);
            out.extend_from_slice(payload);
        }
        SealEvent::Flushed | SealEvent::Finished => return true,
        other => panic!("{other:?}"),
    }
    *rest = &rest[used..];
    false
}

/// The data frames of a sealed stream.
fn frames(stream: &[u8]) -> Vec<(Phase, Vec<u8>)> {
    let mut reader = SealedReader::new(VENDORS, false);
    let (mut at, mut frames) = (0, Vec::new());
    loop {
        let step = reader.step(&stream[at..], true);
        at += step.used;
        match step.event {
            Event::Data { phase, bytes, .. } => frames.push((phase, bytes.to_vec())),
            Event::End => return frames,
            Event::Finding(reason) => assert!(reason.is_note(), "{reason:?}"),
            _ => {}
        }
    }
}

/// The records outside and inside an envelope, decoded and encoded again.
fn encoded(input: &[u8]) -> Result<(Vec<u8>, Vec<u8>), EncodeError> {
    fn again(
        layout: &'static Layout,
        number: Option<u32>,
        offset: u64,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        assert_eq!(offset, widen(out.len()));
        let record = Record::decode(layout, number, offset, bytes).expect("a whole record");
        record.encode(out)
    }
    let options = Options { describe: true, ..Options::default() };
    let mut gate = Gate::new(VENDORS, Some(target(2)), options);
    let (mut at, mut outside, mut within) = (0, Vec::new(), Vec::new());
    loop {
        let step = gate.step(&input[at..], true);
        let used = step.used;
        match step.event {
            Output::Record { layout, number, offset, inside, bytes } => {
                again(layout, number, offset, bytes, if inside { &mut within } else { &mut outside })?;
            }
            Output::Finished => break,
            _ => {}
        }
        at += used;
    }
    assert!(gate.is_complete());
    Ok((outside, within))
}

/// A stream of two ports that passes, with whatever stands in fields without a rule.
fn native() -> impl Strategy<Value = Vec<u8>> {
    let port = (any::<[u8; 24]>(), 0..16_u8, 0..=16_u8, any::<(bool, bool)>(), any::<[u8; 3]>(), any::<[u8; 2]>());
    vec(port, 2).prop_map(|ports| {
        let mut stream = fixture("mtty2-both-ports.bin")[..24].to_vec();
        for (start, head, count, (dlab, overrun), more, padding) in ports {
            let tail = (head + 16 - count % 16) % 16;
            stream.extend_from_slice(&start);
            stream.extend_from_slice(&[head, tail, count, dlab.into(), overrun.into(), padding[0]]);
            stream.extend_from_slice(&[more[0], more[1], more[2], 16, 1, padding[1]]);
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn attributes_of_all_types_are_read_as_they_were_written(values in values(), first in 0x7000..0x7f00_u16) {
        let mut builder = ProfileBuilder::new();
        builder.set(VENDOR, &Value::Text(Text::constant("mtty")).to_owned());
        for (id, value) in (first..).zip(&values) {
            prop_assert!(builder.set(AttributeId(id), value));
        }
        let bytes = builder.build(&|vendor| VENDORS.dictionary(vendor)).unwrap().to_bytes();
        let mut notes = Verdict::new();
        let profile = Profile::read(&bytes, &|vendor| VENDORS.dictionary(vendor), &mut notes).unwrap();
        prop_assert_eq!(profile.to_bytes(), &bytes[..]);
        prop_assert_eq!(notes.reasons().len(), 12, "private attributes are noted");
        let header = profile.header();
        let read: Vec<_> = header.attributes().skip(1).map(|attribute| attribute.value().unwrap().to_owned()).collect();
        prop_assert_eq!(&read, &values);
        prop_assert_eq!(profile.value(VENDOR), Some(Value::Text(Text::constant("mtty"))));
    }

    #[test]
    fn payload_and_phases_go_through(pieces in pieces(), digest in digest(), announce: bool, chunk in 1..300_usize) {
        let payload: Vec<u8> = pieces.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let (stream, verdict) = seal_pieces("opaque", digest, announce, &pieces);
        prop_assert_eq!(verdict, Verdict::new());
        prop_assert_eq!(frames(&stream), &pieces[..]);
        let written = seal(&profile(2), "opaque", digest, &borrowed(&pieces));
        prop_assert_eq!(frames(&written), &pieces[..]);
        for stream in [&stream, &written] {
            let seen = push(&target(2), &Options::default(), stream.chunks(chunk));
            prop_assert!(seen.complete);
            prop_assert_eq!(&seen.payload, &payload);
            prop_assert_eq!(seen.used, widen(stream.len()));
            let (outside, inside) = encoded(stream).unwrap();
            prop_assert_eq!(&outside, stream);
            prop_assert!(inside.is_empty());
        }
    }

    #[test]
    fn records_are_written_as_they_were_read(native in native(), cuts in vec(1..96_usize, 0..4), digest in digest()) {
        prop_assert_eq!(encoded(&native).unwrap(), (native.clone(), vec![]));
        let mut cuts = cuts;
        cuts.extend([0, 96]);
        cuts.sort_unstable();
        cuts.dedup();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| (Phase::Iterative, native[cut[0]..cut[1]].to_vec())).collect();
        let (stream, verdict) = seal_pieces("mtty", digest, true, &pieces);
        prop_assert_eq!(verdict.outcome(), Outcome::Compatible);
        prop_assert_eq!(encoded(&stream).unwrap(), (stream.clone(), native.clone()));
        let seen = whole(&target(2), &Options::default(), &stream);
        prop_assert!(seen.complete);
        prop_assert_eq!(seen.payload, native);
    }

    #[test]
    fn an_answer_is_written_and_read(
        vendor in "[ -~äß€]{1,60}",
        stream_id: [u8; 16],
        prologue_crc: u32,
        last: bool,
        outcome in prop::sample::select(&Outcome::ALL[..]),
        complete: bool,
        ids in btree_set("[a-z_]{0,20}\\.[a-z-]{1,20}", 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let identity = Identity { vendor, stream_id, prologue_crc };
        let stage = if last { AnswerStage::Final } else { AnswerStage::Early };
        let made = Answer::new(&identity, stage, outcome, complete, ids.iter().map(String::as_str));
        let fits = !complete || (last && outcome <= Outcome::Unknown);
        prop_assert_eq!(made.is_ok(), fits);
        let Ok(answer) = made else { return Ok(()) };
        let bytes = answer.to_bytes();
        let mut notes = Verdict::new();
        let read = Answer::read(&bytes, &mut notes);
        prop_assert_eq!(read.as_ref(), Ok(&answer));
        prop_assert_eq!(notes, Verdict::new());
        prop_assert_eq!(answer.identity(), &identity);
        prop_assert!(answer.is_for(prologue_crc, stream_id) && !answer.is_for(!prologue_crc, stream_id));
        prop_assert_eq!((answer.stage(), answer.outcome(), answer.is_complete()), (stage, outcome, complete));
        let named: Vec<&str> = ids.iter().map(String::as_str).take(256).collect();
        prop_assert_eq!(answer.reasons().collect::<Vec<_>>(), named);
        let outcome = Answer::read(&bytes[..cut.index(bytes.len())], &mut Verdict::new()).unwrap_err().id.outcome();
        prop_assert_eq!(outcome, Outcome::Truncated);
        one_answer(&bytes, 7)?;
    }

    #[test]
    fn any_bytes_get_one_answer(bytes in vec(any::<u8>(), 0..400), chunk in 1..40_usize, begin in 0..4_usize) {
        let starts: [&[u8]; 4] = [b"", b"TRANSIRE", &fixture("mtty2-both-ports.bin")[..8], &fixture("mtty2-both-ports.bin")[..24]];
        let input = [starts[begin], &bytes].concat();
        one_answer(&input, chunk)?;
        one_answer(&mend(&input, true), chunk)?;
        for format in VENDORS.formats() {
            let options = Options { input: Input::Format(format, Choices::NONE), describe: true, ..Options::default() };
            prop_assert_eq!(push(&target(2), &options, input.chunks(chunk)), whole(&target(2), &options, &input));
        }
    }

    #[test]
    fn what_was_changed_gets_one_answer(
        native in native(),
        which in 0..5_usize,
        digest in digest(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        shorten: bool,
        mended in 0..3,
        chunk in 1..60_usize,
    ) {
        let parts = [(Phase::Initial, &native[..24]), (Phase::Iterative, &native[24..50]), (Phase::StopCopy, &native[50..])];
        let mut stream = match which {
            0 => native.clone(),
            1 => seal(&profile(2), "mtty", digest, &parts),
            2 => seal(&profile(2), "opaque", digest, &parts),
            3 => seal(&profile(1), "mtty", digest, &parts),
            _ => profile(2).to_bytes(),
        };
        if shorten {
            stream.truncate(cut.index(stream.len()));
        }
        for (at, new) in changes {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = new;
            }
        }
        if mended > 0 {
            stream = mend(&stream, mended > 1);
        }
        one_answer(&stream, chunk)?;
    }
}

fn borrowed(pieces: &[(Phase, Vec<u8>)]) -> Vec<(Phase, &[u8])> {
    pieces.iter().map(|(phase, bytes)| (*phase, &bytes[..])).collect()
}

/// Whole, in pieces, and from a buffer that grows: the same.
fn one_answer(input: &[u8], chunk: usize) -> Result<(), TestCaseError> {
    for ports in 1..=2 {
        let target = target(ports);
        for options in [
            Options::default(),
            Options { read_on: true, describe: true, ..Options::default() },
            Options { exact: false, admit_fixable: true, admit_unknown: true, ..Options::default() },
        ] {
            let seen = whole(&target, &options, input);
            prop_assert_eq!(&push(&target, &options, input.chunks(chunk)), &seen);
            prop_assert_eq!(&impatient(&target, &options, input, chunk), &seen);
            prop_assert!(seen.used <= widen(input.len()));
            prop_assert!(seen.examined <= widen(input.len()), "{:?}", seen);
            for reason in seen.verdict.reasons() {
                prop_assert!(reason.offset().is_none_or(|offset| offset <= widen(input.len())), "{:?}", reason);
            }
            // A gate that describes says the same of the stream.
            let plain = whole(&target, &Options { describe: false, ..options }, input);
            prop_assert_eq!((&plain.verdict, plain.complete), (&seen.verdict, seen.complete));
            prop_assert_eq!(plain.payload, seen.payload);
        }
    }
    Ok(())
}

#[test]
fn frames_end_at_their_limit() {
    let most = usize::try_from(FRAME_MAX).unwrap();
    for length in [most - 1, most, most + 1, 2 * most, 2 * most + 3] {
        let payload: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let pieces = [(Phase::Initial, payload)];
        let (stream, _) = seal_pieces("opaque", Digest::Blake3, true, &pieces);
        let lengths: Vec<usize> = frames(&stream).iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths.iter().sum::<usize>(), length);
        assert!(lengths[..lengths.len() - 1].iter().all(|frame| *frame == most), "{lengths:?}");
        for chunk in [stream.len(), most, 65_536, 4097] {
            let seen = push(&target(2), &Options::default(), stream.chunks(chunk));
            assert!(seen.complete && seen.payload == pieces[0].1, "{length} bytes by {chunk}");
        }
    }
}

#[test]
fn sealing_refuses_what_strict_refuses() {
    let native = fixture("mtty2-both-ports.bin");
    let mut bad_ring = native.clone();
    bad_ring[48] = 16;
    let streams =
        [native[..95].to_vec(), [&native[..], &[0]].concat(), bad_ring, fixture("mtty1-text.bin"), vec![0; 96]];
    for payload in streams {
        let (stream, verdict) = seal_pieces("mtty", Digest::Blake3, true, &[(Phase::Unspecified, payload)]);
        assert!(verdict.is_settled_against());
        let seen = whole(&target(2), &Options::default(), &stream);
        assert_eq!((seen.verdict.outcome(), seen.complete), (Outcome::Truncated, false));
        assert_eq!(seen.refusal().unwrap().0, "stream.aborted");
        assert!(seen.payload.is_empty());
    }
}
