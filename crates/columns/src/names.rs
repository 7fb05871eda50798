//! Enumerations by name. A number that has none is its decimal text.

use crate::parse::integer;

pub(crate) const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
pub(crate) const STATUS_CODES: [&str; 3] = ["unset", "ok", "error"];
pub(crate) const METRIC_TYPES: [&str; 5] = ["gauge", "sum", "histogram", "exponential_histogram", "summary"];
pub(crate) const TEMPORALITIES: [&str; 3] = ["unspecified", "delta", "cumulative"];

/// The number of a name, or of a text that is a number.
pub(crate) fn number(names: &[&str], text: &[u8]) -> Option<i32> {
    let known = names.iter().position(|name| name.as_bytes() == text);
    known.map(|at| at as i32).or_else(|| integer(text).ok()?.try_into().ok())
}
