//! Questions to a directory, with or without a recorder.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use otlp_arrow::internal::config::Sources;
use otlp_arrow::{Code, Config, OtlpError, ReadOptions, Result};
use otlp_arrow_query::Telemetry as Asked;
use otlp_arrow_query::record::Form;
use otlp_arrow_query::scan::{AskOptions, Cancel};
use otlp_arrow_store::Wanted;
use pyo3::prelude::*;

use crate::detached::Detached;
use crate::error::IntoPython;
use crate::library::{parse_signal, time};
use crate::table::Table;
use crate::wait::wait;

/// A directory that can be asked.
#[pyclass(module = "otlp_arrow._native", frozen)]
pub(crate) struct Telemetry {
    // The last reference to a recorder may be among these.
    inner: Detached<Inner>,
}

struct Inner {
    make: Box<dyn Fn() -> Asked + Send + Sync>,
    /// With the process it is of: what a forked child inherits may be locked by threads that it does not have.
    asked: Mutex<(u32, Asked)>,
}

impl Telemetry {
    pub(crate) fn new(make: impl Fn() -> Asked + Send + Sync + 'static) -> Self {
        let asked = Mutex::new((std::process::id(), make()));
        Self { inner: Detached::new(Inner { make: Box::new(make), asked }) }
    }

    /// Held for a moment only, and not without the interpreter: nobody can fork meanwhile.
    fn asked(&self) -> Asked {
        let mut asked = self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if asked.0 != process {
            let closed = asked.1.engine().is_closed();
            let inherited = std::mem::replace(&mut *asked, (process, (self.inner.make)()));
            // Nothing of it is touched any more, not even to free it.
            std::mem::forget(inherited);
            if closed {
                asked.1.close();
            }
        }
        asked.1.clone()
    }
}

#[pymethods]
impl Telemetry {
    /// Opens a directory; `config` is a JSON object of the keys `output_dir` and `query`.
    #[new]
    fn open(py: Python<'_>, config: &str) -> PyResult<Self> {
        py.detach(|| {
            let arguments = serde_json::from_str(config).map_err(|error| {
                OtlpError::with_source(Code::InvalidConfig, "the configuration is not an object of keys", error)
            })?;
            let config = Config::load(&Sources { arguments, ..Sources::process()? })?.config;
            Ok(Self::new(move || Asked::with(config.output_dir.clone(), config.query.clone())))
        })
        .into_python(py)
    }

    /// The question `kind` that these pairs of words and values make.
    fn ask(&self, kind: String, words: Vec<(String, String)>, timeout_seconds: Option<f64>) -> Question {
        let timeout = timeout_seconds.and_then(|timeout| Duration::try_from_secs_f64(timeout.max(0.0)).ok());
        let options = AskOptions { timeout, cancel: Cancel::default(), progress: None };
        Question { asked: Detached::new(self.asked()), kind, words, options }
    }

    /// A snapshot of what is committed; times are nanoseconds since 1970.
    #[allow(clippy::too_many_arguments, reason = "one for each keyword of the Python method")]
    fn read(
        &self,
        py: Python<'_>,
        signal: &str,
        from_nanos: Option<u64>,
        to_nanos: Option<u64>,
        columns: Option<Vec<String>>,
        limit: Option<usize>,
        dictionaries: bool,
    ) -> PyResult<Table> {
        let options = ReadOptions { from: time(from_nanos), to: time(to_nanos), columns, limit, dictionaries };
        let asked = self.asked();
        py.detach(move || {
            let signal = parse_signal(signal)?;
            let schema = Wanted::new(signal, &options)?.schema(signal);
            Table::open(schema, move || asked.read(signal, &options))
        })
        .into_python(py)
    }

    /// Ends what is being answered, and answers nothing more.
    fn close(&self) {
        self.asked().close();
    }
}

/// A question that is not answered yet.
#[pyclass(module = "otlp_arrow._native", frozen)]
pub(crate) struct Question {
    asked: Detached<Asked>,
    kind: String,
    words: Vec<(String, String)>,
    options: AskOptions,
}

#[pymethods]
impl Question {
    /// Asks it, on a thread of its own, so that Ctrl-C ends the wait and the question.
    fn answer(&self, py: Python<'_>) -> PyResult<Answer> {
        let (sender, receiver) = oneshot::channel::<Result<Box<dyn otlp_arrow_query::Answer>>>();
        let (asked, kind, words, options) =
            (self.asked.clone(), self.kind.clone(), self.words.clone(), self.options.clone());
        let thread = std::thread::Builder::new().name("otlp-arrow-ask".into()).spawn(move || {
            // Nobody waits for it after Ctrl-C.
            let _ = sender.send(asked.ask_named(&kind, words, &options));
        });
        thread
            .map_err(|error| OtlpError::with_source(Code::Unavailable, "a question has no thread", error))
            .into_python(py)?;
        let answered = wait(py, None, receiver);
        if answered.is_err() {
            self.options.cancel.cancel();
        }
        let panicked = || OtlpError::new(Code::Internal, "a question ended in a panic: please report it");
        let answer = answered?.unwrap_or_else(|_| Err(panicked())).into_python(py)?;
        Ok(Answer { answer: Mutex::new(answer) })
    }

    /// Ends it; what was found by then is the answer.
    fn cancel(&self) {
        self.options.cancel.cancel();
    }
}

/// What a question is answered with.
#[pyclass(module = "otlp_arrow._native", frozen)]
pub(crate) struct Answer {
    answer: Mutex<Box<dyn otlp_arrow_query::Answer>>,
}

impl Answer {
    fn of<T: Send>(
        &self,
        py: Python<'_>,
        take: impl FnOnce(&dyn otlp_arrow_query::Answer) -> Result<T> + Send,
    ) -> PyResult<T> {
        py.detach(|| take(&**self.answer.lock().unwrap_or_else(PoisonError::into_inner))).into_python(py)
    }
}

#[pymethods]
impl Answer {
    /// Its values as JSON, with times as nanoseconds since 1970.
    fn values(&self, py: Python<'_>) -> PyResult<String> {
        self.of(py, |answer| answer.render(Form::Numbers))
    }

    /// Its table.
    fn table(&self, py: Python<'_>) -> PyResult<Table> {
        self.of(py, |answer| answer.table().map(Table::of_batch))
    }
}
