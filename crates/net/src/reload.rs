//! What is made of files, made again when they change: certificates and secrets are renewed while a program runs.

use std::fmt;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::Result;
use otlp_arrow_base::lock::lock;

/// How often files are looked at, unless somebody doubts what was made of them.
const LOOK: Duration = Duration::from_secs(1);
/// A file that changed so short ago may change once more without looking different.
const YOUNG: Duration = Duration::from_secs(2);

/// What `make` makes of files. Where they change it is made again; where it cannot be, as of a file that is half written or a
/// key that does not belong to its certificate yet, what was made before stays in use.
pub struct Reloaded<T> {
    paths: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T> + Send + Sync>,
    clock: Clock,
    state: Mutex<State<T>>,
}

struct State<T> {
    made: Arc<T>,
    /// Grows with each that was made.
    version: u64,
    /// What the files looked like when they were read; empty where that may not be told again.
    seen: Vec<Stamp>,
    /// Of what the files held: of that it was made, and of that nothing could be made.
    content: u64,
    broken: Option<u64>,
    looked: Instant,
    doubted: bool,
}

/// What a file looks like, without reading it. Links are followed: Kubernetes swaps one, and no file changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    identity: (u64, u64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), length: metadata.len(), identity: identity(&metadata) })
    }

    fn is_young(&self, now: SystemTime) -> bool {
        self.modified.is_none_or(|at| now.duration_since(at).is_ok_and(|age| age < YOUNG))
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> (u64, u64) {
    let created = metadata.created().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    created.map_or((0, 0), |since| (since.as_secs(), since.subsec_nanos().into()))
}

/// What stands for the content of all of them.
fn content(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        fs::read(path).ok().hash(&mut hasher);
    }
    hasher.finish()
}

/// What all of them look like; nothing where one is missing, or so young that it may change unseen.
fn stamps(paths: &[PathBuf], now: SystemTime) -> Vec<Stamp> {
    let stamps: Option<Vec<Stamp>> = paths.iter().map(|path| Stamp::of(path)).collect();
    stamps.filter(|stamps| !stamps.iter().any(|stamp| stamp.is_young(now))).unwrap_or_default()
}

impl<T> Reloaded<T> {
    /// Makes the first, which must work; `make` reads `paths`.
    pub fn new(
        paths: impl IntoIterator<Item = PathBuf>,
        clock: Clock,
        make: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        // A program may change its working directory later.
        let paths: Vec<_> = paths.into_iter().map(|path| std::path::absolute(&path).unwrap_or(path)).collect();
        // Before it is read, so that a change meanwhile is seen later.
        let (seen, content) = (stamps(&paths, clock.wall()), content(&paths));
        let state = State {
            made: Arc::new(make()?),
            version: 1,
            seen,
            content,
            broken: None,
            looked: clock.now(),
            doubted: false,
        };
        Ok(Self { paths, make: Box::new(make), clock, state: Mutex::new(state) })
    }

    /// The newest.
    pub fn current(&self) -> Arc<T> {
        let mut state = lock(&self.state);
        self.look(&mut state);
        Arc::clone(&state.made)
    }

    /// The number of the newest: it grows when what is made changes.
    pub fn version(&self) -> u64 {
        let mut state = lock(&self.state);
        self.look(&mut state);
        state.version
    }

    /// Whoever was shown what was made refused it: the files are read before it is used again, whatever they look like.
    pub fn doubt(&self) {
        lock(&self.state).doubted = true;
    }

    fn look(&self, state: &mut State<T>) {
        let now = self.clock.now();
        let due = now.saturating_duration_since(state.looked) >= LOOK;
        if self.paths.is_empty() || !(due || state.doubted) {
            return;
        }
        let doubted = std::mem::take(&mut state.doubted);
        state.looked = now;
        let seen = stamps(&self.paths, self.clock.wall());
        if !seen.is_empty() && seen == state.seen && !doubted {
            return;
        }
        let content = content(&self.paths);
        if content == state.content {
            (state.seen, state.broken) = (seen, None);
        } else if state.broken != Some(content) {
            match (self.make)() {
                Ok(made) => {
                    (state.made, state.version) = (Arc::new(made), state.version + 1);
                    (state.seen, state.content, state.broken) = (seen, content, None);
                }
                Err(error) => {
                    state.broken = Some(content);
                    tracing::warn!(%error, "a file that changed cannot be used; what it held before stays in use");
                }
            }
        }
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").field("paths", &self.paths).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use otlp_arrow_base::clock::ManualClock;
    use otlp_arrow_base::error::{Code, OtlpError};

    use super::*;

    /// The text of a file that must end in `!`.
    fn of(path: &Path, clock: &ManualClock) -> Reloaded<String> {
        let own = path.to_owned();
        Reloaded::new([path.to_owned()], clock.clock(), move || {
            let text = fs::read_to_string(&own).unwrap_or_default();
            if text.ends_with('!') { Ok(text) } else { Err(OtlpError::new(Code::InvalidConfig, text)) }
        })
        .unwrap()
    }

    #[test]
    fn what_changes_is_read_again_and_what_is_half_written_is_not_taken() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let path = dir.path().join("token");
        fs::write(&path, "one!").unwrap();
        let token = of(&path, &clock);
        assert_eq!((token.current().as_str(), token.version()), ("one!", 1));
        fs::write(&path, "two!").unwrap();
        assert_eq!(*token.current(), "one!", "not looked at for every request");
        clock.advance(LOOK);
        assert_eq!((token.current().as_str(), token.version()), ("two!", 2), "of the same length, in the same moment");
        for half in ["", "thr", "three"] {
            fs::write(&path, half).unwrap();
            clock.advance(LOOK);
            assert_eq!((token.current().as_str(), token.version()), ("two!", 2), "{half:?}");
        }
        fs::remove_file(&path).unwrap();
        clock.advance(LOOK);
        assert_eq!(*token.current(), "two!");
        fs::write(&path, "three!").unwrap();
        clock.advance(LOOK);
        assert_eq!((token.current().as_str(), token.version()), ("three!", 3));
    }

    #[test]
    fn doubt_does_not_wait() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let path = dir.path().join("token");
        fs::write(&path, "one!").unwrap();
        let token = of(&path, &clock);
        fs::write(&path, "two!").unwrap();
        token.doubt();
        assert_eq!(*token.current(), "two!");
        token.doubt();
        assert_eq!((token.current().as_str(), token.version()), ("two!", 2), "nothing new");
    }

    #[test]
    fn files_that_are_old_are_not_read_but_looked_at() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let path = dir.path().join("token");
        fs::write(&path, "one!").unwrap();
        let token = of(&path, &clock);
        // By the clock of the test it is an hour old from here on, and looks the same whatever is in it.
        clock.advance(Duration::from_secs(3600));
        assert_eq!(*token.current(), "one!");
        let looks = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "two!").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(looks).unwrap();
        clock.advance(LOOK);
        assert_eq!(*token.current(), "one!");
        token.doubt();
        assert_eq!(*token.current(), "two!");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_is_swapped_is_a_change() {
        use std::os::unix::fs::symlink;
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        // As Kubernetes does it: token -> ..data/token, ..data -> ..1
        for (name, text) in [("..1", "one!"), ("..2", "two!")] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("token"), text).unwrap();
        }
        let (data, path) = (dir.path().join("..data"), dir.path().join("token"));
        symlink("..1", &data).unwrap();
        symlink("..data/token", &path).unwrap();
        let token = of(&path, &clock);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(*token.current(), "one!");
        symlink("..2", dir.path().join("..new")).unwrap();
        fs::rename(dir.path().join("..new"), &data).unwrap();
        clock.advance(LOOK);
        assert_eq!(*token.current(), "two!");
    }
}
