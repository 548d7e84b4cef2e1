//! What virtual machine monitors write: files and connections that hold device streams among other things.
//!
//! A container emits (device, bytes) and knows no vendor. [`qemu`] is the migration stream of QEMU in all the shapes in
//! which it is written; [`libvirt`] is the header that libvirt puts before one.

pub mod libvirt;
pub mod qemu;

use crate::format::Likeness;
use crate::verdict::ReasonId;

/// The kinds of reasons that only containers give.
pub static CATALOGUES: &[&[ReasonId]] = &[qemu::reasons::CATALOGUE, libvirt::reasons::CATALOGUE];
/// Bytes from the start that tell what container it is.
pub const PREFIX_MAX: usize = libvirt::MAGIC.len();

/// A container, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// A main channel of QEMU.
    Qemu,
    /// A further channel of QEMU (multifd).
    Channel,
    /// libvirt's header before a main channel of QEMU.
    Libvirt,
    /// What a destination of QEMU sends back. It has no magic: only the user can say.
    ReturnPath,
}

impl Container {
    /// The name, as users type it and every language says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Channel => "qemu-channel",
            Self::Libvirt => "libvirt",
            Self::ReturnPath => "qemu-return-path",
        }
    }

    /// What the first bytes are, where they are a container's. The likeness is certain, short or none.
    pub fn recognise(prefix: &[u8]) -> (Likeness, Self) {
        let all = [
            (qemu::likeness(prefix), Self::Qemu),
            (qemu::multifd_likeness(prefix), Self::Channel),
            (libvirt::likeness(prefix), Self::Libvirt),
        ];
        let of = |likeness| all.into_iter().find(|(found, _)| *found == likeness);
        of(Likeness::Certain).or(of(Likeness::Short)).unwrap_or((Likeness::No, Self::Qemu))
    }
}
