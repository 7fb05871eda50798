//! The main function of a test program that also is the process it starts: `[[test]] harness = false`.
//!
//! As a `#[test]` the other process would be one that passes without doing anything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A test by its name.
pub type Test = (&'static str, fn());

/// The tests of these paths: `tests![first, module::second]`.
#[macro_export]
macro_rules! tests {
    ($($test:path),* $(,)?) => { [$((stringify!($test), $test as fn())),*] };
}

/// What a process does that was started for it: by the variable in which its job stands.
pub type Process = (&'static str, fn(&str));

/// A command that starts this program again, for `job`.
pub fn again(process: Process, job: &str) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("this program has no path: {error}"));
    let mut command = Command::new(program);
    command.env(process.0, job);
    command
}

/// Does the job this process was started for, or runs the tests that the command line names, as the harness of Rust would.
pub fn main(processes: &[Process], tests: &[Test]) -> ExitCode {
    for (variable, run) in processes {
        if let Ok(job) = std::env::var(variable) {
            run(&job);
            return ExitCode::SUCCESS;
        }
    }
    let arguments = Arguments::of_the_command_line();
    let chosen: Vec<&Test> = tests.iter().filter(|(name, _)| arguments.choose(name)).collect();
    if arguments.list {
        chosen.iter().for_each(|(name, _)| say(&format!("{name}: test")));
        return ExitCode::SUCCESS;
    }
    say(&format!("\nrunning {} tests", chosen.len()));
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                while let Some((name, test)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let passed = run(name, *test);
                    failed.fetch_add(usize::from(!passed), Ordering::Relaxed);
                    say(&format!("test {name} ... {}", if passed { "ok" } else { "FAILED" }));
                }
            });
        }
    });
    let (failed, left) = (failed.into_inner(), tests.len() - chosen.len());
    let (result, passed) = (if failed == 0 { "ok" } else { "FAILED" }, chosen.len() - failed);
    say(&format!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {left} filtered out\n"
    ));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// On a thread of the test's name, which a panic tells.
fn run(name: &str, test: fn()) -> bool {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || catch_unwind(AssertUnwindSafe(test)).is_ok());
    thread.is_ok_and(|thread| thread.join().unwrap_or(false))
}

#[expect(clippy::print_stdout, reason = "what a harness says")]
fn say(line: &str) {
    println!("{line}");
}

/// What of the command line of Rust's harness is understood.
struct Arguments {
    words: Vec<String>,
    left_out: Vec<String>,
    exact: bool,
    list: bool,
    threads: usize,
}

impl Arguments {
    fn of_the_command_line() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut found = Self { words: Vec::new(), left_out: Vec::new(), exact: false, list: false, threads };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value = || value.clone().or_else(|| arguments.next()).unwrap_or_default();
            match name.as_str() {
                "--exact" => found.exact = true,
                "--list" => found.list = true,
                "--skip" => found.left_out.push(value()),
                "--test-threads" => found.threads = value().parse().unwrap_or(1),
                "--format" | "--color" | "--logfile" | "--report-time" => drop(value()),
                // Such as --nocapture and --quiet: nothing is captured, and little is said.
                _ if name.starts_with('-') => {}
                _ => found.words.push(name),
            }
        }
        found
    }

    fn choose(&self, name: &str) -> bool {
        let matches = |word: &String| if self.exact { name == word } else { name.contains(word.as_str()) };
        (self.words.is_empty() || self.words.iter().any(matches)) && !self.left_out.iter().any(matches)
    }
}
