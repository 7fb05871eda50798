//! An order of rows in which every reader finds the same parents.
//!
//! The parent of a row that is like the row before is written as a difference to that one's (quasi-delta). Readers do not
//! agree on what is alike: for Go -0.0 is 0.0 and no NaN is another; for Rust bits count, and what lies under a null. So
//! rows on which they would disagree do not follow each other, unless the parent before is 0, which makes both the same.

/// A row that has a parent.
pub(super) trait Child: Copy {
    fn parent(&self) -> u32;
    /// Whether it is like the row before, by the rules of each reader.
    fn like(&self, before: &Self) -> [bool; READERS];
    /// The same row, altered so that no reader takes it for like `before`, or all do.
    fn unlike(self, before: &Self) -> Self;
}

/// Go; the Rust engine, which looks under nulls; and what its specification says.
pub(super) const READERS: usize = 3;

/// Rows that found no place are tried at so many others before they are altered.
const TRIES: usize = 4096;

/// Whether `row` may follow `before`.
fn follows<T: Child>(row: &T, before: Option<&T>) -> bool {
    let Some(before) = before else { return true };
    let like = row.like(before);
    // Differences are not negative: Rust's debug builds do not wrap around.
    let forwards = row.parent() >= before.parent() || !like.contains(&true);
    forwards && (before.parent() == 0 || like.iter().all(|reader| *reader == like[0]))
}

/// Puts rows, which are sorted by what makes them alike and then by parent, or by parent alone, in such an order: as
/// it is, but for rows that have to wait for one that they may follow. Returns how many had to be altered.
pub(super) fn arrange<T: Child>(rows: &mut Vec<T>) -> u64 {
    let Some(first) = (1..rows.len()).find(|&at| !follows(&rows[at], Some(&rows[at - 1]))) else { return 0 };
    let later = rows.split_off(first);
    let mut waiting = std::collections::VecDeque::new();
    for row in later {
        if follows(&row, rows.last()) {
            rows.push(row);
        } else {
            waiting.push_back(row);
            continue;
        }
        while let Some(row) = waiting.front().filter(|row| follows(*row, rows.last())) {
            rows.push(*row);
            waiting.pop_front();
        }
    }
    let mut altered = 0;
    let mut tries = TRIES;
    for row in waiting {
        if follows(&row, rows.last()) {
            rows.push(row);
            continue;
        }
        let place = |row: &T, rows: &[T], tries: &mut usize| {
            (0..=rows.len()).rev().take_while(|_| tries.checked_sub(1).map(|left| *tries = left).is_some()).find(
                |&at| {
                    let before = at.checked_sub(1).map(|before| &rows[before]);
                    follows(row, before) && rows.get(at).is_none_or(|next| follows(next, Some(row)))
                },
            )
        };
        if let Some(at) = place(&row, rows, &mut tries) {
            rows.insert(at, row);
            continue;
        }
        altered += 1;
        let other = rows.last().map_or(row, |last| row.unlike(last));
        let mut again = TRIES;
        let at = place(&other, rows, &mut again).unwrap_or(rows.len());
        rows.insert(at, other);
    }
    altered
}

/// What is written as the parent of `row`.
#[inline]
pub(super) fn written<T: Child>(row: &T, before: Option<&T>) -> u32 {
    match before {
        Some(before) if row.like(before)[0] => row.parent().wrapping_sub(before.parent()),
        _ => row.parent(),
    }
}

/// How each reader compares doubles.
pub(super) fn doubles(one: u64, other: u64) -> [bool; READERS] {
    [f64::from_bits(one) == f64::from_bits(other), one == other, one == other]
}

/// A double that no reader takes for like `before`, or all do: of a NaN another payload, of -0.0 the other zero.
pub(super) fn unlike_double(bits: u64, before: u64) -> u64 {
    if !f64::from_bits(bits).is_nan() {
        return if f64::from_bits(bits) == 0.0 { before } else { bits };
    }
    // The payload stays one of a NaN.
    if bits & 2 != 0 { bits ^ 1 } else { bits ^ 3 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Row {
        value: u64,
        parent: u32,
    }

    impl Child for Row {
        fn parent(&self) -> u32 {
            self.parent
        }

        fn like(&self, before: &Self) -> [bool; READERS] {
            doubles(self.value, before.value)
        }

        fn unlike(self, before: &Self) -> Self {
            Self { value: unlike_double(self.value, before.value), ..self }
        }
    }

    /// What a reader makes of the rows as they are written.
    fn read(rows: &[Row], reader: usize) -> Vec<u32> {
        let mut parents: Vec<u32> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &rows[before]);
            let written = written(row, before);
            let like = before.is_some_and(|before| row.like(before)[reader]);
            parents.push(if like { parents[at - 1].checked_add(written).expect("no wrap-around") } else { written });
        }
        parents
    }

    fn values() -> impl Strategy<Value = u64> {
        prop_oneof![
            Just(0.0_f64.to_bits()),
            Just((-0.0_f64).to_bits()),
            Just(f64::NAN.to_bits()),
            Just(0x7ff0_0000_0000_0001),
            Just(1.0_f64.to_bits()),
            Just(2.0_f64.to_bits()),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (values(), 0..40_u32).prop_map(|(value, parent)| Row { value, parent });
        prop::collection::vec(row, 0..60)
    }

    fn check(before: &[Row]) {
        let mut rows = before.to_vec();
        let altered = arrange(&mut rows);
        for reader in 0..READERS {
            assert_eq!(read(&rows, reader), rows.iter().map(|row| row.parent).collect::<Vec<_>>(), "{rows:?}");
        }
        let (mut was, mut is) = (before.to_vec(), rows.clone());
        was.sort_unstable();
        is.sort_unstable();
        let new = is.iter().filter(|row| was.binary_search(row).is_err()).count() as u64;
        assert!(new <= altered, "{new} rows are new and {altered} were altered");
        let parents = |rows: &[Row]| {
            let mut parents: Vec<u32> = rows.iter().map(|row| row.parent).collect();
            parents.sort_unstable();
            parents
        };
        assert_eq!(parents(before), parents(&rows));
        assert!(rows.iter().all(|row| !f64::from_bits(row.value).is_infinite()), "a NaN stays one");
    }

    proptest! {
        #[test]
        fn every_reader_finds_the_parents_of_rows_by_value(mut rows in rows()) {
            rows.sort_unstable();
            check(&rows);
        }

        #[test]
        fn every_reader_finds_the_parents_of_rows_by_parent(mut rows in rows()) {
            rows.sort_by_key(|row| row.parent);
            check(&rows);
        }
    }

    #[test]
    fn rows_of_one_nan_only_are_altered_and_others_are_not() {
        let nan = f64::NAN.to_bits();
        let mut alone: Vec<Row> = (0..100).map(|parent| Row { value: nan, parent }).collect();
        assert!(arrange(&mut alone) > 0);
        check(&alone);
        let mut mixed: Vec<Row> = (0..100).map(|parent| Row { value: nan, parent }).collect();
        mixed.extend((0..100).map(|parent| Row { value: u64::from(parent) + 7, parent }));
        assert_eq!(arrange(&mut mixed), 0, "others stand between them");
        check(&mixed);
    }

    #[test]
    fn the_order_stays_where_readers_agree() {
        let row = |value: f64, parent| Row { value: value.to_bits(), parent };
        let rows = vec![row(1.0, 2), row(1.0, 3), row(1.0, 7), row(2.0, 1), row(2.0, 4)];
        let mut same = rows.clone();
        assert_eq!((arrange(&mut same), &same), (0, &rows));
        let written: Vec<u32> = (0..5).map(|at| written(&rows[at], at.checked_sub(1).map(|at| &rows[at]))).collect();
        assert_eq!(written, [2, 1, 4, 1, 3]);
    }
}
