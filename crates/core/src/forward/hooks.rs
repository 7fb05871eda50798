//! The store's hooks: every destination hears of commits and says what it still needs.

use std::sync::{Arc, Weak};

use otlp_arrow_columns::Signal;

use super::state::ForwardState;
use crate::event::EventName;
use crate::store::hooks::{AdoptedWriter, CommitHook, Committed, RetentionHold};
use crate::store::names::{Stem, WriterId};

/// Passes on to every destination what the store tells and asks.
///
/// Weak: a destination ends with its library, whoever still holds on to the store.
pub(super) struct Dispatch {
    pub(super) destinations: Vec<Weak<ForwardState>>,
}

impl Dispatch {
    fn destinations(&self) -> impl Iterator<Item = Arc<ForwardState>> {
        self.destinations.iter().filter_map(Weak::upgrade)
    }
}

impl CommitHook for Dispatch {
    fn committed(&self, commit: &Committed) {
        for state in self.destinations() {
            state.backlogs.committed(commit);
        }
    }
}

impl RetentionHold for Dispatch {
    fn first_needed(&self, signal: Signal, stem: &Stem) -> Option<u64> {
        self.destinations().filter_map(|state| state.backlogs.first_needed(signal, stem)).min()
    }

    fn evicted(&self, signal: Signal, stem: &Stem, _rows: u64) -> u64 {
        let mut most = 0;
        for state in self.destinations() {
            let rows = state.backlogs.evicted(signal, stem);
            if rows > 0 {
                let text = format!("{rows} record(s) of {stem} were deleted before {} got them", state.name);
                state.event(EventName::RecordsEvicted, Some(signal), Some(rows), text);
            }
            most = most.max(rows);
        }
        most
    }

    fn announces_evictions(&self) -> bool {
        true
    }

    fn adopted(&self, writer: &Arc<AdoptedWriter>) {
        for state in self.destinations() {
            state.backlogs.adopt(&state.log, writer);
        }
    }

    fn keeps_writer(&self, writer: WriterId) -> bool {
        self.destinations().any(|state| state.backlogs.needs_writer(writer))
    }
}
