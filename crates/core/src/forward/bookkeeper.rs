//! What answers mean for the records: counted, announced, set aside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_arrow_base::PerSignal;

use super::batch::BatchToSend;
use super::breaker::{BreakerState, Transition};
use super::rejected::Guard;
use super::state::ForwardState;
use super::watch::{Standing, Watch};
use crate::destinations::{Class, Notice};
use crate::event::EventName;

/// A ring is over when so long nothing was refused because of it.
const LOOPED: Duration = Duration::from_secs(600);

/// Keeps the books of one destination.
#[derive(Debug)]
pub(super) struct Bookkeeper {
    state: Arc<ForwardState>,
    guard: Guard,
    watch: Watch,
    /// The last answer refused everything.
    blocked: bool,
    /// When records were refused last because they had come from there.
    looped: Option<Instant>,
    /// Records that were refused and not announced yet, with the words of the last answer.
    refused: PerSignal<(u64, String)>,
}

impl Bookkeeper {
    pub(super) fn new(state: Arc<ForwardState>, watch: Watch) -> Self {
        let refused = PerSignal::default();
        Self { state, guard: Guard::default(), watch, blocked: false, looped: None, refused }
    }

    /// What an answer means, seen with those before it: refused data is the destination's fault when there is too much of
    /// it, and a single record cannot be split.
    pub(super) fn judged(&self, class: Class, batch: &BatchToSend) -> Class {
        match class {
            // Nothing but what began here comes straight back: it is this recorder itself.
            Class::Loop if !batch.passed_on() => Class::Destination,
            class => judged(class, batch.records(), self.guard.allows()),
        }
    }

    /// A request was answered after `elapsed`, or failed.
    pub(super) fn answered(&mut self, class: &Class, elapsed: Duration) {
        self.state.stats.request(elapsed);
        self.blocked = *class == Class::Destination;
        for Notice { signal, reason, records, event } in self.state.destination.notices() {
            self.state.stats.changed(signal, reason, records);
            if let Some(text) = event {
                self.state.event(EventName::ForwardDowngraded, Some(signal), None, text);
            }
        }
    }

    /// An attempt failed; the batch is sent again.
    pub(super) fn failed(&self, batch: &BatchToSend) {
        self.state.stats.failed(batch.log.signal, batch.records());
    }

    /// The destination took the batch, but for `rejected` records that it will never take.
    pub(super) fn delivered(&mut self, batch: BatchToSend, rejected: u64, message: &str, now: Instant) {
        let (signal, records) = (batch.log.signal, batch.records());
        // A destination cannot have refused more than it was sent, whatever it says.
        let rejected = rejected.min(records);
        self.state.stats.forwarded(signal, records - rejected);
        self.watch.success(now);
        self.guard.delivered();
        if rejected > 0 {
            self.state.stats.rejected(signal, rejected);
            let (so_far, words) = &mut self.refused[signal];
            *so_far += rejected;
            message.clone_into(words);
        }
        self.settle(batch);
    }

    /// The destination does not take the batch because it came from there: it has it, and so have we.
    pub(super) fn looped(&mut self, batch: BatchToSend, message: &str, now: Instant) {
        self.state.failed(message);
        self.state.stats.rejected(batch.log.signal, batch.records());
        self.looped = Some(now);
        self.watch.success(now);
        self.settle(batch);
    }

    /// Keeps a batch in `rejected/` that was refused for good. It comes back where it cannot be kept.
    ///
    /// `alone` where all of a request was refused: too many of these are the destination's fault.
    pub(super) async fn set_aside(&mut self, batch: BatchToSend, answer: &str, alone: bool) -> Result<(), BatchToSend> {
        if alone {
            self.guard.refused();
        }
        let (signal, content) = (batch.log.signal, batch.content().clone());
        let (state, text) = (Arc::clone(&self.state), answer.to_owned());
        let kept = tokio::task::spawn_blocking(move || {
            let payload = content.otlp(signal).map_err(std::io::Error::other)?;
            let time = state.clock.wall();
            state.rejected.keep(&state.log, state.writer, time, signal, &payload, &text)
        });
        let problem = match kept.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            tracing::warn!(problem, destination = self.state.name, "refused data cannot be set aside");
            return Err(batch);
        }
        let (name, records) = (&self.state.name, batch.records());
        self.state.failed(answer);
        self.state.stats.rejected(signal, records);
        let text = format!("{name} refused {records} record(s) for good: {answer}; they are kept in rejected/{name}");
        self.state.event(EventName::RecordsRejected, Some(signal), Some(records), text);
        self.settle(batch);
        Ok(())
    }

    fn settle(&self, batch: BatchToSend) {
        if batch.settled() {
            self.state.backlogs.settle(batch.log, batch.ticket);
        }
    }

    /// Announces a change of the breaker, which now stands at `state`.
    pub(super) fn announce(&self, transition: Option<Transition>, state: BreakerState) {
        let Some(transition) = transition else { return };
        self.state.set_breaker(state);
        let name = &self.state.name;
        let (event, message) = match transition {
            Transition::Opened(time) => {
                let why = self.state.last_error().unwrap_or_default();
                let text = format!("nothing is sent to {name} for {:.1} s: {why}", time.as_secs_f64().min(1e9));
                (EventName::BreakerOpened, text)
            }
            Transition::HalfOpened => (EventName::BreakerHalfOpen, format!("{name} is tried with one request")),
            Transition::Closed => (EventName::BreakerClosed, format!("{name} answers again")),
        };
        self.state.event(event, None, None, message);
    }

    /// Measures the lag, and announces troubles that began, last or ended.
    pub(super) fn look(&mut self, now: Instant) {
        for (signal, (refused, words)) in std::mem::take(&mut self.refused) {
            if refused > 0 {
                let text = format!("{} refused {refused} record(s): {words}", self.state.name);
                self.state.event(EventName::RecordsRejected, Some(signal), Some(refused), text);
            }
        }
        let lag = self.state.backlogs.lag();
        for (signal, (records, age)) in lag {
            self.state.stats.set_lag(signal, records, age.unwrap_or_default());
        }
        let standing = Standing {
            lag: lag.values().filter_map(|(_, age)| *age).max(),
            half_of_room: self.state.half_of_room(now),
            blocked: self.blocked,
            looped: self.looped.is_some_and(|at| now.saturating_duration_since(at) < LOOPED),
            paused: self.state.paused(),
        };
        let records: u64 = lag.values().map(|(records, _)| records).sum();
        for due in self.watch.check(standing, now) {
            let name = &self.state.name;
            let why = self.state.last_error().unwrap_or_else(|| "no error was reported".into());
            let message = match due.name {
                EventName::ForwardRecovered => format!("{name} keeps up again after {:?}", due.lasted),
                EventName::ForwardLooped => {
                    format!("{name} is in a ring with this recorder, and does not take what came from there: {why}")
                }
                EventName::ForwardBlocked => {
                    format!("{name} refuses everything: {why}; check its address, credentials and protocol")
                }
                _ => format!("{name} is {records} record(s), {:?} behind: {why}", standing.lag.unwrap_or_default()),
            };
            self.state.event(due.name, None, Some(records), message);
        }
        self.state.set_troubled(self.watch.troubled());
    }
}

fn judged(class: Class, records: u64, may_set_aside: bool) -> Class {
    match class {
        Class::TooLarge if records > 1 => Class::TooLarge,
        // Only this record, whatever came before.
        Class::Mixed if records == 1 => Class::Data,
        Class::Data | Class::TooLarge if may_set_aside => Class::Data,
        Class::Data | Class::TooLarge => Class::Destination,
        class => class,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_large_is_split_down_to_one_record_and_then_refused_data() {
        for (class, records, may_set_aside, then) in [
            (Class::TooLarge, 2, true, Class::TooLarge),
            (Class::TooLarge, 2, false, Class::TooLarge),
            (Class::TooLarge, 1, true, Class::Data),
            (Class::TooLarge, 1, false, Class::Destination),
            (Class::Mixed, 2, false, Class::Mixed),
            (Class::Mixed, 1, false, Class::Data),
            (Class::Data, 7, true, Class::Data),
            (Class::Data, 7, false, Class::Destination),
            (Class::Destination, 7, true, Class::Destination),
            (Class::Passing { after: None }, 1, false, Class::Passing { after: None }),
            (Class::Delivered { rejected: 1 }, 1, false, Class::Delivered { rejected: 1 }),
        ] {
            assert_eq!(judged(class.clone(), records, may_set_aside), then, "{class:?} {records} {may_set_aside}");
        }
    }
}
