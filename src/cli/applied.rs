//! What was applied from here: for each host and task a digest of all that the task asked for, and which run did it. Kept
//! in the user's state folder, so that `tow drift` can tell a changed host from a changed playbook.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::cli::state;
use crate::engine::Ledger;
use crate::report::private::{private_file, private_folder};
use crate::spec::model::{Connection, Host};
use crate::task::releases::name::ReleaseName;
use crate::words::content::Digest;
use crate::words::event::{Outcome, TaskRef};
use crate::words::names::HostName;

/// So many tasks are remembered of a host; those applied longest ago go.
const KEPT: usize = 4000;

/// Of one host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    /// Mixed into all digests, so that nobody can try passwords against one.
    salt: String,
    /// By digests too: a name may have a secret in it.
    tasks: BTreeMap<String, Mark>,
}

/// Of the tasks with one name: a loop has several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    digests: Vec<String>,
    pub run: String,
    /// When that run ended, in milliseconds since 1970.
    pub at: i64,
}

/// What a task asked for, and by which name it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    key: String,
    digest: Digest,
}

impl Wish {
    /// Tasks of a release belong to that release alone; those of an included playbook to that file.
    pub fn of(task: &TaskRef, wanted: &str) -> Wish {
        let file = task.origin.rsplit_once(':').map_or(task.origin.as_str(), |(file, _)| file);
        let file = file.rsplit('/').next().unwrap_or_default();
        let release = release_in(wanted).unwrap_or_default();
        let key = [file, &task.stage, &task.task, &task.kind, &release].join("\n");
        Wish { key, digest: Digest::of(wanted.as_bytes()) }
    }
}

/// The release that a task speaks of: as a folder, as a unit, or by its name.
fn release_in(wanted: &str) -> Option<String> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    let named = |found: &str| {
        let name = found.split(ends).next().unwrap_or_default();
        let unit = [".service", ".socket", ".timer"].iter().find_map(|end| name.strip_suffix(end));
        ReleaseName::parse(unit.unwrap_or(name)).map(|name| name.to_string())
    };
    let marks = ["/releases/", "release: \"", "@"];
    marks.iter().find_map(|mark| wanted.split(mark).skip(1).find_map(named))
}

impl Record {
    /// What is known of this host.
    pub fn of(host: &Host) -> Record {
        place(host).and_then(|path| std::fs::read(path).ok()).map(|bytes| parse(&bytes)).unwrap_or_default()
    }

    pub fn mark(&self, wish: &Wish) -> Option<&Mark> {
        self.tasks.get(&self.salted(&wish.key))
    }

    /// Whether the very same was applied.
    pub fn is_same(&self, mark: &Mark, wish: &Wish) -> bool {
        mark.digests.contains(&self.salted(wish.digest.as_str()))
    }

    fn salted(&self, text: &str) -> String {
        Digest::of(format!("{}\n{text}", self.salt).as_bytes()).as_str().to_owned()
    }

    fn add(&mut self, wishes: &[Wish], run: &str, at: i64) {
        if self.salt.is_empty() {
            self.salt = format!("{:032x}", rand::random::<u128>());
        }
        let mut marks: BTreeMap<String, Mark> = BTreeMap::new();
        for wish in wishes {
            let mark = Mark { digests: vec![], run: run.to_owned(), at };
            let digest = self.salted(wish.digest.as_str());
            marks.entry(self.salted(&wish.key)).or_insert(mark).digests.push(digest);
        }
        self.tasks.extend(marks);
        if self.tasks.len() > KEPT {
            let mut times: Vec<i64> = self.tasks.values().map(|mark| mark.at).collect();
            times.sort_unstable();
            let oldest = times[times.len() - KEPT];
            self.tasks.retain(|_, mark| mark.at >= oldest);
        }
    }
}

fn parse(bytes: &[u8]) -> Record {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// By what the host is called and where it is: another inventory may mean the same.
fn place(host: &Host) -> Option<PathBuf> {
    let at = match &host.connection {
        Connection::Local { .. } => "local".to_owned(),
        Connection::Ssh(ssh) => format!("{}:{}", ssh.address, ssh.port.unwrap_or(0)),
    };
    let name = Digest::of(format!("{}\n{at}", host.name).as_bytes());
    Some(state::folder()?.join("applied").join(format!("{}.json", name.short())))
}

/// Listens to a run, and writes down what it applied.
#[derive(Debug)]
pub struct Applied {
    run: String,
    hosts: BTreeMap<HostName, (Option<PathBuf>, Mutex<Heard>)>,
}

#[derive(Debug, Default)]
struct Heard {
    wanted: BTreeMap<TaskRef, Wish>,
    done: Vec<Wish>,
}

impl Applied {
    pub fn new(run: &str, hosts: &[Host]) -> Applied {
        let heard = |host: &Host| (host.name.clone(), (place(host), Mutex::default()));
        Applied { run: run.to_owned(), hosts: hosts.iter().map(heard).collect() }
    }

    /// Nothing depends on it but what `tow drift` can say: where it cannot be written, it is not.
    pub fn write(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        for (path, heard) in self.hosts.values() {
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(path) = path.as_ref().filter(|_| !heard.done.is_empty()) {
                let _ = add(path, &heard.done, &self.run, i64::try_from(now).unwrap_or(i64::MAX));
            }
        }
    }

    fn with(&self, task: &TaskRef, act: impl FnOnce(&mut Heard)) {
        if let Some((_, heard)) = self.hosts.get(&task.host) {
            act(&mut heard.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

fn add(path: &Path, wishes: &[Wish], run: &str, at: i64) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    private_folder(folder)?;
    // The file itself is replaced each time, and cannot be what is locked.
    let lock = private_file(&folder.join("lock"))?;
    lock.lock()?;
    let mut record = std::fs::read(path).map(|bytes| parse(&bytes)).unwrap_or_default();
    record.add(wishes, run, at);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &record)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

impl Ledger for Applied {
    fn wanted(&self, task: &TaskRef, wanted: &str) {
        self.with(task, |heard| {
            heard.wanted.insert(task.clone(), Wish::of(task, wanted));
        });
    }

    fn ended(&self, task: &TaskRef, outcome: &Outcome) {
        self.with(task, |heard| {
            let wish = heard.wanted.remove(task);
            if !matches!(outcome, Outcome::Failed { .. } | Outcome::Skipped { .. }) {
                heard.done.extend(wish);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, Wish, release_in};
    use crate::words::event::TaskRef;
    use crate::words::names::HostName;

    fn wish(task: &str, wanted: &str) -> Wish {
        let task = TaskRef {
            host: HostName::new("web1").unwrap(),
            stage: "site".into(),
            index: 0,
            task: task.into(),
            kind: "file".into(),
            origin: "playbooks/site.toml:12".into(),
        };
        Wish::of(&task, wanted)
    }

    #[test]
    fn what_was_applied_is_known_again() {
        let mut record = Record::default();
        record.add(&[wish("a", "1"), wish("a", "2"), wish("b", "x")], "r1", 10);
        let mark = record.mark(&wish("a", "3")).unwrap();
        assert!(record.is_same(mark, &wish("a", "2")) && !record.is_same(mark, &wish("a", "3")));
        assert!(record.mark(&wish("c", "1")).is_none());
        record.add(&[wish("a", "3")], "r2", 20);
        let mark = record.mark(&wish("a", "3")).unwrap();
        assert_eq!((mark.run.as_str(), mark.at), ("r2", 20));
        assert!(record.is_same(mark, &wish("a", "3")) && !record.is_same(mark, &wish("a", "2")));
        assert_eq!(record.mark(&wish("b", "x")).unwrap().run, "r1");
    }

    #[test]
    fn tasks_of_a_release_are_its_own_and_no_digest_can_be_guessed() {
        for (wanted, release) in [
            ("Git { repo: \"git@example.com:x\", dest: \"/srv/shop/releases/7-abc/src\" }", Some("7-abc")),
            ("SystemdUnit { name: \"shop@7-abc.service\" }", Some("7-abc")),
            ("ReleaseSwitch { release: \"7-abc\" }", Some("7-abc")),
            ("Directory { path: \"/srv/shop/releases\" } git@example.com", None),
        ] {
            assert_eq!(release_in(wanted).as_deref(), release, "{wanted}");
        }
        assert_ne!(wish("a", "/releases/7-abc/x").key, wish("a", "/srv/x").key);
        let (mut one, mut two) = (Record::default(), Record::default());
        one.add(&[wish("a", "password")], "r", 1);
        two.add(&[wish("a", "password")], "r", 1);
        assert_ne!(one.tasks, two.tasks);
    }
}
