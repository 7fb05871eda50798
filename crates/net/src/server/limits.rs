//! What a server bears of its clients.

use std::time::Duration;

/// Bounds on what clients send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub max_connections: usize,
    /// Concurrent HTTP/2 streams of one connection.
    pub max_streams: u32,
    /// Bytes of all headers of one request.
    pub header_bytes: u32,
    /// The longest a request may take to arrive.
    pub timeout: Duration,
}
