//! How long an export may wait, which depends on who waits for it (docs/adr/0014-exporters-know-who-waits.md). Pure: the
//! clock is an argument.

use std::time::{Duration, Instant};

use otlp_arrow_base::PerSignal;
use otlp_arrow_base::wait::after;
use otlp_arrow_columns::Signal;

/// Who waits for an export of an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// A thread of the program, which goes on when the export returns: a processor that hands over records one at a time.
    Request,
    /// A thread or timer of the SDK's own, with a queue before it: a batch processor, a periodic reader.
    Batch,
}

/// How long a thread of the program may be held in all while something is wrong.
pub(super) const HELD: Duration = Duration::from_millis(100);
/// What a commit may take without anything being wrong.
pub(super) const NORMAL: Duration = Duration::from_millis(10);
/// So long after a fault began another one has a time of its own, if exports went well in between.
const AGAIN: Duration = Duration::from_secs(10);

/// A commit that takes so long stands still, and so does a recorder that has refused everything for so long: nobody who could not be
/// told of the end waits any longer.
pub(super) const STILL: Duration = Duration::from_millis(2500);
/// How long exporters may wait at their shutdown, all of a library together, and exports beside them.
pub(super) const AT_THE_END: Duration = Duration::from_secs(5);

/// What all exports of a library know of the time.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// When the fault began that threads of the program are, or were, held by.
    fault: Option<Instant>,
    /// The program ends: nobody waits longer than that.
    ends_by: Option<Instant>,
    /// Exporters are being shut down, and may wait until then.
    exporters_end: Option<Instant>,
    /// Since when there is no room for a signal, whatever is tried.
    refused: PerSignal<Option<Instant>>,
}

impl Patience {
    /// Until when an export that began at `began` may wait without a sign that anything is wrong. `behind` says that writing is
    /// known to be slow or refused: who had the time for that does not wait at all.
    pub(super) fn at_first(&self, waiter: Waiter, began: Instant, timeout: Duration, behind: bool) -> Instant {
        let until = match (waiter, self.fault) {
            (Waiter::Batch, _) => after(began, timeout),
            (Waiter::Request, Some(fault)) if behind => (fault + HELD).max(began),
            (Waiter::Request, _) => began + NORMAL.min(timeout),
        };
        self.bounded(until, began)
    }

    /// Something is wrong for an export that began at `began`: until when it may wait now.
    pub(super) fn in_trouble(&mut self, waiter: Waiter, began: Instant, timeout: Duration) -> Instant {
        let until = match waiter {
            Waiter::Batch => after(began, timeout),
            Waiter::Request => *self.fault.get_or_insert(began) + HELD.min(timeout),
        };
        self.bounded(until, began)
    }

    /// A batch was refused at `now`: until when batches wait for room, whatever their signal. Who waits longer is not told if the
    /// program ends meanwhile.
    pub(super) fn refused(&mut self, signal: Signal, now: Instant) -> Instant {
        self.refused[signal].get_or_insert(now);
        self.refused.values().flatten().min().map_or(now, |since| *since + STILL)
    }

    /// Something of `signal` was kept.
    pub(super) fn kept(&mut self, signal: Signal) {
        self.refused[signal] = None;
    }

    /// An export went well at `now`, and quickly.
    pub(super) fn well(&mut self, now: Instant) {
        self.fault = self.fault.filter(|fault| now.saturating_duration_since(*fault) < AGAIN);
        // The program went on after that, with other exporters.
        self.exporters_end = self.exporters_end.filter(|end| now < *end);
    }

    /// The program ends at that moment at the latest; None if it goes on after all.
    pub(super) fn ends_by(&mut self, moment: Option<Instant>) {
        self.ends_by = moment;
    }

    /// An exporter is shut down at `now`: until when it may wait. The first one starts the time of all. Where a write `stands_still`
    /// exports have had their part of that time.
    pub(super) fn exporter_ends(&mut self, now: Instant, stands_still: bool) -> Instant {
        let allowance = if stands_still { AT_THE_END - STILL } else { AT_THE_END };
        let end = self.exporters_end(now).unwrap_or(now + allowance);
        self.exporters_end = Some(end);
        end
    }

    /// Until when exporters that are shut down may wait, if that is going on at `now`, or was a moment ago.
    pub(super) fn exporters_end(&self, now: Instant) -> Option<Instant> {
        self.exporters_end.filter(|end| now < *end + AGAIN)
    }

    /// `until`, or the end if that comes before, for an export that began at `began`: each has a moment, since what shuts one
    /// exporter down may go on with others.
    pub(super) fn bounded(&self, until: Instant, began: Instant) -> Instant {
        let until = self.exporters_end(began).map_or(until, |end| until.min(end.max(began + HELD)));
        self.ends_by.map_or(until, |end| until.min(end))
    }
}

/// Between two events about records lost by one fault.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Without a loss for so long, and with data kept, it is over.
const QUIET: Duration = Duration::from_secs(1);

/// Losses that exporters had, and which of them are to be told: the first of a fault at once, the others together.
#[derive(Debug, Default)]
pub(super) struct Losses(PerSignal<Lost>);

#[derive(Debug, Default)]
struct Lost {
    /// When something was told last, while it goes on.
    told: Option<Instant>,
    last: Option<Instant>,
    untold: u64,
}

impl Losses {
    /// So many records were lost at `now`; how many are to be told.
    pub(super) fn add(&mut self, signal: Signal, records: u64, now: Instant) -> Option<u64> {
        let lost = &mut self.0[signal];
        lost.untold += records;
        lost.last = Some(now);
        if lost.told.is_some_and(|told| now.saturating_duration_since(told) < TELL_EVERY) {
            return None;
        }
        lost.told = Some(now);
        Some(std::mem::take(&mut lost.untold))
    }

    /// Records were kept at `now`; how many lost ones are still to be told, now that it is over.
    pub(super) fn well(&mut self, signal: Signal, now: Instant) -> Option<u64> {
        let last = self.0[signal].last?;
        if now.saturating_duration_since(last) < QUIET { None } else { self.over(signal) }
    }

    /// It is over for good; how many are still to be told.
    pub(super) fn over(&mut self, signal: Signal) -> Option<u64> {
        let lost = std::mem::take(&mut self.0[signal]);
        Some(lost.untold).filter(|untold| *untold > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_thread_of_the_program_is_held_by_a_fault_for_a_tenth_of_a_second_in_all() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        let (mut now, mut held) = (start, Duration::ZERO);
        for _ in 0..1000 {
            let first = patience.at_first(Waiter::Request, now, LONG, patience.fault.is_some());
            let until = first.max(patience.in_trouble(Waiter::Request, now, LONG));
            held += until.saturating_duration_since(now);
            now = until.max(now) + MS;
        }
        assert_eq!(held, HELD);
    }

    #[test]
    fn several_threads_are_held_at_the_same_time_and_not_one_after_the_other() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        assert_eq!(patience.in_trouble(Waiter::Request, start, LONG), start + HELD);
        let later = start + 60 * MS;
        assert_eq!(patience.in_trouble(Waiter::Request, later, LONG), start + HELD);
        assert_eq!(patience.at_first(Waiter::Request, later, LONG, true), start + HELD);
        assert_eq!(patience.at_first(Waiter::Request, later, LONG, false), later + NORMAL);
    }

    #[test]
    fn the_next_fault_has_a_time_of_its_own_only_after_things_went_well_for_a_while() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        patience.in_trouble(Waiter::Request, start, LONG);
        patience.well(start + HELD);
        assert_eq!(patience.in_trouble(Waiter::Request, start + 500 * MS, LONG), start + HELD, "it comes and goes");
        let much_later = start + 5 * AGAIN;
        assert_eq!(patience.in_trouble(Waiter::Request, much_later, LONG), start + HELD, "it lasts");
        patience.well(much_later);
        assert_eq!(patience.in_trouble(Waiter::Request, much_later, LONG), much_later + HELD);
    }

    #[test]
    fn a_batch_waits_until_its_own_timeout_and_nobody_beyond_the_end() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        patience.in_trouble(Waiter::Request, start, LONG);
        assert_eq!(patience.at_first(Waiter::Batch, start, LONG, true), start + LONG);
        assert_eq!(patience.in_trouble(Waiter::Batch, start, 5 * MS), start + 5 * MS);
        assert!(patience.in_trouble(Waiter::Batch, start, Duration::MAX) > start + LONG);
        let end = start + 7 * MS;
        patience.ends_by(Some(end));
        assert_eq!(patience.in_trouble(Waiter::Batch, start, LONG), end);
        assert_eq!(patience.at_first(Waiter::Batch, start, LONG, false), end);
        patience.ends_by(None);
        assert_eq!(patience.in_trouble(Waiter::Batch, start, LONG), start + LONG);
    }

    #[test]
    fn exporters_that_are_shut_down_have_one_time_together() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        assert_eq!(patience.exporters_end(start), None);
        let end = patience.exporter_ends(start, false);
        assert_eq!(end, start + AT_THE_END);
        assert_eq!(patience.exporter_ends(start + 3000 * MS, false), end);
        assert_eq!(patience.exporter_ends(start + 3000 * MS, true), end, "whatever is found meanwhile");
        assert_eq!(patience.in_trouble(Waiter::Batch, start + MS, LONG), end);
        assert_eq!(patience.in_trouble(Waiter::Batch, end, LONG), end + HELD, "a moment is left to each");
        assert_eq!(patience.in_trouble(Waiter::Batch, end, MS), end + MS);
        let later = end + AGAIN;
        assert_eq!(patience.in_trouble(Waiter::Batch, later, LONG), later + LONG, "the program went on");
        assert_eq!(patience.exporter_ends(later, true), later + AT_THE_END - STILL, "exports had their part");
    }

    #[test]
    fn an_export_that_goes_well_after_the_end_of_exporters_says_that_the_program_goes_on() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        let end = patience.exporter_ends(start, false);
        patience.well(start + MS);
        assert_eq!(patience.exporters_end(start + MS), Some(end), "it is the last one of another exporter");
        patience.well(end);
        assert_eq!(patience.exporters_end(end), None);
        assert_eq!(patience.in_trouble(Waiter::Batch, end, LONG), end + LONG);
    }

    #[test]
    fn batches_wait_for_room_together_until_something_is_kept_again() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        assert_eq!(patience.refused(Signal::Traces, start), start + STILL);
        assert_eq!(
            patience.refused(Signal::Logs, start + 1000 * MS),
            start + STILL,
            "one after the other is no longer"
        );
        patience.kept(Signal::Traces);
        assert_eq!(patience.refused(Signal::Logs, start + 2000 * MS), start + 1000 * MS + STILL);
        patience.kept(Signal::Logs);
        let later = start + LONG;
        assert_eq!(patience.refused(Signal::Traces, later), later + STILL);
    }

    #[test]
    fn a_shorter_timeout_counts_for_everybody() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        assert_eq!(patience.at_first(Waiter::Request, start, MS, false), start + MS);
        assert_eq!(patience.in_trouble(Waiter::Request, start, 20 * MS), start + 20 * MS);
    }

    #[test]
    fn losses_are_told_once_and_the_rest_when_it_is_over() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        assert_eq!(losses.add(Signal::Traces, 1, start), Some(1));
        assert_eq!(losses.add(Signal::Traces, 1, start + MS), None);
        assert_eq!(losses.add(Signal::Logs, 5, start + MS), Some(5), "each signal has its own");
        assert_eq!(losses.add(Signal::Traces, 2, start + TELL_EVERY), Some(3));
        assert_eq!(losses.add(Signal::Traces, 4, start + TELL_EVERY + MS), None);
        assert_eq!(losses.well(Signal::Traces, start + TELL_EVERY + 2 * MS), None, "it comes and goes");
        assert_eq!(losses.well(Signal::Traces, start + TELL_EVERY + MS + QUIET), Some(4));
        assert_eq!(losses.well(Signal::Traces, start + 2 * TELL_EVERY), None);
        assert_eq!((losses.over(Signal::Traces), losses.over(Signal::Logs)), (None, None));
        assert_eq!(losses.add(Signal::Traces, 1, start + TELL_EVERY + MS), Some(1), "the next one is told at once");
    }
}
