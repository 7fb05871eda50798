//! Values whose end takes time or needs other threads.

use std::ops::Deref;

use pyo3::prelude::*;

/// A value that is released without holding on to the interpreter: its threads may need that to come to an end.
pub(crate) struct Detached<T: Send>(Option<T>);

impl<T: Send> Detached<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send> Deref for Detached<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("taken by drop only"),
        }
    }
}

impl<T: Send> Drop for Detached<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        // Without an interpreter to attach to, the closure and the value with it are dropped all the same.
        Python::try_attach(|py| py.detach(|| drop(value)));
    }
}
