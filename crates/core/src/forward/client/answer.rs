//! Reading answers: status, partial success, RetryInfo.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::response::Parts;
use otlp_arrow_net::grpc::unframed;
use otlp_arrow_wire::grpc::percent_decoded;
use otlp_arrow_wire::otlp::ExportResponse;
use otlp_arrow_wire::read::bytes_field;
use otlp_arrow_wire::status::{of_details, retry_info};

use super::MAX_ANSWER;
use crate::forward::classify::{self, Class};

/// What a destination answered, or why it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it means for the data.
    pub class: Class,
    /// The destination's words, or ours where it had none; for people.
    pub message: String,
}

impl Answer {
    pub(super) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

pub(super) fn from_http(head: &Parts, body: Bytes, after: Option<Duration>) -> Answer {
    let status = head.status.as_u16();
    let is = |kind: &[u8]| {
        let given = head.headers.get("content-type").map_or(&b""[..], |given| given.as_bytes());
        given.get(..kind.len()).is_some_and(|given| given.eq_ignore_ascii_case(kind))
    };
    let json = is(b"application/json");
    match classify::http(status, after) {
        // A portal, a proxy or a web interface: whoever answers with a page has kept nothing.
        Class::Delivered { .. } if is(b"text/html") && body.trim_ascii_start().starts_with(b"<") => {
            Answer::new(Class::Destination, format!("HTTP {status} with a web page: this is no OTLP endpoint"))
        }
        Class::Delivered { .. } if json => delivered_json(&body),
        Class::Delivered { .. } => delivered(&body),
        class => {
            let said = if json { json_message(&body) } else { bytes_field(&body, 2).map(lossy) };
            let said = said.filter(|text| !text.is_empty()).unwrap_or_else(|| lossy(&body[..body.len().min(200)]));
            let to = head.headers.get("location").filter(|_| head.status.is_redirection());
            let to = to.map(|to| format!(" to {}", lossy(to.as_bytes()))).unwrap_or_default();
            Answer::new(class, format!("HTTP {status}{to}: {said}"))
        }
    }
}

/// `Export*ServiceResponse` of a destination that answers in JSON, whatever it was asked in.
fn delivered_json(body: &[u8]) -> Answer {
    let response: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = &response["partialSuccess"];
    let count = |name| match &partial[name] {
        serde_json::Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let rejected = ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"].into_iter().find_map(count);
    let message = partial["errorMessage"].as_str().unwrap_or_default();
    Answer::new(Class::Delivered { rejected: rejected.unwrap_or(0) }, message)
}

fn json_message(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(value.get("message")?.as_str()?.to_owned())
}

pub(super) fn from_grpc(head: &Parts, bytes: Bytes, trailers: Option<&HeaderMap>) -> Answer {
    let find = |name: &str| trailers.and_then(|trailers| trailers.get(name)).or_else(|| head.headers.get(name));
    let Some(status) = find("grpc-status").and_then(|value| value.to_str().ok()?.parse::<i32>().ok()) else {
        // Something that is not a gRPC server answered: its HTTP status is all there is.
        let class = match classify::http(head.status.as_u16(), None) {
            Class::Delivered { .. } if head.headers.get("content-type").is_some_and(is_grpc) => {
                Class::Passing { after: None }
            }
            Class::Delivered { .. } | Class::Data | Class::TooLarge => Class::Destination,
            class => class,
        };
        return Answer::new(class, format!("HTTP {} without grpc-status", head.status.as_u16()));
    };
    let retry = find("grpc-status-details-bin").and_then(|value| retry_info(&of_details(value.as_bytes())?));
    match classify::grpc(status, retry) {
        Class::Delivered { .. } => delivered(&unframed(&head.headers, &bytes, MAX_ANSWER).unwrap_or_default()),
        class => {
            let said = find("grpc-message").map(|value| percent_decoded(value.as_bytes())).unwrap_or_default();
            Answer::new(class, format!("gRPC {status}: {said}"))
        }
    }
}

fn is_grpc(kind: &http::HeaderValue) -> bool {
    kind.as_bytes().starts_with(b"application/grpc")
}

/// Reads `Export*ServiceResponse`.
fn delivered(response: &[u8]) -> Answer {
    let ExportResponse { rejected, message } = ExportResponse::from_protobuf(response);
    Answer::new(Class::Delivered { rejected }, message)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
    use prost::Message;

    #[test]
    fn partial_success_is_read_from_real_messages() {
        let partial_success =
            Some(ExportTracePartialSuccess { rejected_spans: 7, error_message: "seven were bad".into() });
        let bytes = ExportTraceServiceResponse { partial_success }.encode_to_vec();
        let answer = delivered(&bytes);
        assert_eq!(answer, Answer::new(Class::Delivered { rejected: 7 }, "seven were bad"));
        assert_eq!(delivered(&[]), Answer::new(Class::Delivered { rejected: 0 }, ""));
        let garbage = delivered(&[0xff; 40]);
        assert_eq!(garbage.class, Class::Delivered { rejected: 0 });
    }
}
