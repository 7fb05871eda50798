//! The most frequent values of a few columns and attributes among the records that match.

use std::cmp::Reverse;
use std::io::{self, Write};

use crate::maps::Map;
use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::ReadError;
use serde::Serialize;

use super::by::By;
use super::hints;
use super::question::{Kind, Question, signal};
use super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::{Filter, Parameter, one, wrong};
use crate::record::Form;
use crate::scan::{ANY_TIME, Asking, Gather, Scan, Selection, View};

/// Values of each column where nobody says how many.
const USUAL: usize = 10;
/// What one value takes while it is counted, beside its text.
const VALUE_BYTES: usize = 64;

pub(super) const KIND: Kind = Kind {
    name: "facets",
    text: "the most frequent values of columns and attributes among the records that match",
    filtered: true,
    parameters: &[
        one("signal", "`traces`, `logs`, `metrics`", "which records are counted; traces"),
        Parameter {
            name: "by",
            repeated: true,
            form: "`service`, `name`, `kind`, `status`, `severity`, `attr:KEY`, `resource:KEY`",
            text: "whose values; the columns that the signal has if it is left out",
        },
    ],
    read: |parameters, now| {
        let signal = signal(parameters, Signal::Traces)?;
        let by = parameters.read_all("by", By::parse)?;
        Ok(Box::new(FacetsQuestion { signal, by, filter: Filter::read(parameters, now)? }))
    },
};

/// The most frequent values of a few columns and attributes among the records that match.
#[derive(Clone, Debug)]
pub struct FacetsQuestion {
    /// Of which signal.
    pub signal: Signal,
    /// Whose values; the columns that the signal has if there is none.
    pub by: Vec<By>,
    /// Which records; [`Filter::limit`] says how many values of each.
    pub filter: Filter,
}

/// Values and how many records have each.
#[derive(Clone, Debug)]
pub struct Facets {
    /// One for each column or attribute that was asked for.
    pub facets: Vec<Facet>,
    /// Records that match.
    pub total: u64,
    /// What was searched.
    pub searched: Searched,
}

/// The values of one column or attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// Which one, as it was asked for.
    pub by: String,
    /// Values and how many records have each, the most frequent first; the null value is of those without.
    pub values: Vec<(Option<String>, u64)>,
    /// How many distinct values there are.
    pub distinct: u64,
}

/// How often each value occurs.
pub(super) type Values = Map<Option<Box<str>>, u64>;

/// The most frequent values, and how many there are.
pub(super) fn most_frequent(values: Values, most: usize) -> (Vec<(Option<String>, u64)>, u64) {
    let distinct = values.keys().filter(|value| value.is_some()).count() as u64;
    let mut values: Vec<(Option<String>, u64)> =
        values.into_iter().map(|(value, count)| (value.map(String::from), count)).collect();
    values.sort_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
    values.truncate(most);
    (values, distinct)
}

/// How often each value of each of `by` occurs among the records that match, and how many match.
pub(super) fn count(asking: &Asking<'_>, signal: Signal, by: &[By], filter: &Filter) -> Result<(Vec<Values>, u64)> {
    let column = |by: &By| by.column(signal).map_err(|problem| wrong("by", &by.to_string(), &problem));
    let columns = by.iter().map(column).collect::<Result<Vec<_>>>()?;
    let scan = Scan { asking, signal, terms: filter.terms(signal)?, bound: None, within: ANY_TIME };
    let make = || Counting { asking, by, columns: &columns, values: vec![Values::default(); by.len()], total: 0 };
    let (mut values, mut total) = (vec![Values::default(); by.len()], 0);
    for some in scan.run(make)? {
        total += some.total;
        for (all, some) in values.iter_mut().zip(some.values) {
            some.into_iter().for_each(|(value, count)| *all.entry(value).or_default() += count);
        }
    }
    Ok((values, total))
}

impl Question for FacetsQuestion {
    type Answer = Facets;

    fn ask(&self, asking: &Asking<'_>) -> Result<Facets> {
        let mut by = self.by.clone();
        if by.is_empty() {
            let all = [By::Service, By::Name, By::Kind, By::Status, By::Severity];
            by.extend(all.into_iter().filter(|by| by.column(self.signal).is_ok()));
        }
        let (values, total) = count(asking, self.signal, &by, &self.filter)?;
        let most = asking.rows_of(self.filter.limit, USUAL);
        let facet = |(by, values): (&By, Values)| {
            let (values, distinct) = most_frequent(values, most);
            Facet { by: by.to_string(), values, distinct }
        };
        let facets = by.iter().zip(values).map(facet).collect();
        let mut searched = Searched::of(asking, &self.filter);
        if total == 0 {
            searched.hints = hints::of(asking, self.signal, &self.filter)?;
        }
        Ok(Facets { facets, total, searched })
    }
}

struct Counting<'a> {
    asking: &'a Asking<'a>,
    by: &'a [By],
    columns: &'a [usize],
    values: Vec<Values>,
    total: u64,
}

impl Gather for Counting<'_> {
    fn columns(&self) -> &[usize] {
        self.columns
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        self.total += rows.len() as u64;
        let mut made = 0;
        for (by, values) in self.by.iter().zip(&mut self.values) {
            // Without a copy of what is known.
            let (mut block, mut none): (Map<Box<str>, u64>, u64) = Default::default();
            by.each(view, rows, |_, value| match value {
                Some(value) => match block.get_mut(value) {
                    Some(count) => *count += 1,
                    None => drop(block.insert(value.into(), 1)),
                },
                None => none += 1,
            })?;
            let none = (none > 0).then_some((None, none));
            for (value, count) in block.into_iter().map(|(value, count)| (Some(value), count)).chain(none) {
                let bytes = VALUE_BYTES + value.as_deref().map_or(0, str::len);
                let known = values.entry(value).or_insert_with(|| {
                    made += bytes;
                    0
                });
                *known += count;
            }
        }
        self.asking.hold(made);
        Ok(())
    }
}

impl Answer for Facets {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.facets.iter().map(|facet| facet.values.len()).sum()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.facets.iter().flat_map(|facet| facet.values.iter().map(move |value| (facet, value)));
        Table::default()
            .text("by", all().map(|(facet, _)| facet.by.as_str()))
            .optional_text("value", all().map(|(_, (value, _))| value.as_deref()))
            .u64s("count", all().map(|(_, (_, count))| *count))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Value<'a> {
            value: Option<&'a str>,
            count: u64,
        }
        #[derive(Serialize)]
        struct Column<'a> {
            by: &'a str,
            distinct: u64,
            values: Vec<Value<'a>>,
        }
        #[derive(Serialize)]
        struct Shown<'a> {
            total: u64,
            facets: Vec<Column<'a>>,
            searched: &'a Searched,
        }
        let facets = self.facets.iter().map(|facet| Column {
            by: &facet.by,
            distinct: facet.distinct,
            values: facet
                .values
                .iter()
                .map(|(value, count)| Value { value: value.as_deref(), count: *count })
                .collect(),
        });
        json(form, out, &Shown { total: self.total, facets: facets.collect(), searched: &self.searched })
    }
}
