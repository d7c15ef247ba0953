//! `tow check`: what was found, on stdout. The same finding on several hosts is told once, the worst first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::report::hosts::{compact, natural_order};
use crate::report::look::{Look, Tone};
use crate::report::recap::HOSTS_SHOWN;
use crate::report::record::End;
use crate::report::sink::Sink;
use crate::report::text::{elapsed, neutralise, wrap};
use crate::words::event::{Event, Listener};
use crate::words::finding::{Finding, Level};
use crate::words::names::HostName;
use crate::words::plural::count;
use crate::words::shell::quote;

/// Where the text of a finding begins.
const INDENT: usize = 9;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Much {
    /// `-q`: problems and the result.
    Problems,
    Usual,
    /// `-v`: also what is well, in full.
    Everything,
}

#[derive(Debug)]
pub struct Checked {
    playbook: String,
    findings: Vec<(HostName, Finding)>,
    sink: Sink,
    look: Look,
    much: Much,
    /// `tow deploy` runs the playbook.
    releases: bool,
}

impl Checked {
    pub fn new(sink: Sink, look: Look, much: Much, releases: bool) -> Checked {
        Checked { playbook: String::new(), findings: vec![], sink, look, much, releases }
    }

    fn next(&self) -> String {
        let playbook = quote(&neutralise(&self.playbook));
        match playbook.as_str() {
            _ if !self.releases => format!("tow plan {playbook}"),
            "playbooks/deploy.toml" => "tow deploy --plan".to_owned(),
            _ => format!("tow deploy --playbook {playbook} --plan"),
        }
    }
}

impl Listener for Checked {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { playbook, .. } => playbook.clone_into(&mut self.playbook),
            Event::Finding { host, finding } => self.findings.push((host.clone(), finding.clone())),
            Event::RunFinished { hosts, exit_code, elapsed } => {
                let end = End { hosts: hosts.clone(), exit_code: *exit_code, elapsed: *elapsed };
                let text = self.shown(&end);
                self.sink.text(&text);
            }
            _ => {}
        }
    }
}

/// A finding, and the hosts that have it in the order of a person.
type Group<'a> = (&'a Finding, Vec<HostName>);

impl Checked {
    fn shown(&self, end: &End) -> String {
        let groups = self.groups();
        let mut out = String::new();
        for (finding, hosts) in &groups {
            let is_wanted = match finding.level {
                Level::Problem => true,
                Level::Warning | Level::Note => self.much >= Much::Usual,
                Level::Ok => self.much == Much::Everything,
            };
            if is_wanted {
                self.show(finding, hosts, &mut out);
            }
        }
        if self.much == Much::Usual {
            self.well(&mut out);
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out + &wrap(&self.result(&groups, end), self.look.width, 2) + "\n"
    }

    /// The worst first; within a level in the order in which they were found.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = vec![];
        for (host, finding) in &self.findings {
            match groups.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, hosts)) => hosts.push(host.clone()),
                None => groups.push((finding, vec![host.clone()])),
            }
        }
        for (_, hosts) in &mut groups {
            hosts.sort_by(natural_order);
        }
        groups.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.level));
        groups
    }

    fn named(&self, hosts: &[HostName]) -> String {
        let number =
            if hosts.len() > 2 { format!(" ({})", count(hosts.len(), "host")) } else { String::new() };
        compact(hosts, self.look.dots(), HOSTS_SHOWN) + &number
    }

    fn show(&self, finding: &Finding, hosts: &[HostName], out: &mut String) {
        let (word, tone) = word(finding.level);
        let head = format!(
            "{}{} on {}: {}",
            self.look.paint(tone, &format!("{word:INDENT$}")),
            finding.topic,
            self.named(hosts),
            neutralise(&finding.what)
        );
        let _ = writeln!(out, "{}", wrap(&head, self.look.width, INDENT));
        for (label, text) in [("why: ", &finding.why), ("do:  ", &finding.todo)] {
            if let Some(text) = text {
                let line = format!("{:INDENT$}{label}{}", "", neutralise(text));
                let _ = writeln!(out, "{}", wrap(&line, self.look.width, INDENT + label.len()));
            }
        }
    }

    /// What is well, by its topics only: one line for all hosts on which it is the same.
    fn well(&self, out: &mut String) {
        let mut by_host: BTreeMap<&HostName, Vec<&str>> = BTreeMap::new();
        let bad: BTreeSet<(&HostName, &str)> = (self.findings.iter())
            .filter(|(_, finding)| finding.level >= Level::Warning)
            .map(|(host, finding)| (host, finding.topic))
            .collect();
        let good = self.findings.iter().filter(|(_, finding)| finding.level == Level::Ok);
        for (host, finding) in good.filter(|(host, finding)| !bad.contains(&(host, finding.topic))) {
            let topics = by_host.entry(host).or_default();
            if !topics.contains(&finding.topic) {
                topics.push(finding.topic);
            }
        }
        let mut groups: BTreeMap<Vec<&str>, Vec<HostName>> = BTreeMap::new();
        for (host, topics) in by_host {
            groups.entry(topics).or_default().push(host.clone());
        }
        let (word, tone) = word(Level::Ok);
        for (topics, mut hosts) in groups {
            hosts.sort_by(natural_order);
            let word = self.look.paint(tone, &format!("{word:INDENT$}"));
            let line = format!("{word}{}: {}", self.named(&hosts), topics.join(", "));
            let _ = writeln!(out, "{}", wrap(&line, self.look.width, INDENT));
        }
    }

    /// "2 problems and 1 warning on 3 hosts (1.2 s, exit code 3)"
    fn result(&self, groups: &[Group<'_>], end: &End) -> String {
        let of = |level: Level| groups.iter().filter(|(finding, _)| finding.level == level).count();
        let (problems, warnings) = (of(Level::Problem), of(Level::Warning));
        let hosts = count(end.hosts.len(), "host");
        let time = elapsed(end.elapsed);
        let said = match (problems, warnings) {
            (0, 0) => "nothing found".to_owned(),
            (0, _) => count(warnings, "warning"),
            (_, 0) => count(problems, "problem"),
            _ => format!("{} and {}", count(problems, "problem"), count(warnings, "warning")),
        };
        let next = self.next();
        match end.exit_code {
            130 => self
                .look
                .paint(Tone::Bad, &format!("interrupted after {time}: {said} on {hosts} (exit code 130)")),
            0 if warnings == 0 => {
                self.look.paint(Tone::Good, &format!("ready: {hosts} ({time}). Next: {next}"))
            }
            0 => self.look.paint(Tone::Good, &format!("ready, with {said}: {hosts} ({time}). Next: {next}")),
            code => self.look.paint(Tone::Bad, &format!("{said} on {hosts} ({time}, exit code {code})")),
        }
    }
}

fn word(level: Level) -> (&'static str, Tone) {
    match level {
        Level::Problem => ("problem", Tone::Bad),
        Level::Warning => ("warning", Tone::Change),
        Level::Note => ("note", Tone::Faint),
        Level::Ok => ("ok", Tone::Good),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Checked, Much};
    use crate::report::look::Look;
    use crate::report::sample::{Sample, captured};
    use crate::words::event::{Event, Listener, Mode, Tally, Verdict};
    use crate::words::finding::Finding;

    fn text(sample: &Sample, much: Much, width: Option<usize>) -> String {
        let (sink, text) = captured(false);
        let mut checked = Checked::new(sink, Look { width, ..Look::PLAIN }, much, false);
        sample.events.iter().for_each(|event| checked.event(event));
        text.read()
    }

    fn found(sample: Sample, hosts: &[usize], finding: &Finding) -> Sample {
        hosts.iter().fold(sample, |sample, host| {
            let host = sample.hosts[*host].clone();
            sample.event(Event::Finding { host, finding: finding.clone() })
        })
    }

    fn sample() -> Sample {
        let all = [0, 1, 2];
        let mut sample = Sample::new(Mode::Check, 3);
        sample = found(sample, &all, &Finding::ok("access", "logged in as deploy, who becomes root by sudo"));
        sample = found(sample, &[0, 1], &Finding::ok("disk", "free: 20 GiB on /, /srv, /var and /tmp"));
        sample = found(
            sample,
            &[2],
            &Finding::problem("disk", "only 100 MiB free on /var")
                .why("a full disk stops a deployment halfway")
                .todo("make room: `apt-get clean`"),
        );
        sample = found(
            sample,
            &all,
            &Finding::warning("dns", "shop.dev has no address in the DNS\u{1b}[2J")
                .why("the certificate authority, and every visitor, come to the address that the DNS gives")
                .todo("create the DNS record `A shop.dev → 198.18.0.11`"),
        );
        found(
            sample,
            &[0],
            &Finding::note("python", "there is no python3 yet; the playbook installs python3-venv"),
        )
    }

    #[test]
    fn the_worst_first_and_each_once() {
        let sample = sample().all(Verdict::Ok, &Tally::default()).end(3);
        assert_snapshot!("check_in_a_pipe", text(&sample, Much::Usual, None));
        let narrow = text(&sample, Much::Everything, Some(80));
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        assert_snapshot!("check_at_80_columns", narrow);
        let quiet = text(&sample, Much::Problems, None);
        assert!(quiet.starts_with("problem  disk on web3: only") && !quiet.contains("warning  "), "{quiet}");
    }

    #[test]
    fn a_good_end_says_what_comes_next() {
        let well = Sample::new(Mode::Check, 2).all(Verdict::Ok, &Tally::default());
        assert_eq!(
            text(&well.end(0), Much::Usual, None),
            "ready: 2 hosts (41 s). Next: tow plan playbooks/deploy.toml\n"
        );
        let next = |playbook: &str| {
            let mut checked = Checked::new(captured(false).0, Look::PLAIN, Much::Usual, true);
            playbook.clone_into(&mut checked.playbook);
            checked.next()
        };
        assert_eq!(next("playbooks/deploy.toml"), "tow deploy --plan");
        assert_eq!(next("my shop.toml"), "tow deploy --playbook 'my shop.toml' --plan");
    }
}
