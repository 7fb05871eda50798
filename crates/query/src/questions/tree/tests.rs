use super::*;

fn id(number: u8) -> Option<[u8; 8]> {
    (number > 0).then_some([number; 8])
}

/// Of (id, parent, start), 0 for none.
fn tree(items: &[(u8, u8, u64)]) -> Tree {
    let items: Vec<Item> = items
        .iter()
        .map(|(own, parent, start)| Item { id: id(*own), parent: id(*parent), start: *start, end: *start })
        .collect();
    Tree::of(&items)
}

/// (row, depth) in reading order.
fn shape(tree: &Tree) -> Vec<(usize, usize)> {
    tree.nodes.iter().map(|node| (node.row, node.depth)).collect()
}

#[test]
fn children_follow_their_parents_in_the_order_of_their_start() {
    let tree = tree(&[(1, 0, 0), (2, 1, 1), (3, 1, 2), (4, 2, 3), (5, 3, 4)]);
    assert_eq!(shape(&tree), [(0, 0), (1, 1), (3, 2), (2, 1), (4, 2)]);
    assert_eq!(tree.nodes[0].children, 2);
    assert_eq!(tree.nodes[2].parent, Some(1));
    assert!(tree.missing.is_empty() && tree.nodes.iter().all(|node| !node.orphan && !node.cyclic && node.early == 0));
}

#[test]
fn orphans_name_the_parents_that_are_missing() {
    let tree = tree(&[(1, 9, 0), (2, 9, 1), (3, 1, 2), (4, 8, 3)]);
    assert_eq!(shape(&tree), [(0, 0), (2, 1), (1, 0), (3, 0)]);
    assert_eq!(tree.missing, ["0909090909090909", "0808080808080808"]);
    assert_eq!(tree.nodes.iter().filter(|node| node.orphan).count(), 3);
}

#[test]
fn circles_are_opened_where_they_start_first() {
    // 1 -> 3 -> 2 -> 1, and 4 below 2; 5 names itself; 6 is below 5.
    let tree = tree(&[(1, 3, 0), (2, 1, 1), (3, 2, 2), (4, 2, 3), (5, 5, 4), (6, 5, 5)]);
    let cyclic: Vec<usize> = tree.nodes.iter().filter(|node| node.cyclic).map(|node| node.row).collect();
    assert_eq!(cyclic, [4, 0]);
    assert_eq!(shape(&tree), [(4, 0), (5, 1), (0, 0), (1, 1), (2, 2), (3, 2)]);
    assert!(tree.missing.is_empty());
}

#[test]
fn what_only_hangs_below_a_circle_is_there_once() {
    // The one that starts first hangs below the circle of 2 and 3.
    let tree = tree(&[(1, 2, 0), (2, 3, 1), (3, 2, 2)]);
    assert_eq!(shape(&tree), [(1, 0), (0, 1), (2, 1)]);
    assert_eq!(tree.nodes.len(), 3);
}

#[test]
fn clocks_that_differ_are_noted_and_ids_that_are_there_twice_or_not_at_all_bear() {
    let tree = tree(&[(2, 1, 5), (1, 0, 10), (1, 0, 11), (0, 1, 12)]);
    assert_eq!(shape(&tree), [(1, 0), (0, 1), (3, 1), (2, 0)]);
    assert_eq!((tree.nodes[1].early, tree.skewed()), (5, 1));
}

#[test]
fn a_trace_as_deep_as_it_has_spans_needs_no_stack() {
    let items: Vec<Item> = (0..200_000u64)
        .map(|at| Item {
            id: Some((at + 1).to_be_bytes()),
            parent: (at > 0).then(|| at.to_be_bytes()),
            start: at,
            end: at,
        })
        .collect();
    assert_eq!(Tree::of(&items).nodes.last().map(|node| node.depth), Some(199_999));
    let circle: Vec<Item> =
        items.iter().map(|item| Item { parent: item.parent.or(Some(200_000u64.to_be_bytes())), ..*item }).collect();
    let tree = Tree::of(&circle);
    assert_eq!((tree.nodes.len(), tree.nodes[0].cyclic), (200_000, true));
}
