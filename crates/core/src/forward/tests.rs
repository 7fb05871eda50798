//! A worker from outside: by a clock that is moved by hand, and over a defect of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow_base::clock::ManualClock;
use otlp_arrow_columns::{Limits, Payload, Signal};
use prost::Message;

use super::*;
use crate::destinations::{
    Answer, Class, Content, Destination, DestinationKind, Kind, RecordAnswer, Request, Sending, Spec, Takes, Target,
};
use crate::event::Event;
use crate::stats::Stats;
use crate::store::storage_os::OsStorage;

const HOUR: Duration = Duration::from_secs(3600);

/// Answers what it was told to answer, then takes everything.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Bytes>>,
}

static SPEC: Spec = Spec::new("script", "for tests", Takes::Otlp, Target::OwnKeys);

impl DestinationKind for &'static Script {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn open(&self, _: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(*self))
    }
}

impl Destination for &'static Script {
    fn send(&self, request: Request) -> Sending<'_> {
        let Content::Otlp(bytes) = request.content else { panic!("not as it came") };
        self.asked.lock().unwrap().push(bytes);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.unwrap_or_else(Answer::delivered) })
    }
}

struct Recorder {
    clock: ManualClock,
    script: &'static Script,
    events: Arc<Mutex<Vec<Event>>>,
    store: Store,
    runtime: Runtime,
    forwarding: Forwarding,
    _dir: tempfile::TempDir,
}

impl Recorder {
    /// One destination that waits an hour before it is asked again; `event` sees what happens before anybody else.
    fn start(answers: &[Answer], event: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script: &'static Script = Box::leak(Box::default());
        script.answers.lock().unwrap().extend(answers.iter().cloned());
        let mut destination = DestinationConfig::of(Kind::new(Box::leak(Box::new(script))), "script", "");
        (destination.retry.initial, destination.retry.max) = (HOUR, HOUR);
        destination.breaker.strategy = crate::config::BreakerConfig::ConsecutiveFailures { failures: 1 };
        (destination.breaker.open, destination.breaker.max_open) = (HOUR, HOUR);
        let mut config = Config { output_dir: dir.path().to_owned(), forward: vec![destination], ..Config::default() };
        config.storage.min_free_bytes = 0;
        let (clock, events) = (ManualClock::new(), Arc::new(Mutex::new(Vec::new())));
        let told = Arc::clone(&events);
        let sink = Arc::new(move |happened: Event| {
            told.lock().unwrap().push(happened.clone());
            event(&happened);
        });
        let stats = Arc::new(Stats::default());
        let store = Store::start(config.store_settings(), Arc::new(OsStorage), sink, stats, clock.clock());
        let runtime = Runtime::new().unwrap();
        let forwarding = Forwarding::start(&config, &store, 7, &runtime).unwrap();
        Self { clock, script, events, store, runtime, forwarding, _dir: dir }
    }

    /// Records with the flags 0, 1, 2 …
    fn export(&self, records: u32) -> Bytes {
        let log_records = (0..records).map(|flags| LogRecord { flags, ..Default::default() }).collect();
        let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
        let bytes: Bytes = ExportLogsServiceRequest { resource_logs }.encode_to_vec().into();
        let checked = otlp_arrow_columns::check(Signal::Logs, &bytes, &Limits::default()).unwrap();
        let reservation = self.store.budget().reserve(Signal::Logs, bytes.len()).unwrap();
        let payload = Payload::Otlp { signal: Signal::Logs, bytes: bytes.clone(), checked };
        let hops = Default::default();
        let kept = self.store.append(crate::store::Request { payload, reservation, hops, urgent: false, key: None });
        otlp_arrow_base::wait::block_on(kept).unwrap();
        bytes
    }

    fn info(&self) -> ForwarderInfo {
        self.forwarding.forwarders()[0].info()
    }

    fn asked(&self) -> usize {
        self.script.asked.lock().unwrap().len()
    }

    fn delivered(&self) -> u64 {
        let labels = [("destination", "script"), ("signal", "logs")];
        self.store.stats().snapshot().total("otlp_arrow_forwarded_records_total", &labels)
    }

    fn events(&self, name: EventName) -> Vec<Event> {
        self.events.lock().unwrap().iter().filter(|event| event.name == name).cloned().collect()
    }

    fn end(self) {
        self.forwarding.drain_blocking(self.clock.clock().now() + HOUR, &self.runtime);
        self.store.close(Instant::now() + Duration::from_secs(20));
        assert_eq!(self.forwarding.end(), 0);
    }
}

fn flags(request: &[u8]) -> Vec<u32> {
    let request = ExportLogsServiceRequest::decode(request).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    scopes.flat_map(|scope| scope.log_records).map(|record| record.flags).collect()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come about");
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_waits_by_the_clock_it_is_given() {
    let recorder = Recorder::start(&[Answer::delivered(), Answer::passing("as scripted")], |_| {});
    recorder.export(1);
    wait_for("the first delivery", || recorder.delivered() == 1);
    // Else the next commit would wait for the interval, by a clock that stands still.
    recorder.clock.advance(Duration::from_secs(1));
    let sent = recorder.export(3);
    wait_for("the breaker", || recorder.info().state == crate::stats::BreakerState::Open);
    assert_eq!(recorder.asked(), 2);
    recorder.clock.advance(100 * Duration::from_secs(1));
    assert!(recorder.info().lag_seconds >= 100.0, "{:?}", recorder.info());
    wait_for("a lag of more than a minute", || !recorder.events(EventName::ForwardLagging).is_empty());
    assert_eq!(recorder.asked(), 2, "an hour is not over");
    recorder.clock.advance(2 * HOUR);
    wait_for("delivery", || recorder.delivered() == 4);
    assert_eq!(recorder.script.asked.lock().unwrap()[2], sent, "the same bytes again");
    recorder.clock.advance(Duration::from_secs(2));
    wait_for("recovery", || !recorder.events(EventName::ForwardRecovered).is_empty());
    recorder.end();
}

/// What refuses everything, and what fails before anything was answered, is not a verdict: it is asked again in a minute at most,
/// and everybody can see why meanwhile.
#[test]
fn nothing_is_a_verdict_before_it_lasts() {
    let unknown = || Answer::new(Class::Destination, "the name is not known");
    for answer in [unknown(), Answer::passing("nobody listens there")] {
        let recorder = Recorder::start(&[answer.clone(), answer.clone(), answer.clone()], |_| {});
        recorder.export(3);
        for asked in 1..=3 {
            wait_for("an attempt", || recorder.asked() == asked);
            wait_for("the breaker", || recorder.info().state == crate::stats::BreakerState::Open);
            let info = recorder.info();
            assert_eq!(
                (info.lag_records, info.rejected_requests, info.last_error),
                (3, 0, Some(answer.message.clone()))
            );
            recorder.clock.advance(Duration::from_secs(60));
        }
        wait_for("delivery", || recorder.delivered() == 3);
        let blocked = recorder.events(EventName::ForwardBlocked);
        assert_eq!(blocked.len(), usize::from(answer.class == Class::Destination));
        assert!(blocked.iter().all(|event| event.message.contains("the name is not known")));
        wait_for("recovery", || {
            recorder.clock.advance(Duration::from_secs(1));
            !recorder.info().troubled
        });
        recorder.end();
    }
}

/// The sink of events runs in the worker, so its panic is one of the worker.
#[test]
fn a_worker_that_panics_is_announced_and_sends_again_what_was_on_its_way() {
    let once = AtomicBool::new(false);
    let panics = move |event: &Event| {
        let opened = event.name == EventName::BreakerOpened;
        assert!(!opened || once.swap(true, Ordering::SeqCst), "a defect");
    };
    let recorder = Recorder::start(&[Answer::passing("as scripted")], panics);
    let sent = recorder.export(3);
    wait_for("the announcement", || !recorder.events(EventName::ForwardStalled).is_empty());
    let announced = recorder.events(EventName::ForwardStalled);
    assert!(announced[0].message.contains("ended by a defect") && announced[0].message.contains("a defect"));
    let info = recorder.info();
    assert!(info.troubled && info.last_error.unwrap().contains("ended by a defect"), "health shows it");
    assert_eq!((recorder.asked(), recorder.delivered()), (1, 0));
    recorder.clock.advance(Duration::from_secs(2));
    wait_for("delivery", || recorder.delivered() == 3);
    assert_eq!(*recorder.script.asked.lock().unwrap(), [sent.clone(), sent], "nothing is lost");
    wait_for("recovery", || {
        recorder.clock.advance(Duration::from_secs(1));
        !recorder.events(EventName::ForwardRecovered).is_empty()
    });
    assert!(!recorder.info().troubled);
    recorder.end();
}

#[test]
fn records_that_are_answered_on_their_own_go_their_own_ways() {
    let of = |record, class| RecordAnswer { record, class, message: format!("record {record}") };
    let busy = Class::Passing { after: None };
    let records = vec![of(1, busy.clone()), of(2, Class::Data), of(4, busy), of(5, Class::Delivered { rejected: 0 })];
    let recorder = Recorder::start(&[Answer { records, ..Answer::delivered() }], |_| {});
    recorder.export(7);
    wait_for("the first answer", || recorder.delivered() == 4 && recorder.info().rejected_requests == 1);
    let info = recorder.info();
    assert_eq!(
        (info.state, info.lag_records),
        (crate::stats::BreakerState::Closed, 7),
        "the cursor waits for the last of them"
    );
    assert_eq!(recorder.asked(), 1, "what is busy is not asked again at once");
    recorder.clock.advance(2 * HOUR);
    wait_for("the second answer", || recorder.info().lag_records == 0);
    assert_eq!(recorder.delivered(), 6);
    assert_eq!(flags(&recorder.script.asked.lock().unwrap()[1]), [1, 4], "only what was busy");
    let rejected = recorder.events(EventName::RecordsRejected);
    assert_eq!((rejected.len(), rejected[0].count), (1, Some(1)));
    assert!(rejected[0].message.contains("record 2"), "{}", rejected[0].message);
    recorder.end();
}
