//! The table of keys as a JSON Schema, as documentation, as a commented file, and the effective values as YAML.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::keys::{self, Table};
use super::load::Loaded;
use super::raw::Origin;
use crate::destinations::Kinds;
use crate::key::{Key, Kind};

/// The JSON Schema (2020-12) of the configuration file and of the arguments, with these kinds of destinations.
pub fn json_schema(kinds: &Kinds) -> Value {
    let mut schema = object(&Table::new(kinds), "");
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("title".to_owned(), json!("otlp-arrow configuration"));
    }
    schema
}

/// The table of keys in Markdown, for `docs/configuration.md`, with these kinds of destinations.
pub fn markdown_table(kinds: &Kinds) -> String {
    let mut out = String::from("| key | takes | default | meaning |\n|---|---|---|---|\n");
    for key in Table::new(kinds).keys() {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let takes = match &key.kind {
            Kind::Choice(words) => {
                let words: Vec<String> = words.iter().map(|(word, text)| format!("`{word}` ({text})")).collect();
                words.join(", ")
            }
            kind => kind.allowed(),
        };
        let _ = writeln!(out, "| `{}` | {takes} | {default} | {} |", key.path, key.text);
    }
    out
}

/// A configuration file in which every key stands as a comment, with its default and what it means; with these kinds of
/// destinations.
pub fn commented_file(kinds: &Kinds) -> String {
    let table = Table::new(kinds);
    let mut out = String::from(
        "# otlp-arrow configuration. Every key stands here with its default: take the first # off to set it, and off the\n\
         # names above it. Times and sizes need a unit (5s, 64MiB). `otlp-arrow config print` shows what is in force.\n",
    );
    let mut open: Vec<&str> = Vec::new();
    for key in table.keys() {
        let (parents, name) = match key.path.rsplit_once('.') {
            Some((parents, name)) => (parents.split('.').collect::<Vec<_>>(), name),
            None => (Vec::new(), &*key.path),
        };
        if parents.first().is_none_or(|first| open.first() != Some(first)) {
            out.push('\n');
        }
        let shared = open.iter().zip(&parents).take_while(|(a, b)| a == b).count();
        for (depth, parent) in parents.iter().enumerate().skip(shared) {
            let _ = writeln!(out, "#{}{}:", indent(&parents[..depth]), parent.trim_end_matches("[]"));
        }
        // The first key of a destination carries the dash of the list.
        let lead = indent(&parents);
        let lead = if key.path == "forward[].name" { format!("{}- ", &lead[..lead.len() - 2]) } else { lead };
        let _ = writeln!(out, "#{lead}{name}: {}  # {}; {}", example(key), key.text, key.kind.allowed());
        open = parents;
    }
    out
}

/// The effective configuration as YAML, each value with a comment that says where it came from.
pub fn print(loaded: &Loaded) -> String {
    let mut lines: Vec<(String, Option<&Origin>)> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for setting in &loaded.settings {
        let path = segments(&setting.key);
        // In a file these begin a variable.
        let value = match &setting.value {
            value if value.contains("${") || value.contains("$$") => &value.replace('$', "$$"),
            value => value,
        };
        let shared = open.iter().zip(&path).take_while(|(a, b)| a == b).count().min(path.len() - 1);
        let mut dash = None;
        for (depth, segment) in path.iter().enumerate().skip(shared) {
            let last = depth + 1 == path.len();
            let lead = match dash.take() {
                Some(lead) => lead,
                None => "  ".repeat(depth),
            };
            match (segment.starts_with('['), last) {
                (true, true) => lines.push((format!("{lead}- {value}"), Some(&setting.origin))),
                (true, false) => dash = Some(format!("{lead}- ")),
                (false, true) => lines.push((format!("{lead}{segment}: {value}"), Some(&setting.origin))),
                (false, false) => lines.push((format!("{lead}{segment}:"), None)),
            }
        }
        open = path;
    }
    let width = lines.iter().map(|(text, _)| text.chars().count()).filter(|width| *width <= 48).max().unwrap_or(0);
    let mut out = String::new();
    for (text, origin) in lines {
        let _ = match origin {
            Some(origin) => writeln!(out, "{text:width$}  # {origin}"),
            None => writeln!(out, "{text}"),
        };
    }
    out
}

/// `forward[0].name` in its parts: `forward`, `[0]`, `name`.
fn segments(key: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for segment in key.split('.') {
        match segment.split_once('[') {
            Some((name, position)) => parts.extend([name.to_owned(), format!("[{position}")]),
            None => parts.push(segment.to_owned()),
        }
    }
    parts
}

fn indent(parents: &[&str]) -> String {
    let lists = parents.iter().filter(|parent| parent.ends_with("[]")).count();
    "  ".repeat(parents.len() + lists)
}

fn example(key: &Key) -> &'static str {
    match (&*key.path, &key.kind) {
        ("forward[].signals", _) => "[traces, metrics, logs]",
        ("storage.mode", _) => "\"0600\"",
        ("storage.group", _) => "telemetry",
        (_, _) if !key.default.is_empty() => key.default,
        ("listen.http", _) => "127.0.0.1:4318",
        ("forward[].tls.server_name", _) => "otel.example.com",
        ("on_event.webhook", _) => "{env: WEBHOOK_URL}",
        (_, Kind::Address) => "127.0.0.1:4317",
        (_, Kind::Attributes) => "{service.name: shop, deployment.environment: test}",
        (_, Kind::Command) => "[/usr/local/bin/notify]",
        (_, Kind::Headers) => "{x-tenant: shop}",
        (_, Kind::Name) => "default",
        (_, Kind::Path) => "/etc/otlp-arrow/file.pem",
        (_, Kind::Proxy) => "http://proxy:3128",
        (_, Kind::Secret) => "{env: OTLP_TOKEN}",
        (_, Kind::Url) => "http://collector:4317",
        _ => "text",
    }
}

/// The schema of the map whose template is `prefix`.
fn object(table: &Table, prefix: &str) -> Value {
    let mut properties = Map::new();
    for name in table.children(prefix) {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let schema = match (table.lookup(&path), path.as_str()) {
            (Some(key), _) => leaf(key),
            (None, "listen") => {
                json!({"description": table.group("listen"), "anyOf": [{"type": "boolean"}, object(table, "listen")]})
            }
            (None, "forward") => {
                let one = json!({"anyOf": [{"const": "env"}, {"$ref": "#/$defs/destination"}]});
                json!({
                    "description": table.group("forward"),
                    "anyOf": [{"const": "env"}, {"$ref": "#/$defs/destination"}, {"type": "array", "items": one}],
                })
            }
            // Its URL may stand for all of it.
            (None, keys::PROXY) => json!({
                "description": table.group(keys::PROXY),
                "anyOf": [{"$ref": "#/$defs/secret"}, object(table, keys::PROXY)],
            }),
            (None, _) => object(table, &path),
        };
        properties.insert(name.to_owned(), schema);
    }
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    // Beside what may stand in its place, the description of `listen` is there already.
    if !matches!(prefix, "" | "listen" | keys::PROXY) {
        schema["description"] = json!(table.group(prefix));
    }
    if prefix.is_empty() {
        schema["$defs"] = json!({"destination": object(table, "forward[]"), "secret": secret()});
    }
    schema
}

fn leaf(key: &Key) -> Value {
    let mut schema = match &key.kind {
        Kind::Address => json!({"anyOf": [{"type": "string"}, {"const": false}]}),
        Kind::Attributes => {
            json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}})
        }
        Kind::Choice(words) => json!({"enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>()}),
        Kind::Command => json!({"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}),
        Kind::Count(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        Kind::Duration(..) => {
            json!({"type": "string", "pattern": "^\\s*([0-9]+\\s*(ns|us|µs|ms|s|m|h|d)\\s*)+$"})
        }
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Headers => json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/secret"}}),
        Kind::Mode => json!({"type": "string", "pattern": "^(0o?)?6[046][046]$"}),
        Kind::Name => json!({"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?$"}),
        Kind::Number(from, to) => json!({"type": "number", "minimum": from, "maximum": to}),
        Kind::Path | Kind::Text => json!({"type": "string", "minLength": 1}),
        Kind::Proxy | Kind::Secret => json!({"$ref": "#/$defs/secret"}),
        Kind::Signals => {
            json!({"type": "array", "items": {"enum": ["traces", "metrics", "logs"]}, "minItems": 1})
        }
        Kind::Size(..) => json!({"type": "string", "pattern": "^\\s*[0-9]+\\s*([KkMmGgTt][Ii]?)?[Bb]\\s*$"}),
        Kind::Url => json!({"type": "string", "pattern": "^https?://"}),
    };
    schema["description"] = json!(format!("{} ({})", key.text, key.kind.allowed()));
    if let Some(default) = default(key) {
        schema["default"] = default;
    }
    schema
}

/// The default of a key as JSON.
pub(crate) fn default(key: &Key) -> Option<Value> {
    match key.kind {
        _ if key.default.is_empty() => None,
        Kind::Count(..) => key.default.parse::<u64>().ok().map(Value::from),
        Kind::Number(..) => key.default.parse::<f64>().ok().map(Value::from),
        Kind::Flag => key.default.parse::<bool>().ok().map(Value::from),
        Kind::Signals => Some(json!(key.default.split(", ").collect::<Vec<_>>())),
        _ => Some(json!(key.default)),
    }
}

fn secret() -> Value {
    let reference = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name], "additionalProperties": false});
    json!({"anyOf": [{"type": "string", "minLength": 1}, reference("env"), reference("file")]})
}
