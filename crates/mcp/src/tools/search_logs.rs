//! `search_logs`: log records, those that say the same on one line.

use std::collections::HashMap;

use otlp_arrow::{Result, Signal};
use otlp_arrow_query::figures::normalized;
use otlp_arrow_query::questions::LogsQuestion;
use otlp_arrow_query::record::LogRecord;
use otlp_arrow_query::text::{clock, moment, name, quoted};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::words::Kind::{List, Number, Text};
use crate::words::word;

pub(super) const TOOL: Tool = Tool {
    name: "search_logs",
    text: "Find log records, the newest first: time, level, service, message, trace. Messages that differ only in numbers, ids and quoted parts are one line with ×count, the newest shown.",
    words: &[
        word("text", Text, "in the message"),
        word("regex", Text, ""),
        word("severity", Text, "such as error or >=warn"),
        word("service", List, ""),
        word("trace", Text, "id or its first digits"),
        word("attributes", List, "conditions, as in search_traces"),
        word("since", Text, ""),
        word("until", Text, ""),
        word("limit", Number, "lines; 20"),
        word("cursor", Text, ""),
    ],
    ask,
    waits: false,
};

const USUAL: usize = 20;
const MOST: usize = 200;
/// Records that are read for one line, at most.
const ROWS_A_LINE: usize = 50;
/// Characters of a message.
const BODY: usize = 300;
/// What the count of a line may still grow by.
const COUNT: usize = 48;
const NAMES: [&str; 8] = ["text", "regex", "severity", "service", "trace", "attributes", "since", "until"];

/// Records that say the same.
struct Alike {
    newest: LogRecord,
    count: u64,
    oldest: u64,
}

fn ask(call: &Call<'_>) -> Result<String> {
    let (words, telemetry) = (call.words, call.telemetry());
    let limit = words.number("limit", USUAL, MOST)?;
    let mut filter = words.filter(telemetry, &NAMES, &[])?;
    if let Some(cursor) = words.one("cursor") {
        filter.cursor = words.filter(telemetry, &[], &[("cursor", cursor)])?.cursor;
    }
    filter.limit = Some(limit * ROWS_A_LINE);
    let found = telemetry.ask_with(&LogsQuestion { filter: filter.clone() }, call.options)?;
    if found.batch.num_rows() == 0 {
        return Ok(call.nothing_found(&found.searched, Signal::Logs));
    }
    let again = |cursor: &str| words.again(&[("cursor", cursor.to_owned())]);
    let mut page = Page::new(words.max_chars, again(&"9".repeat(60)).chars().count());
    let mut left = page.left();
    let (mut lines, mut at, mut read): (Vec<Alike>, HashMap<_, usize>, usize) = (Vec::new(), HashMap::new(), 0);
    for record in found.iter() {
        let body = record.body.as_deref().or(record.event_name.as_deref()).unwrap_or_default();
        let key = (record.service.clone(), record.severity_number, normalized(body));
        if let Some(line) = at.get(&key).map(|at| &mut lines[*at]) {
            (line.count, line.oldest) = (line.count + 1, record.when());
        } else {
            let alike = Alike { oldest: record.when(), newest: record, count: 1 };
            let takes = alike.line().chars().count() + 1 + COUNT;
            if lines.len() == limit || takes > left {
                break;
            }
            left -= takes;
            at.insert(key, lines.len());
            lines.push(alike);
        }
        read += 1;
    }
    let newest = lines.first().map(|line| moment(line.newest.when())).unwrap_or_default();
    let _ = page.line(&format!("newest {newest}")) && lines.iter().all(|line| page.line(&line.line()));
    let rest = if read < found.batch.num_rows() || found.cursor.is_some() {
        filter.limit = Some(read.max(1));
        let behind = telemetry.ask_with(&LogsQuestion { filter }, call.options)?.cursor;
        behind.map(|cursor| ("older records".to_owned(), again(&cursor.to_string())))
    } else {
        None
    };
    Ok(page.end(Some(&found.searched), rest))
}

impl Alike {
    fn line(&self) -> String {
        let more = match self.count {
            1 => String::new(),
            count => format!(" ×{count} since {}", clock(self.oldest)),
        };
        format!("{}{more}", record(&self.newest, BODY))
    }
}

/// One record: `07:41:35.042 ERROR shop "card declined" trace=5b8efff7`.
pub(super) fn record(record: &LogRecord, most: usize) -> String {
    let level = match (&record.severity_text, record.severity_number) {
        (Some(text), _) => name(text, 20),
        (None, 0) => "-".to_owned(),
        (None, number) => number.to_string(),
    };
    let service = if record.service.is_empty() { "-".to_owned() } else { name(&record.service, 80) };
    let event = record.event_name.as_deref().map(|event| format!(" {}", name(event, 80))).unwrap_or_default();
    let body = record.body.as_deref().map(|body| format!(" {}", quoted(body, most))).unwrap_or_default();
    let trace = record.trace_id.as_deref().map(|id| format!(" trace={}", &id[..id.len().min(8)])).unwrap_or_default();
    format!("{} {level} {service}{event}{body}{trace}", clock(record.when()))
}
