//! What the documentation says is what there is.

use std::fmt::Write as _;

use otlp_arrow_query::filter::{PARAMETERS, markdown};
use otlp_arrow_query::questions::KINDS;
use otlp_arrow_testkit::fresh::{fresh, section};

#[test]
fn the_tables_of_questions_and_words_are_fresh() {
    let mut questions = String::from("| question | what it tells | its own words |\n|---|---|---|\n");
    for kind in KINDS {
        let own: Vec<String> = kind.parameters.iter().map(|own| format!("`{}`: {}", own.name, own.text)).collect();
        let words = if kind.filtered { "" } else { " (no others)" };
        let _ = writeln!(questions, "| `{}` | {} | {}{words} |", kind.name, kind.text, own.join("; "));
    }
    fresh("docs/query.md", &section("docs/query.md", "questions", &questions));
    fresh("docs/query.md", &section("docs/query.md", "words", &markdown(PARAMETERS)));
}

#[test]
fn every_question_has_a_name_of_its_own_and_words_that_the_filter_does_not_have() {
    for (at, kind) in KINDS.iter().enumerate() {
        assert!(KINDS[..at].iter().all(|other| other.name != kind.name), "{}", kind.name);
        for own in kind.parameters.iter().filter(|_| kind.filtered) {
            assert!(PARAMETERS.iter().all(|word| word.name != own.name), "{} of {}", own.name, kind.name);
        }
    }
}
