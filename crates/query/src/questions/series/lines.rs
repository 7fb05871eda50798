//! From the points of every series to lines: each series by itself first, several together after that.

use std::collections::{BTreeMap, BTreeSet};

use otlp_arrow_base::error::Result;

use super::answer::{Line, Value};
use super::combine::{Aggregation, Combined};
use super::identity::Identity;
use super::points::{Points, Read, Summary, alone};
use super::{SeriesQuestion, Show};
use crate::figures::{Explicit, Exponential, Number, Point, Steps, Temporality, increases, latest, running};
use crate::filter::wrong;
use crate::questions::by::By;
use crate::scan::Resource;

/// What can be computed of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// What goes up and down.
    Gauge,
    /// A sum that only grows.
    Counter,
    Explicit,
    Exponential,
    Summary,
}

impl Class {
    fn of(identity: &Identity) -> Self {
        match &*identity.metric_type {
            "histogram" => Class::Explicit,
            "exponential_histogram" => Class::Exponential,
            "summary" => Class::Summary,
            "sum" if identity.monotonic == Some(true) => Class::Counter,
            _ => Class::Gauge,
        }
    }

    /// What can be shown of it; the first one is what is shown where nobody asks.
    fn shows(self) -> &'static [Show] {
        match self {
            Class::Gauge => &[Show::Value],
            Class::Counter => &[Show::Rate, Show::Increase, Show::Value],
            Class::Explicit | Class::Exponential => {
                &[Show::Quantile, Show::Buckets, Show::Rate, Show::Increase, Show::Mean, Show::Sum]
            }
            Class::Summary => &[Show::Quantile, Show::Rate, Show::Increase, Show::Mean, Show::Sum],
        }
    }
}

/// Series that become one line, or one line for each quantile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    labels: Vec<(String, String)>,
    class: Class,
    unit: Box<str>,
    /// Where each series is a line of its own: which one.
    alone: Option<usize>,
}

/// How lines are made.
pub(super) struct Making<'a> {
    pub(super) question: &'a SeriesQuestion,
    pub(super) steps: Steps,
    pub(super) warnings: BTreeSet<String>,
}

impl<'a> Making<'a> {
    pub(super) fn new(question: &'a SeriesQuestion, steps: Steps) -> Self {
        Self { question, steps, warnings: BTreeSet::new() }
    }

    /// What is to be known of the lines.
    pub(super) fn warnings(self) -> Vec<String> {
        self.warnings.into_iter().collect()
    }

    pub(super) fn lines(&mut self, series: Vec<Read>) -> Result<Vec<Line>> {
        let mut groups: BTreeMap<Group, Vec<Read>> = BTreeMap::new();
        for (group, read) in self.groups(&series).into_iter().zip(series) {
            groups.entry(group).or_default().push(read);
        }
        let units: BTreeSet<(Class, &str)> = groups.keys().map(|group| (group.class, &*group.unit)).collect();
        if units.len() > 1 {
            self.warnings.insert(
                "the metric has several types or units: they are not added, each has lines of its own".to_owned(),
            );
        }
        let (mut lines, mut unsuited) = (Vec::new(), None);
        for (number, (group, reads)) in groups.into_iter().enumerate() {
            let asked = self.question.show.or_else(|| (!self.question.quantiles.is_empty()).then_some(Show::Quantile));
            let shows = group.class.shows();
            let show = asked.unwrap_or(shows[0]);
            if !shows.contains(&show) {
                unsuited = Some((show, reads[0].identity.metric_type.clone(), shows));
                continue;
            }
            if let Some(of) = show.puts_together()
                && let Some(agg) = self.question.agg
            {
                let text = format!(
                    "is not how {of} of several series become one: their values are put together; leave it out"
                );
                return Err(wrong("agg", agg.as_str(), &text));
            }
            lines.extend(self.group(group, show, reads).into_iter().map(|line| Line { group: number, ..line }));
        }
        if let Some((show, metric_type, shows)) = unsuited {
            let metric_type =
                if shows.len() == 1 { "what goes up and down".to_owned() } else { format!("a {metric_type}") };
            let shows: Vec<&str> = shows.iter().map(|show| show.as_str()).collect();
            let text = format!("cannot be had of {metric_type}: there is {}", shows.join(", "));
            if lines.is_empty() {
                return Err(wrong("show", show.as_str(), &text));
            }
            self.warnings.insert(format!("{} {text}", show.as_str()));
        }
        Ok(lines)
    }

    /// The group of each series.
    fn groups(&self, series: &[Read]) -> Vec<Group> {
        let question = self.question;
        let apart = question.by.is_empty() && question.agg.is_none();
        let resources: Vec<Resource> = series.iter().map(|read| resource(&read.identity)).collect();
        // Attributes of resources that tell otherwise equal series apart.
        let differing: BTreeSet<&str> = match apart {
            true => {
                let keys: BTreeSet<&str> = resources.iter().flat_map(Resource::iter).map(|(key, _)| key).collect();
                let differs = |key: &&str| resources.windows(2).any(|pair| pair[0].get(key) != pair[1].get(key));
                keys.into_iter().filter(|key| *key != "service.name").filter(differs).collect()
            }
            false => BTreeSet::new(),
        };
        let group = |(at, (read, resource)): (usize, (&Read, &Resource))| {
            let identity = &*read.identity;
            let labels = match apart {
                true => {
                    let service = identity.service.iter().map(|name| ("service".to_owned(), name.to_string()));
                    let own = identity
                        .attributes
                        .iter()
                        .map(|(key, value, _)| (key.to_string(), value.as_deref().unwrap_or_default().to_owned()));
                    let of_resource = differing
                        .iter()
                        .filter_map(|key| Some((format!("resource:{key}"), resource.get(key)?.clone()?)));
                    service.chain(own).chain(of_resource).collect()
                }
                false => {
                    let label = |by: &By| Some((by.to_string(), label(by, identity, resource)?));
                    question.by.iter().filter_map(label).collect()
                }
            };
            Group { labels, class: Class::of(identity), unit: identity.unit.clone(), alone: apart.then_some(at) }
        };
        series.iter().zip(&resources).enumerate().map(group).collect()
    }

    fn group(&mut self, group: Group, show: Show, reads: Vec<Read>) -> Vec<Line> {
        let mut exemplars: Vec<_> = reads.iter().flat_map(|read| read.exemplars.iter().cloned()).collect();
        exemplars.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.time));
        exemplars.truncate(100);
        let base = Line {
            labels: group.labels.clone(),
            unit: group.unit.to_string(),
            metric_type: reads[0].identity.metric_type.to_string(),
            show: show.as_str(),
            series: reads.len() as u64,
            exemplars,
            ..Line::default()
        };
        let mut lines = match (show, group.class) {
            (Show::Quantile, Class::Summary) => self.summaries(&base, reads),
            (Show::Quantile, _) => self.quantiles(&base, reads),
            (Show::Buckets, _) => self.buckets(&base, reads),
            (Show::Mean, _) => self.means(&base, reads),
            _ => self.values(&base, show, reads),
        };
        lines.retain(|line| !line.points.is_empty());
        // Exemplars of a group are told once.
        lines.iter_mut().skip(1).for_each(|line| line.exemplars.clear());
        lines
    }

    pub(super) fn line(&self, base: &Line, values: &BTreeMap<u64, f64>) -> Line {
        let value = |(step, value): (&u64, &f64)| Value { time: self.steps.end(*step), value: *value };
        Line { points: values.iter().map(value).collect(), ..base.clone() }
    }

    /// Values of each series by itself, then of all of them together.
    fn values(&mut self, base: &Line, show: Show, reads: Vec<Read>) -> Vec<Line> {
        let usual = if show == Show::Value { Aggregation::Avg } else { Aggregation::Sum };
        let mut combined = Combined::default();
        for read in reads {
            combined.add(self.of_one(show, read));
        }
        vec![self.line(base, &combined.finish(self.question.agg.unwrap_or(usual)))]
    }

    /// One series: its rate, increase or value at each step.
    fn of_one(&mut self, show: Show, read: Read) -> BTreeMap<u64, f64> {
        let temporality = temporality(&read.identity);
        let monotonic = read.identity.monotonic == Some(true);
        let mut cells: BTreeMap<u64, (f64, u64)> = BTreeMap::new();
        let mut add = |step: u64, value: f64, covered: u64| {
            let cell = cells.entry(step).or_default();
            cell.0 += value;
            cell.1 += covered;
        };
        match read.points {
            Points::Numbers(points) if show == Show::Value => {
                let mut points = alone(points);
                if temporality == Temporality::Delta {
                    let what = if monotonic { "sums" } else { "sums that also fall" };
                    self.warnings.insert(format!("values of delta {what} are added up from the first point known"));
                    points = running(&points);
                }
                let mut values = BTreeMap::new();
                latest(&points, &self.steps, |step, value| {
                    values.insert(step, value.value());
                });
                return values;
            }
            Points::Numbers(points) => {
                increases(&alone(points), temporality, &self.steps, |step, grown, covered| {
                    add(step, grown.value(), covered)
                });
            }
            Points::Explicit(points) => {
                increases(&alone(points), temporality, &self.steps, |step, grown: Explicit, covered| {
                    if let Some(value) = of_histogram(show, grown.count, grown.sum) {
                        add(step, value, covered);
                    }
                })
            }
            Points::Exponential(points) => {
                increases(&alone(points), temporality, &self.steps, |step, grown: Exponential, covered| {
                    if let Some(value) = of_histogram(show, grown.count, grown.sum) {
                        add(step, value, covered);
                    }
                })
            }
            Points::Summaries(points) => {
                let points = alone(points);
                let value = |summary: &Summary| if show == Show::Sum { summary.sum } else { Some(summary.count) };
                increases(&numbers(&points, value), temporality, &self.steps, |step, grown, covered| {
                    add(step, grown.value(), covered)
                });
            }
        }
        let value = |(step, (value, covered)): (u64, (f64, u64))| match show {
            // What is not known to have taken any time is of the whole step.
            Show::Rate => {
                let covered = if covered == 0 { self.steps.end(step) - self.steps.begin(step) } else { covered };
                (step, value * 1e9 / covered.max(1) as f64)
            }
            _ => (step, value),
        };
        cells.into_iter().map(value).collect()
    }

    fn means(&mut self, base: &Line, reads: Vec<Read>) -> Vec<Line> {
        let mut cells: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        let mut add = |step: u64, count: f64, sum: Option<f64>| {
            if let Some(sum) = sum {
                let cell = cells.entry(step).or_default();
                *cell = (cell.0 + sum, cell.1 + count);
            }
        };
        for read in reads {
            let temporality = temporality(&read.identity);
            match read.points {
                Points::Explicit(points) => {
                    increases(&alone(points), temporality, &self.steps, |step, grown: Explicit, _| {
                        add(step, grown.count, grown.sum)
                    });
                }
                Points::Exponential(points) => {
                    increases(&alone(points), temporality, &self.steps, |step, grown: Exponential, _| {
                        add(step, grown.count, grown.sum)
                    });
                }
                Points::Summaries(points) => {
                    let points = alone(points);
                    let (counts, sums) =
                        (numbers(&points, |summary| Some(summary.count)), numbers(&points, |summary| summary.sum));
                    increases(&counts, temporality, &self.steps, |step, grown, _| add(step, grown.value(), Some(0.0)));
                    increases(&sums, temporality, &self.steps, |step, grown, _| add(step, 0.0, Some(grown.value())));
                }
                Points::Numbers(_) => {}
            }
        }
        let mean =
            cells.into_iter().filter(|(_, (_, count))| *count > 0.0).map(|(step, (sum, count))| (step, sum / count));
        vec![self.line(base, &mean.collect())]
    }

    /// The quantiles that each summary tells: nobody can put those of several together.
    fn summaries(&mut self, base: &Line, reads: Vec<Read>) -> Vec<Line> {
        if reads.len() > 1 {
            self.warnings.insert("quantiles of summaries cannot be put together: each has lines of its own".to_owned());
        }
        let several = reads.len() > 1;
        let mut lines = Vec::new();
        for read in reads {
            let Points::Summaries(points) = read.points else { continue };
            let points = alone(points);
            let mut known: Vec<f64> = points
                .iter()
                .filter_map(|point| point.value.as_ref())
                .flat_map(|summary| &summary.quantiles)
                .map(|(q, _)| *q)
                .collect();
            known.sort_by(f64::total_cmp);
            known.dedup();
            let asked = &self.question.quantiles;
            for q in known.into_iter().filter(|q| asked.is_empty() || asked.contains(q)) {
                let value =
                    |summary: &Summary| summary.quantiles.iter().find(|(of, _)| *of == q).map(|(_, value)| *value);
                let mut values = BTreeMap::new();
                latest(&numbers(&points, value), &self.steps, |step, value| {
                    values.insert(step, value.value());
                });
                let mut line = self.line(&Line { quantile: Some(q), series: 1, ..base.clone() }, &values);
                if several {
                    let own = read
                        .identity
                        .attributes
                        .iter()
                        .map(|(key, value, _)| (key.to_string(), value.as_deref().unwrap_or_default().to_owned()));
                    line.labels.extend(own);
                }
                lines.push(line);
            }
        }
        lines
    }
}

fn of_histogram(show: Show, count: f64, sum: Option<f64>) -> Option<f64> {
    if show == Show::Sum { sum } else { Some(count) }
}

pub(super) fn temporality(identity: &Identity) -> Temporality {
    match identity.temporality.as_deref() {
        Some("delta") => Temporality::Delta,
        _ => Temporality::Cumulative,
    }
}

/// One number of each summary.
fn numbers(points: &[Point<Summary>], value: impl Fn(&Summary) -> Option<f64>) -> Vec<Point<Number>> {
    let number = |point: &Point<Summary>| Point {
        start: point.start,
        time: point.time,
        value: point.value.as_ref().and_then(&value).map(Number::Float),
    };
    points.iter().map(number).collect()
}

fn resource(identity: &Identity) -> Resource {
    identity.resource.as_deref().map(Resource::parse).unwrap_or_default()
}

/// What a series is grouped by.
fn label(by: &By, identity: &Identity, resource: &Resource) -> Option<String> {
    match by {
        By::Service => identity.service.as_deref().map(str::to_owned),
        By::Name => Some(identity.name.to_string()),
        By::Kind => Some(identity.metric_type.to_string()),
        By::Attribute(key) => {
            let found = identity.attributes.iter().find(|(name, ..)| **name == **key);
            found.and_then(|(_, value, _)| value.as_deref()).map(str::to_owned)
        }
        By::Resource(key) => resource.get(key).cloned().flatten(),
        By::Status | By::Severity => None,
    }
}
