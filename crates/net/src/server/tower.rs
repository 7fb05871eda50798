//! Services of another making, such as those that tonic generates, behind the router.

use std::future::poll_fn;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use otlp_arrow_base::error::{Code, OtlpError};

use super::answer::{Answer, BodyError};
use super::body::RequestBody;
use super::refusal::Refusal;
use super::service::{Answering, Request, Route, Service};
use crate::identity::Identity;

/// A tower service as a [`Service`]. It finds the [`Identity`] among the extensions of its requests.
///
/// Its bodies are its own to bound: nothing is reserved for them here.
#[derive(Clone, Debug)]
pub struct Tower<S> {
    name: &'static str,
    routes: Vec<Route>,
    service: S,
}

impl<S> Tower<S> {
    /// `service` under `name`, at `routes`.
    pub fn new(name: &'static str, routes: Vec<Route>, service: S) -> Self {
        Self { name, routes, service }
    }
}

impl<S, B> Service for Tower<S>
where
    S: tower_service::Service<http::Request<RequestBody>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: std::error::Error + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn routes(&self) -> Vec<Route> {
        self.routes.clone()
    }

    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a> {
        let mut service = self.service.clone();
        Box::pin(async move {
            let failed = |error| {
                Refusal::from(OtlpError::with_source(
                    Code::Internal,
                    format!("the service {} failed", self.name),
                    error,
                ))
            };
            let mut inner = http::Request::from_parts(request.head.clone(), request.body.take());
            inner.extensions_mut().insert(identity.clone());
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
            let response = service.call(inner).await.map_err(failed)?;
            Ok(response.map(|body| Answer::Other(Box::pin(body.map_err(Into::into)))))
        })
    }
}
