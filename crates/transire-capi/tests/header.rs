//! `include/transire.h` is what the sources say, and the binary interface is the one that `abi.txt` records.
//!
//! `TRANSIRE_WRITE_GOLDEN=1 cargo test -p transire-capi --test header` writes both; read each line that changed against
//! the policy in `docs/guides/embedding.md` before you keep it.

use std::fmt::Write as _;
use std::mem::{align_of, offset_of, size_of};
use std::path::{Path, PathBuf};

use transire::answer::AnswerState;
use transire::gate::{GateEvent, GateOptions, GateState};
use transire::seal::{SealEvent, SealOptions, SealState};
use transire::text::Text;
use transire::verdict::Reason;

/// In the order in which the header tells them.
const SOURCES: [&str; 9] =
    ["version.rs", "status.rs", "text.rs", "device.rs", "verdict.rs", "gate.rs", "seal.rs", "answer.rs", "formats.rs"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares with a file of the tree, or writes it.
fn golden(path: &Path, made: &str) {
    if std::env::var_os("TRANSIRE_WRITE_GOLDEN").is_some() {
        std::fs::write(path, made).expect("the tree can be written");
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    assert!(kept == made, "{} is not what the sources say, from line {differs:?} (counted from 0) on", path.display());
}

fn header() -> String {
    let config = cbindgen::Config::from_file(folder().join("cbindgen.toml")).expect("the configuration is right");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(folder().join("src").join(source));
    }
    let mut out = Vec::new();
    builder.generate().expect("the sources can be read").write(&mut out);
    String::from_utf8(out).expect("sources are UTF-8")
}

#[test]
fn the_header_is_that_of_the_sources() {
    golden(&folder().join("include/transire.h"), &header());
}

macro_rules! layout {
    ($out:ident; $($name:literal $of:ty { $($field:ident)+ })+) => {
        $(
            writeln!($out, "struct {} size {} align {}", $name, size_of::<$of>(), align_of::<$of>()).unwrap();
            $( writeln!($out, "field {} {} at {}", $name, stringify!($field), offset_of!($of, $field)).unwrap(); )+
        )+
    };
}

/// Every function, constant and structure, one a line.
fn abi(header: &str) -> String {
    let mut out = String::new();
    for (name, _) in header.lines().filter_map(|line| line.split_once('(')) {
        let name = name.rsplit([' ', '*']).next().filter(|name| name.starts_with("transire_"));
        if let Some(name) = name {
            writeln!(out, "function {name}").unwrap();
        }
    }
    for line in header.lines().filter_map(|line| line.strip_prefix("#define ")).filter(|line| line.contains(' ')) {
        writeln!(out, "constant {line}").unwrap();
    }
    layout! { out;
        "transire_text" Text { bytes length }
        "transire_reason" Reason {
            size needed outcome attribute_number has_offset in_payload offset length reserved id attribute found required
            text remedy ground set_path set_value
        }
        "transire_gate_options" GateOptions { size input flags now format }
        "transire_gate_event" GateEvent { event reserved used need payload payload_length }
        "transire_gate_state" GateState {
            size judged finished complete used examined format payload_format abort_text
        }
        "transire_seal_options" SealOptions {
            size digest flags payload_length stream_id payload_format device_label
        }
        "transire_seal_event" SealEvent { event reserved used need head head_length payload payload_length }
        "transire_seal_state" SealState { size finished complete total }
        "transire_answer_state" AnswerState { size stage outcome complete prologue_crc reasons stream_id vendor }
        "transire_format" transire::formats::Format { size role judged_within hold reserved name vendor title }
    }
    out
}

#[test]
#[cfg(target_pointer_width = "64")]
fn the_binary_interface_is_the_recorded_one() {
    golden(&folder().join("abi.txt"), &abi(&header()));
}
