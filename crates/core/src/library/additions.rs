//! What the host program adds to the configuration.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "doors")]
use crate::doors::Door;
use crate::event::Severity;
use crate::event_bus::EventListener;
use crate::stage::Stage;
use crate::store::hooks::SealHook;

/// In a forked child all of it is there again.
#[derive(Clone, Default)]
pub(crate) struct Additions {
    /// Are told each event from the first moment on.
    pub(crate) listeners: Vec<EventListener>,
    /// Are answered beside those of the table.
    #[cfg(feature = "doors")]
    pub(crate) doors: Vec<Door>,
    /// See each request between its check and its commit, in this order.
    pub(crate) stages: Vec<Arc<dyn Stage>>,
    /// See what is sealed.
    pub(crate) seal_hooks: Vec<Arc<dyn SealHook>>,
    /// What parsing the configuration ignored, with whether it is a mistake: told when it is opened, and not in children.
    pub(crate) ignored: Vec<(Severity, String)>,
}

impl fmt::Debug for Additions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Additions");
        #[cfg(feature = "doors")]
        out.field("doors", &self.doors);
        out.field("listeners", &self.listeners.len()).field("stages", &self.stages).finish()
    }
}
