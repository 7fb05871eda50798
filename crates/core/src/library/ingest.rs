//! The way in that everything shares, from bytes to the store, and the counting of what came of them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::{Limits, Payload, Refused, Signal};

use super::encoding::Encoding;
use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
use crate::event_bus::EventBus;
use crate::ingest::{Ingest, Kept};
use crate::outcome::ExportOutcome;
use crate::stats::{LibraryStats, Protocol, Stats};
use crate::store::budget::{Budget, Reservation};
use crate::store::storage_os::OsStorage;
use crate::store::{Request, Store};

/// What every way in shares: the doors, the exporters and the calls of the host program.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) store: Store,
    limits: Limits,
    pub(super) closed: Arc<AtomicBool>,
    pub(super) encoding: Encoding,
}

impl Core {
    pub(super) fn open(config: &Config, events: &EventBus, stats: Arc<Stats>, closed: Arc<AtomicBool>) -> Self {
        let limits = Limits { nesting: config.limits.nesting, max_request_memory: config.limits.max_request_memory };
        let store = Store::start(config.store_settings(), Arc::new(OsStorage), events.sink(), stats, Clock::system());
        Self { store, limits, closed, encoding: Encoding::new(&config.resource) }
    }

    pub(super) fn ensure_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(OtlpError::new(Code::Closed, "this OtlpLibrary is shut down: open a new one"));
        }
        Ok(())
    }

    pub(super) fn report(&self) -> LibraryStats {
        let counters = self.store.stats();
        let mut stats = LibraryStats { events: counters.events(), ..LibraryStats::default() };
        self.store.report(&mut stats);
        counters.set_buffer_bytes(stats.buffer_bytes);
        stats.counters = counters.snapshot();
        stats
    }

    /// Checks, reserves and appends; what is accepted is kept whether or not the future is polled.
    pub(super) fn take(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        mut reservation: Reservation,
    ) -> Result<(ExportOutcome, impl Future<Output = Result<()>> + Send + 'static + use<>)> {
        let checked = otlp_arrow_columns::check(signal, &bytes, &self.limits)?;
        reservation.grow(checked.arrow_bytes)?;
        let outcome = ExportOutcome {
            accepted: checked.rows as u64,
            rejected: checked.refused.total(),
            message: checked.refused.to_string(),
        };
        let refused = checked.refused.clone();
        let appended = (checked.rows > 0).then(|| {
            let payload = Payload::Otlp { signal, bytes, checked };
            self.store.append(Request { payload, reservation })
        });
        let mut count = Count {
            stats: Arc::clone(self.store.stats()),
            signal,
            protocol,
            accepted: outcome.accepted,
            refused: Some(refused),
        };
        let kept = async move {
            if let Some(appended) = appended {
                appended.await.inspect_err(|_| count.refused = None)?;
            }
            Ok(())
        };
        Ok((outcome, kept))
    }
}

/// Counts one request when its fate is known, or when nobody waits for it any more: then it is kept.
struct Count {
    stats: Arc<Stats>,
    signal: Signal,
    protocol: Protocol,
    accepted: u64,
    /// None once the request has failed: then it will come again.
    refused: Option<Refused>,
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some(refused) = &self.refused {
            self.stats.received(self.signal, self.protocol, self.accepted, refused);
        }
    }
}

impl Ingest for Core {
    fn budget(&self) -> &Arc<Budget> {
        self.store.budget()
    }

    fn stats(&self) -> &Arc<Stats> {
        self.store.stats()
    }

    fn accept(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
    ) -> Result<(ExportOutcome, Kept)> {
        let (outcome, kept) = self.take(signal, protocol, bytes, reservation)?;
        Ok((outcome, Box::pin(kept)))
    }

    fn metrics(&self) -> String {
        self.report().counters.to_prometheus()
    }

    fn ready(&self) -> Result<()> {
        self.ensure_open()?;
        self.store.troubles().into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }
}
