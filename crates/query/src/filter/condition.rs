//! What must hold of one attribute: `k=v`, `k!=v`, `k>5`, `k~regex`, `k`, `!k`.

use std::cmp::Ordering;
use std::fmt;

use super::text::{Pattern, unquoted};

/// What must hold of one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The key.
    pub key: String,
    /// Whether the opposite must hold. What is negated also holds of a record without the attribute.
    pub negated: bool,
    /// What is compared.
    pub is: Comparison,
}

/// What is compared with an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It is there.
    Present,
    /// Its value, as text, is this.
    Equal(String),
    /// Its value is a number that stands so to this one.
    Number(Order, Number),
    /// Its value, as text, has something in it that the expression matches.
    Like(Pattern),
}

/// How one number stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Order {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Order::Less => ordering.is_lt(),
            Order::AtMost => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::AtLeast => ordering.is_ge(),
        }
    }
}

/// A number as it is written: an integer is compared exactly.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// Without a point.
    Integer(i128),
    /// With one, or too large.
    Float(f64),
}

impl Number {
    /// A number as a person or JSON writes it; infinite and undefined ones are none.
    pub fn parse(text: &str) -> Option<Self> {
        let first = text.bytes().next()?;
        // What `f64` takes beside numbers: inf, nan.
        if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
            return None;
        }
        if let Ok(integer) = text.parse() {
            return Some(Number::Integer(integer));
        }
        text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Number::Float)
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
            (Number::Integer(a), Number::Float(b)) => (a as f64).partial_cmp(&b),
            (Number::Float(a), Number::Integer(b)) => a.partial_cmp(&(b as f64)),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare(*other) == Some(Ordering::Equal)
    }
}

impl Eq for Number {}

/// The operators, those first that begin like another.
const OPERATORS: [&str; 8] = ["!=", "!~", ">=", "<=", "=", "~", ">", "<"];

impl Condition {
    /// Reads `k=v`, `k!=v`, `k>5`, `k>=5`, `k<5`, `k<=5`, `k~regex`, `k!~regex`, `k` and `!k`. A key with such a sign in it,
    /// and a value that begins and ends with a double quote, are written as JSON strings.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (absent, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (key, rest) = key(rest)?;
        if key.is_empty() {
            return Err(format!("{text:?} has no key: {FORM}"));
        }
        let key = key.into_owned();
        if rest.is_empty() {
            return Ok(Self { key, negated: absent, is: Comparison::Present });
        }
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
        let operator = operator.filter(|_| !absent).ok_or_else(|| format!("{text:?} cannot be read: {FORM}"))?;
        let value = &rest[operator.len()..];
        let number = |order| {
            let number = Number::parse(value);
            let number = number.ok_or_else(|| format!("{text:?} compares with {value:?}, which is not a number"))?;
            Ok::<_, String>(Comparison::Number(order, number))
        };
        let (negated, is) = match operator {
            "=" => (false, Comparison::Equal(unquoted(value)?)),
            "!=" => (true, Comparison::Equal(unquoted(value)?)),
            "~" => (false, Comparison::Like(Pattern::regex(value, false)?)),
            "!~" => (true, Comparison::Like(Pattern::regex(value, false)?)),
            "<" => (false, number(Order::Less)?),
            "<=" => (false, number(Order::AtMost)?),
            ">" => (false, number(Order::Greater)?),
            _ => (false, number(Order::AtLeast)?),
        };
        Ok(Self { key, negated, is })
    }

    /// The attribute `key` is `value`.
    pub fn equals(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), negated: false, is: Comparison::Equal(value.into()) }
    }

    /// Whether it holds of a record whose attribute has this value: `None` where it has none, `Some(None)` where the value is
    /// empty.
    pub fn holds(&self, value: Option<Option<&[u8]>>) -> bool {
        let holds = match (&self.is, value) {
            (_, None) => false,
            (Comparison::Present, Some(_)) => true,
            (_, Some(None)) => false,
            (Comparison::Equal(wanted), Some(Some(value))) => wanted.as_bytes() == value,
            (Comparison::Like(pattern), Some(Some(value))) => pattern.is_in(value),
            (Comparison::Number(order, number), Some(Some(value))) => {
                let value = std::str::from_utf8(value).ok().and_then(Number::parse);
                value.and_then(|value| value.compare(*number)).is_some_and(|ordering| order.holds(ordering))
            }
        };
        holds != self.negated
    }
}

const FORM: &str = "write key=value, key!=value, key>5, key~regex, key or !key";

/// The key at the beginning of `text`, and what follows it.
fn key(text: &str) -> Result<(std::borrow::Cow<'_, str>, &str), String> {
    if text.starts_with('"') {
        let mut parsed = serde_json::Deserializer::from_str(text).into_iter::<String>();
        return match parsed.next() {
            Some(Ok(key)) => Ok((key.into(), &text[parsed.byte_offset()..])),
            _ => Err(format!("{text:?} begins with a double quote and is not a JSON string")),
        };
    }
    let sign = |(at, c): (usize, char)| match c {
        '=' | '<' | '>' | '~' => true,
        '!' => matches!(text.as_bytes().get(at + 1), Some(b'=' | b'~')),
        _ => false,
    };
    let end = text.char_indices().find(|found| sign(*found)).map_or(text.len(), |(at, _)| at);
    Ok((text[..end].into(), &text[end..]))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.key.is_empty() && !self.key.contains(['=', '<', '>', '~', '!', '"']);
        let key = if plain { self.key.clone() } else { serde_json::Value::from(self.key.as_str()).to_string() };
        let not = if self.negated { "!" } else { "" };
        match &self.is {
            Comparison::Present => write!(f, "{not}{key}"),
            Comparison::Equal(value) if value.starts_with('"') && value.ends_with('"') => {
                write!(f, "{key}{not}={}", serde_json::Value::from(value.as_str()))
            }
            Comparison::Equal(value) => write!(f, "{key}{not}={value}"),
            Comparison::Like(pattern) => write!(f, "{key}{not}~{}", pattern.source()),
            Comparison::Number(order, number) => {
                let sign = match order {
                    Order::Less => "<",
                    Order::AtMost => "<=",
                    Order::Greater => ">",
                    Order::AtLeast => ">=",
                };
                match number {
                    Number::Integer(number) => write!(f, "{key}{sign}{number}"),
                    Number::Float(number) => write!(f, "{key}{sign}{number:?}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn holds(condition: &str, value: Option<Option<&str>>) -> bool {
        Condition::parse(condition).unwrap().holds(value.map(|value| value.map(str::as_bytes)))
    }

    #[test]
    fn each_operator_says_what_it_says() {
        let is = |value| Some(Some(value));
        for (condition, value, wanted) in [
            ("k=v", is("v"), true),
            ("k=v", is("w"), false),
            ("k=v", None, false),
            ("k!=v", is("w"), true),
            ("k!=v", is("v"), false),
            ("k!=v", None, true),
            ("k!=v", Some(None), true),
            ("k", is(""), true),
            ("k", Some(None), true),
            ("k", None, false),
            ("!k", None, true),
            ("!k", Some(None), false),
            ("k=", is(""), true),
            ("k=", Some(None), false),
            ("k>5", is("6"), true),
            ("k>5", is("5"), false),
            ("k>=5", is("5.0"), true),
            ("k>5", is("5.5"), true),
            ("k>5", is("text"), false),
            ("k>5", is("inf"), false),
            ("k<-1", is("-2"), true),
            ("k<=9007199254740993", is("9007199254740993"), true),
            ("k<9007199254740993", is("9007199254740992"), true),
            ("k>9007199254740992", is("9007199254740993"), true),
            ("k~^/api/", is("/api/x"), true),
            ("k~^/api/", is("x/api/"), false),
            ("k!~^/api/", None, true),
            ("k=a=b", is("a=b"), true),
            ("k=\"\\n\"", is("\n"), true),
            ("\"a=b\"=c", is("c"), true),
            ("\"a>b\"", is("c"), true),
            ("k=ü", is("ü"), true),
        ] {
            assert_eq!(holds(condition, value), wanted, "{condition} of {value:?}");
        }
        assert_eq!(Condition::parse("\"a=b\"=c").unwrap().key, "a=b");
        assert_eq!(Condition::parse("has!mark=c").unwrap().key, "has!mark");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_form() {
        for (wrong, word) in [
            ("", "no key"),
            ("=v", "no key"),
            ("!=v", "no key"),
            ("!k=v", "cannot be read"),
            ("k>five", "not a number"),
            ("k>", "not a number"),
            ("k>nan", "not a number"),
            ("k~(", "not a regular expression"),
            ("\"a=c", "not a JSON string"),
            ("k=\"\\x\"", "not a JSON string"),
        ] {
            let error = Condition::parse(wrong).unwrap_err();
            assert!(error.contains(word), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["k=v", "k!=v", "k", "!k", "k>=5", "k<0.5", "k~a.c", "k!~a", "\"a=b\"=\"\\\"q\\\"\"", "k="] {
            let condition = Condition::parse(text).unwrap();
            assert_eq!(Condition::parse(&condition.to_string()).unwrap(), condition, "{text}");
        }
    }
}
