//! The two ways out, and what ends a command.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use otlp_arrow::{Code, OtlpError};
use otlp_arrow_store::ReadError;

use crate::text::{self, one_line};

/// Standard output and standard error of a command. Only results go to `out`; progress and problems go to `err`.
pub(crate) struct Io<'a> {
    pub(crate) out: &'a mut (dyn Write + Send),
    pub(crate) err: &'a mut (dyn Write + Send),
    pub(crate) terminal: Terminal,
}

/// What of the two a person looks at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terminal {
    /// Standard output, and colours are wanted there.
    pub(crate) colours: bool,
    /// Standard output.
    pub(crate) shows_output: bool,
    /// Standard error.
    pub(crate) shows_progress: bool,
    /// Columns of standard output, where it is a terminal that tells.
    pub(crate) width: Option<usize>,
}

impl Terminal {
    /// As the process was started, and as `NO_COLOR` and `TERM` say.
    pub(crate) fn of_process() -> Self {
        let shows_output = io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let width = columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)));
        let width = width.filter(|width| shows_output && *width > 0);
        let colours = shows_output && !refused && !dumb;
        Self { colours, shows_output, shows_progress: io::stderr().is_terminal(), width }
    }
}

impl Io<'_> {
    /// Where a command speaks of itself: standard output, or standard error where that carries data.
    pub(crate) fn words(&mut self, out_carries_data: bool) -> &mut (dyn Write + Send) {
        if out_carries_data { self.err } else { self.out }
    }

    /// A line on standard error; a closed one is nobody's loss. Whatever it quotes, it stays one line.
    pub(crate) fn note(&mut self, text: impl fmt::Display) {
        let _ = writeln!(self.err, "{}", one_line(&text.to_string()));
    }

    /// Text of our own on standard error, which may have several lines.
    pub(crate) fn notes(&mut self, text: &str) {
        text.lines().for_each(|line| self.note(line));
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was typed cannot be done: exit code 2.
    Usage(String),
    /// It was tried and failed: exit code 1.
    Failed(String),
    /// It was done, and not all of what was given could be used: exit code 3.
    Partly(String),
    /// Nobody reads the output any more, which is how `| head` ends a command: exit code 0.
    Pipe,
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Failure::Failed(text.to_string())
    }

    /// A failure on the way to or from a file.
    pub(crate) fn file(action: &str, path: &std::path::Path, error: impl fmt::Display) -> Self {
        Failure::Failed(format!("cannot {action} {}: {}", text::path(path), one_line(&error.to_string())))
    }
}

/// Writing to standard output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Pipe,
            _ => Failure::Failed(format!("cannot write the output: {error}")),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        OtlpError::from(error).into()
    }
}

impl From<OtlpError> for Failure {
    fn from(error: OtlpError) -> Self {
        let mut text = error.to_string();
        for cause in error.causes() {
            // Errors of ours often quote their cause already.
            if !text.contains(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        // What is wrong with a configuration is told line by line; anything else is one line, whatever it quotes.
        if error.code() != Code::InvalidConfig {
            text = one_line(&text).into_owned();
        }
        Failure::Failed(text)
    }
}
