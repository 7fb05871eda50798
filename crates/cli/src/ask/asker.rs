//! A directory that one command asks, and how its answer is written.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use otlp_arrow::internal::Clock;
use otlp_arrow::{Code, Format, OtlpError, Signal, encode};
use otlp_arrow_query::filter::{Cursor, Filter, Parameters};
use otlp_arrow_query::scan::{AskOptions, Progress};
use otlp_arrow_query::{Answer, Question, Telemetry};

use crate::args::ask::Output;
use crate::args::words::Words;
use crate::config;
use crate::io::{Failure, Io, Outcome};
use crate::text::{plural, thousands};

/// A directory that is asked by one command.
pub(crate) struct Asker<'a> {
    telemetry: Telemetry,
    options: AskOptions,
    output: &'a Output,
    began: Instant,
}

/// How long a command is silent before it says how far it is.
const SILENT: Duration = Duration::from_secs(1);
/// How often it says so.
const AGAIN: Duration = Duration::from_millis(200);

/// A command that answered makes what lets the next ones answer sooner, for at most so long.
const LONGEST_AFTER: Duration = Duration::from_secs(2);

/// Who waits for a command waits at most twice as long as for its answer.
impl Drop for Asker<'_> {
    fn drop(&mut self) {
        let clock = Clock::system();
        self.telemetry.settle(clock.now() + clock.elapsed(self.began).min(LONGEST_AFTER));
    }
}

impl<'a> Asker<'a> {
    pub(crate) fn new(output: &'a Output, io: &Io<'_>) -> Outcome<Self> {
        let timeout = output.timeout.as_deref().map(|timeout| {
            let nanos = otlp_arrow_query::filter::parse_duration(timeout);
            let nanos =
                nanos.map_err(|problem| Failure::Usage(format!("otlp-arrow: --timeout {timeout} {problem}")))?;
            Ok::<_, Failure>(Duration::from_nanos(nanos))
        });
        let telemetry = config::telemetry(&output.source, timeout.transpose()?)?;
        if output.arrow && io.terminal.shows_output {
            let text = "otlp-arrow: --arrow writes binary data: send it to a file or a pipe";
            return Err(Failure::Usage(text.to_owned()));
        }
        let mut options = AskOptions::default();
        if io.terminal.shows_progress {
            options.progress = Some(progress());
        }
        Ok(Self { telemetry, options, output, began: Clock::system().now() })
    }

    /// The filter that the flags say.
    pub(crate) fn filter(&self, words: &Words) -> Outcome<Filter> {
        let mut parameters = Parameters::new(words.pairs());
        let filter = Filter::read(&mut parameters, self.telemetry.now()).map_err(usage)?;
        parameters.finish().map_err(usage)?;
        Ok(filter)
    }

    /// What `parse` makes of words and the time it is; what it refuses is wrong usage.
    pub(crate) fn parse<T>(&self, parse: impl FnOnce(u64) -> Result<T, OtlpError>) -> Outcome<T> {
        parse(self.telemetry.now()).map_err(usage)
    }

    pub(crate) fn ask<Q: Question>(&self, question: &Q, io: &mut Io<'_>) -> Outcome<Q::Answer> {
        let answer = self.telemetry.ask_with(question, &self.options);
        if io.terminal.shows_progress {
            // Past the guard of what is printed, as the progress itself.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        answer.map_err(usage)
    }

    /// Writes the answer in the form that was asked for; `people` writes it for people. `records` are what OTLP can say of it.
    pub(crate) fn write<A: Answer>(
        &self,
        answer: &A,
        records: &[(Signal, &RecordBatch)],
        io: &mut Io<'_>,
        people: impl FnOnce(&A, &mut Io<'_>) -> Outcome,
    ) -> Outcome {
        for skipped in &answer.searched().skipped {
            io.note(format_args!("otlp-arrow: {} is left out: {}", skipped.file, skipped.why));
        }
        if self.output.json {
            writeln!(io.out, "{}", crate::text::json(&answer.to_json()?))?;
        } else if self.output.arrow {
            io.out.write_all(&answer.to_ipc()?)?;
        } else if self.output.otlp {
            if records.is_empty() {
                return Err(Failure::Usage("otlp-arrow: --otlp is for traces, spans and log records".to_owned()));
            }
            for (signal, batch) in records.iter().filter(|(_, batch)| batch.num_rows() > 0) {
                let batch = std::slice::from_ref(*batch);
                let otlp = encode(*signal, batch, Format::Json).map_err(Failure::failed)?;
                writeln!(io.out, "{}", crate::text::json(&String::from_utf8_lossy(&otlp)))?;
            }
        } else if answer.rows() > 0 {
            people(answer, io)?;
        }
        io.out.flush()?;
        self.tell(answer, io)
    }

    /// Why the answer is not all there is; and what may be wrong with a question that finds nothing, which is a failure.
    fn tell<A: Answer>(&self, answer: &A, io: &mut Io<'_>) -> Outcome {
        let searched = answer.searched();
        let stopped = searched.why.filter(|why| !matches!(why.as_str(), "limit" | "max_rows"));
        if let Some(why) = stopped {
            let why = match why.as_str() {
                "timeout" => "its time was over: give it more with --timeout, or ask for less with --from".to_owned(),
                "memory" => "its memory was used up (query.max_memory): ask for less with --from or --limit".to_owned(),
                other => other.to_owned(),
            };
            io.note(format_args!("otlp-arrow: not everything was searched: {why}"));
        }
        if answer.rows() > 0 {
            return Ok(());
        }
        let (rows, files) = (thousands(searched.rows), plural(searched.files, "file"));
        let mut text = format!("nothing found in {rows} rows of {files}");
        for hint in &searched.hints {
            text.push_str("; ");
            text.push_str(&crate::text::one_line(hint));
        }
        Err(Failure::Failed(text))
    }
}

/// What follows a list that has more.
pub(crate) fn more(cursor: Option<Cursor>, io: &mut Io<'_>) {
    if let Some(cursor) = cursor {
        io.note(format_args!("there are more: --cursor {cursor}"));
    }
}

/// A question that cannot be is wrong usage.
fn usage(error: OtlpError) -> Failure {
    match error.code() {
        Code::InvalidConfig => Failure::Usage(format!("otlp-arrow: {}", error.message())),
        _ => error.into(),
    }
}

/// Says on standard error how far a long search is.
fn progress() -> Arc<dyn Fn(Progress) + Send + Sync> {
    let clock = Clock::system();
    let next: Mutex<Instant> = Mutex::new(clock.now() + SILENT);
    Arc::new(move |progress| {
        // Whoever finds it taken has nothing newer to say.
        let Ok(mut next) = next.try_lock() else { return };
        if clock.left(*next).is_zero() {
            *next = clock.now() + AGAIN;
            let share = (100 * progress.rows).checked_div(progress.of).unwrap_or_default().min(100);
            let (rows, of) = (thousands(progress.rows), thousands(progress.of));
            let _ = write!(std::io::stderr(), "\r\x1b[Ksearched {rows} of {of} rows, {share} %");
        }
    })
}
