//! The vocabulary every layer shares: which telemetry, in which encoding.

use std::fmt;
use std::str::FromStr;

/// One of the three OpenTelemetry signals that are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// Every signal, in the order used for directories, counters and reports.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// `traces`, `metrics` or `logs`: the name in paths, configuration, counters and all three languages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// Position in [`Signal::ALL`], for arrays with one entry a signal.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Signal {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Signal::ALL
            .into_iter()
            .find(|signal| signal.as_str() == name)
            .ok_or_else(|| UnknownName::new("signal", name, "traces, metrics or logs"))
    }
}

/// An encoding of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One `Export*ServiceRequest` in binary protobuf.
    Protobuf,
    /// One `Export*ServiceRequest` in OTLP/JSON.
    Json,
}

impl Format {
    /// `protobuf` or `json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Protobuf => "protobuf",
            Format::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "protobuf" => Ok(Format::Protobuf),
            "json" => Ok(Format::Json),
            _ => Err(UnknownName::new("format", name, "protobuf or json")),
        }
    }
}

/// A word that names nothing here. Its text says which word, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    what: &'static str,
    given: String,
    allowed: &'static str,
}

impl UnknownName {
    fn new(what: &'static str, given: &str, allowed: &'static str) -> Self {
        Self { what, given: given.to_owned(), allowed }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}: use {}", self.what, self.given, self.allowed)
    }
}

impl std::error::Error for UnknownName {}
