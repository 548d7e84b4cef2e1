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
    ($($name:literal $of:ty { $($field:ident)+ })+) => {
        [$((
            $name,
            (size_of::<$of>(), align_of::<$of>()),
            &[$((stringify!($field), offset_of!($of, $field))),+][..],
        )),+]
    };
}

/// A structure: its name, size and alignment, and its fields with their offsets.
type Placed = (&'static str, (usize, usize), &'static [(&'static str, usize)]);

/// Every structure of the header.
fn layouts() -> [Placed; 10] {
    layout! {
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
}

/// Every function with its arguments, every constant and type, and every structure with its fields, one a line.
fn abi(header: &str) -> String {
    let mut out = String::new();
    let code: Vec<&str> = header.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let (types, functions) = code.split_once("extern \"C\" {").expect("the functions are C's");
    for declaration in functions.split(';').filter(|declaration| declaration.contains('(')) {
        let words: Vec<&str> = declaration.lines().filter(|line| !line.starts_with('#')).collect();
        let words: Vec<&str> = words.iter().flat_map(|line| line.split_whitespace()).collect();
        writeln!(out, "function {}", words.join(" ")).unwrap();
    }
    for line in header.lines().filter_map(|line| line.strip_prefix("#define ")).filter(|line| line.contains(' ')) {
        writeln!(out, "constant {line}").unwrap();
    }
    for line in types.lines().filter_map(|line| line.strip_prefix("typedef ")).filter_map(|line| line.strip_suffix(';'))
    {
        writeln!(out, "type {line}").unwrap();
    }
    let mut known = Vec::from(layouts());
    for structure in types.split("typedef struct ").filter(|structure| structure.contains('{')) {
        let (name, body) = structure.split_once(" {").expect("a structure has a name and a body");
        let at =
            known.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{name} has no layout here"));
        let (name, (size, align), fields) = known.remove(at);
        writeln!(out, "struct {name} size {size} align {align}").unwrap();
        let (body, _) = body.split_once("\n}").expect("a structure ends");
        let mut fields = fields.iter();
        for declared in body.split(';').map(str::trim).filter(|declared| !declared.is_empty()) {
            let field =
                declared.rsplit([' ', '*']).next().and_then(|field| field.split('[').next()).unwrap_or_default();
            let (_, at) =
                fields.next().filter(|(known, _)| *known == field).unwrap_or_else(|| panic!("{name} {field}"));
            writeln!(out, "field {name} at {at}: {declared}").unwrap();
        }
        assert!(fields.next().is_none(), "{name} has more fields here");
    }
    assert!(known.is_empty(), "{known:?}");
    out
}

#[test]
#[cfg(target_pointer_width = "64")]
fn the_binary_interface_is_the_recorded_one() {
    golden(&folder().join("abi.txt"), &abi(&header()));
}

#[test]
fn the_guide_and_the_example_name_what_there_is() {
    let header = header();
    let known: Vec<&str> = header.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
    for file in ["../../docs/guides/embedding.md", "examples/migrate.c", "../../README.md"] {
        let text = std::fs::read_to_string(folder().join(file)).expect("a file of the tree");
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let ours = words.filter(|word| word.starts_with("transire_") || word.starts_with("TRANSIRE_"));
        for word in ours.filter(|word| !["transire_core", "transire_text"].contains(word)) {
            assert!(known.contains(&word), "{file}: {word}");
        }
    }
}
