//! A clock that stands still until a test moves it.

pub use otlp_arrow_base::clock::ManualClock;
