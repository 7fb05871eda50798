//! Which services a credential may send for: patterns on `service.name`.

use std::fmt;

/// The longest pattern.
const LONGEST: usize = 256;
/// The most patterns of one credential.
const MOST: usize = 256;

/// Names of services, each with `*` for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services(Vec<String>);

impl Services {
    /// Reads them.
    ///
    /// # Errors
    /// Which one is wrong, and what to write.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut read = Vec::new();
        for pattern in patterns {
            if pattern.is_empty() {
                return Err("\"\" names no service: write a name, with * for any text".to_owned());
            }
            if pattern.len() > LONGEST {
                return Err(format!("a pattern of {} bytes: at most {LONGEST}", pattern.len()));
            }
            if pattern.chars().any(char::is_control) {
                return Err(format!("{pattern:?} has control characters: write a name, with * for any text"));
            }
            read.push(pattern.to_owned());
        }
        match read.len() {
            0 => Err("an empty list allows nothing: name services, or leave the key out to allow all".to_owned()),
            count if count > MOST => Err(format!("{count} patterns: at most {MOST}, and * stands for any text")),
            _ => Ok(Self(read)),
        }
    }

    /// Whether records of the service `name` may be sent; a resource without a name is allowed by `*` only.
    pub fn allow(&self, name: Option<&str>) -> bool {
        self.0.iter().any(|pattern| name.map_or(pattern == "*", |name| matches(pattern.as_bytes(), name.as_bytes())))
    }
}

impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// Whether all of `text` is what `pattern` says. Goes back to the last star only: the time is at most the product of both lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star = None;
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at + 1, read));
            at += 1;
        } else if pattern.get(at) == Some(&text[read]) {
            (at, read) = (at + 1, read + 1);
        } else if let Some((behind, from)) = star {
            star = Some((behind, from + 1));
            (at, read) = (behind, from + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_as_a_whole() {
        for (pattern, name, allowed) in [
            ("shop", "shop", true),
            ("shop", "shop-cart", false),
            ("shop", "workshop", false),
            ("shop", "Shop", false),
            ("shop-*", "shop-cart", true),
            ("shop-*", "shop-", true),
            ("shop-*", "shop", false),
            ("shop-*", "a-shop-cart", false),
            ("*-shop", "a-shop", true),
            ("*-shop", "a-shop-b", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "x", true),
            ("shop.*", "shopXcart", false),
            ("shop?", "shops", false),
            ("[a-z]*", "shop", false),
            ("läden-*", "läden-ä", true),
        ] {
            assert_eq!(Services::parse([pattern]).unwrap().allow(Some(name)), allowed, "{pattern} {name}");
        }
        let several = Services::parse(["cart", "pay-*"]).unwrap();
        assert!(several.allow(Some("cart")) && several.allow(Some("pay-eu")) && !several.allow(Some("pay")));
        assert_eq!(several.to_string(), "cart, pay-*");
    }

    #[test]
    fn who_has_no_name_is_not_one_of_some() {
        assert!(!Services::parse(["shop", "s*", "**"]).unwrap().allow(None));
        assert!(Services::parse(["shop", "*"]).unwrap().allow(None));
        assert!(Services::parse(["*"]).unwrap().allow(Some("")));
    }

    #[test]
    fn lists_that_mean_nothing_are_refused() {
        for list in [vec![], vec![""], vec!["shop", ""], vec!["a\nb"], vec!["a\u{1b}[2J"]] {
            assert!(Services::parse(list.iter().copied()).is_err(), "{list:?}");
        }
        assert!(Services::parse([&*"a".repeat(LONGEST + 1)]).is_err());
        assert!(Services::parse(vec!["a"; MOST + 1]).is_err());
    }

    #[test]
    fn a_pattern_of_many_stars_ends() {
        // 256 × 65,536 steps at most; trying all ways would take longer than the universe has.
        let pattern = Services::parse([&*format!("{}b", "*a".repeat(127))]).unwrap();
        assert!(!pattern.allow(Some(&"a".repeat(65_536))));
    }
}
