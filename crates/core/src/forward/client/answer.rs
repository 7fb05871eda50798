//! Reading answers: status, partial success, RetryInfo.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::response::Parts;
use otlp_arrow_net::grpc::{percent_decoded, unframed};

use super::MAX_ANSWER;
use crate::forward::classify::{self, Class};
use crate::protobuf::{bytes_field, fields, varint_field};

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
    let retry = find("grpc-status-details-bin").and_then(|value| retry_info(value.as_bytes()));
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

/// Reads `Export*ServiceResponse`: field 1 partial_success {1 rejected, 2 error_message}.
fn delivered(response: &[u8]) -> Answer {
    let partial = bytes_field(response, 1).unwrap_or_default();
    let rejected = varint_field(partial, 1).unwrap_or(0);
    // int64 on the wire: a negative count means nothing.
    let rejected = u64::try_from(rejected as i64).unwrap_or(0);
    let message = bytes_field(partial, 2).map(lossy).unwrap_or_default();
    Answer::new(Class::Delivered { rejected }, message)
}

/// `grpc-status-details-bin`: base64 of google.rpc.Status{3: Any{1 type_url, 2 value}} with a RetryInfo{1: Duration}.
fn retry_info(value: &[u8]) -> Option<Duration> {
    use base64::Engine as _;
    let text: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'=').collect();
    let status = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).ok()?;
    fields(&status).filter(|field| field.number == 3).find_map(|any| {
        let any = any.bytes?;
        let url = bytes_field(any, 1)?;
        if url != b"type.googleapis.com/google.rpc.RetryInfo" {
            return None;
        }
        let delay = bytes_field(bytes_field(any, 2)?, 1).unwrap_or_default();
        let seconds = varint_field(delay, 1).unwrap_or(0);
        let nanos = u32::try_from(varint_field(delay, 2).unwrap_or(0)).unwrap_or(0).min(999_999_999);
        Some(Duration::new(u64::try_from(seconds as i64).unwrap_or(0), nanos))
    })
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

    #[test]
    fn retry_info_is_read_from_status_details() {
        use base64::Engine as _;
        // Status{code 14, details [Any{RetryInfo{Duration{2 s, 500 ms}}}]}
        let delay = [8, 2, 16, 0x80, 0xca, 0xb5, 0xee, 1];
        let mut info = vec![10, delay.len() as u8];
        info.extend(delay);
        let url = b"type.googleapis.com/google.rpc.RetryInfo";
        let mut any = vec![10, url.len() as u8];
        any.extend(url);
        any.extend([18, info.len() as u8]);
        any.extend(info);
        let mut status = vec![8, 14, 26, any.len() as u8];
        status.extend(any);
        for text in [
            base64::engine::general_purpose::STANDARD.encode(&status),
            base64::engine::general_purpose::STANDARD_NO_PAD.encode(&status),
        ] {
            assert_eq!(retry_info(text.as_bytes()), Some(Duration::from_millis(2500)));
        }
        assert_eq!(retry_info(b"!!!"), None);
    }
}
