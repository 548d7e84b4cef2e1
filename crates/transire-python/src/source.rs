//! Where bytes come from and go to. Bytes are borrowed; any other buffer can change while it is read, so it goes through
//! a bounce buffer and is checked and delivered from there. Loops run without the interpreter lock.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, IoSlice};

use transire_core::gate::migration::WITHHELD_MAX;

use crate::errors::{Stop, os_error, usage};

/// Bytes up to which the interpreter lock is kept: less work than handing it over and back.
pub(crate) const KEEP_LOCK: usize = 64 << 10;
/// Bytes of a buffer that are copied at a time.
const BOUNCE: usize = 256 << 10;
/// Bytes of the window over a source. Two frames and a header fit, so that a frame rarely has to be moved.
const WINDOW: usize = (2 << 20) + (128 << 10);
/// How often a waiting loop looks whether Python has a signal to handle.
const SIGNALS: Duration = Duration::from_millis(200);
/// Bytes, or time, between two calls of a progress callback.
const PROGRESS: (u64, Duration) = (16 << 20, Duration::from_millis(100));

/// A source of bytes, as Python gave it.
pub(crate) enum Source<'py> {
    /// Immutable: borrowed as it is.
    Bytes(Bound<'py, PyBytes>),
    /// Read piece by piece.
    Pulled(Box<dyn Pull>),
}

/// Reads pieces, without the interpreter lock unless it needs it.
pub(crate) trait Pull: Send {
    /// Reads some bytes; 0 at the end.
    fn pull(&mut self, into: &mut [u8]) -> Result<usize, Stop>;

    /// Bytes of the whole, where known.
    fn total(&self) -> Option<u64>;

    /// The file's name.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// Reads some bytes at an offset, wherever `pull` stands; 0 at the end. `None` where the source has its bytes once.
    fn read_at(&mut self, _offset: u64, _into: &mut [u8]) -> Result<Option<usize>, Stop> {
        Ok(None)
    }

    /// Passes over bytes that need not be read. Returns whether it did.
    fn pass_over(&mut self, _count: u64) -> Result<bool, Stop> {
        Ok(false)
    }
}

/// A source whose first bytes have been looked at.
pub(crate) struct Peeked {
    head: Vec<u8>,
    at: usize,
    /// The source sent nothing for longer than its deadline: what is left is the head.
    stalled: bool,
    rest: Box<dyn Pull>,
}

impl Peeked {
    /// Looks at bytes from `offset` on, where the source stands, until they are enough, or there are `most`, or no more.
    /// Those of a source that can be read anywhere stay where they are.
    pub(crate) fn new(
        mut rest: Box<dyn Pull>,
        offset: u64,
        (most, enough): (usize, fn(&[u8]) -> bool),
    ) -> Result<(Self, Vec<u8>), Stop> {
        let mut head = vec![0; most];
        let mut there = 0;
        let (mut stays, mut stalled) = (false, false);
        while let Some(space) = head.get_mut(there..).filter(|space| !space.is_empty()) {
            let at = offset.saturating_add(u64::try_from(there).unwrap_or(u64::MAX));
            let read = rest.read_at(at, space)?;
            stays = read.is_some();
            let read = match read.map_or_else(|| rest.pull(space), Ok) {
                Err(Stop::SourceStalled) => {
                    stalled = true;
                    break;
                }
                read => read?,
            };
            there += read;
            if read == 0 || head.get(..there).is_some_and(enough) {
                break;
            }
        }
        head.truncate(there);
        let kept = if stays { Vec::new() } else { head.clone() };
        Ok((Self { head: kept, at: 0, stalled, rest }, head))
    }
}

impl Pull for Peeked {
    fn pull(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        let left = self.head.get(self.at..).unwrap_or(&[]);
        if left.is_empty() {
            return if self.stalled { Err(Stop::SourceStalled) } else { self.rest.pull(into) };
        }
        let count = left.len().min(into.len());
        for (to, from) in into.iter_mut().zip(left) {
            *to = *from;
        }
        self.at += count;
        Ok(count)
    }

    fn total(&self) -> Option<u64> {
        self.rest.total()
    }

    fn path(&self) -> Option<&Path> {
        self.rest.path()
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<Option<usize>, Stop> {
        self.rest.read_at(offset, into)
    }

    fn pass_over(&mut self, count: u64) -> Result<bool, Stop> {
        if self.at < self.head.len() { Ok(false) } else { self.rest.pass_over(count) }
    }
}

impl<'py> Source<'py> {
    /// Opens what Python gave: bytes, a buffer, a path, or a file.
    pub(crate) fn open(object: &Bound<'py, PyAny>, deadline: Option<Duration>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone()));
        }
        if object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>() {
            return Ok(Self::Pulled(Box::new(OfBuffer { buffer: PyBuffer::get(object)?, at: 0 })));
        }
        let is_path = object.is_instance_of::<PyString>() || object.hasattr("__fspath__")?;
        if is_path {
            let path: PathBuf = object.extract()?;
            let file = File::open(&path).map_err(|error| os_error(&error, Some(&path)))?;
            return Ok(Self::Pulled(Box::new(OfDescriptor::new(file.into(), Some(path), deadline))));
        }
        if let Some(descriptor) = descriptor(object)? {
            return Ok(Self::Pulled(Box::new(OfDescriptor::new(descriptor, None, deadline))));
        }
        if object.hasattr("read")? {
            return Ok(Self::Pulled(Box::new(OfReader { reader: object.clone().unbind() })));
        }
        let kind = object.get_type();
        let buffer = PyBuffer::get(object);
        let wrong = |_| usage(format!("a source is bytes, a buffer, a path or a binary file, not {kind}"));
        Ok(Self::Pulled(Box::new(OfBuffer { buffer: buffer.map_err(wrong)?, at: 0 })))
    }

    /// The file's name.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Bytes(_) => None,
            Self::Pulled(pull) => pull.path().map(Path::to_path_buf),
        }
    }
}

/// A duplicate of the file descriptor of a Python file; `None` where it has none.
fn descriptor(object: &Bound<'_, PyAny>) -> PyResult<Option<OwnedFd>> {
    if !object.hasattr("fileno")? {
        return Ok(None);
    }
    let Ok(number) = object.call_method0("fileno").and_then(|number| number.extract::<i32>()) else {
        // io.BytesIO has the method, and raises.
        return Ok(None);
    };
    if number < 0 {
        return Err(usage("the file is closed"));
    }
    // SAFETY: the number comes from an open Python file, which is alive for as long as `object` is borrowed; the
    // descriptor is only used to make a duplicate, which is then our own.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let duplicate = rustix::io::fcntl_dupfd_cloexec(borrowed, 3).map_err(|errno| os_error(&errno.into(), None))?;
    Ok(Some(duplicate))
}

struct OfDescriptor {
    descriptor: OwnedFd,
    path: Option<PathBuf>,
    total: Option<u64>,
    /// Where a regular file stood when it was opened: what offsets count from.
    begin: u64,
    deadline: Option<Duration>,
}

impl OfDescriptor {
    fn new(descriptor: OwnedFd, path: Option<PathBuf>, deadline: Option<Duration>) -> Self {
        let total = rustix::fs::fstat(&descriptor).ok().and_then(|status| {
            let regular = rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::RegularFile;
            u64::try_from(status.st_size).ok().filter(|_| regular)
        });
        let begin = total.and_then(|_| rustix::fs::tell(&descriptor).ok()).unwrap_or(0);
        let total = total.map(|total| total.saturating_sub(begin));
        Self { descriptor, path, total, begin, deadline }
    }
}

impl Pull for OfDescriptor {
    fn pull(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        loop {
            if self.deadline.is_some() {
                wait(self.descriptor.as_fd(), PollFlags::IN, self.deadline)?
                    .then_some(())
                    .ok_or(Stop::SourceStalled)?;
            }
            match rustix::io::read(&self.descriptor, &mut *into) {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => signals()?,
                Err(Errno::AGAIN) => {
                    let ready = wait(self.descriptor.as_fd(), PollFlags::IN, self.deadline)?;
                    ready.then_some(()).ok_or(Stop::SourceStalled)?;
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn total(&self) -> Option<u64> {
        self.total
    }

    fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<Option<usize>, Stop> {
        if self.total.is_none() {
            return Ok(None);
        }
        let offset = self.begin.saturating_add(offset);
        loop {
            match rustix::io::pread(&self.descriptor, &mut *into, offset) {
                Ok(count) => return Ok(Some(count)),
                Err(Errno::INTR) => signals()?,
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn pass_over(&mut self, count: u64) -> Result<bool, Stop> {
        let Some(count) = i64::try_from(count).ok().filter(|_| self.total.is_some()) else { return Ok(false) };
        rustix::fs::seek(&self.descriptor, rustix::fs::SeekFrom::Current(count))?;
        Ok(true)
    }
}

/// Waits until the descriptor is ready, for as long as the deadline allows. Returns whether it is.
fn wait(descriptor: BorrowedFd<'_>, flags: PollFlags, deadline: Option<Duration>) -> Result<bool, Stop> {
    let start = Instant::now();
    loop {
        let left = deadline.map_or(SIGNALS, |deadline| deadline.saturating_sub(start.elapsed()).min(SIGNALS));
        let timeout = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::from_borrowed_fd(descriptor, flags)], Some(&timeout)) {
            Ok(0) => {
                if deadline.is_some_and(|deadline| start.elapsed() >= deadline) {
                    return Ok(false);
                }
                signals()?;
            }
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => signals()?,
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Lets Python handle its signals: Ctrl-C ends a loop.
#[allow(clippy::redundant_closure_for_method_calls, reason = "the method itself is not general enough in its lifetime")]
fn signals() -> Result<(), Stop> {
    Ok(Python::attach(|py| py.check_signals())?)
}

struct OfBuffer {
    buffer: PyBuffer<u8>,
    at: usize,
}

impl OfBuffer {
    /// Copies bytes from `at` on; how many.
    fn copy(&self, at: usize, into: &mut [u8]) -> Result<usize, Stop> {
        Python::attach(|_| {
            let Some(whole) = self.buffer.as_slice_ptr() else {
                return Err(Stop::Python(usage("a buffer must be of bytes, in one piece")));
            };
            let count = whole.len().saturating_sub(at).min(into.len()).min(BOUNCE);
            if count > 0 {
                // SAFETY: the buffer is exported for as long as `self.buffer` lives, so its memory stays where it is;
                // `at + count` is at most its length, and `count` at most that of `into`, which is our own. The bytes
                // can be written by others meanwhile only without the interpreter lock, which is held here; a writer
                // that ignores it makes the bytes unspecified, and that is why they are copied before they are checked.
                unsafe {
                    let start = whole.cast::<u8>().as_ptr().add(at);
                    std::ptr::copy_nonoverlapping(start, into.as_mut_ptr(), count);
                }
            }
            Ok(count)
        })
    }
}

impl Pull for OfBuffer {
    fn pull(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        let count = self.copy(self.at, into)?;
        self.at += count;
        Ok(count)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<Option<usize>, Stop> {
        self.copy(usize::try_from(offset).unwrap_or(usize::MAX), into).map(Some)
    }

    fn pass_over(&mut self, count: u64) -> Result<bool, Stop> {
        self.at = self.at.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)).min(self.buffer.len_bytes());
        Ok(true)
    }

    fn total(&self) -> Option<u64> {
        u64::try_from(self.buffer.len_bytes()).ok()
    }
}

struct OfReader {
    reader: Py<PyAny>,
}

impl Pull for OfReader {
    fn pull(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        Python::attach(|py| {
            let wanted = into.len().min(BOUNCE);
            let piece = self.reader.bind(py).call_method1("read", (wanted,))?;
            if piece.is_none() {
                return Err(Stop::Python(usage("a source that does not block must have a file descriptor")));
            }
            let Ok(piece) = piece.cast::<PyBytes>() else {
                return Err(Stop::Python(usage("a source must be opened in binary mode")));
            };
            let bytes = piece.as_bytes();
            match into.get_mut(..bytes.len()) {
                Some(space) => space.copy_from_slice(bytes),
                None => return Err(Stop::Python(usage("the source read more than it was asked for"))),
            }
            Ok(bytes.len())
        })
    }

    fn total(&self) -> Option<u64> {
        None
    }
}

/// A window over a source: what has been read and not used yet.
pub(crate) struct Window<'a> {
    pull: &'a mut dyn Pull,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
}

impl<'a> Window<'a> {
    pub(crate) fn new(pull: &'a mut dyn Pull) -> Self {
        Self { pull, buffer: vec![0; WINDOW], start: 0, end: 0, eof: false }
    }

    /// What is there, and whether nothing follows it.
    pub(crate) fn bytes(&self) -> (&[u8], bool) {
        (self.buffer.get(self.start..self.end).unwrap_or(&[]), self.eof)
    }

    /// Drops bytes at the front.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Reads until so many bytes are there, or the source ends; as much as it gives, up to the whole window.
    pub(crate) fn fill(&mut self, need: usize) -> Result<(), Stop> {
        self.fill_within(need, WINDOW)
    }

    /// Reads until so many bytes are there, or the source ends, and not beyond `most` or what is needed.
    pub(crate) fn fill_within(&mut self, need: usize, most: usize) -> Result<(), Stop> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if need > self.buffer.len() - self.start {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // A gate withholds more than the window only where a device's state could hold the stream's end.
        if need > self.buffer.len() && need <= WITHHELD_MAX + 1 {
            self.buffer.resize(need.saturating_mul(2).min(WITHHELD_MAX + WINDOW), 0);
        }
        while !self.eof && self.end - self.start < need {
            let limit = self.start.saturating_add(need.max(most)).min(self.buffer.len());
            let Some(space) = self.buffer.get_mut(self.end..limit).filter(|space| !space.is_empty()) else {
                return Err(Stop::Io(io::Error::other("a record is longer than the window over the source")));
            };
            match self.pull.pull(space)? {
                0 => self.eof = true,
                count => self.end += count,
            }
        }
        Ok(())
    }

    /// Passes over bytes, unread ones too where the source can. Returns how many: all of them, or none.
    pub(crate) fn pass_over(&mut self, count: u64) -> Result<u64, Stop> {
        let there = u64::try_from(self.end - self.start).unwrap_or(u64::MAX);
        match count.checked_sub(there) {
            None | Some(0) => self.drop_front(usize::try_from(count).unwrap_or(usize::MAX)),
            Some(_) if self.eof => return Ok(0),
            Some(ahead) => {
                if !self.pull.pass_over(ahead)? {
                    return Ok(0);
                }
                self.start = self.end;
            }
        }
        Ok(count)
    }

    /// Bytes of the whole source, where known.
    pub(crate) fn total(&self) -> Option<u64> {
        self.pull.total()
    }
}

/// Where payload goes.
pub(crate) enum Sink {
    /// Nowhere: only the verdict is wanted.
    None,
    /// Into memory.
    Memory(Vec<u8>),
    /// To a file or pipe.
    Descriptor(OwnedFd, Option<Duration>),
}

/// Bytes that a pipe takes without blocking once it says that it takes any (`PIPE_BUF` of Linux).
const PIPE_BUF: usize = 4096;

impl Sink {
    /// The sink that Python gave.
    pub(crate) fn open(object: &Bound<'_, PyAny>, deadline: Option<Duration>) -> PyResult<Self> {
        match descriptor(object)? {
            Some(descriptor) => Ok(Self::Descriptor(descriptor, deadline)),
            None => Err(usage("a sink is a file or pipe that is open for writing bytes")),
        }
    }

    /// Writes all of the slices, in order.
    pub(crate) fn write(&mut self, slices: [&[u8]; 2]) -> Result<(), Stop> {
        match self {
            Self::None => Ok(()),
            Self::Memory(out) => {
                out.extend_from_slice(slices[0]);
                out.extend_from_slice(slices[1]);
                Ok(())
            }
            Self::Descriptor(descriptor, deadline) => write_all(descriptor.as_fd(), *deadline, slices),
        }
    }
}

fn write_all(descriptor: BorrowedFd<'_>, deadline: Option<Duration>, slices: [&[u8]; 2]) -> Result<(), Stop> {
    let [mut first, mut second] = slices;
    while !(first.is_empty() && second.is_empty()) {
        let mut now = [IoSlice::new(first), IoSlice::new(second)];
        if deadline.is_some() {
            // A pipe that says it takes bytes may take no more than this without blocking, and then no deadline ends it.
            let of_first = first.get(..PIPE_BUF).unwrap_or(first);
            let of_second = second.get(..PIPE_BUF - of_first.len()).unwrap_or(second);
            now = [IoSlice::new(of_first), IoSlice::new(of_second)];
            writable(descriptor, deadline)?;
        }
        match rustix::io::writev(descriptor, &now) {
            Ok(count) => {
                let of_first = count.min(first.len());
                first = first.get(of_first..).unwrap_or(&[]);
                second = second.get(count - of_first..).unwrap_or(&[]);
            }
            Err(Errno::INTR) => signals()?,
            Err(Errno::AGAIN) => writable(descriptor, deadline)?,
            Err(errno) => return Err(Stop::Sink(errno.into())),
        }
    }
    Ok(())
}

/// Waits until the sink takes bytes.
fn writable(descriptor: BorrowedFd<'_>, deadline: Option<Duration>) -> Result<(), Stop> {
    wait(descriptor, PollFlags::OUT, deadline)?.then_some(()).ok_or(Stop::SinkStalled)
}

/// Tells a Python callback how far a loop has come, and lets Python handle its signals.
pub(crate) struct Progress {
    callback: Option<Py<PyAny>>,
    told: u64,
    when: Instant,
}

impl Progress {
    pub(crate) fn new(callback: Option<Py<PyAny>>) -> Self {
        Self { callback, told: 0, when: Instant::now() }
    }

    /// Called with the bytes done so far.
    pub(crate) fn at(&mut self, done: u64, total: Option<u64>) -> Result<(), Stop> {
        if done.saturating_sub(self.told) < PROGRESS.0 && self.when.elapsed() < PROGRESS.1 {
            return Ok(());
        }
        (self.told, self.when) = (done, Instant::now());
        Python::attach(|py| {
            py.check_signals()?;
            if let Some(callback) = &self.callback {
                callback.call1(py, (done, total))?;
            }
            Ok(())
        })
        .map_err(Stop::Python)
    }
}

/// The whole of a file of at most so many bytes, and one more where it is longer.
pub(crate) fn whole_file(path: &Path, limit: usize) -> PyResult<Vec<u8>> {
    let read = || {
        let mut bytes = Vec::new();
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error: io::Error| os_error(&error, Some(path)))
}
