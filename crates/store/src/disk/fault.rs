//! What an I/O error means to a caller, and when a signal's storage changed its state.

use std::io;
use std::path::Path;

use otlp_arrow_base::error::{Code, OtlpError};
use otlp_arrow_base::event::EventName;

/// Whether new data can be written. Pure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StorageHealth {
    /// STORAGE_FULL or STORAGE_FAILED while new data is refused.
    now: Option<Code>,
}

impl StorageHealth {
    /// A write failed with `code`: the event to announce, unless it was announced already.
    pub(crate) fn failed(&mut self, code: Code) -> Option<EventName> {
        if self.now.replace(code) == Some(code) {
            return None;
        }
        Some(if code == Code::StorageFull { EventName::StorageFull } else { EventName::StorageFailed })
    }

    /// A write succeeded: the event to announce, if one had failed before.
    pub(crate) fn succeeded(&mut self) -> Option<EventName> {
        self.now.take().map(|_| EventName::StorageRecovered)
    }
}

/// The error that a failed step is answered with: STORAGE_FULL if there is no space, else STORAGE_FAILED.
pub(crate) fn storage_error(step: &str, path: &Path, error: io::Error) -> OtlpError {
    let (code, remedy) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (Code::StorageFull, "free some space or lower retention.max_bytes")
        }
        io::ErrorKind::FileTooLarge => {
            (Code::StorageFull, "raise the limit of file sizes (ulimit -f) or lower rotation.max_bytes")
        }
        io::ErrorKind::PermissionDenied => (Code::StorageFailed, "give this user permission to do that"),
        io::ErrorKind::ReadOnlyFilesystem => (Code::StorageFailed, "mount it for writing"),
        _ if is_too_many_files(&error) => (Code::StorageFailed, "raise the limit of open files (ulimit -n)"),
        _ => (Code::StorageFailed, "check the disk (free space, permissions, hardware)"),
    };
    let others = (error.kind() == io::ErrorKind::PermissionDenied).then(|| closed_by_others(path)).flatten();
    let remedy = others.as_deref().unwrap_or(remedy);
    let message = format!("cannot {step} {}: {error}; {remedy}, writing resumes by itself", path.display());
    let lasts = lasts(&error);
    let error = OtlpError::with_source(code, message, error);
    if lasts { error.lasting() } else { error }
}

/// Whether it stays until a person does something: what a path is or who may use it does not change by waiting, while space,
/// open files and a disk that stands still come and go.
fn lasts(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    // ELOOP, which has no stable `ErrorKind`: 40 on Linux, 62 on macOS.
    let circle = if cfg!(target_os = "linux") { 40 } else { 62 };
    matches!(
        error.kind(),
        PermissionDenied
            | ReadOnlyFilesystem
            | NotADirectory
            | IsADirectory
            | AlreadyExists
            | InvalidInput
            | InvalidFilename
            | Unsupported
    ) || (cfg!(unix) && error.raw_os_error() == Some(circle))
}

/// What to do where the folder on the way to `path` is somebody else's: a process that was opened as root and goes on as
/// another user, or two users of one directory.
#[cfg(unix)]
fn closed_by_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let (there, found) = path.ancestors().find_map(|there| Some((there, std::fs::metadata(there).ok()?)))?;
    let user = super::sys::user();
    (found.uid() != user).then(|| {
        format!(
            "{} belongs to user {} with mode {:04o}, and this process is user {user}: open the library after the process has \
             become that user, or let both record there with storage.mode: \"0660\" and storage.group",
            there.display(),
            found.uid(),
            found.mode() & 0o7777
        )
    })
}

#[cfg(not(unix))]
fn closed_by_others(_path: &Path) -> Option<String> {
    None
}

fn is_too_many_files(error: &io::Error) -> bool {
    // EMFILE and ENFILE have no `ErrorKind`; ERROR_TOO_MANY_OPEN_FILES is 4 on Windows.
    let codes: &[i32] = if cfg!(windows) { &[4] } else { &[23, 24] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_announced_once() {
        let mut fault = StorageHealth::default();
        assert_eq!(fault.succeeded(), None);
        assert_eq!(fault.failed(Code::StorageFull), Some(EventName::StorageFull));
        assert_eq!(fault.failed(Code::StorageFull), None);
        assert_eq!(fault.failed(Code::StorageFailed), Some(EventName::StorageFailed));
        assert_eq!(fault.succeeded(), Some(EventName::StorageRecovered));
        assert_eq!(fault.succeeded(), None);
    }

    #[test]
    fn who_may_write_and_where_does_not_pass_and_space_and_a_slow_disk_do() {
        let path = Path::new("dir/file");
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::NotADirectory] {
            assert!(!storage_error("create", path, kind.into()).passes(), "{kind}");
        }
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::TimedOut] {
            assert!(storage_error("create", path, kind.into()).passes(), "{kind}");
        }
        #[cfg(target_os = "linux")]
        for (number, passes) in [(5, true), (24, true), (20, false), (36, false), (40, false)] {
            let error = storage_error("open", path, io::Error::from_raw_os_error(number));
            assert_eq!(error.passes(), passes, "{error}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let path = Path::new("dir/file");
        for (kind, code, word) in [
            (io::ErrorKind::StorageFull, Code::StorageFull, "retention.max_bytes"),
            (io::ErrorKind::QuotaExceeded, Code::StorageFull, "free some space"),
            (io::ErrorKind::FileTooLarge, Code::StorageFull, "ulimit -f"),
            (io::ErrorKind::PermissionDenied, Code::StorageFailed, "permission"),
            (io::ErrorKind::ReadOnlyFilesystem, Code::StorageFailed, "mount"),
            (io::ErrorKind::Other, Code::StorageFailed, "disk"),
        ] {
            let error = storage_error("write", path, kind.into());
            assert_eq!(error.code(), code, "{error}");
            assert!(error.message().contains(word) && error.message().contains("file"), "{error}");
            assert!(error.retryable());
        }
        #[cfg(unix)]
        assert!(storage_error("open", path, io::Error::from_raw_os_error(24)).message().contains("ulimit"));
    }
}
