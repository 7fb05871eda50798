//! Forwarding over hours: a remote that is away for long, and credentials that are wrong for long.
//!
//! `npm test` runs a share of each; `npm run test:long` sets the numbers to full size.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

mod away;
mod cost;
mod numbered;
mod process;
mod served;
mod token;

use std::process::ExitCode;

use otlp_arrow_testkit::{harness, tests};

fn main() -> ExitCode {
    harness::main(
        &[process::PROCESS, served::SERVICE],
        &tests![
            away::six_hours_away_cost_nothing_but_disk,
            away::what_retention_takes_from_an_absent_remote_is_counted_to_the_record,
            cost::keeping_and_forwarding_costs_at_most_twice_keeping,
            cost::a_stuck_destination_slows_neither_ingest_nor_another_destination,
            token::a_token_that_is_wrong_for_long_loses_nothing_and_sets_nothing_aside,
        ],
    )
}
