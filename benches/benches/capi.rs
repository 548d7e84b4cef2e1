//! What a gate costs through C, beside the same gate from Rust.
//!
//! The functions are called through pointers that the compiler cannot see through, as a program in C calls those of a
//! library. As in `throughput.rs` each round times every way once; a line of output is a size, a way and nanoseconds.

use std::hint::black_box;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use transire::device::{Target, transire_target_free, transire_target_read};
use transire::gate::{
    Gate, GateEvent, GateOptions, GateState, TRANSIRE_GATE_DELIVER, TRANSIRE_GATE_FINISHED, TRANSIRE_GATE_VERDICT,
    transire_gate_free, transire_gate_new, transire_gate_query, transire_gate_step,
};
use transire::status::{Status, TRANSIRE_OK};
use transire::text::Text;
use transire_benches::{MTTY_HEADER, profile, sealed, target};
use transire_core::gate::{Gate as RustGate, Options, Output};
use transire_core::sealed::Digest;
use transire_core::vendors::VENDORS;

/// Bytes of payload: a verdict alone, and a whole stream.
const SIZES: [usize; 3] = [64, 1 << 20, 1 << 30];
/// What a round of one way takes at least, in repetitions of it. A gate for each is made besides, which takes several
/// times as long.
const LEAST: Duration = Duration::from_micros(200);
/// What one size takes, and rounds that it has at the least and at the most.
const WHOLE: (Duration, usize, usize) = (Duration::from_secs(6), 5, 101);
const QUICK: (Duration, usize, usize) = (Duration::from_millis(400), 3, 21);

type New = unsafe extern "C" fn(*const Target, *const GateOptions, *mut *mut Gate) -> Status;
type StepOf = unsafe extern "C" fn(*mut Gate, *const u8, usize, bool, *mut GateEvent) -> Status;
type Query = unsafe extern "C" fn(*const Gate, *mut GateState) -> Status;
type Free = unsafe extern "C" fn(*mut Gate);

/// The functions, as a program in C has them.
#[derive(Clone, Copy)]
struct Library {
    new: New,
    step: StepOf,
    query: Query,
    free: Free,
}

impl Library {
    fn loaded() -> Self {
        black_box(Self {
            new: transire_gate_new,
            step: transire_gate_step,
            query: transire_gate_query,
            free: transire_gate_free,
        })
    }

    #[allow(unsafe_code)] // The functions are those of C.
    fn made(self, target: *const Target) -> Made {
        let mut gate = null_mut();
        // SAFETY: the target lives for as long as `main` runs, and the place is good.
        assert_eq!(unsafe { (self.new)(target, null(), &raw mut gate) }, TRANSIRE_OK);
        Made { library: self, gate }
    }
}

/// A gate of C, freed when it is dropped.
struct Made {
    library: Library,
    gate: *mut Gate,
}

impl Drop for Made {
    #[allow(unsafe_code)] // The functions are those of C.
    fn drop(&mut self) {
        // SAFETY: the gate was made by this library, and is not used again.
        unsafe { (self.library.free)(self.gate) };
    }
}

/// A gate of either side, and a stream through it: to its early verdict, or to its end.
trait Passes {
    /// Whether it judged, or was complete.
    fn pass(&mut self, stream: &[u8], to_verdict: bool) -> bool;
}

impl Passes for Made {
    #[allow(unsafe_code)] // The functions are those of C.
    fn pass(&mut self, stream: &[u8], to_verdict: bool) -> bool {
        let mut event = GateEvent { event: 0, reserved: 0, used: 0, need: 0, payload: null(), payload_length: 0 };
        let none = Text { bytes: null(), length: 0 };
        let mut state = GateState {
            size: size_of::<GateState>(),
            judged: false,
            finished: false,
            complete: false,
            used: 0,
            examined: 0,
            format: none,
            payload_format: none,
            abort_text: none,
        };
        let mut rest = black_box(stream);
        loop {
            // SAFETY: the gate lives, and slice and place are good.
            let status = unsafe { (self.library.step)(self.gate, rest.as_ptr(), rest.len(), true, &raw mut event) };
            assert_eq!(status, TRANSIRE_OK);
            match event.event {
                TRANSIRE_GATE_DELIVER => _ = black_box((event.payload, event.payload_length)),
                TRANSIRE_GATE_VERDICT if to_verdict => return true,
                TRANSIRE_GATE_FINISHED => break,
                _ => {}
            }
            rest = &rest[event.used..];
        }
        // SAFETY: the gate lives, and the place is good.
        assert_eq!(unsafe { (self.library.query)(self.gate, &raw mut state) }, TRANSIRE_OK);
        state.complete
    }
}

impl Passes for Box<RustGate> {
    fn pass(&mut self, stream: &[u8], to_verdict: bool) -> bool {
        let mut rest = black_box(stream);
        loop {
            let step = self.step(rest, true);
            let used = step.used;
            match step.event {
                Output::Deliver(bytes) => _ = black_box((bytes.as_ptr(), bytes.len())),
                Output::Verdict if to_verdict => return true,
                Output::Finished => return self.is_complete(),
                _ => {}
            }
            rest = &rest[used..];
        }
    }
}

/// On the heap, as a handle of C is, and with the same room.
fn made(target: &Arc<transire_core::target::Target>) -> Box<RustGate> {
    let mut gate = Box::new(RustGate::new(VENDORS, Some(target.clone()), Options::default()));
    gate.reserve().expect("there is memory");
    gate
}

/// Does something so often, and says how long it took.
type Way<'a> = (&'static str, Box<dyn FnMut(u32) -> Duration + 'a>);

/// Gates that stand at once, made outside the time that is taken: so many that the clock does not count.
const BATCH: u32 = 64;

/// The stream through a gate that stands.
fn passing<'a, G: Passes>(
    make: impl Fn() -> G + 'a,
    stream: &'a [u8],
    to_verdict: bool,
) -> impl FnMut(u32) -> Duration {
    move |repetitions| {
        let mut took = Duration::ZERO;
        let mut left = repetitions;
        while left > 0 {
            let now = left.min(if to_verdict { BATCH } else { 1 });
            let mut gates: Vec<G> = (0..now).map(|_| make()).collect();
            let start = Instant::now();
            for gate in &mut gates {
                assert!(gate.pass(stream, to_verdict));
            }
            took += start.elapsed();
            left -= now;
        }
        took
    }
}

/// A gate made and freed.
fn making<G>(make: impl Fn() -> G) -> impl FnMut(u32) -> Duration {
    move |repetitions| {
        let start = Instant::now();
        for _ in 0..repetitions {
            drop(black_box(make()));
        }
        start.elapsed()
    }
}

/// Times every way once a round, each as often as [`LEAST`] takes, and prints what one repetition took.
fn rounds(size: usize, ways: &mut [Way<'_>], (whole, least, most): (Duration, usize, usize)) {
    let mut often = Vec::new();
    for (_, work) in ways.iter_mut() {
        let mut repetitions = 1_u32;
        while work(repetitions) < LEAST {
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
            let took = work(*repetitions);
            println!("{size}\t{name}\t{:.3}", took.as_secs_f64() * 1e9 / f64::from(*repetitions));
        }
    }
}

#[allow(unsafe_code)] // The functions are those of C.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |argument: &str| arguments.iter().any(|given| given == argument);
    // Cargo says `--bench` when it benches and not when it only tests that this runs.
    let (budget, largest) = match (given("--bench"), given("--quick")) {
        (true, false) => (WHOLE, usize::MAX),
        (true, true) => (QUICK, usize::MAX),
        (false, _) => ((Duration::ZERO, 1, 1), 1 << 20),
    };
    let library = Library::loaded();
    let of_rust = &target();
    let bytes = profile().to_bytes();
    let mut of_c: *mut Target = null_mut();
    // SAFETY: the slice and the place are good.
    let status = unsafe { transire_target_read(bytes.as_ptr(), bytes.len(), &raw mut of_c, null_mut(), 0) };
    assert_eq!(status, TRANSIRE_OK);
    for size in SIZES.into_iter().filter(|size| *size <= largest) {
        let payload: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
        let stream = &sealed(&payload, Digest::None);
        drop(payload);
        let mut ways: Vec<Way<'_>> = Vec::new();
        let (of_c_made, of_rust_made) = (move || library.made(of_c), move || made(of_rust));
        if size == SIZES[0] {
            ways.push(("made and freed, Rust", Box::new(making(of_rust_made))));
            ways.push(("made and freed, C", Box::new(making(of_c_made))));
            let streams: [(&[u8], [&'static str; 2]); 2] = [
                (&MTTY_HEADER, ["verdict on an mtty header, Rust", "verdict on an mtty header, C"]),
                (
                    stream,
                    ["verdict on a sealed header, 12 attributes, Rust", "verdict on a sealed header, 12 attributes, C"],
                ),
            ];
            for (stream, [rust_name, c_name]) in streams {
                ways.push((rust_name, Box::new(passing(of_rust_made, stream, true))));
                ways.push((c_name, Box::new(passing(of_c_made, stream, true))));
            }
        } else {
            ways.push(("whole stream, Rust", Box::new(passing(of_rust_made, stream, false))));
            ways.push(("whole stream, C", Box::new(passing(of_c_made, stream, false))));
        }
        rounds(size, &mut ways, budget);
    }
    // SAFETY: no gate is before it any longer.
    unsafe { transire_target_free(of_c) };
}
