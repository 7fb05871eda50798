//! What is on its way to one destination, and what is sent again.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use otlp_arrow_base::clock::Clock;
use tokio::task::JoinSet;

use super::batch::{BatchToSend, Place};
use super::breaker::{Breaker, BreakerState, Permit};
use super::pace::Pace;
use super::retry::Schedule;
use crate::destinations::{Answer, Destination, DestinationConfig, Request};

/// A request that was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) batch: BatchToSend,
    pub(super) permit: Permit,
    pub(super) answer: Answer,
    pub(super) elapsed: Duration,
}

/// Sends to one destination as much at once as it may, and keeps what has to be sent again.
#[derive(Debug)]
pub(super) struct Sender {
    destination: Arc<dyn Destination>,
    clock: Clock,
    max_in_flight: usize,
    pub(super) pace: Pace,
    on_the_way: JoinSet<Answered>,
    again: BTreeMap<Place, BatchToSend>,
}

impl Sender {
    /// `seed` makes the jitter of waits reproducible.
    pub(super) fn new(destination: Arc<dyn Destination>, config: &DestinationConfig, clock: Clock, seed: u64) -> Self {
        let now = clock.now();
        let breaker = Breaker::new(&config.breaker, now, seed);
        let pace = Pace::new(breaker, Schedule::new(&config.retry, seed.rotate_left(32)), now);
        let (on_the_way, again) = (JoinSet::new(), BTreeMap::new());
        Self { destination, clock, max_in_flight: config.max_in_flight, pace, on_the_way, again }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// Whether one more request may be on its way.
    pub(super) fn has_room(&self) -> bool {
        self.on_the_way.len() < self.max_in_flight
    }

    /// Whether something has to be sent again: it goes before anything new.
    pub(super) fn repeats(&self) -> bool {
        !self.again.is_empty()
    }

    /// Whether waiting for the destination at the end makes no sense.
    pub(super) fn in_trouble(&self) -> bool {
        self.repeats() || self.pace.state() != BreakerState::Closed
    }

    /// When to try to send, if not something else happens before. `idle` where nothing is left to send.
    pub(super) fn wake_at(&self, idle: bool) -> Option<Instant> {
        if idle || !self.has_room() { None } else { self.pace.wake_at(self.repeats()) }
    }

    /// The oldest of what has to be sent again.
    pub(super) fn next_again(&mut self) -> Option<BatchToSend> {
        self.again.pop_first().map(|(_, batch)| batch)
    }

    pub(super) fn send_again(&mut self, batch: BatchToSend) {
        self.again.insert(batch.place(), batch);
    }

    pub(super) fn send(&mut self, batch: BatchToSend, permit: Permit) {
        let (destination, clock) = (Arc::clone(&self.destination), self.clock.clone());
        self.on_the_way.spawn(async move {
            let started = clock.now();
            let answer = ask(&*destination, batch.request()).await;
            Answered { batch, permit, answer, elapsed: clock.elapsed(started) }
        });
    }

    /// The next answer; pends where nothing is on its way.
    pub(super) async fn answered(&mut self) -> Answered {
        loop {
            match self.on_the_way.join_next().await {
                Some(Ok(answered)) => return answered,
                // A request that ended without an answer can only have been aborted with the runtime.
                Some(Err(error)) => tracing::debug!(%error, "a request ended without an answer"),
                None => std::future::pending().await,
            }
        }
    }
}

/// Sends one request. A destination that panics over it has not taken it, and does not take its worker along.
pub(super) async fn ask(destination: &dyn Destination, request: Request) -> Answer {
    let answer = AssertUnwindSafe(async { destination.send(request).await }).catch_unwind().await;
    answer.unwrap_or_else(|panic| Answer::passing(format!("sending ended by a defect: {}", panic_text(&*panic))))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}
