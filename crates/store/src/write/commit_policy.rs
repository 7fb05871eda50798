//! When what waits is committed, and how much of it at once. Pure: the clock is an argument.

use std::time::{Duration, Instant};

/// A commit is made at once when so many bytes of columns wait.
pub(crate) const EAGER_BYTES: usize = 64 << 10;
/// One commit has at most so many bytes of columns, unless one request has more.
pub(crate) const MAX_BYTES: usize = 16 << 20;
/// One commit has at most so many rows, unless one request has more.
pub(crate) const MAX_ROWS: usize = 65_536;

/// What waits for one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Requests.
    pub requests: usize,
    /// Rows.
    pub rows: usize,
    /// Bytes they will take as columns.
    pub bytes: usize,
    /// When the first of them came.
    pub oldest: Option<Instant>,
    /// Somebody flushes, or the store is closing: commit now.
    pub hurry: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Commit.
    Commit,
    /// Nothing before this moment, unless more comes.
    WaitUntil(Instant),
    /// Nothing, until something comes.
    Idle,
}

/// The pace of one signal's commits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitPolicy {
    /// The least time between the beginnings of two commits of little data.
    interval: Duration,
    /// `buffered`: how long data may stay in memory.
    buffered: Option<Duration>,
    last_began: Option<Instant>,
    /// After a failure nothing is tried before this moment.
    not_before: Option<Instant>,
    failures: u32,
}

/// The longest pause between two attempts while the disk refuses.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl CommitPolicy {
    /// A policy that paces commits by `interval`; with `buffered`, by how long data may stay in memory instead.
    pub(crate) fn new(interval: Duration, buffered: Option<Duration>) -> Self {
        Self { interval, buffered, last_began: None, not_before: None, failures: 0 }
    }

    /// Whether to commit at `now`.
    pub(crate) fn decide(&self, now: Instant, waiting: &Waiting) -> Decision {
        if waiting.requests == 0 {
            return Decision::Idle;
        }
        if let Some(not_before) = self.not_before.filter(|&not_before| now < not_before) {
            return Decision::WaitUntil(not_before);
        }
        let full = waiting.bytes >= MAX_BYTES || waiting.rows >= MAX_ROWS;
        let due = match (self.buffered, waiting.oldest, self.last_began) {
            _ if waiting.hurry || full => return Decision::Commit,
            (Some(in_memory), Some(oldest), _) => oldest + in_memory,
            (None, _, Some(_)) if waiting.bytes >= EAGER_BYTES => return Decision::Commit,
            (None, _, Some(last_began)) => last_began + self.interval,
            _ => return Decision::Commit,
        };
        if now >= due { Decision::Commit } else { Decision::WaitUntil(due) }
    }

    /// Nothing small that comes from now on is due before this moment; None if it may be due at once.
    pub(crate) fn not_due_before(&self) -> Option<Instant> {
        match self.buffered {
            None => Some(self.last_began? + self.interval),
            Some(_) => None,
        }
    }

    /// A commit begins at `now`.
    pub(crate) fn began(&mut self, now: Instant) {
        self.last_began = Some(now);
    }

    /// It succeeded: the pace is normal again.
    pub(crate) fn succeeded(&mut self) {
        self.not_before = None;
        self.failures = 0;
    }

    /// It failed at `now`: pause for 1 ms, doubling with each failure up to 100 ms.
    pub(crate) fn failed(&mut self, now: Instant) {
        let pause = Duration::from_millis(1 << self.failures.min(7)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.not_before = Some(now + pause);
    }

    /// Until when nothing is tried because the last commit failed.
    pub(crate) fn pause_until(&self) -> Option<Instant> {
        self.not_before
    }
}

/// How many of the waiting requests, each of `(rows, bytes)`, the next commit takes: at least one, never part of one.
pub(crate) fn share(requests: impl IntoIterator<Item = (usize, usize)>) -> usize {
    let (mut count, mut rows, mut bytes) = (0, 0usize, 0usize);
    for (more_rows, more_bytes) in requests {
        rows = rows.saturating_add(more_rows);
        bytes = bytes.saturating_add(more_bytes);
        if count > 0 && (rows > MAX_ROWS || bytes > MAX_BYTES) {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn waiting(requests: usize, bytes: usize, oldest: Instant) -> Waiting {
        Waiting { requests, rows: requests, bytes, oldest: Some(oldest), hurry: false }
    }

    #[test]
    fn the_first_request_is_committed_at_once() {
        let now = Instant::now();
        assert_eq!(CommitPolicy::new(10 * MS, None).decide(now, &waiting(1, 1, now)), Decision::Commit);
    }

    #[test]
    fn nothing_waits_for_nothing() {
        let now = Instant::now();
        let hurried = Waiting { hurry: true, ..Waiting::default() };
        assert_eq!(CommitPolicy::new(MS, None).decide(now, &hurried), Decision::Idle);
        assert_eq!(CommitPolicy::new(MS, Some(MS)).decide(now, &Waiting::default()), Decision::Idle);
    }

    #[test]
    fn nothing_small_is_due_before_the_interval_ends() {
        let now = Instant::now();
        let mut policy = CommitPolicy::new(10 * MS, None);
        assert_eq!(policy.not_due_before(), None);
        policy.began(now);
        let until = now + 10 * MS;
        assert_eq!(policy.not_due_before(), Some(until));
        assert_eq!(policy.decide(now + MS, &waiting(1, 1, now)), Decision::WaitUntil(until));
        let mut buffered = CommitPolicy::new(10 * MS, Some(MS));
        buffered.began(now);
        assert_eq!(buffered.not_due_before(), None);
    }

    /// Every combination around each threshold, against the rule as DESIGN 5 words it.
    #[test]
    fn at_once_or_at_the_end_of_the_interval() {
        let start = Instant::now();
        let interval = 10 * MS;
        for since_last in 0..=20u32 {
            for bytes in [1, EAGER_BYTES - 1, EAGER_BYTES, MAX_BYTES - 1, MAX_BYTES] {
                for rows in [1, MAX_ROWS - 1, MAX_ROWS] {
                    for hurry in [false, true] {
                        let mut policy = CommitPolicy::new(interval, None);
                        policy.began(start);
                        let now = start + since_last * MS;
                        let waiting = Waiting { requests: 1, rows, bytes, oldest: Some(now), hurry };
                        let at_once = hurry || since_last >= 10 || bytes >= EAGER_BYTES || rows >= MAX_ROWS;
                        let expected = if at_once { Decision::Commit } else { Decision::WaitUntil(start + interval) };
                        assert_eq!(policy.decide(now, &waiting), expected, "{since_last} {waiting:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn buffered_waits_for_its_own_interval_or_a_full_commit() {
        let start = Instant::now();
        for age in 0..=20u32 {
            for bytes in [1, EAGER_BYTES, MAX_BYTES] {
                for hurry in [false, true] {
                    let mut policy = CommitPolicy::new(MS, Some(10 * MS));
                    policy.began(start);
                    let waiting = Waiting { hurry, ..waiting(1, bytes, start) };
                    let expected = if hurry || bytes >= MAX_BYTES || age >= 10 {
                        Decision::Commit
                    } else {
                        Decision::WaitUntil(start + 10 * MS)
                    };
                    assert_eq!(policy.decide(start + age * MS, &waiting), expected, "{age} {bytes} {hurry}");
                }
            }
        }
    }

    #[test]
    fn failures_pause_longer_and_longer_up_to_a_tenth_of_a_second() {
        let now = Instant::now();
        let mut policy = CommitPolicy::new(MS, None);
        for (failure, pause) in [1, 2, 4, 8, 16, 32, 64, 100, 100, 100].into_iter().enumerate() {
            policy.began(now);
            policy.failed(now);
            let until = now + pause * MS;
            assert_eq!(
                policy.decide(now + MS / 2, &waiting(1, MAX_BYTES, now)),
                Decision::WaitUntil(until),
                "{failure}"
            );
            assert_eq!(policy.pause_until(), Some(until));
            assert_eq!(policy.decide(until, &waiting(1, MAX_BYTES, now)), Decision::Commit);
        }
        policy.succeeded();
        assert_eq!(policy.pause_until(), None);
    }

    #[test]
    fn a_commit_takes_whole_requests_up_to_its_limits() {
        assert_eq!(share([]), 0);
        assert_eq!(share([(MAX_ROWS * 3, MAX_BYTES * 9)]), 1);
        assert_eq!(share([(MAX_ROWS * 3, 1), (1, 1)]), 1);
        assert_eq!(share([(MAX_ROWS - 1, 1), (1, 1), (1, 1)]), 2);
        assert_eq!(share([(1, MAX_BYTES - 1), (1, 2)]), 1);
        assert_eq!(share([(1, MAX_BYTES - 1), (1, 1), (0, 1)]), 2);
        assert_eq!(share(std::iter::repeat_n((1, 1), 100)), 100);
        assert_eq!(share([(1, usize::MAX), (1, usize::MAX)]), 1);
    }
}
