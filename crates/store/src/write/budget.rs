//! The memory budget: reserved before anything grows, given back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use otlp_arrow_columns::Signal;

use otlp_arrow_base::PerSignal;
use otlp_arrow_base::error::{Code, OtlpError, Result};

/// Bytes that accepted and arriving data may take, all signals and connections together.
#[derive(Debug)]
pub struct Budget {
    max: usize,
    used: PerSignal<AtomicUsize>,
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
        self.used.values().map(|used| used.load(Ordering::Relaxed)).sum()
    }

    /// Bytes that one signal may reserve: three quarters.
    fn share(&self) -> usize {
        self.max / 4 * 3
    }

    /// Reserves `bytes` for `signal`, or BUFFER_FULL; TOO_LARGE where even an empty buffer is too small.
    pub fn reserve(self: &Arc<Self>, signal: Signal, bytes: usize) -> Result<Reservation> {
        let mut reservation = Reservation { budget: Arc::clone(self), signal, bytes: 0, beside: 0 };
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
    /// What the same request had reserved before.
    beside: usize,
}

impl Reservation {
    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An empty reservation from the same budget for the same request.
    pub fn sibling(&self) -> Reservation {
        let beside = self.beside + self.bytes;
        Reservation { budget: Arc::clone(&self.budget), signal: self.signal, bytes: 0, beside }
    }

    /// Reserves `more` bytes on top, or fails and the reservation stays as it is: BUFFER_FULL, or TOO_LARGE where
    /// waiting would not help.
    pub fn grow(&mut self, more: usize) -> Result<()> {
        let needed = self.beside + self.bytes + more;
        if needed > self.budget.share() {
            return Err(OtlpError::new(
                Code::TooLarge,
                format!(
                    "one request needs {} bytes, and all {} together have {} of buffer.max_bytes ({}): send smaller requests, or raise it",
                    needed,
                    self.signal,
                    self.budget.share(),
                    self.budget.max
                ),
            ));
        }
        let used = &self.budget.used[self.signal];
        let before = used.fetch_add(more, Ordering::Relaxed);
        if before + more > self.budget.share() || self.budget.used() > self.budget.max {
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
        self.budget.used[self.signal].fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
