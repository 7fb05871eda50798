//! `ui`: a directory in a browser, without a recorder.

use std::process::{Command, Stdio};

use otlp_arrow_dashboard::{Viewer, is_built};

use crate::args::{Source, UiArgs};
use crate::config;
use crate::io::{Failure, Io, Outcome};
use crate::signals::StopRequests;
use crate::text::path;

pub(crate) fn run(args: &UiArgs, io: &mut Io<'_>) -> Outcome {
    let source = Source { output_dir: args.directory.clone(), config: args.config.clone() };
    let directory = config::directory(&source).map_err(|failure| match failure {
        Failure::Failed(text) => Failure::Failed(text.replace("--output-dir DIR", "otlp-arrow ui DIR")),
        other => other,
    })?;
    let query = config::limits(&source);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(Failure::failed)?.block_on(async {
        let mut requests = StopRequests::new().map_err(Failure::failed)?;
        let viewer = Viewer::open(&directory, query, ([127, 0, 0, 1], args.port).into())?;
        let link = format!("http://{}/", viewer.address());
        writeln!(io.out, "looking at {}: {link}", path(&directory))?;
        if !is_built() {
            io.note(
                "the pages are not in this build: npm run build:dashboard makes them, and cargo build takes them in",
            );
        }
        io.out.flush()?;
        if !args.no_open && !opened(&link) {
            io.note(format_args!("no browser could be opened: go to {link}"));
        }
        io.note("Ctrl-C ends it");
        requests.next().await;
        Ok(())
    })
}

/// Asks the system to open a browser. Whether there is something to ask: what it does then is its own business.
fn opened(link: &str) -> bool {
    // Whoever sets it says which one, as other tools take it.
    let own = std::env::var_os("BROWSER").filter(|browser| !browser.is_empty());
    let (program, arguments): (std::ffi::OsString, &[&str]) = match own {
        Some(browser) => (browser, &[]),
        None if cfg!(windows) => ("rundll32".into(), &["url.dll,FileProtocolHandler"]),
        None if cfg!(target_os = "macos") => ("open".into(), &[]),
        None => ("xdg-open".into(), &[]),
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(mut browser) => {
            // Waited for, so that nothing is left of it that ended; it may be the browser itself, which stays.
            let waiting = std::thread::Builder::new().name("otlp-browser".into()).spawn(move || drop(browser.wait()));
            drop(waiting);
            true
        }
        Err(_) => false,
    }
}
