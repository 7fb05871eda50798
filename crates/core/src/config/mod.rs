//! Configuration, parsed into types in which a wrong value cannot exist.
//!
//! [`Config::default`] holds the defaults of the one table of keys (see `docs/configuration.md`).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow_columns::Signal;
use secrecy::SecretString;

/// Everything that can be set. Field names are the keys of the configuration file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the files go.
    pub output_dir: PathBuf,
    /// What an acknowledgement means.
    pub durability: Durability,
    /// How long a commit may wait for more data to share it with.
    pub commit_interval: Duration,
    /// Memory for data that is accepted and not yet committed.
    pub buffer: Buffer,
    /// Bounds on what others send.
    pub limits: Limits,
    /// The form of sealed files.
    pub sealing: Sealing,
    /// Room that is left to others on the disk.
    pub storage: Storage,
    /// Addresses to listen on.
    pub listen: Listen,
    /// Allows listening on an address that is not loopback without credentials.
    pub insecure: bool,
    /// Protocols that are answered.
    pub protocols: Protocols,
    /// When a live file is closed.
    pub rotation: Rotation,
    /// When a file is deleted.
    pub retention: Retention,
    /// Where data is forwarded to.
    pub forward: Vec<Destination>,
    /// Resource attributes of spans and records that are handed over without a resource, in order.
    pub resource: Vec<(String, String)>,
    /// Logging of the standalone service.
    pub log: Log,
    /// How long `shutdown` may take.
    pub shutdown_timeout: Duration,
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Acknowledged in memory, written within the interval or when the buffer's size limit is reached.
    Buffered {
        /// The longest time accepted data stays in memory only.
        write_interval: Duration,
    },
    /// Acknowledged after `write` returned: survives the end of this process.
    Written,
    /// Acknowledged after `fdatasync`: survives a power cut.
    Synced,
}

/// Memory for data that is accepted and not yet committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes, all signals together. One signal takes at most three quarters.
    pub max_bytes: usize,
}

/// Bounds on what others send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request body, before and after decompression.
    pub max_body: usize,
    /// Bytes one request may take as columns.
    pub max_request_memory: usize,
    /// Open connections.
    pub max_connections: usize,
    /// Concurrent HTTP/2 streams of one connection.
    pub max_streams: u32,
    /// Levels of arrays and maps in one value.
    pub nesting: usize,
    /// Bytes of all headers of one request.
    pub header_bytes: u32,
    /// The longest a request may take to arrive.
    pub timeout: Duration,
}

/// The form of sealed files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// Compression of record batch bodies.
    pub compression: SealingCompression,
    /// Level of zstd.
    pub level: i32,
}

/// Compression of sealed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealingCompression {
    /// Zstandard.
    Zstd,
    /// None.
    None,
}

/// Room that is left to others on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// New data is refused when the file system would have fewer free bytes than this.
    pub min_free_bytes: u64,
}

/// Addresses to listen on. Port 0 takes any free port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// The gRPC listener; 127.0.0.1:4317 in the service.
    pub grpc: Option<SocketAddr>,
    /// The HTTP listener; 127.0.0.1:4318 in the service.
    pub http: Option<SocketAddr>,
}

impl Listen {
    /// The standard OTLP ports on loopback: what the service listens on by default.
    pub fn standard() -> Self {
        Self { grpc: Some(([127, 0, 0, 1], 4317).into()), http: Some(([127, 0, 0, 1], 4318).into()) }
    }
}

/// Protocols that are answered. Both listeners answer every protocol that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// OTLP over gRPC.
    pub otlp_grpc: bool,
    /// OTLP over HTTP, protobuf and JSON.
    pub otlp_http: bool,
}

/// When a live file is closed, to be sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes.
    pub max_bytes: u64,
    /// Age of its first record.
    pub max_age: Duration,
}

/// When a file is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age by signal, in [`Signal::ALL`] order.
    pub max_age: [Duration; 3],
    /// Bytes of everything in the directory.
    pub max_bytes: u64,
}

impl Retention {
    /// The age after which files of `signal` are deleted.
    pub fn max_age(&self, signal: Signal) -> Duration {
        self.max_age[signal.index()]
    }
}

/// One destination data is forwarded to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name in cursors, counters and events: unique, and safe in a file name.
    pub name: String,
    /// Base URL. For OTLP/HTTP `v1/<signal>` is appended to its path.
    pub endpoint: String,
    /// Per-signal URLs that are used as they are, in [`Signal::ALL`] order.
    pub signal_endpoints: [Option<String>; 3],
    /// How it is spoken to.
    pub protocol: ForwardProtocol,
    /// Signals it takes, in [`Signal::ALL`] order.
    pub signals: [bool; 3],
    /// Compression of request bodies.
    pub compression: ForwardCompression,
    /// The longest one request may take.
    pub timeout: Duration,
    /// Requests on their way at once. 1 keeps the order.
    pub max_in_flight: usize,
    /// Headers sent with each request; values may be secret.
    pub headers: Vec<(String, SecretString)>,
    /// Credentials.
    pub auth: Auth,
    /// TLS.
    pub tls: Tls,
    /// Waiting between attempts.
    pub retry: Retry,
    /// The circuit breaker.
    pub breaker: Breaker,
}

/// How a destination is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardProtocol {
    /// OTLP over gRPC.
    OtlpGrpc,
    /// OTLP over HTTP in protobuf.
    OtlpHttp,
    /// OTLP/JSON lines on standard output.
    Stdout,
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
    Bearer(SecretString),
    /// `<header>: <key>`.
    ApiKey {
        /// The header's name.
        header: String,
        /// The key.
        key: SecretString,
    },
    /// `Authorization: Basic …`.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretString,
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

/// Logging of the standalone service, to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe level that is written: `error`, `warn`, `info`, `debug`, `trace` or `off`.
    pub level: LogLevel,
    /// The form of a line.
    pub format: LogFormat,
}

/// Log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Console,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            output_dir: PathBuf::from("./output_dir"),
            durability: Durability::Written,
            commit_interval: Duration::from_millis(10),
            buffer: Buffer { max_bytes: 128 << 20 },
            limits: Limits {
                max_body: 64 << 20,
                max_request_memory: 256 << 20,
                max_connections: 1024,
                max_streams: 128,
                nesting: 64,
                header_bytes: 16 << 10,
                timeout: Duration::from_secs(30),
            },
            sealing: Sealing { compression: SealingCompression::Zstd, level: 1 },
            storage: Storage { min_free_bytes: 256 << 20 },
            listen: Listen::default(),
            insecure: false,
            protocols: Protocols { otlp_grpc: true, otlp_http: true },
            rotation: Rotation { max_bytes: 64 << 20, max_age: Duration::from_secs(15 * 60) },
            retention: Retention { max_age: [DAY, 7 * DAY, DAY], max_bytes: 4 << 30 },
            forward: Vec::new(),
            resource: Vec::new(),
            log: Log { level: LogLevel::Info, format: LogFormat::Console },
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

impl Destination {
    /// A destination of one URL with every default: OTLP/gRPC, all signals, gzip.
    pub fn new(name: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            endpoint: endpoint.into(),
            signal_endpoints: [None, None, None],
            protocol: ForwardProtocol::OtlpGrpc,
            signals: [true; 3],
            compression: ForwardCompression::Gzip,
            timeout: Duration::from_secs(10),
            max_in_flight: 4,
            headers: Vec::new(),
            auth: Auth::None,
            tls: Tls::default(),
            retry: Retry { initial: Duration::from_secs(1), max: Duration::from_secs(30), multiplier: 1.5 },
            breaker: Breaker {
                strategy: BreakerConfig::ConsecutiveFailures { failures: 5 },
                open: Duration::from_secs(5),
                max_open: Duration::from_secs(300),
            },
        }
    }
}
