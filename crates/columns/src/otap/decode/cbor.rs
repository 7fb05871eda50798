//! CBOR, in which OTAP has arrays and maps, to the JSON that columns have them in.

use crate::render;

/// What is wrong with a value.
pub(super) type Broken = &'static str;

const CUT: Broken = "it ends within an item";
const DEEP: Broken = "arrays and maps are nested too deep";
const LONG: Broken = "it takes too much memory as JSON";

/// Appends the value that `bytes` are as JSON, at most until `out` has `most` bytes; its letter.
pub(super) fn json(bytes: &[u8], nesting: usize, out: &mut Vec<u8>, most: usize) -> Result<u8, Broken> {
    let mut reader = Reader { rest: bytes, out, most };
    let head = reader.head()?;
    let letter = match head.major {
        ARRAY => render::letter::ARRAY,
        MAP => render::letter::MAP,
        _ => return Err("it is neither an array nor a map"),
    };
    reader.value(head, nesting)?;
    if reader.rest.is_empty() { Ok(letter) } else { Err("something follows the value") }
}

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const SIMPLE: u8 = 7;

/// What an item begins with.
#[derive(Clone, Copy)]
struct Head {
    major: u8,
    /// The five bits beside it.
    info: u8,
    /// The number behind them; None where the item goes on until a break.
    number: Option<u64>,
}

struct Reader<'a, 'o> {
    rest: &'a [u8],
    out: &'o mut Vec<u8>,
    most: usize,
}

impl<'a> Reader<'a, '_> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Broken> {
        let taken = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (taken, rest) = taken.ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn head(&mut self) -> Result<Head, Broken> {
        let (&first, rest) = self.rest.split_first().ok_or(CUT)?;
        self.rest = rest;
        let (major, info) = (first >> 5, first & 0x1f);
        let number = match info {
            0..24 => Some(u64::from(info)),
            24..28 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            31 if matches!(major, BYTES | TEXT | ARRAY | MAP) => None,
            _ => return Err("an item has a length that none has"),
        };
        Ok(Head { major, info, number })
    }

    /// Whether the item that goes on until a break ends here.
    fn ends(&mut self) -> bool {
        let ends = self.rest.first() == Some(&0xff);
        if ends {
            self.rest = &self.rest[1..];
        }
        ends
    }

    fn value(&mut self, head: Head, nesting: usize) -> Result<(), Broken> {
        let Head { major, info, number } = head;
        match (major, number) {
            (UNSIGNED, Some(number)) => {
                render::int(self.out, i64::try_from(number).map_err(|_| "an integer is above 2^63-1")?);
            }
            (NEGATIVE, Some(number)) => {
                let number = i64::try_from(number).map_err(|_| "an integer is below -2^63")?;
                render::int(self.out, -1 - number);
            }
            (BYTES, number) => {
                let bytes = self.string(BYTES, number)?;
                self.out.extend_from_slice(br#"{"@bytes":""#);
                render::base64(self.out, &bytes);
                self.out.extend_from_slice(br#""}"#);
            }
            (TEXT, number) => {
                let text = self.text(number)?;
                render::json_string(self.out, &text);
            }
            (ARRAY, number) => self.array(number, nesting)?,
            (MAP, number) => self.map(number, nesting)?,
            (SIMPLE, Some(number)) => match info {
                20 => render::bool(self.out, false),
                21 => render::bool(self.out, true),
                // Null, and undefined.
                22 | 23 => self.out.extend_from_slice(b"null"),
                25 => render::json_double(self.out, half(number as u16)),
                26 => render::json_double(self.out, f64::from(f32::from_bits(number as u32))),
                27 => render::json_double(self.out, f64::from_bits(number)),
                _ => return Err("it has a simple value that no attribute has"),
            },
            _ => return Err("it has a tag, or a break where none can be"),
        }
        if self.out.len() > self.most { Err(LONG) } else { Ok(()) }
    }

    /// Bytes or text in one piece, or in several until a break.
    fn string(&mut self, major: u8, length: Option<u64>) -> Result<std::borrow::Cow<'a, [u8]>, Broken> {
        if let Some(length) = length {
            return Ok(self.take(length)?.into());
        }
        let mut whole = Vec::new();
        while !self.ends() {
            match self.head()? {
                Head { major: piece, number: Some(length), .. } if piece == major => {
                    whole.extend_from_slice(self.take(length)?);
                }
                _ => return Err("a text or bytes in pieces has a piece of another kind"),
            }
        }
        Ok(whole.into())
    }

    fn text(&mut self, length: Option<u64>) -> Result<std::borrow::Cow<'a, [u8]>, Broken> {
        let text = self.string(TEXT, length)?;
        if std::str::from_utf8(&text).is_ok() { Ok(text) } else { Err("a text is not UTF-8") }
    }

    /// Calls `item` as often as there are items.
    fn items(
        &mut self,
        count: Option<u64>,
        mut item: impl FnMut(&mut Self, bool) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let mut at = 0;
        loop {
            match count {
                Some(count) if at == count => return Ok(()),
                None if self.ends() => return Ok(()),
                _ => {}
            }
            item(self, at == 0)?;
            at += 1;
        }
    }

    fn array(&mut self, count: Option<u64>, nesting: usize) -> Result<(), Broken> {
        let nesting = nesting.checked_sub(1).ok_or(DEEP)?;
        self.out.push(b'[');
        self.items(count, |reader, first| {
            if !first {
                reader.out.push(b',');
            }
            let head = reader.head()?;
            reader.value(head, nesting)
        })?;
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, count: Option<u64>, nesting: usize) -> Result<(), Broken> {
        let nesting = nesting.checked_sub(1).ok_or(DEEP)?;
        self.out.push(b'{');
        let start = self.out.len();
        let (mut members, mut marked) = (0, false);
        self.items(count, |reader, first| {
            if !first {
                reader.out.push(b',');
            }
            let head = reader.head()?;
            if head.major != TEXT {
                return Err("a key of a map is not text");
            }
            let key = reader.text(head.number)?;
            marked = key.first() == Some(&b'@');
            members += 1;
            render::json_string(reader.out, &key);
            reader.out.push(b':');
            let head = reader.head()?;
            reader.value(head, nesting)
        })?;
        if members == 1 && marked {
            // A map of one such key would be taken for a mark of ours.
            self.out.insert(start + 1, b'@');
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// A number of 16 bits.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Result<(char, String), Broken> {
        let mut out = Vec::new();
        let letter = json(bytes, 64, &mut out, 1 << 20)?;
        Ok((char::from(letter), String::from_utf8(out).unwrap()))
    }

    #[test]
    fn values_are_the_json_of_columns() {
        let cases: [(&[u8], char, &str); 16] = [
            (b"\x80", 'a', "[]"),
            (b"\x9f\xff", 'a', "[]"),
            (b"\xa0", 'm', "{}"),
            (b"\xbf\xff", 'm', "{}"),
            (b"\x83\x01\x20\x18\xff", 'a', "[1,-1,255]"),
            (
                b"\x9f\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x3b\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
                'a',
                "[9223372036854775807,-9223372036854775808]",
            ),
            (b"\xbf\x61a\xfb\x3f\xf8\0\0\0\0\0\0\x61b\xf5\xff", 'm', r#"{"a":1.5,"b":true}"#),
            (b"\x84\xf4\xf6\xf7\x40", 'a', r#"[false,null,null,{"@bytes":""}]"#),
            (b"\x81\x43\x01\x02\x03", 'a', r#"[{"@bytes":"AQID"}]"#),
            (b"\x81\x5f\x41\x01\x42\x02\x03\xff", 'a', r#"[{"@bytes":"AQID"}]"#),
            (b"\x81\x7f\x61a\x61b\xff", 'a', r#"["ab"]"#),
            (b"\x83\xf9\x3c\x00\xf9\x00\x01\xfa\x3f\x00\x00\x00", 'a', "[1.0,5.960464477539063e-8,0.5]"),
            (b"\x81\xf9\x7c\x00", 'a', r#"[{"@double":"Infinity"}]"#),
            (b"\xa1\x62@x\x01", 'm', r#"{"@@x":1}"#),
            (b"\xa2\x62@x\x01\x61y\x02", 'm', r#"{"@x":1,"y":2}"#),
            (b"\xa1\x61\"\x9f\xa1\x62@b\x80\xff", 'm', r#"{"\"":[{"@@b":[]}]}"#),
        ];
        for (bytes, letter, text) in cases {
            assert_eq!(shown(bytes), Ok((letter, text.to_owned())), "{bytes:x?}");
        }
    }

    #[test]
    fn what_no_attribute_is_is_refused() {
        let cases: [&[u8]; 18] = [
            b"",
            b"\x01",
            b"\x61a",
            b"\xf6",
            b"\x81",
            b"\x80\x80",
            b"\x9f",
            b"\xbf\x61a\xff",
            b"\xa1\x01\x01",
            b"\x81\x1b\x80\0\0\0\0\0\0\0",
            b"\x81\x3b\x80\0\0\0\0\0\0\0",
            b"\x81\xc0\x61a",
            b"\x81\xff",
            b"\x81\x61\xff",
            b"\x81\x7f\x41a\xff",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x81\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x81\xf8\x20",
        ];
        for bytes in cases {
            assert!(shown(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        for first in [0x81, 0x9f] {
            let deep = |levels: usize| {
                [vec![first; levels - 1], vec![0x80], vec![0xff; if first == 0x9f { levels - 1 } else { 0 }]].concat()
            };
            assert!(shown(&deep(64)).is_ok());
            assert_eq!(shown(&deep(65)), Err(DEEP));
            assert_eq!(shown(&vec![first; 1 << 20]), Err(DEEP), "no stack is used up");
        }
        let mut maps = [0xa1, 0x61, b'a'].repeat(70);
        maps.push(0xa0);
        assert_eq!(shown(&maps), Err(DEEP));
        // One byte of CBOR is fourteen of JSON.
        let mut out = Vec::new();
        let bomb = [&[0x9f][..], &vec![0x40; 1 << 20], &[0xff]].concat();
        assert_eq!(json(&bomb, 64, &mut out, 1 << 16), Err(LONG));
        assert!(out.len() < (1 << 16) + 100);
    }
}
