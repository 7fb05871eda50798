//! `map`: which services call which.

use otlp_arrow_query::questions::{Edge, EdgeKind, MapQuestion, NodeKind};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::MapArgs;
use crate::io::{Io, Outcome};
use crate::text::{one_line, thousands};

/// Characters of the longest bar.
const BAR: usize = 16;

pub(crate) fn run(args: &MapArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let filter = asker.filter(&args.asked.words)?;
    let answer = asker.ask(&MapQuestion { filter }, io)?;
    asker.write(&answer, &[], io, |answer, io| {
        let most = answer.edges.iter().map(|edge| edge.requests).max().unwrap_or(1).max(1);
        let rows: Vec<_> = answer.edges.iter().map(|edge| row(edge, most)).collect();
        let head = [
            ("from", Side::Left),
            ("", Side::Left),
            ("to", Side::Left),
            ("requests", Side::Right),
            ("a second", Side::Right),
            ("errors", Side::Right),
            ("p50", Side::Right),
            ("p95", Side::Right),
            ("p99", Side::Right),
            ("", Side::Left),
        ];
        grid::write(head, &rows, io)
    })
}

fn row(edge: &Edge, most: u64) -> [Cell; 10] {
    let named = |name: &str| if name.is_empty() { "-".to_owned() } else { one_line(name).into_owned() };
    let to = match edge.to_kind {
        NodeKind::Service => Cell(named(&edge.to), Look::Bold),
        kind => Cell(format!("{} ({})", named(&edge.to), kind.as_str()), Look::Yellow),
    };
    let arrow = if edge.kind == EdgeKind::Link { "⇢" } else { "→" };
    [
        Cell(named(&edge.from), Look::Bold),
        Cell(arrow.to_owned(), Look::Dim),
        to,
        thousands(edge.requests).into(),
        format!("{:.2}", edge.rate).into(),
        grid::errors(edge.errors, edge.error_share),
        grid::took(edge.p50),
        grid::took(edge.p95),
        grid::took(edge.p99),
        Cell(grid::bar(edge.requests as f64 / most as f64, BAR), Look::Cyan),
    ]
}
