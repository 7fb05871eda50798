//! The kinds of destinations that can be configured.

use super::kind::Kind;
#[cfg(not(feature = "forward"))]
use super::left_out;
#[cfg(feature = "forward")]
use super::{flight, otap, otlp_grpc, otlp_http, stdout};

/// The kinds that every configuration may name. A new one is one file and its line here.
#[cfg(feature = "forward")]
const STANDARD: &[Kind] = &[otlp_grpc::KIND, otlp_http::KIND, otap::KIND, flight::KIND, stdout::KIND];

#[cfg(not(feature = "forward"))]
const STANDARD: &[Kind] = &[left_out::OTLP_GRPC, left_out::OTLP_HTTP];

#[cfg(feature = "forward")]
impl Kind {
    /// OTLP over gRPC.
    pub const OTLP_GRPC: Kind = otlp_grpc::KIND;
    /// OTLP over HTTP, as protobuf.
    pub const OTLP_HTTP: Kind = otlp_http::KIND;
    /// OTAP: Arrow over gRPC.
    pub const OTAP: Kind = otap::KIND;
    /// OTLP/JSON on standard output, one request a line.
    pub const STDOUT: Kind = stdout::KIND;
}

#[cfg(not(feature = "forward"))]
impl Kind {
    pub(crate) const OTLP_GRPC: Kind = left_out::OTLP_GRPC;
    pub(crate) const OTLP_HTTP: Kind = left_out::OTLP_HTTP;
}

/// The kinds of destinations that a configuration may name.
#[derive(Clone, Debug)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// These and one more; of two kinds of one name the later one counts.
    #[must_use]
    pub fn with(mut self, kind: Kind) -> Self {
        self.0.retain(|known| *known != kind);
        self.0.push(kind);
        self
    }

    /// The kind of this name.
    pub fn find(&self, name: &str) -> Option<Kind> {
        self.iter().find(|kind| kind.name() == name)
    }

    /// All of them, in the order of the documentation.
    pub fn iter(&self) -> impl Iterator<Item = Kind> + '_ {
        self.0.iter().copied()
    }
}

/// Those that this crate brings.
impl Default for Kinds {
    fn default() -> Self {
        Self(STANDARD.to_vec())
    }
}
