//! Small requests are gathered: what a commit costs is shared by those that wait for it.

use std::time::Instant;

use futures::executor::block_on;
use futures::future::join_all;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::{Limits, Payload};
use otlp_arrow_store::Request;
use otlp_arrow_store::file::compact;
use otlp_arrow_store::file::scan::{self, Check};
use otlp_arrow_store::storage::Storage;
use otlp_arrow_store::storage_os::OsStorage;
use otlp_arrow_testkit::payload::Kind;

use crate::settings::settings;
use crate::support::open;

/// What issue 5 allows a record of a request of its own: live and sealed.
const LIVE: u64 = 1500;
const SEALED: u64 = 150;
const REQUESTS: u64 = 2000;

/// The first file in `dir` with this extension.
fn only(dir: &std::path::Path, extension: &str) -> std::path::PathBuf {
    let mut paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|other| other == extension)).unwrap()
}

#[test]
fn a_request_of_one_record_pays_for_a_small_part_of_a_commit() {
    for (signal, kind) in [
        (Signal::Traces, Kind::Spans { attributes: 7 }),
        (Signal::Logs, Kind::Logs { body: 140 }),
        (Signal::Metrics, Kind::Numbers),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let config = settings(dir.path());
        let store = open(&config);
        let requests: Vec<Request> = kind
            .in_requests(REQUESTS as usize, 1, 7)
            .into_iter()
            .map(|bytes| {
                let bytes = bytes::Bytes::from(bytes);
                let checked = otlp_arrow_columns::check(signal, &bytes, &Limits::default()).unwrap();
                let reservation = store.budget().reserve(signal, bytes.len() + checked.arrow_bytes).unwrap();
                let payload = Payload::Otlp { signal, bytes, checked };
                Request { payload, reservation, hops: Default::default(), urgent: false, key: None }
            })
            .collect();
        let waiting: usize = requests.iter().map(|request| request.payload.arrow_bytes()).sum();
        let began = Instant::now();
        let kept = join_all(requests.into_iter().map(|request| store.append(request)));
        block_on(kept).into_iter().collect::<Result<(), _>>().unwrap();
        let files = dir.path().join("otlp").join(signal.as_str());
        let live = OsStorage.open(&only(&files, "arrows")).unwrap();
        let found = scan::stream(&*live, Check::Full).unwrap();
        let intervals = began.elapsed().as_nanos() / config.commit_interval.as_nanos();
        drop(live);
        assert_eq!(found.rows(), REQUESTS);
        // One at once, one at the end of each interval, and one for each 64 KiB that wait.
        let most = 2 + intervals as usize + waiting / (64 << 10);
        assert!(found.commits.len() <= most, "{signal}: {} commits, {most} at most", found.commits.len());
        let live = found.valid_len() / REQUESTS;
        store.close(Instant::now() + std::time::Duration::from_secs(60));
        let sealed = compact::check(&*OsStorage.open(&only(&files, "arrow")).unwrap()).unwrap().unwrap();
        assert_eq!(sealed.rows, REQUESTS);
        let sealed = sealed.bytes / REQUESTS;
        println!("{signal}: {live} bytes a record live in {} commits, {sealed} sealed", found.commits.len());
        assert!(live <= LIVE && sealed <= SEALED, "{signal}: {live} and {sealed} bytes a record");
    }
}
