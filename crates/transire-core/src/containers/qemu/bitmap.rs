//! Dirty bitmaps of disks, as the main channel carries them with the capability `dirty-bitmaps`: runs of chunks, each with
//! flags that say what it holds and whether it is the last of its section.
//!
//! Facts: QEMU `migration/block-dirty-bitmap.c`, `util/hbitmap.c` (the part that serializes); what a loader does with altered
//! chunks was seen at 7.2. Bits are passed over, never looked at. A loader that cannot make sense of a bitmap gives all of
//! them up, reads on to the end and completes.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::event::Bitmap;
use super::reasons;
use super::wire::{Read, Stop, be16, be32, be64, counted, padded, used, within};
use crate::bytes::{Reader as Bytes, index, widen};
use crate::verdict::{Datum, Reason};

/// The identity string of the section.
pub(super) const NAME: &[u8] = b"dirty-bitmap";
/// The version of the section. A loader takes no other, a lower one neither.
pub(super) const VERSION: u32 = 1;
/// Dirty bitmaps that a stream may have. QEMU sets no limit; backups keep one or a few for each disk.
pub const BITMAPS_MAX: usize = 4096;
/// Bytes of the longest piece of a bitmap that a loader takes. A writer sends 1,024 at most.
pub const BITS_MAX: u64 = 10 << 10;

const EOS: u8 = 0x01;
const ZEROES: u8 = 0x02;
const BITMAP_NAME: u8 = 0x04;
const NODE_NAME: u8 = 0x08;
const START: u8 = 0x10;
const COMPLETE: u8 = 0x20;
const BITS: u8 = 0x40;
/// Of the first and the second byte: more bytes of flags follow.
const MORE: u8 = 0x80;

/// Of a bitmap: writes to the disk go on to be marked in it.
const ENABLED: u8 = 0x01;
/// Of a bitmap: it is stored with the disk.
const PERSISTENT: u8 = 0x02;
/// Flags of a bitmap that are kept for later. Bit 2 was "load by itself", until QEMU 3.0; it is no longer looked at.
const RESERVED: u8 = 0xf8;
/// Bits that numbers of sectors are shifted by for bytes.
const SECTOR_BITS: u32 = 9;
/// Bytes of a sector, and of what a bit stands for at the least.
const SECTOR: u32 = 1 << SECTOR_BITS;
/// Bits of a piece of a bitmap come in whole words of so many, of which it begins at one.
const WORD: u64 = 64;
/// A writer fills a piece up with zero bytes to a multiple of so many.
const FILLED_TO: u64 = 32;

/// Dirty bitmaps, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bitmaps {
    /// Bitmaps that were started.
    pub bitmaps: u64,
    /// Nodes, which are disks or parts of them, that these belong to.
    pub nodes: u64,
    /// Bitmaps that were completed.
    pub completed: u64,
    /// Pieces with bits.
    pub pieces: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Pieces without a bit set, which are sent by their place alone.
    pub zero_pieces: u64,
    /// Runs of chunks: one for each section.
    pub runs: u64,
}

impl Bitmaps {
    const NONE: Self = Self { bitmaps: 0, nodes: 0, completed: 0, pieces: 0, bytes: 0, zero_pieces: 0, runs: 0 };
}

/// What a step through bitmaps did with the bytes that it used.
pub(super) enum Told {
    /// Nothing to tell.
    Passed,
    Bitmap(Bitmap),
    /// The run is over.
    End,
}

#[derive(Clone, Debug)]
struct Known {
    node: Vec<u8>,
    name: Vec<u8>,
    /// Offset of the chunk that started it.
    offset: u64,
    granularity: u32,
    /// The sector that its next piece begins at.
    next: u64,
    /// Whether a piece of it has come.
    has_begun: bool,
    is_completed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Chunk,
    /// In the bits of a chunk, so many bytes of them to come; whether it is the last of its run.
    Bits {
        left: u64,
        is_last: bool,
    },
    /// Behind the last chunk of a run.
    Over,
}

/// What a chunk holds behind its names.
#[derive(Clone, Copy)]
enum Content {
    Nothing,
    Start(Begin),
    Complete,
    Bits(Piece),
}

/// How a bitmap begins.
#[derive(Clone, Copy)]
struct Begin {
    /// Offset of the granularity.
    at: u64,
    /// Offset of what follows.
    end: u64,
    granularity: u32,
    flags: u8,
}

/// The head of a piece of a bitmap.
#[derive(Clone, Copy)]
struct Piece {
    /// Offset of the number of its first sector.
    at: u64,
    sector: u64,
    sectors: u32,
    /// Bytes of its bits; none where all are zero.
    length: Option<u64>,
}

/// The walk through bitmaps; it goes on from section to section.
#[derive(Clone, Debug)]
pub(super) struct BitmapWalk {
    known: Vec<Known>,
    /// The same, in the order of node and name.
    sorted: Vec<u32>,
    /// The bitmap of the last chunk.
    current: Option<u32>,
    state: State,
    /// Whether a loader has given the bitmaps up: it reads on, and looks at nothing but lengths.
    is_given_up: bool,
    /// Whether something has been said. What follows a first fault need not mean anything.
    is_said: bool,
    pub(super) sum: Bitmaps,
}

impl BitmapWalk {
    pub(super) const fn new() -> Self {
        Self {
            known: Vec::new(),
            sorted: Vec::new(),
            current: None,
            state: State::Chunk,
            is_given_up: false,
            is_said: false,
            sum: Bitmaps::NONE,
        }
    }

    /// Node and name of a bitmap that was started.
    pub(super) fn names(&self, bitmap: u32) -> Option<(&[u8], &[u8])> {
        self.known.get(index(bitmap)).map(|known| (known.node.as_slice(), known.name.as_slice()))
    }

    /// Whether more sections follow the first one: QEMU sends no other where it found no bitmap.
    pub(super) const fn has_more(&self) -> bool {
        !self.known.is_empty() || self.is_given_up
    }

    /// What was being read, for a stream that ends here.
    pub(super) const fn awaited(&self) -> &'static str {
        if let State::Bits { .. } = self.state { "the bits of a dirty bitmap" } else { "a chunk of dirty bitmaps" }
    }

    /// Goes on at `offset`, the place of the first byte of `input`, by no more than one chunk. What is wrong with the bytes
    /// used goes to `told`.
    pub(super) fn step(&mut self, input: &[u8], offset: u64, told: &mut VecDeque<Reason>) -> Read<(usize, Told)> {
        match self.state {
            State::Chunk => self.chunk(input, offset, told),
            State::Bits { left, is_last } => {
                let bits = within(input, left);
                if bits.is_empty() {
                    return Err(Stop::Short(1));
                }
                self.state = behind(left.saturating_sub(widen(bits.len())), is_last);
                Ok((bits.len(), Told::Passed))
            }
            State::Over => {
                self.state = State::Chunk;
                self.sum.runs = self.sum.runs.saturating_add(1);
                Ok((0, Told::End))
            }
        }
    }

    /// The last section is over: every bitmap has to be complete by now.
    pub(super) fn finish(&mut self, told: &mut VecDeque<Reason>) {
        if let Some(known) = self.known.iter().find(|known| !known.is_completed) {
            self.find(Reason::at(reasons::BITMAP_UNFINISHED, known.offset), told);
        }
    }

    fn find(&mut self, reason: Reason, told: &mut VecDeque<Reason>) {
        if !self.is_said {
            self.is_said = true;
            told.push_back(reason);
        }
    }

    fn give_up(&mut self, reason: Reason, told: &mut VecDeque<Reason>) {
        self.find(reason, told);
        self.is_given_up = true;
    }

    /// Reads a chunk as far as its bits. Nothing is changed where it is not there so far.
    fn chunk(&mut self, input: &[u8], offset: u64, told: &mut VecDeque<Reason>) -> Read<(usize, Told)> {
        let mut bytes = Bytes::at(input, offset);
        let (flags, others) = flags(&mut bytes)?;
        let node = if flags & NODE_NAME != 0 { Some(name(&mut bytes)?) } else { None };
        let bitmap = if flags & BITMAP_NAME != 0 { Some(name(&mut bytes)?) } else { None };
        let content = content(&mut bytes, flags)?;
        let fits = match flags & (START | COMPLETE | BITS) {
            START | COMPLETE => flags & ZEROES == 0,
            BITS => true,
            0 => flags == EOS,
            _ => false,
        };
        // A writer names the bitmap whenever it names the node.
        if others != 0 || !fits || node.is_some() && bitmap.is_none() {
            let reason = Reason::at(reasons::BITMAP_FLAGS, offset).spanning(offset, 1);
            let found = Datum::Wire(u64::from(others) | u64::from(flags));
            self.find(reason.because(found, Datum::None), told);
        }
        let is_judged = !self.is_given_up && flags & !EOS != 0;
        let started = if is_judged { self.judge(offset, node, bitmap, content, told)? } else { None };
        let left = if let Content::Bits(piece) = content { self.count(piece) } else { 0 };
        self.state = behind(left, flags & EOS != 0);
        Ok((used(&bytes, offset), started.map_or(Told::Passed, Told::Bitmap)))
    }

    fn count(&mut self, piece: Piece) -> u64 {
        let (pieces, length) = match piece.length {
            Some(length) => (&mut self.sum.pieces, length),
            None => (&mut self.sum.zero_pieces, 0),
        };
        *pieces = pieces.saturating_add(1);
        self.sum.bytes = self.sum.bytes.saturating_add(length);
        length
    }

    /// What a loader makes of a chunk, and what no writer writes.
    fn judge(
        &mut self,
        offset: u64,
        node: Option<&[u8]>,
        name: Option<&[u8]>,
        content: Content,
        told: &mut VecDeque<Reason>,
    ) -> Read<Option<Bitmap>> {
        let wrong = |found| Reason::at(reasons::BITMAP_NAME, offset).because(Datum::Word(found), Datum::None);
        if [node, name].into_iter().flatten().any(|name| name.contains(&0)) {
            self.find(wrong("a zero byte in a name"), told);
        }
        let current = self.current.and_then(|current| self.names(current)).map(|(node, _)| node);
        let place = match (node.map(padded).or(current), name.map(padded)) {
            (Some(node), Some(name)) => Some(self.place(node, name).map_err(|at| (at, node.to_vec(), name.to_vec()))),
            (_, None) => self.current.map(Ok),
            (None, Some(_)) => None,
        };
        match (content, place) {
            (_, None) => self.give_up(wrong("no name"), told),
            (Content::Start(begin), Some(Err((at, node, name)))) => {
                return self.start(offset, begin, at, node, name).map(Some);
            }
            (Content::Start(_), Some(Ok(_))) => return Err(wrong("started before").into()),
            (_, Some(Err(_))) => self.give_up(wrong("not started"), told),
            (content, Some(Ok(bitmap))) => {
                self.current = Some(bitmap);
                match content {
                    Content::Bits(piece) => self.bits(bitmap, piece, told)?,
                    Content::Complete => self.complete(offset, bitmap, told),
                    Content::Nothing | Content::Start(_) => {}
                }
            }
        }
        Ok(None)
    }

    /// The number of a bitmap; where it is not known, its place among the sorted ones.
    fn place(&self, node: &[u8], name: &[u8]) -> Result<u32, usize> {
        let of = |bitmap: &u32| self.names(*bitmap).cmp(&Some((node, name)));
        let place = self.sorted.binary_search_by(of)?;
        self.sorted.get(place).copied().ok_or(place)
    }

    fn start(&mut self, offset: u64, begin: Begin, place: usize, node: Vec<u8>, name: Vec<u8>) -> Read<Bitmap> {
        let wrong = |at, length, found, required| {
            Stop::from(Reason::at(reasons::BITMAP_START, at).spanning(at, length).because(found, required))
        };
        let granularity = begin.granularity;
        if !granularity.is_power_of_two() || granularity < SECTOR {
            let found = Datum::Wire(u64::from(granularity));
            return Err(wrong(begin.at, 4, found, Datum::Word("a power of two from 0x200 on")));
        }
        if begin.flags & RESERVED != 0 {
            let found = Datum::Wire(u64::from(begin.flags));
            return Err(wrong(begin.at.saturating_add(4), 1, found, Datum::Wire(u64::from(!RESERVED))));
        }
        if self.known.len() >= BITMAPS_MAX {
            return Err(wrong(offset, 1, Datum::None, Datum::Count(widen(BITMAPS_MAX))));
        }
        let is_of_node = |bitmap: Option<&u32>| {
            bitmap.and_then(|bitmap| self.names(*bitmap)).is_some_and(|(known, _)| known == node)
        };
        let before = place.checked_sub(1).and_then(|before| self.sorted.get(before));
        let is_new = !is_of_node(before) && !is_of_node(self.sorted.get(place));
        self.sum.nodes = self.sum.nodes.saturating_add(u64::from(is_new));
        self.sum.bitmaps = self.sum.bitmaps.saturating_add(1);
        let bitmap = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.sorted.insert(place, bitmap);
        self.known.push(Known { node, name, offset, granularity, next: 0, has_begun: false, is_completed: false });
        self.current = Some(bitmap);
        let [is_enabled, is_persistent] = [ENABLED, PERSISTENT].map(|flag| begin.flags & flag != 0);
        let length = begin.end.saturating_sub(offset);
        Ok(Bitmap { bitmap, offset, length, granularity, is_enabled, is_persistent })
    }

    /// Whether a piece can be where it is, and as long as it is. A loader checks the length only, against the granularity; it
    /// aborts over a piece that begins within a word.
    fn bits(&mut self, bitmap: u32, piece: Piece, told: &mut VecDeque<Reason>) -> Read<()> {
        let Some(known) = self.known.get_mut(index(bitmap)) else { return Ok(()) };
        let (next, is_completed) = (known.next, known.is_completed);
        known.next = piece.sector.saturating_add(u64::from(piece.sectors));
        known.has_begun = true;
        let granularity = u64::from(known.granularity);
        let wrong = |found, required| {
            Reason::at(reasons::BITMAP_BITS, piece.at).spanning(piece.at, 12).because(found, required)
        };
        // A loader loses the upper bits of such a number, too.
        let first = piece.sector << SECTOR_BITS;
        if piece.sectors > 0 && !first.is_multiple_of(granularity.saturating_mul(WORD)) {
            return Err(wrong(Datum::Wire(piece.sector), Datum::Word("a whole number of words")).into());
        }
        if is_completed {
            self.find(wrong(Datum::None, Datum::Word("none behind its completion")), told);
        }
        if piece.sector != next {
            self.find(wrong(Datum::Wire(piece.sector), Datum::Wire(next)), told);
        }
        let bits = (u64::from(piece.sectors) << SECTOR_BITS).div_ceil(granularity);
        let needed = bits.div_ceil(WORD).saturating_mul(WORD / 8);
        if let Some(length) = piece.length
            && !(needed..=needed.next_multiple_of(FILLED_TO)).contains(&length)
        {
            self.give_up(wrong(Datum::Count(length), Datum::Count(needed)), told);
        }
        Ok(())
    }

    fn complete(&mut self, offset: u64, bitmap: u32, told: &mut VecDeque<Reason>) {
        let Some(known) = self.known.get_mut(index(bitmap)) else { return };
        let wrong = |found| Reason::at(reasons::BITMAP_BITS, offset).because(Datum::Word(found), Datum::None);
        let reason = match (known.is_completed, known.has_begun) {
            (true, _) => Some(wrong("completed before")),
            (false, false) => Some(wrong("no bits")),
            (false, true) => None,
        };
        self.sum.completed = self.sum.completed.saturating_add(u64::from(!known.is_completed));
        known.is_completed = true;
        if let Some(reason) = reason {
            self.find(reason, told);
        }
    }
}

/// Where a walk stands with so many bytes of bits to come.
const fn behind(left: u64, is_last: bool) -> State {
    match (left, is_last) {
        (0, true) => State::Over,
        (0, false) => State::Chunk,
        _ => State::Bits { left, is_last },
    }
}

/// Reads flags, a number of one, two or four bytes: those that are known, all in its last byte, and what else is set.
fn flags(bytes: &mut Bytes<'_>) -> Read<(u8, u32)> {
    let first = bytes.u8()?;
    if first & MORE == 0 {
        return Ok((first, 0));
    }
    let second = bytes.u8()?;
    let two = u16::from_be_bytes([first & !MORE, second & !MORE]);
    let number = if second & MORE == 0 { u32::from(two) } else { u32::from(two) << 16 | u32::from(be16(bytes)?) };
    let [.., known] = number.to_be_bytes();
    let known = known & !MORE;
    Ok((known, number & !u32::from(known)))
}

/// Reads a name. A loader takes none that is empty.
fn name<'a>(bytes: &mut Bytes<'a>) -> Read<&'a [u8]> {
    let at = bytes.offset();
    let name = counted(bytes)?;
    if name.is_empty() {
        let reason = Reason::at(reasons::BITMAP_NAME, at).spanning(at, 1);
        return Err(reason.because(Datum::Count(0), Datum::None).into());
    }
    Ok(name)
}

/// Reads what a chunk holds, except for bits: of several things the first in the order that a loader has.
fn content(bytes: &mut Bytes<'_>, flags: u8) -> Read<Content> {
    let at = bytes.offset();
    if flags & START != 0 {
        let (granularity, flags) = (be32(bytes)?, bytes.u8()?);
        return Ok(Content::Start(Begin { at, end: bytes.offset(), granularity, flags }));
    }
    if flags & COMPLETE != 0 {
        return Ok(Content::Complete);
    }
    if flags & BITS == 0 {
        return Ok(Content::Nothing);
    }
    let (sector, sectors) = (be64(bytes)?, be32(bytes)?);
    let length = if flags & ZEROES == 0 { Some(be64(bytes)?) } else { None };
    if let Some(found) = length.filter(|length| *length > BITS_MAX) {
        let at = at.saturating_add(12);
        let reason = Reason::at(reasons::BITMAP_LENGTH, at).spanning(at, 8);
        return Err(reason.because(Datum::Wire(found), Datum::Wire(BITS_MAX)).into());
    }
    Ok(Content::Bits(Piece { at, sector, sectors, length }))
}
