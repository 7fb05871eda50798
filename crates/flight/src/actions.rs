//! What can be done: a table of actions, each answered with one JSON object.

use otlp_arrow::internal::Recorder;
use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_query::filter::nearest;
use otlp_arrow_wire::flight::{Action, action_type, holding};
use serde_json::{Value, json};

use crate::asked::read;

struct Known {
    name: &'static str,
    text: &'static str,
    run: fn(&Recorder) -> Result<Value>,
}

const ACTIONS: &[Known] = &[
    Known {
        name: "flush",
        text: "commits everything that was accepted before",
        run: |recorder| recorder.flush().map(|()| json!({})),
    },
    Known {
        name: "health",
        text: "whether new data is taken, and what is not well",
        run: |recorder| shown(recorder.health()),
    },
    Known { name: "stats", text: "what was done and what is in hand", run: |recorder| shown(recorder.stats()) },
];

fn shown(value: impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| OtlpError::with_source(Code::Internal, "no JSON", error))
}

/// An `ActionType` each.
pub(crate) fn list() -> impl Iterator<Item = Vec<u8>> {
    ACTIONS.iter().map(|action| action_type(action.name, action.text))
}

/// Does what an `Action` says. Blocks until it is done.
pub(crate) fn run(recorder: &Recorder, message: &[u8]) -> Result<Vec<u8>> {
    let action = read("Action", Action::read(message))?;
    let name = String::from_utf8_lossy(action.name);
    let Some(known) = ACTIONS.iter().find(|known| known.name == name) else {
        let names = || ACTIONS.iter().map(|known| known.name);
        let hint = match nearest(&name, names()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let shown: String = name.chars().take(100).collect();
        return Err(OtlpError::new(Code::InvalidData, format!("there is no action {shown:?}: {hint}")));
    };
    if !matches!(action.body.trim_ascii(), b"" | b"{}") {
        return Err(OtlpError::new(
            Code::InvalidData,
            format!("the action {} takes nothing: send no body", known.name),
        ));
    }
    Ok(holding((known.run)(recorder)?.to_string().as_bytes()))
}
