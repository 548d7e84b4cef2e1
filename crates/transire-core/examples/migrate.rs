//! A device migrates from one process to another, over a sealed stream and a gate.
//!
//! ```text
//! cargo run --example migrate -- good|refused|aborted|cut fixtures/mtty/precopy
//! ```
//!
//! The same as `examples/migrate.c` of `transire-capi`, against the crate: the same runs, the same exit codes, and the
//! same words on standard output. One process plays the source's VMM, with a device that gives what the kernel's mtty
//! driver gave in pre-copy and in stop-copy; another plays the target's, with a device that has the driver's rules.
//!
//! Exit codes: 0 the guest runs at the target; 1 it was refused; 5 it was aborted or cut, and the guest runs at the source;
//! 2 the run itself failed. Back over the same socket come the target's answers: the early one after its early verdict,
//! which the source waits for before it stops the guest, and the final one when the device is loaded, or is not to be. One
//! byte is this example's own: behind the stream the source says go. A connection that closes instead is a no. The guest is
//! never in two places: the source gives it up before it says go, and the target waits for that.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use transire_core::format::{Driver, Phase};
use transire_core::gate::{Gate, Input, Options, Output};
use transire_core::report::reports;
use transire_core::seal::{Flow, SealEvent, Sealing};
use transire_core::sealed::{Answer, AnswerStage, Digest, FRAME_HEAD, FRAME_MAX, SealOptions};
use transire_core::vendors::VENDORS;
use transire_core::vendors::mtty::driver::Device;
use transire_core::verdict::{Outcome, Verdict};
use transire_text::{load_profile, load_target};

/// What the device is, as each side's administrator has written it down.
const TWO_PORTS: &str = "vendor = \"mtty\"\n[attributes]\nnr_ports = 2\n";
const ONE_PORT: &str = "vendor = \"mtty\"\n[attributes]\nnr_ports = 1\n";

/// The byte behind the stream.
const GO: u8 = b'g';

/// Exit codes besides the outcomes.
const GOOD: u8 = 0;
const FAILED: u8 = 2;
const STOPPED: u8 = 5;

/// Bytes that the gate may have to see at once: a frame of the longest.
const WINDOW: usize = FRAME_HEAD + FRAME_MAX as usize;

type Failure = Box<dyn Error>;

// The source.

/// Seals what the device gave in one phase, and sends it.
fn seal_and_send(
    sealing: &mut Sealing,
    phase: Phase,
    bytes: &[u8],
    flow: Flow,
    wire: &mut UnixStream,
) -> Result<(), Failure> {
    let mut rest = bytes;
    sealing.set_phase(phase);
    loop {
        let step = sealing.step(rest, flow)?;
        match step.event {
            SealEvent::Bytes(bytes) => wire.write_all(bytes)?,
            SealEvent::Frame(head, payload) => {
                // A VMM would hand both to one writev.
                wire.write_all(&head)?;
                wire.write_all(payload)?;
            }
            _ => return Ok(()),
        }
        rest = &rest[step.used..];
    }
}

/// What the device gives until it has no more, as a read of the descriptor of its migration would.
fn device_gives(folder: &Path, part: &str) -> io::Result<Vec<u8>> {
    std::fs::read(folder.join(format!("mtty2-both-ports.{part}-part.bin")))
}

/// Waits for the target's next answer, and prints it. `None` where none comes that is to this stream. `back` has what came
/// behind the last one. A VMM would not wait for ever.
fn answered(wire: &mut UnixStream, back: &mut Vec<u8>, sealing: &Sealing) -> Option<Answer> {
    let mut eof = false;
    let answer = loop {
        match Answer::read_first(back, eof, &mut Verdict::new()) {
            Ok(Ok((answer, used))) => {
                back.drain(..used);
                break answer;
            }
            Ok(Err(need)) => {
                let missing = need.saturating_sub(back.len()).try_into().unwrap_or(u64::MAX);
                eof = wire.take(missing).read_to_end(back).map_or(true, |count| count == 0);
            }
            Err(_) => {
                println!("source: the target says nothing");
                return None;
            }
        }
    };
    // What answers another stream says nothing of this one.
    if !sealing.is_answered_by(&answer) {
        println!("source: the target answers another stream");
        return None;
    }
    let complete = if answer.is_complete() { ", complete" } else { "" };
    print!("source: {} answer: {}{complete}", answer.stage().name(), answer.outcome());
    for (at, id) in answer.reasons().enumerate() {
        print!("{} {id}", if at == 0 { ":" } else { "," });
    }
    println!();
    Some(answer)
}

fn source_keeps() -> u8 {
    println!("source: device in STOP_COPY, taken back to RUNNING, guest runs at the source");
    STOPPED
}

fn source(run: &str, folder: &Path, wire: &mut UnixStream) -> Result<u8, Failure> {
    let profile = load_profile(TWO_PORTS.as_bytes(), VENDORS)?;
    let mut stream_id = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut stream_id)?;
    let options = SealOptions {
        payload_format: "mtty".to_owned(),
        digest: Digest::Blake3,
        payload_len: None,
        stream_id,
        device_label: None,
    };
    let mut sealing = Sealing::begin(VENDORS, profile, &options)?;

    // Pre-copy: the guest runs. What identifies the device goes out at once, and the target says what it thinks of it
    // before anything else is done.
    let bytes = device_gives(folder, "precopy")?;
    println!("source: pre-copy, {} bytes of the device", bytes.len());
    // A target that refuses the header may be gone before the rest is sent: what it said is there all the same.
    _ = seal_and_send(&mut sealing, Phase::Initial, &bytes, Flow::Flush, wire);
    let mut back = Vec::new();
    let said = answered(wire, &mut back, &sealing).map(|answer| answer.outcome());
    if said != Some(Outcome::Compatible) {
        if let SealEvent::Bytes(bytes) = sealing.abort("the target does not take it")?.event {
            _ = wire.write_all(bytes);
        }
        println!("source: device in PRE_COPY, taken back to RUNNING; the guest was never stopped");
        return Ok(said.filter(|outcome| *outcome == Outcome::Incompatible).map_or(STOPPED, Outcome::exit_code));
    }

    // Stop-copy: the guest stands still until the target has the device, or it runs on here.
    let bytes = device_gives(folder, "stopcopy")?;
    println!("source: guest stopped, {} bytes of the device", bytes.len());
    match run {
        "aborted" => {
            if let SealEvent::Bytes(bytes) = sealing.abort("operator cancelled")?.event {
                _ = wire.write_all(bytes);
            }
        }
        "cut" => {
            sealing.set_phase(Phase::StopCopy);
            if let SealEvent::Frame(head, payload) = sealing.step(&bytes, Flow::End)?.event {
                wire.write_all(&head)?;
                wire.write_all(&payload[..payload.len() / 2])?;
            }
            wire.shutdown(Shutdown::Both)?;
        }
        _ => {
            // A target that is gone shows below: what it said before is there all the same.
            _ = seal_and_send(&mut sealing, Phase::StopCopy, &bytes, Flow::End, wire);
        }
    }

    // Only a target whose final answer says so has the device: everything else is a no. An early answer says that the
    // target has come to know more.
    let said = loop {
        let said = answered(wire, &mut back, &sealing);
        if said.as_ref().is_none_or(|answer| answer.stage() == AnswerStage::Final) {
            break said;
        }
    };
    if !said.is_some_and(|answer| answer.is_complete()) {
        return Ok(source_keeps());
    }
    // From here on the guest is not the source's. Whether the other end is still there shows at its side.
    _ = wire.write_all(&[GO]);
    println!("source: device in STOP, to be released");
    Ok(GOOD)
}

// The target.

/// Sends an answer to the source. A source that is gone hears nothing, and takes it for a no.
fn answer(gate: &Gate, stage: AnswerStage, wire: &mut UnixStream) {
    // Nobody can be answered where what came is no sealed stream whose header can be believed.
    if let Some(answer) = gate.answer(stage) {
        _ = wire.write_all(&answer.to_bytes());
    }
}

fn target(run: &str, wire: &mut UnixStream) -> Result<u8, Failure> {
    let (ports, text) = if run == "refused" { (1, ONE_PORT) } else { (2, TWO_PORTS) };
    let known = Arc::new(load_target(text.as_bytes(), VENDORS)?);
    // The connection stays open for the answers, so the source does not end it behind the stream.
    let options = Options { input: Input::Sealed, exact: false, ..Options::default() };
    let mut gate = Gate::new(VENDORS, Some(known), options);
    // The model of the kernel's driver: what was written is looked at once the header is there, and loaded when the
    // device leaves RESUMING with all of it.
    let (mut device, mut written) = (Device::resuming(ports), 0);

    let mut window = vec![0; WINDOW];
    let (mut start, mut end) = (0, 0);
    let (mut eof, mut told) = (false, None);
    loop {
        let step = gate.step(&window[start..end], eof);
        start += step.used;
        match step.event {
            Output::Finished => break,
            Output::Verdict => {
                let outcome = gate.verdict().outcome();
                // Of a payload that states its source itself there are two verdicts: on the header, and on the payload,
                // which is held here until it is whole. The header's is what the source waits for; the other is said
                // where it is another.
                if told != Some(outcome) {
                    answer(&gate, AnswerStage::Early, wire);
                }
                println!("target: {} verdict: {outcome}", if told.is_some() { "later" } else { "early" });
                told = Some(outcome);
            }
            Output::Deliver(payload) => {
                device.write(payload).map_err(|_| "the device refuses what is written")?;
                written += payload.len();
                println!("target: {} bytes written to the device", payload.len());
            }
            Output::Need(need) => {
                // Room for what is needed: what is left moves to the front.
                if need > window.len() - start {
                    window.copy_within(start..end, 0);
                    (start, end) = (0, end - start);
                }
                match wire.read(&mut window[end..]) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    count => {
                        let count = count?;
                        eof = count == 0;
                        end += count;
                    }
                }
            }
            _ => {}
        }
    }

    let mut outcome = gate.verdict().outcome().exit_code();
    println!("target: verdict: {}", gate.verdict().outcome());
    for report in reports(gate.verdict(), Some(&gate.source()), gate.target()) {
        println!("target: {}: {}", report.id, report.text);
    }
    if let Some(text) = gate.abort_text() {
        println!("target: the source says: {text}");
    }
    if gate.is_complete() {
        device.resume().map_err(|_| "the device does not leave RESUMING")?;
        println!("target: device loaded, in STOP");
        // The driver has taken everything: now the source may know.
        answer(&gate, AnswerStage::Final, wire);
        // What came behind the stream is in the window already, or still on its way.
        let mut byte = [0];
        let behind =
            if start < end { Some(window[start]) } else { wire.read_exact(&mut byte).is_ok().then_some(byte[0]) };
        if behind == Some(GO) {
            println!("target: guest runs at the target");
        } else {
            println!("target: nobody says go, guest does not run here");
            outcome = STOPPED;
        }
    } else {
        // Whatever the device was given, it does not leave RESUMING but by a reset.
        println!("target: device reset, with {written} bytes written");
        answer(&gate, AnswerStage::Final, wire);
        // Closed with bytes unread, a connection can take along what was said: what still comes is read, and dropped.
        _ = wire.shutdown(Shutdown::Write);
        _ = io::copy(wire, &mut io::sink());
    }
    Ok(outcome)
}

// Both, each in a process of its own with one end of a socket as its standard input.

fn both(run: &str, folder: &str) -> Result<u8, Failure> {
    let (ours, theirs) = UnixStream::pair()?;
    let side = |name: &str, wire: UnixStream| {
        Command::new(std::env::current_exe()?)
            .args([run, folder, name])
            .stdin(OwnedFd::from(wire))
            .stdout(Stdio::piped())
            .spawn()
    };
    let (source, target) = (side("source", ours)?, side("target", theirs)?);
    let mut codes = Vec::new();
    for child in [source, target] {
        let ended = child.wait_with_output()?;
        io::stdout().write_all(&ended.stdout)?;
        codes.push(ended.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED));
    }
    println!("migrate: source {}, target {}", codes[0], codes[1]);
    // The two never disagree about who has the guest.
    Ok(if codes[0] == codes[1] { codes[1] } else { FAILED })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let wire = || Ok::<_, Failure>(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?));
    let ended = match words[..] {
        [run @ ("good" | "refused" | "aborted" | "cut"), folder] => both(run, folder),
        [run, folder, "source"] => wire().and_then(|mut wire| source(run, Path::new(folder), &mut wire)),
        [run, _, "target"] => wire().and_then(|mut wire| target(run, &mut wire)),
        _ => Err("usage: migrate good|refused|aborted|cut FOLDER".into()),
    };
    ended.map_or_else(
        |error| {
            eprintln!("migrate: {error}");
            ExitCode::from(FAILED)
        },
        ExitCode::from,
    )
}
