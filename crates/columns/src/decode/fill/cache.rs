//! Resources and scopes recognised by their exact wire bytes, so that each is rendered once.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use crate::text::hash;

/// The most entries a cache keeps.
const MAX_ENTRIES: usize = 1024;
/// The most bytes of keys and texts a cache keeps.
const MAX_BYTES: usize = 1 << 20;
/// End of the list of entries.
const NONE: usize = usize::MAX;

/// What identifies a resource or scope: its message, if there is one, and the schema URL beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    pub(super) message: Option<&'a [u8]>,
    pub(super) schema_url: &'a [u8],
}

/// What a resource or scope is in the columns: up to four texts and a count.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub(super) texts: [Option<Vec<u8>>; 4],
    pub(super) dropped: u32,
}

#[derive(Debug)]
struct Entry {
    present: bool,
    message: Vec<u8>,
    schema_url: Vec<u8>,
    hash: u64,
    rendered: Rendered,
    /// The batch that `keys` belong to.
    batch: u64,
    keys: [Option<i32>; 4],
    newer: usize,
    older: usize,
}

impl Entry {
    fn is(&self, identity: Identity<'_>) -> bool {
        let message = self.present.then_some(&self.message[..]);
        message == identity.message && self.schema_url == identity.schema_url
    }

    fn bytes(&self) -> usize {
        let texts = self.rendered.texts.iter().flatten().map(Vec::len).sum::<usize>();
        size_of::<Self>() + self.message.len() + self.schema_url.len() + texts
    }
}

/// Takes a hash for what it is.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// The least recently used entry goes first.
#[derive(Debug)]
pub(super) struct Cache {
    seed: u64,
    found: HashMap<u64, usize, BuildHasherDefault<Same>>,
    entries: Vec<Entry>,
    bytes: usize,
    newest: usize,
    oldest: usize,
}

impl Cache {
    pub(super) fn new() -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { seed, found: HashMap::default(), entries: Vec::new(), bytes: 0, newest: NONE, oldest: NONE }
    }

    /// Rendered form of `identity` and its dictionary keys in `batch`; `render` and `keys` make what is missing.
    pub(super) fn entry<E>(
        &mut self,
        identity: Identity<'_>,
        batch: u64,
        render: impl FnOnce() -> Result<Rendered, E>,
        keys: impl FnOnce(&Rendered) -> [Option<i32>; 4],
    ) -> Result<([Option<i32>; 4], u32), E> {
        let at = match self.entries.get(self.newest) {
            Some(entry) if entry.is(identity) => self.newest,
            _ => {
                let hash = hash(identity.message.unwrap_or_default(), self.seed)
                    ^ hash(identity.schema_url, !self.seed).rotate_left(32)
                    ^ u64::from(identity.message.is_some());
                match self.found.get(&hash) {
                    Some(&at) if self.entries[at].is(identity) => {
                        self.unlink(at);
                        self.link_newest(at);
                        at
                    }
                    _ => self.insert(identity, hash, render()?),
                }
            }
        };
        let entry = &mut self.entries[at];
        if entry.batch != batch {
            entry.batch = batch;
            entry.keys = keys(&entry.rendered);
        }
        Ok((entry.keys, entry.rendered.dropped))
    }

    fn insert(&mut self, identity: Identity<'_>, hash: u64, rendered: Rendered) -> usize {
        let entry = Entry {
            present: identity.message.is_some(),
            message: identity.message.unwrap_or_default().to_vec(),
            schema_url: identity.schema_url.to_vec(),
            hash,
            rendered,
            batch: 0,
            keys: [None; 4],
            newer: NONE,
            older: NONE,
        };
        self.bytes += entry.bytes();
        // Of two identities with one hash the later has its place in the map; the other leaves by age.
        while self.oldest != NONE && (self.entries.len() >= MAX_ENTRIES || self.bytes > MAX_BYTES) {
            self.remove_oldest();
        }
        self.entries.push(entry);
        let at = self.entries.len() - 1;
        self.found.insert(hash, at);
        self.link_newest(at);
        at
    }

    /// Removes the oldest entry; the last one moves to its place.
    fn remove_oldest(&mut self) {
        let at = self.oldest;
        self.unlink(at);
        let gone = self.entries.swap_remove(at);
        self.bytes -= gone.bytes();
        if self.found.get(&gone.hash) == Some(&at) {
            self.found.remove(&gone.hash);
        }
        let from = self.entries.len();
        if let Some(moved) = self.entries.get(at) {
            let (newer, older, hash) = (moved.newer, moved.older, moved.hash);
            if self.found.get(&hash) == Some(&from) {
                self.found.insert(hash, at);
            }
            match self.entries.get_mut(newer) {
                Some(entry) => entry.older = at,
                None => self.newest = at,
            }
            match self.entries.get_mut(older) {
                Some(entry) => entry.newer = at,
                None => self.oldest = at,
            }
        }
    }

    fn unlink(&mut self, at: usize) {
        let (newer, older) = (self.entries[at].newer, self.entries[at].older);
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, at: usize) {
        let before = std::mem::replace(&mut self.newest, at);
        let entry = &mut self.entries[at];
        (entry.newer, entry.older) = (NONE, before);
        match self.entries.get_mut(before) {
            Some(entry) => entry.newer = at,
            None => self.oldest = at,
        }
    }

    /// Releases a single entry that is too large to keep.
    pub(super) fn trim(&mut self) {
        while self.oldest != NONE && self.bytes > MAX_BYTES {
            self.remove_oldest();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counted {
        cache: Cache,
        rendered: usize,
    }

    impl Counted {
        fn look(&mut self, message: &[u8], batch: u64) -> u32 {
            let rendered = &mut self.rendered;
            let identity = Identity { message: Some(message), schema_url: b"url" };
            let render = || {
                *rendered += 1;
                let texts = [Some(message.to_vec()), None, None, None];
                Ok::<_, ()>(Rendered { texts, dropped: message.len() as u32 })
            };
            let (keys, dropped) = self.cache.entry(identity, batch, render, |r| [Some(r.dropped as i32); 4]).unwrap();
            assert_eq!(keys, [Some(message.len() as i32); 4]);
            dropped
        }
    }

    #[test]
    fn the_least_recently_used_goes() {
        let mut counted = Counted { cache: Cache::new(), rendered: 0 };
        let name = |i: usize| format!("resource {i}");
        for i in 0..MAX_ENTRIES {
            counted.look(name(i).as_bytes(), 1);
        }
        assert_eq!(counted.rendered, MAX_ENTRIES);
        counted.look(name(0).as_bytes(), 1);
        counted.look(b"one more", 1);
        assert_eq!(counted.cache.entries.len(), MAX_ENTRIES);
        counted.look(name(0).as_bytes(), 2);
        assert_eq!(counted.rendered, MAX_ENTRIES + 1, "0 was used, so 1 went");
        counted.look(name(1).as_bytes(), 2);
        assert_eq!(counted.rendered, MAX_ENTRIES + 2);
        for i in 0..20_000 {
            let message = vec![b'x'; i % 3000];
            assert_eq!(counted.look(&message, 3), message.len() as u32);
            assert!(counted.cache.bytes <= MAX_BYTES && counted.cache.entries.len() <= MAX_ENTRIES);
            assert_eq!(counted.cache.bytes, counted.cache.entries.iter().map(Entry::bytes).sum::<usize>());
            assert_eq!(counted.cache.found.len(), counted.cache.entries.len());
        }
        counted.look(&vec![0; 2 * MAX_BYTES], 4);
        counted.cache.trim();
        assert_eq!((counted.cache.bytes, counted.cache.entries.len()), (0, 0));
    }

    #[test]
    fn absent_and_empty_differ() {
        let mut cache = Cache::new();
        let mut look = |message, schema_url: &'static [u8]| {
            let mut made = false;
            let render = || {
                made = true;
                Ok::<_, ()>(Rendered::default())
            };
            cache.entry(Identity { message, schema_url }, 1, render, |_| [None; 4]).unwrap();
            made
        };
        assert!(look(None, b"") && look(Some(b""), b"") && look(Some(b""), b"a") && look(Some(b"a"), b""));
        assert!(!look(None, b"") && !look(Some(b""), b"") && !look(Some(b""), b"a") && !look(Some(b"a"), b""));
    }
}
