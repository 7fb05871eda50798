//! What may have been meant where nothing was found: the nearest service, name or key that there is.

use std::collections::BTreeSet;
use std::sync::Mutex;

use arrow_array::Array;
use otlp_arrow_base::error::Result;
use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, metrics, traces};
use otlp_arrow_store::ReadError;

use crate::filter::{Comparison, Filter, TextTest, nearest};
use crate::scan::{ANY_TIME, Asking, Attributes, Gather, Resource, Scan, Selection, View};

/// More distinct words than this are not compared with what was meant.
const MOST: usize = 10_000;

/// Of each service, name and key that the filter asks for and that no record has, the nearest one that some record has.
pub(super) fn of(asking: &Asking<'_>, signal: Signal, filter: &Filter) -> Result<Vec<String>> {
    let exactly =
        |tests: &[TextTest]| tests.iter().filter_map(TextTest::exactly).map(str::to_owned).collect::<Vec<_>>();
    let present = |conditions: &[crate::filter::Condition]| {
        let asked = conditions.iter().filter(|condition| !condition.negated || condition.is != Comparison::Present);
        asked.map(|condition| condition.key.clone()).collect::<Vec<_>>()
    };
    let columns = otlp_arrow_columns::schema(signal).fields().len();
    let first = common::first(columns);
    let (name, attributes) = match signal {
        Signal::Traces => (traces::NAME, traces::ATTRIBUTES),
        Signal::Logs => (logs::EVENT_NAME, logs::ATTRIBUTES),
        Signal::Metrics => (metrics::METRIC_NAME, metrics::ATTRIBUTES),
    };
    let asked = [
        ("service", first + common::SERVICE_NAME, exactly(&filter.service)),
        ("name", name, exactly(&filter.name)),
        ("attr", attributes, present(&filter.attributes)),
        ("resource", first + common::RESOURCE_ATTRIBUTES, present(&filter.resource)),
    ];
    let asked: Vec<_> = asked.into_iter().filter(|(_, _, words)| !words.is_empty()).collect();
    if asked.is_empty() || asking.stopped().is_some() {
        return Ok(Vec::new());
    }
    let known = Mutex::new(vec![BTreeSet::new(); asked.len()]);
    let columns: Vec<usize> = asked.iter().map(|(_, column, _)| *column).collect();
    let scan = Scan { asking, signal, terms: Vec::new(), bound: None, within: ANY_TIME };
    scan.run(|| Words {
        columns: columns.clone(),
        attributes,
        resources: first + common::RESOURCE_ATTRIBUTES,
        known: &known,
    })?;
    let mut hints = Vec::new();
    for ((word, _, wanted), known) in asked.iter().zip(&*lock(&known)) {
        for wanted in wanted.iter().filter(|wanted| !known.contains(wanted.as_str())) {
            let meant = nearest(wanted, known.iter().map(String::as_str));
            let meant = meant.map(|meant| format!(": did you mean {meant:?}?")).unwrap_or_default();
            hints.push(match *word {
                "service" => format!("no service is called {wanted:?}{meant}"),
                "name" => format!("nothing is called {wanted:?}{meant}"),
                "attr" => format!("no record has the attribute {wanted:?}{meant}"),
                _ => format!("no resource has the attribute {wanted:?}{meant}"),
            });
        }
    }
    Ok(hints)
}

/// The distinct words of some columns.
struct Words<'a> {
    columns: Vec<usize>,
    attributes: usize,
    resources: usize,
    known: &'a Mutex<Vec<BTreeSet<String>>>,
}

impl Gather for Words<'_> {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn gather(&mut self, view: &View<'_>, _: &Selection) -> std::result::Result<(), ReadError> {
        for (at, column) in self.columns.iter().enumerate() {
            let add = |word: &str| {
                let known = &mut lock(self.known)[at];
                if known.len() < MOST && !known.contains(word) {
                    known.insert(word.to_owned());
                }
            };
            if *column == self.attributes {
                let attributes = Attributes::of(view.map(*column)?)?;
                (0..attributes.keys.len()).for_each(|at| add(attributes.keys.value(at)));
            } else {
                let (_, values) = view.dictionary(*column)?;
                for value in values.iter().flatten() {
                    match *column == self.resources {
                        true => Resource::parse(value).iter().for_each(|(key, _)| add(key)),
                        false => add(value),
                    }
                }
            }
        }
        Ok(())
    }
}
