//! Which rows of a table belong to a row of another one.

use super::ids::NONE;

/// Rows by the id of what they belong to.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Rows in the order of their parents, and of the table for each.
    order: Vec<u32>,
    /// Where those of each parent begin.
    starts: Vec<u32>,
    /// The ids of the parents, where they are too far apart to be positions.
    sparse: Option<Vec<u32>>,
}

/// Ids up to this need not be near each other.
const NEAR: usize = 1 << 16;

impl Groups {
    /// Groups rows that belong to `parents`, of those that have an id in `ids`.
    pub(super) fn of(parents: &[u32], ids: &[u32]) -> Self {
        if parents.is_empty() {
            return Self::default();
        }
        let most = ids.iter().copied().filter(|id| *id != NONE).max();
        let Some(most) = most.map(|most| most as usize) else { return Self::default() };
        let sparse = (most > NEAR.max(ids.len() * 2)).then(|| {
            let mut sorted: Vec<u32> = ids.iter().copied().filter(|id| *id != NONE).collect();
            sorted.sort_unstable();
            sorted.dedup();
            sorted
        });
        let slots = sparse.as_ref().map_or(most + 1, Vec::len);
        let slot = |parent: u32| match &sparse {
            None => Some(parent as usize).filter(|slot| *slot < slots),
            Some(sorted) => sorted.binary_search(&parent).ok(),
        };
        let mut starts = vec![0_u32; slots + 1];
        for slot in parents.iter().filter_map(|parent| slot(*parent)) {
            starts[slot + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut order = vec![0_u32; sum as usize];
        let mut next = starts.clone();
        for (row, parent) in parents.iter().enumerate() {
            if let Some(slot) = slot(*parent) {
                order[next[slot] as usize] = row as u32;
                next[slot] += 1;
            }
        }
        Self { order, starts, sparse }
    }

    /// The rows that belong to the one with this id.
    #[inline(always)]
    pub(super) fn rows(&self, id: u32) -> &[u32] {
        if id == NONE {
            return &[];
        }
        let slot = match &self.sparse {
            None => Some(id as usize),
            Some(sorted) => sorted.binary_search(&id).ok(),
        };
        match slot.and_then(|slot| self.starts.get(slot..)) {
            Some([start, end, ..]) => self.order.get(*start as usize..*end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_the_id_of_their_parent() {
        let far = u32::MAX - 1;
        for (ids, parents) in [
            (vec![0, 1, NONE, 2], vec![2, 0, 0, 7, NONE, 2]),
            (vec![5, far, 70_000], vec![far, 5, 6, 70_000, NONE, far]),
            (vec![], vec![1, 2]),
            (vec![3], vec![]),
        ] {
            let groups = Groups::of(&parents, &ids);
            for id in [0, 1, 2, 3, 5, 6, 7, 70_000, far, NONE] {
                let wanted: Vec<u32> = (0..parents.len())
                    .filter(|row| parents[*row] == id && ids.contains(&id))
                    .map(|row| row as u32)
                    .collect();
                let found = if ids.contains(&id) && id != NONE { groups.rows(id).to_vec() } else { vec![] };
                let wanted = if id == NONE { vec![] } else { wanted };
                assert_eq!(found, wanted, "{id} of {ids:?}");
            }
            assert_eq!(groups.rows(NONE), &[] as &[u32]);
        }
    }
}
