//! The receivers: each a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use hyper::body::Bytes;
use otlp_arrow::internal::{Doors, Hops, Ingest, Kept, Sent};
use otlp_arrow::internal::{Protocol, Stats};
use otlp_arrow::{Config, ExportOutcome, Result, Signal};
use otlp_arrow_columns::StoredBatch;
use otlp_arrow_store::budget::{Budget, Reservation};

use crate::accounting::Used;
use crate::tonic;

/// Who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// Our doors, the bytes dropped: baseline 0.
    Drop,
    /// Our doors, the bytes appended to a file: baseline 1.
    Append,
    /// tonic with a codec that hands over bytes, appended likewise: baseline 1 of the table.
    Tonic,
    /// `otlp-arrow serve` with this durability.
    Serve(&'static str),
    /// The Collector with a file, uncompressed.
    Collector,
    /// The Collector with a zstd file.
    CollectorZstd,
}

impl Receiver {
    /// A name for the table.
    pub(crate) fn name(self) -> String {
        match self {
            Receiver::Drop => "drop".into(),
            Receiver::Append => "append".into(),
            Receiver::Tonic => "append, tonic".into(),
            Receiver::Serve(durability) => format!("serve, {durability}"),
            Receiver::Collector => "Collector, file".into(),
            Receiver::CollectorZstd => "Collector, zstd file".into(),
        }
    }
}

/// A receiving process; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// The process.
    pub(crate) child: Child,
    /// Where it takes OTLP/gRPC.
    pub(crate) address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts one. `binary` is `otlp-arrow`, `collector` the one of `bench/collector`.
    pub(crate) fn start(receiver: Receiver, binary: &Path, collector: &Path) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let quiet = || Stdio::from(File::create(dir.path().join("stderr")).unwrap());
        let mut command = match receiver {
            Receiver::Drop | Receiver::Append | Receiver::Tonic => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                let kind = match receiver {
                    Receiver::Drop => "drop",
                    Receiver::Append => "append",
                    _ => "tonic",
                };
                command.args(["--serve", kind]).arg(dir.path()).stdin(Stdio::piped());
                command
            }
            Receiver::Serve(durability) => {
                let mut command = Command::new(binary);
                command.args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--output-dir"]);
                command.arg(dir.path()).args(["--durability", durability]);
                command
            }
            Receiver::Collector | Receiver::CollectorZstd => return Self::collector(receiver, collector, dir),
        };
        let mut child = command.stdout(Stdio::piped()).stderr(quiet()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(std::result::Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("http://")?;
            rest.split(' ').next()?.parse().ok()
        });
        let address = address.expect("the server says where it listens");
        Self { child, address, dir }
    }

    fn collector(receiver: Receiver, binary: &Path, dir: tempfile::TempDir) -> Self {
        // It cannot say which port it was given, so a free one is looked for.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let compression = if receiver == Receiver::Collector { "none" } else { "zstd" };
        let file = dir.path().join("otlp.pb");
        let config = format!(
            "{{receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{address}'}}}}}}}}, \
             exporters: {{file: {{path: '{}', compression: {compression}}}}}, \
             service: {{telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}, pipelines: {{\
             traces: {{receivers: [otlp], exporters: [file]}}, metrics: {{receivers: [otlp], exporters: [file]}}, \
             logs: {{receivers: [otlp], exporters: [file]}}}}}}}}",
            file.display()
        );
        let child = Command::new(binary)
            .args(["--config", &format!("yaml:{config}")])
            .stdout(Stdio::null())
            .stderr(File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let server = Self { child, address, dir };
        let late = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            let said = || std::fs::read_to_string(server.dir.path().join("stderr")).unwrap();
            assert!(Instant::now() < late, "the Collector does not listen: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Ends `otlp-arrow serve` politely, which seals what is live; CPU seconds that took.
    pub(crate) fn end(&mut self) -> f64 {
        let before = Used::by(&self.child);
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        // Until it is waited for, the system keeps the account of a process that has ended.
        let late = Instant::now() + Duration::from_secs(60);
        while !Used::has_ended(&self.child) {
            assert!(Instant::now() < late, "the service does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        Used::by(&self.child).since(before).total
    }

    /// The data files of a signal: those that are sealed, and those that are not.
    pub(crate) fn files(&self, signal: Signal) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let dir = self.dir.path().join("otlp").join(signal.as_str());
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let (sealed, live): (Vec<PathBuf>, Vec<PathBuf>) =
            entries.partition(|path| path.extension().is_some_and(|extension| extension == "arrow"));
        (sealed, live)
    }
}

/// A file that is cut back when it is as long as a live file gets.
#[derive(Debug)]
pub(crate) struct Cut {
    file: File,
    written: u64,
    max: u64,
}

impl Cut {
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
        self.written += bytes.len() as u64;
        if self.written >= self.max {
            self.file.set_len(0).unwrap();
            self.written = 0;
        }
    }
}

/// The baselines on our doors: what they hand over is dropped or appended.
struct Baseline {
    budget: Arc<Budget>,
    stats: Arc<Stats>,
    file: Option<Mutex<Cut>>,
}

impl Ingest for Baseline {
    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    fn accept(&self, _: Signal, _: Protocol, bytes: Bytes, _: Reservation, _: Hops) -> Result<(ExportOutcome, Kept)> {
        match &self.file {
            None => drop(std::hint::black_box(bytes)),
            Some(file) => file.lock().unwrap().append(&bytes),
        }
        Ok((ExportOutcome::default(), Box::pin(std::future::ready(Ok(())))))
    }

    fn append(
        &self,
        _: Signal,
        _: Protocol,
        batches: Vec<RecordBatch>,
        _: Reservation,
        _: Sent,
    ) -> Result<(ExportOutcome, Kept)> {
        std::hint::black_box(batches);
        Ok((ExportOutcome::default(), Box::pin(std::future::ready(Ok(())))))
    }

    fn store(&self, _: Protocol, rows: StoredBatch, _: Reservation, _: Hops) -> Result<(ExportOutcome, Kept)> {
        std::hint::black_box(rows);
        Ok((ExportOutcome::default(), Box::pin(std::future::ready(Ok(())))))
    }

    fn ready(&self) -> Result<()> {
        Ok(())
    }
}

/// Runs a baseline until standard input ends.
pub(crate) fn baseline(arguments: &[String]) {
    let [kind, dir] = arguments else { panic!("--serve KIND DIR") };
    let mut config = Config { output_dir: dir.into(), ..Config::default() };
    let file = File::options().create(true).append(true).open(Path::new(dir).join("bytes")).unwrap();
    let file = Cut { file, written: 0, max: config.rotation.max_bytes };
    if kind == "tonic" {
        return tonic::serve(file);
    }
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    let ingest = Baseline {
        budget: Arc::new(Budget::new(config.buffer.max_bytes)),
        stats: Arc::default(),
        file: (kind == "append").then(|| Mutex::new(file)),
    };
    let doors = Doors::open(&config, Arc::new(ingest)).unwrap();
    println!("http://{} ", doors.addresses().grpc.unwrap());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// The page cache of a fresh virtual machine costs more than everything else: takes 1 GiB of it into use.
pub(crate) fn warm_page_cache() {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let chunk = vec![0x5a; 1 << 20];
    for _ in 0..1024 {
        file.write_all(&chunk).unwrap();
    }
}
