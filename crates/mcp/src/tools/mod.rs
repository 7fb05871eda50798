//! The tools, one file each, and the list of all of them.

mod call;
mod compare;
mod errors;
mod get_spans;
mod get_trace;
mod overview;
mod query_metric;
mod search_logs;
mod search_traces;
mod wait_for;

use serde_json::{Value, json};

pub(crate) use call::{Place, Tool};

use crate::words::schema;

/// All of them, in the order in which clients see them: it is the same each time, for they keep it.
pub(crate) const TOOLS: &[Tool] = &[
    overview::TOOL,
    search_traces::TOOL,
    get_trace::TOOL,
    get_spans::TOOL,
    search_logs::TOOL,
    errors::TOOL,
    query_metric::TOOL,
    compare::TOOL,
    wait_for::TOOL,
];

/// The tool of that name.
pub(crate) fn named(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// What clients are told of the tools, as `tools/list` has it.
pub fn definitions() -> Value {
    let definition = |tool: &Tool| {
        json!({
            "name": tool.name,
            "description": tool.text,
            "inputSchema": schema(tool.words),
            "annotations": { "readOnlyHint": true },
        })
    };
    TOOLS.iter().map(definition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters of a token, about.
    const TOKEN: usize = 4;
    /// What the tool `sql` will take.
    const SQL: usize = 800;

    #[test]
    fn definitions_fit_their_budget_with_one_more_to_come() {
        let text = definitions().to_string();
        assert!(text.chars().count() + SQL <= 2_500 * TOKEN, "{}", text.chars().count());
        for tool in TOOLS {
            assert!(tool.text.chars().count() <= 300, "{}: {}", tool.name, tool.text.chars().count());
            assert!(tool.words.iter().all(|word| !word.required || !word.text.is_empty()), "{}", tool.name);
        }
        let mut names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 9);
    }

    #[test]
    fn definitions_are_the_same_each_time() {
        assert_eq!(definitions().to_string(), definitions().to_string());
        for definition in definitions().as_array().unwrap() {
            assert_eq!(definition["annotations"]["readOnlyHint"], true);
            assert!(definition.get("outputSchema").is_none(), "answers are text");
        }
    }
}
