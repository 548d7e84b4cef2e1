//! Where something stands in a text.

use std::fmt;

/// A line and a column, both counted from 1. A column is a character, not a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl Place {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Bytes between two counts of characters: short enough to count through for each place asked for.
const BLOCK: usize = 256;

/// Finds places from byte offsets. Takes the same time for a text of one long line as for one of many short ones.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// Offset of the first byte of each line.
    starts: Vec<usize>,
    /// Characters before each block.
    blocks: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let after = |(at, &byte): (usize, &u8)| (byte == b'\n').then_some(at + 1);
        let starts = std::iter::once(0).chain(bytes.iter().enumerate().filter_map(after)).collect();
        let mut total = 0;
        let mut blocks = Vec::with_capacity(bytes.len() / BLOCK + 1);
        for block in bytes.chunks(BLOCK) {
            blocks.push(total);
            total += characters(block);
        }
        Self { text, starts, blocks }
    }

    /// The place of a byte; the text's end for an offset beyond it.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or(0);
        let column = self.characters_before(offset) - self.characters_before(start) + 1;
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place { line: narrow(line), column: narrow(column) }
    }

    /// The offset of a byte in a line, both counted from 1, as parsers that count bytes give them. The text's end where
    /// there is no such line.
    pub(crate) fn offset(&self, line: usize, byte: usize) -> usize {
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied();
        start.map_or(self.text.len(), |start| start + byte.saturating_sub(1))
    }

    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let Some(before) = self.blocks.get(block) else {
            // The end of a text that fills its last block.
            let last = self.blocks.len().saturating_sub(1);
            let bytes = self.text.as_bytes().get(last * BLOCK..).unwrap_or_default();
            return self.blocks.last().copied().unwrap_or(0) + characters(bytes);
        };
        before + characters(self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default())
    }
}

/// Characters that begin in these bytes of UTF-8.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters() {
        let text = "a\näöü=1\r\n\nz";
        let lines = Lines::new(text);
        for (part, line, column) in [("a", 1, 1), ("ä", 2, 1), ("ü", 2, 3), ("=", 2, 4), ("z", 4, 1)] {
            assert_eq!(lines.place(text.find(part).unwrap()), Place { line, column }, "{part}");
        }
        assert_eq!(lines.place(text.len()), Place { line: 4, column: 2 });
        assert_eq!(lines.place(usize::MAX), Place { line: 4, column: 2 });
        assert_eq!(lines.offset(2, 1), 2);
        assert_eq!(lines.offset(9, 1), text.len());
        assert_eq!(Lines::new("").place(0), Place::START);
    }

    #[test]
    fn places_across_blocks_agree_with_counting() {
        let text = "é€x\n".repeat(200) + &"é".repeat(700);
        let lines = Lines::new(&text);
        for (offset, _) in text.char_indices() {
            let before = &text[..offset];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            let expected = Place { line: u32::try_from(line).unwrap(), column: u32::try_from(column).unwrap() };
            assert_eq!(lines.place(offset), expected);
        }
        let full = "x".repeat(BLOCK * 2);
        assert_eq!(Lines::new(&full).place(full.len()), Place { line: 1, column: 513 });
    }
}
