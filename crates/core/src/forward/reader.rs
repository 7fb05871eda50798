//! The next request's worth for one destination: from memory as it came, or read back from the files.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::backlog::LogId;
use super::backlogs::Next;
use super::batch::BatchToSend;
use super::log::{Piece, Reader};
use super::state::ForwardState;
use crate::destinations::{Content, Rows};
use crate::error::{Code, OtlpError, Result};
use crate::event::EventName;
use crate::store::ReadError;
use crate::store::position::Position;

/// Reading a damaged file is tried so often before it is given up.
const ATTEMPTS: u32 = 5;
/// How long after a failed attempt the next one begins.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads the backlogs of one destination; open files stay open from batch to batch.
#[derive(Debug)]
pub(super) struct BatchReader {
    state: Arc<ForwardState>,
    open: HashMap<LogId, Reader>,
    /// Attempts in a row that failed.
    failures: HashMap<LogId, u32>,
}

/// A piece of a file in the form that is sent.
type Read = (Content, u64, Position);

impl BatchReader {
    pub(super) fn new(state: Arc<ForwardState>) -> Self {
        Self { state, open: HashMap::new(), failures: HashMap::new() }
    }

    /// What to send next, marked as on its way; `None` when nothing waits.
    pub(super) async fn next(&mut self) -> Option<BatchToSend> {
        loop {
            let (log, from, next, hops) = self.state.backlogs.next()?;
            let (content, records, end) = match next {
                Next::Fresh(fresh, end) => (Content::Otlp(fresh.payload), fresh.rows, end),
                Next::OnDisk(from) => match self.read(log, &from).await {
                    Some(read) => read,
                    None => continue,
                },
            };
            let rows = Rows::new(from.stem.clone(), from.row..from.row + records);
            if let Some(ticket) = self.state.backlogs.issue(log, from, end) {
                self.state.stats.taken(log.signal, records);
                return Some(BatchToSend::new(log, ticket, content, rows, hops.then(self.state.number)));
            }
        }
    }

    /// Closes the files of logs that are through: a reader holds a batch and its file's dictionaries, which would add up.
    pub(super) fn close_idle(&mut self) {
        self.open.retain(|log, _| self.state.backlogs.waits(*log));
        self.failures.retain(|log, _| self.state.backlogs.waits(*log));
    }

    /// `None` when the file was given up, or is to be read again.
    async fn read(&mut self, log: LogId, from: &Position) -> Option<Read> {
        let error = match self.attempt(log, from).await {
            Ok(Some(read)) => {
                self.failures.remove(&log);
                return Some(read);
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let failures = self.failures.entry(log).or_default();
        *failures += 1;
        let gone = error.as_ref().is_none_or(ReadError::is_gone);
        if !gone && *failures < ATTEMPTS {
            tokio::time::sleep(PAUSE).await;
            return None;
        }
        self.failures.remove(&log);
        self.open.remove(&log);
        let lost = self.state.backlogs.give_up_file(log, from);
        if lost > 0 {
            let why = error.map_or_else(|| "it ends early".to_owned(), |error| OtlpError::from(error).to_string());
            let message = format!("{lost} record(s) of {} cannot be read any more: {why}", from.stem);
            self.state.event(EventName::RecordsEvicted, Some(log.signal), Some(lost), message);
        }
        None
    }

    /// Reads, and encodes where that is wanted, off the reactor. A panic over it costs the open file, not the worker.
    async fn attempt(&mut self, log: LogId, from: &Position) -> Result<Option<Read>, ReadError> {
        let mut reader = self.open.remove(&log).unwrap_or_else(|| Reader::new(self.state.log.clone(), log.signal));
        let limit = self.state.backlogs.rows_left_in_file(log, from);
        let (position, takes) = (from.clone(), self.state.takes);
        let work = tokio::task::spawn_blocking(move || {
            let read = reader.read(&position, limit).and_then(|piece| {
                let Some(Piece { batch, end }) = piece else { return Ok(None) };
                let records = batch.num_rows() as u64;
                Ok(Some((Content::Rows(batch).turned(log.signal, takes)?, records, end)))
            });
            (reader, read)
        });
        let (reader, read) = work.await.map_err(|error| {
            OtlpError::with_source(Code::Internal, format!("reading {} ended by a defect: {error}", from.stem), error)
        })?;
        self.open.insert(log, reader);
        read
    }
}
