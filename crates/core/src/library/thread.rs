//! Work that blocks, for callers that may not be blocked.

use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

use crate::error::{Code, OtlpError, Result};

/// Runs `work` on a thread of its own, to its end, even if nobody waits for it any more.
pub(super) async fn on_a_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    let work = Arc::new(Mutex::new(Some((work, sender))));
    let given = Arc::clone(&work);
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&given));
    if thread.is_err() {
        // The machine has no thread left: better late for others than not at all.
        run(&work);
    }
    receiver.await.unwrap_or_else(|_| {
        Err(OtlpError::new(Code::Internal, format!("{name}: ended in a panic: please report it with its message")))
    })
}

/// Work that somebody is yet to take, and who waits for what comes of it.
type Untaken<W, T> = Mutex<Option<(W, oneshot::Sender<Result<T>>)>>;

fn run<T>(work: &Untaken<impl FnOnce() -> Result<T>, T>) {
    let taken = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((work, sender)) = taken {
        // What nobody takes is dropped here: that may block too.
        drop(sender.send(work()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::mpsc;

    use futures::executor::LocalPool;
    use futures::task::LocalSpawnExt;

    use super::*;

    #[test]
    fn another_task_of_the_same_thread_goes_on_meanwhile() {
        let (release, released) = mpsc::channel();
        let mut pool = LocalPool::new();
        pool.spawner().spawn_local(async move { release.send(7).unwrap() }).unwrap();
        // Only the other task can end this work.
        let done = pool.run_until(on_a_thread("test", move || Ok(released.recv().unwrap())));
        assert_eq!(done.unwrap(), 7);
    }

    #[test]
    fn a_panic_is_an_error() {
        let done = futures::executor::block_on(on_a_thread("test", || -> Result<()> { panic!("on purpose") }));
        let error = done.unwrap_err();
        assert_eq!(error.code(), Code::Internal);
        assert!(error.message().contains("test: ended in a panic"), "{error}");
    }
}
