//! One request's worth of one log on its way to one destination, and what it was split into.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use otlp_arrow_base::hops::Hops;

use super::backlog::LogId;
use super::window::Ticket;
use crate::destinations::{Content, Request, Rows};

/// Orders batches that are sent again, oldest first. Tickets are a log's own, so the log is part of it.
pub(super) type Place = (Ticket, u64, LogId);

/// The share of a ticket that has not been split: it can be halved as often as a request can have records.
const WHOLE: u64 = 1 << 62;

/// What is sent with one request, and again until it is settled.
#[derive(Debug)]
pub(super) struct BatchToSend {
    pub(super) log: LogId,
    pub(super) ticket: Ticket,
    content: Content,
    rows: Rows,
    /// The recorders that the records came through, this one the last.
    hops: Hops,
    /// Batches that the ticket was split into and that are not settled.
    unsettled: Arc<AtomicUsize>,
    /// Where this one begins in its ticket, and how much of it it is.
    order: u64,
    span: u64,
}

impl BatchToSend {
    pub(super) fn new(log: LogId, ticket: Ticket, content: Content, rows: Rows, hops: Hops) -> Self {
        Self { log, ticket, content, rows, hops, unsettled: Arc::new(AtomicUsize::new(1)), order: 0, span: WHOLE }
    }

    pub(super) fn place(&self) -> Place {
        (self.ticket, self.order, self.log)
    }

    pub(super) fn records(&self) -> u64 {
        self.rows.count()
    }

    /// Whether the records came from another recorder.
    pub(super) fn passed_on(&self) -> bool {
        self.hops.len() > 1
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// What the destination is asked to take; the records themselves are shared, not copied.
    pub(super) fn request(&self) -> Request {
        Request {
            signal: self.log.signal,
            content: self.content.clone(),
            records: self.records(),
            hops: self.hops.clone(),
            rows: Some(self.rows.clone()),
        }
    }

    /// This one is settled; whether it was the last of its ticket.
    pub(super) fn settled(&self) -> bool {
        self.unsettled.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// The positions of the records of either half; `None` for a single record.
    pub(super) fn halves(&self) -> Option<Vec<Vec<Range<u64>>>> {
        let records = self.records();
        (records > 1).then(|| vec![vec![0..records / 2], vec![records / 2..records]])
    }

    /// A batch of each of `parts`, which are positions of records; each is settled on its own. Decodes and encodes off the
    /// reactor. The batch comes back where its records cannot be told apart.
    pub(super) async fn divided(self, parts: Vec<Vec<Range<u64>>>) -> Result<Vec<Self>, Self> {
        let (signal, content, wanted) = (self.log.signal, self.content.clone(), parts.clone());
        match tokio::task::spawn_blocking(move || content.divided(signal, &wanted)).await {
            Ok(Ok(contents)) => Ok(self.parts(contents, &parts)),
            Ok(Err(_)) | Err(_) => Err(self),
        }
    }

    fn parts(self, contents: Vec<Content>, parts: &[Vec<Range<u64>>]) -> Vec<Self> {
        self.unsettled.fetch_add(parts.len().saturating_sub(1), Ordering::Relaxed);
        let span = self.span / parts.len().max(1) as u64;
        let part = |(index, (content, picked)): (usize, (Content, &Vec<Range<u64>>))| Self {
            log: self.log,
            ticket: self.ticket,
            content,
            rows: self.rows.picked(picked),
            hops: self.hops.clone(),
            unsettled: Arc::clone(&self.unsettled),
            order: self.order + index as u64 * span,
            span,
        };
        contents.into_iter().zip(parts).enumerate().map(part).collect()
    }
}
