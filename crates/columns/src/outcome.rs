//! What became of a request: what fits, what was refused and why, or why nothing could be read.

use std::fmt;

use crate::Signal;

/// Bounds that hold while a request is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and maps may nest within one attribute value or log body, in levels.
    pub nesting: usize,
    /// The most memory one request may take as columns, in bytes. More is [`DecodeError::TooLarge`].
    pub max_request_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nesting: 64, max_request_memory: 256 << 20 }
    }
}

/// Why a record was left out. One counter a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A trace or span id that is neither absent nor of the right length.
    InvalidId,
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// Arrays or maps nested deeper than [`Limits::nesting`].
    TooDeep,
    /// A value that cannot be what its field says, such as an integer out of range in OTLP/JSON.
    InvalidValue,
}

impl Reason {
    /// Every reason, in counter order.
    pub const ALL: [Reason; 4] = [Reason::InvalidId, Reason::InvalidUtf8, Reason::TooDeep, Reason::InvalidValue];

    /// The label of the counter: `invalid_id`, `invalid_utf8`, `too_deep` or `invalid_value`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidId => "invalid_id",
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::TooDeep => "too_deep",
            Reason::InvalidValue => "invalid_value",
        }
    }
}

/// The first record that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Position among all records of the request, from 0.
    pub index: usize,
    /// The OTLP field, such as `trace_id`, `attributes.value` or `links.span_id`.
    pub field: &'static str,
    /// Why.
    pub reason: Reason,
}

/// The records of one request that were left out. Equal is what left out the same for the same reasons, in whatever words.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// Records left out, by [`Reason::ALL`] position.
    pub by_reason: [u64; Reason::ALL.len()],
    /// The first of them.
    pub first: Option<Refusal>,
    /// Where its value stands in a request of OTLP/JSON, the value, and what it is not:
    /// `resourceSpans[0].scopeSpans[0].spans[3].startTimeUnixNano = "abc": not an unsigned integer of 64 bits`. Where no
    /// record was left out, the warning of [`crate::Checked`].
    pub detail: Option<Box<str>>,
}

impl PartialEq for Refused {
    fn eq(&self, other: &Self) -> bool {
        self.by_reason == other.by_reason && self.first == other.first
    }
}

impl Eq for Refused {}

impl Refused {
    /// All records left out.
    pub fn total(&self) -> u64 {
        self.by_reason.iter().sum()
    }

    /// Counts one record as left out.
    pub fn add(&mut self, refusal: Refusal) {
        self.by_reason[refusal.reason as usize] += 1;
        self.first.get_or_insert(refusal);
    }
}

/// The text of OTLP's `partial_success.error_message`; empty when there is nothing to say.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = &self.first else { return f.write_str(self.detail.as_deref().unwrap_or_default()) };
        write!(
            f,
            "{} record(s) refused; first: record {}, field {}, {}",
            self.total(),
            first.index,
            first.field,
            first.reason.as_str()
        )?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

/// The remark on a request that holds `member`, which is part of one of `other`.
pub(crate) fn of_another_signal(member: &str, signal: Signal, other: Signal) -> String {
    format!("{member} is not kept: this was sent as {signal}, and is part of a request of {other}: send it as that")
}

/// The remark on a request without records, in which there is something else.
pub(crate) fn holds_nothing(signal: Signal, what: &str) -> String {
    format!("nothing is kept of this request: it holds no {signal}, and {what}")
}

/// A request of which nothing can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not the message they should be.
    Malformed {
        /// Where reading stopped, in bytes from the start.
        offset: usize,
        /// What was wrong there.
        message: String,
    },
    /// The request would take more memory as columns than one request may.
    TooLarge {
        /// Bytes it needs, as far as was counted.
        needed: usize,
        /// Bytes it may have.
        limit: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Malformed { offset, message } => write!(f, "malformed OTLP at byte {offset}: {message}"),
            DecodeError::TooLarge { needed, limit } => write!(
                f,
                "the request needs at least {needed} bytes as columns and may have {limit}: send smaller batches or raise limits.max_request_memory"
            ),
        }
    }
}

impl std::error::Error for DecodeError {}
