//! Tests of text: what a name must be, what a body must have in it, how an id must begin.

use std::fmt;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

/// The most memory that a compiled regular expression may take.
const REGEX_BYTES: usize = 4 << 20;

/// What one of the texts of a service, a name, a kind or a status must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextTest {
    /// Whether it must not be so.
    pub negated: bool,
    /// What it must be.
    pub is: TextIs,
}

/// What a text must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextIs {
    /// This. The empty text is also what is not there.
    Equal(String),
    /// Something that this regular expression matches somewhere.
    Like(Pattern),
}

impl TextTest {
    /// Exactly `text`.
    pub fn equals(text: impl Into<String>) -> Self {
        Self { negated: false, is: TextIs::Equal(text.into()) }
    }

    /// `checkout`, `!checkout`, `~^check`, `!~^check`; in double quotes nothing is taken for an operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (negated, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let is = match rest.strip_prefix('~') {
            Some(pattern) => TextIs::Like(Pattern::regex(pattern, false)?),
            None => TextIs::Equal(unquoted(rest)?),
        };
        if text.is_empty() {
            return Err("is empty: leave it out, or write \"\" for what has none".to_owned());
        }
        Ok(Self { negated, is })
    }

    /// Whether it holds of `text`.
    pub fn holds(&self, text: &str) -> bool {
        let holds = match &self.is {
            TextIs::Equal(wanted) => wanted == text,
            TextIs::Like(pattern) => pattern.is_in(text.as_bytes()),
        };
        holds != self.negated
    }

    /// The one text that it asks for, if it asks for one.
    pub fn exactly(&self) -> Option<&str> {
        match &self.is {
            TextIs::Equal(text) if !self.negated => Some(text),
            _ => None,
        }
    }

    /// Whether one of `tests` holds; all of them where all are negations.
    pub fn any(tests: &[TextTest], text: &str) -> bool {
        match tests.iter().all(|test| test.negated) {
            true => tests.iter().all(|test| test.holds(text)),
            false => tests.iter().any(|test| test.holds(text)),
        }
    }
}

/// `text` itself, or what a JSON string in double quotes means.
pub(crate) fn unquoted(text: &str) -> Result<String, String> {
    if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
        return serde_json::from_str(text).map_err(|error| format!("{text} is not a JSON string: {error}"));
    }
    Ok(text.to_owned())
}

/// Text that is looked for within other text.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    ignore_case: bool,
    is_regex: bool,
    matcher: Arc<Matcher>,
}

/// How it is looked for.
#[derive(Clone)]
pub(crate) enum Matcher {
    /// These bytes.
    Bytes(memchr::memmem::Finder<'static>),
    /// These bytes, ASCII letters in either case: they are lower case here.
    AnyCase(Vec<u8>),
    /// A regular expression; where there are bytes, whatever it matches has them.
    Regex(Regex, Option<memchr::memmem::Finder<'static>>),
}

impl Pattern {
    /// Exactly this text.
    pub fn text(text: &str, ignore_case: bool) -> Self {
        let has_letters = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        let matcher = match ignore_case && has_letters {
            true => Matcher::AnyCase(text.to_ascii_lowercase().into_bytes()),
            false => Matcher::Bytes(memchr::memmem::Finder::new(text.as_bytes()).into_owned()),
        };
        Self { source: text.to_owned(), ignore_case, is_regex: false, matcher: Arc::new(matcher) }
    }

    /// What this regular expression matches, in the syntax of the `regex` crate: linear in time whatever is written.
    pub fn regex(pattern: &str, ignore_case: bool) -> Result<Self, String> {
        let built = RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(REGEX_BYTES)
            .nest_limit(100)
            .build();
        let regex = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("{} is too large a regular expression: write a shorter one", shortened(pattern))
            }
            error => {
                let told = error.to_string();
                let last = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("{} is not a regular expression: {last}", shortened(pattern))
            }
        })?;
        let required = if ignore_case { None } else { required(pattern) };
        let finder = required.map(|bytes| memchr::memmem::Finder::new(&bytes).into_owned());
        let matcher = Matcher::Regex(regex, finder);
        Ok(Self { source: pattern.to_owned(), ignore_case, is_regex: true, matcher: Arc::new(matcher) })
    }

    /// The text or the expression.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Whether it occurs in `text`.
    pub fn is_in(&self, text: &[u8]) -> bool {
        match &*self.matcher {
            Matcher::Bytes(finder) => finder.find(text).is_some(),
            Matcher::AnyCase(wanted) => find_any_case(text, wanted).is_some(),
            Matcher::Regex(regex, Some(finder)) => finder.find(text).is_some() && regex.is_match(text),
            Matcher::Regex(regex, None) => regex.is_match(text),
        }
    }
}

fn shortened(pattern: &str) -> String {
    match pattern.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", &pattern[..end]),
        None => format!("{pattern:?}"),
    }
}

/// Where `wanted`, in lower case, is in `text` in either case.
pub(crate) fn find_any_case(text: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    // The byte that is rarest in English text and in names is looked for, the others are compared around it.
    const RARE: &[u8] = b"zqxjkvbywgpfmucdlhrsnioate";
    let rank = |byte: u8| RARE.iter().position(|letter| *letter == byte).map_or(100, |rank| 20 + rank);
    let (at, rarest) = wanted.iter().copied().enumerate().min_by_key(|(_, byte)| {
        if byte.is_ascii_alphabetic() {
            rank(*byte)
        } else if *byte == b' ' {
            200
        } else {
            19
        }
    })?;
    let last = text.len().checked_sub(wanted.len())?;
    let hits = &text[at..at + last + 1];
    let found = |hit: usize| text[hit..hit + wanted.len()].eq_ignore_ascii_case(wanted);
    match rarest.is_ascii_alphabetic() {
        true => memchr::memchr2_iter(rarest, rarest.to_ascii_uppercase(), hits).find(|hit| found(*hit)),
        false => memchr::memchr_iter(rarest, hits).find(|hit| found(*hit)),
    }
}

/// Bytes that are in whatever the expression matches: the longest literal that stands at its top level.
fn required(pattern: &str) -> Option<Vec<u8>> {
    let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
    let parts = match hir.kind() {
        regex_syntax::hir::HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(&hir),
    };
    let literals = parts.iter().filter_map(literal).filter(|bytes| bytes.len() >= 3);
    literals.max_by_key(|bytes| bytes.len())
}

fn literal(part: &regex_syntax::hir::Hir) -> Option<Vec<u8>> {
    use regex_syntax::hir::HirKind;
    match part.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        HirKind::Capture(capture) => literal(&capture.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => literal(&repeated.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(literal).max_by_key(|bytes| bytes.len()),
        _ => None,
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(if self.is_regex { "Regex" } else { "Text" }).field(&self.source).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.is_regex, self.ignore_case) == (&other.source, other.is_regex, other.ignore_case)
    }
}

impl Eq for Pattern {}

/// The beginning of an id: whole bytes, or half of the last one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdPrefix {
    /// Its digits, the rest zero.
    bytes: [u8; 16],
    digits: u8,
    /// Bytes of a complete id: 16 of a trace, 8 of a span.
    width: u8,
}

impl IdPrefix {
    /// Fewer hexadecimal digits than this say too little.
    pub const LEAST: usize = 4;

    /// A complete id, of 16 or of 8 bytes.
    pub fn whole(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        matches!(id.len(), 8 | 16).then_some(Self { bytes, digits: 2 * id.len() as u8, width: id.len() as u8 })
    }

    /// An id of `width` bytes, or at least the first [`IdPrefix::LEAST`] of its hexadecimal digits.
    pub fn parse(text: &str, width: usize) -> Result<Self, String> {
        let most = 2 * width;
        let mut prefix = Self { bytes: [0; 16], digits: 0, width: width as u8 };
        let right = (Self::LEAST..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !right {
            return Err(format!(
                "is not an id: write its {most} hexadecimal digits, or at least the first {}",
                Self::LEAST
            ));
        }
        for (at, digit) in text.chars().enumerate() {
            let digit = digit.to_digit(16).unwrap_or_default() as u8;
            prefix.bytes[at / 2] |= if at % 2 == 0 { digit << 4 } else { digit };
        }
        prefix.digits = text.len() as u8;
        Ok(prefix)
    }

    /// Whether `id` begins so.
    pub fn begins(&self, id: &[u8]) -> bool {
        let (whole, half) = (usize::from(self.digits / 2), self.digits % 2 == 1);
        id.len() == usize::from(self.width)
            && id[..whole] == self.bytes[..whole]
            && (!half || id[whole] >> 4 == self.bytes[whole] >> 4)
    }

    /// The beginning of the id as a number whose first byte is the highest, which bits of it count, and bytes of a complete id.
    pub(crate) fn bits(&self) -> (u128, u128, usize) {
        let mask = u128::MAX.checked_shl(128 - 4 * u32::from(self.digits)).unwrap_or_default();
        (u128::from_be_bytes(self.bytes), mask, usize::from(self.width))
    }

    /// The id, where it is complete.
    pub fn complete(&self) -> Option<&[u8]> {
        (self.digits == 2 * self.width).then(|| &self.bytes[..usize::from(self.width)])
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..usize::from(self.digits)).try_for_each(|at| {
            let byte = self.bytes[at / 2];
            write!(f, "{:x}", if at % 2 == 0 { byte >> 4 } else { byte & 15 })
        })
    }
}

impl fmt::Debug for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdPrefix({self})")
    }
}

#[cfg(test)]
mod tests;
