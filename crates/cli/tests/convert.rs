//! `convert` on what the Collector's file exporter, its users and their tools leave: the binary, on real files.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use otlp_arrow::Signal;
use otlp_arrow_columns::{Limits, json};
use otlp_arrow_testkit::canonical::Canonical;
use otlp_arrow_testkit::payload;
use prost::Message;
use serde_json::Value;

/// What a command did.
struct Done {
    code: i32,
    out: String,
    err: String,
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn convert(&self, input: &Path, output: &str, stdin: Option<&[u8]>) -> Done {
        let mut child = Command::new(env!("CARGO_BIN_EXE_otlp-arrow"))
            .current_dir(self.0.path())
            .args(["convert", "--signal", "logs", "--output", output])
            .arg(input)
            .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if let Some(bytes) = stdin {
            let mut input = child.stdin.take().unwrap();
            let bytes = bytes.to_vec();
            std::thread::spawn(move || input.write_all(&bytes)).join().unwrap().unwrap();
        }
        let done = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// The bodies of the log records that came out, and what was said.
    fn bodies(&self, input: &Path) -> (Vec<u64>, Done) {
        let done = self.convert(input, "out.jsonl", None);
        (self.read("out.jsonl"), done)
    }

    fn read(&self, name: &str) -> Vec<u64> {
        let Ok(text) = std::fs::read_to_string(self.path(name)) else { return Vec::new() };
        std::fs::remove_file(self.path(name)).unwrap();
        let mut found = Vec::new();
        for line in text.lines() {
            bodies_of(&serde_json::from_str(line).unwrap(), &mut found);
        }
        found
    }

    /// That all of `bytes` under this name comes out as `wanted`, and nothing is told.
    fn whole(&self, name: &str, bytes: impl AsRef<[u8]>, wanted: &[u64]) {
        let (found, done) = self.bodies(&self.write(name, bytes));
        assert_eq!((found.as_slice(), done.code, &*done.err), (wanted, 0, ""), "{name}: {}", done.out);
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// That the good ones come out, and each of `told` is said.
    fn partly(&self, name: &str, bytes: impl AsRef<[u8]>, wanted: &[u64], told: &[&str]) {
        let (found, done) = self.bodies(&self.write(name, bytes));
        assert_eq!((found.as_slice(), done.code), (wanted, 3), "{name}: {}{}", done.out, done.err);
        let said: Vec<&str> = done.err.lines().collect();
        assert_eq!(said.len(), told.len() + 1, "{name}: {}", done.err);
        for (line, told) in said.iter().zip(told) {
            assert!(line.contains(told) && line.contains(name), "{name}: {line}, not {told}");
        }
        std::fs::remove_file(self.path(name)).unwrap();
    }
}

fn bodies_of(value: &Value, found: &mut Vec<u64>) {
    for resource in value["resourceLogs"].as_array().into_iter().flatten() {
        for scope in resource["scopeLogs"].as_array().unwrap() {
            let records = scope["logRecords"].as_array().unwrap();
            found.extend(
                records.iter().map(|record| record["body"]["intValue"].as_str().unwrap().parse::<u64>().unwrap()),
            );
        }
    }
}

/// A request with one log record of this number.
fn request(number: u64) -> Value {
    serde_json::json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "a {\"resource\" of \n braces }{"}}]},
        "scopeLogs": [{"scope": {"name": "s"}, "logRecords": [
            {"timeUnixNano": "5", "body": {"intValue": number.to_string()}, "attributes": [{"key": "k", "value": {"boolValue": true}}]}
        ]}]
    }]})
}

fn line(number: u64) -> String {
    request(number).to_string()
}

fn pretty(number: u64) -> String {
    serde_json::to_string_pretty(&request(number)).unwrap()
}

fn protobuf(number: u64) -> Vec<u8> {
    json::to_protobuf(Signal::Logs, line(number).as_bytes(), &Limits::default()).unwrap()
}

/// As the Collector frames messages.
fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(bytes, 1).unwrap()
}

#[test]
fn json_in_every_form_is_taken_whole() {
    let place = Place::new();
    let lines = format!("{}\n{}\n{}\n", line(1), line(2), line(3));
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("the Collector's own name.json", lines.clone().into()),
        ("lines.jsonl", lines.clone().into()),
        ("lines.ndjson", lines.trim_end().into()),
        ("crlf.jsonl", lines.replace('\n', "\r\n").into()),
        ("mark.json", format!("\u{feff}{lines}").into()),
        ("empty lines.json", lines.replace('\n', "\n\n \r\n\n").into()),
        ("pretty.json", format!("{}\n{}\n{}", pretty(1), pretty(2), pretty(3)).into()),
        ("pretty crlf.json", format!("\r\n{}{}{}", pretty(1), pretty(2), pretty(3)).replace('\n', "\r\n").into()),
        ("joined.json", [line(1), line(2), line(3)].concat().into()),
        ("array.json", format!("[{}, {},\n{}]\n", line(1), pretty(2), line(3)).into()),
        ("arrays.json", format!("[{}]\n[{},{}][]", line(1), line(2), line(3)).into()),
        ("marks within.json", format!("\u{feff}{}\n\u{feff}{}\n{}", line(1), line(2), line(3)).into()),
        ("sequence.json", format!("\u{1e}{}\n\u{1e}{}\n\u{1e}{}\n", line(1), line(2), line(3)).into()),
        ("no extension", lines.clone().into()),
        ("rotated.json.1", lines.clone().into()),
        ("of another.log", lines.clone().into()),
        ("packed.json.gz", gzip(lines.as_bytes())),
        ("packed under a plain name.json", gzip(lines.as_bytes())),
        (
            "packed twice.json.gz",
            [gzip(format!("{}\n{}", line(1), line(2)).as_bytes()), gzip(line(3).as_bytes())].concat(),
        ),
        ("packed.jsonl.zst", zstd(lines.as_bytes())),
        ("frames.jsonl.zst", [zstd(line(1).as_bytes()), zstd(format!("{}{}", line(2), line(3)).as_bytes())].concat()),
        ("collector, json and zstd.json", [1, 2, 3].map(|number| framed(&zstd(line(number).as_bytes()))).concat()),
    ];
    for (name, bytes) in forms {
        place.whole(name, bytes, &[1, 2, 3]);
    }
    // Longer than what is read at once.
    let numbers: Vec<u64> = (0..3000).collect();
    place.whole("long.jsonl", numbers.iter().map(|number| line(*number) + "\n").collect::<String>(), &numbers);
    place.whole(
        "long.json",
        format!("[{}]", numbers.iter().map(|number| pretty(*number)).collect::<Vec<_>>().join(",")),
        &numbers,
    );
}

#[test]
fn protobuf_in_every_form_is_taken_whole() {
    let place = Place::new();
    let all = [1, 2, 3].map(protobuf);
    let varint = |message: &Vec<u8>| {
        let mut out = Vec::new();
        prost_varint(message.len(), &mut out);
        [out, message.clone()].concat()
    };
    let framed_all: Vec<u8> = all.iter().flat_map(|message| framed(message)).collect();
    for (name, bytes) in [
        ("joined.pb", all.concat()),
        ("joined.binpb", all.concat()),
        ("joined without a name", all.concat()),
        ("framed.pb", framed_all.clone()),
        ("framed.json", framed_all.clone()),
        ("framed.json.gz", gzip(&framed_all)),
        ("framed without a name", framed_all),
        ("collector, proto and zstd.pb", all.iter().flat_map(|message| framed(&zstd(message))).collect()),
        ("delimited.pb", all.iter().flat_map(varint).collect()),
        ("delimited.pb.zst", zstd(&all.iter().flat_map(varint).collect::<Vec<_>>())),
        ("packed.pb.gz", gzip(&all.concat())),
    ] {
        place.whole(name, bytes, &[1, 2, 3]);
    }
    place.whole("with an empty message.pb", [framed(&all[0]), framed(b""), framed(&all[1])].concat(), &[1, 2]);
}

fn prost_varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[test]
fn the_good_ones_are_kept_and_what_is_left_out_is_told() {
    let place = Place::new();
    let (one, two, three) = (line(1), line(2), line(3));
    let half = &two[..two.len() / 2];
    place.partly("torn.jsonl", format!("{one}\n{three}\n{half}"), &[1, 3], &[":3: 1 line: cut off"]);
    place.partly("torn in the middle.jsonl", format!("{one}\n{half}\n{three}\n"), &[1, 3], &[":2: 1 line: "]);
    place.partly("torn and gone on.jsonl", format!("{one}\n{half}{three}\n{two}\n"), &[1, 3, 2], &[":2: 1 line: "]);
    for end in 1..two.len() {
        let file = place.write("every.jsonl", format!("{one}\n{}\n{three}\n", &two[..end]));
        let (found, done) = place.bodies(&file);
        assert_eq!((found, done.code), (vec![1, 3], 3), "cut at {end}: {}", done.err);
        if end % 9 != 0 {
            continue;
        }
        let file = place.write("every.jsonl", format!("{one}\n{}{three}\n", &two[..end]));
        let (found, done) = place.bodies(&file);
        assert_eq!((found, done.code), (vec![1, 3], 3), "cut at {end}: {}", done.err);
    }
    let junk = "10.0.0.1 - - \"POST / HTTP/1.1\" 200 -";
    place.partly("junk.jsonl", format!("{one}\n{junk}\n{two}\n"), &[1, 2], &[":2: 1 line: "]);
    place.partly(
        "junk.json",
        format!("{junk}\n[info] x\n{{\"level\":\"info\"}}\n{one}\nbye"),
        &[1],
        &[":1: 3 lines: ", ":5: 1 line: "],
    );
    place.partly(
        "prefixed.log",
        format!("2026-11-30T10:00:00Z stdout F {one}\n2026 stdout F {two}\n"),
        &[1, 2],
        &[":1: 1 line: ", ":2: 1 line: "],
    );
    place.partly("zeros.jsonl", format!("{one}\n{two}\n{}", "\0".repeat(5000)), &[1, 2], &[":3: 1 line: "]);
    let torn = pretty(2);
    place.partly("torn pretty.json", format!("{}\n{}", pretty(1), &torn[..torn.len() - 9]), &[1], &["cut off"]);
    place.partly("open array.json", format!("[{one},{two}"), &[1, 2], &["the array of requests has no end"]);
    let wrong = two.replace("\"k\"", "5").replace("\"s\"", "7");
    place.partly("wrong.jsonl", format!("{one}\n{wrong}\n{three}\n"), &[1, 3], &[":2: malformed OTLP at byte"]);
    let (_, done) = place.bodies(&place.write("path.jsonl", format!("{wrong}\n{one}")));
    assert!(done.err.contains("resourceLogs[0].scopeLogs[0].scope.name = 7: not a string"), "{}", done.err);

    let messages = [1, 2, 3].map(protobuf);
    let frames: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
    place.partly("torn.pb", &frames[..frames.len() - 5], &[1, 2], &["message 3: cut off"]);
    place.partly(
        "torn length.pb",
        [&frames[..], b"\0\0"].concat(),
        &[1, 2, 3],
        &["message 4: cut off within its length"],
    );
    let spoilt = [framed(&messages[0]), framed(b"no protobuf"), framed(&messages[2])].concat();
    place.partly("spoilt.pb", spoilt, &[1, 3], &["message 2: malformed OTLP"]);
    let spoilt = [framed(&zstd(&messages[0])), framed(&zstd(&messages[1])[..20]), framed(&zstd(&messages[2]))].concat();
    place.partly("spoilt zstd.pb", spoilt, &[1, 3], &["message 2: its zstd frame cannot be read"]);
    let joined = messages.concat();
    place.partly("torn joined.pb", &joined[..joined.len() - 3], &[1, 2], &["cut off or wrong at byte"]);
    let middle = [&messages[0][..], b"\x0a\x04\x12\x02\x12\x05", &messages[2]].concat();
    place.partly("spoilt joined.pb", middle, &[1, 3], &["a group of records of 6 bytes: malformed OTLP"]);

    let packed = gzip(format!("{one}\n{two}\n{}", line(4).repeat(2000)).as_bytes());
    let (found, done) = place.bodies(&place.write("torn.json.gz", &packed[..packed.len() / 2]));
    assert!(
        done.code == 3
            && found.starts_with(&[1, 2, 4])
            && done.err.contains("torn.json.gz: the compressed data is damaged or ends"),
        "{}",
        done.err
    );

    // Very many of them are counted.
    let lines: String = (0..500).map(|number| format!("{}\njunk\n", line(number))).collect();
    let (found, done) = place.bodies(&place.write("many.jsonl", lines));
    assert_eq!((found.len(), done.code, done.err.lines().count()), (500, 3, 22), "{}", done.err);
    assert!(
        done.err.contains("… and 480 more such lines") && done.err.contains("500 parts of the input"),
        "{}",
        done.err
    );
}

#[test]
fn what_is_no_otlp_at_all_writes_nothing() {
    let place = Place::new();
    let utf16: Vec<u8> = line(1).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&b"\xff\xfe"[..], &utf16].concat();
    let big: Vec<u8> = line(1).encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (name, bytes, told) in [
        ("a.json", utf16, "UTF-16"),
        ("b.jsonl", marked, "UTF-16"),
        ("c.json", big, "UTF-16"),
        ("d.txt", b"once upon a time\n".to_vec(), "d.txt:1: 1 line: "),
        ("e", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "neither OTLP/JSON nor OTLP protobuf nor Arrow"),
        ("f.pb", b"\x0a\xff\xff\x03short".to_vec(), "at byte 0"),
        ("g.json", b"ARROW1\0\0".to_vec(), "Arrow"),
    ] {
        for output in ["out.jsonl", "out.pb", "out.arrow", "out.arrows"] {
            let done = place.convert(&place.write(name, &bytes), output, None);
            assert_eq!(done.code, 1, "{name}: {}{}", done.out, done.err);
            assert!(done.err.contains(told) && done.err.contains("nothing was written"), "{name}: {}", done.err);
            assert!(!place.path(output).exists());
        }
    }
    let gone = place.convert(&place.path("gone.json"), "out.pb", None);
    assert!(gone.code == 1 && gone.err.contains("there is no "), "{}", gone.err);
}

#[test]
fn standard_input_is_read_in_every_form() {
    let place = Place::new();
    let lines = format!("{}\n{}\n", line(1), line(2));
    let framed = [framed(&protobuf(1)), framed(&protobuf(2))].concat();
    for bytes in [
        lines.clone().into_bytes(),
        gzip(lines.as_bytes()),
        zstd(lines.as_bytes()),
        framed,
        [protobuf(1), protobuf(2)].concat(),
    ] {
        let done = place.convert(Path::new("-"), "out.jsonl", Some(&bytes));
        assert_eq!((place.read("out.jsonl"), done.code), (vec![1, 2], 0), "{}", done.err);
    }
    let done = place.convert(Path::new("-"), "out.jsonl", Some(format!("{}\nx\n", line(1)).as_bytes()));
    assert!(done.code == 3 && done.err.contains("standard input:2: 1 line"), "{}", done.err);
}

#[test]
fn a_directory_of_rotated_files_is_read_the_oldest_first() {
    let place = Place::new();
    let at = |name: &str, bytes: &[u8], second: u64| {
        let path = place.write(name, bytes);
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000 + second);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    at("dir/logs.json", line(5).as_bytes(), 50);
    at("dir/logs-2026-11-30T10-00-00.000.json", line(1).as_bytes(), 10);
    at("dir/logs-2026-11-30T11-00-00.000.json.gz", &gzip(line(2).as_bytes()), 20);
    at("dir/by service/a.pb", &framed(&protobuf(3)), 30);
    at("dir/by service/b.jsonl.zst", &zstd(line(4).as_bytes()), 40);
    at("dir/.hidden.json", b"junk", 60);
    let (found, done) = place.bodies(&place.path("dir"));
    assert_eq!((found, done.code), (vec![1, 2, 3, 4, 5], 0), "{}", done.err);
    // Also one whose name is that of a signal, with the output within it.
    std::fs::rename(place.path("dir"), place.path("logs")).unwrap();
    for _ in 0..2 {
        let done = place.convert(&place.path("logs"), "logs/all.jsonl", None);
        assert!(done.code == 0 && done.out.starts_with("wrote 5 log records"), "{}{}", done.out, done.err);
    }
    place.write("logs/README.md", "hello\n");
    let done = place.convert(&place.path("logs"), "out.jsonl", None);
    assert!(
        done.code == 3 && done.err.contains("README.md:1: 1 line") && place.read("out.jsonl").len() == 10,
        "{}",
        done.err
    );
    // Of a directory that is written to only the data counts.
    std::fs::create_dir(place.path("ours")).unwrap();
    let table = place.convert(&place.write("table.jsonl", line(7)), "table.arrow", None);
    assert_eq!(table.code, 0, "{}", table.err);
    std::fs::create_dir_all(place.path("ours/otlp/logs")).unwrap();
    std::fs::rename(
        place.path("table.arrow"),
        place.path("ours/otlp/logs/20261121T074135.042Z-00000000000000ab-00000001.arrow"),
    )
    .unwrap();
    place.write("ours/rejected/far/1.pb", "x");
    let (found, done) = place.bodies(&place.path("ours"));
    assert_eq!((found, done.code), (vec![7], 0), "{}", done.err);
}

#[test]
fn otap_is_written_and_read_again() {
    let place = Place::new();
    let was = payload::logs(3_000, 120, 7);
    let input = place.write("logs.pb", was.encode_to_vec());
    let done = place.convert(&input, "all.otap", None);
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{}", done.out);
    let otap = place.path("all.otap");
    let bytes = std::fs::read(&otap).unwrap();
    assert!(bytes.starts_with(b"\x89OTAP\r\n\x01"));
    assert!(bytes.len() * 2 < was.encoded_len(), "{} bytes of {}", bytes.len(), was.encoded_len());
    // By every way back, and also compressed, from standard input and under another name.
    let renamed = place.write("renamed.bin", &bytes);
    let packed = place.write("all.otap.zst", zstd::encode_all(&bytes[..], 1).unwrap());
    for (input, stdin) in [(&otap, None), (&renamed, None), (&packed, None), (&PathBuf::from("-"), Some(&bytes[..]))] {
        let done = place.convert(input, "back.pb", stdin);
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        let back = ExportLogsServiceRequest::decode(&*std::fs::read(place.path("back.pb")).unwrap()).unwrap();
        assert_eq!(was.clone().content().difference(&back.content()), None);
    }
    assert_eq!(place.convert(&otap, "again.otap", None).code, 0);
    assert_eq!(place.convert(&otap, "rows.arrow", None).code, 0);
}

#[test]
fn otap_that_is_cut_off_or_foreign_is_told_with_its_message() {
    let place = Place::new();
    let requests = [1, 2, 3].map(|seed| payload::logs(17_000, 300, seed).encode_to_vec());
    let input = place.write("logs.pb", requests.concat());
    assert_eq!(place.convert(&input, "all.otap", None).code, 0);
    let bytes = std::fs::read(place.path("all.otap")).unwrap();
    let first = 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    assert!(bytes.len() > first + 4, "several messages");
    let mut torn = bytes.clone();
    torn[first + 5..first + 400].fill(0xff);
    let mut long = bytes[..first].to_vec();
    long.extend([0xff; 4]);
    for (what, bytes, says) in [
        ("within a message", &bytes[..bytes.len() - 7], "the file ends after"),
        ("within a length", &bytes[..first + 2], "the file ends within a length"),
        ("damaged", &torn[..], "message 2"),
        ("a wild length", &long[..], "4294967295 bytes"),
    ] {
        let cut = place.write("cut.otap", bytes);
        let done = place.convert(&cut, "back.jsonl", None);
        assert_eq!(done.code, 3, "{what}: {}", done.err);
        assert!(done.err.contains("cut.otap: message") && done.err.contains(says), "{what}: {}", done.err);
        assert!(std::fs::metadata(place.path("back.jsonl")).unwrap().len() > 1000, "{what}: what came before is kept");
    }
    let later = place.write("later.otap", b"\x89OTAP\r\n\x09anything");
    let done = place.convert(&later, "back.jsonl", None);
    assert!(done.code == 1 && done.err.contains("newer"), "{}", done.err);
}
