//! Files that are written from the sources and committed.

use std::path::{Path, PathBuf};

/// A file of the repository, such as `docs/configuration.md`.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Fails if the file of the repository is not what it should be; with `OTLP_ARROW_BLESS` set it is written anew.
pub fn fresh(path: &str, wanted: &str) {
    let file = repository(path);
    if std::env::var_os("OTLP_ARROW_BLESS").is_some() {
        std::fs::write(&file, wanted).unwrap_or_else(|error| panic!("{path} cannot be written: {error}"));
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    assert!(found == wanted, "{path} is stale: OTLP_ARROW_BLESS=1 cargo test fresh writes it anew; read what changed");
}

/// The text of a file of the repository with what stands between `<!-- name -->` and `<!-- end of name -->` replaced.
pub fn section(path: &str, name: &str, wanted: &str) -> String {
    let text = std::fs::read_to_string(repository(path)).unwrap_or_default().replace("\r\n", "\n");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let marks = text.split_once(&begin).and_then(|(head, rest)| Some((head, rest.split_once(&end)?.1)));
    let (head, tail) = marks.unwrap_or_else(|| panic!("{path} has no section {name}"));
    format!("{head}{begin}{wanted}{end}{tail}")
}
