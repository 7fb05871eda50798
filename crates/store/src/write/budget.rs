//! The memory budget: reserved before anything grows, given back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use otlp_arrow_columns::Signal;

use otlp_arrow_base::PerSignal;
use otlp_arrow_base::error::{Code, OtlpError, Result};

/// Bytes that accepted and arriving data may take, all signals and connections together.
///
/// One request that is larger than the share of its signal may go beyond it, up to what one request may take, while no
/// other does: else what the limits of a request promise would be refused by an empty buffer (ADR 0018).
#[derive(Debug)]
pub struct Budget {
    max: usize,
    /// What one request may take that no share holds.
    largest: usize,
    used: PerSignal<AtomicUsize>,
    /// Bytes of the request that is beyond its share; nobody else's room.
    beyond: AtomicUsize,
    /// Whether some request is.
    taken: AtomicBool,
}

impl Budget {
    /// A budget of `max` bytes.
    pub fn new(max: usize) -> Self {
        let (used, beyond, taken) = Default::default();
        Self { max, largest: 0, used, beyond, taken }
    }

    /// The same, of which one request at a time may take up to `largest` bytes beside all others.
    pub fn with_largest(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    /// Bytes that may be reserved.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Bytes reserved now.
    pub fn used(&self) -> usize {
        self.used_by_shares() + self.beyond.load(Ordering::Relaxed)
    }

    fn used_by_shares(&self) -> usize {
        self.used.values().map(|used| used.load(Ordering::Relaxed)).sum()
    }

    /// Bytes that one signal may reserve: three quarters.
    fn share(&self) -> usize {
        self.max / 4 * 3
    }

    /// Reserves `bytes` for `signal`, or BUFFER_FULL; TOO_LARGE where even an empty buffer is too small.
    pub fn reserve(self: &Arc<Self>, signal: Signal, bytes: usize) -> Result<Reservation> {
        let mut reservation = Reservation { budget: Arc::clone(self), signal, bytes: 0, beside: 0, place: None };
        reservation.grow(bytes)?;
        Ok(reservation)
    }
}

/// Buffers of so many bytes give back what they were made too large by.
pub const WORTH_TRIMMING: usize = 1 << 20;

/// The place beyond the shares, of one request; free again when its last reservation is dropped.
#[derive(Debug)]
struct Place(Arc<Budget>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    signal: Signal,
    bytes: usize,
    /// What the same request has reserved besides.
    beside: usize,
    /// Where the bytes are counted, if beyond the share of the signal.
    place: Option<Arc<Place>>,
}

impl Reservation {
    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An empty reservation from the same budget for the same request.
    pub fn sibling(&self) -> Reservation {
        let beside = self.beside + self.bytes;
        Reservation {
            budget: Arc::clone(&self.budget),
            signal: self.signal,
            bytes: 0,
            beside,
            place: self.place.clone(),
        }
    }

    /// Goes on as `next`, a sibling that covers what became of the request; what this one held is given back.
    pub fn become_sibling(&mut self, mut next: Reservation) {
        next.beside = next.beside.saturating_sub(self.bytes);
        *self = next;
    }

    /// The request takes so many bytes after all: gives the rest back, where the memory was given back as well.
    pub fn settle(&mut self, bytes: usize) {
        let less = if bytes >= WORTH_TRIMMING { self.bytes.saturating_sub(bytes) } else { 0 };
        self.counter().fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }

    fn counter(&self) -> &AtomicUsize {
        match self.place {
            Some(_) => &self.budget.beyond,
            None => &self.budget.used[self.signal],
        }
    }

    /// Reserves `more` bytes on top, or fails and the reservation stays as it is: BUFFER_FULL, or TOO_LARGE where
    /// waiting would not help.
    pub fn grow(&mut self, more: usize) -> Result<()> {
        let needed = (self.beside + self.bytes).saturating_add(more);
        if needed > self.budget.share() {
            return self.grow_beyond(needed, more);
        }
        if self.place.is_some() {
            self.budget.beyond.fetch_add(more, Ordering::Relaxed);
            self.bytes += more;
            return Ok(());
        }
        let used = &self.budget.used[self.signal];
        let before = used.fetch_add(more, Ordering::Relaxed);
        if before + more > self.budget.share() || self.budget.used_by_shares() > self.budget.max {
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

    /// [`Reservation::grow`] by what `sibling` has, which may be beyond its share already.
    pub fn grow_as(&mut self, sibling: &Reservation) -> Result<()> {
        if let (None, Some(place)) = (&self.place, &sibling.place) {
            self.go_beyond(Arc::clone(place));
        }
        self.grow(sibling.bytes)
    }

    fn go_beyond(&mut self, place: Arc<Place>) {
        self.budget.used[self.signal].fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.beyond.fetch_add(self.bytes, Ordering::Relaxed);
        self.place = Some(place);
    }

    /// A request that no share holds: it takes the place that one of them may have.
    #[cold]
    fn grow_beyond(&mut self, needed: usize, more: usize) -> Result<()> {
        let budget = &self.budget;
        if needed > budget.largest {
            return Err(OtlpError::new(
                Code::TooLarge,
                format!(
                    "one request needs {needed} bytes of memory and may take {} with buffer.max_bytes at {}: send smaller requests, or raise it",
                    budget.share().max(budget.largest),
                    budget.max
                ),
            ));
        }
        if self.place.is_none() {
            if budget.taken.swap(true, Ordering::Acquire) {
                return Err(OtlpError::new(
                    Code::BufferFull,
                    format!(
                        "one request needs {needed} bytes, more than {} may take of buffer.max_bytes ({}), and another one as large is on its way: send again",
                        self.signal, budget.max
                    ),
                ));
            }
            self.go_beyond(Arc::new(Place(Arc::clone(budget))));
        }
        self.budget.beyond.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.counter().fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(done: Result<T>) -> Code {
        done.unwrap_err().code()
    }

    #[test]
    fn one_request_at_a_time_may_take_more_than_a_share() {
        let budget = Arc::new(Budget::new(128).with_largest(320));
        let mut small = budget.reserve(Signal::Logs, 50).unwrap();
        let mut large = budget.reserve(Signal::Traces, 64).unwrap();
        large.grow(200).unwrap();
        assert_eq!(budget.used(), 314);
        assert_eq!(code(budget.reserve(Signal::Traces, 97)), Code::BufferFull, "there is one such place");
        assert_eq!(code(large.grow(57)), Code::TooLarge);
        small.grow(46).unwrap();
        assert_eq!(code(small.grow(1)), Code::BufferFull, "a share and one byte more");
        let other = budget.reserve(Signal::Traces, 32).unwrap();
        assert_eq!(code(budget.reserve(Signal::Metrics, 1)), Code::BufferFull, "all others together have the buffer");
        // The place is kept by whatever is left of the request.
        let rest = large.sibling();
        drop(large);
        assert_eq!((budget.used(), code(budget.reserve(Signal::Traces, 97))), (128, Code::BufferFull));
        drop((rest, small, other));
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.reserve(Signal::Metrics, 320).unwrap().bytes(), 320);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn without_such_a_place_a_share_is_the_most() {
        let budget = Arc::new(Budget::new(128));
        assert_eq!(code(budget.reserve(Signal::Logs, 97)), Code::TooLarge);
        let full = budget.reserve(Signal::Logs, 96).unwrap();
        assert_eq!(code(budget.reserve(Signal::Logs, 1)), Code::BufferFull);
        drop(full);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_a_request_gave_back_does_not_count_against_it() {
        let budget = Arc::new(Budget::new(128));
        let mut packed = budget.reserve(Signal::Logs, 40).unwrap();
        let mut plain = packed.sibling();
        plain.grow(56).unwrap();
        assert_eq!(code(plain.grow(1)), Code::TooLarge, "both are there");
        packed.become_sibling(plain);
        assert_eq!((packed.bytes(), budget.used()), (56, 56));
        packed.settle(30);
        assert_eq!(packed.bytes(), 56, "small buffers keep their room");
        packed.grow(40).unwrap();
        assert_eq!(code(packed.grow(1)), Code::TooLarge);

        let budget = Arc::new(Budget::new(16 * WORTH_TRIMMING));
        let mut large = budget.reserve(Signal::Logs, 10 * WORTH_TRIMMING).unwrap();
        large.settle(4 * WORTH_TRIMMING);
        assert_eq!((large.bytes(), budget.used()), (4 * WORTH_TRIMMING, 4 * WORTH_TRIMMING));
        large.settle(5 * WORTH_TRIMMING);
        assert_eq!(budget.used(), 4 * WORTH_TRIMMING, "what was not reserved is not given back");
    }
}
