//! Attributes with the types they came in.

use arrow_array::cast::AsArray;
use arrow_array::{Array, MapArray};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::form;
use crate::scan::Resource;

/// Attributes in order; keys are unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub Vec<(String, AttributeValue)>);

/// The value of an attribute: its text as it is stored, and the letter of its type (docs/schema.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeValue {
    /// As a person would type it; `None` for an empty value.
    pub text: Option<String>,
    /// `s i d b y a m n`, in upper case for a repeated key.
    pub letter: char,
}

impl Attributes {
    pub(crate) fn of(map: &MapArray, row: usize, letters: Option<&str>) -> Self {
        let (from, to) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
        let entries = map.entries();
        let (Some(keys), Some(values)) =
            (entries.column(0).as_string_opt::<i32>(), entries.column(1).as_string_opt::<i32>())
        else {
            return Self::default();
        };
        let mut letters = letters.unwrap_or_default().chars();
        let entry = |at: usize| {
            let text = values.is_valid(at).then(|| values.value(at).to_owned());
            let letter = letters.next().unwrap_or(if text.is_some() { 's' } else { 'n' });
            (keys.value(at).to_owned(), AttributeValue { text, letter })
        };
        Self((from..to).map(entry).collect())
    }

    /// Of the JSON text of a resource or a scope. What it is is told by its JSON.
    pub(crate) fn of_json(json: &str) -> Self {
        let entry = |(key, text): (&str, Option<&str>)| {
            let letter = if text.is_some() { 's' } else { 'n' };
            (key.to_owned(), AttributeValue { text: text.map(str::to_owned), letter })
        };
        Self(Resource::parse(json).iter().map(entry).collect())
    }

    /// The text of the value of `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.text.as_deref())
    }
}

/// A JSON object; integers, finite numbers, booleans, arrays and maps are what they are.
impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(text) = &self.text else { return serializer.serialize_none() };
        let plain = matches!(self.letter.to_ascii_lowercase(), 'i' | 'd' | 'b' | 'a' | 'm');
        // JSON has no NaN: that stays text.
        match plain.then(|| RawValue::from_string(text.clone()).ok()).flatten() {
            Some(raw) if serializer.is_human_readable() => raw.serialize(serializer),
            Some(raw) => form::raw(raw.get(), serializer),
            None => serializer.serialize_str(text),
        }
    }
}
