//! Counting: a relaxed atomic add.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::per_signal::PerSignal;

pub(super) type BySignal = PerSignal<AtomicU64>;

pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

pub(super) fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
