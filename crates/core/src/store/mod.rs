//! The files: commit, rotation, sealing, recovery, retention, and reading while all of that goes on.

pub mod budget;
pub mod storage;

use std::future::Future;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use arrow_array::RecordBatch;
use bytes::Bytes;
use otlp_arrow_columns::{Checked, Signal};

use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
use crate::event::Event;
use budget::{Budget, Reservation};
use storage::Storage;

/// Where events go. Called from any thread; must not block.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// One request on its way into a file: its bytes as they came, what the first pass found, and the memory it holds.
#[derive(Debug)]
pub struct Request {
    /// One OTLP protobuf export request.
    pub bytes: Bytes,
    /// The first pass over exactly these bytes.
    pub checked: Checked,
    /// Covers the bytes and the Arrow memory they will take; given back when the commit is done.
    pub reservation: Reservation,
}

/// Which rows to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Records at or after this time.
    pub from: Option<SystemTime>,
    /// Records before this time.
    pub to: Option<SystemTime>,
    /// Only these columns, in this order; an unknown name is INVALID_CONFIG.
    pub columns: Option<Vec<String>>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// Leaves dictionary columns as they are instead of delivering plain text.
    pub dictionaries: bool,
}

/// A snapshot being read, one batch of at most one file at a time.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// What a shutdown kept and left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedReport {
    /// Live files that are left for the next open to seal, because the deadline came first.
    pub unsealed_files: usize,
    /// Records accepted and not committed.
    pub uncommitted_records: u64,
}

/// One writer in one output directory.
#[derive(Debug)]
pub struct Store {
    budget: Arc<Budget>,
}

impl Store {
    /// Opens `config.output_dir`: takes a writer id, adopts what dead writers left, starts the commit threads.
    pub fn open(config: &Config, storage: Arc<dyn Storage>, events: EventSink) -> Result<Store> {
        let _ = (storage, events);
        Ok(Store { budget: Arc::new(Budget::new(config.buffer.max_bytes)) })
    }

    /// The memory budget that bodies are reserved from as they arrive.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Hands a request to the commit thread of its signal. The future resolves at the configured durability;
    /// the request is kept or not whether or not the future is polled.
    pub fn append(&self, signal: Signal, request: Request) -> impl Future<Output = Result<()>> + Send + 'static {
        let _ = (signal, request);
        std::future::ready(Err(OtlpError::new(Code::Internal, "the store is not there yet")))
    }

    /// Resolves when something that made [`Store::append`] or the budget refuse may have changed, at the latest after 100 ms.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }

    /// Resolves when everything appended before the call is committed at the configured durability (`buffered`: written).
    pub fn flush(&self) -> impl Future<Output = Result<()>> + Send + 'static {
        std::future::ready(Ok(()))
    }

    /// A snapshot of what is committed, over all writers of the directory.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        let _ = (signal, options);
        Ok(Box::new(std::iter::empty()))
    }

    /// Commits what waits, seals until `deadline`, lets go of the directory. A second call reports the same.
    pub fn close(&self, deadline: Instant) -> ClosedReport {
        let _ = deadline;
        ClosedReport::default()
    }
}
