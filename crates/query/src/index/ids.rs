//! In which blocks of a file the records of a trace are: a filter over all ids, and a table from ids to blocks.
//!
//! An entry of the table is the first four bytes of an id and 16 bits of its hash: the former so that the beginning of an id can
//! be looked up, the latter for senders whose ids all begin alike. Ids with the same entry share its blocks.

use otlp_arrow_wire::read::Cursor;
use otlp_arrow_wire::write::varint;

use crate::filter::IdPrefix;

use super::bytes::{Put, Reader};
use super::fuse::{Fuse, mix};

/// More pairs of an id and a block than this are not gathered: of such a file every block may have any id.
const MOST: usize = 2 << 20;
/// So many entries follow each other without a mark of where their blocks are.
const GROUP: usize = 32;

/// The ids of one file while it is gone through.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Entry and block.
    pairs: Vec<(u64, u32)>,
    hashes: Vec<u64>,
    scratch: Vec<(u64, u64)>,
    full: bool,
}

/// All 16 bytes, for ids of some senders are random in one half only.
fn hash(id: [u8; 16]) -> u64 {
    let number = u128::from_be_bytes(id);
    mix(mix((number >> 64) as u64 ^ 0x9e37_79b9_7f4a_7c15) ^ number as u64)
}

fn entry(id: [u8; 16], hash: u64) -> u64 {
    u64::from(u32::from_be_bytes([id[0], id[1], id[2], id[3]])) << 16 | hash >> 48
}

impl Gathered {
    /// The ids of the next block.
    pub(super) fn block<'a>(&mut self, block: u32, ids: impl Iterator<Item = &'a [u8]>) {
        if self.full {
            return;
        }
        self.scratch.clear();
        let mut last: &[u8] = &[];
        for id in ids {
            // Neighbours are often of one trace.
            if id != last
                && let Ok(id) = id.try_into()
            {
                let hash = hash(id);
                self.scratch.push((entry(id, hash), hash));
            }
            last = id;
        }
        self.scratch.sort_unstable();
        self.scratch.dedup();
        self.hashes.extend(self.scratch.iter().map(|(_, hash)| *hash));
        self.scratch.dedup_by_key(|(entry, _)| *entry);
        self.pairs.extend(self.scratch.iter().map(|(entry, _)| (*entry, block)));
        if self.pairs.len() > MOST {
            *self = Self { full: true, ..Self::default() };
        }
    }

    /// The filter and the table; nothing where there were too many, or no filter can be made.
    pub(super) fn finish(mut self) -> Option<(Fuse, Vec<u8>)> {
        if self.full {
            return None;
        }
        self.hashes.sort_unstable();
        self.hashes.dedup();
        let filter = Fuse::of(&self.hashes)?;
        // Blocks came in order: of each entry they are so after a stable sort.
        self.pairs.sort_by_key(|(entry, _)| *entry);
        let mut table = Vec::with_capacity(self.pairs.len() * 9);
        let count = self.pairs.chunk_by(|a, b| a.0 == b.0).count();
        table.put_count(count);
        let (mut starts, mut lists) = (Vec::with_capacity(count / GROUP + 1), Vec::with_capacity(count + count / 4));
        for (at, of_entry) in self.pairs.chunk_by(|a, b| a.0 == b.0).enumerate() {
            if at % GROUP == 0 {
                starts.push(u32::try_from(lists.len()).ok()?);
            }
            let (mut next, last) = (0, of_entry.len() - 1);
            for (at, (_, block)) in of_entry.iter().enumerate() {
                varint(&mut lists, u64::from(block - next) << 1 | u64::from(at < last));
                next = block + 1;
            }
        }
        let entries = || self.pairs.chunk_by(|a, b| a.0 == b.0).map(|of_entry| of_entry[0].0);
        entries().for_each(|entry| table.put_u32((entry >> 16) as u32));
        entries().for_each(|entry| table.put_u16(entry as u16));
        starts.into_iter().for_each(|start| table.put_u32(start));
        table.extend(lists);
        Some((filter, table))
    }
}

/// Ids that a question asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// One: its entry and its hash.
    Whole(u64, u64),
    /// Those whose first four bytes are between these, both ends included.
    Begins(u32, u32),
}

impl Wanted {
    pub(super) fn id(id: [u8; 16]) -> Self {
        let hash = hash(id);
        Wanted::Whole(entry(id, hash), hash)
    }

    /// `None` of what is not a trace id.
    pub(super) fn prefix(prefix: &IdPrefix) -> Option<Self> {
        match prefix.complete() {
            Some(id) => id.try_into().ok().map(Self::id),
            None => {
                let (first, counts, width) = prefix.bits();
                let [first, counts] = [first, counts].map(|bits| (bits >> 96) as u32);
                (width == 16).then_some(Wanted::Begins(first, first | !counts))
            }
        }
    }

    /// Whether it can be in a file with this filter.
    pub(super) fn may_be_in(self, filter: &Fuse) -> bool {
        match self {
            Wanted::Whole(_, hash) => filter.may_have(hash),
            Wanted::Begins(..) => true,
        }
    }
}

/// The table of one file.
#[derive(Debug)]
pub(super) struct Table<'a> {
    prefixes: &'a [u8],
    hashes: &'a [u8],
    starts: &'a [u8],
    lists: &'a [u8],
    count: usize,
}

impl<'a> Table<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let count = reader.count(6)?;
        let (prefixes, hashes) = (reader.bytes(count * 4)?, reader.bytes(count * 2)?);
        let starts = reader.bytes(count.div_ceil(GROUP) * 4)?;
        Some(Self { prefixes, hashes, starts, lists: reader.0, count })
    }

    fn prefix(&self, at: usize) -> u32 {
        Reader(&self.prefixes[at * 4..]).u32().unwrap_or_default()
    }

    fn entry(&self, at: usize) -> u64 {
        u64::from(self.prefix(at)) << 16 | u64::from(Reader(&self.hashes[at * 2..]).u16().unwrap_or_default())
    }

    /// The first entry for which `is_before` does not hold.
    fn first(&self, is_before: impl Fn(&Self, usize) -> bool) -> usize {
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = usize::midpoint(from, to);
            match is_before(self, middle) {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        from
    }

    /// Marks the blocks that may have what is wanted. `None` where the table cannot be.
    pub(super) fn mark(&self, wanted: Wanted, blocks: &mut [bool]) -> Option<()> {
        let (from, to) = match wanted {
            Wanted::Whole(entry, _) => {
                let from = self.first(|table, at| table.entry(at) < entry);
                (from, from + usize::from(from < self.count && self.entry(from) == entry))
            }
            Wanted::Begins(first, last) => {
                (self.first(|table, at| table.prefix(at) < first), self.first(|table, at| table.prefix(at) <= last))
            }
        };
        if from >= to {
            return Some(());
        }
        let group = from / GROUP;
        let start = Reader(self.starts.get(group * 4..)?).u32()?;
        let mut lists = Cursor::new(self.lists.get(start as usize..)?);
        for at in group * GROUP..to {
            let mut next = 0u64;
            loop {
                let value = lists.varint().ok()?;
                let block = next.checked_add(value >> 1)?;
                if at >= from {
                    *blocks.get_mut(usize::try_from(block).ok()?)? = true;
                }
                next = block + 1;
                if value & 1 == 0 {
                    break;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids of some blocks: each trace in one to three of them.
    fn sample(make: impl Fn(u64) -> [u8; 16], traces: u64, blocks: u64) -> Vec<Vec<[u8; 16]>> {
        let mut all = vec![Vec::new(); blocks as usize];
        for trace in 0..traces {
            let first = mix(trace) % blocks;
            for at in [first, first, (first + trace % 3) % blocks, (first + 7 * (trace % 5)) % blocks] {
                all[at as usize].push(make(trace));
            }
        }
        all
    }

    fn built(blocks: &[Vec<[u8; 16]>]) -> (Fuse, Vec<u8>) {
        let mut gathered = Gathered::default();
        for (at, ids) in blocks.iter().enumerate() {
            gathered.block(at as u32, ids.iter().map(|id| id.as_slice()));
        }
        gathered.finish().unwrap()
    }

    #[test]
    fn each_trace_is_found_where_it_is_whatever_its_sender_makes_of_ids() {
        let random = |trace: u64| (u128::from(mix(trace)) << 64 | u128::from(mix(!trace))).to_be_bytes();
        let low = |trace: u64| u128::from(mix(trace)).to_be_bytes();
        let of_seconds =
            |trace: u64| ((0x6a00_0000u128 + u128::from(trace / 100)) << 96 | u128::from(mix(trace))).to_be_bytes();
        let counted = |trace: u64| u128::from(trace + 1).to_be_bytes();
        let makers: [&dyn Fn(u64) -> [u8; 16]; 4] = [&random, &low, &of_seconds, &counted];
        for make in makers {
            for (traces, blocks) in [(1, 1), (31, 4), (32, 4), (33, 4), (700, 52)] {
                let sample = sample(make, traces, blocks);
                let (filter, bytes) = built(&sample);
                let table = Table::read(&bytes).unwrap();
                let mut left = 0;
                for trace in 0..traces {
                    let id = make(trace);
                    let wanted = Wanted::id(id);
                    assert!(wanted.may_be_in(&filter));
                    for prefix in
                        [32, 12, 8, 7, 4].map(|digits| IdPrefix::parse(&crate::record::hex(&id)[..digits], 16))
                    {
                        let mut found = vec![false; blocks as usize];
                        table.mark(Wanted::prefix(&prefix.unwrap()).unwrap(), &mut found).unwrap();
                        let here = sample.iter().map(|ids| ids.contains(&id));
                        assert!(found.iter().zip(here).all(|(found, here)| *found || !here), "{trace} of {traces}");
                    }
                    let mut found = vec![false; blocks as usize];
                    table.mark(wanted, &mut found).unwrap();
                    left += found.iter().filter(|found| **found).count();
                }
                assert!(left as u64 <= traces * 3 + traces / 100, "{left} blocks of {traces} traces");
            }
        }
    }

    #[test]
    fn a_table_takes_little() {
        let random = |trace: u64| (u128::from(mix(trace)) << 64 | u128::from(mix(!trace))).to_be_bytes();
        let (filter, bytes) = built(&sample(random, 10_700, 52));
        let each = (filter.memory() + bytes.len()) as f64 / 10_700.0;
        assert!(each < 12.5, "{each} bytes a trace");
    }

    #[test]
    fn what_cannot_be_a_table_marks_nothing_wrongly_and_does_not_panic() {
        let counted = |trace: u64| u128::from(trace + 1).to_be_bytes();
        let (_, bytes) = built(&sample(counted, 100, 8));
        for at in 0..bytes.len() {
            for change in [0xff, 0x80, 0x01] {
                let mut wrong = bytes.clone();
                wrong[at] ^= change;
                for bytes in [&wrong[..], &bytes[..at]] {
                    let Some(table) = Table::read(bytes) else { continue };
                    let mut found = [false; 8];
                    let _ = table.mark(Wanted::id(counted(50)), &mut found);
                    let _ = table.mark(Wanted::Begins(0, u32::MAX), &mut found);
                }
            }
        }
    }

    #[test]
    fn too_many_ids_are_not_kept() {
        let mut gathered = Gathered::default();
        let random = |trace: u64| (u128::from(mix(trace)) << 64 | u128::from(mix(!trace))).to_be_bytes();
        for block in 0..=(MOST as u64 / 65_536) {
            let ids: Vec<[u8; 16]> = (0..65_536).map(|at| random(block << 16 | at)).collect();
            gathered.block(block as u32, ids.iter().map(|id| id.as_slice()));
        }
        assert!(gathered.finish().is_none());
    }
}
