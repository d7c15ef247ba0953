//! Which commit a branch, tag or short id means, by what the remote says.

use crate::task::git::{Checkout, Git, Remote, script};
use crate::words::error::{Error, Result};

impl Git {
    /// The commit to be at; `None` for a short id that only a fetch can resolve.
    pub(super) fn target(&self, checkout: &Checkout) -> Result<Option<String>> {
        if let Some(commit) = self.full_commit() {
            return Ok(Some(commit.to_ascii_lowercase()));
        }
        let refs = match &checkout.remote {
            Remote::Refs(refs) => refs,
            Remote::NotAsked => return Ok(checkout.local.clone()),
            Remote::Failed(output) => return Err(self.unreachable(output)),
        };
        let wanted = self.reference.as_deref().unwrap_or("HEAD");
        // A branch wins over a tag of the same name; `^{}` is the commit behind an annotated tag.
        let names = [
            wanted.to_owned(),
            format!("refs/heads/{wanted}"),
            format!("refs/tags/{wanted}^{{}}"),
            format!("refs/tags/{wanted}"),
        ];
        let found = names.iter().find_map(|name| refs.iter().find(|(reference, _)| reference == name));
        match found {
            Some((_, commit)) => Ok(Some(commit.clone())),
            None if self.short_commit().is_some() => Ok(checkout.local.clone()),
            None => Err(Error::failed(format!("cannot check out {wanted} of {}", self.repo))
                .cause("the repository has no branch and no tag of that name")
                .hint("see what it has: git ls-remote --heads --tags, with its address")),
        }
    }

    fn unreachable(&self, output: &[String]) -> Error {
        let said = output.join("\n");
        let hint = if said.contains("Permission denied") || said.contains("Authentication failed") || said.contains("could not read Username") {
            "give a deploy key with `key`, or an access token with `token`"
        } else if said.contains("Host key verification failed") {
            "the server's key is not the known one: compare it, then correct `known_hosts`"
        } else if said.contains("incorrect passphrase") || said.contains("error in libcrypto") {
            "the deploy key must be a private key without a passphrase"
        } else {
            "try the same on the host: git ls-remote, with the address"
        };
        Error::failed(format!("cannot reach {}", self.repo))
            .cause(script::reason(output).unwrap_or("git ls-remote failed"))
            .hint(hint)
            .output(output.to_vec())
    }
}
