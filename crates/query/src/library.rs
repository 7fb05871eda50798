//! Questions to a recorder that runs in this process.

use std::sync::Arc;

use otlp_arrow::OtlpLibrary;
use otlp_arrow::config::Durability;
use otlp_arrow::internal::log_of;
use otlp_arrow_base::error::Result;
use otlp_arrow_base::wait::block_on;
use otlp_arrow_store::Log;

use crate::snapshot::Source;
use crate::telemetry::Telemetry;

/// Questions to a recorder that runs.
pub trait Ask {
    /// What it keeps, to be asked, within the limits of its configuration: what was acknowledged before a question is in the
    /// answer. Keep it: what is learnt of files is kept with it.
    fn telemetry(&self) -> Telemetry;
}

impl Ask for OtlpLibrary {
    fn telemetry(&self) -> Telemetry {
        Telemetry::of(Arc::new(Running(self.clone())), self.config().query.clone())
    }
}

#[derive(Debug)]
struct Running(OtlpLibrary);

impl Source for Running {
    fn log(&self) -> Log {
        log_of(&self.0)
    }

    fn flush(&self) -> Result<()> {
        match self.0.config().durability {
            // Elsewhere what was acknowledged is in a file.
            Durability::Buffered { .. } => block_on(self.0.flush()),
            Durability::Written | Durability::Synced => Ok(()),
        }
    }
}
