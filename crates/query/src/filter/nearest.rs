//! What somebody probably meant.

/// The one of `known` that is nearest to `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names of telemetry may be long and many, and a question about nothing should not take a second.
    const LONGEST: usize = 128;
    let word: Vec<char> = word.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    let allowed = (word.len() / 3).clamp(1, 4);
    let near = known.into_iter().filter_map(|name| {
        let other: Vec<char> = name.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
        let begins = word.len() >= 3 && other.starts_with(&word);
        let far = if begins { 1 } else { distance(&word, &other, allowed)? };
        Some((far, name))
    });
    near.min_by(|a, b| a.0.cmp(&b.0).then(a.1.len().cmp(&b.1.len())).then(a.1.cmp(b.1))).map(|(_, name)| name)
}

/// Letters to add, leave out, change or swap with a neighbour; `None` if more than `allowed`.
fn distance(from: &[char], to: &[char], allowed: usize) -> Option<usize> {
    if from.len().abs_diff(to.len()) > allowed {
        return None;
    }
    let mut rows: [Vec<usize>; 3] = [Vec::new(), (0..=to.len()).collect(), Vec::new()];
    for (at, have) in from.iter().enumerate() {
        let mut row = vec![at + 1];
        for (to_at, want) in to.iter().enumerate() {
            let mut best = (rows[1][to_at] + usize::from(have != want)).min(rows[1][to_at + 1] + 1).min(row[to_at] + 1);
            if at > 0 && to_at > 0 && *have == to[to_at - 1] && from[at - 1] == *want {
                best = best.min(rows[0][to_at - 1] + 1);
            }
            row.push(best);
        }
        let [_, last, _] = rows;
        rows = [last, row, Vec::new()];
    }
    rows[1].last().copied().filter(|far| *far <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["checkout", "cart", "payment", "payment-v2", "http.route"];
        for (word, meant) in [
            ("chekout", Some("checkout")),
            ("Checkout", Some("checkout")),
            ("chekcout", Some("checkout")),
            ("pay", Some("payment")),
            ("http.rout", Some("http.route")),
            ("crat", Some("cart")),
            ("shipping", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(10_000), [&*"y".repeat(10_000)]), None);
    }
}
