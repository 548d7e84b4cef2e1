//! The answer: what the target of a sealed stream says back to its source, so that the source knows before the guest is
//! stopped, and at the end.

use std::ffi::c_char;

use transire_core::prologue::{HEADER_MAX, PROLOGUE_LEN};
use transire_core::report::report;
use transire_core::sealed::{self, AnswerStage};
use transire_core::verdict;

use crate::call::{Pieces, Place, Versioned, bytes, give, guarded, room, shared, take, write_sized};
use crate::gate::Gate;
use crate::seal::Seal;
use crate::status::{
    Status, TRANSIRE_BUFFER_TOO_SMALL, TRANSIRE_INVALID_ARGUMENT, TRANSIRE_MALFORMED, TRANSIRE_NO_ANSWER,
    TRANSIRE_NOT_FOUND, TRANSIRE_OK,
};
use crate::text::{Text, write_message};
use crate::verdict::{Outcome, code};

/// An answer that rests on what came so far: the verdict can still worsen.
pub const TRANSIRE_ANSWER_EARLY: u32 = 1;
/// An answer that rests on everything that came: the verdict stays.
pub const TRANSIRE_ANSWER_FINAL: u32 = 2;

/// Memory that an answer takes while it is read: the longest header several times over, and an id for each reason.
const ANSWER_ROOM: usize = 1 << 18;

/// An answer that was read: well formed, and not contradicting itself. Never changes, so any number of threads can use it
/// at once.
pub struct Answer(sealed::Answer);

/// What an answer says, but for its reasons. `size` is set to `sizeof(transire_answer_state)` before the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AnswerState {
    /// `sizeof(transire_answer_state)`.
    pub size: usize,
    /// `TRANSIRE_ANSWER_EARLY` or `TRANSIRE_ANSWER_FINAL`.
    pub stage: u32,
    /// The outcome of the target's verdict.
    pub outcome: Outcome,
    /// Whether the stream was read to its end and may be loaded. Only then can the guest run at the target; only a final
    /// answer says so.
    pub complete: bool,
    /// The stream that it answers: the checksum of its prologue. `transire_seal_is_answered_by` compares it.
    pub prologue_crc: u32,
    /// How many reasons it names.
    pub reasons: usize,
    /// The stream that it answers: its `stream_id`. `transire_seal_is_answered_by` compares it.
    pub stream_id: [u8; 16],
    /// The vendor that the stream's header names. Lies in the answer.
    pub vendor: Text,
}

// SAFETY: `repr(C)`, beginning with `size`.
unsafe impl Versioned for AnswerState {
    const FIRST: usize = size_of::<Self>();
}

/// The longest answer, in bytes: a buffer of this size takes every answer, whether it is written or read. Somewhat more
/// than 64 KiB.
#[unsafe(no_mangle)]
pub extern "C" fn transire_answer_need_max() -> usize {
    PROLOGUE_LEN.saturating_add(usize::try_from(HEADER_MAX).unwrap_or(usize::MAX))
}

/// Writes what the target says back to the source of the stream, to be sent by any way: `TRANSIRE_ANSWER_EARLY` can be
/// given from `TRANSIRE_GATE_VERDICT` on, `TRANSIRE_ANSWER_FINAL` once the gate is finished: at the end of the stream, or
/// where it is refused. It names the outcome and the ids of the reasons, no values.
///
/// A final answer of a gate that is complete tells the source that the guest can run at the target: it is sent when the
/// device has taken everything, and not at all where the device has not.
///
/// `length` receives the bytes that the answer has, whether they fit or not; 0 where there is none, and where the call
/// fails otherwise. With a `capacity` of 0, `buffer` may be NULL. Leaves the gate as it is. Allocates nothing.
///
/// Codes: `TRANSIRE_NO_ANSWER`, `TRANSIRE_BUFFER_TOO_SMALL`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_gate_answer(
    gate: *const Gate,
    stage: u32,
    buffer: *mut u8,
    capacity: usize,
    length: *mut usize,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (gate, length) = unsafe { (shared(gate)?, Place::at(length)?) };
        length.write(0);
        let stage = match stage {
            TRANSIRE_ANSWER_EARLY => AnswerStage::Early,
            TRANSIRE_ANSWER_FINAL => AnswerStage::Final,
            _ => return Err(TRANSIRE_INVALID_ARGUMENT),
        };
        // SAFETY: the caller promises a buffer of this capacity.
        let mut buffer = unsafe { Pieces::at(buffer, capacity) }?;
        let needed = gate.core()?.write_answer(stage, capacity, &mut |piece| buffer.put(piece));
        let needed = needed.ok_or(TRANSIRE_NO_ANSWER)?;
        length.write(needed);
        if needed > capacity { Err(TRANSIRE_BUFFER_TOO_SMALL) } else { Ok(()) }
    })
}

/// Reads the first of the answers that come one behind the other; `eof` when nothing follows the input.
///
/// `answer` receives a handle to be freed with `transire_answer_free`, and `size` how many bytes it has: the next answer
/// begins behind them. Where the input ends inside it and `eof` is false, `answer` receives NULL, and `size` how many
/// bytes the input must hold; never more than `transire_answer_need_max`. On `TRANSIRE_MALFORMED` there is no answer,
/// `size` is 0, and the id of the reason with words behind it is written to `message` (NUL-terminated UTF-8, as much as
/// fits into `capacity` bytes; NULL with 0 for none): nothing behind it can be read either. The input may be NULL where
/// `length` is 0; where nothing follows, that is malformed, too: nobody has answered.
///
/// Whose answer it is, `transire_seal_is_answered_by` tells. What answers another stream says nothing of this one.
///
/// Codes: `TRANSIRE_MALFORMED`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_answer_read(
    input: *const u8,
    length: usize,
    eof: bool,
    answer: *mut *mut Answer,
    size: *mut usize,
    message: *mut c_char,
    capacity: usize,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let place = unsafe { Place::at(answer) }?;
        place.write(std::ptr::null_mut());
        // SAFETY: as above.
        let (size, input) = unsafe { (Place::at(size)?, bytes(input, length)) };
        size.write(0);
        let input = input?;
        // SAFETY: the caller promises a buffer of this capacity.
        unsafe { write_message("", message, capacity) }?;
        room(ANSWER_ROOM)?;
        match sealed::Answer::read_first(input, eof, &mut verdict::Verdict::new()) {
            Ok(Ok((read, used))) => {
                size.write(used);
                give(&place, Box::new(Answer(read)));
            }
            Ok(Err(need)) => size.write(need),
            Err(reason) => {
                let words = report(&reason, None, None);
                // SAFETY: as above.
                unsafe { write_message(&format!("{}: {}", words.id, words.text), message, capacity) }?;
                return Err(TRANSIRE_MALFORMED);
            }
        }
        Ok(())
    })
}

/// What an answer says. Allocates nothing.
///
/// Codes: `TRANSIRE_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_answer_query(answer: *const Answer, state: *mut AnswerState) -> Status {
    guarded(|| {
        // SAFETY: the pointer is as the caller promises.
        let answer = &unsafe { shared(answer) }?.0;
        let identity = answer.identity();
        let told = AnswerState {
            size: size_of::<AnswerState>(),
            stage: match answer.stage() {
                AnswerStage::Early => TRANSIRE_ANSWER_EARLY,
                AnswerStage::Final => TRANSIRE_ANSWER_FINAL,
            },
            outcome: code(answer.outcome()),
            complete: answer.is_complete(),
            prologue_crc: identity.prologue_crc,
            reasons: answer.reasons().len(),
            stream_id: identity.stream_id,
            vendor: Text::of(&identity.vendor),
        };
        // SAFETY: as above.
        unsafe { write_sized(state, &told) }
    })
}

/// The id of one reason, such as `pci_id.not-equal`: `index` counts from 0 to below `reasons` of `transire_answer_query`.
/// They ascend, and each is there once. It lies in the answer, and nothing ends it but its length. Allocates nothing.
///
/// Codes: `TRANSIRE_NOT_FOUND`, `TRANSIRE_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_answer_reason(answer: *const Answer, index: usize, id: *mut Text) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (answer, place) = unsafe { (shared(answer)?, Place::at(id)?) };
        place.write(Text::of(answer.0.reasons().nth(index).ok_or(TRANSIRE_NOT_FOUND)?));
        Ok(())
    })
}

/// Whether an answer is to the stream of this sealing, which it is by `stream_id` and the checksum of the prologue. False
/// for NULL, and for a sealing that takes no more calls. Allocates nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_seal_is_answered_by(seal: *const Seal, answer: *const Answer) -> bool {
    let status = guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (seal, answer) = unsafe { (shared(seal)?, shared(answer)?) };
        if seal.core()?.is_answered_by(&answer.0) { Ok(()) } else { Err(TRANSIRE_NOT_FOUND) }
    });
    status == TRANSIRE_OK
}

/// Frees an answer. NULL is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_answer_free(answer: *mut Answer) {
    // SAFETY: the caller gives the handle back.
    unsafe { take(answer) }
}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Answer>();
};
