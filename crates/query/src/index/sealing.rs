//! Makes the index of a file when it has just been sealed, so that no question has to wait for it.

use otlp_arrow_columns::Signal;
use otlp_arrow_store::names::Stem;
use otlp_arrow_store::{Log, ReadError, hooks::SealHook};
use std::sync::Arc;

use super::build::build;
use super::file::{self, Of};
use crate::snapshot::{Cache, File};

/// Makes indexes on the thread that seals.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexWhenSealed;

impl SealHook for IndexWhenSealed {
    fn sealed(&self, log: &Log, signal: Signal, stem: &Stem) -> u64 {
        make(log, signal, stem).unwrap_or_else(|error| {
            // A question makes it.
            tracing::debug!(%stem, %error, "no index is made of a file that was sealed");
            0
        })
    }
}

/// Returns how many bytes it takes.
fn make(log: &Log, signal: Signal, stem: &Stem) -> Result<u64, ReadError> {
    let file = Arc::new(File { signal, listed: log.listed(signal, stem)? });
    let failed = |error| ReadError::read(&file.listed.file.path, error);
    let of = Of::file(log, &file).map_err(failed)?;
    let open = file.open(log, &Cache::new(0))?;
    let Some((contents, table)) = build(&open, &|| true)? else { return Ok(0) };
    let bytes = file::write(&of, &contents, table);
    file::save(log, &**log.storage(), signal, stem, &bytes).map_err(failed)?;
    Ok(bytes.len() as u64)
}
