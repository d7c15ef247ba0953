//! What would be deployed: the commit that a ref of the repository points to, or the state of a folder here.

use crate::cli::files::DiskFiles;
use crate::cli::files::revision::short;
use crate::cli::release::git::git;
use crate::spec::model::Host;
use crate::task::releases::look::is_commit;
use crate::words::content::Files as _;
use crate::words::error::{Error, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// For the name of the release.
    pub short: String,
    pub whole: String,
    /// The very commit for every host; `None` for a folder here.
    pub reference: Option<String>,
}

pub async fn of(host: &Host, files: &DiskFiles) -> Result<Revision> {
    let text = |path: &str| host.vars.text(path).unwrap_or_default();
    if !text("app.repo").is_empty() {
        return remote(text("app.repo"), text("app.ref")).await;
    }
    let source = text("app.source");
    files.find(source).map_err(|why| {
        Error::config("there is no source to deploy")
            .cause(why)
            .hint("set `app.source` or `app.repo` in the inventory")
    })?;
    let whole = files.revision(source).map_err(|why| Error::config("cannot read the source").cause(why))?;
    Ok(Revision { short: short(&whole), whole, reference: None })
}

/// A ref means something only where there is a repository to ask.
pub fn of_repository(host: &Host, reference: &str) -> Result<()> {
    if !host.vars.text("app.repo").unwrap_or_default().is_empty() {
        return Ok(());
    }
    let source = host.vars.text("app.source").unwrap_or_default();
    Err(Error::config(format!("--ref {reference} needs a repository"))
        .cause(format!(
            "`app.repo` is empty: the application is sent from the folder {source}, as it is there"
        ))
        .hint(format!(
            "git checkout {reference} there and leave --ref out, or set `app.repo` in the inventory"
        )))
}

async fn remote(repo: &str, reference: &str) -> Result<Revision> {
    let cannot = || Error::failed(format!("cannot find out what {reference} is in {repo}"));
    let listed = git(&["ls-remote", "--", repo]).await.map_err(|why| {
        cannot()
            .cause(why)
            .hint("this machine asks, without the checkout: it needs to reach the repository too")
    })?;
    let commit = pointed(&listed, reference).or_else(|| is_commit(reference).then(|| reference.to_owned()));
    let commit = commit.ok_or_else(|| {
        cannot()
            .cause("it has no such branch or tag")
            .hint(format!("see what there is: git ls-remote {repo}"))
    })?;
    Ok(Revision { short: commit.chars().take(8).collect(), whole: commit.clone(), reference: Some(commit) })
}

/// What `git ls-remote` says of a branch, a tag (the commit behind it) or a whole name, in this order.
fn pointed(listed: &str, reference: &str) -> Option<String> {
    let names = [
        format!("refs/heads/{reference}"),
        format!("refs/tags/{reference}^{{}}"),
        format!("refs/tags/{reference}"),
        reference.to_owned(),
    ];
    let found =
        |name: &String| listed.lines().find_map(|line| line.strip_suffix(name.as_str())?.strip_suffix('\t'));
    names.iter().find_map(found).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::pointed;
    use crate::task::releases::look::is_commit;

    #[test]
    fn a_ref_is_a_branch_then_a_tag_then_a_whole_name() {
        let listed =
            "a1\tHEAD\nb2\trefs/heads/main\nc3\trefs/heads/x/main\nd4\trefs/tags/v1\ne5\trefs/tags/v1^{}\n";
        let is = |name: &str| pointed(listed, name);
        assert_eq!(is("main").as_deref(), Some("b2"));
        assert_eq!(is("v1").as_deref(), Some("e5"));
        assert_eq!(is("HEAD").as_deref(), Some("a1"));
        assert_eq!(is("refs/heads/main").as_deref(), Some("b2"));
        assert_eq!(is("ain"), None);
        assert!(is_commit("0a1b2c3") && !is_commit("main") && !is_commit("0a1b"));
    }
}
