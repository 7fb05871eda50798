//! The store under load, faults, crashes of writers, and time.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod faults;
mod faulty;
mod lifecycle;
mod opening;
mod recovery;
mod rotation;
mod small;
mod subscriptions;
mod support;
