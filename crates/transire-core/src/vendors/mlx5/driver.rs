//! What the kernel driver does with a stream: its own checks, and no others.
//!
//! Facts: Linux 7.3.4, `drivers/vfio/pci/mlx5/main.c` and `cmd.c`, run in user space with a firmware that takes any image;
//! the recorded answers are `fixtures/mlx5/acceptance.tsv`. What a real firmware says of an image is not known here: the
//! model's takes each, unless it is told otherwise. Not modelled, as no stream causes them: an explicit offset (`ESPIPE`),
//! a position that is negative or overflows (`EINVAL`), a PF driver that is gone (`ENOTCONN`).

use super::stream::{FW_DATA, STOP_COPY_SIZE};
use crate::bytes::widen;
use crate::format::{Between, Break, Driver, Errno, Failure, Holds};
use crate::records::RECORD_MAX;
use crate::records::driver::{Kind, Load, Loads, PAGE, Pages, Session, Taken, Ways, pages};

/// A device in the state RESUMING.
#[derive(Clone, Debug)]
pub struct Device {
    session: Session,
    state: Memory,
    /// Whether something was refused.
    refused: bool,
    surroundings: Surroundings,
}

/// What is around the driver, and no stream says.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    free_pages: u64,
    /// Which load the firmware refuses, from 1, and with which error.
    refuses: Option<(u64, Errno)>,
}

/// What the driver holds.
#[derive(Clone, Debug)]
struct Memory {
    pages: Pages,
    /// Pages of the buffer for what the driver itself reads.
    header: u64,
    /// Pages of the buffer for images.
    image: u64,
    /// What the last `STOP_COPY_SIZE` said.
    hint: u64,
    loads: Loads,
    refuses: Option<(u64, Errno)>,
}

impl Memory {
    fn new(surroundings: Surroundings) -> Self {
        let mut pages = Pages::of(surroundings.free_pages);
        let header = pages.take(1).map_or(0, |()| 1);
        Self { pages, header, image: 0, hint: 0, loads: Loads::NONE, refuses: surroundings.refuses }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::resuming()
    }
}

impl Device {
    /// A device with memory as it needs, whose firmware takes every image.
    pub fn resuming() -> Self {
        Self::within(Surroundings { free_pages: u64::MAX, refuses: None })
    }

    /// The same where the driver can have so many pages at a time. Where memory ends inside an allocation, the driver
    /// crashes when it has two pages of it or more: its clean-up takes the field that holds the list of pages for the list.
    /// With none it answers `ENOMEM`, as it does with one, by the code.
    #[must_use]
    pub fn with_free_pages(self, free_pages: u64) -> Self {
        Self::within(Surroundings { free_pages, ..self.surroundings })
    }

    /// The same with a firmware that refuses the load of this number, from 1, so that the driver answers with this error.
    #[must_use]
    pub fn whose_firmware_refuses(self, load: u64, errno: Errno) -> Self {
        Self::within(Surroundings { refuses: Some((load, errno)), ..self.surroundings })
    }

    fn within(surroundings: Surroundings) -> Self {
        Self { session: Session::new(), state: Memory::new(surroundings), refused: false, surroundings }
    }

    /// What the firmware was given.
    pub const fn loads(&self) -> &Loads {
        &self.state.loads
    }

    /// Bytes that the driver has counted: where it stands, or where it refused.
    pub const fn position(&self) -> u64 {
        self.session.position()
    }

    /// Most pages of 4 KiB that the driver had at a time.
    pub const fn peak_pages(&self) -> u64 {
        self.state.pages.peak()
    }

    /// The device is reset while its migration descriptor is still open.
    pub const fn reset(&mut self) {
        self.session = Session::left();
    }
}

impl Ways for Memory {
    fn kind(&self, tag: u32) -> Option<Kind> {
        match tag {
            FW_DATA => Some(Kind::Device),
            STOP_COPY_SIZE => Some(Kind::Driver),
            _ => None,
        }
    }

    fn make_room(&mut self, kind: Kind, size: u64) -> Result<(), Failure> {
        let (buffer, size) = match kind {
            Kind::Device => (&mut self.image, size.max(self.hint)),
            Kind::Driver => (&mut self.header, size),
        };
        let needed = pages(size);
        if *buffer >= needed {
            return Ok(());
        }
        // The buffer before is given back first, and never extended.
        self.pages.give(core::mem::take(buffer));
        match self.pages.take(needed) {
            Ok(()) => {
                *buffer = needed;
                Ok(())
            }
            Err(0 | 1) => Err(Errno::Enomem.into()),
            Err(_) => Err(Failure::Breaks(Break::Crashes)),
        }
    }

    fn fits(&self) -> u64 {
        RECORD_MAX
    }

    fn load(&mut self, at: u64, length: u64) -> Result<(), Failure> {
        // An image of 0 bytes has a buffer only if a hint or an earlier image made one; the mapping of none fails.
        if self.image == 0 {
            return Err(Errno::Einval.into());
        }
        let refused = self.refuses.filter(|(load, _)| *load == self.loads.count().saturating_add(1));
        let taken = if refused.is_some() { Taken::Refused } else { Taken::Loaded };
        self.loads.push(Load { at, length, buffer: self.image.saturating_mul(PAGE), taken });
        refused.map_or(Ok(()), |(_, errno)| Err(errno.into()))
    }

    fn told(&mut self, tag: u32, value: u64) {
        if tag == STOP_COPY_SIZE {
            self.hint = value.min(RECORD_MAX);
        }
    }
}

impl Driver for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let answer = self.session.write(&mut self.state, bytes);
        self.refused |= answer.is_err();
        answer
    }

    fn resume(&mut self) -> Result<(), Failure> {
        // Nothing is asked, and nothing refused: neither of a cut stream nor behind an error.
        self.session = Session::left();
        Ok(())
    }

    fn holds(&self) -> Holds {
        match self.state.loads.loaded() {
            0 => Holds::Previous,
            _ if self.refused => Holds::Part,
            _ => Holds::Input,
        }
    }

    fn again(&mut self, _between: Between) {
        *self = Self::within(self.surroundings);
    }
}

/// A device of the driver before records: Linux 5.18 to 6.1, and later ones where the device has no pre-copy. The whole
/// stream is one image, which the firmware is given when the device leaves RESUMING.
///
/// Unconfirmed: nothing was run.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageDevice {
    length: u64,
}

impl Driver for ImageDevice {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.length = self.length.saturating_add(widen(bytes.len()));
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn holds(&self) -> Holds {
        Holds::Input
    }

    fn again(&mut self, _between: Between) {
        *self = Self::default();
    }

    fn depends(&self) -> Option<&'static str> {
        let usual = (1..=RECORD_MAX).contains(&self.length);
        (!usual).then_some("what the driver before records does with an image of 0 bytes, or above 32 bits: never run")
    }
}
