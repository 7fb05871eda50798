//! Processes that are killed while batches of OTAP come: what was acknowledged is there, in whole, once, and nothing is there that
//! was not sent. `OTLP_ARROW_OTAP_KILLS` says how often.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};

use bytes::{Bytes, BytesMut};
use futures::channel::mpsc;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use otlp_arrow::{Config, Format, OtlpLibrary, ReadOptions, Signal};
use otlp_arrow_columns::otap::encode::{Encoder, Options};
use otlp_arrow_testkit::harness::{Process, again, main as main_of};
use otlp_arrow_testkit::http::{framed, h2};
use otlp_arrow_testkit::{numbered, tests};
use otlp_arrow_wire::otap::{BatchStatus, path};

/// The process that records; its job is the directory.
const RECORDING: Process = ("OTLP_ARROW_TEST_OTAP_CHILD", child);
/// Records of one batch.
const RECORDS: u64 = 20;
/// Rounds that share one directory, so that each start recovers what the rounds before left.
const ERA: usize = 10;

fn main() -> ExitCode {
    main_of(&[RECORDING], &tests![nothing_acknowledged_is_lost])
}

fn config(dir: &Path) -> Config {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 1;
    config.rotation.max_bytes = 64 << 10;
    config
}

/// Takes what comes until it is killed.
fn child(job: &str) {
    let mut config = config(Path::new(job));
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    let library = OtlpLibrary::open(config).unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "{}", library.addresses().grpc.unwrap()).unwrap();
    out.flush().unwrap();
    loop {
        std::thread::park();
    }
}

fn start(dir: &Path) -> (Child, SocketAddr) {
    let mut command = again(RECORDING, &dir.display().to_string());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().parse().unwrap())
}

/// What one directory should have.
#[derive(Default)]
struct Oracle {
    /// First numbers of the batches that were sent, and of those that were acknowledged.
    sent: BTreeSet<u64>,
    kept: BTreeSet<u64>,
}

impl Oracle {
    /// Sends batches on one stream, and kills the process after so many answers.
    async fn round(&mut self, mut child: Child, address: SocketAddr, kill: usize) {
        let (sender, receiver) = mpsc::unbounded::<Result<Frame<Bytes>, std::io::Error>>();
        let request = http::Request::post(format!("http://test{}", path(Signal::Logs)));
        let request = request.header("content-type", "application/grpc").body(StreamBody::new(receiver)).unwrap();
        let mut connection = h2(address).await;
        let mut answer = connection.send_request(request).await.unwrap().into_body();
        let mut encoder = Encoder::new(Signal::Logs, &Options::default());
        let first = self.sent.last().map_or(0, |last| last + RECORDS);
        let mut begins = Vec::new();
        let mut send = |begins: &mut Vec<u64>| {
            let begin = first + begins.len() as u64 * RECORDS;
            let rows =
                otlp_arrow::decode(Signal::Logs, &numbered::logs(begin..begin + RECORDS), Format::Protobuf).unwrap();
            let message = encoder.encode(&rows.batch, begins.len() as i64).unwrap().message;
            begins.push(begin);
            let _ = sender.unbounded_send(Ok(Frame::data(framed(0, &message))));
        };
        // Several are on their way at any time.
        (0..8).for_each(|_| send(&mut begins));
        let (mut got, mut answers) = (BytesMut::new(), 0);
        while let Some(Ok(frame)) = answer.frame().await {
            let Ok(data) = frame.into_data() else { break };
            got.extend_from_slice(&data);
            while let Some(prefix) = got.first_chunk::<5>() {
                let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
                if got.len() < 5 + length {
                    break;
                }
                let status = BatchStatus::read(&got.split_to(5 + length)[5..]).unwrap();
                assert_eq!(status.code, 0, "{}", status.message);
                self.kept.insert(begins[status.batch_id as usize]);
                answers += 1;
                if answers == kill {
                    child.kill().unwrap();
                }
                send(&mut begins);
            }
        }
        child.wait().unwrap();
        assert!(answers >= kill, "{answers} answers");
        self.sent.extend(begins);
    }

    fn check(&self, dir: &Path) {
        let library = OtlpLibrary::open(config(dir)).unwrap();
        let mut found: BTreeMap<u64, u64> = BTreeMap::new();
        for batch in library.read(Signal::Logs, &ReadOptions::default()).unwrap() {
            for number in numbered::numbers(&batch.unwrap()) {
                *found.entry(number).or_default() += 1;
            }
        }
        library.shutdown_blocking(None).unwrap();
        assert!(found.values().all(|times| *times == 1), "something is there twice");
        let whole = |begin: &u64| (*begin..begin + RECORDS).filter(|number| found.contains_key(number)).count() as u64;
        for begin in &self.kept {
            assert_eq!(whole(begin), RECORDS, "the batch from {begin} on was acknowledged");
        }
        let parts = self.sent.iter().map(whole).collect::<Vec<_>>();
        assert!(parts.iter().all(|count| [0, RECORDS].contains(count)), "a batch is there in part");
        assert_eq!(parts.iter().sum::<u64>(), found.len() as u64, "something is there that was not sent");
    }
}

fn nothing_acknowledged_is_lost() {
    let rounds: usize = std::env::var("OTLP_ARROW_OTAP_KILLS").map_or(6, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut state = 9_usize;
    let mut kept = 0;
    for era in 0..rounds.div_ceil(ERA) {
        let dir = tempfile::tempdir().unwrap();
        let mut oracle = Oracle::default();
        for _ in 0..ERA.min(rounds - era * ERA) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (child, address) = start(dir.path());
            runtime.block_on(oracle.round(child, address, 1 + (state >> 33) % 60));
            oracle.check(dir.path());
        }
        kept += oracle.kept.len();
    }
    assert!(kept >= rounds);
}
