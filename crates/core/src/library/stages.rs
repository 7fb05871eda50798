//! The stages of one recorder, one after the other over one request.

use std::sync::Arc;

use arrow_array::RecordBatch;
use otlp_arrow_columns::{BatchBuilder, BatchError, Limits, Payload, check_batches};

use crate::error::{Code, OtlpError, Result};
use crate::stage::{Stage, Staged};
use crate::store::budget::Reservation;

/// Records that stages dropped, by the name of the stage; empty when none did.
pub(super) type Filtered = Vec<(String, u64)>;

/// What is left of a request, none if nothing is, and what was dropped of it.
pub(super) type Left = (Option<Payload>, Filtered);

/// Takes a request through all stages. What they make of it is checked as if it came from outside, and the memory for it
/// reserved.
pub(super) fn run(
    stages: &[Arc<dyn Stage>],
    payload: Payload,
    limits: &Limits,
    reservation: &mut Reservation,
) -> Result<Left> {
    let signal = payload.signal();
    let mut builder = BatchBuilder::new(signal);
    let mut batch = match &payload {
        Payload::Batch(stored) => stored.batch().clone(),
        otlp => {
            builder.append_payload(otlp);
            builder.finish()
        }
    };
    let mut changed = false;
    let mut filtered = Filtered::new();
    for stage in stages {
        if let Staged::Changed(next) = stage.apply(signal, &batch)? {
            let gone = dropped(stage.as_ref(), &batch, &next)?;
            if gone > 0 {
                filtered.push((stage.name().to_owned(), gone));
            }
            (batch, changed) = (next, true);
        }
    }
    if !changed {
        return Ok((Some(payload), filtered));
    }
    if batch.num_rows() == 0 {
        return Ok((None, filtered));
    }
    let checked = check_batches(signal, [batch], limits).map_err(|error| wrong(stages, error))?;
    reservation.grow(checked.arrow_bytes())?;
    Ok((Some(Payload::Batch(builder.store(&checked))), filtered))
}

/// What stages made cannot be kept. The sender did nothing wrong, and sending again would not help.
fn wrong(stages: &[Arc<dyn Stage>], error: BatchError) -> OtlpError {
    let code = if matches!(error, BatchError::TooLarge { .. }) { Code::TooLarge } else { Code::Internal };
    let names = stages.iter().map(|stage| stage.name()).collect::<Vec<_>>().join(", ");
    OtlpError::with_source(code, format!("what the stages ({names}) made cannot be kept: {error}"), error)
}

/// How many records a stage dropped; none may be new.
fn dropped(stage: &dyn Stage, before: &RecordBatch, after: &RecordBatch) -> Result<u64> {
    let gone = before.num_rows().checked_sub(after.num_rows());
    gone.map(|rows| rows as u64).ok_or_else(|| {
        let (before, after) = (before.num_rows(), after.num_rows());
        let message = format!("the stage {} made {after} records of {before}: a stage may not add any", stage.name());
        OtlpError::new(Code::Internal, message)
    })
}
