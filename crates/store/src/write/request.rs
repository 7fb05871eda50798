//! What is handed to the store to be kept.

use otlp_arrow_columns::Payload;

use super::budget::Reservation;
use crate::log::hooks::CommittedRequest;

/// One request on its way into a file: what it brings, and the memory it holds.
#[derive(Debug)]
pub struct Request {
    /// The records.
    pub payload: Payload,
    /// Covers what was handed over and the Arrow memory it will take; given back when the commit is done.
    pub reservation: Reservation,
}

impl Request {
    /// What consumers see of it; the bytes are shared, not copied.
    pub(crate) fn committed(&self) -> CommittedRequest {
        CommittedRequest { bytes: self.payload.whole_bytes().cloned(), rows: self.payload.rows() as u64 }
    }
}
