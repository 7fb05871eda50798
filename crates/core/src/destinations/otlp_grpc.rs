//! OTLP over gRPC: unary exports of the bytes as they came, in a five-byte frame.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};
use http_body_util::Full;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::Signal;
use otlp_arrow_net::client::Reply;
use otlp_arrow_net::grpc::{CallStatus, framed, unframed};
use otlp_arrow_wire::{grpc, otlp};

use super::answer::{Answer, Class};
use super::destination::{Destination, Sending, Server};
use super::http::{Answers, HttpSender, MAX_ANSWER, server, url};
use super::kind::{DestinationKind, Kind, Spec, Target};
use super::otlp_status;
use super::request::{Request, Takes};
use super::settings::DestinationConfig;
use crate::error::{Code, OtlpError, Result};
use crate::stats::PerSignal;

/// The kind.
pub(super) const KIND: Kind = Kind::new(&OtlpGrpcKind);

static SPEC: Spec = Spec {
    component: Some("otlp_grpc"),
    ..Spec::new(
        "otlp_grpc",
        "OTLP over gRPC",
        Takes::Otlp,
        Target::Url { port: None, example: "http://collector:4317" },
    )
};

#[derive(Debug)]
struct OtlpGrpcKind;

impl DestinationKind for OtlpGrpcKind {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn open(&self, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(OtlpGrpc::open(config)?))
    }
}

#[derive(Debug)]
pub(super) struct OtlpGrpc {
    sender: HttpSender,
    urls: PerSignal<Uri>,
    timeout: HeaderValue,
}

impl OtlpGrpc {
    pub(super) fn open(config: &DestinationConfig) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(grpc::CONTENT_TYPE));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(HeaderName::from_static(grpc::ACCEPT_ENCODING), HeaderValue::from_static("gzip"));
        let urls = PerSignal::try_from_fn(|signal| url_of(config, signal))?;
        Ok(Self {
            sender: HttpSender::new(config, urls.values(), headers, true)?,
            urls,
            timeout: HeaderValue::from_str(&grpc::timeout_text(config.timeout))
                .map_err(|error| OtlpError::with_source(Code::Internal, "grpc-timeout cannot be written", error))?,
        })
    }

    fn request(&self, signal: Signal, payload: Bytes, hops: &Hops) -> Result<http::Request<Full<Bytes>>> {
        let encoding = self.sender.compression();
        let message = self.sender.compressed(payload)?;
        let mut request = self.sender.request(&self.urls[signal], framed(&message, encoding.is_some())?, hops)?;
        let headers = request.headers_mut();
        if let Some(encoding) = encoding {
            headers.insert(HeaderName::from_static(grpc::ENCODING), HeaderValue::from_static(encoding.name()));
        }
        headers.insert(HeaderName::from_static(grpc::TIMEOUT), self.timeout.clone());
        *request.version_mut() = Version::HTTP_2;
        Ok(request)
    }
}

impl Destination for OtlpGrpc {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(async move {
            let signal = request.signal;
            let payload = request.content.otlp(signal);
            let request = payload.and_then(|payload| self.request(signal, payload, &request.hops));
            self.sender.send(request, &Statuses).await
        })
    }

    fn server(&self, signal: Signal) -> Option<Server> {
        Some(server(&self.urls[signal]))
    }

    fn renewed(&self) -> bool {
        self.sender.renewed()
    }
}

fn url_of(config: &DestinationConfig, signal: Signal) -> Result<Uri> {
    let endpoint = config.signal_endpoints[signal].as_deref().unwrap_or(&config.endpoint);
    url(config, endpoint, |_| otlp::grpc_path(signal).to_owned())
}

pub(super) struct Statuses;

impl Answers for Statuses {
    fn of_status(&self, status: StatusCode) -> Class {
        otlp_status::http(status.as_u16(), None)
    }

    fn read(&self, reply: &Reply) -> Answer {
        answer(reply)
    }

    /// The status of gRPC comes behind the message and stays unknown.
    fn too_long(&self, status: StatusCode) -> Class {
        match self.of_status(status) {
            Class::Delivered { .. } => Class::Data,
            class => class,
        }
    }
}

fn answer(reply: &Reply) -> Answer {
    let message = || unframed(&reply.head.headers, &reply.body, MAX_ANSWER).unwrap_or_default();
    refused(reply).unwrap_or_else(|| otlp_status::delivered(&message()))
}

/// What a gRPC server says to a call that it has not answered with success.
pub(super) fn refused(Reply { head, trailers, .. }: &Reply) -> Option<Answer> {
    let Some(status) = CallStatus::of(head, trailers.as_ref()) else {
        // Something that is not a gRPC server answered: its HTTP status is all there is.
        let is_grpc = head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(grpc::CONTENT_TYPE.as_bytes()));
        let class = match otlp_status::http(head.status.as_u16(), None) {
            Class::Delivered { .. } if is_grpc => Class::Passing { after: None },
            Class::Delivered { .. } | Class::Data | Class::TooLarge => Class::Destination,
            class => class,
        };
        return Some(Answer::new(class, format!("HTTP {} without grpc-status", head.status.as_u16())));
    };
    match otlp_status::grpc(status.code, status.retry_after) {
        Class::Delivered { .. } => None,
        class => Some(Answer::new(class, format!("gRPC {}: {}", status.code, status.message))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_method_of_the_signal() {
        let url = url_of(&DestinationConfig::new("test", "host:4317"), Signal::Logs).unwrap().to_string();
        assert_eq!(url, "http://host:4317/opentelemetry.proto.collector.logs.v1.LogsService/Export");
    }
}
