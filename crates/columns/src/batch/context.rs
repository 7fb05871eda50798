//! What a check carries along.

use std::hash::{BuildHasher, RandomState};

use super::error::Bad;
use crate::counts::Counts;
use crate::{Limits, Signal};

/// The deepest nesting whatever the limits say, as for OTLP.
const MAX_NESTING: usize = 64;
/// Arrow offsets are 32 bits wide.
const MAX_MEMORY: usize = i32::MAX as usize;

/// Limits, and a secret that keeps whoever sends from choosing texts of one hash.
pub(super) struct Context {
    signal: Signal,
    pub(super) nesting: usize,
    pub(super) limit: usize,
    pub(super) seed: u64,
}

impl Context {
    pub(super) fn new(signal: Signal, limits: &Limits) -> Self {
        Self {
            signal,
            nesting: limits.nesting.min(MAX_NESTING),
            limit: limits.max_request_memory.min(MAX_MEMORY),
            seed: RandomState::new().hash_one(0),
        }
    }

    /// Ends a check that would take too much memory, before values are looked at that may be far fewer than their rows.
    pub(super) fn within(&self, counts: &Counts) -> Result<(), Bad> {
        let needed = counts.bytes(self.signal);
        if needed > self.limit { Err(Bad::TooLarge(needed)) } else { Ok(()) }
    }
}
