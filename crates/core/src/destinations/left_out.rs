//! The kinds that configuration has to name, where the feature `forward` is left out: nothing opens them.

use std::sync::Arc;

use super::destination::Destination;
use super::kind::{DestinationKind, Kind, Spec, Target};
use super::request::Takes;
use super::settings::DestinationConfig;
use crate::error::{Code, OtlpError, Result};

/// OTLP over gRPC.
pub(crate) const OTLP_GRPC: Kind = Kind::new(&LeftOut(Spec::new("otlp_grpc", "", Takes::Otlp, Target::OwnKeys)));
/// OTLP over HTTP.
pub(crate) const OTLP_HTTP: Kind = Kind::new(&LeftOut(Spec::new("otlp_http", "", Takes::Otlp, Target::OwnKeys)));

#[derive(Debug)]
struct LeftOut(Spec);

impl DestinationKind for LeftOut {
    fn spec(&self) -> &Spec {
        &self.0
    }

    fn open(&self, _: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        let message = "forward is not in this build: compile otlp-arrow with the Cargo feature forward";
        Err(OtlpError::new(Code::InvalidConfig, message))
    }
}
