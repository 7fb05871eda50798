//! A recorder as those see it who answer about it: it can be asked as long as it is there, and is not kept by being asked.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::config::Config;
use crate::error::Result;
#[cfg(feature = "forward")]
use crate::forward::Forwarder;
use crate::stats::{Health, LibraryStats};
use crate::store::Log;

/// What is kept with a recorder by those who answer about it.
pub(crate) type Beside = OnceLock<Arc<dyn Any + Send + Sync>>;

/// What can be known of a recorder.
pub(crate) trait Seen: Send + Sync {
    fn log(&self) -> Log;
    fn config(&self) -> &Config;
    fn flush(&self) -> Result<()>;
    fn stats(&self) -> LibraryStats;
    fn health(&self) -> Health;
    #[cfg(feature = "forward")]
    fn forwarders(&self) -> &[Forwarder];
    /// None once it is gone.
    fn beside(&self) -> Option<Arc<Beside>>;
}

/// A recorder of this process, for those who answer about it. Cloning is cheap. It does not keep the recorder: what is left of
/// one that is gone are its files.
#[derive(Clone)]
pub struct Recorder(pub(crate) Arc<dyn Seen>);

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.0.config().output_dir).finish()
    }
}

impl Recorder {
    /// What is committed in its directory. In a forked child it is read as the log of another process.
    pub fn log(&self) -> Log {
        self.0.log()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        self.0.config()
    }

    /// Blocks until everything accepted before the call is committed.
    pub fn flush(&self) -> Result<()> {
        self.0.flush()
    }

    /// What was done and what is in hand; nothing of one that is gone.
    pub fn stats(&self) -> LibraryStats {
        self.0.stats()
    }

    /// Whether new data is taken, and everything that is not well.
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// The destinations data is forwarded to.
    #[cfg(feature = "forward")]
    pub fn forwarders(&self) -> &[Forwarder] {
        self.0.forwarders()
    }

    /// What is kept with the recorder, made by the first who asks for it: whoever asks about it shares this. It must not keep the
    /// recorder.
    pub fn beside<T: Any + Clone + Send + Sync>(&self, make: impl Fn() -> T) -> T {
        let kept = self.0.beside().map(|beside| Arc::clone(beside.get_or_init(|| Arc::new(make()))));
        kept.and_then(|kept| kept.downcast_ref::<T>().cloned()).unwrap_or_else(make)
    }
}
