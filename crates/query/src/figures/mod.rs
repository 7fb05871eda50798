//! What data points come to: what came within steps of time, resets, quantiles, histograms that are put together; and what is
//! alike in errors. Pure: no files, no clock.
//!
//! docs/query.md says what counts as what, and ADR 0022 where that differs from Prometheus, and why.

mod amount;
mod errors;
mod explicit;
mod exponential;
mod increase;
mod latest;
mod steps;

pub use amount::{Amount, Number};
pub use errors::{normalized, top_frame};
pub use explicit::Explicit;
pub use exponential::{Buckets, Exponential, MOST_BUCKETS};
pub use increase::{Accumulated, Point, Since, Temporality, increases};
pub use latest::{LOOK_BACK, latest, running};
pub use steps::Steps;
