//! Where the files come from: a directory, or the log of a recorder of this process.

use std::fmt;
use std::sync::{Arc, OnceLock};

use otlp_arrow_base::PerSignal;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::Log;

use super::file::File;

/// What a question reads.
pub trait Source: fmt::Debug + Send + Sync {
    /// The log as it is now.
    fn log(&self) -> Log;

    /// Has everything written that was accepted and is in memory only.
    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

impl Source for Log {
    fn log(&self) -> Log {
        self.clone()
    }
}

/// The files of one question: each signal is listed once, when it is first asked for.
#[derive(Debug)]
pub struct Files {
    log: Log,
    listed: PerSignal<OnceLock<Result<List>>>,
}

type List = Arc<[Arc<File>]>;

impl Files {
    pub(crate) fn new(log: Log) -> Self {
        Self { log, listed: PerSignal::from_fn(|_| OnceLock::new()) }
    }

    /// The log they are of.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The files of `signal`, in reading order, with what of them is committed.
    pub fn of(&self, signal: Signal) -> Result<List> {
        let list = || {
            let listed = self.log.snapshot(signal)?;
            Ok(listed.into_iter().map(|listed| Arc::new(File { signal, listed })).collect())
        };
        self.listed[signal].get_or_init(list).clone()
    }
}
