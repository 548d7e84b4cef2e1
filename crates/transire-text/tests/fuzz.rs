//! The inputs of the fuzz target `text`, asked what the target asks: the seeds, and everything that was ever found.

#[path = "../../transire-core/fuzz/oracles/text.rs"]
mod oracle;

use std::path::PathBuf;

fn folder(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../transire-core/fuzz").join(kind).join("text")
}

fn replay(kind: &str) -> usize {
    let mut replayed = 0;
    // Without findings there is no folder.
    for entry in std::fs::read_dir(folder(kind)).into_iter().flatten() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        oracle::text(&std::fs::read(path).unwrap());
        replayed += 1;
    }
    replayed
}

#[test]
fn seeds_pass() {
    assert!(replay("corpus") >= 20);
}

#[test]
fn what_was_found_stays_mended() {
    assert!(replay("regressions") > 0);
}
