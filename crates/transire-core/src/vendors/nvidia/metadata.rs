//! The two metadata records of NVML: of a virtual GPU, which is a source, and of a physical one, which is a target.
//!
//! Facts: `nvmlVgpuMetadata_t` and `nvmlVgpuPgpuMetadata_t` of go-nvml `nvml.h` (2f9e261fe40a, API 13), as C lays them out on
//! x86-64 and aarch64, little-endian. Both end in opaque bytes, which only NVIDIA's library compares: a verdict from the
//! public fields is necessary, not sufficient. They are declared with 4 opaque bytes; the real length is in the field
//! before them.
//!
//! Unconfirmed: which values `version` has; any is taken.

use super::{
    DRIVER_BUILD, ECC_MODE, GPU_BOARD, GUEST_DRIVER, HYPERVISOR, MANAGER_VERSION, MIGRATION_CAPS, VGPU_TYPE_NAME,
    VGPU_VERSION, VGPU_VERSION_RANGE, version_of,
};
use crate::attribute::{AttributeId, Attributes, DRIVER_VERSION, Statable, Text, Type, VENDOR, Value, Version};
use crate::bytes::{index, widen};
use crate::format::{
    Choices, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, Proves, Role, Share, settles_nothing,
};
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason};
use crate::whole::{self, Structure, Undecided, Whole, truncated};

use super::reasons;

/// Bytes of the public part of a virtual GPU's record.
pub const VGPU_LEN: usize = 208;
/// Bytes of the public part of a physical GPU's record.
pub const PGPU_LEN: usize = 124;
/// Bytes of a driver version (`NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE`), a NUL among them.
pub const TEXT_LEN: usize = 80;
/// Most opaque bytes that are taken: NVML states no bound; a record is held whole, and none is known to be this long.
pub const OPAQUE_MAX: u32 = 1 << 16;
/// Opaque bytes that the structures are declared with: a record of fewer may still have this many.
const OPAQUE_DECLARED: usize = 4;

/// The bit of both capability fields that says: migration is supported.
const MIGRATION: u32 = 1;

const OPAQUE_PROTECTION: &str = "nothing that is public";

/// The record of a virtual GPU.
pub static VGPU: Format = Format {
    name: "nvidia-vgpu-metadata",
    vendor: "nvidia",
    title: "NVML's metadata record of a virtual GPU: the public part and opaque bytes, no migration stream",
    role: Role::Source,
    known_by: KnownBy::Fit(vgpu_likeness),
    judged_within: Some(208),
    hold: Hold::Whole(208 + OPAQUE_MAX),
    proves: Proves {
        glance: Glance {
            identity: "host and guest driver, vGPU version, migration capability",
            driver_checks: Share::All,
            end_marked: true,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "versions of host and guest driver, vGPU version, whether it can migrate; the rest is opaque",
        driver_checks: "NVIDIA's library compares all of it, opaque bytes too, with the record of the physical GPU",
        end: "by opaqueDataSize",
        payload: OPAQUE_PROTECTION,
        sealing_adds: "checksums; type, board, figures and settings of the source",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[&VGPU_RECORD, &OPAQUE, &PADDING],
    identify: whole::identify::<VgpuRecord>,
    reader: whole::reader::<VgpuRecord>,
    driver: None,
};

/// The record of a physical GPU.
pub static PGPU: Format = Format {
    name: "nvidia-pgpu-metadata",
    vendor: "nvidia",
    title: "NVML's metadata record of a physical GPU: a target, not a stream",
    role: Role::Target,
    known_by: KnownBy::Distinct(pgpu_likeness),
    judged_within: Some(124),
    hold: Hold::Whole(124 + OPAQUE_MAX),
    proves: Proves {
        glance: Glance {
            identity: "host driver, vGPU versions, migration capability",
            driver_checks: Share::All,
            end_marked: true,
            payload_protected: false,
            sealing_adds: false,
        },
        identity: "version of the host driver, range of vGPU versions, whether it can migrate; the rest is opaque",
        driver_checks: "NVIDIA's library compares all of it, opaque bytes too, with the record of the virtual GPU",
        end: "by opaqueDataSize",
        payload: OPAQUE_PROTECTION,
        sealing_adds: "nothing: it is no stream",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[&PGPU_RECORD, &OPAQUE, &PADDING],
    identify: whole::identify::<PgpuRecord>,
    reader: whole::reader::<PgpuRecord>,
    driver: None,
};

/// The public part of [`VGPU`].
pub static VGPU_RECORD: Layout = Layout {
    name: "vgpu_metadata",
    fields: &[
        Field::new("version", 0, FieldKind::Number(4), "of the record's layout"),
        Field::new("revision", 4, FieldKind::Number(4), "of the record's layout"),
        Field::new("guestInfoState", 8, FieldKind::Number(4), "0 before the guest driver has reported, 1 after"),
        Field::new("guestDriverVersion", 12, FieldKind::Bytes(80), "text with a NUL; valid in state 1"),
        Field::new("hostDriverVersion", 92, FieldKind::Bytes(80), "text with a NUL"),
        Field::new("reserved", 172, FieldKind::Bytes(24), "0"),
        Field::new("vgpuVirtualizationCaps", 196, FieldKind::Hex(4), "bit 0: can be migrated"),
        Field::new("guestVgpuVersion", 200, FieldKind::Number(4), "what guest and host agreed on; valid in state 1"),
        Field::new("opaqueDataSize", 204, FieldKind::Number(4), "bytes that follow"),
    ],
};

/// The public part of [`PGPU`].
pub static PGPU_RECORD: Layout = Layout {
    name: "pgpu_metadata",
    fields: &[
        Field::new("version", 0, FieldKind::Number(4), "of the record's layout"),
        Field::new("revision", 4, FieldKind::Number(4), "of the record's layout"),
        Field::new("hostDriverVersion", 8, FieldKind::Bytes(80), "text with a NUL"),
        Field::new("pgpuVirtualizationCaps", 88, FieldKind::Hex(4), "bit 0: can take a migrated one"),
        Field::new("reserved", 92, FieldKind::Bytes(20), "0"),
        Field::new("minVersion", 112, FieldKind::Number(4), "lowest vGPU version that is supported"),
        Field::new("maxVersion", 116, FieldKind::Number(4), "highest vGPU version that is supported"),
        Field::new("opaqueDataSize", 120, FieldKind::Number(4), "bytes that follow"),
    ],
};

/// What follows the public part.
pub static OPAQUE: Layout = Layout {
    name: "opaque_data",
    fields: &[Field::new("bytes", 0, FieldKind::Rest, "opaque: only NVIDIA's library reads them")],
};

/// What follows fewer opaque bytes than the structure is declared with.
pub static PADDING: Layout = Layout {
    name: "padding",
    fields: &[Field::new("bytes", 0, FieldKind::Rest, "up to the 4 opaque bytes of the declaration; mean nothing")],
};

/// A driver version in a record: where it begins, and how long it is without its NUL.
#[derive(Clone, Copy, Debug)]
struct DriverText {
    at: usize,
    length: usize,
}

impl DriverText {
    /// The text at this place of the record, which reaches as far.
    fn read(record: &[u8], at: usize) -> Result<Self, Reason> {
        let bytes = record.get(at..at + TEXT_LEN).unwrap_or(&[]);
        let found = match bytes.iter().position(|byte| !matches!(byte, b' '..=b'~')) {
            Some(length) if bytes.get(length) == Some(&0) => return Ok(Self { at, length }),
            Some(_) if bytes.contains(&0) => "a byte that is no printable ASCII",
            _ => "no NUL in 80 bytes",
        };
        let required = Datum::Word("printable ASCII with a NUL behind it");
        Err(Reason::at(reasons::TEXT, widen(at)).spanning(widen(at), 80).because(Datum::Word(found), required))
    }

    /// The text, whose characters were looked at when it was read; none where it is empty.
    fn text(self, record: &[u8]) -> Option<Text<'_>> {
        let text = record.get(self.at..self.at + self.length).filter(|text| !text.is_empty())?;
        if let Some(Value::Text(text)) = Value::read_again(Type::Text, text) { Some(text) } else { None }
    }

    fn version(self, record: &[u8]) -> Option<Version> {
        version_of(self.text(record)?.as_bytes())
    }

    /// What stands behind the NUL is to be zero.
    fn filler(self, record: &[u8]) -> Option<Reason> {
        filler(record.get(self.at + self.length..self.at + TEXT_LEN).unwrap_or(&[]), widen(self.at), 80)
    }
}

/// The public part of a record, where all of it is there.
fn public_part<const LENGTH: usize>(record: &[u8]) -> Result<&[u8; LENGTH], Reason> {
    record.first_chunk().ok_or_else(|| truncated(record.len(), Datum::Count(widen(LENGTH))))
}

/// A field of 4 bytes.
fn number(public: &[u8], at: usize) -> u32 {
    public.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn filler(bytes: &[u8], offset: u64, length: u32) -> Option<Reason> {
    let note = Reason::at(reasons::FILLER, offset).spanning(offset, length);
    bytes.iter().any(|byte| *byte != 0).then_some(note)
}

/// What the capabilities at this place say of migration.
fn can_migrate(public: &[u8], at: usize) -> Value<'static> {
    Value::Bool(number(public, at) & MIGRATION != 0)
}

/// What the opaque bytes of a record come to.
#[derive(Clone, Copy, Debug)]
struct Opaque {
    begin: usize,
    end: usize,
}

impl Opaque {
    fn read(begin: usize, size: u32) -> Result<Self, Reason> {
        let offset = widen(begin).saturating_sub(4);
        if size > OPAQUE_MAX {
            let (found, most) = (Datum::Count(u64::from(size)), Datum::Count(u64::from(OPAQUE_MAX)));
            return Err(Reason::at(reasons::OPAQUE_SIZE, offset).spanning(offset, 4).because(found, most));
        }
        Ok(Self { begin, end: begin.saturating_add(index(size)) })
    }

    /// Where a record as it is declared ends.
    const fn declared(self) -> usize {
        self.begin + OPAQUE_DECLARED
    }

    /// Bytes of the record at the most.
    const fn most(self) -> usize {
        if self.end < self.declared() { self.declared() } else { self.end }
    }

    /// The record has as many bytes as it says, or as many as it is declared with.
    fn check(self, record: &[u8]) -> Option<Reason> {
        let behind = record.get(self.end..);
        match behind {
            None => Some(truncated(record.len(), Datum::Count(widen(self.end)))),
            Some([]) => None,
            Some(padding) if record.len() == self.declared() => {
                let length = u32::try_from(padding.len()).unwrap_or(0);
                let found = Datum::Count(widen(record.len()));
                let note = Reason::at(reasons::FILLER, widen(self.end)).spanning(widen(self.end), length);
                Some(note.because(found, Datum::Count(widen(self.end))))
            }
            Some(_) => Some(Reason::at(shared::STREAM_TRAILING, widen(self.end))),
        }
    }
}

/// The structures of a record: its public part, opaque bytes, and what is left of the declaration.
fn structure(public: &'static Layout, opaque: Option<Opaque>, input: &[u8], number: u32) -> Option<Structure> {
    let begin = public.size();
    let none = Opaque { begin, end: begin };
    let Opaque { end, .. } = opaque.unwrap_or(none);
    let of_padding = opaque.filter(|opaque| input.len() >= opaque.declared()).map_or(end, Opaque::most);
    let all = [(public, 0..begin), (&OPAQUE, begin..end), (&PADDING, end..of_padding)];
    let (layout, range) = all.into_iter().filter(|(_, range)| !range.is_empty()).nth(index(number))?;
    Some(Structure { layout, number: None, range })
}

/// What a virtual GPU's record says of its source.
#[derive(Clone, Copy, Debug)]
pub struct Vgpu {
    public: [u8; VGPU_LEN],
    guest: DriverText,
    host: DriverText,
    opaque: Opaque,
}

impl Vgpu {
    fn read(record: &[u8]) -> Result<Self, Reason> {
        let public = public_part(record)?;
        let opaque = Opaque::read(VGPU_LEN, number(public, 204))?;
        let guest = DriverText::read(public, 12)?;
        let host = DriverText::read(public, 92)?;
        let state = number(public, 8);
        if state > 1 {
            let (found, required) = (Datum::Count(u64::from(state)), Datum::Word("0 or 1"));
            return Err(Reason::at(reasons::GUEST_STATE, 8).spanning(8, 4).because(found, required));
        }
        Ok(Self { public: *public, guest, host, opaque })
    }

    /// Whether the guest's driver has reported itself.
    fn has_guest(&self) -> bool {
        number(&self.public, 8) == 1
    }
}

/// What a virtual GPU's record says of its source. Two versions follow from the build of the driver.
pub static STATABLE: Statable = Statable {
    attributes: &[VENDOR, DRIVER_BUILD, DRIVER_VERSION, MANAGER_VERSION, MIGRATION_CAPS, VGPU_VERSION, GUEST_DRIVER],
    unsaid: &[HYPERVISOR, VGPU_TYPE_NAME, GPU_BOARD, ECC_MODE],
};

impl Attributes for Vgpu {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("nvidia"))),
            number if number == DRIVER_BUILD.number() => self.host.text(&self.public).map(Value::Text),
            number if number == MIGRATION_CAPS.number() => Some(can_migrate(&self.public, 196)),
            id if id == VGPU_VERSION.number() && self.has_guest() => {
                Some(Value::Uint(u64::from(number(&self.public, 200))))
            }
            id if id == GUEST_DRIVER.number() && self.has_guest() => {
                self.guest.version(&self.public).map(Value::Version)
            }
            number if number == VGPU_VERSION.number() || number == GUEST_DRIVER.number() => Some(Value::Unknown),
            _ => None,
        }
    }

    fn statable(&self) -> Option<&'static Statable> {
        Some(&STATABLE)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == DRIVER_BUILD.number() => Some((92, 80)),
            number if number == MIGRATION_CAPS.number() => Some((196, 4)),
            number if number == VGPU_VERSION.number() => Some((200, 4)),
            number if number == GUEST_DRIVER.number() => Some((12, 80)),
            _ => None,
        }
    }
}

/// The record of a virtual GPU, held whole.
#[derive(Debug)]
pub struct VgpuRecord;

impl Whole for VgpuRecord {
    type Source = Vgpu;

    const DECIDED_BY: usize = VGPU_LEN;

    fn source(prefix: &[u8], _eof: bool, _choices: Choices) -> Result<Vgpu, Undecided> {
        Ok(Vgpu::read(prefix)?)
    }

    fn most(source: &Vgpu) -> usize {
        source.opaque.most()
    }

    fn check(source: &Vgpu, record: &[u8], tell: &mut dyn FnMut(Reason) -> bool) {
        let reserved = filler(record.get(172..196).unwrap_or(&[]), 172, 24);
        let texts = [source.guest, source.host].map(|text| text.filler(record));
        let all = [texts[0], texts[1], reserved, source.opaque.check(record)];
        all.into_iter().flatten().all(tell);
    }

    fn structure(source: Option<&Vgpu>, input: &[u8], number: u32) -> Option<Structure> {
        structure(&VGPU_RECORD, source.map(|source| source.opaque), input, number)
    }
}

/// What a physical GPU's record says of a target.
#[derive(Clone, Copy, Debug)]
pub struct Pgpu {
    public: [u8; PGPU_LEN],
    host: DriverText,
    opaque: Opaque,
}

impl Pgpu {
    fn read(record: &[u8]) -> Result<Self, Reason> {
        let public = public_part(record)?;
        let opaque = Opaque::read(PGPU_LEN, number(public, 120))?;
        let host = DriverText::read(public, 8)?;
        let read = Self { public: *public, host, opaque };
        let (least, most) = read.versions();
        if least > most {
            let (found, required) = (Datum::Count(least), Datum::Count(most));
            return Err(Reason::at(reasons::RANGE, 112).spanning(112, 8).because(found, required));
        }
        Ok(read)
    }

    /// The lowest and the highest vGPU version.
    fn versions(&self) -> (u64, u64) {
        (u64::from(number(&self.public, 112)), u64::from(number(&self.public, 116)))
    }
}

impl Attributes for Pgpu {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        match id.number() {
            number if number == VENDOR.number() => Some(Value::Text(Text::constant("nvidia"))),
            number if number == DRIVER_BUILD.number() => self.host.text(&self.public).map(Value::Text),
            number if number == MIGRATION_CAPS.number() => Some(can_migrate(&self.public, 88)),
            number if number == VGPU_VERSION_RANGE.number() => {
                let (least, most) = self.versions();
                Some(Value::Range(least, most))
            }
            _ => None,
        }
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        match id.number() {
            number if number == DRIVER_BUILD.number() => Some((8, 80)),
            number if number == MIGRATION_CAPS.number() => Some((88, 4)),
            number if number == VGPU_VERSION_RANGE.number() => Some((112, 8)),
            _ => None,
        }
    }
}

/// The record of a physical GPU, held whole.
#[derive(Debug)]
pub struct PgpuRecord;

impl Whole for PgpuRecord {
    type Source = Pgpu;

    const DECIDED_BY: usize = PGPU_LEN;

    fn source(prefix: &[u8], _eof: bool, _choices: Choices) -> Result<Pgpu, Undecided> {
        Ok(Pgpu::read(prefix)?)
    }

    fn most(source: &Pgpu) -> usize {
        source.opaque.most()
    }

    fn check(source: &Pgpu, record: &[u8], tell: &mut dyn FnMut(Reason) -> bool) {
        let reserved = filler(record.get(92..112).unwrap_or(&[]), 92, 20);
        let all = [source.host.filler(record), reserved, source.opaque.check(record)];
        all.into_iter().flatten().all(tell);
    }

    fn structure(source: Option<&Pgpu>, input: &[u8], number: u32) -> Option<Structure> {
        structure(&PGPU_RECORD, source.map(|source| source.opaque), input, number)
    }
}

/// How much the beginning of a text field looks like a driver version.
#[derive(PartialEq)]
enum Version80 {
    /// `550.54.14` and a NUL.
    Whole,
    /// It could become one.
    Begun,
    Empty,
    No,
}

impl Version80 {
    fn of(field: &[u8]) -> Self {
        let (mut dots, mut is_part_empty, mut is_any_empty) = (0_usize, true, false);
        for byte in field {
            match byte {
                0 if dots == 0 && is_part_empty => return Self::Empty,
                0 if dots > 0 && !is_part_empty && !is_any_empty => return Self::Whole,
                b'0'..=b'9' => is_part_empty = false,
                // The first character is a digit.
                b'.' if dots > 0 || !is_part_empty => {
                    is_any_empty |= is_part_empty;
                    (dots, is_part_empty) = (dots + 1, true);
                }
                _ => return Self::No,
            }
        }
        Self::Begun
    }
}

/// Bytes by which the records are recognised: nothing in the rest of 64 would add to it.
const LOOKED_AT: usize = 64;

/// Too short to tell. At the end of the input that is not what it begins with.
const fn too_short(eof: bool) -> Likeness {
    if eof { Likeness::No } else { Likeness::Short }
}

fn vgpu_likeness(prefix: &[u8], eof: bool) -> Likeness {
    let Some((state, text)) = prefix.get(8..).and_then(|rest| rest.split_at_checked(4)) else {
        return too_short(eof);
    };
    if !matches!(state, [0 | 1, 0, 0, 0]) {
        return Likeness::No;
    }
    match (state, Version80::of(text)) {
        (_, Version80::Whole) if prefix.len() >= LOOKED_AT => {
            Likeness::Possible("a state of 0 or 1, and a driver version as text, as in the metadata of a virtual GPU")
        }
        (_, Version80::Whole | Version80::Begun) if prefix.len() < LOOKED_AT => Likeness::Short,
        ([0, ..], Version80::Empty) if prefix.len() >= LOOKED_AT => Likeness::Opaque,
        ([0, ..], Version80::Empty) => too_short(eof),
        _ => Likeness::No,
    }
}

fn pgpu_likeness(prefix: &[u8], eof: bool) -> Likeness {
    let Some(text) = prefix.get(8..).filter(|text| !text.is_empty()) else { return too_short(eof) };
    let behind = text.iter().skip_while(|byte| **byte != 0);
    match Version80::of(text) {
        Version80::Whole if behind.clone().any(|byte| *byte != 0) => Likeness::No,
        Version80::Whole if prefix.len() >= LOOKED_AT => Likeness::Certain,
        Version80::Whole | Version80::Begun if prefix.len() < LOOKED_AT => Likeness::Short,
        _ => Likeness::No,
    }
}

#[cfg(test)]
mod tests;
