//! Small streams, and all that can happen to them: every truncation, every flip of one bit, every cut.

mod support;

use std::sync::Arc;

use support::{Numbers, Seen, fixture, impatient, profile, push, seal, target, whole};
use transire_core::format::Phase::{Initial, Iterative, StopCopy, Unspecified};
use transire_core::gate::{Input, Options};
use transire_core::sealed::Digest;
use transire_core::target::Target;
use transire_core::verdict::Outcome;

/// Sealed streams of one device: name, bytes.
fn sealed() -> Vec<(&'static str, Vec<u8>)> {
    let native = fixture("mtty2-both-ports.bin");
    let parts =
        [(Initial, &native[..24]), (Iterative, &native[24..59]), (Initial, &native[59..60]), (StopCopy, &native[60..])];
    let whole = [(Unspecified, &native[..])];
    let source = profile(2);
    vec![
        ("mtty, BLAKE3, four frames", seal(&source, "mtty", Digest::Blake3, &parts)),
        ("mtty, no digest, four frames", seal(&source, "mtty", Digest::None, &parts)),
        ("mtty, BLAKE3, one frame", seal(&source, "mtty", Digest::Blake3, &whole)),
        ("opaque, BLAKE3, four frames", seal(&source, "opaque", Digest::Blake3, &parts)),
        ("opaque, no digest, one frame", seal(&source, "opaque", Digest::None, &whole)),
        ("opaque, BLAKE3, nothing", seal(&source, "opaque", Digest::Blake3, &[])),
        ("a profile", source.to_bytes()),
    ]
}

fn is_profile(name: &str) -> bool {
    name == "a profile"
}

/// The ways to read that must agree with each other whatever comes in.
fn all_options() -> [Options; 4] {
    [
        Options::default(),
        Options { describe: true, read_on: true, ..Options::default() },
        Options { exact: false, ..Options::default() },
        Options { input: Input::Sealed, describe: true, ..Options::default() },
    ]
}

fn one_piece_and_many(target: &Arc<Target>, options: &Options, input: &[u8], what: &str) -> Seen {
    let seen = whole(target, options, input);
    assert_eq!(push(target, options, input.chunks(1)), seen, "{what}, byte by byte");
    assert_eq!(impatient(target, options, input, 1), seen, "{what}, byte by byte from a buffer that grows");
    seen
}

#[test]
fn every_truncation_is_told() {
    let mut truncations = 0;
    for (name, stream) in sealed() {
        for length in 0..stream.len() {
            let what = format!("{name}, {length} bytes");
            let seen = one_piece_and_many(&target(2), &Options::default(), &stream[..length], &what);
            assert_eq!(seen.verdict.outcome(), Outcome::Truncated, "{what}");
            assert_eq!(seen.verdict.reasons().len(), 1, "{what}");
            assert_eq!(seen.refusal().unwrap().1, Some(length as u64), "{what}");
            assert!(!seen.complete && seen.examined == length as u64, "{what}");
            truncations += 1;
        }
    }
    for ports in 1..=2_u64 {
        let stream = fixture(if ports == 1 { "mtty1-text.bin" } else { "mtty2-both-ports.bin" });
        for length in 0..stream.len() {
            let what = format!("native, {ports} ports, {length} bytes");
            let seen = one_piece_and_many(&target(ports), &Options::default(), &stream[..length], &what);
            assert_eq!(seen.verdict.outcome(), Outcome::Truncated, "{what}");
            assert_eq!(seen.refusal().unwrap().1, Some(length as u64), "{what}");
            assert!(!seen.complete && seen.payload.is_empty(), "{what}");
            truncations += 1;
        }
    }
    say(&format!("{truncations} truncations are told"));
}

/// A single bit decides nothing that a checksum does not cover: this holds for every header and every payload of these
/// lengths, as a CRC is linear and the flipped positions are all there are.
#[test]
fn every_flip_is_caught() {
    let native = fixture("mtty2-both-ports.bin");
    let mut flips = 0;
    for (name, stream) in sealed() {
        for bit in 0..stream.len() * 8 {
            let mut damaged = stream.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let what = format!("{name}, bit {} of byte {}", bit % 8, bit / 8);
            let seen = one_piece_and_many(&target(2), &Options::default(), &damaged, &what);
            let expected = if bit < 64 { Outcome::Unrecognized } else { Outcome::Corrupt };
            assert_eq!(seen.verdict.outcome(), expected, "{what}: {:?}", seen.verdict);
            assert_eq!(seen.verdict.reasons().len(), 1, "{what}");
            assert!(!seen.complete, "{what}");
            assert!(native.starts_with(&seen.payload), "{what}: what went out before was right");
            assert!(!name.starts_with("mtty") || seen.payload.is_empty(), "{what}: a held payload stays");
            flips += 1;
        }
    }
    say(&format!("{flips} flips are caught"));
}

#[test]
fn every_byte_is_covered() {
    let mut changes = 0;
    for (name, stream) in sealed() {
        for at in 0..stream.len() {
            for new in [0, 0xff, !stream[at], stream[at].wrapping_add(1), stream[at].swap_bytes().rotate_left(4)] {
                if new == stream[at] {
                    continue;
                }
                let mut damaged = stream.clone();
                damaged[at] = new;
                let seen = whole(&target(2), &Options::default(), &damaged);
                let expected = if at < 8 { Outcome::Unrecognized } else { Outcome::Corrupt };
                assert_eq!(seen.verdict.outcome(), expected, "{name}, byte {at} is {new}");
                changes += 1;
            }
        }
        for at in 0..stream.len() - 1 {
            let mut damaged = stream.clone();
            damaged.swap(at, at + 1);
            assert!(damaged == stream || !whole(&target(2), &Options::default(), &damaged).complete, "{name}, {at}");
            let mut shorter = stream.clone();
            shorter.remove(at);
            assert!(!whole(&target(2), &Options::default(), &shorter).complete, "{name}, {at}");
        }
    }
    say(&format!("{changes} changed bytes are caught"));
}

#[test]
fn every_cut_says_the_same() {
    let mut numbers = Numbers(1);
    let mut cuts = 0;
    let mut streams = sealed();
    streams.push(("native", fixture("mtty2-both-ports.bin")));
    streams.push(("native, one port", fixture("mtty1-text.bin")));
    for (name, mut stream) in streams.clone() {
        stream.extend_from_slice(b"TRANSIRE and more");
        streams.push((if is_profile(name) { "a profile" } else { "followed by more" }, stream));
    }
    for (name, stream) in &streams {
        for (options, ports) in all_options().iter().flat_map(|options| [(options, 1), (options, 2)]) {
            let target = target(ports);
            let expected = whole(&target, options, stream);
            if ports == 2
                && *name != "followed by more"
                && *name != "native, one port"
                && matches!(options.input, Input::Auto)
            {
                assert_eq!(expected.complete, !is_profile(name), "{name}: {:?}", expected.verdict);
            }
            let check = |seen: Seen, what: &str| assert_eq!(seen, expected, "{name}, {what}");
            for cut in 0..=stream.len() {
                let (first, second) = stream.split_at(cut);
                check(push(&target, options, [first, second]), "in two");
                check(push(&target, options, [first, &[], second, &[]]), "in two, and empty pieces");
                cuts += 2;
            }
            for chunk in 1..=stream.len() {
                check(push(&target, options, stream.chunks(chunk)), "in chunks");
                check(impatient(&target, options, stream, chunk), "from a buffer that grows");
                cuts += 2;
            }
            for _ in 0..50 {
                let mut rest = &stream[..];
                let mut pieces = Vec::new();
                let most = 1 + numbers.below(40);
                while !rest.is_empty() {
                    let (piece, left) = rest.split_at(numbers.below(most + 1).min(rest.len()));
                    pieces.push(piece);
                    rest = left;
                }
                check(push(&target, options, pieces), "in random pieces");
                cuts += 1;
            }
        }
    }
    say(&format!("{cuts} cuts say the same"));
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
