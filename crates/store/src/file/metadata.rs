//! What files say of themselves in their metadata.

use arrow_schema::Schema;
use otlp_arrow_columns::Signal;

/// Schema metadata: the version of the storage schema, `1`.
pub const META_SCHEMA: &str = otlp_arrow_columns::schema::VERSION_KEY;
/// Schema metadata: which table it is. Files of the first versions do not have it.
pub const META_SIGNAL: &str = otlp_arrow_columns::schema::SIGNAL_KEY;
/// Schema metadata: the id of the writer that recorded the rows.
pub const META_WRITER: &str = "otlp_arrow.writer";
/// Schema metadata: the version of this library.
pub const META_VERSION: &str = "otlp_arrow.version";
/// Metadata of a record batch message: `<first row, 20 digits>,<rows, 10 digits>,<crc32c, 8 hex digits>`.
pub const META_COMMIT: &str = "otlp_arrow.commit";
/// Metadata of a record batch message of a live file, and of the footer of a sealed one: the keys that senders gave their batches.
pub const META_KEYS: &str = "otlp_arrow.keys";
/// The storage schema that is written.
pub const SCHEMA_VERSION: &str = otlp_arrow_columns::schema::VERSION;

/// Which table a file of this schema holds, as its metadata says, or where that says nothing its columns. `None` if it is none of
/// ours.
pub fn signal_of(schema: &Schema) -> Option<Signal> {
    if let Some(signal) = schema.metadata().get(META_SIGNAL) {
        return signal.parse().ok();
    }
    let has = |column: &str| schema.index_of(column).is_ok();
    match (has("metric_name"), has("severity_number"), has("span_id")) {
        (true, _, _) => Some(Signal::Metrics),
        (_, true, _) => Some(Signal::Logs),
        (_, _, true) => Some(Signal::Traces),
        _ => None,
    }
}

/// Whether a version after this one writes this storage schema.
pub fn is_newer(version: Option<&str>) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    match (version.and_then(number), number(SCHEMA_VERSION)) {
        (Some(theirs), Some(ours)) => theirs > ours,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_says_the_signal_and_in_older_files_the_columns_do() {
        for signal in Signal::ALL {
            let schema = otlp_arrow_columns::schema(signal);
            assert_eq!(signal_of(&schema), Some(signal));
            assert_eq!(signal_of(&Schema::new(schema.fields().clone())), Some(signal));
            let later = [(META_SIGNAL.to_owned(), "profiles".to_owned())];
            let later = Schema::new_with_metadata(schema.fields().clone(), later.into());
            assert_eq!(signal_of(&later), None, "a later version's is not taken for one of ours");
        }
        assert_eq!(signal_of(&Schema::empty()), None);
    }
}
