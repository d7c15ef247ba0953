//! Which versions a requirement allows: enough to say that a package is surely older than some version.

use std::cmp::Ordering;

/// Whether all that is allowed is below `limit`: `==1.4.41`, `>=1.3,<2`, `~=1.4`, Poetry's `^1.4`; a version alone is
/// what a lock file has.
pub fn are_below(specifier: &str, limit: &[u32]) -> bool {
    let below = |version: &[u32], limit: &[u32]| compare(version, limit) == Ordering::Less;
    specifier.split(',').any(|clause| {
        let clause = clause.trim().trim_matches(['(', ')', '=']);
        let at = clause.find(|c: char| c.is_ascii_digit()).unwrap_or(clause.len());
        let (sign, version) = (clause[..at].trim(), &clause[at..]);
        let numbers = numbers(version);
        if numbers.is_empty() {
            return false;
        }
        // The first version that is not allowed any more.
        let end = match sign {
            "<" => numbers,
            "" if version.contains('*') => after(&numbers, numbers.len()),
            "" | "v" | "<=" | "<= " => return below(&numbers, limit),
            "~=" => after(&numbers, numbers.len().saturating_sub(1).max(1)),
            "~" => after(&numbers, numbers.len().min(2)),
            "^" => {
                after(&numbers, numbers.iter().position(|n| *n > 0).map_or(numbers.len(), |first| first + 1))
            }
            _ => return false,
        };
        compare(&end, limit) != Ordering::Greater
    })
}

fn numbers(version: &str) -> Vec<u32> {
    let digits = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().ok()
    };
    version.split('.').map_while(digits).collect()
}

/// The first `kept` numbers, the last of them one higher.
fn after(numbers: &[u32], kept: usize) -> Vec<u32> {
    let mut kept: Vec<u32> = numbers.iter().copied().take(kept).collect();
    if let Some(last) = kept.last_mut() {
        *last = last.saturating_add(1);
    }
    kept
}

/// 2 and 2.0 are the same.
fn compare(a: &[u32], b: &[u32]) -> Ordering {
    let at = |numbers: &[u32], index: usize| numbers.get(index).copied().unwrap_or(0);
    (0..a.len().max(b.len()))
        .map(|index| at(a, index).cmp(&at(b, index)))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::are_below;

    #[test]
    fn surely_older() {
        for old in ["==1.4.41", "1.1.11", "<2", ">=1.3,<2.0", "~=1.4", "^1.4", "==1.*", "(>=1.4)", "<=1.4"] {
            assert_eq!(are_below(old, &[2]), old != "(>=1.4)", "{old}");
        }
        for new in
            ["", ">=1.4", "==2.0.1", "<2.1", "~=2.0", "^2", "*", "@ https://x/y-1.0.zip", "!=1.4", ">1"]
        {
            assert!(!are_below(new, &[2, 0]), "{new}");
        }
        assert!(are_below("==0.0.8", &[0, 0, 12]) && are_below("^0.0.8", &[0, 0, 12]));
        assert!(!are_below("==0.0.14", &[0, 0, 12]) && !are_below("==4.*", &[4, 2]));
        assert!(are_below("~=4.1.3", &[4, 2]) && !are_below("~=4.1", &[4, 2]) && are_below("~4.1", &[4, 2]));
    }
}
