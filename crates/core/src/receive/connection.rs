//! One connection: HTTP/1.1 or HTTP/2, its limits, and its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::patience::{Busy, Patience};
use super::router::{self, Shared};
use crate::config::Limits;

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

/// Every open connection.
pub(super) struct Connections {
    builder: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
    /// For a connection that is one of many.
    builder_for_many: auto::Builder<TokioExecutor>,
    /// How long the first byte of a connection, and the head of a request, may take.
    patience: Duration,
    open: watch::Sender<usize>,
}

/// A place among the open connections and listeners.
pub(super) struct Open(watch::Sender<usize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Self {
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
        Self {
            builder,
            builder_for_many,
            slots: Arc::new(Semaphore::new(limits.max_connections)),
            patience: limits.timeout,
            open: watch::Sender::new(0),
        }
    }

    fn open(&self) -> Open {
        self.open.send_modify(|open| *open += 1);
        Open(self.open.clone())
    }

    /// A place for a listener.
    pub(super) fn listener(&self) -> Open {
        self.open()
    }

    /// Waits until one more connection may be open.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Resolves when no listener and no connection is open.
    pub(super) async fn all_closed(&self) {
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Serves one connection in the background.
    pub(super) fn serve(&self, slot: Option<OwnedSemaphorePermit>, stream: TcpStream, shared: Arc<Shared>) {
        let _ = stream.set_nodelay(true);
        let open = self.open();
        let (patience, slots) = (self.patience, Arc::clone(&self.slots));
        let many = *self.open.borrow() > MANY;
        let builder = if many { self.builder_for_many.clone() } else { self.builder.clone() };
        tokio::spawn(async move {
            let _held = (slot, open);
            // Dropped before the line above is.
            let stream = stream;
            let busy = Arc::new(Busy::default());
            let mut stopped = shared.stopped.clone();
            // A client that connects and says nothing costs a socket, nothing else, and not for long.
            let mut byte = [0];
            tokio::select! {
                arrived = tokio::time::timeout(patience, stream.peek(&mut byte)) => {
                    if !matches!(arrived, Ok(Ok(1..))) {
                        return;
                    }
                }
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            let service = service_fn(|request| {
                let request_open = Busy::enter(&busy);
                let answer = router::answer(Arc::clone(&shared), request);
                async move {
                    let answer = answer.await;
                    drop(request_open);
                    answer
                }
            });
            let mut connection = pin!(
                builder.serve_connection(TokioIo::new(Patience::new(stream, Arc::clone(&busy), patience)), service)
            );
            let mut leaving = false;
            let mut seen = 0;
            let look = patience.min(IDLE);
            let mut quiet = Duration::ZERO;
            loop {
                tokio::select! {
                    _ = connection.as_mut() => return,
                    _ = stopped.wait_for(|stopped| *stopped), if !leaving => {
                        leaving = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    () = tokio::time::sleep(look) => {
                        quiet = if busy.quiet(&mut seen) { quiet + look } else { Duration::ZERO };
                        // Where others wait for its place, no idle connection keeps it for long.
                        let most = if slots.available_permits() == 0 { look } else { IDLE };
                        if quiet >= most {
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
        });
    }
}
