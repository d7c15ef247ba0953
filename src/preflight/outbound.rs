//! The way out: package indexes that the host itself is configured for, and servers that the playbook names.

use std::fmt::Write as _;

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Need;
use crate::words::finding::Finding;
use crate::words::plural::list;
use crate::words::shell::{join, quote};

pub struct Outbound;

const TOPIC: &str = "outbound";

/// `open` or `closed`, then what it is for, the server and its port. A proxy stands for what is behind it. All are
/// tried at the same time, five seconds long, through bash: a bare server has nothing else that speaks TCP.
const SCRIPT: &str = include_str!("outbound.sh");

impl Topic for Outbound {
    fn script(&self, subject: &Subject) -> Option<String> {
        let packages: Vec<&str> = subject.packages().collect();
        let (takes_index, servers) = (subject.needs(&Need::Index), subject.servers().next().is_some());
        if packages.is_empty() && !takes_index && !servers {
            return None;
        }
        let mut script =
            format!("packages={}\nindex={}\n{SCRIPT}\n", quote(&join(packages)), u8::from(takes_index));
        for server in subject.servers() {
            let words = join([server.what.replace(' ', "_"), server.name.clone(), server.port.to_string()]);
            let _ = writeln!(script, "try {words} &");
        }
        Some(script + "wait")
    }

    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        if seen.has("cannot") {
            return vec![Finding::note(
                TOPIC,
                "the way out was not tried: the host has no bash or no timeout",
            )];
        }
        let mut findings = vec![];
        let mut open: Vec<String> = seen.all("open").map(|line| server(line).0).collect();
        open.sort_unstable();
        open.dedup();
        if !open.is_empty() {
            findings.push(Finding::ok(TOPIC, format!("{} can be reached", list(&open, "and"))));
        }
        let missing: Vec<&str> = seen.all("missing").collect();
        let mut closed: Vec<&str> = seen.all("closed").collect();
        closed.sort_unstable();
        findings.extend(closed.into_iter().map(|line| shut(line, &missing)));
        if seen.has("no-sources") && !missing.is_empty() {
            findings.push(
                Finding::problem(TOPIC, "apt has no package sources")
                    .why(format!("the playbook installs {}", list(&missing, "and")))
                    .todo(
                        "put the sources of the distribution or of your mirror into /etc/apt/sources.list.d/",
                    ),
            );
        }
        if seen.has("index unknown") {
            findings.push(Finding::note(
                TOPIC,
                "whether the index of Python packages can be reached will be known once pip is there",
            ));
        }
        findings
    }
}

/// What it is for, and `server:port`.
fn server(line: &str) -> (String, String) {
    let mut words = line.split(' ');
    let mut next = || words.next().unwrap_or_default();
    let (what, name, port) = (next(), next(), next());
    let what = match what {
        "apt" => "apt's packages".to_owned(),
        "pip" => "the index of Python packages".to_owned(),
        other => other.replace('_', " "),
    };
    (what, format!("{name}:{port}"))
}

fn shut(line: &str, missing: &[&str]) -> Finding {
    let (what, place) = server(line);
    let text = format!("{what} cannot be reached ({place})");
    let route = "give the host a way out (route, DNS, firewall), or name a proxy";
    if line.starts_with("apt ") {
        let todo = format!(
            "{route}: `Acquire::http::Proxy \"http://…\";` in /etc/apt/apt.conf.d/proxy; or set apt's sources to a mirror inside"
        );
        return if missing.is_empty() {
            Finding::warning(TOPIC, text)
                .why("all packages are there already, but no update will come")
                .todo(todo)
        } else {
            Finding::problem(TOPIC, text)
                .why(format!("the playbook installs {}", list(missing, "and")))
                .todo(todo)
        };
    }
    let finding = Finding::problem(TOPIC, text);
    if line.starts_with("pip ") {
        return finding.why("the application's packages come from there").todo(format!(
            "{route} in /etc/pip.conf; or push the packages from this machine: `app.wheelhouse` in the inventory names a folder of wheels"
        ));
    }
    if what == "the certificate authority" {
        return finding.why("without it there is no certificate, and none is renewed").todo(route);
    }
    finding
        .why("the source comes from there")
        .todo(format!("{route}; or push the source from this machine (`app.source` in the inventory)"))
}

#[cfg(test)]
mod tests {
    use super::Outbound;
    use crate::preflight::Topic as _;
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn what_is_shut_off_says_what_it_was_for() {
        let sample = Sample::new(&Outbound, &[Need::Package("nginx".into()), Need::Index]);
        assert_eq!(
            sample.said("open apt a 80\nopen apt b 80\nopen pip c 443\n"),
            ["ok: apt's packages and the index of Python packages can be reached"]
        );
        let said = sample.said("missing nginx\nclosed apt mirror.example 80\nclosed pip index.example 443\n");
        assert!(
            said[0]
                .starts_with("problem: apt's packages cannot be reached (mirror.example:80) → give the host")
        );
        assert!(
            said[1]
                .starts_with("problem: the index of Python packages cannot be reached (index.example:443)")
        );
        assert!(said[1].contains("app.wheelhouse"));
        assert!(sample.said("closed apt a 80\n")[0].starts_with("warning"), "all is installed");
        assert!(
            sample.said("closed the_repository git.example 22\n")[0]
                .starts_with("problem: the repository cannot")
        );
        assert!(
            sample.said("no-sources\nmissing nginx\n")[0].starts_with("problem: apt has no package sources")
        );
        assert!(sample.said("index unknown\n")[0].starts_with("note"));
    }

    #[test]
    fn a_wheelhouse_asks_for_no_index() {
        let sample = Sample::new(&Outbound, &[Need::Package("nginx".into())]);
        let script = Outbound.script(&sample.subject).unwrap();
        assert!(script.contains("\nindex=0\n"), "{script}");
    }
}
