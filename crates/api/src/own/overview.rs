//! What a newcomer asks first: which services there are, and what is kept of each signal.

use std::io::{self, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, RecordBatch};
use otlp_arrow::{Result, Signal};
use otlp_arrow_columns::schema::{logs, metrics, traces};
use otlp_arrow_query::answer::top;
use otlp_arrow_query::filter::{Filter, Nanos, Order, Parameters, show_time};
use otlp_arrow_query::questions::{Services, ServicesQuestion};
use otlp_arrow_query::record::Form;
use otlp_arrow_query::scan::Asking;
use otlp_arrow_query::{Answer, AskOptions, Searched, Telemetry};
use serde::Serialize;

use super::question::{Own, filter};
use crate::words::Words;

pub(super) const OVERVIEW: Own = Own {
    name: "overview",
    filtered: true,
    not: &[],
    parameters: &[],
    ask: |telemetry, words, options| Ok(Box::new(ask(telemetry, words, options)?)),
};

/// How far it looks back where nobody says: figures of all that is kept would be old ones.
const USUAL: Nanos = 3_600_000_000_000;

struct Overview {
    services: Services,
    signals: Vec<Kept>,
}

/// What is kept of one signal.
#[derive(Serialize)]
struct Kept {
    signal: &'static str,
    files: usize,
    bytes: u64,
    /// Times of the earliest and the latest record.
    first: Option<String>,
    last: Option<String>,
}

fn ask(telemetry: &Telemetry, words: Words, options: &AskOptions) -> Result<Overview> {
    let mut filter = filter(Parameters::new(words), telemetry)?;
    if filter.from.is_none() && filter.to.is_none() {
        filter.from = Some(telemetry.now().saturating_sub(USUAL));
    }
    let services = telemetry.ask_with(&ServicesQuestion { filter }, options)?;
    let signals = Signal::ALL.into_iter().map(|signal| kept(telemetry, signal, options)).collect::<Result<_>>()?;
    Ok(Overview { services, signals })
}

fn kept(telemetry: &Telemetry, signal: Signal, options: &AskOptions) -> Result<Kept> {
    let files = telemetry.engine().log().entries(signal)?;
    let end = |order| -> Result<Option<String>> {
        let filter = Filter { order, limit: Some(1), ..Filter::default() };
        let found = top(&Asking::begin(telemetry.engine(), options)?, signal, &filter, 1)?;
        Ok(time_of(signal, &found.batch).map(show_time))
    };
    let (first, last) = (end(Order::Oldest)?, end(Order::Newest)?);
    Ok(Kept {
        signal: signal.as_str(),
        files: files.len(),
        bytes: files.iter().map(|file| file.len).sum(),
        first,
        last,
    })
}

/// The time of the first row.
fn time_of(signal: Signal, batch: &RecordBatch) -> Option<Nanos> {
    let columns: &[usize] = match signal {
        Signal::Traces => &[traces::START_TIME],
        Signal::Metrics => &[metrics::TIME],
        Signal::Logs => &[logs::TIME, logs::OBSERVED_TIME],
    };
    let times = columns.iter().filter_map(|column| batch.column(*column).as_primitive_opt::<TimestampNanosecondType>());
    let mut times = times.filter(|times| !times.is_empty() && times.is_valid(0));
    times.next().map(|times| times.value(0).cast_unsigned())
}

impl Answer for Overview {
    fn searched(&self) -> &Searched {
        self.services.searched()
    }

    fn rows(&self) -> usize {
        self.services.rows()
    }

    fn table(&self) -> Result<RecordBatch> {
        self.services.table()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            services: &'a [otlp_arrow_query::questions::Service],
            signals: &'a [Kept],
            searched: &'a Searched,
        }
        let shown = Shown { services: &self.services.services, signals: &self.signals, searched: self.searched() };
        form.write(&shown, out)
    }
}
