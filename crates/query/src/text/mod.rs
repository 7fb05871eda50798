//! Answers as text for people and agents: what fits a window, in lines, of which nothing is obeyed or taken for a command.
//!
//! For our own crates: the command line, the API and the tools for agents write the same.

mod shape;
mod trace;
mod units;
mod words;

pub use shape::Shape;
pub use trace::{Again, TraceText, trace};
pub use units::{ago, clock, duration, moment, plural, thousands};
pub use words::{name, pair, quoted};
