//! A door: what is known of a service before it is made, and what it is made with.

use std::fmt;
use std::sync::Arc;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_net::server::Service;
use tokio::sync::watch;

use crate::config::{Config, Limits};
use crate::ingest::Ingest;
use crate::recorder::Recorder;

/// What a service is made with.
#[derive(Clone)]
pub struct Inside {
    /// Takes what comes in.
    pub ingest: Arc<dyn Ingest>,
    /// Bounds on what comes in.
    pub limits: Limits,
    /// What waiting goes by.
    pub clock: Clock,
    /// The recorder behind the doors, for those who answer about it; None where something else stands there.
    pub recorder: Option<Recorder>,
    /// True once the doors are closing.
    pub stopped: watch::Receiver<bool>,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// One kind of service. To add one, write its file and name it in `DOORS`.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// The name of its service.
    pub name: &'static str,
    /// What people call it, where it takes telemetry: this is counted by its name, and `serve` says that it is answered.
    pub telemetry: Option<&'static str>,
    /// Whether it is on.
    pub on: fn(&Config) -> bool,
    /// Makes the service.
    pub open: fn(&Inside) -> Arc<dyn Service>,
}
