//! The type system of attributes, and the one table of the common ones.
//!
//! A [`Value`] borrows its wire bytes and is `Copy`: judging a stream from its header allocates nothing. A value that
//! exists is well formed; there is no other way to make one than [`Value::read`] and the constructors here.
//!
//! Source of the layout: `docs/format.md`, section "Attributes".

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use crate::bytes::{Reader, Writer, widen};

/// The wire id of an attribute: 15 bits of number, and the critical bit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct AttributeId(pub u16);

impl AttributeId {
    /// No attribute: never valid on the wire.
    pub const NONE: Self = Self(0);
    /// Set in the id of an attribute that a reader must understand.
    pub const CRITICAL: u16 = 0x8000;

    /// The number without the critical bit: what orders attributes and tells them apart.
    pub const fn number(self) -> u16 {
        self.0 & !Self::CRITICAL
    }

    /// Whether a reader that does not know this attribute must refuse.
    pub const fn is_critical(self) -> bool {
        self.0 & Self::CRITICAL != 0
    }

    /// Whether both are the id of the same attribute; the critical bit does not matter.
    pub const fn is(self, other: Self) -> bool {
        self.number() == other.number()
    }

    /// Whether it is the id of one of these attributes.
    pub fn is_one_of(self, attributes: &[Self]) -> bool {
        attributes.iter().any(|one| self.is(*one))
    }

    /// Which range the number belongs to.
    pub const fn range(self) -> IdRange {
        match self.number() {
            0 => IdRange::Invalid,
            0x0001..=0x00df => IdRange::Common,
            0x00e0..=0x00ff => IdRange::Stream,
            0x0100..=0x6fff => IdRange::Vendor,
            _ => IdRange::Private,
        }
    }
}

impl fmt::Debug for AttributeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for AttributeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04x}", self.0)
    }
}

/// The ranges of attribute numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRange {
    /// 0: never valid.
    Invalid,
    /// 0x0001 to 0x00DF: the same for every vendor.
    Common,
    /// 0x00E0 to 0x00FF: about a sealed stream or an answer to one, never in a profile.
    Stream,
    /// 0x0100 to 0x6FFF: numbered by the vendor that the `vendor` attribute names.
    Vendor,
    /// 0x7000 to 0x7FFF: for private use.
    Private,
}

/// The type of a value, with its code on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool = 1,
    /// An unsigned 64-bit number.
    Uint = 2,
    /// UTF-8, 1 to 1,024 bytes, nothing invisible.
    Text = 3,
    /// 1 to 4,096 bytes.
    Bytes = 4,
    /// Three 32-bit numbers: major, minor, patch.
    Version = 5,
    /// Two 64-bit numbers, low and high, both inclusive.
    Range = 6,
    /// A set of bits, 1 to 32 bytes, bit 0 first.
    Mask = 7,
    /// 1 to 256 members of one type, ascending.
    Set = 8,
    /// A fraction in lowest terms.
    Ratio = 9,
    /// PCI vendor and device id.
    PciId = 10,
    /// 1 to 256 pairs of texts, keys ascending.
    Map = 11,
    /// The attribute exists, its value has not been reported.
    Unknown = 12,
}

impl Type {
    /// Every type, in the order of the codes.
    pub const ALL: [Self; 12] = [
        Self::Bool,
        Self::Uint,
        Self::Text,
        Self::Bytes,
        Self::Version,
        Self::Range,
        Self::Mask,
        Self::Set,
        Self::Ratio,
        Self::PciId,
        Self::Map,
        Self::Unknown,
    ];

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The type with this code; `None` for a type of a later version.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Bool,
            2 => Self::Uint,
            3 => Self::Text,
            4 => Self::Bytes,
            5 => Self::Version,
            6 => Self::Range,
            7 => Self::Mask,
            8 => Self::Set,
            9 => Self::Ratio,
            10 => Self::PciId,
            11 => Self::Map,
            12 => Self::Unknown,
            _ => return None,
        })
    }

    /// The name in text forms and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Uint => "uint",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Version => "version",
            Self::Range => "range",
            Self::Mask => "mask",
            Self::Set => "set",
            Self::Ratio => "ratio",
            Self::PciId => "pci_id",
            Self::Map => "map",
            Self::Unknown => "unknown",
        }
    }

    /// The type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Shortest and longest value, in bytes.
    #[expect(clippy::match_same_arms, reason = "a table, one row a type")]
    pub const fn length(self) -> (usize, usize) {
        match self {
            Self::Bool => (1, 1),
            Self::Uint => (8, 8),
            Self::Text => (1, TEXT_MAX),
            Self::Bytes => (1, BYTES_MAX),
            Self::Version => (12, 12),
            Self::Range => (16, 16),
            Self::Mask => (1, MASK_MAX),
            // One member type, then at least one member of two length bytes and one byte.
            Self::Set => (4, 1 + MEMBERS_MAX * (2 + TEXT_MAX)),
            Self::Ratio => (8, 8),
            Self::PciId => (4, 4),
            Self::Map => (6, MEMBERS_MAX * 2 * (2 + TEXT_MAX)),
            Self::Unknown => (0, 0),
        }
    }

    /// Whether a set may have members of this type.
    pub const fn is_member(self) -> bool {
        matches!(self, Self::Uint | Self::Text | Self::PciId)
    }
}

/// Longest text, in bytes: a line that a person can still read.
pub const TEXT_MAX: usize = 1024;
/// Longest byte string: an opaque record of a device, such as a key hash or a firmware blob's digest.
pub const BYTES_MAX: usize = 4096;
/// Longest mask: 256 bits, the widest that a device has shown (the adapter masks of s390 crypto).
pub const MASK_MAX: usize = 32;
/// Most members of a set and most pairs of a map: a list that somebody wrote, not a table.
pub const MEMBERS_MAX: usize = 256;

/// A version: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// A change of it breaks compatibility.
    pub major: u32,
    /// Grows with compatible additions.
    pub minor: u32,
    /// Never matters for compatibility.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// PCI vendor and device id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PciId {
    /// The vendor id, or the subsystem's vendor id.
    pub vendor: u16,
    /// The device id, or the subsystem id.
    pub device: u16,
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}

/// A fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    numerator: u32,
    denominator: u32,
}

impl Ratio {
    /// The fraction, if its denominator is not zero and it is in lowest terms.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        (denominator > 0 && greatest_common_divisor(numerator, denominator) == 1)
            .then_some(Self { numerator, denominator })
    }

    /// The number above the line.
    pub const fn numerator(self) -> u32 {
        self.numerator
    }

    /// The number below the line, never 0.
    pub const fn denominator(self) -> u32 {
        self.denominator
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u64::from(self.numerator) * u64::from(other.denominator);
        left.cmp(&(u64::from(other.numerator) * u64::from(self.denominator)))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

const fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Text that can be shown to people: UTF-8 of 1 to 1,024 bytes, without control, direction or invisible characters.
///
/// It is held as bytes, and compared and ordered as bytes; they were checked when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// The text, if it is well formed.
    pub fn new(text: &'a str) -> Option<Self> {
        Self::read(text.as_bytes())
    }

    /// The text of these bytes, if they are well formed.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let shown = is_printable(bytes) || core::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_shown));
        (shown && (1..=TEXT_MAX).contains(&bytes.len())).then_some(Self(bytes))
    }

    /// A text of the project's own tables. A malformed one does not compile where this is used in a constant.
    ///
    /// # Panics
    /// When the text is empty, too long or not printable ASCII.
    pub const fn constant(text: &'static str) -> Text<'static> {
        let bytes = text.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= TEXT_MAX, "a text has 1 to 1,024 bytes");
        let mut at = 0;
        while at < bytes.len() {
            assert!(bytes[at] >= 0x20 && bytes[at] < 0x7f, "a constant text is printable ASCII");
            at += 1;
        }
        Text(bytes)
    }

    /// The characters.
    pub fn as_str(self) -> &'a str {
        // They were checked when this was made, so they are UTF-8.
        core::str::from_utf8(self.0).unwrap_or_default()
    }

    /// The bytes, as they stand on the wire.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Whether a character may stand in a text that is shown to people.
pub const fn is_shown(character: char) -> bool {
    !matches!(character,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether these are printable ASCII characters alone, as most texts are. Told for eight at a time: a header is mostly
/// text, and looking at its characters one by one takes longer than everything else in it.
fn is_printable(bytes: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let fits = |word: u64| {
        // Added to an ASCII character, 0x60 reaches the top bit from 0x20 on, and 1 with 0x7f only; neither carries into
        // the next one.
        let unfit = word | word.wrapping_add(EACH) | !word.wrapping_add(EACH * 0x60);
        unfit & (EACH * 0x80) == 0
    };
    let eight = |bytes: &[u8; 8]| fits(u64::from_le_bytes(*bytes));
    // The last ones are looked at from the end: they overlap with those before.
    match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
        (Some(last), ..) => bytes.as_chunks().0.iter().all(eight) && eight(last),
        (None, Some(first), Some(last)) => {
            fits(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)))
        }
        _ => bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e)),
    }
}

/// A set of bits. Bit 0 is the lowest bit of the first byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mask<'a>(&'a [u8]);

impl<'a> Mask<'a> {
    /// The mask, if it is in its shortest form.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let shortest = matches!(bytes, [0]) || bytes.last().is_some_and(|&last| last != 0);
        (shortest && bytes.len() <= MASK_MAX).then_some(Self(bytes))
    }

    /// The bytes, lowest bits first; the last one is not zero unless the mask is empty.
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether every bit of this mask is set in the other too.
    pub fn is_subset(self, other: Mask<'_>) -> bool {
        let beyond = core::iter::repeat(&0);
        self.0.iter().zip(other.0.iter().chain(beyond)).all(|(mine, theirs)| mine & !theirs == 0)
    }
}

impl fmt::Debug for Mask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Mask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0.iter().rev();
        write!(f, "0x{:x}", bytes.next().copied().unwrap_or(0))?;
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// 1 to 256 members of one type, strictly ascending by their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Set<'a> {
    member: Type,
    bytes: &'a [u8],
}

impl<'a> Set<'a> {
    /// The type of the members.
    pub const fn member_type(self) -> Type {
        self.member
    }

    /// The members, ascending.
    pub fn members(self) -> impl Iterator<Item = Value<'a>> {
        let member = self.member;
        Items(Reader::new(self.bytes)).filter_map(move |bytes| Value::read_again(member, bytes))
    }

    /// Whether the value is a member.
    pub fn contains(self, value: Value<'_>) -> bool {
        self.members().any(|member| member == value)
    }

    /// Whether every member of this set is one of the other too.
    pub fn is_subset(self, other: Set<'_>) -> bool {
        let mut others = Items(Reader::new(other.bytes));
        // Both ascend: what the other has passed by does not come again.
        self.member == other.member
            && (self.bytes == other.bytes
                || Items(Reader::new(self.bytes)).all(|mine| others.find(|item| *item >= mine) == Some(mine)))
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&code, bytes) = bytes.split_first()?;
        let member = Type::from_code(code).filter(|kind| kind.is_member())?;
        let mut count = 0;
        let mut before: Option<&[u8]> = None;
        let mut items = Items(Reader::new(bytes));
        for item in &mut items {
            count += 1;
            if before.is_some_and(|before| before >= item) || Value::read(member, item).is_err() {
                return None;
            }
            before = Some(item);
        }
        (items.0.is_empty() && (1..=MEMBERS_MAX).contains(&count)).then_some(Self { member, bytes })
    }
}

impl fmt::Debug for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members()).finish()
    }
}

/// 1 to 256 pairs of texts, keys strictly ascending by their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Map<'a>(&'a [u8]);

impl<'a> Map<'a> {
    /// The pairs, keys ascending.
    pub fn pairs(self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> {
        let mut items = Items(Reader::new(self.0));
        core::iter::from_fn(move || Some((Text(items.next()?), Text(items.next()?))))
    }

    /// The pairs with what the other map has for their keys.
    pub fn beside(self, other: Self) -> impl Iterator<Item = (Text<'a>, Text<'a>, Option<Text<'a>>)> {
        let same = self == other;
        // Both ascend: what the other has passed by does not come again.
        let mut others = other.pairs().peekable();
        self.pairs().map(move |(key, value)| {
            if same {
                return (key, value, Some(value));
            }
            while others.next_if(|(theirs, _)| *theirs < key).is_some() {}
            (key, value, others.next_if(|(theirs, _)| *theirs == key).map(|(_, value)| value))
        })
    }

    /// The map of one short pair of ASCII texts that a table of this crate names, from its bytes as they are on the wire.
    ///
    /// # Panics
    ///
    /// While the crate is built, if the two lengths do not fill the bytes.
    pub(crate) const fn constant(pair: &'static [u8]) -> Map<'static> {
        let key = pair[0] as usize;
        assert!(key > 0 && pair[1] == 0, "the length of the key");
        let value = pair[2 + key] as usize;
        assert!(value > 0 && pair[3 + key] == 0 && pair.len() == 4 + key + value, "the length of the value");
        assert!(pair.is_ascii(), "texts");
        Map(pair)
    }

    /// Whether every pair of this map is in the other too.
    pub fn is_subset(self, other: Self) -> bool {
        self.beside(other).all(|(_, value, theirs)| theirs == Some(value))
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut count = 0;
        let mut before: Option<&[u8]> = None;
        let mut items = Items(Reader::new(bytes));
        while let Some(key) = items.next() {
            let value = items.next()?;
            count += 1;
            if before.is_some_and(|before| before >= key) {
                return None;
            }
            Text::read(key)?;
            Text::read(value)?;
            before = Some(key);
        }
        (items.0.is_empty() && (1..=MEMBERS_MAX).contains(&count)).then_some(Self(bytes))
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.pairs()).finish()
    }
}

/// The items `u16 length, bytes` of a set or a map; ends at the first one that is cut.
struct Items<'a>(Reader<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut ahead = self.0;
        let length = usize::from(ahead.u16().ok()?);
        let item = ahead.take(length).ok()?;
        self.0 = ahead;
        Some(item)
    }
}

/// A typed value, borrowed from the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Value<'a> {
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::Uint`].
    Uint(u64),
    /// See [`Type::Text`].
    Text(Text<'a>),
    /// See [`Type::Bytes`].
    Bytes(&'a [u8]),
    /// See [`Type::Version`].
    Version(Version),
    /// Low and high, both inclusive; see [`Type::Range`].
    Range(u64, u64),
    /// See [`Type::Mask`].
    Mask(Mask<'a>),
    /// See [`Type::Set`].
    Set(Set<'a>),
    /// See [`Type::Ratio`].
    Ratio(Ratio),
    /// See [`Type::PciId`].
    PciId(PciId),
    /// See [`Type::Map`].
    Map(Map<'a>),
    /// Exists, not reported; see [`Type::Unknown`].
    Unknown,
}

/// What is wrong with the bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The type has no value of this length.
    Length,
    /// The length fits, the content does not.
    Content,
}

impl<'a> Value<'a> {
    /// Reads a value of the type from exactly these bytes.
    pub fn read(kind: Type, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (least, most) = kind.length();
        if !(least..=most).contains(&bytes.len()) {
            return Err(Malformed::Length);
        }
        Self::content(kind, bytes).ok_or(Malformed::Content)
    }

    /// Whether [`Value::read`] would read a value from exactly these bytes.
    pub(crate) fn check(kind: Type, bytes: &[u8]) -> Result<(), Malformed> {
        let (least, most) = kind.length();
        if !(least..=most).contains(&bytes.len()) {
            return Err(Malformed::Length);
        }
        let fits = match kind {
            // All bytes of that length are one.
            Type::Uint | Type::Bytes | Type::Version | Type::PciId | Type::Unknown => true,
            Type::Text => Text::read(bytes).is_some(),
            _ => Value::content(kind, bytes).is_some(),
        };
        if fits { Ok(()) } else { Err(Malformed::Content) }
    }

    fn content(kind: Type, bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(match kind {
            Type::Bool => match reader.u8().ok()? {
                0 => Self::Bool(false),
                1 => Self::Bool(true),
                _ => return None,
            },
            Type::Uint => Self::Uint(reader.u64().ok()?),
            Type::Text => Self::Text(Text::read(bytes)?),
            Type::Bytes => Self::Bytes(bytes),
            Type::Version => Self::Version(Version {
                major: reader.u32().ok()?,
                minor: reader.u32().ok()?,
                patch: reader.u32().ok()?,
            }),
            Type::Range => {
                let (low, high) = (reader.u64().ok()?, reader.u64().ok()?);
                (low <= high).then_some(Self::Range(low, high))?
            }
            Type::Mask => Self::Mask(Mask::new(bytes)?),
            Type::Set => Self::Set(Set::read(bytes)?),
            Type::Ratio => Self::Ratio(Ratio::new(reader.u32().ok()?, reader.u32().ok()?)?),
            Type::PciId => Self::PciId(PciId { vendor: reader.u16().ok()?, device: reader.u16().ok()? }),
            Type::Map => Self::Map(Map::read(bytes)?),
            Type::Unknown => Self::Unknown,
        })
    }

    /// A value whose bytes were read before, so that their content need not be looked at again.
    pub(crate) fn read_again(kind: Type, bytes: &'a [u8]) -> Option<Self> {
        match kind {
            Type::Text => Some(Self::Text(Text(bytes))),
            Type::Bytes => Some(Self::Bytes(bytes)),
            Type::Mask => Some(Self::Mask(Mask(bytes))),
            Type::Set => {
                let (&code, bytes) = bytes.split_first()?;
                Some(Self::Set(Set { member: Type::from_code(code)?, bytes }))
            }
            Type::Map => Some(Self::Map(Map(bytes))),
            Type::Uint => Some(Self::Uint(u64::from_le_bytes(*bytes.first_chunk()?))),
            _ => Self::content(kind, bytes),
        }
    }

    /// The type of the value.
    pub const fn kind(self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Uint(_) => Type::Uint,
            Self::Text(_) => Type::Text,
            Self::Bytes(_) => Type::Bytes,
            Self::Version(_) => Type::Version,
            Self::Range(..) => Type::Range,
            Self::Mask(_) => Type::Mask,
            Self::Set(_) => Type::Set,
            Self::Ratio(_) => Type::Ratio,
            Self::PciId(_) => Type::PciId,
            Self::Map(_) => Type::Map,
            Self::Unknown => Type::Unknown,
        }
    }

    /// Appends the wire bytes of the value: the mirror of [`Value::read`].
    pub fn write(self, out: &mut Writer<'_>) {
        match self {
            Self::Bool(value) => out.u8(u8::from(value)),
            Self::Uint(value) => out.u64(value),
            Self::Text(text) => out.bytes(text.0),
            Self::Bytes(bytes) => out.bytes(bytes),
            Self::Version(version) => {
                out.u32(version.major);
                out.u32(version.minor);
                out.u32(version.patch);
            }
            Self::Range(low, high) => {
                out.u64(low);
                out.u64(high);
            }
            Self::Mask(mask) => out.bytes(mask.0),
            Self::Set(set) => {
                out.u8(set.member.code());
                out.bytes(set.bytes);
            }
            Self::Ratio(ratio) => {
                out.u32(ratio.numerator);
                out.u32(ratio.denominator);
            }
            Self::PciId(id) => {
                out.u16(id.vendor);
                out.u16(id.device);
            }
            Self::Map(map) => out.bytes(map.0),
            Self::Unknown => {}
        }
    }

    /// The value with bytes of its own.
    pub fn to_owned(self) -> OwnedValue {
        let mut bytes = Vec::new();
        self.write(&mut Writer::new(&mut bytes));
        OwnedValue { kind: self.kind(), bytes }
    }
}

impl fmt::Display for Value<'_> {
    /// The value as a person reads it: `8086:4941`, `1.2.0`, `0x67`, `10..14`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text.as_str()),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Version(version) => write!(f, "{version}"),
            Self::Range(low, high) => write!(f, "{low}..{high}"),
            Self::Mask(mask) => write!(f, "{mask}"),
            Self::Set(set) => {
                f.write_str("{")?;
                for (at, member) in set.members().enumerate() {
                    write!(f, "{}{member}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Ratio(ratio) => write!(f, "{ratio}"),
            Self::PciId(id) => write!(f, "{id}"),
            Self::Map(map) => {
                f.write_str("{")?;
                for (at, (key, value)) in map.pairs().enumerate() {
                    write!(f, "{}{}={}", if at == 0 { "" } else { ", " }, key.as_str(), value.as_str())?;
                }
                f.write_str("}")
            }
            Self::Unknown => f.write_str("not reported"),
        }
    }
}

/// A value that owns its bytes; always well formed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnedValue {
    kind: Type,
    bytes: Vec<u8>,
}

impl OwnedValue {
    /// Reads a value of the type from exactly these bytes.
    pub fn new(kind: Type, bytes: Vec<u8>) -> Result<Self, Malformed> {
        Value::read(kind, &bytes)?;
        Ok(Self { kind, bytes })
    }

    /// A set of these members, in any order; a repeated one is malformed.
    pub fn set(member: Type, members: &[Value<'_>]) -> Result<Self, Malformed> {
        let mut items: Vec<Vec<u8>> = members.iter().map(|value| value.to_owned().bytes).collect();
        items.sort_unstable();
        let mut bytes = alloc::vec![member.code()];
        if members.iter().any(|value| value.kind() != member) {
            return Err(Malformed::Content);
        }
        write_items(&mut bytes, items.iter())?;
        Self::new(Type::Set, bytes)
    }

    /// A map of these pairs, in any order; a repeated key is malformed.
    pub fn map(pairs: &[(&str, &str)]) -> Result<Self, Malformed> {
        let mut pairs = pairs.to_vec();
        pairs.sort_unstable();
        let mut bytes = Vec::new();
        write_items(&mut bytes, pairs.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]))?;
        Self::new(Type::Map, bytes)
    }

    /// The mask with these bytes, lowest bits first, in any length up to 32 bytes.
    pub fn mask(bytes: &[u8]) -> Result<Self, Malformed> {
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(1, |last| last + 1);
        let bytes = if bytes.is_empty() { &[0] } else { bytes.get(..used).unwrap_or(bytes) };
        Self::new(Type::Mask, bytes.to_vec())
    }

    /// The value, borrowed.
    pub fn value(&self) -> Value<'_> {
        // The bytes were read when this was made, so they read again.
        Value::read_again(self.kind, &self.bytes).unwrap_or(Value::Unknown)
    }

    /// The type.
    pub const fn kind(&self) -> Type {
        self.kind
    }

    /// The wire bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn write_items<I: AsRef<[u8]>>(out: &mut Vec<u8>, items: impl Iterator<Item = I>) -> Result<(), Malformed> {
    let mut writer = Writer::new(out);
    for item in items {
        writer.u16(u16::try_from(item.as_ref().len()).map_err(|_| Malformed::Length)?);
        writer.bytes(item.as_ref());
    }
    Ok(())
}

/// What else a known attribute's value must meet, besides its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Every value of the type.
    Any,
    /// A number of at least this.
    AtLeast(u64),
    /// A number from the first to the second, both inclusive.
    Between(u64, u64),
    /// A byte string of exactly this many bytes.
    Length(u64),
    /// A set of members of this type.
    Members(Type),
    /// One of these texts.
    OneOf(&'static [&'static str]),
}

impl Constraint {
    /// Whether the value meets it.
    pub fn admits(self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Any, _) | (_, Value::Unknown) => true,
            (Self::AtLeast(least), Value::Uint(number)) => number >= least,
            (Self::Between(least, most), Value::Uint(number)) => (least..=most).contains(&number),
            (Self::Length(length), Value::Bytes(bytes)) => widen(bytes.len()) == length,
            (Self::Members(kind), Value::Set(set)) => set.member_type() == kind,
            (Self::OneOf(texts), Value::Text(text)) => texts.contains(&text.as_str()),
            _ => false,
        }
    }
}

/// One row of a table of attributes: everything that is known of an attribute in one place. Encode, decode, the text
/// forms, the templates, the documentation and the language bindings come from here.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Id on the wire, with its critical bit.
    pub id: AttributeId,
    /// The name that users type.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Type,
    /// What else the value must meet.
    pub constraint: Constraint,
    /// What the attribute says, in one sentence.
    pub meaning: &'static str,
    /// Where the value of a running host is found: a path below sysfs, a tool, a document. Empty where nowhere.
    pub place: &'static str,
    /// An example of a value, as it is written in TOML.
    pub example: &'static str,
}

/// What one vendor's attribute numbers mean.
#[derive(Debug)]
pub struct Dictionary {
    /// The vendor, as the `vendor` attribute names it.
    pub vendor: &'static str,
    /// Its own attributes, ascending by number, all in the vendor's range.
    pub attributes: &'static [Definition],
}

impl Dictionary {
    /// The definition of a common attribute or of one of this vendor's, by name.
    pub fn by_name(&self, name: &str) -> Option<&'static Definition> {
        self.definitions().find(|definition| definition.name == name)
    }

    /// The definition of a common attribute or of one of this vendor's, by number.
    pub fn by_number(&self, number: u16) -> Option<&'static Definition> {
        find(self.attributes, number).or_else(|| find(COMMON, number))
    }

    /// Every attribute that a profile of this vendor may have, ascending by number.
    pub fn definitions(&self) -> impl Iterator<Item = &'static Definition> {
        COMMON.iter().chain(self.attributes)
    }
}

/// The definition with this number.
pub fn find(table: &'static [Definition], number: u16) -> Option<&'static Definition> {
    table.iter().find(|definition| definition.id.number() == number)
}

/// Finds the dictionary of a vendor; `None` for a vendor that nobody here knows.
pub type DictionaryOf<'a> = &'a dyn Fn(&str) -> Option<&'static Dictionary>;

/// `vendor`: mandatory, always first.
pub const VENDOR: AttributeId = AttributeId(0x8001);
/// `device_api`.
pub const DEVICE_API: AttributeId = AttributeId(0x0003);
/// `pci_id`.
pub const PCI_ID: AttributeId = AttributeId(0x0004);
/// `subsystem_id`.
pub const SUBSYSTEM_ID: AttributeId = AttributeId(0x0005);
/// `revision`.
pub const REVISION: AttributeId = AttributeId(0x0006);
/// `driver`.
pub const DRIVER: AttributeId = AttributeId(0x0007);
/// `driver_version`.
pub const DRIVER_VERSION: AttributeId = AttributeId(0x0008);
/// `mdev_type`.
pub const MDEV_TYPE: AttributeId = AttributeId(0x0009);
/// `aggregation`.
pub const AGGREGATION: AttributeId = AttributeId(0x000a);
/// `capacity`.
pub const CAPACITY: AttributeId = AttributeId(0x000b);
/// `software_version`.
pub const SOFTWARE_VERSION: AttributeId = AttributeId(0x000c);
/// `driver_build`.
pub const DRIVER_BUILD: AttributeId = AttributeId(0x000d);
/// `observed_at`.
pub const OBSERVED_AT: AttributeId = AttributeId(0x000e);

/// `payload_format`: mandatory in a sealed stream.
pub const PAYLOAD_FORMAT: AttributeId = AttributeId(0x80e0);
/// `digest`: mandatory in a sealed stream.
pub const DIGEST: AttributeId = AttributeId(0x80e1);
/// `payload_len`: optional in a sealed stream, exact.
pub const PAYLOAD_LEN: AttributeId = AttributeId(0x00e2);
/// `stream_id`: mandatory in a sealed stream, 16 bytes, fresh for each.
pub const STREAM_ID: AttributeId = AttributeId(0x80e3);
/// `device_label`: optional in a sealed stream.
pub const DEVICE_LABEL: AttributeId = AttributeId(0x00e4);
/// `answers`: mandatory in an answer, the `prologue_crc` of the stream that it answers.
pub const ANSWERS: AttributeId = AttributeId(0x80e5);
/// `answer_stage`: mandatory in an answer, `early` or `final`.
pub const ANSWER_STAGE: AttributeId = AttributeId(0x80e6);
/// `answer_outcome`: mandatory in an answer, the name of an outcome.
pub const ANSWER_OUTCOME: AttributeId = AttributeId(0x80e7);
/// `answer_complete`: mandatory in an answer, whether the stream was read to its end and may be loaded.
pub const ANSWER_COMPLETE: AttributeId = AttributeId(0x80e8);
/// `answer_reasons`: optional in an answer, the ids of the reasons that are no notes.
pub const ANSWER_REASONS: AttributeId = AttributeId(0x00e9);

/// A row of a table, for an attribute that may have every value of its type.
pub const fn row(
    id: AttributeId,
    name: &'static str,
    kind: Type,
    meaning: &'static str,
    place: &'static str,
    example: &'static str,
) -> Definition {
    Definition { id, name, kind, constraint: Constraint::Any, meaning, place, example }
}

/// The attributes that mean the same for every vendor. Ids and types: `docs/format.md`, "Common attributes".
pub static COMMON: &[Definition] = &[
    row(
        VENDOR,
        "vendor",
        Type::Text,
        "the family of devices, whose attributes and rules apply",
        "one of the names that `transire formats` lists",
        "\"mtty\"",
    ),
    row(
        DEVICE_API,
        "device_api",
        Type::Text,
        "the VFIO interface through which the device is used",
        "mdev_supported_types/TYPE/device_api below the parent device; vfio-pci for a PCI function",
        "\"vfio-pci\"",
    ),
    row(
        PCI_ID,
        "pci_id",
        Type::PciId,
        "PCI vendor and device id",
        "the files vendor and device of the PCI function",
        "\"8086:4941\"",
    ),
    row(
        SUBSYSTEM_ID,
        "subsystem_id",
        Type::PciId,
        "PCI subsystem vendor and subsystem id",
        "the files subsystem_vendor and subsystem_device of the PCI function",
        "\"8086:0000\"",
    ),
    row(REVISION, "revision", Type::Uint, "PCI revision", "the file revision of the PCI function", "1"),
    row(
        DRIVER,
        "driver",
        Type::Text,
        "the kernel driver that saves and loads the state",
        "the link driver of the device",
        "\"mtty\"",
    ),
    row(
        DRIVER_VERSION,
        "driver_version",
        Type::Version,
        "version of that driver; of the kernel, for a driver that is part of it",
        "modinfo -F version DRIVER, or uname -r",
        "\"6.12.95\"",
    ),
    row(
        MDEV_TYPE,
        "mdev_type",
        Type::Text,
        "the type that the mediated device was created with",
        "the link mdev_type of the mediated device",
        "\"mtty-2\"",
    ),
    Definition {
        constraint: Constraint::AtLeast(1),
        ..row(
            AGGREGATION,
            "aggregation",
            Type::Uint,
            "how many instances of its type the device is worth",
            "mdev/aggregation below the mediated device, where the driver has it",
            "1",
        )
    },
    row(
        CAPACITY,
        "capacity",
        Type::Ratio,
        "share of the physical device",
        "the vendor's documentation of the type",
        "\"1/2\"",
    ),
    row(
        SOFTWARE_VERSION,
        "software_version",
        Type::Version,
        "version of the device's migration interface",
        "the vendor's documentation of the driver",
        "\"1.0.0\"",
    ),
    row(
        DRIVER_BUILD,
        "driver_build",
        Type::Text,
        "the driver's version as its vendor writes it, where a version of three numbers would lose something",
        "modinfo -F version DRIVER",
        "\"550.054.10\"",
    ),
    row(
        OBSERVED_AT,
        "observed_at",
        Type::Uint,
        "when the values were read, in seconds since 1970-01-01T00:00:00Z",
        "date +%s",
        "1767225600",
    ),
];

/// The attributes of sealed streams and of answers to them, which describe the stream and not the device.
pub static STREAM: &[Definition] = &[
    row(PAYLOAD_FORMAT, "payload_format", Type::Text, "name of the native format inside, or `opaque`", "", "\"mtty\""),
    row(DIGEST, "digest", Type::Uint, "digest at the end: 1 none, 2 BLAKE3-256", "", "2"),
    row(PAYLOAD_LEN, "payload_len", Type::Uint, "exact bytes of payload, where known beforehand", "", "96"),
    Definition {
        constraint: Constraint::Length(16),
        ..row(STREAM_ID, "stream_id", Type::Bytes, "16 bytes, fresh for every stream", "", "")
    },
    row(DEVICE_LABEL, "device_label", Type::Text, "which device of the virtual machine", "", "\"net0\""),
    Definition {
        constraint: Constraint::Between(0, u32::MAX as u64),
        ..row(ANSWERS, "answers", Type::Uint, "prologue_crc of the stream that is answered", "", "")
    },
    Definition {
        constraint: Constraint::OneOf(&["early", "final"]),
        ..row(ANSWER_STAGE, "answer_stage", Type::Text, "`early`: it can still worsen; `final`: it cannot", "", "")
    },
    Definition {
        // The names of `verdict::Outcome`, which is above this module.
        constraint: Constraint::OneOf(&[
            "compatible",
            "fixable",
            "unknown",
            "truncated",
            "incompatible",
            "corrupt",
            "unrecognized",
        ]),
        ..row(ANSWER_OUTCOME, "answer_outcome", Type::Text, "outcome of the target's verdict", "", "")
    },
    row(ANSWER_COMPLETE, "answer_complete", Type::Bool, "the stream was read to its end and may be loaded", "", ""),
    Definition {
        constraint: Constraint::Members(Type::Text),
        ..row(ANSWER_REASONS, "answer_reasons", Type::Set, "ids of the reasons, without notes", "", "")
    },
];

/// Anything that can be asked for the value of an attribute: a profile, the header of a sealed stream, what a native
/// stream says of its source. Attributes are looked up by number; the critical bit does not matter.
pub trait Attributes {
    /// The value; `None` where there is no such attribute.
    fn value(&self, id: AttributeId) -> Option<Value<'_>>;

    /// Where in the input the value stands: offset and bytes. `None` for what was not read from an input, or follows
    /// from other attributes.
    fn place(&self, _id: AttributeId) -> Option<(u64, u32)> {
        None
    }

    /// Why there is no value, where there is none.
    fn absence(&self, id: AttributeId) -> Absence {
        self.statable().map_or(Absence::Unstated, |statable| statable.absence(id))
    }

    /// What can be stated here at all; `None` where that may be anything.
    fn statable(&self) -> Option<&'static Statable> {
        None
    }
}

/// What the native streams of a format can state at all, whatever their bytes. A target settles beforehand what it says of
/// all the rest: see [`crate::rule::RuleTable::statable`].
#[derive(Debug)]
pub struct Statable {
    /// The attributes that a stream can state, and those that follow from them.
    pub attributes: &'static [AttributeId],
    /// Those that none can, and that an envelope could: where a rule would have them, that is worth a note.
    pub unsaid: &'static [AttributeId],
}

impl Statable {
    /// Whether a stream can state the attribute.
    pub fn includes(&self, id: AttributeId) -> bool {
        id.is_one_of(self.attributes)
    }

    /// Why a stream has no value of the attribute, where it has read all that it says.
    pub fn absence(&self, id: AttributeId) -> Absence {
        if id.is_one_of(self.unsaid) { Absence::Unsaid } else { Absence::Unstated }
    }
}

/// Why a side has no value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It was not stated, and could have been.
    Unstated,
    /// The part of the stream that has it was not read yet. What is asked of the attribute waits for that part.
    Awaited,
    /// No native stream of the format says it. That is worth a note where a rule would have it; an envelope can say it.
    Unsaid,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn tables_ascend_and_stay_in_their_range() {
        for (table, range) in [(COMMON, IdRange::Common), (STREAM, IdRange::Stream)] {
            assert!(table.windows(2).all(|pair| pair[0].id.number() < pair[1].id.number()));
            assert!(table.iter().all(|definition| definition.id.range() == range));
        }
    }

    #[test]
    fn values_read_and_refused() {
        use Malformed::{Content, Length};
        let text_of_1025 = [b'a'; 1025];
        let cases: &[(Type, &[u8], Result<&str, Malformed>)] = &[
            (Type::Bool, &[0], Ok("false")),
            (Type::Bool, &[1], Ok("true")),
            (Type::Bool, &[2], Err(Content)),
            (Type::Bool, &[], Err(Length)),
            (Type::Uint, &[1, 0, 0, 0, 0, 0, 0, 0x80], Ok("9223372036854775809")),
            (Type::Uint, &[1; 7], Err(Length)),
            (Type::Text, "vfio-pci".as_bytes(), Ok("vfio-pci")),
            (Type::Text, "größe".as_bytes(), Ok("größe")),
            (Type::Text, b"", Err(Length)),
            (Type::Text, &text_of_1025, Err(Length)),
            (Type::Text, &text_of_1025[..1024], Ok(core::str::from_utf8(&text_of_1025[..1024]).unwrap())),
            (Type::Text, &[0xff], Err(Content)),
            (Type::Text, b"a\nb", Err(Content)),
            (Type::Text, "a\u{202e}b".as_bytes(), Err(Content)),
            (Type::Text, "\u{feff}".as_bytes(), Err(Content)),
            (Type::Text, "\u{2061}".as_bytes(), Err(Content)),
            (Type::Text, "\u{7f}".as_bytes(), Err(Content)),
            (Type::Bytes, &[0xde, 0xad], Ok("dead")),
            (Type::Bytes, &[0; 4097], Err(Length)),
            (Type::Version, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], Ok("1.2.3")),
            (Type::Range, &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], Ok("1..1")),
            (Type::Range, &[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], Err(Content)),
            (Type::Mask, &[0], Ok("0x0")),
            (Type::Mask, &[0x67, 0x01], Ok("0x167")),
            (Type::Mask, &[1, 0], Err(Content)),
            (Type::Mask, &[1; 33], Err(Length)),
            (Type::Set, &[3, 1, 0, b'a', 2, 0, b'a', b'b'], Ok("{a, ab}")),
            (Type::Set, &[3, 1, 0, b'b', 1, 0, b'a'], Err(Content)),
            (Type::Set, &[3, 1, 0, b'a', 1, 0, b'a'], Err(Content)),
            (Type::Set, &[1, 1, 0, 1], Err(Content)),
            (Type::Set, &[3, 2, 0, b'a'], Err(Content)),
            (Type::Set, &[3, 1, 0, b'a', 0], Err(Content)),
            (Type::Set, &[10, 4, 0, 0x86, 0x80, 0x41, 0x49], Ok("{8086:4941}")),
            (Type::Ratio, &[1, 0, 0, 0, 2, 0, 0, 0], Ok("1/2")),
            (Type::Ratio, &[2, 0, 0, 0, 4, 0, 0, 0], Err(Content)),
            (Type::Ratio, &[0, 0, 0, 0, 1, 0, 0, 0], Ok("0/1")),
            (Type::Ratio, &[0, 0, 0, 0, 2, 0, 0, 0], Err(Content)),
            (Type::Ratio, &[1, 0, 0, 0, 0, 0, 0, 0], Err(Content)),
            (Type::PciId, &[0x86, 0x80, 0x41, 0x49], Ok("8086:4941")),
            (Type::Map, &[1, 0, b'k', 1, 0, b'v'], Ok("{k=v}")),
            (Type::Map, &[1, 0, b'k', 1, 0, b'v', 1, 0, b'k', 1, 0, b'v'], Err(Content)),
            (Type::Map, &[1, 0, b'k', 0, 0, 0], Err(Content)),
            (Type::Unknown, &[], Ok("not reported")),
            (Type::Unknown, &[0], Err(Length)),
        ];
        for (kind, bytes, expected) in cases {
            let value = Value::read(*kind, bytes);
            assert_eq!(value.map(|value| value.to_string()), expected.map(ToString::to_string), "{kind:?} {bytes:?}");
            if let Ok(value) = value {
                assert_eq!(value.to_owned().bytes(), *bytes, "{kind:?} is written as it was read");
                assert_eq!(value.kind(), *kind);
            }
        }
    }

    #[test]
    fn printable_bytes_are_told_at_every_place() {
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    for around in [b' ', b'~'] {
                        let mut bytes = [around; 20];
                        bytes[at] = byte;
                        let expected = matches!(byte, 0x20..=0x7e);
                        assert_eq!(is_printable(&bytes[..length]), expected, "{byte:#x} at {at} of {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_set_of_257_members_is_refused() {
        let members: Vec<Value<'_>> = (0..257).map(Value::Uint).collect();
        assert!(OwnedValue::set(Type::Uint, &members[..256]).is_ok());
        assert_eq!(OwnedValue::set(Type::Uint, &members), Err(Malformed::Content));
    }

    #[test]
    fn masks_shrink_to_their_shortest_form() {
        assert_eq!(OwnedValue::mask(&[]).unwrap().bytes(), [0]);
        assert_eq!(OwnedValue::mask(&[0, 0]).unwrap().bytes(), [0]);
        assert_eq!(OwnedValue::mask(&[1, 2, 0]).unwrap().bytes(), [1, 2]);
        assert_eq!(OwnedValue::mask(&[1; 33]), Err(Malformed::Length));
    }

    #[test]
    fn subsets_and_order() {
        let mask = |bytes| Mask::new(bytes).unwrap();
        assert!(mask(&[0b101]).is_subset(mask(&[0b111])));
        assert!(!mask(&[0, 1]).is_subset(mask(&[0xff])));
        assert!(mask(&[0]).is_subset(mask(&[0])));
        assert!(Ratio::new(1, 3) < Ratio::new(1, 2));
        assert_eq!(Ratio::new(2, 4), None);
        assert!(Text::new("\u{200b}").is_none());
        assert_eq!(AttributeId(0x8001).number(), 1);
        assert_eq!(AttributeId(0xf123).range(), IdRange::Private);
    }

    #[test]
    fn every_type_has_one_code_and_one_name() {
        for kind in Type::ALL {
            assert_eq!(Type::from_code(kind.code()), Some(kind));
            assert_eq!(Type::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Type::from_code(0), None);
        assert_eq!(Type::from_code(13), None);
    }
}
