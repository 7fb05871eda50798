//! A program that embeds the recorder and asks for no part that it does not need: `otlp-arrow` without its default features.
//!
//! Selected alone, as `npm test -- "parts left out"` does it, this crate builds the recorder with the features that it is
//! given; together with others the recorder has those that they ask for.
pub use otlp_arrow::OtlpLibrary;
