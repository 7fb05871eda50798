//! What the first pass finds out for the second one.

use crate::counts::Counts;
use crate::{Reason, Refusal, Refused};

/// The outcome of the first pass over one request.
///
/// It belongs to the exact bytes it was made from; a builder takes both together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Rows the request adds: spans, data points or log records, without the refused ones.
    pub rows: usize,
    /// Bytes of Arrow memory those rows will take, at most. Reserve this before a builder grows.
    pub arrow_bytes: usize,
    /// What was left out.
    pub refused: Refused,
    /// What else the sender should know: that the request holds something that is of another signal, or no field of OTLP
    /// at all.
    pub warning: Option<Box<str>>,
    /// What the second pass wants to know.
    pub(crate) plan: Plan,
}

/// Consecutive records that are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) first: usize,
    pub(crate) end: usize,
}

/// How the second pass is to read the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) counts: Counts,
    /// Records to leave out, by position in the request, ascending.
    pub(crate) skips: Vec<Skip>,
    /// Records with a key that occurs more than once in one attribute list, by position, ascending.
    pub(crate) repeats: Vec<usize>,
    /// The request with its repeated singular messages merged, to be read instead of the bytes given.
    pub(crate) merged: Option<Vec<u8>>,
}

impl Plan {
    /// Bytes of the lists themselves.
    pub(crate) fn bytes(&self) -> usize {
        (self.skips.len() * size_of::<Skip>() + self.repeats.len() * size_of::<usize>()) * 2
    }

    /// Leaves out `count` records from `first` on and counts them as refused.
    pub(crate) fn refuse(&mut self, refused: &mut Refused, refusal: Refusal, count: usize) {
        let end = refusal.index + count;
        match self.skips.last_mut() {
            Some(last) if last.end == refusal.index => last.end = end,
            _ => self.skips.push(Skip { first: refusal.index, end }),
        }
        refused.by_reason[refusal.reason as usize] += count as u64;
        refused.first.get_or_insert(refusal);
    }
}

/// Why a record cannot be kept: the field and the reason.
pub(crate) type Flaw = (&'static str, Reason);
