//! What the tests share.

use std::path::Path;

use otlp_arrow::ReadOptions;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_testkit::numbered::numbers;

pub(crate) fn config(dir: &Path) -> Config {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 1;
    config
}

/// The numbers of all committed log records, in the order in which they are read.
pub(crate) fn ids(library: &OtlpLibrary) -> Vec<u64> {
    let batches = library.read(Signal::Logs, &ReadOptions::default()).unwrap();
    batches.flat_map(|batch| numbers(&batch.unwrap())).collect()
}
