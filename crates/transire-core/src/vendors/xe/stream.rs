//! The stream of xe: packets of a header of 24 bytes and a payload, from a descriptor to a trailer.
//!
//! Facts: Linux `xe_sriov_packet_types.h` (`struct xe_sriov_packet_hdr`), `abi/xe_driver_klvs_abi.h`, and the save path of
//! `xe_sriov_packet.c` and `xe_gt_sriov_pf_migration.c`. Little-endian, as the stream is the raw memory of these and the
//! hosts are x86-64. Payload is looked at as it comes and never held; only a descriptor, which is short, is held whole.

use alloc::boxed::Box;

use super::{GGTT_PAGES, GGTT_PAGES_MAX, GTS, GTS_MAX, GTS_PER_TILE, TILES_MAX, VRAM_BYTES, driver, is_main, tile_of};
use crate::attribute::{AttributeId, Attributes, Mask, PCI_ID, PciId, REVISION, Text, VENDOR, Value};
use crate::bytes::{Reader as Bytes, Short, widen};
use crate::format::{
    Choices, DeviceKey, Driver, Event, Field, FieldKind, Format, Glance, Hold, Identified, KnownBy, Layout, Likeness,
    Phase, Proves, Reader, Role, Share, Step, settles_nothing,
};
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason, ReasonId};

/// Bytes of a packet's header (`struct xe_sriov_packet_hdr`).
pub const HEADER_LEN: usize = 24;
/// The only version that the driver writes and takes (`XE_SRIOV_PACKET_SUPPORTED_VERSION`).
pub const VERSION: u8 = 1;
/// Bytes of the registers in an MMIO packet: four scratch registers of 32 bits, whatever the GT.
pub const MMIO_LEN: u64 = 16;
/// Most bytes of a VRAM packet: the save path cuts memory into pieces of this size.
pub const VRAM_PIECE_MAX: u64 = 512 << 20;
/// Most bytes of a payload outside VRAM: the kernel allocates no more in one piece (`INT_MAX`).
pub const PAYLOAD_MAX: u64 = 0x7fff_ffff;
/// Most bytes of a descriptor's payload here, which is held whole. The driver writes 16; room is left for more keys.
pub const DESCRIPTOR_MAX: u64 = 4096;
/// Most bytes of a descriptor with its header: what is held.
pub const DESCRIPTOR_PACKET_MAX: u32 = 24 + 4096;
/// In a reader that describes, a long payload is told in pieces of so many bytes, the last one shorter.
pub const PIECE: u64 = 1 << 16;

/// Types of packets (`enum xe_sriov_packet_type`). 0 is none.
pub mod kind {
    /// What the source is: a list of keys, lengths and values.
    pub const DESCRIPTOR: u8 = 1;
    /// The end.
    pub const TRAILER: u8 = 2;
    /// Page table entries of the function's range of the global graphics translation table.
    pub const GGTT: u8 = 3;
    /// Scratch registers.
    pub const MMIO: u8 = 4;
    /// State of the firmware, opaque.
    pub const GUC: u8 = 5;
    /// Video memory.
    pub const VRAM: u8 = 6;
}

/// Keys of a descriptor (`abi/xe_driver_klvs_abi.h`).
pub mod key {
    /// PCI device id, as a number of 32 bits.
    pub const DEVICE_ID: u16 = 0xf001;
    /// PCI revision, as a number of 32 bits.
    pub const REVISION_ID: u16 = 0xf002;
}

/// The format.
pub static FORMAT: Format = Format {
    name: "xe",
    vendor: "xe",
    title: "stream of the Linux driver xe-vfio-pci, packets of version 1",
    role: Role::Source,
    known_by: KnownBy::Distinct(likeness),
    judged_within: Some(40),
    hold: Hold::Record(DESCRIPTOR_PACKET_MAX),
    proves: Proves {
        glance: Glance {
            identity: "device id, revision",
            driver_checks: Share::All,
            end_marked: true,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "device id and revision of the physical function, in the descriptor",
        driver_checks: "both where they are there; that a descriptor is there is not checked",
        end: "a trailer; the driver demands that one comes, not that it comes last",
        payload: "nothing",
        sealing_adds: "checksums, the versions of driver and firmware, the resources of the function before any payload",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[&PACKET, &KLV, &KLV_OF_MANY, &GGTT, &MMIO, &GUC, &VRAM],
    identify,
    reader: |describe| Box::new(PacketReader::new(describe)),
    driver: Some(open_driver),
};

/// The header of a packet.
pub static PACKET: Layout = Layout {
    name: "packet",
    fields: &[
        Field::new("version", 0, FieldKind::Number(1), "1"),
        Field::new("type", 1, FieldKind::Number(1), "1 descriptor, 2 trailer, 3 GGTT, 4 MMIO, 5 GUC, 6 VRAM"),
        Field::new("tile_id", 2, FieldKind::Number(1), "tile of the GT; 0 for descriptor and trailer"),
        Field::new("gt_id", 3, FieldKind::Number(1), "number of the GT; 0 for descriptor and trailer"),
        Field::new("flags", 4, FieldKind::Hex(4), "0"),
        Field::new("offset", 8, FieldKind::Hex(8), "VRAM: offset in the memory of the function; else 0"),
        Field::new("size", 16, FieldKind::Number(8), "bytes of payload"),
    ],
};

/// An entry of a descriptor whose value is one number, as those of the known keys are.
pub static KLV: Layout = Layout {
    name: "klv",
    fields: &[
        Field::new("length", 0, FieldKind::Number(2), "length of the value, in units of 4 bytes: 1"),
        Field::new("key", 2, FieldKind::Hex(2), "0xf001 PCI device id, 0xf002 PCI revision"),
        Field::new("value", 4, FieldKind::Hex(4), "the device id, or the revision"),
    ],
};

/// Another entry of a descriptor.
pub static KLV_OF_MANY: Layout = Layout {
    name: "klv_of_many",
    fields: &[
        Field::new("length", 0, FieldKind::Number(2), "length of the value, in units of 4 bytes"),
        Field::new("key", 2, FieldKind::Hex(2), "no known key has such a length"),
        Field::new("value", 4, FieldKind::Rest, "little-endian numbers of 32 bits"),
    ],
};

/// A piece of a GGTT payload.
pub static GGTT: Layout = Layout {
    name: "ggtt",
    fields: &[Field::new("entries", 0, FieldKind::Rest, "page table entries of 8 bytes; bits 2 to 11 are 0")],
};

/// The payload of an MMIO packet.
pub static MMIO: Layout = Layout {
    name: "mmio",
    fields: &[
        Field::new("scratch_0", 0, FieldKind::Hex(4), "scratch register 0"),
        Field::new("scratch_1", 4, FieldKind::Hex(4), "scratch register 1"),
        Field::new("scratch_2", 8, FieldKind::Hex(4), "scratch register 2"),
        Field::new("scratch_3", 12, FieldKind::Hex(4), "scratch register 3"),
    ],
};

/// A piece of a GUC payload.
pub static GUC: Layout =
    Layout { name: "guc", fields: &[Field::new("state", 0, FieldKind::Rest, "state of the firmware, opaque")] };

/// A piece of a VRAM payload.
pub static VRAM: Layout =
    Layout { name: "vram", fields: &[Field::new("memory", 0, FieldKind::Rest, "memory as it is")] };

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        VERSION: "xe.version", Unrecognized,
            "a packet has a version other than 1, the only one that a driver has written; the driver refuses it, and works \
             on it without its payload all the same, which crashes the kernel",
            "update transire; do not load it";
        TYPE: "xe.type", Unrecognized,
            "a packet is of a type that no known driver writes; the driver passes over types that it does not know",
            "update transire; what is in the packet would be lost";
        ORDER: "xe.order", Corrupt,
            "a packet stands where no driver writes it: the descriptor comes first and once, then of each GT its firmware \
             state, page table and registers, once each, and its memory; the driver takes any order",
            "the stream was damaged or forged: save the device again";
        GT: "xe.gt", Corrupt,
            "a packet names a GT or a tile that its type does not have, or that do not belong together",
            "the stream was damaged or forged: save the device again";
        NOT_ZERO: "xe.not-zero", Compatible,
            "bits that every known driver writes as 0 are not; the driver does not look at them",
            "look at the source: it is newer than any driver known here, or its stream was altered";
        OFFSET: "xe.offset", Corrupt,
            "a piece of memory does not begin where the one before it ends, or a trailer has an offset; the driver takes \
             memory with gaps",
            "packets were lost or put in: save the device again";
        SIZE: "xe.size", Corrupt,
            "a packet's payload has a length that its type does not have",
            "the stream was damaged or forged: do not load it, one such length crashes the kernel";
        DESCRIPTOR: "xe.descriptor", Corrupt,
            "the descriptor's list is cut, or does not hold the device id and the revision, each once and with a length of \
             one number",
            "the stream was damaged or forged: do not load it, one such list is read beyond its end";
        UNKNOWN_KEY: "xe.unknown-key", Compatible,
            "the descriptor has a key that is not known here, which the driver passes over",
            "nothing; a newer transire may know it";
        MISSING: "xe.missing", Corrupt,
            "the stream ends without a packet that every GT has, or without a GT that every device has; the driver does \
             not miss it, and runs the device without that state",
            "packets were lost: save the device again";
    }
}

/// The header of a packet, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// See [`VERSION`].
    pub version: u8,
    /// See [`kind`].
    pub kind: u8,
    /// Tile of the GT.
    pub tile: u8,
    /// Number of the GT.
    pub gt: u8,
    /// No known driver sets any.
    pub flags: u32,
    /// Where the payload stands in the function's video memory; else 0.
    pub offset: u64,
    /// Bytes of payload.
    pub size: u64,
}

impl Header {
    /// Reads a header; fewer bytes are there than it has.
    ///
    /// # Errors
    /// Where the missing bytes would stand.
    pub fn read(bytes: &[u8]) -> Result<Self, Short> {
        let mut bytes = Bytes::new(bytes);
        Ok(Self {
            version: bytes.u8()?,
            kind: bytes.u8()?,
            tile: bytes.u8()?,
            gt: bytes.u8()?,
            flags: bytes.u32()?,
            offset: bytes.u64()?,
            size: bytes.u64()?,
        })
    }

    /// Whether a driver writes such packets, but for flags and offset, at which none looks.
    const fn is_known(&self) -> bool {
        let is_data = rank(self.kind).is_some();
        let place_fits =
            if is_data { self.gt < GTS_MAX && self.tile == tile_of(self.gt) } else { self.tile | self.gt == 0 };
        self.version == VERSION && is_type(self.kind) && place_fits && size_of(self.kind, self.size).0
    }
}

/// Whether there is such a type of packets.
const fn is_type(of: u8) -> bool {
    matches!(of, kind::DESCRIPTOR..=kind::VRAM)
}

/// Certain where the header is one of a descriptor, with zeros where drivers write them, and the first key is one of the
/// two with its length: 26 of 28 bytes are then fixed. A header of another packet is possible: drivers take streams without
/// a descriptor.
fn likeness(prefix: &[u8], eof: bool) -> Likeness {
    let Some((header, list)) = prefix.split_at_checked(HEADER_LEN) else {
        let agrees = |(at, &byte): (usize, &u8)| match at {
            0 => byte == VERSION,
            1 => is_type(byte),
            2 => byte < TILES_MAX,
            3 => byte < GTS_MAX,
            _ => true,
        };
        return if prefix.iter().enumerate().all(agrees) { Likeness::Short } else { Likeness::No };
    };
    let Some(packet) = Header::read(header).ok().filter(Header::is_known) else { return Likeness::No };
    let possible = Likeness::Possible("the header of a packet of version 1, of a length that its type can have");
    if packet.kind != kind::DESCRIPTOR || packet.flags != 0 || packet.offset != 0 || packet.size == 0 {
        return possible;
    }
    match list.first_chunk::<4>() {
        Some([1, 0, 0x01 | 0x02, 0xf0]) => Likeness::Certain,
        None if !eof => Likeness::Short,
        _ => possible,
    }
}

/// What a stream has said of its source so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    device: u16,
    revision: u8,
    device_at: u64,
    revision_at: u64,
    /// Pages of the last translation table, and where its packet states them.
    ggtt: Option<(u64, u64)>,
    /// The mask of GTs and the bytes of a tile's memory, once all are known.
    whole: Option<([u8; 1], u64)>,
}

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id {
            id if id.is(VENDOR) => Some(Value::Text(Text::constant("xe"))),
            id if id.is(PCI_ID) => Some(Value::PciId(PciId { vendor: PCI_VENDOR, device: self.device })),
            id if id.is(REVISION) => Some(Value::Uint(u64::from(self.revision))),
            id if id.is(GGTT_PAGES) => self.ggtt.map(|(pages, _)| Value::Uint(pages)),
            id if id.is(GTS) => self.whole.as_ref().and_then(|(gts, _)| Mask::new(gts)).map(Value::Mask),
            id if id.is(VRAM_BYTES) => self.whole.map(|(_, vram)| Value::Uint(vram)),
            _ => None,
        }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == PCI_ID.number() => Some((self.device_at, 4)),
            number if number == REVISION.number() => Some((self.revision_at, 4)),
            number if number == GGTT_PAGES.number() => self.ggtt.map(|(_, at)| (at, 8)),
            _ => None,
        }
    }
}

/// The vendor in every device id: Intel. The stream does not state it.
pub const PCI_VENDOR: u16 = 0x8086;

/// What has come of a GT.
#[derive(Clone, Copy, Debug, Default)]
struct Gt {
    /// Which of its packets have come, a bit each by [`rank`].
    seen: u8,
    /// Where its next piece of memory begins.
    vram_end: u64,
}

/// The place of a type among the packets of a GT, in the order in which the driver saves them; `None` for a type that no
/// GT has.
const fn rank(of: u8) -> Option<u8> {
    match of {
        kind::GUC => Some(0),
        kind::GGTT => Some(1),
        kind::MMIO => Some(2),
        kind::VRAM => Some(3),
        _ => None,
    }
}

/// The bit of a type in [`Gt::seen`].
const fn bit(of: u8) -> u8 {
    match rank(of) {
        Some(rank) => 1 << rank,
        None => 0,
    }
}

/// Offsets of the header's fields, for findings.
mod at {
    pub(super) const VERSION: u64 = 0;
    pub(super) const TYPE: u64 = 1;
    pub(super) const TILE: u64 = 2;
    pub(super) const GT: u64 = 3;
    pub(super) const FLAGS: u64 = 4;
    pub(super) const OFFSET: u64 = 8;
    pub(super) const SIZE: u64 = 16;
}

/// Reads packets one behind the other.
#[derive(Clone, Debug)]
pub struct PacketReader {
    describe: bool,
    /// Offset of the next byte.
    at: u64,
    /// Packets before the one at hand.
    packets: u32,
    gts: [Gt; GTS_MAX as usize],
    source: Option<Source>,
    /// Structures, findings and profiles that have been told of the packet or the piece at hand.
    described: u32,
    found: usize,
    profiles: u8,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Header,
    Payload(Payload),
    /// The trailer has been delivered.
    Ended,
    /// A reader that has failed has nothing else to say.
    Failed(Reason),
}

/// The rest of a payload.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Payload {
    kind: u8,
    left: u64,
    /// Pieces before the one at hand, for a reader that describes.
    pieces: u32,
    /// Bytes before the one at hand.
    done: u64,
    /// Whether it has been noted that bits of an entry are not zero.
    noted: bool,
}

impl PacketReader {
    /// A reader at the start of a stream.
    pub fn new(describe: bool) -> Self {
        Self {
            describe,
            at: 0,
            packets: 0,
            gts: [Gt::default(); GTS_MAX as usize],
            source: None,
            described: 0,
            found: 0,
            profiles: 0,
            state: State::Header,
        }
    }

    fn fail<'a>(&mut self, reason: Reason) -> Step<'a> {
        self.state = State::Failed(reason);
        Step::stay(Event::Finding(reason))
    }

    /// The input ends where more should come.
    fn cut<'a>(&mut self, there: usize, required: &'static str) -> Step<'a> {
        let end = self.at.saturating_add(widen(there));
        self.fail(Reason::at(shared::STREAM_TRUNCATED, end).because(Datum::Count(end), Datum::Word(required)))
    }

    /// A finding that has not been told yet, if this is one.
    fn tell<'a>(&mut self, reason: Reason) -> Step<'a> {
        if !reason.is_note() {
            return self.fail(reason);
        }
        self.found += 1;
        Step::stay(Event::Finding(reason))
    }

    fn record<'a>(
        &mut self,
        layout: &'static Layout,
        number: u32,
        (start, bytes): (usize, &'a [u8]),
    ) -> Option<Step<'a>> {
        self.described = self.described.saturating_add(1);
        let offset = self.at.saturating_add(widen(start));
        let record = Event::Record { layout, number: Some(number), offset, bytes };
        (!bytes.is_empty()).then_some(Step::stay(record))
    }

    /// The next bytes of the input have passed.
    fn pass<'a>(&mut self, input: &'a [u8], count: usize, then: State) -> Step<'a> {
        let (bytes, _) = input.split_at_checked(count).unwrap_or((input, &[]));
        self.at = self.at.saturating_add(widen(bytes.len()));
        (self.described, self.found, self.profiles) = (0, 0, 0);
        self.state = then;
        let data = Event::Data { device: DeviceKey::default(), phase: Phase::Unspecified, bytes };
        Step { used: bytes.len(), event: data }
    }

    fn step_packet<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        let Ok(header) = Header::read(input) else {
            if !eof {
                return Step::stay(Event::Need(HEADER_LEN));
            }
            if self.describe
                && self.described == 0
                && let Some(record) = self.record(&PACKET, self.packets, (0, input))
            {
                return record;
            }
            return self.cut(input.len(), "a trailer");
        };
        if self.describe && self.described == 0 {
            let bytes = input.get(..HEADER_LEN).unwrap_or(input);
            if let Some(record) = self.record(&PACKET, self.packets, (0, bytes)) {
                return record;
            }
        }
        let of_header = self.findings(&header);
        if let Some(reason) = of_header.iter().flatten().nth(self.found) {
            return self.tell(*reason);
        }
        let told = of_header.iter().flatten().count();
        if header.kind == kind::DESCRIPTOR {
            return self.step_descriptor(input, &header, told, eof);
        }
        if let Some(profile) = self.next_profile(&header) {
            self.source = Some(profile);
            self.profiles += 1;
            return Step::stay(Event::Profile);
        }
        let then = self.enter(&header);
        self.pass(input, HEADER_LEN, then)
    }

    /// The descriptor is held whole: what it says is known before a byte of it leaves.
    fn step_descriptor<'a>(&mut self, input: &'a [u8], header: &Header, told: usize, eof: bool) -> Step<'a> {
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        let end = HEADER_LEN.saturating_add(size);
        if input.len() < end && !eof {
            return Step::stay(Event::Need(end));
        }
        let list = input.get(..end).unwrap_or(input).get(HEADER_LEN..).unwrap_or(&[]);
        while self.describe {
            let next = self.described.saturating_sub(1);
            let Some((start, bytes)) = entry(list, next) else { break };
            let of_one = entry_len(bytes).is_none_or(|length| length == KLV.size());
            let layout = if of_one { &KLV } else { &KLV_OF_MANY };
            if let Some(record) = self.record(layout, next, (HEADER_LEN + start, bytes)) {
                return record;
            }
        }
        if input.len() < end {
            return self.cut(input.len(), "the rest of the descriptor");
        }
        let (note, read) = read_list(list, self.at);
        let of_list = [note, read.err()];
        if let Some(reason) = of_list.iter().flatten().nth(self.found.saturating_sub(told)) {
            return self.tell(*reason);
        }
        if self.source.is_none() {
            self.source = read.ok();
            return Step::stay(Event::Profile);
        }
        self.packets = self.packets.saturating_add(1);
        self.pass(input, end, State::Header)
    }

    fn step_payload<'a>(&mut self, input: &'a [u8], payload: Payload, eof: bool) -> Step<'a> {
        let wanted = if self.describe { payload.left.min(PIECE) } else { payload.left.min(1) };
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        if input.len() < wanted && !eof {
            return Step::stay(Event::Need(wanted));
        }
        let most = if self.describe { payload.left.min(PIECE) } else { payload.left };
        let piece = input.get(..usize::try_from(most).unwrap_or(usize::MAX)).unwrap_or(input);
        if piece.is_empty() {
            return self.cut(0, "the rest of a packet");
        }
        if self.describe
            && self.described == 0
            && let Some(layout) = layout_of(payload.kind)
            && let Some(record) = self.record(layout, payload.pieces, (0, piece))
        {
            return record;
        }
        if payload.kind == kind::GGTT
            && !payload.noted
            && let Some(entry) = entry_with_function_number(piece, payload.done)
        {
            self.state = State::Payload(Payload { noted: true, ..payload });
            let offset = self.at.saturating_sub(payload.done).saturating_add(entry);
            return Step::stay(Event::Finding(Reason::at(reasons::NOT_ZERO, offset).spanning(offset, 8)));
        }
        let count = widen(piece.len());
        let left = payload.left.saturating_sub(count);
        let done = payload.done.saturating_add(count);
        let then = if left == 0 {
            State::Header
        } else {
            State::Payload(Payload { left, done, pieces: payload.pieces.saturating_add(1), ..payload })
        };
        self.pass(input, piece.len(), then)
    }

    /// What is wrong with a header, check by check, and with the place of its packet.
    fn findings(&self, header: &Header) -> [Option<Reason>; 10] {
        let found = |holds: bool, id: ReasonId, at: u64, bytes: u32, found: Datum, required: &'static str| {
            let offset = self.at.saturating_add(at);
            (!holds).then(|| Reason::at(id, offset).spanning(offset, bytes).because(found, Datum::Word(required)))
        };
        let number = |number: u8| Datum::Count(u64::from(number));
        let gt = self.gts.get(usize::from(header.gt));
        let is_data = rank(header.kind).is_some();
        let of_first =
            if self.packets == 0 { header.kind == kind::DESCRIPTOR } else { header.kind != kind::DESCRIPTOR };
        let main_only = matches!(header.kind, kind::GGTT | kind::VRAM);
        let gt_holds = if is_data { gt.is_some() && (is_main(header.gt) || !main_only) } else { header.gt == 0 };
        let gt_required = match (is_data, main_only) {
            (false, _) => "0",
            (true, false) => "0 to 3",
            (true, true) => "0 or 2, the main one of a tile",
        };
        let tile_holds = header.tile == if is_data { tile_of(header.gt) } else { 0 };
        let is_unused = header.kind != kind::VRAM && header.kind != kind::TRAILER;
        let expected = if header.kind == kind::VRAM { gt.map_or(0, |gt| gt.vram_end) } else { 0 };
        let (size_holds, size_required) = size_of(header.kind, header.size);
        let seen = gt.map_or(0, |gt| gt.seen);
        let own = bit(header.kind);
        // Nothing that comes later in the order of a GT has come, and not this one either, but for memory in pieces.
        let again = header.kind == kind::VRAM && seen & own != 0;
        let in_order = !is_data || again || seen < own;
        let missing = if header.kind == kind::TRAILER { self.missing() } else { None };
        [
            found(header.version == VERSION, reasons::VERSION, at::VERSION, 1, number(header.version), "1"),
            found(is_type(header.kind), reasons::TYPE, at::TYPE, 1, number(header.kind), "1 to 6"),
            found(of_first, reasons::ORDER, at::TYPE, 1, number(header.kind), "a descriptor first, and no other"),
            found(gt_holds, reasons::GT, at::GT, 1, number(header.gt), gt_required),
            found(tile_holds, reasons::GT, at::TILE, 1, number(header.tile), "the tile of the GT, or 0"),
            found(header.flags == 0, reasons::NOT_ZERO, at::FLAGS, 4, Datum::Wire(u64::from(header.flags)), "0"),
            found(
                header.offset == expected,
                if is_unused { reasons::NOT_ZERO } else { reasons::OFFSET },
                at::OFFSET,
                8,
                Datum::Wire(header.offset),
                if header.kind == kind::VRAM { "where the memory before it ends" } else { "0" },
            ),
            found(size_holds, reasons::SIZE, at::SIZE, 8, Datum::Count(header.size), size_required),
            found(in_order, reasons::ORDER, at::TYPE, 1, number(header.kind), "GUC, GGTT, MMIO, VRAM of a GT"),
            missing.and_then(|what| found(false, reasons::MISSING, at::VERSION, 24, Datum::None, what)),
        ]
    }

    /// What every stream has and this one has not.
    fn missing(&self) -> Option<&'static str> {
        let seen = |gt: u8| self.gts.get(usize::from(gt)).map_or(0, |gt| gt.seen);
        (0..GTS_MAX).find_map(|gt| {
            let beside = seen(gt ^ 1) != 0;
            let there = seen(gt) != 0 || gt == 0 || (is_main(gt) && beside);
            let lacks = |kind: u8| there && seen(gt) & bit(kind) == 0;
            if lacks(kind::GUC) {
                Some("a GUC packet of each GT")
            } else if is_main(gt) && lacks(kind::GGTT) {
                Some("a GGTT packet of each tile")
            } else if lacks(kind::MMIO) {
                Some("an MMIO packet of each GT")
            } else {
                None
            }
        })
    }

    /// What the source is, where this packet says more of it than was told.
    fn next_profile(&self, header: &Header) -> Option<Source> {
        let source = self.source?;
        match (header.kind, self.profiles) {
            (kind::GGTT, 0) => {
                let pages = header.size / 8;
                let known = source.ggtt.is_some_and(|(known, _)| known == pages);
                (!known).then_some(Source { ggtt: Some((pages, self.at.saturating_add(at::SIZE))), ..source })
            }
            (kind::TRAILER, tile) if tile < TILES_MAX => {
                let numbered = self.gts.iter().enumerate();
                let gts = numbered.fold(0, |mask, (at, gt)| if gt.seen == 0 { mask } else { mask | 1 << at });
                let main = self.gts.get(usize::from(tile * GTS_PER_TILE))?;
                let whole = Some(([gts], main.vram_end));
                // Tiles have as much memory each; one that differs is held against the target by itself.
                (main.seen != 0 && source.whole != whole).then_some(Source { whole, ..source })
            }
            _ => None,
        }
    }

    /// Keeps what the packet's header says; what comes next.
    fn enter(&mut self, header: &Header) -> State {
        self.packets = self.packets.saturating_add(1);
        if let Some(gt) = self.gts.get_mut(usize::from(header.gt)) {
            gt.seen |= bit(header.kind);
            if header.kind == kind::VRAM {
                gt.vram_end = gt.vram_end.saturating_add(header.size);
            }
        }
        match header.kind {
            kind::TRAILER => State::Ended,
            kind => State::Payload(Payload { kind, left: header.size, pieces: 0, done: 0, noted: false }),
        }
    }
}

impl Reader for PacketReader {
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a> {
        match self.state {
            State::Header => self.step_packet(input, eof),
            State::Payload(payload) => self.step_payload(input, payload, eof),
            State::Ended => Step::stay(Event::End),
            State::Failed(reason) => Step::stay(Event::Finding(reason)),
        }
    }

    fn source(&self) -> Option<&dyn Attributes> {
        self.source.as_ref().map(|source| source as &dyn Attributes)
    }
}

/// Whether a type has payloads of this length, and which it has.
const fn size_of(of: u8, size: u64) -> (bool, &'static str) {
    match of {
        kind::DESCRIPTOR => {
            (size <= DESCRIPTOR_MAX && size.is_multiple_of(4), "a multiple of 4, up to 4,096, for a descriptor")
        }
        kind::TRAILER => (size == 0, "0 for a trailer"),
        kind::GGTT => (
            size != 0 && size.is_multiple_of(8) && size / 8 <= GGTT_PAGES_MAX,
            "8 for each of 1 to 1,048,576 pages, for GGTT",
        ),
        kind::MMIO => (size == MMIO_LEN, "16 for MMIO"),
        kind::GUC => {
            (size != 0 && size.is_multiple_of(4) && size <= PAYLOAD_MAX, "a multiple of 4 below 2 GiB, not 0, for GUC")
        }
        _ => (size != 0 && size <= VRAM_PIECE_MAX, "1 to 512 MiB for VRAM"),
    }
}

/// How a type's payload is shown; a descriptor's is shown by its entries.
const fn layout_of(of: u8) -> Option<&'static Layout> {
    match of {
        kind::GGTT => Some(&GGTT),
        kind::MMIO => Some(&MMIO),
        kind::GUC => Some(&GUC),
        kind::VRAM => Some(&VRAM),
        _ => None,
    }
}

/// Offset in the payload of the first entry with a function number (bits 2 to 11), which the save path clears and the
/// driver replaces. `done` bytes of the payload came before these.
fn entry_with_function_number(bytes: &[u8], done: u64) -> Option<u64> {
    let mut places = (done..).zip(bytes);
    let (at, _) = places.find(|(at, byte)| match at % 8 {
        0 => *byte & 0xfc != 0,
        1 => *byte & 0x0f != 0,
        _ => false,
    })?;
    Some(at - at % 8)
}

/// The entry with this number: its offset in the list and its bytes, as far as they are there.
fn entry(list: &[u8], number: u32) -> Option<(usize, &[u8])> {
    let mut start = 0;
    for _ in 0..number {
        start += entry_len(list.get(start..)?)?;
    }
    let rest = list.get(start..).filter(|rest| !rest.is_empty())?;
    let length = entry_len(rest).unwrap_or(rest.len());
    Some((start, rest.get(..length).unwrap_or(rest)))
}

/// Bytes of the entry that begins here, by its head.
fn entry_len(rest: &[u8]) -> Option<usize> {
    let length = Bytes::new(rest).u16().ok()?;
    (rest.len() >= 4).then(|| 4 + 4 * usize::from(length))
}

/// Reads the list of a descriptor whose packet stands at `packet`: a note, and the source or what is wrong.
fn read_list(list: &[u8], packet: u64) -> (Option<Reason>, Result<Source, Reason>) {
    let mut note = None;
    let read = read_entries(list, packet, &mut note);
    (note, read)
}

fn read_entries(list: &[u8], packet: u64, note: &mut Option<Reason>) -> Result<Source, Reason> {
    let wrong = |at: u64, bytes: u32, found: u64, required: &'static str| {
        Reason::at(reasons::DESCRIPTOR, at).spanning(at, bytes).because(Datum::Wire(found), Datum::Word(required))
    };
    let (mut device, mut revision) = (None, None);
    let mut rest = Bytes::at(list, packet.saturating_add(widen(HEADER_LEN)));
    while !rest.is_empty() {
        let head = rest.offset();
        let cut = |_| wrong(head, 4, widen(list.len()), "an entry that ends in the list");
        let length = rest.u16().map_err(cut)?;
        let key = rest.u16().map_err(cut)?;
        let mut value = rest
            .sub(4 * usize::from(length))
            .map_err(|_| wrong(head, 2, u64::from(length), "an entry that ends in the list"))?;
        let (known, most, wide) = match key {
            key::DEVICE_ID => (&mut device, u64::from(u16::MAX), "16 bits of a device id"),
            key::REVISION_ID => (&mut revision, u64::from(u8::MAX), "8 bits of a revision"),
            unknown => {
                note.get_or_insert_with(|| {
                    let at = head.saturating_add(2);
                    let found = Datum::Wire(u64::from(unknown));
                    Reason::at(reasons::UNKNOWN_KEY, at).spanning(at, 2).because(found, Datum::None)
                });
                continue;
            }
        };
        if length != 1 {
            return Err(wrong(head, 2, u64::from(length), "1"));
        }
        if known.is_some() {
            return Err(wrong(head.saturating_add(2), 2, u64::from(key), "each key once"));
        }
        let at = value.offset();
        let number = u64::from(value.u32().map_err(cut)?);
        if number > most {
            return Err(wrong(at, 4, number, wide));
        }
        *known = Some((number, at));
    }
    let size_at = packet.saturating_add(at::SIZE);
    let lacks = |key: u16| wrong(size_at, 8, widen(list.len()), if key == key::DEVICE_ID { DEVICE } else { REV });
    let (device, device_at) = device.ok_or_else(|| lacks(key::DEVICE_ID))?;
    let (revision, revision_at) = revision.ok_or_else(|| lacks(key::REVISION_ID))?;
    Ok(Source {
        device: u16::try_from(device).unwrap_or(u16::MAX),
        revision: u8::try_from(revision).unwrap_or(u8::MAX),
        device_at,
        revision_at,
        ggtt: None,
        whole: None,
    })
}

const DEVICE: &str = "a list with the key 0xf001";
const REV: &str = "a list with the key 0xf002";

/// What the first bytes say of the source.
fn identify(prefix: &[u8], eof: bool, _choices: Choices, show: &mut dyn FnMut(&dyn Attributes)) -> Identified {
    let mut reader = PacketReader::new(false);
    loop {
        match reader.step(prefix, eof).event {
            Event::Need(bytes) => return Identified::Need(u32::try_from(bytes).unwrap_or(u32::MAX)),
            Event::Finding(reason) if reason.is_note() => {}
            Event::Finding(reason) => return Identified::Refused(reason),
            _ => {
                let within = Header::read(prefix).map_or(0, |header| header.size).saturating_add(widen(HEADER_LEN));
                if let Some(source) = reader.source() {
                    show(source);
                }
                return Identified::Shown(u32::try_from(within).unwrap_or(u32::MAX));
            }
        }
    }
}

fn open_driver(target: &Target, _choices: Choices) -> Result<Box<dyn Driver>, &'static str> {
    let host =
        driver::Host::of(target).ok_or("the target must say pci_id, revision, gts, ggtt_pages and vram_bytes")?;
    Ok(Box::new(driver::AnySchedule::resuming(host)))
}

#[cfg(test)]
mod tests;
