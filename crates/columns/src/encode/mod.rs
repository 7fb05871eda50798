//! Record batches of schema v1 back to one OTLP protobuf export request.
//!
//! Rows are regrouped by resource and scope in the order these first occur; within a scope the order of rows is kept.
//! Columns are found by name and may hold plain text in place of a dictionary. Whatever is wrong with them is told as
//! an error with its column and row.

pub(crate) mod attributes;
pub(crate) mod column;
mod envelope;
mod error;
mod foreign;
pub(crate) mod group;
pub(crate) mod logs;
pub(crate) mod metrics;
mod out;
pub(crate) mod records;
pub(crate) mod spans;
mod value;

use arrow_array::RecordBatch;

use crate::Signal;
pub use error::EncodeError;
pub(crate) use foreign::in_own_types;
use group::Grouped;
use out::{Out, room_for};
use records::{Records, Run, each_row};

/// Turns record batches of schema v1 into one OTLP export request.
///
/// # Errors
/// [`EncodeError`] when a column is missing, has a wrong type, or holds a value that no decoder of ours writes.
pub fn encode_protobuf(signal: Signal, batches: &[RecordBatch]) -> Result<Vec<u8>, EncodeError> {
    match signal {
        Signal::Traces => write::<spans::Spans<'_>>(batches),
        Signal::Logs => write::<logs::Logs<'_>>(batches),
        Signal::Metrics => write::<metrics::Points<'_>>(batches),
    }
}

/// Writes the envelopes, and the rows within.
fn write<'a, R: Records<'a>>(batches: &'a [RecordBatch]) -> Result<Vec<u8>, EncodeError> {
    let records: Vec<R> = batches.iter().map(R::of).collect::<Result<_, _>>()?;
    let grouped = Grouped::of(batches)?;
    let estimate: usize = records.iter().map(R::estimate).sum();
    let total: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let share = |count: usize| room_for(estimate / total.max(1) * count);
    let mut out = Out::with_capacity(estimate + estimate / 16 + 1024);
    for resource in &grouped.resources {
        let resource_field = out.open(1, share(resource.scopes.iter().map(|scope| scope.rows()).sum()));
        envelope::resource(&mut out, resource)?;
        for scope in &resource.scopes {
            let scope_field = out.open(2, share(scope.rows()));
            envelope::scope(&mut out, scope)?;
            R::write_scope(&mut out, &records, &scope.runs)?;
            out.bytes_unless_empty(3, scope.key.schema_url);
            out.close(scope_field);
        }
        out.bytes_unless_empty(3, resource.key.schema_url);
        out.close(resource_field);
    }
    Ok(out.finish())
}
