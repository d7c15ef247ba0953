//! Durations as users write them: `"30s"`, `"500ms"`, `"2m"`, `"1d"`; a bare number is an error that says what to write.

use std::time::Duration;

use serde::Deserialize;

/// `"30s"` in TOML. Units: `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Span(pub Duration);

impl Span {
    pub const fn seconds(seconds: u64) -> Span {
        Span(Duration::from_secs(seconds))
    }
    /// Whole seconds, rounded up, so that a limit is never shorter than what was asked.
    pub fn whole_seconds(self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
    }
    /// For `sleep`: `1`, `0.5`.
    pub fn decimal(self) -> String {
        format!("{}", self.0.as_secs_f64())
    }
}

/// Reads well: `30 s`, `1 d`.
impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.decimal())
    }
}

impl TryFrom<toml::Value> for Span {
    type Error = String;
    fn try_from(value: toml::Value) -> Result<Span, String> {
        match &value {
            toml::Value::String(text) => parse(text)
                .map(Span)
                .ok_or_else(|| format!("{text:?} is not a duration: write for example \"30s\" or \"2m\"")),
            toml::Value::Integer(number) => {
                Err(format!("a duration is written with its unit, in quotes: \"{number}s\", not {number}"))
            }
            _ => Err("expected a duration in quotes, such as \"30s\"".to_owned()),
        }
    }
}

/// One or more numbers, each with its unit: `90m`, `1h30m`, `1h 30m`.
fn parse(text: &str) -> Option<Duration> {
    let (mut rest, mut whole) = (text, Duration::ZERO);
    loop {
        let at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(at);
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()?;
        whole = whole.checked_add(part)?;
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Span, parse};

    #[test]
    fn reads_units() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("1h30m", 5_400_000),
            ("1 h 30 m", 5_400_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "30", "s", "-1s", "3 weeks", "1.2.3s", "1h30", "1hm"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_bare_number_is_told_its_unit() {
        #[derive(serde::Deserialize, Debug)]
        struct Table {
            timeout: Span,
        }
        assert_eq!(toml::from_str::<Table>("timeout = '2s'").unwrap().timeout, Span::seconds(2));
        let error = toml::from_str::<Table>("timeout = 30").unwrap_err().to_string();
        assert!(error.contains("\"30s\", not 30"), "{error}");
    }
}
