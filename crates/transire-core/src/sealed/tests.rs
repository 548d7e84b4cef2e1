//! Every check of `docs/format.md`, section "Order of checks", one by one: its reason, its offset, and that the earlier of
//! two errors is the one that is told.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::attribute::{AttributeId, Definition, Dictionary, PAYLOAD_FORMAT, PAYLOAD_LEN, STREAM_ID, VENDOR, Value};
use crate::bytes::{Writer, widen};
use crate::format::{Event, Phase, Reader, Registry, Vendor};
use crate::profile::ProfileBuilder;
use crate::prologue::{Content, MAGIC, PROLOGUE_LEN, Prologue};
use crate::rule::RuleTable;
use crate::verdict::{Outcome, Reason, ReasonId, reasons as r};

/// A vendor without a format of its own, beside mtty.
static TOY: Vendor = Vendor {
    title: "",
    rules: &RuleTable {
        dictionary: &Dictionary { vendor: "toy", attributes: &[] as &[Definition] },
        rules: &[],
        derive: |_, _| None,
        statable: &[],
        contradiction: |_| None,
        impossible: |_| None,
    },
    formats: &[],
    reasons: &[],
};
static REGISTRY: Registry = Registry(&[&crate::vendors::mtty::VENDOR, &TOY]);

const STREAM_ID_VALUE: [u8; 16] = *b"sixteen bytes id";

fn attribute(id: u16, type_code: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.u16(id);
    writer.u8(type_code);
    writer.u8(0);
    writer.u32(u32::try_from(value.len()).unwrap());
    writer.bytes(value);
    out
}

/// A header, and what stands behind its stream attributes.
fn header(vendor: &str, format: &str, digest: u64, more: &[u8]) -> Vec<u8> {
    [
        attribute(0x8001, 3, vendor.as_bytes()),
        attribute(0x80e0, 3, format.as_bytes()),
        attribute(0x80e1, 2, &digest.to_le_bytes()),
        attribute(0x80e3, 4, &STREAM_ID_VALUE),
        more.to_vec(),
    ]
    .concat()
}

/// A stream in the making.
#[derive(Clone)]
struct Stream {
    bytes: Vec<u8>,
    prologue_crc: u32,
    seq: u32,
    total: u64,
    digest: Digest,
}

impl Stream {
    fn of(header: &[u8], digest: Digest) -> Self {
        let prologue = Prologue::of(Content::Sealed, header).unwrap();
        let bytes = [&prologue.write()[..], header].concat();
        Self { bytes, prologue_crc: prologue.crc, seq: 0, total: 0, digest }
    }

    fn new(digest: Digest) -> Self {
        Self::of(&header("mtty", OPAQUE, digest.code(), &[]), digest)
    }

    /// A frame whose checksums are right, whatever else it is.
    fn frame_of_len(mut self, kind: u8, phase: u8, len: u32, payload: &[u8]) -> Self {
        let mut head = FrameHead { kind, phase, head_check: 0, len, seq: self.seq, crc: 0 };
        head.head_check = head.computed_check(self.prologue_crc);
        head.crc = head.computed_crc(self.prologue_crc, payload);
        self.bytes.extend_from_slice(&head.write());
        self.bytes.extend_from_slice(payload);
        self.seq = self.seq.wrapping_add(1);
        if kind == 1 {
            self.total += widen(payload.len());
        }
        self
    }

    fn frame(self, kind: u8, phase: u8, payload: &[u8]) -> Self {
        let len = u32::try_from(payload.len()).unwrap();
        self.frame_of_len(kind, phase, len, payload)
    }

    fn data(self, phase: u8) -> Self {
        self.frame(1, phase, b"payload")
    }

    fn end_of(&self, total: u64) -> Vec<u8> {
        let mut running = Running::new(self.digest);
        running.update(&self.bytes);
        let digest = running.finish();
        [&total.to_le_bytes()[..], digest.as_ref().map_or(&[][..], |digest| &digest[..])].concat()
    }

    fn end(self) -> Vec<u8> {
        let payload = self.end_of(self.total);
        self.frame(2, 4, &payload).bytes
    }

    fn len(&self) -> u64 {
        widen(self.bytes.len())
    }
}

/// What the reader said.
#[derive(Debug, PartialEq)]
struct Read {
    /// What ended it: the end and where it was, or the error.
    result: Result<u64, (ReasonId, u64)>,
    notes: Vec<(ReasonId, u64)>,
    data: Vec<(Phase, Vec<u8>)>,
}

/// Reads the stream from a buffer that grows by `grow` bytes.
fn read_by(stream: &[u8], grow: usize) -> Read {
    let mut reader = SealedReader::new(REGISTRY, false);
    let mut read = Read { result: Ok(0), notes: Vec::new(), data: Vec::new() };
    let (mut start, mut end) = (0, grow.min(stream.len()));
    loop {
        let eof = end == stream.len();
        let step = reader.step(&stream[start..end], eof);
        match step.event {
            Event::Need(need) => {
                assert!(!eof && need > end - start, "need {need}");
                end = (end + grow).min(stream.len());
            }
            Event::Data { phase, bytes, .. } => read.data.push((phase, bytes.to_vec())),
            Event::Finding(reason) => {
                let seen = (reason.id, reason.offset().unwrap());
                if !reason.is_note() {
                    assert_eq!(reader.step(&[], true).event, Event::Finding(reason), "a failure stays");
                    read.result = Err(seen);
                    return read;
                }
                read.notes.push(seen);
            }
            Event::End => {
                read.result = Ok(reader.offset());
                return read;
            }
            _ => {}
        }
        start += step.used;
    }
}

fn read(stream: &[u8]) -> Read {
    let whole = read_by(stream, stream.len().max(1));
    if stream.len() < 4096 {
        for grow in [1, 2, 7, 33] {
            assert_eq!(read_by(stream, grow), whole, "in pieces of {grow}");
        }
    }
    whole
}

fn error(stream: &[u8]) -> (ReasonId, u64) {
    read(stream).result.expect_err("an error")
}

/// The prologue of a good stream with these bytes changed and its checksum made right.
fn prologue_with(stream: &[u8], changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = stream.to_vec();
    for (at, new) in changes {
        bytes[*at..at + new.len()].copy_from_slice(new);
    }
    let crc = crate::checksum::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn magic_and_prologue() {
    let good = Stream::new(Digest::Blake3).data(4).end();
    assert_eq!(read(&good).result, Ok(widen(good.len())));
    for length in 0..PROLOGUE_LEN {
        let id = if length < MAGIC.len() { r::MAGIC_TRUNCATED } else { r::PROLOGUE_TRUNCATED };
        assert_eq!(error(&good[..length]), (id, widen(length)));
        if let 1..8 = length {
            let mut other = good[..length].to_vec();
            other[length - 1] ^= 0x20;
            assert_eq!(error(&other), (r::MAGIC_UNRECOGNIZED, 0), "{length} bytes, the last one wrong");
        }
    }

    // Every error at once, then the first of them mended, and so on: the earliest is told each time.
    let all: [(&[u8], usize, ReasonId, u64); 5] = [
        (&[2], 16, r::PROLOGUE_MAJOR, 16),
        (&[4], 20, r::PROLOGUE_CONTENT, 20),
        (&[0, 0, 1], 21, r::PROLOGUE_ZERO, 21),
        (&[0, 0, 0, 0x80], 24, r::PROLOGUE_FEATURES, 24),
        (&[0, 0, 0, 0], 8, r::PROLOGUE_HEADER_LEN, 8),
    ];
    let changes = |from: usize| all[from..].iter().map(|(new, at, ..)| (*at, *new)).collect::<Vec<_>>();
    let mut worst = prologue_with(&good, &changes(0));
    worst[28] ^= 1;
    assert_eq!(error(&worst), (r::PROLOGUE_CRC, 28));
    worst[0] ^= 1;
    assert_eq!(error(&worst), (r::MAGIC_UNRECOGNIZED, 0));
    for (at, (.., id, offset)) in all.iter().enumerate() {
        assert_eq!(error(&prologue_with(&good, &changes(at))), (*id, *offset));
    }
    for length in [65_537_u32, u32::MAX] {
        let stream = prologue_with(&good, &[(8, &length.to_le_bytes())]);
        assert_eq!(error(&stream), (r::PROLOGUE_HEADER_LEN, 8), "{length} is never waited for");
    }
    for content in [0, 4, 0xff] {
        assert_eq!(error(&prologue_with(&good, &[(20, &[content])])), (r::PROLOGUE_CONTENT, 20));
    }
    // Any bit of the features, and of each zero byte.
    for bit in 0..32 {
        let features = 1_u32 << bit;
        assert_eq!(error(&prologue_with(&good, &[(24, &features.to_le_bytes())])), (r::PROLOGUE_FEATURES, 24));
    }
    for at in 21..24 {
        assert_eq!(error(&prologue_with(&good, &[(at, &[0x80])])), (r::PROLOGUE_ZERO, 21));
    }
}

#[test]
fn a_higher_minor_version_is_read() {
    let header = header("mtty", OPAQUE, 2, &[]);
    let mut prologue = Prologue::of(Content::Sealed, &header).unwrap();
    prologue.minor = 7;
    let bytes = prologue_with(&[&prologue.write()[..], &header].concat(), &[]);
    let prologue_crc = Prologue::read(bytes.first_chunk().unwrap()).unwrap().crc;
    let stream = Stream { bytes, prologue_crc, seq: 0, total: 0, digest: Digest::Blake3 };
    let stream = stream.data(4).end();
    assert_eq!(read(&stream).result, Ok(widen(stream.len())));
}

#[test]
fn header_in_order() {
    let with = |header: &[u8]| Stream::of(header, Digest::None).end();
    let good = header("mtty", OPAQUE, 1, &[]);
    let end = widen(PROLOGUE_LEN + good.len());
    let stream = with(&good);
    for length in PROLOGUE_LEN..PROLOGUE_LEN + good.len() {
        assert_eq!(error(&stream[..length]), (r::HEADER_TRUNCATED, widen(length)));
    }
    let mut damaged = stream.clone();
    damaged[PROLOGUE_LEN] ^= 1;
    assert_eq!(error(&damaged), (r::HEADER_CRC, 12), "before the attribute that is no longer one");
    assert_eq!(error(&damaged[..PROLOGUE_LEN + 9]), (r::HEADER_TRUNCATED, 41), "not before all of it is there");

    let vendor = attribute(0x8001, 3, b"mtty");
    let format = attribute(0x80e0, 3, b"opaque");
    let digest = attribute(0x80e1, 2, &1_u64.to_le_bytes());
    let stream_id = attribute(0x80e3, 4, &STREAM_ID_VALUE);
    let critical = attribute(0xf000, 2, &[0; 8]);
    let unknown_digest = attribute(0x80e1, 2, &3_u64.to_le_bytes());
    let (after_vendor, after_format, after_digest) = (44, 58, 74);
    let cases: Vec<(&str, Vec<u8>, ReasonId, u64)> = vec![
        ("malformed before missing", [&vendor[..], &attribute(6, 2, &[0; 7])].concat(), r::ATTRIBUTE_LENGTH, 48),
        ("nothing but the vendor", vendor.clone(), r::ATTRIBUTE_MISSING, after_vendor),
        ("no digest", [&vendor[..], &format].concat(), r::ATTRIBUTE_MISSING, after_format),
        ("no stream_id", [&vendor[..], &format, &digest].concat(), r::ATTRIBUTE_MISSING, after_digest),
        ("no payload_format", [&vendor[..], &digest, &stream_id].concat(), r::ATTRIBUTE_MISSING, 84),
        ("no vendor", [&format[..], &digest, &stream_id].concat(), r::ATTRIBUTE_MISSING, 86),
        ("missing before unknown", [&vendor[..], &format, &critical].concat(), r::ATTRIBUTE_MISSING, 74),
        ("unknown digest not reported", attribute(0x80e1, 12, &[]), r::ATTRIBUTE_TYPE, 34),
        ("unknown critical", [&good[..], &critical].concat(), r::ATTRIBUTE_UNKNOWN_CRITICAL, end),
        (
            "unknown critical before payload_format",
            header("nobody", "elsewhere", 9, &critical),
            r::ATTRIBUTE_UNKNOWN_CRITICAL,
            widen(PROLOGUE_LEN + header("nobody", "elsewhere", 9, &[]).len()),
        ),
        ("payload_format before digest", header("nobody", "elsewhere", 9, &[]), r::PAYLOAD_FORMAT_UNRECOGNIZED, 54),
        ("payload_format", header("mtty", "elsewhere", 1, &[]), r::PAYLOAD_FORMAT_UNRECOGNIZED, 52),
        ("digest before vendor", header("nobody", OPAQUE, 3, &[]), r::DIGEST_UNRECOGNIZED, 68),
        ("digest 0", header("mtty", OPAQUE, 0, &[]), r::DIGEST_UNRECOGNIZED, 66),
        ("digest", [&vendor[..], &format, &unknown_digest, &stream_id].concat(), r::DIGEST_UNRECOGNIZED, 66),
        ("vendor", header("nobody", OPAQUE, 1, &[]), r::VENDOR_UNRECOGNIZED, 40),
        ("vendor before its payload", header("nobody", "mtty", 1, &[]), r::VENDOR_UNRECOGNIZED, 40),
        ("payload_format of another vendor", header("toy", "mtty", 1, &[]), r::CONTRADICTS_PAYLOAD, 51),
        ("stream_id of 15", [&vendor[..], &attribute(0x80e3, 4, &[1; 15])].concat(), r::ATTRIBUTE_VALUE, 52),
    ];
    for (name, header, id, offset) in cases {
        assert_eq!(error(&with(&header)), (id, offset), "{name}");
    }
    for (header, digest) in
        [(header("toy", OPAQUE, 1, &[]), Digest::None), (header("mtty", "mtty", 2, &[]), Digest::Blake3)]
    {
        let stream = Stream::of(&header, digest).end();
        assert_eq!(read(&stream).result, Ok(widen(stream.len())));
    }
}

#[test]
fn unknown_attributes_are_noted_once_the_header_has_passed() {
    let more: Vec<u8> = (0x7000..0x7020).flat_map(|id| attribute(id, 0, b"x")).collect();
    let stream = Stream::of(&header("mtty", OPAQUE, 1, &more), Digest::None);
    let read = read(&stream.end());
    assert!(read.result.is_ok());
    assert_eq!(read.notes.len(), 16);
    assert!(read.notes.iter().all(|(id, _)| *id == r::ATTRIBUTE_UNKNOWN));
}

#[test]
fn every_frame_check_in_order() {
    for digest in [Digest::None, Digest::Blake3] {
        let start = Stream::new(digest);
        let at = start.len();
        for length in 0..FRAME_HEAD {
            let cut = [&start.bytes[..], &start.clone().end()[start.bytes.len()..][..length]].concat();
            assert_eq!(error(&cut), (r::FRAME_TRUNCATED, at + widen(length)));
        }

        // Every error in one head, then the first of them mended, and so on.
        let crc = start.prologue_crc;
        let mut head = FrameHead { kind: 4, phase: 9, head_check: 0, len: u32::MAX, seq: 9, crc: 1 };
        let told = |head: FrameHead, more: &[u8]| error(&[&start.bytes[..], &head.write(), more].concat());
        head.head_check = head.computed_check(crc) ^ 1;
        assert_eq!(told(head, &[]), (r::FRAME_HEAD_CHECK, at + 2));
        let right = |mut head: FrameHead| {
            head.head_check = head.computed_check(crc);
            head
        };
        assert_eq!(told(right(head), &[]), (r::FRAME_KIND, at));
        head.kind = 1;
        assert_eq!(told(right(head), &[]), (r::FRAME_PHASE, at + 1));
        head.phase = 4;
        assert_eq!(told(right(head), &[]), (r::FRAME_LEN, at + 4), "a length of all ones is never waited for");
        head.len = 7;
        assert_eq!(told(right(head), &[]), (r::FRAME_SEQ, at + 8));
        head.seq = 0;
        for there in 0..7 {
            let cut = (r::FRAME_PAYLOAD_TRUNCATED, at + 16 + there);
            assert_eq!(told(right(head), &[0; 7][..usize::try_from(there).unwrap()]), cut);
        }
        assert_eq!(told(right(head), b"payload"), (r::FRAME_CRC, at + 12));
        let mut head = right(head);
        head.crc = head.computed_crc(crc, b"payload");
        assert_eq!(told(head, b"payload"), (r::FRAME_TRUNCATED, at + 23), "and now the end is missing");
    }
}

#[test]
fn kinds() {
    let start = Stream::new(Digest::Blake3);
    let at = start.len();
    for kind in (0..=0xff).filter(|kind| !(1..=3).contains(kind)) {
        let stream = start.clone().frame(kind, 4, b"whatever").data(4);
        let read = read(&stream.end());
        if kind < 0x80 {
            assert_eq!(read.result, Err((r::FRAME_KIND, at)), "kind {kind}");
        } else {
            // Passed over, and still numbered and covered by the digest.
            assert!(read.result.is_ok(), "kind {kind}: {read:?}");
            assert_eq!(read.notes, [(r::FRAME_ANCILLARY, at)]);
            assert_eq!(read.data, [(Phase::Unspecified, b"payload".to_vec())]);
        }
    }
    let mut out_of_digest = start.clone().frame(0x80, 4, b"a");
    let there = out_of_digest.bytes.clone();
    out_of_digest.bytes = start.bytes.clone();
    let payload = out_of_digest.end_of(0);
    out_of_digest.bytes = there;
    let end = out_of_digest.len();
    assert_eq!(error(&out_of_digest.frame(2, 4, &payload).bytes), (r::END_DIGEST, end + 16 + 8));
    let mut unnumbered = start.frame(0xff, 4, b"a");
    unnumbered.seq = 0;
    let at = unnumbered.len();
    assert_eq!(error(&unnumbered.data(4).bytes), (r::FRAME_SEQ, at + 8));
}

#[test]
fn phases() {
    let good: &[&[u8]] = &[
        &[],
        &[1],
        &[2],
        &[3],
        &[4],
        &[1, 1],
        &[2, 1],
        &[1, 2, 1, 2],
        &[1, 3],
        &[2, 3, 3],
        &[1, 2, 1, 3, 3],
        &[4, 4, 4],
    ];
    for phases in good {
        let stream = phases.iter().fold(Stream::new(Digest::None), |stream, phase| stream.data(*phase));
        let read = read(&stream.end());
        assert!(read.result.is_ok(), "{phases:?}");
        let seen: Vec<u8> = read.data.iter().map(|(phase, _)| phase.code()).collect();
        assert_eq!(seen, *phases);
    }
    let bad: &[&[u8]] =
        &[&[0], &[5], &[0xff], &[3, 1], &[3, 2], &[3, 4], &[4, 1], &[4, 2], &[4, 3], &[1, 4], &[2, 4], &[1, 3, 1]];
    for phases in bad {
        let (last, before) = phases.split_last().unwrap();
        let stream = before.iter().fold(Stream::new(Digest::None), |stream, phase| stream.data(*phase));
        let at = stream.len();
        assert_eq!(error(&stream.data(*last).end()), (r::FRAME_PHASE, at + 1), "{phases:?}");
    }
    for (kind, payload) in [(2, &[0; 8][..]), (3, b"gave up"), (0x80, b""), (0xff, b"x")] {
        for phase in [0, 1, 2, 3, 5, 0xff] {
            let stream = Stream::new(Digest::None);
            let at = stream.len();
            let stream = stream.frame(kind, phase, payload);
            assert_eq!(error(&stream.bytes), (r::FRAME_PHASE, at + 1), "kind {kind}, phase {phase}");
        }
    }
    // An ancillary frame is not in the order of the phases.
    let stream = Stream::new(Digest::None).data(3).frame(0x90, 4, b"").data(3);
    assert!(read(&stream.end()).result.is_ok());
}

#[test]
fn lengths() {
    // (kind, digest, length, whether it is one)
    let most = FRAME_MAX;
    let cases: &[(u8, Digest, u32, bool)] = &[
        (1, Digest::None, 0, false),
        (1, Digest::None, 1, true),
        (1, Digest::None, most, true),
        (1, Digest::None, most + 1, false),
        (2, Digest::None, 7, false),
        (2, Digest::None, 8, true),
        (2, Digest::None, 9, false),
        (2, Digest::None, 40, false),
        (2, Digest::Blake3, 8, false),
        (2, Digest::Blake3, 39, false),
        (2, Digest::Blake3, 40, true),
        (2, Digest::Blake3, 41, false),
        (3, Digest::None, 0, true),
        (3, Digest::None, 1024, true),
        (3, Digest::None, 1025, false),
        (0x80, Digest::None, 0, true),
        (0x80, Digest::None, most, true),
        (0x80, Digest::None, most + 1, false),
        (0xff, Digest::None, u32::MAX, false),
    ];
    for (kind, digest, length, fits) in cases {
        let start = Stream::new(*digest);
        let at = start.len();
        // A length that does not fit is refused before any payload is there.
        let head = start.clone().frame_of_len(*kind, 4, *length, &[]).bytes;
        let (id, offset) = if *fits && *length > 0 {
            (r::FRAME_PAYLOAD_TRUNCATED, at + 16)
        } else if *fits && *kind == 3 {
            (r::STREAM_ABORTED, at)
        } else if *fits {
            (r::FRAME_TRUNCATED, at + 16)
        } else {
            (r::FRAME_LEN, at + 4)
        };
        assert_eq!(error(&head), (id, offset), "kind {kind}, {length} bytes");
        if *fits && *kind != 2 {
            let payload = vec![b'a'; usize::try_from(*length).unwrap()];
            let result = read(&start.frame(*kind, 4, &payload).end()).result;
            assert_eq!(result.is_ok(), *kind != 3, "kind {kind}, {length} bytes: {result:?}");
        }
    }
}

#[test]
fn numbers() {
    for seq in [0, 2, 7, u32::MAX] {
        let mut stream = Stream::new(Digest::None).data(4);
        let at = stream.len();
        stream.seq = seq;
        assert_eq!(error(&stream.data(4).end()), (r::FRAME_SEQ, at + 8), "{seq} in place of 1");
    }
    // Behind the last number there is none.
    let mut count = Count { sequence: Some(u32::MAX), total: 0 };
    count.frame(1);
    assert_eq!(count.sequence, None);
    let head = FrameHead::of(FrameKind::End, 0, &[0; 8], 5);
    let reason = head.check(100, 5, count.sequence, &mut Order::default(), Digest::None).unwrap_err();
    assert_eq!((reason.id, reason.offset()), (r::FRAME_SEQ, Some(108)));
}

#[test]
fn the_end() {
    let with_len = |announced: u64, digest: Digest| {
        let header = [
            attribute(0x8001, 3, b"mtty"),
            attribute(0x80e0, 3, b"opaque"),
            attribute(0x80e1, 2, &digest.code().to_le_bytes()),
            attribute(0x00e2, 2, &announced.to_le_bytes()),
            attribute(0x80e3, 4, &STREAM_ID_VALUE),
        ];
        Stream::of(&header.concat(), digest).data(1).data(3)
    };
    for digest in [Digest::None, Digest::Blake3] {
        // Total, digest and payload_len wrong at once, then one after the other mended.
        let stream = with_len(13, digest);
        let at = stream.len() + 16;
        let mut payload = stream.end_of(15);
        *payload.last_mut().unwrap() ^= 1;
        assert_eq!(error(&stream.clone().frame(2, 4, &payload).bytes), (r::END_TOTAL, at));
        if digest == Digest::Blake3 {
            let mut payload = stream.end_of(14);
            payload[39] ^= 1;
            assert_eq!(error(&stream.clone().frame(2, 4, &payload).bytes), (r::END_DIGEST, at + 8));
        }
        assert_eq!(error(&stream.end()), (r::END_PAYLOAD_LEN, at));
        assert!(read(&with_len(14, digest).end()).result.is_ok());

        // Nothing but an end is a stream.
        let empty = Stream::new(digest).end();
        assert_eq!(read(&empty), Read { result: Ok(widen(empty.len())), notes: vec![], data: vec![] });
        // What follows the end is not looked at.
        let followed = [&empty[..], b"TRANSIRE"].concat();
        assert_eq!(read(&followed).result, Ok(widen(empty.len())));
        for length in 0..empty.len() {
            assert_eq!(error(&empty[..length]).0.outcome(), Outcome::Truncated, "{length}");
        }
    }
}

#[test]
fn aborts() {
    let start = Stream::new(Digest::Blake3).data(1);
    let at = start.len();
    let texts: &[(&[u8], ReasonId, u64)] = &[
        (b"", r::STREAM_ABORTED, at),
        (b"the guest was killed", r::STREAM_ABORTED, at),
        ("größer".as_bytes(), r::STREAM_ABORTED, at),
        (&[0xff, 0xfe], r::ABORT_TEXT, at + 16),
        (b"two\nlines", r::ABORT_TEXT, at + 16),
        ("\u{202e}".as_bytes(), r::ABORT_TEXT, at + 16),
        (b"\x7f", r::ABORT_TEXT, at + 16),
    ];
    for (text, id, offset) in texts {
        let stream = start.clone().frame(3, 4, text);
        assert_eq!(error(&stream.clone().end()), (*id, *offset), "{text:?}");
        assert_eq!(error(&stream.bytes), (*id, *offset), "{text:?}, nothing behind it");
    }
}

#[test]
fn a_frame_belongs_to_its_header() {
    let one = Stream::new(Digest::None).data(4);
    let mut id = header("mtty", OPAQUE, 1, &[]);
    *id.last_mut().unwrap() ^= 1;
    let other = Stream::of(&id, Digest::None).data(4);
    assert_eq!(one.len(), other.len());
    let at = one.bytes.len() - FRAME_HEAD - 7;
    // The same device, the same payload, the same number: only the stream_id differs.
    let exchanged = Stream { bytes: [&one.bytes[..at], &other.bytes[at..]].concat(), ..one.clone() };
    assert_eq!(error(&exchanged.end()), (r::FRAME_HEAD_CHECK, widen(at) + 2));
    // A head that is made to fit does not make the frame fit.
    let mut head = FrameHead::split(other.bytes[at..].first_chunk().unwrap());
    head.head_check = head.computed_check(one.prologue_crc);
    let forged = [&one.bytes[..at], &head.write(), b"payload"].concat();
    assert_eq!(error(&forged), (r::FRAME_CRC, widen(at) + 12));
}

#[test]
fn frames_are_summed_as_the_format_says() {
    // By the words of `docs/format.md` alone, and not by what reader and writer share.
    let sum = |parts: &[&[u8]]| crate::checksum::crc32c(&parts.concat());
    let (prologue_crc, payload) = (0xdead_beef_u32, b"payload");
    let head = FrameHead::of(FrameKind::Data(Phase::Iterative), 0x0102_0304, payload, prologue_crc);
    let bytes = head.write();
    assert_eq!((bytes[0], bytes[1]), (1, 2));
    assert_eq!((&bytes[4..8], &bytes[8..12]), (&[7, 0, 0, 0][..], &[4, 3, 2, 1][..]));
    let check = sum(&[&prologue_crc.to_le_bytes(), &bytes[..2], &bytes[4..12]]).to_le_bytes();
    assert_eq!(bytes[2..4], check[..2]);
    let crc = sum(&[&prologue_crc.to_le_bytes(), &bytes[..12], payload]).to_le_bytes();
    assert_eq!(bytes[12..], crc);
    assert_eq!(FrameHead::split(&bytes), head);
}

#[test]
fn a_profile_ends_behind_its_header() {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(crate::attribute::Text::constant("mtty")).to_owned());
    let profile = builder.build(&|vendor| REGISTRY.dictionary(vendor)).unwrap().to_bytes();
    assert_eq!(read(&profile), Read { result: Ok(widen(profile.len())), notes: vec![], data: vec![] });
    for length in PROLOGUE_LEN..profile.len() {
        assert_eq!(error(&profile[..length]), (r::HEADER_TRUNCATED, widen(length)));
    }
    // The header of a stream is not the header of a profile.
    let stream = Stream::new(Digest::None).end();
    assert_eq!(error(&prologue_with(&stream, &[(20, &[1])])), (r::ATTRIBUTE_MISPLACED, 44));
    let is_profile = prologue_with(&profile, &[(20, &[2])]);
    assert_eq!(error(&is_profile), (r::ATTRIBUTE_MISSING, widen(profile.len())));
}

#[test]
fn the_writer_keeps_the_readers_rules() {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(crate::attribute::Text::constant("mtty")).to_owned());
    let profile = builder.build(&|vendor| REGISTRY.dictionary(vendor)).unwrap();
    let options = SealOptions {
        payload_format: OPAQUE.into(),
        digest: Digest::Blake3,
        payload_len: Some(4),
        stream_id: STREAM_ID_VALUE,
        device_label: Some("net0".into()),
    };
    let (mut writer, mut out) = SealedWriter::begin(&profile, &options).unwrap();
    assert_eq!(writer.data(Phase::Initial, &[]), Err(SealError::PayloadLength));
    assert_eq!(writer.data(Phase::Initial, &vec![0; (1 << 20) + 1]), Err(SealError::PayloadLength));
    out.extend_from_slice(&writer.data(Phase::Initial, b"ab").unwrap());
    out.extend_from_slice(b"ab");
    assert_eq!(writer.data(Phase::Unspecified, b"c"), Err(SealError::Phase));
    assert_eq!(writer.end(), Err(SealError::Announced));
    out.extend_from_slice(&writer.data(Phase::StopCopy, b"cd").unwrap());
    out.extend_from_slice(b"cd");
    assert_eq!(writer.data(Phase::Initial, b"e"), Err(SealError::Phase));
    out.extend_from_slice(&writer.end().unwrap());
    assert_eq!(writer.end(), Err(SealError::Ended));
    assert_eq!(writer.data(Phase::StopCopy, b"e"), Err(SealError::Ended));
    let read = read(&out);
    assert_eq!(read.result, Ok(widen(out.len())));
    assert_eq!(read.data, [(Phase::Initial, b"ab".to_vec()), (Phase::StopCopy, b"cd".to_vec())]);

    let mut reader = SealedReader::new(REGISTRY, false);
    let step = reader.step(&out, true);
    assert_eq!(step.event, Event::Profile);
    assert_eq!(reader.identity().map(|identity| identity.stream_id), Some(STREAM_ID_VALUE));
    assert_eq!(reader.payload_format(), Some(OPAQUE));
    let value = |id: AttributeId| format!("{:?}", reader.source().and_then(|source| source.value(id)));
    assert_eq!(value(PAYLOAD_LEN), format!("{:?}", Some(Value::Uint(4))));
    assert_eq!(value(STREAM_ID), format!("{:?}", Some(Value::Bytes(&STREAM_ID_VALUE))));
    assert!(value(PAYLOAD_FORMAT).contains("opaque"));

    // An abort says why, or nothing where that is no text.
    for (text, kept) in
        [("gave up", 7), ("", 0), ("a\nb", 0), (String::from_utf8(vec![b'a'; 1025]).unwrap().as_str(), 0)]
    {
        let (mut writer, out) = SealedWriter::begin(&profile, &options).unwrap();
        let abort = writer.abort(text).unwrap();
        assert_eq!(abort.len(), FRAME_HEAD + kept);
        assert_eq!(error(&[&out[..], &abort].concat()), (r::STREAM_ABORTED, widen(out.len())));
    }
    let long = SealOptions { device_label: Some("\u{200b}".into()), ..options.clone() };
    assert_eq!(SealedWriter::begin(&profile, &long).err(), Some(SealError::Text));
}

#[test]
fn what_describes_gives_every_byte_back() {
    let more = [attribute(0x7000, 0, b"x"), attribute(0x7001, 0, b"")].concat();
    let stream = Stream::of(&header("mtty", OPAQUE, 2, &more), Digest::Blake3).data(1).frame(0x80, 4, b"note").data(3);
    let stream = stream.end();
    for (stream, fails) in [
        (stream.clone(), None::<Reason>),
        (stream[..stream.len() - 1].to_vec(), Some(Reason::new(r::FRAME_PAYLOAD_TRUNCATED))),
        (stream[..40].to_vec(), Some(Reason::new(r::HEADER_TRUNCATED))),
        (stream[..9].to_vec(), Some(Reason::new(r::PROLOGUE_TRUNCATED))),
    ] {
        let mut reader = SealedReader::new(REGISTRY, true);
        let (mut out, mut at, mut end) = (Vec::new(), 0, 0);
        let failed = loop {
            let step = reader.step(&stream[at..end], end == stream.len());
            match step.event {
                Event::Need(_) => end += 1,
                Event::Record { bytes, offset, .. } => {
                    assert_eq!(offset, widen(out.len()));
                    out.extend_from_slice(bytes);
                }
                Event::Finding(reason) if !reason.is_note() => break Some(reason),
                Event::End => break None,
                _ => {}
            }
            at += step.used;
        };
        assert_eq!(failed.map(|reason| reason.id), fails.map(|reason| reason.id));
        assert_eq!(out, stream);
    }
}

#[test]
fn the_running_digest_is_that_of_the_whole_however_it_is_cut() {
    let bytes: Vec<u8> = (0..5 * STRIDE + 77).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let cuts = [1, 15, 16, 1023, 1024, STRIDE - 1, STRIDE, STRIDE + 1, 3 * STRIDE + 5, bytes.len()];
    let mut running = Running::new(Digest::None);
    assert_eq!(running.finish(), None);
    for length in [0, 1, 1024, STRIDE - 1, STRIDE, STRIDE + 1, 2 * STRIDE, bytes.len()] {
        let expected = blake3::hash(&bytes[..length]);
        // Two cuts take turns, so that pieces begin at every place in a stride.
        for pair in cuts.windows(2) {
            running.begin(Digest::Blake3);
            let mut rest = &bytes[..length];
            for cut in pair.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, behind) = rest.split_at(rest.len().min(*cut));
                running.update(piece);
                rest = behind;
            }
            assert_eq!(running.finish().as_ref(), Some(expected.as_bytes()), "{length} bytes by {pair:?}");
        }
    }
}
