//! Unit files: where they go, how systemd is asked about them first, and the units that are then looked after.

use crate::task::place::fresh;
use crate::task::service::Service;
use crate::task::write::{Target, Wanted, content_probes, plan_content};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command, Owner};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe};
use crate::words::names::{FileMode, RemotePath};
use crate::words::shell::quote;
use crate::words::step::{Change, Step};

const FOLDER: &str = "/etc/systemd/system";
const ENDINGS: [&str; 8] =
    [".service", ".socket", ".timer", ".target", ".path", ".mount", ".automount", ".slice"];

pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// `shop@.service`: only instances of it run.
pub(crate) fn is_template(unit: &str) -> bool {
    unit.rsplit_once('.').is_some_and(|(name, _)| name.ends_with('@'))
}

pub(crate) fn check_unit(unit: &str, field: &'static str) -> Result<(), Mistake> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if unit.starts_with(['-', '.', '@']) || !unit.chars().all(plain) {
        return Err(Mistake::new(field, format!("{unit:?} is not the name of a unit")));
    }
    if ENDINGS.iter().any(|ending| unit.ends_with(ending)) {
        return Ok(());
    }
    Err(Mistake::new(field, format!("{unit:?} does not say which sort of unit it is"))
        .hint(format!("add an ending: {unit}.service, {unit}.socket, {unit}.timer …")))
}

/// The text of a template of the operator's.
pub(crate) fn rendered(src: &str, inputs: &dyn Inputs) -> Result<String, Mistake> {
    let mistake = |why: String| Mistake::new("src", why);
    let bytes = inputs.read(src).map_err(mistake)?;
    let text = String::from_utf8(bytes).map_err(|_| mistake(format!("{src} is not UTF-8 text")))?;
    inputs.render(src, &text).map_err(mistake)
}

/// A file of the host's administrator that makes, or adds to, a unit.
#[derive(Clone, Debug)]
pub(crate) struct UnitFile {
    unit: String,
    pub path: RemotePath,
    wanted: Wanted,
    is_drop_in: bool,
}

impl UnitFile {
    pub fn new(unit: &str, text: &str) -> Result<UnitFile, String> {
        let path = RemotePath::new(format!("{FOLDER}/{unit}"))?;
        let wanted = Wanted { content: Content::text(text), secret: false };
        Ok(UnitFile { unit: unit.to_owned(), path, wanted, is_drop_in: false })
    }

    pub fn drop_in(unit: &str, name: &str, text: &str) -> Result<UnitFile, String> {
        let path = RemotePath::new(format!("{FOLDER}/{unit}.d/{name}.conf"))?;
        Ok(UnitFile { path, is_drop_in: true, ..UnitFile::new(unit, text)? })
    }

    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = content_probes(&self.path);
        probes.extend(self.path.parent().iter().filter_map(RemotePath::parent).map(Probe::Path));
        probes
    }

    fn target(&self) -> Target<'_> {
        Target { path: &self.path, mode: Some(FileMode(0o644)), owner: Owner::default() }
    }

    /// Asks systemd about the text before anything of it is in place.
    fn verify(&self) -> Action {
        let name = self.path.file_name();
        let words = [("unit", self.unit.as_str()), ("name", name), ("path", self.path.as_str())];
        let words: Vec<String> = words.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
        let script = format!(
            "{} drop_in={}\n{}",
            words.join(" "),
            if self.is_drop_in { "yes" } else { "no" },
            include_str!("verify.sh")
        );
        let stdin = Some(self.wanted.content.clone());
        Action::Run(Command { stdin, ..Command::shell(script).label(format!("systemd-analyze verify {}", self.unit)) })
    }

    /// The folder of a drop-in, where it is not there yet.
    fn folder(&self, facts: &Facts) -> Result<Option<Change>> {
        let Some(folder) = self.path.parent().filter(|_| self.is_drop_in) else { return Ok(None) };
        if facts.path(&folder)?.is_some() {
            return Ok(None);
        }
        let mode = FileMode(0o755);
        let stat = fresh(NodeKind::Dir, mode, &folder, facts);
        let action = Action::MakeDir { path: folder.clone(), mode: Some(mode), owner: Owner::default() };
        Ok(Some(Change::default().what(format!("make the folder {folder}")).action(action).predict_dir(&folder, stat)))
    }
}

pub(crate) fn daemon_reload() -> Action {
    let script = "[ ! -d /run/systemd/system ] || systemctl daemon-reload";
    Action::Run(Command::shell(script).label("systemctl daemon-reload"))
}

/// One change after the other.
pub(crate) fn joined(mut first: Change, second: Change) -> Change {
    first.what.extend(second.what);
    first.diffs.extend(second.diffs);
    first.actions.extend(second.actions);
    first.predicts.extend(second.predicts);
    first
}

/// What has to be written, and the host as it will be then.
#[derive(Debug)]
pub(crate) struct Files {
    pub change: Change,
    facts: Facts,
    why: Vec<String>,
}

impl Files {
    pub fn plan(files: &[UnitFile], facts: &Facts) -> Result<Files> {
        let mut plan = Files { change: Change::default(), facts: facts.clone(), why: vec![] };
        let mut writes = false;
        for file in files {
            if let Some(folder) = file.folder(&plan.facts)? {
                plan.add(folder);
            }
            match plan_content(&file.target(), &file.wanted, &plan.facts)? {
                Step::Already { why } => plan.why.push(why),
                Step::Change(change) | Step::Unknown(change) => {
                    if !change.diffs.is_empty() {
                        writes = true;
                        plan.add(Change::default().action(file.verify()));
                    }
                    plan.add(change);
                }
            }
        }
        if writes {
            if facts.host.user != "root" {
                return Err(Error::failed(format!("cannot write {}", files[0].path))
                    .cause(format!("{} may not", facts.host.user))
                    .hint("set `become = true` on the host"));
            }
            plan.add(Change::default().action(daemon_reload()));
        }
        Ok(plan)
    }

    pub fn writes(&self, path: &RemotePath) -> bool {
        self.change.diffs.iter().any(|diff| diff.path == *path)
    }

    fn add(&mut self, change: Change) {
        self.facts.apply(&change.predicts);
        self.change = joined(std::mem::take(&mut self.change), change);
    }

    /// The whole step, with the unit looked after once its files are there.
    pub fn with(self, service: Option<&Service>) -> Result<Step> {
        let step = service.map(|service| service.plan(&self.facts)).transpose()?;
        let why = match step {
            Some(Step::Unknown(change) | Step::Change(change)) => {
                return Ok(Step::effects(joined(self.change, change)));
            }
            _ if !self.change.is_empty() => return Ok(Step::Change(self.change)),
            Some(Step::Already { why }) => [self.why, vec![why]].concat(),
            None => self.why,
        };
        Ok(Step::already(why.join(", ")))
    }
}
