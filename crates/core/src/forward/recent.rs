//! Fresh data in memory, as the bytes it came in: forwarding it decodes and encodes nothing.
//!
//! OTLP requests are joined by concatenation, since every top-level field of an export request is repeated.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::store::hooks::Committed;
use crate::store::names::Stem;
use crate::store::position::Position;

/// Requests are joined up to so many bytes: a Collector with default settings refuses more than 4 MiB.
pub(super) const JOINED_BYTES: usize = 1 << 20;

#[derive(Debug)]
struct Entry {
    stem: Stem,
    first_row: u64,
    rows: u64,
    /// `None` where the rows cannot be sent as they came.
    bytes: Option<Bytes>,
}

/// The newest commits of one signal, oldest first, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Recent {
    entries: VecDeque<Entry>,
    bytes: usize,
    limit: usize,
}

/// Rows that can be sent as they came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    /// The joined request.
    pub(super) payload: Bytes,
    /// Rows in it.
    pub(super) rows: u64,
}

impl Recent {
    /// Keeps up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, limit }
    }

    /// Takes in a commit; the oldest entries go when the limit is passed.
    pub(super) fn add(&mut self, commit: &Committed) {
        let mut first_row = commit.first_row;
        for request in &commit.requests {
            let bytes = request.bytes.clone().filter(|bytes| bytes.len() <= self.limit);
            self.bytes += bytes.as_ref().map_or(0, Bytes::len) + size_of::<Entry>();
            self.entries.push_back(Entry { stem: commit.stem.clone(), first_row, rows: request.rows, bytes });
            first_row += request.rows;
        }
        while self.bytes > self.limit {
            self.drop_oldest();
        }
    }

    /// The requests that start exactly at `position`, joined; `None` if they are not in memory as they came.
    /// At most `most` rows.
    pub(super) fn take_from(&self, position: &Position, most: u64) -> Option<Fresh> {
        let key = position.key();
        let start = self.entries.partition_point(|entry| (entry.stem.seq, entry.first_row) < key);
        let mut joined: Option<BytesMut> = None;
        let mut single: Option<Bytes> = None;
        let mut rows = 0;
        for entry in self.entries.range(start..) {
            let fits = rows + entry.rows <= most;
            if entry.stem != position.stem || entry.first_row != position.row + rows || !fits {
                break;
            }
            let Some(bytes) = &entry.bytes else { break };
            match (&mut joined, &single) {
                (None, None) => single = Some(bytes.clone()),
                (Some(joined), _) if joined.len() + bytes.len() <= JOINED_BYTES => joined.extend_from_slice(bytes),
                (None, Some(first)) if first.len() + bytes.len() <= JOINED_BYTES => {
                    let mut both = BytesMut::with_capacity(JOINED_BYTES.min(4 * (first.len() + bytes.len())));
                    both.extend_from_slice(first);
                    both.extend_from_slice(bytes);
                    joined = Some(both);
                }
                _ => break,
            }
            rows += entry.rows;
        }
        let payload = joined.map(BytesMut::freeze).or(single)?;
        Some(Fresh { payload, rows })
    }

    /// Drops everything before `position` of its writer: no one will ask for it again.
    pub(super) fn forget_before(&mut self, position: &Position) {
        let behind = |entry: &Entry| (entry.stem.seq, entry.first_row + entry.rows) <= position.key();
        while self.entries.front().is_some_and(behind) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        match self.entries.pop_front() {
            Some(entry) => self.bytes -= entry.bytes.as_ref().map_or(0, Bytes::len) + size_of::<Entry>(),
            None => self.bytes = 0,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::hooks::CommittedRequest;
    use crate::store::names::WriterId;
    use otlp_arrow_columns::Signal;

    fn stem(seq: u32) -> Stem {
        Stem { created_ms: 1, writer: WriterId(7), seq }
    }

    fn commit(seq: u32, first_row: u64, requests: &[(&'static [u8], u64, bool)]) -> Committed {
        let requests: Vec<_> = requests
            .iter()
            .map(|(bytes, rows, whole)| CommittedRequest {
                bytes: whole.then_some(Bytes::from_static(bytes)),
                rows: *rows,
                hops: Default::default(),
            })
            .collect();
        let rows = requests.iter().map(|request| request.rows).sum();
        Committed { signal: Signal::Logs, stem: stem(seq), first_row, rows, requests }
    }

    fn at(seq: u32, row: u64) -> Position {
        Position { stem: stem(seq), row }
    }

    #[test]
    fn consecutive_requests_are_joined_and_others_are_not() {
        let mut recent = Recent::new(1 << 20);
        recent.add(&commit(1, 0, &[(b"aa", 2, true), (b"b", 1, true)]));
        recent.add(&commit(1, 3, &[(b"c", 1, true), (b"bad", 4, false), (b"d", 1, true)]));
        recent.add(&commit(2, 0, &[(b"e", 1, true)]));
        let fresh = |position: &Position| {
            recent.take_from(position, u64::MAX).map(|fresh| (fresh.payload.to_vec(), fresh.rows))
        };
        assert_eq!(fresh(&at(1, 0)), Some((b"aabc".to_vec(), 4)), "up to the request with refused records");
        assert_eq!(fresh(&at(1, 1)), None, "in the middle of a request");
        assert_eq!(fresh(&at(1, 4)), None, "records were refused");
        assert_eq!(fresh(&at(1, 8)), Some((b"d".to_vec(), 1)), "not over the end of the file");
        assert_eq!(fresh(&at(2, 0)), Some((b"e".to_vec(), 1)));
        assert_eq!(fresh(&at(2, 1)), None);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let each = size_of::<Entry>() + 4;
        let mut recent = Recent::new(3 * each);
        for row in 0..100 {
            recent.add(&commit(1, row, &[(b"four", 1, true)]));
            assert!(recent.bytes <= 3 * each);
        }
        assert_eq!(recent.take_from(&at(1, 96), u64::MAX), None);
        assert_eq!(recent.take_from(&at(1, 97), u64::MAX).unwrap().rows, 3);
        recent.forget_before(&at(1, 99));
        assert_eq!(recent.take_from(&at(1, 98), u64::MAX), None);
        assert_eq!(recent.take_from(&at(1, 99), u64::MAX).unwrap().rows, 1);
        recent.forget_before(&at(2, 0));
        assert_eq!((recent.bytes, recent.entries.len()), (0, 0));
    }

    #[test]
    fn what_is_joined_stays_below_the_limit() {
        static BIG: [u8; 400_000] = [0; 400_000];
        let mut recent = Recent::new(64 << 20);
        recent.add(&commit(1, 0, &[(&BIG, 1, true), (&BIG, 1, true), (&BIG, 1, true), (&BIG, 1, true)]));
        assert_eq!(recent.take_from(&at(1, 0), u64::MAX).unwrap().rows, 2);
        assert_eq!(recent.take_from(&at(1, 2), u64::MAX).unwrap().rows, 2);
    }
}
