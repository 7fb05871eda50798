//! The keys that senders gave their batches: a batch whose key is known is kept already, and acknowledged without being stored again.
//!
//! A key stands in the metadata of its commit, so that it is there exactly when the rows are. What is known of it in memory is made
//! of the files when the first batch with a key comes, and bounded: the last [`LEAST`] keys of a signal, and of more those of the
//! last [`YOUNG`], [`MOST`] at most.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::channel::oneshot;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_columns::Signal;

use super::context::{Context, lock};
use crate::file::keys::MOST as LEAST;

/// The longest key, in bytes.
const LONGEST: usize = 128;
/// Keys that are younger are known also where there are more than [`LEAST`].
const YOUNG: Duration = Duration::from_secs(3600);
/// More are not known, however young they are.
const MOST: usize = 4 * LEAST;

/// The keys of one commit take no more bytes than this.
const KEY_BYTES: usize = 256 << 10;

/// What a sender calls a batch, so that it may send it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BatchKey(Arc<[u8]>);

impl BatchKey {
    /// The key of these bytes, whatever they are; INVALID_DATA where there are none, or too many.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        match bytes.len() {
            1..=LONGEST => Ok(Self(bytes.into())),
            given => {
                let message = format!("the key of a batch has {given} bytes: give it 1 to {LONGEST}, such as a UUID");
                Err(OtlpError::new(Code::InvalidData, message))
            }
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How a key stands.
pub(crate) enum Standing {
    /// Its batch is to be stored, and what became of it to be told by [`Keys::settle`].
    New,
    /// Its batch is kept.
    Kept,
    /// Its batch is on its way: what becomes of it is told here.
    OnItsWay(oneshot::Receiver<Result<()>>),
}

/// The keys of one signal.
#[derive(Default)]
pub(crate) struct Keys {
    loaded: OnceLock<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hashers: [RandomState; 2],
    kept: HashSet<u128>,
    /// Oldest first, with the seconds since 1970 that they were kept at.
    order: VecDeque<(u128, u64)>,
    on_the_way: HashMap<BatchKey, Vec<oneshot::Sender<Result<()>>>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("kept", &lock(&self.state).kept.len()).finish_non_exhaustive()
    }
}

impl State {
    /// A key takes as much memory as any other; nobody can know two that are the same here.
    fn hash(&self, key: &[u8]) -> u128 {
        let [first, second] = self.hashers.each_ref().map(|hasher| hasher.hash_one(key));
        u128::from(first) << 64 | u128::from(second)
    }

    fn keep(&mut self, key: &[u8], seconds: u64, now: u64) {
        let hash = self.hash(key);
        if self.kept.insert(hash) {
            self.order.push_back((hash, seconds));
        }
        while self.order.len() > LEAST {
            let Some((oldest, kept)) = self.order.front().copied() else { break };
            if self.order.len() <= MOST && now.saturating_sub(kept) < YOUNG.as_secs() {
                break;
            }
            self.order.pop_front();
            self.kept.remove(&oldest);
        }
    }
}

impl Keys {
    /// How `key` stands, which is on its way from now on where it is new.
    pub(crate) fn begin(&self, ctx: &Context, signal: Signal, key: &BatchKey) -> Standing {
        self.loaded.get_or_init(|| self.load(ctx, signal));
        let mut state = lock(&self.state);
        if state.kept.contains(&state.hash(key.as_bytes())) {
            return Standing::Kept;
        }
        match state.on_the_way.get_mut(key) {
            Some(waiting) => {
                let (sender, receiver) = oneshot::channel();
                waiting.push(sender);
                Standing::OnItsWay(receiver)
            }
            None => {
                state.on_the_way.insert(key.clone(), Vec::new());
                Standing::New
            }
        }
    }

    /// What became of the batch of `key`, which was new.
    pub(crate) fn settle(&self, ctx: &Context, key: &BatchKey, result: &Result<()>) {
        let mut state = lock(&self.state);
        if result.is_ok() {
            let now = seconds(ctx);
            state.keep(key.as_bytes(), now, now);
        }
        let waiting = state.on_the_way.remove(key).unwrap_or_default();
        drop(state);
        for sender in waiting {
            let _ = sender.send(result.clone());
        }
    }

    /// Those of what is in the directory, whoever has written it: a sender may come to us because another recorder ended.
    fn load(&self, ctx: &Context, signal: Signal) {
        let now = seconds(ctx);
        let mut found = Vec::new();
        let entries = ctx.log.entries(signal).unwrap_or_else(|error| {
            tracing::warn!(%error, "the keys of batches that are kept are not known: what is sent again is stored again");
            Vec::new()
        });
        for entry in entries {
            match ctx.log.keys(&entry.path) {
                Ok(keys) => found.extend(keys),
                Err(error) if error.is_gone() => {}
                Err(error) => tracing::warn!(%error, "the keys of batches in this file are not known"),
            }
        }
        found.sort_by_key(|(seconds, _)| *seconds);
        let mut state = lock(&self.state);
        for (seconds, key) in found {
            state.keep(&key, seconds, now);
        }
    }
}

/// How many of the waiting requests have keys that one commit can name.
pub(crate) fn share<'a>(keys: impl Iterator<Item = Option<&'a BatchKey>>) -> usize {
    let mut bytes = 0;
    keys.take_while(|key| {
        // In hex, with what stands between them.
        bytes += key.map_or(0, |key| 2 * key.as_bytes().len() + 1);
        bytes <= KEY_BYTES
    })
    .count()
}

/// The time it is, as files have it.
pub(crate) fn seconds(ctx: &Context) -> u64 {
    ctx.wall.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keys_have_some_bytes() {
        assert_eq!(BatchKey::new(&[0xff; LONGEST]).unwrap().as_bytes(), [0xff; LONGEST]);
        for bytes in [&b""[..], &[b'a'; LONGEST + 1]] {
            let error = BatchKey::new(bytes).unwrap_err();
            assert_eq!(error.code(), Code::InvalidData);
            assert!(error.message().contains(&bytes.len().to_string()), "{error}");
        }
    }

    #[test]
    fn one_commit_names_no_more_keys_than_a_head_may_have() {
        let key = BatchKey::new(&[b'k'; LONGEST]).unwrap();
        let each = 2 * LONGEST + 1;
        assert_eq!(share(vec![Some(&key); 100_000].into_iter()), KEY_BYTES / each);
        assert_eq!(share(vec![None; 100_000].into_iter()), 100_000);
    }

    #[test]
    fn the_last_keys_and_the_young_ones_are_known() {
        let mut state = State::default();
        let key = |at: u64| at.to_be_bytes();
        let hour = YOUNG.as_secs();
        for at in 0..LEAST as u64 + 100 {
            state.keep(&key(at), 0, 0);
        }
        assert_eq!(state.kept.len(), LEAST + 100, "all are young");
        state.keep(b"one more", hour, hour);
        assert_eq!((state.kept.len(), state.order.len()), (LEAST, LEAST), "the old ones beyond the last are not");
        assert!(!state.kept.contains(&state.hash(&key(100))) && state.kept.contains(&state.hash(&key(101))));
        for at in 0..2 * MOST as u64 {
            state.keep(&key(at), 2 * hour, 2 * hour);
            state.keep(&key(at), 2 * hour, 2 * hour);
        }
        assert_eq!((state.kept.len(), state.order.len()), (MOST, MOST));
    }
}
