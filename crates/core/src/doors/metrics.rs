//! `/metrics`: everything that is counted, as Prometheus reads it.

use std::sync::Arc;

use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answering, Request, Route, Service, answer};

use super::Door;
use crate::ingest::Ingest;

pub(super) const DOOR: Door = Door {
    name: "metrics",
    telemetry: None,
    on: |_| true,
    open: |inside| Arc::new(Metrics(Arc::clone(&inside.ingest))),
};

struct Metrics(Arc<dyn Ingest>);

impl Service for Metrics {
    fn name(&self) -> &'static str {
        DOOR.name
    }

    fn routes(&self) -> Vec<Route> {
        vec![Route::get("/metrics")]
    }

    fn call<'a>(&'a self, _: &'a mut Request, _: &'a Identity) -> Answering<'a> {
        let text = self.0.metrics();
        Box::pin(async move { Ok(answer::plain(200, "text/plain; version=0.0.4; charset=utf-8", text)) })
    }
}
