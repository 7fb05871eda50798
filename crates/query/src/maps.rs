//! Maps and sets that hash quickly, with keys that no sender can make collide.

use std::collections::{HashMap, HashSet};

pub(crate) type Map<K, V> = HashMap<K, V, ahash::RandomState>;
pub(crate) type Set<T> = HashSet<T, ahash::RandomState>;
