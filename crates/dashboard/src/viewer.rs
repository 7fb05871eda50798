//! A directory that is looked at without a recorder: pages and `/api/v1` over its files, nothing else.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use otlp_arrow::config::Query;
use otlp_arrow::internal::{Clock, Stats};
use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_api::internal::{Alone, alone};
use otlp_arrow_net::server::{Limits, Listener, Router, Server, accept};
use tokio::sync::watch;

use crate::pages::Pages;

/// The longest that a client may take for a request, or a piece of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows a directory. Dropped, it stops.
pub struct Viewer {
    address: SocketAddr,
    server: Arc<Server>,
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Viewer {
    /// Shows `directory`, which may be written to meanwhile, at `address`; port 0 takes any free one. Called within a runtime of
    /// Tokio's, which serves it.
    ///
    /// # Errors
    /// BIND_FAILED if the address is taken, INVALID_CONFIG if others could reach it.
    pub fn open(directory: impl Into<PathBuf>, query: Query, address: SocketAddr) -> Result<Self> {
        if !address.ip().to_canonical().is_loopback() {
            let text =
                format!("{address} can be reached from other machines, and there are no credentials: use 127.0.0.1");
            return Err(OtlpError::new(Code::InvalidConfig, text));
        }
        let clock = Clock::system();
        let (stop, stopped) = watch::channel(false);
        let limits = Limits { max_connections: 256, max_streams: 128, header_bytes: 16 << 10, timeout: PATIENCE };
        let mut router = Router::new(limits, clock.clone(), Arc::new(Stats::default()));
        let output_dir = directory.into();
        router.mount(alone(Alone { output_dir, query, patience: PATIENCE, clock, stopped }), true)?;
        router.mount(Arc::new(Pages), true)?;
        let listener = Listener::bind("--port", address)?;
        let address = listener.address().unwrap_or(address);
        let server = Arc::new(Server::new(router, stop));
        tokio::spawn(accept(listener, Arc::clone(&server)));
        Ok(Self { address, server })
    }

    /// Where it is, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.server.stop();
    }
}
