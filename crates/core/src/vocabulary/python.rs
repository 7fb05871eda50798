//! `_vocabulary.py` and `_config.py`, as the formatter of the repository would write them.

use std::fmt::Write as _;

use super::tree::{Entry, REQUIRED, entries};
use super::{Vocabulary, capital, key_text, wrapped};
use crate::config::keys;
use crate::key::{Key, Kind};

/// The longest line.
const WIDTH: usize = 120;

/// The words that are the same in every language, as types.
pub(super) fn vocabulary(vocabulary: &Vocabulary) -> String {
    let reports = &vocabulary.reports;
    let mut out = String::from(
        "\"\"\"The words that are the same in every language.\n\n\
         Written from the tables of the core: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.\n\"\"\"\n\n\
         from __future__ import annotations\n\nfrom typing import Literal\n",
    );
    let types: [(&str, &str, Vec<&str>); 6] = [
        ("ErrorCode", "What went wrong.", vocabulary.errors.iter().map(|error| error.code).collect()),
        ("EventName", "What happened.", vocabulary.events.iter().map(|event| event.name).collect()),
        ("Severity", "How much an event asks of a person.", vec!["info", "warn"]),
        ("MetricName", "Everything that is counted.", vocabulary.metrics.iter().map(|metric| metric.name).collect()),
        ("HealthStatus", "How well it goes.", reports.health_status.iter().map(String::as_str).collect()),
        (
            "BreakerState",
            "Where the circuit breaker of a destination stands.",
            reports.breaker_state.iter().map(String::as_str).collect(),
        ),
    ];
    for (name, meaning, words) in types {
        let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let line = format!("{name} = Literal[{}]", words.join(", "));
        let line =
            if line.len() <= WIDTH { line } else { format!("{name} = Literal[\n    {},\n]", words.join(",\n    ")) };
        let _ = writeln!(out, "\n{line}\n\"\"\"{meaning}\"\"\"");
    }
    out
}

/// The keyword arguments of `OtlpLibrary`, as types.
pub(super) fn keys() -> String {
    let mut out = String::from(
        "\"\"\"The keyword arguments of `OtlpLibrary`, as types. The core parses them; nothing is checked or defaulted here.\n\n\
         Written from the tables of the core: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.\n\"\"\"\n\n\
         from __future__ import annotations\n\n\
         import os  # noqa: TC003 - who asks for the type hints needs it\n\
         from typing import Literal, TypedDict\n\n\n\
         class Env(TypedDict):\n    \"\"\"A secret in an environment variable.\"\"\"\n\n    env: str\n\n\n\
         class File(TypedDict):\n    \"\"\"A secret in a file.\"\"\"\n\n    file: str\n\n\n\
         Secret = str | Env | File\n",
    );
    class(&mut out, "");
    out
}

/// The class of a group, after those of the groups in it.
fn class(out: &mut String, prefix: &str) {
    let entries: Vec<_> = entries(prefix).into_iter().map(|(name, entry)| (name, nested(entry))).collect();
    for (_, entry) in &entries {
        if let Entry::Group(path) = entry {
            class(out, path);
        }
    }
    let required = entries.iter().all(|(_, entry)| matches!(entry, Entry::Key(key) if REQUIRED.contains(&&*key.path)));
    let total = if required { "" } else { ", total=False" };
    let _ = writeln!(out, "\n\nclass {}(TypedDict{total}):", class_name(prefix));
    let about = match prefix {
        "" => "Every key but `on_event`. Times and sizes are text with a unit, such as ``\"5s\"`` and ``\"64MiB\"``."
            .to_owned(),
        _ => format!("{}.", capital(keys::standard().group(prefix))),
    };
    docstring(out, &about);
    for (name, entry) in entries {
        match entry {
            Entry::Key(key) => {
                let _ = writeln!(out, "\n    {name}: {}", of_kind(&key.kind));
                docstring(out, &documented(key));
            }
            // It is an argument of its own, which may be a callback.
            Entry::Group(path) if path == "on_event" => {}
            Entry::Group(path) => {
                let class = class_name(&path);
                let takes = match path.as_str() {
                    "listen" => format!("bool | {class}"),
                    "forward[]" => format!("Literal[\"env\"] | {class} | list[Literal[\"env\"] | {class}]"),
                    // Its URL may stand for all of it.
                    keys::PROXY => format!("Secret | {class}"),
                    _ => class,
                };
                let _ = writeln!(out, "\n    {name}: {takes}");
            }
        }
    }
}

/// `forward` is a list of what is below `forward[]`.
fn nested(entry: Entry) -> Entry {
    match entry {
        Entry::Group(path) if path == "forward" => Entry::Group("forward[]".to_owned()),
        entry => entry,
    }
}

/// `forward[].auth.api_key`: `AuthApiKey`.
fn class_name(prefix: &str) -> String {
    match prefix {
        "" => "Config".to_owned(),
        "forward[]" => "Forward".to_owned(),
        _ => prefix.trim_start_matches("forward[].").split(['.', '_']).map(capital).collect(),
    }
}

fn documented(key: &Key) -> String {
    let default = if key.default.is_empty() { String::new() } else { format!(" Default: `{}`.", key.default) };
    format!("{}.{default}", capital(&key_text(key)))
}

fn docstring(out: &mut String, text: &str) {
    if text.chars().count() + 10 <= WIDTH {
        let _ = writeln!(out, "    \"\"\"{text}\"\"\"");
        return;
    }
    let lines = wrapped(text, WIDTH - 7);
    let _ = writeln!(out, "    \"\"\"{}\n    \"\"\"", lines.join("\n    "));
}

fn of_kind(kind: &Kind) -> String {
    match kind {
        Kind::Address | Kind::Duration(..) | Kind::Mode | Kind::Name | Kind::Size(..) | Kind::Text | Kind::Url => {
            "str".to_owned()
        }
        Kind::Attributes => "dict[str, str]".to_owned(),
        Kind::Choice(words) => {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            format!("Literal[{}]", words.join(", "))
        }
        Kind::Command => "list[str]".to_owned(),
        Kind::Count(..) => "int".to_owned(),
        Kind::Flag => "bool".to_owned(),
        Kind::Headers => "dict[str, Secret]".to_owned(),
        Kind::Number(..) => "float".to_owned(),
        Kind::Path => "str | os.PathLike[str]".to_owned(),
        Kind::Proxy | Kind::Secret => "Secret".to_owned(),
        Kind::Signals => "list[Literal[\"traces\", \"metrics\", \"logs\"]]".to_owned(),
    }
}
