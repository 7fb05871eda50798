//! The commands that ask.

use arrow_ipc::reader::StreamReader;
use otlp_arrow_query::filter::PARAMETERS;

use super::*;

fn ask(dir: &Path, arguments: &[&str]) -> Done {
    cli(&[arguments, &["--dir", text(dir)]].concat())
}

#[test]
fn services_traces_spans_and_logs_are_tables_for_people() {
    let dir = recorded();
    let of = |arguments: &[&str]| {
        let done = ask(dir.path(), arguments);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{arguments:?}");
        done.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let services = of(&["services"]);
    assert!(services[0].starts_with("service  requests  a second"), "{services:?}");
    assert!(services[2].starts_with("web             1      1.00       0  100ms  100ms  100ms      1"), "{services:?}");
    let traces = of(&["traces", "--service", "pay"]);
    assert_eq!(traces.len(), 3);
    assert!(traces[1].starts_with("2026-11-21T07:41:35.000Z  5b8efff798038103d269b633813fc60c     100ms  ████████████      3       1  web  GET /cart  +1"), "{traces:?}");
    assert!(traces[2].contains("pay  alone"), "{traces:?}");
    let spans = of(&["spans", "--status", "error", "--max-duration", "60ms"]);
    assert!(
        spans.len() == 1 && spans[0].starts_with("2026-11-21T07:41:35.020Z  pay  charge  60ms  error"),
        "{spans:?}"
    );
    let logs = of(&["logs", "first"]);
    assert_eq!(logs, ["1970-01-01T00:01:40.000Z  web  9  first↵line"]);
    assert_eq!(of(&["logs", "--severity", ">=info", "--text", "line", "--regex", "^first"]), logs);
    let attributes = of(&["attributes"]);
    assert_eq!(attributes[1].split_whitespace().collect::<Vec<_>>(), ["service.name", "resource", "4"]);
    let values = of(&["attributes", "resource:service.name"]);
    assert!(values[1].starts_with("pay          3  ████████████████████████"), "{values:?}");
    let counts = of(&["counts", "--step", "1h", "--by", "service"]);
    assert!(counts[1].starts_with("pay      3  █"), "{counts:?}");
    let counts = of(&["counts", "--signal", "logs"]);
    assert!(counts[1].starts_with("1970-01-01T00:01:40Z      1  ███"), "{counts:?}");
}

#[test]
fn json_arrow_and_otlp_are_for_programs() {
    let dir = recorded();
    for (command, list) in [
        (&["services"][..], "services"),
        (&["traces"], "traces"),
        (&["spans"], "spans"),
        (&["logs"], "logs"),
        (&["counts"], "buckets"),
        (&["attributes"], "attributes"),
        (&["attributes", "service"], "values"),
        (&["trace", &TRACE[..7]], "spans"),
    ] {
        let done = ask(dir.path(), &[command, &["--json"]].concat());
        assert_eq!(done.code, 0, "{command:?}: {}", done.err);
        let [answer]: [Value; 1] = json_of(&done.out).try_into().unwrap();
        assert!(!answer[list].as_array().unwrap().is_empty(), "{command:?}: {answer}");
        assert_eq!(
            (&answer["searched"]["complete"], &answer["searched"]["files"]),
            (&json!(true), &json!(if list == "spans" && command[0] == "trace" { 2 } else { 1 }))
        );

        let mut out = Vec::new();
        let arguments = [command, &["--arrow", "--dir", text(dir.path())]].concat();
        let arguments = arguments.iter().map(Into::into).collect();
        let mut io = Io { out: &mut out, err: &mut io::sink(), terminal: Terminal::default() };
        assert_eq!(run_with(arguments, &mut io), 0);
        let rows: usize =
            StreamReader::try_new(out.as_slice(), None).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows, answer[list].as_array().unwrap().len(), "{command:?}");
    }
    let trace = ask(dir.path(), &["trace", TRACE, "--otlp"]);
    let [otlp]: [Value; 1] = json_of(&trace.out).try_into().unwrap();
    let spans = otlp["resourceSpans"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|resource| resource["scopeSpans"][0]["spans"].as_array().unwrap());
    assert_eq!(spans.filter(|span| span["traceId"] == TRACE).count(), 3);
    let logs = ask(dir.path(), &["logs", "--otlp"]);
    assert_eq!(
        json_of(&logs.out)[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"],
        "first\nline"
    );
    for command in ["services", "counts", "attributes", "traces"] {
        let done = ask(dir.path(), &[command, "--otlp"]);
        assert!(done.code == 2 && done.err.contains("--otlp is for"), "{command}: {}", done.err);
    }
}

#[test]
fn nothing_found_is_said_with_what_may_have_been_meant_and_fails() {
    let dir = recorded();
    for (arguments, said) in [
        (&["traces", "--service", "pya"][..], "no service is called \"pya\": did you mean \"pay\"?"),
        (&["spans", "--name", "POST /apy"], "did you mean \"POST /pay\"?"),
        (&["logs", "no such text"], "nothing found in 1 rows of 1 file"),
        (&["spans", "--resource", "service.nam=web"], "did you mean \"service.name\"?"),
        (&["attributes", "http.route"], "no record has the attribute \"http.route\""),
        (&["services", "--from", "-1s"], "nothing found in 4 rows of 1 file"),
    ] {
        let done = ask(dir.path(), arguments);
        assert!(
            done.code == 1 && done.out.is_empty() && done.err.contains(said),
            "{arguments:?}: {} {}",
            done.code,
            done.err
        );
        // A program gets its answer all the same.
        let done = ask(dir.path(), &[arguments, &["--json"]].concat());
        assert!(
            done.code == 1 && json_of(&done.out)[0]["searched"]["complete"] == json!(true),
            "{arguments:?}: {}",
            done.err
        );
    }
    let hurried = ask(dir.path(), &["spans", "--timeout", "1ns"]);
    assert!(
        hurried.code == 1 && hurried.err.contains("not everything was searched: its time was over"),
        "{}",
        hurried.err
    );
    assert_eq!(ask(dir.path(), &["spans", "--timeout", "2h"]).code, 0);
    let empty = tempfile::tempdir().unwrap();
    let done = ask(empty.path(), &["traces"]);
    assert!(done.code == 1 && done.err.contains("nothing found in 0 rows of 0 files"), "{}", done.err);
}

#[test]
fn every_word_is_a_flag_and_a_wrong_value_is_wrong_usage() {
    let dir = recorded();
    let help = ok(&["spans", "--help"]);
    for parameter in PARAMETERS {
        assert!(help.contains(&format!("--{}", parameter.name.replace('_', "-"))), "{}", parameter.name);
    }
    for (arguments, said) in [
        (&["spans", "--min-duration", "5"][..], "min_duration = \"5\""),
        (&["spans", "--kind", "sever"], "server, client"),
        (&["spans", "--attr", "=x"], "no key"),
        (&["logs", "--severity", "loud"], "not a severity"),
        (&["logs", "--status", "error"], "is not of logs"),
        (&["trace", "12"], "at least the first 4"),
        (&["counts", "--step", "0"], "not a length of time"),
        (&["counts", "--by", "whatever"], "nothing to group by"),
        (&["spans", "--timeout", "soon"], "is not a duration"),
        (&["spans", "--json", "--arrow"], "cannot be used with"),
    ] {
        let done = ask(dir.path(), arguments);
        assert!(done.code == 2 && done.err.contains(said), "{arguments:?}: {} {}", done.code, done.err);
    }
}

#[test]
fn colours_are_for_terminals_and_binary_data_is_not() {
    let dir = recorded();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = Terminal { colours: true, shows_output: true, ..Terminal::default() };
    let run = |arguments: &[&str], out: &mut Vec<u8>, err: &mut Vec<u8>| {
        let arguments = [arguments, &["--dir", text(dir.path())]].concat();
        run_with(arguments.iter().map(Into::into).collect(), &mut Io { out, err, terminal })
    };
    assert_eq!(run(&["spans", "--status", "error"], &mut out, &mut err), 0);
    assert!(String::from_utf8_lossy(&out).contains("\x1b[31m  error\x1b[0m"), "{}", String::from_utf8_lossy(&out));
    assert!(!ask(dir.path(), &["spans", "--status", "error"]).out.contains('\x1b'));
    assert_eq!(run(&["spans", "--arrow"], &mut out, &mut err), 2);
    assert!(String::from_utf8_lossy(&err).contains("send it to a file or a pipe"));
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let dir = recorded();
    let first = ask(dir.path(), &["spans", "--limit", "3"]);
    assert_eq!(first.out.lines().count(), 3);
    let cursor = first.err.trim().strip_prefix("there are more: --cursor ").unwrap().to_owned();
    let second = ask(dir.path(), &["spans", "--limit", "3", "--cursor", &cursor]);
    assert_eq!((second.out.lines().count(), second.err.as_str()), (1, ""));
    assert!(second.out.contains("GET /cart") && !first.out.contains("GET /cart"));
}
