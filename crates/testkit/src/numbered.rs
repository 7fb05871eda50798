//! Log records that are told apart by a number, on their way in and out.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

/// One request of log records whose bodies are these numbers.
pub fn logs(ids: impl IntoIterator<Item = u64>) -> Bytes {
    let record = |id: u64| LogRecord {
        body: Some(AnyValue { value: Some(Value::StringValue(format!("record {id}"))) }),
        time_unix_nano: 1_700_000_000_000_000_000 + id,
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: ids.into_iter().map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

/// The numbers of the log records of a batch; panics at one of another kind.
pub fn numbers(batch: &RecordBatch) -> Vec<u64> {
    let Some(bodies) = batch.column_by_name("body") else { panic!("no column of bodies") };
    let number = |body: Option<&str>| body?.strip_prefix("record ")?.parse().ok();
    let number = |body| number(body).unwrap_or_else(|| panic!("{body:?} is not a numbered record"));
    bodies.as_string::<i32>().iter().map(number).collect()
}
