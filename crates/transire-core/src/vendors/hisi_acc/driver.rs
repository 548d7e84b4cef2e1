//! What the kernel driver does with a stream: its own checks, and no others.
//!
//! Facts: Linux `drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c`, its own code run in user space at 7.3.4 and 6.12.95; the
//! recorded answers are `fixtures/hisi-acc/acceptance.tsv`. Not modelled, as no stream causes them: an explicit offset
//! (`ESPIPE`), memory of user space that cannot be read (`EFAULT`), a register of the physical function that cannot be
//! read.

use super::stream::{
    AEQE_DMA, CQC_DMA, EQE_DMA, EVENT_QUEUES, MAGIC_V1, MAGIC_V2, MAJOR_VERSION, MATCH_LEN, SQC_DMA, STREAM_MAX,
    address_of_context,
};
use crate::bytes::{Reader, Short, widen};
use crate::format::{Between, Driver, Errno, Failure, Holds};

/// A virtual function in the state RESUMING.
#[derive(Clone, Debug)]
pub struct Device {
    /// The PCI device id of the function.
    dev_id: u32,
    /// Queue pairs that the function's mailbox reports.
    qp_num: u32,
    /// The queue isolation register of the physical function.
    que_iso_cfg: u32,
    hardware: Hardware,
    /// Whether the recorded match outlives the closing of the device.
    match_kept_at_close: bool,
    matched: Matched,
    /// Whether the answers hang on a match that was recorded before.
    hangs: bool,
    /// The driver's buffer; fresh and zero in every session.
    file: [u8; STREAM_MAX as usize],
    /// Bytes that have been written; those of a refused write count.
    filled: usize,
    /// Whether the device has left RESUMING.
    ended: bool,
    loaded: Option<Loaded>,
}

/// What of the hardware does not do what is asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hardware {
    /// All of it does.
    #[default]
    Works,
    /// The mailbox does not tell the function's queue range.
    QueueRangeUnreadable,
    /// The device does not become ready for its mailbox.
    Busy,
    /// The mailbox does not take the submission queue contexts.
    SqcMailbox,
    /// The mailbox does not take the completion queue contexts.
    CqcMailbox,
}

/// The driver's flag that a stream has matched, after which none is tested any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matched {
    No,
    Yes,
    /// Nobody knows: it hangs on the sessions before this one.
    Unknown,
}

/// What was written into the device, as the stream has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The number in the state register; other than 0, the device is not started.
    pub vf_qm_state: u32,
    /// Address of the event queue.
    pub eqe_dma: u64,
    /// Address of the asynchronous event queue.
    pub aeqe_dma: u64,
    /// Address of the submission queue contexts; `None` where the mailbox did not take it.
    pub sqc_dma: Option<u64>,
    /// Address of the completion queue contexts, likewise.
    pub cqc_dma: Option<u64>,
    /// First queue.
    pub qp_base: u32,
    /// Queue pairs.
    pub qp_num: u32,
}

impl Loaded {
    /// How many doorbells the driver rings on the way to RUNNING: one register write for each queue pair that the stream
    /// counts, up to 4,294,967,295 where it was not tested.
    pub const fn doorbells(&self) -> u32 {
        let started = self.vf_qm_state == 0 && self.cqc_dma.is_some();
        if started { self.qp_num } else { 0 }
    }
}

impl Device {
    /// A device whose session has just begun, that no stream has matched since it was opened, and whose hardware works.
    pub const fn resuming(device: u16, qp_num: u32, que_iso_cfg: u32) -> Self {
        Self {
            dev_id: device as u32,
            qp_num,
            que_iso_cfg,
            hardware: Hardware::Works,
            match_kept_at_close: false,
            matched: Matched::No,
            hangs: false,
            file: [0; STREAM_MAX as usize],
            filled: 0,
            ended: false,
            loaded: None,
        }
    }

    /// The same with hardware that does not work.
    #[must_use]
    pub const fn with_hardware(mut self, hardware: Hardware) -> Self {
        self.hardware = hardware;
        self
    }

    /// The same under a driver that never forgets a match, as that of 6.12.95; that of 7.3.4, which is modelled
    /// otherwise, forgets it when the device is closed and opened.
    #[must_use]
    pub const fn with_match_kept_at_close(mut self) -> Self {
        self.match_kept_at_close = true;
        self
    }

    /// Whether a match is recorded: the next stream is not tested then. `None` where that is not known.
    pub const fn match_recorded(&self) -> Option<bool> {
        match self.matched {
            Matched::No => Some(false),
            Matched::Yes => Some(true),
            Matched::Unknown => None,
        }
    }

    /// What this session has written into the device, as far as it came.
    pub const fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_ref()
    }

    /// The match test, in the driver's order. It does not tell which part failed.
    fn matches(&self) -> Result<bool, Short> {
        let mut fields = Reader::new(&self.file);
        let magic = fields.u64()?;
        let (qp_num, dev_id, que_iso_cfg) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (_qp_base, _state, major) = (fields.u32()?, fields.u32()?, fields.u16()?);
        Ok((magic == MAGIC_V1 || (magic == MAGIC_V2 && major == MAJOR_VERSION))
            && dev_id == self.dev_id
            && self.hardware != Hardware::QueueRangeUnreadable
            && self.qp_num >= 1
            && qp_num == self.qp_num
            && que_iso_cfg == self.que_iso_cfg)
    }

    /// Computes the addresses of the event queues anew from the words that have come so far, where the stream is V1. What
    /// of them comes later overwrites it.
    fn repair(&mut self) {
        if !self.file.starts_with(&MAGIC_V1.to_le_bytes()) {
            return;
        }
        for (offset, context) in EVENT_QUEUES {
            let address = address_of_context(&self.file, context).to_le_bytes();
            if let Some(space) = self.file.get_mut(offset..offset + address.len()) {
                space.copy_from_slice(&address);
            }
        }
    }

    /// What a whole file says, of which nothing is tested; `None` where one of the four addresses is 0.
    fn to_load(&self) -> Result<Option<Loaded>, Short> {
        let at = |offset| Reader::at(self.file.get(offset..).unwrap_or(&[]), widen(offset));
        let loaded = Loaded {
            vf_qm_state: at(24).u32()?,
            eqe_dma: at(EQE_DMA).u64()?,
            aeqe_dma: at(AEQE_DMA).u64()?,
            sqc_dma: Some(at(SQC_DMA).u64()?),
            cqc_dma: Some(at(CQC_DMA).u64()?),
            qp_base: at(20).u32()?,
            qp_num: at(8).u32()?,
        };
        let addresses = [Some(loaded.eqe_dma), Some(loaded.aeqe_dma), loaded.sqc_dma, loaded.cqc_dma];
        Ok((!addresses.contains(&Some(0))).then_some(loaded))
    }
}

impl Driver for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let end = self.filled.saturating_add(bytes.len());
        if end > self.file.len() {
            return Err(Errno::Enomem.into());
        }
        if self.ended {
            return Err(Errno::Enodev.into());
        }
        if let Some(space) = self.file.get_mut(self.filled..end) {
            space.copy_from_slice(bytes);
        }
        self.filled = end;
        if end < MATCH_LEN || self.matched == Matched::Yes {
            return Ok(());
        }
        // The magic comes first: a V1 stream is repaired by every write that is tested, whatever the test says further on.
        self.repair();
        if self.matches() != Ok(true) {
            // The bytes stay and count; the next write is tested again.
            self.hangs |= self.matched == Matched::Unknown;
            return Err(Errno::Efault.into());
        }
        self.matched = Matched::Yes;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        if self.ended {
            return Ok(());
        }
        // Whether the match test ever passed is not asked.
        if self.filled != MATCH_LEN {
            if self.filled < self.file.len() {
                return Err(Errno::Einval.into());
            }
            self.loaded = self.to_load().unwrap_or(None);
        }
        if let Some(loaded) = &mut self.loaded {
            match self.hardware {
                Hardware::Works | Hardware::QueueRangeUnreadable => {}
                Hardware::Busy | Hardware::SqcMailbox => {
                    (loaded.sqc_dma, loaded.cqc_dma) = (None, None);
                    return Err(Errno::Ebusy.into());
                }
                Hardware::CqcMailbox => {
                    loaded.cqc_dma = None;
                    return Err(Errno::Etimedout.into());
                }
            }
        }
        self.ended = true;
        Ok(())
    }

    fn holds(&self) -> Holds {
        match (self.loaded, self.ended) {
            (None, _) => Holds::Previous,
            (Some(_), true) => Holds::Input,
            (Some(_), false) => Holds::Part,
        }
    }

    fn again(&mut self, between: Between) {
        self.file = [0; STREAM_MAX as usize];
        (self.filled, self.ended, self.loaded, self.hangs) = (0, false, None, false);
        if between == Between::Reopened && !self.match_kept_at_close {
            self.matched = Matched::No;
        }
    }

    fn forget(&mut self) {
        self.matched = Matched::Unknown;
    }

    fn depends(&self) -> Option<&'static str> {
        self.hangs.then_some("whether a stream has matched on this device since it was opened; under Linux 6.12, ever")
    }
}
