//! The configuration as the program uses it: types in which a wrong value cannot exist.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow_store::settings::{Durability, Retention, Rotation, Sealing};

use super::choice::choice;
use crate::destinations::{DestinationConfig, Secret};

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
    /// Room that is left to others on the disk, and who may use the files.
    pub storage: Storage,
    /// Addresses to listen on.
    pub listen: Listen,
    /// Allows listening on an address that is not loopback without credentials.
    pub insecure: bool,
    /// Protocols that are answered.
    pub protocols: Protocols,
    /// Shows what is kept as pages of a browser, to this machine only, where something is listened on. A Rust program adds what
    /// serves them with `otlp-arrow-dashboard`.
    pub dashboard: bool,
    /// Tools for coding agents (MCP), answered to this machine only; on in the service. A Rust program adds what answers with
    /// `otlp-arrow-mcp`.
    pub mcp: bool,
    /// When a live file is closed.
    pub rotation: Rotation,
    /// When a file is deleted.
    pub retention: Retention,
    /// Where data is forwarded to.
    pub forward: Vec<DestinationConfig>,
    /// Bounds on questions about what is kept.
    pub query: Query,
    /// Resource attributes of spans and records that are handed over without a resource, in order.
    pub resource: Vec<(String, String)>,
    /// Who is told of events, besides the program itself.
    pub on_event: OnEvent,
    /// Logging of the standalone service.
    #[doc(hidden)]
    pub log: Log,
    /// How long `shutdown` may take.
    pub shutdown_timeout: Duration,
    /// What is still to be fitted to the volume and the memory of this process.
    #[doc(hidden)]
    pub fit: Fit,
}

/// What of a configuration is still to be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Fit {
    /// Opening reduces the sizes that are those of the table: this configuration was built by hand.
    pub(crate) at_open: bool,
    /// The oldest files make way when the volume is full: nobody said how large the directory is to be.
    pub(crate) makes_way: bool,
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

/// Room that is left to others on the disk, and who may use the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// New data is refused when the file system would have fewer free bytes than this.
    pub min_free_bytes: u64,
    /// Rights of files, such as `0o640`; folders can be entered by whoever may read them.
    pub mode: u32,
    /// The group that files and folders belong to, by name or number; the one the system gives them without.
    pub group: Option<String>,
}

/// Addresses to listen on. Port 0 takes any free port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// The gRPC listener; 127.0.0.1:4317 in the service.
    pub grpc: Option<SocketAddr>,
    /// The HTTP listener; 127.0.0.1:4318 in the service.
    pub http: Option<SocketAddr>,
}

/// Protocols that are answered. Both listeners answer every protocol that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// OTLP over gRPC.
    pub otlp_grpc: bool,
    /// OTLP over HTTP, protobuf and JSON.
    pub otlp_http: bool,
    /// OTAP, the OTel-Arrow protocol.
    pub otap: bool,
    /// Questions over HTTP, answered to this machine only. A Rust program adds what answers them with `otlp-arrow-api`.
    pub api: bool,
    /// Arrow Flight; rows are given to this machine only. A Rust program adds what answers it with `otlp-arrow-flight`.
    pub flight: bool,
}

/// Bounds on questions about what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The longest a question may take; what was found by then is the answer, which says so.
    pub timeout: Duration,
    /// Bytes for what questions read and keep, all of them together.
    pub max_memory: usize,
    /// The most rows of one answer.
    pub max_rows: usize,
    /// Questions answered at once; others wait for their turn.
    pub max_concurrent: usize,
    /// Bytes for what is kept of files between questions.
    pub index_memory: usize,
}

/// Who is told of events, besides the program itself.
#[derive(Clone, Debug, Default)]
pub struct OnEvent {
    /// URL that each event is posted to as JSON. Such URLs often carry a token, so it is a secret.
    pub webhook: Option<Secret>,
    /// Program and arguments that are run for each event; the event is JSON on standard input.
    pub command: Option<Vec<String>>,
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

choice!(
    LogLevel,
    Off = "off"("nothing"),
    Error = "error"("what failed"),
    Warn = "warn"("and what needs a look"),
    Info = "info"("and what was done"),
    Debug = "debug"("and how"),
    Trace = "trace"("and everything"),
);

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Console,
    /// One JSON object a line.
    Json,
}

choice!(LogFormat, Console = "console"("for people"), Json = "json"("one JSON object a line"));
