//! Ports 80 and 443: free, nginx's, or somebody else's.

use std::collections::{BTreeMap, BTreeSet};

use crate::preflight::{Seen, Subject, Topic};
use crate::words::finding::Finding;
use crate::words::plural::list;

pub struct Ports;

const TOPIC: &str = "ports";

const SCRIPT: &str = r#"
if command -v ss >/dev/null 2>&1; then
  ss -Htlnp '( sport = :80 or sport = :443 )' 2>/dev/null | while read -r line; do
    echo "ss $line"
    case $line in *,pid=*) pid=${line#*,pid=}; pid=${pid%%,*} ;; *) continue ;; esac
    echo "unit $pid $(sed -n 's|^0::.*/\([^/]*\.service\)$|\1|p' "/proc/$pid/cgroup" 2>/dev/null)"
  done
else
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print "hex " $2 }'
fi"#;

impl Topic for Ports {
    fn script(&self, subject: &Subject) -> Option<String> {
        subject.is_web().then(|| SCRIPT.into())
    }

    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let mut holders: BTreeMap<Holder<'_>, BTreeSet<u16>> = BTreeMap::new();
        for line in seen.all("ss") {
            let Some(port) = port_of(line) else { continue };
            let who =
                line.split_once("((\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(who, _)| who);
            let pid =
                line.split_once(",pid=").and_then(|(_, rest)| rest.split(',').next()).unwrap_or_default();
            let unit = seen
                .all("unit")
                .find_map(|line| line.strip_prefix(pid)?.strip_prefix(' '))
                .unwrap_or_default();
            holders.entry(Holder { who, pid, unit }).or_default().insert(port);
        }
        for line in seen.all("hex") {
            let port = line.rsplit_once(':').and_then(|(_, hex)| u16::from_str_radix(hex, 16).ok());
            if let Some(port) = port.filter(|port| [80, 443].contains(port)) {
                holders.entry(Holder::default()).or_default().insert(port);
            }
        }
        if holders.is_empty() {
            return vec![Finding::ok(TOPIC, "ports 80 and 443 are free")];
        }
        holders.iter().map(|(holder, ports)| held(*holder, ports)).collect()
    }
}

/// Who listens, as far as the host says.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Holder<'a> {
    who: &'a str,
    pid: &'a str,
    /// The service that it belongs to.
    unit: &'a str,
}

/// Of the local address, the fourth word: `0.0.0.0:80`, `[::]:443`, `*:80`.
fn port_of(line: &str) -> Option<u16> {
    line.split_whitespace().nth(3)?.rsplit_once(':')?.1.parse().ok()
}

fn held(holder: Holder<'_>, ports: &BTreeSet<u16>) -> Finding {
    let numbers: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let ports = format!("port{} {}", if numbers.len() > 1 { "s" } else { "" }, list(&numbers, "and"));
    let is = if numbers.len() > 1 { "are" } else { "is" };
    let why = "nginx has to listen there: browsers and the certificate authority come by these ports";
    match holder.who {
        "nginx" => Finding::ok(TOPIC, format!("{ports}: nginx is there already")),
        "" => Finding::warning(TOPIC, format!("{ports} {is} taken, and it cannot be said by whom"))
            .why(why)
            .todo("look as root: `ss -tlnp`; stop what is not nginx"),
        "docker-proxy" => Finding::problem(TOPIC, format!("{ports} {is} held by a container (docker-proxy)"))
            .why(why)
            .todo("find it by `docker ps`, and publish it on another port or stop it"),
        "systemd" => Finding::problem(TOPIC, format!("{ports} {is} held by a socket unit of systemd"))
            .why(why)
            .todo("find it by `systemctl list-sockets`, then `systemctl disable --now NAME.socket`"),
        who => {
            let stop = match holder.unit {
                "" => format!("end process {}, and whatever starts it", holder.pid),
                unit => format!("stop it for good: `systemctl disable --now {unit}`"),
            };
            Finding::problem(TOPIC, format!("{ports} {is} held by {who}"))
                .why(why)
                .todo(format!("{stop}; or set it to another port and put it behind nginx"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ports;
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn who_holds_the_ports_is_named() {
        let sample = Sample::new(&Ports, &[Need::Site("shop".into())]);
        assert_eq!(sample.said(""), ["ok: ports 80 and 443 are free"]);
        let ss = |address: &str, who: &str| {
            format!(
                "ss LISTEN 0 511 {address} 0.0.0.0:* users:((\"{who}\",pid=7,fd=6),(\"{who}\",pid=8,fd=6))\n"
            )
        };
        let nginx = ss("0.0.0.0:80", "nginx") + &ss("[::]:80", "nginx") + &ss("*:443", "nginx");
        assert_eq!(sample.said(&nginx), ["ok: ports 80 and 443: nginx is there already"]);
        let said = sample.said(&(ss("*:80", "apache2") + &ss("127.0.0.1:443", "docker-proxy")));
        assert!(
            said[0]
                .starts_with("problem: port 80 is held by apache2 → end process 7, and whatever starts it")
        );
        assert!(said[1].starts_with("problem: port 443 is held by a container"));
        let of_unit = sample.said(&(ss("*:80", "apache2") + "unit 7 apache2.service\n"));
        assert!(of_unit[0].contains("`systemctl disable --now apache2.service`"), "{of_unit:?}");
        assert!(sample.said("ss LISTEN 0 511 *:80 *:*\n")[0].starts_with("warning: port 80 is taken"));
        assert!(
            sample.said("hex 00000000:0050\nhex 00000000:1F90\n")[0].starts_with("warning: port 80 is taken")
        );
    }
}
