//! Where a tail stands, as a text that fits a header.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use otlp_arrow_store::names::{Stem, WriterId};
use otlp_arrow_store::position::{Position, Positions};
use otlp_arrow_store::{Entry, Follow};

/// So many writers are named in any case; of more, those only that may still write.
const NAMED: usize = 16;

/// Where a tail stands behind each writer. It stays valid when files are sealed, and in any process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TailCursor {
    /// Of writers that are not named everything is behind in files that were begun until then, in milliseconds since 1970.
    until: u64,
    /// The file and the row of the others.
    places: BTreeMap<u64, (u32, u64)>,
}

impl TailCursor {
    pub(super) fn of(follow: &Follow) -> Self {
        let mut cursor = Self::default();
        let many = follow.standing().count() > NAMED;
        for (position, finished) in follow.standing() {
            let Position { stem, row } = position;
            if many && finished {
                cursor.until = cursor.until.max(stem.created_ms);
            } else {
                cursor.places.insert(stem.writer.0, (stem.seq, *row));
            }
        }
        cursor
    }

    /// The positions to follow from, among these files.
    pub(super) fn positions(&self, entries: &[Entry]) -> Positions {
        let mut positions = Positions::new();
        for (writer, (seq, row)) in &self.places {
            let writer = WriterId(*writer);
            let known = entries.iter().map(|entry| &entry.stem).find(|stem| stem.writer == writer && stem.seq == *seq);
            // Without its file only the number counts.
            let stem = known.cloned().unwrap_or(Stem { created_ms: 0, writer, seq: *seq });
            positions.insert(writer, Position { stem, row: *row });
        }
        // Files of a writer come in order: the last one counts.
        for Entry { stem, .. } in entries.iter().filter(|entry| entry.stem.created_ms <= self.until) {
            if !self.places.contains_key(&stem.writer.0) {
                positions.insert(stem.writer, Position::behind(stem));
            }
        }
        positions
    }
}

/// `until,writer.file.row,…`.
impl fmt::Display for TailCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.until)?;
        self.places.iter().try_for_each(|(writer, (seq, row))| write!(f, ",{writer:x}.{seq}.{row}"))
    }
}

impl FromStr for TailCursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.split(',');
            let until = parts.next()?.parse().ok()?;
            let place = |part: &str| {
                let mut numbers = part.split('.');
                let writer = u64::from_str_radix(numbers.next()?, 16).ok()?;
                let place = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
                numbers.next().is_none().then_some((writer, place))
            };
            let places = parts.map(place).collect::<Option<_>>()?;
            Some(Self { until, places })
        };
        read().ok_or_else(|| "is not a place in a tail: take it from the id of an earlier event".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text_and_nothing_else_is_one() {
        let places = [(0xabc, (3, 17)), (u64::MAX, (0, u64::MAX))].into_iter().collect();
        let cursor = TailCursor { until: 1_795_251_600_123, places };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!("0".parse(), Ok(TailCursor::default()));
        for text in
            ["", "x", "1,", "1,2", "1,2.3", "1,2.3.4.5", "1,g.3.4", "1,2.-3.4", "1;2.3.4", "99999999999999999999"]
        {
            assert!(text.parse::<TailCursor>().is_err(), "{text}");
        }
    }
}
