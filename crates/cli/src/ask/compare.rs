//! `compare`: two traces, runs or ranges beside each other.

use otlp_arrow_query::questions::{
    Change, Compare, CompareQuestion, ComparedSide, ErrorChange, OperationChange, Side as Compared,
};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::CompareArgs;
use crate::io::{Io, Outcome};
use crate::text::{duration, one_line, plural, thousands};

/// Characters of the longest bar.
const BAR: usize = 12;

pub(crate) fn run(args: &CompareArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let side = |name: &'static str, text: &str| asker.parse(|now| Compared::parse(name, text, now));
    let question =
        CompareQuestion { a: side("a", &args.a)?, b: side("b", &args.b)?, filter: asker.filter(&args.asked.words)? };
    let answer = asker.ask(&question, io)?;
    for hint in answer.searched.hints.iter().filter(|_| !answer.operations.is_empty()) {
        io.note(format_args!("otlp-arrow: {}", one_line(hint)));
    }
    asker.write(&answer, &[], io, people)
}

fn people(answer: &Compare, io: &mut Io<'_>) -> Outcome {
    for (name, side) in [("a", &answer.a), ("b", &answer.b)] {
        writeln!(io.out, "{}  {}", Look::Bold.paint(name, io.terminal.colours), summary(side))?;
    }
    let most = answer.operations.iter().map(|change| change.impact.abs()).fold(0.0, f64::max).max(1.0);
    let rows: Vec<_> = answer.operations.iter().map(|change| row(change, most)).collect();
    let head = [
        ("", Side::Left),
        ("service", Side::Left),
        ("name", Side::Left),
        ("spans", Side::Right),
        ("errors", Side::Right),
        ("p50", Side::Right),
        ("p95", Side::Right),
        ("a request", Side::Right),
        ("", Side::Left),
    ];
    grid::write(head, &rows, io)?;
    for error in &answer.errors {
        writeln!(io.out, "{}", of_error(error, io.terminal.colours))?;
    }
    Ok(())
}

fn summary(side: &ComparedSide) -> String {
    let errors = plural(side.errors, "error");
    format!("{}  {}, {}, {errors}", one_line(&side.is), plural(side.requests, "request"), plural(side.spans, "span"))
}

/// `20ms → 50ms`, or once where both are the same.
fn both(a: Option<String>, b: Option<String>) -> String {
    match (a, b) {
        (Some(a), Some(b)) if a == b => a,
        (a, b) => format!("{} → {}", a.as_deref().unwrap_or("-"), b.as_deref().unwrap_or("-")),
    }
}

fn row(change: &OperationChange, most: f64) -> [Cell; 9] {
    let look = match change.change {
        Change::New | Change::Gone => Look::Yellow,
        Change::Failing | Change::Slower => Look::Red,
        Change::Recovered | Change::Faster => Look::Cyan,
        Change::Same => Look::Dim,
    };
    let (a, b) = (change.a.as_ref(), change.b.as_ref());
    let impact = change.impact.round() as i64;
    let sign = if impact > 0 { "+" } else { "" };
    [
        Cell(change.change.as_str().to_owned(), look),
        Cell(one_line(&change.service).into_owned(), Look::Cyan),
        Cell(one_line(&change.name).into_owned(), Look::Bold),
        both(a.map(|side| thousands(side.count)), b.map(|side| thousands(side.count))).into(),
        both(a.map(|side| thousands(side.errors)), b.map(|side| thousands(side.errors))).into(),
        both(a.map(|side| duration(side.p50)), b.map(|side| duration(side.p50))).into(),
        both(a.map(|side| duration(side.p95)), b.map(|side| duration(side.p95))).into(),
        format!("{sign}{}", duration(impact)).into(),
        Cell(grid::bar(change.impact.abs() / most, BAR), look),
    ]
}

fn of_error(error: &ErrorChange, colours: bool) -> String {
    let what = match (error.a, error.b) {
        (0, _) => Look::Red.paint("new error", colours),
        (_, 0) => Look::Cyan.paint("error gone", colours),
        _ => "error".to_owned(),
    };
    let kind = Look::Bold.paint(&one_line(&error.exception_type), colours);
    format!("{what}  {} → {}  {kind}: {}", thousands(error.a), thousands(error.b), one_line(&error.message))
}
