use std::collections::BTreeMap;

use serde::Serialize;

use super::{Fields, Form, as_nanos, raw, time};

#[derive(Serialize)]
struct Inner {
    span_id: &'static str,
    #[serde(serialize_with = "as_nanos")]
    duration: i64,
}

#[derive(Serialize)]
struct Row {
    tree_depth: u32,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Serialize)]
struct Shown {
    #[serde(serialize_with = "moment")]
    start_time: u64,
    #[serde(serialize_with = "as_nanos")]
    half_of_them: Option<i64>,
    #[serde(serialize_with = "as_nanos")]
    no_value: Option<i64>,
    count: u64,
    share: f64,
    #[serde(serialize_with = "json")]
    attribute: &'static str,
    by_name: BTreeMap<&'static str, u64>,
    rows: Vec<Fields<Row>>,
    text: &'static str,
    pairs: Vec<(Option<&'static str>, u64)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn moment<S: serde::Serializer>(nanos: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    time(*nanos, || "noon".to_owned(), serializer)
}

fn json<S: serde::Serializer>(text: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    raw(text, serializer)
}

const ATTRIBUTE: &str = r#"{"some_key": [9007199254740993, -9007199254740993, 9007199254740991, 1e30, 12345678901234567.0, "1", "\u0001x", "a\"9007199254740993\""], "\u0001k" : true}"#;
const MARKED: &str = r#"{"some_key": ["\u00019007199254740993", "\u0001-9007199254740993", 9007199254740991, 1e30, 12345678901234567.0, "1", "\u0001\u0001x", "a\"9007199254740993\""], "\u0001k" : true}"#;

fn shown() -> Shown {
    Shown {
        start_time: 7,
        half_of_them: Some(-5),
        no_value: None,
        count: 3,
        share: 0.25,
        attribute: ATTRIBUTE,
        by_name: BTreeMap::from([("a_b", 1), ("\u{1}c", u64::MAX)]),
        rows: vec![Fields(Row { tree_depth: 2, inner: Inner { span_id: "\u{1}", duration: 8 } })],
        text: "\u{1}7",
        pairs: vec![(None, 1), (Some("x"), 2)],
    }
}

fn written(form: Form, wanted: &str) {
    let json = form.json(&shown()).unwrap();
    assert_eq!(json, wanted);
    let _: serde_json::Value = serde_json::from_str(&json).unwrap();
}

#[test]
fn numbers_are_numbers_for_readers_that_are_exact() {
    let head = r#"{"start_time":7,"half_of_them":-5,"no_value":null,"count":3,"share":0.25,"attribute":"#;
    let tail = r#","by_name":{"\u0001c":18446744073709551615,"a_b":1},"rows":[{"tree_depth":2,"span_id":"\u0001","duration":8}],"text":"\u00017","pairs":[[null,1],["x",2]]}"#;
    written(Form::Numbers, &[head, ATTRIBUTE, tail].concat());
}

#[test]
fn what_javascript_has_bigints_for_is_marked() {
    let head = r#"{"startTime":"\u00017","halfOfThem":"\u0001-5","noValue":null,"count":3,"share":0.25,"attribute":"#;
    let tail = r#","byName":{"\u0001c":"\u000118446744073709551615","a_b":1},"rows":[{"treeDepth":2,"spanId":"\u0001\u0001","duration":"\u00018"}],"text":"\u0001\u00017","pairs":[[null,1],["x",2]]}"#;
    written(Form::Marked, &[head, MARKED, tail].concat());
}

#[test]
fn for_people_nothing_is_marked() {
    let text = Form::Text.json(&Row { tree_depth: 2, inner: Inner { span_id: "\u{1}", duration: 8 } }).unwrap();
    assert_eq!(text, r#"{"tree_depth":2,"span_id":"\u0001","duration":8}"#);
    let text = Form::Text.json(&shown()).unwrap();
    assert!(text.starts_with(r#"{"start_time":"noon","half_of_them":-5,"no_value":null,"count":3,"#), "{text}");
}
