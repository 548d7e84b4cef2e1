//! The inputs of the fuzz targets, asked what the targets ask: the seeds, and everything that was ever found.

#[path = "support/examples.rs"]
mod listed;
mod support;

#[path = "../fuzz/oracles/judge.rs"]
mod judge;
#[path = "support/mend.rs"]
mod mend;
#[path = "support/oracle.rs"]
mod oracle;

use std::path::PathBuf;

use support::{fixture, profile, seal};
use transire_core::format::Phase::{Initial, Iterative, StopCopy, Unspecified};
use transire_core::sealed::{Answer, AnswerStage, Digest, Identity};
use transire_core::verdict::Outcome;

type Oracle = fn(&[u8]);
/// The targets but `profile`, whose oracle stands in the target, and `text`, which the crate of the text forms replays.
const TARGETS: [(&str, Oracle); 4] = [
    ("sealed", oracle::sealed),
    ("gate", oracle::gate),
    ("vendors", oracle::vendors),
    ("judge", |input| judge::judge_any(input)),
];

fn folder(kind: &str, target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

fn replay(kind: &str) -> usize {
    let mut replayed = 0;
    for (target, oracle) in TARGETS {
        // A target without findings has no folder.
        for entry in std::fs::read_dir(folder(kind, target)).into_iter().flatten() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            oracle(&std::fs::read(path).unwrap());
            replayed += 1;
        }
    }
    replayed
}

#[test]
fn seeds_pass() {
    assert!(replay("corpus") >= 20);
}

#[test]
fn what_was_found_stays_mended() {
    say(&format!("{} regressions", replay("regressions")));
}

/// An answer to the stream that is called `empty`.
fn answer(stage: AnswerStage, outcome: Outcome, ids: &[&str]) -> Vec<u8> {
    let identity = Identity::of_stream(&seal(&profile(2), "opaque", Digest::None, &[])).unwrap();
    let complete = stage == AnswerStage::Final && outcome == Outcome::Compatible;
    Answer::new(&identity, stage, outcome, complete, ids.iter().copied()).unwrap().to_bytes()
}

#[test]
#[ignore = "writes fuzz/corpus/{sealed,gate,vendors}"]
fn write_seeds() {
    let native = fixture("mtty2-both-ports.bin");
    let small = fixture("mtty1-wrapped.bin");
    let parts = [(Initial, &native[..24]), (Iterative, &native[24..50]), (StopCopy, &native[50..])];
    let streams = [
        ("mtty-none", seal(&profile(2), "mtty", Digest::None, &parts)),
        ("mtty-blake3", seal(&profile(1), "mtty", Digest::Blake3, &[(Unspecified, &small)])),
        ("opaque-none", seal(&profile(1), "opaque", Digest::None, &[(Unspecified, b"abc"), (Unspecified, b"d")])),
        ("empty", seal(&profile(2), "opaque", Digest::None, &[])),
        ("profile", profile(2).to_bytes()),
        (
            "answer-early",
            answer(AnswerStage::Early, Outcome::Incompatible, &["mdev_type.not-equal", "nr_ports.not-equal"]),
        ),
        ("answer-final", answer(AnswerStage::Final, Outcome::Compatible, &[])),
    ];
    let natives = [
        ("native-1", small),
        ("native-2", native.clone()),
        ("native-cut", native[..50].to_vec()),
        ("native-padding", fixture("mutated/mtty2-both-ports.p1-pad29-170.bin")),
        ("native-ring", fixture("mutated/mtty2-both-ports.p1-count-mismatch.bin")),
    ];
    let write = |target: &str, name: &str, head: &[u8], bytes: &[u8]| {
        std::fs::create_dir_all(folder("corpus", target)).unwrap();
        std::fs::write(folder("corpus", target).join(name), [head, bytes].concat()).unwrap();
    };
    for (name, stream) in &streams {
        write("sealed", name, &[9], stream);
        for (how, choice) in [("as-it-is", 0b1000_1001), ("mended", 0b0001_0010), ("deep", 0b0010_1100)] {
            write("gate", &format!("{name}-{how}"), &[choice, 16], stream);
        }
    }
    // Of every vendor the small examples whose changes are recorded.
    for example in listed::examples().iter().filter(|example| example.golden.is_some() && example.vendor != "mtty") {
        let name = format!("{}-{}", example.vendor, example.file.replace('/', "-").trim_end_matches(".bin"));
        write("vendors", &name, &[9], &example.input);
    }
    for (name, stream) in &natives {
        write("vendors", name, &[9], stream);
        write("gate", name, &[0b0000_0001, 16], stream);
        write("gate", &format!("{name}-sealed"), &[0b1000_0111, 10], stream);
        write("gate", &format!("{name}-opaque"), &[0b0100_0110, 40], stream);
    }
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
