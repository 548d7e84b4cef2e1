//! What the driver of each generation does with an image: its own checks, and no others.
//!
//! Facts: `migrate.c` of the branches that `docs/vendors/gvt-g.md` names, read and not run. The image is written into a
//! region of 9 MiB and loaded as a whole: every check is made when the device leaves its restoring state, each failure is
//! `EFAULT`, and what was loaded before it stays. The loop goes on to the end of the region, whatever `data_size` says; a
//! type that the driver does not know ends it with success.
//!
//! Unconfirmed: that the refusal comes with the change of state, and that a region which was just made holds zeros.

use super::stream::{FIRST_LEN, GENERATION_COUNT, HEAD, HEAD_LEN, IMAGE_LIMIT, RECORD_LEN, drivers_record, ring_of};
use crate::bytes::index;
use crate::format::{Between, Driver, Errno, Failure, Holds};

const STALE: &str = "what an earlier session left in the region behind the bytes that are written";
const BEYOND: &str = "what the region answers to bytes behind its 9 MiB";
const SECOND_HEAD: &str = "what stands where a second head's data_size points";
const RING: &str = "host memory behind an array that a workload's ring id indexes unchecked";

/// A virtual GPU into which an image is being restored.
#[derive(Clone, Debug)]
pub struct Device {
    /// 0 to 4: the place of the generation.
    generation: usize,
    /// Bytes of its own page table.
    gtt_len: u32,
    /// Whether the region holds zeros where nothing is written.
    fresh: bool,
    /// Bytes that have been written.
    written: u32,
    state: State,
    /// The beginning of the structure at hand: a head, a record's header or a workload's first word.
    kept: [u8; KEPT],
    /// Whether something was loaded.
    loaded: bool,
    resumed: bool,
    depends: Option<&'static str>,
}

/// Bytes that the driver looks at, at the most: a head up to its `data_size`.
const KEPT: usize = 16;

/// What the driver will make of the region, as far as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// So many bytes of the head have come.
    Head(u32),
    /// So many bytes of a record's header.
    Header(u32),
    /// So many bytes of a workload, of so many each, and so many bytes left in the record.
    Workload(u32, u32, u32),
    /// So many bytes that nothing depends on, then a record.
    Skip(u32),
    /// It ends here, and says so.
    Ended(Result<(), Errno>),
}

impl Device {
    /// A device whose region was just made. `generation` counts from 1; what is above 5 is taken for 5. `memory_mb` is
    /// all its graphics memory.
    pub fn restoring(generation: u8, memory_mb: u32) -> Self {
        Self {
            generation: usize::from(generation.saturating_sub(1)).min(GENERATION_COUNT - 1),
            gtt_len: memory_mb.saturating_mul(256 * 8),
            fresh: true,
            written: 0,
            state: State::Head(0),
            kept: [0; KEPT],
            loaded: false,
            resumed: false,
            depends: None,
        }
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.kept.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// Takes bytes into the structure of `size` bytes of which `have` are there; whether it is whole, and how many it took.
    fn take(&mut self, bytes: &[u8], have: u32, size: u32) -> (u32, usize) {
        let taken = bytes.len().min(index(size.saturating_sub(have)));
        for (slot, byte) in self.kept.iter_mut().skip(index(have)).zip(bytes.iter().take(taken)) {
            *slot = *byte;
        }
        (have.saturating_add(u32::try_from(taken).unwrap_or(u32::MAX)), taken)
    }

    /// One structure, or as much of it as there is; how many bytes it took.
    fn load(&mut self, bytes: &[u8]) -> usize {
        match self.state {
            State::Ended(_) => bytes.len(),
            State::Head(have) => {
                let (have, taken) = self.take(bytes, have, FIRST_LEN);
                self.state = if have < FIRST_LEN { State::Head(have) } else { self.head() };
                taken
            }
            State::Header(have) => {
                let (have, taken) = self.take(bytes, have, RECORD_LEN);
                self.state = if have < RECORD_LEN { State::Header(have) } else { self.record() };
                taken
            }
            State::Workload(have, entry, left) => {
                let (have, taken) = self.take(bytes, have, entry);
                self.state = match left.saturating_sub(entry) {
                    _ if have < entry => State::Workload(have, entry, left),
                    left => {
                        self.look_at_ring();
                        if left == 0 { State::Header(0) } else { State::Workload(0, entry, left) }
                    }
                };
                taken
            }
            State::Skip(left) => {
                let taken = bytes.len().min(index(left));
                let left = left.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
                self.state = if left == 0 { State::Header(0) } else { State::Skip(left) };
                taken
            }
        }
    }

    /// The first record: its type, its size, and that `data_size` is below that of the region.
    fn head(&self) -> State {
        let right = self.word(0) == HEAD && self.word(4) == HEAD_LEN && self.word(12) < IMAGE_LIMIT;
        if right { State::Header(0) } else { State::Ended(Err(Errno::Efault)) }
    }

    fn record(&mut self) -> State {
        let (kind, size) = (self.word(0), self.word(4));
        if kind == HEAD {
            self.depends.get_or_insert(SECOND_HEAD);
            return State::Ended(Ok(()));
        }
        match drivers_record(self.generation, kind, size, self.gtt_len) {
            // Not known: the loop ends, and nobody is told.
            None => State::Ended(Ok(())),
            Some(Err(())) => State::Ended(Err(Errno::Efault)),
            Some(Ok(workload)) => {
                self.loaded = true;
                match workload {
                    _ if size == 0 => State::Header(0),
                    Some(entry) => State::Workload(0, entry, size),
                    None => State::Skip(size),
                }
            }
        }
    }

    fn look_at_ring(&mut self) {
        if ring_of(&self.kept).is_none() {
            self.depends.get_or_insert(RING);
        }
    }
}

impl Driver for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.written = self.written.saturating_add(length);
        if self.written > IMAGE_LIMIT {
            self.depends.get_or_insert(BEYOND);
            return Ok(());
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.load(rest);
            rest = rest.get(taken..).unwrap_or(&[]);
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        // Where the bytes end, the region goes on: with zeros, the first of which is a type that ends the loop, or with
        // what was left there. They complete what is cut, too.
        if !matches!(self.state, State::Ended(_)) && !self.fresh {
            self.depends.get_or_insert(STALE);
        }
        while !matches!(self.state, State::Ended(_)) {
            match self.state {
                // Bytes that nothing depends on, and workloads for ring 0, need not be made.
                State::Skip(_) | State::Workload(0, ..) => self.state = State::Header(0),
                _ => {
                    let _taken = self.load(&[0; 64]);
                }
            }
        }
        self.resumed = self.state == State::Ended(Ok(()));
        if self.resumed { Ok(()) } else { Err(Errno::Efault.into()) }
    }

    fn holds(&self) -> Holds {
        match (self.resumed, self.loaded) {
            (true, _) => Holds::Input,
            (false, true) => Holds::Part,
            (false, false) => Holds::Previous,
        }
    }

    fn again(&mut self, _between: Between) {
        // Whether the region is made anew is not known, so it is taken to hold what it held.
        let (generation, gtt_len) = (self.generation, self.gtt_len);
        *self = Self { generation, gtt_len, fresh: false, ..Self::restoring(1, 0) };
    }

    fn forget(&mut self) {
        self.fresh = false;
    }

    fn depends(&self) -> Option<&'static str> {
        self.depends
    }
}
