//! What the kernel driver does with a stream: its own checks, and no others.
//!
//! Facts: Linux `samples/vfio-mdev/mtty.c`, `mtty_resume_write` and `mtty_load_state`, run at 6.12.95; the recorded
//! answers are `fixtures/mtty/acceptance.tsv`. Not modelled, as no stream causes them: an explicit offset (`ESPIPE`), a
//! session that has ended (`ENODEV`), memory of user space that cannot be read (`EFAULT`).

use super::stream::{HEADER_LEN, MAGIC, PORT_LEN, STREAM_MAX, stream_len};
use super::{PORTS_MAX, VERSION_1_0};
use crate::bytes::Reader;
use crate::format::{Between, Driver, Errno, Failure, Holds};

/// A device of one or two ports, in the state RESUMING.
#[derive(Clone, Debug)]
pub struct Device {
    ports: usize,
    /// What the driver's migration file holds; it is loaded into the ports when the device leaves RESUMING.
    file: [u8; STREAM_MAX as usize],
    /// Bytes that have been written to the file; a refused header counts.
    filled: usize,
    /// Whether the device has left RESUMING.
    resumed: bool,
}

impl Device {
    /// A device whose migration file is empty. More ports than two are taken for two.
    pub const fn resuming(ports: u32) -> Self {
        let ports = if ports >= PORTS_MAX { 2 } else { 1 };
        Self { ports, file: [0; STREAM_MAX as usize], filled: 0, resumed: false }
    }

    /// The port records that a device which has left RESUMING holds, and saves again as they are.
    pub fn port_records(&self) -> &[u8] {
        self.file.get(HEADER_LEN..stream_len(self.ports)).unwrap_or(&[])
    }

    /// The one test of the header, in which the driver does not tell its five parts apart.
    fn header_is_right(&self) -> bool {
        let mut header = Reader::new(&self.file);
        header.u64() == Ok(MAGIC)
            && header.u32() == Ok(VERSION_1_0.major)
            && header.u32() == Ok(VERSION_1_0.minor)
            && header.u32() == u32::try_from(self.ports).map_err(|_| crate::bytes::Short { offset: 0, missing: 0 })
            && header.u32() == Ok(0)
    }
}

impl Driver for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let expected = HEADER_LEN + self.ports * PORT_LEN;
        let end = self.filled.saturating_add(bytes.len());
        if end > expected {
            return Err(Errno::Enomem.into());
        }
        let before = self.filled;
        if let Some(space) = self.file.get_mut(before..end) {
            space.copy_from_slice(bytes);
        }
        self.filled = end;
        // The test is made once, by the write that completes the header; the bytes stay, whatever it says.
        if before < HEADER_LEN && end >= HEADER_LEN && !self.header_is_right() {
            return Err(Errno::Efault.into());
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        self.resumed = self.filled >= stream_len(self.ports);
        if self.resumed { Ok(()) } else { Err(Errno::Einval.into()) }
    }

    fn holds(&self) -> Holds {
        if self.resumed { Holds::Input } else { Holds::Previous }
    }

    fn again(&mut self, _between: Between) {
        // The migration file is made anew for each session, and nothing else remembers.
        *self = Self { ports: self.ports, ..Self::resuming(1) };
    }
}
