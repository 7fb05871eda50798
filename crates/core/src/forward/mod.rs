//! Forwarding: cursors over the committed log, retry, circuit breaker.

pub mod breaker;
pub mod classify;
pub mod client;
pub mod position;
mod recent;
pub mod retry;
mod watch;
mod window;
