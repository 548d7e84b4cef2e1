//! What a walk allocates: nothing for pages, and never more than the named limits, whatever comes in.
#![allow(unsafe_code)] // An allocator that counts is one.

#[path = "support/counting.rs"]
mod counting;
#[path = "qemu/made.rs"]
mod made;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use counting::measured;
use made::{Made, VFIO, data, setup};
use transire_core::containers::qemu::assembly::{Assembly, DEVICES_MAX, EXTENTS_MAX};
use transire_core::containers::qemu::outlook::{Destination, Machine, Slot, WRITE_MAX};
use transire_core::containers::qemu::{
    BITMAPS_MAX, BLOCKS_MAX, Event, HANDLERS_MAX, QemuReader, SECTIONS_MAX, reasons,
};
use transire_core::format::{Between, Driver, Failure, Holds};
use transire_core::verdict::Reason;

/// Bytes allocated at the most at one time, and calls, while `run` ran.
fn measure<T>(run: impl FnOnce() -> T) -> (T, usize, usize) {
    let (result, calls, peak) = measured(run);
    (result, peak, calls)
}

/// Walks a stream whose middle is made piece by piece, so that it need not be held; the reason at which the walk ended.
fn endless(
    mut reader: QemuReader,
    begin: &[u8],
    mut piece: impl FnMut(u64) -> Option<Vec<u8>>,
) -> (Option<Reason>, usize) {
    let mut assembly = Assembly::new();
    let mut buffer = Vec::with_capacity(1 << 20);
    buffer.extend_from_slice(begin);
    let (mut number, mut ended) = (0, false);
    let (told, peak, _) = measure(|| {
        loop {
            let mut start = 0;
            loop {
                let step = reader.step(&buffer[start..], ended);
                start += step.used;
                assembly.take(0, &reader, &step.event);
                match step.event {
                    Event::Need(_) => break,
                    Event::Failed(reason) => return Some(reason),
                    Event::End => return None,
                    _ => {}
                }
            }
            buffer.drain(..start);
            while buffer.len() < 300_000 && !ended {
                // What makes the stream is no part of what is measured: it is freed before the walk goes on.
                match piece(number) {
                    Some(bytes) => buffer.extend_from_slice(&bytes),
                    None => ended = true,
                }
                number += 1;
            }
        }
    });
    assembly.finish(true);
    (told, peak)
}

/// Bytes that a walk may have allocated: its tables, full, with the room that a vector doubles into.
const WALK_MAX: usize = 12 << 20;

#[test]
fn pages_allocate_nothing() {
    let part = |pages: u64| {
        let made = Made::new(&[]).ram(pages).u8(2).u32(1).u64(8).text("pc.ram").bytes(&[1; 4096]);
        let made = (1..pages).fold(made, |made, page| made.u64(page << 12 | 0x28).bytes(&[1; 4096]));
        made.u64(0x10).footer(1).ram_end().end().0
    };
    let walk = |input: &[u8]| {
        let mut reader = QemuReader::main();
        let mut start = 0;
        loop {
            // A buffer of 10,000 bytes, which cuts pages.
            let end = (start + 10_000).min(input.len());
            let step = reader.step(&input[start..end], end == input.len());
            start += step.used;
            match step.event {
                Event::End => return reader.ram().pages,
                Event::Failed(reason) => panic!("{reason:?}"),
                _ => {}
            }
        }
    };
    let (few, many) = (part(2), part(2000));
    let (pages, peak, calls) = measure(|| walk(&few));
    assert_eq!((pages, measure(|| walk(&many))), (2, (2000, peak, calls)));
    assert!(peak < 16_384, "{peak}");
}

#[test]
fn tables_of_a_walk_are_bounded() {
    let long = |number: u64| format!("{number:0>240}");
    let begin = || Made::new(&[]).ram(1);

    // Handlers, each with a name of its own.
    let handler = |number: u64| {
        let id = u32::try_from(number + 10).unwrap();
        Some(
            Made::default()
                .head(1, id, &format!("{}/vfio", long(number)), 1)
                .bytes(&setup())
                .u64(made::END)
                .footer(id)
                .0,
        )
    };
    let (told, peak) = endless(QemuReader::main(), &begin().0, handler);
    assert_eq!(told.map(|reason| reason.id), Some(reasons::SECTIONS));
    assert!(peak < WALK_MAX, "{HANDLERS_MAX} handlers in {peak} bytes");

    // Ids, all of one handler.
    let again = |number: u64| {
        let id = u32::try_from(number + 10).unwrap();
        Some(Made::default().head(1, id, VFIO, 1).bytes(&setup()).u64(made::END).footer(id).0)
    };
    let (told, peak) = endless(QemuReader::main(), &begin().0, again);
    assert_eq!(told.map(|reason| reason.id), Some(reasons::SECTIONS));
    assert!(peak < WALK_MAX, "{peak}");

    // Blocks of RAM.
    let head = Made::new(&[]).head(1, 1, "ram", 4).u64(u64::MAX << 12 | 4);
    let block = |number: u64| Some(Made::default().text(&long(number)).u64(0x1000).0);
    let (told, peak) = endless(QemuReader::main(), &head.0, block);
    assert_eq!(told.map(|reason| reason.id), Some(reasons::RAM_BLOCKS));
    assert!(peak < WALK_MAX, "{BLOCKS_MAX} blocks in {peak} bytes");

    // Dirty bitmaps.
    let head = Made::new(&[]).head(1, 1, "dirty-bitmap", 1).u8(0x1c).text(&long(0)).text(&long(0)).u32(512).u8(0);
    let bitmap = |number: u64| {
        let name = long(number + 1);
        Some(Made::default().u8(0x1c).text(&name).text(&name).u32(512).u8(0).0)
    };
    let (told, peak) = endless(QemuReader::main(), &head.0, bitmap);
    assert_eq!(told.map(|reason| reason.id), Some(reasons::BITMAP_START));
    assert!(peak < WALK_MAX, "{BITMAPS_MAX} bitmaps in {peak} bytes");
    // Pieces of one, without an end; and chunks that are all wrong.
    for chunk in [Made::default().u8(0x42).u64(0).u32(0), Made::default().u8(0)] {
        let pieces = |number: u64| (number < 5000).then(|| chunk.0.repeat(1000));
        let (told, peak) = endless(QemuReader::main(), &head.0, pieces);
        assert_eq!(told.map(|reason| reason.id), Some(reasons::TRUNCATED));
        assert!(peak < 1 << 14, "{peak}");
    }

    // FULL sections of one device, over and over.
    let full = |_| Some(Made::default().head(4, 2, VFIO, 1).u64(made::END).footer(2).0);
    let (told, peak) = endless(QemuReader::main(), &begin().0, full);
    assert_eq!(told.map(|reason| reason.id), Some(reasons::SECTIONS));
    assert!(peak < WALK_MAX, "{SECTIONS_MAX} sections in {peak} bytes");
}

#[test]
fn descriptions_are_read_in_bounded_memory() {
    let json = |text: &str, length: u32| {
        let made = Made::new(&[]).ram(1).ram_end().end().u8(6).u32(length);
        made.bytes(text.as_bytes()).0
    };
    let begin = json("{\"devices\": [{\"name\": \"", 60_000_000);
    let (told, peak) = endless(QemuReader::main(), &begin, |number| (number < 5000).then(|| vec![b'a'; 10_000]));
    assert_eq!(told.map(|reason| reason.id), Some(reasons::TRUNCATED));
    assert!(peak < 1 << 20, "{peak}");
    let (told, peak) = endless(QemuReader::main(), &json("{\"devices\": ", 10_000_000), |number| {
        (number < 1000).then(|| vec![b'['; 10_000])
    });
    assert_eq!(told, None);
    assert!(peak < 1 << 20, "{peak}");
}

#[test]
fn pieces_of_devices_are_bounded() {
    let begin = Made::new(&[]).ram(1).vfio(1, &setup()).u8(2).u32(2);
    let (told, peak) = endless(QemuReader::main(), &begin.0, |number| (number < 200_000).then(|| data(&[1])));
    assert_eq!(told.map(|reason| reason.id), Some(reasons::TRUNCATED));
    assert!(peak < 3 * EXTENTS_MAX * 32, "{EXTENTS_MAX} pieces in {peak} bytes");

    let mut assembly = Assembly::new();
    let mut made = Made::new(&[]).ram(1);
    for number in 0..u32::try_from(DEVICES_MAX).unwrap() + 2 {
        let id = number + 10;
        made = made.head(1, id, &format!("{number}/vfio"), 1).bytes(&setup()).u64(made::END).footer(id);
    }
    let mut reader = QemuReader::main();
    let mut start = 0;
    loop {
        let step = reader.step(&made.0[start..], false);
        start += step.used;
        assembly.take(0, &reader, &step.event);
        if matches!(step.event, Event::Need(_)) {
            break;
        }
    }
    assert_eq!(assembly.devices().len(), DEVICES_MAX);
    let findings: Vec<_> = assembly.findings().iter().map(|finding| finding.reason.id).collect();
    assert_eq!(findings, [reasons::EXTENTS], "said once");
}

/// A driver that takes everything and keeps the length of its longest write.
struct Sink(Arc<AtomicUsize>);

impl Driver for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.fetch_max(bytes.len(), Relaxed);
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn holds(&self) -> Holds {
        Holds::Input
    }

    fn again(&mut self, _: Between) {}
}

#[test]
fn a_destination_holds_one_write() {
    let longest = Arc::new(AtomicUsize::new(0));
    let driver = Box::new(Sink(longest.clone()));
    let slot = Slot { name: VFIO.into(), instance: 0, driver, config: None };
    let mut destination = Destination::new(Machine { devices: vec![slot], ..Machine::default() });
    let input = Made::new(&[]).ram(1).vfio(1, &setup()).vfio(2, &data(&vec![1; 1 << 20])).0;
    let mut reader = QemuReader::main();
    let ((), peak, _) = measure(|| {
        let mut start = 0;
        loop {
            let end = (start + 5000).min(input.len());
            let step = reader.step(&input[start..end], false);
            start += step.used;
            destination.take(&reader, &step.event);
            if start == input.len() {
                break;
            }
        }
    });
    assert_eq!(longest.load(Relaxed), WRITE_MAX);
    assert!(peak < 3 * WRITE_MAX, "{peak}");
}
