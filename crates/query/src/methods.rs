//! Every question as a method, by the names that TypeScript and Python have for it: words and values in, a typed answer out.

use std::any::Any;

use otlp_arrow_base::error::{Code, OtlpError, Result};

use crate::answer::Answer;
use crate::questions::{
    AttributeKeys, AttributeValues, Compare, Counts, Errors, Exceptions, Facets, Logs, Metrics, Overrepresented,
    Search, Series, ServiceMap, Services, Spans, Trace,
};
use crate::scan::AskOptions;
use crate::telemetry::Telemetry;

/// Words of a question with their values: [`PARAMETERS`](crate::filter::PARAMETERS), and the words of the
/// [kind](crate::questions::KINDS).
pub type Words<'a> = &'a [(&'a str, &'a str)];

/// ```
/// # let directory = tempfile::tempdir().unwrap();
/// let telemetry = otlp_arrow_query::Telemetry::open(directory.path());
/// let found = telemetry.search(&[("service", "checkout"), ("min_duration", "250ms"), ("from", "-1h")])?;
/// assert!(found.traces.is_empty() && found.searched.complete);
/// # Ok::<(), otlp_arrow_base::OtlpError>(())
/// ```
impl Telemetry {
    /// One trace, by its id or the first 4 digits and more.
    pub fn trace(&self, id: &str) -> Result<Trace> {
        self.typed("trace", &[("trace", id)], &[])
    }

    /// Traces in which some span matches.
    pub fn search(&self, words: Words<'_>) -> Result<Search> {
        self.typed("traces", &[], words)
    }

    /// Spans that match, one by one.
    pub fn search_spans(&self, words: Words<'_>) -> Result<Spans> {
        self.typed("spans", &[], words)
    }

    /// Log records that match, one by one.
    pub fn search_logs(&self, words: Words<'_>) -> Result<Logs> {
        self.typed("logs", &[], words)
    }

    /// How many records match, over time.
    pub fn counts(&self, words: Words<'_>) -> Result<Counts> {
        self.typed("counts", &[], words)
    }

    /// Services with rate, errors and duration.
    pub fn services(&self, words: Words<'_>) -> Result<Services> {
        self.typed("services", &[], words)
    }

    /// Which attributes there are.
    pub fn attributes(&self, words: Words<'_>) -> Result<AttributeKeys> {
        self.typed("attributes", &[], words)
    }

    /// The values of one attribute or column.
    pub fn attribute_values(&self, key: &str, words: Words<'_>) -> Result<AttributeValues> {
        self.typed("attribute_values", &[("key", key)], words)
    }

    /// The most frequent values of columns and attributes.
    pub fn facets(&self, words: Words<'_>) -> Result<Facets> {
        self.typed("facets", &[], words)
    }

    /// Which metrics there are.
    pub fn metrics(&self, words: Words<'_>) -> Result<Metrics> {
        self.typed("metrics", &[], words)
    }

    /// One metric, the word `metric`, over time.
    pub fn series(&self, words: Words<'_>) -> Result<Series> {
        self.typed("series", &[], words)
    }

    /// Exceptions in groups.
    pub fn errors(&self, words: Words<'_>) -> Result<Errors> {
        self.typed("errors", &[], words)
    }

    /// Exceptions one by one.
    pub fn exceptions(&self, words: Words<'_>) -> Result<Exceptions> {
        self.typed("exceptions", &[], words)
    }

    /// Which services call which.
    pub fn service_map(&self, words: Words<'_>) -> Result<ServiceMap> {
        self.typed("map", &[], words)
    }

    /// Two traces, runs or ranges beside each other.
    pub fn compare(&self, a: &str, b: &str, words: Words<'_>) -> Result<Compare> {
        self.typed("compare", &[("a", a), ("b", b)], words)
    }

    /// Values that are more frequent among the records that match than among others.
    pub fn overrepresented(&self, words: Words<'_>) -> Result<Overrepresented> {
        self.typed("overrepresented", &[], words)
    }

    fn typed<A: Answer>(&self, kind: &str, leads: Words<'_>, words: Words<'_>) -> Result<A> {
        let answer: Box<dyn Any> = self.ask_named(kind, leads.iter().chain(words).copied(), &AskOptions::default())?;
        let typed = answer.downcast::<A>().map(|answer| *answer);
        typed.map_err(|_| OtlpError::new(Code::Internal, format!("{kind} was answered with something else")))
    }
}
