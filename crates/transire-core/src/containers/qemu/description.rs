//! The description of itself that a stream carries behind its end: which devices' sections it holds, and how long each is.
//!
//! It is JSON that QEMU builds while it writes (`migration/savevm.c`, `migration/vmstate.c`): an object with an array
//! `devices`, one entry for each FULL section in stream order. A device's length is the sum over its fields of size times
//! number of elements, and over its subsections of their head (type, counted name, version) and what they hold. QEMU reads
//! the description and drops it.
//!
//! A field of a list or a tree writes nested descriptions into its own object, which may then have a key twice; so names
//! and fields below a field are passed over, and its `size`, which counts all of them, is believed.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes of the longest description that is read. One of a small guest has 50 to 100 KB.
pub const DESCRIPTION_MAX: u32 = 64 << 20;
/// Levels of nesting that are followed. QEMU needs three for each level of a device's structures.
pub const DEPTH_MAX: usize = 128;
/// Sections that are described or kept track of; a machine has as many devices, which are tens or hundreds.
pub const SECTIONS_MAX: usize = 65_536;

/// Bytes of a key or a name that are kept; an identity string has at most 255.
const TEXT_MAX: usize = 256;
/// Type, length of the name and version of a subsection: what it has besides name, fields and subsections.
const SUBSECTION_HEAD: u64 = 6;

/// What the description says of one FULL section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The identity string.
    pub name: String,
    /// The instance id.
    pub instance: u64,
    /// Bytes of the section's payload.
    pub size: u64,
}

/// The whole description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// One entry for each FULL section, in stream order.
    pub devices: Vec<Described>,
    /// Bytes of a page of the guest, where it is said.
    pub page_size: Option<u64>,
}

impl Description {
    /// Reads a description; `None` where it is malformed.
    pub fn read(json: &[u8]) -> Option<Self> {
        let mut scanner = Scanner::default();
        let mut description = Self::default();
        for &byte in json {
            if let Some(described) = scanner.push(byte).ok()? {
                if description.devices.len() >= SECTIONS_MAX {
                    return None;
                }
                description.devices.push(described);
            }
        }
        description.page_size = scanner.page_size;
        scanner.is_complete().then_some(description)
    }

    /// Finds the description at the end of a file without walking it: type 6, a length that reaches to the end exactly,
    /// and braces. `tail` is the end of the file; zero bytes that pad it are passed over. Returns where in `tail` the JSON
    /// is.
    pub fn find(tail: &[u8]) -> Option<Range<usize>> {
        let end = tail.iter().rposition(|&byte| byte != 0)?.saturating_add(1);
        let padded = tail.get(..end)?;
        if !padded.ends_with(b"}") {
            return None;
        }
        let is_start = |at: &usize| {
            let Some([6, length @ .., b'{']) = padded.get(*at..).and_then(|rest| rest.first_chunk::<6>()) else {
                return false;
            };
            let length = crate::bytes::index(u32::from_be_bytes(*length));
            at.saturating_add(5).checked_add(length) == Some(end)
        };
        let start = (0..padded.len()).rev().find(is_start)?;
        Some(start.saturating_add(5)..end)
    }
}

/// The description is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What an object or an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    Root,
    Devices,
    Device,
    Fields,
    Field,
    Subsections,
    Subsection,
    OtherObject,
    OtherArray,
}

impl Context {
    const fn is_array(self) -> bool {
        matches!(self, Self::Devices | Self::Fields | Self::Subsections | Self::OtherArray)
    }

    /// What begins inside this, behind `key`.
    fn child(self, key: &[u8], is_array: bool) -> Self {
        match (self, key, is_array) {
            (Self::Root, b"devices", true) => Self::Devices,
            (Self::Devices, _, false) => Self::Device,
            (Self::Device | Self::Subsection, b"fields", true) => Self::Fields,
            (Self::Fields, _, false) => Self::Field,
            (Self::Device | Self::Subsection, b"subsections", true) => Self::Subsections,
            (Self::Subsections, _, false) => Self::Subsection,
            (_, _, true) => Self::OtherArray,
            (_, _, false) => Self::OtherObject,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Level {
    context: Context,
    /// Of a field: bytes of an element; of a device or subsection: bytes so far.
    bytes: u64,
    /// Of a field: how many elements.
    elements: Option<u64>,
    /// Of a subsection: bytes of its name.
    name: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lexeme {
    #[default]
    None,
    Text,
    Escape,
    /// So many digits of `\u` are to come.
    Unicode(u8),
    /// A number, or a word such as `true`.
    Bare,
}

/// What may come next, white space apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expected {
    #[default]
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

impl Expected {
    const fn value(self) -> bool {
        matches!(self, Self::Value | Self::ValueOrEnd)
    }

    const fn key(self) -> bool {
        matches!(self, Self::Key | Self::KeyOrEnd)
    }

    const fn end(self) -> bool {
        matches!(self, Self::ValueOrEnd | Self::KeyOrEnd | Self::CommaOrEnd)
    }
}

/// Reads a description byte by byte, holding no more than its levels and one name.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    levels: Vec<Level>,
    lexeme: Lexeme,
    text: Vec<u8>,
    key: Vec<u8>,
    expected: Expected,
    device: Described,
    started: bool,
    pub(super) page_size: Option<u64>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            levels: Vec::new(),
            lexeme: Lexeme::None,
            text: Vec::new(),
            key: Vec::new(),
            expected: Expected::Value,
            device: Described { name: String::new(), instance: 0, size: 0 },
            started: false,
            page_size: None,
        }
    }

    /// Whether the outermost object is closed.
    pub(super) fn is_complete(&self) -> bool {
        self.started && self.levels.is_empty() && self.lexeme == Lexeme::None
    }

    /// Takes the next byte; gives a device when its object closes.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Described>, Malformed> {
        match self.lexeme {
            Lexeme::Text => {
                match byte {
                    b'"' => {
                        self.lexeme = Lexeme::None;
                        self.text_ends()?;
                    }
                    b'\\' => self.lexeme = Lexeme::Escape,
                    0..=0x1f => return Err(Malformed),
                    byte => self.keep(byte),
                }
                return Ok(None);
            }
            Lexeme::Escape => {
                self.lexeme = Lexeme::Text;
                match byte {
                    b'"' | b'\\' | b'/' => self.keep(byte),
                    b'b' | b'f' | b'n' | b'r' | b't' => self.keep(b' '),
                    b'u' => self.lexeme = Lexeme::Unicode(4),
                    _ => return Err(Malformed),
                }
                return Ok(None);
            }
            Lexeme::Unicode(left) => {
                if !byte.is_ascii_hexdigit() {
                    return Err(Malformed);
                }
                // No identity string holds such a character, so which one it is does not matter.
                self.lexeme = match left {
                    0 | 1 => {
                        self.keep(b'?');
                        Lexeme::Text
                    }
                    left => Lexeme::Unicode(left.saturating_sub(1)),
                };
                return Ok(None);
            }
            Lexeme::Bare if matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.') => {
                self.keep(byte);
                return Ok(None);
            }
            Lexeme::Bare => {
                self.lexeme = Lexeme::None;
                self.number_ends()?;
            }
            Lexeme::None => {}
        }
        self.punctuation(byte)
    }

    fn punctuation(&mut self, byte: u8) -> Result<Option<Described>, Malformed> {
        if self.started && self.levels.is_empty() && !byte.is_ascii_whitespace() {
            return Err(Malformed);
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'{' | b'[' if self.expected.value() => self.open(byte == b'[')?,
            b'}' | b']' if self.expected.end() => return self.close(byte == b']'),
            b'"' if self.started && (self.expected.value() || self.expected.key()) => {
                self.lexeme = Lexeme::Text;
                self.text.clear();
            }
            b':' if self.expected == Expected::Colon => self.expected = Expected::Value,
            b',' if self.expected == Expected::CommaOrEnd => {
                self.expected = if self.in_array() { Expected::Value } else { Expected::Key };
            }
            b'0'..=b'9' | b'-' | b't' | b'f' | b'n' if self.started && self.expected.value() => {
                self.lexeme = Lexeme::Bare;
                self.text.clear();
                self.keep(byte);
            }
            _ => return Err(Malformed),
        }
        Ok(None)
    }

    fn in_array(&self) -> bool {
        self.levels.last().is_some_and(|level| level.context.is_array())
    }

    fn keep(&mut self, byte: u8) {
        if self.text.len() < TEXT_MAX {
            self.text.push(byte);
        }
    }

    fn open(&mut self, is_array: bool) -> Result<(), Malformed> {
        let context = match self.levels.last() {
            None if is_array => return Err(Malformed),
            None => Context::Root,
            Some(parent) if parent.context.is_array() => parent.context.child(b"", is_array),
            Some(parent) => parent.context.child(&self.key, is_array),
        };
        if self.levels.len() >= DEPTH_MAX {
            return Err(Malformed);
        }
        if context == Context::Device {
            self.device = Described::default();
        }
        self.started = true;
        self.expected = if is_array { Expected::ValueOrEnd } else { Expected::KeyOrEnd };
        self.levels.push(Level { context, bytes: 0, elements: None, name: 0 });
        Ok(())
    }

    fn close(&mut self, is_array: bool) -> Result<Option<Described>, Malformed> {
        let level = self.levels.pop().filter(|level| level.context.is_array() == is_array).ok_or(Malformed)?;
        self.expected = Expected::CommaOrEnd;
        let bytes = match level.context {
            Context::Field => level.bytes.saturating_mul(level.elements.unwrap_or(1)),
            Context::Subsection => level.bytes.saturating_add(SUBSECTION_HEAD).saturating_add(level.name),
            Context::Fields | Context::Subsections => level.bytes,
            Context::Device => {
                self.device.size = level.bytes;
                return Ok(Some(core::mem::take(&mut self.device)));
            }
            _ => 0,
        };
        if let Some(parent) = self.levels.last_mut()
            && !matches!(parent.context, Context::Field)
        {
            parent.bytes = parent.bytes.saturating_add(bytes);
        }
        Ok(None)
    }

    fn text_ends(&mut self) -> Result<(), Malformed> {
        let Some(level) = self.levels.last_mut() else { return Err(Malformed) };
        if self.expected.key() {
            self.key.clone_from(&self.text);
            self.expected = Expected::Colon;
            return Ok(());
        }
        match (level.context, self.key.as_slice()) {
            (Context::Device, b"name") => self.device.name = String::from_utf8_lossy(&self.text).into_owned(),
            (Context::Subsection, b"vmsd_name") => level.name = crate::bytes::widen(self.text.len()),
            _ => {}
        }
        self.expected = Expected::CommaOrEnd;
        Ok(())
    }

    fn number_ends(&mut self) -> Result<(), Malformed> {
        self.expected = Expected::CommaOrEnd;
        let number = match self.text.as_slice() {
            b"true" | b"false" | b"null" => return Ok(()),
            [b'0', _, ..] => return Err(Malformed),
            digits => digits.iter().try_fold(0_u64, |number, byte| {
                let digit = byte.is_ascii_digit().then(|| u64::from(byte.wrapping_sub(b'0')))?;
                number.checked_mul(10)?.checked_add(digit)
            }),
        };
        // QEMU writes no other numbers; a fraction or a sign is JSON all the same.
        let other = || core::str::from_utf8(&self.text).ok()?.parse::<f64>().ok();
        if number.is_none() && other().is_none() {
            return Err(Malformed);
        }
        if let (Some(level), Some(number)) = (self.levels.last_mut(), number) {
            match (level.context, self.key.as_slice()) {
                (Context::Root, b"page_size") => self.page_size = Some(number),
                (Context::Device, b"instance_id") => self.device.instance = number,
                (Context::Field, b"size") => level.bytes = number,
                (Context::Field, b"array_len") => level.elements = Some(number),
                _ => {}
            }
        }
        Ok(())
    }
}
