//! What the other crates of this project and its tests reach into.
//!
//! Not part of the public interface: it changes without notice, in any version.

pub use crate::library::encoding::{Encoding, ExpectedSize};
pub use crate::library::producer::Producer;
