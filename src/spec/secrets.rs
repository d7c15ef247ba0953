//! Secrets: read from the environment or a file, known to the mask, and an error only where they are used.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::spec::mistake::Mistake;
use crate::spec::read::Reader;
use crate::spec::resolve::Poison;
use crate::spec::source::{Entry, TextFile};
use crate::words::content::Files;
use crate::words::secret::{Mask, Secret};

/// Shorter ones cannot be masked: replacing every `1` would make all output unreadable.
const SHORTEST: usize = 4;

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
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Secrets {
        let mut secrets = Secrets::default();
        for entry in entries {
            let Some((how, place)) = origin(entry) else {
                // Reported already; there so that nothing more is said where it is used.
                secrets.json.insert(entry.key.clone(), Json::Null);
                continue;
            };
            let value = match how {
                "env" => env(&place).ok_or_else(|| format!("the environment variable {place} is not set")),
                _ => read(files, &file.beside(&place)),
            };
            secrets.add(file, entry, value);
        }
        secrets
    }

    fn add(&mut self, file: &Arc<TextFile>, entry: &Entry, value: Result<String, String>) {
        let long_enough = |value: String| match value.len() {
            0..SHORTEST => Err(format!("it is shorter than {SHORTEST} characters")),
            _ => Ok(value),
        };
        match value.and_then(long_enough) {
            Ok(value) => {
                self.json.insert(entry.key.clone(), value.as_str().into());
                self.values.push(Secret::new(value));
            }
            Err(why) => {
                // There for "did you mean"; never rendered.
                self.json.insert(entry.key.clone(), Json::Null);
                let message = format!("the secret `{}` cannot be had: {why}", entry.key);
                self.poison.push(Poison {
                    path: vec!["secrets".into(), entry.key.clone()],
                    mistake: Mistake::at(file, entry.node.span.clone(), message)
                        .label("needed by this playbook"),
                });
            }
        }
    }

    pub fn mask(&self) -> Mask {
        Mask::new(&self.values)
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.values.iter().any(|secret| text.contains(secret.reveal()))
    }
}

fn read(files: &dyn Files, path: &str) -> Result<String, String> {
    let bytes = files.read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not text"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The entries, each of which must say where its value comes from.
pub fn checked(entries: &[Entry], reader: &mut Reader<'_>) -> Vec<Entry> {
    for entry in entries.iter().filter(|entry| origin(entry).is_none()) {
        let message = format!("the secret `{}` must say where it comes from", entry.key);
        // A secret that stands in the file itself must not be repeated by the message.
        let wanted = "expected { env = \"NAME\" } or { file = \"path\" }";
        reader.mistake(&entry.key_span, message, wanted);
    }
    entries.to_vec()
}

/// `{ env = "NAME" }` or `{ file = "path" }`.
fn origin(entry: &Entry) -> Option<(&'static str, String)> {
    let [only] = entry.node.entries() else { return None };
    match (only.key.as_str(), only.node.as_str()) {
        ("env", Some(name)) => Some(("env", name.to_owned())),
        ("file", Some(path)) => Some(("file", path.to_owned())),
        _ => None,
    }
}
