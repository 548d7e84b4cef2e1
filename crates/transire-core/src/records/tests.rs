extern crate std;

use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use crate::attribute::{Text, VENDOR, Value};
use crate::format::{Choices, FieldValue, Format, Record};
use crate::gate::{Gate, Input, Options, Output, PushGate};
use crate::profile::ProfileBuilder;
use crate::records::PIECE;
use crate::target::Target;
use crate::vendors::{VENDORS, mlx5};
use crate::verdict::reasons;

fn target() -> Arc<Target> {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(Text::constant("mlx5")).to_owned());
    let profile = builder.build(&|vendor| VENDORS.dictionary(vendor)).unwrap();
    Arc::new(Target::new(profile, &mlx5::RULES).unwrap())
}

fn record(size: u64, flags: u32, tag: u32) -> Vec<u8> {
    let (size, flags, tag) = (size.to_le_bytes(), flags.to_le_bytes(), tag.to_le_bytes());
    [&size[..], &flags, &tag].concat()
}

fn first() -> Vec<u8> {
    [record(8, 1, 1), 4096_u64.to_le_bytes().to_vec()].concat()
}

fn chosen(name: &str) -> (&'static Format, Choices) {
    VENDORS.chosen(name).unwrap()
}

/// The name of a structure, its number, where it stands and how long it is.
type Told = (&'static str, Option<u32>, u64, usize);

/// What is described of a stream in pieces of this many bytes, and the bytes again.
fn described(stream: &[u8], chunk: usize) -> (Vec<Told>, Vec<u8>) {
    let options = Options { describe: true, ..Options::default() };
    let mut gate = PushGate::new(Gate::new(VENDORS, Some(target()), options));
    let (mut told, mut encoded) = (Vec::new(), Vec::new());
    let mut sink = |output: Output<'_>| {
        if let Output::Record { layout, number, offset, bytes, .. } = output {
            told.push((layout.name, number, offset, bytes.len()));
            let record = Record::decode(layout, number, offset, bytes).unwrap();
            assert!(layout.name != "image" || matches!(record.values[..], [FieldValue::Bytes(_)]));
            record.encode(&mut encoded).unwrap();
        }
        true
    };
    for piece in stream.chunks(chunk) {
        gate.push(piece, false, &mut sink);
    }
    gate.push(&[], true, &mut sink);
    assert!(gate.gate().is_complete(), "{:?}", gate.gate().verdict());
    (told, encoded)
}

#[test]
fn a_long_record_is_described_in_pieces_that_no_cut_moves() {
    let image = vec![7; 3 * usize::try_from(PIECE).unwrap() + 5];
    let short = vec![8; 20];
    let stream = [first(), record(image.len() as u64, 0, 0), image, record(20, 0, 0), short].concat();
    let (told, encoded) = described(&stream, stream.len());
    assert_eq!(encoded, stream);
    let names: Vec<(&str, Option<u32>, usize)> =
        told.iter().map(|(name, number, _, size)| (*name, *number, *size)).collect();
    let expected = [
        ("record", Some(0), 16),
        ("stop_copy_size", Some(0), 8),
        ("record", Some(1), 16),
        ("image", Some(1), 65_536),
        ("image", Some(1), 65_536),
        ("image", Some(1), 65_536),
        ("image", Some(1), 5),
        ("record", Some(2), 16),
        ("image", Some(2), 20),
    ];
    assert_eq!(names, expected);
    for chunk in [1, 7, 4096, 65_537] {
        assert_eq!(described(&stream, chunk), (told.clone(), encoded.clone()), "{chunk}");
    }
}

/// Pushes bytes that are not there but once, and counts what comes out.
fn pushed(gate: &mut PushGate, mut left: u64, out: &mut u64) -> u64 {
    let buffer = vec![0x5a; 1 << 20];
    while left > 0 && !gate.gate().is_finished() {
        let size = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let taken = gate.push(&buffer[..size], false, &mut |output| {
            if let Output::Deliver(bytes) = output {
                *out += bytes.len() as u64;
            }
            true
        });
        left -= taken as u64;
    }
    left
}

#[test]
fn a_record_of_4_gib_passes_as_it_comes() {
    let mut gate = PushGate::new(Gate::new(VENDORS, Some(target()), Options::default()));
    let most = super::RECORD_MAX;
    let mut out = 0;
    gate.push(&[first(), record(most, 0, 0)].concat(), false, &mut |_| true);
    assert_eq!(pushed(&mut gate, most, &mut out), 0);
    gate.push(&[], true, &mut |_| true);
    assert!(gate.gate().is_complete());
    assert_eq!((out, gate.gate().used()), (most, most + 40));
}

#[test]
fn an_image_without_records_has_a_limit() {
    let (format, choices) = chosen("mlx5:layout=image");
    let options = Options { input: Input::Format(format, choices), ..Options::default() };
    for (more, complete) in [(0, true), (1, false)] {
        let mut gate = PushGate::new(Gate::new(VENDORS, Some(target()), options.clone()));
        let mut out = 0;
        pushed(&mut gate, super::RECORD_MAX + more, &mut out);
        gate.push(&[], true, &mut |_| true);
        assert_eq!((gate.gate().is_complete(), out), (complete, super::RECORD_MAX));
        let error = gate.gate().verdict().reasons().iter().find(|reason| !reason.is_note()).copied();
        let expected = (!complete).then_some((reasons::STREAM_TRAILING, Some(super::RECORD_MAX)));
        assert_eq!(error.map(|reason| (reason.id, reason.offset())), expected);
    }
}
