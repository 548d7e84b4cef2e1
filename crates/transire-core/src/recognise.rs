//! `recognise`: which format is this? Looks at a bounded prefix and nothing else.

use crate::bytes::{index, widen};
use crate::format::{Format, Likeness, Registry};
use crate::sealed;
use crate::target::Target;
use crate::verdict::{Datum, Reason, reasons};

/// Most bytes that are looked at to tell formats apart.
pub const PREFIX_MAX: u32 = 64;

/// What the first bytes are.
#[derive(Clone, Copy, Debug)]
pub enum Recognised {
    /// A prologue: a sealed stream or a profile.
    Sealed,
    /// A native stream.
    Native(&'static Format),
    /// So many bytes are needed to tell.
    Need(usize),
    /// Nothing that can be read.
    Refused(Reason),
}

/// Tells what the first bytes are. Where several formats are possible, the target's vendor decides.
///
/// A format that is certain is taken, whatever the target; that it is another vendor's is for the judge to say. `eof`
/// when nothing follows the prefix.
pub fn recognise(registry: Registry, vendor: Option<&str>, prefix: &[u8], eof: bool) -> Recognised {
    let prefix = prefix.get(..index(PREFIX_MAX)).unwrap_or(prefix);
    let mut short = false;
    match sealed::likeness(prefix) {
        Likeness::Certain => return Recognised::Sealed,
        Likeness::Short => short = true,
        Likeness::Possible(_) | Likeness::No => {}
    }
    let mut possible = None;
    let mut several = false;
    for format in registry.formats() {
        match (format.likeness)(prefix, eof) {
            Likeness::Certain => return Recognised::Native(format),
            Likeness::Short => short = true,
            Likeness::Possible(_) if vendor.is_none_or(|vendor| vendor == format.vendor) => {
                several |= possible.is_some();
                possible = Some(format);
            }
            Likeness::Possible(_) | Likeness::No => {}
        }
    }
    match (short, possible, several) {
        (true, _, _) if !eof && prefix.len() < index(PREFIX_MAX) => Recognised::Need(prefix.len() + 1),
        (_, Some(format), false) => Recognised::Native(format),
        (_, Some(_), true) => Recognised::Refused(Reason::at(reasons::FORMAT_AMBIGUOUS, 0)),
        (true, None, _) => {
            let end = widen(prefix.len());
            Recognised::Refused(Reason::at(reasons::MAGIC_TRUNCATED, end).because(Datum::Count(end), Datum::None))
        }
        (false, None, _) => Recognised::Refused(Reason::at(reasons::MAGIC_UNRECOGNIZED, 0)),
    }
}

/// Why a stream of this format is not the target's, where it is another vendor's.
pub(crate) fn of_another_vendor(format: &Format, target: &Target) -> Option<Reason> {
    let (found, required) = (Datum::Word(format.vendor), Datum::Word(target.vendor()));
    (format.vendor != target.vendor()).then(|| Reason::at(reasons::FORMAT_NOT_TARGETS, 0).because(found, required))
}
