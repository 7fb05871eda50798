//! Ending a recorder: in which order, and who may take how much of the time.
//!
//! There is one deadline. Every stage but the last may use half of what is left when it begins, so that one that hangs
//! leaves time to those behind it, and what one does not need is theirs:
//!
//! | stage | what is waited for | until, at the latest, of the whole time |
//! |---|---|---|
//! | hand over | exports that a binding was called for and has not handed to the core yet | 1/2 |
//! | doors | requests that are on their way in | 3/4 |
//! | forward | the commit of what was accepted, and what destinations take of it | 7/8 |
//! | close | the last commits, then sealing | the deadline |
//!
//! New data is refused from the doors on. Listeners to events get [`CLOSE_WAIT`] beyond the deadline, since what they are
//! told is what the stages could not do.

use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;

use super::generation::Root;
use crate::error::{Code, OtlpError, Result};
use crate::event_bus::CLOSE_WAIT;
use crate::store::ClosedReport;
use crate::wait::{after, block_until};

/// What exports that wait for room may take to learn that there will be none.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// The time of one shutdown, shared between its stages.
struct Deadline {
    clock: Clock,
    at: Instant,
}

impl Deadline {
    fn new(clock: Clock, whole: Duration) -> Self {
        Self { at: after(clock.now(), whole), clock }
    }

    /// How long a stage that begins now may take, if others come behind it.
    fn share(&self) -> Duration {
        self.clock.left(self.at) / 2
    }

    /// The same as a moment.
    fn share_until(&self) -> Instant {
        self.clock.now() + self.share()
    }
}

/// All stages, blocking, within `whole` or the configured time. `hand_over` is the first: it waits until the moment it is
/// given at the latest.
pub(super) fn shut_down(root: &Root, whole: Option<Duration>, hand_over: impl FnOnce(Instant)) -> Result<ClosedReport> {
    let deadline = Deadline::new(Clock::system(), whole.unwrap_or(root.config.shutdown_timeout));
    hand_over(deadline.share_until());
    root.set_closed();
    let running = root.running();
    running.core.waiting.close(&running.core.store, deadline.share().min(LAST_ANSWERS));
    running.outward.close_doors(deadline.share());
    // What exporters were told TIMEOUT of has no other time than theirs.
    let commits_until =
        |until: Instant| running.core.waiting.given_up(&running.core.store).map_or(until, |end| until.min(end));
    if running.outward.forwards() {
        let until = deadline.share_until();
        // What was accepted is committed first, so that it can still go out.
        let _ = block_until(running.core.store.flush(), commits_until(until));
        running.outward.drain(until);
    }
    let mut report = running.core.store.close_committing(commits_until(deadline.at), deadline.at);
    report.uncommitted_records += running.core.waiting.end(&running.core.store);
    report.undelivered_records = running.outward.end();
    let until = deadline.clock.now() + CLOSE_WAIT;
    running.events.close(until);
    if let Some(pending) = &running.pending_events {
        pending.wait(until, &deadline.clock);
    }
    answer(report)
}

/// TIMEOUT where something is left, which says what.
fn answer(report: ClosedReport) -> Result<ClosedReport> {
    if report.uncommitted_records == 0 && report.unsealed_files == 0 {
        return Ok(report);
    }
    let lost = format!("{} record(s) could not be written and are lost", report.uncommitted_records);
    let left = format!("{} file(s) are left for the next open to seal", report.unsealed_files);
    let what = match (report.uncommitted_records, report.unsealed_files) {
        (0, _) => left,
        (_, 0) => lost,
        _ => format!("{lost}, {left}"),
    };
    Err(OtlpError::new(Code::Timeout, format!("shut down before everything was done: {what}")))
}

#[cfg(test)]
mod tests {
    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    #[test]
    fn a_stage_that_hangs_leaves_half_and_what_one_does_not_need_goes_to_the_next() {
        let clock = ManualClock::new();
        let deadline = Deadline::new(clock.clock(), Duration::from_secs(16));
        for expected in [8, 4, 2] {
            let share = deadline.share();
            assert_eq!(share, Duration::from_secs(expected));
            assert_eq!(deadline.share_until(), clock.clock().now() + share);
            clock.advance(share);
        }
        assert_eq!(clock.clock().left(deadline.at), Duration::from_secs(2), "for commits and sealing");

        let quick = Deadline::new(clock.clock(), Duration::from_secs(16));
        assert_eq!(quick.share(), Duration::from_secs(8));
        clock.advance(Duration::from_secs(2));
        assert_eq!(quick.share(), Duration::from_secs(7));
        clock.advance(Duration::from_secs(60));
        assert_eq!(quick.share(), Duration::ZERO, "nothing is left after the deadline");
        assert!(Deadline::new(clock.clock(), Duration::MAX).share() > Duration::from_secs(1 << 30));
    }
}
