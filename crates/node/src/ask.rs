//! Questions to a directory, with or without a recorder, for JavaScript.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi::tokio::sync::Semaphore;
use napi_derive::napi;
use otlp_arrow::internal::config::Sources;
use otlp_arrow::{Code, Config, OtlpError, Result};
use otlp_arrow_query::record::Form;
use otlp_arrow_query::scan::{AskOptions, Cancel};
use otlp_arrow_query::{Answer, Telemetry};

use crate::error::{Outcome, outcome};
use crate::reader::{BindingReader, reading};
use crate::runtime::{blocking, promise};

/// A directory that can be asked.
#[napi]
pub struct BindingTelemetry {
    telemetry: Telemetry,
    /// As many as are answered at once: what waits takes no thread.
    places: Arc<Semaphore>,
}

impl BindingTelemetry {
    pub fn new(telemetry: Telemetry) -> Self {
        let places = telemetry.engine().limits().max_concurrent.max(1);
        Self { telemetry, places: Arc::new(Semaphore::new(places)) }
    }
}

/// Opens a directory to be asked; `config` is a JSON object of the keys `output_dir` and `query`.
#[napi(catch_unwind)]
pub(crate) fn open_telemetry<'env>(
    env: &'env Env,
    config: String,
) -> napi::Result<PromiseRaw<'env, Outcome<BindingTelemetry>>> {
    promise(env, async move {
        let opened = blocking(move || {
            let arguments = serde_json::from_str(&config).map_err(|error| {
                OtlpError::with_source(Code::InvalidConfig, "the configuration is not an object", error)
            })?;
            let config = Config::load(&Sources { arguments, ..Sources::process()? })?.config;
            Ok(BindingTelemetry::new(Telemetry::with(config.output_dir, config.query)))
        });
        outcome(opened.await)
    })
}

#[napi]
impl BindingTelemetry {
    /// The question `kind` that these pairs of words and values make. It is asked by a call of `answer`.
    #[napi(catch_unwind)]
    pub fn ask(&self, kind: String, words: Vec<(String, String)>, timeout_ms: Option<f64>) -> BindingQuestion {
        let cancel = Cancel::default();
        let timeout = timeout_ms.and_then(|timeout| Duration::try_from_secs_f64(timeout / 1000.0).ok());
        let options = AskOptions { timeout, cancel: cancel.clone(), progress: None };
        let asked = Asked { telemetry: self.telemetry.clone(), kind, words, options };
        BindingQuestion { asked: Mutex::new(Some(asked)), places: Arc::clone(&self.places), cancel }
    }

    /// A snapshot of what is committed; `options` is a JSON object.
    #[napi(catch_unwind)]
    pub fn read<'env>(
        &self,
        env: &'env Env,
        signal_position: u32,
        options: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome<BindingReader>>> {
        let telemetry = self.telemetry.clone();
        reading(env, signal_position, options, move |signal, options| telemetry.read(signal, options))
    }

    /// Ends what is being answered, and answers nothing more.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.telemetry.close();
    }
}

/// A question on its way.
#[napi]
pub struct BindingQuestion {
    /// None once it is asked.
    asked: Mutex<Option<Asked>>,
    places: Arc<Semaphore>,
    cancel: Cancel,
}

struct Asked {
    telemetry: Telemetry,
    kind: String,
    words: Vec<(String, String)>,
    options: AskOptions,
}

#[napi]
impl BindingQuestion {
    /// Asks it, on a thread of its own.
    #[napi(catch_unwind)]
    pub fn answer<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome<BindingAnswer>>> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let places = Arc::clone(&self.places);
        promise(env, async move { outcome(answer(asked, places).await.map(BindingAnswer::new)) })
    }

    /// Ends it; what was found by then is the answer.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

async fn answer(asked: Option<Asked>, places: Arc<Semaphore>) -> Result<Box<dyn Answer>> {
    let twice = || OtlpError::new(Code::Internal, "a question is asked once");
    let Asked { telemetry, kind, words, options } = asked.ok_or_else(twice)?;
    let patience = telemetry.engine().limits().timeout;
    let patience = options.timeout.unwrap_or(patience).min(patience);
    let place = match napi::tokio::time::timeout(patience, places.acquire_owned()).await {
        Ok(place) => place,
        Err(_) => return Err(telemetry.engine().too_many()),
    };
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("otlp-arrow-ask".into()).spawn(move || {
        let answer = telemetry.ask_named(&kind, words, &options);
        drop(place);
        // Nobody waits for it where the program has ended.
        let _ = sender.send(answer);
    });
    thread.map_err(|error| OtlpError::with_source(Code::Unavailable, "a question has no thread", error))?;
    receiver
        .await
        .unwrap_or_else(|_| Err(OtlpError::new(Code::Internal, "a question ended in a panic: please report it")))
}

/// What a question is answered with.
#[napi]
pub struct BindingAnswer {
    answer: Arc<Mutex<Box<dyn Answer>>>,
}

impl BindingAnswer {
    fn new(answer: Box<dyn Answer>) -> Self {
        Self { answer: Arc::new(Mutex::new(answer)) }
    }

    fn with<'env, T, U>(
        &self,
        env: &'env Env,
        take: impl FnOnce(&dyn Answer) -> Result<T> + Send + 'static,
        make: impl FnOnce(T) -> U + Send + 'static,
    ) -> napi::Result<PromiseRaw<'env, Outcome<U>>>
    where
        T: Send + 'static,
        U: napi::bindgen_prelude::ToNapiValue + Send + 'static,
    {
        let answer = Arc::clone(&self.answer);
        promise(env, async move {
            let taken = blocking(move || take(&**answer.lock().unwrap_or_else(PoisonError::into_inner)));
            outcome(taken.await.map(make))
        })
    }
}

#[napi]
impl BindingAnswer {
    /// Its values as JSON, in which 64-bit integers are marked texts.
    #[napi(catch_unwind)]
    pub fn values<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome<String>>> {
        self.with(env, |answer| answer.render(Form::Marked), |json| json)
    }

    /// Its table.
    #[napi(catch_unwind)]
    pub fn table<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome<BindingReader>>> {
        let read = |answer: &dyn Answer| {
            let table = answer.table()?;
            let schema = table.schema();
            BindingReader::new(Box::new(std::iter::once(Ok(table))), &schema)
        };
        self.with(env, read, |reader| reader)
    }
}
