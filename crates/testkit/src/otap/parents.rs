//! Which rows hang on which, as each reader finds it. What one finds the other has to find too.

use super::cells::{Cell, Table, cell};

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Who {
    /// The Collector.
    Go,
    /// The engine.
    Rust,
}

/// Numbers of the rows of a table; none where nothing hangs on a row. Both add up what is written, over nulls.
pub fn ids(table: &Table) -> Vec<Option<u32>> {
    let bits =
        if table.column("id").is_some_and(|id| id.data_type() == &arrow_schema::DataType::UInt16) { 16 } else { 32 };
    let mut sum = 0_u64;
    let next = |row| {
        let value = table.int("id", row)?;
        sum += value as u64;
        assert!(value <= 1, "Go's own producer keeps to differences of one");
        assert!(sum < 1 << bits, "the numbers wrap around");
        Some(sum as u32)
    };
    (0..table.rows).map(next).collect()
}

/// The parents of all rows, where `like` says whether a row is like the one before.
fn parents(table: &Table, like: impl Fn(Who, usize) -> bool) -> Vec<u32> {
    let of = |who| {
        let mut before = 0_u32;
        let next = |row| {
            let written = table.int("parent_id", row).expect("a parent") as u32;
            before =
                if row > 0 && like(who, row) { before.checked_add(written).expect("no wrap-around") } else { written };
            before
        };
        (0..table.rows).map(next).collect::<Vec<u32>>()
    };
    let (go, rust) = (of(Who::Go), of(Who::Rust));
    assert_eq!(go, rust, "Go and Rust find different parents");
    go
}

/// Points: differences to the row before.
pub fn of_points(table: &Table) -> Vec<u32> {
    parents(table, |_, _| true)
}

/// Events by name, links by trace.
pub fn by_column(table: &Table, name: &str) -> Vec<u32> {
    parents(table, |_, row| table.get(name, row) == table.get(name, row - 1))
}

/// Attributes by type, key and value.
pub fn of_attributes(table: &Table) -> Vec<u32> {
    let value = |row: usize| {
        let kind = table.zero("type", row);
        let name = ["", "str", "int", "double", "bool", "ser", "ser", "bytes"][kind as usize];
        (kind, table.text("key", row), if name.is_empty() { None } else { table.get(name, row) })
    };
    parents(table, |who, row| {
        let ((kind, key, one), (other_kind, other_key, other)) = (value(row), value(row - 1));
        if kind != other_kind || key != other_key || matches!(kind, 0 | 5 | 6) {
            return false;
        }
        let (one, other) = (one.expect("a value is never null"), other.expect("a value is never null"));
        match (one, other, who) {
            (Cell::Double(one), Cell::Double(other), Who::Rust) => one.to_bits() == other.to_bits(),
            // Go compares doubles as numbers, and the rest as it is.
            (one, other, _) => one == other,
        }
    })
}

/// Exemplars by value.
pub fn of_exemplars(table: &Table) -> Vec<u32> {
    // What lies under a null too.
    let raw = |name: &str, row: usize| {
        table.column(name).map(|column| {
            let all = arrow_array::make_array(column.to_data().into_builder().nulls(None).build().unwrap());
            match cell(&all, row) {
                Some(Cell::Double(value)) => u128::from(value.to_bits()),
                Some(Cell::Int(value)) => value as u128,
                other => panic!("{other:?}"),
            }
        })
    };
    parents(table, |who, row| match who {
        Who::Rust => ["int_value", "double_value"].into_iter().all(|name| raw(name, row) == raw(name, row - 1)),
        Who::Go => {
            let (int, double) = (table.int("int_value", row), table.double("double_value", row));
            match (int, double) {
                (Some(_), _) => int == table.int("int_value", row - 1),
                (None, Some(_)) => double == table.double("double_value", row - 1),
                (None, None) => true,
            }
        }
    })
}
