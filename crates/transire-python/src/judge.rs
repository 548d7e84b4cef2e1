//! `check`, `verify`, `predict` and `profile_of`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use transire_core::early::{Early, judge_first};
use transire_core::format::{Choices, Driver, DriverStep, Errno, Format, Hold, predict as predict_writes};
use transire_core::gate::migration::Standard;
use transire_core::gate::{Gate, Input, Options, Output};
use transire_core::prologue::MAGIC;
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Datum, Reason, reasons};

use crate::errors::{Stop, text_error, usage};
use crate::gate::{chosen, input_of, now};
use crate::migration::{Given, Machine, Targets, Wanted, migration, no_machine, of_device, verify as of_migration};
use crate::profile::{Profile, Target};
use crate::run::through;
use crate::source::{Progress, Sink, Source, Window};
use crate::verdict::{Parts, Verdict, profile_of as collect};

/// Longest stream that the standard `driver` takes: a driver's answer depends on every write, so all of it is held.
const DRIVER_INPUT_MAX: usize = 16 << 20;

/// Bytes that are asked of a source at first: enough for the header of every usual stream, and a page of a file.
const FIRST_BYTES: usize = 4096;

/// What comes after the first bytes of a source.
struct First {
    parts: Parts,
    /// Whether anything was recognised.
    recognised: bool,
}

fn first(
    bytes: &[u8],
    eof: bool,
    target: Option<&Arc<transire_core::target::Target>>,
    (forced, to_the_end): (Option<(&'static Format, Choices)>, bool),
) -> Result<First, usize> {
    let mut verdict = transire_core::verdict::Verdict::new();
    let mut source = None;
    let mut envelope = "profile";
    let mut show = |shown: &dyn transire_core::attribute::Attributes| {
        source = collect(shown);
        if shown.value(transire_core::attribute::STREAM_ID).is_some() {
            envelope = "sealed";
        }
    };
    let target_of = target.map(|target| &**target);
    let early = judge_first(VENDORS, target_of, forced, (bytes, eof), now(), &mut verdict, &mut show);
    let (examined, format) = match early {
        Early::Need(need) => return Err(usize::try_from(need).unwrap_or(usize::MAX)),
        Early::Judged { format, within } => (u64::from(within), Some(format.map_or(envelope, |format| format.name))),
        Early::Refused => (verdict.reasons().iter().filter_map(Reason::offset).max().unwrap_or(0), None),
    };
    if let Early::Judged { format: Some(format), .. } = early
        && to_the_end
    {
        if let Hold::Whole(most) = format.hold
            && !eof
            && bytes.len() <= usize::try_from(most).unwrap_or(usize::MAX)
        {
            return Err(usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1));
        }
        source = refined(bytes, eof, format, forced).or(source);
    }
    let nothing = |reason: &Reason| reason.id == reasons::MAGIC_UNRECOGNIZED || reason.id == reasons::MAGIC_TRUNCATED;
    let recognised = !verdict.reasons().iter().any(nothing);
    let target = target.cloned();
    let parts = Parts {
        verdict,
        source,
        target,
        complete: false,
        examined,
        format,
        payload_format: None,
        prediction: None,
        abort_text: None,
        of_migration: None,
    };
    Ok(First { parts, recognised })
}

/// What a stream that is held whole says of its source, where all of it is there and right.
fn refined(
    bytes: &[u8],
    eof: bool,
    format: &'static Format,
    forced: Option<(&'static Format, Choices)>,
) -> Option<Arc<transire_core::profile::Profile>> {
    if !matches!(format.hold, Hold::Whole(_)) {
        return None;
    }
    let choices = forced.map_or(Choices::NONE, |(_, choices)| choices);
    let options = Options { input: Input::Format(format, choices), ..Options::default() };
    let mut gate = Gate::new(VENDORS, None, options);
    let mut at = 0;
    loop {
        let step = gate.step(bytes.get(at..)?, eof);
        at += step.used;
        match step.event {
            Output::Need(_) => return None,
            Output::Finished => break,
            _ => {}
        }
    }
    gate.is_complete().then(|| collect(&gate.source())).flatten()
}

/// The first bytes of a source, judged; and, where nothing was recognised in them, all of it as a text.
fn read_first(
    py: Python<'_>,
    source: Source<'_>,
    target: Option<&Arc<transire_core::target::Target>>,
    how: (Option<(&'static Format, Choices)>, bool),
) -> PyResult<Parts> {
    let path = source.path();
    match source {
        Source::Bytes(bytes) => {
            let bytes = bytes.as_bytes();
            let first = first(bytes, true, target, how).map_err(|_| usage("the input ends"))?;
            if first.recognised { Ok(first.parts) } else { of_text(bytes, target, first.parts) }
        }
        Source::Pulled(mut pull) => {
            let read = || {
                let mut window = Window::new(&mut *pull);
                loop {
                    let (bytes, eof) = window.bytes();
                    match first(bytes, eof, target, how) {
                        Err(need) => window.fill_within(need, FIRST_BYTES)?,
                        Ok(first) if first.recognised => return Ok((first, Vec::new())),
                        Ok(first) => {
                            window.fill(transire_text::TEXT_FILE_MAX + 1)?;
                            return Ok((first, window.bytes().0.to_vec()));
                        }
                    }
                }
            };
            let (first, text) = py.detach(read).map_err(|stop: Stop| stop.into_py(path.as_deref()))?;
            if first.recognised { Ok(first.parts) } else { of_text(&text, target, first.parts) }
        }
    }
}

/// A source that is no stream may be a profile in text. What is not even text stays unrecognised.
fn of_text(bytes: &[u8], target: Option<&Arc<transire_core::target::Target>>, otherwise: Parts) -> PyResult<Parts> {
    let text = std::str::from_utf8(bytes).is_ok_and(|text| !text.trim().is_empty() && !text.contains('\0'));
    if !text {
        return Ok(otherwise);
    }
    let profile = transire_text::load_profile(bytes, VENDORS).map_err(|error| text_error(&error))?;
    Ok(of_profile(Arc::new(profile), target))
}

fn of_profile(
    profile: Arc<transire_core::profile::Profile>,
    target: Option<&Arc<transire_core::target::Target>>,
) -> Parts {
    let mut verdict = transire_core::verdict::Verdict::new();
    if let Some(target) = target {
        transire_core::judge::judge(&*profile, target, now(), &mut verdict);
    }
    let examined = u64::try_from(profile.to_bytes().len()).unwrap_or(u64::MAX);
    Parts {
        verdict,
        source: Some(profile),
        target: target.cloned(),
        complete: false,
        examined,
        format: Some("profile"),
        payload_format: None,
        prediction: None,
        abort_text: None,
        of_migration: None,
    }
}

fn target_of(object: &Bound<'_, PyAny>) -> PyResult<Arc<transire_core::target::Target>> {
    if let Ok(target) = object.cast::<Target>() {
        return Ok(target.get().0.clone());
    }
    let Ok(profile) = object.cast::<Profile>() else {
        return Err(usage("a target is a Target or a Profile"));
    };
    let profile = (*profile.get().0).clone();
    let rules = VENDORS.vendor(profile.vendor()).map(|vendor| vendor.rules);
    let rules = rules.ok_or_else(|| usage("the vendor is not known"))?;
    transire_core::target::Target::new(profile, rules).map(Arc::new).map_err(|error| usage(error.to_string()))
}

/// A source that is the stream of one device, or a profile; or, of a migration, the stream of one of its devices.
fn read_source(
    py: Python<'_>,
    object: &Bound<'_, PyAny>,
    target: Option<&Arc<transire_core::target::Target>>,
    (format, to_the_end): (Option<&str>, bool),
    (device, progress): (Option<&str>, Option<Py<PyAny>>),
) -> PyResult<Parts> {
    // A source whose format is named is not looked at, but this is the format of a device inside.
    let input = if device.is_some() && format.is_some() { "qemu" } else { "auto" };
    let wanted = Wanted { input, format, offset: 0 };
    let forced = format.map(chosen).transpose()?;
    match Given::open(py, object, wanted, None)? {
        Given::Stream(_) if device.is_some() => Err(usage("devices are of a migration stream, and this is none")),
        Given::Stream(source) => read_first(py, source, target, (forced, to_the_end)),
        Given::Migration(channels) => of_device(py, channels, wanted, (device, target), progress),
    }
}

/// Hold a source against a target before anything is migrated: a profile, or the first bytes of a stream.
///
/// Of a stream no more is read than its source profile takes. Says nothing of the way back. A migration is read to its
/// end, and `device` (`0000:00:04.0`) says whose stream is meant; where it has one only, it need not be named.
#[pyfunction]
#[pyo3(signature = (source, target, *, device = None, progress = None))]
pub(crate) fn check(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    target: &Bound<'_, PyAny>,
    device: Option<&str>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Verdict> {
    let target = target_of(target)?;
    match source.cast::<Profile>() {
        Ok(_) if device.is_some() => Err(usage("a profile is of one device, and none is named")),
        Ok(profile) => Ok(of_profile(profile.get().0.clone(), Some(&target)).into()),
        Err(_) => Ok(read_source(py, source, Some(&target), (None, false), (device, progress))?.into()),
    }
}

/// Read the source profile of a stream from its first bytes; from all of it, where it is short enough to be held whole.
///
/// A migration is read to its end, and `device` (`0000:00:04.0`) says whose profile is meant; where it has one only, it
/// need not be named. Raises the exception of the outcome for a stream that does not say what it comes from.
#[pyfunction]
#[pyo3(signature = (source, *, format = None, device = None, progress = None))]
pub(crate) fn profile_of(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    format: Option<&str>,
    device: Option<&str>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Profile> {
    let parts = read_source(py, source, None, (format, true), (device, progress))?;
    if let Some(profile) = &parts.source {
        return Ok(Profile(profile.clone()));
    }
    let verdict = Bound::new(py, Verdict::from(parts))?;
    Err(Verdict::exception(&verdict).unwrap_or_else(|| usage("the source does not say what it comes from")))
}

/// Read a whole stream, or a whole migration, and say whether the target can load it.
///
/// `standard` is `strict` (every check of the driver, and everything that it accepts in silence and should not),
/// `driver` (what the kernel driver would do with the write() calls that `writes` names: `whole`, `each:N`, or
/// `split:A,B`, on a device that was just opened, or whose `earlier` sessions are `unknown`), or `qemu` (what QEMU would
/// do with a migration stream). Without a target only the structure is checked. A bad stream is a verdict, not an
/// exception.
///
/// A migration stream of QEMU, alone or behind libvirt's header, is recognised by its magic, or with `input="qemu"`
/// taken for one; its channels are a list of sources. Targets are then one for every device, a sequence with one for each
/// vendor, or a mapping of devices (`0000:00:04.0`) to targets; `machine` is what else is known of the target's machine,
/// and `offset` where the stream begins in its file.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
#[pyo3(signature = (source, target = None, *, standard = "strict", input = "auto", format = None, writes = "whole",
    earlier = "none", machine = None, offset = 0, progress = None))]
pub(crate) fn verify(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    target: Option<&Bound<'_, PyAny>>,
    standard: &str,
    input: &str,
    format: Option<&str>,
    writes: &str,
    earlier: &str,
    machine: Option<&Bound<'_, Machine>>,
    offset: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Verdict> {
    let targets = Targets::read(target)?;
    if !["strict", "driver", "qemu"].contains(&standard) {
        return Err(usage(format!("unknown standard {standard}; known are strict, driver, qemu")));
    }
    if standard != "driver" && (writes != "whole" || earlier != "none") {
        return Err(usage("writes and earlier sessions are for the standard driver; no other asks them"));
    }
    let wanted = Wanted { input, format, offset };
    // What is wrong with these is said before anything is read.
    if !wanted.is_forced() {
        input_of(input, format)?;
    }
    let source = match Given::open(py, source, wanted, None)? {
        Given::Stream(_) if machine.is_some() => return Err(no_machine()),
        Given::Stream(source) => source,
        Given::Migration(channels) => {
            let standard = match standard {
                "strict" => Standard::Strict,
                "qemu" => Standard::Qemu,
                _ => {
                    return Err(usage(
                        "the standard driver asks what a driver does with the stream of its device; a migration stream \
                         holds more: the standard qemu says what QEMU and the drivers do with it",
                    ));
                }
            };
            let options = Options { read_on: true, ..Options::default() };
            let migration = migration(targets, standard, wanted, machine, options)?;
            return of_migration(py, channels, migration, progress);
        }
    };
    let target = targets.single()?;
    match (standard, target) {
        ("strict", target) => {
            let options = Options { input: input_of(input, format)?, read_on: true, now: now(), ..Options::default() };
            let mut gate = Gate::new(VENDORS, target.clone(), options);
            through(
                py,
                &mut gate,
                source,
                &mut Sink::None,
                (&mut |_| {}, &mut |_| Ok(())),
                &mut Progress::new(progress),
            )?;
            Ok(Verdict::of_gate(&gate, target.as_ref()))
        }
        ("driver", Some(target)) => {
            let bytes = whole(py, source)?;
            if bytes.starts_with(&MAGIC) {
                return Err(usage(
                    "the standard driver asks what a driver does with a native stream; this one is sealed: unseal it",
                ));
            }
            driver_verdict(&bytes, &target, (format, earlier), &Writes::read(writes)?)
        }
        ("driver", None) => Err(usage("the standard driver needs a target: the device that the driver would load")),
        _ => Err(usage("the standard qemu is for migration streams; this is the stream of one device")),
    }
}

/// The whole of a source, up to what the standard `driver` takes.
fn whole(py: Python<'_>, source: Source<'_>) -> PyResult<Vec<u8>> {
    let path = source.path();
    let bytes = match source {
        Source::Bytes(bytes) => bytes.as_bytes().to_vec(),
        Source::Pulled(mut pull) => {
            let read = || {
                let mut bytes = Vec::new();
                let mut piece = vec![0; 64 << 10];
                while bytes.len() <= DRIVER_INPUT_MAX {
                    match pull.pull(&mut piece)? {
                        0 => break,
                        count => bytes.extend_from_slice(piece.get(..count).unwrap_or(&[])),
                    }
                }
                Ok(bytes)
            };
            py.detach(read).map_err(|stop: Stop| stop.into_py(path.as_deref()))?
        }
    };
    if bytes.len() > DRIVER_INPUT_MAX {
        return Err(usage(format!("the standard driver takes streams of at most {DRIVER_INPUT_MAX} bytes")));
    }
    Ok(bytes)
}

/// The write() calls that user space makes.
enum Writes {
    Whole,
    Each(usize),
    Split(Vec<usize>),
}

impl Writes {
    fn read(text: &str) -> PyResult<Self> {
        let wrong = || usage(format!("writes must be whole, each:N or split:A,B, not {text}"));
        let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
        match text.split_once(':') {
            None if text == "whole" => Ok(Self::Whole),
            Some(("each", count)) => {
                let count = number(count)?;
                if count == 0 { Err(wrong()) } else { Ok(Self::Each(count)) }
            }
            Some(("split", places)) => {
                let places = places.split(',').map(number).collect::<PyResult<Vec<_>>>()?;
                if places.is_sorted() { Ok(Self::Split(places)) } else { Err(wrong()) }
            }
            _ => Err(wrong()),
        }
    }

    fn cut<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::Whole => vec![bytes],
            Self::Each(count) => bytes.chunks(*count).collect(),
            Self::Split(places) => {
                let mut writes = Vec::new();
                let (mut rest, mut at) = (bytes, 0);
                for &place in places {
                    let (write, left) = rest.split_at_checked(place - at).unwrap_or((rest, &[]));
                    writes.push(write);
                    (rest, at) = (left, place);
                }
                writes.push(rest);
                writes
            }
        }
    }
}

/// The model of a driver of the target's vendor, and whether what went before on the device is known.
fn open_driver(
    target: &transire_core::target::Target,
    format: Option<&str>,
    earlier: &str,
) -> PyResult<(&'static Format, Box<dyn Driver>)> {
    let vendor = target.vendor();
    let unknown = || usage(format!("no driver of {vendor} is known here"));
    let (format, choices) = if let Some(text) = format {
        Some(chosen(text)?).filter(|(format, _)| format.vendor == vendor)
    } else {
        let formats = VENDORS.vendor(vendor).map_or(&[][..], |vendor| vendor.formats);
        formats.iter().copied().find(|format| format.driver.is_some()).map(|format| (format, Choices::NONE))
    }
    .ok_or_else(unknown)?;
    let choices = choices.or((format.settled_by)(target.profile()));
    let open = format.driver.ok_or_else(unknown)?;
    let mut driver = open(target, choices).map_err(usage)?;
    match earlier {
        "none" => {}
        "unknown" => driver.forget(),
        other => return Err(usage(format!("earlier sessions are none or unknown, not {other}"))),
    }
    Ok((format, driver))
}

fn driver_verdict(
    bytes: &[u8],
    target: &Arc<transire_core::target::Target>,
    (format, earlier): (Option<&str>, &str),
    writes: &Writes,
) -> PyResult<Verdict> {
    let (format, mut driver) = open_driver(target, format, earlier)?;
    let writes = writes.cut(bytes);
    let prediction = predict_writes(&mut *driver, writes.iter().copied());
    let mut verdict = transire_core::verdict::Verdict::new();
    let offset_of = |write: u32| {
        let before = writes.iter().take(usize::try_from(write).unwrap_or(usize::MAX));
        u64::try_from(before.map(|write| write.len()).sum::<usize>()).unwrap_or(u64::MAX)
    };
    let taken = |step| match step {
        DriverStep::Write => Datum::Word("every write() taken"),
        DriverStep::SetState => Datum::Word("the change out of RESUMING taken"),
    };
    match prediction {
        transire_core::format::Prediction::Accepted => {}
        transire_core::format::Prediction::Refused { step, errno, write, .. } => {
            let reason = Reason::at(reasons::DRIVER_REFUSED, offset_of(write));
            verdict.push(reason.because(Datum::Word(errno.name()), taken(step)));
        }
        transire_core::format::Prediction::Breaks { step, how, write } => {
            let reason = Reason::at(reasons::DRIVER_BREAKS, offset_of(write));
            verdict.push(reason.because(Datum::Word(how.name()), taken(step)));
        }
        transire_core::format::Prediction::Depends(what) => {
            verdict.push(Reason::new(reasons::DRIVER_DEPENDS).because(Datum::Word(what), Datum::None));
        }
    }
    let parts = Parts {
        complete: prediction == transire_core::format::Prediction::Accepted,
        verdict,
        source: None,
        target: Some(target.clone()),
        examined: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        format: Some(format.name),
        payload_format: Some(format.name.to_owned()),
        prediction: Some(Prediction(prediction)),
        abort_text: None,
        of_migration: None,
    };
    Ok(parts.into())
}

/// What the kernel driver would do with these write() calls on this target.
///
/// All writes are made and the state is changed whatever the driver answers, as user space that ignores refusals would,
/// on a device that was just opened. Where its `earlier` sessions are `unknown` and the driver keeps something of them,
/// the prediction says what the outcome depends on.
#[pyfunction]
#[pyo3(signature = (writes, target, *, format = None, earlier = "none"))]
pub(crate) fn predict(
    writes: &Bound<'_, PyAny>,
    target: &Target,
    format: Option<&str>,
    earlier: &str,
) -> PyResult<Prediction> {
    let (_, mut driver) = open_driver(&target.0, format, earlier)?;
    let writes: Vec<Bound<'_, PyAny>> = writes.try_iter()?.collect::<PyResult<_>>()?;
    let bytes = |write: &Bound<'_, PyAny>| match write.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes().to_vec()),
        Err(_) => write.extract::<Vec<u8>>(),
    };
    let writes: Vec<Vec<u8>> = writes.iter().map(bytes).collect::<PyResult<_>>()?;
    Ok(Prediction(predict_writes(&mut *driver, writes.iter().map(Vec::as_slice))))
}

/// What the kernel driver would do; every property is None where it takes everything.
#[pyclass(frozen, module = "transire")]
#[derive(Clone, Copy)]
pub(crate) struct Prediction(transire_core::format::Prediction);

#[pymethods]
impl Prediction {
    /// Whether every write is taken and the device leaves RESUMING.
    #[getter]
    fn accepted(&self) -> bool {
        self.0 == transire_core::format::Prediction::Accepted
    }

    /// The step that is refused: `write` or `set_state`.
    #[getter]
    const fn step(&self) -> Option<&'static str> {
        match self.0 {
            transire_core::format::Prediction::Refused { step, .. }
            | transire_core::format::Prediction::Breaks { step, .. } => Some(step.name()),
            _ => None,
        }
    }

    /// The error, such as `EFAULT`.
    #[getter]
    const fn errno(&self) -> Option<&'static str> {
        match self.0 {
            transire_core::format::Prediction::Refused { errno, .. } => Some(Errno::name(errno)),
            _ => None,
        }
    }

    /// Which write is refused first, from 0; for `set_state` the number of writes.
    #[getter]
    const fn write(&self) -> Option<u32> {
        match self.0 {
            transire_core::format::Prediction::Refused { write, .. }
            | transire_core::format::Prediction::Breaks { write, .. } => Some(write),
            _ => None,
        }
    }

    /// How the driver breaks, where it does: `crashes` or `blocks`.
    #[getter]
    const fn breaks(&self) -> Option<&'static str> {
        match self.0 {
            transire_core::format::Prediction::Breaks { how, .. } => Some(how.name()),
            _ => None,
        }
    }

    /// What the device holds if the refusal is ignored: `input`, `part` (what was loaded before it) or `previous`.
    #[getter]
    const fn if_ignored(&self) -> Option<&'static str> {
        match self.0 {
            transire_core::format::Prediction::Refused { if_ignored, .. } => Some(if_ignored.name()),
            _ => None,
        }
    }

    /// What the outcome depends on, where stream and target do not say.
    #[getter]
    const fn depends(&self) -> Option<&'static str> {
        match self.0 {
            transire_core::format::Prediction::Depends(what) => Some(what),
            _ => None,
        }
    }

    /// The prediction as a dictionary, ready for JSON.
    #[allow(clippy::wrong_self_convention, reason = "Python shares its objects")]
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("accepted", self.accepted())?;
        dict.set_item("step", self.step())?;
        dict.set_item("errno", self.errno())?;
        dict.set_item("write", self.write())?;
        dict.set_item("if_ignored", self.if_ignored())?;
        dict.set_item("breaks", self.breaks())?;
        dict.set_item("depends", self.depends())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<Prediction {:?}>", self.0)
    }
}
