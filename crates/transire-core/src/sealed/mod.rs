//! Our envelope: a verification header, framed payload, a marked end; and the answer that goes back.
//!
//! [`SealedReader`] and [`SealedWriter`] mirror each other. Neither knows a vendor: what is inside is the gate's matter
//! (see [`crate::gate`] and [`crate::seal`]).
//!
//! Source of the layout: `docs/format.md`.

mod answer;
mod frame;
mod reader;
mod writer;

pub(crate) use answer::Words;
pub use answer::{Answer, AnswerStage, Identity};
pub use frame::{ABORT_MAX, FRAME_HEAD, FRAME_MAX, Frame, FrameHead, FrameKind};
pub(crate) use reader::digest_of;
pub use reader::{ATTRIBUTE, FRAME, PROLOGUE, SealedReader, identify, likeness};
pub use writer::{SealError, SealOptions, SealedWriter};

use alloc::vec::Vec;

use crate::bytes::widen;

/// The name of a payload that no format here reads.
pub const OPAQUE: &str = "opaque";

/// The digest at the end of a sealed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Digest {
    /// None: the checksums of the frames catch accidents, not attackers.
    #[default]
    None = 1,
    /// BLAKE3, 256 bits, over every byte before the end frame.
    Blake3 = 2,
}

impl Digest {
    /// The code on the wire.
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// The digest with this code.
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            1 => Some(Self::None),
            2 => Some(Self::Blake3),
            _ => None,
        }
    }

    /// The name that users type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Blake3 => "blake3",
        }
    }

    /// The digest with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::Blake3].into_iter().find(|digest| digest.name() == name)
    }

    /// Bytes of the digest in the end frame.
    pub const fn size(self) -> usize {
        match self {
            Self::None => 0,
            Self::Blake3 => 32,
        }
    }
}

/// Bytes that the digest takes at once at the least: what its widest SIMD works on side by side, 16 chunks of 1 KiB.
const STRIDE: usize = 16 << 10;

/// The running digest over a stream.
///
/// BLAKE3 is a tree of chunks, and fills its SIMD lanes only where what it is given begins at a multiple of
/// [`STRIDE`]. The heads of frames would shift everything behind them off that, so what is left over of a stride
/// waits here until it is whole.
#[derive(Debug, Default)]
struct Running {
    hasher: Option<blake3::Hasher>,
    /// Less than a stride.
    carry: Vec<u8>,
}

impl Running {
    /// Begins this digest. The room is there whatever the digest: a reader's comes to be known later, and reading
    /// allocates nothing.
    fn new(digest: Digest) -> Self {
        let mut running = Self { hasher: None, carry: Vec::with_capacity(STRIDE) };
        running.begin(digest);
        running
    }

    /// Begins again, with this digest and the memory that is there.
    fn begin(&mut self, digest: Digest) {
        self.hasher = (digest == Digest::Blake3).then(blake3::Hasher::new);
        self.carry.clear();
    }

    fn update(&mut self, bytes: &[u8]) {
        let Some(hasher) = &mut self.hasher else { return };
        let mut rest = bytes;
        if !self.carry.is_empty() {
            let (completing, behind) = rest.split_at(rest.len().min(STRIDE - self.carry.len()));
            self.carry.extend_from_slice(completing);
            rest = behind;
            if self.carry.len() < STRIDE {
                return;
            }
            hasher.update(&self.carry);
            self.carry.clear();
        }
        let (whole, left) = rest.split_at(rest.len() - rest.len() % STRIDE);
        hasher.update(whole);
        self.carry.extend_from_slice(left);
    }

    /// The digest of everything so far. Nothing goes in behind it.
    fn finish(&mut self) -> Option<[u8; 32]> {
        let hasher = self.hasher.as_mut()?;
        hasher.update(&self.carry);
        self.carry.clear();
        Some(*hasher.finalize().as_bytes())
    }
}

/// Which phases may follow which, for reader and writer.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    last: Option<crate::format::Phase>,
}

impl Order {
    /// Takes the next data frame's phase, if it may follow.
    fn follow(&mut self, phase: crate::format::Phase) -> bool {
        use crate::format::Phase::{StopCopy, Unspecified};
        let fits = match self.last {
            None => true,
            // Unspecified stands alone, and after stop-copy there is nothing else.
            Some(last @ (Unspecified | StopCopy)) => phase == last,
            Some(_) => phase != Unspecified,
        };
        if fits {
            self.last = Some(phase);
        }
        fits
    }
}

/// Counts payload bytes and frames, for reader and writer.
#[derive(Clone, Copy, Debug)]
struct Count {
    /// Number of the next frame; `None` once the last number is used.
    sequence: Option<u32>,
    /// Payload bytes so far.
    total: u64,
}

impl Count {
    const START: Self = Self { sequence: Some(0), total: 0 };

    fn frame(&mut self, payload: usize) {
        self.sequence = self.sequence.and_then(|sequence| sequence.checked_add(1));
        self.total = self.total.saturating_add(widen(payload));
    }
}

#[cfg(test)]
mod tests;
