//! The memory budget: reserved before anything grows, given back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use otlp_arrow_columns::Signal;

use crate::error::{Code, OtlpError, Result};

/// Bytes that accepted and arriving data may take, all signals and connections together.
#[derive(Debug)]
pub struct Budget {
    max: usize,
    used: [AtomicUsize; 3],
}

impl Budget {
    /// A budget of `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { max, used: Default::default() }
    }

    /// Bytes that may be reserved.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Bytes reserved now.
    pub fn used(&self) -> usize {
        self.used.iter().map(|used| used.load(Ordering::Relaxed)).sum()
    }

    /// Reserves `bytes` for `signal`, or BUFFER_FULL: one signal has at most three quarters.
    pub fn reserve(self: &Arc<Self>, signal: Signal, bytes: usize) -> Result<Reservation> {
        let mut reservation = Reservation { budget: Arc::clone(self), signal, bytes: 0 };
        reservation.grow(bytes)?;
        Ok(reservation)
    }
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    signal: Signal,
    bytes: usize,
}

impl Reservation {
    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An empty reservation from the same budget for the same signal.
    pub fn sibling(&self) -> Reservation {
        Reservation { budget: Arc::clone(&self.budget), signal: self.signal, bytes: 0 }
    }

    /// Reserves `more` bytes on top, or BUFFER_FULL and the reservation stays as it is.
    pub fn grow(&mut self, more: usize) -> Result<()> {
        let used = &self.budget.used[self.signal.index()];
        let before = used.fetch_add(more, Ordering::Relaxed);
        if before + more > self.budget.max / 4 * 3 || self.budget.used() > self.budget.max {
            used.fetch_sub(more, Ordering::Relaxed);
            return Err(OtlpError::new(
                Code::BufferFull,
                format!(
                    "{} bytes of {} do not fit into the buffer now ({} of {} bytes in use): send again, or raise buffer.max_bytes",
                    more,
                    self.signal,
                    self.budget.used(),
                    self.budget.max
                ),
            ));
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used[self.signal.index()].fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
