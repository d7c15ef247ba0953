//! Secrets: where each comes from, known to the mask, and an error only where they are used. What costs something to
//! have (a question, a program) is wanted first and fetched then: see [`Wanted`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::spec::hidden;
use crate::spec::mistake::Mistake;
use crate::spec::read::Reader;
use crate::spec::resolve::Poison;
use crate::spec::source::{Entry, Node, TextFile, Value};
use crate::spec::vault::Vault;
use crate::words::content::Files;
use crate::words::error::Error;
use crate::words::secret::{Mask, SHORTEST, Secret};

/// Where secrets come from; the edge's part.
pub trait Providers {
    fn env(&self, name: &str) -> Option<String>;
    /// What a program says, without the line break at its end. Runs in `folder`, the inventory's.
    fn command(&self, argv: &[String], folder: &str) -> Result<Secret, Error>;
    /// The name of the project's secrets file, when there is one.
    fn vault_name(&self) -> Option<String>;
    fn open_vault(&self) -> Result<Vault, Error>;
    /// What stands for every value of the inventory's, where nobody will see one; nothing is read or run then.
    fn placeholder(&self) -> Option<Secret> {
        None
    }
}

/// Only the environment.
impl<F: Fn(&str) -> Option<String>> Providers for F {
    fn env(&self, name: &str) -> Option<String> {
        self(name)
    }
    fn command(&self, _argv: &[String], _folder: &str) -> Result<Secret, Error> {
        Err(Error::config("no program is run here"))
    }
    fn vault_name(&self) -> Option<String> {
        None
    }
    fn open_vault(&self) -> Result<Vault, Error> {
        Ok(Vault::empty())
    }
}

/// What a playbook turned out to use and that was not fetched yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    Vault,
    Command { argv: Vec<String>, folder: String },
}

/// What was fetched, each once, whether it could be had or not.
#[derive(Default)]
pub struct Fetched {
    vault: Option<Result<Vault, Error>>,
    commands: BTreeMap<Vec<String>, Result<Secret, Error>>,
}

impl Fetched {
    pub fn fetch(&mut self, wanted: Wanted, providers: &dyn Providers) {
        match wanted {
            Wanted::Vault => self.vault = Some(providers.open_vault()),
            Wanted::Command { argv, folder } => {
                let said = providers.command(&argv, &folder);
                self.commands.insert(argv, said);
            }
        }
    }
}

#[derive(Default)]
pub struct Secrets {
    values: Vec<Secret>,
    /// The variable `secrets`.
    pub json: Map<String, Json>,
    /// Those that could not be had; a mistake for who mentions them.
    pub poison: Vec<Poison>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} values)", self.values.len())
    }
}

impl Secrets {
    pub fn load(
        file: &Arc<TextFile>,
        entries: &[Entry],
        files: &dyn Files,
        (providers, fetched): (&dyn Providers, &Fetched),
    ) -> Secrets {
        let mut secrets = Secrets::default();
        for entry in entries {
            let Ok(origin) = origin(&entry.node) else {
                // Reported already; there so that nothing more is said where it is used.
                secrets.json.insert(entry.key.clone(), Json::Null);
                continue;
            };
            let value = match (origin, providers.placeholder()) {
                (_, Some(placeholder)) => Ok(placeholder),
                (Origin::Env(name), _) => {
                    let value = providers.env(&name).map(Secret::new);
                    value
                        .ok_or_else(|| Failed::because(format!("the environment variable {name} is not set")))
                }
                (Origin::File(path), _) => read(files, &file.beside(&path)).map_err(Failed::because),
                (Origin::Command(argv), _) => match fetched.commands.get(&argv) {
                    Some(said) => said.clone().map_err(Failed::from),
                    None => Err(Failed::not_yet(Wanted::Command { argv, folder: file.beside("") })),
                },
            };
            secrets.add(file, entry, value);
        }
        if let Some(name) = providers.vault_name() {
            secrets.add_vault(name, fetched.vault.as_ref());
        }
        secrets
    }

    fn add(&mut self, file: &Arc<TextFile>, entry: &Entry, value: Result<Secret, Failed>) {
        let long_enough = |value: Secret| match value.reveal().len() {
            0..SHORTEST => Err(Failed::because(format!("it is shorter than {SHORTEST} characters"))),
            _ => Ok(value),
        };
        match value.and_then(long_enough) {
            Ok(value) => self.insert(&entry.key, &value),
            Err(failed) => {
                // There for "did you mean"; never rendered.
                self.json.insert(entry.key.clone(), Json::Null);
                let message = format!("the secret `{}` cannot be had: {}", entry.key, failed.why);
                let mistake = Mistake::at(file, entry.node.span.clone(), message)
                    .label("needed by this playbook")
                    .maybe_help(failed.hint);
                self.poison.push(Poison {
                    path: vec!["secrets".into(), entry.key.clone()],
                    besides: vec![],
                    mistake: Mistake { wanted: failed.wanted, ..mistake },
                });
            }
        }
    }

    /// What the inventory does not say of a name, the secrets file does.
    fn add_vault(&mut self, name: String, vault: Option<&Result<Vault, Error>>) {
        let failed = match vault {
            None => Failed::not_yet(Wanted::Vault),
            Some(Err(error)) => Failed::from(error.clone()),
            Some(Ok(vault)) => {
                for (name, value) in vault.entries() {
                    if self.json.contains_key(name) {
                        self.values.push(value.clone());
                    } else {
                        self.insert(name, value);
                    }
                }
                return;
            }
        };
        let file = Arc::new(TextFile::new(name, ""));
        let mistake = Mistake::whole_file(&file, failed.why).maybe_help(failed.hint);
        self.poison.push(Poison {
            path: vec!["secrets".into()],
            besides: self.json.keys().cloned().collect(),
            mistake: Mistake { wanted: failed.wanted, ..mistake },
        });
    }

    fn insert(&mut self, name: &str, value: &Secret) {
        self.json.insert(name.to_owned(), value.reveal().into());
        self.values.push(value.clone());
    }

    pub fn mask(&self) -> Mask {
        Mask::new(&self.values)
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.values.iter().any(|secret| text.contains(secret.reveal()))
    }
}

/// Why a value is not there.
struct Failed {
    why: String,
    hint: Option<String>,
    wanted: Option<Wanted>,
}

impl Failed {
    fn because(why: String) -> Failed {
        Failed { why, hint: None, wanted: None }
    }
    /// Seen by nobody but tasks that read a template file first in the run: all others make it be fetched.
    fn not_yet(wanted: Wanted) -> Failed {
        let hint = "mention it outside of that file as well, as in `[vars]` and the task, so that it is known before";
        let why = "it is first needed in the middle of the run".to_owned();
        Failed { why, hint: Some(hint.to_owned()), wanted: Some(wanted) }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { why: error.to_string(), hint: error.hint, wanted: None }
    }
}

fn read(files: &dyn Files, path: &str) -> Result<Secret, String> {
    let bytes = files.read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not text"))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The entries, each of which must say where its value comes from.
pub fn checked(entries: &[Entry], reader: &mut Reader<'_>) -> Vec<Entry> {
    for entry in entries {
        let Err(wanted) = origin(&entry.node) else { continue };
        // What stands there instead may be the secret itself.
        reader.mistakes.hide(reader.file, hidden::values(&entry.node));
        let message = format!("the secret `{}` must say where it comes from", entry.key);
        reader.mistake(&entry.key_span, message, wanted);
        if entry.node.as_str().is_some() {
            reader.advise(format!(
                "`tow secrets set {}` keeps it encrypted beside the inventory, and needs no line here",
                entry.key
            ));
        }
    }
    entries.to_vec()
}

enum Origin {
    Env(String),
    File(String),
    Command(Vec<String>),
}

/// Or what was expected.
fn origin(node: &Node) -> Result<Origin, &'static str> {
    let [only] = node.entries() else {
        return Err(
            "expected { env = \"NAME\" }, { file = \"path\" } or { command = [\"program\", \"argument\"] }",
        );
    };
    match (only.key.as_str(), &only.node.value) {
        ("env", Value::String(name)) => Ok(Origin::Env(name.clone())),
        ("file", Value::String(path)) => Ok(Origin::File(path.clone())),
        ("command", Value::Array(items)) => {
            let words: Option<Vec<String>> =
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            let argv = words.filter(|words| words.first().is_some_and(|program| !program.is_empty()));
            argv.map(Origin::Command).ok_or("expected a program and its arguments, each a string of its own")
        }
        ("command", _) => Err("expected an array, since no shell reads it: [\"op\", \"read\", \"op://…\"]"),
        _ => Err(
            "expected { env = \"NAME\" }, { file = \"path\" } or { command = [\"program\", \"argument\"] }",
        ),
    }
}
