//! `traces`: one line a trace.

use otlp_arrow_query::questions::{SearchQuestion, TraceSummary};

use super::asker::{Asker, more};
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::TracesArgs;
use crate::io::{Failure, Io, Outcome};
use crate::text::{duration, one_line, thousands, time};

/// Characters of a bar.
const BAR: usize = 12;

pub(crate) fn run(args: &TracesArgs, io: &mut Io<'_>) -> Outcome {
    if args.asked.output.otlp {
        let text = "otlp-arrow: --otlp is for spans: write `spans` with the same flags, or `trace ID`";
        return Err(Failure::Usage(text.to_owned()));
    }
    let asker = Asker::new(&args.asked.output, io)?;
    let filter = asker.filter(&args.asked.words)?;
    let answer = asker.ask(&SearchQuestion { filter }, io)?;
    asker.write(&answer, &[], io, |answer, io| {
        let longest = answer.traces.iter().map(|trace| trace.duration).max().unwrap_or(1).max(1);
        let rows: Vec<_> = answer.traces.iter().map(|trace| row(trace, longest)).collect();
        let head = [
            ("start", Side::Left),
            ("trace", Side::Left),
            ("duration", Side::Right),
            ("", Side::Left),
            ("spans", Side::Right),
            ("errors", Side::Right),
            ("root", Side::Left),
        ];
        grid::write(head, &rows, io)?;
        more(answer.cursor, io);
        Ok(())
    })
}

fn row(trace: &TraceSummary, longest: u64) -> [Cell; 7] {
    let service = if trace.root_service.is_empty() { "-" } else { &trace.root_service };
    let others = match trace.services.len().saturating_sub(1) {
        0 => String::new(),
        others => format!("  +{others}"),
    };
    let look = if trace.errors > 0 { Look::Red } else { Look::Cyan };
    [
        Cell(time(trace.start_time.cast_signed()), Look::Dim),
        trace.trace_id.as_str().into(),
        duration(i64::try_from(trace.duration).unwrap_or(i64::MAX)).into(),
        Cell(grid::bar(trace.duration as f64 / longest as f64, BAR), look),
        thousands(trace.spans).into(),
        Cell(thousands(trace.errors), if trace.errors > 0 { Look::Red } else { Look::Dim }),
        format!("{}  {}{others}", one_line(service), one_line(&trace.root_name)).into(),
    ]
}
