//! Text that fits a window: at most so many characters, and where something is left out, what it is and the call that brings it.

use otlp_arrow_query::Searched;

/// Characters where nobody says how many.
pub(crate) const USUAL: usize = 6_000;
/// The most that can be asked for.
pub(crate) const MOST: usize = 20_000;
/// The fewest: less holds no answer.
pub(crate) const LEAST: usize = 500;
/// What is kept free for the end.
const END: usize = 160;
/// The longest call that is written out at the end.
const LONGEST_CALL: usize = 600;

/// Text that is put together line by line.
#[derive(Debug)]
pub(crate) struct Page {
    out: String,
    left: usize,
    max: usize,
}

impl Page {
    /// Of at most `max` characters, of which the call that goes on takes `call`.
    pub(crate) fn new(max: usize, call: usize) -> Self {
        Self { out: String::new(), left: max.saturating_sub(END + call.min(LONGEST_CALL)), max }
    }

    /// Adds a line, if there is room for it.
    #[must_use]
    pub(crate) fn line(&mut self, line: &str) -> bool {
        let takes = line.chars().count() + 1;
        if takes > self.left {
            return false;
        }
        self.left -= takes;
        self.out.push_str(line);
        self.out.push('\n');
        true
    }

    /// Adds a line that must be there, such as a head; what is too long for that is cut.
    pub(crate) fn head(&mut self, line: &str) {
        if !self.line(line) {
            let cut: String = line.chars().take(self.left.saturating_sub(2)).collect();
            let _ = self.line(&format!("{cut}…"));
        }
    }

    /// How many characters there is still room for.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// The end: what was searched where that is not all, what is left out, and the call that brings it.
    pub(crate) fn end(mut self, searched: Option<&Searched>, rest: Option<(String, String)>) -> String {
        let mut end = searched.map(incomplete).unwrap_or_default();
        if let Some((what, call)) = rest {
            let call = match call.chars().count() {
                0..=LONGEST_CALL => call,
                _ => "the same call with the cursor of this answer".to_owned(),
            };
            let what = if what.is_empty() { what } else { format!("Left out: {what}. ") };
            end.push_str(&format!("{what}Next: {call}\n"));
        }
        self.out.push_str(&end);
        fit(self.out.trim_end(), self.max)
    }
}

/// Why not everything was searched; nothing where it was.
fn incomplete(searched: &Searched) -> String {
    let mut out = String::new();
    let why = searched.why.map(|why| why.as_str()).filter(|why| !matches!(*why, "limit" | "max_rows"));
    if let Some(why) = why {
        out.push_str(&format!("Not everything was searched ({why}): ask for less time with since and until.\n"));
    }
    if let Some(skipped) = searched.skipped.first() {
        let count = searched.skipped.len();
        out.push_str(&format!("{count} file(s) could not be read, such as {}.\n", skipped.file));
    }
    out
}

/// The last resort: no answer is longer than its caller said.
pub(crate) fn fit(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => {
            let cut: String = text.chars().take(max.saturating_sub(1)).collect();
            format!("{cut}…")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_is_longer_than_it_may_be() {
        for (max, lines, call) in [(500, 100, 50), (500, 3, 50), (1_000, 400, 5_000), (LEAST, 1, 0)] {
            let mut page = Page::new(max, call);
            let mut left_out = 0;
            for at in 0..lines {
                left_out += usize::from(!page.line(&format!("line {at} with an ö")));
            }
            let rest = (left_out > 0).then(|| (format!("{left_out} lines"), "x".repeat(call)));
            let text = page.end(None, rest);
            assert!(text.chars().count() <= max, "{max} {lines} {call}: {}", text.chars().count());
            assert_eq!(text.contains("Left out: "), left_out > 0);
        }
    }

    #[test]
    fn a_head_is_cut_and_the_last_resort_holds() {
        let mut page = Page::new(500, 0);
        page.head(&"ä".repeat(5_000));
        assert!(page.end(None, None).ends_with('…'));
        assert_eq!(fit("äöü", 3), "äöü");
        assert_eq!(fit("äöüß", 3), "äö…");
    }
}
