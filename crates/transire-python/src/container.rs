//! What a container holds, part by part, for `inspect` and `extract`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict as _, PyDict, PyTuple};
use transire_core::containers::libvirt::SaveImage;
use transire_core::containers::qemu::assembly::Device;
use transire_core::containers::qemu::{Bitmaps, DESCRIPTION_MAX, Head, Item, QemuReader, Ram, Record, Section, Tag};
use transire_core::gate::migration::{Event, Judged, Migration};
use transire_core::vendors::VENDORS;

use crate::convert::hex;
use crate::errors::{Stop, os_error};
use crate::inspect::Seen;
use crate::migration::{Besides, Watch, text};

/// Parts that are kept: more than anybody reads, and few enough to hold.
const PARTS_MAX: usize = 10_000;

/// What a container holds: its parts in the order of the stream, RAM summed up, and what it says of the machine.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Contents {
    image: Option<SaveImage>,
    machine: Option<String>,
    uuid: Option<String>,
    page_bits: Option<u32>,
    capabilities: Vec<&'static str>,
    parts: Vec<Py<Part>>,
    dropped: u64,
    ram: Ram,
    bitmaps: Bitmaps,
    searched: u64,
    description: Option<String>,
}

/// A part of a container: a section, a record, a command.
#[pyclass(frozen, module = "transire")]
#[derive(Clone)]
pub(crate) struct Part {
    kind: &'static str,
    name: Option<String>,
    instance: Option<u32>,
    section_id: Option<u32>,
    version: Option<u32>,
    channel: u32,
    offset: u64,
    length: Option<u64>,
    sized: Option<&'static str>,
    index: Option<u32>,
    parts: Vec<Part>,
}

impl Part {
    const fn new(kind: &'static str, channel: u32, offset: u64, length: Option<u64>) -> Self {
        Self {
            kind,
            name: None,
            instance: None,
            section_id: None,
            version: None,
            channel,
            offset,
            length,
            sized: None,
            index: None,
            parts: Vec::new(),
        }
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("kind", self.kind)?;
        dict.set_item("name", self.name.as_deref())?;
        dict.set_item("instance", self.instance)?;
        dict.set_item("section_id", self.section_id)?;
        dict.set_item("version", self.version)?;
        dict.set_item("channel", self.channel)?;
        dict.set_item("offset", self.offset)?;
        dict.set_item("length", self.length)?;
        dict.set_item("sized", self.sized)?;
        dict.set_item("index", self.index)?;
        dict.set_item("parts", self.parts.iter().map(|part| part.to_dict(py)).collect::<PyResult<Vec<_>>>()?)?;
        Ok(dict)
    }
}

#[pymethods]
impl Part {
    /// What it is: `START`, `PART`, `END` and `FULL` are sections; besides `header`, `configuration`, `command`, `block`,
    /// `record`, `packet`, `channel`, `package-end`, `message`, `end-of-sections` and `description`.
    #[getter]
    const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Of a section the identity string of its device, of a command, record or message what it says, of a block its own.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Of a section: its instance id.
    #[getter]
    const fn instance(&self) -> Option<u32> {
        self.instance
    }

    /// Of a section: its id.
    #[getter]
    const fn section_id(&self) -> Option<u32> {
        self.section_id
    }

    /// Of a section: the version of what it holds.
    #[getter]
    const fn version(&self) -> Option<u32> {
        self.version
    }

    /// The channel, by its number among the sources.
    #[getter]
    const fn channel(&self) -> u32 {
        self.channel
    }

    /// Offset of its first byte in the channel.
    #[getter]
    const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of what it holds, its head and footer not counted; None where the stream ends in it.
    #[getter]
    const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Of a section, what told where it ends: `rule`, `description` or `search`, which is a heuristic.
    #[getter]
    const fn sized(&self) -> Option<&'static str> {
        self.sized
    }

    /// Of device state in a packet: the packet's index.
    #[getter]
    const fn index(&self) -> Option<u32> {
        self.index
    }

    /// What stands in it.
    #[getter]
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.parts.iter().map(|part| Py::new(py, part.clone())).collect::<PyResult<Vec<_>>>()?)
    }

    fn __repr__(&self) -> String {
        let name = self.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("<Part {}{name} at {}>", self.kind, self.offset)
    }
}

#[pymethods]
impl Contents {
    /// The machine type, such as `pc-q35-10.0`.
    #[getter]
    fn machine(&self) -> Option<&str> {
        self.machine.as_deref()
    }

    /// Capabilities that change what the stream holds.
    #[getter]
    fn capabilities(&self) -> Vec<&'static str> {
        self.capabilities.clone()
    }

    /// The parts, in the order of the stream, channel by channel.
    #[getter]
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.parts.iter().map(|part| part.clone_ref(py)))
    }

    /// How many parts were counted but not kept.
    #[getter]
    const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many sections were sized by searching for their footers.
    #[getter]
    const fn searched(&self) -> u64 {
        self.searched
    }

    /// RAM, summed up over all channels.
    #[getter]
    fn ram<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counts(&self.ram).into_py_dict(py)
    }

    /// Dirty bitmaps, summed up.
    #[getter]
    fn bitmaps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counts_of_bitmaps(&self.bitmaps).into_py_dict(py)
    }

    /// The stream's description of itself, as JSON; None where it has none, or it was not asked for.
    #[getter]
    fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// libvirt's header, of a save image.
    #[getter]
    fn image<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(image) = &self.image else { return Ok(None) };
        let dict = PyDict::new(py);
        dict.set_item("version", image.version)?;
        dict.set_item("format", image.format.name())?;
        dict.set_item("finished", image.is_finished)?;
        dict.set_item("was_running", image.was_running)?;
        dict.set_item("big_endian", image.is_big_endian)?;
        dict.set_item("data_length", image.data_len)?;
        dict.set_item("cookie_offset", image.cookie_offset)?;
        dict.set_item("stream_offset", image.stream_offset())?;
        Ok(Some(dict))
    }

    /// The contents as a dictionary, ready for JSON; the description is not among them.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("image", self.image(py)?)?;
        dict.set_item("machine", self.machine())?;
        dict.set_item("uuid", self.uuid.as_deref())?;
        dict.set_item("page_bits", self.page_bits)?;
        dict.set_item("capabilities", &self.capabilities)?;
        dict.set_item("ram", self.ram(py)?)?;
        dict.set_item("bitmaps", self.bitmaps(py)?)?;
        dict.set_item("searched", self.searched)?;
        let parts = self.parts.iter().map(|part| part.get().to_dict(py));
        dict.set_item("parts", parts.collect::<PyResult<Vec<_>>>()?)?;
        dict.set_item("parts_dropped", self.dropped)?;
        Ok(dict)
    }
}

/// Every count of RAM, by name.
const fn counts(ram: &Ram) -> [(&'static str, u64); 17] {
    [
        ("bytes", ram.bytes),
        ("blocks", ram.blocks as u64),
        ("runs", ram.runs),
        ("pages", ram.pages),
        ("zero_pages", ram.zero_pages),
        ("xbzrle_pages", ram.xbzrle_pages),
        ("xbzrle_bytes", ram.xbzrle_bytes),
        ("compressed_pages", ram.compressed_pages),
        ("compressed_bytes", ram.compressed_bytes),
        ("names", ram.names),
        ("flushes", ram.flushes),
        ("mapped_blocks", ram.mapped_blocks as u64),
        ("mapped_pages", ram.mapped_pages),
        ("packets", ram.packets),
        ("packet_pages", ram.packet_pages),
        ("packet_zero_pages", ram.packet_zero_pages),
        ("packet_bytes", ram.packet_bytes),
    ]
}

/// Every count of dirty bitmaps, by name.
const fn counts_of_bitmaps(bitmaps: &Bitmaps) -> [(&'static str, u64); 7] {
    [
        ("bitmaps", bitmaps.bitmaps),
        ("nodes", bitmaps.nodes),
        ("completed", bitmaps.completed),
        ("pieces", bitmaps.pieces),
        ("bytes", bitmaps.bytes),
        ("zero_pieces", bitmaps.zero_pieces),
        ("runs", bitmaps.runs),
    ]
}

/// Collects what an inspection shows, and writes devices to files.
pub(crate) struct Inspector {
    structures_max: usize,
    image: Option<SaveImage>,
    configuration: Option<transire_core::containers::qemu::Configuration>,
    parts: Vec<Part>,
    count: usize,
    dropped: u64,
    structures: Vec<(usize, Seen)>,
    structures_dropped: u64,
    ram: Ram,
    /// The sum of the channel in hand, which is added when the next one begins.
    here: Ram,
    /// Those of the main channel: no other has any.
    bitmaps: Bitmaps,
    searched: u64,
    channel: u32,
    position: u64,
    /// Whether the section that was begun is not over.
    open: bool,
    described: Option<Vec<u8>>,
    /// Where the description stands, as it passes.
    passing: Option<(u64, u64)>,
    wants_description: bool,
    directory: Option<PathBuf>,
    files: Files,
}

impl Inspector {
    pub(crate) fn new(structures_max: usize, wants_description: bool, directory: Option<PathBuf>) -> Self {
        Self {
            structures_max,
            image: None,
            configuration: None,
            parts: Vec::new(),
            count: 0,
            dropped: 0,
            structures: Vec::new(),
            structures_dropped: 0,
            ram: Ram::default(),
            here: Ram::default(),
            bitmaps: Bitmaps::default(),
            searched: 0,
            channel: 0,
            position: 0,
            open: false,
            described: None,
            passing: None,
            wants_description,
            directory,
            files: Files::default(),
        }
    }

    /// How many structures were counted but not kept.
    pub(crate) const fn structures_dropped(&self) -> u64 {
        self.structures_dropped
    }

    /// What was seen of a device besides its verdict.
    pub(crate) fn besides(&mut self, py: Python<'_>, number: usize, seen: &Judged<'_>) -> PyResult<Besides> {
        let vendor = seen.gate.and_then(transire_core::gate::Gate::format);
        let vendor = vendor.and_then(|name| VENDORS.format(name)).and_then(|format| VENDORS.dictionary(format.vendor));
        let place = |offset: u64| seen.device.and_then(|device| device.locate(offset)).unwrap_or((0, offset));
        let own = self.structures.iter().filter(|(device, _)| *device == number);
        let structures = own.map(|(_, structure)| structure.structure(py, vendor, &place)).collect::<PyResult<_>>()?;
        // A device without any data has its file, too.
        if let Some(known) = seen.device {
            self.make(number, known).map_err(|stop| stop.into_py(None))?;
        }
        let path = self.files.made.get(number).and_then(Option::as_ref);
        let path = path.map(|(_, path)| path.to_string_lossy().into_owned());
        Ok(Besides { structures, path })
    }

    /// What the container holds.
    pub(crate) fn finish(mut self, py: Python<'_>, migration: &Migration) -> PyResult<Contents> {
        self.files.complete = true;
        self.begin(0, 0);
        let configuration = self.configuration.unwrap_or_else(|| migration.reader().configuration().clone());
        let has = [
            ("x-ignore-shared", configuration.ignore_shared),
            ("mapped-ram", configuration.mapped_ram),
            ("postcopy", migration.reader().is_postcopy()),
        ];
        let parts = self.parts.into_iter().map(|part| Py::new(py, part)).collect::<PyResult<_>>()?;
        Ok(Contents {
            image: self.image,
            machine: (!configuration.machine.is_empty()).then(|| text(&configuration.machine)),
            uuid: configuration.uuid.map(|uuid| hex(&uuid)),
            page_bits: configuration.page_bits,
            capabilities: has.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect(),
            parts,
            dropped: self.dropped,
            ram: self.ram,
            bitmaps: self.bitmaps,
            searched: self.searched,
            description: self
                .described
                .filter(|_| self.wants_description)
                .map(|json| String::from_utf8_lossy(&json).into_owned()),
        })
    }

    /// Keeps a part: in the section that is open, or behind the last one.
    fn keep(&mut self, part: Part) {
        if self.count >= PARTS_MAX {
            self.dropped += 1;
            return;
        }
        self.count += 1;
        match self.parts.last_mut().filter(|_| self.open) {
            Some(section) => section.parts.push(part),
            None => self.parts.push(part),
        }
    }

    fn section(&mut self, head: Head, reader: &QemuReader) {
        self.open = false;
        let kept = self.count < PARTS_MAX;
        let mut part = Part::new(head.kind.name(), self.channel, head.offset, None);
        let handler = usize::try_from(head.handler).ok().and_then(|handler| reader.handlers().get(handler));
        if let Some(handler) = handler {
            part.name = Some(text(&handler.name));
            part.instance = Some(handler.instance);
        }
        part.section_id = Some(head.id);
        part.version = Some(head.version);
        self.keep(part);
        self.open = kept;
    }

    fn section_end(&mut self, section: Section) {
        if let Some(part) = self.parts.last_mut().filter(|_| self.open) {
            part.length = Some(section.length);
            part.sized = Some(section.sized.name());
        }
        self.open = false;
    }

    fn record(&mut self, record: Record, reader: &QemuReader) {
        let name = match record.tag {
            Tag::EndOfState => "end",
            Tag::Setup => "setup",
            Tag::InitialDataSent => "initial data sent",
            Tag::ConfigLoadReady => "configuration load ready",
            _ if record.is_config => "configuration",
            _ => "data",
        };
        let kind = if record.tag == Tag::Packet { "packet" } else { "record" };
        let mut part = Part::new(kind, self.channel, record.offset, Some(record.length));
        part.name = Some(match reader.device(record.device).filter(|_| record.tag == Tag::Packet) {
            Some(device) => format!("{} {name}", text(&device.name)),
            None => name.to_owned(),
        });
        part.index = record.index;
        self.keep(part);
    }

    fn item(&mut self, item: Item, reader: &QemuReader) {
        let channel = self.channel;
        let plain = |kind, offset, length| Part::new(kind, channel, offset, length);
        let named = |mut part: Part, name: String| {
            part.name = Some(name);
            part
        };
        match item {
            Item::Header => self.keep(plain("header", self.position, Some(8))),
            Item::Configuration { offset, length } => {
                self.configuration = Some(reader.configuration().clone());
                let name = text(&reader.configuration().machine);
                self.keep(named(plain("configuration", offset, Some(length)), name));
            }
            Item::Command(command) => {
                let part = plain("command", command.offset, Some(u64::from(command.length)));
                self.open = false;
                self.keep(named(part, command.name.to_owned()));
            }
            Item::Section(head) => self.section(head, reader),
            Item::SectionEnd(section) => self.section_end(section),
            Item::Block(block) => {
                let name = reader.block_name(block.block).map(text).unwrap_or_default();
                self.keep(named(plain("block", block.offset, Some(block.length)), name));
            }
            Item::Bitmap(bitmap) => {
                let (node, name) = reader.bitmap_names(bitmap.bitmap).unwrap_or_default();
                let name = format!("{}/{}", text(node), text(name));
                self.keep(named(plain("bitmap", bitmap.offset, Some(bitmap.length)), name));
            }
            Item::Record(record) => self.record(record, reader),
            Item::Channel(first) => {
                let part = plain("channel", self.position, Some(64));
                self.keep(named(part, first.id.to_string()));
            }
            Item::PackageEnd { offset } => self.keep(plain("package-end", offset, Some(0))),
            Item::EndOfSections { offset } => self.keep(plain("end-of-sections", offset, Some(1))),
            Item::Description { offset, length } => {
                self.keep(plain("description", offset, Some(u64::from(length))));
                if self.wants_description && self.described.is_none() && length <= DESCRIPTION_MAX {
                    self.passing = Some((offset.saturating_add(5), u64::from(length)));
                    self.described = Some(Vec::new());
                }
            }
            Item::Message(message) => {
                let part = plain("message", message.offset, Some(u64::from(message.length)));
                self.keep(named(part, message.name.to_owned()));
            }
            // Packets of pages are summed up.
            _ => {}
        }
    }

    /// Makes the file of a device, when its first byte comes.
    fn make(&mut self, device: usize, known: &Device) -> Result<(), Stop> {
        let Some(directory) = &self.directory else { return Ok(()) };
        if self.files.made.len() <= device {
            self.files.made.resize_with(device + 1, || None);
        }
        if let Some(slot) = self.files.made.get_mut(device).filter(|slot| slot.is_none()) {
            *slot = Some(create(directory, known).map_err(Stop::Python)?);
        }
        Ok(())
    }

    fn write(&mut self, device: usize, known: &Device, bytes: &[u8]) -> Result<(), Stop> {
        self.make(device, known)?;
        match self.files.made.get_mut(device).and_then(Option::as_mut) {
            Some((file, _)) => file.write_all(bytes).map_err(Stop::Sink),
            None => Ok(()),
        }
    }
}

impl Watch for Inspector {
    fn see(&mut self, event: Event<'_>) -> Result<(), Stop> {
        match event {
            Event::Image(image) => {
                self.image = Some(image);
                let mut part = Part::new("image", self.channel, self.position, Some(image.stream_offset()));
                part.name = Some(image.format.name().to_owned());
                self.keep(part);
            }
            Event::Item(item, reader) => {
                self.item(item, reader);
                self.here = *reader.ram();
                if reader.bitmaps().runs > 0 {
                    self.bitmaps = *reader.bitmaps();
                }
                self.searched = self.searched.max(reader.searched());
            }
            Event::Config { layout, .. } => {
                let length = layout.space_offset().saturating_sub(layout.offset) + u64::from(layout.space);
                let mut part = Part::new("record", self.channel, layout.offset, Some(length));
                part.name = Some("configuration".to_owned());
                self.keep(part);
            }
            Event::Data { device, known, bytes } => self.write(device, known, bytes)?,
            Event::Record { device, layout, number, offset, bytes } => {
                if self.structures.len() < self.structures_max {
                    self.structures.push((device, Seen::shown(layout, number, offset, bytes)));
                } else {
                    self.structures_dropped += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, channel: u32, offset: u64) {
        let (sum, here) = (&mut self.ram, std::mem::take(&mut self.here));
        sum.add(&here);
        (self.channel, self.position, self.open, self.passing) = (channel, offset, false, None);
    }

    fn passed(&mut self, bytes: &[u8]) {
        let begin = self.position;
        self.position = begin.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let Some((from, length)) = self.passing else { return };
        let to = from.saturating_add(length);
        let within = |offset: u64| usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
        let part = bytes.get(within(from)..within(to).min(bytes.len())).unwrap_or(&[]);
        if let Some(described) = &mut self.described {
            described.extend_from_slice(part);
        }
    }

    fn skipped(&mut self, count: u64) {
        self.position = self.position.saturating_add(count);
    }

    fn packet(&mut self, device: usize, known: &Device, bytes: &[u8]) -> Result<(), Stop> {
        self.write(device, known, bytes)
    }

    fn description(&mut self, json: Vec<u8>) {
        if self.wants_description {
            self.described = Some(json);
        }
    }
}

/// The files of the devices, by their numbers. Where the reading itself fails, those that it made are taken away: what is
/// left of a device would be taken for its stream, and be in the way of the next try.
#[derive(Default)]
struct Files {
    made: Vec<Option<(File, PathBuf)>>,
    complete: bool,
}

impl Drop for Files {
    fn drop(&mut self) {
        let left = if self.complete { &[][..] } else { &self.made };
        for (_, path) in left.iter().flatten() {
            // Of why it failed somebody has been told; a file that cannot be taken away is there to be seen.
            drop(std::fs::remove_file(path));
        }
    }
}

/// Makes a file for a device. Its name comes from the stream: what could lead elsewhere is written as `_`.
fn create(directory: &Path, known: &Device) -> PyResult<(File, PathBuf)> {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_') { c } else { '_' };
    let name = text(known.name.strip_suffix(b"/vfio").unwrap_or(&known.name));
    let name: String = name.chars().map(safe).collect();
    let instance = if known.instance == 0 { String::new() } else { format!("-{}", known.instance) };
    std::fs::create_dir_all(directory).map_err(|error| os_error(&error, Some(directory)))?;
    let path = directory.join(format!("{}{instance}.bin", name.trim_start_matches('.')));
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    made.map(|file| (file, path.clone())).map_err(|error| os_error(&error, Some(&path)))
}
