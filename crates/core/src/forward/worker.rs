//! One destination's worker: has what waits read, sent, and its answers acted on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch::Receiver;

use super::adopter::Adopter;
use super::batch::BatchToSend;
use super::bookkeeper::Bookkeeper;
use super::breaker::Outcome;
use super::reader::BatchReader;
use super::sender::{Answered, Sender};
use super::state::{Command, ForwardState};
use super::watch::Watch;
use crate::destinations::{Answer, Class, DestinationConfig};

/// How often cursors are written, lag is measured and troubles are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How long nothing is sent again when refused data cannot be set aside.
const HOLD: Duration = Duration::from_secs(1);

/// The loop of one destination.
#[derive(Debug)]
pub(super) struct Worker {
    state: Arc<ForwardState>,
    reader: BatchReader,
    sender: Sender,
    books: Bookkeeper,
    adopter: Adopter,
    tick_at: Instant,
}

impl Worker {
    /// `seed` makes the jitter of waits reproducible.
    pub(super) fn new(state: Arc<ForwardState>, config: &DestinationConfig, watch: Watch, seed: u64) -> Self {
        let now = state.clock.now();
        Self {
            reader: BatchReader::new(Arc::clone(&state)),
            sender: Sender::new(Arc::clone(&state.destination), config, state.clock.clone(), seed),
            books: Bookkeeper::new(Arc::clone(&state), watch),
            adopter: Adopter::new(now),
            tick_at: now,
            state,
        }
    }

    /// Runs until told to end; then sends what it can while the destination answers.
    pub(super) async fn run(mut self, mut ending: Receiver<bool>) {
        loop {
            let idle = self.send_what_waits().await;
            let trouble = self.sender.in_trouble() || self.state.paused();
            if *ending.borrow() && self.sender.is_idle() && (idle || trouble) {
                break;
            }
            let wait = self.wait(idle);
            tokio::select! {
                answered = self.sender.answered(), if !self.sender.is_idle() => self.settle(answered).await,
                () = self.state.backlogs.news.notified(), if self.may_take_more() => {}
                () = tokio::time::sleep(wait) => {}
                _ = ending.changed() => {}
            }
            let now = self.state.clock.now();
            if now >= self.tick_at {
                self.tick_at = now + TICK;
                self.tick(now);
            }
            self.obey();
        }
        self.tick(self.state.clock.now());
    }

    fn may_take_more(&self) -> bool {
        self.sender.has_room() && !self.sender.repeats() && !self.state.paused()
    }

    /// How long to wait if nothing happens before.
    fn wait(&self, idle: bool) -> Duration {
        let send_at = if self.state.paused() { None } else { self.sender.wake_at(idle) };
        let until = send_at.map_or(self.tick_at, |at| at.min(self.tick_at));
        self.state.clock.slice(self.state.clock.left(until))
    }

    /// Sends as much as may be on its way. Whether nothing is left to send.
    async fn send_what_waits(&mut self) -> bool {
        while self.sender.has_room() && !self.state.paused() {
            let now = self.state.clock.now();
            let repeats = self.sender.repeats();
            if repeats && !self.sender.pace.may_send_again(now) {
                return false;
            }
            if !repeats && !self.state.backlogs.has_next() {
                return true;
            }
            let (permit, transition) = self.sender.pace.acquire(now);
            self.books.announce(transition, self.sender.pace.state());
            let Some(permit) = permit else { return false };
            let batch = match self.sender.next_again() {
                Some(batch) => Some(batch),
                None => self.reader.next().await,
            };
            match batch {
                Some(batch) => self.sender.send(batch, permit),
                None => {
                    self.sender.pace.cancel(permit);
                    return false;
                }
            }
        }
        false
    }

    /// Acts on an answer.
    async fn settle(&mut self, answered: Answered) {
        let Answered { batch, permit, answer, elapsed } = answered;
        let now = self.state.clock.now();
        let overall = answer.overall(batch.records());
        let mixed = overall == Class::Mixed;
        let class = self.books.judged(overall, &batch);
        self.books.answered(&class, elapsed);
        let outcome = match class {
            Class::Passing { .. } => Outcome::Failed,
            Class::Destination => Outcome::Blocked,
            Class::Delivered { .. } | Class::Data | Class::TooLarge | Class::Mixed | Class::Loop => Outcome::Answered,
        };
        let as_one = answer.records.is_empty();
        if outcome != Outcome::Answered {
            // Before the breaker is announced with the reason.
            self.state.failed(&answer.message);
            if as_one {
                self.books.failed(&batch);
            }
        }
        let transition = self.sender.pace.report(permit, outcome, now);
        self.books.announce(transition, self.sender.pace.state());
        if as_one {
            self.settle_all(batch, class, &answer.message, !mixed, now).await;
        } else {
            self.settle_each(batch, &answer, class, now).await;
        }
    }

    /// The records of a batch that share one fate. `alone` where they are all of a request.
    async fn settle_all(&mut self, batch: BatchToSend, class: Class, message: &str, alone: bool, now: Instant) {
        match class {
            Class::Delivered { rejected } => {
                self.sender.pace.delivered(now);
                self.books.delivered(batch, rejected, message, now);
            }
            Class::Loop => {
                self.sender.pace.delivered(now);
                self.books.looped(batch, message, now);
            }
            Class::TooLarge | Class::Mixed => match halved(batch).await {
                Ok(halves) => halves.into_iter().for_each(|half| self.sender.send_again(half)),
                // What cannot be split is refused data.
                Err(batch) => self.set_aside(batch, message, false).await,
            },
            Class::Data => self.set_aside(batch, message, alone).await,
            Class::Destination => self.send_again(batch, None, now),
            Class::Passing { after } => self.send_again(batch, after, now),
        }
    }

    /// A batch whose records have different fates: each group goes its own way.
    async fn settle_each(&mut self, batch: BatchToSend, answer: &Answer, overall: Class, now: Instant) {
        let groups = answer.groups(batch.records());
        let batches = match batch.divided(groups.iter().map(|group| group.records.clone()).collect()).await {
            Ok(batches) => batches,
            // All of it again is a repeat for some, and a loss for none.
            Err(batch) => {
                self.books.failed(&batch);
                return self.send_again(batch, None, now);
            }
        };
        let some_taken = groups.iter().any(|group| matches!(group.class, Class::Delivered { .. }));
        let mut fates: Vec<_> = groups.into_iter().zip(batches).collect();
        // What failed comes last, as a delivery ends every wait.
        fates.sort_by_key(|(group, _)| matches!(group.class, Class::Destination | Class::Passing { .. }));
        for (group, batch) in fates {
            // Where the destination is at fault, what it refuses is not set aside.
            let class = match group.class {
                Class::Data | Class::TooLarge if overall == Class::Destination => Class::Destination,
                class => class,
            };
            if matches!(class, Class::Destination | Class::Passing { .. }) {
                self.state.failed(&group.message);
                self.books.failed(&batch);
            }
            self.settle_all(batch, class, &group.message, !some_taken, now).await;
        }
    }

    fn send_again(&mut self, batch: BatchToSend, asked: Option<Duration>, now: Instant) {
        self.sender.pace.failed(asked, now);
        self.sender.send_again(batch);
    }

    async fn set_aside(&mut self, batch: BatchToSend, message: &str, alone: bool) {
        if let Err(batch) = self.books.set_aside(batch, message, alone).await {
            // Without a place to keep it, it stays where it is and is tried again.
            self.sender.pace.hold(HOLD, self.state.clock.now());
            self.sender.send_again(batch);
        }
    }

    fn tick(&mut self, now: Instant) {
        // A token or a certificate that was renewed is tried at once.
        if self.sender.in_trouble() && self.state.destination.renewed() {
            self.sender.pace.reset(now);
        }
        self.reader.close_idle();
        self.state.backlogs.save(&self.state.log);
        self.books.look(now);
        if self.adopter.is_due(now) {
            Adopter::adopt(&self.state);
        }
    }

    fn obey(&mut self) {
        for command in self.state.take_commands() {
            match command {
                Command::Retry => self.sender.pace.reset(self.state.clock.now()),
            }
        }
    }
}

async fn halved(batch: BatchToSend) -> Result<Vec<BatchToSend>, BatchToSend> {
    match batch.halves() {
        Some(halves) => batch.divided(halves).await,
        None => Err(batch),
    }
}
