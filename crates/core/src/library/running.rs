//! The parts of a recorder in one process: opened together, and ended in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use otlp_arrow_base::clock::Clock;

use super::additions::Additions;
use super::ingest::Core;
use super::outward::Outward;
use crate::config::Config;
use crate::error::Result;
use crate::event::{Event, EventName};
use crate::event_bus::{CLOSE_WAIT, EventBus};
use crate::on_event::{self, PendingEvents};
use crate::stats::Stats;

/// What runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) outward: Outward,
    pub(super) core: Arc<Core>,
    pub(super) events: EventBus,
    /// What a webhook or a command was not told yet.
    pub(super) pending_events: Option<PendingEvents>,
}

impl Running {
    pub(super) fn open(config: &Config, additions: &Additions, closed: Arc<AtomicBool>) -> Result<Self> {
        let mut running = Self::inward(config, additions, closed);
        for (severity, message) in &additions.ignored {
            let event = Event::new(EventName::SettingsIgnored, running.core.store.clock().wall(), message.clone());
            running.core.store.announce(Event { severity: *severity, ..event });
        }
        running.outward = Outward::open(config, additions, &running.core)?;
        Ok(running)
    }

    pub(super) fn in_child(config: &Config, additions: &Additions, closed: Arc<AtomicBool>) -> Self {
        let mut running = Self::inward(config, additions, closed);
        if running.core.closed.load(Ordering::SeqCst) {
            running.core.store.close(running.core.store.clock().now());
        } else {
            running.outward = Outward::in_child(config, &running.core);
        }
        running
    }

    fn inward(config: &Config, additions: &Additions, closed: Arc<AtomicBool>) -> Self {
        let stats = Arc::new(Stats::default());
        Outward::count_in(&stats, additions);
        let clock = Clock::system();
        let events = EventBus::new(Arc::clone(&stats), clock.clone());
        for listener in &additions.listeners {
            events.listen(Arc::clone(listener));
        }
        let pending_events = on_event::listener(&config.on_event).map(|(listener, pending)| {
            events.listen(listener);
            pending
        });
        let core = Arc::new(Core::open(config, additions, &events, stats, clock, closed));
        Self { outward: Outward::default(), core, events, pending_events }
    }
}

/// Ends the events once nobody can hear them, and what exporters were told TIMEOUT of: they had the time of the end, which is
/// not given again.
impl Drop for Running {
    fn drop(&mut self) {
        self.outward.abandon();
        let (waiting, store) = (&self.core.waiting, &self.core.store);
        let mut until = store.clock().now();
        if let Some(commit_until) = waiting.dropped(store) {
            store.close_committing(commit_until, until);
            waiting.end(store);
            until = store.clock().now() + CLOSE_WAIT;
        }
        self.events.close(until);
    }
}
