//! Whether new data is taken, and everything that is not well.

use otlp_arrow_columns::Signal;

use super::ingest::Core;
use crate::error::OtlpError;
use crate::stats::{Health, HealthStatus, Problem};

/// `others` are problems that are not of the store.
pub(super) fn of(closed: bool, core: &Core, others: Vec<Problem>) -> Health {
    if closed {
        return Health { status: HealthStatus::Closed, accepting: false, problems: Vec::new() };
    }
    let mut problems: Vec<Problem> = core.store.troubles().iter().map(storage_problem).collect();
    let accepting = problems.len() < Signal::ALL.len();
    let storage_works = problems.is_empty();
    problems.extend(others);
    let status = match (storage_works, problems.is_empty()) {
        (false, _) => HealthStatus::Failing,
        (true, false) => HealthStatus::Degraded,
        (true, true) => HealthStatus::Ok,
    };
    Health { status, accepting, problems }
}

fn storage_problem((signal, error): &(Signal, OtlpError)) -> Problem {
    Problem {
        part: "storage",
        signal: Some(signal.as_str()),
        destination: None,
        code: Some(error.code()),
        message: error.message().to_owned(),
    }
}
