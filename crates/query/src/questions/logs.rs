//! Log records that match, one by one.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use serde::Serialize;

use super::hints;
use super::question::{Kind, Question};
use crate::answer::{Answer, Each, Searched, json, top};
use crate::filter::{Cursor, Filter};
use crate::record::{Form, LogRecord};
use crate::scan::Asking;

/// Rows where nobody says how many.
const USUAL: usize = 100;

pub(super) const KIND: Kind = Kind {
    name: "logs",
    text: "log records that match",
    filtered: true,
    parameters: &[],
    read: |parameters, now| Ok(Box::new(LogsQuestion { filter: Filter::read(parameters, now)? })),
};

/// Log records that match, one by one.
#[derive(Clone, Debug, Default)]
pub struct LogsQuestion {
    /// Which.
    pub filter: Filter,
}

/// Log records in the order that was asked for.
#[derive(Clone, Debug)]
pub struct Logs {
    /// All columns of the schema of logs.
    pub batch: RecordBatch,
    /// Where the next ones begin, if there are more.
    pub cursor: Option<Cursor>,
    /// What was searched.
    pub searched: Searched,
}

impl Question for LogsQuestion {
    type Answer = Logs;

    fn ask(&self, asking: &Asking<'_>) -> Result<Logs> {
        let found = top(asking, Signal::Logs, &self.filter, USUAL)?;
        let mut answer = Logs { batch: found.batch, cursor: found.cursor, searched: found.searched };
        if answer.batch.num_rows() == 0 {
            answer.searched.hints = hints::of(asking, Signal::Logs, &self.filter)?;
        }
        Ok(answer)
    }
}

impl Logs {
    /// The records as values.
    pub fn iter(&self) -> impl Iterator<Item = LogRecord> + '_ {
        (0..self.batch.num_rows()).map(|row| LogRecord::read(&self.batch, row))
    }
}

impl Answer for Logs {
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
        vec![(Signal::Logs, self.batch.clone())]
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a, S: Serialize> {
            logs: S,
            #[serde(skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
            searched: &'a Searched,
        }
        let cursor = self.cursor.map(|cursor| cursor.to_string());
        let logs = Each(self.batch.num_rows(), |row| LogRecord::read(&self.batch, row));
        json(form, out, &Shown { logs, cursor, searched: &self.searched })
    }
}
