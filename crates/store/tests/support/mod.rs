//! A faulty disk in memory, and an oracle over what a store acknowledged.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "tests")]

pub mod disk;
pub mod oracle;
pub mod power;
pub mod process;
pub mod settings;
