//! From one request to its answer: finds the service of a path, and makes an answer of what it refuses.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{Method, Response, Version};
use hyper::body::Incoming;
use otlp_arrow_base::PerSignal;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::log_limit::Repeated;
use otlp_arrow_base::stats::{Protocol, Stats};
use otlp_arrow_wire::{Format, Signal, grpc, otlp};

use super::answer::{self, Answer};
use super::body::RequestBody;
use super::limits::Limits;
use super::refusal::Refusal;
use super::service::{Kind, Request, Route, Service, header_bytes};
use crate::identity::Identity;
use crate::time::until;

const TIMEOUT: HeaderName = HeaderName::from_static(grpc::TIMEOUT);

/// How much of a refused body is taken and thrown away, so that its sender comes to read the answer.
const DISCARD: usize = 128 << 20;
/// The same where it is refused because memory is short.
const DISCARD_WHEN_FULL: usize = 1 << 20;
const DISCARD_FOR: Duration = Duration::from_secs(5);

/// The services behind the listeners, by path. It knows no protocol but HTTP and gRPC.
pub struct Router {
    limits: Limits,
    clock: Clock,
    stats: Arc<Stats>,
    services: Vec<Mounted>,
    grpc: Table,
    http: Table,
    usage: String,
    /// Requests that were refused for good.
    refused: PerSignal<Repeated>,
}

struct Mounted {
    service: Arc<dyn Service>,
    /// The label of its requests in counters; None for a service that takes no telemetry.
    protocol: Option<Protocol>,
    /// The key that switches it off, where it is.
    off: Option<String>,
}

/// Routes to the services, by position.
#[derive(Default)]
struct Table {
    exact: Vec<(Route, usize)>,
    /// The longest first.
    below: Vec<(Route, usize)>,
}

impl Table {
    fn find(&self, path: &str) -> Option<&(Route, usize)> {
        let exact = self.exact.iter().find(|(route, _)| route.path == path);
        exact.or_else(|| self.below.iter().find(|(route, _)| path.starts_with(&*route.path)))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.services.iter().map(|mounted| mounted.service.name())).finish()
    }
}

impl Router {
    /// Without services everything is answered with "not found".
    pub fn new(limits: Limits, clock: Clock, stats: Arc<Stats>) -> Self {
        let (grpc, http, refused) = Default::default();
        Self { limits, clock, stats, services: Vec::new(), grpc, http, usage: String::new(), refused }
    }

    /// Adds a service. `on` false keeps its paths, where clients are told that it is switched off.
    ///
    /// # Errors
    /// INVALID_CONFIG if another service has one of its paths.
    pub fn mount(&mut self, service: Arc<dyn Service>, on: bool) -> Result<()> {
        let (at, name) = (self.services.len(), service.name());
        let mut protocol = None;
        for route in service.routes() {
            let table = match route.kind {
                Kind::Grpc { .. } => &mut self.grpc,
                Kind::Http { .. } => &mut self.http,
            };
            let routes = if route.below { &mut table.below } else { &mut table.exact };
            if let Some((_, other)) = routes.iter().find(|(other, _)| other.path == route.path) {
                let other = self.services.get(*other).map_or(name, |other| other.service.name());
                let message = format!("two services answer at {}: {other} and {name}: leave one out", route.path);
                return Err(OtlpError::new(Code::InvalidConfig, message));
            }
            if route.signal.is_some() {
                protocol = Some(self.stats.protocol(name));
            }
            routes.push((route, at));
            table.below.sort_by_key(|(route, _)| std::cmp::Reverse(route.path.len()));
        }
        if let Some(usage) = service.usage().filter(|_| on) {
            self.usage.push_str(if self.usage.is_empty() { "" } else { ", or " });
            self.usage.push_str(usage);
        }
        let off = (!on).then(|| service.key());
        self.services.push(Mounted { service, protocol, off });
        Ok(())
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When the answer is due.
    fn deadline(&self, started: Instant, head: &Parts, kind: Option<Kind>) -> Option<Instant> {
        let most = self.limits.timeout;
        let wanted = match kind {
            Some(Kind::Grpc { .. }) => head.headers.get(TIMEOUT).and_then(|text| grpc::timeout(text.to_str().ok()?)),
            _ => None,
        };
        match (kind, wanted) {
            (Some(Kind::Grpc { stream: true }), wanted) => wanted.and_then(|wanted| started.checked_add(wanted)),
            (_, wanted) => Some(started + wanted.map_or(most, |wanted| wanted.min(most))),
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: http::Request<Incoming>, identity: &Identity) -> Response<Answer> {
        let started = self.clock.now();
        let (head, incoming) = request.into_parts();
        let is_grpc = grpc::is_grpc(content_type(&head));
        let found = if is_grpc { &self.grpc } else { &self.http }.find(head.uri.path());
        let kind = found.map(|(route, _)| route.kind);
        let deadline = self.deadline(started, &head, kind.or(is_grpc.then_some(Kind::Grpc { stream: false })));
        let body = RequestBody::new(incoming, self.clock.clone(), deadline);
        let signal = found.and_then(|(route, _)| route.signal);
        let mounted = found.map(|(route, at)| (route.kind, &self.services[*at]));
        let mut request = Request { head, body, signal };
        let due = deadline.filter(|_| !matches!(kind, Some(Kind::Http { due: false, .. })));
        let done = until(&self.clock, due, self.call(mounted, is_grpc, &mut request, identity)).await;
        let done = done.unwrap_or_else(|| {
            let message = "the request was not answered in time: send it again, or raise limits.timeout";
            Err(Refusal::timeout(message))
        });
        if let Some((signal, protocol)) = signal.zip(mounted.and_then(|(_, mounted)| mounted.protocol)) {
            let code = done.as_ref().err().map(Refusal::code);
            if let Err(refusal) = &done {
                self.tell(signal, protocol, refusal, identity);
            }
            self.stats.request(signal, protocol, code, self.clock.elapsed(started));
        }
        let Request { head, body, .. } = request;
        let speaks_grpc = is_grpc && head.version == Version::HTTP_2;
        let mut answer = match done {
            Ok(answer) => answer,
            Err(refusal) => {
                self.drain(&head, body, &refusal, is_grpc);
                let own = mounted.and_then(|(_, mounted)| mounted.service.refused(&refusal));
                if let Some(own) = own {
                    answer::refused(own, &refusal)
                } else if speaks_grpc {
                    answer::grpc_refusal(&refusal)
                } else {
                    answer::http_refusal(&refusal, otlp::of_media_type(content_type(&head)).unwrap_or(Format::Json))
                }
            }
        };
        if !speaks_grpc {
            answer::guard_browsers(&mut answer);
        }
        if head.method == Method::HEAD { answer::head(answer) } else { answer }
    }

    /// Logs that a request was refused for good: it is lost to its sender, and its sender may not say so.
    fn tell(&self, signal: Signal, protocol: Protocol, refusal: &Refusal, identity: &Identity) {
        let code = refusal.code();
        if !code.retryable()
            && let Some(more) = self.refused[signal].more(self.clock.now())
        {
            let (protocol, peer, message) = (protocol.as_str(), identity.peer(), refusal.message());
            tracing::warn!(%signal, protocol, %code, %peer, "a request was refused: {message}{more}");
        }
    }

    async fn call(
        &self,
        found: Option<(Kind, &Mounted)>,
        is_grpc: bool,
        request: &mut Request,
        identity: &Identity,
    ) -> Result<Response<Answer>, Refusal> {
        let head = &request.head;
        self.headers_fit(head)?;
        if is_grpc {
            admit_grpc(head)?;
        }
        let Some((kind, mounted)) = found else {
            return Err(Refusal::unknown_path(head.uri.path(), &self.usage));
        };
        if let Some(key) = &mounted.off {
            return Err(Refusal::switched_off(key));
        }
        if let Kind::Http { allow, .. } = kind
            && !allow.split(", ").any(|method| head.method == method)
        {
            return Err(Refusal::method(&head.method, allow));
        }
        mounted.service.call(request, identity).await
    }

    /// HTTP/2 counts headers itself; over HTTP/1.1 hyper bounds only its buffer.
    fn headers_fit(&self, head: &Parts) -> Result<(), Refusal> {
        if head.version == Version::HTTP_2 {
            return Ok(());
        }
        let limit = self.limits.header_bytes;
        match header_bytes(head) {
            given if given > limit as usize => Err(Refusal::headers(given, limit)),
            _ => Ok(()),
        }
    }

    /// Over HTTP/1.1 a sender that is still writing when the connection closes never sees its answer, and curl none over
    /// HTTP/2 when its stream ends early. gRPC clients bear that, and a sender that expects `100 Continue` has not begun.
    fn drain(&self, head: &Parts, mut body: RequestBody, refusal: &Refusal, is_grpc: bool) {
        // Streams that find no room must not take any: they are the many.
        let bears_it = head.version == Version::HTTP_2 && (is_grpc || refusal.code().retryable());
        if bears_it || !body.unread() || head.headers.contains_key(header::EXPECT) {
            return;
        }
        let bytes = if refusal.code().retryable() { DISCARD_WHEN_FULL } else { DISCARD };
        body.set_deadline(Some(self.clock.now() + DISCARD_FOR));
        tokio::spawn(body.discard(bytes));
    }
}

fn content_type(head: &Parts) -> &[u8] {
    head.headers.get(header::CONTENT_TYPE).map_or(b"", |value| value.as_bytes())
}

/// What every gRPC request must be, whatever its path.
fn admit_grpc(head: &Parts) -> Result<(), Refusal> {
    if head.version != Version::HTTP_2 {
        return Err(Refusal::media_type("gRPC needs HTTP/2: over HTTP/1.1 send application/x-protobuf to /v1/…"));
    }
    if head.method != Method::POST {
        return Err(Refusal::method(&head.method, "POST"));
    }
    let content_type = content_type(head);
    let subtype = content_type[grpc::CONTENT_TYPE.len()..].split(|byte| *byte == b';').next().unwrap_or_default();
    if !matches!(subtype.trim_ascii(), b"" | b"+proto") {
        let given = String::from_utf8_lossy(content_type);
        return Err(Refusal::media_type(format!("unknown gRPC content type {given:?}: use application/grpc+proto")));
    }
    Ok(())
}
