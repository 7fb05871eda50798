//! `services`: rate, errors and durations of each.

use otlp_arrow_query::questions::{Service, ServicesQuestion};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::ServicesArgs;
use crate::io::{Io, Outcome};
use crate::text::{one_line, thousands, time};

pub(crate) fn run(args: &ServicesArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let filter = asker.filter(&args.asked.words)?;
    let answer = asker.ask(&ServicesQuestion { filter }, io)?;
    asker.write(&answer, &[], io, |answer, io| {
        let rows: Vec<_> = answer.services.iter().map(row).collect();
        let head = [
            ("service", Side::Left),
            ("requests", Side::Right),
            ("a second", Side::Right),
            ("errors", Side::Right),
            ("p50", Side::Right),
            ("p95", Side::Right),
            ("p99", Side::Right),
            ("spans", Side::Right),
            ("last seen", Side::Left),
        ];
        grid::write(head, &rows, io)
    })
}

fn row(service: &Service) -> [Cell; 9] {
    let name = if service.name.is_empty() { "-".to_owned() } else { one_line(&service.name).into_owned() };
    [
        Cell(name, Look::Bold),
        thousands(service.requests).into(),
        format!("{:.2}", service.rate).into(),
        grid::errors(service.errors, service.error_share),
        grid::took(service.p50),
        grid::took(service.p95),
        grid::took(service.p99),
        thousands(service.spans).into(),
        Cell(time(service.last_seen.cast_signed()), Look::Dim),
    ]
}
