//! The parts of a recorder in one process: opened together, and ended in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::additions::Additions;
use super::ingest::Core;
use crate::config::Config;
use crate::doors::{self, Doors};
use crate::error::Result;
use crate::event_bus::EventBus;
use crate::forward::{Forwarder, Forwarding};
use crate::on_event::{self, Untold};
use crate::runtime::Runtime;
use crate::stats::Stats;

/// What runs.
#[derive(Debug)]
pub(super) struct Running {
    /// Closed before the core: no door may outlive what stands behind it.
    pub(super) doors: Option<Doors>,
    pub(super) forwarding: Option<(Forwarding, Arc<Runtime>)>,
    pub(super) core: Arc<Core>,
    pub(super) events: EventBus,
    /// What a webhook or a command was not told yet.
    pub(super) untold: Option<Untold>,
}

impl Running {
    pub(super) fn open(config: &Config, additions: &Additions, closed: Arc<AtomicBool>) -> Result<Self> {
        let mut running = Self::without_doors(config, additions, closed);
        let listens = config.listen.grpc.is_some() || config.listen.http.is_some();
        if !listens && config.forward.is_empty() {
            return Ok(running);
        }
        let runtime = Arc::new(Runtime::new()?);
        running.forwarding = forward(&running.core, config, &runtime)?;
        if listens {
            let inside = Arc::clone(&running.core) as _;
            running.doors = Some(Doors::open_on(runtime, config, inside, &additions.doors)?);
        }
        Ok(running)
    }

    /// The ports belong to the parent; everything else is there again.
    pub(super) fn in_child(config: &Config, additions: &Additions, closed: Arc<AtomicBool>) -> Self {
        let mut running = Self::without_doors(config, additions, closed);
        if running.core.closed.load(Ordering::SeqCst) {
            running.core.store.close(Instant::now());
            return running;
        }
        let forwarding = match config.forward.is_empty() {
            true => Ok(None),
            false => Runtime::new().and_then(|runtime| forward(&running.core, config, &Arc::new(runtime))),
        };
        running.forwarding = forwarding.unwrap_or_else(|error| {
            tracing::warn!(%error, "a forked child does not forward; what it keeps is forwarded by another process");
            None
        });
        running
    }

    fn without_doors(config: &Config, additions: &Additions, closed: Arc<AtomicBool>) -> Self {
        let stats = Arc::new(Stats::default());
        doors::count_in(&stats, &additions.doors);
        let events = EventBus::new(Arc::clone(&stats));
        for listener in &additions.listeners {
            events.listen(Arc::clone(listener));
        }
        let untold = on_event::listener(&config.on_event).map(|(listener, untold)| {
            events.listen(listener);
            untold
        });
        let core = Arc::new(Core::open(config, additions, &events, stats, closed));
        Self { doors: None, forwarding: None, core, events, untold }
    }

    pub(super) fn forwarders(&self) -> Vec<Forwarder> {
        self.forwarding.as_ref().map(|(forwarding, _)| forwarding.forwarders()).unwrap_or_default()
    }
}

fn forward(core: &Core, config: &Config, runtime: &Arc<Runtime>) -> Result<Option<(Forwarding, Arc<Runtime>)>> {
    if config.forward.is_empty() {
        return Ok(None);
    }
    let forwarding = Forwarding::start(config, &core.store, runtime)?;
    Ok(Some((forwarding, Arc::clone(runtime))))
}

/// Ends the events once nobody can hear them.
impl Drop for Running {
    fn drop(&mut self) {
        if let Some((forwarding, _)) = &self.forwarding {
            forwarding.abandon();
        }
        self.events.close(Instant::now());
    }
}
