//! Which metrics there are: type, unit, temporality, how many series, the latest value.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use arrow_array::types::{Float64Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::metrics;
use otlp_arrow_store::ReadError;
use serde::Serialize;

use super::hints;
use super::question::{Kind, Question};
use super::series::{Identities, Identity};
use super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::{Filter, Nanos};
use crate::maps::Set;
use crate::record::{Form, as_time};
use crate::scan::{ANY_TIME, Asking, Gather, Scan, Selection, Stop, View};

/// Metrics where nobody says how many.
const USUAL: usize = 1_000;
/// What one metric takes while it is counted.
const METRIC_BYTES: usize = 512;
/// What one series takes while it is counted.
const SERIES_BYTES: usize = 16;

pub(super) const KIND: Kind = Kind {
    name: "metrics",
    text: "which metrics there are, with type, unit, temporality, series and latest value",
    filtered: true,
    parameters: &[],
    read: |parameters, now| Ok(Box::new(MetricsQuestion { filter: Filter::read(parameters, now)? })),
};

/// Which metrics there are.
#[derive(Clone, Debug, Default)]
pub struct MetricsQuestion {
    /// Of which points; [`Filter::limit`] says how many metrics.
    pub filter: Filter,
}

/// Metrics by name.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// By name, then by type.
    pub metrics: Vec<Metric>,
    /// What was searched.
    pub searched: Searched,
}

/// One metric. What has the same name and another type, unit or temporality is another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
    #[serde(rename = "type")]
    pub metric_type: String,
    /// UCUM unit; empty where it has none.
    pub unit: String,
    /// `cumulative`, `delta`; nothing of gauges and summaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporality: Option<String>,
    /// Whether it only grows; of sums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<bool>,
    /// What it measures, as its latest point says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Services that send it.
    pub services: Vec<String>,
    /// How many series: distinct attributes of distinct resources and scopes.
    pub series: u64,
    /// How many points.
    pub points: u64,
    /// The value of its latest point; of a histogram or summary how many values that has.
    pub last_value: Option<f64>,
    /// When its first point was taken.
    #[serde(serialize_with = "as_time")]
    pub first_seen: Nanos,
    /// When its latest one was.
    #[serde(serialize_with = "as_time")]
    pub last_seen: Nanos,
}

/// Name, type, unit, temporality, monotonic.
type Key = (Box<str>, Box<str>, Box<str>, Option<Box<str>>, Option<bool>);

#[derive(Clone, Debug)]
struct Sums {
    services: BTreeSet<Box<str>>,
    /// A hash of each.
    series: Set<u64>,
    points: u64,
    seen: (Nanos, Nanos),
    /// Time, sequence and row of the latest point: of several the last one counts.
    latest: (Nanos, u64, u32, u64),
    value: Option<f64>,
    description: Box<str>,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            services: BTreeSet::new(),
            series: Set::default(),
            points: 0,
            seen: (Nanos::MAX, 0),
            latest: (0, 0, 0, 0),
            value: None,
            description: Box::default(),
        }
    }
}

impl Sums {
    fn merge(&mut self, other: Self) {
        self.services.extend(other.services);
        self.series.extend(other.series);
        self.points += other.points;
        self.seen = (self.seen.0.min(other.seen.0), self.seen.1.max(other.seen.1));
        if other.latest >= self.latest {
            (self.latest, self.value, self.description) = (other.latest, other.value, other.description);
        }
    }
}

impl Question for MetricsQuestion {
    type Answer = Metrics;

    fn ask(&self, asking: &Asking<'_>) -> Result<Metrics> {
        let terms = self.filter.terms(Signal::Metrics)?;
        let scan = Scan { asking, signal: Signal::Metrics, terms, bound: None, within: ANY_TIME };
        let hasher = ahash::RandomState::new();
        let mut all: BTreeMap<Key, Sums> = BTreeMap::new();
        for some in scan.run(|| Summing { asking, hasher: &hasher, metrics: BTreeMap::new() })? {
            some.metrics.into_iter().for_each(|(key, sums)| all.entry(key).or_default().merge(sums));
        }
        let most = asking.rows_of(self.filter.limit, USUAL);
        if all.len() > most {
            asking.stop(Stop::Limit);
        }
        let metrics: Vec<Metric> = all.into_iter().take(most).map(|(key, sums)| metric(key, sums)).collect();
        let mut searched = Searched::of(asking, &self.filter);
        if metrics.is_empty() {
            searched.hints = hints::of(asking, Signal::Metrics, &self.filter)?;
        }
        Ok(Metrics { metrics, searched })
    }
}

fn metric((name, metric_type, unit, temporality, monotonic): Key, sums: Sums) -> Metric {
    Metric {
        name: name.into(),
        metric_type: metric_type.into(),
        unit: unit.into(),
        temporality: temporality.map(Into::into),
        monotonic,
        description: sums.description.into(),
        services: sums.services.into_iter().map(Into::into).collect(),
        series: sums.series.len() as u64,
        points: sums.points,
        last_value: sums.value,
        first_seen: sums.seen.0,
        last_seen: sums.seen.1,
    }
}

struct Summing<'a> {
    asking: &'a Asking<'a>,
    hasher: &'a ahash::RandomState,
    metrics: BTreeMap<Key, Sums>,
}

/// What an identity and its points of one block come to.
struct OfBlock {
    points: u64,
    seen: (Nanos, Nanos),
    latest: usize,
}

const VALUES: [usize; 6] =
    [metrics::DESCRIPTION, metrics::TIME, metrics::FLAGS, metrics::VALUE, metrics::VALUE_INT, metrics::COUNT_];

static COLUMNS: std::sync::LazyLock<Vec<usize>> =
    std::sync::LazyLock::new(|| Identities::COLUMNS.iter().chain(&VALUES).copied().collect());

impl Gather for Summing<'_> {
    fn columns(&self) -> &[usize] {
        &COLUMNS
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let mut identities = Identities::of(view)?;
        let times = view.times(metrics::TIME)?;
        let flags = view.primitive::<UInt32Type>(metrics::FLAGS)?;
        let mut found: BTreeMap<usize, OfBlock> = BTreeMap::new();
        for row in rows.iter() {
            let (number, time) = (identities.number(row)?, times.value(row).cast_unsigned());
            let cell = found.entry(number).or_insert(OfBlock { points: 0, seen: (time, time), latest: row });
            cell.points += 1;
            cell.seen = (cell.seen.0.min(time), cell.seen.1.max(time));
            if time >= times.value(cell.latest).cast_unsigned() {
                cell.latest = row;
            }
        }
        let (values, ints) =
            (view.primitive::<Float64Type>(metrics::VALUE)?, view.primitive::<Int64Type>(metrics::VALUE_INT)?);
        let counts = view.primitive::<UInt64Type>(metrics::COUNT_)?;
        let (descriptions, texts) = view.dictionary(metrics::DESCRIPTION)?;
        let value = |row: usize| match flags.value(row) & 1 {
            1 => None,
            _ if ints.is_valid(row) => Some(ints.value(row) as f64),
            _ if values.is_valid(row) => Some(values.value(row)),
            _ => counts.is_valid(row).then(|| counts.value(row) as f64),
        };
        let (created, seq) = view.written();
        let mut made = 0;
        for (number, cell) in found {
            let identity = identities.identity(number);
            let sums = self.metrics.entry(key(&identity)).or_insert_with(|| {
                made += METRIC_BYTES;
                Sums::default()
            });
            if let Some(service) = identity.service.clone() {
                sums.services.insert(service);
            }
            if sums.series.insert(self.hasher.hash_one(&*identity)) {
                made += SERIES_BYTES;
            }
            sums.points += cell.points;
            sums.seen = (sums.seen.0.min(cell.seen.0), sums.seen.1.max(cell.seen.1));
            let latest = (cell.seen.1, created, seq, view.first_row() + cell.latest as u64);
            if latest >= sums.latest {
                (sums.latest, sums.value) = (latest, value(cell.latest));
                let has = descriptions.keys().is_valid(cell.latest);
                sums.description = if has {
                    texts.value(descriptions.keys().value(cell.latest) as usize).into()
                } else {
                    Box::default()
                };
            }
        }
        self.asking.hold(made);
        Ok(())
    }
}

fn key(identity: &Identity) -> Key {
    let Identity { name, metric_type, unit, temporality, monotonic, .. } = identity;
    (name.clone(), metric_type.clone(), unit.clone(), temporality.clone(), *monotonic)
}

impl Answer for Metrics {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.metrics.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.metrics.iter();
        Table::default()
            .text("name", all().map(|metric| metric.name.as_str()))
            .text("type", all().map(|metric| metric.metric_type.as_str()))
            .text("unit", all().map(|metric| metric.unit.as_str()))
            .optional_text("temporality", all().map(|metric| metric.temporality.as_deref()))
            .text("description", all().map(|metric| metric.description.as_str()))
            .lists("services", all().map(|metric| metric.services.iter().map(String::as_str)))
            .u64s("series", all().map(|metric| metric.series))
            .u64s("points", all().map(|metric| metric.points))
            .optional_f64s("last_value", all().map(|metric| metric.last_value))
            .times("first_seen", all().map(|metric| metric.first_seen))
            .times("last_seen", all().map(|metric| metric.last_seen))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            metrics: &'a [Metric],
            searched: &'a Searched,
        }
        json(form, out, &Shown { metrics: &self.metrics, searched: &self.searched })
    }
}
