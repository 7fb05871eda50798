//! OTLP over HTTP: the bytes as they came, in protobuf.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, LOCATION};
use http::{StatusCode, Uri};
use otlp_arrow_columns::{Format, Signal};
use otlp_arrow_net::client::Reply;
use otlp_arrow_wire::{otlp, status};

use super::answer::{Answer, Class};
use super::destination::{Destination, Sending, Server};
use super::http::{Answers, HttpSender, retry_after, server, url};
use super::kind::{DestinationKind, Kind, Spec, Target};
use super::otlp_status;
use super::prometheus;
use super::request::{Request, Takes};
use super::settings::DestinationConfig;
use crate::error::Result;
use crate::stats::PerSignal;

/// So much of an answer without a status message is quoted.
const QUOTED: usize = 200;

/// The kind.
pub(super) const KIND: Kind = Kind::new(&OtlpHttpKind);

static SPEC: Spec = Spec {
    component: Some("otlp_http"),
    ..Spec::new(
        "otlp_http",
        "OTLP over HTTP in protobuf",
        Takes::Otlp,
        Target::Url { port: None, example: "http://collector:4318" },
    )
};

#[derive(Debug)]
struct OtlpHttpKind;

impl DestinationKind for OtlpHttpKind {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn open(&self, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(OtlpHttp::open(config)?))
    }
}

#[derive(Debug)]
struct OtlpHttp {
    sender: HttpSender,
    urls: PerSignal<Uri>,
}

impl OtlpHttp {
    fn open(config: &DestinationConfig) -> Result<Self> {
        let headers = HttpSender::headers_for(otlp::media_type(Format::Protobuf));
        let urls = PerSignal::try_from_fn(|signal| url_of(config, signal))?;
        Ok(Self { sender: HttpSender::new(config, urls.values(), headers, false)?, urls })
    }
}

impl Destination for OtlpHttp {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(async move {
            match request.content.otlp(request.signal) {
                Ok(body) => {
                    let url = &self.urls[request.signal];
                    let answer = self.sender.post(url, body, &request.hops, &Statuses).await;
                    match request.signal {
                        Signal::Metrics => prometheus::judged(answer, url.path(), request.records),
                        _ => answer,
                    }
                }
                Err(error) => Answer::new(Class::Data, error.to_string()),
            }
        })
    }

    fn server(&self, signal: Signal) -> Option<Server> {
        Some(server(&self.urls[signal]))
    }

    fn renewed(&self) -> bool {
        self.sender.renewed()
    }
}

/// The URL of a signal is used as it is; the general one gets the path of the signal (OTLP exporter specification).
fn url_of(config: &DestinationConfig, signal: Signal) -> Result<Uri> {
    match &config.signal_endpoints[signal] {
        Some(own) => url(config, own, |base| base.path_and_query().map_or("/", |path| path.as_str()).to_owned()),
        None => url(config, &config.endpoint, |base| {
            format!("{}{}", base.path().trim_end_matches('/'), otlp::http_path(signal))
        }),
    }
}

struct Statuses;

impl Answers for Statuses {
    fn of_status(&self, status: StatusCode) -> Class {
        otlp_status::http(status.as_u16(), None)
    }

    fn read(&self, reply: &Reply) -> Answer {
        answer(reply)
    }
}

fn answer(Reply { head, body, .. }: &Reply) -> Answer {
    let status = head.status.as_u16();
    let is = |kind: &[u8]| {
        let given = head.headers.get(CONTENT_TYPE).map_or(&b""[..], |given| given.as_bytes());
        given.get(..kind.len()).is_some_and(|given| given.eq_ignore_ascii_case(kind))
    };
    let json = is(otlp::media_type(Format::Json).as_bytes());
    match otlp_status::http(status, retry_after(&head.headers)) {
        // A portal, a proxy or a web interface: whoever answers with a page has kept nothing.
        Class::Delivered { .. } if is(b"text/html") && body.trim_ascii_start().starts_with(b"<") => {
            Answer::new(Class::Destination, format!("HTTP {status} with a web page: this is not an OTLP endpoint"))
        }
        Class::Delivered { .. } if json => delivered_json(body),
        Class::Delivered { .. } => otlp_status::delivered(body),
        class => {
            let said = if json { json_message(body) } else { status::message(body) };
            let quoted = || String::from_utf8_lossy(&body[..body.len().min(QUOTED)]).into_owned();
            let said = said.filter(|text| !text.is_empty()).unwrap_or_else(quoted);
            let to = head.headers.get(LOCATION).filter(|_| head.status.is_redirection());
            let to = to.map(|to| format!(" to {}", String::from_utf8_lossy(to.as_bytes()))).unwrap_or_default();
            Answer::new(class, format!("HTTP {status}{to}: {said}"))
        }
    }
}

/// `Export*ServiceResponse` of a destination that answers in JSON, whatever it was asked in.
fn delivered_json(body: &[u8]) -> Answer {
    let response: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = &response["partialSuccess"];
    let count = |signal| match &partial[otlp::rejected_name(signal)] {
        serde_json::Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let rejected = Signal::ALL.into_iter().find_map(count);
    let message = partial["errorMessage"].as_str().unwrap_or_default();
    Answer::new(Class::Delivered { rejected: rejected.unwrap_or(0) }, message)
}

fn json_message(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(value.get("message")?.as_str()?.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_exporter_specification() {
        let of =
            |endpoint: &str| url_of(&DestinationConfig::new("test", endpoint), Signal::Traces).unwrap().to_string();
        assert_eq!(of("http://host:4318"), "http://host:4318/v1/traces");
        assert_eq!(of("http://host:4318/"), "http://host:4318/v1/traces");
        assert_eq!(of("https://host/some/prefix"), "https://host:443/some/prefix/v1/traces");
        let mut own = DestinationConfig::new("test", "http://host:4318");
        own.signal_endpoints.traces = Some("http://other:80/exactly?x=1".into());
        assert_eq!(url_of(&own, Signal::Traces).unwrap().to_string(), "http://other:80/exactly?x=1");
    }
}
