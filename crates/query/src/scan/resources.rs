//! The attributes of a resource, which are kept as one JSON text for each distinct resource.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The attributes of one resource, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resource(Vec<(String, Option<String>)>);

impl Resource {
    /// Of the JSON text; nothing of what is none, which no file of ours has.
    pub(crate) fn parse(json: &str) -> Self {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Resource;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Resource, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    pairs.push((key, text_of(value.get())));
                }
                Ok(Resource(pairs))
            }
        }
        serde_json::Deserializer::from_str(json).deserialize_map(Pairs).unwrap_or_default()
    }

    /// The value of `key` as text: `None` without it, `Some(None)` if it is empty.
    pub(crate) fn get(&self, key: &str) -> Option<&Option<String>> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }
}

/// A JSON value of the schema as the text that an attribute of a record would have.
pub(crate) fn text_of(json: &str) -> Option<String> {
    match json.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => serde_json::from_str(json).ok(),
        Some(b'{') => {
            // Bytes and numbers that JSON does not have are objects with one key.
            let wrapped = serde_json::from_str::<std::collections::HashMap<&str, &str>>(json).ok();
            let value = wrapped.filter(|object| object.len() == 1);
            let value = value.and_then(|object| {
                object.get("@bytes").or_else(|| object.get("@double")).map(|value| (*value).to_owned())
            });
            value.or_else(|| Some(json.to_owned()))
        }
        _ => Some(json.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_text_that_a_person_would_type() {
        let resource = Resource::parse(
            r#"{"service.name":"a\nb","n":42,"d":1.5,"b":true,"e":null,"y":{"@bytes":"AAE="},"x":{"@double":"NaN"},"l":[1,"a"],"m":{"k":"v"},"n":43}"#,
        );
        for (key, value) in [
            ("service.name", Some(Some("a\nb"))),
            ("n", Some(Some("42"))),
            ("d", Some(Some("1.5"))),
            ("b", Some(Some("true"))),
            ("e", Some(None)),
            ("y", Some(Some("AAE="))),
            ("x", Some(Some("NaN"))),
            ("l", Some(Some(r#"[1,"a"]"#))),
            ("m", Some(Some(r#"{"k":"v"}"#))),
            ("gone", None),
        ] {
            assert_eq!(resource.get(key).map(Option::as_deref), value, "{key}");
        }
        assert_eq!(resource.iter().count(), 10);
        assert_eq!(Resource::parse("not json"), Resource::default());
    }
}
