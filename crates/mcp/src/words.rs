//! What a tool takes: a table from which its schema is made, arguments are read by, and calls are written.

use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_query::Telemetry;
use otlp_arrow_query::filter::{Filter, Parameters, nearest};
use serde_json::{Map, Value, json};

use crate::page::{LEAST, MOST, USUAL};

/// One argument of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) text: &'static str,
    pub(crate) required: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Number,
    List,
    OneOf(&'static [&'static str]),
}

pub(crate) const fn word(name: &'static str, kind: Kind, text: &'static str) -> Word {
    Word { name, kind, text, required: false }
}

pub(crate) const fn required(name: &'static str, kind: Kind, text: &'static str) -> Word {
    Word { name, kind, text, required: true }
}

/// What every tool takes.
const MAX_CHARS: &str = "max_chars";

/// The schema of these words, flat.
pub(crate) fn schema(words: &[Word]) -> Map<String, Value> {
    let property = |word: &Word| {
        let mut property = match word.kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Number => json!({ "type": "integer" }),
            Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::OneOf(all) => json!({ "type": "string", "enum": all }),
        };
        if !word.text.is_empty() {
            property["description"] = word.text.into();
        }
        (word.name.to_owned(), property)
    };
    let mut properties: Map<String, Value> = words.iter().map(property).collect();
    properties.insert(MAX_CHARS.to_owned(), json!({ "type": "integer", "default": USUAL, "maximum": MOST }));
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    let required: Vec<&str> = words.iter().filter(|word| word.required).map(|word| word.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

/// The arguments of one call.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    tool: &'static str,
    known: &'static [Word],
    pairs: Vec<(&'static str, String)>,
    pub(crate) max_chars: usize,
}

fn wrong(message: String) -> OtlpError {
    OtlpError::new(Code::InvalidConfig, message)
}

/// A value as an error shows it.
fn shown(value: &str) -> String {
    otlp_arrow_query::text::quoted(value, 100)
}

impl Words {
    /// Reads what was given; INVALID_CONFIG says which word is wrong and what can be written.
    pub(crate) fn read(tool: &'static str, known: &'static [Word], given: Option<&Map<String, Value>>) -> Result<Self> {
        let mut words = Self { tool, known, pairs: Vec::new(), max_chars: USUAL };
        for (name, value) in given.into_iter().flatten() {
            if name == MAX_CHARS {
                words.max_chars = max_chars(value)?;
                continue;
            }
            let Some(word) = known.iter().find(|word| word.name == name) else {
                let names = || known.iter().map(|word| word.name).chain([MAX_CHARS]);
                let hint = match nearest(name, names()) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
                };
                return Err(wrong(format!("{tool} takes no {}: {hint}", shown(name))));
            };
            for text in texts(word, value)? {
                words.pairs.push((word.name, text));
            }
        }
        if let Some(missing) = known.iter().find(|word| word.required && words.one(word.name).is_none()) {
            return Err(wrong(format!("{tool} needs {}: {}", missing.name, missing.text)));
        }
        Ok(words)
    }

    /// The value of a word.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a word.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(word, _)| *word == name).map(|(_, value)| value.as_str())
    }

    /// A number between 1 and `most`; `usual` where none is given.
    pub(crate) fn number(&self, name: &str, usual: usize, most: usize) -> Result<usize> {
        let Some(text) = self.one(name) else { return Ok(usual) };
        match text.parse() {
            Ok(number @ 1..) if number <= most => Ok(number),
            _ => Err(wrong(format!("{name} = {} is not a whole number from 1 to {most}", shown(text)))),
        }
    }

    /// The filter that these words of the tool make, with `more` words and values of the filter's own.
    pub(crate) fn filter(&self, telemetry: &Telemetry, names: &[&str], more: &[(&str, &str)]) -> Result<Filter> {
        let given = self.pairs.iter().filter(|(name, _)| names.contains(name));
        let of_filter = |name: &str| {
            match name {
                "attributes" => "attr",
                "since" => "from",
                "until" => "to",
                _ => return name.to_owned(),
            }
            .to_owned()
        };
        let pairs = given.map(|(name, value)| (of_filter(name), value.clone()));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut parameters = Parameters::new(pairs.chain(more));
        let filter = Filter::read(&mut parameters, telemetry.now()).map_err(|error| self.renamed(&error))?;
        parameters.finish()?;
        Ok(filter)
    }

    /// Errors call words what the caller does.
    fn renamed(&self, error: &OtlpError) -> OtlpError {
        let mut message = error.message().to_owned();
        for (theirs, ours) in [("attr = ", "attributes = "), ("from = ", "since = "), ("to = ", "until = ")] {
            if let Some(rest) = message.strip_prefix(theirs) {
                message = format!("{ours}{rest}");
                break;
            }
        }
        wrong(message)
    }

    /// This call with other values of some words; an empty one takes the word out. Numbers may be given as text.
    pub(crate) fn again(&self, set: &[(&str, String)]) -> String {
        call_of(self.tool, self.known, |name| match set.iter().filter(|(word, _)| *word == name).collect::<Vec<_>>() {
            none if none.is_empty() && name == MAX_CHARS => {
                (self.max_chars != USUAL).then(|| self.max_chars.to_string()).into_iter().collect()
            }
            none if none.is_empty() => self.all(name).map(str::to_owned).collect(),
            some => some.iter().filter(|(_, value)| !value.is_empty()).map(|(_, value)| value.clone()).collect(),
        })
    }
}

/// A call as it can be sent: the name of the tool and its arguments in JSON.
pub(crate) fn call(tool: &'static str, known: &[Word], set: &[(&str, String)]) -> String {
    call_of(tool, known, |name| {
        set.iter().filter(|(word, value)| *word == name && !value.is_empty()).map(|(_, value)| value.clone()).collect()
    })
}

fn call_of(tool: &str, known: &[Word], values: impl Fn(&str) -> Vec<String>) -> String {
    let max_chars = [word(MAX_CHARS, Kind::Number, "")];
    let mut parts = Vec::new();
    for word in known.iter().chain(&max_chars) {
        let mut values = values(word.name);
        let value: Value = match (word.kind, values.len()) {
            (_, 0) => continue,
            (Kind::List, _) => values.into(),
            (Kind::Number, _) => values[0].parse::<u64>().map_or_else(|_| values[0].clone().into(), Into::into),
            _ => values.swap_remove(0).into(),
        };
        parts.push(format!("\"{}\":{value}", word.name));
    }
    format!("{tool} {{{}}}", parts.join(","))
}

fn max_chars(value: &Value) -> Result<usize> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.parse() {
        Ok(chars @ LEAST..=MOST) => Ok(chars),
        _ => Err(wrong(format!("max_chars = {} is not a whole number from {LEAST} to {MOST}", shown(&text)))),
    }
}

/// What was given for a word, as texts: agents write numbers as text, and one text where a list is wanted.
fn texts(word: &Word, value: &Value) -> Result<Vec<String>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let problem = |what: &str| wrong(format!("{} = {} {what}", word.name, shown(&value.to_string())));
    let mut texts = match value {
        Value::Null => Vec::new(),
        Value::Array(values) if matches!(word.kind, Kind::List) => {
            values.iter().map(scalar).collect::<Option<_>>().ok_or_else(|| problem("is not a list of texts"))?
        }
        // Conditions as an object, which is what a map of attributes looks like.
        Value::Object(object) if matches!(word.kind, Kind::List) => {
            let pair = |(key, value): (&String, &Value)| Some(format!("{key}={}", scalar(value)?));
            object.iter().map(pair).collect::<Option<_>>().ok_or_else(|| problem("is not a list of texts"))?
        }
        value => vec![scalar(value).ok_or_else(|| problem("is neither text nor a number"))?],
    };
    if !matches!(word.kind, Kind::List) {
        texts.retain(|text| !text.is_empty());
    }
    if let (Kind::OneOf(all), Some(text)) = (word.kind, texts.first())
        && !all.contains(&text.as_str())
    {
        return Err(problem(&format!("is not one of {}", all.join(", "))));
    }
    if let (Kind::Number, Some(text)) = (word.kind, texts.first())
        && text.parse::<u64>().is_err()
    {
        return Err(problem("is not a whole number"));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Word] = &[
        required("trace", Kind::Text, "which"),
        word("attributes", Kind::List, ""),
        word("limit", Kind::Number, ""),
        word("sort", Kind::OneOf(&["newest", "slowest"]), ""),
    ];

    fn read(given: Value) -> Result<Words, String> {
        Words::read("t", KNOWN, given.as_object()).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn arguments_are_read_as_agents_write_them() {
        let words = read(json!({"trace": "ab", "attributes": ["a=1", "b"], "limit": "5", "max_chars": 900})).unwrap();
        assert_eq!(
            (words.one("trace"), words.number("limit", 10, 100).unwrap(), words.max_chars),
            (Some("ab"), 5, 900)
        );
        assert_eq!(words.all("attributes").collect::<Vec<_>>(), ["a=1", "b"]);
        let words = read(json!({"trace": 12, "attributes": {"http.route": "/cart"}, "limit": null})).unwrap();
        assert_eq!((words.one("trace"), words.one("attributes")), (Some("12"), Some("http.route=/cart")));
        for (given, problem) in [
            (json!({}), "t needs trace: which"),
            (json!({"trace": ""}), "needs trace"),
            (json!({"trace": "a", "atributes": "x"}), "did you mean attributes?"),
            (json!({"trace": "a", "zzz": 1}), "there are trace, attributes"),
            (json!({"trace": ["a"]}), "neither text nor a number"),
            (json!({"trace": "a", "sort": "fast"}), "not one of newest, slowest"),
            (json!({"trace": "a", "limit": -1}), "not a whole number"),
            (json!({"trace": "a", "limit": "x"}), "not a whole number"),
            (json!({"trace": "a", "max_chars": 100}), "from 500 to 20000"),
            (json!({"trace": "a", "max_chars": 30000}), "from 500 to 20000"),
            (json!({"trace": "a", "attributes": [["x"]]}), "not a list of texts"),
        ] {
            let error = read(given).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        let limit = read(json!({"trace": "a", "limit": 1000})).unwrap().number("limit", 10, 100).unwrap_err();
        assert!(limit.message().contains("from 1 to 100"));
    }

    #[test]
    fn a_call_can_be_sent_as_it_is_written() {
        let words = read(json!({"trace": "a\"b", "attributes": ["x"], "limit": 5, "max_chars": 700})).unwrap();
        assert_eq!(
            words.again(&[("limit", "9".into()), ("sort", "slowest".into())]),
            r#"t {"trace":"a\"b","attributes":["x"],"limit":9,"sort":"slowest","max_chars":700}"#
        );
        assert_eq!(
            words.again(&[("attributes", String::new()), ("max_chars", "20000".into())]),
            r#"t {"trace":"a\"b","limit":5,"max_chars":20000}"#
        );
        let again = words.again(&[]);
        let (_, arguments) = again.split_once(' ').unwrap();
        assert_eq!(read(serde_json::from_str(arguments).unwrap()).unwrap().again(&[]), again);
        assert_eq!(call("t", KNOWN, &[("trace", "ab".into())]), r#"t {"trace":"ab"}"#);
    }

    #[test]
    fn schemas_are_flat() {
        let schema = Value::Object(schema(KNOWN));
        assert_eq!(schema["required"], json!(["trace"]));
        assert_eq!(schema["properties"]["attributes"], json!({"type": "array", "items": {"type": "string"}}));
        assert!(
            schema["properties"].as_object().unwrap().values().all(|property| property.get("properties").is_none())
        );
    }
}
