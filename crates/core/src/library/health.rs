//! Whether new data is taken, and everything that is not well.

use otlp_arrow_columns::Signal;

use super::running::Running;
use crate::error::{Code, OtlpError};
use crate::forward::{BreakerState, Forwarder};
use crate::stats::{Health, HealthStatus, Problem};

pub(super) fn of(closed: bool, running: &Running) -> Health {
    if closed {
        return Health { status: HealthStatus::Closed, accepting: false, problems: Vec::new() };
    }
    let mut problems: Vec<Problem> = running.core.store.troubles().iter().map(storage_problem).collect();
    let accepting = problems.len() < Signal::ALL.len();
    let storage_works = problems.is_empty();
    problems.extend(running.forwarders().iter().filter_map(forward_problem));
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

fn forward_problem(forwarder: &Forwarder) -> Option<Problem> {
    let info = forwarder.info();
    // Half-open is not well yet: one request is asking.
    (info.troubled || info.state != BreakerState::Closed).then(|| Problem {
        part: "forward",
        signal: None,
        message: format!(
            "{} is {} record(s), {:.0} s behind, its breaker {}: {}",
            info.name,
            info.lag_records,
            info.lag_seconds,
            info.state,
            info.last_error.as_deref().unwrap_or("no error was reported")
        ),
        destination: Some(info.name),
        code: Some(Code::Unavailable),
    })
}
