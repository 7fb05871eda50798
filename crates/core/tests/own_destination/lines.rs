//! A kind of destination in one file: a line for each span, appended to a file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, RecordBatch, StringArray};
use otlp_arrow::PerSignal;
use otlp_arrow::config::{DestinationConfig, Kind};
use otlp_arrow::internal::destinations::{
    Answer, Class, Content, Destination, DestinationKind, Key, KeyKind, RecordAnswer, Request, Sending, Spec, Takes,
    Target,
};
use otlp_arrow::{Code, OtlpError, Result};

pub(crate) const KIND: Kind = Kind::new(&LinesKind);

static SPEC: Spec = Spec {
    signals: PerSignal { traces: true, metrics: false, logs: false },
    keys: &[
        Key::new("path", KeyKind::Path, "", "file that the lines are appended to; its directory must exist"),
        Key::new("max_records", KeyKind::Count(1, 1000), "100", "spans in one request"),
        Key::new("refuse", KeyKind::Text, "", "name of spans that are refused"),
    ],
    defaults: &[("max_in_flight", "1")],
    ..Spec::new("lines", "a line for each span, in a file", Takes::Rows, Target::OwnKeys)
};

#[derive(Debug)]
struct LinesKind;

impl DestinationKind for LinesKind {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn open(&self, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        let Some(path) = config.options.path("path") else {
            let message = format!("forward {:?}: lines.path is missing: name a file", config.name);
            return Err(OtlpError::new(Code::InvalidConfig, message));
        };
        Ok(Arc::new(Lines {
            path: path.to_owned(),
            max_records: config.options.count("max_records").unwrap_or(1),
            refuse: config.options.text("refuse").map(str::to_owned),
        }))
    }
}

#[derive(Debug)]
struct Lines {
    path: PathBuf,
    max_records: u64,
    refuse: Option<String>,
}

impl Destination for Lines {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(async move {
            if request.records > self.max_records {
                return Answer::new(Class::TooLarge, format!("at most {} spans", self.max_records));
            }
            let Content::Rows(batch) = &request.content else { return Answer::new(Class::Destination, "no rows") };
            let names = names(batch);
            let refused = |name: &&String| self.refuse.as_ref() == Some(*name);
            let records = names.iter().enumerate().filter(|(_, name)| refused(name)).map(|(record, name)| {
                RecordAnswer { record: record as u64, class: Class::Data, message: format!("{name} is refused") }
            });
            match self.append(&request, &names, refused) {
                Ok(()) => Answer { records: records.collect(), ..Answer::delivered() },
                Err(error) => Answer::passing(format!("{}: {error}", self.path.display())),
            }
        })
    }
}

impl Lines {
    /// `<spans in the request> <file> <row> <name>`: file and row tell a repeat from something new.
    fn append(&self, request: &Request, names: &[String], refused: impl Fn(&&String) -> bool) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let places = request.rows.iter().flat_map(|rows| rows.numbers().map(|row| format!("{} {row}", rows.file)));
        let places = places.chain(std::iter::repeat_with(|| "- -".to_owned()));
        let mut lines = String::new();
        for (name, place) in names.iter().zip(places).filter(|(name, _)| !refused(name)) {
            lines.push_str(&format!("{} {place} {name}\n", request.records));
        }
        file.write_all(lines.as_bytes())
    }
}

fn names(batch: &RecordBatch) -> Vec<String> {
    let column = batch.column_by_name("name").expect("spans have names");
    let names = column.as_any().downcast_ref::<DictionaryArray<Int32Type>>().expect("of few words");
    let values = names.downcast_dict::<StringArray>().expect("of text");
    values.into_iter().map(|name| name.unwrap_or_default().to_owned()).collect()
}
