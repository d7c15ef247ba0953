//! What is to come: whether a host serves what would be deployed now, and how many commits lie between.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::files::DiskFiles;
use crate::cli::release::git::Repo;
use crate::cli::release::revision::{self, Revision};
use crate::spec::model::Host;
use crate::task::releases::look::{Look, is_commit};
use crate::task::releases::name::ReleaseName;
use crate::task::releases::state::State;

/// What a host serves, as far as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// Empty where nothing was deployed.
    pub release: String,
    pub revision: String,
    /// The commit in it, or beneath the changes in it.
    pub commit: Option<String>,
}

/// Where the source of a host comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Git { repo: String, reference: String },
    Folder(String),
}

/// What would be deployed, compared with what a host serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Update {
    pub revision: String,
    /// The branch or tag, or the folder.
    pub of: String,
    /// The same for people.
    #[serde(skip)]
    pub named: String,
    pub pending: bool,
    /// Commits that what serves lacks.
    pub behind: Option<usize>,
    /// Commits that only what serves has.
    pub ahead: Option<usize>,
    /// Why nobody can say how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Served {
    pub fn of(state: &State, look: &Look) -> Served {
        let mark = state.find(&state.current).and_then(|release| release.finished.as_ref());
        let named = ReleaseName::parse(&state.current).map(|name| name.revision().to_owned());
        let marked = mark.map(|mark| mark.revision.clone()).filter(|revision| *revision != state.current);
        let revision = marked.filter(|revision| !revision.is_empty()).or(named).unwrap_or_default();
        let beneath = revision.split("-dirty-").next().filter(|text| is_commit(text)).map(str::to_owned);
        Served { release: state.current.clone(), commit: look.head.clone().or(beneath), revision }
    }

    /// What is as short as the beginning of one may be the digest of a folder.
    pub fn whole_commit(&self) -> Option<&String> {
        self.commit.as_ref().filter(|commit| commit.len() >= 40)
    }

    /// Where a release does not say of which revision it is, its commit does.
    pub fn is(&self, target: &Revision) -> bool {
        let whole = self.revision == target.whole || self.revision == target.short;
        whole || (!self.revision.contains("-dirty-") && self.commit.as_ref() == Some(&target.whole))
    }
}

impl Source {
    pub fn of(host: &Host) -> Source {
        let text = |path: &str| host.vars.text(path).unwrap_or_default().to_owned();
        match text("app.repo") {
            repo if repo.is_empty() => Source::Folder(text("app.source")),
            repo => Source::Git { repo, reference: text("app.ref") },
        }
    }

    fn told(&self) -> &str {
        match self {
            Source::Git { reference, .. } => reference,
            Source::Folder(folder) => folder,
        }
    }
}

/// Looks at each source once, and into each repository once.
pub struct Sources<'a> {
    files: &'a DiskFiles,
    revisions: BTreeMap<Source, Result<Revision, String>>,
    repos: BTreeMap<String, Result<Repo, String>>,
}

impl<'a> Sources<'a> {
    pub fn new(files: &'a DiskFiles) -> Sources<'a> {
        Sources { files, revisions: BTreeMap::new(), repos: BTreeMap::new() }
    }

    /// What would be deployed to this host.
    pub async fn revision(&mut self, host: &Host) -> Result<Revision, String> {
        let source = Source::of(host);
        if let Some(known) = self.revisions.get(&source) {
            return known.clone();
        }
        let found = revision::of(host, self.files).await.map_err(|error| error.to_string());
        self.revisions.entry(source).or_insert(found).clone()
    }

    /// What was found out before.
    pub fn known(&self, source: &Source) -> Option<Revision> {
        self.revisions.get(source)?.clone().ok()
    }

    pub async fn repo(&mut self, source: &Source) -> Result<&Repo, String> {
        let (Source::Git { repo: key, .. } | Source::Folder(key)) = source;
        if !self.repos.contains_key(key) {
            let repo = match source {
                Source::Git { repo, .. } => Repo::clone(repo).await,
                Source::Folder(folder) => self.files.find(folder).map(|folder| Repo::here(&folder)),
            };
            self.repos.insert(key.clone(), repo);
        }
        match self.repos.get(key) {
            Some(Ok(repo)) => Ok(repo),
            Some(Err(why)) => Err(why.clone()),
            None => Err("nobody looked".to_owned()),
        }
    }

    /// Whether this host serves what would be deployed to it.
    pub async fn update(&mut self, host: &Host, served: &Served) -> Result<Update, String> {
        let target = self.revision(host).await?;
        let source = Source::of(host);
        let named = self.named(&source);
        let update = |pending| Update {
            revision: target.whole.clone(),
            of: source.told().to_owned(),
            named: named.clone(),
            pending,
            behind: None,
            ahead: None,
            why: None,
        };
        if served.is(&target) {
            return Ok(Update { behind: Some(0), ahead: Some(0), ..update(false) });
        }
        Ok(match self.distance(&source, served, &target).await {
            Ok((behind, ahead)) => Update { behind: Some(behind), ahead: Some(ahead), ..update(true) },
            Err(why) => Update { why: Some(why), ..update(true) },
        })
    }

    /// For people: a folder such as `..` says little.
    fn named(&self, source: &Source) -> String {
        let Source::Folder(folder) = source else { return source.told().to_owned() };
        let whole = self.files.find(folder).ok().and_then(|path| path.canonicalize().ok());
        let name = whole.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
        format!("the folder {}", name.as_deref().unwrap_or(folder))
    }

    async fn distance(
        &mut self,
        source: &Source,
        served: &Served,
        target: &Revision,
    ) -> Result<(usize, usize), String> {
        let (from, to) = ends(served, target)?;
        let repo = self.repo(source).await?;
        let (from, to) = (repo.commit(&from).await?, repo.commit(&to).await?);
        Ok((repo.count(&from, &to).await?, repo.count(&to, &from).await?))
    }
}

/// The commits to compare: those beneath changes, where there are any.
pub fn ends(served: &Served, target: &Revision) -> Result<(String, String), String> {
    let no_commit = |revision: &str| format!("{revision} is no commit");
    let silent = |release: &str| format!("release {release} does not say which commit it is");
    let from = served.commit.clone().ok_or_else(|| match served.release.as_str() {
        "" => "nothing was deployed".to_owned(),
        release if served.revision.is_empty() || served.revision == release => silent(release),
        _ => no_commit(&served.revision),
    })?;
    let to = target.whole.split("-dirty-").next().unwrap_or_default().to_owned();
    if is_commit(&to) { Ok((from, to)) } else { Err(no_commit(&to)) }
}

#[cfg(test)]
mod tests {
    use super::{Served, ends};
    use crate::cli::release::revision::Revision;
    use crate::task::releases::look::Look;
    use crate::task::releases::state::State;

    fn served(state: &str) -> Served {
        Served::of(&State::parse(state), &Look::default())
    }

    fn revision(whole: &str) -> Revision {
        Revision { short: whole.chars().take(8).collect(), whole: whole.to_owned(), reference: None }
    }

    const COMMIT: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

    #[test]
    fn a_release_says_its_revision_or_its_name_does() {
        let marked = format!("current=42-1a2b3c4d\nrelease=42-1a2b3c4d {{\"revision\":\"{COMMIT}\"}}\n");
        assert_eq!(served(&marked).revision, COMMIT);
        assert!(served(&marked).is(&revision(COMMIT)));
        assert!(served("current=42-1a2b3c4d\n").is(&revision(COMMIT)));
        assert!(!served("current=42-1a2b3c4d\n").is(&revision("ff2b3c4d")));
        let dirty = served("current=42-1a2b3c4d-dirty-00112233\n");
        assert_eq!(dirty.commit.as_deref(), Some("1a2b3c4d"));
        assert!(!dirty.is(&revision(COMMIT)));
        assert!(dirty.is(&revision("1a2b3c4d-dirty-00112233")));
        // The first one has no revision; git has left its own sign.
        let first = "current=1\nrelease=1 {\"revision\":\"1\"}\n";
        assert_eq!(served(first).commit, None);
        let look = Look { head: Some(COMMIT.to_owned()), ..Look::default() };
        assert!(Served::of(&State::parse(first), &look).is(&revision(COMMIT)));
    }

    #[test]
    fn what_is_no_commit_cannot_be_counted_from() {
        let target = revision(&format!("{COMMIT}-dirty-00112233"));
        assert_eq!(ends(&served("current=1-1a2b3c4d\n"), &target).unwrap().1, COMMIT);
        assert_eq!(ends(&served(""), &target).unwrap_err(), "nothing was deployed");
        assert_eq!(
            ends(&served("current=1\n"), &target).unwrap_err(),
            "release 1 does not say which commit it is"
        );
        assert_eq!(ends(&served("current=1-x\n"), &target).unwrap_err(), "x is no commit");
    }
}
