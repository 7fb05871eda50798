//! OTAP over gRPC: a bidirectional stream a signal, of batches that build on each other.
//!
//! A batch is answered once it is kept, in whatever order that happens. docs/otap.md says which status means what.

mod batch;
mod exchange;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use http::{HeaderMap, HeaderName, Response};
use otlp_arrow_columns::Signal;
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answer, Answering, Refusal, Request, Route, Service, answer};
use otlp_arrow_wire::{grpc, otap};
use tokio::sync::mpsc;

use super::Door;
use super::door::Inside;
use super::export::{Intake, columns_limits};
use batch::Batches;
use exchange::Exchange;

pub(super) const DOOR: Door = Door {
    name: "otap",
    telemetry: Some("OTAP"),
    on: |config| config.protocols.otap,
    open: |inside| Arc::new(Otap::new(inside)),
};

const ENCODING: HeaderName = HeaderName::from_static(grpc::ENCODING);
/// The Collector's name for zstd on these streams, with a level from 1 to 10 behind it.
const ZSTD_OF_COLLECTOR: &str = "zstdarrow";

struct Otap {
    intake: Intake,
    inside: Inside,
    /// Bytes that all streams together keep from batch to batch.
    kept: Arc<AtomicUsize>,
}

impl Otap {
    fn new(inside: &Inside) -> Self {
        Self { intake: Intake::new(DOOR.name, inside), inside: inside.clone(), kept: Arc::default() }
    }

    fn open(&self, signal: Signal, request: &mut Request) -> Result<Response<Answer>, Refusal> {
        let hops = self.intake.hops(&request.head.headers)?;
        let encoding = encoding(&request.head.headers)?;
        let ingest = &self.inside.ingest;
        // Of the stream itself, for as long as it is open.
        let opened = ingest.budget().reserve(signal, request.weight())?;
        let protocol = self.intake.protocol();
        ingest.stats().stream(signal, protocol);
        let (frames, answers) = mpsc::channel(1);
        let batches =
            Batches::new(signal, protocol, &self.inside, columns_limits(&self.inside), hops, opened, &self.kept);
        let exchange = Exchange::new(batches, &self.inside, request.body.take(), encoding, frames);
        tokio::spawn(exchange.run());
        Ok(answer::grpc_stream(answers))
    }
}

/// How messages are compressed.
fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let value = headers.get(ENCODING);
    let level = value.and_then(|value| value.to_str().ok()?.trim().strip_prefix(ZSTD_OF_COLLECTOR)?.parse::<u8>().ok());
    match level {
        Some(1..=10) => Ok(Some(Encoding::Zstd)),
        _ => Ok(Encoding::parse(value)?),
    }
}

impl Service for Otap {
    fn name(&self) -> &'static str {
        DOOR.name
    }

    /// Without a signal: what is counted are the batches of a stream, not the stream.
    fn routes(&self) -> Vec<Route> {
        Signal::ALL.map(|signal| Route::stream(otap::path(signal))).into()
    }

    fn usage(&self) -> Option<&'static str> {
        Some("open a stream of the OTAP gRPC services")
    }

    fn call<'a>(&'a self, request: &'a mut Request, _: &'a Identity) -> Answering<'a> {
        Box::pin(async move {
            match otap::of_path(request.head.uri.path()) {
                Some(signal) => self.open(signal, request),
                None => Err(Refusal::invalid("this path has no signal")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_collector_has_a_name_of_its_own_for_zstd() {
        let parse = |text: &'static str| {
            let headers = HeaderMap::from_iter([(ENCODING, HeaderValue::from_static(text))]);
            encoding(&headers).map_err(|refusal| refusal.status().grpc)
        };
        for level in ["zstdarrow1", "zstdarrow5", "zstdarrow10", "zstd"] {
            assert_eq!(parse(level), Ok(Some(Encoding::Zstd)), "{level}");
        }
        assert_eq!((parse("gzip"), parse("identity")), (Ok(Some(Encoding::Gzip)), Ok(None)));
        for unknown in ["zstdarrow", "zstdarrow0", "zstdarrow11", "zstdarrowx", "br"] {
            assert_eq!(parse(unknown), Err(12), "{unknown}");
        }
        assert!(matches!(encoding(&HeaderMap::new()), Ok(None)));
    }
}
