//! `spans`: one line a span.

use otlp_arrow::Signal;
use otlp_arrow_query::questions::SpansQuestion;
use otlp_arrow_query::record::Span;

use super::asker::{Asker, more};
use super::grid::Look;
use crate::args::ask::SpansArgs;
use crate::io::{Io, Outcome};
use crate::record::attributes;
use crate::text::{duration, one_line, time};

pub(crate) fn run(args: &SpansArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let filter = asker.filter(&args.asked.words)?;
    let answer = asker.ask(&SpansQuestion { filter }, io)?;
    asker.write(&answer, &[(Signal::Traces, &answer.batch)], io, |answer, io| {
        for span in answer.iter() {
            let line = line(&span, io.terminal.colours);
            writeln!(io.out, "{line}")?;
        }
        more(answer.cursor, io);
        Ok(())
    })
}

fn line(span: &Span, colours: bool) -> String {
    let service = if span.service.is_empty() { "-" } else { &span.service };
    let error = match (span.is_error(), span.status_message.as_deref()) {
        (true, Some(message)) => format!("  error: {}", one_line(message)),
        (true, None) => "  error".to_owned(),
        (false, _) => String::new(),
    };
    let pairs = span.attributes.0.iter().map(|(key, value)| (key.clone(), value.text.clone())).collect();
    format!(
        "{}  {}  {}  {}{}{}{}",
        Look::Dim.paint(&time(span.start_time.cast_signed()), colours),
        Look::Bold.paint(&one_line(service), colours),
        one_line(&span.name),
        duration(span.duration),
        Look::Red.paint(&error, colours),
        attributes(pairs),
        Look::Dim.paint(&format!("  trace={}", span.trace_id), colours),
    )
}
