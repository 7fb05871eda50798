//! What the other crates of this project and its tests reach into.
//!
//! Not part of the public interface: it changes without notice, in any version.

#[cfg(feature = "doors")]
pub use crate::doors::{Door, Doors, Inside, answered, grpc_response, grpc_status_details};
pub use crate::ingest::{Ingest, Kept};
pub use crate::library::encoding::{Encoding, ExpectedSize};
pub use crate::library::producer::Producer;

/// The features of this build.
pub const FEATURES: &[&str] = &[
    #[cfg(feature = "doors")]
    "doors",
    #[cfg(feature = "forward")]
    "forward",
];

pub use otlp_arrow_base::clock::Clock;
pub use otlp_arrow_base::stats::{Protocol, Stats};
pub use otlp_arrow_base::{EventSink, Status, status_of};
