//! What can be read beside the tools: the schema of the files.

use otlp_arrow_query::text::quoted;
use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents};

/// docs/schema.md: a test copies it here, for what is published has no docs beside it.
pub(crate) const SCHEMA: &str = include_str!("schema.md");
/// Where it is read.
const SCHEMA_URI: &str = "otlp-arrow://schema.md";

/// What clients list.
pub(crate) fn list() -> Vec<Resource> {
    vec![
        Resource::new(SCHEMA_URI, "schema.md")
            .with_title("Schema of the files")
            .with_description("Every column of the Arrow files, for programs that read them without these tools")
            .with_mime_type("text/markdown")
            .with_size(SCHEMA.len() as u64),
    ]
}

/// One of them.
pub(crate) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    match uri {
        SCHEMA_URI => {
            let contents = ResourceContents::text(SCHEMA, SCHEMA_URI).with_mime_type("text/markdown");
            Ok(ReadResourceResult::new(vec![contents]))
        }
        other => {
            let text = format!("there is no resource {}: there is {SCHEMA_URI}", quoted(other, 200));
            Err(ErrorData::resource_not_found(text, None))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn schema_is_fresh() {
        let docs = std::fs::read_to_string(otlp_arrow_testkit::fresh::repository("docs/schema.md")).unwrap();
        otlp_arrow_testkit::fresh::fresh("crates/mcp/src/schema.md", &docs.replace("\r\n", "\n"));
    }
}
