//! The network: what a server and a client need below the protocols they speak.
//!
//! [`server`] is connections, bodies with limits, and a router over services; [`client`] sends requests and reads
//! answers; [`tls`], [`reload`], [`encoding`] and [`identity`] are for both. Nothing here knows what is recorded or forwarded.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests time what they start"))]

pub mod access;
pub mod client;
pub mod encoding;
pub mod grpc;
pub mod identity;
pub mod reload;
pub mod server;
pub mod time;
pub mod tls;
