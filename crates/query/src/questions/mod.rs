//! The questions, one file each, and the list of all of them.

mod attributes;
mod by;
mod collect;
mod compare;
mod counts;
mod durations;
mod errors;
mod facets;
mod hints;
mod logs;
mod map;
mod metrics;
mod overrepresented;
mod question;
mod search;
mod series;
mod services;
mod spans;
mod table;
mod trace;
mod tree;

pub use attributes::{
    AttributeKey, AttributeKeys, AttributeKeysQuestion, AttributeValueCount, AttributeValues, AttributeValuesQuestion,
};
pub use by::By;
pub use compare::{Change, Compare, CompareQuestion, ComparedSide, ErrorChange, Operation, OperationChange, Side};
pub use counts::{Bucket, Counts, CountsQuestion};
pub use durations::Durations;
pub use errors::{ErrorGroup, Errors, ErrorsQuestion, Exception, Exceptions, ExceptionsQuestion, TrendBucket};
pub use facets::{Facet, Facets, FacetsQuestion};
pub use logs::{Logs, LogsQuestion};
pub use map::{Edge, EdgeKind, MapNode, MapQuestion, NodeKind, ServiceMap};
pub use metrics::{Metric, Metrics, MetricsQuestion};
pub use overrepresented::{Overrepresented, OverrepresentedQuestion, OverrepresentedValue};
pub use question::{AnyQuestion, Kind, Question};
pub use search::{Search, SearchQuestion, TraceSummary};
pub use series::{Aggregation, Exemplar, Line, Series, SeriesQuestion, Show, Value};
pub use services::{Red, Requests, Service, Services, ServicesQuestion};
pub use spans::{Spans, SpansQuestion};
pub use trace::{Trace, TraceQuestion};
pub use tree::{Node, Tree};

use otlp_arrow_base::error::{Code, OtlpError, Result};

use crate::filter::nearest;

/// Every kind of question, in the order of the documentation.
pub const KINDS: &[Kind] = &[
    trace::KIND,
    search::KIND,
    spans::KIND,
    logs::KIND,
    counts::KIND,
    services::KIND,
    attributes::KEYS_KIND,
    attributes::VALUES_KIND,
    facets::KIND,
    metrics::KIND,
    series::KIND,
    errors::KIND,
    errors::ROWS_KIND,
    map::KIND,
    compare::KIND,
    overrepresented::KIND,
];

impl Kind {
    /// The kind that is called so; INVALID_CONFIG names the nearest one.
    pub fn named(name: &str) -> Result<&'static Kind> {
        KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
            let hint = match nearest(name, KINDS.iter().map(|kind| kind.name)) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("there are {}", KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")),
            };
            OtlpError::new(Code::InvalidConfig, format!("{name:?} is not a question: {hint}"))
        })
    }
}
