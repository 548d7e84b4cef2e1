//! States that are longer than what examples on disk should be.

extern crate std;

use std::vec;
use std::vec::Vec;

use super::*;
use crate::attribute::Value;
use crate::vendors::nvme::{CONTIGUOUS_QUEUES, IO_QUEUES, QUEUE_ENTRIES};
use crate::verdict::reasons as shared;

/// A state of so many queues each way, all of which complete to the last one, and a vendor's part.
fn state(queues: u16, vendor: usize) -> Vec<u8> {
    let part = STATE_HEADER_LEN + 2 * QUEUE_LEN * usize::from(queues);
    let mut state = vec![0, 0, 1];
    state.resize(16, 0);
    for size in [part, vendor] {
        state.extend_from_slice(&(u128::try_from(size).unwrap() / 4).to_le_bytes());
    }
    state.extend([0, queues, queues, 0].into_iter().flat_map(u16::to_le_bytes));
    for kind in [Kind::Submission, Kind::Completion] {
        for qid in 1..=queues {
            let words = match kind {
                Kind::Submission => [1, qid, queues, 1, 0, 1, 0, 0],
                Kind::Completion => [1, qid, 0, 1, 1, 0, 0, 0],
            };
            state.extend_from_slice(&0x1000_u64.to_le_bytes());
            state.extend(words.into_iter().flat_map(u16::to_le_bytes));
        }
    }
    state.extend((0..vendor).map(|at| u8::try_from(at % 251).unwrap()));
    state
}

#[derive(Debug, Default, PartialEq)]
struct Told {
    data: Vec<u8>,
    structures: Vec<(&'static str, Option<u32>, u64, usize)>,
    profiles: usize,
    finding: Option<Reason>,
    most_needed: usize,
}

/// Reads with a buffer that grows by so many bytes.
fn read(input: &[u8], describe: bool, chunk: usize) -> (Told, Option<Source>) {
    let mut reader = StateReader::new(describe);
    reader.choose(Choices::NONE.with(0, 1));
    let mut told = Told::default();
    let (mut start, mut end) = (0, chunk.min(input.len()));
    loop {
        let step = reader.step(&input[start..end], end == input.len());
        match step.event {
            Event::Need(bytes) => {
                assert!(bytes > end - start);
                told.most_needed = told.most_needed.max(bytes);
                end = (end + chunk).min(input.len());
            }
            Event::Record { layout, number, offset, bytes } => {
                told.structures.push((layout.name, number, offset, bytes.len()));
            }
            Event::Profile => told.profiles += 1,
            Event::Data { bytes, .. } => told.data.extend_from_slice(bytes),
            Event::Finding(reason) => {
                told.finding = Some(reason);
                break;
            }
            Event::End => break,
        }
        start += step.used;
    }
    (told, reader.source)
}

#[test]
fn long_states_are_read_in_any_cut() {
    let input = state(300, 200_000);
    let (whole, source) = read(&input, true, input.len());
    assert_eq!((whole.finding, whole.profiles), (None, 2));
    assert_eq!(whole.data, input);
    let mut end = 0;
    for (_, _, offset, length) in &whole.structures {
        assert_eq!(usize::try_from(*offset).unwrap(), end, "structures leave no gap");
        end += length;
    }
    assert_eq!(end, input.len());
    let parts: Vec<_> = whole.structures.iter().filter(|(name, ..)| *name == "vendor_part").collect();
    assert_eq!(parts.iter().map(|(_, number, ..)| number.unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let source = source.unwrap();
    assert_eq!(source.value(IO_QUEUES), Some(Value::Uint(300)));
    assert_eq!(source.value(QUEUE_ENTRIES), Some(Value::Uint(2)));
    assert_eq!(source.value(CONTIGUOUS_QUEUES), None);
    for chunk in [1, 23, 4096, 70_000] {
        let (told, _) = read(&input, true, chunk);
        assert_eq!((told.data, told.structures), (whole.data.clone(), whole.structures.clone()), "by {chunk}");
        let (told, _) = read(&input, false, chunk);
        assert_eq!((told.data, told.finding), (whole.data.clone(), None), "by {chunk}");
        assert!(told.most_needed <= HEADERS_LEN, "a reader that does not describe waits for a small record only");
    }
}

#[test]
fn a_cut_in_the_vendors_part_is_told_where_the_input_ends() {
    let input = state(1, 100_000);
    for (describe, chunk) in [(false, 1), (false, 5000), (true, 1), (true, 100_000)] {
        let (told, _) = read(&input[..90_001], describe, chunk);
        let reason = told.finding.unwrap();
        assert_eq!((reason.id, reason.offset()), (shared::STREAM_TRUNCATED, Some(90_001)));
        assert_eq!(told.data, input[..90_001]);
    }
}

#[test]
fn the_most_queues_there_can_be_are_read() {
    let input = state(u16::MAX, 0);
    assert_eq!(input.len(), 3_145_736);
    let (told, source) = read(&input, false, 1 << 20);
    assert_eq!((told.finding, told.data.len()), (None, input.len()));
    assert_eq!(source.unwrap().value(IO_QUEUES), Some(Value::Uint(0xffff)));
    let mut missing = input.clone();
    let last = HEADERS_LEN + QUEUE_LEN * 0xfffe + 12;
    missing[last..last + 2].copy_from_slice(&[0, 0]);
    let (told, _) = read(&missing, false, 1 << 20);
    let reason = told.finding.unwrap();
    assert_eq!((reason.id, reason.offset()), (reasons::COMPLETION_QUEUE, Some(widen(last))));
}
