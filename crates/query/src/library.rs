//! Questions to a recorder that runs in this process.

use std::sync::Arc;

use otlp_arrow::config::Durability;
use otlp_arrow::internal::{Recorder, recorder_of};
use otlp_arrow::{Builder, OtlpLibrary};
use otlp_arrow_base::error::Result;
use otlp_arrow_store::Log;

use crate::index::IndexWhenSealed;
use crate::snapshot::Source;
use crate::telemetry::Telemetry;

/// Questions to a recorder that runs.
pub trait Ask {
    /// What it keeps, to be asked, within the limits of its configuration: what was acknowledged before a question is in the
    /// answer. It is the same one for all who ask: limits and what is learnt of files are those of the recorder.
    fn telemetry(&self) -> Telemetry;
}

impl Ask for OtlpLibrary {
    fn telemetry(&self) -> Telemetry {
        recorder_of(self).telemetry()
    }
}

impl Ask for Recorder {
    fn telemetry(&self) -> Telemetry {
        self.beside(|| Telemetry::of(Arc::new(Running(self.clone())), self.config().query.clone()))
    }
}

#[derive(Debug)]
struct Running(Recorder);

impl Source for Running {
    fn log(&self) -> Log {
        self.0.log()
    }

    fn flush(&self) -> Result<()> {
        match self.0.config().durability {
            // Elsewhere what was acknowledged is in a file.
            Durability::Buffered { .. } => self.0.flush(),
            Durability::Written | Durability::Synced => Ok(()),
        }
    }
}

/// A recorder whose files are indexed when they are sealed, so that no question has to make up for it.
pub trait Indexed {
    /// From the first file on.
    #[must_use]
    fn indexed(self) -> Self;
}

impl Indexed for Builder {
    fn indexed(self) -> Self {
        self.on_seal(IndexWhenSealed)
    }
}
