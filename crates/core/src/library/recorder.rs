//! A recorder as those see it who answer about it: it can be asked as long as it is there, and is not kept by being asked.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use super::health;
use super::ingest::Core;
use super::outward::Destinations;
use crate::config::Config;
use crate::error::Result;
#[cfg(feature = "forward")]
use crate::forward::Forwarder;
use crate::stats::{Health, HealthStatus, LibraryStats};
use crate::store::{Log, sys};
use crate::wait::block_on;

/// A recorder of this process, for those who answer about it. Cloning is cheap. It does not keep the recorder: what is left of
/// one that is gone are its files.
#[derive(Clone)]
pub struct Recorder {
    core: Weak<Core>,
    log: Log,
    config: Arc<Config>,
    destinations: Destinations,
    /// Whose it is: a forked child has a recorder of its own.
    generation: u64,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("log", &self.log).finish_non_exhaustive()
    }
}

impl Recorder {
    pub(super) fn new(core: &Arc<Core>, config: &Config, destinations: Destinations) -> Self {
        let (log, config) = (core.store.log().clone(), Arc::new(config.clone()));
        Self { core: Arc::downgrade(core), log, config, destinations, generation: sys::generation() }
    }

    /// The recorder, in the process that has it.
    fn core(&self) -> Option<Arc<Core>> {
        self.core.upgrade().filter(|_| self.generation == sys::generation())
    }

    /// What is committed in its directory. In a forked child it is read as the log of another process.
    pub fn log(&self) -> Log {
        match self.generation == sys::generation() {
            true => self.log.clone(),
            false => Log::read_only(&self.config.output_dir),
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Blocks until everything accepted before the call is committed.
    pub fn flush(&self) -> Result<()> {
        self.core().map_or(Ok(()), |core| block_on(core.store.flush()))
    }

    /// What was done and what is in hand; nothing of one that is gone.
    pub fn stats(&self) -> LibraryStats {
        self.core().map(|core| core.report()).unwrap_or_default()
    }

    /// Whether new data is taken, and everything that is not well.
    pub fn health(&self) -> Health {
        match self.core() {
            Some(core) => {
                let closed = core.ensure_open().is_err();
                health::of(closed, &core, self.destinations.problems())
            }
            None => Health { status: HealthStatus::Closed, accepting: false, problems: Vec::new() },
        }
    }

    /// The destinations data is forwarded to.
    #[cfg(feature = "forward")]
    pub fn forwarders(&self) -> &[Forwarder] {
        &self.destinations.forwarders
    }

    /// What is kept with the recorder, made by the first who asks for it: whoever asks about it shares this. It must not keep the
    /// recorder.
    pub fn beside<T: Any + Clone + Send + Sync>(&self, make: impl Fn() -> T) -> T {
        let kept = self.core().map(|core| Arc::clone(core.beside.get_or_init(|| Arc::new(make()))));
        kept.and_then(|kept| kept.downcast_ref::<T>().cloned()).unwrap_or_else(make)
    }
}
