//! `firewall`: ufw, in a way that cannot lock the operator out.

use serde::Deserialize;

use crate::task::common::one_or_many;
use crate::task::seconds::Span;
use crate::task::need::Need;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::shell::quote;
use crate::words::step::{Change, Step};

/// Lets in what is listed and SSH, and nothing else. The port of the SSH connection that the task itself comes by is
/// always allowed first. When the firewall is turned on, a timer on the host is set that turns it off again; a second
/// task, `confirm = true`, stops that timer. Before it does, the host is connected to anew, since a firewall lets go on
/// what is connected already: if that does not work, nobody confirms, and the host is open again. Rules that are there
/// already stay.
///
/// ```toml
/// firewall = { allow = ["80/tcp", "443/tcp", "5432/tcp from 10.0.0.0/24"] }
/// firewall = { confirm = true }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// What comes in: `"80/tcp"`, `"53/udp"`, `"5432/tcp from 10.0.0.0/24"`.
    #[serde(default, deserialize_with = "one_or_many")]
    allow: Vec<String>,
    /// Where SSH listens, if the host cannot tell by the connection.
    ssh_port: Option<u16>,
    /// Keeps the firewall on for good. A task of its own, behind the one that turns it on.
    #[serde(default)]
    confirm: bool,
    /// How long until it is turned off again when nobody confirms (default `"3m"`).
    #[serde(default = "three_minutes")]
    window: Span,
}

fn three_minutes() -> Span {
    Span::seconds(180)
}

/// The rule as `ufw show added` prints it.
fn rule(text: &str) -> Result<String, String> {
    let (port, from) = match text.split_once(" from ") {
        Some((port, from)) => (port.trim(), Some(from.trim())),
        None => (text.trim(), None),
    };
    let parsed = port.split_once('/').and_then(|(port, sort)| Some((port.parse::<u16>().ok()?, sort)));
    let Some((port, sort)) = parsed.filter(|(port, sort)| *port > 0 && ["tcp", "udp"].contains(sort)) else {
        return Err(format!("{text:?} is not a port: write \"80/tcp\" or \"5432/tcp from 10.0.0.0/24\""));
    };
    let Some(from) = from else { return Ok(format!("{port}/{sort}")) };
    let (address, bits) = from.split_once('/').map_or((from, None), |(address, bits)| (address, Some(bits)));
    let width = address.parse::<core::net::IpAddr>().map(|address| if address.is_ipv4() { 32 } else { 128 });
    let bits = bits.map(str::parse::<u8>).transpose();
    let from = match (width, bits) {
        // ufw shows a single host by its address alone.
        (Ok(width), Ok(bits)) if bits.is_none_or(|bits| bits == width) => address,
        (Ok(width), Ok(Some(bits))) if bits < width => from,
        _ => return Err(format!("{text:?}: {from} is neither an address nor a network")),
    };
    Ok(format!("from {from} to any port {port} proto {sort}"))
}

/// What the host says.
#[derive(Debug, Default)]
struct Found<'a> {
    has_ufw: bool,
    is_active: bool,
    is_armed: bool,
    ssh: Vec<&'a str>,
    rules: Vec<&'a str>,
}

fn parse(stdout: &str) -> Found<'_> {
    let mut found = Found::default();
    for line in stdout.lines().map(str::trim) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("present", _) => found.has_ufw = true,
            ("armed", _) => found.is_armed = true,
            ("ssh", port) => found.ssh.push(port),
            ("Status:", "active") => found.is_active = true,
            ("ufw", rest) => found.rules.extend(rest.strip_prefix("allow ")),
            _ => {}
        }
    }
    found
}

impl Firewall {
    fn probe() -> Probe {
        Probe::Shell { script: include_str!("firewall/facts.sh").to_owned(), user: None }
    }

    /// SSH first, so that there is no moment without it.
    fn wanted(&self, found: &Found) -> Vec<String> {
        let mut ports: Vec<String> = found.ssh.iter().map(|port| format!("{port}/tcp")).collect();
        ports.extend(self.ssh_port.map(|port| format!("{port}/tcp")));
        let mut rules: Vec<String> = vec![];
        for rule in ports.into_iter().chain(self.allow.iter().filter_map(|text| rule(text).ok())) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        rules
    }

    fn confirmed(found: &Found) -> Step {
        if !found.is_armed {
            return Step::already(if found.is_active { "the firewall is on" } else { "no firewall waits for this" });
        }
        let stop = "systemctl stop tow-firewall-revert.timer && ufw status | grep -q '^Status: active'";
        let run = Command::shell(stop).label("systemctl stop tow-firewall-revert.timer");
        let shut_out = Error::failed("cannot keep the firewall on").hint(
            "it turns itself off within its `window` (3 minutes, if nothing else is said), and the host is open again; `ufw status numbered` there shows which rule stands before SSH's",
        );
        let change = Change { reached_anew: Some(Box::new(shut_out)), ..Change::default() };
        Step::effects(change.what("keep the firewall on").action(Action::Run(run)))
    }
}

impl Task for Firewall {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        for text in &self.allow {
            rule(text).map_err(|why| Mistake::new("allow", why))?;
        }
        if self.confirm && (!self.allow.is_empty() || self.ssh_port.is_some()) {
            return Err(Mistake::new("confirm", "to confirm is a task of its own")
                .hint("put it behind the one that has `allow`: firewall = { confirm = true }"));
        }
        if self.window.0.as_secs() < 30 {
            return Err(Mistake::new("window", "shorter than 30s: it could end before anybody confirms"));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Firewall, Need::Root]
    }

    fn probes(&self) -> Vec<Probe> {
        vec![Firewall::probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let found = parse(&facts.output(&Firewall::probe())?.stdout);
        if self.confirm {
            return Ok(Firewall::confirmed(&found));
        }
        let failed = |cause: &str| Error::failed("cannot set up the firewall").cause(cause);
        if !found.has_ufw {
            return Err(failed("there is no ufw on this host").hint("put a task before it: package = \"ufw\""));
        }
        if facts.host.user != "root" {
            return Err(failed(&format!("{} may not", facts.host.user)).hint("set `become = true` on the host"));
        }
        if found.ssh.is_empty() && self.ssh_port.is_none() {
            return Err(failed("nobody can say by which port SSH comes in")
                .hint("give `ssh_port`, so that you are not locked out"));
        }
        let missing: Vec<String> =
            self.wanted(&found).into_iter().filter(|rule| !found.rules.contains(&rule.as_str())).collect();
        if missing.is_empty() && found.is_active {
            return Ok(Step::already("the firewall is on and lets in what it should"));
        }
        let mut change = Change::default();
        change.what.extend(missing.iter().map(|rule| format!("let in {rule}")));
        if !found.is_active {
            change.what.push(format!("turn the firewall on, and off again after {} unless confirmed", self.window));
        }
        let rules = missing.iter().map(|rule| quote(rule)).collect::<Vec<_>>().join(" ");
        let script = format!(
            "window={} enable={}\nset -- {rules}\n{}",
            self.window.whole_seconds(),
            if found.is_active { "no" } else { "yes" },
            include_str!("firewall/act.sh")
        );
        Ok(Step::effects(change.action(Action::Run(Command::shell(script).label("ufw allow, ufw enable")))))
    }
}

#[cfg(test)]
mod tests {
    use super::rule;

    #[test]
    fn rules_are_written_as_ufw_shows_them() {
        assert_eq!(rule("80/tcp").unwrap(), "80/tcp");
        assert_eq!(rule("5432/tcp from 10.0.0.0/24").unwrap(), "from 10.0.0.0/24 to any port 5432 proto tcp");
        assert_eq!(rule("5432/tcp from 10.0.0.7/32").unwrap(), "from 10.0.0.7 to any port 5432 proto tcp");
        assert_eq!(rule("5432/tcp from 2001:db8::1/128").unwrap(), "from 2001:db8::1 to any port 5432 proto tcp");
        for bad in ["80/tcp from 10.0.0.0/33", "80", "http", "0/tcp", "80/tcp from here", "80/tcp; reboot", "70000/tcp"] {
            assert!(rule(bad).is_err(), "{bad}");
        }
    }
}
