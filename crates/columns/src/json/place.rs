//! Where in JSON text something stands, and what stands there, for messages. Looked for only when something is wrong: while
//! a request is read nobody keeps account of it.

use super::table::{Field, Kind, Shape};
use super::tokens::{Text, Tokens};

/// The longest path, and the longest value, that is quoted whole.
const PATH: usize = 240;
const VALUE: usize = 80;
/// Levels that are kept account of; deeper ones are in no field of OTLP.
const LEVELS: usize = 512;

enum Step<'a> {
    Member(Text<'a>),
    Element(usize),
}

/// The path of the value at `target`, or of the last one before it: `resourceSpans[0].scopeSpans[1].spans[3].name`.
pub(super) fn path(json: &[u8], target: usize) -> String {
    let mut steps = Vec::new();
    let mut tokens = Tokens::new(json);
    // What is not JSON ends the way where it stands.
    let _ = walk(&mut tokens, target, &mut steps);
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Member(key) => {
                let mut name = Vec::new();
                key.append_to(&mut name);
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&shortened(&String::from_utf8_lossy(&name), VALUE));
            }
            Step::Element(at) => path.push_str(&format!("[{at}]")),
        }
    }
    if path.len() > PATH {
        // The beginning says where it is, and the end what it is.
        let (head, tail) = (path.floor_char_boundary(PATH / 2), path.ceil_char_boundary(path.len() - PATH / 2));
        path = format!("{}…{}", &path[..head], &path[tail..]);
    }
    path
}

fn walk<'a>(tokens: &mut Tokens<'a>, target: usize, steps: &mut Vec<Step<'a>>) -> Result<(), crate::DecodeError> {
    loop {
        let byte = tokens.peek()?;
        if tokens.at() >= target {
            return Ok(());
        }
        if matches!(byte, b'{' | b'[') && steps.len() < LEVELS {
            tokens.eat(byte)?;
            let (object, close) = (byte == b'{', if byte == b'{' { b'}' } else { b']' });
            if !tokens.eat(close)? {
                steps.push(if object { Step::Member(tokens.key()?) } else { Step::Element(0) });
                continue;
            }
        } else {
            tokens.skip()?;
        }
        loop {
            match steps.last_mut() {
                None => return Ok(()),
                Some(Step::Member(key)) => {
                    if tokens.more(b'}')? {
                        *key = tokens.key()?;
                        break;
                    }
                }
                Some(Step::Element(at)) => {
                    if tokens.more(b']')? {
                        *at += 1;
                        break;
                    }
                }
            }
            steps.pop();
        }
    }
}

/// The value that begins at `at` as it stands there, on one line.
pub(super) fn value(json: &[u8], at: usize) -> String {
    let rest = json.get(at..).unwrap_or_default();
    let raw = Tokens::new(rest).skip_raw().unwrap_or(rest);
    let text = String::from_utf8_lossy(&raw[..raw.len().min(4 * VALUE)]);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let text = if text.starts_with('"') { text.into_owned() } else { words.join(" ") };
    shortened(&text, VALUE)
}

fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most { text.to_owned() } else { format!("{}…", &text[..text.floor_char_boundary(most)]) }
}

/// What a value of that field is not.
pub(super) fn expected(field: &Field) -> String {
    if field.shape == Shape::Many {
        return "not an array".to_owned();
    }
    expected_one(field.kind)
}

/// What one value of that kind is not.
pub(super) fn expected_one(kind: Kind) -> String {
    match kind {
        Kind::String => "not a string".to_owned(),
        Kind::Bool => "neither true nor false".to_owned(),
        Kind::Bytes => "not base64".to_owned(),
        Kind::Id(bytes) => format!("not the {} hexadecimal digits of an id", bytes * 2),
        Kind::Double => "not a number".to_owned(),
        Kind::Int64 | Kind::Sfixed64 => "not an integer of 64 bits".to_owned(),
        Kind::Uint64 | Kind::Fixed64 => "not an unsigned integer of 64 bits".to_owned(),
        Kind::Uint32 | Kind::Fixed32 => "not an unsigned integer of 32 bits".to_owned(),
        Kind::Sint32 => "not an integer of 32 bits".to_owned(),
        Kind::Enum(names) => {
            format!("neither a number of 32 bits nor a name such as {}", names.last().copied().unwrap_or_default())
        }
        Kind::Message(_) => "not an object".to_owned(),
    }
}
