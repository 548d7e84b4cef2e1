//! What the benchmarks work on: profiles, targets and streams of every size, made here.

use std::sync::Arc;

use transire_core::attribute::{
    AGGREGATION, CAPACITY, DEVICE_API, DRIVER, DRIVER_BUILD, DRIVER_VERSION, MDEV_TYPE, OBSERVED_AT, OwnedValue, Ratio,
    SOFTWARE_VERSION, Text, VENDOR, Value, Version,
};
use transire_core::format::Phase;
use transire_core::profile::{Profile, ProfileBuilder};
use transire_core::seal::{Flow, SealEvent, Sealing};
use transire_core::sealed::{Digest, SealOptions};
use transire_core::target::Target;
use transire_core::vendors::VENDORS;
use transire_core::vendors::mtty::{NR_PORTS, STREAM_VERSION};

/// The header of a two-port mtty stream.
pub const MTTY_HEADER: [u8; 24] =
    [0x4e, 0x2c, 0x3e, 0x8c, 0x89, 0x09, 0x9d, 0x7e, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];

fn text(text: &'static str) -> OwnedValue {
    Value::Text(Text::constant(text)).to_owned()
}

/// A profile of an mtty device of two ports, with twelve attributes.
///
/// # Panics
/// Never: the attributes are constants.
pub fn profile() -> Profile {
    let mut builder = ProfileBuilder::new();
    let version = |major, minor, patch| Value::Version(Version { major, minor, patch }).to_owned();
    builder.set(VENDOR, &text("mtty"));
    builder.set(DEVICE_API, &text("vfio-pci"));
    builder.set(DRIVER, &text("mtty"));
    builder.set(DRIVER_VERSION, &version(6, 12, 95));
    builder.set(MDEV_TYPE, &text("mtty-2"));
    builder.set(AGGREGATION, &Value::Uint(1).to_owned());
    builder.set(CAPACITY, &Value::Ratio(Ratio::new(1, 1).expect("in lowest terms")).to_owned());
    builder.set(SOFTWARE_VERSION, &version(1, 0, 0));
    builder.set(DRIVER_BUILD, &text("6.12.95-1~bpo12+1"));
    builder.set(OBSERVED_AT, &Value::Uint(1_767_225_600).to_owned());
    builder.set(NR_PORTS, &Value::Uint(2).to_owned());
    builder.set(STREAM_VERSION, &version(1, 0, 0));
    builder.build(&|vendor| VENDORS.dictionary(vendor)).expect("a profile")
}

/// The target that takes it.
///
/// # Panics
/// Never: the attributes are constants.
pub fn target() -> Arc<Target> {
    let rules = VENDORS.vendor("mtty").expect("mtty is known").rules;
    Arc::new(Target::new(profile(), rules).expect("a target"))
}

/// A sealed stream with so many bytes of opaque payload.
///
/// # Panics
/// Never: the options are constants.
pub fn sealed(payload: &[u8], digest: Digest) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + (payload.len() >> 16) + 1024);
    seal(payload, digest, &mut |bytes| out.extend_from_slice(bytes));
    out
}

/// Seals opaque payload, piece by piece into `write`.
///
/// # Panics
/// Never: the options are constants.
pub fn seal(payload: &[u8], digest: Digest, write: &mut dyn FnMut(&[u8])) {
    let options = SealOptions {
        payload_format: "opaque".to_owned(),
        digest,
        payload_len: None,
        stream_id: [7; 16],
        device_label: None,
    };
    let mut sealing = Sealing::begin(VENDORS, profile(), &options).expect("options of constants");
    sealing.set_phase(Phase::Unspecified);
    let mut rest = payload;
    loop {
        let step = sealing.step(rest, Flow::End).expect("one phase, no announced length");
        let used = step.used;
        match step.event {
            SealEvent::Bytes(bytes) => write(bytes),
            SealEvent::Frame(head, payload) => {
                write(&head);
                write(payload);
            }
            SealEvent::Finished => return,
            _ => {}
        }
        rest = &rest[used..];
    }
}
