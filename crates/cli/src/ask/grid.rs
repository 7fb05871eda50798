//! Tables for people: columns as wide as they have to be, colours where a terminal shows them.

use crate::io::{Io, Outcome};
use crate::text::{duration, thousands};

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Dim,
    Bold,
    Red,
    Yellow,
    Cyan,
    /// One of those that tell services from each other.
    Service(usize),
}

/// What tells services from each other: no red and no yellow, which say how bad something is.
const SERVICES: [&str; 8] = ["36", "32", "35", "34", "96", "92", "95", "94"];

impl Look {
    /// That of a service: the same one each time, in every process.
    pub(crate) fn of_service(name: &str) -> Self {
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Look::Service((hash % SERVICES.len() as u64) as usize)
    }

    fn code(self) -> &'static str {
        match self {
            Look::Plain => "",
            Look::Dim => "2",
            Look::Bold => "1",
            Look::Red => "31",
            Look::Yellow => "33",
            Look::Cyan => "36",
            Look::Service(at) => SERVICES[at],
        }
    }

    /// `text` in this look, where colours are wanted.
    pub(crate) fn paint(self, text: &str, colours: bool) -> String {
        match colours && self != Look::Plain && !text.is_empty() {
            true => format!("\x1b[{}m{text}\x1b[0m", self.code()),
            false => text.to_owned(),
        }
    }
}

/// A text and how it looks.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell(pub(super) String, pub(super) Look);

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell(text.into(), Look::Plain)
    }
}

/// Which side of its column a cell stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Writes a head line and rows. The last column is not filled up.
pub(super) fn write<const N: usize>(head: [(&str, Side); N], rows: &[[Cell; N]], io: &mut Io<'_>) -> Outcome {
    let colours = io.terminal.colours;
    let mut widths = head.map(|(name, _)| name.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.0.chars().count());
        }
    }
    let names = head.map(|(name, _)| Cell(name.to_owned(), Look::Dim));
    for row in std::iter::once(&names).chain(rows) {
        let mut line = String::new();
        for (at, (Cell(text, look), (_, side))) in row.iter().zip(head).enumerate() {
            let fill = " ".repeat(widths[at] - text.chars().count());
            let shown = look.paint(text, colours);
            match side {
                Side::Right => line.extend([fill.as_str(), &shown]),
                Side::Left if at + 1 < N => line.extend([shown.as_str(), &fill]),
                Side::Left => line.push_str(&shown),
            }
            if at + 1 < N {
                line.push_str("  ");
            }
        }
        writeln!(io.out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// How long something took, in nanoseconds; a dash where nothing did.
pub(super) fn took(nanos: Option<i64>) -> Cell {
    nanos.map_or_else(|| "-".to_owned(), duration).into()
}

/// How many requests failed, with their share, 0 to 1.
pub(super) fn errors(count: u64, share: f64) -> Cell {
    match count {
        0 => Cell("0".to_owned(), Look::Dim),
        count => Cell(format!("{} ({:.1} %)", thousands(count), 100.0 * share), Look::Red),
    }
}

/// How many columns of a terminal a text takes, about: what joins takes none, letters of East Asia and emoji two.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

fn column(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// `text` in so many columns: filled up with blanks, or cut with `…`.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    let mut cut = cut(text, width);
    cut.extend(std::iter::repeat_n(' ', width.saturating_sub(columns(&cut))));
    cut
}

/// `text` in at most so many columns.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let takes = column(*c);
        let fits = takes <= left;
        left = left.saturating_sub(takes);
        fits
    };
    let mut out: String = text.chars().take_while(fits).collect();
    if width > 0 {
        out.push('…');
    }
    out
}

/// A bar from one share to another of `width` columns; however short, it is seen.
pub(crate) fn span(from: f64, to: f64, width: usize) -> String {
    let eighth = |share: f64| (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let start = (eighth(from) / 8).min(width.saturating_sub(1));
    let length = eighth(to).saturating_sub(start * 8).max(1).min((width - start) * 8);
    let bar = bar(length as f64 / (width as f64 * 8.0), width);
    let blanks = width.saturating_sub(start + bar.chars().count());
    format!("{}{bar}{}", " ".repeat(start), " ".repeat(blanks))
}

/// A bar of at most `width` characters for a share from 0 to 1.
pub(super) fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    let rest = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if let Some(part) = (eighths % 8).checked_sub(1).and_then(|at| rest.get(at)) {
        bar.push(*part);
    }
    bar
}

/// A line of values, each as high as its share of the greatest one; nothing of what is 0 or less, or not there.
pub(super) fn spark(values: &[Option<f64>]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let level = |value: &Option<f64>| match value {
        Some(value) if *value > 0.0 && most > 0.0 => LEVELS[((value * 8.0 / most).ceil() as usize).clamp(1, 8) - 1],
        _ => ' ',
    };
    values.iter().map(level).collect()
}

/// A number with three digits that matter, or all of those before its point.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-4) {
        return format!("{value:.2e}");
    }
    if size >= 1000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", crate::text::thousands(size.round() as u64));
    }
    let digits = match size {
        0.0 => 0,
        size => usize::try_from(2 - size.log10().floor() as i32).unwrap_or(0),
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_numbers() {
        assert_eq!(spark(&[Some(0.0), Some(1.0), None, Some(8.0), Some(4.0)]), " ▁ █▄");
        assert_eq!(spark(&[None, Some(-1.0), Some(f64::NAN)]), "   ");
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.012_345, "0.0123"),
            (12.345, "12.3"),
            (999.4, "999"),
            (-3.2163, "-3.22"),
            (1_234_567.8, "1,234,568"),
            (2e18, "2.00e18"),
            (1e-7, "1.00e-7"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn texts_fit_their_columns() {
        assert_eq!(
            (fitted("abc", 5), fitted("abcdef", 4), fitted("日本語", 5)),
            ("abc  ".into(), "abc…".into(), "日本…".into())
        );
        assert_eq!((cut("abc", 0), cut("abc", 1), columns("e\u{301}👩")), (String::new(), "…".into(), 3));
    }

    #[test]
    fn spans_stand_where_they_were() {
        assert_eq!(span(0.0, 1.0, 4), "████");
        assert_eq!(span(0.5, 1.0, 4), "  ██");
        assert_eq!(span(0.25, 0.375, 4), " ▌  ");
        for (from, to) in [(0.0, 0.0), (1.0, 1.0), (f64::NAN, f64::NAN), (0.3, 0.2), (-1.0, 2.0)] {
            let bar = span(from, to, 10);
            assert!(bar.chars().count() == 10 && bar.trim() != "", "{from} {to}: {bar:?}");
        }
    }

    #[test]
    fn a_service_has_one_colour() {
        assert_eq!(Look::of_service("checkout"), Look::of_service("checkout"));
        let names = ["checkout", "payment", "frontend", "inventory", "cart", "shipping", "users", "search"];
        let distinct: std::collections::BTreeSet<String> =
            names.iter().map(|name| Look::of_service(name).paint("x", true)).collect();
        assert!(distinct.len() >= 4, "{distinct:?}");
    }

    #[test]
    fn bars_and_looks() {
        assert_eq!((bar(1.0, 3), bar(0.5, 3), bar(0.0, 3)), ("███".into(), "█▌".into(), String::new()));
        assert_eq!(bar(f64::NAN, 3), "");
        assert_eq!((Look::Red.paint("x", true), Look::Red.paint("x", false)), ("\x1b[31mx\x1b[0m".into(), "x".into()));
    }
}
