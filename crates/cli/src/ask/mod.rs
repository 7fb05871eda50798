//! The commands that ask: words of the filter as flags, answers as tables for people, JSON, Arrow or OTLP.

mod asker;
pub(crate) mod attributes;
pub(crate) mod compare;
pub(crate) mod counts;
pub(crate) mod errors;
pub(crate) mod grid;
pub(crate) mod logs;
pub(crate) mod map;
pub(crate) mod metrics;
pub(crate) mod overrepresented;
pub(crate) mod services;
pub(crate) mod spans;
pub(crate) mod trace;
pub(crate) mod traces;
