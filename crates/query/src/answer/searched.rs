//! What was searched: every answer tells, so that nothing is left out silently.

use otlp_arrow_base::lock::lock;
use serde::Serialize;

use crate::filter::{self, Filter, Nanos};
use crate::record::as_optional_time;
use crate::scan::{Asking, Stop};

/// What was searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Searched {
    /// Everything at or after this time was searched; `None` is the beginning.
    #[serde(serialize_with = "as_optional_time")]
    pub from: Option<Nanos>,
    /// Everything before this time was searched; `None` is everything that is there.
    #[serde(serialize_with = "as_optional_time")]
    pub to: Option<Nanos>,
    /// Rows that were looked at or ruled out.
    pub rows: u64,
    /// Files they are in.
    pub files: u64,
    /// Whether that is all that was asked for.
    pub complete: bool,
    /// Why it is not, if the question ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Stop>,
    /// Files that could not be read to their end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// What may have been meant, where nothing was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// A file that could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

impl Searched {
    /// What was searched for a question with this filter.
    pub fn of(asking: &Asking<'_>, filter: &Filter) -> Self {
        let tally = &asking.tally;
        let skipped: Vec<Skipped> =
            lock(&tally.skipped).iter().map(|(file, why)| Skipped { file: file.clone(), why: why.clone() }).collect();
        let why = asking.stopped();
        let (rows, files) = tally.totals();
        let mut searched = Self {
            from: filter.from,
            to: filter.to,
            rows,
            files,
            complete: why.is_none() && skipped.is_empty(),
            why,
            skipped,
            hints: Vec::new(),
        };
        if let Some((from, to)) = *lock(&tally.unsearched) {
            // Rows between these times may be missing, so nothing between them was searched for certain.
            match filter.order {
                filter::Order::Newest => searched.from = searched.from.max(Some(to.saturating_add(1))),
                filter::Order::Oldest => searched.to = Some(searched.to.map_or(from, |known| known.min(from))),
            }
        }
        searched
    }

    /// The answer ends with a row of this time because it has as many rows as were wanted.
    pub(crate) fn ends_at(&mut self, order: filter::Order, time: Nanos) {
        match order {
            filter::Order::Newest => self.from = self.from.max(Some(time)),
            filter::Order::Oldest => self.to = Some(self.to.map_or(time, |known| known.min(time))),
        }
    }
}
