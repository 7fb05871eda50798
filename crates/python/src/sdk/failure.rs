//! What becomes of records that cannot be read.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

/// Arrays and maps nested deeper than this are not walked: the whole record is refused. More than any configurable
/// limit, and it ends the walk of a value that contains itself.
pub(super) const MAX_NESTING: usize = 256;

/// One export request.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    /// OTLP protobuf.
    pub(crate) bytes: Vec<u8>,
    /// Records in it.
    pub(crate) written: u64,
    /// Records left out because they could not be read.
    pub(crate) refused: u64,
    /// Why the first of them could not; empty when none was left out.
    pub(crate) reason: String,
}

/// Records that are left out, and why the first of them is.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    pub(super) count: u64,
    /// And those that were not.
    pub(super) written: u64,
    reason: String,
}

impl LeftOut {
    /// Counts `records` more, unless what was raised is not a mistake in them: Ctrl-C, the end of the interpreter.
    pub(super) fn add(&mut self, py: Python<'_>, records: u64, failure: Failure) -> PyResult<()> {
        let reason = match failure {
            Failure::TooDeep => "a value is nested too deeply to be walked".to_owned(),
            Failure::Raised(error) if error.is_instance_of::<PyException>(py) => error.to_string(),
            Failure::Raised(error) => return Err(error),
        };
        if self.count == 0 {
            self.reason = reason;
        }
        self.count += records;
        Ok(())
    }

    pub(super) fn encoded(self, bytes: Vec<u8>) -> Encoded {
        Encoded { bytes, written: self.written, refused: self.count, reason: self.reason }
    }
}

/// Why a record, or a value in it, could not be written.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nested deeper than [`MAX_NESTING`].
    TooDeep,
    /// Python raised.
    Raised(PyErr),
}

impl Failure {
    /// The same once more, for another record.
    pub(super) fn again(&self, py: Python<'_>) -> Self {
        match self {
            Failure::TooDeep => Failure::TooDeep,
            Failure::Raised(error) => Failure::Raised(error.clone_ref(py)),
        }
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Failure::Raised(error)
    }
}
