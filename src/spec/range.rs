//! Host ranges: `web[01:20]`, `rack[a:f]`, `n[0:10:2]`. An address with a range of the same length runs beside it.

/// More hosts than this from one line are a slip of the finger.
const MAX: usize = 10_000;

/// The names that `pattern` stands for; itself when it has no range.
pub fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let Some(open) = pattern.find('[') else { return Ok(vec![pattern.to_owned()]) };
    let close =
        pattern[open..].find(']').ok_or_else(|| format!("`{pattern}`: the range lacks its `]`"))? + open;
    let (before, inner, after) = (&pattern[..open], &pattern[open + 1..close], &pattern[close + 1..]);
    let values = values(inner).ok_or_else(|| {
        format!("`[{inner}]` is not a range: write `[1:20]`, `[01:20]`, `[a:f]` or `[0:10:2]`")
    })?;
    let tails = expand(after)?;
    if values.len().saturating_mul(tails.len()) > MAX {
        return Err(format!("`{pattern}` stands for more than {MAX} hosts"));
    }
    let pairs = values.iter().flat_map(|value| tails.iter().map(move |tail| (value, tail)));
    Ok(pairs.map(|(value, tail)| format!("{before}{value}{tail}")).collect())
}

fn values(inner: &str) -> Option<Vec<String>> {
    let parts: Vec<&str> = inner.split(':').collect();
    let (from, to, step) = match parts.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => (*from, *to, step.parse::<usize>().ok().filter(|step| *step > 0)?),
        _ => return None,
    };
    if let (Some(first), Some(last)) = (letter(from), letter(to)) {
        return (first <= last)
            .then(|| (first..=last).step_by(step).map(|byte| char::from(byte).to_string()).collect());
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(from) || !digits(to) {
        return None;
    }
    let (first, last): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    let width = if from.starts_with('0') { from.len() } else { 0 };
    let values = (first..=last).step_by(step).take(MAX + 1);
    (first <= last).then(|| values.map(|number| format!("{number:0width$}")).collect())
}

fn letter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii_alphabetic() => Some(*byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn ranges_keep_their_zeros() {
        assert_eq!(expand("web[08:10].eu").unwrap(), ["web08.eu", "web09.eu", "web10.eu"]);
        assert_eq!(expand("r[a:c]").unwrap(), ["ra", "rb", "rc"]);
        assert_eq!(expand("n[0:10:5]").unwrap(), ["n0", "n5", "n10"]);
        assert_eq!(expand("[1:2]-[a:b]").unwrap(), ["1-a", "1-b", "2-a", "2-b"]);
        assert_eq!(expand("plain").unwrap(), ["plain"]);
    }

    #[test]
    fn wrong_ranges_say_what_to_write() {
        for wrong in ["web[1:", "web[2:1]", "web[]", "web[a:9]", "web[1:9:0]", "web[1]", "w[1:99999999]"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }
}
