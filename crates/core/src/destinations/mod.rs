//! Where data is forwarded to: one file a kind of destination.
//!
//! A kind says what it is handed, how it sends and what the answers mean; queues, retries, the breaker, cursors and refused
//! data are [forwarding](crate::forward)'s, which knows no kind. To add one: a file with its [`Spec`], a
//! [`DestinationKind`] that opens it and a [`Destination`] that sends, and its line in `kinds.rs`; schema, documentation,
//! hints, types of other languages and counters follow from the `Spec`. A program adds its own with [`Kinds::with`].
#![cfg_attr(not(feature = "forward"), allow(dead_code, reason = "what nothing forwards nothing asks for"))]

mod answer;
mod destination;
#[cfg(feature = "forward")]
mod flight;
#[cfg(feature = "forward")]
mod http;
mod kind;
mod kinds;
#[cfg(not(feature = "forward"))]
mod left_out;
mod no_proxy;
mod options;
#[cfg(feature = "forward")]
mod otap;
#[cfg(feature = "forward")]
mod otap_stream;
#[cfg(feature = "forward")]
mod otlp_grpc;
#[cfg(feature = "forward")]
mod otlp_http;
#[cfg(feature = "forward")]
mod otlp_status;
#[cfg(feature = "forward")]
mod prometheus;
mod proxy;
mod request;
mod secret;
mod settings;
#[cfg(feature = "forward")]
mod stdout;

pub use crate::key::{Key, Kind as KeyKind};
pub use answer::{Answer, Class, RecordAnswer};
pub use destination::{Destination, Notice, Sending, Server};
#[cfg(feature = "forward")]
pub(crate) use http::of_server as proxy_of;
pub use kind::{DestinationKind, Kind, Spec, Target};
pub use kinds::Kinds;
pub use options::{OptionValue, Options};
pub use proxy::Proxy;
pub(crate) use proxy::{ProxyServer, Through, Variables};
pub use request::{Content, Request, Rows, Takes};
pub use secret::Secret;
pub use settings::{Auth, Breaker, BreakerConfig, DestinationConfig, ForwardCompression, Retry, Tls};
