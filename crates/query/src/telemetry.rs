//! [`Telemetry`]: one directory that questions are put to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use otlp_arrow::config::Query;
use otlp_arrow::{Batches, ReadOptions, Signal};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::Result;
use otlp_arrow_store::Log;

use crate::answer::Answer;
use crate::filter::Nanos;
use crate::index::Indexes;
use crate::questions::{Kind, Question};
use crate::scan::{AskOptions, Asking, Engine, Pruner};
use crate::snapshot::Source;

/// What is kept in one directory, to be asked. No writer is needed, and one that runs is not disturbed.
///
/// Cloning is cheap and every clone is the same one: they share the limits, and what is kept between questions.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Engine>);

impl Telemetry {
    /// Of an output directory, which need not exist yet, within the default limits.
    pub fn open(output_dir: impl Into<PathBuf>) -> Self {
        Self::with(output_dir, Query::default())
    }

    /// [`Telemetry::open`] within these limits.
    pub fn with(output_dir: impl Into<PathBuf>, limits: Query) -> Self {
        Self::of(Arc::new(Log::read_only(output_dir)), limits)
    }

    /// Of any source, such as the log of a recorder of this process.
    pub fn of(source: Arc<dyn Source>, limits: Query) -> Self {
        Self::pruned(source, limits, Clock::system(), Arc::new(Indexes::default()))
    }

    /// [`Telemetry::of`] by any clock, and with an index.
    pub fn pruned(source: Arc<dyn Source>, limits: Query, clock: Clock, pruner: Arc<dyn Pruner>) -> Self {
        Self(Arc::new(Engine::new(source, limits, clock, pruner)))
    }

    /// What all questions to it share.
    pub fn engine(&self) -> &Engine {
        &self.0
    }

    /// The time that relative times are relative to.
    pub fn now(&self) -> Nanos {
        self.0.now()
    }

    /// Reserves memory for an answer that is still needed after it was given, as one that is being sent. `None` where questions
    /// use all that they may.
    pub fn hold(&self, bytes: usize) -> Option<Held> {
        self.0.memory.take(bytes).then(|| Held { telemetry: self.clone(), bytes })
    }

    /// Asks. Blocks until the question is answered or its time is over; what was found by then is the answer, which says so.
    ///
    /// # Errors
    /// INVALID_CONFIG for a question that cannot be; UNAVAILABLE while too many are being answered; CLOSED after
    /// [`Telemetry::close`]; STORAGE_FAILED if the directory cannot be listed. A file that cannot be read is told of in the
    /// answer.
    pub fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer> {
        self.ask_with(question, &AskOptions::default())
    }

    /// [`Telemetry::ask`] that may take less time, can be cancelled and tells how far it is.
    pub fn ask_with<Q: Question>(&self, question: &Q, options: &AskOptions) -> Result<Q::Answer> {
        self.answered(options, |asking| question.ask(asking))
    }

    /// Asks the question of this name that these words and values make: what command lines, query strings and other languages
    /// have.
    ///
    /// ```
    /// # let directory = tempfile::tempdir().unwrap();
    /// let telemetry = otlp_arrow_query::Telemetry::open(directory.path());
    /// let answer = telemetry.ask_named("logs", [("severity", ">=error"), ("limit", "5")], &Default::default())?;
    /// println!("{}", answer.to_json()?);
    /// # Ok::<(), otlp_arrow_base::OtlpError>(())
    /// ```
    pub fn ask_named<K: Into<String>, V: Into<String>>(
        &self,
        name: &str,
        pairs: impl IntoIterator<Item = (K, V)>,
        options: &AskOptions,
    ) -> Result<Box<dyn Answer>> {
        let question = Kind::named(name)?.parse(pairs, self.now())?;
        self.answered(options, |asking| question.ask_any(asking))
    }

    /// What is committed now, row by row, as [`otlp_arrow::OtlpLibrary::read`] gives it.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        self.0.check_open()?;
        self.0.source.flush()?;
        self.0.source.log().read(signal, options)
    }

    /// Waits until what questions until now would have been quicker with is made and kept for later ones, or until `deadline`;
    /// whether that is so. A process that ends before makes the next one begin anew.
    pub fn settle(&self, deadline: Instant) -> bool {
        self.0.pruner.settle(&self.0.clock, deadline)
    }

    /// Ends every question that is being answered, of all clones, with CLOSED, and refuses others.
    pub fn close(&self) {
        self.0.close();
    }

    fn answered<A>(&self, options: &AskOptions, ask: impl FnOnce(&Asking<'_>) -> Result<A>) -> Result<A> {
        let answer = ask(&Asking::begin(&self.0, options)?)?;
        // What it was ended by is not what anybody asked for.
        self.0.check_open()?;
        Ok(answer)
    }
}

/// Memory of questions, given back when this is dropped.
#[derive(Debug)]
pub struct Held {
    telemetry: Telemetry,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.telemetry.0.memory.give_back(self.bytes);
    }
}
