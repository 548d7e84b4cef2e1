//! What the kernel driver does with a stream: nothing is checked but the size of its buffer.
//!
//! Facts: Linux `drivers/vfio/pci/pds/lm.c` and `cmds.c`, read at v6.6 to v6.8. No answer of it was recorded, so this model
//! is held against the text alone. Not modelled, as no stream causes them: an explicit offset (`ESPIPE`), memory of user
//! space that cannot be read (`EFAULT`), a buffer that cannot be had (`ENOENT`).

use alloc::vec;
use alloc::vec::Vec;

use super::stream::STATE;
use crate::format::{Between, Driver, Errno, Failure, Holds};

/// A virtual function in the state RESUMING.
#[derive(Clone, Debug)]
pub struct Device {
    /// The driver's buffer of 65,536 bytes; fresh and zero in every session.
    file: Vec<u8>,
    /// Bytes that have been written.
    filled: usize,
    /// Whether bytes came for which the buffer has no room.
    overrun: bool,
    /// With which error the firmware refuses the restore command, where it does.
    firmware: Option<Errno>,
    /// Whether the device has left RESUMING.
    ended: bool,
}

impl Device {
    /// A device whose session has just begun, and whose firmware takes what it is given.
    pub fn resuming() -> Self {
        Self { file: vec![0; STATE], filled: 0, overrun: false, firmware: None, ended: false }
    }

    /// The same with firmware that refuses the restore command: what it compares is not public.
    #[must_use]
    pub const fn with_firmware_refusing(mut self, errno: Errno) -> Self {
        self.firmware = Some(errno);
        self
    }

    /// What the firmware was given, all 65,536 bytes of it; `None` before it took them.
    pub fn restored(&self) -> Option<&[u8]> {
        self.ended.then_some(&self.file)
    }
}

impl Driver for Device {
    /// A write that crosses the end of the buffer is taken up to the end and returns a short count. User space that goes on,
    /// as the interface asks of it, writes the rest, which begins at the end: `EINVAL`. Both are one call here: the part is
    /// taken, and the answer is that to the rest.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // A session that has ended has no room either: the driver does not tell the two apart.
        let room = if self.ended { &mut [] } else { self.file.get_mut(self.filled..).unwrap_or_default() };
        let taken = bytes.len().min(room.len());
        for (space, byte) in room.iter_mut().zip(bytes) {
            *space = *byte;
        }
        self.filled += taken;
        if taken == bytes.len() {
            return Ok(());
        }
        self.overrun |= !self.ended;
        Err(Errno::Einval.into())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        if self.ended {
            return Ok(());
        }
        if let Some(errno) = self.firmware {
            return Err(errno.into());
        }
        self.ended = true;
        Ok(())
    }

    fn holds(&self) -> Holds {
        match (self.ended, self.overrun) {
            (false, _) => Holds::Previous,
            (true, false) => Holds::Input,
            (true, true) => Holds::Part,
        }
    }

    fn again(&mut self, _between: Between) {
        // The buffer is made anew for each session, and the driver keeps nothing else.
        *self = Self { firmware: self.firmware, ..Self::resuming() };
    }
}
