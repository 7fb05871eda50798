//! Spans of a checked batch, with their events and links.

use super::{Events, Links, Traces};
use crate::batch;
use crate::decode::fill::copy::{self, Memo};
use crate::names::{KINDS, STATUS_CODES};

impl Traces {
    pub(in crate::decode::fill) fn copy(&mut self, from: &batch::Traces<'_>, rows: usize, memo: &mut Memo) {
        copy::ids(&mut self.trace_id, &from.trace_id, 0..rows);
        copy::ids(&mut self.span_id, &from.span_id, 0..rows);
        copy::ids(&mut self.parent_span_id, &from.parent_span_id, 0..rows);
        copy::counters(&mut self.flags, &from.flags, 0..rows);
        copy::texts(memo, &mut self.name, &from.name, rows);
        copy::names(memo, &mut self.kind, &from.kind, rows, &KINDS);
        copy::times(&mut self.start_time, &from.start_time, 0..rows);
        copy::times(&mut self.end_time, &from.end_time, 0..rows);
        copy::names(memo, &mut self.status_code, &from.status_code, rows, &STATUS_CODES);
        for row in 0..rows {
            copy::known_text(&mut self.trace_state, &from.trace_state, row);
            copy::known_text(&mut self.status_message, &from.status_message, row);
            self.duration.push(from.end_time.or_zero(row).wrapping_sub(from.start_time.or_zero(row)));
            copy::attributes(&mut self.attributes, &from.attributes, row);
            if let Some(events) = &from.events {
                self.events.copy(events, from.event_lists.range(row));
            }
            self.event_lists.push(self.events.len());
            if let Some(links) = &from.links {
                self.links.copy(links, from.link_lists.range(row));
            }
            self.link_lists.push(self.links.len());
        }
        copy::types(memo, &mut self.attribute_types, &from.attributes, rows);
        copy::counters(&mut self.dropped_attributes, &from.dropped_attributes, 0..rows);
        copy::counters(&mut self.dropped_events, &from.dropped_events, 0..rows);
        copy::counters(&mut self.dropped_links, &from.dropped_links, 0..rows);
    }
}

impl Events {
    fn copy(&mut self, from: &batch::Events<'_>, range: std::ops::Range<usize>) {
        copy::times(&mut self.time, &from.time, range.clone());
        copy::counters(&mut self.dropped, &from.dropped, range.clone());
        for at in range {
            copy::text(&mut self.name, &from.name, at);
            copy::attributes(&mut self.attributes, &from.attributes, at);
            copy::plain_types(&mut self.types, &from.attributes, at);
        }
    }
}

impl Links {
    fn copy(&mut self, from: &batch::Links<'_>, range: std::ops::Range<usize>) {
        copy::ids(&mut self.trace_id, &from.trace_id, range.clone());
        copy::ids(&mut self.span_id, &from.span_id, range.clone());
        copy::counters(&mut self.flags, &from.flags, range.clone());
        copy::counters(&mut self.dropped, &from.dropped, range.clone());
        for at in range {
            copy::known_text(&mut self.trace_state, &from.trace_state, at);
            copy::attributes(&mut self.attributes, &from.attributes, at);
            copy::plain_types(&mut self.types, &from.attributes, at);
        }
    }
}
