//! Outcomes and reasons: of a pair of profiles, of a gate, of a stream that was sealed.

use std::ffi::{CStr, c_char};
use std::sync::Arc;

use transire_core::attribute::Attributes;
use transire_core::judge::judge;
use transire_core::report::{in_order, report};
use transire_core::{gate, profile, seal, target, verdict};

use crate::call::{Place, Versioned, give, guarded, room, shared, size_at, take, write_sized};
use crate::device::{Profile, Target};
use crate::status::{Status, TRANSIRE_BUFFER_TOO_SMALL, TRANSIRE_NOT_FOUND};
use crate::text::{Shelf, Text};

/// What a verdict comes to. The numbers are the exit codes of the command line; 2 is none of them. No later version adds
/// one.
pub type Outcome = i32;

/// Load it.
pub const TRANSIRE_COMPATIBLE: Outcome = 0;
/// Well-formed, for another kind of device.
pub const TRANSIRE_INCOMPATIBLE: Outcome = 1;
/// No format here knows it.
pub const TRANSIRE_UNRECOGNIZED: Outcome = 3;
/// Damaged or hostile.
pub const TRANSIRE_CORRUPT: Outcome = 4;
/// Ended early.
pub const TRANSIRE_TRUNCATED: Outcome = 5;
/// Data are lacking.
pub const TRANSIRE_UNKNOWN: Outcome = 6;
/// Load it after the settings that its reasons name are made on the target.
pub const TRANSIRE_FIXABLE: Outcome = 7;

/// Memory that putting pairs and reasons into words may take: the longest attribute, on both sides, in its longest form.
const CHECK_ROOM: usize = 1 << 16;
const WORDS_ROOM: usize = 1 << 20;

/// An outcome and its reasons. One from `transire_check` is the caller's to free; one of a gate or a sealing belongs to
/// that handle, lives as long as it does, and says what is known when it is asked.
pub struct Verdict(pub(crate) Judged);

/// What a verdict is about: whatever can put its reasons into words.
#[expect(clippy::large_enum_variant, reason = "each is in a handle of its own, on the heap")]
pub(crate) enum Judged {
    Pair { source: Arc<profile::Profile>, target: Arc<target::Target>, verdict: verdict::Verdict },
    Gate(gate::Gate),
    Seal { sealing: seal::Sealing, source: Arc<profile::Profile> },
}

impl Verdict {
    pub(crate) const fn verdict(&self) -> &verdict::Verdict {
        match &self.0 {
            Judged::Pair { verdict, .. } => verdict,
            Judged::Gate(gate) => gate.verdict(),
            Judged::Seal { sealing, .. } => sealing.verdict(),
        }
    }

    /// A reason in words.
    fn report(&self, reason: &verdict::Reason) -> transire_core::report::Report {
        match &self.0 {
            Judged::Pair { source, target, .. } => report(reason, Some(&**source), Some(target)),
            Judged::Gate(gate) => {
                let source = gate.source();
                report(reason, gate.is_judged().then_some(&source as &dyn Attributes), gate.target())
            }
            Judged::Seal { source, .. } => report(reason, Some(&**source), None),
        }
    }
}

/// Why a verdict is what it is. `size` is set to `sizeof(transire_reason)` before the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// `sizeof(transire_reason)`.
    pub size: usize,
    /// Bytes that the texts below take in the caller's buffer, whether they fit or not.
    pub needed: usize,
    /// What the reason makes of the verdict. A note leaves it at `TRANSIRE_COMPATIBLE`.
    pub outcome: Outcome,
    /// Number of the attribute that it is about, in its low 15 bits; 0 for none.
    pub attribute_number: u16,
    /// Whether it has a place: `offset` and `length`.
    pub has_offset: bool,
    /// Whether `offset` counts from the beginning of a sealed stream's payload, not from that of the input.
    pub in_payload: bool,
    /// Offset of the first byte that it is about, in bytes.
    pub offset: u64,
    /// How many bytes it is about; 0 for a place between two bytes.
    pub length: u32,
    /// Not used, 0.
    pub reserved: u32,
    /// The stable id: `pci_id.not-equal`, `header.crc`. `transire explain ID` and `docs/` tell more.
    pub id: Text,
    /// The attribute by name, or by number where nobody knows its name; none where it is about no attribute.
    pub attribute: Text,
    /// What the source has there, or none.
    pub found: Text,
    /// What it should have, or none.
    pub required: Text,
    /// One line for people, with all of the above. The wording may change with any version.
    pub text: Text,
    /// What can be done about it.
    pub remedy: Text,
    /// The ground that the target's file gives for a rule or an assertion of its own, or none.
    pub ground: Text,
    /// For `TRANSIRE_FIXABLE`: the path, below the target's device, of what has to be set; else none.
    pub set_path: Text,
    /// The value to set there, or none.
    pub set_value: Text,
}

// SAFETY: `repr(C)`, beginning with `size`.
unsafe impl Versioned for Reason {
    const FIRST: usize = size_of::<Self>();
}

/// Holds a source's profile against a target, by the vendor's rules and the target's. `now` is the time in seconds since
/// 1970-01-01T00:00:00Z, for assertions that end; 0 where it is not known: then those do not count.
///
/// It says what goes from this source into this target, nothing of the way back. `verdict` receives a handle to be freed
/// with `transire_verdict_free`, or NULL. That the two do not go together is no failure of the call.
///
/// Codes: `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_check(
    source: *const Profile,
    target: *const Target,
    now: u64,
    verdict: *mut *mut Verdict,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let place = unsafe { Place::at(verdict) }?;
        place.write(std::ptr::null_mut());
        // SAFETY: as above.
        let (source, target) = unsafe { (shared(source)?, shared(target)?) };
        room(CHECK_ROOM)?;
        let mut verdict = verdict::Verdict::new();
        judge(&*source.0, &target.0, time(now), &mut verdict);
        let judged = Judged::Pair { source: source.0.clone(), target: target.0.clone(), verdict };
        give(&place, Box::new(Verdict(judged)));
        Ok(())
    })
}

/// The outcome: the worst of the reasons'. `TRANSIRE_UNKNOWN` for NULL. Allocates nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_verdict_outcome(verdict: *const Verdict) -> Outcome {
    // SAFETY: the pointer is as the caller promises.
    unsafe { shared(verdict) }.map_or(TRANSIRE_UNKNOWN, |verdict| code(verdict.verdict().outcome()))
}

/// How many reasons can be asked for; notes count. 0 for NULL. Allocates nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_verdict_count(verdict: *const Verdict) -> usize {
    // SAFETY: the pointer is as the caller promises.
    unsafe { shared(verdict) }.map_or(0, |verdict| verdict.verdict().reasons().len())
}

/// How many reasons were counted but not kept: of more than 16 notes of one kind, or 256 reasons. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_verdict_dropped(verdict: *const Verdict) -> u64 {
    // SAFETY: the pointer is as the caller promises.
    unsafe { shared(verdict) }.map_or(0, |verdict| verdict.verdict().dropped())
}

/// One reason, the worst first: `index` counts from 0 to below `transire_verdict_count`.
///
/// Its texts are written to `buffer`, each with a NUL behind it; where `capacity` bytes do not hold them all, they are
/// none, the rest of `reason` is filled in, and `needed` says how many do. 4 KiB are enough for most; with a `capacity`
/// of 0, `buffer` may be NULL. Words are made when they are asked for: the call allocates, and frees, memory.
///
/// Codes: `TRANSIRE_BUFFER_TOO_SMALL`, `TRANSIRE_NOT_FOUND`, `TRANSIRE_INVALID_ARGUMENT`, `TRANSIRE_NO_MEMORY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_verdict_reason(
    verdict: *const Verdict,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
    reason: *mut Reason,
) -> Status {
    guarded(|| {
        // SAFETY: the pointers are as the caller promises.
        let (verdict, mut shelf, _) = unsafe { (shared(verdict)?, Shelf::new(buffer, capacity)?, size_at(reason)?) };
        room(WORDS_ROOM)?;
        let found = *in_order(verdict.verdict()).get(index).ok_or(TRANSIRE_NOT_FOUND)?;
        let words = verdict.report(found);
        let span = found.span;
        let (set_path, set_value) = words.set.as_ref().map_or((None, None), |(path, value)| (Some(path), Some(value)));
        let mut put = |text: Option<&String>| shelf.put(text.map(String::as_str));
        let mut told = Reason {
            size: size_of::<Reason>(),
            needed: 0,
            outcome: code(found.id.outcome()),
            attribute_number: found.attribute.number(),
            has_offset: span.is_some(),
            in_payload: span.is_some_and(|span| span.in_payload),
            offset: span.map_or(0, |span| span.offset),
            length: span.map_or(0, |span| span.length),
            reserved: 0,
            id: put(Some(&words.id)),
            attribute: put(words.attribute.as_ref()),
            found: put(words.found.as_ref()),
            required: put(words.required.as_ref()),
            text: put(Some(&words.text)),
            ground: put(words.ground.as_ref()),
            set_path: put(set_path),
            set_value: put(set_value),
            remedy: Text::NONE,
        };
        told.remedy = shelf.put(Some(words.remedy));
        told.needed = shelf.used();
        if !shelf.fits() {
            for text in [
                &mut told.id,
                &mut told.attribute,
                &mut told.found,
                &mut told.required,
                &mut told.text,
                &mut told.remedy,
                &mut told.ground,
                &mut told.set_path,
                &mut told.set_value,
            ] {
                *text = Text::NONE;
            }
        }
        // SAFETY: as above.
        unsafe { write_sized(reason, &told) }?;
        if shelf.fits() { Ok(()) } else { Err(TRANSIRE_BUFFER_TOO_SMALL) }
    })
}

/// Frees a verdict of `transire_check`; that of a gate or a sealing is freed with it. NULL is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn transire_verdict_free(verdict: *mut Verdict) {
    // SAFETY: the caller gives the handle back.
    unsafe { take(verdict) }
}

/// The name of an outcome, such as `incompatible`; `no outcome` for any other number. NUL-terminated, static.
#[unsafe(no_mangle)]
pub extern "C" fn transire_outcome_name(outcome: Outcome) -> *const c_char {
    name(outcome).as_ptr()
}

/// The name of an outcome, by its code.
pub(crate) const fn name(outcome: Outcome) -> &'static CStr {
    match outcome {
        TRANSIRE_COMPATIBLE => c"compatible",
        TRANSIRE_FIXABLE => c"fixable",
        TRANSIRE_UNKNOWN => c"unknown",
        TRANSIRE_TRUNCATED => c"truncated",
        TRANSIRE_INCOMPATIBLE => c"incompatible",
        TRANSIRE_CORRUPT => c"corrupt",
        TRANSIRE_UNRECOGNIZED => c"unrecognized",
        _ => c"no outcome",
    }
}

/// The code of an outcome.
pub(crate) fn code(outcome: verdict::Outcome) -> Outcome {
    i32::from(outcome.exit_code())
}

/// The time, as the core takes it.
pub(crate) const fn time(now: u64) -> Option<u64> {
    if now == 0 { None } else { Some(now) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use transire_core::verdict::Outcome;

    #[test]
    fn codes_and_names_are_those_of_the_core() {
        for outcome in Outcome::ALL {
            assert_eq!(name(code(outcome)).to_str(), Ok(outcome.name()));
        }
        assert_eq!(name(2), c"no outcome");
    }
}
