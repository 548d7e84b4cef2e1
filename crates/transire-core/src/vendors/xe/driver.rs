//! What the kernel driver does with a stream: its own checks, and no others.
//!
//! Facts: Linux 7.3.4, the write path of `xe_sriov_packet.c`, `xe_sriov_pf_migration.c`, `xe_gt_sriov_pf_migration.c` and
//! `xe_gt_sriov_pf_control.c`, run in user space with the hardware stubbed; the recorded answers are
//! `fixtures/xe/acceptance.tsv`. Not modelled, as no stream causes them: an explicit offset (`ESPIPE`), memory of user space
//! that cannot be read (`EFAULT`), a signal (`EINTR`), a copy of memory that takes longer than 5 seconds (`ETIME`).
//!
//! A write takes packets apart and queues them; a worker loads them later. How far it has got when the next write comes is
//! nobody's to say: [`Device`] is a driver under one [`Schedule`], and [`AnySchedule`] makes the writes on the two extremes
//! and says that the outcome depends where they differ.
//!
//! No payload is kept: what was loaded is named by its place among the bytes that were taken.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use super::stream::{HEADER_LEN, Header, MMIO_LEN, PAYLOAD_MAX, PCI_VENDOR, VERSION, VRAM_PIECE_MAX, key, kind};
use super::{GGTT_PAGES, GTS, GTS_MAX, VRAM_BYTES, is_main, tile_of};
use crate::attribute::{Attributes, PCI_ID, REVISION, Value};
use crate::bytes::widen;
use crate::format::{Between, Break, Driver, DriverStep, Errno, Failure, Holds};
use crate::target::Target;

/// Packets that wait for the worker, for each GT (`XE_GT_SRIOV_PF_MIGRATION_RING_SIZE`).
pub const QUEUE_LEN: usize = 5;
/// Events of loading that a model keeps; what goes beyond only counts.
pub const EVENTS_KEPT: usize = 64;
/// Bytes of firmware state that the host's transfer buffer was seen to hold. What a real host does with more is not known.
pub const GUC_BUFFER_SEEN: u64 = 8192;

/// Bytes of a page, to which a buffer for memory is rounded up.
const PAGE: u64 = 4096;

/// What the driver knows of the device that is to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// PCI device id of the physical function.
    pub device_id: u32,
    /// PCI revision of the physical function.
    pub revision: u32,
    /// Which GTs there are, a bit each.
    pub gts: u8,
    /// Pages of the virtual function's GGTT range, on each tile.
    pub ggtt_pages: u64,
    /// Bytes of the virtual function's VRAM, on each tile.
    pub vram_bytes: u64,
}

impl Host {
    /// What a target says of it; `None` where it does not say all.
    pub fn of(target: &Target) -> Option<Self> {
        let uint = |id| match target.value(id) {
            Some(Value::Uint(number)) => Some(number),
            _ => None,
        };
        let device_id = match target.value(PCI_ID)? {
            // Of another vendor no number is the device's.
            Value::PciId(id) if id.vendor == PCI_VENDOR => u32::from(id.device),
            Value::PciId(_) => u32::MAX,
            _ => return None,
        };
        let gts = match target.value(GTS)? {
            Value::Mask(gts) => *gts.bytes().first()?,
            _ => return None,
        };
        Some(Self {
            device_id,
            revision: u32::try_from(uint(REVISION)?).unwrap_or(u32::MAX),
            gts,
            ggtt_pages: uint(GGTT_PAGES)?,
            vram_bytes: uint(VRAM_BYTES)?,
        })
    }
}

/// When the worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At once, whenever there is work for it.
    Eager,
    /// Only when a write has to wait for it, and at the change of state.
    Late,
}

/// Something that happened to the device while it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loading {
    /// A packet was loaded. The firmware and the tables took it.
    Loaded {
        /// The packet.
        of: Packet,
        /// Which of the bytes taken so far, from the first one on, were loaded.
        bytes: Range<u64>,
    },
    /// The firmware refused its state, which is these of the bytes taken.
    Refused {
        /// The packet.
        of: Packet,
        /// Which of the bytes taken.
        bytes: Range<u64>,
    },
    /// The worker gave up: every later packet of the GT is refused.
    Failed {
        /// The packet.
        of: Packet,
        /// The error, which is only logged.
        errno: Errno,
    },
    /// A packet of a type that the driver does not know was passed over.
    Skipped(Packet),
    /// Packets of a GT that waited for the worker were thrown away.
    Dropped {
        /// The GT.
        gt: u8,
    },
    /// The change of state waited for a GT in vain.
    TimedOut {
        /// The GT.
        gt: u8,
    },
}

/// Which packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its type: see [`kind`].
    pub kind: u8,
    /// Its GT.
    pub gt: u8,
    /// Its offset.
    pub offset: u64,
}

/// The bytes of a packet as far as they were written.
#[derive(Clone, Debug)]
struct Written {
    header: [u8; HEADER_LEN],
    filled: usize,
    /// Payload that is still to come. 0 for a header that was refused for its version.
    remaining: u64,
    /// Whether there is a buffer for the payload.
    buffer: bool,
    /// Where the payload stands among the bytes taken.
    payload_at: u64,
    list: List,
}

impl Written {
    const fn new() -> Self {
        Self { header: [0; HEADER_LEN], filled: 0, remaining: 0, buffer: false, payload_at: 0, list: List::new() }
    }
}

/// A packet that waits for the worker.
#[derive(Clone, Copy, Debug)]
struct Queued {
    header: Header,
    buffer: bool,
    payload_at: u64,
}

/// The list of a descriptor, as it comes.
#[derive(Clone, Copy, Debug)]
struct List {
    /// Bytes of the number that is not whole yet, and how many.
    number: u32,
    bytes: u32,
    /// Numbers that are left of the entry's value.
    left: u16,
    /// The key whose value the next number is taken for, whatever the length says.
    compared: Option<u16>,
    /// Values of known keys that differ: the driver stops at the first.
    differs: bool,
}

impl List {
    const fn new() -> Self {
        Self { number: 0, bytes: 0, left: 0, compared: None, differs: false }
    }

    fn take(&mut self, payload: &[u8], host: &Host) {
        for &byte in payload {
            self.number |= u32::from(byte) << (8 * self.bytes);
            self.bytes += 1;
            if self.bytes == 4 {
                self.next(self.number, host);
                (self.number, self.bytes) = (0, 0);
            }
        }
    }

    fn next(&mut self, number: u32, host: &Host) {
        if let Some(known) = self.compared.take() {
            let own = if known == key::DEVICE_ID { host.device_id } else { host.revision };
            self.differs |= number != own;
        }
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return;
        }
        let [low, high, key_low, key_high] = number.to_le_bytes();
        self.left = u16::from_le_bytes([low, high]);
        let key = u16::from_le_bytes([key_low, key_high]);
        self.compared = matches!(key, key::DEVICE_ID | key::REVISION_ID).then_some(key);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restore {
    /// The worker looks into the queue when it runs.
    Processing,
    /// The worker found the queue empty and waits for a packet.
    Waiting,
    Restored,
    Failed,
}

#[derive(Clone, Debug)]
struct Gt {
    restore: Restore,
    /// Whether a trailer has come.
    data_done: bool,
    queue: VecDeque<Queued>,
    /// Whether the worker is to run for it.
    scheduled: bool,
}

/// A device and its driver in the state RESUMING.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and most pairs occur")]
pub struct Device {
    host: Host,
    schedule: Schedule,
    buffer_object_max: Option<u64>,
    guc_buffer: Option<u64>,
    guc_refuses: Option<Errno>,
    gts: [Gt; GTS_MAX as usize],
    /// GTs that the worker is to run for, in order.
    work: VecDeque<u8>,
    pending: Option<Written>,
    /// Bytes taken from user space, in all sessions.
    position: u64,
    /// Whether the session takes writes.
    open: bool,
    /// Whether the device is in RESUMING.
    resuming: bool,
    loaded: bool,
    /// Whether something that the stream says was not loaded.
    lost: bool,
    events: Vec<Loading>,
    events_count: usize,
    /// Bytes of the largest buffer for memory so far.
    buffer_object_peak: u64,
    /// Whether a call has failed.
    refused: bool,
    forgotten: bool,
    hangs_on: Option<&'static str>,
}

/// What the outcome hangs on, where the worker's timing decides.
pub const ON_TIMING: &str = "how far the driver's worker has got when the next write comes";
/// What the outcome hangs on, where a descriptor makes the driver read beyond its end.
pub const ON_MEMORY_BEHIND: &str = "the memory behind the descriptor's payload, of which the driver reads four bytes";
/// What the outcome hangs on, where a packet announces more memory than a known driver saves in one.
pub const ON_FREE_MEMORY: &str = "whether the host has memory for a VRAM packet of that size";
/// What the outcome hangs on, where the firmware's state is longer than any that was seen to be loaded.
pub const ON_GUC_BUFFER: &str = "the size of the host's transfer buffer for firmware state";
/// What the outcome hangs on, where nothing is known of earlier sessions.
pub const ON_EARLIER_SESSION: &str = "whether an earlier session on this device ended inside a packet";

impl Device {
    /// A device that nobody has loaded before, with memory for everything and firmware that takes everything.
    pub fn resuming(host: Host, schedule: Schedule) -> Self {
        let gt = Gt { restore: Restore::Waiting, data_done: false, queue: VecDeque::new(), scheduled: false };
        let mut device = Self {
            host,
            schedule,
            buffer_object_max: None,
            guc_buffer: None,
            guc_refuses: None,
            gts: core::array::from_fn(|_| gt.clone()),
            work: VecDeque::new(),
            pending: None,
            position: 0,
            open: true,
            resuming: true,
            loaded: false,
            lost: false,
            events: Vec::new(),
            events_count: 0,
            buffer_object_peak: 0,
            refused: false,
            forgotten: false,
            hangs_on: None,
        };
        device.begin();
        device
    }

    /// The same on a host that makes no buffer for memory beyond so many bytes.
    #[must_use]
    pub fn buffer_object_max(mut self, bytes: u64) -> Self {
        self.buffer_object_max = Some(bytes);
        self
    }

    /// The same on a host whose transfer buffer for firmware state holds so many bytes.
    #[must_use]
    pub fn guc_buffer(mut self, bytes: u64) -> Self {
        self.guc_buffer = Some(bytes);
        self
    }

    /// The same with firmware that refuses every state, with this error.
    #[must_use]
    pub fn guc_refuses(mut self, errno: Errno) -> Self {
        self.guc_refuses = Some(errno);
        self
    }

    /// The device is reset, and not put into RESUMING again.
    pub fn reset(&mut self) {
        for gt in &mut self.gts {
            // A restore that is not over throws away what waits; one that is over is not looked at again.
            if matches!(gt.restore, Restore::Processing | Restore::Waiting) {
                gt.queue.clear();
            }
            gt.scheduled = false;
        }
        self.work.clear();
        (self.open, self.resuming) = (false, false);
    }

    /// What happened while the device was loaded, as far as it is kept.
    pub fn events(&self) -> &[Loading] {
        &self.events
    }

    /// How much happened, kept or not.
    pub const fn events_count(&self) -> usize {
        self.events_count
    }

    /// Bytes taken from user space, in all sessions.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the largest buffer for memory so far.
    pub const fn buffer_object_peak(&self) -> u64 {
        self.buffer_object_peak
    }

    fn begin(&mut self) {
        (self.open, self.resuming, self.loaded, self.lost) = (true, true, false, false);
        for at in 0..GTS_MAX {
            if let Some(gt) = self.gt(at) {
                (gt.restore, gt.data_done) = (Restore::Processing, false);
                self.schedule(at);
            }
        }
        // Nothing but what an earlier session left can be there to fail, and that shows later.
        let _ = self.run_eagerly();
    }

    /// The GT with this number, if the device has it.
    fn gt(&mut self, number: u8) -> Option<&mut Gt> {
        let there = self.host.gts.checked_shr(u32::from(number)).is_some_and(|rest| rest & 1 != 0);
        self.gts.get_mut(usize::from(number)).filter(|_| there)
    }

    fn keep(&mut self, event: Loading) {
        self.events_count = self.events_count.saturating_add(1);
        if self.events.len() < EVENTS_KEPT {
            self.events.push(event);
        }
    }

    /// The outcome hangs on this, where nothing was refused before.
    fn hang_on(&mut self, what: &'static str) {
        if !self.refused {
            self.hangs_on.get_or_insert(what);
        }
    }

    /// As many of the bytes as the packet at hand takes; at least one.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let mut packet = self.pending.take().unwrap_or(const { Written::new() });
        let mut answer = Ok(());
        let taken;
        if let Some(space) = packet.header.get_mut(packet.filled..).filter(|space| !space.is_empty()) {
            taken = space.len().min(bytes.len());
            space.iter_mut().zip(bytes).for_each(|(space, byte)| *space = *byte);
            packet.filled += taken;
            self.position = self.position.saturating_add(widen(taken));
            if packet.filled == HEADER_LEN {
                answer = self.make_buffer(&mut packet);
            }
        } else if packet.buffer {
            taken = usize::try_from(packet.remaining).unwrap_or(usize::MAX).min(bytes.len());
            let [_, of, ..] = packet.header;
            if of == kind::DESCRIPTOR {
                packet.list.take(bytes.get(..taken).unwrap_or(bytes), &self.host);
            }
            packet.remaining = packet.remaining.saturating_sub(widen(taken));
            self.position = self.position.saturating_add(widen(taken));
        } else {
            // The header was refused, and its payload has nowhere to go. Measured as a write to the first page of memory; a
            // real kernel may catch the fault and answer EFAULT.
            self.pending = Some(packet);
            return Err(Failure::Breaks(Break::Crashes));
        }
        if packet.filled == HEADER_LEN && packet.remaining == 0 {
            // A header that was refused for its version has no payload to wait for, and is worked on all the same.
            self.hand_on(&packet)?;
        } else {
            self.pending = Some(packet);
        }
        answer?;
        Ok(taken)
    }

    /// The header is there: makes room for the payload, for as much as it says.
    fn make_buffer(&mut self, packet: &mut Written) -> Result<(), Failure> {
        let Ok(header) = Header::read(&packet.header) else { return Ok(()) };
        if header.version != VERSION {
            return Err(Errno::Einval.into());
        }
        packet.remaining = header.size;
        if self.gt(header.gt).is_none() {
            self.lost = true;
            return Err(Errno::Einval.into());
        }
        if header.size == 0 {
            return Ok(());
        }
        if header.kind == kind::VRAM {
            // Rounded up, a size in the last page of 64 bits becomes 0, of which no buffer is made.
            let rounded = header.size.checked_next_multiple_of(PAGE).ok_or(Errno::Einval)?;
            if self.buffer_object_max.is_some_and(|most| rounded > most) {
                return Err(Errno::Enomem.into());
            }
            if self.buffer_object_max.is_none() && header.size > VRAM_PIECE_MAX {
                self.hang_on(ON_FREE_MEMORY);
            }
            self.buffer_object_peak = self.buffer_object_peak.max(rounded);
        } else if header.size > PAYLOAD_MAX {
            return Err(Errno::Enomem.into());
        }
        packet.buffer = true;
        packet.payload_at = self.position;
        Ok(())
    }

    /// The packet is whole.
    fn hand_on(&mut self, packet: &Written) -> Result<(), Failure> {
        let Ok(header) = Header::read(&packet.header) else { return Ok(()) };
        let of_none = header.tile == 0 && header.gt == 0;
        match header.kind {
            kind::DESCRIPTOR => {
                if !of_none || !header.size.is_multiple_of(4) {
                    return Err(Errno::Einval.into());
                }
                if header.size != 0 && !packet.buffer {
                    return Err(Failure::Breaks(Break::Crashes));
                }
                let List { left, differs, compared, .. } = packet.list;
                if left != 0 {
                    return Err(Errno::Enodata.into());
                }
                if differs {
                    return Err(Errno::Enodev.into());
                }
                if compared.is_some() {
                    // The list ends with a key whose value has no length: measured as a crash of the checked build, where a
                    // real kernel takes what stands there.
                    self.hang_on(ON_MEMORY_BEHIND);
                    return Err(Failure::Breaks(Break::Crashes));
                }
                Ok(())
            }
            kind::TRAILER => {
                if !of_none || header.offset != 0 || header.size != 0 {
                    return Err(Errno::Einval.into());
                }
                for at in 0..GTS_MAX {
                    if let Some(gt) = self.gt(at) {
                        gt.data_done = true;
                        self.wake(at)?;
                    }
                }
                Ok(())
            }
            _ => {
                let queued = Queued { header, buffer: packet.buffer, payload_at: packet.payload_at };
                let answer = self.queue(queued);
                self.lost |= answer.is_err();
                answer
            }
        }
    }

    /// Queues a packet of data, and waits for room where there is none.
    fn queue(&mut self, packet: Queued) -> Result<(), Failure> {
        let Header { kind, gt: number, tile, .. } = packet.header;
        if kind == 0 || tile != tile_of(number) || self.gt(number).is_none() {
            return Err(Errno::Einval.into());
        }
        loop {
            let Some(gt) = self.gt(number) else { return Err(Errno::Einval.into()) };
            if gt.restore == Restore::Failed {
                return Err(Errno::Eio.into());
            }
            if gt.queue.len() < QUEUE_LEN {
                gt.queue.push_back(packet);
                return self.wake(number);
            }
            // A signal would end the wait, and the packet with it.
            if !self.run_one()? {
                return Err(Failure::Breaks(Break::Blocks));
            }
        }
    }

    /// There is something for a worker that waits; one that is done is not woken.
    fn wake(&mut self, number: u8) -> Result<(), Failure> {
        if let Some(gt) = self.gt(number).filter(|gt| gt.restore == Restore::Waiting) {
            gt.restore = Restore::Processing;
            self.schedule(number);
        }
        self.run_eagerly()
    }

    fn schedule(&mut self, number: u8) {
        if let Some(gt) = self.gt(number).filter(|gt| !gt.scheduled) {
            gt.scheduled = true;
            self.work.push_back(number);
        }
    }

    fn run_eagerly(&mut self) -> Result<(), Failure> {
        while self.schedule == Schedule::Eager && self.run_one()? {}
        Ok(())
    }

    /// Lets the worker make one step, for the GT that has waited longest; whether there was anything to do.
    fn run_one(&mut self) -> Result<bool, Failure> {
        let Some(number) = self.work.pop_front() else { return Ok(false) };
        let Some(gt) = self.gt(number) else { return Ok(true) };
        gt.scheduled = false;
        if gt.restore != Restore::Processing {
            return Ok(true);
        }
        let Some(packet) = gt.queue.pop_front() else {
            gt.restore = if gt.data_done { Restore::Restored } else { Restore::Waiting };
            return Ok(true);
        };
        match self.load(&packet) {
            Ok(()) => self.schedule(number),
            Err(Failure::Refused(_)) => {
                self.lost = true;
                if let Some(gt) = self.gt(number) {
                    gt.restore = Restore::Failed;
                    let left = !gt.queue.is_empty();
                    gt.queue.clear();
                    if left {
                        self.keep(Loading::Dropped { gt: number });
                    }
                }
            }
            Err(breaks) => return Err(breaks),
        }
        Ok(true)
    }

    /// Loads one packet.
    fn load(&mut self, packet: &Queued) -> Result<(), Failure> {
        let Queued { header, buffer, payload_at } = *packet;
        let of = Packet { kind: header.kind, gt: header.gt, offset: header.offset };
        let bytes = payload_at..payload_at.saturating_add(header.size);
        let answer = match header.kind {
            kind::GUC => return self.load_guc(of, header.size, buffer, bytes),
            kind::GGTT if !is_main(header.gt) || self.host.ggtt_pages == 0 => Err(Errno::Enoent),
            kind::GGTT if header.size % 8 != 0 || header.size / 8 != self.host.ggtt_pages => Err(Errno::Einval),
            kind::MMIO if header.size != MMIO_LEN => Err(Errno::Einval),
            // This one alone is not logged.
            kind::VRAM if !is_main(header.gt) || self.host.vram_bytes == 0 => return Err(Errno::Enxio.into()),
            kind::VRAM => {
                let end = header.offset.checked_add(header.size);
                if end.is_some_and(|end| end <= self.host.vram_bytes) { Ok(()) } else { Err(Errno::Einval) }
            }
            kind::GGTT | kind::MMIO => Ok(()),
            _ => {
                self.lost = true;
                self.keep(Loading::Skipped(of));
                return Ok(());
            }
        };
        if let Err(errno) = answer {
            self.keep(Loading::Failed { of, errno });
            return Err(errno.into());
        }
        self.put(of, buffer, bytes)
    }

    /// The firmware's state goes through a transfer buffer, by whole numbers of 32 bits.
    fn load_guc(&mut self, of: Packet, size: u64, buffer: bool, bytes: Range<u64>) -> Result<(), Failure> {
        if self.guc_buffer.is_none() && size > GUC_BUFFER_SEEN {
            self.hang_on(ON_GUC_BUFFER);
        }
        let answer = if size == 0 || self.guc_buffer.is_some_and(|most| size > most) {
            Err(Errno::Enobufs)
        } else if let (Some(errno), true) = (self.guc_refuses, buffer) {
            self.keep(Loading::Refused { of, bytes });
            Err(errno)
        } else {
            let whole = bytes.start..bytes.end - size % 4;
            let nothing = whole.is_empty();
            self.put(of, buffer, whole)?;
            if nothing { Err(Errno::Enodata) } else { Ok(()) }
        };
        if let Err(errno) = answer {
            self.keep(Loading::Failed { of, errno });
        }
        Ok(answer?)
    }

    /// The bytes of the buffer are used; where there is none, the driver uses the null pointer in its place.
    fn put(&mut self, of: Packet, buffer: bool, bytes: Range<u64>) -> Result<(), Failure> {
        if !buffer {
            return Err(Failure::Breaks(Break::Crashes));
        }
        self.loaded |= !bytes.is_empty();
        self.keep(Loading::Loaded { of, bytes });
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Failure> {
        if !self.resuming {
            return Ok(());
        }
        // Whatever comes of it, the session takes nothing more.
        self.open = false;
        for at in 0..GTS_MAX {
            loop {
                match self.gt(at).map(|gt| gt.restore) {
                    None | Some(Restore::Restored) => break,
                    Some(Restore::Failed) => return Err(Errno::Eio.into()),
                    Some(Restore::Processing | Restore::Waiting) => {
                        if !self.run_one()? {
                            self.keep(Loading::TimedOut { gt: at });
                            return Err(Errno::Etimedout.into());
                        }
                    }
                }
            }
        }
        self.resuming = false;
        self.lost |= self.gts.iter().any(|gt| !gt.queue.is_empty());
        Ok(())
    }
}

impl Driver for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.open {
            self.refused = true;
            return Err(Errno::Enodev.into());
        }
        if self.forgotten && !bytes.is_empty() {
            self.hang_on(ON_EARLIER_SESSION);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = self.position;
            match self.take(rest) {
                Ok(taken) => rest = rest.get(taken..).unwrap_or(&[]),
                Err(failure) => {
                    self.refused = true;
                    // What is behind the refused packet in this write is not looked at.
                    let taken = self.position.saturating_sub(before);
                    self.lost |= taken < widen(rest.len());
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        let answer = self.leave();
        self.refused |= answer.is_err();
        answer
    }

    fn holds(&self) -> Holds {
        match (self.loaded, self.lost || self.resuming) {
            (false, _) => Holds::Previous,
            (true, true) => Holds::Part,
            (true, false) => Holds::Input,
        }
    }

    fn again(&mut self, _between: Between) {
        // A packet that was not finished waits for its rest in the next session. Measured over a reset; that nothing else
        // ends it is read from the source. So is that packets which came behind an early end are still queued.
        self.reset();
        self.refused = false;
        self.hangs_on = None;
        self.begin();
    }

    fn forget(&mut self) {
        self.forgotten = true;
    }

    fn depends(&self) -> Option<&'static str> {
        self.hangs_on
    }
}

/// The driver with a worker whose timing nobody knows.
#[derive(Clone, Debug)]
pub struct AnySchedule {
    eager: Tried,
    late: Tried,
}

/// One of the two extremes, and the first call that it did not take.
#[derive(Clone, Debug)]
struct Tried {
    device: Device,
    calls: u64,
    first: Option<(DriverStep, u64, Failure)>,
    broken: bool,
}

impl Tried {
    const fn new(device: Device) -> Self {
        Self { device, calls: 0, first: None, broken: false }
    }

    fn call(&mut self, step: DriverStep, make: impl FnOnce(&mut Device) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.broken {
            return Ok(());
        }
        let answer = make(&mut self.device);
        if let Err(failure) = answer {
            self.broken = matches!(failure, Failure::Breaks(_));
            self.first.get_or_insert((step, self.calls, failure));
        }
        self.calls = self.calls.saturating_add(1);
        answer
    }
}

impl AnySchedule {
    /// A device that nobody has loaded before, with memory for everything and firmware that takes everything.
    pub fn resuming(host: Host) -> Self {
        let tried = |schedule| Tried::new(Device::resuming(host, schedule));
        Self { eager: tried(Schedule::Eager), late: tried(Schedule::Late) }
    }

    /// Makes a call on both; where one breaks, nothing more is asked of it.
    fn call(&mut self, step: DriverStep, make: impl Fn(&mut Device) -> Result<(), Failure>) -> Result<(), Failure> {
        let (eager, late) = (self.eager.call(step, &make), self.late.call(step, &make));
        if self.eager.broken { eager.and(late) } else { eager }
    }
}

impl Driver for AnySchedule {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.call(DriverStep::Write, |device| device.write(bytes))
    }

    fn resume(&mut self) -> Result<(), Failure> {
        self.call(DriverStep::SetState, Device::resume)
    }

    fn holds(&self) -> Holds {
        self.eager.device.holds()
    }

    fn again(&mut self, between: Between) {
        for tried in [&mut self.eager, &mut self.late] {
            tried.device.again(between);
            (tried.calls, tried.first, tried.broken) = (0, None, false);
        }
    }

    fn forget(&mut self) {
        self.eager.device.forget();
        self.late.device.forget();
    }

    fn depends(&self) -> Option<&'static str> {
        let (eager, late) = (&self.eager, &self.late);
        let on = eager.device.depends().or(late.device.depends());
        let broken = eager.broken || late.broken;
        let differ = eager.first != late.first || (!broken && eager.device.holds() != late.device.holds());
        on.or(differ.then_some(ON_TIMING))
    }
}

#[cfg(test)]
mod tests;
