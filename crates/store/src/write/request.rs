//! What is handed to the store to be kept.

use bytes::Bytes;
use otlp_arrow_columns::Checked;

use super::budget::Reservation;
use crate::log::hooks::CommittedRequest;

/// One request on its way into a file: its bytes as they came, what the first pass found, and the memory it holds.
#[derive(Debug)]
pub struct Request {
    /// One OTLP protobuf export request.
    pub bytes: Bytes,
    /// The first pass over exactly these bytes.
    pub checked: Checked,
    /// Covers the bytes and the Arrow memory they will take; given back when the commit is done.
    pub reservation: Reservation,
}

impl Request {
    /// What consumers see of it; the bytes are shared, not copied.
    pub(crate) fn committed(&self) -> CommittedRequest {
        let (rows, whole) = (self.checked.rows as u64, self.checked.refused.total() == 0);
        CommittedRequest { bytes: self.bytes.clone(), rows, whole }
    }
}
