//! `Answer`: what the target of a sealed stream says back to its source.

use std::hash::{DefaultHasher, Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use transire_core::gate::Gate;
use transire_core::sealed::{AnswerStage, Identity};
use transire_core::verdict::Reason;

use crate::errors::{Stop, TransireError, usage};
use crate::run::deadline_of;
use crate::source::{Pull, Sink, Source};
use crate::verdict::{Parts, Verdict, outcome_object};

/// What the target of a sealed stream says to its source: early, before the rest is sent, and at the end.
///
/// It is worth what the way is worth on which it came: nothing in it is signed. Hold it against the stream with `is_for`.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Answer(transire_core::sealed::Answer);

#[pymethods]
impl Answer {
    /// Read the bytes of one answer. What is wrong with them raises as a verdict does.
    #[staticmethod]
    fn read(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let mut notes = transire_core::verdict::Verdict::new();
        match transire_core::sealed::Answer::read(data, &mut notes) {
            Ok(answer) => Ok(Self(answer)),
            Err(reason) => Err(refused(py, notes, reason, data.len())),
        }
    }

    /// Read the next answer from a file, a pipe or a socket, and nothing beyond it. None where there is no other.
    #[staticmethod]
    #[pyo3(signature = (source, *, deadline = None))]
    fn read_from(py: Python<'_>, source: &Bound<'_, PyAny>, deadline: Option<f64>) -> PyResult<Option<Self>> {
        let Source::Pulled(mut pull) = Source::open(source, deadline_of(deadline)?)? else {
            return Err(usage("answers that are there already are read with Answer.read"));
        };
        if pull.path().is_some() {
            return Err(usage("answers are read from an open file, so that the next one can be read from it too"));
        }
        let mut bytes = Vec::new();
        match py.detach(|| next(&mut *pull, &mut bytes)).map_err(|stop| stop.into_py(None))? {
            Ok(answer) => Ok(answer.map(Self)),
            Err((notes, reason)) => Err(refused(py, notes, reason, bytes.len())),
        }
    }

    /// Whether this answers the sealed stream that begins with these bytes: its prologue and header, at the least.
    fn is_for(&self, stream: &[u8]) -> PyResult<bool> {
        let identity = Identity::of_stream(stream)
            .ok_or_else(|| usage("these bytes do not begin with prologue and header of a sealed stream"))?;
        Ok(self.0.is_for(identity.prologue_crc, identity.stream_id))
    }

    /// The vendor of the stream.
    #[getter]
    fn vendor(&self) -> &str {
        &self.0.identity().vendor
    }

    /// The identity of the stream, 16 bytes.
    #[getter]
    fn stream_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.identity().stream_id)
    }

    /// The checksum of the stream's prologue.
    #[getter]
    fn prologue_crc(&self) -> u32 {
        self.0.identity().prologue_crc
    }

    /// `early`: it can still worsen. `final`: it cannot.
    #[getter]
    const fn stage(&self) -> &'static str {
        self.0.stage().name()
    }

    /// The outcome of the target's verdict.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        outcome_object(py, self.0.outcome())
    }

    /// Whether the stream was read to its end and may be loaded.
    #[getter]
    const fn complete(&self) -> bool {
        self.0.is_complete()
    }

    /// The ids of the reasons, without notes, ascending.
    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.reasons())
    }

    /// The bytes of the answer.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0 == self.0)
    }

    fn __ne__(&self, other: &Bound<'_, PyAny>) -> bool {
        !self.__eq__(other)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.to_bytes().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let complete = if self.0.is_complete() { ", complete" } else { "" };
        format!("<Answer {} {}{complete}, {} reasons>", self.0.stage().name(), self.0.outcome(), self.0.reasons().len())
    }
}

/// The exception for bytes that are no answer.
fn refused(py: Python<'_>, mut verdict: transire_core::verdict::Verdict, reason: Reason, length: usize) -> PyErr {
    verdict.push(reason);
    let parts = Parts {
        verdict,
        source: None,
        target: None,
        complete: false,
        examined: u64::try_from(length).unwrap_or(u64::MAX),
        format: None,
        payload_format: None,
        prediction: None,
        abort_text: None,
        of_migration: None,
    };
    match Bound::new(py, Verdict::from(parts)) {
        Ok(verdict) => Verdict::exception(&verdict).unwrap_or_else(|| TransireError::new_err("this is no answer")),
        Err(error) => error,
    }
}

/// An answer, none at the end, or what is wrong with it.
type Next = Result<Option<transire_core::sealed::Answer>, (transire_core::verdict::Verdict, Reason)>;

/// Reads the next answer, and not a byte beyond it.
fn next(pull: &mut dyn Pull, bytes: &mut Vec<u8>) -> Result<Next, Stop> {
    let mut eof = false;
    loop {
        if eof && bytes.is_empty() {
            return Ok(Ok(None));
        }
        let mut notes = transire_core::verdict::Verdict::new();
        let need = match transire_core::sealed::Answer::read_first(bytes, eof, &mut notes) {
            Ok(Ok((answer, _))) => return Ok(Ok(Some(answer))),
            Ok(Err(need)) => need,
            Err(reason) => return Ok(Err((notes, reason))),
        };
        let mut there = bytes.len();
        bytes.resize(need, 0);
        while there < need && !eof {
            match pull.pull(bytes.get_mut(there..).unwrap_or_default())? {
                0 => eof = true,
                count => there += count,
            }
        }
        bytes.truncate(there);
    }
}

/// The answer of a gate, in bytes.
pub(crate) fn of_gate(gate: &Gate, stage: &str) -> PyResult<Vec<u8>> {
    let stage =
        AnswerStage::from_name(stage).ok_or_else(|| usage(format!("unknown stage {stage}; known are early, final")))?;
    match gate.answer(stage) {
        Some(answer) => Ok(answer.to_bytes()),
        None if stage == AnswerStage::Final && !gate.is_finished() => {
            Err(TransireError::new_err("a final answer is given at the end of the stream"))
        }
        None => {
            Err(TransireError::new_err("nobody can be answered: no sealed stream came whose header is well formed"))
        }
    }
}

/// Where the answers of a gate go, the early one once and then the final one.
pub(crate) struct Answers {
    sink: Sink,
    told: bool,
}

impl Answers {
    pub(crate) const fn new(sink: Sink) -> Self {
        Self { sink, told: false }
    }

    /// Writes the early answer, at the first verdict.
    pub(crate) fn early(&mut self, gate: &Gate) -> Result<(), Stop> {
        if self.told {
            return Ok(());
        }
        self.told = true;
        self.write(gate, AnswerStage::Early)
    }

    /// Writes the final answer.
    pub(crate) fn last(&mut self, gate: &Gate) -> Result<(), Stop> {
        self.write(gate, AnswerStage::Final)
    }

    fn write(&mut self, gate: &Gate, stage: AnswerStage) -> Result<(), Stop> {
        match gate.answer(stage) {
            Some(answer) => self.sink.write([&answer.to_bytes(), &[]]),
            None => Ok(()),
        }
    }
}
