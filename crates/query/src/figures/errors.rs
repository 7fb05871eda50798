//! What is alike in errors: messages without what differs from one time to the next, and the frame they come from.

/// Longer messages are alike where they begin alike.
const MOST: usize = 400;

/// A message with its numbers, ids, addresses, times and quoted texts replaced, so that errors of one kind read the same.
///
/// ```
/// use otlp_arrow_query::figures::normalized;
///
/// assert_eq!(normalized("order 4711 of 'bob@example.com' not found after 1.5s"), "order <n> of '<…>' not found after <n>s");
/// ```
pub fn normalized(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message.trim();
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        if out.len() >= MOST {
            out.push('…');
            break;
        }
        if next.is_whitespace() {
            rest = rest.trim_start();
            out.push(' ');
            before = ' ';
            continue;
        }
        if let Some(inside) = quoted(rest, before) {
            out.extend([next, '<', '…', '>', next]);
            rest = &rest[inside..];
            before = next;
            continue;
        }
        let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
        if end == 0 {
            out.push(next);
            before = next;
            rest = &rest[next.len_utf8()..];
            continue;
        }
        // What a sentence ends with is not of its last word.
        let word = rest[..end].trim_end_matches(['.', ':', '-', '_', '@', '/']);
        let word = if word.is_empty() { &rest[..end] } else { word };
        replaced(word, &mut out);
        before = word.chars().next_back().unwrap_or(' ');
        rest = &rest[word.len()..];
    }
    out
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@' | '/' | '+')
}

/// Bytes of a quoted text, quotes included, where one begins here: an apostrophe within a word is none.
fn quoted(text: &str, before: char) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    if before.is_alphanumeric() {
        return None;
    }
    let close = text[1..].find(quote)? + 1;
    (close > 1 && close < 200 && !text[1..close].contains('\n')).then_some(close + 1)
}

/// The placeholder of a word, or the word with its numbers replaced.
fn replaced(word: &str, out: &mut String) {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let hex = word.bytes().filter(|byte| *byte != b'-').all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = word.split('-').collect();
    let is_uuid = hex && parts.len() == 5 && parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]);
    let is_email = word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if is_uuid || (hex && has_digit && word.len() >= 8 && word.bytes().any(|byte| byte.is_ascii_alphabetic())) {
        out.push_str("<id>");
    } else if is_email {
        out.push_str("<email>");
    } else if word
        .strip_prefix("0x")
        .is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        out.push_str("<id>");
    } else if is_time(word) {
        out.push_str("<time>");
    } else if is_address(word) {
        out.push_str("<address>");
    } else if has_digit && !word.contains(['.', ':', '/', '@']) && is_random(word) {
        out.push_str("<id>");
    } else {
        numbers(word, out);
    }
}

/// `2026-11-30T12:00:00Z` and its like, and what of it stands alone.
fn is_time(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let shape = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z' | b'+');
    let signs = word.bytes().filter(|byte| matches!(byte, b'-' | b':')).count();
    digits >= 4 && signs == 2 && word.bytes().all(shape) && word.as_bytes()[0].is_ascii_digit()
        || (digits >= 8 && signs >= 4 && word.contains('T') && word.bytes().all(shape))
}

/// An IPv4 address, with or without a port, or an IPv6 one.
fn is_address(word: &str) -> bool {
    word.parse::<std::net::IpAddr>().is_ok() || word.parse::<std::net::SocketAddr>().is_ok()
}

/// Whether letters and digits change so often that nobody has chosen the word.
fn is_random(word: &str) -> bool {
    let kind = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let letters: Vec<u8> = word.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let changes = letters.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    letters.len() >= 16 && changes >= 5
}

/// Each run of digits as one placeholder, with its point and its sign.
fn numbers(word: &str, out: &mut String) {
    let bytes = word.as_bytes();
    let (mut at, mut plain) = (0, 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let minus = at > 0 && bytes[at - 1] == b'-' && (at == 1 || !bytes[at - 2].is_ascii_alphanumeric());
        out.push_str(&word[plain..at - usize::from(minus)]);
        out.push_str("<n>");
        let is_of_number = |at: usize| {
            bytes[at].is_ascii_digit() || (bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit))
        };
        while at < bytes.len() && is_of_number(at) {
            at += 1;
        }
        plain = at;
    }
    out.push_str(&word[plain..]);
}

/// Where an error comes from, by its stack trace: function and file of the first frame, without line numbers, which change with
/// each release. Of Python that is the last one in the text. `None` where there is nothing like a frame.
pub fn top_frame(stack: &str) -> Option<String> {
    let lines = || stack.lines().map(str::trim);
    if stack.contains("Traceback (most recent call last)") || lines().any(|line| line.starts_with("File \"")) {
        let line = lines().rfind(|line| line.starts_with("File \""))?;
        let (file, rest) = line.strip_prefix("File \"")?.split_once('"')?;
        let function = rest.rsplit_once(" in ").map_or("", |(_, function)| function);
        return Some(frame(function, file));
    }
    // Go: the function in one line, its file in the next one.
    if stack.contains("goroutine ") {
        let mut lines = stack.lines().skip_while(|line| line.starts_with("goroutine ") || line.trim().is_empty());
        let mut found = None;
        while let Some(function) = lines.next() {
            let Some(place) = lines.next() else { break };
            let function = function.rsplit_once('(').map_or(function, |(function, _)| function);
            let file = place.trim().split(" +0x").next().unwrap_or_default();
            let file = file.rsplit_once(':').map_or(file, |(file, _)| file);
            // What panics and prints the stack is not where it comes from.
            if ["panic", "runtime.", "runtime/debug.", "go.opentelemetry.io/otel/"]
                .iter()
                .all(|own| !function.starts_with(own))
            {
                return Some(frame(function, file));
            }
            found = found.or_else(|| Some(frame(function, file)));
        }
        return found;
    }
    lines().find_map(one_line)
}

fn frame(function: &str, file: &str) -> String {
    match (function.trim(), file.trim()) {
        ("", file) => file.to_owned(),
        (function, "") => function.to_owned(),
        (function, file) => format!("{function} ({file})"),
    }
}

/// A frame that is one line: of Java, .NET, JavaScript, Ruby, PHP, Rust.
fn one_line(line: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix("at ") {
        // .NET: `at A.B(String c) in /src/B.cs:line 12`
        if let Some((function, place)) = rest.split_once(" in ").filter(|(function, _)| function.ends_with(')')) {
            let function = function.split_once('(').map_or(function, |(function, _)| function);
            return Some(frame(function, place.split(":line ").next().unwrap_or_default()));
        }
        return match rest.split_once('(') {
            Some((function, place)) => Some(frame(function, without_line(place.trim_end_matches(')')))),
            None => Some(frame("", without_line(rest))),
        };
    }
    // PHP: `#0 /src/a.php(12): A->b()`
    if let Some(rest) = line.strip_prefix('#') {
        let (number, rest) = rest.split_once(' ')?;
        number.parse::<u32>().ok()?;
        let (place, function) = rest.split_once(": ").unwrap_or((rest, ""));
        let file = place.rsplit_once('(').map_or(place, |(file, _)| file);
        return Some(frame(function.split('(').next().unwrap_or_default(), file));
    }
    // Ruby: `/src/a.rb:12:in 'b'`, with a backtick before version 3.4
    if let Some((place, function)) = line.split_once(":in ") {
        let file = without_line(place.strip_prefix("from ").unwrap_or(place));
        return Some(frame(function.trim_matches(['`', '\'']), file));
    }
    // Rust: `0: a::b`
    let (number, function) = line.split_once(": ")?;
    (number.parse::<u32>().is_ok() && function.contains("::")).then(|| function.trim().to_owned())
}

/// `file:12:5` without the numbers.
fn without_line(place: &str) -> &str {
    place.trim_end_matches(|c: char| c.is_ascii_digit() || c == ':')
}

#[cfg(test)]
mod tests;
