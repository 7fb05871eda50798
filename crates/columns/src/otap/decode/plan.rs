//! The rows that the tables of a batch become: what is wrong is found and what they take is counted first.

use super::error::Fault;
use super::logs::Logs;
use super::metrics::Metrics;
use super::planning::Planning;
use super::tables::Tables;
use super::traces::Traces;
use super::unpack::Grow;
use crate::counts::Counts;
use crate::{Limits, Signal, StoredBatch};

impl Tables<'_> {
    /// Says what the rows will be: joins the tables, refuses what is wrong in them and counts what the rows take. Memory
    /// that is used on the way is asked of `grow`.
    ///
    /// # Errors
    /// [`Fault`]; none of them ends the stream.
    pub fn plan<'b>(&'b self, limits: &Limits, grow: &mut Grow<'_>) -> Result<Plan<'b>, Fault> {
        let mut planning = Planning::new(limits, grow);
        let mut counts = Counts::default();
        let rows = match self.signal {
            Signal::Logs => Rows::Logs(Box::new(Logs::of(self, &mut planning, &mut counts)?)),
            Signal::Traces => Rows::Traces(Box::new(Traces::of(self, &mut planning, &mut counts)?)),
            Signal::Metrics => Rows::Metrics(Box::new(Metrics::of(self, &mut planning, &mut counts)?)),
        };
        planning.within(self.signal, &counts)?;
        Ok(Plan { signal: self.signal, rows, counts })
    }
}

enum Rows<'b> {
    Logs(Box<Logs<'b>>),
    Traces(Box<Traces<'b>>),
    Metrics(Box<Metrics<'b>>),
}

/// What the rows of a batch will be, and what they take.
pub struct Plan<'b> {
    signal: Signal,
    rows: Rows<'b>,
    counts: Counts,
}

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("signal", &self.signal).field("rows", &self.counts.rows).finish_non_exhaustive()
    }
}

impl Plan<'_> {
    /// How many rows there will be.
    pub fn rows(&self) -> usize {
        self.counts.rows
    }

    /// Bytes of Arrow memory that the rows take, at most. Reserve this before they are made.
    pub fn arrow_bytes(&self) -> usize {
        self.counts.bytes(self.signal)
    }

    /// Makes the rows.
    pub fn store(&self) -> StoredBatch {
        let batch = match &self.rows {
            Rows::Logs(rows) => rows.build(&self.counts),
            Rows::Traces(rows) => rows.build(&self.counts),
            Rows::Metrics(rows) => rows.build(&self.counts),
        };
        StoredBatch::new(self.signal, batch, self.counts)
    }
}
