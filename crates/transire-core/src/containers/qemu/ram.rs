//! RAM as the main channel carries it: runs of records, each a 64-bit number of address and flags with what belongs to it.
//!
//! Facts: QEMU `migration/ram.c`, `migration/ram.h`, `migration/xbzrle.c`; mapped-ram since 9.0. Page contents are passed
//! over, never looked at.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::event::{Block, Region};
use super::reasons;
use super::wire::{Read, Stop, be16, be32, be64, counted, printable, used, within};
use crate::bytes::{Reader as Bytes, widen};
use crate::verdict::{Datum, Reason};

/// Blocks of RAM that a machine may have; real ones have about ten, and one for each memory device or ROM.
pub const BLOCKS_MAX: usize = 4096;
/// Bytes of the longest page of a guest.
pub(super) const PAGE_BITS_MAX: u32 = 16;
/// Bits of the page size where the configuration section does not say: that of x86, and of every machine type whose
/// streams were seen.
pub(super) const PAGE_BITS_USUAL: u32 = 12;

const ZERO: u64 = 0x002;
const MEM_SIZE: u64 = 0x004;
const PAGE: u64 = 0x008;
const EOS: u64 = 0x010;
const CONTINUE: u64 = 0x020;
const XBZRLE: u64 = 0x040;
const HOOK: u64 = 0x080;
const COMPRESSED: u64 = 0x100;
const FLUSH: u64 = 0x200;

/// The one encoding that XBZRLE has.
const XBZRLE_ENCODING: u8 = 1;
/// The highest version of mapped-ram's header that is known.
const MAPPED_VERSION: u32 = 1;
/// Bits of a word of mapped-ram's bitmap, which is a whole number of them.
const BITMAP_WORD: u64 = 64;

/// RAM, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ram {
    /// Bytes of the guest's RAM: the sum of the blocks.
    pub bytes: u64,
    /// Blocks that were announced.
    pub blocks: u32,
    /// Pages in full.
    pub pages: u64,
    /// Pages that hold one byte repeated, which is zero.
    pub zero_pages: u64,
    /// Pages as differences.
    pub xbzrle_pages: u64,
    /// Bytes of these differences.
    pub xbzrle_bytes: u64,
    /// Pages compressed one by one (until 9.0).
    pub compressed_pages: u64,
    /// Bytes of these.
    pub compressed_bytes: u64,
    /// Records that name their block; the others go on with that of the record before.
    pub names: u64,
    /// Points at which multifd channels are brought together.
    pub flushes: u64,
    /// Runs of records: one for each section.
    pub runs: u64,
    /// Blocks whose pages have a place in the file (mapped-ram).
    pub mapped_blocks: u32,
    /// Pages that mapped-ram's bitmaps name.
    pub mapped_pages: u64,
    /// Packets of multifd that carry pages, or bring channels together.
    pub packets: u64,
    /// Pages in these packets, in full.
    pub packet_pages: u64,
    /// Zero pages that these packets name.
    pub packet_zero_pages: u64,
    /// Bytes of page contents in these packets, as they are on the wire.
    pub packet_bytes: u64,
}

impl Ram {
    /// Adds what another channel of the same migration has.
    pub fn add(&mut self, other: &Self) {
        fn more(sum: &mut u64, count: u64) {
            *sum = sum.saturating_add(count);
        }
        more(&mut self.bytes, other.bytes);
        self.blocks = self.blocks.saturating_add(other.blocks);
        more(&mut self.pages, other.pages);
        more(&mut self.zero_pages, other.zero_pages);
        more(&mut self.xbzrle_pages, other.xbzrle_pages);
        more(&mut self.xbzrle_bytes, other.xbzrle_bytes);
        more(&mut self.compressed_pages, other.compressed_pages);
        more(&mut self.compressed_bytes, other.compressed_bytes);
        more(&mut self.names, other.names);
        more(&mut self.flushes, other.flushes);
        more(&mut self.runs, other.runs);
        self.mapped_blocks = self.mapped_blocks.saturating_add(other.mapped_blocks);
        more(&mut self.mapped_pages, other.mapped_pages);
        more(&mut self.packets, other.packets);
        more(&mut self.packet_pages, other.packet_pages);
        more(&mut self.packet_zero_pages, other.packet_zero_pages);
        more(&mut self.packet_bytes, other.packet_bytes);
    }

    pub(super) const NONE: Self = Self {
        bytes: 0,
        blocks: 0,
        pages: 0,
        zero_pages: 0,
        xbzrle_pages: 0,
        xbzrle_bytes: 0,
        compressed_pages: 0,
        compressed_bytes: 0,
        names: 0,
        flushes: 0,
        runs: 0,
        mapped_blocks: 0,
        mapped_pages: 0,
        packets: 0,
        packet_pages: 0,
        packet_zero_pages: 0,
        packet_bytes: 0,
    };
}

/// What the RAM walk needs to know of the rest of the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    pub(super) page_bits: Option<u32>,
    pub(super) ignore_shared: bool,
    pub(super) mapped: bool,
    pub(super) postcopy: bool,
}

impl Mode {
    pub(super) const USUAL: Self = Self { page_bits: None, ignore_shared: false, mapped: false, postcopy: false };

    pub(super) fn page_size(self) -> u64 {
        1 << self.page_bits.unwrap_or(PAGE_BITS_USUAL)
    }
}

/// What a step through RAM did with the bytes that it used.
pub(super) enum Told {
    /// Nothing to tell.
    Passed,
    Block(Block),
    /// So many bytes of pages begin; a caller that can seek need not read them.
    Pages(u64),
    /// The run is over.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Record,
    /// In the contents of a record.
    Content(u64),
    /// In the list of blocks, so many bytes of RAM still to be announced.
    Blocks(u64),
    Mapped(Mapped),
}

/// Where the walk stands in a block's place in the file, and what is left to announce behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapped {
    part: Part,
    left: u64,
    bitmap: u64,
    gap: u64,
    pages: u64,
    announced: bool,
    blocks_left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    BeforeBitmap,
    Bitmap,
    BeforePages,
    Pages,
}

#[derive(Clone, Debug)]
struct Known {
    name: Vec<u8>,
    length: u64,
}

/// The walk through RAM; it goes on from section to section.
#[derive(Clone, Debug)]
pub(super) struct RamWalk {
    blocks: Vec<Known>,
    names: BTreeMap<Vec<u8>, usize>,
    /// The block of the last record.
    current: Option<usize>,
    state: State,
    pub(super) sum: Ram,
}

impl RamWalk {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new(), names: BTreeMap::new(), current: None, state: State::Record, sum: Ram::NONE }
    }

    /// The name of a block that was announced.
    pub(super) fn block_name(&self, block: u32) -> Option<&[u8]> {
        self.blocks.get(crate::bytes::index(block)).map(|known| known.name.as_slice())
    }

    /// What was being read, for a stream that ends here.
    pub(super) fn awaited(&self) -> &'static str {
        match self.state {
            State::Record => "a record of RAM",
            State::Content(_) => "the contents of a page",
            State::Blocks(_) => "the list of RAM blocks",
            State::Mapped(Mapped { part: Part::Bitmap, .. }) => "the bitmap of a RAM block",
            State::Mapped(_) => "the pages of a RAM block",
        }
    }

    /// Goes on at `offset`, the place of the first byte of `input`.
    pub(super) fn step(&mut self, input: &[u8], offset: u64, mode: Mode) -> Read<(usize, Told)> {
        match self.state {
            State::Record | State::Content(_) => self.records(input, offset, mode),
            State::Blocks(left) => self.block(input, offset, left, mode),
            State::Mapped(mapped) => self.mapped(input, mapped),
        }
    }

    /// Says that `count` bytes of pages were passed over unread.
    pub(super) fn skipped(&mut self, count: u64) -> u64 {
        match &mut self.state {
            State::Mapped(mapped) if mapped.part == Part::Pages => {
                let count = count.min(mapped.left);
                mapped.left = mapped.left.saturating_sub(count);
                count
            }
            _ => 0,
        }
    }

    /// Reads as many records as are there whole.
    fn records(&mut self, input: &[u8], offset: u64, mode: Mode) -> Read<(usize, Told)> {
        let mut bytes = Bytes::at(input, offset);
        loop {
            if self.state == State::Record {
                let plain = self.plain(bytes.rest(), mode);
                bytes.take(plain)?;
            }
            let at = used(&bytes, offset);
            if let State::Content(left) = self.state {
                let content = within(bytes.rest(), left);
                bytes.take(content.len())?;
                let left = left.saturating_sub(widen(content.len()));
                self.state = if left == 0 { State::Record } else { State::Content(left) };
                if left > 0 {
                    return if at == 0 && content.is_empty() {
                        Err(Stop::Short(1))
                    } else {
                        Ok((input.len(), Told::Passed))
                    };
                }
                continue;
            }
            match self.record(&mut bytes, mode) {
                Ok(true) => return Ok((used(&bytes, offset), Told::End)),
                Ok(false) if matches!(self.state, State::Blocks(_)) => {
                    return Ok((used(&bytes, offset), Told::Passed));
                }
                Ok(false) => {}
                // What has passed is used first; the rest is looked at again.
                Err(_) if at > 0 => return Ok((at, Told::Passed)),
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Counts the records that RAM is mostly made of, as far as they come first: pages of the block of the record before,
    /// zero or in full and wholly there. Returns their bytes. What [`Self::record`] would say of each is the same, but a
    /// guest has hundreds of thousands of them for each GiB.
    fn plain(&mut self, input: &[u8], mode: Mode) -> usize {
        let page_size = mode.page_size();
        let known = self.current.and_then(|block| self.blocks.get(block));
        let Some(last) = known.and_then(|known| known.length.checked_sub(page_size)) else { return 0 };
        let Ok(page_bytes) = usize::try_from(page_size) else { return 0 };
        let (mut zero_pages, mut pages) = (0, 0);
        let mut rest = input;
        while let Some((head, content)) = rest.split_first_chunk() {
            let number = u64::from_be_bytes(*head);
            let (flags, address) = (number & (page_size - 1), number & !(page_size - 1));
            if address > last {
                break;
            }
            rest = match (flags ^ CONTINUE, content) {
                (ZERO, [0, behind @ ..]) => {
                    zero_pages += 1;
                    behind
                }
                (PAGE, _) => {
                    let Some((_, behind)) = content.split_at_checked(page_bytes) else { break };
                    pages += 1;
                    behind
                }
                _ => break,
            };
        }
        self.sum.zero_pages = self.sum.zero_pages.saturating_add(zero_pages);
        self.sum.pages = self.sum.pages.saturating_add(pages);
        input.len() - rest.len()
    }

    /// Reads the head of a record; whether it ends the run. Nothing is changed where the head is not there whole.
    fn record(&mut self, bytes: &mut Bytes<'_>, mode: Mode) -> Read<bool> {
        let start = bytes.offset();
        let number = be64(bytes)?;
        let flags = number & (mode.page_size() - 1);
        let address = number & !(mode.page_size() - 1);
        let kind = flags & !CONTINUE;
        match kind {
            EOS => {
                self.sum.runs = self.sum.runs.saturating_add(1);
                return Ok(true);
            }
            FLUSH => {
                self.sum.flushes = self.sum.flushes.saturating_add(1);
                return Ok(false);
            }
            // Of RDMA: it has no bytes of its own.
            HOOK => return Ok(false),
            MEM_SIZE => {
                self.sum.bytes = self.sum.bytes.saturating_add(address);
                self.state = if address == 0 { State::Record } else { State::Blocks(address) };
                return Ok(false);
            }
            ZERO | PAGE | XBZRLE | COMPRESSED => {}
            _ => {
                let found = Datum::Wire(flags);
                return Err(Reason::at(reasons::RAM_FLAGS, start)
                    .spanning(start, 8)
                    .because(found, Datum::None)
                    .into());
            }
        }
        let named = if flags & CONTINUE == 0 { Some((bytes.offset(), counted(bytes)?)) } else { None };
        let wrong = |at: u64, length: u32, found: u64, required: Datum| {
            Stop::from(Reason::at(reasons::RAM_LENGTH, at).spanning(at, length).because(Datum::Count(found), required))
        };
        let at = bytes.offset();
        let content = match kind {
            ZERO => match bytes.u8()? {
                0 => 0,
                fill => return Err(wrong(at, 1, u64::from(fill), Datum::Word("0"))),
            },
            XBZRLE => {
                let encoding = bytes.u8()?;
                let length = u64::from(be16(bytes)?);
                if encoding != XBZRLE_ENCODING {
                    return Err(wrong(at, 1, u64::from(encoding), Datum::Word("1")));
                }
                if length > mode.page_size() {
                    return Err(wrong(at.saturating_add(1), 2, length, Datum::Count(mode.page_size())));
                }
                length
            }
            COMPRESSED => {
                let length = u64::from(be32(bytes)?);
                // zlib adds a thousandth and a dozen bytes at the most.
                if length > mode.page_size().saturating_mul(2) {
                    return Err(wrong(at, 4, length, Datum::Count(mode.page_size().saturating_mul(2))));
                }
                length
            }
            _ => mode.page_size(),
        };
        let block = self.find(start, named)?;
        if self.blocks.get(block).is_none_or(|known| address.saturating_add(mode.page_size()) > known.length) {
            let length = self.blocks.get(block).map_or(0, |known| known.length);
            let reason = Reason::at(reasons::RAM_OFFSET, start).spanning(start, 8);
            return Err(reason.because(Datum::Wire(address), Datum::Wire(length)).into());
        }
        self.current = Some(block);
        self.count(kind, content, named.is_some());
        self.state = if content == 0 { State::Record } else { State::Content(content) };
        Ok(false)
    }

    fn find(&self, start: u64, named: Option<(u64, &[u8])>) -> Read<usize> {
        let unknown = |at, length| Stop::from(Reason::at(reasons::RAM_BLOCK, at).spanning(at, length));
        match named {
            None => self.current.ok_or_else(|| unknown(start, 8)),
            Some((at, name)) => {
                let known = self.names.get(name).copied();
                known.ok_or_else(|| unknown(at, u32::try_from(name.len()).unwrap_or(0).saturating_add(1)))
            }
        }
    }

    fn count(&mut self, kind: u64, content: u64, named: bool) {
        let sum = &mut self.sum;
        let (pages, bytes) = match kind {
            ZERO => (&mut sum.zero_pages, None),
            XBZRLE => (&mut sum.xbzrle_pages, Some(&mut sum.xbzrle_bytes)),
            COMPRESSED => (&mut sum.compressed_pages, Some(&mut sum.compressed_bytes)),
            _ => (&mut sum.pages, None),
        };
        *pages = pages.saturating_add(1);
        if let Some(bytes) = bytes {
            *bytes = bytes.saturating_add(content);
        }
        sum.names = sum.names.saturating_add(u64::from(named));
    }

    /// Reads an entry of the list of blocks.
    fn block(&mut self, input: &[u8], offset: u64, left: u64, mode: Mode) -> Read<(usize, Told)> {
        let mut bytes = Bytes::at(input, offset);
        let name = counted(&mut bytes)?;
        let length = be64(&mut bytes)?;
        let wrong = |found: Datum, required: Datum| {
            Stop::from(Reason::at(reasons::RAM_BLOCKS, offset).spanning(offset, 1).because(found, required))
        };
        if !printable(name) || self.names.contains_key(name) {
            return Err(wrong(Datum::None, Datum::Word("another name")));
        }
        if length == 0 || length > left {
            return Err(wrong(Datum::Wire(length), Datum::Wire(left)));
        }
        if self.blocks.len() >= BLOCKS_MAX {
            return Err(wrong(Datum::None, Datum::Count(widen(BLOCKS_MAX))));
        }
        let left = left.saturating_sub(length);
        let page_size = if mode.postcopy { own_page_size(&mut bytes, left, mode)? } else { None };
        let guest_address = if mode.ignore_shared { Some(be64(&mut bytes)?) } else { None };
        let region = if mode.mapped { self.region(&mut bytes, length, mode, left)? } else { None };
        let block = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        self.names.insert(name.to_vec(), self.blocks.len());
        self.blocks.push(Known { name: name.to_vec(), length });
        self.sum.blocks = self.sum.blocks.saturating_add(1);
        if region.is_none() {
            self.state = if left == 0 { State::Record } else { State::Blocks(left) };
        }
        let block = Block { block, offset, length, page_size, guest_address, region };
        Ok((used(&bytes, offset), Told::Block(block)))
    }

    /// Reads mapped-ram's header of a block and checks that its parts lie one behind the other: the loader does not.
    fn region(&mut self, bytes: &mut Bytes<'_>, length: u64, mode: Mode, left: u64) -> Read<Option<Region>> {
        let start = bytes.offset();
        let version = be32(bytes)?;
        let page_size = be64(bytes)?;
        let bitmap_offset = be64(bytes)?;
        let pages_offset = be64(bytes)?;
        let here = bytes.offset();
        let wrong = |at: u64, length: u32, found: u64, required: Datum| {
            let at = start.saturating_add(at);
            Stop::from(Reason::at(reasons::MAPPED_RAM, at).spanning(at, length).because(Datum::Wire(found), required))
        };
        if version > MAPPED_VERSION {
            return Err(wrong(0, 4, u64::from(version), Datum::Count(u64::from(MAPPED_VERSION))));
        }
        if bitmap_offset == 0 && pages_offset == 0 {
            // A block that is shared and not sent, as newer writers put it (QEMU after 10.2.2, not seen in a stream).
            return Ok(None);
        }
        if page_size == 0 || !page_size.is_power_of_two() || page_size > length || !length.is_multiple_of(page_size) {
            return Err(wrong(4, 8, page_size, Datum::Wire(mode.page_size())));
        }
        let bitmap = length.div_euclid(page_size).div_ceil(BITMAP_WORD).saturating_mul(8);
        let bitmap_end = bitmap_offset.saturating_add(bitmap);
        if bitmap_offset < here {
            return Err(wrong(12, 8, bitmap_offset, Datum::Wire(here)));
        }
        if pages_offset < bitmap_end
            || !pages_offset.is_multiple_of(mode.page_size())
            || pages_offset.checked_add(length).is_none()
        {
            return Err(wrong(20, 8, pages_offset, Datum::Wire(bitmap_end)));
        }
        self.sum.mapped_blocks = self.sum.mapped_blocks.saturating_add(1);
        self.state = State::Mapped(Mapped {
            part: Part::BeforeBitmap,
            left: bitmap_offset.saturating_sub(here),
            bitmap,
            gap: pages_offset.saturating_sub(bitmap_end),
            pages: length,
            announced: false,
            blocks_left: left,
        });
        Ok(Some(Region { page_size, bitmap_offset, pages_offset }))
    }

    fn mapped(&mut self, input: &[u8], mut mapped: Mapped) -> Read<(usize, Told)> {
        if mapped.part == Part::Pages && !mapped.announced {
            mapped.announced = true;
            self.state = State::Mapped(mapped);
            return Ok((0, Told::Pages(mapped.left)));
        }
        let part = within(input, mapped.left);
        if part.is_empty() && mapped.left > 0 {
            return Err(Stop::Short(1));
        }
        if mapped.part == Part::Bitmap {
            // Which page a bit stands for depends on the byte order of the host; how many are set does not.
            let set = part.iter().fold(0_u64, |set, byte| set.saturating_add(u64::from(byte.count_ones())));
            self.sum.mapped_pages = self.sum.mapped_pages.saturating_add(set);
        }
        mapped.left = mapped.left.saturating_sub(widen(part.len()));
        if mapped.left > 0 {
            self.state = State::Mapped(mapped);
            return Ok((part.len(), Told::Passed));
        }
        let (next, left) = match mapped.part {
            Part::BeforeBitmap => (Part::Bitmap, mapped.bitmap),
            Part::Bitmap => (Part::BeforePages, mapped.gap),
            Part::BeforePages => (Part::Pages, mapped.pages),
            Part::Pages => {
                self.state = if mapped.blocks_left == 0 { State::Record } else { State::Blocks(mapped.blocks_left) };
                return Ok((part.len(), Told::Passed));
            }
        };
        self.state = State::Mapped(Mapped { part: next, left, ..mapped });
        Ok((part.len(), Told::Passed))
    }
}

/// The page size of a block with pages of its own, which nothing announces: it is there only with postcopy, and then only
/// for huge pages. What follows otherwise is a name, which does not begin with a zero byte, or a record, whose flags are
/// below the page size.
fn own_page_size(bytes: &mut Bytes<'_>, left: u64, mode: Mode) -> Read<Option<u64>> {
    let mut ahead = *bytes;
    if ahead.u8()? != 0 {
        return Ok(None);
    }
    let mut ahead = *bytes;
    let mut number = be64(&mut ahead)?;
    if mode.ignore_shared {
        // With a guest address in any case, a second number is there only if the first one is a page size.
        let rest = *ahead.rest().first().ok_or(Stop::Short(1))?;
        let second = be64(&mut ahead).ok();
        let names_follow = left > 0 && rest != 0;
        let record_follows = left == 0 && second.ok_or(Stop::Short(8))? & (mode.page_size() - 1) != 0;
        if names_follow || record_follows {
            number = 0;
        }
    }
    if number.is_power_of_two() && number > mode.page_size() {
        bytes.take(8)?;
        return Ok(Some(number));
    }
    Ok(None)
}
