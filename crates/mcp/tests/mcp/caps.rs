//! Every answer fits, whatever is asked about, and the call at its end brings what was left out.

use serde_json::{Value, json};

use crate::support::{Kept, gauges, logs, span, spans};

/// A trace of 100,000 spans: 40 of a service below the root, each with as many calls as the rest comes to, of many names, two of
/// which failed; and traces, log records and metrics beside it.
fn large() -> Kept {
    let mut all = vec![span(0xaa, 1, 0, "POST /import", (0, 100_000_000), None)];
    let mut number = 1;
    for batch in 0..40u64 {
        number += 1;
        let parent = number;
        all.push(span(0xaa, parent, 1, &format!("batch {batch}"), (batch * 2_400_000, 2_300_000), None));
        for row in 0..2_498u64 {
            number += 1;
            let name = if row % 3 == 0 { format!("row {row} of {batch}") } else { "INSERT rows".to_owned() };
            let error = (batch == 17 && row == 999).then_some("duplicate key");
            all.push(span(0xaa, number, parent, &name, (batch * 2_400_000 + row * 900, 800), error));
        }
    }
    assert!(all.len() >= 99_900, "{}", all.len());
    let many: Vec<_> = (0..300u64)
        .map(|at| span(1 + (at % 150) as u8, 500_000 + at, 0, &format!("GET /page/{at}"), (at * 1_000, 500 + at), None))
        .collect();
    let words = ["red", "green", "blue", "black", "white", "grey", "pink"];
    let said: Vec<(u64, i32, String)> = (0..5_000u64)
        .map(|at| {
            (
                at * 1_000,
                9 + 4 * i32::from(at % 100 == 0),
                format!("{} {} {}", words[at as usize % 7], words[at as usize / 7 % 7], words[at as usize / 49 % 7]),
            )
        })
        .collect();
    let requests = all.chunks(20_000).map(|chunk| spans("importer", chunk.to_vec())).collect::<Vec<_>>();
    let more = [spans("web", many), logs("importer", &said, Some(0xaa)), gauges("queue.depth", 300)];
    Kept::of(requests.into_iter().chain(more))
}

#[test]
fn on_a_trace_of_a_hundred_thousand_spans() {
    // Made once: it is what takes the time.
    let kept = large();
    every_tool_stays_under_its_cap(&kept);
    a_tree_tells_errors_and_the_critical_path_first_and_leads_to_the_rest(&kept);
    lists_go_on_where_they_were_cut(&kept);
}

/// The call that an answer ends with.
fn next(answer: &str) -> Option<(String, Value)> {
    let (_, call) = answer.trim_end().rsplit_once("Next: ")?;
    let (tool, arguments) = call.split_once(' ')?;
    Some((tool.to_owned(), serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{call}: {error}"))))
}

fn every_tool_stays_under_its_cap(kept: &Kept) {
    let trace = "aaaa";
    let calls = [
        ("overview", json!({"since": "2026-01-01"})),
        ("search_traces", json!({"limit": 100})),
        ("search_traces", json!({"sort": "slowest", "limit": 100})),
        ("get_trace", json!({"trace": trace})),
        ("get_trace", json!({"trace": trace, "detail": "full"})),
        ("get_trace", json!({"trace": trace, "depth": 2})),
        ("get_trace", json!({"trace": trace, "filter": "name=~^row"})),
        ("search_logs", json!({"limit": 200})),
        ("errors", json!({"limit": 100})),
        ("query_metric", json!({"name": "queue.depth", "since": "2026-01-01"})),
        ("query_metric", json!({})),
        ("compare", json!({"a": "service=importer", "b": "service=web", "limit": 200})),
        ("wait_for", json!({"timeout": 0})),
    ];
    for (tool, given) in calls {
        let is_large = given.get("trace").is_some();
        for max_chars in [500, 20_000].into_iter().take(if is_large { 1 } else { 2 }) {
            let mut given = given.clone();
            given["max_chars"] = max_chars.into();
            let answer = kept.call(tool, given.clone()).unwrap_or_else(|error| panic!("{tool} {given}: {error}"));
            let chars = answer.chars().count();
            assert!(chars <= max_chars && chars > 20, "{tool} {given}: {chars}\n{answer}");
            // Whatever is named at the end can be called.
            next(&answer);
        }
        let usual = kept.call(tool, given).unwrap();
        assert!(usual.chars().count() <= 6_000, "{tool}: {usual}");
        if let Some((tool, arguments)) = next(&usual) {
            let again = kept.call(&tool, arguments.clone());
            assert!(again.as_ref().is_ok_and(|text| !text.is_empty()), "{tool} {arguments}: {again:?}");
        }
    }
}

fn a_tree_tells_errors_and_the_critical_path_first_and_leads_to_the_rest(kept: &Kept) {
    let answer = kept.call("get_trace", json!({"trace": "aaaa"})).unwrap();
    assert!(answer.contains("ERROR \"duplicate key\""), "{answer}");
    assert!(answer.contains("! error begins in"), "{answer}");
    // The span that failed stands below its batch, which would else be like the others.
    assert!(answer.contains("\"batch 17\"") || answer.contains("batch 17"), "{answer}");
    let mut seen = std::collections::BTreeSet::new();
    let (mut call, mut answers) = (next(&answer), 0);
    while let Some((tool, given)) = call.filter(|_| answers < 4) {
        assert_eq!(tool, "get_trace");
        assert!(seen.insert(given.to_string()), "asked again for the same: {given}");
        let answer = kept.call("get_trace", given).unwrap();
        assert!(answer.contains("trace aaaa"), "{answer}");
        (call, answers) = (next(&answer), answers + 1);
    }
    assert!(answers > 0, "a cut answer leads on");
}

#[test]
fn a_line_of_a_tree_is_about_25_tokens_and_nothing_is_lost_by_folding() {
    let mut all = vec![span(0xbb, 1, 0, "POST /checkout", (0, 400_000), None)];
    all.push(span(0xbb, 2, 1, "charge", (10_000, 300_000), None));
    for at in 0..37 {
        all.push(span(0xbb, 10 + at, 2, "SELECT items", (20_000 + at * 7_000, 6_900), None));
    }
    for at in 0..5 {
        all.push(span(0xbb, 100 + at, 1, &format!("cache {at}"), (330_000 + at * 100, 50), None));
    }
    all.push(span(0xbb, 200, 1, "notify", (340_000, 50_000), Some("no route to host")));
    let total = all.len();
    let kept = Kept::of([spans("shop", all)]);
    let answer = kept.call("get_trace", json!({"trace": "bbbb"})).unwrap();
    assert!(answer.contains("×37 \"SELECT items\"") || answer.contains("×37 SELECT items"), "{answer}");
    assert!(answer.contains("5 short, up to 50µs: "), "{answer}");
    assert!(answer.contains("37 × SELECT items (shop) one after the other below charge (shop)"), "{answer}");
    assert!(answer.contains("error begins in notify (shop)") && !answer.contains("Left out"), "{answer}");
    let full = kept.call("get_trace", json!({"trace": "bbbb", "detail": "full", "max_chars": 20_000})).unwrap();
    let lines: Vec<&str> = full.lines().skip(1).filter(|line| !line.starts_with('!')).collect();
    assert_eq!(lines.len(), total, "{full}");
    let tokens = lines.iter().map(|line| line.trim_start().chars().count()).sum::<usize>() as f64 / 4.0 / total as f64;
    assert!(tokens <= 25.0, "{tokens}");
    // A part of it, and only what is wanted.
    let part = kept.call("get_trace", json!({"trace": "bbbb", "filter": "notify"})).unwrap();
    assert!(part.contains("notify") && part.contains("(+43 below)") && !part.contains("×37"), "{part}");
    let first = kept.call("get_trace", json!({"trace": "bbbb", "depth": 1})).unwrap();
    assert!(first.contains("(+44 below)"), "{first}");
    let (tool, given) = next(&first).unwrap();
    assert_eq!(kept.call(&tool, given).unwrap(), answer, "without depth it is all of it");
}

fn lists_go_on_where_they_were_cut(kept: &Kept) {
    let mut ids = std::collections::BTreeSet::new();
    let mut call = Some(("search_traces".to_owned(), json!({"service": "web", "limit": 40, "max_chars": 1_500})));
    let mut rounds = 0;
    while let Some((tool, given)) = call {
        let answer = kept.call(&tool, given).unwrap();
        for line in answer.lines().filter(|line| line.contains("GET /page") || line.contains("\"GET")) {
            assert!(ids.insert(line[..8].to_owned()), "{line} came twice");
        }
        (call, rounds) = (next(&answer), rounds + 1);
        assert!(rounds < 60, "it ends");
    }
    assert_eq!(ids.len(), 150);
    // Log records that say the same are one line, wherever it is cut.
    let (mut count, mut call, mut rounds) = (0, Some(("search_logs".to_owned(), json!({"limit": 50}))), 0);
    while let Some((tool, given)) = call {
        let answer = kept.call(&tool, given).unwrap();
        for line in answer.lines().filter(|line| line.contains(" importer ")) {
            let times = line.rsplit_once('×').map(|(_, rest)| rest.split(' ').next().unwrap().parse::<u64>().unwrap());
            count += times.unwrap_or(1);
        }
        (call, rounds) = (next(&answer), rounds + 1);
        assert!(rounds < 200, "it ends");
    }
    assert_eq!(count, 5_000);
}
