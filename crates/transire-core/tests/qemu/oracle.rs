//! What must hold for any bytes that are taken for a channel of a migration: the oracle of the fuzz target, which the tests
//! ask of its corpus too.

use transire_core::containers::qemu::assembly::{Assembly, Extent, Finding};
use transire_core::containers::qemu::outlook::{Destination, Machine, Outlook, Slot};
use transire_core::containers::qemu::{Description, Event, Item, QemuReader};
use transire_core::format::{Between, Driver, Errno, Failure, Holds};
use transire_core::verdict::Reason;

/// Everything that was told of a channel, apart from where it was cut.
#[derive(Debug, PartialEq)]
struct Told {
    items: Vec<Item>,
    data: Vec<u8>,
    extents: Vec<Extent>,
    skips: Vec<u64>,
    findings: Vec<Reason>,
    of_devices: Vec<Finding>,
    failed: Option<Reason>,
    used: usize,
    outlook: Outlook,
}

/// A driver that refuses what is longer than a stream of its own.
struct Limited(usize);

impl Driver for Limited {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(Errno::Enomem)?;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Failure> {
        if self.0 > 0 { Err(Errno::Einval.into()) } else { Ok(()) }
    }

    fn holds(&self) -> Holds {
        if self.0 > 0 { Holds::Previous } else { Holds::Input }
    }

    fn again(&mut self, _: Between) {}
}

/// Reads from a buffer that grows by `grow` bytes.
fn read(mut reader: QemuReader, input: &[u8], grow: usize) -> Told {
    let slot = Slot { name: b"0000:00:04.0/vfio".into(), instance: 0, driver: Box::new(Limited(60)), config: None };
    let mut destination = Destination::new(Machine { devices: vec![slot], ..Machine::default() });
    let mut assembly = Assembly::new();
    let (mut items, mut data, mut skips, mut findings, mut failed) = (vec![], vec![], vec![], vec![], None);
    let (mut used, mut end) = (0, grow.min(input.len()));
    loop {
        let eof = end == input.len();
        let step = reader.step(&input[used..end], eof);
        assert!(step.used <= end - used);
        assembly.take(7, &reader, &step.event);
        destination.take(&reader, &step.event);
        match step.event {
            Event::Need(need) => {
                assert!(!eof && step.used == 0 && need > end - used, "needs {need} of {}", end - used);
                end = end.saturating_add(grow).min(input.len());
            }
            Event::Item(item) => items.push(item),
            Event::Data { offset, bytes, .. } => {
                let at = usize::try_from(offset).unwrap();
                assert_eq!(&input[at..at + bytes.len()], bytes, "data that is not where it is said to be");
                data.extend_from_slice(bytes);
            }
            Event::Config { bytes, .. } => data.extend_from_slice(bytes),
            Event::Skip(count) => skips.push(count),
            Event::Finding(reason) => {
                assert_eq!(step.used, 0, "said after its bytes were used");
                findings.push(reason);
            }
            Event::Failed(reason) => {
                assert_eq!(reader.step(&input[used..end], eof).event, Event::Failed(reason));
                failed = Some(reason);
                break;
            }
            Event::End => {
                assert_eq!(used, input.len(), "the end before the end");
                assert_eq!(reader.step(&[], true).event, Event::End);
                break;
            }
            _ => {}
        }
        used += step.used;
    }
    assert_eq!(reader.offset(), used as u64);
    for reason in findings.iter().chain(&failed) {
        // A reason is about the input, or about what is missing behind its end.
        assert!(reason.offset().is_none_or(|offset| offset <= input.len() as u64 + 4096), "{reason:?}");
    }
    let of_devices = assembly.finish(failed.is_none()).to_vec();
    let extents: Vec<Extent> =
        assembly.devices().iter().flat_map(|device| device.extents().collect::<Vec<_>>()).collect();
    Told { items, data, extents, skips, findings, of_devices, failed, used, outlook: destination.finish() }
}

/// The first byte is the length of a piece.
pub(crate) fn qemu(input: &[u8]) {
    let Some((&piece, input)) = input.split_first() else { return };
    let mut readers = vec![QemuReader::main(), QemuReader::multifd(), QemuReader::return_path()];
    if let Some(found) = Description::find(input)
        && let Some(description) = Description::read(&input[found])
    {
        readers.push(QemuReader::main().described_by(description));
    }
    for reader in readers {
        let whole = read(reader.clone(), input, usize::MAX);
        for grow in [1, usize::from(piece).max(2)] {
            assert_eq!(read(reader.clone(), input, grow), whole, "pieces of {grow}");
        }
    }
}
