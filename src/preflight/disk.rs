//! Room, inodes, and whether file systems may be written to and run from.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Sort;
use crate::words::finding::Finding;
use crate::words::plural::list;

pub struct Disk;

const TOPIC: &str = "disk";
/// The system's packages and a virtual environment take a few hundred MiB.
const LEAST: u64 = 512 << 10;
const LITTLE: u64 = 2 << 20;
/// Of /tmp, where archives are unpacked.
const LEAST_TMP: u64 = 64 << 10;
const LITTLE_TMP: u64 = 256 << 10;
/// A virtual environment is some thousands of files.
const LEAST_INODES: u64 = 5_000;
const LITTLE_INODES: u64 = 30_000;

const SCRIPT: &str = r#"
for path in / /srv /var /tmp; do
  [ -d "$path" ] || continue
  set -f
  set -- $(df -Pk "$path" 2>/dev/null | tail -n 1)
  [ $# -ge 6 ] || continue
  room="$2 $4"; shift 5; mount=$*
  set -- $(df -Pi "$path" 2>/dev/null | tail -n 1)
  options=$(awk -v at="$mount" '{ gsub(/\\040/, " ", $2) } $2 == at { found = $4 } END { print found }' /proc/mounts 2>/dev/null)
  echo "at $path $room ${2:-0} ${4:-0} ${options:-rw} $mount"
done"#;

/// A file system, by the paths that lie on it; sizes in KiB.
#[derive(Debug)]
struct Room<'a> {
    paths: Vec<&'a str>,
    mount: &'a str,
    free: u64,
    inodes: u64,
    free_inodes: u64,
    options: Vec<&'a str>,
}

fn parse<'a>(seen: &Seen<'a>) -> Vec<Room<'a>> {
    let mut rooms: Vec<Room<'a>> = vec![];
    for line in seen.all("at") {
        let mut words = line.splitn(7, ' ');
        let path = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
        let (_, free, inodes, free_inodes): (u64, u64, u64, u64) = (number(), number(), number(), number());
        let options = words.next().unwrap_or_default().split(',').collect();
        let mount = words.next().unwrap_or_default();
        match rooms.iter_mut().find(|room| room.mount == mount) {
            Some(room) => room.paths.push(path),
            None => rooms.push(Room { paths: vec![path], mount, free, inodes, free_inodes, options }),
        }
    }
    rooms
}

fn size(kib: u64) -> String {
    if kib >= 10 << 20 {
        format!("{} GiB", kib >> 20)
    } else if kib >= 1 << 20 {
        format!("{}.{} GiB", kib >> 20, ((kib & ((1 << 20) - 1)) * 10) >> 20)
    } else {
        format!("{} MiB", kib >> 10)
    }
}

impl Room<'_> {
    fn name(&self) -> String {
        list(&self.paths, "and")
    }

    fn is_only_tmp(&self) -> bool {
        self.paths == ["/tmp"]
    }

    fn has(&self, option: &str) -> bool {
        self.options.contains(&option)
    }

    fn room(&self) -> Option<Finding> {
        let (least, little) = if self.is_only_tmp() { (LEAST_TMP, LITTLE_TMP) } else { (LEAST, LITTLE) };
        let what = format!("{} free on {}", size(self.free), self.name());
        let todo = format!(
            "make room: `du -xh --max-depth=2 {} | sort -h | tail`, `apt-get clean`, `journalctl --vacuum-size=100M`; or enlarge the disk",
            self.mount
        );
        let why = if self.is_only_tmp() {
            "archives are unpacked there, and Python packages built"
        } else {
            "packages, releases and the database need room; a full disk stops a deployment halfway, and a database altogether"
        };
        if self.free < least {
            return Some(Finding::problem(TOPIC, format!("only {what}")).why(why).todo(todo));
        }
        (self.free < little).then(|| Finding::warning(TOPIC, format!("only {what}")).why(why).todo(todo))
    }

    fn inodes(&self) -> Option<Finding> {
        let what = format!("only {} inodes free on {}", self.free_inodes, self.name());
        let why = "each file takes one, and a virtual environment is some thousands of files";
        let todo = format!(
            "remove what is many small files: `du --inodes -x --max-depth=3 {} | sort -n | tail`",
            self.mount
        );
        // btrfs and its like make them as they go, and say 0.
        if self.inodes == 0
            || self.is_only_tmp() && self.free_inodes >= 1000
            || self.free_inodes >= LITTLE_INODES
        {
            return None;
        }
        let finding = if self.free_inodes < LEAST_INODES { Finding::problem } else { Finding::warning };
        Some(finding(TOPIC, what).why(why).todo(todo))
    }

    fn options(&self, holds_programs: bool) -> Option<Finding> {
        let name = self.name();
        if self.has("ro") {
            return Some(
                Finding::problem(
                    TOPIC,
                    format!("{name} cannot be written to: {} is mounted read-only", self.mount),
                )
                .why("nothing can be deployed; a disk with errors is made read-only by the kernel")
                .todo(format!("find the cause (`dmesg | tail`), then `mount -o remount,rw {}`", self.mount)),
            );
        }
        if !self.has("noexec") {
            return None;
        }
        let todo =
            format!("mount it without `noexec`: `mount -o remount,exec {}`, and in /etc/fstab", self.mount);
        if holds_programs {
            return Some(
                Finding::problem(TOPIC, format!("programs cannot be run from {name} (noexec)"))
                    .why("the virtual environment is there, with programs and compiled modules")
                    .todo(todo),
            );
        }
        self.paths.contains(&"/tmp").then(|| {
            Finding::warning(TOPIC, format!("programs cannot be run from {name} (noexec)"))
                .why("Python packages without a wheel are built there, and some installers run from there")
                .todo(format!("{todo}; or use packages that have wheels"))
        })
    }
}

impl Topic for Disk {
    fn script(&self, _subject: &Subject) -> Option<String> {
        Some(SCRIPT.into())
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let rooms = parse(seen);
        let mounts: Vec<&str> = rooms.iter().map(|room| room.mount).collect();
        let environments = subject.places().filter(|place| place.sort == Sort::Environment);
        let homes: Vec<&str> = environments.filter_map(|place| holder(&place.path, &mounts)).collect();
        let mut findings = vec![];
        for room in &rooms {
            findings.extend(room.options(homes.contains(&room.mount)));
            if !room.has("ro") {
                findings.extend(room.room());
                findings.extend(room.inodes());
            }
        }
        if findings.is_empty() && !rooms.is_empty() {
            let said: Vec<String> =
                rooms.iter().map(|room| format!("{} on {}", size(room.free), room.name())).collect();
            findings.push(Finding::ok(TOPIC, format!("free: {}", said.join("; "))));
        }
        findings
    }
}

/// The mount point that a path lies below.
fn holder<'a>(path: &str, mounts: &[&'a str]) -> Option<&'a str> {
    let below =
        |mount: &str| path.strip_prefix(mount).is_some_and(|rest| mount == "/" || rest.starts_with('/'));
    mounts.iter().copied().filter(|mount| below(mount)).max_by_key(|mount| mount.len())
}

#[cfg(test)]
mod tests {
    use super::{Disk, holder, size};
    use crate::preflight::sample::Sample;
    use crate::task::need::{Need, Sort};

    #[test]
    fn room_and_inodes() {
        let sample = Sample::new(&Disk, &[]);
        let at = |path: &str, free: u64, inodes: u64, options: &str, mount: &str| {
            format!("at {path} 99999999 {free} 1000000 {inodes} {options} {mount}\n")
        };
        let fine = at("/", 20 << 20, 900_000, "rw,relatime", "/") + &at("/srv", 20 << 20, 900_000, "rw", "/");
        assert_eq!(sample.said(&fine), ["ok: free: 20 GiB on / and /srv"]);
        let full = at("/", 20 << 20, 900_000, "rw", "/") + &at("/var", 100 << 10, 900_000, "rw", "/var");
        assert!(sample.said(&full)[0].starts_with("problem: only 100 MiB free on /var → make room"));
        assert!(
            sample.said(&at("/", 1 << 20, 9_000_000, "rw", "/"))[0]
                .starts_with("warning: only 1.0 GiB free on /")
        );
        assert!(
            sample.said(&at("/", 20 << 20, 12, "rw", "/"))[0].starts_with("problem: only 12 inodes free")
        );
        let btrfs = "at / 99999999 20971520 0 0 rw /\n";
        assert!(sample.said(btrfs)[0].starts_with("ok"));
        let tmp = at("/", 20 << 20, 900_000, "rw", "/") + &at("/tmp", 300 << 10, 2_000, "rw", "/tmp");
        assert!(sample.said(&tmp)[0].starts_with("ok"), "{:?}", sample.said(&tmp));
    }

    #[test]
    fn read_only_and_noexec() {
        let sample = Sample::new(&Disk, &[Need::place("/srv/shop/venv", Sort::Environment)]);
        let read_only = "at /srv 9 9 9 9 ro,relatime /srv\n";
        let said = sample.said(read_only);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("problem: /srv cannot be written to: /srv is mounted read-only"));
        let of = |path: &str| sample.said(&format!("at {path} 99999999 20971520 0 0 rw,noexec {path}\n"));
        assert!(of("/tmp")[0].starts_with("warning: programs cannot be run from /tmp (noexec)"));
        assert!(of("/srv")[0].starts_with("problem: programs cannot be run from /srv (noexec)"));
        assert!(of("/var")[0].starts_with("ok"));
    }

    #[test]
    fn sizes_and_mounts() {
        assert_eq!([size(300 << 10), size(3 << 19), size(25 << 20)], ["300 MiB", "1.5 GiB", "25 GiB"]);
        assert_eq!(holder("/srv/a", &["/", "/srv", "/sr"]), Some("/srv"));
        assert_eq!(holder("/srvx/a", &["/", "/srv"]), Some("/"));
    }
}
