//! The step tape: what each step becomes, and that whatever else comes is an error.
#![allow(clippy::unwrap_used, reason = "tests")]

use otlp_arrow_wire::Writer;
use otlp_arrow_wire::steps::{BadSteps, ESCAPE, HEADER, MAX_MESSAGE, MAX_OPEN, STEP_BITS, Step, TAG_BITS, Tape};

/// A tape as the encoder writes it, texts in UTF-16 as JavaScript has them.
#[derive(Clone, Default)]
struct Written {
    steps: Vec<u32>,
    text: Vec<u16>,
    bytes: Vec<u8>,
}

impl Written {
    fn step(mut self, step: Step, tag: u8, argument: u32) -> Self {
        assert!(argument <= ESCAPE);
        self.steps.push(step as u32 | u32::from(tag) << STEP_BITS | argument << (STEP_BITS + TAG_BITS));
        self
    }

    fn word(mut self, word: u32) -> Self {
        self.steps.push(word);
        self
    }

    fn pair(self, value: u64) -> Self {
        self.word(value as u32).word((value >> 32) as u32)
    }

    fn sized(self, step: Step, tag: u8, argument: u32) -> Self {
        if argument < ESCAPE { self.step(step, tag, argument) } else { self.step(step, tag, ESCAPE).word(argument) }
    }

    fn units(mut self, units: &[u16]) -> Self {
        self.text.extend(units);
        self
    }

    fn text(self, tag: u8, text: &str) -> Self {
        let units: Vec<u16> = text.encode_utf16().collect();
        self.sized(Step::Text, tag, units.len() as u32).units(&units)
    }

    fn key(self, text: &str) -> Self {
        let units: Vec<u16> = text.encode_utf16().collect();
        self.sized(Step::Key, 0, units.len() as u32).units(&units)
    }

    fn attribute_text(self, tag: u8, slot: u32, text: &str) -> Self {
        let units: Vec<u16> = text.encode_utf16().collect();
        self.step(Step::AttributeText, tag, slot).word(units.len() as u32).units(&units)
    }

    /// What V8 makes of the joined texts: halves of characters that meet become one.
    fn utf8(&self) -> Vec<u8> {
        String::from_utf16_lossy(&self.text).into_bytes()
    }

    fn make(&self) -> Result<Vec<u8>, BadSteps> {
        let text = self.utf8();
        let ascii = text.len() == self.text.len();
        made(&Tape { steps: &self.steps, text: &text, bytes: &self.bytes, ascii })
    }
}

/// Makes it behind what is there already, within the bound that is promised.
fn made(tape: &Tape<'_>) -> Result<Vec<u8>, BadSteps> {
    let mut out = b"before".to_vec();
    let result = tape.make(&mut out);
    let rest = out.split_off(b"before".len());
    assert_eq!(out, b"before");
    assert!(rest.len() <= tape.most(), "{} bytes of {tape:?}", rest.len());
    result.map(|()| rest)
}

fn message(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    write(&mut writer);
    writer.finish()
}

/// A `KeyValue` as field 9 with what `value` writes.
fn attribute(key: &str, value: impl FnOnce(&mut Writer)) -> Vec<u8> {
    message(|w| {
        w.nest(9, 1, |pair| {
            pair.bytes_always(1, key.as_bytes());
            pair.nest(2, 1, value);
        });
    })
}

fn tape() -> Written {
    Written::default()
}

/// Tag of field 9, a message.
const ATTRIBUTE: u8 = 9 << 3 | 2;

#[test]
fn messages_are_opened_and_closed() {
    for length in [0usize, 1, 127, 128, 16_383] {
        let text = "x".repeat(length);
        let written = tape().step(Step::Open, 0x0a, 0).step(Step::Open, 0x12, 0).text(0x1a, &text);
        let written = written.step(Step::Close, 0, 0).step(Step::Close, 0, 0);
        let expected = message(|w| w.nest(1, 1, |w| w.nest(2, 1, |w| w.bytes_always(3, text.as_bytes()))));
        if length < 16_000 {
            assert_eq!(written.make().unwrap(), expected, "{length}");
        } else {
            // Long messages keep four bytes for their length.
            let made = written.make().unwrap();
            let inner = 3 + length;
            assert_eq!(made[1..5], [(inner + 5) as u8 | 0x80, ((inner + 5) >> 7) as u8 | 0x80, 0x81, 0]);
            assert_eq!(made.len(), 5 + 5 + inner);
        }
    }
}

#[test]
fn texts_and_bytes_are_taken_in_order() {
    let mut written = tape().text(0x0a, "first").text(0x82, "").text(0x12, "second");
    written = written.step(Step::Bytes, 0x1a, 2).step(Step::Bytes, 0x22, 0).step(Step::Bytes, 0x1a, 1);
    written.bytes = vec![1, 2, 3];
    let expected = message(|w| {
        w.bytes_always(1, b"first");
        w.bytes_always(16, b"");
        w.bytes_always(2, b"second");
        w.bytes_always(3, &[1, 2]);
        w.bytes_always(4, b"");
        w.bytes_always(3, &[3]);
    });
    assert_eq!(written.make().unwrap(), expected);
}

#[test]
fn an_argument_that_does_not_fit_is_a_word_of_its_own() {
    for length in [ESCAPE - 1, ESCAPE, ESCAPE + 1] {
        let made = tape().text(0x0a, &"y".repeat(length as usize)).make().unwrap();
        assert_eq!(made, message(|w| w.bytes(1, &vec![b'y'; length as usize])));
        let numbers = tape().sized(Step::Varint, 0x08, length).sized(Step::Fixed32, 0x15, length).make().unwrap();
        assert_eq!(
            numbers,
            message(|w| {
                w.uint(1, length.into());
                w.fixed32(2, length);
            })
        );
    }
}

#[test]
fn ids_are_their_bytes_or_one_that_is_refused() {
    let id = |digits: &str| {
        let units: Vec<u16> = digits.encode_utf16().collect();
        tape().step(Step::Id, 0x0a, units.len() as u32).units(&units).make().unwrap()
    };
    assert_eq!(id("00ff10aB9876543f"), [0x0a, 8, 0, 0xff, 0x10, 0xab, 0x98, 0x76, 0x54, 0x3f]);
    assert_eq!(id(&"5e".repeat(16)), [&[0x0a, 16][..], &[0x5e; 16]].concat());
    let none = [0x0a, 1, 0];
    for bad in ["g0ff10aB9876543f", "00ff10aB9876543 ", "00ff10aB987654é0", "éééééééééééééééé", "00ff10aB😀76543f"]
    {
        assert_eq!(id(bad), none, "{bad}");
    }
    assert_eq!(tape().step(Step::BadId, 0x0a, 0).make().unwrap(), none);
    for length in [0, 2, 15, 31, 33, 512, ESCAPE] {
        let units = vec![u16::from(b'a'); length as usize];
        let other = tape().step(Step::Id, 0x0a, length).units(&units);
        assert_eq!(other.make(), Err(BadSteps::Malformed), "{length} digits");
    }
}

#[test]
fn numbers_are_written_as_their_field_says() {
    for value in [0u64, 1, 127, 128, u64::from(u32::MAX), 1 << 63, u64::MAX] {
        let made = tape().step(Step::Varint64, 0x08, 0).pair(value).step(Step::Fixed64, 0x11, 0).pair(value).make();
        assert_eq!(
            made.unwrap(),
            message(|w| {
                w.uint_always(1, value);
                w.fixed64_always(2, value);
            })
        );
    }
    assert_eq!(tape().step(Step::Varint, 0x18, 0).make().unwrap(), [0x18, 0], "written in any case");
    for (seconds, nanoseconds) in [(0, 0), (1_700_000_000, 999_999_999), (u32::MAX, u32::MAX)] {
        let made = tape().step(Step::Time, 0x39, 0).word(seconds).word(nanoseconds).make().unwrap();
        let time = u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds);
        assert_eq!(made, message(|w| w.fixed64_always(7, time)));
    }
}

#[test]
fn attributes_have_a_key_and_a_value() {
    for key in ["", "k", "http.route", "ключ", &"long".repeat(100)] {
        let keyed = || tape().key("other").key(key);
        for text in ["", "text", "漢字", &"x".repeat(300), &"y".repeat(20_000)] {
            let made = keyed().attribute_text(ATTRIBUTE, 1, text).make().unwrap();
            assert_eq!(made, attribute(key, |any| any.bytes_always(1, text.as_bytes())));
        }
        for value in [0, 1, -1, i32::MAX, i32::MIN] {
            let made = keyed().step(Step::AttributeInt, ATTRIBUTE, 1).word(value as u32).make().unwrap();
            assert_eq!(made, attribute(key, |any| any.uint_always(3, i64::from(value) as u64)));
        }
        for value in [1i64 << 40, i64::MIN, i64::MAX, -1] {
            let made = keyed().step(Step::AttributeInt64, ATTRIBUTE, 1).pair(value as u64).make().unwrap();
            assert_eq!(made, attribute(key, |any| any.uint_always(3, value as u64)));
        }
        for value in [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY] {
            let made = keyed().step(Step::AttributeDouble, ATTRIBUTE, 1).pair(value.to_bits()).make().unwrap();
            assert_eq!(made, attribute(key, |any| any.double_always(4, value)));
        }
        for (step, value) in [(Step::AttributeFalse, 0), (Step::AttributeTrue, 1)] {
            let made = keyed().step(step, ATTRIBUTE, 1).make().unwrap();
            assert_eq!(made, attribute(key, |any| any.uint_always(2, value)));
        }
        // As the encoder writes an array: the value is a message of its own.
        let open = keyed().step(Step::AttributeOpen, ATTRIBUTE, 1).step(Step::Open, 0x12, 0).text(0x0a, "in");
        let made = open.step(Step::Close, 0, 0).step(Step::Close, 0, 0).make().unwrap();
        assert_eq!(made, attribute(key, |any| any.text(1, "in")));
    }
}

#[test]
fn keys_are_numbered_anew_when_they_are_forgotten() {
    let written = tape().key("a").key("b").step(Step::AttributeTrue, ATTRIBUTE, 0).step(Step::ForgetKeys, 0, 0);
    assert_eq!(written.clone().step(Step::AttributeTrue, ATTRIBUTE, 0).make(), Err(BadSteps::Malformed));
    let made = written.key("c").step(Step::AttributeTrue, ATTRIBUTE, 0).make().unwrap();
    let expected = [attribute("a", |any| any.uint_always(2, 1)), attribute("c", |any| any.uint_always(2, 1))].concat();
    assert_eq!(made, expected);
}

#[test]
fn packed_fields_hold_what_follows_them() {
    let values = [0u64, 1, 300, u64::MAX];
    let packed = |step: Step| values.iter().fold(tape().step(step, 0x32, 4), |tape, value| tape.pair(*value));
    let fixed = message(|w| w.packed(6, 1, |w| values.iter().for_each(|value| w.packed_fixed64(*value))));
    assert_eq!(packed(Step::PackedCounts).make().unwrap(), fixed);
    assert_eq!(packed(Step::PackedDoubles).make().unwrap(), fixed);
    let varints = message(|w| w.packed(6, 1, |w| values.iter().for_each(|value| w.packed_varint(*value))));
    assert_eq!(packed(Step::PackedVarints).make().unwrap(), varints);
    // Counts in between are not doubles; before any there are none.
    let again = packed(Step::PackedDoubles).step(Step::PackedCounts, 0x12, 0).step(Step::SameDoubles, 0x32, 0);
    assert_eq!(again.make().unwrap(), [&fixed[..], &[0x12, 0], &fixed].concat());
    assert_eq!(tape().step(Step::SameDoubles, 0x32, 0).make().unwrap(), [0x32, 0]);
}

#[test]
fn a_long_packed_field_is_repeated_whole() {
    let values: Vec<u64> = (0..5_000).collect();
    let written = values.iter().fold(tape().step(Step::PackedDoubles, 0x32, 5_000), |tape, value| tape.pair(*value));
    let made = written.step(Step::SameDoubles, 0x3a, 0).make().unwrap();
    let content: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(made[5..].starts_with(&content), "behind a length of four bytes");
    assert_eq!(made[5 + content.len()..], message(|w| w.bytes(7, &content)));
}

/// A text that ends with the first half of a character, beside one that begins with the second: V8 writes them as one
/// character, and each text gets U+FFFD, as if it were alone.
#[test]
fn halves_of_characters_stay_with_their_texts() {
    const HIGH: u16 = 0xd83d;
    const LOW: u16 = 0xde00;
    let a = u16::from(b'a');
    let pieces: [&[u16]; 7] = [&[], &[a], &[HIGH], &[LOW], &[HIGH, LOW], &[LOW, a, HIGH], &[a, HIGH, LOW, HIGH]];
    for first in pieces {
        for second in pieces {
            for third in pieces {
                let mut written = tape();
                for units in [first, second, third] {
                    written = written.step(Step::Text, 0x0a, units.len() as u32).units(units);
                }
                let expected = message(|w| {
                    for units in [first, second, third] {
                        w.bytes_always(1, String::from_utf16_lossy(units).as_bytes());
                    }
                });
                assert_eq!(written.make().unwrap(), expected, "{first:x?} {second:x?} {third:x?}");
            }
        }
    }
    // The same where the halves are a key and a value.
    let written = tape().step(Step::Key, 0, 2).units(&[a, HIGH]).step(Step::AttributeText, ATTRIBUTE, 0).word(2);
    let made = written.units(&[LOW, a]).make().unwrap();
    assert_eq!(made, attribute("a\u{fffd}", |any| any.bytes_always(1, "\u{fffd}a".as_bytes())));
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    let malformed: [(&str, Written); 16] = [
        ("closed and not opened", tape().step(Step::Close, 0, 0)),
        ("opened and not closed", tape().step(Step::Open, 0x0a, 0)),
        ("an attribute that is not closed", tape().key("k").step(Step::AttributeOpen, ATTRIBUTE, 0)),
        ("more text than there is", tape().text(0x0a, "abc").step(Step::Text, 0x0a, 1)),
        ("more text beyond ASCII than there is", tape().text(0x0a, "é漢").step(Step::Text, 0x0a, 1)),
        ("text that nobody takes", tape().text(0x0a, "abc").units(&[97])),
        ("text beyond ASCII that nobody takes", tape().text(0x0a, "é").units(&[0x6f22])),
        ("half a character at the end", tape().step(Step::Text, 0x0a, 1).units(&[0xd83d, 0xde00])),
        ("more bytes than there are", tape().step(Step::Bytes, 0x0a, 1)),
        ("a key that is not defined", tape().key("k").step(Step::AttributeTrue, ATTRIBUTE, 1)),
        ("no word behind it", tape().step(Step::Varint, 0x08, ESCAPE)),
        ("no number behind it", tape().step(Step::Fixed64, 0x09, 0).word(1)),
        ("no time behind it", tape().step(Step::Time, 0x09, 0).word(1)),
        ("fewer numbers than it says", tape().step(Step::PackedVarints, 0x0a, 2).pair(1).word(1)),
        ("more numbers than a tape holds", tape().step(Step::PackedCounts, 0x0a, ESCAPE).word(u32::MAX)),
        ("a step that is not one", tape().word(Step::ALL.len() as u32)),
    ];
    for (what, written) in malformed {
        assert_eq!(written.make(), Err(BadSteps::Malformed), "{what}");
    }
    let mut bytes = tape().step(Step::Bytes, 0x0a, 1);
    bytes.bytes = vec![1, 2];
    assert_eq!(bytes.make(), Err(BadSteps::Malformed), "bytes that nobody takes");
}

#[test]
fn messages_nest_as_deep_as_values_do_and_no_deeper() {
    for (depth, wanted) in [(MAX_OPEN, Ok(())), (MAX_OPEN + 1, Err(BadSteps::Malformed))] {
        let opened = (0..depth).fold(tape(), |tape, _| tape.step(Step::Open, 0x0a, 0));
        let closed = (0..depth).fold(opened, |tape, _| tape.step(Step::Close, 0, 0));
        assert_eq!(closed.make().map(drop), wanted, "{depth}");
    }
}

#[test]
fn a_header_says_how_much_there_is() {
    let text = "text".as_bytes();
    let words = [6, 2, 1, 1, 7, 8, 9];
    let read = Tape::read(&words, text, &[5, 6]).unwrap();
    assert_eq!((read.steps, read.text, read.bytes, read.ascii), (&words[HEADER..6], &text[..2], &[5][..], true));
    assert!(!Tape::read(&[4, 0, 0, 0], text, &[]).unwrap().ascii);
    for words in [&[][..], &[4, 0, 0], &[3, 0, 0, 1], &[5, 0, 0, 1], &[4, 5, 0, 1], &[4, 0, 3, 1], &[u32::MAX; 4]] {
        assert!(matches!(Tape::read(words, text, &[5, 6]), Err(BadSteps::Malformed)), "{words:?}");
    }
}

/// Doubles and keys are named again by one word: only the limit of a request keeps them from filling the memory.
#[test]
fn a_short_tape_does_not_make_an_endless_request() {
    let words = (1 << 17) - 1;
    let mut steps = tape().step(Step::PackedDoubles, 0x0a, words).steps;
    steps.resize(1 + 2 * words as usize, 0);
    steps.extend(vec![tape().step(Step::SameDoubles, 0x0a, 0).steps[0]; 100_000]);
    let doubles = Tape { steps: &steps, text: &[], bytes: &[], ascii: true };
    assert!(doubles.most() < MAX_MESSAGE + 200 * steps.len());
    assert!(
        matches!(made(&doubles), Err(BadSteps::TooLong { length }) if length < MAX_MESSAGE + 8 * words as usize + 8)
    );

    let mut key = tape().sized(Step::Key, 0, 1 << 20);
    key.steps.extend(vec![tape().step(Step::AttributeTrue, ATTRIBUTE, 0).steps[0]; 100_000]);
    let text = vec![b'k'; 1 << 20];
    let keys = Tape { steps: &key.steps, text: &text, bytes: &[], ascii: true };
    assert!(keys.most() < MAX_MESSAGE + 200 * key.steps.len() + 4 * text.len());
    assert!(matches!(made(&keys), Err(BadSteps::TooLong { length }) if length < MAX_MESSAGE + 2 * text.len()));
}

#[test]
fn errors_say_what_to_do() {
    assert!(BadSteps::Malformed.to_string().contains("report it"));
    assert!(BadSteps::TooLong { length: 7 }.to_string().contains("7 bytes is too long: export smaller batches"));
}

/// A generator of numbers, the same ones every time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32 % below
    }
}

#[test]
fn whatever_comes_is_a_request_or_an_error() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let whole = "texts é of 漢 many 😀 kinds".as_bytes();
    let (mut fine, mut errors) = (0, 0);
    for _ in 0..100_000 {
        let steps: Vec<u32> = (0..random.next(20))
            .map(|_| match random.next(8) {
                0 => random.next(u32::MAX),
                _ => random.next(24) | random.next(256) << STEP_BITS | random.next(4) << (STEP_BITS + TAG_BITS),
            })
            .collect();
        // Cut anywhere, so that it may not be UTF-8 either.
        let text = &whole[..(random.next(2) * random.next(whole.len() as u32)) as usize];
        let bytes = [7; 4];
        let bytes = &bytes[..(random.next(2) * random.next(4)) as usize];
        match made(&Tape { steps: &steps, text, bytes, ascii: random.next(2) == 0 }) {
            Ok(_) => fine += 1,
            Err(BadSteps::Malformed) => errors += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(fine > 100 && errors > 50_000, "{fine} requests, {errors} errors");
}

#[test]
fn a_tape_that_is_cut_off_is_an_error() {
    let mut written = tape().step(Step::Open, 0x0a, 0).key("key").attribute_text(ATTRIBUTE, 0, "värde");
    written = written.step(Step::Time, 0x39, 0).word(5).word(6).step(Step::PackedDoubles, 0x32, 1).pair(9);
    written = written.step(Step::Bytes, 0x1a, 2).step(Step::Close, 0, 0);
    written.bytes = vec![1, 2];
    let text = written.utf8();
    let whole = Tape { steps: &written.steps, text: &text, bytes: &written.bytes, ascii: false };
    assert!(made(&whole).is_ok());
    for end in 0..whole.steps.len() {
        assert_eq!(made(&Tape { steps: &whole.steps[..end], ..whole }), Err(BadSteps::Malformed), "{end} words");
    }
    for end in 0..text.len() {
        assert_eq!(made(&Tape { text: &text[..end], ..whole }), Err(BadSteps::Malformed), "{end} bytes of text");
    }
    for end in 0..2 {
        assert_eq!(made(&Tape { bytes: &whole.bytes[..end], ..whole }), Err(BadSteps::Malformed), "{end} bytes");
    }
}
