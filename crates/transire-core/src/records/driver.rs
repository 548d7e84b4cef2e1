//! What the two kernel drivers that read records do alike: headers, what is passed over, errors, positions, memory.
//!
//! Facts: Linux 7.3.4, `mlx5vf_resume_write` and `virtiovf_resume_write`, run; the recorded answers are
//! `fixtures/mlx5/acceptance.tsv` and `fixtures/virtio/acceptance.tsv`.

use super::{HEADER_LEN, Header, RECORD_MAX};
use crate::bytes::{index, widen};
use crate::format::{Errno, Failure};

/// Bytes of a page, as both drivers count their memory.
pub const PAGE: u64 = 4096;

/// Pages that so many bytes take.
pub const fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE)
}

/// The pages that a driver can have, and has.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Most that it can have at a time.
    limit: u64,
    held: u64,
    /// Most that it had at a time.
    peak: u64,
}

impl Pages {
    /// None of so many.
    pub const fn of(limit: u64) -> Self {
        Self { limit, held: 0, peak: 0 }
    }

    /// Takes so many; those that there are where there are fewer.
    ///
    /// # Errors
    /// How many there were.
    pub fn take(&mut self, count: u64) -> Result<(), u64> {
        let there = self.limit.saturating_sub(self.held).min(count);
        self.held = self.held.saturating_add(there);
        self.peak = self.peak.max(self.held);
        if there == count { Ok(()) } else { Err(there) }
    }

    /// Gives so many back.
    pub const fn give(&mut self, count: u64) {
        self.held = self.held.saturating_sub(count);
    }

    /// Most that the driver had at a time.
    pub const fn peak(&self) -> u64 {
        self.peak
    }
}

/// What a device was given: bytes of the session, or part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Where they stand among the bytes that the driver has taken.
    pub at: u64,
    /// How many there are.
    pub length: u64,
    /// Bytes of the driver's buffer behind them.
    pub buffer: u64,
    /// How the device took them.
    pub taken: Taken,
}

/// How a device took what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Whole.
    Loaded,
    /// It refused.
    Refused,
    /// It was led outside the driver's buffer.
    Wild,
}

/// Loads that a model keeps; what comes behind them is counted.
pub const LOADS_MAX: usize = 64;

/// What a device was given, in order.
#[derive(Clone, Debug)]
pub struct Loads {
    first: [Option<Load>; LOADS_MAX],
    count: u64,
    loaded: u64,
}

impl Loads {
    /// Nothing.
    pub const NONE: Self = Self { first: [None; LOADS_MAX], count: 0, loaded: 0 };

    /// Adds one.
    pub fn push(&mut self, load: Load) {
        let place = usize::try_from(self.count).ok().and_then(|at| self.first.get_mut(at));
        if let Some(place) = place {
            *place = Some(load);
        }
        self.count = self.count.saturating_add(1);
        if load.taken != Taken::Refused {
            self.loaded = self.loaded.saturating_add(1);
        }
    }

    /// The first ones.
    pub fn iter(&self) -> impl Iterator<Item = &Load> {
        self.first.iter().flatten()
    }

    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many the device took.
    pub const fn loaded(&self) -> u64 {
        self.loaded
    }
}

/// What a record is to a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The device is given its bytes.
    Device,
    /// The driver itself reads its first eight bytes. Those that it only passes over are of this kind, too: it keeps the
    /// record whole before it drops it.
    Driver,
}

/// What one driver does in its own way.
pub trait Ways {
    /// What a record with this tag is; `None` where the driver does not know it.
    fn kind(&self, tag: u32) -> Option<Kind>;

    /// A header is complete: makes room for its record.
    ///
    /// # Errors
    /// The driver's answer.
    fn make_room(&mut self, kind: Kind, size: u64) -> Result<(), Failure>;

    /// Bytes of a record for the device that have room.
    fn fits(&self) -> u64;

    /// A record for the device is complete; it stands at this offset of the session.
    ///
    /// # Errors
    /// The driver's answer.
    fn load(&mut self, at: u64, size: u64) -> Result<(), Failure>;

    /// A record for the driver is complete: its first eight bytes, as far as it has them, as a number.
    fn told(&mut self, tag: u32, value: u64);
}

/// One session in the state RESUMING.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    state: State,
    /// Bytes of the header that is being read.
    header: [u8; HEADER_LEN],
    have: usize,
    /// Bytes that the driver has counted.
    position: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    /// A record with bytes left, `read` of it before them.
    Body {
        kind: Kind,
        tag: u32,
        size: u64,
        read: u64,
        value: u64,
    },
    /// An error ends a session.
    Dead,
}

impl Session {
    /// A session that has not seen a byte.
    pub const fn new() -> Self {
        Self { state: State::Header, header: [0; HEADER_LEN], have: 0, position: 0 }
    }

    /// A session that has been left: its descriptor is there, and takes nothing.
    pub const fn left() -> Self {
        Self { state: State::Dead, ..Self::new() }
    }

    /// Bytes that the driver has counted: where it stands, or where it refused.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// One `write()`.
    ///
    /// # Errors
    /// The driver's answer: `ENODEV` behind an error, `ENOMEM` for a record of more than 32 bits, which is tested before
    /// the tag, `EOPNOTSUPP` for a tag that it does not know and may not pass over, `EINVAL` for bytes that have no room,
    /// and what the driver's own ways say.
    pub fn write(&mut self, ways: &mut impl Ways, bytes: &[u8]) -> Result<(), Failure> {
        let taken = self.take(ways, bytes);
        if taken.is_err() {
            self.state = State::Dead;
        }
        taken
    }

    fn take(&mut self, ways: &mut impl Ways, bytes: &[u8]) -> Result<(), Failure> {
        let mut rest = bytes;
        loop {
            if matches!(self.state, State::Dead) {
                return Err(Errno::Enodev.into());
            }
            // A record of 0 bytes is finished by the byte behind it, and not by an empty write.
            if rest.is_empty() {
                return Ok(());
            }
            match self.state {
                State::Header => {
                    let room = self.header.get_mut(self.have..).unwrap_or(&mut []);
                    let count = room.len().min(rest.len());
                    if let (Some(room), Some((now, later))) = (room.get_mut(..count), rest.split_at_checked(count)) {
                        room.copy_from_slice(now);
                        rest = later;
                    }
                    self.have += count;
                    self.count(count);
                    if self.have == HEADER_LEN {
                        self.have = 0;
                        self.begin(ways)?;
                    }
                }
                State::Body { kind, tag, size, read, value } => {
                    let fits = if kind == Kind::Device { ways.fits() } else { size };
                    let count = size.min(fits).saturating_sub(read).min(widen(rest.len()));
                    let (now, later) = rest.split_at_checked(clamp(count)).unwrap_or((rest, &[]));
                    rest = later;
                    self.count(now.len());
                    let value = with(value, read, now);
                    let read = read.saturating_add(count);
                    if read < size && read == fits && !rest.is_empty() {
                        return Err(Errno::Einval.into());
                    }
                    self.state = State::Body { kind, tag, size, read, value };
                    if read == size {
                        self.state = State::Header;
                        match kind {
                            Kind::Device => ways.load(self.position.saturating_sub(size), size)?,
                            Kind::Driver => ways.told(tag, value),
                        }
                    }
                }
                State::Dead => {}
            }
        }
    }

    const fn count(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(bytes as u64);
    }

    /// The header is complete.
    fn begin(&mut self, ways: &mut impl Ways) -> Result<(), Failure> {
        let header = Header::read(&self.header);
        if header.size > RECORD_MAX {
            return Err(Errno::Enomem.into());
        }
        let kind = match ways.kind(header.tag) {
            Some(kind) => kind,
            None if header.is_optional() => Kind::Driver,
            None => return Err(Errno::Eopnotsupp.into()),
        };
        ways.make_room(kind, header.size)?;
        self.state = State::Body { kind, tag: header.tag, size: header.size, read: 0, value: 0 };
        Ok(())
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

/// The number with these bytes behind the first `read` ones, as far as there are eight.
fn with(value: u64, read: u64, bytes: &[u8]) -> u64 {
    let Ok(read @ 0..8) = u32::try_from(read) else { return value };
    let room = 8_u32.saturating_sub(read);
    let more = bytes.iter().take(index(room)).rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    value | more << (8 * read)
}

fn clamp(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
