//! A destination in small: what QEMU's loop over sections (`migration/savevm.c`) makes of bytes, on a machine that knows
//! how long the state of its own devices is. It checks what QEMU checks, and nothing else.

use super::made::{CONFIG, DATA, END, LOAD_READY, SENT, SETUP, VFIO};

/// How a destination reads a section of a handler of its own.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum State {
    Ram,
    /// With so many bytes of PCI configuration.
    Vfio(usize),
    /// Dirty bitmaps of disks (`migration/block-dirty-bitmap.c`).
    Bitmaps,
    /// So many bytes, whatever they are.
    Bytes(usize),
}

/// What becomes of a destination.
#[derive(Debug, PartialEq)]
pub(crate) struct Loaded {
    /// Whether the guest runs, or is about to.
    pub(crate) runs: bool,
    /// Bytes that the driver got.
    pub(crate) data: Vec<u8>,
    /// Whether the PCI configuration was loaded.
    pub(crate) configured: bool,
}

pub(crate) struct Machine {
    pub(crate) footers: bool,
    pub(crate) handlers: Vec<(&'static str, State)>,
}

/// Loading ended, in error or for want of bytes.
struct Stuck;

struct Loading<'a> {
    machine: &'a Machine,
    ids: Vec<u32>,
    listens: bool,
    loaded: Loaded,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stuck> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Stuck)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, count: usize) -> Result<u64, Stuck> {
        Ok(self.take(count)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn id(&mut self) -> Result<u32, Stuck> {
        Ok(u32::try_from(self.number(4)?).unwrap())
    }

    fn length(&mut self, count: usize) -> Result<usize, Stuck> {
        usize::try_from(self.number(count)?).map_err(|_| Stuck)
    }

    fn text(&mut self) -> Result<&'a [u8], Stuck> {
        let length = self.length(1)?;
        self.take(length)
    }
}

impl Machine {
    pub(crate) fn load(&self, input: &[u8]) -> Loaded {
        let loaded = Loaded { runs: false, data: Vec::new(), configured: false };
        let mut loading = Loading { machine: self, ids: vec![0; self.handlers.len()], listens: false, loaded };
        let _ = loading.all(&mut Bytes(input));
        loading.loaded
    }
}

impl Loading<'_> {
    fn all(&mut self, input: &mut Bytes<'_>) -> Result<(), Stuck> {
        input.take(8)?;
        // Machine types without the one are without the other.
        if self.machine.footers {
            input.take(1)?;
            let length = input.length(4)?;
            input.take(length)?;
        }
        self.loaded.runs = self.sections(input, false)? || self.loaded.runs;
        Ok(())
    }

    /// Whether these sections came to the end of all of them.
    fn sections(&mut self, input: &mut Bytes<'_>, in_package: bool) -> Result<bool, Stuck> {
        loop {
            match input.number(1)? {
                0 => return Ok(!in_package),
                kind @ 1..=4 => {
                    let id = input.id()?;
                    let handler = if kind == 1 || kind == 4 {
                        let name = input.text()?;
                        input.take(8)?;
                        let name = name.split(|&byte| byte == 0).next().unwrap();
                        let same = |(known, _): &(&str, State)| known.as_bytes() == name;
                        let handler = self.machine.handlers.iter().position(same).ok_or(Stuck)?;
                        self.ids[handler] = id;
                        handler
                    } else {
                        self.ids.iter().position(|&known| known == id).ok_or(Stuck)?
                    };
                    self.state(input, self.machine.handlers[handler].1)?;
                    if self.machine.footers && (input.number(1)?, input.id()?) != (0x7e, id) {
                        return Err(Stuck);
                    }
                }
                8 => {
                    let (command, length) = (input.number(2)?, input.length(2)?);
                    match (command, length) {
                        (7, 4) => {
                            let length = input.length(4)?;
                            let package = input.take(length)?;
                            if self.sections(&mut Bytes(package), true)? || self.loaded.runs {
                                return Ok(false);
                            }
                        }
                        (4, 0) => self.listens = true,
                        (5, 0) if self.listens => {
                            self.loaded.runs = true;
                            return Ok(false);
                        }
                        (3 | 11, 0) | (2, 4) => drop(input.take(length)?),
                        _ => return Err(Stuck),
                    }
                }
                _ => return Err(Stuck),
            }
        }
    }

    fn state(&mut self, input: &mut Bytes<'_>, state: State) -> Result<(), Stuck> {
        match state {
            State::Bytes(length) => drop(input.take(length)?),
            State::Ram => loop {
                let entry = input.number(8)?;
                let flags = entry & 0xfff;
                if flags & 0x20 == 0 && flags & 0x0a != 0 {
                    input.text()?;
                }
                match flags & !0x20 {
                    0x04 => {
                        let mut left = entry & !0xfff;
                        while left > 0 {
                            input.text()?;
                            left = left.checked_sub(input.number(8)?).ok_or(Stuck)?;
                        }
                    }
                    0x02 => drop(input.take(1)?),
                    0x08 => drop(input.take(4096)?),
                    0x10 => return Ok(()),
                    _ => return Err(Stuck),
                }
            },
            State::Bitmaps => loop {
                let mut flags = input.number(1)?;
                if flags & 0x80 != 0 {
                    flags = input.number(1)?;
                    if flags & 0x80 != 0 {
                        flags = input.number(2)? & 0xff;
                    }
                }
                for name in [0x08, 0x04] {
                    if flags & name != 0 && input.text()?.is_empty() {
                        return Err(Stuck);
                    }
                }
                if flags & 0x10 != 0 {
                    input.take(5)?;
                } else if flags & 0x60 == 0x40 {
                    input.take(12)?;
                    let length = if flags & 0x02 == 0 { input.length(8)? } else { 0 };
                    if length > 10 << 10 {
                        return Err(Stuck);
                    }
                    input.take(length)?;
                }
                if flags & 0x01 != 0 {
                    return Ok(());
                }
            },
            State::Vfio(space) => loop {
                match input.number(8)? {
                    SETUP => {}
                    DATA => {
                        let length = input.length(8)?;
                        self.loaded.data.extend_from_slice(input.take(length)?);
                    }
                    CONFIG => {
                        input.take(4 + space + 16)?;
                        self.loaded.configured = true;
                    }
                    END | SENT | LOAD_READY => return Ok(()),
                    _ => return Err(Stuck),
                }
            },
        }
        Ok(())
    }
}

/// RAM, the VFIO device, dirty bitmaps, and these.
pub(crate) fn machine(others: &[(&'static str, usize)]) -> Machine {
    let mut handlers = vec![("ram", State::Ram), (VFIO, State::Vfio(256)), ("dirty-bitmap", State::Bitmaps)];
    handlers.extend(others.iter().map(|(name, length)| (*name, State::Bytes(*length))));
    Machine { footers: true, handlers }
}
