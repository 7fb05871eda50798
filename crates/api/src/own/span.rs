//! All of one span, and its log records.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_query::filter::{Filter, IdPrefix, Parameter, Parameters};
use otlp_arrow_query::questions::{Logs, LogsQuestion, Spans, SpansQuestion};
use otlp_arrow_query::record::{Form, LogRecord, Span};
use otlp_arrow_query::scan::Stop;
use otlp_arrow_query::{Answer, AskOptions, Searched, Telemetry};
use serde::Serialize;

use super::question::{Own, together};
use crate::words::Words;

pub(super) const SPAN: Own = Own {
    name: "span",
    filtered: false,
    not: &[],
    parameters: &[
        Parameter {
            name: "trace",
            repeated: false,
            form: "32 hexadecimal digits, or the first 4 and more",
            text: "the trace",
        },
        Parameter {
            name: "span",
            repeated: false,
            form: "16 hexadecimal digits, or the first 4 and more",
            text: "the span",
        },
    ],
    ask: |telemetry, words, options| Ok(Box::new(ask(telemetry, words, options)?)),
};

/// Log records of a span, at most.
const MOST_LOGS: usize = 1_000;

struct OneSpan {
    spans: Spans,
    logs: Logs,
    searched: Searched,
}

fn ask(telemetry: &Telemetry, words: Words, options: &AskOptions) -> Result<OneSpan> {
    let mut parameters = Parameters::new(words);
    let trace = parameters.read("trace", |text| IdPrefix::parse(text, 16))?;
    let span = parameters.read("span", |text| IdPrefix::parse(text, 8))?;
    parameters.finish()?;
    let filter = Filter { trace, span, ..Filter::default() };
    // The latest of those that came twice.
    let spans = telemetry.ask_with(&SpansQuestion { filter: filter.clone() }, options)?;
    let mut ids: Vec<(String, String)> = spans.iter().map(|span| (span.trace_id, span.span_id)).collect();
    ids.dedup();
    if let [first, second, ..] = ids.as_slice() {
        let text = format!("several spans begin so: {} and {} among them: write more digits", first.1, second.1);
        return Err(OtlpError::new(Code::InvalidConfig, text));
    }
    let logs = LogsQuestion { filter: Filter { limit: Some(MOST_LOGS), ..filter } };
    let logs = telemetry.ask_with(&logs, options)?;
    // That there are earlier copies of the span does not make it incomplete.
    let mut of_span = spans.searched.clone();
    if of_span.why == Some(Stop::Limit) {
        (of_span.complete, of_span.why, of_span.from) = (of_span.skipped.is_empty(), None, None);
    }
    let searched = together([&of_span, &logs.searched]);
    Ok(OneSpan { spans, logs, searched })
}

impl Answer for OneSpan {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.spans.rows().min(1)
    }

    fn table(&self) -> Result<RecordBatch> {
        Ok(self.spans.batch.slice(0, self.rows()))
    }

    fn records(&self) -> Vec<(Signal, RecordBatch)> {
        vec![(Signal::Traces, self.spans.batch.slice(0, self.rows())), (Signal::Logs, self.logs.batch.clone())]
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            span: Option<Span>,
            logs: Vec<LogRecord>,
            searched: &'a Searched,
        }
        let (span, logs) = (self.spans.iter().next(), self.logs.iter().collect());
        form.write(&Shown { span, logs, searched: &self.searched }, out)
    }
}
