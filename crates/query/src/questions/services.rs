//! Services with rate, errors and duration (RED), from spans.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::maps::Map;
use arrow_array::{Array, RecordBatch};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, traces};
use otlp_arrow_store::ReadError;
use serde::Serialize;

use super::durations::Durations;
use super::hints;
use super::question::{Kind, Question};
use super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::{Filter, Nanos};
use crate::record::{Form, as_nanos, as_time};
use crate::scan::{ANY_TIME, Asking, Gather, Scan, Selection, Stop, View};

pub(super) const KIND: Kind = Kind {
    name: "services",
    text: "services with rate, errors and duration of the requests they served",
    filtered: true,
    parameters: &[],
    read: |parameters, now| Ok(Box::new(ServicesQuestion { filter: Filter::read(parameters, now)? })),
};

/// Services with rate, errors and duration.
///
/// Requests are spans of the kinds `server` and `consumer`; of a service that has none, spans without a parent.
#[derive(Clone, Debug, Default)]
pub struct ServicesQuestion {
    /// Which spans count.
    pub filter: Filter,
}

/// Services by name.
#[derive(Clone, Debug)]
pub struct Services {
    /// By name.
    pub services: Vec<Service>,
    /// What was searched.
    pub searched: Searched,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// `service.name`; empty for spans without.
    pub name: String,
    /// All of its spans.
    pub spans: u64,
    /// Spans that are requests.
    pub requests: u64,
    /// Requests with what sampling left out counted in (`ot=th` of the trace state); as many as `requests` where nothing was
    /// sampled.
    pub weighted_requests: f64,
    /// Requests a second: of the time that was asked for, else from the first span to the last one.
    pub rate: f64,
    /// Requests that are errors.
    pub errors: u64,
    /// Their share, 0 to 1.
    pub error_share: f64,
    /// Half of the requests took at most so many nanoseconds; `None` without requests.
    #[serde(serialize_with = "as_nanos")]
    pub p50: Option<i64>,
    /// 95 of 100.
    #[serde(serialize_with = "as_nanos")]
    pub p95: Option<i64>,
    /// 99 of 100.
    #[serde(serialize_with = "as_nanos")]
    pub p99: Option<i64>,
    /// Whether the percentiles are exact; beyond a million requests they are within 4.5 %.
    pub exact: bool,
    /// When its first span starts.
    #[serde(serialize_with = "as_time")]
    pub first_seen: Nanos,
    /// When its last span starts.
    #[serde(serialize_with = "as_time")]
    pub last_seen: Nanos,
}

/// What the spans of one service come to. Sums of several can be added.
#[derive(Clone, Debug)]
pub struct Red {
    /// All of its spans.
    pub spans: u64,
    /// When the first and the last one start.
    pub seen: (Nanos, Nanos),
    /// Of the kinds `server` and `consumer`.
    pub served: Requests,
    /// Without a parent.
    pub roots: Requests,
}

/// Requests of one service.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// How many, and with what sampling left out counted in.
    pub count: u64,
    /// As above.
    pub weight: f64,
    /// How many are errors.
    pub errors: u64,
    /// How long they took.
    pub durations: Durations,
}

impl Default for Red {
    fn default() -> Self {
        Self { spans: 0, seen: (Nanos::MAX, 0), served: Requests::default(), roots: Requests::default() }
    }
}

impl Requests {
    pub(super) fn add(&mut self, weight: f64, is_error: bool, duration: i64) {
        self.count += 1;
        self.weight += weight;
        self.errors += u64::from(is_error);
        self.durations.add(duration);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.weight += other.weight;
        self.errors += other.errors;
        self.durations.merge(other.durations);
    }
}

impl Red {
    /// The sums of `other` as well.
    pub fn merge(&mut self, other: Self) {
        self.spans += other.spans;
        self.seen = (self.seen.0.min(other.seen.0), self.seen.1.max(other.seen.1));
        self.served.merge(other.served);
        self.roots.merge(other.roots);
    }

    fn service(self, name: String, filter: &Filter) -> Service {
        let Self { spans, seen, served, roots } = self;
        let mut requests = if served.count > 0 { served } else { roots };
        let from = filter.from.unwrap_or(seen.0);
        let to = filter.to.unwrap_or(if filter.from.is_some() { seen.1.max(from) } else { seen.1 });
        let seconds = (to.saturating_sub(from) as f64 / 1e9).max(1.0);
        let percentiles = requests.durations.percentiles([0.5, 0.95, 0.99]);
        Service {
            name,
            spans,
            requests: requests.count,
            weighted_requests: requests.weight,
            rate: requests.weight / seconds,
            errors: requests.errors,
            error_share: requests.errors as f64 / requests.count.max(1) as f64,
            p50: percentiles.map(|[p50, ..]| p50),
            p95: percentiles.map(|[_, p95, _]| p95),
            p99: percentiles.map(|[.., p99]| p99),
            exact: requests.durations.is_exact(),
            first_seen: seen.0,
            last_seen: seen.1,
        }
    }
}

/// How many spans one with this trace state stands for: 2^56 / (2^56 - T), where `ot=th:T` says below which random value
/// spans were left out.
pub(super) fn weight(trace_state: &str) -> f64 {
    let member = trace_state.split(',').find_map(|member| member.trim().strip_prefix("ot="));
    let digits = member.and_then(|member| member.split(';').find_map(|pair| pair.strip_prefix("th:")));
    let Some(digits) = digits.filter(|digits| (1..=14).contains(&digits.len())) else { return 1.0 };
    let Ok(threshold) = u64::from_str_radix(digits, 16) else { return 1.0 };
    let threshold = threshold << (4 * (14 - digits.len()));
    let all = 1u64 << 56;
    all as f64 / (all - threshold.min(all - 1)) as f64
}

impl Question for ServicesQuestion {
    type Answer = Services;

    fn ask(&self, asking: &Asking<'_>) -> Result<Services> {
        let terms = self.filter.terms(Signal::Traces)?;
        let scan = Scan { asking, signal: Signal::Traces, terms, bound: None, within: ANY_TIME };
        let mut all: BTreeMap<Box<str>, Red> = BTreeMap::new();
        for some in scan.run(|| Summing::new(asking))? {
            some.services.into_iter().for_each(|(name, red)| all.entry(name).or_default().merge(red));
        }
        let most = asking.rows_of(self.filter.limit, usize::MAX);
        if all.len() > most {
            asking.stop(if self.filter.limit.is_some_and(|limit| limit <= most) { Stop::Limit } else { Stop::MaxRows });
        }
        let services: Vec<Service> =
            all.into_iter().take(most).map(|(name, red)| red.service(name.into(), &self.filter)).collect();
        let mut searched = Searched::of(asking, &self.filter);
        if services.is_empty() {
            searched.hints = hints::of(asking, Signal::Traces, &self.filter)?;
        }
        Ok(Services { services, searched })
    }
}

struct Summing<'a> {
    asking: &'a Asking<'a>,
    services: Map<Box<str>, Red>,
    held: usize,
}

const SERVICE: usize = common::first(traces::COUNT) + common::SERVICE_NAME;

impl<'a> Summing<'a> {
    fn new(asking: &'a Asking<'a>) -> Self {
        Self { asking, services: Map::default(), held: 0 }
    }
}

impl Gather for Summing<'_> {
    fn columns(&self) -> &[usize] {
        &[
            traces::PARENT_SPAN_ID,
            traces::TRACE_STATE,
            traces::KIND,
            traces::START_TIME,
            traces::DURATION,
            traces::STATUS_CODE,
            SERVICE,
        ]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let (parents, states) = (view.ids(traces::PARENT_SPAN_ID)?, view.text(traces::TRACE_STATE)?);
        let (starts, durations) = (view.times(traces::START_TIME)?, view.i64s(traces::DURATION)?);
        let (kinds, kind_values) = view.dictionary(traces::KIND)?;
        let (statuses, status_values) = view.dictionary(traces::STATUS_CODE)?;
        let (services, service_values) = view.dictionary(SERVICE)?;
        let serves: Vec<bool> = kind_values.iter().map(|kind| matches!(kind, Some("server" | "consumer"))).collect();
        let fails: Vec<bool> = status_values.iter().map(|status| status == Some("error")).collect();
        // The sums of each service of the block, by its number in the dictionary; the last one is of spans without.
        let mut sums: Vec<Option<Red>> = vec![None; service_values.len() + 1];
        for row in rows.iter() {
            let service = match services.keys().is_valid(row) {
                true => services.keys().value(row) as usize,
                false => service_values.len(),
            };
            let red = sums[service].get_or_insert_default();
            let start = starts.value(row).cast_unsigned();
            red.spans += 1;
            red.seen = (red.seen.0.min(start), red.seen.1.max(start));
            let serves = kinds.keys().is_valid(row) && serves[kinds.keys().value(row) as usize];
            let is_root = parents.is_null(row);
            if serves || is_root {
                let is_error = statuses.keys().is_valid(row) && fails[statuses.keys().value(row) as usize];
                let weight = if states.is_valid(row) { weight(states.value(row)) } else { 1.0 };
                if serves {
                    red.served.add(weight, is_error, durations.value(row));
                }
                if is_root {
                    red.roots.add(weight, is_error, durations.value(row));
                }
            }
        }
        for (service, red) in sums.into_iter().enumerate() {
            if let Some(red) = red {
                let name = if service < service_values.len() { service_values.value(service) } else { "" };
                match self.services.get_mut(name) {
                    Some(known) => known.merge(red),
                    None => drop(self.services.insert(name.into(), red)),
                }
            }
        }
        let memory = |red: &Red| red.served.durations.memory() + red.roots.durations.memory() + 256;
        let now = self.services.values().map(memory).sum::<usize>();
        if now > self.held && self.asking.hold(now - self.held) {
            self.held = now;
        }
        Ok(())
    }
}

impl Answer for Services {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.services.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.services.iter();
        Table::default()
            .text("name", all().map(|service| service.name.as_str()))
            .u64s("spans", all().map(|service| service.spans))
            .u64s("requests", all().map(|service| service.requests))
            .f64s("weighted_requests", all().map(|service| service.weighted_requests))
            .f64s("rate", all().map(|service| service.rate))
            .u64s("errors", all().map(|service| service.errors))
            .f64s("error_share", all().map(|service| service.error_share))
            .optional_i64s("p50", all().map(|service| service.p50))
            .optional_i64s("p95", all().map(|service| service.p95))
            .optional_i64s("p99", all().map(|service| service.p99))
            .flags("exact", all().map(|service| service.exact))
            .times("first_seen", all().map(|service| service.first_seen))
            .times("last_seen", all().map(|service| service.last_seen))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            services: &'a [Service],
            searched: &'a Searched,
        }
        json(form, out, &Shown { services: &self.services, searched: &self.searched })
    }
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn a_sampled_span_stands_for_those_that_were_left_out() {
        for (state, wanted) in [
            ("ot=th:8", 2.0),
            ("ot=th:c", 4.0),
            ("vendor=x, ot=rv:abc;th:8", 2.0),
            ("ot=th:0", 1.0),
            ("", 1.0),
            ("ot=rv:8", 1.0),
            ("ot=th:", 1.0),
            ("ot=th:zz", 1.0),
            ("not=th:8", 1.0),
            ("ot=th:ffffffffffffff", (1u64 << 56) as f64),
        ] {
            assert_eq!(weight(state), wanted, "{state}");
        }
    }
}
