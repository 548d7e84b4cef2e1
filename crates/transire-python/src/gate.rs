//! `Gate`: bytes in by the caller, verdict first, payload out.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;
use transire_core::format::{ChoiceError, Choices, Format};
use transire_core::gate::{Input, Options, Output, PushGate};
use transire_core::vendors::VENDORS;

use crate::answer;
use crate::errors::usage;
use crate::profile::Target;
use crate::source::{KEEP_LOCK, Source};
use crate::verdict::Verdict;

/// What may come in, as users name it.
pub(crate) fn input_of(input: &str, format: Option<&str>) -> PyResult<Input> {
    if let Some(name) = format {
        return match (input, name) {
            ("auto", "sealed") => Ok(Input::Sealed),
            ("auto" | "native", name) => chosen(name).map(|(format, choices)| Input::Format(format, choices)),
            _ => Err(usage("a format is named for native input only")),
        };
    }
    match input {
        "auto" => Ok(Input::Auto),
        "native" => Ok(Input::Native),
        "sealed" => Ok(Input::Sealed),
        other => Err(usage(format!("unknown input {other}; known are auto, native, sealed, qemu"))),
    }
}

/// A format as users name it: `NAME` or `NAME:OPTION=VALUE`.
pub(crate) fn chosen(text: &str) -> PyResult<(&'static Format, Choices)> {
    let list = |names: Vec<&str>| names.join(", ");
    VENDORS.chosen(text).map_err(|error| match error {
        ChoiceError::Format => unknown_format(text.split(':').next().unwrap_or(text)),
        ChoiceError::Option(format) if format.options.is_empty() => {
            usage(format!("{text}: {} has no options", format.name))
        }
        ChoiceError::Option(format) => {
            let known = list(format.options.iter().map(|option| option.name).collect());
            usage(format!("{text}: the options of {} are {known}", format.name))
        }
        ChoiceError::Value(option) => {
            usage(format!("{text}: the values of {} are {}", option.name, list(option.values.to_vec())))
        }
        ChoiceError::Form => usage(format!("{text}: options are written NAME:OPTION=VALUE,OPTION=VALUE")),
    })
}

pub(crate) fn unknown_format(name: &str) -> PyErr {
    let known: Vec<&str> = VENDORS.formats().map(|format| format.name).chain(["sealed"]).collect();
    usage(format!("unknown format {name}; known are {}", known.join(", ")))
}

/// The time now, in seconds since 1970-01-01T00:00:00Z.
pub(crate) fn now() -> Option<u64> {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.ok().map(|elapsed| elapsed.as_secs())
}

/// The options of a gate that delivers.
pub(crate) fn options(
    input: &str,
    format: Option<&str>,
    exact: bool,
    admit: Option<&Bound<'_, PyAny>>,
) -> PyResult<Options> {
    let mut options = Options { input: input_of(input, format)?, exact, now: now(), ..Options::default() };
    if let Some(admit) = admit {
        for name in admit.try_iter()? {
            match name?.extract::<String>()?.as_str() {
                "fixable" => options.admit_fixable = true,
                "unknown" => options.admit_unknown = true,
                other => return Err(usage(format!("{other} cannot be admitted; fixable and unknown can"))),
            }
        }
    }
    Ok(options)
}

/// A gate before one target: push bytes in with `feed`, take the payload that comes out, call `finish` at the end.
///
/// Nothing comes out before the early verdict admits the stream, and no sealed byte before its frame's checksum is
/// right. Only where `complete` is true may the device leave RESUMING.
#[pyclass(module = "transire")]
pub(crate) struct Gate {
    gate: PushGate,
    target: Arc<transire_core::target::Target>,
    ended: bool,
}

#[pymethods]
impl Gate {
    #[new]
    #[pyo3(signature = (target, *, input = "auto", format = None, exact = true, admit = None))]
    fn new(
        target: &Target,
        input: &str,
        format: Option<&str>,
        exact: bool,
        admit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let options = options(input, format, exact, admit)?;
        let target = target.0.clone();
        let gate = transire_core::gate::Gate::new(VENDORS, Some(target.clone()), options);
        Ok(Self { gate: PushGate::new(gate), target, ended: false })
    }

    /// Push bytes in; returns the payload that may go to the device.
    fn feed<'py>(&mut self, py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        if self.ended {
            return Err(usage("the gate was finished"));
        }
        let mut payload = Vec::new();
        match Source::open(data, None)? {
            Source::Bytes(bytes) => {
                let bytes = bytes.as_bytes();
                if bytes.len() > KEEP_LOCK {
                    py.detach(|| self.push(bytes, false, &mut payload));
                } else {
                    self.push(bytes, false, &mut payload);
                }
            }
            Source::Pulled(mut pull) => {
                if pull.path().is_some() {
                    return Err(usage("a gate is fed bytes, not a path"));
                }
                let mut piece = vec![0; 256 << 10];
                loop {
                    let count = pull.pull(&mut piece).map_err(|stop| stop.into_py(None))?;
                    if count == 0 {
                        break;
                    }
                    let piece = piece.get(..count).unwrap_or(&[]);
                    py.detach(|| self.push(piece, false, &mut payload));
                }
            }
        }
        Ok(PyBytes::new(py, &payload))
    }

    /// Say that nothing follows; returns the payload that was held back for it.
    fn finish<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut payload = Vec::new();
        if !self.ended {
            self.ended = true;
            self.push(&[], true, &mut payload);
        }
        PyBytes::new(py, &payload)
    }

    /// The verdict as far as it is known.
    #[getter]
    fn verdict(&self) -> Verdict {
        Verdict::of_gate(self.gate.gate(), Some(&self.target))
    }

    /// The answer to the source of a sealed stream, in bytes: `early` from the first verdict on, `final` at the end.
    ///
    /// Raises where no answer can be given: too early, or because no sealed stream came whose header is well formed.
    #[pyo3(signature = (stage = "early"))]
    fn answer<'py>(&self, py: Python<'py>, stage: &str) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &answer::of_gate(self.gate.gate(), stage)?))
    }

    /// Whether a source profile has been judged: the early verdict is there.
    #[getter]
    fn judged(&self) -> bool {
        self.gate.gate().is_judged()
    }

    /// Whether the gate takes no more input.
    #[getter]
    fn finished(&self) -> bool {
        self.gate.gate().is_finished()
    }

    /// Whether the stream was read to its end and nothing speaks against loading it.
    #[getter]
    fn complete(&self) -> bool {
        self.gate.gate().is_complete()
    }

    /// Bytes of the input that are done with: where a stream ends that others follow.
    #[getter]
    fn used(&self) -> u64 {
        self.gate.gate().used()
    }
}

impl Gate {
    fn push(&mut self, bytes: &[u8], eof: bool, payload: &mut Vec<u8>) {
        self.gate.push(bytes, eof, &mut |output| {
            if let Output::Deliver(bytes) = output {
                payload.extend_from_slice(bytes);
            }
            true
        });
    }
}
