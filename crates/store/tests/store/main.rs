//! The store under load, faults, crashes of writers, and time.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub, clippy::disallowed_methods, reason = "tests")]

mod faults;
mod faulty;
mod form;
mod keys;
mod lifecycle;
mod recovery;
mod rotation;
mod seal;
#[path = "../support/settings.rs"]
mod settings;
mod small;
mod subscriptions;
mod support;
