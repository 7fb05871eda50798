//! Where data is forwarded to: one file a kind of destination.
//!
//! A kind says what it is handed and what its answers mean; queues, retries, the breaker, cursors and refused data are
//! [forwarding](crate::forward)'s and know no kind.

mod answer;
pub mod http;
mod otlp_grpc;
mod otlp_http;
mod otlp_status;
mod request;
mod stdout;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use otlp_arrow_columns::Signal;

use crate::config::{Destination as Settings, ForwardProtocol};
use crate::error::Result;
pub use answer::{Answer, Class, RecordAnswer};
pub use request::{Content, Request, Rows, Takes};

/// One destination that requests are sent to.
pub trait Destination: fmt::Debug + Send + Sync {
    /// Sends one request, and says what became of it. It never fails: what went wrong is the class of the answer.
    ///
    /// As many requests as `max_in_flight` allows are on their way at once, each polled on a Tokio runtime; a destination
    /// that keeps a stream open answers each when its turn comes. It keeps the configured `timeout` itself: what never
    /// answers holds its place.
    fn send(&self, request: Request) -> Sending<'_>;

    /// The server that requests of this signal go to, for counters; `None` if there is none.
    fn server(&self, signal: Signal) -> Option<Server> {
        let _ = signal;
        None
    }
}

/// A request on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A server on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Prepares a destination; nothing is connected yet. INVALID_CONFIG names the key that cannot be used.
pub fn open(settings: &Settings) -> Result<Arc<dyn Destination>> {
    Ok(match settings.protocol {
        ForwardProtocol::OtlpGrpc => Arc::new(otlp_grpc::OtlpGrpc::open(settings)?),
        ForwardProtocol::OtlpHttp => Arc::new(otlp_http::OtlpHttp::open(settings)?),
        ForwardProtocol::Stdout => Arc::new(stdout::Stdout),
    })
}
