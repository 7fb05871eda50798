//! Several series as one line.

use std::collections::BTreeMap;

use super::answer::Line;

/// How several series become one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// All of them added.
    Sum,
    /// Their mean.
    Avg,
    /// The least of them.
    Min,
    /// The greatest of them.
    Max,
    /// How many have a value.
    Count,
}

impl Aggregation {
    const ALL: [Aggregation; 5] =
        [Aggregation::Sum, Aggregation::Avg, Aggregation::Min, Aggregation::Max, Aggregation::Count];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Aggregation::Sum => "sum",
            Aggregation::Avg => "avg",
            Aggregation::Min => "min",
            Aggregation::Max => "max",
            Aggregation::Count => "count",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|agg| agg.as_str() == text);
        found.ok_or_else(|| "is not one of sum, avg, min, max, count".to_owned())
    }
}

/// Values of several series at the same steps.
#[derive(Debug, Default)]
pub(super) struct Combined(BTreeMap<u64, Cell>);

#[derive(Clone, Copy, Debug)]
struct Cell {
    sum: f64,
    count: u64,
    min: f64,
    max: f64,
}

impl Combined {
    /// The values of one more series.
    pub(super) fn add(&mut self, values: BTreeMap<u64, f64>) {
        for (step, value) in values {
            let empty = Cell { sum: 0.0, count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY };
            let cell = self.0.entry(step).or_insert(empty);
            cell.sum += value;
            cell.count += 1;
            cell.min = cell.min.min(value);
            cell.max = cell.max.max(value);
        }
    }

    /// One value a step.
    pub(super) fn finish(self, agg: Aggregation) -> BTreeMap<u64, f64> {
        let value = |cell: Cell| match agg {
            Aggregation::Sum => cell.sum,
            Aggregation::Avg => cell.sum / cell.count as f64,
            Aggregation::Min => cell.min,
            Aggregation::Max => cell.max,
            Aggregation::Count => cell.count as f64,
        };
        self.0.into_iter().map(|(step, cell)| (step, value(cell))).collect()
    }
}

/// Leaves the `most` groups of lines whose values are the greatest on the average, the greatest first; whether there were more.
pub(super) fn leave_greatest(lines: &mut Vec<Line>, most: usize) -> bool {
    let mean = |line: &Line| line.points.iter().map(|point| point.value).sum::<f64>() / line.points.len().max(1) as f64;
    let mut groups: BTreeMap<usize, f64> = BTreeMap::new();
    for line in lines.iter() {
        let greatest = groups.entry(line.group).or_insert(f64::NEG_INFINITY);
        *greatest = greatest.max(mean(line));
    }
    let mut order: Vec<(usize, f64)> = groups.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let rank: BTreeMap<usize, usize> = order.iter().enumerate().map(|(rank, (group, _))| (*group, rank)).collect();
    lines.retain(|line| rank[&line.group] < most);
    lines.sort_by_key(|line| rank[&line.group]);
    order.len() > most
}
