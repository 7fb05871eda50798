//! Named places where a test can end the process, if this is built with the feature `failpoints`.
//!
//! Then `OTLP_ARROW_FAILPOINT=<name>:<n>` aborts at the n-th passage, and `<name>:<n>:stall` makes that passage and all later
//! ones wait forever, as on a disk that stands still; `<name>:<n>:<milliseconds>ms` makes them take so long, as on a slow one.
//! Without the variable a passage is one relaxed load; without the feature
//! it is nothing, and the variable is not read: see `docs/adr/0008-failpoints.md`.

#[cfg(feature = "failpoints")]
pub use armed::VARIABLE;

/// Where processes can be ended. Each has a `before` and an `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A live file is created.
    Create,
    /// A commit is written.
    Write,
    /// A commit is synced (durability `synced`).
    Fdatasync,
    /// A live file is closed, to be sealed.
    Rotate,
    /// The sealed form is written to `tmp/`.
    SealWrite,
    /// The sealed form is synced.
    SealSync,
    /// The sealed form takes its name.
    Rename,
    /// A directory is synced.
    DirectorySync,
    /// A live file that is sealed is deleted.
    Unlink,
    /// A dead writer's files are taken over.
    Adopt,
    /// Something unreadable is set aside.
    Quarantine,
    /// Retention deletes a file.
    RetentionDelete,
}

impl Point {
    /// Every point.
    pub const ALL: [Point; 12] = [
        Point::Create,
        Point::Write,
        Point::Fdatasync,
        Point::Rotate,
        Point::SealWrite,
        Point::SealSync,
        Point::Rename,
        Point::DirectorySync,
        Point::Unlink,
        Point::Adopt,
        Point::Quarantine,
        Point::RetentionDelete,
    ];

    /// Its name; the variable takes `<name>.before` or `<name>.after`, and `:<n>`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Point::Create => "create",
            Point::Write => "write",
            Point::Fdatasync => "fdatasync",
            Point::Rotate => "rotate",
            Point::SealWrite => "seal-write",
            Point::SealSync => "seal-sync",
            Point::Rename => "rename",
            Point::DirectorySync => "directory-sync",
            Point::Unlink => "unlink",
            Point::Adopt => "adopt",
            Point::Quarantine => "quarantine",
            Point::RetentionDelete => "retention-delete",
        }
    }

    /// To be passed just before the step.
    #[inline]
    pub fn before(self) {
        #[cfg(feature = "failpoints")]
        armed::pass(self, ".before");
    }

    /// To be passed just after the step.
    #[inline]
    pub fn after(self) {
        #[cfg(feature = "failpoints")]
        armed::pass(self, ".after");
    }

    /// Runs a step between its two points.
    #[inline]
    pub fn around<T>(self, step: impl FnOnce() -> T) -> T {
        self.before();
        let done = step();
        self.after();
        done
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
    use std::time::Duration;

    use otlp_arrow_base::clock::Clock;

    use super::Point;

    /// The variable that names a place.
    pub const VARIABLE: &str = "OTLP_ARROW_FAILPOINT";

    const UNKNOWN: u8 = 0;
    const OFF: u8 = 1;
    const ON: u8 = 2;

    static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
    static TARGET: OnceLock<Option<Target>> = OnceLock::new();

    #[derive(Debug)]
    struct Target {
        name: String,
        left: AtomicU64,
        then: Then,
    }

    /// What happens at the passage that was asked for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Then {
        Abort,
        Stall,
        Slow(Duration),
    }

    /// A passage of `point`, on that side of its step.
    #[inline]
    pub(super) fn pass(point: Point, side: &str) {
        if STATE.load(Ordering::Relaxed) != OFF {
            hit(point, side);
        }
    }

    #[cold]
    fn hit(point: Point, side: &str) {
        let Some(target) = target() else { return };
        if target.name.strip_suffix(side) != Some(point.as_str()) {
            return;
        }
        let left = target.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1)));
        match (target.then, left) {
            (Then::Stall, Ok(0 | 1)) => loop {
                std::thread::park();
            },
            (Then::Slow(wait), Ok(0 | 1)) => Clock::system().sleep(wait),
            (Then::Abort, Ok(1)) => std::process::abort(),
            _ => {}
        }
    }

    fn target() -> Option<&'static Target> {
        let target = TARGET.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|text| parse(&text)));
        STATE.store(if target.is_some() { ON } else { OFF }, Ordering::Relaxed);
        target.as_ref()
    }

    fn parse(text: &str) -> Option<Target> {
        let (name, count) = text.split_once(':').unwrap_or((text, "1"));
        let (count, then) = match count.split_once(':') {
            None => (count, Then::Abort),
            Some((count, "stall")) => (count, Then::Stall),
            Some((count, wait)) => (count, Then::Slow(Duration::from_millis(wait.strip_suffix("ms")?.parse().ok()?))),
        };
        let left = count.parse().ok().filter(|&count: &u64| count > 0)?;
        let known = Point::ALL
            .iter()
            .any(|point| name.strip_prefix(point.as_str()).is_some_and(|side| side == ".before" || side == ".after"));
        known.then(|| Target { name: name.to_owned(), left: AtomicU64::new(left), then })
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "tests")]
        use super::*;

        #[test]
        fn a_place_and_a_count_are_named() {
            let target = parse("seal-sync.after:3").unwrap();
            assert_eq!((target.name.as_str(), target.left.into_inner()), ("seal-sync.after", 3));
            assert_eq!(parse("rename.before").unwrap().left.into_inner(), 1);
            let stalled = parse("write.before:2:stall").unwrap();
            assert_eq!((stalled.then, parse("write.before:2").unwrap().then), (Then::Stall, Then::Abort));
            assert_eq!(parse("write.before:1:50ms").unwrap().then, Then::Slow(Duration::from_millis(50)));
            assert_eq!((stalled.name.as_str(), stalled.left.into_inner()), ("write.before", 2));
            for wrong in [
                "write.before:stall",
                "write.before:2:stop",
                "write.before:2:50",
                "",
                "rename",
                "rename.during",
                "rename.before:0",
                "rename.before:x",
                "nowhere.after:1",
            ] {
                assert!(parse(wrong).is_none(), "{wrong}");
            }
        }

        #[test]
        fn names_are_distinct() {
            let names: std::collections::HashSet<_> = Point::ALL.iter().map(|point| point.as_str()).collect();
            assert_eq!(names.len(), Point::ALL.len());
        }
    }
}
