//! A table of attributes: those of all records, resources or whatever has some.

use otlp_arrow_wire::otap::PayloadType;

use super::coded::{Coded, Of, Width};
use super::ipc::Messages;
use super::leaf::{Encoding, Flags, Plain};
use super::lost::{Loss, Lost};
use super::order::{Child, READERS, arrange, doubles, unlike_double, written};
use super::table::{Part, Piece, SchemaIds, Stream};
use super::value::{Value, kind, of_json, of_text};
use crate::encode::attributes::Attributes as Source;
use crate::encode::column::{Cell, Flaw, Map};
use crate::json::tokens::Tokens;
use crate::parse::members;

/// One attribute of one parent.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Where rows of its type and value belong: values that readers do not agree on come first, to be parted by others.
    rank: u8,
    kind: u8,
    key: u32,
    /// The number of the value in its column, or its bits.
    value: u64,
    parent: u32,
}

impl Child for Row {
    fn parent(&self) -> u32 {
        self.parent
    }

    fn like(&self, before: &Self) -> [bool; READERS] {
        let compared = !matches!(self.kind, kind::EMPTY | kind::MAP | kind::SLICE);
        if !compared || self.kind != before.kind || self.key != before.key {
            return [false; READERS];
        }
        match self.kind {
            kind::DOUBLE => doubles(self.value, before.value),
            _ => [self.value == before.value; READERS],
        }
    }

    fn unlike(self, before: &Self) -> Self {
        match self.kind {
            kind::DOUBLE => Self { value: unlike_double(self.value, before.value), ..self },
            _ => self,
        }
    }
}

/// The attributes of one kind of parents.
pub(super) struct Attributes {
    stream: Stream,
    /// Whether parents have numbers of 32 bits.
    wide: bool,
    rows: Vec<Row>,
    /// Numbers of the keys of the record before, which the next one mostly has too.
    keys: Vec<u32>,
    room: Vec<u8>,
    /// Changed records, by what they lost.
    pub(super) lost: Lost,
    parent: Plain<u16>,
    wide_parent: Plain<u32>,
    key: Coded,
    kind: Plain<u8>,
    str: Coded,
    int: Coded,
    double: Plain<f64>,
    bool: Flags,
    bytes: Coded,
    ser: Coded,
}

impl Attributes {
    /// Attributes of parents with numbers of 16 bits, or of 32 where they are `wide`.
    pub(super) fn new(table: PayloadType, wide: bool) -> Self {
        Self {
            stream: Stream::new(table),
            wide,
            rows: Vec::new(),
            keys: Vec::new(),
            room: Vec::new(),
            lost: Lost::default(),
            parent: Plain::required("parent_id").encoded(Encoding::QuasiDelta),
            wide_parent: Plain::required("parent_id").encoded(Encoding::QuasiDelta),
            key: Coded::new("key", Of::Text, Width::U8, false),
            kind: Plain::required("type"),
            str: Coded::new("str", Of::Text, Width::U16, true),
            int: Coded::new("int", Of::I64, Width::U16, true),
            double: Plain::optional("double"),
            bool: Flags::optional("bool"),
            bytes: Coded::new("bytes", Of::Bytes, Width::U16, true),
            ser: Coded::new("ser", Of::Bytes, Width::U16, true),
        }
    }

    pub(super) fn restart(&mut self) {
        self.stream.restart();
    }

    /// Adds the attributes of a row of `source` to the parent with a number.
    #[inline]
    pub(super) fn add(&mut self, source: &Source<'_>, row: usize, parent: u32) -> Cell<()> {
        let range = source.map.rows.range(row)?;
        let letters = match source.types.get(row)? {
            Some(letters) if letters.len() != range.len() => {
                return Err(Flaw { column: source.types.name, message: "not one letter per attribute" });
            }
            letters => letters,
        };
        let Map { keys, values, .. } = &source.map;
        for (nth, at) in range.enumerate() {
            let letter = letters.map_or(b's', |letters| letters[nth]);
            let mut key = keys.get(at).ok_or_else(|| source.map.broken())?;
            if letter.is_ascii_uppercase() {
                // The second and later attributes of one key carry a number.
                let suffix = key.iter().rposition(|&byte| byte == b'#');
                key = &key[..suffix.ok_or_else(|| source.map.flaw("a repeated key without its number"))?];
            }
            let text = match values.is_null(at) {
                true => None,
                false => Some(values.get(at).ok_or_else(|| source.map.broken())?),
            };
            let key = self.key_number(nth, key);
            if let (b's', Some(text)) = (letter, text) {
                let value = u64::from(self.str.number(text));
                self.rows.push(Row { rank: kind::STR, kind: kind::STR, key, value, parent });
                continue;
            }
            let mut room = std::mem::take(&mut self.room);
            let value = of_text(letter.to_ascii_lowercase(), text, &mut room);
            let done = value.map(|value| self.push(key, value, parent)).map_err(|message| source.map.flaw(message));
            self.room = room;
            done?;
        }
        Ok(())
    }

    /// Adds the members of a JSON object to the parent with a number.
    pub(super) fn add_json(&mut self, object: &[u8], parent: u32, column: &'static str) -> Cell<()> {
        let flaw = |message| Flaw { column, message };
        let mut tokens = Tokens::new(object);
        let only = crate::parse::is_marked(&tokens).map_err(flaw)?;
        members(&mut tokens, |tokens, key| {
            // A one-key object whose key begins with @ was given a second one.
            let key = if only && key.starts_with(b"@@") { &key[1..] } else { key };
            let key = self.key.number(key);
            let mut room = std::mem::take(&mut self.room);
            let done = of_json(tokens, &mut room).map(|value| self.push(key, value, parent));
            self.room = room;
            done
        })
        .map_err(flaw)?;
        tokens.finish().map_err(|_| flaw("text after the JSON object"))
    }

    /// The number of a key that is the `nth` of its record.
    #[inline]
    fn key_number(&mut self, nth: usize, key: &[u8]) -> u32 {
        match self.keys.get(nth) {
            Some(&known) if self.key.has(known, key) => known,
            _ => {
                let number = self.key.number(key);
                match self.keys.get_mut(nth) {
                    Some(known) => *known = number,
                    None if nth < 256 => self.keys.push(number),
                    None => {}
                }
                number
            }
        }
    }

    fn push(&mut self, key: u32, value: Value<'_>, parent: u32) {
        let kind = value.kind();
        let mut rank = kind;
        let value = match value {
            Value::Empty => 0,
            Value::Str(text) => self.str.number(text).into(),
            Value::TooDeep(text) => {
                self.lost.add(Loss::Nesting, 1);
                self.str.number(text).into()
            }
            Value::Int(value) => self.int.number(&value.to_le_bytes()).into(),
            Value::Double(value) => {
                if value.is_nan() || value == 0.0 && value.is_sign_negative() {
                    rank = 0;
                }
                value.to_bits()
            }
            Value::Bool(value) => value.into(),
            Value::Bytes(bytes) => self.bytes.number(bytes).into(),
            Value::Map(cbor) | Value::Slice(cbor) => self.ser.number(cbor).into(),
        };
        self.rows.push(Row { rank, kind, key, value, parent });
    }

    /// What was added, as the next piece.
    pub(super) fn piece(&mut self, ids: &mut SchemaIds, messages: &mut Messages) -> Option<Piece> {
        // Parents ascend already; rows of one parent keep their order within a key.
        self.rows.sort_by_key(|row| (row.rank, row.key, row.value, row.parent));
        let altered = arrange(&mut self.rows);
        self.lost.add(Loss::Doubles, altered);
        let mut rows = std::mem::take(&mut self.rows);
        let mut before = None;
        for row in &rows {
            let parent = written(row, before);
            if self.wide {
                self.wide_parent.push(parent)
            } else {
                self.parent.push(parent as u16)
            }
            self.key.push_number(Some(row.key));
            self.kind.push(row.kind);
            let number = |kinds: &[u8]| kinds.contains(&row.kind).then_some(row.value as u32);
            self.str.push_number(number(&[kind::STR]));
            self.int.push_number(number(&[kind::INT]));
            self.double.option((row.kind == kind::DOUBLE).then(|| f64::from_bits(row.value)));
            self.bool.option((row.kind == kind::BOOL).then_some(row.value != 0));
            self.bytes.push_number(number(&[kind::BYTES]));
            self.ser.push_number(number(&[kind::MAP, kind::SLICE]));
            before = Some(row);
        }
        let len = rows.len();
        rows.clear();
        self.rows = rows;
        self.keys.clear();
        let Self { stream, wide, parent, wide_parent, key, kind, str, int, double, bool, bytes, ser, .. } = self;
        let parent = if *wide { Part::Column(wide_parent) } else { Part::Column(parent) };
        let values = [Part::Column(str), Part::Column(int), Part::Column(double), Part::Column(bool)];
        let parts = [parent, Part::Column(key), Part::Column(kind)].into_iter().chain(values);
        stream.piece(len, parts.chain([Part::Column(bytes), Part::Column(ser)]).collect(), ids, messages)
    }

    /// Forgets what was added since the last piece.
    pub(super) fn forget(&mut self) {
        self.rows.clear();
        self.keys.clear();
    }
}
