//! The one place where errors become Python's.

use std::io;
use std::path::Path;

use pyo3::exceptions::{PyOSError, PyTimeoutError, PyValueError};
use pyo3::import_exception;
use pyo3::prelude::*;
use transire_core::verdict::Outcome;
use transire_text::TextError;

import_exception!(transire.errors, Corrupt);
import_exception!(transire.errors, Incompatible);
import_exception!(transire.errors, ProfileError);
import_exception!(transire.errors, TransireError);
import_exception!(transire.errors, Truncated);
import_exception!(transire.errors, Undecided);
import_exception!(transire.errors, Unrecognized);

/// Why a loop over a source ended before the gate did.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Reading the source failed.
    Io(io::Error),
    /// Writing to the sink failed.
    Sink(io::Error),
    /// Python raised, in a callback or for a signal.
    Python(PyErr),
    /// The source sent nothing for longer than the deadline.
    SourceStalled,
    /// The sink took nothing for longer than the deadline.
    SinkStalled,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustix::io::Errno> for Stop {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl Stop {
    /// The exception, with the path of the source where it has one.
    pub(crate) fn into_py(self, path: Option<&Path>) -> PyErr {
        match self {
            Self::Io(error) => os_error(&error, path),
            Self::Sink(error) => os_error(&error, None),
            Self::Python(error) => error,
            Self::SourceStalled => PyTimeoutError::new_err("the source sent nothing for longer than the deadline"),
            Self::SinkStalled => PyTimeoutError::new_err("the sink took nothing for longer than the deadline"),
        }
    }
}

/// The `OSError` that Python itself would raise: of the subclass that fits, with the file's name.
pub(crate) fn os_error(error: &io::Error, path: Option<&Path>) -> PyErr {
    let Some(number) = error.raw_os_error() else {
        return match error.kind() {
            // A path with a NUL: what Python's own open() raises.
            io::ErrorKind::InvalidInput => usage(error.to_string()),
            _ => PyOSError::new_err(error.to_string()),
        };
    };
    // "No such file or directory (os error 2)": Python writes the number itself.
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default().to_owned();
    match path {
        Some(path) => PyOSError::new_err((number, words, path.as_os_str().to_owned())),
        None => PyOSError::new_err((number, words)),
    }
}

/// The exception for a malformed profile or target.
pub(crate) fn text_error(error: &TextError) -> PyErr {
    let key = (!error.key.is_empty()).then(|| error.key.clone());
    let reason = error.reason.as_ref().map(|reason| reason.id.text());
    ProfileError::new_err((error.to_string(), key, error.line, error.column, error.offset, reason))
}

/// An error of usage.
pub(crate) fn usage(message: impl Into<String>) -> PyErr {
    PyValueError::new_err(message.into())
}

/// The exception for an outcome; `None` for the compatible one.
pub(crate) fn of_outcome(outcome: Outcome, message: String, verdict: Py<crate::verdict::Verdict>) -> Option<PyErr> {
    let arguments = (message, verdict);
    Some(match outcome {
        Outcome::Compatible => return None,
        Outcome::Fixable | Outcome::Unknown => Undecided::new_err(arguments),
        Outcome::Truncated => Truncated::new_err(arguments),
        Outcome::Incompatible => Incompatible::new_err(arguments),
        Outcome::Corrupt => Corrupt::new_err(arguments),
        Outcome::Unrecognized => Unrecognized::new_err(arguments),
    })
}
