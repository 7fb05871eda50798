//! The table of keys as the tree that the types of a language are.

use crate::config::keys;
use crate::key::Key;

/// Keys that the parser asks for wherever what they are part of is given. The endpoint of a destination is not one: its
/// kind may need none.
pub(super) const REQUIRED: &[&str] =
    &["forward[].auth.api_key.key", "forward[].auth.basic.username", "forward[].auth.basic.password"];

/// What stands under a name.
pub(super) enum Entry {
    Key(&'static Key),
    /// Keys of its own, below this prefix.
    Group(String),
}

/// The names below `prefix`, with what stands under each.
pub(super) fn entries(prefix: &str) -> Vec<(&'static str, Entry)> {
    let entry = |name: &'static str| {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let entry = keys::standard().lookup(&path).map_or_else(|| Entry::Group(path), Entry::Key);
        (name, entry)
    };
    keys::standard().children(prefix).into_iter().map(entry).collect()
}
