//! What the kernel driver does with a stream: its own checks, and no others.
//!
//! Facts: Linux 7.3.4, `drivers/vfio/pci/virtio/migrate.c`, run in user space with a device that takes any set of parts;
//! the recorded answers are `fixtures/virtio/acceptance.tsv`. A real device looks into the parts and refuses many; the
//! model's takes each set, unless it is told otherwise. Not modelled, as no stream causes them: an explicit offset
//! (`ESPIPE`), a position before the buffer (`EINVAL`).

use super::stream::DEVICE_DATA;
use crate::format::{Between, Break, Driver, Errno, Failure, Holds};
use crate::records::driver::{Kind, Load, Loads, PAGE, Pages, Session, Taken, Ways, pages};

/// Bytes that the driver puts before the parts in its buffer: the header of its admin command's object.
pub const OBJECT_LEN: u64 = 8;
/// Bytes of the buffer that the driver takes before it has seen a byte.
pub const BUFFER: u64 = 1 << 20;

/// A device in the state RESUMING.
#[derive(Clone, Debug)]
pub struct Device {
    /// `None` where RESUMING could not be entered.
    session: Option<Session>,
    state: Memory,
    /// Whether something was refused.
    refused: bool,
    /// Whether RESUMING was left, or the device reset: the buffer is gone, and a write goes to it all the same.
    left: bool,
    surroundings: Surroundings,
}

/// What is around the driver, and no stream says.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    free_pages: u64,
    /// How many pages in a row are neighbours; `None` where that is not known.
    run: Option<u64>,
    /// Which set the device refuses, from 1, and with which error.
    refuses: Option<(u64, Errno)>,
}

/// What the driver holds.
#[derive(Clone, Debug)]
struct Memory {
    pages: Pages,
    /// Pages of the buffer for what the driver itself reads.
    header: u64,
    /// Pages of the buffer for parts; it is extended, and never given back.
    data: u64,
    /// Where the run of neighbouring pages begins that the last byte before an empty record went to.
    last: Option<u64>,
    run: Option<u64>,
    loads: Loads,
    refuses: Option<(u64, Errno)>,
    depends: bool,
}

impl Memory {
    /// The header's buffer and the one for parts; and whether there was room for them.
    fn new(surroundings: Surroundings) -> (Self, bool) {
        let mut memory = Self {
            pages: Pages::of(surroundings.free_pages),
            header: 1,
            data: pages(BUFFER),
            last: Some(0),
            run: surroundings.run,
            loads: Loads::NONE,
            refuses: surroundings.refuses,
            depends: false,
        };
        let taken = memory.pages.take(memory.data).and_then(|()| memory.pages.take(memory.header));
        (memory, taken.is_ok())
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::resuming()
    }
}

impl Device {
    /// A device with memory as it needs, that takes every set of parts. Which pages are neighbours is not known.
    pub fn resuming() -> Self {
        Self::within(Surroundings { free_pages: u64::MAX, run: None, refuses: None })
    }

    /// The same where the driver can have so many pages at a time: with less than 257 RESUMING is not entered.
    #[must_use]
    pub fn with_free_pages(self, free_pages: u64) -> Self {
        Self::within(Surroundings { free_pages, ..self.surroundings })
    }

    /// The same where so many pages in a row are neighbours, at most those of the first buffer, 256.
    #[must_use]
    pub fn with_contiguous_pages(self, run: u64) -> Self {
        Self::within(Surroundings { run: Some(run.clamp(1, pages(BUFFER))), ..self.surroundings })
    }

    /// The same with a device that refuses the set of this number, from 1, so that the driver answers with this error.
    #[must_use]
    pub fn that_refuses(self, set: u64, errno: Errno) -> Self {
        Self::within(Surroundings { refuses: Some((set, errno)), ..self.surroundings })
    }

    fn within(surroundings: Surroundings) -> Self {
        let (state, entered) = Memory::new(surroundings);
        Self { session: entered.then(Session::new), state, refused: false, left: false, surroundings }
    }

    /// Whether RESUMING was entered; the answer is `ENOMEM` where it was not.
    pub const fn is_entered(&self) -> bool {
        self.session.is_some()
    }

    /// What the device was given.
    pub const fn loads(&self) -> &Loads {
        &self.state.loads
    }

    /// Bytes that the driver has counted: where it stands, or where it refused.
    pub fn position(&self) -> u64 {
        self.session.map_or(0, |session| session.position())
    }

    /// Most pages of 4 KiB that the driver had at a time.
    pub const fn peak_pages(&self) -> u64 {
        self.state.pages.peak()
    }

    /// The device is reset while its migration descriptor is still open.
    pub const fn reset(&mut self) {
        self.left = true;
    }
}

impl Ways for Memory {
    fn kind(&self, tag: u32) -> Option<Kind> {
        (tag == DEVICE_DATA).then_some(Kind::Device)
    }

    fn make_room(&mut self, kind: Kind, size: u64) -> Result<(), Failure> {
        let (buffer, needed) = match kind {
            // The sum has 32 bits: from 2^32 - 8 on it wraps, and no room is made.
            Kind::Device => (&mut self.data, pages(size.saturating_add(OBJECT_LEN) & 0xffff_ffff)),
            Kind::Driver => (&mut self.header, pages(size)),
        };
        if *buffer >= needed {
            return Ok(());
        }
        // The buffer for parts is extended; the other one is given back first.
        let before = if kind == Kind::Driver { core::mem::take(buffer) } else { 0 };
        self.pages.give(before);
        let more = needed.saturating_sub(*buffer);
        *buffer = needed;
        self.pages.take(more).map_err(|_| Errno::Enomem.into())
    }

    fn fits(&self) -> u64 {
        self.data.saturating_mul(PAGE).saturating_sub(OBJECT_LEN)
    }

    fn load(&mut self, at: u64, length: u64) -> Result<(), Failure> {
        // The list of pages ends at the run that the last byte went to. No byte of an empty record goes anywhere, so that
        // it ends where the one before did: 8 bytes less its place, in 32 bits, behind the first run.
        if length > 0 {
            let last = length.saturating_add(OBJECT_LEN).saturating_sub(1);
            self.last = match self.run.map(|run| run.saturating_mul(PAGE)) {
                // The first buffer is whole runs; what extends it begins with another one.
                Some(run) => last.checked_div(run).map(|runs| runs.saturating_mul(run)),
                None if last < PAGE => Some(0),
                None => None,
            };
        }
        let wild = length == 0 && self.last.is_some_and(|last| last > 0);
        // What lies behind the buffer decides what the device then loads.
        self.depends |= length == 0 && self.last != Some(0);
        let refused = self.refuses.filter(|(set, _)| *set == self.loads.count().saturating_add(1));
        let (taken, length) = match (refused, wild) {
            (Some(_), _) => (Taken::Refused, length),
            (None, true) => (Taken::Wild, 1 << 32),
            (None, false) => (Taken::Loaded, length),
        };
        self.loads.push(Load { at, length, buffer: self.data.saturating_mul(PAGE), taken });
        refused.map_or(Ok(()), |(_, errno)| Err(errno.into()))
    }

    fn told(&mut self, _tag: u32, _value: u64) {}
}

impl Driver for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.left {
            return Err(Failure::Breaks(Break::Crashes));
        }
        let Some(session) = &mut self.session else { return Err(Errno::Enodev.into()) };
        let answer = session.write(&mut self.state, bytes);
        self.refused |= answer.is_err();
        answer
    }

    fn resume(&mut self) -> Result<(), Failure> {
        // Nothing is asked, and nothing refused: neither of a cut stream nor behind an error.
        self.left = true;
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

    fn depends(&self) -> Option<&'static str> {
        let what = "which pages of the driver's memory are neighbours, and what lies behind them: a record of 0 bytes \
                    follows a longer one";
        self.state.depends.then_some(what)
    }
}
