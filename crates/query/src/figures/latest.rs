//! Gauges: the latest value at the end of each step.

use super::amount::{Amount, Number};
use super::increase::Point;
use super::steps::Steps;
use crate::filter::Nanos;

/// A value counts for so long, where none follows.
pub const LOOK_BACK: Nanos = 300 * 1_000_000_000;

/// Calls `each` with the latest value at the end of each step, where there is one that is not older than [`LOOK_BACK`] and
/// that no point without a value follows. `points` are in order of time, none twice.
pub fn latest(points: &[Point<Number>], steps: &Steps, mut each: impl FnMut(u64, Number)) {
    for step in steps.numbers() {
        let end = steps.end(step);
        let known = points.partition_point(|point| point.time <= end);
        let Some(point) = known.checked_sub(1).and_then(|at| points.get(at)) else { continue };
        if let Some(value) = point.value
            && end - point.time < LOOK_BACK
        {
            each(step, value);
        }
    }
}

/// The running sum of delta points, from the first one that is known on: what a sum that also falls is at each point.
pub fn running(points: &[Point<Number>]) -> Vec<Point<Number>> {
    let mut sum = Amount::default();
    let all_whole = points.iter().all(|point| !matches!(point.value, Some(Number::Float(_))));
    let add = |point: &Point<Number>| {
        let value = point.value.map(|value| {
            sum.add(&value.into());
            // A whole number that a float cannot tell apart stays one.
            match (sum.value(), all_whole) {
                (value, true) if value.abs() < 9e18 => Number::Int(sum.whole() as i64),
                (value, _) => Number::Float(value),
            }
        });
        Point { start: point.start, time: point.time, value }
    };
    points.iter().map(add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn gauge(points: &[(u64, Option<i64>)]) -> Vec<Point<Number>> {
        points
            .iter()
            .map(|(time, value)| Point { start: 0, time: time * SECOND, value: value.map(Number::Int) })
            .collect()
    }

    fn found(points: &[Point<Number>], from: u64, to: u64, step: u64) -> Vec<(u64, f64)> {
        let steps = Steps { from: from * SECOND, to: to * SECOND, step: step * SECOND };
        let mut found = Vec::new();
        latest(points, &steps, |step, value| found.push((steps.end(step) / SECOND, value.value())));
        found
    }

    #[test]
    fn a_value_counts_for_five_minutes_and_no_longer() {
        let given = gauge(&[(60, Some(1)), (500, Some(2))]);
        let at = [(60, 1.0), (120, 1.0), (180, 1.0), (240, 1.0), (300, 1.0)];
        assert_eq!(found(&given, 0, 480, 60), at, "at 360 it is five minutes old");
        assert_eq!(found(&given, 480, 600, 60), [(540, 2.0), (600, 2.0)]);
        assert_eq!(found(&given, 200, 230, 60), [(230, 1.0)], "the range ends within a step");
    }

    #[test]
    fn nothing_goes_on_behind_a_point_without_a_value() {
        let given = gauge(&[(60, Some(1)), (100, None), (200, Some(3))]);
        assert_eq!(found(&given, 0, 240, 60), [(60, 1.0), (240, 3.0)]);
    }

    #[test]
    fn what_also_falls_is_added_up() {
        let sums: Vec<_> = running(&gauge(&[(1, Some(5)), (2, None), (3, Some(-7)), (4, Some(i64::MAX))]))
            .into_iter()
            .map(|point| point.value)
            .collect();
        assert_eq!(
            sums,
            [Some(Number::Int(5)), None, Some(Number::Int(-2)), Some(Number::Float((i64::MAX - 2) as f64))]
        );
    }
}
