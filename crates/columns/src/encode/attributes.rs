//! Attribute columns back to `KeyValue` fields.

use super::EncodeError;
use super::column::{Cell, Columns, Flaw, Map, Text};
use super::out::Out;
use super::value;
use crate::parse::integer;

/// An `attributes` column with its `attribute_types`.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a> {
    pub(crate) map: Map<'a>,
    pub(crate) types: Text<'a>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn of(
        columns: &Columns<'a>,
        attributes: &'static str,
        types: &'static str,
    ) -> Result<Self, EncodeError> {
        Ok(Self { map: columns.map(attributes)?, types: columns.text(types)? })
    }

    /// Whether a row has none.
    #[inline(always)]
    pub(crate) fn is_empty(&self, row: usize) -> Cell<bool> {
        Ok(self.map.rows.range(row)?.is_empty())
    }

    /// About how many bytes all attributes take as protobuf.
    pub(crate) fn estimate(&self) -> usize {
        self.map.keys.data.len() + self.map.values.data.len() + self.map.keys.len() * 9
    }

    /// Writes the attributes of a row as fields of this number (below 16).
    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Out, number: u8, row: usize) -> Cell<()> {
        let range = self.map.rows.range(row)?;
        if range.is_empty() {
            return Ok(());
        }
        match self.types.get(row)? {
            None => range.into_iter().try_for_each(|at| self.entry(out, number, at, b's')),
            Some(letters) if letters.len() == range.len() => {
                range.zip(letters).try_for_each(|(at, &letter)| self.entry(out, number, at, letter))
            }
            Some(_) => Err(Flaw { column: self.types.name, message: "not one letter per attribute" }),
        }
    }

    #[inline(always)]
    fn entry(&self, out: &mut Out, number: u8, at: usize, letter: u8) -> Cell<()> {
        let Map { keys, values, .. } = &self.map;
        let key = keys.piece(at).ok_or_else(|| self.map.broken())?;
        match letter {
            b's' if !values.is_null(at) => {
                let value = values.piece(at).ok_or_else(|| self.map.broken())?;
                out.string_attribute(number, keys.data, key, values.data, value);
            }
            b'i' if !values.is_null(at) => {
                let text = values.get(at).ok_or_else(|| self.map.broken())?;
                let value = integer(text).map_err(|message| self.map.flaw(message))?;
                out.int_attribute(number, keys.data, key, value);
            }
            _ => return self.rare_entry(out, number, at, letter),
        }
        Ok(())
    }

    #[inline(never)]
    fn rare_entry(&self, out: &mut Out, number: u8, at: usize, letter: u8) -> Cell<()> {
        let Map { keys, values, .. } = &self.map;
        let mut key = keys.get(at).ok_or_else(|| self.map.broken())?;
        if letter.is_ascii_uppercase() {
            // The second and later attributes of one key carry a number.
            let suffix = key.iter().rposition(|&byte| byte == b'#');
            let suffix = suffix.ok_or_else(|| self.map.flaw("a repeated key without its number"))?;
            key = &key[..suffix];
        }
        let text = match values.is_null(at) {
            true => None,
            false => Some(values.get(at).ok_or_else(|| self.map.broken())?),
        };
        let open = out.open(number, 1);
        out.bytes_field(1, key);
        let any = out.open(2, 1);
        value::any_value(out, letter.to_ascii_lowercase(), text).map_err(|message| self.map.flaw(message))?;
        out.close(any);
        out.close(open);
        Ok(())
    }
}
