//! What stands on the server besides the web: processes and timers of a release, log rotation, and what `harden` asks for.

use std::net::TcpStream;
use std::time::Duration;

use crate::site::Site;

const TIMER: &str = "timers = [{ name = \"tidy\", command = \"python -c 'import os; print(os.getcwd())'\", calendar = \"daily\" }]";

impl Site<'_> {
    fn at_first(&self, line: &str) -> String {
        self.lab.inside(self.servers[0], line)
    }

    /// A timer, and all of `harden`.
    pub fn wants_more(&self) {
        self.edit("inventory.toml", "\ntimers = []", &format!("\n{TIMER}"));
        for what in ["firewall", "upgrades", "fail2ban"] {
            self.edit("inventory.toml", &format!("\n{what} = false"), &format!("\n{what} = true"));
        }
    }

    /// The units of this release run, and of no other.
    pub fn runs_its_units(&self, release: &str) {
        let name = self.name;
        let units = format!(
            "systemctl list-units --plain --no-legend --state=active '{name}-[tw]*' | cut -d' ' -f1 | sort"
        );
        let wanted = format!("{name}-tidy@{release}.timer\n{name}-worker@{release}.service");
        assert_eq!(self.at_first(&units), wanted);
        let exposure = self.exposure(&format!("{name}-worker@{release}.service"));
        assert!(exposure <= 2.5, "{exposure}");
        // Its time has come.
        let tidy = format!("{name}-tidy@{release}.service");
        let said = self
            .at_first(&format!("systemctl start {tidy} && journalctl --sync && journalctl -o cat -u {tidy}"));
        assert!(said.contains(&format!("/srv/{name}/releases/{release}/src")), "{said}");
    }

    pub fn rotates_its_logs(&self) {
        let line = format!(
            "cd /srv/{0}/shared/log; rm -f -- *; runuser -u {0} -- sh -c 'echo line >own.log'; logrotate -f /etc/logrotate.d/{0}; stat -c '%n %s' own.log*",
            self.name
        );
        assert_eq!(self.at_first(&line), "own.log 0\nown.log.1 5");
    }

    /// The firewall lets in what it is told, fail2ban shuts out, upgrades come; then the server is as open as before.
    pub fn is_hardened(&self) {
        let comes_in = |port: u16| {
            let address = format!("{}:{port}", self.lab.address(self.servers[0])).parse().unwrap();
            TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok()
        };
        self.at_first(
            "systemd-run -q --collect --unit=open python3 -m http.server 8099
            for n in $(seq 100); do ss -Hltn 'sport = :8099' | grep -q . && exit; sleep 0.1; done; exit 1",
        );
        assert_eq!([22, 80, 443, 8099].map(comes_in), [true, true, true, false]);
        self.at_first("ufw disable >/dev/null");
        assert!(comes_in(8099), "it was not the firewall that kept it shut");

        self.at_first(
            "for n in $(seq 100); do fail2ban-client status sshd >/dev/null 2>&1 && break; sleep 0.1; done
            fail2ban-client set sshd banip 203.0.113.7 >/dev/null; nft list ruleset | grep -q 203.0.113.7",
        );
        self.at_first("apt-config dump | grep -Fqx 'APT::Periodic::Unattended-Upgrade \"1\";' && unattended-upgrade --dry-run");
        self.at_first("systemctl stop open fail2ban; { ufw --force reset; } >/dev/null");
    }
}
