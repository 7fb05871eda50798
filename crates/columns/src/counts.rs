//! How large columns become: what a first pass counts and a builder reserves by.

use crate::Signal;
use crate::column::AttributeCounts;

/// What lies in one list column: events, links, exemplars or quantiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Children {
    pub(crate) items: usize,
    pub(crate) attributes: AttributeCounts,
    /// Bytes of their one plain text column.
    pub(crate) text: usize,
}

/// Sizes of everything a request adds to the columns; builders reserve by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) rows: usize,
    pub(crate) attributes: AttributeCounts,
    /// Bytes of the plain text columns: trace state and status message, or body.
    pub(crate) text: [usize; 2],
    /// Bytes of text in dictionary columns, as if all were different.
    pub(crate) dictionary: usize,
    /// Events and links, or exemplars and quantiles.
    pub(crate) children: [Children; 2],
    /// Elements of bucket counts, explicit bounds, positive and negative buckets.
    pub(crate) numbers: [usize; 4],
    /// Bytes that are needed on the way: merged requests, sets of keys.
    pub(crate) transient: usize,
}

/// Bytes of one row without what is counted apart: values, offsets, dictionary indexes and entries, validity bits.
const fn row_bytes(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 192,
        Signal::Metrics => 248,
        Signal::Logs => 160,
    }
}

/// The same for one element of the two list columns of a signal.
const fn child_bytes(signal: Signal) -> [usize; 2] {
    match signal {
        Signal::Traces => [26, 48],
        Signal::Metrics => [60, 16],
        Signal::Logs => [0, 0],
    }
}

impl Counts {
    /// Adds what another request adds to the same columns.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.rows += other.rows;
        self.attributes.add(&other.attributes);
        self.text.iter_mut().zip(other.text).for_each(|(sum, more)| *sum += more);
        self.dictionary += other.dictionary;
        for (sum, more) in self.children.iter_mut().zip(&other.children) {
            sum.items += more.items;
            sum.attributes.add(&more.attributes);
            sum.text += more.text;
        }
        self.numbers.iter_mut().zip(other.numbers).for_each(|(sum, more)| *sum += more);
        self.transient += other.transient;
    }

    /// Bytes of Arrow memory, at most.
    pub(crate) fn bytes(&self, signal: Signal) -> usize {
        let [first, second] = child_bytes(signal);
        self.rows * row_bytes(signal)
            + self.attributes.bytes()
            + self.text.iter().sum::<usize>()
            + self.dictionary
            + self.children[0].items * first
            + self.children[1].items * second
            + self.children.iter().map(|child| child.attributes.bytes() + child.text).sum::<usize>()
            + self.numbers.iter().sum::<usize>() * 8
            + self.transient
    }
}
