//! Takes over what writers that are gone left undelivered to one destination.

use std::time::{Duration, Instant};

use super::state::ForwardState;
use crate::store::hooks::AdoptedWriter;

/// The first pause: what a crash left is being recovered.
const SOON: Duration = Duration::from_secs(1);
/// The longest pause, to which it doubles.
const LATE: Duration = Duration::from_secs(30);

/// Looks for such writers from time to time.
#[derive(Debug)]
pub(super) struct Adopter {
    at: Instant,
    pause: Duration,
}

impl Adopter {
    pub(super) fn new(now: Instant) -> Self {
        Self { at: now, pause: SOON }
    }

    /// Whether it is time to look; if so, the next time is set.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        self.pause = (self.pause * 2).min(LATE);
        self.at = now + self.pause;
        true
    }

    /// Adopts writers that left a cursor here and are gone: whoever has this destination takes them over.
    pub(super) fn adopt(state: &ForwardState) {
        let log = &state.log;
        for writer in log.writers_with_cursors(&state.name) {
            if writer == state.writer || state.backlogs.needs_writer(writer) {
                continue;
            }
            // Held by us already for another destination, alive, or adopted by another process: then it is not ours to take.
            if let Some(adopted) = AdoptedWriter::take(log, writer) {
                state.backlogs.adopt(log, &adopted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_two_seconds_to_half_a_minute() {
        let start = Instant::now();
        let mut adopter = Adopter::new(start);
        let due: Vec<u64> = (0..100).filter(|second| adopter.is_due(start + Duration::from_secs(*second))).collect();
        assert_eq!(due, [0, 2, 6, 14, 30, 60, 90]);
    }
}
