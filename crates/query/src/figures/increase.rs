//! What came within each step, from points that accumulate since a start or since the point before.

use super::steps::Steps;
use crate::filter::Nanos;

/// What a point of a sum or a histogram has accumulated.
pub trait Accumulated {
    /// What it is within a step.
    type Grown;

    /// What came since an earlier point of the same series.
    fn since(&self, before: &Self) -> Since<Self::Grown>;

    /// All of it.
    fn whole(&self) -> Self::Grown;

    /// A share of it, 0 to 1, where its interval is of several steps.
    fn share(&self, share: f64) -> Self::Grown;
}

/// How a point stands to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Since<G> {
    /// It is the earlier one and this.
    Grew(G),
    /// Something is less: it began anew.
    Fell,
    /// The two cannot be compared: other buckets, no numbers.
    Unlike,
}

/// One point of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<T> {
    /// Since when it accumulates; 0 is unknown.
    pub start: Nanos,
    /// When it was taken.
    pub time: Nanos,
    /// `None` says that there is no value: the series has ended, or pauses.
    pub value: Option<T>,
}

impl<T> Point<T> {
    /// Since when it accumulates, if that is known: nothing can accumulate in no time.
    pub fn since(&self) -> Option<Nanos> {
        (self.start > 0 && self.start < self.time).then_some(self.start)
    }
}

/// What the points of a series are relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Their start.
    Cumulative,
    /// The point before.
    Delta,
}

/// Calls `each` with what came within a step and the nanoseconds it came in, for each part that is known: `points` are in order
/// of time, none twice.
///
/// Of cumulative points that is what each has more than the one before, and all of one that began anew: its start is later, or
/// something of it is less. A first one counts if its own start is within the range. Of delta points it is those that were
/// taken within the range, each in the steps that its interval lies in.
pub fn increases<T: Accumulated>(
    points: &[Point<T>],
    temporality: Temporality,
    steps: &Steps,
    mut each: impl FnMut(u64, T::Grown, Nanos),
) {
    let within = points.iter().filter(|point| point.time >= steps.from && point.time <= steps.to);
    let recorded = within.filter_map(|point| Some((point, point.value.as_ref()?)));
    match temporality {
        Temporality::Delta => recorded.for_each(|(point, value)| delta(point, value, steps, &mut each)),
        Temporality::Cumulative => {
            let mut before: Option<(&Point<T>, &T)> = None;
            for (point, value) in recorded {
                let step = steps.of(point.time);
                match before {
                    // What was taken as the range begins is only what others are compared with.
                    _ if point.time == steps.from => {}
                    None => {
                        if let Some(start) = point.since().filter(|start| *start >= steps.from) {
                            each(step, value.whole(), point.time - start);
                        }
                    }
                    Some((earlier, known)) => {
                        let passed = point.time - earlier.time;
                        match value.since(known) {
                            _ if began_anew(point, earlier) => each(step, value.whole(), passed),
                            Since::Grew(grown) => each(step, grown, passed),
                            Since::Fell => each(step, value.whole(), passed),
                            Since::Unlike => {}
                        }
                    }
                }
                before = Some((point, value));
            }
        }
    }
}

/// Whether a start says that a point does not go on where an earlier one was.
fn began_anew<T>(point: &Point<T>, earlier: &Point<T>) -> bool {
    // The first point of a start that is not known has itself as its start, and those behind it have that one as well.
    point.since().is_some_and(|start| match earlier.start {
        0 => start >= earlier.time,
        before => start > before,
    })
}

fn delta<T: Accumulated>(point: &Point<T>, value: &T, steps: &Steps, each: &mut impl FnMut(u64, T::Grown, Nanos)) {
    if point.time == steps.from {
        return;
    }
    let step = steps.of(point.time);
    let Some(start) = point.since() else { return each(step, value.whole(), 0) };
    let all = point.time - start;
    if start >= steps.begin(step) {
        return each(step, value.whole(), all);
    }
    for (step, part) in steps.split(start, point.time) {
        each(step, value.share(part as f64 / all as f64), part);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Amount, Number};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const ALL: Steps = Steps { from: 0, to: u64::MAX, step: 100 };

    fn points(points: &[(u64, u64, i64)]) -> Vec<Point<Number>> {
        points
            .iter()
            .map(|(start, time, value)| Point { start: *start, time: *time, value: Some(Number::Int(*value)) })
            .collect()
    }

    fn by_step(points: &[Point<Number>], temporality: Temporality, steps: Steps) -> Vec<(u64, f64, u64)> {
        let mut found: BTreeMap<u64, (Amount, u64)> = BTreeMap::new();
        increases(points, temporality, &steps, |step, grown, covered| {
            let cell = found.entry(step).or_default();
            cell.0.add(&grown);
            cell.1 += covered;
        });
        found.into_iter().map(|(step, (amount, covered))| (step, amount.value(), covered)).collect()
    }

    use Temporality::{Cumulative, Delta};

    #[test]
    fn a_cumulative_sum_counts_what_each_point_has_more() {
        for (what, given, wanted) in [
            (
                "the first point has its start within the range",
                vec![(10, 50, 7), (10, 150, 9)],
                vec![(1, 7.0, 40), (2, 2.0, 100)],
            ),
            ("its start is unknown", vec![(0, 50, 7), (0, 150, 9)], vec![(2, 2.0, 100)]),
            ("it accumulated in no time", vec![(50, 50, 7), (50, 150, 9)], vec![(2, 2.0, 100)]),
            ("a later start", vec![(10, 50, 7), (60, 150, 9)], vec![(1, 7.0, 40), (2, 9.0, 100)]),
            ("less, with the same start", vec![(10, 50, 7), (10, 150, 3)], vec![(1, 7.0, 40), (2, 3.0, 100)]),
            ("less, without a start", vec![(0, 50, 7), (0, 150, 3)], vec![(2, 3.0, 100)]),
            ("a start where none was", vec![(0, 50, 7), (60, 150, 9)], vec![(2, 9.0, 100)]),
            ("a start where none was, before that point", vec![(0, 50, 7), (20, 150, 9)], vec![(2, 2.0, 100)]),
            ("an earlier start", vec![(10, 50, 7), (5, 150, 9)], vec![(1, 7.0, 40), (2, 2.0, 100)]),
            ("nothing more", vec![(10, 50, 7), (10, 60, 7)], vec![(1, 7.0, 50)]),
            ("two resets", vec![(0, 10, 5), (0, 20, 1), (0, 30, 4), (0, 40, 2)], vec![(1, 6.0, 30)]),
        ] {
            assert_eq!(by_step(&points(&given), Cumulative, ALL), wanted, "{what}");
        }
    }

    #[test]
    fn what_lies_before_the_range_counts_for_nothing() {
        let given = points(&[(10, 50, 7), (10, 100, 8), (10, 150, 10), (10, 250, 13)]);
        let steps = |from, to| Steps { from, to, step: 100 };
        assert_eq!(by_step(&given, Cumulative, steps(60, 250)), [(2, 2.0, 50), (3, 3.0, 100)]);
        assert_eq!(
            by_step(&given, Cumulative, steps(100, 250)),
            [(2, 2.0, 50), (3, 3.0, 100)],
            "a point at its beginning is known"
        );
        assert_eq!(by_step(&given, Cumulative, steps(110, 250)), [(3, 3.0, 100)]);
        assert_eq!(by_step(&given, Cumulative, steps(10, 240)), [(1, 8.0, 90), (2, 2.0, 50)]);
    }

    #[test]
    fn a_pause_takes_nothing_away() {
        let mut given = points(&[(10, 50, 7), (10, 60, 0), (10, 150, 9)]);
        given[1].value = None;
        assert_eq!(by_step(&given, Cumulative, ALL), [(1, 7.0, 40), (2, 2.0, 100)]);
    }

    #[test]
    fn deltas_are_split_over_the_steps_of_their_interval() {
        let given = points(&[(0, 50, 7), (50, 100, 3), (100, 300, 10), (250, 350, 6)]);
        let wanted = [(1, 10.0, 50), (2, 5.0, 100), (3, 8.0, 150), (4, 3.0, 50)];
        assert_eq!(by_step(&given, Delta, ALL), wanted);
        // A point that was taken behind the range is not of it, one that began before it is so in part.
        assert_eq!(by_step(&given, Delta, Steps { from: 150, to: 340, step: 100 }), [(2, 2.5, 50), (3, 5.0, 100)]);
    }

    #[test]
    fn whole_numbers_stay_exact_where_floats_do_not() {
        let big = i64::MAX - 10;
        let given = points(&[(0, 10, big), (0, 20, big + 3)]);
        assert_eq!(by_step(&given, Cumulative, ALL), [(1, 3.0, 10)]);
        let given = points(&[(0, 10, i64::MIN), (0, 20, i64::MAX)]);
        assert_eq!(by_step(&given, Cumulative, ALL), [(1, u64::MAX as f64, 10)]);
        let strange = [f64::NAN, 1.0, f64::INFINITY, f64::INFINITY, 3.0];
        let given: Vec<_> = (1..)
            .zip(strange)
            .map(|(time, value)| Point { start: 0, time, value: Some(Number::Float(value)) })
            .collect();
        assert_eq!(by_step(&given, Cumulative, ALL), [(1, f64::INFINITY, 2)], "what is not a number adds nothing");
    }

    proptest! {
        /// However a range is cut, what came within its steps is what came within all of it; and with one start, that is the
        /// last value less the first one, and each value before it fell.
        #[test]
        fn steps_add_up(
            grown in proptest::collection::vec((1u64..90, -20i64..60), 1..40),
            step in 1u64..500, from in 0u64..500, length in 1u64..3000, known in any::<bool>(), delta in any::<bool>(),
        ) {
            let (mut time, mut value) = (100, 0i64);
            let mut given = Vec::new();
            for (passed, grows) in grown {
                let start = if delta { time } else if known { 50 } else { 0 };
                time += passed;
                value = if delta { grows.abs() } else if grows < -10 { 0 } else { value + grows.max(0) };
                given.push((start, time, value));
            }
            let temporality = if delta { Delta } else { Cumulative };
            let within = Steps { from, to: from + length, step };
            let one = Steps { step: u64::MAX, ..within };
            let given = points(&given);
            let sum = |steps| by_step(&given, temporality, steps).iter().fold((0.0, 0), |sum, (_, value, covered)| (sum.0 + value, sum.1 + covered));
            let (parts, whole) = (sum(within), sum(one));
            prop_assert!((parts.0 - whole.0).abs() < 1e-9 * whole.0.max(1.0), "{parts:?} {whole:?}");
            prop_assert_eq!(parts.1, whole.1);
            if !delta {
                let values: Vec<(u64, i64)> = given.iter().filter(|point| point.time >= from && point.time <= within.to)
                    .map(|point| (point.time, point.value.map_or(0, |value| value.value() as i64))).collect();
                let mut naive: i64 = values.windows(2).map(|pair| if pair[1].1 >= pair[0].1 { pair[1].1 - pair[0].1 } else { pair[1].1 }).sum();
                if let Some((first, value)) = values.first() && known && from <= 50 && *first > from {
                    naive += value;
                }
                prop_assert!((whole.0 - naive as f64).abs() < 1e-9);
            }
        }
    }
}
