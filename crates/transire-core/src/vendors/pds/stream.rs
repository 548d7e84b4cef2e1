//! The stream of pds: what the card's firmware gave, and nothing else.
//!
//! Facts: `include/linux/pds/pds_adminq.h` declares the state as 16,384 little-endian words of 32 bits, and the driver
//! answers 65,536 to whoever asks for its size; the length is not enforced on saving. There is no header, no magic, no
//! version, no length and no end mark.

use alloc::boxed::Box;

use super::driver;
use crate::attribute::{AttributeId, Attributes, PCI_ID, Statable, Text, VENDOR, Value};
use crate::bytes::widen;
use crate::format::{
    Choices, Field, FieldKind, Format, Glance, Hold, KnownBy, Layout, Likeness, Proves, Role, Share, settles_nothing,
};
use crate::verdict::{Datum, Reason};
use crate::whole::{self, Structure, Undecided, Whole, truncated};

/// Bytes of the state that the header declares, and of the driver's buffer on the target (`PDS_LM_DEVICE_STATE_LENGTH`).
pub const STATE_LEN: u32 = 65_536;

/// The same, as a length.
pub(super) const STATE: usize = STATE_LEN as usize;

/// The format.
pub static FORMAT: Format = Format {
    name: "pds",
    vendor: "pds",
    title: "state that the firmware of an AMD/Pensando DSC card gave",
    role: Role::Source,
    known_by: KnownBy::Fit(likeness),
    judged_within: None,
    hold: Hold::Whole(STATE_LEN),
    proves: Proves {
        glance: Glance {
            identity: "",
            driver_checks: Share::Nothing,
            end_marked: false,
            payload_protected: false,
            sealing_adds: true,
        },
        identity: "nothing",
        driver_checks: "nothing; the firmware may",
        end: "not marked; 65,536 bytes are expected, and the driver completes fewer with zeros",
        payload: "nothing that is public",
        sealing_adds: "everything: the identity of host and device, checksums, a marked end",
    },
    options: &[],
    settled_by: settles_nothing,
    layouts: &[&LAYOUT],
    identify: whole::identify::<Stream>,
    reader: whole::reader::<Stream>,
    driver: Some(|_, _| Ok(Box::new(driver::Device::resuming()))),
};

/// The state, in one piece.
pub static LAYOUT: Layout = Layout {
    name: "state",
    fields: &[Field::new(
        "words",
        0,
        FieldKind::Rest,
        "16,384 little-endian words of 32 bits, known to the firmware only",
    )],
};

/// The reasons that only this format gives.
pub mod reasons {
    crate::catalogue! { CATALOGUE;
        LENGTH: "pds.length", Compatible,
            "the state has fewer bytes than the 65,536 that the driver's header declares; the driver completes it with zeros",
            "seal the stream at its source, and a cut shows; nothing else tells a short state from one that was cut";
    }
}

const fn likeness(_prefix: &[u8], _eof: bool) -> Likeness {
    Likeness::Opaque
}

/// What a stream says of its source: nothing but that the user or the target's vendor took it for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source;

/// What a stream says of its source: its vendor, as that is how it is known.
pub static STATABLE: Statable = Statable { attributes: &[VENDOR], unsaid: &[PCI_ID] };

impl Attributes for Source {
    fn value(&self, id: AttributeId) -> Option<Value<'_>> {
        id.is(VENDOR).then_some(Value::Text(Text::constant("pds")))
    }

    fn statable(&self) -> Option<&'static Statable> {
        Some(&STATABLE)
    }
}

/// The stream, held whole.
#[derive(Debug)]
pub struct Stream;

impl Whole for Stream {
    type Source = Source;

    /// All of it and one byte more: nothing is said before the end, as no byte says anything.
    const DECIDED_BY: usize = STATE + 1;

    fn source(prefix: &[u8], _eof: bool, _choices: Choices) -> Result<Source, Undecided> {
        if prefix.is_empty() {
            // A card whose state has no bytes fails to save: EIO.
            return Err(truncated(0, Datum::Count(u64::from(STATE_LEN))).into());
        }
        Ok(Source)
    }

    fn most(_source: &Source) -> usize {
        STATE
    }

    fn check(_source: &Source, stream: &[u8], tell: &mut dyn FnMut(Reason) -> bool) {
        let end = widen(stream.len());
        if stream.len() != STATE {
            let required = Datum::Count(u64::from(STATE_LEN));
            tell(Reason::at(reasons::LENGTH, end).because(Datum::Count(end), required));
        }
    }

    fn structure(_source: Option<&Source>, _input: &[u8], number: u32) -> Option<Structure> {
        (number == 0).then_some(Structure { layout: &LAYOUT, number: None, range: 0..STATE })
    }
}
