//! docs/schema.md says what the code does.
#![allow(clippy::unwrap_used, reason = "tests")]

use arrow_schema::{DataType, Field, Fields};
use otlp_arrow_columns::schema::{common, event_fields, exemplar_fields, link_fields, quantile_fields};
use otlp_arrow_columns::{Signal, schema};

const DOC: &str = include_str!("../../../docs/schema.md");

fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Dictionary(..) => "dict".into(),
        DataType::Timestamp(..) => "ts".into(),
        DataType::Map(..) => "attrs".into(),
        DataType::List(item) => format!("List<{}>", name(item.data_type())),
        DataType::Struct(_) => "Struct".into(),
        other => other.to_string(),
    }
}

/// The rows of the table below a heading: column, type, whether it may be null.
fn documented(heading: &str) -> Vec<(String, String, bool)> {
    let section = DOC.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 5, "{line}");
            assert!(!cells[3].is_empty(), "{line} has no meaning");
            (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), !cells[2].is_empty())
        })
        .collect()
}

fn defined<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Vec<(String, String, bool)> {
    fields.into_iter().map(|field| (field.name().clone(), name(field.data_type()), field.is_nullable())).collect()
}

#[test]
fn the_tables_are_the_schema() {
    for signal in Signal::ALL {
        let schema = schema(signal);
        let fields: Vec<&Field> = schema.fields().iter().map(|field| &**field).collect();
        let (own, shared) = fields.split_at(common::first(fields.len()));
        assert_eq!(documented(signal.as_str()), defined(own.iter().copied()));
        assert_eq!(documented("common"), defined(shared.iter().copied()));
    }
    let parts: [(&str, Fields); 4] = [
        ("events", event_fields()),
        ("links", link_fields()),
        ("quantiles", quantile_fields()),
        ("exemplars", exemplar_fields()),
    ];
    for (heading, fields) in parts {
        assert_eq!(documented(heading), defined(fields.iter().map(|field| &**field)), "{heading}");
    }
}
