//! `attributes`: which there are, or the values of one.

use otlp_arrow::Signal;
use otlp_arrow_query::questions::{AttributeKeysQuestion, AttributeValuesQuestion, By};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::AttributesArgs;
use crate::io::{Io, Outcome};
use crate::text::{one_line, thousands};

/// Characters of the longest bar.
const BAR: usize = 24;

pub(crate) fn run(args: &AttributesArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let filter = asker.filter(&args.asked.words)?;
    let signal = args.signal.map_or(Signal::Traces, Signal::from);
    let Some(key) = &args.key else {
        let answer = asker.ask(&AttributeKeysQuestion { signal, filter }, io)?;
        return asker.write(&answer, &[], io, |answer, io| {
            let row = |key: &otlp_arrow_query::questions::AttributeKey| {
                [one_line(&key.key).into(), Cell(key.owner.to_owned(), Look::Dim), thousands(key.count).into()]
            };
            let rows: Vec<_> = answer.keys.iter().map(row).collect();
            grid::write([("attribute", Side::Left), ("of", Side::Left), ("records", Side::Right)], &rows, io)
        });
    };
    let by = By::parse(key).unwrap_or_else(|_| By::Attribute(key.clone()));
    let question = AttributeValuesQuestion { signal, key: by, prefix: args.prefix.clone(), filter };
    let answer = asker.ask(&question, io)?;
    asker.write(&answer, &[], io, |answer, io| {
        let most = answer.values.first().map_or(1, |value| value.count).max(1);
        let row = |value: &otlp_arrow_query::questions::AttributeValueCount| {
            let bar = Cell(grid::bar(value.count as f64 / most as f64, BAR), Look::Cyan);
            [one_line(&value.value).into(), thousands(value.count).into(), bar]
        };
        let rows: Vec<_> = answer.values.iter().map(row).collect();
        grid::write([("value", Side::Left), ("records", Side::Right), ("", Side::Left)], &rows, io)?;
        if answer.distinct > answer.values.len() as u64 {
            let (shown, all) = (thousands(answer.values.len() as u64), thousands(answer.distinct));
            io.note(format_args!("the {shown} most frequent of {all} values: --limit shows more"));
        }
        Ok(())
    })
}
