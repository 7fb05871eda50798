//! Waiting by a [`Clock`]: where a test moves the time, what waits looks again in a moment.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;

/// What comes of `work`; `None` if `deadline` passes first. `None` for a deadline waits as long as it takes.
pub async fn until<T>(clock: &Clock, deadline: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    let Some(deadline) = deadline else { return Some(work.await) };
    // By the machine's clock, one timer that is armed when `work` has to wait, and no further look at the clock.
    if clock.slice(Duration::MAX) == Duration::MAX {
        return tokio::time::timeout_at(deadline.into(), work).await.ok();
    }
    let mut work = pin!(work);
    loop {
        let left = clock.left(deadline);
        match tokio::time::timeout(clock.slice(left), work.as_mut()).await {
            Ok(done) => return Some(done),
            Err(_) if clock.left(deadline).is_zero() => return None,
            Err(_) => {}
        }
    }
}

/// Returns when so much time has passed.
pub async fn sleep(clock: &Clock, wait: Duration) {
    let began = clock.now();
    loop {
        let left = wait.saturating_sub(clock.elapsed(began));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(clock.slice(left)).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::future::{pending, ready};

    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    #[tokio::test]
    async fn a_deadline_passes_when_the_clock_says_so() {
        let manual = ManualClock::new();
        let clock = manual.clock();
        let day = Duration::from_secs(86_400);
        let waits = tokio::spawn({
            let (clock, deadline) = (clock.clone(), clock.now() + day);
            async move { until(&clock, Some(deadline), pending::<()>()).await }
        });
        let sleeps = tokio::spawn({
            let clock = clock.clone();
            async move { sleep(&clock, day).await }
        });
        while !waits.is_finished() || !sleeps.is_finished() {
            manual.advance(day);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(waits.await.unwrap(), None);
        assert_eq!(until(&clock, Some(clock.now()), ready(7)).await, Some(7), "what is done is done");
        assert_eq!(until(&clock, None, ready(7)).await, Some(7));
    }
}
