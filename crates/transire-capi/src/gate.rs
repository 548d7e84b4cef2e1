//! The gate: bytes in, verdict first, payload out.

use transire_core::format::{Hold, Registry};
use transire_core::gate::{self, Input, Options, Output};
use transire_core::prologue::{HEADER_MAX, PROLOGUE_LEN};
use transire_core::sealed::{FRAME_HEAD, FRAME_MAX};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Reason, reasons};

use crate::call::{
    Given, Place, Versioned, bytes, exclusive, give, guarded, read_sized, room, shared, take, write_sized,
};
use crate::device::Target;
use crate::status::{
    Status, TRANSIRE_INTERNAL, TRANSIRE_INVALID_ARGUMENT, TRANSIRE_NO_MEMORY, TRANSIRE_UNKNOWN_FORMAT,
};
use crate::text::Text;
use crate::verdict::{Judged, Verdict, time};

/// Whatever is recognised may come in.
pub const TRANSIRE_INPUT_AUTO: u32 = 0;
/// Only a sealed stream may come in.
pub const TRANSIRE_INPUT_SEALED: u32 = 1;
/// Only a native stream may come in.
pub const TRANSIRE_INPUT_NATIVE: u32 = 2;

/// Other bytes may follow the end of the stream on the same connection: what is behind it is not looked at. Without this
/// flag they make the stream corrupt, and it is complete only when `eof` was said.
pub const TRANSIRE_GATE_FOLLOWED: u32 = 1;
/// A fixable stream is delivered: the caller has made the settings, or will before the device runs.
pub const TRANSIRE_GATE_ADMIT_FIXABLE: u32 = 2;
/// An unknown stream is delivered.
pub const TRANSIRE_GATE_ADMIT_UNKNOWN: u32 = 4;
/// Read on after a verdict that does not admit the stream, to see whether it is damaged besides. Nothing is delivered.
pub const TRANSIRE_GATE_READ_ON: u32 = 8;

/// Nothing can be said before the input holds `need` bytes, counted from behind the `used` ones, or ends.
pub const TRANSIRE_GATE_NEED: u32 = 1;
/// A verdict from a source profile: the early one, or a later one where the stream states its source anew.
pub const TRANSIRE_GATE_VERDICT: u32 = 2;
/// Payload for the device: `payload_length` bytes at `payload`.
pub const TRANSIRE_GATE_DELIVER: u32 = 3;
/// Over: `complete` of `transire_gate_query` says how. Every further step says so again.
pub const TRANSIRE_GATE_FINISHED: u32 = 4;

/// Memory that a gate takes when it is made, but for what it is asked to reserve, which says itself when it is not there.
const GATE_ROOM: usize = 120 << 10;

/// How a gate goes about it. All zeros but for `size` is the usual way.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GateOptions {
    /// `sizeof(transire_gate_options)`.
    pub size: usize,
    /// What may come in: `TRANSIRE_INPUT_AUTO`, `_SEALED` or `_NATIVE`.
    pub input: u32,
    /// `TRANSIRE_GATE_FOLLOWED`, `_ADMIT_FIXABLE`, `_ADMIT_UNKNOWN` and `_READ_ON`, added up.
    pub flags: u32,
    /// The time in seconds since 1970-01-01T00:00:00Z, for assertions that end; 0 where it is not known: then those do not
    /// count.
    pub now: u64,
    /// The native format that comes in, as `NAME` or `NAME:OPTION=VALUE`, where what is recognised does not do; none for
    /// that. Not with `TRANSIRE_INPUT_SEALED`.
    pub format: Text,
}

// SAFETY: `repr(C)`, beginning with `size`.
unsafe impl Versioned for GateOptions {
    const FIRST: usize = size_of::<Self>();
}

// SAFETY: numbers and pointers.
unsafe impl Given for GateOptions {
    const EMPTY: Self = Self { size: 0, input: 0, flags: 0, now: 0, format: Text::NONE };
}

/// What one step did. This structure never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GateEvent {
    /// `TRANSIRE_GATE_NEED`, `_VERDICT`, `_DELIVER` or `_FINISHED`.
    pub event: u32,
    /// Not used, 0.
    pub reserved: u32,
    /// Bytes at the front of the input that are done with: the next step begins behind them.
    pub used: usize,
    /// With `TRANSIRE_GATE_NEED`: how many bytes the next input must hold, unless it is the last.
    pub need: usize,
    /// With `TRANSIRE_GATE_DELIVER`: the payload. It lies in the caller's input, or in the gate, and is good until the
    /// next call with this gate, or until the caller changes the input.
    pub payload: *const u8,
    /// Bytes at `payload`, at least 1.
    pub payload_length: usize,
}

/// How far a gate is. `size` is set to `sizeof(transire_gate_state)` before the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GateState {
    /// `sizeof(transire_gate_state)`.
    pub size: usize,
    /// Whether a source profile has been judged (or, without a target, read): the early verdict is there.
    pub judged: bool,
    /// Whether the gate takes no more input.
    pub finished: bool,
    /// Whether a stream was read to its end and nothing speaks against loading it. Only then may the device leave
    /// RESUMING for running.
    pub complete: bool,
    /// Bytes of the input that are done with; once it is finished, where the stream ends.
    pub used: u64,
    /// Bytes of the input, from its beginning, that the verdict rests on.
    pub examined: u64,
    /// What came in: `sealed`, `profile`, `answer`, or the name of a native format; none before it is known. Static.
    pub format: Text,
    /// The native format of the stream or of the payload, or `opaque`; none before it is known. Good until the next
    /// step.
    pub payload_format: Text,
    /// What the source said when it gave up, or none. Good until the next step.
    pub abort_text: Text,
}

// SAFETY: `repr(C)`, beginning with `size`.
unsafe impl Versioned for GateState {
    const FIRST: usize = size_of::<Self>();
}

/// A gate: bytes from the wire in, verdict first, payload for the device out. Nothing comes out before the early verdict
/// admits the stream, and no sealed byte before its frame's checksum is right. One thread at a time may use it.
pub struct Gate {
    /// The gate itself is in here, so that a verdict can be handed out that knows what the gate knows.
    judged: Verdict,
    /// Whether a panic came out of it.
    broken: bool,
}

impl Gate {
    pub(crate) const fn core(&self) -> Result<&gate::Gate, Status> {
        match &self.judged.0 {
            Judged::Gate(gate) if !self.broken => Ok(gate),
            _ => Err(TRANSIRE_INTERNAL),
        }
    }

    /// Does something with the gate, which is broken unless it comes back.
    fn change<T>(&mut self, work: impl FnOnce(&mut gate::Gate) -> T) -> Result<T, Status> {
        let Judged::Gate(gate) = &mut self.judged.0 else { return Err(TRANSIRE_INTERNAL) };
        if std::mem::replace(&mut self.broken, true) {
            return Err(TRANSIRE_INTERNAL);
        }
        let done = work(gate);
        self.broken = false;
        Ok(done)
    }
}

/// The most that `TRANSIRE_GATE_NEED` ever asks for, in bytes: a buffer of this size takes every stream. Somewhat more
/// than 1 MiB; a native stream alone needs less.
#[unsafe(no_mangle)]
pub extern "C" fn transire_gate_need_max() -> usize {
    need_max(VENDORS)
}

/// The longest frame, header, or native structure that must be seen at once.
fn need_max(registry: Registry) -> usize {
    let holds = registry.formats().map(|format| format.hold).map(Hold::bytes);
    let formats = holds.filter_map(|bytes| usize::try_from(bytes).ok()).max().unwrap_or(0);
    let frame = FRAME_HEAD.saturating_add(usize::try_from(FRAME_MAX).unwrap_or(usize::MAX));
    let header = PROLOGUE_LEN.saturating_add(usize::try_from(HEADER_MAX).unwrap_or(usize::MAX));
    frame.max(header).max(formats)
}

/// Makes a gate before a target, or before none (NULL): then nothing is judged, and the stream is only read and checked.
/// `options` may be NULL for the usual ones. The target may be freed before the gate.
///
/// `gate` receives a handle to be freed with `transire_gate_free`, or NULL. All memory that a gate needs from its early
/// verdict on is taken here.
///
/// Codes: `TRANSIRE_UNKNOWN_FORMAT`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_gate_new(
    target: *const Target,
    options: *const GateOptions,
    gate: *mut *mut Gate,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let place = unsafe { Place::at(gate) }?;
        place.write(std::ptr::null_mut());
        // SAFETY: as above.
        let target = unsafe { target.as_ref() }.map(|target| target.0.clone());
        // SAFETY: as above.
        let options = if options.is_null() { Options::default() } else { unsafe { chosen(options) }? };
        room(GATE_ROOM)?;
        let judged = Verdict(Judged::Gate(gate::Gate::new(VENDORS, target, options)));
        // Where it stays: a gate is some kilobytes, and is not moved about.
        let mut made = Box::new(Gate { judged, broken: false });
        made.change(gate::Gate::reserve)?.map_err(|_| TRANSIRE_NO_MEMORY)?;
        give(&place, made);
        Ok(())
    })
}

/// What the caller chose.
///
/// # Safety
/// The structure and the text in it can be read.
unsafe fn chosen(options: *const GateOptions) -> Result<Options, Status> {
    // SAFETY: the caller's promise, which is this function's own.
    let (given, format) = unsafe {
        let given = read_sized(options)?;
        (given, given.format.read()?)
    };
    let known =
        TRANSIRE_GATE_FOLLOWED | TRANSIRE_GATE_ADMIT_FIXABLE | TRANSIRE_GATE_ADMIT_UNKNOWN | TRANSIRE_GATE_READ_ON;
    if given.flags & !known != 0 {
        return Err(TRANSIRE_INVALID_ARGUMENT);
    }
    let input = match (given.input, format) {
        (TRANSIRE_INPUT_AUTO | TRANSIRE_INPUT_NATIVE, Some(name)) => {
            let (format, choices) = VENDORS.chosen(name).map_err(|_| TRANSIRE_UNKNOWN_FORMAT)?;
            Input::Format(format, choices)
        }
        (TRANSIRE_INPUT_AUTO, None) => Input::Auto,
        (TRANSIRE_INPUT_SEALED, None) => Input::Sealed,
        (TRANSIRE_INPUT_NATIVE, None) => Input::Native,
        _ => return Err(TRANSIRE_INVALID_ARGUMENT),
    };
    Ok(Options {
        input,
        exact: given.flags & TRANSIRE_GATE_FOLLOWED == 0,
        admit_fixable: given.flags & TRANSIRE_GATE_ADMIT_FIXABLE != 0,
        admit_unknown: given.flags & TRANSIRE_GATE_ADMIT_UNKNOWN != 0,
        read_on: given.flags & TRANSIRE_GATE_READ_ON != 0,
        describe: false,
        now: time(given.now),
    })
}

/// Looks at the input, which begins where the bytes used so far end; `eof` when nothing follows it. The caller drops the
/// bytes used and calls again until `TRANSIRE_GATE_FINISHED`. However the input is cut, verdict and payload are the same.
///
/// Nothing is copied: payload that is delivered lies where the caller put it, but for what came in pieces and had to be
/// seen whole. After the early verdict nothing is allocated, however the stream goes on; before it only for a header above
/// 4 KiB, before no target, and where a gate reads on. The input may be NULL where `length` is 0.
///
/// Codes: `TRANSIRE_NO_MEMORY`, only before the early verdict: the gate is as it was, and the same step can be taken again.
/// `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_gate_step(
    gate: *mut Gate,
    input: *const u8,
    length: usize,
    eof: bool,
    event: *mut GateEvent,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (gate, input, place) = unsafe { (exclusive(gate)?, bytes(input, length)?, Place::at(event)?) };
        gate.change(|gate| gate.reserve_for(input))?.map_err(|_| TRANSIRE_NO_MEMORY)?;
        let told = gate.change(|gate| {
            let step = gate.step(input, eof);
            let told = GateEvent {
                event: TRANSIRE_GATE_FINISHED,
                reserved: 0,
                used: step.used,
                need: 0,
                payload: std::ptr::null(),
                payload_length: 0,
            };
            match step.event {
                Output::Need(need) => GateEvent { event: TRANSIRE_GATE_NEED, need, ..told },
                Output::Verdict => GateEvent { event: TRANSIRE_GATE_VERDICT, ..told },
                Output::Deliver(bytes) => GateEvent {
                    event: TRANSIRE_GATE_DELIVER,
                    payload: bytes.as_ptr(),
                    payload_length: bytes.len(),
                    ..told
                },
                // A gate that does not describe tells of no structures.
                _ => told,
            }
        })?;
        place.write(told);
        Ok(())
    })
}

/// Gives the stream up: the source has sent nothing for longer than the caller waits. The verdict becomes truncated
/// (`stream.stalled`), and the gate is finished; one that is finished already stays as it is. A connection that was cut is
/// an `eof`.
///
/// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_gate_stalled(gate: *mut Gate) -> Status {
    guarded(|| {
        // SAFETY: the pointer is as the caller promises.
        let gate = unsafe { exclusive(gate) }?;
        gate.change(|gate| gate.stop(Reason::at(reasons::STREAM_STALLED, gate.used())))
    })
}

/// How far the gate is. Allocates nothing.
///
/// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_gate_query(gate: *const Gate, state: *mut GateState) -> Status {
    guarded(|| {
        // SAFETY: the pointer is as the caller promises.
        let gate = unsafe { shared(gate) }?.core()?;
        let told = GateState {
            size: size_of::<GateState>(),
            judged: gate.is_judged(),
            finished: gate.is_finished(),
            complete: gate.is_complete(),
            used: gate.used(),
            examined: gate.examined(),
            format: gate.format().map_or(Text::NONE, Text::of),
            payload_format: gate.payload_format().map_or(Text::NONE, Text::of),
            abort_text: gate.abort_text().map_or(Text::NONE, Text::of),
        };
        // SAFETY: as above.
        unsafe { write_sized(state, &told) }
    })
}

/// The verdict of the gate, which lives as long as the gate and says what it knows when it is asked; never freed by
/// itself. NULL for NULL.
#[unsafe(no_mangle)]
pub const unsafe extern "C" fn transire_gate_verdict(gate: *const Gate) -> *const Verdict {
    if gate.is_null() {
        return std::ptr::null();
    }
    // SAFETY: the pointer is as the caller promises. No reference is made, so that what is handed out stays good when
    // the gate is changed.
    unsafe { &raw const (*gate).judged }
}

/// Frees a gate. NULL is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_gate_free(gate: *mut Gate) {
    // SAFETY: the caller gives the handle back.
    unsafe { take(gate) }
}

const _: () = {
    const fn moves<T: Send>() {}
    const fn is_shared<T: Send + Sync>() {}
    moves::<Gate>();
    moves::<crate::seal::Seal>();
    is_shared::<Verdict>();
    is_shared::<Target>();
    is_shared::<crate::device::Profile>();
};
