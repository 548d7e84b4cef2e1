//! What the kernel driver does with a stream: its own checks, and no others.
//!
//! Facts: Linux `drivers/vfio/pci/qat/main.c` and, below `drivers/crypto/intel/qat/qat_common`, `adf_mstate_mgr.c`,
//! `adf_gen4_vf_mig.c` and `adf_bank_state.c`, run in user space at 6.12.95 and 7.3.4, which answered alike; the recorded
//! answers are `fixtures/qat/acceptance.tsv`. Not modelled, as no stream causes them: an explicit offset (`ESPIPE`), a
//! descriptor that was taken away (`ENODEV`), memory of user space that cannot be read (`EFAULT`).
//!
//! The driver writes a stream into a buffer that lives as long as the device, never clears it, and does not count what it
//! was given: it reads the buffer to its end, and in some cases beyond. [`Device`] is one device, with the memory that it
//! was given; [`Opened`] is what is asked where that memory is not known.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::stream::{BANK_TAKEN, MAGIC, PREAMBLE_LEN, RATE_LIMIT_LEN, RateLimit, SECTION_LEN, STREAM_LEN, bank_name};
use super::{
    BANKS, CAPABILITIES, EXTENDED_COMPRESSION, RATE_LIMITS, RING_BANKS, SERVICE_MAP, SERVICES, STREAM_VERSION_1, limits,
};
use crate::attribute::{AttributeId, Attributes, Value};
use crate::bytes::{index, little_endian, widen};
use crate::format::{Between, Driver, Errno, Failure, Holds};
use crate::target::Target;

const BUFFER_LEN: usize = STREAM_LEN as usize;
/// Most banks of a target, as its attribute has it.
const BANKS_MAX: usize = 16;

/// What the target is: what a stream is held against.
#[derive(Clone, Debug, PartialEq)]
struct Own {
    capabilities: u64,
    service_map: u64,
    extended_compression: u64,
    limits: Vec<RateLimit>,
    banks: u8,
}

impl Own {
    /// What the target says of itself.
    fn of(target: &Target) -> Result<Self, &'static str> {
        let number = |id: AttributeId| match target.value(id) {
            Some(Value::Uint(number)) => Some(number),
            Some(Value::Mask(mask)) => Some(little_endian(mask.bytes())),
            _ => None,
        };
        let limit = |limit: super::Limit<'_>| {
            let service = SERVICES.iter().position(|name| *name == limit.service)?;
            let (ring_pairs, committed, peak) = (limit.ring_pairs, limit.committed, limit.peak);
            Some(RateLimit { service: u32::try_from(service).ok()?, ring_pairs, committed, peak })
        };
        Ok(Self {
            capabilities: number(CAPABILITIES).ok_or("the target must say capabilities")?,
            service_map: number(SERVICE_MAP).ok_or("the target must say service_map")?,
            extended_compression: number(EXTENDED_COMPRESSION).ok_or("the target must say extended_compression")?,
            limits: match target.value(RATE_LIMITS) {
                Some(value @ Value::Map(_)) => limits(value).filter_map(|one| limit(one?)).collect(),
                Some(_) => return Err("the target must say rate_limits"),
                None => Vec::new(),
            },
            banks: u8::try_from(number(RING_BANKS).unwrap_or(BANKS)).unwrap_or(u8::MAX),
        })
    }
}

/// Status registers of a bank, as they read whatever is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `ringstat0`, `ringestat`, `ringnestat`, `ringnfstat`, `ringfstat` and `ringcstat0`.
    pub rings: [u32; 6],
    /// `ringexpstat`: an exception.
    pub exception: u32,
}

/// Where the saved values of [`Status::rings`] stand in a bank, in the order in which the driver compares them.
const COMPARED: [(&str, usize); 6] = [
    ("readback-ringstat", 0),
    ("readback-ringestat", 12),
    ("readback-ringnestat", 16),
    ("readback-ringnfstat", 20),
    ("readback-ringfstat", 24),
    ("readback-ringcstat", 28),
];
const RINGEXPSTAT_AT: usize = 72;

/// Registers of MISCBAR that a load writes, in its order.
const LOADED_REGISTERS: [&str; 4] = ["vimsk", "vimpv", "pf2vm", "vm2pf"];

/// What was loaded, as far as the load came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// GENER/iovinit.
    pub initialised: Option<u8>,
    /// GENER/compver.
    pub pfvf_version: Option<u8>,
    /// vimsk, vimpv, pf2vm and vm2pf, as far as they were written.
    pub registers: Vec<u32>,
    /// Of each bank that was written, the bytes that its registers were taken from.
    pub banks: Vec<[u8; BANK_TAKEN]>,
}

/// Where the driver refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A section, a block, or nothing in particular.
    Named(&'static str),
    /// The section of a bank.
    Bank(u8),
    /// The registers of a bank.
    Registers(u8),
}

/// What the driver refuses, which its errno does not tell: `gencap:not-subset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    place: Place,
    what: &'static str,
}

impl Refusal {
    const fn of(place: &'static str, what: &'static str) -> Self {
        Self { place: Place::Named(place), what }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Named(name) => write!(f, "{name}:{}", self.what),
            Place::Bank(bank) => write!(f, "bnk{bank:x}:{}", self.what),
            Place::Registers(bank) => write!(f, "bnk{bank:x}/mregs:{}", self.what),
        }
    }
}

/// Sections, one behind the other, that were walked over: `count` of them from `start` on, all before `end`.
#[derive(Clone, Copy, Debug)]
struct Sections {
    start: usize,
    count: u32,
}

/// A section that was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    payload: usize,
    size: usize,
    children: Sections,
}

/// A device in the state RESUMING, with memory that is known.
#[derive(Clone, Debug)]
pub struct Device {
    own: Own,
    buffer: [u8; BUFFER_LEN],
    /// What every byte behind the buffer is.
    behind: u8,
    /// Status registers by bank; of a bank that has none here they show what was saved.
    status: Vec<Status>,
    /// Bytes that were written in this session.
    position: usize,
    /// Bytes of the setup block that was tested; 0 when none was. A new session does not forget it, a reset does.
    setup_len: usize,
    /// Whether the device has left RESUMING.
    resumed: bool,
    refusal: Option<Refusal>,
    loaded: Loaded,
    /// Where the bytes end that the load took values from.
    reach: usize,
}

impl Device {
    /// A device that was just opened, whose hardware shows what it is loaded with. Its memory is filled with a byte:
    /// the driver does not clear its buffer.
    ///
    /// # Errors
    /// What the target must say.
    pub fn on(target: &Target, memory: u8) -> Result<Self, &'static str> {
        Ok(Self::with(Own::of(target)?, memory))
    }

    const fn with(own: Own, memory: u8) -> Self {
        Self {
            own,
            buffer: [memory; BUFFER_LEN],
            behind: memory,
            status: Vec::new(),
            position: 0,
            setup_len: 0,
            resumed: false,
            refusal: None,
            loaded: Loaded { initialised: None, pfvf_version: None, registers: Vec::new(), banks: Vec::new() },
            reach: 0,
        }
    }

    /// The byte that fills the memory behind the buffer.
    #[must_use]
    pub const fn with_memory_behind(mut self, byte: u8) -> Self {
        self.behind = byte;
        self
    }

    /// What the status registers of the banks read, from bank 0 on.
    #[must_use]
    pub fn with_status(mut self, status: &[Status]) -> Self {
        self.status = status.iter().take(BANKS_MAX).copied().collect();
        self
    }

    /// The device saves itself, before the session: the driver makes the stream in the same buffer. Of a save that ends
    /// in pre-copy, only the setup block.
    pub fn saves(&mut self, stream: &[u8]) {
        for (byte, saved) in self.buffer.iter_mut().zip(stream) {
            *byte = *saved;
        }
    }

    /// What the last refusal was about.
    pub const fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// What was loaded when the device was last asked to leave RESUMING, be it refused or not.
    pub const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Bytes of the buffer, and of the memory behind it.
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        core::array::from_fn(|byte| self.buffer.get(at.saturating_add(byte)).copied().unwrap_or(self.behind))
    }

    fn number(&self, range: Range<usize>) -> u64 {
        little_endian(&self.bytes::<8>(range.start)) & low_bytes(range.len())
    }

    fn word(&self, at: usize) -> usize {
        usize::try_from(self.number(at..at.saturating_add(4))).unwrap_or(usize::MAX)
    }

    /// Tests the preamble at `start`, of a block that has so many bytes, and walks over its sections.
    fn block(&self, name: &'static str, start: usize, size: usize) -> Result<Sections, Refusal> {
        let preamble = self.bytes::<PREAMBLE_LEN>(start);
        let field = |at: usize, bytes: usize| little_endian(preamble.get(at..at + bytes).unwrap_or(&[]));
        let length = field(8, 2);
        if field(0, 4) != u64::from(MAGIC) || field(4, 4) > STREAM_VERSION_1 || length > widen(size) {
            return Err(Refusal::of(name, "preamble"));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let count = u32::try_from(field(10, 2)).unwrap_or(u32::MAX);
        let sections = Sections { start: start.saturating_add(length), count };
        self.walk(sections, start.saturating_add(size)).then_some(sections).ok_or(Refusal::of(name, "section-bounds"))
    }

    /// Whether all sections end before a place. The driver reads a header before it knows that it does; one that does
    /// not fails whatever it says.
    fn walk(&self, sections: Sections, end: usize) -> bool {
        let mut at = sections.start;
        (0..sections.count).all(|_| {
            at = at.saturating_add(SECTION_LEN).saturating_add(self.word(at.saturating_add(8)));
            at <= end
        })
    }

    /// The first section of this name; its own sections are walked over where it has some.
    fn find(&self, sections: Sections, id: &str, place: Place) -> Result<Found, Refusal> {
        let mut at = sections.start;
        for _ in 0..sections.count {
            let size = self.word(at.saturating_add(8));
            let payload = at.saturating_add(SECTION_LEN);
            let name = self.bytes::<8>(at);
            if name.split(|&byte| byte == 0).next() == Some(id.as_bytes()) {
                let count = u32::try_from(self.word(at.saturating_add(12))).unwrap_or(u32::MAX);
                let children = Sections { start: payload, count };
                if !self.walk(children, payload.saturating_add(size)) {
                    return Err(Refusal { place, what: "section-bounds" });
                }
                return Ok(Found { payload, size, children });
            }
            at = payload.saturating_add(size);
        }
        Err(Refusal { place, what: "missing" })
    }

    fn child(&self, sections: Sections, id: &'static str) -> Result<Found, Refusal> {
        self.find(sections, id, Place::Named(id))
    }

    /// The setup test, once the block is there; `there` bytes are. It counts as seen from the moment that its sections
    /// were walked over, whatever they say.
    fn setup(&mut self, there: usize) -> Result<(), Refusal> {
        if self.setup_len > 0 || there < PREAMBLE_LEN {
            return Ok(());
        }
        let preamble_len = u32::try_from(self.number(8..10)).unwrap_or(u32::MAX);
        let size = u32::try_from(self.number(12..16)).unwrap_or(u32::MAX);
        let whole = index(preamble_len.wrapping_add(size));
        if whole > BUFFER_LEN {
            return Err(Refusal::of("setup-block", "longer-than-4096"));
        }
        if there < whole {
            return Ok(());
        }
        let sections = self.block("setup-block", 0, whole)?;
        self.setup_len = whole;
        let config = self.child(sections, "CONFIG")?;
        let (capabilities, extended) = (self.own.capabilities, self.own.extended_compression);
        self.setup_value(config, "gencap", |value| value & !capabilities == 0, "not-subset")?;
        self.setup_value(config, "svcmap", |value| value == self.own.service_map, "not-equal")?;
        self.setup_value(config, "extdc", |value| value & !extended == 0, "not-subset")
    }

    /// A value of the setup block: up to eight bytes, as many as there are.
    fn setup_value(
        &self,
        config: Found,
        id: &'static str,
        fits: impl Fn(u64) -> bool,
        what: &'static str,
    ) -> Result<(), Refusal> {
        let found = self.child(config.children, id)?;
        if found.size > 8 {
            return Err(Refusal::of(id, "payload-over-8"));
        }
        let value = self.number(found.payload..found.payload + found.size);
        if fits(value) { Ok(()) } else { Err(Refusal::of(id, what)) }
    }

    /// Notes how far the load reads.
    fn reads(&mut self, end: usize) {
        self.reach = self.reach.max(end);
    }

    /// A value of so many bytes.
    fn value(&mut self, parent: Found, id: &'static str, size: usize) -> Result<u64, Refusal> {
        let found = self.child(parent.children, id)?;
        if found.size != size {
            return Err(Refusal::of(id, "payload-size"));
        }
        self.reads(found.payload + size);
        Ok(self.number(found.payload..found.payload + size))
    }

    /// Loads the state block. What was written before a refusal stays.
    fn load(&mut self) -> Result<(), Refusal> {
        let start = self.setup_len;
        let sections = self.block("state-block", start, BUFFER_LEN.saturating_sub(start))?;
        let general = self.child(sections, "GENER")?;
        let byte = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
        self.loaded.initialised = Some(byte(self.value(general, "iovinit", 1)?));
        self.loaded.pfvf_version = Some(byte(self.value(general, "compver", 1)?));
        self.check_limits(general)?;
        let registers = self.child(sections, "MISCBAR")?;
        for id in LOADED_REGISTERS {
            let value = self.value(registers, id, 4)?;
            self.loaded.registers.push(u32::try_from(value).unwrap_or(u32::MAX));
        }
        let banks = self.child(sections, "ETRBAR")?;
        (0..self.own.banks).try_for_each(|bank| self.bank(banks, bank))
    }

    /// Each limit must be one of the target's, with no rate above that one's. Bytes behind the last whole one are passed
    /// over.
    fn check_limits(&mut self, general: Found) -> Result<(), Refusal> {
        let found = self.child(general.children, "sla")?;
        self.reads(found.payload + found.size);
        for number in 0..found.size / RATE_LIMIT_LEN {
            let limit = RateLimit::read(&self.bytes(found.payload + number * RATE_LIMIT_LEN));
            let own = self.own.limits.iter().find(|own| own.is_for_the_rings_of(&limit));
            let own = own.ok_or(Refusal::of("sla", "limit-not-on-target"))?;
            if limit.committed > own.committed || limit.peak > own.peak {
                return Err(Refusal::of("sla", "rate-above-target"));
            }
        }
        Ok(())
    }

    /// Writes the registers of a bank, from wherever its section begins, and compares what the hardware shows.
    fn bank(&mut self, banks: Found, bank: u8) -> Result<(), Refusal> {
        let name = bank_name(bank).unwrap_or_default();
        let section = self.find(banks.children, name, Place::Bank(bank))?;
        let place = Place::Registers(bank);
        let registers = self.find(section.children, "mregs", place)?;
        let saved = self.bytes::<BANK_TAKEN>(registers.payload);
        self.reads(registers.payload + BANK_TAKEN);
        self.loaded.banks.push(saved);
        let word = |at: usize| saved.get(at..at + 4).map_or(0, little_endian);
        let Some(status) = self.status.get(usize::from(bank)) else { return Ok(()) };
        if word(RINGEXPSTAT_AT) != 0 {
            return Ok(());
        }
        if status.exception != 0 {
            return Err(Refusal { place, what: "device-exception" });
        }
        let wrong = COMPARED.iter().zip(status.rings).find(|((_, at), shown)| word(*at) != u64::from(*shown));
        wrong.map_or(Ok(()), |((what, _), _)| Err(Refusal { place, what }))
    }

    /// Remembers what was refused.
    fn refuse(&mut self, refusal: Refusal, errno: Errno) -> Failure {
        self.refusal = Some(refusal);
        errno.into()
    }
}

/// The highest number of so many bytes.
const fn low_bytes(count: usize) -> u64 {
    match count {
        0 => 0,
        1..=7 => (1 << (8 * count)) - 1,
        _ => u64::MAX,
    }
}

impl Driver for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let end = self.position.saturating_add(bytes.len());
        let Some(space) = self.buffer.get_mut(self.position..end) else {
            return Err(self.refuse(Refusal::of("past-4096", ""), Errno::Enomem));
        };
        if self.resumed {
            return Err(self.refuse(Refusal::of("ENODEV", ""), Errno::Enodev));
        }
        space.copy_from_slice(bytes);
        self.position = end;
        // The bytes stay, whatever the test says.
        self.setup(end).map_err(|refusal| self.refuse(refusal, Errno::Einval))
    }

    fn resume(&mut self) -> Result<(), Failure> {
        if self.resumed {
            return Ok(());
        }
        self.loaded = Loaded::default();
        self.reach = 0;
        // The driver does not know how many bytes came: it takes its whole buffer.
        let result = self.setup(BUFFER_LEN).and_then(|()| self.load());
        self.resumed = result.is_ok();
        result.map_err(|refusal| self.refuse(refusal, Errno::Einval))
    }

    fn holds(&self) -> Holds {
        if self.loaded == Loaded::default() || self.position == 0 {
            Holds::Previous
        } else if self.resumed && self.reach <= self.position {
            Holds::Input
        } else {
            Holds::Part
        }
    }

    fn again(&mut self, between: Between) {
        self.position = 0;
        self.resumed = false;
        self.refusal = None;
        self.loaded = Loaded::default();
        if between != Between::Ran {
            self.setup_len = 0;
        }
    }
}

/// A device whose driver has memory that nobody knows: two devices with other memory take the same calls, and where they
/// answer otherwise, or load something else, that is what the outcome depends on.
#[derive(Clone, Debug)]
pub struct Opened {
    zeros: Device,
    ones: Device,
    /// Whether the two have answered differently.
    parted: bool,
    /// Whether sessions before this one are not known.
    forgotten: bool,
}

impl Opened {
    /// A device that was just opened, and whose hardware shows what it is loaded with.
    ///
    /// # Errors
    /// What the target must say.
    pub fn on(target: &Target) -> Result<Self, &'static str> {
        let own = Own::of(target)?;
        let (zeros, ones) = (Device::with(own.clone(), 0), Device::with(own, 0xff));
        Ok(Self { zeros, ones, parted: false, forgotten: false })
    }

    fn both(&mut self, call: impl Fn(&mut Device) -> Result<(), Failure>) -> Result<(), Failure> {
        let (one, other) = (call(&mut self.zeros), call(&mut self.ones));
        self.parted |= one != other;
        one
    }

    /// Whether a session that is not known could not have made another answer: everything was taken, the state block is
    /// refused before anything of it was loaded, and no other place of the buffer could be taken for one.
    fn whatever_was_before(&self) -> bool {
        let device = &self.zeros;
        let other_block = device.buffer.windows(4).skip(1).any(|bytes| bytes == MAGIC.to_le_bytes());
        let refused = device.refusal.is_some_and(|refusal| refusal.place == Place::Named("state-block"));
        device.position == BUFFER_LEN && refused && !device.resumed && !other_block
    }
}

impl Driver for Opened {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.both(|device| device.write(bytes))
    }

    fn resume(&mut self) -> Result<(), Failure> {
        let result = self.both(Device::resume);
        self.parted |= self.zeros.loaded != self.ones.loaded;
        result
    }

    fn holds(&self) -> Holds {
        self.zeros.holds()
    }

    fn again(&mut self, between: Between) {
        self.zeros.again(between);
        self.ones.again(between);
    }

    fn forget(&mut self) {
        self.forgotten = true;
    }

    fn depends(&self) -> Option<&'static str> {
        if self.forgotten && !self.whatever_was_before() {
            Some(
                "earlier sessions on the open device: a setup block that one of them wrote is not tested again without a \
                 reset, and its bytes stay in the driver's buffer",
            )
        } else if self.parted && self.zeros.reach.max(self.ones.reach) > BUFFER_LEN {
            Some("the memory behind the driver's buffer, from which it takes registers")
        } else if self.parted {
            Some("what the driver's buffer held before: it does not count the bytes that came")
        } else {
            None
        }
    }
}
