//! A client: one request goes out, a complete answer comes back, or why there is none.
//!
//! gRPC and HTTP share one hyper client; what an answer means for the data is the caller's to say.

mod connect;
mod post;
mod secrets;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::response::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use otlp_arrow_base::error::Result;

use crate::encoding::Encoding;
use crate::tls::{self, ClientFiles};
use connect::{ConnectError, Connector, TlsAlert};
pub use post::post_json;
pub use secrets::{Secrets, basic};

/// How long a connection without requests is kept.
const KEPT: Duration = Duration::from_secs(60);

/// What a [`Client`] is made of.
#[derive(Clone, Debug)]
pub struct ClientOptions<'a> {
    /// Used with `https` URLs.
    pub tls: ClientFiles<'a>,
    /// Expected in the server's certificate instead of the URL's host.
    pub server_name: Option<String>,
    /// HTTP/2 only, as gRPC needs it; else HTTP/1.1.
    pub http2: bool,
    /// The longest one request may take, connecting included.
    pub timeout: Duration,
    /// The largest answer that is read, after decompression.
    pub max_answer: usize,
}

/// Sends requests. Connections are kept and shared between them.
#[derive(Debug)]
pub struct Client {
    http: HyperClient<Connector, Full<Bytes>>,
    alert: TlsAlert,
    timeout: Duration,
    max_answer: usize,
}

/// A complete answer, its body without compression.
#[derive(Debug)]
pub struct Reply {
    /// Status and headers.
    pub head: Parts,
    /// Empty where it could not be decompressed.
    pub body: Bytes,
    /// What came behind the body.
    pub trailers: Option<HeaderMap>,
}

/// Why there is no complete answer.
#[derive(Debug)]
pub enum Failure {
    /// The name does not resolve, or TLS was refused: so it stays until somebody changes something.
    Settings(String),
    /// It cannot be reached, or the connection ended: it may come back.
    Connection(String),
    /// Nothing within the time of a request.
    Timeout {
        /// Whether the request had a connection.
        connected: bool,
    },
    /// More bytes than are read.
    TooLong(StatusCode),
    /// The body ended before it was complete.
    Interrupted(StatusCode, String),
}

impl Client {
    /// Prepares a client; nothing is connected yet. INVALID_CONFIG names the file that cannot be used.
    pub fn new(options: ClientOptions<'_>) -> Result<Self> {
        let tls = tls::client(&options.tls, options.http2)?;
        let connector = Connector::new(tls, options.server_name, options.timeout);
        let alert = connector.alert();
        let http = HyperClient::builder(TokioExecutor::new())
            .http2_only(options.http2)
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .build(connector);
        Ok(Self { http, alert, timeout: options.timeout, max_answer: options.max_answer })
    }

    /// Sends one request and reads the answer to its end.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let connection = capture_connection(&mut request);
        match tokio::time::timeout(self.timeout, self.attempt(request)).await {
            Ok(reply) => reply,
            Err(_) => {
                let connection = connection.connection_metadata();
                if let Some(connection) = &*connection {
                    // It may be dead without anybody having said so: over HTTP/2 later requests would take it too.
                    connection.poison();
                }
                Err(Failure::Timeout { connected: connection.is_some() })
            }
        }
    }

    async fn attempt(&self, request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let response = self.http.request(request).await.map_err(|error| self.unreachable(&error))?;
        let (head, body) = response.into_parts();
        let collected = match Limited::new(body, self.max_answer).collect().await {
            Ok(collected) => collected,
            Err(error) if error.is::<LengthLimitError>() => return Err(Failure::TooLong(head.status)),
            Err(error) => return Err(Failure::Interrupted(head.status, error.to_string())),
        };
        let trailers = collected.trailers().cloned();
        let body = plain(&head.headers, collected.to_bytes(), self.max_answer);
        Ok(Reply { head, body, trailers })
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> Failure {
        let text = chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
        match chain(error).find_map(|cause| cause.downcast_ref::<ConnectError>()) {
            Some(ConnectError::Name(..) | ConnectError::Certificate(..)) => return Failure::Settings(text),
            Some(ConnectError::Route(..)) => return Failure::Connection(text),
            None => {}
        }
        match self.alert.text() {
            Some(alert) => Failure::Settings(format!("the destination ended TLS: {alert} ({text})")),
            None => Failure::Connection(text),
        }
    }
}

/// A body without its compression; what cannot be decompressed within `limit` is empty, as its content is optional.
fn plain(headers: &HeaderMap, body: Bytes, limit: usize) -> Bytes {
    match Encoding::parse(headers.get(CONTENT_ENCODING)) {
        Ok(Some(encoding)) => encoding.decompress(&body, limit, |_| Ok(())).unwrap_or_default(),
        _ => body,
    }
}

/// An error and its causes.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source())
}
