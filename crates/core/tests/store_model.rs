//! The store against a model: seeded schedules of appends, rotation, sealing, crashes, power cuts and adoption on a faulty
//! disk. After each end of a process everything it promised is there, once, cell by cell, and nothing else is.
//!
//! `OTLP_ARROW_SCHEDULES=100000` makes a long run, from `OTLP_ARROW_FIRST_SEED` on; `OTLP_ARROW_SEED=7` replays one
//! schedule, `OTLP_ARROW_TRACE=1` prints what it does to the disk.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_arrow::config::{Config, Durability};
use otlp_arrow::store::Store;
use otlp_arrow::store::storage::Storage;
use otlp_arrow::{OtlpError, Signal};
use otlp_arrow_testkit::rng::Rng;
use support::disk::{Disk, Faults, Op, Process};
use support::oracle::{Oracle, Promise};

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
    config: Config,
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
        let mut config = Config { output_dir: "/out/telemetry".into(), durability, ..Config::default() };
        config.commit_interval = Duration::from_micros(rng.below(2) * 200);
        config.rotation.max_bytes = 1 << (12 + rng.below(6));
        if rng.one_in(3) {
            config.sealing.compression = otlp_arrow::config::SealingCompression::None;
        }
        Self { seed, disk: Disk::new(seed), config, oracle: Oracle::new(seed), rng, ends: BTreeMap::new() }
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
        let store = Store::open(&self.config, storage, Arc::new(|_| {})).unwrap();
        Life { process, store }
    }

    /// Appends some requests at once, so that some of them share a commit.
    fn append(&mut self, life: &Life) {
        let mut waiting = Vec::new();
        for _ in 0..1 + self.rng.below(4) {
            let signal = *self.rng.pick(&Signal::ALL);
            let (request, bytes, checked) = self.oracle.request(signal);
            let reservation = life.store.budget().reserve(signal, bytes.len() + checked.arrow_bytes).unwrap();
            let answer = life.store.append(signal, otlp_arrow::store::Request { bytes, checked, reservation });
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
                self.oracle.sync_failed |= self.disk.injected().contains_key(&Op::Sync);
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

#[test]
fn what_was_promised_is_kept_through_faults_and_crashes() {
    let seeds = match number("OTLP_ARROW_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("OTLP_ARROW_FIRST_SEED").unwrap_or(0);
            first..first + number("OTLP_ARROW_SCHEDULES").unwrap_or(120)
        }
    };
    let (mut ends, mut injected) = (BTreeMap::new(), BTreeMap::new());
    let mut found = support::oracle::Found::default();
    for seed in seeds.clone() {
        let mut schedule = Schedule::new(seed);
        schedule.run();
        for (end, count) in schedule.ends {
            *ends.entry(end).or_insert(0) += count;
        }
        for (op, count) in schedule.disk.injected() {
            *injected.entry(op).or_insert(0) += count;
        }
        found.add(&schedule.oracle.found);
    }
    eprintln!("{} schedules: {ends:?}; {found:?}; faults {injected:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start >= 100 {
        // A schedule that meets nothing proves nothing.
        assert!(ends.len() == 3 && injected.len() >= 10, "{ends:?} {injected:?}");
        assert!(found.kept > 0 && found.unpromised_kept > 0 && found.unpromised_lost > 0, "{found:?}");
    }
}
