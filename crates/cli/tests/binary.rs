//! The compiled binary: starts, stops when asked, and passes the exit code on.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::process::Command;

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otlp-arrow"));
    command.current_dir(std::env::temp_dir());
    command
}

#[test]
fn exit_codes_and_streams_are_passed_on() {
    let help = binary().arg("--help").output().unwrap();
    assert!(help.status.success() && help.stderr.is_empty());
    assert!(String::from_utf8(help.stdout).unwrap().contains("otlp-arrow serve"));
    let wrong = binary().arg("fly").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty() && !wrong.stderr.is_empty());
    let failed = binary().args(["tail", "--output-dir", "/nowhere/at/all"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn serve_drains_on_sigterm_and_logs_to_standard_error_only() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    let dir = tempfile::tempdir().unwrap();
    let mut service = binary()
        .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--set", "log.format=json", "--output-dir"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(service.stdout.take().unwrap());
    let mut said = String::new();
    while said.matches("listening on http://127.0.0.1:").count() < 2 {
        assert!(out.read_line(&mut said).unwrap() > 0, "ended early: {said}");
    }
    let killed = Command::new("kill").args(["-TERM", &service.id().to_string()]).status().unwrap();
    assert!(killed.success());
    out.read_to_string(&mut said).unwrap();
    assert!(service.wait().unwrap().success());
    assert!(said.ends_with("kept 0 spans, 0 data points and 0 log records\n"), "{said}");
    let mut err = String::new();
    service.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(err.contains("SIGTERM: writing what was accepted"), "{err}");
}

#[cfg(unix)]
#[test]
fn tail_follows_until_it_is_interrupted() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let dir = tempfile::tempdir().unwrap();
    assert!(binary().args(["demo", "--output-dir"]).arg(dir.path()).output().unwrap().status.success());
    let mut tail = binary()
        .args(["tail", "logs", "--follow", "-n", "1", "--output-dir"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("order"), "{line}");
    let killed = Command::new("kill").args(["-INT", &tail.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(tail.wait().unwrap().code(), Some(0));
}
