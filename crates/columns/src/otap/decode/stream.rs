//! What a stream keeps from batch to batch: of each table the schema it is sent in, and the dictionaries of its columns.

use otlp_arrow_wire::otap::{ArrowPayload, BatchArrowRecords, PayloadType};

use super::arrays::Reader;
use super::error::{Fault, broken, invalid};
use super::ipc;
use super::planning::limit;
use super::schema::{Field, Kind, Schema};
use super::store::{Stores, Values};
use super::tables::{Record, Tables};
use super::unpack::Grow;
use crate::otap::table::{Column, Type, columns};
use crate::{Limits, Signal};

/// Bytes of an id of a schema: they are short numbers.
const MAX_SCHEMA_ID: usize = 128;

/// The state of one stream.
#[derive(Debug)]
pub struct Stream {
    signal: Signal,
    /// What it may keep.
    most: usize,
    /// What it was given for this.
    asked: usize,
    open: Vec<Open>,
}

/// A table that is being sent.
#[derive(Debug)]
struct Open {
    kind: PayloadType,
    schema_id: Vec<u8>,
    schema: Schema,
    stores: Stores,
}

impl Stream {
    /// A stream that has just begun, of a signal, which may keep so many bytes from batch to batch.
    pub fn new(signal: Signal, most: usize) -> Self {
        Self { signal, most, asked: 0, open: Vec::new() }
    }

    /// Bytes that it keeps, roughly.
    pub fn bytes(&self) -> usize {
        self.open.iter().map(|open| open.schema.bytes() + open.stores.bytes()).sum()
    }

    /// Takes the next batch of the stream. Memory that stays with the stream is asked of `keep`, what the batch alone
    /// needs of `grow`. The tables may come in any order.
    ///
    /// # Errors
    /// [`Fault`]. Where it [ends the stream](Fault::ends_stream), no later batch can be read.
    pub fn read<'a>(
        &'a mut self,
        batch: &BatchArrowRecords<'a>,
        limits: &Limits,
        keep: &mut Grow<'_>,
        grow: &mut Grow<'_>,
    ) -> Result<Tables<'a>, Fault> {
        let fresh = self.open.is_empty();
        let limit = limit(limits);
        let mut wrong = None;
        let mut found: Vec<(PayloadType, arrow_ipc::RecordBatch<'a>, &'a [u8])> =
            Vec::with_capacity(batch.payloads.len());
        for payload in &batch.payloads {
            let kind = match self.kind(payload) {
                Ok(kind) => kind,
                // The other tables have news for later batches.
                Err(fault) => {
                    wrong = wrong.or(Some(fault));
                    continue;
                }
            };
            if found.iter().any(|(other, ..)| *other == kind) {
                return broken(format!("a batch has {} twice", kind.as_str()));
            }
            let (records, body) = self.apply(kind, payload, fresh, limit, keep, grow)?;
            found.push((kind, records, body));
        }
        if let Some(fault) = wrong {
            return Err(fault);
        }
        let this: &'a Self = self;
        let mut records = Vec::with_capacity(found.len());
        for (kind, batch, body) in found {
            let Some(open) = this.open.iter().find(|open| open.kind == kind) else { continue };
            records.push(open.record(batch, body, limit, grow)?);
        }
        Ok(Tables { signal: this.signal, records })
    }

    fn kind(&self, payload: &ArrowPayload<'_>) -> Result<PayloadType, Fault> {
        let Some(kind) = PayloadType::of(payload.kind) else {
            return invalid(format!("a payload is of type {}, which is not known", payload.kind));
        };
        match kind.signal() {
            Some(signal) if signal != self.signal => {
                invalid(format!("a payload is of type {}, and this is a stream of {}", kind.as_str(), self.signal))
            }
            _ => Ok(kind),
        }
    }

    /// Reads the messages of one payload: what later batches build on is kept, the record batch is handed on.
    fn apply<'a>(
        &mut self,
        kind: PayloadType,
        payload: &ArrowPayload<'a>,
        fresh: bool,
        limit: usize,
        keep: &mut Grow<'_>,
        grow: &mut Grow<'_>,
    ) -> Result<(arrow_ipc::RecordBatch<'a>, &'a [u8]), Fault> {
        let name = kind.as_str();
        if payload.schema_id.len() > MAX_SCHEMA_ID {
            return broken(format!("the schema id of {name} has {} bytes", payload.schema_id.len()));
        }
        // Another id is another IPC stream; ids of other tables do not matter.
        self.open.retain(|open| open.kind != kind || open.schema_id == payload.schema_id);
        let mut rest = payload.record;
        let mut records = None;
        while let Some(piece) = ipc::next(&mut rest).map_err(|fault| of_table(name, fault))? {
            if let Some(schema) = piece.message.header_as_schema() {
                let schema = Schema::read(schema).map_err(|fault| of_table(name, fault))?;
                self.open.retain(|open| open.kind != kind);
                let open = Open::new(kind, payload.schema_id.to_vec(), schema)?;
                self.room(open.schema.bytes(), fresh, keep)?;
                self.open.push(open);
            } else if let Some(dictionary) = piece.message.header_as_dictionary_batch() {
                self.dictionary(kind, dictionary, piece.body, fresh, limit, keep, grow)
                    .map_err(|fault| of_table(name, lost(fault)))?;
            } else if let Some(batch) = piece.message.header_as_record_batch() {
                if records.replace((batch, piece.body)).is_some() {
                    return broken(format!("{name}: a payload has two record batches"));
                }
            } else {
                return broken(format!("{name}: a message is neither schema, dictionary nor record batch"));
            }
        }
        if !self.open.iter().any(|open| open.kind == kind) {
            return broken(format!("{name}: the schema of this id was not sent"));
        }
        records.map_or_else(|| broken(format!("{name}: a payload has no record batch")), Ok)
    }

    #[expect(clippy::too_many_arguments, reason = "where memory comes from, twice")]
    fn dictionary<'a>(
        &mut self,
        kind: PayloadType,
        dictionary: arrow_ipc::DictionaryBatch<'a>,
        body: &'a [u8],
        fresh: bool,
        limit: usize,
        keep: &mut Grow<'_>,
        grow: &mut Grow<'_>,
    ) -> Result<(), Fault> {
        let id = dictionary.id();
        let Some(batch) = dictionary.data() else { return broken("a dictionary has no values") };
        let Some(open) = self.open.iter().find(|open| open.kind == kind) else {
            return broken("a dictionary comes before its schema");
        };
        let Some((_, values)) = open.stores.entries.iter().find(|(other, _)| *other == id) else {
            return broken(format!("a dictionary has the number {id}, and no column has it"));
        };
        // Of a column that is not looked at.
        let Some(values) = values else { return Ok(()) };
        let field = Field::values(values.kind);
        let more = Reader::new(batch, body, limit, grow)?.array(&field, Some(&VALUES))?;
        self.room(values.needed(&more), fresh, keep)?;
        let open = self.open.iter_mut().find(|open| open.kind == kind);
        let values = open.and_then(|open| open.stores.entries.iter_mut().find(|(other, _)| *other == id));
        if let Some((_, Some(values))) = values {
            if !dictionary.isDelta() {
                values.clear();
            }
            values.append(&more)?;
        }
        Ok(())
    }

    /// Asks for room for so many bytes that stay, where they are more than was asked for before.
    fn room(&mut self, more: usize, fresh: bool, keep: &mut Grow<'_>) -> Result<(), Fault> {
        let needed = self.bytes().saturating_add(more);
        if needed > self.most {
            return Err(match fresh {
                true => Fault::StreamTooLarge { needed, limit: self.most },
                false => Fault::NoRoomForStream,
            });
        }
        if needed > self.asked {
            if !keep(needed - self.asked) {
                return Err(Fault::NoRoomForStream);
            }
            self.asked = needed;
        }
        Ok(())
    }
}

/// What any column of a dictionary's values may hold.
const VALUES: Column =
    Column { name: "values", data: Type::Bytes, keys: crate::otap::table::Keys::Plain, required: false };

/// What is wrong with a dictionary is wrong with all that builds on it.
fn lost(fault: Fault) -> Fault {
    match fault {
        Fault::Invalid(message) => Fault::Broken(message),
        Fault::NoRoom => Fault::NoRoomForStream,
        Fault::TooLarge { needed, limit } => Fault::StreamTooLarge { needed, limit },
        other => other,
    }
}

fn of_table(name: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Broken(message) => Fault::Broken(format!("{name}: {message}")),
        Fault::Invalid(message) => Fault::Invalid(format!("{name}: {message}")),
        other => other,
    }
}

impl Open {
    fn new(kind: PayloadType, schema_id: Vec<u8>, schema: Schema) -> Result<Self, Fault> {
        let table = columns(kind);
        fit(kind.as_str(), &schema.fields, table)?;
        let mut stores = Stores::default();
        known(&schema.fields, table, &mut |field, wanted| {
            let Some(index) = field.index else { return Ok(()) };
            match stores.entries.iter_mut().find(|(id, _)| *id == index.id) {
                None => {
                    let values = wanted.then(|| Values::new(field.kind, field.name == "key"));
                    stores.entries.push((index.id, values));
                    Ok(())
                }
                Some((_, values)) => match values {
                    Some(values) if wanted && values.kind != field.kind => {
                        broken(format!("{}: dictionary {} is of two types", kind.as_str(), index.id))
                    }
                    none @ None if wanted => {
                        *none = Some(Values::new(field.kind, field.name == "key"));
                        Ok(())
                    }
                    _ => Ok(()),
                },
            }
        })?;
        Ok(Self { kind, schema_id, schema, stores })
    }

    /// The columns of a record batch.
    fn record<'a>(
        &'a self,
        batch: arrow_ipc::RecordBatch<'a>,
        body: &'a [u8],
        limit: usize,
        grow: &mut Grow<'_>,
    ) -> Result<Record<'a>, Fault> {
        let name = self.kind.as_str();
        let table = columns(self.kind);
        let rows = usize::try_from(batch.length()).ok();
        // Each row takes some bytes on the way.
        let Some(rows) = rows.filter(|rows| *rows <= limit / 16) else {
            return Err(Fault::TooLarge {
                needed: usize::try_from(batch.length()).unwrap_or(usize::MAX).saturating_mul(16),
                limit,
            });
        };
        let mut reader = Reader::new(batch, body, limit, grow).map_err(|fault| of_table(name, fault))?;
        let mut arrays = Vec::with_capacity(self.schema.fields.len());
        for field in &self.schema.fields {
            let wanted = table.iter().find(|column| column.name == field.name);
            let array = reader.array(field, wanted).map_err(|fault| of_table(name, fault))?;
            if wanted.is_some() && array.len != rows {
                let (column, found) = (&field.name, array.len);
                return invalid(format!("{name}: column {column} has {found} rows, and the batch {rows}"));
            }
            arrays.push(array);
        }
        Ok(Record { kind: self.kind, rows, fields: &self.schema.fields, arrays, stores: &self.stores })
    }
}

/// Calls `see` with every column, and whether the table has it.
fn known(
    fields: &[Field],
    table: &[Column],
    see: &mut impl FnMut(&Field, bool) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for field in fields {
        let column = table.iter().find(|column| column.name == field.name);
        see(field, column.is_some())?;
        match column.map(|column| column.data) {
            Some(Type::Struct(inner)) => known(&field.children, inner, see)?,
            Some(Type::List(item)) => {
                if let [child] = &field.children[..] {
                    see(child, true)?;
                    if let Type::Struct(inner) = item.data {
                        known(&child.children, inner, see)?;
                    }
                }
            }
            _ => known(&field.children, &[], see)?,
        }
    }
    Ok(())
}

/// Refuses columns of other types than the table has, and two of one name.
fn fit(of: &str, fields: &[Field], table: &[Column]) -> Result<(), Fault> {
    for (at, field) in fields.iter().enumerate() {
        let name = &field.name;
        let Some(column) = table.iter().find(|column| column.name == *name) else { continue };
        if fields[..at].iter().any(|other| other.name == *name) {
            return broken(format!("{of}: column {name} is there twice"));
        }
        fits(of, field, column.data)?;
    }
    Ok(())
}

fn fits(of: &str, field: &Field, wanted: Type) -> Result<(), Fault> {
    let int = |bytes, signed| Kind::Int { bytes, signed };
    let expected = match wanted {
        Type::Bool => Kind::Bool,
        Type::U8 => int(1, false),
        Type::U16 => int(2, false),
        Type::U32 => int(4, false),
        Type::U64 => int(8, false),
        Type::I32 => int(4, true),
        Type::I64 => int(8, true),
        Type::F64 => Kind::Float(8),
        Type::Time => Kind::Time,
        Type::Duration => Kind::Duration,
        Type::Text => Kind::Text,
        Type::Bytes => Kind::Bytes,
        Type::Fixed(width) => Kind::Fixed(width),
        Type::Struct(_) => Kind::Struct,
        Type::List(_) => Kind::List,
    };
    // A column of nulls need not say of what.
    if field.kind == Kind::Null {
        return Ok(());
    }
    if field.kind != expected {
        let (name, found, expected) = (&field.name, field.kind.name(), expected.name());
        return broken(format!("{of}: column {name} is of type {found}, and must be {expected}"));
    }
    match wanted {
        Type::Struct(inner) => fit(of, &field.children, inner),
        Type::List(item) => fits(of, &field.children[0], item.data),
        _ => Ok(()),
    }
}
