//! What the other crates of this project and its tests reach into.
//!
//! Not part of the public interface: it changes without notice, in any version.

pub use crate::doors::{Door, Doors, Ingest, Inside, Kept, answered, grpc_response, grpc_status_details};
pub use crate::library::encoding::{Encoding, ExpectedSize};
pub use crate::library::producer::Producer;
pub use otlp_arrow_base::stats::{Protocol, Stats};
pub use otlp_arrow_base::{EventSink, Status, status_of};
