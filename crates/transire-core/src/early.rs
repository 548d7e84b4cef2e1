//! The verdict from the first bytes of a stream: recognise, read, judge, without a gate and without allocating.

use crate::attribute::Attributes;
use crate::bytes::widen;
use crate::format::{Choices, Format, Identified, Registry};
use crate::judge::{judge, judge_seal};
use crate::profile::Header;
use crate::prologue::Content;
use crate::recognise::{
    Recognised, answer_is_no_source, describes_target, of_another_vendor, recognise, settled_by, tell_candidates,
};
use crate::sealed::{self, Digest};
use crate::target::Target;
use crate::verdict::Verdict;

/// What the first bytes came to.
#[derive(Clone, Copy, Debug)]
pub enum Early {
    /// A source profile was read, and judged where there is a target.
    Judged {
        /// The native format; `None` for a sealed stream or a profile.
        format: Option<&'static Format>,
        /// Bytes that it took.
        within: u32,
    },
    /// So many bytes are needed.
    Need(u32),
    /// The verdict has the reason why no source profile could be read.
    Refused,
}

/// Reads the source profile from the first bytes, shows it, and holds it against the target. `eof` when nothing follows
/// the prefix; `now` as for [`judge`].
///
/// Of a sealed stream this judges what its header says; what its payload says comes later, at a gate.
pub fn judge_first(
    registry: Registry,
    target: Option<&Target>,
    forced: Option<(&'static Format, Choices)>,
    (prefix, eof): (&[u8], bool),
    now: Option<u64>,
    verdict: &mut Verdict,
    show: &mut dyn FnMut(&dyn Attributes),
) -> Early {
    let vendor = target.map(Target::vendor);
    let recognised = match forced {
        Some((format, _)) => Recognised::Native(format),
        None => recognise(registry, vendor, prefix, eof),
    };
    // Notes of a header, too, belong to the verdict; they are told before it is judged.
    let mut judged = Verdict::new();
    let mut notes = Verdict::new();
    let mut is_answer = false;
    let (identified, format) = match recognised {
        Recognised::Need(need) => return Early::Need(u32::try_from(need).unwrap_or(u32::MAX)),
        Recognised::Ambiguous => {
            tell_candidates(registry, vendor, (prefix, eof), &mut |reason| verdict.push(reason));
            return Early::Refused;
        }
        Recognised::Refused(reason) => {
            verdict.push(reason);
            return Early::Refused;
        }
        Recognised::Sealed => {
            let mut see = |header: &Header<'_>, content| {
                is_answer = content == Content::Answer;
                if is_answer {
                    return;
                }
                if let Some(target) = target {
                    if content == Content::Sealed {
                        judge_seal(sealed::digest_of(header).map(Digest::code), target, &mut judged);
                    }
                    judge(header, target, now, &mut judged);
                }
                show(header);
            };
            (sealed::identify(prefix, eof, registry, &mut notes, &mut see), None)
        }
        Recognised::Native(format) => {
            let mut see = |source: &dyn Attributes| {
                // Nothing else is said of a native stream: its reasons need not wait.
                if let Some(target) = target.filter(|_| describes_target(format).is_none()) {
                    judge_seal(None, target, verdict);
                    judge_native(format, source, target, now, verdict);
                }
                show(source);
            };
            let chosen = forced.map_or(Choices::NONE, |(_, choices)| choices);
            let settled = target.map_or(Choices::NONE, |target| settled_by(format, target));
            ((format.identify)(prefix, eof, chosen.or(settled), &mut see), Some(format))
        }
    };
    match identified {
        Identified::Need(need) => Early::Need(need),
        Identified::Refused(reason) => {
            verdict.push(reason);
            Early::Refused
        }
        Identified::Shown(_) if is_answer => {
            verdict.push(answer_is_no_source());
            Early::Refused
        }
        Identified::Shown(within) => {
            if let Some(reason) = format.and_then(describes_target) {
                verdict.push(reason);
                return Early::Refused;
            }
            for reason in notes.reasons().iter().chain(judged.reasons()) {
                verdict.push(*reason);
            }
            verdict.count_dropped(notes.dropped().saturating_add(judged.dropped()));
            Early::Judged { format, within: within.min(u32::try_from(widen(prefix.len())).unwrap_or(u32::MAX)) }
        }
    }
}

fn judge_native(
    format: &'static Format,
    source: &dyn Attributes,
    target: &Target,
    now: Option<u64>,
    verdict: &mut Verdict,
) {
    match of_another_vendor(format, target) {
        None => judge(source, target, now, verdict),
        Some(reason) => verdict.push(reason),
    }
}
