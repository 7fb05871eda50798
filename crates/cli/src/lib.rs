//! The otlp-arrow command line as a library: the standalone binary, the npm package and the wheel all call [`run`].
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests time what they start"))]

mod args;
mod config;
mod convert;
mod demo;
mod inspect;
mod io;
mod log;
mod memory;
mod record;
mod rows;
mod serve;
mod signals;
mod source;
mod tail;
#[cfg(test)]
mod tests;
mod text;
mod trace;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use io::{Failure, Io, Outcome};
use text::Guard;

/// Runs one command to its end and returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 done in part.
///
/// `arguments` are those after the program's name. Results go to standard output, everything else to standard error.
/// It installs handlers for SIGINT and SIGTERM while `serve` and `tail --follow` run, and blocks the calling thread.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> i32 {
    let mut out = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout());
    let arguments = arguments.into_iter().map(Into::into).collect();
    let code = run_with(arguments, &mut Io { out: &mut out, err: &mut std::io::stderr() });
    match out.flush() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => code.max(1),
        _ => code,
    }
}

fn run_with(arguments: Vec<OsString>, io: &mut Io<'_>) -> i32 {
    // Nothing that a command prints may be obeyed by a terminal, wherever it came from.
    let (mut out, mut err) = (Guard(&mut *io.out), Guard(&mut *io.err));
    let io = &mut Io { out: &mut out, err: &mut err };
    let name = std::iter::once(OsString::from("otlp-arrow"));
    let outcome = match Cli::try_parse_from(name.chain(arguments)) {
        Ok(cli) => dispatch(cli.command, io),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                write!(io.out, "{}", error.render()).map_err(Failure::from)
            }
            _ => Err(Failure::Usage(error.render().to_string())),
        },
    };
    match outcome.and_then(|()| io.out.flush().map_err(Failure::from)) {
        Ok(()) | Err(Failure::Pipe) => 0,
        Err(Failure::Failed(text)) => {
            let _ = io.out.flush();
            io.notes(&format!("otlp-arrow: {text}"));
            1
        }
        Err(Failure::Usage(text)) => {
            io.notes(text.trim_end());
            2
        }
        Err(Failure::Partly(text)) => {
            io.notes(&format!("otlp-arrow: {text}"));
            3
        }
    }
}

fn dispatch(command: Command, io: &mut Io<'_>) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(&args, io),
        Command::Tail(args) => tail::run(&args, io),
        Command::Trace(args) => trace::run(&args, io),
        Command::Inspect(args) => inspect::run(&args, io),
        Command::Config(command) => config::run(command, io),
        Command::Convert(args) => convert::run(&args, io),
        Command::Demo(args) => demo::run(&args, io),
    }
}
