//! What is configured of one destination.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow_base::PerSignal;

use super::kind::Kind;
use super::options::Options;
use super::proxy::Proxy;
use super::secret::Secret;

/// One destination data is forwarded to.
#[derive(Clone)]
pub struct DestinationConfig {
    /// Its name in cursors, counters and events: unique, and safe in a file name.
    pub name: String,
    /// Base URL. For OTLP/HTTP `v1/<signal>` is appended to its path.
    pub endpoint: String,
    /// URLs of single signals, used as they are.
    pub signal_endpoints: PerSignal<Option<String>>,
    /// Its kind: how it is spoken to.
    pub protocol: Kind,
    /// The keys of its kind.
    pub options: Options,
    /// Signals it takes.
    pub signals: PerSignal<bool>,
    /// Compression of request bodies.
    pub compression: ForwardCompression,
    /// The longest one request may take.
    pub timeout: Duration,
    /// Requests on their way at once. 1 keeps the order.
    pub max_in_flight: usize,
    /// Bytes of fresh data that may wait in memory to be forwarded as it came; the rest is read back from disk.
    pub memory: usize,
    /// Headers sent with each request; values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// Credentials.
    pub auth: Auth,
    /// TLS.
    pub tls: Tls,
    /// How it is reached.
    pub proxy: Proxy,
    /// Waiting between attempts.
    pub retry: Retry,
    /// The circuit breaker.
    pub breaker: Breaker,
}

/// Compression of forwarded request bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardCompression {
    /// None.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Credentials for a destination.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// `Authorization: Bearer <token>`.
    Bearer(Secret),
    /// `<header>: <key>`.
    ApiKey {
        /// The header's name.
        header: String,
        /// The key.
        key: Secret,
    },
    /// `Authorization: Basic …`.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
}

/// TLS towards a destination; used with `https` URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the client key.
    pub key_file: Option<PathBuf>,
    /// The three as PEM itself, each instead of its file.
    pub ca_pem: Option<Secret>,
    #[expect(missing_docs, reason = "see above")]
    pub cert_pem: Option<Secret>,
    #[expect(missing_docs, reason = "see above")]
    pub key_pem: Option<Secret>,
    /// Name to expect in the server's certificate instead of the URL's host.
    pub server_name: Option<String>,
}

/// Waiting between attempts: exponential with jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Before the second attempt.
    pub initial: Duration,
    /// At most.
    pub max: Duration,
    /// Growth from one attempt to the next.
    pub multiplier: f64,
}

/// The circuit breaker of a destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    /// What opens it.
    pub strategy: BreakerConfig,
    /// The first open time; it doubles, jittered, up to `max_open`.
    pub open: Duration,
    /// The longest open time.
    pub max_open: Duration,
}

/// What opens a breaker.
#[derive(Clone, Debug, PartialEq)]
pub enum BreakerConfig {
    /// So many failures in a row.
    ConsecutiveFailures {
        /// How many.
        failures: u32,
    },
    /// So large a share of the requests in a sliding window.
    FailureRate {
        /// From 0 to 1.
        rate: f64,
        /// At least so many requests in the window.
        minimum: u32,
        /// The window.
        window: Duration,
    },
}

/// A URL without the credentials that may stand before its host.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    match url[start..end].rfind('@') {
        Some(at) => Cow::Owned(format!("{}***{}", &url[..start], &url[start + at..])),
        None => Cow::Borrowed(url),
    }
}

impl fmt::Debug for DestinationConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DestinationConfig")
            .field("name", &self.name)
            .field("endpoint", &shown(&self.endpoint))
            .field("signal_endpoints", &self.signal_endpoints.each_ref().map(|url| url.as_deref().map(shown)))
            .field("protocol", &self.protocol)
            .field("options", &self.options)
            .field("signals", &self.signals)
            .field("compression", &self.compression)
            .field("timeout", &self.timeout)
            .field("max_in_flight", &self.max_in_flight)
            .field("memory", &self.memory)
            .field("headers", &self.headers)
            .field("auth", &self.auth)
            .field("tls", &self.tls)
            .field("proxy", &self.proxy)
            .field("retry", &self.retry)
            .field("breaker", &self.breaker)
            .finish()
    }
}
