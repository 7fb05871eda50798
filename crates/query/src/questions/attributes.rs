//! Which attributes there are, and which values one of them has.

use std::cmp::Reverse;
use std::io::{self, Write};

use crate::maps::Map;
use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, metrics, traces};
use otlp_arrow_store::ReadError;
use serde::Serialize;

use super::by::By;
use super::facets::{count, most_frequent};
use super::hints;
use super::question::{Kind, Question, signal};
use super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::{Filter, one, wrong};
use crate::record::Form;
use crate::scan::{ANY_TIME, Asking, Attributes, Gather, Resource, Scan, Selection, Stop, View};

/// Keys where nobody says how many.
const USUAL_KEYS: usize = 1_000;
/// Values where nobody says how many.
const USUAL_VALUES: usize = 100;
/// What one key takes while it is counted, beside its text.
const KEY_BYTES: usize = 64;

pub(super) const KEYS_KIND: Kind = Kind {
    name: "attributes",
    text: "which attributes records and their resources have, and how many have each",
    filtered: true,
    parameters: &[one("signal", "`traces`, `logs`, `metrics`", "of which records; traces")],
    read: |parameters, now| {
        let signal = signal(parameters, Signal::Traces)?;
        Ok(Box::new(AttributeKeysQuestion { signal, filter: Filter::read(parameters, now)? }))
    },
};

pub(super) const VALUES_KIND: Kind = Kind {
    name: "attribute_values",
    text: "the values of one attribute, the most frequent first",
    filtered: true,
    parameters: &[
        one("signal", "`traces`, `logs`, `metrics`", "of which records; traces"),
        one(
            "key",
            "`http.route`, `resource:host.name`, `service`",
            "the attribute, or one of service, name, kind, status, severity",
        ),
        one("prefix", "any text", "only values that begin so"),
    ],
    read: |parameters, now| {
        let signal = signal(parameters, Signal::Traces)?;
        let key = |text: &str| match By::parse(text) {
            Ok(by) => Ok(by),
            Err(_) if !text.is_empty() && !text.ends_with(':') => Ok(By::Attribute(text.to_owned())),
            Err(problem) => Err(problem),
        };
        let key = parameters.read("key", key)?.ok_or_else(|| wrong("key", "", "is missing: the values of what?"))?;
        let prefix = parameters.one("prefix")?.unwrap_or_default();
        Ok(Box::new(AttributeValuesQuestion { signal, key, prefix, filter: Filter::read(parameters, now)? }))
    },
};

/// Which attributes there are among the records that match.
#[derive(Clone, Debug)]
pub struct AttributeKeysQuestion {
    /// Of which signal.
    pub signal: Signal,
    /// Which records; [`Filter::limit`] says how many keys.
    pub filter: Filter,
}

/// Attributes, the most frequent first.
#[derive(Clone, Debug)]
pub struct AttributeKeys {
    /// The most frequent first.
    pub keys: Vec<AttributeKey>,
    /// Records that match.
    pub total: u64,
    /// What was searched.
    pub searched: Searched,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttributeKey {
    /// Its key.
    pub key: String,
    /// `record` or `resource`: `attr` or `resource` asks for it.
    #[serde(rename = "of")]
    pub owner: &'static str,
    /// How many records have it, or a resource that has it.
    pub count: u64,
}

impl Question for AttributeKeysQuestion {
    type Answer = AttributeKeys;

    fn ask(&self, asking: &Asking<'_>) -> Result<AttributeKeys> {
        let attributes = match self.signal {
            Signal::Traces => traces::ATTRIBUTES,
            Signal::Metrics => metrics::ATTRIBUTES,
            Signal::Logs => logs::ATTRIBUTES,
        };
        let resource =
            common::first(otlp_arrow_columns::schema(self.signal).fields().len()) + common::RESOURCE_ATTRIBUTES;
        let terms = self.filter.terms(self.signal)?;
        let scan = Scan { asking, signal: self.signal, terms, bound: None, within: ANY_TIME };
        let make = || Keys { asking, columns: [attributes, resource], of: Default::default(), total: 0 };
        let (mut all, mut total) = ([Map::default(), Map::default()], 0);
        for some in scan.run(make)? {
            total += some.total;
            for (all, some) in all.iter_mut().zip(some.of) {
                some.into_iter().for_each(|(key, count)| *all.entry(key).or_default() += count);
            }
        }
        let [records, resources] = all;
        let key =
            |owner: &'static str| move |(key, count): (Box<str>, u64)| AttributeKey { key: key.into(), owner, count };
        let mut keys: Vec<AttributeKey> =
            records.into_iter().map(key("record")).chain(resources.into_iter().map(key("resource"))).collect();
        keys.sort_by(|a, b| (Reverse(a.count), &a.key, a.owner).cmp(&(Reverse(b.count), &b.key, b.owner)));
        let most = asking.rows_of(self.filter.limit, USUAL_KEYS);
        if keys.len() > most {
            asking.stop(Stop::Limit);
            keys.truncate(most);
        }
        let mut searched = Searched::of(asking, &self.filter);
        if total == 0 {
            searched.hints = hints::of(asking, self.signal, &self.filter)?;
        }
        Ok(AttributeKeys { keys, total, searched })
    }
}

/// How many records have each key: of their own, of their resource.
type Found = [Map<Box<str>, u64>; 2];

struct Keys<'a> {
    asking: &'a Asking<'a>,
    columns: [usize; 2],
    of: Found,
    total: u64,
}

impl Gather for Keys<'_> {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        use arrow_array::Array;
        self.total += rows.len() as u64;
        let mut made = 0;
        let attributes = Attributes::of(view.map(self.columns[0])?)?;
        let mut block: Map<&str, u64> = Map::default();
        for row in rows.iter() {
            attributes.range(row).for_each(|at| *block.entry(attributes.keys.value(at)).or_default() += 1);
        }
        let (array, values) = view.dictionary(self.columns[1])?;
        let mut of_resource: Map<i32, u64> = Map::default();
        for row in rows.iter().filter(|row| array.keys().is_valid(*row)) {
            *of_resource.entry(array.keys().value(row)).or_default() += 1;
        }
        let [of_records, of_resources] = &mut self.of;
        let mut add = |of: &mut Map<Box<str>, u64>, key: &str, count: u64| match of.get_mut(key) {
            Some(known) => *known += count,
            None => {
                made += KEY_BYTES + key.len();
                of.insert(key.into(), count);
            }
        };
        for (key, count) in block {
            add(of_records, key, count);
        }
        for (number, count) in of_resource {
            let resource = Resource::parse(values.value(number as usize));
            resource.iter().for_each(|(key, _)| add(of_resources, key, count));
        }
        self.asking.hold(made);
        Ok(())
    }
}

impl Answer for AttributeKeys {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.keys.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.keys.iter();
        Table::default()
            .text("key", all().map(|key| key.key.as_str()))
            .text("of", all().map(|key| key.owner))
            .u64s("count", all().map(|key| key.count))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            total: u64,
            attributes: &'a [AttributeKey],
            searched: &'a Searched,
        }
        json(form, out, &Shown { total: self.total, attributes: &self.keys, searched: &self.searched })
    }
}

/// The values of one attribute among the records that match.
#[derive(Clone, Debug)]
pub struct AttributeValuesQuestion {
    /// Of which signal.
    pub signal: Signal,
    /// Which attribute or column.
    pub key: By,
    /// Only values that begin so.
    pub prefix: String,
    /// Which records; [`Filter::limit`] says how many values.
    pub filter: Filter,
}

/// Values of one attribute.
#[derive(Clone, Debug)]
pub struct AttributeValues {
    /// Which attribute or column.
    pub key: String,
    /// The most frequent first.
    pub values: Vec<AttributeValueCount>,
    /// How many distinct values there are.
    pub distinct: u64,
    /// What was searched.
    pub searched: Searched,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttributeValueCount {
    /// As text.
    pub value: String,
    /// How many records have it.
    pub count: u64,
}

impl Question for AttributeValuesQuestion {
    type Answer = AttributeValues;

    fn ask(&self, asking: &Asking<'_>) -> Result<AttributeValues> {
        let (mut values, _) = count(asking, self.signal, std::slice::from_ref(&self.key), &self.filter)?;
        let mut values = values.pop().unwrap_or_default();
        values.retain(|value, _| value.as_deref().is_some_and(|value| value.starts_with(&self.prefix)));
        let most = asking.rows_of(self.filter.limit, USUAL_VALUES);
        let (values, distinct) = most_frequent(values, most);
        if distinct > values.len() as u64 {
            asking.stop(Stop::Limit);
        }
        let value =
            |(value, count): (Option<String>, u64)| AttributeValueCount { value: value.unwrap_or_default(), count };
        let values: Vec<_> = values.into_iter().map(value).collect();
        let mut searched = Searched::of(asking, &self.filter);
        if values.is_empty() {
            let mut filter = self.filter.clone();
            let condition = |key: &String| crate::filter::Condition::equals(key.clone(), "");
            match &self.key {
                By::Attribute(key) => filter.attributes.push(condition(key)),
                By::Resource(key) => filter.resource.push(condition(key)),
                _ => {}
            }
            searched.hints = hints::of(asking, self.signal, &filter)?;
        }
        Ok(AttributeValues { key: self.key.to_string(), values, distinct, searched })
    }
}

impl Answer for AttributeValues {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.values.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        Table::default()
            .text("value", self.values.iter().map(|value| value.value.as_str()))
            .u64s("count", self.values.iter().map(|value| value.count))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            key: &'a str,
            distinct: u64,
            values: &'a [AttributeValueCount],
            searched: &'a Searched,
        }
        json(
            form,
            out,
            &Shown { key: &self.key, distinct: self.distinct, values: &self.values, searched: &self.searched },
        )
    }
}
