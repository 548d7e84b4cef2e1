//! What a gate withholds because a destination could complete by it.
//!
//! The state of a device that is no VFIO device has no length: the walk searches for its footer, and can be led to take
//! another place for it than the destination does. So the gate does not trust the walk there. Facts: QEMU
//! `migration/savevm.c` (the loop over sections, the check of footers). A destination comes to its end (0x00), or to a
//! command (0x08, by which one in postcopy begins to run), only directly behind a footer, 0x7e and four bytes. In the
//! bytes of a section that is searched every such place is withheld, and everything from there on:
//!
//! - while live state is still to come, until the footer of the section is found; for good where the four bytes are the
//!   section's own id, and the walk does not take them for its footer;
//! - behind all live state, until every device has passed, whatever section it is: no RAM comes there that would have to
//!   go on.
//!
//! A footer that was damaged shows by the description behind the end: 0x00 that one begins behind is withheld too.
//!
//! Nothing is copied: the bytes stay in the caller's input, and the walk goes on ahead of what was used of it.

use crate::containers::qemu::{COMMAND, DESCRIPTION, Event, FOOTER, Item, QemuReader};

/// Bytes that a gate withholds at the most. Machines have some hundred kilobytes of state behind their RAM; but a display's
/// picture can be tens of megabytes, and random bytes hold a place that could be the end every 32 KiB.
pub const WITHHELD_MAX: usize = 64 << 20;

/// Bytes of a footer.
const FOOTER_LEN: usize = 5;
/// How far behind the end the description's first byte of JSON stands.
const JSON_AT: usize = 6;

/// What the walk has read and the gate not let go.
#[derive(Default)]
pub(super) struct Withheld {
    /// Bytes that the walk is ahead of what may go on.
    ahead: usize,
    watch: Option<Watch>,
}

/// Looks for places that could be the end.
struct Watch {
    /// The footer of the section that is searched, where the watch ends with the section.
    own: Option<[u8; FOOTER_LEN]>,
    /// The next byte to look at, counted from the first that was not let go.
    next: usize,
    /// Whether there was such a place: the first byte that was not let go.
    holds: bool,
}

impl Withheld {
    /// Bytes that the walk is ahead of what may go on.
    pub(super) const fn ahead(&self) -> usize {
        self.ahead
    }

    /// Whether a place that could be the end is withheld.
    pub(super) fn holds(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.holds)
    }

    /// Takes an event of the walk, before the bytes that it used.
    pub(super) fn take(&mut self, reader: &QemuReader, event: &Event<'_>) {
        match (event, &self.watch) {
            (Event::Item(Item::Section(head)), None) => {
                let [a, b, c, d] = head.id.to_be_bytes();
                let own = (!reader.is_behind_live()).then_some([FOOTER, a, b, c, d]);
                if own.is_none() || reader.is_searching() {
                    self.watch = Some(Watch { own, next: usize::MAX, holds: false });
                }
            }
            (Event::Item(Item::SectionEnd(_)), Some(Watch { own: Some(_), .. })) => self.watch = None,
            _ => {}
        }
    }

    /// Nothing is withheld any more.
    pub(super) fn end(&mut self) {
        self.watch = None;
    }

    /// The walk used so many bytes of the input, which begins with the first that was not let go. Returns how many may go
    /// on.
    pub(super) fn advance(&mut self, input: &[u8], used: usize) -> usize {
        self.ahead = self.ahead.saturating_add(used);
        let Some(watch) = &mut self.watch else { return core::mem::take(&mut self.ahead) };
        // The head of the section that the watch began with is let go.
        watch.next = watch.next.min(self.ahead);
        let done = watch.look(input.get(..self.ahead).unwrap_or(input));
        self.ahead = self.ahead.saturating_sub(done);
        done
    }
}

impl Watch {
    /// Looks at the bytes that it has not looked at. Returns how many may go on.
    fn look(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        // Behind a place that is withheld until the end of the watch there is nothing to look for.
        while !self.holds || self.own.is_some() {
            let rest = bytes.get(self.next..).unwrap_or(&[]);
            let Some(could_end) = could_end(rest) else { break };
            if could_end {
                if !self.holds {
                    self.holds = true;
                    done = self.next;
                }
                // The walk does not take it for the footer, and a destination does.
                if self.own.is_some_and(|own| rest.starts_with(&own)) {
                    self.own = None;
                }
            }
            self.next = self.next.saturating_add(1);
        }
        if !self.holds {
            done = self.next;
        }
        self.next = self.next.saturating_sub(done);
        done
    }
}

/// Whether a destination could come to its end by these bytes; `None` where that takes more of them.
fn could_end(bytes: &[u8]) -> Option<bool> {
    match *bytes {
        [] | [0] => None,
        [FOOTER, ..] => bytes.get(FOOTER_LEN).map(|&byte| byte == 0 || byte == COMMAND),
        [0, DESCRIPTION, ..] => bytes.get(JSON_AT).map(|&byte| byte == b'{'),
        _ => Some(false),
    }
}
