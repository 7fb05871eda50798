//! The first pass: every field is read once, records are judged, memory is counted. Nothing is built.

mod logs;
mod metrics;
mod traces;
mod value;

use otlp_arrow_wire::merge::merged;
use otlp_arrow_wire::read::{Cursor, Stop, Wire, fields};
use otlp_arrow_wire::write::{FIXED64, LEN};

use super::plan::{Flaw, Plan};
use crate::counts::{Children, Counts};
use crate::json::{INVALID_VALUE, INVALID_VALUE_FIELD, remark};
use crate::outcome::holds_nothing;
use crate::render::{json_string_len, key_value};
use crate::text::is_utf8;
use crate::{Checked, DecodeError, Limits, Reason, Refusal, Refused, Signal};
use value::{Keys, List, Names};

/// The deepest nesting whatever the limits say; rendering nested values uses the stack.
const MAX_NESTING: usize = 64;

/// Arrow offsets are 32 bits wide.
const MAX_MEMORY: usize = i32::MAX as usize;

/// Records between two looks at the memory limit.
const CHECK_EVERY: usize = 64;

/// Memory of one key in the set that tells repeated keys apart, on the way.
const KEY_SET_BYTES: usize = 64;

/// The key of what the OTLP/JSON reader has to say.
const REMARK: u32 = INVALID_VALUE_FIELD << 3 | LEN as u32;

/// Memory of one part of a message that has to be merged, on the way.
const MERGE_PART_BYTES: usize = 48;

/// The first pass: walks one export request, refuses records that are invalid, and counts what the columns will need.
///
/// A record is refused, and the rest kept, for an id of a wrong length, text that is not UTF-8, or values nested
/// deeper than [`Limits::nesting`] (64 at most); such a flaw in a resource, scope or metric refuses every record under
/// it. Broken protobuf makes the request [`DecodeError::Malformed`]. Memory above [`Limits::max_request_memory`], at
/// most 2 GiB, is [`DecodeError::TooLarge`] as soon as it is counted. No memory is taken but for lists of odd records.
pub fn check(signal: Signal, bytes: &[u8], limits: &Limits) -> Result<Checked, DecodeError> {
    let limit = limits.max_request_memory.min(MAX_MEMORY);
    run(signal, bytes, limits.nesting.min(MAX_NESTING), limit).map_err(|stop| match stop {
        Stop::Malformed { at, what } => DecodeError::Malformed { offset: at, message: what.to_owned() },
        Stop::TooLarge { needed } => DecodeError::TooLarge { needed, limit },
    })
}

fn run(signal: Signal, bytes: &[u8], nesting: usize, limit: usize) -> Wire<Checked> {
    if bytes.len() > MAX_MEMORY {
        return Err(Stop::TooLarge { needed: bytes.len() });
    }
    let mut checker = Checker::new(signal, bytes, nesting, limit);
    checker.request()?;
    if checker.merges == 0 {
        return checker.finish();
    }
    let transient = checker.merges * MERGE_PART_BYTES + bytes.len();
    if transient > limit {
        return Err(Stop::TooLarge { needed: transient });
    }
    let merged = merged(signal, bytes)?;
    let mut checker = Checker::new(signal, &merged, nesting, limit);
    checker.counts.transient = transient;
    checker.request()?;
    let mut checked = checker.finish()?;
    checked.plan.merged = Some(merged);
    Ok(checked)
}

/// A state to return to when what follows turns out to be refused.
struct Mark {
    counts: Counts,
    skips: usize,
    last_skip_end: usize,
    repeats: usize,
    refused: Refused,
    records: usize,
}

struct Checker<'a> {
    signal: Signal,
    bytes: &'a [u8],
    nesting: usize,
    limit: usize,
    counts: Counts,
    plan: Plan,
    refused: Refused,
    /// Records seen so far.
    records: usize,
    /// The first flaw of what is being read.
    flaw: Option<Flaw>,
    /// Whether the record being read repeats a key.
    repeats: bool,
    /// Occurrences of singular messages beyond the first.
    merges: usize,
    /// What the OTLP/JSON reader says of a record, and of which.
    remark: Option<(usize, &'a str)>,
    /// What it says of the request.
    warning: Option<&'a str>,
    /// Fields around the records that no message of OTLP has.
    unknown: usize,
    /// Keys of the record, and of the event, link or exemplar being read.
    keys: Keys,
    inner_keys: Keys,
}

impl<'a> Checker<'a> {
    fn new(signal: Signal, bytes: &'a [u8], nesting: usize, limit: usize) -> Self {
        Self {
            signal,
            bytes,
            nesting,
            limit,
            counts: Counts::default(),
            plan: Plan::default(),
            refused: Refused::default(),
            records: 0,
            flaw: None,
            repeats: false,
            merges: 0,
            remark: None,
            warning: None,
            unknown: 0,
            keys: Keys::new(),
            inner_keys: Keys::new(),
        }
    }

    fn finish(mut self) -> Wire<Checked> {
        self.check_limit()?;
        let arrow_bytes = self.counts.bytes(self.signal) + self.plan.bytes();
        self.plan.counts = self.counts;
        let warning = match self.warning {
            Some(warning) => Some(warning.into()),
            None if self.records == 0 && self.unknown > 0 => {
                let what = format!("{} field(s) in it are none of OTLP", self.unknown);
                Some(holds_nothing(self.signal, &what).into())
            }
            None => None,
        };
        Ok(Checked { rows: self.counts.rows, arrow_bytes, refused: self.refused, warning, plan: self.plan })
    }

    fn check_limit(&self) -> Wire<()> {
        let needed = self.counts.bytes(self.signal) + self.plan.bytes();
        if needed > self.limit { Err(Stop::TooLarge { needed }) } else { Ok(()) }
    }

    fn request(&mut self) -> Wire<()> {
        let mut cursor = Cursor::new(self.bytes);
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    let envelope = cursor.message()?;
                    self.envelope(envelope)?;
                }
                REMARK => {
                    let block = cursor.block()?;
                    match remark(block.of(self.bytes)) {
                        Some(text) => self.warning = Some(text),
                        None => self.unknown += 1,
                    }
                }
                key => self.unknown(&mut cursor, key, fields([1]))?,
            }
        }
        Ok(())
    }

    /// `ResourceSpans`, `ResourceLogs` or `ResourceMetrics`.
    fn envelope(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.mark();
        let mut flaw = None;
        let mut resources = 0;
        let mut text = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    resources += 1;
                    self.flaw = None;
                    text += self.resource(cursor.message()?)?;
                    flaw = flaw.or(self.flaw);
                }
                0x12 => self.scope_envelope(cursor.message()?)?,
                0x1a => {
                    let url = cursor.block()?;
                    text += url.len();
                    if !is_utf8(self.bytes, url) {
                        flaw = flaw.or(Some(("schema_url", Reason::InvalidUtf8)));
                    }
                }
                key => self.unknown(&mut cursor, key, fields([1, 2, 3]))?,
            }
        }
        self.close_group(&before, flaw, text, resources)
    }

    /// `ScopeSpans`, `ScopeLogs` or `ScopeMetrics`.
    fn scope_envelope(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.mark();
        let mut flaw = None;
        let mut scopes = 0;
        let mut text = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    scopes += 1;
                    self.flaw = None;
                    text += self.scope(cursor.message()?)?;
                    flaw = flaw.or(self.flaw);
                }
                0x12 => {
                    let record = cursor.message()?;
                    match self.signal {
                        Signal::Traces => self.span(record)?,
                        Signal::Logs => self.log(record)?,
                        Signal::Metrics => self.metric(record)?,
                    }
                }
                0x1a => {
                    let url = cursor.block()?;
                    text += url.len();
                    if !is_utf8(self.bytes, url) {
                        flaw = flaw.or(Some(("schema_url", Reason::InvalidUtf8)));
                    }
                }
                key => self.unknown(&mut cursor, key, fields([1, 2, 3]))?,
            }
        }
        self.close_group(&before, flaw, text, scopes)
    }

    /// Ends a message that records share: refuses them all if it has a flaw, counts its text if any are left.
    fn close_group(&mut self, before: &Mark, flaw: Option<Flaw>, text: usize, messages: usize) -> Wire<()> {
        self.merges += messages.saturating_sub(1);
        if let Some(flaw) = flaw
            && self.records > before.records
        {
            self.return_to(before);
            let refusal = Refusal { index: before.records, field: flaw.0, reason: flaw.1 };
            self.plan.refuse(&mut self.refused, refusal, self.records - before.records);
        } else if self.counts.rows > before.counts.rows {
            self.counts.dictionary += text;
        }
        self.check_limit()
    }

    fn mark(&self) -> Mark {
        Mark {
            counts: self.counts,
            skips: self.plan.skips.len(),
            last_skip_end: self.plan.skips.last().map_or(0, |skip| skip.end),
            repeats: self.plan.repeats.len(),
            refused: self.refused.clone(),
            records: self.records,
        }
    }

    fn return_to(&mut self, mark: &Mark) {
        self.counts = mark.counts;
        self.plan.skips.truncate(mark.skips);
        if let Some(last) = self.plan.skips.last_mut() {
            last.end = mark.last_skip_end;
        }
        self.plan.repeats.truncate(mark.repeats);
        self.refused = mark.refused.clone();
    }

    /// Begins a record.
    #[inline(always)]
    fn open_record(&mut self) -> Counts {
        self.flaw = None;
        self.repeats = false;
        self.keys.clear();
        self.counts
    }

    /// Ends a record: counts its row, or refuses it.
    #[inline(always)]
    fn close_record(&mut self, before: &Counts) -> Wire<()> {
        if let Some((field, reason)) = self.flaw {
            self.counts = *before;
            self.refuse_record(field, reason);
        } else {
            self.counts.rows += 1;
            if self.repeats {
                self.count_suffixes(before);
            }
        }
        self.records += 1;
        if self.records.is_multiple_of(CHECK_EVERY) { self.check_limit() } else { Ok(()) }
    }

    #[cold]
    fn refuse_record(&mut self, field: &'static str, reason: Reason) {
        let refusal = Refusal { index: self.records, field, reason };
        if let Some((record, text)) = self.remark
            && record == self.records
            && self.refused.first.is_none()
        {
            self.refused.detail = Some(text.into());
        }
        self.plan.refuse(&mut self.refused, refusal, 1);
    }

    /// A record that repeats a key: what its suffixes, and telling its keys apart, may take.
    #[cold]
    fn count_suffixes(&mut self, before: &Counts) {
        self.plan.repeats.push(self.records);
        let [first, second] = &mut self.counts.children;
        let lists = [
            (&mut self.counts.attributes, before.attributes),
            (&mut first.attributes, before.children[0].attributes),
            (&mut second.attributes, before.children[1].attributes),
        ];
        for (attributes, before) in lists {
            let added = attributes.entries - before.entries;
            self.counts.transient += attributes.keys - before.keys;
            attributes.keys += added * (2 + added.max(1).ilog10() as usize);
            self.counts.transient += added * KEY_SET_BYTES;
        }
    }

    #[cold]
    fn flaw(&mut self, field: &'static str, reason: Reason) {
        self.flaw.get_or_insert((field, reason));
    }

    /// Steps over a field around the records that is not known, or not of this wire type.
    #[cold]
    fn unknown(&mut self, cursor: &mut Cursor<'a>, key: u32, known: u64) -> Wire<()> {
        self.unknown += 1;
        cursor.skip(key, known)
    }

    /// Steps over another field of a record. The OTLP/JSON reader marks a record with a value that cannot be.
    #[inline(never)]
    fn other(&mut self, cursor: &mut Cursor<'a>, key: u32, known: u64) -> Wire<()> {
        if key == INVALID_VALUE_FIELD << 3 | u32::from(FIXED64) {
            if cursor.fixed64()? == INVALID_VALUE {
                // Whatever else is wrong: this is what the reader has told of.
                self.flaw = Some(("value", Reason::InvalidValue));
            }
            return Ok(());
        }
        if key == REMARK && self.remark.is_none() {
            let block = cursor.block()?;
            self.remark = remark(block.of(self.bytes)).map(|text| (self.records, text));
            return Ok(());
        }
        cursor.skip(key, known)
    }

    /// A string field; its length.
    #[inline(always)]
    fn text(&mut self, cursor: &mut Cursor<'a>, field: &'static str) -> Wire<usize> {
        let block = cursor.block()?;
        if !is_utf8(self.bytes, block) {
            self.flaw(field, Reason::InvalidUtf8);
        }
        Ok(block.len())
    }

    /// An id that must be absent, empty or `len` bytes long. `found` is the length it had last.
    #[inline(always)]
    fn id(&mut self, found: usize, len: usize, field: &'static str) {
        if found != 0 && found != len {
            self.flaw(field, Reason::InvalidId);
        }
    }

    /// A `Resource`: bytes of its JSON.
    fn resource(&mut self, mut cursor: Cursor<'a>) -> Wire<usize> {
        const NAMES: Names = Names { key: "resource.attributes.key", value: "resource.attributes.value" };
        let mut text = 2;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    let attribute = cursor.message()?;
                    let json = self.json_attribute(attribute, &NAMES, 0)?;
                    // It is copied into a column of its own.
                    let is_name = key_value(attribute)?.0.of(self.bytes) == b"service.name";
                    text += if is_name { 2 * json } else { json };
                }
                0x10 => drop(cursor.varint()?),
                0x1a => text += self.entity_ref(cursor.message()?)?,
                key => cursor.skip(key, fields([1, 2, 3]))?,
            }
        }
        Ok(text)
    }

    /// An `EntityRef`: bytes of its JSON.
    fn entity_ref(&mut self, mut cursor: Cursor<'a>) -> Wire<usize> {
        let mut json = r#"[{"schema_url":"","type":"","id_keys":[],"description_keys":[]}]"#.len();
        while !cursor.done() {
            match cursor.key()? {
                0x0a | 0x12 | 0x1a | 0x22 => {
                    let block = cursor.block()?;
                    if !is_utf8(self.bytes, block) {
                        self.flaw("resource.entity_refs", Reason::InvalidUtf8);
                    }
                    json += json_string_len(block.of(self.bytes)) + 1;
                }
                key => cursor.skip(key, fields([1, 2, 3, 4]))?,
            }
        }
        Ok(json)
    }

    /// An `InstrumentationScope`: bytes of its JSON, name and version.
    fn scope(&mut self, mut cursor: Cursor<'a>) -> Wire<usize> {
        const NAMES: Names = Names { key: "scope.attributes.key", value: "scope.attributes.value" };
        let mut text = 2;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => text += self.text(&mut cursor, "scope.name")?,
                0x12 => text += self.text(&mut cursor, "scope.version")?,
                0x1a => text += self.json_attribute(cursor.message()?, &NAMES, 0)?,
                0x20 => drop(cursor.varint()?),
                key => cursor.skip(key, fields([1, 2, 3, 4]))?,
            }
        }
        Ok(text)
    }

    /// One attribute of an element of a list column.
    #[inline(always)]
    fn inner_attribute(&mut self, cursor: &mut Cursor<'a>, child: usize, names: &'static Names) -> Wire<()> {
        let size = self.listed(List::Inner, cursor.message()?, names)?;
        let Children { attributes, .. } = &mut self.counts.children[child];
        attributes.entries += 1;
        attributes.keys += size.key;
        attributes.values += size.value;
        Ok(())
    }

    /// One attribute of the record itself.
    #[inline(always)]
    fn attribute(&mut self, cursor: &mut Cursor<'a>, names: &'static Names) -> Wire<()> {
        let size = self.listed(List::Record, cursor.message()?, names)?;
        let attributes = &mut self.counts.attributes;
        attributes.entries += 1;
        attributes.keys += size.key;
        attributes.values += size.value;
        Ok(())
    }
}
