//! The standalone binary under limits that the system sets a process.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_otlp-arrow");

/// A service that `limit`, a line of shell, holds for; ended when dropped.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(limit: &str, dir: &Path) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{limit} && exec \"$0\" serve --grpc off --http 127.0.0.1:0 --output-dir \"$1\"")])
            .arg(BINARY)
            .arg(dir)
            .current_dir(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| Some(line.unwrap().split_once("http://")?.1.split(' ').next()?.to_owned()))
            .expect("it says where it listens");
        Self { child, address }
    }

    /// The status that one request of a log record of this body is answered with.
    fn send(&self, body: &str) -> u16 {
        let request = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1","body":{{"stringValue":"{body}"}}}}]}}]}}]}}"#
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "POST /v1/logs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{request}",
            request.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Ends it as Ctrl-C would; its exit code.
    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_limit_of_file_sizes_costs_another_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let body = "x".repeat(60_000);
    // 512 bytes a block, 1,024 in some shells: far less than what rotates a file.
    let service = Service::start("ulimit -f 1000", dir.path());
    for record in 0..60 {
        assert_eq!(service.send(&body), 200, "record {record}");
    }
    let inspect = || {
        let done = Command::new(BINARY).args(["inspect", "--json"]).arg(dir.path()).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap()["signals"]["logs"].clone()
    };
    assert_eq!(inspect()["records"], 60);
    assert_eq!(service.end(), Some(0));
    let after = inspect();
    assert_eq!(after["records"], 60);
    assert!(after["files"]["sealed"].as_u64().unwrap() > 2, "{after}");
}

#[test]
fn few_open_files_make_it_slower_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start("ulimit -n 24", dir.path());
    // More connections than there are descriptors: those that wait take no part.
    let idle: Vec<_> = (0..40).filter_map(|_| TcpStream::connect(&service.address).ok()).collect();
    drop(idle);
    for record in 0..20 {
        let deadline = Instant::now() + Duration::from_secs(20);
        while service.send("x") != 200 {
            assert!(Instant::now() < deadline, "record {record}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert_eq!(service.end(), Some(0));
    let done = Command::new(BINARY).args(["inspect", "--json"]).arg(dir.path()).output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (&found["signals"]["logs"]["records"], &found["signals"]["logs"]["files"]["live"]),
        (&20.into(), &0.into())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_no_text_is_a_path() {
    use std::os::unix::ffi::OsStringExt;
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join(std::ffi::OsString::from_vec(b"caf\xe9-logs.jsonl".to_vec()));
    let output = dir.path().join(std::ffi::OsString::from_vec(b"caf\xe9.arrow".to_vec()));
    let line = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"x"}}]}]}]}"#;
    std::fs::write(&input, line).unwrap();
    let done = Command::new(BINARY).arg("convert").arg(&input).arg("--output").arg(&output).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(output.exists());
    let done = Command::new(BINARY).arg("inspect").arg(&output).output().unwrap();
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 record"), "{done:?}");
}
