//! Follows an output directory from a process of its own: no recorder, no lock, nothing is changed.
//!
//! ```sh
//! cargo run --example read_only -- output_dir
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::time::Duration;

use otlp_arrow::{OtlpError, Signal};
use otlp_arrow_store::position::Positions;
use otlp_arrow_store::{Log, ReadOptions, Wanted};

fn main() -> Result<(), OtlpError> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "output_dir".into());
    let log = Log::read_only(dir);

    // What is there now: each file with the form that counts, and how much of it is committed.
    for entry in log.entries(Signal::Logs)? {
        let committed = log.committed(&entry)?;
        println!("{} holds {} records in {} bytes", entry.path.display(), committed.rows, committed.bytes);
    }

    // What comes from now on, of any process, through rotation, sealing, retention and recovery.
    let columns = Some(vec!["service_name".to_owned(), "body".to_owned()]);
    let wanted = Wanted::new(Signal::Logs, &ReadOptions { columns, ..ReadOptions::default() })?;
    let from =
        if std::env::args().any(|argument| argument == "--all") { Positions::new() } else { log.ends(Signal::Logs)? };
    let mut follow = log.follow(Signal::Logs, from, wanted);
    loop {
        match follow.next_batch() {
            Ok(Some((batch, position))) => {
                println!("{} records up to row {} of {}", batch.num_rows(), position.row, position.stem)
            }
            Ok(None) => follow.wait(Duration::from_secs(1)),
            // A file that does not hold is passed over; the disk is tried again.
            Err(error) => {
                println!("{error}");
                follow.wait(Duration::from_secs(1));
            }
        }
    }
}
