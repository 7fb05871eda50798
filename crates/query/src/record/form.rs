//! How values are written as JSON: for people, and for programs in other languages, in which times are whole numbers.

use std::io::{self, Write as _};

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// A way to write an answer as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Times are RFC 3339 with nine digits, durations nanoseconds: what the command line prints and HTTP answers.
    Text,
    /// Times are nanoseconds since 1970, as numbers: for readers of JSON whose numbers are exact, such as Python's.
    Numbers,
    /// For JavaScript: fields are in camel case, and what it has bigints for is a text that begins with [`MARK`]: times,
    /// durations, and whole numbers beyond 2^53. A text of its own that begins so has another one before it.
    Marked,
}

/// What a text begins with that is a whole number of 64 bits.
pub const MARK: char = '\u{1}';
/// As it stands in JSON.
const MARK_IN_JSON: &str = "\\u0001";

/// Names of newtypes that say how to write what is in them. Other serializers write just that.
const NANOS: &str = "otlp_arrow::nanos";
const RAW: &str = "otlp_arrow::raw";
const FIELDS: &str = "otlp_arrow::fields";

/// The greatest whole number that JavaScript has beside its bigints.
const SAFE: u64 = (1 << 53) - 1;

impl Form {
    /// Writes `value` in this form.
    pub fn write(self, value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Form::Text => Ok(serde_json::to_writer(out, value)?),
            Form::Numbers | Form::Marked => out.write_all(self.json(value)?.as_bytes()),
        }
    }

    /// `value` in this form.
    pub fn json(self, value: &impl Serialize) -> serde_json::Result<String> {
        if self == Form::Text {
            return serde_json::to_string(value);
        }
        let mut writer = Writer { out: Vec::new(), marked: self == Form::Marked, nanos: false, fields: false };
        value.serialize(&mut writer)?;
        String::from_utf8(writer.out).map_err(serde_json::Error::custom)
    }
}

/// A time: `text` of it for people.
pub(super) fn time<S: Serializer>(nanos: u64, text: impl FnOnce() -> String, serializer: S) -> Result<S::Ok, S::Error> {
    match serializer.is_human_readable() {
        true => serializer.serialize_str(&text()),
        false => serializer.serialize_newtype_struct(NANOS, &nanos),
    }
}

/// Nanoseconds, or none.
pub(crate) fn as_nanos<T: Serialize, S: Serializer>(nanos: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(NANOS, nanos)
}

/// Valid JSON that stays what it is.
pub(super) fn raw<S: Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(RAW, json)
}

/// A struct with another one flattened into it, which looks like a map: its keys are names of fields all the same.
pub(crate) struct Fields<T>(pub(crate) T);

impl<T: Serialize> Serialize for Fields<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(FIELDS, &self.0)
    }
}

/// Writes the forms for programs.
struct Writer {
    out: Vec<u8>,
    marked: bool,
    /// The next number is nanoseconds.
    nanos: bool,
    /// The next map is the fields of a struct.
    fields: bool,
}

type Result0<T = ()> = Result<T, serde_json::Error>;

impl Writer {
    fn plain<T: ?Sized + Serialize>(&mut self, value: &T) -> Result0 {
        serde_json::to_writer(&mut self.out, value)
    }

    /// A whole number, of which JavaScript has to know whether it is one of 64 bits.
    fn whole(&mut self, value: &(impl Serialize + std::fmt::Display), size: u64) -> Result0 {
        let nanos = std::mem::take(&mut self.nanos);
        match self.marked && (nanos || size > SAFE) {
            true => write!(self.out, "\"{MARK_IN_JSON}{value}\"").map_err(serde_json::Error::custom),
            false => self.plain(value),
        }
    }

    fn text(&mut self, text: &str) -> Result0 {
        match self.marked && text.starts_with(MARK) {
            true => self.plain(&format!("{MARK}{text}")),
            false => self.plain(text),
        }
    }

    /// JSON as it is, but for what is marked in it.
    fn raw(&mut self, json: &str) {
        if !self.marked {
            self.out.extend_from_slice(json.as_bytes());
            return;
        }
        let mut rest = json;
        while let Some(first) = rest.chars().next() {
            let len = match first {
                '"' => string_length(rest),
                '-' | '0'..='9' => {
                    rest.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).unwrap_or(rest.len())
                }
                other => other.len_utf8(),
            };
            let (token, behind) = rest.split_at(len);
            let beyond = || token.parse::<i128>().is_ok_and(|whole| whole.unsigned_abs() > u128::from(SAFE));
            // Keys of objects are not looked at by the reader, and stay what they are.
            let is_key = || behind.trim_start().starts_with(':');
            if let Some(text) = token.strip_prefix('"').filter(|text| text.starts_with(MARK_IN_JSON) && !is_key()) {
                self.out.extend_from_slice(format!("\"{MARK_IN_JSON}{text}").as_bytes());
            } else if first.is_ascii_digit() && beyond() || first == '-' && beyond() {
                self.out.extend_from_slice(format!("\"{MARK_IN_JSON}{token}\"").as_bytes());
            } else {
                self.out.extend_from_slice(token.as_bytes());
            }
            rest = behind;
        }
    }

    fn field(&mut self, name: &str) -> Result0 {
        if self.marked { self.plain(&camel(name)) } else { self.plain(name) }
    }
}

/// Bytes of the JSON string that a text begins with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `start_time` as JavaScript writes it: `startTime`.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if std::mem::take(&mut upper) => out.extend(c.to_uppercase()),
            c => out.push(c),
        }
    }
    out
}

/// What an array or an object consists of, one after the other.
struct Parts<'a> {
    writer: &'a mut Writer,
    close: &'static [u8],
    first: bool,
    /// Whether keys are names of fields.
    fields: bool,
}

impl Writer {
    fn parts(&mut self, open: u8, close: &'static [u8], fields: bool) -> Parts<'_> {
        self.out.push(open);
        Parts { writer: self, close, first: true, fields }
    }
}

impl Parts<'_> {
    fn next(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.writer.out.push(b',');
        }
    }

    fn element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result0 {
        self.next();
        value.serialize(&mut *self.writer)
    }

    fn member<T: ?Sized + Serialize>(&mut self, name: &str, value: &T) -> Result0 {
        self.next();
        self.writer.field(name)?;
        self.writer.out.push(b':');
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> Result0 {
        self.writer.out.extend_from_slice(self.close);
        Ok(())
    }
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result0 {
        self.plain(&value)
    }

    fn serialize_i8(self, value: i8) -> Result0 {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result0 {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result0 {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result0 {
        self.whole(&value, value.unsigned_abs())
    }

    fn serialize_u8(self, value: u8) -> Result0 {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result0 {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result0 {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result0 {
        self.whole(&value, value)
    }

    fn serialize_f32(self, value: f32) -> Result0 {
        self.plain(&value)
    }

    fn serialize_f64(self, value: f64) -> Result0 {
        self.plain(&value)
    }

    fn serialize_char(self, value: char) -> Result0 {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result0 {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result0 {
        self.plain(value)
    }

    fn serialize_none(self) -> Result0 {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result0 {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result0 {
        self.nanos = false;
        self.plain(&())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result0 {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result0 {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, name: &'static str, value: &T) -> Result0 {
        match name {
            NANOS => self.nanos = true,
            FIELDS => self.fields = true,
            RAW => {
                // Its text is taken out by a writer of texts.
                let text = serde_json::to_value(value)?;
                self.raw(text.as_str().unwrap_or("null"));
                return Ok(());
            }
            _ => {}
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result0 {
        let mut parts = self.parts(b'{', b"}", false);
        SerializeMap::serialize_entry(&mut parts, variant, value)?;
        parts.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result0<Parts<'a>> {
        Ok(self.parts(b'[', b"]", false))
    }

    fn serialize_tuple(self, _: usize) -> Result0<Parts<'a>> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result0<Parts<'a>> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result0<Parts<'a>> {
        self.out.push(b'{');
        self.plain(variant)?;
        self.out.push(b':');
        Ok(self.parts(b'[', b"]}", false))
    }

    fn serialize_map(self, _: Option<usize>) -> Result0<Parts<'a>> {
        let fields = std::mem::take(&mut self.fields);
        Ok(self.parts(b'{', b"}", fields))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result0<Parts<'a>> {
        Ok(self.parts(b'{', b"}", true))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result0<Parts<'a>> {
        self.out.push(b'{');
        self.plain(variant)?;
        self.out.push(b':');
        Ok(self.parts(b'{', b"}}", true))
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result0 {
        self.element(value)
    }

    fn end(self) -> Result0 {
        self.close()
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result0 {
        self.element(value)
    }

    fn end(self) -> Result0 {
        self.close()
    }
}

impl SerializeTupleStruct for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result0 {
        self.element(value)
    }

    fn end(self) -> Result0 {
        self.close()
    }
}

impl SerializeTupleVariant for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result0 {
        self.element(value)
    }

    fn end(self) -> Result0 {
        self.close()
    }
}

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result0 {
        self.next();
        if !self.fields {
            return self.writer.plain(key);
        }
        match serde_json::to_value(key)? {
            serde_json::Value::String(name) => self.writer.field(&name),
            other => self.writer.plain(&other.to_string()),
        }
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result0 {
        self.writer.out.push(b':');
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result0 {
        self.close()
    }
}

impl SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result0 {
        self.member(key, value)
    }

    fn end(self) -> Result0 {
        self.close()
    }
}

impl SerializeStructVariant for Parts<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result0 {
        self.member(key, value)
    }

    fn end(self) -> Result0 {
        self.close()
    }
}

#[cfg(test)]
mod tests;
