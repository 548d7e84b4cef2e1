//! A whole migration at the gate: the container is walked, each VFIO device's stream goes through a gate of its own as it
//! passes, and nothing that completes the destination goes on before every device has passed.
//!
//! The caller owns files and buffers. It gives the main channel first ([`Migration::step`] until [`Next::Over`]), then
//! each further channel behind [`Migration::next_channel`]; then it reads again what came in packets, in order
//! ([`Migration::packets`], [`Migration::packet`]), and ends with [`Migration::finish`]. A gate in a pipe has the one
//! channel, and is asked for no packets.
//!
//! What a destination could take for its end goes on only when every device has passed, or it is known not to be the end;
//! until then the caller keeps it, at most [`WITHHELD_MAX`] bytes.
//!
//! Memory: what the walk keeps, one gate a device (at most
//! [`crate::containers::qemu::assembly::DEVICES_MAX`] of them), and where each piece of a device's
//! stream stands. No page is copied, nor looked at.

mod target;
mod withheld;

pub use target::{DeviceTarget, Machine, TargetError};
pub use withheld::WITHHELD_MAX;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use target::{check, config_of, destination, driver_of, place_of, target_of};
use withheld::Withheld;

use super::{Gate, Input, Options as DeviceOptions, Output, PushGate};
use crate::bytes::{index, widen};
use crate::containers::Container;
use crate::containers::libvirt::{Opened, SaveImage, reasons as of_libvirt};
use crate::containers::qemu::assembly::{Assembly, Device, Extent, Finding};
use crate::containers::qemu::outlook::{Cause, Destination, Outlook, Slot};
use crate::containers::qemu::pci::{ConfigSpace, Place, skips_vendor_specific};
use crate::containers::qemu::{
    ConfigLayout, Description, Event as Walked, Item, Kind, POSTCOPY_RUN, QemuReader, reasons,
};
use crate::format::{Layout, Likeness, Registry};
use crate::recognise::{PREFIX_MAX, Recognised, recognise};
use crate::target::Target;
use crate::verdict::reasons as shared;
use crate::verdict::{Datum, Outcome, Reason, Verdict};

/// By which measure a migration is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standard {
    /// That nothing of a device's state is lost or wrong, and nothing in the container either.
    #[default]
    Strict,
    /// What QEMU itself would do.
    Qemu,
}

/// How a migration is judged.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// By which measure.
    pub standard: Standard,
    /// How each device's stream is judged. `input` is native, or the format of those devices whose target has its vendor.
    /// `read_on` is for verifying: everything is read whatever the verdict; without it the walk stops before bytes that
    /// must not go on.
    pub devices: DeviceOptions,
    /// Bits of the size of the guest's pages, where the stream does not say.
    pub page_bits: Option<u32>,
    /// Whether it is no channel to a destination, but what a destination sends back.
    pub is_return_path: bool,
    /// Offset at which the stream begins in its file, for offsets that count from the beginning of the file.
    pub offset: u64,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that are done with. They may go on; those behind them must not yet, and are given again with the
    /// next step.
    pub used: usize,
    /// What comes next.
    pub next: Next,
}

/// What comes after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing can be said before the input, without the bytes used, holds so many bytes (or ends). Where places are
    /// withheld that could be the end, that is up to one more than [`WITHHELD_MAX`].
    Need(usize),
    /// The next so many bytes are pages of mapped-ram or gaps. A caller that can seek passes over them and says so by
    /// [`Migration::skip`]; any other goes on as ever.
    Skip(u64),
    /// The channel is over: at its end, or at a place behind which nothing must go on. See [`Migration::has_stopped`].
    Over,
}

/// What is told of a step, while the bytes are there.
#[non_exhaustive]
pub enum Event<'a> {
    /// libvirt's header. The domain's XML follows it, as bytes that pass.
    Image(SaveImage),
    /// A part of the container, and the walk that found it.
    Item(Item, &'a QemuReader),
    /// The PCI configuration of a device.
    Config {
        /// Which device: see [`Migration::device`].
        device: usize,
        /// What is where in it.
        layout: ConfigLayout,
    },
    /// Bytes of a device's stream, but for what comes in packets.
    Data {
        /// Which device: see [`Migration::device`].
        device: usize,
        /// What the stream has of it so far.
        known: &'a Device,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A structure of a device's stream, for a gate that describes.
    Record {
        /// Which device: see [`Migration::device`].
        device: usize,
        /// Its fields.
        layout: &'static Layout,
        /// Which one, where there are several.
        number: Option<u32>,
        /// Offset of its first byte in the device's stream: see [`Device::locate`].
        offset: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A device's source profile was judged.
    Verdict(Judged<'a>),
}

/// Takes what is told.
pub type Tell<'a> = &'a mut dyn FnMut(Event<'_>);

/// A device of the stream or of the targets, as far as it has been judged.
pub struct Judged<'a> {
    /// Its identity string; of one that the stream does not mention, as the target was named.
    pub name: &'a [u8],
    /// Its instance id.
    pub instance: u32,
    /// What it is to be loaded into.
    pub target: Option<&'a Arc<Target>>,
    /// What the stream has of it; `None` where the stream does not mention it.
    pub device: Option<&'a Device>,
    /// The gate that its stream goes through; `None` before its first byte, and under the standard `qemu`.
    pub gate: Option<&'a Gate>,
    own: &'a Verdict,
    findings: &'a [Finding],
    number: usize,
}

impl Judged<'_> {
    /// The device's place, such as `0000:00:04.0`: its identity string without what stands behind it.
    pub fn place(&self) -> &[u8] {
        place_of(self.name)
    }

    /// Everything that was found of the device, each with the channel and the offset in it.
    pub fn verdict(&self) -> Verdict {
        let mut verdict = self.own.clone();
        for finding in self.findings.iter().filter(|finding| finding.device == self.number) {
            verdict.push(finding.reason.in_channel(finding.channel));
        }
        if let Some(gate) = self.gate {
            for reason in gate.verdict().reasons() {
                verdict.push(self.located(*reason));
            }
            verdict.count_dropped(gate.verdict().dropped());
        }
        verdict
    }

    /// A reason about the device's stream, at its place in the container.
    fn located(&self, mut reason: Reason) -> Reason {
        if let Some(span) = &mut reason.span
            && let Some(device) = self.device
        {
            // What is missing at the end of the stream is missing behind its last piece.
            let end = || device.extents().last().map(|last| (last.channel, last.offset.saturating_add(last.length)));
            let (channel, offset) = device.locate(span.offset).or_else(end).unwrap_or_else(|| device.first());
            (span.channel, span.offset) = (channel, offset);
        }
        reason
    }

    /// Whether the device's stream was read to its end, and nothing speaks against loading it.
    pub fn is_complete(&self) -> bool {
        self.gate.is_some_and(Gate::is_complete)
    }
}

/// A migration before its targets.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Migration {
    registry: Registry,
    targets: Option<Vec<DeviceTarget>>,
    machine: Machine,
    options: Options,
    stage: Stage,
    container: Option<Container>,
    channel: u32,
    reader: QemuReader,
    description: Option<Description>,
    assembly: Assembly,
    destination: Option<Destination>,
    outlook: Option<Outlook>,
    verdict: Verdict,
    devices: Vec<InHand>,
    absent: Vec<Absent>,
    skip_vendor_specific: bool,
    /// Whether every channel so far was walked to its end.
    whole: bool,
    withheld: Withheld,
    examined: u64,
    gathered: bool,
    concluded: bool,
    stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begin,
    /// So many bytes of libvirt's header and XML are left.
    Image(u64),
    Main,
    Further,
    Over,
}

/// A device of the stream while its bytes pass.
struct InHand {
    target: Option<usize>,
    gate: Option<PushGate>,
    /// The first bytes, as long as they do not tell which of several targets is the device's.
    first: Vec<u8>,
    /// What the container's side has against it.
    own: Verdict,
    /// Its place in the model of the destination.
    slot: Option<usize>,
}

/// A device that a target was given for and that the stream does not mention.
struct Absent {
    target: usize,
    own: Verdict,
}

impl Migration {
    /// A migration before these targets; with `None` nothing is judged, and the streams are only read and checked. An empty
    /// list is a machine without VFIO devices.
    ///
    /// # Errors
    /// Targets that do not go together, or that the standard cannot work with.
    pub fn new(
        registry: Registry,
        targets: Option<Vec<DeviceTarget>>,
        machine: Machine,
        options: Options,
    ) -> Result<Self, TargetError> {
        check(targets.as_deref(), options.standard)?;
        let destination = match (options.standard, &targets) {
            (Standard::Qemu, Some(targets)) => Some(destination(registry, targets, &machine, &options)?),
            _ => None,
        };
        Ok(Self {
            registry,
            targets,
            stage: Stage::Begin,
            container: None,
            channel: 0,
            reader: QemuReader::main(),
            description: None,
            assembly: Assembly::new(),
            destination,
            outlook: None,
            verdict: Verdict::new(),
            devices: Vec::new(),
            absent: Vec::new(),
            skip_vendor_specific: machine.skip_vendor_specific.unwrap_or(true),
            whole: true,
            withheld: Withheld::default(),
            examined: 0,
            gathered: false,
            concluded: false,
            stopped: false,
            machine,
            options,
        })
    }

    /// Gives the main channel's own description, which a caller that can seek reads first: it says how long sections are.
    pub fn describe_by(&mut self, description: Description) {
        self.description = Some(description);
    }

    /// Looks at the input, which begins where the bytes used so far end; `eof` when nothing follows it. The caller passes
    /// on and drops the bytes used and calls again until [`Next::Over`]. Any cut of the input gives the same verdict.
    pub fn step(&mut self, input: &[u8], eof: bool, tell: Tell<'_>) -> Step {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or(&[]);
            let (done, next) = self.advance(rest, eof, tell);
            used = used.saturating_add(done);
            if let Some(next) = next {
                return Step { used, next };
            }
        }
    }

    /// Says that the caller passed over so many bytes behind [`Next::Skip`].
    pub fn skip(&mut self, count: u64) {
        let skipped = self.reader.skip(count);
        self.examined = self.examined.saturating_add(skipped);
    }

    /// Another channel comes, with this number: that of its file, say. The main channel has 0 unless this says otherwise
    /// before its first byte.
    pub fn next_channel(&mut self, number: u32) {
        self.channel = number;
        if self.stage != Stage::Begin {
            self.reader = QemuReader::multifd();
            self.stage = if self.stopped { Stage::Over } else { Stage::Further };
        }
    }

    /// Stops: the input will not come to its end, for this reason.
    pub fn stop(&mut self, reason: Reason) {
        if self.stage != Stage::Over {
            self.whole = false;
            self.verdict.push(reason.in_channel(self.channel));
            self.stopped = true;
            self.stage = Stage::Over;
        }
    }

    /// Every channel has been given: the pieces of device state that came in packets, in the order in which the caller is
    /// to read and give them: see [`Migration::packet`].
    pub fn packets(&mut self) -> Vec<(usize, Extent)> {
        self.gather();
        let devices = self.assembly.devices().iter().enumerate();
        devices.flat_map(|(device, known)| known.packet_extents().map(move |extent| (device, extent))).collect()
    }

    /// Takes bytes of a piece that came in a packet.
    pub fn packet(&mut self, device: usize, bytes: &[u8], tell: Tell<'_>) {
        if let (Some(destination), Some(known)) = (&mut self.destination, self.assembly.devices().get(device)) {
            destination.packet(&known.name, known.instance, bytes);
        }
        self.feed(device, bytes, tell);
    }

    /// Everything has been given: what can be said at the end only.
    pub fn finish(&mut self, tell: Tell<'_>) {
        if self.stage != Stage::Over {
            self.whole = false;
            self.stage = Stage::Over;
        }
        self.conclude(tell);
    }

    /// The verdict on the container itself. What is wrong with a device is in the device's own: see
    /// [`Migration::device`].
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The worst outcome of the container and of all devices.
    pub fn outcome(&self) -> Outcome {
        let of_devices = self.devices().map(|device| device.verdict().outcome());
        of_devices.fold(self.verdict.outcome(), Outcome::max)
    }

    /// Whether every channel was read to its end, and nothing speaks against loading it.
    pub fn is_complete(&self) -> bool {
        let passed = |device: Judged<'_>| {
            self.options.standard == Standard::Qemu
                || device.is_complete() && self.options.devices.admit(&device.verdict())
        };
        self.whole
            && self.concluded
            && !self.stopped
            && self.options.devices.admit(&self.verdict)
            && self.devices().all(passed)
            && self.outlook.as_ref().is_none_or(|outlook| *outlook == Outlook::Completed)
    }

    /// Whether the gate stopped before bytes that must not go on.
    pub const fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// What came in, from the first bytes on.
    pub const fn container(&self) -> Option<Container> {
        self.container
    }

    /// The walk through the channel in hand.
    pub const fn reader(&self) -> &QemuReader {
        &self.reader
    }

    /// Bytes that have been read, those that were passed over included.
    pub const fn examined(&self) -> u64 {
        self.examined
    }

    /// What QEMU itself would do; under that standard, at the end.
    pub const fn outlook(&self) -> Option<&Outlook> {
        self.outlook.as_ref()
    }

    /// The devices: those of the stream in order of appearance, then those that only the targets name.
    pub fn devices(&self) -> impl Iterator<Item = Judged<'_>> {
        (0..self.devices.len().saturating_add(self.absent.len())).filter_map(|number| self.device(number))
    }

    /// A device by its number.
    pub fn device(&self, number: usize) -> Option<Judged<'_>> {
        let targets = self.targets.as_deref().unwrap_or(&[]);
        // QEMU's own answer does not hang on what only we check.
        let strict = self.options.standard == Standard::Strict;
        let findings = if strict { self.assembly.findings() } else { &[] };
        if let (Some(device), Some(in_hand)) = (self.assembly.devices().get(number), self.devices.get(number)) {
            return Some(Judged {
                name: &device.name,
                instance: device.instance,
                target: in_hand.target.and_then(|target| targets.get(target)).map(|of| &of.target),
                device: Some(device),
                gate: in_hand.gate.as_ref().map(PushGate::gate),
                own: &in_hand.own,
                findings,
                number,
            });
        }
        let absent = self.absent.get(number.checked_sub(self.devices.len())?)?;
        let of = targets.get(absent.target)?;
        let name = of.device.as_deref().unwrap_or(&[]);
        let (target, own) = (Some(&of.target), &absent.own);
        Some(Judged { name, instance: 0, target, device: None, gate: None, own, findings: &[], number })
    }

    /// What a reason of this migration says that needs more than its own words: the byte of a PCI configuration by name,
    /// or what QEMU stumbles over.
    pub fn words(&self, device: Option<usize>, reason: &Reason) -> Option<String> {
        if reason.id == reasons::REFUSED {
            return match &self.outlook {
                Some(Outlook::Failed(failure)) => Some(failure.cause.to_string()),
                _ => None,
            };
        }
        if reason.id != reasons::DEVICE_CONFIG_DIFFERS {
            return None;
        }
        let device = self.assembly.devices().get(device?)?;
        let config = device.config.as_ref()?;
        let at = reason.offset()?.checked_sub(config.layout.space_offset())?;
        let at = u16::try_from(at).ok()?;
        let own = ConfigSpace(self.config_of(&device.name)?);
        Some(match own.place(at) {
            Place::Header(field) => alloc::format!("byte {at:#x}, {field}"),
            Place::Capability(capability, within) => {
                let (id, start) = (capability.id, capability.offset);
                let name = capability.name();
                alloc::format!("byte {at:#x}, byte {within} of the capability {name} ({id:#04x}) at {start:#x}")
            }
            Place::Extended => alloc::format!("byte {at:#x}, extended configuration"),
            Place::Unnamed => alloc::format!("byte {at:#x}"),
        })
    }

    fn advance(&mut self, input: &[u8], eof: bool, tell: Tell<'_>) -> (usize, Option<Next>) {
        match self.stage {
            Stage::Over => (0, Some(Next::Over)),
            Stage::Begin => (0, self.begin(input, eof, tell)),
            Stage::Image(left) => {
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let used = input.len().min(most);
                let left = left.saturating_sub(widen(used));
                self.examined = self.examined.saturating_add(widen(used));
                self.stage = if left == 0 { Stage::Main } else { Stage::Image(left) };
                match (left, used) {
                    (1.., 0) if eof => {
                        let reason = Reason::at(of_libvirt::TRUNCATED, self.examined);
                        self.fail(reason.because(Datum::Count(left), Datum::Word("the domain's XML")));
                        (0, None)
                    }
                    (1.., 0) => (0, Some(Next::Need(1))),
                    _ => (used, None),
                }
            }
            Stage::Main | Stage::Further => self.walk(input, eof, tell),
        }
    }

    fn begin(&mut self, input: &[u8], eof: bool, tell: Tell<'_>) -> Option<Next> {
        if self.options.is_return_path {
            self.container = Some(Container::ReturnPath);
            self.reader = QemuReader::return_path();
            self.stage = Stage::Further;
            return None;
        }
        let (likeness, container) = Container::recognise(input);
        if likeness == Likeness::Short && !eof {
            return Some(Next::Need(input.len().saturating_add(1)));
        }
        let mut start = self.options.offset;
        self.stage = Stage::Main;
        if likeness != Likeness::No {
            self.container = Some(container);
        }
        match container {
            _ if likeness == Likeness::No => {}
            Container::Qemu | Container::ReturnPath => {}
            Container::Channel => {
                self.reader = QemuReader::multifd();
                self.stage = Stage::Further;
                return None;
            }
            Container::Libvirt => match SaveImage::open(input, eof) {
                Opened::Need(bytes) => {
                    self.stage = Stage::Begin;
                    return Some(Next::Need(bytes));
                }
                Opened::Refused(reason) => {
                    self.fail(reason);
                    return None;
                }
                Opened::Image(image) => {
                    tell(Event::Image(image));
                    if let Some(reason) = image.finding() {
                        self.fail(reason);
                        return None;
                    }
                    start = start.saturating_add(image.stream_offset());
                    self.stage = Stage::Image(image.stream_offset());
                }
            },
        }
        let mut reader = QemuReader::main().beginning_at(start);
        if let Some(bits) = self.options.page_bits {
            reader = reader.with_page_bits(bits);
        }
        if let Some(description) = self.description.take() {
            reader = reader.described_by(description);
        }
        self.reader = reader;
        None
    }

    /// The container cannot be followed any further.
    fn fail(&mut self, reason: Reason) {
        self.whole = false;
        self.verdict.push(reason.in_channel(self.channel));
        self.stage = Stage::Over;
        if !self.options.devices.read_on {
            self.stopped = true;
        }
    }

    /// One step of the walk.
    fn walk(&mut self, input: &[u8], eof: bool, tell: Tell<'_>) -> (usize, Option<Next>) {
        let ahead = self.withheld.ahead();
        let is_full = self.withheld.holds() && input.len() > WITHHELD_MAX;
        let most = if is_full { WITHHELD_MAX } else { input.len() };
        let step = self.reader.step(input.get(ahead..most).unwrap_or(&[]), eof && !is_full);
        match step.event {
            Walked::Need(_) if is_full => {
                let first = self.reader.offset().saturating_sub(widen(ahead));
                let reason = Reason::at(reasons::WITHHELD, first);
                self.fail(reason.because(Datum::None, Datum::Count(widen(WITHHELD_MAX))));
                return (0, None);
            }
            Walked::Need(bytes) => {
                let bytes = bytes.saturating_add(ahead);
                let most = if self.withheld.holds() { WITHHELD_MAX.saturating_add(1) } else { bytes };
                return (0, Some(Next::Need(bytes.min(most))));
            }
            Walked::Passed => return (self.go_on(input, step.used), None),
            // What is withheld is not passed over, nor what follows it.
            Walked::Skip(_) if ahead > 0 => return (0, None),
            Walked::Skip(count) => return (0, Some(Next::Skip(count))),
            _ => {}
        }
        if self.stage == Stage::Main && !self.options.devices.read_on {
            self.withheld.take(&self.reader, &step.event);
        }
        let before = self.assembly.devices().len();
        self.assembly.take(self.channel, &self.reader, &step.event);
        if self.assembly.devices().len() > before {
            self.bind(before);
        }
        if self.stage == Stage::Main {
            self.of_main(&step.event, tell);
        }
        match step.event {
            Walked::Item(item) => {
                self.end_of_device(item, tell);
                tell(Event::Item(item, &self.reader));
            }
            Walked::Data { device, index, bytes, .. } => {
                if let Some(device) = self.assembly.device_of(&self.reader, device)
                    && index.is_none()
                {
                    self.feed(device, bytes, tell);
                    if let Some(known) = self.assembly.devices().get(device) {
                        tell(Event::Data { device, known, bytes });
                    }
                }
            }
            Walked::Config { device, layout, .. } => {
                if let Some(device) = self.assembly.device_of(&self.reader, device) {
                    self.compare(device);
                    tell(Event::Config { device, layout });
                }
            }
            Walked::Finding(reason) => self.find(reason),
            Walked::Failed(reason) => {
                self.whole = false;
                self.find(reason);
                self.stage = Stage::Over;
            }
            Walked::End => self.stage = Stage::Over,
            _ => {}
        }
        if !self.admits() {
            // The bytes that the event is about stay where they are.
            self.stopped = true;
            self.whole = false;
            self.stage = Stage::Over;
            return (0, None);
        }
        (self.go_on(input, step.used), None)
    }

    /// The walk used so many bytes more. Returns how many of the input may go on.
    fn go_on(&mut self, input: &[u8], used: usize) -> usize {
        self.examined = self.examined.saturating_add(widen(used));
        self.withheld.advance(input, used)
    }

    /// What matters in the main channel only.
    fn of_main(&mut self, event: &Walked<'_>, tell: Tell<'_>) {
        if let Walked::Item(Item::Configuration { .. }) = event {
            let by_machine = skips_vendor_specific(&self.reader.configuration().machine);
            // On by default where the machine type does not say otherwise.
            self.skip_vendor_specific = self.machine.skip_vendor_specific.or(by_machine).unwrap_or(true);
        }
        if let Some(destination) = &mut self.destination {
            destination.machine().skip_vendor_specific = self.skip_vendor_specific;
            destination.take(&self.reader, event);
        }
        // Here the destination completes, or begins to run: whoever passes this on has nothing left to withhold. A package
        // is read to its end before anything in it is loaded.
        let runs = match event {
            Walked::Item(Item::EndOfSections { .. }) => true,
            Walked::Item(Item::Command(command)) => {
                self.options.standard == Standard::Strict && command.name == POSTCOPY_RUN
            }
            Walked::Item(Item::PackageEnd { .. }) => self.options.standard == Standard::Strict,
            _ => false,
        };
        if runs && !self.options.devices.read_on {
            self.conclude(tell);
            self.withheld.end();
        }
    }

    /// Ends a device's stream where its sections end: what goes on as it comes has the one channel, so no packet follows.
    fn end_of_device(&mut self, item: Item, tell: Tell<'_>) {
        if let Item::SectionEnd(section) = item
            && section.head.kind == Kind::End
            && !self.options.devices.read_on
            && let Some(handler) = self.reader.handlers().get(index(section.head.handler))
            && let Some(device) = handler.device.and_then(|device| self.assembly.device_of(&self.reader, device))
        {
            self.end(device, tell);
        }
    }

    /// A finding of the walk. QEMU's own answer does not hang on what only we check.
    fn find(&mut self, reason: Reason) {
        if self.options.standard == Standard::Strict || reason.is_note() {
            self.verdict.push(reason.in_channel(self.channel));
        }
    }

    /// Whether bytes may go on under all verdicts as they are; or everything is read anyway.
    fn admits(&self) -> bool {
        let options = &self.options.devices;
        options.read_on
            || options.admit(&self.verdict)
                && self.assembly.findings().iter().all(|finding| finding.reason.is_note())
                && self.absent.iter().all(|absent| options.admit(&absent.own))
                && self.devices.iter().all(|device| {
                    let of_gate = device.gate.as_ref().is_none_or(|gate| gate.gate().admits());
                    of_gate && options.admit(&device.own)
                })
    }

    /// Finds the targets of devices that the stream speaks of for the first time.
    fn bind(&mut self, from: usize) {
        for device in self.assembly.devices().get(from..).unwrap_or(&[]) {
            let mut in_hand = InHand { target: None, gate: None, first: Vec::new(), own: Verdict::new(), slot: None };
            if let Some(targets) = &self.targets {
                in_hand.target = target_of(targets, &device.name, device.instance);
                let mut unnamed = targets.iter().filter(|of| of.device.is_none());
                if in_hand.target.is_none() && unnamed.next().is_none() {
                    let (channel, offset) = device.first();
                    let reason = Reason::at(reasons::DEVICE_UNEXPECTED, offset).in_channel(channel);
                    if self.options.standard == Standard::Strict {
                        in_hand.own.push(reason);
                    }
                }
                if let (Some(destination), Some(of)) =
                    (&mut self.destination, in_hand.target.and_then(|target| targets.get(target)))
                {
                    let slots = &mut destination.machine().devices;
                    let same = |slot: &Slot| slot.name == device.name && slot.instance == device.instance;
                    in_hand.slot = slots.iter().position(same);
                    if in_hand.slot.is_none()
                        && let Ok(driver) = driver_of(self.registry, &of.target, &self.options)
                    {
                        in_hand.slot = Some(slots.len());
                        let config = config_of(&self.machine, &device.name).map(<[u8]>::to_vec);
                        slots.push(Slot { name: device.name.clone(), instance: device.instance, driver, config });
                    }
                }
            }
            self.devices.push(in_hand);
        }
    }

    /// Gives bytes of a device's stream to its gate.
    fn feed(&mut self, device: usize, bytes: &[u8], tell: Tell<'_>) {
        if self.options.standard == Standard::Qemu {
            return;
        }
        if self.devices.get(device).is_some_and(|in_hand| in_hand.gate.is_none())
            && !self.open(device, bytes, false, tell)
        {
            return;
        }
        self.push(device, bytes, false, tell);
    }

    /// Opens the gate of a device, once it is known which target is the device's.
    fn open(&mut self, device: usize, bytes: &[u8], eof: bool, tell: Tell<'_>) -> bool {
        let Some(in_hand) = self.devices.get_mut(device) else { return false };
        let targets = self.targets.as_deref().unwrap_or(&[]);
        let unnamed = || targets.iter().enumerate().filter(|(_, of)| of.device.is_none());
        if in_hand.target.is_none() && unnamed().next().is_some() {
            let there = in_hand.first.len();
            let room = index(PREFIX_MAX).saturating_sub(there).min(bytes.len());
            in_hand.first.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            let mut fitting = None;
            for (number, of) in unnamed() {
                match recognise(self.registry, Some(of.target.vendor()), &in_hand.first, eof) {
                    Recognised::Need(_) => {
                        in_hand.first.extend_from_slice(bytes.get(room..).unwrap_or(&[]));
                        return false;
                    }
                    Recognised::Native(format) if format.vendor == of.target.vendor() => {
                        if fitting.is_some() {
                            let (channel, offset) = self.assembly.devices().get(device).map_or((0, 0), Device::first);
                            in_hand.own.push(Reason::at(shared::FORMAT_AMBIGUOUS, offset).in_channel(channel));
                        }
                        fitting.get_or_insert(number);
                    }
                    _ => {}
                }
            }
            // Where no target's vendor knows the bytes, any of them says so.
            in_hand.target = fitting.or_else(|| unnamed().next().map(|(number, _)| number));
            in_hand.first.truncate(there);
        }
        let target = in_hand.target.and_then(|target| targets.get(target)).map(|of| of.target.clone());
        let mut options = self.options.devices.clone();
        options.input = match options.input {
            Input::Format(format, choices) if target.as_ref().is_none_or(|target| target.vendor() == format.vendor) => {
                Input::Format(format, choices)
            }
            _ => Input::Native,
        };
        in_hand.gate = Some(PushGate::new(Gate::new(self.registry, target, options)));
        let first = core::mem::take(&mut in_hand.first);
        self.push(device, &first, false, tell);
        true
    }

    /// Pushes bytes through a device's gate, and tells its verdicts.
    fn push(&mut self, device: usize, bytes: &[u8], eof: bool, tell: Tell<'_>) {
        let Some(gate) = self.devices.get_mut(device).and_then(|in_hand| in_hand.gate.as_mut()) else { return };
        let mut judged = false;
        gate.push(bytes, eof, &mut |output| {
            match output {
                Output::Verdict => judged = true,
                Output::Record { layout, number, offset, bytes, .. } => {
                    tell(Event::Record { device, layout, number, offset, bytes });
                }
                _ => {}
            }
            true
        });
        if judged && let Some(seen) = self.device(device) {
            tell(Event::Verdict(seen));
        }
    }

    fn config_of(&self, name: &[u8]) -> Option<&[u8]> {
        config_of(&self.machine, name)
    }

    /// Holds the PCI configuration of a device against the target's, where that is known.
    fn compare(&mut self, device: usize) {
        let Some(known) = self.assembly.devices().get(device) else { return };
        let Some(config) = &known.config else { return };
        let Some(own) = config_of(&self.machine, &known.name) else { return };
        if self.options.standard == Standard::Qemu {
            return;
        }
        let Some(in_hand) = self.devices.get_mut(device) else { return };
        for reason in known.config_differences(ConfigSpace(own), self.skip_vendor_specific) {
            in_hand.own.push(reason.in_channel(config.channel));
        }
    }

    /// No channel follows: the pieces that came in packets are in order, and what is missing is known.
    fn gather(&mut self) {
        if !self.gathered {
            self.gathered = true;
            let whole = self.whole && self.options.standard == Standard::Strict;
            self.assembly.finish(whole);
        }
    }

    /// Ends every device's stream, and says what is missing.
    fn conclude(&mut self, tell: Tell<'_>) {
        if self.concluded {
            return;
        }
        self.concluded = true;
        self.gather();
        self.miss();
        for device in 0..self.devices.len() {
            self.end(device, tell);
        }
        self.foretell();
    }

    /// Ends a device's stream.
    fn end(&mut self, device: usize, tell: Tell<'_>) {
        // That a device has no data at all is said by what is missing, or not known where the walk did not come to them.
        let is_empty = self.assembly.devices().get(device).is_none_or(|known| known.length() == 0);
        if is_empty || self.options.standard == Standard::Qemu {
            return;
        }
        if self.devices.get(device).is_some_and(|in_hand| in_hand.gate.is_none()) {
            self.open(device, &[], true, tell);
        }
        self.push(device, &[], true, tell);
    }

    /// The targets whose devices the stream does not mention.
    fn miss(&mut self) {
        if self.options.standard == Standard::Qemu || !self.whole {
            return;
        }
        for (number, of) in self.targets.as_deref().unwrap_or(&[]).iter().enumerate() {
            let same = |name: &[u8]| {
                let mut devices = self.assembly.devices().iter();
                devices.any(|device| device.instance == 0 && place_of(&device.name) == place_of(name))
            };
            // Several without a name are for the devices of their vendors, of which there need be none.
            let taken = || {
                let others = self.targets.as_ref().is_some_and(|targets| targets.len() > 1);
                others || self.devices.iter().any(|device| device.target == Some(number))
            };
            let known = of.device.as_deref().map_or_else(taken, same);
            if !known {
                let mut own = Verdict::new();
                own.push(Reason::new(reasons::DEVICE_MISSING));
                self.absent.push(Absent { target: number, own });
            }
        }
    }

    /// What QEMU itself would do: the answer, put where it belongs.
    fn foretell(&mut self) {
        let Some(mut destination) = self.destination.take() else { return };
        for device in self.assembly.devices() {
            if let Some(config) = device.config.as_ref().filter(|config| config.channel > 0) {
                destination.packet_config(&device.name, device.instance, &config.space);
            }
        }
        let targets = self.targets.as_deref().unwrap_or(&[]);
        // A target that no device of the stream took is a device of the machine all the same.
        let bound = |number| self.devices.iter().any(|device| device.target == Some(number));
        for (number, of) in targets.iter().enumerate().filter(|(_, of)| of.device.is_none()) {
            if !bound(number)
                && let Ok(driver) = driver_of(self.registry, &of.target, &self.options)
            {
                let config = None;
                destination.machine().devices.push(Slot { name: Vec::new(), instance: 0, driver, config });
            }
        }
        let names: Vec<Vec<u8>> = destination.machine().devices.iter().map(|slot| slot.name.clone()).collect();
        let outlook = destination.finish();
        let place = |devices: &[InHand], slot: usize| devices.iter().position(|device| device.slot == Some(slot));
        match &outlook {
            Outlook::Stale(slots) => {
                for slot in slots {
                    let reason = Reason::new(reasons::STALE);
                    if let Some(in_hand) = place(&self.devices, *slot).and_then(|device| self.devices.get_mut(device)) {
                        in_hand.own.push(reason);
                        continue;
                    }
                    let name = names.get(*slot).map_or(&[][..], Vec::as_slice);
                    let is_of_slot = |of: &DeviceTarget| match &of.device {
                        Some(device) => place_of(device) == place_of(name),
                        None => name.is_empty(),
                    };
                    let mut own = Verdict::new();
                    own.push(reason);
                    if let Some(target) = targets.iter().position(is_of_slot) {
                        self.absent.push(Absent { target, own });
                    }
                }
            }
            Outlook::Failed(failure) => {
                let device = match failure.cause {
                    Cause::Driver { device, .. } | Cause::Breaks { device, .. } => place(&self.devices, device),
                    _ => None,
                };
                if let Some(reason) = outlook.reason() {
                    match device.and_then(|device| self.devices.get_mut(device)) {
                        Some(in_hand) => in_hand.own.push(reason),
                        None => self.verdict.push(reason),
                    }
                }
            }
            _ => {
                if let Some(reason) = outlook.reason() {
                    self.verdict.push(reason);
                }
            }
        }
        self.outlook = Some(outlook);
    }
}
