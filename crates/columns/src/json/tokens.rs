//! JSON text to tokens, strictly by RFC 8259, with what OTLP senders need: lone surrogate escapes are let through, and
//! numbers stay text, so that none is out of range here.
//!
//! Bytes of strings are not checked for UTF-8: [`crate::check`] does that, and refuses the record instead of the request.

use crate::DecodeError;

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a [u8],
    /// Whether `raw` holds a backslash.
    pub(crate) escaped: bool,
}

/// A cursor over JSON text. A copy of it looks ahead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        // A byte order mark is allowed to be ignored, and .NET writes one.
        Self { bytes, at: if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } }
    }

    /// Position of the next byte.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[cold]
    pub(crate) fn error(&self, message: &str) -> DecodeError {
        DecodeError::Malformed { offset: self.at, message: message.to_owned() }
    }

    /// The first byte of the next token, without taking it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, DecodeError> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(self.error("the JSON text ends too early"))
    }

    /// Takes one byte of punctuation if it is the next token.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> Result<bool, DecodeError> {
        let is = self.peek()? == byte;
        self.at += usize::from(is);
        Ok(is)
    }

    /// Takes one byte of punctuation.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, message: &str) -> Result<(), DecodeError> {
        if self.eat(byte)? { Ok(()) } else { Err(self.error(message)) }
    }

    /// After an element: true when another one follows, false when `close` was taken.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, DecodeError> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.error("expected a comma or the end of the array or object")),
        }
    }

    /// Takes a key and its colon.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Text<'a>, DecodeError> {
        if self.peek()? != b'"' {
            return Err(self.error("expected a key in quotes"));
        }
        let key = self.string()?;
        self.expect(b':', "expected a colon after the key")?;
        Ok(key)
    }

    /// Takes `null`, `true` or `false`.
    pub(crate) fn literal(&mut self, word: &str) -> Result<(), DecodeError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.error("not a JSON value"))
        }
    }

    /// Takes a string; the next byte is its quote.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, DecodeError> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_prefix(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let raw = &self.bytes[start..self.at];
                    self.at += 1;
                    return Ok(Text { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.error("a control character within a string must be escaped")),
                None => return Err(self.error("the JSON text ends within a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), DecodeError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') if hex4(&self.bytes[self.at + 2..]).is_some() => self.at += 6,
            _ => return Err(self.error("not an escape of JSON")),
        }
        Ok(())
    }

    /// Takes a number, as text.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        match number_len(rest) {
            Some(len) => {
                self.at += len;
                Ok(&rest[..len])
            }
            None => Err(self.error("not a JSON value")),
        }
    }

    /// Takes one value of any kind and depth; memory grows by one bit a level.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        let mut open = Levels::default();
        loop {
            match self.peek()? {
                b'{' => {
                    self.at += 1;
                    if !self.eat(b'}')? {
                        open.push(true);
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    if !self.eat(b']')? {
                        open.push(false);
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b'n' => self.literal("null")?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                _ => {
                    self.number()?;
                }
            }
            loop {
                let Some(object) = open.last() else { return Ok(()) };
                if self.more(if object { b'}' } else { b']' })? {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// As [`Tokens::skip`]: the value as it stands there.
    pub(crate) fn skip_raw(&mut self) -> Result<&'a [u8], DecodeError> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok(&self.bytes[start..self.at])
    }

    /// Makes sure that nothing but white space follows.
    pub(crate) fn finish(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(self.error("text after the end of the JSON value")),
        }
    }
}

/// A stack of booleans, one bit each.
#[derive(Default)]
struct Levels {
    words: Vec<u64>,
    len: usize,
}

impl Levels {
    fn push(&mut self, object: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            let bit = 1 << (self.len % 64);
            *word = if object { *word | bit } else { *word & !bit };
        }
        self.len += 1;
    }

    fn last(&self) -> Option<bool> {
        let word = self.words.last()?;
        Some(word >> ((self.len - 1) % 64) & 1 == 1)
    }

    fn pop(&mut self) {
        self.len -= 1;
        if self.len.is_multiple_of(64) {
            self.words.pop();
        }
    }
}

/// How many bytes come before the first quote, backslash or control character.
#[inline]
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        let special = zero(word ^ (ONES * u64::from(b'"')))
            | zero(word ^ (ONES * u64::from(b'\\')))
            | (word.wrapping_sub(ONES * 0x20) & !word & HIGH);
        if special != 0 {
            return index * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let done = words.len() * 8;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes[done..].iter().position(special).map_or(bytes.len(), |at| done + at)
}

fn hex4(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.get(..4)?;
    digits.iter().try_fold(0u16, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)? as u16))
}

/// Length of the JSON number at the start, if there is one.
pub(crate) fn number_len(bytes: &[u8]) -> Option<usize> {
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at += match bytes.get(at)? {
        b'0' => 1,
        b'1'..=b'9' => digits(at),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        if count == 0 {
            return None;
        }
        at += 1 + count;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let count = bytes.get(at + 1 + sign).map_or(0, |_| digits(at + 1 + sign));
        if count == 0 {
            return None;
        }
        at += 1 + sign + count;
    }
    Some(at)
}

impl Text<'_> {
    /// Appends what the string means. A surrogate without its partner becomes U+FFFD.
    pub(crate) fn append_to(self, out: &mut Vec<u8>) {
        if !self.escaped {
            out.extend_from_slice(self.raw);
            return;
        }
        let mut rest = self.raw;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
            out.extend_from_slice(&rest[..at]);
            rest = append_escape(&rest[at + 1..], out);
        }
        out.extend_from_slice(rest);
    }
}

/// Appends one escape (`rest` begins after its backslash, checked before) and gives what follows it.
fn append_escape<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((&letter, mut after)) = rest.split_first() else { return rest };
    match letter {
        b'b' => out.push(8),
        b'f' => out.push(12),
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        b'u' => {
            let unit = hex4(after).unwrap_or_default();
            after = &after[4..];
            let mut code = u32::from(unit);
            if (0xd800..0xdc00).contains(&unit)
                && let Some(low) = after.strip_prefix(b"\\u").and_then(hex4)
                && (0xdc00..0xe000).contains(&low)
            {
                code = 0x10000 + (u32::from(unit) - 0xd800) * 0x400 + (u32::from(low) - 0xdc00);
                after = &after[6..];
            }
            let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
        other => out.push(other),
    }
    after
}
