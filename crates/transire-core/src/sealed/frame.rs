//! Frames: sixteen bytes of head, then payload. A frame belongs to its header, and its length is believed only when the
//! head's own check agrees.

use crate::bytes::{Reader, index, widen};
use crate::checksum::{crc32c, crc32c_of_two};
use crate::format::Phase;
use crate::verdict::{Datum, Reason, ReasonId, reasons};

use super::Digest;

/// Bytes of a frame's head.
pub const FRAME_HEAD: usize = 16;
/// Longest payload of a frame: what a gate must hold before it may release a byte of it.
pub const FRAME_MAX: u32 = 1 << 20;
/// Longest text of an abort frame: a text, as an attribute has it.
pub const ABORT_MAX: u32 = 1024;

/// The head of a frame, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Code of the kind.
    pub kind: u8,
    /// Code of the phase.
    pub phase: u8,
    /// Low 16 bits of the checksum of everything else that has a meaning here.
    pub head_check: u16,
    /// Bytes of payload.
    pub len: u32,
    /// Number of the frame, from 0.
    pub seq: u32,
    /// Checksum of the prologue's checksum, the 12 bytes before this field, and the payload.
    pub crc: u32,
}

/// What a frame is, once its head has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// 1: payload of the device.
    Data(Phase),
    /// 2: the end, with the count of payload bytes and the digest.
    End,
    /// 3: the source gave up, with a text or nothing.
    Abort,
    /// 0x80 and above: need not be understood.
    Ancillary,
}

impl FrameKind {
    /// The code on the wire; ancillary frames have many and are never written here.
    pub const fn code(self) -> u8 {
        match self {
            Self::Data(_) => 1,
            Self::End => 2,
            Self::Abort => 3,
            Self::Ancillary => 0x80,
        }
    }

    /// The code of the phase.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Data(phase) => phase,
            _ => Phase::Unspecified,
        }
    }
}

/// A frame whose head has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// Bytes of payload.
    pub len: usize,
}

impl FrameHead {
    /// Splits the bytes; nothing is judged.
    pub fn split(bytes: &[u8; FRAME_HEAD]) -> Self {
        let [kind, phase, c0, c1, l0, l1, l2, l3, s0, s1, s2, s3, r0, r1, r2, r3] = *bytes;
        Self {
            kind,
            phase,
            head_check: u16::from_le_bytes([c0, c1]),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            seq: u32::from_le_bytes([s0, s1, s2, s3]),
            crc: u32::from_le_bytes([r0, r1, r2, r3]),
        }
    }

    /// The head of a frame of this kind, number and payload.
    pub fn of(kind: FrameKind, seq: u32, payload: &[u8], prologue_crc: u32) -> Self {
        let mut head = Self {
            kind: kind.code(),
            phase: kind.phase().code(),
            head_check: 0,
            // A writer splits at FRAME_MAX, so the length always fits.
            len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            seq,
            crc: 0,
        };
        head.head_check = head.computed_check(prologue_crc);
        head.crc = head.computed_crc(prologue_crc, payload);
        head
    }

    /// The sixteen bytes.
    pub fn write(&self) -> [u8; FRAME_HEAD] {
        let mut bytes = [0; FRAME_HEAD];
        bytes[..12].copy_from_slice(&self.before_crc());
        bytes[12..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    fn before_crc(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[0] = self.kind;
        bytes[1] = self.phase;
        bytes[2..4].copy_from_slice(&self.head_check.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.seq.to_le_bytes());
        bytes
    }

    /// What `head_check` must be.
    pub fn computed_check(&self, prologue_crc: u32) -> u16 {
        let mut bytes = [0; 14];
        bytes[..4].copy_from_slice(&prologue_crc.to_le_bytes());
        bytes[4] = self.kind;
        bytes[5] = self.phase;
        bytes[6..10].copy_from_slice(&self.len.to_le_bytes());
        bytes[10..14].copy_from_slice(&self.seq.to_le_bytes());
        let [low, high, ..] = crc32c(&bytes).to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// What `crc` must be.
    pub fn computed_crc(&self, prologue_crc: u32, payload: &[u8]) -> u32 {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&prologue_crc.to_le_bytes());
        bytes[4..].copy_from_slice(&self.before_crc());
        crc32c_of_two(&bytes, payload)
    }

    /// Checks the head of the frame at `offset`, whose number must be `expected`. The order of the checks is normative.
    pub(super) fn check(
        &self,
        offset: u64,
        prologue_crc: u32,
        expected: Option<u32>,
        order: &mut super::Order,
        digest: Digest,
    ) -> Result<Frame, Reason> {
        let fail = |id: ReasonId, at: u64, length: u32, found: u64, required: Datum| {
            let span = Reason::at(id, offset + at).spanning(offset + at, length);
            Err(span.because(Datum::Wire(found), required))
        };
        let computed = self.computed_check(prologue_crc);
        if self.head_check != computed {
            let (found, required) = (u64::from(self.head_check), Datum::Wire(u64::from(computed)));
            return fail(reasons::FRAME_HEAD_CHECK, 2, 2, found, required);
        }
        let (found_kind, found_phase) = (u64::from(self.kind), u64::from(self.phase));
        let (least, most) = match self.kind {
            1 => (1, FRAME_MAX),
            2 => {
                let length = u32::try_from(8 + digest.size()).unwrap_or(u32::MAX);
                (length, length)
            }
            3 => (0, ABORT_MAX),
            0x80.. => (0, FRAME_MAX),
            _ => return fail(reasons::FRAME_KIND, 0, 1, found_kind, Datum::Word("1, 2, 3 or 0x80 and above")),
        };
        let phase = Phase::from_code(self.phase);
        let kind = match (self.kind, phase) {
            (1, Some(phase)) if order.follow(phase) => FrameKind::Data(phase),
            (2, Some(Phase::Unspecified)) => FrameKind::End,
            (3, Some(Phase::Unspecified)) => FrameKind::Abort,
            (0x80.., Some(Phase::Unspecified)) => FrameKind::Ancillary,
            (1, _) => {
                return fail(reasons::FRAME_PHASE, 1, 1, found_phase, Datum::Word("a phase that may follow the last"));
            }
            _ => return fail(reasons::FRAME_PHASE, 1, 1, found_phase, Datum::Wire(4)),
        };
        if !(least..=most).contains(&self.len) {
            let reason = Reason::at(reasons::FRAME_LEN, offset + 4).spanning(offset + 4, 4);
            let required = match self.kind {
                1 => Datum::Word("1 to 1048576"),
                2 => Datum::Count(u64::from(least)),
                3 => Datum::Word("0 to 1024"),
                _ => Datum::Word("0 to 1048576"),
            };
            return Err(reason.because(Datum::Count(u64::from(self.len)), required));
        }
        if Some(self.seq) != expected {
            let required = expected
                .map_or(Datum::Word("no frame after number 4294967295"), |number| Datum::Count(u64::from(number)));
            let reason = Reason::at(reasons::FRAME_SEQ, offset + 8).spanning(offset + 8, 4);
            return Err(reason.because(Datum::Count(u64::from(self.seq)), required));
        }
        Ok(Frame { kind, len: index(self.len) })
    }

    /// Checks the payload of the frame at `offset`.
    pub fn check_payload(&self, offset: u64, prologue_crc: u32, payload: &[u8]) -> Result<(), Reason> {
        let computed = self.computed_crc(prologue_crc, payload);
        if computed == self.crc {
            return Ok(());
        }
        Err(Reason::at(reasons::FRAME_CRC, offset + 12)
            .spanning(offset + 12, 4)
            .because(Datum::Wire(u64::from(self.crc)), Datum::Wire(u64::from(computed))))
    }
}

/// Checks the payload of the end frame at `offset`. The order of the checks is normative.
pub(super) fn check_end(
    payload: &[u8],
    offset: u64,
    total: u64,
    announced: Option<u64>,
    digest: Option<[u8; 32]>,
) -> Result<(), Reason> {
    let at = offset + widen(FRAME_HEAD);
    let mut reader = Reader::at(payload, at);
    let counted = reader.u64().map_err(|short| Reason::at(reasons::FRAME_LEN, short.offset))?;
    if counted != total {
        return Err(Reason::at(reasons::END_TOTAL, at)
            .spanning(at, 8)
            .because(Datum::Count(counted), Datum::Count(total)));
    }
    if digest.is_some_and(|digest| digest != *reader.rest()) {
        return Err(Reason::at(reasons::END_DIGEST, at + 8).spanning(at + 8, 32));
    }
    match announced {
        Some(announced) if announced != total => Err(Reason::at(reasons::END_PAYLOAD_LEN, at)
            .spanning(at, 8)
            .about(crate::attribute::PAYLOAD_LEN)
            .because(Datum::Count(total), Datum::Count(announced))),
        _ => Ok(()),
    }
}
