//! Steps of time: a range in parts of equal length.

use crate::filter::Nanos;

/// A range of time in steps that end at multiples of their length since 1970. A step is what lies behind the end of the step
/// before it, up to its own end, that one included: a point tells what came until it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Where the range begins; what is taken then has come before.
    pub from: Nanos,
    /// Where it ends, this included.
    pub to: Nanos,
    /// Nanoseconds of a step, at least one.
    pub step: Nanos,
}

impl Steps {
    /// The number of the step that a time behind `from` is in.
    pub fn of(&self, time: Nanos) -> u64 {
        time.div_ceil(self.step.max(1))
    }

    /// When a step ends: at a multiple of the length, or where the range does.
    pub fn end(&self, step: u64) -> Nanos {
        step.saturating_mul(self.step.max(1)).clamp(self.from, self.to)
    }

    /// When it begins.
    pub fn begin(&self, step: u64) -> Nanos {
        self.end(step.saturating_sub(1))
    }

    /// How many steps there are.
    pub fn count(&self) -> u64 {
        if self.to <= self.from { 0 } else { self.of(self.to) - self.of(self.from.saturating_add(1)) + 1 }
    }

    /// The numbers of all steps.
    pub fn numbers(&self) -> std::ops::Range<u64> {
        let first = self.of(self.from.saturating_add(1));
        first..first + self.count()
    }

    /// The steps that an interval lies in, each with the nanoseconds of it that do.
    pub fn split(&self, start: Nanos, end: Nanos) -> impl Iterator<Item = (u64, Nanos)> + '_ {
        let (start, end) = (start.max(self.from), end.min(self.to));
        let numbers = if start < end { self.of(start + 1)..self.of(end) + 1 } else { 0..0 };
        numbers.map(move |step| (step, self.end(step).min(end) - self.begin(step).max(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_ends_at_a_multiple_and_that_is_part_of_it() {
        let steps = Steps { from: 95, to: 125, step: 10 };
        assert_eq!([96, 100, 101, 110, 125].map(|time| steps.of(time)), [10, 10, 11, 11, 13]);
        assert_eq!([10, 11, 13].map(|step| (steps.begin(step), steps.end(step))), [(95, 100), (100, 110), (120, 125)]);
        assert_eq!((steps.count(), steps.numbers()), (4, 10..14));
        assert_eq!(steps.split(90, 112).collect::<Vec<_>>(), [(10, 5), (11, 10), (12, 2)]);
        assert_eq!(steps.split(100, 100).count() + steps.split(130, 140).count() + steps.split(10, 95).count(), 0);
        assert_eq!(Steps { from: 5, to: 5, step: 10 }.count(), 0);
    }

    proptest! {
        /// The parts of an interval are the interval, and each lies in its step.
        #[test]
        fn parts_add_up(from in 0u64..500, length in 0u64..500, step in 1u64..60, start in 0u64..1000, took in 0u64..400) {
            let steps = Steps { from, to: from + length, step };
            let parts: Vec<_> = steps.split(start, start + took).collect();
            let within = (start + took).min(steps.to).saturating_sub(start.max(from));
            prop_assert_eq!(parts.iter().map(|(_, part)| part).sum::<u64>(), within);
            for (number, part) in parts {
                prop_assert!(steps.numbers().contains(&number));
                prop_assert!(part > 0 && part <= steps.end(number) - steps.begin(number));
            }
        }
    }
}
