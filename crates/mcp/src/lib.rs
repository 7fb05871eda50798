//! Tools for coding agents about what a recorder keeps, by the Model Context Protocol: over standard input and output, and at `/mcp` on
//! the listeners that take telemetry.
//!
//! ```
//! use otlp_arrow::{Config, OtlpLibrary};
//! use otlp_arrow_mcp::Mcp;
//!
//! # let directory = tempfile::tempdir()?;
//! let mut config = Config { output_dir: directory.path().join("telemetry"), mcp: true, ..Config::default() };
//! config.listen.http = Some(([127, 0, 0, 1], 0).into()); // any free port
//! let library = OtlpLibrary::builder(config).mcp().open()?;
//! println!("claude mcp add --transport http telemetry http://{}/mcp", library.addresses().http.expect("it is listened on"));
//! # library.shutdown_blocking(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is put together
//!
//! `page` is text that fits a window: so many characters, and where there is more, the call that brings it. `words` is what a tool
//! takes, as a table from which schemas and errors are made. `tools` has the tools, one file each, and their list; each
//! asks the questions of `otlp-arrow-query`. `runs` finds out which processes were recorded. `hand` gives a call a thread that
//! gives way to recording. `server` speaks the protocol by `rmcp`, old and new revisions alike; `prompts` and `resources` are
//! what else it offers. `door` is `/mcp`, `stdio` the other way in.
//!
//! To add a tool: a file in `tools`, a line in `TOOLS`.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests"))]

mod door;
mod hand;
mod page;
mod prompts;
mod resources;
mod runs;
mod server;
mod stdio;
mod tools;
mod words;

use std::sync::Arc;

use otlp_arrow::Builder;
use otlp_arrow::internal::{Door, MCP};

pub use door::PATH;
pub use stdio::serve;
pub use tools::definitions;

/// The tools as a door.
pub const DOOR: Door =
    Door { name: MCP, telemetry: None, on: |config| config.mcp, open: |inside| Arc::new(door::McpDoor::new(inside)) };

/// For our own tests.
#[doc(hidden)]
pub mod internal {
    use std::path::Path;

    use otlp_arrow::Result;
    use otlp_arrow_query::{AskOptions, Telemetry};
    use serde_json::Value;

    /// What the tool answers, as a client would get it.
    pub fn answer(
        dir: &Path,
        telemetry: &Telemetry,
        name: &str,
        given: &Value,
        options: &AskOptions,
    ) -> Result<String> {
        let place = crate::tools::Place { output_dir: dir.to_owned(), recorder: None, telemetry: telemetry.clone() };
        let tool = crate::tools::named(name).unwrap_or_else(|| panic!("no tool is called {name}"));
        tool.answer(&place, given.as_object(), options)
    }
}

/// Answers coding agents.
pub trait Mcp {
    /// Answers the tools at `/mcp` on the addresses that are listened on, where `mcp` is on.
    #[must_use]
    fn mcp(self) -> Self;
}

impl Mcp for Builder {
    fn mcp(self) -> Self {
        self.door(DOOR)
    }
}
