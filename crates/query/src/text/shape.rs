//! Where the time of a trace goes: what every span takes itself, and the path that decides how long all of it takes. Pure.

use arrow_array::RecordBatch;
use otlp_arrow_columns::schema::traces;

use crate::filter::Nanos;
use crate::questions::{Node, Trace};
use crate::record::Cells;

/// By position among the nodes of the tree.
#[derive(Clone, Debug)]
pub struct Shape {
    /// When each starts and ends.
    pub times: Vec<(Nanos, Nanos)>,
    /// Nanoseconds that each spends itself, and not in spans below it.
    pub own: Vec<u64>,
    /// Whether it is on the critical path: were it shorter, the trace would be.
    pub critical: Vec<bool>,
}

impl Shape {
    /// Of a whole trace.
    pub fn of(trace: &Trace) -> Self {
        Self::of_nodes(&trace.tree.nodes, &times(&trace.spans))
    }

    /// Of nodes in the order of the tree, whose rows have these times.
    fn of_nodes(nodes: &[Node], rows: &[(Nanos, Nanos)]) -> Self {
        let times: Vec<(Nanos, Nanos)> = nodes.iter().map(|node| rows[node.row]).collect();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                children[parent].push(at);
            }
        }
        let own = (0..nodes.len()).map(|at| own(times[at], &children[at], &times)).collect();
        let critical = critical(nodes, &times, &mut children);
        Self { times, own, critical }
    }

    /// The node that spends most time itself; none in a trace of one span.
    pub fn slowest(&self) -> Option<usize> {
        // Of equals the first.
        (0..self.own.len()).rev().filter(|_| self.own.len() > 1).max_by_key(|at| self.own[*at])
    }
}

fn times(spans: &RecordBatch) -> Vec<(Nanos, Nanos)> {
    let cells = Cells(spans);
    let time = |column, row| cells.time(column, row).unwrap_or_default();
    let both = |row| (time(traces::START_TIME, row), time(traces::END_TIME, row));
    (0..spans.num_rows()).map(both).map(|(start, end)| (start, end.max(start))).collect()
}

/// What no child covers. Children come in the order of their start, so what two of them share is counted once.
fn own((start, end): (Nanos, Nanos), children: &[usize], times: &[(Nanos, Nanos)]) -> u64 {
    let (mut own, mut until) = (end - start, start);
    for child in children {
        let (from, to) = (times[*child].0.clamp(until, end.max(until)), times[*child].1.min(end));
        own = own.saturating_sub(to.saturating_sub(from));
        until = until.max(to);
    }
    own
}

/// From the end of the longest root backwards: the child that ends last, then the one that ended before that began, and so on.
fn critical(nodes: &[Node], times: &[(Nanos, Nanos)], children: &mut [Vec<usize>]) -> Vec<bool> {
    let mut critical = vec![false; nodes.len()];
    let roots = (0..nodes.len()).rev().filter(|at| nodes[*at].parent.is_none());
    let Some(root) = roots.max_by_key(|at| times[*at].1 - times[*at].0) else { return critical };
    let mut stack = vec![(root, times[root].1)];
    while let Some((at, until)) = stack.pop() {
        critical[at] = true;
        let of = &mut children[at];
        of.sort_unstable_by_key(|child| std::cmp::Reverse(times[*child].1));
        let mut until = until.min(times[at].1);
        let mut is_first = true;
        for child in of.iter() {
            let (start, end) = times[*child];
            // The last one may end behind its parent, which did not wait for it to the end.
            if start < until && (end <= until || is_first) {
                stack.push((*child, until.min(end)));
                until = start;
                is_first = false;
            }
        }
    }
    critical
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes of (parent, start, end) in the order of the tree.
    fn shape(spans: &[(Option<usize>, u64, u64)]) -> Shape {
        let node = |(row, (parent, _, _)): (usize, &(Option<usize>, u64, u64))| Node {
            row,
            parent: *parent,
            depth: 0,
            children: 0,
            orphan: false,
            cyclic: false,
            early: 0,
        };
        let nodes: Vec<Node> = spans.iter().enumerate().map(node).collect();
        let times: Vec<(u64, u64)> = spans.iter().map(|(_, start, end)| (*start, *end)).collect();
        Shape::of_nodes(&nodes, &times)
    }

    fn path(shape: &Shape) -> Vec<usize> {
        (0..shape.critical.len()).filter(|at| shape.critical[*at]).collect()
    }

    #[test]
    fn the_path_leads_from_the_end_to_the_start() {
        // 1 and 2 run beside each other, 3 after them.
        let found = shape(&[(None, 0, 100), (Some(0), 0, 30), (Some(0), 0, 50), (Some(0), 50, 90)]);
        assert_eq!((path(&found), found.own[0]), (vec![0, 2, 3], 10));
        // One that is still under way when its parent ends counts up to there.
        let found = shape(&[(None, 0, 100), (Some(0), 20, 300), (Some(1), 20, 90), (Some(1), 200, 290)]);
        assert_eq!((path(&found), &found.own[..]), (vec![0, 1, 2], &[20, 120, 70, 90][..]));
        assert_eq!(found.slowest(), Some(1));
    }

    #[test]
    fn one_span_none_and_spans_without_a_length() {
        assert_eq!(path(&shape(&[])), Vec::<usize>::new());
        let found = shape(&[(None, 5, 5)]);
        assert_eq!((path(&found), found.own.clone(), found.slowest()), (vec![0], vec![0], None));
        // Children before and behind their parent, and two roots.
        let found = shape(&[(None, 50, 60), (Some(0), 0, 10), (Some(0), 90, 99), (None, 0, 200)]);
        assert_eq!((path(&found), &found.own[..]), (vec![3], &[10, 10, 9, 200][..]));
    }

    #[test]
    fn a_trace_as_deep_as_it_has_spans() {
        let deep: Vec<_> = (0..100_000).map(|at: usize| (at.checked_sub(1), at as u64, 300_000 - at as u64)).collect();
        let found = shape(&deep);
        assert_eq!(path(&found).len(), 100_000);
        assert_eq!(found.own[0], 2);
    }
}
