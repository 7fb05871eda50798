//! What the OTLP door of Prometheus, and of those that store like it, means by its answers. Pure.
//!
//! A request is one transaction there: one point that is late, or of a form that cannot be stored, has all of it refused, with a
//! status that OTLP reads as a verdict about all. The words of the answer tell what it is about.

use super::answer::{Answer, Class};

/// In answers with 400: these points can never be stored, or are stored already.
const LATE: [&str; 6] = [
    "out of order",
    "out-of-order",
    "out of bounds",
    "too old sample",
    "too far in the past",
    "duplicate sample for timestamp",
];

/// In answers with 500: a metric that cannot be translated, whatever the state of the server.
const UNTRANSLATED: [&str; 9] = [
    "invalid temporality and type combination",
    "unsupported metric type",
    "unsupported exemplar value type",
    "cannot convert exponential to native histogram",
    "histogram's observation count",
    "histogram has ",
    "label name",
    "normalization for metric",
    "native histograms are disabled",
];

/// The end of the path of Prometheus' own door.
const DOOR: &str = "/api/v1/otlp/v1/metrics";

/// What an answer from `path` means for so many points.
pub(super) fn judged(answer: Answer, path: &str, records: u64) -> Answer {
    let said = answer.message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let (door, data) = (path.trim_end_matches('/').ends_with(DOOR), answer.class == Class::Data);
    let late = data && said.starts_with("http 400") && has(&LATE);
    let troubled = data && door && said.starts_with("http 500");
    match records {
        // A point that is late stays late: there is nothing to send again later.
        0..=1 if late => Answer { class: Class::Delivered { rejected: records }, ..answer },
        _ if late || troubled && has(&UNTRANSLATED) => Answer { class: Class::Mixed, ..answer },
        // Its disk, its memory: nothing is wrong with the points.
        _ if troubled => Answer { class: Class::Passing { after: None }, ..answer },
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, said: &str, path: &str, records: u64) -> Class {
        let class = if status == 503 { Class::Passing { after: None } } else { Class::Data };
        judged(Answer::new(class, format!("HTTP {status}: {said}")), path, records).class
    }

    /// What 3.16.0 says.
    #[test]
    fn one_bad_point_does_not_speak_for_the_others() {
        let door = "/prometheus/api/v1/otlp/v1/metrics";
        let passing = Class::Passing { after: None };
        for said in [
            "out of order sample",
            "out of bounds",
            "too old sample",
            "duplicate sample for timestamp; overrides not allowed",
        ] {
            for path in [door, "/otlp/v1/metrics"] {
                assert_eq!(class(400, said, path, 1000), Class::Mixed, "{said}");
                assert_eq!(class(400, said, path, 1), Class::Delivered { rejected: 1 }, "{said}");
            }
        }
        for said in [
            "invalid temporality and type combination for metric \"requests\"",
            "cannot convert exponential to native histogram. Scale must be >= -4, was -5",
            "unsupported metric type",
            "normalization for metric \"!\" resulted in empty name",
        ] {
            assert_eq!(class(500, said, door, 1000), Class::Mixed, "{said}");
            assert_eq!(
                class(500, said, door, 1),
                Class::Mixed,
                "one that is refused data, and not held against the server"
            );
        }
        assert_eq!(class(500, "write to WAL: no space left on device", door, 1), passing);
        assert_eq!(class(500, "anything", "/v1/metrics", 1), Class::Data, "another server's verdict");
        assert_eq!(
            class(400, "unsupported compression: zstd. Only \"gzip\" or no compression supported", door, 9),
            Class::Data
        );
        assert_eq!(class(503, "out of order sample", door, 9), passing);
    }
}
