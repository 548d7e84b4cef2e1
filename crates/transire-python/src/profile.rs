//! `Profile` and `Target`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use transire_core::vendors::VENDORS;
use transire_text::{Node, load_profile, load_target, profile_to_node, read_profile, read_target};

use crate::convert;
use crate::errors::{text_error, usage};
use crate::source;

/// The attributes of one device.
///
/// `Profile(vendor="mtty", attributes={"nr_ports": 2})`; attributes by name, as `transire profile template` lists them.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Profile(pub(crate) Arc<transire_core::profile::Profile>);

/// The device that a stream is to be loaded into: a profile with what it accepts, requires, can set, and has been
/// assured of.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Target(pub(crate) Arc<transire_core::target::Target>);

/// Text or bytes.
fn bytes_of(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(text) = data.cast::<PyString>() {
        return Ok(text.to_cow()?.as_bytes().to_vec());
    }
    match data.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes().to_vec()),
        Err(_) => Err(usage("a profile or target is read from bytes or text; use load for a file")),
    }
}

fn attributes_of<'py>(py: Python<'py>, profile: &transire_core::profile::Profile) -> PyResult<Bound<'py, PyAny>> {
    match profile_to_node(profile).entry("attributes") {
        Some(attributes) => convert::object(py, attributes),
        None => Ok(PyDict::new(py).into_any()),
    }
}

#[pymethods]
impl Profile {
    #[new]
    #[pyo3(signature = (vendor, attributes = None))]
    fn new(vendor: String, attributes: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut entries = vec![("vendor", Node::from(vendor))];
        if let Some(attributes) = attributes {
            entries.push(("attributes", convert::node(attributes, 0)?));
        }
        let profile = read_profile(&Node::table(entries), VENDORS).map_err(|error| text_error(&error))?;
        Ok(Self(Arc::new(profile)))
    }

    /// Read a profile from a file: TOML, JSON, canonical bytes, or the one-line text.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        let bytes = source::whole_file(&path, transire_text::TEXT_FILE_MAX)?;
        let profile = load_profile(&bytes, VENDORS).map_err(|error| text_error(&error))?;
        Ok(Self(Arc::new(profile)))
    }

    /// Read a profile from text or bytes: TOML, JSON, canonical bytes, or the one-line text.
    #[staticmethod]
    fn read(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let profile = load_profile(&bytes_of(data)?, VENDORS).map_err(|error| text_error(&error))?;
        Ok(Self(Arc::new(profile)))
    }

    /// Read a `migration_version` of GVT-g, as the kernel patches of 2019 and 2020 had it, in either of its two forms.
    #[staticmethod]
    fn from_migration_version(text: &str) -> PyResult<Self> {
        let profile = transire_text::profile_from_migration_version(text, VENDORS);
        Ok(Self(Arc::new(profile.map_err(|error| text_error(&error))?)))
    }

    /// Read a `migration/self`, as the proposal of August 2020 had it: one key=value a line.
    #[staticmethod]
    fn from_self(text: &str) -> PyResult<Self> {
        let profile = transire_text::profile_from_self(text, VENDORS);
        Ok(Self(Arc::new(profile.map_err(|error| text_error(&error))?)))
    }

    /// The family of devices.
    #[getter]
    fn vendor(&self) -> &'static str {
        self.0.vendor()
    }

    /// The attributes by name, without the vendor.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        attributes_of(py, &self.0)
    }

    /// The canonical bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    /// The one-line text: `transire1.` and the canonical bytes in base64url.
    fn to_text(&self) -> String {
        transire_text::profile_to_line(&self.0)
    }

    /// The profile as TOML.
    fn to_toml(&self) -> String {
        transire_text::profile_to_toml(&self.0)
    }

    /// The profile as JSON.
    fn to_json(&self) -> String {
        transire_text::profile_to_json(&self.0)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0 == self.0)
    }

    fn __ne__(&self, other: &Bound<'_, PyAny>) -> bool {
        !self.__eq__(other)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.header().bytes().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Profile(vendor={:?}, attributes={})", self.vendor(), self.attributes(py)?.repr()?))
    }
}

#[pymethods]
impl Target {
    #[new]
    #[pyo3(signature = (vendor, attributes = None, accepts = None, settable = None, requires = None, assertions = None))]
    fn new(
        vendor: String,
        attributes: Option<&Bound<'_, PyAny>>,
        accepts: Option<&Bound<'_, PyAny>>,
        settable: Option<&Bound<'_, PyAny>>,
        requires: Option<&Bound<'_, PyAny>>,
        assertions: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut entries = vec![("vendor", Node::from(vendor))];
        let sections = [
            ("attributes", attributes),
            ("accepts", accepts),
            ("settable", settable),
            ("requires", requires),
            ("assertions", assertions),
        ];
        for (name, section) in sections {
            if let Some(section) = section {
                entries.push((name, convert::node(section, 0)?));
            }
        }
        let target = read_target(&Node::table(entries), VENDORS).map_err(|error| text_error(&error))?;
        Ok(Self(Arc::new(target)))
    }

    /// Read a target from a file: TOML or JSON. A profile in canonical bytes or in one line is a target without terms.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        let bytes = source::whole_file(&path, transire_text::TEXT_FILE_MAX)?;
        let target = load_target(&bytes, VENDORS).map_err(|error| text_error(&error))?;
        Ok(Self(Arc::new(target)))
    }

    /// Read a target from text or bytes.
    #[staticmethod]
    fn read(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let target = load_target(&bytes_of(data)?, VENDORS).map_err(|error| text_error(&error))?;
        Ok(Self(Arc::new(target)))
    }

    /// The family of devices.
    #[getter]
    fn vendor(&self) -> &'static str {
        self.0.vendor()
    }

    /// The attributes by name, without the vendor.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        attributes_of(py, self.0.profile())
    }

    /// What the device is, without the terms.
    #[getter]
    fn profile(&self) -> Profile {
        Profile(Arc::new(self.0.profile().clone()))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Target(vendor={:?}, attributes={})", self.vendor(), self.attributes(py)?.repr()?))
    }
}

/// The targets that a device's `migration/compatible` comes to, as the proposal of August 2020 had it, and what was
/// dropped on the way. The device takes what one of the targets takes.
#[pyfunction]
pub(crate) fn targets_from_compatible<'py>(
    py: Python<'py>,
    device: &Profile,
    text: &str,
) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyTuple>)> {
    let read = transire_text::targets_from_compatible(&device.0, text, VENDORS);
    let read = read.map_err(|error| text_error(&error))?;
    let targets = read.targets.into_iter().map(|target| Py::new(py, Target(Arc::new(target))));
    let targets = PyTuple::new(py, targets.collect::<PyResult<Vec<_>>>()?)?;
    let dropped = PyTuple::new(
        py,
        read.dropped.iter().map(|dropped| format!("{}: {}", dropped.at, dropped.message)).collect::<Vec<_>>(),
    )?;
    Ok((targets, dropped))
}
