//! The thread that does from time to time what no request asks for: retention, adoption of writers that died meanwhile,
//! and a look at a disk that refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_arrow_base::PerSignal;

use super::admission::Admission;
use super::adopt::{Adopter, Report};
use super::context::Context;
use super::lane::Lane;
use super::probe::{PROBE_EVERY, probe};
use super::seal_queue::SealQueue;
use super::sweep::{Sweeper, Swept};
use super::wakeup::{SOON, Wakeup};

/// Between two looks at an idle directory, and between two adoptions.
const EVERY: Duration = Duration::from_secs(30);

/// Everything that is done from time to time, and the thread that does it.
#[derive(Debug)]
pub(crate) struct Maintenance {
    ctx: Arc<Context>,
    admission: Arc<Admission>,
    wakeup: Arc<Wakeup>,
    lanes: PerSignal<Arc<Lane>>,
    adopter: Adopter,
    sweeper: Sweeper,
}

impl Maintenance {
    /// Of the writer that has these parts; `wakeup` is what `admission` asks.
    pub(crate) fn new(
        ctx: &Arc<Context>,
        wakeup: Arc<Wakeup>,
        admission: &Arc<Admission>,
        seals: &Arc<SealQueue>,
        lanes: PerSignal<Arc<Lane>>,
    ) -> Arc<Self> {
        let adopter = Adopter::new(Arc::clone(ctx), Arc::clone(admission));
        let sweeper = Sweeper::new(Arc::clone(ctx), Arc::clone(admission), Arc::clone(seals));
        Arc::new(Self { ctx: Arc::clone(ctx), admission: Arc::clone(admission), wakeup, lanes, adopter, sweeper })
    }

    /// Starts the thread. Without it nothing is lost: the next open does its work.
    pub(crate) fn start(self: &Arc<Self>, adopt_soon: bool) {
        self.wakeup.started(|| {
            let run = Arc::clone(self);
            let thread = std::thread::Builder::new().name("otlp-maintain".into()).stack_size(1 << 20);
            thread.spawn(move || run.run(adopt_soon)).is_ok()
        });
    }

    /// Ends the thread, waiting for it until `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        self.wakeup.close(deadline);
    }

    /// Takes over what dead writers left, until `deadline`.
    pub(crate) fn adopt(&self, deadline: Instant) -> Report {
        self.adopter.adopt(deadline)
    }

    /// One round of retention and of adoption, whatever the time.
    pub(crate) fn round(&self) {
        self.make_space();
        self.adopt(self.ctx.clock.now() + EVERY);
    }

    fn run(&self, adopt_soon: bool) {
        let clock = &self.ctx.clock;
        let mut adopted = (!adopt_soon).then(|| clock.now());
        let mut pause = SOON;
        while self.wakeup.sleep(pause) {
            let swept = self.make_space();
            self.wakeup.swept();
            let troubled = probe(&self.ctx, &self.admission, &self.lanes);
            pause = match (swept.again, troubled) {
                (true, _) => SOON,
                (false, true) => PROBE_EVERY,
                (false, false) => swept.more_after.unwrap_or(EVERY).clamp(SOON, EVERY),
            };
            if adopted.is_none_or(|adopted| clock.elapsed(adopted) >= EVERY) {
                self.adopt(clock.now() + EVERY);
                adopted = Some(clock.now());
            }
        }
        self.wakeup.end();
    }

    /// Sweeps, and does what follows from it.
    fn make_space(&self) -> Swept {
        let swept = self.sweeper.sweep();
        if swept.rotate {
            // Only live files are left to make space: closed, they can go like all others.
            for lane in self.lanes.values() {
                lane.rotate();
            }
        }
        if swept.deleted > 0 {
            self.ctx.changed.wake_all();
        }
        self.admission.space_again();
        swept
    }
}
