//! A migration through the gate of a pipe, in any pieces: what goes on, and what must hold for any input. The fuzz target
//! `migration` asks the oracle here, and so do the tests.

use transire_core::containers::qemu::assembly::Device;
use transire_core::containers::qemu::{Event as Walked, Item, Kind, QemuReader, Sizing, reasons};
use transire_core::gate::migration::{DeviceTarget, Machine, Migration, Next, Options, WITHHELD_MAX};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Reason, Verdict};

/// What came of a migration, however the bytes came.
#[derive(Debug, PartialEq)]
pub(crate) struct Gated {
    pub(crate) container: Verdict,
    pub(crate) devices: Vec<(Vec<u8>, Verdict, bool)>,
    pub(crate) outcome: Outcome,
    pub(crate) complete: bool,
    pub(crate) stopped: bool,
    /// Bytes that went on. Where a device's own bytes are refused, those before its record: how many of the record go on
    /// before what settles it depends on the pieces.
    pub(crate) passed: usize,
}

impl Gated {
    /// The ids of all reasons.
    pub(crate) fn ids(&self) -> Vec<&'static str> {
        let all = std::iter::once(&self.container).chain(self.devices.iter().map(|(_, verdict, _)| verdict));
        all.flat_map(|verdict| verdict.reasons().iter().map(|reason| reason.id.text())).collect()
    }
}

/// Gives the input to a gate that is asked for pieces of `grow` bytes, and calls `look` before each step with what went on
/// so far, and behind the last.
pub(crate) fn gated(
    input: &[u8],
    targets: Option<Vec<DeviceTarget>>,
    grow: usize,
    look: &mut dyn FnMut(&Migration, usize),
) -> Gated {
    let mut migration = Migration::new(VENDORS, targets, Machine::default(), Options::default()).unwrap();
    let (mut passed, mut end) = (0, grow.min(input.len()));
    loop {
        look(&migration, passed);
        let eof = end == input.len();
        let step = migration.step(&input[passed..end], eof, &mut |_| {});
        assert!(step.used <= end - passed, "{} of {}", step.used, end - passed);
        passed += step.used;
        match step.next {
            Next::Need(need) => {
                assert!(!eof && need > end - passed, "{need} of {}", end - passed);
                // What is kept is bounded, and so is what is asked for.
                assert!(need <= WITHHELD_MAX + 1, "{need}");
                end = end.saturating_add(grow).min(input.len());
            }
            Next::Skip(_) => {}
            Next::Over => break,
        }
    }
    migration.finish(&mut |_| {});
    look(&migration, passed);
    let device = |device: transire_core::gate::migration::Judged<'_>| {
        (device.name.to_vec(), device.verdict(), device.is_complete())
    };
    Gated {
        container: migration.verdict().clone(),
        devices: migration.devices().map(device).collect(),
        outcome: migration.outcome(),
        complete: migration.is_complete(),
        stopped: migration.has_stopped(),
        passed: if migration.has_stopped() { before_record(&migration, passed) } else { passed },
    }
}

/// Where the record of a device begins that this place is in; the place itself where it is in none.
fn before_record(migration: &Migration, place: usize) -> usize {
    let extents = migration.devices().filter_map(|device| device.device).flat_map(Device::extents);
    let within = |begin: u64, length: u64| (begin..begin + length).contains(&(place as u64));
    let record = extents.into_iter().find(|extent| within(extent.offset, extent.length));
    record.map_or(place, |extent| usize::try_from(extent.offset).unwrap())
}

/// Where the walk finds what lets a destination run: the byte that ends the sections, or the command of postcopy. And
/// whether it searched for the end of a section before RAM had ended: what follows such a one may be none.
pub(crate) fn runs_at(input: &[u8]) -> (Option<usize>, bool) {
    let mut reader = QemuReader::main();
    let (mut used, mut live, mut early) = (0, true, false);
    loop {
        let step = reader.step(&input[used..], true);
        let offset = match step.event {
            Walked::Item(Item::EndOfSections { offset }) => Some(offset),
            Walked::Item(Item::Command(command)) if command.name == "POSTCOPY_RUN" => Some(command.offset),
            Walked::Item(Item::SectionEnd(section)) => {
                early |= live && section.sized == Sizing::Search;
                live &= section.head.kind != Kind::End;
                None
            }
            Walked::Failed(_) | Walked::End => return (None, early || live),
            _ => None,
        };
        if let Some(offset) = offset {
            return (usize::try_from(offset).ok(), early);
        }
        used += step.used;
    }
}

/// The same in any pieces, and what lets the destination run goes on under a verdict that admits every device. Returns what
/// came of it.
pub(crate) fn hold(input: &[u8], targets: Option<&[DeviceTarget]>, pieces: &[usize]) -> Gated {
    let of = |grow, look: &mut dyn FnMut(&Migration, usize)| gated(input, targets.map(<[_]>::to_vec), grow, look);
    let whole = of(usize::MAX, &mut |_, _| {});
    let (runs, _) = runs_at(input);
    let mut admitted = runs.is_none();
    let byte_by_byte = of(1, &mut |migration, passed| {
        if let Some(runs) = runs.filter(|runs| !admitted && passed > *runs) {
            admitted = true;
            // What is said of the bytes behind it comes too late for the destination.
            let before = |reason: &Reason| {
                !reason.is_note()
                    && reason.id != reasons::DESCRIPTION
                    && reason.offset().is_none_or(|offset| offset <= runs as u64)
            };
            let of_devices: Vec<Verdict> = migration.devices().map(|device| device.verdict()).collect();
            let mut all = of_devices.iter().chain([migration.verdict()]).flat_map(Verdict::reasons);
            assert_eq!(all.find(|reason| before(reason)), None, "passed on with the end at {runs}");
        }
    });
    assert_eq!(byte_by_byte, whole, "byte by byte");
    for &grow in pieces {
        assert_eq!(of(grow, &mut |_, _| {}), whole, "pieces of {grow}");
    }
    if whole.complete {
        assert_eq!((whole.passed, whole.stopped, whole.outcome), (input.len(), false, Outcome::Compatible));
    } else {
        assert!(whole.stopped || whole.outcome != Outcome::Compatible, "neither complete nor refused");
    }
    whole
}

/// The oracle of the fuzz target. The first byte is the length of a piece, the second chooses the targets.
pub(crate) fn migration(input: &[u8]) {
    let [piece, choice, input @ ..] = input else { return };
    let one = |device: Option<&str>, ports| DeviceTarget {
        device: device.map(|name| name.as_bytes().to_vec()),
        target: super::support::target(ports),
    };
    let targets = match choice % 4 {
        0 => Some(vec![one(None, 1)]),
        1 => Some(vec![one(None, 2)]),
        2 => Some(vec![one(Some("0000:00:04.0"), 1), one(Some("0000:00:05.0/vfio"), 2)]),
        _ => None,
    };
    let seen = hold(input, targets.as_deref(), &[usize::from(*piece).max(2)]);
    // A destination that knows how long its own state is runs by nothing else than the walk's end.
    let (runs, early) = runs_at(input);
    let machine = super::loads::machine(&[("cpu", 8), ("timer", usize::from(choice / 4))]);
    if machine.load(&input[..seen.passed]).runs {
        assert!(early || runs.is_some_and(|runs| seen.passed > runs), "runs by {} bytes, not {runs:?}", seen.passed);
    }
}
