//! Log records of a checked batch.

use super::Logs;
use crate::batch;
use crate::decode::fill::copy::{self, Memo};

impl Logs {
    pub(in crate::decode::fill) fn copy(&mut self, from: &batch::Logs<'_>, rows: usize, memo: &mut Memo) {
        copy::known_times(&mut self.time, &from.time, rows);
        copy::known_times(&mut self.observed_time, &from.observed_time, rows);
        for row in 0..rows {
            self.severity_number.push_option(from.severity_number.get(row).filter(|number| *number != 0));
            copy::text(&mut self.body, &from.body, row);
            copy::attributes(&mut self.attributes, &from.attributes, row);
        }
        copy::known_texts(memo, &mut self.severity_text, &from.severity_text, rows);
        copy::texts(memo, &mut self.body_type, &from.body_type, rows);
        copy::types(memo, &mut self.attribute_types, &from.attributes, rows);
        copy::counters(&mut self.dropped_attributes, &from.dropped_attributes, 0..rows);
        copy::counters(&mut self.flags, &from.flags, 0..rows);
        copy::ids(&mut self.trace_id, &from.trace_id, 0..rows);
        copy::ids(&mut self.span_id, &from.span_id, 0..rows);
        copy::known_texts(memo, &mut self.event_name, &from.event_name, rows);
    }
}
