//! The store against a model: seeded schedules of appends, rotation, sealing, retention, crashes, power cuts and adoption,
//! also by a writer that lives on, on a faulty disk. After each end of a process everything it promised is there, once,
//! cell by cell, but for files that retention deleted, and nothing else is.
//!
//! `OTLP_ARROW_SCHEDULES=100000` makes a long run, from `OTLP_ARROW_FIRST_SEED` on; `OTLP_ARROW_SEED=7` replays one
//! schedule, `OTLP_ARROW_TRACE=1` prints what it does to the disk. `OTLP_ARROW_THREADS` is how many run at a time.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use otlp_arrow_base::OtlpError;
use otlp_arrow_columns::Payload;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::Store;
use otlp_arrow_store::settings::{Durability, Settings};
use otlp_arrow_store::storage::Storage;
use otlp_arrow_testkit::rng::Rng;
use support::disk::{Disk, Faults, Op, Process};
use support::oracle::{Oracle, Promise};
use support::settings::settings;

/// How a schedule ends the life of its stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    Kill,
    PowerCut,
}

struct Life {
    process: Arc<Process>,
    store: Store,
}

struct Schedule {
    seed: u64,
    rng: Rng,
    disk: Arc<Disk>,
    config: Settings,
    oracle: Oracle,
    ends: BTreeMap<&'static str, u64>,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let durability = match rng.below(5) {
            0 => Durability::Buffered { write_interval: Duration::from_millis(1) },
            1 | 2 => Durability::Written,
            _ => Durability::Synced,
        };
        let mut config = Settings { durability, ..settings("/out/telemetry") };
        config.commit_interval = Duration::from_micros(rng.below(2) * 200);
        config.rotation.max_bytes = 1 << (12 + rng.below(6));
        if rng.one_in(3) {
            config.sealing.compression = otlp_arrow_store::settings::SealingCompression::None;
        }
        if rng.one_in(3) {
            config.retention.max_bytes = 1 << (13 + rng.below(4));
            if rng.one_in(3) {
                config.retention.max_age = otlp_arrow_base::PerSignal::all(Duration::ZERO);
                config.rotation.max_age = Duration::from_millis(2);
            }
        }
        let disk = Disk::new(seed);
        let mut oracle = Oracle::new(seed, Arc::clone(&disk));
        oracle.may_delete = config.retention.max_bytes < settings("/out/telemetry").retention.max_bytes;
        Self { seed, config, oracle, disk, rng, ends: BTreeMap::new() }
    }

    fn run(&mut self) {
        for _ in 0..1 + self.rng.below(3) {
            let two = self.rng.one_in(4);
            if self.rng.one_in(2) {
                let faults = self.some_faults();
                self.disk.set_faults(faults);
            }
            if self.rng.one_in(2) {
                let operations = self.rng.below(120);
                self.disk.light_fuse(operations);
            }
            let mut lives: Vec<_> = (0..if two { 2 } else { 1 }).map(|_| self.open()).collect();
            for _ in 0..1 + self.rng.below(8) {
                let at = self.rng.index(lives.len());
                self.append(&lives[at]);
                if self.rng.one_in(4) {
                    self.look(&lives);
                }
                if lives.len() > 1 && self.rng.one_in(6) {
                    self.kill_one(&mut lives);
                }
                if self.rng.one_in(5) {
                    // Retention, and adoption of one that died while this one lives.
                    let at = self.rng.index(lives.len());
                    lives[at].store.maintain();
                }
            }
            let end = *self.rng.pick(&[End::Close, End::Kill, End::Kill, End::PowerCut]);
            self.end(&mut lives, end);
            if self.rng.one_in(3) {
                // A quarter of all crashes hits the recovery from the one before.
                let operations = self.rng.below(40);
                self.disk.light_fuse(operations);
                let mut lives = vec![self.open()];
                let end = *self.rng.pick(&[End::Kill, End::PowerCut]);
                self.end(&mut lives, end);
            }
        }
        self.check_at_rest();
    }

    fn some_faults(&mut self) -> Faults {
        let ops = [
            Op::Append,
            Op::Truncate,
            Op::Sync,
            Op::SyncDir,
            Op::Create,
            Op::Rename,
            Op::Remove,
            Op::Open,
            Op::List,
            Op::Lock,
            Op::CreateDir,
            Op::Read,
        ];
        let one_in = *self.rng.pick(&[3, 6, 12]);
        Faults { one_in: ops.iter().filter(|_| self.rng.one_in(2)).map(|op| (*op, one_in)).collect() }
    }

    fn open(&self) -> Life {
        let process = self.disk.process();
        let storage: Arc<dyn Storage> = Arc::clone(&process) as Arc<dyn Storage>;
        let store = Store::open(self.config.clone(), storage, Arc::new(|_| {})).unwrap();
        store.on_commit(self.oracle.places());
        Life { process, store }
    }

    /// Appends some requests at once, so that some of them share a commit.
    fn append(&mut self, life: &Life) {
        let mut waiting = Vec::new();
        for _ in 0..1 + self.rng.below(4) {
            let signal = *self.rng.pick(&Signal::ALL);
            let (request, bytes, checked) = self.oracle.request(signal);
            let reservation = life.store.budget().reserve(signal, bytes.len() + checked.arrow_bytes).unwrap();
            let payload = Payload::Otlp { signal, bytes, checked };
            let hops = Default::default();
            let answer =
                life.store.append(otlp_arrow_store::Request { payload, reservation, hops, urgent: false, key: None });
            waiting.push(async move { (request, answer.await) });
        }
        let answers = futures::executor::block_on(futures::future::join_all(waiting));
        let buffered = matches!(self.config.durability, Durability::Buffered { .. });
        let flushed = if buffered && self.rng.one_in(2) {
            futures::executor::block_on(life.store.flush()).is_ok() && life.process.is_alive()
        } else {
            false
        };
        for (request, answer) in answers {
            let promise = match (&answer, self.config.durability) {
                (Err(_), _) => Promise::None,
                (Ok(()), Durability::Synced) => Promise::Synced,
                (Ok(()), Durability::Written) => Promise::Written,
                (Ok(()), Durability::Buffered { .. }) => Promise::Buffered,
            };
            self.oracle.answered(request, life.process.id(), promise);
            self.expect_code(&answer);
        }
        if flushed {
            self.oracle.flushed(life.process.id());
        }
    }

    fn expect_code(&self, answer: &Result<(), OtlpError>) {
        if let Err(error) = answer {
            assert!(error.retryable(), "seed {}: a failing disk answered {error}", self.seed);
        }
    }

    /// Reads everything while the stores work.
    fn look(&mut self, lives: &[Life]) {
        let at = self.rng.index(lives.len());
        if lives.iter().any(|life| !life.process.is_alive()) {
            return;
        }
        let faults = self.disk.pause_faults();
        let found = self.oracle.check(&lives[at].store);
        self.disk.resume_faults(faults);
        if let Err(wrong) = found {
            panic!("seed {}: {wrong}", self.seed);
        }
    }

    /// Ends one process; the other lives on.
    fn kill_one(&mut self, lives: &mut Vec<Life>) {
        let life = lives.swap_remove(self.rng.index(lives.len()));
        life.process.kill();
        life.store.close(Instant::now());
        self.oracle.died(life.process.id());
        *self.ends.entry("kill of one of two").or_default() += 1;
    }

    fn end(&mut self, lives: &mut Vec<Life>, end: End) {
        let name = match end {
            End::Close => "close",
            End::Kill => "kill",
            End::PowerCut => "power cut",
        };
        *self.ends.entry(name).or_default() += 1;
        if std::env::var_os("OTLP_ARROW_TRACE").is_some() {
            eprintln!("---- {name}");
        }
        let died = lives.iter().any(|life| !life.process.is_alive());
        match end {
            End::Close if !died => {
                self.disk.pause_faults();
                for life in lives.drain(..) {
                    let report = life.store.close(Instant::now() + Duration::from_secs(10));
                    if life.process.is_alive() {
                        assert_eq!(report.uncommitted_records, 0, "seed {}", self.seed);
                        self.oracle.flushed(life.process.id());
                    }
                }
            }
            End::Close | End::Kill => self.disk.kill_all(),
            End::PowerCut => {
                self.disk.cut_power(&mut self.rng);
                self.oracle.power_cut();
            }
        }
        for life in lives.drain(..) {
            life.store.close(Instant::now());
        }
        self.disk.kill_all();
        self.disk.pause_faults();
        self.oracle.ended();
    }

    /// Opens once more on a disk that works, and looks at everything that is left.
    fn check_at_rest(&mut self) {
        for round in 0..2 {
            let life = self.open();
            if let Err(wrong) = self.oracle.check(&life.store) {
                panic!("seed {}, round {round}: {wrong}\n{}", self.seed, self.listing());
            }
            let report = life.store.close(Instant::now() + Duration::from_secs(10));
            assert_eq!(report.unsealed_files, 0, "seed {}", self.seed);
        }
        if self.oracle.may_delete {
            let life = self.open();
            life.store.maintain();
            life.store.close(Instant::now() + Duration::from_secs(10));
            let data = self.disk.dump().into_iter().filter(|(path, _)| path.starts_with("/out/telemetry/otlp"));
            let bytes: u64 = data.map(|(_, bytes)| bytes.len() as u64).sum();
            let most = self.config.retention.max_bytes;
            assert!(bytes <= most, "seed {}: {bytes} bytes of data where {most} may be\n{}", self.seed, self.listing());
        }
        let left: Vec<_> = self
            .disk
            .dump()
            .into_keys()
            .filter(|path| {
                path.extension().is_some_and(|extension| extension == "arrows" || extension == "lock")
                    && !path.ends_with("maintenance.lock")
                    && !path.starts_with("/out/telemetry/quarantine")
                    || path.starts_with("/out/telemetry/tmp")
            })
            .collect();
        assert!(left.is_empty(), "seed {}: {left:?} is left", self.seed);
    }

    fn listing(&self) -> String {
        let files = self.disk.dump();
        files.iter().map(|(path, bytes)| format!("{} {}\n", path.display(), bytes.len())).collect()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// What many schedules met.
#[derive(Default)]
struct Tally {
    schedules: u64,
    ends: BTreeMap<&'static str, u64>,
    injected: BTreeMap<Op, u64>,
    found: support::oracle::Found,
}

impl Tally {
    fn run(&mut self, seed: u64) {
        let mut schedule = Schedule::new(seed);
        schedule.run();
        self.schedules += 1;
        for (end, count) in schedule.ends {
            *self.ends.entry(end).or_insert(0) += count;
        }
        for (op, count) in schedule.disk.injected() {
            *self.injected.entry(op).or_insert(0) += count;
        }
        self.found.add(&schedule.oracle.found);
    }

    fn add(&mut self, other: Tally) {
        self.schedules += other.schedules;
        other.ends.into_iter().for_each(|(end, count)| *self.ends.entry(end).or_insert(0) += count);
        other.injected.into_iter().for_each(|(op, count)| *self.injected.entry(op).or_insert(0) += count);
        self.found.add(&other.found);
    }
}

/// Stops the other threads when one of them panics.
struct StopAll<'a>(&'a AtomicBool);

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs schedules on `threads` threads, each taking the next seed when it is done with one.
fn run_all(seeds: std::ops::Range<u64>, threads: u64) -> Tally {
    let (next, stop, began) = (AtomicU64::new(seeds.start), AtomicBool::new(false), Instant::now());
    let work = || {
        let _stop = StopAll(&stop);
        let mut tally = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            tally.run(seed);
            let done = seed - seeds.start;
            if done > 0 && done.is_multiple_of(5000) {
                eprintln!("{done} schedules after {:.0} s", began.elapsed().as_secs_f64());
            }
        }
        tally
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Tally::default();
        for thread in threads {
            match thread.join() {
                Ok(tally) => all.add(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

#[test]
fn what_was_promised_is_kept_through_faults_and_crashes() {
    let seeds = match number("OTLP_ARROW_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("OTLP_ARROW_FIRST_SEED").unwrap_or(0);
            first..first + number("OTLP_ARROW_SCHEDULES").unwrap_or(120)
        }
    };
    // A schedule waits for its threads a good part of the time.
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get() as u64);
    let Tally { schedules, ends, injected, found } = run_all(seeds, number("OTLP_ARROW_THREADS").unwrap_or(2 * cores));
    eprintln!("{schedules} schedules: {ends:?}; {found:?}; faults {injected:?}");
    if schedules >= 100 {
        // A schedule that meets nothing proves nothing.
        assert!(ends.len() == 4 && injected.len() >= 10, "{ends:?} {injected:?}");
        assert!(found.kept > 0 && found.unpromised_kept > 0 && found.unpromised_lost > 0, "{found:?}");
        assert!(found.evicted > 0, "{found:?}");
    }
}

/// Everything synced, one file a signal.
fn steady() -> Settings {
    Settings { durability: Durability::Synced, commit_interval: Duration::ZERO, ..settings("/out/telemetry") }
}

#[test]
fn a_batch_whose_sync_failed_is_there_once_when_a_power_cut_brings_it_back() {
    let mut failed = 0;
    for seed in 0..60 {
        let mut schedule = Schedule::new(seed);
        schedule.config = steady();
        schedule.oracle.may_delete = false;
        let mut lives = vec![schedule.open()];
        for _ in 0..seed % 3 {
            schedule.append(&lives[0]);
        }
        schedule.disk.set_faults(Faults { one_in: [(Op::Sync, 2)].into() });
        schedule.append(&lives[0]);
        failed += schedule.disk.injected().get(&Op::Sync).copied().unwrap_or(0);
        schedule.end(&mut lives, End::PowerCut);
        schedule.check_at_rest();
    }
    assert!(failed >= 20, "{failed} syncs failed");
}

#[test]
fn a_sealed_file_survives_that_was_named_and_not_synced_before_its_writer_ended() {
    // Died in the sync of the directory after the rename; the next one deleted the stream; then the power went.
    let mut cut = 0;
    for seed in 0..150 {
        let mut schedule = Schedule::new(seed);
        schedule.config = steady();
        schedule.oracle.may_delete = false;
        let mut lives = vec![schedule.open()];
        schedule.append(&lives[0]);
        schedule.end(&mut lives, End::Kill);
        // Recovery dies at one of its first steps, and so does the next one.
        for _ in 0..2 {
            schedule.disk.light_fuse(20 + seed % 40);
            let mut lives = vec![schedule.open()];
            cut += u32::from(!lives[0].process.is_alive());
            schedule.end(&mut lives, End::Kill);
        }
        let mut lives = vec![schedule.open()];
        schedule.end(&mut lives, End::PowerCut);
        schedule.check_at_rest();
    }
    assert!(cut >= 100, "{cut} recoveries ended early");
}

#[test]
fn a_stream_comes_to_rest_in_quarantine_though_a_power_cut_brought_it_back_before() {
    let disk = Disk::new(7);
    let mut schedule = Schedule::new(7);
    (schedule.config, schedule.disk) = (steady(), Arc::clone(&disk));
    let name = "otlp/logs/20251121T110203.123Z-00000000000000aa-00000001.arrows";
    for _ in 0..3 {
        let process = disk.process();
        let path = schedule.config.output_dir.join(name);
        process.create_dir_all(path.parent().unwrap()).unwrap();
        process.create(&path).unwrap().append(&[0xa5; 777]).unwrap();
        let life = schedule.open();
        life.store.close(Instant::now() + Duration::from_secs(10));
    }
    let aside = disk
        .dump()
        .into_iter()
        .filter(|(path, bytes)| path.starts_with("/out/telemetry/quarantine") && bytes.len() == 777);
    assert_eq!(aside.count(), 3, "{}", schedule.listing());
    schedule.check_at_rest();
}
