//! Sealing: device bytes in by phase, a sealed stream out.

use transire_core::format::Phase;
use transire_core::seal::{self, Flow, Sealing};
use transire_core::sealed::{self, Digest, FRAME_HEAD, OPAQUE};
use transire_core::vendors::VENDORS;

use crate::call::{
    Given, Place, Versioned, bytes, exclusive, give, guarded, read_sized, room, shared, take, write_sized,
};
use crate::device::Profile;
use crate::status::{Status, TRANSIRE_ENDED, TRANSIRE_INTERNAL, TRANSIRE_INVALID_ARGUMENT, TRANSIRE_OK, of_seal};
use crate::text::Text;
use crate::verdict::{Judged, Verdict};

/// In pre-copy: what comes first and identifies the source.
pub const TRANSIRE_PHASE_INITIAL: u32 = 1;
/// In pre-copy: what changed.
pub const TRANSIRE_PHASE_ITERATIVE: u32 = 2;
/// After the guest was stopped. No other phase follows it.
pub const TRANSIRE_PHASE_STOP_COPY: u32 = 3;
/// Not said. Stands alone: no other phase is in the same stream.
pub const TRANSIRE_PHASE_UNSPECIFIED: u32 = 4;

/// More follows: a frame goes out when it is full.
pub const TRANSIRE_FLOW_MORE: u32 = 0;
/// More follows, but what is there goes out now: the guest waits, or another phase follows.
pub const TRANSIRE_FLOW_FLUSH: u32 = 1;
/// Nothing follows: the stream ends behind this input.
pub const TRANSIRE_FLOW_END: u32 = 2;

/// No digest: the checksums of the frames catch accidents, not attackers.
pub const TRANSIRE_DIGEST_NONE: u32 = 1;
/// BLAKE3, 256 bits, over every byte before the end frame.
pub const TRANSIRE_DIGEST_BLAKE3: u32 = 2;

/// `payload_length` is announced in the header.
pub const TRANSIRE_SEAL_ANNOUNCE: u32 = 1;

/// Nothing goes out before the input holds `need` bytes, is flushed, or ends.
pub const TRANSIRE_SEAL_NEED: u32 = 1;
/// Bytes for the wire: first `head`, then `payload`.
pub const TRANSIRE_SEAL_WRITE: u32 = 2;
/// The input is flushed: everything that was given has gone out.
pub const TRANSIRE_SEAL_FLUSHED: u32 = 3;
/// Over: `complete` of `transire_seal_query` says whether the stream was sealed or aborted.
pub const TRANSIRE_SEAL_FINISHED: u32 = 4;

/// Memory that a sealing takes when it is made: the header several times over, what the digest waits with, and a reader
/// of the payload.
const SEAL_ROOM: usize = 1 << 19;

/// Memory that one step or the last frame may take: the reader of a payload that is checked, what it must see again, and
/// what it finds.
const STEP_ROOM: usize = 1 << 18;

/// What a sealed stream says of itself. `size`, `digest` and `stream_id` must be set.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SealOptions {
    /// `sizeof(transire_seal_options)`.
    pub size: usize,
    /// `TRANSIRE_DIGEST_NONE` or `TRANSIRE_DIGEST_BLAKE3`.
    pub digest: u32,
    /// `TRANSIRE_SEAL_ANNOUNCE`, or 0.
    pub flags: u32,
    /// With `TRANSIRE_SEAL_ANNOUNCE`: the exact number of payload bytes. Another one makes the end
    /// `TRANSIRE_NOT_AS_ANNOUNCED`.
    pub payload_length: u64,
    /// The identity of the stream: 16 fresh random bytes, from `getrandom` or the like. Without it frames of two identical
    /// devices could be exchanged. All zeros are taken for forgotten.
    pub stream_id: [u8; 16],
    /// The native format of the payload, which is then checked on its way; none for `opaque`, which is not.
    pub payload_format: Text,
    /// Which device of the virtual machine, 1 to 1,024 bytes, or none.
    pub device_label: Text,
}

// SAFETY: `repr(C)`, beginning with `size`.
unsafe impl Versioned for SealOptions {
    const FIRST: usize = size_of::<Self>();
}

// SAFETY: numbers and pointers.
unsafe impl Given for SealOptions {
    const EMPTY: Self = Self {
        size: 0,
        digest: 0,
        flags: 0,
        payload_length: 0,
        stream_id: [0; 16],
        payload_format: Text::NONE,
        device_label: Text::NONE,
    };
}

/// What one step did. This structure never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SealEvent {
    /// `TRANSIRE_SEAL_NEED`, `_WRITE`, `_FLUSHED` or `_FINISHED`.
    pub event: u32,
    /// Not used, 0.
    pub reserved: u32,
    /// Bytes at the front of the input that are done with: the next step begins behind them.
    pub used: usize,
    /// With `TRANSIRE_SEAL_NEED`: how many bytes fill a frame.
    pub need: usize,
    /// With `TRANSIRE_SEAL_WRITE`: what goes out first. It lies in the sealing and is good until the next call with it.
    pub head: *const u8,
    /// Bytes at `head`, at least 1.
    pub head_length: usize,
    /// With `TRANSIRE_SEAL_WRITE`: what goes out behind `head`. It lies in the caller's input; NULL where there is
    /// nothing.
    pub payload: *const u8,
    /// Bytes at `payload`.
    pub payload_length: usize,
}

/// How far a sealing is. `size` is set to `sizeof(transire_seal_state)` before the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SealState {
    /// `sizeof(transire_seal_state)`.
    pub size: usize,
    /// Whether nothing more goes out.
    pub finished: bool,
    /// Whether the stream was sealed to its end.
    pub complete: bool,
    /// Payload bytes that have gone out.
    pub total: u64,
}

// SAFETY: `repr(C)`, beginning with `size`.
unsafe impl Versioned for SealState {
    const FIRST: usize = size_of::<Self>();
}

/// A sealing: bytes of a device in, a sealed stream out. One thread at a time may use it.
pub struct Seal {
    /// The sealing itself is in here, so that a verdict can be handed out that knows what it knows.
    judged: Verdict,
    /// The head of the frame that went out last.
    head: [u8; FRAME_HEAD],
    /// Why it takes no more steps: a failure of its own, after which it can only be aborted, or a panic.
    failed: Status,
    finished: bool,
}

impl Seal {
    pub(crate) const fn core(&self) -> Result<&Sealing, Status> {
        match &self.judged.0 {
            Judged::Seal { sealing, .. } if self.failed != TRANSIRE_INTERNAL => Ok(sealing),
            _ => Err(TRANSIRE_INTERNAL),
        }
    }

    /// Does something with the sealing that goes wrong or tells something.
    fn change<'a>(
        &'a mut self,
        work: impl FnOnce(&'a mut Sealing) -> Result<seal::SealStep<'a>, sealed::SealError>,
    ) -> Result<SealEvent, Status> {
        let Judged::Seal { sealing, .. } = &mut self.judged.0 else { return Err(TRANSIRE_INTERNAL) };
        let before = std::mem::replace(&mut self.failed, TRANSIRE_INTERNAL);
        let step = work(sealing).map_err(|error| {
            self.failed = of_seal(error);
            self.failed
        })?;
        self.failed = before;
        let mut told = SealEvent {
            event: TRANSIRE_SEAL_WRITE,
            reserved: 0,
            used: step.used,
            need: 0,
            head: std::ptr::null(),
            head_length: 0,
            payload: std::ptr::null(),
            payload_length: 0,
        };
        match step.event {
            seal::SealEvent::Need(need) => (told.event, told.need) = (TRANSIRE_SEAL_NEED, need),
            seal::SealEvent::Bytes(bytes) => (told.head, told.head_length) = (bytes.as_ptr(), bytes.len()),
            seal::SealEvent::Frame(head, payload) => {
                self.head = head;
                (told.head, told.head_length) = (self.head.as_ptr(), self.head.len());
                (told.payload, told.payload_length) = (payload.as_ptr(), payload.len());
            }
            seal::SealEvent::Flushed => told.event = TRANSIRE_SEAL_FLUSHED,
            seal::SealEvent::Finished => {
                told.event = TRANSIRE_SEAL_FINISHED;
                self.finished = true;
            }
            // There are no others today.
            _ => return Err(TRANSIRE_INTERNAL),
        }
        Ok(told)
    }
}

/// Begins a sealed stream with this profile in its header. `options` must not be NULL. The profile may be freed before
/// the sealing.
///
/// `seal` receives a handle to be freed with `transire_seal_free`, or NULL.
///
/// Codes: `TRANSIRE_UNKNOWN_FORMAT`, `TRANSIRE_BAD_LABEL`, `TRANSIRE_HEADER_TOO_LONG`, `TRANSIRE_INVALID_ARGUMENT`,
/// `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_seal_new(
    profile: *const Profile,
    options: *const SealOptions,
    seal: *mut *mut Seal,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let place = unsafe { Place::at(seal) }?;
        place.write(std::ptr::null_mut());
        // SAFETY: as above.
        let (profile, given, format, label) = unsafe {
            let given: SealOptions = read_sized(options)?;
            (shared(profile)?, given, given.payload_format.read()?, given.device_label.read()?)
        };
        let announces = given.flags & TRANSIRE_SEAL_ANNOUNCE != 0;
        let digest = Digest::from_code(u64::from(given.digest)).ok_or(TRANSIRE_INVALID_ARGUMENT)?;
        if given.flags & !TRANSIRE_SEAL_ANNOUNCE != 0 || given.stream_id == [0; 16] {
            return Err(TRANSIRE_INVALID_ARGUMENT);
        }
        room(SEAL_ROOM)?;
        let options = sealed::SealOptions {
            payload_format: format.unwrap_or(OPAQUE).to_owned(),
            digest,
            payload_len: announces.then_some(given.payload_length),
            stream_id: given.stream_id,
            device_label: label.map(ToOwned::to_owned),
        };
        let source = profile.0.clone();
        let sealing = Sealing::begin(VENDORS, (*source).clone(), &options).map_err(of_seal)?;
        let judged = Verdict(Judged::Seal { sealing, source });
        give(&place, Box::new(Seal { judged, head: [0; FRAME_HEAD], failed: TRANSIRE_OK, finished: false }));
        Ok(())
    })
}

/// Looks at the input, which begins where the bytes used so far end and is all of one phase; `flow` says what follows it.
/// The caller writes what is to be written, drops the bytes used, and calls again: with `TRANSIRE_FLOW_MORE` until
/// `TRANSIRE_SEAL_NEED`, with `_FLUSH` until `_FLUSHED`, with `_END` until `_FINISHED`.
///
/// The first step gives prologue and header and needs no input, so they can go out before the device is read. Payload is
/// not copied. Payload that is damaged, or contradicts the profile, ends in an abort frame; the verdict says why. The
/// input may be NULL where `length` is 0.
///
/// Codes: `TRANSIRE_BAD_PHASE`, `TRANSIRE_NOT_AS_ANNOUNCED`, `TRANSIRE_TOO_MANY_FRAMES`: after one of these every step
/// says it again, and the stream can only be aborted. `TRANSIRE_NO_MEMORY`: the sealing is as it was, and the same step can
/// be taken again. `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_seal_step(
    seal: *mut Seal,
    phase: u32,
    input: *const u8,
    length: usize,
    flow: u32,
    event: *mut SealEvent,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (seal, input, place) = unsafe { (exclusive(seal)?, bytes(input, length)?, Place::at(event)?) };
        let phase = u8::try_from(phase).ok().and_then(Phase::from_code).ok_or(TRANSIRE_INVALID_ARGUMENT)?;
        let flow = match flow {
            TRANSIRE_FLOW_MORE => Flow::More,
            TRANSIRE_FLOW_FLUSH => Flow::Flush,
            TRANSIRE_FLOW_END => Flow::End,
            _ => return Err(TRANSIRE_INVALID_ARGUMENT),
        };
        if seal.failed != TRANSIRE_OK {
            return Err(seal.failed);
        }
        room(STEP_ROOM)?;
        place.write(seal.change(|sealing| {
            sealing.set_phase(phase);
            sealing.step(input, flow)
        })?);
        Ok(())
    })
}

/// Gives up: an abort frame goes out, and nothing after it. `text` says why, for the other side's log; one that is none,
/// no UTF-8, longer than 1,024 bytes, or cannot be shown is left out. A stream whose first step was not taken has no header: then
/// nothing need go out.
///
/// Codes: `TRANSIRE_ENDED` where the stream has ended or was aborted, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`,
/// `TRANSIRE_INTERNAL`. Where no abort frame can be had, a connection that is closed says the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_seal_abort(seal: *mut Seal, text: Text, event: *mut SealEvent) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (seal, text, place) = unsafe { (exclusive(seal)?, bytes(text.bytes, text.length)?, Place::at(event)?) };
        if seal.failed == TRANSIRE_INTERNAL {
            return Err(TRANSIRE_INTERNAL);
        }
        if seal.finished {
            return Err(TRANSIRE_ENDED);
        }
        room(STEP_ROOM)?;
        // To give up is not to be refused for want of words.
        let text = std::str::from_utf8(text).unwrap_or_default();
        let told = seal.change(|sealing| sealing.abort(text));
        // Whatever was wrong is over with the stream.
        seal.failed = TRANSIRE_OK;
        place.write(told?);
        Ok(())
    })
}

/// How far the sealing is. Allocates nothing.
///
/// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_seal_query(seal: *const Seal, state: *mut SealState) -> Status {
    guarded(|| {
        // SAFETY: the pointer is as the caller promises.
        let seal = unsafe { shared(seal) }?;
        let sealing = seal.core()?;
        let told = SealState {
            size: size_of::<SealState>(),
            finished: seal.finished,
            complete: sealing.is_complete(),
            total: sealing.total(),
        };
        // SAFETY: as above.
        unsafe { write_sized(state, &told) }
    })
}

/// What speaks against the payload; it lives as long as the sealing, and is never freed by itself. NULL for NULL.
#[unsafe(no_mangle)]
pub const unsafe extern "C" fn transire_seal_verdict(seal: *const Seal) -> *const Verdict {
    if seal.is_null() {
        return std::ptr::null();
    }
    // SAFETY: the pointer is as the caller promises. No reference is made, so that what is handed out stays good when
    // the sealing is changed.
    unsafe { &raw const (*seal).judged }
}

/// Frees a sealing. NULL is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_seal_free(seal: *mut Seal) {
    // SAFETY: the caller gives the handle back.
    unsafe { take(seal) }
}
