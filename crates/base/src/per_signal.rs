//! One value for each signal.

use std::ops::{Index, IndexMut};

use otlp_arrow_columns::Signal;
use serde::Serialize;

/// One value for each signal, found by [`Signal`]; as JSON an object of that shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct PerSignal<T> {
    /// Of spans.
    pub traces: T,
    /// Of data points.
    pub metrics: T,
    /// Of log records.
    pub logs: T,
}

impl<T> PerSignal<T> {
    /// What `make` answers for each signal, in [`Signal::ALL`] order.
    pub fn from_fn(mut make: impl FnMut(Signal) -> T) -> Self {
        Self { traces: make(Signal::Traces), metrics: make(Signal::Metrics), logs: make(Signal::Logs) }
    }

    /// [`PerSignal::from_fn`] that stops at the first error.
    pub fn try_from_fn<E>(mut make: impl FnMut(Signal) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { traces: make(Signal::Traces)?, metrics: make(Signal::Metrics)?, logs: make(Signal::Logs)? })
    }

    /// The same for each signal.
    pub fn all(value: T) -> Self
    where
        T: Clone,
    {
        Self { traces: value.clone(), metrics: value.clone(), logs: value }
    }

    /// What `change` makes of each value, in [`Signal::ALL`] order.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> PerSignal<U> {
        PerSignal { traces: change(self.traces), metrics: change(self.metrics), logs: change(self.logs) }
    }

    /// A borrow of each value.
    pub fn each_ref(&self) -> PerSignal<&T> {
        PerSignal { traces: &self.traces, metrics: &self.metrics, logs: &self.logs }
    }

    /// Each signal with its value, in [`Signal::ALL`] order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Signal, &T)> {
        self.each_ref().into_iter()
    }

    /// The values, in [`Signal::ALL`] order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.iter().map(|(_, value)| value)
    }
}

impl<T> Index<Signal> for PerSignal<T> {
    type Output = T;

    fn index(&self, signal: Signal) -> &T {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

impl<T> IndexMut<Signal> for PerSignal<T> {
    fn index_mut(&mut self, signal: Signal) -> &mut T {
        match signal {
            Signal::Traces => &mut self.traces,
            Signal::Metrics => &mut self.metrics,
            Signal::Logs => &mut self.logs,
        }
    }
}

impl<T> IntoIterator for PerSignal<T> {
    type Item = (Signal, T);
    type IntoIter = std::array::IntoIter<(Signal, T), { Signal::ALL.len() }>;

    /// Each signal with its value, in [`Signal::ALL`] order.
    fn into_iter(self) -> Self::IntoIter {
        [(Signal::Traces, self.traces), (Signal::Metrics, self.metrics), (Signal::Logs, self.logs)].into_iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_signal_has_its_own_value_in_the_one_order() {
        let mut names = PerSignal::from_fn(|signal| signal.as_str().to_owned());
        assert!(names.iter().all(|(signal, name)| signal.as_str() == name));
        assert!(names.iter().map(|(signal, _)| signal).eq(Signal::ALL));
        names[Signal::Metrics].push('!');
        let lengths = names.each_ref().map(String::len);
        assert_eq!((lengths[Signal::Traces], lengths[Signal::Metrics], lengths[Signal::Logs]), (6, 8, 4));
        assert!(lengths.into_iter().eq(Signal::ALL.into_iter().zip([6, 8, 4])));
        assert_eq!(serde_json::to_string(&lengths).unwrap(), r#"{"traces":6,"metrics":8,"logs":4}"#);
        assert_eq!(PerSignal::all(2).values().sum::<i32>(), 6);
    }
}
