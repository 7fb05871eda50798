//! Which series a point is of: its resource, scope, metric, type, temporality and attributes.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, BooleanArray, DictionaryArray, StringArray};
use otlp_arrow_columns::schema::{common, metrics};
use otlp_arrow_store::ReadError;

use super::points::flag;
use crate::maps::Map;
use crate::scan::{Attributes, View};

/// What tells one series from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity {
    pub(crate) name: Box<str>,
    pub(crate) unit: Box<str>,
    pub(crate) metric_type: Box<str>,
    pub(crate) temporality: Option<Box<str>>,
    pub(crate) monotonic: Option<bool>,
    /// By key; each with the letter of its type, for `1` and `"1"` are two.
    pub(crate) attributes: Vec<(Box<str>, Option<Box<str>>, char)>,
    pub(crate) service: Option<Box<str>>,
    /// JSON, as it is stored.
    pub(crate) resource: Option<Box<str>>,
    scope: [Option<Box<str>>; 3],
}

impl Identity {
    /// Bytes of its texts.
    pub(crate) fn memory(&self) -> usize {
        let attributes = self
            .attributes
            .iter()
            .map(|(key, value, _)| 48 + key.len() + value.as_ref().map_or(0, |value| value.len()));
        attributes.sum::<usize>() + self.resource.as_ref().map_or(0, |resource| resource.len()) + 128
    }
}

const FIRST: usize = common::first(metrics::COUNT);
/// Columns with a dictionary that are part of an identity.
const DICTIONARIES: [usize; 10] = [
    metrics::METRIC_NAME,
    metrics::UNIT,
    metrics::METRIC_TYPE,
    metrics::TEMPORALITY,
    metrics::ATTRIBUTE_TYPES,
    FIRST + common::SERVICE_NAME,
    FIRST + common::RESOURCE_ATTRIBUTES,
    FIRST + common::SCOPE_NAME,
    FIRST + common::SCOPE_VERSION,
    FIRST + common::SCOPE_ATTRIBUTES,
];

/// The identities of the rows of a block: each is made once, where its cells are seen for the first time.
pub(crate) struct Identities<'a> {
    dictionaries: Vec<(&'a DictionaryArray<Int32Type>, &'a StringArray)>,
    monotonic: &'a BooleanArray,
    attributes: Attributes<'a>,
    known: Map<Box<[u8]>, usize>,
    made: Vec<Arc<Identity>>,
    cells: Vec<u8>,
}

impl<'a> Identities<'a> {
    /// The columns it looks at.
    pub(crate) const COLUMNS: [usize; 12] = [
        DICTIONARIES[0],
        DICTIONARIES[1],
        DICTIONARIES[2],
        DICTIONARIES[3],
        DICTIONARIES[4],
        DICTIONARIES[5],
        DICTIONARIES[6],
        DICTIONARIES[7],
        DICTIONARIES[8],
        DICTIONARIES[9],
        metrics::IS_MONOTONIC,
        metrics::ATTRIBUTES,
    ];

    pub(crate) fn of(view: &'a View<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            dictionaries: DICTIONARIES.iter().map(|column| view.dictionary(*column)).collect::<Result<_, _>>()?,
            monotonic: view.boolean(metrics::IS_MONOTONIC)?,
            attributes: Attributes::of(view.map(metrics::ATTRIBUTES)?)?,
            known: Map::default(),
            made: Vec::new(),
            cells: Vec::new(),
        })
    }

    /// The number of the identity of a row within the block.
    pub(crate) fn number(&mut self, row: usize) -> Result<usize, ReadError> {
        self.cells.clear();
        for (array, _) in &self.dictionaries {
            let key = if array.keys().is_valid(row) { array.keys().value(row) } else { -1 };
            self.cells.extend_from_slice(&key.to_le_bytes());
        }
        self.cells.push(flag(self.monotonic, row).map_or(2, u8::from));
        let attributes = &self.attributes;
        for at in attributes.range(row) {
            let (key, value) =
                (attributes.keys.value(at), attributes.values.is_valid(at).then(|| attributes.values.value(at)));
            self.cells.extend_from_slice(&(key.len() as u32).to_le_bytes());
            self.cells.extend_from_slice(key.as_bytes());
            self.cells.extend_from_slice(&value.map_or(u32::MAX, |value| value.len() as u32).to_le_bytes());
            self.cells.extend_from_slice(value.unwrap_or_default().as_bytes());
        }
        if let Some(number) = self.known.get(&*self.cells) {
            return Ok(*number);
        }
        let made = Arc::new(self.make(row)?);
        self.made.push(made);
        self.known.insert(self.cells.as_slice().into(), self.made.len() - 1);
        Ok(self.made.len() - 1)
    }

    /// The identity of a number.
    pub(crate) fn identity(&self, number: usize) -> Arc<Identity> {
        Arc::clone(&self.made[number])
    }

    fn make(&self, row: usize) -> Result<Identity, ReadError> {
        let text = |at: usize| {
            let (array, values) = self.dictionaries[at];
            array.keys().is_valid(row).then(|| values.value(array.keys().value(row) as usize).into())
        };
        let letters: Option<Box<str>> = text(4);
        let mut letters = letters.as_deref().unwrap_or_default().chars();
        let attribute = |at: usize| {
            let value = self.attributes.values.is_valid(at).then(|| self.attributes.values.value(at));
            let letter = letters.next().unwrap_or(if value.is_some() { 's' } else { 'n' });
            (self.attributes.keys.value(at).into(), value.map(Into::into), letter)
        };
        let mut attributes: Vec<_> = self.attributes.range(row).map(attribute).collect();
        attributes.sort();
        Ok(Identity {
            name: text(0).unwrap_or_default(),
            unit: text(1).unwrap_or_default(),
            metric_type: text(2).unwrap_or_default(),
            temporality: text(3),
            monotonic: flag(self.monotonic, row),
            attributes,
            service: text(5),
            resource: text(6),
            scope: [text(7), text(8), text(9)],
        })
    }
}
