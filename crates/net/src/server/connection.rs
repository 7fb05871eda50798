//! One connection: HTTP/1.1 or HTTP/2, its limits, and its end.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::idle::{Activity, IdleTimeouts, Seen};
use super::router::Router;
use super::sending::Sending;
use crate::identity::{Identity, Peer};
use crate::time::{sleep, until};

/// Bytes a client may send ahead of being read, for one stream and for one connection.
const STREAM_WINDOW: u32 = 512 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// The largest frame: a request that comes in one is handed on without a copy. It takes no more than the window allows.
const FRAME: u32 = STREAM_WINDOW;
/// SDKs export metrics once a minute over one connection; a connection is idle after several of these.
const IDLE: Duration = Duration::from_secs(300);
/// How often a quiet HTTP/2 connection is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(60);
const PONG: Duration = Duration::from_secs(20);
/// HTTP/1.1 bodies are read in pieces of this size, into a buffer that takes up to twice as much.
const BUFFER: usize = 64 << 10;
/// With more connections than this open, further ones get a buffer as small as this, and an eighth of the streams: what
/// all of them together may send before anything is reserved stays within bounds.
const MANY: usize = 128;
const SMALL_BUFFER: usize = 16 << 10;
const FEWER_STREAMS: u32 = 8;

/// A router and every connection that is open to it. Streams of any kind are served alike.
pub struct Server {
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
    /// For a connection that is one of many.
    builder_for_many: auto::Builder<TokioExecutor>,
    open: watch::Sender<usize>,
    stop: watch::Sender<bool>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("router", &self.router).finish_non_exhaustive()
    }
}

/// Counted among the open connections and listeners as long as it is there.
pub(super) struct Open(watch::Sender<usize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// A place among the connections that may be open.
#[derive(Debug)]
pub struct Place {
    _slot: Option<OwnedSemaphorePermit>,
}

/// A connection that is open, and counted as such.
pub struct Connection {
    server: Arc<Server>,
    _open: Open,
    _place: Place,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Server {
    /// Answers with `router` within its limits, until `stop` is true.
    pub fn new(router: Router, stop: watch::Sender<bool>) -> Self {
        let limits = router.limits();
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(BUFFER.max(limits.header_bytes as usize));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_streams)
            .max_header_list_size(limits.header_bytes)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG);
        let mut builder_for_many = builder.clone();
        builder_for_many.http1().max_buf_size(SMALL_BUFFER.max(limits.header_bytes as usize));
        let streams = (limits.max_streams / FEWER_STREAMS).max(FEWER_STREAMS).min(limits.max_streams);
        builder_for_many.http2().max_concurrent_streams(streams);
        let slots = Arc::new(Semaphore::new(limits.max_connections));
        Self { builder, builder_for_many, slots, open: watch::Sender::new(0), stop, router }
    }

    /// Counts whoever holds it among what must be gone before everything is closed.
    pub(super) fn open(&self) -> Open {
        self.open.send_modify(|open| *open += 1);
        Open(self.open.clone())
    }

    /// Waits until one more connection may be open.
    pub async fn place(&self) -> Place {
        Place { _slot: Arc::clone(&self.slots).acquire_owned().await.ok() }
    }

    /// Opens a connection: the server is not closed before it has ended.
    pub fn connection(self: &Arc<Self>, place: Place) -> Connection {
        Connection { server: Arc::clone(self), _open: self.open(), _place: place }
    }

    /// Resolves when the server is to stop.
    pub(super) async fn stopped(&self) {
        let _ = self.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// What comes of `work` within the time that the first byte of a connection, and the head of a request, may take;
    /// None if it takes longer, or the server stops.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let deadline = self.router.clock().now() + self.router.limits().timeout;
        tokio::select! {
            done = until(self.router.clock(), Some(deadline), work) => done,
            () = self.stopped() => None,
        }
    }

    /// Stops accepting, and says so to clients: requests that are on their way are finished.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until no listener and no connection is open, for at most `patience`. True if none is.
    pub async fn closed(&self, patience: Duration) -> bool {
        let mut open = self.open.subscribe();
        let deadline = self.router.clock().now().checked_add(patience);
        until(self.router.clock(), deadline, open.wait_for(|open| *open == 0)).await.is_some()
    }
}

impl Connection {
    /// What it is a connection to.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Serves it to its end: HTTP/1.1 or HTTP/2, whichever `stream` begins with.
    pub async fn serve<S>(self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let identity = Identity::anonymous(peer);
        let server = &self.server;
        let (clock, timeout) = (server.router.clock(), server.router.limits().timeout);
        let activity = Arc::new(Activity::default());
        let service = service_fn(|request| {
            let answering = Activity::enter(&activity);
            let (server, identity) = (Arc::clone(server), identity.clone());
            async move {
                let answer = server.router.answer(request, &identity).await;
                Ok::<_, Infallible>(answer.map(|answer| Sending::new(answer, answering.activity())))
            }
        });
        let many = *server.open.borrow() > MANY;
        let builder = if many { server.builder_for_many.clone() } else { server.builder.clone() };
        // Dropped before `self` is: the server is closed once the stream is.
        let stream = IdleTimeouts::new(stream, Arc::clone(&activity), clock.clone(), timeout);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut stopped = server.stop.subscribe();
        let mut leaving = false;
        let mut seen = Seen::default();
        let look = timeout.min(IDLE);
        let mut quiet = Duration::ZERO;
        loop {
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = stopped.wait_for(|stopped| *stopped), if !leaving => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep(clock, look) => {
                    quiet = if activity.quiet(&mut seen) { quiet + look } else { Duration::ZERO };
                    // Where others wait for its place, no quiet connection keeps it for long.
                    let wanted = server.slots.available_permits() == 0;
                    if quiet >= IDLE && !activity.streams() || wanted && quiet >= look {
                        // The first time it is asked to leave, the second time it is made to.
                        if leaving {
                            return;
                        }
                        leaving = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}
