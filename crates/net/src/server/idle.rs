//! How long a connection waits for the rest of a request's head, whether it is used at all, and whether for anything.
//!
//! hyper's own timer for it also ends connections on which nothing has begun. SDKs export metrics every thirty seconds
//! or every minute over one connection, and an export that is sent while the server closes it is lost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::frames::{GOAWAY, Heads, Received};

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    now: AtomicUsize,
    begun: AtomicUsize,
    /// Answers that are still being sent, as streams are, and what was sent of them.
    streams: AtomicUsize,
    moved: AtomicUsize,
}

/// What [`Activity::quiet`] compares with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    begun: usize,
    moved: usize,
}

/// An answer that is still being sent.
pub(super) struct OpenStream(Arc<Activity>);

impl OpenStream {
    /// Something of it was sent.
    pub(super) fn moved(&self) {
        self.0.moved.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that is being answered.
pub(super) struct Answering(Arc<Activity>);

impl Activity {
    pub(super) fn enter(activity: &Arc<Self>) -> Answering {
        activity.now.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(activity))
    }

    pub(super) fn stream(activity: &Arc<Self>) -> OpenStream {
        activity.streams.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(activity))
    }

    /// Whether some answer is still being sent.
    pub(super) fn streams(&self) -> bool {
        self.streams.load(Ordering::Relaxed) > 0
    }

    /// Whether no request is being answered, and nothing has begun or was sent since the last call.
    pub(super) fn quiet(&self, seen: &mut Seen) -> bool {
        let now = Seen { begun: self.begun.load(Ordering::Relaxed), moved: self.moved.load(Ordering::Relaxed) };
        let quiet = self.now.load(Ordering::Relaxed) == 0 && now == *seen;
        *seen = now;
        quiet
    }
}

impl Answering {
    /// What it is part of.
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that fails when a request's head, once begun, takes too long to arrive. HTTP/2 has limits of its own there; of
/// it the stream fails when its frames carry nothing.
pub(super) struct IdleTimeouts<S> {
    stream: S,
    activity: Arc<Activity>,
    clock: Clock,
    most: Duration,
    /// How many bytes of the preface have come; none once something else came.
    preface: Option<usize>,
    /// Of HTTP/2: what arrives, and where what is sent stands.
    frames: Option<(Received, Heads)>,
    /// When the head that is arriving must be complete, and how many requests had begun before it.
    head: Option<(Instant, usize)>,
    /// Made when a head does not come in one piece, as nearly all do; and the moment it is for.
    timer: Option<(Pin<Box<Sleep>>, Instant)>,
}

impl<S> IdleTimeouts<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, clock: Clock, most: Duration) -> Self {
        Self { stream, activity, clock, most, preface: Some(0), frames: None, head: None, timer: None }
    }

    fn is_http2(&self) -> bool {
        self.preface == Some(PREFACE.len())
    }

    /// Takes note of what has arrived; false when it is a flood of frames that carry nothing.
    fn arrived(&mut self, mut bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        if self.frames.is_none() {
            let before = self.preface.unwrap_or_default();
            self.preface = self.preface.and_then(|at| {
                let wanted = &PREFACE[at..];
                let both = wanted.len().min(bytes.len());
                (wanted[..both] == bytes[..both]).then_some(at + both)
            });
            if self.is_http2() {
                bytes = &bytes[PREFACE.len() - before..];
                self.frames = Some((Received::new(self.clock.now()), Heads::default()));
            }
        }
        if let Some((received, _)) = &mut self.frames {
            self.head = None;
            return received.pass(bytes, &self.clock);
        }
        let begun = self.activity.begun.load(Ordering::Relaxed);
        let is_head = self.activity.now.load(Ordering::Relaxed) == 0;
        match &self.head {
            _ if !is_head => self.head = None,
            Some((_, before)) if *before == begun => {}
            _ => self.head = Some((self.clock.now() + self.most, begun)),
        }
        true
    }

    /// Takes note of what was sent.
    fn sent(&mut self, bytes: &[u8]) {
        if let Some((received, heads)) = &mut self.frames {
            received.answered(bytes.len());
            heads.pass(bytes);
        }
    }

    /// Whether the head that is arriving took too long; if not, and nothing else wakes the task, it is woken then.
    fn is_late(&mut self, cx: &mut Context<'_>, waits: bool) -> bool {
        let Some((until, _)) = self.head.filter(|(_, before)| *before == self.activity.begun.load(Ordering::Relaxed))
        else {
            self.head = None;
            return false;
        };
        let left = self.clock.left(until);
        if !waits || left.is_zero() {
            return left.is_zero();
        }
        let (timer, moment) =
            self.timer.get_or_insert_with(|| (Box::pin(tokio::time::sleep(self.clock.slice(left))), until));
        if *moment != until {
            *moment = until;
            timer.as_mut().reset(tokio::time::Instant::now() + self.clock.slice(left));
        }
        while timer.as_mut().poll(cx).is_ready() {
            let left = self.clock.left(until);
            if left.is_zero() {
                return true;
            }
            timer.as_mut().reset(tokio::time::Instant::now() + self.clock.slice(left));
        }
        false
    }
}

impl<S: AsyncWrite + Unpin> IdleTimeouts<S> {
    /// Says goodbye if that is possible at once, in words that HTTP/2 has for it.
    #[cold]
    fn leave(&mut self, cx: &mut Context<'_>) -> io::Error {
        if self.frames.as_ref().is_some_and(|(_, heads)| heads.is_between()) {
            let _ = Pin::new(&mut self.stream).poll_write(cx, &GOAWAY);
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
        tracing::warn!("a connection was closed: it sent thousands of HTTP/2 frames that carry nothing");
        io::Error::other("a flood of HTTP/2 frames that carry nothing")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for IdleTimeouts<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_ready() && !this.arrived(&buf.filled()[before..]) {
            return Poll::Ready(Err(this.leave(cx)));
        }
        // One that sends a byte now and then is late as well.
        if this.is_late(cx, read.is_pending()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for IdleTimeouts<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            self.sent(&buf[..count]);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(mut count)) = written {
            for buf in bufs {
                let part = count.min(buf.len());
                self.sent(&buf[..part]);
                count -= part;
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
