//! The values of the keys that a kind of destination has of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::secret::Secret;

/// Values by the name of their key; a key without value and default has none. What is asked for in another type than its
/// key has is `None`.
#[derive(Clone, Debug, Default)]
pub struct Options(BTreeMap<String, OptionValue>);

/// One value, of the type its key takes.
#[derive(Clone, Debug)]
pub enum OptionValue {
    /// Of a flag.
    Flag(bool),
    /// Of a count, or a size in bytes.
    Count(u64),
    /// Of a number.
    Number(f64),
    /// Of a duration.
    Duration(Duration),
    /// Of a text, name, URL, address or choice.
    Text(String),
    /// Of a path.
    Path(PathBuf),
    /// Of a secret.
    Secret(Secret),
    /// Of a command, or signals.
    List(Vec<String>),
    /// Of names with values.
    Pairs(Vec<(String, String)>),
    /// Of names with secret values.
    SecretPairs(Vec<(String, Secret)>),
}

impl Options {
    /// Sets one; what is parsed is set already.
    pub fn set(&mut self, key: impl Into<String>, value: OptionValue) {
        self.0.insert(key.into(), value);
    }

    /// A value of any type.
    pub fn get(&self, key: &str) -> Option<&OptionValue> {
        self.0.get(key)
    }

    /// A flag; false where it has no value.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(OptionValue::Flag(true)))
    }

    /// A count, or a size in bytes.
    pub fn count(&self, key: &str) -> Option<u64> {
        if let Some(OptionValue::Count(count)) = self.get(key) { Some(*count) } else { None }
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<f64> {
        if let Some(OptionValue::Number(number)) = self.get(key) { Some(*number) } else { None }
    }

    /// A time.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        if let Some(OptionValue::Duration(duration)) = self.get(key) { Some(*duration) } else { None }
    }

    /// Text, or one of the words of a choice.
    pub fn text(&self, key: &str) -> Option<&str> {
        if let Some(OptionValue::Text(text)) = self.get(key) { Some(text) } else { None }
    }

    /// A path.
    pub fn path(&self, key: &str) -> Option<&Path> {
        if let Some(OptionValue::Path(path)) = self.get(key) { Some(path) } else { None }
    }

    /// A secret.
    pub fn secret(&self, key: &str) -> Option<&Secret> {
        if let Some(OptionValue::Secret(secret)) = self.get(key) { Some(secret) } else { None }
    }
}
