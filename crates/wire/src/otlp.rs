//! The names of OTLP's services, and the answer to an export.

use crate::{Format, Signal, Writer, read};

macro_rules! service {
    (Traces) => {
        "opentelemetry.proto.collector.trace.v1.TraceService"
    };
    (Metrics) => {
        "opentelemetry.proto.collector.metrics.v1.MetricsService"
    };
    (Logs) => {
        "opentelemetry.proto.collector.logs.v1.LogsService"
    };
}

/// The full name of the gRPC service of a signal.
pub const fn service(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => service!(Traces),
        Signal::Metrics => service!(Metrics),
        Signal::Logs => service!(Logs),
    }
}

/// The path of a signal's unary `Export` method over gRPC.
pub const fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => concat!("/", service!(Traces), "/Export"),
        Signal::Metrics => concat!("/", service!(Metrics), "/Export"),
        Signal::Logs => concat!("/", service!(Logs), "/Export"),
    }
}

/// The path a signal is posted to over HTTP.
pub const fn http_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
        Signal::Logs => "/v1/logs",
    }
}

/// The signal of a gRPC path; `None` if it is not an OTLP method.
pub fn of_grpc_path(path: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| grpc_path(*signal) == path)
}

/// The signal of an HTTP path; `None` if it is not one of OTLP.
pub fn of_http_path(path: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| http_path(*signal) == path)
}

/// The media type of an encoding of OTLP over HTTP.
pub const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    }
}

/// The encoding a content type stands for, parameters and case aside; `None` if it is not one of OTLP.
pub fn of_media_type(content_type: &[u8]) -> Option<Format> {
    let name = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [Format::Protobuf, Format::Json]
        .into_iter()
        .find(|format| name.eq_ignore_ascii_case(media_type(*format).as_bytes()))
}

/// What OTLP/JSON calls the count of refused records in the answer.
pub const fn rejected_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    }
}

/// `Export*ServiceResponse`, which is the same message for every signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportResponse {
    /// Records that were refused.
    pub rejected: u64,
    /// Why; or, where none was, a warning.
    pub message: String,
}

impl ExportResponse {
    /// In protobuf: empty, or with `partial_success` where there is something to say.
    pub fn to_protobuf(rejected: u64, message: &str) -> Vec<u8> {
        let mut out = Writer::default();
        if rejected > 0 || !message.is_empty() {
            out.nest(1, 2, |partial| {
                partial.uint(1, rejected);
                partial.text(2, message);
            });
        }
        out.finish()
    }

    /// From protobuf, as far as it can be read: whoever answered success has the data, whatever else it says.
    pub fn from_protobuf(response: &[u8]) -> Self {
        let partial = read::bytes_field(response, 1).unwrap_or_default();
        let rejected = read::varint_field(partial, 1).unwrap_or(0);
        // int64 on the wire: a negative count means nothing.
        let rejected = u64::try_from(rejected as i64).unwrap_or(0);
        let message = read::bytes_field(partial, 2).unwrap_or_default();
        Self { rejected, message: String::from_utf8_lossy(message).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
    use prost::Message;

    use super::*;

    #[test]
    fn paths_and_signals_name_each_other() {
        for signal in Signal::ALL {
            assert_eq!(of_grpc_path(grpc_path(signal)), Some(signal));
            assert_eq!(of_http_path(http_path(signal)), Some(signal));
            assert_eq!(http_path(signal), format!("/v1/{signal}"));
            assert_eq!(grpc_path(signal), format!("/{}/Export", service(signal)));
        }
        assert_eq!(grpc_path(Signal::Traces), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        for other in ["", "/", "/v1/profiles", "/v1/traces/", service(Signal::Logs)] {
            assert_eq!((of_grpc_path(other), of_http_path(other)), (None, None), "{other}");
        }
    }

    #[test]
    fn media_types_are_read_without_case_and_parameters() {
        for format in [Format::Protobuf, Format::Json] {
            assert_eq!(of_media_type(media_type(format).as_bytes()), Some(format));
        }
        assert_eq!(of_media_type(b" Application/JSON ; charset=utf-8"), Some(Format::Json));
        assert_eq!(of_media_type(b"text/json"), None);
        assert_eq!(of_media_type(b""), None);
    }

    #[test]
    fn partial_success_is_what_others_read() {
        let written = ExportResponse::to_protobuf(300, "300 record(s) refused");
        let read = ExportLogsServiceResponse::decode(&written[..]).unwrap();
        let partial = read.partial_success.unwrap();
        assert_eq!((partial.rejected_log_records, partial.error_message.as_str()), (300, "300 record(s) refused"));
        assert_eq!(ExportResponse::to_protobuf(0, ""), b"");
    }

    #[test]
    fn partial_success_is_read_from_real_messages() {
        let partial_success =
            Some(ExportTracePartialSuccess { rejected_spans: 7, error_message: "seven were bad".into() });
        let bytes = ExportTraceServiceResponse { partial_success }.encode_to_vec();
        let read = ExportResponse::from_protobuf(&bytes);
        assert_eq!(read, ExportResponse { rejected: 7, message: "seven were bad".into() });
        assert_eq!(ExportResponse::to_protobuf(read.rejected, &read.message), bytes);
        let partial_success = Some(ExportTracePartialSuccess { rejected_spans: -7, error_message: String::new() });
        let negative = ExportTraceServiceResponse { partial_success }.encode_to_vec();
        for nothing in [&[][..], &[0xff; 40], &negative] {
            assert_eq!(ExportResponse::from_protobuf(nothing), ExportResponse::default());
        }
    }
}
