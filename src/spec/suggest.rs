//! "Did you mean": the nearest of the names that would have been right.

/// `did you mean `x`?`, or the names that there are when none is near.
pub fn advice<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>, what: &str) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(wrong, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known.as_slice() {
        [] => None,
        few if few.len() <= 24 => Some(format!("{what}: {}", few.join(", "))),
        many => Some(format!("{what}: {} and {} more", many[..20].join(", "), many.len() - 20)),
    }
}

pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::damerau_levenshtein(wrong, name), name));
    let close = |distance: usize| distance <= 1 + wrong.chars().count() / 4;
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    // Two letters have nothing in common with two others, however "near" they are.
    (close(distance) && distance < wrong.chars().count().max(2)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{advice, nearest};

    #[test]
    fn near_names_are_suggested_and_others_listed() {
        assert_eq!(nearest("direcotry", ["file", "directory"]), Some("directory"));
        assert_eq!(nearest("xy", ["ab"]), None);
        assert_eq!(advice("wbe", ["web", "db"], "groups").as_deref(), Some("did you mean `web`?"));
        assert_eq!(advice("zzzz", ["web", "db"], "groups").as_deref(), Some("groups: web, db"));
        assert_eq!(advice("x", [], "groups"), None);
    }
}
