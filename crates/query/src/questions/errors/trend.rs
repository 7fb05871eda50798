//! When the exceptions of a group came: counts over time that stay few, whatever the range is.

use std::collections::BTreeMap;

use super::super::counts::readable;
use super::answer::TrendBucket;
use crate::filter::Nanos;

const SECOND: Nanos = 1_000_000_000;
/// Cells of one group; of more, neighbours are put together.
const MOST: usize = 600;
/// Seconds of a cell. Those of 600 cells that are put together are so long a time that each step that
/// [`readable`] finds for it is a multiple of the next number.
const CELLS: [u64; 6] = [1, 5, 60, 300, 3600, 43_200];

/// Counts of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Trend {
    /// Which of [`CELLS`].
    level: usize,
    cells: BTreeMap<u64, u64>,
}

impl Trend {
    /// One more; whether there is a cell more.
    pub(super) fn add(&mut self, time: Nanos) -> bool {
        let before = self.cells.len();
        *self.cells.entry(time / SECOND / CELLS[self.level]).or_default() += 1;
        self.shrink();
        self.cells.len() > before
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        self.coarser(other.level);
        other.coarser(self.level);
        for (cell, count) in other.cells {
            *self.cells.entry(cell).or_default() += count;
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.cells.len() > MOST && self.level + 1 < CELLS.len() {
            self.coarser(self.level + 1);
        }
    }

    fn coarser(&mut self, level: usize) {
        if level > self.level {
            let factor = CELLS[level];
            let own = CELLS[self.level];
            let mut cells = BTreeMap::new();
            for (cell, count) in &self.cells {
                *cells.entry(cell * own / factor).or_default() += count;
            }
            (self.level, self.cells) = (level, cells);
        }
    }

    /// When the first and the last cell begin, in seconds.
    fn seconds(&self) -> Option<(u64, u64)> {
        let length = CELLS[self.level];
        Some((self.cells.first_key_value()?.0 * length, self.cells.last_key_value()?.0 * length))
    }

    /// The step in which all of these are told.
    pub(super) fn step<'a>(all: impl Iterator<Item = &'a Self>) -> Nanos {
        let ends = all.filter_map(Self::seconds).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        readable(ends.map_or(0, |(first, last)| last - first))
    }

    /// Counts of each step that has some.
    pub(super) fn told(&self, step: Nanos) -> Vec<TrendBucket> {
        let length = CELLS[self.level] * SECOND;
        let mut told: BTreeMap<Nanos, u64> = BTreeMap::new();
        for (cell, count) in &self.cells {
            *told.entry(cell.saturating_mul(length) / step * step).or_default() += count;
        }
        told.into_iter().map(|(time, count)| TrendBucket { time, count }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cell_that_was_put_together_lies_within_one_step() {
        for (level, pair) in CELLS.windows(2).enumerate() {
            for seconds in [1, 2, 3, 10, 100, 1000].map(|more| (MOST as u64 - 1) * CELLS[level] * more) {
                assert_eq!(readable(seconds) / SECOND % pair[1], 0, "{seconds} s in cells of {} s", pair[1]);
            }
        }
    }

    #[test]
    fn a_steady_group_keeps_few_cells() {
        let mut trend = Trend::default();
        for second in 0..100_000 {
            trend.add((1_700_000_000 + second) * SECOND);
        }
        assert!(trend.cells.len() <= MOST, "{}", trend.cells.len());
        let step = Trend::step([&trend].into_iter());
        assert_eq!(step, 1800 * SECOND);
        let told = trend.told(step);
        assert_eq!(told.iter().map(|bucket| bucket.count).sum::<u64>(), 100_000);
        assert!(told[1..told.len() - 1].iter().all(|bucket| bucket.count == 1800), "{told:?}");
    }

    proptest! {
        /// However the times are spread over threads, each step has its exceptions.
        #[test]
        fn steps_have_what_came_in_them(
            begin in 0u64..4_000_000_000,
            length in 1u64..200_000_000,
            shares in proptest::collection::vec(0.0f64..1.0, 1..2000),
            split in 0usize..2000,
        ) {
            let times: Vec<u64> = shares.iter().map(|share| begin + (length as f64 * share) as u64).collect();
            let (mut one, mut other) = (Trend::default(), Trend::default());
            for (at, time) in times.iter().enumerate() {
                let to = if at < split { &mut one } else { &mut other };
                to.add(time * SECOND);
            }
            one.merge(other);
            let step = Trend::step([&one].into_iter());
            let mut wanted: BTreeMap<u64, u64> = BTreeMap::new();
            times.iter().for_each(|time| *wanted.entry(time * SECOND / step * step).or_default() += 1);
            let told: Vec<(u64, u64)> = one.told(step).iter().map(|bucket| (bucket.time, bucket.count)).collect();
            prop_assert_eq!(told, wanted.into_iter().collect::<Vec<_>>());
        }
    }
}
