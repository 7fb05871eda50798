//! Spans of any form, for questions about who calls whom, what changed and what records have in common.

use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp_arrow::{OtlpLibrary, Signal};
use prost::Message;

use crate::metrics_sample::text;
use crate::sample::{SECOND, START};

pub(crate) const SERVER: i32 = 2;
pub(crate) const CLIENT: i32 = 3;
pub(crate) const PRODUCER: i32 = 4;
pub(crate) const CONSUMER: i32 = 5;
pub(crate) const MS: u64 = 1_000_000;

/// A span of a trace: its number, that of its parent or 0, its service and its name.
#[derive(Clone)]
pub(crate) struct Made {
    service: String,
    resource: Vec<(String, String)>,
    span: Span,
}

pub(crate) fn id(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

pub(crate) fn trace_id(trace: u64) -> Vec<u8> {
    (u128::from(trace) << 64 | 0xabc).to_be_bytes().to_vec()
}

pub(crate) fn span(trace: u64, number: u64, parent: u64, service: &str, name: &str) -> Made {
    let start = START + trace * SECOND + number * MS;
    Made {
        service: service.into(),
        resource: Vec::new(),
        span: Span {
            trace_id: trace_id(trace),
            span_id: id(number),
            parent_span_id: if parent == 0 { Vec::new() } else { id(parent) },
            name: name.into(),
            kind: 1,
            start_time_unix_nano: start,
            end_time_unix_nano: start + 10 * MS,
            ..Default::default()
        },
    }
}

impl Made {
    pub(crate) fn kind(mut self, kind: i32) -> Self {
        self.span.kind = kind;
        self
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.span.attributes.push(text(key, value));
        self
    }

    pub(crate) fn of(mut self, key: &str, value: &str) -> Self {
        self.resource.push((key.into(), value.into()));
        self
    }

    pub(crate) fn took(mut self, millis: u64) -> Self {
        self.span.end_time_unix_nano = self.span.start_time_unix_nano + millis * MS;
        self
    }

    pub(crate) fn failed(mut self) -> Self {
        self.span.status = Some(Status { code: 2, ..Default::default() });
        self
    }

    pub(crate) fn sampled(mut self, state: &str) -> Self {
        self.span.trace_state = state.into();
        self
    }

    pub(crate) fn linked(mut self, trace: u64, number: u64) -> Self {
        self.span.links.push(Link { trace_id: trace_id(trace), span_id: id(number), ..Default::default() });
        self
    }

    pub(crate) fn event(mut self, event: opentelemetry_proto::tonic::trace::v1::span::Event) -> Self {
        self.span.events.push(event);
        self
    }
}

/// Sends each in a request of its own, in this order.
pub(crate) fn send(library: &OtlpLibrary, spans: impl IntoIterator<Item = Made>) {
    for made in spans {
        let mut attributes = vec![text("service.name", &made.service)];
        attributes.extend(made.resource.iter().map(|(key, value)| text(key, value)));
        let resource = Some(Resource { attributes, ..Default::default() });
        let scope_spans = vec![ScopeSpans { spans: vec![made.span], ..Default::default() }];
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..Default::default() }];
        let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        block_on(library.export_otlp(Signal::Traces, request.into())).unwrap();
    }
}
