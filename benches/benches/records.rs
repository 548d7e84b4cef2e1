//! What streams of records cost: how many headers are walked in a second, how many bytes of a long stream are touched,
//! how much memory it takes; and the verdict from the first header.
//!
//! A line of output is a size, a name and a number, in the form of `throughput`. The long stream lies in memory that the
//! system gives zeroed and only when it is touched: what becomes resident while it is read was touched.
#![allow(unsafe_code)] // An allocator that counts is one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use transire_core::attribute::{OwnedValue, Text, VENDOR, Value};
use transire_core::early::{Early, judge_first};
use transire_core::gate::{Gate, Options, Output};
use transire_core::profile::ProfileBuilder;
use transire_core::records::HEADER_LEN;
use transire_core::target::Target;
use transire_core::vendors::{VENDORS, virtio};
use transire_core::verdict::{Outcome, Verdict};

/// Bytes of the images of the two streams, and how many there are.
const SHORT: (usize, usize) = (1, 1 << 20);
const LONG: (usize, usize) = (64 << 20, 64);
/// What stands before the images.
const FIRST: [u8; 24] = [8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0];

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes on to the system's allocator as it came, and its answer is returned as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from the system's allocator with this `layout`, as all of ours do.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A stream of so many images of so many bytes, all zero: nothing but headers is written.
fn stream((image, count): (usize, usize)) -> Vec<u8> {
    let mut stream = vec![0; FIRST.len() + count * (HEADER_LEN + image)];
    stream[..FIRST.len()].copy_from_slice(&FIRST);
    let size = u64::try_from(image).expect("a length").to_le_bytes();
    for record in stream[FIRST.len()..].chunks_mut(HEADER_LEN + image) {
        record[..size.len()].copy_from_slice(&size);
    }
    stream
}

fn target(vendor: &'static str, features: Option<u64>) -> Arc<Target> {
    let mut builder = ProfileBuilder::new();
    builder.set(VENDOR, &Value::Text(Text::constant(vendor)).to_owned());
    if let Some(features) = features {
        builder.set(virtio::DEVICE_FEATURES, &OwnedValue::mask(&features.to_le_bytes()).expect("a mask"));
    }
    let profile = builder.build(&|name| VENDORS.dictionary(name)).expect("a profile");
    Arc::new(Target::new(profile, VENDORS.vendor(vendor).expect("a vendor").rules).expect("a target"))
}

/// The whole stream through a gate; how many bytes came out, and how often memory was asked for once the gate stood.
fn pass(target: &Arc<Target>, stream: &[u8]) -> (usize, u64) {
    let mut gate = Gate::new(VENDORS, Some(target.clone()), Options::default());
    let before = CALLS.load(Ordering::Relaxed);
    let (mut rest, mut out) = (black_box(stream), 0);
    loop {
        let step = gate.step(rest, true);
        let used = step.used;
        match step.event {
            Output::Deliver(bytes) => out += bytes.len(),
            Output::Finished => break,
            _ => {}
        }
        rest = &rest[used..];
    }
    assert!(gate.is_complete());
    (out, CALLS.load(Ordering::Relaxed) - before)
}

/// Bytes of this process that are in memory; `None` where the system does not say it like Linux.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
}

fn walks(target: &Arc<Target>, shape: (usize, usize), budget: Duration) {
    let (image, count) = shape;
    let stream = stream(shape);
    let headers = count + 1;
    let before = resident();
    let (out, calls) = pass(target, &stream);
    assert_eq!((out, calls), (stream.len(), 0));
    let size = stream.len();
    println!("{size}\timages of {image} bytes\t{count}");
    println!("{size}\tbytes looked at\t{}", headers * HEADER_LEN + 8);
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("{size}\tbytes that became resident\t{}", after.saturating_sub(before));
    }
    println!("{size}\tallocations\t{calls}");
    let start = Instant::now();
    loop {
        let round = Instant::now();
        black_box(pass(target, &stream));
        let took = round.elapsed().as_secs_f64();
        let walked = f64::from(u32::try_from(headers).unwrap_or(u32::MAX));
        println!("{size}\tnanoseconds a header\t{:.3}", took * 1e9 / walked);
        println!("{size}\theaders a second\t{:.0}", walked / took);
        if start.elapsed() > budget {
            break;
        }
    }
}

fn verdict(name: &'static str, target: &Target, stream: &[u8], repetitions: u32) {
    let first = || {
        let mut verdict = Verdict::new();
        let input = (black_box(stream), false);
        let early = judge_first(VENDORS, Some(target), None, input, None, &mut verdict, &mut |_| {});
        assert!(matches!(early, Early::Judged { .. }) && verdict.outcome() == Outcome::Compatible);
    };
    let before = CALLS.load(Ordering::Relaxed);
    first();
    println!("{}\tallocations, verdict, {name}\t{}", stream.len(), CALLS.load(Ordering::Relaxed) - before);
    let start = Instant::now();
    for _ in 0..repetitions {
        first();
    }
    let took = start.elapsed().as_secs_f64() * 1e9 / f64::from(repetitions);
    println!("{}\tverdict, {name}\t{took:.3}", stream.len());
}

fn main() {
    // Cargo says `--bench` when it benches and not when it only tests that this runs.
    let benches = std::env::args().any(|argument| argument == "--bench");
    let mlx5 = target("mlx5", None);
    let (budget, repetitions) = if benches { (Duration::from_secs(2), 1 << 20) } else { (Duration::ZERO, 1) };
    walks(&mlx5, SHORT, budget);
    walks(&mlx5, if benches { LONG } else { (1 << 20, 4) }, budget);
    let image = stream((4096, 1));
    verdict("mlx5", &mlx5, &image, repetitions);
    let part = |kind: u8, flags: u8, value: &[u8]| {
        let length = u8::try_from(value.len()).expect("a short value");
        [&[kind, 1, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0], value].concat()
    };
    let features = 1_u64 << 32 | 1 << 5;
    let bits = features.to_le_bytes();
    let parts = [part(0, 1, &bits), part(1, 0, &bits), part(3, 0, &[15])].concat();
    let mut set = vec![0; HEADER_LEN];
    set[0] = u8::try_from(parts.len()).expect("a short set");
    set.extend(parts);
    verdict("virtio", &target("virtio", Some(features)), &set, repetitions);
}
