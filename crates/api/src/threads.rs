//! Answers on threads of their own, which give way to those that record: so many at once, so many that wait, and none that blocks
//! the threads that sockets are served by.

use std::io::{self, BufWriter, IntoInnerError, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_net::encoding::{Encoding, Packer};
use otlp_arrow_net::server::Answer;
use otlp_arrow_net::time::until;
use otlp_arrow_query::scan::{Cancel, give_way};
use otlp_arrow_query::{Held, Telemetry};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::body::{PIECE, Piece, pieces};

/// Questions that wait, are answered, or whose answers are being sent.
const IN_HAND: usize = 128;
/// Up to so many bytes an answer is made before it is sent: then it has a length, and a mark by which it is known again.
const WHOLE: usize = 1 << 20;
/// Bytes that are compressed at once.
const BUFFER: usize = 16 << 10;
/// An answer up to this size is handed over at once.
const SMALL: usize = 16 << 10;

/// See the module.
pub(crate) struct Threads {
    in_hand: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    /// The longest that a question may wait for its turn.
    timeout: Duration,
    /// The longest that a client may take for one piece of an answer.
    patience: Duration,
    clock: Clock,
    stopped: watch::Receiver<bool>,
}

/// An answer that is made.
pub(crate) enum Made {
    /// All of it.
    Whole(Vec<u8>),
    /// Its beginning, while the rest is made as it is sent.
    Begun(Answer),
}

/// What an answer is written to. It is sent as it is written once it has more than [`WHOLE`] bytes.
pub(crate) struct Out {
    buffer: Vec<u8>,
    first: Option<oneshot::Sender<Result<Made>>>,
    sender: Option<mpsc::Sender<Piece>>,
    telemetry: Telemetry,
    /// What the answer is made of takes about so many bytes.
    weight: usize,
    held: Option<Held>,
    runtime: Handle,
    clock: Clock,
    patience: Duration,
}

/// A place among those that are in hand, and one among those that are answered.
pub(crate) struct Turn {
    in_hand: OwnedSemaphorePermit,
    turn: Option<OwnedSemaphorePermit>,
}

/// Ends a question when nobody waits for it any more.
struct EndsWith(Cancel);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Threads {
    pub(crate) fn new(
        most: usize,
        timeout: Duration,
        patience: Duration,
        clock: Clock,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let (in_hand, turns) = (Arc::new(Semaphore::new(IN_HAND)), Arc::new(Semaphore::new(most.max(1))));
        Self { in_hand, turns, timeout, patience, clock, stopped }
    }

    /// When a question must be answered that may take `less` than others.
    pub(crate) fn deadline(&self, less: Option<Duration>) -> Option<Instant> {
        self.clock.now().checked_add(less.map_or(self.timeout, |less| less.min(self.timeout)))
    }

    /// Waits until a question may be answered, no longer than until `deadline`.
    async fn turn(&self, deadline: Option<Instant>) -> Result<Turn> {
        let busy = |text: String| OtlpError::new(Code::Unavailable, text);
        let in_hand = Arc::clone(&self.in_hand).try_acquire_owned();
        let in_hand = in_hand.map_err(|_| busy(format!("{IN_HAND} questions are in hand: ask again in a moment")))?;
        match until(&self.clock, deadline, Arc::clone(&self.turns).acquire_owned()).await {
            Some(Ok(turn)) => Ok(Turn { in_hand, turn: Some(turn) }),
            _ => Err(busy(
                "other questions take all of the time (query.max_concurrent): ask again in a moment".to_owned(),
            )),
        }
    }

    /// What `work` comes to, on a thread of its own. When nobody waits for it any more, or the doors close, it is told by `cancel`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        cancel: Cancel,
        deadline: Option<Instant>,
        work: impl FnOnce(Turn, oneshot::Sender<Result<T>>) + Send + 'static,
    ) -> Result<T> {
        let turn = self.turn(deadline).await?;
        let (sender, mut receiver) = oneshot::channel();
        let ends = EndsWith(cancel);
        let body = move || {
            give_way();
            // Whoever waits is told of a panic by the sender that is gone.
            let _ = catch_unwind(AssertUnwindSafe(|| work(turn, sender)));
        };
        let thread = std::thread::Builder::new().name("otlp-api".to_owned()).spawn(body);
        thread.map_err(|error| {
            OtlpError::with_source(Code::Unavailable, "the system gives no thread for a question", error)
        })?;
        let mut stopped = self.stopped.clone();
        let made = tokio::select! {
            made = &mut receiver => made,
            () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
                ends.0.cancel();
                receiver.await
            }
        };
        let failed =
            || OtlpError::new(Code::Internal, "answering this question failed: please report it to the project");
        let made = made.unwrap_or_else(|_| Err(failed()));
        if made.is_ok() {
            // What is still being made is told by its receiver.
            std::mem::forget(ends);
        }
        made
    }

    /// Writes an answer on a thread of its own: `ask` makes it, and says how many bytes it takes and how it is written.
    pub(crate) async fn write<A: 'static>(
        &self,
        telemetry: Telemetry,
        encoding: Option<Encoding>,
        cancel: Cancel,
        deadline: Option<Instant>,
        ask: impl FnOnce() -> Result<(usize, A)> + Send + 'static,
        write: impl FnOnce(&A, &mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Result<Made> {
        let (runtime, clock, patience) = (Handle::current(), self.clock.clone(), self.patience);
        self.run(cancel, deadline, move |turn, first| {
            let Turn { in_hand: _in_hand, turn } = turn;
            let (weight, answer) = match ask() {
                Ok(answered) => answered,
                Err(error) => return drop(first.send(Err(error))),
            };
            // Who is slow to read an answer holds up nobody else's question.
            drop(turn);
            let out = Out {
                buffer: Vec::new(),
                first: Some(first),
                sender: None,
                telemetry,
                weight,
                held: None,
                runtime,
                clock,
                patience,
            };
            let written = Packer::new(encoding, out).and_then(|packer| {
                let mut buffered = BufWriter::with_capacity(BUFFER, packer);
                write(&answer, &mut buffered)?;
                buffered.into_inner().map_err(IntoInnerError::into_error)?.finish()
            });
            // Of one that failed the sender is gone by now: its client sees that it broke off.
            if let Ok(out) = written {
                out.end();
            }
        })
        .await
    }

    /// An answer that is whole, as its client takes it.
    pub(crate) fn send(&self, whole: Vec<u8>) -> Answer {
        if whole.len() <= SMALL {
            return Answer::Complete((!whole.is_empty()).then(|| whole.into()));
        }
        let (sender, answer) = pieces(Some(whole.len() as u64));
        let place = Arc::clone(&self.in_hand).try_acquire_owned();
        let (clock, patience) = (self.clock.clone(), self.patience);
        let mut whole = Bytes::from(whole);
        tokio::spawn(async move {
            // Without a place: then it is one more than there should be, for as long as it takes to send a MiB.
            let _place = place;
            while !whole.is_empty() {
                let piece = whole.split_to(whole.len().min(PIECE));
                let deadline = clock.now().checked_add(patience);
                if !matches!(until(&clock, deadline, sender.send(Some(piece))).await, Some(Ok(()))) {
                    return;
                }
            }
        });
        answer
    }
}

impl Out {
    fn piece(&mut self, piece: Piece) -> io::Result<()> {
        let Some(sender) = &self.sender else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let deadline = self.clock.now().checked_add(self.patience);
        match self.runtime.block_on(until(&self.clock, deadline, sender.send(piece))) {
            Some(Ok(())) => Ok(()),
            // Gone, or slower than anybody is: nothing more is tried.
            _ => {
                self.sender = None;
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    /// It is too long to be made first: its beginning is sent.
    fn begin(&mut self) -> io::Result<()> {
        let Some(first) = self.first.take() else { return Ok(()) };
        self.held = self.telemetry.hold(self.weight);
        if self.held.is_none() {
            let text = "the answer takes more memory than there is now (query.max_memory): ask for less with limit";
            let _ = first.send(Err(OtlpError::new(Code::Unavailable, text)));
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let (sender, answer) = pieces(None);
        self.sender = Some(sender);
        first.send(Ok(Made::Begun(answer))).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn send_pieces(&mut self, least: usize) -> io::Result<()> {
        let mut whole = Bytes::from(std::mem::take(&mut self.buffer));
        while whole.len() >= least.max(1) {
            let piece = whole.split_to(whole.len().min(PIECE));
            self.piece(Some(piece))?;
        }
        self.buffer.extend_from_slice(&whole);
        Ok(())
    }

    fn end(mut self) {
        match self.first.take() {
            Some(first) => drop(first.send(Ok(Made::Whole(std::mem::take(&mut self.buffer))))),
            None => drop(self.send_pieces(1).and_then(|()| self.piece(None))),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.first.is_some() {
            if self.buffer.len() <= WHOLE {
                return Ok(bytes.len());
            }
            self.begin()?;
        }
        if self.buffer.len() >= PIECE {
            self.send_pieces(PIECE)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
