//! Exceptions that spans and log records tell of: grouped by what they have in common, and one by one.

mod answer;
mod gather;
mod trend;

pub use answer::{ErrorGroup, Errors, Exception, Exceptions, TrendBucket};
pub(super) use gather::{Key, fingerprint, gathered};

use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;

use self::gather::Gathered;
use self::trend::Trend;
use super::hints;
use super::question::{Kind, Question};
use crate::answer::Searched;
use crate::filter::{Filter, Nanos, Parameter, Parameters, one};
use crate::scan::{Asking, Stop};

/// Groups where nobody says how many.
const USUAL: usize = 50;
/// Exceptions where nobody says how many.
const USUAL_ROWS: usize = 100;

const SIGNAL: Parameter = one("signal", "`traces`, `logs`", "whose exceptions: events of spans, or log records; both");

pub(super) const KIND: Kind = Kind {
    name: "errors",
    text: "exceptions grouped by type, message without its numbers and ids, and the frame they come from",
    filtered: true,
    parameters: &[SIGNAL],
    read: |parameters, now| {
        let (signal, filter) = read(parameters, now)?;
        Ok(Box::new(ErrorsQuestion { signal, filter }))
    },
};

pub(super) const ROWS_KIND: Kind = Kind {
    name: "exceptions",
    text: "exceptions one by one, the latest first",
    filtered: true,
    parameters: &[SIGNAL, one("group", "as `errors` gives it", "only those of this group")],
    read: |parameters, now| {
        let group = parameters.read("group", |text| match u64::from_str_radix(text, 16) {
            Ok(group) if text.len() == 16 => Ok(group),
            _ => Err("is not a group: it has 16 hexadecimal digits, take it from `errors`".to_owned()),
        })?;
        let (signal, filter) = read(parameters, now)?;
        Ok(Box::new(ExceptionsQuestion { signal, group, filter }))
    },
};

fn read(parameters: &mut Parameters, now: Nanos) -> Result<(Option<Signal>, Filter)> {
    let signal = parameters.read("signal", |text| match text.parse() {
        Ok(signal @ (Signal::Traces | Signal::Logs)) => Ok(signal),
        _ => Err("is not one of traces, logs".to_owned()),
    })?;
    Ok((signal, Filter::read(parameters, now)?))
}

/// Exceptions grouped by what they have in common.
#[derive(Clone, Debug, Default)]
pub struct ErrorsQuestion {
    /// Whose; of spans and log records if it is `None`.
    pub signal: Option<Signal>,
    /// Which spans and log records; [`Filter::limit`] says how many groups.
    pub filter: Filter,
}

/// Exceptions one by one, the latest first.
#[derive(Clone, Debug, Default)]
pub struct ExceptionsQuestion {
    /// Whose; of spans and log records if it is `None`.
    pub signal: Option<Signal>,
    /// Only those of this group: its number.
    pub group: Option<u64>,
    /// Which spans and log records; [`Filter::limit`] says how many exceptions.
    pub filter: Filter,
}

fn of(
    asking: &Asking<'_>,
    signal: Option<Signal>,
    filter: &Filter,
    rows: usize,
    only: Option<u64>,
) -> Result<Gathered> {
    let signals = signal.map_or_else(|| vec![Signal::Traces, Signal::Logs], |signal| vec![signal]);
    gathered(asking, &signals, &|signal| filter.terms(signal), filter.order, rows, only)
}

impl Question for ErrorsQuestion {
    type Answer = Errors;

    fn ask(&self, asking: &Asking<'_>) -> Result<Errors> {
        let found = of(asking, self.signal, &self.filter, 0, None)?;
        let total = found.groups.values().map(|group| group.count).sum();
        let step = Trend::step(found.groups.values().map(|group| &group.trend));
        let mut groups: Vec<ErrorGroup> =
            found.groups.into_iter().map(|(key, group)| group.finish(key, step)).collect();
        groups.sort_by(|a, b| {
            let order = |group: &ErrorGroup| std::cmp::Reverse((group.count, group.last_seen));
            order(a).cmp(&order(b)).then_with(|| a.group.cmp(&b.group))
        });
        let most = asking.rows_of(self.filter.limit, USUAL);
        if groups.len() > most {
            asking.stop(Stop::Limit);
            groups.truncate(most);
        }
        let mut searched = Searched::of(asking, &self.filter);
        if groups.is_empty() {
            searched.hints = hints::of(asking, self.signal.unwrap_or(Signal::Traces), &self.filter)?;
        }
        Ok(Errors { groups, total, step, searched })
    }
}

impl Question for ExceptionsQuestion {
    type Answer = Exceptions;

    fn ask(&self, asking: &Asking<'_>) -> Result<Exceptions> {
        let most = asking.rows_of(self.filter.limit, USUAL_ROWS);
        let found = of(asking, self.signal, &self.filter, most.saturating_add(1), self.group)?;
        let mut exceptions = found.rows;
        if exceptions.len() > most {
            asking.stop(Stop::Limit);
            exceptions.truncate(most);
        }
        let mut searched = Searched::of(asking, &self.filter);
        if exceptions.is_empty() {
            searched.hints = hints::of(asking, self.signal.unwrap_or(Signal::Traces), &self.filter)?;
        }
        Ok(Exceptions { exceptions, searched })
    }
}
