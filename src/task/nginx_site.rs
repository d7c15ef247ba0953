//! `nginx_site`: a site of nginx, kept only when nginx accepts the whole configuration with it.

mod change;
pub mod script;

use serde::Deserialize;

use crate::task::nginx_site::script::owed;
use crate::task::place::needs_parent;
use crate::task::systemd_unit::files::rendered;
use crate::task::write::{Wanted, content_probes, refuse_unless_file};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::Action;
use crate::words::content::{Content, Digest};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe};
use crate::words::names::RemotePath;
use crate::words::shell::quote;
use crate::words::step::Step;

/// Writes a site to `sites-available`, links it into `sites-enabled` and reloads nginx. nginx tests the whole
/// configuration with the new site first, on a copy, and again once it is in place: if it refuses, everything is as
/// it was, byte for byte, nothing is reloaded, and what was served goes on being served. A reload that a lost run still
/// owes is made up for by the next one.
///
/// The text can be a file on the host, such as the site that a release brings along. Where that file is not there, a
/// site that is served stays as it is.
///
/// ```toml
/// nginx_site = { name = "shop", src = "nginx-site.conf.hbs" }
/// nginx_site = { name = "shop", from = "/srv/shop/current/site" }
/// nginx_site = { name = "default", enabled = false }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NginxSite {
    /// The name of its file.
    name: String,
    /// Its text.
    content: Option<String>,
    /// A template on the operator's side, rendered with the host's variables.
    src: Option<String>,
    /// A file on the host that has its text.
    from: Option<RemotePath>,
    /// Only tests it: nothing changes. Certificates that a new site names and that are still to come have a stand-in.
    #[serde(default)]
    trial: bool,
    /// Whether nginx serves it (default `true`); `false` removes the link and keeps the file.
    #[serde(default = "yes")]
    enabled: bool,
    /// Removes the link and the file.
    #[serde(default)]
    absent: bool,
    /// Where nginx keeps its configuration (default `"/etc/nginx"`).
    folder: Option<RemotePath>,
    #[serde(skip)]
    wanted: Option<Wanted>,
    #[serde(skip)]
    places: Option<Places>,
}

/// The paths that this site is about.
#[derive(Clone, Debug)]
struct Places {
    file: RemotePath,
    link: RemotePath,
}

/// What differs from what is wanted.
#[derive(Clone, Copy, Debug)]
struct Differs {
    content: bool,
    link: bool,
    /// A run ended between the change and the reload.
    reload: bool,
}

impl Differs {
    fn is_none(self) -> bool {
        !self.content && !self.link && !self.reload
    }
}

fn yes() -> bool {
    true
}

impl NginxSite {
    fn folder(&self) -> &str {
        self.folder.as_ref().map_or("/etc/nginx", RemotePath::as_str)
    }

    fn check(&self) -> Result<(), Mistake> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.starts_with(['-', '.']) || !self.name.chars().all(plain) {
            return Err(Mistake::new("name", format!("{:?} is not a name for a site", self.name))
                .hint("use letters, digits, `-`, `_` and `.`"));
        }
        let texts = [self.content.is_some(), self.src.is_some(), self.from.is_some()];
        let texts = texts.into_iter().filter(|said| *said).count();
        match (self.absent, self.enabled, texts) {
            (true, ..) | (_, false, _) if self.trial => {
                Err(Mistake::new("trial", "only a site that is to be served can be tested"))
            }
            (true, _, 0) | (false, true, 1) | (false, false, 0 | 1) => Ok(()),
            (true, ..) => Err(Mistake::new("absent", "a site that is removed has no text")),
            (_, true, 0) => Err(Mistake::new("name", "nothing is said about the site's text")
                .hint("give `content`, `src` or `from`; or `enabled = false` or `absent = true` to take it out")),
            _ => Err(Mistake::new("name", "`content`, `src` and `from` exclude each other")),
        }
    }

    fn probe(&self) -> Probe {
        let script = format!(
            "command -v nginx >/dev/null 2>&1 || {{ echo no-nginx; exit 0; }}\ncd {}/sites-enabled && echo folders\n[ ! -e {} ] || echo owed",
            quote(self.folder()),
            owed(self.folder())
        );
        Probe::Shell { script, user: None }
    }

    fn failed(&self) -> Error {
        Error::failed(format!("cannot set up the site {} of nginx", self.name))
    }

    fn obstacle(&self, facts: &Facts) -> Result<()> {
        match facts.output(&self.probe())?.stdout.lines().next().unwrap_or_default() {
            "no-nginx" => Err(self
                .failed()
                .cause("there is no nginx on this host")
                .hint("put a task before it that installs it: package = \"nginx\"")),
            "folders" if facts.host.user == "root" => Ok(()),
            "folders" => Err(self
                .failed()
                .cause(format!("{} may not change {}", facts.host.user, self.folder()))
                .hint("set `become = true` on the host")),
            _ => Err(self
                .failed()
                .cause(format!("{} has no sites-enabled that one may enter", self.folder()))
                .hint("this nginx is set up in another way: make sites-available and sites-enabled, and include them")),
        }
    }

    fn differs(&self, places: &Places, facts: &Facts) -> Result<Differs> {
        let file = facts.path(&places.file)?;
        refuse_unless_file(&places.file, file)?;
        let content = match self.text(facts)? {
            _ if self.absent => file.is_some(),
            Some(text) => {
                let is_file = file.is_some_and(|stat| stat.node == NodeKind::File);
                !is_file || facts.digest(&places.file)? != Some(text)
            }
            None => false,
        };
        let link = match facts.path(&places.link)?.map(|stat| &stat.node) {
            None => self.is_served(),
            Some(NodeKind::Link { target }) => {
                !self.is_served() || (*target != places.file.as_str() && *target != format!("../sites-available/{}", self.name))
            }
            Some(NodeKind::File) if !self.is_served() => true,
            Some(_) => {
                return Err(self.failed().cause(format!("{} is not a link", places.link)).hint(format!(
                    "look at it, and move it away: mv {} {}",
                    places.link, places.file
                )));
            }
        };
        let reload = facts.output(&self.probe())?.stdout.lines().any(|line| line == "owed");
        Ok(Differs { content, link, reload })
    }

    /// What the site shall hold, where anything is said about that.
    fn text<'a>(&'a self, facts: &'a Facts) -> Result<Option<&'a Digest>> {
        match (&self.wanted, &self.from) {
            (Some(wanted), _) => Ok(Some(wanted.content.digest())),
            (None, Some(from)) => facts.digest(from),
            (None, None) => Ok(None),
        }
    }

    /// The step where the file is not there that has the text.
    fn without_text(&self, from: &RemotePath, places: &Places, facts: &Facts) -> Result<Step> {
        if self.trial || facts.path(&places.link)?.is_some() {
            return Ok(Step::already(format!("there is no {from}, and the site {} stays as it is", self.name)));
        }
        Err(self
            .failed()
            .cause(format!("there is no file {from} on this host"))
            .hint("a task before it has to write it; the site of an application comes with its release: tow deploy"))
    }

    fn plan_trial(&self, places: &Places, facts: &Facts) -> Result<Step> {
        if facts.output(&self.probe())?.stdout.starts_with("no-nginx") {
            return Ok(Step::already("there is no nginx on this host"));
        }
        self.obstacle(facts)?;
        let differs = self.differs(places, facts)?;
        if !differs.content && !differs.link {
            return Ok(Step::already(format!("nginx serves the site {}", self.name)));
        }
        let what = format!("test the site {} with all that nginx serves", self.name);
        Ok(Step::wait(what.clone(), Action::Run(self.command(Differs { content: true, ..differs }, what))))
    }

    fn is_served(&self) -> bool {
        self.enabled && !self.absent
    }
}

impl Task for NginxSite {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        self.check()?;
        let text = match (&self.content, &self.src) {
            (Some(text), _) => Some(text.clone()),
            (_, Some(src)) => Some(rendered(src, inputs)?),
            _ => None,
        };
        self.wanted = text.map(|text| Wanted { secret: inputs.is_secret(&text), content: Content::text(text) });
        let place = |folder: &str| {
            RemotePath::new(format!("{}/{folder}/{}", self.folder(), self.name)).map_err(|why| Mistake::new("folder", why))
        };
        self.places = Some(Places { file: place("sites-available")?, link: place("sites-enabled")? });
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        if self.absent || !self.enabled || self.trial {
            return vec![Need::Root];
        }
        let path = format!("{}/sites-available/{}", self.folder(), self.name);
        vec![Need::Site(self.name.clone()), Need::Root, Need::place(path, Sort::File)]
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![self.probe()];
        if let Some(Places { file, link }) = &self.places {
            probes.extend(content_probes(file));
            probes.push(Probe::Path(link.clone()));
        }
        probes.extend(self.from.clone().map(Probe::Digest));
        probes
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let places = self.places.as_ref().ok_or_else(|| crate::task::not_loaded("nginx_site"))?;
        let is_gone = !self.is_served() && self.wanted.is_none();
        if is_gone && facts.path(&places.link)?.is_none() && (!self.absent || facts.path(&places.file)?.is_none()) {
            return Ok(Step::already(format!("nginx does not serve the site {}", self.name)));
        }
        if let (Some(from), None) = (&self.from, self.text(facts)?) {
            return self.without_text(from, places, facts);
        }
        if self.trial {
            return self.plan_trial(places, facts);
        }
        self.obstacle(facts)?;
        let differs = self.differs(places, facts)?;
        if differs.is_none() {
            let verb = if self.is_served() { "serves" } else { "does not serve" };
            return Ok(Step::already(format!("nginx {verb} the site {}", self.name)));
        }
        if differs.content && !self.absent {
            needs_parent("write", &places.file, facts)?;
        }
        let change = self.change(places, differs, facts)?;
        // Nobody can foretell that nothing is owed any more, nor bytes that nobody has here: it is asked again.
        let unread = self.from.is_some() && facts.contains(&Probe::Content(places.file.clone()));
        Ok(if differs.reload || unread { Step::effects(change) } else { Step::Change(change) })
    }
}
