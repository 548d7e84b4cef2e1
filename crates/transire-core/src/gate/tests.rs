//! The composition: native and sealed, good and bad, in any cut.

extern crate std;



use super::*;
use crate::attribute::{Text, VENDOR};
use crate::format::Phase;
use crate::profile::ProfileBuilder;
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
