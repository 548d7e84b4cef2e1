//! The stream of mlx5: a record that says how much memory the source set aside, then images of the firmware.
//!
//! Facts: Linux `drivers/vfio/pci/mlx5/cmd.h`, `struct mlx5_vf_migration_header` and `enum mlx5_vf_migf_header_tag`.
//! Little-endian by definition. Each image is loaded as it comes; no record counts the others, and nothing marks the end.
//! Older kernels wrote records without the first one (6.2), or one image and no record at all.

use alloc::boxed::Box;

use super::driver::{Device, ImageDevice};
use crate::attribute::{AttributeId, Attributes, DRIVER_VERSION, Text, VENDOR, Value, Version};
use crate::bytes::little_endian;
use crate::format::{
    Choices, Driver, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, OptionSpec, Proves, Role, Share,
};
use crate::records::{self, HEADER, HEADER_LEN, Length, OPTIONAL, RECORD_MAX, Reasons, Record, Room, Tell, Unit};
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Reason};

/// The record is an image of the firmware (`MLX5_MIGF_HEADER_TAG_FW_DATA`).
pub const FW_DATA: u32 = 0;
/// The record says how much memory the last image may take (`MLX5_MIGF_HEADER_TAG_STOP_COPY_SIZE`).
pub const STOP_COPY_SIZE: u32 = 1;
/// Bytes of the hint in [`STOP_COPY_SIZE`].
pub const HINT_LEN: u64 = 8;
/// The least page of a host: a hint is a multiple of its page.
pub const PAGE: u64 = 4096;
/// Most that a source sets aside: its buffers stay a page below 4 GiB, so that their length has 32 bits.
pub const HINT_MAX: u64 = RECORD_MAX + 1 - PAGE;

/// What a stream that a known driver writes begins with: the header of a record of 8 bytes, optional, tag 1.
const FIRST: [u8; HEADER_LEN] = [8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];

/// The format.
pub static FORMAT: Format = Format {
    name: "mlx5",
    vendor: "mlx5",
    title: "stream of the Linux driver mlx5_vfio_pci: records of firmware images",
    role: Role::Source,
    known_by: KnownBy::Fit(likeness),
    judged_within: Some(16),
    hold: Hold::Prefix(16),
    proves: Proves {
        glance: Glance {
            identity: "",
            driver_checks: Share::Nothing,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "nothing: neither device nor firmware is named",
        driver_checks: "nothing of the source; the firmware takes an image or refuses it",
        end: "not marked; a cut between two records cannot be seen",
        payload: "nothing that is known; the images are the firmware's",
        sealing_adds: "checksums, a marked end, the identity of host and device",
    },
    options: &[OptionSpec {
        name: "layout",
        values: &["records", "records-6.2", "image"],
        meaning: "records, the first with the size of the last image; records of Linux 6.2, images only; or one image \
                  without records, as Linux 5.18 to 6.1 wrote it, and later ones for devices without pre-copy",
    }],
    settled_by,
    layouts: &[&HEADER, &HINT, &IMAGE, &PASSED_OVER],
    identify: records::identify::<Stream>,
    reader: records::reader::<Stream>,
    driver: Some(open_driver),
};

/// What [`STOP_COPY_SIZE`] holds.
pub static HINT: Layout = Layout {
    name: "stop_copy_size",
    fields: &[Field::new("size", 0, FieldKind::Number(8), "bytes that the source set aside for the last image")],
};

/// An image, or a piece of it.
pub static IMAGE: Layout = Layout {
    name: "image",
    fields: &[Field::new("data", 0, FieldKind::Rest, "the firmware's; a long image is shown in pieces of 64 KiB")],
};

/// What an optional record that is not known holds, or a piece of it.
pub static PASSED_OVER: Layout = Layout {
    name: "passed_over",
    fields: &[Field::new("data", 0, FieldKind::Rest, "of a tag that is not known; the driver drops it")],
};

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        RECORD_SIZE: "mlx5.record-size", Corrupt,
            "a record has a size that it cannot have",
            "the stream was damaged or forged: do not load it; one without records is named by --format mlx5:layout=image";
        TAG: "mlx5.tag", Unrecognized,
            "a record that must be understood has a tag that is not known",
            "update transire; the driver refuses every such tag that it does not know";
        TAG_OPTIONAL: "mlx5.tag-optional", Compatible,
            "a record that need not be understood has a tag that is not known: passed on; the driver drops it",
            "nothing; a newer transire may make use of it";
        FLAGS: "mlx5.flags", Corrupt,
            "a record has other flags than every known driver writes with its tag; the driver of the target does not look",
            "the stream was damaged or forged, or transire is too old for it";
        ORDER: "mlx5.order", Corrupt,
            "the stream does not begin with the size of the last image, or states it again",
            "the stream was damaged or put together wrongly; one of Linux 6.2 is named by --format mlx5:layout=records-6.2";
        HINT_MAX: "mlx5.hint-max", Corrupt,
            "the size of the last image is more than a source can set aside; the driver would take 4 GiB of memory for it",
            "the stream was damaged or forged: do not load it";
        HINT: "mlx5.hint", Compatible,
            "the size of the last image is not a positive multiple of a page, which every known driver sets aside",
            "nothing: the driver makes room for what comes, whatever this says";
    }
}

fn likeness(prefix: &[u8], _eof: bool) -> Likeness {
    match prefix.first_chunk() {
        Some(first) if *first == FIRST => {
            Likeness::Possible("it begins with an optional record of 8 bytes and tag 1, as STOP_COPY_SIZE is")
        }
        None if FIRST.starts_with(prefix) => Likeness::Short,
        // An image without records begins with any bytes.
        _ => Likeness::Opaque,
    }
}

/// How the stream is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Records,
    Records62,
    Image,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Records, Self::Records62, Self::Image];

    /// What is chosen; records where nothing is.
    fn chosen(choices: Choices) -> Self {
        let chosen = choices.get(0).and_then(|value| Self::ALL.get(usize::from(value)).copied());
        chosen.unwrap_or(Self::Records)
    }
}

/// A driver before 6.2 knows no records. From 6.2 on it depends on the device, so nothing is settled.
fn settled_by(side: &dyn Attributes) -> Choices {
    match side.value(DRIVER_VERSION) {
        Some(Value::Version(version)) if version < (Version { major: 6, minor: 2, patch: 0 }) => {
            Choices::NONE.with(0, 2)
        }
        _ => Choices::NONE,
    }
}

/// What a stream says of its source: the vendor, by its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source;

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        id.is(VENDOR).then_some(Value::Text(Text::constant("mlx5")))
    }
}

/// A stream, as far as it has been read.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    shape: Shape,
    /// Records begun.
    records: u32,
    /// The tag of the record at hand.
    tag: u32,
    /// Which record is at hand.
    number: u32,
    /// Whether a whole image has passed.
    images: bool,
}

impl Room for Stream {
    type Source = Source;

    const REASONS: Reasons = Reasons {
        record_size: reasons::RECORD_SIZE,
        tag: reasons::TAG,
        tag_optional: reasons::TAG_OPTIONAL,
        flags: reasons::FLAGS,
    };

    fn new(choices: Choices, _whole: bool) -> Self {
        let shape = Shape::chosen(choices);
        Self { shape, records: 0, tag: FW_DATA, number: 0, images: false }
    }

    fn flags_of(&self, tag: u32) -> Option<u32> {
        match tag {
            FW_DATA => Some(0),
            STOP_COPY_SIZE if self.shape == Shape::Records => Some(OPTIONAL),
            _ => None,
        }
    }

    fn has_records(&self) -> bool {
        self.shape != Shape::Image
    }

    fn begin(&mut self, record: &Record, known: bool, tell: Tell<'_>) {
        let header = record.header;
        let size = |required| {
            let found = Datum::Count(header.size);
            Reason::at(reasons::RECORD_SIZE, record.at).spanning(record.at, 8).because(found, required)
        };
        if self.shape == Shape::Records && (record.number == 0) != (header.tag == STOP_COPY_SIZE) {
            let at = record.at.saturating_add(12);
            let required = if record.number == 0 { "STOP_COPY_SIZE, tag 1" } else { "FW_DATA, tag 0" };
            let found = Datum::Wire(u64::from(header.tag));
            if record.number == 0 || known {
                tell(Reason::at(reasons::ORDER, at).spanning(at, 4).because(found, Datum::Word(required)));
                return;
            }
        }
        match header.tag {
            FW_DATA if header.size == 0 => tell(size(Datum::Word("1 or more"))),
            STOP_COPY_SIZE if known && header.size != HINT_LEN => tell(size(Datum::Count(HINT_LEN))),
            _ => {
                self.records = self.records.saturating_add(1);
                self.tag = header.tag;
                self.number = record.number;
            }
        }
    }

    fn unit(&self, left: u64) -> Unit {
        let (layout, length) = match self.tag {
            STOP_COPY_SIZE if self.shape == Shape::Records => (&HINT, Length::Whole(8)),
            FW_DATA => (&IMAGE, Length::Passing(left)),
            _ => (&PASSED_OVER, Length::Passing(left)),
        };
        Unit { layout, number: self.number, length }
    }

    fn take(&mut self, bytes: &[u8], at: u64, _left: u64, tell: Tell<'_>) {
        let hint = little_endian(bytes);
        let reason = |id, required| Reason::at(id, at).spanning(at, 8).because(Datum::Count(hint), required);
        if hint > HINT_MAX {
            tell(reason(reasons::HINT_MAX, Datum::Count(HINT_MAX)));
        } else if hint == 0 || !hint.is_multiple_of(PAGE) {
            tell(reason(reasons::HINT, Datum::Word("a multiple of 4096")));
        }
    }

    fn finish(&mut self, _at: u64, _tell: Tell<'_>) {
        self.images |= self.tag == FW_DATA;
    }

    fn lacks(&self, end: u64) -> Option<Reason> {
        let images = if self.has_records() { self.images } else { end > 0 };
        let required = Datum::Word("an image");
        (!images).then(|| Reason::at(shared::STREAM_TRUNCATED, end).because(Datum::Count(end), required))
    }

    fn told(&self) -> u32 {
        u32::from(self.records > 0 || !self.has_records())
    }

    fn source(&self) -> Source {
        Source
    }
}

#[expect(clippy::unnecessary_wraps, reason = "other vendors' drivers need to know more of their target")]
fn open_driver(_target: &Target, choices: Choices) -> Result<Box<dyn Driver>, &'static str> {
    Ok(match Shape::chosen(choices) {
        Shape::Image => Box::<ImageDevice>::default(),
        // The driver of today takes what 6.2 wrote: its images are the same bytes.
        Shape::Records | Shape::Records62 => Box::<Device>::default(),
    })
}
