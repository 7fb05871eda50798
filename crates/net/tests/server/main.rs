//! The server over sockets and other streams, with services that know no telemetry.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod connections;
mod floods;
mod routes;
mod streams;
mod support;
mod tls;
mod tower;
