//! The doors over real sockets: what every kind of request is answered, and what reaches the other side.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bodies;
mod close;
mod further;
mod grpc;
mod health;
mod hostile;
mod http;
mod kept;
mod otap;
mod support;
mod toy_door;
