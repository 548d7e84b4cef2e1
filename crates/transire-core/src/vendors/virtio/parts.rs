//! Device parts: what a `DEVICE_DATA` record holds.
//!
//! Facts: OASIS virtio specification, `device-parts.tex` (24e93e10fdd4): types, lengths, selectors and order; widths of
//! the fields of the common configuration from `struct virtio_pci_common_cfg`. The kernel's driver looks at none of it.

use crate::bytes::little_endian;
use crate::format::{Field, FieldKind, Layout};

/// Bytes of a part's header.
pub const PART_LEN: usize = 16;
/// The only flag of a part: a device that does not know it may ignore it.
pub const PART_OPTIONAL: u8 = 1;
/// Most bytes of feature bits that are looked at, 256 bits: what an attribute of type mask has. The specification names
/// bits up to 127.
pub const FEATURES_MAX: u32 = 32;
/// Offset of `num_queues` in the common configuration.
pub const NUM_QUEUES_OFFSET: u32 = 18;

/// The header of a part.
pub static PART: Layout = Layout {
    name: "part",
    fields: &[
        Field::new(
            "part_type",
            0,
            FieldKind::Hex(2),
            "0x100 features offered, 0x101 accepted, 0x102 field, 0x103 status, 0x104 queue, 0x105 notification",
        ),
        Field::new("flags", 2, FieldKind::Hex(1), "bit 0: a device may ignore the part"),
        Field::new("reserved", 3, FieldKind::Hex(1), "0"),
        Field::new("selector", 4, FieldKind::Hex(8), "offset of the field, or index of the queue; else 0"),
        Field::new("length", 12, FieldKind::Number(4), "bytes behind the header of the part"),
    ],
};

/// Feature bits, in one word.
pub static FEATURES: Layout =
    Layout { name: "features", fields: &[Field::new("bits", 0, FieldKind::Hex(8), "bits 0 to 63")] };
/// Feature bits, in several words.
pub static FEATURES_WIDE: Layout = Layout {
    name: "features_wide",
    fields: &[Field::new("bits", 0, FieldKind::Rest, "words of 64 bits, the lowest first")],
};
/// A field of the common configuration, of one byte.
pub static COMMON_8: Layout =
    Layout { name: "common_cfg_8", fields: &[Field::new("value", 0, FieldKind::Hex(1), "the field's value")] };
/// A field of the common configuration, of two bytes.
pub static COMMON_16: Layout =
    Layout { name: "common_cfg_16", fields: &[Field::new("value", 0, FieldKind::Hex(2), "the field's value")] };
/// A field of the common configuration, of four bytes.
pub static COMMON_32: Layout =
    Layout { name: "common_cfg_32", fields: &[Field::new("value", 0, FieldKind::Hex(4), "the field's value")] };
/// The device status.
pub static STATUS: Layout = Layout {
    name: "device_status",
    fields: &[Field::new("status", 0, FieldKind::Hex(1), "bits of the device status")],
};
/// The configuration of a queue.
pub static QUEUE: Layout = Layout {
    name: "vq_cfg",
    fields: &[
        Field::new("queue_size", 0, FieldKind::Number(2), "entries of the queue"),
        Field::new("vector", 2, FieldKind::Hex(2), "MSI-X vector, 0xffff for none"),
        Field::new("enabled", 4, FieldKind::Number(2), "0 or 1"),
        Field::new("reserved", 6, FieldKind::Hex(2), "0"),
        Field::new("queue_desc", 8, FieldKind::Hex(8), "guest address of the descriptors"),
        Field::new("queue_driver", 16, FieldKind::Hex(8), "guest address of the driver's area"),
        Field::new("queue_device", 24, FieldKind::Hex(8), "guest address of the device's area"),
    ],
};
/// How a queue is notified.
pub static NOTIFY: Layout = Layout {
    name: "vq_notify_cfg",
    fields: &[
        Field::new("queue_notify_off", 0, FieldKind::Number(2), "offset of the queue's notification, in its unit"),
        Field::new("queue_notif_config_data", 2, FieldKind::Hex(2), "what the driver writes to notify"),
        Field::new("reserved", 4, FieldKind::Hex(4), "0"),
    ],
};

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The features that the device offers.
    DevFeatures,
    /// The features that the guest's driver has accepted.
    DrvFeatures,
    /// One field of the common configuration.
    CommonCfg,
    /// The device status.
    Status,
    /// The configuration of a queue.
    Queue,
    /// How a queue is notified.
    Notify,
}

impl Kind {
    /// Every kind, in the order in which the specification has them saved and loaded.
    pub const ALL: [Self; 6] =
        [Self::DevFeatures, Self::DrvFeatures, Self::CommonCfg, Self::Status, Self::Queue, Self::Notify];

    /// The part type on the wire of the first kind; the others follow.
    const FIRST: u16 = 0x100;

    /// The kind with this part type.
    pub fn of(part_type: u16) -> Option<Self> {
        Self::ALL.get(usize::from(part_type.checked_sub(Self::FIRST)?)).copied()
    }

    /// Whether a part has this length; `selector` names its field, where it has one.
    pub fn has_length(self, selector: u64, length: u32) -> bool {
        match self {
            Self::DevFeatures | Self::DrvFeatures => length.is_multiple_of(8) && (1..=FEATURES_MAX).contains(&length),
            Self::CommonCfg => field_width(selector) == Some(length),
            Self::Status => length == 1,
            Self::Queue => length == 32,
            Self::Notify => length == 8,
        }
    }

    /// The length that a part should have, in words.
    pub fn length_words(self) -> &'static str {
        match self {
            Self::DevFeatures | Self::DrvFeatures => "8, 16, 24 or 32",
            Self::CommonCfg => "the width of the field",
            Self::Status => "1",
            Self::Queue => "32",
            Self::Notify => "8",
        }
    }

    /// Whether a selector of this kind names something.
    pub fn has_selector(self, selector: u64) -> bool {
        match self {
            Self::DevFeatures | Self::DrvFeatures | Self::Status => selector == 0,
            Self::CommonCfg => field_width(selector).is_some(),
            Self::Queue | Self::Notify => selector <= 0xffff,
        }
    }

    /// How a value of this length is described.
    pub fn layout(self, length: u32) -> &'static Layout {
        match (self, length) {
            (Self::DevFeatures | Self::DrvFeatures, 8) => &FEATURES,
            (Self::DevFeatures | Self::DrvFeatures, _) => &FEATURES_WIDE,
            (Self::CommonCfg, 1) => &COMMON_8,
            (Self::CommonCfg, 2) => &COMMON_16,
            (Self::CommonCfg, _) => &COMMON_32,
            (Self::Status, _) => &STATUS,
            (Self::Queue, _) => &QUEUE,
            (Self::Notify, _) => &NOTIFY,
        }
    }
}

/// Bytes of the field of the common configuration at this offset; `None` where none begins.
pub fn field_width(offset: u64) -> Option<u32> {
    match offset {
        0 | 4 | 8 | 12 | 32 | 36 | 40 | 44 | 48 | 52 => Some(4),
        16 | 18 | 22 | 24 | 26 | 28 | 30 | 56 | 58 | 60 | 62 => Some(2),
        20 | 21 => Some(1),
        _ => None,
    }
}

/// The header of a part, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is, on the wire.
    pub part_type: u16,
    /// [`PART_OPTIONAL`], or nothing.
    pub flags: u8,
    /// 0.
    pub reserved: u8,
    /// What it is about.
    pub selector: u64,
    /// Bytes of its value.
    pub length: u32,
}

impl Part {
    /// Takes a header apart.
    pub fn read(bytes: &[u8; PART_LEN]) -> Self {
        let [t0, t1, flags, reserved, selector @ .., l0, l1, l2, l3] = *bytes;
        Self {
            part_type: u16::from_le_bytes([t0, t1]),
            flags,
            reserved,
            selector: little_endian(&selector),
            length: u32::from_le_bytes([l0, l1, l2, l3]),
        }
    }

    /// What it is, where that is known.
    pub fn kind(self) -> Option<Kind> {
        Kind::of(self.part_type)
    }
}
