//! One metric over time: rates, values, quantiles, of each series or of several together.

mod answer;
mod combine;
mod exemplar;
mod histograms;
mod identity;
mod lines;
mod points;

pub use answer::{Line, Series, Value};
pub use combine::Aggregation;
pub use exemplar::Exemplar;
pub(super) use identity::{Identities, Identity};

use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::metrics;

use super::by::By;
use super::counts::readable;
use super::hints;
use super::question::{Kind, Question};
use crate::answer::Searched;
use crate::figures::{LOOK_BACK, Steps};
use crate::filter::{Filter, Nanos, Parameter, Parameters, Term, TextTest, one, parse_duration, wrong};
use crate::scan::{Asking, Stop};

use self::lines::Making;
use self::points::AllRead;

/// Lines where nobody says how many.
const USUAL: usize = 20;
/// Exemplars of one line where nobody says how many.
const EXEMPLARS: usize = 10;
/// Steps of one answer, at most.
const MOST_STEPS: u64 = 11_000;
/// What a first point has accumulated counts where the time is not given, if it took no longer than this.
const BEFORE_FIRST: Nanos = 3600 * 1_000_000_000;

pub(super) const KIND: Kind = Kind {
    name: "series",
    text: "one metric over time: rates, values, quantiles, of each series or of several together",
    filtered: true,
    parameters: &[
        one("metric", "`http.server.request.duration`", "its name"),
        one(
            "show",
            "`rate`, `increase`, `value`, `quantile`, `buckets`, `mean`, `sum`",
            "what is computed for a step: `rate` a second of a sum that only grows and of the values of a histogram, `increase` of these, the latest `value` of a gauge, `quantile`, `mean` and `sum` of the values of a histogram, and how many of them each of its `buckets` has; what suits the metric if it is left out",
        ),
        one("step", "`1m`", "length of a step; one that a person can read if it is left out"),
        Parameter {
            name: "by",
            repeated: true,
            form: "`service`, `attr:KEY`, `resource:KEY`, `name` for all together",
            text: "series that are alike in this are one line; each is one of its own if it is left out, and `agg` too",
        },
        one(
            "agg",
            "`sum`, `avg`, `min`, `max`, `count`",
            "how several series become one line: `sum` of rates, `avg` of values",
        ),
        Parameter {
            name: "quantile",
            repeated: true,
            form: "`0.99`",
            text: "which share of values, 0 to 1; 0.5, 0.95 and 0.99 if it is left out",
        },
        one("top", "`5`", "so many lines, those with the greatest values; 20"),
        one("exemplars", "`10`, `0`", "the latest so many single values of each line; those first whose trace is kept"),
    ],
    read: |parameters, now| Ok(Box::new(SeriesQuestion::read(parameters, now)?)),
};

/// One metric over time.
#[derive(Clone, Debug, Default)]
pub struct SeriesQuestion {
    /// Its name.
    pub metric: String,
    /// What is computed; what suits the metric if it is `None`.
    pub show: Option<Show>,
    /// Nanoseconds of a step.
    pub step: Option<Nanos>,
    /// What series of one line are alike in. Each series is a line where there is nothing here and no `agg`.
    pub by: Vec<By>,
    /// How several series become one line.
    pub agg: Option<Aggregation>,
    /// Which quantiles, 0 to 1.
    pub quantiles: Vec<f64>,
    /// How many lines.
    pub top: Option<usize>,
    /// How many exemplars of each line; 10 if it is `None`.
    pub exemplars: Option<usize>,
    /// Which points.
    pub filter: Filter,
}

/// What is computed for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Show {
    /// What came within it, a second.
    Rate,
    /// What came within it.
    Increase,
    /// The latest value at its end.
    Value,
    /// Quantiles of the values that came within it.
    Quantile,
    /// How many of the values that came within it are in each bucket.
    Buckets,
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

impl Show {
    const ALL: [Show; 7] =
        [Show::Rate, Show::Increase, Show::Value, Show::Quantile, Show::Buckets, Show::Mean, Show::Sum];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Show::Rate => "rate",
            Show::Increase => "increase",
            Show::Value => "value",
            Show::Quantile => "quantile",
            Show::Buckets => "buckets",
            Show::Mean => "mean",
            Show::Sum => "sum",
        }
    }

    /// What several series have of their values together, and not by an aggregation of what each has.
    fn puts_together(self) -> Option<&'static str> {
        match self {
            Show::Quantile => Some("quantiles"),
            Show::Buckets => Some("buckets"),
            Show::Mean => Some("means"),
            _ => None,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let found = Show::ALL.into_iter().find(|show| show.as_str() == text);
        found.ok_or_else(|| "is not one of rate, increase, value, quantile, buckets, mean, sum".to_owned())
    }
}

impl SeriesQuestion {
    /// The question that these words make; times are relative to `now`. INVALID_CONFIG names what is wrong with one.
    pub fn parse<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
        now: Nanos,
    ) -> Result<Self> {
        let mut parameters = Parameters::new(pairs);
        let question = Self::read(&mut parameters, now)?;
        parameters.finish()?;
        Ok(question)
    }

    fn read(parameters: &mut Parameters, now: Nanos) -> Result<Self> {
        let metric = parameters.one("metric")?.filter(|metric| !metric.is_empty());
        let number = |text: &str| text.parse::<usize>().map_err(|_| "is not a whole number".to_owned());
        let quantile = |text: &str| match text.parse::<f64>() {
            Ok(q) if (0.0..=1.0).contains(&q) => Ok(q),
            _ => Err("is not a share of all values: write a number from 0 to 1, such as 0.95".to_owned()),
        };
        let step = |text: &str| match parse_duration(text)? {
            0 => Err("is not a length of time".to_owned()),
            step => Ok(step),
        };
        let question = Self {
            metric: metric.ok_or_else(|| wrong("metric", "", "is missing: which one? `metrics` lists them"))?,
            show: parameters.read("show", Show::parse)?,
            step: parameters.read("step", step)?,
            by: parameters.read_all("by", By::parse)?,
            agg: parameters.read("agg", Aggregation::parse)?,
            quantiles: parameters.read_all("quantile", quantile)?,
            top: parameters.read("top", |text| match number(text)? {
                0 => Err("leaves no line: write 1 or more".to_owned()),
                top => Ok(top),
            })?,
            exemplars: parameters.read("exemplars", number)?,
            filter: Filter::read(parameters, now)?,
        };
        question.check()?;
        Ok(question)
    }

    /// INVALID_CONFIG for what cannot be, whoever made it.
    fn check(&self) -> Result<()> {
        if let Some(q) = self.quantiles.iter().find(|q| !(0.0..=1.0).contains(*q)) {
            return Err(wrong("quantile", &q.to_string(), "is not a share of all values: from 0 to 1"));
        }
        for by in &self.by {
            by.column(Signal::Metrics).map_err(|problem| wrong("by", &by.to_string(), &problem))?;
        }
        match self.show {
            Some(show) if show != Show::Quantile && !self.quantiles.is_empty() => {
                Err(wrong("show", show.as_str(), "has no quantiles: leave out one of the two"))
            }
            _ => Ok(()),
        }
    }

    fn terms(&self) -> Result<Vec<Term>> {
        let timeless = Filter { from: None, to: None, ..self.filter.clone() };
        let mut terms = timeless.terms(Signal::Metrics)?;
        terms.push(Term::Text(metrics::METRIC_NAME, vec![TextTest::equals(&*self.metric)]));
        if self.filter.from.is_some() || self.filter.to.is_some() {
            // A value counts for a while, and what is taken as the range ends tells what came in it.
            let from = self.filter.from.map_or(0, |from| from.saturating_sub(LOOK_BACK));
            terms.push(Term::Time(from, self.filter.to.unwrap_or(Nanos::MAX).saturating_add(1)));
        }
        Ok(terms)
    }

    /// The range in steps; `None` where there is nothing.
    fn steps(&self, read: &AllRead) -> Result<Option<Steps>> {
        let bounds = read.series.iter().filter_map(|read| read.bounds());
        let Some((first, last)) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return Ok(None) };
        let begins = read.series.iter().filter_map(|read| read.first_start()).min().unwrap_or(first);
        let begins = if first.saturating_sub(begins) > BEFORE_FIRST { first } else { begins.min(first) };
        let from = self.filter.from.unwrap_or_else(|| begins.min(first - 1));
        let to = self.filter.to.unwrap_or(last).max(from.saturating_add(1));
        let typical = points::typical_interval(&read.series);
        let step = self.step.unwrap_or_else(|| readable((to - from) / 1_000_000_000).max(readable_of(typical)));
        let steps = Steps { from, to, step };
        if steps.count() > MOST_STEPS {
            let least = show_step((to - from).div_ceil(MOST_STEPS - 1));
            let shown = format!("{}ms", step / 1_000_000);
            return Err(wrong(
                "step",
                &shown,
                &format!(
                    "makes {} steps, more than {MOST_STEPS}: write {least} or more, or a later from",
                    steps.count()
                ),
            ));
        }
        Ok(Some(steps))
    }
}

impl Question for SeriesQuestion {
    type Answer = Series;

    fn ask(&self, asking: &Asking<'_>) -> Result<Series> {
        self.check()?;
        let exemplars = self.exemplars.unwrap_or(EXEMPLARS);
        let read = points::read(asking, self.terms()?, exemplars > 0)?;
        let timeless = read.timeless;
        let steps = self.steps(&read)?;
        let mut answer = Series { metric: self.metric.clone(), ..Series::default() };
        if let Some(steps) = steps {
            answer.step = steps.step;
            let mut making = Making::new(self, steps);
            let mut lines = making.lines(read.series)?;
            answer.warnings = making.warnings();
            self.leave_out(asking, &mut lines, &mut answer);
            let latest: Vec<&mut Exemplar> = lines
                .iter_mut()
                .flat_map(|line| {
                    line.exemplars.retain(|exemplar| exemplar.time > steps.from && exemplar.time <= steps.to);
                    &mut line.exemplars
                })
                .collect();
            let mut latest = latest;
            exemplar::mark_kept(asking, &mut latest)?;
            for line in &mut lines {
                line.exemplars.sort_by_key(|exemplar| std::cmp::Reverse((exemplar.kept, exemplar.time)));
                line.exemplars.truncate(exemplars);
            }
            answer.lines = lines;
        }
        if timeless > 0 {
            answer.warnings.push(format!("{timeless} points without a time are left out"));
        }
        answer.searched = Searched::of(asking, &self.filter);
        if answer.lines.is_empty() {
            let filter = Filter { name: vec![TextTest::equals(&*self.metric)], ..self.filter.clone() };
            answer.searched.hints = hints::of(asking, Signal::Metrics, &filter)?;
        }
        Ok(answer)
    }
}

impl SeriesQuestion {
    /// Leaves the lines with the greatest values, and as many points as an answer may have.
    fn leave_out(&self, asking: &Asking<'_>, lines: &mut Vec<Line>, answer: &mut Series) {
        let most = self.top.or(self.filter.limit).unwrap_or(USUAL).min(self.filter.limit.unwrap_or(usize::MAX));
        let before = lines.len();
        if combine::leave_greatest(lines, most) {
            asking.stop(Stop::Limit);
        }
        let (mut left, mut kept) = (asking.engine().limits().max_rows, 0);
        for line in lines.iter() {
            left = match left.checked_sub(line.points.len()) {
                Some(left) => left,
                None => break,
            };
            kept += 1;
        }
        if kept < lines.len() {
            asking.stop(Stop::MaxRows);
            lines.truncate(kept);
        }
        answer.left_out = (before - lines.len()) as u64;
    }
}

/// The shortest step that a person can read and that is not shorter than this.
fn readable_of(interval: Nanos) -> Nanos {
    let seconds = interval.div_ceil(1_000_000_000);
    readable(seconds.saturating_mul(super::counts::BUCKETS).saturating_sub(1))
}

/// A length as it is written, no shorter than this.
fn show_step(nanos: Nanos) -> String {
    match nanos.div_ceil(1_000_000) {
        millis if millis < 1000 => format!("{millis}ms"),
        millis => format!("{}s", millis.div_ceil(1000)),
    }
}
