//! Counting words: "1 host", "3 hosts", "a, b or c".

pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// `a, b and c` or `a, b or c`.
pub fn list<S: AsRef<str>>(items: &[S], last: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [init @ .., end] => {
            let init: Vec<&str> = init.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", init.join(", "), end.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_and_lists() {
        assert_eq!(super::count(1, "host"), "1 host");
        assert_eq!(super::count(0, "host"), "0 hosts");
        assert_eq!(super::list(&["a", "b", "c"], "or"), "a, b or c");
    }
}
