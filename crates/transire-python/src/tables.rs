//! What is known here: formats, vendors, attributes, reasons.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use transire_core::attribute::{COMMON, Definition};
use transire_core::format::{Format, Glance, Hold, Role, Vendor};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, ReasonId};

use crate::errors::usage;
use crate::verdict::{Origin, outcome_object};

/// A byte layout of a vendor, and what its streams can prove.
#[pyclass(frozen, module = "transire")]
pub(crate) struct FormatInfo(&'static Format);

#[pymethods]
impl FormatInfo {
    /// The name.
    #[getter]
    const fn name(&self) -> &'static str {
        self.0.name
    }

    /// The vendor that it belongs to.
    #[getter]
    const fn vendor(&self) -> &'static str {
        self.0.vendor
    }

    /// What it is.
    #[getter]
    const fn title(&self) -> &'static str {
        self.0.title
    }

    /// What in the stream identifies its source.
    #[getter]
    const fn identity(&self) -> &'static str {
        self.0.proves.identity
    }

    /// What of that the driver checks.
    #[getter]
    const fn driver_checks(&self) -> &'static str {
        self.0.proves.driver_checks
    }

    /// How the end is marked.
    #[getter]
    const fn end(&self) -> &'static str {
        self.0.proves.end
    }

    /// What protects the payload.
    #[getter]
    const fn payload(&self) -> &'static str {
        self.0.proves.payload
    }

    /// What sealing adds.
    #[getter]
    const fn sealing_adds(&self) -> &'static str {
        self.0.proves.sealing_adds
    }

    /// What a stream can prove, in a word each: `identity` (what identifies its source), `driver_checks` (`all`, `part`
    /// or `nothing` of that), and whether the end is marked, the payload protected, and sealing adds something.
    #[getter]
    fn glance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Glance { identity, driver_checks, end_marked, payload_protected, sealing_adds } = self.0.proves.glance;
        let dict = PyDict::new(py);
        dict.set_item("identity", identity)?;
        dict.set_item("driver_checks", driver_checks.name())?;
        dict.set_item("end_marked", end_marked)?;
        dict.set_item("payload_protected", payload_protected)?;
        dict.set_item("sealing_adds", sealing_adds)?;
        Ok(dict)
    }

    /// What it describes: `source`, the stream of a device, or `target`, what a target says of itself.
    #[getter]
    const fn role(&self) -> &'static str {
        match self.0.role {
            Role::Source => "source",
            Role::Target => "target",
            Role::Envelope => "envelope",
            Role::Container => "container",
        }
    }

    /// Options that `NAME:OPTION=VALUE` settles: of each the name, the values and the meaning.
    #[getter]
    fn options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let options = self.0.options.iter().map(|option| (option.name, option.values.to_vec(), option.meaning));
        PyTuple::new(py, options)
    }

    /// Bytes within which the source profile is known; None where only the end tells.
    #[getter]
    const fn judged_within(&self) -> Option<u32> {
        self.0.judged_within
    }

    /// What must be seen before a byte may be released: `whole`, `record` or `prefix`, and at most how many bytes.
    #[getter]
    const fn hold(&self) -> (&'static str, u32) {
        match self.0.hold {
            Hold::Whole(bytes) => ("whole", bytes),
            Hold::Record(bytes) => ("record", bytes),
            Hold::Prefix(bytes) => ("prefix", bytes),
        }
    }

    /// Whether the kernel driver can be predicted.
    #[getter]
    const fn has_driver(&self) -> bool {
        self.0.driver.is_some()
    }

    fn __repr__(&self) -> String {
        format!("<FormatInfo {}>", self.0.name)
    }
}

/// A family of devices.
#[pyclass(frozen, module = "transire")]
pub(crate) struct VendorInfo(&'static Vendor);

#[pymethods]
impl VendorInfo {
    /// The name.
    #[getter]
    const fn name(&self) -> &'static str {
        self.0.name()
    }

    /// What it is.
    #[getter]
    const fn title(&self) -> &'static str {
        self.0.title
    }

    /// The attributes that a profile of it may have.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let attributes = self.0.rules.dictionary.definitions().map(|definition| Py::new(py, AttributeInfo(definition)));
        PyTuple::new(py, attributes.collect::<PyResult<Vec<_>>>()?)
    }

    /// Its formats; none where its streams can only be sealed as `opaque`.
    #[getter]
    fn formats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.formats.iter().map(|format| format.name))
    }

    fn __repr__(&self) -> String {
        format!("<VendorInfo {}>", self.0.name())
    }
}

/// An attribute that is known here.
#[pyclass(frozen, module = "transire")]
pub(crate) struct AttributeInfo(&'static Definition);

#[pymethods]
impl AttributeInfo {
    /// Its id on the wire, with the critical bit.
    #[getter]
    const fn id(&self) -> u16 {
        self.0.id.0
    }

    /// The name.
    #[getter]
    const fn name(&self) -> &'static str {
        self.0.name
    }

    /// The type of its value.
    #[getter]
    const fn r#type(&self) -> &'static str {
        self.0.kind.name()
    }

    /// What it says.
    #[getter]
    const fn meaning(&self) -> &'static str {
        self.0.meaning
    }

    /// Where the value of a running host is found.
    #[getter]
    const fn place(&self) -> &'static str {
        self.0.place
    }

    fn __repr__(&self) -> String {
        format!("<AttributeInfo {}>", self.0.name)
    }
}

/// Every format that is known here.
#[pyfunction]
pub(crate) fn formats(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let formats = VENDORS.formats().map(|format| Py::new(py, FormatInfo(format)));
    PyTuple::new(py, formats.collect::<PyResult<Vec<_>>>()?)
}

/// Every vendor that is known here.
#[pyfunction]
pub(crate) fn vendors(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let vendors = VENDORS.0.iter().map(|vendor| Py::new(py, VendorInfo(vendor)));
    PyTuple::new(py, vendors.collect::<PyResult<Vec<_>>>()?)
}

/// A commented target for a vendor, as TOML, with the place in sysfs where each value is found.
#[pyfunction]
pub(crate) fn template(vendor: &str) -> PyResult<String> {
    let known = || VENDORS.0.iter().map(|vendor| vendor.name()).collect::<Vec<_>>().join(", ");
    let found = VENDORS.vendor(vendor);
    let vendor = found.ok_or_else(|| usage(format!("unknown vendor {vendor}; known are {}", known())))?;
    Ok(transire_text::template(vendor))
}

/// What a reason id means, where it comes from, and what to do.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Explanation {
    id: String,
    kind: ReasonId,
    attribute: Option<&'static Definition>,
    rules: Vec<(&'static str, String, &'static transire_core::rule::Origin)>,
}

#[pymethods]
impl Explanation {
    /// The id.
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    /// What a reason of this kind makes of the verdict; compatible for a note.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        outcome_object(py, self.kind.outcome())
    }

    /// What it means.
    #[getter]
    const fn meaning(&self) -> &'static str {
        self.kind.0.meaning
    }

    /// What can be done about it.
    #[getter]
    const fn remedy(&self) -> &'static str {
        self.kind.0.remedy
    }

    /// The attribute that it is about.
    #[getter]
    fn attribute(&self) -> Option<AttributeInfo> {
        self.attribute.map(AttributeInfo)
    }

    /// The rules on that attribute: vendor, the rule in words, origin.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let rules =
            self.rules.iter().map(|(vendor, words, origin)| Ok((*vendor, words.clone(), Py::new(py, Origin(origin))?)));
        PyTuple::new(py, rules.collect::<PyResult<Vec<_>>>()?)
    }

    fn __repr__(&self) -> String {
        format!("<Explanation {}>", self.id)
    }
}

/// Explain a reason id: `header.crc`, or of an attribute `nr_ports.not-equal`.
#[pyfunction]
pub(crate) fn explain(reason_id: &str) -> PyResult<Explanation> {
    let unknown = || usage(format!("unknown reason id {reason_id}"));
    if let Some(kind) = VENDORS.reason(reason_id) {
        return Ok(Explanation { id: reason_id.to_owned(), kind, attribute: None, rules: Vec::new() });
    }
    let (name, _) = reason_id.rsplit_once('.').ok_or_else(unknown)?;
    let kind = VENDORS.reason(reason_id.get(name.len()..).unwrap_or_default()).ok_or_else(unknown)?;
    let named = |table: &'static [Definition]| table.iter().find(|definition| definition.name == name);
    let of_vendor = || VENDORS.0.iter().find_map(|vendor| named(vendor.rules.dictionary.attributes));
    let attribute = named(COMMON).or_else(of_vendor).ok_or_else(unknown)?;
    let mut rules = Vec::new();
    for vendor in VENDORS.0 {
        let of_common = named(COMMON).is_some();
        if !of_common && named(vendor.rules.dictionary.attributes).is_none() {
            continue;
        }
        for rule in vendor.rules.rules {
            let of_attribute = [rule.source, rule.target].iter().any(|id| id.number() == attribute.id.number());
            // Of the kinds that say how a comparison failed, a rule gives its own comparison's only.
            let can_give = rule.compare.mismatch().is_none_or(|own| own == kind || !is_mismatch(kind));
            if of_attribute && can_give {
                rules.push((vendor.name(), rule.compare.words(), &rule.origin));
            }
        }
    }
    Ok(Explanation { id: reason_id.to_owned(), kind, attribute: Some(attribute), rules })
}

/// Whether the kind says how a comparison failed.
fn is_mismatch(kind: ReasonId) -> bool {
    transire_core::rule::MISMATCHES.contains(&kind)
}

/// Every reason id. One that begins with a dot stands behind the name of an attribute.
#[pyfunction]
pub(crate) fn reason_ids(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, VENDORS.reasons().map(ReasonId::text).collect::<Vec<_>>())
}

const _: () = assert!(Outcome::ALL.len() == 7, "python/transire/outcome.py lists as many");
