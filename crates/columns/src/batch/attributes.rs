//! Attribute maps, with the letters beside them.

use std::collections::HashSet;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StructArray};
use arrow_schema::DataType;

use super::context::Context;
use super::error::{Bad, BatchError, Checked, Flaw};
use super::find::Finder;
use super::json;
use super::lists::{Lists, has_null};
use super::text::Text;
use crate::column::AttributeCounts;
use crate::parse::integer;
use crate::render::letter;
use crate::text::same;

const MAP: &str = "Map(Utf8, Utf8), or a list of structs of key and value";

/// An attribute column.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a> {
    lists: Lists<'a>,
    entries: Option<&'a StructArray>,
    pub(crate) keys: Text<'a>,
    pub(crate) values: Text<'a>,
    pub(crate) types: Text<'a>,
}

/// The keys of the list before: records of one program repeat their keys in order, and then they differ from each other.
#[derive(Default)]
pub(super) struct Known<'a> {
    keys: Vec<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    pub(super) fn of(
        columns: &mut Finder<'a>,
        attributes: &'static str,
        types: &'static str,
    ) -> Result<Self, BatchError> {
        let map = columns.required(attributes, MAP, |array| map(array, attributes))?;
        let [keys, values] = map.texts;
        Ok(Self { lists: map.lists, entries: map.entries, keys, values, types: Text::optional(columns, types)? })
    }

    /// Where the entries of a row are.
    #[inline(always)]
    pub(crate) fn range(&self, row: usize) -> Range<usize> {
        self.lists.range(row)
    }

    /// Checks the attributes of one row, and adds what they take.
    pub(super) fn check(
        &self,
        context: &Context,
        known: &mut Known<'a>,
        row: usize,
        size: &mut AttributeCounts,
    ) -> Checked<()> {
        let range = self.lists.sound(row)?;
        let letters = self.types.sound(row)?;
        if let Some(letters) = letters
            && letters.len() != range.len()
        {
            let message = format!("{} letter(s) beside {} attribute(s)", letters.len(), range.len());
            return Err(Flaw::new(row, self.types.name(), message).into());
        }
        if self.entries.is_some_and(|entries| has_null(entries, &range)) {
            return Err(Flaw::new(row, self.lists.name(), "has an entry that is null").into());
        }
        let count = range.len();
        let mut strayed = false;
        for (place, at) in range.enumerate() {
            let entry = self.entry(at).map_err(|flaw| flaw.at(row))?;
            let letter = letters.map_or(letter::STRING, |letters| letters[place]);
            self.value(context, row, letter, entry)?;
            let (key, value) = entry;
            if !known.keys.get(place).is_some_and(|known| same(known, key)) {
                strayed = true;
                known.keys.truncate(place);
                known.keys.push(key);
            }
            size.entries += 1;
            size.keys = size.keys.saturating_add(key.len());
            size.values = size.values.saturating_add(value.map_or(0, <[u8]>::len));
            if size.values > context.limit {
                return Err(Bad::TooLarge(size.values));
            }
        }
        if strayed && let Some(key) = repeated(&known.keys[..count]) {
            let key = String::from_utf8_lossy(key);
            let message =
                format!("the key {key:?} is there twice: name the second {key}#2, with its letter in upper case");
            return Err(Flaw::new(row, self.lists.name(), message).into());
        }
        Ok(())
    }

    #[inline(always)]
    fn entry(&self, at: usize) -> Result<(&'a [u8], Option<&'a [u8]>), Flaw> {
        Ok((self.keys.sound(at)?.unwrap_or_default(), self.values.sound(at)?))
    }

    #[inline(always)]
    fn value(
        &self,
        context: &Context,
        row: usize,
        letter: u8,
        (key, value): (&[u8], Option<&[u8]>),
    ) -> Result<(), Flaw> {
        match (letter, value) {
            (letter::STRING, Some(_)) => return Ok(()),
            (letter::INT, Some(text)) if integer(text).is_ok() => return Ok(()),
            _ => {}
        }
        if letter.is_ascii_uppercase() && !has_number(key) {
            let key = String::from_utf8_lossy(key);
            let message = format!("the key {key:?} has a letter in upper case, and does not end in # and a number");
            return Err(Flaw::new(row, self.lists.name(), message));
        }
        json::attribute(context, letter.to_ascii_lowercase(), value).map_err(|message| {
            let (key, letter) = (String::from_utf8_lossy(key), char::from(letter));
            let shown = value.map_or("null".to_owned(), shown);
            Flaw::new(
                row,
                self.lists.name(),
                format!("the value of {key:?} is {shown} with the letter {letter}: {message}"),
            )
        })
    }
}

/// A text in an error, cut where it is long.
fn shown(text: &[u8]) -> String {
    const LONG: usize = 60;
    match String::from_utf8_lossy(text) {
        text if text.chars().count() > LONG => format!("{:?}…", text.chars().take(LONG).collect::<String>()),
        text => format!("{text:?}"),
    }
}

/// Whether a key ends in `#` and a number, as the second and later ones of a key do.
fn has_number(key: &[u8]) -> bool {
    let digits = key.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && key.len() > digits && key[key.len() - digits - 1] == b'#'
}

/// A key that occurs more than once.
fn repeated<'a>(keys: &[&'a [u8]]) -> Option<&'a [u8]> {
    const FEW: usize = 16;
    if keys.len() <= FEW {
        return keys
            .iter()
            .enumerate()
            .find(|(at, key)| keys[..*at].iter().any(|other| same(other, key)))
            .map(|(_, key)| *key);
    }
    let mut seen = HashSet::with_capacity(keys.len());
    keys.iter().find(|key| !seen.insert(**key)).copied()
}

/// The pairs of a map, or of a list that stands for one.
struct Map<'a> {
    lists: Lists<'a>,
    entries: Option<&'a StructArray>,
    /// Keys and values.
    texts: [Text<'a>; 2],
}

fn map<'a>(array: &'a dyn Array, name: &'static str) -> Option<Map<'a>> {
    if let Some(map) = array.as_map_opt() {
        let texts = [Text::of(map.keys().as_ref(), name, true)?, Text::of(map.values().as_ref(), name, false)?];
        return Some(Map { lists: Lists::of_map(map, name), entries: Some(map.entries()), texts });
    }
    let (lists, elements) = Lists::of(array, name, true)?;
    if elements.is_empty() && *elements.data_type() == DataType::Null {
        return Some(Map { lists, entries: None, texts: [Text::nothing(name); 2] });
    }
    let entries = elements.as_struct_opt()?;
    let keys = Text::of(entries.column_by_name("key")?.as_ref(), name, true)?;
    let values = entries.column_by_name("value")?;
    let values = match values.data_type() {
        DataType::Null => Text::nothing(name),
        _ => Text::of(values.as_ref(), name, false)?,
    };
    Some(Map { lists, entries: Some(entries), texts: [keys, values] })
}
