//! Random OTLP at the level of the wire: fields in any order, repeated, overlong, unknown, and now and then wrong.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

use otlp_arrow_columns::Signal;
use otlp_arrow_testkit::rng::Rng;

#[derive(Clone, Copy)]
pub enum Type {
    Text,
    Key,
    /// An id of this length.
    Id(usize),
    Bytes,
    Varint,
    Fixed64,
    Fixed32,
    Packed64,
    PackedVarint,
    Message(&'static [(u32, Type)]),
    Any,
    KeyValue,
}

use Type::{Any, Bytes, Fixed32, Fixed64, Id, Key, KeyValue, Message, Packed64, PackedVarint, Text, Varint};

type Fields = &'static [(u32, Type)];

static ANY: Fields = &[
    (1, Text),
    (2, Varint),
    (3, Varint),
    (4, Fixed64),
    (5, Message(&[(1, Any)])),
    (6, Message(&[(1, KeyValue)])),
    (7, Bytes),
    (8, Varint),
];
static KEY_VALUE: Fields = &[(1, Key), (2, Any), (3, Varint)];
static RESOURCE: Fields = &[(1, KeyValue), (2, Varint), (3, Message(&[(1, Text), (2, Text), (3, Text), (4, Text)]))];
static SCOPE: Fields = &[(1, Text), (2, Text), (3, KeyValue), (4, Varint)];
static EVENT: Fields = &[(1, Fixed64), (2, Text), (3, KeyValue), (4, Varint)];
static LINK: Fields = &[(1, Id(16)), (2, Id(8)), (3, Text), (4, KeyValue), (5, Varint), (6, Fixed32)];
static SPAN: Fields = &[
    (1, Id(16)),
    (2, Id(8)),
    (3, Text),
    (4, Id(8)),
    (5, Text),
    (6, Varint),
    (7, Fixed64),
    (8, Fixed64),
    (9, KeyValue),
    (9, KeyValue),
    (10, Varint),
    (11, Message(EVENT)),
    (12, Varint),
    (13, Message(LINK)),
    (14, Varint),
    (15, Message(&[(2, Text), (3, Varint)])),
    (16, Fixed32),
];
static LOG: Fields = &[
    (1, Fixed64),
    (2, Varint),
    (3, Text),
    (5, Any),
    (6, KeyValue),
    (6, KeyValue),
    (7, Varint),
    (8, Fixed32),
    (9, Id(16)),
    (10, Id(8)),
    (11, Fixed64),
    (12, Text),
];
static EXEMPLAR: Fields = &[(2, Fixed64), (3, Fixed64), (4, Id(8)), (5, Id(16)), (6, Fixed64), (7, KeyValue)];
static NUMBER: Fields =
    &[(2, Fixed64), (3, Fixed64), (4, Fixed64), (5, Message(EXEMPLAR)), (6, Fixed64), (7, KeyValue), (8, Varint)];
static HISTOGRAM: Fields = &[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Packed64),
    (7, Packed64),
    (6, Fixed64),
    (7, Fixed64),
    (8, Message(EXEMPLAR)),
    (9, KeyValue),
    (10, Varint),
    (11, Fixed64),
    (12, Fixed64),
];
static BUCKETS: Fields = &[(1, Varint), (2, PackedVarint), (2, Varint)];
static EXPONENTIAL: Fields = &[
    (1, KeyValue),
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Varint),
    (7, Fixed64),
    (8, Message(BUCKETS)),
    (9, Message(BUCKETS)),
    (10, Varint),
    (11, Message(EXEMPLAR)),
    (12, Fixed64),
    (13, Fixed64),
    (14, Fixed64),
];
static SUMMARY: Fields = &[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Message(&[(1, Fixed64), (2, Fixed64)])),
    (7, KeyValue),
    (8, Varint),
];
static METRIC: Fields = &[
    (1, Text),
    (2, Text),
    (3, Text),
    (5, Message(&[(1, Message(NUMBER))])),
    (7, Message(&[(1, Message(NUMBER)), (2, Varint), (3, Varint)])),
    (9, Message(&[(1, Message(HISTOGRAM)), (2, Varint)])),
    (10, Message(&[(1, Message(EXPONENTIAL)), (2, Varint)])),
    (11, Message(&[(1, Message(SUMMARY))])),
    (12, KeyValue),
];

macro_rules! request {
    ($record:expr) => {
        &[(
            1,
            Message(&[
                (1, Message(RESOURCE)),
                (2, Message(&[(1, Message(SCOPE)), (2, Message($record)), (3, Text)])),
                (3, Text),
            ]),
        )]
    };
}

static TRACES: Fields = request!(SPAN);
static LOGS: Fields = request!(LOG);
static METRICS: Fields = request!(METRIC);

const KEYS: [&str; 12] = [
    "k",
    "k#2",
    "k#3",
    "",
    "@double",
    "@",
    "service.name",
    "é",
    "http.request.method",
    "k#2#2",
    "a\"\\\n\u{1}",
    "a key that is longer than thirty-two bytes, as a few are",
];

pub struct Generator {
    rng: Rng,
    /// Whether to break rules now and then.
    faults: bool,
}

impl Generator {
    pub fn new(seed: u64, faults: bool) -> Self {
        Self { rng: Rng::new(seed), faults }
    }

    pub fn request(&mut self, signal: Signal) -> Vec<u8> {
        let fields = match signal {
            Signal::Traces => TRACES,
            Signal::Logs => LOGS,
            Signal::Metrics => METRICS,
        };
        let mut out = Vec::new();
        self.message(fields, 0, &mut out);
        out
    }

    fn message(&mut self, fields: Fields, depth: usize, out: &mut Vec<u8>) {
        let most = if depth > 12 { 1 } else { (2 * fields.len() as u64).clamp(4, 14) };
        let least = if depth < 3 { 2 } else { 0 };
        for _ in 0..least + self.rng.below(most) {
            let (number, field) = *self.rng.pick(fields);
            if self.rng.one_in(60) {
                self.unknown(out);
            }
            self.field(number, field, depth, out);
        }
    }

    fn unknown(&mut self, out: &mut Vec<u8>) {
        let number = *self.rng.pick(&[17, 99, 1000, 536_870_910]);
        match self.rng.below(5) {
            0 => self.field(number, Varint, 0, out),
            1 => self.field(number, Fixed64, 0, out),
            2 => self.field(number, Text, 0, out),
            3 => self.field(number, Fixed32, 0, out),
            _ => {
                self.varint(u64::from(number) << 3 | 3, out);
                self.field(1, Varint, 0, out);
                self.field(7, Bytes, 0, out);
                self.varint(u64::from(number) << 3 | 4, out);
            }
        }
    }

    fn field(&mut self, number: u32, field: Type, depth: usize, out: &mut Vec<u8>) {
        let wire = match field {
            Varint => 0,
            Fixed64 => 1,
            Fixed32 => 5,
            _ => 2,
        };
        let wire = if self.faults && self.rng.one_in(3000) { self.rng.below(8) } else { wire };
        self.varint(u64::from(number) << 3 | wire, out);
        match field {
            Varint => {
                let value = self.number();
                self.varint(value, out);
            }
            Fixed64 => {
                let value = self.number();
                let value = if self.rng.one_in(2) { (value as f64 / 8.0).to_bits() } else { value };
                out.extend(value.to_le_bytes());
            }
            Fixed32 => out.extend((self.number() as u32).to_le_bytes()),
            _ => {
                let mut body = Vec::new();
                self.body(field, depth, &mut body);
                let len = body.len() as u64;
                let wrong = self.faults && self.rng.one_in(5000);
                let more = if wrong { self.rng.below(3) } else { 0 };
                self.varint(len + more, out);
                out.extend(body);
            }
        }
    }

    fn body(&mut self, field: Type, depth: usize, body: &mut Vec<u8>) {
        match field {
            Message(fields) => self.message(fields, depth + 1, body),
            Any => self.message(ANY, depth + 1, body),
            KeyValue => self.message(KEY_VALUE, depth + 1, body),
            Key => body.extend(self.rng.pick(&KEYS).bytes()),
            Id(len) => {
                let right = !self.faults || !self.rng.one_in(60);
                let len = if right { *self.rng.pick(&[0, len]) } else { self.rng.index(20) };
                let zero = self.rng.one_in(10);
                body.extend((0..len).map(|i| if zero { 0 } else { i as u8 * 9 }));
            }
            Packed64 => {
                for _ in 0..self.rng.below(5) {
                    let value = self.number();
                    body.extend(value.to_le_bytes());
                }
                if self.faults && self.rng.one_in(500) {
                    body.push(0);
                }
            }
            PackedVarint => {
                for _ in 0..self.rng.below(5) {
                    let value = self.number();
                    self.varint(value, body);
                }
            }
            Bytes => {
                let len = self.rng.index(9);
                body.extend(self.rng.id(len));
            }
            _ => {
                for _ in 0..self.rng.below(4) {
                    body.extend(
                        self.rng.pick(&["", "text", "é😀", "\"\\\u{7f}\u{0}", "@", "x", "0123456789abcdef"]).bytes(),
                    );
                }
                if self.faults && self.rng.one_in(1500) {
                    body.push(0xc3);
                }
            }
        }
    }

    fn number(&mut self) -> u64 {
        match self.rng.below(6) {
            0 => 0,
            1 => u64::MAX - self.rng.below(3),
            2 => 1 << self.rng.below(64),
            3 => self.rng.bits(),
            _ => self.rng.below(8),
        }
    }

    fn varint(&mut self, mut value: u64, out: &mut Vec<u8>) {
        let pad = if self.rng.one_in(100) { self.rng.below(4) } else { 0 };
        let mut len = 0;
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
            len += 1;
        }
        let pad = pad.min(9 - len);
        for i in 0..=pad {
            let last = if i == 0 { value as u8 } else { 0 };
            out.push(if i < pad { last | 0x80 } else { last });
        }
    }
}
