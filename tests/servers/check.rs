//! `tow check` on real servers: each finding provoked for real, and nothing changed by looking.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::lab::{ALONE, Lab, PAIR, Run};

/// Needs a bit of everything. The authority is a port of the server itself, so that it is reached.
const PLAYBOOK: &str = "
[[tasks]]
package = ['python3-venv', 'nginx']
[[tasks]]
directory = '/srv/shop'
[[tasks]]
directory = '/srv/shop/releases'
[[tasks]]
venv = '/srv/shop/venv'
[[tasks]]
service = 'nginx'
[[tasks]]
systemd_unit = { name = 'shop.service', content = '[Service]\\nExecStart=/bin/true\\n' }
[[tasks]]
nginx_site = { name = 'shop', content = 'server { }' }
[[tasks]]
certificate = { name = 'shop', domains = ['shop.lab.test'], webroot = '/var/www/acme', server = 'https://127.0.0.1:22/dir' }
";

/// Every file of the server that is newer than the stamp, where a run would write.
const CHANGED: &str = "find /etc /srv /opt /usr /var/lib /var/cache /tmp /root /home -xdev -newer /run/stamp ! -path /run/stamp";

fn says(run: &Run, host: &str, begins: &str, holds: &str) {
    let findings = run.findings(host);
    let found = findings.iter().any(|line| line.starts_with(begins) && line.contains(holds));
    assert!(found, "{host} does not say {begins} … {holds}:\n{}", findings.join("\n"));
}

fn known(lab: &Lab) {
    for (host, address) in PAIR.into_iter().zip(lab.addresses()) {
        lab.inside(
            host,
            &format!("sed -i '/shop.lab.test/d' /etc/hosts; echo '{address} shop.lab.test' >>/etc/hosts"),
        );
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn good_servers_are_ready_within_seconds_and_nothing_is_changed() {
    let lab = Lab::enter();
    known(&lab);
    lab.both("touch /run/stamp; sleep 1.1");
    lab.undisturbed();
    let began = Instant::now();
    let run = lab.check("deploy", &PAIR.join(":"), PLAYBOOK);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(run.code, 0, "{}", run.story());
    for host in PAIR {
        says(&run, host, "ok access", "logged in as deploy, who becomes root by sudo");
        says(&run, host, "ok os", "Debian 1");
        says(&run, host, "ok dns", "shop.lab.test leads here");
        says(&run, host, "ok clock", "right");
        says(&run, host, "ok outbound", "apt's packages");
        assert_eq!(lab.inside(host, CHANGED), "", "{host}");
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn disks_that_are_full_read_only_or_without_programs() {
    let lab = Lab::enter();
    let [host, _] = PAIR;
    lab.inside(host, "mount -t tmpfs -o size=90m tmpfs /srv; mount -t tmpfs -o size=1g,noexec tmpfs /tmp");
    let run = lab.check("deploy", host, PLAYBOOK);
    lab.inside(host, "umount /srv; mount -t tmpfs -o ro,size=4g tmpfs /srv");
    let read_only = lab.check("deploy", host, PLAYBOOK);
    lab.inside(host, "umount /srv; mount -t tmpfs -o size=4g,nr_inodes=900 tmpfs /srv");
    let inodes = lab.check("deploy", host, PLAYBOOK);
    lab.inside(host, "umount -l /srv /tmp");
    assert_eq!(run.code, 3, "{}", run.story());
    says(&run, host, "problem disk: only 90 MiB free on /srv", "make room");
    says(&run, host, "warning disk: programs cannot be run from /tmp (noexec)", "remount,exec /tmp");
    says(&read_only, host, "problem disk: /srv cannot be written to", "mount -o remount,rw /srv");
    says(&inodes, host, "problem disk: only 899 inodes free on /srv", "du --inodes");
}

/// Holds port 80 and the lock of apt until it is ended.
const HOLDER: &str = r"cat >/root/holder.pl <<'END'
use Fcntl qw(:DEFAULT :flock F_SETLK F_WRLCK); use IO::Socket::INET;
open(my $lock, '>', '/var/lib/dpkg/lock-frontend');
my $how = pack('ssx4qqlx4', F_WRLCK, 0, 0, 0, 0); fcntl($lock, F_SETLK, $how) or die;
my $socket = IO::Socket::INET->new(LocalPort => 80, Listen => 1, ReuseAddr => 1) or die;
open(my $ready, '>', '/run/held'); close $ready;
sleep 300;
END
systemctl stop nginx 2>/dev/null || true
rm -f /run/held; setsid perl /root/holder.pl >/dev/null 2>&1 </dev/null & echo $! >/run/holder.pid
for n in $(seq 100); do [ -e /run/held ] && exit; sleep 0.1; done; exit 1";

#[test]
#[ignore = "needs real servers: tests/run"]
fn locks_ports_leftovers_and_names_that_lead_elsewhere() {
    let lab = Lab::enter();
    let [host, _] = PAIR;
    known(&lab);
    lab.inside(host, HOLDER);
    lab.inside(host, "sed -i '/shop.lab.test/d' /etc/hosts; echo '198.18.255.9 shop.lab.test' >>/etc/hosts; echo '2001:470::5 shop.lab.test' >>/etc/hosts");
    lab.inside(host, "mkdir -p /srv/shop/wp-admin; echo '[Unit]' >/etc/systemd/system/shop.service");
    lab.inside(host, "cp /var/lib/dpkg/status /root/status; sed -i '/^Package: hostname$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status");
    let run = lab.check("deploy", host, PLAYBOOK);
    lab.inside(host, "cp /root/status /var/lib/dpkg/status; kill $(cat /run/holder.pid); rm -rf /srv/shop /etc/systemd/system/shop.service");
    known(&lab);
    assert_eq!(run.code, 3, "{}", run.story());
    says(&run, host, "warning apt: `perl /root/holder.pl` (process", "wait until it has ended");
    says(&run, host, "problem apt: an installation was interrupted", "hostname → dpkg --configure -a");
    says(&run, host, "problem ports: port 80 is held by perl", "end process");
    says(
        &run,
        host,
        "problem dns: shop.lab.test leads to 198.18.255.9",
        "create the DNS record `A shop.lab.test → 198.18.",
    );
    says(
        &run,
        host,
        "problem dns: shop.lab.test leads to 2001:470::5",
        "remove the DNS record `AAAA shop.lab.test",
    );
    says(&run, host, "warning places: /srv/shop is there already", "wp-admin");
    says(&run, host, "warning places: there is a unit /etc/systemd/system/shop.service", "app.name");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn no_route_no_sudo_no_trust() {
    let lab = Lab::enter();
    let run = lab.check("deploy", ALONE, PLAYBOOK);
    assert_eq!(run.code, 3, "{}", run.story());
    says(&run, ALONE, "problem outbound: apt's packages cannot be reached", "Acquire::http::Proxy");
    says(&run, ALONE, "note python: there is no python3 yet; the playbook installs python3-venv", "");

    lab.inventory_as("admin");
    lab.undisturbed();
    let began = Instant::now();
    let run = lab.check("admin", &PAIR.join(":"), PLAYBOOK);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(run.code, 4, "{}", run.story());
    for host in PAIR {
        says(&run, host, "problem access: admin cannot become root", "NOPASSWD");
    }

    lab.write("known_hosts", "");
    lab.inventory_with("stranger", "known_hosts = ", &lab.folder.path().join("known_hosts"));
    let run = lab.check("stranger", PAIR[0], PLAYBOOK);
    assert_eq!(run.code, 7, "{}", run.story());
    says(&run, PAIR[0], "problem host_key: the host key of", "connect once at a terminal");
}

/// Whether a visitor is left waiting there: who is not shut out is answered at once, if only by a refusal.
fn is_silent(lab: &Lab, host: &str, port: u16) -> bool {
    let address = format!("{}:{port}", lab.address(host)).parse().unwrap();
    let answer = TcpStream::connect_timeout(&address, Duration::from_millis(500));
    answer.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_firewall_that_lets_nobody_through() {
    let lab = Lab::enter();
    known(&lab);
    let install =
        "export DEBIAN_FRONTEND=noninteractive; apt-get -q update; apt-get -q -y install nftables ufw";
    lab.both(&format!("{{ {install}; }} >/dev/null 2>&1"));
    let drop = "nft -f - <<END\ntable inet lab {\nchain input {\ntype filter hook input priority 0; policy drop;\niif lo accept\nct state established,related accept\ntcp dport 22 accept\n}\n}\nEND";
    let look = || lab.check("deploy", &PAIR.join(":"), PLAYBOOK);
    lab.both(drop);
    let shut = look();
    assert!(is_silent(&lab, PAIR[0], 80) && is_silent(&lab, PAIR[0], 443));
    lab.both("nft add rule inet lab input tcp dport 80 accept");
    let half = look();
    assert!(!is_silent(&lab, PAIR[0], 80) && is_silent(&lab, PAIR[0], 443));
    lab.both("nft add rule inet lab input tcp dport '{ 80, 443 }' accept");
    let open = look();
    lab.both(
        "nft delete table inet lab; { ufw allow 22/tcp; ufw allow 80/tcp; ufw --force enable; } >/dev/null",
    );
    let ufw = look();
    assert!(is_silent(&lab, PAIR[0], 443));
    lab.both("{ ufw --force disable; ufw --force reset; } >/dev/null");
    for run in [&shut, &half, &ufw] {
        assert_eq!(run.code, 3, "{}", run.story());
    }
    assert_eq!(open.code, 0, "{}", open.story());
    for host in PAIR {
        let nftables = "problem firewall: nftables drops what comes in, and no rule speaks of port";
        says(&shut, host, &format!("{nftables}s 80 and 443"), "`tcp dport { 80, 443 } accept`");
        says(&half, host, &format!("{nftables} 443"), "`tcp dport { 443 } accept`");
        says(&ufw, host, "problem firewall: ufw lets nobody through to port 443", "→ ufw allow 443/tcp");
    }
}

/// A certificate of `shop.lab.test` where certbot would have it, for 90 days, of which half a day less than so many is
/// left: what is told in whole days does not depend on the second in which it is looked at.
fn certificate(lab: &Lab, days: i32) {
    let (begins, ends) = ((days - 90) * 24 - 12, days * 24 - 12);
    let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nrand_serial=yes\nnew_certs_dir=.\npolicy=p\ndefault_md=sha256\ncopy_extensions=copy\n[p]\ncommonName=supplied\n";
    lab.both(&format!(
        "rm -rf /root/issue; mkdir -p /root/issue /etc/letsencrypt/live/shop; cd /root/issue; touch index.txt
        cat >conf <<'END'\n{config}END
        openssl req -new -newkey rsa:2048 -nodes -keyout key -subj /CN=shop.lab.test -addext subjectAltName=DNS:shop.lab.test -out request 2>/dev/null
        at() {{ date -u -d \"$1 hours\" +%Y%m%d%H%M%SZ; }}
        openssl ca -batch -notext -selfsign -config conf -keyfile key -in request -out cert -startdate $(at {begins}) -enddate $(at {ends}) 2>/dev/null
        cp cert /etc/letsencrypt/live/shop/fullchain.pem"
    ));
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn certificates_near_their_end_and_past_it() {
    let lab = Lab::enter();
    known(&lab);
    let look = |days: i32| {
        certificate(&lab, days);
        lab.check("deploy", &PAIR.join(":"), PLAYBOOK)
    };
    let (fine, near, past) = (look(60), look(5), look(-3));
    lab.both("rm -rf /etc/letsencrypt/live/shop /root/issue");
    assert_eq!([fine.code, near.code, past.code], [0, 0, 3], "{}", near.story());
    for host in PAIR {
        says(&fine, host, "ok tls: the certificate shop by", "66 % of its lifetime is left (59 days)");
        says(
            &near,
            host,
            "warning tls: the certificate shop ends in 4 days",
            "systemctl list-timers certbot.timer",
        );
        says(
            &past,
            host,
            "problem tls: the certificate shop has expired 3 days ago",
            "certbot renew --dry-run",
        );
    }
}

/// Containers share this machine's clock, so the C library of one login is told another: whatever asks it for the
/// time there, gets it two days late.
#[test]
#[ignore = "needs real servers: tests/run"]
fn a_clock_that_is_wrong() {
    let lab = Lab::enter();
    let [host, _] = PAIR;
    let late = "export DEBIAN_FRONTEND=noninteractive; { apt-get -q update; apt-get -q -y install libfaketime; } >/dev/null 2>&1
        library=$(dpkg -L libfaketime | grep '/libfaketime.so.1$')
        echo \"SetEnv LD_PRELOAD=$library FAKETIME=-2d\" >/etc/ssh/sshd_config.d/late.conf; systemctl restart ssh";
    lab.inside(host, late);
    let run = lab.check("inventory", host, PLAYBOOK);
    lab.inside(host, "rm /etc/ssh/sshd_config.d/late.conf; systemctl restart ssh");
    let right = lab.check("inventory", host, PLAYBOOK);
    says(&run, host, "warning clock: the clock is 2 days behind this machine's", "timedatectl set-ntp true");
    says(&right, host, "ok clock: the clock is right", "");
    assert_eq!((run.code, right.code), (0, 0), "{}", run.story());
}
