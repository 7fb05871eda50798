//! The second pass: checked requests become columns.

mod cache;
mod cells;
mod common;
mod logs;
mod metrics;
mod points;
mod traces;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use otlp_arrow_wire::read::{Block, Cursor, Wire};

use crate::column::Zeros;
use crate::decode::plan::Counts;
use crate::schema::schema;
use crate::sink::ColumnSink;
use crate::{Checked, Payload, Signal};
use cells::{Enumeration, push_types, push_types_dictionary};
use common::Common;
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
    table: Table,
    common: Common,
    zeros: Zeros,
    rows: usize,
    /// Rows there is room for, besides those that are there.
    expected: usize,
}

#[derive(Debug)]
enum Table {
    Traces(Box<Traces>),
    Logs(Box<Logs>),
    Metrics(Box<Metrics>),
}

impl BatchBuilder {
    /// An empty builder; it allocates when the first request comes.
    pub fn new(signal: Signal) -> Self {
        let table = match signal {
            Signal::Traces => Table::Traces(Box::new(Traces::new())),
            Signal::Logs => Table::Logs(Box::new(Logs::new())),
            Signal::Metrics => Table::Metrics(Box::new(Metrics::new())),
        };
        Self { table, common: Common::new(), zeros: Zeros::new(), rows: 0, expected: 0 }
    }

    /// The signal whose requests it takes.
    pub fn signal(&self) -> Signal {
        match self.table {
            Table::Traces(_) => Signal::Traces,
            Table::Logs(_) => Signal::Logs,
            Table::Metrics(_) => Signal::Metrics,
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
            Table::Traces(table) => table.reserve(counts),
            Table::Logs(table) => table.reserve(counts),
            Table::Metrics(table) => table.reserve(counts),
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
        match self.expected.checked_sub(checked.rows) {
            Some(left) => self.expected = left,
            None => self.reserve(&checked.plan.counts),
        }
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
        }
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
            Table::Traces(table) => table.finish(&mut self.zeros, &mut columns),
            Table::Logs(table) => table.finish(&mut self.zeros, &mut columns),
            Table::Metrics(table) => table.finish(&mut self.zeros, &mut columns),
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
            Table::Traces(table) => table.write(sink),
            Table::Logs(table) => table.write(sink),
            Table::Metrics(table) => table.write(sink),
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
            Table::Metrics(table) => return table.metric(bytes, record, skips),
            Table::Traces(table) => match skips.next() {
                Some(repeats) => table.span(bytes, record, repeats)?,
                None => return Ok(0),
            },
            Table::Logs(table) => match skips.next() {
                Some(repeats) => table.log(bytes, record, repeats)?,
                None => return Ok(0),
            },
        }
        Ok(1)
    }
}
