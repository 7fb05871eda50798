//! What the reader says of a request that is not kept whole: the first value that cannot be, with its place, and what else
//! the request holds. Reached only when there is something to say.

use otlp_arrow_wire::write as put;

use super::read::Reader;
use super::table::{Field, Message, Role};
use super::tokens::Text;
use super::{DecodeError, INVALID_VALUE, INVALID_VALUE_FIELD, Signal, is_request, place, table};

impl Reader<'_> {
    /// Adds a remark on what the request holds that is not kept.
    #[inline]
    pub(super) fn warn(&mut self) {
        if let Some((at, signal)) = self.foreign
            && (self.records == 0 || signal.is_some())
        {
            let path = place::path(self.json, at);
            let text = match signal {
                Some(other) => crate::outcome::of_another_signal(&path, self.signal, other),
                None => crate::outcome::holds_nothing(self.signal, &format!("{path} is not a field of OTLP")),
            };
            self.remark(&text);
        }
    }

    /// Writes a text for [`crate::check`] into the message that is being written.
    #[cold]
    pub(super) fn remark(&mut self, text: &str) {
        let open = put::open(&mut self.out, INVALID_VALUE_FIELD, 2);
        self.out.extend_from_slice(&INVALID_VALUE.to_le_bytes());
        self.out.extend_from_slice(text.as_bytes());
        put::close(&mut self.out, open);
    }

    /// Takes note of a member that is not a field, and skips it.
    #[cold]
    pub(super) fn skip_foreign(&mut self, message: &'static Message, key: Text<'_>) -> Result<(), DecodeError> {
        // Bytes of the key lie within the text: its quote is before them.
        let at = key.raw.as_ptr() as usize - self.json.as_ptr() as usize - 1;
        let value = self.tokens.skip_raw()?;
        let empty = value == b"null" || matches!(value, [b'[' | b'{', inner @ .., _] if inner.trim_ascii().is_empty());
        if message.role != Role::Envelope || self.in_record || empty {
            return Ok(());
        }
        let top = std::ptr::eq(message, table::request(self.signal));
        let name = String::from_utf8_lossy(key.raw);
        let other = Signal::ALL.into_iter().find(|signal| top && is_request(*signal, &name));
        match self.foreign {
            Some((_, Some(_))) => {}
            Some(_) if other.is_none() => {}
            _ => self.foreign = Some((at, other)),
        }
        Ok(())
    }

    /// Skips a value that cannot be what its field says, and refuses the record around it.
    #[cold]
    pub(super) fn refuse(&mut self, expected: String) -> Result<(), DecodeError> {
        self.refuse_read(self.tokens.at(), || expected)?;
        self.tokens.skip()
    }

    /// Refuses the record around a value that began at `start`; outside of records, the request.
    #[cold]
    pub(super) fn refuse_read(&mut self, start: usize, expected: impl FnOnce() -> String) -> Result<(), DecodeError> {
        if self.in_record {
            self.invalid = true;
            self.describe(start, expected, true);
            return Ok(());
        }
        let message = self.description(start, &expected());
        Err(DecodeError::Malformed { offset: start, message })
    }

    /// Of a `oneof` that has two members in one object none can be kept.
    #[cold]
    pub(super) fn refuse_second(
        &mut self,
        message: &'static Message,
        field: &'static Field,
        other: usize,
    ) -> Result<(), DecodeError> {
        let names = [message.fields[other].json, field.json];
        let start = self.tokens.at();
        self.refuse_read(start, || format!("only one of {} and {} may be there", names[0], names[1]))
    }

    /// Keeps what is wrong with a value, if nothing was yet that matters as much.
    #[cold]
    pub(super) fn describe(&mut self, start: usize, expected: impl FnOnce() -> String, invalid: bool) {
        if !self.told && self.problem.as_ref().is_none_or(|(_, known)| invalid && !known) {
            self.problem = Some((self.description(start, &expected()), invalid));
        }
    }

    fn description(&self, start: usize, expected: &str) -> String {
        format!("{} = {}: {expected}", place::path(self.json, start), place::value(self.json, start))
    }

    /// Adds to a record what is wrong with it, if it is the first.
    #[cold]
    pub(super) fn tell(&mut self) {
        if let Some((problem, _)) = self.problem.take() {
            self.told = true;
            self.remark(&problem);
        }
    }
}
