//! A client: one request goes out, a complete answer comes back, or why there is none.
//!
//! gRPC and HTTP share one hyper client; what an answer means for the data is the caller's to say.

mod connect;
mod link;
mod post;
mod proxy;
mod secrets;
mod stream;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::response::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::Result;

use crate::encoding::Encoding;
use crate::reload::Reloaded;
use crate::tls::{self, ClientPems};
use connect::{ConnectError, Connector, Trust, passes, remedy};
use link::TlsAlert;
pub use post::post_json;
pub use proxy::{Proxies, Proxy};
pub use secrets::{Secrets, basic};
use stream::Outgoing;
pub use stream::{Replies, Sender};

/// How long a connection without requests is kept.
const KEPT: Duration = Duration::from_secs(60);

/// What a [`Client`] is made of.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Used with `https` URLs.
    pub tls: ClientPems,
    /// Expected in the server's certificate instead of the URL's host.
    pub server_name: Option<String>,
    /// Before which servers there is a proxy.
    pub proxies: Option<Arc<Reloaded<Proxies>>>,
    /// Used with proxies that are spoken to within TLS.
    pub proxy_tls: ClientPems,
    /// HTTP/2 only, as gRPC needs it; else HTTP/1.1.
    pub http2: bool,
    /// The longest one request may take, connecting included.
    pub timeout: Duration,
    /// The largest answer that is read, after decompression.
    pub max_answer: usize,
}

/// Sends requests. Connections are kept and shared between them. Where the files of TLS change, those that follow go over new
/// connections.
#[derive(Debug)]
pub struct Client {
    connections: Reloaded<Connections>,
    proxies: Option<Arc<Reloaded<Proxies>>>,
    http2: bool,
    timeout: Duration,
    max_answer: usize,
}

#[derive(Debug)]
struct Connections {
    http: HyperClient<Connector, Outgoing>,
    alert: TlsAlert,
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
    /// The proxy that passed it on, and read it: it may have answered in the server's place.
    pub proxy: Option<String>,
}

/// Why there is no complete answer.
#[derive(Debug)]
pub enum Failure {
    /// The name does not resolve, TLS was refused, or a proxy does not let us through: so it stays until somebody changes
    /// something.
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
    /// The body of a success ended before it was complete.
    Interrupted(StatusCode, String),
}

impl Client {
    /// Prepares a client; nothing is connected yet. INVALID_CONFIG names the file that cannot be used.
    pub fn new(options: ClientOptions) -> Result<Self> {
        let ClientOptions { tls, server_name, proxies, proxy_tls, http2, timeout, max_answer } = options;
        let paths: Vec<_> = tls.paths().chain(proxy_tls.paths()).collect();
        let through = proxies.clone();
        let connections = Reloaded::new(paths, Clock::system(), move || {
            let trust =
                Trust { server: tls::client(&tls, http2)?.into(), proxy: tls::client(&proxy_tls, false)?.into() };
            let connector = Connector::new(trust, server_name.clone(), http2, timeout).through(through.clone());
            let alert = connector.alert();
            let http = HyperClient::builder(TokioExecutor::new())
                .http2_only(http2)
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(KEPT)
                .build(connector);
            Ok(Connections { http, alert })
        })?;
        Ok(Self { connections, proxies, http2, timeout, max_answer })
    }

    /// Grows when a file that it was made of changed: then another attempt makes sense.
    pub fn version(&self) -> u64 {
        self.connections.version() + self.proxies.as_ref().map_or(0, |proxies| proxies.version())
    }

    /// Somebody refused what was shown of the files: they are read before they are used again.
    pub fn doubt(&self) {
        self.connections.doubt();
        if let Some(proxies) = &self.proxies {
            proxies.doubt();
        }
    }

    /// Sends one request and reads the answer to its end.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let proxy = self.proxies.as_ref().and_then(|proxies| proxies.current().of(request.uri()));
        // Through a tunnel the proxy reads no request.
        let reads = |_: &Arc<Proxy>| !self.http2 && request.uri().scheme_str() != Some("https");
        let proxy = proxy.filter(reads);
        if let Some(authorization) = proxy.as_ref().and_then(|proxy| proxy.authorization.clone()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let connection = capture_connection(&mut request);
        match tokio::time::timeout(self.timeout, self.attempt(request)).await {
            Ok(reply) => reply.and_then(|reply| match proxy {
                Some(proxy) => of_server(reply, &proxy),
                None => Ok(reply),
            }),
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
        let connections = self.connections.current();
        let response = connections.http.request(request.map(Outgoing::Whole)).await;
        let response = response.map_err(|error| unreachable(&error, &connections.alert))?;
        let (head, body) = response.into_parts();
        let collected = match Limited::new(body, self.max_answer).collect().await {
            Ok(collected) => collected,
            // A refusal is one without its words. tinyproxy closes the connection with our body unread, and that takes them away.
            Err(error) if !error.is::<LengthLimitError>() && !head.status.is_success() => {
                return Ok(Reply { head, body: Bytes::new(), trailers: None, proxy: None });
            }
            Err(error) if error.is::<LengthLimitError>() => return Err(Failure::TooLong(head.status)),
            Err(error) => return Err(Failure::Interrupted(head.status, error.to_string())),
        };
        let trailers = collected.trailers().cloned();
        let body = plain(&head.headers, collected.to_bytes(), self.max_answer);
        Ok(Reply { head, body, trailers, proxy: None })
    }
}

/// The answer of the server, or what the proxy before it answered in its place.
fn of_server(reply: Reply, proxy: &Proxy) -> Result<Reply, Failure> {
    let (status, headers) = (reply.head.status, &reply.head.headers);
    let page = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let own = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED || headers.contains_key(PROXY_AUTHENTICATE);
    // What is too large for the proxy is too large.
    let own = own || !status.is_success() && page && status != StatusCode::PAYLOAD_TOO_LARGE;
    // Statuses that no server of telemetry has a meaning for, and proxies have of their own.
    let own = own || status.as_u16() >= 520;
    if !own {
        return Ok(Reply { proxy: Some(proxy.to_string()), ..reply });
    }
    let text = format!("the proxy {proxy} answers HTTP {status}{}", remedy(status));
    Err(if passes(status) { Failure::Connection(text) } else { Failure::Settings(text) })
}

fn unreachable(error: &hyper_util::client::legacy::Error, alert: &TlsAlert) -> Failure {
    let text = chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match (chain(error).find_map(|cause| cause.downcast_ref::<ConnectError>()), alert.text()) {
        (Some(error), _) if error.passes() => Failure::Connection(text),
        (Some(_), _) => Failure::Settings(text),
        (None, Some(alert)) => Failure::Settings(format!("{alert} ({text})")),
        (None, None) => Failure::Connection(text),
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
