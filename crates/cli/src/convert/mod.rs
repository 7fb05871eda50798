//! `convert`: OTLP to Arrow and back, one piece at a time.

mod input;
mod output;

use std::path::Path;

use otlp_arrow::Signal;
use otlp_arrow_columns::Refused;

use crate::args::ConvertArgs;
use crate::io::{Failure, Io, Outcome};
use crate::text::{bytes, count, plural};
use output::Output;

pub(crate) fn run(args: &ConvertArgs, io: &mut Io<'_>) -> Outcome {
    let form = output::Form::of(&args.output)?;
    let mut converter = Converter { asked: args.signal.map(Signal::from), output: None, other: 0, refused: Vec::new() };
    for input in &args.inputs {
        input::read(input, &mut |item| converter.take(item, form, &args.output))?;
    }
    let Converter { asked, output, other, refused } = converter;
    for refusal in &refused {
        io.note(refusal);
    }
    if other > 0 {
        let wanted = asked.map_or("the output", Signal::as_str);
        io.note(format_args!("left out {} of other signals than {wanted}", plural(other, "request")));
    }
    let output = match (output, asked) {
        (Some(output), _) => output,
        (None, Some(signal)) => Output::create(form, &args.output, signal)?,
        (None, None) => return Err(Failure::Failed("the input holds no records".to_owned())),
    };
    let (signal, written) = (output.signal(), output.finish()?);
    writeln!(
        io.out,
        "wrote {} to {} ({})",
        count(written.records, signal),
        args.output.display(),
        bytes(written.bytes)
    )?;
    Ok(())
}

/// A piece of input.
pub(crate) enum Item<'a> {
    /// One OTLP protobuf export request.
    Request {
        /// Its bytes.
        bytes: &'a [u8],
        /// What it is; `None` where the input does not say.
        signal: Option<Signal>,
        /// For messages, such as `a.jsonl:3`.
        place: &'a str,
        /// Records before it in the same place, so that a refused one is named by its position there.
        before: u64,
    },
    /// A line of OTLP/JSON.
    Json { line: &'a [u8], signal: Option<Signal>, place: &'a str },
    /// Rows in the storage schema.
    Rows { batch: &'a arrow_array::RecordBatch, signal: Signal },
    /// A file of this signal follows; the answer is whether it is wanted.
    File { signal: Signal },
}

struct Converter {
    asked: Option<Signal>,
    output: Option<Output>,
    /// Requests that were left out because `--signal` asked for another.
    other: u64,
    /// One line for each request that had refused records.
    refused: Vec<String>,
}

impl Converter {
    /// Takes a piece; the answer is how many records it held, or for a file whether it is wanted (0 = no).
    fn take(&mut self, item: Item<'_>, form: output::Form, path: &Path) -> Outcome<u64> {
        let (signal, place) = match &item {
            Item::Request { signal, place, .. } | Item::Json { signal, place, .. } => (*signal, *place),
            Item::Rows { signal, .. } | Item::File { signal } => (Some(*signal), "the input"),
        };
        let Some(signal) = signal.or(self.asked) else {
            return Err(Failure::Usage(format!(
                "otlp-arrow: {place} does not say which signal it holds: add --signal traces, metrics or logs"
            )));
        };
        if self.asked.is_some_and(|asked| asked != signal) {
            // Whole files of another signal are what is asked to be left out of a directory.
            self.other += u64::from(!matches!(item, Item::File { .. }));
            return Ok(0);
        }
        let output = match &mut self.output {
            Some(output) => output,
            None => self.output.insert(Output::create(form, path, signal)?),
        };
        if output.signal() != signal {
            return Err(Failure::Usage(format!(
                "otlp-arrow: the input holds {} and {signal}, and a file holds one of them: choose with --signal",
                output.signal()
            )));
        }
        match item {
            Item::File { .. } => Ok(1),
            Item::Rows { batch, .. } => output.rows(batch),
            Item::Request { bytes, place, before, .. } => {
                let (records, refused) = output.request(bytes, place)?;
                self.note(&refused, place, before);
                Ok(records + refused.total())
            }
            Item::Json { line, place, .. } => {
                let (records, refused) = output.json(line, place)?;
                self.note(&refused, place, 0);
                Ok(records + refused.total())
            }
        }
    }

    fn note(&mut self, refused: &Refused, place: &str, before: u64) {
        if let Some(first) = &refused.first {
            self.refused.push(format!(
                "{place}: {} refused; first: record {}, field {}, {}",
                plural(refused.total(), "record"),
                before + first.index as u64,
                first.field,
                first.reason.as_str()
            ));
        }
    }
}
