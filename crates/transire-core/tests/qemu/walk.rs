//! Captures of QEMU, and walks through them in any cut.
#![allow(dead_code)] // Each test takes its part.

use std::path::{Path, PathBuf};

use transire_core::containers::qemu::{Event, Item, QemuReader};
use transire_core::format::{DeviceKey, Phase};
use transire_core::verdict::Reason;

/// A file of the fixtures, unpacked.
pub(crate) fn capture(name: &str) -> Vec<u8> {
    let packed = std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    if !name.to_ascii_lowercase().ends_with(".xz") {
        return packed;
    }
    let mut bytes = Vec::new();
    lzma_rs::xz_decompress(&mut packed.as_slice(), &mut bytes).unwrap();
    bytes
}

/// Where a file of the fixtures is: `qemu/NAME` or `qemu-vfio/NAME`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// Bytes of a device, put together where the input was cut.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Data {
    pub(crate) device: DeviceKey,
    pub(crate) phase: Phase,
    pub(crate) index: Option<u32>,
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that a walk told, apart from where the input was cut.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Walk {
    pub(crate) items: Vec<Item>,
    pub(crate) data: Vec<Data>,
    pub(crate) configs: Vec<Data>,
    pub(crate) skips: Vec<u64>,
    pub(crate) findings: Vec<Reason>,
    pub(crate) failed: Option<Reason>,
    /// Bytes used.
    pub(crate) used: u64,
}

impl Walk {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Item(item) => self.items.push(item),
            Event::Skip(count) => self.skips.push(count),
            Event::Data { device, phase, index, offset, bytes } => {
                if let Some(last) = self.data.last_mut()
                    && last.offset + last.bytes.len() as u64 == offset
                {
                    assert_eq!((last.device, last.phase, last.index), (device, phase, index));
                    last.bytes.extend(bytes);
                } else {
                    self.data.push(Data { device, phase, index, offset, bytes: bytes.to_vec() });
                }
            }
            Event::Config { device, index, layout, bytes } => {
                let phase = Phase::Unspecified;
                self.configs.push(Data { device, phase, index, offset: layout.offset, bytes: bytes.to_vec() });
            }
            Event::Finding(reason) => self.findings.push(reason),
            Event::Failed(reason) => self.failed = Some(reason),
            _ => {}
        }
    }

    /// Everything wrong, in order, notes left out.
    pub(crate) fn wrong(&self) -> Vec<Reason> {
        self.findings.iter().chain(&self.failed).filter(|reason| !reason.is_note()).copied().collect()
    }
}

/// Walks `input`, handed over as `cuts` says: how many more bytes are there when the walk asks for more.
pub(crate) fn walk_in(
    reader: &mut QemuReader,
    input: &[u8],
    mut cuts: impl FnMut() -> usize,
    mut see: impl FnMut(&QemuReader, Event<'_>),
) -> Walk {
    let mut walk = Walk::default();
    let (mut start, mut end) = (0, cuts().min(input.len()));
    loop {
        let eof = end == input.len();
        let step = reader.step(&input[start..end], eof);
        assert!(step.used <= end - start);
        match step.event {
            Event::Need(need) => {
                assert!(!eof && need > end - start, "{need} of {}", end - start);
                end = (end + cuts().max(1)).min(input.len());
            }
            event => {
                walk.take(event);
                see(reader, event);
                if matches!(event, Event::End | Event::Failed(_)) {
                    assert_eq!(step.used, 0);
                    assert!(reader.is_finished());
                    assert_eq!(reader.step(&input[start..end], eof).event, event);
                    walk.used = start as u64;
                    return walk;
                }
            }
        }
        start += step.used;
        if start == end && !eof {
            end = (end + cuts().max(1)).min(input.len());
        }
    }
}

/// Walks the whole input at once.
pub(crate) fn walk(reader: &mut QemuReader, input: &[u8]) -> Walk {
    walk_in(reader, input, || usize::MAX, |_, _| {})
}

/// A table of the fixtures: its rows by the names of its columns.
pub(crate) fn table(name: &str) -> Vec<std::collections::HashMap<String, String>> {
    let text = String::from_utf8(capture(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap();
    lines.map(|line| head.iter().cloned().zip(line).collect()).collect()
}

/// The walk that fits a capture: what its name says, and from which offset on.
pub(crate) fn reader_of(name: &str, input: &[u8]) -> (QemuReader, usize) {
    if name.contains("to-source") || name.contains(".rev.") {
        return (QemuReader::return_path(), 0);
    }
    if transire_core::containers::qemu::multifd_likeness(input) == transire_core::format::Likeness::Certain {
        return (QemuReader::multifd(), 0);
    }
    let start = input.iter().position(|&byte| byte != 0).unwrap();
    (QemuReader::main().beginning_at(start as u64), start)
}

/// Every capture of both folders.
pub(crate) fn captures() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["qemu", "qemu-vfio"] {
        for entry in std::fs::read_dir(path(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if [".bin", ".xz", ".stream"].iter().any(|end| name.ends_with(end)) {
                names.push(format!("{folder}/{name}"));
            }
        }
    }
    names.sort();
    names
}

/// A generator of numbers, the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Shows a count of what was proved. The test runner holds back what the printing macros write, and this is to be seen.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}

/// A number of the stream as an index.
pub(crate) fn at(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or_else(|_| panic!("no input of a test is that long"))
}

/// So many bytes at an offset.
pub(crate) fn part(input: &[u8], offset: u64, length: u64) -> &[u8] {
    &input[at(offset)..][..at(length)]
}
