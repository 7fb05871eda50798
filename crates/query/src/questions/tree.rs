//! The spans of a trace as a tree. Pure.

use crate::maps::{Map, Set};
use serde::Serialize;

use crate::filter::Nanos;

/// What the tree is made of: one span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) id: Option<[u8; 8]>,
    pub(super) parent: Option<[u8; 8]>,
    pub(super) start: Nanos,
    pub(super) end: Nanos,
}

/// One span of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Row of the span in the answer.
    pub row: usize,
    /// Position of its parent among the nodes, which are in the order that a tree is read in.
    pub parent: Option<usize>,
    /// How many spans are above it.
    pub depth: usize,
    /// How many spans are directly below it.
    pub children: usize,
    /// Whether it names a parent that is not there.
    pub orphan: bool,
    /// Whether its parents lead back to it; the one that starts first is shown as a root.
    pub cyclic: bool,
    /// By how many nanoseconds it starts before its parent: the clocks of two machines differ.
    pub early: u64,
}

/// The spans of a trace in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Parents before their children, siblings by start.
    pub nodes: Vec<Node>,
    /// Ids of parents that are named and not there, in hexadecimal.
    pub missing: Vec<String>,
}

impl Tree {
    /// Of spans that are in order of their start, and of which none is there twice.
    pub(super) fn of(items: &[Item]) -> Self {
        // Of several spans with one id children belong to the first.
        let mut by_id: Map<[u8; 8], usize> = Map::default();
        for (row, item) in items.iter().enumerate() {
            if let Some(id) = item.id {
                by_id.entry(id).or_insert(row);
            }
        }
        let parent_of = |row: usize| items[row].parent.and_then(|parent| by_id.get(&parent).copied());
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
        let mut roots = Vec::new();
        for row in 0..items.len() {
            match parent_of(row) {
                Some(parent) if parent != row => children[parent].push(row),
                _ => roots.push(row),
            }
        }
        // Of those that start together the longest comes first: it is most likely the one that the others are part of.
        let order = |row: &usize| (items[*row].start, std::cmp::Reverse(items[*row].end), *row);
        children.iter_mut().chain([&mut roots]).for_each(|rows| rows.sort_unstable_by_key(order));
        let mut tree = Self::default();
        let mut placed = vec![false; items.len()];
        for root in roots {
            // One that names itself is a circle of one.
            let itself = items[root].parent.is_some() && items[root].parent == items[root].id;
            let how = if itself {
                Shown::Cyclic
            } else if items[root].parent.is_some() {
                Shown::Orphan
            } else {
                Shown::Root
            };
            tree.place(root, how, items, &children, &mut placed);
        }
        // What no root leads to is in a circle, or below one: each is opened where it starts first.
        for row in 0..items.len() {
            if !placed[row] {
                let start = earliest_of_circle(row, items, &parent_of);
                tree.place(start, Shown::Cyclic, items, &children, &mut placed);
            }
        }
        let mut seen = Set::default();
        for node in tree.nodes.iter().filter(|node| node.orphan) {
            if let Some(parent) = items[node.row].parent.filter(|parent| seen.insert(*parent)) {
                tree.missing.push(crate::record::hex(&parent));
            }
        }
        tree
    }

    fn place(&mut self, root: usize, how: Shown, items: &[Item], children: &[Vec<usize>], placed: &mut [bool]) {
        // A stack of its own: a trace may be as deep as it has spans.
        let mut stack = vec![(root, None::<usize>)];
        while let Some((row, parent)) = stack.pop() {
            if std::mem::replace(&mut placed[row], true) {
                continue;
            }
            let at = self.nodes.len();
            let above = parent.map(|parent| self.nodes[parent]);
            let early = above.map_or(0, |above| items[above.row].start.saturating_sub(items[row].start));
            let how = if parent.is_none() { how } else { Shown::Root };
            self.nodes.push(Node {
                row,
                parent,
                depth: above.map_or(0, |above| above.depth + 1),
                children: 0,
                orphan: how == Shown::Orphan,
                cyclic: how == Shown::Cyclic,
                early,
            });
            if let Some(parent) = parent {
                self.nodes[parent].children += 1;
            }
            stack.extend(children[row].iter().rev().map(|child| (*child, Some(at))));
        }
    }

    /// Rows of spans that start before their parent.
    pub fn skewed(&self) -> usize {
        self.nodes.iter().filter(|node| node.early > 0).count()
    }
}

/// Why a span has nothing above it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Root,
    Orphan,
    Cyclic,
}

/// The span that starts first in the circle that the parents of `row` lead to.
fn earliest_of_circle(row: usize, items: &[Item], parent_of: &impl Fn(usize) -> Option<usize>) -> usize {
    let mut seen = Set::default();
    let mut at = row;
    while seen.insert(at) {
        at = parent_of(at).unwrap_or(at);
    }
    let (entry, mut first) = (at, at);
    loop {
        at = parent_of(at).unwrap_or(entry);
        if at == entry {
            return first;
        }
        if (items[at].start, at) < (items[first].start, first) {
            first = at;
        }
    }
}

#[cfg(test)]
mod tests;
