//! A reader of OTAP streams that is stricter than any peer: arrow's own reader of IPC, and the rules of Go's and the Rust
//! engine's decoders side by side. What one of them would refuse, or would read otherwise than the other, is a panic.

pub mod cells;
pub mod go;
pub mod normal;
pub mod otlp;
pub mod parents;
pub mod points;
pub mod server;
pub mod strict;

pub use go::PassedOn;
pub use normal::Normal;
pub use server::{Act, Arrived, ArrowServer};
pub use strict::{ArrowPayload, Batch, BatchArrowRecords, Reader};
