//! `_questions.py`, as the formatter of the repository would write it.

use std::fmt::Write as _;

use otlp_arrow_query::filter::{PARAMETERS, Parameter};

use super::{Question, Takes, documented, takes, wrapped};

/// The longest line.
const WIDTH: usize = 120;

pub(super) fn questions(questions: &[Question]) -> String {
    let mut out = String::from(
        "\"\"\"Every question as a method, and its words as types. The core parses them; nothing is checked or defaulted here.\n\n\
         Written from the tables of questions: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.\n\"\"\"\n\n\
         from __future__ import annotations\n\n\
         from collections.abc import Mapping, Sequence  # noqa: TC003 - who asks for the type hints needs it\n\
         from datetime import datetime, timedelta  # noqa: TC003 - as above\n\
         from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict, TypeVar\n\n\
         from otlp_arrow._later import Later\n\n\
         if TYPE_CHECKING:\n    from typing import Unpack\n\n    from otlp_arrow import answers\n\
         else:\n    answers = Later(\"otlp_arrow.answers\")\n\n\
         A = TypeVar(\"A\", bound=\"answers.Answer\")\n\n\n\
         class Filter(TypedDict, total=False):\n",
    );
    described(&mut out, "    ", super::FILTER);
    members(&mut out, &PARAMETERS.iter().collect::<Vec<_>>(), &[]);
    for question in questions.iter().filter(|question| question.words() != "Filter") {
        let base = if question.kind.filtered { "Filter" } else { "TypedDict" };
        let _ = writeln!(
            out,
            "\n\nclass {}({base}, total=False):\n    \"\"\"The words of `{}`.\"\"\"",
            question.words(),
            question.method.name
        );
        members(&mut out, &question.own(), question.required());
    }
    out.push_str(
        "\n\nclass Questions:\n    \"\"\"Every question, and as a coroutine with an ``a`` before its name.\n\n    \
         Words are keyword arguments; ``from`` is ``from_``. `timeout` is in seconds, and no longer than ``query.timeout``.\n    \"\"\"\n\n    \
         def _ask(\n        self, answer: type[A], kind: str, given: dict[str, str], words: Mapping[str, Any], timeout: float | None\n    ) -> A:\n        \
         raise NotImplementedError\n\n    \
         async def _aask(\n        self,\n        answer: type[A],\n        kind: str,\n        given: dict[str, str],\n        words: Mapping[str, Any],\n        \
         timeout: float | None,  # noqa: ASYNC109 - the question's own\n    ) -> A:\n        raise NotImplementedError\n",
    );
    for question in questions {
        method(&mut out, question, false);
        method(&mut out, question, true);
    }
    out
}

/// `from` is a word of the language.
fn name_of(word: &Parameter) -> String {
    if word.name == "from" { "from_".to_owned() } else { word.name.to_owned() }
}

fn members(out: &mut String, words: &[&Parameter], required: &[&str]) {
    for word in words {
        let of = of_word(word);
        let of = if required.contains(&word.name) { format!("Required[{of}]") } else { of };
        let _ = writeln!(out, "\n    {}: {of}", name_of(word));
        docstring(out, "    ", &documented(word));
    }
}

fn of_word(word: &Parameter) -> String {
    let one = match takes(word) {
        Takes::Text => "str".to_owned(),
        Takes::Flag => "bool".to_owned(),
        Takes::Count => "int".to_owned(),
        Takes::Number => "float".to_owned(),
        Takes::Severity => "str | int".to_owned(),
        Takes::Duration => "str | timedelta".to_owned(),
        Takes::Time => "datetime | int | str".to_owned(),
        Takes::Choice(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            format!("Literal[{}]", words.join(", "))
        }
    };
    if word.repeated { format!("{one} | Sequence[{one}]") } else { one }
}

fn method(out: &mut String, question: &Question, coroutine: bool) {
    let (name, words) = (question.method.name, question.words());
    let answer = format!("answers.{}", question.method.answer);
    let (def, prefix) = if coroutine { ("async def", "a") } else { ("def", "") };
    let mut parameters: Vec<String> = vec!["self".to_owned()];
    parameters.extend(question.method.leads.iter().map(|word| format!("{}: str", question.lead(word))));
    parameters.push("*".to_owned());
    parameters.push("timeout: float | None = None".to_owned());
    parameters.push(format!("**words: Unpack[{words}]"));
    let line = format!("    {def} {prefix}{name}({}) -> {answer}:", parameters.join(", "));
    out.push('\n');
    let noqa = "  # noqa: ASYNC109 - the question's own";
    if coroutine {
        let lines: Vec<String> = parameters
            .iter()
            .map(|one| format!("{one},{}", if one.starts_with("timeout") { noqa } else { "" }))
            .collect();
        let _ = writeln!(out, "    {def} {prefix}{name}(\n        {}\n    ) -> {answer}:", lines.join("\n        "));
    } else if line.chars().count() <= WIDTH {
        let _ = writeln!(out, "{line}");
    } else {
        let _ = writeln!(out, "    {def} {prefix}{name}(\n        {}\n    ) -> {answer}:", parameters.join(", "));
    }
    match coroutine {
        true => docstring(out, "        ", &format!("Do what `{name}` does, without blocking the event loop.")),
        false => described(out, "        ", &format!("Tell {}.", question.kind.text)),
    }
    let given: Vec<String> =
        question.method.leads.iter().map(|word| format!("\"{word}\": {}", question.lead(word))).collect();
    let call = if coroutine { "await self._aask" } else { "self._ask" };
    let _ = writeln!(
        out,
        "        return {call}({answer}, \"{}\", {{{}}}, words, timeout)",
        question.kind.name,
        given.join(", ")
    );
}

/// As [`docstring`], of a class or a method: a summary, and behind it what does not fit beside it.
fn described(out: &mut String, lead: &str, text: &str) {
    let fits = lead.len() + text.chars().count() + 6 <= WIDTH;
    let parts = [". ", ": ", "; "].iter().find_map(|mark| text.split_once(mark)).filter(|_| !fits);
    let Some((summary, rest)) = parts else { return docstring(out, lead, text) };
    let rest = wrapped(&super::capital(rest), WIDTH - lead.len()).join(&format!("\n{lead}"));
    let _ = writeln!(out, "{lead}\"\"\"{summary}.\n\n{lead}{rest}\n{lead}\"\"\"");
}

fn docstring(out: &mut String, lead: &str, text: &str) {
    if lead.len() + text.chars().count() + 6 <= WIDTH {
        let _ = writeln!(out, "{lead}\"\"\"{text}\"\"\"");
        return;
    }
    let lines = wrapped(text, WIDTH - lead.len() - 8);
    let _ = writeln!(out, "{lead}\"\"\"{}\n{lead}\"\"\"", lines.join(&format!("\n{lead}")));
}
