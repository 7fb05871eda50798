//! What a question of this API is, and what those share.

use otlp_arrow::Result;
use otlp_arrow_query::filter::{Filter, Parameter, Parameters};
use otlp_arrow_query::{Answer, AskOptions, Searched, Telemetry};

use crate::words::Words;

/// A question that only this API has.
pub(crate) struct Own {
    pub(crate) name: &'static str,
    /// Whether it takes the words of a filter.
    pub(crate) filtered: bool,
    /// Those of them that it does not take.
    pub(crate) not: &'static [&'static str],
    /// Its own words.
    pub(crate) parameters: &'static [Parameter],
    pub(crate) ask: fn(&Telemetry, Words, &AskOptions) -> Result<Box<dyn Answer>>,
}

/// A filter of these words alone, which are all there are.
pub(super) fn filter(mut parameters: Parameters, telemetry: &Telemetry) -> Result<Filter> {
    let filter = Filter::read(&mut parameters, telemetry.now())?;
    parameters.finish()?;
    Ok(filter)
}

/// What was searched for all of several questions.
pub(super) fn together<'a>(all: impl IntoIterator<Item = &'a Searched>) -> Searched {
    let mut all = all.into_iter().cloned();
    let first = all.next().unwrap_or_default();
    all.fold(first, |mut searched, other| {
        // Only what was searched for each of them was searched for all.
        searched.from = searched.from.max(other.from);
        searched.to = searched.to.into_iter().chain(other.to).min();
        searched.rows += other.rows;
        searched.files += other.files;
        searched.complete &= other.complete;
        searched.why = searched.why.or(other.why);
        searched.skipped.extend(other.skipped);
        searched.hints.extend(other.hints);
        searched
    })
}
