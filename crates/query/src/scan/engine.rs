//! What all questions to one directory share.

use std::sync::Arc;

use otlp_arrow::config::Query;
use otlp_arrow_base::clock::Clock;

use super::limits::{Gate, Memory};
use super::pruner::Pruner;
use crate::snapshot::{Cache, Source};

/// What all questions to one directory share: where it is, the limits, and what is kept between questions.
#[derive(Debug)]
pub struct Engine {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) limits: Query,
    pub(crate) clock: Clock,
    pub(crate) cache: Cache,
    pub(crate) memory: Memory,
    pub(crate) gate: Gate,
    pub(crate) pruner: Arc<dyn Pruner>,
}

impl Engine {
    /// Of one directory.
    pub fn new(source: Arc<dyn Source>, limits: Query, clock: Clock, pruner: Arc<dyn Pruner>) -> Self {
        Self {
            source,
            clock,
            cache: Cache::new(limits.index_memory),
            memory: Memory::new(limits.max_memory),
            gate: Gate::new(limits.max_concurrent),
            limits,
            pruner,
        }
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
