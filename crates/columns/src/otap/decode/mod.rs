//! OTAP to columns: what a stream keeps, the tables of one batch, and the rows they become.

mod arrays;
mod attributes;
mod cbor;
mod cells;
mod children;
mod common;
mod error;
mod ids;
mod ipc;
mod logs;
mod metrics;
mod output;
mod plan;
mod planning;
mod points;
mod schema;
mod store;
mod stream;
mod tables;
mod traces;
mod unpack;

pub use error::Fault;
pub use plan::Plan;
pub use stream::Stream;
pub use tables::Tables;
pub use unpack::Grow;
