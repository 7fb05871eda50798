//! From words to a [`Filter`], and from a filter to what must hold of the rows of one signal.

use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, metrics, traces};

use super::parameters::{Parameters, wrong};
use super::text::{IdPrefix, Pattern, TextTest};
use super::time::{Nanos, parse_duration, parse_time};
use super::{Condition, Cursor, Filter, Order, Term};

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const TYPES: [&str; 5] = ["gauge", "sum", "histogram", "exponential_histogram", "summary"];
const STATUSES: [&str; 3] = ["unset", "ok", "error"];
/// Each has four numbers, from 1.
const SEVERITIES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

impl Filter {
    /// Takes the words of a filter out of `parameters`; times are relative to `now`.
    ///
    /// INVALID_CONFIG names the word, its value and what can be written.
    pub fn read(parameters: &mut Parameters, now: Nanos) -> Result<Self> {
        let time = |text: &str| parse_time(text, now);
        let duration = |text: &str| {
            parse_duration(text)
                .and_then(|nanos| i64::try_from(nanos).map_err(|_| "is longer than 292 years".to_owned()))
        };
        let flag = |text: &str| match text {
            "true" | "1" | "" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("is neither true nor false".to_owned()),
        };
        let ignore_case = parameters.read("ignore_case", flag)?.unwrap_or_default();
        let severity = parameters.read("severity", severity)?;
        let filter = Filter {
            from: parameters.read("from", time)?,
            to: parameters.read("to", time)?,
            service: parameters.read_all("service", TextTest::parse)?,
            name: parameters.read_all("name", TextTest::parse)?,
            kind: parameters.read_all("kind", |text| word(text, &[KINDS.as_slice(), &TYPES].concat()))?,
            status: parameters.read_all("status", |text| word(text, &STATUSES))?,
            min_duration: parameters.read("min_duration", duration)?,
            max_duration: parameters.read("max_duration", duration)?,
            min_severity: severity.and_then(|(min, _)| min),
            max_severity: severity.and_then(|(_, max)| max),
            text: parameters.read_all("text", |text| match text {
                "" => Err("is empty, so it is in everything: leave it out".to_owned()),
                text => Ok(text.to_owned()),
            })?,
            regex: parameters.read("regex", |text| Pattern::regex(text, ignore_case).map(|_| text.to_owned()))?,
            ignore_case,
            trace: parameters.read("trace", |text| IdPrefix::parse(text, 16))?,
            span: parameters.read("span", |text| IdPrefix::parse(text, 8))?,
            attributes: parameters.read_all("attr", Condition::parse)?,
            resource: parameters.read_all("resource", Condition::parse)?,
            limit: parameters.read("limit", |text| match text.parse() {
                Ok(0) | Err(_) => Err("is not a number of rows: write 1 or more".to_owned()),
                Ok(limit) => Ok(limit),
            })?,
            order: parameters.read("order", order)?.unwrap_or_default(),
            cursor: parameters.read("cursor", Cursor::parse)?,
        };
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from >= to
        {
            let (from, to) = (super::show_time(from), super::show_time(to));
            return Err(wrong("from", &from, &format!("is not before to, {to}: nothing can be between them")));
        }
        if let (Some(min), Some(max)) = (filter.min_duration, filter.max_duration)
            && min > max
        {
            return Err(wrong("min_duration", &format!("{min}ns"), &format!("is more than max_duration, {max}ns")));
        }
        Ok(filter)
    }

    /// A filter of these words alone.
    ///
    /// ```
    /// use otlp_arrow_query::filter::Filter;
    ///
    /// let filter = Filter::parse([("service", "checkout"), ("min_duration", "250ms"), ("attr", "http.route=/cart")], 0)?;
    /// assert_eq!(filter.min_duration, Some(250_000_000));
    /// let error = Filter::parse([("servce", "checkout")], 0).unwrap_err();
    /// assert!(error.message().contains("did you mean service?"));
    /// # Ok::<(), otlp_arrow_base::OtlpError>(())
    /// ```
    pub fn parse<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
        now: Nanos,
    ) -> Result<Self> {
        let mut parameters = Parameters::new(pairs);
        let filter = Self::read(&mut parameters, now)?;
        parameters.finish()?;
        Ok(filter)
    }
}

fn order(text: &str) -> Result<Order, String> {
    [Order::Newest, Order::Oldest]
        .into_iter()
        .find(|order| order.as_str() == text)
        .ok_or_else(|| "is not an order: write newest or oldest".to_owned())
}

/// A test of a text that can be one of a few; a number is one that this version does not know.
fn word(text: &str, known: &[&str]) -> Result<TextTest, String> {
    let test = TextTest::parse(text)?;
    let plain = text.trim_start_matches('!');
    let number = plain.parse::<i64>().is_ok();
    match plain.starts_with('~') || number || known.contains(&plain) {
        true => Ok(test),
        false => Err(format!("is not one of {}", known.join(", "))),
    }
}

/// The smallest and the greatest severity number.
type Severities = (Option<i32>, Option<i32>);

fn severity(text: &str) -> Result<Severities, String> {
    let (sign, level) = [">=", "<=", ">", "<", "="]
        .into_iter()
        .find_map(|sign| Some((sign, text.strip_prefix(sign)?)))
        .unwrap_or(("", text));
    let (first, last) = numbers(level.trim()).ok_or_else(|| {
        format!(
            "is not a severity: write {} or a number, with >=, >, <= or < before it or alone",
            SEVERITIES.join(", ")
        )
    })?;
    Ok(match sign {
        ">=" => (Some(first), None),
        "<=" => (None, Some(last)),
        ">" => (Some(last + 1), None),
        "<" => (None, Some(first - 1)),
        _ => (Some(first), Some(last)),
    })
}

/// The severity numbers of a level: four of a name, one of a name with a digit or of a number.
fn numbers(level: &str) -> Option<(i32, i32)> {
    if let Ok(number) = level.parse::<i32>() {
        return (0..=24).contains(&number).then_some((number, number));
    }
    let lower = level.to_ascii_lowercase();
    let (name, digit) = match lower.strip_suffix(['2', '3', '4']) {
        Some(name) => (name, lower.bytes().last().map(|digit| i32::from(digit - b'1'))),
        None => (&*lower, None),
    };
    let name = if name == "warning" { "warn" } else { name };
    let first = 1 + 4 * i32::try_from(SEVERITIES.iter().position(|known| *known == name)?).ok()?;
    Some(match digit {
        Some(digit) => (first + digit, first + digit),
        None => (first, first + 3),
    })
}

/// See [`Filter::terms`].
pub(super) fn terms(filter: &Filter, signal: Signal) -> Result<Vec<Term>> {
    let columns = otlp_arrow_columns::schema(signal).fields().len();
    let refuse = |given: bool, name: &str, whose: &str| match given {
        true => Err(wrong(name, "…", &format!("is not of {signal}: it is of {whose}"))),
        false => Ok(()),
    };
    let is = |wanted| signal == wanted;
    refuse(!filter.status.is_empty() && !is(Signal::Traces), "status", "spans")?;
    refuse(!filter.kind.is_empty() && is(Signal::Logs), "kind", "spans and metrics")?;
    let duration = filter.min_duration.is_some() || filter.max_duration.is_some();
    refuse(duration && !is(Signal::Traces), "min_duration or max_duration", "spans")?;
    let severity = filter.min_severity.is_some() || filter.max_severity.is_some();
    refuse(severity && !is(Signal::Logs), "severity", "log records")?;
    refuse(
        (!filter.text.is_empty() || filter.regex.is_some()) && is(Signal::Metrics),
        "text or regex",
        "spans and log records",
    )?;
    refuse(
        (filter.trace.is_some() || filter.span.is_some()) && is(Signal::Metrics),
        "trace or span",
        "spans and log records",
    )?;

    let mut terms = Vec::new();
    if filter.from.is_some() || filter.to.is_some() {
        let (from, to) = filter.time();
        terms.push(Term::Time(from, to));
    }
    terms.extend(filter.trace.map(Term::Trace));
    terms.extend(filter.span.map(Term::Span));
    let mut text = |column: usize, tests: &[TextTest]| {
        if !tests.is_empty() {
            terms.push(Term::Text(column, tests.to_vec()));
        }
    };
    text(common::first(columns) + common::SERVICE_NAME, &filter.service);
    let (name, kind, status) = match signal {
        Signal::Traces => (traces::NAME, traces::KIND, traces::STATUS_CODE),
        Signal::Logs => (logs::EVENT_NAME, 0, 0),
        Signal::Metrics => (metrics::METRIC_NAME, metrics::METRIC_TYPE, 0),
    };
    text(name, &filter.name);
    text(kind, &filter.kind);
    text(status, &filter.status);
    if duration {
        terms.push(Term::Duration(filter.min_duration.unwrap_or(i64::MIN), filter.max_duration.unwrap_or(i64::MAX)));
    }
    if severity {
        terms.push(Term::Severity(filter.min_severity.unwrap_or(i32::MIN), filter.max_severity.unwrap_or(i32::MAX)));
    }
    terms.extend(filter.resource.iter().cloned().map(Term::Resource));
    terms.extend(filter.attributes.iter().cloned().map(Term::Attribute));
    terms.extend(filter.text.iter().map(|text| Term::Contains(Pattern::text(text, filter.ignore_case))));
    if let Some(regex) = &filter.regex {
        let pattern = Pattern::regex(regex, filter.ignore_case);
        terms.push(Term::Contains(pattern.map_err(|problem| wrong("regex", regex, &problem))?));
    }
    Ok(terms)
}

impl Cursor {
    /// As an answer gives it: four numbers with points between them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.split('.');
            let cursor = Cursor {
                time: parts.next()?.parse().ok()?,
                writer: u64::from_str_radix(parts.next()?, 16).ok()?,
                seq: parts.next()?.parse().ok()?,
                row: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(cursor)
        };
        read().ok_or_else(|| "is not a cursor: take it from the answer before".to_owned())
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:x}.{}.{}", self.time, self.writer, self.seq, self.row)
    }
}

#[cfg(test)]
mod tests;
