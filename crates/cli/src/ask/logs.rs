//! `logs`: one line a log record.

use otlp_arrow::Signal;
use otlp_arrow_query::questions::LogsQuestion;
use otlp_arrow_query::record::LogRecord;

use super::asker::{Asker, more};
use super::grid::Look;
use crate::args::ask::LogsArgs;
use crate::io::{Io, Outcome};
use crate::record::attributes;
use crate::text::{one_line, time};

pub(crate) fn run(args: &LogsArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let words = args.body.iter().fold(args.asked.words.clone(), |words, text| words.with("text", text.clone()));
    let answer = asker.ask(&LogsQuestion { filter: asker.filter(&words)? }, io)?;
    asker.write(&answer, &[(Signal::Logs, &answer.batch)], io, |answer, io| {
        for record in answer.iter() {
            let line = line(&record, io.terminal.colours);
            writeln!(io.out, "{line}")?;
        }
        more(answer.cursor, io);
        Ok(())
    })
}

pub(super) fn line(record: &LogRecord, colours: bool) -> String {
    let look = match record.severity_number {
        17.. => Look::Red,
        13..=16 => Look::Yellow,
        9..=12 => Look::Plain,
        _ => Look::Dim,
    };
    let level = match (&record.severity_text, record.severity_number) {
        (Some(text), _) => one_line(text).into_owned(),
        (None, 0) => "-".to_owned(),
        (None, number) => number.to_string(),
    };
    let service = if record.service.is_empty() { "-" } else { &record.service };
    let event = record.event_name.as_deref().map(|name| format!("  {}", one_line(name))).unwrap_or_default();
    let body = record.body.as_deref().map(|body| format!("  {}", one_line(body))).unwrap_or_default();
    let pairs = record.attributes.0.iter().map(|(key, value)| (key.clone(), value.text.clone())).collect();
    let trace = record.trace_id.as_deref().map(|id| format!("  trace={id}")).unwrap_or_default();
    format!(
        "{}  {}  {}{event}{body}{}{}",
        Look::Dim.paint(&time(record.when().cast_signed()), colours),
        Look::Bold.paint(&one_line(service), colours),
        look.paint(&level, colours),
        attributes(pairs),
        Look::Dim.paint(&trace, colours),
    )
}
