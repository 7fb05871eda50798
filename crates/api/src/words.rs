//! Words and values of a question: from the path, the query string, or a JSON object.

use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_query::filter::words_of_json;

/// Where everything is answered.
pub const ROOT: &str = "/api/v1";

/// Words with their values, in the order they were given.
pub(crate) type Words = Vec<(String, String)>;

/// The words of a query string: `a=1&b=x%20y`, where `+` is a blank.
pub(crate) fn of_query(query: &str) -> Result<Words> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name, true)?, decoded(value, true)?))
        })
        .collect()
}

/// What a segment of a path stands for.
pub(crate) fn of_segment(segment: &str) -> Result<String> {
    decoded(segment, false)
}

/// The words of a JSON object: a list is a word that is given several times.
pub(crate) fn of_json(body: &[u8]) -> Result<Words> {
    words_of_json("the body", body)
}

fn decoded(text: &str, plus_is_blank: bool) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'+' if plus_is_blank => bytes.push(b' '),
            b'%' => {
                let digits = behind.first_chunk::<2>().and_then(|digits| {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    Some(16 * digit(digits[0])? + digit(digits[1])?)
                });
                let Some(byte) = digits.and_then(|byte| u8::try_from(byte).ok()) else {
                    return Err(undecoded(text, "has a % without two hexadecimal digits behind it: write % as %25"));
                };
                bytes.push(byte);
                rest = &behind[2..];
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| undecoded(text, "is not UTF-8 when its percent signs are decoded"))
}

fn undecoded(text: &str, problem: &str) -> OtlpError {
    let shown: String = text.chars().take(100).collect();
    OtlpError::new(Code::InvalidConfig, format!("{shown:?} of the address {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Words {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn query_strings_are_read_as_browsers_write_them() {
        let read = |query: &str| of_query(query).map_err(|error| error.message().to_owned());
        assert_eq!(
            read("attr=http.route%3D%2Fcart&text=a+b%2Bc&ignore_case&attr=x%3E5&&name=%C3%BC"),
            Ok(pairs(&[
                ("attr", "http.route=/cart"),
                ("text", "a b+c"),
                ("ignore_case", ""),
                ("attr", "x>5"),
                ("name", "ü")
            ]))
        );
        assert_eq!(read(""), Ok(Words::new()));
        for query in ["a=%", "a=%4", "a=%zz", "a=%ff", "%+1=x"] {
            assert!(read(query).is_err(), "{query}");
        }
        assert_eq!(of_segment("a+b%2Fc").unwrap(), "a+b/c");
    }

    #[test]
    fn bodies_are_objects_of_words() {
        let read = |body: &str| of_json(body.as_bytes()).map_err(|error| error.message().to_owned());
        assert_eq!(
            read(r#"{"a":"-2h..-1h","limit":5,"attr":["x","y>2"],"ignore_case":true,"b":null}"#),
            Ok(pairs(&[("a", "-2h..-1h"), ("attr", "x"), ("attr", "y>2"), ("ignore_case", "true"), ("limit", "5")]))
        );
        assert_eq!((read(""), read("{}")), (Ok(Words::new()), Ok(Words::new())));
        for body in ["[]", "1", "{", r#"{"a":{"b":1}}"#, r#"{"a":[[1]]}"#, "nonsense"] {
            assert!(read(body).is_err(), "{body}");
        }
        assert!(read(&"[".repeat(100_000)).unwrap_err().contains("is not JSON"));
    }
}
