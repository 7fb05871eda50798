//! Looking at a directory, and waiting until something is so.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The names of the files in `dir/sub`, sorted; none if there is no such directory.
pub fn names(dir: &Path, sub: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir.join(sub)) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

/// The files of log records in an output directory that have this extension.
pub fn log_files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let names = names(dir, "otlp/logs");
    let suffix = format!(".{extension}");
    names.into_iter().filter(|name| name.ends_with(&suffix)).map(|name| dir.join("otlp/logs").join(name)).collect()
}

/// Nothing is waited for longer.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Waits until `condition` holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = soon();
    while !condition() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
