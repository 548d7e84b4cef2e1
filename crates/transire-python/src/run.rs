//! The loops: a source through a gate, a native stream into an envelope. Without the interpreter lock.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use transire_core::format::{Format, Role};
use transire_core::gate::migration::Standard;
use transire_core::gate::{Gate, Output};
use transire_core::seal::{Flow, SealEvent, Sealing};
use transire_core::sealed::{Digest, OPAQUE, SealOptions};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Reason, reasons};

use crate::answer::Answers;
use crate::errors::{Stop, TransireError, os_error, usage};
use crate::gate::options;
use crate::migration::{Given, Machine, Targets, Wanted, deliver as deliver_migration, migration, no_machine};
use crate::profile::{Profile, Target};
use crate::source::{KEEP_LOCK, Progress, Pull, Sink, Source, Window};
use crate::verdict::{Parts, Verdict};

/// What a gate tells goes here.
pub(crate) type Tell<'a> = &'a mut (dyn FnMut(&Output<'_>) + Send);
/// Called with the gate at each verdict that it gives from a source profile.
type Judged<'a> = &'a mut (dyn FnMut(&Gate) -> Result<(), Stop> + Send);

/// Runs a source through a gate. What is delivered goes to the sink, and everything to `tell`.
pub(crate) fn through(
    py: Python<'_>,
    gate: &mut Gate,
    source: Source<'_>,
    sink: &mut Sink,
    (tell, judged): (Tell<'_>, Judged<'_>),
    progress: &mut Progress,
) -> PyResult<()> {
    let path = source.path();
    let ended = match source {
        Source::Bytes(bytes) => {
            let bytes = bytes.as_bytes();
            if bytes.len() > KEEP_LOCK {
                py.detach(|| of_slice(gate, bytes, sink, (tell, judged), progress))
            } else {
                of_slice(gate, bytes, sink, (tell, judged), progress)
            }
        }
        Source::Pulled(mut pull) => py.detach(|| of_window(gate, &mut *pull, sink, (tell, judged), progress)),
    };
    match ended {
        Ok(()) => Ok(()),
        Err(Stop::SourceStalled) => {
            gate.stop(Reason::at(reasons::STREAM_STALLED, gate.used()));
            Ok(())
        }
        Err(stop) => Err(stop.into_py(path.as_deref())),
    }
}

fn of_slice(
    gate: &mut Gate,
    bytes: &[u8],
    sink: &mut Sink,
    (tell, judged): (Tell<'_>, Judged<'_>),
    progress: &mut Progress,
) -> Result<(), Stop> {
    let mut rest = bytes;
    let total = u64::try_from(bytes.len()).ok();
    loop {
        let step = gate.step(rest, true);
        let used = step.used;
        tell(&step.event);
        match step.event {
            Output::Deliver(payload) => sink.write([payload, &[]])?,
            Output::Verdict => judged(gate)?,
            Output::Finished => return Ok(()),
            _ => {}
        }
        rest = rest.get(used..).unwrap_or(&[]);
        progress.at(gate.used(), total)?;
    }
}

fn of_window(
    gate: &mut Gate,
    pull: &mut dyn Pull,
    sink: &mut Sink,
    (tell, judged): (Tell<'_>, Judged<'_>),
    progress: &mut Progress,
) -> Result<(), Stop> {
    let mut window = Window::new(pull);
    loop {
        let (bytes, eof) = window.bytes();
        let step = gate.step(bytes, eof);
        let used = step.used;
        let mut need = 0;
        tell(&step.event);
        match step.event {
            Output::Need(bytes) => need = bytes,
            Output::Deliver(payload) => sink.write([payload, &[]])?,
            Output::Verdict => judged(gate)?,
            Output::Finished => return Ok(()),
            _ => {}
        }
        window.drop_front(used);
        if need > 0 {
            window.fill(need)?;
        }
        progress.at(gate.used(), window.total())?;
    }
}

/// A number of seconds as a deadline.
pub(crate) fn deadline_of(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let convert = |seconds| Duration::try_from_secs_f64(seconds).ok().filter(|deadline| !deadline.is_zero());
    match seconds {
        None => Ok(None),
        Some(seconds) => convert(seconds).map(Some).ok_or_else(|| usage("a deadline is a number of seconds above 0")),
    }
}

/// Pass a stream through a gate: the verdict first, then the payload into the sink.
///
/// Nothing is written before the early verdict admits the stream, and no sealed byte before its frame's checksum is
/// right. Only where the verdict is complete may the device leave RESUMING. With a deadline, a source that sends nothing
/// for so many seconds makes the verdict truncated, and a sink that takes nothing raises TimeoutError. `on_verdict` is
/// called with each verdict that a source profile gives, before any payload that it admits is written. To `answer`, a
/// file, the early answer to the source of a sealed stream is written at the first verdict, and the final one at the end.
///
/// A migration stream of QEMU goes through as it is, and `target` may be one target, a sequence, or a mapping of devices
/// to targets; each device's source is judged as it passes. What a target refuses does not go on, and neither does the
/// byte that ends the stream's sections before every device has passed: the destination does not complete without it.
#[pyfunction]
#[pyo3(signature = (source, sink, target, *, input = "auto", format = None, admit = None, deadline = None, answer = None,
    machine = None, on_verdict = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub(crate) fn gate(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    sink: &Bound<'_, PyAny>,
    target: &Bound<'_, PyAny>,
    input: &str,
    format: Option<&str>,
    admit: Option<&Bound<'_, PyAny>>,
    deadline: Option<f64>,
    answer: Option<&Bound<'_, PyAny>>,
    machine: Option<&Bound<'_, Machine>>,
    on_verdict: Option<Py<PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Verdict> {
    let deadline = deadline_of(deadline)?;
    let targets = Targets::read(Some(target))?;
    let native = if input == "qemu" { "native" } else { input };
    let options = options(native, format, true, admit)?;
    let mut sink = Sink::open(sink, deadline)?;
    let wanted = Wanted { input, format, offset: 0 };
    match Given::open(py, source, wanted, deadline)? {
        Given::Stream(_) if machine.is_some() => Err(no_machine()),
        Given::Stream(source) => {
            let target = targets.single()?.ok_or_else(|| usage("a gate needs a target"))?;
            let answers = answers_to(answer, deadline)?;
            deliver(py, source, &mut sink, &target, options, (answers, on_verdict, progress))
        }
        Given::Migration(_) if answer.is_some() => {
            Err(usage("answers go to the source of a sealed stream; a migration stream has none that could read one"))
        }
        Given::Migration(channels) => {
            let migration = migration(targets, Standard::Strict, wanted, machine, options)?;
            deliver_migration(py, channels, migration, &mut sink, (on_verdict, progress))
        }
    }
}

/// Where answers go, if anywhere.
fn answers_to(answer: Option<&Bound<'_, PyAny>>, deadline: Option<Duration>) -> PyResult<Option<Answers>> {
    answer.map(|answer| Sink::open(answer, deadline).map(Answers::new)).transpose()
}

fn deliver(
    py: Python<'_>,
    source: Source<'_>,
    sink: &mut Sink,
    target: &Arc<transire_core::target::Target>,
    options: transire_core::gate::Options,
    (mut answers, on_verdict, progress): (Option<Answers>, Option<Py<PyAny>>, Option<Py<PyAny>>),
) -> PyResult<Verdict> {
    let mut gate = Gate::new(VENDORS, Some(target.clone()), options);
    let mut judged = |gate: &Gate| {
        if let Some(answers) = &mut answers {
            answers.early(gate)?;
        }
        let Some(callback) = &on_verdict else { return Ok(()) };
        let call = |py: Python<'_>| callback.call1(py, (Py::new(py, Verdict::of_gate(gate, Some(target)))?,));
        Python::attach(call).map(drop).map_err(Stop::Python)
    };
    through(py, &mut gate, source, sink, (&mut |_| {}, &mut judged), &mut Progress::new(progress))?;
    if let Some(mut answers) = answers {
        py.detach(|| answers.last(&gate)).map_err(|stop| stop.into_py(None))?;
    }
    Ok(Verdict::of_gate(&gate, Some(target)))
}

/// Take a sealed stream out of its envelope.
///
/// With a sink, the payload is written to it and the verdict is returned, as by `gate`. Without one the payload is
/// returned, and anything but a complete stream raises. Answers go to `answer` as those of `gate`.
#[pyfunction]
#[pyo3(signature = (source, target, sink = None, *, admit = None, deadline = None, answer = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub(crate) fn unseal<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    target: &Target,
    sink: Option<&Bound<'py, PyAny>>,
    admit: Option<&Bound<'py, PyAny>>,
    deadline: Option<f64>,
    answer: Option<&Bound<'py, PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let deadline = deadline_of(deadline)?;
    let options = options("sealed", None, true, admit)?;
    let source_of = Source::open(source, deadline)?;
    let told = (answers_to(answer, deadline)?, None, progress);
    let Some(sink) = sink else {
        let mut memory = Sink::Memory(Vec::new());
        let verdict = Bound::new(py, deliver(py, source_of, &mut memory, &target.0, options, told)?)?;
        return payload_or_raise(py, memory, &verdict);
    };
    let verdict = deliver(py, source_of, &mut Sink::open(sink, deadline)?, &target.0, options, told)?;
    Ok(Bound::new(py, verdict)?.into_any())
}

fn payload_or_raise<'py>(py: Python<'py>, sink: Sink, verdict: &Bound<'py, Verdict>) -> PyResult<Bound<'py, PyAny>> {
    match (sink, verdict.get().is_complete()) {
        (Sink::Memory(payload), true) => Ok(PyBytes::new(py, &payload).into_any()),
        _ => Err(Verdict::exception(verdict).unwrap_or_else(|| TransireError::new_err("the stream is not complete"))),
    }
}

/// Put a native stream into an envelope, with the profile of its source in the header.
///
/// The payload's own format is checked on the way where it is known (`payload_format`, by default the vendor's, or
/// `opaque`): one that is damaged or contradicts the profile ends in an abort frame. With a sink, the sealed stream is
/// written to it and the verdict on the payload is returned. Without one the sealed stream is returned, and a refused
/// payload raises.
///
/// `on_header` is called with prologue and header once they are written, before the first byte of the source is read. It
/// can wait for the early answer and hold it against these bytes (`Answer.is_for`); where it raises, the stream ends in an
/// abort frame.
#[pyfunction]
#[pyo3(signature = (source, profile, sink = None, *, payload_format = None, digest = "blake3", payload_len = None,
    device_label = None, stream_id = None, on_header = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub(crate) fn seal<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    profile: &Profile,
    sink: Option<&Bound<'py, PyAny>>,
    payload_format: Option<&str>,
    digest: &str,
    payload_len: Option<u64>,
    device_label: Option<String>,
    stream_id: Option<&[u8]>,
    on_header: Option<Py<PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let digest =
        Digest::from_name(digest).ok_or_else(|| usage(format!("unknown digest {digest}; known are none, blake3")))?;
    let options = SealOptions {
        payload_format: payload_format_of(profile, payload_format)?.to_owned(),
        digest,
        payload_len,
        stream_id: stream_id_of(stream_id)?,
        device_label,
    };
    let failed = |error: transire_core::sealed::SealError| TransireError::new_err(error.to_string());
    let mut sealing = Sealing::begin(VENDORS, (*profile.0).clone(), &options).map_err(failed)?;
    let mut out = match sink {
        Some(sink) => Sink::open(sink, None)?,
        None => Sink::Memory(Vec::new()),
    };
    let source = Source::open(source, None)?;
    let path = source.path();
    let mut progress = Progress::new(progress);
    let began = py.detach(|| seal_header(&mut sealing, &mut out, on_header.as_ref()));
    let ended = began.and_then(|()| match source {
        Source::Bytes(bytes) => {
            let bytes = bytes.as_bytes();
            py.detach(|| seal_slice(&mut sealing, bytes, &mut out, &mut progress))
        }
        Source::Pulled(mut pull) => py.detach(|| seal_window(&mut sealing, &mut *pull, &mut out, &mut progress)),
    });
    if let Err(stop) = ended {
        if !matches!(stop, Stop::Sink(_) | Stop::SinkStalled) {
            give_up(&mut sealing, &mut out);
        }
        return Err(stop.into_py(path.as_deref()));
    }
    let verdict = Parts {
        verdict: sealing.verdict().clone(),
        source: Some(profile.0.clone()),
        target: None::<Arc<transire_core::target::Target>>,
        complete: sealing.is_complete(),
        examined: sealing.total(),
        format: None,
        payload_format: Some(options.payload_format),
        prediction: None,
        abort_text: None,
        of_migration: None,
    };
    let verdict = Bound::new(py, Verdict::from(verdict))?;
    if sink.is_some() { Ok(verdict.into_any()) } else { payload_or_raise(py, out, &verdict) }
}

/// The payload's format: the one that is named, or that of the vendor where it has exactly one.
fn payload_format_of<'a>(profile: &Profile, named: Option<&'a str>) -> PyResult<&'a str> {
    let formats = VENDORS.vendor(profile.0.vendor()).map_or(&[][..], |vendor| vendor.formats);
    let streams: Vec<&Format> = formats.iter().copied().filter(|format| format.role == Role::Source).collect();
    match (named, streams.as_slice()) {
        (Some(OPAQUE), _) => Ok(OPAQUE),
        (Some(name), formats) if formats.iter().any(|format| format.name == name) => Ok(name),
        (Some(name), formats) => {
            let known: Vec<&str> = formats.iter().map(|format| format.name).chain([OPAQUE]).collect();
            let vendor = profile.0.vendor();
            Err(usage(format!("{name} is no payload format of {vendor}; known are {}", known.join(", "))))
        }
        (None, [only]) => Ok(only.name),
        (None, _) => Ok(OPAQUE),
    }
}

fn stream_id_of(given: Option<&[u8]>) -> PyResult<[u8; 16]> {
    let mut id = [0; 16];
    match given {
        Some(given) => {
            let wrong = |_| usage(format!("a stream id has 16 bytes, not {}", given.len()));
            id = given.try_into().map_err(wrong)?;
        }
        None => getrandom::fill(&mut id).map_err(|error| os_error(&std::io::Error::other(error), None))?,
    }
    Ok(id)
}

/// Writes prologue and header, and shows them to the callback.
fn seal_header(sealing: &mut Sealing, sink: &mut Sink, on_header: Option<&Py<PyAny>>) -> Result<(), Stop> {
    let wrong = |error: transire_core::sealed::SealError| Stop::Python(TransireError::new_err(error.to_string()));
    if let SealEvent::Bytes(header) = sealing.step(&[], Flow::More).map_err(wrong)?.event {
        sink.write([header, &[]])?;
        if let Some(callback) = on_header {
            Python::attach(|py| callback.call1(py, (PyBytes::new(py, header),))).map_err(Stop::Python)?;
        }
    }
    Ok(())
}

/// One step of sealing, its bytes written. Returns the bytes used, or those needed, or `None` at the end.
fn seal_step(sealing: &mut Sealing, input: &[u8], flow: Flow, sink: &mut Sink) -> Result<Option<(usize, usize)>, Stop> {
    let wrong = |error: transire_core::sealed::SealError| Stop::Python(TransireError::new_err(error.to_string()));
    let step = sealing.step(input, flow).map_err(wrong)?;
    let used = step.used;
    match step.event {
        SealEvent::Bytes(bytes) => sink.write([bytes, &[]])?,
        SealEvent::Frame(head, payload) => sink.write([&head, payload])?,
        SealEvent::Need(need) => return Ok(Some((used, need))),
        SealEvent::Finished => return Ok(None),
        _ => {}
    }
    Ok(Some((used, 0)))
}

/// The source failed, so what the reader on the other side has is not all: an abort frame tells it. That the sink may
/// fail too adds nothing to the error that led here.
fn give_up(sealing: &mut Sealing, sink: &mut Sink) {
    if let Ok(step) = sealing.abort("the source failed")
        && let SealEvent::Bytes(bytes) = step.event
    {
        let _ = sink.write([bytes, &[]]);
    }
}

fn seal_slice(sealing: &mut Sealing, bytes: &[u8], sink: &mut Sink, progress: &mut Progress) -> Result<(), Stop> {
    let mut rest = bytes;
    while let Some((used, _)) = seal_step(sealing, rest, Flow::End, sink)? {
        rest = rest.get(used..).unwrap_or(&[]);
        progress.at(sealing.total(), u64::try_from(bytes.len()).ok())?;
    }
    Ok(())
}

fn seal_window(
    sealing: &mut Sealing,
    pull: &mut dyn Pull,
    sink: &mut Sink,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let mut window = Window::new(pull);
    loop {
        let (bytes, eof) = window.bytes();
        let flow = if eof { Flow::End } else { Flow::More };
        let Some((used, need)) = seal_step(sealing, bytes, flow, sink)? else { return Ok(()) };
        window.drop_front(used);
        if need > 0 {
            window.fill(need)?;
        }
        progress.at(sealing.total(), window.total())?;
    }
}
