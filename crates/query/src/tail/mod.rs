//! What is committed from a place on, as it comes: the records that match a filter.

mod cursor;

pub use cursor::TailCursor;

use std::fmt;
use std::time::Duration;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::{Follow, ReadOptions, Wanted};

use crate::answer::internal;
use crate::filter::Filter;
use crate::scan::{Matching, Selection};
use crate::telemetry::Telemetry;

/// Follows what is committed for one signal. It reads behind those who write: whoever is slow finds it in the files.
pub struct Tail {
    follow: Follow,
    matching: Matching,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("follow", &self.follow).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Follows the records of `signal` that match `filter` from `cursor` on, or from now on. What a filter says of limit, order
    /// and cursor is not for this.
    ///
    /// ```
    /// use otlp_arrow_query::{Filter, Telemetry};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let telemetry = Telemetry::open(directory.path());
    /// let filter = Filter::parse([("severity", ">=warn")], telemetry.now())?;
    /// let mut tail = telemetry.tail("logs".parse().unwrap(), &filter, None)?;
    /// while let Some(batch) = tail.next_batch()? {
    ///     println!("{} log records", batch.num_rows());
    /// }
    /// println!("so far: {}", tail.cursor()); // `tail.wait` sleeps until more may be there
    /// # Ok::<(), otlp_arrow_base::OtlpError>(())
    /// ```
    ///
    /// # Errors
    /// INVALID_CONFIG for what records of this signal cannot have; STORAGE_FAILED if the directory cannot be listed.
    pub fn tail(&self, signal: Signal, filter: &Filter, cursor: Option<&TailCursor>) -> Result<Tail> {
        let matching = Matching::new(signal, &filter.terms(signal)?);
        let log = self.engine().log();
        let positions = match cursor {
            Some(cursor) => cursor.positions(&log.entries(signal)?),
            None => log.ends(signal)?,
        };
        // As they are stored: that is what the terms are tested on.
        let wanted = Wanted::new(signal, &ReadOptions { dictionaries: true, ..ReadOptions::default() })?;
        Ok(Tail { follow: log.follow(signal, positions, wanted), matching })
    }
}

impl Tail {
    /// The records that match among the next ones, which may be none; `None` when everything that is committed is behind.
    ///
    /// # Errors
    /// A file that cannot be read: it is passed over where its content does not hold, and tried again where the disk fails.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some((batch, _)) = self.follow.next_batch()? else { return Ok(None) };
        let rows = match self.matching.rows(&batch)? {
            Selection::All(_) => return Ok(Some(batch)),
            Selection::Rows(rows) => UInt32Array::from(rows),
        };
        take_record_batch(&batch, &rows).map(Some).map_err(|error| internal(&error))
    }

    /// Sleeps until more may be committed, at most for `longest`.
    pub fn wait(&mut self, longest: Duration) {
        self.follow.wait(longest);
    }

    /// Where it stands: a tail from there brings what comes behind.
    pub fn cursor(&self) -> TailCursor {
        TailCursor::of(&self.follow)
    }
}
