//! Why a file could not be read, told apart for those who decide by it; outside of this crate it is one [`OtlpError`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use otlp_arrow_base::error::{Code, OtlpError};

use crate::disk::fault::storage_error;

/// Why rows of a file could not be read.
///
/// One pointer, since the inner loops of reading and sealing return it.
#[derive(Debug)]
pub struct ReadError(Box<Reason>);

#[derive(Debug)]
enum Reason {
    Gone(PathBuf),
    Damaged(String),
    Disk { step: &'static str, path: PathBuf, error: io::Error },
    Other(OtlpError),
}

impl ReadError {
    /// The file is not there any more: retention, or somebody else, deleted it.
    pub fn gone(path: impl Into<PathBuf>) -> Self {
        Self(Box::new(Reason::Gone(path.into())))
    }

    /// What the file holds cannot be what was written. That does not get better.
    pub fn damaged(what: impl Into<String>) -> Self {
        Self(Box::new(Reason::Damaged(what.into())))
    }

    /// The disk, or the way to it, did not let us read. That may get better.
    pub fn read(path: impl AsRef<Path>, error: io::Error) -> Self {
        Self::disk("read", path, error)
    }

    /// [`ReadError::read`] for another step, such as `list`.
    pub(crate) fn disk(step: &'static str, path: impl AsRef<Path>, error: io::Error) -> Self {
        Self(Box::new(Reason::Disk { step, path: path.as_ref().to_owned(), error }))
    }

    /// Whether the file is not there any more.
    pub fn is_gone(&self) -> bool {
        matches!(*self.0, Reason::Gone(_))
    }

    /// Whether it is about what the file holds, not about reaching it.
    pub fn is_damage(&self) -> bool {
        matches!(*self.0, Reason::Damaged(_))
    }

    /// The same damage, and what a person can do about it.
    pub(crate) fn with_remedy(mut self, remedy: &str) -> Self {
        if let Reason::Damaged(what) = &mut *self.0 {
            *what += "; ";
            *what += remedy;
        }
        self
    }
}

/// What reading a file gives.
pub(crate) type Result<T, E = ReadError> = std::result::Result<T, E>;

/// The error of content that cannot be what we wrote.
pub(crate) fn damaged(what: impl Into<String>) -> ReadError {
    ReadError::damaged(what)
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Reason::Gone(path) => write!(f, "{} is not there any more", path.display()),
            Reason::Damaged(what) => f.write_str(what),
            Reason::Disk { step, path, error } => write!(f, "cannot {step} {}: {error}", path.display()),
            Reason::Other(error) => f.write_str(error.message()),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Reason::Gone(_) | Reason::Damaged(_) => None,
            Reason::Disk { error, .. } => Some(error),
            Reason::Other(error) => Some(error),
        }
    }
}

impl From<ReadError> for OtlpError {
    fn from(error: ReadError) -> Self {
        match *error.0 {
            Reason::Gone(_) | Reason::Damaged(_) => OtlpError::new(Code::StorageFailed, error.to_string()),
            Reason::Disk { step, path, error } => storage_error(step, &path, error),
            Reason::Other(error) => error,
        }
    }
}

impl From<OtlpError> for ReadError {
    fn from(error: OtlpError) -> Self {
        Self(Box::new(Reason::Other(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_it_is_an_error_with_a_code_and_a_remedy() {
        let failing = || ReadError::read("dir/file", io::ErrorKind::PermissionDenied.into());
        for (error, code, text) in [
            (ReadError::gone("dir/file"), Code::StorageFailed, "dir/file is not there any more"),
            (damaged("dir/file ends early"), Code::StorageFailed, "dir/file ends early"),
            (failing(), Code::StorageFailed, "give this user permission"),
            (OtlpError::new(Code::InvalidConfig, "columns").into(), Code::InvalidConfig, "columns"),
        ] {
            let (gone, damage) = (error.is_gone(), error.is_damage());
            let outside = OtlpError::from(error);
            assert_eq!(outside.code(), code);
            assert!(outside.message().contains(text), "{outside}");
            assert_eq!((gone, damage), (text.ends_with("any more"), text.ends_with("early")));
        }
        assert!(std::error::Error::source(&OtlpError::from(failing())).is_some());
        assert_eq!(damaged("it ends early").with_remedy("move it away").to_string(), "it ends early; move it away");
    }
}
