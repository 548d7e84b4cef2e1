//! `Verdict` and its `Reason`s, which are built when somebody looks at them.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use transire_core::attribute::Attributes;
use transire_core::report::{Report, reports};
use transire_core::verdict::{Outcome, reasons};
use transire_core::{rule, vendors::VENDORS};

use crate::errors::of_outcome;
use crate::judge::Prediction;
use crate::migration::Device;
use crate::profile::Profile;

/// The schema of every JSON output.
const SCHEMA: u64 = 1;

/// The Python enumeration member of an outcome.
pub(crate) fn outcome_object(py: Python<'_>, outcome: Outcome) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class =
        CLASS.get_or_try_init(py, || Ok::<_, PyErr>(py.import("transire.outcome")?.getattr("Outcome")?.unbind()))?;
    class.bind(py).call1((outcome.name(),))
}

/// What a stream or a profile came to: an outcome and its reasons, the worst first.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Verdict {
    verdict: transire_core::verdict::Verdict,
    source: Option<Arc<transire_core::profile::Profile>>,
    target: Option<Arc<transire_core::target::Target>>,
    complete: bool,
    examined: u64,
    format: Option<&'static str>,
    payload_format: Option<String>,
    prediction: Option<Prediction>,
    abort_text: Option<String>,
    of_migration: Option<OfMigration>,
    reasons: PyOnceLock<Py<PyTuple>>,
}

/// What the verdict on a migration, or on a device of one, has besides.
#[derive(Default)]
pub(crate) struct OfMigration {
    /// The device that it is about; `None` for the whole migration.
    pub(crate) device: Option<String>,
    /// The devices, of a whole migration.
    pub(crate) devices: Vec<Py<Device>>,
    /// The reasons in words, each with the device that it is about, the worst first.
    pub(crate) reports: Vec<(Report, Option<String>)>,
}

/// What a verdict is made of.
pub(crate) struct Parts {
    pub(crate) verdict: transire_core::verdict::Verdict,
    pub(crate) source: Option<Arc<transire_core::profile::Profile>>,
    pub(crate) target: Option<Arc<transire_core::target::Target>>,
    pub(crate) complete: bool,
    pub(crate) examined: u64,
    pub(crate) format: Option<&'static str>,
    pub(crate) payload_format: Option<String>,
    pub(crate) prediction: Option<Prediction>,
    /// What the source said when it gave up.
    pub(crate) abort_text: Option<String>,
    pub(crate) of_migration: Option<OfMigration>,
}

impl From<Parts> for Verdict {
    fn from(parts: Parts) -> Self {
        Self {
            verdict: parts.verdict,
            source: parts.source,
            target: parts.target,
            complete: parts.complete,
            examined: parts.examined,
            format: parts.format,
            payload_format: parts.payload_format,
            prediction: parts.prediction,
            abort_text: parts.abort_text,
            of_migration: parts.of_migration,
            reasons: PyOnceLock::new(),
        }
    }
}

impl Verdict {
    /// The verdict of a gate.
    pub(crate) fn of_gate(
        gate: &transire_core::gate::Gate,
        target: Option<&Arc<transire_core::target::Target>>,
    ) -> Self {
        let source = gate.source();
        let profile = gate.is_judged().then(|| profile_of(&source)).flatten();
        Parts {
            verdict: gate.verdict().clone(),
            source: profile,
            target: target.cloned(),
            complete: gate.is_complete(),
            examined: gate.examined(),
            format: gate.format(),
            payload_format: gate.payload_format().map(ToOwned::to_owned),
            prediction: None,
            abort_text: gate.abort_text().map(ToOwned::to_owned),
            of_migration: None,
        }
        .into()
    }

    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    fn reports(&self) -> Vec<(Report, Option<String>)> {
        if let Some(of_migration) = &self.of_migration {
            return of_migration.reports.clone();
        }
        let source = self.source.as_deref().map(|source| source as &dyn Attributes);
        let mut reports = reports(&self.verdict, source, self.target.as_deref());
        if let Some(text) = &self.abort_text {
            for report in reports.iter_mut().filter(|report| report.id == reasons::STREAM_ABORTED.text()) {
                report.found = Some(text.clone());
                report.text.push_str("; the source said: ");
                report.text.push_str(text);
            }
        }
        reports.into_iter().map(|report| (report, None)).collect()
    }

    /// The exception for the outcome; `None` for a compatible verdict.
    pub(crate) fn exception(slf: &Bound<'_, Self>) -> Option<PyErr> {
        let this = slf.get();
        let first = this.reports().into_iter().next().map(|(report, _)| format!("{}: {}", report.id, report.text));
        let message = first.unwrap_or_else(|| this.verdict.outcome().name().to_owned());
        of_outcome(this.verdict.outcome(), message, slf.clone().unbind())
    }
}

/// Everything that is known of a source, as a profile.
pub(crate) fn profile_of(source: &dyn Attributes) -> Option<Arc<transire_core::profile::Profile>> {
    let Some(transire_core::attribute::Value::Text(vendor)) = source.value(transire_core::attribute::VENDOR) else {
        return None;
    };
    let dictionary = VENDORS.dictionary(vendor.as_str())?;
    let profile = transire_core::profile::Profile::collect(source, dictionary, &|vendor| VENDORS.dictionary(vendor));
    profile.ok().map(Arc::new)
}

#[pymethods]
impl Verdict {
    /// The worst of the reasons' outcomes.
    #[getter]
    pub(crate) fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        outcome_object(py, self.verdict.outcome())
    }

    /// Whether the stream was read to its end and nothing speaks against loading it.
    #[getter]
    const fn complete(&self) -> bool {
        self.complete
    }

    /// The reasons, the worst first.
    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let reasons = self.reasons.get_or_try_init(py, || {
            let reasons = self.reports().into_iter().map(|(report, device)| Py::new(py, Reason { report, device }));
            Ok::<_, PyErr>(PyTuple::new(py, reasons.collect::<PyResult<Vec<_>>>()?)?.unbind())
        })?;
        Ok(reasons.bind(py).clone())
    }

    /// How many reasons were counted but not kept.
    #[getter]
    const fn dropped(&self) -> u64 {
        self.verdict.dropped()
    }

    /// Bytes of the input, from its beginning, that the verdict rests on.
    #[getter]
    const fn bytes_examined(&self) -> u64 {
        self.examined
    }

    /// What came in: `sealed`, `profile`, or the name of a native format; None where it was not recognised.
    #[getter]
    const fn format(&self) -> Option<&'static str> {
        self.format
    }

    /// The native format, or `opaque`; None where it is not known.
    #[getter]
    fn payload_format(&self) -> Option<&str> {
        self.payload_format.as_deref()
    }

    /// What is known of the source; None where the input does not say.
    #[getter]
    fn source(&self) -> Option<Profile> {
        self.source.clone().map(Profile)
    }

    /// The device of a migration that it is about; None for a whole migration, and outside of migrations.
    #[getter]
    fn device(&self) -> Option<&str> {
        self.of_migration.as_ref()?.device.as_deref()
    }

    /// The devices of a migration, each with its own verdict: those of the stream in order of appearance, then those
    /// that only the targets name. Their reasons are among this verdict's, too.
    #[getter]
    fn devices<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let devices = self.of_migration.as_ref().map_or(&[][..], |of| &of.devices);
        PyTuple::new(py, devices.iter().map(|device| device.clone_ref(py)))
    }

    /// What the kernel driver would do, under the standard `driver`.
    #[getter]
    fn prediction(&self) -> Option<Prediction> {
        self.prediction
    }

    /// The verdict as a dictionary, ready for JSON.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("schema", SCHEMA)?;
        dict.set_item("outcome", self.verdict.outcome().name())?;
        dict.set_item("complete", self.complete)?;
        dict.set_item("format", self.format)?;
        dict.set_item("payload_format", self.payload_format.as_deref())?;
        dict.set_item("bytes_examined", self.examined)?;
        let reasons = self.reasons(py)?;
        let reasons = reasons.iter().map(|reason| reason.cast::<Reason>()?.get().to_dict(py));
        dict.set_item("reasons", reasons.collect::<PyResult<Vec<_>>>()?)?;
        dict.set_item("reasons_dropped", self.verdict.dropped())?;
        if let Some(prediction) = &self.prediction {
            dict.set_item("prediction", prediction.to_dict(py)?)?;
        }
        if let Some(of) = &self.of_migration {
            if let Some(device) = &of.device {
                dict.set_item("device", device)?;
            } else {
                let devices = of.devices.iter().map(|device| device.get().to_dict(py));
                dict.set_item("devices", devices.collect::<PyResult<Vec<_>>>()?)?;
            }
        }
        Ok(dict)
    }

    /// The verdict as JSON.
    #[pyo3(signature = (indent = None))]
    fn to_json(&self, py: Python<'_>, indent: Option<usize>) -> PyResult<String> {
        let options = PyDict::new(py);
        options.set_item("indent", indent)?;
        py.import("json")?.getattr("dumps")?.call((self.to_dict(py)?,), Some(&options))?.extract()
    }

    /// Raise the exception for the outcome, unless it is compatible.
    fn raise_for_outcome(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::exception(slf).map_or(Ok(()), Err)
    }

    fn __repr__(&self) -> String {
        let complete = if self.complete { ", complete" } else { "" };
        let count = self.verdict.reasons().len();
        format!("<Verdict {}{complete}, {count} reasons>", self.verdict.outcome())
    }
}

/// Why a verdict is what it is.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Reason {
    report: Report,
    device: Option<String>,
}

#[pymethods]
impl Reason {
    /// The stable id: `nr_ports.not-equal`, `header.crc`.
    #[getter]
    fn id(&self) -> &str {
        &self.report.id
    }

    /// What it makes of the verdict; compatible for a note.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        outcome_object(py, self.report.outcome)
    }

    /// The attribute that it is about.
    #[getter]
    fn attribute(&self) -> Option<&str> {
        self.report.attribute.as_deref()
    }

    /// What the source has.
    #[getter]
    fn found(&self) -> Option<&str> {
        self.report.found.as_deref()
    }

    /// What the target needs.
    #[getter]
    fn required(&self) -> Option<&str> {
        self.report.required.as_deref()
    }

    /// Byte offset in the input; in the payload where `in_payload` is true.
    #[getter]
    const fn offset(&self) -> Option<u64> {
        self.report.offset
    }

    /// Whether the offset counts from the beginning of a sealed stream's payload.
    #[getter]
    const fn in_payload(&self) -> bool {
        self.report.in_payload
    }

    /// The channel of a migration that the offset counts in, by its number among the sources; 0 for the first, and
    /// outside of migrations.
    #[getter]
    const fn channel(&self) -> u32 {
        self.report.channel
    }

    /// The device of a migration that it is about.
    #[getter]
    fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// One line for people; wording may change, ids do not.
    #[getter]
    fn text(&self) -> &str {
        &self.report.text
    }

    /// What can be done about it.
    #[getter]
    const fn remedy(&self) -> &'static str {
        self.report.remedy
    }

    /// Where the rule comes from.
    #[getter]
    fn origin(&self) -> Option<Origin> {
        self.report.origin.map(Origin)
    }

    /// The ground that the target gives for its own rule, or for an assertion.
    #[getter]
    fn ground(&self) -> Option<&str> {
        self.report.ground.as_deref()
    }

    /// What to set on the target: path and value.
    #[getter]
    fn set(&self) -> Option<(String, String)> {
        self.report.set.clone()
    }

    /// The reason as a dictionary, ready for JSON.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = &self.report;
        let dict = PyDict::new(py);
        dict.set_item("id", &report.id)?;
        dict.set_item("outcome", report.outcome.name())?;
        dict.set_item("attribute", report.attribute.as_deref())?;
        dict.set_item("found", report.found.as_deref())?;
        dict.set_item("required", report.required.as_deref())?;
        dict.set_item("offset", report.offset)?;
        dict.set_item("in_payload", self.report.in_payload)?;
        dict.set_item("channel", self.report.channel)?;
        dict.set_item("device", self.device.as_deref())?;
        dict.set_item("text", &report.text)?;
        dict.set_item("remedy", report.remedy)?;
        dict.set_item("origin", report.origin.map(|origin| Origin(origin).to_dict(py)).transpose()?)?;
        let set = report.set.as_ref().map(|(path, value)| {
            let dict = PyDict::new(py);
            dict.set_item("path", path)?;
            dict.set_item("value", value)?;
            Ok::<_, PyErr>(dict)
        });
        dict.set_item("set", set.transpose()?)?;
        dict.set_item("ground", report.ground.as_deref())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<Reason {}: {}>", self.report.id, self.report.text)
    }
}

/// Where a rule comes from.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Origin(pub(crate) &'static rule::Origin);

#[pymethods]
impl Origin {
    /// `driver`, `specification` or `release-note`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.name()
    }

    /// The source itself.
    #[getter]
    fn citation(&self) -> &'static str {
        self.0.citation
    }

    /// Which versions it is known to hold for.
    #[getter]
    fn scope(&self) -> &'static str {
        self.0.scope
    }

    /// When it was read, YYYY-MM.
    #[getter]
    fn date(&self) -> &'static str {
        self.0.date
    }

    fn __repr__(&self) -> String {
        format!("<Origin {}: {}>", self.0.kind.name(), self.0.citation)
    }
}

impl Origin {
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("kind", self.0.kind.name())?;
        dict.set_item("citation", self.0.citation)?;
        dict.set_item("scope", self.0.scope)?;
        dict.set_item("date", self.0.date)?;
        Ok(dict)
    }
}
