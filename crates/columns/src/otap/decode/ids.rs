//! Ids of rows and of the rows they belong to, as they are: what is written are distances.

use super::cells::Ints;
use super::error::{Fault, invalid};
use super::schema::Encoding;

/// The id of a row that has none.
pub(super) const NONE: u32 = u32::MAX;

/// A column of ids, and how they are written.
#[derive(Clone, Copy)]
pub(super) struct Written<'b> {
    pub(super) ints: Ints<'b>,
    pub(super) encoding: Encoding,
    /// Bytes of an id: sums wrap around in them.
    pub(super) width: usize,
}

/// By whose rules two rows are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// Values are compared, null is the default value, doubles as numbers.
    Go,
    /// Indexes of dictionaries are compared, null is never alike, doubles by their bits.
    Rust,
}

impl Written<'_> {
    pub(super) fn nothing() -> Self {
        Self { ints: Ints::NOTHING, encoding: Encoding::Unsaid, width: 4 }
    }

    pub(super) fn rules(&self) -> Rules {
        if self.encoding == Encoding::Unsaid { Rules::Go } else { Rules::Rust }
    }

    fn mask(&self) -> u32 {
        match self.width {
            1 => 0xff,
            2 => 0xffff,
            _ => u32::MAX,
        }
    }

    /// The ids of `rows` rows, each the distance from the last row that has one.
    pub(super) fn ids(&self, rows: usize) -> Result<Vec<u32>, Fault> {
        self.sums(rows, |_| true)
    }

    /// The parents of `rows` rows, each the distance from the row before where the two are alike, and else itself.
    pub(super) fn parents(&self, rows: usize, alike: impl Fn(usize) -> bool) -> Result<Vec<u32>, Fault> {
        self.sums(rows, alike)
    }

    #[inline(always)]
    fn sums(&self, rows: usize, adds: impl Fn(usize) -> bool) -> Result<Vec<u32>, Fault> {
        let mask = self.mask();
        let mut ids = Vec::with_capacity(rows);
        let mut last = 0_u32;
        let mut wild = false;
        for row in 0..rows {
            let id = match self.ints.get(row) {
                None => NONE,
                Some(written) => {
                    let written = written as u32;
                    let sums = self.encoding != Encoding::Plain && adds(row);
                    last = if sums { last.wrapping_add(written) & mask } else { written & mask };
                    wild |= last == NONE;
                    last
                }
            };
            ids.push(id);
        }
        if wild { invalid(format!("an id of {NONE}, which is more than there may be rows")) } else { Ok(ids) }
    }
}
