//! `recognise`: which format is this? Looks at a bounded prefix and nothing else.

use crate::bytes::{index, widen};
use crate::format::{Choices, Format, KnownBy, Likeness, Registry, Role};
use crate::magic::{First, Magic};
use crate::sealed;
use crate::target::Target;
use crate::verdict::{Datum, Reason, reasons};

/// Most bytes that are looked at to tell formats apart.
pub const PREFIX_MAX: u32 = 64;

/// What the first bytes are.
#[derive(Clone, Copy, Debug)]
pub enum Recognised {
    /// A prologue: a sealed stream, a profile or an answer.
    Sealed,
    /// A native stream.
    Native(&'static Format),
    /// So many bytes are needed to tell.
    Need(usize),
    /// Several formats fit: see [`candidates`].
    Ambiguous,
    /// Nothing that can be read.
    Refused(Reason),
}

/// Tells what the first bytes are. Where several formats are possible, the target's vendor decides.
///
/// A format that is certain is taken, whatever the target; that it is another vendor's is for the judge to say. One of
/// which the bytes say nothing is taken for its own vendor's target only. `eof` when nothing follows the prefix.
pub fn recognise(registry: Registry, vendor: Option<&str>, prefix: &[u8], eof: bool) -> Recognised {
    let prefix = bounded(prefix);
    let mut short = false;
    match sealed::likeness(prefix) {
        Likeness::Certain => return Recognised::Sealed,
        Likeness::Short => short = true,
        Likeness::Possible(_) | Likeness::Opaque | Likeness::No => {}
    }
    let first = First::of(prefix);
    // What speaks for something, and what speaks for nothing; see `candidates`, which tells the same at leisure.
    let (mut possible, mut opaque) = (Few::None, Few::None);
    let is_whole = prefix.len() == index(PREFIX_MAX);
    for format in registry.0.iter().flat_map(|vendor| vendor.formats) {
        let likeness = match format.known_by {
            KnownBy::Magic(magics) => Magic::likeness_of(magics, first),
            KnownBy::Fit(_) if is_whole && !is_own(format, vendor) => continue,
            KnownBy::Distinct(look) | KnownBy::Fit(look) => look(prefix, eof),
        };
        match likeness {
            Likeness::Certain if format.role == Role::Source => return Recognised::Native(format),
            Likeness::Certain => return Recognised::Refused(Reason::at(reasons::FORMAT_DESCRIBES_TARGET, 0)),
            Likeness::Short => short = true,
            Likeness::Possible(_) if is_own(format, vendor) => possible.add(format),
            Likeness::Opaque if vendor.is_some() && is_own(format, vendor) => opaque.add(format),
            Likeness::Possible(_) | Likeness::Opaque | Likeness::No => {}
        }
    }
    if short && !eof && prefix.len() < index(PREFIX_MAX) {
        return Recognised::Need(prefix.len() + 1);
    }
    match if matches!(possible, Few::None) { opaque } else { possible } {
        Few::One(format) => Recognised::Native(format),
        Few::Several => Recognised::Ambiguous,
        Few::None if short => {
            let end = widen(prefix.len());
            Recognised::Refused(Reason::at(reasons::MAGIC_TRUNCATED, end).because(Datum::Count(end), Datum::None))
        }
        Few::None => Recognised::Refused(Reason::at(reasons::MAGIC_UNRECOGNIZED, 0)),
    }
}

/// How many formats fit: one is named.
#[derive(Clone, Copy)]
enum Few {
    None,
    One(&'static Format),
    Several,
}

impl Few {
    const fn add(&mut self, format: &'static Format) {
        *self = match self {
            Self::None => Self::One(format),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// Whether a stream for a target of this vendor can be in the format; any can, where there is no target.
fn is_own(format: &Format, vendor: Option<&str>) -> bool {
    format.role == Role::Source && vendor.is_none_or(|vendor| vendor == format.vendor)
}

/// The formats that are possible where none is certain, with what speaks for each: the target vendor's where there is a
/// target. What speaks for nothing yields to what speaks for something.
pub fn candidates<'a>(
    registry: Registry,
    vendor: Option<&'a str>,
    prefix: &'a [u8],
    eof: bool,
) -> impl Iterator<Item = (&'static Format, &'static str)> + 'a {
    let prefix = bounded(prefix);
    let own = move |format: &&'static Format| is_own(format, vendor);
    let speaks = move |format: &'static Format| match format.likeness(prefix, eof) {
        Likeness::Possible(evidence) => Some((format, evidence)),
        _ => None,
    };
    let opaque = move |format: &&'static Format| format.likeness(prefix, eof) == Likeness::Opaque;
    let possible = registry.formats().filter(own).filter_map(speaks);
    let silent = vendor.is_some() && registry.formats().filter(own).find_map(speaks).is_none();
    let rest = registry.formats().filter(own).filter(move |format| silent && opaque(format));
    possible.chain(rest.map(|format| (format, "the target is of its vendor")))
}

/// Tells of several formats that fit: that they do, and which they are.
pub(crate) fn tell_candidates(
    registry: Registry,
    vendor: Option<&str>,
    (prefix, eof): (&[u8], bool),
    tell: &mut dyn FnMut(Reason),
) {
    tell(Reason::at(reasons::FORMAT_AMBIGUOUS, 0));
    for (format, evidence) in candidates(registry, vendor, prefix, eof) {
        let (found, required) = (Datum::Word(format.name), Datum::Word(evidence));
        tell(Reason::at(reasons::FORMAT_CANDIDATE, 0).because(found, required));
    }
}

fn bounded(prefix: &[u8]) -> &[u8] {
    prefix.get(..index(PREFIX_MAX)).unwrap_or(prefix)
}

/// Why an answer is no stream: where a source is judged, content 3 is out of place.
pub(crate) fn answer_is_no_source() -> Reason {
    let (found, required) = (Datum::Word("an answer"), Datum::Word("a stream or a profile"));
    Reason::at(reasons::FORMAT_DESCRIBES_TARGET, 20).spanning(20, 1).because(found, required)
}

/// Why a stream of this format is not the target's, where it is another vendor's.
pub(crate) fn of_another_vendor(format: &Format, target: &Target) -> Option<Reason> {
    let (found, required) = (Datum::Word(format.vendor), Datum::Word(target.vendor()));
    (format.vendor != target.vendor()).then(|| Reason::at(reasons::FORMAT_NOT_TARGETS, 0).because(found, required))
}

/// Why bytes of this format are no stream: they are what a target says of itself. A caller who names the format can look at
/// them, and hears of their faults first.
pub(crate) fn describes_target(format: &Format) -> Option<Reason> {
    (format.role == Role::Target).then(|| Reason::at(reasons::FORMAT_DESCRIBES_TARGET, 0))
}

/// What a target settles of a format's options, where it is of the format's vendor.
pub(crate) fn settled_by(format: &Format, target: &Target) -> Choices {
    if format.vendor == target.vendor() { (format.settled_by)(target.profile()) } else { Choices::NONE }
}
