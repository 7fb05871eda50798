//! Histograms with exponential buckets: bucket i holds the values above 2^(i·2^-scale), up to 2^((i+1)·2^-scale).

use super::explicit::clip;
use super::increase::{Accumulated, Since};

/// Buckets of both signs together, at most, where several histograms are put together: they are made coarser until they fit.
pub const MOST_BUCKETS: i64 = 320;
/// No value needs a bucket wider than this makes them.
const LEAST_SCALE: i32 = -11;

/// Buckets of one sign, by index without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Index of the first one.
    pub offset: i64,
    /// Values a bucket.
    pub counts: Vec<f64>,
}

impl Buckets {
    /// Without the empty ones at both ends.
    fn trim(&mut self) {
        let last = self.counts.iter().rposition(|count| *count != 0.0).map_or(0, |last| last + 1);
        self.counts.truncate(last);
        let first = self.counts.iter().position(|count| *count != 0.0).unwrap_or(0);
        self.counts.drain(..first);
        self.offset += first as i64;
    }

    /// The first and the last index, of what is not empty.
    fn range(&self) -> Option<(i64, i64)> {
        (!self.counts.is_empty()).then(|| (self.offset, self.offset + self.counts.len() as i64 - 1))
    }

    /// Neighbours together, 2^`shift` of them: an index is shifted, a negative one as well.
    fn lower(&mut self, shift: u32) {
        if shift == 0 || self.counts.is_empty() {
            return;
        }
        let shift = shift.min(63);
        let offset = self.offset >> shift;
        let last = (self.offset + self.counts.len() as i64 - 1) >> shift;
        let mut counts = vec![0.0; (last - offset + 1) as usize];
        for (index, count) in (self.offset..).zip(&self.counts) {
            counts[((index >> shift) - offset) as usize] += count;
        }
        (self.offset, self.counts) = (offset, counts);
    }

    /// With room for these indices.
    fn spread(&mut self, (first, last): (i64, i64)) {
        let mut counts = vec![0.0; (last - first + 1) as usize];
        for (index, count) in (self.offset..).zip(&self.counts) {
            counts[(index - first) as usize] = *count;
        }
        (self.offset, self.counts) = (first, counts);
    }

    fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Those that hold something, with their index.
    fn filled(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + '_ {
        let buckets = self.counts.iter().enumerate().map(|(at, count)| (self.offset + at as i64, *count));
        buckets.filter(|(_, count)| *count > 0.0)
    }
}

/// An exponential histogram, of a point or of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exponential {
    /// A bucket ends at 2^(2^-scale) times its beginning.
    pub scale: i32,
    /// Values near zero.
    pub zero_count: f64,
    /// How near.
    pub zero_threshold: f64,
    /// Values above zero.
    pub positive: Buckets,
    /// Values below zero, by their distance from it.
    pub negative: Buckets,
    /// All values.
    pub count: f64,
    /// Their sum, where it is kept.
    pub sum: Option<f64>,
    /// The smallest, where it is known of all of them.
    pub min: Option<f64>,
    /// The greatest, as above.
    pub max: Option<f64>,
}

/// The exponent of 2 at which bucket `index` begins.
fn exponent(index: i64, scale: i32) -> f64 {
    index as f64 * (-f64::from(scale)).exp2()
}

/// Where bucket `index` begins.
fn bound(index: i64, scale: i32) -> f64 {
    exponent(index, scale).exp2().min(f64::MAX)
}

impl Exponential {
    fn sides(&self) -> [&Buckets; 2] {
        [&self.positive, &self.negative]
    }

    fn sides_mut(&mut self) -> [&mut Buckets; 2] {
        [&mut self.positive, &mut self.negative]
    }

    /// Coarser buckets. A scale that is not less changes nothing.
    pub fn lower(&mut self, scale: i32) {
        let shift = self.scale.saturating_sub(scale);
        if shift <= 0 {
            return;
        }
        self.sides_mut().into_iter().for_each(|side| side.lower(shift.cast_unsigned()));
        self.scale = scale;
    }

    /// Makes the zero bucket at least this wide, and as wide as buckets that it cuts through.
    fn widen(&mut self, threshold: f64) {
        let scale = self.scale;
        self.zero_threshold = threshold;
        let mut moved = 0.0;
        for side in self.sides_mut() {
            for (index, count) in (side.offset..).zip(&mut side.counts) {
                if bound(index, scale) < threshold {
                    moved += std::mem::take(count);
                }
            }
            side.trim();
        }
        self.zero_count += moved;
    }

    /// The least threshold from `threshold` on that cuts through no bucket with a value.
    fn threshold(&self, threshold: f64) -> f64 {
        let mut wide = threshold;
        for (index, _) in self.sides().into_iter().flat_map(Buckets::filled) {
            if bound(index, self.scale) < threshold {
                wide = wide.max(bound(index + 1, self.scale));
            }
        }
        wide
    }

    /// Gives both the same zero bucket, which is decided by the buckets as they came, then the same scale, then the same indices.
    fn align(&mut self, other: &mut Self) {
        use std::cmp::Ordering::{Greater, Less};
        for side in self.sides_mut().into_iter().chain(other.sides_mut()) {
            side.trim();
        }
        // What is not a number is neither, and stays as it is.
        loop {
            match self.zero_threshold.partial_cmp(&other.zero_threshold) {
                Some(Less) => self.widen(self.threshold(other.zero_threshold)),
                Some(Greater) => other.widen(other.threshold(self.zero_threshold)),
                _ => break,
            }
        }
        let mut scale = self.scale.min(other.scale);
        let wide = |scale: i32, own: &Self, other: &Self| {
            let both = own.sides().into_iter().zip(other.sides());
            both.map(|(a, b)| {
                let ranges = [(a, own.scale), (b, other.scale)].map(|(side, from)| {
                    let shift = from.saturating_sub(scale).clamp(0, 63);
                    side.range().map(|(first, last)| (first >> shift, last >> shift))
                });
                let first = ranges.iter().flatten().map(|(first, _)| *first).min();
                let last = ranges.iter().flatten().map(|(_, last)| *last).max();
                first.zip(last).map_or(0, |(first, last)| last - first + 1)
            })
            .sum::<i64>()
        };
        while scale > LEAST_SCALE && wide(scale, self, other) > MOST_BUCKETS {
            scale -= 1;
        }
        self.lower(scale);
        other.lower(scale);
        for (a, b) in self.sides_mut().into_iter().zip(other.sides_mut()) {
            let Some((first, last)) = (match (a.range(), b.range()) {
                (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
                (a, b) => a.or(b),
            }) else {
                continue;
            };
            // Beyond the least scale no value is.
            if last - first < 4 * MOST_BUCKETS {
                a.spread((first, last));
                b.spread((first, last));
            }
        }
    }

    /// Whether it has no values.
    fn is_empty(&self) -> bool {
        self.zero_count == 0.0 && self.sides().iter().all(|side| side.filled().next().is_none())
    }

    /// The values of `other` as well. One without values changes nothing, however coarse it is.
    pub fn add(&mut self, other: &Self) {
        if self.is_empty() {
            *self = Self { count: self.count + other.count, ..other.clone() };
            return;
        }
        if other.is_empty() {
            self.count += other.count;
            return;
        }
        let mut other = other.clone();
        self.align(&mut other);
        self.zero_count += other.zero_count;
        for (a, b) in self.sides_mut().into_iter().zip(other.sides()) {
            a.counts.iter_mut().zip(&b.counts).for_each(|(count, more)| *count += more);
        }
        self.count += other.count;
        self.sum = self.sum.zip(other.sum).map(|(a, b)| a + b);
        self.min = self.min.zip(other.min).map(|(a, b)| a.min(b));
        self.max = self.max.zip(other.max).map(|(a, b)| a.max(b));
    }

    /// The exponent of 2 at which the values of a bucket begin: not within the zero bucket, which a coarse one may cut.
    fn begins(&self, index: i64) -> f64 {
        let begins = exponent(index, self.scale);
        if self.zero_threshold > 0.0 {
            begins.max(self.zero_threshold.log2()).min(exponent(index + 1, self.scale))
        } else {
            begins
        }
    }

    /// Their mean.
    pub fn mean(&self) -> Option<f64> {
        self.sum.filter(|_| self.count > 0.0).map(|sum| sum / self.count)
    }

    /// Gives all of them the same buckets, as coarse as it takes to have at most `most` of them from the least value to the
    /// greatest.
    pub fn make_alike<'a>(all: impl Iterator<Item = &'a mut Self>, most: usize) {
        let all: Vec<&mut Self> = all.collect();
        let mut together = Self::default();
        all.iter().for_each(|one| together.add(one));
        together.sides_mut().into_iter().for_each(Buckets::trim);
        let wide = |one: &Self| {
            let ranges = one.sides().map(|side| side.range().map_or(0, |(first, last)| last - first + 1));
            ranges.into_iter().sum::<i64>() + i64::from(one.zero_count > 0.0)
        };
        while together.scale > LEAST_SCALE && wide(&together) > most.try_into().unwrap_or(i64::MAX) {
            together.lower(together.scale - 1);
        }
        for one in all {
            if one.zero_threshold < together.zero_threshold {
                one.widen(together.zero_threshold);
            }
            one.lower(together.scale);
        }
    }

    /// Buckets that have values, the least first: above which value, up to which one, and how many.
    pub fn buckets(&self) -> Vec<((f64, f64), f64)> {
        let ends = |index: i64| {
            let end = bound(index + 1, self.scale);
            (bound(index, self.scale).max(self.zero_threshold).min(end), end)
        };
        let below = self.negative.filled().rev().map(|(index, count)| {
            let (near, far) = ends(index);
            ((-far, -near), count)
        });
        let zero =
            (self.zero_count > 0.0).then_some(((0.0 - self.zero_threshold, self.zero_threshold), self.zero_count));
        let above = self.positive.filled().map(|(index, count)| (ends(index), count));
        below.chain(zero).chain(above).collect()
    }

    /// The value that a share `q`, 0 to 1, of all values does not exceed: exponential within a bucket, linear within that of
    /// zero, which has one side only where there are no values of the other sign. `None` without values.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.zero_count + self.positive.total() + self.negative.total();
        if total <= 0.0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let negative = self.negative.filled().rev().map(|(index, count)| (Place::Negative(index), count));
        let zero = (self.zero_count > 0.0).then_some((Place::Zero, self.zero_count));
        let positive = self.positive.filled().map(|(index, count)| (Place::Positive(index), count));
        let mut buckets: Vec<(Place, f64)> = negative.chain(zero).chain(positive).collect();
        // From the nearer end, as Prometheus does: of a rank between two buckets that is the one it belongs to.
        let from_above = q >= 0.5;
        let rank = if from_above { (1.0 - q) * total } else { q * total };
        if from_above {
            buckets.reverse();
        }
        let (mut before, mut found) = (0.0, None);
        for (place, count) in buckets {
            found = Some((place, count, before));
            before += count;
            if before >= rank {
                break;
            }
        }
        let (place, count, before) = found?;
        let share = ((rank - before) / count).clamp(0.0, 1.0);
        let share = if from_above { 1.0 - share } else { share };
        let between = |from: f64, to: f64| from + (to - from) * share;
        let value = match place {
            Place::Positive(index) => between(self.begins(index), exponent(index + 1, self.scale)).exp2(),
            Place::Negative(index) => -between(exponent(index + 1, self.scale), self.begins(index)).exp2(),
            Place::Zero => {
                let has = |side: &Buckets| side.filled().next().is_some();
                let lower = if has(&self.positive) && !has(&self.negative) { 0.0 } else { -self.zero_threshold };
                let upper = if has(&self.negative) && !has(&self.positive) { 0.0 } else { self.zero_threshold };
                between(lower, upper)
            }
        };
        Some(clip(value.clamp(f64::MIN, f64::MAX), self.min, self.max))
    }
}

/// A bucket.
enum Place {
    Negative(i64),
    Zero,
    Positive(i64),
}

impl Accumulated for Exponential {
    type Grown = Self;

    fn since(&self, before: &Self) -> Since<Self> {
        if before.is_empty() && self.count >= before.count {
            return Since::Grew(Self { min: None, max: None, ..self.clone() });
        }
        let (mut now, mut before) = (self.clone(), before.clone());
        now.align(&mut before);
        let mut fell = now.count < before.count || now.zero_count < before.zero_count;
        now.zero_count -= before.zero_count;
        now.count -= before.count;
        for (now, before) in now.sides_mut().into_iter().zip(before.sides()) {
            for (now, before) in now.counts.iter_mut().zip(&before.counts) {
                *now -= before;
                fell |= *now < 0.0;
            }
            now.trim();
        }
        now.sum = now.sum.zip(before.sum).map(|(now, before)| now - before);
        // What is known of them is known since their start.
        (now.min, now.max) = (None, None);
        if fell { Since::Fell } else { Since::Grew(now) }
    }

    fn whole(&self) -> Self {
        self.clone()
    }

    fn share(&self, share: f64) -> Self {
        let mut part = self.clone();
        part.sides_mut().into_iter().flat_map(|side| &mut side.counts).for_each(|count| *count *= share);
        part.zero_count *= share;
        part.count *= share;
        part.sum = part.sum.map(|sum| sum * share);
        part
    }
}

#[cfg(test)]
mod tests;
