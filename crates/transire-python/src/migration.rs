//! Migrations: what Python gives as sources and targets, the loop over channels, and what came of it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PyTuple};
use transire_core::containers::qemu::assembly::{Config, Device as Known, Extent};
use transire_core::containers::qemu::pci::ConfigSpace;
use transire_core::containers::qemu::{DESCRIPTION_MAX, Description, Item};
use transire_core::containers::{Container, PREFIX_MAX};
use transire_core::format::Likeness;
use transire_core::gate::migration::{self, DeviceTarget, Event, Judged, Migration, Next, Options, Standard};
use transire_core::report::{Report, report};
use transire_core::vendors::VENDORS;
use transire_core::verdict::{REASONS_KEPT, Reason, reasons};

use crate::convert::hex;
use crate::errors::{Stop, usage};
use crate::gate::{input_of, now};
use crate::inspect::Structure;
use crate::profile::Target;
use crate::source::{Peeked, Progress, Pull, Sink, Source, Window};
use crate::verdict::{OfMigration, Parts, Verdict, profile_of};

/// Bytes of a slice that are walked between two looks at the clock and at Python's signals.
const PIECE: usize = 8 << 20;
/// Bytes that are read from a channel at a time: as they pass they stay in the nearer caches, as those of `cat` do.
const CHANNEL_PIECE: usize = 256 << 10;
/// Bytes of a packet that are read at a time.
const PACKET_PIECE: usize = 256 << 10;
/// Bytes at the end of a file in which its description is looked for: first the usual, then the most.
const TAILS: [u64; 2] = [1 << 20, DESCRIPTION_MAX as u64 + (64 << 10)];

/// What Python gave, once its first bytes were looked at.
pub(crate) enum Given<'py> {
    /// A single source that is no container.
    Stream(Source<'py>),
    /// The channels of a migration.
    Migration(Channels<'py>),
}

/// The channels of a migration, open.
pub(crate) struct Channels<'py> {
    inputs: Vec<Opened<'py>>,
    /// Their numbers, the main channel first.
    order: Vec<usize>,
    /// Offset at which the stream begins in the main channel.
    offset: u64,
}

enum Opened<'py> {
    Bytes(Bound<'py, PyBytes>),
    Pulled(Peeked),
}

/// A channel while the interpreter lock is not held.
enum Input<'a> {
    Slice(&'a [u8]),
    Pulled(&'a mut Peeked),
}

/// How the input is to be taken.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) input: &'a str,
    pub(crate) format: Option<&'a str>,
    pub(crate) offset: u64,
}

impl Wanted<'_> {
    /// Whether the input is taken for a container without looking at it.
    pub(crate) fn is_forced(self) -> bool {
        self.input == Container::Qemu.name() || self.input == Container::ReturnPath.name()
    }
}

fn is_told(head: &[u8]) -> bool {
    !head.is_empty() && Container::recognise(head).0 != Likeness::Short
}

impl<'py> Given<'py> {
    /// Opens one source or several, and looks whether they are containers.
    pub(crate) fn open(
        py: Python<'py>,
        object: &Bound<'py, PyAny>,
        wanted: Wanted<'_>,
        deadline: Option<std::time::Duration>,
    ) -> PyResult<Self> {
        let objects: Vec<Bound<'py, PyAny>> = if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>()
        {
            object.try_iter()?.collect::<PyResult<_>>()?
        } else {
            vec![object.clone()]
        };
        let forced = wanted.is_forced();
        let (mut inputs, mut found) = (Vec::new(), Vec::new());
        for (number, object) in objects.iter().enumerate() {
            let source = Source::open(object, deadline)?;
            // A source whose format is named is not looked at.
            if objects.len() == 1 && !forced && (wanted.input != "auto" || wanted.format.is_some()) {
                return Ok(Self::Stream(source));
            }
            let offset = if number == 0 { wanted.offset } else { 0 };
            let (opened, head) = Opened::begin(py, source, offset)?;
            found.push(Container::recognise(&head));
            inputs.push(opened);
        }
        let certain =
            |(likeness, container): &(Likeness, Container)| (*likeness == Likeness::Certain).then_some(*container);
        let is_main =
            |found: &(Likeness, Container)| matches!(certain(found), Some(Container::Qemu | Container::Libvirt));
        if !forced && !found.iter().any(|found| certain(found).is_some()) {
            return match (inputs.pop(), inputs.is_empty()) {
                (Some(only), true) if wanted.offset == 0 => Ok(Self::Stream(only.into_source())),
                (_, true) => Err(usage("an offset is for a migration stream, and none begins there")),
                _ => Err(usage("several sources are the channels of one migration, and none of these is a channel")),
            };
        }
        let mut mains = found.iter().enumerate().filter(|(_, found)| is_main(found)).map(|(number, _)| number);
        let main = mains.next().unwrap_or(0);
        if mains.next().is_some() {
            return Err(usage("a migration has one main channel: judge the others by themselves"));
        }
        let mut order: Vec<usize> = (0..inputs.len()).filter(|number| *number != main).collect();
        order.insert(0, main);
        Ok(Self::Migration(Channels { inputs, order, offset: wanted.offset }))
    }
}

impl<'py> Opened<'py> {
    /// Passes over what stands before the stream, and looks at its first bytes.
    fn begin(py: Python<'py>, source: Source<'py>, offset: u64) -> PyResult<(Self, Vec<u8>)> {
        let path = source.path();
        match source {
            Source::Bytes(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = bytes.as_bytes().get(from..).unwrap_or(&[]);
                let head = rest.get(..PREFIX_MAX).unwrap_or(rest).to_vec();
                Ok((Self::Bytes(bytes), head))
            }
            Source::Pulled(mut pull) => {
                let begin = || {
                    if offset > 0 && !pull.pass_over(offset)? {
                        let mut left = offset;
                        let mut piece = vec![0; 64 << 10];
                        while left > 0 {
                            let most = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
                            let read = pull.pull(piece.get_mut(..most).unwrap_or(&mut []))?;
                            if read == 0 {
                                break;
                            }
                            left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
                        }
                    }
                    Peeked::new(pull, offset, (PREFIX_MAX, is_told))
                };
                let (peeked, head) = py.detach(begin).map_err(|stop| stop.into_py(path.as_deref()))?;
                Ok((Self::Pulled(peeked), head))
            }
        }
    }

    fn into_source(self) -> Source<'py> {
        match self {
            Self::Bytes(bytes) => Source::Bytes(bytes),
            Self::Pulled(peeked) => Source::Pulled(Box::new(peeked)),
        }
    }

    fn path(&self) -> Option<std::path::PathBuf> {
        match self {
            Self::Bytes(_) => None,
            Self::Pulled(peeked) => peeked.path().map(std::path::Path::to_path_buf),
        }
    }
}

impl Input<'_> {
    /// Reads bytes at an offset; `None` where the source has its bytes once.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<Option<usize>, Stop> {
        match self {
            Self::Slice(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = bytes.get(from..).unwrap_or(&[]);
                let count = rest.len().min(into.len());
                for (to, from) in into.iter_mut().zip(rest) {
                    *to = *from;
                }
                Ok(Some(count))
            }
            Self::Pulled(pull) => pull.read_at(offset, into),
        }
    }

    /// The end of the source; `None` where it has its bytes once.
    fn tail(&mut self, most: u64) -> Result<Option<(u64, Vec<u8>)>, Stop> {
        let total = match self {
            Self::Slice(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Pulled(pull) => pull.total(),
        };
        let Some(total) = total else { return Ok(None) };
        let begin = total.saturating_sub(most);
        let mut tail = vec![0; usize::try_from(total - begin).unwrap_or(usize::MAX)];
        let mut there = 0;
        while let Some(space) = tail.get_mut(there..).filter(|space| !space.is_empty()) {
            let at = begin.saturating_add(u64::try_from(there).unwrap_or(u64::MAX));
            match self.read_at(at, space)? {
                None => return Ok(None),
                Some(0) => break,
                Some(count) => there += count,
            }
        }
        tail.truncate(there);
        Ok(Some((begin, tail)))
    }

    /// The stream's description of itself, found at the end of a source that can be read anywhere.
    fn description(&mut self) -> Result<Option<(Description, Vec<u8>)>, Stop> {
        for most in TAILS {
            let Some((begin, tail)) = self.tail(most)? else { return Ok(None) };
            if let Some(json) = Description::find(&tail).and_then(|range| tail.get(range)) {
                return Ok(Description::read(json).map(|description| (description, json.to_vec())));
            }
            // More of it is read only where it can end in one.
            let ends = tail.iter().rfind(|byte| **byte != 0) == Some(&b'}');
            if !ends || begin == 0 {
                break;
            }
        }
        Ok(None)
    }
}

/// What looks on while channels are read.
pub(crate) trait Watch: Send {
    /// Sees what is told. An error ends the loop.
    fn see(&mut self, _event: Event<'_>) -> Result<(), Stop> {
        Ok(())
    }

    /// A channel begins, with this number, at this offset.
    fn begin(&mut self, _channel: u32, _offset: u64) {}

    /// Sees the bytes that were used.
    fn passed(&mut self, _bytes: &[u8]) {}

    /// Sees that so many bytes were passed over.
    fn skipped(&mut self, _count: u64) {}

    /// Sees bytes of a device that came in a packet.
    fn packet(&mut self, _device: usize, _known: &Known, _bytes: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    /// Sees the stream's description of itself, where it was read first.
    fn description(&mut self, _json: Vec<u8>) {}
}

/// Looks at nothing.
pub(crate) struct Nobody;

impl Watch for Nobody {}

/// Calls Python with the verdict on each device whose source is known.
pub(crate) struct OnVerdict(pub(crate) Option<Py<PyAny>>);

impl Watch for OnVerdict {
    fn see(&mut self, event: Event<'_>) -> Result<(), Stop> {
        let (Event::Verdict(seen), Some(callback)) = (event, &self.0) else { return Ok(()) };
        let parts = parts_of(&seen, &|_| None);
        let call = |py: Python<'_>| callback.call1(py, (Py::new(py, Verdict::from(parts))?,));
        Python::attach(call).map(drop).map_err(Stop::Python)
    }
}

/// Gives all channels to a migration, and what came in packets, and ends it.
pub(crate) fn run(
    py: Python<'_>,
    migration: &mut Migration,
    channels: &mut Channels<'_>,
    sink: &mut Sink,
    watch: &mut dyn Watch,
    progress: &mut Progress,
) -> PyResult<()> {
    let paths: Vec<_> = channels.inputs.iter().map(Opened::path).collect();
    let (order, offset) = (channels.order.clone(), channels.offset);
    let mut inputs: Vec<Input<'_>> = channels
        .inputs
        .iter_mut()
        .map(|input| match input {
            Opened::Bytes(bytes) => Input::Slice(bytes.as_bytes()),
            Opened::Pulled(peeked) => Input::Pulled(peeked),
        })
        .collect();
    let mut at = 0;
    let ended = py.detach(|| {
        // What goes on as it comes is not read from behind.
        if matches!(sink, Sink::None)
            && let Some(main) = order.first().and_then(|number| inputs.get_mut(*number))
            && let Some((description, json)) = main.description()?
        {
            migration.describe_by(description);
            watch.description(json);
        }
        for (turn, number) in order.iter().enumerate() {
            let Some(input) = inputs.get_mut(*number) else { continue };
            at = *number;
            let number = u32::try_from(*number).unwrap_or(u32::MAX);
            let begin = if turn == 0 { offset } else { 0 };
            migration.next_channel(number);
            watch.begin(number, begin);
            match input {
                Input::Slice(bytes) => {
                    let from = usize::try_from(begin).unwrap_or(usize::MAX);
                    of_slice(migration, bytes.get(from..).unwrap_or(&[]), sink, watch, progress)?;
                }
                Input::Pulled(pull) => of_window(migration, &mut **pull, sink, watch, progress)?,
            }
        }
        let mut piece = vec![0; PACKET_PIECE];
        for (device, extent) in migration.packets() {
            at = usize::try_from(extent.channel).unwrap_or(usize::MAX);
            let Some(input) = inputs.get_mut(at) else { continue };
            packet(migration, input, (device, extent), &mut piece, watch)?;
        }
        finish(migration, watch)
    });
    match ended {
        Ok(()) => Ok(()),
        Err(Stop::SourceStalled) => {
            migration.stop(Reason::at(reasons::STREAM_STALLED, migration.examined()));
            finish(migration, watch).map_err(|stop| stop.into_py(None))
        }
        Err(stop) => Err(stop.into_py(paths.get(at).and_then(Option::as_deref))),
    }
}

/// What a watch makes of events, the first error kept: nothing is told behind it.
fn told<T>(watch: &mut dyn Watch, tell: impl FnOnce(&mut dyn FnMut(Event<'_>)) -> T) -> Result<T, Stop> {
    let mut failed = None;
    let done = tell(&mut |event| {
        if failed.is_none() {
            failed = watch.see(event).err();
        }
    });
    failed.map_or(Ok(done), Err)
}

fn of_slice(
    migration: &mut Migration,
    bytes: &[u8],
    sink: &mut Sink,
    watch: &mut dyn Watch,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let total = u64::try_from(bytes.len()).ok();
    let mut rest = bytes;
    let mut need = 0;
    loop {
        let piece = rest.get(..with_piece(need, PIECE)).unwrap_or(rest);
        let eof = piece.len() == rest.len();
        let step = told(watch, |tell| migration.step(piece, eof, tell))?;
        let (used, left) = rest.split_at_checked(step.used).unwrap_or((rest, &[]));
        sink.write([used, &[]])?;
        watch.passed(used);
        rest = left;
        need = 0;
        match step.next {
            Next::Need(bytes) => need = bytes,
            Next::Skip(count) if matches!(sink, Sink::None) => {
                let there = usize::try_from(count).unwrap_or(usize::MAX).min(rest.len());
                rest = rest.get(there..).unwrap_or(&[]);
                let count = u64::try_from(there).unwrap_or(u64::MAX);
                migration.skip(count);
                watch.skipped(count);
            }
            Next::Skip(_) => {}
            Next::Over => return Ok(()),
        }
        progress.at(migration.examined(), total)?;
    }
}

fn of_window(
    migration: &mut Migration,
    pull: &mut dyn Pull,
    sink: &mut Sink,
    watch: &mut dyn Watch,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let mut window = Window::new(pull);
    loop {
        let (bytes, eof) = window.bytes();
        let step = told(watch, |tell| migration.step(bytes, eof, tell))?;
        let used = bytes.get(..step.used).unwrap_or(bytes);
        sink.write([used, &[]])?;
        watch.passed(used);
        window.drop_front(step.used);
        match step.next {
            Next::Need(need) => window.fill_within(need, with_piece(need, CHANNEL_PIECE))?,
            Next::Skip(count) if matches!(sink, Sink::None) => {
                let count = window.pass_over(count)?;
                migration.skip(count);
                watch.skipped(count);
            }
            Next::Skip(_) => {}
            Next::Over => return Ok(()),
        }
        progress.at(migration.examined(), window.total())?;
    }
}

/// How much to give where so many bytes are needed: a piece, or a piece more than what is withheld.
const fn with_piece(need: usize, piece: usize) -> usize {
    if need > piece { need.saturating_add(piece) } else { piece }
}

/// Reads a piece of device state again, and gives it.
fn packet(
    migration: &mut Migration,
    input: &mut Input<'_>,
    (device, extent): (usize, Extent),
    piece: &mut [u8],
    watch: &mut dyn Watch,
) -> Result<(), Stop> {
    let (mut at, mut left) = (extent.offset, extent.length);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let space = piece.get_mut(..most).unwrap_or(&mut []);
        let Some(count) = input.read_at(at, space)? else {
            return Err(Stop::Python(usage(
                "device state in multifd packets is read a second time, in order: give files, not pipes",
            )));
        };
        if count == 0 {
            return Ok(());
        }
        let bytes = piece.get(..count).unwrap_or(&[]);
        told(watch, |tell| migration.packet(device, bytes, tell))?;
        if let Some(known) = migration.device(device).and_then(|seen| seen.device) {
            watch.packet(device, known, bytes)?;
        }
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        (at, left) = (at.saturating_add(count), left.saturating_sub(count));
    }
    Ok(())
}

fn finish(migration: &mut Migration, watch: &mut dyn Watch) -> Result<(), Stop> {
    told(watch, |tell| migration.finish(tell))
}

/// The targets that Python gave: one, several, or several by device.
pub(crate) enum Targets {
    Nothing,
    One(Arc<transire_core::target::Target>),
    Several(Vec<DeviceTarget>),
}

impl Targets {
    pub(crate) fn read(object: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(object) = object else { return Ok(Self::Nothing) };
        let target = |object: &Bound<'_, PyAny>| match object.cast::<Target>() {
            Ok(target) => Ok(target.get().0.clone()),
            Err(_) => Err(usage("a target is a Target, a mapping of devices to Targets, or a sequence of Targets")),
        };
        if object.is_instance_of::<Target>() {
            return target(object).map(Self::One);
        }
        let mut targets = Vec::new();
        if let Ok(mapping) = object.cast::<PyMapping>() {
            for item in mapping.items()?.iter() {
                let (device, of): (Option<String>, Bound<'_, PyAny>) = item.extract()?;
                targets.push(DeviceTarget { device: device.map(String::into_bytes), target: target(&of)? });
            }
        } else {
            let wrong = |_| usage("a target is a Target, a mapping of devices to Targets, or a sequence of Targets");
            for of in object.try_iter().map_err(wrong)? {
                targets.push(DeviceTarget { device: None, target: target(&of?)? });
            }
        }
        Ok(Self::Several(targets))
    }

    /// As the devices of a migration have them.
    pub(crate) fn by_device(self) -> Option<Vec<DeviceTarget>> {
        match self {
            Self::Nothing => None,
            Self::One(target) => Some(vec![DeviceTarget { device: None, target }]),
            Self::Several(targets) => Some(targets),
        }
    }

    /// As a stream by itself has it.
    pub(crate) fn single(self) -> PyResult<Option<Arc<transire_core::target::Target>>> {
        match self {
            Self::Nothing => Ok(None),
            Self::One(target) => Ok(Some(target)),
            Self::Several(targets) => match targets.as_slice() {
                [DeviceTarget { device: None, target }] => Ok(Some(target.clone())),
                _ => Err(usage("targets by device are for migration streams; this is the stream of one device")),
            },
        }
    }
}

/// A migration with these choices.
pub(crate) fn migration(
    targets: Targets,
    standard: Standard,
    wanted: Wanted<'_>,
    machine: Option<&Bound<'_, Machine>>,
    devices: transire_core::gate::Options,
) -> PyResult<Migration> {
    let input = match wanted.format {
        Some(format) => input_of("native", Some(format))?,
        None => transire_core::gate::Input::Native,
    };
    let devices = transire_core::gate::Options { input, now: now(), exact: true, ..devices };
    let is_return_path = wanted.input == Container::ReturnPath.name();
    let options = Options { standard, devices, page_bits: None, is_return_path, offset: wanted.offset };
    let machine = machine.map(|machine| machine.get().0.clone()).unwrap_or_default();
    Migration::new(VENDORS, targets.by_device(), machine, options).map_err(|error| usage(error.to_string()))
}

/// A name of the stream, which is printable ASCII wherever the walk let it pass.
pub(crate) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Reasons in words, with what only the migration can say of them.
fn reports_of(
    verdict: &transire_core::verdict::Verdict,
    source: Option<&transire_core::profile::Profile>,
    target: Option<&transire_core::target::Target>,
    words: &dyn Fn(&Reason) -> Option<String>,
) -> Vec<Report> {
    let source = source.map(|source| source as &dyn transire_core::attribute::Attributes);
    let mut reports: Vec<Report> = Vec::new();
    for reason in verdict.reasons() {
        let mut said = report(reason, source, target);
        if let Some(words) = words(reason) {
            said.text.push_str("; ");
            said.text.push_str(&words);
        }
        reports.push(said);
    }
    reports.sort_by_key(|report| core::cmp::Reverse(report.outcome));
    reports
}

/// The verdict on a device.
fn parts_of(seen: &Judged<'_>, words: &dyn Fn(&Reason) -> Option<String>) -> Parts {
    let verdict = seen.verdict();
    let source = seen.gate.filter(|gate| gate.is_judged()).and_then(|gate| profile_of(&gate.source()));
    let target = seen.target.cloned();
    let name = text(seen.place());
    let reports = reports_of(&verdict, source.as_deref(), target.as_deref(), words);
    let reports = reports.into_iter().map(|report| (report, Some(name.clone()))).collect();
    Parts {
        source,
        target,
        complete: seen.is_complete(),
        examined: seen.gate.map_or(0, transire_core::gate::Gate::examined),
        format: seen.gate.and_then(transire_core::gate::Gate::format),
        payload_format: seen.gate.and_then(|gate| gate.payload_format().map(ToOwned::to_owned)),
        prediction: None,
        abort_text: None,
        of_migration: Some(OfMigration { device: Some(name), devices: Vec::new(), reports }),
        verdict,
    }
}

/// What an inspection has of a device besides.
#[derive(Default)]
pub(crate) struct Besides {
    pub(crate) structures: Vec<Py<Structure>>,
    pub(crate) path: Option<String>,
}

/// What was found of a whole migration, and of none of its devices.
fn of_whole(migration: &Migration) -> Parts {
    let verdict = migration.verdict().clone();
    let words = |reason: &Reason| migration.words(None, reason);
    let reports = reports_of(&verdict, None, None, &words).into_iter().map(|report| (report, None)).collect();
    Parts {
        verdict,
        source: None,
        target: None,
        complete: migration.is_complete(),
        examined: migration.examined(),
        format: migration.container().map(Container::name),
        payload_format: None,
        prediction: None,
        abort_text: None,
        of_migration: Some(OfMigration { device: None, devices: Vec::new(), reports }),
    }
}

/// Whether the migration mentions the device, and what is wrong with it as a whole ended the walk before anything of the
/// device could be judged: that is no compatible device.
fn never_came(migration: &Migration, seen: &Judged<'_>) -> bool {
    migration.verdict().is_settled_against() && seen.gate.is_none() && !seen.verdict().is_settled_against()
}

/// The verdict on a whole migration, its devices among it.
pub(crate) fn verdict_of(
    py: Python<'_>,
    migration: &Migration,
    mut besides: impl FnMut(usize, &Judged<'_>) -> PyResult<Besides>,
) -> PyResult<Verdict> {
    let mut whole = of_whole(migration);
    let OfMigration { mut reports, mut devices, .. } = whole.of_migration.take().unwrap_or_default();
    for (number, seen) in migration.devices().enumerate() {
        let mut parts = parts_of(&seen, &|reason| migration.words(Some(number), reason));
        if never_came(migration, &seen) {
            // What is wrong with the whole is why, and is told of the whole already.
            let why = of_whole(migration);
            parts.verdict = why.verdict;
            if let (Some(of), Some(why)) = (&mut parts.of_migration, why.of_migration) {
                of.reports = why.reports;
            }
        } else {
            for reason in parts.verdict.reasons() {
                whole.verdict.push(*reason);
            }
            whole.verdict.count_dropped(parts.verdict.dropped());
            if let Some(of) = &parts.of_migration {
                let room = REASONS_KEPT.saturating_sub(reports.len());
                reports.extend(of.reports.iter().take(room).cloned());
            }
        }
        let Besides { structures, path } = besides(number, &seen)?;
        let known = seen.device;
        let device = Device {
            name: text(seen.place()),
            instance: seen.instance,
            verdict: Py::new(py, Verdict::from(parts))?,
            extents: known.map(|known| known.extents().collect()).unwrap_or_default(),
            config: known.and_then(|known| known.config.clone()),
            structures,
            path,
        };
        devices.push(Py::new(py, device)?);
    }
    reports.sort_by_key(|(report, _)| core::cmp::Reverse(report.outcome));
    whole.of_migration = Some(OfMigration { device: None, devices, reports });
    Ok(whole.into())
}

/// Judges a migration by reading all of it.
pub(crate) fn verify(
    py: Python<'_>,
    mut channels: Channels<'_>,
    mut migration: Migration,
    progress: Option<Py<PyAny>>,
) -> PyResult<Verdict> {
    run(py, &mut migration, &mut channels, &mut Sink::None, &mut Nobody, &mut Progress::new(progress))?;
    verdict_of(py, &migration, |_, _| Ok(Besides::default()))
}

/// What a migration says of one of its devices: the one that is named, or the only one.
pub(crate) fn of_device(
    py: Python<'_>,
    mut channels: Channels<'_>,
    wanted: Wanted<'_>,
    (device, target): (Option<&str>, Option<&Arc<transire_core::target::Target>>),
    progress: Option<Py<PyAny>>,
) -> PyResult<Parts> {
    let device = device.map(|device| device.strip_suffix("/vfio").unwrap_or(device));
    let targets = target.map_or(Targets::Nothing, |target| {
        let device = device.map(|device| device.as_bytes().to_vec());
        Targets::Several(vec![DeviceTarget { device, target: target.clone() }])
    });
    let devices = transire_core::gate::Options { read_on: true, ..Default::default() };
    let mut migration = migration(targets, Standard::Strict, wanted, None, devices)?;
    run(py, &mut migration, &mut channels, &mut Sink::None, &mut Nobody, &mut Progress::new(progress))?;
    let there = || migration.devices().enumerate().filter(|(_, seen)| seen.device.is_some());
    let names = || there().map(|(_, seen)| text(seen.place())).collect::<Vec<_>>().join(", ");
    let mut meant = there().filter(|(_, seen)| device.is_none_or(|device| seen.place() == device.as_bytes()));
    let unreadable = migration.verdict().is_settled_against();
    match (meant.next(), meant.next(), device) {
        (Some((_, seen)), None, _) if never_came(&migration, &seen) => Ok(of_whole(&migration)),
        (Some((number, seen)), None, _) => Ok(parts_of(&seen, &|reason| migration.words(Some(number), reason))),
        (Some(_), Some(_), None) => {
            Err(usage(format!("a migration stream of several devices: name one of {}", names())))
        }
        (Some(_), Some(_), Some(device)) => Err(usage(format!("the migration stream has several devices {device}"))),
        // A stream that cannot be read may have had it.
        (None, ..) if unreadable => Ok(of_whole(&migration)),
        (None, _, Some(device)) if there().next().is_some() => {
            Err(usage(format!("the migration stream has no device {device}; it has {}", names())))
        }
        (None, ..) => Err(usage("the migration stream has no VFIO device")),
    }
}

/// An error of usage: a machine was given for what is no migration.
pub(crate) fn no_machine() -> PyErr {
    usage("a machine is for migration streams; this is the stream of one device")
}

/// Passes a migration on.
pub(crate) fn deliver(
    py: Python<'_>,
    mut channels: Channels<'_>,
    mut migration: Migration,
    sink: &mut Sink,
    (on_verdict, progress): (Option<Py<PyAny>>, Option<Py<PyAny>>),
) -> PyResult<Verdict> {
    if channels.inputs.len() > 1 {
        return Err(usage("a gate passes one channel on; a migration of several does not go through a pipe"));
    }
    let mut watch = OnVerdict(on_verdict);
    run(py, &mut migration, &mut channels, sink, &mut watch, &mut Progress::new(progress))?;
    verdict_of(py, &migration, |_, _| Ok(Besides::default()))
}

/// A device of a migration.
#[pyclass(frozen, module = "transire")]
pub(crate) struct Device {
    name: String,
    instance: u32,
    verdict: Py<Verdict>,
    extents: Vec<Extent>,
    config: Option<Config>,
    structures: Vec<Py<Structure>>,
    path: Option<String>,
}

#[pymethods]
impl Device {
    /// Its place, such as `0000:00:04.0`.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Its instance id.
    #[getter]
    const fn instance(&self) -> u32 {
        self.instance
    }

    /// What its stream came to.
    #[getter]
    fn verdict(&self, py: Python<'_>) -> Py<Verdict> {
        self.verdict.clone_ref(py)
    }

    /// Bytes of its stream.
    #[getter]
    fn length(&self) -> u64 {
        self.extents.iter().fold(0, |sum, extent| sum.saturating_add(extent.length))
    }

    /// Where the pieces of its stream stand, in the order in which its driver gets them: channel, offset, length, phase.
    #[getter]
    fn extents(&self) -> Vec<(u32, u64, u64, &'static str)> {
        self.extents.iter().map(|of| (of.channel, of.offset, of.length, of.phase.name())).collect()
    }

    /// Its PCI configuration as the stream has it: the space's bytes; None where the stream has none.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.config.as_ref().map(|config| PyBytes::new(py, &config.space))
    }

    /// The structures of its stream, of an inspection.
    #[getter]
    fn structures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.structures.iter().map(|structure| structure.clone_ref(py)))
    }

    /// The file that its stream was written to, of an extraction.
    #[getter]
    fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The device as a dictionary, ready for JSON.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("name", &self.name)?;
        dict.set_item("instance", self.instance)?;
        dict.set_item("length", self.length())?;
        let extents = self.extents.iter().map(|extent| {
            let dict = PyDict::new(py);
            dict.set_item("channel", extent.channel)?;
            dict.set_item("offset", extent.offset)?;
            dict.set_item("length", extent.length)?;
            dict.set_item("phase", extent.phase.name())?;
            Ok(dict)
        });
        dict.set_item("extents", extents.collect::<PyResult<Vec<_>>>()?)?;
        dict.set_item("config", self.config.as_ref().map(|config| config_dict(py, config)).transpose()?)?;
        if !self.structures.is_empty() {
            let structures = self.structures.iter().map(|structure| structure.get().to_dict(py));
            dict.set_item("structures", structures.collect::<PyResult<Vec<_>>>()?)?;
        }
        if let Some(path) = &self.path {
            dict.set_item("path", path)?;
        }
        dict.set_item("verdict", self.verdict.get().to_dict(py)?)?;
        Ok(dict)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let outcome = self.verdict.bind(py).get().outcome(py)?;
        Ok(format!("<Device {} {outcome}, {} bytes>", self.name, self.length()))
    }
}

/// A PCI configuration taken apart.
fn config_dict<'py>(py: Python<'py>, config: &Config) -> PyResult<Bound<'py, PyDict>> {
    let space = ConfigSpace(&config.space);
    let dict = PyDict::new(py);
    dict.set_item("channel", config.channel)?;
    dict.set_item("offset", config.layout.space_offset())?;
    dict.set_item("length", config.space.len())?;
    dict.set_item("pci_id", format!("{:04x}:{:04x}", space.vendor(), space.device()))?;
    let (vendor, device) = space.subsystem();
    dict.set_item("subsystem_id", format!("{vendor:04x}:{device:04x}"))?;
    dict.set_item("class", format!("{:06x}", space.class()))?;
    let capabilities = space.capabilities().map(|capability| {
        let dict = PyDict::new(py);
        dict.set_item("id", capability.id)?;
        dict.set_item("name", capability.name())?;
        dict.set_item("offset", capability.offset)?;
        Ok(dict)
    });
    dict.set_item("capabilities", capabilities.collect::<PyResult<Vec<_>>>()?)?;
    dict.set_item("interrupt_pins", config.layout.pins.to_vec())?;
    dict.set_item("msix_vectors", config.layout.vectors)?;
    dict.set_item("raw", hex(&config.space))?;
    Ok(dict)
}

/// What is known of a target's machine besides its VFIO devices.
///
/// `handlers` are identity strings and instance ids of everything else that has state (None: whatever the stream has),
/// `ram` the blocks of RAM that are known and their bytes, `configs` PCI configuration spaces by device;
/// `skip_vendor_specific` says whether vendor-specific capabilities are left out where these are compared (None: as the
/// stream's machine type has it); `machine_type` is its own (None: the stream's), and `mapped_ram` whether it loads with
/// mapped-ram (None: as in the stream).
#[pyclass(frozen, module = "transire")]
pub(crate) struct Machine(migration::Machine);

#[pymethods]
impl Machine {
    #[new]
    #[pyo3(signature = (handlers = None, ram = None, configs = None, skip_vendor_specific = None, machine_type = None,
        mapped_ram = None))]
    fn new(
        handlers: Option<Vec<(String, u32)>>,
        ram: Option<std::collections::BTreeMap<String, u64>>,
        configs: Option<std::collections::BTreeMap<String, Vec<u8>>>,
        skip_vendor_specific: Option<bool>,
        machine_type: Option<String>,
        mapped_ram: Option<bool>,
    ) -> Self {
        let bytes = |(name, value): (String, _)| (name.into_bytes(), value);
        Self(migration::Machine {
            machine_type: machine_type.map(String::into_bytes),
            mapped_ram,
            handlers: handlers.map(|all| all.into_iter().map(|(name, of)| (name.into_bytes(), of)).collect()),
            blocks: ram.unwrap_or_default().into_iter().map(bytes).collect(),
            configs: configs.unwrap_or_default().into_iter().map(|(name, of)| (name.into_bytes(), of)).collect(),
            skip_vendor_specific,
        })
    }

    /// Read it from a migration stream that the machine itself saved.
    #[staticmethod]
    #[pyo3(signature = (source, *, offset = 0))]
    fn read(py: Python<'_>, source: &Bound<'_, PyAny>, offset: u64) -> PyResult<Self> {
        struct Blocks(Vec<(Vec<u8>, u64)>);
        impl Watch for Blocks {
            fn see(&mut self, event: Event<'_>) -> Result<(), Stop> {
                if let Event::Item(Item::Block(block), reader) = event
                    && let Some(name) = reader.block_name(block.block)
                {
                    self.0.push((name.to_vec(), block.length));
                }
                Ok(())
            }
        }
        let wanted = Wanted { input: "qemu", format: None, offset };
        let Given::Migration(mut channels) = Given::open(py, source, wanted, None)? else {
            return Err(usage("a machine is read from a migration stream"));
        };
        let devices = transire_core::gate::Options { read_on: true, ..Default::default() };
        let mut migration = migration(Targets::Nothing, Standard::Strict, wanted, None, devices)?;
        channels.order.truncate(1);
        let mut blocks = Blocks(Vec::new());
        let mut progress = Progress::new(None);
        run(py, &mut migration, &mut channels, &mut Sink::None, &mut blocks, &mut progress)?;
        if migration.verdict().is_settled_against() {
            let verdict = Bound::new(py, verdict_of(py, &migration, |_, _| Ok(Besides::default()))?)?;
            return Err(Verdict::exception(&verdict).unwrap_or_else(|| usage("the stream is damaged")));
        }
        let machine_type = migration.reader().configuration().machine.clone();
        let handlers = migration.reader().handlers().iter().filter(|handler| handler.device.is_none());
        let configs = migration.devices().filter_map(|seen| {
            let config = seen.device?.config.as_ref()?;
            Some((seen.place().to_vec(), config.space.clone()))
        });
        Ok(Self(migration::Machine {
            machine_type: (!machine_type.is_empty()).then_some(machine_type),
            // What a file was saved with says nothing of what is loaded next.
            mapped_ram: None,
            handlers: Some(handlers.map(|handler| (handler.name.clone(), handler.instance)).collect()),
            blocks: blocks.0,
            configs: configs.collect(),
            skip_vendor_specific: None,
        }))
    }

    /// Identity strings and instance ids of everything else that has state; None where not known.
    #[getter]
    fn handlers(&self) -> Option<Vec<(String, u32)>> {
        let all = self.0.handlers.as_ref()?;
        Some(all.iter().map(|(name, instance)| (text(name), *instance)).collect())
    }

    /// Blocks of RAM and their bytes.
    #[getter]
    fn ram(&self) -> std::collections::BTreeMap<String, u64> {
        self.0.blocks.iter().map(|(name, length)| (text(name), *length)).collect()
    }

    /// PCI configuration spaces by device.
    #[getter]
    fn configs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, space) in &self.0.configs {
            dict.set_item(text(name), PyBytes::new(py, space))?;
        }
        Ok(dict)
    }

    /// Its type; None where not known.
    #[getter]
    fn machine_type(&self) -> Option<String> {
        self.0.machine_type.as_deref().map(text)
    }

    /// Whether it loads with mapped-ram; None where that is taken to be as in the stream.
    #[getter]
    const fn mapped_ram(&self) -> Option<bool> {
        self.0.mapped_ram
    }

    /// Whether vendor-specific capabilities are left out where configurations are compared.
    #[getter]
    const fn skip_vendor_specific(&self) -> Option<bool> {
        self.0.skip_vendor_specific
    }
}

/// What a file begins with, where it is a container: `qemu` for a main channel, `qemu-channel` for a further one,
/// `libvirt` for a save image; None for anything else. 16 bytes tell.
#[pyfunction]
pub(crate) fn container_of(prefix: &[u8]) -> Option<&'static str> {
    let (likeness, container) = Container::recognise(prefix);
    (likeness == Likeness::Certain).then(|| container.name())
}
