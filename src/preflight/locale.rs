//! Text: whether the host can speak UTF-8.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Need;
use crate::words::finding::Finding;

pub struct Locale;

const TOPIC: &str = "locale";

impl Topic for Locale {
    fn script(&self, subject: &Subject) -> Option<String> {
        let asks = subject.needs.iter().any(|need| matches!(need, Need::Python(_) | Need::Database(_)));
        asks.then(|| "command -v locale >/dev/null 2>&1 || { echo unknown; exit 0; }\nlocale -a 2>/dev/null | sed 's/^/has /'".into())
    }

    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let is_utf8 = |name: &str| {
            let charset =
                name.rsplit_once('.').map(|(_, charset)| charset.to_ascii_lowercase().replace('-', ""));
            charset.as_deref() == Some("utf8")
        };
        if seen.has("unknown") {
            return vec![];
        }
        vec![if seen.all("has").any(is_utf8) {
            Finding::ok(TOPIC, "UTF-8 is there")
        } else {
            Finding::warning(TOPIC, "no locale of the host is UTF-8")
                .why("Python and PostgreSQL would take texts for ASCII, and fail at the first umlaut")
                .todo("apt-get install --reinstall libc-bin (it has C.UTF-8)")
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::Locale;
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn utf8_by_any_name() {
        let sample = Sample::new(&Locale, &[Need::Database("shop".into())]);
        assert_eq!(sample.said("has C\nhas C.utf8\n"), ["ok: UTF-8 is there"]);
        assert_eq!(sample.said("has en_US.UTF-8\n"), ["ok: UTF-8 is there"]);
        assert!(sample.said("has C\nhas POSIX\n")[0].starts_with("warning"));
        assert!(sample.said("unknown\n").is_empty());
    }
}
