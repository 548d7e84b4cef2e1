//! What mlx5 and virtio have in common: streams of records, and tables with the same columns.
#![allow(unreachable_pub)] // Each of the two takes its part.

use sha2::{Digest, Sha256};
use std::fmt::Write;

use transire_core::format::{Between, Driver, Errno};
use transire_core::records::driver::{Load, Loads, Taken};

use crate::harness::{Act, Made, Row, acts, bytes, first_refusal, name_of, play};

/// A model whose driver reads records.
pub trait Model: Driver {
    fn loads(&self) -> &Loads;
    fn position(&self) -> u64;
    fn peak_pages(&self) -> u64;
    fn reset(&mut self);
    /// One load, as the column `device_got` has it.
    fn written(load: &Load, hash: &str) -> String;
}

/// Makes a model of a vendor's device, which has all of it but how its table writes a load.
macro_rules! model {
    ($device:ty, $written:path) => {
        impl $crate::records::Model for $device {
            fn loads(&self) -> &transire_core::records::driver::Loads {
                self.loads()
            }

            fn position(&self) -> u64 {
                self.position()
            }

            fn peak_pages(&self) -> u64 {
                self.peak_pages()
            }

            fn reset(&mut self) {
                self.reset();
            }

            fn written(load: &transire_core::records::driver::Load, hash: &str) -> String {
                $written(load, hash)
            }
        }
    };
}
pub(crate) use model;

/// An error of the column `target`.
pub fn errno(name: &str) -> Errno {
    match name {
        "EREMOTEIO" => Errno::Eremoteio,
        "EIO" => Errno::Eio,
        "EINVAL" => Errno::Einval,
        "EBUSY" => Errno::Ebusy,
        other => panic!("{other}"),
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Loads that a table lists; behind them it counts.
const LISTED: usize = 5;

fn got<M: Model>(loads: &Loads, from: u64, sent: &[u8]) -> String {
    let new: Vec<String> = loads
        .iter()
        .skip(usize::try_from(from).unwrap())
        .map(|load| {
            let at = usize::try_from(load.at).unwrap();
            let bytes = match load.taken {
                Taken::Wild => &[],
                _ => &sent[at..at + usize::try_from(load.length).unwrap()],
            };
            M::written(load, &hash(bytes))
        })
        .collect();
    assert_eq!(from + new.len() as u64, loads.count());
    match new.len() {
        0 => "-".to_owned(),
        all if all > LISTED => format!("{};(+{} more)", new[..LISTED].join(";"), all - LISTED),
        _ => new.join(";"),
    }
}

/// Whether a row makes calls that no stream makes, so that there is no prediction to hold against it.
pub fn is_only_of_writes(row: &Row<'_>) -> bool {
    row.get("step") != "enter" && !["afterstop", "reset"].iter().any(|mode| row.get("write_mode").contains(mode))
}

/// Makes the calls of a row on the model, and holds every column of the row against what came of them.
pub fn check<M: Model>(vendor: &str, row: &Row<'_>, device: &mut M) {
    let what = row.line;
    let input = bytes(vendor, row.get("file"));
    assert_eq!(input.len(), row.number("file_bytes"), "{what}");
    let how = row.get("write_mode");
    let (all, keep_going) = acts(how, &input);
    // What is written behind the device's reset still goes to the descriptor from before it.
    let at_reset = all.iter().position(|act| matches!(act, Act::Between(Between::Reset)));
    let (before, behind) = all.split_at(at_reset.unwrap_or(all.len()));
    let mut made = play(device, before, keep_going);
    if at_reset.is_some() {
        device.reset();
        made.extend(play(device, &behind[1..], keep_going));
    }
    let refused_at = first_refusal(&made).map(|_| device.position());
    let until_refusal = device.loads().count();
    let sent: Vec<u8> = all
        .iter()
        .filter_map(|act| if let Act::Write { bytes, .. } = act { Some(&bytes[..]) } else { None })
        .flatten()
        .copied()
        .collect();
    assert_eq!(got::<M>(device.loads(), 0, &sent), row.get("device_got"), "{what}");
    let crashed = made.last().is_some_and(Made::breaks);

    let mut rest = Vec::new();
    let is_of_writes = !how.contains("afterstop");
    if let Some(first) = first_refusal(&made).filter(|_| !keep_going && !crashed && is_of_writes) {
        let at = if first.filler { input.len() } else { (first.offset + first.length).min(input.len()) };
        let mut write = |offset: usize, bytes: &[u8]| {
            let result = device.write(bytes);
            rest.push((offset, bytes.len(), name_of(result)));
        };
        if at < input.len() {
            write(at, &input[at..]);
        } else {
            write(at, &[]);
            write(at, &[0]);
        }
    } else if keep_going {
        let refused = made.iter().skip_while(|call| call.result.is_ok()).skip(1);
        rest.extend(refused.map(|call| (call.offset, call.length, name_of(call.result))));
    }
    let told = |(offset, length, result): &(usize, usize, &str)| format!("{offset}+{length}:{result}");
    let text = match rest.as_slice() {
        [] => "-".to_owned(),
        [one, two, .., last] => {
            let between = rest.len() - 2;
            format!("{};{};(+{between} more, last {})", told(one), told(two), told(last))
        }
        few => few.iter().map(told).collect::<Vec<_>>().join(";"),
    };
    assert_eq!(text, row.get("rest_if_ignored"), "{what}");

    let writes: Vec<&Made> = made.iter().filter(|call| call.step == transire_core::format::DriverStep::Write).collect();
    let ended = writes.iter().filter(|call| !call.breaks()).count();
    let behind_it = if keep_going { 0 } else { rest.len() };
    assert_eq!(ended + behind_it, row.number("write_calls"), "{what}");
    let refused = writes.iter().filter(|call| call.result.is_err() && !call.breaks()).count();
    assert_eq!(refused + behind_it, row.number("refused_writes"), "{what}");
    let first = first_refusal(&made);
    assert_eq!(first.map_or("-".into(), Made::place), row.get("refused_write_offset+length"), "{what}");
    let position = refused_at.filter(|_| !crashed).map_or("-".into(), |at| at.to_string());
    assert_eq!(position, row.get("driver_position"), "{what}");
    let (step, result) = first.map_or(("none", "ok"), |call| ("write", name_of(call.result)));
    assert_eq!((step, result), (row.get("step"), row.get("result")), "{what}");

    let left_before = made.iter().find(|call| call.step != transire_core::format::DriverStep::Write);
    let (set_state, state) = match (crashed, left_before) {
        (true, Some(left)) => (name_of(left.result), "STOP"),
        (true, None) => ("-", "RESUMING"),
        (false, _) => (name_of(device.resume()), "RUNNING"),
    };
    assert_eq!(set_state, row.get("set_state_STOP_afterwards"), "{what}");
    assert_eq!(state, row.get("state_afterwards"), "{what}");
    assert_eq!(got::<M>(device.loads(), until_refusal, &sent), row.get("device_got_if_ignored"), "{what}");
    let peak = if crashed { "?".to_owned() } else { device.peak_pages().to_string() };
    assert_eq!(peak, row.get("peak_pages"), "{what}");
}
