//! The PCI configuration space that QEMU saves with a VFIO device, and what is compared of it on load.
//!
//! Facts: QEMU `hw/pci/pci.c` and `hw/vfio/pci.c`; field and capability names are those of the PCI specifications. Numbers
//! in the space are little-endian, as in hardware.

use crate::bytes::little_endian;

/// Bytes of the space of a PCI Express device.
pub const EXPRESS_SIZE: usize = 4096;
/// Bytes of the space of a conventional device.
pub const CONVENTIONAL_SIZE: usize = 256;
/// Where the chain of capabilities may begin: behind the header.
const HEADER_SIZE: u8 = 64;
/// The chain cannot have more members than fit behind the header, four bytes each.
const CAPABILITIES_MAX: usize = 48;
/// Capability id of MSI-X.
const MSIX: u8 = 0x11;
/// Capability id of what a vendor defines.
pub const VENDOR_SPECIFIC: u8 = 0x09;

/// A configuration space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigSpace<'a>(pub &'a [u8]);

/// A member of the chain of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its id.
    pub id: u8,
    /// Offset of its first byte in the space.
    pub offset: u8,
}

/// What a byte of the space belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A field of the header, by name.
    Header(&'static str),
    /// So many bytes behind the first byte of a capability.
    Capability(Capability, u8),
    /// The extended space of PCI Express.
    Extended,
    /// Between capabilities, or of none.
    Unnamed,
}

/// A byte in which two spaces differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Offset of the byte.
    pub offset: u16,
    /// What it belongs to.
    pub place: Place,
    /// What the stream has.
    pub found: u8,
    /// What the target has.
    pub required: u8,
    /// Whether QEMU compares this byte.
    pub compared: bool,
}

/// The header of a device: first byte and name of each field.
const HEADER: &[(u8, &str)] = &[
    (0x00, "vendor id"),
    (0x02, "device id"),
    (0x04, "command"),
    (0x06, "status"),
    (0x08, "revision id"),
    (0x09, "class code"),
    (0x0c, "cache line size"),
    (0x0d, "latency timer"),
    (0x0e, "header type"),
    (0x0f, "self-test"),
    (0x10, "base address 0"),
    (0x14, "base address 1"),
    (0x18, "base address 2"),
    (0x1c, "base address 3"),
    (0x20, "base address 4"),
    (0x24, "base address 5"),
    (0x28, "CardBus pointer"),
    (0x2c, "subsystem vendor id"),
    (0x2e, "subsystem id"),
    (0x30, "expansion ROM"),
    (0x34, "capabilities pointer"),
    (0x35, "reserved"),
    (0x3c, "interrupt line"),
    (0x3d, "interrupt pin"),
    (0x3e, "minimum grant"),
    (0x3f, "maximum latency"),
];

/// Names of capability ids.
const CAPABILITIES: &[(u8, &str)] = &[
    (0x01, "power management"),
    (0x02, "AGP"),
    (0x03, "vital product data"),
    (0x04, "slot identification"),
    (0x05, "MSI"),
    (0x07, "PCI-X"),
    (0x08, "HyperTransport"),
    (0x09, "vendor-specific"),
    (0x0d, "bridge subsystem id"),
    (0x10, "PCI Express"),
    (0x11, "MSI-X"),
    (0x12, "SATA"),
    (0x13, "advanced features"),
    (0x14, "enhanced allocation"),
];

impl Capability {
    /// The name of its kind.
    pub fn name(self) -> &'static str {
        CAPABILITIES.iter().find(|(id, _)| *id == self.id).map_or("unnamed", |(_, name)| name)
    }
}

impl<'a> ConfigSpace<'a> {
    fn byte(self, offset: u8) -> u8 {
        self.0.get(usize::from(offset)).copied().unwrap_or(0)
    }

    fn word(self, offset: u8) -> u16 {
        u16::from_le_bytes([self.byte(offset), self.byte(offset.saturating_add(1))])
    }

    /// The vendor's number.
    pub fn vendor(self) -> u16 {
        self.word(0)
    }

    /// The device's number.
    pub fn device(self) -> u16 {
        self.word(2)
    }

    /// The class code: class, subclass, interface.
    pub fn class(self) -> u32 {
        u32::try_from(little_endian(self.0.get(9..12).unwrap_or(&[]))).unwrap_or(0)
    }

    /// The numbers of the subsystem: vendor, device.
    pub fn subsystem(self) -> (u16, u16) {
        (self.word(0x2c), self.word(0x2e))
    }

    /// The chain of capabilities, as far as it is one: it ends at a pointer into the header or at its length limit.
    pub fn capabilities(self) -> impl Iterator<Item = Capability> + use<'a> {
        let chained = self.word(0x06) & 0x10 != 0;
        let mut next = if chained { self.byte(0x34) & !3 } else { 0 };
        let follow = move || {
            let offset = next;
            (offset >= HEADER_SIZE).then(|| {
                next = self.byte(offset.saturating_add(1)) & !3;
                Capability { id: self.byte(offset), offset }
            })
        };
        core::iter::from_fn(follow).take(CAPABILITIES_MAX)
    }

    /// Vectors of the MSI-X table, where the chain has that capability.
    pub fn msix_vectors(self) -> Option<u16> {
        let capability = self.capabilities().find(|capability| capability.id == MSIX)?;
        Some((self.word(capability.offset.saturating_add(2)) & 0x7ff).saturating_add(1))
    }

    /// What the byte at `offset` belongs to.
    pub fn place(self, offset: u16) -> Place {
        let Ok(offset) = u8::try_from(offset) else { return Place::Extended };
        if offset < HEADER_SIZE {
            let field = HEADER.iter().rev().find(|(start, _)| *start <= offset);
            return field.map_or(Place::Unnamed, |(_, name)| Place::Header(name));
        }
        let owner = self.capabilities().filter(|capability| capability.offset <= offset);
        owner.max_by_key(|capability| capability.offset).map_or(Place::Unnamed, |capability| {
            Place::Capability(capability, offset.saturating_sub(capability.offset))
        })
    }

    /// The bytes in which this space, from a stream, differs from a target's. `skip_vendor_specific` says whether the
    /// target's QEMU leaves vendor-specific capabilities out of the comparison (`skip-vsc-check`, see
    /// [`skips_vendor_specific`]).
    ///
    /// Whether QEMU compares a byte is exact for the header. In capabilities it is what a register that the guest cannot
    /// write comes to; the masks of writable bits there are the device's own and in no stream, so a difference in the
    /// writable bits of a capability is taken for one that is compared.
    pub fn differences(
        self,
        target: ConfigSpace<'a>,
        skip_vendor_specific: bool,
    ) -> impl Iterator<Item = Difference> + use<'a> {
        let pairs = self.0.iter().zip(target.0);
        let offsets = 0..=u16::MAX;
        offsets.zip(pairs).filter(|(_, (found, required))| found != required).map(
            move |(offset, (&found, &required))| {
                let place = target.place(offset);
                let compared = (found ^ required) & compared(offset, place, skip_vendor_specific) != 0;
                Difference { offset, place, found, required, compared }
            },
        )
    }
}

/// The bits of a byte that QEMU compares (`hw/pci/pci.c`, the mask that a new device begins with, and capabilities whole).
fn compared(offset: u16, place: Place, skip_vendor_specific: bool) -> u8 {
    match place {
        // Of the status only whether there is a chain of capabilities.
        Place::Header("status") if offset == 0x06 => 0x10,
        Place::Capability(Capability { id: VENDOR_SPECIFIC, .. }, at) if at >= 3 && skip_vendor_specific => 0,
        Place::Capability(..)
        | Place::Header(
            "vendor id" | "device id" | "revision id" | "class code" | "header type" | "capabilities pointer",
        ) => 0xff,
        _ => 0,
    }
}

/// Whether a machine type leaves vendor-specific capabilities out of the comparison: `skip-vsc-check` is on by default
/// since 9.1 and off for machine types of 9.0 and older (`hw/core/machine.c`). `None` where the name has no version.
pub fn skips_vendor_specific(machine: &[u8]) -> Option<bool> {
    let version = machine.rsplit(|&byte| byte == b'-').next()?;
    let mut numbers = version.split(|&byte| byte == b'.').map(|digits| core::str::from_utf8(digits).ok()?.parse().ok());
    let major: u32 = numbers.next()??;
    let minor: u32 = numbers.next()??;
    Some((major, minor) > (9, 0))
}
