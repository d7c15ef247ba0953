//! apt and dpkg: the scripts for a host, and what their answers mean.

use crate::task::package::{Inventory, Options, PackageManager, Wanted};
use crate::task::seconds::Span;
use crate::words::action::Command;
use crate::words::shell::{join, quote};

#[derive(Debug)]
pub(crate) struct Apt;

/// Waits for another apt instead of failing; keeps configuration files that somebody edited; never asks.
const APT_GET: &str = "apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold";

/// Prints only packages that are asked for (by name or by what they provide), and those that are broken.
const LIST: &str = r#"dpkg-query -W -f='${Package}|${Architecture}|${Version}|${db:Status-Abbrev}|${Provides}\n' | awk -F'|' -v wanted="$names" '
BEGIN { n = split(wanted, w, " "); for (i = 1; i <= n; i++) want[w[i]] = 1 }
{
  keep = ($1 in want) || (($1 ":" $2) in want) || $4 ~ /^.[UFH]/ || $4 ~ /^..R/
  n = split($5, p, /, */)
  for (i = 1; i <= n && !keep; i++) { sub(/[ :].*/, "", p[i]); if (p[i] in want) keep = 1 }
  if (keep) print "package " $0
}'"#;

impl PackageManager for Apt {
    fn probe(&self, wanted: &[Wanted], lists_age: Span) -> String {
        let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
        let minutes = lists_age.whole_seconds().div_ceil(60);
        format!(
            "command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1 || exit 0\n\
             echo usable\n\
             names={}\n\
             ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && \
             find /var/lib/apt/lists -maxdepth 0 -mmin -{minutes} 2>/dev/null | sed 's/.*/fresh/'\n\
             {LIST}\n",
            quote(&names.join(" "))
        )
    }

    fn parse(&self, wanted: &[Wanted], stdout: &str) -> Inventory {
        let mut inventory = Inventory::default();
        for line in stdout.lines() {
            match line {
                "usable" => inventory.usable = true,
                "fresh" => inventory.lists_fresh = true,
                _ => {
                    if let Some(record) = line.strip_prefix("package ") {
                        note(&mut inventory, wanted, record);
                    }
                }
            }
        }
        inventory
    }

    fn install(&self, missing: &[Wanted], options: &Options) -> Command {
        let names: Vec<String> = missing
            .iter()
            .map(|wanted| match &wanted.version {
                Some(version) => format!("{}={version}", wanted.name),
                None => wanted.name.clone(),
            })
            .collect();
        let bare = join(missing.iter().map(|wanted| &wanted.name));
        // Lists that somebody asked to be fetched have to be; of those that are only old, old ones will do.
        let must = if options.refresh && !options.refresh_when_unknown { "1" } else { "" };
        let when = if options.refresh {
            "refresh\n".to_owned()
        } else if options.refresh_when_unknown {
            format!("apt-cache show -- {bare} >/dev/null 2>&1 || refresh\n")
        } else {
            String::new()
        };
        let refresh = if when.is_empty() { when } else { format!("must={must}\n{}{when}", include_str!("refresh.sh")) };
        let recommends = match options.recommends {
            None => "",
            Some(true) => " --install-recommends",
            Some(false) => " --no-install-recommends",
        };
        // A version that was asked for may be older than what is there.
        let downgrade = if missing.iter().any(|w| w.version.is_some()) { " --allow-downgrades" } else { "" };
        let script = format!(
            "set -e\napt_get={}\n{refresh}$apt_get install{recommends}{downgrade} -- {}\n",
            quote(APT_GET),
            join(&names)
        );
        quiet(script).label(format!("apt-get install {}", join(&names)))
    }

    fn remove(&self, names: &[Wanted], options: &Options) -> Command {
        let verb = if options.purge { "purge" } else { "remove" };
        let names = join(names.iter().map(|wanted| &wanted.name));
        quiet(format!("{APT_GET} {verb} -- {names}\n")).label(format!("apt-get {verb} {names}"))
    }

    fn repair(&self) -> &'static str {
        "dpkg --configure -a"
    }

    fn valid_name(&self, name: &str) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.:".contains(c);
        name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
    }
}

fn quiet(script: String) -> Command {
    Command::shell(script).env("DEBIAN_FRONTEND", "noninteractive").env("NEEDRESTART_MODE", "l")
}

/// `name|architecture|version|status|offers`
fn note(inventory: &mut Inventory, wanted: &[Wanted], record: &str) {
    let mut fields = record.splitn(5, '|');
    let mut next = || fields.next().unwrap_or_default();
    let (name, architecture, version, status, offers) = (next(), next(), next(), next(), next());
    let state = status.as_bytes();
    if matches!(state.get(1), Some(b'U' | b'F' | b'H')) || state.get(2) == Some(&b'R') {
        inventory.broken.push(name.to_owned());
    }
    // `t` and `W`: installed, triggers are still to come.
    if !matches!(state.get(1), Some(b'i' | b't' | b'W')) {
        return;
    }
    let qualified = format!("{name}:{architecture}");
    let offered = |wanted: &str| offers.split(',').any(|part| part.split([' ', ':']).find(|w| !w.is_empty()) == Some(wanted));
    for wanted in wanted {
        if wanted.name == name || wanted.name == qualified {
            inventory.installed.insert(wanted.name.clone(), version.to_owned());
        } else if wanted.version.is_none() && offered(&wanted.name) {
            inventory.installed.entry(wanted.name.clone()).or_insert_with(|| format!("(as {name})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Apt;
    use crate::task::package::{Options, PackageManager as _, Wanted};
    use crate::words::action::Program;

    fn wanted(names: &[&str]) -> Vec<Wanted> {
        names.iter().map(|name| Wanted::parse(name)).collect()
    }
    fn options() -> Options {
        Options { refresh: false, refresh_when_unknown: false, recommends: None, purge: false }
    }

    #[test]
    fn reads_names_versions_provided_names_and_broken_ones() {
        let answer = "usable\nfresh\n\
            package nginx|amd64|1.22.1-9|ii |httpd, httpd-cgi\n\
            package mawk|amd64|1.3.4|ii |awk (= 2), libx:any (= 1)\n\
            package libc6|i386|2.36|ii |\n\
            package gone|all|1|rc |\n\
            package half|all|1|iF |\n";
        let names = wanted(&["nginx", "awk", "libc6:i386", "gone", "libx"]);
        let inventory = Apt.parse(&names, answer);
        assert!(inventory.usable && inventory.lists_fresh);
        assert_eq!(inventory.installed["nginx"], "1.22.1-9");
        assert_eq!(inventory.installed["awk"], "(as mawk)");
        assert_eq!(inventory.installed["libc6:i386"], "2.36");
        assert!(inventory.installed.contains_key("libx") && !inventory.installed.contains_key("gone"));
        assert_eq!(inventory.broken, ["half"]);
    }

    #[test]
    fn one_command_for_all_names() {
        let command = Apt.install(&wanted(&["git", "nginx=1.22.*"]), &Options { refresh: true, ..options() });
        let Program::Shell(script) = &command.program else { panic!("{command:?}") };
        assert!(script.starts_with("set -e\napt_get='apt-get -y -q -o DPkg::Lock::Timeout=300 "), "{script}");
        assert!(script.contains("\nmust=1\n"), "{script}");
        assert!(script.ends_with("\nrefresh\n$apt_get install --allow-downgrades -- git 'nginx=1.22.*'\n"), "{script}");
        assert!(command.env.contains(&("DEBIAN_FRONTEND".into(), "noninteractive".into())));
    }

    #[test]
    fn names_are_names() {
        for good in ["nginx", "g++", "libc6:i386", "python3.11-venv"] {
            assert!(Apt.valid_name(good), "{good}");
        }
        for bad in ["-y", "a b", "$(id)", "", "Nginx"] {
            assert!(!Apt.valid_name(bad), "{bad}");
        }
    }
}
