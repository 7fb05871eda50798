//! The otlp-arrow command line as a library: the standalone binary, the npm package and the wheel all call [`run`].
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests time what they start"))]

mod args;
mod ask;
mod config;
mod convert;
mod demo;
mod inspect;
mod io;
mod log;
mod mcp;
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
mod ui;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use io::{Failure, Io, Outcome, Terminal};
use text::{Coloured, Guard, one_line};

/// Runs one command to its end and returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 done in part.
///
/// `arguments` are those after the program's name. Results go to standard output, everything else to standard error.
/// It installs handlers for SIGINT and SIGTERM while `serve` and `tail --follow` run, and blocks the calling thread.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> i32 {
    let mut out = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout());
    let arguments = arguments.into_iter().map(Into::into).collect();
    let terminal = Terminal::of_process();
    let code = run_with(arguments, &mut Io { out: &mut out, err: &mut std::io::stderr(), terminal });
    match out.flush() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => code.max(1),
        _ => code,
    }
}

fn run_with(arguments: Vec<OsString>, io: &mut Io<'_>) -> i32 {
    let name = std::iter::once(OsString::from("otlp-arrow"));
    // What was typed is quoted in errors, and may have line breaks of its own.
    let typed = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    let typed: Vec<String> = typed.filter(|argument| argument.contains('\n')).collect();
    let parsed = Cli::try_parse_from(name.chain(arguments));
    // Nothing that a command prints may be obeyed by a terminal, wherever it came from; colours are ours.
    let terminal = io.terminal;
    let (mut plain, mut coloured);
    let out: &mut (dyn Write + Send) = match &parsed {
        Ok(cli) if cli.command.writes_binary() => &mut *io.out,
        _ if terminal.colours => {
            coloured = Coloured(&mut *io.out);
            &mut coloured
        }
        _ => {
            plain = Guard(&mut *io.out);
            &mut plain
        }
    };
    let io = &mut Io { out, err: &mut Guard(&mut *io.err), terminal };
    let outcome = match parsed {
        Ok(cli) => dispatch(cli.command, io),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                write!(io.out, "{}", error.render()).map_err(Failure::from)
            }
            _ => {
                let shown = |text: String, typed: &String| text.replace(typed.as_str(), &one_line(typed));
                Err(Failure::Usage(typed.iter().fold(error.render().to_string(), shown)))
            }
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
        Command::Trace(args) => ask::trace::run(&args, io),
        Command::Services(args) => ask::services::run(&args, io),
        Command::Traces(args) => ask::traces::run(&args, io),
        Command::Spans(args) => ask::spans::run(&args, io),
        Command::Logs(args) => ask::logs::run(&args, io),
        Command::Counts(args) => ask::counts::run(&args, io),
        Command::Attributes(args) => ask::attributes::run(&args, io),
        Command::Metrics(args) => ask::metrics::run(&args, io),
        Command::Map(args) => ask::map::run(&args, io),
        Command::Compare(args) => ask::compare::run(&args, io),
        Command::Overrepresented(args) => ask::overrepresented::run(&args, io),
        Command::Errors(args) => ask::errors::run(&args, io),
        Command::Mcp(args) => mcp::run(args),
        Command::Inspect(args) => inspect::run(&args, io),
        Command::Config(command) => config::run(command, io),
        Command::Convert(args) => convert::run(&args, io),
        Command::Ui(args) => ui::run(&args, io),
        Command::Demo(args) => demo::run(&args, io),
    }
}
