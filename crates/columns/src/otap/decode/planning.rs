//! What a batch is planned with: limits, and where memory is asked for.

use super::error::Fault;
use super::unpack::Grow;
use crate::counts::Counts;
use crate::{Limits, Signal};

/// Arrow offsets are 32 bits wide.
const MAX_MEMORY: usize = i32::MAX as usize;
/// The deepest nesting whatever the limits say, as for OTLP.
const MAX_NESTING: usize = 64;

/// What a plan is made with: limits, and where memory is asked for.
pub(super) struct Planning<'g, 'f> {
    pub(super) nesting: usize,
    /// Bytes that the rows may take.
    pub(super) limit: usize,
    grow: &'g mut Grow<'f>,
    /// Bytes that were asked for what is rendered, and those that it takes.
    asked: usize,
    rendered: usize,
}

/// What is rendered asks for memory in pieces of this size.
const PIECE: usize = 256 << 10;

impl<'g, 'f> Planning<'g, 'f> {
    pub(super) fn new(limits: &Limits, grow: &'g mut Grow<'f>) -> Self {
        let (nesting, limit) = bounds(limits);
        Self { nesting, limit, grow, asked: 0, rendered: 0 }
    }

    /// Asks for memory that is used on the way.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.limit {
            return Err(Fault::TooLarge { needed: bytes, limit: self.limit });
        }
        if (self.grow)(bytes) { Ok(()) } else { Err(Fault::NoRoom) }
    }

    /// Takes note of what one table has rendered so far.
    #[inline(always)]
    pub(super) fn taken(&mut self, scratch: &[u8]) -> Result<(), Fault> {
        if scratch.len() > self.rendered + PIECE { self.taken_more(scratch.len()) } else { Ok(()) }
    }

    #[cold]
    fn taken_more(&mut self, length: usize) -> Result<(), Fault> {
        let more = length - self.rendered;
        self.rendered = length;
        self.asked += more;
        if self.asked > self.limit {
            return Err(Fault::TooLarge { needed: self.asked, limit: self.limit });
        }
        self.take(more * 2)
    }

    /// Begins another table.
    pub(super) fn next(&mut self) {
        self.rendered = 0;
    }

    /// Refuses what takes more than it may.
    pub(super) fn within(&self, signal: Signal, counts: &Counts) -> Result<(), Fault> {
        let needed = counts.bytes(signal);
        if needed > self.limit { Err(Fault::TooLarge { needed, limit: self.limit }) } else { Ok(()) }
    }
}

fn bounds(limits: &Limits) -> (usize, usize) {
    (limits.nesting.min(MAX_NESTING), limits.max_request_memory.min(MAX_MEMORY))
}

/// Bytes that what is unpacked of one batch may take.
pub(super) fn limit(limits: &Limits) -> usize {
    bounds(limits).1
}
