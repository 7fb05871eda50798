//! What the host program adds to the configuration.

use std::fmt;

use crate::doors::Door;
use crate::event_bus::EventListener;

/// In a forked child all of it is there again.
#[derive(Clone, Default)]
pub(crate) struct Additions {
    /// Are told each event from the first moment on.
    pub(crate) listeners: Vec<EventListener>,
    /// Are answered beside those of the table.
    pub(crate) doors: Vec<Door>,
}

impl fmt::Debug for Additions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Additions").field("listeners", &self.listeners.len()).field("doors", &self.doors).finish()
    }
}
