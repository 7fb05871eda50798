//! Generators, fakes and clocks for the tests of otlp-arrow.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "parts of tests")]

pub mod backend;
pub mod canonical;
pub mod clock;
pub mod fresh;
pub mod generate;
pub mod harness;
pub mod http;
pub mod numbered;
pub mod otap;
pub mod payload;
pub mod process;
pub mod rng;
mod split;
pub mod tls_front;
pub mod traffic;
pub mod watch;
