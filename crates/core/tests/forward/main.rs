//! Forwarding: libraries and clients against a scripted remote.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod client;
mod delivery;
mod directory;
mod failures;
mod otap;
mod prometheus;
mod proxied;
mod renewed;
mod rings;
mod secrets;
mod strange;
mod support;
mod upgrade;
