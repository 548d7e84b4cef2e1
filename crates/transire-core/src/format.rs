//! What every format is to the rest: how it is recognised, read, checked and described.
//!
//! A vendor's room fills in one [`Vendor`] and, for each byte layout, one [`Format`]. Everything that iterates formats
//! (recognition, the gate, `transire formats`, fuzz targets, benchmarks) reads these and nothing else.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::attribute::{Attributes, Dictionary};
use crate::bytes::{big_endian, index, little_endian};
use crate::magic::{First, Magic};
use crate::rule::RuleTable;
use crate::target::Target;
use crate::verdict::{Reason, ReasonId, Span};

/// A family of devices with one set of attributes and rules: one row of the vendor table.
#[derive(Debug)]
pub struct Vendor {
    /// What it is, for people.
    pub title: &'static str,
    /// Its attributes and rules; the name is [`RuleTable::vendor`].
    pub rules: &'static RuleTable,
    /// Its byte layouts; empty where its streams can only be sealed as `opaque`.
    pub formats: &'static [&'static Format],
    /// The kinds of reasons that only its formats and rules give: a catalogue, or several.
    pub reasons: &'static [&'static [ReasonId]],
}

impl Vendor {
    /// The name, as the `vendor` attribute has it.
    pub const fn name(&self) -> &'static str {
        self.rules.vendor()
    }
}

/// The vendors that a gate knows. The product's own is [`crate::vendors::VENDORS`].
#[derive(Clone, Copy, Debug)]
pub struct Registry(pub &'static [&'static Vendor]);

impl Registry {
    /// The vendor of this name.
    pub fn vendor(&self, name: &str) -> Option<&'static Vendor> {
        self.0.iter().copied().find(|vendor| vendor.name() == name)
    }

    /// The dictionary of this vendor.
    pub fn dictionary(&self, vendor: &str) -> Option<&'static Dictionary> {
        self.vendor(vendor).map(|vendor| vendor.rules.dictionary)
    }

    /// Every format of every vendor.
    pub fn formats(self) -> impl Iterator<Item = &'static Format> {
        self.0.iter().flat_map(|vendor| vendor.formats).copied()
    }

    /// The format of this name.
    pub fn format(&self, name: &str) -> Option<&'static Format> {
        self.formats().find(|format| format.name == name)
    }

    /// The format of this name, where it is a device's stream.
    pub fn stream(&self, name: &str) -> Option<&'static Format> {
        self.format(name).filter(|format| format.role == Role::Source)
    }

    /// Every kind of reason: the shared ones first, then those of vendors, then those of containers.
    pub fn reasons(self) -> impl Iterator<Item = ReasonId> {
        let own = self.0.iter().flat_map(|vendor| vendor.reasons.iter().copied().flatten());
        let of_containers = crate::containers::CATALOGUES.iter().copied().flatten();
        crate::verdict::reasons::CATALOGUE.iter().chain(own).chain(of_containers).copied()
    }

    /// The kind of reason with this id, shared, of a vendor or of a container.
    pub fn reason(&self, id: &str) -> Option<ReasonId> {
        self.reasons().find(|kind| kind.text() == id)
    }
}

/// One byte layout of a vendor.
#[derive(Debug)]
pub struct Format {
    /// The name that users type and that `payload_format` holds.
    pub name: &'static str,
    /// The vendor that it belongs to.
    pub vendor: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Whose bytes these are.
    pub role: Role,
    /// How its streams are known by their first bytes.
    pub known_by: KnownBy,
    /// Bytes from the start within which the source profile is known, of every stream that a known driver writes: one
    /// that says more may take more, up to [`Format::hold`]. `None` where only the end tells.
    pub judged_within: Option<u32>,
    /// What must be seen before a byte may be released.
    pub hold: Hold,
    /// What a stream can prove.
    pub proves: Proves,
    /// Options that `--format NAME:OPTION=VALUE` takes; at most [`OPTIONS_MAX`].
    pub options: &'static [OptionSpec],
    /// What a target, or the header of an envelope, settles of these options by its attributes.
    pub settled_by: fn(&dyn Attributes) -> Choices,
    /// Its structures: what a decoded record of a name is written by.
    pub layouts: &'static [&'static Layout],
    /// Reads the source profile from the first bytes and shows it, without allocating.
    pub identify: Identify,
    /// A reader at the start of a stream, under the standard `strict`. One that describes also emits
    /// [`Event::Record`]s.
    pub reader: fn(describe: bool) -> Box<dyn Reader>,
    /// The kernel driver, opened on the target in the state RESUMING; `None` where no driver is public.
    pub driver: Option<OpenDriver>,
}

impl Format {
    /// How much the first bytes look like the format; `eof` when there are no more.
    pub fn likeness(&self, prefix: &[u8], eof: bool) -> Likeness {
        match self.known_by {
            KnownBy::Magic(magics) => Magic::likeness_of(magics, First::of(prefix)),
            KnownBy::Distinct(look) | KnownBy::Fit(look) => look(prefix, eof),
        }
    }
}

/// How the streams of a format are known by their first bytes.
#[derive(Clone, Copy, Debug)]
pub enum KnownBy {
    /// One of these magics: nothing else begins with one.
    Magic(&'static [Magic]),
    /// Something else that nothing else has: asked of every input, whatever the target.
    Distinct(Look),
    /// No more than that the bytes fit: never [`Likeness::Certain`], and of as many bytes as are looked at
    /// ([`crate::recognise::PREFIX_MAX`]) never [`Likeness::Short`]. With so many it is asked for its own vendor's target only.
    Fit(Look),
}

/// What the first bytes say; `eof` when there are no more.
pub type Look = fn(prefix: &[u8], eof: bool) -> Likeness;

/// Looks at the first bytes of a stream, `eof` when nothing follows them, and shows the source profile once it is there.
pub type Identify = fn(prefix: &[u8], eof: bool, choices: Choices, show: &mut dyn FnMut(&dyn Attributes)) -> Identified;

/// Opens the model of a driver on a target, or says what the target must say for that.
pub type OpenDriver = fn(target: &Target, choices: Choices) -> Result<Box<dyn Driver>, &'static str>;

/// Whose bytes a format holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What a device was saved as.
    Source,
    /// What a target says of itself.
    Target,
    /// An envelope around another format.
    Envelope,
    /// A file or connection that holds device streams among other things.
    Container,
}

/// How much bytes look like a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// A magic that nothing else has.
    Certain,
    /// Nothing speaks against it; what speaks for it.
    Possible(&'static str),
    /// Nothing in any bytes could speak for it or against it: only the target's vendor, or the user, can say.
    Opaque,
    /// Too few bytes to tell, and what is there agrees.
    Short,
    /// Something speaks against it.
    No,
}

/// What must be seen before a byte may be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The whole stream, of at most so many bytes: `strict` is finished before anything leaves.
    Whole(u32),
    /// A record, of at most so many bytes.
    Record(u32),
    /// The first so many bytes.
    Prefix(u32),
}

impl Hold {
    /// Bytes that are held at the most, and one more: whether anything follows must be seen too.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Whole(bytes) | Self::Record(bytes) | Self::Prefix(bytes) => bytes.saturating_add(1),
        }
    }
}

/// What a stream of the format can prove, in words, and at a glance.
#[derive(Clone, Copy, Debug)]
pub struct Proves {
    /// The same in a word each: the line of `transire formats`.
    pub glance: Glance,
    /// What in the stream identifies its source.
    pub identity: &'static str,
    /// What of that the driver checks.
    pub driver_checks: &'static str,
    /// How the end is marked.
    pub end: &'static str,
    /// What protects the payload.
    pub payload: &'static str,
    /// What sealing adds.
    pub sealing_adds: &'static str,
}

/// What a stream can prove, in a word each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// What in the stream identifies its source: a few words, such as `version, device id`; empty where nothing does.
    pub identity: &'static str,
    /// How much of that the driver checks.
    pub driver_checks: Share,
    /// Whether the end is marked, so that a cut shows.
    pub end_marked: bool,
    /// Whether anything protects the payload.
    pub payload_protected: bool,
    /// Whether sealing adds something.
    pub sealing_adds: bool,
}

/// How much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of it.
    All,
    /// Part of it.
    Part,
    /// None of it, or there is none.
    Nothing,
}

impl Share {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Part => "part",
            Self::Nothing => "nothing",
        }
    }
}

/// Most options that a format has: none known needs more.
pub const OPTIONS_MAX: usize = 4;

/// What is chosen of a format's options: of each the number of a value, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices([Option<u8>; OPTIONS_MAX]);

impl Choices {
    /// Nothing is chosen.
    pub const NONE: Self = Self([None; OPTIONS_MAX]);

    /// The same with this value (by its place in [`OptionSpec::values`]) of this option (by its place in
    /// [`Format::options`]).
    #[must_use]
    pub fn with(mut self, option: usize, value: u8) -> Self {
        if let Some(chosen) = self.0.get_mut(option) {
            *chosen = Some(value);
        }
        self
    }

    /// Which value of the option is chosen, by its place.
    pub fn get(self, option: usize) -> Option<u8> {
        self.0.get(option).copied().flatten()
    }

    /// These choices, and where they say nothing, those.
    #[must_use]
    pub fn or(self, those: Self) -> Self {
        let mut both = self;
        for (mine, other) in both.0.iter_mut().zip(those.0) {
            *mine = mine.or(other);
        }
        both
    }
}

/// For formats whose options nothing else settles, or that have none.
pub const fn settles_nothing(_: &dyn Attributes) -> Choices {
    Choices::NONE
}

/// Why a format is not the one that a user typed.
#[derive(Clone, Copy, Debug)]
pub enum ChoiceError {
    /// No format has this name.
    Format,
    /// The format has no such option.
    Option(&'static Format),
    /// The option has no such value.
    Value(&'static OptionSpec),
    /// What follows the name is not `OPTION=VALUE`, separated by commas.
    Form,
}

impl Registry {
    /// A format as users name it: `NAME` or `NAME:OPTION=VALUE,OPTION=VALUE`.
    ///
    /// # Errors
    /// What of it is not known.
    pub fn chosen(&self, text: &str) -> Result<(&'static Format, Choices), ChoiceError> {
        let (name, options) = text.split_once(':').map_or((text, None), |(name, options)| (name, Some(options)));
        let format = self.format(name).ok_or(ChoiceError::Format)?;
        let mut choices = Choices::NONE;
        for pair in options.into_iter().flat_map(|options| options.split(',')) {
            let (name, value) = pair.split_once('=').ok_or(ChoiceError::Form)?;
            let option = format.options.iter().position(|option| option.name == name);
            let option = option.ok_or(ChoiceError::Option(format))?;
            let spec = format.options.get(option).ok_or(ChoiceError::Option(format))?;
            let value = spec.values.iter().position(|known| *known == value);
            let value = value.and_then(|value| u8::try_from(value).ok()).ok_or(ChoiceError::Value(spec))?;
            choices = choices.with(option, value);
        }
        Ok((format, choices))
    }
}

/// An option of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// The name.
    pub name: &'static str,
    /// The values that it takes.
    pub values: &'static [&'static str],
    /// What it settles.
    pub meaning: &'static str,
}

/// What [`Format::identify`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Identified {
    /// The source profile was shown; it took so many bytes.
    Shown(u32),
    /// So many bytes are needed.
    Need(u32),
    /// There is none.
    Refused(Reason),
}

/// A reader of a stream. The caller owns the buffer.
pub trait Reader: Send + Sync {
    /// Looks at the input, which begins where the bytes used so far end; `eof` when nothing follows it. The caller drops
    /// the bytes used and calls again until [`Event::End`] or a finding that is no note; a reader that is called again says
    /// that again. Any cut of the input gives the same events, and what is told of it rests on no byte but those that it
    /// needed.
    fn step<'a>(&mut self, input: &'a [u8], eof: bool) -> Step<'a>;

    /// Settles the format's options, before the first step.
    fn choose(&mut self, _choices: Choices) {}

    /// What is known of the source, from [`Event::Profile`] on.
    fn source(&self) -> Option<&dyn Attributes>;
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with.
    pub used: usize,
    /// What happened.
    pub event: Event<'a>,
}

impl<'a> Step<'a> {
    /// An event that used nothing.
    pub const fn stay(event: Event<'a>) -> Self {
        Self { used: 0, event }
    }
}

/// What a reader tells.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Nothing can be said before the input holds so many bytes, more than it does. Never given at its end.
    Need(usize),
    /// A structure, for a reader that describes. Its bytes are fewer than the layout's where the input ends in it.
    Record {
        /// Its fields.
        layout: &'static Layout,
        /// Which one, where there are several.
        number: Option<u32>,
        /// Offset of its first byte in the stream.
        offset: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The source profile is known, or known anew.
    Profile,
    /// Payload that has passed: the last of the bytes used.
    Data {
        /// The device that it belongs to; 0 outside containers.
        device: DeviceKey,
        /// When it was saved.
        phase: Phase,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A note, or the error that ends the stream.
    Finding(Reason),
    /// The stream is complete. Nothing follows.
    End,
}

/// Which device of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceKey(pub u32);

/// When payload was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// In pre-copy: what comes first and identifies the source.
    Initial = 1,
    /// In pre-copy: what changed.
    Iterative = 2,
    /// After the guest was stopped.
    StopCopy = 3,
    /// Not said.
    Unspecified = 4,
}

impl Phase {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The phase with this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Initial),
            2 => Some(Self::Iterative),
            3 => Some(Self::StopCopy),
            4 => Some(Self::Unspecified),
            _ => None,
        }
    }

    /// The name, as text has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Iterative => "iterative",
            Self::StopCopy => "stop-copy",
            Self::Unspecified => "unspecified",
        }
    }
}

/// A fixed structure: the one table from which decode, encode, inspect and JSON come.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The name of the structure.
    pub name: &'static str,
    /// Its fields, ascending by offset, without gaps.
    pub fields: &'static [Field],
}

impl Layout {
    /// Bytes of the structure; a last field of kind [`FieldKind::Rest`] comes on top.
    pub fn size(&self) -> usize {
        self.fields.last().map_or(0, |field| index(field.offset) + field.kind.size().unwrap_or(0))
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// One field of a structure.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// Offset of its first byte in the structure.
    pub offset: u32,
    /// What its bytes are.
    pub kind: FieldKind,
    /// What it says, its values and its unit.
    pub meaning: &'static str,
}

/// What the bytes of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// A little-endian number of 1 to 8 bytes, shown in decimal.
    Number(u8),
    /// A little-endian number of 1 to 8 bytes, shown in hex.
    Hex(u8),
    /// A big-endian number of 1 to 8 bytes, shown in decimal.
    BigNumber(u8),
    /// A big-endian number of 1 to 8 bytes, shown in hex.
    BigHex(u8),
    /// So many bytes.
    Bytes(u16),
    /// All bytes to the end of the record.
    Rest,
}

impl FieldKind {
    /// Bytes of the field; `None` for one whose length is its record's matter.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Number(size) | Self::Hex(size) | Self::BigNumber(size) | Self::BigHex(size) => {
                Some(usize::from(size))
            }
            Self::Bytes(size) => Some(usize::from(size)),
            Self::Rest => None,
        }
    }

    /// Whether it is a number.
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Bytes(_) | Self::Rest)
    }

    /// Whether it is a number that is shown in hex.
    pub const fn is_hex(self) -> bool {
        matches!(self, Self::Hex(_) | Self::BigHex(_))
    }
}

impl Field {
    /// A row of a layout.
    pub const fn new(name: &'static str, offset: u32, kind: FieldKind, meaning: &'static str) -> Self {
        Self { name, offset, kind, meaning }
    }

    /// The bytes of the field in its record; `None` where the record ends before the field does.
    pub fn bytes<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        let bytes = record.get(index(self.offset)..)?;
        self.kind.size().map_or(Some(bytes), |size| bytes.get(..size))
    }

    /// The field as a number; `None` for bytes, or where the record ends before the field does.
    pub fn number(&self, record: &[u8]) -> Option<u64> {
        let bytes = self.bytes(record)?;
        match self.kind {
            FieldKind::Number(_) | FieldKind::Hex(_) => Some(little_endian(bytes)),
            FieldKind::BigNumber(_) | FieldKind::BigHex(_) => Some(big_endian(bytes)),
            FieldKind::Bytes(_) | FieldKind::Rest => None,
        }
    }

    /// Where the field stands in the stream, for a record at `offset`.
    pub fn span(&self, offset: u64) -> Span {
        let length = self.kind.size().and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
        Span { offset: offset.saturating_add(u64::from(self.offset)), length, in_payload: false, channel: 0 }
    }
}

/// A decoded structure: its layout, where it stood, and its fields' values.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its fields.
    pub layout: &'static Layout,
    /// Which one, where there are several.
    pub number: Option<u32>,
    /// Offset of its first byte in the stream it was decoded from.
    pub offset: u64,
    /// One value a field.
    pub values: Vec<FieldValue>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A number.
    Number(u64),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Why a decoded stream cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// The structure and the field.
    pub field: String,
    /// What is wrong with its value.
    pub problem: &'static str,
}

const TOO_LARGE: &str = "the number does not fit its field";

impl Record {
    /// Decodes a structure; `None` where its bytes are fewer than the layout's.
    pub fn decode(layout: &'static Layout, number: Option<u32>, offset: u64, bytes: &[u8]) -> Option<Self> {
        let value = |field: &Field| {
            let of_number = field.number(bytes).map(FieldValue::Number);
            of_number.or_else(|| Some(FieldValue::Bytes(field.bytes(bytes)?.to_vec())))
        };
        let values = layout.fields.iter().map(value).collect::<Option<_>>()?;
        Some(Self { layout, number, offset, values })
    }

    /// Appends the bytes of the structure: the mirror of [`Record::decode`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.values.len() != self.layout.fields.len() {
            let problem = "the record has another number of values than its layout has fields";
            return Err(EncodeError { field: self.layout.name.into(), problem });
        }
        for (field, value) in self.layout.fields.iter().zip(&self.values) {
            let problem =
                |problem| EncodeError { field: alloc::format!("{}.{}", self.layout.name, field.name), problem };
            match (field.kind, value) {
                (FieldKind::Number(size) | FieldKind::Hex(size), FieldValue::Number(number)) => {
                    let bytes = number.to_le_bytes();
                    let (kept, dropped) = bytes.split_at_checked(usize::from(size)).unwrap_or((&bytes, &[]));
                    if dropped.iter().any(|&byte| byte != 0) {
                        return Err(problem(TOO_LARGE));
                    }
                    out.extend_from_slice(kept);
                }
                (FieldKind::BigNumber(size) | FieldKind::BigHex(size), FieldValue::Number(number)) => {
                    let bytes = number.to_be_bytes();
                    let dropped = bytes.len().saturating_sub(usize::from(size));
                    let (dropped, kept) = bytes.split_at_checked(dropped).unwrap_or((&[], &bytes));
                    if dropped.iter().any(|&byte| byte != 0) {
                        return Err(problem(TOO_LARGE));
                    }
                    out.extend_from_slice(kept);
                }
                (FieldKind::Bytes(size), FieldValue::Bytes(bytes)) => {
                    if bytes.len() != usize::from(size) {
                        return Err(problem("the field has another number of bytes"));
                    }
                    out.extend_from_slice(bytes);
                }
                (FieldKind::Rest, FieldValue::Bytes(bytes)) => out.extend_from_slice(bytes),
                (_, FieldValue::Bytes(_)) => return Err(problem("the field is a number")),
                (_, FieldValue::Number(_)) => return Err(problem("the field is bytes")),
            }
        }
        Ok(())
    }
}

/// A model of a kernel driver, opened on a device in the state RESUMING: what the driver does, gaps included.
///
/// A model begins with a device that was just opened, and whose hardware, firmware and memory do what is asked of them.
pub trait Driver: Send {
    /// One `write()` to the migration descriptor. After a refusal the model goes on as the driver does; after
    /// [`Failure::Breaks`] nothing more is asked of it.
    ///
    /// # Errors
    /// The driver's answer, where it is not the number of bytes written.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure>;

    /// The change out of RESUMING.
    ///
    /// # Errors
    /// The driver's answer.
    fn resume(&mut self) -> Result<(), Failure>;

    /// What the device holds now.
    fn holds(&self) -> Holds;

    /// Another session begins on the same device: what the driver keeps of the one before, the model keeps. Without a
    /// gap of that kind this makes it new.
    fn again(&mut self, between: Between);

    /// From here on nothing is known of the sessions before this one, where the driver keeps something of them.
    fn forget(&mut self) {}

    /// What the outcome so far depends on besides the stream and the target, where it does.
    fn depends(&self) -> Option<&'static str> {
        None
    }
}

/// What happens between two sessions on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// The device ran, and is put into RESUMING again.
    Ran,
    /// The device was reset.
    Reset,
    /// The device was closed and opened.
    Reopened,
}

/// The step of loading at which a driver refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverStep {
    /// A `write()` to the migration descriptor.
    Write,
    /// The change of the device's state out of RESUMING.
    SetState,
}

impl DriverStep {
    /// The name, as `acceptance.tsv` and every language say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::SetState => "set_state",
        }
    }
}

/// How a driver fails to take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It refuses, with this error.
    Refused(Errno),
    /// It does not come back as it should.
    Breaks(Break),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

/// How a driver breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The kernel crashes inside the call.
    Crashes,
    /// The call waits for what will never come; only a signal ends it.
    Blocks,
}

impl Break {
    /// The name, as every language says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crashes => "crashes",
            Self::Blocks => "blocks",
        }
    }
}

/// Declares error numbers with their names.
macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $message:literal;)*) => {
        /// An error number of the kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Errno {
            $($(#[$doc])* $name,)*
        }

        impl Errno {
            /// Every one that a model of a driver can answer.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name, such as `EFAULT`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What programs print of it, such as `Bad address`: `strerror` of the GNU C library.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                }
            }
        }
    };
}

errnos! {
    /// No such file or directory; used by drivers for a part that the device does not have.
    Enoent = "ENOENT", "No such file or directory";
    /// Input or output error.
    Eio = "EIO", "Input/output error";
    /// No such device or address.
    Enxio = "ENXIO", "No such device or address";
    /// Out of memory; used by drivers for a stream that is too long.
    Enomem = "ENOMEM", "Cannot allocate memory";
    /// Bad address; used by drivers for a header that they refuse.
    Efault = "EFAULT", "Bad address";
    /// Device or resource busy.
    Ebusy = "EBUSY", "Device or resource busy";
    /// No such device; used by drivers for a session that has ended, and for another device's stream.
    Enodev = "ENODEV", "No such device";
    /// Invalid argument.
    Einval = "EINVAL", "Invalid argument";
    /// No data available.
    Enodata = "ENODATA", "No data available";
    /// Operation not supported.
    Eopnotsupp = "EOPNOTSUPP", "Operation not supported";
    /// No buffer space available.
    Enobufs = "ENOBUFS", "No buffer space available";
    /// Time ran out.
    Etimedout = "ETIMEDOUT", "Connection timed out";
    /// Remote input or output error; the firmware's refusal.
    Eremoteio = "EREMOTEIO", "Remote I/O error";
}

/// What a device holds after loading was tried and every refusal ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// What the stream says; it runs on that.
    Input,
    /// Part of what the stream says: what was loaded before a refusal.
    Part,
    /// What it held before.
    Previous,
}

impl Holds {
    /// The name, as `acceptance.tsv` and every language say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Part => "part",
            Self::Previous => "previous",
        }
    }
}

/// What the kernel driver would do with a stream, given the `write()` calls that user space makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// Every write is taken and the device leaves RESUMING.
    Accepted,
    /// It is refused.
    Refused {
        /// At which step.
        step: DriverStep,
        /// With which error.
        errno: Errno,
        /// Which `write()` was refused first, from 0; for [`DriverStep::SetState`] the number of writes.
        write: u32,
        /// What the device holds if the refusal is ignored, the remaining writes are made and the state is changed.
        if_ignored: Holds,
    },
    /// The driver crashes, or never comes back.
    Breaks {
        /// At which step.
        step: DriverStep,
        /// How.
        how: Break,
        /// In which `write()`, from 0; for [`DriverStep::SetState`] the number of writes.
        write: u32,
    },
    /// The outcome hangs on something that stream and target do not say.
    Depends(&'static str),
}

/// Makes the writes on the driver, as user space that ignores refusals would, and says what came of it: the first
/// refusal, or the break where nothing was refused before it.
pub fn predict<'a>(driver: &mut dyn Driver, writes: impl Iterator<Item = &'a [u8]>) -> Prediction {
    let mut refused = None;
    let mut made = 0_u32;
    let mut broken = None;
    for write in writes {
        match driver.write(write) {
            Ok(()) => {}
            Err(Failure::Refused(errno)) => {
                refused.get_or_insert((DriverStep::Write, errno, made));
            }
            Err(Failure::Breaks(how)) => {
                broken = Some((DriverStep::Write, how, made));
                break;
            }
        }
        made = made.saturating_add(1);
    }
    if broken.is_none() {
        match driver.resume() {
            Ok(()) => {}
            Err(Failure::Refused(errno)) => {
                refused.get_or_insert((DriverStep::SetState, errno, made));
            }
            Err(Failure::Breaks(how)) => broken = Some((DriverStep::SetState, how, made)),
        }
    }
    if let Some(what) = driver.depends() {
        return Prediction::Depends(what);
    }
    match (refused, broken) {
        (Some((step, errno, write)), _) => Prediction::Refused { step, errno, write, if_ignored: driver.holds() },
        (None, Some((step, how, write))) => Prediction::Breaks { step, how, write },
        (None, None) => Prediction::Accepted,
    }
}
