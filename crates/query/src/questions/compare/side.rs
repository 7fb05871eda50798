//! One side of a comparison: a trace, a range of time, or what a filter finds.

use std::fmt;

use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;

use crate::filter::{Filter, IdPrefix, Nanos, Parameters, Term, parse_time, wrong};

/// One side of a comparison.
#[derive(Clone, Debug)]
pub enum Side {
    /// A trace, by its id or the beginning of that.
    Trace(IdPrefix),
    /// What matches, and how it was written.
    Matching(Box<Filter>, String),
}

impl Side {
    /// Reads a trace id, a range `FROM..TO`, or words of the filter with blanks between them: `service=shop from=-1h`, a
    /// value with blanks in double quotes. `name` is what errors call it.
    pub fn parse(name: &'static str, text: &str, now: Nanos) -> Result<Self> {
        let text = text.trim();
        if let Some((from, to)) = text.split_once("..").filter(|(from, _)| !from.contains('=')) {
            let time = |part: &str, usual: Option<Nanos>| match part.trim() {
                "" => Ok(usual),
                part => parse_time(part, now).map(Some).map_err(|problem| wrong(name, text, &problem)),
            };
            let (from, to) = (time(from, None)?, time(to, Some(now))?);
            if from.zip(to).is_some_and(|(from, to)| from >= to) {
                return Err(wrong(name, text, "ends before it begins"));
            }
            return Ok(Side::Matching(Box::new(Filter { from, to, ..Filter::default() }), text.to_owned()));
        }
        if !text.contains('=') {
            let id = IdPrefix::parse(text, 16);
            return id.map(Side::Trace).map_err(|problem| {
                wrong(
                    name,
                    text,
                    &format!("{problem}; or write a range, -2h..-1h, or words of the filter, service=shop"),
                )
            });
        }
        let words = words(text).ok_or_else(|| wrong(name, text, "has a quote that does not end"))?;
        let pair = |word: &String| {
            let pair = word.split_once('=').map(|(word, value)| (word.to_owned(), value.to_owned()));
            pair.ok_or_else(|| wrong(name, word, "is not a word of the filter with its value, such as service=shop"))
        };
        let pairs = words.iter().map(pair).collect::<Result<Vec<_>>>()?;
        let mut parameters = Parameters::new(pairs);
        let filter = Filter::read(&mut parameters, now)?;
        parameters.finish()?;
        Ok(Side::Matching(Box::new(filter), text.to_owned()))
    }

    pub(crate) fn terms(&self, signal: Signal) -> Result<Vec<Term>> {
        match self {
            Side::Trace(id) => Ok(vec![Term::Trace(*id)]),
            Side::Matching(filter, _) => filter.terms(signal),
        }
    }

    /// The time it asks for, if it asks for some.
    pub(super) fn range(&self) -> (Option<Nanos>, Option<Nanos>) {
        match self {
            Side::Trace(_) => (None, None),
            Side::Matching(filter, _) => (filter.from, filter.to),
        }
    }
}

/// Words with blanks between them; those within double quotes are part of a word, and the quotes are not.
fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()))
            }
            c => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    (!quoted).then_some(words)
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::Trace(id) => write!(f, "{id}"),
            Side::Matching(_, text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_790_000_000_000_000_000;
    const HOUR: Nanos = 3_600_000_000_000;

    fn parse(text: &str) -> Result<Side> {
        Side::parse("a", text, NOW)
    }

    #[test]
    fn a_trace_a_range_or_words() {
        assert!(
            matches!(parse("4bf92f3577b34da6").unwrap(), Side::Trace(id) if id.to_string().starts_with("4bf92f3577b34da6"))
        );
        for (text, from, to) in [
            ("-2h..-1h", Some(NOW - 2 * HOUR), Some(NOW - HOUR)),
            ("-2h..", Some(NOW - 2 * HOUR), Some(NOW)),
            ("..-1h", None, Some(NOW - HOUR)),
            ("from=-2h to=-1h", Some(NOW - 2 * HOUR), Some(NOW - HOUR)),
        ] {
            assert_eq!(parse(text).unwrap().range(), (from, to), "{text}");
        }
        let Side::Matching(filter, _) = parse("resource=ci.run.id=17 service=\"my shop\"  attr=user.id").unwrap()
        else {
            panic!("words")
        };
        assert_eq!((filter.resource.len(), filter.attributes.len()), (1, 1));
        assert!(filter.service[0].holds("my shop"));
        for (text, problem) in [
            ("", "hexadecimal"),
            ("xyz", "service=shop"),
            ("-1h..-2h", "ends before"),
            ("yesterday..now", "-1h"),
            ("servce=shop", "did you mean service?"),
            ("service=shop nothing", "is not a word"),
            ("service=\"shop", "does not end"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains(problem), "{text}: {}", error.message());
        }
    }
}
