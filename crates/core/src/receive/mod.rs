//! The doors: OTLP over gRPC and over HTTP, from a socket to [`Ingest`].
//!
//! Two listeners, one router behind both: a connection may speak HTTP/1.1 or HTTP/2 without TLS, a request is gRPC by
//! its content type and plain HTTP otherwise. Bodies are reserved from the memory budget as they arrive, all
//! connections together, and are handed on as the bytes they are.

mod answer;
mod body;
mod bound;
mod connection;
mod fault;
mod grpc;
mod health;
mod http;
mod inflate;
mod patience;
mod router;
mod wire;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use otlp_arrow_columns::{Format, Signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::error::{OtlpError, Result};
use crate::outcome::ExportOutcome;
use crate::runtime::Runtime;
use crate::stats::{Protocol, Stats};
use crate::store::budget::{Budget, Reservation};
use crate::wait::block_until;

/// Resolves when what was accepted is kept at the configured durability.
pub type Kept = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What stands behind the doors.
pub trait Ingest: Send + Sync + 'static {
    /// The memory budget that bodies are reserved from.
    fn budget(&self) -> &Arc<Budget>;

    /// Where requests are counted.
    fn stats(&self) -> &Stats;

    /// Takes one OTLP protobuf export request whose bytes are covered by `reservation`. What is accepted is kept
    /// whether or not the future is polled.
    fn accept(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
    ) -> Result<(ExportOutcome, Kept)>;

    /// Whether new data would be taken now; if not, why.
    fn ready(&self) -> Result<()>;

    /// Everything that is counted, in the Prometheus text form.
    fn metrics(&self) -> String {
        self.stats().snapshot().to_prometheus()
    }
}

/// `Export*ServiceResponse` in protobuf, for a gRPC server that is not ours.
pub fn grpc_response(signal: Signal, outcome: &ExportOutcome) -> Vec<u8> {
    wire::response(signal, outcome, Format::Protobuf)
}

/// `google.rpc.Status` in protobuf, with what the sender should know besides the code: the `grpc-status-details-bin`
/// of a gRPC server that is not ours.
pub fn grpc_status_details(error: &OtlpError) -> Vec<u8> {
    wire::status(&error.clone().into(), Format::Protobuf)
}

/// What was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The gRPC listener.
    pub grpc: Option<SocketAddr>,
    /// The HTTP listener.
    pub http: Option<SocketAddr>,
}

/// The listeners of one library. Dropped, they close at once; see [`Doors::close`] for the polite way.
pub struct Doors {
    addresses: Addresses,
    connections: Arc<connection::Connections>,
    stop: watch::Sender<bool>,
    runtime: Runtime,
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Doors {
    /// Binds the addresses of `config.listen` and answers on them. BIND_FAILED if one is taken, INVALID_CONFIG if one
    /// is open to others and `insecure` is not set.
    pub fn open(config: &Config, ingest: Arc<dyn Ingest>) -> Result<Self> {
        let runtime = Runtime::new()?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(router::Shared::new(config, ingest, stopped.clone()));
        let connections = Arc::new(connection::Connections::new(&config.limits));
        let guard = runtime.enter();
        let (addresses, listeners) = bound::bind_all(config)?;
        drop(guard);
        for listener in listeners {
            runtime.spawn(bound::serve(listener, Arc::clone(&shared), Arc::clone(&connections), stopped.clone()));
        }
        Ok(Self { addresses, connections, stop, runtime })
    }

    /// The addresses that were bound, with the ports the system chose.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Stops accepting, says so to clients, and lets requests that are on their way finish for at most `patience`.
    /// True if all did. Needs no executor of the caller's.
    pub async fn close(&self, patience: Duration) -> bool {
        self.drain(patience).await.unwrap_or(false)
    }

    /// [`Doors::close`] for callers without an executor.
    pub fn close_blocking(&self, patience: Duration) -> bool {
        let latest = Instant::now() + patience + Duration::from_secs(1);
        block_until(self.drain(patience), latest).is_some_and(|drained| drained.unwrap_or(false))
    }

    fn drain(&self, patience: Duration) -> tokio::task::JoinHandle<bool> {
        self.stop.send_replace(true);
        let connections = Arc::clone(&self.connections);
        self.runtime.spawn(async move { tokio::time::timeout(patience, connections.all_closed()).await.is_ok() })
    }
}
