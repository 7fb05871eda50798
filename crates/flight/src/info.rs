//! Which tables there are, and their columns.

use otlp_arrow::{Result, Signal};
use otlp_arrow_query::Telemetry;
use otlp_arrow_store::stream::framed_schema;
use otlp_arrow_wire::flight::{Descriptor, Info, holding};

use crate::asked::Asked;

/// A `FlightInfo` for `descriptor`.
pub(crate) fn info(telemetry: &Telemetry, asked: &Asked, descriptor: &[u8]) -> Result<Vec<u8>> {
    let schema = telemetry.stream_schema(asked.signal, &asked.columns)?;
    let schema = framed_schema(&schema);
    // How many match is known when they were read.
    let size = if asked.is_whole() { Some(telemetry.size(asked.signal)?) } else { None };
    let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok()).unwrap_or(-1);
    let (records, bytes) = (number(size.map(|size| size.rows)), number(size.map(|size| size.bytes)));
    Ok(Info { schema: &schema, descriptor, ticket: &asked.ticket(), records, bytes }.write())
}

/// A `FlightInfo` for each table that a criterion is about.
pub(crate) fn list(telemetry: &Telemetry, criteria: &[u8]) -> Result<Vec<Vec<u8>>> {
    let of = |signal| {
        let asked = Asked::of_criteria(criteria, signal, telemetry.now()).transpose()?;
        Some(asked.and_then(|asked| info(telemetry, &asked, &Descriptor::of_path(signal.as_str()))))
    };
    Signal::ALL.into_iter().filter_map(of).collect()
}

/// A `SchemaResult`.
pub(crate) fn schema(telemetry: &Telemetry, asked: &Asked) -> Result<Vec<u8>> {
    let schema = telemetry.stream_schema(asked.signal, &asked.columns)?;
    Ok(holding(&framed_schema(&schema)))
}
