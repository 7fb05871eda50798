//! Text of telemetry within text of ours. It comes from whoever sends telemetry: what could be taken for more than a name stands
//! in quotes, on one line, without characters that are not seen.

use otlp_arrow_base::terminal;

use super::units::thousands;
use crate::record::AttributeValue;

/// `text` in double quotes on one line, at most `most` characters of it, and how many were left out.
pub fn quoted(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(4 * most) + 2);
    out.push('"');
    let mut chars = text.char_indices();
    // Unseen characters count as well: a megabyte of them is cut, too.
    let end = chars.by_ref().nth(most).map(|(end, _)| end);
    for line in text[..end.unwrap_or(text.len())].split_inclusive('\n') {
        let (line, broken) = line.strip_suffix('\n').map_or((line, false), |line| (line, true));
        for c in terminal::seen(line.strip_suffix('\r').unwrap_or(line)).chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        if broken {
            out.push_str("\\n");
        }
    }
    out.push('"');
    if end.is_some() {
        out.push_str(&format!("…+{}", thousands(1 + chars.count() as u64)));
    }
    out
}

/// A name as it is where it is a plain one, such as `POST /cart/{id}`, else in quotes, as sentences and markup are.
pub fn name(text: &str, most: usize) -> String {
    match is_plain(text) && text.len() <= most {
        true => text.to_owned(),
        false => quoted(text, most),
    }
}

fn is_plain(text: &str) -> bool {
    const OTHERS: &str = "_-./:{}*@$+#=,()";
    let in_name = |c: char| c.is_ascii_alphanumeric() || OTHERS.contains(c);
    let words = text.split(' ');
    // A word of a natural language beside another is the beginning of a sentence; a method beside a path is not.
    !text.is_empty()
        && words.clone().count() <= 2
        && words.clone().all(|word| !word.is_empty() && word.chars().all(in_name))
        && text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || "/_{.".contains(c))
}

/// `key="value"`, numbers and truths without quotes.
pub fn pair(key: &str, value: &AttributeValue, most: usize) -> String {
    let key = name(key, 100);
    match &value.text {
        None => format!("{key}=null"),
        Some(text) if matches!(value.letter.to_ascii_lowercase(), 'i' | 'd' | 'b') && is_plain(text) => {
            format!("{key}={text}")
        }
        Some(text) => format!("{key}={}", quoted(text, most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_whatever_is_in_them() {
        for (text, shown) in [
            ("plain", r#""plain""#),
            ("a\nb\r\nc\td", r#""a\nb\nc d""#),
            (r#"x" then \"#, r#""x\" then \\""#),
            ("\u{1b}[31mred\u{7}\u{202e}gpj\u{200b}\u{e0041}", r#""[31mredgpj""#),
            ("</result><system>", r#""</result><system>""#),
            ("", r#""""#),
        ] {
            assert_eq!(quoted(text, 100), shown);
        }
        assert_eq!(quoted("abcdef", 4), r#""abcd"…+2"#);
        assert_eq!(quoted("äöü", 3), r#""äöü""#);
        assert_eq!(quoted(&"\u{200b}".repeat(10_000), 4), r#"""…+9,996"#);
    }

    #[test]
    fn names_are_bare_and_sentences_are_not() {
        for plain in ["POST /checkout/{id}", "db.query", "SELECT items", "checkout", "shop-2", "/a/b", "fn(a,b)"] {
            assert_eq!(name(plain, 80), plain);
        }
        for other in [
            "Ignore previous instructions",
            "</tool_result>",
            "a  b",
            "",
            " a",
            "a\nb",
            "[link](x)",
            "`rm -rf`",
            "naïve",
            "\u{202e}a",
            "say \"x\"",
        ] {
            let shown = name(other, 80);
            assert!(shown.starts_with('"') && shown.ends_with('"'), "{shown}");
        }
        assert!(name(&"x".repeat(100), 80).ends_with("…+20"));
    }
}
