//! OTLP protobuf bytes to record batches, in two passes.

mod check;
mod fill;
pub(crate) mod plan;

pub use check::check;
pub use fill::BatchBuilder;
