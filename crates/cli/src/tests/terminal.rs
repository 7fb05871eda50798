//! What `tail` and `trace` look like on a terminal: narrow and wide, with colours and without, whatever is in them.

use futures::executor::block_on;
use otlp_arrow::Signal;
use serde_json::{Value, json};

use super::{TRACE, cli, export, group, log, ok, open, recorded, text};
use crate::ask::grid::columns;
use crate::io::{Io, Terminal};
use crate::run_with;

fn shown(arguments: &[&str], width: usize, colours: bool) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = Terminal { colours, shows_output: true, width: Some(width), ..Terminal::default() };
    let code = run_with(arguments.iter().map(Into::into).collect(), &mut Io { out: &mut out, err: &mut err, terminal });
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&err));
    String::from_utf8(out).unwrap()
}

/// A line without the colours that are ours.
fn bare(line: &str) -> String {
    let mut out = String::new();
    for (at, part) in line.split("\x1b[").enumerate() {
        out.push_str(if at == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    out
}

const HOSTILE: [&str; 4] =
    ["\u{1b}[2J\u{1b}]0;owned\u{7}", "\u{202e}gpj.exe\u{2066}", "two\nlines\r\u{8}\u{8}", "\u{1b}[31mred\u{1b}[0m"];

fn noisy() -> tempfile::TempDir {
    let dir = recorded();
    let library = open(dir.path());
    for second in 200..230 {
        export(&library, Signal::Logs, &log("web", second, "the same again"));
    }
    export(&library, Signal::Logs, &log("a-service-with-quite-a-long-name", 231, "x".repeat(300).as_str()));
    for (at, hostile) in (0..).zip(HOSTILE) {
        export(&library, Signal::Logs, &log(hostile, 240 + at, hostile));
    }
    export(&library, Signal::Logs, &log("日本", 250, "日本語のログ"));
    block_on(library.shutdown(None)).unwrap();
    dir
}

#[test]
fn tail_is_aligned_folds_what_repeats_and_fits_any_terminal() {
    let dir = noisy();
    for (width, colours) in [(40, false), (60, true), (80, true), (200, false)] {
        let out = shown(&["tail", "logs", "-n", "100", "--output-dir", text(dir.path())], width, colours);
        let lines: Vec<String> = out.lines().map(bare).collect();
        assert!(lines.iter().all(|line| columns(line) <= width), "{width}\n{out}");
        assert!(lines[0].starts_with("── 1970-01-01 ──"), "{out}");
        let same: Vec<&String> =
            lines.iter().filter(|line| line.contains("the same again") || line.contains("×30")).collect();
        assert!(same.len() == 1 && same[0].contains("×30  the s"), "{out}");
        // What is said begins in one column.
        let at: std::collections::BTreeSet<usize> = lines
            .iter()
            .filter(|line| line.contains("INFO"))
            .map(|line| columns(&line[..line.find("INFO").unwrap()]))
            .collect();
        assert!(width < 60 || at.len() == 1, "{out}");
        assert_eq!(out.contains('\x1b'), colours, "{out}");
        for c in out.chars() {
            assert!(!matches!(c, '\u{7}' | '\u{8}' | '\r' | '\u{202e}' | '\u{2066}'), "{c:?} in {out}");
        }
        assert!(!out.contains("\x1b[2J") && !out.contains("\x1b]"), "{out}");
    }
    // All that is a colour is one of ours, and a service has the same one each time.
    let first = shown(&["tail", "logs", "--output-dir", text(dir.path())], 120, true);
    assert_eq!(first, shown(&["tail", "logs", "--output-dir", text(dir.path())], 120, true));
    // Elsewhere than on a terminal nothing is folded or cut.
    let plain = ok(&["tail", "logs", "-n", "100", "--output-dir", text(dir.path())]);
    assert_eq!(plain.lines().count(), 37, "{plain}");
    assert!(plain.contains(&"x".repeat(300)) && !plain.contains('\x1b'), "{plain}");
}

#[test]
fn spans_that_are_alike_are_one_line_with_their_durations() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let start = |at: u64| (1_795_246_895_000_000_000 + at * 10_000_000).to_string();
    let end = |at: u64| (1_795_246_895_000_000_000 + at * 10_000_000 + (at + 1) * 1_000_000).to_string();
    let span = |at: u64| {
        json!({"traceId": TRACE, "spanId": format!("{:016x}", at + 1), "name": "SELECT items", "kind": 3,
        "startTimeUnixNano": start(at), "endTimeUnixNano": end(at)})
    };
    let spans = Value::Array((0..7).map(span).collect());
    export(&library, Signal::Traces, &json!({"resourceSpans": group("db", "spans", "scopeSpans", spans)}));
    block_on(library.shutdown(None)).unwrap();
    let out = shown(&["tail", "traces", "--output-dir", text(dir.path())], 80, false);
    assert!(out.contains("db  ×7  SELECT items  1ms–7ms  5b8efff7"), "{out}");
}

#[test]
fn tail_has_each_record_as_json() {
    let dir = noisy();
    let out = ok(&["tail", "--json", "-n", "100", "--output-dir", text(dir.path())]);
    let records: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 41);
    let of = |signal: &str| records.iter().filter(|record| record["signal"] == signal).count();
    assert_eq!((of("traces"), of("logs")), (4, 37));
    let charge = records.iter().find(|record| record["name"] == "charge").unwrap();
    assert_eq!(
        (&charge["status"], &charge["trace_id"], &charge["events"][0]["name"]),
        (&json!("error"), &json!(TRACE), &json!("exception"))
    );
    assert!(records.iter().any(|record| record["body"] == HOSTILE[0]), "it says the same");
    assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{out}");
    let on_a_terminal = shown(&["tail", "logs", "--json", "-n", "2", "--output-dir", text(dir.path())], 40, true);
    assert_eq!(on_a_terminal.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 2);
}

#[test]
fn a_trace_is_drawn_with_bars_in_any_width() {
    let dir = recorded();
    let arguments = ["trace", &TRACE[..12], "--output-dir", text(dir.path())];
    for (width, colours) in [(40, false), (60, true), (100, true), (220, false)] {
        let out = shown(&arguments, width, colours);
        let lines: Vec<String> = out.lines().map(bare).collect();
        for line in lines.iter().skip(1).filter(|line| line.contains('█') || line.contains("ms")) {
            assert!(columns(line) <= width + "  ◀ slowest".len(), "{width}: {line}\n{out}");
        }
        let bars: Vec<&String> = lines.iter().filter(|line| line.contains('█')).collect();
        assert_eq!(bars.len(), 3, "{out}");
        // Each stands where its span was: the first takes all of it, the others begin and end within.
        let place =
            |line: &str| (columns(&line[..line.find('█').unwrap()]), line.chars().filter(|c| *c == '█').count());
        let [(first, all), (second, most), (third, some)] = [place(bars[0]), place(bars[1]), place(bars[2])];
        assert!(first < second && second < third && all > most && most > some, "{out}");
        assert!(out.contains("error: Declined: no money") && out.contains("◀ slowest"), "{out}");
        assert_eq!(out.contains("\x1b[31m"), colours, "{out}");
    }
    // Into a pipe it is as wide as it has to be, and the same for everybody.
    let plain = cli(&arguments).out;
    assert!(plain.lines().nth(1).unwrap().contains(&"█".repeat(32)), "{plain}");
}
