//! What stands on a line: one span, siblings that are alike, or short ones.

use std::collections::HashMap;

use super::View;

/// What stands on one line.
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Positions of its nodes; those below them that have lines of their own are not among them.
    pub(super) members: Vec<usize>,
    /// Spans that it stands for, with all below them.
    pub(super) spans: usize,
    /// The entry above it.
    pub(super) parent: Option<usize>,
    /// Those below it.
    pub(super) children: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    One,
    /// Siblings of one name and service, none of which failed or has something below it that did.
    Alike,
    /// Leaves that take less than a hundredth of all of it.
    Short,
}

impl Entry {
    /// Nanoseconds of its shortest and its longest span.
    pub(super) fn bounds(&self, view: &View<'_>) -> (i64, i64) {
        let took = |at: &usize| view.took(*at).cast_signed();
        (
            self.members.iter().map(took).min().unwrap_or_default(),
            self.members.iter().map(took).max().unwrap_or_default(),
        )
    }

    /// Nanoseconds of all of its spans.
    pub(super) fn sum(&self, view: &View<'_>) -> i64 {
        self.members.iter().fold(0i64, |sum, at| sum.saturating_add(view.took(*at).cast_signed()))
    }

    /// What decides whether there is room for it.
    pub(super) fn weight(&self, view: &View<'_>) -> (bool, bool, i64) {
        let failed = self.members.iter().any(|at| view.errors[*at]);
        let critical = self.members.iter().any(|at| view.shape.critical[*at]);
        (failed, critical && self.kind != Kind::Short, self.sum(view))
    }
}

/// So many alike are one line.
const ALIKE: usize = 3;
/// So many short ones are.
const SHORT: usize = 2;

/// The lines of what is looked at, in the order of the tree.
pub(super) fn entries(view: &View<'_>) -> Vec<Entry> {
    let Tree { wanted, failed, below, children, roots } = Tree::of(view);
    let mut entries: Vec<Entry> = Vec::new();
    // A stack of its own: a trace may be as deep as it has spans.
    let mut stack: Vec<(Vec<usize>, Kind, Option<usize>)> = Vec::new();
    let push = |nodes: &[usize], parent, stack: &mut Vec<_>| {
        let groups = groups(view, nodes, &wanted, &failed, &below);
        stack.extend(groups.into_iter().rev().map(|(members, kind)| (members, kind, parent)));
    };
    push(&roots, None, &mut stack);
    while let Some((members, kind, parent)) = stack.pop() {
        let at = entries.len();
        let spans = members.iter().map(|member| 1 + below[*member]).sum();
        if let Some(parent) = parent {
            let parent: &mut Entry = &mut entries[parent];
            parent.children.push(at);
        }
        if kind == Kind::One {
            push(&children[members[0] - view.range.start], Some(at), &mut stack);
        }
        entries.push(Entry { kind, members, spans, parent, children: Vec::new() });
    }
    entries
}

/// What is known of the nodes before they are put into lines. All but `children` by position among all nodes.
struct Tree {
    /// Whether a line may tell of it.
    wanted: Vec<bool>,
    /// Whether it or something below it failed or was asked for.
    failed: Vec<bool>,
    /// How many spans are below it.
    below: Vec<usize>,
    /// Those that are wanted, by position from the start of what is looked at.
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl Tree {
    fn of(view: &View<'_>) -> Self {
        let (nodes, range) = (view.nodes, view.range.clone());
        let matching = view.how.matching;
        let is_matching = |at: usize| {
            let ids = super::Cells(&view.trace.spans);
            matching.is_none_or(|matching| {
                ids.id(super::traces::SPAN_ID, nodes[at].row).is_some_and(|id| matching.contains(id))
            })
        };
        let mut wanted = vec![false; nodes.len()];
        let (mut failed, mut below) = (vec![false; nodes.len()], vec![0; nodes.len()]);
        // Children stand behind their parents: from the end every node is whole when its parent comes.
        for at in range.clone().rev() {
            failed[at] |= view.errors[at];
            wanted[at] |= is_matching(at);
            if let Some(parent) = view.parent(at) {
                failed[parent] |= failed[at];
                wanted[parent] |= wanted[at];
                below[parent] += 1 + below[at];
            }
        }
        let depth = view.how.depth.unwrap_or(usize::MAX);
        let (mut children, mut roots) = (vec![Vec::new(); range.len()], Vec::new());
        for at in range.clone() {
            wanted[at] &= view.level(at) < depth;
            match view.parent(at) {
                _ if !wanted[at] => {}
                Some(parent) => children[parent - range.start].push(at),
                None => roots.push(at),
            }
        }
        Self { wanted, failed, below, children, roots }
    }
}

/// Siblings as lines, in the order of their first spans.
fn groups(
    view: &View<'_>,
    nodes: &[usize],
    wanted: &[bool],
    failed: &[bool],
    below: &[usize],
) -> Vec<(Vec<usize>, Kind)> {
    if view.how.full {
        return nodes.iter().map(|at| (vec![*at], Kind::One)).collect();
    }
    let mut alike: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for at in nodes.iter().filter(|at| !failed[**at]) {
        alike.entry((view.name(*at), view.service(*at))).or_default().push(*at);
    }
    alike.retain(|_, members| members.len() >= ALIKE);
    let (mut groups, mut short): (Vec<(Vec<usize>, Kind)>, Vec<usize>) = (Vec::new(), Vec::new());
    for at in nodes.iter().filter(|at| wanted[**at]) {
        match alike.get_mut(&(view.name(*at), view.service(*at))).filter(|_| !failed[*at]) {
            Some(members) if members.is_empty() => {}
            Some(members) => groups.push((std::mem::take(members), Kind::Alike)),
            None => {
                let is_short = below[*at] == 0 && !failed[*at] && view.how.matching.is_none();
                match is_short && view.took(*at).saturating_mul(100) < view.length {
                    true => short.push(*at),
                    false => groups.push((vec![*at], Kind::One)),
                }
            }
        }
    }
    match short.len() {
        0..SHORT => groups.extend(short.into_iter().map(|at| (vec![at], Kind::One))),
        _ => groups.push((short, Kind::Short)),
    }
    groups.sort_by_key(|(members, _)| members[0]);
    groups
}
