//! What OTLP's answers mean: the statuses of gRPC and HTTP, and partial success. Pure.

use std::time::Duration;

use otlp_arrow_wire::otlp::ExportResponse;

use super::answer::{Answer, Class};

/// Classifies a gRPC status (OTLP specification 1.60, failures and throttling). `retry_info` is RetryInfo's delay.
///
/// UNKNOWN, INTERNAL and the other codes that OTLP calls not retryable do not prove that the data is bad, so they count
/// as refused data only because the specification forbids sending again.
pub(super) fn grpc(status: i32, retry_info: Option<Duration>) -> Class {
    match status {
        0 => Class::Delivered { rejected: 0 },
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, UNAVAILABLE, DATA_LOSS.
        1 | 4 | 10 | 14 | 15 => Class::Passing { after: retry_info },
        // RESOURCE_EXHAUSTED is throttling with RetryInfo and a size limit without.
        8 if retry_info.is_some() => Class::Passing { after: retry_info },
        8 => Class::TooLarge,
        // OUT_OF_RANGE: what tonic and grpc-core answer to an oversized message.
        11 => Class::TooLarge,
        // PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED.
        7 | 12 | 16 => Class::Destination,
        _ => Class::Data,
    }
}

/// Classifies an HTTP status (OTLP specification 1.60: only 429, 502, 503 and 504 are retried).
pub(super) fn http(status: u16, retry_after: Option<Duration>) -> Class {
    match status {
        200..=299 => Class::Delivered { rejected: 0 },
        429 | 502 | 503 | 504 => Class::Passing { after: retry_after },
        413 => Class::TooLarge,
        401 | 403 | 404 | 405 | 407 | 415 => Class::Destination,
        300..=399 => Class::Destination,
        _ => Class::Data,
    }
}

/// What a success says in protobuf.
pub(super) fn delivered(response: &[u8]) -> Answer {
    let ExportResponse { rejected, message } = ExportResponse::from_protobuf(response);
    Answer::new(Class::Delivered { rejected }, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
    use prost::Message;

    #[test]
    fn every_grpc_status_has_its_class() {
        let wait = Some(Duration::from_secs(3));
        for status in [1, 4, 10, 14, 15] {
            assert_eq!(grpc(status, wait), Class::Passing { after: wait }, "{status}");
        }
        for status in [2, 3, 5, 6, 9, 13, 99] {
            assert_eq!(grpc(status, None), Class::Data, "{status}");
        }
        for status in [7, 12, 16] {
            assert_eq!(grpc(status, None), Class::Destination, "{status}");
        }
        assert_eq!(grpc(8, wait), Class::Passing { after: wait });
        assert_eq!(grpc(8, None), Class::TooLarge);
        assert_eq!(grpc(11, None), Class::TooLarge);
        assert_eq!(grpc(0, None), Class::Delivered { rejected: 0 });
    }

    #[test]
    fn http_retries_only_what_the_specification_allows() {
        for status in 400..600 {
            let passing = matches!(http(status, None), Class::Passing { .. });
            assert_eq!(passing, matches!(status, 429 | 502 | 503 | 504), "{status}");
        }
        assert_eq!(http(413, None), Class::TooLarge);
        assert_eq!(http(401, None), Class::Destination);
        assert_eq!(http(400, None), Class::Data);
        assert_eq!(http(500, None), Class::Data);
    }

    #[test]
    fn partial_success_is_read_from_real_messages() {
        let partial_success =
            Some(ExportTracePartialSuccess { rejected_spans: 7, error_message: "seven were bad".into() });
        let bytes = ExportTraceServiceResponse { partial_success }.encode_to_vec();
        assert_eq!(delivered(&bytes), Answer::new(Class::Delivered { rejected: 7 }, "seven were bad"));
        assert_eq!(delivered(&[]), Answer::delivered());
        assert_eq!(delivered(&[0xff; 40]).class, Class::Delivered { rejected: 0 }, "garbage");
    }
}
