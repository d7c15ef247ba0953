//! What the shell answered to the probes, as facts. Pure: bytes in, facts out.

use std::collections::{BTreeMap, HashMap};

use crate::words::content::Digest;
use crate::words::error::{Error, Result};
use crate::words::fact::{Fact, HostFacts, NodeKind, Output, PathFact, Probe, Stat, TreeFact, UserFact};
use crate::words::names::FileMode;

/// A marker and the data that followed it.
pub type Answer = (String, Vec<u8>);

/// What the shell says first.
pub struct Hello {
    pub host: HostFacts,
    pub tmp: String,
    /// Of the shell itself.
    pub pid: String,
    /// Root acts there, and systemd.
    pub detaches: bool,
    /// Which start of the host this is.
    pub boot: String,
    /// When the shell began, in ticks of that start.
    pub born: String,
}

/// The lines behind the marker `h`.
pub fn hello(text: &str) -> Hello {
    let mut lines = text.lines();
    let uname: Vec<&str> = lines.next().unwrap_or("").split(' ').collect();
    let mut next = || lines.next().unwrap_or("").to_owned();
    let (user, home, tmp, pid, detaches) = (next(), next(), next(), next(), next() == "detaches");
    let (boot, stat) = (next(), next());
    let release: HashMap<&str, &str> = lines
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key, value.trim_matches(['"', '\''])))
        .collect();
    let of = |key: &str| release.get(key).copied().unwrap_or("").to_owned();
    let kernel = uname.first().copied().unwrap_or("").to_owned();
    let id = if release.contains_key("ID") { of("ID") } else { kernel.to_lowercase() };
    let like_debian = id == "debian" || of("ID_LIKE").split(' ').any(|like| like == "debian");
    let host = HostFacts {
        family: if like_debian { "debian".into() } else { id.clone() },
        id,
        version: of("VERSION_ID"),
        codename: of("VERSION_CODENAME"),
        arch: uname.last().copied().unwrap_or("").to_owned(),
        kernel,
        user,
        home,
        hostname: uname.get(1).copied().unwrap_or("").to_owned(),
    };
    // They will stand in scripts.
    let number =
        |text: &str| if text.bytes().all(|b| b.is_ascii_digit()) { text.to_owned() } else { String::new() };
    let born =
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19)).unwrap_or_default();
    Hello { host, tmp, pid: number(&pid), detaches, boot, born: number(born) }
}

/// Facts for `probes` from the answers to `script::probes(probes)`.
pub fn parse(probes: &[Probe], answers: &[Answer]) -> Result<Vec<Fact>> {
    // Silence about paths would look like a host on which nothing exists.
    let silent = |mark: &str, path: fn(&Probe) -> bool| {
        probes.iter().any(path) && !answers.iter().any(|(given, _)| given == mark)
    };
    if silent("s", |probe| matches!(probe, Probe::Path(_)))
        || silent("d", |probe| matches!(probe, Probe::Digest(_)))
    {
        return Err(Error::unreachable("the host left the questions about paths without an answer")
            .hint("check that /bin/sh, find and stat work there"));
    }
    let mut paths = Paths::default();
    let mut single: HashMap<(char, usize), (&[u8], &str)> = HashMap::new();
    for (mark, data) in answers {
        let mut words = mark.splitn(3, ' ');
        match (
            words.next().and_then(|word| word.chars().next()),
            words.next().and_then(|index| index.parse().ok()),
        ) {
            (Some('s'), _) => paths.stats(data),
            (Some('S'), _) => paths.denials(data),
            (Some('d'), _) => paths.digests.extend(digests(data)),
            (Some(kind), Some(index)) => {
                single.insert((kind, index), (data, words.next().unwrap_or("")));
            }
            _ => {}
        }
    }
    probes.iter().enumerate().map(|(index, probe)| fact(index, probe, &paths, &single)).collect()
}

fn fact(
    index: usize,
    probe: &Probe,
    paths: &Paths,
    single: &HashMap<(char, usize), (&[u8], &str)>,
) -> Result<Fact> {
    let of = |kind: char| {
        single.get(&(kind, index)).copied().ok_or_else(|| {
            Error::unreachable(format!("the host left a question without an answer: {probe:?}"))
        })
    };
    Ok(match probe {
        Probe::Path(path) => Fact::Path(paths.fact(path.as_str())),
        Probe::Digest(path) => Fact::Digest(paths.digests.get(path.as_str()).cloned()),
        Probe::Content(_) => {
            let (data, _) = of('c')?;
            let content = data.split_first().map(|(_, content)| content.to_vec());
            Fact::Content(content.filter(|content| content.len() <= 1 << 20))
        }
        Probe::Tree(path) => {
            let ((listing, _), (sums, _)) = (of('t')?, of('T')?);
            Fact::Tree(listing.split_first().map(|(_, listing)| tree(listing, sums, path.as_str())))
        }
        Probe::User(_) => Fact::User(user(&text(of('u')?.0), &text(of('U')?.0))),
        Probe::Shell { .. } => {
            let (stdout, (_, code)) = (text(of('x')?.0), of('y')?);
            Fact::Output(Output { code: code.parse().unwrap_or(-1), stdout })
        }
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[derive(Default)]
struct Paths {
    stats: HashMap<String, Stat>,
    denied: Vec<String>,
    digests: HashMap<String, Digest>,
}

impl Paths {
    /// Records of `type mode owner group size path NUL target NUL`.
    fn stats(&mut self, data: &[u8]) {
        for record in data.split(|&b| b == 0).collect::<Vec<_>>().chunks_exact(2) {
            let head = text(record[0]);
            let words: Vec<&str> = head.splitn(6, ' ').collect();
            let [node, mode, owner, group, size, path] = words[..] else { continue };
            let stat = Stat {
                node: node_kind(node, record[1]),
                mode: FileMode(u32::from_str_radix(mode, 8).unwrap_or(0)),
                owner: owner.to_owned(),
                group: group.to_owned(),
                size: size.parse().unwrap_or(0),
            };
            self.stats.insert(path.to_owned(), stat);
        }
    }

    fn denials(&mut self, data: &[u8]) {
        let lines = text(data);
        self.denied
            .extend(lines.lines().filter(|line| line.contains("Permission denied")).map(ToOwned::to_owned));
    }

    fn fact(&self, path: &str) -> PathFact {
        match self.stats.get(path) {
            Some(stat) => PathFact::Present(stat.clone()),
            None if self
                .denied
                .iter()
                .any(|line| line.contains(&format!("{path}'")) || line.contains(&format!("{path}’"))) =>
            {
                PathFact::Denied
            }
            None => PathFact::Absent,
        }
    }
}

fn node_kind(letter: &str, target: &[u8]) -> NodeKind {
    match letter {
        "f" => NodeKind::File,
        "d" => NodeKind::Dir,
        "l" => NodeKind::Link { target: text(target) },
        _ => NodeKind::Other,
    }
}

/// `digest  path`, a leading backslash where the path is escaped.
fn digests(data: &[u8]) -> Vec<(String, Digest)> {
    let line = |line: &str| {
        let (escaped, line) = line.strip_prefix('\\').map_or((false, line), |line| (true, line));
        let (digest, path) = line.split_once("  ")?;
        let path = if escaped { path.replace("\\n", "\n").replace("\\\\", "\\") } else { path.to_owned() };
        Some((path, Digest::parse(digest)?))
    };
    text(data).lines().filter_map(line).collect()
}

fn tree(listing: &[u8], sums: &[u8], root: &str) -> BTreeMap<String, TreeFact> {
    let root = format!("{}/", root.trim_end_matches('/'));
    let sums: HashMap<String, Digest> = digests(sums)
        .into_iter()
        .filter_map(|(path, digest)| {
            Some((path.strip_prefix(&root)?.trim_start_matches('/').to_owned(), digest))
        })
        .collect();
    let mut entries = BTreeMap::new();
    for record in listing.split(|&b| b == 0).collect::<Vec<_>>().chunks_exact(2) {
        let head = text(record[0]);
        let words: Vec<&str> = head.splitn(3, ' ').collect();
        let [node, mode, path] = words[..] else { continue };
        let executable = u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o100 != 0);
        let entry = match node_kind(node, record[1]) {
            NodeKind::Dir => TreeFact::Dir,
            NodeKind::Link { target } => TreeFact::Link { target },
            // A file that cannot be read, a socket: never equal to what is wanted.
            _ => match sums.get(path) {
                Some(digest) => TreeFact::File { digest: digest.clone(), executable },
                None => TreeFact::File { digest: Digest::of(b"unreadable"), executable },
            },
        };
        entries.insert(path.to_owned(), entry);
    }
    entries
}

fn user(passwd: &str, groups: &str) -> Option<UserFact> {
    let fields: Vec<&str> = passwd.lines().next()?.split(':').collect();
    let [_, _, uid, gid, comment, home, shell] = fields[..] else { return None };
    Some(UserFact {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.to_owned(),
        shell: shell.to_owned(),
        comment: comment.to_owned(),
        groups: groups.split_whitespace().map(ToOwned::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::{hello, user};

    #[test]
    fn ubuntu_is_of_the_debian_family() {
        let hello = hello(
            "Linux web1 x86_64\nroot\n/root\n/tmp\n77\ndetaches\nb00t\n77 (sh (1)) S 1 77 77 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 2600000\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n",
        );
        assert_eq!(
            (hello.host.family.as_str(), hello.host.version.as_str(), hello.host.hostname.as_str()),
            ("debian", "24.04", "web1")
        );
        assert_eq!((hello.tmp.as_str(), hello.pid.as_str(), hello.detaches), ("/tmp", "77", true));
        assert_eq!((hello.boot.as_str(), hello.born.as_str()), ("b00t", "4242"));
    }

    #[test]
    fn an_account_that_is_not_there_is_none() {
        assert_eq!(user("", ""), None);
        assert_eq!(
            user("app:x:998:997::/srv/app:/bin/sh\n", "app www-data\n").unwrap().groups,
            ["app", "www-data"]
        );
    }
}
