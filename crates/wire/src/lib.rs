//! What OTLP is on the wire, both ways: everything that is said with bytes and needs neither columns nor files nor sockets.
//!
//! [`read`] and [`write`](mod@write) are the one protobuf reader and writer of the project; [`otlp`], [`grpc`], [`health`] and
//! [`status`] are the names, frames and small messages around a request, for servers and clients alike; [`otap`] and [`hpack`] are
//! those of OTAP's streams; [`steps`] is how the
//! Node.js encoder hands over a request.
//!
//! Everything here is a pure function: no I/O, no clock, no async, no threads, no `unsafe`.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

pub mod flight;
pub mod grpc;
pub mod health;
pub mod hpack;
pub mod merge;
pub mod otap;
pub mod otlp;
pub mod read;
pub mod resource;
mod signal;
pub mod status;
pub mod steps;
pub mod write;
mod writer;

pub use signal::{Format, Signal, UnknownName};
pub use writer::{Mark, Writer};
