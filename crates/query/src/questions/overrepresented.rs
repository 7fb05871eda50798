//! Which values are more frequent among the records that match than among the others: what they have in common.

use std::io::{self, Write};

use arrow_array::{Array, RecordBatch};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, metrics, traces};
use otlp_arrow_store::ReadError;
use serde::Serialize;

use super::by::By;
use super::compare::Side;
use super::hints;
use super::question::{Kind, Question, signal};
use super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::{Filter, Term, one, wrong};
use crate::maps::Map;
use crate::record::Form;
use crate::scan::{ANY_TIME, Asking, Attributes, Gather, Resource, Scan, Selection, Stop, View};

/// Values where nobody says how many.
const USUAL: usize = 20;
/// A key with more values than this tells records apart, not what they have in common.
const MOST_VALUES: usize = 5_000;
/// What one value takes while it is counted, beside its text.
const VALUE_BYTES: usize = 64;
/// A difference counts from so many standard errors on.
const SURE: f64 = 3.0;

pub(super) const KIND: Kind = Kind {
    name: "overrepresented",
    text: "values that are more frequent among the records that match than among others: what they have in common",
    filtered: true,
    parameters: &[
        one("signal", "`traces`, `logs`, `metrics`", "which records; traces"),
        one(
            "against",
            "a range, `-2h..-1h`, or words of the filter, `service=shop`",
            "what they are compared with; the other records of the same time and services if it is left out",
        ),
    ],
    read: |parameters, now| {
        let signal = signal(parameters, Signal::Traces)?;
        let against = parameters.one("against")?.map(|text| match Side::parse("against", &text, now)? {
            Side::Trace(_) => Err(wrong("against", &text, "is a trace: write a range or words of the filter")),
            side @ Side::Matching(..) => Ok(side),
        });
        Ok(Box::new(OverrepresentedQuestion {
            signal,
            against: against.transpose()?,
            filter: Filter::read(parameters, now)?,
        }))
    },
};

/// Which values are more frequent among the records that match than among others.
#[derive(Clone, Debug)]
pub struct OverrepresentedQuestion {
    /// Of which signal.
    pub signal: Signal,
    /// What they are compared with; the other records of the same time and services if it is `None`.
    pub against: Option<Side>,
    /// Which records; [`Filter::limit`] says how many values.
    pub filter: Filter,
}

/// Values that are more frequent among some records than among others.
#[derive(Clone, Debug)]
pub struct Overrepresented {
    /// Those first whose shares differ most.
    pub values: Vec<OverrepresentedValue>,
    /// Records that match.
    pub selected: u64,
    /// Records they are compared with.
    pub others: u64,
    /// What was searched.
    pub searched: Searched,
}

/// A value that is more frequent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverrepresentedValue {
    /// What it is a value of: `service`, `name`, `kind`, `status`, `severity`, `attr:KEY` or `resource:KEY`, as words take it.
    pub by: String,
    /// As text.
    pub value: String,
    /// How many of the records that match have it.
    pub count: u64,
    /// Their share, 0 to 1.
    pub share: f64,
    /// How many of the others have it.
    pub others: u64,
    /// Their share, 0 to 1.
    pub others_share: f64,
    /// By how many standard errors the shares differ.
    pub score: f64,
}

/// By what it is a value of, how often each value occurs; nothing of a key that has too many.
type Counts = Map<Owner, Option<Map<Box<str>, u64>>>;

/// What values are of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Column(usize),
    Record(Box<str>),
    Resource(Box<str>),
}

const COLUMNS: [By; 5] = [By::Service, By::Name, By::Kind, By::Status, By::Severity];

impl Question for OverrepresentedQuestion {
    type Answer = Overrepresented;

    fn ask(&self, asking: &Asking<'_>) -> Result<Overrepresented> {
        let terms = self.filter.terms(self.signal)?;
        let against = match &self.against {
            Some(side) => side.terms(self.signal)?,
            None => {
                let Filter { from, to, service, .. } = self.filter.clone();
                Filter { from, to, service, ..Filter::default() }.terms(self.signal)?
            }
        };
        if self.against.is_none() && terms == against {
            let text = "is missing: nothing but time and services is asked for, so there are no others to compare with";
            return Err(wrong("against", "", text));
        }
        let (mut chosen, selected) = self.count(asking, terms)?;
        let (all, counted) = self.count(asking, against)?;
        // What is compared with everything is part of it.
        let others = if self.against.is_none() { counted.saturating_sub(selected) } else { counted };
        let mut values = Vec::new();
        for (owner, counts) in chosen.drain() {
            let (Some(counts), known) = (counts, all.get(&owner)) else { continue };
            if matches!(known, Some(None)) {
                continue;
            }
            let known = known.and_then(Option::as_ref);
            for (value, count) in counts {
                let with = known.and_then(|known| known.get(&value)).copied().unwrap_or_default();
                let with = if self.against.is_none() { with.saturating_sub(count) } else { with };
                values.extend(judged(&owner, value.into(), [count, selected], [with, others]));
            }
        }
        values.sort_by(|a, b| {
            let differs = |value: &OverrepresentedValue| value.share - value.others_share;
            differs(b).total_cmp(&differs(a)).then_with(|| (&a.by, &a.value).cmp(&(&b.by, &b.value)))
        });
        let most = asking.rows_of(self.filter.limit, USUAL);
        if values.len() > most {
            asking.stop(Stop::Limit);
            values.truncate(most);
        }
        let mut searched = Searched::of(asking, &self.filter);
        if selected == 0 {
            searched.hints = hints::of(asking, self.signal, &self.filter)?;
        } else if others == 0 {
            searched.hints = vec!["there are no others to compare with".to_owned()];
        }
        Ok(Overrepresented { values, selected, others, searched })
    }
}

/// The value, if it is more frequent, and so by more than chance makes it.
fn judged(
    owner: &Owner,
    value: String,
    [count, of]: [u64; 2],
    [with, others]: [u64; 2],
) -> Option<OverrepresentedValue> {
    if of == 0 || others == 0 {
        return None;
    }
    let (share, others_share) = (count as f64 / of as f64, with as f64 / others as f64);
    let pooled = (count + with) as f64 / (of + others) as f64;
    let error = (pooled * (1.0 - pooled) * (1.0 / of as f64 + 1.0 / others as f64)).sqrt();
    let score = if error > 0.0 { (share - others_share) / error } else { 0.0 };
    let by = match owner {
        Owner::Column(at) => COLUMNS[*at].to_string(),
        Owner::Record(key) => format!("attr:{key}"),
        Owner::Resource(key) => format!("resource:{key}"),
    };
    (score >= SURE).then_some(OverrepresentedValue { by, value, count, share, others: with, others_share, score })
}

impl OverrepresentedQuestion {
    fn count(&self, asking: &Asking<'_>, terms: Vec<Term>) -> Result<(Counts, u64)> {
        let scan = Scan { asking, signal: self.signal, terms, bound: None, within: ANY_TIME };
        let (mut all, mut total) = (Counts::default(), 0);
        for some in scan.run(|| Counting::new(asking, self.signal))? {
            total += some.total;
            for (owner, counts) in some.counts {
                let known = all.entry(owner).or_insert_with(|| Some(Map::default()));
                match (known.as_mut(), counts) {
                    (Some(known), Some(counts)) => {
                        counts.into_iter().for_each(|(value, count)| *known.entry(value).or_default() += count);
                    }
                    _ => *known = None,
                }
            }
        }
        for counts in all.values_mut() {
            if counts.as_ref().is_some_and(|counts| counts.len() > MOST_VALUES) {
                *counts = None;
            }
        }
        Ok((all, total))
    }
}

struct Counting<'a> {
    asking: &'a Asking<'a>,
    columns: Vec<usize>,
    attributes: usize,
    resources: usize,
    counts: Counts,
    total: u64,
}

impl<'a> Counting<'a> {
    fn new(asking: &'a Asking<'a>, signal: Signal) -> Self {
        let attributes = match signal {
            Signal::Traces => traces::ATTRIBUTES,
            Signal::Metrics => metrics::ATTRIBUTES,
            Signal::Logs => logs::ATTRIBUTES,
        };
        let resources = common::first(otlp_arrow_columns::schema(signal).fields().len()) + common::RESOURCE_ATTRIBUTES;
        let mut columns: Vec<usize> = COLUMNS.iter().filter_map(|by| by.column(signal).ok()).collect();
        columns.extend([attributes, resources]);
        Self { asking, columns, attributes, resources, counts: Counts::default(), total: 0 }
    }

    /// Adds what a block has; how many bytes that took.
    fn add(&mut self, owner: Owner, values: Map<&str, u64>) -> usize {
        let mut made = 0;
        let known = self.counts.entry(owner).or_insert_with(|| Some(Map::default()));
        if let Some(counts) = known {
            for (value, count) in values {
                match counts.get_mut(value) {
                    Some(known) => *known += count,
                    None => {
                        made += VALUE_BYTES + value.len();
                        counts.insert(value.into(), count);
                    }
                }
            }
            if counts.len() > MOST_VALUES {
                *known = None;
            }
        }
        made
    }
}

impl Gather for Counting<'_> {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        self.total += rows.len() as u64;
        let mut made = 0;
        for (at, by) in COLUMNS.iter().enumerate().filter(|(_, by)| by.column(view.signal()).is_ok()) {
            let mut counts: Map<Box<str>, u64> = Map::default();
            by.each(view, rows, |_, value| {
                if let Some(value) = value {
                    match counts.get_mut(value) {
                        Some(count) => *count += 1,
                        None => drop(counts.insert(value.into(), 1)),
                    }
                }
            })?;
            made += self.add(Owner::Column(at), counts.iter().map(|(value, count)| (&**value, *count)).collect());
        }
        let attributes = Attributes::of(view.map(self.attributes)?)?;
        let mut of_key: Map<&str, Map<&str, u64>> = Map::default();
        for row in rows.iter() {
            for at in attributes.range(row).filter(|at| attributes.values.is_valid(*at)) {
                *of_key
                    .entry(attributes.keys.value(at))
                    .or_default()
                    .entry(attributes.values.value(at))
                    .or_default() += 1;
            }
        }
        for (key, values) in of_key {
            made += self.add(Owner::Record(key.into()), values);
        }
        let (array, values) = view.dictionary(self.resources)?;
        let mut of_resource: Map<i32, u64> = Map::default();
        for row in rows.iter().filter(|row| array.keys().is_valid(*row)) {
            *of_resource.entry(array.keys().value(row)).or_default() += 1;
        }
        for (number, count) in of_resource {
            for (key, value) in Resource::parse(values.value(number as usize)).iter() {
                // The service is there as a column.
                if let Some(value) = value.filter(|_| key != "service.name") {
                    made += self.add(Owner::Resource(key.into()), Map::from_iter([(value, count)]));
                }
            }
        }
        self.asking.hold(made);
        Ok(())
    }
}

impl Answer for Overrepresented {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.values.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.values.iter();
        Table::default()
            .text("by", all().map(|value| value.by.as_str()))
            .text("value", all().map(|value| value.value.as_str()))
            .u64s("count", all().map(|value| value.count))
            .f64s("share", all().map(|value| value.share))
            .u64s("others", all().map(|value| value.others))
            .f64s("others_share", all().map(|value| value.others_share))
            .f64s("score", all().map(|value| value.score))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            selected: u64,
            others: u64,
            values: &'a [OverrepresentedValue],
            searched: &'a Searched,
        }
        let Self { values, selected, others, searched } = self;
        json(form, out, &Shown { selected: *selected, others: *others, values, searched })
    }
}
