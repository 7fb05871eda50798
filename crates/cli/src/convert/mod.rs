//! `convert`: OTLP to Arrow and back, one piece at a time.

mod input;
mod output;
mod piece;

use std::path::Path;

use otlp_arrow::{PerSignal, Signal};
use otlp_arrow_columns::otap::encode::Loss;
use otlp_arrow_columns::{DecodeError, Refused};

use crate::args::ConvertArgs;
use crate::io::{Failure, Io, Outcome};
use crate::text::{self, bytes, count, one_line, plural, thousands};
use output::Output;
use piece::{Item, Taken};

/// Problems that are told one by one; the others are counted.
const TOLD: usize = 20;

pub(crate) fn run(args: &ConvertArgs, io: &mut Io<'_>) -> Outcome {
    let form = output::Form::of(&args.output)?;
    let asked = args.signal.map(Signal::from);
    let mut converter = Converter { asked, output: None, other: 0, left_out: 0, notes: Notes::default() };
    for input in &args.inputs {
        input::read(input, &args.output, &mut |item| converter.take(item, form, &args.output))?;
    }
    let Converter { asked, output, other, left_out, notes } = converter;
    for note in &notes.first {
        io.note(note);
    }
    if notes.more > 0 {
        io.note(format_args!("… and {} more such lines", thousands(notes.more)));
    }
    if other > 0 {
        let wanted = asked.map_or("the output", Signal::as_str);
        io.note(format_args!("left out {} of other signals than {wanted}", plural(other, "request")));
    }
    if left_out > 0 && output.as_ref().is_none_or(|output| output.records() == 0) {
        return Err(Failure::Failed("nothing of the input could be read as OTLP: nothing was written".to_owned()));
    }
    let output = match (output, asked) {
        (Some(output), _) => output,
        (None, Some(signal)) => Output::create(form, &args.output, signal)?,
        (None, None) => {
            let problem = "the input holds no records: add --signal to get a file without any";
            return Err(Failure::Failed(problem.to_owned()));
        }
    };
    let (signal, written) = (output.signal(), output.finish()?);
    writeln!(
        io.out,
        "wrote {} to {} ({})",
        count(written.records, signal),
        text::path(&args.output),
        bytes(written.bytes)
    )?;
    for loss in Loss::ALL.into_iter().filter(|loss| written.lost.of(*loss) > 0) {
        io.note(format_args!("{} times {}", thousands(written.lost.of(loss)), loss.text()));
    }
    if left_out > 0 {
        return Err(Failure::Partly(format!("{} of the input could not be used: left out", parts(left_out))));
    }
    Ok(())
}

fn parts(number: u64) -> String {
    plural(number, "part")
}

/// What is told when all is done.
#[derive(Default)]
struct Notes {
    first: Vec<String>,
    more: u64,
}

impl Notes {
    fn add(&mut self, note: String) {
        if self.first.len() < TOLD {
            self.first.push(note);
        } else {
            self.more += 1;
        }
    }
}

struct Converter {
    asked: Option<Signal>,
    output: Option<Output>,
    /// Requests that were left out because `--signal` asked for another.
    other: u64,
    /// Parts of the input that could not be used.
    left_out: u64,
    notes: Notes,
}

impl Converter {
    fn take(&mut self, item: Item<'_>, form: output::Form, path: &Path) -> Outcome<Taken> {
        let (signal, place) = match &item {
            Item::Request { signal, place, .. } => (*signal, *place),
            Item::Json { signals, place, .. } => (self.signal_of(signals)?, *place),
            Item::Rows { signal, .. } | Item::File { signal } => (Some(*signal), "the input"),
            Item::LeftOut { place, what } => {
                self.left_out += 1;
                self.notes.add(format!("{}: {}", one_line(place), one_line(what)));
                return Ok(Taken::Records(0));
            }
        };
        let Some(signal) = signal.or(self.asked) else {
            return Err(Failure::Usage(format!(
                "otlp-arrow: {place} does not say which signal it holds: add --signal traces, metrics or logs"
            )));
        };
        if self.asked.is_some_and(|asked| asked != signal) {
            // Whole files of another signal are what is asked to be left out of a directory.
            self.other += u64::from(!matches!(item, Item::File { .. }));
            return Ok(Taken::Records(0));
        }
        let output = match &mut self.output {
            Some(output) => output,
            None => self.output.insert(Output::create(form, path, signal)?),
        };
        if output.signal() != signal {
            return Err(several(output.signal(), signal));
        }
        match item {
            Item::File { .. } => Ok(Taken::Records(1)),
            Item::Rows { batch, .. } => output.rows(batch).map(Taken::Records),
            Item::Request { bytes, place, before, .. } => {
                let done = output.request(bytes)?;
                Ok(self.taken(done, place, before))
            }
            Item::Json { line, place, .. } => {
                let done = output.json(line)?;
                Ok(self.taken(done, place, 0))
            }
            Item::LeftOut { .. } => Ok(Taken::Records(0)),
        }
    }

    /// Which of its signals an object is taken for.
    fn signal_of(&mut self, signals: &PerSignal<bool>) -> Outcome<Option<Signal>> {
        let mut there = Signal::ALL.into_iter().filter(|signal| signals[*signal]);
        match self.asked.filter(|asked| signals[*asked]) {
            Some(asked) => {
                self.other += there.count() as u64 - 1;
                Ok(Some(asked))
            }
            None => {
                let (first, second) = (there.next(), there.next());
                match (first, second, self.asked) {
                    (Some(first), Some(second), None) => Err(several(first, second)),
                    _ => Ok(first),
                }
            }
        }
    }

    fn taken(&mut self, done: Result<(u64, Refused), DecodeError>, place: &str, before: u64) -> Taken {
        let (records, refused) = match done {
            Ok(done) => done,
            Err(error) => return Taken::Foreign(error.to_string()),
        };
        if let Some(first) = &refused.first {
            let detail = refused.detail.as_ref().map_or(String::new(), |detail| format!(": {}", one_line(detail)));
            self.notes.add(format!(
                "{}: {} refused; first: record {}, field {}, {}{detail}",
                one_line(place),
                plural(refused.total(), "record"),
                before + first.index as u64,
                first.field,
                first.reason.as_str()
            ));
        }
        Taken::Records(records + refused.total())
    }
}

fn several(one: Signal, other: Signal) -> Failure {
    Failure::Usage(format!(
        "otlp-arrow: the input holds {one} and {other}, and a file holds one of them: choose with --signal"
    ))
}
