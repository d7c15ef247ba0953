//! The host's clock, compared with the operator's.

use crate::preflight::{Seen, Subject, Topic};
use crate::words::finding::Finding;

pub struct Clock;

const TOPIC: &str = "clock";
/// Seconds. Below it nothing minds.
const SMALL: i64 = 30;

impl Topic for Clock {
    fn script(&self, _subject: &Subject) -> Option<String> {
        Some("echo \"now $(date +%s)\"".into())
    }

    /// Positive: the host's clock is ahead. Between question and answer any time is right.
    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let Some(now) = seen.first("now").and_then(|now| now.parse::<i64>().ok()) else { return vec![] };
        let (before, after) = seen.around.asked;
        let off = if now < before { now - before } else { (now - after).max(0) };
        if off.abs() <= SMALL {
            return vec![Finding::ok(TOPIC, "the clock is right")];
        }
        let way = if off > 0 { "ahead of" } else { "behind" };
        vec![
            Finding::warning(TOPIC, format!("the clock is {} {way} this machine's", spoken(off.abs())))
                .why("certificates and package lists look expired or not valid yet, and sessions of users end")
                .todo("let it be kept: `apt-get install systemd-timesyncd && timedatectl set-ntp true` (or is this machine's clock wrong?)"),
        ]
    }
}

/// Rounded: what is two days off is not called 47 hours because the question took a second.
fn spoken(seconds: i64) -> String {
    let whole = |unit: i64| (seconds + unit / 2) / unit;
    match seconds {
        0..120 => format!("{seconds} s"),
        _ if whole(60) < 120 => format!("{} minutes", whole(60)),
        _ if whole(3600) < 48 => format!("{} hours", whole(3600)),
        _ => format!("{} days", whole(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use crate::preflight::sample::Sample;

    #[test]
    fn a_clock_that_is_off_is_told_with_how_much() {
        let sample = Sample::new(&Clock, &[]);
        let of = |now: i64| sample.said(&format!("now {now}\n"))[0].clone();
        for right in [1000, 1002, 1032, 970] {
            assert_eq!(of(right), "ok: the clock is right");
        }
        assert!(of(1002 + 86_400).starts_with("warning: the clock is 24 hours ahead of this machine's → "));
        assert!(of(1000 - 300).starts_with("warning: the clock is 5 minutes behind this machine's"));
        assert!(of(1001 - 2 * 86_400).starts_with("warning: the clock is 2 days behind this machine's"));
        assert!(sample.said("now \n").is_empty());
    }
}
