//! Words and their values as a JSON object.

use otlp_arrow_base::error::{Code, OtlpError, Result};
use serde_json::Value;

/// The words of a JSON object: a list is a word that is given several times, null one that is not given. `what` it is that has
/// them, for errors; without content it has none.
pub fn words_of_json(what: &str, json: &[u8]) -> Result<Vec<(String, String)>> {
    let problem = |text: &str| OtlpError::new(Code::InvalidConfig, format!("{what} {text}"));
    if json.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let value: Value = serde_json::from_slice(json).map_err(|error| problem(&format!("is not JSON: {error}")))?;
    let Value::Object(object) = value else {
        return Err(problem("is not a JSON object of words and values"));
    };
    let mut words = Vec::new();
    for (name, value) in object {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(flag) => flag.to_string(),
                Value::Number(number) => number.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(problem(&format!(
                        "has a value of {name:?} that is neither text, a number nor true or false"
                    )));
                }
            };
            words.push((name.clone(), text));
        }
    }
    Ok(words)
}
