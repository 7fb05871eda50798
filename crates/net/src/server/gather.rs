//! Pieces of one message, put together.

use bytes::{Bytes, BytesMut};
use otlp_arrow_base::error::Result;
use otlp_arrow_store::budget::Reservation;

/// Pieces of one message, put together with at most one copy of each byte.
#[derive(Debug)]
pub(super) struct Gather {
    whole: Bytes,
    joined: BytesMut,
    expected: usize,
}

/// A buffer is made as large as the sender announces up to here; beyond, up to so many times what has arrived. Pages that
/// nothing is written to cost nothing, pages that a buffer is moved away from may stay with the allocator.
const TRUSTED: usize = 1 << 20;
const TRUSTED_TIMES: usize = 8;

impl Gather {
    /// For a message of about `expected` bytes.
    pub(super) fn new(expected: usize) -> Self {
        Self { whole: Bytes::new(), joined: BytesMut::new(), expected }
    }

    pub(super) fn len(&self) -> usize {
        self.whole.len() + self.joined.len()
    }

    /// Adds a piece, once `reservation` covers it.
    pub(super) fn push(&mut self, piece: Bytes, reservation: &mut Reservation) -> Result<()> {
        reservation.grow(piece.len())?;
        if self.len() == 0 {
            self.whole = piece;
            return Ok(());
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.expected.min(TRUSTED).max(self.whole.len() + piece.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.whole));
        }
        if self.joined.capacity() - self.joined.len() < piece.len() {
            let trusted = self.expected.min(self.joined.len() * TRUSTED_TIMES);
            self.joined.reserve(trusted.saturating_sub(self.joined.len()).max(piece.len()));
        }
        self.joined.extend_from_slice(&piece);
        Ok(())
    }

    pub(super) fn finish(self) -> Bytes {
        if self.joined.is_empty() { self.whole } else { self.joined.freeze() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use otlp_arrow_store::budget::Budget;
    use otlp_arrow_wire::Signal;

    use super::*;

    #[test]
    fn a_buffer_is_moved_seldom_and_ends_as_large_as_was_announced() {
        let mut reservation = Arc::new(Budget::new(64 << 20)).reserve(Signal::Logs, 0).unwrap();
        let piece = Bytes::from(vec![7; 300_000]);
        let announced = 70 * piece.len();
        let mut gather = Gather::new(announced);
        let mut sizes = Vec::new();
        for _ in 0..70 {
            gather.push(piece.clone(), &mut reservation).unwrap();
            assert!(gather.joined.capacity() <= (TRUSTED_TIMES * gather.len()).max(TRUSTED));
            sizes.push(gather.joined.capacity());
        }
        sizes.dedup();
        assert!(sizes.len() <= 4, "{sizes:?}");
        assert_eq!((sizes.last(), reservation.bytes()), (Some(&announced), announced));
        assert!(gather.finish().iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_sender_may_send_more_than_it_announced() {
        let mut reservation = Arc::new(Budget::new(64 << 20)).reserve(Signal::Logs, 0).unwrap();
        let mut gather = Gather::new(10);
        for byte in 0..10u8 {
            gather.push(Bytes::from(vec![byte; 200_000]), &mut reservation).unwrap();
        }
        let whole = gather.finish();
        assert_eq!(whole.len(), 2_000_000);
        assert!(whole.chunks(200_000).enumerate().all(|(at, chunk)| chunk.iter().all(|&byte| byte == at as u8)));
    }
}
