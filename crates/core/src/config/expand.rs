//! `${VARIABLE}` and a leading `~`. What is put in is text: it never becomes keys, lists or comments.

use std::collections::BTreeMap;

/// How deep defaults may stand in defaults.
const MAX_DEPTH: usize = 16;
const FORMS: &str = "write ${NAME}, ${NAME:-default}, or $${ where the text itself is meant";

/// Puts in the variables that `text` names: `${NAME}` and `${env:NAME}`, with `:-` and a default for one that is not set
/// or empty, with `-` for one that is not set, or with `:?` and `?` and what to say of it. `$$` is a `$`; any other `$` is
/// one too. The error never quotes more of the text than the name, since it may be a secret.
pub(super) fn variables(text: &str, env: &BTreeMap<String, String>) -> Result<String, String> {
    expanded(text, env, 0)
}

fn expanded(text: &str, env: &BTreeMap<String, String>, depth: usize) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing(after).ok_or_else(|| format!("has a ${{ without its }}: {FORMS}"))?;
            out.push_str(&expression(&after[..end], env, depth)?);
            rest = &after[end + 1..];
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the brace that was opened before `text` is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut open, mut before) = (1, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '{' if before == '$' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
        before = c;
    }
    None
}

/// What stands between the braces.
fn expression(body: &str, env: &BTreeMap<String, String>, depth: usize) -> Result<String, String> {
    let body = body.strip_prefix("env:").unwrap_or(body);
    let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
    let (name, rest) = body.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("has a ${{…}} that does not begin with the name of a variable: {FORMS}"));
    }
    if depth >= MAX_DEPTH {
        return Err(format!("has defaults in defaults more than {MAX_DEPTH} deep: {FORMS}"));
    }
    let value = env.get(name);
    let filled = value.filter(|value| !value.is_empty());
    let unset = |what: &str| format!("names the variable {name}, which {what}: set it, or write ${{{name}:-default}}");
    let wanted = |said: &str, what: &str| match said {
        "" => unset(what),
        said => format!("names the variable {name}, which {what}: {said}"),
    };
    let or_default = |found: Option<&String>, default: &str| match found {
        Some(value) => Ok(value.clone()),
        None => expanded(default, env, depth + 1),
    };
    if rest.is_empty() {
        value.cloned().ok_or_else(|| unset("is not set"))
    } else if let Some(default) = rest.strip_prefix(":-") {
        or_default(filled, default)
    } else if let Some(default) = rest.strip_prefix('-') {
        or_default(value, default)
    } else if let Some(said) = rest.strip_prefix(":?") {
        filled.cloned().ok_or_else(|| wanted(said, "is not set, or empty"))
    } else if let Some(said) = rest.strip_prefix('?') {
        value.cloned().ok_or_else(|| wanted(said, "is not set"))
    } else if rest.starts_with(':') {
        let what = "which is not a variable of the environment";
        Err(format!("has ${{{name}:…}}, {what}: {FORMS}; a secret in a file is {{file: PATH}}"))
    } else {
        Err(format!("has ${{{name}…}} with something behind the name: {FORMS}"))
    }
}

/// A path whose leading `~/` is the home of this user, as a shell would have it: where no shell has looked at it, in a file,
/// a variable or an argument, nobody means a folder of that name.
pub fn home(path: &str, env: &BTreeMap<String, String>) -> Result<String, String> {
    let is_separator = |c: char| c == '/' || (cfg!(windows) && c == '\\');
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
    if !rest.is_empty() && !rest.starts_with(is_separator) {
        return Err(format!(
            "begins with ~: only ~/ is taken for a home; write the path out, or ./{path} for that name"
        ));
    }
    let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    match env.get(variable).filter(|home| !home.is_empty()) {
        Some(home) => Ok(format!("{}{rest}", home.trim_end_matches(is_separator))),
        None => Err(format!("begins with ~, and {variable} is not set: set it, or write the path out")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> BTreeMap<String, String> {
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let pairs = [("A", "a b"), ("EMPTY", ""), (home, "/home/u/"), ("INJECT", "x\nforward: {a: b} # ${A}")];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn put(text: &str) -> Result<String, String> {
        variables(text, &env())
    }

    #[test]
    fn variables_are_put_in_as_they_are() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("${A}", "a b"),
            ("${env:A}/x${A}", "a b/xa b"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}${NONE:-e}", "de"),
            ("${EMPTY-d}${NONE-e}", "e"),
            ("${NONE:-}", ""),
            ("${NONE:-http://h:4317/${A}}", "http://h:4317/a b"),
            ("${NONE:-${ALSO:-${A}}}", "a b"),
            ("${A:-${NONE}}", "a b"),
            ("${A:?x}${A?x}${EMPTY?x}", "a ba b"),
            ("${INJECT}", "x\nforward: {a: b} # ${A}"),
            ("$$", "$"),
            ("$${A}", "${A}"),
            ("$$${A}", "$a b"),
            ("$$$$", "$$"),
            ("pa$word $A $", "pa$word $A $"),
            ("{a}}", "{a}}"),
        ] {
            assert_eq!(put(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_named_and_nothing_else_is() {
        for (text, told) in [
            ("${NONE}", "names the variable NONE, which is not set: set it, or write ${NONE:-default}"),
            ("hunter2${env:NONE}", "names the variable NONE"),
            ("${NONE:?say where}", "names the variable NONE, which is not set, or empty: say where"),
            ("${EMPTY:?}", "names the variable EMPTY, which is not set, or empty: set it"),
            ("${NONE:-${NEITHER}}", "names the variable NEITHER"),
            ("hunter2${A", "has a ${ without its }"),
            ("${}", "does not begin with the name of a variable"),
            ("${1A}", "does not begin with the name of a variable"),
            ("${env:}", "does not begin with the name of a variable"),
            ("${file:/run/hunter2}", "has ${file:…}, which is not a variable of the environment"),
            ("${A!hunter2}", "with something behind the name"),
        ] {
            let problem = put(text).err().unwrap_or_default();
            assert!(problem.contains(told) && !problem.contains("hunter2"), "{text}: {problem}");
        }
        let deep = format!("{}{}", "${NONE:-".repeat(5_000), "}".repeat(5_000));
        assert!(put(&deep).err().unwrap_or_default().contains("more than 16 deep"));
    }

    #[test]
    fn a_leading_tilde_is_the_home() {
        let at = |path: &str| home(path, &env());
        for (path, expected) in
            [("~", "/home/u"), ("~/x", "/home/u/x"), ("x/~", "x/~"), ("./~/x", "./~/x"), ("", ""), ("/~/x", "/~/x")]
        {
            assert_eq!(at(path).as_deref(), Ok(expected), "{path}");
        }
        assert!(at("~root/x").err().unwrap_or_default().contains("write the path out, or ./~root/x"));
        assert!(home("~/x", &BTreeMap::new()).err().unwrap_or_default().contains("is not set"));
    }
}
