//! Files of OTAP: the messages of one stream, each behind its length. docs/otap.md describes them.

use std::io::Read;

use otlp_arrow::Signal;
use otlp_arrow_columns::otap::Stream as Reader;
use otlp_arrow_wire::otap::{BatchArrowRecords, PayloadType};

use super::stream::Stream;
use crate::convert::piece::{Item, LIMITS, MAX, OTAP, Take};
use crate::io::{Failure, Outcome};

/// Hands on the rows of every message.
pub(super) fn read(stream: &mut Stream, name: &str, take: &mut Take<'_>) -> Outcome {
    let failed = |error| Failure::Failed(format!("cannot read {name}: {error}"));
    stream.advance(OTAP.len());
    let mut reader: Option<(Signal, Reader)> = None;
    for number in 1_u64.. {
        let place = format!("{name}: message {number}");
        let mut left_out = |what: &str| take(Item::LeftOut { place: &place, what }).map(drop);
        let next = stream.peek(4).map_err(failed)?;
        if next.is_empty() {
            return Ok(());
        }
        let Some(head) = next.first_chunk::<4>().copied() else { return left_out("the file ends within a length") };
        stream.advance(head.len());
        let length = u32::from_le_bytes(head) as usize;
        if length > MAX {
            return left_out(&format!("it claims to have {length} bytes: what follows cannot be found"));
        }
        let mut bytes = Vec::new();
        stream.by_ref().take(length as u64).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() < length {
            return left_out(&format!("the file ends after {} of its {length} bytes", bytes.len()));
        }
        let Ok(message) = BatchArrowRecords::read(&bytes) else {
            return left_out("it is not a message of OTAP, and those behind it build on it");
        };
        let signal_of = |kind| PayloadType::of(kind).and_then(PayloadType::signal);
        let Some(signal) = message.payloads.iter().find_map(|payload| signal_of(payload.kind)) else {
            left_out("it has no table of records")?;
            continue;
        };
        let (of, stream) = reader.get_or_insert_with(|| (signal, Reader::new(signal, LIMITS.max_request_memory)));
        if *of != signal {
            return left_out(&format!("it holds {signal}, and the file began with {of}"));
        }
        let tables = stream.read(&message, &LIMITS, &mut |_| true, &mut |_| true);
        let rows = tables.and_then(|tables| tables.plan(&LIMITS, &mut |_| true).map(|plan| plan.store()));
        match rows {
            Ok(rows) => drop(take(Item::Rows { batch: rows.batch(), signal })?),
            Err(fault) if fault.ends_stream() => return left_out(&format!("{fault}; what is behind it builds on it")),
            Err(fault) => left_out(&fault.to_string())?,
        }
    }
    Ok(())
}
