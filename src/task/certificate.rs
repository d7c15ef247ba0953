//! `certificate`: a certificate from an ACME authority, by certbot.

mod request;

use serde::Deserialize;

use crate::task::certificate::request::{Found, Request, parse};
use crate::task::common::{none_if_empty, one_or_many};
use crate::task::place::fresh;
use crate::task::systemd_unit::files::joined;
use crate::task::write::{Target, Wanted, content_probes, plan_content};
use crate::task::need::{self, Need};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command, Detached, Owner};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe};
use crate::words::names::{FileMode, RemotePath};
use crate::words::step::{Change, Step};

/// Gets a certificate from Let's Encrypt or another ACME authority, by certbot and a folder that the web server already
/// serves over plain HTTP. It acts when there is none, when it is for other names or from another authority, or when
/// certbot's own timer, which renews it, has let it come close to its end (a sixth of its lifetime).
///
/// Authorities count failures, so: the host first asks its own web server for a file in the webroot; a first
/// certificate of Let's Encrypt is tried on its staging server; and after three failures within an hour nothing is
/// asked any more until that hour is over.
///
/// The files are `/etc/letsencrypt/live/NAME/fullchain.pem` and `privkey.pem`.
///
/// ```toml
/// certificate = { domains = ["shop.example.com", "www.shop.example.com"], webroot = "/var/www/acme", email = "me@example.com", deploy_hook = "nginx -t && systemctl reload nginx" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The names that it is for; the first one names it. No wildcards: those cannot be had over HTTP.
    #[serde(deserialize_with = "one_or_many")]
    domains: Vec<String>,
    /// What certbot calls it; else the first domain.
    name: Option<String>,
    /// The folder whose `.well-known/acme-challenge` every domain serves on port 80.
    webroot: RemotePath,
    /// Where the authority may write to; without it, or with `""`, nobody is warned.
    #[serde(default, deserialize_with = "none_if_empty")]
    email: Option<String>,
    /// Takes it from Let's Encrypt's staging server, whose certificates no browser trusts, for trying out.
    #[serde(default)]
    staging: bool,
    /// Another authority, by the address of its directory; `""` is none.
    #[serde(default, deserialize_with = "none_if_empty")]
    server: Option<String>,
    /// A file on the host with the authority's own root certificate, for HTTPS to `server`.
    ca: Option<RemotePath>,
    /// A shell line that runs whenever the certificate is new, such as `"nginx -t && systemctl reload nginx"`. Where it
    /// failed, or a run was lost before it, the next run runs it.
    deploy_hook: Option<String>,
    /// certbot's folder (default `"/etc/letsencrypt"`).
    folder: Option<RemotePath>,
    /// The port on which the host asks its own web server first (default 80); 0 leaves that out.
    #[serde(default = "eighty")]
    check_port: u16,
    #[serde(skip)]
    hook: Option<(RemotePath, Wanted)>,
}

fn eighty() -> u16 {
    80
}

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
/// Let's Encrypt allows five in an hour.
const MOST_FAILURES: usize = 3;

fn check_domain(domain: &str) -> Result<(), String> {
    let label = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if domain.starts_with("*.") {
        return Err(format!("{domain}: a wildcard cannot be had over HTTP; name the domains one by one"));
    }
    let is_address = domain.split('.').all(|part| part.chars().all(|c| c.is_ascii_digit()));
    if domain.len() > 253 || is_address || !domain.contains('.') || !domain.split('.').all(label) {
        return Err(format!("{domain:?} is not a domain: write it in lower case, such as shop.example.com"));
    }
    Ok(())
}

impl Certificate {
    fn name(&self) -> &str {
        self.name.as_deref().or(self.domains.first().map(String::as_str)).unwrap_or_default()
    }

    fn folder(&self) -> &str {
        self.folder.as_ref().map_or("/etc/letsencrypt", RemotePath::as_str)
    }

    fn server(&self) -> &str {
        self.server.as_deref().unwrap_or(if self.staging { STAGING } else { LETS_ENCRYPT })
    }

    fn request(&self) -> Request<'_> {
        Request {
            name: self.name(),
            domains: &self.domains,
            webroot: &self.webroot,
            email: self.email.as_deref(),
            server: self.server(),
            ca: self.ca.as_ref(),
            folder: self.folder(),
            is_own_folder: self.folder.is_some(),
            hook: self.hook.as_ref().map(|(path, _)| path),
            check_port: self.check_port,
        }
    }

    fn failed(&self) -> Error {
        Error::failed(format!("cannot get a certificate for {}", self.domains.join(", ")))
    }

    fn obstacle(&self, found: &Found) -> Option<Error> {
        if !found.has_certbot {
            return Some(self.failed().cause("there is no certbot on this host").hint(
                "put a task before it that installs it: package = \"certbot\"",
            ));
        }
        if found.failures < MOST_FAILURES {
            return None;
        }
        let minutes = (found.wait + 59) / 60;
        Some(self.failed().cause(format!("the authority refused it {} times within the last hour", found.failures)).hint(
            format!("nothing was asked this time, since authorities shut out who asks too often: mend the cause (/var/log/letsencrypt has it), and run again in {minutes} minutes; or try with staging = true"),
        ))
    }

    /// Why it has to be asked for, where it has to.
    fn need(&self, found: &Found) -> Option<String> {
        let Some(there) = &found.certificate else { return Some("there is none yet".to_owned()) };
        let mut wanted: Vec<&str> = self.domains.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if there.names != wanted {
            return Some(format!("the one there is for {}", there.names.join(", ")));
        }
        if found.server.as_deref().is_some_and(|server| server != self.server()) {
            return Some(format!("the one there is from {}", found.server.as_deref().unwrap_or_default()));
        }
        there.is_due().then(|| format!("the one there ends in {}, and nobody renewed it", there.left()))
    }

    /// What is left to do for a certificate that is good.
    fn good(&self, found: Found, change: Change) -> Step {
        let name = self.name();
        if found.is_hook_owed && self.hook.is_some() {
            let command = Command::shell(self.request().deploy()).label(format!("the deploy hook of {name}"));
            let what = format!("run the deploy hook of {name}, which a run before did not come to");
            // Nobody can foretell that nothing is owed any more: it is asked again.
            return Step::effects(change.what(what).action(Action::Run(command)));
        }
        let left = found.certificate.map(|there| there.left()).unwrap_or_default();
        let already = format!("the certificate {name} is good for {left}");
        if change.is_empty() { Step::already(already) } else { Step::Change(change) }
    }

    /// The hook's file, and the folders above it that are not there yet.
    fn hook_change(&self, facts: &Facts) -> Result<Change> {
        let (mut change, mut after) = (Change::default(), facts.clone());
        let Some((path, wanted)) = &self.hook else { return Ok(change) };
        for folder in self.hook_folders() {
            if after.path(&folder)?.is_some() {
                continue;
            }
            let mode = FileMode(0o755);
            let stat = fresh(NodeKind::Dir, mode, &folder, &after);
            let action = Action::MakeDir { path: folder.clone(), mode: Some(mode), owner: Owner::default() };
            change = change.action(action).predict_dir(&folder, stat);
            after.apply(&change.predicts);
        }
        let target = Target { path, mode: Some(FileMode(0o755)), owner: Owner::default() };
        Ok(match plan_content(&target, wanted, &after)? {
            Step::Change(hook) | Step::Unknown(hook) => joined(change, hook),
            Step::Already { .. } => change,
        })
    }

    /// `renewal-hooks/deploy` is certbot's own; it makes the folder when it first runs.
    fn hook_folders(&self) -> Vec<RemotePath> {
        let Some((path, _)) = &self.hook else { return vec![] };
        let mut folders: Vec<RemotePath> = std::iter::successors(path.parent(), RemotePath::parent).take(3).collect();
        folders.reverse();
        folders
    }
}

impl Task for Certificate {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        if self.domains.is_empty() {
            return Err(Mistake::new("domains", "there is no domain"));
        }
        for domain in &self.domains {
            check_domain(domain).map_err(|why| Mistake::new("domains", why))?;
        }
        if let Some(name) = &self.name {
            check_domain(&format!("{name}.x")).map_err(|_| Mistake::new("name", format!("{name:?} is not a name for a certificate")))?;
        }
        if self.staging && self.server.is_some() {
            return Err(Mistake::new("staging", "`staging` and `server` exclude each other"));
        }
        if self.email.as_ref().is_some_and(|email| !email.contains('@') || email.starts_with('-')) {
            return Err(Mistake::new("email", "this is not an e-mail address"));
        }
        if self.server.as_ref().is_some_and(|server| !server.starts_with("https://")) {
            return Err(Mistake::new("server", "the address of an ACME directory begins with https://"));
        }
        if let Some(hook) = &self.deploy_hook {
            let path = RemotePath::new(format!("{}/renewal-hooks/deploy/{}", self.folder(), self.name()));
            let text = request::hook(self.folder(), self.name(), hook);
            let wanted = Wanted { content: Content::text(text), secret: false };
            self.hook = Some((path.map_err(|why| Mistake::new("folder", why))?, wanted));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let certificate = need::Certificate {
            name: self.name().to_owned(),
            folder: self.folder().to_owned(),
            domains: self.domains.clone(),
            email: self.email.clone(),
            is_public: self.server() == LETS_ENCRYPT,
            authority: [LETS_ENCRYPT, STAGING].contains(&self.server()).then_some("letsencrypt.org"),
        };
        let authority = Need::server(self.server(), "the certificate authority");
        [Need::Certificate(certificate), Need::Root].into_iter().chain(authority).collect()
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![self.request().probe()];
        if let Some((path, _)) = &self.hook {
            probes.extend(content_probes(path));
        }
        probes.extend(self.hook_folders().into_iter().map(Probe::Path));
        probes
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let request = self.request();
        let found = parse(&facts.output(&request.probe())?.stdout);
        let need = self.need(&found);
        if let Some(error) = self.obstacle(&found).filter(|_| need.is_some()) {
            return Err(error);
        }
        let change = self.hook_change(facts)?;
        let Some(why) = need else { return Ok(self.good(found, change)) };
        let what = format!("get a certificate for {}: {why}", self.domains.join(", "));
        let is_rehearsed = found.certificate.is_none() && self.server() == LETS_ENCRYPT;
        let command = Command::shell(request.script(is_rehearsed))
            .label(format!("certbot certonly --cert-name {}", self.name()))
            .detached(Detached::WhileItRuns);
        Ok(Step::effects(change.what(what).action(Action::Run(command))))
    }
}
