//! `ts/src/ask/questions.ts`, as the formatter of the repository would write it.

use std::fmt::Write as _;

use otlp_arrow_query::filter::{PARAMETERS, Parameter};

use super::{Question, Takes, camel, documented, takes, wrapped};

/// The longest line.
const WIDTH: usize = 120;

pub(super) fn questions(questions: &[Question]) -> String {
    let mut answers: Vec<&str> = questions.iter().map(|question| question.method.answer).collect();
    answers.sort_unstable();
    let mut out = format!(
        "// Written from the tables of questions: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.\n\n\
         import type {{ Duration }} from '../keys.js';\n\
         import type {{ Signal }} from '../signal.js';\n\
         import type {{\n  {},\n}} from './answers.js';\n\
         import type {{ Ask, Asked, AskOptions }} from './asked.js';\n\n\
         /** A time: a Date, nanoseconds since 1970, `-1h` (before now), or RFC 3339. */\n\
         export type Time = Date | bigint | string;\n\n\
         /** {} */\n\
         export interface Filter {{\n",
        answers.join(",\n  "),
        super::FILTER
    );
    members(&mut out, &PARAMETERS.iter().collect::<Vec<_>>(), &[]);
    out.push_str("}\n");
    for question in questions.iter().filter(|question| question.words() != "Filter") {
        let extends = if question.kind.filtered { " extends Filter" } else { "" };
        let _ = writeln!(
            out,
            "\n/** The words of {{@link Questions.{}}}. */\nexport interface {}{extends} {{",
            camel(question.method.name),
            question.words()
        );
        members(&mut out, &question.own(), question.required());
        out.push_str("}\n");
    }
    out.push_str(
        "\n/** Every question. One that nobody awaits is not asked. */\nexport abstract class Questions {\n  \
         readonly #ask: Ask;\n\n  /** @internal */\n  constructor(ask: Ask) {\n    this.#ask = ask;\n  }\n",
    );
    questions.iter().for_each(|question| method(&mut out, question));
    out.push_str("}\n");
    out
}

fn members(out: &mut String, words: &[&Parameter], required: &[&str]) {
    for word in words {
        comment(out, "  ", &documented(word));
        let optional = if required.contains(&word.name) { "" } else { "?" };
        let _ = writeln!(out, "  {}{optional}: {};", camel(word.name), of_word(word));
    }
}

fn of_word(word: &Parameter) -> String {
    let one = match takes(word) {
        Takes::Text => "string".to_owned(),
        Takes::Flag => "boolean".to_owned(),
        Takes::Count | Takes::Number => "number".to_owned(),
        Takes::Severity => "string | number".to_owned(),
        Takes::Duration => "Duration | bigint".to_owned(),
        Takes::Time => "Time".to_owned(),
        Takes::Choice(words) if words == ["traces", "logs", "metrics"] => "Signal".to_owned(),
        Takes::Choice(words) => words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" | "),
    };
    if word.repeated { format!("{one} | readonly {one}[]") } else { one }
}

fn method(out: &mut String, question: &Question) {
    let name = camel(question.method.name);
    let leads: Vec<&str> = question.method.leads.to_vec();
    let argument = |word: &&'static str| camel(question.lead(word));
    let mut parameters: Vec<String> =
        question.method.leads.iter().map(|word| format!("{}: string", argument(word))).collect();
    let usual = if question.required().is_empty() { " = {}" } else { "" };
    parameters.push(format!("words: {}{usual}", question.words()));
    parameters.push("options: AskOptions = {}".to_owned());
    let given: Vec<String> = question
        .method
        .leads
        .iter()
        .zip(&leads)
        .map(|(word, lead)| {
            let argument = argument(word);
            if argument == *lead { argument } else { format!("{lead}: {argument}") }
        })
        .collect();
    let given = if given.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", given.join(", ")) };
    out.push('\n');
    comment(out, "  ", &question.text());
    let answer = question.method.answer;
    let line = format!("  {name}({}): Asked<{answer}> {{", parameters.join(", "));
    if line.chars().count() <= WIDTH {
        let _ = writeln!(out, "{line}");
    } else {
        let _ = writeln!(out, "  {name}(\n    {},\n  ): Asked<{answer}> {{", parameters.join(",\n    "));
    }
    let _ = writeln!(out, "    return this.#ask('{}', {given}, words, options);\n  }}", question.kind.name);
}

fn comment(out: &mut String, lead: &str, text: &str) {
    if lead.len() + text.chars().count() + 7 <= WIDTH {
        let _ = writeln!(out, "{lead}/** {text} */");
        return;
    }
    let _ = writeln!(out, "{lead}/**");
    for line in wrapped(text, WIDTH - lead.len() - 3) {
        let _ = writeln!(out, "{lead} * {line}");
    }
    let _ = writeln!(out, "{lead} */");
}
