//! Log records in the first pass.

use otlp_arrow_wire::read::{Cursor, Wire, fields};

use super::Checker;
use super::value::Names;

const ATTRIBUTES: Names = Names { key: "attributes.key", value: "attributes.value" };
const BODY: Names = Names { key: "body.key", value: "body" };

const LOG_RECORD: u64 = fields([1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]);

impl<'a> Checker<'a> {
    /// A `LogRecord`.
    pub(super) fn log(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.open_record();
        let (mut trace_id, mut span_id) = (0, 0);
        let (mut severity, mut body, mut event) = (0, 0, 0);
        let mut bodies = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x09 | 0x59 => drop(cursor.fixed64()?),
                0x10 | 0x38 => drop(cursor.varint()?),
                0x1a => severity = self.text(&mut cursor, "severity_text")?,
                0x2a => {
                    bodies += 1;
                    body = self.value(cursor.message()?, &BODY)?;
                }
                0x32 => self.attribute(&mut cursor, &ATTRIBUTES)?,
                0x45 => drop(cursor.fixed32()?),
                0x4a => trace_id = cursor.block()?.len(),
                0x52 => span_id = cursor.block()?.len(),
                0x62 => event = self.text(&mut cursor, "event_name")?,
                key => self.other(&mut cursor, key, LOG_RECORD)?,
            }
        }
        if bodies > 1 {
            self.merges += bodies - 1;
        }
        self.id(trace_id, 16, "trace_id");
        self.id(span_id, 8, "span_id");
        self.counts.text[0] += body;
        self.counts.dictionary += severity + event;
        self.close_record(&before)
    }
}
