//! Against the examples of RFC 7541, an encoder written for this, and what no encoder writes.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

type Headers = Vec<(String, String)>;

fn read(decoder: &mut Decoder, block: &[u8]) -> Result<Headers, Broken> {
    let mut headers = Headers::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    decoder.read(block, |name, value| headers.push((text(name), text(value))))?;
    Ok(headers)
}

fn headers(of: &[(&str, &str)]) -> Headers {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let requests = [
        headers(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]),
        headers(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "www.example.com"),
            ("cache-control", "no-cache"),
        ]),
        headers(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ]),
    ];
    // C.3 without Huffman, C.4 with.
    for blocks in [
        [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ],
        [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ],
    ] {
        let mut decoder = Decoder::default();
        for (block, wanted) in blocks.iter().zip(&requests) {
            assert_eq!(&read(&mut decoder, &hex(block)).unwrap(), wanted);
        }
        assert_eq!(decoder.bytes(), 164);
    }
}

/// C.6: a table of 256 bytes, in which entries make way for others.
#[test]
fn entries_make_way_in_a_small_table() {
    let (date, location) = ("Mon, 21 Oct 2013 20:13:21 GMT", "https://www.example.com");
    let responses = [
        headers(&[(":status", "302"), ("cache-control", "private"), ("date", date), ("location", location)]),
        headers(&[(":status", "307"), ("cache-control", "private"), ("date", date), ("location", location)]),
        headers(&[
            (":status", "200"),
            ("cache-control", "private"),
            ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
            ("location", location),
            ("content-encoding", "gzip"),
            ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
        ]),
    ];
    let blocks = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
         8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
         dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let mut decoder = Decoder::default();
    // The sender says first that it uses 256 bytes: 0x3f, then 225.
    let mut block = vec![0x3f, 0xe1, 0x01];
    for (text, wanted) in blocks.iter().zip(&responses) {
        block.extend(hex(text));
        assert_eq!(&read(&mut decoder, &block).unwrap(), wanted);
        block.clear();
    }
    assert_eq!(decoder.bytes(), 215);
}

/// A pseudo-random number.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

/// The writing side: indexes, Huffman codes and changes of the table as the state says.
struct Encoder {
    table: VecDeque<(String, String)>,
    max: usize,
    state: u64,
}

impl Encoder {
    fn size(&self) -> usize {
        self.table.iter().map(|(name, value)| name.len() + value.len() + OVERHEAD).sum()
    }

    fn evict(&mut self, room: usize) {
        while self.size() + room > self.max && self.table.pop_back().is_some() {}
    }

    fn integer(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
        let mask = (1 << bits) - 1;
        if value < mask {
            return out.push(first | value as u8);
        }
        out.push(first | mask as u8);
        let mut rest = value - mask;
        while rest >= 128 {
            out.push((rest % 128) as u8 + 128);
            rest /= 128;
        }
        out.push(rest as u8);
    }

    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        if random(&mut self.state) & 1 == 0 {
            Self::integer(out, 0, 7, text.len());
            return out.extend_from_slice(text.as_bytes());
        }
        let mut bits: Vec<bool> = Vec::new();
        for byte in text.bytes() {
            let length = usize::from(LENGTHS[usize::from(byte)] - b'a') + 5;
            let (first, _, start) = CODE.lengths[length];
            let at = CODE.bytes[start..].iter().position(|other| *other == byte).unwrap();
            let code = first + at as u32;
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        while !bits.len().is_multiple_of(8) {
            bits.push(true);
        }
        Self::integer(out, 0x80, 7, bits.len() / 8);
        out.extend(bits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))));
    }

    fn block(&mut self, headers: &Headers) -> Vec<u8> {
        let mut out = Vec::new();
        if random(&mut self.state).is_multiple_of(20) {
            self.max = random(&mut self.state) % (MAX_TABLE + 1);
            Self::integer(&mut out, 0x20, 5, self.max);
            self.evict(0);
        }
        for (name, value) in headers {
            let known = |full: bool, (a, b): (&str, &str)| a == name && (!full || b == value);
            let own = |full| self.table.iter().position(|(a, b)| known(full, (a, b))).map(|at| at + STATIC.len() + 1);
            let find =
                |full| STATIC.iter().position(|entry| known(full, *entry)).map(|at| at + 1).or_else(|| own(full));
            if let Some(at) = find(true) {
                Self::integer(&mut out, 0x80, 7, at);
                continue;
            }
            let at = find(false).filter(|_| random(&mut self.state) & 3 > 0).unwrap_or(0);
            let (first, bits) = [(0x40, 6), (0x00, 4), (0x10, 4)][random(&mut self.state) % 3];
            Self::integer(&mut out, first, bits, at);
            if at == 0 {
                self.text(&mut out, name);
            }
            self.text(&mut out, value);
            if first == 0x40 {
                let size = name.len() + value.len() + OVERHEAD;
                self.evict(size);
                if size <= self.max {
                    self.table.push_front((name.clone(), value.clone()));
                }
            }
        }
        out
    }
}

#[test]
fn ten_thousand_random_sets_are_read_as_they_were_written() {
    let names = ["otlp-pdata-size", "grpc-timeout", "authorization", "x-tenant", "traceparent", "accept", "ü"];
    let (mut encoder, mut decoder) = (Encoder { table: VecDeque::new(), max: MAX_TABLE, state: 7 }, Decoder::default());
    let mut state = 1;
    for round in 0..10_000 {
        let count = random(&mut state) % 8;
        let set: Headers = (0..count)
            .map(|_| {
                let value: String = match random(&mut state) % 4 {
                    0 => String::new(),
                    1 => random(&mut state).to_string(),
                    2 => (0..random(&mut state) % 600).map(|_| char::from((random(&mut state) % 128) as u8)).collect(),
                    _ => "é\u{1f600}~".repeat(random(&mut state) % 20),
                };
                (names[random(&mut state) % names.len()].to_owned(), value)
            })
            .collect();
        let block = encoder.block(&set);
        assert_eq!(read(&mut decoder, &block).unwrap(), set, "{round}");
        assert_eq!(decoder.bytes(), encoder.size(), "{round}");
        assert!(decoder.bytes() <= MAX_TABLE);
    }
}

#[test]
fn what_no_encoder_writes_is_refused() {
    let broken: [(&str, Vec<u8>); 12] = [
        ("index 0", vec![0x80]),
        ("beyond the table", vec![0xbe]),
        ("far beyond it", vec![0xff, 0xff, 0xff, 0xff, 0x01]),
        ("an integer without an end", vec![0xff; 20]),
        ("a cut integer", vec![0xff, 0x80]),
        ("a cut text", vec![0x40, 0x05, b'a']),
        ("no value", vec![0x40, 0x01, b'a']),
        ("a larger table than offered", vec![0x3f, 0xe2, 0x1f]),
        ("a size behind a field", vec![0x82, 0x20]),
        ("the code that ends a text", vec![0x40, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]),
        ("padding of zeros", vec![0x40, 0x81, 0x00, 0x00]),
        ("more than seven bits of padding", vec![0x40, 0x82, 0x1f, 0xff, 0x00]),
    ];
    for (what, block) in broken {
        assert!(Decoder::default().read(&block, |_, _| ()).is_err(), "{what}");
    }
}

#[test]
fn a_block_takes_no_more_than_it_may() {
    // One byte names four thousand.
    let mut decoder = Decoder::default();
    let mut block = vec![0x40, 1, b'n'];
    Encoder::integer(&mut block, 0, 7, 4000);
    block.extend(vec![b'v'; 4000]);
    decoder.read(&block, |_, _| ()).unwrap();
    let mut seen = 0;
    let abused = decoder.read(&vec![0xbe; 1 << 20], |name, value| seen += name.len() + value.len());
    assert!(abused.is_err() && seen <= MAX_BLOCK, "{seen}");
    // Texts that are longer than they may be, plain and packed.
    for first in [0, 0x80] {
        let mut block = vec![0x00];
        Encoder::integer(&mut block, first, 7, MAX_TEXT + 1);
        block.extend(vec![0x00; MAX_TEXT + 10]);
        assert!(Decoder::default().read(&block, |_, _| ()).is_err());
    }
    // Nothing is kept that does not fit into the table.
    let mut decoder = Decoder::default();
    for _ in 0..100 {
        let mut block = vec![0x40, 1, b'n'];
        Encoder::integer(&mut block, 0, 7, 1000);
        block.extend(vec![b'v'; 1000]);
        decoder.read(&block, |_, _| ()).unwrap();
        assert!(decoder.bytes() <= MAX_TABLE);
    }
}

#[test]
fn random_blocks_end_without_a_panic() {
    let mut state = 3;
    for _ in 0..20_000 {
        let block: Vec<u8> = (0..random(&mut state) % 60).map(|_| random(&mut state) as u8).collect();
        let mut decoder = Decoder::default();
        let _ = decoder.read(&block, |_, _| ());
        assert!(decoder.bytes() <= MAX_TABLE);
    }
}
