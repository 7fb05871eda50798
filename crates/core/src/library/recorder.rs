//! The recorder of this process as those see it who answer about it.

use std::sync::{Arc, Weak};

use super::health;
use super::ingest::Core;
use super::outward::Destinations;
use crate::config::Config;
use crate::error::Result;
#[cfg(feature = "forward")]
use crate::forward::Forwarder;
use crate::recorder::{Beside, Recorder, Seen};
use crate::stats::{Health, HealthStatus, LibraryStats};
use crate::store::{Log, sys};
use crate::wait::block_on;

/// The recorder behind `core`.
pub(super) fn of(core: &Arc<Core>, config: &Config, destinations: Destinations) -> Recorder {
    let (log, config) = (core.store.log().clone(), config.clone());
    let (core, generation) = (Arc::downgrade(core), sys::generation());
    Recorder(Arc::new(View { core, log, config, destinations, generation }))
}

struct View {
    core: Weak<Core>,
    log: Log,
    config: Config,
    destinations: Destinations,
    /// Whose it is: a forked child has a recorder of its own.
    generation: u64,
}

impl View {
    /// The recorder, in the process that has it.
    fn core(&self) -> Option<Arc<Core>> {
        self.core.upgrade().filter(|_| self.generation == sys::generation())
    }
}

impl Seen for View {
    fn log(&self) -> Log {
        match self.generation == sys::generation() {
            true => self.log.clone(),
            false => Log::read_only(&self.config.output_dir),
        }
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn flush(&self) -> Result<()> {
        self.core().map_or(Ok(()), |core| block_on(core.store.flush()))
    }

    fn stats(&self) -> LibraryStats {
        self.core().map(|core| core.report()).unwrap_or_default()
    }

    fn health(&self) -> Health {
        match self.core() {
            Some(core) => {
                let closed = core.ensure_open().is_err();
                health::of(closed, &core, self.destinations.problems())
            }
            None => Health { status: HealthStatus::Closed, accepting: false, problems: Vec::new() },
        }
    }

    #[cfg(feature = "forward")]
    fn forwarders(&self) -> &[Forwarder] {
        &self.destinations.forwarders
    }

    fn beside(&self) -> Option<Arc<Beside>> {
        self.core().map(|core| Arc::clone(&core.beside))
    }
}
