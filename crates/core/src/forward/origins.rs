//! Which recorders the rows of one log came through, as runs of rows. Pure.

use std::collections::VecDeque;

use otlp_arrow_base::hops::Hops;

use crate::store::position::Position;

/// Runs that are remembered apart. Where there are more, the last one stands for all that come, with the hops of all: then
/// records may be taken for part of a ring that are not, and never the other way around.
const MOST: usize = 4096;

/// A row as positions compare: file and row in it.
type Key = (u32, u64);

/// From each of these rows on, records came through these recorders. Before the first of them, through none.
#[derive(Debug, Default)]
pub(super) struct Origins {
    runs: VecDeque<(Key, Hops)>,
    /// Whether anything changed since it was last written.
    changed: bool,
}

impl Origins {
    /// The rows from `key` on, which is behind all others, came through `hops`.
    pub(super) fn add(&mut self, key: Key, hops: &Hops) {
        let before = self.runs.back().map(|(_, hops)| hops);
        if before == Some(hops) || before.is_none() && hops.is_empty() {
            return;
        }
        self.changed = true;
        if self.runs.len() < MOST {
            self.runs.push_back((key, hops.clone()));
        } else if let Some((_, last)) = self.runs.back_mut() {
            let more: Vec<u64> = hops.iter().filter(|number| !last.contains(*number)).collect();
            *last = last.iter().chain(more).collect();
        }
    }

    /// What the row at `position` came through, and how many rows from there on surely came the same way.
    pub(super) fn at(&self, position: &Position) -> (Hops, u64) {
        let key = position.key();
        let next = self.runs.partition_point(|(start, _)| *start <= key);
        let hops = next.checked_sub(1).map_or_else(Hops::default, |index| self.runs[index].1.clone());
        let rows = match self.runs.get(next) {
            Some(((file, row), _)) if *file == key.0 => row - key.1,
            _ => u64::MAX,
        };
        (hops, rows)
    }

    /// Forgets what is before `position` only.
    pub(super) fn forget_before(&mut self, position: &Position) {
        while self.runs.get(1).is_some_and(|(start, _)| *start <= position.key()) {
            self.runs.pop_front();
            self.changed = true;
        }
    }

    /// What to write, if anything changed since this was asked last: a line for each run.
    pub(super) fn unsaved(&mut self) -> Option<String> {
        let line = |((file, row), hops): &(Key, Hops)| format!("{file} {row} {hops}\n");
        std::mem::take(&mut self.changed).then(|| self.runs.iter().map(line).collect())
    }

    /// What was written by a process before.
    pub(super) fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let key = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((key, Hops::parse(words.next()?)))
        };
        Self { runs: text.lines().filter_map(line).collect(), changed: false }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::names::{Stem, WriterId};

    fn at(seq: u32, row: u64) -> Position {
        Position { stem: Stem { created_ms: 1, writer: WriterId(7), seq }, row }
    }

    #[test]
    fn each_row_is_told_with_the_way_it_came() {
        let (none, a, ab) = (Hops::default(), Hops::default().then(1), Hops::default().then(1).then(2));
        let mut origins = Origins::default();
        for (key, hops) in [((1, 0), &none), ((1, 5), &a), ((1, 9), &a), ((2, 0), &a), ((2, 4), &none), ((2, 6), &ab)] {
            origins.add(key, hops);
        }
        let check = |origins: &Origins| {
            assert_eq!(origins.at(&at(1, 0)), (none.clone(), 5));
            assert_eq!(origins.at(&at(1, 5)), (a.clone(), u64::MAX), "to the end of the file");
            assert_eq!(origins.at(&at(2, 1)), (a.clone(), 3));
            assert_eq!(origins.at(&at(2, 4)), (none.clone(), 2));
            assert_eq!(origins.at(&at(3, 0)), (ab.clone(), u64::MAX));
        };
        check(&origins);
        let text = origins.unsaved().unwrap();
        assert_eq!(origins.unsaved(), None, "nothing new");
        check(&Origins::parse(&text));
        origins.forget_before(&at(2, 5));
        assert_eq!(origins.at(&at(2, 5)), (none.clone(), 1));
        assert_eq!(origins.runs.len(), 2);
    }

    #[test]
    fn their_number_is_bounded_and_none_is_forgotten() {
        let mut origins = Origins::default();
        for row in 0..3 * MOST as u64 {
            origins.add((1, row), &Hops::default().then(row % 3));
        }
        assert_eq!(origins.runs.len(), MOST);
        let (hops, _) = origins.at(&at(1, 3 * MOST as u64));
        assert!((0..3).all(|number| hops.contains(number)), "{hops}");
    }
}
