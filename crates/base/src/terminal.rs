//! Text from elsewhere on its way to a terminal: what a terminal would obey, or a person not see, is written out.
//!
//! Names, bodies and attributes come from whoever sends telemetry, paths from whoever makes files, messages from remotes.
//! Each is one piece of one line and goes through [`one_line`]; what is printed at all goes through [`Guard`] as well.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

/// One piece of a line: line breaks are shown as `↵`, tabs as a space, everything else that is not to be seen as `\u{…}`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| match c {
        '\n' => out.push('↵'),
        '\t' => out.push(' '),
        '\r' => out.push_str("\\r"),
        c => out.extend(c.escape_unicode()),
    })
}

/// `text` without what is not to be seen; line breaks and tabs are blanks.
pub fn seen(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| out.extend(matches!(c, '\n' | '\t').then_some(' ')))
}

/// A path as one piece of a line; what is not text in it is `\u{fffd}`.
pub fn path(path: &Path) -> String {
    one_line(&path.to_string_lossy()).into_owned()
}

/// JSON, or YAML whose texts are quoted as in JSON, that says the same and has no character that a terminal obeys. Such
/// characters stand within quotes only; the line breaks of its form stay.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| match c {
        '\n' => out.push(c),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    })
}

/// `text` with `escape` instead of each character that is not to be seen.
fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let (mut before, mut chars) = (None, text.chars().peekable());
    while let Some(c) = chars.next() {
        if is_unseen(c) || !is_joined(before, c, chars.peek().copied()) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    Cow::Owned(out)
}

/// Control characters, overrides of the direction of text, line separators, and what takes no place: with them text does
/// something to a terminal, or looks like another text.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
        )
}

/// Joiners and variation selectors are part of words and emoji; beside letters of ASCII they only hide.
fn is_joined(before: Option<char>, c: char, after: Option<char>) -> bool {
    let written = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !is_unseen(c));
    match c {
        '\u{200c}' | '\u{200d}' => written(before) && written(after),
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            written(before) || before.is_some_and(|c| matches!(c, '0'..='9' | '#' | '*'))
        }
        _ => true,
    }
}

/// Lets nothing through that a terminal obeys but line breaks: the last resort behind [`one_line`].
#[derive(Debug)]
pub struct Guard<W>(pub W);

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.iter().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) {
            self.0.write_all(bytes)?;
        } else {
            // Whoever prints text hands over whole characters.
            let text = String::from_utf8_lossy(bytes);
            let safe = escaped(&text, |c, out| match c {
                '\n' => out.push(c),
                c => out.extend(c.escape_unicode()),
            });
            self.0.write_all(safe.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// [`Guard`] that lets the colours of our own tables through as well.
#[derive(Debug)]
pub struct Coloured<W>(pub W);

/// Sequences that begin and end a look: bold, dim, colours of the foreground. Whatever else begins like one is not let through.
const COLOURS: [&[u8]; 13] = [
    b"\x1b[0m",
    b"\x1b[1m",
    b"\x1b[2m",
    b"\x1b[31m",
    b"\x1b[32m",
    b"\x1b[33m",
    b"\x1b[34m",
    b"\x1b[35m",
    b"\x1b[36m",
    b"\x1b[92m",
    b"\x1b[94m",
    b"\x1b[95m",
    b"\x1b[96m",
];

impl<W: Write> Write for Coloured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Some(colour) = COLOURS.iter().find(|colour| rest.starts_with(colour)) {
                self.0.write_all(colour)?;
                rest = &rest[colour.len()..];
                continue;
            }
            let next = rest.iter().skip(1).position(|byte| *byte == 0x1b).map_or(rest.len(), |at| at + 1);
            let (text, after) = rest.split_at(next);
            Guard(&mut self.0).write_all(text)?;
            rest = after;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        for (text, shown) in [
            ("plain é µ 日本", "plain é µ 日本"),
            ("a\nb\u{1b}[1m", "a↵b\\u{1b}[1m"),
            ("a\r\n\tb", "a\\r↵ b"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}2J\u{85}\u{7f}\0", "\\u{9b}2J\\u{85}\\u{7f}\\u{0}"),
            ("user\u{202e}gpj.exe\u{2066}x\u{2069}", "user\\u{202e}gpj.exe\\u{2066}x\\u{2069}"),
            ("a\u{2028}b\u{2029}c\u{200f}d\u{61c}", "a\\u{2028}b\\u{2029}c\\u{200f}d\\u{61c}"),
            ("pay\u{200b}ment\u{feff}\u{ad}\u{2060}\u{e0041}", "pay\\u{200b}ment\\u{feff}\\u{ad}\\u{2060}\\u{e0041}"),
            ("pay\u{200d}ment 👩\u{200d}💻 می\u{200c}خواهم", "pay\\u{200d}ment 👩\u{200d}💻 می\u{200c}خواهم"),
            ("a\u{fe0f} ❤\u{fe0f} 1\u{fe0f}\u{20e3}", "a\\u{fe0f} ❤\u{fe0f} 1\u{fe0f}\u{20e3}"),
            ("\u{fffd}", "\u{fffd}"),
        ] {
            assert_eq!(one_line(text), shown, "{text:?}");
            assert_eq!(one_line(shown), shown, "once is enough");
        }
    }

    #[test]
    fn json_says_the_same_without_such_characters() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}[2J\n", "\u{9b}\u{7f}\u{2028}", "\u{e0041}é👩\u{200d}💻"]});
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        let safe = json(&text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).ok(), Some(value));
        assert!(safe.chars().all(|c| c == '\n' || !is_unseen(c)), "{safe}");
        assert!(safe.contains("\\udb40\\udc41é👩\u{200d}💻") && safe.contains("\\u202e"), "{safe}");
    }

    #[test]
    fn colours_of_our_own_are_let_through_and_nothing_like_them() {
        let mut out = Vec::new();
        let text = "\x1b[31m└─ é\x1b[0m\x1b[2J\x1b[8mhidden\x1b\x1b[1m!\x1b";
        assert!(Coloured(&mut out).write_all(text.as_bytes()).is_ok());
        let shown = "\x1b[31m└─ é\x1b[0m\\u{1b}[2J\\u{1b}[8mhidden\\u{1b}\x1b[1m!\\u{1b}";
        assert_eq!(String::from_utf8_lossy(&out), shown);
    }

    #[test]
    fn the_guard_lets_lines_through_and_nothing_else() {
        let mut out = Vec::new();
        let mut guard = Guard(&mut out);
        let hostile = "\u{1b}[2J\u{202e}\r";
        let written = write!(guard, "one\ntwo {hostile} └─\n");
        let written = written.and_then(|()| guard.write_all(b"\xff\n"));
        assert!(written.is_ok());
        assert_eq!(String::from_utf8_lossy(&out), "one\ntwo \\u{1b}[2J\\u{202e}\\u{d} └─\n\u{fffd}\n");
    }
}
