#![allow(clippy::unwrap_used, reason = "tests")]
use super::super::{PARAMETERS, markdown};
use super::*;

fn parse(pairs: &[(&str, &str)]) -> Result<Filter> {
    Filter::parse(pairs.iter().copied(), 1_000_000_000_000_000_000)
}

#[test]
fn every_word_of_the_table_is_taken_and_no_other() {
    let value = |name: &str| match name {
        "kind" => "server",
        "status" => "error",
        "min_duration" | "max_duration" => "5ms",
        "severity" => ">=warn",
        "ignore_case" => "true",
        "trace" | "span" => "0123456789ab",
        "from" => "-1h",
        "to" => "now",
        "limit" => "20",
        "order" => "oldest",
        "cursor" => "1.a.2.3",
        _ => "some",
    };
    for parameter in PARAMETERS {
        let filter = parse(&[(parameter.name, value(parameter.name))]).unwrap();
        assert_ne!(filter, Filter::default(), "{}", parameter.name);
        let twice = parse(&[(parameter.name, value(parameter.name)), (parameter.name, value(parameter.name))]);
        assert_eq!(twice.is_ok(), parameter.repeated, "{}", parameter.name);
        assert!(markdown(PARAMETERS).contains(&format!("| `{}`", parameter.name)));
    }
    for (word, hint) in
        [("servce", "service"), ("min-duration", "min_duration"), ("attrs", "attr"), ("zzz", "there are")]
    {
        let error = parse(&[(word, "x")]).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_what_can() {
    for (name, value, hint) in [
        ("kind", "sever", "server, client"),
        ("status", "failed", "unset, ok, error"),
        ("min_duration", "5", "with a unit"),
        ("max_duration", "150000d", "292 years"),
        ("severity", ">=loud", "trace, debug, info"),
        ("severity", "25", "or a number"),
        ("regex", "(", "not a regular expression"),
        ("regex", "(?:a{1000}){1000}", "too large"),
        ("ignore_case", "maybe", "true nor false"),
        ("trace", "012", "at least the first 4"),
        ("trace", "0123456789abcdef0123456789abcdef0", "32 hexadecimal digits"),
        ("span", "ghijkl", "16 hexadecimal digits"),
        ("from", "yesterday", "-1h"),
        ("limit", "0", "1 or more"),
        ("limit", "-1", "1 or more"),
        ("order", "random", "newest or oldest"),
        ("cursor", "1.2.3", "answer before"),
        ("text", "", "leave it out"),
        ("service", "", "leave it out"),
        ("attr", "=x", "no key"),
    ] {
        let error = parse(&[(name, value)]).unwrap_err();
        assert!(error.message().starts_with(name) && error.message().contains(hint), "{error}");
    }
    assert!(parse(&[("from", "now"), ("to", "-1h")]).unwrap_err().message().contains("not before to"));
    assert!(parse(&[("min_duration", "2s"), ("max_duration", "1s")]).is_err());
}

#[test]
fn severities_are_names_and_numbers() {
    for (text, wanted) in [
        ("error", (Some(17), Some(20))),
        ("ERROR", (Some(17), Some(20))),
        (">=warn", (Some(13), None)),
        (">= warning", (Some(13), None)),
        (">warn", (Some(17), None)),
        ("<info", (None, Some(8))),
        ("<=info", (None, Some(12))),
        ("error2", (Some(18), Some(18))),
        ("17", (Some(17), Some(17))),
        (">=17", (Some(17), None)),
        ("=fatal", (Some(21), Some(24))),
    ] {
        assert_eq!(severity(text), Ok(wanted), "{text}");
    }
}

#[test]
fn terms_are_of_the_signal() {
    let filter = parse(&[("service", "a"), ("name", "b"), ("attr", "k=v"), ("from", "-1h")]).unwrap();
    for signal in Signal::ALL {
        assert_eq!(filter.terms(signal).unwrap().len(), 4, "{signal}");
    }
    for (name, value, not_of) in [
        ("status", "error", Signal::Logs),
        ("kind", "server", Signal::Logs),
        ("min_duration", "1s", Signal::Metrics),
        ("severity", "error", Signal::Traces),
        ("text", "x", Signal::Metrics),
        ("trace", "abcdef", Signal::Metrics),
    ] {
        let error = parse(&[(name, value)]).unwrap().terms(not_of).unwrap_err();
        assert!(error.message().contains(&format!("is not of {not_of}")), "{error}");
    }
}

#[test]
fn cursors_are_read_back() {
    let cursor = Cursor { time: u64::MAX, writer: 0xabc, seq: 7, row: 1 << 40 };
    assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    for wrong in ["", "1", "1.x.2.3", "1.a.2.3.4", "1.a.2.-3"] {
        assert!(Cursor::parse(wrong).is_err(), "{wrong}");
    }
}
