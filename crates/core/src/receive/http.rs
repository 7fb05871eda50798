//! OTLP/HTTP: one POST, one request in protobuf or JSON, one answer in the same encoding.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, header};
use otlp_arrow_columns::{DecodeError, Format, Limits, Signal};

use super::answer::{self, Answer};
use super::body::{self, Source};
use super::fault::Fault;
use super::inflate::Encoding;
use super::router::{Shared, WORTH_A_THREAD, apart, weight};
use super::wire;
use crate::stats::Protocol;
use crate::store::budget::Reservation;

/// The signal of an OTLP/HTTP path.
pub(super) fn signal(path: &str) -> Option<Signal> {
    match path {
        "/v1/traces" => Some(Signal::Traces),
        "/v1/metrics" => Some(Signal::Metrics),
        "/v1/logs" => Some(Signal::Logs),
        _ => None,
    }
}

/// The encoding a content type stands for, parameters and case aside.
pub(super) fn format(content_type: &[u8]) -> Option<Format> {
    let name = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [Format::Protobuf, Format::Json]
        .into_iter()
        .find(|format| name.eq_ignore_ascii_case(answer::media_type(*format).as_bytes()))
}

/// How much larger the protobuf may be that is tried for after the last try was too small: `1,` becomes eight bytes.
const GROWTH: usize = 4;

/// OTLP/JSON as OTLP protobuf, with a reservation that covers it while it is written.
fn from_json(
    shared: &Shared,
    signal: Signal,
    json: &[u8],
    mut reservation: Reservation,
) -> Result<(Bytes, Reservation), Fault> {
    let most = shared.limits.max_request_memory;
    // Protobuf is nearly always the smaller of the two; only lists of short numbers grow, and are read twice.
    let mut room = json.len().min(most);
    loop {
        reservation.grow(room - reservation.bytes())?;
        let limits = Limits { nesting: shared.limits.nesting, max_request_memory: room };
        match otlp_arrow_columns::json::to_protobuf(signal, json, &limits) {
            Err(DecodeError::TooLarge { .. }) if room < most => room = room.saturating_mul(GROWTH).min(most),
            read => return Ok((read?.into(), reservation)),
        }
    }
}

/// One OTLP export.
pub(super) async fn export(
    shared: &Shared,
    signal: Signal,
    parts: &Parts,
    format: Option<Format>,
    source: &mut Source,
) -> Result<Response<Answer>, Fault> {
    if parts.method != Method::POST {
        return Err(Fault::method(&parts.method, "POST"));
    }
    let Some(format) = format else {
        let given = parts.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let given = given.as_deref().unwrap_or("none");
        let known = "use application/x-protobuf or application/json";
        return Err(Fault::media_type(format!("unknown content type {given:?}: {known}")));
    };
    let encoding = Encoding::parse(parts.headers.get(header::CONTENT_ENCODING))?;
    let max = shared.limits.max_body;
    let mut reservation = shared.ingest.budget().reserve(signal, weight(parts))?;
    let mut bytes = body::whole(source, max, &mut reservation).await?;
    if let Some(encoding) = encoding {
        let mut grown = reservation.sibling();
        bytes = apart(bytes.len() > WORTH_A_THREAD / 8, || encoding.inflate(&bytes, max, &mut grown))?;
        reservation = grown;
    }
    if format == Format::Json {
        (bytes, reservation) =
            apart(bytes.len() > WORTH_A_THREAD / 8, || from_json(shared, signal, &bytes, reservation.sibling()))?;
    }
    let outcome = shared.keep(signal, Protocol::OtlpHttp, bytes, reservation).await?;
    Ok(answer::plain(200, answer::media_type(format), wire::response(signal, &outcome, format)))
}
