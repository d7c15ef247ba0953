//! apt and dpkg: who holds the lock, and what an interrupted installation left behind.

use crate::preflight::{Seen, Subject, Topic};
use crate::words::finding::Finding;

pub struct Apt;

const TOPIC: &str = "apt";

/// A lock is known by the inode of its file; nothing is locked to find out.
const SCRIPT: &str = r#"
command -v dpkg-query >/dev/null 2>&1 || exit 0
echo usable
for file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
  inode=$(stat -c %i "$file" 2>/dev/null) || continue
  for pid in $(awk -v i="$inode" '$2 == "POSIX" { n = split($6, at, ":"); if (at[n] == i) print $5 }' /proc/locks 2>/dev/null); do
    echo "lock $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-60)"
  done
done
[ -z "$(ls /var/lib/dpkg/updates 2>/dev/null)" ] || echo interrupted
dpkg-query -W -f='${Package} ${db:Status-Abbrev}\n' 2>/dev/null | awk '$2 ~ /^.[UFH]/ || $2 ~ /^..R/ { print "broken " $1 }'"#;

impl Topic for Apt {
    fn script(&self, subject: &Subject) -> Option<String> {
        subject.packages().next().map(|_| SCRIPT.into())
    }

    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        if !seen.has("usable") {
            return vec![];
        }
        let mut findings: Vec<Finding> = holders(seen).into_iter().map(held).collect();
        let broken: Vec<&str> = seen.all("broken").collect();
        if !broken.is_empty() || seen.has("interrupted") {
            let which = if broken.is_empty() { String::new() } else { format!(": {}", broken.join(", ")) };
            findings.push(
                Finding::problem(
                    TOPIC,
                    format!("an installation was interrupted, packages are half configured{which}"),
                )
                .why("apt installs nothing until that is put right")
                .todo("dpkg --configure -a"),
            );
        }
        if findings.is_empty() {
            findings.push(Finding::ok(TOPIC, "apt is free"));
        }
        findings
    }
}

/// Process ids with what runs, each once.
fn holders<'a>(seen: &Seen<'a>) -> Vec<(&'a str, &'a str)> {
    let mut holders: Vec<(&str, &str)> =
        seen.all("lock").map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    holders.sort_unstable();
    holders.dedup();
    holders
}

fn held((pid, line): (&str, &str)) -> Finding {
    let who =
        if line.is_empty() { format!("process {pid}") } else { format!("`{}` (process {pid})", line.trim()) };
    Finding::warning(TOPIC, format!("{who} holds the lock of apt"))
        .why("a run waits for it for up to 5 minutes, and fails then")
        .todo(format!(
            "wait until it has ended: `tail --pid={pid} -f /dev/null`; do not kill it while it installs"
        ))
}

#[cfg(test)]
mod tests {
    use super::Apt;
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn locks_and_leftovers() {
        let sample = Sample::new(&Apt, &[Need::Package("nginx".into())]);
        assert_eq!(sample.said("usable\n"), ["ok: apt is free"]);
        let said = sample.said("usable\nlock 71 apt-get -y upgrade \nlock 71 apt-get -y upgrade \n");
        assert_eq!(said.len(), 1);
        assert!(
            said[0]
                .starts_with("warning: `apt-get -y upgrade` (process 71) holds the lock of apt → wait until")
        );
        assert_eq!(
            sample.said("usable\nbroken libc6\nbroken nginx\n"),
            [
                "problem: an installation was interrupted, packages are half configured: libc6, nginx → dpkg --configure -a"
            ]
        );
        assert_eq!(sample.said("usable\ninterrupted\n").len(), 1);
        assert!(sample.said("").is_empty());
    }
}
