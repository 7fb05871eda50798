//! Spans that match, one by one.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use serde::Serialize;

use super::hints;
use super::question::{Kind, Question};
use crate::answer::{Answer, Each, Searched, json, top};
use crate::filter::{Cursor, Filter};
use crate::record::{Form, Span};
use crate::scan::Asking;

/// Rows where nobody says how many.
const USUAL: usize = 100;

pub(super) const KIND: Kind = Kind {
    name: "spans",
    text: "spans that match, with everything that is known of them",
    filtered: true,
    parameters: &[],
    read: |parameters, now| Ok(Box::new(SpansQuestion { filter: Filter::read(parameters, now)? })),
};

/// Spans that match, one by one.
#[derive(Clone, Debug, Default)]
pub struct SpansQuestion {
    /// Which.
    pub filter: Filter,
}

/// Spans in the order that was asked for.
#[derive(Clone, Debug)]
pub struct Spans {
    /// All columns of the schema of traces.
    pub batch: RecordBatch,
    /// Where the next ones begin, if there are more.
    pub cursor: Option<Cursor>,
    /// What was searched.
    pub searched: Searched,
}

impl Question for SpansQuestion {
    type Answer = Spans;

    fn ask(&self, asking: &Asking<'_>) -> Result<Spans> {
        let found = top(asking, Signal::Traces, &self.filter, USUAL)?;
        let mut answer = Spans { batch: found.batch, cursor: found.cursor, searched: found.searched };
        if answer.batch.num_rows() == 0 {
            answer.searched.hints = hints::of(asking, Signal::Traces, &self.filter)?;
        }
        Ok(answer)
    }
}

impl Spans {
    /// The spans as values.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        (0..self.batch.num_rows()).map(|row| Span::read(&self.batch, row))
    }
}

impl Answer for Spans {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    fn table(&self) -> Result<RecordBatch> {
        Ok(self.batch.clone())
    }

    fn records(&self) -> Vec<(Signal, RecordBatch)> {
        vec![(Signal::Traces, self.batch.clone())]
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a, S: Serialize> {
            spans: S,
            #[serde(skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
            searched: &'a Searched,
        }
        let cursor = self.cursor.map(|cursor| cursor.to_string());
        let spans = Each(self.batch.num_rows(), |row| Span::read(&self.batch, row));
        json(form, out, &Shown { spans, cursor, searched: &self.searched })
    }
}
