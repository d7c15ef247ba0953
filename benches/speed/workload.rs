//! The workload: what is generated, and how it must look on a host afterwards.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::lab::{Host, quoted};
use crate::measure::Result;

const TEMPLATES: usize = 15;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workload")
}

/// A playbook of one task, after the one that makes the host's folder.
pub fn stage_of_one(task: &str) -> String {
    format!(
        "[[stages]]\nname = \"one\"\n\n  [[stages.tasks]]\n  name = \"root\"\n  \
         directory = {{ path = \"{{{{root}}}}\" }}\n\n  [[stages.tasks]]\n  name = \"it\"\n  {task}\n"
    )
}

/// The templates on a host, each with what changes when it is written; an error when something is missing.
pub fn seen(host: &Host) -> Result<Vec<(u64, i64, i64)>> {
    let missing = |path: &Path, error| format!("{} is not as the playbook says: {error}", path.display());
    for link in 1..=5 {
        let path = host.root.join(format!("l{link}"));
        fs::read_link(&path).map_err(|error| missing(&path, error))?;
    }
    let mut all = vec![];
    for number in 1..=TEMPLATES {
        let path = host.root.join(format!("d{}/f{number}.conf", number % 9 + 1));
        let text = fs::read_to_string(&path).map_err(|error| missing(&path, error))?;
        if !text.contains(&format!("value-demo-{number}-29 ")) {
            return Err(format!("{} holds something else", path.display()).into());
        }
        let about = fs::metadata(&path)?;
        all.push((about.ino(), about.mtime(), about.mtime_nsec()));
    }
    Ok(all)
}

pub fn same_file(one: &Path, other: &Path) -> Result<()> {
    let same = fs::metadata(one)?.len() == fs::metadata(other)?.len() && fs::read(one)? == fs::read(other)?;
    if same { Ok(()) } else { Err(format!("{} differs from {}", other.display(), one.display()).into()) }
}

/// Bytes that do not compress, the same in every run.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The workload ten times over, each in a folder of its own.
pub fn ten_times_the_site() -> String {
    let templates = folder().join("templates");
    let mut text = "[vars]\nsite = \"demo\"\n\n[[stages]]\nname = \"site\"\n".to_owned();
    let mut task = |name: String, body: String| {
        let _ = write!(text, "\n  [[stages.tasks]]\n  name = \"{name}\"\n  {body}\n");
    };
    for part in 0..10 {
        let root = format!("{{{{root}}}}/part{part}");
        task(format!("root {part}"), format!("directory = {{ path = \"{root}\", mode = \"0755\" }}"));
        for n in 1..10 {
            task(
                format!("dir {part}.{n}"),
                format!("directory = {{ path = \"{root}/d{n}\", mode = \"0750\" }}"),
            );
        }
        for n in 1..=TEMPLATES {
            let source = quoted(&templates.join(format!("f{n}.conf.hbs")));
            let dest = format!("{root}/d{}/f{n}.conf", n % 9 + 1);
            let body = format!("template = {{ src = {source}, dest = \"{dest}\", mode = \"0640\" }}");
            task(format!("tpl {part}.{n}"), body);
        }
        for n in 1..=5 {
            let body =
                format!("link = {{ path = \"{root}/l{n}\", target = \"{root}/d{}/f{n}.conf\" }}", n % 9 + 1);
            task(format!("link {part}.{n}"), body);
        }
    }
    text
}
