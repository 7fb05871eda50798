//! The nearest right name for a wrong one.

/// The candidate a person most likely meant: few letters differ, or it begins with the same half.
pub(crate) fn nearest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let wrong = fold(wrong);
    let near = candidates
        .clone()
        .map(|candidate| (distance(&wrong, &fold(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3);
    let alike = || {
        let shared = |candidate: &str| fold(candidate).iter().zip(&wrong).take_while(|(a, b)| a == b).count();
        let best = candidates.map(|candidate| (shared(candidate), candidate)).max_by_key(|(shared, _)| *shared);
        best.filter(|(shared, _)| *shared >= 3 && shared * 2 >= wrong.len())
    };
    near.or_else(alike).map(|(_, candidate)| candidate)
}

/// `maxBytes`, `max-bytes` and `max_bytes` are the same mistake away from right: none.
fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric() || *c == '.').flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements, and swaps of neighbours that make one of the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["output_dir", "durability", "retention", "rotation"];
        let hint = |wrong| nearest(wrong, names.into_iter());
        assert_eq!(hint("outputDir"), Some("output_dir"));
        assert_eq!(hint("durabilty"), Some("durability"));
        assert_eq!(hint("retnetion"), Some("retention"));
        assert_eq!(hint("rotations"), Some("rotation"));
        assert_eq!(hint("retentive_for"), Some("retention"));
        assert_eq!(hint("colour"), None);
    }
}
