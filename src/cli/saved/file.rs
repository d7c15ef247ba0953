//! The file of a saved plan: what it was made from, and every step on every host.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::words::error::{Error, Result};

/// Grows by one when an older `tow` could not read it any more.
const FORMAT: u32 = 1;
/// Plans are text; what is larger is none.
const LARGEST: u64 = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    pub format: u32,
    /// The version that made it: another one may plan the same playbook differently.
    pub tow: String,
    /// Seconds since 1970.
    pub made: u64,
    /// Mixed into all digests, so that nobody can try passwords against one.
    pub salt: String,
    pub from: From,
    pub hosts: Hosts,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct From {
    pub playbook: String,
    pub inventory: Option<String>,
    pub limit: Option<String>,
    pub tags: Vec<String>,
    pub skip_tags: Vec<String>,
    pub set: Vec<(String, String)>,
}

/// By host, in the order in which they were planned.
pub type Hosts = BTreeMap<String, Vec<Entry>>;

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub stage: String,
    pub task: String,
    pub origin: String,
    /// `already`, `change`, `unknown`, `skip` or `failed`.
    pub decision: String,
    /// Why nothing is to be done, or what is to be done, for people.
    pub what: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// What files shall hold, by their paths, as far as it is text and not secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Of all that will be done.
    pub digest: String,
    /// What the host answered: a digest of each answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

impl Saved {
    pub fn new(from: From, salt: String, hosts: Hosts) -> Saved {
        let made = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let tow = env!("CARGO_PKG_VERSION").to_owned();
        Saved { format: FORMAT, tow, made: made.as_secs(), salt, from, hosts }
    }

    /// Under its name only when it is whole; temporary files are for their owner's eyes only, and so is this one.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |error: std::io::Error| {
            Error::config(format!("cannot write the plan {}", path.display())).cause(error)
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|error| failed(error.into()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map(drop).map_err(|error| failed(error.error))
    }

    pub fn read(path: &Path) -> Result<Saved> {
        let name = path.display();
        let cannot = |why: String| Error::config(format!("cannot read the plan {name}")).cause(why);
        let about = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
        if about.len() > LARGEST {
            return Err(cannot("it is too large for a plan".into()));
        }
        let bytes = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
        let hint = "make one by `tow plan PLAYBOOK -o FILE`";
        let version: Version =
            serde_json::from_slice(&bytes).map_err(|error| cannot(error.to_string()).hint(hint))?;
        let here = env!("CARGO_PKG_VERSION");
        if version.format != FORMAT || version.tow != here {
            return Err(Error::config(format!("{name} is a plan of another version"))
                .cause(format!("tow {} has made it, and this is {here}", version.tow))
                .hint("plan again with this version: another one may do the same playbook differently"));
        }
        serde_json::from_slice(&bytes).map_err(|error| cannot(error.to_string()).hint(hint))
    }
}

#[derive(Deserialize)]
struct Version {
    format: u32,
    tow: String,
}
