//! Which rows of a block are still wanted.

/// Which rows of a block are still wanted, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The first so many: nothing was left out yet.
    All(u32),
    /// These.
    Rows(Vec<u32>),
}

impl Selection {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Selection::All(rows) => *rows as usize,
            Selection::Rows(rows) => rows.len(),
        }
    }

    /// Whether no row is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        let (all, some) = match self {
            Selection::All(rows) => (0..*rows, [].as_slice()),
            Selection::Rows(rows) => (0..0, rows.as_slice()),
        };
        all.chain(some.iter().copied()).map(|row| row as usize)
    }

    /// Keeps the rows that `wanted` says.
    pub fn retain(&mut self, mut wanted: impl FnMut(usize) -> bool) {
        match self {
            Selection::All(all) => {
                let rows: Vec<u32> = (0..*all).filter(|row| wanted(*row as usize)).collect();
                if rows.len() < *all as usize {
                    *self = Selection::Rows(rows);
                }
            }
            Selection::Rows(rows) => rows.retain(|row| wanted(*row as usize)),
        }
    }

    /// Keeps the rows that are among `others`, which are in order.
    pub(crate) fn intersect(&mut self, others: Vec<u32>) {
        match self {
            Selection::All(all) if others.len() == *all as usize => {}
            Selection::All(_) => *self = Selection::Rows(others),
            Selection::Rows(rows) => {
                let mut others = others.into_iter().peekable();
                rows.retain(|row| {
                    while others.peek().is_some_and(|other| other < row) {
                        others.next();
                    }
                    others.peek() == Some(row)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_left_out_one_test_after_the_other() {
        let mut rows = Selection::All(10);
        rows.retain(|_| true);
        assert_eq!(rows, Selection::All(10));
        rows.intersect((0..10).collect());
        assert_eq!(rows, Selection::All(10));
        rows.retain(|row| row % 2 == 0);
        rows.intersect(vec![1, 2, 3, 6, 7, 8]);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [2, 6, 8]);
        rows.retain(|row| row > 6);
        assert_eq!((rows.len(), rows.iter().next_back()), (1, Some(8)));
        rows.intersect(Vec::new());
        assert!(rows.is_empty());
    }
}
