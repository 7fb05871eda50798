//! What the commands that ask take.

use clap::Args;

use super::words::Words;
use super::{SignalName, Source};

/// What every command that asks takes.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where it is asked, and how the answer is written.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// One JSON object
    #[arg(long, conflicts_with_all = ["arrow", "otlp"], help_heading = "Output")]
    pub(crate) json: bool,
    /// A table as an Arrow IPC stream, to a file or a pipe
    #[arg(long, conflicts_with = "otlp", help_heading = "Output")]
    pub(crate) arrow: bool,
    /// The records as OTLP/JSON, for traces, spans and log records
    #[arg(long, help_heading = "Output")]
    pub(crate) otlp: bool,
    /// The longest it may take, such as 5m [default: query.timeout]
    #[arg(long, value_name = "DURATION", help_heading = "Output")]
    pub(crate) timeout: Option<String>,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Args)]
pub(crate) struct ServicesArgs {
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct TracesArgs {
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct SpansArgs {
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Text that must occur in the body, as --text
    #[arg(value_name = "TEXT")]
    pub(crate) body: Vec<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct CountsArgs {
    /// Which records are counted [default: traces]
    #[arg(long, value_enum)]
    pub(crate) signal: Option<SignalName>,
    /// Length of a bucket, such as 1m [default: so that there are at most 60]
    #[arg(long, value_name = "DURATION")]
    pub(crate) step: Option<String>,
    /// Counts the most frequent values apart: service, name, kind, status, severity, attr:KEY, resource:KEY
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct AttributesArgs {
    /// The attribute whose values are shown; resource:KEY for one of the resource
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Of which records [default: traces]
    #[arg(long, value_enum)]
    pub(crate) signal: Option<SignalName>,
    /// Only values that begin so
    #[arg(long, value_name = "TEXT", requires = "key", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The trace id in hexadecimal, or its beginning
    pub(crate) id: String,
    /// Show its log records, too
    #[arg(long)]
    pub(crate) logs: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// The metric that is shown over time
    #[arg(value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// What is shown: rate, increase, value, quantile, buckets, mean, sum [default: what suits the metric]
    #[arg(long, value_name = "WHAT", requires = "metric")]
    pub(crate) show: Option<String>,
    /// Length of a step, such as 1m [default: one that a person can read]
    #[arg(long, value_name = "DURATION", requires = "metric")]
    pub(crate) step: Option<String>,
    /// What series of one line are alike in: service, attr:KEY, resource:KEY; name for all together
    #[arg(long, value_name = "WHAT", requires = "metric")]
    pub(crate) by: Vec<String>,
    /// How several series become one line: sum, avg, min, max, count
    #[arg(long, value_name = "HOW", requires = "metric")]
    pub(crate) agg: Option<String>,
    /// Which share of all values, from 0 to 1 [default: 0.5, 0.95 and 0.99]
    #[arg(long, value_name = "SHARE", requires = "metric")]
    pub(crate) quantile: Vec<String>,
    /// So many lines, those with the greatest values [default: 20]
    #[arg(long, value_name = "N", requires = "metric")]
    pub(crate) top: Option<String>,
    /// So many single values of each line [default: 10]
    #[arg(long, value_name = "N", requires = "metric")]
    pub(crate) exemplars: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// What was before: a trace id, a range such as -2h..-1h, or words of the filter such as 'resource=ci.run.id=17'
    #[arg(allow_hyphen_values = true)]
    pub(crate) a: String,
    /// What is compared with it
    #[arg(allow_hyphen_values = true)]
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct OverrepresentedArgs {
    /// Which records [default: traces]
    #[arg(long, value_enum)]
    pub(crate) signal: Option<SignalName>,
    /// What they are compared with: a range such as -2h..-1h, or words of the filter such as 'service=shop' [default: the other
    /// records of the same time and services]
    #[arg(long, value_name = "WHAT", allow_hyphen_values = true)]
    pub(crate) against: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct ErrorsArgs {
    /// One by one instead of in groups
    #[arg(long)]
    pub(crate) each: bool,
    /// Only those of this group, one by one
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// Whose: traces or logs [default: both]
    #[arg(long, value_name = "SIGNAL")]
    pub(crate) signal: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}
