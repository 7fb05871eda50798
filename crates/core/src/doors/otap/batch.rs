//! Batches of one stream, one after the other: from the bytes of a message to rows that are handed over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::otap::{Fault, Stream};
use otlp_arrow_columns::{Limits, Signal, StoredBatch};
use otlp_arrow_net::server::{WORTH_A_THREAD, apart};
use otlp_arrow_wire::hpack;
use otlp_arrow_wire::otap::{BatchArrowRecords, batch_id};
use otlp_arrow_wire::read::Wire;

use crate::doors::door::Inside;
use crate::error::{Code, OtlpError, Result};
use crate::ingest::{Ingest, Kept};
use crate::stats::Protocol;
use crate::store::budget::Reservation;

/// A stream keeps at most this share of the buffer, and all streams together twice as much.
const SHARE: usize = 4;

/// The batches of one stream.
pub(super) struct Batches {
    signal: Signal,
    protocol: Protocol,
    ingest: Arc<dyn Ingest>,
    limits: Limits,
    /// What the stream was opened with.
    hops: Hops,
    stream: Stream,
    headers: hpack::Decoder,
    kept: Held,
}

/// What a stream keeps from batch to batch.
struct Held {
    reservation: Reservation,
    bytes: usize,
    /// That of all streams.
    all: Arc<AtomicUsize>,
    most: usize,
}

impl Held {
    fn grow(&mut self, more: usize) -> bool {
        if self.all.fetch_add(more, Ordering::Relaxed) + more > self.most || self.reservation.grow(more).is_err() {
            self.all.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A batch that was handed over, or why it was not.
pub(super) struct Accepted {
    /// None where not even this could be read.
    pub(super) id: Option<i64>,
    pub(super) since: Instant,
    pub(super) kept: Result<Kept>,
    /// Where no later batch can be read: the status that the stream ends with.
    pub(super) ends: Option<OtlpError>,
}

impl Batches {
    pub(super) fn new(
        signal: Signal,
        protocol: Protocol,
        inside: &Inside,
        limits: Limits,
        hops: Hops,
        reservation: Reservation,
        all: &Arc<AtomicUsize>,
    ) -> Self {
        let ingest = Arc::clone(&inside.ingest);
        let share = ingest.budget().max() / SHARE;
        let kept = Held { reservation, bytes: 0, all: Arc::clone(all), most: share * 2 };
        let (stream, headers) = (Stream::new(signal, share), hpack::Decoder::default());
        Self { signal, protocol, ingest, limits, hops, stream, headers, kept }
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn ingest(&self) -> &Arc<dyn Ingest> {
        &self.ingest
    }

    /// Reserves for a message that is to come.
    pub(super) fn reserve(&self) -> Result<Reservation> {
        self.ingest.budget().reserve(self.signal, 0)
    }

    /// Hands over the batch that a message is.
    pub(super) fn accept(&mut self, bytes: Bytes, reservation: Reservation, since: Instant) -> Accepted {
        let batch = BatchArrowRecords::read(&bytes);
        let id = batch.as_ref().map_or_else(|_| batch_id(&bytes), |batch| Some(batch.batch_id));
        let long = bytes.len() > WORTH_A_THREAD / 4;
        let read = apart(long, || catch_unwind(AssertUnwindSafe(|| self.read(batch, reservation))));
        let (kept, ends) = match read {
            Ok(Ok(kept)) => (Ok(kept), None),
            Ok(Err((error, ends))) => (Err(error.clone()), ends.then_some(error)),
            Err(_) => {
                let error =
                    OtlpError::new(Code::Internal, "reading this batch failed: please report it to the project");
                (Err(error.clone()), Some(error))
            }
        };
        Accepted { id, since, kept, ends }
    }

    /// An error says whether it is one of the stream.
    fn read(
        &mut self,
        batch: Wire<BatchArrowRecords<'_>>,
        mut reservation: Reservation,
    ) -> Result<Kept, (OtlpError, bool)> {
        let invalid = |message: String| OtlpError::new(Code::InvalidData, message);
        let batch = batch.map_err(|_| (invalid("the message is not a BatchArrowRecords".into()), true))?;
        let mut hops = self.hops.clone();
        let headers = self.headers.read(batch.headers, |name, value| {
            if name == Hops::HEADER.as_bytes() {
                hops = Hops::parse(std::str::from_utf8(value).unwrap_or_default());
            }
        });
        if let Err(message) = headers {
            return Err((invalid(format!("the headers of the batch are not HPACK: {message}")), true));
        }
        let (rows, rows_reservation) = self.rows(&batch, &mut reservation)?;
        // From here on there are the rows only: the message goes when this returns.
        reservation.become_sibling(rows_reservation);
        // After the tables were read: what later batches build on must not be missed.
        if let Some(reason) = hops.refused_by(self.ingest.number()) {
            return Err((invalid(reason.into()), false));
        }
        let kept = self.ingest.store(self.protocol, rows, reservation, hops);
        kept.map(|(_, kept)| kept).map_err(|error| (error, false))
    }

    /// The rows of a batch, and what was reserved for them.
    fn rows(
        &mut self,
        batch: &BatchArrowRecords<'_>,
        reservation: &mut Reservation,
    ) -> Result<(StoredBatch, Reservation), (OtlpError, bool)> {
        let mut refused = None;
        let mut grow = |more: usize| match reservation.grow(more) {
            Ok(()) => true,
            Err(error) => {
                refused = Some(error);
                false
            }
        };
        let Self { stream, kept, limits, .. } = self;
        let tables = stream.read(batch, limits, &mut |more| kept.grow(more), &mut grow);
        let planned = tables.as_ref().map_err(Fault::clone).and_then(|tables| tables.plan(limits, &mut grow));
        let plan = planned.map_err(|fault| (error_of(&fault, refused.take()), fault.ends_stream()))?;
        let mut rows = reservation.sibling();
        rows.grow(plan.arrow_bytes()).map_err(|error| (error, false))?;
        Ok((plan.store(), rows))
    }
}

fn error_of(fault: &Fault, refused: Option<OtlpError>) -> OtlpError {
    let code = match fault {
        Fault::TooLarge { .. } | Fault::StreamTooLarge { .. } => Code::TooLarge,
        Fault::NoRoom => return refused.unwrap_or_else(|| OtlpError::new(Code::BufferFull, fault.to_string())),
        Fault::NoRoomForStream => Code::BufferFull,
        _ => Code::InvalidData,
    };
    OtlpError::new(code, fault.to_string())
}
