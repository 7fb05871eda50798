//! OTLP over gRPC: the unary `Export` of the three services.

use std::sync::Arc;

use http::Response;
use otlp_arrow_columns::{Format, Signal};
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answer, Answering, Messages, Refusal, Request, Route, Service, answer};
use otlp_arrow_wire::otlp;

use super::Door;
use super::door::Inside;
use super::export::{Intake, response};

pub(super) const DOOR: Door = Door {
    name: "otlp_grpc",
    telemetry: Some("OTLP/gRPC"),
    on: |config| config.protocols.otlp_grpc,
    open: |inside| Arc::new(OtlpGrpc::new(inside)),
};

struct OtlpGrpc {
    intake: Intake,
    max_body: usize,
}

impl OtlpGrpc {
    fn new(inside: &Inside) -> Self {
        Self { intake: Intake::new(DOOR.name, inside), max_body: inside.limits.max_body }
    }

    async fn export(&self, signal: Signal, request: &mut Request) -> Result<Response<Answer>, Refusal> {
        let hops = self.intake.hops(&request.head.headers)?;
        let reservation = self.intake.ingest.budget().reserve(signal, request.weight())?;
        let encoding = request.message_encoding()?;
        let messages = Messages::new(&mut request.body, encoding, self.max_body);
        let (bytes, reservation) = messages.one(reservation).await?;
        let outcome = self.intake.keep(signal, bytes, reservation, hops).await?;
        Ok(answer::grpc(&response(signal, &outcome, Format::Protobuf)))
    }
}

impl Service for OtlpGrpc {
    fn name(&self) -> &'static str {
        DOOR.name
    }

    fn routes(&self) -> Vec<Route> {
        Signal::ALL.map(|signal| Route::unary(otlp::grpc_path(signal)).of(signal)).into()
    }

    fn usage(&self) -> Option<&'static str> {
        Some("call Export of the OTLP gRPC services")
    }

    fn call<'a>(&'a self, request: &'a mut Request, _: &'a Identity) -> Answering<'a> {
        Box::pin(async move {
            match request.signal {
                Some(signal) => self.export(signal, request).await,
                None => Err(Refusal::invalid("this path has no signal")),
            }
        })
    }
}
