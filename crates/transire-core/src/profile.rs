//! Profiles: the attributes of one device, and their canonical bytes.
//!
//! [`Header`] is the reader of the attributes behind a prologue, for profiles, sealed streams and answers alike; it
//! borrows and allocates nothing. [`Profile`] owns its bytes. A header that exists has passed every check.
//!
//! Source of the layout: `docs/format.md`, sections "Header" and "Profile".

use alloc::collections::{BTreeMap, TryReserveError};
use alloc::vec::Vec;

use crate::attribute::{
    ANSWER_COMPLETE, ANSWER_OUTCOME, ANSWER_REASONS, ANSWER_STAGE, ANSWERS, AttributeId, Attributes, COMMON,
    Constraint, DEVICE_LABEL, DIGEST, Definition, Dictionary, DictionaryOf, IdRange, Malformed, OwnedValue,
    PAYLOAD_FORMAT, PAYLOAD_LEN, STREAM, STREAM_ID, Type, VENDOR, Value,
};
use crate::bytes::{Reader, Writer, index, widen};
use crate::checksum::crc32c;
use crate::prologue::{Content, HEADER_MAX, MAGIC, PROLOGUE_LEN, Prologue};
use crate::verdict::{Datum, Reason, ReasonId, Verdict, reasons};

/// Bytes before the value of each attribute: id, type, zero, length.
pub const ATTRIBUTE_HEAD: usize = 8;

/// Where the known attributes stand in a header. Each number that a table here defines has a slot, so that looking one
/// up takes the same time whatever the header holds.
#[derive(Clone, Copy, Debug)]
struct Slots([u16; Self::COUNT]);

impl Slots {
    const COMMON: usize = 32;
    const STREAM: usize = 16;
    const VENDOR: usize = 48;
    const COUNT: usize = Self::COMMON + Self::STREAM + Self::VENDOR;

    fn of(number: u16) -> Option<usize> {
        let number = usize::from(number);
        match number {
            0x0000..0x0020 => Some(number),
            0x00e0..0x00f0 => Some(number - 0x00e0 + Self::COMMON),
            0x0100..0x0130 => Some(number - 0x0100 + Self::COMMON + Self::STREAM),
            _ => None,
        }
    }

    /// Where in the header the attribute stands.
    fn position(&self, id: AttributeId) -> Option<usize> {
        let slot = *self.0.get(Self::of(id.number())?)?;
        usize::from(slot).checked_sub(1)
    }

    /// The value of the attribute in a header that has passed.
    fn value<'a>(&self, header: &'a [u8], id: AttributeId) -> Option<Value<'a>> {
        let (head, behind) = header.get(self.position(id)?..)?.split_first_chunk()?;
        let (_, type_code, _, length) = split_head(*head);
        Value::read_again(Type::from_code(type_code)?, behind.get(..length)?)
    }
}

/// The attributes behind a prologue, checked, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    bytes: &'a [u8],
    slots: Slots,
    dictionary: Option<&'static Dictionary>,
}

/// One attribute as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The id with its critical bit.
    pub id: AttributeId,
    /// The code of the type.
    pub type_code: u8,
    /// The reserved byte, zero in a header that passed.
    pub zero: u8,
    /// The bytes of the value.
    pub bytes: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The value; `None` for a type of a later version.
    pub fn value(&self) -> Option<Value<'a>> {
        Value::read(Type::from_code(self.type_code)?, self.bytes).ok()
    }

    /// The next attribute, split as the lengths say and not judged; `Err` where it is cut.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, crate::bytes::Short> {
        let (id, type_code, zero, length) = split_head(reader.array()?);
        Ok(Self { id, type_code, zero, bytes: reader.take(length)? })
    }
}

impl<'a> Header<'a> {
    /// Reads the header that stands at `offset` of the input. Notes go to `verdict`; the first error is returned.
    ///
    /// What only the caller can know is not asked here: whether payload format, digest and vendor are known. The order
    /// of the checks is normative.
    pub fn read(
        bytes: &'a [u8],
        offset: u64,
        content: Content,
        dictionary_of: DictionaryOf<'_>,
        verdict: &mut Verdict,
    ) -> Result<Self, Reason> {
        let mut header = Self { bytes, slots: Slots([0; Slots::COUNT]), dictionary: None };
        let mut reader = Reader::new(bytes);
        let mut unknown_critical = None;
        let mut before = 0;
        // What can still come of the range at hand: numbers ascend, in the tables as in the header, and so do ranges.
        let (mut range, mut known) = (IdRange::Common, COMMON);
        while !reader.is_empty() {
            let position = bytes.len() - reader.rest().len();
            let start = offset + widen(position);
            let attribute = read_attribute(&mut reader, start, before)?;
            let (id, number) = (attribute.id, attribute.id.number());
            before = number;
            if !belongs(id, content) {
                return Err(about(reasons::ATTRIBUTE_MISPLACED, start, 2, id));
            }
            if id.range() != range {
                range = id.range();
                known = match range {
                    IdRange::Stream => STREAM,
                    IdRange::Vendor => header.dictionary.map_or(&[][..], |dictionary| dictionary.attributes),
                    IdRange::Common | IdRange::Private | IdRange::Invalid => &[],
                };
            }
            let definition = next_known(&mut known, number);
            check_value(&attribute, definition, start)?;
            if definition.is_none() {
                let has_vendor = header.position(VENDOR).is_some();
                if range == IdRange::Vendor && has_vendor && header.dictionary.is_none() {
                    // Nobody here can know its attributes: that the vendor is unknown says it all.
                } else if id.is_critical() {
                    unknown_critical.get_or_insert(about(reasons::ATTRIBUTE_UNKNOWN_CRITICAL, start, 2, id));
                } else {
                    verdict.push(about(reasons::ATTRIBUTE_UNKNOWN, start, 2, id));
                }
                continue;
            }
            if id == VENDOR
                && let Some(Value::Text(name)) = Value::read_again(Type::Text, attribute.bytes)
            {
                header.dictionary = dictionary_of(name.as_str());
            }
            if let Some(slot) = Slots::of(number).and_then(|slot| header.slots.0.get_mut(slot)) {
                // At most 65,528, so it fits with the one added; see HEADER_MAX.
                *slot = u16::try_from(position + 1).unwrap_or(0);
            }
        }
        let mandatory: &[AttributeId] = match content {
            Content::Profile => &[VENDOR],
            Content::Sealed => &[VENDOR, PAYLOAD_FORMAT, DIGEST, STREAM_ID],
            Content::Answer => &[VENDOR, STREAM_ID, ANSWERS, ANSWER_STAGE, ANSWER_OUTCOME, ANSWER_COMPLETE],
        };
        for &id in mandatory {
            if header.position(id).is_none() {
                return Err(about(reasons::ATTRIBUTE_MISSING, offset + widen(bytes.len()), 0, id));
            }
        }
        unknown_critical.map_or(Ok(header), Err)
    }

    /// The bytes of the header.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The dictionary of the vendor; `None` for a vendor that nobody here knows.
    pub const fn dictionary(&self) -> Option<&'static Dictionary> {
        self.dictionary
    }

    /// The vendor's name. A header without one does not exist.
    pub fn vendor(&self) -> &'a str {
        match self.get(VENDOR) {
            Some(Value::Text(name)) => name.as_str(),
            _ => "",
        }
    }

    /// All attributes in their order, known ones and others.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> {
        let mut reader = Reader::new(self.bytes);
        core::iter::from_fn(move || Attribute::read(&mut reader).ok())
    }

    /// Offset of a known attribute in the header, in bytes.
    pub fn position(&self, id: AttributeId) -> Option<usize> {
        self.slots.position(id)
    }

    /// The value of a known attribute.
    pub fn get(&self, id: AttributeId) -> Option<Value<'a>> {
        self.slots.value(self.bytes, id)
    }

    /// A profile of this header's device: everything but what describes the stream.
    pub fn to_profile(&self, dictionary_of: DictionaryOf<'_>) -> Result<Profile, Reason> {
        let mut builder = ProfileBuilder::new();
        for attribute in self.attributes().filter(|attribute| attribute.id.range() != IdRange::Stream) {
            builder.set_raw(attribute.id, attribute.type_code, attribute.bytes);
        }
        builder.build(dictionary_of)
    }
}

impl Attributes for Header<'_> {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        self.get(id)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        let position = self.position(id)?;
        let attribute = Attribute::read(&mut Reader::new(self.bytes.get(position..)?)).ok()?;
        let offset = widen(PROLOGUE_LEN + position + ATTRIBUTE_HEAD);
        Some((offset, u32::try_from(attribute.bytes.len()).ok()?))
    }
}

/// Whether an attribute with this number, known or not, may stand in a header of this content. An answer describes no
/// device, and a stream says nothing of answers.
fn belongs(id: AttributeId, content: Content) -> bool {
    match (content, id.range()) {
        (Content::Profile, range) => range != IdRange::Stream,
        (Content::Sealed, IdRange::Stream) => {
            !id.is_one_of(&[ANSWERS, ANSWER_STAGE, ANSWER_OUTCOME, ANSWER_COMPLETE, ANSWER_REASONS])
        }
        (Content::Sealed, _) | (Content::Answer, IdRange::Private) => true,
        (Content::Answer, IdRange::Stream) => !id.is_one_of(&[PAYLOAD_FORMAT, DIGEST, PAYLOAD_LEN, DEVICE_LABEL]),
        (Content::Answer, _) => id.is(VENDOR),
    }
}

/// The definition with this number, in a table from which those of lower numbers are dropped.
fn next_known(table: &mut &'static [Definition], number: u16) -> Option<&'static Definition> {
    while let Some((first, rest)) = table.split_first() {
        if first.id.number() > number {
            return None;
        }
        *table = rest;
        if first.id.number() == number {
            return Some(first);
        }
    }
    None
}

/// Id, code of the type, reserved byte, and length.
fn split_head(head: [u8; ATTRIBUTE_HEAD]) -> (AttributeId, u8, u8, usize) {
    let [id_low, id_high, type_code, zero, length @ ..] = head;
    let id = AttributeId(u16::from_le_bytes([id_low, id_high]));
    (id, type_code, zero, index(u32::from_le_bytes(length)))
}

/// The head of an attribute, as [`split_head`] takes it apart.
pub(crate) const fn join_head(id: AttributeId, type_code: u8, length: u32) -> [u8; ATTRIBUTE_HEAD] {
    let ([id_low, id_high], [a, b, c, d]) = (id.0.to_le_bytes(), length.to_le_bytes());
    [id_low, id_high, type_code, 0, a, b, c, d]
}

fn read_attribute<'a>(reader: &mut Reader<'a>, start: u64, before: u16) -> Result<Attribute<'a>, Reason> {
    let overrun = |offset, length| Reason::at(reasons::ATTRIBUTE_OVERRUN, offset).spanning(offset, length);
    let mut ahead = *reader;
    let (id, type_code, zero, length) = split_head(ahead.array().map_err(|_| overrun(start, 0))?);
    if id.number() == 0 {
        return Err(about(reasons::ATTRIBUTE_ID, start, 2, id));
    }
    if id.number() <= before {
        return Err(about(reasons::ATTRIBUTE_ORDER, start, 2, id));
    }
    if zero != 0 {
        return Err(
            about(reasons::ATTRIBUTE_ZERO, start + 3, 1, id).because(Datum::Wire(u64::from(zero)), Datum::Wire(0))
        );
    }
    let bytes = ahead.take(length).map_err(|_| {
        overrun(start + 4, 4).about(id).because(Datum::Count(widen(length)), Datum::Count(widen(ahead.rest().len())))
    })?;
    *reader = ahead;
    Ok(Attribute { id, type_code, zero, bytes })
}

/// Checks what the attribute's type and, where it is known, its definition demand.
fn check_value(attribute: &Attribute<'_>, known: Option<&'static Definition>, start: u64) -> Result<(), Reason> {
    let id = attribute.id;
    let kind = Type::from_code(attribute.type_code);
    if let Some(definition) = known {
        if id != definition.id {
            return Err(about(reasons::ATTRIBUTE_CRITICAL_BIT, start, 2, id)
                .because(Datum::Wire(u64::from(id.0)), Datum::Wire(u64::from(definition.id.0))));
        }
        let may_be_unknown = || id != VENDOR && id.range() != IdRange::Stream;
        let fits = kind == Some(definition.kind) || (kind == Some(Type::Unknown) && may_be_unknown());
        if !fits {
            return Err(about(reasons::ATTRIBUTE_TYPE, start + 2, 1, id)
                .because(Datum::Wire(u64::from(attribute.type_code)), Datum::Wire(u64::from(definition.kind.code()))));
        }
    }
    let Some(kind) = kind else { return Ok(()) };
    let bytes = attribute.bytes;
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if let Err(malformed) = Value::check(kind, bytes) {
        return Err(match malformed {
            Malformed::Length => about(reasons::ATTRIBUTE_LENGTH, start + 4, 4, id)
                .because(Datum::Count(u64::from(length)), Datum::Word(kind.name())),
            Malformed::Content => {
                about(reasons::ATTRIBUTE_VALUE, start + 8, length, id).because(Datum::None, Datum::Word(kind.name()))
            }
        });
    }
    match known.map(|definition| definition.constraint) {
        None | Some(Constraint::Any) => Ok(()),
        Some(constraint) => match Value::read_again(kind, bytes) {
            Some(value) if constraint.admits(value) => Ok(()),
            Some(Value::Uint(number)) => {
                Err(about(reasons::ATTRIBUTE_VALUE, start + 8, length, id).because(Datum::Count(number), Datum::None))
            }
            _ => Err(about(reasons::ATTRIBUTE_VALUE, start + 8, length, id)),
        },
    }
}

#[cold]
fn about(id: ReasonId, offset: u64, length: u32, attribute: AttributeId) -> Reason {
    Reason::at(id, offset).spanning(offset, length).about(attribute)
}

/// A header with bytes of its own, for a reader whose input moves on.
#[derive(Clone, Debug)]
pub struct OwnedHeader {
    bytes: Vec<u8>,
    slots: Slots,
    dictionary: Option<&'static Dictionary>,
}

impl Default for OwnedHeader {
    fn default() -> Self {
        Self { bytes: Vec::new(), slots: Slots([0; Slots::COUNT]), dictionary: None }
    }
}

impl OwnedHeader {
    /// No header, and room for one of so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Makes room for a header of so many bytes; none is held yet.
    ///
    /// # Errors
    /// The memory is not there.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), TryReserveError> {
        self.bytes.try_reserve_exact(bytes)
    }

    /// Holds the bytes of a header of which no attribute is to be known.
    pub(crate) fn hold_unread(&mut self, header: &[u8]) {
        self.clear();
        self.bytes.extend_from_slice(header);
    }

    /// Holds this header in place of the last.
    pub fn hold(&mut self, header: &Header<'_>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(header.bytes);
        self.slots = header.slots;
        self.dictionary = header.dictionary;
    }

    /// Holds none, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.slots = Slots([0; Slots::COUNT]);
        self.dictionary = None;
    }

    /// The header; `None` before one is held.
    pub fn header(&self) -> Option<Header<'_>> {
        let header = Header { bytes: &self.bytes, slots: self.slots, dictionary: self.dictionary };
        (!self.bytes.is_empty()).then_some(header)
    }
}

impl Attributes for OwnedHeader {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        self.slots.value(&self.bytes, id)
    }

    fn place(&self, id: AttributeId) -> Option<(u64, u32)> {
        self.header()?.place(id)
    }
}

/// The attributes of one device.
#[derive(Clone, Debug)]
pub struct Profile {
    bytes: Vec<u8>,
    slots: Slots,
    dictionary: &'static Dictionary,
}

impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Profile {}

impl Profile {
    /// Reads the canonical bytes of a profile, which must end where the profile ends.
    pub fn read(bytes: &[u8], dictionary_of: DictionaryOf<'_>, verdict: &mut Verdict) -> Result<Self, Reason> {
        let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        if !MAGIC.starts_with(magic) {
            return Err(Reason::at(reasons::MAGIC_UNRECOGNIZED, 0));
        }
        let cut = |id| Reason::at(id, widen(bytes.len()));
        if bytes.len() < MAGIC.len() {
            return Err(cut(reasons::MAGIC_TRUNCATED));
        }
        let Some((prologue, rest)) = bytes.split_first_chunk::<PROLOGUE_LEN>() else {
            return Err(cut(reasons::PROLOGUE_TRUNCATED));
        };
        let prologue = Prologue::read(prologue)?;
        if prologue.content != Content::Profile {
            return Err(Reason::at(reasons::PROLOGUE_CONTENT, 20)
                .spanning(20, 1)
                .because(Datum::Wire(u64::from(prologue.content.code())), Datum::Wire(1)));
        }
        let Some((header, trailing)) = rest.split_at_checked(index(prologue.header_len)) else {
            return Err(cut(reasons::HEADER_TRUNCATED));
        };
        check_header_crc(&prologue, header)?;
        let profile = Self::of_header(header.to_vec(), dictionary_of, verdict)?;
        if trailing.is_empty() {
            Ok(profile)
        } else {
            let end = widen(bytes.len() - trailing.len());
            Err(Reason::at(reasons::STREAM_TRAILING, end).because(Datum::Count(widen(trailing.len())), Datum::Count(0)))
        }
    }

    /// Everything that is known of a source, by the attributes of its vendor's dictionary.
    pub fn collect(
        source: &dyn Attributes,
        dictionary: &'static Dictionary,
        dictionary_of: DictionaryOf<'_>,
    ) -> Result<Self, Reason> {
        let mut builder = ProfileBuilder::new();
        for definition in dictionary.definitions() {
            if let Some(value) = source.value(definition.id) {
                builder.set(definition.id, &value.to_owned());
            }
        }
        builder.build(dictionary_of)
    }

    fn of_header(bytes: Vec<u8>, dictionary_of: DictionaryOf<'_>, verdict: &mut Verdict) -> Result<Self, Reason> {
        let offset = widen(PROLOGUE_LEN);
        let header = Header::read(&bytes, offset, Content::Profile, dictionary_of, verdict)?;
        let slots = header.slots;
        let dictionary = header.dictionary.ok_or(vendor_unrecognized(&header, offset))?;
        Ok(Self { bytes, slots, dictionary })
    }

    /// The canonical bytes: prologue and header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PROLOGUE_LEN + self.bytes.len());
        // A profile that exists has a header of 1 to 65,536 bytes.
        if let Some(prologue) = Prologue::of(Content::Profile, &self.bytes) {
            bytes.extend_from_slice(&prologue.write());
        }
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    /// The profile as a borrowed header.
    pub fn header(&self) -> Header<'_> {
        Header { bytes: &self.bytes, slots: self.slots, dictionary: Some(self.dictionary) }
    }

    /// The vendor's name.
    pub fn vendor(&self) -> &'static str {
        self.dictionary.vendor
    }

    /// What the attributes mean.
    pub const fn dictionary(&self) -> &'static Dictionary {
        self.dictionary
    }
}

impl Attributes for Profile {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        self.slots.value(&self.bytes, id)
    }
}

/// Checks the header's checksum against its prologue.
pub fn check_header_crc(prologue: &Prologue, header: &[u8]) -> Result<(), Reason> {
    let computed = crc32c(header);
    if computed == prologue.header_crc {
        return Ok(());
    }
    Err(Reason::at(reasons::HEADER_CRC, 12)
        .spanning(12, 4)
        .because(Datum::Wire(u64::from(prologue.header_crc)), Datum::Wire(u64::from(computed))))
}

/// The reason for a header whose vendor nobody here knows.
pub fn vendor_unrecognized(header: &Header<'_>, offset: u64) -> Reason {
    let at = offset + widen(header.position(VENDOR).unwrap_or(0) + ATTRIBUTE_HEAD);
    about(reasons::VENDOR_UNRECOGNIZED, at, u32::try_from(header.vendor().len()).unwrap_or(0), VENDOR)
}

/// Puts attributes together, in any order, and writes the header from them.
#[derive(Clone, Debug, Default)]
pub struct ProfileBuilder {
    attributes: BTreeMap<u16, (AttributeId, u8, Vec<u8>)>,
}

impl ProfileBuilder {
    /// No attributes.
    pub const fn new() -> Self {
        Self { attributes: BTreeMap::new() }
    }

    /// Sets an attribute. Returns whether its number was free.
    pub fn set(&mut self, id: AttributeId, value: &OwnedValue) -> bool {
        self.set_raw(id, value.kind().code(), value.bytes())
    }

    /// Sets an attribute from its wire form, also one of a type that is not known here. Returns whether its number was
    /// free.
    pub fn set_raw(&mut self, id: AttributeId, type_code: u8, bytes: &[u8]) -> bool {
        self.attributes.insert(id.number(), (id, type_code, bytes.to_vec())).is_none()
    }

    /// The header's bytes. `None` when it would be longer than a header may be.
    pub fn header(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        for (id, type_code, value) in self.attributes.values() {
            writer.bytes(&join_head(*id, *type_code, u32::try_from(value.len()).ok()?));
            writer.bytes(value);
        }
        (1..=index(HEADER_MAX)).contains(&bytes.len()).then_some(bytes)
    }

    /// The profile, read back from its own bytes: what was put together passes the same checks as what comes in.
    pub fn build(&self, dictionary_of: DictionaryOf<'_>) -> Result<Profile, Reason> {
        let header = self.header().ok_or(Reason::at(reasons::PROLOGUE_HEADER_LEN, 8))?;
        Profile::of_header(header, dictionary_of, &mut Verdict::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{AGGREGATION, COMMON, DRIVER, DRIVER_VERSION, MDEV_TYPE, PCI_ID, PciId, Text, Version};
    use alloc::vec;

    static TOY: Dictionary = Dictionary {
        vendor: "toy",
        attributes: &[Definition {
            id: AttributeId(0x8100),
            name: "lanes",
            kind: Type::Uint,
            constraint: Constraint::Between(1, 16),
            meaning: "",
            place: "",
            example: "",
        }],
    };

    fn dictionary_of(name: &str) -> Option<&'static Dictionary> {
        (name == "toy").then_some(&TOY)
    }

    fn attribute(id: u16, type_code: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.u16(id);
        writer.u8(type_code);
        writer.u8(0);
        writer.u32(u32::try_from(bytes.len()).unwrap());
        writer.bytes(bytes);
        out
    }

    fn read(header: &[u8], content: Content) -> (Result<(), (ReasonId, u64)>, Verdict) {
        let mut verdict = Verdict::new();
        let result = Header::read(header, 32, content, &dictionary_of, &mut verdict);
        (result.map(|_| ()).map_err(|reason| (reason.id, reason.offset().unwrap())), verdict)
    }

    #[test]
    fn every_known_number_has_a_slot() {
        for definition in COMMON.iter().chain(STREAM) {
            assert!(Slots::of(definition.id.number()).is_some(), "{}", definition.name);
        }
    }

    #[test]
    fn checks_in_order_with_their_offsets() {
        use reasons as r;
        type Case = (&'static str, Vec<u8>, Result<(), (ReasonId, u64)>);
        let toy = attribute(0x8001, 3, b"toy");
        let with = |more: &[&[u8]]| [&toy, more.concat().as_slice()].concat();
        let mut zero_byte = attribute(0x0003, 3, b"x");
        zero_byte[3] = 7;
        let mut overrun = attribute(0x0003, 3, b"x");
        overrun[4] = 2;
        let end = 32 + 11;
        let cases: Vec<Case> = vec![
            ("the least", toy.clone(), Ok(())),
            ("head cut", toy[..7].to_vec(), Err((r::ATTRIBUTE_OVERRUN, 32))),
            ("value cut", toy[..10].to_vec(), Err((r::ATTRIBUTE_OVERRUN, 36))),
            ("second head cut", with(&[&[3, 0]]), Err((r::ATTRIBUTE_OVERRUN, end))),
            ("number 0", with(&[&attribute(0x8000, 3, b"x")]), Err((r::ATTRIBUTE_ID, end))),
            ("repeated", with(&[&toy]), Err((r::ATTRIBUTE_ORDER, end))),
            ("descending", with(&[&attribute(9, 3, b"x"), &attribute(3, 3, b"x")]), Err((r::ATTRIBUTE_ORDER, end + 9))),
            ("zero byte", with(&[&zero_byte]), Err((r::ATTRIBUTE_ZERO, end + 3))),
            ("too long", with(&[&overrun]), Err((r::ATTRIBUTE_OVERRUN, end + 4))),
            ("stream attribute", with(&[&attribute(0x80e1, 2, &[0; 8])]), Err((r::ATTRIBUTE_MISPLACED, end))),
            ("critical bit", with(&[&attribute(0x8003, 3, b"x")]), Err((r::ATTRIBUTE_CRITICAL_BIT, end))),
            ("vendor not critical", attribute(0x0001, 3, b"toy"), Err((r::ATTRIBUTE_CRITICAL_BIT, 32))),
            ("type", with(&[&attribute(0x0003, 4, b"x")]), Err((r::ATTRIBUTE_TYPE, end + 2))),
            ("type unknown, id known", with(&[&attribute(0x0003, 99, b"x")]), Err((r::ATTRIBUTE_TYPE, end + 2))),
            ("vendor not reported", attribute(0x8001, 12, b""), Err((r::ATTRIBUTE_TYPE, 34))),
            ("not reported", with(&[&attribute(0x0003, 12, b"")]), Ok(())),
            ("length", with(&[&attribute(0x0006, 2, &[0; 7])]), Err((r::ATTRIBUTE_LENGTH, end + 4))),
            ("value", with(&[&attribute(0x0003, 3, b"\n")]), Err((r::ATTRIBUTE_VALUE, end + 8))),
            ("aggregation 0", with(&[&attribute(0x000a, 2, &[0; 8])]), Err((r::ATTRIBUTE_VALUE, end + 8))),
            ("lanes 17", with(&[&attribute(0x8100, 2, &17_u64.to_le_bytes())]), Err((r::ATTRIBUTE_VALUE, end + 8))),
            ("no vendor", attribute(0x0003, 3, b"x"), Err((r::ATTRIBUTE_MISSING, 41))),
            ("unknown, malformed", with(&[&attribute(0x0050, 1, &[9])]), Err((r::ATTRIBUTE_VALUE, end + 8))),
            ("unknown critical", with(&[&attribute(0x8050, 1, &[1])]), Err((r::ATTRIBUTE_UNKNOWN_CRITICAL, end))),
            ("unassigned 2", with(&[&attribute(0x8002, 99, &[1])]), Err((r::ATTRIBUTE_UNKNOWN_CRITICAL, end))),
            (
                "corrupt comes before unrecognized",
                with(&[&attribute(0x8050, 1, &[1]), &attribute(0x0051, 1, &[9])]),
                Err((r::ATTRIBUTE_VALUE, end + 9 + 8)),
            ),
            ("unknown type of an unknown id", with(&[&attribute(0x0050, 0, &[1])]), Ok(())),
            ("private", with(&[&attribute(0x7123, 2, &[0; 8])]), Ok(())),
        ];
        for (name, header, expected) in cases {
            assert_eq!(read(&header, Content::Profile).0, expected, "{name}");
        }
    }

    #[test]
    fn a_sealed_header_has_more_that_is_mandatory() {
        let mut header = attribute(0x8001, 3, b"toy");
        for (id, kind, bytes) in
            [(0x80e0, 3, &b"opaque"[..]), (0x80e1, 2, &[1, 0, 0, 0, 0, 0, 0, 0]), (0x80e3, 4, &[7; 16])]
        {
            let (result, _) = read(&header, Content::Sealed);
            assert_eq!(result, Err((reasons::ATTRIBUTE_MISSING, 32 + widen(header.len()))));
            header.extend(attribute(id, kind, bytes));
        }
        assert_eq!(read(&header, Content::Sealed).0, Ok(()));
        let short_id = attribute(0x80e3, 4, &[7; 15]);
        let header = [attribute(0x8001, 3, b"toy"), short_id].concat();
        assert_eq!(read(&header, Content::Sealed).0, Err((reasons::ATTRIBUTE_VALUE, 32 + 11 + 8)));
    }

    #[test]
    fn unknown_attributes_are_kept_and_noted() {
        let mut header = attribute(0x8001, 3, b"toy");
        for number in 0x0200..0x0220 {
            header.extend(attribute(number, 99, &[1, 2]));
        }
        let (result, verdict) = read(&header, Content::Profile);
        assert_eq!(result, Ok(()));
        assert_eq!((verdict.reasons().len(), verdict.dropped()), (16, 16));
        let profile = Profile::of_header(header.clone(), &dictionary_of, &mut Verdict::new()).unwrap();
        assert_eq!(profile.to_bytes()[32..], header);
    }

    #[test]
    fn an_unknown_vendor_is_told_before_its_attributes() {
        let header = [attribute(0x8001, 3, b"nobody"), attribute(0x8100, 2, &[0; 8])].concat();
        let reason = Profile::of_header(header, &dictionary_of, &mut Verdict::new()).unwrap_err();
        assert_eq!((reason.id, reason.offset()), (reasons::VENDOR_UNRECOGNIZED, Some(40)));
    }

    #[test]
    fn a_profile_is_written_and_read_back() {
        let mut builder = ProfileBuilder::new();
        let text = |text| Value::Text(Text::new(text).unwrap()).to_owned();
        assert!(builder.set(MDEV_TYPE, &text("toy-2")));
        assert!(builder.set(VENDOR, &text("toy")));
        assert!(builder.set(PCI_ID, &Value::PciId(PciId { vendor: 0x8086, device: 1 }).to_owned()));
        assert!(builder.set(DRIVER_VERSION, &Value::Version(Version { major: 1, minor: 2, patch: 3 }).to_owned()));
        assert!(builder.set(DRIVER, &Value::Unknown.to_owned()));
        assert!(builder.set(AGGREGATION, &Value::Uint(1).to_owned()));
        assert!(!builder.set(AGGREGATION, &Value::Uint(2).to_owned()), "the number was taken");
        let profile = builder.build(&dictionary_of).unwrap();
        assert_eq!(profile.vendor(), "toy");
        assert_eq!(profile.value(AGGREGATION), Some(Value::Uint(2)));
        assert_eq!(profile.value(DRIVER), Some(Value::Unknown));
        assert_eq!(profile.value(AttributeId(0x0100)), None);

        let bytes = profile.to_bytes();
        let mut notes = Verdict::new();
        assert_eq!(Profile::read(&bytes, &dictionary_of, &mut notes).as_ref(), Ok(&profile));
        let error = |bytes: &[u8]| {
            let reason = Profile::read(bytes, &dictionary_of, &mut Verdict::new()).unwrap_err();
            (reason.id, reason.offset().unwrap())
        };
        assert_eq!(error(&[]), (reasons::MAGIC_TRUNCATED, 0));
        assert_eq!(error(b"TRANSIRX"), (reasons::MAGIC_UNRECOGNIZED, 0));
        assert_eq!(error(&bytes[..31]), (reasons::PROLOGUE_TRUNCATED, 31));
        assert_eq!(error(&bytes[..bytes.len() - 1]), (reasons::HEADER_TRUNCATED, widen(bytes.len() - 1)));
        assert_eq!(error(&[&bytes[..], &[0]].concat()), (reasons::STREAM_TRAILING, widen(bytes.len())));
        let mut damaged = bytes.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(error(&damaged), (reasons::HEADER_CRC, 12));
    }
}
