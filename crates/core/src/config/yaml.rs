//! YAML into a raw tree that knows its lines. Scalars follow the YAML 1.2 core schema.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::expand;
use super::raw::{Node, Origin, Raw};

const MAX_DEPTH: usize = 32;
const NOT_YAML: &str = "not YAML";

/// Reads one document from a file's text, with the variables that its values name. Errors name the line; what is wrong with
/// variables is handed back, so that it is told with everything else.
pub(crate) fn read_file(
    path: &Path,
    text: &str,
    env: &BTreeMap<String, String>,
) -> Result<(Node, Vec<String>), String> {
    let place = |line: usize| Origin::File { path: path.to_owned(), line };
    read(text, &place, Some(env))
}

/// Reads text that stands in a variable or on the command line, such as `{endpoint: http://host:4317}`. Variables in it were
/// the shell's to put in.
pub(crate) fn read_inline(text: &str, origin: &Origin) -> Result<Node, String> {
    read(text, &|_| origin.clone(), None).map(|(node, _)| node)
}

fn read(
    text: &str,
    place: &dyn Fn(usize) -> Origin,
    env: Option<&BTreeMap<String, String>>,
) -> Result<(Node, Vec<String>), String> {
    let (key, problems) = Default::default();
    let mut reader = Reader { events: Parser::new_from_str(text), place, env, key, problems };
    let document = document(&mut reader).map_err(|error| match error.contains(NOT_YAML) && is_unquoted(text) {
        true => format!("{error}; between {{ }} and [ ] a ${{NAME}} must be quoted: \"${{NAME}}\""),
        false => error,
    })?;
    Ok((document.unwrap_or_else(|| Node { raw: Raw::Null, origin: place(1) }), reader.problems))
}

/// Whether a variable may stand where its braces would be YAML's.
fn is_unquoted(text: &str) -> bool {
    let between = |line: &str| line.find(['{', '[']).is_some_and(|open| line[open + 1..].contains("${"));
    text.lines().any(between)
}

/// The one document there is.
fn document(reader: &mut Reader<'_>) -> Result<Option<Node>, String> {
    let mut document = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            _ if document.is_some() => return Err(reader.fail(&span, "a second document starts here: keep one")),
            event => document = Some(reader.node(event, &span, 0)?),
        }
    }
    Ok(document)
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    place: &'a dyn Fn(usize) -> Origin,
    /// What `${NAME}` is put in from, where it is.
    env: Option<&'a BTreeMap<String, String>>,
    /// The key whose value is read.
    key: String,
    /// What is wrong with variables.
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(format!("{}: {NOT_YAML}: {}", (self.place)(error.marker().line()), error.info())),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err(self.fail(span, "nested too deep for a configuration"));
        }
        let origin = (self.place)(span.start.line());
        let raw = match event {
            Event::Scalar(text, style, _, tag) => {
                let text = self.filled_in(text.into_owned(), span);
                match style {
                    ScalarStyle::Plain if tag.is_none() => plain(&text),
                    _ => Raw::Text(text),
                }
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                let outer = self.key.len();
                loop {
                    self.key.truncate(outer);
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Raw::List(items),
                        (event, span) => {
                            let _ = write!(self.key, "[{}]", items.len());
                            items.push(self.node(event, &span, depth + 1)?);
                        }
                    }
                }
            }
            Event::MappingStart(..) => Raw::Map(self.entries(depth)?),
            Event::Alias(_) => {
                return Err(self.fail(span, "anchors and aliases are not supported: write the value out"));
            }
            _ => return Err(self.fail(span, "a value is missing")),
        };
        Ok(Node { raw, origin })
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(String, Node)>, String> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let outer = self.key.len();
        loop {
            self.key.truncate(outer);
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.fail(&span, "a key must be one word")),
            };
            if outer > 0 {
                self.key.push('.');
            }
            self.key.push_str(&key);
            let (event, value_span) = self.next()?;
            let mut value = self.node(event, &value_span, depth + 1)?;
            // A person looks for the line of the key, also when the value starts below it.
            value.origin = (self.place)(span.start.line());
            if let Some((_, earlier)) = entries.iter().find(|(name, _)| *name == key) {
                return Err(self.fail(&span, &format!("{key} stands here a second time, first at {}", earlier.origin)));
            }
            entries.push((key, value));
        }
    }

    /// The text of a scalar with the variables it names.
    fn filled_in(&mut self, text: String, span: &Span) -> String {
        let Some(env) = self.env.filter(|_| text.contains('$')) else { return text };
        expand::variables(&text, env).unwrap_or_else(|problem| {
            let origin = (self.place)(span.start.line());
            self.problems.push(format!("{} {problem} (from {origin})", self.key));
            text
        })
    }

    fn fail(&self, span: &Span, problem: &str) -> String {
        format!("{}: {problem}", (self.place)(span.start.line()))
    }
}

fn plain(text: &str) -> Raw {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Raw::Null,
        "true" | "True" | "TRUE" => Raw::Flag(true),
        "false" | "False" | "FALSE" => Raw::Flag(false),
        _ if is_number(text) => Raw::Number(text.to_owned()),
        _ => Raw::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read_file(path: &Path, text: &str) -> Result<Node, String> {
        let (node, problems) = super::read_file(path, text, &BTreeMap::new())?;
        assert_eq!(problems, Vec::<String>::new());
        Ok(node)
    }

    #[test]
    fn variables_are_put_in_after_parsing_and_typed_where_they_are_not_quoted() {
        let env: BTreeMap<String, String> =
            [("N", "5"), ("T", "true"), ("E", ""), ("I", "x\ny: 1"), ("L", "[a, b]"), ("H", "# no comment")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        let text = "a: ${N}\nb: '${N}'\nc: \"${T}\"\nd: ${T}\ne: ${E}\nf: ${I}\ng: ${L}\nh: |\n  x ${N}\ni: {j: '${N}'}\n\
                    k: x${H}\nl:\n  - ${N}\n  - '$${N}'\n${N}: m\n";
        let (tree, problems) = super::read_file(Path::new("c"), text, &env).unwrap();
        assert_eq!(problems, Vec::<String>::new());
        let raw = |key: &str| tree.child(key).unwrap().raw.clone();
        let text = |text: &str| Raw::Text(text.to_owned());
        assert_eq!((raw("a"), raw("b")), (Raw::Number("5".into()), text("5")));
        assert_eq!((raw("c"), raw("d")), (text("true"), Raw::Flag(true)));
        assert_eq!(raw("e"), Raw::Null);
        assert_eq!(raw("f"), text("x\ny: 1"));
        assert_eq!(raw("g"), text("[a, b]"));
        assert_eq!(raw("h"), text("x 5\n"));
        assert_eq!(tree.child("i").unwrap().child("j").unwrap().raw, text("5"));
        assert_eq!(raw("k"), text("x# no comment"));
        let Raw::List(items) = raw("l") else { panic!("a list") };
        assert_eq!((items[0].raw.clone(), items[1].raw.clone()), (Raw::Number("5".into()), text("${N}")));
        assert_eq!(raw("${N}"), text("m"), "keys are names");
    }

    #[test]
    fn a_variable_that_is_not_set_is_told_with_its_line_and_key() {
        let text =
            "a: ${ONE}\nforward:\n  - endpoint: ok\n  - headers:\n      x-key: ${TWO}\n    signals: [a, '${THREE']\n";
        let (_, problems) = super::read_file(Path::new("c.yaml"), text, &BTreeMap::new()).unwrap();
        let told = |at: usize, start: &str, end: &str| {
            assert!(problems[at].starts_with(start) && problems[at].ends_with(end), "{}", problems[at]);
        };
        assert_eq!(problems.len(), 3, "{problems:?}");
        told(0, "a names the variable ONE, which is not set", "(from c.yaml:1)");
        told(1, "forward[1].headers.x-key names the variable TWO", "(from c.yaml:5)");
        told(2, "forward[1].signals[1] has a ${ without its }", "(from c.yaml:6)");
        let inline = read_inline("{a: '${NONE}'}", &Origin::Argument).unwrap();
        assert_eq!(inline.child("a").unwrap().raw, Raw::Text("${NONE}".to_owned()));
    }

    #[test]
    fn values_carry_the_line_of_their_key() {
        let text = "# top\noutput_dir: ./x\nbuffer:\n  max_bytes:\n    64MiB\nforward:\n  - endpoint: http://a\n    headers: {k: v}\n";
        let tree = read_file(Path::new("c.yaml"), text).unwrap();
        let at = |node: &Node| node.origin.to_string();
        assert_eq!(at(tree.child("output_dir").unwrap()), "c.yaml:2");
        assert_eq!(at(tree.child("buffer").unwrap().child("max_bytes").unwrap()), "c.yaml:4");
        let Raw::List(items) = &tree.child("forward").unwrap().raw else { panic!("a list") };
        assert_eq!(at(items[0].child("headers").unwrap().child("k").unwrap()), "c.yaml:8");
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let tree =
            read_file(Path::new("c"), "a: true\nb: off\nc: 5\nd: 5s\ne: '5'\nf:\ng: 1.5\nh: 127.0.0.1:0\n").unwrap();
        let raw = |key: &str| tree.child(key).unwrap().raw.clone();
        assert_eq!(raw("a"), Raw::Flag(true));
        assert_eq!(raw("b"), Raw::Text("off".into()));
        assert_eq!(raw("c"), Raw::Number("5".into()));
        assert_eq!(raw("d"), Raw::Text("5s".into()));
        assert_eq!(raw("e"), Raw::Text("5".into()));
        assert_eq!(raw("f"), Raw::Null);
        assert_eq!(raw("g"), Raw::Number("1.5".into()));
        assert_eq!(raw("h"), Raw::Text("127.0.0.1:0".into()));
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = |text: &str| read_file(Path::new("c.yaml"), text).unwrap_err();
        assert_eq!(error("a: 1\nb: 2\na: 3\n"), "c.yaml:3: a stands here a second time, first at c.yaml:1");
        assert!(error("a: &x 1\nb: *x\n").starts_with("c.yaml:2: anchors"), "{}", error("a: &x 1\nb: *x\n"));
        assert!(error("a: [1\nb: 2\n").starts_with("c.yaml:"), "{}", error("a: [1\nb: 2\n"));
        assert!(error("a: 1\n---\nb: 2\n").starts_with("c.yaml:3: a second document"));
        assert!(read_file(Path::new("c"), &"[".repeat(5000)).is_err());
        assert_eq!(read_file(Path::new("c"), "# nothing\n").unwrap().raw, Raw::Null);
    }
}
