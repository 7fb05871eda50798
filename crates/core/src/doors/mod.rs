//! The doors: every protocol that is answered, from a socket to [`Ingest`].
//!
//! Two listeners, one router behind both. Each protocol is one file here and one line in `DOORS`: a service that says
//! its paths and answers one request; connections, limits and bodies are of `otlp-arrow-net`.

mod door;
mod export;
mod health;
mod metrics;
mod otap;
mod otlp_grpc;
mod otlp_http;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::{Format, Signal};
use otlp_arrow_net::server::{self, Listener, Refusal, Router, Server};
use tokio::sync::watch;

use crate::config::{Config, Limits};
use crate::error::{Code, OtlpError, Result};
use crate::ingest::Ingest;
use crate::outcome::ExportOutcome;
use crate::recorder::Recorder;
use crate::runtime::Runtime;
use crate::stats::Stats;
use crate::wait::block_until;
pub use door::{Door, Inside};

/// Every protocol that is answered.
pub(crate) const DOORS: &[Door] = &[otlp_grpc::DOOR, otlp_http::DOOR, otap::DOOR, health::DOOR, metrics::DOOR];

/// The door that the key `dashboard` switches on, which stands above this crate.
pub const DASHBOARD: &str = "dashboard";
/// As above, of the key `mcp`.
pub const MCP: &str = "mcp";

/// What people call the protocols that take telemetry and are on.
pub fn answered(config: &Config) -> impl Iterator<Item = &'static str> {
    DOORS.iter().filter(|door| (door.on)(config)).filter_map(|door| door.telemetry)
}

/// Registers what is counted by protocol, so that it is listed before the first request.
pub(crate) fn count_in(stats: &Stats, further: &[Door]) {
    for door in DOORS.iter().chain(further).filter(|door| door.telemetry.is_some()) {
        stats.protocol(door.name);
    }
}

/// `Export*ServiceResponse` in protobuf, for a gRPC server that is not ours.
pub fn grpc_response(signal: Signal, outcome: &ExportOutcome) -> Vec<u8> {
    export::response(signal, outcome, Format::Protobuf)
}

/// `google.rpc.Status` in protobuf, with what the sender should know besides the code: the `grpc-status-details-bin`
/// of a gRPC server that is not ours.
pub fn grpc_status_details(error: &OtlpError) -> Vec<u8> {
    Refusal::from(error.clone()).details().to_protobuf()
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
    server: Arc<Server>,
    runtime: Arc<Runtime>,
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
        Self::open_on(Arc::new(Runtime::new()?), Clock::system(), config, ingest, None, &[])
    }

    /// [`Doors::open`] on the threads of others and by their clock, with further doors beside those of `DOORS`.
    pub(crate) fn open_on(
        runtime: Arc<Runtime>,
        clock: Clock,
        config: &Config,
        ingest: Arc<dyn Ingest>,
        recorder: Option<Recorder>,
        further: &[Door],
    ) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut router = Router::new(limits(&config.limits), clock.clone(), Arc::clone(ingest.stats()));
        let inside = Inside { ingest, limits: config.limits.clone(), clock, recorder, stopped };
        for door in DOORS.iter().chain(further) {
            router.mount((door.open)(&inside), (door.on)(config))?;
        }
        for (key, on) in [(DASHBOARD, config.dashboard), (MCP, config.mcp)] {
            if on && !further.iter().any(|door| door.name == key) {
                let text = format!(
                    "{key}: this program does not bring it: add it with the crate otlp-arrow-{key}, or leave the key out"
                );
                return Err(OtlpError::new(Code::InvalidConfig, text));
            }
        }
        let server = Arc::new(Server::new(router, stop));
        let guard = runtime.enter();
        let (addresses, listeners) = bind_all(config)?;
        drop(guard);
        for listener in listeners {
            runtime.spawn(server::accept(listener, Arc::clone(&server)));
        }
        Ok(Self { addresses, server, runtime })
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
        // The threads that the doors wait on are the machine's, whatever clock they go by.
        let latest = Clock::system().now() + patience + Duration::from_secs(1);
        block_until(self.drain(patience), latest).is_some_and(|drained| drained.unwrap_or(false))
    }

    fn drain(&self, patience: Duration) -> tokio::task::JoinHandle<bool> {
        let server = Arc::clone(&self.server);
        server.stop();
        self.runtime.spawn(async move { server.closed(patience).await })
    }
}

/// The runtime may have others to run, so what answers is told to end.
impl Drop for Doors {
    fn drop(&mut self) {
        self.server.stop();
    }
}

fn limits(limits: &Limits) -> server::Limits {
    let Limits { max_connections, max_streams, header_bytes, timeout, .. } = *limits;
    server::Limits { max_connections, max_streams, header_bytes, timeout }
}

/// Binds what is configured. One listener serves both keys if they name the same address.
fn bind_all(config: &Config) -> Result<(Addresses, Vec<Listener>)> {
    let mut addresses = Addresses::default();
    let mut listeners = Vec::with_capacity(2);
    if let Some(address) = config.listen.grpc {
        let listener = bind("listen.grpc", address, config.insecure)?;
        addresses.grpc = listener.address();
        listeners.push(listener);
    }
    if let Some(address) = config.listen.http {
        if address.port() != 0 && config.listen.grpc == Some(address) {
            addresses.http = addresses.grpc;
        } else {
            let listener = bind("listen.http", address, config.insecure)?;
            addresses.http = listener.address();
            listeners.push(listener);
        }
    }
    Ok((addresses, listeners))
}

fn bind(key: &str, address: SocketAddr, insecure: bool) -> Result<Listener> {
    if !address.ip().to_canonical().is_loopback() && !insecure {
        let message = format!(
            "{key}: {address} can be reached by others, and there are no credentials: use 127.0.0.1, or set insecure: true (--insecure)"
        );
        return Err(OtlpError::new(Code::InvalidConfig, message));
    }
    Listener::bind(key, address)
}
