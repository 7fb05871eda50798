//! The table of routes as an OpenAPI document.

use otlp_arrow::Code;
use otlp_arrow_base::error::status_of;
use otlp_arrow_query::filter::{PARAMETERS, Parameter};
use serde_json::{Map, Value, json};

use crate::form::Form;
use crate::routes::{Method, ROUTES, Route, What};
use crate::words::ROOT;

/// The document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let mut operations = Map::new();
        if route.method != Method::Post {
            operations.insert("get".to_owned(), operation(route, false));
        }
        if route.method != Method::Get {
            operations.insert("post".to_owned(), operation(route, true));
        }
        paths.insert(route.path.to_owned(), operations.into());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "otlp-arrow",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Questions to a recorder about what it keeps",
            "description": "Answered to programs of the same machine only. docs/query.md says what words and answers mean.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": ROOT }],
        "paths": paths,
        "components": {
            "schemas": { "Searched": searched(), "Error": error() },
            "parameters": PARAMETERS.iter().map(|word| (word.name.to_owned(), parameter(word, false))).collect::<Map<_, _>>(),
            "responses": {
                "Refused": {
                    "description": "Why there is no answer, and what to do",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
                },
            },
        },
    })
}

/// As it is served and committed.
pub(crate) fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

fn operation(route: &Route, post: bool) -> Value {
    let mut parameters: Vec<Value> = route.segments().map(|word| segment(route, word)).collect();
    let words = words(route);
    if !post {
        parameters.extend(words.iter().map(|word| {
            match PARAMETERS.iter().any(|known| (known.name, known.text) == (word.name, word.text)) {
                true => json!({ "$ref": format!("#/components/parameters/{}", word.name) }),
                false => parameter(word, false),
            }
        }));
        if route.asked().is_some() {
            parameters.push(query("timeout", "less time than `query.timeout`: `500ms`", json!({ "type": "string" })));
            if route.forms.len() > 1 {
                let forms: Vec<&str> = route.forms.iter().map(|form| form.word()).collect();
                let text = "what the answer is written as; what `Accept` asks for if it is left out";
                parameters.push(query("format", text, json!({ "type": "string", "enum": forms })));
            }
        }
    }
    let mut operation = json!({
        "operationId": id(route, post),
        "summary": route.text,
        "parameters": parameters,
        "responses": responses(route, post),
    });
    if post && route.asked().is_some() {
        let property = |word: &&Parameter| {
            let one = json!({ "type": ["string", "number", "boolean"], "description": word.text });
            let many = json!({ "type": "array", "items": { "type": ["string", "number", "boolean"] } });
            let schema = if word.repeated { json!({ "anyOf": [one, many], "description": word.text }) } else { one };
            (word.name.to_owned(), schema)
        };
        let properties: Map<String, Value> = words.iter().map(property).collect();
        let schema = json!({ "type": "object", "properties": properties });
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    if let Value::Object(operation) = &mut operation
        && parameters_are_none(operation)
    {
        operation.remove("parameters");
    }
    operation
}

fn parameters_are_none(operation: &Map<String, Value>) -> bool {
    operation.get("parameters").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// The words that a query string may have.
fn words(route: &Route) -> Vec<&'static Parameter> {
    let taken = |word: &&Parameter| {
        let by_path = route.segments().any(|segment| segment == word.name);
        let by_route = route.set().iter().any(|(set, _)| *set == word.name);
        !by_path && !by_route
    };
    let (own, filtered): (&[Parameter], bool) = match (&route.what, route.asked()) {
        (_, Some(asked)) => (asked.parameters(), asked.filtered()),
        (What::Tail, None) => (crate::tail::WORDS, true),
        _ => (&[], false),
    };
    let filter = PARAMETERS.iter().filter(|_| filtered);
    // A tail comes as it is committed.
    let filter = filter.filter(|word| !matches!((&route.what, word.name), (What::Tail, "order" | "cursor")));
    let not = route.asked().map(|asked| asked.not()).unwrap_or_default();
    let filter = filter.filter(|word| !not.contains(&word.name));
    own.iter().chain(filter).filter(taken).collect()
}

fn schema_of(word: &Parameter) -> Value {
    let one = match word.name {
        "limit" | "top" | "exemplars" => json!({ "type": "integer", "minimum": 0 }),
        "ignore_case" => json!({ "type": "boolean" }),
        _ => json!({ "type": "string" }),
    };
    if word.repeated { json!({ "type": "array", "items": one }) } else { one }
}

fn parameter(word: &Parameter, in_path: bool) -> Value {
    let text = format!("{}: {}", word.text, word.form);
    if in_path {
        return json!({ "name": word.name, "in": "path", "required": true, "description": text, "schema": { "type": "string" } });
    }
    query(word.name, &text, schema_of(word))
}

fn query(name: &str, text: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": text, "schema": schema, "style": "form", "explode": true })
}

/// A word that is a segment of the path.
fn segment(route: &Route, word: &'static str) -> Value {
    let known = route.asked().map(|asked| asked.parameters()).unwrap_or_default().iter().chain(PARAMETERS);
    let known = known.into_iter().find(|known| known.name == word);
    match (known, word) {
        (Some(known), _) => parameter(known, true),
        (None, "signal") => json!({
            "name": word, "in": "path", "required": true, "description": "whose records",
            "schema": { "type": "string", "enum": ["traces", "metrics", "logs"] },
        }),
        (None, _) => json!({
            "name": word, "in": "path", "required": true, "description": "name of the destination in the configuration",
            "schema": { "type": "string" },
        }),
    }
}

/// `traces_trace_spans_span`, and what is done.
fn id(route: &Route, post: bool) -> String {
    let path = route.path.trim_start_matches('/').replace(['{', '}'], "").replace(['/', '.'], "_");
    if post { format!("post_{path}") } else { format!("get_{path}") }
}

fn responses(route: &Route, post: bool) -> Value {
    let answer = match route.asked() {
        Some(_) => json!({
            "type": "object",
            "required": ["searched"],
            "properties": { "searched": { "$ref": "#/components/schemas/Searched" } },
        }),
        None => json!({ "type": "object" }),
    };
    let mut content = Map::new();
    if matches!(route.what, What::Tail) {
        content.insert("text/event-stream".to_owned(), json!({ "schema": { "type": "string" } }));
    } else {
        for form in route.forms {
            let schema = match form {
                Form::Json => answer.clone(),
                Form::Arrow | Form::OtlpProtobuf => json!({ "type": "string", "format": "binary" }),
                Form::OtlpJson | Form::Text => json!({ "type": "string" }),
            };
            content.insert(form.media_type().to_owned(), json!({ "schema": schema }));
        }
    }
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": route.text, "content": content }));
    if route.asked().is_some() && !post {
        responses.insert("304".to_owned(), json!({ "description": "What If-None-Match names is still the answer" }));
    }
    for status in ["400", "403", "503"] {
        responses.insert(status.to_owned(), json!({ "$ref": "#/components/responses/Refused" }));
    }
    if post {
        responses.insert("413".to_owned(), json!({ "$ref": "#/components/responses/Refused" }));
        responses.insert("415".to_owned(), json!({ "$ref": "#/components/responses/Refused" }));
    }
    responses.into()
}

fn searched() -> Value {
    let time = json!({ "type": ["string", "null"], "format": "date-time" });
    json!({
        "type": "object",
        "description": "What was searched, so that nothing is left out silently",
        "required": ["from", "to", "rows", "files", "complete"],
        "properties": {
            "from": time,
            "to": time,
            "rows": { "type": "integer" },
            "files": { "type": "integer" },
            "complete": { "type": "boolean" },
            "why": { "type": "string", "enum": ["limit", "max_rows", "timeout", "memory", "cancelled"] },
            "skipped": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["file", "why"],
                    "properties": { "file": { "type": "string" }, "why": { "type": "string" } },
                },
            },
            "hints": { "type": "array", "items": { "type": "string" } },
        },
    })
}

fn error() -> Value {
    let codes: Vec<&str> = Code::all().map(Code::as_str).collect();
    let statuses: Vec<String> = Code::all().map(|code| format!("{} {}", status_of(code).http, code.as_str())).collect();
    json!({
        "type": "object",
        "description": format!("By status: {}", statuses.join(", ")),
        "required": ["code", "message"],
        "properties": { "code": { "type": "string", "enum": codes }, "message": { "type": "string" } },
    })
}
