//! Unary gRPC over HTTP/2: frames in, one answer out.
//!
//! Written here rather than taken from a gRPC library because OTLP asks for other statuses than they give, and because
//! a message that arrived in one piece is handed on without a copy.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::request::Parts;
use http::{HeaderName, Method, Response, Version};
use otlp_arrow_columns::{Format, Signal};

use super::answer::{self, Answer};
use super::body::{Gather, Source, over};
use super::fault::Fault;
use super::inflate::Encoding;
use super::router::{Shared, WORTH_A_THREAD, apart, weight};
use super::wire;
use crate::stats::Protocol;
use crate::store::budget::Reservation;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Whether a content type is gRPC: `application/grpc`, or with `+` or `;` behind it. gRPC-Web is something else.
pub(super) fn is_grpc(content_type: &[u8]) -> bool {
    const NAME: &[u8] = b"application/grpc";
    content_type.len() >= NAME.len()
        && content_type[..NAME.len()].eq_ignore_ascii_case(NAME)
        && matches!(content_type.get(NAME.len()), None | Some(b'+' | b';' | b' '))
}

/// The signal of an OTLP method.
pub(super) fn signal(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        _ => None,
    }
}

/// How long the client waits, from `grpc-timeout`; None if it does not say.
pub(super) fn timeout(parts: &Parts) -> Option<Duration> {
    let text = parts.headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// What every gRPC request must be, whatever its path.
pub(super) fn admit(parts: &Parts, content_type: &[u8]) -> Result<(), Fault> {
    if parts.version != Version::HTTP_2 {
        return Err(Fault::media_type("gRPC needs HTTP/2: over HTTP/1.1 send application/x-protobuf to /v1/…".into()));
    }
    if parts.method != Method::POST {
        return Err(Fault::method(&parts.method, "POST"));
    }
    let subtype = content_type["application/grpc".len()..].split(|byte| *byte == b';').next().unwrap_or_default();
    if !matches!(subtype.trim_ascii(), b"" | b"+proto") {
        let given = String::from_utf8_lossy(content_type);
        return Err(Fault::media_type(format!("unknown gRPC content type {given:?}: use application/grpc+proto")));
    }
    Ok(())
}

/// The one message of a unary request, without its compression.
pub(super) async fn message(
    parts: &Parts,
    source: &mut Source,
    max: usize,
    mut reservation: Reservation,
) -> Result<(Bytes, Reservation), Fault> {
    let encoding = Encoding::parse(parts.headers.get(GRPC_ENCODING))?;
    let (compressed, message) = framed(source, max, &mut reservation).await?;
    match (compressed, encoding) {
        (false, _) => Ok((message, reservation)),
        (true, None) => Err(Fault::invalid("the message is marked as compressed but grpc-encoding does not say how")),
        (true, Some(encoding)) => {
            let mut grown = reservation.sibling();
            let message = apart(message.len() > WORTH_A_THREAD / 8, || encoding.inflate(&message, max, &mut grown))?;
            Ok((message, grown))
        }
    }
}

/// Reads the five bytes of the prefix and the message behind it, and sees that nothing follows.
async fn framed(source: &mut Source, max: usize, reservation: &mut Reservation) -> Result<(bool, Bytes), Fault> {
    const NOT_ONE: &str = "a unary call takes exactly one message";
    let mut prefix = [0; 5];
    let mut missing = prefix.len();
    let mut rest = Bytes::new();
    while missing > 0 {
        let Some(mut piece) = source.next().await? else {
            return Err(match missing {
                5 => Fault::message_count(NOT_ONE),
                _ => Fault::invalid("the body ends within the five bytes before the message"),
            });
        };
        let take = piece.len().min(missing);
        let from = prefix.len() - missing;
        piece.copy_to_slice(&mut prefix[from..from + take]);
        missing -= take;
        rest = piece;
    }
    let [flag, length @ ..] = prefix;
    if flag > 1 {
        return Err(Fault::invalid(format!("the message begins with {flag}, which is neither 0 nor 1 (compressed)")));
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > max {
        return Err(over(length, max));
    }
    let mut gather = Gather::new(length);
    let mut piece = Some(rest);
    while let Some(next) = piece {
        if next.len() > length - gather.len() {
            return Err(Fault::message_count(NOT_ONE));
        }
        if !next.is_empty() {
            gather.push(next, reservation)?;
        }
        piece = source.next().await?;
    }
    if gather.len() < length {
        return Err(Fault::invalid(format!("the body ends after {} of the message's {length} bytes", gather.len())));
    }
    Ok((flag == 1, gather.finish()))
}

/// One OTLP export.
pub(super) async fn export(
    shared: &Shared,
    signal: Signal,
    parts: &Parts,
    source: &mut Source,
) -> Result<Response<Answer>, Fault> {
    let reservation = shared.ingest.budget().reserve(signal, weight(parts))?;
    let (bytes, reservation) = message(parts, source, shared.limits.max_body, reservation).await?;
    let outcome = shared.keep(signal, Protocol::OtlpGrpc, bytes, reservation).await?;
    Ok(answer::grpc(&wire::response(signal, &outcome, Format::Protobuf)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_is_grpc() {
        for yes in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=x"] {
            assert!(is_grpc(yes.as_bytes()), "{yes}");
        }
        for no in ["application/grpc-web", "application/grpc-web+proto", "application/x-protobuf", ""] {
            assert!(!is_grpc(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn timeouts_have_a_unit_and_at_most_eight_digits() {
        let parse = |text: &str| {
            let (parts, ()) = http::Request::builder().header("grpc-timeout", text).body(()).unwrap().into_parts();
            timeout(&parts)
        };
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("100m"), Some(Duration::from_millis(100)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "5", "m", "123456789S", "-1S", "1\u{e4}"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
