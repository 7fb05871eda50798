//! A scan of every field of a request, text checked: what any decoder has to do at least.

use otlp_arrow_columns::Signal;

/// What a length-delimited field holds.
#[derive(Clone, Copy)]
enum Block {
    Bytes,
    Text,
    Message(&'static Fields),
}

use Block::{Bytes, Message, Text};

struct Fields([Block; 17]);

const fn fields<const N: usize>(known: [(usize, Block); N]) -> Fields {
    let mut all = [Bytes; 17];
    let mut i = 0;
    while i < N {
        all[known[i].0] = known[i].1;
        i += 1;
    }
    Fields(all)
}

static ANY: Fields = fields([(1, Text), (5, Message(&ARRAY)), (6, Message(&MAP))]);
static ARRAY: Fields = fields([(1, Message(&ANY))]);
static MAP: Fields = fields([(1, Message(&ATTRIBUTE))]);
static ATTRIBUTE: Fields = fields([(1, Text), (2, Message(&ANY))]);
static RESOURCE: Fields = fields([(1, Message(&ATTRIBUTE)), (3, Message(&ENTITY))]);
static ENTITY: Fields = fields([(1, Text), (2, Text), (3, Text), (4, Text)]);
static SCOPE: Fields = fields([(1, Text), (2, Text), (3, Message(&ATTRIBUTE))]);
static EVENT: Fields = fields([(2, Text), (3, Message(&ATTRIBUTE))]);
static LINK: Fields = fields([(3, Text), (4, Message(&ATTRIBUTE))]);
static STATUS: Fields = fields([(2, Text)]);
static SPAN: Fields = fields([
    (3, Text),
    (5, Text),
    (9, Message(&ATTRIBUTE)),
    (11, Message(&EVENT)),
    (13, Message(&LINK)),
    (15, Message(&STATUS)),
]);
static LOG: Fields = fields([(3, Text), (5, Message(&ANY)), (6, Message(&ATTRIBUTE)), (12, Text)]);
static EXEMPLAR: Fields = fields([(7, Message(&ATTRIBUTE))]);
static NUMBER: Fields = fields([(5, Message(&EXEMPLAR)), (7, Message(&ATTRIBUTE))]);
static HISTOGRAM: Fields = fields([(8, Message(&EXEMPLAR)), (9, Message(&ATTRIBUTE))]);
static NUMBERS: Fields = fields([(1, Message(&NUMBER))]);
static HISTOGRAMS: Fields = fields([(1, Message(&HISTOGRAM))]);
static METRIC: Fields = fields([
    (1, Text),
    (2, Text),
    (3, Text),
    (5, Message(&NUMBERS)),
    (7, Message(&NUMBERS)),
    (9, Message(&HISTOGRAMS)),
    (12, Message(&ATTRIBUTE)),
]);

static REQUESTS: [Fields; 3] = [
    fields([(
        1,
        Message(&fields([
            (1, Message(&RESOURCE)),
            (2, Message(&fields([(1, Message(&SCOPE)), (2, Message(&SPAN)), (3, Text)]))),
            (3, Text),
        ])),
    )]),
    fields([(
        1,
        Message(&fields([
            (1, Message(&RESOURCE)),
            (2, Message(&fields([(1, Message(&SCOPE)), (2, Message(&METRIC)), (3, Text)]))),
            (3, Text),
        ])),
    )]),
    fields([(
        1,
        Message(&fields([
            (1, Message(&RESOURCE)),
            (2, Message(&fields([(1, Message(&SCOPE)), (2, Message(&LOG)), (3, Text)]))),
            (3, Text),
        ])),
    )]),
];

/// Reads a whole request; the number of fields.
pub(crate) fn request(signal: Signal, bytes: &[u8]) -> Option<usize> {
    scan(bytes, &REQUESTS[signal.index()])
}

fn scan(mut bytes: &[u8], fields: &Fields) -> Option<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        count += 1;
        let key = varint(&mut bytes)?;
        match key & 7 {
            0 => drop(varint(&mut bytes)?),
            1 => bytes = bytes.get(8..)?,
            5 => bytes = bytes.get(4..)?,
            2 => {
                let len = varint(&mut bytes)? as usize;
                let (body, rest) = bytes.split_at_checked(len)?;
                bytes = rest;
                match fields.0.get((key >> 3) as usize) {
                    Some(Text) => drop(std::str::from_utf8(body).ok()?),
                    Some(Message(fields)) => count += scan(body, fields)?,
                    _ => {}
                }
            }
            _ => return None,
        }
    }
    Some(count)
}

#[inline(always)]
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(u64::from(first));
    }
    let mut value = u64::from(first & 0x7f);
    for (i, &byte) in rest.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * (i + 1));
        if byte < 0x80 {
            *bytes = &rest[i + 1..];
            return Some(value);
        }
    }
    None
}
