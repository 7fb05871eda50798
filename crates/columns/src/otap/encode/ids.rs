//! Numbers of the rows that others hang on, and ids that are not there.

/// What is written for an id that is not there, in a column without nulls: its first bytes, as many as the id has.
pub(super) const NO_ID: [u8; 16] = [0; 16];

/// Counts the rows that have a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ids(u32);

/// The number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) number: u32,
    /// What is written: the difference to the number before.
    pub(super) delta: u32,
}

impl Ids {
    /// The number of the next row; one that has no `children` needs none.
    #[inline]
    pub(super) fn of(&mut self, children: bool) -> Option<Id> {
        children.then(|| self.next())
    }

    /// The number of the next row.
    #[inline]
    pub(super) fn next(&mut self) -> Id {
        let number = self.0;
        self.0 += 1;
        Id { number, delta: number.min(1) }
    }
}
