//! The C ABI says what the Rust interface says: the oracle of the fuzz target `capi`, asked of the corpora of the fuzz
//! targets, of every vector and of the captured streams.

#[path = "../../transire-core/fuzz/oracles/capi.rs"]
mod oracle;

use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn every_known_input_says_the_same() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut inputs = Vec::new();
    for folder in ["transire-core/fuzz/corpus", "transire-core/fuzz/regressions"] {
        files(&crates.join(folder), &mut inputs);
    }
    let own = inputs.len();
    for folder in ["vectors", "mtty", "hisi-acc", "pds"] {
        files(&crates.join("../fixtures").join(folder), &mut inputs);
    }
    assert!(own > 50 && inputs.len() > own + 500, "{own} of {}", inputs.len());
    for (number, path) in inputs.iter().enumerate() {
        let bytes = std::fs::read(path).expect("a file of the tree");
        // The descriptions of the fixtures are long texts, and no more than that.
        if bytes.len() > 1 << 17 {
            continue;
        }
        oracle::capi(&bytes);
        for choice in [0, 1, u8::try_from(number % 256).unwrap_or_default()] {
            let chunk = u8::try_from(number * 7 % 256).unwrap_or_default();
            oracle::capi(&[&[choice, chunk], &bytes[..]].concat());
        }
    }
}

#[test]
#[ignore = "writes the corpus of the fuzz target `capi`"]
fn write_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("crates/transire-core/fuzz/corpus/capi");
    std::fs::create_dir_all(&folder).expect("the tree can be written");
    let seeds: [(&str, &[u8], &str); 9] = [
        ("native", &[1, 255], "fixtures/mtty/mtty2-both-ports.bin"),
        ("native-in-phases", &[0b1, 23], "fixtures/mtty/mtty2-both-ports.bin"),
        ("native-opaque", &[0b1_0111, 9], "fixtures/mtty/mtty1-text.bin"),
        ("native-announced", &[0b1000_0101, 40], "fixtures/mtty/mtty2-fresh.bin"),
        ("sealed", &[0b1, 100], "fixtures/vectors/sealed-example-blake3.bin"),
        ("sealed-read-on", &[0b1000, 7], "fixtures/vectors/sealed-example-none.bin"),
        ("header-silent", &[0b110_0001, 255], "fixtures/vectors/header-without-ports.bin"),
        ("answer", &[0, 30], "fixtures/vectors/answer-example.bin"),
        ("profile", &[], "fixtures/vectors/profile-all-attributes.bin"),
    ];
    for (name, head, path) in seeds {
        let bytes = std::fs::read(root.join(path)).expect("a file of the tree");
        std::fs::write(folder.join(name), [head, &bytes].concat()).expect("the tree can be written");
    }
    std::fs::write(folder.join("target"), "vendor = \"mtty\"\n[attributes]\nnr_ports = 2\n").expect("as above");
}
