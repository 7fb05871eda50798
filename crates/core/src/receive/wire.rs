//! The few messages a door answers with, in protobuf and JSON: `Export*ServiceResponse` and `google.rpc.Status`.

use std::time::Duration;

use otlp_arrow_columns::{Format, Signal};

use super::fault::Fault;
use crate::outcome::ExportOutcome;
use crate::protobuf::{bytes, number};

/// Longest text of an answer, in bytes: a gRPC message travels in a header.
const MAX_MESSAGE: usize = 1024;

fn shortened(message: &str) -> &str {
    let mut end = message.len().min(MAX_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// `Export*ServiceResponse`: empty, or with `partial_success`.
pub(super) fn response(signal: Signal, outcome: &ExportOutcome, format: Format) -> Vec<u8> {
    let message = shortened(&outcome.message);
    let partial = outcome.rejected > 0 || !message.is_empty();
    match format {
        Format::Protobuf => {
            let mut out = Vec::new();
            if partial {
                let mut inner = Vec::with_capacity(message.len() + 16);
                number(&mut inner, 1, outcome.rejected);
                bytes(&mut inner, 2, message.as_bytes());
                bytes(&mut out, 1, &inner);
            }
            out
        }
        Format::Json if !partial => b"{}".to_vec(),
        Format::Json => {
            let name = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Metrics => "rejectedDataPoints",
                Signal::Logs => "rejectedLogRecords",
            };
            let inner = serde_json::json!({ name: outcome.rejected.to_string(), "errorMessage": message });
            serde_json::json!({ "partialSuccess": inner }).to_string().into_bytes()
        }
    }
}

/// `google.rpc.Status` with `BadRequest` or `RetryInfo`, where there is something to say.
pub(super) fn status(fault: &Fault, format: Format) -> Vec<u8> {
    let message = shortened(fault.message());
    let status = fault.status();
    match format {
        Format::Protobuf => {
            let mut out = Vec::with_capacity(message.len() * 2 + 128);
            number(&mut out, 1, status.grpc as u64);
            bytes(&mut out, 2, message.as_bytes());
            if let Some(delay) = status.retry_after {
                let mut duration = Vec::new();
                number(&mut duration, 1, delay.as_secs());
                number(&mut duration, 2, u64::from(delay.subsec_nanos()));
                let mut info = Vec::new();
                bytes(&mut info, 1, &duration);
                any(&mut out, RETRY_INFO, &info);
            }
            if fault.is_bad_data() {
                let mut violation = Vec::new();
                bytes(&mut violation, 2, message.as_bytes());
                let mut request = Vec::new();
                bytes(&mut request, 1, &violation);
                any(&mut out, BAD_REQUEST, &request);
            }
            out
        }
        Format::Json => {
            let mut details = Vec::new();
            if let Some(delay) = status.retry_after {
                details.push(serde_json::json!({ "@type": RETRY_INFO, "retryDelay": seconds(delay) }));
            }
            if fault.is_bad_data() {
                let violations = serde_json::json!([{ "description": message }]);
                details.push(serde_json::json!({ "@type": BAD_REQUEST, "fieldViolations": violations }));
            }
            let mut body = serde_json::json!({ "code": status.grpc, "message": message });
            if !details.is_empty() {
                body["details"] = details.into();
            }
            body.to_string().into_bytes()
        }
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

fn any(out: &mut Vec<u8>, url: &str, value: &[u8]) {
    let mut inner = Vec::with_capacity(url.len() + value.len() + 8);
    bytes(&mut inner, 1, url.as_bytes());
    bytes(&mut inner, 2, value);
    bytes(out, 3, &inner);
}

/// The JSON form of `google.protobuf.Duration`.
fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}

/// `grpc.health.v1.HealthCheckResponse` with this status number.
pub(super) fn health(status: u64) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, 1, status);
    out
}

/// The `service` of a `grpc.health.v1.HealthCheckRequest`; None if the bytes are something else.
pub(super) fn health_service(request: &[u8]) -> Option<String> {
    match request {
        [] => Some(String::new()),
        [0x0a, length, rest @ ..] if *length < 0x80 && rest.len() == usize::from(*length) => {
            String::from_utf8(rest.to_vec()).ok()
        }
        _ => None,
    }
}

/// The percent-encoding of the `grpc-message` header.
pub(super) fn grpc_message(message: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(message.len());
    for byte in shortened(message).bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(byte as char),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
    use prost::Message;

    use super::*;

    #[test]
    fn partial_success_is_what_others_read() {
        let outcome = ExportOutcome { accepted: 1, rejected: 300, message: "300 record(s) refused".into() };
        let read = ExportLogsServiceResponse::decode(&response(Signal::Logs, &outcome, Format::Protobuf)[..]).unwrap();
        let partial = read.partial_success.unwrap();
        assert_eq!((partial.rejected_log_records, partial.error_message.as_str()), (300, "300 record(s) refused"));
        assert_eq!(response(Signal::Logs, &ExportOutcome::default(), Format::Protobuf), b"");
        assert_eq!(response(Signal::Logs, &ExportOutcome::default(), Format::Json), b"{}");
    }

    #[test]
    fn messages_fit_a_header() {
        assert_eq!(grpc_message("100% \u{e4}\n"), "100%25 %C3%A4%0A");
        assert!(grpc_message(&"\u{e4}".repeat(5000)).len() <= MAX_MESSAGE * 3);
    }

    #[test]
    fn a_health_request_names_its_service() {
        assert_eq!(health_service(b""), Some(String::new()));
        assert_eq!(health_service(b"\x0a\x02ab"), Some("ab".into()));
        assert_eq!(health_service(b"\x0a\x03ab"), None);
    }
}
