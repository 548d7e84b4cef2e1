//! The examples of every format, as `fixtures/VENDOR/examples.tsv` names them.
#![allow(dead_code, unreachable_pub)] // Each user takes its part.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use transire_core::format::Role;
use transire_core::gate::{Input, Options};
use transire_core::target::Target;
use transire_core::vendors::VENDORS;

/// The folder of the fixtures, above whichever crate is built with this.
pub fn fixtures() -> PathBuf {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("fixtures"));
    above.find(|folder| folder.is_dir()).expect("the fixtures are in the tree")
}

/// A row of the table.
pub struct Example {
    pub vendor: String,
    pub file: String,
    pub input: Vec<u8>,
    pub target: Option<Arc<Target>>,
    pub options: Options,
    pub outcome: String,
    pub reason: String,
    pub offset: String,
    pub notes: usize,
    /// Bytes whose changes are recorded.
    pub golden: Option<usize>,
}

impl Example {
    fn read(vendor: &str, line: &str) -> Self {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, target, format, outcome, reason, offset, notes, golden] = columns[..] else {
            panic!("{vendor}: {line}")
        };
        let folder = fixtures().join(vendor);
        let input = std::fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{vendor}/{file}: {error}"));
        let target = (target != "-").then(|| {
            let text = std::fs::read(folder.join(target)).unwrap_or_else(|error| panic!("{vendor}/{target}: {error}"));
            Arc::new(
                transire_text::load_target(&text, VENDORS).unwrap_or_else(|error| panic!("{vendor}/{target}: {error}")),
            )
        });
        let input_of = match format {
            "-" => Input::Auto,
            name => {
                let (format, choices) = VENDORS.chosen(name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
                Input::Format(format, choices)
            }
        };
        let structural = match golden.split_once(':') {
            Some(("yes", bytes)) => Some(bytes.parse().unwrap()),
            None if golden == "yes" => Some(input.len()),
            None if golden == "-" => None,
            _ => panic!("{vendor}: {line}"),
        };
        Self {
            vendor: vendor.to_owned(),
            file: file.to_owned(),
            input,
            target,
            options: Options { input: input_of, ..Options::default() },
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            offset: offset.to_owned(),
            notes: notes.parse().unwrap_or_else(|_| panic!("{vendor}: {line}")),
            golden: structural,
        }
    }
}

/// All of them, in the order of the vendor table.
pub fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    for vendor in VENDORS.0 {
        let path = fixtures().join(vendor.name()).join("examples.tsv");
        let has_streams = vendor.formats.iter().any(|format| format.role == Role::Source);
        if !has_streams {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        examples.extend(text.lines().skip(1).map(|line| Example::read(vendor.name(), line)));
    }
    examples
}
