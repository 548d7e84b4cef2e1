//! What was recorded of the hisi-acc driver's own code, against the model of it; and what `strict` makes of the streams.

use std::collections::BTreeSet;
use std::sync::Arc;

use transire_core::attribute::{PCI_ID, PciId, Value};
use transire_core::format::{Between, Choices, Driver, DriverStep, Errno, Failure, Holds, Prediction, predict};
use transire_core::gate::Options;
use transire_core::target::Target;
use transire_core::vendors::hisi_acc::driver::{Device, Hardware, Loaded};
use transire_core::vendors::hisi_acc::stream::FORMAT;
use transire_core::vendors::hisi_acc::{PCI_VENDOR, QP_NUM, QUE_ISO_CFG};

use crate::harness::{
    Agreement, Case, Made, Row, Table, acts, bytes, first_refusal, golden, name_of, number_of, path, play, predicted,
    say, strict_table, target_of, writes,
};
use crate::support::whole;

/// Doorbells at which a recorded case was cut, and says `doorbell-flood`.
const FLOOD: u32 = 200_000;

/// What decides a row: device id, queue pairs, isolation register.
fn identity(row: &Row<'_>) -> (u16, u32, u32) {
    let number = |key| number_of(row.target(key).unwrap());
    let word = |key| u32::try_from(number(key)).unwrap();
    (u16::try_from(number("dev_id")).unwrap(), word("qp_num"), word("que_iso_cfg"))
}

fn target((device, queue_pairs, isolation): (u16, u32, u32)) -> Arc<Target> {
    let attributes = [
        (PCI_ID, Value::PciId(PciId { vendor: PCI_VENDOR, device }).to_owned()),
        (QP_NUM, Value::Uint(queue_pairs.into()).to_owned()),
        (QUE_ISO_CFG, Value::Uint(isolation.into()).to_owned()),
    ];
    target_of("hisi-acc", &attributes)
}

/// The device of a row, after what the same one did before.
fn device(row: &Row<'_>, linux_6_12: bool) -> Device {
    let (dev_id, queue_pairs, isolation) = identity(row);
    let hardware = match row.target("broken").unwrap() {
        "nothing" => Hardware::Works,
        "vft" => Hardware::QueueRangeUnreadable,
        "mailbox" => Hardware::Busy,
        "sqc" => Hardware::SqcMailbox,
        "cqc" => Hardware::CqcMailbox,
        other => panic!("{other}"),
    };
    let mut device = Device::resuming(dev_id, queue_pairs, isolation).with_hardware(hardware);
    if linux_6_12 {
        device = device.with_match_kept_at_close();
    }
    for step in row.get("prior").split('+') {
        let (name, argument) = step.split_once(':').unwrap_or((step, ""));
        match name {
            // A save leaves nothing that a session to come would find.
            "-" | "save" => {}
            "reset" => device.again(Between::Reset),
            "reopen" => device.again(Between::Reopened),
            "session" => {
                device.write(&bytes("hisi-acc", argument)).unwrap();
                device.resume().unwrap();
                device.again(Between::Ran);
            }
            "refused" => {
                device.write(&bytes("hisi-acc", argument)).unwrap_err();
                device.again(Between::Reset);
            }
            "abandon" => {
                let (file, count) = argument.split_once('@').unwrap();
                device.write(&bytes("hisi-acc", file)[..count.parse().unwrap()]).unwrap();
                device.again(Between::Reset);
            }
            other => panic!("{other}"),
        }
    }
    device
}

/// What was loaded, in the words of the column.
fn words(loaded: &Loaded, running: bool) -> String {
    let address = |address: Option<u64>| address.map_or("not-set".into(), |address| format!("{address:#x}"));
    format!(
        "vf_state={:x};eqe={:#x};aeqe={:#x};sqc={};cqc={};qp={}+{};doorbells={}",
        loaded.vf_qm_state,
        loaded.eqe_dma,
        loaded.aeqe_dma,
        address(loaded.sqc_dma),
        address(loaded.cqc_dma),
        loaded.qp_base,
        loaded.qp_num,
        if running { loaded.doorbells() } else { 0 },
    )
}

/// What the column `linux_6.12` says where that version answers otherwise.
const DIFFERS: &str = "step=none;result=ok;reason=-;refused_write=-;refused_writes=0";

/// Step, result, place of the first refused write and number of refused writes, as that version of Linux answers.
fn expected<'a>(row: &Row<'a>, linux_6_12: bool) -> [&'a str; 4] {
    let own = [row.get("step"), row.get("result"), row.get("refused_write_offset+length"), row.get("refused_writes")];
    match row.get("linux_6.12") {
        DIFFERS if linux_6_12 => ["none", "ok", "-", "0"],
        "same" | DIFFERS => own,
        other => panic!("{other}"),
    }
}

fn check(row: &Row<'_>, linux_6_12: bool) {
    let what = row.line;
    let input = bytes("hisi-acc", row.get("file"));
    assert_eq!(input.len(), row.number("file_bytes"), "{what}");
    let (acts, keep_going) = acts(row.get("write_mode"), &input);
    let mut device = device(row, linux_6_12);
    let made = play(&mut device, &acts, keep_going);
    let writes_made: Vec<&Made> = made.iter().filter(|call| call.step == DriverStep::Write).collect();
    assert_eq!(writes_made.len(), row.number("write_calls"), "{what}");
    let refused = writes_made.iter().filter(|call| call.result.is_err()).count();
    let resumed = device.resume();
    let first = first_refusal(&made);
    let first_write = writes_made.iter().find(|call| call.result.is_err());
    let (step, result) = match (first, resumed) {
        (Some(call), _) => (call.step.name(), name_of(call.result)),
        (None, Err(_)) => (DriverStep::SetState.name(), name_of(resumed)),
        (None, Ok(())) => ("none", "ok"),
    };
    let place = first_write.map_or("-".into(), |call| call.place());
    assert_eq!([step, result, &place, &refused.to_string()], expected(row, linux_6_12), "{what}");

    if row.get("linux_6.12") == "same" || !linux_6_12 {
        // A flood is what user space sees of a change that goes on: no answer of the driver, which rings doorbell after
        // doorbell. What the device then held was not recorded.
        let flood = resumed.is_ok() && device.loaded().is_some_and(|loaded| loaded.doorbells() > FLOOD);
        let answer = if flood { "doorbell-flood" } else { name_of(resumed) };
        assert_eq!(answer, row.get("set_state_RUNNING_afterwards"), "{what}");
        if flood {
            assert_eq!((row.get("state_afterwards"), row.get("loaded_into_device")), ("?", "-"), "{what}");
        } else {
            let state = if resumed.is_ok() { "RUNNING" } else { "RESUMING" };
            assert_eq!(state, row.get("state_afterwards"), "{what}");
            let recorded = device.match_recorded().map(u8::from).unwrap().to_string();
            assert_eq!(recorded, row.get("match_recorded_afterwards"), "{what}");
            let loaded = device.loaded().map_or("nothing".into(), |loaded| words(loaded, resumed.is_ok()));
            assert_eq!(loaded, row.get("loaded_into_device"), "{what}");
        }
    }
    assert_eq!(device.holds() == Holds::Previous, device.loaded().is_none(), "{what}");
}

#[test]
fn the_model_agrees_with_the_driver_row_by_row() {
    let table = Table::read("hisi-acc", "acceptance.tsv");
    for linux_6_12 in [false, true] {
        table.rows().for_each(|row| check(&row, linux_6_12));
    }
    let of = |kind: fn(&Row<'_>) -> bool| table.rows().filter(kind).count();
    let (all, prior, hardware) =
        (table.rows().count(), of(|row| row.get("prior") != "-"), of(|row| row.target("broken") != Some("nothing")));
    let plain = all - prior - hardware;
    say(&format!(
        "hisi-acc: {all} rows agree at 7.3.4 and at 6.12.95: {plain} of stream and target alone, {prior} with an earlier \
         session told, {hardware} with broken hardware told"
    ));
    assert_eq!((all, plain, prior, hardware), (303, 275, 22, 6));
}

/// The prediction of a device just opened; and of one of which nobody knows what it did before.
#[test]
fn predictions_are_right_or_name_what_they_depend_on() {
    let table = Table::read("hisi-acc", "acceptance.tsv");
    let (mut definite, mut depend) = (0, 0);
    for row in table.rows() {
        let input = bytes("hisi-acc", row.get("file"));
        let (acts, keep_going) = acts(row.get("write_mode"), &input);
        let Some(_) = writes(&acts) else { continue };
        let mut fresh = device(&row, false);
        let made = play(&mut fresh, &acts, keep_going).len();
        // What is ignored is ignored to the end; a row may have stopped at its first refusal.
        for acts in [&acts[..], &acts[..made]] {
            assert_eq!(predicted(&row, &mut device(&row, false), acts), Agreement::Agrees);
        }
        if row.target("broken") != Some("nothing") {
            continue;
        }
        let mut driver = (FORMAT.driver.unwrap())(&target(identity(&row)), Choices::NONE).unwrap();
        driver.forget();
        match predicted(&row, driver.as_mut(), &acts) {
            Agreement::Agrees => definite += 1,
            Agreement::Depends(on) => {
                assert!(on.contains("matched"), "{}", row.line);
                depend += 1;
            }
        }
    }
    say(&format!(
        "hisi-acc: with earlier sessions unknown {definite} predictions are definite, {depend} depend on them"
    ));
    assert!(definite > 0 && depend > 0);
}

#[test]
fn what_was_refused_may_be_loaded() {
    let example = bytes("hisi-acc", "v2-zip-1qp.bin");
    let mut damaged = example.clone();
    damaged[0] ^= 1;
    let open = || Device::resuming(0xa251, 1, 0);
    let refused = |errno, step, write, if_ignored| Prediction::Refused { step, errno, write, if_ignored };
    let whole = predict(&mut open(), [&damaged[..]].into_iter());
    assert_eq!(whole, refused(Errno::Efault, DriverStep::Write, 0, Holds::Input));
    let cut = predict(&mut open(), [&damaged[..40]].into_iter());
    assert_eq!(cut, refused(Errno::Efault, DriverStep::Write, 0, Holds::Previous));
    let busy = predict(&mut open().with_hardware(Hardware::Busy), [&example[..]].into_iter());
    assert_eq!(busy, refused(Errno::Ebusy, DriverStep::SetState, 1, Holds::Part));
    // Of a session before this one it is known that the device was opened for it.
    let mut forgotten = open();
    forgotten.forget();
    assert_eq!(forgotten.match_recorded(), None);
    forgotten.again(Between::Reopened);
    assert_eq!(forgotten.write(&damaged), Err(Failure::Refused(Errno::Efault)));
    assert_eq!(forgotten.depends(), None);
}

/// Every file with each target that it was written to.
fn pairs() -> BTreeSet<(String, (u16, u32, u32))> {
    let table = Table::read("hisi-acc", "acceptance.tsv");
    table.rows().map(|row| (row.get("file").to_owned(), identity(&row))).collect()
}

#[test]
fn strict_says_what_it_said() {
    let cases = pairs().into_iter().map(|(file, identity)| {
        let (device, queue_pairs, isolation) = identity;
        Case { file, target: format!("{device:04x} qp {queue_pairs} iso {isolation:#x}"), of: target(identity) }
    });
    golden("hisi-acc", "strict.tsv", &strict_table("hisi-acc", cases));
}

/// What a device saved is taken by its like; where it may surprise, with a note.
#[test]
fn saved_streams_are_complete_on_their_like() {
    let devices: [(&str, (u16, u32, u32)); 9] = [
        ("v2-zip-1qp.bin", (0xa251, 1, 0)),
        ("v2-zip-64qp-iso.bin", (0xa251, 64, 3)),
        ("v2-sec-4qp.bin", (0xa256, 4, 1)),
        ("v2-hpre-1024qp.bin", (0xa259, 1024, 0xffff_ffff)),
        ("v2-zip-not-ready.bin", (0xa251, 1, 0)),
        ("v2-zip-not-ready-precopy-used.bin", (0xa251, 1, 0)),
        ("v2-zip-ready-no-queues.bin", (0xa251, 1, 0)),
        ("v2-zip-one-address-zero.bin", (0xa251, 1, 0)),
        ("v2-zip-hw-v5.bin", (0xa251, 8, 0)),
    ];
    for (file, identity) in devices {
        let input = bytes("hisi-acc", file);
        let seen = whole(&target(identity), &Options::default(), &input);
        assert!(seen.complete && seen.payload == input, "{file}: {:?}", seen.verdict);
    }
    let there = std::fs::read_dir(path("hisi-acc", "")).unwrap();
    let there = there.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "bin"));
    assert_eq!(there.count(), devices.len());
}

/// What the driver loads, or takes without loading, and a device never saved: each is refused or noted.
#[test]
fn nothing_that_was_forged_passes_unseen() {
    /// Changes that make another stream that a device could have saved.
    const POSSIBLE: &[&str] = &[
        // The first queue is another one in every function.
        "mutated/qp_base-",
        // The device of the target that they were written to.
        "mutated/dev-id-sec.bin",
        "mutated/dev-id-hpre.bin",
        // Registers, and words of the contexts, that a saved stream was seen to have.
        "mutated/aeq_int_mask-1.bin",
        "mutated/eq_int_mask-1.bin",
        "mutated/ifc_int_source-1.bin",
        "mutated/ifc_int_mask-1.bin",
        "mutated/page_size-1.bin",
        "mutated/eqc_dw0-",
        "mutated/eqc_dw6-",
        "mutated/aeqc_dw0-",
        // Addresses that say nothing of themselves.
        "mutated/sqc_dma-8000000120020000.bin",
        "mutated/cqc_dma-8000000120030000.bin",
        // V1 whose addresses are right, or of a device that was not ready.
        "mutated/v1-eqe-right-already.bin",
        "mutated/v1-zip-not-ready.bin",
    ];
    let (mut seen_through, mut possible) = (0, BTreeSet::new());
    for (file, identity) in pairs().into_iter().filter(|(file, _)| file.starts_with("mutated/")) {
        let seen = whole(&target(identity), &Options::default(), &bytes("hisi-acc", &file));
        if !seen.verdict.reasons().is_empty() {
            seen_through += 1;
            continue;
        }
        let known = POSSIBLE.iter().find(|known| file.starts_with(**known));
        possible.insert(known.unwrap_or_else(|| panic!("{file} passes without a word")));
    }
    say(&format!("hisi-acc: {seen_through} verdicts on forged streams have a reason"));
    assert_eq!(possible.len(), POSSIBLE.len(), "{possible:?}");
}

/// Rows that the driver refuses for the stream and not for its hardware are refused by `strict`; and more.
#[test]
fn strict_refuses_all_that_the_driver_refuses() {
    let table = Table::read("hisi-acc", "acceptance.tsv");
    let (mut both, mut alone) = (0, 0);
    for row in table.rows().filter(|row| row.get("write_mode") == "whole" && row.get("prior") == "-") {
        let broken = row.target("broken") != Some("nothing");
        let seen = whole(&target(identity(&row)), &Options::default(), &bytes("hisi-acc", row.get("file")));
        if row.get("step") == "none" {
            alone += usize::from(!seen.complete);
        } else {
            assert!(!seen.complete || broken, "{}", row.line);
            both += usize::from(!broken);
        }
    }
    say(&format!("hisi-acc: {both} refused by both, {alone} by strict alone"));
    assert!(both > 0 && alone > 0);
}
