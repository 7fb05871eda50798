//! OTAP, the OTel-Arrow protocol: rows go out as Arrow over streams that stay open, or by OTLP where the server has none.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::otap::encode::{Encoder, Loss, Lost, Options};
use otlp_arrow_net::client::Failure;
use otlp_arrow_wire::{grpc, otap};
use tokio::sync::RwLock;

use super::answer::{Answer, Class, RecordAnswer};
use super::destination::{Destination, Notice, Sending, Server};
use super::http::{Answers, HttpSender, server, url};
use super::kind::{DestinationKind, Kind, Spec, Target};
use super::otap_stream::{End, Form, Outcome, Sent, Stream};
use super::otlp_grpc::{OtlpGrpc, Statuses};
use super::otlp_status;
use super::request::{Content, Request, Takes};
use super::settings::DestinationConfig;
use crate::error::{Code, OtlpError, Result};
use crate::key::{Key, Kind as KeyKind};
use crate::stats::PerSignal;

/// The kind.
pub(super) const KIND: Kind = Kind::new(&OtapKind);

static SPEC: Spec = Spec {
    keys: &KEYS,
    // Buffers are compressed one by one: once more costs time and saves little.
    defaults: &[("compression", "none")],
    ..Spec::new(
        "otap",
        "OTAP, which is Arrow over gRPC; OTLP/gRPC where the server has no OTAP",
        Takes::Rows,
        Target::Url { port: None, example: "http://collector:4317" },
    )
};

static KEYS: [Key; 5] = [
    Key::new(
        "payload_compression",
        KeyKind::choice(&[("zstd", "each buffer as a zstd frame"), ("none", "buffers as they are")]),
        "zstd",
        "compression within the Arrow data; `compression` is that of whole messages",
    ),
    Key::new(
        "stream_lifetime",
        KeyKind::Duration("1s", "1h"),
        "30s",
        "how long batches are sent on one stream before another one begins, which load balancers see",
    ),
    Key::new(
        "max_message",
        KeyKind::Size("64KiB", "64MiB"),
        "4MiB",
        "largest message before compression, as the server takes it (a Collector 4MiB); larger batches are split",
    ),
    Key::new(
        "metric_metadata",
        KeyKind::Flag,
        "false",
        "whether metadata of metrics is sent: a Collector refuses batches with it",
    ),
    Key::new(
        "fallback",
        KeyKind::Flag,
        "true",
        "whether OTLP/gRPC is used until the next start where the server has no OTAP; the event forward_downgraded tells",
    ),
];

/// Streams of one signal that are open at once: one for each way that records came.
const MOST_STREAMS: usize = 8;

#[derive(Debug)]
struct OtapKind;

impl DestinationKind for OtapKind {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn open(&self, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(Otap::open(config)?))
    }
}

#[derive(Debug)]
struct Otap {
    sender: HttpSender,
    urls: PerSignal<Uri>,
    headers: HeaderMap,
    options: Options,
    form: Form,
    timeout: Duration,
    lifetime: Duration,
    max_in_flight: usize,
    clock: Clock,
    signals: PerSignal<OfSignal>,
    /// None where OTLP is not wanted.
    otlp: Option<OtlpGrpc>,
    notices: Mutex<Vec<Notice>>,
}

#[derive(Debug, Default)]
struct OfSignal {
    /// By the recorders that what is sent on them came through.
    streams: Mutex<Vec<(Hops, Arc<Stream>)>>,
    /// The server has no OTAP.
    unsupported: AtomicBool,
    /// So many of the next requests may be what a stream was ended for: each is sent alone, so that it shows.
    suspects: AtomicUsize,
    alone: RwLock<()>,
}

impl Otap {
    fn open(config: &DestinationConfig) -> Result<Self> {
        let option = |key: &str| config.options.count(key).map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let urls = PerSignal::try_from_fn(|signal| {
            let endpoint = config.signal_endpoints[signal].as_deref().unwrap_or(&config.endpoint);
            url(config, endpoint, |_| otap::path(signal).to_owned())
        })?;
        let sender = HttpSender::new(config, urls.values(), HeaderMap::new(), true)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(grpc::CONTENT_TYPE));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let compression = sender.compression();
        if let Some(encoding) = compression {
            headers.insert(HeaderName::from_static(grpc::ENCODING), HeaderValue::from_static(encoding.name()));
        }
        let zstd = config.options.text("payload_compression") != Some("none");
        let metric_metadata = config.options.flag("metric_metadata");
        // A program that makes its settings itself may leave them out.
        let fallback = config.options.get("fallback").is_none() || config.options.flag("fallback");
        Ok(Self {
            urls,
            headers,
            options: Options { zstd: zstd.then_some(1), metric_metadata },
            form: Form { most: option("max_message").unwrap_or(4 << 20), compression },
            timeout: config.timeout,
            lifetime: config.options.duration("stream_lifetime").unwrap_or(Duration::from_secs(30)),
            max_in_flight: config.max_in_flight,
            clock: Clock::system(),
            signals: PerSignal::default(),
            otlp: fallback.then(|| OtlpGrpc::open(config)).transpose()?,
            notices: Mutex::default(),
            sender,
        })
    }

    /// A stream for what came through `hops`.
    fn stream(&self, signal: Signal, hops: &Hops) -> Arc<Stream> {
        let now = self.clock.now();
        let mut streams = self.signals[signal].streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|(_, stream)| {
            let usable = stream.is_usable(self.lifetime, now);
            if !usable {
                stream.retire();
            }
            usable
        });
        if let Some((_, stream)) = streams.iter().find(|(of, _)| of == hops) {
            return Arc::clone(stream);
        }
        if streams.len() >= MOST_STREAMS {
            streams.remove(0).1.retire();
        }
        let mut headers = self.headers.clone();
        if !hops.is_empty()
            && let Ok(value) = HeaderValue::from_str(&hops.to_string())
        {
            headers.insert(HeaderName::from_static(Hops::HEADER), value);
        }
        let call = self.sender.call(&self.urls[signal], headers);
        let stream =
            Arc::new(Stream::begin(Encoder::new(signal, &self.options), call, [self.lifetime, self.timeout], now));
        streams.push((hops.clone(), Arc::clone(&stream)));
        stream
    }

    async fn deliver(&self, request: Request) -> Answer {
        let of = &self.signals[request.signal];
        if !of.unsupported.load(Ordering::Acquire) {
            let answer = self.deliver_as_arrow(&request).await;
            if !of.unsupported.load(Ordering::Acquire) {
                return answer;
            }
        }
        let Some(otlp) = &self.otlp else {
            return Answer::new(Class::Destination, self.no_otap("set forward.otap.fallback, or protocol: otlp_grpc"));
        };
        let (signal, records) = (request.signal, request.records);
        let answer = otlp.send(request).await;
        if matches!(answer.class, Class::Delivered { .. }) {
            self.notice(signal, "sent_as_otlp", records, None);
        }
        answer
    }

    async fn deliver_as_arrow(&self, request: &Request) -> Answer {
        let rows = match &request.content {
            Content::Rows(rows) => rows.clone(),
            Content::Otlp(_) => return Answer::new(Class::Destination, "rows are needed, and this is OTLP"),
        };
        let of = &self.signals[request.signal];
        let suspected = of.suspects.load(Ordering::Acquire) > 0;
        let (_alone, _beside) = match suspected {
            true => (Some(of.alone.write().await), None),
            false => (None, Some(of.alone.read().await)),
        };
        let mut answers = Vec::new();
        let mut todo: Vec<Range<usize>> = std::iter::once(0..rows.num_rows()).collect();
        while !todo.is_empty() && !of.unsupported.load(Ordering::Acquire) {
            let stream = self.stream(request.signal, &request.hops);
            let batches = if suspected { 1 } else { usize::MAX };
            match tokio::time::timeout(self.timeout, self.on(&stream, &rows, &mut todo, batches)).await {
                Ok(Ok(sent)) => {
                    for (sent, outcome) in sent {
                        let answer = self.judge(request.signal, &stream, &sent, outcome);
                        answers.push((sent.rows, answer));
                    }
                    // What fails for a reason of the server's is not tried with the rest.
                    let fails =
                        |class: &Class| matches!(class, Class::Passing { .. } | Class::Destination | Class::Loop);
                    if let Some(answer) = answers.iter().map(|(_, answer)| answer).find(|answer| fails(&answer.class)) {
                        let answer = answer.clone();
                        answers.extend(todo.drain(..).map(|rows| (rows, answer.clone())));
                    }
                }
                Ok(Err(error)) => return Answer::new(Class::Destination, error.to_string()),
                Err(_) => {
                    // It may be dead without anybody having said so.
                    stream.abandon();
                    let text = "no answer within the time: raise forward.timeout if the destination is only slow";
                    return Answer::passing(format!("{text} ({:?})", self.timeout));
                }
            }
        }
        if suspected {
            let _ = of.suspects.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| count.checked_sub(1));
        }
        combined(answers)
    }

    /// Sends on a stream, and waits for what becomes of it.
    async fn on(
        &self,
        stream: &Arc<Stream>,
        rows: &RecordBatch,
        todo: &mut Vec<Range<usize>>,
        batches: usize,
    ) -> Result<Vec<(Sent, Option<Outcome>)>> {
        let (on, rows, form, mut left) = (Arc::clone(stream), rows.clone(), self.form, todo.clone());
        // Encoding takes its time, and a peer that does not read blocks.
        let work = tokio::task::spawn_blocking(move || (on.send(&rows, &mut left, batches, form), left));
        let (sent, left) = work
            .await
            .map_err(|error| OtlpError::new(Code::Internal, format!("encoding ended by a defect: {error}")))?;
        *todo = left;
        let mut outcomes = Vec::new();
        for mut sent in sent? {
            let outcome = match sent.outcome.take() {
                Some(outcome) => Some(outcome.await.unwrap_or(Outcome::Ended(Arc::new(End::Abandoned), false))),
                None => None,
            };
            outcomes.push((sent, outcome));
        }
        Ok(outcomes)
    }

    /// What an outcome means for the rows.
    fn judge(&self, signal: Signal, stream: &Stream, sent: &Sent, outcome: Option<Outcome>) -> Answer {
        let (end, alone) = match outcome {
            None => {
                let most = self.form.most;
                return Answer::new(Class::TooLarge, format!("it does not fit into a message of {most} bytes"));
            }
            Some(Outcome::Answered(status)) => {
                // After other statuses a server may end the stream.
                if !matches!(status.code, 0 | 3 | 8 | 14) {
                    stream.retire();
                }
                let class = otlp_status::grpc(status.code, None);
                if matches!(class, Class::Delivered { .. }) {
                    self.count(signal, &sent.lost);
                    return Answer::delivered();
                }
                if class == Class::Destination {
                    self.sender.doubt();
                }
                let said = self.sender.masked(status.message);
                return Answer::new(class, format!("OTAP {}: {said}", status.code));
            }
            Some(Outcome::Ended(end, alone)) => (end, alone),
        };
        match &*end {
            End::Loop(words) => Answer::new(Class::Loop, words.clone()),
            End::Failed(failure) => self.of_failure(failure),
            End::Broken(text) => Answer::passing(*text),
            End::Abandoned => Answer::passing("the stream was given up"),
            End::Http(status, true) if status.is_success() => Answer::passing("the stream broke off"),
            End::Http(status, _) if status.as_u16() == 404 => self.unsupported(signal, "HTTP 404"),
            End::Http(status, _) => {
                let class = match Statuses.of_status(*status) {
                    Class::Passing { after } => Class::Passing { after },
                    _ => Class::Destination,
                };
                Answer::new(class, format!("HTTP {} without grpc-status", status.as_u16()))
            }
            End::Status(status) => {
                let said = self.sender.masked(status.message.clone());
                let text = format!("the stream ended with gRPC {}: {said}", status.code);
                match otlp_status::grpc(status.code, status.retry_after) {
                    _ if status.code == 12 => self.unsupported(signal, &text),
                    Class::Delivered { .. } => Answer::passing("the server ended the stream before it answered"),
                    // Ended for what a batch is, and it was this one.
                    class @ (Class::Data | Class::TooLarge) if alone => Answer::new(class, text),
                    Class::Data | Class::TooLarge => {
                        self.signals[signal].suspects.fetch_max(self.max_in_flight, Ordering::AcqRel);
                        Answer::passing(text)
                    }
                    class => {
                        self.sender.doubt();
                        Answer::new(class, text)
                    }
                }
            }
        }
    }

    fn of_failure(&self, failure: &Failure) -> Answer {
        let again = match failure {
            Failure::Settings(text) => Failure::Settings(text.clone()),
            Failure::Connection(text) => Failure::Connection(text.clone()),
            Failure::Timeout { connected } => Failure::Timeout { connected: *connected },
            Failure::TooLong(status) => Failure::TooLong(*status),
            Failure::Interrupted(status, text) => Failure::Interrupted(*status, text.clone()),
        };
        self.sender.failed(again, &Statuses)
    }

    /// The server has no OTAP: what is left goes by OTLP, where that is wanted.
    fn unsupported(&self, signal: Signal, text: &str) -> Answer {
        if !self.signals[signal].unsupported.swap(true, Ordering::AcqRel) && self.otlp.is_some() {
            let text = self.no_otap(&format!("{signal} go by OTLP/gRPC until the next start ({text})"));
            self.notice(signal, "sent_as_otlp", 0, Some(text));
        }
        Answer::new(Class::Destination, self.no_otap(text))
    }

    fn no_otap(&self, more: &str) -> String {
        format!("{} has no OTAP: {more}", self.urls[Signal::Logs].authority().map_or("the server", |at| at.as_str()))
    }

    fn count(&self, signal: Signal, lost: &Lost) {
        for loss in Loss::ALL.into_iter().filter(|loss| lost.of(*loss) > 0) {
            self.notice(signal, loss.as_str(), lost.of(loss), None);
        }
    }

    fn notice(&self, signal: Signal, reason: &'static str, records: u64, event: Option<String>) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&mut Notice| known.signal == signal && known.reason == reason && event.is_none();
        match notices.iter_mut().find(same) {
            Some(known) => known.records += records,
            None => notices.push(Notice { signal, reason, records, event }),
        }
    }
}

/// One answer of those to parts of a request.
fn combined(mut answers: Vec<(Range<usize>, Answer)>) -> Answer {
    let Some((_, first)) = answers.first() else { return Answer::passing("nothing was sent") };
    if answers.iter().all(|(_, answer)| answer.class == first.class)
        && (answers.len() == 1 || first.class != Class::TooLarge)
    {
        return answers.swap_remove(0).1;
    }
    let record = |record: usize, answer: &Answer| RecordAnswer {
        record: record as u64,
        class: answer.class.clone(),
        message: answer.message.clone(),
    };
    let failed = answers.iter().filter(|(_, answer)| !matches!(answer.class, Class::Delivered { .. }));
    let records = failed.flat_map(|(rows, answer)| rows.clone().map(move |row| record(row, answer))).collect();
    Answer { records, ..Answer::delivered() }
}

impl Destination for Otap {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(self.deliver(request))
    }

    fn server(&self, signal: Signal) -> Option<Server> {
        Some(server(&self.urls[signal]))
    }

    fn renewed(&self) -> bool {
        self.sender.renewed()
    }

    fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
