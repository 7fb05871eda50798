//! Questions to a recorder over HTTP: `/api/v1` on the listeners that take telemetry.
//!
//! ```
//! use otlp_arrow::{Config, OtlpLibrary};
//! use otlp_arrow_api::HttpApi;
//!
//! # let directory = tempfile::tempdir()?;
//! let mut config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
//! config.listen.http = Some(([127, 0, 0, 1], 0).into()); // any free port
//! let library = OtlpLibrary::builder(config).http_api().open()?;
//! println!("curl http://{}/api/v1/services", library.addresses().http.expect("it is listened on"));
//! # library.shutdown_blocking(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is answered is told to this machine only: to peers that are not loopback, to names that are not this machine's, and to
//! pages of other origins it is 403 (`guard.rs` of `otlp-arrow-net`).
//!
//! # How it is put together
//!
//! `routes` is the table of everything that is answered: dispatch, the OpenAPI document and the table in docs/query.md are made of
//! it. `words` makes pairs of paths, query strings and JSON bodies, which questions are parsed from; `form` decides what an answer
//! is written as. `threads` answers: a question has a thread of its own that gives way to recording, and never blocks those
//! that sockets are served by. `own` has the questions that only this API needs, `tail` follows what is committed,
//! `recorder` shows the recorder and has a hand on its destinations.
//!
//! To add a route: a row in `routes`.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests"))]

mod body;
mod form;
mod openapi;
mod own;
mod recorder;
mod routes;
mod service;
mod tail;
mod threads;
mod words;

pub use words::ROOT;

use std::sync::Arc;

use otlp_arrow::Builder;
use otlp_arrow::internal::Door;

/// The API as a door.
pub const DOOR: Door = Door {
    name: routes::NAME,
    telemetry: None,
    on: |config| config.protocols.api,
    open: |inside| Arc::new(service::Api::new(inside)),
};

/// Answers questions over HTTP.
pub trait HttpApi {
    /// Answers questions at `/api/v1` on the addresses that are listened on, unless `protocols.api` is off.
    fn http_api(self) -> Self;
}

impl HttpApi for Builder {
    fn http_api(self) -> Self {
        self.door(DOOR)
    }
}

/// What our own crates are made of. Not part of the public interface.
#[doc(hidden)]
pub mod internal {
    use std::sync::Arc;

    use http::request::Parts;
    use otlp_arrow::Result;
    use otlp_arrow_net::identity::Identity;
    use otlp_arrow_net::server::Service;

    pub use crate::service::Alone;

    /// FORBIDDEN for everybody but programs of this machine that ask it by one of its own names.
    pub fn visit(head: &Parts, identity: &Identity) -> Result<()> {
        otlp_arrow_net::server::guard::visit(head, identity)
    }

    /// As [`visit`], and FORBIDDEN for pages that are not of this address.
    pub fn admit(head: &Parts, identity: &Identity) -> Result<()> {
        otlp_arrow_net::server::guard::admit(head, identity)
    }

    /// The API over a directory that nothing here records into.
    pub fn alone(alone: Alone) -> Arc<dyn Service> {
        Arc::new(crate::service::Api::alone(alone))
    }
}

/// The OpenAPI document, as it is served at `/api/v1/openapi.json`.
pub fn openapi() -> serde_json::Value {
    openapi::document()
}

/// The table of routes for the documentation.
pub fn markdown() -> String {
    routes::markdown()
}
