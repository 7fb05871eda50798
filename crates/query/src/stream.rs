//! Everything that matches, as it lies in the files: batch by batch, however much it is, in the memory of one batch.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::take::take_record_batch;
use otlp_arrow::ReadOptions;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_columns::Signal;
use otlp_arrow_store::{FileRows, Log, ReadError, Wanted};

use crate::answer::internal;
use crate::filter::{Cursor, Filter, Order, Term};
use crate::scan::{Matching, Selection};
use crate::snapshot::{File, Files};
use crate::tail::{Tail, TailCursor};
use crate::telemetry::Telemetry;

/// Of a file of which the index leaves more pieces than this, all between the first and the last is read: opening costs, too.
const PIECES: usize = 16;

/// Which columns of rows, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// These, in this order; all without.
    pub names: Option<Vec<String>>,
    /// Leaves columns with dictionaries as they are, instead of plain text.
    pub dictionaries: bool,
}

impl Columns {
    fn wanted(&self, signal: Signal) -> Result<Wanted> {
        let (columns, dictionaries) = (self.names.clone(), self.dictionaries);
        Wanted::new(signal, &ReadOptions { columns, dictionaries, ..ReadOptions::default() })
    }
}

/// How many rows of a signal are kept, and how many bytes they take on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Telemetry {
    /// All rows of `signal` that match `filter`, as they were when it was called: writer by writer in the order they were committed,
    /// the first [`Filter::limit`] of them.
    ///
    /// ```
    /// use otlp_arrow_query::{Columns, Filter, Telemetry};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let telemetry = Telemetry::open(directory.path());
    /// let filter = Filter::parse([("service", "checkout"), ("from", "-1h")], telemetry.now())?;
    /// let mut spans = telemetry.stream("traces".parse().unwrap(), &filter, &Columns::default())?;
    /// while let Some(batch) = spans.next_batch()? {
    ///     println!("{} spans", batch.num_rows());
    /// }
    /// assert!(spans.skipped().is_empty());
    /// # Ok::<(), otlp_arrow_base::OtlpError>(())
    /// ```
    ///
    /// # Errors
    /// INVALID_CONFIG for what records of this signal cannot have, for a column that there is not, and for an order or a cursor:
    /// both are for answers that are sorted. STORAGE_FAILED if the directory cannot be listed.
    pub fn stream(&self, signal: Signal, filter: &Filter, columns: &Columns) -> Result<Stream> {
        let deliver = Delivery::new(signal, filter, columns)?;
        let terms = filter.terms(signal)?;
        let engine = self.engine();
        engine.check_open()?;
        engine.source.flush()?;
        let log = engine.log();
        let files = Files::new(log.clone()).of(signal)?;
        let waiting = files.iter().map(|file| (Arc::clone(file), VecDeque::new())).collect();
        let matching = (!terms.is_empty()).then(|| Matching::new(signal, &terms));
        let reading = match &matching {
            None => deliver.wanted.clone(),
            // The tests are made on dictionaries.
            Some(matching) => Wanted::new(signal, &deliver.with(signal, matching))?,
        };
        let left = filter.limit.unwrap_or(usize::MAX);
        let (telemetry, skipped) = (self.clone(), Vec::new());
        Ok(Stream { telemetry, log, terms, matching, reading, deliver, waiting, current: None, left, skipped })
    }

    /// [`Telemetry::tail`] of these columns.
    ///
    /// # Errors
    /// As of [`Telemetry::stream`]; a limit is not for what has no end.
    pub fn follow(
        &self,
        signal: Signal,
        filter: &Filter,
        columns: &Columns,
        cursor: Option<&TailCursor>,
    ) -> Result<Following> {
        let deliver = Delivery::new(signal, filter, columns)?;
        if filter.limit.is_some() {
            let text = "limit: what is followed has no end: leave it out, and stop when there is enough";
            return Err(OtlpError::new(Code::InvalidConfig, text));
        }
        Ok(Following { tail: self.tail(signal, filter, cursor)?, deliver })
    }

    /// The columns that [`Telemetry::stream`] gives.
    pub fn stream_schema(&self, signal: Signal, columns: &Columns) -> Result<SchemaRef> {
        Ok(columns.wanted(signal)?.schema(signal))
    }

    /// How much is kept of `signal`. Files that cannot be read count nothing.
    pub fn size(&self, signal: Signal) -> Result<Size> {
        self.engine().check_open()?;
        let log = self.engine().log();
        let mut size = Size::default();
        for entry in log.entries(signal)? {
            if let Ok(committed) = log.committed(&entry) {
                size.rows += committed.rows;
                size.bytes += entry.len;
            }
        }
        Ok(size)
    }
}

/// What is made of rows on their way out.
#[derive(Clone, Debug)]
struct Delivery {
    wanted: Wanted,
    schema: SchemaRef,
}

impl Delivery {
    fn new(signal: Signal, filter: &Filter, columns: &Columns) -> Result<Self> {
        let sorted = |word: &str| {
            let text = format!("{word}: rows come as they were committed: leave it out, or ask a question that sorts");
            Err(OtlpError::new(Code::InvalidConfig, text))
        };
        match filter {
            Filter { cursor: Some(Cursor { .. }), .. } => return sorted("cursor"),
            Filter { order: Order::Oldest, .. } => return sorted("order"),
            _ => {}
        }
        let wanted = columns.wanted(signal)?;
        Ok(Self { schema: wanted.schema(signal), wanted })
    }

    /// What is to be read for these columns and for those that decide.
    fn with(&self, signal: Signal, matching: &Matching) -> ReadOptions {
        let columns = self.wanted.columns().map(|names| {
            let schema = otlp_arrow_columns::schema(signal);
            let tested = matching.columns().map(|column| schema.field(column).name().clone());
            let mut all = names.to_vec();
            for column in tested {
                if !all.contains(&column) {
                    all.push(column);
                }
            }
            all
        });
        ReadOptions { columns, dictionaries: true, ..ReadOptions::default() }
    }

    /// `batch` in the columns that were asked for. What files say of their writers does not belong to the rows of several.
    fn made(&self, batch: &RecordBatch, as_is: bool) -> Result<RecordBatch> {
        let applied = if as_is { batch.clone() } else { self.wanted.apply(batch).map_err(|error| internal(&error))? };
        let options = RecordBatchOptions::new().with_row_count(Some(applied.num_rows()));
        let columns = applied.columns().to_vec();
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(|error| internal(&error))
    }
}

/// See [`Telemetry::stream`].
pub struct Stream {
    telemetry: Telemetry,
    log: Log,
    terms: Vec<Term>,
    matching: Option<Matching>,
    reading: Wanted,
    deliver: Delivery,
    /// Each with the rows of it that are still to be read, once that was decided.
    waiting: VecDeque<(Arc<File>, VecDeque<Range<u64>>)>,
    current: Option<Current>,
    left: usize,
    skipped: Vec<String>,
}

/// The file that is read, up to a row.
struct Current {
    file: Arc<File>,
    rows: FileRows,
    end: u64,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("terms", &self.terms)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// The columns of each batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.deliver.schema
    }

    /// Why files were passed over that are there: they could not be read, or not to their end. What is in the others is complete.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// The next rows, at least one; `None` behind the last.
    ///
    /// # Errors
    /// CLOSED when the telemetry is, INTERNAL for a defect.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.left > 0 {
            self.telemetry.engine().check_open()?;
            let Some(current) = &mut self.current else {
                if !self.open_next() {
                    return Ok(None);
                }
                continue;
            };
            let batch = match current.rows.next_batch_until(current.end) {
                Ok(Some(batch)) => batch,
                Ok(None) => {
                    self.current = None;
                    continue;
                }
                Err(error) => {
                    let failed = self.current.take().map(|current| current.file);
                    // Nor is anything else of it read.
                    self.waiting.pop_front_if(|(file, _)| failed.is_some_and(|failed| Arc::ptr_eq(&failed, file)));
                    self.skip(&error);
                    continue;
                }
            };
            if let Some(batch) = self.matched(batch)? {
                let batch = batch.slice(0, batch.num_rows().min(self.left));
                self.left -= batch.num_rows();
                return self.deliver.made(&batch, self.matching.is_none()).map(Some);
            }
        }
        Ok(None)
    }

    fn matched(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(matching) = &mut self.matching else { return Ok(Some(batch)) };
        match matching.rows(&batch)? {
            selection if selection.is_empty() => Ok(None),
            Selection::All(_) => Ok(Some(batch)),
            Selection::Rows(rows) => {
                let taken = take_record_batch(&batch, &UInt32Array::from(rows));
                taken.map(Some).map_err(|error| internal(&error))
            }
        }
    }

    /// Opens what is to be read next; false where nothing is left.
    fn open_next(&mut self) -> bool {
        while let Some((file, ranges)) = self.waiting.front_mut() {
            // Nothing was decided of it yet.
            if ranges.is_empty() {
                let file = Arc::clone(file);
                let decided = self.ranges(&file);
                match self.waiting.front_mut() {
                    Some((_, ranges)) if !decided.is_empty() => *ranges = decided,
                    _ => drop(self.waiting.pop_front()),
                }
                continue;
            }
            let (file, range) = (Arc::clone(file), ranges.pop_front().unwrap_or(0..0));
            if ranges.is_empty() {
                self.waiting.pop_front();
            }
            match self.log.open(&file.listed.file, range.start, &self.reading) {
                Ok(rows) => {
                    self.current = Some(Current { file, rows, end: range.end });
                    return true;
                }
                Err(error) => {
                    self.waiting.pop_front_if(|(next, _)| Arc::ptr_eq(&file, next));
                    self.skip(&error);
                }
            }
        }
        false
    }

    /// The rows of a file that may match: all of them, where no index says less.
    fn ranges(&self, file: &Arc<File>) -> VecDeque<Range<u64>> {
        let engine = self.telemetry.engine();
        let all = || VecDeque::from_iter(std::iter::once(0..file.listed.rows));
        if self.terms.is_empty() || file.grows() {
            return all();
        }
        let (log, cache) = (&self.log, &engine.cache);
        let known = engine.pruner.remembered(cache, file, &self.terms);
        let Some(pruned) = known.or_else(|| engine.pruner.prune(log, cache, file, &self.terms)) else {
            engine.pruner.opened(log, cache, file);
            return all();
        };
        let in_time = |(first, last)| {
            self.terms.iter().all(|term| match term {
                Term::Time(from, to) => first < *to && last >= *from,
                _ => true,
            })
        };
        let mut ranges: VecDeque<Range<u64>> = VecDeque::new();
        for block in pruned.blocks.iter().filter(|block| block.time.is_none_or(in_time)) {
            let rows = block.first_row..block.first_row + block.rows;
            match ranges.back_mut() {
                Some(last) if last.end == rows.start => last.end = rows.end,
                _ => ranges.push_back(rows),
            }
        }
        match (ranges.front(), ranges.back()) {
            (Some(first), Some(last)) if ranges.len() > PIECES => {
                VecDeque::from_iter(std::iter::once(first.start..last.end))
            }
            _ => ranges,
        }
    }

    /// A file that was deleted since is nobody's any more; any other that cannot be read is told of.
    fn skip(&mut self, error: &ReadError) {
        if !error.is_gone() {
            self.skipped.push(error.to_string());
        }
    }
}

/// See [`Telemetry::follow`].
#[derive(Debug)]
pub struct Following {
    /// Where it stands, and what wakes it.
    pub tail: Tail,
    deliver: Delivery,
}

impl Following {
    /// The columns of each batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.deliver.schema
    }

    /// As [`Tail::next_batch`].
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let batch = self.tail.next_batch()?;
        batch.map(|batch| self.deliver.made(&batch, false)).transpose()
    }
}
