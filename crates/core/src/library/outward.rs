//! What a recorder has towards others: doors and destinations, each where its feature is built in. The only file of this
//! room, the public calls and [`Additions`] aside, that asks for a feature.
#![cfg_attr(not(all(feature = "doors", feature = "forward")), allow(unused_variables, unused_mut))]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::additions::Additions;
use super::ingest::Core;
#[cfg(feature = "doors")]
use super::recorder;
use crate::config::Config;
#[cfg(feature = "doors")]
use crate::doors::{self, Doors};
use crate::error::Result;
#[cfg(feature = "forward")]
use crate::forward::{Forwarder, Forwarding};
#[cfg(any(feature = "doors", feature = "forward"))]
use crate::runtime::Runtime;
use crate::stats::{Problem, Stats};

/// What listens and what forwards, if the configuration says so.
#[derive(Debug, Default)]
pub(super) struct Outward {
    /// Closed before the core: no door may outlive what stands behind it.
    #[cfg(feature = "doors")]
    pub(super) doors: Option<Doors>,
    #[cfg(feature = "forward")]
    forwarding: Option<(Forwarding, Arc<Runtime>)>,
}

impl Outward {
    /// Opens what `config` asks for; what is not built in, it does not ask for: see [`Config::check`].
    pub(super) fn open(config: &Config, additions: &Additions, core: &Arc<Core>) -> Result<Self> {
        let mut outward = Self::default();
        #[cfg(any(feature = "doors", feature = "forward"))]
        {
            let listens = config.listen.grpc.is_some() || config.listen.http.is_some();
            if !listens && config.forward.is_empty() {
                return Ok(outward);
            }
            #[cfg(feature = "forward")]
            crate::forward::own_address::check(config)?;
            let runtime = Arc::new(Runtime::new()?);
            #[cfg(feature = "forward")]
            outward.forward(config, core, &runtime)?;
            #[cfg(feature = "doors")]
            if listens {
                let clock = core.store.clock().clone();
                let recorder = recorder::of(core, config, outward.destinations());
                let ingest = Arc::clone(core) as _;
                let doors = Doors::open_on(runtime, clock, config, ingest, Some(recorder), &additions.doors);
                outward.doors = Some(doors.inspect_err(|_| outward.abandon())?);
            }
        }
        Ok(outward)
    }

    /// The ports belong to the parent; everything else is there again.
    pub(super) fn in_child(config: &Config, core: &Core) -> Self {
        let mut outward = Self::default();
        #[cfg(feature = "forward")]
        if !config.forward.is_empty()
            && let Err(error) = Runtime::new().and_then(|runtime| outward.forward(config, core, &Arc::new(runtime)))
        {
            tracing::warn!(%error, "a forked child does not forward; what it keeps is forwarded by another process");
        }
        outward
    }

    #[cfg(feature = "forward")]
    fn forward(&mut self, config: &Config, core: &Core, runtime: &Arc<Runtime>) -> Result<()> {
        if !config.forward.is_empty() {
            let forwarding = Forwarding::start(config, &core.store, core.number(), runtime)?;
            self.forwarding = Some((forwarding, Arc::clone(runtime)));
        }
        Ok(())
    }

    /// Has everything counted that a door may count, so that it is listed before the first request.
    pub(super) fn count_in(stats: &Stats, additions: &Additions) {
        #[cfg(feature = "doors")]
        doors::count_in(stats, &additions.doors);
    }

    /// Lets requests that are on their way finish for at most `patience`, and closes the doors.
    pub(super) fn close_doors(&self, patience: Duration) {
        #[cfg(feature = "doors")]
        if let Some(doors) = &self.doors {
            doors.close_blocking(patience);
        }
    }

    /// Whether something is to be sent before the end.
    pub(super) fn forwards(&self) -> bool {
        #[cfg(feature = "forward")]
        let forwards = self.forwarding.is_some();
        #[cfg(not(feature = "forward"))]
        let forwards = false;
        forwards
    }

    /// Sends what the destinations take until `until`.
    pub(super) fn drain(&self, until: Instant) {
        #[cfg(feature = "forward")]
        if let Some((forwarding, runtime)) = &self.forwarding {
            forwarding.drain_blocking(until, runtime);
        }
    }

    /// Writes the cursors for good, after the last commit. Returns how many records still wait for a destination.
    pub(super) fn end(&self) -> u64 {
        #[cfg(feature = "forward")]
        let undelivered = self.forwarding.as_ref().map_or(0, |(forwarding, _)| forwarding.end());
        #[cfg(not(feature = "forward"))]
        let undelivered = 0;
        undelivered
    }

    /// Writes the cursors as they stand, for a library that is dropped without a shutdown.
    pub(super) fn abandon(&self) {
        #[cfg(feature = "forward")]
        if let Some((forwarding, _)) = &self.forwarding {
            forwarding.abandon();
        }
    }

    #[cfg(feature = "forward")]
    pub(super) fn forwarders(&self) -> Vec<Forwarder> {
        self.forwarding.as_ref().map(|(forwarding, _)| forwarding.forwarders()).unwrap_or_default()
    }

    /// What is forwarded to.
    pub(super) fn destinations(&self) -> Destinations {
        Destinations {
            #[cfg(feature = "forward")]
            forwarders: self.forwarders(),
        }
    }
}

/// What is forwarded to; nothing where that is not built in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations {
    #[cfg(feature = "forward")]
    pub(super) forwarders: Vec<Forwarder>,
}

impl Destinations {
    /// One for each that is not well.
    pub(super) fn problems(&self) -> Vec<Problem> {
        #[cfg(feature = "forward")]
        let problems = self.forwarders.iter().filter_map(problem).collect();
        #[cfg(not(feature = "forward"))]
        let problems = Vec::new();
        problems
    }
}

/// Of a destination that is not well.
#[cfg(feature = "forward")]
fn problem(forwarder: &Forwarder) -> Option<Problem> {
    let info = forwarder.info();
    // Half-open is not well yet: one request is asking.
    (info.troubled || info.state != crate::stats::BreakerState::Closed).then(|| Problem {
        part: "forward",
        signal: None,
        message: format!(
            "{} is {} record(s), {:.0} s behind, its breaker {}: {}",
            info.name,
            info.lag_records,
            info.lag_seconds,
            info.state,
            info.last_error.as_deref().unwrap_or("no error was reported")
        ),
        destination: Some(info.name),
        code: Some(crate::error::Code::Unavailable),
    })
}
