//! Histograms of several series put together at each step: their quantiles, and how many values each bucket has.

use std::collections::BTreeMap;

use super::answer::Line;
use super::lines::{Making, temporality};
use super::points::{Points, Read, alone};
use crate::figures::{Explicit, Exponential, increases};

/// Quantiles where nobody says which.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];
/// Buckets of exponential histograms that are told, at most: as many as a picture has rows.
const MOST_ROWS: usize = 64;

/// By the number of the step.
type Cells<T> = BTreeMap<u64, T>;

/// Histograms at each step.
#[derive(Default)]
struct Merged {
    /// Explicit ones by their bounds: those of others do not add.
    explicit: Vec<Cells<Explicit>>,
    exponential: Cells<Exponential>,
}

impl Making<'_> {
    fn merged(&mut self, reads: Vec<Read>) -> Merged {
        let mut merged = Merged::default();
        let mut without = false;
        for read in reads {
            let temporality = temporality(&read.identity);
            match read.points {
                Points::Explicit(points) => {
                    let sets = &mut merged.explicit;
                    increases(&alone(points), temporality, &self.steps, |step, grown: Explicit, _| {
                        if grown.bounds.is_empty() || grown.counts.is_empty() {
                            without = true;
                            return;
                        }
                        let set = sets
                            .iter()
                            .position(|set| set.values().next().is_some_and(|first| first.bounds == grown.bounds));
                        let set = set.unwrap_or_else(|| {
                            sets.push(BTreeMap::new());
                            sets.len() - 1
                        });
                        let cell = sets[set].entry(step).or_default();
                        let _same = cell.add(&grown);
                    })
                }
                Points::Exponential(points) => {
                    increases(&alone(points), temporality, &self.steps, |step, grown: Exponential, _| {
                        merged.exponential.entry(step).or_default().add(&grown)
                    });
                }
                _ => {}
            }
        }
        if merged.explicit.len() > 1 {
            let text = "histograms with different bounds are not added: there is a line for each set of bounds";
            self.warnings.insert(text.to_owned());
        }
        if without {
            let text = "histograms without buckets have no quantiles: show=mean tells what they do have";
            self.warnings.insert(text.to_owned());
        }
        merged
    }

    /// Quantiles of all values of a step.
    pub(super) fn quantiles(&mut self, base: &Line, reads: Vec<Read>) -> Vec<Line> {
        let merged = self.merged(reads);
        let mut lines = Vec::new();
        let asked = if self.question.quantiles.is_empty() { QUANTILES.as_slice() } else { &self.question.quantiles };
        for q in asked {
            let base = Line { quantile: Some(*q), ..base.clone() };
            for set in &merged.explicit {
                let values =
                    set.iter().filter_map(|(step, histogram)| Some((*step, histogram.quantile(*q)?))).collect();
                let mut line = self.line(&base, &values);
                line.labels.extend(bounds_label(set, merged.explicit.len() > 1));
                lines.push(line);
            }
            if !merged.exponential.is_empty() {
                let histograms = merged.exponential.iter();
                let values =
                    histograms.filter_map(|(step, histogram)| Some((*step, histogram.quantile(*q)?))).collect();
                lines.push(self.line(&base, &values));
            }
        }
        lines
    }

    /// A line for each bucket that has values, the least values first.
    pub(super) fn buckets(&mut self, base: &Line, reads: Vec<Read>) -> Vec<Line> {
        let mut merged = self.merged(reads);
        let mut lines = Vec::new();
        for set in &merged.explicit {
            let Some(bounds) = set.values().next().map(|first| first.bounds.clone()) else { continue };
            for at in 0..=bounds.len() {
                let counts = set.iter().map(|(step, histogram)| (*step, histogram.counts[at]));
                let mut base = base.clone();
                base.above = at.checked_sub(1).map(|at| bounds[at]);
                base.up_to = bounds.get(at).copied().filter(|bound| bound.is_finite());
                base.labels.extend(bounds_label(set, merged.explicit.len() > 1));
                lines.push(self.line(&base, &counts.filter(|(_, count)| *count > 0.0).collect()));
            }
        }
        Exponential::make_alike(merged.exponential.values_mut(), MOST_ROWS);
        let mut rows: Vec<((f64, f64), BTreeMap<u64, f64>)> = Vec::new();
        for (step, histogram) in &merged.exponential {
            for (bucket, count) in histogram.buckets() {
                let order = |(known, _): &((f64, f64), _)| known.0.total_cmp(&bucket.0);
                let at = rows.binary_search_by(order).unwrap_or_else(|at| {
                    rows.insert(at, (bucket, BTreeMap::new()));
                    at
                });
                rows[at].1.insert(*step, count);
            }
        }
        for ((above, up_to), counts) in rows {
            let finite = |bound: f64| Some(bound).filter(|bound| bound.is_finite());
            let base = Line { above: finite(above), up_to: finite(up_to), ..base.clone() };
            lines.push(self.line(&base, &counts));
        }
        lines
    }
}

/// What tells histograms of these bounds from those of others.
fn bounds_label(set: &Cells<Explicit>, several: bool) -> Option<(String, String)> {
    let first = set.values().next().filter(|_| several)?;
    let bounds: Vec<String> = first.bounds.iter().map(f64::to_string).collect();
    Some(("bounds".to_owned(), bounds.join(",")))
}
