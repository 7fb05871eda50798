//! Record batches from elsewhere that are to become rows of the storage schema: seen in the types they have, checked so
//! that nothing can be written that an encoder or a reader would choke on, and counted.
//!
//! As for OTLP there are two passes: the first decides and counts without taking memory for columns, the second
//! ([`BatchBuilder::append_batches`](crate::BatchBuilder::append_batches)) copies and cannot fail. A batch is taken
//! whole or not at all. docs/schema.md ("Batches you append") says what is accepted.

mod attributes;
mod cells;
mod common;
mod context;
mod error;
mod find;
mod json;
mod lists;
mod logs;
mod metrics;
mod pieces;
mod points;
mod text;
mod traces;

use std::fmt;

use arrow_array::RecordBatch;

use crate::counts::Counts;
use crate::schema::{VERSION, VERSION_KEY, schema};
use crate::{Limits, Signal};
pub(crate) use attributes::Attributes;
pub(crate) use cells::{Ids, Numbers};
pub(crate) use common::Common;
use context::Context;
pub use error::BatchError;
use error::{Bad, Checked};
use find::Finder;
pub(crate) use json::{is_empty, service_name};
pub(crate) use lists::NumberLists;
pub(crate) use logs::Logs;
pub(crate) use metrics::{Metrics, Side};
pub(crate) use points::{Exemplars, Quantiles};
pub(crate) use text::Text;
pub(crate) use traces::{Events, Links, Traces};

/// Batches that are to be kept together, each checked as it was added.
pub struct CheckedBatches {
    signal: Signal,
    batches: Vec<RecordBatch>,
    pub(crate) counts: Counts,
}

impl fmt::Debug for CheckedBatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, counts, .. } = self;
        f.debug_struct("CheckedBatches").field("signal", signal).field("rows", &counts.rows).finish_non_exhaustive()
    }
}

/// Checks batches of schema v1 that are to be kept together; see [`CheckedBatches::push`].
pub fn check_batches(
    signal: Signal,
    batches: impl IntoIterator<Item = RecordBatch>,
    limits: &Limits,
) -> Result<CheckedBatches, BatchError> {
    let mut checked = CheckedBatches::new(signal);
    batches.into_iter().try_for_each(|batch| checked.push(batch, limits))?;
    Ok(checked)
}

impl CheckedBatches {
    /// None yet.
    pub fn new(signal: Signal) -> Self {
        Self { signal, batches: Vec::new(), counts: Counts::default() }
    }

    /// Adds a batch, in whatever types other programs give its columns.
    ///
    /// # Errors
    /// [`BatchError`] says which column, what it has and what is expected; of cells also the row, over all batches. Then
    /// none of the batches should be kept.
    pub fn push(&mut self, batch: RecordBatch, limits: &Limits) -> Result<(), BatchError> {
        let context = Context::new(self.signal, limits);
        let before = self.counts.rows;
        let table = Table::of(self.signal, &batch)?;
        self.counts.rows += table.rows;
        table.check(&context, &mut self.counts).map_err(|bad| match bad {
            Bad::Cell(flaw) => BatchError::Cell { row: before + flaw.row, column: flaw.column, message: flaw.message },
            Bad::TooLarge(needed) => BatchError::TooLarge { needed, limit: context.limit },
        })?;
        self.batches.push(batch);
        Ok(())
    }

    /// The columns of each batch.
    pub(crate) fn tables(&self) -> impl Iterator<Item = Table<'_>> {
        self.batches.iter().map(|batch| Table::of(self.signal, batch).expect("it was found when the batch was checked"))
    }

    /// The signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Rows of all batches together.
    pub fn rows(&self) -> usize {
        self.counts.rows
    }

    /// Bytes of Arrow memory that the rows take as columns of ours, at most. Reserve this before they are copied.
    pub fn arrow_bytes(&self) -> usize {
        self.counts.bytes(self.signal)
    }
}

/// The columns of one batch.
pub(crate) struct Table<'a> {
    pub(crate) rows: usize,
    pub(crate) own: Own<'a>,
    pub(crate) common: Common<'a>,
}

/// The columns that only this signal has.
pub(crate) enum Own<'a> {
    Traces(Box<Traces<'a>>),
    Logs(Box<Logs<'a>>),
    Metrics(Box<Metrics<'a>>),
}

impl<'a> Table<'a> {
    /// Finds the columns; what is in them is not looked at.
    pub(crate) fn of(signal: Signal, batch: &'a RecordBatch) -> Result<Self, BatchError> {
        let schema = batch.schema_ref();
        if let Some(found) = schema.metadata().get(VERSION_KEY).filter(|version| *version != VERSION) {
            return Err(BatchError::OtherVersion { found: found.clone() });
        }
        let allowed = crate::schema::schema(signal);
        let columns = Finder::new(signal.as_str(), allowed.fields(), schema.fields(), batch.columns());
        let mut columns = columns.map_err(|error| match error {
            BatchError::UnknownColumn { column, table, .. } => {
                BatchError::UnknownColumn { column, table, fits: fits(batch) }
            }
            other => other,
        })?;
        let own = match signal {
            Signal::Traces => Own::Traces(Box::new(Traces::of(&mut columns)?)),
            Signal::Logs => Own::Logs(Box::new(Logs::of(&mut columns)?)),
            Signal::Metrics => Own::Metrics(Box::new(Metrics::of(&mut columns)?)),
        };
        Ok(Self { rows: batch.num_rows(), own, common: Common::of(&mut columns)? })
    }

    fn check(&self, context: &Context, counts: &mut Counts) -> Checked<()> {
        context.within(counts)?;
        match &self.own {
            Own::Traces(table) => table.check(context, self.rows, counts)?,
            Own::Logs(table) => table.check(context, self.rows, counts)?,
            Own::Metrics(table) => table.check(context, self.rows, counts)?,
        }
        self.common.check(context, self.rows, counts)
    }
}

/// The signal that has all of these columns.
fn fits(batch: &RecordBatch) -> Option<Signal> {
    let names = || batch.schema_ref().fields().iter().map(|field| field.name());
    Signal::ALL.into_iter().find(|signal| {
        let table = schema(*signal);
        names().all(|name| table.fields().find(name).is_some())
    })
}

/// Rows in exactly the form in which a commit has them: copied and checked, with nothing beside them in their buffers.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    signal: Signal,
    batch: RecordBatch,
    pub(crate) counts: Counts,
}

impl StoredBatch {
    /// What a builder of ours made, of the sizes in `counts`.
    pub(crate) fn new(signal: Signal, batch: RecordBatch, counts: Counts) -> Self {
        Self { signal, batch, counts }
    }

    /// The signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The rows.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Bytes of Arrow memory that the rows take, at most.
    pub fn arrow_bytes(&self) -> usize {
        self.counts.bytes(self.signal)
    }
}
