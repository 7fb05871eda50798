//! The one table of keys. Parsing, defaults, schema, documentation, `config print`, `config init` and the hints for
//! unknown names all come from here.

use std::borrow::Cow;
use std::sync::LazyLock;

use otlp_arrow_store::settings::SealingCompression;

use super::choice::{Choice, DurabilityWord, StrategyWord};
use super::types::{LogFormat, LogLevel};
use crate::destinations::{ForwardCompression, Kinds};
use crate::key::{Key, Kind};

const fn key(path: &'static str, kind: Kind, default: &'static str, text: &'static str) -> Key {
    Key::new(path, kind, default, text)
}

const DURABILITY: Kind = Kind::choice(DurabilityWord::WORDS);
const SEALING: Kind = Kind::choice(SealingCompression::WORDS);
const COMPRESSION: Kind = Kind::choice(ForwardCompression::WORDS);
const STRATEGY: Kind = Kind::choice(StrategyWord::WORDS);
const LEVEL: Kind = Kind::choice(LogLevel::WORDS);
const FORMAT: Kind = Kind::choice(LogFormat::WORDS);

/// What kind of destination it is.
const PROTOCOL: &str = "forward[].protocol";
/// How a destination is reached.
pub(crate) const PROXY: &str = "forward[].proxy";
/// The last key that every destination has; those of its kind come behind it.
const LAST_OF_A_DESTINATION: &str = "forward[].breaker.max_open";

/// What `listen: true` and the service listen on.
pub(crate) const STANDARD_LISTEN: [(&str, &str); 2] = [("grpc", "127.0.0.1:4317"), ("http", "127.0.0.1:4318")];

/// What is on in the service and off in a library.
pub(crate) const ON_IN_THE_SERVICE: &[&str] = &["dashboard", "mcp"];

/// Every key but those of a kind of destination, in the order of the documentation.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("output_dir", Kind::Path, "./output_dir", "where the files go"),
    key("durability", DURABILITY, "written", "what an acknowledgement means"),
    key("write_interval", Kind::Duration("1ms", "1h"), "5s", "with `durability: buffered` only: the longest time accepted data stays in memory only"),
    key("commit_interval", Kind::Duration("0s", "10s"), "10ms", "how long a commit may wait for more data to share it with"),
    key("buffer.max_bytes", Kind::Size("1MiB", "1TiB"), "128MiB", "memory for data that is accepted and not yet committed, all signals together; one signal takes at most three quarters, and beside it one request at a time may take what its limits allow; by default a quarter of the limit of memory (cgroup) where that is less"),
    key("limits.max_request_memory", Kind::Size("1MiB", "1TiB"), "256MiB", "the most memory one request may take as columns; twice buffer.max_bytes where that is less"),
    key("limits.max_body", Kind::Size("1KiB", "2GiB"), "64MiB", "the largest request body, before and after decompression and as protobuf; three quarters of buffer.max_bytes where that is less"),
    key("limits.max_connections", Kind::Count(1, 1_000_000), "1024", "open connections"),
    key("limits.max_streams", Kind::Count(1, 100_000), "128", "concurrent requests on one HTTP/2 connection; an eighth, if it is one of more than 128"),
    key("limits.nesting", Kind::Count(1, 64), "64", "levels of arrays and maps in one value"),
    key("limits.header_bytes", Kind::Size("1KiB", "1MiB"), "16KiB", "all headers of one request"),
    key("limits.timeout", Kind::Duration("100ms", "1h"), "30s", "the longest a request may take to arrive"),
    key("sealing.compression", SEALING, "zstd", "compression of sealed files"),
    key("sealing.level", Kind::Count(1, 19), "1", "level of zstd"),
    key("storage.min_free_bytes", Kind::Size("0B", "1024TiB"), "256MiB", "new data is refused when the disk would have less room than this; by default 5 % of the volume where that is less"),
    key("storage.mode", Kind::Mode, "0600", "who may use the files: `0640` lets the group read them, `0660` also record into the directory; folders follow, whatever the umask is; not on Windows"),
    key("storage.group", Kind::Text, "", "group that files and folders belong to, by name or number; needs a mode that lets the group in; not on Windows"),
    key("listen.grpc", Kind::Address, "", "first listener, `127.0.0.1:4317` in the service and with `listen: true`; port 0 takes a free one; `off` for none"),
    key("listen.http", Kind::Address, "", "second listener, `127.0.0.1:4318` in the service and with `listen: true`; both answer every protocol"),
    key("insecure", Kind::Flag, "false", "allows listening on an address that other machines reach, without credentials"),
    key("protocols.otlp_grpc", Kind::Flag, "true", "answer OTLP over gRPC"),
    key("protocols.otlp_http", Kind::Flag, "true", "answer OTLP over HTTP"),
    key("protocols.otap", Kind::Flag, "true", "answer OTAP, the OTel-Arrow protocol"),
    key("protocols.api", Kind::Flag, "true", "answer questions about what is kept, at `/api/v1`, to this machine only; Rust programs add it with the crate `otlp-arrow-api`"),
    key("protocols.flight", Kind::Flag, "true", "answer Arrow Flight: rows are taken as OTLP is, and given to this machine only; Rust programs add it with the crate `otlp-arrow-flight`"),
    key("dashboard", Kind::Flag, "false", "show what is kept as pages of a browser, at `/` of the addresses that are listened on, to this machine only; `true` in the service; Rust programs add it with the crate `otlp-arrow-dashboard`"),
    key("mcp", Kind::Flag, "false", "answer tools for coding agents (MCP) at `/mcp`, to this machine only; on in the service; Rust programs add them with the crate `otlp-arrow-mcp`"),
    key("rotation.max_bytes", Kind::Size("64KiB", "64GiB"), "64MiB", "a live file is closed at this size; by default 1/32 of the space where that is less"),
    key("rotation.max_age", Kind::Duration("1s", "30d"), "15m", "a live file is closed at this age; at most a quarter of each retention age"),
    key("retention.traces.max_age", Kind::Duration("4s", "36500d"), "24h", "traces older than this are deleted"),
    key("retention.logs.max_age", Kind::Duration("4s", "36500d"), "24h", "logs older than this are deleted"),
    key("retention.metrics.max_age", Kind::Duration("4s", "36500d"), "7d", "metrics older than this are deleted"),
    key("retention.max_bytes", Kind::Size("1MiB", "1024TiB"), "4GiB", "the most the directory may take; the oldest files go first; by default half of the space (what is free and what the directory takes) where that is less, and then down to a quarter of it while others fill the volume"),
    key("forward[].name", Kind::Name, "", "name in counters, events and cursors; `default` for a single destination, else its position"),
    key("forward[].endpoint", Kind::Url, "", "base URL of the destination, such as `http://collector:4317`"),
    // Its words are the kinds of destinations.
    key(PROTOCOL, Kind::choice(&[]), "otlp_grpc", "how it is spoken to"),
    key("forward[].signals", Kind::Signals, "traces, metrics, logs", "signals it takes"),
    key("forward[].compression", COMPRESSION, "none", "compression of requests; gzip where the network costs more than the processor"),
    key("forward[].timeout", Kind::Duration("10ms", "1h"), "10s", "the longest one request may take"),
    key("forward[].max_in_flight", Kind::Count(1, 64), "4", "requests on their way at once; 1 keeps the order"),
    key("forward[].memory", Kind::Size("0B", "64GiB"), "16MiB", "memory for fresh data that is forwarded as it came; the rest is read back from disk; by default an eighth of the limit of memory (cgroup) where that is less"),
    key("forward[].headers", Kind::Headers, "", "headers of each request; values may be `{env: NAME}` or `{file: PATH}`"),
    key("forward[].auth.bearer", Kind::Secret, "", "`Authorization: Bearer …`"),
    key("forward[].auth.api_key.header", Kind::Name, "x-api-key", "name of the API key header"),
    key("forward[].auth.api_key.key", Kind::Secret, "", "the API key"),
    key("forward[].auth.basic.username", Kind::Secret, "", "user name of `Authorization: Basic …`"),
    key("forward[].auth.basic.password", Kind::Secret, "", "password of `Authorization: Basic …`"),
    key("forward[].tls.ca_file", Kind::Path, "", "PEM file of authorities to trust instead of the system's"),
    key("forward[].tls.cert_file", Kind::Path, "", "PEM file of the client certificate"),
    key("forward[].tls.key_file", Kind::Path, "", "PEM file of the client key"),
    key("forward[].tls.ca_pem", Kind::Secret, "", "instead of ca_file: the PEM itself"),
    key("forward[].tls.cert_pem", Kind::Secret, "", "instead of cert_file: the PEM itself"),
    key("forward[].tls.key_pem", Kind::Secret, "", "instead of key_file: the PEM itself"),
    key("forward[].tls.server_name", Kind::Text, "", "name to expect in the server's certificate"),
    key("forward[].proxy.url", Kind::Proxy, "", "the proxy to go through; where it is not set, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY count"),
    key("forward[].proxy.username", Kind::Secret, "", "user name for the proxy, if its URL has none"),
    key("forward[].proxy.password", Kind::Secret, "", "password for the proxy, if its URL has none"),
    key("forward[].proxy.tls.ca_file", Kind::Path, "", "PEM file of authorities to trust for the proxy instead of the system's"),
    key("forward[].proxy.tls.cert_file", Kind::Path, "", "PEM file of the certificate that is shown to the proxy"),
    key("forward[].proxy.tls.key_file", Kind::Path, "", "PEM file of its key"),
    key("forward[].proxy.tls.ca_pem", Kind::Secret, "", "instead of ca_file: the PEM itself"),
    key("forward[].proxy.tls.cert_pem", Kind::Secret, "", "instead of cert_file: the PEM itself"),
    key("forward[].proxy.tls.key_pem", Kind::Secret, "", "instead of key_file: the PEM itself"),
    key("forward[].retry.initial", Kind::Duration("1ms", "1h"), "1s", "wait before the second attempt"),
    key("forward[].retry.max", Kind::Duration("1ms", "1d"), "30s", "longest wait between attempts"),
    key("forward[].retry.multiplier", Kind::Number(1.0, 10.0), "1.5", "growth of the wait"),
    key("forward[].breaker.strategy", STRATEGY, "consecutive_failures", "what opens the circuit breaker"),
    key("forward[].breaker.failures", Kind::Count(1, 1_000_000), "5", "with consecutive_failures: how many"),
    key("forward[].breaker.rate", Kind::Number(0.01, 1.0), "0.5", "with failure_rate: the share that opens it"),
    key("forward[].breaker.minimum", Kind::Count(1, 1_000_000), "20", "with failure_rate: fewer requests in the window never open it"),
    key("forward[].breaker.window", Kind::Duration("100ms", "1d"), "30s", "with failure_rate: the window"),
    key("forward[].breaker.open", Kind::Duration("1ms", "1d"), "5s", "first open time; it doubles, with jitter"),
    key(LAST_OF_A_DESTINATION, Kind::Duration("1ms", "1d"), "5m", "longest open time"),
    key("query.timeout", Kind::Duration("10ms", "1h"), "30s", "the longest a question may take; what was found by then is the answer, which says so"),
    key("query.max_memory", Kind::Size("16MiB", "1TiB"), "512MiB", "memory for what questions read and keep, all of them together"),
    key("query.max_rows", Kind::Count(1, 100_000_000), "100000", "the most rows of one answer"),
    key("query.max_concurrent", Kind::Count(1, 1024), "4", "questions answered at once; others wait for their turn"),
    key("query.index_memory", Kind::Size("1MiB", "1TiB"), "64MiB", "memory for what is kept of files between questions"),
    key("resource", Kind::Attributes, "", "attributes of records handed over without a resource, on top of `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`"),
    key("on_event.webhook", Kind::Secret, "", "URL that each event is posted to as JSON; may be `{env: NAME}` or `{file: PATH}`"),
    key("on_event.command", Kind::Command, "", "program and arguments that are run for each event, which it reads as JSON from standard input"),
    key("log.level", LEVEL, "info", "the least severe level of the service's log"),
    key("log.format", FORMAT, "console", "form of the service's log lines on standard error"),
    key("shutdown_timeout", Kind::Duration("0s", "1h"), "10s", "how long a shutdown may take"),
];

/// What the keys below a name have in common, in the order of the documentation.
#[rustfmt::skip]
const GROUPS: &[(&str, &str)] = &[
    ("buffer", "memory for data that is accepted and not yet committed"),
    ("limits", "bounds on what others send"),
    ("sealing", "the form of sealed files"),
    ("storage", "space that is left to others on the disk, and who may use the files"),
    ("listen", "addresses to listen on; true for the two standard ones, false for none"),
    ("protocols", "protocols that are answered"),
    ("rotation", "when a live file is closed"),
    ("retention", "when a file is deleted"),
    ("retention.traces", "when files of traces are deleted"),
    ("retention.logs", "when files of logs are deleted"),
    ("retention.metrics", "when files of metrics are deleted"),
    ("forward", "where data is forwarded to: one destination, several, or env for the OTEL_EXPORTER_OTLP_* variables"),
    ("forward[]", "one destination data is forwarded to"),
    ("forward[].auth", "credentials for the destination, one of these"),
    ("forward[].auth.api_key", "an API key in a header"),
    ("forward[].auth.basic", "user name and password"),
    ("forward[].tls", "TLS towards the destination; used with https URLs"),
    (PROXY, "the proxy to go through; its URL, or none, may stand for all of it"),
    ("forward[].proxy.tls", "TLS towards a proxy whose URL begins with https"),
    ("forward[].retry", "waiting between attempts"),
    ("forward[].breaker", "the circuit breaker"),
    ("query", "bounds on questions about what is kept"),
    ("on_event", "who is told of events, besides the program itself"),
    ("log", "the log of the standalone service"),
];

/// The table with the keys of the kinds of destinations that a configuration may name.
#[derive(Debug)]
pub(crate) struct Table {
    kinds: Kinds,
    keys: Vec<Key>,
    groups: Vec<(Cow<'static, str>, &'static str)>,
}

/// The table of the kinds that this crate brings.
pub(crate) fn standard() -> &'static Table {
    static STANDARD: LazyLock<Table> = LazyLock::new(|| Table::new(&Kinds::default()));
    &STANDARD
}

impl Table {
    pub(crate) fn new(kinds: &Kinds) -> Self {
        let mut keys = Vec::with_capacity(KEYS.len());
        for key in KEYS {
            let mut key = key.clone();
            if key.path == PROTOCOL {
                key.kind = Kind::Choice(kinds.iter().map(|kind| (kind.spec().name, kind.spec().text)).collect());
            }
            let last = key.path == LAST_OF_A_DESTINATION;
            keys.push(key);
            if last {
                keys.extend(kinds.iter().flat_map(|kind| {
                    let below = format!("forward[].{}", kind.name());
                    kind.spec().keys.iter().map(move |key| {
                        let path = Cow::Owned(format!("{below}.{}", key.path));
                        Key { path, ..key.clone() }
                    })
                }));
            }
        }
        let mut groups = Vec::with_capacity(GROUPS.len());
        for (path, text) in GROUPS {
            groups.push((Cow::Borrowed(*path), *text));
            if *path == "forward[].breaker" {
                let own = kinds.iter().filter(|kind| !kind.spec().keys.is_empty());
                groups.extend(own.map(|kind| (Cow::Owned(format!("forward[].{}", kind.name())), kind.spec().text)));
            }
        }
        Self { kinds: kinds.clone(), keys, groups }
    }

    /// The kinds of destinations.
    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Every key, in the order of the documentation.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What the keys below a name have in common, in the order of the documentation.
    #[cfg(test)]
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|(path, _)| &**path)
    }

    /// What the keys below `prefix` have in common; empty for what is not a group.
    pub(crate) fn group(&self, prefix: &str) -> &'static str {
        self.groups.iter().find(|(path, _)| path == prefix).map_or("", |(_, text)| text)
    }

    /// The row of a path with positions (`forward[0].name`) or without.
    pub(crate) fn lookup(&self, path: &str) -> Option<&Key> {
        let template = template(path);
        self.keys.iter().find(|key| key.path == template)
    }

    /// The names that may stand below `prefix` (a template, empty for the top), in table order.
    pub(crate) fn children(&self, prefix: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for key in &self.keys {
            let rest = match prefix {
                "" => Some(&*key.path),
                _ => key.path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')),
            };
            if let Some(name) = rest.and_then(|rest| rest.split(['.', '[']).next())
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }
}

/// `forward[3].name` as the table writes it: `forward[].name`.
pub(crate) fn template(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut skipping = false;
    for c in path.chars() {
        match c {
            '[' => {
                out.push(c);
                skipping = true;
            }
            ']' => {
                out.push(c);
                skipping = false;
            }
            _ if skipping => {}
            _ => out.push(c),
        }
    }
    out
}
