//! What must hold of the C ABI for any input: it says what the Rust interface says, call by call. The fuzz target `capi`
//! asks it, and the tests of `transire-capi`.

use std::ffi::CStr;
use std::sync::Arc;

use transire::answer::{
    Answer, AnswerState, TRANSIRE_ANSWER_EARLY, TRANSIRE_ANSWER_FINAL, transire_answer_free, transire_answer_need_max,
    transire_answer_query, transire_answer_read, transire_answer_reason, transire_gate_answer,
    transire_seal_is_answered_by,
};
use transire::device::{
    Profile, TRANSIRE_FORM_CANONICAL, Target, transire_profile_free, transire_profile_read, transire_profile_write,
    transire_target_free, transire_target_read,
};
use transire::gate::{
    Gate, GateEvent, GateOptions, GateState, TRANSIRE_GATE_ADMIT_FIXABLE, TRANSIRE_GATE_ADMIT_UNKNOWN,
    TRANSIRE_GATE_DELIVER, TRANSIRE_GATE_FINISHED, TRANSIRE_GATE_FOLLOWED, TRANSIRE_GATE_NEED, TRANSIRE_GATE_READ_ON,
    TRANSIRE_GATE_VERDICT, transire_gate_free, transire_gate_need_max, transire_gate_new, transire_gate_query,
    transire_gate_step, transire_gate_verdict,
};
use transire::seal::{
    Seal, SealEvent, SealOptions, SealState, TRANSIRE_SEAL_FINISHED, TRANSIRE_SEAL_FLUSHED, TRANSIRE_SEAL_NEED,
    TRANSIRE_SEAL_WRITE, transire_seal_abort, transire_seal_free, transire_seal_new, transire_seal_query,
    transire_seal_step, transire_seal_verdict,
};
use transire::status::{
    TRANSIRE_BUFFER_TOO_SMALL, TRANSIRE_MALFORMED, TRANSIRE_NO_ANSWER, TRANSIRE_NOT_FOUND, TRANSIRE_OK,
};
use transire::text::Text;
use transire::verdict::{
    Reason, Verdict, transire_check, transire_outcome_name, transire_verdict_count, transire_verdict_dropped,
    transire_verdict_free, transire_verdict_outcome, transire_verdict_reason,
};
use transire_core::attribute::Attributes;
use transire_core::format::Phase;
use transire_core::gate::{Options, Output};
use transire_core::judge::judge;
use transire_core::report::{Report, report, reports};
use transire_core::seal::{Flow, Sealing};
use transire_core::sealed::{AnswerStage, Digest};
use transire_core::vendors::VENDORS;
use transire_core::{gate, profile, seal, sealed, target, verdict};
use transire_text::{load_profile, load_target};

/// Two targets, as their files say it.
const TARGETS: [&str; 2] =
    ["vendor = \"mtty\"\n[attributes]\nnr_ports = 1\n", "vendor = \"mtty\"\n[attributes]\nnr_ports = 2\n"];

/// Asks everything. The first byte chooses target, options and phases; the second is the length of a piece.
pub(crate) fn capi(input: &[u8]) {
    let [choice, chunk, rest @ ..] = input else { return };
    let chunk = 1 + usize::from(*chunk);
    devices(rest);
    answers(chunk, rest);
    through_gate(*choice, chunk, rest);
    // And as what a gate takes, however unlikely the input is that.
    let stream = through_seal(*choice, chunk, rest);
    through_gate(choice & !1, chunk, &stream);
}

fn text(text: Text) -> Option<String> {
    let bytes = text.bytes.cast::<u8>();
    // SAFETY: the text is good: it was just written to a buffer that lives, or belongs to a handle that does.
    (!bytes.is_null())
        .then(|| unsafe { std::slice::from_raw_parts(bytes, text.length) })
        .map(|bytes| String::from_utf8(bytes.to_vec()).expect("every text is UTF-8"))
}

/// Reads one of the two targets through C.
fn target_of(which: usize) -> *mut Target {
    let mut target = std::ptr::null_mut();
    let bytes = TARGETS[which].as_bytes();
    // SAFETY: the slice is good, and so is the place.
    let status = unsafe { transire_target_read(bytes.as_ptr(), bytes.len(), &raw mut target, std::ptr::null_mut(), 0) };
    assert_eq!(status, TRANSIRE_OK);
    target
}

/// The verdict is that of Rust, with every reason and its words.
fn same_verdict(
    of_c: *const Verdict,
    of_rust: &verdict::Verdict,
    source: Option<&dyn Attributes>,
    target: Option<&target::Target>,
) {
    // SAFETY: the verdict, or the handle that it belongs to, lives.
    unsafe {
        let outcome = transire_verdict_outcome(of_c);
        assert_eq!(outcome, i32::from(of_rust.outcome().exit_code()));
        assert_eq!(CStr::from_ptr(transire_outcome_name(outcome)).to_str(), Ok(of_rust.outcome().name()));
        assert_eq!(transire_verdict_count(of_c), of_rust.reasons().len());
        assert_eq!(transire_verdict_dropped(of_c), of_rust.dropped());
    }
    let mut reason = Reason {
        size: size_of::<Reason>(),
        needed: 0,
        outcome: 0,
        attribute_number: 0,
        has_offset: false,
        in_payload: false,
        offset: 0,
        length: 0,
        reserved: 0,
        id: Text::NONE,
        attribute: Text::NONE,
        found: Text::NONE,
        required: Text::NONE,
        text: Text::NONE,
        remedy: Text::NONE,
        ground: Text::NONE,
        set_path: Text::NONE,
        set_value: Text::NONE,
    };
    let all = reports(of_rust, source, target);
    for (at, report) in all.iter().enumerate() {
        // SAFETY: no buffer is given, and the structure is good.
        let status = unsafe { transire_verdict_reason(of_c, at, std::ptr::null_mut(), 0, &raw mut reason) };
        assert_eq!(status, TRANSIRE_BUFFER_TOO_SMALL);
        let mut buffer = vec![0; reason.needed];
        // SAFETY: the buffer has the length that is said.
        let status = unsafe { transire_verdict_reason(of_c, at, buffer.as_mut_ptr(), buffer.len(), &raw mut reason) };
        assert_eq!(status, TRANSIRE_OK);
        let Report { id, attribute, found, required, text: line, remedy, ground, set, offset, .. } = report.clone();
        assert_eq!(text(reason.id), Some(id));
        assert_eq!(text(reason.attribute), attribute);
        assert_eq!(text(reason.found), found);
        assert_eq!(text(reason.required), required);
        assert_eq!(text(reason.text), Some(line));
        assert_eq!(text(reason.remedy), Some(remedy.to_owned()));
        assert_eq!(text(reason.ground), ground);
        assert_eq!(
            (text(reason.set_path), text(reason.set_value)),
            set.map_or((None, None), |(a, b)| (Some(a), Some(b)))
        );
        assert_eq!(reason.has_offset.then_some(reason.offset), offset);
        assert_eq!(reason.in_payload, report.in_payload);
        assert_eq!(reason.outcome, i32::from(report.outcome.exit_code()));
    }
    // SAFETY: as above.
    let status = unsafe { transire_verdict_reason(of_c, all.len(), std::ptr::null_mut(), 0, &raw mut reason) };
    assert_eq!(status, TRANSIRE_NOT_FOUND);
}

/// The input as a profile and as a target.
fn devices(input: &[u8]) {
    let mut message = [0; 4096];
    let mut of_c: *mut Profile = std::ptr::null_mut();
    // SAFETY: slices and places are good.
    let status = unsafe {
        transire_profile_read(input.as_ptr(), input.len(), &raw mut of_c, message.as_mut_ptr(), message.len())
    };
    let said = |message: &[std::ffi::c_char]| {
        let bytes: Vec<u8> = message.iter().map(|byte| byte.cast_unsigned()).collect();
        CStr::from_bytes_until_nul(&bytes).expect("a message ends").to_str().expect("a message is UTF-8").to_owned()
    };
    match load_profile(input, VENDORS) {
        Err(error) => {
            assert!(status == TRANSIRE_MALFORMED && of_c.is_null());
            let said = said(&message);
            assert!(error.to_string().starts_with(&said) && !said.is_empty());
        }
        Ok(of_rust) => {
            assert_eq!(status, TRANSIRE_OK);
            let expected = of_rust.to_bytes();
            let mut bytes = vec![0; expected.len()];
            let mut length = 0;
            // SAFETY: the handle lives, and the buffer has the length that is said.
            unsafe {
                let form = TRANSIRE_FORM_CANONICAL;
                let status = transire_profile_write(of_c, form, bytes.as_mut_ptr(), bytes.len(), &raw mut length);
                assert_eq!((status, length), (TRANSIRE_OK, expected.len()));
            }
            assert_eq!(bytes, expected);
            for (which, words) in TARGETS.into_iter().enumerate() {
                let known = load_target(words.as_bytes(), VENDORS).expect("the target is right");
                let mut verdict = verdict::Verdict::new();
                judge(&of_rust, &known, None, &mut verdict);
                let (target, mut of_pair) = (target_of(which), std::ptr::null_mut());
                // SAFETY: both handles live.
                assert_eq!(unsafe { transire_check(of_c, target, 0, &raw mut of_pair) }, TRANSIRE_OK);
                same_verdict(of_pair, &verdict, Some(&of_rust), Some(&known));
                // SAFETY: neither is used again.
                unsafe {
                    transire_verdict_free(of_pair);
                    transire_target_free(target);
                }
            }
        }
    }
    let mut target: *mut Target = std::ptr::null_mut();
    // SAFETY: slices and places are good; neither handle is used again.
    unsafe {
        transire_profile_free(of_c);
        let status =
            transire_target_read(input.as_ptr(), input.len(), &raw mut target, message.as_mut_ptr(), message.len());
        match load_target(input, VENDORS) {
            Err(error) => {
                assert!(status == TRANSIRE_MALFORMED && target.is_null());
                assert!(error.to_string().starts_with(&said(&message)));
            }
            Ok(_) => assert_eq!(status, TRANSIRE_OK),
        }
        transire_target_free(target);
    }
}

/// The input as answers, one behind the other, the first of them from a buffer that grows.
fn answers(chunk: usize, input: &[u8]) {
    let (mut start, mut end) = (0, chunk.min(input.len()));
    while start < input.len() {
        let (there, eof) = (&input[start..end], end == input.len());
        match same_answer(there, eof) {
            Some(0) => end = (end + chunk).min(input.len()),
            Some(used) => (start, end) = (start + used, input.len()),
            None => break,
        }
    }
}

/// Both read the same from these bytes. How many the answer has; 0 where more must be there, `None` where there is none.
fn same_answer(there: &[u8], eof: bool) -> Option<usize> {
    let (mut of_c, mut size): (*mut Answer, usize) = (std::ptr::null_mut(), usize::MAX);
    let mut message = [0; 1024];
    // SAFETY: slice, places and buffer are good.
    let status = unsafe {
        let (answer, size, message) = (&raw mut of_c, &raw mut size, (message.as_mut_ptr(), message.len()));
        transire_answer_read(there.as_ptr(), there.len(), eof, answer, size, message.0, message.1)
    };
    let message: Vec<u8> = message.iter().map(|byte: &std::ffi::c_char| byte.cast_unsigned()).collect();
    let message = CStr::from_bytes_until_nul(&message).expect("a message ends").to_str().expect("a message is UTF-8");
    match sealed::Answer::read_first(there, eof, &mut verdict::Verdict::new()) {
        Err(reason) => {
            let words = report(&reason, None, None);
            assert!(status == TRANSIRE_MALFORMED && of_c.is_null() && size == 0);
            assert!(message.starts_with(&words.id) && format!("{}: {}", words.id, words.text).starts_with(message));
            None
        }
        Ok(Err(need)) => {
            assert!(status == TRANSIRE_OK && of_c.is_null() && message.is_empty());
            assert!(size == need && need > there.len() && need <= transire_answer_need_max() && !eof);
            Some(0)
        }
        Ok(Ok((of_rust, used))) => {
            assert_eq!((status, size, message), (TRANSIRE_OK, used, ""));
            let mut state = AnswerState {
                size: size_of::<AnswerState>(),
                stage: 0,
                outcome: 0,
                complete: false,
                prologue_crc: 0,
                reasons: 0,
                stream_id: [0; 16],
                vendor: Text::NONE,
            };
            // SAFETY: the answer lives until it is freed, and the place is good.
            assert_eq!(unsafe { transire_answer_query(of_c, &raw mut state) }, TRANSIRE_OK);
            let rests_on = match of_rust.stage() {
                AnswerStage::Early => TRANSIRE_ANSWER_EARLY,
                AnswerStage::Final => TRANSIRE_ANSWER_FINAL,
            };
            assert_eq!((state.stage, state.complete), (rests_on, of_rust.is_complete()));
            assert_eq!(state.outcome, i32::from(of_rust.outcome().exit_code()));
            let identity = of_rust.identity();
            assert_eq!((state.prologue_crc, state.stream_id), (identity.prologue_crc, identity.stream_id));
            assert_eq!(text(state.vendor).as_ref(), Some(&identity.vendor));
            assert_eq!(state.reasons, of_rust.reasons().len());
            let mut id = Text::NONE;
            for (at, expected) in of_rust.reasons().enumerate() {
                // SAFETY: as above.
                assert_eq!(unsafe { transire_answer_reason(of_c, at, &raw mut id) }, TRANSIRE_OK);
                assert_eq!(text(id).as_deref(), Some(expected));
            }
            // SAFETY: as above; it is not used again.
            unsafe {
                assert_eq!(transire_answer_reason(of_c, state.reasons, &raw mut id), TRANSIRE_NOT_FOUND);
                transire_answer_free(of_c);
            }
            Some(used)
        }
    }
}

/// Both gates say the same back, and it is read as it was said.
fn same_said(of_c: *const Gate, of_rust: &gate::Gate) {
    for (code, stage) in [(TRANSIRE_ANSWER_EARLY, AnswerStage::Early), (TRANSIRE_ANSWER_FINAL, AnswerStage::Final)] {
        let (mut bytes, mut length) = (vec![0; 1 << 12], usize::MAX);
        // SAFETY: the gate lives, the buffer has the length that is said, and the place is good.
        let status = unsafe { transire_gate_answer(of_c, code, bytes.as_mut_ptr(), bytes.len(), &raw mut length) };
        match of_rust.answer(stage) {
            None => assert_eq!((status, length), (TRANSIRE_NO_ANSWER, 0)),
            Some(answer) => {
                let expected = answer.to_bytes();
                assert_eq!(length, expected.len());
                if length > bytes.len() {
                    assert_eq!(status, TRANSIRE_BUFFER_TOO_SMALL);
                    bytes.resize(length, 0);
                    // SAFETY: as above.
                    let status =
                        unsafe { transire_gate_answer(of_c, code, bytes.as_mut_ptr(), bytes.len(), &raw mut length) };
                    assert_eq!(status, TRANSIRE_OK);
                } else {
                    assert_eq!(status, TRANSIRE_OK);
                }
                assert_eq!(bytes.get(..length), Some(&expected[..]));
                assert_eq!(same_answer(&expected, true), Some(length));
            }
        }
    }
}

/// The input through a gate of each, from the same buffer that grows, step by step.
fn through_gate(choice: u8, chunk: usize, input: &[u8]) {
    let bit = |at: u8| choice & 1 << at != 0;
    let which = usize::from(bit(0));
    let options =
        Options { read_on: bit(3), exact: !bit(4), admit_fixable: bit(5), admit_unknown: bit(6), ..Options::default() };
    let known = load_target(TARGETS[which].as_bytes(), VENDORS).expect("the target is right");
    let mut of_rust = gate::Gate::new(VENDORS, Some(Arc::new(known.clone())), options);
    let flag = |given: bool, flag: u32| if given { flag } else { 0 };
    let given = GateOptions {
        size: size_of::<GateOptions>(),
        input: 0,
        flags: flag(bit(3), TRANSIRE_GATE_READ_ON)
            | flag(bit(4), TRANSIRE_GATE_FOLLOWED)
            | flag(bit(5), TRANSIRE_GATE_ADMIT_FIXABLE)
            | flag(bit(6), TRANSIRE_GATE_ADMIT_UNKNOWN),
        now: 0,
        format: Text::NONE,
    };
    let target = target_of(which);
    let mut of_c: *mut Gate = std::ptr::null_mut();
    // SAFETY: the target lives until it is freed, which a gate survives; options and place are good.
    unsafe {
        assert_eq!(transire_gate_new(target, &raw const given, &raw mut of_c), TRANSIRE_OK);
        transire_target_free(target);
    }
    let (mut start, mut end) = (0, chunk.min(input.len()));
    loop {
        let (there, eof) = (&input[start..end], end == input.len());
        let mut event =
            GateEvent { event: 0, reserved: 0, used: 0, need: 0, payload: std::ptr::null(), payload_length: 0 };
        // SAFETY: handle, slice and place are good.
        let status = unsafe { transire_gate_step(of_c, there.as_ptr(), there.len(), eof, &raw mut event) };
        assert_eq!(status, TRANSIRE_OK);
        let step = of_rust.step(there, eof);
        assert_eq!(event.used, step.used);
        start += step.used;
        match step.event {
            Output::Need(need) => {
                assert!((event.event, event.need) == (TRANSIRE_GATE_NEED, need) && need <= transire_gate_need_max());
                assert!(!eof);
                end = (end + chunk).min(input.len());
            }
            Output::Verdict => {
                assert_eq!(event.event, TRANSIRE_GATE_VERDICT);
                same_said(of_c, &of_rust);
            }
            Output::Deliver(bytes) => {
                assert_eq!((event.event, event.payload_length), (TRANSIRE_GATE_DELIVER, bytes.len()));
                // SAFETY: the payload lies in the input or in the gate, and neither has changed.
                assert_eq!(unsafe { std::slice::from_raw_parts(event.payload, event.payload_length) }, bytes);
            }
            Output::Finished => {
                assert_eq!(event.event, TRANSIRE_GATE_FINISHED);
                break;
            }
            other => panic!("{other:?}"),
        }
        // SAFETY: the gate lives.
        let outcome = unsafe { transire_verdict_outcome(transire_gate_verdict(of_c)) };
        assert_eq!(outcome, i32::from(of_rust.verdict().outcome().exit_code()));
    }
    same_said(of_c, &of_rust);
    let mut state = GateState {
        size: size_of::<GateState>(),
        judged: false,
        finished: false,
        complete: false,
        used: 0,
        examined: 0,
        format: Text::NONE,
        payload_format: Text::NONE,
        abort_text: Text::NONE,
    };
    // SAFETY: the gate lives until it is freed, and the place is good.
    unsafe {
        assert_eq!(transire_gate_query(of_c, &raw mut state), TRANSIRE_OK);
        assert_eq!(
            (state.judged, state.finished, state.complete, state.used, state.examined),
            (of_rust.is_judged(), true, of_rust.is_complete(), of_rust.used(), of_rust.examined())
        );
        assert_eq!(text(state.format).as_deref(), of_rust.format());
        assert_eq!(text(state.payload_format).as_deref(), of_rust.payload_format());
        assert_eq!(text(state.abort_text).as_deref(), of_rust.abort_text());
        let source = of_rust.source();
        let source: Option<&dyn Attributes> = of_rust.is_judged().then_some(&source);
        same_verdict(transire_gate_verdict(of_c), of_rust.verdict(), source, Some(&known));
        transire_gate_free(of_c);
    }
}

/// The input sealed by each, in pieces and phases; what goes out.
fn through_seal(choice: u8, chunk: usize, input: &[u8]) -> Vec<u8> {
    let bit = |at: u8| choice & 1 << at != 0;
    let format = if bit(1) { "opaque" } else { "mtty" };
    let options = sealed::SealOptions {
        payload_format: format.to_owned(),
        digest: if bit(2) { Digest::Blake3 } else { Digest::None },
        payload_len: bit(7).then_some(96),
        stream_id: *b"sixteen bytes id",
        device_label: None,
    };
    let given = SealOptions {
        size: size_of::<SealOptions>(),
        digest: if bit(2) { 2 } else { 1 },
        flags: u32::from(bit(7)),
        payload_length: 96,
        stream_id: options.stream_id,
        payload_format: Text { bytes: format.as_ptr().cast(), length: format.len() },
        device_label: Text::NONE,
    };
    let words = TARGETS[1].as_bytes();
    let profile: profile::Profile = load_profile(words, VENDORS).expect("the profile is right");
    let mut of_rust = Sealing::begin(VENDORS, profile.clone(), &options).expect("the options are right");
    let (mut of_c, mut handle): (*mut Seal, *mut Profile) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: slices, options and places are good; the profile may be freed before the sealing.
    unsafe {
        let status = transire_profile_read(words.as_ptr(), words.len(), &raw mut handle, std::ptr::null_mut(), 0);
        assert_eq!(status, TRANSIRE_OK);
        assert_eq!(transire_seal_new(handle, &raw const given, &raw mut of_c), TRANSIRE_OK);
        transire_profile_free(handle);
    }
    let mut out = Vec::new();
    let mut pieces = input.chunks(chunk).peekable();
    let mut number = 0_usize;
    'all: loop {
        let mut piece = pieces.next().unwrap_or(&[]);
        let last = pieces.peek().is_none();
        let flow = if last { Flow::End } else { [Flow::Flush, Flow::More][usize::from(bit(3))] };
        let phase = match (bit(4), number) {
            (true, _) => Phase::Unspecified,
            (false, 0) => Phase::Initial,
            // Wrong now and then.
            (false, 7) if bit(5) => Phase::Unspecified,
            (false, _) => Phase::StopCopy,
        };
        number += 1;
        loop {
            let mut event = no_event();
            // SAFETY: handle, slice and place are good.
            let status = unsafe {
                let flow = flow as u32;
                transire_seal_step(of_c, phase.code().into(), piece.as_ptr(), piece.len(), flow, &raw mut event)
            };
            of_rust.set_phase(phase);
            let step = match of_rust.step(piece, flow) {
                Ok(step) => step,
                Err(error) => {
                    assert!(status != TRANSIRE_OK, "{error}");
                    let step = of_rust.abort("failed").expect("it can be aborted");
                    // SAFETY: as above.
                    unsafe {
                        let why = Text { bytes: c"failed".as_ptr(), length: 6 };
                        assert_eq!(transire_seal_abort(of_c, why, &raw mut event), TRANSIRE_OK);
                    }
                    same_step(&event, &step, &mut out);
                    break 'all;
                }
            };
            assert_eq!(status, TRANSIRE_OK);
            assert_eq!(event.used, step.used);
            let goes_on = matches!(step.event, seal::SealEvent::Bytes(_) | seal::SealEvent::Frame(..));
            let over = matches!(step.event, seal::SealEvent::Finished);
            piece = &piece[step.used..];
            same_step(&event, &step, &mut out);
            if over {
                break 'all;
            }
            if !goes_on {
                // What waits for a frame to be full is given again; here it is left, as both sides do.
                break;
            }
        }
    }
    let mut state = SealState { size: size_of::<SealState>(), finished: false, complete: false, total: 0 };
    // SAFETY: the sealing lives until it is freed, and the place is good.
    unsafe {
        assert_eq!(transire_seal_query(of_c, &raw mut state), TRANSIRE_OK);
        assert_eq!((state.complete, state.total), (of_rust.is_complete(), of_rust.total()));
        same_verdict(transire_seal_verdict(of_c), of_rust.verdict(), Some(&profile), None);
        is_answered(of_c, &of_rust, &out);
        transire_seal_free(of_c);
    }
    out
}

/// Both hold the answer to what went out against the stream alike, and an answer to another stream.
fn is_answered(of_c: *const Seal, of_rust: &Sealing, sent: &[u8]) {
    // What was aborted before its first step has no header, and nobody to answer it.
    let Some(mut identity) = sealed::Identity::of_stream(sent) else { return };
    for other in 0..3 {
        match other {
            1 => identity.prologue_crc ^= 1,
            2 => (identity.prologue_crc, identity.stream_id[15]) = (identity.prologue_crc ^ 1, 0),
            _ => {}
        }
        let made = sealed::Answer::new(&identity, AnswerStage::Final, verdict::Outcome::Corrupt, false, ["a.b"]);
        let made = made.expect("it contradicts nothing");
        let bytes = made.to_bytes();
        let (mut answer, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: slice and places are good, the sealing lives, and the answer until it is freed.
        unsafe {
            let (place, size) = (&raw mut answer, &raw mut size);
            let status = transire_answer_read(bytes.as_ptr(), bytes.len(), true, place, size, std::ptr::null_mut(), 0);
            assert_eq!(status, TRANSIRE_OK);
            assert_eq!(transire_seal_is_answered_by(of_c, answer), of_rust.is_answered_by(&made));
            assert_eq!(transire_seal_is_answered_by(of_c, answer), other == 0);
            transire_answer_free(answer);
        }
    }
}

const fn no_event() -> SealEvent {
    SealEvent {
        event: 0,
        reserved: 0,
        used: 0,
        need: 0,
        head: std::ptr::null(),
        head_length: 0,
        payload: std::ptr::null(),
        payload_length: 0,
    }
}

/// Both tell the same; what goes out is appended.
fn same_step(event: &SealEvent, step: &seal::SealStep<'_>, out: &mut Vec<u8>) {
    let bytes = |from: *const u8, length: usize| match length {
        0 => &[],
        // SAFETY: the bytes lie in the input or in the sealing, and neither has changed.
        _ => unsafe { std::slice::from_raw_parts(from, length) },
    };
    let (head, payload) = (bytes(event.head, event.head_length), bytes(event.payload, event.payload_length));
    match step.event {
        seal::SealEvent::Need(need) => assert_eq!((event.event, event.need), (TRANSIRE_SEAL_NEED, need)),
        seal::SealEvent::Flushed => assert_eq!(event.event, TRANSIRE_SEAL_FLUSHED),
        seal::SealEvent::Finished => assert_eq!(event.event, TRANSIRE_SEAL_FINISHED),
        seal::SealEvent::Bytes(bytes) => {
            assert_eq!((event.event, head, payload), (TRANSIRE_SEAL_WRITE, bytes, &[][..]));
        }
        seal::SealEvent::Frame(expected, bytes) => {
            assert_eq!((event.event, head, payload), (TRANSIRE_SEAL_WRITE, &expected[..], bytes));
        }
        other => panic!("{other:?}"),
    }
    out.extend_from_slice(head);
    out.extend_from_slice(payload);
}
