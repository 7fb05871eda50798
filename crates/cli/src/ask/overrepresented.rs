//! `overrepresented`: what the records that match have in common.

use otlp_arrow::Signal;
use otlp_arrow_query::questions::{Overrepresented, OverrepresentedQuestion, OverrepresentedValue, Side as Compared};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::OverrepresentedArgs;
use crate::io::{Failure, Io, Outcome};
use crate::text::{one_line, plural, thousands};

/// Characters of the longest bar.
const BAR: usize = 20;

pub(crate) fn run(args: &OverrepresentedArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let against = args.against.as_deref().map(|text| asker.parse(|now| Compared::parse("against", text, now)));
    let against = against.transpose()?;
    if let Some(Compared::Trace(id)) = &against {
        let text = format!("otlp-arrow: --against {id} is a trace: write a range or words of the filter");
        return Err(Failure::Usage(text));
    }
    let question = OverrepresentedQuestion {
        signal: args.signal.map_or(Signal::Traces, Signal::from),
        against,
        filter: asker.filter(&args.asked.words)?,
    };
    let answer = asker.ask(&question, io)?;
    asker.write(&answer, &[], io, people)
}

fn people(answer: &Overrepresented, io: &mut Io<'_>) -> Outcome {
    let (selected, others) = (plural(answer.selected, "record"), plural(answer.others, "other"));
    writeln!(io.out, "{selected} beside {others}")?;
    let rows: Vec<_> = answer.values.iter().map(row).collect();
    let head = [
        ("what", Side::Left),
        ("value", Side::Left),
        ("count", Side::Right),
        ("share", Side::Right),
        ("of others", Side::Right),
        ("", Side::Left),
    ];
    grid::write(head, &rows, io)
}

fn row(value: &OverrepresentedValue) -> [Cell; 6] {
    let share = |share: f64| format!("{:.0}%", share * 100.0);
    [
        Cell(one_line(&value.by).into_owned(), Look::Cyan),
        Cell(one_line(&value.value).into_owned(), Look::Bold),
        thousands(value.count).into(),
        share(value.share).into(),
        share(value.others_share).into(),
        Cell(grid::bar(value.share - value.others_share, BAR), Look::Red),
    ]
}
