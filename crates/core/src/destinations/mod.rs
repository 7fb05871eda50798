//! Where data is forwarded to: one file a kind of destination.
//!
//! A kind says what it is handed, how it sends and what the answers mean; queues, retries, the breaker, cursors and refused
//! data are [forwarding](crate::forward)'s, which knows no kind. To add one: a file with its [`Spec`], a
//! [`DestinationKind`] that opens it and a [`Destination`] that sends, and its line in `kinds.rs`; schema, documentation,
//! hints, types of other languages and counters follow from the `Spec`. A program adds its own with [`Kinds::with`].

mod answer;
mod destination;
mod http;
mod kind;
mod kinds;
mod options;
mod otlp_grpc;
mod otlp_http;
mod otlp_status;
mod request;
mod settings;
mod stdout;

pub use crate::key::{Key, Kind as KeyKind};
pub use answer::{Answer, Class, RecordAnswer};
pub use destination::{Destination, Sending, Server};
pub use kind::{DestinationKind, Kind, Spec, Target};
pub use kinds::Kinds;
pub use options::{OptionValue, Options};
pub use otlp_grpc::KIND as OTLP_GRPC;
pub use otlp_http::KIND as OTLP_HTTP;
pub use request::{Content, Request, Rows, Takes};
pub use settings::{Auth, Breaker, BreakerConfig, DestinationConfig, ForwardCompression, Retry, Tls};
pub use stdout::KIND as STDOUT;
