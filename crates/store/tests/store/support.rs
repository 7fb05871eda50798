//! What the tests share: opening a store, appending numbered log records, hearing of events.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use otlp_arrow_base::Result;
use otlp_arrow_base::clock::ManualClock;
use otlp_arrow_base::event::{Event, EventName, EventSink};
use otlp_arrow_columns::{BatchBuilder, Limits, Payload, Signal, check_batches};
use otlp_arrow_store::storage::Storage;
use otlp_arrow_store::storage_os::OsStorage;
use otlp_arrow_store::{ReadOptions, Request, Settings, Store};
pub(crate) use otlp_arrow_testkit::numbered::{logs, numbers};
pub(crate) use otlp_arrow_testkit::watch::{log_files, names, soon, until};

use crate::settings::settings;

pub(crate) fn config(dir: &Path) -> Settings {
    Settings { min_free_bytes: 1, ..settings(dir) }
}

/// Everything that was announced.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Event>>>);

impl Heard {
    pub(crate) fn sink(&self) -> EventSink {
        let heard = Arc::clone(&self.0);
        Arc::new(move |event| heard.lock().unwrap().push(event))
    }

    pub(crate) fn names(&self) -> Vec<EventName> {
        self.0.lock().unwrap().iter().map(|event| event.name).collect()
    }

    pub(crate) fn count(&self, name: EventName) -> usize {
        self.names().into_iter().filter(|other| *other == name).count()
    }

    pub(crate) fn records(&self, name: EventName) -> u64 {
        self.0.lock().unwrap().iter().filter(|event| event.name == name).filter_map(|event| event.count).sum()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|event| format!("{}: {}", event.name, event.message)).collect()
    }
}

pub(crate) fn open(settings: &Settings) -> Store {
    Store::open(settings.clone(), Arc::new(OsStorage), Arc::new(|_| ())).unwrap()
}

pub(crate) fn open_on(settings: &Settings, storage: Arc<dyn Storage>, heard: &Heard) -> Store {
    Store::open(settings.clone(), storage, heard.sink()).unwrap()
}

/// A store whose time passes when the test says so.
pub(crate) fn open_by(settings: &Settings, storage: Arc<dyn Storage>, heard: &Heard, manual: &ManualClock) -> Store {
    Store::start(settings.clone(), storage, heard.sink(), Arc::default(), manual.clock())
}

/// [`until`] the condition holds, a step of the clock after the other.
pub(crate) fn in_time(manual: &ManualClock, step: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || {
        manual.advance(step);
        condition()
    });
}

/// A request, one half of them as OTLP and the other as batches: what holds of the store must hold for both.
pub(crate) fn request(store: &Store, bytes: Bytes) -> Result<Request> {
    let checked = otlp_arrow_columns::check(Signal::Logs, &bytes, &Limits::default())?;
    let reservation = store.budget().reserve(Signal::Logs, bytes.len() + checked.arrow_bytes)?;
    if bytes.iter().fold(0, |all, byte| all ^ byte) & 1 == 0 {
        return Request::new(Payload::Otlp { signal: Signal::Logs, bytes, checked }, reservation);
    }
    let mut builder = BatchBuilder::new(Signal::Logs);
    builder.append(&bytes, &checked);
    let checked = check_batches(Signal::Logs, [builder.finish()], &Limits::default()).unwrap();
    Request::new(Payload::Batch(builder.store(&checked)), reservation)
}

/// Appends and waits for the acknowledgement.
pub(crate) fn put(store: &Store, ids: impl IntoIterator<Item = u64>) -> Result<()> {
    block_on(store.append(request(store, logs(ids))?))
}

/// The numbers of all committed log records, in the order of [`Store::read`].
pub(crate) fn ids(store: &Store) -> Vec<u64> {
    let mut found = Vec::new();
    for batch in store.read(Signal::Logs, &ReadOptions::default()).unwrap() {
        found.extend(numbers(&batch.unwrap()));
    }
    found
}
