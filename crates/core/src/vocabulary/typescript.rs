//! `ts/src/vocabulary.ts` and `ts/src/keys.ts`, as the formatter of the repository would write them.

use std::fmt::Write as _;

use serde_json::Value;

use super::tree::{Entry, REQUIRED, entries};
use super::{Vocabulary, camel, capital, key_text, wrapped};
use crate::config::default_value;
use crate::config::keys;
use crate::key::{Key, Kind};

/// The longest line.
const WIDTH: usize = 120;

const HEAD: &str = "// Written from the tables of the core: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.\n\n";

/// The words that are the same in every language, as types.
pub(super) fn vocabulary(vocabulary: &Vocabulary) -> String {
    let mut out = HEAD.to_owned();
    let reports = &vocabulary.reports;
    let text = |words: &[String]| words.to_vec();
    let fields = |words: &[String]| words.iter().map(|name| camel(name)).collect::<Vec<_>>();
    let types: [(&str, &str, Vec<String>); 11] = [
        (
            "ErrorCode",
            "What went wrong, chosen by what the caller should do next. The names are stable in every language.",
            vocabulary.errors.iter().map(|error| error.code.to_owned()).collect(),
        ),
        ("EventName", "What happened.", vocabulary.events.iter().map(|event| event.name.to_owned()).collect()),
        ("Severity", "How much an event asks of a person.", vec!["info".to_owned(), "warn".to_owned()]),
        (
            "MetricName",
            "Everything that is counted.",
            vocabulary.metrics.iter().map(|metric| metric.name.to_owned()).collect(),
        ),
        ("HealthStatus", "How well it goes.", text(&reports.health_status)),
        ("BreakerState", "Where the circuit breaker of a destination stands.", text(&reports.breaker_state)),
        ("StatsField", "The fields of a library's statistics.", fields(&reports.stats)),
        ("HealthField", "The fields of a library's health.", fields(&reports.health)),
        ("ProblemField", "The fields of one thing that is not well.", fields(&reports.problem)),
        ("ForwarderField", "The fields of how a destination stands.", fields(&reports.forwarder)),
        ("EventField", "The fields of an event.", fields(&reports.event)),
    ];
    for (position, (name, meaning, words)) in types.iter().enumerate() {
        let gap = if position == 0 { "" } else { "\n" };
        let _ = writeln!(out, "{gap}/** {meaning} */\n{}", union(name, words));
    }
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        out,
        "\n/** The version of the package, which that of its addon must be. */\nexport const VERSION = '{version}';"
    );
    out
}

/// `export type Name = 'a' | 'b';`, on lines of their own where one is too short for all.
fn union(name: &str, words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("export type {name} = {};", quoted.join(" | "));
    if line.len() <= WIDTH {
        return line;
    }
    format!("export type {name} =\n  | {};", quoted.join("\n  | "))
}

/// The configuration as types.
pub(super) fn keys() -> String {
    let mut out = HEAD.to_owned();
    out.push_str(
        "import type { Signal } from './signal.js';\n\n\
         /** A time with a unit, such as `500ms`, `5s`, `15m`, `24h` or `7d`. Bare numbers are refused. */\n\
         export type Duration = string;\n\
         /** Bytes with a unit, such as `64KiB`, `128MiB` or `4GiB`. Bare numbers are refused. */\n\
         export type Size = string;\n\
         /** A secret: the text itself, a variable that holds it, or a file that does. It prints as `***`. */\n\
         export type Secret = string | { env: string } | { file: string };\n\n\
         /**\n \
         * Everything that can be set, with the keys of the configuration file in camel case. Above the environment\n \
         * (`OTLP_ARROW_*`), which is above the file (`OTLP_ARROW_CONFIG`, else `./otlp-arrow.yaml` if there is one).\n \
         */\n\
         export interface OtlpConfig {\n",
    );
    members(&mut out, "", 1);
    for (name, prefix) in [("ListenConfig", "listen"), ("DestinationConfig", "forward[]"), ("ProxyConfig", keys::PROXY)]
    {
        let _ = writeln!(out, "}}\n\n/** {}. */\nexport interface {name} {{", capital(keys::standard().group(prefix)));
        members(&mut out, prefix, 1);
    }
    let open: Vec<String> =
        keys::standard().keys().iter().filter(|key| key.kind.is_open()).map(|key| quoted_last(&key.path)).collect();
    let _ = write!(
        out,
        "}}\n\n/** Keys whose own keys are names of the user's, not of ours. */\n\
         export const OPEN_KEYS: ReadonlySet<string> = new Set([{}]);\n",
        open.join(", ")
    );
    out
}

fn quoted_last(path: &str) -> String {
    format!("'{}'", camel(path.rsplit('.').next().unwrap_or(path)))
}

/// One line for each name below `prefix`.
fn members(out: &mut String, prefix: &str, depth: usize) {
    let lead = "  ".repeat(depth);
    for (name, entry) in entries(prefix) {
        let name = camel(name);
        match entry {
            Entry::Key(key) => {
                comment(out, &lead, &documented(key));
                let mark = if REQUIRED.contains(&&*key.path) { "" } else { "?" };
                let _ = writeln!(out, "{lead}{name}{mark}: {};", of_kind(&key.kind));
            }
            Entry::Group(path) if path == "listen" => {
                comment(out, &lead, &format!("{}.", capital(keys::standard().group(&path))));
                let _ = writeln!(out, "{lead}{name}?: boolean | ListenConfig;");
            }
            // Its URL may stand for all of it.
            Entry::Group(path) if path == keys::PROXY => {
                comment(out, &lead, &format!("{}.", capital(keys::standard().group(&path))));
                let _ = writeln!(out, "{lead}{name}?: Secret | ProxyConfig;");
            }
            Entry::Group(path) if path == "forward" => {
                comment(out, &lead, &format!("{}.", capital(keys::standard().group(&path))));
                let _ = writeln!(out, "{lead}{name}?: 'env' | DestinationConfig | ('env' | DestinationConfig)[];");
            }
            Entry::Group(path) => {
                comment(out, &lead, &format!("{}.", capital(keys::standard().group(&path))));
                let _ = writeln!(out, "{lead}{name}?: {{");
                members(out, &path, depth + 1);
                let _ = writeln!(out, "{lead}}};");
            }
        }
    }
}

fn documented(key: &Key) -> String {
    let default = match default_value(key) {
        Some(Value::Array(words)) => {
            let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("'{word}'")).collect();
            format!(" @default [{}]", words.join(", "))
        }
        Some(Value::String(text)) => format!(" @default '{text}'"),
        Some(other) => format!(" @default {other}"),
        None => String::new(),
    };
    format!("{}.{default}", capital(&key_text(key)))
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

fn of_kind(kind: &Kind) -> String {
    match kind {
        Kind::Address | Kind::Mode | Kind::Name | Kind::Path | Kind::Text | Kind::Url => "string".to_owned(),
        Kind::Attributes => "{ [name: string]: string }".to_owned(),
        Kind::Choice(words) => {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
            words.join(" | ")
        }
        Kind::Command => "string[]".to_owned(),
        Kind::Count(..) | Kind::Number(..) => "number".to_owned(),
        Kind::Duration(..) => "Duration".to_owned(),
        Kind::Flag => "boolean".to_owned(),
        Kind::Headers => "{ [name: string]: Secret }".to_owned(),
        Kind::Proxy | Kind::Secret => "Secret".to_owned(),
        Kind::Signals => "Signal[]".to_owned(),
        Kind::Size(..) => "Size".to_owned(),
    }
}
