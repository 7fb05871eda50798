//! OTAP: batches of the OTel-Arrow protocol to rows of the storage schema and back, without protobuf in between.
//!
//! A [`Stream`] keeps what a stream of the protocol builds on: the schemas and dictionaries of its tables.
//! [`Stream::read`] takes the next batch, [`Tables::plan`] decides and counts without taking memory for columns,
//! [`Plan::store`] makes them and cannot fail. docs/otap.md says what senders do differently, and what holds here.

mod decode;
pub mod encode;
mod table;

pub use decode::{Fault, Grow, Plan, Stream, Tables};
