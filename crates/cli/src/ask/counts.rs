//! `counts`: how many records over time.

use std::collections::BTreeMap;

use otlp_arrow::Signal;
use otlp_arrow_query::filter::parse_duration;
use otlp_arrow_query::questions::{Bucket, By, Counts, CountsQuestion};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::CountsArgs;
use crate::io::{Failure, Io, Outcome};
use crate::text::{one_line, thousands, time};

/// Characters of the longest bar.
const BAR: usize = 40;

pub(crate) fn run(args: &CountsArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let wrong = |flag: &str, value: &str| {
        let start = format!("otlp-arrow: --{flag} {value:?} ");
        move |problem: String| Failure::Usage(start + &problem)
    };
    let step = args.step.as_deref().map(|step| {
        let nanos = parse_duration(step).and_then(|nanos| match nanos {
            0 => Err("is not a length of time".to_owned()),
            nanos => Ok(nanos),
        });
        nanos.map_err(wrong("step", step))
    });
    let by = args.by.as_deref().map(|by| By::parse(by).map_err(wrong("by", by)));
    let question = CountsQuestion {
        signal: args.signal.map_or(Signal::Traces, Signal::from),
        step: step.transpose()?,
        by: by.transpose()?,
        filter: asker.filter(&args.asked.words)?,
    };
    let answer = asker.ask(&question, io)?;
    asker.write(&answer, &[], io, |answer, io| match question.by {
        None => bars(answer, io),
        Some(_) => groups(answer, io),
    })
}

fn bars(answer: &Counts, io: &mut Io<'_>) -> Outcome {
    let most = answer.buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1).max(1);
    let row = |bucket: &Bucket| {
        let bar = grid::bar(bucket.count as f64 / most as f64, BAR);
        [Cell(begins(bucket), Look::Dim), thousands(bucket.count).into(), Cell(bar, Look::Cyan)]
    };
    let rows: Vec<_> = answer.buckets.iter().map(row).collect();
    grid::write([("time", Side::Left), ("count", Side::Right), ("", Side::Left)], &rows, io)
}

/// One line a group: its count, and how it goes over time.
fn groups(answer: &Counts, io: &mut Io<'_>) -> Outcome {
    let times: Vec<u64> = answer.buckets.iter().map(|bucket| bucket.time).collect();
    let (first, last) = (times.iter().min().copied().unwrap_or(0), times.iter().max().copied().unwrap_or(0));
    let steps = usize::try_from((last - first) / answer.step.max(1)).unwrap_or(0).min(119) + 1;
    let mut groups: BTreeMap<(bool, Option<&str>), Vec<u64>> = BTreeMap::new();
    for bucket in &answer.buckets {
        let at = usize::try_from((bucket.time - first) / answer.step.max(1)).unwrap_or(usize::MAX);
        let line = groups.entry((bucket.other, bucket.group.as_deref())).or_insert_with(|| vec![0; steps]);
        line[at.min(steps - 1)] += bucket.count;
    }
    let mut groups: Vec<_> = groups.into_iter().map(|(group, line)| (group, line.iter().sum::<u64>(), line)).collect();
    groups.sort_by_key(|((other, group), sum, _)| (*other, std::cmp::Reverse(*sum), *group));
    let row = |((other, group), sum, line): &((bool, Option<&str>), u64, Vec<u64>)| {
        let spark = grid::spark(&line.iter().map(|count| Some(*count as f64)).collect::<Vec<_>>());
        let name = match (other, group) {
            (true, _) => Cell("all others".to_owned(), Look::Dim),
            (false, None) => Cell("without".to_owned(), Look::Dim),
            (false, Some(group)) => Cell(one_line(group).into_owned(), Look::Bold),
        };
        [name, thousands(*sum).into(), Cell(spark, Look::Cyan)]
    };
    let rows: Vec<_> = groups.iter().map(row).collect();
    let over = format!("{} to {}", time(first.cast_signed()), time(last.saturating_add(answer.step).cast_signed()));
    grid::write([("", Side::Left), ("count", Side::Right), (&over, Side::Left)], &rows, io)
}

fn begins(bucket: &Bucket) -> String {
    time(bucket.time.cast_signed()).replace(".000Z", "Z")
}
