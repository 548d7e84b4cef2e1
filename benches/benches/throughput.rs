//! What whole streams cost, beside a copy of the same bytes and the digest of the same bytes.
//!
//! Criterion times one thing after another, and a ratio of two of them has the drift of the machine in it. Here each
//! round times every way once, one behind the other. A line of output is a size, a way and nanoseconds, once a round;
//! `scripts/benchmarks.py` reads them and takes medians and ratios.
#![allow(unsafe_code)] // An allocator that counts is one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use transire_benches::{MTTY_HEADER, seal, sealed, target};
use transire_core::early::{Early, judge_first};
use transire_core::gate::{Gate, Options, Output};
use transire_core::sealed::Digest;
use transire_core::target::Target;
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Verdict};

/// Bytes of payload. The smallest is only there for the verdict.
const SIZES: [usize; 6] = [64, 4 << 10, 64 << 10, 1 << 20, 64 << 20, 1 << 30];
/// Bytes up to which only a verdict is timed.
const VERDICT_ONLY: usize = 64;
/// What a round of one way takes at least, in repetitions of it.
const LEAST: Duration = Duration::from_millis(2);
/// What one size takes, and rounds that it has at the least and at the most.
const WHOLE: (Duration, usize, usize) = (Duration::from_secs(6), 5, 101);
const QUICK: (Duration, usize, usize) = (Duration::from_millis(400), 3, 21);

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes on to the system's allocator as it came, and its answer is returned as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from the system's allocator with this `layout`, as all of ours do.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The verdict from the first bytes, and how many of them it took.
fn first(target: &Target, stream: &[u8]) -> (Outcome, u32) {
    let mut verdict = Verdict::new();
    let early = judge_first(VENDORS, Some(target), None, (black_box(stream), true), None, &mut verdict, &mut |_| {});
    let within = if let Early::Judged { within, .. } = early { within } else { 0 };
    (verdict.outcome(), within)
}

/// The whole stream through a gate; what it delivers goes to `sink`.
fn pass(target: &Arc<Target>, stream: &[u8], read_on: bool, sink: &mut dyn FnMut(&[u8])) {
    let options = Options { read_on, ..Options::default() };
    let mut gate = Gate::new(VENDORS, Some(target.clone()), options);
    let mut rest = black_box(stream);
    loop {
        let step = gate.step(rest, true);
        let used = step.used;
        match step.event {
            Output::Deliver(bytes) => sink(bytes),
            Output::Finished => break,
            _ => {}
        }
        rest = &rest[used..];
    }
    assert!(gate.is_complete());
}

/// A place that bytes are appended to, with all of its memory touched beforehand.
struct Room {
    bytes: Vec<u8>,
    at: usize,
}

impl Room {
    fn append(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

type Way<'a> = (&'static str, Box<dyn FnMut(&mut Room) + 'a>);

/// Times every way once a round, each as often as [`LEAST`] takes, and prints what one repetition took.
fn rounds(size: usize, ways: &mut [Way<'_>], room: &mut Room, (whole, least, most): (Duration, usize, usize)) {
    let mut run = |work: &mut dyn FnMut(&mut Room), repetitions: u32| {
        let start = Instant::now();
        for _ in 0..repetitions {
            room.at = 0;
            work(room);
        }
        black_box(&mut room.bytes);
        start.elapsed()
    };
    let mut often = Vec::new();
    for (_, work) in ways.iter_mut() {
        let mut repetitions = 1_u32;
        while run(work, repetitions) < LEAST {
            repetitions = repetitions.saturating_mul(2);
        }
        often.push(repetitions);
    }
    let start = Instant::now();
    for round in 0..most {
        if round >= least && start.elapsed() > whole {
            break;
        }
        for ((name, work), repetitions) in ways.iter_mut().zip(&often) {
            let took = run(work, *repetitions);
            println!("{size}\t{name}\t{:.3}", took.as_secs_f64() * 1e9 / f64::from(*repetitions));
        }
    }
}

fn streams(size: usize, budget: (Duration, usize, usize)) {
    let target = &target();
    let payload = &(0..size).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect::<Vec<_>>();
    let [plain, digested] = &[Digest::None, Digest::Blake3].map(|digest| sealed(payload, digest));
    let mut room = Room { bytes: vec![0; digested.len()], at: 0 };
    let mut ways: Vec<Way<'_>> =
        vec![("verdict", Box::new(move |_| assert_eq!(black_box(first(target, digested)).0, Outcome::Compatible)))];
    println!("{size}\tverdict, bytes\t{}", first(target, digested).1);
    let small = sealed(&[0; 64], Digest::Blake3);
    ways.push((
        "verdict, 64 bytes",
        Box::new(move |_| assert_eq!(black_box(first(target, &small)).0, Outcome::Compatible)),
    ));
    if size > VERDICT_ONLY {
        ways.push(("memcpy", Box::new(|room| room.append(black_box(payload)))));
        ways.push((
            "BLAKE3",
            Box::new(|_| {
                black_box(blake3::hash(black_box(digested)));
            }),
        ));
        for (digest, names, stream) in [
            (Digest::None, ["verify", "seal", "gate"], plain),
            (Digest::Blake3, ["verify, BLAKE3", "seal, BLAKE3", "gate, BLAKE3"], digested),
        ] {
            let [verify_name, seal_name, gate_name] = names;
            let look = |bytes: &[u8]| _ = black_box(bytes);
            ways.push((verify_name, Box::new(move |_| pass(target, stream, true, &mut { look }))));
            ways.push((
                seal_name,
                Box::new(move |room| seal(black_box(payload), digest, &mut |bytes| room.append(bytes))),
            ));
            ways.push((
                gate_name,
                Box::new(move |room| {
                    pass(target, stream, false, &mut |bytes| room.append(bytes));
                    assert_eq!(room.at, size);
                }),
            ));
        }
    }
    rounds(size, &mut ways, &mut room, budget);
}

fn allocations() {
    let target = target();
    let mut native = [0; 4096];
    native[..24].copy_from_slice(&MTTY_HEADER);
    let envelope = sealed(&[0; 64], Digest::Blake3);
    for (name, stream) in [("mtty", native.as_slice()), ("sealed", &envelope)] {
        let before = CALLS.load(Ordering::Relaxed);
        let outcome = black_box(first(&target, stream)).0;
        let calls = CALLS.load(Ordering::Relaxed) - before;
        assert_eq!(outcome, Outcome::Compatible);
        println!("0\tallocations, {name}\t{calls}");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |argument: &str| arguments.iter().any(|given| given == argument);
    // Cargo says `--bench` when it benches and not when it only tests that this runs.
    let (budget, largest) = match (given("--bench"), given("--quick")) {
        (true, false) => (WHOLE, usize::MAX),
        (true, true) => (QUICK, usize::MAX),
        (false, _) => ((Duration::ZERO, 1, 1), 1 << 20),
    };
    allocations();
    for size in SIZES.into_iter().filter(|size| *size <= largest) {
        streams(size, budget);
    }
}
