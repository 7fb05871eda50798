//! Bodies as they arrive: each frame is reserved from the memory budget before it is kept.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use super::fault::Fault;
use crate::store::budget::Reservation;

/// A request body that knows whether it was read to its end.
#[derive(Debug)]
pub(super) struct Source {
    incoming: Incoming,
    deadline: Instant,
    ended: bool,
}

impl Source {
    pub(super) fn new(incoming: Incoming, deadline: Instant) -> Self {
        Self { incoming, deadline, ended: false }
    }

    /// The next piece; None at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let frame = timeout_at(self.deadline, self.incoming.frame()).await.map_err(|_| {
                Fault::timeout(
                    "the request took longer to arrive than it may: send it again, or raise limits.timeout".into(),
                )
            })?;
            match frame {
                None => {
                    self.ended = true;
                    return Ok(None);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(Fault::invalid(format!("the body broke off: {error}")));
                }
                // Trailers carry nothing for a door.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => {}
                },
            }
        }
    }

    /// What the sender says it will send, if it says so.
    pub(super) fn announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// Waits no longer than this from now on.
    pub(super) fn until(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Whether something may still come.
    pub(super) fn unread(&self) -> bool {
        !self.ended && !self.incoming.is_end_stream()
    }

    /// Takes what still comes and throws it away, so that a sender that writes before it reads gets its answer.
    pub(super) async fn discard(mut self, mut bytes: usize) {
        while let Ok(Some(data)) = self.next().await {
            if data.len() > bytes {
                return;
            }
            bytes -= data.len();
        }
    }
}

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
    pub(super) fn push(&mut self, piece: Bytes, reservation: &mut Reservation) -> Result<(), Fault> {
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

/// The whole of a plain HTTP body of at most `max` bytes.
pub(super) async fn whole(source: &mut Source, max: usize, reservation: &mut Reservation) -> Result<Bytes, Fault> {
    let announced = source.announced().unwrap_or(0);
    if announced > max as u64 {
        return Err(over(announced as usize, max));
    }
    let mut gather = Gather::new(announced as usize);
    while let Some(piece) = source.next().await? {
        if gather.len() + piece.len() > max {
            return Err(over(gather.len() + piece.len(), max));
        }
        gather.push(piece, reservation)?;
    }
    Ok(gather.finish())
}

/// A body that is larger than a body may be.
pub(super) fn over(bytes: usize, max: usize) -> Fault {
    Fault::too_large(format!(
        "the request takes at least {bytes} bytes and may take {max}: send smaller batches or raise limits.max_body"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use otlp_arrow_columns::Signal;

    use super::*;
    use crate::store::budget::Budget;

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
