//! The table of everything that is answered: requests find their way by it, and the documentation is made of it.

use std::fmt::Write as _;

use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_net::server::Refusal;
use otlp_arrow_query::filter::Parameter;
use otlp_arrow_query::filter::nearest;
use otlp_arrow_query::questions::{KINDS, Kind};
use otlp_arrow_query::{Answer, AskOptions, Telemetry};

use crate::form::{Form, JSON, RECORDS, TABLE, TRACE};
use crate::own::{OWN, Own};
use crate::words::{ROOT, Words, of_segment};

/// The name of the service: `protocols.api`.
pub(crate) const NAME: &str = "api";

/// One route.
pub(crate) struct Route {
    /// Behind [`ROOT`]; `{name}` is a segment whose value is the word `name`.
    pub(crate) path: &'static str,
    pub(crate) method: Method,
    pub(crate) what: What,
    /// What it may be written as, the usual one first.
    pub(crate) forms: &'static [Form],
    /// What it answers, in a few words.
    pub(crate) text: &'static str,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// By GET: words are in the path and the query string.
    Get,
    /// As above, or by POST of a JSON object with the words.
    Both,
    /// By POST only, for it changes something.
    Post,
}

/// What answers.
pub(crate) enum What {
    /// The question of this kind, with these words set.
    Asks(&'static str, &'static [(&'static str, &'static str)]),
    /// The question of this kind, and how the recorder is.
    Overview(&'static str),
    /// What comes, as it comes.
    Tail,
    /// The recorder.
    Recorder,
    /// A hand on a destination.
    Destination(Hand),
    /// The OpenAPI document.
    Document,
}

/// What is done to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Pause,
    Resume,
    Retry,
}

const fn asks(path: &'static str, kind: &'static str, forms: &'static [Form], text: &'static str) -> Route {
    Route { path, method: Method::Get, what: What::Asks(kind, &[]), forms, text }
}

const fn counts(path: &'static str, set: &'static [(&'static str, &'static str)], text: &'static str) -> Route {
    Route { path, method: Method::Get, what: What::Asks("counts", set), forms: TABLE, text }
}

const fn other(path: &'static str, method: Method, what: What, text: &'static str) -> Route {
    Route { path, method, what, forms: JSON, text }
}

/// Every route, those with words of their own before those with any.
#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    other("/overview", Method::Get, What::Overview("overview"), "services with rate, errors and durations, what is kept of each signal, and how the recorder is"),
    asks("/services", "services", TABLE, "services with rate, errors and durations"),
    asks("/services/map", "map", TABLE, "which services call which"),
    asks("/traces", "traces", TABLE, "traces in which some span matches"),
    counts("/traces/counts", &[("signal", "traces")], "how many spans match, over time"),
    asks("/traces/{trace}", "trace", TRACE, "one trace: its spans as a tree, and its log records"),
    asks("/traces/{trace}/spans/{span}", "span", JSON, "all of one span, and its log records"),
    asks("/spans", "spans", RECORDS, "spans that match"),
    asks("/logs", "logs", RECORDS, "log records that match"),
    counts("/logs/counts", &[("signal", "logs")], "how many log records match, over time"),
    counts("/counts", &[], "how many records of any signal match, over time"),
    asks("/metrics", "metrics", TABLE, "which metrics there are"),
    asks("/metrics/{metric}", "series", TABLE, "one metric over time, with exemplars"),
    asks("/attributes", "attributes", TABLE, "which attributes there are"),
    asks("/attributes/{key}/values", "attribute_values", TABLE, "the values of one attribute"),
    asks("/facets", "facets", TABLE, "the most frequent values of columns and attributes"),
    asks("/errors", "errors", TABLE, "exceptions in groups"),
    asks("/exceptions", "exceptions", TABLE, "exceptions one by one"),
    Route { path: "/compare", method: Method::Both, what: What::Asks("compare", &[]), forms: TABLE, text: "two traces, runs or ranges beside each other" },
    asks("/overrepresented", "overrepresented", TABLE, "what the records that match have in common"),
    other("/tail/{signal}", Method::Get, What::Tail, "records as they are committed, as server-sent events"),
    other("/recorder", Method::Get, What::Recorder, "health, counts, disk and destinations of the recorder"),
    other("/recorder/destinations/{name}/pause", Method::Post, What::Destination(Hand::Pause), "stops sending to a destination: what arrives waits on disk"),
    other("/recorder/destinations/{name}/resume", Method::Post, What::Destination(Hand::Resume), "sends again"),
    other("/recorder/destinations/{name}/retry", Method::Post, What::Destination(Hand::Retry), "asks a destination at once, and sends again what it refused"),
    other("/openapi.json", Method::Get, What::Document, "this table, as OpenAPI has it"),
];

/// A question: one that everybody has, or one of this API alone.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    Kind(&'static Kind),
    Own(&'static Own),
}

impl Asked {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Asked::Kind(kind) => kind.name,
            Asked::Own(own) => own.name,
        }
    }

    pub(crate) fn parameters(self) -> &'static [Parameter] {
        match self {
            Asked::Kind(kind) => kind.parameters,
            Asked::Own(own) => own.parameters,
        }
    }

    /// Whether it takes the words of a filter.
    pub(crate) fn filtered(self) -> bool {
        match self {
            Asked::Kind(kind) => kind.filtered,
            Asked::Own(own) => own.filtered,
        }
    }

    /// Words of the filter that it does not take.
    pub(crate) fn not(self) -> &'static [&'static str] {
        match self {
            Asked::Kind(_) => &[],
            Asked::Own(own) => own.not,
        }
    }

    /// Asks the question that these words make.
    pub(crate) fn ask(self, telemetry: &Telemetry, words: Words, options: &AskOptions) -> Result<Box<dyn Answer>> {
        match self {
            Asked::Kind(kind) => telemetry.ask_named(kind.name, words, options),
            Asked::Own(own) => (own.ask)(telemetry, words, options),
        }
    }
}

impl Route {
    /// The question that is asked, where one is.
    pub(crate) fn asked(&self) -> Option<Asked> {
        let (What::Asks(name, _) | What::Overview(name)) = self.what else { return None };
        let own = OWN.iter().find(|own| own.name == name).map(Asked::Own);
        own.or_else(|| KINDS.iter().find(|kind| kind.name == name).map(Asked::Kind))
    }

    /// The words that are set by the route itself.
    pub(crate) fn set(&self) -> &'static [(&'static str, &'static str)] {
        match self.what {
            What::Asks(_, set) => set,
            _ => &[],
        }
    }

    /// The words that are segments of its path.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(word)
    }

    /// As an `Allow` header has it.
    fn allow(&self) -> &'static str {
        match self.method {
            Method::Get => "GET, HEAD",
            Method::Both => "GET, HEAD, POST",
            Method::Post => "POST",
        }
    }

    /// Refuses what it does not take.
    pub(crate) fn admit(&self, method: &http::Method) -> Result<(), Refusal> {
        match self.allow().split(", ").any(|allowed| method == allowed) {
            true => Ok(()),
            false => Err(Refusal::method(method, self.allow())),
        }
    }
}

/// The word that a segment of a path stands for.
fn word(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The route of a path behind [`ROOT`], and the words in it.
pub(crate) fn find(path: &str) -> Result<(&'static Route, Words), Refusal> {
    let path = path.strip_suffix('/').unwrap_or(path);
    for route in ROUTES {
        let (mut given, mut words) = (path.split('/'), Words::new());
        let fits = route.path.split('/').all(|wanted| match (given.next(), word(wanted)) {
            (Some(""), Some(_)) | (None, _) => false,
            (Some(segment), Some(word)) => {
                words.push((word.to_owned(), segment.to_owned()));
                true
            }
            (Some(segment), None) => segment == wanted,
        });
        if fits && given.next().is_none() {
            let decoded = words.into_iter().map(|(word, segment)| Ok((word, of_segment(&segment)?)));
            return Ok((route, decoded.collect::<Result<_>>()?));
        }
    }
    let meant = nearest(path, ROUTES.iter().map(|route| route.path)).map(|path| format!("did you mean {ROOT}{path}? "));
    let shown: String = path.chars().take(200).collect();
    let usage = format!("{}{ROOT}/openapi.json lists what does", meant.unwrap_or_default());
    Err(Refusal::unknown_path(&format!("{ROOT}{shown}"), &usage))
}

/// The value of a word in a path.
pub(crate) fn take(words: &mut Words, name: &str) -> Result<String> {
    let at = words.iter().position(|(word, _)| word == name);
    let found = at.map(|at| words.remove(at).1);
    found.ok_or_else(|| OtlpError::new(Code::Internal, format!("a path without its {name}")))
}

/// The table for the documentation.
pub(crate) fn markdown() -> String {
    let mut out = String::from("| path | question | as | what it answers |\n|---|---|---|---|\n");
    for route in ROUTES {
        let method = if route.method == Method::Get { "GET" } else { "POST" };
        let kind = match route.what {
            What::Asks(..) => route.asked().map_or(String::new(), |asked| format!("`{}`", asked.name())),
            _ => String::new(),
        };
        let forms: Vec<&str> = match route.what {
            What::Tail => vec!["events"],
            _ => route.forms.iter().map(|form| form.word()).collect(),
        };
        let _ = writeln!(out, "| `{method} {}` | {kind} | {} | {} |", route.path, forms.join(", "), route.text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_a_route_and_every_route_its_question() {
        for name in KINDS.iter().map(|kind| kind.name).chain(OWN.iter().map(|own| own.name)) {
            assert!(ROUTES.iter().any(|route| route.asked().is_some_and(|asked| asked.name() == name)), "{name}");
        }
        for route in ROUTES {
            let asks = matches!(route.what, What::Asks(..) | What::Overview(_));
            assert_eq!(route.asked().is_some(), asks, "{}", route.path);
            for word in route.segments().filter(|_| asks) {
                let mut words = route.asked().unwrap().parameters().iter().chain(otlp_arrow_query::filter::PARAMETERS);
                assert!(words.any(|known| known.name == word), "{word} of {}", route.path);
            }
        }
    }

    #[test]
    fn paths_find_their_routes() {
        let of =
            |path: &str| find(path).map(|(route, words)| (route.path, words)).map_err(|refusal| refusal.status().http);
        let words =
            |pairs: &[(&str, &str)]| -> Words { pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect() };
        assert_eq!(of("/traces"), Ok(("/traces", words(&[]))));
        assert_eq!(of("/traces/"), Ok(("/traces", words(&[]))));
        assert_eq!(of("/traces/counts"), Ok(("/traces/counts", words(&[]))));
        assert_eq!(
            of("/traces/4bf9/spans/00f0"),
            Ok(("/traces/{trace}/spans/{span}", words(&[("trace", "4bf9"), ("span", "00f0")])))
        );
        assert_eq!(of("/metrics/a%2Fb%20c"), Ok(("/metrics/{metric}", words(&[("metric", "a/b c")]))));
        for path in
            ["", "/", "/trace", "/traces//spans/1", "/traces/1/spans", "/traces/1/spans/2/3", "/Traces", "//traces"]
        {
            assert_eq!(of(path), Err(404), "{path}");
        }
        assert_eq!(of("/metrics/%zz"), Err(400));
        assert!(find("/trases").err().unwrap().message().contains("did you mean /api/v1/traces?"));
    }
}
