//! Single values: their text, and what is said of wrong ones.

use super::hint;
use super::raw::Raw;
use crate::key::{Key, Kind};

/// What secrets are shown as.
pub(crate) const HIDDEN: &str = "***";

pub(super) fn within<T: PartialOrd>(value: T, from: T, to: T, key: &Key) -> Result<T, String> {
    if value >= from && value <= to { Ok(value) } else { Err(format!("is out of range: use {}", key.kind.allowed())) }
}

pub(super) fn not_one_of(given: &str, key: &Key) -> String {
    let words = match &key.kind {
        Kind::Choice(words) => &**words,
        _ => &[],
    };
    match hint::nearest(given, words.iter().map(|(word, _)| *word)) {
        Some(near) => format!("{}: did you mean {near}?", refused(key)),
        None => refused(key),
    }
}

pub(super) fn refused(key: &Key) -> String {
    format!("is not allowed: use {}", key.kind.allowed())
}

/// The text of a scalar that stands where one word is wanted.
pub(super) fn word(raw: &Raw, key: &Key) -> Result<String, String> {
    match raw {
        Raw::Text(text) | Raw::Number(text) => Ok(text.clone()),
        _ => Err(refused(key)),
    }
}

pub(super) fn filled(raw: &Raw, key: &Key) -> Result<String, String> {
    let text = word(raw, key)?;
    if text.is_empty() { Err(refused(key)) } else { Ok(text) }
}

pub(super) fn scalar(raw: &Raw) -> Option<String> {
    match raw {
        Raw::Text(text) | Raw::Number(text) => Some(text.clone()),
        Raw::Flag(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A value as an error quotes it; never a secret.
pub(super) fn quote(raw: &Raw, kind: &Kind) -> String {
    match raw {
        _ if kind.is_secret() => HIDDEN.to_owned(),
        Raw::Text(text) if matches!(kind, Kind::Url) && text.contains('@') => HIDDEN.to_owned(),
        Raw::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Raw::Number(text) => text.clone(),
        Raw::Flag(flag) => flag.to_string(),
        Raw::Null => "null".to_owned(),
        Raw::List(_) => "a list".to_owned(),
        Raw::Map(_) => "a map".to_owned(),
    }
}
