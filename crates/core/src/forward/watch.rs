//! When a destination's trouble is announced: pure, with the clock passed in.
//!
//! Each trouble is announced once, again every ten minutes while it lasts, and closed by `forward_recovered`.

use std::time::{Duration, Instant};

use crate::event::EventName;

/// Lagging means more than this behind, or half of the room that retention gives.
const LAG: Duration = Duration::from_secs(60);
/// Stalled means so long without a success though data waits.
const STALL: Duration = Duration::from_secs(60);
/// How often a lasting trouble is announced again.
const AGAIN: Duration = Duration::from_secs(600);

/// How a destination stands at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// How old the oldest waiting record is; `None` when nothing waits.
    pub(super) lag: Option<Duration>,
    /// Whether what waits takes more than half of the room of retention.
    pub(super) half_of_room: bool,
    /// Whether the destination refuses everything.
    pub(super) blocked: bool,
    /// Whether it refuses what came from it.
    pub(super) looped: bool,
    /// Whether it was paused by hand: then silence is not a trouble.
    pub(super) paused: bool,
}

/// An announcement that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) name: EventName,
    /// How long the trouble has lasted.
    pub(super) lasted: Duration,
}

#[derive(Debug)]
struct Trouble {
    name: EventName,
    since: Option<Instant>,
    said: Option<Instant>,
}

/// Watches one destination.
#[derive(Debug)]
pub(super) struct Watch {
    last_success: Instant,
    /// Stalled whatever the time, until something is delivered or nothing waits.
    stalled: bool,
    troubles: [Trouble; 4],
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        let trouble = |name| Trouble { name, since: None, said: None };
        Self {
            last_success: now,
            stalled: false,
            troubles: [
                trouble(EventName::ForwardBlocked),
                trouble(EventName::ForwardLooped),
                trouble(EventName::ForwardLagging),
                trouble(EventName::ForwardStalled),
            ],
        }
    }

    /// A watch that begins with a trouble that was announced already: forwarding ended by a defect and starts again.
    pub(super) fn after_defect(now: Instant) -> Self {
        let mut watch = Self::new(now);
        watch.stalled = true;
        for trouble in watch.troubles.iter_mut().filter(|trouble| trouble.name == EventName::ForwardStalled) {
            (trouble.since, trouble.said) = (Some(now), Some(now));
        }
        watch
    }

    /// The destination took something.
    pub(super) fn success(&mut self, now: Instant) {
        self.last_success = now;
        self.stalled = false;
    }

    /// Whether any trouble is announced and not over.
    pub(super) fn troubled(&self) -> bool {
        self.troubles.iter().any(|trouble| trouble.said.is_some())
    }

    /// What has to be announced now.
    pub(super) fn check(&mut self, standing: Standing, now: Instant) -> Vec<Announcement> {
        if standing.lag.is_none() || standing.paused {
            self.last_success = now;
        }
        self.stalled &= standing.lag.is_some();
        let silent = self.stalled || now.saturating_duration_since(self.last_success) >= STALL;
        let present = [
            standing.blocked,
            standing.looped,
            standing.lag.is_some_and(|lag| lag > LAG) || standing.half_of_room,
            silent && standing.lag.is_some(),
        ];
        let was = self.troubles.iter().filter_map(|trouble| trouble.said.and(trouble.since)).min();
        let mut due = Vec::new();
        for (trouble, present) in self.troubles.iter_mut().zip(present) {
            if !present {
                (trouble.since, trouble.said) = (None, None);
                continue;
            }
            let since = *trouble.since.get_or_insert(now);
            if trouble.said.is_none_or(|said| now.saturating_duration_since(said) >= AGAIN) {
                trouble.said = Some(now);
                due.push(Announcement { name: trouble.name, lasted: now.saturating_duration_since(since) });
            }
        }
        if let Some(since) = was.filter(|_| !self.troubled()) {
            let lasted = now.saturating_duration_since(since);
            due.push(Announcement { name: EventName::ForwardRecovered, lasted });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waiting(seconds: u64) -> Standing {
        Standing { lag: Some(Duration::from_secs(seconds)), ..Standing::default() }
    }

    fn names(watch: &mut Watch, standing: Standing, now: Instant) -> Vec<EventName> {
        watch.check(standing, now).iter().map(|due| due.name).collect()
    }

    #[test]
    fn a_silent_destination_is_announced_once_then_every_ten_minutes_until_it_recovers() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!(names(&mut watch, waiting(59), start + 59 * SECOND), []);
        assert_eq!(
            names(&mut watch, waiting(61), start + 61 * SECOND),
            [EventName::ForwardLagging, EventName::ForwardStalled]
        );
        assert_eq!(names(&mut watch, waiting(100), start + 100 * SECOND), []);
        assert_eq!(
            names(&mut watch, waiting(661), start + 661 * SECOND),
            [EventName::ForwardLagging, EventName::ForwardStalled]
        );
        watch.success(start + 700 * SECOND);
        assert_eq!(names(&mut watch, waiting(690), start + 701 * SECOND), [], "still lagging");
        let over = watch.check(waiting(5), start + 761 * SECOND - SECOND * 2);
        assert_eq!(over, [Announcement { name: EventName::ForwardRecovered, lasted: 698 * SECOND }]);
        assert!(!watch.troubled());
    }

    #[test]
    fn an_idle_or_paused_destination_is_not_stalled() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!(names(&mut watch, Standing::default(), start + 3600 * SECOND), []);
        let paused = Standing { paused: true, ..waiting(10) };
        assert_eq!(names(&mut watch, paused, start + 7200 * SECOND), []);
        assert_eq!(names(&mut watch, waiting(59), start + 7259 * SECOND), []);
        assert_eq!(names(&mut watch, waiting(60), start + 7260 * SECOND), [EventName::ForwardStalled]);
    }

    #[test]
    fn a_defect_is_a_trouble_until_something_is_delivered() {
        let start = Instant::now();
        let mut watch = Watch::after_defect(start);
        assert!(watch.troubled());
        assert_eq!(names(&mut watch, waiting(1), start + SECOND), [], "it was announced");
        watch.success(start + 2 * SECOND);
        assert_eq!(names(&mut watch, waiting(1), start + 3 * SECOND), [EventName::ForwardRecovered]);
        let mut idle = Watch::after_defect(start);
        assert_eq!(names(&mut idle, Standing::default(), start + SECOND), [EventName::ForwardRecovered]);
    }

    #[test]
    fn a_refusing_destination_is_announced_at_once() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        let blocked = Standing { blocked: true, ..waiting(1) };
        assert_eq!(names(&mut watch, blocked, start), [EventName::ForwardBlocked]);
        assert_eq!(names(&mut watch, waiting(2), start + SECOND), [EventName::ForwardRecovered]);
    }
}
