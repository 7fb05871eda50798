//! A server with a service that repeats what it is told, by a clock that is moved by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};
use http_body::Frame;
use otlp_arrow_base::clock::ManualClock;
use otlp_arrow_base::stats::Stats;
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{
    Answer, Answering, Limits, Listener, Messages, Refusal, Request, Route, Router, Server, Service, accept, answer,
};
use otlp_arrow_store::budget::Budget;
pub(crate) use otlp_arrow_testkit::http::*;
use otlp_arrow_wire::Signal;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

pub(crate) const UNARY: &str = "/test.Echo/Unary";
pub(crate) const STREAM: &str = "/test.Echo/Stream";
/// How long a message of a stream may take that has begun.
pub(crate) const EACH: Duration = Duration::from_secs(20);
const MAX_BODY: usize = 1 << 20;

/// Repeats.
pub(crate) struct Echo {
    pub(crate) budget: Arc<Budget>,
    /// Requests to `/hang`, which are never answered.
    pub(crate) hanging: AtomicUsize,
    /// Ends `/hang` and lets `/events` tell of the next one.
    pub(crate) next: watch::Sender<usize>,
}

impl Echo {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            budget: Arc::new(Budget::new(8 << 20)),
            hanging: AtomicUsize::new(0),
            next: watch::Sender::new(0),
        })
    }

    async fn answer(&self, request: &mut Request, identity: &Identity) -> Result<Response<Answer>, Refusal> {
        let mut reservation = self.budget.reserve(Signal::Logs, request.weight())?;
        let encoding = request.message_encoding()?;
        match request.head.uri.path() {
            UNARY => {
                let (message, _) = Messages::new(&mut request.body, encoding, MAX_BODY).one(reservation).await?;
                Ok(answer::grpc(&message))
            }
            STREAM => Ok(self.stream(request, encoding)),
            "/peer" => Ok(answer::plain(200, "text/plain", identity.peer().to_string())),
            "/events" => Ok(self.events()),
            "/hang" => {
                self.hanging.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            }
            path if path.starts_with("/pages/") => Ok(answer::plain(200, "text/plain", path.to_owned())),
            _ => {
                let body = request.body.complete(MAX_BODY, &mut reservation).await?;
                Ok(answer::plain(200, "text/plain", body))
            }
        }
    }

    /// Answers each message with itself, and what ends the messages with trailers.
    fn stream(&self, request: &mut Request, encoding: Option<Encoding>) -> Response<Answer> {
        let mut messages = Messages::stream(request.body.take(), encoding, MAX_BODY, EACH);
        let (frames, answers) = mpsc::channel(1);
        let budget = Arc::clone(&self.budget);
        tokio::spawn(async move {
            let ended = loop {
                let next = match budget.reserve(Signal::Logs, 0) {
                    Ok(reservation) => messages.next(reservation).await,
                    Err(error) => Err(error.into()),
                };
                match next {
                    Ok(Some((message, reservation))) => {
                        assert!(reservation.bytes() >= message.len(), "what is kept is reserved");
                        if frames.send(Frame::data(answer::grpc_frame(&message))).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => break answer::grpc_trailers(0, ""),
                    Err(refusal) => break answer::grpc_trailers(refusal.status().grpc, refusal.message()),
                }
            };
            let _ = frames.send(Frame::trailers(ended)).await;
        });
        answer::grpc_stream(answers)
    }

    fn events(&self) -> Response<Answer> {
        let (frames, answers) = mpsc::channel(1);
        let mut next = self.next.subscribe();
        tokio::spawn(async move {
            loop {
                let event = format!("data: {}\n\n", *next.borrow_and_update());
                if frames.send(Frame::data(Bytes::from(event))).await.is_err() || next.changed().await.is_err() {
                    return;
                }
            }
        });
        let mut response = Response::new(Answer::Frames(answers));
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
        response
    }
}

impl Service for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn routes(&self) -> Vec<Route> {
        vec![
            Route::unary(UNARY),
            Route::stream(STREAM),
            Route::post("/echo"),
            Route::post("/hang"),
            Route::get("/peer"),
            Route::get("/events"),
            Route::get("/pages/").and_below(),
        ]
    }

    fn usage(&self) -> Option<&'static str> {
        Some("POST /echo")
    }

    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a> {
        Box::pin(self.answer(request, identity))
    }
}

pub(crate) const LIMITS: Limits =
    Limits { max_connections: 1024, max_streams: 128, header_bytes: 16 << 10, timeout: Duration::from_secs(30) };

/// A server that listens, on threads of its own.
pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    pub(crate) echo: Arc<Echo>,
    pub(crate) clock: ManualClock,
    pub(crate) server: Arc<Server>,
    runtime: Option<Runtime>,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        Self::start_with(LIMITS, |_| {})
    }

    pub(crate) fn start_with(limits: Limits, mount: impl FnOnce(&mut Router)) -> Self {
        let (echo, clock) = (Echo::new(), ManualClock::new());
        let mut router = Router::new(limits, clock.clock(), Arc::new(Stats::default()));
        router.mount(Arc::clone(&echo) as _, true).unwrap();
        mount(&mut router);
        let server = Arc::new(Server::new(router, watch::Sender::new(false)));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let guard = runtime.enter();
        let listener = Listener::bind("listen", ([127, 0, 0, 1], 0).into()).unwrap();
        drop(guard);
        let address = listener.address().unwrap();
        runtime.spawn(accept(listener, Arc::clone(&server)));
        Self { address, echo, clock, server, runtime: Some(runtime) }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// Lets so much time pass, in steps that everything that waits can take.
    pub(crate) fn wait(&self, time: Duration) {
        const STEPS: u32 = 20;
        for _ in 0..STEPS {
            self.clock.advance(time / STEPS);
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// What comes of `work` while time passes by the hour.
    pub(crate) fn while_time_flies<T>(&self, work: impl FnOnce() -> T) -> T {
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let clock = self.clock.clone();
        let flying = std::thread::spawn(move || {
            while is_done.recv_timeout(Duration::from_millis(1)).is_err_and(|error| error.to_string().contains("timed"))
            {
                clock.advance(Duration::from_secs(1));
            }
        });
        let outcome = work();
        drop(done);
        flying.join().unwrap();
        outcome
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
