//! The step tape: how the Node.js encoder hands a request to the addon. docs/adr/0006-step-tape.md says why it is.
//!
//! A request is a list of words of 32 bits, with one text and one run of bytes beside it. The first [`HEADER`] words say
//! how much there is of each; a step is one word and the words it takes: the low [`STEP_BITS`] bits are a [`Step`],
//! [`TAG_BITS`] more are a protobuf tag, the rest is an argument. An argument that does not fit is [`ESCAPE`], and a word
//! of its own behind the first.
//!
//! `ts/src/encoder/writer.ts` writes it, with the numbers of `ts/src/encoder/steps.ts`, which is written from the [`Step`]s
//! here.

mod maker;
mod step;
mod texts;
mod typescript;

use std::fmt;

pub use step::Step;
pub use typescript::typescript;

use maker::Maker;

/// Words before the first step: how many words, bytes of text and bytes there are, and 1 if each unit of the text is a
/// byte.
pub const HEADER: usize = 4;
/// Bits of a word that say which step it is.
pub const STEP_BITS: u32 = 5;
/// Bits of a word that are the tag of a field.
pub const TAG_BITS: u32 = 8;
/// An argument that is a word of its own; also how many keys a table has at most.
pub const ESCAPE: u32 = (1 << (32 - STEP_BITS - TAG_BITS)) - 1;
/// Requests and the messages in them are shorter, in bytes: each has four bytes for its length.
pub const MAX_MESSAGE: usize = 1 << 28;
/// The deepest message: a value is cut at a depth of 66, each level of which is three messages.
pub const MAX_OPEN: usize = 256;

/// A request as it came from JavaScript.
#[derive(Clone, Copy, Debug)]
pub struct Tape<'a> {
    /// The steps, without the header.
    pub steps: &'a [u32],
    /// The texts of all steps, one behind the other, in UTF-8.
    pub text: &'a [u8],
    /// The bytes of all steps, one behind the other.
    pub bytes: &'a [u8],
    /// Whether every UTF-16 unit of the text is one byte.
    pub ascii: bool,
}

impl<'a> Tape<'a> {
    /// As much of the three buffers as the header says.
    ///
    /// # Errors
    /// [`BadSteps::Malformed`] if there is less.
    pub fn read(words: &'a [u32], text: &'a [u8], bytes: &'a [u8]) -> Result<Self, BadSteps> {
        let header = words.first_chunk::<HEADER>().ok_or(BadSteps::Malformed)?;
        let [words_length, text_length, bytes_length, ascii] = header.map(|word| word as usize);
        Ok(Self {
            steps: words.get(HEADER..words_length).ok_or(BadSteps::Malformed)?,
            text: text.get(..text_length).ok_or(BadSteps::Malformed)?,
            bytes: bytes.get(..bytes_length).ok_or(BadSteps::Malformed)?,
            ascii: ascii == 1,
        })
    }

    /// Appends the request in protobuf to `out`, at most [`Tape::most`] bytes. After an error some of it may be there.
    ///
    /// # Errors
    /// [`BadSteps`], whatever the tape holds: it never panics.
    pub fn make(&self, out: &mut Vec<u8>) -> Result<(), BadSteps> {
        Maker::new(self, out).make()
    }

    /// The most bytes that [`Tape::make`] appends, also before an error.
    ///
    /// What a step adds it takes from the text or the bytes, or it is short, with a key of up to 128 bytes. But a step may
    /// also name a longer key, or repeat the doubles before it, that were written once: a product, which [`MAX_MESSAGE`]
    /// ends. So a tape of 4 `n` bytes makes at most 160 `n` and twice its text and bytes, beyond [`MAX_MESSAGE`].
    pub fn most(&self) -> usize {
        // A step with key and value: the lengths and tags of three messages. A number of 64 bits takes two words and at
        // most ten bytes. Half a character is four bytes, and written as three twice.
        const STEP: usize = 32;
        let (words, text) = (self.steps.len(), self.text.len());
        let own = text * 3 / 2 + self.bytes.len() + words * (STEP + SHORT_KEY);
        let again = STEP + (text * 3 / 2).max(words * 4);
        own.saturating_add(words.saturating_mul(again).min(MAX_MESSAGE + again))
    }
}

/// A key of so many bytes may be named again and again: the words that name it are a part of what is made.
const SHORT_KEY: usize = 128;

/// Why a tape is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSteps {
    /// The encoder does not write such steps.
    Malformed,
    /// A message, or the request, would be of [`MAX_MESSAGE`] bytes or more.
    TooLong {
        /// Bytes it has so far.
        length: usize,
    },
}

impl fmt::Display for BadSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadSteps::Malformed => f.write_str("the steps of a request do not fit together: please report it"),
            BadSteps::TooLong { length } => {
                write!(f, "a message of {length} bytes is too long: export smaller batches")
            }
        }
    }
}

impl std::error::Error for BadSteps {}
