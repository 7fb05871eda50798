//! Runs: which processes were recorded, as their resources tell, or the writers of the files where they tell nothing.

use std::collections::{BTreeMap, HashMap};

use arrow_array::Array as _;
use otlp_arrow::{Result, Signal};
use otlp_arrow_columns::schema::{common, logs, traces};
use otlp_arrow_query::filter::{Filter, Nanos};
use otlp_arrow_query::scan::{ANY_TIME, Asking, Gather, Scan, Selection, View};
use otlp_arrow_query::text::{ago, moment, name, plural};
use otlp_arrow_query::{AskOptions, Telemetry};
use otlp_arrow_store::ReadError;
use serde_json::{Map, Value};

/// What tells one start of a process from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// An attribute of the resource and its value.
    Attribute(&'static str, String),
    /// Who wrote the file.
    Writer(u64),
}

/// One start of a process.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    key: Key,
    service: String,
    first: Nanos,
    last: Nanos,
    spans: u64,
    errors: u64,
    logs: u64,
}

/// Attributes of a resource that name a process, the best first.
const NAMED_BY: [&str; 2] = ["service.instance.id", "process.pid"];

/// The runs of these records, the latest first.
pub(crate) fn runs(telemetry: &Telemetry, filter: &Filter, options: &AskOptions) -> Result<Vec<Run>> {
    let mut all: BTreeMap<(Key, String), Run> = BTreeMap::new();
    let asking = Asking::begin(telemetry.engine(), options)?;
    for signal in [Signal::Traces, Signal::Logs] {
        let scan = Scan { asking: &asking, signal, terms: filter.terms(signal)?, bound: None, within: ANY_TIME };
        for some in scan.run(|| Gathering::new(signal))? {
            for (key, run) in some.runs {
                match all.get_mut(&key) {
                    Some(known) => known.add(&run),
                    None => drop(all.insert(key, run)),
                }
            }
        }
    }
    let mut runs: Vec<Run> = all.into_values().collect();
    runs.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.key.cmp(&b.key)));
    Ok(runs)
}

impl Run {
    fn add(&mut self, other: &Run) {
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        self.spans += other.spans;
        self.errors += other.errors;
        self.logs += other.logs;
    }

    /// As a side of a comparison.
    pub(crate) fn side(&self) -> String {
        match &self.key {
            Key::Attribute(key, value) if !value.contains('"') => {
                let words = format!("resource={key}={value}");
                if value.contains(char::is_whitespace) { format!("\"{words}\"") } else { words }
            }
            // The end is not part of a range, and moments are cut to milliseconds.
            _ => format!("{}..{}", moment(self.first), moment(self.last.saturating_add(1_000_000))),
        }
    }

    /// One line.
    pub(crate) fn line(&self, now: Nanos) -> String {
        let service = if self.service.is_empty() { "-".to_owned() } else { name(&self.service, 60) };
        format!(
            "{service}  {} to {} ({})  {}, {}, {}  {}",
            moment(self.first),
            &moment(self.last)[11..],
            ago(self.last, now),
            plural(self.spans, "span"),
            plural(self.errors, "error"),
            plural(self.logs, "log record"),
            name(&self.side(), 120),
        )
    }
}

struct Gathering {
    signal: Signal,
    columns: Vec<usize>,
    runs: HashMap<(Key, String), Run>,
}

impl Gathering {
    fn new(signal: Signal) -> Self {
        let count = otlp_arrow_columns::schema(signal).fields().len();
        let first = common::first(count);
        let mut columns = vec![first + common::RESOURCE_ATTRIBUTES, first + common::SERVICE_NAME];
        columns.extend(match signal {
            Signal::Logs => vec![logs::TIME, logs::OBSERVED_TIME],
            _ => vec![traces::START_TIME, traces::STATUS_CODE],
        });
        Self { signal, columns, runs: HashMap::new() }
    }
}

impl Gather for Gathering {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let (resources, resource_values) = view.dictionary(self.columns[0])?;
        let (services, service_values) = view.dictionary(self.columns[1])?;
        let writer = view.place(0, 0).writer;
        let is_logs = self.signal == Signal::Logs;
        let times = view.times(self.columns[2])?;
        let others = if is_logs { Some(view.times(self.columns[3])?) } else { None };
        let statuses = if is_logs { None } else { Some(view.dictionary(self.columns[3])?) };
        let mut known: HashMap<(i32, i32), (Key, String)> = HashMap::new();
        for row in rows.iter() {
            let of = |array: &arrow_array::DictionaryArray<arrow_array::types::Int32Type>| {
                if array.is_null(row) { -1 } else { array.keys().value(row) }
            };
            let at = (of(resources), of(services));
            let key = known.entry(at).or_insert_with(|| {
                let resource = usize::try_from(at.0).map_or("", |at| resource_values.value(at));
                let service = usize::try_from(at.1).map_or("", |at| service_values.value(at));
                (key_of(resource).unwrap_or(Key::Writer(writer)), service.to_owned())
            });
            let time = match (times.is_valid(row), others) {
                (true, _) => times.value(row).cast_unsigned(),
                (false, Some(others)) if others.is_valid(row) => others.value(row).cast_unsigned(),
                _ => continue,
            };
            let failed = statuses.is_some_and(|(array, values)| {
                array.is_valid(row) && values.value(array.keys().value(row) as usize) == "error"
            });
            let run = Run {
                key: key.0.clone(),
                service: key.1.clone(),
                first: time,
                last: time,
                spans: u64::from(!is_logs),
                errors: u64::from(failed),
                logs: u64::from(is_logs),
            };
            match self.runs.get_mut(&*key) {
                Some(known) => known.add(&run),
                None => drop(self.runs.insert(key.clone(), run)),
            }
        }
        Ok(())
    }
}

/// What names the process in the JSON text of a resource.
fn key_of(resource: &str) -> Option<Key> {
    let resource: Map<String, Value> = serde_json::from_str(resource).ok()?;
    NAMED_BY.into_iter().find_map(|key| {
        let text = match resource.get(key)? {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(Key::Attribute(key, text))
    })
}
