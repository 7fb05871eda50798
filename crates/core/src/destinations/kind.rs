//! A kind of destination, and what it says of itself.

use std::fmt;
use std::sync::Arc;

use http::uri::Scheme;
use otlp_arrow_base::PerSignal;

use super::destination::Destination;
use super::request::Takes;
use super::settings::DestinationConfig;
use crate::error::Result;
use crate::key::Key;

/// Makes destinations of one kind.
pub trait DestinationKind: fmt::Debug + Send + Sync {
    /// What the kind says of itself.
    fn spec(&self) -> &Spec;

    /// Prepares a destination; nothing is connected yet. INVALID_CONFIG names the key that cannot be used.
    fn open(&self, config: &DestinationConfig) -> Result<Arc<dyn Destination>>;
}

/// What a kind of destination says of itself: configuration, schema, documentation, forwarding and counters ask nothing
/// else.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The word in `forward[].protocol`; its own keys are below `forward[].<name>`.
    pub name: &'static str,
    /// What it is, in a few words for a person.
    pub text: &'static str,
    /// In what form it is handed the records.
    pub takes: Takes,
    /// Signals it can take.
    pub signals: PerSignal<bool>,
    /// Where it sends to.
    pub target: Target,
    /// Keys of its own, named without what stands before them.
    pub keys: &'static [Key],
    /// Keys of every destination that have another default here, as `("max_in_flight", "1")`.
    pub defaults: &'static [(&'static str, &'static str)],
    /// `otel.component.type` of its counters without the signal, such as `otlp_grpc`; `None` if the semantic conventions
    /// have no exporter like it.
    pub component: Option<&'static str>,
}

/// Where a kind of destination sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A server, whose URL `forward[].endpoint` is; it must be given.
    Url {
        /// The port of a URL that has none; `None` for that of its scheme.
        port: Option<u16>,
        /// What such a URL looks like.
        example: &'static str,
    },
    /// Standard output, which then belongs to the data alone.
    StandardOutput,
    /// What its own keys say.
    OwnKeys,
}

impl Target {
    /// The port of a URL with this scheme and without a port. Unless the kind says so, the scheme decides it for a gRPC
    /// target as for an HTTP one (OTLP exporter specification).
    pub(crate) fn port(self, scheme: Option<&Scheme>) -> u16 {
        match self {
            Target::Url { port: Some(port), .. } => port,
            Target::Url { port: None, .. } | Target::StandardOutput | Target::OwnKeys => {
                if scheme == Some(&Scheme::HTTPS) { 443 } else { 80 }
            }
        }
    }
}

impl Spec {
    /// A kind for all signals without keys of its own.
    pub const fn new(name: &'static str, text: &'static str, takes: Takes, target: Target) -> Self {
        let signals = PerSignal { traces: true, metrics: true, logs: true };
        Self { name, text, takes, signals, target, keys: &[], defaults: &[], component: None }
    }
}

/// A kind of destination by name: what `forward[].protocol` is read into.
#[derive(Clone, Copy)]
pub struct Kind(&'static dyn DestinationKind);

impl Kind {
    /// A kind lives as long as the program.
    pub const fn new(kind: &'static dyn DestinationKind) -> Self {
        Self(kind)
    }

    /// What the kind says of itself.
    pub fn spec(self) -> &'static Spec {
        self.0.spec()
    }

    /// The word in `forward[].protocol`.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Prepares a destination; nothing is connected yet. INVALID_CONFIG names the key that cannot be used.
    pub fn open(self, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        self.0.open(config)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Kind {}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
