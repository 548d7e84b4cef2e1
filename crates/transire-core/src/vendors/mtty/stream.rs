//! The stream of mtty: a header of 24 bytes and a record of 36 for each port.
//!
//! Facts: Linux `samples/vfio-mdev/mtty.c`, `struct mtty_data` and `struct serial_port`, as gcc lays them out on x86-64;
//! little-endian, as the stream is the raw memory of these. 60 bytes for one port, 96 for two; nothing marks the end.
//! In pre-copy the driver gives the header, after that the ports.

use alloc::boxed::Box;

use super::{NR_PORTS, PORTS_MAX, STREAM_VERSION, VERSION_1_0, driver};
use crate::attribute::{AttributeId, Attributes, Text, VENDOR, Value};
use crate::bytes::{Reader as Bytes, index, widen};
use crate::format::{
    Choices, Driver, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, Proves, Role, Share,
    settles_nothing,
};
use crate::magic::Magic;
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};
use crate::whole::{self, Structure, Undecided, Whole, truncated};

/// First eight bytes, as a little-endian number (`MTTY_MAGIC`).
pub const MAGIC: u64 = 0x7e9d_0989_8c3e_2c4e;
/// Bytes of the header.
pub const HEADER_LEN: usize = 24;
/// Bytes of a port record.
pub const PORT_LEN: usize = 36;
/// Bytes of the longest stream: the header and two ports.
pub const STREAM_MAX: u32 = 96;
/// Bytes of a port's ring (`MAX_FIFO_SIZE`); its indexes are below this.
pub const FIFO_LEN: u8 = 16;

/// Bytes of a whole stream of so many ports.
pub const fn stream_len(ports: usize) -> usize {
    HEADER_LEN + ports * PORT_LEN
}

/// The format.
pub static FORMAT: Format = Format {
    name: "mtty",
    vendor: "mtty",
    title: "stream of the Linux sample driver mtty, version 1.0",
    role: Role::Source,
    known_by: KnownBy::Magic(&[Magic::new(&MAGIC.to_le_bytes())]),
    judged_within: Some(24),
    hold: Hold::Whole(STREAM_MAX),
    proves: Proves {
        glance: Glance {
            identity: "version, number of ports",
            driver_checks: Share::All,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "magic, version 1.0, number of ports",
        driver_checks: "all of these, once, without telling which failed",
        end: "not marked; the length follows from the number of ports",
        payload: "nothing",
        sealing_adds: "checksums, a marked end, the identity of host and device",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[&HEADER, &PORT],
    identify: whole::identify::<Stream>,
    reader: whole::reader::<Stream>,
    driver: Some(open_driver),
};

/// The header.
pub static HEADER: Layout = Layout {
    name: "header",
    fields: &[
        Field::new("magic", 0, FieldKind::Hex(8), "0x7e9d09898c3e2c4e"),
        Field::new("major_ver", 8, FieldKind::Number(4), "major version, 1"),
        Field::new("minor_ver", 12, FieldKind::Number(4), "minor version, 0"),
        Field::new("nr_ports", 16, FieldKind::Number(4), "ports of the card, 1 or 2"),
        Field::new("flags", 20, FieldKind::Hex(4), "features, 0"),
    ],
};

/// The record of a port.
pub static PORT: Layout = Layout {
    name: "port",
    fields: &[
        Field::new(
            "uart_reg",
            0,
            FieldKind::Bytes(8),
            "registers by index: RX/TX, IER, IIR/FCR, LCR, MCR, LSR, MSR, SCR",
        ),
        Field::new("fifo", 8, FieldKind::Bytes(16), "loop-back ring; bytes outside head and tail are old"),
        Field::new("head", 24, FieldKind::Number(1), "next index to write, 0 to 15"),
        Field::new("tail", 25, FieldKind::Number(1), "next index to read, 0 to 15"),
        Field::new("count", 26, FieldKind::Number(1), "bytes held, 0 to 16"),
        Field::new("dlab", 27, FieldKind::Number(1), "divisor latch access, 0 or 1"),
        Field::new("overrun", 28, FieldKind::Number(1), "a byte was lost, 0 or 1"),
        Field::new("padding", 29, FieldKind::Hex(1), "left by the compiler, 0"),
        Field::new("divisor", 30, FieldKind::Number(2), "baud rate divisor"),
        Field::new("fcr", 32, FieldKind::Hex(1), "FIFO control register"),
        Field::new("max_fifo_size", 33, FieldKind::Number(1), "16, or 1 with the FIFO off"),
        Field::new(
            "intr_trigger_level",
            34,
            FieldKind::Number(1),
            "bytes that raise an interrupt; 0 before the first FCR write",
        ),
        Field::new("trailing_padding", 35, FieldKind::Hex(1), "left by the compiler, 0"),
    ],
};

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        VERSION: "mtty.version", Unrecognized,
            "the stream has a version other than 1.0, the only one that a driver has written",
            "update transire; the driver refuses every version but its own";
        FLAGS: "mtty.flags", Unrecognized,
            "the stream uses a feature that no known driver has",
            "update transire; the driver refuses every flag";
        PORTS: "mtty.nr-ports", Corrupt,
            "the header counts neither one port nor two",
            "the stream was damaged or forged: save the device again";
        HEAD: "mtty.head", Corrupt,
            "a ring's head is beyond its 16 bytes; the driver would index with it unchecked",
            "the stream was damaged or forged: do not load it";
        TAIL: "mtty.tail", Corrupt,
            "a ring's tail is beyond its 16 bytes; the driver would index with it unchecked",
            "the stream was damaged or forged: do not load it";
        COUNT: "mtty.count", Corrupt,
            "a ring holds more than its 16 bytes",
            "the stream was damaged or forged: do not load it";
        RING: "mtty.ring", Corrupt,
            "head, tail and count of a ring disagree",
            "the stream was damaged or forged: do not load it";
        FLAG_BYTE: "mtty.flag-byte", Corrupt,
            "a byte that says yes or no is neither 0 nor 1",
            "the stream was damaged or forged: do not load it";
        FIFO_SIZE: "mtty.max-fifo-size", Corrupt,
            "the size of a ring in use is neither 1 nor 16",
            "the stream was damaged or forged: do not load it";
        TRIGGER: "mtty.intr-trigger-level", Compatible,
            "a level that no known driver saves; the driver takes it as it is and may raise no interrupt below it",
            "look at the source: a known driver has 0 until FCR is written, and 1 from then on";
        PADDING: "mtty.padding", Compatible,
            "a byte that the compiler left is not zero; the driver loads and saves it as it is",
            "nothing: no register depends on it";
    }
}

/// What the header says of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    ports: u32,
}

impl Source {
    /// Reads the header, check by check.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn read(header: &[u8; HEADER_LEN]) -> Result<Self, Reason> {
        let cut = |_| Reason::at(shared::STREAM_TRUNCATED, 0);
        let mut bytes = Bytes::new(header);
        let magic = bytes.u64().map_err(cut)?;
        let major = bytes.u32().map_err(cut)?;
        let minor = bytes.u32().map_err(cut)?;
        let ports = bytes.u32().map_err(cut)?;
        let flags = bytes.u32().map_err(cut)?;
        let number = |id: ReasonId, offset, found: u32, required| {
            Reason::at(id, offset).spanning(offset, 4).because(Datum::Count(u64::from(found)), required)
        };
        if magic != MAGIC {
            return Err(Reason::at(shared::MAGIC_UNRECOGNIZED, 0)
                .spanning(0, 8)
                .because(Datum::Wire(magic), Datum::Wire(MAGIC)));
        }
        if major != VERSION_1_0.major {
            return Err(number(reasons::VERSION, 8, major, Datum::Count(1)));
        }
        if minor != VERSION_1_0.minor {
            return Err(number(reasons::VERSION, 12, minor, Datum::Count(0)));
        }
        if flags != 0 {
            let found = Datum::Wire(u64::from(flags));
            return Err(Reason::at(reasons::FLAGS, 20).spanning(20, 4).because(found, Datum::Wire(0)));
        }
        if !(1..=PORTS_MAX).contains(&ports) {
            return Err(number(reasons::PORTS, 16, ports, Datum::Word("1 or 2")));
        }
        Ok(Self { ports })
    }

    /// Bytes of the whole stream.
    pub const fn stream_len(self) -> usize {
        if self.ports == 1 { stream_len(1) } else { stream_len(2) }
    }
}

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id {
            id if id.is(VENDOR) => Some(Value::Text(Text::constant("mtty"))),
            id if id.is(NR_PORTS) => Some(Value::Uint(u64::from(self.ports))),
            id if id.is(STREAM_VERSION) => Some(Value::Version(VERSION_1_0)),
            _ => None,
        }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == STREAM_VERSION.number() => Some((8, 8)),
            number if number == NR_PORTS.number() => Some((16, 4)),
            _ => None,
        }
    }
}

/// What to say of fewer bytes than a header, and no more.
fn short(prefix: &[u8]) -> Reason {
    let end = widen(prefix.len());
    let id = match FORMAT.likeness(prefix, true) {
        Likeness::No => return Reason::at(shared::MAGIC_UNRECOGNIZED, 0),
        Likeness::Short => shared::MAGIC_TRUNCATED,
        _ => shared::STREAM_TRUNCATED,
    };
    Reason::at(id, end).because(Datum::Count(end), Datum::Word("60 or 96 bytes"))
}

/// What is wrong with a port record at `offset`, check by check.
fn findings(port: &[u8; PORT_LEN], offset: u64) -> impl Iterator<Item = Reason> {
    let [.., head, tail, count, dlab, overrun, padding, _, _, _, fifo_size, trigger, trailing] = *port;
    let found = move |holds: bool, id: ReasonId, at: u64, byte: u8, required: &'static str| {
        (!holds).then(|| {
            let offset = offset + at;
            Reason::at(id, offset).spanning(offset, 1).because(Datum::Count(u64::from(byte)), Datum::Word(required))
        })
    };
    let distance = head.wrapping_sub(tail) % FIFO_LEN;
    [
        found(head < FIFO_LEN, reasons::HEAD, 24, head, "0 to 15"),
        found(tail < FIFO_LEN, reasons::TAIL, 25, tail, "0 to 15"),
        found(count <= FIFO_LEN, reasons::COUNT, 26, count, "0 to 16"),
        found(distance == count % FIFO_LEN, reasons::RING, 26, count, "head minus tail"),
        found(dlab <= 1, reasons::FLAG_BYTE, 27, dlab, "0 or 1"),
        found(overrun <= 1, reasons::FLAG_BYTE, 28, overrun, "0 or 1"),
        found(padding == 0, reasons::PADDING, 29, padding, "0"),
        found(fifo_size == 1 || fifo_size == FIFO_LEN, reasons::FIFO_SIZE, 33, fifo_size, "1 or 16"),
        found(trigger <= 1, reasons::TRIGGER, 34, trigger, "0 or 1"),
        found(trailing == 0, reasons::PADDING, 35, trailing, "0"),
    ]
    .into_iter()
    .flatten()
}

/// The stream, held whole.
#[derive(Debug)]
pub struct Stream;

impl Whole for Stream {
    type Source = Source;

    const DECIDED_BY: usize = HEADER_LEN;

    fn source(prefix: &[u8], _eof: bool, _choices: Choices) -> Result<Source, Undecided> {
        Ok(prefix.first_chunk().map_or_else(|| Err(short(prefix)), Source::read)?)
    }

    fn most(source: &Source) -> usize {
        source.stream_len()
    }

    fn check(source: &Source, stream: &[u8], tell: &mut dyn FnMut(Reason) -> bool) {
        if stream.len() < source.stream_len() {
            tell(truncated(stream.len(), Datum::Count(widen(source.stream_len()))));
            return;
        }
        let (ports, _) = stream.get(HEADER_LEN..).unwrap_or(&[]).as_chunks::<PORT_LEN>();
        let mut all = ports.iter().enumerate().flat_map(|(port, bytes)| findings(bytes, widen(stream_len(port))));
        all.all(tell);
    }

    fn structure(source: Option<&Source>, _input: &[u8], number: u32) -> Option<Structure> {
        let Some(port) = number.checked_sub(1) else {
            return Some(Structure { layout: &HEADER, number: None, range: 0..HEADER_LEN });
        };
        let start = stream_len(index(port));
        (port < source?.ports).then_some(Structure {
            layout: &PORT,
            number: Some(port),
            range: start..start + PORT_LEN,
        })
    }
}

fn open_driver(target: &Target, _choices: Choices) -> Result<Box<dyn Driver>, &'static str> {
    match target.value(NR_PORTS) {
        Some(Value::Uint(1)) => Ok(Box::new(driver::Device::resuming(1))),
        Some(Value::Uint(2)) => Ok(Box::new(driver::Device::resuming(2))),
        _ => Err("the target must say nr_ports or mdev_type"),
    }
}

#[cfg(test)]
mod tests;
