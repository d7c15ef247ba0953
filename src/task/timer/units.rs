//! The text of a timer's two units.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::task::seconds::Span;
use crate::words::names::{RemotePath, UserName};

/// What runs, as a playbook says it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a shell line (a string), or a program and its arguments (an array of strings)")]
pub(crate) enum Line {
    Shell(String),
    Argv(Vec<String>),
}

impl Line {
    pub fn check(&self) -> Result<(), String> {
        match self {
            Line::Shell(line) if line.trim().is_empty() => Err("the line is empty".to_owned()),
            Line::Argv(argv) if !argv.first().is_some_and(|program| program.starts_with('/')) => {
                Err("a program is named by its absolute path, since systemd searches no PATH of yours".to_owned())
            }
            Line::Argv(argv) if argv.iter().any(|word| word.contains(['\0', '\r'])) => {
                Err("an argument holds a control character".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn exec(&self) -> String {
        match self {
            Line::Shell(line) => ["/bin/sh", "-c", line.trim()].map(word).join(" "),
            Line::Argv(argv) => argv.iter().map(|text| word(text)).collect::<Vec<_>>().join(" "),
        }
    }
}

/// As systemd reads words: `%` and `$` begin expansions, quotes and backslashes are its own.
fn word(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '%' => out.push_str("%%"),
            '$' => out.push_str("$$"),
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,$".contains(c);
    if !text.is_empty() && text.chars().all(plain) { out } else { format!("\"{out}\"") }
}

/// `25:99`. Whatever has `*`, lists or ranges is left to systemd.
pub(crate) fn is_no_time(word: &str) -> bool {
    let parts: Option<Vec<u32>> = word.split(':').map(|part| part.parse().ok()).collect();
    let limits = [23, 59, 59];
    parts.is_some_and(|parts| {
        let too_late = parts.iter().zip(limits).any(|(part, limit)| *part > limit);
        parts.len() > 1 && (too_late || parts.len() > limits.len())
    })
}

pub(crate) struct Job<'a> {
    pub description: &'a str,
    pub command: Option<&'a Line>,
    pub user: Option<&'a UserName>,
    pub cwd: Option<&'a RemotePath>,
    pub env_file: Option<&'a RemotePath>,
    pub limit: Span,
}

pub(crate) fn service(job: &Job) -> String {
    let description = job.description.replace('%', "%%");
    let mut text = format!("# Written by tow.\n[Unit]\nDescription={description}\n\n[Service]\nType=oneshot\n");
    let path = |path: &RemotePath| path.as_str().replace('%', "%%");
    if let Some(user) = job.user {
        let _ = writeln!(text, "User={user}");
    }
    if let Some(cwd) = job.cwd {
        let _ = writeln!(text, "WorkingDirectory={}", path(cwd));
    }
    if let Some(file) = job.env_file {
        let _ = writeln!(text, "EnvironmentFile={}", path(file));
    }
    let _ = writeln!(text, "ExecStart={}", job.command.map(Line::exec).unwrap_or_default());
    let _ = writeln!(text, "TimeoutStartSec={}", job.limit.whole_seconds());
    text.push_str("Nice=5\nNoNewPrivileges=yes\nPrivateTmp=yes\nUMask=0027\n");
    text
}

pub(crate) fn timer(description: &str, at: &[String], every: Option<Span>, spread: Option<Span>) -> String {
    let description = description.replace('%', "%%");
    let mut text = format!("# Written by tow.\n[Unit]\nDescription={description}\n\n[Timer]\n");
    for time in at {
        let _ = writeln!(text, "OnCalendar={time}");
    }
    if let Some(every) = every.map(Span::whole_seconds) {
        let _ = writeln!(text, "OnBootSec={every}\nOnUnitActiveSec={every}");
        // Without it the first run would wait for a boot when the host has been up for longer than that.
        let _ = writeln!(text, "OnActiveSec={every}");
    }
    if let Some(spread) = spread {
        let _ = writeln!(text, "RandomizedDelaySec={}", spread.whole_seconds());
    }
    text.push_str(if at.is_empty() { "AccuracySec=1\n" } else { "Persistent=true\n" });
    text.push_str("\n[Install]\nWantedBy=timers.target\n");
    text
}

#[cfg(test)]
mod tests {
    use super::{Line, word};

    #[test]
    fn words_are_what_systemd_reads() {
        assert_eq!(word("/usr/bin/env"), "/usr/bin/env");
        assert_eq!(word("100% of $HOME"), "\"100%% of $$HOME\"");
        assert_eq!(word(r#"a "b" \c"#), r#""a \"b\" \\c""#);
        let line = Line::Shell("date +%F >>/tmp/x".into());
        assert_eq!(line.exec(), "/bin/sh -c \"date +%%F >>/tmp/x\"");
    }

    #[test]
    fn a_program_is_named_by_its_path() {
        assert!(Line::Argv(vec!["curl".into()]).check().is_err());
        assert!(Line::Argv(vec!["/usr/bin/curl".into()]).check().is_ok());
    }
}
