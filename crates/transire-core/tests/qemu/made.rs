//! Migration streams made by hand, for shapes that were not captured.
#![allow(dead_code)] // Each test takes its part.

/// Tags of VFIO records.
pub(crate) const END: u64 = 0xffff_ffff_ef10_0001;
pub(crate) const CONFIG: u64 = 0xffff_ffff_ef10_0002;
pub(crate) const SETUP: u64 = 0xffff_ffff_ef10_0003;
pub(crate) const DATA: u64 = 0xffff_ffff_ef10_0004;
pub(crate) const SENT: u64 = 0xffff_ffff_ef10_0005;
pub(crate) const LOAD_READY: u64 = 0xffff_ffff_ef10_0006;

pub(crate) const VFIO: &str = "0000:00:04.0/vfio";

/// A stream that is being made.
#[derive(Clone, Default)]
pub(crate) struct Made(pub(crate) Vec<u8>);

impl Made {
    /// Magic, version, and a configuration section with these parts.
    pub(crate) fn new(parts: &[(&str, Vec<u8>)]) -> Self {
        let made = Self::default().bytes(b"QEVM").u32(3).u8(7).u32(8).bytes(b"pc-q35-9");
        parts.iter().fold(made, |made, (name, body)| made.u8(5).text(name).u32(1).bytes(body))
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(self, number: u8) -> Self {
        self.bytes(&[number])
    }

    pub(crate) fn u16(self, number: u16) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.u8(u8::try_from(text.len()).unwrap()).bytes(text.as_bytes())
    }

    /// The head of a START or FULL section.
    pub(crate) fn head(self, kind: u8, id: u32, name: &str, version: u32) -> Self {
        self.u8(kind).u32(id).text(name).u32(0).u32(version)
    }

    pub(crate) fn footer(self, id: u32) -> Self {
        self.u8(0x7e).u32(id)
    }

    pub(crate) fn command(self, number: u16, data: &[u8]) -> Self {
        self.u8(8).u16(number).u16(u16::try_from(data.len()).unwrap()).bytes(data)
    }

    /// The START section of RAM with one block of so many pages of 4 KiB.
    pub(crate) fn ram(self, pages: u64) -> Self {
        let bytes = pages * 4096;
        self.head(1, 1, "ram", 4).u64(bytes | 4).text("pc.ram").u64(bytes).u64(0x10).footer(1)
    }

    /// The END section of RAM.
    pub(crate) fn ram_end(self) -> Self {
        self.u8(3).u32(1).u64(0x10).footer(1)
    }

    /// A section of the VFIO device, of id 2, with these records and the end.
    pub(crate) fn vfio(self, kind: u8, records: &[u8]) -> Self {
        let head = if kind == 1 || kind == 4 { self.head(kind, 2, VFIO, 1) } else { self.u8(kind).u32(2) };
        head.bytes(records).u64(END).footer(2)
    }

    /// Setup, data of 24 bytes in pre-copy and 36 behind it, and the configuration, as an unaltered stream has them.
    pub(crate) fn device(self) -> Self {
        self.vfio(1, &setup()).vfio(2, &data(&[1; 24])).ram_end().vfio(3, &data(&[2; 36])).vfio(4, &config(256, 0))
    }

    /// The byte that ends the sections.
    pub(crate) fn end(self) -> Self {
        self.u8(0)
    }
}

pub(crate) fn setup() -> Vec<u8> {
    Made::default().u64(SETUP).0
}

pub(crate) fn data(bytes: &[u8]) -> Vec<u8> {
    Made::default().u64(DATA).u64(bytes.len() as u64).bytes(bytes).0
}

/// A configuration space with a chain of capabilities: vendor-specific, and MSI-X with so many vectors.
pub(crate) fn space(size: usize, vectors: u16) -> Vec<u8> {
    let mut space = vec![0; size];
    space[..4].copy_from_slice(&[0x86, 0x80, 0x41, 0x49]);
    space[6] = 0x10;
    space[0x34] = 0x40;
    space[0x40..0x46].copy_from_slice(&[0x09, 0x50, 6, 0xaa, 0xbb, 0xcc]);
    if vectors > 0 {
        space[0x50] = 0x11;
        space[0x52..0x54].copy_from_slice(&(vectors - 1).to_le_bytes());
    } else {
        space[0x41] = 0;
    }
    space
}

/// A configuration record, without the end tag.
pub(crate) fn config(size: usize, vectors: u16) -> Vec<u8> {
    let made = Made::default().u64(CONFIG).u32(2).bytes(&space(size, vectors)).bytes(&[0; 16]);
    let vectors = usize::from(vectors);
    made.bytes(&vec![0x5a; vectors * 16 + vectors.div_ceil(8)]).0
}

/// The first message of a multifd channel.
pub(crate) fn channel() -> Made {
    Made::default().u32(0x1122_3344).u32(1).bytes(&[0; 16]).u8(0).bytes(&[0; 39])
}

impl Made {
    /// A packet of device state.
    pub(crate) fn packet(self, index: u32, flags: u32, data: &[u8]) -> Self {
        let mut name = [0; 256];
        name[..VFIO.len()].copy_from_slice(VFIO.as_bytes());
        let head = self.u32(0x1122_3344).u32(1).u32(0x40).bytes(&name).u32(0);
        let length = u32::try_from(data.len()).unwrap() + 12;
        head.u32(length).u32(0).u32(index).u32(flags).bytes(data)
    }
}
