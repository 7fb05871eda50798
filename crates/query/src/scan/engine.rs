//! What all questions to one directory share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use otlp_arrow::config::Query;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_store::Log;

use super::limits::{Gate, Memory};
use super::pruner::Pruner;
use crate::snapshot::{Cache, Source};

/// What all questions to one directory share: where it is, the limits, and what is kept between questions.
#[derive(Debug)]
pub struct Engine {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) limits: Query,
    pub(crate) clock: Clock,
    pub(crate) cache: Arc<Cache>,
    pub(crate) memory: Memory,
    pub(crate) gate: Gate,
    pub(crate) pruner: Arc<dyn Pruner>,
    closed: AtomicBool,
}

impl Engine {
    /// Of one directory.
    pub fn new(source: Arc<dyn Source>, limits: Query, clock: Clock, pruner: Arc<dyn Pruner>) -> Self {
        Self {
            source,
            clock,
            cache: Arc::new(Cache::new(limits.index_memory)),
            memory: Memory::new(limits.max_memory),
            gate: Gate::new(limits.max_concurrent),
            limits,
            pruner,
            closed: AtomicBool::new(false),
        }
    }

    /// Questions that are being answered end, and there are no others.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.pruner.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// CLOSED if it was.
    pub fn check_open(&self) -> Result<()> {
        match self.is_closed() {
            true => Err(OtlpError::new(Code::Closed, "this Telemetry is closed: open the directory again")),
            false => Ok(()),
        }
    }

    /// What a question is told that finds no place among those that are being answered.
    pub fn too_many(&self) -> OtlpError {
        let most = self.limits.max_concurrent;
        let text = format!("{most} questions are being answered (query.max_concurrent): ask again in a moment");
        OtlpError::new(Code::Unavailable, text)
    }

    /// The log as it is now.
    pub fn log(&self) -> Log {
        self.source.log()
    }

    /// The limits that questions are held to.
    pub fn limits(&self) -> &Query {
        &self.limits
    }

    /// Bytes that questions use at this moment, and that are kept between them.
    pub fn memory(&self) -> (usize, usize) {
        (self.memory.used(), self.cache.memory())
    }

    /// The time it is, in nanoseconds since 1970.
    pub fn now(&self) -> crate::filter::Nanos {
        crate::filter::nanos(self.clock.wall())
    }
}
