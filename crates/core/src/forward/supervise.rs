//! Starts a worker again that ended by a defect: a destination must not stop being served without anybody being told.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use otlp_arrow_base::clock::Clock;
use tokio::sync::watch::Receiver;

use super::sender::panic_text;

/// The longest time until a worker starts again.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs what `start` makes until it ends by itself, or by a defect after `ending` was set. `defect` is told of each panic
/// and of the time until the next start, which begins with `pause` and doubles.
pub(super) async fn supervise<W: Future<Output = ()>>(
    mut start: impl FnMut(u32) -> W,
    defect: impl Fn(&str, Duration),
    clock: &Clock,
    mut pause: Duration,
    mut ending: Receiver<bool>,
) {
    for starts in 0.. {
        // A worker that cannot even be made has the same defect.
        let run = AssertUnwindSafe(async { start(starts).await }).catch_unwind().await;
        let Err(panic) = run else { return };
        defect(panic_text(&*panic), pause);
        let until = clock.now() + pause;
        while !clock.left(until).is_zero() {
            tokio::select! {
                () = tokio::time::sleep(clock.slice(clock.left(until))) => {}
                _ = ending.wait_for(|ending| *ending) => return,
            }
        }
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::watch;

    use super::*;

    fn run(future: impl Future) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future);
    }

    #[test]
    fn a_worker_that_panics_is_announced_and_started_again() {
        let (_ending, receiver) = watch::channel(false);
        let told = Mutex::new(Vec::new());
        let defect = |text: &str, pause: Duration| told.lock().unwrap().push((text.to_owned(), pause.as_millis()));
        run(supervise(
            |starts| async move { assert!(starts >= 3, "defect {starts}") },
            defect,
            &Clock::system(),
            Duration::from_millis(1),
            receiver,
        ));
        let told = told.into_inner().unwrap();
        let told: Vec<_> = told.iter().map(|(text, pause)| (text.as_str(), *pause)).collect();
        assert_eq!(told, [("defect 0", 1), ("defect 1", 2), ("defect 2", 4)]);
    }

    #[test]
    fn nothing_is_started_again_at_the_end() {
        let (ending, receiver) = watch::channel(false);
        let starts = Mutex::new(0);
        run(supervise(
            |start| {
                *starts.lock().unwrap() = start + 1;
                ending.send_replace(true);
                async { panic!("always") }
            },
            |_, _| {},
            &Clock::system(),
            Duration::from_secs(3600),
            receiver,
        ));
        assert_eq!(*starts.lock().unwrap(), 1);
    }
}
