//! Delivers events off the critical path: a bounded queue, and a thread that exists from the first event on.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::Stream;
use futures::channel::mpsc;
use otlp_arrow_base::clock::Clock;

use crate::event::EventSink;
use crate::event::{Event, EventName, Severity};
use crate::stats::Stats;

/// Events that wait to be delivered. What comes beyond is counted as `events_dropped`.
const QUEUE: usize = 1024;
/// Events a receiver may be behind.
const RECEIVER: usize = 1024;
/// Events that a new receiver is told although they happened before: those of opening, above all.
const HISTORY: usize = 64;

/// Called with each event, one after the other, on a thread of the library.
pub(crate) type EventListener = Arc<dyn Fn(&Event) + Send + Sync>;

/// The events of one library.
#[derive(Clone)]
pub(crate) struct EventBus {
    shared: Arc<Shared>,
}

struct Shared {
    stats: Arc<Stats>,
    clock: Clock,
    state: Mutex<State>,
    wake: Condvar,
    idle: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Event>,
    history: VecDeque<Event>,
    dropped: u64,
    listeners: Vec<EventListener>,
    receivers: Vec<mpsc::Sender<Event>>,
    thread_runs: bool,
    delivering: bool,
    closed: bool,
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus").finish_non_exhaustive()
    }
}

impl EventBus {
    pub(crate) fn new(stats: Arc<Stats>, clock: Clock) -> Self {
        let (wake, idle) = (Condvar::new(), Condvar::new());
        Self { shared: Arc::new(Shared { stats, clock, state: Mutex::default(), wake, idle }) }
    }

    /// Where everything inside announces what happens: counted here, delivered later.
    pub(crate) fn sink(&self) -> EventSink {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |event| Shared::announce(&shared, event))
    }

    /// Has `listener` called with each event from now on.
    pub(crate) fn listen(&self, listener: EventListener) {
        self.shared.lock().listeners.push(listener);
    }

    /// A stream of events: the last 64 that happened, and each from now on.
    pub(crate) fn receiver(&self) -> EventReceiver {
        let (mut sender, receiver) = mpsc::channel(RECEIVER);
        let mut state = self.shared.lock();
        for event in &state.history {
            let _ = sender.try_send(event.clone());
        }
        state.receivers.push(sender);
        EventReceiver { receiver }
    }

    /// Ends the thread once everything is delivered, waiting at most until `deadline`; receivers end as well.
    pub(crate) fn close(&self, deadline: Instant) {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.wake.notify_all();
        while state.thread_runs && (state.delivering || !state.queue.is_empty()) {
            if self.shared.clock.left(deadline).is_zero() {
                break;
            }
            state = self.shared.clock.wait(&self.shared.idle, state, deadline);
        }
        state.receivers.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(self: &Arc<Self>, event: Event) {
        self.stats.event(event.name);
        let mut state = self.lock();
        if state.queue.len() >= QUEUE {
            state.dropped += 1;
            drop(state);
            self.stats.event(EventName::EventsDropped);
            return;
        }
        state.queue.push_back(event);
        if !state.thread_runs {
            let shared = Arc::clone(self);
            let thread = std::thread::Builder::new().name("otlp-events".into()).stack_size(256 << 10);
            state.thread_runs = thread.spawn(move || shared.run()).is_ok();
        }
        self.wake.notify_one();
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let Some(event) = next(&mut state, &self.clock) else {
                if state.closed {
                    state.thread_runs = false;
                    self.idle.notify_all();
                    return;
                }
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if state.history.len() == HISTORY {
                state.history.pop_front();
            }
            state.history.push_back(event.clone());
            // A receiver that is gone is forgotten; one that is full misses the event.
            let mut missed = 0;
            state.receivers.retain_mut(|receiver| match receiver.try_send(event.clone()) {
                Ok(()) => true,
                Err(error) if error.is_full() => {
                    missed += 1;
                    true
                }
                Err(_) => false,
            });
            for _ in 0..missed {
                self.stats.event(EventName::EventsDropped);
            }
            let listeners = state.listeners.clone();
            state.delivering = true;
            drop(state);
            log(&event);
            for listener in listeners {
                // A listener that fails must not end the delivery to others.
                if catch_unwind(AssertUnwindSafe(|| listener(&event))).is_err() {
                    tracing::warn!(event = %event.name, "an event listener panicked");
                }
            }
            state = self.lock();
            state.delivering = false;
            self.idle.notify_all();
        }
    }
}

/// The next event; after a queue that was full, first how many were lost.
fn next(state: &mut State, clock: &Clock) -> Option<Event> {
    match std::mem::take(&mut state.dropped) {
        0 => state.queue.pop_front(),
        lost => {
            let message = format!("{lost} event(s) were not delivered because {QUEUE} were waiting");
            Some(Event { count: Some(lost), ..Event::new(EventName::EventsDropped, clock.wall(), message) })
        }
    }
}

fn log(event: &Event) {
    let destination = event.destination.as_deref().unwrap_or_default();
    let signal = event.signal.map(|signal| signal.as_str()).unwrap_or_default();
    match event.severity {
        Severity::Info => {
            tracing::info!(event = %event.name, signal, destination, count = event.count, "{}", event.message);
        }
        Severity::Warn => {
            tracing::warn!(event = %event.name, signal, destination, count = event.count, "{}", event.message);
        }
    }
}

/// Events as a stream. It ends when the library is shut down.
pub struct EventReceiver {
    receiver: mpsc::Receiver<Event>,
}

impl fmt::Debug for EventReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReceiver").finish_non_exhaustive()
    }
}

impl Stream for EventReceiver {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.receiver).poll_next(context)
    }
}

impl EventReceiver {
    /// The next event, waiting without an executor; `None` when the library is shut down.
    pub fn recv(&mut self) -> Option<Event> {
        crate::wait::block_on(futures::StreamExt::next(&mut self.receiver))
    }

    /// The next event if there is one already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }
}

/// How long a library that shuts down waits for its listeners.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::mpsc as sync;
    use std::time::SystemTime;

    fn event(count: u64) -> Event {
        Event { count: Some(count), ..Event::new(EventName::StorageFull, SystemTime::UNIX_EPOCH, "") }
    }

    #[test]
    fn listeners_and_receivers_are_told_in_order_also_what_happened_before() {
        let bus = EventBus::new(Arc::default(), Clock::system());
        let (sender, told) = sync::channel();
        bus.listen(Arc::new(move |event| sender.send(event.count).unwrap()));
        let sink = bus.sink();
        for count in 0..3 {
            sink(event(count));
        }
        assert_eq!((0..3).map(|_| told.recv().unwrap()).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
        let mut receiver = bus.receiver();
        sink(event(3));
        assert_eq!(
            (0..4).map(|_| receiver.recv().unwrap().count).collect::<Vec<_>>(),
            (0..4).map(Some).collect::<Vec<_>>()
        );
        bus.close(Instant::now() + CLOSE_WAIT);
        assert_eq!(receiver.recv(), None);
    }

    #[test]
    fn a_listener_that_hangs_costs_events_and_never_the_caller() {
        let stats = Arc::new(Stats::default());
        let bus = EventBus::new(Arc::clone(&stats), Clock::system());
        let (release, blocked) = sync::channel::<()>();
        let (sender, told) = sync::channel();
        let blocked = Mutex::new(blocked);
        bus.listen(Arc::new(move |event| {
            sender.send((event.name, event.count)).unwrap();
            let _ = blocked.lock().unwrap().recv();
        }));
        let sink = bus.sink();
        sink(event(0));
        assert_eq!(told.recv().unwrap(), (EventName::StorageFull, Some(0)));
        for count in 0..QUEUE as u64 + 7 {
            sink(event(count));
        }
        drop(release);
        assert_eq!(told.recv().unwrap(), (EventName::EventsDropped, Some(7)), "the loss is told first");
        let snapshot = stats.snapshot();
        assert_eq!(snapshot.total("otlp_arrow_events_total", &[("event", "events_dropped")]), 7);
        assert_eq!(snapshot.total("otlp_arrow_events_total", &[("event", "storage_full")]), QUEUE as u64 + 8);
    }

    #[test]
    fn a_listener_that_panics_does_not_end_delivery() {
        let bus = EventBus::new(Arc::default(), Clock::system());
        bus.listen(Arc::new(|_| panic!("on purpose")));
        let mut receiver = bus.receiver();
        (bus.sink())(event(1));
        (bus.sink())(event(2));
        assert_eq!(receiver.recv().unwrap().count, Some(1));
        assert_eq!(receiver.recv().unwrap().count, Some(2));
    }
}
