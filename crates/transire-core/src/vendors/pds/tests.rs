//! The stream's length and the driver's buffer, beside their boundaries; and pairs of functions.

use alloc::vec;
use alloc::vec::Vec;

use super::VENDOR;
use super::driver::Device;
use super::stream::{FORMAT, STATE, reasons};
use crate::format::{Between, Choices, Driver, DriverStep, Errno, Event, Holds, Identified, Prediction, predict};
use crate::vendors::tests::Term::Settable;
use crate::vendors::tests::{Case, Pairs};
use crate::verdict::Outcome::{Compatible, Fixable, Incompatible, Unknown};
use crate::verdict::{ReasonId, reasons as shared};

const BASE: &str = "pci_id: 1dd8:1003";

const PAIRS: Pairs<'_> = Pairs { vendor: &VENDOR, source: BASE, target: BASE };

#[test]
fn pairs() {
    let cases: &[Case<'_>] = &[
        ("the same", "", "", &[], Compatible, &[]),
        ("another function", "", "pci_id: 1dd8:1004", &[], Incompatible, &["pci_id.not-equal"]),
        ("one that can be set", "", "pci_id: 1dd8:1004", &[Settable("pci_id")], Fixable, &["pci_id.set"]),
        ("a source that says nothing", "pci_id: -", "", &[], Unknown, &["pci_id.not-in-profile"]),
        ("neither side says anything", "pci_id: -", "pci_id: -", &[], Unknown, &["pci_id.not-in-profile"]),
        ("a target that says nothing", "", "pci_id: -", &[], Unknown, &["pci_id.not-in-profile"]),
        ("another interface", "device_api: vfio-ap", "", &[], Incompatible, &["device_api.not-is"]),
    ];
    PAIRS.check(cases);
}

/// Reads a whole input: the reasons, the bytes delivered, whether the end was reached.
fn read(input: &[u8]) -> (Vec<(ReasonId, Option<u64>)>, usize, bool) {
    let mut reader = (FORMAT.reader)(false);
    let (mut reasons, mut delivered) = (Vec::new(), 0);
    loop {
        match reader.step(&input[delivered..], true).event {
            Event::Finding(reason) => {
                reasons.push((reason.id, reason.offset()));
                if !reason.is_note() {
                    return (reasons, delivered, false);
                }
            }
            Event::Data { bytes, .. } => delivered += bytes.len(),
            Event::End => return (reasons, delivered, true),
            _ => {}
        }
    }
}

#[test]
fn the_length_is_all_that_is_known() {
    let state = vec![7; STATE + 1];
    assert_eq!(read(&state[..STATE]), (Vec::new(), STATE, true));
    assert_eq!(read(&state), (vec![(shared::STREAM_TRAILING, Some(65_536))], 0, false));
    assert_eq!(read(&[]), (vec![(shared::STREAM_TRUNCATED, Some(0))], 0, false));
    for length in [1, 4, STATE - 1] {
        let note = (reasons::LENGTH, Some(u64::try_from(length).unwrap()));
        assert_eq!(read(&state[..length]), (vec![note], length, true));
    }
}

#[test]
fn nothing_is_said_before_the_end() {
    let mut shown = 0;
    for (length, eof, expected) in [
        (0, false, Identified::Need(65_537)),
        (STATE, false, Identified::Need(65_537)),
        (STATE, true, Identified::Shown(65_536)),
        (1, true, Identified::Shown(1)),
    ] {
        let prefix = vec![0; length];
        assert_eq!((FORMAT.identify)(&prefix, eof, Choices::NONE, &mut |_| shown += 1), expected, "{length}");
    }
    assert_eq!(shown, 2);
}

#[test]
fn the_driver_knows_the_size_of_its_buffer_alone() {
    let state = vec![7; STATE + 1];
    let asked = |writes: &[&[u8]]| predict(&mut Device::resuming(), writes.iter().copied());
    let refused =
        |write| Prediction::Refused { step: DriverStep::Write, errno: Errno::Einval, write, if_ignored: Holds::Part };
    assert_eq!(asked(&[]), Prediction::Accepted);
    assert_eq!(asked(&[&state[..1]]), Prediction::Accepted);
    assert_eq!(asked(&[&state[..STATE]]), Prediction::Accepted);
    assert_eq!(asked(&[&state]), refused(0), "a short count, and the rest is refused");
    assert_eq!(asked(&[&state[..STATE], &state[..1]]), refused(1));
    assert_eq!(asked(&[&state[..STATE], &[]]), Prediction::Accepted, "nothing is beyond the end");

    let mut device = Device::resuming();
    assert_eq!((device.write(&[1, 2]), device.holds(), device.restored()), (Ok(()), Holds::Previous, None));
    assert_eq!((device.resume(), device.holds()), (Ok(()), Holds::Input));
    let given = device.restored().unwrap();
    assert_eq!((given.len(), &given[..4]), (STATE, &[1, 2, 0, 0][..]), "completed with zeros");
    assert_eq!(device.write(&[3]), Err(Errno::Einval.into()), "the old descriptor");
    device.again(Between::Ran);
    device.resume().unwrap();
    assert!(device.restored().unwrap().iter().all(|byte| *byte == 0), "nothing of the first session is left");

    let mut device = Device::resuming().with_firmware_refusing(Errno::Eio);
    let answer = predict(&mut device, [&state[..STATE]].into_iter());
    let (step, errno, if_ignored) = (DriverStep::SetState, Errno::Eio, Holds::Previous);
    assert_eq!(answer, Prediction::Refused { step, errno, write: 1, if_ignored });
}
