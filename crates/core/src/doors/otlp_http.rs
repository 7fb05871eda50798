//! OTLP/HTTP: one POST, one request in protobuf or JSON, one answer in the same encoding.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, header};
use otlp_arrow_columns::{DecodeError, Format, Limits, Signal};
use otlp_arrow_net::encoding::{Encoding, trimmed};
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{
    Answer, Answering, Refusal, Request, Route, Service, WORTH_A_THREAD, answer, apart, unpacked,
};
use otlp_arrow_wire::otlp;

use super::Door;
use super::door::Inside;
use super::export::{Intake, response};
use crate::config;
use crate::error::OtlpError;
use crate::store::budget::Reservation;

pub(super) const DOOR: Door = Door {
    name: "otlp_http",
    telemetry: Some("OTLP/HTTP"),
    on: |config| config.protocols.otlp_http,
    open: |inside| Arc::new(OtlpHttp::new(inside)),
};

struct OtlpHttp {
    intake: Intake,
    limits: config::Limits,
}

/// How much larger the protobuf may be that is tried for after the last try was too small: `1,` becomes eight bytes.
const GROWTH: usize = 4;

impl OtlpHttp {
    fn new(inside: &Inside) -> Self {
        Self { intake: Intake::new(DOOR.name, inside), limits: inside.limits.clone() }
    }

    /// OTLP/JSON as OTLP protobuf, with a reservation that covers it while it is written.
    fn protobuf_of(
        &self,
        signal: Signal,
        json: &[u8],
        mut reservation: Reservation,
    ) -> Result<(Bytes, Reservation), Refusal> {
        // As protobuf a request may take no more than one that was sent so. It is nearly always the smaller of the two;
        // only lists of short numbers grow, and are read twice.
        let most = self.limits.max_body.min(self.limits.max_request_memory);
        let mut room = json.len().min(most);
        loop {
            reservation.grow(room - reservation.bytes())?;
            let limits = Limits { nesting: self.limits.nesting, max_request_memory: room };
            match otlp_arrow_columns::json::to_remarked_protobuf(signal, json, &limits) {
                Err(DecodeError::TooLarge { .. }) if room < most => room = room.saturating_mul(GROWTH).min(most),
                read => return Ok((trimmed(read.map_err(OtlpError::from)?), reservation)),
            }
        }
    }

    async fn export(&self, signal: Signal, request: &mut Request) -> Result<Response<Answer>, Refusal> {
        let headers = &request.head.headers;
        let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
        let Some(format) = otlp::of_media_type(content_type.unwrap_or_default()) else {
            let given = content_type.map_or("none".into(), String::from_utf8_lossy);
            let known = "use application/x-protobuf or application/json";
            return Err(Refusal::media_type(format!("unknown content type {given:?}: {known}")));
        };
        let hops = self.intake.hops(headers)?;
        let encoding = Encoding::parse(headers.get(header::CONTENT_ENCODING))?;
        let max = self.limits.max_body;
        let mut reservation = self.intake.ingest.budget().reserve(signal, request.weight())?;
        let mut bytes = request.body.complete(max, &mut reservation).await?;
        if let Some(encoding) = encoding {
            let mut grown = reservation.sibling();
            bytes = unpacked(encoding, &bytes, max, &mut grown)?;
            reservation.become_sibling(grown);
            reservation.settle(bytes.len());
        }
        if format == Format::Json {
            let long = bytes.len() > WORTH_A_THREAD / 8;
            let read = apart(long, || self.protobuf_of(signal, &bytes, reservation.sibling()))?;
            bytes = read.0;
            reservation.become_sibling(read.1);
            reservation.settle(bytes.len());
        }
        let outcome = self.intake.keep(signal, bytes, reservation, hops).await?;
        Ok(answer::plain(200, otlp::media_type(format), response(signal, &outcome, format)))
    }
}

impl Service for OtlpHttp {
    fn name(&self) -> &'static str {
        DOOR.name
    }

    fn routes(&self) -> Vec<Route> {
        Signal::ALL.map(|signal| Route::post(otlp::http_path(signal)).of(signal)).into()
    }

    fn usage(&self) -> Option<&'static str> {
        Some("POST /v1/traces, /v1/metrics or /v1/logs")
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
