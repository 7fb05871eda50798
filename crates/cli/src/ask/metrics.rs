//! `metrics`: which there are, or one of them over time.

use otlp_arrow_query::questions::{Line, Metric, MetricsQuestion, Series, SeriesQuestion};

use super::asker::Asker;
use super::grid::{self, Cell, Look, Side};
use crate::args::ask::MetricsArgs;
use crate::io::{Io, Outcome};
use crate::text::{one_line, thousands, time};

/// Characters of a line over time, at most.
const SPARK: usize = 60;
/// Exemplars that are shown to people.
const EXEMPLARS: usize = 3;

pub(crate) fn run(args: &MetricsArgs, io: &mut Io<'_>) -> Outcome {
    let asker = Asker::new(&args.asked.output, io)?;
    let Some(metric) = &args.metric else {
        let answer = asker.ask(&MetricsQuestion { filter: asker.filter(&args.asked.words)? }, io)?;
        return asker.write(&answer, &[], io, |answer, io| list(&answer.metrics, io));
    };
    let mut words: Vec<(&str, String)> = args.asked.words.pairs().collect();
    words.push(("metric", metric.clone()));
    for (word, value) in [
        ("show", &args.show),
        ("step", &args.step),
        ("agg", &args.agg),
        ("top", &args.top),
        ("exemplars", &args.exemplars),
    ] {
        words.extend(value.iter().map(|value| (word, value.clone())));
    }
    words.extend(args.by.iter().map(|by| ("by", by.clone())));
    words.extend(args.quantile.iter().map(|quantile| ("quantile", quantile.clone())));
    let question = asker.parse(|now| SeriesQuestion::parse(words, now))?;
    let answer = asker.ask(&question, io)?;
    for warning in &answer.warnings {
        io.note(format_args!("otlp-arrow: {warning}"));
    }
    asker.write(&answer, &[], io, lines)?;
    if answer.left_out > 0 {
        io.note(format_args!("{} more lines: --top", thousands(answer.left_out)));
    }
    Ok(())
}

fn list(metrics: &[Metric], io: &mut Io<'_>) -> Outcome {
    let row = |metric: &Metric| {
        let how = match (metric.temporality.as_deref(), metric.monotonic) {
            (Some(temporality), Some(false)) => format!("{} {temporality}, up and down", metric.metric_type),
            (Some(temporality), _) => format!("{} {temporality}", metric.metric_type),
            _ => metric.metric_type.clone(),
        };
        let services: Vec<_> = metric.services.iter().map(|service| one_line(service)).collect();
        [
            Cell(one_line(&metric.name).into_owned(), Look::Bold),
            how.into(),
            one_line(&metric.unit).into_owned().into(),
            thousands(metric.series).into(),
            metric.last_value.map_or_else(|| "-".to_owned(), grid::number).into(),
            Cell(time(metric.last_seen.cast_signed()), Look::Dim),
            services.join(", ").into(),
        ]
    };
    let rows: Vec<_> = metrics.iter().map(row).collect();
    let head = [
        ("metric", Side::Left),
        ("type", Side::Left),
        ("unit", Side::Left),
        ("series", Side::Right),
        ("latest", Side::Right),
        ("last seen", Side::Left),
        ("services", Side::Left),
    ];
    grid::write(head, &rows, io)
}

fn lines(answer: &Series, io: &mut Io<'_>) -> Outcome {
    let times = || answer.lines.iter().flat_map(|line| line.points.iter().map(|point| point.time));
    let (first, last) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    let step = answer.step.max(1);
    // Steps that there is no room for share a character: the greatest of them is shown.
    let steps = usize::try_from((last - first).div_ceil(step)).unwrap_or(usize::MAX).saturating_add(1);
    let each = steps.div_ceil(SPARK);
    let row = |line: &Line| {
        let mut values = vec![None::<f64>; steps.div_ceil(each)];
        for point in &line.points {
            let at = usize::try_from((point.time - first).div_ceil(step)).unwrap_or_default() / each;
            let cell = &mut values[at];
            *cell = Some(cell.map_or(point.value, |known| known.max(point.value)));
        }
        let greatest = line.points.iter().map(|point| point.value).fold(f64::NEG_INFINITY, f64::max);
        let latest = line.points.last().map(|point| point.value);
        [
            Cell(name(line), Look::Bold),
            Cell(what(line), Look::Dim),
            latest.map_or_else(|| "-".to_owned(), grid::number).into(),
            grid::number(greatest).into(),
            Cell(grid::spark(&values), Look::Cyan),
        ]
    };
    let rows: Vec<_> = answer.lines.iter().map(row).collect();
    let over = format!("{} to {}", time(first.cast_signed()), time(last.cast_signed()));
    let head =
        [("", Side::Left), ("", Side::Left), ("latest", Side::Right), ("greatest", Side::Right), (&over, Side::Left)];
    grid::write(head, &rows, io)?;
    let kept = answer.lines.iter().flat_map(|line| line.exemplars.iter().filter(|exemplar| exemplar.kept));
    for exemplar in kept.take(EXEMPLARS) {
        let trace = exemplar.trace_id.as_deref().unwrap_or_default();
        let text = format!("{} at {}: trace {trace}", grid::number(exemplar.value), time(exemplar.time.cast_signed()));
        writeln!(io.out, "{}", Look::Dim.paint(&text, io.terminal.colours))?;
    }
    Ok(())
}

fn name(line: &Line) -> String {
    let label = |(key, value): &(String, String)| match key.as_str() {
        "service" => one_line(value).into_owned(),
        key => format!("{}={}", one_line(key.strip_prefix("attr:").unwrap_or(key)), one_line(value)),
    };
    let labels: Vec<String> = line.labels.iter().map(label).collect();
    if labels.is_empty() { "all".to_owned() } else { labels.join(" ") }
}

/// What its values are, with their unit.
fn what(line: &Line) -> String {
    let shown = match (line.quantile, line.above, line.up_to) {
        (Some(quantile), ..) => format!("p{}", grid::number(100.0 * quantile)),
        (None, _, Some(up_to)) => {
            return format!("≤ {} {}", grid::number(up_to), one_line(&line.unit)).trim_end().to_owned();
        }
        (None, Some(above), None) => {
            return format!("> {} {}", grid::number(above), one_line(&line.unit)).trim_end().to_owned();
        }
        (None, None, None) => line.show.to_owned(),
    };
    let counts = matches!(line.show, "rate" | "increase") && line.metric_type != "sum";
    let unit = if counts || line.unit == "1" { "" } else { &line.unit };
    let unit = if line.show == "rate" { format!("{}/s", one_line(unit)) } else { one_line(unit).into_owned() };
    format!("{shown} {unit}").trim_end().to_owned()
}
