//! The second pass: checked requests become columns.

mod cache;
mod cells;
mod common;
mod copy;
mod logs;
mod metrics;
mod points;
mod traces;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use otlp_arrow_wire::read::{Block, Cursor, Wire};

use crate::batch::{Own, Table};
use crate::column::Zeros;
use crate::counts::Counts;
use crate::schema::schema;
use crate::sink::ColumnSink;
use crate::{Checked, CheckedBatches, Payload, Signal, StoredBatch};
use cells::{Enumeration, push_types, push_types_dictionary};
use common::Common;
use copy::Memo;
use logs::Logs;
use metrics::Metrics;
use points::Skips;
use traces::Traces;

/// The second pass: appends checked requests to columns. Reused from batch to batch.
///
/// Resources and scopes seen before are recognised by their bytes and not rendered again; at most 1,024 of each, or
/// 1 MiB, are remembered.
#[derive(Debug)]
pub struct BatchBuilder {
    table: Columns,
    common: Common,
    zeros: Zeros,
    memo: Memo,
    rows: usize,
    /// Rows there is room for, besides those that are there.
    expected: usize,
}

#[derive(Debug)]
enum Columns {
    Traces(Box<Traces>),
    Logs(Box<Logs>),
    Metrics(Box<Metrics>),
}

impl BatchBuilder {
    /// An empty builder; it allocates when the first request comes.
    pub fn new(signal: Signal) -> Self {
        let table = match signal {
            Signal::Traces => Columns::Traces(Box::new(Traces::new())),
            Signal::Logs => Columns::Logs(Box::new(Logs::new())),
            Signal::Metrics => Columns::Metrics(Box::new(Metrics::new())),
        };
        Self { table, common: Common::new(), zeros: Zeros::new(), memo: Memo::default(), rows: 0, expected: 0 }
    }

    /// The signal whose requests it takes.
    pub fn signal(&self) -> Signal {
        match self.table {
            Columns::Traces(_) => Signal::Traces,
            Columns::Logs(_) => Signal::Logs,
            Columns::Metrics(_) => Signal::Metrics,
        }
    }

    /// Makes room for these requests, which are appended next: so columns grow once, not with each of them.
    pub fn expect<'a>(&mut self, requests: impl IntoIterator<Item = &'a Checked>) {
        self.expect_counts(requests.into_iter().map(|checked| &checked.plan.counts));
    }

    /// [`BatchBuilder::expect`] for requests of every kind.
    pub fn expect_payloads<'a>(&mut self, payloads: impl IntoIterator<Item = &'a Payload>) {
        self.expect_counts(payloads.into_iter().map(|payload| match payload {
            Payload::Otlp { checked, .. } => &checked.plan.counts,
            Payload::Batch(batch) => &batch.counts,
        }));
    }

    fn expect_counts<'a>(&mut self, requests: impl Iterator<Item = &'a Counts>) {
        let mut counts = Counts::default();
        requests.for_each(|more| counts.add(more));
        self.reserve(&counts);
        self.expected = counts.rows;
    }

    fn reserve(&mut self, counts: &Counts) {
        match &mut self.table {
            Columns::Traces(table) => table.reserve(counts),
            Columns::Logs(table) => table.reserve(counts),
            Columns::Metrics(table) => table.reserve(counts),
        }
        self.common.reserve(counts.rows);
    }

    /// Appends the rows of one request. `checked` is what [`check`](crate::check) returned for exactly these bytes and
    /// the signal of this builder. The `arrow_bytes` of all requests of a batch together must stay below 2 GiB.
    ///
    /// # Panics
    /// If the bytes are not those that were checked; the builder is useless then.
    pub fn append(&mut self, bytes: &[u8], checked: &Checked) {
        let bytes = checked.plan.merged.as_deref().unwrap_or(bytes);
        let before = self.rows;
        self.make_room(checked.rows, &checked.plan.counts);
        let read = self.request(bytes, &mut Skips::new(&checked.plan));
        assert!(
            read.is_ok() && self.rows - before == checked.rows,
            "append was given other bytes than check: {read:?}"
        );
    }

    /// Appends the rows of one request of whatever kind, of the signal of this builder.
    pub fn append_payload(&mut self, payload: &Payload) {
        match payload {
            Payload::Otlp { bytes, checked, .. } => self.append(bytes, checked),
            Payload::Batch(batch) => self.append_stored(batch),
        }
    }

    /// Appends the rows of checked batches of the signal of this builder. Only what is in the rows is copied: nothing that
    /// lies beside them in shared buffers, and no text of a dictionary that no row has.
    pub fn append_batches(&mut self, batches: &CheckedBatches) {
        self.make_room(batches.rows(), &batches.counts);
        batches.tables().for_each(|table| self.copy(&table));
    }

    /// The rows of checked batches alone, in exactly the form in which a commit has them. The builder was empty.
    pub fn store(&mut self, batches: &CheckedBatches) -> StoredBatch {
        self.append_batches(batches);
        StoredBatch::new(self.signal(), self.finish(), batches.counts)
    }

    fn append_stored(&mut self, stored: &StoredBatch) {
        let table = Table::of(self.signal(), stored.batch()).expect("it was made by a builder of this signal");
        self.make_room(table.rows, &stored.counts);
        self.copy(&table);
    }

    fn make_room(&mut self, rows: usize, counts: &Counts) {
        match self.expected.checked_sub(rows) {
            Some(left) => self.expected = left,
            None => self.reserve(counts),
        }
    }

    fn copy(&mut self, from: &Table<'_>) {
        let (rows, memo) = (from.rows, &mut self.memo);
        match (&mut self.table, &from.own) {
            (Columns::Traces(to), Own::Traces(from)) => to.copy(from, rows, memo),
            (Columns::Logs(to), Own::Logs(from)) => to.copy(from, rows, memo),
            (Columns::Metrics(to), Own::Metrics(from)) => to.copy(from, rows, memo),
            _ => unreachable!("a batch of another signal"),
        }
        self.common.copy(&from.common, rows, memo);
        self.rows += rows;
    }

    /// Rows appended since the last [`BatchBuilder::finish`].
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The batch of everything appended; the builder is empty again and keeps its resource cache.
    pub fn finish(&mut self) -> RecordBatch {
        let schema = schema(self.signal());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        match &mut self.table {
            Columns::Traces(table) => table.finish(&mut self.zeros, &mut columns),
            Columns::Logs(table) => table.finish(&mut self.zeros, &mut columns),
            Columns::Metrics(table) => table.finish(&mut self.zeros, &mut columns),
        }
        self.common.finish(&mut self.zeros, &mut columns);
        self.zeros.trim();
        self.expected = 0;
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(schema, columns, &options).expect("columns are built as the schema says")
    }

    /// Writes everything appended as [`BatchBuilder::finish`] would give it; the builder is empty again, and keeps memory
    /// for a batch of the same size unless that is large.
    pub fn write(&mut self, sink: &mut impl ColumnSink) {
        match &mut self.table {
            Columns::Traces(table) => table.write(sink),
            Columns::Logs(table) => table.write(sink),
            Columns::Metrics(table) => table.write(sink),
        }
        self.common.write(sink);
        (self.rows, self.expected) = (0, 0);
    }

    fn request(&mut self, bytes: &[u8], skips: &mut Skips<'_>) -> Wire<()> {
        let mut cursor = Cursor::new(bytes);
        while !cursor.done() {
            match cursor.key()? {
                0x0a => self.envelope(bytes, cursor.message()?, skips)?,
                key => cursor.skip(key, 0)?,
            }
        }
        Ok(())
    }

    /// `ResourceSpans` and its like.
    fn envelope(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, skips: &mut Skips<'_>) -> Wire<()> {
        let before = self.rows;
        let (mut resource, mut url) = (None, Block::default());
        while !cursor.done() {
            match cursor.key()? {
                0x0a => resource = Some(cursor.block()?),
                0x12 => self.scope_envelope(bytes, cursor.message()?, skips)?,
                0x1a => url = cursor.block()?,
                key => cursor.skip(key, 0)?,
            }
        }
        match self.rows - before {
            0 => Ok(()),
            rows => self.common.resource(bytes, resource, url, rows),
        }
    }

    /// `ScopeSpans` and its like.
    fn scope_envelope(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, skips: &mut Skips<'_>) -> Wire<()> {
        let before = self.rows;
        let (mut scope, mut url) = (None, Block::default());
        while !cursor.done() {
            match cursor.key()? {
                0x0a => scope = Some(cursor.block()?),
                0x12 => {
                    let record = cursor.message()?;
                    self.rows += self.record(bytes, record, skips)?;
                }
                0x1a => url = cursor.block()?,
                key => cursor.skip(key, 0)?,
            }
        }
        match self.rows - before {
            0 => Ok(()),
            rows => self.common.scope(bytes, scope, url, rows),
        }
    }

    /// A span, a log record or a metric: the rows it gave.
    #[inline(always)]
    fn record(&mut self, bytes: &[u8], record: Cursor<'_>, skips: &mut Skips<'_>) -> Wire<usize> {
        match &mut self.table {
            Columns::Metrics(table) => return table.metric(bytes, record, skips),
            Columns::Traces(table) => match skips.next() {
                Some(repeats) => table.span(bytes, record, repeats)?,
                None => return Ok(0),
            },
            Columns::Logs(table) => match skips.next() {
                Some(repeats) => table.log(bytes, record, repeats)?,
                None => return Ok(0),
            },
        }
        Ok(1)
    }
}
