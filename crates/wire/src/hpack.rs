//! HPACK (RFC 7541), the reading side: headers whose table lives as long as the stream they come on.
//!
//! Whoever sends them chooses how much they take: the table, each text and all texts of a block together are bounded.

use std::collections::VecDeque;
use std::sync::LazyLock;

/// Bytes of the table of earlier headers, as RFC 7541 counts them: what every sender may use without being asked.
const MAX_TABLE: usize = 4096;
/// What RFC 7541 adds to the bytes of an entry.
const OVERHEAD: usize = 32;
/// Bytes of one name or value.
const MAX_TEXT: usize = 64 << 10;
/// Bytes of all names and values of a block, each counted as often as it is there.
const MAX_BLOCK: usize = 256 << 10;

/// What is wrong with a block; the table is of no use after it.
pub type Broken = &'static str;

/// The table of earlier headers of one stream.
#[derive(Debug)]
pub struct Decoder {
    /// The latest first.
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    size: usize,
    max: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), size: 0, max: MAX_TABLE }
    }
}

impl Decoder {
    /// Reads a block: `see` gets each name and value in order. Every block of a stream must be read, in order.
    ///
    /// # Errors
    /// Says what is wrong where it is not a block of HPACK, or takes too much. No later block can be read then.
    pub fn read(&mut self, block: &[u8], mut see: impl FnMut(&[u8], &[u8])) -> Result<(), Broken> {
        let mut rest = block;
        let mut seen = 0;
        let mut fields = false;
        let mut see = |name: &[u8], value: &[u8]| {
            seen += name.len() + value.len();
            if seen > MAX_BLOCK {
                return Err("its headers take more than 256 KiB");
            }
            see(name, value);
            Ok(())
        };
        while let Some(&first) = rest.first() {
            if first & 0x80 != 0 {
                let (name, value) = self.entry(integer(&mut rest, 7)?)?;
                see(name, value)?;
            } else if first & 0xe0 == 0x20 {
                // A change of size after a field would be one in the middle of a table's use.
                let max = integer(&mut rest, 5)?;
                if fields || max > MAX_TABLE {
                    return Err("it sets a size of its table that was not offered");
                }
                self.max = max;
                self.evict(0);
                continue;
            } else {
                let kept = first & 0x40 != 0;
                let at = integer(&mut rest, if kept { 6 } else { 4 })?;
                let name = if at == 0 { text(&mut rest)? } else { self.entry(at)?.0.to_vec() };
                let value = text(&mut rest)?;
                see(&name, &value)?;
                if kept {
                    self.insert(name, value);
                }
            }
            fields = true;
        }
        Ok(())
    }

    /// Bytes that the table takes, at most.
    pub fn bytes(&self) -> usize {
        self.size
    }

    fn entry(&self, at: usize) -> Result<(&[u8], &[u8]), Broken> {
        if let Some((name, value)) = at.checked_sub(1).and_then(|at| STATIC.get(at)) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let entry = at.checked_sub(STATIC.len() + 1).and_then(|at| self.table.get(at));
        entry.map(|(name, value)| (&name[..], &value[..])).ok_or("it names a header that is not in the table")
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        let size = name.len() + value.len() + OVERHEAD;
        self.evict(size);
        // What is larger than the table empties it.
        if size <= self.max {
            self.size += size;
            self.table.push_front((name, value));
        }
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, room: usize) {
        while self.size + room > self.max
            && let Some((name, value)) = self.table.pop_back()
        {
            self.size -= name.len() + value.len() + OVERHEAD;
        }
    }
}

/// An integer whose first bits are the last `bits` of a byte.
fn integer(rest: &mut &[u8], bits: u32) -> Result<usize, Broken> {
    const CUT: Broken = "it ends within an integer";
    let (first, mut tail) = rest.split_first().ok_or(CUT)?;
    let mask = (1 << bits) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        // Four bytes hold more than any length or index that is accepted.
        for step in 0..=4 {
            let (next, after) = tail.split_first().ok_or(CUT)?;
            tail = after;
            if step == 4 {
                return Err("it has an integer above 28 bits");
            }
            let low = usize::from(next % 128);
            value += low << (7 * step);
            if *next < 128 {
                break;
            }
        }
    }
    *rest = tail;
    Ok(value)
}

fn text(rest: &mut &[u8]) -> Result<Vec<u8>, Broken> {
    let packed = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)?;
    let (raw, tail) = rest.split_at_checked(length).ok_or("it ends within a text")?;
    *rest = tail;
    if packed {
        return huffman(raw);
    }
    if raw.len() > MAX_TEXT { Err(LONG) } else { Ok(raw.to_vec()) }
}

const LONG: Broken = "it has a text of more than 64 KiB";

/// The code of appendix B is canonical: the lengths say which bits each byte has.
struct Code {
    /// By length: the first code of that length, how many there are, and where their bytes begin.
    lengths: [(u32, u32, usize); 31],
    bytes: Vec<u8>,
}

static CODE: LazyLock<Code> = LazyLock::new(|| {
    let mut code = Code { lengths: [(0, 0, 0); 31], bytes: Vec::with_capacity(256) };
    let mut next = 0;
    for (length, entry) in code.lengths.iter_mut().enumerate().skip(1) {
        next <<= 1;
        let start = code.bytes.len();
        let has = |byte: &u8| usize::from(LENGTHS[usize::from(*byte)] - b'a') + 5 == length;
        code.bytes.extend((0..=255_u8).filter(has));
        let count = (code.bytes.len() - start) as u32;
        *entry = (next, count, start);
        next += count;
    }
    code
});

fn huffman(packed: &[u8]) -> Result<Vec<u8>, Broken> {
    let code = &*CODE;
    let mut out = Vec::with_capacity(packed.len() + packed.len() / 2);
    let (mut bits, mut length) = (0_u32, 0_usize);
    for byte in packed {
        for at in (0..8).rev() {
            bits = bits << 1 | u32::from(byte >> at & 1);
            length += 1;
            let Some((first, count, start)) = code.lengths.get(length) else {
                return Err("it has a code that no byte has");
            };
            if let Some(within) = bits.checked_sub(*first).filter(|within| within < count) {
                out.push(code.bytes[start + within as usize]);
                if out.len() > MAX_TEXT {
                    return Err(LONG);
                }
                (bits, length) = (0, 0);
            }
        }
    }
    // What fills the last byte is the beginning of the code that ends a text, which is all ones.
    if length < 8 && bits == (1 << length) - 1 { Ok(out) } else { Err("a text in it is not padded with ones") }
}

/// The length of each byte's code, from 5 for `a`.
static LENGTHS: &[u8; 256] = b"\
isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhf\
ibccccccccccccccccccccccdcdioijbkabababbbaccbbbabcbaabccccckgjix\
prpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrs\
vvporsruvvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwv";

/// Appendix A.
static STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests;
