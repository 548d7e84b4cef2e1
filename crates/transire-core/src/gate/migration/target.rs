//! What the devices of a migration are to be loaded into: targets by device, and what is known of the machine.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{Options, Standard};
use crate::containers::qemu::assembly::DEVICES_MAX;
use crate::containers::qemu::outlook::{Destination, Machine as Modelled, Slot};
use crate::format::{Between, Choices, Driver, Failure, Format, Holds, Registry};
use crate::gate::Input;
use crate::recognise::settled_by;
use crate::target::Target;

/// What stands behind a device's place in its identity string.
const SUFFIX: &[u8] = b"/vfio";

/// What a device of the stream is to be loaded into.
#[derive(Clone, Debug)]
pub struct DeviceTarget {
    /// Which device: its identity string, such as `0000:00:04.0/vfio`, with or without what stands behind its place.
    /// `None` for a target of every device that has none by name: the only one such, or the one of the device's vendor.
    pub device: Option<Vec<u8>>,
    /// What the device is there.
    pub target: Arc<Target>,
}

/// What is known of the target's machine besides its VFIO devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its type, such as `pc-q35-10.0`; `None` where that is taken to be the stream's. The standard `qemu` asks it.
    pub machine_type: Option<Vec<u8>>,
    /// Whether it loads with mapped-ram; `None` where that is taken to be as in the stream. The standard `qemu` asks it.
    pub mapped_ram: Option<bool>,
    /// Identity strings and instance ids of everything else that has state; `None` where the machine is taken to have
    /// whatever the stream has. The standard `qemu` asks it.
    pub handlers: Option<Vec<(Vec<u8>, u32)>>,
    /// Names and lengths of its blocks of RAM, those that are known. The standard `qemu` asks it.
    pub blocks: Vec<(Vec<u8>, u64)>,
    /// PCI configuration spaces by device, those that are known: the stream's are compared with them.
    pub configs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether vendor-specific capabilities are left out of that comparison (`skip-vsc-check`); `None` to go by the
    /// machine type in the stream.
    pub skip_vendor_specific: Option<bool>,
}

/// Why targets do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetError {
    /// Two targets for one device.
    Twice(Vec<u8>),
    /// Two targets of one vendor, and no device named for either.
    Ambiguous(&'static str),
    /// The standard `qemu` needs to know which device each target is.
    Unnamed,
    /// The standard `qemu` needs the devices of the machine.
    NoTargets,
    /// More targets than devices can be.
    TooMany,
    /// The model of a vendor's driver needs something that the target does not say.
    Driver(String, &'static str),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(name) => write!(f, "two targets for the device {}", name.escape_ascii()),
            Self::Ambiguous(vendor) => {
                write!(f, "two targets of {vendor} without a device: name the device of each, as in 0000:00:04.0")
            }
            Self::Unnamed => f.write_str(
                "the standard qemu must know which device each target is: name them, as in 0000:00:04.0, or give one",
            ),
            Self::NoTargets => f.write_str("the standard qemu needs targets: the VFIO devices of the machine"),
            Self::TooMany => write!(f, "more than {DEVICES_MAX} targets"),
            Self::Driver(vendor, what) => write!(f, "{vendor}: {what}"),
        }
    }
}

/// Stands in for the driver of a vendor of which no model is known.
struct Unmodelled;

impl Driver for Unmodelled {
    fn write(&mut self, _: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn holds(&self) -> Holds {
        Holds::Input
    }

    fn again(&mut self, _: Between) {}

    fn depends(&self) -> Option<&'static str> {
        Some("the driver of a device, of which no model is known here")
    }
}

/// A device's place: its identity string without what stands behind it.
pub(super) fn place_of(name: &[u8]) -> &[u8] {
    name.strip_suffix(SUFFIX).unwrap_or(name)
}

pub(super) fn config_of<'a>(machine: &'a Machine, name: &[u8]) -> Option<&'a [u8]> {
    let found = machine.configs.iter().find(|(device, _)| place_of(device) == place_of(name));
    found.map(|(_, space)| space.as_slice())
}

/// The target of a device: the one that names it, or the only one that names none.
pub(super) fn target_of(targets: &[DeviceTarget], name: &[u8], instance: u32) -> Option<usize> {
    let named = |of: &DeviceTarget| of.device.as_deref().is_some_and(|device| place_of(device) == place_of(name));
    let by_name = targets.iter().position(named).filter(|_| instance == 0);
    let mut unnamed = targets.iter().enumerate().filter(|(_, of)| of.device.is_none());
    by_name.or_else(|| match (unnamed.next(), unnamed.next()) {
        (Some((number, _)), None) => Some(number),
        _ => None,
    })
}

/// Whether targets go together, and with the standard.
pub(super) fn check(targets: Option<&[DeviceTarget]>, standard: Standard) -> Result<(), TargetError> {
    let Some(targets) = targets else {
        return if standard == Standard::Qemu { Err(TargetError::NoTargets) } else { Ok(()) };
    };
    if targets.len() > DEVICES_MAX {
        return Err(TargetError::TooMany);
    }
    for (number, of) in targets.iter().enumerate() {
        let before = targets.get(..number).unwrap_or(&[]);
        let Some(name) = &of.device else {
            let mut unnamed = before.iter().filter(|other| other.device.is_none()).peekable();
            if standard == Standard::Qemu && unnamed.peek().is_some() {
                return Err(TargetError::Unnamed);
            }
            let vendor = of.target.rules().vendor();
            if unnamed.any(|other| other.target.vendor() == vendor) {
                return Err(TargetError::Ambiguous(vendor));
            }
            continue;
        };
        let same =
            |other: &DeviceTarget| other.device.as_deref().is_some_and(|other| place_of(other) == place_of(name));
        if before.iter().any(same) {
            return Err(TargetError::Twice(name.clone()));
        }
    }
    Ok(())
}

/// The model of a machine with the devices that the targets name.
pub(super) fn destination(
    registry: Registry,
    targets: &[DeviceTarget],
    machine: &Machine,
    options: &Options,
) -> Result<Destination, TargetError> {
    let mut devices = Vec::new();
    for of in targets {
        let driver = driver_of(registry, &of.target, options)?;
        if let Some(name) = &of.device {
            let config = config_of(machine, name).map(<[u8]>::to_vec);
            let name = [place_of(name), SUFFIX].concat();
            devices.push(Slot { name, instance: 0, driver, config });
        }
    }
    Ok(Destination::new(Modelled {
        machine: machine.machine_type.clone(),
        mapped_ram: machine.mapped_ram,
        devices,
        handlers: machine.handlers.clone(),
        blocks: machine.blocks.clone(),
        skip_vendor_specific: true,
    }))
}

/// The model of the driver that loads a target, opened.
pub(super) fn driver_of(
    registry: Registry,
    target: &Target,
    options: &Options,
) -> Result<Box<dyn Driver>, TargetError> {
    let of_vendor = |format: &'static Format| (format.vendor == target.vendor()).then_some(format);
    let chosen = match options.devices.input {
        Input::Format(format, choices) => of_vendor(format).map(|format| (format, choices)),
        _ => None,
    };
    let formats = || registry.vendor(target.vendor()).map_or(&[][..], |vendor| vendor.formats).iter().copied();
    let modelled = || formats().find(|format| format.driver.is_some()).map(|format| (format, Choices::NONE));
    let Some((format, choices)) = chosen.or_else(modelled) else { return Ok(Box::new(Unmodelled)) };
    let Some(open) = format.driver else { return Ok(Box::new(Unmodelled)) };
    let choices = choices.or(settled_by(format, target));
    open(target, choices).map_err(|what| TargetError::Driver(target.vendor().to_string(), what))
}
