//! Makes the checksums of a damaged sealed stream right again, so that what is behind them is reached.

use transire_core::bytes::{index, widen};
use transire_core::checksum::crc32c;
use transire_core::prologue::PROLOGUE_LEN;
use transire_core::sealed::{FRAME_HEAD, FrameHead};

/// The same bytes with the checksums of prologue, header and frames made right, whatever else is wrong with them. `deep`
/// also numbers the frames and mends what an end frame counts; its digest stays, so only streams without one end well.
pub(crate) fn mend(input: &[u8], deep: bool) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let Some((prologue, rest)) = bytes.split_first_chunk_mut::<PROLOGUE_LEN>() else { return bytes };
    let header_len = index(u32::from_le_bytes([prologue[8], prologue[9], prologue[10], prologue[11]]));
    let Some((header, mut rest)) = rest.split_at_mut_checked(header_len) else {
        seal_prologue(prologue, rest);
        return bytes;
    };
    let prologue_crc = seal_prologue(prologue, header);
    let (mut seq, mut total) = (0_u32, 0_u64);
    while let Some((bytes, behind)) = rest.split_first_chunk_mut::<FRAME_HEAD>() {
        let mut head = FrameHead::split(bytes);
        if deep {
            head.seq = seq;
        }
        seq = seq.wrapping_add(1);
        head.head_check = head.computed_check(prologue_crc);
        let there = behind.len();
        let (payload, behind) = behind.split_at_mut(index(head.len).min(there));
        if head.kind == 1 {
            total += widen(payload.len());
        }
        if deep
            && head.kind == 2
            && let Some(counted) = payload.first_chunk_mut()
        {
            *counted = total.to_le_bytes();
        }
        head.crc = head.computed_crc(prologue_crc, payload);
        *bytes = head.write();
        rest = behind;
    }
    bytes
}

fn seal_prologue(prologue: &mut [u8; PROLOGUE_LEN], header: &[u8]) -> u32 {
    prologue[12..16].copy_from_slice(&crc32c(header).to_le_bytes());
    let crc = crc32c(&prologue[..28]);
    prologue[28..].copy_from_slice(&crc.to_le_bytes());
    crc
}
