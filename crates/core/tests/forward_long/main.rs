//! Forwarding over hours: a remote that is away for long, and credentials that are wrong for long.
//!
//! `npm test` runs a share of each; `npm run test:long` sets the numbers to full size.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod away;
mod cost;
mod numbered;
mod process;
mod served;
mod token;
