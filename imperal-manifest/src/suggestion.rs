//! "Did you mean": the known name closest to a misspelt one.

/// The candidate that the author probably meant.
///
/// Case and `-` against `_` do not count. A candidate of `n` characters may be `1 + n / 4` edits away.
///
/// ```
/// use imperal_manifest::did_you_mean;
///
/// assert_eq!(did_you_mean("efects", ["event", "effects"]), Some("effects"));
/// assert_eq!(did_you_mean("timeout", ["event", "effects"]), None);
/// ```
pub fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| (distance(&written, &candidate.replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance. Swapping two neighbouring characters counts as one edit.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_closest_candidate() {
        let keys = ["action_type", "event", "effects", "id_projection", "greet", "refine_output", "my-app"];
        for (written, expected) in [
            ("action_tpye", "action_type"),
            ("actiontype", "action_type"),
            ("effect", "effects"),
            ("Event", "event"),
            ("gret", "greet"),
            ("refine_ouput", "refine_output"),
            ("my_app", "my-app"),
        ] {
            assert_eq!(did_you_mean(written, keys), Some(expected), "{written}");
        }
    }

    #[test]
    fn suggests_nothing_for_a_different_word() {
        for written in ["timeout", "xyz", "description", "tasks"] {
            assert_eq!(did_you_mean(written, ["action_type", "effects", "id_projection"]), None, "{written}");
        }
    }
}
