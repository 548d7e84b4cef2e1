//! What is allocated, and when: nothing by a gate from its early verdict on, however the stream goes on; never more than
//! what was asked for beforehand; and nothing is left when everything is freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_char;
use std::ptr::{null, null_mut};

use transire::device::{
    Profile, Target, transire_profile_free, transire_profile_read, transire_target_free, transire_target_read,
};
use transire::gate::{
    Gate, GateEvent, GateOptions, TRANSIRE_GATE_ADMIT_UNKNOWN, TRANSIRE_GATE_FINISHED, TRANSIRE_GATE_NEED,
    TRANSIRE_GATE_READ_ON, TRANSIRE_GATE_VERDICT, transire_gate_free, transire_gate_new, transire_gate_step,
    transire_gate_verdict,
};
use transire::seal::{
    Seal, SealEvent, SealOptions, TRANSIRE_FLOW_END, TRANSIRE_PHASE_UNSPECIFIED, TRANSIRE_SEAL_FINISHED,
    transire_seal_free, transire_seal_new, transire_seal_step,
};
use transire::status::TRANSIRE_OK;
use transire::text::Text;
use transire::verdict::transire_verdict_outcome;

struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(calls: usize, more: usize, less: usize) {
    CALLS.set(CALLS.get() + calls);
    let live = LIVE.get() + more.cast_signed() - less.cast_signed();
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

// SAFETY: every call goes on to the system's allocator as it came, and its answer is returned as it is. The counters are
// cells of the thread, initialised by constants and without destructors: reaching them allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller's promise about `layout` is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: `pointer` came from the system's allocator with this `layout`, as all of ours do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: `pointer` came from the system's allocator with this `layout`, and `size` is as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What `transire_gate_new` asks for beforehand, and the most that a gate may come to hold.
const GATE_ROOM: isize = 1 << 18;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../../fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn target(ports: u32) -> *mut Target {
    let words = format!("vendor = \"mtty\"\n[attributes]\nnr_ports = {ports}\n");
    let mut target = null_mut();
    // SAFETY: the slice and the place are good.
    let status = unsafe { transire_target_read(words.as_ptr(), words.len(), &raw mut target, null_mut(), 0) };
    assert_eq!(status, TRANSIRE_OK);
    target
}

/// Seals through C.
fn seal(native: &[u8], format: &str) -> Vec<u8> {
    let words = "vendor = \"mtty\"\n[attributes]\nnr_ports = 2\ndriver = \"mtty\"\n";
    let options = SealOptions {
        size: size_of::<SealOptions>(),
        digest: 2,
        flags: 0,
        payload_length: 0,
        stream_id: [7; 16],
        payload_format: Text { bytes: format.as_ptr().cast(), length: format.len() },
        device_label: Text { bytes: null(), length: 0 },
    };
    let (mut profile, mut seal): (*mut Profile, *mut Seal) = (null_mut(), null_mut());
    let mut event: SealEvent = SealEvent {
        event: 0,
        reserved: 0,
        used: 0,
        need: 0,
        head: null(),
        head_length: 0,
        payload: null(),
        payload_length: 0,
    };
    let (mut rest, mut out) = (native, Vec::new());
    // SAFETY: all slices and places are good, and each handle is used until it is freed.
    unsafe {
        assert_eq!(transire_profile_read(words.as_ptr(), words.len(), &raw mut profile, null_mut(), 0), TRANSIRE_OK);
        assert_eq!(transire_seal_new(profile, &raw const options, &raw mut seal), TRANSIRE_OK);
        transire_profile_free(profile);
        loop {
            let (phase, flow) = (TRANSIRE_PHASE_UNSPECIFIED, TRANSIRE_FLOW_END);
            let status = transire_seal_step(seal, phase, rest.as_ptr(), rest.len(), flow, &raw mut event);
            assert_eq!(status, TRANSIRE_OK);
            rest = &rest[event.used..];
            if event.event == TRANSIRE_SEAL_FINISHED {
                break;
            }
            out.extend_from_slice(std::slice::from_raw_parts(event.head, event.head_length));
            if event.payload_length > 0 {
                out.extend_from_slice(std::slice::from_raw_parts(event.payload, event.payload_length));
            }
        }
        transire_seal_free(seal);
    }
    out
}

/// What a gate did with a stream: its outcome, allocations behind the early verdict, and the most that it held.
fn pass(target: *const Target, stream: &[u8], grow: usize, flags: u32) -> (i32, Option<usize>, isize) {
    let options = GateOptions {
        size: size_of::<GateOptions>(),
        input: 0,
        flags,
        now: 0,
        format: Text { bytes: null(), length: 0 },
    };
    let mut gate: *mut Gate = null_mut();
    let before = LIVE.get();
    PEAK.set(before);
    let mut at_verdict = None;
    let (mut start, mut end) = (0, grow.min(stream.len()));
    // SAFETY: all slices and places are good, and the gate is used until it is freed.
    unsafe {
        assert_eq!(transire_gate_new(target, &raw const options, &raw mut gate), TRANSIRE_OK);
        // What was only asked for does not count.
        PEAK.set(LIVE.get());
        loop {
            let mut event = GateEvent { event: 0, reserved: 0, used: 0, need: 0, payload: null(), payload_length: 0 };
            let eof = end == stream.len();
            let status = transire_gate_step(gate, stream[start..end].as_ptr(), end - start, eof, &raw mut event);
            assert_eq!(status, TRANSIRE_OK);
            start += event.used;
            match event.event {
                TRANSIRE_GATE_VERDICT if at_verdict.is_none() => at_verdict = Some(CALLS.get()),
                TRANSIRE_GATE_NEED => end = (end + grow).min(stream.len()),
                TRANSIRE_GATE_FINISHED => break,
                _ => {}
            }
        }
        let calls = at_verdict.map(|then| CALLS.get() - then);
        let outcome = transire_verdict_outcome(transire_gate_verdict(gate));
        let peak = PEAK.get() - before;
        transire_gate_free(gate);
        assert_eq!(LIVE.get(), before, "everything is freed");
        (outcome, calls, peak)
    }
}

#[test]
fn from_its_early_verdict_on_a_gate_allocates_nothing() {
    let native = fixture("mtty/mtty2-both-ports.bin");
    let big: Vec<u8> = native.iter().copied().cycle().take((2 << 20) + 5).collect();
    let target = target(2);
    let mut streams = vec![native.clone(), seal(&native, "mtty"), seal(&native, "opaque")];
    let (mut good, mut bad, mut most) = (0, 0, 0);
    let mut see = |stream: &[u8], grow| {
        let (outcome, calls, peak) = pass(target, stream, grow, 0);
        assert!(calls.is_none_or(|calls| calls == 0), "{calls:?} allocations behind the verdict, outcome {outcome}");
        assert!(peak <= GATE_ROOM, "{peak} bytes held");
        most = most.max(peak);
        if outcome == 0 { good += 1 } else { bad += 1 }
    };
    for stream in &mut streams {
        for grow in [1, 7, 64, stream.len()] {
            see(stream, grow);
            for cut in 0..stream.len() {
                see(&stream[..cut], grow);
            }
        }
        // Damaged behind the verdict as before it.
        for at in 0..stream.len() {
            stream[at] ^= 0x40;
            see(stream, 33);
            stream[at] ^= 0x40;
        }
    }
    let long = seal(&big, "opaque");
    for grow in [4096, 1 << 20, long.len()] {
        see(&long, grow);
    }
    // Thousands of notes behind the verdict, more kinds and numbers than are kept.
    for entry in std::fs::read_dir(format!("{}/../../fixtures/vectors", env!("CARGO_MANIFEST_DIR"))).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let bytes = std::fs::read(path).unwrap();
            see(&bytes, bytes.len().max(1));
        }
    }
    assert!(good > 20 && bad > 500, "{good} good, {bad} bad");
    // SAFETY: the target is not used again.
    unsafe { transire_target_free(target) };
    say(&format!(
        "{good} good and {bad} bad streams without an allocation behind the verdict; {most} bytes at the most"
    ));
}

#[test]
fn reading_on_allocates_nothing_either() {
    let native = fixture("mtty/mtty2-both-ports.bin");
    let target = target(1);
    let sealed = seal(&native, "opaque");
    let (outcome, calls, _) = pass(target, &sealed, 50, TRANSIRE_GATE_READ_ON);
    assert_eq!((outcome, calls), (1, Some(0)));
    // A header that leaves open what the payload then says: the later verdict is another one.
    let silent = fixture("vectors/header-says-what-payload-does-not-refused.bin");
    for stream in
        [silent, fixture("vectors/header-without-ports.bin"), fixture("vectors/header-without-ports-and-rule.bin")]
    {
        let (_, calls, _) = pass(target, &stream, stream.len(), TRANSIRE_GATE_READ_ON | TRANSIRE_GATE_ADMIT_UNKNOWN);
        assert_eq!(calls, Some(0));
    }
    // SAFETY: the target is not used again.
    unsafe { transire_target_free(target) };
}

#[test]
fn what_is_freed_leaves_nothing() {
    let native = fixture("mtty/mtty2-both-ports.bin");
    // Once before: tables that are made on first use stay.
    seal(&native, "mtty");
    let before = LIVE.get();
    PEAK.set(before);
    drop(seal(&native, "mtty"));
    assert_eq!(LIVE.get(), before);
    let words = "no profile";
    let mut profile: *mut Profile = null_mut();
    let mut message = [0; 64];
    let room: *mut c_char = message.as_mut_ptr();
    // SAFETY: the slice, the buffer and the place are good.
    let status = unsafe { transire_profile_read(words.as_ptr(), words.len(), &raw mut profile, room, message.len()) };
    assert!(status != TRANSIRE_OK && profile.is_null());
    assert_eq!(LIVE.get(), before);
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
