//! The names of the methods of `OtlpLibrary` in each language.

use std::collections::BTreeSet;

use otlp_arrow_testkit::fresh::repository;
use serde::Serialize;

use super::camel;

/// One thing a library can be asked for; `None` where a language has it in no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// The name of the table, in the letter case of the language.
    Same,
    /// Another name.
    As(&'static str),
    None,
}
use Name::{As, None, Same};

/// Rust, TypeScript, Python; and why they differ where they do.
#[rustfmt::skip]
const METHODS: &[(&str, Name, Name, Name, &str)] = &[
    ("new", Same, None, None, "opening is a constructor in Python, and `open` where it waits"),
    ("open", Same, Same, None, "as above"),
    ("builder", Same, None, None, "what a program adds before opening is an argument or an emitter elsewhere"),
    ("export_trace", Same, None, None, "one span is a list of one in languages where lists are free"),
    ("export_traces", Same, Same, Same, ""),
    ("export_metrics", Same, Same, Same, ""),
    ("export_metrics_ref", Same, None, Same, "TypeScript never copies what it is given"),
    ("export_logs", Same, Same, Same, ""),
    ("export_otlp", Same, Same, Same, ""),
    ("append", Same, Same, Same, ""),
    ("span_exporter", Same, Same, Same, ""),
    ("metric_exporter", Same, Same, Same, ""),
    ("log_exporter", Same, Same, Same, ""),
    ("read", Same, Same, Same, ""),
    ("read_ipc", None, Same, None, "bytes for tools of JavaScript that know no Arrow C stream"),
    ("subscribe", Same, Same, Same, ""),
    ("forwarders", Same, Same, Same, ""),
    ("flush", Same, Same, Same, ""),
    ("flush_with", Same, None, None, "options are optional arguments of `flush` elsewhere"),
    ("aflush", None, None, Same, "flush for an event loop"),
    ("shutdown", Same, Same, Same, ""),
    ("ashutdown", None, None, Same, "shutdown for an event loop"),
    ("shutdown_blocking", Same, None, None, "shutdown without an executor"),
    ("stats", Same, Same, Same, ""),
    ("health", Same, Same, Same, ""),
    ("addresses", Same, Same, Same, ""),
    ("events", Same, None, None, "a stream where others have listeners"),
    ("on_event", Same, As("on"), None, "an emitter in Node.js; an argument of the constructor in Python"),
    ("off", None, Same, None, "the other half of `on`"),
    ("config", Same, None, None, "the parsed configuration is a type of Rust"),
];

/// A row as the other languages read it.
#[derive(Serialize)]
pub(super) struct Method {
    name: &'static str,
    rust: Option<String>,
    typescript: Option<String>,
    python: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'static str,
}

pub(super) fn all() -> Vec<Method> {
    let row = |(name, rust, typescript, python, why): &(&'static str, Name, Name, Name, &'static str)| Method {
        name,
        rust: spelled(*rust, (*name).to_owned()),
        typescript: spelled(*typescript, camel(name)),
        python: spelled(*python, (*name).to_owned()),
        why,
    };
    METHODS.iter().map(row).collect()
}

fn spelled(name: Name, same: String) -> Option<String> {
    match name {
        Same => Some(same),
        As(other) => Some(other.to_owned()),
        None => Option::None,
    }
}

/// What Rust has according to the table.
pub(super) fn of_the_table() -> BTreeSet<String> {
    all().into_iter().filter_map(|method| method.rust).collect()
}

/// The public functions of every `impl OtlpLibrary`, hidden ones left out, and those of the trait of the SDK's crate.
pub(super) fn of_the_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in sources("crates/core/src") {
        for part in text.split("\nimpl OtlpLibrary {\n").skip(1) {
            found.extend(functions(part, &["    pub fn ", "    pub async fn "]));
        }
    }
    for text in sources("crates/sdk/src") {
        for part in text.split("\npub trait OtlpLibraryExt").skip(1) {
            found.extend(functions(part, &["    fn ", "    async fn "]));
        }
    }
    found
}

fn sources(folder: &str) -> Vec<String> {
    let mut folders = vec![repository(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n"));
            }
        }
    }
    texts
}

/// The names behind one of `leads` up to the end of the block, but for hidden ones.
fn functions(text: &str, leads: &[&str]) -> Vec<String> {
    let (mut names, mut hidden) = (Vec::new(), false);
    for line in text.lines().take_while(|line| *line != "}") {
        hidden |= line.trim() == "#[doc(hidden)]";
        let Some(rest) = leads.iter().find_map(|lead| line.strip_prefix(lead)) else { continue };
        if !std::mem::take(&mut hidden) {
            names.push(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
        }
    }
    names
}
