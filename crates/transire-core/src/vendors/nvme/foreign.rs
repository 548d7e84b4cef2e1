//! Two layouts that are recognised, named and refused: nothing that can be had loads them.
//!
//! **SPDK**: the image of the vfio-user target until September 2025 (removed with 6368bf4fc8), 45,056 bytes: it belongs to
//! the first VFIO migration protocol, and its offsets and lengths went into copies without a bound. **The blob**: the
//! RFC "nvme-vfio" of December 2022 (Intel IPU, 8086:1457) carries up to 256 KiB that only the device can read.

use alloc::boxed::Box;

use super::queues::reasons;
use super::{rfc, state};
use crate::attribute::Attributes;
use crate::format::{
    Event, Format, Glance, Hold, Identified, KnownBy, Likeness, Proves, Reader, Role, Share, Step, settles_nothing,
};
use crate::magic::Magic;
use crate::recognise::PREFIX_MAX;
use crate::verdict::{Reason, ReasonId};

/// First four bytes of SPDK's image, as a little-endian number.
pub const SPDK_MAGIC: u32 = 0xafed_bc23;
/// Bytes of SPDK's image.
pub const SPDK_LEN: u32 = 45_056;

/// SPDK's image.
pub static SPDK: Format = Format {
    name: "nvme-spdk",
    title: "image of SPDK's vfio-user target until September 2025, refused",
    known_by: KnownBy::Magic(&[Magic::new(&SPDK_MAGIC.to_le_bytes())]),
    identify: |_, _, _, _| Identified::Refused(refusal(reasons::SPDK)),
    reader: |_| Box::new(Refusing(reasons::SPDK)),
    proves: Proves {
        glance: Glance { identity: "magic", driver_checks: Share::All, ..NOTHING.glance },
        identity: "its magic",
        driver_checks: "the magic and the length; offsets and lengths inside were used unchecked",
        end: "not marked; 45056 bytes",
        ..NOTHING
    },
    ..REFUSED
};

/// The blob of 2022.
pub static BLOB: Format = Format {
    name: "nvme-ipu-2022",
    title: "blob of the Linux RFC nvme-vfio, December 2022, refused",
    known_by: KnownBy::Fit(blob_likeness),
    identify: |_, _, _, _| Identified::Refused(refusal(reasons::BLOB)),
    reader: |_| Box::new(Refusing(reasons::BLOB)),
    ..REFUSED
};

const NOTHING: Proves = Proves {
    glance: Glance {
        identity: "",
        driver_checks: Share::Nothing,
        end_marked: false,
        payload_protected: false,
        sealing_adds: false,
    },
    identity: "nothing",
    driver_checks: "the length only; the rest is the device's own matter",
    end: "not marked",
    payload: "nothing",
    sealing_adds: "nothing under this name; as opaque it can be sealed",
};

/// What the refused have in common.
const REFUSED: Format = Format {
    name: "",
    vendor: "nvme",
    title: "",
    role: Role::Source,
    known_by: KnownBy::Fit(|_, _| Likeness::No),
    judged_within: None,
    hold: Hold::Prefix(PREFIX_MAX),
    proves: NOTHING,
    options: &[],
    settled_by: settles_nothing,
    layouts: &[],
    identify: |_, _, _, _| Identified::Refused(refusal(reasons::BLOB)),
    reader: |_| Box::new(Refusing(reasons::BLOB)),
    driver: None,
};

/// What is left where no other layout fits.
fn blob_likeness(prefix: &[u8], eof: bool) -> Likeness {
    let alone = [&state::FORMAT, &rfc::FORMAT, &SPDK].iter().all(|other| other.likeness(prefix, eof) == Likeness::No);
    if alone { Likeness::Opaque } else { Likeness::No }
}

fn refusal(id: ReasonId) -> Reason {
    Reason::at(id, 0)
}

/// A reader of what is refused.
#[derive(Debug)]
struct Refusing(ReasonId);

impl Reader for Refusing {
    fn step<'a>(&mut self, _input: &'a [u8], _eof: bool) -> Step<'a> {
        Step::stay(Event::Finding(refusal(self.0)))
    }

    fn source(&self) -> Option<&dyn Attributes> {
        None
    }
}
