//! What was recorded of the driver of qat, against the model of it; and what `strict` makes of the streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use transire_core::attribute::{OwnedValue, Value};
use transire_core::format::{Between, Choices, Driver, DriverStep, Prediction, predict};
use transire_core::gate::Options;
use transire_core::target::Target;
use transire_core::vendors::VENDORS;
use transire_core::vendors::qat::driver::{Device, Loaded, Status};
use transire_core::vendors::qat::stream::FORMAT;
use transire_core::vendors::qat::{
    CAPABILITIES, EXTENDED_COMPRESSION, NO_LIMITS, PFVF_VERSION, RATE_LIMITS, SERVICE_MAP,
};

use crate::harness::{
    Act, Agreement, Case, Made, Row, Table, acts, bytes, first_refusal, golden, name_of, number_of, play, predicted,
    say, strict_table, target_of, writes,
};
use crate::support::whole;

/// Ring pairs of a virtual function.
const RING_PAIRS: u64 = 4;
/// Bytes of the setup block, which is all that a save in pre-copy makes.
const SETUP: usize = 90;
/// What a device that was not loaded has as `iovinit` and `compver`, where the recording tells a change from none.
const FRESH: (u8, u8) = (0, 0x77);

/// The limits of a target that touch the function's own ring pairs: service, mask, committed and peak rate.
fn own_limits(said: &str, function: u64) -> impl Iterator<Item = [u64; 4]> {
    let own = ((1 << RING_PAIRS) - 1) << (RING_PAIRS * function);
    let all = said.split(',').filter(|limit| limit.contains(':'));
    let numbers = all.map(|limit| <[u64; 4]>::try_from(limit.split(':').map(number_of).collect::<Vec<_>>()).unwrap());
    numbers.filter(move |[_, mask, ..]| mask & own != 0)
}

/// The same in the form of the attribute.
fn limits(said: &str, function: u64) -> OwnedValue {
    let all: Vec<_> = own_limits(said, function)
        .map(|[service, mask, committed, peak]| {
            let service = ["asym", "sym", "dc", "decomp"][usize::try_from(service).unwrap()];
            (format!("{service} {mask:#x}"), format!("{committed}/{peak}"))
        })
        .collect();
    let pairs: Vec<_> = all.iter().map(|(key, rates)| (key.as_str(), rates.as_str())).collect();
    OwnedValue::map(if pairs.is_empty() { &[(NO_LIMITS, NO_LIMITS)] } else { &pairs }).unwrap()
}

fn target(row: &Row<'_>) -> Arc<Target> {
    let number = |key| number_of(row.target(key).unwrap());
    let mask = |key| OwnedValue::mask(&number(key).to_le_bytes()).unwrap();
    let attributes = [
        (CAPABILITIES, mask("gencap")),
        (SERVICE_MAP, Value::Uint(number("svcmap")).to_owned()),
        (EXTENDED_COMPRESSION, mask("extdc")),
        (PFVF_VERSION, Value::Uint(5).to_owned()),
        (RATE_LIMITS, limits(row.target("sla").unwrap(), number("vf"))),
    ];
    target_of("qat", &attributes)
}

/// The status registers of the four banks behind a name.
fn status(name: &str) -> Vec<Status> {
    let mut all = vec![Status::default(); 4];
    let table = Table::read("qat", "targets.tsv");
    for row in table.rows().filter(|row| row.get("hw_name") == name) {
        let bank = &mut all[row.number("bank")];
        for pair in row.get("registers_read_back_(others_0)").split(';').filter(|pair| pair.contains('=')) {
            let (register, value) = pair.split_once('=').unwrap();
            let value = u32::try_from(number_of(value)).unwrap();
            let order = ["ringstat0", "ringestat", "ringnestat", "ringnfstat", "ringfstat", "ringcstat0"];
            match order.iter().position(|known| *known == register) {
                Some(at) => bank.rings[at] = value,
                None if register == "ringexpstat" => bank.exception = value,
                None => assert_eq!(register, "ringuostat", "a register that is not compared"),
            }
        }
    }
    all
}

/// The device of a row, after what went before. The memory behind its buffer was the same in every run.
fn device(row: &Row<'_>) -> Device {
    let memory = u8::from_str_radix(row.target("buffer").unwrap(), 16).unwrap();
    let mut device = Device::on(&target(row), memory).unwrap().with_memory_behind(0xa5);
    device = device.with_status(&status(row.target("hw").unwrap()));
    let mut between = None;
    for part in row.get("prior").split('+').filter(|part| *part != "-") {
        let (what, file) = part.split_once(':').unwrap_or((part, ""));
        match what {
            "session" | "refused" => {
                assert_eq!(device.write(&bytes("qat", file)).is_ok(), what == "session", "{}", row.line);
                assert_eq!(device.resume(), Ok(()), "{}", row.line);
                between = Some(Between::Ran);
            }
            "abandon" => {
                let (name, length) = file.split_once('@').unwrap();
                let length: usize = length.parse().unwrap();
                assert_eq!(device.write(&bytes("qat", name)[..length]), Ok(()), "{}", row.line);
                between = Some(Between::Reset);
            }
            "save" | "precopysave" => {
                // The source of this file, but for two values that a fresh device has not.
                let mut saved = bytes("qat", "fresh-symasym.bin");
                (saved[138], saved[155]) = FRESH;
                device.saves(if what == "save" { &saved } else { &saved[..SETUP] });
            }
            "reset" => between = Some(Between::Reset),
            "reopen" => between = Some(Between::Reopened),
            other => panic!("{other}: {}", row.line),
        }
    }
    if let Some(between) = between {
        device.again(between);
    }
    device
}

/// What was loaded, as the table has it.
fn loaded(loaded: &Loaded) -> String {
    let mut parts = Vec::new();
    if loaded.initialised.is_some_and(|value| value != FRESH.0) {
        parts.push("iovinit".to_owned());
    }
    if let Some(version) = loaded.pfvf_version.filter(|version| *version != FRESH.1) {
        parts.push(format!("compver={version}"));
    }
    if !loaded.registers.is_empty() {
        parts.push(format!("miscbar={}/4", loaded.registers.len()));
    }
    if !loaded.banks.is_empty() {
        let banks: Vec<_> = (0..loaded.banks.len()).map(|bank| bank.to_string()).collect();
        parts.push(format!("banks={}", banks.join(",")));
    }
    if parts.is_empty() { "-".into() } else { parts.join(";") }
}

/// A section of a save.
fn section(id: &str, children: u32, content: &[u8]) -> Vec<u8> {
    let mut name = [0; 8];
    name[..id.len()].copy_from_slice(id.as_bytes());
    let size = u32::try_from(content.len()).unwrap();
    [&name[..], &size.to_le_bytes(), &children.to_le_bytes(), content].concat()
}

/// A block of a save.
fn block(sections: u16, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    let head = [0xea, 0xca, 0xf5, 0xad, 1, 0, 0, 0, 16, 0];
    [&head[..], &sections.to_le_bytes(), &size.to_le_bytes(), content].concat()
}

/// What a device that was loaded with this saves: the registers that a load brings back, and those that only show what
/// the hardware does.
fn saved_again(row: &Row<'_>, loaded: &Loaded) -> Vec<u8> {
    let number = |key| u32::try_from(number_of(row.target(key).unwrap())).unwrap();
    let values = [
        section("gencap", 0, &number("gencap").to_le_bytes()),
        section("svcmap", 0, &number("svcmap").to_le_bytes()[..2]),
        section("extdc", 0, &number("extdc").to_le_bytes()),
    ];
    // In the order of the recording, which a map does not keep.
    let function = number_of(row.target("vf").unwrap());
    let limits = own_limits(row.target("sla").unwrap(), function).map(|[service, mask, committed, peak]| {
        let low = |number: u64| u32::try_from(number).unwrap().to_le_bytes();
        [&service.to_le_bytes()[..], &mask.to_le_bytes(), &low(committed), &low(peak)].concat()
    });
    let general = [
        section("iovinit", 0, &[loaded.initialised.unwrap()]),
        section("compver", 0, &[loaded.pfvf_version.unwrap()]),
        section("sla", 0, &limits.collect::<Vec<_>>().concat()),
    ];
    let [mask, private_mask, to_function, from_function] = loaded.registers[..] else { panic!("{}", row.line) };
    let registers = [
        ("visrc", 0),
        ("vimsk", mask),
        ("vispv", 0),
        ("vimpv", private_mask),
        ("pf2vm", to_function),
        ("vm2pf", from_function),
    ];
    let registers = registers.map(|(id, value)| section(id, 0, &value.to_le_bytes()));
    let banks =
        loaded.banks.iter().zip(status(row.target("hw").unwrap())).enumerate().map(|(number, (taken, status))| {
            let mut bank = [0; 472];
            let exception = taken[72..76] != [0; 4];
            // iaintflagen, iaintflagsrcsel0, iaintcolen, iaintcolctl, iaintflagandcolen, ringexpintenable, ringsrvarben.
            for at in [44, 52, 60, 64, 68, 76, 80].into_iter().filter(|at| *at != 80 || !exception) {
                bank[at..at + 4].copy_from_slice(&taken[at..at + 4]);
            }
            bank[67] |= 0x80;
            for ring in [88, 112] {
                bank[ring..ring + 20].copy_from_slice(&taken[ring..ring + 20]);
            }
            for (at, shown) in [0, 12, 16, 20, 24, 28].into_iter().zip(status.rings) {
                bank[at..at + 4].copy_from_slice(&shown.to_le_bytes());
            }
            bank[72..76].copy_from_slice(&status.exception.to_le_bytes());
            // No stream brings this one back: it shows what the hardware of the recording did.
            bank[8] = u8::from(row.target("hw") == Some("busy-b") && number == 3);
            section(&format!("bnk{number:x}"), 1, &section("mregs", 0, &bank))
        });
    let state = [
        section("GENER", 3, &general.concat()),
        section("MISCBAR", 6, &registers.concat()),
        section("ETRBAR", 4, &banks.collect::<Vec<_>>().concat()),
    ];
    let mut saved = [block(1, &section("CONFIG", 3, &values.concat())), block(3, &state.concat())].concat();
    saved.resize(4096, 0);
    saved
}

/// Holds what the device then saves against the input, where the recording counted the bytes that differ.
fn check_save(row: &Row<'_>, loaded: &Loaded, input: &[u8]) -> bool {
    /// Whose state block the recording did not look for: their setup block does not say that it has a section.
    const SETUP_ALONE: [&str; 2] = ["mutated/setup-nsects-0.bin", "mutated/CONFIG-size-zero.bin"];
    let Some(count) = row.get("resaved_state").strip_suffix(" bytes differ") else { return false };
    if SETUP_ALONE.contains(&row.get("file")) {
        return false;
    }
    let field = |at: usize, bytes: usize| {
        let bytes = input.get(at..at + bytes).unwrap_or(&[]);
        bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let state = field(8, 2) + field(12, 4);
    let first = state + field(state + 8, 2);
    // Up to the end of the last section.
    let end = (0..field(state + 10, 2)).fold(first, |at, _| at + 16 + field(at + 8, 4)).min(input.len()).min(4096);
    let differ = saved_again(row, loaded).iter().zip(&input[..end]).filter(|(one, other)| one != other).count();
    assert_eq!(differ.to_string(), count, "{}", row.line);
    true
}

fn reason(device: &Device) -> String {
    let text = device.refusal().map_or("-".into(), |refusal| refusal.to_string());
    text.trim_end_matches(':').to_owned()
}

/// Holds the model against a row; returns which kind of row it is, and whether a save told
/// what the device then held.
fn check(row: &Row<'_>) -> (&'static str, bool) {
    let what = row.line;
    let input = bytes("qat", row.get("file"));
    assert_eq!(input.len(), row.number("file_bytes"), "{what}");
    let (acts, keep_going) = acts(row.get("write_mode"), &input);

    let mut device = device(row);
    let mut made = Vec::new();
    let mut reasons = Vec::new();
    for act in &acts {
        let call = play(&mut device, std::slice::from_ref(act), true);
        let refused = call.iter().any(|call| call.result.is_err());
        let wrote = call.iter().any(|call| call.step == DriverStep::Write);
        made.extend(call);
        if refused {
            reasons.push(reason(&device));
        }
        if refused && wrote && !keep_going {
            break;
        }
    }
    let writes = made.iter().filter(|call| call.step == DriverStep::Write);
    assert_eq!(writes.clone().count(), row.number("write_calls"), "{what}");
    assert_eq!(writes.clone().filter(|call| call.result.is_err()).count(), row.number("refused_writes"), "{what}");
    let place = writes.clone().find(|call| call.result.is_err()).map_or("-".into(), Made::place);
    assert_eq!(place, row.get("refused_write_offset+length"), "{what}");

    let resumed = device.resume();
    let why = if resumed.is_ok() { "-".into() } else { reason(&device) };
    assert_eq!(name_of(resumed), row.get("set_state_RUNNING_afterwards"), "{what}");
    assert_eq!(why, row.get("set_state_reason"), "{what}");
    assert_eq!(if resumed.is_ok() { "RUNNING" } else { "RESUMING" }, row.get("state_afterwards"), "{what}");
    assert_eq!(loaded(device.loaded()), row.get("loaded_into_device"), "{what}");
    let held = check_save(row, device.loaded(), &input);
    let first = first_refusal(&made).map(|call| (call.step.name(), name_of(call.result)));
    let last = if resumed.is_ok() { ("none", "ok") } else { ("set_state", name_of(resumed)) };
    assert_eq!(first.unwrap_or(last), (row.get("step"), row.get("result")), "{what}");
    assert_eq!(reasons.first().unwrap_or(&why), row.get("reason"), "{what}");

    (kind(row, &acts), held)
}

/// What `predict` says of the row's writes on a device that was just opened and of which nothing else is known.
fn kind(row: &Row<'_>, acts: &[Act<'_>]) -> &'static str {
    if !acts.iter().all(|act| matches!(act, Act::Write { .. })) {
        return "change the state between writes";
    }
    let open = || FORMAT.driver.unwrap()(&target(row), Choices::NONE).unwrap();
    // Registers that show something else than was saved are neither in the stream nor in the target.
    let hardware = ["readback", "device-exception"].iter().any(|what| row.get("reason").contains(what));
    let ask =
        |driver: &mut dyn Driver| if hardware { predict_depends(driver, acts) } else { predicted(row, driver, acts) };

    let mut forgetful = open();
    forgetful.forget();
    let forgotten = ask(forgetful.as_mut());
    if row.get("prior") != "-" {
        assert!(matches!(forgotten, Agreement::Depends(_)) || row.get("result") == "EINVAL", "{}", row.line);
        return "follow earlier sessions";
    }
    match ask(open().as_mut()) {
        Agreement::Depends(on) => on,
        Agreement::Agrees if hardware => "hang on what the status registers show",
        Agreement::Agrees => "are predicted",
    }
}

/// The same where only what it depends on can be held against the row.
fn predict_depends(driver: &mut dyn Driver, acts: &[Act<'_>]) -> Agreement {
    match predict(driver, writes(acts).unwrap().into_iter()) {
        Prediction::Depends(on) => Agreement::Depends(on),
        _ => Agreement::Agrees,
    }
}

#[test]
fn the_model_agrees_with_the_driver_row_by_row() {
    let table = Table::read("qat", "acceptance.tsv");
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut saves = 0;
    for row in table.rows() {
        let (kind, held) = check(&row);
        *kinds.entry(kind).or_default() += 1;
        saves += usize::from(held);
    }
    let rows: usize = kinds.values().sum();
    say(&format!("qat: {rows} rows agree, in {saves} also what is saved again; {kinds:?}"));
    assert_eq!((rows, saves), (568, 254));
    // The page has these counts, too.
    assert_eq!(kinds.into_values().collect::<Vec<_>>(), [501, 7, 28, 18, 2, 12]);
}

/// A target in the words of a row's column `target`, which takes any device: no stream says which one it comes from.
fn judging(row: &Row<'_>) -> (String, Arc<Target>) {
    let said = |key| row.target(key).unwrap();
    let function = number_of(said("vf"));
    let own = limits(said("sla"), function);
    let Value::Map(map) = own.value() else { panic!("{}", row.line) };
    let pairs: Vec<_> =
        map.pairs().map(|(key, rates)| format!("\"{}\" = \"{}\"", key.as_str(), rates.as_str())).collect();
    let text = format!(
        "vendor = \"qat\"\n[attributes]\npci_id = \"8086:4941\"\ncapabilities = {}\nservice_map = {}\n\
         extended_compression = {}\npfvf_version = 5\nrate_limits = {{ {} }}\n\
         [accepts.pci_id]\nrule = \"ignore\"\nsource = \"a test\"\n",
        said("gencap"),
        said("svcmap"),
        said("extdc"),
        pairs.join(", ")
    );
    let target = transire_text::load_target(text.as_bytes(), VENDORS).unwrap_or_else(|error| panic!("{error}: {text}"));
    let keys = ["gencap", "svcmap", "extdc"].map(|key| format!("{key}={}", said(key)));
    (format!("{};sla={}", keys.join(";"), pairs.join(",").replace(['"', ' '], "")), Arc::new(target))
}

/// What is said of a stream besides that the target takes any device, and that the protocol's version is another.
fn said(target: &Arc<Target>, input: &[u8]) -> (bool, Vec<&'static str>) {
    let seen = whole(target, &Options::default(), input);
    let ids = seen.verdict.reasons().iter().map(|reason| reason.id.text());
    (seen.complete, ids.filter(|id| ![".accepted-by-target", ".newer-than-target", ".absent"].contains(id)).collect())
}

#[test]
fn strict_says_what_it_said() {
    let table = Table::read("qat", "acceptance.tsv");
    let rows: Vec<_> = table.rows().collect();
    let cases = rows.iter().map(|row| {
        let (target, of) = judging(row);
        Case { file: row.get("file").to_owned(), target, of }
    });
    golden("qat", "strict.tsv", &strict_table("qat", cases));
}

#[test]
fn strict_refuses_all_that_the_driver_refuses() {
    let table = Table::read("qat", "acceptance.tsv");
    let (mut refused, mut caught) = (0, 0);
    let whole = |row: &Row<'_>| row.get("prior") == "-" && row.get("write_mode") == "whole";
    // What the status registers show is no matter of the stream.
    let of_hardware = |row: &Row<'_>| ["readback", "exception"].iter().any(|what| row.get("reason").contains(what));
    for row in table.rows().filter(|row| whole(row) && !of_hardware(row)) {
        let (complete, _) = said(&judging(&row).1, &bytes("qat", row.get("file")));
        if row.get("step") == "none" {
            caught += usize::from(!complete);
        } else {
            assert!(!complete, "{}", row.line);
            refused += 1;
        }
    }
    say(&format!("qat: {refused} refused by both, {caught} by strict alone"));
    assert!(refused > 0 && caught > 0);
}

#[test]
fn captured_streams_are_complete_on_the_device_that_they_come_from() {
    let table = String::from_utf8(bytes("qat", "sources.tsv")).unwrap();
    let mut files = BTreeMap::new();
    for line in table.lines().skip(1) {
        let (file, device) = line.split_once('\t').unwrap();
        files.insert(file.to_owned(), device.split('\t').next().unwrap().to_owned());
    }
    for (file, device) in &files {
        let line = format!("target\n{device}\n");
        let own = Table::of(&line);
        let row = own.rows().next().unwrap();
        let (complete, ids) = said(&judging(&row).1, &bytes("qat", file));
        let expected: &[&str] = if file == "saved-exception.bin" { &["qat.exception"] } else { &[] };
        assert!(complete, "{file}: {ids:?}");
        assert_eq!(ids, expected, "{file}");
    }
    say(&format!("qat: {} captured streams are complete", files.len()));
    assert_eq!(files.len(), 10);
}

/// What the driver loads in silence is refused or noted, unless it is another stream that a device could have saved.
#[test]
fn nothing_that_was_forged_passes_unseen() {
    /// Values that a device can have.
    const POSSIBLE: &[&str] = &[
        "GENER/iovinit = ",
        "GENER/compver = ",
        "all six MISCBAR registers",
        "cir lower than the target's",
        "cir 0 and pir 0",
        "limits in reversed order",
        "only the first limit",
        "no limit although",
        "ringuostat = 0xffffffff",
        "iaintflagreg = 0xffffffff",
    ];
    let changes = String::from_utf8(bytes("qat", "mutations.tsv")).unwrap();
    let changes: BTreeMap<&str, &str> = changes
        .lines()
        .skip(1)
        .filter_map(|line| {
            let [file, from, change] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            // Some changes leave the stream as it is.
            (bytes("qat", file) != bytes("qat", from)).then_some((file, change))
        })
        .collect();
    let table = Table::read("qat", "acceptance.tsv");
    let (mut seen, mut possible) = (0, 0);
    for row in table.rows().filter(|row| row.get("step") == "none" || row.get("set_state_RUNNING_afterwards") == "ok") {
        let Some(change) = changes.get(row.get("file")) else { continue };
        let (complete, ids) = said(&judging(&row).1, &bytes("qat", row.get("file")));
        if complete && ids.is_empty() {
            assert!(POSSIBLE.iter().any(|known| change.contains(known)), "{} ({change}) passes", row.line);
            possible += 1;
        } else {
            seen += 1;
        }
    }
    say(&format!(
        "qat: of what was forged and loaded {seen} are refused or noted, {possible} are as a device could save"
    ));
    assert!(seen > 100);
}
