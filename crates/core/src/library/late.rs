//! Exports that nobody waits for any more: those on their way to the disk, and those that were refused, which a thread tries
//! again.

use std::fmt;
use std::future::Future;
use std::mem::take;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::{Builder, JoinHandle};

use futures::executor::block_on;
use otlp_arrow_base::PerSignal;
use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;

use super::ingest::Core;
use crate::error::Result;
use crate::event::Severity;
use crate::outcome::ExportOutcome;

pub(super) type Sent = Pin<Box<dyn Future<Output = Result<ExportOutcome>> + Send>>;

/// What became of an export is found out later.
pub(super) struct Late {
    pub(super) signal: Signal,
    pub(super) records: u64,
    /// How a loss is announced.
    pub(super) severity: Severity,
    pub(super) sent: Sent,
}

/// An export of which that is known.
pub(super) type Known = (Late, Result<ExportOutcome>);

/// All of one library.
#[derive(Default)]
pub(super) struct Lates {
    under_way: Mutex<Vec<Late>>,
    refused: Mutex<Refused>,
}

#[derive(Default)]
struct Refused {
    /// Those that are not being tried at this moment.
    list: Vec<Late>,
    /// All of them.
    count: PerSignal<u64>,
    /// Tries them again, as long as there are any.
    thread: Option<JoinHandle<()>>,
    runs: bool,
    ended: bool,
}

impl fmt::Debug for Lates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lates").finish_non_exhaustive()
    }
}

impl Lates {
    /// What is on its way to the disk cannot be taken back.
    pub(super) fn push_under_way(&self, late: Late) {
        lock(&self.under_way).push(late);
    }

    /// Has a thread try again what was refused: its future does so whenever something changed.
    pub(super) fn push_refused(&self, core: &Arc<Core>, late: Late) {
        let mut refused = lock(&self.refused);
        refused.count[late.signal] += 1;
        refused.list.push(late);
        if !refused.runs && !refused.ended {
            let core = Arc::downgrade(core);
            let thread = Builder::new().name("otlp-again".into()).spawn(move || try_again(&core));
            // Without a thread they are looked at when the next one comes, and at the end.
            refused.runs = thread.is_ok();
            refused.thread = thread.ok();
        }
    }

    /// How many there are of a signal, on their way or refused.
    pub(super) fn count(&self, signal: Signal) -> u64 {
        let under_way = lock(&self.under_way).iter().filter(|late| late.signal == signal).count() as u64;
        under_way + lock(&self.refused).count[signal]
    }

    pub(super) fn is_empty(&self) -> bool {
        Signal::ALL.into_iter().all(|signal| self.count(signal) == 0)
    }

    /// Those on their way of which it is known now.
    pub(super) fn settled(&self) -> Vec<Known> {
        let mut under_way = lock(&self.under_way);
        if under_way.is_empty() {
            return Vec::new();
        }
        let (known, pending) = polled(take(&mut *under_way));
        *under_way = pending;
        known
    }

    /// Tries those that were refused, away from any lock that an export takes; those of which it is known now.
    fn tried(&self) -> Vec<Known> {
        let list = take(&mut lock(&self.refused).list);
        let (known, pending) = polled(list);
        let mut refused = lock(&self.refused);
        refused.list.extend(pending);
        for (late, _) in &known {
            refused.count[late.signal] -= 1;
        }
        known
    }

    /// Whether there is nothing left to be tried, and the thread ends.
    fn thread_ends(&self) -> bool {
        let mut refused = lock(&self.refused);
        refused.runs = !refused.ended && !refused.list.is_empty();
        !refused.runs
    }

    /// Nothing is tried any more once this returns. `wake` has those look again who wait for a change.
    pub(super) fn end_trying(&self, wake: impl FnOnce()) {
        let thread = {
            let mut refused = lock(&self.refused);
            refused.ended = true;
            refused.thread.take()
        };
        if let Some(thread) = thread {
            wake();
            let _ = thread.join();
        }
    }

    /// All that are left, tried for the last time: those of which it is known, and those that are lost.
    pub(super) fn end(&self) -> (Vec<Known>, Vec<Late>) {
        let mut known = self.settled();
        known.extend(self.tried());
        let mut left = take(&mut *lock(&self.under_way));
        let mut refused = lock(&self.refused);
        refused.count = PerSignal::default();
        left.append(&mut refused.list);
        (known, left)
    }
}

fn polled(lates: Vec<Late>) -> (Vec<Known>, Vec<Late>) {
    let (mut known, mut pending) = (Vec::new(), Vec::new());
    for mut late in lates {
        match late.sent.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => pending.push(late),
            Poll::Ready(became) => known.push((late, became)),
        }
    }
    (known, pending)
}

/// The thread: it holds nothing that would keep a library alive while it sleeps.
fn try_again(core: &Weak<Core>) {
    while let Some(core) = core.upgrade() {
        // Before they are tried, so that no change is missed.
        let changed = core.store.changed(None);
        let lates = &core.waiting.lates;
        core.waiting.became(&core.store, lates.tried());
        if lates.thread_ends() {
            return;
        }
        drop(core);
        block_on(changed);
    }
}
