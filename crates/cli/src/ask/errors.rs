//! `errors`: exceptions in groups, or one by one.

use otlp_arrow::Signal;
use otlp_arrow_query::questions::{ErrorGroup, ErrorsQuestion, Exception, ExceptionsQuestion};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::ErrorsArgs;
use crate::io::{Failure, Io, Outcome};
use crate::text::{one_line, thousands, time};

pub(crate) fn run(args: &ErrorsArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let filter = asker.filter(&args.asked.words)?;
    let wrong =
        |flag: &str, value: &str, problem: &str| Failure::Usage(format!("otlp-arrow: --{flag} {value:?} {problem}"));
    let signal = match args.signal.as_deref() {
        None => None,
        Some("traces") => Some(Signal::Traces),
        Some("logs") => Some(Signal::Logs),
        Some(other) => return Err(wrong("signal", other, "is not one of traces, logs")),
    };
    let group = args.group.as_deref().map(|group| match u64::from_str_radix(group, 16) {
        Ok(number) if group.len() == 16 => Ok(number),
        _ => Err(wrong("group", group, "is not a group: it has 16 hexadecimal digits, as `errors` shows it")),
    });
    let group = group.transpose()?;
    if args.each || group.is_some() {
        let answer = asker.ask(&ExceptionsQuestion { signal, group, filter }, io)?;
        return asker.write(&answer, &[], io, |answer, io| {
            let rows: Vec<_> = answer.exceptions.iter().map(one).collect();
            let head = [
                ("time", Side::Left),
                ("service", Side::Left),
                ("type", Side::Left),
                ("trace", Side::Left),
                ("message", Side::Left),
            ];
            grid::write(head, &rows, io)
        });
    }
    let answer = asker.ask(&ErrorsQuestion { signal, filter }, io)?;
    asker.write(&answer, &[], io, |answer, io| {
        let most = answer.groups.iter().map(|group| group.count).max().unwrap_or(1);
        let rows: Vec<_> = answer.groups.iter().map(|group| of_group(group, most)).collect();
        let head = [
            ("count", Side::Right),
            ("", Side::Left),
            ("type", Side::Left),
            ("services", Side::Left),
            ("last seen", Side::Left),
            ("group", Side::Left),
            ("message", Side::Left),
        ];
        grid::write(head, &rows, io)
    })
}

fn of_group(group: &ErrorGroup, most: u64) -> [Cell; 7] {
    let services: Vec<_> = group.services.iter().map(|(name, _)| one_line(name)).collect();
    let message = match &group.frame {
        Some(frame) => format!("{}  {}", one_line(&group.message), one_line(frame)),
        None => one_line(&group.message).into_owned(),
    };
    [
        thousands(group.count).into(),
        Cell(grid::bar(group.count as f64 / most.max(1) as f64, 8), Look::Red),
        Cell(named(&group.exception_type), Look::Bold),
        services.join(", ").into(),
        Cell(time(group.last_seen.cast_signed()), Look::Dim),
        Cell(group.group.clone(), Look::Dim),
        message.into(),
    ]
}

fn one(exception: &Exception) -> [Cell; 5] {
    [
        Cell(time(exception.time.cast_signed()), Look::Dim),
        Cell(named(&exception.service), Look::Cyan),
        Cell(named(&exception.exception_type), Look::Bold),
        Cell(exception.trace_id.clone().unwrap_or_else(|| "-".to_owned()), Look::Dim),
        one_line(&exception.message).into_owned().into(),
    ]
}

fn named(name: &str) -> String {
    if name.is_empty() { "-".to_owned() } else { one_line(name).into_owned() }
}
