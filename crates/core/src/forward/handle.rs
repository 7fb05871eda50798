//! The public handle to one destination: how it stands, and a hand on it.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use otlp_arrow_base::hops::Hops;
use serde::Serialize;

use super::breaker::BreakerState;
use super::sender::ask;
use super::state::{Command, ForwardState};
use crate::destinations::{Class, Request};
use crate::error::{Code, OtlpError, Result};

/// How one destination stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForwarderInfo {
    /// Its name in the configuration.
    pub name: String,
    /// The breaker: `closed`, `open` or `half_open`.
    pub state: BreakerState,
    /// Whether it was paused by hand.
    pub paused: bool,
    /// Whether it lags, stalls or refuses everything, as events announced.
    pub troubled: bool,
    /// Records that wait for it.
    pub lag_records: u64,
    /// Age of the oldest of them, in seconds; 0 when nothing waits.
    pub lag_seconds: f64,
    /// Records that retention deleted before they were delivered.
    pub evicted_records: u64,
    /// Requests it refused for good, waiting in `rejected/`.
    pub rejected_requests: usize,
    /// What it, or the way to it, said last when something failed.
    pub last_error: Option<String>,
}

/// What [`Forwarder::retry_rejected`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Requests that were taken now, and are not set aside any more.
    pub delivered: usize,
    /// Requests that stay set aside.
    pub left: usize,
}

/// A handle to one destination.
#[derive(Clone, Debug)]
pub struct Forwarder {
    pub(super) state: Arc<ForwardState>,
}

impl Forwarder {
    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// How it stands now.
    pub fn info(&self) -> ForwarderInfo {
        let lag = self.state.backlogs.lag();
        ForwarderInfo {
            name: self.state.name.clone(),
            state: self.state.breaker(),
            paused: self.state.paused(),
            troubled: self.state.troubled(),
            lag_records: lag.values().map(|(records, _)| records).sum(),
            lag_seconds: lag.values().filter_map(|(_, age)| *age).max().unwrap_or_default().as_secs_f64(),
            evicted_records: self.state.evicted(),
            rejected_requests: self.state.rejected.names(&self.state.log).len(),
            last_error: self.state.last_error(),
        }
    }

    /// Stops sending; what arrives waits on disk.
    pub fn pause(&self) {
        self.state.set_paused(true);
    }

    /// Continues after [`Forwarder::pause`].
    pub fn resume(&self) {
        self.state.set_paused(false);
    }

    /// Forgets open times and waits: the destination is asked again at once, with one request.
    pub fn reset(&self) {
        self.state.command(Command::Retry);
    }

    /// Sends again what was set aside, oldest first, and stops where the destination does not answer.
    ///
    /// UNAVAILABLE says why it stopped. Blocks; call it from a thread that may wait.
    pub fn retry_rejected(&self, timeout: Duration) -> Result<Retried> {
        let state = Arc::clone(&self.state);
        let (sender, receiver) = mpsc::sync_channel(1);
        self.state.runtime.spawn(async move {
            let _ = sender.send(retry_rejected(&state).await);
        });
        receiver.recv_timeout(timeout).unwrap_or_else(|_| {
            Err(OtlpError::new(Code::Timeout, format!("not everything was sent again within {timeout:?}: call again")))
        })
    }
}

async fn retry_rejected(state: &ForwardState) -> Result<Retried> {
    let names = state.rejected.names(&state.log);
    let mut retried = Retried { delivered: 0, left: names.len() };
    for name in names {
        let failed = |error: std::io::Error| {
            OtlpError::with_source(Code::StorageFailed, format!("rejected/{}: {error}", state.name), error)
        };
        let set_aside = state.rejected.load(&state.log, name).map_err(failed)?;
        // What cannot be turned into rows stays where a person can look at it.
        let Ok(mut request) = Request::of_otlp(set_aside.signal, set_aside.payload.clone(), state.takes) else {
            continue;
        };
        request.hops = Hops::default().then(state.number);
        let records = request.records;
        let answer = ask(&*state.destination, request).await;
        match answer.to_all(records) {
            Class::Delivered { .. } => {
                state.rejected.remove(&state.log, &set_aside).map_err(failed)?;
                retried.delivered += 1;
                retried.left -= 1;
            }
            Class::Data | Class::TooLarge | Class::Mixed | Class::Loop => {}
            Class::Destination | Class::Passing { .. } => {
                let text = format!("{} after {} request(s): {}", state.name, retried.delivered, answer.message);
                return Err(OtlpError::new(Code::Unavailable, text));
            }
        }
    }
    Ok(retried)
}
