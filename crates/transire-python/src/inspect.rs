//! `inspect`, `decode_records` and `encode_records`: every structure of a stream, field by field.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use transire_core::attribute::{AttributeId, Dictionary};
use transire_core::format::{FieldKind, FieldValue, Layout, Record};
use transire_core::gate::migration::Standard;
use transire_core::gate::{Gate, Input, Options, Output};
use transire_core::profile::Attribute;
use transire_core::report::attribute_name;
use transire_core::sealed::{ATTRIBUTE, FRAME, PROLOGUE};
use transire_core::vendors::VENDORS;

use crate::container::{Contents, Inspector};
use crate::convert::hex;
use crate::errors::{TransireError, usage};
use crate::gate::{chosen, input_of, now};
use crate::migration::{Channels, Given, Targets, Wanted, migration, run, verdict_of};
use crate::run::through;
use crate::source::{Progress, Sink, Source};
use crate::verdict::Verdict;

/// Structures that are kept for an inspection: more than anybody reads, and few enough to hold.
const STRUCTURES_MAX: usize = 10_000;
/// Bytes of a field that are kept: a frame's payload is shown by its beginning.
const RAW_MAX: usize = 4096;

/// Every structure of a stream, and the verdict on its form.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Inspection {
    structures: Vec<Py<Structure>>,
    dropped: u64,
    verdict: Py<Verdict>,
    format: Option<String>,
    container: Option<Py<Contents>>,
}

/// A structure of a stream.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Structure {
    name: &'static str,
    number: Option<u32>,
    offset: u64,
    channel: u32,
    length: usize,
    in_payload: bool,
    fields: Vec<Py<Field>>,
}

/// A field of a structure.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Field {
    name: &'static str,
    offset: u64,
    length: usize,
    raw: Vec<u8>,
    value: Option<u64>,
    text: String,
    meaning: &'static str,
}

#[pymethods]
impl Inspection {
    /// What it is: `sealed`, `profile`, `answer`, or a native format; None where it was not recognised.
    #[getter]
    fn format(&self) -> Option<&str> {
        self.format.as_deref()
    }

    /// The structures, in the order of the stream.
    #[getter]
    fn structures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.structures.iter().map(|structure| structure.clone_ref(py)))
    }

    /// How many structures were counted but not kept.
    #[getter]
    const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What a container holds; None for what is none. The devices are with the verdict.
    #[getter]
    fn container(&self, py: Python<'_>) -> Option<Py<Contents>> {
        self.container.as_ref().map(|container| container.clone_ref(py))
    }

    /// Whether the stream is well-formed.
    #[getter]
    fn verdict(&self, py: Python<'_>) -> Py<Verdict> {
        self.verdict.clone_ref(py)
    }

    /// The inspection as a dictionary, ready for JSON; bytes are in hex.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.verdict.get().to_dict(py)?;
        let structures = self.structures.iter().map(|structure| structure.get().to_dict(py));
        dict.set_item("structures", structures.collect::<PyResult<Vec<_>>>()?)?;
        dict.set_item("structures_dropped", self.dropped)?;
        if let Some(container) = &self.container {
            dict.set_item("container", container.get().to_dict(py)?)?;
        }
        Ok(dict)
    }
}

#[pymethods]
impl Structure {
    /// The name of its layout.
    #[getter]
    const fn name(&self) -> &'static str {
        self.name
    }

    /// Which one, where there are several.
    #[getter]
    const fn number(&self) -> Option<u32> {
        self.number
    }

    /// Offset of its first byte: in the input, or in the payload where `in_payload` is true.
    #[getter]
    const fn offset(&self) -> u64 {
        self.offset
    }

    /// The channel of a migration that offsets count in; 0 outside of migrations.
    #[getter]
    const fn channel(&self) -> u32 {
        self.channel
    }

    /// Its bytes.
    #[getter]
    const fn length(&self) -> usize {
        self.length
    }

    /// Whether it is inside a sealed stream's payload.
    #[getter]
    const fn in_payload(&self) -> bool {
        self.in_payload
    }

    /// Its fields, in order.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.fields.iter().map(|field| field.clone_ref(py)))
    }

    fn __repr__(&self) -> String {
        format!("<Structure {} at {}>", self.name, self.offset)
    }
}

impl Structure {
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("name", self.name)?;
        dict.set_item("number", self.number)?;
        dict.set_item("offset", self.offset)?;
        dict.set_item("channel", self.channel)?;
        dict.set_item("length", self.length)?;
        dict.set_item("in_payload", self.in_payload)?;
        let fields = self.fields.iter().map(|field| field.get().to_dict(py));
        dict.set_item("fields", fields.collect::<PyResult<Vec<_>>>()?)?;
        Ok(dict)
    }
}

#[pymethods]
impl Field {
    /// The name.
    #[getter]
    const fn name(&self) -> &'static str {
        self.name
    }

    /// Offset of its first byte: in the input, or in the payload.
    #[getter]
    const fn offset(&self) -> u64 {
        self.offset
    }

    /// Its bytes in the stream; fewer than the layout says where the input ends in it.
    #[getter]
    const fn length(&self) -> usize {
        self.length
    }

    /// Its bytes, the first 4,096 of them.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.raw)
    }

    /// The number, or the bytes; None where the input ends in a number.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        use pyo3::IntoPyObjectExt;
        match self.value {
            Some(number) => number.into_bound_py_any(py),
            None if self.text.is_empty() => Ok(py.None().into_bound(py)),
            None => Ok(PyBytes::new(py, &self.raw).into_any()),
        }
    }

    /// The value in words.
    #[getter]
    fn text(&self) -> &str {
        &self.text
    }

    /// What the field says.
    #[getter]
    const fn meaning(&self) -> &'static str {
        self.meaning
    }

    fn __repr__(&self) -> String {
        format!("<Field {} = {}>", self.name, self.text)
    }
}

impl Field {
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("name", self.name)?;
        dict.set_item("offset", self.offset)?;
        dict.set_item("length", self.length)?;
        dict.set_item("raw", hex(&self.raw))?;
        dict.set_item("value", self.value)?;
        dict.set_item("text", &self.text)?;
        dict.set_item("meaning", self.meaning)?;
        Ok(dict)
    }

    fn read(layout: &'static Layout, at: usize, offset: u64, record: &[u8]) -> Option<Self> {
        let field = layout.fields.get(at)?;
        let start = usize::try_from(field.offset).ok()?;
        let rest = record.get(start..).filter(|rest| !rest.is_empty() || field.kind == FieldKind::Rest)?;
        let bytes = field.kind.size().and_then(|size| rest.get(..size)).unwrap_or(rest);
        let value = field.number(record);
        let text = match (value, field.kind) {
            (Some(number), kind) if kind.is_hex() => format!("{number:#x}"),
            (Some(number), _) => number.to_string(),
            (None, FieldKind::Bytes(_) | FieldKind::Rest) => printable(bytes),
            // The input ends inside a number.
            (None, _) => String::new(),
        };
        Some(Self {
            name: field.name,
            offset: offset + u64::from(field.offset),
            length: bytes.len(),
            raw: bytes.get(..RAW_MAX).unwrap_or(bytes).to_vec(),
            value,
            text,
            meaning: field.meaning,
        })
    }
}

/// Bytes in words: their characters where all can be read, their number otherwise.
fn printable(bytes: &[u8]) -> String {
    let characters = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    match std::str::from_utf8(bytes) {
        Ok(text) if characters && !bytes.is_empty() && bytes.len() <= 64 => format!("{text:?}"),
        _ if bytes.len() <= 16 => hex(bytes),
        _ => format!("{} bytes", bytes.len()),
    }
}

/// A structure that has been seen.
pub(crate) struct Seen {
    layout: &'static Layout,
    number: Option<u32>,
    offset: u64,
    inside: bool,
    bytes: Vec<u8>,
    length: usize,
    whole: bool,
}

impl Seen {
    /// A structure of which as many bytes are kept as an inspection shows.
    pub(crate) fn shown(layout: &'static Layout, number: Option<u32>, offset: u64, bytes: &[u8]) -> Self {
        Self::kept(layout, number, (offset, false), bytes, RAW_MAX + FRAME.size())
    }

    fn kept(
        layout: &'static Layout,
        number: Option<u32>,
        (offset, inside): (u64, bool),
        bytes: &[u8],
        keep: usize,
    ) -> Self {
        let kept = bytes.get(..keep).unwrap_or(bytes).to_vec();
        let whole = bytes.len() >= layout.size();
        Self { layout, number, offset, inside, length: bytes.len(), bytes: kept, whole }
    }

    /// The structure for Python; `place` says where an offset of it stands.
    pub(crate) fn structure(
        &self,
        py: Python<'_>,
        vendor: Option<&'static Dictionary>,
        place: &dyn Fn(u64) -> (u32, u64),
    ) -> PyResult<Py<Structure>> {
        let read = |at| Field::read(self.layout, at, self.offset, &self.bytes);
        let mut fields: Vec<Field> = (0..self.layout.fields.len()).filter_map(read).collect();
        if let Some(last) = fields.last_mut()
            && self.layout.fields.last().is_some_and(|field| field.name == last.name && field.kind == FieldKind::Rest)
        {
            last.length = self.length.saturating_sub(self.layout.size());
            if last.length > RAW_MAX {
                last.text = format!("{} bytes", last.length);
            }
        }
        if core::ptr::eq(self.layout, &raw const ATTRIBUTE) {
            name_attribute(&mut fields, &self.bytes, vendor);
        }
        for field in &mut fields {
            field.offset = place(field.offset).1;
        }
        let (channel, offset) = place(self.offset);
        let fields = fields.into_iter().map(|field| Py::new(py, field)).collect::<PyResult<_>>()?;
        let structure = Structure {
            name: self.layout.name,
            number: self.number,
            offset,
            channel,
            length: self.length,
            in_payload: self.inside,
            fields,
        };
        Py::new(py, structure)
    }
}

/// The structures of a source, and the gate that read it.
fn structures(
    py: Python<'_>,
    source: Source<'_>,
    input: Input,
    keep: usize,
    most: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Vec<Seen>, u64, Gate)> {
    let options = Options { input, describe: true, read_on: true, now: now(), ..Options::default() };
    let mut gate = Gate::new(VENDORS, None, options);
    let (mut seen, mut dropped) = (Vec::new(), 0_u64);
    let mut tell = |output: &Output<'_>| {
        if let Output::Record { layout, number, offset, inside, bytes } = *output {
            if seen.len() == most {
                dropped += 1;
                return;
            }
            seen.push(Seen::kept(layout, number, (offset, inside), bytes, keep));
        }
    };
    through(py, &mut gate, source, &mut Sink::None, (&mut tell, &mut |_| Ok(())), &mut Progress::new(progress))?;
    Ok((seen, dropped, gate))
}

/// Show every field of a stream with its offset, its bytes and its meaning, as far as the stream can be read.
///
/// A migration stream of QEMU, alone or behind libvirt's header, is recognised by its magic, or with `input="qemu"`
/// taken for one; its channels are a list of sources. `container` is then what it holds, and the verdict has its devices,
/// each with its structures. With `describe` the stream's own description of itself is kept.
#[pyfunction]
#[pyo3(signature = (source, *, input = "auto", format = None, offset = 0, describe = false, progress = None))]
pub(crate) fn inspect(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    input: &str,
    format: Option<&str>,
    offset: u64,
    describe: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Inspection> {
    let wanted = Wanted { input, format, offset };
    // What is wrong with these is said before anything is read.
    if !wanted.is_forced() {
        input_of(input, format)?;
    }
    let source = match Given::open(py, source, wanted, None)? {
        Given::Migration(channels) => return of_container(py, channels, wanted, (describe, None), progress),
        Given::Stream(source) => source,
    };
    let input = input_of(input, format)?;
    let keep = RAW_MAX + FRAME.size();
    let (seen, dropped, gate) = structures(py, source, input, keep, STRUCTURES_MAX, progress)?;
    let vendor = gate.source();
    let vendor = match transire_core::attribute::Attributes::value(&vendor, transire_core::attribute::VENDOR) {
        Some(transire_core::attribute::Value::Text(vendor)) => VENDORS.dictionary(vendor.as_str()),
        _ => None,
    };
    let structures = seen.iter().map(|seen| seen.structure(py, vendor, &|offset| (0, offset)));
    let structures = structures.collect::<PyResult<_>>()?;
    let format = gate.format().map(ToOwned::to_owned);
    let verdict = Py::new(py, Verdict::of_gate(&gate, None))?;
    Ok(Inspection { structures, dropped, verdict, format, container: None })
}

/// Write the stream of each device of a migration to a file of its own in `directory`, named for the device.
///
/// No file is written over. Returns the inspection, whose devices have the paths; what a damaged migration has of a
/// device's stream is written, too.
#[pyfunction]
#[pyo3(signature = (source, directory, *, input = "auto", format = None, offset = 0, describe = false, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub(crate) fn extract(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    directory: PathBuf,
    input: &str,
    format: Option<&str>,
    offset: u64,
    describe: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Inspection> {
    let wanted = Wanted { input, format, offset };
    match Given::open(py, source, wanted, None)? {
        Given::Migration(channels) => of_container(py, channels, wanted, (describe, Some(directory)), progress),
        Given::Stream(_) => Err(usage("devices are extracted from a migration stream, and this is none")),
    }
}

/// Inspects a migration.
fn of_container(
    py: Python<'_>,
    mut channels: Channels<'_>,
    wanted: Wanted<'_>,
    (describe, directory): (bool, Option<PathBuf>),
    progress: Option<Py<PyAny>>,
) -> PyResult<Inspection> {
    let devices = Options { describe: true, read_on: true, ..Options::default() };
    let mut migration = migration(Targets::Nothing, Standard::Strict, wanted, None, devices)?;
    let mut inspector = Inspector::new(STRUCTURES_MAX, describe, directory);
    run(py, &mut migration, &mut channels, &mut Sink::None, &mut inspector, &mut Progress::new(progress))?;
    let verdict = Py::new(py, verdict_of(py, &migration, |number, seen| inspector.besides(py, number, seen))?)?;
    let dropped = inspector.structures_dropped();
    let container = Some(Py::new(py, inspector.finish(py, &migration)?)?);
    let format = migration.container().map(|container| container.name().to_owned());
    Ok(Inspection { structures: Vec::new(), dropped, verdict, format, container })
}

/// Says of an attribute's fields which attribute and which value it is.
fn name_attribute(fields: &mut [Field], bytes: &[u8], dictionary: Option<&'static Dictionary>) {
    let Ok(attribute) = Attribute::read(&mut transire_core::bytes::Reader::new(bytes)) else { return };
    for field in fields {
        match field.name {
            "id" => {
                let name = attribute_name(AttributeId(attribute.id.0), dictionary);
                field.text = format!("{} {name}", attribute.id);
            }
            "type" => {
                if let Some(kind) = transire_core::attribute::Type::from_code(attribute.type_code) {
                    field.text = format!("{} {}", attribute.type_code, kind.name());
                }
            }
            "value" => {
                if let Some(value) = attribute.value() {
                    field.text = value.to_string();
                }
            }
            _ => {}
        }
    }
}

/// A decoded record: name, number, offset, values by field.
type Decoded<'py> = (String, Vec<(&'static str, Option<u32>, u64, Bound<'py, PyDict>)>);

/// Take a stream apart; see `transire.decode`.
#[pyfunction]
#[pyo3(signature = (source, format = None))]
pub(crate) fn decode_records<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    format: Option<&str>,
) -> PyResult<Decoded<'py>> {
    let (source, input) = (Source::open(source, None)?, input_of("auto", format)?);
    let (seen, _, gate) = structures(py, source, input, usize::MAX, usize::MAX, None)?;
    // Profiles and answers are no streams and so never complete: for them, that nothing was found is enough.
    let is_stream = !matches!(gate.format(), Some("profile" | "answer"));
    if !gate.is_complete() && (is_stream || gate.verdict().is_settled_against()) {
        let verdict = Bound::new(py, Verdict::of_gate(&gate, None))?;
        return Err(
            Verdict::exception(&verdict).unwrap_or_else(|| TransireError::new_err("the stream is not complete"))
        );
    }
    let mut records = Vec::new();
    for seen in seen.into_iter().filter(|seen| !seen.inside && seen.whole) {
        let record = Record::decode(seen.layout, seen.number, seen.offset, &seen.bytes);
        let record = record.ok_or_else(|| TransireError::new_err("a structure is shorter than its layout"))?;
        let values = PyDict::new(py);
        for (field, value) in record.layout.fields.iter().zip(&record.values) {
            match value {
                FieldValue::Number(number) => values.set_item(field.name, number)?,
                FieldValue::Bytes(bytes) => values.set_item(field.name, PyBytes::new(py, bytes))?,
            }
        }
        records.push((record.layout.name, record.number, record.offset, values));
    }
    Ok((gate.format().unwrap_or_default().to_owned(), records))
}

/// Write a decoded stream; see `transire.encode`.
#[pyfunction]
pub(crate) fn encode_records<'py>(
    py: Python<'py>,
    format: &str,
    records: Vec<(String, Bound<'py, PyDict>)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let envelope: &[&'static Layout] = &[&PROLOGUE, &ATTRIBUTE, &FRAME];
    let layouts = match format {
        "sealed" | "profile" | "answer" => envelope,
        name => chosen(name)?.0.layouts,
    };
    let mut out = Vec::new();
    for (name, values) in records {
        let layout = layouts.iter().find(|layout| layout.name == name);
        let layout = layout.ok_or_else(|| usage(format!("{format} has no structure {name}")))?;
        let value = |field: &transire_core::format::Field| {
            let path = format!("{name}.{}", field.name);
            let value = values.get_item(field.name)?;
            let value = value.ok_or_else(|| TransireError::new_err(format!("{path}: there is no value")))?;
            if let Ok(bytes) = value.cast::<PyBytes>() {
                return Ok(FieldValue::Bytes(bytes.as_bytes().to_vec()));
            }
            let number = value.extract::<u64>();
            let wrong = |_| TransireError::new_err(format!("{path}: a value is bytes or a number from 0 to 2^64 - 1"));
            Ok::<_, PyErr>(FieldValue::Number(number.map_err(wrong)?))
        };
        let fields = layout.fields.iter().map(value).collect::<PyResult<Vec<_>>>()?;
        for key in values.keys() {
            let key: String = key.extract()?;
            if layout.field(&key).is_none() {
                return Err(TransireError::new_err(format!("{name}.{key}: there is no such field")));
            }
        }
        let record = Record { layout, number: None, offset: 0, values: fields };
        let failed = |error: transire_core::format::EncodeError| {
            TransireError::new_err(format!("{}: {}", error.field, error.problem))
        };
        record.encode(&mut out).map_err(failed)?;
    }
    Ok(PyBytes::new(py, &out))
}
