//! What is asked of certbot, as shell; and what a host knows of its certificates.

use crate::words::fact::Probe;
use crate::words::names::RemotePath;
use crate::words::shell::{join, quote};

/// A certificate that is wanted.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub name: &'a str,
    pub domains: &'a [String],
    pub webroot: &'a RemotePath,
    pub email: Option<&'a str>,
    pub server: &'a str,
    pub ca: Option<&'a RemotePath>,
    pub folder: &'a str,
    pub is_own_folder: bool,
    pub hook: Option<&'a RemotePath>,
    pub check_port: u16,
}

/// What runs when the certificate is new; certbot runs every hook for every certificate. What fails is owed, also where
/// certbot's own timer called it: else the web server would keep the old one until the next renewal, or its end.
pub(crate) fn hook(folder: &str, name: &str, line: &str) -> String {
    let lineage = quote(&format!("{folder}/live/{name}"));
    let owed = quote(&format!("{folder}/tow-owed-{name}"));
    format!(
        "#!/bin/sh\n# Written by tow.\n[ \"$RENEWED_LINEAGE\" = {lineage} ] || exit 0\n\
         # Where it fails, the next run of tow tries again.\n: >{owed} || exit 1\n(\n{}\n) || exit 1\nrm -f {owed}\n",
        line.trim()
    )
}

impl Request<'_> {
    fn words(&self) -> String {
        let words = [("folder", self.folder), ("name", self.name)];
        words.map(|(name, value)| format!("{name}={}", quote(value))).join(" ")
    }

    pub fn probe(&self) -> Probe {
        Probe::Shell { script: format!("{}\n{}", self.words(), include_str!("facts.sh")), user: None }
    }

    /// certbot's arguments; it is never asked anything and never asks.
    fn arguments(&self) -> String {
        let mut words = vec!["certonly", "--non-interactive", "--agree-tos", "--keep-until-expiring"];
        words.extend(["--webroot", "-w", self.webroot.as_str(), "--cert-name", self.name, "--key-type", "ecdsa"]);
        words.extend(["--renew-with-new-domains", "--no-directory-hooks"]);
        for domain in self.domains {
            words.extend(["-d", domain]);
        }
        match self.email {
            Some(email) => words.extend(["-m", email]),
            None => words.push("--register-unsafely-without-email"),
        }
        join(words)
    }

    /// Runs the hook, which a run before did not come to.
    pub fn deploy(&self) -> String {
        format!("{}\n{}", self.deployed(), include_str!("deploy.sh"))
    }

    fn deployed(&self) -> String {
        let hook = quote(self.hook.map_or("", RemotePath::as_str));
        format!("{} hook={hook} domains={}", self.words(), quote(&self.domains.join(" ")))
    }

    pub fn script(&self, is_rehearsed: bool) -> String {
        let own = if self.is_own_folder {
            let folder = |option: &str, below: &str| format!("{option} {}", quote(&format!("{}{below}", self.folder)));
            [folder("--config-dir", ""), folder("--work-dir", "/work"), folder("--logs-dir", "/log")].join(" ")
        } else {
            String::new()
        };
        let ca = self.ca.map_or_else(String::new, |ca| {
            format!("REQUESTS_CA_BUNDLE={0}; export REQUESTS_CA_BUNDLE\n", quote(ca.as_str()))
        });
        format!(
            "{} webroot={} server={} check_port={} rehearse={}\n{ca}certbot() {{ command certbot {own} \"$@\"; }}\nask() {{ certbot {} \"$@\"; }}\n{}\n{}",
            self.deployed(),
            quote(self.webroot.as_str()),
            quote(self.server),
            self.check_port,
            if is_rehearsed { "yes" } else { "no" },
            self.arguments(),
            include_str!("act.sh"),
            include_str!("deploy.sh")
        )
    }
}

/// A certificate that is there. Times are seconds of the host's own clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Present {
    /// Sorted.
    pub names: Vec<String>,
    begins: i64,
    ends: i64,
    now: i64,
}

impl Present {
    /// Lifetimes differ and shrink: what counts is the part that is left.
    pub fn is_due(&self) -> bool {
        self.ends - self.now < (self.ends - self.begins) / 6
    }

    pub fn left(&self) -> String {
        let hours = (self.ends - self.now).max(0) / 3600;
        if hours >= 48 { format!("{} days", hours / 24) } else { format!("{hours} hours") }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Found {
    pub has_certbot: bool,
    pub certificate: Option<Present>,
    /// The authority that it came from.
    pub server: Option<String>,
    /// A run ended between the certificate and its hook.
    pub is_hook_owed: bool,
    /// In the last hour.
    pub failures: usize,
    /// Seconds until the oldest of them is an hour old.
    pub wait: i64,
}

pub(crate) fn parse(stdout: &str) -> Found {
    let mut found = Found::default();
    let (mut present, mut failures) = (Present::default(), vec![]);
    for (key, value) in stdout.lines().filter_map(|line| line.split_once(' ')) {
        let number = || value.trim().parse().unwrap_or_default();
        match key {
            "certbot" => found.has_certbot = true,
            "owed" => found.is_hook_owed = true,
            "server" => found.server = Some(value.trim().to_owned()),
            "name" => present.names.push(value.trim().to_owned()),
            "begins" => present.begins = number(),
            "ends" => present.ends = number(),
            "now" => present.now = number(),
            "failed" => failures.push(number()),
            _ => {}
        }
    }
    failures.retain(|at: &i64| present.now - at < 3600);
    found.failures = failures.len();
    found.wait = failures.iter().min().map_or(0, |oldest| 3600 - (present.now - oldest));
    present.names.sort_unstable();
    present.names.dedup();
    found.certificate = (present.ends > 0).then_some(present);
    found
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_certificate_is_due_by_the_part_that_is_left() {
        let at = |now: i64| {
            parse(&format!("now {now}\ncertbot yes\nname b.example\nname a.example\nbegins 0\nends 600\n")).certificate.unwrap()
        };
        assert!(!at(500).is_due());
        assert!(at(501).is_due());
        assert_eq!(at(0).names, ["a.example", "b.example"]);
    }

    #[test]
    fn failures_are_forgotten_after_an_hour() {
        let found = parse("now 10000\nfailed 6000\nfailed 6500\nfailed 9990\n");
        assert_eq!((found.failures, found.wait), (2, 100));
        assert!(found.certificate.is_none() && !found.has_certbot);
    }
}
