//! OTAP to columns: batches of other producers, of a model of both of them, and of nobody.
#![allow(clippy::unwrap_used, reason = "tests")]

mod golden;
mod hostile;
mod model;
mod producers;
mod rows;

use otlp_arrow_columns::otap::{Fault, Stream};
use otlp_arrow_columns::{Limits, Signal, StoredBatch, check_batches};
use otlp_arrow_wire::otap::BatchArrowRecords;

/// What a stream may keep where a test does not say otherwise.
pub(crate) const KEEP: usize = 64 << 20;

/// The next batch of a stream as rows.
pub(crate) fn read(stream: &mut Stream, batch: &BatchArrowRecords<'_>) -> Result<StoredBatch, Fault> {
    let limits = Limits::default();
    let tables = stream.read(batch, &limits, &mut |_| true, &mut |_| true)?;
    let plan = tables.plan(&limits, &mut |_| true)?;
    let (rows, bytes) = (plan.rows(), plan.arrow_bytes());
    let stored = plan.store();
    assert_eq!((stored.batch().num_rows(), stored.arrow_bytes()), (rows, bytes));
    for column in stored.batch().columns() {
        column.to_data().validate_full().unwrap();
    }
    assert_eq!(stored.batch().schema(), otlp_arrow_columns::schema(stored.signal()));
    // What the check of tables from elsewhere finds wrong would be wrong in a file too.
    check_batches(stored.signal(), [stored.batch().clone()], &limits).unwrap();
    otlp_arrow_columns::encode_protobuf(stored.signal(), std::slice::from_ref(stored.batch())).unwrap();
    Ok(stored)
}

/// The same from the bytes of the message.
pub(crate) fn read_bytes(stream: &mut Stream, bytes: &[u8]) -> Result<StoredBatch, Fault> {
    read(stream, &BatchArrowRecords::read(bytes).unwrap())
}

pub(crate) fn stream(signal: Signal) -> Stream {
    Stream::new(signal, KEEP)
}
