//! Which files are deleted, and in what order. Pure: the clock and the files are arguments.

use std::time::{Duration, SystemTime};

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;

use crate::settings::Retention;

/// Percent of the directory that is each signal's share.
const SHARES: PerSignal<u64> = PerSignal { traces: 40, metrics: 20, logs: 40 };

/// One sweep deletes at most this part of all files by age, so that a clock gone wrong cannot empty the directory before
/// somebody sets it right: nothing needs the space at once.
const BY_AGE_PART: usize = 10;
/// Between two such sweeps lies this part of the age.
const BY_AGE_PAUSE: u32 = 100;

/// A data file, as retention sees it. A stream and its sealed form are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Which signal.
    pub(crate) signal: Signal,
    /// When it was created.
    pub(crate) created: SystemTime,
    /// Breaks ties: the order of names.
    pub(crate) order: usize,
    /// Its bytes, all forms together.
    pub(crate) bytes: u64,
    /// Nobody appends to it.
    pub(crate) deletable: bool,
    /// Somebody still needs rows of it.
    pub(crate) needed: bool,
}

/// Why a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its last record is older than the signal's limit.
    Age,
    /// The directory is larger than it may be.
    Size,
}

/// What one sweep deletes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Positions in the list of files, in order of deletion.
    pub(crate) victims: Vec<(usize, Cause)>,
    /// The directory stays larger than it may be: nothing more can be deleted.
    pub(crate) overfull: bool,
    /// More files are too old than one sweep deletes; the next ones may go after so long.
    pub(crate) more_after: Option<Duration>,
}

/// Plans a sweep at `now`. `other_bytes` is everything in the directory that is not a data file; `span` is how much later
/// than its creation a file's last record may have come (the rotation age).
pub(crate) fn plan(retention: &Retention, span: Duration, files: &[File], other_bytes: u64, now: SystemTime) -> Plan {
    let mut plan = Plan::default();
    let mut gone = vec![false; files.len()];
    let mut oldest_first: Vec<usize> = (0..files.len()).filter(|&at| files[at].deletable).collect();
    oldest_first.sort_by_key(|&at| (files[at].created, files[at].order));

    let too_old = |file: &File| {
        let age = now.duration_since(file.created).unwrap_or_default();
        age > retention.max_age(file.signal).saturating_add(span)
    };
    let mut by_age: Vec<usize> = oldest_first.iter().copied().filter(|&at| too_old(&files[at])).collect();
    by_age.sort_by_key(|&at| files[at].needed);
    let most = files.len().div_ceil(BY_AGE_PART);
    plan.more_after = by_age.iter().skip(most).map(|&at| retention.max_age(files[at].signal) / BY_AGE_PAUSE).min();
    for at in by_age.into_iter().take(most) {
        gone[at] = true;
        plan.victims.push((at, Cause::Age));
    }

    let mut by_signal = PerSignal::<u64>::default();
    for (file, _) in files.iter().zip(&gone).filter(|(_, gone)| !**gone) {
        by_signal[file.signal] += file.bytes;
    }
    loop {
        let total = by_signal.values().sum::<u64>() + other_bytes;
        if total <= retention.max_bytes {
            return plan;
        }
        let Some(at) = victim(retention, files, &gone, &oldest_first, &by_signal) else {
            plan.overfull = true;
            return plan;
        };
        gone[at] = true;
        by_signal[files[at].signal] -= files[at].bytes;
        plan.victims.push((at, Cause::Size));
    }
}

/// The oldest file of the signal furthest above its share; files somebody needs only when there are no others.
fn victim(
    retention: &Retention,
    files: &[File],
    gone: &[bool],
    oldest_first: &[usize],
    by_signal: &PerSignal<u64>,
) -> Option<usize> {
    for needed in [false, true] {
        let mut signals = Signal::ALL;
        signals.sort_by_key(|signal| {
            let share = (retention.max_bytes / 100).saturating_mul(SHARES[*signal]);
            std::cmp::Reverse(i128::from(by_signal[*signal]) - i128::from(share))
        });
        for signal in signals {
            let mut of_signal = oldest_first.iter().copied().filter(|&at| files[at].signal == signal && !gone[at]);
            if let Some(at) = of_signal.find(|&at| files[at].needed == needed) {
                return Some(at);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + HOUR * 500_000
    }

    fn file(signal: Signal, age_hours: u32, bytes: u64) -> File {
        File { signal, created: now() - HOUR * age_hours, order: 0, bytes, deletable: true, needed: false }
    }

    fn retention(max_bytes: u64) -> Retention {
        Retention { max_age: PerSignal { traces: 24 * HOUR, metrics: 168 * HOUR, logs: 24 * HOUR }, max_bytes }
    }

    fn sweep(files: &[File], max_bytes: u64) -> Plan {
        plan(&retention(max_bytes), HOUR, files, 0, now())
    }

    fn positions(plan: &Plan) -> Vec<usize> {
        plan.victims.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn a_file_goes_when_its_last_record_is_too_old_and_each_signal_has_its_age() {
        use Signal::{Logs, Metrics, Traces};
        for (signal, age, goes) in [
            (Traces, 25, false),
            (Traces, 26, true),
            (Logs, 26, true),
            (Metrics, 26, false),
            (Metrics, 169, false),
            (Metrics, 170, true),
        ] {
            let plan = sweep(&[file(signal, age, 1)], 1000);
            assert_eq!(plan.victims, if goes { vec![(0, Cause::Age)] } else { vec![] }, "{signal} {age}");
        }
    }

    #[test]
    fn one_sweep_deletes_a_tenth_by_age_the_oldest_first() {
        let files: Vec<File> = (0..25).map(|age| file(Signal::Logs, 100 + age, 1)).collect();
        let plan = sweep(&files, 1000);
        assert_eq!(positions(&plan), [24, 23, 22]);
        assert!(!plan.overfull);
        assert_eq!(plan.more_after, Some(HOUR * 24 / 100));
        assert_eq!(sweep(&files[..1], 1000).more_after, None);
    }

    #[test]
    fn files_somebody_needs_go_last_by_age_as_well() {
        let mut files: Vec<File> = (0..10).map(|age| file(Signal::Traces, 30 + age, 1)).collect();
        files[9].needed = true;
        assert_eq!(positions(&sweep(&files, 1000)), [8]);
    }

    #[test]
    fn space_is_made_in_the_signal_furthest_above_its_share() {
        use Signal::{Logs, Metrics, Traces};
        // Shares of 100 bytes: 40, 20, 40. Metrics is 15 above, traces 10, logs 5.
        let files =
            [file(Traces, 3, 25), file(Traces, 2, 25), file(Metrics, 5, 20), file(Metrics, 1, 15), file(Logs, 9, 45)];
        let plan = sweep(&files, 100);
        // 130 bytes: the oldest of metrics (then 110 and metrics 5 below), then the oldest of traces (85).
        assert_eq!(plan.victims, [(2, Cause::Size), (0, Cause::Size)]);
    }

    #[test]
    fn a_signal_that_uses_the_space_of_others_gives_way_only_when_there_is_none() {
        let files = [file(Signal::Traces, 3, 50), file(Signal::Traces, 2, 40)];
        assert_eq!(positions(&sweep(&files, 90)), [] as [usize; 0]);
        assert_eq!(positions(&sweep(&files, 89)), [0]);
    }

    #[test]
    fn what_is_needed_goes_after_everything_else_and_live_files_never() {
        let mut files = vec![
            file(Signal::Traces, 9, 30),
            file(Signal::Traces, 8, 30),
            file(Signal::Logs, 1, 30),
            file(Signal::Traces, 9, 30),
        ];
        files[0].needed = true;
        files[3].deletable = false;
        assert_eq!(positions(&sweep(&files, 70)), [1, 2]);
        assert_eq!(positions(&sweep(&files, 30)), [1, 2, 0]);
        let plan = sweep(&files, 29);
        assert_eq!((positions(&plan), plan.overfull), (vec![1, 2, 0], true));
    }

    #[test]
    fn everything_in_the_directory_counts() {
        let files = [file(Signal::Logs, 2, 10), file(Signal::Logs, 1, 10)];
        assert_eq!(positions(&plan(&retention(100), HOUR, &files, 81, now())), [0]);
        assert!(plan(&retention(100), HOUR, &files, 101, now()).overfull);
    }

    #[test]
    fn a_clock_behind_the_files_deletes_nothing() {
        let files: Vec<File> = (0..3).map(|_| file(Signal::Logs, 0, 1)).collect();
        assert_eq!(plan(&retention(100), HOUR, &files, 0, now() - HOUR * 1000), Plan::default());
    }
}
