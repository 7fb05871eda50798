//! What a protocol must do to be answered: say its paths, and answer one request.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use http::Response;
use http::header::HeaderName;
use http::request::Parts;
use otlp_arrow_wire::{Signal, grpc};

use super::answer::Answer;
use super::body::RequestBody;
use super::refusal::Refusal;
use crate::encoding::Encoding;
use crate::identity::Identity;

/// One protocol. The router finds it by path and calls it with each request; all that a protocol is lies behind this.
pub trait Service: Send + Sync + 'static {
    /// Its name: `protocol="<name>"` in counters, and `protocols.<name>` in the configuration unless [`Service::key`] says otherwise.
    fn name(&self) -> &'static str;

    /// The key that switches it on and off.
    fn key(&self) -> String {
        format!("protocols.{}", self.name())
    }

    /// The paths it answers at.
    fn routes(&self) -> Vec<Route>;

    /// How to call it, for those who ask for a path that nothing answers at; None for what nobody needs to be told of.
    fn usage(&self) -> Option<&'static str> {
        None
    }

    /// What a refusal of a request to one of its paths looks like where that is not as OTLP has it. Status, `Allow` and
    /// `Retry-After` are added.
    fn refused(&self, refusal: &Refusal) -> Option<Response<Answer>> {
        let _ = refusal;
        None
    }

    /// Answers one request to one of its routes.
    ///
    /// An error is made an answer in the form that the client reads. A service that still reads behind its answer
    /// takes the body: see [`RequestBody::take`].
    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a>;
}

/// An answer that is being made.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response<Answer>, Refusal>> + Send + 'a>>;

/// One request, as a service gets it.
#[derive(Debug)]
pub struct Request {
    /// Method, path and headers.
    pub head: Parts,
    /// What comes behind them.
    pub body: RequestBody,
    /// The signal of its route.
    pub signal: Option<Signal>,
}

const ENCODING: HeaderName = HeaderName::from_static(grpc::ENCODING);

/// What a request takes besides its body and the text of its headers: its stream, its task and their tables.
const REQUEST: usize = 4 << 10;

impl Request {
    /// What it takes before its body, and so is reserved with it: a client may open thousands and send no more.
    pub fn weight(&self) -> usize {
        REQUEST + header_bytes(&self.head)
    }

    /// How the messages of a gRPC call are compressed where they say that they are.
    pub fn message_encoding(&self) -> Result<Option<Encoding>, Refusal> {
        Ok(Encoding::parse(self.head.headers.get(ENCODING))?)
    }
}

/// Bytes of the headers and the path.
pub(super) fn header_bytes(head: &Parts) -> usize {
    let fields: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    fields + head.uri.path_and_query().map_or(0, |path| path.as_str().len())
}

/// A path, and what is asked for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(super) path: Cow<'static, str>,
    pub(super) below: bool,
    pub(super) kind: Kind,
    pub(super) signal: Option<Signal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// gRPC. Whether the call is a stream, which has no deadline but its client's.
    Grpc { stream: bool },
    /// Plain HTTP, with these methods, as in an `Allow` header. Whether answers are due as any request is, or take as long
    /// as the service lets them.
    Http { allow: &'static str, due: bool },
}

impl Route {
    fn new(path: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Self { path: path.into(), below: false, kind, signal: None }
    }

    /// A gRPC method with one message and one answer.
    pub fn unary(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(path, Kind::Grpc { stream: false })
    }

    /// A gRPC method whose messages may go on, either way.
    pub fn stream(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(path, Kind::Grpc { stream: true })
    }

    /// A page or an answer that is read.
    pub fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self::http(path, "GET, HEAD")
    }

    /// What is sent there.
    pub fn post(path: impl Into<Cow<'static, str>>) -> Self {
        Self::http(path, "POST")
    }

    /// Plain HTTP with these methods, as in an `Allow` header: `GET, HEAD, POST`.
    pub fn http(path: impl Into<Cow<'static, str>>, allow: &'static str) -> Self {
        Self::new(path, Kind::Http { allow, due: true })
    }

    /// Its answers take as long as the service lets them: only what comes in is held to `limits.timeout`.
    pub fn in_its_own_time(self) -> Self {
        let kind = match self.kind {
            Kind::Http { allow, .. } => Kind::Http { allow, due: false },
            kind @ Kind::Grpc { .. } => kind,
        };
        Self { kind, ..self }
    }

    /// Every path that begins like this one and that no route has for itself; the longest beginning wins.
    pub fn and_below(self) -> Self {
        Self { below: true, ..self }
    }

    /// What is sent there is of this signal, and its requests are counted so.
    pub fn of(self, signal: Signal) -> Self {
        Self { signal: Some(signal), ..self }
    }
}
